#include "student/packing.h"

#include "base/random.h"

#include <stdlib.h>

void ps_epoch_order(uint64_t seed, int64_t epoch, uint32_t *order, uint32_t count) {
    uint64_t key = ps_random_key(seed, "shuffle") + (uint64_t)epoch;
    ps_random_permutation(key, order, count);
}

int64_t ps_target_tokens(const struct ps_example *examples, const uint32_t *chosen,
                         uint32_t count) {
    int64_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += examples[chosen[i]].size - examples[chosen[i]].first_target;
    return total;
}

struct placed {
    int32_t size;
    uint32_t place, example, row;
};

static int longest_first(const void *a, const void *b) {
    const struct placed *x = a, *y = b;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

enum ps_status ps_pack(const struct ps_example *examples, const uint32_t *chosen, uint32_t count,
                       int64_t row_tokens, struct ps_arena *arena, struct ps_packing *packing,
                       struct ps_error *error) {
    struct placed *items = ps_arena_array(arena, count, sizeof *items);
    int64_t *room = ps_arena_array(arena, count, sizeof *room);
    packing->members = ps_arena_array(arena, count, sizeof *packing->members);
    packing->first = ps_arena_array(arena, (size_t)count + 1, sizeof *packing->first);
    PS_FAIL_IF(!items || !room || !packing->members || !packing->first, error, PS_MEMORY,
               "out of memory");
    for (uint32_t i = 0; i < count; i++)
        items[i] = (struct placed){examples[chosen[i]].size, i, chosen[i], 0};
    qsort(items, count, sizeof *items, longest_first);

    packing->rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        PS_FAIL_IF(items[i].size > row_tokens, error, PS_ARGUMENT,
                   "an example of %d tokens does not fit a row of %lld", items[i].size,
                   (long long)row_tokens);
        uint32_t row = 0;
        while (row < packing->rows && room[row] < items[i].size) row++;
        if (row == packing->rows) room[packing->rows++] = row_tokens;
        room[row] -= items[i].size;
        items[i].row = row;
    }
    uint32_t filled = 0;
    for (uint32_t row = 0; row < packing->rows; row++) {
        packing->first[row] = filled;
        for (uint32_t i = 0; i < count; i++)
            if (items[i].row == row) packing->members[filled++] = items[i].example;
    }
    packing->first[packing->rows] = filled;
    return PS_OK;
}
