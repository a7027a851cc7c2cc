/* Qwen3, dense: grouped-query attention with RMSNorm of each head's query and key before RoPE
 * (halves), no biases unless attention_bias, SwiGLU. head_dim is a key of its own: H * head_dim
 * need not be hidden_size. */
#include "model/families/qwen3_internal.h"

enum ps_status ps_qwen3_read(const json_t *json, int64_t head_size_fallback,
                             struct ps_model_config *config, struct ps_error *error) {
    bool windowed;
    PS_TRY(ps_config_read_common(json, head_size_fallback, config, error));
    PS_TRY(ps_config_read_rope(json, 10000, PS_ROPE_HALVES, config->head_size,
                               config->max_positions, &config->rope, error));
    PS_TRY(ps_json_bool_or(json, "attention_bias", false, &config->qkv_bias, error));
    PS_TRY(ps_json_bool_or(json, "use_sliding_window", false, &windowed, error));
    PS_FAIL_IF(windowed, error, PS_UNSUPPORTED, "use_sliding_window is not supported");
    config->output_bias = config->qkv_bias;
    config->qk_norm = true;
    return PS_OK;
}

static enum ps_status translate(const json_t *json, struct ps_model_config *config,
                                struct ps_arena *arena, struct ps_error *error) {
    PS_TRY(ps_qwen3_read(json, 128, config, error));
    config->layer_has_experts = ps_arena_array(arena, (size_t)config->layers, sizeof(bool));
    PS_FAIL_IF_NULL(config->layer_has_experts, error);
    return PS_OK;
}

#define LAYER  "model.layers.{l}."
#define EXPERT LAYER "mlp.experts.{e}."

const struct ps_parameter_name ps_qwen3_names[] = {
    {PS_PARAMETER_EMBEDDING, "model.embed_tokens.weight", NULL},
    {PS_PARAMETER_INPUT_NORM, LAYER "input_layernorm.weight", NULL},
    {PS_PARAMETER_QUERY, LAYER "self_attn.q_proj.weight", NULL},
    {PS_PARAMETER_KEY, LAYER "self_attn.k_proj.weight", NULL},
    {PS_PARAMETER_VALUE, LAYER "self_attn.v_proj.weight", NULL},
    {PS_PARAMETER_QUERY_BIAS, LAYER "self_attn.q_proj.bias", NULL},
    {PS_PARAMETER_KEY_BIAS, LAYER "self_attn.k_proj.bias", NULL},
    {PS_PARAMETER_VALUE_BIAS, LAYER "self_attn.v_proj.bias", NULL},
    {PS_PARAMETER_QUERY_NORM, LAYER "self_attn.q_norm.weight", NULL},
    {PS_PARAMETER_KEY_NORM, LAYER "self_attn.k_norm.weight", NULL},
    {PS_PARAMETER_OUTPUT, LAYER "self_attn.o_proj.weight", NULL},
    {PS_PARAMETER_OUTPUT_BIAS, LAYER "self_attn.o_proj.bias", NULL},
    {PS_PARAMETER_POST_NORM, LAYER "post_attention_layernorm.weight", NULL},
    {PS_PARAMETER_GATE, LAYER "mlp.gate_proj.weight", NULL},
    {PS_PARAMETER_UP, LAYER "mlp.up_proj.weight", NULL},
    {PS_PARAMETER_DOWN, LAYER "mlp.down_proj.weight", NULL},
    {PS_PARAMETER_ROUTER, LAYER "mlp.gate.weight", NULL},
    {PS_PARAMETER_EXPERT_GATE, EXPERT "gate_proj.weight", LAYER "mlp.experts.gate_up_proj"},
    {PS_PARAMETER_EXPERT_UP, EXPERT "up_proj.weight", LAYER "mlp.experts.gate_up_proj"},
    {PS_PARAMETER_EXPERT_DOWN, EXPERT "down_proj.weight", LAYER "mlp.experts.down_proj"},
    {PS_PARAMETER_FINAL_NORM, "model.norm.weight", NULL},
    {PS_PARAMETER_HEAD, "lm_head.weight", NULL},
    {.name = NULL},
};

const struct ps_model_family ps_family_qwen3 = {
    "qwen3",
    "Qwen3ForCausalLM",
    translate,
    ps_qwen3_names,
};
