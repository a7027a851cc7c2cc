/* Pages of keys and values, whole as training makes them or row by row as a cache grows. */

#include "compute/cpu/attention_internal.h"

#include <string.h>

enum { POSITIONS = PS_PAGE_POSITIONS };

struct ps_cpu_page_layout ps_cpu_page_layout(const struct ps_cpu_kernels *kernels,
                                             const struct ps_attention_shape *shape) {
    struct ps_cpu_page_layout layout = {.kernels = kernels, .bf16 = shape->cache == PS_DTYPE_BF16};
    layout.key_blocks = (shape->key_size + PS_CPU_BLOCK - 1) / PS_CPU_BLOCK;
    layout.key_bytes = ps_cpu_packed_b_bytes(kernels, POSITIONS, shape->key_size, layout.bf16);
    layout.value_bytes = ps_cpu_packed_b_bytes(kernels, shape->value_size, POSITIONS, layout.bf16);
    layout.bytes = (layout.key_bytes + layout.value_bytes) * (size_t)shape->key_value_heads;
    return layout;
}

/* What append and make_pages do. */
struct work {
    struct ps_cpu_page_layout layout;
    const struct ps_attention_shape *shape;
    const struct ps_paged_batch *batch;
    struct ps_matrix k, v;
    char *cache;
};

/* ---- row by row --------------------------------------------------------------------------- */

static void put(const struct ps_cpu_page_layout *layout, char *to, size_t place,
                struct ps_matrix from, int64_t row, int64_t column) {
    int64_t i = row * from.stride + column;
    if (layout->bf16)
        ((uint16_t *)to)[place] = ((const uint16_t *)from.data)[i];
    else
        ((float *)to)[place] = ((const float *)from.data)[i];
}

/* Key/value heads [first, end) of all rows. A page is zeroed with its first position, so that
 * positions that are not there yet count as zeros. */
static void append_heads(const void *arguments, int64_t first, int64_t end) {
    const struct work *a = arguments;
    const struct ps_cpu_page_layout *layout = &a->layout;
    const struct ps_paged_batch *batch = a->batch;
    const int64_t key_size = a->shape->key_size, value_size = a->shape->value_size;
    for (int64_t s = 0; s < batch->sequences; s++) {
        for (int64_t row = batch->first_row[s]; row < batch->first_row[s + 1]; row++) {
            int64_t position = batch->first_position[s] + row - batch->first_row[s];
            int64_t index = position % POSITIONS;
            char *page =
                a->cache + (size_t)batch->pages[s * batch->pages_stride + position / POSITIONS] *
                               layout->bytes;
            for (int64_t g = first; g < end; g++) {
                char *keys = ps_cpu_page_keys(layout, page, g);
                char *values = ps_cpu_page_values(layout, page, g);
                if (index == 0) memset(keys, 0, layout->key_bytes + layout->value_bytes);
                for (int64_t c = 0; c < key_size; c++)
                    put(layout, keys,
                        ps_cpu_packed_place(layout->kernels, index, c, layout->key_blocks,
                                            layout->bf16),
                        a->k, row, g * key_size + c);
                for (int64_t c = 0; c < value_size; c++)
                    put(layout, values,
                        ps_cpu_packed_place(layout->kernels, c, index, PS_CPU_VALUE_BLOCKS,
                                            layout->bf16),
                        a->v, row, g * value_size + c);
            }
        }
    }
}

void ps_cpu_append(struct ps_stream *stream, const struct ps_attention_shape *shape,
                   const struct ps_paged_batch *batch, struct ps_matrix k, struct ps_matrix v,
                   void *cache) {
    struct work work = {
        ps_cpu_page_layout(ps_cpu_stream(stream)->kernels, shape), shape, batch, k, v, cache};
    assert(k.dtype == shape->cache && v.dtype == shape->cache);
    ps_cpu_run(stream, append_heads, &work, shape->key_value_heads,
               2.0 * (double)(k.rows * (shape->key_size + shape->value_size)));
}

/* ---- whole -------------------------------------------------------------------------------- */

static void make_page(const struct work *a, int64_t row, int64_t count, int64_t group, char *page) {
    const struct ps_cpu_page_layout *layout = &a->layout;
    const struct ps_attention_shape *shape = a->shape;
    const int64_t lanes = layout->kernels->lanes;
    const size_t value_panel = (size_t)(POSITIONS * lanes * (layout->bf16 ? 2 : 4));
    struct ps_matrix k = ps_matrix_rows(a->k, row, count), v = ps_matrix_rows(a->v, row, count);
    struct ps_cpu_source keys =
        ps_cpu_source(ps_matrix_columns(k, group * shape->key_size, shape->key_size));
    struct ps_cpu_source values =
        ps_cpu_transposed(ps_matrix_columns(v, group * shape->value_size, shape->value_size));
    layout->kernels->pack_b(&keys, 0, count, layout->bf16, ps_cpu_page_keys(layout, page, group));
    char *to = ps_cpu_page_values(layout, page, group);
    for (int64_t c = 0; c < shape->value_size; c += lanes, to += value_panel)
        layout->kernels->pack_b(&values, c, ps_min(lanes, shape->value_size - c), layout->bf16, to);
}

/* Pages * heads [first, end). */
static void make_pages(const void *arguments, int64_t first, int64_t end) {
    const struct work *a = arguments;
    const int64_t heads = a->shape->key_value_heads;
    int64_t item = 0;
    for (int64_t s = 0; s < a->batch->sequences; s++) {
        int64_t row = a->batch->first_row[s], row_end = a->batch->first_row[s + 1];
        for (; row < row_end; row += POSITIONS)
            for (int64_t g = 0; g < heads; g++, item++)
                if (item >= first && item < end)
                    make_page(a, row, ps_min(POSITIONS, row_end - row), g,
                              a->cache + (size_t)(item / heads) * a->layout.bytes);
    }
}

void ps_cpu_make_pages(struct ps_stream *stream, const struct ps_attention_shape *shape,
                       const struct ps_paged_batch *batch, struct ps_matrix k, struct ps_matrix v,
                       void *cache, int64_t pages) {
    struct work work = {
        ps_cpu_page_layout(ps_cpu_stream(stream)->kernels, shape), shape, batch, k, v, cache};
    ps_cpu_run(stream, make_pages, &work, pages * shape->key_value_heads,
               0.1 * (double)(POSITIONS * (shape->key_size + shape->value_size)));
}
