/* The loop of a training run: order of examples, learning rate, validation, checkpoints. */

#include "student/student.h"

#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/stop.h"
#include "student/checkpoint.h"
#include "student/trainer_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FOLDER_SIZE = 4096 };

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
    const struct ps_model_config *c = job->config;
    char settings[1536];
    int size = snprintf(settings, sizeof settings,
                        "seed %llu batch %lld row %lld lr %a final %a warmup %a decay %a betas %a "
                        "%a epsilon %a clip %a balance %a format %d moments %d steps %lld "
                        "parameters %llu validate %lld start %llu "
                        "model %s theta %a factor %a norm %a experts %lld spread %a",
                        (unsigned long long)o->seed, (long long)o->batch, (long long)o->row_tokens,
                        o->learning_rate, o->final_share, o->warmup, o->weight_decay, o->beta1,
                        o->beta2, o->epsilon, o->clip, o->balance, (int)o->format, (int)o->moments,
                        (long long)ps_train_steps(o, job->example_count),
                        (unsigned long long)trainer->parameters, (long long)o->validate_every,
                        (unsigned long long)job->seed, c->model_type, c->rope.theta, c->rope.factor,
                        c->norm_epsilon, (long long)c->experts_per_token, c->initializer_range);
    struct ps_hash_state *state = ps_hash_begin();
    PS_FAIL_IF_NULL(state, error);
    ps_hash_update_field(state, settings, (size_t)size);
    const struct ps_example *sets[] = {job->examples, job->validation};
    const uint32_t counts[] = {job->example_count, job->validation_count};
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < counts[s]; i++) {
            const struct ps_example *example = &sets[s][i];
            ps_hash_update_field(state, &example->first_target, sizeof example->first_target);
            ps_hash_update_field(state, example->ids, (size_t)example->size * sizeof *example->ids);
        }
    }
    enum ps_status status = PS_OK;
    for (size_t i = 0; job->files && i < trainer->model->parameters->count; i++) {
        enum ps_dtype dtype;
        status = ps_stop_check(error); /* gigabytes take their time */
        if (status != PS_OK) break;
        const void *data = ps_model_files_data(job->files, i, &dtype);
        ps_hash_update_field(state, data,
                             trainer->model->parameters->items[i].count * ps_dtype_size(dtype));
    }
    struct ps_hash hash = ps_hash_end(state);
    ps_hash_hex(&hash, text);
    return status;
}

/* The state of the loop between two steps. */
struct loop {
    const struct ps_train_job *job;
    struct trainer trainer;
    struct ps_checkpoint at;
    struct ps_schedule schedule;
    struct ps_lock lock;
    char identity[PS_HASH_HEX_SIZE];
    char checkpoints[FOLDER_SIZE];
    uint32_t *order;
    int64_t order_epoch; /* whose order it is, -1: none */
    int64_t saved_step;
    double last_checkpoint;
};

/* ---- what is written ---- */

static void folder_of(const struct loop *loop, const char *name, char path[FOLDER_SIZE]) {
    snprintf(path, FOLDER_SIZE, "%s/%s", loop->job->folder, name);
}

/* A model folder appears under its name when all is in it. */
static enum ps_status export(struct loop *loop, const char *name, struct ps_error *error) {
    const struct ps_train_job *job = loop->job; char path[FOLDER_SIZE], temporary[FOLDER_SIZE + 8];
    folder_of(loop, name, path);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    PS_TRY(ps_path_remove(temporary, error)); /* of a run that was killed */
    enum ps_status status = trainer_export(&loop->trainer, temporary, error);
    if (status == PS_OK && job->complete)
        status = job->complete(job->context, name, temporary, error);
    if (status == PS_OK) status = ps_directory_commit(temporary, path, error);
    if (status != PS_OK) ps_path_remove(temporary, NULL);
    return status;
}

static enum ps_status export_kept(struct loop *loop, struct ps_error *error) {
    const struct ps_train_job *job = loop->job;
    for (size_t i = 0; i < job->keep_count; i++)
        if (job->keep[i].step == loop->at.step) PS_TRY(export(loop, job->keep[i].name, error));
    return PS_OK;
}

