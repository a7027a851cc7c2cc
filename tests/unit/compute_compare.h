#pragma once
/* Runs an operation on two backends with the same random arguments and compares the bits.
 *
 * Every array has a random stride and guard zones. Outputs are poisoned, differently on the two
 * sides, so that an element that is not written differs and one written outside the view shows.
 * One comparison is: compare_begin(), arrays, the operation on both sides, compare_end().
 * compute_compare_operations.h has a comparison for every operation of compute.h. */

#include "unit.h"

#include "base/memory.h"
#include "base/random.h"
#include "compute/compute.h"

#include <math.h>
#include <string.h>

enum compare_fill {
    COMPARE_RANDOM, /* normal numbers, a few zeros, denormals and large ones among them */
    COMPARE_OUTPUT  /* poison; every element of the view must be written */
};

struct compare_array {
    struct compare_array *next;
    const char *name;
    enum ps_dtype dtype;
    int64_t rows, columns, stride, guard; /* guard: elements before and after */
    unsigned char *host[2];               /* as it was before the operation */
    void *device[2];
    bool output;
};

struct compare {
    struct ps_compute *compute[2];
    struct ps_stream *stream[2];
    uint64_t key, counter;
    char what[256]; /* the operation and its shape, for messages */
    struct compare_array *arrays;
};

struct compare_matrix {
    struct ps_matrix side[2];
};
struct compare_floats {
    float *side[2];
};
struct compare_ints {
    int32_t *side[2];
    int32_t *host; /* the values, until compare_end */
};

/* Both sides of an operation: for (COMPARE_SIDES(s)) c->compute[s]->rows.add(c->stream[s], ...) */
#define COMPARE_SIDES(s)                                                                           \
    int s = 0;                                                                                     \
    s < 2;                                                                                         \
    s++

static inline struct ps_compute_limits compare_limits(void) {
    return (struct ps_compute_limits){
        .rows = 4096,
        .columns = 2048,
        .vocabulary = 5000,
        .head_rows = 1024,
        .heads = 16,
        .key_value_heads = 16,
        .head_size = 600,
        .positions = 1024,
        .experts = 64,
        .training = true,
    };
}

static inline void compare_open(struct compare *c, struct ps_compute *a, struct ps_compute *b,
                                uint64_t seed) {
    struct ps_error error;
    struct ps_compute_limits limits = compare_limits();
    *c = (struct compare){.compute = {a, b}, .key = seed};
    for (COMPARE_SIDES(s))
        assert_ok(
            c->compute[s]->memory.stream_create(c->compute[s], &limits, c->stream + s, &error));
}

static inline void compare_close(struct compare *c) {
    for (COMPARE_SIDES(s)) c->compute[s]->memory.stream_release(c->stream[s]);
}

/* ---- random numbers ---- */

static inline int64_t compare_below(struct compare *c, int64_t bound) {
    return ps_random_below(c->key, c->counter++, (uint32_t)bound);
}

/* A size from 1 to most: often 1, often around a multiple of 16, 32 or 128. */
static inline int64_t compare_size(struct compare *c, int64_t most) {
    int64_t kind = compare_below(c, 4), size = 1 + compare_below(c, most);
    if (kind == 0) return 1 + compare_below(c, 3 < most ? 3 : most);
    if (kind == 1) size = size / 32 * 32 + compare_below(c, 3) - 1;
    return size < 1 ? 1 : size > most ? most : size;
}

static inline float compare_number(struct compare *c) {
    float x = ps_random_normal(c->key, c->counter++);
    switch (compare_below(c, 60)) {
    case 0: return 0;
    case 1: return -0.0f;
    case 2: return x * 1e-39f; /* a denormal */
    case 3: return x * 1e-30f;
    case 4: return x * 30;
    default: return x;
    }
}

/* ---- arrays ---- */

static inline void compare_put(void *data, enum ps_dtype dtype, int64_t i, float value) {
    struct ps_error error;
    assert_ok(ps_tensor_from_f32((char *)data + (size_t)i * ps_dtype_size(dtype), dtype, &value, 1,
                                 &error));
}

/* The array's bytes come from `values` (rows x columns elements) if given. */
static inline struct compare_array *compare_array(struct compare *c, const char *name,
                                                  enum ps_dtype dtype, int64_t rows,
                                                  int64_t columns, int64_t stride,
                                                  enum compare_fill fill, const void *values) {
    size_t element = ps_dtype_size(dtype);
    struct compare_array *array = ps_calloc(1, sizeof *array);
    assert_non_null(array);
    if (stride < 1) stride = 1;
    *array = (struct compare_array){.next = c->arrays,
                                    .name = name,
                                    .dtype = dtype,
                                    .rows = rows,
                                    .columns = columns,
                                    .stride = stride,
                                    .guard = 64,
                                    .output = fill == COMPARE_OUTPUT};
    c->arrays = array;
    size_t size = (size_t)(rows * stride + 2 * array->guard) * element;
    for (COMPARE_SIDES(s)) {
        array->host[s] = ps_malloc(size);
        array->device[s] = c->compute[s]->memory.allocate(c->compute[s], size);
        assert_non_null(array->host[s]);
        assert_non_null(array->device[s]);
        memset(array->host[s], s ? 0x5A : 0xA5, size);
    }
    for (int64_t r = 0; r < rows && fill != COMPARE_OUTPUT; r++) {
        for (int64_t i = 0; i < columns; i++) {
            unsigned char *at = array->host[0] + (size_t)(array->guard + r * stride + i) * element;
            if (values)
                memcpy(at, (const char *)values + (size_t)(r * columns + i) * element, element);
            else
                compare_put(at, dtype, 0, compare_number(c));
            memcpy(array->host[1] + (at - array->host[0]), at, element);
        }
    }
    for (COMPARE_SIDES(s))
        c->compute[s]->memory.upload(c->stream[s], array->device[s], array->host[s], size);
    return array;
}

