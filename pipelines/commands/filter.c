#include "pipelines/commands/filter.h"

#include "base/stop.h"

#include <stdio.h>

enum { LINE_LIMIT = 1 << 30 };

static enum ps_status answer_line(ps_filter_function *answer, void *context, const json_t *line,
                                  struct ps_buffer *out, struct ps_error *error) {
    struct ps_json_writer writer;
    out->size = 0;
    PS_FAIL_IF(!json_is_object(line), error, PS_FORMAT, "the line is no JSON object");
    ps_json_writer_begin(&writer, out);
    PS_TRY(answer(context, line, &writer, error));
    return ps_json_writer_end(&writer, error);
}

static enum ps_status answer_error(const char *message, struct ps_buffer *out,
                                   struct ps_error *error) {
    struct ps_json_writer writer;
    out->size = 0;
    ps_json_writer_begin(&writer, out);
    ps_json_write_begin_object(&writer);
    ps_json_write_key(&writer, "error");
    ps_json_write_string(&writer, message);
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
}

static bool is_fault_of_line(enum ps_status status) {
    return status == PS_FORMAT || status == PS_ARGUMENT || status == PS_LIMIT ||
           status == PS_NOT_FOUND;
}

enum ps_status ps_filter_lines(ps_filter_function *answer, void *context, struct ps_error *error) {
    struct ps_json_lines lines;
    struct ps_buffer out;
    struct ps_error failure = {0};
    enum ps_status status = PS_OK;
    ps_json_lines_open(&lines, "stdin", 0, LINE_LIMIT);
    ps_buffer_init(&out, LINE_LIMIT);
    for (;;) {
        json_t *line = NULL;
        PS_TRY_DONE(ps_stop_check(error));
        status = ps_json_lines_next(&lines, &line, &failure);
        if (status == PS_OK && !line) break;
        if (status == PS_OK) status = answer_line(answer, context, line, &out, &failure);
        json_decref(line);
        if (is_fault_of_line(status)) status = answer_error(failure.message, &out, &failure);
        PS_FAIL_DONE_IF(status != PS_OK, error, status, "%s", failure.message);
        /* A reader that went away shows in stdout's error flag, which main looks at. */
        if (fwrite(out.data, 1, out.size, stdout) != out.size || putchar('\n') == EOF ||
            fflush(stdout) != 0)
            break;
    }
done:
    ps_buffer_release(&out);
    ps_json_lines_close(&lines);
    return status;
}
