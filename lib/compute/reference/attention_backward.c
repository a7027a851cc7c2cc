/* The gradient of packed attention: docs/numerics.md, "Attention".
 *
 * With s = scale * q k^T, p = softmax(s), out = p v and D = sum over a row of dout * out:
 *     dv = p^T dout     dp = dout v^T     ds = scale * p (dp - D)     dq = ds k     dk = ds^T q
 * (Dao et al., arXiv 2205.14135, appendix B.2). Probabilities are computed again from log_sum. The
 * reference walks twice over all pairs of blocks: once by queries for dq, once by keys for dk and
 * dv, each sum in its own order. */

#include "compute/reference/attention_internal.h"

/* Rows [first, first + 128) of one head of a sequence's q, k, v or dout: [128][columns] floats,
 * zero beyond the sequence's end. */
static void read_rows(float *to, struct ps_matrix m, int64_t head, int64_t columns, int64_t first) {
    memset(to, 0, (size_t)(PS_BLOCK * columns) * sizeof *to);
    struct ps_matrix part = ps_matrix_columns(m, head * columns, columns);
    for (int64_t i = 0; i < PS_BLOCK && first + i < m.rows; i++)
        ps_get_row(to + i * columns, part, first + i);
}

static void transpose(float *to, const float *from, int64_t columns) {
    for (int64_t i = 0; i < PS_BLOCK; i++)
        for (int64_t c = 0; c < columns; c++) to[c * PS_BLOCK + i] = from[i * columns + c];
}

/* One sequence: views of its rows. */
struct sequence {
    const struct ps_attention_shape *shape;
    struct ps_matrix q, k, v, out, dout, dq, dk, dv;
    const float *log_sum; /* [rows, H] */
};

/* One block of queries of a head against one block of keys. */
struct pair {
    float *q, *k, *v, *dout;    /* [128][key_size or value_size] */
    float *lines, *other_lines; /* a block transposed */
    float *p, *ds;              /* [128 keys][128 queries], rounded */
    float *dk, *dv;             /* sums of a block of keys */
    float *out;                 /* a row */
};

static struct pair make_pair(struct ps_stream *stream, const struct ps_attention_shape *shape) {
    int64_t keys = PS_BLOCK * shape->key_size, values = PS_BLOCK * shape->value_size;
    return (struct pair){
        .q = ps_scratch(stream, keys),
        .k = ps_scratch(stream, keys),
        .v = ps_scratch(stream, values),
        .dout = ps_scratch(stream, values),
        .lines = ps_scratch(stream, keys),
        .other_lines = ps_scratch(stream, values),
        .p = ps_scratch(stream, PS_BLOCK * PS_BLOCK),
        .ds = ps_scratch(stream, PS_BLOCK * PS_BLOCK),
        .dk = ps_scratch(stream, keys),
        .dv = ps_scratch(stream, values),
        .out = ps_scratch(stream, shape->value_size),
    };
}

/* p and ds of query i of the block of queries at `queries` for the keys of the block at `keys`;
 * element j goes to p[j * step] and ds[j * step]. */
static void one_query(const struct sequence *s, struct pair *pair, int64_t head, int64_t queries,
                      int64_t i, int64_t keys, float *p, float *ds, int64_t step) {
    const struct ps_attention_shape *shape = s->shape;
    int64_t position = queries + i;
    for (int64_t j = 0; j < PS_BLOCK; j++) p[j * step] = ds[j * step] = 0;
    if (position >= s->q.rows) return;
    struct ps_seen seen = ps_seen(shape, position, keys);
    const float *q = pair->q + i * shape->key_size, *dout = pair->dout + i * shape->value_size;
    struct ps_matrix out = ps_matrix_columns(s->out, head * shape->value_size, shape->value_size);
    ps_get_row(pair->out, out, position);
    float d = ps_row_sum_products(dout, pair->out, shape->value_size);
    float log_sum = s->log_sum[position * shape->heads + head];
    for (int64_t j = seen.first; j < seen.end; j++) {
        float score = ps_dot(q, pair->k + j * shape->key_size, shape->key_size) * shape->scale;
        float share = ps_math_exp(score - log_sum);
        float dp = ps_dot(dout, pair->v + j * shape->value_size, shape->value_size);
        p[j * step] = ps_round(s->q.dtype, share);
        ds[j * step] = ps_round(s->q.dtype, (share * (dp - d)) * shape->scale);
    }
}

/* Does any query of the block at `queries` see any key of the block at `keys`? */
static bool meet(const struct sequence *s, int64_t queries, int64_t keys) {
    for (int64_t i = 0; i < PS_BLOCK && queries + i < s->q.rows; i++) {
        struct ps_seen seen = ps_seen(s->shape, queries + i, keys);
        if (seen.first < seen.end) return true;
    }
    return false;
}

static void read_keys(const struct sequence *s, struct pair *pair, int64_t group, int64_t first) {
    read_rows(pair->k, s->k, group, s->shape->key_size, first);
    read_rows(pair->v, s->v, group, s->shape->value_size, first);
}

static void read_queries(const struct sequence *s, struct pair *pair, int64_t head, int64_t first) {
    read_rows(pair->q, s->q, head, s->shape->key_size, first);
    read_rows(pair->dout, s->dout, head, s->shape->value_size, first);
}

