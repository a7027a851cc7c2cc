/* The vocabulary of a tokenizer.json: the BPE model's tokens and merges, and the added tokens. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

const char *ps_json_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int64_t ps_tokenizer_word(const struct ps_tokenizer *tokenizer, const char *bytes, size_t size) {
    uint64_t key = ps_hash_short(tokenizer->words.seed, bytes, size);
    for (;; key++) {
        uint64_t id = ps_table_get(&tokenizer->words, key);
        if (id == PS_TABLE_NONE) return PS_TOKEN_NONE;
        const struct ps_token *token = &tokenizer->tokens[id];
        if (token->size == size && memcmp(token->bytes, bytes, size) == 0) return (int64_t)id;
    }
}

static enum ps_status add_word(struct ps_tokenizer *tokenizer, uint32_t id,
                               struct ps_error *error) {
    const struct ps_token *token = &tokenizer->tokens[id];
    uint64_t key = ps_hash_short(tokenizer->words.seed, token->bytes, token->size);
    while (ps_table_get(&tokenizer->words, key) != PS_TABLE_NONE) key++;
    PS_FAIL_IF(!ps_table_put(&tokenizer->words, key, id), error, PS_MEMORY, "out of memory");
    if (token->size == 1) tokenizer->byte_ids[(unsigned char)token->bytes[0]] = id;
    return PS_OK;
}

/* ---- features that would change the ids ---- */

static enum ps_status check_features(const json_t *model, struct ps_error *error) {
    const json_t *dropout = json_object_get(model, "dropout");
    const char *type = ps_json_text(model, "type");
    PS_FAIL_IF(*type && strcmp(type, "BPE") != 0, error, PS_UNSUPPORTED, "model type '%.40s'",
               type);
    PS_FAIL_IF(!json_is_object(json_object_get(model, "vocab")), error, PS_FORMAT,
               "model.vocab is missing or no object");
    PS_FAIL_IF(!json_is_array(json_object_get(model, "merges")), error, PS_FORMAT,
               "model.merges is missing or no array");
    PS_FAIL_IF(dropout && !json_is_null(dropout) && json_number_value(dropout) != 0, error,
               PS_UNSUPPORTED, "model.dropout");
    return PS_OK;
}

/* What a subword's name begins or ends with; "" is the same as none. */
static enum ps_status load_affix(struct ps_tokenizer *tokenizer, const json_t *model,
                                 const char *key, const char **affix, size_t *size,
                                 struct ps_error *error) {
    *affix = NULL;
    *size = 0;
    if (!*ps_json_text(model, key)) return PS_OK;
    PS_TRY(ps_load_string(tokenizer, model, key, "model", affix, size, error));
    PS_FAIL_IF(*size > MAX_AFFIX_SIZE, error, PS_LIMIT, "model.%s is longer than %d bytes", key,
               MAX_AFFIX_SIZE);
    for (size_t i = 0; i < *size; i++)
        PS_FAIL_IF((unsigned char)(*affix)[i] >= 0x80 || (*affix)[i] <= ' ', error, PS_UNSUPPORTED,
                   "model.%s that is not printable ASCII", key);
    return PS_OK;
}

/* ---- vocabulary ---- */

static enum ps_status check_id(const json_t *value, const char *name, struct ps_error *error) {
    PS_FAIL_IF(!json_is_integer(value) || json_integer_value(value) < 0, error, PS_FORMAT,
               "the id of token '%.80s' is no integer from 0", name);
    PS_FAIL_IF(json_integer_value(value) >= MAX_TOKEN_ID, error, PS_LIMIT,
               "the id of token '%.80s' is over %d", name, MAX_TOKEN_ID - 1);
    return PS_OK;
}

static enum ps_status make_token_list(struct ps_tokenizer *tokenizer, json_t *vocabulary,
                                      json_t *added, struct ps_error *error) {
    json_int_t largest = -1;
    const char *name;
    json_t *value;
    size_t i;
    json_object_foreach(vocabulary, name, value) {
        PS_TRY(check_id(value, name, error));
        if (json_integer_value(value) > largest) largest = json_integer_value(value);
    }
    PS_FAIL_IF(json_array_size(added) > MAX_ADDED_TOKENS, error, PS_LIMIT,
               "more than %d added tokens", MAX_ADDED_TOKENS);
    json_array_foreach(added, i, value) {
        const json_t *id = json_object_get(value, "id");
        PS_TRY(check_id(id, ps_json_text(value, "content"), error));
        if (json_integer_value(id) > largest) largest = json_integer_value(id);
    }
    PS_FAIL_IF(largest < 0, error, PS_FORMAT, "the vocabulary is empty");
    tokenizer->token_count = (uint32_t)largest + 1;
    tokenizer->tokens =
        ps_arena_array(&tokenizer->arena, tokenizer->token_count, sizeof *tokenizer->tokens);
    PS_FAIL_IF_NULL(tokenizer->tokens, error);
    return PS_OK;
}

