/* Loss, gradient of every parameter and ten AdamW steps against PyTorch
 * (tests/golden/make_models.py).
 */
#include "../unit/unit.h"

#include "student/trainer_internal.h"
#include "tensor/safetensors.h"

#include <math.h>
#include <string.h>

static struct ps_error error;

enum { ROWS = 161 };

struct fixture {
    struct ps_compute *compute;
    struct ps_model_files *files;
    struct ps_safetensors *golden;
    struct ps_train_job job;
    struct trainer trainer;
    struct ps_packed_row row;
    int32_t indices[5 * ROWS + 1];
};

static const void *golden_data(const struct fixture *fixture, const char *prefix, const char *name,
                               uint64_t *count) {
    char full[512];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const struct ps_safetensors_tensor *tensor = ps_safetensors_find(fixture->golden, full);
    if (!tensor) fail_msg("golden.safetensors has no %s", full);
    if (count) ps_shape_elements(&tensor->shape, count);
    return tensor->data;
}

/* The batch of the golden file, whose targets are masked here and there. */
static void upload_row(struct fixture *fixture) {
    uint64_t rows, starts_count;
    const int32_t *tokens = golden_data(fixture, "", "tokens", &rows);
    const int32_t *targets = golden_data(fixture, "", "targets", NULL);
    const int32_t *starts = golden_data(fixture, "", "starts", &starts_count);
    assert_int_equal(rows, ROWS);
    int32_t *positions = fixture->indices + ROWS, *predictors = positions + ROWS;
    int32_t *target_tokens = predictors + ROWS, *device = fixture->trainer.indices;
    fixture->row = (struct ps_packed_row){.rows = ROWS, .sequences = (int64_t)starts_count - 1};
    memcpy(fixture->indices, tokens, ROWS * sizeof *tokens);
    for (int64_t s = 0; s < fixture->row.sequences; s++)
        for (int32_t i = starts[s]; i < starts[s + 1]; i++) positions[i] = i - starts[s];
    for (int32_t i = 0; i < ROWS; i++) {
        if (targets[i] < 0) continue;
        predictors[fixture->row.targets] = i;
        target_tokens[fixture->row.targets++] = targets[i];
    }
    memcpy(fixture->indices + 4 * ROWS, starts, starts_count * sizeof *starts);
    fixture->compute->memory.upload(fixture->trainer.stream, device, fixture->indices,
                                    sizeof fixture->indices);
    fixture->row.tokens = device;
    fixture->row.positions = device + ROWS;
    fixture->row.predictors = device + 2 * ROWS;
    fixture->row.target_tokens = device + 3 * ROWS;
    fixture->row.starts = device + 4 * ROWS;
}

static void open_fixture(struct fixture *fixture, const char *name, const char *backend) {
    char path[4096];
    *fixture = (struct fixture){0};
    snprintf(path, sizeof path, "%s/tests/golden/models/%s", PS_SOURCE_DIR, name);
    assert_ok(ps_model_files_open(&fixture->files, path, &error));
    strcat(path, "/golden.safetensors");
    assert_ok(ps_safetensors_open(&fixture->golden, path, &error));
    assert_ok(ps_compute_open(backend, 2, &fixture->compute, &error));
    const struct ps_model_config *config = ps_model_files_config(fixture->files);
    fixture->job = (struct ps_train_job){
        .compute = fixture->compute,
        .config = config,
        .files = fixture->files,
        .options = {.row_tokens = ROWS,
                    .weight_decay = 0.1,
                    .beta1 = 0.9,
                    .beta2 = 0.95,
                    .epsilon = 1e-8,
                    .balance = config->experts ? 0.01 : 0,
                    .format = PS_WEIGHT_F32,
                    .moments = PS_DTYPE_F32},
    };
    assert_ok(trainer_open(&fixture->trainer, &fixture->job, &error));
    ps_model_update(fixture->trainer.model, fixture->trainer.stream, fixture->trainer.master);
    upload_row(fixture);
}

static void close_fixture(struct fixture *fixture) {
    trainer_close(&fixture->trainer);
    ps_compute_close(fixture->compute);
    ps_safetensors_close(fixture->golden);
    ps_model_files_close(fixture->files);
}

