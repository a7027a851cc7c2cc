/* Whole runs in this process: whatever happens on the way, the same bytes come out. */
#include "student_fixture.h"

#include "base/lock.h"
#include "base/stop.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

static struct ps_hash standard_hash; /* of the standard run */

static int set_up(void **state) {
    (void)state;
    struct run run = standard;
    struct ps_train_result result;
    char folder[64];
    make_examples();
    new_folder(folder);
    run.folder = folder;
    assert_ok(train(&run, "reference", &result));
    standard_hash = result_hash(folder);
    remove_folder(folder);
    return 0;
}

static void a_full_disk_loses_nothing(void **state) {
    (void)state;
    struct run run = standard;
    struct ps_train_result result;
    struct rlimit old, small;
    char folder[64];
    new_folder(folder);
    run.folder = folder;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 50000; /* a checkpoint has 150 kB */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum ps_status status = train(&run, "reference", &result);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_fails(status, PS_FULL, "free some space and run again");
    assert_ok(train(&run, "reference", &result));
    assert_same(result_hash(folder), standard_hash);
    remove_folder(folder);
}

static void weights_of_a_step_are_made_later(void **state) {
    (void)state;
    struct run run = standard;
    struct ps_train_result result;
    char folder[64], path[128];
    new_folder(folder);
    run.folder = folder;
    run.keeps = false;
    assert_ok(train(&run, "reference", &result));
    snprintf(path, sizeof path, "%s/model-3", folder);
    assert_false(ps_directory_exists(path));
    run.keeps = true;
    assert_ok(train(&run, "reference", &result));
    assert_same(result_hash(folder), standard_hash);
    assert_int_equal(result.steps, 6);
    run.steps = 2; /* less than the step that is to be kept */
    assert_fails(train(&run, "reference", &result), PS_ARGUMENT, "the run has 2 steps");
    run.steps = 20;
    assert_fails(train(&run, "reference", &result), PS_ARGUMENT, "other settings");
    remove_folder(folder);
}

static void a_finished_run_tells_the_same_again(void **state) {
    (void)state;
    struct run run = standard;
    struct ps_train_result first, again;
    char folder[64];
    new_folder(folder);
    run.folder = folder;
    assert_ok(train(&run, "reference", &first));
    assert_ok(train(&run, "reference", &again));
    assert_true(first.loss == again.loss && first.best_loss == again.best_loss);
    assert_true(first.validation_loss == again.validation_loss);
    assert_int_equal(first.best_step, again.best_step);
    assert_int_equal(first.seen_tokens, again.seen_tokens);
    assert_true(first.loss < 4.3 && first.loss > 1); /* log 67 = 4.2; the text is random */
    remove_folder(folder);
}

static void token_ids_are_checked(void **state) {
    (void)state;
    struct run run = standard;
    struct ps_train_result result;
    int32_t kept = ids[3][2];
    run.folder = "/nonexistent";
    ids[3][2] = VOCABULARY;
    assert_fails(train(&run, "reference", &result), PS_ARGUMENT, "token id 67");
    ids[3][2] = -1;
    assert_fails(train(&run, "reference", &result), PS_ARGUMENT, "token id -1");
    ids[3][2] = kept;
}

static void numbers_that_are_none_are_told(void **state) {
    (void)state;
    struct ps_compute *compute;
    struct ps_train_result result;
    char folder[64];
    new_folder(folder);
    assert_ok(ps_compute_open("reference", 1, &compute, &error));
    struct ps_model_files *files = open_model("qwen3");
    struct ps_train_job job = {.compute = compute,
                               .config = ps_model_files_config(files),
                               .files = files,
                               .examples = examples,
                               .example_count = EXAMPLES,
                               .options = options_of(&standard),
                               .folder = folder};
    job.options.learning_rate = 1e30;
    job.options.warmup = 0;
    assert_fails(ps_train(&job, &result, &error), PS_NUMERIC, "lower the learning rate");
    ps_model_files_close(files);
    ps_compute_close(compute);
    remove_folder(folder);
}

static void allocations_fail(void **state) {
    (void)state;
    struct run run = standard;
    struct ps_train_result result;
    char folder[64];
    int failures = 0, quiet = 0;
    run.checkpoint_seconds = 1000;
    for (size_t n = 1; quiet < 2; n += getenv("POTSTILL_TORTURE") ? 1 : 29) {
        new_folder(folder);
        run.folder = folder;
        struct ps_compute *compute;
        assert_ok(ps_compute_open("reference", 1, &compute, &error));
        struct ps_model_files *files = open_model("qwen3");
        struct ps_train_job job = {.compute = compute,
                                   .config = ps_model_files_config(files),
                                   .files = files,
                                   .examples = examples,
                                   .example_count = 4,
                                   .options = options_of(&run),
                                   .folder = folder};
        job.options.steps = 1;
        ps_memory_fail_at(n);
        enum ps_status status = ps_train(&job, &result, &error);
        ps_memory_fail_at(0);
        quiet = status == PS_OK ? quiet + 1 : 0;
        failures += status != PS_OK;
        if (status != PS_OK) assert_int_equal(status, PS_MEMORY);
        ps_model_files_close(files);
        ps_compute_close(compute);
        remove_folder(folder);
    }
    assert_true(failures > 3);
}

