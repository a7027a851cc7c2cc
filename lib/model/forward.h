#pragma once
/* Weights in a backend, and the one forward pass.
 *
 * A block writes everything it computes into struct ps_layer_activations. In inference all layers
 * share one of these; in training each layer has its own, which is what the backward reads
 * (student/backward.c). So the two run the same code. Attention is the only difference: paged for
 * inference, packed for training, with the same bits.
 *
 * Shapes as in compute.h: T rows, C hidden size, H heads, G key/value heads, D head size, I
 * intermediate size, E experts, K experts per token. "act" is the model's compute type,
 * PS_DTYPE_F32 or PS_DTYPE_BF16. All pointers below are device memory. */

#include "base/memory.h"
#include "compute/compute.h"
#include "model/model.h"

/* ---- weights ---- */

struct ps_layer_weights {
    float *attention_norm, *ffn_norm; /* [C], values rounded to act */
    float *q_norm, *k_norm;           /* [D], or NULL */
    struct ps_weight *qkv, *output;   /* q, k, v stacked: [(H + 2 G) D, C]; [C, H D] */
    float *qkv_bias, *output_bias;    /* [(H + 2 G) D], [C], or NULL */
    struct ps_weight *gate_up, *down; /* dense: [2 I, C], [C, I]; else NULL */
    struct ps_weight *router;         /* [E, C], or NULL in a dense layer */
    struct ps_weight **expert_gate_up, **expert_down; /* host arrays [E] */
};

struct ps_model {
    struct ps_compute *compute;
    const struct ps_model_config *config; /* the caller's, outlives the model */
    struct ps_parameters *parameters;
    enum ps_dtype act;
    struct ps_matrix embedding; /* [V, C] act */
    struct ps_layer_weights *layers;
    float *final_norm;      /* [C] */
    struct ps_weight *head; /* [V, C]; a copy of the embedding when they are tied */
    float *cosines, *sines; /* [positions, rotary / 2] */
    int64_t positions;
    struct ps_arena arena; /* host side */
    void **device;         /* every allocation but the handles, for ps_model_close */
    size_t device_count;
    struct ps_matrix rounding; /* act, scratch of ps_model_update: the longest vector */
};

struct ps_model_options {
    enum ps_weight_format format; /* PS_WEIGHT_F32 or PS_WEIGHT_BF16 */
    bool training;                /* input gradients will be asked for */
    int64_t positions;            /* the longest sequence */
};

/* Limits for a stream that runs this model on `rows` rows of sequences of up to `positions` tokens,
 * head_rows of them through the head. */
struct ps_compute_limits ps_model_limits(const struct ps_model_config *config, int64_t rows,
                                         int64_t head_rows, int64_t positions, bool training);

/* Handles without values; ps_model_load or ps_model_update fills them. On failure *model is NULL.
 */
enum ps_status ps_model_create(struct ps_compute *compute, struct ps_stream *stream,
                               const struct ps_model_config *config,
                               const struct ps_model_options *options, struct ps_model **model,
                               struct ps_error *error);
void ps_model_close(struct ps_model *model); /* NULL is fine */

/* All weights from a model's files, which have its shapes. PS_STOPPED when asked to stop. */
enum ps_status ps_model_load(struct ps_model *model, struct ps_stream *stream,
                             const struct ps_model_files *files, struct ps_error *error);

/* All weights from a flat vector of masters (float, device, in parameter order), rounded. */
void ps_model_update(struct ps_model *model, struct ps_stream *stream, const float *master);

/* The description in the terms of compute.h: attention, RoPE of `heads` heads, the router. */
struct ps_attention_shape ps_model_attention(const struct ps_model *model);
struct ps_rope ps_model_rope(const struct ps_model *model, int64_t heads);
struct ps_router ps_model_router(const struct ps_model_config *config);

/* ---- activations ---- */

/* Of one layer, in the order of their making. */
struct ps_layer_activations {
    struct ps_matrix input;        /* [T, C] act, the residual stream that enters */
    struct ps_matrix attention_in; /* [T, C] act, normalised */
    float *attention_inverse;      /* [T] */
    struct ps_matrix qkv;         /* [T, (H + 2 G) D] act; without q_norm turned by RoPE in place */
    struct ps_matrix q, k, v;     /* what attention sees; views of qkv where there is no norm */
    float *q_inverse, *k_inverse; /* [T, H], [T, G], with q_norm */
    struct ps_matrix attention_out; /* [T, H D] act */
    float *log_sum;                 /* [T, H], training */
    struct ps_matrix middle;        /* [T, C] act, input + output(attention_out) */
    struct ps_matrix ffn_in;        /* [T, C] act, normalised */
    float *ffn_inverse;             /* [T] */
    /* R = T in a dense layer, T K sorted by expert in a mixture. */
    struct ps_matrix gate_up;               /* [R, 2 I] act */
    struct ps_matrix hidden;                /* [R, I] act, swiglu(gate_up) */
    struct ps_matrix router_logits;         /* [T, E] float */
    float *scores, *expert_weights;         /* [T, E], [T, K] */
    int32_t *ids, *offsets, *order, *place; /* [T, K], [E + 1], [T K], [T K] */
    struct ps_matrix expert_in, expert_out; /* [T K, C] act */
};

struct ps_activations {
    struct ps_compute *compute;
    int64_t rows;                        /* the most */
    struct ps_layer_activations *layers; /* [layers]; all the same in inference */
    struct ps_matrix delta;              /* [T, C] act, scratch: what a half block adds */
    struct ps_matrix output;             /* [T, C] act, the residual stream after the last layer */
    struct ps_matrix normed;             /* [T, C] act, input of the head */
    float *inverse;                      /* [T] */
    void *memory;                        /* of all of it, device */
};

enum ps_status ps_activations_create(const struct ps_model *model, int64_t rows, bool training,
                                     struct ps_activations **activations, struct ps_error *error);
void ps_activations_release(struct ps_activations *activations); /* NULL is fine */

/* Device bytes that ps_activations_create will ask for. */
size_t ps_activations_bytes(const struct ps_model *model, int64_t rows, bool training);

/* ---- the pass ---- */

/* Both enqueue a pass that leaves `normed` of all rows. A pass takes long, so that a wish to stop
 * (base/stop.h) is looked at before each layer: PS_STOPPED, the one way to fail, leaves nothing
 * that may be read, and the same pass may be run again. tokens, positions: int32 [rows]. */

/* Inference. caches: host array of each layer's pages. */
enum ps_status ps_model_forward_paged(const struct ps_model *model, struct ps_stream *stream,
                                      struct ps_activations *activations, int64_t rows,
                                      const int32_t *tokens, const int32_t *positions,
                                      const struct ps_paged_batch *batch, void *const *caches,
                                      struct ps_error *error);

/* Training: sequences packed one after the other, starts int32 [sequences + 1]. */
enum ps_status ps_model_forward_packed(const struct ps_model *model, struct ps_stream *stream,
                                       struct ps_activations *activations, int64_t rows,
                                       const int32_t *tokens, const int32_t *positions,
                                       int64_t sequences, const int32_t *starts,
                                       struct ps_error *error);

/* logits [n, V] float of rows chosen[0 .. n-1] (int32) of `normed`; gathered is scratch [n, C] act.
 */
void ps_model_logits(const struct ps_model *model, struct ps_stream *stream,
                     const struct ps_activations *activations, const int32_t *chosen,
                     struct ps_matrix gathered, struct ps_matrix logits);
