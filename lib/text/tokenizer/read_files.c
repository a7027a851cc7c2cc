/* A tokenizer's files: tokenizer.json, or the older pair of vocab.json and merges.txt (encoder.json
 * and vocab.bpe by GPT-2's names), which says nothing of the rest: the class in
 * tokenizer_config.json does. What it stands for, as in transformers, is written down here as the
 * tokenizer.json that it would be. */
#include "text/tokenizer/tokenizer_internal.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

static const char end_of_text[] = "<|endoftext|>";

/* The tokenizer_class and how such tokenizers cut. */
static const struct {
    const char *class;
    const char *parts;
    bool default_bos; /* <|endoftext|>, where the config names none */
} classes[] = {
    {"GPT2Tokenizer", "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"use_regex\":true}}", true},
    {"Qwen2Tokenizer",
     "{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
     "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":"
     "\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}|"
     " ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}},"
     "{\"type\":\"ByteLevel\",\"use_regex\":false}]}}",
     false},
};

static enum ps_status find_class(const json_t *config, const char *vocabulary_path, size_t *index,
                                 struct ps_error *error) {
    const char *class = ps_json_text(config, "tokenizer_class");
    size_t size = strlen(class);
    if (size > 4 && strcmp(class + size - 4, "Fast") == 0) size -= 4;
    for (*index = 0; *index < sizeof classes / sizeof *classes; ++*index)
        if (strlen(classes[*index].class) == size &&
            strncmp(class, classes[*index].class, size) == 0)
            return PS_OK;
    const char *name = strrchr(vocabulary_path, '/');
    *index = 0; /* files by GPT-2's own names need no class */
    if (!*class && name && strcmp(name, "/encoder.json") == 0) return PS_OK;
    PS_FAIL_IF(!*class, error, PS_UNSUPPORTED,
               "%s: a vocabulary without a tokenizer.json needs a tokenizer_config.json with its "
               "tokenizer_class (GPT2Tokenizer or Qwen2Tokenizer)",
               vocabulary_path);
    return ps_error_set(error, PS_UNSUPPORTED,
                        "%s: tokenizer_class '%.40s' without a tokenizer.json (GPT2Tokenizer and "
                        "Qwen2Tokenizer are built)",
                        vocabulary_path, class);
}

/* ---- merges.txt ---- */

static enum ps_status parse_merges(const char *path, const struct ps_buffer *file, json_t *merges,
                                   struct ps_error *error) {
    size_t line = 0;
    for (size_t begin = 0; begin < file->size; line++) {
        const char *text = file->data + begin;
        const char *newline = memchr(text, '\n', file->size - begin);
        size_t size = newline ? (size_t)(newline - text) : file->size - begin;
        begin += size + 1;
        if (size > 0 && text[size - 1] == '\r') size--;
        if (size == 0 || (size >= 8 && memcmp(text, "#version", 8) == 0)) continue;
        PS_FAIL_IF(json_array_append_new(merges, json_stringn(text, size)) != 0, error, PS_FORMAT,
                   "%s:%zu: no UTF-8, or out of memory", path, line + 1);
    }
    return PS_OK;
}

/* ---- added tokens ---- */

static int by_id(const void *a, const void *b) {
    json_int_t left = json_integer_value(json_object_get(*(json_t *const *)a, "id"));
    json_int_t right = json_integer_value(json_object_get(*(json_t *const *)b, "id"));
    return (left > right) - (left < right);
}

/* added_tokens_decoder, {"50256": {"content": ...}}, as the list of a tokenizer.json, by id. */
static enum ps_status list_added_tokens(const json_t *config, json_t *list,
                                        struct ps_error *error) {
    json_t *decoder = json_object_get(config, "added_tokens_decoder"), *entry;
    size_t count = json_object_size(decoder), used = 0;
    PS_FAIL_IF(count > MAX_ADDED_TOKENS, error, PS_LIMIT, "more than %d added tokens",
               MAX_ADDED_TOKENS);
    json_t **entries = ps_calloc(count + 1, sizeof *entries);
    PS_FAIL_IF_NULL(entries, error);
    enum ps_status status = PS_OK;
    const char *key;
    json_object_foreach(decoder, key, entry) {
        char *end;
        long long id = strtoll(key, &end, 10);
        bool fits = *key && !*end && id >= 0 && json_is_object(entry);
        PS_FAIL_DONE_IF(!fits, error, PS_FORMAT, "added_tokens_decoder: '%.40s' is no token", key);
        PS_FAIL_DONE_IF(json_object_set_new(entry, "id", json_integer(id)) != 0, error, PS_MEMORY,
                        "out of memory");
        entries[used++] = entry;
    }
    qsort(entries, used, sizeof *entries, by_id);
    for (size_t i = 0; i < used; i++)
        PS_FAIL_DONE_IF(json_array_append(list, entries[i]) != 0, error, PS_MEMORY,
                        "out of memory");
done:
    ps_free(entries);
    return status;
}

