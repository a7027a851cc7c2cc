/* Linear layers of the cpu backend against the reference, bit by bit. */

#include "compute_unit.h"

static const struct ps_compute_limits limits = {
    .rows = 2100,
    .columns = 300,
    .vocabulary = 64,
    .head_rows = 8,
    .heads = 2,
    .key_value_heads = 1,
    .head_size = 16,
    .positions = 128,
    .experts = 8,
    .training = true,
};

static const enum ps_weight_format formats[] = {PS_WEIGHT_F32, PS_WEIGHT_BF16};
static const enum ps_dtype types[] = {PS_DTYPE_F32, PS_DTYPE_BF16};

static struct ps_weight *weight(struct unit_backend b, enum ps_weight_format format,
                                struct ps_matrix values) {
    struct ps_weight_description description = {values.rows, values.columns, format,
                                                PS_USE_FORWARD | PS_USE_INPUT_GRADIENT};
    struct ps_weight *made;
    struct ps_error error;
    assert_ok(b.compute->linear.create(b.compute, &description, &made, &error));
    b.compute->linear.load(b.stream, made, 0, values, NULL);
    assert_ok(b.compute->memory.synchronize(b.stream, &error));
    return made;
}

/* One shape in one format: forward with and without bias, both gradients. */
static void one_shape(struct unit_backend reference, struct unit_backend cpu, int f, int64_t rows,
                      int64_t outputs, int64_t inputs) {
    const enum ps_dtype type = types[f];
    const char *kernels = cpu.compute->kernels;
    int threads = cpu.compute->threads;
    struct ps_matrix values = unit_matrix(unit_below(2) ? PS_DTYPE_F32 : type, outputs, inputs);
    struct ps_matrix x = unit_matrix(type, rows, inputs), dy = unit_matrix(type, rows, outputs);
    float *bias = unit_vector(outputs);
    struct unit_backend both[2] = {reference, cpu};
    struct ps_matrix y[2], logits[2], dx[2], dw[2], db[2];
    y[0] = unit_matrix(type, rows, outputs);
    logits[0] = unit_floats(rows, outputs);
    dx[0] = unit_matrix(type, rows, inputs);
    dw[0] = unit_floats(outputs, inputs);
    dw[0].stride = inputs;
    db[0] = unit_floats(1, outputs);
    y[1] = unit_copy(y[0]);
    logits[1] = unit_copy(logits[0]);
    dx[1] = unit_copy(dx[0]);
    dw[1] = unit_copy(dw[0]);
    db[1] = unit_copy(db[0]);
    for (int i = 0; i < 2; i++) {
        const struct ps_linear_operations *linear = &both[i].compute->linear;
        struct ps_stream *stream = both[i].stream;
        struct ps_weight *w = weight(both[i], formats[f], values);
        linear->forward(stream, w, x, bias, y[i]);
        linear->forward(stream, w, x, NULL, logits[i]);
        linear->input_gradient(stream, w, dy, dx[i], false);
        linear->input_gradient(stream, w, dy, dx[i], true);
        linear->weight_gradient(stream, formats[f], dy, x, dw[i].data, db[i].data);
        linear->release(w);
    }
    assert_same(y[0], y[1], "forward", kernels, threads);
    assert_same(logits[0], logits[1], "forward to F32", kernels, threads);
    assert_same(dx[0], dx[1], "input gradient", kernels, threads);
    assert_same(dw[0], dw[1], "weight gradient", kernels, threads);
    assert_same(db[0], db[1], "bias gradient", kernels, threads);
    for (int i = 0; i < 2; i++) {
        ps_free(y[i].data);
        ps_free(logits[i].data);
        ps_free(dx[i].data);
        ps_free(dw[i].data);
        ps_free(db[i].data);
    }
    ps_free(values.data);
    ps_free(x.data);
    ps_free(dy.data);
    ps_free(bias);
}

static void check_shapes(struct unit_backend reference, struct unit_backend cpu) {
    for (int f = 0; f < 2; f++) {
        one_shape(reference, cpu, f, 1, 1, 1);
        one_shape(reference, cpu, f, 6, 32, 32);
        one_shape(reference, cpu, f, 13, 100, 67);
        for (int i = 0; i < 6; i++)
            one_shape(reference, cpu, f, 1 + unit_below(20), 1 + unit_below(130),
                      1 + unit_below(130));
    }
}

static void shapes(void **state) {
    (void)state;
    unit_every_family(&limits, check_shapes);
}

/* More rows than one block of A or one dot product of a weight gradient holds. */
static void check_many_rows(struct unit_backend reference, struct unit_backend cpu) {
    for (int f = 0; f < 2; f++) one_shape(reference, cpu, f, 1030 + unit_below(100), 9, 35);
}

static void many_rows(void **state) {
    (void)state;
    unit_every_family(&limits, check_many_rows);
}

