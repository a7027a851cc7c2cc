#pragma once
/* What training starts from: a model with its tokenizer and the template that the student gets; and
 * what goes with the weights that it ends in. */

#include "model/model.h"
#include "pipelines/driver/pipeline.h"
#include "store/store.h"
#include "text/text.h"

/* A Hugging Face folder, or random weights from a config.json with a tokenizer. */
struct ps_train_model {
    const char *path, *config, *tokenizer;
    uint64_t seed;
    const char *template; /* the student's; NULL: the model's own, else the one of the prompts */
    const char *date;     /* what it takes for today */
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
    const char *tokenizer_path;   /* the folder or file it comes from */
    const char *folder;           /* that it lies in */
    struct ps_template *template; /* NULL: the model has none, and none is said */
    const char *date;
    struct ps_arena arena;
    uint64_t seed;
};

/* Close it, also after a failure. */
enum ps_status ps_train_start_open(struct ps_train_start *start, const struct ps_train_model *model,
                                   struct ps_error *error);
void ps_train_start_close(struct ps_train_start *start);

/* Where neither the settings nor the model have a template: the one that the first of these traces'
 * prompts was made with. pipeline (or NULL) knows the files. PS_ARGUMENT when it cannot be found.
 */
enum ps_status ps_train_start_find_template(struct ps_train_start *start,
                                            const struct ps_train_traces *traces,
                                            const struct ps_pipeline *pipeline,
                                            struct ps_error *error);

/* The token that ends the student's replies: what its template prints behind an assistant's words;
 * else the first eos_token_id of generation_config.json, else of config.json, that the tokenizer
 * has; else eos_token of tokenizer_config.json. PS_ARGUMENT when there is none. */
enum ps_status ps_train_end_token(const struct ps_train_start *start, int32_t *token,
                                  struct ps_error *error);

/* Puts what the student was trained with beside the weights in a model folder: the tokenizer's
 * files, its template as chat_template.jinja and in tokenizer_config.json, and its end token as the
 * first of generation_config.json. */
enum ps_status ps_train_start_copy(const struct ps_train_start *start, const char *folder,
                                   struct ps_error *error);

/* Gives the model in folder `to` the weights of that in `from`. */
enum ps_status ps_train_copy_weights(const char *from, const char *to, struct ps_error *error);
