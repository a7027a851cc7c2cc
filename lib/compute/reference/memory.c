/* Memory, streams and errors of the reference backend: device memory is host memory, and every
 * operation is done when it returns. */

#include "base/memory.h"
#include "compute/reference/reference_internal.h"

static void *allocate(struct ps_compute *compute, size_t size) {
    (void)compute;
    if (size > SIZE_MAX - 64) return NULL;
    return ps_aligned_alloc(64, size / 64 * 64 + 64);
}

static void release(struct ps_compute *compute, void *memory) {
    (void)compute;
    ps_free(memory);
}

static int64_t max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The most floats that one operation takes by ps_scratch(), each term a little too large rather
 * than too small; what is never written costs no memory. */
static size_t scratch_floats(const struct ps_compute_limits *l, int64_t most_columns) {
    int64_t wide = max(most_columns, 1024) + 64;
    int64_t linear = 34 * wide;
    int64_t head = linear + 4 * wide + 2 * max(1, l->head_rows < 256 ? l->head_rows : 256) * wide;
    int64_t attention = (l->heads + 16) * (2 * l->head_size + 64) + 6 * 128 * (l->head_size + 128);
    if (l->training) attention += 6 * 128 * (l->head_size + 128);
    return (size_t)max(l->vocabulary ? head : linear, attention);
}

enum ps_status ps_reference_stream_init(struct ps_stream *stream, struct ps_compute *compute,
                                        const struct ps_compute_limits *limits,
                                        struct ps_error *error) {
    memset(stream, 0, sizeof *stream);
    stream->compute = compute;
    stream->limits = *limits;
    stream->most_rows = max(limits->rows, limits->head_rows);
    stream->most_columns = max(max(limits->columns, limits->vocabulary),
                               max(limits->heads * limits->head_size, limits->experts));
    stream->scratch_size = scratch_floats(limits, stream->most_columns);
    stream->scratch = allocate(compute, stream->scratch_size * sizeof(float));
    PS_FAIL_IF_NULL(stream->scratch, error);
    return PS_OK;
}

void ps_reference_stream_clear(struct ps_stream *stream) {
    ps_free(stream->scratch);
    stream->scratch = NULL;
}

static enum ps_status stream_create(struct ps_compute *compute,
                                    const struct ps_compute_limits *limits,
                                    struct ps_stream **stream, struct ps_error *error) {
    *stream = ps_malloc(sizeof **stream);
    PS_FAIL_IF_NULL(*stream, error);
    enum ps_status status = ps_reference_stream_init(*stream, compute, limits, error);
    if (status != PS_OK) {
        ps_free(*stream);
        *stream = NULL;
    }
    return status;
}

static void stream_release(struct ps_stream *stream) {
    if (!stream) return;
    ps_reference_stream_clear(stream);
    ps_free(stream);
}

static enum ps_status synchronize(struct ps_stream *stream, struct ps_error *error) {
    enum ps_status status = stream->error.status;
    if (status != PS_OK) ps_error_set(error, status, "%s", stream->error.message);
    stream->error.status = PS_OK;
    return status;
}

void ps_reference_report_bad(struct ps_stream *stream, int64_t bad, const char *what) {
    if (bad > 0 && stream->error.status == PS_OK)
        ps_error_set(&stream->error, PS_NUMERIC, "%s: %lld numbers are not finite", what,
                     (long long)bad);
}

static void copy(struct ps_stream *stream, void *to, const void *from, size_t size) {
    (void)stream;
    if (size) memmove(to, from, size);
}

static void zero(struct ps_stream *stream, void *device, size_t size) {
    (void)stream;
    if (size) memset(device, 0, size);
}

const struct ps_memory_operations ps_reference_memory = {
    .allocate = allocate,
    .release = release,
    .stream_create = stream_create,
    .stream_release = stream_release,
    .synchronize = synchronize,
    .upload = copy,
    .download = copy,
    .copy = copy,
    .zero = zero,
};
