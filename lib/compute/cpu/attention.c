/* Attention over pages of 128 positions.
 *
 * A page (attention_internal.h) holds packed operands, so that both products are the linear layers'
 * kernels. Up to 48 rows of queries meet one page after the other: scores, softmax, product with
 * the values, merge. In a decode step the rows are the query heads that share a key/value head.
 * Training packs its keys and values into pages in scratch memory first.
 *
 * FP8 caches and values that lie in the keys (MLA) are the reference's, with its own pages. */

#include "compute/cpu/attention_internal.h"

enum { POSITIONS = PS_PAGE_POSITIONS, QUERIES = PS_CPU_QUERIES };

static bool is_reference(const struct ps_attention_shape *shape) {
    return shape->cache == PS_DTYPE_F8_E4M3 || shape->value_in_key;
}

static int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* ---- the cache ---------------------------------------------------------------------------- */

static size_t page_bytes(const struct ps_compute *compute, const struct ps_attention_shape *shape) {
    if (is_reference(shape)) return ps_reference_attention.page_bytes(compute, shape);
    return ps_cpu_page_layout(((const struct ps_cpu *)compute)->kernels, shape).bytes;
}

static void append(struct ps_stream *stream, const struct ps_attention_shape *shape,
                   const struct ps_paged_batch *batch, struct ps_matrix k, struct ps_matrix v,
                   void *cache) {
    if (is_reference(shape)) {
        ps_reference_attention.append(stream, shape, batch, k, v, cache);
        return;
    }
    ps_cpu_append(stream, shape, batch, k, v, cache);
}

/* ---- products ----------------------------------------------------------------------------- */

void ps_cpu_packed_product(const struct ps_cpu_kernels *kernels, bool bf16, const void *a,
                           int64_t rows, const void *b, int64_t columns, int64_t blocks,
                           int64_t used, float *y, int64_t stride, bool accumulate) {
    const int64_t lanes = kernels->lanes, tile = kernels->tile_rows;
    const int64_t a_row = blocks * PS_CPU_BLOCK * (bf16 && kernels->pairs ? 2 : 4);
    const int64_t b_panel = blocks * PS_CPU_BLOCK * lanes * (bf16 ? 2 : 4);
    float totals[PS_CPU_MOST_TOTALS] __attribute__((aligned(64)));
    for (int64_t c = 0; c < columns; c += lanes) {
        for (int64_t r = 0; r < rows; r += tile) {
            int count = (int)ps_min(rows - r, tile);
            struct ps_cpu_target target = {y + r * stride + c, PS_DTYPE_F32, stride, NULL,
                                           accumulate};
            kernels->multiply(count, bf16, (const char *)a + r * a_row,
                              (const char *)b + c / lanes * b_panel, used, totals);
            kernels->finish(totals, count, ps_min(columns - c, lanes), &target);
        }
    }
}

/* ---- queries against pages ---------------------------------------------------------------- */

/* Rows of queries of one key/value head. Row i stands at position + i * step. */
struct queries {
    struct ps_matrix q, out; /* views of their columns */
    int64_t group, position, step;
    float *log_sum; /* of the first one, or NULL */
    int64_t log_sum_step;
};

struct work {
    struct ps_cpu_stream *stream;
    struct ps_cpu_page_layout layout;
    const struct ps_attention_shape *shape;
    const struct ps_paged_batch *batch;
    const int32_t *first_page; /* of each sequence, where its pages follow each other; or NULL */
    struct ps_matrix q, out;
    const char *cache;
    float *log_sum; /* [T, H], or NULL */
    int64_t stripes;
};

/* A thread's buffers: packed queries, scores, packed probabilities, outputs. */
struct buffers {
    char *q;
    float *scores;
    char *p;
    float *out;
};

