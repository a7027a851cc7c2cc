#pragma once
/* What a student is trained on: examples of a store's traces. */

#include "pipelines/stages/stage.h"
#include "pipelines/stages/train_start.h"
#include "student/examples.h"

struct ps_train_data_options {
    enum ps_thinking thinking; /* what the template is told; unset: what the prompt said */
    int64_t sequence_length;
    enum ps_overlong overlong;
    bool test;              /* allow rows of a test split */
    const char *validation; /* a data set whose traces are held out, or NULL */
};

struct ps_train_data {
    struct ps_examples examples, validation;
};

/* Examples of the traces; of the context the catalog and the arena are used. Rows of a test split
 * are refused unless allowed, so is a validation set of which there is no trace. Close it, also
 * after a failure. */
enum ps_status
ps_train_data_open(struct ps_train_data *data, const struct ps_stage_context *context,
                   const struct ps_train_traces *traces, const struct ps_train_start *start,
                   const struct ps_train_data_options *options, struct ps_error *error);
void ps_train_data_close(struct ps_train_data *data);
