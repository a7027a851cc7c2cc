/* What is drawn by seed and what is left out.
 *
 * A draw gives each row a hash of (seed, purpose, source, id) and takes the smallest: what is
 * chosen does not change when a file's lines are sorted in another way, and changes little when
 * some are added. */
#include "datasets/datasets_internal.h"

#include <stdlib.h>
#include <string.h>

struct draw {
    uint64_t key;
    uint32_t index;
};

static int compare_draws(const void *a, const void *b) {
    const struct draw *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static enum ps_status row_key(const struct ps_dataset_row *row, uint64_t seed, const char *purpose,
                              uint64_t *key, struct ps_error *error) {
    struct ps_hash_state *state = ps_hash_begin();
    PS_FAIL_IF_NULL(state, error);
    const char *const fields[] = {purpose, row->source->dataset, row->source->split, row->id};
    ps_hash_update(state, &seed, sizeof seed);
    for (int i = 0; i < 4; i++) ps_hash_update_field(state, fields[i], strlen(fields[i]));
    struct ps_hash hash = ps_hash_end(state);
    *key = ps_hash_64(&hash);
    return PS_OK;
}

enum ps_status ps_dataset_choose(const struct ps_dataset_row *rows, size_t count, size_t wanted,
                                 uint64_t seed, const char *purpose, uint32_t *chosen,
                                 struct ps_error *error) {
    enum ps_status status = PS_OK;
    struct draw *draws = ps_calloc(count ? count : 1, sizeof *draws);
    PS_FAIL_DONE_IF_NULL(draws, error);
    for (size_t i = 0; i < count; i++) {
        draws[i].index = (uint32_t)i;
        PS_TRY_DONE(row_key(&rows[i], seed, purpose, &draws[i].key, error));
    }
    qsort(draws, count, sizeof *draws, compare_draws);
    for (size_t i = 0; i < wanted; i++) chosen[i] = draws[i].index;
done:
    ps_free(draws);
    return status;
}

enum ps_status ps_dataset_sample(struct ps_dataset_rows *rows, size_t wanted, uint64_t seed,
                                 const char *purpose, struct ps_dataset_rows *rest,
                                 struct ps_error *error) {
    enum ps_status status = PS_OK;
    uint32_t *chosen = ps_calloc(wanted ? wanted : 1, sizeof *chosen);
    bool *taken = ps_calloc(rows->count ? rows->count : 1, sizeof *taken);
    PS_FAIL_DONE_IF(!chosen || !taken, error, PS_MEMORY, "out of memory");
    PS_TRY_DONE(ps_dataset_choose(rows->row, rows->count, wanted, seed, purpose, chosen, error));
    for (size_t i = 0; i < wanted; i++) taken[chosen[i]] = true;
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (!taken[i] && rest) PS_TRY_DONE(ps_dataset_rows_add(rest, &rows->row[i], error));
        if (taken[i]) rows->row[kept++] = rows->row[i];
    }
    rows->count = kept;
done:
    ps_free(chosen);
    ps_free(taken);
    return status;
}

/* The questions and grams of the sets not to be met. Numbers count the rows of all of them. */
struct forbidden {
    struct ps_dataset_index questions, grams;
    const struct ps_dataset *const *others;
    size_t other_count;
};

static const struct ps_dataset_row *numbered(const struct forbidden *forbidden, uint32_t number) {
    size_t set = 0;
    while (number >= forbidden->others[set]->count) number -= forbidden->others[set++]->count;
    return &forbidden->others[set]->rows[number];
}

static enum ps_status forbid(struct forbidden *forbidden, struct ps_dataset_words *words,
                             struct ps_error *error) {
    uint32_t number = 0, found;
    const char *text;
    size_t size;
    for (size_t set = 0; set < forbidden->other_count; set++)
        for (size_t i = 0; i < forbidden->others[set]->count; i++, number++) {
            PS_TRY(ps_dataset_words_set(words, forbidden->others[set]->rows[i].question, error));
            PS_TRY(ps_dataset_index_add(&forbidden->questions, ps_dataset_words_key(words), number,
                                        &found, NULL, error));
            for (size_t w = 0; w + PS_DATASET_GRAM <= words->count; w++)
                PS_TRY(ps_dataset_index_add(&forbidden->grams,
                                            ps_dataset_words_gram(words, w, &text, &size), number,
                                            &found, NULL, error));
        }
    return PS_OK;
}

