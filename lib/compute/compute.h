#pragma once
/* The contract of a compute backend.
 *
 * struct ps_compute is a set of tables of functions, one table a concern. Backends fulfil it:
 * reference/ (slow plain C that reads like the formulas), cpu/ (the same bits, fast), cuda/.
 * An operation that a backend has not got is the reference's; ps_compute_fallbacks() lists them.
 *
 * Rules for all operations
 *  - They enqueue on a stream, run in order, allocate nothing and tell the host nothing: an error
 *    is kept in the stream and comes out of memory->synchronize().
 *  - All matrices, vectors and index arrays are device memory of this backend, except where "host"
 *    is said. Shapes are the caller's duty and are asserted, never reported.
 *  - Scratch memory belongs to the stream and is sized once from struct ps_compute_limits.
 *  - "activation" means a matrix of the model's compute type: PS_DTYPE_F32 or PS_DTYPE_BF16.
 *  - "accumulates" means that the result is added to what is there.
 *
 * Arithmetic is in float; a result is rounded once, when it is stored. docs/numerics.md fixes the
 * order of every sum, so that the bits of a row depend on that row alone and are the same in every
 * backend on a CPU, for any number of threads.
 *
 * Letters in shapes: T rows (tokens), C columns (hidden size), V vocabulary, H query heads, G
 * key/value heads, D head size, E experts, K experts per token.
 */

#include "base/status.h"
#include "tensor/tensor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ps_compute;
struct ps_stream;
struct ps_weight;

/* A view of a row-major matrix; element (r, c) lies at data + (r * stride + c) * size(type). */
struct ps_matrix {
    void *data;
    enum ps_dtype dtype;
    int64_t rows, columns, stride;
};

static inline struct ps_matrix ps_matrix(void *data, enum ps_dtype dtype, int64_t rows,
                                         int64_t columns) {
    return (struct ps_matrix){data, dtype, rows, columns, columns};
}

/* Columns [first, first + count) of a matrix, and rows likewise; data may be NULL, and stays so. */
static inline struct ps_matrix ps_matrix_columns(struct ps_matrix matrix, int64_t first,
                                                 int64_t count) {
    if (matrix.data)
        matrix.data = (char *)matrix.data + (size_t)first * ps_dtype_size(matrix.dtype);
    matrix.columns = count;
    return matrix;
}

static inline struct ps_matrix ps_matrix_rows(struct ps_matrix matrix, int64_t first,
                                              int64_t count) {
    if (matrix.data)
        matrix.data =
            (char *)matrix.data + (size_t)(first * matrix.stride) * ps_dtype_size(matrix.dtype);
    matrix.rows = count;
    return matrix;
}

/* ---- memory and streams ------------------------------------------------------------------- */

/* The largest of everything that operations on one stream will be called with. */
struct ps_compute_limits {
    int64_t rows;       /* T of any operation; for experts T * K */
    int64_t columns;    /* the widest input or output of a linear layer, without the head */
    int64_t vocabulary; /* V of head and sampling, 0 if neither is used */
    int64_t head_rows;  /* T of head and sampling operations */
    int64_t heads, key_value_heads, head_size;
    int64_t positions; /* the longest sequence of attention */
    int64_t experts;
    bool training; /* backward operations will be called */
};

struct ps_memory_operations {
    /* Device memory, 64-byte aligned, not initialised; NULL when there is none left. */
    void *(*allocate)(struct ps_compute *compute, size_t size);
    void (*release)(struct ps_compute *compute, void *memory);

    enum ps_status (*stream_create)(struct ps_compute *compute,
                                    const struct ps_compute_limits *limits,
                                    struct ps_stream **stream, struct ps_error *error);
    void (*stream_release)(struct ps_stream *stream);
    /* Waits for everything enqueued; returns the first error since the last call. */
    enum ps_status (*synchronize)(struct ps_stream *stream, struct ps_error *error);

    void (*upload)(struct ps_stream *stream, void *device, const void *host, size_t size);
    void (*download)(struct ps_stream *stream, void *host, const void *device, size_t size);
    void (*copy)(struct ps_stream *stream, void *to, const void *from, size_t size);
    void (*zero)(struct ps_stream *stream, void *device, size_t size);
};

