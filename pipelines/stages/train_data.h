#pragma once
/* What training starts from: a model with its tokenizer, and examples of a store's traces. */

#include "model/model.h"
#include "pipelines/stages/stage.h"
#include "student/examples.h"

/* A Hugging Face folder, or random weights from a config.json with a tokenizer. */
struct ps_train_model {
    const char *path, *config, *tokenizer;
    uint64_t seed;
};

/* Traces that fit any of the filters. */
struct ps_train_traces {
    const char *store; /* its path */
    const struct ps_store_filter *filters;
    size_t count;
};

struct ps_train_start {
    struct ps_model_files *files;         /* NULL: random weights */
    struct ps_model_config *own_config;   /* of random weights */
    const struct ps_model_config *config; /* either's */
    struct ps_parameters *own_parameters;
    const struct ps_parameters *parameters;
    struct ps_tokenizer *tokenizer;
    const char *tokenizer_path; /* the folder or file it comes from */
    uint64_t seed;
};

/* Close it, also after a failure. */
enum ps_status ps_train_start_open(struct ps_train_start *start, const struct ps_train_model *model,
                                   struct ps_error *error);
void ps_train_start_close(struct ps_train_start *start);

/* The token that ends a reply under a template (NULL: chatml). PS_ARGUMENT when the tokenizer has
 * none. */
enum ps_status ps_train_end_token(const struct ps_train_start *start, const char *template,
                                  int32_t *token, struct ps_error *error);

/* Puts the tokenizer's files beside the weights in a model folder, and the end token that was
 * trained under this template among those of generation_config.json. */
enum ps_status ps_train_start_copy(const struct ps_train_start *start, const char *template,
                                   const char *folder, struct ps_error *error);

/* Gives the model in folder `to` the weights of that in `from`. */
enum ps_status ps_train_copy_weights(const char *from, const char *to, struct ps_error *error);

struct ps_train_data_options {
    const char *template;
    int64_t sequence_length;
    enum ps_overlong overlong;
    const char *validation; /* a data set whose traces are held out, or NULL */
};

struct ps_train_data {
    struct ps_examples examples, validation;
};

/* Examples of the traces; of the context the catalog and the arena are used. Rows of a test split
 * are refused, so is a validation set of which there is no trace. Close it, also after a
 * failure. */
enum ps_status
ps_train_data_open(struct ps_train_data *data, const struct ps_stage_context *context,
                   const struct ps_train_traces *traces, const struct ps_train_start *start,
                   const struct ps_train_data_options *options, struct ps_error *error);
void ps_train_data_close(struct ps_train_data *data);
