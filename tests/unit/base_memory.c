/* Arenas, buffers, injected failures. */
#include "unit.h"

#include "base/memory.h"

#include <string.h>

static void buffer_keeps_its_limit(void **state) {
    (void)state;
    struct ps_buffer buffer;
    ps_buffer_init(&buffer, 10);
    assert_true(ps_buffer_puts(&buffer, "0123456789"));
    assert_false(ps_buffer_puts(&buffer, "x"));
    assert_string_equal(buffer.data, "0123456789");
    assert_int_equal(buffer.size, 10);
    ps_buffer_release(&buffer);
}

static void buffer_formats(void **state) {
    (void)state;
    struct ps_buffer buffer;
    ps_buffer_init(&buffer, SIZE_MAX);
    for (int i = 0; i < 1000; i++) assert_true(ps_buffer_format(&buffer, "%03d,", i));
    assert_int_equal(buffer.size, 4000);
    assert_memory_equal(buffer.data + 3996, "999,", 5);
    ps_buffer_release(&buffer);
}

static void nth_allocation_fails(void **state) {
    (void)state;
    ps_memory_fail_at(2);
    void *first = ps_malloc(1);
    assert_non_null(first);
    assert_null(ps_malloc(1));
    void *third = ps_malloc(1);
    assert_non_null(third);
    ps_free(first);
    ps_free(third);
}

static void arena_is_zeroed_aligned_and_limited(void **state) {
    (void)state;
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 20);
    for (size_t size = 1; size < 1000; size += 7) {
        char *block = ps_arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)block % 16, 0);
        for (size_t i = 0; i < size; i++) assert_int_equal(block[i], 0);
        memset(block, 0xEE, size);
    }
    assert_null(ps_arena_alloc(&arena, 1 << 20));
    assert_null(ps_arena_array(&arena, SIZE_MAX / 2, 3));
    arena.limit = SIZE_MAX; /* rounding up to the alignment does not wrap */
    assert_null(ps_arena_alloc(&arena, SIZE_MAX - arena.used - 1));
    assert_string_equal(ps_arena_format(&arena, "%d-%s", 7, "x"), "7-x");
    ps_arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_keeps_its_limit),
        cmocka_unit_test(buffer_formats),
        cmocka_unit_test(nth_allocation_fails),
        cmocka_unit_test(arena_is_zeroed_aligned_and_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
