/* Whole runs on the tiny golden models: whatever happens on the way, the same bytes come out.
 *
 * Runs that are killed are processes of their own. These tests stand first: once this process has
 * threads, a fork would not carry them over. */
#include "unit.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/stop.h"
#include "student/trainer_internal.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static struct ps_error error;

enum { EXAMPLES = 20, VALIDATION = 4, ROW = 64, VOCABULARY = 67, KILLS = 6 };

static int32_t ids[EXAMPLES + VALIDATION][ROW];
static struct ps_example examples[EXAMPLES + VALIDATION];
static const struct ps_train_keep keep[] = {{3, "model-3"}};

static void make_examples(void) {
    for (uint32_t e = 0; e < EXAMPLES + VALIDATION; e++) {
        int32_t size = 6 + (int32_t)ps_random_below(1, e, 40);
        for (int32_t i = 0; i < size; i++)
            ids[e][i] = (int32_t)ps_random_below(2 + e, (uint64_t)i, VOCABULARY);
        examples[e] = (struct ps_example){
            .ids = ids[e], .size = size, .first_target = 1 + (int32_t)ps_random_below(3, e, 4)};
    }
}

struct run {
    const char *model, *folder;
    int threads;
    int64_t row_tokens, steps; /* steps 0: as the epochs say */
    enum ps_weight_format format;
    bool keeps;
    double checkpoint_seconds;
};

static const struct run standard = {
    .model = "qwen3", .threads = 1, .row_tokens = ROW, .format = PS_WEIGHT_F32, .keeps = true};

static struct ps_train_options options_of(const struct run *run) {
    return (struct ps_train_options){.seed = 17,
                                     .epochs = 2,
                                     .steps = run->steps,
                                     .batch = 8,
                                     .row_tokens = run->row_tokens,
                                     .learning_rate = 1e-2,
                                     .final_share = 0.1,
                                     .warmup = 0.2,
                                     .weight_decay = 0.01,
                                     .beta1 = 0.9,
                                     .beta2 = 0.95,
                                     .epsilon = 1e-8,
                                     .clip = 1,
                                     .balance = 0.01,
                                     .format = run->format,
                                     .moments = PS_DTYPE_F32,
                                     .validate_every = 2,
                                     .checkpoint_seconds = run->checkpoint_seconds};
}

static struct ps_model_files *open_model(const char *name) {
    struct ps_model_files *files;
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/golden/models/%s", PS_SOURCE_DIR, name);
    assert_ok(ps_model_files_open(&files, path, &error));
    return files;
}

static enum ps_status train(const struct run *run, const char *backend,
                            struct ps_train_result *result) {
    struct ps_compute *compute;
    PS_TRY(ps_compute_open(backend, run->threads, &compute, &error));
    struct ps_model_files *files = open_model(run->model);
    struct ps_train_job job = {.compute = compute,
                               .config = ps_model_files_config(files),
                               .files = files,
                               .examples = examples,
                               .validation = examples + EXAMPLES,
                               .example_count = EXAMPLES,
                               .validation_count = VALIDATION,
                               .options = options_of(run),
                               .folder = run->folder,
                               .keep = keep,
                               .keep_count = run->keeps};
    enum ps_status status = ps_train(&job, result, &error);
    ps_model_files_close(files);
    ps_compute_close(compute);
    return status;
}

/* ---- runs in processes ---- */

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

/* In memory where that can be had: a disk takes its time for each of many fsyncs, and a process
 * that is killed leaves the same behind on either. */
static void new_folder(char folder[64]) {
    bool memory = access("/dev/shm", W_OK) == 0;
    snprintf(folder, 64, "%s/potstill-train-XXXXXX", memory ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(folder));
}

static void remove_folder(const char *folder) {
    assert_ok(ps_path_remove(folder, &error));
}

/* Of everything that a run makes. */
static struct ps_hash result_hash(const char *folder) {
    static const char *const names[] = {"model", "model-best", "model-3"};
    struct ps_hash hashes[6];
    char path[200];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s/model.safetensors", folder, names[i]);
        assert_ok(ps_hash_file(path, &hashes[2 * i], &error));
        snprintf(path, sizeof path, "%s/%s/config.json", folder, names[i]);
        assert_ok(ps_hash_file(path, &hashes[2 * i + 1], &error));
    }
    return ps_hash_bytes(hashes, sizeof hashes);
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

static void assert_same(struct ps_hash a, struct ps_hash b) {
    assert_memory_equal(&a, &b, sizeof a);
}

static struct ps_hash standard_hash; /* of the standard run */

