#pragma once
/* A reference backend for a test; its device memory is host memory. */

#include "unit.h"

#include "base/random.h"
#include "compute/compute.h"

#include <math.h>
#include <string.h>

static struct ps_compute *compute;
static struct ps_stream *stream;

static inline int reference_open(void **state) {
    (void)state;
    struct ps_error error;
    struct ps_compute_limits limits = {
        .rows = 4096,
        .columns = 1024,
        .vocabulary = 3000,
        .head_rows = 512,
        .heads = 16,
        .key_value_heads = 16,
        .head_size = 128,
        .positions = 1024,
        .experts = 64,
        .training = true,
    };
    assert_ok(ps_compute_open("reference", 0, &compute, &error));
    assert_ok(compute->memory.stream_create(compute, &limits, &stream, &error));
    return 0;
}

static inline int reference_close(void **state) {
    (void)state;
    struct ps_error error;
    assert_ok(compute->memory.synchronize(stream, &error));
    compute->memory.stream_release(stream);
    ps_compute_close(compute);
    return 0;
}

static inline struct ps_matrix f32(float *data, int64_t rows, int64_t columns) {
    return ps_matrix(data, PS_DTYPE_F32, rows, columns);
}

static inline struct ps_matrix bf16(uint16_t *data, int64_t rows, int64_t columns) {
    return ps_matrix(data, PS_DTYPE_BF16, rows, columns);
}

/* Normal numbers that differ with `seed`. */
static inline void fill(float *x, int64_t n, uint64_t seed) {
    for (int64_t i = 0; i < n; i++) x[i] = ps_random_normal(seed, (uint64_t)i);
}

static inline void fill_bf16(uint16_t *x, int64_t n, uint64_t seed) {
    for (int64_t i = 0; i < n; i++) x[i] = ps_bf16_from_f32(ps_random_normal(seed, (uint64_t)i));
}

static inline void assert_near(const char *what, int64_t i, double got, double want,
                               double tolerance) {
    if (!(fabs(got - want) <= tolerance * (1 + fabs(want))))
        fail_msg("%s[%lld] is %.9g, not %.9g", what, (long long)i, got, want);
}
