/* Backward of lib/model/forward.c. `flow` is the gradient that comes down the residual stream: each
 * half block takes it as the gradient of what it added, and adds its own share.
 *
 *     output of a half block   d delta = flow
 *     its norm                 flow += rms_norm'(d normed)
 *
 * Gradients of activations have the compute type, gradients of parameters are float. */

#include "student/backward.h"

#include "base/memory.h"
#include "base/stop.h"

struct ps_backward {
    const struct ps_model *model;
    int64_t rows;
    void *memory;
    struct ps_matrix flow;                     /* [T, C] act */
    struct ps_matrix normed;                   /* [T, C] act: gradient of a norm's output */
    struct ps_matrix attention;                /* [T, H D] act */
    struct ps_matrix qkv, q, k, v;             /* as in the forward; v is a view of qkv */
    struct ps_matrix gate_up, hidden;          /* [1, most elements] act */
    struct ps_matrix expert_in, expert_out;    /* [T K, C] act */
    struct ps_matrix router;                   /* [T, E] act */
    struct ps_matrix logits;                   /* [T, E] float */
    float *expert_weights;                     /* [T, K] */
    float *score_sums, *counts, *load;         /* [E] */
    float *host_counts, *host_load;            /* [E], host */
    float **dgate_up_weights, **ddown_weights; /* [E], host: where experts' gradients go */
    struct ps_matrix predictors, dpredictors;  /* [T, C] act: rows of the head */
};

/* ---- memory: counted with memory NULL, then placed ---- */

static void *carve(struct ps_backward *backward, size_t *used, size_t bytes) {
    void *place = backward->memory ? (char *)backward->memory + *used : NULL;
    *used += (bytes + 63) & ~(size_t)63;
    return place;
}

static struct ps_matrix carve_act(struct ps_backward *backward, size_t *used, int64_t rows,
                                  int64_t columns) {
    enum ps_dtype act = backward->model->act;
    void *place = carve(backward, used, (size_t)(rows * columns) * ps_dtype_size(act));
    return ps_matrix(place, act, rows, columns);
}

static float *carve_floats(struct ps_backward *backward, size_t *used, int64_t count) {
    return carve(backward, used, (size_t)count * sizeof(float));
}

static size_t carve_all(struct ps_backward *b) {
    const struct ps_model_config *config = b->model->config;
    int64_t rows = b->rows, c = config->hidden_size, q = config->heads * config->head_size;
    int64_t k = config->key_value_heads * config->head_size;
    int64_t slots = rows * config->experts_per_token, experts = config->experts;
    int64_t dense = rows * config->intermediate_size;
    int64_t expert = slots * config->expert_intermediate_size;
    int64_t size = dense > expert ? dense : expert;
    size_t used = 0;
    b->flow = carve_act(b, &used, rows, c);
    b->normed = carve_act(b, &used, rows, c);
    b->attention = carve_act(b, &used, rows, q);
    b->qkv = carve_act(b, &used, rows, q + 2 * k);
    b->q = ps_matrix_columns(b->qkv, 0, q);
    b->k = ps_matrix_columns(b->qkv, q, k);
    b->v = ps_matrix_columns(b->qkv, q + k, k);
    if (config->qk_norm) {
        b->q = carve_act(b, &used, rows, q);
        b->k = carve_act(b, &used, rows, k);
    }
    b->gate_up = carve_act(b, &used, 1, 2 * size);
    b->hidden = carve_act(b, &used, 1, size);
    b->predictors = carve_act(b, &used, rows, c);
    b->dpredictors = carve_act(b, &used, rows, c);
    if (experts) {
        b->expert_in = carve_act(b, &used, slots, c);
        b->expert_out = carve_act(b, &used, slots, c);
        b->router = carve_act(b, &used, rows, experts);
        b->expert_weights = carve_floats(b, &used, slots);
        b->logits = ps_matrix(carve_floats(b, &used, rows * experts), PS_DTYPE_F32, rows, experts);
        b->score_sums = carve_floats(b, &used, experts);
        b->counts = carve_floats(b, &used, experts);
        b->load = carve_floats(b, &used, experts);
    }
    return used;
}

size_t ps_backward_bytes(const struct ps_model *model, int64_t rows) {
    struct ps_backward counted = {.model = model, .rows = rows};
    return carve_all(&counted);
}

