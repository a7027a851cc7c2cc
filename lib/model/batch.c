#include "model/batch.h"

#include "base/memory.h"

#include <string.h>

/* Index arrays of a run, written on the host and uploaded: views into one block of int32. */
struct indices {
    int32_t *tokens, *positions;         /* [rows] */
    int32_t *first_row, *first_position; /* [sequences + 1], [sequences] */
    int32_t *chosen;                     /* [logit_rows] */
    int32_t *pages;                      /* [sequences, stride] */
};

struct ps_batch {
    const struct ps_model *model;
    struct ps_kv_cache *cache;
    struct ps_batch_limits limits;
    int64_t most_pages; /* of one sequence */
    size_t index_count;
    struct indices host, device;
    struct ps_activations *activations;
    struct ps_matrix gathered, logits;
};

static void lay_out(struct indices *indices, int32_t *memory, const struct ps_batch *batch) {
    const struct ps_batch_limits *limits = &batch->limits;
    indices->tokens = memory;
    indices->positions = indices->tokens + limits->rows;
    indices->first_row = indices->positions + limits->rows;
    indices->first_position = indices->first_row + limits->sequences + 1;
    indices->chosen = indices->first_position + limits->sequences;
    indices->pages = indices->chosen + limits->logit_rows;
}

static enum ps_status allocate(struct ps_batch *batch, struct ps_error *error) {
    const struct ps_model *model = batch->model;
    const struct ps_batch_limits *limits = &batch->limits;
    struct ps_compute *compute = model->compute;
    int64_t hidden = model->config->hidden_size, vocabulary = model->config->vocabulary;
    batch->most_pages = (model->positions + PS_PAGE_POSITIONS - 1) / PS_PAGE_POSITIONS;
    batch->index_count = (size_t)(2 * limits->rows + 2 * limits->sequences + 1 +
                                  limits->logit_rows + limits->sequences * batch->most_pages);
    int32_t *host = ps_calloc(batch->index_count, sizeof *host);
    if (host) lay_out(&batch->host, host, batch);
    void *device = compute->memory.allocate(compute, batch->index_count * sizeof *host);
    if (device) lay_out(&batch->device, device, batch);
    size_t activation = ps_dtype_size(model->act);
    batch->gathered = ps_matrix(
        compute->memory.allocate(compute, (size_t)(limits->logit_rows * hidden) * activation),
        model->act, limits->logit_rows, hidden);
    batch->logits =
        ps_matrix(compute->memory.allocate(compute, (size_t)(limits->logit_rows * vocabulary) *
                                                        sizeof(float)),
                  PS_DTYPE_F32, limits->logit_rows, vocabulary);
    if (!host || !device || !batch->gathered.data || !batch->logits.data)
        return ps_error_set(error, PS_MEMORY, "no memory for batches of %lld rows",
                            (long long)limits->rows);
    return ps_activations_create(model, limits->rows, false, &batch->activations, error);
}

enum ps_status ps_batch_create(struct ps_batch **result, const struct ps_model *model,
                               struct ps_kv_cache *cache, const struct ps_batch_limits *limits,
                               struct ps_error *error) {
    *result = NULL;
    PS_FAIL_IF(limits->rows < 1 || limits->sequences < 1 || limits->logit_rows < 1 ||
                   limits->rows > INT32_MAX,
               error, PS_ARGUMENT, "a batch of %lld rows", (long long)limits->rows);
    struct ps_batch *batch = ps_calloc(1, sizeof *batch);
    PS_FAIL_IF_NULL(batch, error);
    *batch = (struct ps_batch){.model = model, .cache = cache, .limits = *limits};
    enum ps_status status = allocate(batch, error);
    if (status == PS_OK)
        *result = batch;
    else
        ps_batch_release(batch);
    return status;
}

void ps_batch_release(struct ps_batch *batch) {
    if (!batch) return;
    struct ps_compute *compute = batch->model->compute;
    void *device[] = {batch->device.tokens, batch->gathered.data, batch->logits.data};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        if (device[i]) compute->memory.release(compute, device[i]);
    ps_activations_release(batch->activations);
    ps_free(batch->host.tokens);
    ps_free(batch);
}

/* ---- a run ---- */