static bool is_kept(const struct loop *loop, const struct ps_train_keep *keep) {
    char path[FOLDER_SIZE];
    folder_of(loop, keep->name, path);
    return ps_directory_exists(path);
}

static enum ps_status save(struct loop *loop, struct ps_error *error) {
    if (loop->saved_step == loop->at.step) return PS_OK;
    enum ps_status status = ps_checkpoint_save(loop->checkpoints, &loop->at, error);
    loop->last_checkpoint = ps_seconds();
    if (status == PS_OK) loop->saved_step = loop->at.step;
    if (status == PS_FULL)
        return ps_error_prefix(error,
                               "no room for a checkpoint; the one before is kept: free some space "
                               "and run again");
    return status;
}

/* ---- beginning ---- */

static enum ps_status check_examples(const struct ps_train_job *job,
                                     const struct ps_example *examples, uint32_t count,
                                     struct ps_error *error) {
    for (uint32_t i = 0; i < count; i++) {
        const struct ps_example *example = &examples[i];
        PS_FAIL_IF(example->first_target < 1 || example->first_target >= example->size, error,
                   PS_ARGUMENT, "example %u has nothing to predict, or nothing to predict it from",
                   i);
        for (int32_t t = 0; t < example->size; t++)
            PS_FAIL_IF(example->ids[t] < 0 || example->ids[t] >= job->config->vocabulary, error,
                       PS_ARGUMENT, "example %u has the token id %d; the model has %lld tokens", i,
                       example->ids[t], (long long)job->config->vocabulary);
    }
    return PS_OK;
}

static enum ps_status check_job(const struct ps_train_job *job, struct ps_error *error) {
    int64_t steps = ps_train_steps(&job->options, job->example_count);
    PS_FAIL_IF(job->example_count == 0, error, PS_ARGUMENT, "there is nothing to train on");
    PS_FAIL_IF(strlen(job->folder) > FOLDER_SIZE - 96, error, PS_ARGUMENT, "%s: path too long",
               job->folder);
    for (size_t i = 0; i < job->keep_count; i++)
        PS_FAIL_IF(job->keep[i].step < 1 || job->keep[i].step > steps, error, PS_ARGUMENT,
                   "the weights of step %lld are asked for; the run has %lld steps",
                   (long long)job->keep[i].step, (long long)steps);
    PS_TRY(check_examples(job, job->examples, job->example_count, error));
    return check_examples(job, job->validation, job->validation_count, error);
}

static enum ps_status loop_open(struct loop *loop, struct ps_error *error) {
    const struct ps_train_job *job = loop->job;
    const struct ps_train_options *options = &job->options;
    char note[512];
    int64_t latest = INT64_MAX;
    loop->schedule =
        (struct ps_schedule){.peak = options->learning_rate,
                             .final_share = options->final_share,
                             .total_steps = ps_train_steps(options, job->example_count)};
    loop->schedule.warmup = (int64_t)ceil(options->warmup * (double)loop->schedule.total_steps);
    folder_of(loop, "checkpoints", loop->checkpoints);
    loop->order = ps_malloc(job->example_count * sizeof *loop->order);
    PS_FAIL_IF_NULL(loop->order, error);
    PS_TRY(trainer_open(&loop->trainer, job, error));
    PS_TRY(job_identity(job, &loop->trainer, loop->identity, error));
    loop->at = (struct ps_checkpoint){.job = loop->identity,
                                      .compute = job->compute,
                                      .stream = loop->trainer.stream,
                                      .parameters = loop->trainer.parameters,
                                      .moments = options->moments,
                                      .master = loop->trainer.master,
                                      .first_moment = loop->trainer.first_moment,
                                      .second_moment = loop->trainer.second_moment};
    for (size_t i = 0; i < job->keep_count; i++)
        if (job->keep[i].step < latest && !is_kept(loop, &job->keep[i])) latest = job->keep[i].step;
    PS_TRY(ps_checkpoint_load(loop->checkpoints, latest, &loop->at, note, sizeof note, error));
    loop->saved_step = loop->at.step;
    ps_model_update(loop->trainer.model, loop->trainer.stream, loop->trainer.master);
    PS_TRY(job->compute->memory.synchronize(loop->trainer.stream, error));
    if (job->resume) job->resume(job->context, loop->at.step, note[0] ? note : NULL);
    loop->last_checkpoint = ps_seconds();
    return PS_OK;
}

