#pragma once
/* The student: full fine-tuning of a model on examples, with AdamW on float masters.
 *
 * A run is a job (model, examples, options) in a folder. Killed at any moment and started again it
 * goes on from its newest checkpoint and ends with the same bits. */

#include "base/hash.h"
#include "base/status.h"
#include "compute/compute.h"
#include "model/model.h"
#include "student/packing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ps_train_options {
    uint64_t seed;
    double epochs;
    int64_t steps;        /* 0: as epochs say */
    int64_t batch;        /* examples a step */
    int64_t row_tokens;   /* most tokens of a packed row; an example must fit */
    double learning_rate; /* peak */
    double final_share;   /* of the peak, at the last step */
    double warmup;        /* share of the steps */
    double weight_decay;  /* of matrices; norms and biases do not decay */
    double beta1, beta2, epsilon;
    double clip;    /* largest norm of the gradient; 0: no clipping */
    double balance; /* coefficient of the router's load-balancing loss */
    enum ps_weight_format format;
    enum ps_dtype moments;     /* PS_DTYPE_F32 or PS_DTYPE_BF16 */
    int64_t validate_every;    /* steps; 0: only at the end */
    double checkpoint_seconds; /* between checkpoints; not part of what the result is */
};

struct ps_train_progress {
    int64_t step, steps, epoch;
    double loss; /* mean over this step's target tokens */
    double gradient_norm, learning_rate;
    int64_t tokens, target_tokens; /* of this step */
    int64_t seen_tokens;           /* targets so far */
    double seconds; /* this step took; 0, and no tokens: only its validation was still to do */
    bool validated;
    double validation_loss; /* when validated */
    bool best;              /* the lowest so far */
};

/* Weights that are wanted beside the last: those after a step, in FOLDER/NAME. */
struct ps_train_keep {
    int64_t step;
    const char *name;
};

struct ps_train_job {
    struct ps_compute *compute;
    const struct ps_model_config *config;
    const struct ps_model_files *files; /* starting weights; NULL: random, from `seed` */
    uint64_t seed;
    const struct ps_example *examples, *validation;
    uint32_t example_count, validation_count;
    struct ps_train_options options;
    const char *folder; /* FOLDER/checkpoints, FOLDER/model, FOLDER/model-best, FOLDER/lock */
    /* What is missing of these is made, if need be by going back to an older checkpoint or to the
     * start: the same bits come out. */
    const struct ps_train_keep *keep;
    size_t keep_count;

    /* Puts what goes with the weights (a tokenizer) into the model folder NAME, which lies at
     * `path` until it is whole. NULL: nothing. */
    enum ps_status (*complete)(void *context, const char *name, const char *path,
                               struct ps_error *error);
    /* Called after each step, and once before the first with the step that a resumed run goes on
     * from (0: a new one). note: what a user should know, or NULL. */
    void (*step)(void *context, const struct ps_train_progress *progress);
    void (*resume)(void *context, int64_t step, const char *note);
    void *context;
};

struct ps_train_result {
    int64_t steps, seen_tokens, best_step;
    double loss, validation_loss, best_loss; /* NAN without validation */
};

/* Trains to the end, writes FOLDER/model (config.json, weights) and, with validation,
 * FOLDER/model-best (the weights of the lowest validation loss). A model folder appears under its
 * name when it is whole. FOLDER/lock is held meanwhile; PS_BUSY says who has it.
 *
 * PS_STOPPED (base/stop.h): the step at hand is thrown away, a checkpoint of the one before is
 * written, and the same call goes on from there. PS_NUMERIC: loss or gradient is not finite; the
 * message says at which step. */
enum ps_status ps_train(const struct ps_train_job *job, struct ps_train_result *result,
                        struct ps_error *error);

/* Steps alone, for whoever takes the time: each is on all examples of the job at the peak learning
 * rate. Nothing is written; the order, the schedule, validation and callbacks play no part. The job
 * must outlive the trial; on failure *trial is NULL. */
struct ps_train_trial;
enum ps_status ps_train_trial_open(const struct ps_train_job *job, struct ps_train_trial **trial,
                                   struct ps_error *error);
/* Fills step, loss, gradient_norm, learning_rate, tokens and target_tokens. */
enum ps_status ps_train_trial_step(struct ps_train_trial *trial, struct ps_train_progress *progress,
                                   struct ps_error *error);
void ps_train_trial_close(struct ps_train_trial *trial); /* NULL is fine */

/* Bytes of memory that a job takes, and of disk that it leaves behind: two checkpoints, and three
 * while one is written; `models` model folders. */
int64_t ps_train_memory(const struct ps_model_config *config,
                        const struct ps_parameters *parameters,
                        const struct ps_train_options *options);
int64_t ps_train_disk(const struct ps_parameters *parameters,
                      const struct ps_train_options *options, int64_t models);

/* Steps that a job will take. */
int64_t ps_train_steps(const struct ps_train_options *options, uint32_t example_count);
