/* Questions compared by their words, and an index of 64-bit hashes.
 *
 * Two questions are the same when their words are: what stands between white space, in lower case,
 * with one kind of quotation mark, without the punctuation around it. Signs inside stay, so that
 * "2 + 3" is not "2 - 3". Words in a row are hashed together by FNV-1a with a final mix; with 64
 * bits a false meeting of two lists of a million has a chance of one in 18 million. */
#include "datasets/datasets_internal.h"

#include <string.h>
#include <utf8proc.h>

struct ps_dataset_slot {
    uint64_t key; /* 0: free */
    uint32_t number;
};

void ps_dataset_index_release(struct ps_dataset_index *index) {
    ps_free(index->slots);
    *index = (struct ps_dataset_index){0};
}

/* Where the key is or would go; capacity is a power of two and never full. */
static size_t place(const struct ps_dataset_index *index, uint64_t key) {
    size_t at = (size_t)(key * 0x9E3779B97F4A7C15ull >> 20) & (index->capacity - 1);
    while (index->slots[at].key && index->slots[at].key != key)
        at = (at + 1) & (index->capacity - 1);
    return at;
}

static enum ps_status grow(struct ps_dataset_index *index, struct ps_error *error) {
    struct ps_dataset_index larger = {.capacity = index->capacity ? index->capacity * 2 : 1024,
                                      .count = index->count};
    larger.slots = ps_calloc(larger.capacity, sizeof *larger.slots);
    PS_FAIL_IF_NULL(larger.slots, error);
    for (size_t i = 0; i < index->capacity; i++)
        if (index->slots[i].key)
            larger.slots[place(&larger, index->slots[i].key)] = index->slots[i];
    ps_free(index->slots);
    *index = larger;
    return PS_OK;
}

enum ps_status ps_dataset_index_add(struct ps_dataset_index *index, uint64_t key, uint32_t number,
                                    uint32_t *found, bool *added, struct ps_error *error) {
    if (key == 0) key = 1;
    if ((index->count + 1) * 2 > index->capacity) PS_TRY(grow(index, error));
    struct ps_dataset_slot *slot = &index->slots[place(index, key)];
    if (added) *added = !slot->key;
    if (!slot->key) {
        *slot = (struct ps_dataset_slot){key, number};
        index->count++;
    }
    *found = slot->number;
    return PS_OK;
}

bool ps_dataset_index_find(const struct ps_dataset_index *index, uint64_t key, uint32_t *number) {
    if (key == 0) key = 1;
    if (index->capacity == 0) return false;
    const struct ps_dataset_slot *slot = &index->slots[place(index, key)];
    *number = slot->number;
    return slot->key != 0;
}

void ps_dataset_words_init(struct ps_dataset_words *words) {
    *words = (struct ps_dataset_words){0};
    ps_buffer_init(&words->text, SIZE_MAX / 2);
}

void ps_dataset_words_release(struct ps_dataset_words *words) {
    ps_buffer_release(&words->text);
    ps_free(words->ends);
    ps_dataset_words_init(words);
}

static bool around_word(char c) {
    return c && strchr(".,;:!?'\"()[]$", c);
}

static bool end_word(struct ps_dataset_words *words) {
    size_t begin = words->count ? words->ends[words->count - 1] + 1 : 0;
    while (words->text.size > begin && around_word(words->text.data[words->text.size - 1]))
        words->text.size--;
    if (words->text.size == begin) return true;
    if (words->count == words->capacity) {
        size_t capacity = words->capacity ? words->capacity * 2 : 128;
        size_t *grown = ps_realloc(words->ends, capacity * sizeof *grown);
        if (!grown) return false;
        words->ends = grown;
        words->capacity = capacity;
    }
    words->ends[words->count++] = words->text.size;
    return ps_buffer_append(&words->text, " ", 1);
}

enum ps_status ps_dataset_words_set(struct ps_dataset_words *words, const char *question,
                                    struct ps_error *error) {
    const utf8proc_uint8_t *s = (const utf8proc_uint8_t *)question;
    bool fits = true, inside = false;
    words->text.size = words->count = 0;
    while (*s && fits) {
        utf8proc_int32_t code;
        utf8proc_ssize_t size = utf8proc_iterate(s, -1, &code);
        s += size > 0 ? size : 1;
        if (code == 0x2018 || code == 0x2019) code = '\'';
        if (code == 0x201C || code == 0x201D) code = '"';
        if (size <= 0 || code <= ' ' || utf8proc_category(code) == UTF8PROC_CATEGORY_ZS) {
            fits = end_word(words);
            inside = false;
        } else if (inside || code > 127 || !around_word((char)code)) {
            utf8proc_uint8_t lower[4];
            utf8proc_ssize_t count = utf8proc_encode_char(utf8proc_tolower(code), lower);
            fits = ps_buffer_append(&words->text, lower, (size_t)count);
            inside = true;
        }
    }
    PS_FAIL_IF(!fits || !end_word(words), error, PS_MEMORY, "out of memory");
    return PS_OK;
}

static uint64_t hash_text(const char *text, size_t size) {
    uint64_t hash = 0xCBF29CE484222325ull;
    for (size_t i = 0; i < size; i++) hash = (hash ^ (uint8_t)text[i]) * 0x100000001B3ull;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93ull;
    return hash ^ hash >> 32;
}

uint64_t ps_dataset_words_key(const struct ps_dataset_words *words) {
    return hash_text(words->text.data, words->text.size);
}

uint64_t ps_dataset_words_gram(const struct ps_dataset_words *words, size_t first,
                               const char **text, size_t *size) {
    size_t begin = first ? words->ends[first - 1] + 1 : 0;
    *text = words->text.data + begin;
    *size = words->ends[first + PS_DATASET_GRAM - 1] - begin;
    return hash_text(*text, *size);
}
