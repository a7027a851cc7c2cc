#pragma once
/* The KV cache: pages of 128 positions, counted by reference, so that the samples of one prompt
 * share its pages. A page index means the same page in every layer.
 *
 * A sequence that goes on from a shared, partly filled page gets a copy of it first; full pages
 * are never written again and need none. All copies go through the stream, in order with the
 * forward passes, so a released page can be given out again at once. One thread at a time. */

#include "model/forward.h"

struct ps_kv_cache;

/* The pages of one sequence. All zero is an empty one. */
struct ps_kv_sequence {
    int32_t *pages;
    int64_t page_count, page_capacity;
    int64_t length; /* positions filled */
};

/* For the layers of a model, which outlives it. */
enum ps_status ps_kv_cache_create(struct ps_kv_cache **cache, const struct ps_model *model,
                                  int64_t pages, struct ps_error *error);
void ps_kv_cache_release(struct ps_kv_cache *cache); /* NULL is fine */

/* Device bytes that one page takes in all layers together. */
size_t ps_kv_page_bytes(const struct ps_model *model);
int64_t ps_kv_cache_free_pages(const struct ps_kv_cache *cache);
/* Each layer's pages, for ps_model_forward_paged. */
void *const *ps_kv_cache_layers(const struct ps_kv_cache *cache);

/* New pages that ps_kv_reserve would take now. */
int64_t ps_kv_pages_needed(const struct ps_kv_cache *cache, const struct ps_kv_sequence *sequence,
                           int64_t more);
/* Makes room for `more` positions behind sequence->length, which stays. PS_LIMIT when there are
 * too few free pages; nothing has changed then. */
enum ps_status ps_kv_reserve(struct ps_kv_cache *cache, struct ps_stream *stream,
                             struct ps_kv_sequence *sequence, int64_t more, struct ps_error *error);
/* Makes `to`, which is empty, share all positions of `from`. */
enum ps_status ps_kv_share(struct ps_kv_cache *cache, const struct ps_kv_sequence *from,
                           struct ps_kv_sequence *to, struct ps_error *error);
/* Gives its pages back; the sequence is empty then. */
void ps_kv_release(struct ps_kv_cache *cache, struct ps_kv_sequence *sequence);
