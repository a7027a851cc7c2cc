/* The text of math_internal.h, included once for float and once for ps_v16. No #pragma once.
 *
 * exp: x = n ln 2 + r with n the nearest integer, |r| <= ln(2) / 2; exp(r) by its Taylor polynomial
 * (the remainder r^8 / 8! is below 2^-27), times 2^n in two steps so that n = 128 is no special
 * case. ln 2 is split into a part of 10 bits, whose product with n is exact, and a rest.
 *
 * log: x = 2^e m with sqrt(1/2) <= m < sqrt(2), f = m - 1, s = f / (2 + f). Then log m = 2 atanh(s)
 * = 2s + s R(s^2) with R(z) = 2z/3 + 2z^2/5 + 2z^3/7 + ..., and since 2s = f - s f,
 * log m = f - s (f - R): f is exact and the rest is small.
 *
 * Integers become floats and back by adding 1.5 * 2^23, at which the last bit is worth 1. */

#define PS_MATH_FUNCTION     static inline __attribute__((always_inline, unused))
#define PS_MATH_ROUNDER      12582912.0f /* 1.5 * 2^23 */
#define PS_MATH_ROUNDER_BITS 0x4B400000

PS_MATH_FUNCTION PS_MATH_INT PS_MATH_NAME(bits)(PS_MATH_REAL x) {
    union {
        PS_MATH_REAL real;
        PS_MATH_INT bits;
    } u = {x};
    return u.bits;
}

PS_MATH_FUNCTION PS_MATH_REAL PS_MATH_NAME(from_bits)(PS_MATH_INT bits) {
    union {
        PS_MATH_INT bits;
        PS_MATH_REAL real;
    } u = {bits};
    return u.real;
}

/* yes where the mask is set, else no */
PS_MATH_FUNCTION PS_MATH_REAL PS_MATH_NAME(select)(PS_MATH_INT mask, PS_MATH_REAL yes,
                                                   PS_MATH_REAL no) {
    return PS_MATH_NAME(from_bits)((mask & PS_MATH_NAME(bits)(yes)) |
                                   (~mask & PS_MATH_NAME(bits)(no)));
}

PS_MATH_FUNCTION PS_MATH_REAL PS_MATH_NAME(constant)(float value) {
    PS_MATH_REAL zero = {0};
    return zero + value;
}

PS_MATH_FUNCTION PS_MATH_REAL PS_MATH_NAME(exp)(PS_MATH_REAL x) {
    PS_MATH_INT low = PS_MATH_MASK(x < -87.0f);
    PS_MATH_REAL y = PS_MATH_NAME(select)(low, PS_MATH_NAME(constant)(-87.0f), x);
    y = PS_MATH_NAME(select)(PS_MATH_MASK(y > 89.0f), PS_MATH_NAME(constant)(89.0f), y);

    PS_MATH_REAL shifted = y * 1.44269504088896341f + PS_MATH_ROUNDER;
    PS_MATH_INT n = PS_MATH_NAME(bits)(shifted) - PS_MATH_ROUNDER_BITS;
    PS_MATH_REAL real_n = shifted - PS_MATH_ROUNDER;
    PS_MATH_REAL r = (y - real_n * 0.693359375f) + real_n * 2.12194440054690583e-4f;

    PS_MATH_REAL p = r * (1.0f / 5040) + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = (p * (r * r) + r) + 1.0f;

    PS_MATH_INT half = n >> 1; /* of a NaN anything: the masks keep the shifts defined */
    p = p * PS_MATH_NAME(from_bits)(((half + 127) & 0xFF) << 23);
    p = p * PS_MATH_NAME(from_bits)(((n - half + 127) & 0xFF) << 23);
    return PS_MATH_NAME(from_bits)(~low & PS_MATH_NAME(bits)(p)); /* 0 below -87 */
}

/* log of 0 (and of denormals) is -infinity, of a negative number NaN. */
PS_MATH_FUNCTION PS_MATH_REAL PS_MATH_NAME(log)(PS_MATH_REAL x) {
    /* 0x3F3504F3 are the bits of sqrt(1/2); without a sign nothing overflows */
    PS_MATH_INT offset = (PS_MATH_NAME(bits)(x) & 0x7FFFFFFF) - 0x3F3504F3;
    PS_MATH_INT e = offset >> 23;
    PS_MATH_REAL f = PS_MATH_NAME(from_bits)((offset & 0x7FFFFF) + 0x3F3504F3) - 1.0f;
    PS_MATH_REAL real_e = PS_MATH_NAME(from_bits)(e + PS_MATH_ROUNDER_BITS) - PS_MATH_ROUNDER;

    PS_MATH_REAL s = f / (f + 2.0f), z = s * s;
    PS_MATH_REAL tail = z * (2.0f / 9) + 2.0f / 7;
    tail = tail * z + 2.0f / 5;
    tail = tail * z + 2.0f / 3;
    tail = tail * z;
    PS_MATH_REAL log_m = f - s * (f - tail);
    PS_MATH_REAL y = (log_m - real_e * 2.12194440054690583e-4f) + real_e * 0.693359375f;

    PS_MATH_REAL infinity = PS_MATH_NAME(constant)(__builtin_inff());
    y = PS_MATH_NAME(select)(PS_MATH_MASK(x < 0x1p-126f), -infinity, y);
    y = PS_MATH_NAME(select)(PS_MATH_MASK(x < 0.0f), PS_MATH_NAME(constant)(__builtin_nanf("")), y);
    PS_MATH_INT special = PS_MATH_MASK(x == infinity) | PS_MATH_MASK(x != x);
    return PS_MATH_NAME(select)(special, x, y);
}

PS_MATH_FUNCTION PS_MATH_REAL PS_MATH_NAME(logistic)(PS_MATH_REAL x) {
    return 1.0f / (PS_MATH_NAME(exp)(-x) + 1.0f);
}

PS_MATH_FUNCTION PS_MATH_REAL PS_MATH_NAME(silu)(PS_MATH_REAL x) {
    return x / (PS_MATH_NAME(exp)(-x) + 1.0f);
}

#undef PS_MATH_FUNCTION
#undef PS_MATH_ROUNDER
#undef PS_MATH_ROUNDER_BITS
