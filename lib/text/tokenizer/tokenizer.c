/* Opening a tokenizer.json. The file is a description of a pipeline; whatever in it would change
 * ids and is not built is refused by name, so that ids are right or there are none. */
#include "text/tokenizer/tokenizer_internal.h"

#include "base/file.h"

#include <string.h>

/* ---- the files ---- */

/* Messages of the parts name the feature; the path comes in front. */
static enum ps_status load_parts(struct ps_tokenizer *tokenizer, const char *path, json_t *root,
                                 struct ps_error *error) {
    uint64_t seed = ps_hash_64(&tokenizer->hash);
    tokenizer->words.seed = tokenizer->merges.seed = seed;
    tokenizer->raw_added.edges.seed = tokenizer->normalized_added.edges.seed = seed;
    enum ps_status status =
        ps_load_normalizer(tokenizer, json_object_get(root, "normalizer"), error);
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
    return status;
}

/* *root belongs to the caller. */
static enum ps_status read_json(struct ps_tokenizer *tokenizer, const char *path, json_t **root,
                                struct ps_error *error) {
    struct ps_buffer file;
    ps_buffer_init(&file, MAX_TOKENIZER_FILE);
    enum ps_status status = ps_file_read(path, &file, error);
    if (status == PS_OK) {
        tokenizer->hash = ps_hash_bytes(file.data, file.size);
        status = ps_json_parse(path, file.data ? file.data : "", file.size, root, error);
    }
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

/* The BOS and EOS tokens. A config that says whether they are added takes the post-processor's
 * place, as in transformers 5. */
static void apply_config(struct ps_tokenizer *tokenizer, const json_t *config) {
    const json_t *bos = json_object_get(config, "add_bos_token");
    const json_t *eos = json_object_get(config, "add_eos_token");
    tokenizer->bos = config_token(tokenizer, config, "bos_token");
    tokenizer->eos = config_token(tokenizer, config, "eos_token");
    if (!bos && !eos) return;
    tokenizer->prefix_count = json_is_true(bos) && tokenizer->bos != PS_TOKEN_NONE;
    tokenizer->suffix_count = json_is_true(eos) && tokenizer->eos != PS_TOKEN_NONE;
    tokenizer->prefix_ids[0] = (uint32_t)tokenizer->bos;
    tokenizer->suffix_ids[0] = (uint32_t)tokenizer->eos;
}

/* Where a tokenizer's files are: *vocabulary NULL if `json` is all there is. A folder has
 * tokenizer.json, or else the other two, by one of their pairs of names; so has a file's folder if
 * the file is a vocabulary. */
struct places {
    const char *folder, *json, *config, *vocabulary, *merges;
};

static enum ps_status find_files(struct ps_arena *arena, const char *path, struct places *places,
                                 struct ps_error *error) {
    static const char *const pairs[][2] = {{"vocab.json", "merges.txt"},
                                           {"encoder.json", "vocab.bpe"}};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    bool is_folder = ps_directory_exists(path);
    *places = (struct places){.folder = path, .json = path};
    if (is_folder)
        places->json = ps_path_join(arena, path, "tokenizer.json");
    else
        places->folder =
            slash ? ps_arena_strndup(arena, path, (size_t)(slash - path) + (slash == path)) : ".";
    PS_FAIL_IF(!places->json || !places->folder, error, PS_MEMORY, "out of memory");
    places->config = ps_path_join(arena, places->folder, "tokenizer_config.json");
    PS_FAIL_IF_NULL(places->config, error);
    if (is_folder && ps_file_exists(places->json)) return PS_OK;
    for (size_t i = 0; i < 2 && !places->vocabulary; i++) {
        if (!is_folder && strcmp(name, pairs[i][0]) != 0) continue;
        const char *vocabulary = ps_path_join(arena, places->folder, pairs[i][0]);
        places->merges = ps_path_join(arena, places->folder, pairs[i][1]);
        PS_FAIL_IF(!vocabulary || !places->merges, error, PS_MEMORY, "out of memory");
        if (ps_file_exists(vocabulary)) places->vocabulary = vocabulary;
    }
    return PS_OK;
}

static enum ps_status open_files(struct ps_tokenizer *tokenizer, const char *path,
                                 struct ps_error *error) {
    struct places places;
    json_t *config = NULL, *root = NULL;
    PS_TRY(find_files(&tokenizer->arena, path, &places, error));
    enum ps_status status = PS_OK;
    if (ps_file_exists(places.config))
        PS_TRY_DONE(ps_json_read_file(places.config, MAX_TOKENIZER_FILE, &config, error));
    else
        PS_FAIL_DONE_IF(!(config = json_object()), error, PS_MEMORY, "out of memory");
    if (places.vocabulary)
        PS_TRY_DONE(ps_read_vocabulary_files(tokenizer, places.vocabulary, places.merges, config,
                                             &root, error));
    else
        PS_TRY_DONE(read_json(tokenizer, places.json, &root, error));
    PS_TRY_DONE(
        load_parts(tokenizer, places.vocabulary ? places.vocabulary : places.json, root, error));
    apply_config(tokenizer, config);
done:
    json_decref(config);
    json_decref(root);
    return status;
}

enum ps_status ps_tokenizer_open(const char *path, struct ps_tokenizer **result,
                                 struct ps_error *error) {
    *result = NULL;
    struct ps_tokenizer *tokenizer = ps_calloc(1, sizeof *tokenizer);
    PS_FAIL_IF_NULL(tokenizer, error);
    ps_arena_init(&tokenizer->arena, SIZE_MAX);
    pthread_mutex_init(&tokenizer->lock, NULL);
    tokenizer->bos = tokenizer->eos = PS_TOKEN_NONE;
    enum ps_status status = open_files(tokenizer, path, error);
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

bool ps_tokenizer_is_control(const struct ps_tokenizer *tokenizer, uint32_t id) {
    return id < tokenizer->token_count && tokenizer->tokens[id].added;
}

int64_t ps_tokenizer_bos(const struct ps_tokenizer *tokenizer) {
    return tokenizer->bos;
}

int64_t ps_tokenizer_eos(const struct ps_tokenizer *tokenizer) {
    return tokenizer->eos;
}
