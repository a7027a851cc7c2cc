#pragma once
/* Training a model on a store's traces, for the train stage and for `potstill train`: the settings,
 * the model, the examples, the run. */

#include "pipelines/stages/train_data.h"
#include "student/student.h"

struct ps_train_settings {
    const char *model, *template;
    double epochs, lr, final_lr, warmup, weight_decay, beta1, beta2, epsilon, clip, balance;
    int64_t steps, batch, sequence_length, threads;
    int precision, moments, overlong;
    int thinking; /* -1 unset */
    int keep;     /* 0: the last weights, 1: the best */
    bool test;    /* rows of a test split too */
    double checkpoint;
    struct ps_train_validate {
        const char *dataset;
        int64_t every;
    } validate;
};
extern const struct ps_settings_table ps_train_table;

/* What is trained on what. Set all but the last three, then open; close it, also after a
 * failure. */
struct ps_training {
    const struct ps_stage_context *context; /* catalog, seed, limit and arena; to run, directory and
                                               progress. It needs no pipeline and no stage. */
    const struct ps_train_settings *settings;
    const char *name; /* of the progress line */
    struct ps_train_model model;
    struct ps_train_traces traces;
    const struct ps_train_keep *keep;
    size_t keep_count;

    struct ps_train_start start;
    struct ps_train_data data;
    int64_t resumed;
};

/* Opens the start alone, or that and the examples. */
enum ps_status ps_training_open_start(struct ps_training *train, struct ps_error *error);
enum ps_status ps_training_open(struct ps_training *train, struct ps_error *error);
void ps_training_close(struct ps_training *train);

struct ps_train_options ps_training_options(const struct ps_training *train);
/* Bytes that checkpoints and models will take. */
int64_t ps_training_disk(const struct ps_training *train, const struct ps_train_options *options);

/* Trains; each model folder has the tokenizer, too. */
enum ps_status ps_training_run(struct ps_training *train, struct ps_train_result *result,
                               struct ps_error *error);

/* Members of an open object: counts of examples, losses. */
void ps_training_write_result(const struct ps_training *train, const struct ps_train_result *result,
                              struct ps_json_writer *writer);

/* The student's template and end token. */
enum ps_status ps_training_show_start(const struct ps_training *train, FILE *out,
                                      struct ps_error *error);
/* The counts, and the first example token by token with its loss mask. */
enum ps_status ps_training_show(const struct ps_training *train, FILE *out, struct ps_error *error);
