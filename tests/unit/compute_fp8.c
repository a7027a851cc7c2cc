/* E4M3 codes, scales, and linear layers with FP8 weights. */
#include "compute_reference.h"

#include "base/json.h"
#include "compute/fp8_internal.h"
#include "compute/numerics_internal.h"

static void codes_have_the_values_of_the_table(void **state) {
    (void)state;
    struct ps_error error;
    const char *path = unit_shared("golden/fp_tables.json");
    if (!path) skip();
    json_t *tables;
    assert_ok(ps_json_read_file(path, 1 << 20, &tables, &error));
    const json_t *table = json_object_get(tables, "e4m3fn");
    assert_int_equal(json_array_size(table), 256);
    for (int code = 0; code < 256; code++) {
        const json_t *entry = json_array_get(table, (size_t)code);
        float value = ps_f32_from_e4m3((uint8_t)code);
        if (json_is_string(entry))
            assert_true(isnan(value));
        else
            assert_true((double)value == json_number_value(entry));
    }
    json_decref(tables);
}

/* Every BF16 number goes to the nearest code, of two equally near ones to the even one. */
static void rounding_is_to_nearest_even(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits < 0x7F80; bits++) {
        float x = ps_f32_from_bf16((uint16_t)bits);
        int best = 0;
        for (int code = 1; code < 127; code++) {
            double off = fabs((double)ps_f32_from_e4m3((uint8_t)code) - x);
            double least = fabs((double)ps_f32_from_e4m3((uint8_t)best) - x);
            if (off < least || (off == least && code % 2 == 0)) best = code;
        }
        if (ps_e4m3_from_f32(x) != best)
            fail_msg("%g has the code %d, not %d", x, ps_e4m3_from_f32(x), best);
        assert_int_equal(ps_e4m3_from_f32(-x), best | 128);
    }
}

