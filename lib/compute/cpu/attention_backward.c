/* The gradient of packed attention (docs/numerics.md, "Attention").
 *
 * A piece of work is one key/value head of one sequence. Its keys and values are packed once, block
 * by block of 128; then each query head's blocks of queries meet the blocks of keys in ascending
 * order. That is the order of all three sums: dq over the blocks of keys, dk and dv over the query
 * heads and for each over the blocks of queries. */

#include "compute/cpu/attention_internal.h"
#include "compute/cpu/tasks_internal.h"

#include <string.h>

enum { POSITIONS = PS_PAGE_POSITIONS };

struct backward {
    struct ps_cpu_stream *stream;
    const struct ps_attention_shape *shape;
    bool bf16;
    int64_t sequences;
    const int32_t *starts;
    struct ps_matrix q, k, v, out, dout, dq, dk, dv;
    const float *log_sum;
    int64_t stripes;
};

/* Bytes of the operands and sums of a thread. */
struct sizes {
    size_t keys, values, keys_transposed;        /* packed blocks of keys and values, as B */
    size_t queries_transposed, douts_transposed; /* a block of queries and dout, as B */
    size_t queries, douts;                       /* the same as A */
    size_t pairs;                                /* [128][128] floats */
    size_t dk, dv;                               /* [128][size] floats */
};

static struct sizes get_sizes(const struct ps_cpu_kernels *kernels, int64_t key_size,
                              int64_t value_size, bool bf16) {
    size_t key = (size_t)(key_size + PS_CPU_BLOCK) * 4,
           value = (size_t)(value_size + PS_CPU_BLOCK) * 4;
    return (struct sizes){
        .keys = ps_cpu_packed_b_bytes(kernels, POSITIONS, key_size, bf16),
        .values = ps_cpu_packed_b_bytes(kernels, POSITIONS, value_size, bf16),
        .keys_transposed = ps_cpu_packed_b_bytes(kernels, key_size, POSITIONS, bf16),
        .queries_transposed = ps_cpu_packed_b_bytes(kernels, key_size, POSITIONS, bf16),
        .douts_transposed = ps_cpu_packed_b_bytes(kernels, value_size, POSITIONS, bf16),
        .queries = POSITIONS * key,
        .douts = POSITIONS * value,
        .pairs = (size_t)POSITIONS * POSITIONS * sizeof(float),
        .dk = (size_t)(POSITIONS * key_size) * sizeof(float),
        .dv = (size_t)(POSITIONS * value_size) * sizeof(float),
    };
}

/* What a thread works in. Arrays of blocks first: [block] for all blocks of a sequence. */
struct room {
    struct sizes sizes;
    char *keys, *values, *keys_transposed;
    float *dk, *dv, *dq;
    char *queries, *douts, *queries_transposed, *douts_transposed;
    float *p, *ds;
    char *packed; /* p or ds as A */
};

static void *take(char **scratch, size_t bytes) {
    char *taken = *scratch;
    *scratch += (bytes + 63) / 64 * 64;
    return taken;
}

static struct room get_room(char **scratch, struct sizes sizes, size_t blocks) {
    return (struct room){
        .sizes = sizes,
        .keys = take(scratch, blocks * sizes.keys),
        .values = take(scratch, blocks * sizes.values),
        .keys_transposed = take(scratch, blocks * sizes.keys_transposed),
        .dk = take(scratch, blocks * sizes.dk),
        .dv = take(scratch, blocks * sizes.dv),
        .dq = take(scratch, sizes.dk),
        .queries = take(scratch, sizes.queries),
        .douts = take(scratch, sizes.douts),
        .queries_transposed = take(scratch, sizes.queries_transposed),
        .douts_transposed = take(scratch, sizes.douts_transposed),
        .p = take(scratch, sizes.pairs),
        .ds = take(scratch, sizes.pairs),
        .packed = take(scratch, sizes.pairs),
    };
}

size_t ps_cpu_attention_backward_scratch(const struct ps_cpu_kernels *kernels,
                                         const struct ps_compute_limits *limits) {
    char base[1], *end = base; /* only distances count */
    struct sizes sizes = get_sizes(kernels, limits->head_size, limits->head_size, false);
    get_room(&end, sizes, (size_t)(limits->positions / POSITIONS + 1));
    return (size_t)(end - base);
}

