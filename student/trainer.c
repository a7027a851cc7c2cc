/* One step: zero the gradients, forward and backward row by row, clip, AdamW, round the masters
 * into the model's weights. */

#include "student/trainer_internal.h"

#include "base/memory.h"
#include "base/stop.h"

#include <math.h>
#include <string.h>

/* ---- making ---- */

static void *carve(char *memory, size_t *used, size_t bytes) {
    void *place = memory ? memory + *used : NULL;
    *used += (bytes + 63) & ~(size_t)63;
    return place;
}

/* Counts with memory NULL, places otherwise. */
static size_t carve_all(struct trainer *trainer, char *memory) {
    const struct ps_train_options *options = &trainer->job->options;
    size_t used = 0, moment = trainer->parameters * ps_dtype_size(options->moments);
    size_t rows = (size_t)options->row_tokens;
    trainer->master = carve(memory, &used, trainer->parameters * sizeof(float));
    trainer->gradient = carve(memory, &used, trainer->parameters * sizeof(float));
    trainer->first_moment = carve(memory, &used, moment);
    trainer->second_moment = carve(memory, &used, moment);
    trainer->indices = carve(memory, &used, (5 * rows + 1) * sizeof(int32_t));
    trainer->losses = carve(memory, &used, rows * sizeof(float));
    trainer->square_sum = carve(memory, &used, sizeof(double));
    return used;
}

/* Starting weights into the masters and zeros into the moments, in pieces. */
static enum ps_status start_parameter(struct trainer *trainer, size_t index, float *piece,
                                      size_t piece_size, struct ps_error *error) {
    const struct ps_train_job *job = trainer->job;
    const struct ps_memory_operations *memory = &trainer->compute->memory;
    const struct ps_parameter *parameter = &trainer->model->parameters->items[index];
    size_t moment = ps_dtype_size(job->options.moments);
    enum ps_dtype dtype = PS_DTYPE_F32;
    const char *data = job->files ? ps_model_files_data(job->files, index, &dtype) : NULL;
    for (uint64_t first = 0; first < parameter->count; first += piece_size) {
        PS_TRY(ps_stop_check(error));
        uint64_t n = parameter->count - first < piece_size ? parameter->count - first : piece_size;
        if (data)
            PS_TRY(ps_tensor_to_f32(piece, dtype, data + first * ps_dtype_size(dtype), n, error));
        else
            ps_parameter_initialise(job->config, parameter, job->seed, first, n, piece);
        uint64_t at = parameter->offset + first;
        memory->upload(trainer->stream, trainer->master + at, piece, n * sizeof *piece);
        memory->zero(trainer->stream, (char *)trainer->first_moment + at * moment, n * moment);
        memory->zero(trainer->stream, (char *)trainer->second_moment + at * moment, n * moment);
        PS_TRY(memory->synchronize(trainer->stream, error));
    }
    return PS_OK;
}

static enum ps_status start_weights(struct trainer *trainer, struct ps_error *error) {
    enum { PIECE = 1 << 20 };
    float *piece = ps_malloc(PIECE * sizeof *piece);
    PS_FAIL_IF_NULL(piece, error);
    enum ps_status status = PS_OK;
    for (size_t i = 0; status == PS_OK && i < trainer->model->parameters->count; i++)
        status = start_parameter(trainer, i, piece, PIECE, error);
    ps_free(piece);
    return status;
}

