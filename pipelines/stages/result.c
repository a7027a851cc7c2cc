#include "pipelines/stages/stages_internal.h"

#include "base/file.h"
#include "base/log.h"

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

enum ps_status ps_stage_check_disk(const char *path, struct ps_disk_need need,
                                   struct ps_error *error) {
    int64_t free = ps_disk_free(path);
    bool tight;
    PS_TRY(ps_disk_check(path, need, free, &tight, error));
    if (tight)
        ps_log_warning("%s: up to %.1f MB may be written there, and %.1f MB are free", path,
                       1e-6 * (double)need.most, 1e-6 * (double)free);
    return PS_OK;
}