/* ---- asked to stop ---- */

/* Asks to stop after so many products of matrices, and counts those that come after. */
static int products_left, products_after;
static struct ps_linear_operations own;

static void count_product(void) {
    products_after += ps_stop_check(NULL) != PS_OK;
    if (products_left > 0 && --products_left == 0) ps_stop_request(true);
}

static void forward(struct ps_stream *stream, const struct ps_weight *weight, struct ps_matrix x,
                    const float *bias, struct ps_matrix y) {
    count_product();
    own.forward(stream, weight, x, bias, y);
}

static void weight_gradient(struct ps_stream *stream, enum ps_weight_format format,
                            struct ps_matrix dy, struct ps_matrix x, float *dw, float *dbias) {
    count_product();
    own.weight_gradient(stream, format, dy, x, dw, dbias);
}

struct told {
    int64_t finished, resumed;
};

static void on_step(void *context, const struct ps_train_progress *progress) {
    struct told *told = context;
    told->finished = progress->step;
}

static void on_resume(void *context, int64_t step, const char *note) {
    struct told *told = context;
    assert_null(note);
    assert_true(step >= told->finished); /* more: it was stopped in the step's validation */
    told->resumed = step;
}

/* Wherever in a step, a validation or an export: at once, the finished steps are kept, and the end
 * has the same bits. */
static void a_stopped_step_is_as_if_never_begun(void **state) {
    (void)state;
    struct run run = standard;
    struct ps_train_result result;
    struct ps_compute *compute;
    struct told told = {0};
    char folder[64];
    int stops = 0;
    new_folder(folder);
    run.folder = folder;
    run.checkpoint_seconds = 1000;
    run.step = on_step;
    run.resume = on_resume;
    run.context = &told;
    assert_ok(ps_compute_open("reference", 1, &compute, &error));
    own = compute->linear;
    compute->linear.forward = forward;
    compute->linear.weight_gradient = weight_gradient;
    for (enum ps_status status = PS_STOPPED; status == PS_STOPPED; stops++) {
        products_left = 1 + 13 * stops % 97;
        products_after = 0;
        status = train_on(compute, &run, &result);
        ps_stop_request(false);
        if (status != PS_STOPPED) assert_ok(status);
        assert_true(products_after <= 3); /* of a layer's four */
    }
    ps_compute_close(compute);
    assert_true(stops > 10);
    assert_int_equal(told.finished, 6);
    assert_same(result_hash(folder), standard_hash);
    remove_folder(folder);
}

/* ---- folders ---- */

static void two_do_not_train_in_one_folder(void **state) {
    (void)state;
    struct run run = standard;
    struct ps_train_result result;
    struct ps_lock lock;
    char folder[64], path[128], holder[PS_LOCK_HOLDER];
    new_folder(folder);
    run.folder = folder;
    snprintf(path, sizeof path, "%s/lock", folder);
    assert_ok(ps_lock_take(&lock, path, holder, &error));
    snprintf(path, sizeof path, "process %ld on ", (long)getpid());
    assert_fails(train(&run, "reference", &result), PS_BUSY, path);
    assert_non_null(strstr(error.message, "trains there"));
    assert_false(is_there(folder, "checkpoints"));
    ps_lock_release(&lock);
    assert_ok(train(&run, "reference", &result));
    assert_false(is_there(folder, "lock"));
    remove_folder(folder);
}

/* The first time that a folder is completed it fails. */
static enum ps_status add_note(void *context, const char *name, const char *path,
                               struct ps_error *failure) {
    const char *fails = context;
    char note[200];
    snprintf(note, sizeof note, "%s/note", path);
    PS_FAIL_IF(strcmp(name, fails) == 0, failure, PS_IO, "no note for %s", name);
    return ps_file_write_atomic(note, name, strlen(name), failure);
}

static void a_model_folder_has_all_or_no_name(void **state) {
    static const char *const names[] = {"model", "model-best", "model-3"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct run run = standard;
        struct ps_train_result result;
        char folder[64], temporary[32];
        new_folder(folder);
        snprintf(temporary, sizeof temporary, "%s.tmp", names[i]);
        run.folder = folder;
        run.complete = add_note;
        run.context = (void *)names[i];
        assert_fails(train(&run, "reference", &result), PS_IO, "no note for model");
        assert_false(is_there(folder, names[i]));
        assert_false(is_there(folder, temporary));
        run.context = "";
        assert_ok(train(&run, "reference", &result));
        assert_true(is_there(folder, "model/note") && is_there(folder, "model-best/note") &&
                    is_there(folder, "model-3/note"));
        assert_same(result_hash(folder), standard_hash);
        remove_folder(folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(weights_of_a_step_are_made_later),
        cmocka_unit_test(a_finished_run_tells_the_same_again),
        cmocka_unit_test(token_ids_are_checked),
        cmocka_unit_test(numbers_that_are_none_are_told),
        cmocka_unit_test(allocations_fail),
        cmocka_unit_test(a_stopped_step_is_as_if_never_begun),
        cmocka_unit_test(two_do_not_train_in_one_folder),
        cmocka_unit_test(a_model_folder_has_all_or_no_name),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
