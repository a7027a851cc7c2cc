/* Runs that are processes of their own, as many threads as they like, killed or told to stop: the
 * same bytes come out. This process has no threads: a fork would not carry them over. */
#include "student_fixture.h"

#include "base/progress.h"
#include "base/stop.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { KILLS = 6 };

static pid_t start(const struct run *run) {
    pid_t process = fork();
    assert_true(process >= 0);
    if (process > 0) return process;
    struct ps_train_result result;
    alarm(60);
    ps_stop_install_handlers();
    enum ps_status status = train(run, NULL, &result);
    if (status != PS_OK && status != PS_STOPPED) fprintf(stderr, "%s\n", error.message);
    _exit((int)status);
}

/* The status it ended with, or -1 when it was killed. */
static int wait_for(pid_t process) {
    int state;
    assert_int_equal(waitpid(process, &state, 0), process);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

static void sleep_for(double seconds) {
    struct timespec time = {(time_t)seconds, (long)(fmod(seconds, 1) * 1e9)};
    nanosleep(&time, NULL);
}

/* Runs to the end in a folder of its own; seconds may be NULL. */
static struct ps_hash whole_run(struct run run, double *seconds) {
    char folder[64];
    double started = ps_seconds();
    new_folder(folder);
    run.folder = folder;
    assert_int_equal(wait_for(start(&run)), PS_OK);
    if (seconds) *seconds = ps_seconds() - started;
    struct ps_hash hash = result_hash(folder);
    remove_folder(folder);
    return hash;
}

static int set_up(void **state) {
    (void)state;
    make_examples();
    return 0;
}

static void threads_do_not_matter(void **state) {
    (void)state;
    static const char *const models[] = {"qwen3", "qwen3_moe"};
    for (int m = 0; m < 2; m++) {
        struct run run = standard;
        run.model = models[m];
        run.format = m ? PS_WEIGHT_BF16 : PS_WEIGHT_F32;
        run.checkpoint_seconds = 1000;
        struct ps_hash one = whole_run(run, NULL);
        for (run.threads = 2; run.threads <= 3; run.threads++)
            assert_same(whole_run(run, NULL), one);
    }
}

/* Writing checkpoints is most of the time of these runs, so that many of the kills hit one. */
static void killed_runs_go_on(void **state) {
    static const char *const models[] = {"qwen3", "qwen3_moe"};
    (void)state;
    for (int m = 0; m < 2; m++) {
        struct run run = standard;
        char folder[64];
        double seconds;
        int kills = 0, status = -1;
        run.model = models[m];
        struct ps_hash expected = whole_run(run, &seconds);
        new_folder(folder);
        run.folder = folder;
        for (uint32_t i = 0; i < 200 && kills < KILLS; i++) {
            pid_t process = start(&run);
            sleep_for(seconds * 0.6 * (double)ps_random_uniform((uint64_t)m, i));
            kill(process, SIGKILL);
            status = wait_for(process);
            kills += status != PS_OK;
            if (status != PS_OK) continue;
            assert_same(result_hash(folder), expected);
            assert_ok(ps_path_remove(folder, &error));
            assert_ok(ps_directory_create(folder, &error));
        }
        assert_int_equal(kills, KILLS);
        assert_int_equal(wait_for(start(&run)), PS_OK);
        assert_same(result_hash(folder), expected);
        remove_folder(folder);
    }
}

/* Sends the signal once a step is done, so that there is something to keep. */
static void signal_behind_step(void *context, const struct ps_train_progress *progress) {
    if (progress->step == *(const int64_t *)context) raise(SIGTERM);
}

static void a_signal_keeps_what_is_done(void **state) {
    (void)state;
    struct run run = standard;
    char folder[64];
    run.checkpoint_seconds = 1000;
    struct ps_hash expected = whole_run(run, NULL);
    for (int64_t step = 1; step <= 5; step += 2) {
        struct run stopped = run;
        new_folder(folder);
        stopped.folder = run.folder = folder;
        stopped.step = signal_behind_step;
        stopped.context = &step;
        assert_int_equal(wait_for(start(&stopped)), PS_STOPPED);
        assert_int_equal(wait_for(start(&run)), PS_OK);
        assert_same(result_hash(folder), expected);
        remove_folder(folder);
    }
}

static enum ps_status die(void *context, const char *name, const char *path,
                          struct ps_error *failure) {
    (void)path, (void)failure;
    if (strcmp(name, context) == 0) raise(SIGKILL);
    return PS_OK;
}

/* A model folder that has its name is whole, whenever the run was killed. */
static void half_a_model_has_no_name(void **state) {
    static const char *const names[] = {"model", "model-best", "model-3"};
    (void)state;
    struct ps_hash expected = whole_run(standard, NULL);
    for (int i = 0; i < 3; i++) {
        struct run run = standard;
        char folder[64], temporary[32];
        new_folder(folder);
        snprintf(temporary, sizeof temporary, "%s.tmp", names[i]);
        run.folder = folder;
        run.complete = die;
        run.context = (void *)names[i];
        assert_int_equal(wait_for(start(&run)), -1);
        assert_true(is_there(folder, temporary));
        assert_false(is_there(folder, names[i]));
        run.complete = NULL;
        assert_int_equal(wait_for(start(&run)), PS_OK);
        assert_false(is_there(folder, temporary));
        assert_same(result_hash(folder), expected);
        remove_folder(folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(killed_runs_go_on),
        cmocka_unit_test(a_signal_keeps_what_is_done),
        cmocka_unit_test(half_a_model_has_no_name),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
