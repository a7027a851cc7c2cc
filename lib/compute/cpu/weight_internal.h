#pragma once
/* A weight of the cpu backend (weight.c). */

#include "compute/cpu/cpu_internal.h"

struct ps_weight {
    struct ps_weight_description description;
    const struct ps_cpu_kernels *kernels;
    void *packed;            /* [outputs, inputs] as B; NULL: evicted, or not loaded yet */
    void *packed_transposed; /* [inputs, outputs] as B, with PS_USE_INPUT_GRADIENT */
    void *staging;           /* row-major, while its tensors come in one after the other */
    int64_t rows_staged;
    struct ps_weight *reference; /* FP8: the reference's own handle, and nothing else is used */
};

enum ps_status ps_cpu_weight_create(struct ps_compute *compute,
                                    const struct ps_weight_description *description,
                                    struct ps_weight **weight, struct ps_error *error);
void ps_cpu_weight_release(struct ps_weight *weight);
size_t ps_cpu_weight_bytes(const struct ps_weight *weight);
void ps_cpu_weight_load(struct ps_stream *stream, struct ps_weight *weight, int64_t first_row,
                        struct ps_matrix values, const float *scales);
void ps_cpu_weight_map(struct ps_stream *stream, struct ps_weight *weight, struct ps_matrix values,
                       const float *scales);
void ps_cpu_weight_update(struct ps_stream *stream, struct ps_weight *weight, const float *master);
void ps_cpu_weight_evict(struct ps_stream *stream, struct ps_weight *weight);
