#pragma once
/* Element types and shapes: what a tensor is, apart from where it lies. */

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* X(enumerator suffix, name in safetensors files, bytes of an element) */
#define PS_DTYPE_MAP(X)                                                                            \
    X(F32, "F32", 4)                                                                               \
    X(F16, "F16", 2)                                                                               \
    X(BF16, "BF16", 2)                                                                             \
    X(F8_E4M3, "F8_E4M3", 1)                                                                       \
    X(F8_E5M2, "F8_E5M2", 1)                                                                       \
    X(U8, "U8", 1)                                                                                 \
    X(I8, "I8", 1)                                                                                 \
    X(I16, "I16", 2)                                                                               \
    X(I32, "I32", 4)                                                                               \
    X(I64, "I64", 8)                                                                               \
    X(BOOL, "BOOL", 1)                                                                             \
    X(F64, "F64", 8)

enum ps_dtype {
#define X(suffix, name, size) PS_DTYPE_##suffix,
    PS_DTYPE_MAP(X)
#undef X
        PS_DTYPE_COUNT
};

size_t ps_dtype_size(enum ps_dtype dtype);      /* bytes */
const char *ps_dtype_name(enum ps_dtype dtype); /* "BF16"; static */
/* By the name in safetensors files ("BF16") or in config.json ("bfloat16"); false: unknown. */
bool ps_dtype_from_name(const char *name, enum ps_dtype *dtype);

/* Row-major, slowest dimension first. Rank 0 is a scalar of one element; a dimension of 0 makes
 * an empty tensor. */
enum { PS_SHAPE_MAX_RANK = 4 };
struct ps_shape {
    int rank;
    uint64_t dim[PS_SHAPE_MAX_RANK];
};

struct ps_shape ps_shape_1(uint64_t a);
struct ps_shape ps_shape_2(uint64_t a, uint64_t b);
bool ps_shape_equal(const struct ps_shape *a, const struct ps_shape *b);
/* Product of the dimensions, and that times the element's size; false when it exceeds 64 bits. */
bool ps_shape_elements(const struct ps_shape *shape, uint64_t *count);
bool ps_shape_bytes(const struct ps_shape *shape, enum ps_dtype dtype, uint64_t *bytes);
/* "[151936, 1024]" for messages; text has room for any shape. */
enum { PS_SHAPE_TEXT_SIZE = 96 };
const char *ps_shape_text(const struct ps_shape *shape, char text[PS_SHAPE_TEXT_SIZE]);

/* ---- single elements ---- */

static inline float ps_f32_from_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Rounds to nearest, ties to even; overflow gives infinity; a NaN stays a (quiet) NaN. */
static inline uint16_t ps_bf16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1)) >> 16);
}

float ps_f32_from_f16(uint16_t bits);
/* OCP E4M3 ("fn"): bias 7, no infinities, 0x7F and 0xFF are NaN, largest value 448. */
float ps_f32_from_e4m3(uint8_t bits);
/* OCP E5M2: the upper byte of an F16. */
float ps_f32_from_e5m2(uint8_t bits);

/* ---- arrays; `source` and `target` bytes need no alignment ---- */

/* From F32, F16, BF16, F8_E4M3, F8_E5M2 and F64; PS_UNSUPPORTED for the others. */
enum ps_status ps_tensor_to_f32(float *target, enum ps_dtype dtype, const void *source,
                                size_t count, struct ps_error *error);
/* To F32 and BF16; PS_UNSUPPORTED for the others. */
enum ps_status ps_tensor_from_f32(void *target, enum ps_dtype dtype, const float *source,
                                  size_t count, struct ps_error *error);