/* Whether a question is forbidden; gram NULL: as a whole. */
static bool meets(const struct forbidden *forbidden, const struct ps_dataset_words *words,
                  uint32_t *number, const char **gram, size_t *size) {
    *gram = NULL;
    *size = 0;
    if (ps_dataset_index_find(&forbidden->questions, ps_dataset_words_key(words), number))
        return true;
    for (size_t w = 0; w + PS_DATASET_GRAM <= words->count; w++) {
        uint64_t key = ps_dataset_words_gram(words, w, gram, size);
        if (ps_dataset_index_find(&forbidden->grams, key, number)) return true;
    }
    return false;
}

static enum ps_status drop_row(const struct ps_dataset_row *row, const struct forbidden *forbidden,
                               uint32_t number, const char *gram, size_t size,
                               struct ps_arena *arena, struct ps_dataset_drop *drop,
                               struct ps_error *error) {
    struct ps_dataset_row *copy = ps_arena_alloc(arena, sizeof *copy);
    PS_FAIL_IF_NULL(copy, error);
    *copy = *row;
    *drop = (struct ps_dataset_drop){.row = copy, .other = numbered(forbidden, number)};
    if (gram) drop->gram = ps_arena_strndup(arena, gram, size);
    PS_FAIL_IF(gram && !drop->gram, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

enum ps_status ps_dataset_decontaminate(struct ps_dataset_rows *rows,
                                        const struct ps_dataset *const *others, size_t other_count,
                                        struct ps_arena *arena,
                                        const struct ps_dataset_drop **drops, size_t *drop_count,
                                        struct ps_error *error) {
    enum ps_status status;
    struct forbidden forbidden = {.others = others, .other_count = other_count};
    struct ps_dataset_words words;
    struct ps_dataset_drop *found = NULL;
    size_t kept = 0, count = 0;
    ps_dataset_words_init(&words);
    found = ps_calloc(rows->count ? rows->count : 1, sizeof *found);
    PS_FAIL_DONE_IF_NULL(found, error);
    PS_TRY_DONE(forbid(&forbidden, &words, error));
    for (size_t i = 0; i < rows->count; i++) {
        uint32_t number;
        const char *gram;
        size_t size;
        PS_TRY_DONE(ps_dataset_words_set(&words, rows->row[i].question, error));
        if (meets(&forbidden, &words, &number, &gram, &size))
            PS_TRY_DONE(drop_row(&rows->row[i], &forbidden, number, gram, size, arena,
                                 &found[count++], error));
        else
            rows->row[kept++] = rows->row[i];
    }
    rows->count = kept;
    struct ps_dataset_drop *list = ps_arena_array(arena, count ? count : 1, sizeof *list);
    PS_FAIL_DONE_IF_NULL(list, error);
    memcpy(list, found, count * sizeof *list);
    *drops = list;
    *drop_count = count;
done:
    ps_free(found);
    ps_dataset_words_release(&words);
    ps_dataset_index_release(&forbidden.questions);
    ps_dataset_index_release(&forbidden.grams);
    return status;
}

enum ps_status ps_dataset_deduplicate(struct ps_dataset_rows *rows, size_t *removed,
                                      struct ps_error *error) {
    enum ps_status status = PS_OK;
    struct ps_dataset_index index = {0};
    struct ps_dataset_words words;
    ps_dataset_words_init(&words);
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        uint32_t found;
        bool added;
        PS_TRY_DONE(ps_dataset_words_set(&words, rows->row[i].question, error));
        PS_TRY_DONE(ps_dataset_index_add(&index, ps_dataset_words_key(&words), (uint32_t)i, &found,
                                         &added, error));
        if (added) rows->row[kept++] = rows->row[i];
    }
    *removed += rows->count - kept;
    rows->count = kept;
done:
    ps_dataset_words_release(&words);
    ps_dataset_index_release(&index);
    return status;
}
