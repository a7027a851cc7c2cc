/* The reference against itself: every operation writes all of its outputs and nothing else. (The
 * suites of other backends compare them with the reference.) */
#include "compute_compare_operations.h"

static void reference_equals_itself(void **state) {
    (void)state;
    struct ps_error error;
    struct ps_compute *compute;
    struct compare c;
    assert_ok(ps_compute_open("reference", 0, &compute, &error));
    compare_open(&c, compute, compute, 1);
    compare_all(&c, 4, true);
    compare_close(&c);
    ps_compute_close(compute);
}

static void unknown_backends_are_refused(void **state) {
    (void)state;
    struct ps_error error;
    struct ps_compute *compute;
    assert_fails(ps_compute_open("abacus", 0, &compute, &error), PS_NOT_FOUND, "reference");
    assert_null(compute);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_equals_itself),
        cmocka_unit_test(unknown_backends_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
