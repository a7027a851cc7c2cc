#include "pipelines/stages/train_start.h"

#include "base/file.h"
#include "base/json.h"

#include <string.h>

/* ---- the model ---- */

static enum ps_status open_model(struct ps_train_start *start, const struct ps_train_model *model,
                                 struct ps_error *error) {
    if (model->path) {
        PS_TRY(ps_model_files_open(&start->files, model->path, error));
        start->config = ps_model_files_config(start->files);
        start->parameters = ps_model_files_parameters(start->files);
        start->tokenizer_path = model->path;
        return PS_OK;
    }
    PS_TRY(ps_model_config_open(&start->own_config, model->config, error));
    PS_TRY(ps_parameters_create(&start->own_parameters, start->own_config, error));
    start->config = start->own_config;
    start->parameters = start->own_parameters;
    start->tokenizer_path = model->tokenizer;
    return PS_OK;
}

/* The folder of a tokenizer.json or the folder itself. */
static const char *folder_of(const char *path, struct ps_arena *arena) {
    const char *slash = strrchr(path, '/');
    if (ps_directory_exists(path)) return path;
    return slash ? ps_arena_strndup(arena, path, (size_t)(slash - path) + (slash == path)) : ".";
}

enum ps_status ps_train_start_open(struct ps_train_start *start, const struct ps_train_model *model,
                                   struct ps_error *error) {
    *start = (struct ps_train_start){.seed = model->seed, .date = model->date};
    ps_arena_init(&start->arena, 1 << 20);
    PS_TRY(open_model(start, model, error));
    start->folder = folder_of(start->tokenizer_path, &start->arena);
    PS_FAIL_IF_NULL(start->folder, error);
    PS_TRY(ps_tokenizer_open(start->tokenizer_path, &start->tokenizer, error));
    PS_FAIL_IF(ps_tokenizer_size(start->tokenizer) > start->config->vocabulary, error, PS_ARGUMENT,
               "%s has %u tokens, the model only %lld", start->tokenizer_path,
               ps_tokenizer_size(start->tokenizer), (long long)start->config->vocabulary);
    enum ps_status status =
        ps_template_open(model->template, start->folder, start->date, &start->template, error);
    return status == PS_NOT_FOUND && !model->template ? PS_OK : status;
}

void ps_train_start_close(struct ps_train_start *start) {
    ps_template_close(start->template);
    ps_tokenizer_close(start->tokenizer);
    ps_parameters_release(start->own_parameters);
    ps_model_config_close(start->own_config);
    ps_model_files_close(start->files);
    ps_arena_release(&start->arena);
}

/* ---- the template of the prompts ---- */

/* The "template" of the conversation behind the first trace, or NULL. */
static enum ps_status first_choice(struct ps_store *store, const struct ps_train_traces *traces,
                                   struct ps_arena *arena, const char **choice,
                                   struct ps_error *error) {
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    const char *conversation, *name;
    json_t *json;
    bool more = false;
    *choice = NULL;
    for (size_t i = 0; i < traces->count && !more; i++) {
        struct ps_store_filter filter = traces->filters[i];
        filter.limit = 1;
        PS_TRY(ps_store_query(store, &filter, &cursor, error));
        enum ps_status status = ps_store_next(cursor, &row, &more, error);
        ps_store_cursor_close(cursor);
        PS_TRY(status);
    }
    if (!more) return PS_OK;
    PS_TRY(ps_store_read_prompt(store, row.key.prompt, arena, &conversation, error));
    PS_TRY(ps_json_parse("prompt", conversation, strlen(conversation), &json, error));
    enum ps_status status = ps_json_string_or(json, "template", NULL, &name, error);
    if (status == PS_OK && name) {
        *choice = ps_arena_strndup(arena, name, strlen(name));
        if (!*choice) status = ps_error_set(error, PS_MEMORY, "out of memory");
    }
    json_decref(json);
    return status;
}

/* The file of the pipeline's prompts with this hash, or NULL. */
static const char *file_of(const struct ps_pipeline *pipeline, const char *hash) {
    for (size_t i = 0; pipeline && i < pipeline->values.prompts.count; i++) {
        const struct ps_pipeline_prompt *prompt = pipeline->values.prompts.items[i].values;
        struct ps_hash file;
        char hex[PS_HASH_HEX_SIZE];
        if (prompt->template && ps_file_exists(prompt->template) &&
            ps_hash_file_cached(prompt->template, &file, NULL) == PS_OK &&
            strcmp(ps_hash_hex(&file, hex), hash) == 0)
            return prompt->template;
    }
    return NULL;
}

