/* The forward pass of a pre-norm decoder block (reference: "Attention Is All You Need" with the
 * norm in front; Llama, arXiv 2302.13971; experts: Mixtral, arXiv 2401.04088):
 *
 *     middle = input + output(attention(rope(norm(q)), rope(norm(k)), v))    of norm(input)
 *     next   = middle + ffn(norm(middle))
 *
 * The sum that ends a half block is taken together with the norm that begins the next one. */

#include "model/forward.h"

#include "base/stop.h"

#include <assert.h>

/* What all steps of a pass need. The attention step is the one thing that differs. */
struct pass {
    const struct ps_model *model;
    const struct ps_model_config *config;
    const struct ps_compute *compute;
    struct ps_stream *stream;
    struct ps_activations *activations;
    int64_t rows;
    const int32_t *positions;
    struct ps_attention_shape shape;
    const struct ps_paged_batch *batch; /* paged */
    void *const *caches;
    int64_t sequences; /* packed */
    const int32_t *starts;
};

static struct ps_matrix top(const struct pass *pass, struct ps_matrix matrix) {
    return ps_matrix_rows(matrix, 0, pass->rows);
}

/* The same memory as rows x columns, for what is carved without a shape. */
static struct ps_matrix shaped(struct ps_matrix memory, int64_t rows, int64_t columns) {
    return ps_matrix(memory.data, memory.dtype, rows, columns);
}

static void rope(const struct pass *pass, int64_t heads, struct ps_matrix x) {
    const struct ps_model *model = pass->model;
    struct ps_rope rope = ps_model_rope(model, heads);
    pass->compute->rows.rope(pass->stream, &rope, pass->positions, x, false);
}

static void attention(const struct pass *pass, int64_t layer, struct ps_layer_activations *a) {
    const struct ps_model_config *config = pass->config;
    const struct ps_compute *compute = pass->compute;
    const struct ps_layer_weights *weights = &pass->model->layers[layer];
    const struct ps_matrix none = {0};
    struct ps_matrix q = top(pass, a->q), k = top(pass, a->k), v = top(pass, a->v);
    struct ps_matrix out = top(pass, a->attention_out);

    compute->linear.forward(pass->stream, weights->qkv, top(pass, a->attention_in),
                            weights->qkv_bias, top(pass, a->qkv));
    if (config->qk_norm) {
        int64_t q_columns = config->heads * config->head_size;
        int64_t k_columns = config->key_value_heads * config->head_size;
        struct ps_matrix qkv = top(pass, a->qkv);
        compute->rows.rms_norm(pass->stream, ps_matrix_columns(qkv, 0, q_columns), none, none,
                               weights->q_norm, (float)config->norm_epsilon, config->heads, q,
                               a->q_inverse);
        compute->rows.rms_norm(pass->stream, ps_matrix_columns(qkv, q_columns, k_columns), none,
                               none, weights->k_norm, (float)config->norm_epsilon,
                               config->key_value_heads, k, a->k_inverse);
    }
    rope(pass, config->heads, q);
    rope(pass, config->key_value_heads, k);
    if (pass->batch) {
        compute->attention.append(pass->stream, &pass->shape, pass->batch, k, v,
                                  pass->caches[layer]);
        compute->attention.paged(pass->stream, &pass->shape, pass->batch, q, pass->caches[layer],
                                 out);
    } else {
        compute->attention.packed_forward(pass->stream, &pass->shape, pass->sequences, pass->starts,
                                          q, k, v, out, a->log_sum);
    }
    compute->linear.forward(pass->stream, weights->output, out, weights->output_bias,
                            top(pass, pass->activations->delta));
}

static void dense(const struct pass *pass, const struct ps_layer_weights *weights,
                  struct ps_layer_activations *a) {
    const struct ps_compute *compute = pass->compute;
    int64_t size = pass->config->intermediate_size;
    a->gate_up = shaped(a->gate_up, pass->rows, 2 * size);
    a->hidden = shaped(a->hidden, pass->rows, size);
    compute->linear.forward(pass->stream, weights->gate_up, top(pass, a->ffn_in), NULL, a->gate_up);
    compute->rows.swiglu(pass->stream, a->gate_up, a->hidden);
    compute->linear.forward(pass->stream, weights->down, a->hidden, NULL,
                            top(pass, pass->activations->delta));
}