enum ps_status ps_backward_create(const struct ps_model *model, int64_t rows,
                                  struct ps_backward **backward, struct ps_error *error) {
    struct ps_backward *new = *backward = ps_calloc(1, sizeof *new);
    PS_FAIL_IF_NULL(new, error);
    new->model = model;
    new->rows = rows;
    size_t bytes = carve_all(new), experts = (size_t)model->config->experts;
    new->memory = model->compute->memory.allocate(model->compute, bytes);
    new->host_counts = ps_calloc(experts, sizeof *new->host_counts);
    new->host_load = ps_calloc(experts, sizeof *new->host_load);
    new->dgate_up_weights = ps_calloc(experts, sizeof *new->dgate_up_weights);
    new->ddown_weights = ps_calloc(experts, sizeof *new->ddown_weights);
    if (!new->memory || !new->host_counts || !new->host_load || !new->dgate_up_weights ||
        !new->ddown_weights) {
        ps_backward_release(new);
        *backward = NULL;
        return ps_error_set(error, PS_MEMORY, "no memory for the backward pass (%.1f GB)",
                            (double)bytes / 1e9);
    }
    carve_all(new);
    return PS_OK;
}

void ps_backward_release(struct ps_backward *backward) {
    if (!backward) return;
    const struct ps_compute *compute = backward->model->compute;
    if (backward->memory) compute->memory.release(backward->model->compute, backward->memory);
    ps_free(backward->host_counts);
    ps_free(backward->host_load);
    ps_free(backward->dgate_up_weights);
    ps_free(backward->ddown_weights);
    ps_free(backward);
}

/* ---- the pass ---- */

struct pass {
    struct ps_backward *b;
    const struct ps_model *model;
    const struct ps_model_config *config;
    const struct ps_compute *compute;
    struct ps_stream *stream;
    const struct ps_packed_row *row;
    enum ps_weight_format format;
    struct ps_attention_shape shape;
    bool balanced; /* load holds the gradient of the load balancing */
    float *gradient;
};

static struct ps_matrix top(const struct pass *pass, struct ps_matrix matrix) {
    return ps_matrix_rows(matrix, 0, pass->row->rows);
}

static struct ps_matrix shaped(struct ps_matrix memory, int64_t rows, int64_t columns) {
    return ps_matrix(memory.data, memory.dtype, rows, columns);
}

/* Where a parameter's gradient goes; NULL for one that the model has not got. */
static float *gradient_of(const struct pass *pass, enum ps_parameter_role role, int64_t layer,
                          int64_t expert) {
    const struct ps_parameter *parameter =
        ps_parameters_find(pass->model->parameters, role, layer, expert);
    return parameter ? pass->gradient + parameter->offset : NULL;
}

static void norm_backward(const struct pass *pass, struct ps_matrix x, const float *inverse,
                          const float *weight, enum ps_parameter_role role, int64_t layer) {
    struct ps_matrix flow = top(pass, pass->b->flow);
    pass->compute->rows.rms_norm_backward(pass->stream, x, inverse, weight, 1,
                                          top(pass, pass->b->normed), flow, flow,
                                          gradient_of(pass, role, layer, -1));
}

static void dense_backward(const struct pass *pass, int64_t layer,
                           const struct ps_layer_activations *a) {
    const struct ps_linear_operations *linear = &pass->compute->linear;
    const struct ps_layer_weights *weights = &pass->model->layers[layer];
    int64_t rows = pass->row->rows, size = pass->config->intermediate_size;
    struct ps_matrix flow = top(pass, pass->b->flow);
    struct ps_matrix dhidden = shaped(pass->b->hidden, rows, size);
    struct ps_matrix dgate_up = shaped(pass->b->gate_up, rows, 2 * size);
    linear->weight_gradient(pass->stream, pass->format, flow, a->hidden,
                            gradient_of(pass, PS_PARAMETER_DOWN, layer, -1), NULL);
    linear->input_gradient(pass->stream, weights->down, flow, dhidden, false);
    pass->compute->rows.swiglu_backward(pass->stream, a->gate_up, dhidden, dgate_up);
    linear->weight_gradient(pass->stream, pass->format, dgate_up, top(pass, a->ffn_in),
                            gradient_of(pass, PS_PARAMETER_GATE, layer, -1), NULL);
    linear->input_gradient(pass->stream, weights->gate_up, dgate_up, top(pass, pass->b->normed),
                           false);
}

