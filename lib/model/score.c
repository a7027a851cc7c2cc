#include "model/score.h"

#include "base/memory.h"

#include <string.h>

enum { CHUNK = 64 }; /* rows fed at a time: [CHUNK, V] logits are kept */

struct ps_scorer {
    const struct ps_model *model;
    struct ps_kv_cache *cache;
    struct ps_batch *batch;
    int32_t *targets, *top_ids;            /* device [CHUNK], [CHUNK, PS_SCORE_MOST] */
    float *chosen, *top_log_probabilities; /* device, likewise */
};

struct ps_compute_limits ps_score_limits(const struct ps_model_config *config, int64_t positions) {
    return ps_model_limits(config, CHUNK, CHUNK, positions, false);
}

static enum ps_status create(struct ps_scorer *scorer, struct ps_error *error) {
    const struct ps_model *model = scorer->model;
    struct ps_compute *compute = model->compute;
    int64_t pages = (model->positions + PS_PAGE_POSITIONS - 1) / PS_PAGE_POSITIONS;
    PS_TRY(ps_kv_cache_create(&scorer->cache, model, pages, error));
    struct ps_batch_limits limits = {.rows = CHUNK, .sequences = 1, .logit_rows = CHUNK};
    PS_TRY(ps_batch_create(&scorer->batch, model, scorer->cache, &limits, error));
    size_t row = CHUNK * sizeof(float), rows = row * PS_SCORE_MOST;
    scorer->targets = compute->memory.allocate(compute, row);
    scorer->chosen = compute->memory.allocate(compute, row);
    scorer->top_ids = compute->memory.allocate(compute, rows);
    scorer->top_log_probabilities = compute->memory.allocate(compute, rows);
    PS_FAIL_IF_NULL(scorer->targets && scorer->chosen && scorer->top_ids &&
                        scorer->top_log_probabilities,
                    error);
    return PS_OK;
}

enum ps_status ps_scorer_create(struct ps_scorer **result, const struct ps_model *model,
                                struct ps_error *error) {
    *result = NULL;
    struct ps_scorer *scorer = ps_calloc(1, sizeof *scorer);
    PS_FAIL_IF_NULL(scorer, error);
    scorer->model = model;
    enum ps_status status = create(scorer, error);
    if (status == PS_OK)
        *result = scorer;
    else
        ps_scorer_release(scorer);
    return status;
}

void ps_scorer_release(struct ps_scorer *scorer) {
    if (!scorer) return;
    struct ps_compute *compute = scorer->model->compute;
    void *device[] = {scorer->targets, scorer->chosen, scorer->top_ids,
                      scorer->top_log_probabilities};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        if (device[i]) compute->memory.release(compute, device[i]);
    ps_batch_release(scorer->batch);
    ps_kv_cache_release(scorer->cache);
    ps_free(scorer);
}

/* Feeds ids[first .. first + rows - 1] and takes the results of the positions behind them. */
static enum ps_status score_chunk(struct ps_scorer *scorer, struct ps_stream *stream,
                                  struct ps_kv_sequence *sequence, const int32_t *ids,
                                  int64_t first, int64_t rows, int64_t most,
                                  float *log_probabilities, int32_t *top_ids,
                                  float *top_log_probabilities, struct ps_error *error) {
    const struct ps_compute *compute = scorer->model->compute;
    int64_t vocabulary = scorer->model->config->vocabulary;
    struct ps_batch_item item = {sequence, ids + first, rows, rows};
    struct ps_matrix logits;
    size_t row_bytes = (size_t)rows * sizeof(float);
    PS_TRY(ps_batch_run(scorer->batch, stream, &item, 1, &logits, error));
    compute->memory.upload(stream, scorer->targets, ids + first + 1, row_bytes);
    compute->sampling.log_probabilities(stream, logits, vocabulary, scorer->targets,
                                        scorer->chosen);
    compute->memory.download(stream, log_probabilities + first + 1, scorer->chosen, row_bytes);
    if (most > 0) {
        size_t offset = (size_t)((first + 1) * most), bytes = row_bytes * (size_t)most;
        compute->sampling.top_k(stream, logits, vocabulary, most, scorer->top_ids,
                                scorer->top_log_probabilities);
        compute->memory.download(stream, top_ids + offset, scorer->top_ids, bytes);
        compute->memory.download(stream, top_log_probabilities + offset,
                                 scorer->top_log_probabilities, bytes);
    }
    return compute->memory.synchronize(stream, error);
}

enum ps_status ps_score(struct ps_scorer *scorer, struct ps_stream *stream, const int32_t *ids,
                        int64_t count, int64_t most, float *log_probabilities, int32_t *top_ids,
                        float *top_log_probabilities, struct ps_error *error) {
    const struct ps_model *model = scorer->model;
    PS_FAIL_IF(count > model->positions, error, PS_ARGUMENT,
               "a text of %lld tokens; the limit is %lld", (long long)count,
               (long long)model->positions);
    PS_FAIL_IF(most < 0 || most > PS_SCORE_MOST || most > model->config->vocabulary, error,
               PS_ARGUMENT, "the %lld best tokens; the most is %lld", (long long)most,
               (long long)(model->config->vocabulary < PS_SCORE_MOST ? model->config->vocabulary
                                                                     : PS_SCORE_MOST));
    for (int64_t i = 0; i < count; i++)
        PS_FAIL_IF(ids[i] < 0 || ids[i] >= model->config->vocabulary, error, PS_ARGUMENT,
                   "the model has no token %d", ids[i]);
    struct ps_kv_sequence sequence = {0};
    enum ps_status status = PS_OK;
    for (int64_t first = 0; status == PS_OK && first < count - 1; first += CHUNK) {
        int64_t rows = count - 1 - first < CHUNK ? count - 1 - first : CHUNK;
        status = score_chunk(scorer, stream, &sequence, ids, first, rows, most, log_probabilities,
                             top_ids, top_log_probabilities, error);
    }
    ps_kv_release(scorer->cache, &sequence);
    return status;
}
