#pragma once
/* E4M3 with power-of-two scales: docs/numerics.md, "FP8". Denormals are expected to be flushed. */

#include "tensor/tensor.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { PS_FP8_TILE = 128 };

/* amax = m * 2^e with 1 <= m < 2: k = e - 8 + (m > 1.75), within +-100; the scale is 2^k. */
static inline int ps_fp8_exponent(float amax) {
    uint32_t bits;
    memcpy(&bits, &amax, sizeof bits);
    if (bits >> 23 == 0) return 0; /* amax 0: scale 1 */
    int k = (int)(bits >> 23) - 127 - 8 + ((bits & 0x7FFFFF) > 0x600000);
    return k < -100 ? -100 : k > 100 ? 100 : k;
}

/* 2^k for -126 <= k <= 127 */
static inline float ps_power_of_two(int k) {
    uint32_t bits = (uint32_t)(k + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The nearest E4M3 value, ties to even, at most 448 in magnitude; x is finite. Below 2^-6 codes
 * are multiples of 2^-9, and adding 1.5 * 2^23 to x * 2^9 rounds to an integer. */
static inline uint8_t ps_e4m3_from_f32(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = bits >> 31 << 7, code;
    bits &= 0x7FFFFFFF;
    if (bits < 0x3C800000) {
        float shifted;
        memcpy(&shifted, &bits, sizeof shifted);
        shifted = shifted * 512.0f + 12582912.0f;
        memcpy(&code, &shifted, sizeof code);
        code -= 0x4B400000;
    } else {
        code = ((bits + 0x7FFFF + (bits >> 20 & 1)) >> 20) - ((127 - 7) << 3);
        if (code > 0x7E) code = 0x7E;
    }
    return (uint8_t)(sign | code);
}

/* A power of two with which code * scale is exact in BF16. */
static inline bool ps_fp8_scale_is_exact(float scale) {
    uint32_t bits;
    memcpy(&bits, &scale, sizeof bits);
    return (bits & 0x7FFFFF) == 0 && scale >= 0x1p-100f && scale <= 0x1p100f;
}
