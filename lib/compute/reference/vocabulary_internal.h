#pragma once
/* Softmax over logits: docs/numerics.md, "Vocabulary". */

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