/* ---- linear layers ------------------------------------------------------------------------ */

/* How a backend keeps a weight. A model in PS_WEIGHT_F32 has PS_DTYPE_F32 activations, the others
 * have PS_DTYPE_BF16 ones. PS_WEIGHT_FP8 is E4M3 in blocks of 128 x 128 with one float scale each;
 * its activations are quantised in tiles of 1 x 128 (DeepSeek-V3, arXiv 2412.19437, section 3.3).
 */
enum ps_weight_format { PS_WEIGHT_F32, PS_WEIGHT_BF16, PS_WEIGHT_FP8 };

enum ps_weight_use {
    PS_USE_FORWARD = 1,
    PS_USE_INPUT_GRADIENT = 2, /* a second, transposed copy on some backends */
};

struct ps_weight_description {
    int64_t outputs, inputs;
    enum ps_weight_format format;
    unsigned uses; /* enum ps_weight_use */
};

/* y = x W^T + b, W [outputs, inputs] row-major. Weights are opaque: a backend keeps its own layout.
 */
struct ps_linear_operations {
    enum ps_status (*create)(struct ps_compute *compute,
                             const struct ps_weight_description *description,
                             struct ps_weight **weight, struct ps_error *error);
    void (*release)(struct ps_weight *weight);
    size_t (*bytes)(const struct ps_weight *weight); /* device memory it occupies */

    /* Rows [first_row, first_row + values.rows) from host memory in a checkpoint's type (f32, f16,
     * bf16, or f8_e4m3 with scales: float [ceil(rows/128), ceil(inputs/128)], host). first_row is a
     * multiple of 128 for FP8. Several tensors stacked (q, k, v; gate, up) make one weight. */
    void (*load)(struct ps_stream *stream, struct ps_weight *weight, int64_t first_row,
                 struct ps_matrix values, const float *scales);
    /* As load, where the caller keeps `values` unchanged as long as the weight lives, so that a
     * backend may use them in place; the whole weight at once. */
    void (*map)(struct ps_stream *stream, struct ps_weight *weight, struct ps_matrix values,
                const float *scales);
    /* The whole weight from float master weights in device memory, rounded to its format. */
    void (*update)(struct ps_stream *stream, struct ps_weight *weight, const float *master);
    /* Frees its device memory; load, map or update bring it back. */
    void (*evict)(struct ps_stream *stream, struct ps_weight *weight);

    /* y [T, outputs] (activation or PS_DTYPE_F32) from x [T, inputs] (activation); bias [outputs]
     * float or NULL. */
    void (*forward)(struct ps_stream *stream, const struct ps_weight *weight, struct ps_matrix x,
                    const float *bias, struct ps_matrix y);
    /* dx [T, inputs] = dy W; with accumulate, added to dx before it is rounded. */
    void (*input_gradient)(struct ps_stream *stream, const struct ps_weight *weight,
                           struct ps_matrix dy, struct ps_matrix dx, bool accumulate);
    /* dw [outputs, inputs] float accumulates dy^T x; db [outputs] float accumulates the column sums
     * of dy, or NULL. The format says how operands are rounded before they meet. */
    void (*weight_gradient)(struct ps_stream *stream, enum ps_weight_format format,
                            struct ps_matrix dy, struct ps_matrix x, float *dw, float *db);

    /* The same for E experts on rows sorted by expert: rows offsets[e] .. offsets[e+1]-1 of x and y
     * belong to expert e (offsets: int32 [E + 1], device). weights and dw are host arrays of E. */
    void (*grouped_forward)(struct ps_stream *stream, struct ps_weight *const *weights,
                            int64_t experts, const int32_t *offsets, struct ps_matrix x,
                            struct ps_matrix y);
    void (*grouped_input_gradient)(struct ps_stream *stream, struct ps_weight *const *weights,
                                   int64_t experts, const int32_t *offsets, struct ps_matrix dy,
                                   struct ps_matrix dx);
    void (*grouped_weight_gradient)(struct ps_stream *stream, enum ps_weight_format format,
                                    int64_t experts, const int32_t *offsets, struct ps_matrix dy,
                                    struct ps_matrix x, float *const *dw);
};

