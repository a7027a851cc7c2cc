/* Attention: docs/numerics.md, "Attention".
 *
 * A query meets its keys in blocks of 128 positions counted from 0 in its sequence. Where the keys
 * come from, pages of a cache or rows of a packed batch, is the only difference between the two
 * forwards. A block's keys are read once for all query heads that share them.
 *
 * A page holds for each of its 128 positions the keys of all heads, then likewise the values
 * (unless they are in the keys), then in FP8 the scales of the keys and those of the values. */

#include "compute/reference/attention_internal.h"

/* ---- the cache ---------------------------------------------------------------------------- */

struct layout {
    size_t values, key_scales, value_scales, bytes; /* offsets into a page */
};

static struct layout page_layout(const struct ps_attention_shape *shape) {
    size_t rows = (size_t)(PS_BLOCK * shape->key_value_heads), size = ps_dtype_size(shape->cache);
    size_t value_size = shape->value_in_key ? 0 : (size_t)shape->value_size;
    size_t scales = shape->cache == PS_DTYPE_F8_E4M3 ? rows * sizeof(float) : 0;
    struct layout layout;
    layout.values = rows * (size_t)shape->key_size * size;
    layout.key_scales = layout.values + rows * value_size * size;
    layout.value_scales = layout.key_scales + scales;
    layout.bytes = layout.value_scales + (value_size ? scales : 0);
    layout.bytes = (layout.bytes + 63) / 64 * 64;
    return layout;
}

static size_t page_bytes(const struct ps_compute *compute, const struct ps_attention_shape *shape) {
    (void)compute;
    return page_layout(shape).bytes;
}

/* One key or value into the row `index` = position in the page * heads + head. */
static void write_row(char *rows, float *scales, enum ps_dtype cache, struct ps_matrix row,
                      int64_t index, int64_t *bad) {
    if (cache == PS_DTYPE_F8_E4M3) {
        uint8_t *codes = (uint8_t *)rows + index * row.columns;
        scales[index] = ps_reference_quantise_tile(row, codes, row.columns, 1, bad);
        return;
    }
    struct ps_matrix to = ps_matrix(rows, cache, index + 1, row.columns);
    for (int64_t c = 0; c < row.columns; c++) ps_put(to, index, c, ps_get(row, 0, c));
}

static void read_row(float *to, const char *rows, const float *scales, enum ps_dtype cache,
                     int64_t index, int64_t columns) {
    if (cache == PS_DTYPE_F8_E4M3) {
        const uint8_t *codes = (const uint8_t *)rows + index * columns;
        for (int64_t c = 0; c < columns; c++) to[c] = ps_f32_from_e4m3(codes[c]) * scales[index];
        return;
    }
    ps_get_row(to, ps_matrix((char *)rows, cache, index + 1, columns), index);
}

static void append(struct ps_stream *stream, const struct ps_attention_shape *shape,
                   const struct ps_paged_batch *batch, struct ps_matrix k, struct ps_matrix v,
                   void *cache) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, k);
    struct layout layout = page_layout(shape);
    int64_t bad = 0, heads = shape->key_value_heads;
    for (int64_t s = 0; s < batch->sequences; s++) {
        for (int64_t row = batch->first_row[s]; row < batch->first_row[s + 1]; row++) {
            int64_t position = batch->first_position[s] + row - batch->first_row[s];
            assert(position < stream->limits.positions);
            char *page =
                (char *)cache +
                (size_t)batch->pages[s * batch->pages_stride + position / PS_BLOCK] * layout.bytes;
            for (int64_t g = 0; g < heads; g++) {
                int64_t index = position % PS_BLOCK * heads + g;
                struct ps_matrix key = ps_matrix_rows(k, row, 1);
                key = ps_matrix_columns(key, g * shape->key_size, shape->key_size);
                write_row(page, (float *)(page + layout.key_scales), shape->cache, key, index,
                          &bad);
                if (shape->value_in_key) continue;
                struct ps_matrix value = ps_matrix_rows(v, row, 1);
                value = ps_matrix_columns(value, g * shape->value_size, shape->value_size);
                write_row(page + layout.values, (float *)(page + layout.value_scales), shape->cache,
                          value, index, &bad);
            }
        }
    }
    ps_reference_report_bad(stream, bad, "the key/value cache");
    ps_end(stream, operation);
}