/* q, k and v stacked in one weight, a part replaced, an update, and what evict leaves. */
static void check_loading(struct unit_backend reference, struct unit_backend cpu) {
    struct unit_backend both[2] = {reference, cpu};
    for (int f = 0; f < 2; f++) {
        struct ps_matrix values = unit_floats(75, 45), x = unit_matrix(types[f], 5, 45);
        struct ps_matrix dy = unit_matrix(types[f], 5, 75);
        struct ps_matrix part = unit_matrix(PS_DTYPE_BF16, 20, 45);
        float *master = unit_vector(75 * 45);
        struct ps_matrix y[2][3], dx[2];
        for (int i = 0; i < 3; i++) {
            y[0][i] = unit_matrix(types[f], 5, 75);
            y[1][i] = unit_copy(y[0][i]);
        }
        dx[0] = unit_matrix(types[f], 5, 45);
        dx[1] = unit_copy(dx[0]);
        for (int i = 0; i < 2; i++) {
            const struct ps_linear_operations *linear = &both[i].compute->linear;
            struct ps_stream *stream = both[i].stream;
            struct ps_weight_description description = {75, 45, formats[f],
                                                        PS_USE_FORWARD | PS_USE_INPUT_GRADIENT};
            struct ps_weight *w;
            struct ps_error error;
            assert_ok(linear->create(both[i].compute, &description, &w, &error));
            linear->load(stream, w, 40, ps_matrix_rows(values, 40, 35), NULL);
            linear->load(stream, w, 0, ps_matrix_rows(values, 0, 40), NULL);
            linear->forward(stream, w, x, NULL, y[i][0]);
            linear->load(stream, w, 33, part, NULL);
            linear->forward(stream, w, x, NULL, y[i][1]);
            linear->input_gradient(stream, w, dy, dx[i], false);
            linear->evict(stream, w);
            assert_true(linear->bytes(w) == 0);
            linear->update(stream, w, master);
            linear->forward(stream, w, x, NULL, y[i][2]);
            assert_true(linear->bytes(w) > 0);
            linear->release(w);
        }
        for (int i = 0; i < 3; i++) {
            assert_same(y[0][i], y[1][i], "loaded in parts", cpu.compute->kernels, i);
            ps_free(y[0][i].data);
            ps_free(y[1][i].data);
        }
        assert_same(dx[0], dx[1], "transposed, loaded in parts", cpu.compute->kernels, 0);
        ps_free(dx[0].data);
        ps_free(dx[1].data);
        ps_free(values.data);
        ps_free(x.data);
        ps_free(dy.data);
        ps_free(part.data);
        ps_free(master);
    }
}

static void loading(void **state) {
    (void)state;
    unit_every_family(&limits, check_loading);
}

static void check_experts(struct unit_backend reference, struct unit_backend cpu) {
    enum { EXPERTS = 5, OUTPUTS = 70, INPUTS = 41 };
    struct unit_backend both[2] = {reference, cpu};
    const int32_t offsets[EXPERTS + 1] = {0, 3, 3, 20, 21, 38};
    for (int f = 0; f < 2; f++) {
        struct ps_matrix values[EXPERTS];
        struct ps_matrix x = unit_matrix(types[f], 38, INPUTS);
        struct ps_matrix dy = unit_matrix(types[f], 38, OUTPUTS), y[2], dx[2];
        float *dw[2][EXPERTS];
        y[0] = unit_matrix(types[f], 38, OUTPUTS);
        dx[0] = unit_matrix(types[f], 38, INPUTS);
        y[1] = unit_copy(y[0]);
        dx[1] = unit_copy(dx[0]);
        for (int e = 0; e < EXPERTS; e++) {
            values[e] = unit_matrix(types[f], OUTPUTS, INPUTS);
            dw[0][e] = unit_vector(OUTPUTS * INPUTS);
            dw[1][e] = unit_duplicate(dw[0][e], OUTPUTS * INPUTS * 4);
        }
        for (int i = 0; i < 2; i++) {
            const struct ps_linear_operations *linear = &both[i].compute->linear;
            struct ps_weight *weights[EXPERTS];
            for (int e = 0; e < EXPERTS; e++) weights[e] = weight(both[i], formats[f], values[e]);
            linear->grouped_forward(both[i].stream, weights, EXPERTS, offsets, x, y[i]);
            linear->grouped_input_gradient(both[i].stream, weights, EXPERTS, offsets, dy, dx[i]);
            linear->grouped_weight_gradient(both[i].stream, formats[f], EXPERTS, offsets, dy, x,
                                            dw[i]);
            for (int e = 0; e < EXPERTS; e++) linear->release(weights[e]);
        }
        assert_same(y[0], y[1], "grouped forward", cpu.compute->kernels, cpu.compute->threads);
        assert_same(dx[0], dx[1], "grouped input gradient", cpu.compute->kernels, 0);
        for (int e = 0; e < EXPERTS; e++) {
            assert_same_bytes(dw[0][e], dw[1][e], OUTPUTS * INPUTS * 4, "grouped weight gradient",
                              cpu.compute->kernels, cpu.compute->threads);
            ps_free(dw[0][e]);
            ps_free(dw[1][e]);
            ps_free(values[e].data);
        }
        for (int i = 0; i < 2; i++) {
            ps_free(y[i].data);
            ps_free(dx[i].data);
        }
        ps_free(x.data);
        ps_free(dy.data);
    }
}

static void experts(void **state) {
    (void)state;
    unit_every_family(&limits, check_experts);
}

static void forced_family(void **state) {
    (void)state;
    struct ps_compute *compute;
    struct ps_error error;
    setenv("POTSTILL_CPU", "altivec", 1);
    assert_fails(ps_compute_open("cpu", 1, &compute, &error), PS_ARGUMENT, "no such kernel family");
    unsetenv("POTSTILL_CPU");
    assert_ok(ps_compute_open("cpu", 1, &compute, &error));
    ps_compute_close(compute);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),  cmocka_unit_test(many_rows),     cmocka_unit_test(loading),
        cmocka_unit_test(experts), cmocka_unit_test(forced_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
