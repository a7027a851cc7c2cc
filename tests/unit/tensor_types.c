/* Element conversions and shapes. */
#include "unit.h"

#include "tensor/tensor.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void bf16_rounds_to_nearest_even(void **state) {
    (void)state;
    assert_int_equal(ps_bf16_from_f32(1.0f), 0x3F80);
    assert_int_equal(ps_bf16_from_f32(float_of(0x3F808000)), 0x3F80); /* tie, even below */
    assert_int_equal(ps_bf16_from_f32(float_of(0x3F818000)), 0x3F82); /* tie, even above */
    assert_int_equal(ps_bf16_from_f32(float_of(0x3F808001)), 0x3F81);
    assert_int_equal(ps_bf16_from_f32(float_of(0x7F7FFFFF)), 0x7F80); /* overflows */
    assert_int_equal(ps_bf16_from_f32(-0.0f), 0x8000);
    /* NaN with a payload only in the lower half must not become infinity. */
    assert_true(isnan(ps_f32_from_bf16(ps_bf16_from_f32(float_of(0x7F800001)))));
    assert_true(isnan(ps_f32_from_bf16(ps_bf16_from_f32(float_of(0xFFFFFFFF)))));
    for (uint32_t bits = 0; bits < 65536; bits++) {
        float value = ps_f32_from_bf16((uint16_t)bits);
        if (!isnan(value)) assert_int_equal(ps_bf16_from_f32(value), bits);
    }
}

static void small_floats_have_their_values(void **state) {
    (void)state;
    assert_float_equal(ps_f32_from_e4m3(0x7E), 448.0f, 0);
    assert_float_equal(ps_f32_from_e4m3(0x01), 0x1p-9f, 0);
    assert_float_equal(ps_f32_from_e4m3(0x08), 0x1p-6f, 0);
    assert_float_equal(ps_f32_from_e4m3(0xB8), -1.0f, 0);
    assert_true(isnan(ps_f32_from_e4m3(0x7F)) && isnan(ps_f32_from_e4m3(0xFF)));
    assert_int_equal(bits_of(ps_f32_from_e4m3(0x80)), 0x80000000);
    assert_float_equal(ps_f32_from_e5m2(0x7B), 57344.0f, 0);
    assert_true(isinf(ps_f32_from_e5m2(0x7C)) && isnan(ps_f32_from_e5m2(0x7D)));
    assert_float_equal(ps_f32_from_f16(0x7BFF), 65504.0f, 0);
    assert_float_equal(ps_f32_from_f16(0x0001), 0x1p-24f, 0);
    assert_float_equal(ps_f32_from_f16(0xC000), -2.0f, 0);
    assert_true(ps_f32_from_f16(0xFC00) == -INFINITY && isnan(ps_f32_from_f16(0x7C01)));
}

static void arrays_convert(void **state) {
    (void)state;
    struct ps_error error;
    const float values[3] = {1.5f, -2.0f, 0.1f};
    uint8_t room[1 + 6]; /* one byte in, so that elements are not aligned */
    float back[3];
    assert_ok(ps_tensor_from_f32(room + 1, PS_DTYPE_BF16, values, 3, &error));
    assert_ok(ps_tensor_to_f32(back, PS_DTYPE_BF16, room + 1, 3, &error));
    assert_float_equal(back[0], 1.5f, 0);
    assert_float_equal(back[1], -2.0f, 0);
    assert_float_equal(back[2], 0.1f, 0.0005f);
    assert_fails(ps_tensor_to_f32(back, PS_DTYPE_I32, room, 1, &error), PS_UNSUPPORTED, "I32");
    assert_fails(ps_tensor_from_f32(room, PS_DTYPE_F16, values, 1, &error), PS_UNSUPPORTED, "F16");
}

static void shapes_are_multiplied_with_checks(void **state) {
    (void)state;
    uint64_t count;
    struct ps_shape scalar = {0}, huge = {4, {1 << 16, 1 << 16, 1 << 16, 1 << 16}};
    struct ps_shape matrix = ps_shape_2(3, 5);
    assert_true(ps_shape_elements(&scalar, &count) && count == 1);
    assert_true(ps_shape_bytes(&matrix, PS_DTYPE_F32, &count) && count == 60);
    assert_false(ps_shape_elements(&huge, &count));
    huge.dim[3] = (1 << 16) - 1; /* elements fit, bytes do not */
    assert_true(ps_shape_elements(&huge, &count));
    assert_false(ps_shape_bytes(&huge, PS_DTYPE_F32, &count));
    char text[PS_SHAPE_TEXT_SIZE];
    assert_string_equal(ps_shape_text(&matrix, text), "[3, 5]");
    assert_string_equal(ps_shape_text(&scalar, text), "[]");
    struct ps_shape longest = {4, {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    assert_int_equal(strlen(ps_shape_text(&longest, text)), 4 * 20 + 3 * 2 + 2);
}

static void dtypes_have_both_names(void **state) {
    (void)state;
    enum ps_dtype dtype;
    assert_true(ps_dtype_from_name("BF16", &dtype) && dtype == PS_DTYPE_BF16);
    assert_true(ps_dtype_from_name("bfloat16", &dtype) && dtype == PS_DTYPE_BF16);
    assert_true(ps_dtype_from_name("I64", &dtype) && ps_dtype_size(dtype) == 8);
    assert_false(ps_dtype_from_name("F4", &dtype));
}

/* The whole tables of the shared golden file, made by PyTorch. */
static void fp8_tables_agree(void **state) {
    (void)state;
    const char *path = unit_shared("golden/fp_tables.json");
    if (!path) skip();
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    json_t *e4m3 = json_object_get(root, "e4m3fn");
    assert_int_equal(json_array_size(e4m3), 256);
    for (size_t i = 0; i < 256; i++) {
        json_t *value = json_array_get(e4m3, i);
        float ours = ps_f32_from_e4m3((uint8_t)i);
        if (json_is_number(value))
            assert_true(ours == (float)json_number_value(value));
        else
            assert_true(isnan(ours));
    }
    json_decref(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(small_floats_have_their_values),
        cmocka_unit_test(arrays_convert),
        cmocka_unit_test(shapes_are_multiplied_with_checks),
        cmocka_unit_test(dtypes_have_both_names),
        cmocka_unit_test(fp8_tables_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
