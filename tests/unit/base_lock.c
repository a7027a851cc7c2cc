/* Lock files: held by one at a time, gone with who held them. */
#include "unit.h"

#include "base/file.h"
#include "base/lock.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ps_error error;
static char folder[] = "/tmp/potstill-lock-XXXXXX", path[64], here[PS_LOCK_HOLDER];

static int set_up(void **state) {
    (void)state;
    char host[100] = "";
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/lock", folder);
    gethostname(host, sizeof host - 1);
    snprintf(here, sizeof here, "process %ld on %s", (long)getpid(), host);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return ps_path_remove(folder, &error) != PS_OK;
}

static void a_second_is_told_who(void **state) {
    (void)state;
    struct ps_lock lock, second;
    char holder[PS_LOCK_HOLDER] = "";
    assert_false(ps_lock_is_held(path, holder));
    assert_ok(ps_lock_take(&lock, path, holder, &error));
    assert_fails(ps_lock_take(&second, path, holder, &error), PS_BUSY, here);
    assert_string_equal(holder, here);
    ps_lock_release(&second); /* of nothing */
    memset(holder, 0, sizeof holder);
    assert_true(ps_lock_is_held(path, holder));
    assert_string_equal(holder, here);
    ps_lock_release(&lock);
    assert_false(ps_file_exists(path));
    assert_false(ps_lock_is_held(path, holder));
    assert_ok(ps_lock_take(&lock, path, holder, &error));
    ps_lock_release(&lock);
}

static void a_dead_holder_holds_nothing(void **state) {
    (void)state;
    struct ps_lock lock;
    char holder[PS_LOCK_HOLDER];
    int taken[2], result;
    char byte = 0;
    assert_int_equal(pipe(taken), 0);
    pid_t process = fork();
    if (process == 0) {
        byte = ps_lock_take(&lock, path, holder, NULL) == PS_OK;
        _exit(write(taken[1], &byte, 1) == 1 && pause() < 0);
    }
    assert_int_equal(read(taken[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    assert_int_equal(ps_lock_take(&lock, path, holder, &error), PS_BUSY);
    kill(process, SIGKILL);
    waitpid(process, &result, 0);
    assert_true(ps_file_exists(path));
    assert_false(ps_lock_is_held(path, holder));
    assert_ok(ps_lock_take(&lock, path, holder, &error));
    ps_lock_release(&lock);
    close(taken[0]);
    close(taken[1]);
}

static void a_folder_must_be_there(void **state) {
    (void)state;
    struct ps_lock lock;
    char holder[PS_LOCK_HOLDER];
    assert_fails(ps_lock_take(&lock, "/nonexistent/lock", holder, &error), PS_NOT_FOUND,
                 "/nonexistent/lock");
    assert_null(lock.path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_is_told_who),
        cmocka_unit_test(a_dead_holder_holds_nothing),
        cmocka_unit_test(a_folder_must_be_there),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
