/* The limits that `potstill bench` measures against, compiled once for each family. */

#include "compute/cpu/family_internal.h"

/* Chains enough to hide the latency of a multiply-add, few enough to stay in registers. */
enum { CHAINS = WIDTH == 16 ? 24 : WIDTH == 8 ? 12 : 8 };

double PS_CPU_NAME(ps_cpu_peak)(bool bf16, int64_t rounds) {
    vector sums[CHAINS] = {0}, a = vector_splat(0.5f), b = vector_splat(1e-9f);
    __asm__ volatile("" : "+m"(a), "+m"(b));
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 24
        for (int j = 0; j < CHAINS; j++) {
#if defined __AVX512BF16__
            if (bf16) {
                sums[j] = (vector)_mm512_dpbf16_ps((__m512)sums[j], (__m512bh)a, (__m512bh)b);
                continue;
            }
#endif
            sums[j] = multiply_add(a, b, sums[j]);
        }
    }
    for (int j = 1; j < CHAINS; j++) sums[0] = sums[0] + sums[j];
    __asm__ volatile("" : : "m"(sums[0]));
    return (double)rounds * CHAINS * WIDTH * 2 * (bf16 && PAIRS ? 2 : 1);
}

void PS_CPU_NAME(ps_cpu_read)(const void *from, size_t size) {
    const char *bytes = from;
    ps_v16u sums[4] = {{0}};
    for (size_t i = 0; i + 256 <= size; i += 256)
        for (int j = 0; j < 4; j++) sums[j] ^= ps_load_u(bytes + i + (size_t)j * 64);
    sums[0] ^= sums[1] ^ sums[2] ^ sums[3];
    __asm__ volatile("" : : "m"(sums[0]));
}
