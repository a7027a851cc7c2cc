#pragma once
/* What the files of the reference backend share. Another backend on a CPU may hand its streams to
 * operations of the reference: its struct begins with a struct ps_stream made by
 * ps_reference_stream_init(). */

#include "compute/compute.h"
#include "compute/numerics_internal.h"

#include <assert.h>

struct ps_stream {
    struct ps_compute *compute;
    struct ps_compute_limits limits;
    int64_t most_rows, most_columns;   /* of any matrix, by the limits */
    struct ps_error error;             /* the first since the last synchronize(); PS_OK: none */
    float *scratch;                    /* of the operation that runs */
    size_t scratch_size, scratch_used; /* floats */
};

/* The struct ps_weight of every backend on a CPU begins with what it is. */
static inline const struct ps_weight_description *
ps_weight_description(const struct ps_weight *weight) {
    return (const struct ps_weight_description *)weight;
}

enum ps_status ps_reference_stream_init(struct ps_stream *stream, struct ps_compute *compute,
                                        const struct ps_compute_limits *limits,
                                        struct ps_error *error);
void ps_reference_stream_clear(struct ps_stream *stream);

/* Fills all tables; another backend copies them and puts its own operations over them. */
enum ps_status ps_reference_open(int threads, struct ps_compute **compute, struct ps_error *error);

/* The tables, each at the end of its file. */
extern const struct ps_memory_operations ps_reference_memory;
extern const struct ps_linear_operations ps_reference_linear;
extern const struct ps_attention_operations ps_reference_attention;
extern const struct ps_row_operations ps_reference_rows;
extern const struct ps_expert_operations ps_reference_experts;
extern const struct ps_head_operations ps_reference_head;
extern const struct ps_sampling_operations ps_reference_sampling;
extern const struct ps_optimizer_operations ps_reference_optimizer;
extern const struct ps_quantise_operations ps_reference_quantise;

void ps_reference_packed_backward(struct ps_stream *stream, const struct ps_attention_shape *shape,
                                  int64_t sequences, const int32_t *starts, struct ps_matrix q,
                                  struct ps_matrix k, struct ps_matrix v, struct ps_matrix out,
                                  const float *log_sum, struct ps_matrix dout, struct ps_matrix dq,
                                  struct ps_matrix dk, struct ps_matrix dv);

/* One row of a checkpoint's tensor as floats, without denormals; `scales` as linear.load's. */
void ps_reference_checkpoint_row(float *to, struct ps_matrix values, int64_t row,
                                 const float *scales);

/* Rows [first, end) of experts.route and experts.route_backward, on this thread. room [3 E]. */
void ps_reference_route_rows(const struct ps_router *router, struct ps_matrix logits, float *scores,
                             int32_t *ids, float *weights, int64_t first, int64_t end, float *room);
void ps_reference_route_gradients(const struct ps_router *router, const float *scores,
                                  const int32_t *ids, const float *weights, const float *dweights,
                                  const float *load, struct ps_matrix dlogits, int64_t first,
                                  int64_t end, float *room);

/* Every operation lies between ps_begin, from which on denormals are flushed, and ps_end, which
 * gives its scratch back; operations may call others. */
struct ps_operation {
    struct ps_float_mode mode;
    size_t scratch_used;
};

static inline struct ps_operation ps_begin(struct ps_stream *stream) {
    return (struct ps_operation){ps_float_mode_enter(), stream->scratch_used};
}

static inline void ps_end(struct ps_stream *stream, struct ps_operation operation) {
    stream->scratch_used = operation.scratch_used;
    ps_float_mode_leave(operation.mode);
}

/* A matrix of any operation is within the limits that the stream was made for. */
static inline void ps_check_limits(const struct ps_stream *stream, struct ps_matrix m) {
    assert(m.rows >= 0 && m.rows <= stream->most_rows);
    assert(m.columns >= 0 && m.columns <= stream->most_columns);
    (void)stream;
    (void)m;
}

/* Room for `count` floats until the operation ends, 64-byte aligned, not initialised. */
static inline float *ps_scratch(struct ps_stream *stream, int64_t count) {
    size_t rounded = ((size_t)count + 15) / 16 * 16;
    assert(rounded <= stream->scratch_size - stream->scratch_used);
    float *room = stream->scratch + stream->scratch_used;
    stream->scratch_used += rounded;
    return room;
}

/* ---- elements of matrices ----------------------------------------------------------------- */

static inline float ps_flush(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7F800000) == 0) bits &= 0x80000000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float ps_round(enum ps_dtype dtype, float x) {
    return dtype == PS_DTYPE_BF16 ? ps_f32_from_bf16(ps_bf16_from_f32(x)) : x;
}

static inline float ps_get(struct ps_matrix m, int64_t row, int64_t column) {
    int64_t i = row * m.stride + column;
    assert(m.dtype == PS_DTYPE_F32 || m.dtype == PS_DTYPE_BF16);
    return ps_flush(m.dtype == PS_DTYPE_BF16 ? ps_f32_from_bf16(((uint16_t *)m.data)[i])
                                             : ((float *)m.data)[i]);
}

/* Rounds. */
static inline void ps_put(struct ps_matrix m, int64_t row, int64_t column, float value) {
    int64_t i = row * m.stride + column;
    assert(m.dtype == PS_DTYPE_F32 || m.dtype == PS_DTYPE_BF16);
    if (m.dtype == PS_DTYPE_BF16)
        ((uint16_t *)m.data)[i] = ps_bf16_from_f32(value);
    else
        ((float *)m.data)[i] = value;
}

static inline void ps_get_row(float *to, struct ps_matrix m, int64_t row) {
    for (int64_t c = 0; c < m.columns; c++) to[c] = ps_get(m, row, c);
}

static inline void ps_get_column(float *to, struct ps_matrix m, int64_t column) {
    for (int64_t r = 0; r < m.rows; r++) to[r] = ps_get(m, r, column);
}

static inline int64_t ps_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* ---- FP8 ---------------------------------------------------------------------------------- */

/* Quantises the whole matrix as one tile; the code of (r, c) goes to codes[r * row_step + c *
 * column_step]. Returns the scale; adds to *bad. */
float ps_reference_quantise_tile(struct ps_matrix tile, uint8_t *codes, int64_t row_step,
                                 int64_t column_step, int64_t *bad);
/* Replaces x by the values of its codes, in tiles of 128. */
void ps_reference_quantise_line(float *x, int64_t n, int64_t *bad);
/* Keeps an error in the stream when bad > 0. */
void ps_reference_report_bad(struct ps_stream *stream, int64_t bad, const char *what);