/* ---- where a sequence's keys and values are ------------------------------------------------ */

struct source {
    const struct ps_attention_shape *shape;
    const int32_t *pages; /* of the sequence; NULL: packed */
    const char *cache;
    struct ps_matrix k, v; /* packed: the rows of the sequence */
};

/* A key, or a value, as floats. */
static void read_source(float *to, const struct source *source, bool value, int64_t position,
                        int64_t head) {
    const struct ps_attention_shape *shape = source->shape;
    int64_t size = value ? shape->value_size : shape->key_size;
    if (!source->pages) {
        struct ps_matrix rows = value ? source->v : source->k;
        ps_get_row(to, ps_matrix_columns(rows, head * size, size), position);
        return;
    }
    struct layout layout = page_layout(shape);
    const char *page = source->cache + (size_t)source->pages[position / PS_BLOCK] * layout.bytes;
    const char *scales = page + (value ? layout.value_scales : layout.key_scales);
    read_row(to, value ? page + layout.values : page, (const float *)scales, shape->cache,
             position % PS_BLOCK * shape->key_value_heads + head, size);
}

/* ---- one query ---------------------------------------------------------------------------- */

/* The keys of a block [128][key_size] and its values [value_size][128]; positions that are not
 * seen are zero. */
struct block {
    float *keys, *values, *row;
};

static void read_block(struct block *block, const struct source *source, int64_t first,
                       struct ps_seen seen, int64_t head) {
    const struct ps_attention_shape *shape = source->shape;
    memset(block->keys, 0, (size_t)(PS_BLOCK * shape->key_size) * sizeof(float));
    memset(block->values, 0, (size_t)(PS_BLOCK * shape->value_size) * sizeof(float));
    for (int64_t j = seen.first; j < seen.end; j++) {
        float *key = block->keys + j * shape->key_size, *value = block->row;
        read_source(key, source, false, first + j, head);
        if (shape->value_in_key)
            value = key;
        else
            read_source(value, source, true, first + j, head);
        for (int64_t c = 0; c < shape->value_size; c++) block->values[c * PS_BLOCK + j] = value[c];
    }
}

/* What a query head has gathered over the blocks so far. */
struct head_state {
    float *query, *out; /* [key_size], [value_size] */
    float max, sum;
    bool begun;
};

static void meet_block(struct head_state *head, const struct ps_attention_shape *shape,
                       enum ps_dtype type, const struct block *block, struct ps_seen seen) {
    float s[PS_BLOCK], p[PS_BLOCK] = {0}, ones[PS_BLOCK], max = -INFINITY;
    for (int64_t j = 0; j < PS_BLOCK; j++) ones[j] = 1;
    for (int64_t j = seen.first; j < seen.end; j++) {
        const float *key = block->keys + j * shape->key_size;
        s[j] = ps_dot(head->query, key, shape->key_size) * shape->scale;
        if (j == seen.first || s[j] > max) max = s[j];
    }
    for (int64_t j = seen.first; j < seen.end; j++) p[j] = ps_round(type, ps_math_exp(s[j] - max));

    float merged = head->begun && head->max > max ? head->max : max;
    float old_share = head->begun ? ps_math_exp(head->max - merged) : 0;
    float new_share = head->begun ? ps_math_exp(max - merged) : 1;
    float sum = ps_dot(p, ones, PS_BLOCK);
    head->sum = head->begun ? head->sum * old_share + sum * new_share : sum;
    for (int64_t c = 0; c < shape->value_size; c++) {
        float o = ps_dot(p, block->values + c * PS_BLOCK, PS_BLOCK);
        head->out[c] = head->begun ? head->out[c] * old_share + o * new_share : o;
    }
    head->max = merged;
    head->begun = true;
}