static void mixture(const struct pass *pass, const struct ps_layer_weights *weights,
                    struct ps_layer_activations *a) {
    const struct ps_compute *compute = pass->compute;
    const struct ps_model_config *config = pass->config;
    struct ps_router router = ps_model_router(config);
    int64_t k = config->experts_per_token, slots = pass->rows * k;
    int64_t size = config->expert_intermediate_size;
    struct ps_matrix x = top(pass, a->ffn_in), logits = top(pass, a->router_logits);
    struct ps_matrix in = ps_matrix_rows(a->expert_in, 0, slots);
    struct ps_matrix out = ps_matrix_rows(a->expert_out, 0, slots);
    a->gate_up = shaped(a->gate_up, slots, 2 * size);
    a->hidden = shaped(a->hidden, slots, size);

    compute->linear.forward(pass->stream, weights->router, x, NULL, logits);
    compute->experts.route(pass->stream, &router, logits, a->scores, a->ids, a->expert_weights);
    compute->experts.group(pass->stream, pass->rows, config->experts, k, a->ids, a->offsets,
                           a->order, a->place);
    compute->experts.dispatch(pass->stream, x, k, a->order, in);
    compute->linear.grouped_forward(pass->stream, weights->expert_gate_up, config->experts,
                                    a->offsets, in, a->gate_up);
    compute->rows.swiglu(pass->stream, a->gate_up, a->hidden);
    compute->linear.grouped_forward(pass->stream, weights->expert_down, config->experts, a->offsets,
                                    a->hidden, out);
    compute->experts.combine(pass->stream, out, k, a->place, a->expert_weights,
                             top(pass, pass->activations->delta));
}

static enum ps_status forward(const struct pass *pass, const int32_t *tokens,
                              struct ps_error *error) {
    const struct ps_model *model = pass->model;
    const struct ps_row_operations *rows = &pass->compute->rows;
    struct ps_activations *activations = pass->activations;
    struct ps_matrix delta = top(pass, activations->delta), residual = {0};
    const struct ps_matrix none = {0};
    float epsilon = (float)pass->config->norm_epsilon;

    for (int64_t l = 0; l < pass->config->layers; l++) {
        PS_TRY(ps_stop_check(error));
        struct ps_layer_activations *a = &activations->layers[l];
        const struct ps_layer_weights *weights = &model->layers[l];
        struct ps_matrix input = top(pass, a->input), middle = top(pass, a->middle);
        if (l == 0) {
            rows->embedding(pass->stream, model->embedding, tokens, input);
            rows->rms_norm(pass->stream, input, none, none, weights->attention_norm, epsilon, 1,
                           top(pass, a->attention_in), a->attention_inverse);
        } else {
            rows->rms_norm(pass->stream, residual, delta, input, weights->attention_norm, epsilon,
                           1, top(pass, a->attention_in), a->attention_inverse);
        }
        attention(pass, l, a);
        rows->rms_norm(pass->stream, input, delta, middle, weights->ffn_norm, epsilon, 1,
                       top(pass, a->ffn_in), a->ffn_inverse);
        if (weights->router)
            mixture(pass, weights, a);
        else
            dense(pass, weights, a);
        residual = middle;
    }
    rows->rms_norm(pass->stream, residual, delta, top(pass, activations->output), model->final_norm,
                   epsilon, 1, top(pass, activations->normed), activations->inverse);
    return PS_OK;
}

static struct pass begin(const struct ps_model *model, struct ps_stream *stream,
                         struct ps_activations *activations, int64_t rows,
                         const int32_t *positions) {
    assert(rows <= activations->rows);
    return (struct pass){.model = model,
                         .config = model->config,
                         .compute = model->compute,
                         .stream = stream,
                         .activations = activations,
                         .rows = rows,
                         .positions = positions,
                         .shape = ps_model_attention(model)};
}

enum ps_status ps_model_forward_paged(const struct ps_model *model, struct ps_stream *stream,
                                      struct ps_activations *activations, int64_t rows,
                                      const int32_t *tokens, const int32_t *positions,
                                      const struct ps_paged_batch *batch, void *const *caches,
                                      struct ps_error *error) {
    struct pass pass = begin(model, stream, activations, rows, positions);
    pass.batch = batch;
    pass.caches = caches;
    return forward(&pass, tokens, error);
}

enum ps_status ps_model_forward_packed(const struct ps_model *model, struct ps_stream *stream,
                                       struct ps_activations *activations, int64_t rows,
                                       const int32_t *tokens, const int32_t *positions,
                                       int64_t sequences, const int32_t *starts,
                                       struct ps_error *error) {
    struct pass pass = begin(model, stream, activations, rows, positions);
    pass.sequences = sequences;
    pass.starts = starts;
    return forward(&pass, tokens, error);
}

void ps_model_logits(const struct ps_model *model, struct ps_stream *stream,
                     const struct ps_activations *activations, const int32_t *chosen,
                     struct ps_matrix gathered, struct ps_matrix logits) {
    model->compute->rows.gather(stream, activations->normed, chosen, gathered);
    model->compute->linear.forward(stream, model->head, gathered, NULL, logits);
}
