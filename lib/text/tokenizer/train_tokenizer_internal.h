#pragma once
/* What training a tokenizer and writing it down share. */

#include "text/tokenizer/tokenizer_internal.h"

enum { TRAINED_ADDED_TOKENS = 5, TRAINED_SPECIAL_TOKENS = 3 };
extern const char *const ps_trained_added_tokens[TRAINED_ADDED_TOKENS]; /* special ones first */
extern const char ps_trained_pattern[];

struct ps_training_token {
    const char *bytes;
    size_t size;
};

/* A distinct pre-token: its bytes, how it is cut into tokens by now, how often it occurs. */
struct ps_training_word {
    const char *bytes;
    uint32_t *ids;
    size_t byte_size, size;
    uint64_t count;
};

struct ps_trainer {
    struct ps_arena arena;
    pcre2_code *regex;
    pcre2_match_data *match;
    struct ps_training_word *words;
    size_t word_count, word_capacity;
    struct ps_table word_index; /* hash of bytes -> index into words */
    struct ps_table pairs;      /* left << 32 | right -> how often it occurs */
    struct ps_training_token *tokens;
    uint32_t token_count;
    uint64_t *merges; /* left << 32 | right, in order */
    size_t merge_count, merge_capacity;
};

/* Writes tokenizer.json and tokenizer_config.json into a folder. */
enum ps_status ps_trained_write(const struct ps_trainer *trainer, const char *folder,
                                struct ps_error *error);