/* Adds a token that the config names as special and that is in the vocabulary but not in the list.
 */
static enum ps_status add_special(json_t *list, const json_t *vocabulary, const json_t *named,
                                  struct ps_error *error) {
    if (json_is_object(named)) named = json_object_get(named, "content");
    const char *text = json_string_value(named);
    const json_t *id = text ? json_object_get(vocabulary, text) : NULL;
    size_t i;
    json_t *entry;
    if (!id) return PS_OK;
    json_array_foreach(list, i, entry) {
        if (strcmp(ps_json_text(entry, "content"), text) == 0) return PS_OK;
    }
    entry = json_pack("{s:I,s:s,s:b,s:b}", "id", json_integer_value(id), "content", text, "special",
                      1, "normalized", 0);
    PS_FAIL_IF(json_array_append_new(list, entry) != 0, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

static enum ps_status add_specials(json_t *list, const json_t *vocabulary, json_t *config,
                                   bool default_bos, struct ps_error *error) {
    static const char *const keys[] = {"unk_token", "bos_token", "eos_token", "pad_token"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bool defaults = strcmp(keys[i], "bos_token") != 0 || default_bos;
        if (defaults && !json_object_get(config, keys[i]) &&
            json_object_set_new(config, keys[i], json_string(end_of_text)) != 0)
            return ps_error_set(error, PS_MEMORY, "out of memory");
        PS_TRY(add_special(list, vocabulary, json_object_get(config, keys[i]), error));
    }
    size_t i;
    json_t *more;
    json_array_foreach(json_object_get(config, "additional_special_tokens"), i, more) {
        PS_TRY(add_special(list, vocabulary, more, error));
    }
    return PS_OK;
}

/* ---- the whole ---- */

enum ps_status ps_read_vocabulary_files(struct ps_tokenizer *tokenizer, const char *vocabulary_path,
                                        const char *merges_path, json_t *config, json_t **root,
                                        struct ps_error *error) {
    struct ps_buffer vocabulary, merges;
    json_t *words = NULL, *list = json_array(), *added = json_array(), *model = NULL;
    size_t class;
    enum ps_status status = PS_OK;
    ps_buffer_init(&vocabulary, MAX_TOKENIZER_FILE);
    ps_buffer_init(&merges, MAX_TOKENIZER_FILE);
    PS_FAIL_DONE_IF(!list || !added, error, PS_MEMORY, "out of memory");
    PS_TRY_DONE(find_class(config, vocabulary_path, &class, error));
    PS_TRY_DONE(ps_file_read(vocabulary_path, &vocabulary, error));
    PS_TRY_DONE(ps_file_read(merges_path, &merges, error));
    PS_TRY_DONE(ps_json_parse(vocabulary_path, vocabulary.data ? vocabulary.data : "",
                              vocabulary.size, &words, error));
    PS_TRY_DONE(parse_merges(merges_path, &merges, list, error));
    PS_TRY_DONE(list_added_tokens(config, added, error));
    PS_TRY_DONE(add_specials(added, words, config, classes[class].default_bos, error));
    PS_TRY_DONE(ps_json_parse(classes[class].class, classes[class].parts,
                              strlen(classes[class].parts), root, error));
    PS_FAIL_DONE_IF(json_is_true(json_object_get(config, "add_prefix_space")), error,
                    PS_UNSUPPORTED, "%s: add_prefix_space without a tokenizer.json",
                    vocabulary_path);
    struct ps_hash_state *state = ps_hash_begin();
    PS_FAIL_DONE_IF_NULL(state, error);
    ps_hash_update_field(state, classes[class].class, strlen(classes[class].class));
    ps_hash_update_field(state, vocabulary.data, vocabulary.size);
    ps_hash_update_field(state, merges.data, merges.size);
    tokenizer->hash = ps_hash_end(state);
    model = json_pack("{s:s,s:O,s:O}", "type", "BPE", "vocab", words, "merges", list);
    bool set = json_object_set(*root, "model", model) == 0 &&
               json_object_set(*root, "added_tokens", added) == 0 &&
               json_object_set_new(*root, "decoder", json_pack("{s:s}", "type", "ByteLevel")) == 0;
    PS_FAIL_DONE_IF(!set, error, PS_MEMORY, "out of memory");
done:
    json_decref(words);
    json_decref(list);
    json_decref(added);
    json_decref(model);
    ps_buffer_release(&vocabulary);
    ps_buffer_release(&merges);
    return status;
}
