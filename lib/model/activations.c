/* Memory of the forward pass: one device allocation, carved into matrices by a walk that first
 * counts (memory NULL) and then places. */

#include "model/forward.h"

#include "base/memory.h"

struct carver {
    char *memory; /* NULL: only count */
    size_t used;
    enum ps_dtype act;
};

static void *carve(struct carver *carver, size_t bytes) {
    void *place = carver->memory ? carver->memory + carver->used : NULL;
    carver->used += (bytes + 63) & ~(size_t)63;
    return place;
}

static struct ps_matrix carve_matrix(struct carver *carver, enum ps_dtype dtype, int64_t rows,
                                     int64_t columns) {
    size_t bytes = (size_t)(rows * columns) * ps_dtype_size(dtype);
    return ps_matrix(carve(carver, bytes), dtype, rows, columns);
}

static float *carve_floats(struct carver *carver, int64_t count) {
    return carve(carver, (size_t)count * sizeof(float));
}

static int32_t *carve_indices(struct carver *carver, int64_t count) {
    return carve(carver, (size_t)count * sizeof(int32_t));
}

static void carve_attention(struct carver *carver, const struct ps_model_config *config,
                            int64_t rows, bool training, struct ps_layer_activations *a) {
    int64_t q_columns = config->heads * config->head_size;
    int64_t k_columns = config->key_value_heads * config->head_size;
    enum ps_dtype act = carver->act;
    a->attention_in = carve_matrix(carver, act, rows, config->hidden_size);
    a->attention_inverse = carve_floats(carver, rows);
    a->qkv = carve_matrix(carver, act, rows, q_columns + 2 * k_columns);
    a->q = ps_matrix_columns(a->qkv, 0, q_columns);
    a->k = ps_matrix_columns(a->qkv, q_columns, k_columns);
    a->v = ps_matrix_columns(a->qkv, q_columns + k_columns, k_columns);
    if (config->qk_norm) {
        a->q = carve_matrix(carver, act, rows, q_columns);
        a->k = carve_matrix(carver, act, rows, k_columns);
        a->q_inverse = carve_floats(carver, rows * config->heads);
        a->k_inverse = carve_floats(carver, rows * config->key_value_heads);
    }
    a->attention_out = carve_matrix(carver, act, rows, q_columns);
    if (training) a->log_sum = carve_floats(carver, rows * config->heads);
}

static void carve_experts(struct carver *carver, const struct ps_model_config *config, int64_t rows,
                          struct ps_layer_activations *a) {
    int64_t slots = rows * config->experts_per_token;
    a->router_logits = carve_matrix(carver, PS_DTYPE_F32, rows, config->experts);
    a->scores = carve_floats(carver, rows * config->experts);
    a->expert_weights = carve_floats(carver, slots);
    a->ids = carve_indices(carver, slots);
    a->offsets = carve_indices(carver, config->experts + 1);
    a->order = carve_indices(carver, slots);
    a->place = carve_indices(carver, slots);
    a->expert_in = carve_matrix(carver, carver->act, slots, config->hidden_size);
    a->expert_out = carve_matrix(carver, carver->act, slots, config->hidden_size);
}

/* dense and mixture: which of the two the layer (or, in inference, any layer) is. */
static void carve_layer(struct carver *carver, const struct ps_model_config *config, int64_t rows,
                        bool training, bool dense, bool mixture, struct ps_layer_activations *a) {
    *a = (struct ps_layer_activations){0};
    a->input = carve_matrix(carver, carver->act, rows, config->hidden_size);
    carve_attention(carver, config, rows, training, a);
    a->middle = carve_matrix(carver, carver->act, rows, config->hidden_size);
    a->ffn_in = carve_matrix(carver, carver->act, rows, config->hidden_size);
    a->ffn_inverse = carve_floats(carver, rows);
    if (mixture) carve_experts(carver, config, rows, a);
    /* Views of the layer's true size are cut at its run; here the larger of the two fits. */
    int64_t slots = mixture ? rows * config->experts_per_token : 0;
    int64_t dense_size = dense ? rows * config->intermediate_size : 0;
    int64_t expert_size = slots * config->expert_intermediate_size;
    int64_t size = dense_size > expert_size ? dense_size : expert_size;
    a->gate_up = carve_matrix(carver, carver->act, 1, 2 * size);
    a->hidden = carve_matrix(carver, carver->act, 1, size);
}

static void carve_all(struct carver *carver, const struct ps_model_config *config, int64_t rows,
                      bool training, struct ps_activations *activations) {
    bool dense = false, mixture = false;
    for (int64_t l = 0; l < config->layers; l++) {
        if (config->layer_has_experts[l])
            mixture = true;
        else
            dense = true;
    }
    struct ps_layer_activations shared = {0};
    if (!training) carve_layer(carver, config, rows, false, dense, mixture, &shared);
    for (int64_t l = 0; l < config->layers; l++) {
        if (training) {
            bool is_mixture = config->layer_has_experts[l];
            carve_layer(carver, config, rows, true, !is_mixture, is_mixture, &shared);
        }
        if (activations) activations->layers[l] = shared;
    }
    struct ps_matrix delta = carve_matrix(carver, carver->act, rows, config->hidden_size);
    struct ps_matrix output = carve_matrix(carver, carver->act, rows, config->hidden_size);
    struct ps_matrix normed = carve_matrix(carver, carver->act, rows, config->hidden_size);
    float *inverse = carve_floats(carver, rows);
    if (!activations) return;
    activations->delta = delta;
    activations->output = output;
    activations->normed = normed;
    activations->inverse = inverse;
}

size_t ps_activations_bytes(const struct ps_model *model, int64_t rows, bool training) {
    struct carver carver = {.act = model->act};
    carve_all(&carver, model->config, rows, training, NULL);
    return carver.used;
}

enum ps_status ps_activations_create(const struct ps_model *model, int64_t rows, bool training,
                                     struct ps_activations **activations, struct ps_error *error) {
    *activations = NULL;
    size_t bytes = ps_activations_bytes(model, rows, training);
    struct ps_activations *new = ps_calloc(1, sizeof *new);
    PS_FAIL_IF_NULL(new, error);
    new->compute = model->compute;
    new->rows = rows;
    new->layers = ps_calloc((size_t)model->config->layers, sizeof *new->layers);
    new->memory = model->compute->memory.allocate(model->compute, bytes);
    if (!new->layers || !new->memory) {
        ps_activations_release(new);
        return ps_error_set(error, PS_MEMORY,
                            "no memory for the activations of %lld tokens (%.1f GB)",
                            (long long)rows, (double)bytes / 1e9);
    }
    struct carver carver = {.memory = new->memory, .act = model->act};
    carve_all(&carver, model->config, rows, training, new);
    *activations = new;
    return PS_OK;
}

void ps_activations_release(struct ps_activations *activations) {
    if (!activations) return;
    if (activations->memory)
        activations->compute->memory.release(activations->compute, activations->memory);
    ps_free(activations->layers);
    ps_free(activations);
}
