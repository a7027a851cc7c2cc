#pragma once
/* Sizes of a kernel family, for the files that are compiled once for each. */

#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/vector_internal.h"

#if defined __AVX512F__
enum { WIDTH = 16, LANES = 32, ROWS = 6 };
#elif defined __AVX2__
enum { WIDTH = 8, LANES = 16, ROWS = 6 };
#else
enum { WIDTH = 4, LANES = 16, ROWS = 2 };
#endif

enum { VECTORS = LANES / WIDTH, BLOCK = PS_CPU_BLOCK };

#if defined __AVX512BF16__
enum { PAIRS = 1 };
#else
enum { PAIRS = 0 };
#endif

/* A register of the family: 16, 8 or 4 lanes. */
typedef float vector __attribute__((vector_size(WIDTH * 4)));
typedef uint32_t words __attribute__((vector_size(WIDTH * 4)));

PS_INLINE vector vector_load(const void *from) {
    vector value;
    memcpy(&value, from, sizeof value);
    return value;
}

PS_INLINE vector vector_splat(float value) {
#if defined __AVX512F__
    return (vector)_mm512_set1_ps(value);
#elif defined __AVX2__
    return (vector)_mm256_set1_ps(value);
#else
    return (vector){value, value, value, value};
#endif
}

PS_INLINE vector multiply_add(vector a, vector b, vector c) {
#if defined __AVX512F__
    return (vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined __AVX2__
    return (vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    for (int i = 0; i < WIDTH; i++) c[i] = fmaf(a[i], b[i], c[i]);
    return c;
#endif
}

/* The layout of packed operands (cpu_internal.h). */
PS_INLINE ps_v16u make_pairs(ps_v16u first, ps_v16u second) {
    return (first & 0xFFFF0000u) | second >> 16;
}

/* Where a row's block stands among `count` rows packed from `to` on. */
PS_INLINE uint32_t *tile_place(uint32_t *to, int64_t row, int64_t count, int64_t block,
                               int64_t blocks, int words_of_block) {
    int64_t tile = row / ROWS * ROWS, rows = count - tile < ROWS ? count - tile : ROWS;
    return to + (tile * blocks + block * rows + (row - tile)) * words_of_block;
}

/* Parts of the family's table that stand in files of their own. */
void PS_CPU_NAME(ps_cpu_pack_a)(const struct ps_cpu_source *source, int64_t first, int64_t count,
                                bool bf16, void *to);
void PS_CPU_NAME(ps_cpu_pack_b)(const struct ps_cpu_source *source, int64_t first, int64_t count,
                                bool bf16, void *to);
extern const struct ps_cpu_tasks PS_CPU_NAME(ps_cpu_tasks);
extern const struct ps_cpu_attention_kernels PS_CPU_NAME(ps_cpu_attention_kernels);
extern const struct ps_cpu_vocabulary_kernels PS_CPU_NAME(ps_cpu_vocabulary_kernels);
double PS_CPU_NAME(ps_cpu_peak)(bool bf16, int64_t rounds);
void PS_CPU_NAME(ps_cpu_read)(const void *from, size_t size);
