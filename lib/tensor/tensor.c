#include "tensor/tensor.h"

#include <stdio.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[PS_DTYPE_COUNT] = {
#define X(suffix, name, size) {name, size},
    PS_DTYPE_MAP(X)
#undef X
};

size_t ps_dtype_size(enum ps_dtype dtype) {
    return dtypes[dtype].size;
}

const char *ps_dtype_name(enum ps_dtype dtype) {
    return dtypes[dtype].name;
}

bool ps_dtype_from_name(const char *name, enum ps_dtype *dtype) {
    static const struct {
        const char *name;
        enum ps_dtype dtype;
    } torch_names[] = {
        {"float32", PS_DTYPE_F32},           {"float16", PS_DTYPE_F16},
        {"bfloat16", PS_DTYPE_BF16},         {"float64", PS_DTYPE_F64},
        {"float8_e4m3fn", PS_DTYPE_F8_E4M3}, {"float8_e5m2", PS_DTYPE_F8_E5M2},
    };
    for (int i = 0; i < PS_DTYPE_COUNT; i++) {
        if (strcmp(name, dtypes[i].name) != 0) continue;
        *dtype = (enum ps_dtype)i;
        return true;
    }
    for (size_t i = 0; i < sizeof torch_names / sizeof *torch_names; i++) {
        if (strcmp(name, torch_names[i].name) != 0) continue;
        *dtype = torch_names[i].dtype;
        return true;
    }
    return false;
}

/* ---- shapes ---- */

struct ps_shape ps_shape_1(uint64_t a) {
    return (struct ps_shape){1, {a}};
}

struct ps_shape ps_shape_2(uint64_t a, uint64_t b) {
    return (struct ps_shape){2, {a, b}};
}

bool ps_shape_equal(const struct ps_shape *a, const struct ps_shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

bool ps_shape_elements(const struct ps_shape *shape, uint64_t *count) {
    *count = 1;
    for (int i = 0; i < shape->rank; i++)
        if (__builtin_mul_overflow(*count, shape->dim[i], count)) return false;
    return true;
}

bool ps_shape_bytes(const struct ps_shape *shape, enum ps_dtype dtype, uint64_t *bytes) {
    return ps_shape_elements(shape, bytes) &&
           !__builtin_mul_overflow(*bytes, (uint64_t)ps_dtype_size(dtype), bytes);
}

const char *ps_shape_text(const struct ps_shape *shape, char text[PS_SHAPE_TEXT_SIZE]) {
    int used = snprintf(text, PS_SHAPE_TEXT_SIZE, "[");
    for (int i = 0; i < shape->rank; i++)
        used += snprintf(text + used, PS_SHAPE_TEXT_SIZE - (size_t)used, "%s%llu", i ? ", " : "",
                         (unsigned long long)shape->dim[i]);
    snprintf(text + used, PS_SHAPE_TEXT_SIZE - (size_t)used, "]");
    return text;
}

/* ---- elements ---- */

/* An IEEE-like value of `mantissa` fraction bits: 2^(exponent - bias) (1 + fraction / 2^mantissa),
 * or for exponent 0 the subnormal 2^(1 - bias) fraction / 2^mantissa. */
static float small_float(bool negative, int exponent, uint32_t fraction, int mantissa, int bias) {
    float value = (float)fraction;
    int power = 1 - bias - mantissa;
    if (exponent > 0) {
        value += (float)(1u << mantissa);
        power = exponent - bias - mantissa;
    }
    for (; power > 0; power--) value *= 2;
    for (; power < 0; power++) value *= 0.5f;
    return negative ? -value : value;
}

float ps_f32_from_f16(uint16_t bits) {
    int exponent = bits >> 10 & 31;
    uint32_t fraction = bits & 1023u;
    if (exponent < 31) return small_float(bits >> 15, exponent, fraction, 10, 15);
    if (fraction) return __builtin_nanf("");
    return bits >> 15 ? -__builtin_inff() : __builtin_inff();
}

float ps_f32_from_e4m3(uint8_t bits) {
    if ((bits & 127) == 127) return __builtin_nanf("");
    return small_float(bits >> 7, bits >> 3 & 15, bits & 7u, 3, 7);
}

float ps_f32_from_e5m2(uint8_t bits) {
    return ps_f32_from_f16((uint16_t)(bits << 8));
}

/* ---- arrays ---- */

enum ps_status ps_tensor_to_f32(float *target, enum ps_dtype dtype, const void *source,
                                size_t count, struct ps_error *error) {
    const uint8_t *bytes = source;
    switch (dtype) {
    case PS_DTYPE_F32:
        if (count) memcpy(target, source, count * sizeof *target);
        return PS_OK;
    case PS_DTYPE_F16:
    case PS_DTYPE_BF16:
        for (size_t i = 0; i < count; i++) {
            uint16_t bits;
            memcpy(&bits, bytes + 2 * i, 2);
            target[i] = dtype == PS_DTYPE_BF16 ? ps_f32_from_bf16(bits) : ps_f32_from_f16(bits);
        }
        return PS_OK;
    case PS_DTYPE_F8_E4M3:
        for (size_t i = 0; i < count; i++) target[i] = ps_f32_from_e4m3(bytes[i]);
        return PS_OK;
    case PS_DTYPE_F8_E5M2:
        for (size_t i = 0; i < count; i++) target[i] = ps_f32_from_e5m2(bytes[i]);
        return PS_OK;
    case PS_DTYPE_F64:
        for (size_t i = 0; i < count; i++) {
            double wide;
            memcpy(&wide, bytes + 8 * i, 8);
            target[i] = (float)wide;
        }
        return PS_OK;
    default:
        return ps_error_set(error, PS_UNSUPPORTED, "%s elements do not convert to F32",
                            ps_dtype_name(dtype));
    }
}

enum ps_status ps_tensor_from_f32(void *target, enum ps_dtype dtype, const float *source,
                                  size_t count, struct ps_error *error) {
    uint8_t *bytes = target;
    switch (dtype) {
    case PS_DTYPE_F32:
        if (count) memcpy(target, source, count * sizeof *source);
        return PS_OK;
    case PS_DTYPE_BF16:
        for (size_t i = 0; i < count; i++) {
            uint16_t bits = ps_bf16_from_f32(source[i]);
            memcpy(bytes + 2 * i, &bits, 2);
        }
        return PS_OK;
    default:
        return ps_error_set(error, PS_UNSUPPORTED, "F32 elements do not convert to %s",
                            ps_dtype_name(dtype));
    }
}
