/* Opening a tokenizer.json. The file is a description of a pipeline; whatever in it would change
 * ids and is not built is refused by name, so that ids are right or there are none. */
#include "text/tokenizer/tokenizer_internal.h"

#include "base/file.h"

#include <string.h>

/* ---- the files ---- */

static enum ps_status load_tokenizer(struct ps_tokenizer *tokenizer, const char *path,
                                     struct ps_error *error) {
    struct ps_buffer file;
    json_t *root = NULL;
    ps_buffer_init(&file, MAX_TOKENIZER_FILE);
    enum ps_status status = ps_file_read(path, &file, error);
    if (status != PS_OK) goto done;
    tokenizer->hash = ps_hash_bytes(file.data, file.size);
    uint64_t seed = ps_hash_64(&tokenizer->hash);
    tokenizer->words.seed = tokenizer->merges.seed = seed;
    tokenizer->raw_added.edges.seed = tokenizer->normalized_added.edges.seed = seed;
    PS_TRY_DONE(ps_json_parse(path, file.data ? file.data : "", file.size, &root, error));
    ps_buffer_release(&file);
    /* From here on messages name the feature; the path comes in front. */
    status = ps_load_normalizer(tokenizer, json_object_get(root, "normalizer"), error);
    if (status == PS_OK)
        status = ps_load_pre_tokenizer(tokenizer, json_object_get(root, "pre_tokenizer"), error);
    if (status == PS_OK)
        status = ps_load_decoder(tokenizer, json_object_get(root, "decoder"), error);
    if (status == PS_OK)
        status = ps_load_model(tokenizer, json_object_get(root, "model"),
                               json_object_get(root, "added_tokens"), error);
    if (status == PS_OK)
        status = ps_load_post_processor(tokenizer, json_object_get(root, "post_processor"), error);
    if (status == PS_UNSUPPORTED)
        ps_error_prefix(error, "%s: this tokenizer needs a feature that is not built", path);
    else if (status != PS_OK)
        ps_error_prefix(error, "%s", path);
done:
    json_decref(root);
    ps_buffer_release(&file);
    return status;
}

/* A token of tokenizer_config.json: "text", {"content": "text"} or null. */
static int64_t config_token(const struct ps_tokenizer *tokenizer, const json_t *config,
                            const char *key) {
    const json_t *value = json_object_get(config, key);
    if (json_is_object(value)) value = json_object_get(value, "content");
    if (!json_is_string(value)) return PS_TOKEN_NONE;
    return ps_tokenizer_find(tokenizer, json_string_value(value), json_string_length(value));
}

static enum ps_status load_config(struct ps_tokenizer *tokenizer, const char *folder,
                                  struct ps_error *error) {
    const char *path = ps_path_join(&tokenizer->arena, folder, "tokenizer_config.json");
    json_t *config;
    PS_FAIL_IF_NULL(path, error);
    tokenizer->bos = tokenizer->eos = PS_TOKEN_NONE;
    if (!ps_file_exists(path)) return PS_OK;
    PS_TRY(ps_json_read_file(path, MAX_TOKENIZER_FILE, &config, error));
    tokenizer->bos = config_token(tokenizer, config, "bos_token");
    tokenizer->eos = config_token(tokenizer, config, "eos_token");
    json_decref(config);
    return PS_OK;
}

enum ps_status ps_tokenizer_open(const char *path, struct ps_tokenizer **result,
                                 struct ps_error *error) {
    *result = NULL;
    struct ps_tokenizer *tokenizer = ps_calloc(1, sizeof *tokenizer);
    PS_FAIL_IF_NULL(tokenizer, error);
    ps_arena_init(&tokenizer->arena, SIZE_MAX);
    pthread_mutex_init(&tokenizer->lock, NULL);
    enum ps_status status = PS_OK;
    const char *slash = strrchr(path, '/');
    const char *folder = ps_directory_exists(path) ? path
                         : slash                   ? ps_arena_strndup(&tokenizer->arena, path,
                                                                      (size_t)(slash - path) + (slash == path))
                                                   : ".";
    const char *file =
        folder == path ? ps_path_join(&tokenizer->arena, path, "tokenizer.json") : path;
    PS_FAIL_DONE_IF(!folder || !file, error, PS_MEMORY, "out of memory");
    PS_TRY_DONE(load_tokenizer(tokenizer, file, error));
    PS_TRY_DONE(load_config(tokenizer, folder, error));
done:
    if (status == PS_OK)
        *result = tokenizer;
    else
        ps_tokenizer_close(tokenizer);
    return status;
}

void ps_tokenizer_close(struct ps_tokenizer *tokenizer) {
    if (!tokenizer) return;
    for (struct ps_workspace *workspace = tokenizer->idle; workspace;) {
        struct ps_workspace *next = workspace->next;
        ps_workspace_free(workspace);
        workspace = next;
    }
    for (size_t i = 0; i < tokenizer->regex_count; i++) pcre2_code_free(tokenizer->regexes[i]);
    ps_table_release(&tokenizer->words);
    ps_table_release(&tokenizer->merges);
    ps_trie_release(&tokenizer->raw_added);
    ps_trie_release(&tokenizer->normalized_added);
    ps_arena_release(&tokenizer->arena);
    pthread_mutex_destroy(&tokenizer->lock);
    ps_free(tokenizer);
}

/* ---- what it knows ---- */

uint32_t ps_tokenizer_size(const struct ps_tokenizer *tokenizer) {
    return tokenizer->token_count;
}

const struct ps_hash *ps_tokenizer_hash(const struct ps_tokenizer *tokenizer) {
    return &tokenizer->hash;
}

int64_t ps_tokenizer_find(const struct ps_tokenizer *tokenizer, const char *text, size_t size) {
    const struct ps_trie *tries[] = {&tokenizer->raw_added, &tokenizer->normalized_added};
    uint32_t id;
    for (size_t i = 0; i < 2; i++)
        if (size > 0 && tries[i]->node_count > 0 &&
            ps_trie_match(tries[i], text, size, &id) == size)
            return id;
    return ps_tokenizer_word(tokenizer, text, size);
}

const char *ps_tokenizer_bytes(const struct ps_tokenizer *tokenizer, uint32_t id, size_t *size) {
    bool used = id < tokenizer->token_count;
    *size = used ? tokenizer->tokens[id].size : 0;
    return used ? tokenizer->tokens[id].bytes : NULL;
}

bool ps_tokenizer_is_special(const struct ps_tokenizer *tokenizer, uint32_t id) {
    return id < tokenizer->token_count && tokenizer->tokens[id].special;
}

int64_t ps_tokenizer_bos(const struct ps_tokenizer *tokenizer) {
    return tokenizer->bos;
}

int64_t ps_tokenizer_eos(const struct ps_tokenizer *tokenizer) {
    return tokenizer->eos;
}