/* ---- attention ---------------------------------------------------------------------------- */

enum { PS_PAGE_POSITIONS = 128 }; /* positions of a KV page, and of a block of the softmax */

struct ps_attention_shape {
    int64_t heads, key_value_heads; /* head h uses key/value head h / (heads / key_value_heads) */
    int64_t key_size, value_size;   /* columns of a key and of a value */
    float scale;                    /* of the scores */
    int64_t window;                 /* the last `window` positions are seen, own included; 0: all */
    /* MLA in its absorbed form: one key/value head, a key is [c_kv | k_rope] and the value is its
     * first value_size columns, so that values are not kept (DeepSeek-V2, arXiv 2405.04434). */
    bool value_in_key;
    enum ps_dtype cache; /* F32, BF16, or F8_E4M3 with a scale for each token and head */
};

/* A ragged batch for attention over a paged cache. Sequence s owns rows first_row[s] ..
 * first_row[s+1]-1 of the batch; its row i stands at position first_position[s] + i and sees
 * positions 0 .. its own. pages[s * pages_stride + p] is the page of positions 128 p ... */
struct ps_paged_batch {
    int64_t sequences, pages_stride;
    const int32_t *first_row;      /* [sequences + 1] */
    const int32_t *first_position; /* [sequences] */
    const int32_t *pages;          /* [sequences, pages_stride] */
};

struct ps_attention_operations {
    /* Bytes of a page of one layer: 128 positions of keys and values in the backend's layout. */
    size_t (*page_bytes)(const struct ps_compute *compute, const struct ps_attention_shape *shape);
    /* Writes k [T, G * key_size] and v [T, G * value_size] (ignored with value_in_key) of the
     * batch's rows into their pages; `cache` is the layer's pages, one after the other. */
    void (*append)(struct ps_stream *stream, const struct ps_attention_shape *shape,
                   const struct ps_paged_batch *batch, struct ps_matrix k, struct ps_matrix v,
                   void *cache);
    /* out [T, H * value_size] from q [T, H * key_size]; the batch's own rows are appended before.
     */
    void (*paged)(struct ps_stream *stream, const struct ps_attention_shape *shape,
                  const struct ps_paged_batch *batch, struct ps_matrix q, const void *cache,
                  struct ps_matrix out);

    /* Training: sequences packed one after the other, causal within each. starts: int32
     * [sequences + 1], device. log_sum [T, H] float is for the backward. The bits of `out` are
     * those of `paged`. */
    void (*packed_forward)(struct ps_stream *stream, const struct ps_attention_shape *shape,
                           int64_t sequences, const int32_t *starts, struct ps_matrix q,
                           struct ps_matrix k, struct ps_matrix v, struct ps_matrix out,
                           float *log_sum);
    void (*packed_backward)(struct ps_stream *stream, const struct ps_attention_shape *shape,
                            int64_t sequences, const int32_t *starts, struct ps_matrix q,
                            struct ps_matrix k, struct ps_matrix v, struct ps_matrix out,
                            const float *log_sum, struct ps_matrix dout, struct ps_matrix dq,
                            struct ps_matrix dk, struct ps_matrix dv);
};

/* ---- rows --------------------------------------------------------------------------------- */

enum ps_rope_layout {
    PS_ROPE_HALVES,     /* column i turns with column i + rotary/2 */
    PS_ROPE_INTERLEAVED /* column 2i turns with column 2i + 1 */
};

struct ps_rope {
    enum ps_rope_layout layout;
    int64_t heads, head_size, first, rotary; /* columns [first, first + rotary) of each head turn */
    const float *cosines, *sines;            /* [positions, rotary / 2] */
};