/* Router: d weights [T, K] -> d logits -> its own gradient, and on into `normed`. */
static void router_backward(const struct pass *pass, int64_t layer,
                            const struct ps_layer_activations *a) {
    struct ps_backward *b = pass->b;
    struct ps_router router = ps_model_router(pass->config);
    struct ps_matrix dlogits = top(pass, b->logits), rounded = top(pass, b->router);
    pass->compute->experts.route_backward(pass->stream, &router, a->scores, a->ids,
                                          a->expert_weights, b->expert_weights,
                                          pass->balanced ? b->load : NULL, dlogits);
    pass->compute->rows.convert(pass->stream, dlogits, rounded);
    pass->compute->linear.weight_gradient(pass->stream, pass->format, rounded, top(pass, a->ffn_in),
                                          gradient_of(pass, PS_PARAMETER_ROUTER, layer, -1), NULL);
    pass->compute->linear.input_gradient(pass->stream, pass->model->layers[layer].router, rounded,
                                         top(pass, b->normed), true);
}

static void mixture_backward(const struct pass *pass, int64_t layer,
                             const struct ps_layer_activations *a) {
    const struct ps_compute *compute = pass->compute;
    const struct ps_layer_weights *weights = &pass->model->layers[layer];
    struct ps_backward *b = pass->b;
    int64_t experts = pass->config->experts, k = pass->config->experts_per_token;
    int64_t slots = pass->row->rows * k, size = pass->config->expert_intermediate_size;
    struct ps_matrix dhidden = shaped(b->hidden, slots, size);
    struct ps_matrix dgate_up = shaped(b->gate_up, slots, 2 * size);
    struct ps_matrix in = ps_matrix_rows(a->expert_in, 0, slots);
    struct ps_matrix out = ps_matrix_rows(a->expert_out, 0, slots);
    struct ps_matrix din = ps_matrix_rows(b->expert_in, 0, slots);
    struct ps_matrix dout = ps_matrix_rows(b->expert_out, 0, slots);
    for (int64_t e = 0; e < experts; e++) {
        b->dgate_up_weights[e] = gradient_of(pass, PS_PARAMETER_EXPERT_GATE, layer, e);
        b->ddown_weights[e] = gradient_of(pass, PS_PARAMETER_EXPERT_DOWN, layer, e);
    }
    compute->experts.combine_backward(pass->stream, out, k, a->place, a->expert_weights,
                                      top(pass, b->flow), dout, b->expert_weights);
    compute->linear.grouped_weight_gradient(pass->stream, pass->format, experts, a->offsets, dout,
                                            a->hidden, b->ddown_weights);
    compute->linear.grouped_input_gradient(pass->stream, weights->expert_down, experts, a->offsets,
                                           dout, dhidden);
    compute->rows.swiglu_backward(pass->stream, a->gate_up, dhidden, dgate_up);
    compute->linear.grouped_weight_gradient(pass->stream, pass->format, experts, a->offsets,
                                            dgate_up, in, b->dgate_up_weights);
    compute->linear.grouped_input_gradient(pass->stream, weights->expert_gate_up, experts,
                                           a->offsets, dgate_up, din);
    compute->experts.dispatch_backward(pass->stream, din, k, a->place, top(pass, b->normed), false);
    router_backward(pass, layer, a);
}

