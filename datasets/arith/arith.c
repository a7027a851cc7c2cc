/* The sets of the generator `arith`: which kind of problem, how many steps, which side.
 *
 *     one-step       stories of one step
 *     chains         symbolic chains of one to four steps with their working
 *     train, dev     stories of two to four steps; a hash of the question sets dev apart
 *     teacher-train  stories of one to four steps
 *     test           stories of two to four steps whose skeletons occur in no set above
 *     longer         stories of five steps, one more than any set above has
 */
#include "base/random.h"
#include "datasets/arith/arith_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_LIMIT = 4096, DEV_OUT_OF = 8 };

enum dev_side { ANY, NOT_DEV, DEV };

static const struct set {
    const char *name;
    uint32_t low, high; /* steps */
    bool chain, held_out;
    enum dev_side side;
} sets[] = {
    {"chains", 1, 4, true, false, NOT_DEV},
    {"dev", 2, 4, false, false, DEV},
    {"longer", 5, 5, false, true, ANY},
    {"one-step", 1, 1, false, false, NOT_DEV},
    {"teacher-train", 1, 4, false, false, NOT_DEV},
    {"test", 2, 4, false, true, ANY},
    {"train", 2, 4, false, false, NOT_DEV},
};

static bool right_side(enum dev_side side, const char *question) {
    bool dev = ps_random_key(1, question) % DEV_OUT_OF == 0;
    return side == ANY || dev == (side == DEV);
}

static enum ps_status make(const struct set *set, struct ps_arith_draw *draw,
                           struct ps_buffer text[3], struct ps_dataset_row *row, uint32_t *gold,
                           struct ps_error *error) {
    do {
        for (int i = 0; i < 3; i++) text[i].size = 0;
        row->level = (int)ps_arith_between(draw, set->low, set->high);
        bool made = set->chain ? ps_arith_chain(draw, (uint32_t)row->level, &text[0], &text[1],
                                                &text[2], gold)
                               : ps_arith_story(draw, (uint32_t)row->level, set->held_out, &text[0],
                                                &text[1], &text[2], gold);
        PS_FAIL_IF(!made, error, PS_MEMORY, "arith/%s: out of memory for a story", set->name);
    } while (!right_side(set->side, text[0].data));
    return PS_OK;
}

enum ps_status ps_dataset_arith_row(const char *set_name, uint64_t seed, uint64_t index,
                                    struct ps_arena *arena, struct ps_dataset_row *row,
                                    struct ps_error *error) {
    const struct set *set = NULL;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (strcmp(sets[i].name, set_name) == 0) set = &sets[i];
    PS_FAIL_IF(!set, error, PS_NOT_FOUND,
               "arith/%s: no such set; there are chains, dev, longer, one-step, teacher-train, "
               "test and train",
               set_name);

    char purpose[64];
    snprintf(purpose, sizeof purpose, "arith/%s %" PRIu64, set->name, index);
    struct ps_arith_draw draw = {ps_random_key(seed, purpose), 0};
    struct ps_buffer text[3];
    for (int i = 0; i < 3; i++) ps_buffer_init(&text[i], TEXT_LIMIT);
    *row = (struct ps_dataset_row){0};
    uint32_t gold;
    enum ps_status status;
    PS_TRY_DONE(make(set, &draw, text, row, &gold, error));
    row->id = ps_arena_format(arena, "%" PRIu64 "-%" PRIu64, seed, index);
    row->question = ps_arena_strndup(arena, text[0].data, text[0].size);
    row->solution = ps_arena_strndup(arena, text[1].data, text[1].size);
    row->subject = ps_arena_strndup(arena, text[2].data, text[2].size);
    row->gold = ps_arena_format(arena, "%u", gold);
    PS_FAIL_DONE_IF(!row->id || !row->question || !row->solution || !row->subject || !row->gold,
                    error, PS_MEMORY, "arith/%s: out of memory", set->name);
done:
    for (int i = 0; i < 3; i++) ps_buffer_release(&text[i]);
    return status;
}
