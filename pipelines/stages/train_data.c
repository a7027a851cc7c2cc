#include "pipelines/stages/train_data.h"

#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* ---- the model ---- */

enum ps_status ps_train_start_open(struct ps_train_start *start, const struct ps_train_model *model,
                                   struct ps_error *error) {
    *start = (struct ps_train_start){.seed = model->seed};
    if (model->path) {
        PS_TRY(ps_model_files_open(&start->files, model->path, error));
        start->config = ps_model_files_config(start->files);
        start->parameters = ps_model_files_parameters(start->files);
        start->tokenizer_path = model->path;
    } else {
        PS_TRY(ps_model_config_open(&start->own_config, model->config, error));
        PS_TRY(ps_parameters_create(&start->own_parameters, start->own_config, error));
        start->config = start->own_config;
        start->parameters = start->own_parameters;
        start->tokenizer_path = model->tokenizer;
    }
    PS_TRY(ps_tokenizer_open(start->tokenizer_path, &start->tokenizer, error));
    PS_FAIL_IF(ps_tokenizer_size(start->tokenizer) > start->config->vocabulary, error, PS_ARGUMENT,
               "%s has %u tokens, the model only %lld", start->tokenizer_path,
               ps_tokenizer_size(start->tokenizer), (long long)start->config->vocabulary);
    return PS_OK;
}

void ps_train_start_close(struct ps_train_start *start) {
    ps_tokenizer_close(start->tokenizer);
    ps_parameters_release(start->own_parameters);
    ps_model_config_close(start->own_config);
    ps_model_files_close(start->files);
}

enum ps_status ps_train_end_token(const struct ps_train_start *start, const char *template,
                                  int32_t *token, struct ps_error *error) {
    static const char chatml[] = "<|im_end|>";
    bool plain = template && strcmp(template, "none") == 0;
    int64_t found =
        plain ? PS_TOKEN_NONE : ps_tokenizer_find(start->tokenizer, chatml, sizeof chatml - 1);
    if (found < 0) found = ps_tokenizer_eos(start->tokenizer);
    if (found < 0 && start->config->end_count > 0) found = start->config->end_ids[0];
    PS_FAIL_IF(found < 0, error, PS_ARGUMENT,
               "%s: no token is known that ends a reply; name eos_token in tokenizer_config.json",
               start->tokenizer_path);
    *token = (int32_t)found;
    return PS_OK;
}

/* ---- what goes with the weights ---- */

static enum ps_status copy_file(const char *from, const char *to, struct ps_error *error) {
    struct ps_file_map map;
    PS_TRY(ps_file_map(&map, from, error));
    enum ps_status status = ps_file_write_atomic(to, map.data, map.size, error);
    ps_file_unmap(&map);
    return status;
}

enum ps_status ps_train_copy_weights(const char *from, const char *to, struct ps_error *error) {
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 20);
    const char *source = ps_path_join(&arena, from, "model.safetensors");
    const char *target = ps_path_join(&arena, to, "model.safetensors");
    enum ps_status status = source && target ? copy_file(source, target, error)
                                             : ps_error_set(error, PS_MEMORY, "out of memory");
    ps_arena_release(&arena);
    return status;
}

/* generation_config.json with `token` among its eos_token_id. */
static enum ps_status add_end_token(const char *path, int32_t token, struct ps_error *error) {
    json_t *json = NULL;
    struct ps_buffer text;
    ps_buffer_init(&text, 16 << 20);
    if (ps_file_exists(path))
        PS_TRY(ps_json_read_file(path, 16 << 20, &json, error));
    else
        json = json_object();
    enum ps_status status = PS_OK;
    json_t *old = ps_json_get(json, "eos_token_id"), *ends = json_array();
    bool made = json && ends && json_array_append_new(ends, json_integer(token)) == 0;
    for (size_t i = 0; made && i < (json_is_array(old) ? json_array_size(old) : 1); i++) {
        json_t *id = json_is_array(old) ? json_array_get(old, i) : old;
        if (json_is_integer(id) && json_integer_value(id) != token)
            made = json_array_append(ends, id) == 0;
    }
    made = made && json_object_set(json, "eos_token_id", ends) == 0;
    PS_FAIL_DONE_IF(!made, error, PS_MEMORY, "out of memory");
    PS_TRY_DONE(ps_json_dump(json, &text, error));
    PS_FAIL_DONE_IF(!ps_buffer_puts(&text, "\n"), error, PS_MEMORY, "out of memory");
    status = ps_file_write_atomic(path, text.data, text.size, error);
done:
    ps_buffer_release(&text);
    json_decref(ends);
    json_decref(json);
    return status;
}

enum ps_status ps_train_start_copy(const struct ps_train_start *start, const char *template,
                                   const char *folder, struct ps_error *error) {
    static const char *const files[] = {
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json",
        "merges.txt",     "chat_template.jinja"};
    struct ps_arena arena;
    int32_t token = 0;
    ps_arena_init(&arena, 1 << 20);
    const char *from = start->tokenizer_path;
    if (!ps_directory_exists(from)) { /* a tokenizer.json: the files lie beside it */
        const char *slash = strrchr(from, '/');
        from = slash ? ps_arena_strndup(&arena, from, (size_t)(slash - from)) : ".";
    }
    const char *generation = ps_path_join(&arena, folder, "generation_config.json");
    enum ps_status status =
        from && generation ? PS_OK : ps_error_set(error, PS_MEMORY, "out of memory");
    for (size_t i = 0; status == PS_OK && i < sizeof files / sizeof *files; i++) {
        const char *source = ps_path_join(&arena, from, files[i]);
        const char *target = ps_path_join(&arena, folder, files[i]);
        if (!source || !target)
            status = ps_error_set(error, PS_MEMORY, "out of memory");
        else if (ps_file_exists(source))
            status = copy_file(source, target, error);
    }
    if (status == PS_OK) status = ps_train_end_token(start, template, &token, error);
    if (status == PS_OK) status = add_end_token(generation, token, error);
    ps_arena_release(&arena);
    return status;
}

/* ---- the examples ---- */

/* Which rows are held out, and which must not be there at all. */
struct split {
    const struct ps_dataset *validation; /* NULL: nothing is held out */
    const char **held;                   /* "dataset/split/id", sorted */
    const struct ps_dataset_listing *listings;
    size_t listing_count;
    bool want_held;
    struct ps_arena *arena;
};

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum ps_status open_split(struct split *split, const struct ps_stage_context *context,
                                 const char *validation, struct ps_error *error) {
    *split = (struct split){.arena = context->arena};
    PS_TRY(ps_dataset_list(context->catalog, &split->listings, &split->listing_count, error));
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

static bool is_test(const struct split *split, const struct ps_store_row *row) {
    for (size_t i = 0; i < split->listing_count; i++) {
        const struct ps_dataset_source *source = &split->listings[i].source;
        if (source->test && strcmp(source->dataset, row->dataset) == 0 &&
            strcmp(source->split, row->split) == 0)
            return true;
    }
    return false;
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
        PS_FAIL_IF(is_test(split, row), error, PS_ARGUMENT,
                   "trace %lld answers a question of %s/%s, which is a test split and must not be "
                   "trained on",
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
    struct ps_example_options example_options = {.template = options->template,
                                                 .row_tokens = options->sequence_length,
                                                 .overlong = options->overlong,
                                                 .choose = choose,
                                                 .context = &split};
    ps_examples_init(&data->examples);
    ps_examples_init(&data->validation);
    PS_TRY(ps_train_end_token(start, options->template, &example_options.end_token, error));
    PS_TRY(open_split(&split, context, options->validation, error));
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
