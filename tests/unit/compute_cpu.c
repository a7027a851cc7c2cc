/* The cpu backend against the reference: every operation gives the same bits in each kernel family
 * that this processor has and with 1, 2 and 3 threads. */
#include "compute_compare_operations.h"

#include "base/random.h"
#include "compute/cpu/cpu_internal.h"

static const char *const families[] = {"avx512bf16", "avx512", "avx2", "plain"};

enum { FAMILIES = sizeof families / sizeof *families, MOST_THREADS = 3 };

/* Opens the cpu backend with a kernel family; NULL, after saying so, if it cannot run here. */
static struct ps_compute *open_family(const char *family, int threads) {
    struct ps_error error;
    struct ps_compute *compute = NULL;
    setenv("POTSTILL_CPU", family, 1);
    enum ps_status status = ps_compute_open("cpu", threads, &compute, &error);
    unsetenv("POTSTILL_CPU");
    if (status == PS_UNSUPPORTED) {
        print_message("skipped: %s\n", error.message);
        return NULL;
    }
    assert_int_equal(status, PS_OK);
    assert_string_equal(compute->kernels, family);
    assert_int_equal(compute->threads, threads);
    return compute;
}

static void every_family(void (*check)(struct compare *c)) {
    struct ps_error error;
    struct ps_compute *reference;
    assert_ok(ps_compute_open("reference", 1, &reference, &error));
    ps_cpu_set_least_work(0.001); /* small shapes are spread over threads as well */
    for (int f = 0; f < FAMILIES; f++) {
        for (int threads = 1; threads <= MOST_THREADS; threads++) {
            struct ps_compute *cpu = open_family(families[f], threads);
            struct compare c;
            if (!cpu) break;
            compare_open(&c, reference, cpu, (uint64_t)(f * 10 + threads));
            check(&c);
            compare_close(&c);
            ps_compute_close(cpu);
        }
    }
    ps_compute_close(reference);
}

static void check_all(struct compare *c) {
    compare_all(c, 2, false);
}

static void all_operations(void **state) {
    (void)state;
    every_family(check_all);
}

/* Tensors that come in any order, one that replaces rows of a whole weight, a mapped one. */
static void check_loading(struct compare *c) {
    enum { ROWS = 5, OUTPUTS = 75, INPUTS = 45 };
    for (enum ps_weight_format f = PS_WEIGHT_F32; f <= PS_WEIGHT_BF16; f++) {
        enum ps_dtype type = f == PS_WEIGHT_F32 ? PS_DTYPE_F32 : PS_DTYPE_BF16;
        struct ps_weight_description description = {OUTPUTS, INPUTS, f,
                                                    PS_USE_FORWARD | PS_USE_INPUT_GRADIENT};
        compare_begin(c, "loading in parts", "format %d", f);
        struct compare_matrix all =
            compare_matrix(c, "all", PS_DTYPE_F32, OUTPUTS, INPUTS, COMPARE_RANDOM);
        struct compare_matrix part = compare_matrix(c, "part", type, 20, INPUTS, COMPARE_RANDOM);
        struct compare_matrix mapped =
            compare_matrix(c, "map", type, OUTPUTS, INPUTS, COMPARE_RANDOM);
        struct compare_matrix x = compare_matrix(c, "x", type, ROWS, INPUTS, COMPARE_RANDOM);
        struct compare_matrix dy = compare_matrix(c, "dy", type, ROWS, OUTPUTS, COMPARE_RANDOM);
        struct compare_matrix dx = compare_matrix(c, "dx", type, ROWS, INPUTS, COMPARE_OUTPUT);
        struct compare_matrix y[3];
        for (int i = 0; i < 3; i++)
            y[i] = compare_matrix(c, "y", type, ROWS, OUTPUTS, COMPARE_OUTPUT);
        for (COMPARE_SIDES(s)) {
            const struct ps_linear_operations *linear = &c->compute[s]->linear;
            struct ps_stream *stream = c->stream[s];
            struct ps_weight *weight;
            struct ps_error error;
            assert_ok(linear->create(c->compute[s], &description, &weight, &error));
            linear->load(stream, weight, 40, ps_matrix_rows(all.side[s], 40, OUTPUTS - 40), NULL);
            linear->load(stream, weight, 0, ps_matrix_rows(all.side[s], 0, 40), NULL);
            linear->forward(stream, weight, x.side[s], NULL, y[0].side[s]);
            linear->load(stream, weight, 33, part.side[s], NULL);
            linear->forward(stream, weight, x.side[s], NULL, y[1].side[s]);
            linear->input_gradient(stream, weight, dy.side[s], dx.side[s], false);
            linear->evict(stream, weight);
            assert_true(linear->bytes(weight) == 0);
            linear->map(stream, weight, mapped.side[s], NULL);
            linear->forward(stream, weight, x.side[s], NULL, y[2].side[s]);
            linear->release(weight);
        }
        compare_end(c);
    }
}