struct ps_row_operations {
    /* out [T, C] = table [V, C] rows at tokens [T]; both activations. */
    void (*embedding)(struct ps_stream *stream, struct ps_matrix table, const int32_t *tokens,
                      struct ps_matrix out);
    /* dtable [V, C] float accumulates the rows of dout, ascending in T. */
    void (*embedding_backward)(struct ps_stream *stream, const int32_t *tokens,
                               struct ps_matrix dout, float *dtable, int64_t vocabulary);

    /* sum = x + delta (delta.data NULL: sum is x itself and is not written); y = w * sum /
     * sqrt(mean(sum^2) + epsilon), each of `groups` equal column groups by itself with the same
     * w [C / groups]. The mean is taken of the rounded sum. inverse [T, groups] float keeps
     * 1 / sqrt(..) for the backward, or NULL. y may be sum or x itself (in place). */
    void (*rms_norm)(struct ps_stream *stream, struct ps_matrix x, struct ps_matrix delta,
                     struct ps_matrix sum, const float *weight, float epsilon, int64_t groups,
                     struct ps_matrix y, float *inverse);
    /* From x (the normalised input, `sum` above), inverse and dy: dx = gradient, plus `residual`
     * (the gradient that reaches x by another way) unless residual.data is NULL; dx may be dy or
     * residual itself. dweight [C / groups] float accumulates. */
    void (*rms_norm_backward)(struct ps_stream *stream, struct ps_matrix x, const float *inverse,
                              const float *weight, int64_t groups, struct ps_matrix dy,
                              struct ps_matrix residual, struct ps_matrix dx, float *dweight);

    /* Turns x [T, heads * head_size] in place by the angles of positions [T]; backward turns back.
     */
    void (*rope)(struct ps_stream *stream, const struct ps_rope *rope, const int32_t *positions,
                 struct ps_matrix x, bool backward);

    /* y [T, I] = silu(gate) * up, where gate_up [T, 2 I] holds gate, then up. */
    void (*swiglu)(struct ps_stream *stream, struct ps_matrix gate_up, struct ps_matrix y);
    void (*swiglu_backward)(struct ps_stream *stream, struct ps_matrix gate_up, struct ps_matrix dy,
                            struct ps_matrix dgate_up);

    /* out = a + b, element by element; out may be a or b. */
    void (*add)(struct ps_stream *stream, struct ps_matrix a, struct ps_matrix b,
                struct ps_matrix out);
    /* to = from, rounded to its type. */
    void (*convert)(struct ps_stream *stream, struct ps_matrix from, struct ps_matrix to);
    /* to row i = from row rows[i] (int32 [to.rows]); and the same backwards: to row rows[i] = from
     * row i, where rows has no index twice. */
    void (*gather)(struct ps_stream *stream, struct ps_matrix from, const int32_t *rows,
                   struct ps_matrix to);
    void (*scatter)(struct ps_stream *stream, struct ps_matrix from, const int32_t *rows,
                    struct ps_matrix to);
};

/* ---- experts ------------------------------------------------------------------------------ */

enum ps_router_score {
    PS_ROUTER_SOFTMAX, /* over all experts */
    PS_ROUTER_SIGMOID
};

struct ps_router {
    int64_t experts, per_token;
    enum ps_router_score score;
    const float *bias; /* [E], added for the selection only, or NULL */
    /* 1, 1: no groups. Else the best groups are chosen first: by the sum of their two best scores,
     * or by their best one. */
    int64_t groups, groups_kept;
    bool group_by_top2;
    bool normalise; /* chosen scores are divided by their sum + epsilon */
    float epsilon;
    float scale; /* of the weights, at the end */
};

struct ps_expert_operations {
    /* logits [T, E] float -> scores [T, E] float (softmax or sigmoid, for the backward; may be
     * NULL), ids [T, K] int32 in descending order of selection score (ties: the lower id), weights
     * [T, K] float. */
    void (*route)(struct ps_stream *stream, const struct ps_router *router, struct ps_matrix logits,
                  float *scores, int32_t *ids, float *weights);
    /* dlogits [T, E] float from dweights [T, K] and load [E]: load is what each expert's score adds
     * to the loss per unit and token, the gradient of the load-balancing loss (Switch Transformer,
     * arXiv 2101.03961, section 2.2), or NULL. */
    void (*route_backward)(struct ps_stream *stream, const struct ps_router *router,
                           const float *scores, const int32_t *ids, const float *weights,
                           const float *dweights, const float *load, struct ps_matrix dlogits);
    /* Column sums of scores [T, E] and counts of ids [T, K], both accumulating into float [E]. */
    void (*load)(struct ps_stream *stream, int64_t rows, int64_t experts, int64_t per_token,
                 const float *scores, const int32_t *ids, float *score_sums, float *counts);