static size_t rounded(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static struct buffers get_buffers(char *scratch, const struct ps_attention_shape *shape) {
    struct buffers b = {.q = scratch};
    size_t key_size = (size_t)ceil_div(shape->key_size, PS_CPU_BLOCK) * PS_CPU_BLOCK;
    b.scores = (float *)(b.q + rounded(QUERIES * key_size * 4));
    b.p = (char *)(b.scores + QUERIES * POSITIONS);
    b.out = (float *)(b.p + (size_t)QUERIES * POSITIONS * 4);
    return b;
}

/* One page; its first position is `first`. */
static void meet_page(const struct work *work, const struct queries *queries,
                      struct ps_cpu_softmax *state, const struct buffers *buffers, const char *page,
                      int64_t first) {
    const struct ps_cpu_page_layout *layout = &work->layout;
    const struct ps_cpu_kernels *kernels = layout->kernels;
    const struct ps_attention_shape *shape = work->shape;
    const int64_t lanes = kernels->lanes, value_size = shape->value_size;
    const int64_t tile = kernels->tile_rows,
                  p_row = POSITIONS * (layout->bf16 && kernels->pairs ? 2 : 4);
    const int64_t value_panel = POSITIONS * lanes * (layout->bf16 ? 2 : 4);
    int32_t end = 0;
    for (int i = 0; i < state->rows; i++) {
        ps_cpu_seen(shape, queries->position + i * queries->step, first, state->seen_first + i,
                    state->seen_end + i);
        if (state->seen_first[i] < state->seen_end[i] && state->seen_end[i] > end)
            end = state->seen_end[i];
    }
    if (end == 0) return;
    ps_cpu_packed_product(kernels, layout->bf16, buffers->q, state->rows,
                          ps_cpu_page_keys(layout, page, queries->group),
                          ceil_div(end, lanes) * lanes, layout->key_blocks, layout->key_blocks,
                          buffers->scores, POSITIONS, false);
    kernels->attention->softmax(state, buffers->scores, shape->scale, layout->bf16, buffers->p);
    kernels->attention->share(state);
    const char *values = ps_cpu_page_values(layout, page, queries->group);
    float totals[PS_CPU_MOST_TOTALS] __attribute__((aligned(64)));
    for (int64_t c = 0; c < value_size; c += lanes) {
        for (int r = 0; r < state->rows; r += (int)tile) {
            int count = (int)ps_min(state->rows - r, tile);
            kernels->multiply(count, layout->bf16, buffers->p + r * p_row,
                              values + c / lanes * value_panel, ceil_div(end, PS_CPU_BLOCK),
                              totals);
            kernels->attention->merge(state, r, count, totals, ps_min(value_size - c, lanes),
                                      buffers->out + r * value_size + c, value_size);
        }
    }
}

static void attend(const struct work *work, const struct queries *queries, int64_t s) {
    const int32_t *pages = work->batch->pages +
                           (work->first_page ? work->first_page[s] : s * work->batch->pages_stride);
    const struct ps_cpu_kernels *kernels = work->layout.kernels;
    struct buffers buffers =
        get_buffers(ps_cpu_thread_scratch(work->stream, ps_cpu_thread()), work->shape);
    struct ps_cpu_softmax state = {.rows = (int)queries->q.rows};
    struct ps_cpu_source source = ps_cpu_source(queries->q);
    int64_t last = queries->position + (state.rows - 1) * queries->step, first = 0;
    if (work->shape->window > 0 && queries->position >= work->shape->window)
        first = (queries->position - work->shape->window + 1) / POSITIONS;
    for (int i = 0; i < state.rows; i++) state.max[i] = -INFINITY;
    kernels->pack_a(&source, 0, state.rows, work->layout.bf16, buffers.q);
    for (int64_t page = first; page * POSITIONS <= last; page++)
        meet_page(work, queries, &state, &buffers,
                  work->cache + (size_t)pages[page] * work->layout.bytes, page * POSITIONS);
    kernels->attention->divide(&state, buffers.out, queries->out, queries->log_sum,
                               queries->log_sum_step);
}

/* A decode step: the query heads of one key/value head, in parts of up to QUERIES. */
static void attend_heads(const struct work *work, int64_t s, int64_t group) {
    const struct ps_attention_shape *shape = work->shape;
    const int64_t row = work->batch->first_row[s], heads = shape->heads / shape->key_value_heads;
    for (int64_t h = group * heads; h < (group + 1) * heads; h += QUERIES) {
        int64_t count = ps_min(QUERIES, (group + 1) * heads - h);
        struct ps_matrix q = ps_matrix_rows(work->q, row, 1);
        struct ps_matrix out = ps_matrix_rows(work->out, row, 1);
        q = ps_matrix_columns(q, h * shape->key_size, count * shape->key_size);
        out = ps_matrix_columns(out, h * shape->value_size, count * shape->value_size);
        struct queries queries = {
            .q = ps_matrix(q.data, q.dtype, count, shape->key_size),
            .out = ps_matrix(out.data, out.dtype, count, shape->value_size),
            .group = group,
            .position = work->batch->first_position[s],
            .log_sum = work->log_sum ? work->log_sum + row * shape->heads + h : NULL,
            .log_sum_step = 1,
        };
        attend(work, &queries, s);
    }
}

/* Rows from `row` on of sequence s, one query head. */
static void attend_rows(const struct work *work, int64_t s, int64_t row, int64_t head) {
    const struct ps_attention_shape *shape = work->shape;
    const struct ps_paged_batch *batch = work->batch;
    const int64_t count = ps_min(QUERIES, batch->first_row[s + 1] - row);
    struct ps_matrix q = ps_matrix_rows(work->q, row, count);
    struct ps_matrix out = ps_matrix_rows(work->out, row, count);
    struct queries queries = {
        .q = ps_matrix_columns(q, head * shape->key_size, shape->key_size),
        .out = ps_matrix_columns(out, head * shape->value_size, shape->value_size),
        .group = head / (shape->heads / shape->key_value_heads),
        .position = batch->first_position[s] + row - batch->first_row[s],
        .step = 1,
        .log_sum = work->log_sum ? work->log_sum + row * shape->heads + head : NULL,
        .log_sum_step = shape->heads,
    };
    attend(work, &queries, s);
}

/* Stripes [first, end): every stripes-th piece of work. */
static void attend_stripes(const void *arguments, int64_t first, int64_t end) {
    const struct work *work = arguments;
    const struct ps_attention_shape *shape = work->shape;
    const struct ps_paged_batch *batch = work->batch;
    int64_t item = 0;
    for (int64_t s = 0; s < batch->sequences; s++) {
        if (batch->first_row[s + 1] - batch->first_row[s] == 1) {
            for (int64_t g = 0; g < shape->key_value_heads; g++, item++)
                if (item % work->stripes >= first && item % work->stripes < end)
                    attend_heads(work, s, g);
            continue;
        }
        for (int64_t row = batch->first_row[s]; row < batch->first_row[s + 1]; row += QUERIES)
            for (int64_t h = 0; h < shape->heads; h++, item++)
                if (item % work->stripes >= first && item % work->stripes < end)
                    attend_rows(work, s, row, h);
    }
}

static void run(struct ps_stream *stream, const struct ps_attention_shape *shape,
                const struct ps_paged_batch *batch, const int32_t *first_page, struct ps_matrix q,
                const void *cache, struct ps_matrix out, float *log_sum) {
    struct work work = {
        .stream = ps_cpu_stream(stream),
        .layout = ps_cpu_page_layout(ps_cpu_stream(stream)->kernels, shape),
        .shape = shape,
        .batch = batch,
        .first_page = first_page,
        .q = q,
        .out = out,
        .cache = cache,
        .log_sum = log_sum,
        .stripes = ps_cpu_stream(stream)->threads,
    };
    double pairs = 0; /* of a query and a key */
    for (int64_t s = 0; s < batch->sequences; s++) {
        double rows = batch->first_row[s + 1] - batch->first_row[s];
        pairs += rows * (batch->first_position[s] + rows / 2);
    }
    pairs *= (double)shape->heads;
    ps_cpu_run(stream, attend_stripes, &work, work.stripes,
               pairs * (double)(shape->key_size + shape->value_size + 64) / 80 /
                   (double)work.stripes);
}

static void check_shape(struct ps_stream *stream, const struct ps_attention_shape *shape) {
    assert(shape->heads % shape->key_value_heads == 0);
    assert(shape->key_size <= stream->limits.head_size);
    assert(shape->value_size <= stream->limits.head_size);
    (void)stream;
    (void)shape;
}

static void paged(struct ps_stream *stream, const struct ps_attention_shape *shape,
                  const struct ps_paged_batch *batch, struct ps_matrix q, const void *cache,
                  struct ps_matrix out) {
    if (is_reference(shape)) {
        ps_reference_attention.paged(stream, shape, batch, q, cache, out);
        return;
    }
    check_shape(stream, shape);
    run(stream, shape, batch, NULL, q, cache, out, NULL);
}

/* ---- training ----------------------------------------------------------------------------- */

static int64_t pages_at_once(const struct ps_compute_limits *limits) {
    return limits->rows / POSITIONS + limits->positions / POSITIONS + 32;
}

static struct ps_attention_shape largest_shape(const struct ps_compute_limits *limits) {
    return (struct ps_attention_shape){
        .heads = limits->heads,
        .key_value_heads = limits->key_value_heads,
        .key_size = limits->head_size,
        .value_size = limits->head_size,
        .cache = PS_DTYPE_F32,
    };
}

/* In waves of as many whole sequences as there are pages for. */
static void packed_forward(struct ps_stream *stream, const struct ps_attention_shape *shape,
                           int64_t sequences, const int32_t *starts, struct ps_matrix q,
                           struct ps_matrix k, struct ps_matrix v, struct ps_matrix out,
                           float *log_sum) {
    if (shape->value_in_key) {
        ps_reference_attention.packed_forward(stream, shape, sequences, starts, q, k, v, out,
                                              log_sum);
        return;
    }
    struct ps_attention_shape own = *shape;
    own.cache = q.dtype;
    check_shape(stream, shape);
    const int64_t most = pages_at_once(&stream->limits);
    int32_t *pages = (int32_t *)ps_cpu_stream(stream)->shared_scratch;
    int32_t *zeros = pages + most, *first_page = zeros + most;
    char *cache = (char *)pages + rounded((size_t)(3 * most) * sizeof(int32_t));
    for (int64_t i = 0; i < most; i++) {
        pages[i] = (int32_t)i;
        zeros[i] = 0;
    }
    for (int64_t s = 0; s < sequences;) {
        int64_t count = 0, used = 0;
        while (s + count < sequences && count < most) {
            int64_t wanted = ceil_div(starts[s + count + 1] - starts[s + count], POSITIONS);
            if (wanted > most - used) break;
            first_page[count++] = (int32_t)used;
            used += wanted;
        }
        struct ps_paged_batch batch = {count, 0, starts + s, zeros, pages};
        ps_cpu_make_pages(stream, &own, &batch, k, v, cache, used);
        run(stream, &own, &batch, first_page, q, cache, out, log_sum);
        s += count;
    }
}

/* ---- scratch ------------------------------------------------------------------------------ */

size_t ps_cpu_attention_shared(const struct ps_cpu_kernels *kernels,
                               const struct ps_compute_limits *limits) {
    struct ps_attention_shape shape = largest_shape(limits);
    size_t most = (size_t)pages_at_once(limits);
    return rounded(most * 3 * sizeof(int32_t)) + most * ps_cpu_page_layout(kernels, &shape).bytes;
}

size_t ps_cpu_attention_scratch(const struct ps_compute_limits *limits) {
    struct ps_attention_shape shape = largest_shape(limits);
    char base[1]; /* only distances count */
    return (size_t)((char *)get_buffers(base, &shape).out - base) +
           (size_t)(QUERIES * limits->head_size) * sizeof(float);
}

const struct ps_attention_operations ps_cpu_attention = {
    .page_bytes = page_bytes,
    .append = append,
    .paged = paged,
    .packed_forward = packed_forward,
    .packed_backward = ps_cpu_packed_backward,
};