enum ps_status trainer_open(struct trainer *trainer, const struct ps_train_job *job,
                            struct ps_error *error) {
    const struct ps_train_options *options = &job->options;
    int64_t rows = options->row_tokens;
    *trainer = (struct trainer){.job = job, .compute = job->compute};
    struct ps_compute_limits limits = ps_model_limits(job->config, rows, rows, rows, true);
    struct ps_model_options model_options = {
        .format = options->format, .training = true, .positions = rows};
    PS_TRY(job->compute->memory.stream_create(job->compute, &limits, &trainer->stream, error));
    PS_TRY(ps_model_create(job->compute, trainer->stream, job->config, &model_options,
                           &trainer->model, error));
    PS_TRY(ps_activations_create(trainer->model, rows, true, &trainer->activations, error));
    PS_TRY(ps_backward_create(trainer->model, rows, &trainer->backward, error));
    trainer->parameters = trainer->model->parameters->total;
    size_t bytes = carve_all(trainer, NULL);
    trainer->memory = job->compute->memory.allocate(job->compute, bytes);
    trainer->host_indices = ps_malloc((size_t)(5 * rows + 1) * sizeof(int32_t));
    trainer->host_losses = ps_malloc((size_t)rows * sizeof(float));
    PS_FAIL_IF(!trainer->memory || !trainer->host_indices || !trainer->host_losses, error,
               PS_MEMORY, "no memory for masters, gradients and moments (%.1f GB)",
               (double)bytes / 1e9);
    carve_all(trainer, trainer->memory);
    return start_weights(trainer, error);
}

void trainer_close(struct trainer *trainer) {
    if (trainer->stream) /* a step that was stopped has left work in it */
        trainer->compute->memory.synchronize(trainer->stream, NULL);
    ps_backward_release(trainer->backward);
    ps_activations_release(trainer->activations);
    ps_model_close(trainer->model);
    if (trainer->memory) trainer->compute->memory.release(trainer->compute, trainer->memory);
    if (trainer->stream) trainer->compute->memory.stream_release(trainer->stream);
    ps_free(trainer->host_indices);
    ps_free(trainer->host_losses);
}

/* ---- a packed row ---- */

/* Lays the members of a row one behind the other, and uploads what describes them. */
static struct ps_packed_row upload_row(struct trainer *trainer, const struct ps_example *examples,
                                       const uint32_t *members, uint32_t count) {
    int64_t rows = trainer->job->options.row_tokens;
    struct ps_packed_row row = {.sequences = count};
    int32_t *tokens = trainer->host_indices, *positions = tokens + rows;
    int32_t *starts = positions + rows, *predictors = starts + rows + 1;
    int32_t *targets = predictors + rows;
    for (uint32_t m = 0; m < count; m++) {
        const struct ps_example *example = &examples[members[m]];
        starts[m] = (int32_t)row.rows;
        for (int32_t i = 0; i < example->size; i++) {
            tokens[row.rows + i] = example->ids[i];
            positions[row.rows + i] = i;
        }
        for (int32_t i = example->first_target; i < example->size; i++) {
            predictors[row.targets] = (int32_t)row.rows + i - 1;
            targets[row.targets++] = example->ids[i];
        }
        row.rows += example->size;
    }
    starts[count] = (int32_t)row.rows;
    int32_t *device = trainer->indices;
    trainer->compute->memory.upload(trainer->stream, device, trainer->host_indices,
                                    (size_t)(5 * rows + 1) * sizeof *device);
    row.tokens = device;
    row.positions = device + rows;
    row.starts = device + 2 * rows;
    row.predictors = device + 3 * rows + 1;
    row.target_tokens = device + 4 * rows + 1;
    return row;
}

static enum ps_status add_losses(struct trainer *trainer, int64_t count, double *sum,
                                 struct ps_error *error) {
    trainer->compute->memory.download(trainer->stream, trainer->host_losses, trainer->losses,
                                      (size_t)count * sizeof(float));
    PS_TRY(trainer->compute->memory.synchronize(trainer->stream, error));
    for (int64_t i = 0; i < count; i++) *sum += (double)trainer->host_losses[i];
    return PS_OK;
}

/* ---- a step ---- */

static bool decays(const struct ps_parameter *parameter) {
    return parameter->shape.rank > 1;
}

