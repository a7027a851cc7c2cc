/* Embedding, RMSNorm, RoPE, SwiGLU, and moving rows: docs/numerics.md, "Functions". */

#include "compute/reference/reference_internal.h"

static void copy_row(struct ps_matrix from, int64_t from_row, struct ps_matrix to, int64_t to_row) {
    size_t size = ps_dtype_size(from.dtype);
    assert(from.dtype == to.dtype && from.columns == to.columns);
    assert(from_row >= 0 && from_row < from.rows && to_row >= 0 && to_row < to.rows);
    memmove((char *)to.data + (size_t)(to_row * to.stride) * size,
            (char *)from.data + (size_t)(from_row * from.stride) * size,
            (size_t)from.columns * size);
}

static void embedding(struct ps_stream *stream, struct ps_matrix table, const int32_t *tokens,
                      struct ps_matrix out) {
    (void)stream;
    for (int64_t t = 0; t < out.rows; t++) copy_row(table, tokens[t], out, t);
}

static void embedding_backward(struct ps_stream *stream, const int32_t *tokens,
                               struct ps_matrix dout, float *dtable, int64_t vocabulary) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, dout);
    for (int64_t t = 0; t < dout.rows; t++) {
        assert(tokens[t] >= 0 && tokens[t] < vocabulary);
        float *row = dtable + tokens[t] * dout.columns;
        for (int64_t c = 0; c < dout.columns; c++) row[c] = row[c] + ps_get(dout, t, c);
    }
    (void)vocabulary;
    ps_end(stream, operation);
}

static void rms_norm(struct ps_stream *stream, struct ps_matrix x, struct ps_matrix delta,
                     struct ps_matrix sum, const float *weight, float epsilon, int64_t groups,
                     struct ps_matrix y, float *inverse) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, x);
    int64_t n = x.columns / groups;
    float *row = ps_scratch(stream, x.columns);
    assert(x.columns % groups == 0 && y.rows == x.rows && y.columns == x.columns);
    for (int64_t t = 0; t < x.rows; t++) {
        ps_get_row(row, x, t);
        if (delta.data) {
            for (int64_t c = 0; c < x.columns; c++) {
                ps_put(sum, t, c, row[c] + ps_get(delta, t, c));
                row[c] = ps_get(sum, t, c);
            }
        }
        for (int64_t g = 0; g < groups; g++) {
            const float *h = row + g * n;
            float r = 1 / sqrtf(ps_row_sum_products(h, h, n) / (float)n + epsilon);
            for (int64_t i = 0; i < n; i++) ps_put(y, t, g * n + i, (h[i] * r) * weight[i]);
            if (inverse) inverse[t * groups + g] = r;
        }
    }
    ps_end(stream, operation);
}

/* Rows are summed for dweight in blocks of 64, like all sums over rows. */
static void rms_norm_backward(struct ps_stream *stream, struct ps_matrix x, const float *inverse,
                              const float *weight, int64_t groups, struct ps_matrix dy,
                              struct ps_matrix residual, struct ps_matrix dx, float *dweight) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, x);
    int64_t n = x.columns / groups;
    float *h = ps_scratch(stream, n), *g = ps_scratch(stream, n), *partial = ps_scratch(stream, n);
    for (int64_t t = 0; t < x.rows; t++) {
        if (t % 64 == 0) memset(partial, 0, (size_t)n * sizeof *partial);
        for (int64_t group = 0; group < groups; group++) {
            int64_t first = group * n;
            float r = inverse[t * groups + group];
            for (int64_t i = 0; i < n; i++) {
                float gradient = ps_get(dy, t, first + i);
                h[i] = ps_get(x, t, first + i) * r;
                g[i] = gradient * weight[i];
                partial[i] = partial[i] + gradient * h[i];
            }
            float mean = ps_row_sum_products(g, h, n) / (float)n;
            for (int64_t i = 0; i < n; i++) {
                float d = (g[i] - h[i] * mean) * r;
                if (residual.data) d = d + ps_get(residual, t, first + i);
                ps_put(dx, t, first + i, d);
            }
        }
        if (t % 64 == 63 || t == x.rows - 1)
            for (int64_t i = 0; i < n; i++) dweight[i] = dweight[i] + partial[i];
    }
    ps_end(stream, operation);
}

