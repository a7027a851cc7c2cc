#pragma once
/* Attention of the cpu backend: what its files share. */

#include "compute/cpu/cpu_internal.h"

enum { PS_CPU_QUERIES = 48 }; /* rows of queries that meet a block of keys at a time */

enum ps_cpu_action { PS_CPU_KEEP, PS_CPU_SET, PS_CPU_MIX };

/* ---- pages (attention_pages.c) ---- */

enum { PS_CPU_VALUE_BLOCKS = PS_PAGE_POSITIONS / PS_CPU_BLOCK }; /* of 32 in a column of values */

/* A page holds for each key/value head its keys as a B operand (positions are lanes, K = key_size)
 * and then its values as another (columns are lanes, K = 128 positions). */
struct ps_cpu_page_layout {
    const struct ps_cpu_kernels *kernels;
    bool bf16;
    int64_t key_blocks;            /* of 32 in a key */
    size_t key_bytes, value_bytes; /* of one head's keys and values */
    size_t bytes;                  /* of a page */
};

struct ps_cpu_page_layout ps_cpu_page_layout(const struct ps_cpu_kernels *kernels,
                                             const struct ps_attention_shape *shape);

static inline char *ps_cpu_page_keys(const struct ps_cpu_page_layout *layout, const char *page,
                                     int64_t group) {
    return (char *)(uintptr_t)page + (size_t)group * (layout->key_bytes + layout->value_bytes);
}

static inline char *ps_cpu_page_values(const struct ps_cpu_page_layout *layout, const char *page,
                                       int64_t group) {
    return ps_cpu_page_keys(layout, page, group) + layout->key_bytes;
}

/* attention.append, except for shapes that are the reference's. */
void ps_cpu_append(struct ps_stream *stream, const struct ps_attention_shape *shape,
                   const struct ps_paged_batch *batch, struct ps_matrix k, struct ps_matrix v,
                   void *cache);
/* All `pages` pages of the batch's sequences, one after the other from `cache` on; k and v have the
 * type of the cache. */
void ps_cpu_make_pages(struct ps_stream *stream, const struct ps_attention_shape *shape,
                       const struct ps_paged_batch *batch, struct ps_matrix k, struct ps_matrix v,
                       void *cache, int64_t pages);

/* ---- queries against keys ---- */

/* The running softmax of some rows of queries, and what the last block of keys did to it. */
struct ps_cpu_softmax {
    int rows;
    int32_t seen_first[PS_CPU_QUERIES], seen_end[PS_CPU_QUERIES]; /* positions of the block */
    float max[PS_CPU_QUERIES], sum[PS_CPU_QUERIES];               /* sum 0: nothing seen yet */
    float block_max[PS_CPU_QUERIES], block_sum[PS_CPU_QUERIES];
    float old_share[PS_CPU_QUERIES], new_share[PS_CPU_QUERIES];
    enum ps_cpu_action action[PS_CPU_QUERIES];
};

/* One block of queries against one block of keys in the backward. */
struct ps_cpu_score_gradient {
    int rows, columns;
    float scale;
    int32_t seen_first[PS_PAGE_POSITIONS], seen_end[PS_PAGE_POSITIONS];
    float log_sum[PS_PAGE_POSITIONS];
    float row_sum[PS_PAGE_POSITIONS]; /* of dout * out */
};

struct ps_cpu_attention_kernels {
    void (*softmax)(struct ps_cpu_softmax *state, const float *scores, float scale, bool bf16,
                    void *packed);
    void (*share)(struct ps_cpu_softmax *state);
    void (*merge)(const struct ps_cpu_softmax *state, int first_row, int rows, const float *totals,
                  int64_t columns, float *out, int64_t stride);
    void (*divide)(const struct ps_cpu_softmax *state, const float *from, struct ps_matrix to,
                   float *log_sum, int64_t step);
    void (*gradients)(const struct ps_cpu_score_gradient *arguments, float *scores, float *dp);
    float (*row_products)(struct ps_matrix x, struct ps_matrix y, int64_t row);
};

/* What the query at `position` sees of the block of keys that begins at `block`, counted from
 * there. */
static inline void ps_cpu_seen(const struct ps_attention_shape *shape, int64_t position,
                               int64_t block, int32_t *first, int32_t *end) {
    int64_t oldest = shape->window > 0 ? position - shape->window + 1 : 0;
    *first = oldest > block ? (int32_t)ps_min(oldest - block, PS_PAGE_POSITIONS) : 0;
    *end = position < block ? 0 : (int32_t)ps_min(PS_PAGE_POSITIONS, position + 1 - block);
}

/* y [rows, columns] F32 = (y +) a b^T from packed operands whose k has `blocks` blocks of 32, of
 * which `used` are met. */
void ps_cpu_packed_product(const struct ps_cpu_kernels *kernels, bool bf16, const void *a,
                           int64_t rows, const void *b, int64_t columns, int64_t blocks,
                           int64_t used, float *y, int64_t stride, bool accumulate);

void ps_cpu_packed_backward(struct ps_stream *stream, const struct ps_attention_shape *shape,
                            int64_t sequences, const int32_t *starts, struct ps_matrix q,
                            struct ps_matrix k, struct ps_matrix v, struct ps_matrix out,
                            const float *log_sum, struct ps_matrix dout, struct ps_matrix dq,
                            struct ps_matrix dk, struct ps_matrix dv);
