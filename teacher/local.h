#pragma once
/* A local model, opened for inference: its files, its tokenizer, and the engine that runs it.
 * Sampling, ask, evaluate and bench all open theirs here. */

#include "base/memory.h"
#include "generate/generate.h"
#include "text/text.h"

/* What a model computes in. AUTO is F32 for weights in F32, else BF16. */
enum ps_local_precision { PS_LOCAL_AUTO, PS_LOCAL_F32, PS_LOCAL_BF16 };

struct ps_local {
    char *folder; /* absolute */
    struct ps_model_files *files;
    const struct ps_model_config *config; /* of files */
    struct ps_tokenizer *tokenizer;
    enum ps_weight_format format;
    struct ps_compute *compute; /* these two after ps_local_start */
    struct ps_generator *generator;
};

/* Opens config, weights and tokenizer of a Hugging Face folder without loading any weights. Checks
 * that the tokenizer's ids fit the model's vocabulary and that an end token is known: PS_FORMAT.
 * On failure nothing is kept; else ps_local_close gives everything back. */
enum ps_status ps_local_open(struct ps_local *local, const char *folder,
                             enum ps_local_precision precision, struct ps_error *error);
void ps_local_close(struct ps_local *local); /* one that is all zero is fine */

struct ps_local_options {
    const char *backend; /* NULL: the best one */
    int threads;         /* 0: one for each core */
    int64_t sequences;   /* most at one time; 0: 64 */
    int64_t rows;        /* most tokens of a forward pass; 0: 256, or as many as sequences */
    int64_t positions;   /* longest prompt and reply together; 0, or more than the model has: its
                            most */
    int64_t cache_bytes; /* for KV pages; 0: what is needed, at most a quarter of the memory */
};

/* Loads the weights and starts the engine. */
enum ps_status ps_local_start(struct ps_local *local, const struct ps_local_options *options,
                              struct ps_error *error);

/* Appends a store's source (store.h): {"weights", "tokenizer", "template"} as hashes, the template
 * that of the model's folder, "special_tokens", "precision" and "end_ids". Reads no more than it
 * must: hashes of large files are remembered, the tokenizer is not opened, so that a plan is quick.
 * The weights' hash covers config.json and every
 * *.safetensors, whatever the folder is called. */
enum ps_status ps_local_source(const char *folder, enum ps_local_precision precision,
                               struct ps_buffer *json, struct ps_error *error);

/* Appends a store's provenance: {"engine", "version", "backend", "kernels", "threads", "thinking",
 * "model", "machine"}; model is the folder. thought: how the prompts end, which says how reasoning
 * was told from content. */
enum ps_status ps_local_provenance(const struct ps_local *local, enum ps_thought thought,
                                   struct ps_buffer *json, struct ps_error *error);
