#pragma once
/* What the Qwen3 families have in common. */

#include "model/config_internal.h"

/* All of config.json but the experts. head_size_fallback as for ps_config_read_common. */
enum ps_status ps_qwen3_read(const json_t *json, int64_t head_size_fallback,
                             struct ps_model_config *config, struct ps_error *error);

/* Names of dense and of expert layers, closed by a name NULL. */
extern const struct ps_parameter_name ps_qwen3_names[];
