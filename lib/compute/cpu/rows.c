/* The operations on rows: their kernels (rows_kernels.c) spread over threads. */

#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/tasks_internal.h"

#include <string.h>

static const struct ps_cpu_tasks *tasks(struct ps_stream *stream) {
    return ps_cpu_stream(stream)->kernels->tasks;
}

/* ---- moving rows -------------------------------------------------------------------------- */

struct move {
    struct ps_matrix from, to;
    const int32_t *rows;
    bool scatter;
};

static void move_rows(const void *arguments, int64_t first, int64_t end) {
    const struct move *move = arguments;
    const size_t size = ps_dtype_size(move->from.dtype);
    for (int64_t i = first; i < end; i++) {
        int64_t from = move->scatter ? i : move->rows[i], to = move->scatter ? move->rows[i] : i;
        memmove((char *)move->to.data + (size_t)(to * move->to.stride) * size,
                (const char *)move->from.data + (size_t)(from * move->from.stride) * size,
                (size_t)move->from.columns * size);
    }
}

static void embedding(struct ps_stream *stream, struct ps_matrix table, const int32_t *tokens,
                      struct ps_matrix out) {
    struct move move = {table, out, tokens, false};
    assert(table.dtype == out.dtype && table.columns == out.columns);
    ps_cpu_run(stream, move_rows, &move, out.rows, 0.1 * (double)out.columns);
}

static void gather(struct ps_stream *stream, struct ps_matrix from, const int32_t *rows,
                   struct ps_matrix to) {
    struct move move = {from, to, rows, false};
    assert(from.dtype == to.dtype && from.columns == to.columns);
    ps_cpu_run(stream, move_rows, &move, to.rows, 0.1 * (double)to.columns);
}

static void scatter(struct ps_stream *stream, struct ps_matrix from, const int32_t *rows,
                    struct ps_matrix to) {
    struct move move = {from, to, rows, true};
    assert(from.dtype == to.dtype && from.columns == to.columns);
    ps_cpu_run(stream, move_rows, &move, from.rows, 0.1 * (double)to.columns);
}

static void embedding_backward(struct ps_stream *stream, const int32_t *tokens,
                               struct ps_matrix dout, float *dtable, int64_t vocabulary) {
    struct ps_cpu_embedding_backward arguments = {tokens, dout, dtable};
    (void)vocabulary;
    ps_cpu_run(stream, tasks(stream)->embedding_backward, &arguments, (dout.columns + 15) / 16,
               5.0 * (double)dout.rows);
}

/* ---- RMSNorm, RoPE, SwiGLU ---------------------------------------------------------------- */

static void rms_norm(struct ps_stream *stream, struct ps_matrix x, struct ps_matrix delta,
                     struct ps_matrix sum, const float *weight, float epsilon, int64_t groups,
                     struct ps_matrix y, float *inverse) {
    struct ps_cpu_rms_norm arguments = {x, delta, sum, y, weight, epsilon, groups, inverse};
    assert(x.columns % groups == 0 && y.rows == x.rows && y.columns == x.columns);
    ps_cpu_run(stream, tasks(stream)->rms_norm, &arguments, x.rows, 0.2 * (double)x.columns);
}

static void rms_norm_backward(struct ps_stream *stream, struct ps_matrix x, const float *inverse,
                              const float *weight, int64_t groups, struct ps_matrix dy,
                              struct ps_matrix residual, struct ps_matrix dx, float *dweight) {
    struct ps_cpu_rms_norm_backward arguments = {x,       dy,     residual, dx,
                                                 inverse, weight, groups,   dweight};
    /* dx may be dy, so dweight comes first. */
    ps_cpu_run(stream, tasks(stream)->rms_norm_weight_gradient, &arguments,
               (x.columns / groups + 15) / 16, 4.0 * (double)(x.rows * groups));
    ps_cpu_run(stream, tasks(stream)->rms_norm_input_gradient, &arguments, x.rows,
               0.4 * (double)x.columns);
}

static void rope(struct ps_stream *stream, const struct ps_rope *rope, const int32_t *positions,
                 struct ps_matrix x, bool backward) {
    struct ps_cpu_rope arguments = {rope, positions, x, backward};
    assert(x.columns == rope->heads * rope->head_size);
    assert(rope->first + rope->rotary <= rope->head_size);
    ps_cpu_run(stream, tasks(stream)->rope, &arguments, x.rows, 0.3 * (double)x.columns);
}

static void swiglu(struct ps_stream *stream, struct ps_matrix gate_up, struct ps_matrix y) {
    struct ps_cpu_swiglu arguments = {gate_up, y, {0}};
    assert(gate_up.columns == 2 * y.columns && gate_up.rows == y.rows);
    ps_cpu_run(stream, tasks(stream)->swiglu, &arguments, y.rows, 1.0 * (double)y.columns);
}

static void swiglu_backward(struct ps_stream *stream, struct ps_matrix gate_up, struct ps_matrix dy,
                            struct ps_matrix dgate_up) {
    struct ps_cpu_swiglu arguments = {gate_up, dy, dgate_up};
    ps_cpu_run(stream, tasks(stream)->swiglu_backward, &arguments, dy.rows,
               2.0 * (double)dy.columns);
}

/* ---- element by element ------------------------------------------------------------------- */

static void add(struct ps_stream *stream, struct ps_matrix a, struct ps_matrix b,
                struct ps_matrix out) {
    struct ps_cpu_add arguments = {a, b, out};
    ps_cpu_run(stream, tasks(stream)->add, &arguments, out.rows, 0.15 * (double)out.columns);
}

static void convert(struct ps_stream *stream, struct ps_matrix from, struct ps_matrix to) {
    struct ps_cpu_convert arguments = {from, to};
    ps_cpu_run(stream, tasks(stream)->convert, &arguments, to.rows, 0.15 * (double)to.columns);
}

const struct ps_row_operations ps_cpu_rows = {
    .embedding = embedding,
    .embedding_backward = embedding_backward,
    .rms_norm = rms_norm,
    .rms_norm_backward = rms_norm_backward,
    .rope = rope,
    .swiglu = swiglu,
    .swiglu_backward = swiglu_backward,
    .add = add,
    .convert = convert,
    .gather = gather,
    .scatter = scatter,
};
