#pragma once
/* Arguments of the tasks that a kernel family does: those of the operation, packed up so that one
 * runner can spread any of them over threads (ps_cpu_run). */

#include "compute/compute.h"

struct ps_cpu_rms_norm {
    struct ps_matrix x, delta, sum, y;
    const float *weight;
    float epsilon;
    int64_t groups;
    float *inverse;
};

struct ps_cpu_rms_norm_backward {
    struct ps_matrix x, dy, residual, dx;
    const float *inverse, *weight;
    int64_t groups;
    float *dweight;
};

struct ps_cpu_column_sums {
    struct ps_matrix from;
    float *to;
};

struct ps_cpu_rope {
    const struct ps_rope *rope;
    const int32_t *positions;
    struct ps_matrix x;
    bool backward;
};

/* y is dy in the backward. */
struct ps_cpu_swiglu {
    struct ps_matrix gate_up, y, dgate_up;
};

struct ps_cpu_add {
    struct ps_matrix a, b, out;
};

struct ps_cpu_convert {
    struct ps_matrix from, to;
};

struct ps_cpu_embedding_backward {
    const int32_t *tokens;
    struct ps_matrix dout;
    float *dtable;
};

struct ps_cpu_adamw {
    const struct ps_adamw *config;
    float correction1, correction2; /* 1 - beta^step */
    int64_t n;
    float *master;
    const float *gradient;
    void *m, *v;
};

struct ps_cpu_square_sum {
    int64_t n;
    const float *values;
    double *parts; /* of each 65,536 values */
};

/* Rows of T * K assignments, see struct ps_expert_operations. */
struct ps_cpu_combine {
    struct ps_matrix sorted, y;
    int64_t per_token;
    const int32_t *place;
    const float *weights; /* NULL: 1 */
    bool accumulate;
};

struct ps_cpu_combine_backward {
    struct ps_matrix sorted, dy, dsorted;
    int64_t per_token;
    const int32_t *place;
    const float *weights;
    float *dweights;
};