/* ---- steps ---- */

static bool validation_due(const struct loop *loop) {
    int64_t every = loop->job->options.validate_every, step = loop->at.step;
    bool due = step == loop->schedule.total_steps || (every && step % every == 0);
    return loop->job->validation_count && due && loop->at.validated_step != step;
}

/* What follows a step: validation when it is due, the weights that are kept, telling. */
static enum ps_status end_step(struct loop *loop, struct ps_train_progress *progress,
                               struct ps_error *error) {
    const struct ps_train_job *job = loop->job;
    if (validation_due(loop)) {
        PS_TRY(trainer_validate(&loop->trainer, &progress->validation_loss, error));
        progress->validated = true;
        if (progress->validation_loss < loop->at.best_loss) {
            progress->best = true;
            PS_TRY(export(loop, "model-best", error));
            loop->at.best_loss = progress->validation_loss;
            loop->at.best_step = loop->at.step;
        }
        loop->at.validation_loss = progress->validation_loss;
        loop->at.validated_step = loop->at.step;
    }
    PS_TRY(export_kept(loop, error));
    if (job->step) job->step(job->context, progress);
    return PS_OK;
}

static enum ps_status next_step(struct loop *loop, struct ps_error *error) {
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
    double started = ps_seconds();
    struct ps_train_progress progress = {.step = step,
                                         .steps = loop->schedule.total_steps,
                                         .epoch = epoch,
                                         .learning_rate = ps_learning_rate(&loop->schedule, step)};
    PS_TRY(trainer_step(&loop->trainer, loop->order + first, (uint32_t)count, step,
                        progress.learning_rate, &progress, error));
    loop->at.step = step;
    loop->at.seen_tokens += progress.target_tokens;
    loop->at.loss = progress.loss;
    progress.seen_tokens = loop->at.seen_tokens;
    progress.seconds = ps_seconds() - started;
    return end_step(loop, &progress, error);
}

/* A run that was stopped in a validation left that to be done. */
static enum ps_status resume_step(struct loop *loop, struct ps_error *error) {
    if (loop->at.step == 0) return PS_OK;
    if (!validation_due(loop)) return export_kept(loop, error);
    struct ps_train_progress progress = {
        .step = loop->at.step,
        .steps = loop->schedule.total_steps,
        .epoch =
            (loop->at.step - 1) / steps_per_epoch(&loop->job->options, loop->job->example_count),
        .loss = loop->at.loss,
        .gradient_norm = NAN,
        .learning_rate = ps_learning_rate(&loop->schedule, loop->at.step),
        .seen_tokens = loop->at.seen_tokens};
    return end_step(loop, &progress, error);
}

/* Writing gigabytes takes longer than a user who stops expects; but they are what is kept. */
static enum ps_status save_stopped(struct loop *loop, struct ps_error *error) {
    double bytes =
        (double)loop->at.parameters * (double)(sizeof(float) + 2 * ps_dtype_size(loop->at.moments));
    if (loop->saved_step != loop->at.step && bytes > 5e8)
        ps_log_note("stopped: writing a checkpoint of %.1f GB; another signal ends this at once, "
                    "and the next run goes on from step %lld",
                    bytes / 1e9, (long long)loop->saved_step);
    return save(loop, error);
}