/* Zeroed, then filled; returns the mean cross-entropy. */
static double compute_gradient(struct fixture *fixture) {
    struct trainer *trainer = &fixture->trainer;
    const struct ps_packed_row *row = &fixture->row;
    struct ps_loss loss = {.cross_entropy = 1, .temperature = 1, .scale = 1 / (float)row->targets};
    static float losses[ROWS];
    double sum = 0;
    fixture->compute->memory.zero(trainer->stream, trainer->gradient,
                                  trainer->parameters * sizeof(float));
    assert_ok(ps_model_forward_packed(trainer->model, trainer->stream, trainer->activations,
                                      row->rows, row->tokens, row->positions, row->sequences,
                                      row->starts, &error));
    assert_ok(ps_backward_run(trainer->backward, trainer->stream, trainer->activations, row, &loss,
                              (float)fixture->job.options.balance, trainer->losses,
                              trainer->gradient, &error));
    fixture->compute->memory.download(trainer->stream, losses, trainer->losses,
                                      (size_t)row->targets * sizeof(float));
    assert_ok(fixture->compute->memory.synchronize(trainer->stream, &error));
    for (int64_t i = 0; i < row->targets; i++) sum += (double)losses[i];
    return sum / (double)row->targets;
}

/* Largest difference of a parameter-shaped vector, relative to each parameter's largest golden. */
static void assert_near(struct fixture *fixture, const char *prefix, const float *vector,
                        double relative, double absolute) {
    const struct ps_parameters *parameters = fixture->trainer.model->parameters;
    for (size_t p = 0; p < parameters->count; p++) {
        const struct ps_parameter *parameter = &parameters->items[p];
        uint64_t count;
        const float *golden = golden_data(fixture, prefix, parameter->name, &count);
        assert_int_equal(count, parameter->count);
        double largest = 0, worst = 0;
        for (uint64_t i = 0; i < count; i++) {
            double difference = fabs((double)vector[parameter->offset + i] - (double)golden[i]);
            if (fabs((double)golden[i]) > largest) largest = fabs((double)golden[i]);
            if (!(difference <= worst)) worst = difference;
        }
        if (!(worst <= relative * largest + absolute))
            fail_msg("%s%s differs by %g, the largest is %g", prefix, parameter->name, worst,
                     largest);
    }
}

static void check(const char *name, const char *backend) {
    static struct fixture fixture;
    open_fixture(&fixture, name, backend);
    struct trainer *trainer = &fixture.trainer;
    float *host = malloc(trainer->parameters * sizeof *host);
    double loss = compute_gradient(&fixture), balance = 0;
    if (fixture.job.options.balance != 0)
        balance = fixture.job.options.balance *
                  (double)*(const float *)golden_data(&fixture, "", "load_balance", NULL);
    double golden_loss = (double)*(const float *)golden_data(&fixture, "", "loss", NULL);
    assert_true(fabs(loss + balance - golden_loss) < 1e-5);
    fixture.compute->memory.download(trainer->stream, host, trainer->gradient,
                                     trainer->parameters * sizeof *host);
    assert_ok(fixture.compute->memory.synchronize(trainer->stream, &error));
    assert_near(&fixture, "gradient.", host, 1e-3, 0);

    for (int64_t step = 1; step <= 10; step++) {
        if (step > 1) compute_gradient(&fixture);
        trainer_optimize(trainer, step, 1e-3, 1);
    }
    fixture.compute->memory.download(trainer->stream, host, trainer->master,
                                     trainer->parameters * sizeof *host);
    assert_ok(fixture.compute->memory.synchronize(trainer->stream, &error));
    assert_near(&fixture, "step10.", host, 0, 1e-4);
    free(host);
    close_fixture(&fixture);
}

static void dense_on_reference(void **state) {
    (void)state;
    check("qwen3", "reference");
}

static void mixture_on_reference(void **state) {
    (void)state;
    check("qwen3_moe", "reference");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_on_reference),
        cmocka_unit_test(mixture_on_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