static int set_up(void **state) {
    (void)state;
    make_examples();
    standard_hash = whole_run(standard, NULL);
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

static void a_signal_stops_in_time(void **state) {
    (void)state;
    struct run run = standard;
    char folder[64], path[200];
    double seconds;
    int stopped = 0;
    run.checkpoint_seconds = 1000;
    struct ps_hash expected = whole_run(run, &seconds);
    for (uint32_t i = 0; i < 40 && stopped < 2; i++) {
        new_folder(folder);
        run.folder = folder;
        pid_t process = start(&run);
        sleep_for(seconds * (0.3 + 0.6 * (double)ps_random_uniform(9, i)));
        double asked = ps_seconds();
        kill(process, SIGTERM);
        int status = wait_for(process);
        assert_true(ps_seconds() - asked < 2);
        snprintf(path, sizeof path, "%s/checkpoints", folder);
        if (status == PS_STOPPED && ps_directory_exists(path)) {
            stopped++;
            assert_int_equal(wait_for(start(&run)), PS_OK);
            assert_same(result_hash(folder), expected);
        }
        remove_folder(folder);
    }
    assert_int_equal(stopped, 2);
}

/* ---- in this process ---- */

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
    run.folder = "/nonexistent";
    ids[3][2] = VOCABULARY;
    assert_fails(train(&run, "reference", &result), PS_ARGUMENT, "token id 67");
    ids[3][2] = -1;
    assert_fails(train(&run, "reference", &result), PS_ARGUMENT, "token id -1");
    ids[3][2] = 0;
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

/* The gradient of one step with rows of this length; *loss of it. */
static float *step_gradient(const char *model, int64_t row_tokens, double *loss,
                            uint64_t *parameters) {
    struct ps_compute *compute;
    struct trainer trainer;
    struct run run = standard;
    struct ps_train_progress progress = {0};
    uint32_t chosen[EXAMPLES];
    for (uint32_t i = 0; i < EXAMPLES; i++) chosen[i] = i;
    run.row_tokens = row_tokens;
    assert_ok(ps_compute_open("reference", 1, &compute, &error));
    struct ps_model_files *files = open_model(model);
    struct ps_train_job job = {.compute = compute,
                               .config = ps_model_files_config(files),
                               .files = files,
                               .examples = examples,
                               .example_count = EXAMPLES,
                               .options = options_of(&run)};
    job.options.balance = 0; /* of a row, not of the batch */
    assert_ok(trainer_open(&trainer, &job, &error));
    ps_model_update(trainer.model, trainer.stream, trainer.master);
    assert_ok(trainer_step(&trainer, chosen, EXAMPLES, 1, 0, &progress, &error));
    float *gradient = malloc(trainer.parameters * sizeof *gradient);
    compute->memory.download(trainer.stream, gradient, trainer.gradient,
                             trainer.parameters * sizeof *gradient);
    assert_ok(compute->memory.synchronize(trainer.stream, &error));
    *loss = progress.loss;
    *parameters = trainer.parameters;
    trainer_close(&trainer);
    ps_model_files_close(files);
    ps_compute_close(compute);
    return gradient;
}

static void packing_does_not_matter(void **state) {
    static const char *const models[] = {"qwen3", "qwen3_moe"};
    static const int64_t rows[] = {64, 200, 1000};
    (void)state;
    for (int m = 0; m < 2; m++) {
        double loss, other_loss, largest = 0;
        uint64_t count;
        float *gradient = step_gradient(models[m], 46, &loss, &count); /* hardly any packing */
        for (uint64_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)gradient[i]));
        assert_true(largest > 1e-3);
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            float *other = step_gradient(models[m], rows[r], &other_loss, &count);
            assert_true(fabs(other_loss - loss) < 1e-6 * loss);
            for (uint64_t i = 0; i < count; i++)
                if (fabs((double)other[i] - (double)gradient[i]) > 1e-5 * largest)
                    fail_msg("rows of %d: gradient %d is %g, not %g", (int)rows[r], (int)i,
                             (double)other[i], (double)gradient[i]);
            free(other);
        }
        free(gradient);
    }
}

/* A trial's steps are those of a run: the first has the loss of the starting weights, and the
 * weights move. It needs no folder. */
static void a_trial_takes_steps(void **state) {
    (void)state;
    struct ps_compute *compute;
    struct ps_train_trial *trial;
    struct ps_train_progress first, later;
    double expected;
    uint64_t parameters;
    free(step_gradient("qwen3", ROW, &expected, &parameters));
    assert_ok(ps_compute_open("reference", 1, &compute, &error));
    struct ps_model_files *files = open_model("qwen3");
    struct ps_train_job job = {.compute = compute,
                               .config = ps_model_files_config(files),
                               .files = files,
                               .examples = examples,
                               .options = options_of(&standard)};
    assert_fails(ps_train_trial_open(&job, &trial, &error), PS_ARGUMENT, "nothing to train on");
    assert_null(trial);
    job.example_count = EXAMPLES;
    ids[3][2] = VOCABULARY;
    assert_fails(ps_train_trial_open(&job, &trial, &error), PS_ARGUMENT, "token id 67");
    ids[3][2] = 0;
    assert_ok(ps_train_trial_open(&job, &trial, &error));
    assert_ok(ps_train_trial_step(trial, &first, &error));
    assert_ok(ps_train_trial_step(trial, &later, &error));
    ps_train_trial_close(trial);
    assert_int_equal(first.step, 1);
    assert_int_equal(later.step, 2);
    assert_true(first.tokens > first.target_tokens && first.target_tokens > 0);
    assert_true(first.loss == expected);
    assert_true(later.loss < first.loss);
    ps_model_files_close(files);
    ps_compute_close(compute);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(killed_runs_go_on),
        cmocka_unit_test(a_signal_stops_in_time),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(weights_of_a_step_are_made_later),
        cmocka_unit_test(a_finished_run_tells_the_same_again),
        cmocka_unit_test(token_ids_are_checked),
        cmocka_unit_test(numbers_that_are_none_are_told),
        cmocka_unit_test(allocations_fail),
        cmocka_unit_test(packing_does_not_matter),
        cmocka_unit_test(a_trial_takes_steps),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
