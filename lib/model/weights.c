/* A model's weights in a backend: what each parameter becomes, and how values get there.
 *
 * Norms and biases are float vectors whose values are rounded to the compute type, the embedding is
 * a matrix of that type, and all else is opaque weights: q, k, v stacked to one, gate and up
 * likewise. */

#include "model/forward.h"

#include "base/memory.h"
#include "base/stop.h"

#include <math.h>
#include <string.h>

enum { MODEL_ARENA_LIMIT = 1 << 28 };

/* ---- making ---- */

static enum ps_status device_memory(struct ps_model *model, size_t bytes, void **memory,
                                    struct ps_error *error) {
    void **more = ps_realloc(model->device, (model->device_count + 1) * sizeof *more);
    PS_FAIL_IF_NULL(more, error);
    model->device = more;
    *memory = model->compute->memory.allocate(model->compute, bytes);
    PS_FAIL_IF(!*memory, error, PS_MEMORY, "no memory for the model's weights");
    model->device[model->device_count++] = *memory;
    return PS_OK;
}

static enum ps_status vector(struct ps_model *model, int64_t size, float **values,
                             struct ps_error *error) {
    void *memory;
    PS_TRY(device_memory(model, (size_t)size * sizeof(float), &memory, error));
    *values = memory;
    if (size > model->rounding.columns) model->rounding.columns = size;
    return PS_OK;
}

static enum ps_status handle(struct ps_model *model, const struct ps_model_options *options,
                             int64_t outputs, int64_t inputs, struct ps_weight **weight,
                             struct ps_error *error) {
    struct ps_weight_description description = {
        .outputs = outputs,
        .inputs = inputs,
        .format = options->format,
        .uses = PS_USE_FORWARD | (options->training ? PS_USE_INPUT_GRADIENT : 0)};
    return model->compute->linear.create(model->compute, &description, weight, error);
}

static enum ps_status create_ffn(struct ps_model *model, const struct ps_model_options *options,
                                 int64_t layer, struct ps_error *error) {
    const struct ps_model_config *config = model->config;
    struct ps_layer_weights *weights = &model->layers[layer];
    int64_t c = config->hidden_size, experts = config->experts;
    if (!config->layer_has_experts[layer]) {
        int64_t size = config->intermediate_size;
        PS_TRY(handle(model, options, 2 * size, c, &weights->gate_up, error));
        return handle(model, options, c, size, &weights->down, error);
    }
    int64_t size = config->expert_intermediate_size;
    weights->expert_gate_up =
        ps_arena_array(&model->arena, (size_t)experts, sizeof(struct ps_weight *));
    weights->expert_down =
        ps_arena_array(&model->arena, (size_t)experts, sizeof(struct ps_weight *));
    PS_FAIL_IF(!weights->expert_gate_up || !weights->expert_down, error, PS_MEMORY,
               "out of memory");
    PS_TRY(handle(model, options, experts, c, &weights->router, error));
    for (int64_t e = 0; e < experts; e++) {
        PS_TRY(handle(model, options, 2 * size, c, &weights->expert_gate_up[e], error));
        PS_TRY(handle(model, options, c, size, &weights->expert_down[e], error));
    }
    return PS_OK;
}

static enum ps_status create_layer(struct ps_model *model, const struct ps_model_options *options,
                                   int64_t layer, struct ps_error *error) {
    const struct ps_model_config *config = model->config;
    struct ps_layer_weights *weights = &model->layers[layer];
    int64_t c = config->hidden_size, q = config->heads * config->head_size;
    int64_t qkv = q + 2 * config->key_value_heads * config->head_size;
    PS_TRY(vector(model, c, &weights->attention_norm, error));
    PS_TRY(vector(model, c, &weights->ffn_norm, error));
    if (config->qk_norm) {
        PS_TRY(vector(model, config->head_size, &weights->q_norm, error));
        PS_TRY(vector(model, config->head_size, &weights->k_norm, error));
    }
    if (config->qkv_bias) PS_TRY(vector(model, qkv, &weights->qkv_bias, error));
    if (config->output_bias) PS_TRY(vector(model, c, &weights->output_bias, error));
    PS_TRY(handle(model, options, qkv, c, &weights->qkv, error));
    PS_TRY(handle(model, options, c, q, &weights->output, error));
    return create_ffn(model, options, layer, error);
}