static enum ps_status load_vocabulary(struct ps_tokenizer *tokenizer, json_t *vocabulary,
                                      struct ps_error *error) {
    const char *name;
    json_t *value;
    json_object_foreach(vocabulary, name, value) {
        struct ps_token *token = &tokenizer->tokens[json_integer_value(value)];
        PS_FAIL_IF(token->bytes, error, PS_FORMAT, "token '%.80s' has the id %lld of another one",
                   name, (long long)json_integer_value(value));
        size_t size = strlen(name), byte_count = size;
        char *bytes = ps_arena_strndup(&tokenizer->arena, name, size);
        PS_FAIL_IF_NULL(bytes, error);
        token->model = size > 0 && (!tokenizer->byte_level ||
                                    ps_byte_level_decode(name, size, bytes, &byte_count));
        if (!token->model) memcpy(bytes, name, byte_count = size);
        token->bytes = bytes;
        token->size = (uint32_t)byte_count;
        if (token->model) PS_TRY(add_word(tokenizer, (uint32_t)(token - tokenizer->tokens), error));
    }
    return PS_OK;
}

/* ---- merges ---- */

/* A name as the model merges it: its bytes, if that is byte-level. false: it stands for none. */
static bool name_bytes(const struct ps_tokenizer *tokenizer, const char *name, size_t size,
                       char *bytes, size_t *byte_count) {
    if (tokenizer->byte_level) return ps_byte_level_decode(name, size, bytes, byte_count);
    memcpy(bytes, name, size);
    *byte_count = size;
    return true;
}

/* The two names of a merge: "left right", or ["left", "right"]. */
static bool split_merge(const json_t *merge, const char *names[2], size_t sizes[2]) {
    if (json_is_string(merge)) {
        const char *text = json_string_value(merge);
        const char *blank = memchr(text, ' ', json_string_length(merge));
        if (!blank) return false;
        names[0] = text;
        sizes[0] = (size_t)(blank - text);
        names[1] = blank + 1;
        sizes[1] = json_string_length(merge) - sizes[0] - 1;
        return !memchr(names[1], ' ', sizes[1]);
    }
    if (json_array_size(merge) != 2) return false;
    for (size_t i = 0; i < 2; i++) {
        names[i] = json_string_value(json_array_get(merge, i));
        if (!names[i]) return false;
        sizes[i] = json_string_length(json_array_get(merge, i));
    }
    return true;
}

/* Looks at what a merge says about cutting at marks. Bytes that stand for a character and unknown
 * characters are no text that could be looked at, so nothing is cut where those merge. */
static void note_mark(struct ps_tokenizer *tokenizer, const char *left, size_t left_size,
                      const char *right, size_t right_size) {
    bool odd = (left_size > 2 && memcmp(left, "<0x", 3) == 0) ||
               (right_size > 2 && memcmp(right, "<0x", 3) == 0) ||
               ps_tokenizer_word(tokenizer, left, left_size) == tokenizer->unknown ||
               ps_tokenizer_word(tokenizer, right, right_size) == tokenizer->unknown;
    if (odd) tokenizer->cut_at_marks = false;
    if (left_size > 0 && right_size >= MARK_SIZE && memcmp(right, PS_MARK, MARK_SIZE) == 0)
        tokenizer->joined[(unsigned char)left[left_size - 1]] = true;
}