/* dq of one head and one block of queries. Its rows are gathered in pair->dk. */
static void query_gradient(const struct sequence *s, struct pair *pair, int64_t head,
                           int64_t queries) {
    const struct ps_attention_shape *shape = s->shape;
    int64_t n = shape->key_size, group = head / (shape->heads / shape->key_value_heads);
    float *dq = pair->dk;
    memset(dq, 0, (size_t)(PS_BLOCK * n) * sizeof *dq);
    read_queries(s, pair, head, queries);
    for (int64_t keys = 0; keys <= queries; keys += PS_BLOCK) {
        if (!meet(s, queries, keys)) continue;
        read_keys(s, pair, group, keys);
        transpose(pair->lines, pair->k, n);
        for (int64_t i = 0; i < PS_BLOCK && queries + i < s->q.rows; i++) {
            one_query(s, pair, head, queries, i, keys, pair->p, pair->ds, 1);
            for (int64_t c = 0; c < n; c++)
                dq[i * n + c] =
                    dq[i * n + c] + ps_dot(pair->ds, pair->lines + c * PS_BLOCK, PS_BLOCK);
        }
    }
    for (int64_t i = 0; i < PS_BLOCK && queries + i < s->q.rows; i++)
        for (int64_t c = 0; c < n; c++) ps_put(s->dq, queries + i, head * n + c, dq[i * n + c]);
}

/* to [128][columns] += p^T m, where p is [128 keys][128 queries] and m comes as lines
 * [columns][128 queries]. */
static void add_product(float *to, const float *p, const float *lines, int64_t columns) {
    for (int64_t j = 0; j < PS_BLOCK; j++)
        for (int64_t c = 0; c < columns; c++)
            to[j * columns + c] =
                to[j * columns + c] + ps_dot(p + j * PS_BLOCK, lines + c * PS_BLOCK, PS_BLOCK);
}

/* dk and dv of one key/value head and one block of keys. */
static void key_gradient(const struct sequence *s, struct pair *pair, int64_t group, int64_t keys) {
    const struct ps_attention_shape *shape = s->shape;
    int64_t n = shape->key_size, m = shape->value_size;
    int64_t heads = shape->heads / shape->key_value_heads;
    memset(pair->dk, 0, (size_t)(PS_BLOCK * n) * sizeof(float));
    memset(pair->dv, 0, (size_t)(PS_BLOCK * m) * sizeof(float));
    read_keys(s, pair, group, keys);
    for (int64_t head = group * heads; head < (group + 1) * heads; head++) {
        for (int64_t queries = keys; queries < s->q.rows; queries += PS_BLOCK) {
            if (!meet(s, queries, keys)) continue;
            read_queries(s, pair, head, queries);
            for (int64_t i = 0; i < PS_BLOCK; i++)
                one_query(s, pair, head, queries, i, keys, pair->p + i, pair->ds + i, PS_BLOCK);
            transpose(pair->lines, pair->q, n);
            transpose(pair->other_lines, pair->dout, m);
            add_product(pair->dk, pair->ds, pair->lines, n);
            add_product(pair->dv, pair->p, pair->other_lines, m);
        }
    }
    for (int64_t j = 0; j < PS_BLOCK && keys + j < s->k.rows; j++) {
        for (int64_t c = 0; c < n; c++) ps_put(s->dk, keys + j, group * n + c, pair->dk[j * n + c]);
        for (int64_t c = 0; c < m; c++) ps_put(s->dv, keys + j, group * m + c, pair->dv[j * m + c]);
    }
}

void ps_reference_packed_backward(struct ps_stream *stream, const struct ps_attention_shape *shape,
                                  int64_t sequences, const int32_t *starts, struct ps_matrix q,
                                  struct ps_matrix k, struct ps_matrix v, struct ps_matrix out,
                                  const float *log_sum, struct ps_matrix dout, struct ps_matrix dq,
                                  struct ps_matrix dk, struct ps_matrix dv) {
    struct ps_operation operation = ps_begin(stream);
    struct pair pair = make_pair(stream, shape);
    assert(!shape->value_in_key); /* training uses MLA with its keys and values written out */
    for (int64_t i = 0; i < sequences; i++) {
        int64_t first = starts[i], rows = starts[i + 1] - first;
        struct sequence s = {
            .shape = shape,
            .q = ps_matrix_rows(q, first, rows),
            .k = ps_matrix_rows(k, first, rows),
            .v = ps_matrix_rows(v, first, rows),
            .out = ps_matrix_rows(out, first, rows),
            .dout = ps_matrix_rows(dout, first, rows),
            .dq = ps_matrix_rows(dq, first, rows),
            .dk = ps_matrix_rows(dk, first, rows),
            .dv = ps_matrix_rows(dv, first, rows),
            .log_sum = log_sum + first * shape->heads,
        };
        for (int64_t block = 0; block < rows; block += PS_BLOCK) {
            for (int64_t h = 0; h < shape->heads; h++) query_gradient(&s, &pair, h, block);
            for (int64_t g = 0; g < shape->key_value_heads; g++) key_gradient(&s, &pair, g, block);
        }
    }
    ps_end(stream, operation);
}