static enum ps_status create_rope(struct ps_model *model, struct ps_stream *stream,
                                  int64_t positions, struct ps_error *error) {
    int64_t count = positions * model->config->rope.rotary / 2;
    size_t bytes = (size_t)count * sizeof(float);
    void *cosines, *sines;
    PS_TRY(device_memory(model, bytes, &cosines, error));
    PS_TRY(device_memory(model, bytes, &sines, error));
    model->positions = positions;
    model->cosines = cosines;
    model->sines = sines;
    float *host = ps_malloc(2 * bytes);
    PS_FAIL_IF_NULL(host, error);
    ps_rope_tables(&model->config->rope, positions, host, host + count);
    model->compute->memory.upload(stream, cosines, host, bytes);
    model->compute->memory.upload(stream, sines, host + count, bytes);
    enum ps_status status = model->compute->memory.synchronize(stream, error);
    ps_free(host);
    return status;
}

static enum ps_status create(struct ps_model *model, struct ps_stream *stream,
                             const struct ps_model_options *options, struct ps_error *error) {
    const struct ps_model_config *config = model->config;
    void *memory;
    PS_FAIL_IF(config->key_value_rank, error, PS_UNSUPPORTED,
               "%s: multi-head latent attention is not built yet", config->architecture);
    PS_FAIL_IF(options->format == PS_WEIGHT_FP8, error, PS_UNSUPPORTED,
               "FP8 weights are not built yet");
    PS_TRY(ps_parameters_create(&model->parameters, config, error));
    model->layers = ps_arena_array(&model->arena, (size_t)config->layers, sizeof *model->layers);
    PS_FAIL_IF_NULL(model->layers, error);
    for (int64_t l = 0; l < config->layers; l++) PS_TRY(create_layer(model, options, l, error));
    PS_TRY(vector(model, config->hidden_size, &model->final_norm, error));
    size_t embedding = (size_t)(config->vocabulary * config->hidden_size);
    PS_TRY(device_memory(model, embedding * ps_dtype_size(model->act), &memory, error));
    model->embedding = ps_matrix(memory, model->act, config->vocabulary, config->hidden_size);
    PS_TRY(handle(model, options, config->vocabulary, config->hidden_size, &model->head, error));
    PS_TRY(create_rope(model, stream, options->positions, error));
    int64_t longest = model->rounding.columns;
    PS_TRY(device_memory(model, (size_t)longest * ps_dtype_size(model->act), &memory, error));
    model->rounding = ps_matrix(memory, model->act, 1, longest);
    return PS_OK;
}

enum ps_status ps_model_create(struct ps_compute *compute, struct ps_stream *stream,
                               const struct ps_model_config *config,
                               const struct ps_model_options *options, struct ps_model **model,
                               struct ps_error *error) {
    *model = ps_calloc(1, sizeof **model);
    PS_FAIL_IF_NULL(*model, error);
    (*model)->compute = compute;
    (*model)->config = config;
    (*model)->act = options->format == PS_WEIGHT_F32 ? PS_DTYPE_F32 : PS_DTYPE_BF16;
    ps_arena_init(&(*model)->arena, MODEL_ARENA_LIMIT);
    enum ps_status status = create(*model, stream, options, error);
    if (status != PS_OK) {
        ps_model_close(*model);
        *model = NULL;
    }
    return status;
}

void ps_model_close(struct ps_model *model) {
    if (!model) return;
    void (*release)(struct ps_weight *) = model->compute->linear.release;
    for (int64_t l = 0; model->layers && l < model->config->layers; l++) {
        struct ps_layer_weights *weights = &model->layers[l];
        struct ps_weight *single[] = {weights->qkv, weights->output, weights->gate_up,
                                      weights->down, weights->router};
        for (size_t i = 0; i < sizeof single / sizeof *single; i++)
            if (single[i]) release(single[i]);
        for (int64_t e = 0; weights->expert_down && e < model->config->experts; e++) {
            if (weights->expert_gate_up[e]) release(weights->expert_gate_up[e]);
            if (weights->expert_down[e]) release(weights->expert_down[e]);
        }
    }
    if (model->head) release(model->head);
    for (size_t i = 0; i < model->device_count; i++)
        model->compute->memory.release(model->compute, model->device[i]);
    ps_free(model->device);
    ps_parameters_release(model->parameters);
    ps_arena_release(&model->arena);
    ps_free(model);
}

/* ---- filling ---- */

/* Where a parameter goes: exactly one of vector, weight and embedding. */
struct place {
    float *vector;            /* with its first element's place in a stacked bias */
    struct ps_weight *weight; /* rows from first_row on */
    int64_t first_row;
    bool embedding;
};

