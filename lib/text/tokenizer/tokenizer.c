/* Opening a tokenizer.json. The file is a description of a pipeline; whatever in it would change
 * ids and is not built is refused by name, so that ids are right or there are none. */
#include "text/tokenizer/tokenizer_internal.h"

#include "base/file.h"

#include <string.h>

static enum ps_status load_normalizer(struct ps_tokenizer *tokenizer, const json_t *description,
                                      int depth, struct ps_error *error) {
    if (!json_is_object(description)) return PS_OK;
    PS_FAIL_IF(depth > MAX_NESTING, error, PS_UNSUPPORTED, "normalizers nested so deeply");
    const char *type = ps_json_text(description, "type");
    if (strcmp(type, "NFC") == 0) {
        tokenizer->nfc = true;
        return PS_OK;
    }
    PS_FAIL_IF(strcmp(type, "Sequence") != 0, error, PS_UNSUPPORTED, "normalizer '%.40s'", type);
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(description, "normalizers"), i, step) {
        PS_TRY(load_normalizer(tokenizer, step, depth + 1, error));
    }
    return PS_OK;
}

static enum ps_status check_decoder(const json_t *description, int depth, struct ps_error *error) {
    const char *type = ps_json_text(description, "type");
    PS_FAIL_IF(depth > MAX_NESTING, error, PS_UNSUPPORTED, "decoders nested so deeply");
    if (strcmp(type, "ByteLevel") == 0 || strcmp(type, "Fuse") == 0) return PS_OK;
    PS_FAIL_IF(strcmp(type, "Sequence") != 0, error, PS_UNSUPPORTED, "decoder '%.40s'",
               *type ? type : "null");
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(description, "decoders"), i, step) {
        PS_TRY(check_decoder(step, depth + 1, error));
    }
    return PS_OK;
}

/* ---- post-processor ---- */

/* {"SpecialToken": {"id": "<s>"}}, whose ids stand in special_tokens["<s>"].ids. */
static enum ps_status add_template_token(struct ps_tokenizer *tokenizer, const json_t *special,
                                         const char *name, bool behind, struct ps_error *error) {
    uint32_t *list = behind ? tokenizer->suffix_ids : tokenizer->prefix_ids;
    size_t *count = behind ? &tokenizer->suffix_count : &tokenizer->prefix_count, i;
    const json_t *ids = json_object_get(json_object_get(special, name), "ids");
    json_t *id;
    PS_FAIL_IF(!json_is_array(ids), error, PS_FORMAT,
               "post-processor: special token '%.80s' has no ids", name);
    json_array_foreach(ids, i, id) {
        PS_FAIL_IF(*count == MAX_TEMPLATE_IDS, error, PS_UNSUPPORTED,
                   "a post-processor with more than %d tokens", MAX_TEMPLATE_IDS);
        json_int_t value = json_integer_value(id);
        bool used = json_is_integer(id) && value >= 0 && value < tokenizer->token_count;
        PS_FAIL_IF(!used, error, PS_FORMAT,
                   "post-processor: special token '%.80s' has an id that is not in the vocabulary",
                   name);
        list[(*count)++] = (uint32_t)value;
    }
    return PS_OK;
}

static enum ps_status load_template(struct ps_tokenizer *tokenizer, const json_t *description,
                                    struct ps_error *error) {
    const json_t *special = json_object_get(description, "special_tokens");
    bool behind = false;
    size_t i;
    json_t *piece;
    json_array_foreach(json_object_get(description, "single"), i, piece) {
        const json_t *token = json_object_get(piece, "SpecialToken");
        if (token) {
            const char *name = ps_json_text(token, "id");
            PS_TRY(add_template_token(tokenizer, special, name, behind, error));
        } else {
            bool first = !behind && json_object_get(piece, "Sequence");
            PS_FAIL_IF(!first, error, PS_UNSUPPORTED,
                       "a post-processor template that is not tokens around one text");
            behind = true;
        }
    }
    PS_FAIL_IF(!behind, error, PS_UNSUPPORTED, "a post-processor template without the text");
    return PS_OK;
}

static enum ps_status load_post_processor(struct ps_tokenizer *tokenizer, const json_t *description,
                                          int depth, struct ps_error *error) {
    if (!json_is_object(description)) return PS_OK;
    const char *type = ps_json_text(description, "type");
    PS_FAIL_IF(depth > MAX_NESTING, error, PS_UNSUPPORTED, "post-processors nested so deeply");
    if (strcmp(type, "ByteLevel") == 0) return PS_OK; /* trims offsets, which nobody asks for */
    if (strcmp(type, "TemplateProcessing") == 0) {
        bool second = tokenizer->prefix_count + tokenizer->suffix_count > 0;
        PS_FAIL_IF(second, error, PS_UNSUPPORTED, "two post-processor templates");
        return load_template(tokenizer, description, error);
    }
    PS_FAIL_IF(strcmp(type, "Sequence") != 0, error, PS_UNSUPPORTED, "post-processor '%.40s'",
               type);
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(description, "processors"), i, step) {
        PS_TRY(load_post_processor(tokenizer, step, depth + 1, error));
    }
    return PS_OK;
}

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
    status = load_normalizer(tokenizer, json_object_get(root, "normalizer"), 0, error);
    if (status == PS_OK)
        status = ps_load_pre_tokenizer(tokenizer, json_object_get(root, "pre_tokenizer"), error);
    if (status == PS_OK) status = check_decoder(json_object_get(root, "decoder"), 0, error);
    if (status == PS_OK)
        status = ps_load_model(tokenizer, json_object_get(root, "model"),
                               json_object_get(root, "added_tokens"), error);
    if (status == PS_OK)
        status = load_post_processor(tokenizer, json_object_get(root, "post_processor"), 0, error);
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
    for (size_t i = 0; i < tokenizer->stage_count; i++) pcre2_code_free(tokenizer->stages[i].regex);
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