    /* The order by expert: slot i of the sorted rows is assignment order[i] = t * K + rank, place
     * is its inverse, offsets [E + 1] where each expert begins; within an expert by t. */
    void (*group)(struct ps_stream *stream, int64_t rows, int64_t experts, int64_t per_token,
                  const int32_t *ids, int32_t *offsets, int32_t *order, int32_t *place);
    /* sorted [T * K, C]: row i = x row order[i] / K. */
    void (*dispatch)(struct ps_stream *stream, struct ps_matrix x, int64_t per_token,
                     const int32_t *order, struct ps_matrix sorted);
    /* dx [T, C] = sum over ranks, ascending, of dsorted row place[t * K + rank]; accumulate as in
     * input_gradient. */
    void (*dispatch_backward)(struct ps_stream *stream, struct ps_matrix dsorted, int64_t per_token,
                              const int32_t *place, struct ps_matrix dx, bool accumulate);
    /* y [T, C] = sum over ranks, ascending, of weights[t, rank] * sorted row place[t * K + rank].
     */
    void (*combine)(struct ps_stream *stream, struct ps_matrix sorted, int64_t per_token,
                    const int32_t *place, const float *weights, struct ps_matrix y);
    void (*combine_backward)(struct ps_stream *stream, struct ps_matrix sorted, int64_t per_token,
                             const int32_t *place, const float *weights, struct ps_matrix dy,
                             struct ps_matrix dsorted, float *dweights);
};

/* ---- head and loss ------------------------------------------------------------------------ */

/* What the loss of a row is made of: cross_entropy * -log p(target) + divergence * KL(q || p),
 * where q is the teacher's distribution over its k best tokens, renormalised, and p the student's
 * over the whole vocabulary, both at `temperature`; the divergence is multiplied by temperature^2
 * (Hinton et al., arXiv 1503.02531, section 2). Rows' losses are multiplied by scale. */
struct ps_loss {
    float cross_entropy, divergence, temperature;
    float scale;                            /* 1 / valid tokens of the global batch */
    const int32_t *targets;                 /* [T] */
    int64_t k;                              /* 0: no divergence */
    const int32_t *teacher_ids;             /* [T, k]; an id < 0 is absent, a row may have none */
    const float *teacher_log_probabilities; /* [T, k] */
};

struct ps_head_operations {
    /* losses [T] float (before scale); and unless dx.data is NULL, the gradients of scale * sum of
     * losses: dx [T, C] is written, dw [V, C] float accumulates. [T, V] is never stored whole: the
     * work goes over chunks of rows. x rows are the ones that have a target. */
    void (*loss)(struct ps_stream *stream, const struct ps_weight *head, struct ps_matrix x,
                 const struct ps_loss *loss, float *losses, struct ps_matrix dx, float *dw);
};

/* ---- sampling ----------------------------------------------------------------------------- */

/* One row's sampler. temperature 0 is greedy (ties: the lower id). top_k 0, top_p 1, min_p 0 are
 * off. The uniform number is ps_random_uniform(key, counter). */
struct ps_sampler {
    float temperature, top_p, min_p;
    int32_t top_k;
    uint64_t key, counter;
};

