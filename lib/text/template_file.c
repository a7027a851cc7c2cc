/* Where a model's folder keeps its chat template, as transformers looks for it:
 * chat_template.jinja, else chat_template.json, else `chat_template` of tokenizer_config.json, a
 * text or a list of {"name", "template"} of which "default" is taken. */
#include "text/text_internal.h"

#include "base/file.h"
#include "base/json.h"
#include "text/jinja/jinja.h"

#include <string.h>

enum { MAX_CONFIG = 256 << 20 };

/* The list's template of that name, or NULL. */
static const json_t *named(const json_t *list, const char *name) {
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) {
        const char *own = json_string_value(json_object_get(entry, "name"));
        if (own && strcmp(own, name) == 0) return json_object_get(entry, "template");
    }
    return NULL;
}

static enum ps_status take(const json_t *value, struct ps_buffer *source, bool *found,
                           struct ps_error *error) {
    if (json_is_array(value)) {
        value = named(value, "default");
        PS_FAIL_IF(!value, error, PS_FORMAT, "none of the list 'chat_template' is named default");
    }
    if (!value || json_is_null(value)) return PS_OK;
    PS_FAIL_IF(!json_is_string(value), error, PS_FORMAT,
               "'chat_template' is neither a text nor a list of named ones");
    PS_FAIL_IF(!ps_buffer_append(source, json_string_value(value), json_string_length(value)),
               error, PS_LIMIT, "the chat template is too long");
    *found = true;
    return PS_OK;
}

static enum ps_status read_json(const char *path, struct ps_buffer *source, bool *found,
                                struct ps_error *error) {
    json_t *config;
    PS_TRY(ps_json_read_file(path, MAX_CONFIG, &config, error));
    enum ps_status status = take(json_object_get(config, "chat_template"), source, found, error);
    json_decref(config);
    return status == PS_OK ? PS_OK : ps_error_prefix(error, "%s", path);
}

static bool is_json(const char *path) {
    size_t size = strlen(path);
    return size > 5 && strcmp(path + size - 5, ".json") == 0;
}

static enum ps_status read_file(const char *path, struct ps_buffer *source, bool *found,
                                struct ps_error *error) {
    if (is_json(path)) return read_json(path, source, found, error);
    PS_TRY(ps_file_read(path, source, error));
    *found = true;
    return PS_OK;
}

enum ps_status ps_chat_template_load(const char *path, struct ps_buffer *source, bool *found,
                                     struct ps_error *error) {
    static const char *const names[] = {"chat_template.jinja", "chat_template.json",
                                        "tokenizer_config.json"};
    *found = false;
    if (!ps_directory_exists(path)) return read_file(path, source, found, error);
    struct ps_arena arena;
    enum ps_status status = PS_OK;
    ps_arena_init(&arena, 1 << 16);
    for (size_t i = 0; status == PS_OK && !*found && i < sizeof names / sizeof *names; i++) {
        const char *file = ps_path_join(&arena, path, names[i]);
        if (!file)
            status = ps_error_set(error, PS_MEMORY, "out of memory");
        else if (ps_file_exists(file))
            status = read_file(file, source, found, error);
    }
    ps_arena_release(&arena);
    return status;
}

/* ---- with the model's special tokens ---- */

/* A token is its text or an object with `content`; null and flags such as add_bos_token are none.
 */
static bool add_token(json_t *tokens, const char *key, json_t *value) {
    if (json_is_object(value)) value = json_object_get(value, "content");
    return !json_is_string(value) || json_object_set(tokens, key, value) == 0;
}

static bool ends_in_token(const char *key) {
    size_t size = strlen(key);
    return size > 6 && strcmp(key + size - 6, "_token") == 0;
}

/* The usual ones first, then a model's own (image_token), which may have a list to themselves. */
static bool add_tokens(json_t *tokens, json_t *config) {
    static const char *const usual[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};
    json_t *own = json_object_get(config, "extra_special_tokens"), *value;
    const char *key;
    bool added = true;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        added = added && add_token(tokens, usual[i], json_object_get(config, usual[i]));
    json_object_foreach(config, key, value) {
        if (ends_in_token(key)) added = added && add_token(tokens, key, value);
    }
    json_object_foreach(own, key, value) added = added && add_token(tokens, key, value);
    return added;
}

enum ps_status ps_special_tokens_load(const char *folder, json_t *tokens, struct ps_error *error) {
    struct ps_arena arena;
    json_t *config = NULL;
    ps_arena_init(&arena, 1 << 16);
    const char *path = ps_path_join(&arena, folder, "tokenizer_config.json");
    enum ps_status status = path ? PS_OK : ps_error_set(error, PS_MEMORY, "out of memory");
    if (path && ps_file_exists(path)) status = ps_json_read_file(path, MAX_CONFIG, &config, error);
    if (status == PS_OK && !add_tokens(tokens, config))
        status = ps_error_set(error, PS_MEMORY, "out of memory");
    json_decref(config);
    ps_arena_release(&arena);
    return status;
}

enum ps_status ps_jinja_open(const char *path, struct ps_jinja **template, json_t **tokens,
                             struct ps_error *error) {
    enum ps_status status = PS_OK;
    struct ps_buffer source;
    bool found;
    *template = NULL;
    *tokens = json_object();
    ps_buffer_init(&source, MAX_CONFIG);
    PS_FAIL_DONE_IF_NULL(*tokens, error);
    PS_TRY_DONE(ps_chat_template_load(path, &source, &found, error));
    PS_FAIL_DONE_IF(!found, error, PS_NOT_FOUND, "%s has no chat template", path);
    if (ps_directory_exists(path)) PS_TRY_DONE(ps_special_tokens_load(path, *tokens, error));
    status = ps_jinja_parse(path, source.data ? source.data : "", source.size, template, error);
done:
    ps_buffer_release(&source);
    if (status == PS_OK) return PS_OK;
    json_decref(*tokens);
    *tokens = NULL;
    return status;
}