static void rope(struct ps_stream *stream, const struct ps_rope *rope, const int32_t *positions,
                 struct ps_matrix x, bool backward) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, x);
    int64_t half = rope->rotary / 2;
    bool halves = rope->layout == PS_ROPE_HALVES;
    assert(x.columns == rope->heads * rope->head_size);
    assert(rope->first + rope->rotary <= rope->head_size);
    for (int64_t t = 0; t < x.rows; t++) {
        for (int64_t head = 0; head < rope->heads; head++) {
            for (int64_t i = 0; i < half; i++) {
                int64_t first = head * rope->head_size + rope->first;
                int64_t one = first + (halves ? i : 2 * i);
                int64_t other = first + (halves ? i + half : 2 * i + 1);
                float a = ps_get(x, t, one), b = ps_get(x, t, other);
                float cosine = rope->cosines[positions[t] * half + i];
                float sine = rope->sines[positions[t] * half + i];
                if (backward) {
                    ps_put(x, t, one, a * cosine + b * sine);
                    ps_put(x, t, other, b * cosine - a * sine);
                } else {
                    ps_put(x, t, one, a * cosine - b * sine);
                    ps_put(x, t, other, b * cosine + a * sine);
                }
            }
        }
    }
    ps_end(stream, operation);
}

static void swiglu(struct ps_stream *stream, struct ps_matrix gate_up, struct ps_matrix y) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, gate_up);
    assert(gate_up.columns == 2 * y.columns && gate_up.rows == y.rows);
    for (int64_t t = 0; t < y.rows; t++)
        for (int64_t i = 0; i < y.columns; i++)
            ps_put(y, t, i,
                   ps_math_silu(ps_get(gate_up, t, i)) * ps_get(gate_up, t, y.columns + i));
    ps_end(stream, operation);
}

static void swiglu_backward(struct ps_stream *stream, struct ps_matrix gate_up, struct ps_matrix dy,
                            struct ps_matrix dgate_up) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, gate_up);
    for (int64_t t = 0; t < dy.rows; t++) {
        for (int64_t i = 0; i < dy.columns; i++) {
            float gate = ps_get(gate_up, t, i), up = ps_get(gate_up, t, dy.columns + i);
            float d = ps_get(dy, t, i), s = ps_math_logistic(gate);
            ps_put(dgate_up, t, i, (d * up) * (s * (1 + gate * (1 - s))));
            ps_put(dgate_up, t, dy.columns + i, d * ps_math_silu(gate));
        }
    }
    ps_end(stream, operation);
}

static void add(struct ps_stream *stream, struct ps_matrix a, struct ps_matrix b,
                struct ps_matrix out) {
    struct ps_operation operation = ps_begin(stream);
    for (int64_t t = 0; t < out.rows; t++)
        for (int64_t c = 0; c < out.columns; c++)
            ps_put(out, t, c, ps_get(a, t, c) + ps_get(b, t, c));
    ps_end(stream, operation);
}

static void convert(struct ps_stream *stream, struct ps_matrix from, struct ps_matrix to) {
    struct ps_operation operation = ps_begin(stream);
    for (int64_t t = 0; t < to.rows; t++)
        for (int64_t c = 0; c < to.columns; c++) ps_put(to, t, c, ps_get(from, t, c));
    ps_end(stream, operation);
}

static void gather(struct ps_stream *stream, struct ps_matrix from, const int32_t *rows,
                   struct ps_matrix to) {
    (void)stream;
    for (int64_t i = 0; i < to.rows; i++) copy_row(from, rows[i], to, i);
}

static void scatter(struct ps_stream *stream, struct ps_matrix from, const int32_t *rows,
                    struct ps_matrix to) {
    (void)stream;
    for (int64_t i = 0; i < from.rows; i++) copy_row(from, i, to, rows[i]);
}

const struct ps_row_operations ps_reference_rows = {
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
