/* Room on a disk: how it is asked for, and what is said when there is too little. */

#include "unit.h"

#include "base/disk.h"

#include <string.h>

static struct ps_error error;

static void test_check(void **state) {
    (void)state;
    bool tight;
    struct ps_disk_need need = {100, 200};
    assert_ok(ps_disk_check("a", need, 200, &tight, &error));
    assert_false(tight);
    assert_ok(ps_disk_check("a", need, 199, &tight, &error));
    assert_true(tight);
    assert_ok(ps_disk_check("a", need, 100, &tight, &error));
    assert_true(tight);
    assert_fails(ps_disk_check("a", need, 99, &tight, &error), PS_FULL, "make room");
    assert_false(tight);
    need = (struct ps_disk_need){2500000, 2500000};
    assert_fails(ps_disk_check("runs/x", need, 1200000, &tight, &error), PS_FULL,
                 "runs/x: about 2.5 MB will be written there and 1.2 MB are free");
}

static void test_room(void **state) {
    (void)state;
    int64_t here = ps_disk_free("/tmp");
    assert_true(here > 0 && here < INT64_MAX);
    assert_true(ps_disk_free("/tmp/there/is/no such/store.db") < INT64_MAX);
    assert_true(ps_disk_free("no-such-file") < INT64_MAX);
    assert_true(ps_disk_free("/no-such-file") < INT64_MAX);
    assert_true(ps_disk_free(".") < INT64_MAX);
    assert_true(ps_disk_free("") == INT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
