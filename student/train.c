/* The loop of a training run: order of examples, learning rate, validation, checkpoints. */

#include "student/student.h"

#include "base/memory.h"
#include "base/stop.h"
#include "student/checkpoint.h"
#include "student/trainer_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int64_t steps_per_epoch(const struct ps_train_options *options, uint32_t example_count) {
    return ((int64_t)example_count + options->batch - 1) / options->batch;
}

int64_t ps_train_steps(const struct ps_train_options *options, uint32_t example_count) {
    if (options->steps > 0) return options->steps;
    double steps = options->epochs * (double)steps_per_epoch(options, example_count);
    return steps < 1 ? 1 : (int64_t)ceil(steps);
}

/* What a checkpoint belongs to: everything that the weights after a step depend on. */
static enum ps_status job_identity(const struct ps_train_job *job, struct trainer *trainer,
                                   char text[PS_HASH_HEX_SIZE], struct ps_error *error) {
    const struct ps_train_options *o = &job->options;
    char settings[1024];
    int size = snprintf(settings, sizeof settings,
                        "seed %llu batch %lld row %lld lr %a final %a warmup %a decay %a betas %a "
                        "%a epsilon %a clip %a balance %a format %d moments %d steps %lld "
                        "parameters %llu validate %lld start %llu",
                        (unsigned long long)o->seed, (long long)o->batch, (long long)o->row_tokens,
                        o->learning_rate, o->final_share, o->warmup, o->weight_decay, o->beta1,
                        o->beta2, o->epsilon, o->clip, o->balance, (int)o->format, (int)o->moments,
                        (long long)ps_train_steps(o, job->example_count),
                        (unsigned long long)trainer->parameters, (long long)o->validate_every,
                        (unsigned long long)job->seed);
    struct ps_hash_state *state = ps_hash_begin();
    PS_FAIL_IF_NULL(state, error);
    ps_hash_update_field(state, settings, (size_t)size);
    const struct ps_example *sets[] = {job->examples, job->validation};
    uint32_t counts[] = {job->example_count, job->validation_count};
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < counts[s]; i++) {
            const struct ps_example *example = &sets[s][i];
            ps_hash_update_field(state, &example->first_target, sizeof example->first_target);
            ps_hash_update_field(state, example->ids, (size_t)example->size * sizeof *example->ids);
        }
    }
    for (size_t i = 0; job->files && i < trainer->model->parameters->count; i++) {
        enum ps_dtype dtype;
        const void *data = ps_model_files_data(job->files, i, &dtype);
        ps_hash_update_field(state, data,
                             trainer->model->parameters->items[i].count * ps_dtype_size(dtype));
    }
    struct ps_hash hash = ps_hash_end(state);
    ps_hash_hex(&hash, text);
    return PS_OK;
}

/* The state of the loop between two steps. */
struct loop {
    const struct ps_train_job *job;
    struct trainer trainer;
    struct ps_checkpoint at;
    char identity[PS_HASH_HEX_SIZE];
    char checkpoints[4096], best[4096], model[4096];
    uint32_t *order;
    int64_t order_epoch; /* whose order it is, -1: none */
    double last_checkpoint, validation_loss, loss;
};

static enum ps_status loop_open(struct loop *loop, struct ps_error *error) {
    const struct ps_train_job *job = loop->job;
    char note[512];
    PS_FAIL_IF(strlen(job->folder) > 4000, error, PS_ARGUMENT, "%s: path too long", job->folder);
    snprintf(loop->checkpoints, sizeof loop->checkpoints, "%s/checkpoints", job->folder);
    snprintf(loop->best, sizeof loop->best, "%s/model-best", job->folder);
    snprintf(loop->model, sizeof loop->model, "%s/model", job->folder);
    loop->order = ps_malloc(job->example_count * sizeof *loop->order);
    PS_FAIL_IF_NULL(loop->order, error);
    PS_TRY(trainer_open(&loop->trainer, job, error));
    PS_TRY(job_identity(job, &loop->trainer, loop->identity, error));
    loop->at = (struct ps_checkpoint){.job = loop->identity,
                                      .compute = job->compute,
                                      .stream = loop->trainer.stream,
                                      .parameters = loop->trainer.parameters,
                                      .moments = job->options.moments,
                                      .master = loop->trainer.master,
                                      .first_moment = loop->trainer.first_moment,
                                      .second_moment = loop->trainer.second_moment};
    PS_TRY(ps_checkpoint_load(loop->checkpoints, &loop->at, note, sizeof note, error));
    ps_model_update(loop->trainer.model, loop->trainer.stream, loop->trainer.master);
    if (job->resume) job->resume(job->context, loop->at.step, note[0] ? note : NULL);
    loop->last_checkpoint = seconds_now();
    return PS_OK;
}

