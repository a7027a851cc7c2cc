#pragma once
/* The sums of docs/numerics.md in their plainest form, shared by the backends on a CPU. */

#include "compute/math_internal.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdint.h>

/* ---- denormals ---------------------------------------------------------------------------- */

/* Every operation enters the project's mode of arithmetic (round to nearest, denormals flushed on
 * input and output) on every thread it uses, and gives the caller's mode back. */
struct ps_float_mode {
    uint64_t control;
};

static inline struct ps_float_mode ps_float_mode_enter(void) {
    struct ps_float_mode kept = {0};
#if defined(__x86_64__)
    uint32_t control, wanted = 0x9FC0; /* FTZ, all exceptions masked, DAZ, to nearest */
    __asm__ volatile("stmxcsr %0" : "=m"(control));
    __asm__ volatile("ldmxcsr %0" : : "m"(wanted) : "memory");
    kept.control = control;
#elif defined(__aarch64__)
    uint64_t wanted = 1u << 24; /* FZ, to nearest */
    __asm__ volatile("mrs %0, fpcr" : "=r"(kept.control));
    __asm__ volatile("msr fpcr, %0" : : "r"(wanted) : "memory");
#else
#    error "docs/numerics.md: how does this processor flush denormals?"
#endif
    return kept;
}

static inline void ps_float_mode_leave(struct ps_float_mode kept) {
#if defined(__x86_64__)
    uint32_t control = (uint32_t)kept.control;
    __asm__ volatile("ldmxcsr %0" : : "m"(control) : "memory");
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(kept.control) : "memory");
#endif
}

/* ---- sums --------------------------------------------------------------------------------- */

/* The chain of FMAs over 16 elements at a stride of 2, from zero. */
static inline float ps_dot_chain(const float *a, const float *b) {
    float sum = 0;
    for (int i = 0; i < 32; i += 2) sum = fmaf(a[i], b[i], sum);
    return sum;
}

/* a and b of K elements each, as padded with zeros to a multiple of 32. */
static inline float ps_dot(const float *a, const float *b, int64_t k) {
    float total = 0;
    int64_t whole = k - k % 32;
    for (int64_t i = 0; i < whole; i += 32)
        total = total + (ps_dot_chain(a + i, b + i) + ps_dot_chain(a + i + 1, b + i + 1));
    if (whole < k) {
        float a_end[32] = {0}, b_end[32] = {0};
        for (int64_t i = whole; i < k; i++) a_end[i - whole] = a[i], b_end[i - whole] = b[i];
        total = total + (ps_dot_chain(a_end, b_end) + ps_dot_chain(a_end + 1, b_end + 1));
    }
    return total;
}

static inline float ps_fold_lanes(float lane[16]) {
    for (int width = 8; width > 0; width /= 2)
        for (int l = 0; l < width; l++) lane[l] = lane[l] + lane[l + width];
    return lane[0];
}

static inline float ps_row_sum(const float *x, int64_t n) {
    float lane[16] = {0};
    for (int64_t i = 0; i < n; i++) lane[i % 16] = lane[i % 16] + x[i];
    return ps_fold_lanes(lane);
}

/* The sum of x[i] * y[i]: a product, then a sum. */
static inline float ps_row_sum_products(const float *x, const float *y, int64_t n) {
    float lane[16] = {0};
    for (int64_t i = 0; i < n; i++) lane[i % 16] = lane[i % 16] + x[i] * y[i];
    return ps_fold_lanes(lane);
}

/* ---- the optimizer ------------------------------------------------------------------------ */

/* 1 - beta^step, the power by squaring */
static inline float ps_bias_correction(float beta, int64_t step) {
    double power = 1, square = beta;
    for (; step > 0; step /= 2) {
        if (step % 2) power = power * square;
        square = square * square;
    }
    return (float)(1 - power);
}
