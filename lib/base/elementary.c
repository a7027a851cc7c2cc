#include "base/elementary.h"

#include <stdint.h>
#include <string.h>

/* x = 2^e * m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m-1)/(m+1). */
double ps_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52 & 2047) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull;
    memcpy(&x, &bits, sizeof x);
    if (x > 1.4142135623730951) {
        x *= 0.5;
        exponent++;
    }
    double s = (x - 1) / (x + 1), square = s * s, sum = 0;
    for (int n = 21; n >= 1; n -= 2) sum = sum * square + 1.0 / n;
    return exponent * 0.69314718055994531 + 2 * s * sum;
}

/* x = k log 2 + r with |r| <= log(2) / 2; the Taylor series of exp(r), times 2^k. log 2 is split
 * in two, the first with 33 bits, so that k times it is exact. */
double ps_exp(double x) {
    static const double log2_high = 6.93147180369123816490e-01,
                        log2_low = 1.90821492927058770002e-10;
    double turns = x * 1.4426950408889634;
    int64_t k = (int64_t)(turns < 0 ? turns - 0.5 : turns + 0.5);
    double r = (x - (double)k * log2_high) - (double)k * log2_low, sum = 1;
    for (int n = 18; n >= 1; n--) sum = 1 + sum * r / n;
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

/* Quarter turns are taken off with pi/2 split in three of 33 bits (Cody and Waite), then the
 * Taylor series on [-pi/4, pi/4]. shift 1 gives the cosine. */
static double quarter_turns(double x, int shift) {
    static const double half_pi_1 = 1.57079632673412561417e+00,
                        half_pi_2 = 6.07710050630396597660e-11,
                        half_pi_3 = 2.02226624871116645580e-21;
    double turns = x * 0.63661977236758134;
    int64_t k = (int64_t)(turns < 0 ? turns - 0.5 : turns + 0.5);
    double n = (double)k;
    double r = ((x - n * half_pi_1) - n * half_pi_2) - n * half_pi_3, square = r * r;
    int64_t quadrant = (k + shift) & 3;
    int first = quadrant & 1; /* the cosine's series has 1, the sine's r in front */
    double sum = 1;
    for (int i = 20; i >= 2; i -= 2) sum = 1 - sum * square / ((i - first) * (i - first + 1));
    double value = first ? sum : r * sum;
    return quadrant & 2 ? -value : value;
}

double ps_sin(double x) {
    return quarter_turns(x, 0);
}

double ps_cos(double x) {
    return quarter_turns(x, 1);
}