/* Row `row` of q and out, at `position` of its sequence; log_sum [H] of the row, or NULL. */
static void attend(struct ps_stream *stream, const struct source *source, int64_t position,
                   struct ps_matrix q, struct ps_matrix out, int64_t row, float *log_sum) {
    const struct ps_attention_shape *shape = source->shape;
    int64_t group = shape->heads / shape->key_value_heads;
    size_t kept = stream->scratch_used;
    struct block block = {
        .keys = ps_scratch(stream, PS_BLOCK * shape->key_size),
        .values = ps_scratch(stream, PS_BLOCK * shape->value_size),
        .row = ps_scratch(stream, shape->value_size),
    };
    float *queries = ps_scratch(stream, group * shape->key_size);
    float *outs = ps_scratch(stream, group * shape->value_size);
    struct head_state *heads =
        (void *)ps_scratch(stream, group * (int64_t)(sizeof *heads / sizeof(float)));
    for (int64_t g = 0; g < shape->key_value_heads; g++) {
        for (int64_t i = 0; i < group; i++) {
            heads[i] = (struct head_state){
                .query = queries + i * shape->key_size,
                .out = outs + i * shape->value_size,
            };
            struct ps_matrix query =
                ps_matrix_columns(q, (g * group + i) * shape->key_size, shape->key_size);
            ps_get_row(heads[i].query, query, row);
        }
        for (int64_t first = 0; first <= position; first += PS_BLOCK) {
            struct ps_seen seen = ps_seen(shape, position, first);
            if (seen.first >= seen.end) continue;
            read_block(&block, source, first, seen, g);
            for (int64_t i = 0; i < group; i++) meet_block(heads + i, shape, q.dtype, &block, seen);
        }
        for (int64_t i = 0; i < group; i++) {
            int64_t h = g * group + i;
            for (int64_t c = 0; c < shape->value_size; c++)
                ps_put(out, row, h * shape->value_size + c, heads[i].out[c] / heads[i].sum);
            if (log_sum) log_sum[h] = heads[i].max + ps_math_log(heads[i].sum);
        }
    }
    stream->scratch_used = kept;
}

static void check_shape(struct ps_stream *stream, const struct ps_attention_shape *shape) {
    assert(shape->heads % shape->key_value_heads == 0);
    assert(shape->heads <= stream->limits.heads);
    assert(shape->key_size <= stream->limits.head_size);
    assert(shape->value_size <= stream->limits.head_size);
    assert(!shape->value_in_key || shape->value_size <= shape->key_size);
    (void)stream;
    (void)shape;
}

static void paged(struct ps_stream *stream, const struct ps_attention_shape *shape,
                  const struct ps_paged_batch *batch, struct ps_matrix q, const void *cache,
                  struct ps_matrix out) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, q);
    ps_check_limits(stream, out);
    check_shape(stream, shape);
    for (int64_t s = 0; s < batch->sequences; s++) {
        struct source source = {
            .shape = shape,
            .pages = batch->pages + s * batch->pages_stride,
            .cache = cache,
        };
        for (int64_t row = batch->first_row[s]; row < batch->first_row[s + 1]; row++) {
            int64_t position = batch->first_position[s] + row - batch->first_row[s];
            attend(stream, &source, position, q, out, row, NULL);
        }
    }
    ps_end(stream, operation);
}

static void packed_forward(struct ps_stream *stream, const struct ps_attention_shape *shape,
                           int64_t sequences, const int32_t *starts, struct ps_matrix q,
                           struct ps_matrix k, struct ps_matrix v, struct ps_matrix out,
                           float *log_sum) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, q);
    check_shape(stream, shape);
    for (int64_t s = 0; s < sequences; s++) {
        int64_t rows = starts[s + 1] - starts[s];
        struct source source = {.shape = shape, .k = ps_matrix_rows(k, starts[s], rows)};
        if (!shape->value_in_key) source.v = ps_matrix_rows(v, starts[s], rows);
        for (int64_t t = 0; t < rows; t++)
            attend(stream, &source, t, q, out, starts[s] + t,
                   log_sum + (starts[s] + t) * shape->heads);
    }
    ps_end(stream, operation);
}

const struct ps_attention_operations ps_reference_attention = {
    .page_bytes = page_bytes,
    .append = append,
    .paged = paged,
    .packed_forward = packed_forward,
    .packed_backward = ps_reference_packed_backward,
};
