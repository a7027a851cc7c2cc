#pragma once
/* Two backends on the same random operands: the cpu backend in each kernel family and with 1, 2 and
 * 3 threads must give the reference's bits. */

#include "unit.h"

#include "base/memory.h"
#include "base/random.h"
#include "compute/compute.h"
#include "compute/cpu/cpu_internal.h"
#include "tensor/tensor.h"

#include <string.h>

static uint64_t unit_seed = 1;

static inline int64_t unit_below(int64_t bound) {
    return (int64_t)ps_random_below(77, unit_seed++, (uint32_t)bound);
}

/* A matrix of normal numbers (with some zeros and denormals) in rows further apart than they must
 * be; what lies between and behind them is poison. */
static inline struct ps_matrix unit_matrix(enum ps_dtype dtype, int64_t rows, int64_t columns) {
    int64_t stride = columns + unit_below(9);
    size_t size = ps_dtype_size(dtype), count = (size_t)(rows * stride);
    char *data = ps_aligned_alloc(64, (count * size + 191) / 64 * 64);
    memset(data, 0xFF, (count * size + 191) / 64 * 64);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++) {
            float x = ps_random_normal(78, unit_seed++);
            if (unit_seed % 97 == 0) x = unit_seed % 2 ? 0.0f : 1e-39f;
            ps_tensor_from_f32(data + (size_t)(r * stride + c) * size, dtype, &x, 1, NULL);
        }
    }
    return (struct ps_matrix){data, dtype, rows, columns, stride};
}

static inline struct ps_matrix unit_copy(struct ps_matrix m) {
    size_t bytes = (size_t)(m.rows * m.stride) * ps_dtype_size(m.dtype);
    void *data = ps_aligned_alloc(64, (bytes + 191) / 64 * 64);
    memcpy(data, m.data, bytes);
    m.data = data;
    return m;
}

static inline struct ps_matrix unit_floats(int64_t rows, int64_t columns) {
    return unit_matrix(PS_DTYPE_F32, rows, columns);
}

/* Contiguous random floats, as vectors of weights are. */
static inline float *unit_vector(int64_t n) {
    float *x = ps_aligned_alloc(64, (size_t)(n * 4 + 127) / 64 * 64);
    for (int64_t i = 0; i < n; i++) x[i] = ps_random_normal(79, unit_seed++);
    return x;
}

static inline void *unit_duplicate(const void *data, size_t size) {
    void *copy = ps_aligned_alloc(64, (size + 127) / 64 * 64);
    memcpy(copy, data, size);
    return copy;
}

/* Same bits in the matrix and in what lies between its rows. */
static inline void assert_same(struct ps_matrix a, struct ps_matrix b, const char *what,
                               const char *kernels, int threads) {
    size_t size = ps_dtype_size(a.dtype);
    for (int64_t r = 0; r < a.rows; r++) {
        for (int64_t c = 0; c < a.stride; c++) {
            size_t at = (size_t)(r * a.stride + c) * size;
            if (memcmp((char *)a.data + at, (char *)b.data + at, size) != 0)
                fail_msg("%s, %s, %d threads: element (%lld, %lld) of %lld x %lld differs", what,
                         kernels, threads, (long long)r, (long long)c, (long long)a.rows,
                         (long long)a.columns);
        }
    }
}

static inline void assert_same_bytes(const void *a, const void *b, size_t size, const char *what,
                                     const char *kernels, int threads) {
    if (memcmp(a, b, size) != 0)
        fail_msg("%s, %s, %d threads: bits differ", what, kernels, threads);
}

struct unit_backend {
    struct ps_compute *compute;
    struct ps_stream *stream;
};

static inline struct unit_backend unit_open(const char *name, int threads,
                                            const struct ps_compute_limits *limits) {
    struct unit_backend backend;
    struct ps_error error;
    assert_ok(ps_compute_open(name, threads, &backend.compute, &error));
    assert_ok(
        backend.compute->memory.stream_create(backend.compute, limits, &backend.stream, &error));
    return backend;
}

static inline void unit_close(struct unit_backend backend) {
    backend.compute->memory.stream_release(backend.stream);
    ps_compute_close(backend.compute);
}

/* Calls `check` with a stream of the reference and one of every family that this processor has,
 * with 1, 2 and 3 threads. */
static inline void unit_every_family(const struct ps_compute_limits *limits,
                                     void (*check)(struct unit_backend reference,
                                                   struct unit_backend cpu)) {
    static const char *const families[] = {"avx512bf16", "avx512", "avx2", "plain"};
    struct ps_error error;
    ps_cpu_set_least_work(0.001);
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        setenv("POTSTILL_CPU", families[f], 1);
        struct ps_compute *probe;
        if (ps_compute_open("cpu", 1, &probe, &error) == PS_UNSUPPORTED) {
            print_message("skipped: %s\n", error.message);
            continue;
        }
        assert_string_equal(probe->kernels, families[f]);
        ps_compute_close(probe);
        for (int threads = 1; threads <= 3; threads++) {
            struct unit_backend reference = unit_open("reference", 1, limits);
            struct unit_backend cpu = unit_open("cpu", threads, limits);
            check(reference, cpu);
            unit_close(cpu);
            unit_close(reference);
        }
    }
    unsetenv("POTSTILL_CPU");
}
