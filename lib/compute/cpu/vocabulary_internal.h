#pragma once
/* Kernels of the head's loss and of sampling. */

#include "compute/compute.h"

struct ps_cpu_vocabulary_kernels {
    float (*row_max)(const float *x, int64_t n);
    /* log of the sum of exp(x - max) */
    float (*log_sum)(const float *x, int64_t n, float max);
    /* to[i] = exp((x[i] - max) / temperature) */
    void (*weights)(const float *x, int64_t n, float max, float temperature, float *to);
    /* Indices in [first, end) of what is larger than `least`, ascending; returns how many. */
    int64_t (*above)(const float *x, int64_t first, int64_t end, float least, int32_t *to);
    /* logits of row t become their gradient; returns the loss. room: n + 2 k floats. */
    float (*row_loss)(const struct ps_loss *loss, int64_t t, float *logits, int64_t n, float *room);
};
