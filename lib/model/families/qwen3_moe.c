/* Qwen3-MoE: Qwen3's attention; in place of the dense block, experts chosen by a softmax router
 * without a shared expert. head_dim is 128 in the released files, which is not hidden / heads; the
 * class has no such field, so the file alone says it. norm_topk_prob is false in the class and
 * true in the released files. */
#include "model/families/qwen3_internal.h"

static enum ps_status read_layers(const json_t *json, struct ps_model_config *config,
                                  struct ps_arena *arena, struct ps_error *error) {
    int64_t step;
    json_t *dense;
    PS_TRY(
        ps_json_integer_or(json, "decoder_sparse_step", 1, PS_CONFIG_MAX_LAYERS, 1, &step, error));
    PS_TRY(ps_json_array_or(json, "mlp_only_layers", &dense, error));
    bool *has_experts = ps_arena_array(arena, (size_t)config->layers, sizeof *has_experts);
    PS_FAIL_IF_NULL(has_experts, error);
    for (int64_t i = 0; i < config->layers; i++) has_experts[i] = (i + 1) % step == 0;
    for (size_t i = 0; i < json_array_size(dense); i++) {
        const json_t *layer = json_array_get(dense, i);
        PS_FAIL_IF(!json_is_integer(layer), error, PS_FORMAT,
                   "mlp_only_layers is not a list of layers");
        json_int_t index = json_integer_value(layer);
        if (index >= 0 && index < config->layers) has_experts[index] = false;
    }
    config->layer_has_experts = has_experts;
    return PS_OK;
}

static enum ps_status translate(const json_t *json, struct ps_model_config *config,
                                struct ps_arena *arena, struct ps_error *error) {
    PS_TRY(ps_qwen3_read(json, 0, config, error));
    const char *count = ps_json_get(json, "num_experts") ? "num_experts" : "num_local_experts";
    PS_TRY(ps_json_integer(json, count, 1, PS_CONFIG_MAX_EXPERTS, &config->experts, error));
    PS_TRY(ps_json_integer(json, "num_experts_per_tok", 1, config->experts,
                           &config->experts_per_token, error));
    PS_TRY(ps_json_integer(json, "moe_intermediate_size", 1, PS_CONFIG_MAX_WIDTH,
                           &config->expert_intermediate_size, error));
    PS_TRY(ps_json_bool_or(json, "norm_topk_prob", false, &config->normalise_weights, error));
    PS_TRY(ps_json_number_or(json, "router_aux_loss_coef", 0.001, &config->load_balance_coefficient,
                             error));
    config->router_score = PS_ROUTER_SOFTMAX;
    config->router_scale = 1;
    return read_layers(json, config, arena, error);
}

const struct ps_model_family ps_family_qwen3_moe = {
    "qwen3_moe",
    "Qwen3MoeForCausalLM",
    translate,
    ps_qwen3_names,
};