/* AdamW over the runs of parameters that decay alike. */
void trainer_optimize(struct trainer *trainer, int64_t step, double learning_rate,
                      double gradient_scale) {
    const struct ps_train_options *options = &trainer->job->options;
    const struct ps_parameters *parameters = trainer->model->parameters;
    size_t moment = ps_dtype_size(options->moments);
    for (size_t i = 0, end; i < parameters->count; i = end) {
        bool decay = decays(&parameters->items[i]);
        for (end = i + 1; end < parameters->count; end++)
            if (decays(&parameters->items[end]) != decay) break;
        const struct ps_parameter *last = &parameters->items[end - 1];
        uint64_t offset = parameters->items[i].offset;
        struct ps_adamw config = {.learning_rate = (float)learning_rate,
                                  .beta1 = (float)options->beta1,
                                  .beta2 = (float)options->beta2,
                                  .epsilon = (float)options->epsilon,
                                  .weight_decay = decay ? (float)options->weight_decay : 0,
                                  .gradient_scale = (float)gradient_scale,
                                  .step = step,
                                  .moments = options->moments};
        trainer->compute->optimizer.adamw(trainer->stream, &config,
                                          (int64_t)(last->offset + last->count - offset),
                                          trainer->master + offset, trainer->gradient + offset,
                                          (char *)trainer->first_moment + offset * moment,
                                          (char *)trainer->second_moment + offset * moment);
    }
    ps_model_update(trainer->model, trainer->stream, trainer->master);
}

static enum ps_status accumulate(struct trainer *trainer, const struct ps_packing *packing,
                                 struct ps_train_progress *progress, struct ps_error *error) {
    const struct ps_train_job *job = trainer->job;
    double sum = 0;
    for (uint32_t r = 0; r < packing->rows; r++) {
        struct ps_packed_row row =
            upload_row(trainer, job->examples, packing->members + packing->first[r],
                       packing->first[r + 1] - packing->first[r]);
        struct ps_loss loss = {
            .cross_entropy = 1, .temperature = 1, .scale = 1 / (float)progress->target_tokens};
        /* The balancing loss of a step is the mean of its rows', weighted by their tokens. */
        double balance = job->options.balance * (double)row.rows / (double)progress->tokens;
        PS_TRY(ps_model_forward_packed(trainer->model, trainer->stream, trainer->activations,
                                       row.rows, row.tokens, row.positions, row.sequences,
                                       row.starts, error));
        PS_TRY(ps_backward_run(trainer->backward, trainer->stream, trainer->activations, &row,
                               &loss, (float)balance, trainer->losses, trainer->gradient, error));
        PS_TRY(add_losses(trainer, row.targets, &sum, error));
    }
    progress->loss = sum / (double)progress->target_tokens;
    return PS_OK;
}

static enum ps_status gradient_norm(struct trainer *trainer, double *norm, struct ps_error *error) {
    double square_sum;
    trainer->compute->optimizer.square_sum(trainer->stream, (int64_t)trainer->parameters,
                                           trainer->gradient, trainer->square_sum);
    trainer->compute->memory.download(trainer->stream, &square_sum, trainer->square_sum,
                                      sizeof square_sum);
    PS_TRY(trainer->compute->memory.synchronize(trainer->stream, error));
    *norm = sqrt(square_sum);
    return PS_OK;
}

enum ps_status trainer_step(struct trainer *trainer, const uint32_t *chosen, uint32_t count,
                            int64_t step, double learning_rate, struct ps_train_progress *progress,
                            struct ps_error *error) {
    const struct ps_train_job *job = trainer->job;
    struct ps_arena arena;
    struct ps_packing packing;
    ps_arena_init(&arena, SIZE_MAX);
    enum ps_status status;
    PS_TRY_DONE(
        ps_pack(job->examples, chosen, count, job->options.row_tokens, &arena, &packing, error));
    progress->target_tokens = ps_target_tokens(job->examples, chosen, count);
    progress->tokens = 0;
    for (uint32_t i = 0; i < count; i++) progress->tokens += job->examples[chosen[i]].size;
    trainer->compute->memory.zero(trainer->stream, trainer->gradient,
                                  trainer->parameters * sizeof(float));
    PS_TRY_DONE(accumulate(trainer, &packing, progress, error));
    PS_TRY_DONE(gradient_norm(trainer, &progress->gradient_norm, error));
    double norm = progress->gradient_norm, clip = job->options.clip;
    PS_FAIL_DONE_IF(
        !isfinite(progress->loss) || !isfinite(norm), error, PS_NUMERIC,
        "step %lld: loss %g, gradient norm %g; the weights are kept as they were before "
        "it; lower the learning rate or look at the data",
        (long long)step, progress->loss, norm);
    PS_TRY_DONE(ps_stop_check(error)); /* what follows is done to its end */
    trainer_optimize(trainer, step, learning_rate, clip > 0 && norm > clip ? clip / norm : 1);
    status = trainer->compute->memory.synchronize(trainer->stream, error);
done:
    ps_arena_release(&arena);
    return status;
}

