/* Single steps: what they compute does not depend on how examples are packed. */
#include "student_fixture.h"

#include "student/trainer_internal.h"

#include <math.h>

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
    int32_t kept = ids[3][2];
    ids[3][2] = VOCABULARY;
    assert_fails(ps_train_trial_open(&job, &trial, &error), PS_ARGUMENT, "token id 67");
    ids[3][2] = kept;
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

static int set_up(void **state) {
    (void)state;
    make_examples();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_does_not_matter),
        cmocka_unit_test(a_trial_takes_steps),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
