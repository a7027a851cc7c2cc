/* Rows of data sets as prompts with their ids: all threads render and encode a batch of rows, the
 * calling thread takes them in order. */
#include "pipelines/stages/sampling.h"

#include "base/stop.h"

#include <string.h>

enum { BATCH_ROWS = 256 };

/* One row on its way to a prompt. */
struct draft {
    struct ps_rendered_prompt rendered;
    struct ps_token_ids ids;
    enum ps_status status;
    struct ps_error error;
};

struct drafting {
    const struct ps_prompter *prompter;
    const struct ps_tokenizer *tokenizer; /* NULL: no ids */
    const struct ps_dataset_row *rows;
    int64_t samples;
    struct draft *drafts; /* BATCH_ROWS */
    struct ps_sampling_prompts *prompts;
};

static enum ps_status render_row(const struct drafting *drafting, const struct ps_dataset_row *row,
                                 struct draft *draft, struct ps_error *error) {
    const struct ps_prompt words = ps_prompter_prompt(drafting->prompter, row);
    draft->ids.size = 0;
    PS_TRY(ps_prompter_render(drafting->prompter, row, &draft->rendered, error));
    if (!drafting->tokenizer) return PS_OK;
    return ps_prompt_encode(&words, &draft->rendered, drafting->tokenizer, &draft->ids, error);
}

static void render_batch(const struct drafting *drafting, const struct ps_dataset_row *rows,
                         size_t count) {
#pragma omp parallel for schedule(dynamic, 4) if (count > 1)
    for (size_t i = 0; i < count; i++) {
        struct draft *draft = &drafting->drafts[i];
        draft->status = render_row(drafting, &rows[i], draft, &draft->error);
    }
}

static enum ps_status take(const struct drafting *drafting, const struct ps_dataset_row *row,
                           const struct draft *draft, struct ps_error *error) {
    struct ps_arena *arena = drafting->prompter->context->arena;
    const struct ps_buffer *conversation = &draft->rendered.conversation;
    struct ps_sampling_prompts *prompts = drafting->prompts;
    struct ps_sample_prompt *prompt = &prompts->items[prompts->count];
    PS_FAIL_IF(draft->status != PS_OK, error, draft->status, "%s", draft->error.message);
    struct ps_store_item *item = ps_arena_alloc(arena, sizeof *item);
    uint32_t *ids = ps_arena_array(arena, draft->ids.size + 1, sizeof *ids);
    const char *text = ps_arena_strndup(arena, conversation->data, conversation->size);
    PS_FAIL_IF(!item || !ids || !text, error, PS_MEMORY, "out of memory");
    PS_TRY(ps_stage_item(row, arena, item, error));
    if (draft->ids.size) memcpy(ids, draft->ids.data, draft->ids.size * sizeof *ids);
    *prompt = (struct ps_sample_prompt){.thought = draft->rendered.thought,
                                        .conversation = text,
                                        .items = item,
                                        .item_count = 1,
                                        .samples = drafting->samples,
                                        .ids = drafting->tokenizer ? ids : NULL,
                                        .count = draft->ids.size};
    prompts->thought = prompt->thought;
    prompts->rows[prompts->count++] = row;
    return PS_OK;
}

static enum ps_status add_rows(const struct drafting *drafting, size_t total,
                               struct ps_error *error) {
    enum ps_status status = PS_OK;
    for (size_t begin = 0; status == PS_OK && begin < total; begin += BATCH_ROWS) {
        const struct ps_dataset_row *rows = drafting->rows + begin;
        size_t count = total - begin < BATCH_ROWS ? total - begin : BATCH_ROWS;
        PS_TRY(ps_stop_check(error));
        render_batch(drafting, rows, count);
        for (size_t i = 0; i < count; i++) {
            struct draft *draft = &drafting->drafts[i];
            if (status == PS_OK) status = take(drafting, &rows[i], draft, error);
            ps_rendered_prompt_release(&draft->rendered);
        }
    }
    return status;
}

enum ps_status ps_sampling_rows(const struct ps_sampling *sampling, size_t set, size_t limit,
                                const struct ps_dataset **dataset, size_t *count,
                                struct ps_error *error) {
    const struct ps_stage_context *context = sampling->prompter->context;
    PS_TRY(ps_dataset_get(context->catalog, sampling->sets[set].dataset, dataset, error));
    *count = (*dataset)->count;
    if (limit > 0 && *count > limit) *count = limit;
    return PS_OK;
}

static enum ps_status make_room(const struct ps_sampling *sampling, size_t limit,
                                struct ps_sampling_prompts *prompts, struct ps_error *error) {
    struct ps_arena *arena = sampling->prompter->context->arena;
    const struct ps_dataset *dataset;
    size_t total = 0, count;
    for (size_t i = 0; i < sampling->set_count; i++) {
        PS_TRY(ps_sampling_rows(sampling, i, limit, &dataset, &count, error));
        total += count;
    }
    *prompts = (struct ps_sampling_prompts){
        .items = ps_arena_array(arena, total, sizeof *prompts->items),
        .rows = ps_arena_array(arena, total, sizeof *prompts->rows),
        .starts = ps_arena_array(arena, sampling->set_count + 1, sizeof *prompts->starts),
    };
    PS_FAIL_IF(!prompts->items || !prompts->rows || !prompts->starts, error, PS_MEMORY,
               "out of memory");
    return PS_OK;
}

enum ps_status ps_sampling_render_first(const struct ps_sampling *sampling,
                                        const struct ps_tokenizer *tokenizer, size_t limit,
                                        struct ps_sampling_prompts *prompts,
                                        struct ps_error *error) {
    const struct ps_dataset *dataset;
    size_t count;
    PS_TRY(make_room(sampling, limit, prompts, error));
    struct drafting drafting = {sampling->prompter, tokenizer, .prompts = prompts};
    enum ps_status status = PS_OK;
    drafting.drafts = ps_calloc(BATCH_ROWS, sizeof *drafting.drafts);
    PS_FAIL_IF_NULL(drafting.drafts, error);
    for (size_t i = 0; i < sampling->set_count; i++) {
        PS_TRY_DONE(ps_sampling_rows(sampling, i, limit, &dataset, &count, error));
        drafting.rows = dataset->rows;
        drafting.samples = sampling->sets[i].samples;
        PS_TRY_DONE(add_rows(&drafting, count, error));
        prompts->starts[i + 1] = prompts->count;
    }
done:
    for (size_t i = 0; i < BATCH_ROWS; i++) ps_token_ids_release(&drafting.drafts[i].ids);
    ps_free(drafting.drafts);
    return status;
}

enum ps_status ps_sampling_render(const struct ps_sampling *sampling,
                                  const struct ps_tokenizer *tokenizer,
                                  struct ps_sampling_prompts *prompts, struct ps_error *error) {
    size_t limit = (size_t)sampling->prompter->context->limit;
    return ps_sampling_render_first(sampling, tokenizer, limit, prompts, error);
}
