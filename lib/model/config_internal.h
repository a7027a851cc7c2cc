#pragma once
/* What config.c keeps beside the public description, and what a family file provides. */

#include "base/json.h"
#include "base/memory.h"
#include "model/model.h"

/* The public part comes first: a pointer to one is a pointer to the other. */
struct model_config {
    struct ps_model_config config;
    const struct ps_model_family *family;
    struct ps_arena arena;
    json_t *json, *generation; /* as read; generation may be NULL */
};

/* Name of a tensor: "{l}" stands for the layer, "{e}" for the expert. packed: the name of one
 * tensor [E, ...] that holds all experts, where a checkpoint has it so instead; NULL: never. For
 * gate and up that tensor is [E, 2 I, C], gate first. */
struct ps_parameter_name {
    enum ps_parameter_role role;
    const char *name, *packed;
};

/* A model family: fills the description from config.json and names the tensors. */
struct ps_model_family {
    const char *model_type, *architecture;
    enum ps_status (*translate)(const json_t *json, struct ps_model_config *config,
                                struct ps_arena *arena, struct ps_error *error);
    const struct ps_parameter_name *names; /* closed by a name NULL */
};

extern const struct ps_model_family ps_family_qwen3, ps_family_qwen3_moe;

static inline const struct ps_model_family *
ps_model_config_family(const struct ps_model_config *config) {
    return ((const struct model_config *)config)->family;
}

/* NULL: the family has no such role. */
const struct ps_parameter_name *ps_family_name(const struct ps_model_family *family,
                                               enum ps_parameter_role role);
/* A name with layer and expert put in; NULL: out of memory. */
char *ps_parameter_format(struct ps_arena *arena, const char *pattern, int64_t layer,
                          int64_t expert);

/* ---- pieces that families share ---- */

/* hidden_size, layers, heads, vocabulary, epsilon, ... by their usual keys. head_size_fallback 0:
 * hidden_size / heads. */
enum ps_status ps_config_read_common(const json_t *json, int64_t head_size_fallback,
                                     struct ps_model_config *config, struct ps_error *error);
/* rope_parameters, or rope_theta with rope_scaling. */
enum ps_status ps_config_read_rope(const json_t *json, double default_theta,
                                   enum ps_rope_layout layout, int64_t rotary,
                                   int64_t max_positions, struct ps_rope_config *rope,
                                   struct ps_error *error);

/* Largest of what a config.json may say: far beyond any model, small enough that products of two
 * or three fit 64 bits. */
enum {
    PS_CONFIG_MAX_WIDTH = 1 << 20,
    PS_CONFIG_MAX_LAYERS = 1 << 12,
    PS_CONFIG_MAX_EXPERTS = 1 << 12,
    PS_CONFIG_MAX_VOCABULARY = 1 << 24,
    PS_CONFIG_MAX_POSITIONS = 1 << 26
};