static void attention_backward(const struct pass *pass, int64_t layer,
                               const struct ps_layer_activations *a) {
    const struct ps_compute *compute = pass->compute;
    const struct ps_model_config *config = pass->config;
    const struct ps_layer_weights *weights = &pass->model->layers[layer];
    struct ps_backward *b = pass->b;
    const struct ps_matrix none = {0};
    struct ps_matrix flow = top(pass, b->flow), out = top(pass, a->attention_out);
    struct ps_matrix dq = top(pass, b->q), dk = top(pass, b->k), dqkv = top(pass, b->qkv);
    struct ps_rope q_rope = ps_model_rope(pass->model, config->heads);
    struct ps_rope k_rope = ps_model_rope(pass->model, config->key_value_heads);

    compute->linear.weight_gradient(pass->stream, pass->format, flow, out,
                                    gradient_of(pass, PS_PARAMETER_OUTPUT, layer, -1),
                                    gradient_of(pass, PS_PARAMETER_OUTPUT_BIAS, layer, -1));
    compute->linear.input_gradient(pass->stream, weights->output, flow, top(pass, b->attention),
                                   false);
    compute->attention.packed_backward(pass->stream, &pass->shape, pass->row->sequences,
                                       pass->row->starts, top(pass, a->q), top(pass, a->k),
                                       top(pass, a->v), out, a->log_sum, top(pass, b->attention),
                                       dq, dk, top(pass, b->v));
    compute->rows.rope(pass->stream, &q_rope, pass->row->positions, dq, true);
    compute->rows.rope(pass->stream, &k_rope, pass->row->positions, dk, true);
    if (config->qk_norm) {
        int64_t q = config->heads * config->head_size;
        int64_t k = config->key_value_heads * config->head_size;
        struct ps_matrix qkv = top(pass, a->qkv);
        compute->rows.rms_norm_backward(pass->stream, ps_matrix_columns(qkv, 0, q), a->q_inverse,
                                        weights->q_norm, config->heads, dq, none,
                                        ps_matrix_columns(dqkv, 0, q),
                                        gradient_of(pass, PS_PARAMETER_QUERY_NORM, layer, -1));
        compute->rows.rms_norm_backward(pass->stream, ps_matrix_columns(qkv, q, k), a->k_inverse,
                                        weights->k_norm, config->key_value_heads, dk, none,
                                        ps_matrix_columns(dqkv, q, k),
                                        gradient_of(pass, PS_PARAMETER_KEY_NORM, layer, -1));
    }
    compute->linear.weight_gradient(pass->stream, pass->format, dqkv, top(pass, a->attention_in),
                                    gradient_of(pass, PS_PARAMETER_QUERY, layer, -1),
                                    gradient_of(pass, PS_PARAMETER_QUERY_BIAS, layer, -1));
    compute->linear.input_gradient(pass->stream, weights->qkv, dqkv, top(pass, b->normed), false);
}

/* load[e] = d loss / d score of expert e, the same for each token and layer. */
static enum ps_status balance_load(const struct pass *pass,
                                   const struct ps_activations *activations, float balance,
                                   struct ps_error *error) {
    struct ps_backward *b = pass->b;
    const struct ps_compute *compute = pass->compute;
    int64_t experts = pass->config->experts, k = pass->config->experts_per_token, mixtures = 0;
    size_t bytes = (size_t)experts * sizeof(float);
    compute->memory.zero(pass->stream, b->score_sums, bytes);
    compute->memory.zero(pass->stream, b->counts, bytes);
    for (int64_t l = 0; l < pass->config->layers; l++) {
        const struct ps_layer_activations *a = &activations->layers[l];
        if (!pass->model->layers[l].router) continue;
        mixtures++;
        compute->experts.load(pass->stream, pass->row->rows, experts, k, a->scores, a->ids,
                              b->score_sums, b->counts);
    }
    compute->memory.download(pass->stream, b->host_counts, b->counts, bytes);
    PS_TRY(compute->memory.synchronize(pass->stream, error));
    float tokens = (float)(pass->row->rows * mixtures);
    for (int64_t e = 0; e < experts; e++)
        b->host_load[e] = balance * (float)experts * (b->host_counts[e] / tokens) / tokens;
    compute->memory.upload(pass->stream, b->load, b->host_load, bytes);
    return PS_OK;
}

/* Over a long vocabulary the head takes as long as many layers, so that a wish to stop is looked at
 * between slices of its rows: of as many as the CPU backend takes at a time, which keeps the bits.
 * loss has no teacher. */
static enum ps_status head_loss(const struct ps_model *model, struct ps_stream *stream,
                                struct ps_matrix x, const struct ps_loss *loss, float *losses,
                                struct ps_matrix dx, float *dhead, struct ps_error *error) {
    enum { SLICE = 256 };
    for (int64_t first = 0; first < x.rows; first += SLICE) {
        int64_t count = x.rows - first < SLICE ? x.rows - first : SLICE;
        struct ps_matrix dslice = dx.data ? ps_matrix_rows(dx, first, count) : dx;
        struct ps_loss slice = *loss;
        slice.targets += first;
        PS_TRY(ps_stop_check(error));
        model->compute->head.loss(stream, model->head, ps_matrix_rows(x, first, count), &slice,
                                  losses + first, dslice, dhead);
    }
    return PS_OK;
}

