/* Checkpoints that are damaged, of another job, or written to a full disk. */
#include "unit.h"

#include "base/file.h"
#include "base/hash.h"
#include "student/checkpoint.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static struct ps_error error;

enum { PARAMETERS = 5000 };

static const char job[] = "0123456789012345678901234567890123456789012345678901234567890123";
static const char other[] = "1123456789012345678901234567890123456789012345678901234567890123";

struct fixture {
    char folder[64];
    struct ps_checkpoint at;
    float values[PARAMETERS];
};

static struct fixture f;

static int begin(void **state) {
    (void)state;
    struct ps_compute *compute;
    struct ps_compute_limits limits = {0};
    struct ps_stream *stream;
    f = (struct fixture){0};
    snprintf(f.folder, sizeof f.folder, "%s/potstill-checkpoint-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(f.folder));
    assert_ok(ps_compute_open("reference", 1, &compute, &error));
    assert_ok(compute->memory.stream_create(compute, &limits, &stream, &error));
    f.at = (struct ps_checkpoint){.job = job,
                                  .compute = compute,
                                  .stream = stream,
                                  .parameters = PARAMETERS,
                                  .moments = PS_DTYPE_BF16};
    f.at.master = compute->memory.allocate(compute, PARAMETERS * sizeof(float));
    f.at.first_moment = compute->memory.allocate(compute, PARAMETERS * 2);
    f.at.second_moment = compute->memory.allocate(compute, PARAMETERS * 2);
    return 0;
}

static int end(void **state) {
    (void)state;
    struct ps_compute *compute = (struct ps_compute *)f.at.compute;
    compute->memory.release(compute, f.at.master);
    compute->memory.release(compute, f.at.first_moment);
    compute->memory.release(compute, f.at.second_moment);
    compute->memory.stream_release(f.at.stream);
    ps_compute_close(compute);
    assert_ok(ps_path_remove(f.folder, &error));
    return 0;
}

/* What the vectors hold after a step, told from any other step's. */
static void fill(int64_t step) {
    for (int i = 0; i < PARAMETERS; i++) f.values[i] = (float)(i + 7 * step);
    f.at.compute->memory.upload(f.at.stream, f.at.master, f.values, sizeof f.values);
    f.at.compute->memory.upload(f.at.stream, f.at.first_moment, f.values, PARAMETERS * 2);
    f.at.compute->memory.upload(f.at.stream, f.at.second_moment, f.values + 9, PARAMETERS * 2);
    assert_ok(f.at.compute->memory.synchronize(f.at.stream, &error));
}

static enum ps_status save(int64_t step) {
    fill(step);
    f.at.step = step;
    f.at.seen_tokens = 10 * step;
    f.at.loss = 1 / (double)step;
    f.at.validated_step = step - 1;
    f.at.validation_loss = step == 1 ? NAN : 2;
    f.at.best_step = step - 1;
    f.at.best_loss = step == 1 ? INFINITY : 2;
    return ps_checkpoint_save(f.folder, &f.at, &error);
}

/* Loads and looks whether everything is of that step. */
static void assert_loads(int64_t step, const char *note_part) {
    char note[512];
    static float read[PARAMETERS];
    fill(1000);
    f.at.step = f.at.seen_tokens = f.at.best_step = f.at.validated_step = -1;
    assert_ok(ps_checkpoint_load(f.folder, INT64_MAX, &f.at, note, sizeof note, &error));
    assert_int_equal(f.at.step, step);
    if (note_part ? !strstr(note, note_part) : note[0] != 0) fail_msg("the note is \"%s\"", note);
    if (step == 0) step = 1000; /* untouched */
    for (int i = 0; i < PARAMETERS; i++) f.values[i] = (float)(i + 7 * step);
    f.at.compute->memory.download(f.at.stream, read, f.at.master, sizeof read);
    assert_ok(f.at.compute->memory.synchronize(f.at.stream, &error));
    assert_memory_equal(read, f.values, sizeof read);
    f.at.compute->memory.download(f.at.stream, read, f.at.second_moment, PARAMETERS * 2);
    assert_ok(f.at.compute->memory.synchronize(f.at.stream, &error));
    assert_memory_equal(read, f.values + 9, PARAMETERS * 2 - 36);
}

static bool there_is(int64_t step) {
    char path[128];
    snprintf(path, sizeof path, "%s/step-%08d", f.folder, (int)step);
    return ps_directory_exists(path);
}

/* Flips a byte of a file of a checkpoint, or cuts the file there. */
static void damage(int64_t step, const char *name, long at, bool cut) {
    char path[160];
    snprintf(path, sizeof path, "%s/step-%08d/%s", f.folder, (int)step, name);
    if (cut) {
        assert_int_equal(truncate(path, at), 0);
        return;
    }
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, at, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

static void the_newest_is_loaded(void **state) {
    (void)state;
    char note[512];
    assert_loads(0, NULL);
    for (int64_t step = 1; step <= 4; step++) assert_ok(save(step));
    assert_false(there_is(1) || there_is(2));
    assert_true(there_is(3) && there_is(4));
    assert_loads(4, NULL);
    assert_int_equal(f.at.seen_tokens, 40);
    assert_true(f.at.loss == 0.25 && f.at.validation_loss == 2 && f.at.best_loss == 2);
    assert_int_equal(f.at.best_step, 3);
    assert_int_equal(f.at.validated_step, 3);
    assert_ok(ps_checkpoint_load(f.folder, 3, &f.at, note, sizeof note, &error));
    assert_int_equal(f.at.step, 3);
    assert_ok(ps_checkpoint_load(f.folder, 2, &f.at, note, sizeof note, &error));
    assert_int_equal(f.at.step, 0);
    assert_ok(save(2)); /* a run that went back: what lies ahead of it goes */
    assert_true(there_is(2));
    assert_false(there_is(3) || there_is(4));
    assert_ok(save(1));
    assert_loads(1, NULL);
    assert_true(isnan(f.at.validation_loss) && isinf(f.at.best_loss));
}

static void a_damaged_one_is_passed_over(void **state) {
    (void)state;
    assert_ok(save(1));
    assert_ok(save(2));
    damage(2, "state.safetensors", 12345, false);
    assert_loads(1, "passed over a damaged checkpoint");
    assert_ok(save(2));
    damage(2, "state.safetensors", 20000, true);
    assert_loads(1, "state.safetensors");
    assert_ok(save(2));
    damage(2, "manifest.json", 0, true);
    assert_loads(1, "manifest.json");
    assert_ok(save(2));
    damage(2, "manifest.json", 0, false);
    damage(1, "state.safetensors", 0, false);
    assert_loads(0, "passed over");
    assert_ok(save(1));
    assert_loads(1, NULL);
}

static void another_job_is_refused(void **state) {
    (void)state;
    char note[512];
    assert_ok(save(1));
    f.at.job = other;
    assert_fails(ps_checkpoint_load(f.folder, INT64_MAX, &f.at, note, sizeof note, &error),
                 PS_ARGUMENT, "belongs to a run with other settings");
}

static void a_full_disk_keeps_the_older_one(void **state) {
    (void)state;
    struct rlimit old, small;
    assert_ok(save(1));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    const rlim_t sizes[] = {0, 100, 10000, 39999};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        small.rlim_cur = sizes[i];
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        enum ps_status status = save(2);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, PS_FULL);
        assert_false(there_is(2));
        assert_loads(1, NULL);
    }
    assert_ok(save(2));
    assert_loads(2, NULL);
}

