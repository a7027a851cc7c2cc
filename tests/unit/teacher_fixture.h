#pragma once
/* A little teacher with random weights and a tokenizer of its own, in a temporary folder. */
#include "unit.h"

#include "base/file.h"
#include "model/model.h"
#include "text/text.h"

#include <string.h>

static struct ps_error error;

/* The tokenizer has 278 entries, <|im_end|> is number 275. */
static const char teacher_config[] =
    "{\"model_type\": \"qwen3_moe\", \"architectures\": [\"Qwen3MoeForCausalLM\"],"
    " \"hidden_size\": 32, \"num_hidden_layers\": 2, \"num_attention_heads\": 4,"
    " \"num_key_value_heads\": 2, \"head_dim\": 8, \"intermediate_size\": 48,"
    " \"moe_intermediate_size\": 16, \"num_experts\": 8, \"num_experts_per_tok\": 2,"
    " \"norm_topk_prob\": true, \"decoder_sparse_step\": 1, \"mlp_only_layers\": [],"
    " \"hidden_act\": \"silu\", \"attention_bias\": false, \"tie_word_embeddings\": false,"
    " \"rms_norm_eps\": 1e-6, \"rope_theta\": 10000.0, \"initializer_range\": 0.3,"
    " \"router_aux_loss_coef\": 0.01, \"dtype\": \"bfloat16\", \"vocab_size\": %d,"
    " \"max_position_embeddings\": %d, \"eos_token_id\": %s}";

/* A model with its tokenizer in `folder`. end: config.json's eos_token_id. */
static inline void teacher_make(const char *folder, int vocabulary, int positions,
                                const char *end) {
    const char *lines[] = {"the cat and the hat and the bat", "how many cups do they eat?",
                           "each of them eats 5 cups", "then and there <think> </think>"};
    struct ps_model_config *config;
    struct ps_parameters *parameters;
    char text[2048], path[512];
    snprintf(path, sizeof path, "%s/config.json", folder);
    snprintf(text, sizeof text, teacher_config, vocabulary, positions, end);
    assert_ok(ps_directory_create(folder, &error));
    assert_ok(ps_file_write_atomic(path, text, strlen(text), &error));
    assert_ok(ps_model_config_open(&config, folder, &error));
    assert_ok(ps_parameters_create(&parameters, config, &error));
    assert_ok(ps_model_write_random(folder, config, parameters, PS_DTYPE_BF16, 7, &error));
    assert_ok(ps_tokenizer_train(lines, 4, 280, folder, &error));
    ps_parameters_release(parameters);
    ps_model_config_close(config);
}
