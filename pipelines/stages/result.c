#include "pipelines/stages/stages_internal.h"

#include "base/file.h"

#include <stdarg.h>
#include <string.h>

void ps_stage_plan_why(struct ps_stage_plan *plan, const char *format, ...) {
    size_t size = strlen(plan->why);
    if (size) size += (size_t)snprintf(plan->why + size, sizeof plan->why - size, "; ");
    if (size >= sizeof plan->why) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(plan->why + size, sizeof plan->why - size, format, arguments);
    va_end(arguments);
}

enum { RESULT_LIMIT = 64 << 20 };

void ps_stage_result_begin(struct ps_stage_result *result) {
    ps_buffer_init(&result->text, RESULT_LIMIT);
    ps_json_writer_begin(&result->writer, &result->text);
    ps_json_write_begin_object(&result->writer);
}

enum ps_status ps_stage_result_end(struct ps_stage_result *result,
                                   const struct ps_stage_context *context, struct ps_error *error) {
    ps_json_write_end_object(&result->writer);
    enum ps_status status = ps_json_writer_end(&result->writer, error);
    char *path = ps_path_join(context->arena, context->directory, "result.json");
    if (status == PS_OK && !path) status = ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK)
        status = ps_file_write_atomic(path, result->text.data, result->text.size, error);
    ps_buffer_release(&result->text);
    return status;
}
