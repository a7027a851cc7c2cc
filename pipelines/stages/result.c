#include "pipelines/stages/stages_internal.h"

#include "base/file.h"

enum ps_status ps_stage_write_result(const struct ps_stage_context *context,
                                     const struct ps_buffer *json, struct ps_error *error) {
    char *path = ps_path_join(context->arena, context->directory, "result.json");
    PS_FAIL_IF_NULL(path, error);
    return ps_file_write_atomic(path, json->data, json->size, error);
}