static enum ps_status run(struct loop *loop, struct ps_train_result *result,
                          struct ps_error *error) {
    const struct ps_train_options *options = &loop->job->options;
    int64_t steps = loop->schedule.total_steps;
    PS_TRY(resume_step(loop, error));
    while (loop->at.step < steps) {
        enum ps_status status = next_step(loop, error);
        if (status == PS_STOPPED && loop->at.step > 0) {
            PS_TRY(save_stopped(loop, error));
            return ps_stop_check(error);
        }
        PS_TRY(status);
        if (ps_seconds() - loop->last_checkpoint >= options->checkpoint_seconds ||
            loop->at.step == steps)
            PS_TRY(save(loop, error));
    }
    PS_TRY(export(loop, "model", error));
    *result = (struct ps_train_result){.steps = loop->at.step,
                                       .seen_tokens = loop->at.seen_tokens,
                                       .best_step = loop->at.best_step,
                                       .best_loss = loop->at.best_step ? loop->at.best_loss : NAN,
                                       .loss = loop->at.loss,
                                       .validation_loss = loop->at.validation_loss};
    return PS_OK;
}

static enum ps_status lock_folder(struct loop *loop, struct ps_error *error) {
    char path[FOLDER_SIZE], holder[PS_LOCK_HOLDER];
    const char *folder = loop->job->folder;
    PS_TRY(ps_directory_create(folder, error));
    folder_of(loop, "lock", path);
    enum ps_status status = ps_lock_take(&loop->lock, path, holder, error);
    PS_FAIL_IF(status == PS_BUSY, error, PS_BUSY,
               "%s: %s trains there; wait until that ends, or name another folder", folder, holder);
    return status;
}

enum ps_status ps_train(const struct ps_train_job *job, struct ps_train_result *result,
                        struct ps_error *error) {
    PS_TRY(check_job(job, error));
    struct loop loop = {.job = job, .order_epoch = -1};
    enum ps_status status = lock_folder(&loop, error);
    if (status == PS_OK) status = loop_open(&loop, error);
    if (status == PS_OK) status = run(&loop, result, error);
    ps_lock_release(&loop.lock);
    trainer_close(&loop.trainer);
    ps_free(loop.order);
    return status;
}

/* ---- steps alone ---- */

struct ps_train_trial {
    struct trainer trainer;
    uint32_t *all;
    int64_t step;
};

enum ps_status ps_train_trial_open(const struct ps_train_job *job, struct ps_train_trial **trial,
                                   struct ps_error *error) {
    *trial = NULL;
    PS_FAIL_IF(job->example_count == 0, error, PS_ARGUMENT, "there is nothing to train on");
    PS_TRY(check_examples(job, job->examples, job->example_count, error));
    struct ps_train_trial *made = ps_calloc(1, sizeof *made);
    PS_FAIL_IF_NULL(made, error);
    enum ps_status status;
    PS_TRY_DONE(trainer_open(&made->trainer, job, error));
    made->all = ps_malloc(job->example_count * sizeof *made->all);
    PS_FAIL_DONE_IF_NULL(made->all, error);
    for (uint32_t i = 0; i < job->example_count; i++) made->all[i] = i;
    ps_model_update(made->trainer.model, made->trainer.stream, made->trainer.master);
    PS_TRY_DONE(job->compute->memory.synchronize(made->trainer.stream, error));
    *trial = made;
    return PS_OK;
done:
    ps_train_trial_close(made);
    return status;
}

enum ps_status ps_train_trial_step(struct ps_train_trial *trial, struct ps_train_progress *progress,
                                   struct ps_error *error) {
    const struct ps_train_job *job = trial->trainer.job;
    *progress = (struct ps_train_progress){.step = trial->step + 1,
                                           .learning_rate = job->options.learning_rate};
    PS_TRY(trainer_step(&trial->trainer, trial->all, job->example_count, progress->step,
                        progress->learning_rate, progress, error));
    trial->step++;
    return PS_OK;
}

void ps_train_trial_close(struct ps_train_trial *trial) {
    if (!trial) return;
    trainer_close(&trial->trainer);
    ps_free(trial->all);
    ps_free(trial);
}
