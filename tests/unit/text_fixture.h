#pragma once
/* Temporary folders and little tokenizers for the tests of the text room. */
#include "unit.h"

#include "base/file.h"
#include "text/text.h"

#include <string.h>

static struct ps_error error;

/* A new folder; static storage, one a program. */
static inline const char *text_folder(void) {
    static char folder[] = "/tmp/potstill-text-XXXXXX";
    static bool made;
    if (!made && !mkdtemp(folder)) fail_msg("mkdtemp failed");
    made = true;
    return folder;
}

static inline const char *text_write(const char *name, const char *content) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", text_folder(), name);
    if (ps_file_write_atomic(path, content, strlen(content), &error) != PS_OK)
        fail_msg("%s", error.message);
    return path;
}

/* A tokenizer trained on one sentence: the bytes, some merges, ChatML's tokens. */
static inline struct ps_tokenizer *text_tiny(void) {
    const char *lines[] = {"the cat and the hat and the bat", "the end of the hat",
                           "then and there"};
    struct ps_tokenizer *tokenizer;
    assert_ok(ps_tokenizer_train(lines, 3, 280, text_folder(), &error));
    assert_ok(ps_tokenizer_open(text_folder(), &tokenizer, &error));
    return tokenizer;
}

static inline struct ps_token_ids text_encode(const struct ps_tokenizer *tokenizer,
                                              const char *text, unsigned flags) {
    struct ps_token_ids ids = {0};
    assert_ok(ps_tokenizer_encode(tokenizer, text, strlen(text), flags, &ids, &error));
    return ids;
}

static inline uint32_t text_id(const struct ps_tokenizer *tokenizer, const char *token) {
    int64_t id = ps_tokenizer_find(tokenizer, token, strlen(token));
    if (id == PS_TOKEN_NONE) fail_msg("no token '%s'", token);
    return (uint32_t)id;
}

static inline size_t text_count(struct ps_token_ids ids, uint32_t id) {
    size_t count = 0;
    for (size_t i = 0; i < ids.size; i++) count += ids.data[i] == id;
    return count;
}