static enum ps_status add_merge(struct ps_tokenizer *tokenizer, size_t rank, const json_t *merge,
                                struct ps_buffer *bytes, struct ps_error *error) {
    const char *names[2];
    size_t sizes[2], first, second, cut = tokenizer->prefix_size;
    if (strncmp(json_string_value(merge) ? json_string_value(merge) : "", "#version", 8) == 0)
        return PS_OK;
    PS_FAIL_IF(!split_merge(merge, names, sizes), error, PS_FORMAT,
               "merge %zu is neither \"a b\" nor [\"a\", \"b\"]", rank);
    bytes->size = 0;
    PS_FAIL_IF(!ps_buffer_reserve(bytes, sizes[0] + sizes[1]), error, PS_LIMIT,
               "merge %zu is too long", rank);
    /* Names that stand for no bytes can never come up: only bytes are ever merged. */
    if (!name_bytes(tokenizer, names[0], sizes[0], bytes->data, &first) ||
        !name_bytes(tokenizer, names[1], sizes[1], bytes->data + first, &second))
        return PS_OK;
    int64_t left = ps_tokenizer_word(tokenizer, bytes->data, first);
    int64_t right = ps_tokenizer_word(tokenizer, bytes->data + first, second);
    if (tokenizer->cut_at_marks)
        note_mark(tokenizer, bytes->data, first, bytes->data + first, second);
    PS_FAIL_IF(second < cut, error, PS_FORMAT,
               "merge %zu ('%.40s') is shorter than continuing_subword_prefix", rank, names[1]);
    memmove(bytes->data + first, bytes->data + first + cut, second - cut);
    int64_t merged = ps_tokenizer_word(tokenizer, bytes->data, first + second - cut);
    PS_FAIL_IF(left < 0 || right < 0 || merged < 0, error, PS_FORMAT,
               "merge %zu ('%.40s') names a token that is not in the vocabulary", rank, names[0]);
    tokenizer->special_merges |= tokenizer->tokens[merged].special;
    bool put = ps_table_put(&tokenizer->merges, (uint64_t)left << 32 | (uint64_t)right,
                            (uint64_t)rank << 32 | (uint64_t)merged);
    PS_FAIL_IF(!put, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

static enum ps_status load_merges(struct ps_tokenizer *tokenizer, json_t *merges,
                                  struct ps_error *error) {
    PS_FAIL_IF(json_array_size(merges) > MAX_MERGES, error, PS_LIMIT, "more than %d merges",
               MAX_MERGES);
    struct ps_buffer bytes;
    ps_buffer_init(&bytes, 1 << 20);
    enum ps_status status = PS_OK;
    size_t rank;
    json_t *merge;
    json_array_foreach(merges, rank, merge) {
        PS_TRY_DONE(add_merge(tokenizer, rank, merge, &bytes, error));
    }
done:
    ps_buffer_release(&bytes);
    return status;
}

enum ps_status ps_load_model(struct ps_tokenizer *tokenizer, json_t *model, json_t *added_tokens,
                             struct ps_error *error) {
    PS_TRY(check_features(model, error));
    PS_TRY(load_affix(tokenizer, model, "continuing_subword_prefix", &tokenizer->prefix,
                      &tokenizer->prefix_size, error));
    PS_TRY(load_affix(tokenizer, model, "end_of_word_suffix", &tokenizer->suffix,
                      &tokenizer->suffix_size, error));
    tokenizer->byte_fallback = json_is_true(json_object_get(model, "byte_fallback"));
    json_t *vocabulary = json_object_get(model, "vocab");
    for (int byte = 0; byte < 256; byte++) tokenizer->byte_ids[byte] = PS_TOKEN_NONE;
    PS_TRY(make_token_list(tokenizer, vocabulary, added_tokens, error));
    PS_TRY(load_vocabulary(tokenizer, vocabulary, error));
    PS_TRY(ps_load_added_tokens(tokenizer, vocabulary, added_tokens, error));
    for (int byte = 0; byte < 256; byte++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)byte);
        const json_t *id = json_object_get(vocabulary, name);
        tokenizer->fallback[byte] = id ? json_integer_value(id) : PS_TOKEN_NONE;
    }
    const json_t *unknown = json_object_get(model, "unk_token");
    tokenizer->unknown = PS_TOKEN_NONE;
    if (json_is_string(unknown)) {
        const json_t *id = json_object_get(vocabulary, json_string_value(unknown));
        PS_FAIL_IF(!id, error, PS_FORMAT, "model.unk_token '%.80s' is not in the vocabulary",
                   json_string_value(unknown));
        tokenizer->unknown = json_integer_value(id);
    }
    tokenizer->fuse_unknown = json_is_true(json_object_get(model, "fuse_unk"));
    tokenizer->ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    tokenizer->cut_at_marks = !tokenizer->byte_level && !tokenizer->ignore_merges &&
                              !tokenizer->prefix && !tokenizer->suffix &&
                              ps_tokenizer_word(tokenizer, PS_MARK, MARK_SIZE) != PS_TOKEN_NONE;
    return load_merges(tokenizer, json_object_get(model, "merges"), error);
}