static enum ps_status check(const struct ps_batch *batch, const struct ps_batch_item *items,
                            int64_t count, struct ps_error *error) {
    int64_t rows = 0, logits = 0, pages = 0;
    PS_FAIL_IF(count < 1 || count > batch->limits.sequences, error, PS_ARGUMENT,
               "%lld sequences in a batch made for %lld", (long long)count,
               (long long)batch->limits.sequences);
    for (int64_t i = 0; i < count; i++) {
        const struct ps_batch_item *item = &items[i];
        PS_FAIL_IF(item->count < 1 || item->logits < 0 || item->logits > item->count ||
                       item->count > batch->limits.rows - rows ||
                       item->logits > batch->limits.logit_rows - logits,
                   error, PS_ARGUMENT, "more rows than the batch is made for");
        PS_FAIL_IF(item->count > batch->model->positions - item->sequence->length, error,
                   PS_ARGUMENT, "a sequence of %lld tokens; the limit is %lld",
                   (long long)(item->sequence->length + item->count),
                   (long long)batch->model->positions);
        for (int64_t j = 0; j < item->count; j++)
            PS_FAIL_IF(item->tokens[j] < 0 || item->tokens[j] >= batch->model->config->vocabulary,
                       error, PS_ARGUMENT, "the model has no token %d", item->tokens[j]);
        rows += item->count;
        logits += item->logits;
        pages += ps_kv_pages_needed(batch->cache, item->sequence, item->count);
    }
    PS_FAIL_IF(pages > ps_kv_cache_free_pages(batch->cache), error, PS_LIMIT,
               "the KV cache has %lld free pages, %lld more are needed",
               (long long)ps_kv_cache_free_pages(batch->cache), (long long)pages);
    return PS_OK;
}

/* Fills the host's index arrays; returns the stride of `pages`. */
static int64_t describe(struct ps_batch *batch, const struct ps_batch_item *items, int64_t count,
                        int64_t *rows, int64_t *logits) {
    struct indices *host = &batch->host;
    int64_t stride = 1;
    for (int64_t i = 0; i < count; i++)
        if (items[i].sequence->page_count > stride) stride = items[i].sequence->page_count;
    *rows = *logits = 0;
    for (int64_t i = 0; i < count; i++) {
        const struct ps_batch_item *item = &items[i];
        const struct ps_kv_sequence *sequence = item->sequence;
        host->first_row[i] = (int32_t)*rows;
        host->first_position[i] = (int32_t)sequence->length;
        for (int64_t j = 0; j < stride; j++)
            host->pages[i * stride + j] = j < sequence->page_count ? sequence->pages[j] : 0;
        for (int64_t j = 0; j < item->count; j++) {
            if (j >= item->count - item->logits) host->chosen[(*logits)++] = (int32_t)(*rows + j);
            host->tokens[*rows + j] = item->tokens[j];
            host->positions[*rows + j] = (int32_t)(sequence->length + j);
        }
        *rows += item->count;
    }
    host->first_row[count] = (int32_t)*rows;
    return stride;
}

static void upload(const struct ps_batch *batch, struct ps_stream *stream, int32_t *device,
                   const int32_t *host, int64_t count) {
    if (count > 0)
        batch->model->compute->memory.upload(stream, device, host, (size_t)count * sizeof *host);
}

enum ps_status ps_batch_run(struct ps_batch *batch, struct ps_stream *stream,
                            const struct ps_batch_item *items, int64_t count,
                            struct ps_matrix *logits, struct ps_error *error) {
    const struct indices *host = &batch->host, *device = &batch->device;
    int64_t rows, logit_rows;
    PS_TRY(check(batch, items, count, error));
    for (int64_t i = 0; i < count; i++)
        PS_TRY(ps_kv_reserve(batch->cache, stream, items[i].sequence, items[i].count, error));
    int64_t stride = describe(batch, items, count, &rows, &logit_rows);
    upload(batch, stream, device->tokens, host->tokens, rows);
    upload(batch, stream, device->positions, host->positions, rows);
    upload(batch, stream, device->first_row, host->first_row, count + 1);
    upload(batch, stream, device->first_position, host->first_position, count);
    upload(batch, stream, device->chosen, host->chosen, logit_rows);
    upload(batch, stream, device->pages, host->pages, count * stride);
    struct ps_paged_batch paged = {count, stride, device->first_row, device->first_position,
                                   device->pages};
    enum ps_status status =
        ps_model_forward_paged(batch->model, stream, batch->activations, rows, device->tokens,
                               device->positions, &paged, ps_kv_cache_layers(batch->cache), error);
    if (status != PS_OK) {
        batch->model->compute->memory.synchronize(stream, NULL);
        return status;
    }
    *logits = ps_matrix_rows(batch->logits, 0, logit_rows);
    if (logit_rows > 0)
        ps_model_logits(batch->model, stream, batch->activations, device->chosen,
                        ps_matrix_rows(batch->gathered, 0, logit_rows), *logits);
    for (int64_t i = 0; i < count; i++) items[i].sequence->length += items[i].count;
    return PS_OK;
}