static inline void *compare_at(const struct compare_array *array, int side) {
    return (char *)array->device[side] + (size_t)array->guard * ps_dtype_size(array->dtype);
}

static inline struct compare_matrix compare_matrix(struct compare *c, const char *name,
                                                   enum ps_dtype dtype, int64_t rows,
                                                   int64_t columns, enum compare_fill fill) {
    int64_t stride = columns + (compare_below(c, 2) ? compare_below(c, 20) : 0);
    struct compare_array *array = compare_array(c, name, dtype, rows, columns, stride, fill, NULL);
    struct compare_matrix m;
    for (COMPARE_SIDES(s)) {
        m.side[s] = ps_matrix(compare_at(array, s), dtype, rows, columns);
        m.side[s].stride = stride;
    }
    return m;
}

static inline struct compare_floats compare_floats(struct compare *c, const char *name, int64_t n,
                                                   enum compare_fill fill) {
    struct compare_array *array = compare_array(c, name, PS_DTYPE_F32, 1, n, n, fill, NULL);
    return (struct compare_floats){{compare_at(array, 0), compare_at(array, 1)}};
}

/* values NULL: an output */
static inline struct compare_ints compare_ints(struct compare *c, const char *name, int64_t n,
                                               const int32_t *values) {
    struct compare_array *array = compare_array(c, name, PS_DTYPE_I32, 1, n, n,
                                                values ? COMPARE_RANDOM : COMPARE_OUTPUT, values);
    return (struct compare_ints){{compare_at(array, 0), compare_at(array, 1)},
                                 (int32_t *)array->host[0] + array->guard};
}

/* n numbers below bound */
static inline struct compare_ints compare_indices(struct compare *c, const char *name, int64_t n,
                                                  int64_t bound) {
    int32_t *values = ps_malloc((size_t)n * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++) values[i] = (int32_t)compare_below(c, bound);
    struct compare_ints ints = compare_ints(c, name, n, values);
    ps_free(values);
    return ints;
}

/* ---- one comparison ---- */

static inline void compare_begin(struct compare *c, const char *operation, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline void compare_begin(struct compare *c, const char *operation, const char *format,
                                 ...) {
    va_list arguments;
    va_start(arguments, format);
    int used = snprintf(c->what, sizeof c->what, "%s ", operation);
    vsnprintf(c->what + used, sizeof c->what - (size_t)used, format, arguments);
    va_end(arguments);
}

static inline float compare_value(const unsigned char *at, enum ps_dtype dtype) {
    float value = 0;
    if (ps_tensor_to_f32(&value, dtype, at, 1, NULL) != PS_OK) memcpy(&value, at, 1);
    return value;
}

static inline void compare_check(struct compare *c, struct compare_array *array) {
    size_t element = ps_dtype_size(array->dtype);
    int64_t count = array->rows * array->stride + 2 * array->guard;
    unsigned char *now[2];
    for (COMPARE_SIDES(s)) {
        now[s] = ps_malloc((size_t)count * element);
        assert_non_null(now[s]);
        c->compute[s]->memory.download(c->stream[s], now[s], array->device[s],
                                       (size_t)count * element);
        struct ps_error error;
        assert_ok(c->compute[s]->memory.synchronize(c->stream[s], &error));
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t inside = i - array->guard;
        int64_t row = inside >= 0 ? inside / array->stride : -1;
        int64_t column = inside >= 0 ? inside % array->stride : 0;
        bool in_view = row >= 0 && row < array->rows && column < array->columns;
        size_t at = (size_t)i * element;
        for (int s = 0; !in_view && s < 2; s++)
            if (memcmp(now[s] + at, array->host[s] + at, element) != 0)
                fail_msg("%s: %s wrote outside %s, element %lld of %lld x %lld", c->what,
                         c->compute[s]->name, array->name, (long long)inside,
                         (long long)array->rows, (long long)array->columns);
        if (!in_view || memcmp(now[0] + at, now[1] + at, element) == 0) continue;
        float a = compare_value(now[0] + at, array->dtype);
        float b = compare_value(now[1] + at, array->dtype);
        if (isnan(a) && isnan(b)) continue;
        fail_msg("%s: %s[%lld][%lld] is %.9g by %s and %.9g by %s", c->what, array->name,
                 (long long)row, (long long)column, a, c->compute[0]->name, b, c->compute[1]->name);
    }
    for (COMPARE_SIDES(s)) ps_free(now[s]);
}

static inline void compare_end(struct compare *c) {
    while (c->arrays) {
        struct compare_array *array = c->arrays;
        compare_check(c, array);
        c->arrays = array->next;
        for (COMPARE_SIDES(s)) {
            ps_free(array->host[s]);
            c->compute[s]->memory.release(c->compute[s], array->device[s]);
        }
        ps_free(array);
    }
}
