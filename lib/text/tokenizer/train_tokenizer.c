/* Training a byte-level BPE (Sennrich, Haddow, Birch: "Neural Machine Translation of Rare Words
 * with Subword Units", ACL 2016): every byte is a token; the pair of neighbours that is most
 * frequent within pre-tokens becomes a token of its own, again and again.
 *
 * Pair counts are kept up to date: a merge visits all distinct pre-tokens but recounts only those
 * that have the pair. With 1,000 entries and some 10,000 distinct pre-tokens that takes a moment.
 * Equal counts go to the pair with the lower ids, so the same lines give the same file. */
#include "text/tokenizer/train_tokenizer_internal.h"

#include <string.h>

const char *const ps_trained_added_tokens[TRAINED_ADDED_TOKENS] = {
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>",
};

const char ps_trained_pattern[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/* ---- counting pre-tokens ---- */

static enum ps_status add_word(struct ps_trainer *trainer, const char *text, size_t size,
                               struct ps_error *error) {
    uint64_t key = ps_hash_short(0, text, size);
    uint64_t index;
    for (;; key++) {
        index = ps_table_get(&trainer->word_index, key);
        if (index == PS_TABLE_NONE) break;
        struct ps_training_word *word = &trainer->words[index];
        if (word->byte_size == size && memcmp(word->bytes, text, size) == 0) {
            word->count++;
            return PS_OK;
        }
    }
    if (trainer->word_count == trainer->word_capacity) {
        size_t capacity = trainer->word_capacity * 2 + 1024;
        struct ps_training_word *words = ps_realloc(trainer->words, capacity * sizeof *words);
        PS_FAIL_IF_NULL(words, error);
        trainer->words = words;
        trainer->word_capacity = capacity;
    }
    struct ps_training_word word = {.byte_size = size, .size = size, .count = 1};
    word.bytes = ps_arena_strndup(&trainer->arena, text, size);
    word.ids = ps_arena_array(&trainer->arena, size, sizeof *word.ids);
    PS_FAIL_IF(!word.bytes || !word.ids, error, PS_MEMORY, "out of memory");
    for (size_t i = 0; i < size; i++) word.ids[i] = (unsigned char)text[i];
    PS_FAIL_IF(!ps_table_put(&trainer->word_index, key, trainer->word_count), error, PS_MEMORY,
               "out of memory");
    trainer->words[trainer->word_count++] = word;
    return PS_OK;
}

static enum ps_status add_pieces(struct ps_trainer *trainer, const char *text, size_t size,
                                 struct ps_error *error) {
    for (size_t from = 0; from < size;) {
        int code = pcre2_match(trainer->regex, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK,
                               trainer->match, NULL);
        if (code == PCRE2_ERROR_NOMATCH) break;
        PS_FAIL_IF(code < 0, error, PS_LIMIT, "a training text is too long (PCRE2 error %d)", code);
        size_t start = pcre2_get_ovector_pointer(trainer->match)[0];
        size_t end = pcre2_get_ovector_pointer(trainer->match)[1];
        PS_TRY(add_word(trainer, text + start, end - start, error));
        from = end;
    }
    return PS_OK;
}

static enum ps_status add_line(struct ps_trainer *trainer, const char *line,
                               struct ps_error *error) {
    struct ps_buffer valid, normalized;
    ps_buffer_init(&valid, MAX_TEXT_SIZE);
    ps_buffer_init(&normalized, SIZE_MAX);
    enum ps_status status = PS_OK;
    bool changed;
    PS_FAIL_DONE_IF(!ps_utf8_append_valid(&valid, line, strlen(line)), error, PS_LIMIT,
                    "out of memory, or a training text of more than %d bytes", MAX_TEXT_SIZE);
    if (valid.size == 0) goto done;
    PS_TRY_DONE(
        ps_normalize_unicode(valid.data, valid.size, true, false, &normalized, &changed, error));
    PS_TRY_DONE(changed ? add_pieces(trainer, normalized.data, normalized.size, error)
                        : add_pieces(trainer, valid.data, valid.size, error));
done:
    ps_buffer_release(&valid);
    ps_buffer_release(&normalized);
    return status;
}

/* ---- merging ---- */

static enum ps_status count_pairs(struct ps_trainer *trainer, const struct ps_training_word *word,
                                  bool add, struct ps_error *error) {
    for (size_t i = 0; i + 1 < word->size; i++) {
        uint64_t key = (uint64_t)word->ids[i] << 32 | word->ids[i + 1];
        uint64_t count = ps_table_get(&trainer->pairs, key);
        if (count == PS_TABLE_NONE) count = 0;
        count = add ? count + word->count : count - word->count;
        PS_FAIL_IF(!ps_table_put(&trainer->pairs, key, count), error, PS_MEMORY, "out of memory");
    }
    return PS_OK;
}

/* The most frequent pair, by lower ids where several are; false if none occurs twice. */
static bool best_pair(const struct ps_trainer *trainer, uint64_t *best) {
    uint64_t most = 1;
    for (size_t i = 0; i < trainer->pairs.capacity; i++) {
        struct ps_table_slot slot = trainer->pairs.slots[i];
        if (slot.value == PS_TABLE_NONE || slot.value < most || slot.value < 2) continue;
        if (slot.value == most && slot.key > *best) continue;
        most = slot.value;
        *best = slot.key;
    }
    return most > 1;
}

/* The id of the pair's bytes: a new one, or that of the token that has them already. */
static enum ps_status joined_id(struct ps_trainer *trainer, uint32_t left, uint32_t right,
                                uint32_t *id, struct ps_error *error) {
    const struct ps_training_token *a = &trainer->tokens[left], *b = &trainer->tokens[right];
    struct ps_training_token token = {.size = a->size + b->size};
    char *bytes = ps_arena_alloc(&trainer->arena, token.size);
    PS_FAIL_IF_NULL(bytes, error);
    memcpy(bytes, a->bytes, a->size);
    memcpy(bytes + a->size, b->bytes, b->size);
    token.bytes = bytes;
    for (uint32_t i = 0; i < trainer->token_count; i++) {
        const struct ps_training_token *other = &trainer->tokens[i];
        if (other->size != token.size || memcmp(other->bytes, bytes, token.size) != 0) continue;
        *id = i;
        return PS_OK;
    }
    *id = trainer->token_count;
    trainer->tokens[trainer->token_count++] = token;
    return PS_OK;
}

/* A pair can come back after its merge, when a later one makes the same bytes another way. */
static bool is_known_merge(const struct ps_trainer *trainer, uint64_t pair) {
    for (size_t i = 0; i < trainer->merge_count; i++)
        if (trainer->merges[i] == pair) return true;
    return false;
}

static enum ps_status merge_in_word(struct ps_trainer *trainer, struct ps_training_word *word,
                                    uint64_t pair, uint32_t merged, struct ps_error *error) {
    uint32_t left = (uint32_t)(pair >> 32), right = (uint32_t)pair;
    size_t first = 0;
    while (first + 1 < word->size && (word->ids[first] != left || word->ids[first + 1] != right))
        first++;
    if (first + 1 >= word->size) return PS_OK;
    PS_TRY(count_pairs(trainer, word, false, error));
    size_t kept = first;
    for (size_t i = first; i < word->size; i++) {
        bool joins = i + 1 < word->size && word->ids[i] == left && word->ids[i + 1] == right;
        word->ids[kept++] = joins ? merged : word->ids[i];
        i += joins;
    }
    word->size = kept;
    return count_pairs(trainer, word, true, error);
}

static enum ps_status learn_merges(struct ps_trainer *trainer, uint32_t size,
                                   struct ps_error *error) {
    for (size_t i = 0; i < trainer->word_count; i++)
        PS_TRY(count_pairs(trainer, &trainer->words[i], true, error));
    uint64_t pair = 0;
    while (trainer->token_count < size && trainer->merge_count < trainer->merge_capacity &&
           best_pair(trainer, &pair)) {
        uint32_t merged = 0;
        PS_TRY(joined_id(trainer, (uint32_t)(pair >> 32), (uint32_t)pair, &merged, error));
        if (!is_known_merge(trainer, pair)) trainer->merges[trainer->merge_count++] = pair;
        for (size_t i = 0; i < trainer->word_count; i++)
            PS_TRY(merge_in_word(trainer, &trainer->words[i], pair, merged, error));
    }
    return PS_OK;
}

static enum ps_status begin(struct ps_trainer *trainer, uint32_t size, struct ps_error *error) {
    trainer->tokens = ps_arena_array(&trainer->arena, size, sizeof *trainer->tokens);
    trainer->merge_capacity = 2 * (size_t)size;
    trainer->merges =
        ps_arena_array(&trainer->arena, trainer->merge_capacity, sizeof *trainer->merges);
    PS_FAIL_IF(!trainer->tokens || !trainer->merges, error, PS_MEMORY, "out of memory");
    for (int byte = 0; byte < 256; byte++) {
        char *bytes = ps_arena_alloc(&trainer->arena, 1);
        PS_FAIL_IF_NULL(bytes, error);
        bytes[0] = (char)byte;
        trainer->tokens[byte] = (struct ps_training_token){bytes, 1};
    }
    trainer->token_count = 256;
    PS_TRY(
        ps_regex_compile(ps_trained_pattern, strlen(ps_trained_pattern), &trainer->regex, error));
    trainer->match = pcre2_match_data_create_from_pattern(trainer->regex, NULL);
    PS_FAIL_IF_NULL(trainer->match, error);
    return PS_OK;
}

enum ps_status ps_tokenizer_train(const char *const *lines, size_t line_count, uint32_t size,
                                  const char *folder, struct ps_error *error) {
    uint32_t smallest = 256 + TRAINED_ADDED_TOKENS, largest = 1 << 16;
    PS_FAIL_IF(size < smallest || size > largest, error, PS_ARGUMENT,
               "a trained vocabulary has %u to %u entries, not %u", smallest, largest, size);
    struct ps_trainer trainer = {0};
    ps_arena_init(&trainer.arena, SIZE_MAX);
    enum ps_status status = begin(&trainer, size, error);
    if (status != PS_OK) goto done;
    for (size_t i = 0; i < line_count; i++) PS_TRY_DONE(add_line(&trainer, lines[i], error));
    PS_TRY_DONE(learn_merges(&trainer, size - TRAINED_ADDED_TOKENS, error));
    PS_TRY_DONE(ps_trained_write(&trainer, folder, error));
done:
    pcre2_match_data_free(trainer.match);
    pcre2_code_free(trainer.regex);
    ps_table_release(&trainer.word_index);
    ps_table_release(&trainer.pairs);
    ps_free(trainer.words);
    ps_arena_release(&trainer.arena);
    return status;
}
