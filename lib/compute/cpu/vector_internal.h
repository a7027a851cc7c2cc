#pragma once
/* Vectors of 16 lanes for files that are compiled once for each kernel family.
 *
 * GCC's vector extensions give every family the same sequence of operations from one source: a
 * vector is one register with AVX-512, two with AVX2, four with SSE2. Only the fused multiply-add
 * needs a word of its own, because the compiler may not make one from a product and a sum
 * (-ffp-contract=off). */

#include "compute/compute.h"
#include "compute/math_internal.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined __AVX2__
#    include <immintrin.h>
#endif

typedef uint32_t ps_v16u __attribute__((vector_size(64)));
typedef uint16_t ps_v16h __attribute__((vector_size(32)));

#define PS_INLINE static inline __attribute__((always_inline, unused))

/* Symbols of a file that is compiled for each family: ps_cpu_kernels_avx2 ... PS_CPU_FAMILY comes
 * from meson.build. */
#define PS_CPU_PASTE_(a, b) a##_##b
#define PS_CPU_PASTE(a, b)  PS_CPU_PASTE_(a, b)
#define PS_CPU_NAME(name)   PS_CPU_PASTE(name, PS_CPU_FAMILY)

/* Loads and stores without a demand on alignment. */
#define PS_VECTOR_ACCESS(name, type)                                                               \
    PS_INLINE type ps_load_##name(const void *from) {                                              \
        type value;                                                                                \
        memcpy(&value, from, sizeof value);                                                        \
        return value;                                                                              \
    }                                                                                              \
    PS_INLINE void ps_store_##name(void *to, type value) {                                         \
        memcpy(to, &value, sizeof value);                                                          \
    }
PS_VECTOR_ACCESS(f, ps_v16)
PS_VECTOR_ACCESS(u, ps_v16u)
PS_VECTOR_ACCESS(h, ps_v16h)
#undef PS_VECTOR_ACCESS

PS_INLINE ps_v16 ps_splat(float value) {
    return (ps_v16){value, value, value, value, value, value, value, value,
                    value, value, value, value, value, value, value, value};
}

PS_INLINE ps_v16 ps_v16_from_bf16(ps_v16h bits) {
    return (ps_v16)(__builtin_convertvector(bits, ps_v16u) << 16);
}

/* ps_bf16_from_f32 in each lane, with denormals as zeros; the result stands in the lower half of 32
 * bits. */
PS_INLINE ps_v16u ps_v16_round_bf16(ps_v16 value) {
    ps_v16u bits = (ps_v16u)value, magnitude = bits & 0x7FFFFFFFu;
    ps_v16u rounded = (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
    ps_v16u nan = (ps_v16u)(magnitude > 0x7F800000u), tiny = (ps_v16u)(magnitude < 0x00800000u);
    rounded = (rounded & ~nan) | ((bits >> 16 | 0x40) & nan);
    return (rounded & ~tiny) | (bits >> 16 & 0x8000u & tiny);
}

PS_INLINE ps_v16h ps_v16_to_bf16(ps_v16 value) {
    return __builtin_convertvector(ps_v16_round_bf16(value), ps_v16h);
}

/* 16 elements of either activation type as floats, and back. */
PS_INLINE ps_v16 ps_load_elements(const void *from, bool bf16) {
    return bf16 ? ps_v16_from_bf16(ps_load_h(from)) : ps_load_f(from);
}

PS_INLINE void ps_store_elements(void *to, ps_v16 value, bool bf16) {
    if (bf16)
        ps_store_h(to, ps_v16_to_bf16(value));
    else
        ps_store_f(to, value);
}

/* The first `count` < 16 elements, the rest zero; and only those stored. */
PS_INLINE ps_v16 ps_load_some(const void *from, int64_t count, bool bf16) {
    char bytes[64] = {0};
    memcpy(bytes, from, (size_t)count * (bf16 ? 2 : 4));
    return ps_load_elements(bytes, bf16);
}

PS_INLINE void ps_store_some(void *to, ps_v16 value, int64_t count, bool bf16) {
    char bytes[64];
    ps_store_elements(bytes, value, bf16);
    memcpy(to, bytes, (size_t)count * (bf16 ? 2 : 4));
}

/* One row of a matrix, 16 columns at a time: columns [c, c + 16) of n; the tail is zero. */
struct ps_row_view {
    char *data;
    bool bf16;
};

PS_INLINE struct ps_row_view ps_row_view(struct ps_matrix matrix, int64_t row) {
    bool bf16 = matrix.dtype == PS_DTYPE_BF16;
    return (struct ps_row_view){(char *)matrix.data + row * matrix.stride * (bf16 ? 2 : 4), bf16};
}

/* The same from column `first` on. */
PS_INLINE struct ps_row_view ps_row_from(struct ps_row_view row, int64_t first) {
    return (struct ps_row_view){row.data + first * (row.bf16 ? 2 : 4), row.bf16};
}

PS_INLINE struct ps_row_view ps_row_of_floats(const float *data) {
    return (struct ps_row_view){(char *)data, false};
}

PS_INLINE ps_v16 ps_row_get(struct ps_row_view row, int64_t c, int64_t n) {
    const char *from = row.data + c * (row.bf16 ? 2 : 4);
    return n - c < 16 ? ps_load_some(from, n - c, row.bf16) : ps_load_elements(from, row.bf16);
}

PS_INLINE void ps_row_put(struct ps_row_view row, int64_t c, int64_t n, ps_v16 value) {
    char *to = row.data + c * (row.bf16 ? 2 : 4);
    if (n - c < 16)
        ps_store_some(to, value, n - c, row.bf16);
    else
        ps_store_elements(to, value, row.bf16);
}

/* The tree of docs/numerics.md, "Sums over a row". */
PS_INLINE float ps_v16_fold(ps_v16 lanes) {
    float lane[16];
    ps_store_f(lane, lanes);
    for (int width = 8; width > 0; width /= 2)
        for (int l = 0; l < width; l++) lane[l] = lane[l] + lane[l + width];
    return lane[0];
}

PS_INLINE float ps_v16_max(ps_v16 lanes) {
    float lane[16];
    ps_store_f(lane, lanes);
    for (int width = 8; width > 0; width /= 2)
        for (int l = 0; l < width; l++)
            lane[l] = lane[l] > lane[l + width] ? lane[l] : lane[l + width];
    return lane[0];
}

PS_INLINE ps_v16 ps_v16_larger(ps_v16 a, ps_v16 b) {
    return ps_math_select_v16(a > b, a, b);
}