static void loading(void **state) {
    (void)state;
    every_family(check_loading);
}

static void unknown_families_are_refused(void **state) {
    (void)state;
    struct ps_error error;
    struct ps_compute *compute;
    setenv("POTSTILL_CPU", "altivec", 1);
    assert_fails(ps_compute_open("cpu", 1, &compute, &error), PS_ARGUMENT, "no such kernel family");
    unsetenv("POTSTILL_CPU");
    assert_ok(ps_compute_open("cpu", 0, &compute, &error));
    assert_true(compute->threads >= 1);
    ps_compute_close(compute);
}

/* The gradient of the head's input is a product over the vocabulary, by far the longest there is:
 * scratch must be made for it. */
static void long_vocabulary(void **state) {
    enum { ROWS = 60, COLUMNS = 16, VOCABULARY = 40000 };
    (void)state;
    static float weights[VOCABULARY * COLUMNS], x[ROWS * COLUMNS], dx[2][ROWS * COLUMNS];
    static float losses[ROWS], dw[VOCABULARY * COLUMNS];
    static int32_t targets[ROWS];
    struct ps_error error;
    const char *const names[] = {"reference", "cpu"};
    for (int i = 0; i < VOCABULARY * COLUMNS; i++) weights[i] = ps_random_normal(1, (uint64_t)i);
    for (int i = 0; i < ROWS * COLUMNS; i++) x[i] = ps_random_normal(2, (uint64_t)i);
    for (int i = 0; i < ROWS; i++) targets[i] = i * 601;
    for (int b = 0; b < 2; b++) {
        struct ps_compute *compute;
        struct ps_stream *stream;
        struct ps_weight *head;
        struct ps_compute_limits limits = {.rows = ROWS,
                                           .columns = COLUMNS,
                                           .head_rows = ROWS,
                                           .vocabulary = VOCABULARY,
                                           .heads = 1,
                                           .key_value_heads = 1,
                                           .head_size = 16,
                                           .positions = ROWS,
                                           .training = true};
        struct ps_weight_description description = {VOCABULARY, COLUMNS, PS_WEIGHT_F32,
                                                    PS_USE_FORWARD | PS_USE_INPUT_GRADIENT};
        struct ps_loss loss = {
            .cross_entropy = 1, .temperature = 1, .scale = 1.0f / ROWS, .targets = targets};
        assert_ok(ps_compute_open(names[b], 2, &compute, &error));
        assert_ok(compute->memory.stream_create(compute, &limits, &stream, &error));
        assert_ok(compute->linear.create(compute, &description, &head, &error));
        compute->linear.update(stream, head, weights);
        compute->head.loss(stream, head, ps_matrix(x, PS_DTYPE_F32, ROWS, COLUMNS), &loss, losses,
                           ps_matrix(dx[b], PS_DTYPE_F32, ROWS, COLUMNS), dw);
        assert_ok(compute->memory.synchronize(stream, &error));
        compute->linear.release(head);
        compute->memory.stream_release(stream);
        ps_compute_close(compute);
    }
    assert_memory_equal(dx[0], dx[1], sizeof dx[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_vocabulary),
        cmocka_unit_test(all_operations),
        cmocka_unit_test(loading),
        cmocka_unit_test(unknown_families_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
