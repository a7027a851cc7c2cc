#pragma once
/* A language model: its description, its parameters, its forward pass, its KV cache.
 *
 * Teacher and student run this code. A family (Qwen3, ...) is only a translation of config.json
 * and of tensor names into what stands here; nothing else asks which family a model is of.
 *
 * Letters in shapes: T rows (tokens), C hidden size, H query heads, G key/value heads, D head
 * size, I intermediate size, E experts, K experts per token, V vocabulary. */

#include "base/status.h"
#include "compute/compute.h"
#include "tensor/tensor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- description -------------------------------------------------------------------------- */

enum ps_rope_scaling {
    PS_ROPE_SCALING_NONE,
    PS_ROPE_SCALING_LINEAR,
    PS_ROPE_SCALING_LLAMA3,
    PS_ROPE_SCALING_YARN
};

struct ps_rope_config {
    enum ps_rope_layout layout;
    enum ps_rope_scaling scaling;
    int64_t rotary; /* columns of a head that turn, even */
    double theta, factor;
    double original_positions;      /* llama3, yarn */
    double low_factor, high_factor; /* llama3 */
    double beta_fast, beta_slow;    /* yarn */
    double attention_factor;        /* multiplies cosines and sines; 1 unless yarn */
    bool truncate;                  /* yarn: whole numbers for the ends of its ramp */
};

struct ps_model_config {
    const char *model_type;   /* "qwen3" */
    const char *architecture; /* "Qwen3ForCausalLM" */
    int64_t hidden_size, layers, vocabulary, max_positions;
    int64_t heads, key_value_heads, head_size;
    int64_t intermediate_size; /* of dense layers */
    int64_t window;            /* sliding-window attention; 0: none */
    double norm_epsilon, initializer_range;
    struct ps_rope_config rope;
    bool tie_embeddings;
    bool qk_norm; /* RMSNorm of each head's query and key before RoPE */
    bool qkv_bias, output_bias;
    enum ps_dtype dtype; /* the file's */

    /* Mixture of experts; experts 0: a dense model. */
    int64_t experts, experts_per_token, expert_intermediate_size;
    const bool *layer_has_experts; /* [layers] */
    enum ps_router_score router_score;
    bool normalise_weights; /* chosen scores divided by their sum + router_epsilon */
    float router_epsilon, router_scale;
    double load_balance_coefficient; /* router_aux_loss_coef */

    /* Multi-head latent attention (DeepSeek-V2); all 0: grouped-query attention as above. */
    int64_t query_rank, key_value_rank, nope_size, rope_size, value_size;

    const int64_t *end_ids; /* [end_count]: generation_config.json's, else config.json's */
    size_t end_count;
    int64_t begin_id; /* -1: none */
};

/* Reads FOLDER/config.json and, when there, FOLDER/generation_config.json; or a config.json alone
 * when `path` is a file. PS_UNSUPPORTED names an unknown architecture and those known. */
enum ps_status ps_model_config_open(struct ps_model_config **config, const char *path,
                                    struct ps_error *error);
void ps_model_config_close(struct ps_model_config *config); /* NULL is fine */

/* Writes config.json and generation_config.json as they were read, every key kept, with the
 * weights' type changed to `dtype` and the architecture named if it was not. */
enum ps_status ps_model_config_write(const struct ps_model_config *config, const char *folder,
                                     enum ps_dtype dtype, struct ps_error *error);

/* Cosines and sines [positions, rotary / 2] of all positions from 0. */
void ps_rope_tables(const struct ps_rope_config *rope, int64_t positions, float *cosines,
                    float *sines);
/* Of each column pair, the angle of one position: [rotary / 2], before it is rounded to float. */
void ps_rope_frequencies(const struct ps_rope_config *rope, double *frequencies);

/* ---- parameters --------------------------------------------------------------------------- */

/* X(role, one for each: model, layer or expert) */
#define PS_PARAMETER_ROLE_MAP(X)                                                                   \
    X(EMBEDDING)   /* [V, C] */                                                                    \
    X(INPUT_NORM)  /* [C] */                                                                       \
    X(QUERY)       /* [H D, C]; query, key and value lie one behind the other, */                  \
    X(KEY)         /* [G D, C]  so that they are one matrix */                                     \
    X(VALUE)       /* [G D, C] */                                                                  \
    X(QUERY_BIAS)  /* [H D]; likewise */                                                           \
    X(KEY_BIAS)    /* [G D] */                                                                     \
    X(VALUE_BIAS)  /* [G D] */                                                                     \
    X(QUERY_NORM)  /* [D] */                                                                       \
    X(KEY_NORM)    /* [D] */                                                                       \
    X(OUTPUT)      /* [C, H D] */                                                                  \
    X(OUTPUT_BIAS) /* [C] */                                                                       \
    X(POST_NORM)   /* [C] */                                                                       \
    X(GATE)        /* [I, C]; gate and up lie one behind the other */                              \
    X(UP)          /* [I, C] */                                                                    \
    X(DOWN)        /* [C, I] */                                                                    \
    X(ROUTER)      /* [E, C] */                                                                    \
    X(EXPERT_GATE) /* [I of experts, C]; gate and up lie one behind the other */                   \
    X(EXPERT_UP)                                                                                   \
    X(EXPERT_DOWN) /* [C, I of experts] */                                                         \
    X(FINAL_NORM)  /* [C] */                                                                       \
    X(HEAD)        /* [V, C]; absent when tied to the embedding */