/* A run that is killed while it writes gigabytes may never come to that step again. */
static void half_a_checkpoint_goes_with_the_next(void **state) {
    (void)state;
    char path[128];
    assert_ok(save(1));
    snprintf(path, sizeof path, "%s/step-00000002.tmp", f.folder);
    assert_ok(ps_directory_create(path, &error));
    strcat(path, "/state.safetensors.tmp-1");
    assert_ok(ps_file_write_atomic(path, "half", 4, &error));
    assert_ok(save(3));
    *strrchr(path, '/') = 0;
    assert_false(ps_directory_exists(path));
    snprintf(path, sizeof path, "%s/step-00000001", f.folder);
    assert_true(ps_directory_exists(path));
}

static void allocations_fail(void **state) {
    (void)state;
    char note[512];
    int failures = 0;
    assert_ok(save(1));
    for (size_t n = 1;; n++) {
        fill(2);
        f.at.step = 2;
        ps_memory_fail_at(n);
        enum ps_status status = ps_checkpoint_save(f.folder, &f.at, &error);
        ps_memory_fail_at(0);
        if (status == PS_OK) break;
        if (status != PS_MEMORY) fail_msg("allocation %zu: %s", n, error.message);
        failures++;
        f.at.step = 0;
        assert_ok(ps_checkpoint_load(f.folder, INT64_MAX, &f.at, note, sizeof note, &error));
        assert_in_range(f.at.step, 1, 2);
    }
    for (size_t n = 1;; n++) {
        ps_memory_fail_at(n);
        enum ps_status status =
            ps_checkpoint_load(f.folder, INT64_MAX, &f.at, note, sizeof note, &error);
        ps_memory_fail_at(0);
        if (status == PS_OK) break;
        if (status != PS_MEMORY) fail_msg("allocation %zu: %s", n, error.message);
        failures++;
    }
    assert_int_equal(f.at.step, 2);
    assert_true(failures > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_is_loaded, begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_one_is_passed_over, begin, end),
        cmocka_unit_test_setup_teardown(another_job_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_full_disk_keeps_the_older_one, begin, end),
        cmocka_unit_test_setup_teardown(half_a_checkpoint_goes_with_the_next, begin, end),
        cmocka_unit_test_setup_teardown(allocations_fail, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
