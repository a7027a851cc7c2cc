#pragma once
/* Inference on a ragged batch: some rows of each of several sequences, prefill chunks and decode
 * steps mixed, over a KV cache. All memory is planned at creation; a run allocates nothing. */

#include "model/forward.h"
#include "model/kv_cache.h"

struct ps_batch;

struct ps_batch_limits {
    int64_t rows, sequences; /* the most in one run */
    int64_t logit_rows;      /* the most rows in one run whose logits are wanted */
};

/* The model and the cache outlive it. The stream it will run on needs ps_model_limits(rows,
 * logit_rows, ...) at least. */
enum ps_status ps_batch_create(struct ps_batch **batch, const struct ps_model *model,
                               struct ps_kv_cache *cache, const struct ps_batch_limits *limits,
                               struct ps_error *error);
void ps_batch_release(struct ps_batch *batch); /* NULL is fine */

/* The next tokens of a sequence; they stand behind what its KV sequence holds. Logits are wanted
 * of the last `logits` of them: 1 to decode, 0 while a longer prompt is fed in pieces. */
struct ps_batch_item {
    struct ps_kv_sequence *sequence;
    const int32_t *tokens; /* [count], host */
    int64_t count, logits;
};

/* Enqueues a run. *logits is [sum of item logits, V] float on the device, in the order of the
 * items, good until the next run. The sequences have grown by their counts. PS_LIMIT when pages
 * are missing, PS_ARGUMENT for too many rows, too long a sequence or a token that the model has
 * not got, PS_STOPPED when asked to stop in the middle; lengths are as before then, and the same
 * run may be tried again. The stream must be synchronized before the next run. */
enum ps_status ps_batch_run(struct ps_batch *batch, struct ps_stream *stream,
                            const struct ps_batch_item *items, int64_t count,
                            struct ps_matrix *logits, struct ps_error *error);