static enum ps_status save(struct loop *loop, struct ps_error *error) {
    enum ps_status status = ps_checkpoint_save(loop->checkpoints, &loop->at, error);
    loop->last_checkpoint = seconds_now();
    if (status == PS_FULL)
        return ps_error_prefix(error,
                               "no room for a checkpoint; the one before is kept: free some space "
                               "and run again");
    return status;
}

static enum ps_status validate(struct loop *loop, struct ps_train_progress *progress,
                               struct ps_error *error) {
    PS_TRY(trainer_validate(&loop->trainer, &loop->validation_loss, error));
    progress->validated = true;
    progress->validation_loss = loop->validation_loss;
    if (loop->validation_loss >= loop->at.best_loss) return PS_OK;
    progress->best = true;
    loop->at.best_loss = loop->validation_loss;
    loop->at.best_step = progress->step;
    return trainer_export(&loop->trainer, loop->best, error);
}

static enum ps_status next_step(struct loop *loop, const struct ps_schedule *schedule,
                                struct ps_error *error) {
    const struct ps_train_job *job = loop->job;
    const struct ps_train_options *options = &job->options;
    int64_t step = loop->at.step + 1, an_epoch = steps_per_epoch(options, job->example_count);
    int64_t epoch = (step - 1) / an_epoch, first = (step - 1) % an_epoch * options->batch;
    int64_t count =
        job->example_count - first < options->batch ? job->example_count - first : options->batch;
    if (loop->order_epoch != epoch) {
        ps_epoch_order(options->seed, epoch, loop->order, job->example_count);
        loop->order_epoch = epoch;
    }
    double started = seconds_now();
    struct ps_train_progress progress = {.step = step,
                                         .steps = schedule->total_steps,
                                         .epoch = epoch,
                                         .learning_rate = ps_learning_rate(schedule, step)};
    PS_TRY(trainer_step(&loop->trainer, loop->order + first, (uint32_t)count, step,
                        progress.learning_rate, &progress, error));
    loop->at.step = step;
    loop->at.seen_tokens += progress.target_tokens;
    loop->loss = progress.loss;
    progress.seen_tokens = loop->at.seen_tokens;
    progress.seconds = seconds_now() - started;
    bool due = step == schedule->total_steps ||
               (options->validate_every && step % options->validate_every == 0);
    if (job->validation_count && due) PS_TRY(validate(loop, &progress, error));
    if (job->step) job->step(job->context, &progress);
    return PS_OK;
}

static enum ps_status run(struct loop *loop, struct ps_train_result *result,
                          struct ps_error *error) {
    const struct ps_train_job *job = loop->job;
    const struct ps_train_options *options = &job->options;
    struct ps_schedule schedule = {.peak = options->learning_rate,
                                   .final_share = options->final_share,
                                   .total_steps = ps_train_steps(options, job->example_count)};
    schedule.warmup = (int64_t)ceil(options->warmup * (double)schedule.total_steps);
    while (loop->at.step < schedule.total_steps) {
        enum ps_status status = next_step(loop, &schedule, error);
        if (status == PS_STOPPED && loop->at.step > 0) {
            PS_TRY(save(loop, error));
            return ps_stop_check(error);
        }
        PS_TRY(status);
        if (seconds_now() - loop->last_checkpoint >= options->checkpoint_seconds ||
            loop->at.step == schedule.total_steps)
            PS_TRY(save(loop, error));
    }
    PS_TRY(trainer_export(&loop->trainer, loop->model, error));
    *result = (struct ps_train_result){.steps = loop->at.step,
                                       .seen_tokens = loop->at.seen_tokens,
                                       .best_step = loop->at.best_step,
                                       .best_loss = loop->at.best_step ? loop->at.best_loss : NAN,
                                       .loss = loop->loss,
                                       .validation_loss = loop->validation_loss};
    return PS_OK;
}

enum ps_status ps_train(const struct ps_train_job *job, struct ps_train_result *result,
                        struct ps_error *error) {
    PS_FAIL_IF(job->example_count == 0, error, PS_ARGUMENT, "there is nothing to train on");
    struct loop loop = {.job = job, .order_epoch = -1, .loss = NAN, .validation_loss = NAN};
    enum ps_status status = loop_open(&loop, error);
    if (status == PS_OK) status = run(&loop, result, error);
    trainer_close(&loop.trainer);
    ps_free(loop.order);
    return status;
}