enum ps_status ps_train_start_find_template(struct ps_train_start *start,
                                            const struct ps_train_traces *traces,
                                            const struct ps_pipeline *pipeline,
                                            struct ps_error *error) {
    struct ps_store *store;
    const char *choice;
    if (start->template) return PS_OK;
    PS_TRY(ps_store_open(&store, traces->store, PS_STORE_READ, error));
    enum ps_status status = first_choice(store, traces, &start->arena, &choice, error);
    ps_store_close(store);
    PS_TRY(status);
    bool built_in = choice && (strcmp(choice, "chatml") == 0 || strcmp(choice, "none") == 0);
    const char *found = choice && !built_in ? file_of(pipeline, choice) : choice;
    PS_FAIL_IF(!found, error, PS_ARGUMENT,
               "%s has no chat template, and the prompts name none that is known; say which one "
               "the student gets with 'template': chatml, none for plain text, or a file",
               start->folder);
    return ps_template_open(found, start->folder, start->date, &start->template, error);
}

enum ps_status ps_train_end_token(const struct ps_train_start *start, int32_t *token,
                                  struct ps_error *error) {
    int64_t found, size = ps_tokenizer_size(start->tokenizer);
    PS_TRY(ps_template_end_token(start->template, start->tokenizer, &found, error));
    for (size_t i = 0; found < 0 && i < start->config->end_count; i++)
        if (start->config->end_ids[i] >= 0 && start->config->end_ids[i] < size)
            found = start->config->end_ids[i];
    if (found < 0) found = ps_tokenizer_eos(start->tokenizer);
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

/* The template's Jinja as a model's folder has it. BOS, which is the post-processor's to add to
 * plain text, is a template's own to print. */
static enum ps_status template_source(const struct ps_train_start *start, struct ps_buffer *source,
                                      struct ps_error *error) {
    struct ps_token_ids ids = {0};
    size_t size, bos_size = 0;
    const char *text = ps_template_source(start->template, &size), *bos = NULL;
    const char *choice = ps_template_choice(start->template);
    if (choice && strcmp(choice, "none") == 0)
        PS_TRY(ps_tokenizer_encode(start->tokenizer, "", 0, PS_ENCODE_SPECIAL, &ids, error));
    if (ids.size > 0) bos = ps_tokenizer_bytes(start->tokenizer, ids.data[0], &bos_size);
    ps_token_ids_release(&ids);
    bool fits = (!bos || ps_buffer_format(source, "{{- '%.*s' -}}\n", (int)bos_size, bos)) &&
                ps_buffer_append(source, text, size);
    PS_FAIL_IF(!fits, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

/* tokenizer_config.json names the template as well, for programs that look only there. */
static enum ps_status write_template(const struct ps_train_start *start, const char *to,
                                     struct ps_arena *paths, struct ps_error *error) {
    const char *config = ps_path_join(paths, to, "tokenizer_config.json");
    const char *jinja = ps_path_join(paths, to, "chat_template.jinja");
    struct ps_buffer source, text;
    json_t *json = NULL;
    PS_FAIL_IF(!config || !jinja, error, PS_MEMORY, "out of memory");
    ps_buffer_init(&source, 64 << 20);
    ps_buffer_init(&text, 256 << 20);
    enum ps_status status = template_source(start, &source, error);
    if (status == PS_OK) status = ps_file_write_atomic(jinja, source.data, source.size, error);
    if (status == PS_OK && ps_file_exists(config))
        status = ps_json_read_file(config, 256 << 20, &json, error);
    else if (status == PS_OK)
        json = json_object();
    if (status == PS_OK &&
        (!json ||
         json_object_set_new(json, "chat_template", json_stringn(source.data, source.size)) != 0))
        status = ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK) status = ps_json_dump(json, &text, error);
    if (status == PS_OK) status = ps_file_write_atomic(config, text.data, text.size, error);
    json_decref(json);
    ps_buffer_release(&source);
    ps_buffer_release(&text);
    return status;
}

enum ps_status ps_train_start_copy(const struct ps_train_start *start, const char *folder,
                                   struct ps_error *error) {
    static const char *const files[] = {"tokenizer.json", "tokenizer_config.json",
                                        "special_tokens_map.json", "vocab.json", "merges.txt"};
    struct ps_arena arena;
    int32_t token = 0;
    ps_arena_init(&arena, 1 << 20);
    const char *generation = ps_path_join(&arena, folder, "generation_config.json");
    enum ps_status status = generation ? PS_OK : ps_error_set(error, PS_MEMORY, "out of memory");
    for (size_t i = 0; status == PS_OK && i < sizeof files / sizeof *files; i++) {
        const char *source = ps_path_join(&arena, start->folder, files[i]);
        const char *target = ps_path_join(&arena, folder, files[i]);
        if (!source || !target)
            status = ps_error_set(error, PS_MEMORY, "out of memory");
        else if (ps_file_exists(source))
            status = copy_file(source, target, error);
    }
    if (status == PS_OK) status = write_template(start, folder, &arena, error);
    if (status == PS_OK) status = ps_train_end_token(start, &token, error);
    if (status == PS_OK) status = add_end_token(generation, token, error);
    ps_arena_release(&arena);
    return status;
}
