#pragma once
/* Softmax over logits and a draw from it: docs/numerics.md, "Vocabulary". */

#include "base/random.h"
#include "compute/reference/reference_internal.h"

static inline float ps_row_max(const float *x, int64_t n) {
    float max = x[0];
    for (int64_t i = 1; i < n; i++)
        if (x[i] > max) max = x[i];
    return max;
}

/* log of the sum of exp(x - max); log p of an element is (x - max) - this. */
static inline float ps_log_sum(const float *x, int64_t n, float max) {
    float sum = 0, part[1024];
    for (int64_t first = 0; first < n; first += 1024) {
        int64_t count = ps_min(1024, n - first);
        for (int64_t i = 0; i < count; i++) part[i] = ps_math_exp(x[first + i] - max);
        sum = sum + ps_row_sum(part, count);
    }
    return ps_math_log(sum);
}

/* The index of the one drawn among `count` candidates by descending weight, whose sum is total. */
static inline int64_t ps_draw(const struct ps_sampler *sampler, const float *weights, int64_t count,
                              double total) {
    if (sampler->top_p < 1) {
        double wanted = (double)sampler->top_p * total;
        int64_t n = 0;
        for (total = 0; n < count && (n == 0 || total < wanted); n++)
            total = total + (double)weights[n];
        count = n;
    }
    if (sampler->min_p > 0) {
        int64_t n = 0;
        for (total = 0; n < count && (n == 0 || weights[n] >= sampler->min_p); n++)
            total = total + (double)weights[n];
        count = n;
    }
    double goal = (double)ps_random_uniform(sampler->key, sampler->counter) * total, running = 0;
    for (int64_t i = 0; i < count; i++) {
        running = running + (double)weights[i];
        if (running > goal) return i;
    }
    return 0; /* only for logits that are not finite */
}
