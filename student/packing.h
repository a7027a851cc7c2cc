#pragma once
/* Which examples an optimizer step sees, and how they are put side by side.
 *
 * A step takes the next `batch` examples of the epoch's seeded order. They are packed into rows of
 * at most `row_tokens` tokens; attention never crosses from one example to the next and the loss
 * is divided by the step's target tokens, so that packing changes the speed and nothing else. */

#include "base/memory.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Tokens to learn from. The loss is on ids[first_target] .. ids[size - 1], each predicted from what
 * stands before it: 1 <= first_target < size. */
struct ps_example {
    const int32_t *ids;
    int32_t size, first_target;
};

/* The order of an epoch: a seeded permutation of 0 .. count-1. */
void ps_epoch_order(uint64_t seed, int64_t epoch, uint32_t *order, uint32_t count);

/* Rows of packed examples: row r holds members[first[r]] .. members[first[r + 1] - 1], which are
 * indices into the examples given. */
struct ps_packing {
    uint32_t *members; /* [count] */
    uint32_t *first;   /* [rows + 1] */
    uint32_t rows;
};

/* First-fit decreasing: longest first, ties by place in `chosen`, each into the first row with
 * room. Deterministic. Every example must fit a row. Memory is the arena's. */
enum ps_status ps_pack(const struct ps_example *examples, const uint32_t *chosen, uint32_t count,
                       int64_t row_tokens, struct ps_arena *arena, struct ps_packing *packing,
                       struct ps_error *error);

/* Targets of a set of examples: what the loss is divided by. */
int64_t ps_target_tokens(const struct ps_example *examples, const uint32_t *chosen, uint32_t count);