static struct place place_of(const struct ps_model *model, const struct ps_parameter *parameter) {
    const struct ps_model_config *config = model->config;
    struct ps_layer_weights none = {0};
    const struct ps_layer_weights *w =
        parameter->layer < 0 ? &none : &model->layers[parameter->layer];
    int64_t e = parameter->expert, q = config->heads * config->head_size;
    int64_t k = config->key_value_heads * config->head_size;
    int64_t rows = (int64_t)parameter->shape.dim[0];
    switch (parameter->role) {
    case PS_PARAMETER_EMBEDDING: return (struct place){.embedding = true};
    case PS_PARAMETER_INPUT_NORM: return (struct place){.vector = w->attention_norm};
    case PS_PARAMETER_QUERY: return (struct place){.weight = w->qkv};
    case PS_PARAMETER_KEY: return (struct place){.weight = w->qkv, .first_row = q};
    case PS_PARAMETER_VALUE: return (struct place){.weight = w->qkv, .first_row = q + k};
    case PS_PARAMETER_QUERY_BIAS: return (struct place){.vector = w->qkv_bias};
    case PS_PARAMETER_KEY_BIAS: return (struct place){.vector = w->qkv_bias + q};
    case PS_PARAMETER_VALUE_BIAS: return (struct place){.vector = w->qkv_bias + q + k};
    case PS_PARAMETER_QUERY_NORM: return (struct place){.vector = w->q_norm};
    case PS_PARAMETER_KEY_NORM: return (struct place){.vector = w->k_norm};
    case PS_PARAMETER_OUTPUT: return (struct place){.weight = w->output};
    case PS_PARAMETER_OUTPUT_BIAS: return (struct place){.vector = w->output_bias};
    case PS_PARAMETER_POST_NORM: return (struct place){.vector = w->ffn_norm};
    case PS_PARAMETER_GATE: return (struct place){.weight = w->gate_up};
    case PS_PARAMETER_UP: return (struct place){.weight = w->gate_up, .first_row = rows};
    case PS_PARAMETER_DOWN: return (struct place){.weight = w->down};
    case PS_PARAMETER_ROUTER: return (struct place){.weight = w->router};
    case PS_PARAMETER_EXPERT_GATE: return (struct place){.weight = w->expert_gate_up[e]};
    case PS_PARAMETER_EXPERT_UP:
        return (struct place){.weight = w->expert_gate_up[e], .first_row = rows};
    case PS_PARAMETER_EXPERT_DOWN: return (struct place){.weight = w->expert_down[e]};
    case PS_PARAMETER_FINAL_NORM: return (struct place){.vector = model->final_norm};
    case PS_PARAMETER_HEAD: return (struct place){.weight = model->head};
    case PS_PARAMETER_ROLE_COUNT: break;
    }
    return (struct place){0};
}

/* Values of a checkpoint, converted to float and rounded to the compute type. */
static enum ps_status load_vector(struct ps_model *model, struct ps_stream *stream, float *vector,
                                  enum ps_dtype dtype, const void *data, uint64_t count,
                                  struct ps_error *error) {
    float *values = ps_malloc(count * sizeof *values);
    PS_FAIL_IF_NULL(values, error);
    enum ps_status status = ps_tensor_to_f32(values, dtype, data, count, error);
    if (status == PS_OK) {
        for (uint64_t i = 0; model->act == PS_DTYPE_BF16 && i < count; i++)
            values[i] = ps_f32_from_bf16(ps_bf16_from_f32(values[i]));
        model->compute->memory.upload(stream, vector, values, count * sizeof *values);
        status = model->compute->memory.synchronize(stream, error);
    }
    ps_free(values);
    return status;
}

static enum ps_status load_embedding(struct ps_model *model, struct ps_stream *stream,
                                     enum ps_dtype dtype, const void *data,
                                     struct ps_error *error) {
    enum { PIECE = 1 << 20 }; /* elements converted at a time */
    uint64_t count = (uint64_t)(model->embedding.rows * model->embedding.columns);
    size_t size = ps_dtype_size(dtype), act_size = ps_dtype_size(model->act);
    float *values = ps_malloc(PIECE * sizeof *values);
    uint8_t *rounded = ps_malloc(PIECE * act_size);
    enum ps_status status = PS_OK;
    PS_FAIL_DONE_IF(!values || !rounded, error, PS_MEMORY, "out of memory");
    for (uint64_t i = 0; i < count; i += PIECE) {
        uint64_t n = count - i < PIECE ? count - i : PIECE;
        PS_TRY_DONE(ps_tensor_to_f32(values, dtype, (const uint8_t *)data + i * size, n, error));
        PS_TRY_DONE(ps_tensor_from_f32(rounded, model->act, values, n, error));
        model->compute->memory.upload(stream, (char *)model->embedding.data + i * act_size, rounded,
                                      n * act_size);
        PS_TRY_DONE(model->compute->memory.synchronize(stream, error));
    }
done:
    ps_free(values);
    ps_free(rounded);
    return status;
}

