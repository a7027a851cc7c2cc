/* Order, packing and learning rate of a training run. */
#include "unit.h"

#include "base/random.h"
#include "student/packing.h"
#include "student/schedule.h"

#include <math.h>
#include <string.h>

static struct ps_error error;

enum { COUNT = 300, ROW = 100 };

static struct ps_example examples[COUNT];
static uint32_t chosen[COUNT];

static int make_examples(void **state) {
    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        int32_t size = 2 + (int32_t)ps_random_below(5, i, ROW - 1);
        examples[i] = (struct ps_example){.size = size, .first_target = 1 + size / 3};
        chosen[i] = COUNT - 1 - i;
    }
    return 0;
}

static void nothing_is_lost(void **state) {
    (void)state;
    struct ps_arena arena;
    struct ps_packing packing, again;
    bool seen[COUNT] = {0};
    int64_t total = 0;
    ps_arena_init(&arena, SIZE_MAX);
    assert_ok(ps_pack(examples, chosen, COUNT, ROW, &arena, &packing, &error));
    assert_int_equal(packing.first[0], 0);
    assert_int_equal(packing.first[packing.rows], COUNT);
    for (uint32_t r = 0; r < packing.rows; r++) {
        int64_t tokens = 0;
        assert_true(packing.first[r] < packing.first[r + 1]);
        for (uint32_t m = packing.first[r]; m < packing.first[r + 1]; m++) {
            assert_false(seen[packing.members[m]]);
            seen[packing.members[m]] = true;
            tokens += examples[packing.members[m]].size;
        }
        assert_true(tokens <= ROW);
        total += tokens;
    }
    /* First fit decreasing takes at most 11/9 of the best, which is at least total / ROW. */
    assert_true(packing.rows <= 1 + 11 * (total / ROW + 1) / 9);
    assert_ok(ps_pack(examples, chosen, COUNT, ROW, &arena, &again, &error));
    assert_int_equal(again.rows, packing.rows);
    assert_memory_equal(again.members, packing.members, COUNT * sizeof *packing.members);
    assert_memory_equal(again.first, packing.first, (packing.rows + 1) * sizeof *packing.first);
    ps_arena_release(&arena);
}

static void longest_first_into_the_first_with_room(void **state) {
    (void)state;
    const struct ps_example five[] = {
        {.size = 40}, {.size = 60}, {.size = 60}, {.size = 30}, {.size = 10}};
    const uint32_t order[] = {0, 1, 2, 3, 4}, expected[] = {1, 0, 2, 3, 4}, first[] = {0, 2, 5};
    struct ps_arena arena;
    struct ps_packing packing;
    ps_arena_init(&arena, SIZE_MAX);
    assert_ok(ps_pack(five, order, 5, 100, &arena, &packing, &error));
    assert_int_equal(packing.rows, 2);
    assert_memory_equal(packing.members, expected, sizeof expected);
    assert_memory_equal(packing.first, first, sizeof first);
    assert_fails(ps_pack(five, order, 5, 59, &arena, &packing, &error), PS_ARGUMENT,
                 "60 tokens does not fit a row of 59");
    ps_arena_release(&arena);
}

static void targets_are_counted(void **state) {
    (void)state;
    const struct ps_example two[] = {{.size = 9, .first_target = 4},
                                     {.size = 7, .first_target = 6}};
    const uint32_t order[] = {1, 0};
    assert_int_equal(ps_target_tokens(two, order, 2), 6);
    assert_int_equal(ps_target_tokens(two, order, 1), 1);
}

static void epochs_are_seeded_permutations(void **state) {
    (void)state;
    uint32_t order[COUNT], other[COUNT];
    bool seen[COUNT] = {0};
    ps_epoch_order(17, 0, order, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(order[i] < COUNT && !seen[order[i]]);
        seen[order[i]] = true;
    }
    ps_epoch_order(17, 0, other, COUNT);
    assert_memory_equal(order, other, sizeof order);
    ps_epoch_order(17, 1, other, COUNT);
    assert_memory_not_equal(order, other, sizeof order);
    ps_epoch_order(18, 0, other, COUNT);
    assert_memory_not_equal(order, other, sizeof order);
}

static void rate_rises_and_falls(void **state) {
    (void)state;
    struct ps_schedule schedule = {
        .peak = 2e-3, .final_share = 0.1, .warmup = 10, .total_steps = 110};
    for (int64_t step = 1; step <= 10; step++)
        assert_true(ps_learning_rate(&schedule, step) == 2e-3 * (double)step / 10);
    for (int64_t step = 11; step <= 120; step++) {
        double x = fmin((double)(step - 10) / 100, 1);
        double expected = 2e-3 * (0.1 + 0.9 * (1 + cos(acos(-1.0) * x)) / 2);
        assert_true(fabs(ps_learning_rate(&schedule, step) - expected) < 1e-17);
    }
    assert_true(fabs(ps_learning_rate(&schedule, 110) - 2e-4) < 1e-18);
    schedule.warmup = 0;
    schedule.total_steps = 1;
    assert_true(fabs(ps_learning_rate(&schedule, 1) - 2e-4) < 1e-18);
    schedule.warmup = 1;
    assert_true(ps_learning_rate(&schedule, 1) == 2e-3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(longest_first_into_the_first_with_room),
        cmocka_unit_test(targets_are_counted),
        cmocka_unit_test(epochs_are_seeded_permutations),
        cmocka_unit_test(rate_rises_and_falls),
    };
    return cmocka_run_group_tests(tests, make_examples, NULL);
}