static void scales_are_powers_of_two(void **state) {
    (void)state;
    const struct {
        float amax, scale;
    } cases[] = {{448, 1},
                 {450, 2},
                 {1, 0x1p-8f},
                 {1.75f, 0x1p-8f},
                 {1.76f, 0x1p-7f},
                 {0, 1},
                 {2e-38f, 0x1p-100f},
                 {3e38f, 0x1p100f},
                 {0x1p-92f, 0x1p-100f},
                 {1e-39f, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float x[3] = {cases[i].amax / 3, -cases[i].amax, 0}, scale;
        uint8_t codes[3];
        int64_t bad = 0;
        compute->quantise.rows(stream, f32(x, 1, 3), codes, &scale, &bad);
        if (scale != cases[i].scale)
            fail_msg("%g has the scale %g, not %g", cases[i].amax, scale, cases[i].scale);
        assert_int_equal(codes[2], 0);
        assert_int_equal(bad, 0);
    }
}

static void what_is_not_finite_is_counted(void **state) {
    (void)state;
    float x[4] = {1, INFINITY, -NAN, 3.4e38f}, scale[4]; /* the last one rounds to infinity */
    uint8_t codes[4], codes_t[4];
    int64_t bad = 10;
    compute->quantise.rows_and_columns(stream, f32(x, 1, 4), codes, scale, codes_t, scale, &bad);
    assert_int_equal(bad, 13);
    assert_int_equal(codes[0], 0x78); /* 256 */
    for (int i = 1; i < 4; i++) assert_int_equal(codes[i], 0);
}

static void both_directions_agree_with_each_alone(void **state) {
    (void)state;
    enum { T = 200, C = 150 };
    static float x[T * C], turned[T * C], scales[2][T * 2], scales_t[2][C * 2];
    static uint8_t codes[2][T * C], codes_t[2][T * C];
    int64_t bad = 0;
    fill(x, T * C, 4);
    for (int t = 0; t < T; t++)
        for (int c = 0; c < C; c++) turned[c * T + t] = x[t * C + c];
    compute->quantise.rows_and_columns(stream, f32(x, T, C), codes[0], scales[0], codes_t[0],
                                       scales_t[0], &bad);
    compute->quantise.rows(stream, f32(x, T, C), codes[1], scales[1], &bad);
    compute->quantise.rows(stream, f32(turned, C, T), codes_t[1], scales_t[1], &bad);
    assert_memory_equal(codes[0], codes[1], sizeof codes[0]);
    assert_memory_equal(codes_t[0], codes_t[1], sizeof codes_t[0]);
    assert_memory_equal(scales[0], scales[1], sizeof scales[0]);
    assert_memory_equal(scales_t[0], scales_t[1], sizeof scales_t[0]);
    compute->quantise.blocks(stream, f32(x, T, C), codes[0], scales[0], &bad);
    for (int i = 0; i < T * C; i++) { /* 1/16 of itself, or half the least step of its block */
        float scale = scales[0][i / C / 128 * 2 + i % C / 128];
        double value = ps_f32_from_e4m3(codes[0][i]) * scale;
        assert_true(fabs(value - x[i]) <= fabs((double)x[i]) / 15 + 0x1p-10 * scale);
    }
}

/* ---- linear ---- */

enum { T = 5, INPUTS = 300, OUTPUTS = 140 };

static struct ps_weight *make_weight(enum ps_weight_format format, const void *values,
                                     enum ps_dtype dtype, const float *scales) {
    struct ps_error error;
    struct ps_weight *weight;
    struct ps_weight_description description = {OUTPUTS, INPUTS, format,
                                                PS_USE_FORWARD | PS_USE_INPUT_GRADIENT};
    assert_ok(compute->linear.create(compute, &description, &weight, &error));
    compute->linear.load(stream, weight, 0, ps_matrix((void *)values, dtype, OUTPUTS, INPUTS),
                         scales);
    assert_ok(compute->memory.synchronize(stream, &error));
    return weight;
}

static struct {
    uint8_t codes[OUTPUTS * INPUTS];
    float scales[2 * 3];
    uint16_t x[T * INPUTS], dy[T * OUTPUTS]; /* E4M3 numbers */
} fp8;

static void make_operands(const float scales[2]) {
    for (int i = 0; i < OUTPUTS * INPUTS; i++) {
        uint32_t code = ps_random_below(1, (uint64_t)i, 254);
        fp8.codes[i] = (uint8_t)(code + (code >= 127));
    }
    for (int i = 0; i < 6; i++) fp8.scales[i] = scales[i % 2];
    for (int i = 0; i < T * (INPUTS + OUTPUTS); i++) {
        uint8_t code = (uint8_t)(0x40 + ps_random_below(2, (uint64_t)i, 16));
        uint16_t value = ps_bf16_from_f32(ps_f32_from_e4m3(code) * (i % 3 ? 1.0f : -1.0f));
        if (i < T * INPUTS)
            fp8.x[i] = value;
        else
            fp8.dy[i - T * INPUTS] = value;
    }
}

/* Where FP8 is exact, its products have the bits of the BF16 ones. */
static void powers_of_two_fold_into_bf16(void **state) {
    (void)state;
    make_operands((float[]){0x1p-9f, 0x1p-5f});
    struct ps_weight *small = make_weight(PS_WEIGHT_FP8, fp8.codes, PS_DTYPE_F8_E4M3, fp8.scales);
    struct ps_weight *wide = make_weight(PS_WEIGHT_BF16, fp8.codes, PS_DTYPE_F8_E4M3, fp8.scales);
    float y[2][T * OUTPUTS], dx[2][T * INPUTS];
    for (int i = 0; i < 2; i++) {
        const struct ps_weight *weight = i ? wide : small;
        compute->linear.forward(stream, weight, bf16(fp8.x, T, INPUTS), NULL,
                                f32(y[i], T, OUTPUTS));
        compute->linear.input_gradient(stream, weight, bf16(fp8.dy, T, OUTPUTS),
                                       f32(dx[i], T, INPUTS), false);
    }
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    assert_memory_equal(dx[0], dx[1], sizeof dx[0]);
    compute->linear.release(small);
    compute->linear.release(wide);
}

static void any_scales_are_promoted(void **state) {
    (void)state;
    make_operands((float[]){0.0013f, 0.07f});
    struct ps_weight *weight = make_weight(PS_WEIGHT_FP8, fp8.codes, PS_DTYPE_F8_E4M3, fp8.scales);
    float y[T * OUTPUTS], dx[T * INPUTS];
    compute->linear.forward(stream, weight, bf16(fp8.x, T, INPUTS), NULL, f32(y, T, OUTPUTS));
    compute->linear.input_gradient(stream, weight, bf16(fp8.dy, T, OUTPUTS), f32(dx, T, INPUTS),
                                   false);
    for (int t = 0; t < T; t++) {
        double want_dx[INPUTS] = {0}, size_dx[INPUTS] = {0};
        for (int o = 0; o < OUTPUTS; o++) {
            double want = 0, size = 0;
            for (int i = 0; i < INPUTS; i++) {
                double w = (double)ps_f32_from_e4m3(fp8.codes[o * INPUTS + i]) *
                           fp8.scales[o / 128 * 3 + i / 128];
                double product = w * ps_f32_from_bf16(fp8.x[t * INPUTS + i]);
                want += product;
                size += fabs(product);
                product = w * ps_f32_from_bf16(fp8.dy[t * OUTPUTS + o]);
                want_dx[i] += product;
                size_dx[i] += fabs(product);
            }
            assert_true(fabs(y[t * OUTPUTS + o] - want) <= 1e-6 * size);
        }
        for (int i = 0; i < INPUTS; i++)
            assert_true(fabs(dx[t * INPUTS + i] - want_dx[i]) <= 1e-6 * size_dx[i]);
    }
    compute->linear.release(weight);
}

static void a_mapped_weight_is_a_loaded_one(void **state) {
    (void)state;
    make_operands((float[]){0.5f, 0.25f});
    struct ps_weight *loaded = make_weight(PS_WEIGHT_FP8, fp8.codes, PS_DTYPE_F8_E4M3, fp8.scales);
    const float others[6] = {8, 8, 8, 8, 8, 0.3f}; /* what was loaded before must not matter */
    struct ps_weight *mapped = make_weight(PS_WEIGHT_FP8, fp8.codes, PS_DTYPE_F8_E4M3, others);
    float y[2][T * OUTPUTS];
    compute->linear.evict(stream, mapped);
    assert_true(compute->linear.bytes(mapped) < compute->linear.bytes(loaded));
    compute->linear.map(stream, mapped, ps_matrix(fp8.codes, PS_DTYPE_F8_E4M3, OUTPUTS, INPUTS),
                        fp8.scales);
    struct ps_matrix x = bf16(fp8.x, T, INPUTS);
    compute->linear.forward(stream, loaded, x, NULL, f32(y[0], T, OUTPUTS));
    compute->linear.forward(stream, mapped, x, NULL, f32(y[1], T, OUTPUTS));
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    compute->linear.release(loaded);
    compute->linear.release(mapped);
}

/* Quantised weights, activations and gradients: each number is off by about 3 %, at random. */
static void gradients_are_near(void **state) {
    (void)state;
    enum { ROWS = 300, I = 20, O = 10 };
    static uint16_t x[ROWS * I], dy[ROWS * O];
    float dw[2][O * I] = {{0}};
    double off = 0, size = 0;
    fill_bf16(x, ROWS * I, 5);
    fill_bf16(dy, ROWS * O, 6);
    for (int i = 0; i < 2; i++)
        compute->linear.weight_gradient(stream, i ? PS_WEIGHT_FP8 : PS_WEIGHT_BF16,
                                        bf16(dy, ROWS, O), bf16(x, ROWS, I), dw[i], NULL);
    for (int i = 0; i < O * I; i++) {
        off += pow(dw[0][i] - dw[1][i], 2);
        size += pow(dw[0][i], 2);
    }
    if (off == 0 || sqrt(off / size) > 0.06) fail_msg("relative error %g", sqrt(off / size));
}

static void bad_inputs_become_an_error(void **state) {
    (void)state;
    struct ps_error error;
    make_operands((float[]){1, 1});
    struct ps_weight *weight = make_weight(PS_WEIGHT_FP8, fp8.codes, PS_DTYPE_F8_E4M3, fp8.scales);
    float y[T * OUTPUTS];
    fp8.x[7] = 0x7F80;
    compute->linear.forward(stream, weight, bf16(fp8.x, T, INPUTS), NULL, f32(y, T, OUTPUTS));
    compute->linear.release(weight);
    assert_fails(compute->memory.synchronize(stream, &error), PS_NUMERIC, "linear");
    assert_ok(compute->memory.synchronize(stream, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_the_values_of_the_table),
        cmocka_unit_test(rounding_is_to_nearest_even),
        cmocka_unit_test(scales_are_powers_of_two),
        cmocka_unit_test(what_is_not_finite_is_counted),
        cmocka_unit_test(both_directions_agree_with_each_alone),
        cmocka_unit_test(powers_of_two_fold_into_bf16),
        cmocka_unit_test(any_scales_are_promoted),
        cmocka_unit_test(a_mapped_weight_is_a_loaded_one),
        cmocka_unit_test(gradients_are_near),
        cmocka_unit_test(bad_inputs_become_an_error),
    };
    return cmocka_run_group_tests(tests, reference_open, reference_close);
}