static enum ps_status load_parameter(struct ps_model *model, struct ps_stream *stream,
                                     const struct ps_parameter *parameter, enum ps_dtype dtype,
                                     const void *data, struct ps_error *error) {
    struct place place = place_of(model, parameter);
    int64_t rows = (int64_t)parameter->shape.dim[0], columns = (int64_t)parameter->shape.dim[1];
    struct ps_matrix values = ps_matrix((void *)data, dtype, rows, columns);
    if (place.vector)
        return load_vector(model, stream, place.vector, dtype, data, parameter->count, error);
    if (place.weight)
        model->compute->linear.load(stream, place.weight, place.first_row, values, NULL);
    if (place.embedding) {
        PS_TRY(load_embedding(model, stream, dtype, data, error));
        if (model->config->tie_embeddings)
            model->compute->linear.load(stream, model->head, 0, values, NULL);
    }
    return PS_OK;
}

enum ps_status ps_model_load(struct ps_model *model, struct ps_stream *stream,
                             const struct ps_model_files *files, struct ps_error *error) {
    for (size_t i = 0; i < model->parameters->count; i++) {
        const struct ps_parameter *parameter = &model->parameters->items[i];
        enum ps_dtype dtype;
        const void *data = ps_model_files_data(files, i, &dtype);
        PS_TRY(ps_stop_check(error));
        PS_TRY(load_parameter(model, stream, parameter, dtype, data, error));
    }
    return model->compute->memory.synchronize(stream, error);
}

void ps_model_update(struct ps_model *model, struct ps_stream *stream, const float *master) {
    const struct ps_compute *compute = model->compute;
    for (size_t i = 0; i < model->parameters->count; i++) {
        const struct ps_parameter *parameter = &model->parameters->items[i];
        struct place place = place_of(model, parameter);
        int64_t count = (int64_t)parameter->count;
        struct ps_matrix values =
            ps_matrix((void *)(master + parameter->offset), PS_DTYPE_F32, 1, count);
        if (place.vector) {
            struct ps_matrix rounded = ps_matrix_columns(model->rounding, 0, count);
            compute->rows.convert(stream, values, rounded);
            compute->rows.convert(stream, rounded, ps_matrix(place.vector, PS_DTYPE_F32, 1, count));
        }
        /* Stacked parameters lie one behind the other: the first one brings them all. */
        if (place.weight && place.first_row == 0)
            compute->linear.update(stream, place.weight, values.data);
        if (place.embedding) {
            struct ps_matrix table = ps_matrix(values.data, PS_DTYPE_F32, model->embedding.rows,
                                               model->embedding.columns);
            compute->rows.convert(stream, table, model->embedding);
            if (model->config->tie_embeddings)
                compute->linear.update(stream, model->head, values.data);
        }
    }
}

/* ---- the description in the terms of compute.h ---- */

struct ps_compute_limits ps_model_limits(const struct ps_model_config *config, int64_t rows,
                                         int64_t head_rows, int64_t positions, bool training) {
    int64_t k = config->experts ? config->experts_per_token : 1;
    int64_t widths[] = {
        config->hidden_size, (config->heads + 2 * config->key_value_heads) * config->head_size,
        2 * config->intermediate_size, 2 * config->expert_intermediate_size, config->experts};
    struct ps_compute_limits limits = {.rows = rows * k,
                                       .vocabulary = config->vocabulary,
                                       .head_rows = head_rows,
                                       .heads = config->heads,
                                       .key_value_heads = config->key_value_heads,
                                       .head_size = config->head_size,
                                       .positions = positions,
                                       .experts = config->experts,
                                       .training = training};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        if (widths[i] > limits.columns) limits.columns = widths[i];
    return limits;
}

struct ps_attention_shape ps_model_attention(const struct ps_model *model) {
    const struct ps_model_config *config = model->config;
    return (struct ps_attention_shape){.heads = config->heads,
                                       .key_value_heads = config->key_value_heads,
                                       .key_size = config->head_size,
                                       .value_size = config->head_size,
                                       .scale = (float)(1 / sqrt((double)config->head_size)),
                                       .window = config->window,
                                       .cache = model->act};
}

struct ps_rope ps_model_rope(const struct ps_model *model, int64_t heads) {
    const struct ps_rope_config *rope = &model->config->rope;
    return (struct ps_rope){.layout = rope->layout,
                            .heads = heads,
                            .head_size = model->config->head_size,
                            .rotary = rope->rotary,
                            .cosines = model->cosines,
                            .sines = model->sines};
}

struct ps_router ps_model_router(const struct ps_model_config *config) {
    return (struct ps_router){.experts = config->experts,
                              .per_token = config->experts_per_token,
                              .score = config->router_score,
                              .groups = 1,
                              .groups_kept = 1,
                              .normalise = config->normalise_weights,
                              .epsilon = config->router_epsilon,
                              .scale = config->router_scale};
}
