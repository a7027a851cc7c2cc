#pragma once
/* What several stages use. */
#include "pipelines/stages/stage.h"

extern const struct ps_stage_kind ps_stage_import, ps_stage_sample, ps_stage_train;

/* DIRECTORY/result.json. */
enum ps_status ps_stage_write_result(const struct ps_stage_context *context,
                                     const struct ps_buffer *json, struct ps_error *error);
