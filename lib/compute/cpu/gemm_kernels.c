/* The inner product of matrices, compiled once for each kernel family (see meson.build).
 *
 * One A tile of up to 6 rows meets one B panel of 32 or 16 lanes. For each block of 32 elements of
 * K there are two chains of fused multiply-adds, over the even and over the odd elements, both from
 * zero; their sum is added to the totals, which stay in L1. Twelve vectors of accumulators hide a
 * chain's latency; the loads for twelve multiply-adds are 2 of B and 6 broadcasts of A. */

#include "compute/cpu/family_internal.h"

/* One chain of F32: 16 slots of each row of a with the panel's lanes. */
PS_INLINE void chain_f32(int rows, const float *a, const float *b, vector sums[ROWS][VECTORS]) {
#pragma GCC unroll 16
    for (int slot = 0; slot < BLOCK / 2; slot++) {
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            vector element = vector_splat(a[r * BLOCK + slot]);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] =
                    multiply_add(element, vector_load(b + slot * LANES + v * WIDTH), sums[r][v]);
        }
    }
}

#if defined __AVX512BF16__
/* One chain of BF16 in pairs: fma of the upper halves, then fma of the lower ones. */
PS_INLINE void chain_bf16(int rows, const uint32_t *a, const uint32_t *b,
                          vector sums[ROWS][VECTORS]) {
#    pragma GCC unroll 8
    for (int slot = 0; slot < BLOCK / 4; slot++) {
#    pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m512bh pair = (__m512bh)_mm512_set1_epi32((int)a[r * BLOCK / 2 + slot]);
#    pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] = (vector)_mm512_dpbf16_ps(
                    (__m512)sums[r][v], pair, (__m512bh)vector_load(b + slot * LANES + v * WIDTH));
        }
    }
}
#else
/* One chain of BF16: B widened in registers, A already. */
PS_INLINE void chain_bf16(int rows, const float *a, const uint32_t *b, vector sums[ROWS][VECTORS]) {
#    pragma GCC unroll 8
    for (int slot = 0; slot < BLOCK / 4; slot++) {
        vector upper[VECTORS], lower[VECTORS];
#    pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            words pair = (words)vector_load(b + slot * LANES + v * WIDTH);
            upper[v] = (vector)(pair & 0xFFFF0000u);
            lower[v] = (vector)(pair << 16);
        }
#    pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            vector first = vector_splat(a[r * BLOCK + 2 * slot]);
#    pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] = multiply_add(first, upper[v], sums[r][v]);
        }
#    pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            vector second = vector_splat(a[r * BLOCK + 2 * slot + 1]);
#    pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] = multiply_add(second, lower[v], sums[r][v]);
        }
    }
}
#endif

PS_INLINE void tile(int rows, bool bf16, const char *a, const char *b, int64_t blocks,
                    float *totals) {
    const bool pairs = bf16 && PAIRS;
    for (int64_t block = 0; block < blocks; block++) {
        vector even[ROWS][VECTORS] = {0}, odd[ROWS][VECTORS] = {0};
        if (bf16) {
            const uint32_t *pair = (const uint32_t *)b;
            chain_bf16(rows, (const void *)a, pair, even);
            chain_bf16(rows, (const void *)(a + (pairs ? BLOCK : 2 * BLOCK)),
                       pair + BLOCK / 4 * LANES, odd);
        } else {
            chain_f32(rows, (const float *)a, (const float *)b, even);
            chain_f32(rows, (const float *)a + BLOCK / 2, (const float *)b + BLOCK / 2 * LANES,
                      odd);
        }
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                float *at = totals + r * LANES + v * WIDTH;
                vector total = vector_load(at) + (even[r][v] + odd[r][v]);
                memcpy(at, &total, sizeof total);
            }
        }
        a += rows * BLOCK * (pairs ? 2 : 4);
        b += LANES * BLOCK * (bf16 ? 2 : 4);
    }
}

static void multiply(int rows, bool bf16, const void *a, const void *b, int64_t blocks,
                     float *totals) {
    memset(totals, 0, sizeof *totals * (size_t)(rows * LANES));
#define CASE(n)                                                                                    \
    case n:                                                                                        \
        if (n > ROWS) break;                                                                       \
        if (bf16)                                                                                  \
            tile(n > ROWS ? ROWS : n, true, a, b, blocks, totals);                                 \
        else                                                                                       \
            tile(n > ROWS ? ROWS : n, false, a, b, blocks, totals);                                \
        break;
    switch (rows) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
    }
#undef CASE
}

static void finish(const float *totals, int rows, int64_t columns,
                   const struct ps_cpu_target *target) {
    const bool bf16 = target->dtype == PS_DTYPE_BF16;
    const int64_t size = bf16 ? 2 : 4;
    for (int r = 0; r < rows; r++) {
        char *to = (char *)target->data + r * target->stride * size;
        for (int64_t c = 0; c < columns; c += 16) {
            int64_t count = columns - c < 16 ? columns - c : 16;
            ps_v16 y = ps_load_f(totals + r * LANES + c);
            if (target->bias)
                y = y + (count < 16 ? ps_load_some(target->bias + c, count, false)
                                    : ps_load_f(target->bias + c));
            if (target->accumulate)
                y = (count < 16 ? ps_load_some(to + c * size, count, bf16)
                                : ps_load_elements(to + c * size, bf16)) +
                    y;
            if (count < 16)
                ps_store_some(to + c * size, y, count, bf16);
            else
                ps_store_elements(to + c * size, y, bf16);
        }
    }
}

#define TEXT_(name) #name
#define TEXT(name)  TEXT_(name)

const struct ps_cpu_kernels PS_CPU_NAME(ps_cpu_kernels) = {
    .name = TEXT(PS_CPU_FAMILY),
    .tasks = &PS_CPU_NAME(ps_cpu_tasks),
    .attention = &PS_CPU_NAME(ps_cpu_attention_kernels),
    .vocabulary = &PS_CPU_NAME(ps_cpu_vocabulary_kernels),
    .tile_rows = ROWS,
    .lanes = LANES,
    .pairs = PAIRS,
    .pack_a = PS_CPU_NAME(ps_cpu_pack_a),
    .pack_b = PS_CPU_NAME(ps_cpu_pack_b),
    .multiply = multiply,
    .finish = finish,
    .peak = PS_CPU_NAME(ps_cpu_peak),
    .read = PS_CPU_NAME(ps_cpu_read),
};
