#include "pipelines/stages/train_data.h"

#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* ---- the examples ---- */

/* Which rows are held out, and which must not be there at all. */
struct split {
    const struct ps_dataset *validation; /* NULL: nothing is held out */
    const char **held;                   /* "dataset/split/id", sorted */
    struct ps_dataset_catalog *catalog;
    bool allow_test;
    bool want_held;
    struct ps_arena *arena;
};

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum ps_status open_split(struct split *split, const struct ps_stage_context *context,
                                 const char *validation, struct ps_error *error) {
    *split = (struct split){.arena = context->arena, .catalog = context->catalog};
    if (!validation) return PS_OK;
    PS_TRY(ps_dataset_get(context->catalog, validation, &split->validation, error));
    size_t count = split->validation->count;
    split->held = ps_arena_array(context->arena, count, sizeof *split->held);
    PS_FAIL_IF_NULL(split->held, error);
    for (size_t i = 0; i < count; i++) {
        const struct ps_dataset_row *row = &split->validation->rows[i];
        split->held[i] = ps_arena_format(context->arena, "%s/%s/%s", row->source->dataset,
                                         row->source->split, row->id);
        PS_FAIL_IF_NULL(split->held[i], error);
    }
    qsort(split->held, count, sizeof *split->held, by_text);
    return PS_OK;
}

static enum ps_status is_held(const struct split *split, const struct ps_store_row *row, bool *held,
                              struct ps_error *error) {
    const char *id;
    json_t *extra;
    *held = false;
    if (!split->validation || !row->extra) return PS_OK;
    PS_TRY(ps_json_parse("item", row->extra, strlen(row->extra), &extra, error));
    enum ps_status status = ps_json_string_or(extra, "id", "", &id, error);
    const char *key = status == PS_OK
                          ? ps_arena_format(split->arena, "%s/%s/%s", row->dataset, row->split, id)
                          : NULL;
    if (status == PS_OK && !key) status = ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK)
        *held = bsearch(&key, split->held, split->validation->count, sizeof key, by_text) != NULL;
    json_decref(extra);
    return status;
}

static enum ps_status choose(void *context, const struct ps_store_row *row, bool *chosen,
                             struct ps_error *error) {
    const struct split *split = context;
    bool held = false;
    if (row->dataset) {
        bool test = row->in_test || ps_dataset_is_test(split->catalog, row->dataset, row->split);
        PS_FAIL_IF(test && !split->allow_test, error, PS_ARGUMENT,
                   "trace %lld answers a question of %s/%s, which is a test split and must not be "
                   "trained on; to do it all the same, say test: true",
                   (long long)row->id, row->dataset, row->split);
        PS_TRY(is_held(split, row, &held, error));
    }
    *chosen = held == split->want_held;
    return PS_OK;
}

static enum ps_status add_traces(struct ps_train_data *data, struct ps_store *store,
                                 const struct ps_store_filter *filter,
                                 const struct ps_train_start *start,
                                 struct ps_example_options *options, struct split *split,
                                 struct ps_error *error) {
    split->want_held = false;
    PS_TRY(ps_examples_add(&data->examples, store, filter, start->tokenizer, options, error));
    if (!split->validation) return PS_OK;
    split->want_held = true;
    return ps_examples_add(&data->validation, store, filter, start->tokenizer, options, error);
}

enum ps_status
ps_train_data_open(struct ps_train_data *data, const struct ps_stage_context *context,
                   const struct ps_train_traces *traces, const struct ps_train_start *start,
                   const struct ps_train_data_options *options, struct ps_error *error) {
    struct split split;
    struct ps_store *store;
    struct ps_example_options example_options = {.template = start->template,
                                                 .thinking = options->thinking,
                                                 .row_tokens = options->sequence_length,
                                                 .overlong = options->overlong,
                                                 .choose = choose,
                                                 .context = &split};
    ps_examples_init(&data->examples);
    ps_examples_init(&data->validation);
    PS_TRY(ps_train_end_token(start, &example_options.end_token, error));
    PS_TRY(open_split(&split, context, options->validation, error));
    split.allow_test = options->test;
    PS_TRY(ps_store_open(&store, traces->store, PS_STORE_READ, error));
    enum ps_status status = PS_OK;
    for (size_t i = 0; status == PS_OK && i < traces->count; i++)
        status =
            add_traces(data, store, &traces->filters[i], start, &example_options, &split, error);
    ps_store_close(store);
    PS_TRY(status);
    PS_FAIL_IF(data->examples.count == 0, error, PS_ARGUMENT,
               "there is nothing to train on: of %lld selected traces none is left",
               (long long)data->examples.counts.traces);
    PS_FAIL_IF(split.validation && data->validation.count == 0, error, PS_ARGUMENT,
               "no selected trace answers a question of '%s'; sample or import that set too",
               options->validation);
    return PS_OK;
}

void ps_train_data_close(struct ps_train_data *data) {
    ps_examples_release(&data->examples);
    ps_examples_release(&data->validation);
}