/* ---- validation ---- */

enum ps_status trainer_validate(struct trainer *trainer, double *loss, struct ps_error *error) {
    const struct ps_train_job *job = trainer->job;
    struct ps_arena arena;
    struct ps_packing packing;
    double sum = 0;
    ps_arena_init(&arena, SIZE_MAX);
    enum ps_status status = PS_OK;
    uint32_t *all = ps_arena_array(&arena, job->validation_count, sizeof *all);
    PS_FAIL_DONE_IF_NULL(all, error);
    for (uint32_t i = 0; i < job->validation_count; i++) all[i] = i;
    PS_TRY_DONE(ps_pack(job->validation, all, job->validation_count, job->options.row_tokens,
                        &arena, &packing, error));
    for (uint32_t r = 0; r < packing.rows; r++) {
        struct ps_packed_row row =
            upload_row(trainer, job->validation, packing.members + packing.first[r],
                       packing.first[r + 1] - packing.first[r]);
        PS_TRY_DONE(ps_model_forward_packed(trainer->model, trainer->stream, trainer->activations,
                                            row.rows, row.tokens, row.positions, row.sequences,
                                            row.starts, error));
        PS_TRY_DONE(ps_backward_losses(trainer->backward, trainer->stream, trainer->activations,
                                       &row, trainer->losses, error));
        PS_TRY_DONE(add_losses(trainer, row.targets, &sum, error));
    }
    *loss = sum / (double)ps_target_tokens(job->validation, all, job->validation_count);
done:
    ps_arena_release(&arena);
    return status;
}

/* ---- what it takes ---- */

int64_t ps_train_memory(const struct ps_model_config *config,
                        const struct ps_parameters *parameters,
                        const struct ps_train_options *options) {
    enum ps_dtype act = options->format == PS_WEIGHT_F32 ? PS_DTYPE_F32 : PS_DTYPE_BF16;
    struct ps_model model = {.config = config, .act = act};
    struct ps_train_job job = {.options = *options};
    struct trainer trainer = {.job = &job, .parameters = parameters->total};
    /* Weights stand there twice: as they are, and transposed for the gradient of inputs. */
    size_t weights = 2 * parameters->total * ps_dtype_size(act);
    return (int64_t)(weights + carve_all(&trainer, NULL) +
                     ps_activations_bytes(&model, options->row_tokens, true) +
                     ps_backward_bytes(&model, options->row_tokens));
}

int64_t ps_train_disk(const struct ps_parameters *parameters,
                      const struct ps_train_options *options, int64_t models) {
    uint64_t state = sizeof(float) + 2 * ps_dtype_size(options->moments);
    uint64_t weight =
        ps_dtype_size(options->format == PS_WEIGHT_F32 ? PS_DTYPE_F32 : PS_DTYPE_BF16);
    return (int64_t)(parameters->total * (3 * state + (uint64_t)models * weight));
}

/* ---- export ---- */

static enum ps_status download_parameter(void *context, const struct ps_parameter *parameter,
                                         uint64_t first, uint64_t count, float *values,
                                         struct ps_error *error) {
    struct trainer *trainer = context;
    PS_TRY(ps_stop_check(error));
    trainer->compute->memory.download(trainer->stream, values,
                                      trainer->master + parameter->offset + first,
                                      count * sizeof *values);
    return trainer->compute->memory.synchronize(trainer->stream, error);
}

enum ps_status trainer_export(struct trainer *trainer, const char *folder, struct ps_error *error) {
    enum ps_dtype dtype =
        trainer->job->options.format == PS_WEIGHT_F32 ? PS_DTYPE_F32 : PS_DTYPE_BF16;
    return ps_model_write(folder, trainer->job->config, trainer->model->parameters, dtype,
                          download_parameter, trainer, error);
}