enum ps_parameter_role {
#define X(name) PS_PARAMETER_##name,
    PS_PARAMETER_ROLE_MAP(X)
#undef X
        PS_PARAMETER_ROLE_COUNT
};
const char *ps_parameter_role_name(enum ps_parameter_role role); /* "EMBEDDING" */

struct ps_parameter {
    enum ps_parameter_role role;
    int64_t layer, expert; /* -1: not of a layer, not of an expert */
    const char *name;      /* in the checkpoint */
    struct ps_shape shape;
    uint64_t offset, count; /* elements, in the flat vector of all parameters */
};

/* Every parameter once, in the one order that initialisation, loading, saving, gradients and the
 * optimizer use: embedding; layer by layer the roles in the order above, experts ascending; final
 * norm; head. There are no gaps in the flat vector. */
struct ps_parameters {
    struct ps_parameter *items;
    size_t count;
    uint64_t total;  /* elements of the flat vector */
    uint64_t active; /* elements a token meets: E experts count as K; a tied embedding once */
};

enum ps_status ps_parameters_create(struct ps_parameters **parameters,
                                    const struct ps_model_config *config, struct ps_error *error);
void ps_parameters_release(struct ps_parameters *parameters); /* NULL is fine */
/* NULL: the model has none. layer and expert are -1 where the role has none. */
const struct ps_parameter *ps_parameters_find(const struct ps_parameters *parameters,
                                              enum ps_parameter_role role, int64_t layer,
                                              int64_t expert);

/* Elements [first, first + count) of a parameter's random start: norms 1, biases 0, else normal
 * with initializer_range, projections onto the residual stream (OUTPUT, DOWN, EXPERT_DOWN) divided
 * by sqrt(2 layers). Element i is drawn by Philox with key (seed, name) and counter i, so that
 * neither threads nor pieces change it. */
void ps_parameter_initialise(const struct ps_model_config *config,
                             const struct ps_parameter *parameter, uint64_t seed, uint64_t first,
                             uint64_t count, float *values);

/* ---- weights in files --------------------------------------------------------------------- */

/* A folder's config.json and weights, with every parameter found and its shape checked; all
 * missing or misshapen tensors are PS_FORMAT. */
struct ps_model_files;
enum ps_status ps_model_files_open(struct ps_model_files **files, const char *folder,
                                   struct ps_error *error);
void ps_model_files_close(struct ps_model_files *files); /* NULL is fine */
const struct ps_model_config *ps_model_files_config(const struct ps_model_files *files);
const struct ps_parameters *ps_model_files_parameters(const struct ps_model_files *files);
/* The bytes of a parameter (an index of ps_parameters.items) in *dtype, not aligned. */
const void *ps_model_files_data(const struct ps_model_files *files, size_t index,
                                enum ps_dtype *dtype);
/* All parameters as the flat vector, values [parameters.total] in host memory. PS_STOPPED when
 * asked to stop (base/stop.h). */
enum ps_status ps_model_files_read(const struct ps_model_files *files, float *values,
                                   struct ps_error *error);

/* Hands over elements [first, first + count) of a parameter. */
typedef enum ps_status ps_parameter_source(void *context, const struct ps_parameter *parameter,
                                           uint64_t first, uint64_t count, float *values,
                                           struct ps_error *error);
/* Writes FOLDER/config.json, generation_config.json and model.safetensors in PS_DTYPE_F32 or
 * PS_DTYPE_BF16, making the folder if need be; each file appears whole or not at all, the weights
 * last. */
enum ps_status ps_model_write(const char *folder, const struct ps_model_config *config,
                              const struct ps_parameters *parameters, enum ps_dtype dtype,
                              ps_parameter_source *source, void *context, struct ps_error *error);
/* The same from the flat vector in host memory. */
enum ps_status ps_model_write_values(const char *folder, const struct ps_model_config *config,
                                     const struct ps_parameters *parameters, enum ps_dtype dtype,
                                     const float *values, struct ps_error *error);
/* The same with random weights. PS_STOPPED when asked to stop. */
enum ps_status ps_model_write_random(const char *folder, const struct ps_model_config *config,
                                     const struct ps_parameters *parameters, enum ps_dtype dtype,
                                     uint64_t seed, struct ps_error *error);
