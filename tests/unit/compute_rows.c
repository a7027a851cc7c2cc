/* A row has the same bits alone and in a batch; denormals are flushed, and the caller's mode of
 * arithmetic is given back; a lack of memory is an error. */
#include "compute_reference.h"

#include "base/memory.h"
#include "compute/numerics_internal.h"

enum { T = 40, INPUTS = 200, OUTPUTS = 130 };

static void a_row_alone_is_the_row_in_a_batch(void **state) {
    (void)state;
    static float w[OUTPUTS * INPUTS], x32[T * INPUTS], y32[T * OUTPUTS], alone32[OUTPUTS];
    static uint16_t x16[T * INPUTS], y16[T * OUTPUTS], alone16[OUTPUTS];
    fill(w, OUTPUTS * INPUTS, 1);
    fill(x32, T * INPUTS, 2);
    fill_bf16(x16, T * INPUTS, 2);
    for (enum ps_weight_format format = PS_WEIGHT_F32; format <= PS_WEIGHT_FP8; format++) {
        struct ps_error error;
        struct ps_weight *weight;
        struct ps_weight_description description = {OUTPUTS, INPUTS, format, PS_USE_FORWARD};
        bool wide = format == PS_WEIGHT_F32;
        struct ps_matrix x = wide ? f32(x32, T, INPUTS) : bf16(x16, T, INPUTS);
        struct ps_matrix y = wide ? f32(y32, T, OUTPUTS) : bf16(y16, T, OUTPUTS);
        struct ps_matrix alone = wide ? f32(alone32, 1, OUTPUTS) : bf16(alone16, 1, OUTPUTS);
        size_t row = OUTPUTS * ps_dtype_size(y.dtype);
        assert_ok(compute->linear.create(compute, &description, &weight, &error));
        compute->linear.load(stream, weight, 0, f32(w, OUTPUTS, INPUTS), NULL);
        compute->linear.forward(stream, weight, x, NULL, y);
        for (int t = 0; t < T; t++) {
            compute->linear.forward(stream, weight, ps_matrix_rows(x, t, 1), NULL, alone);
            assert_memory_equal(alone.data, (char *)y.data + (size_t)t * row, row);
        }
        compute->linear.release(weight);
    }
}

/* The page's own formula, element by element. */
static void a_dot_product_has_two_chains(void **state) {
    (void)state;
    enum { K = 77 };
    float a[96] = {0}, b[96] = {0}, total = 0;
    fill(a, K, 3);
    fill(b, K, 4);
    for (int block = 0; block < 96; block += 32) {
        float even = 0, odd = 0;
        for (int i = 0; i < 32; i += 2) even = fmaf(a[block + i], b[block + i], even);
        for (int i = 1; i < 32; i += 2) odd = fmaf(a[block + i], b[block + i], odd);
        total = total + (even + odd);
    }
    float got = ps_dot(a, b, K);
    assert_memory_equal(&got, &total, sizeof got);
}

static void denormals_are_flushed_and_the_mode_given_back(void **state) {
    (void)state;
    volatile float tiny = 1e-39f, small = 1e-30f;
    float a[2] = {tiny, 0x1p-126f}, b[2] = {tiny, -0x1.8p-126f}, sum[2];
    compute->rows.add(stream, f32(a, 1, 2), f32(b, 1, 2), f32(sum, 1, 2));
    assert_true(sum[0] == 0 && sum[1] == 0); /* flushed on input, and on output */
    assert_true(small * 1e-9f > 0);          /* outside, denormals are what they were */
    uint16_t rounded;
    compute->rows.convert(stream, f32(a, 1, 1), bf16(&rounded, 1, 1));
    assert_int_equal(rounded, 0);
}

static void no_memory_is_an_error(void **state) {
    (void)state;
    struct ps_error error;
    struct ps_compute *other;
    struct ps_stream *own;
    struct ps_weight *weight;
    struct ps_compute_limits limits = {.rows = 1, .columns = 1};
    struct ps_weight_description description = {3, 3, PS_WEIGHT_FP8, PS_USE_FORWARD};
    ps_memory_fail_at(1);
    assert_fails(ps_compute_open("reference", 1, &other, &error), PS_MEMORY, "memory");
    for (size_t n = 1; n <= 2; n++) {
        ps_memory_fail_at(n);
        assert_fails(compute->memory.stream_create(compute, &limits, &own, &error), PS_MEMORY,
                     "memory");
        ps_memory_fail_at(n);
        assert_fails(compute->linear.create(compute, &description, &weight, &error), PS_MEMORY,
                     "memory");
    }
    float values[9] = {1};
    ps_memory_fail_at(0);
    assert_ok(compute->linear.create(compute, &description, &weight, &error));
    ps_memory_fail_at(1);
    compute->linear.load(stream, weight, 0, f32(values, 3, 3), NULL);
    ps_memory_fail_at(0);
    assert_fails(compute->memory.synchronize(stream, &error), PS_MEMORY, "weight");
    compute->linear.release(weight);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_alone_is_the_row_in_a_batch),
        cmocka_unit_test(a_dot_product_has_two_chains),
        cmocka_unit_test(denormals_are_flushed_and_the_mode_given_back),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, reference_open, reference_close);
}