/* Rows [first, first + count) of one head's columns. */
static struct ps_matrix part(struct ps_matrix m, int64_t first, int64_t count, int64_t head,
                             int64_t size) {
    return ps_matrix_columns(ps_matrix_rows(m, first, count), head * size, size);
}

static void pack_b(const struct backward *w, struct ps_matrix m, bool transposed, void *to) {
    struct ps_cpu_source source = transposed ? ps_cpu_transposed(m) : ps_cpu_source(m);
    w->stream->kernels->pack_b(&source, 0, source.rows, w->bf16, to);
}

static void pack_a(const struct backward *w, struct ps_matrix m, bool transposed, void *to) {
    struct ps_cpu_source source = transposed ? ps_cpu_transposed(m) : ps_cpu_source(m);
    w->stream->kernels->pack_a(&source, 0, source.rows, w->bf16, to);
}

/* y (+)= a b^T over k elements, y [rows, columns] with the given stride. */
static void product(const struct backward *w, const void *a, int64_t rows, const void *b,
                    int64_t columns, int64_t k, float *y, int64_t stride, bool accumulate) {
    int64_t blocks = (k + PS_CPU_BLOCK - 1) / PS_CPU_BLOCK;
    ps_cpu_packed_product(w->stream->kernels, w->bf16, a, rows, b, columns, blocks, blocks, y,
                          stride, accumulate);
}

/* One block of queries against one block of keys; `arguments` says what is seen. */
static void meet(const struct backward *w, struct room *room,
                 const struct ps_cpu_score_gradient *arguments, int64_t block) {
    const int64_t n = w->shape->key_size, m = w->shape->value_size;
    const int64_t queries = arguments->rows, keys = arguments->columns;
    const char *key_block = room->keys + (size_t)block * room->sizes.keys;
    const char *value_block = room->values + (size_t)block * room->sizes.values;
    const char *key_columns = room->keys_transposed + (size_t)block * room->sizes.keys_transposed;
    float *dk = room->dk + block * POSITIONS * n, *dv = room->dv + block * POSITIONS * m;
    struct ps_matrix p = ps_matrix(room->p, PS_DTYPE_F32, queries, keys);
    struct ps_matrix ds = ps_matrix(room->ds, PS_DTYPE_F32, queries, keys);
    p.stride = ds.stride = POSITIONS;
    product(w, room->queries, queries, key_block, keys, n, room->p, POSITIONS, false);
    product(w, room->douts, queries, value_block, keys, m, room->ds, POSITIONS, false);
    w->stream->kernels->attention->gradients(arguments, room->p, room->ds);
    pack_a(w, p, true, room->packed);
    product(w, room->packed, keys, room->douts_transposed, m, queries, dv, m, true);
    pack_a(w, ds, true, room->packed);
    product(w, room->packed, keys, room->queries_transposed, n, queries, dk, n, true);
    pack_a(w, ds, false, room->packed);
    product(w, room->packed, queries, key_columns, n, keys, room->dq, n, true);
}

/* A block of queries of one head against all blocks of keys that it sees. */
static void query_block(const struct backward *w, struct room *room, int64_t start, int64_t rows,
                        int64_t head, int64_t first) {
    const struct ps_attention_shape *shape = w->shape;
    const int64_t n = shape->key_size, m = shape->value_size,
                  count = ps_min(POSITIONS, rows - first);
    struct ps_matrix q = part(w->q, start + first, count, head, n);
    struct ps_matrix out = part(w->out, start + first, count, head, m);
    struct ps_matrix dout = part(w->dout, start + first, count, head, m);
    struct ps_cpu_score_gradient arguments = {.rows = (int)count, .scale = shape->scale};
    pack_a(w, q, false, room->queries);
    pack_b(w, q, true, room->queries_transposed);
    pack_a(w, dout, false, room->douts);
    pack_b(w, dout, true, room->douts_transposed);
    memset(room->dq, 0, (size_t)(count * n) * sizeof *room->dq);
    for (int64_t i = 0; i < count; i++) {
        arguments.log_sum[i] = w->log_sum[(start + first + i) * shape->heads + head];
        arguments.row_sum[i] = w->stream->kernels->attention->row_products(dout, out, i);
    }
    for (int64_t keys = 0; keys <= first; keys += POSITIONS) {
        bool seen = false;
        for (int64_t i = 0; i < count; i++) {
            ps_cpu_seen(shape, first + i, keys, arguments.seen_first + i, arguments.seen_end + i);
            seen = seen || arguments.seen_first[i] < arguments.seen_end[i];
        }
        arguments.columns = (int)ps_min(POSITIONS, rows - keys);
        if (seen) meet(w, room, &arguments, keys / POSITIONS);
    }
    struct ps_cpu_convert convert = {ps_matrix(room->dq, PS_DTYPE_F32, count, n),
                                     part(w->dq, start + first, count, head, n)};
    w->stream->kernels->tasks->convert(&convert, 0, count);
}