struct ps_sampling_operations {
    /* tokens [T] and their log-probabilities [T]: log softmax of the raw logits, before
     * temperature and truncation. logits [T, V] float; columns >= valid_vocabulary (padding of the
     * matrix) are never chosen and have probability 0. samplers: host array of T. */
    void (*sample)(struct ps_stream *stream, struct ps_matrix logits, int64_t valid_vocabulary,
                   const struct ps_sampler *samplers, int32_t *tokens, float *log_probabilities);
    /* log softmax of each row at targets [T]. */
    void (*log_probabilities)(struct ps_stream *stream, struct ps_matrix logits,
                              int64_t valid_vocabulary, const int32_t *targets, float *out);
    /* The k largest of each row in descending order (ties: the lower id) as log-probabilities;
     * ids and out [T, k]. */
    void (*top_k)(struct ps_stream *stream, struct ps_matrix logits, int64_t valid_vocabulary,
                  int64_t k, int32_t *ids, float *out);
};

/* ---- optimizer ---------------------------------------------------------------------------- */

/* Decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2), bias-corrected as
 * PyTorch does: w -= lr * (weight_decay * w + m^ / (sqrt(v^) + epsilon)). */
struct ps_adamw {
    float learning_rate, beta1, beta2, epsilon, weight_decay;
    float gradient_scale;  /* gradients are multiplied by it first: clipping */
    int64_t step;          /* from 1 */
    enum ps_dtype moments; /* PS_DTYPE_F32 or PS_DTYPE_BF16 (rounded to nearest even) */
};

struct ps_optimizer_operations {
    /* n parameters: master and gradient float; m and v in config->moments. */
    void (*adamw)(struct ps_stream *stream, const struct ps_adamw *config, int64_t n, float *master,
                  const float *gradient, void *m, void *v);
    /* *sum (double, device) = the sum of squares, in chunks of 65,536 added in ascending order. */
    void (*square_sum)(struct ps_stream *stream, int64_t n, const float *values, double *sum);
};

/* ---- FP8 ---------------------------------------------------------------------------------- */

/* docs/numerics.md, "FP8": E4M3, scales are powers of two from the largest magnitude's exponent; x
 * is rounded to BF16 first. Non-finite inputs are counted into *bad (int64, device), and coded 0.
 */
struct ps_quantise_operations {
    /* Tiles of 1 x 128: codes [T, C] bytes, scales [T, ceil(C / 128)] float. */
    void (*rows)(struct ps_stream *stream, struct ps_matrix x, uint8_t *codes, float *scales,
                 int64_t *bad);
    /* Tiles of 128 x 128: scales [ceil(T / 128), ceil(C / 128)]. */
    void (*blocks)(struct ps_stream *stream, struct ps_matrix x, uint8_t *codes, float *scales,
                   int64_t *bad);
    /* Both directions in one pass over x: as `rows`, and along tokens: codes_t [C, T], tiles of
     * 128 tokens, scales_t [C, ceil(T / 128)]. */
    void (*rows_and_columns)(struct ps_stream *stream, struct ps_matrix x, uint8_t *codes,
                             float *scales, uint8_t *codes_t, float *scales_t, int64_t *bad);
};

/* ---- a backend ---------------------------------------------------------------------------- */

struct ps_compute {
    const char *name;    /* "cpu", "reference", "cuda" */
    const char *kernels; /* what runs: "avx512bf16", "avx512", "avx2", "plain", "amx" ... */
    int threads;
    struct ps_memory_operations memory;
    struct ps_linear_operations linear;
    struct ps_attention_operations attention;
    struct ps_row_operations rows;
    struct ps_expert_operations experts;
    struct ps_head_operations head;
    struct ps_sampling_operations sampling;
    struct ps_optimizer_operations optimizer;
    struct ps_quantise_operations quantise;
    void (*close)(struct ps_compute *compute);
};

/* Opens a backend by name; NULL is the best one here. threads 0: one for each core that this
 * process may run on. $POTSTILL_CPU forces a kernel family of the cpu backend. */
enum ps_status ps_compute_open(const char *name, int threads, struct ps_compute **compute,
                               struct ps_error *error);
void ps_compute_close(struct ps_compute *compute);

/* Names of the operations that this backend leaves to the reference, one call of `name` each. */
void ps_compute_fallbacks(const struct ps_compute *compute,
                          void (*name)(void *context, const char *operation), void *context);