/* The head: its own gradient, and the flow that leaves it: zero in rows that predict nothing. */
static enum ps_status head_backward(const struct pass *pass,
                                    const struct ps_activations *activations,
                                    const struct ps_loss *loss, float *losses,
                                    struct ps_error *error) {
    const struct ps_compute *compute = pass->compute;
    struct ps_backward *b = pass->b;
    struct ps_matrix x = ps_matrix_rows(b->predictors, 0, pass->row->targets);
    struct ps_matrix dx = ps_matrix_rows(b->dpredictors, 0, pass->row->targets);
    struct ps_matrix dnormed = top(pass, b->normed);
    float *dhead = gradient_of(pass, PS_PARAMETER_HEAD, -1, -1);
    if (!dhead) dhead = gradient_of(pass, PS_PARAMETER_EMBEDDING, -1, -1); /* tied */
    compute->rows.gather(pass->stream, activations->normed, pass->row->predictors, x);
    PS_TRY(head_loss(pass->model, pass->stream, x, loss, losses, dx, dhead, error));
    compute->memory.zero(pass->stream, dnormed.data,
                         (size_t)(dnormed.rows * dnormed.stride) * ps_dtype_size(dnormed.dtype));
    compute->rows.scatter(pass->stream, dx, pass->row->predictors, dnormed);
    compute->rows.rms_norm_backward(pass->stream, top(pass, activations->output),
                                    activations->inverse, pass->model->final_norm, 1, dnormed,
                                    (struct ps_matrix){0}, top(pass, b->flow),
                                    gradient_of(pass, PS_PARAMETER_FINAL_NORM, -1, -1));
    return PS_OK;
}

enum ps_status ps_backward_run(struct ps_backward *backward, struct ps_stream *stream,
                               const struct ps_activations *activations,
                               const struct ps_packed_row *row, const struct ps_loss *loss,
                               float balance, float *losses, float *gradient,
                               struct ps_error *error) {
    const struct ps_model *model = backward->model;
    struct pass pass = {
        .b = backward,
        .model = model,
        .config = model->config,
        .compute = model->compute,
        .stream = stream,
        .row = row,
        .format = model->act == PS_DTYPE_F32 ? PS_WEIGHT_F32 : PS_WEIGHT_BF16,
        .shape = ps_model_attention(model),
        .balanced = model->config->experts && balance != 0,
        .gradient = gradient,
    };
    struct ps_loss targeted = *loss;
    targeted.targets = row->target_tokens;
    if (pass.balanced) PS_TRY(balance_load(&pass, activations, balance, error));
    PS_TRY(head_backward(&pass, activations, &targeted, losses, error));
    for (int64_t l = model->config->layers - 1; l >= 0; l--) {
        const struct ps_layer_activations *a = &activations->layers[l];
        const struct ps_layer_weights *weights = &model->layers[l];
        PS_TRY(ps_stop_check(error));
        if (weights->router)
            mixture_backward(&pass, l, a);
        else
            dense_backward(&pass, l, a);
        norm_backward(&pass, top(&pass, a->middle), a->ffn_inverse, weights->ffn_norm,
                      PS_PARAMETER_POST_NORM, l);
        PS_TRY(ps_stop_check(error));
        attention_backward(&pass, l, a);
        norm_backward(&pass, top(&pass, a->input), a->attention_inverse, weights->attention_norm,
                      PS_PARAMETER_INPUT_NORM, l);
    }
    model->compute->rows.embedding_backward(stream, row->tokens, top(&pass, backward->flow),
                                            gradient_of(&pass, PS_PARAMETER_EMBEDDING, -1, -1),
                                            model->config->vocabulary);
    return PS_OK;
}

enum ps_status ps_backward_losses(struct ps_backward *backward, struct ps_stream *stream,
                                  const struct ps_activations *activations,
                                  const struct ps_packed_row *row, float *losses,
                                  struct ps_error *error) {
    const struct ps_model *model = backward->model;
    struct ps_loss loss = {.cross_entropy = 1, .scale = 1, .targets = row->target_tokens};
    struct ps_matrix x = ps_matrix_rows(backward->predictors, 0, row->targets);
    model->compute->rows.gather(stream, activations->normed, row->predictors, x);
    return head_loss(model, stream, x, &loss, losses, (struct ps_matrix){0}, NULL, error);
}