/* One key/value head of one sequence. */
static void head_of_sequence(const struct backward *w, int64_t s, int64_t group) {
    const struct ps_attention_shape *shape = w->shape;
    const int64_t start = w->starts[s], rows = w->starts[s + 1] - start;
    const int64_t n = shape->key_size, m = shape->value_size,
                  heads = shape->heads / shape->key_value_heads;
    const int64_t blocks = (rows + POSITIONS - 1) / POSITIONS;
    char *scratch = ps_cpu_thread_scratch(w->stream, ps_cpu_thread());
    struct room room =
        get_room(&scratch, get_sizes(w->stream->kernels, n, m, w->bf16), (size_t)blocks);
    memset(room.dk, 0, (size_t)blocks * room.sizes.dk);
    memset(room.dv, 0, (size_t)blocks * room.sizes.dv);
    for (int64_t block = 0; block < blocks; block++) {
        int64_t first = block * POSITIONS, count = ps_min(POSITIONS, rows - first);
        struct ps_matrix k = part(w->k, start + first, count, group, n);
        pack_b(w, k, false, room.keys + (size_t)block * room.sizes.keys);
        pack_b(w, k, true, room.keys_transposed + (size_t)block * room.sizes.keys_transposed);
        pack_b(w, part(w->v, start + first, count, group, m), false,
               room.values + (size_t)block * room.sizes.values);
    }
    for (int64_t h = group * heads; h < (group + 1) * heads; h++)
        for (int64_t first = 0; first < rows; first += POSITIONS)
            query_block(w, &room, start, rows, h, first);
    struct ps_cpu_convert dk = {ps_matrix(room.dk, PS_DTYPE_F32, rows, n),
                                part(w->dk, start, rows, group, n)};
    struct ps_cpu_convert dv = {ps_matrix(room.dv, PS_DTYPE_F32, rows, m),
                                part(w->dv, start, rows, group, m)};
    w->stream->kernels->tasks->convert(&dk, 0, rows);
    w->stream->kernels->tasks->convert(&dv, 0, rows);
}

/* Stripes [first, end): every stripes-th piece of work. */
static void backward_stripes(const void *arguments, int64_t first, int64_t end) {
    const struct backward *w = arguments;
    const int64_t heads = w->shape->key_value_heads;
    for (int64_t item = 0; item < w->sequences * heads; item++)
        if (item % w->stripes >= first && item % w->stripes < end)
            head_of_sequence(w, item / heads, item % heads);
}

void ps_cpu_packed_backward(struct ps_stream *stream, const struct ps_attention_shape *shape,
                            int64_t sequences, const int32_t *starts, struct ps_matrix q,
                            struct ps_matrix k, struct ps_matrix v, struct ps_matrix out,
                            const float *log_sum, struct ps_matrix dout, struct ps_matrix dq,
                            struct ps_matrix dk, struct ps_matrix dv) {
    struct backward work = {
        .stream = ps_cpu_stream(stream),
        .shape = shape,
        .bf16 = q.dtype == PS_DTYPE_BF16,
        .sequences = sequences,
        .starts = starts,
        .q = q,
        .k = k,
        .v = v,
        .out = out,
        .dout = dout,
        .dq = dq,
        .dk = dk,
        .dv = dv,
        .log_sum = log_sum,
        .stripes = ps_cpu_stream(stream)->threads,
    };
    double pairs = 0;
    assert(!shape->value_in_key);
    for (int64_t s = 0; s < sequences; s++) {
        double rows = starts[s + 1] - starts[s];
        pairs += rows * rows / 2 * (double)shape->heads;
    }
    ps_cpu_run(stream, backward_stripes, &work, work.stripes,
               pairs * (double)(shape->key_size + shape->value_size) / 25 / (double)work.stripes);
}
