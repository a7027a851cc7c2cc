#include "pipelines/commands/filter.h"

#include "base/stop.h"

#include <stdio.h>

enum { LINE_LIMIT = 1 << 30, MOST_LINES = 1024 };

/* A line and its answer. */
struct job {
    const char *text;
    size_t size, number;
    struct ps_buffer out;
    enum ps_status status; /* at first: of reading the line */
    struct ps_error error;
};

struct batch {
    ps_filter_function *answer;
    void *context;
    struct ps_json_lines lines;
    struct job *jobs;
    size_t count, most;
};

static enum ps_status answer_line(const struct batch *batch, struct job *job,
                                  struct ps_error *error) {
    struct ps_json_writer writer;
    json_t *line;
    PS_TRY(ps_json_parse_line(batch->lines.name, job->number, job->text, job->size, &line, error));
    job->out.size = 0;
    ps_json_writer_begin(&writer, &job->out);
    enum ps_status status = json_is_object(line)
                                ? batch->answer(batch->context, line, &writer, error)
                                : ps_error_set(error, PS_FORMAT, "the line is no JSON object");
    json_decref(line);
    return status == PS_OK ? ps_json_writer_end(&writer, error) : status;
}

static enum ps_status answer_error(const char *message, struct ps_buffer *out,
                                   struct ps_error *error) {
    struct ps_json_writer writer;
    out->size = 0;
    ps_json_writer_begin(&writer, out);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "error", message);
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
}

static bool is_fault_of_line(enum ps_status status) {
    return status == PS_FORMAT || status == PS_ARGUMENT || status == PS_LIMIT ||
           status == PS_NOT_FOUND;
}

static void answer_job(const struct batch *batch, struct job *job) {
    if (job->status == PS_OK) job->status = answer_line(batch, job, &job->error);
    if (!is_fault_of_line(job->status)) return;
    struct ps_error failure;
    job->status = answer_error(job->error.message, &job->out, &failure);
    if (job->status != PS_OK) job->error = failure;
}

/* Waits for a line and takes those that came with it. */
static enum ps_status read_lines(struct batch *batch, struct ps_error *error) {
    struct ps_json_lines *lines = &batch->lines;
    batch->count = 0;
    do {
        struct job *job = &batch->jobs[batch->count];
        job->status = ps_json_lines_text(lines, &job->text, &job->size, &job->error);
        PS_FAIL_IF(job->status != PS_OK && !is_fault_of_line(job->status), error, job->status, "%s",
                   job->error.message);
        if (job->status == PS_OK && !job->text) break;
        job->number = lines->line;
        batch->count++;
    } while (batch->count < batch->most && ps_json_lines_ready(lines));
    return PS_OK;
}

/* A reader that went away shows in stdout's error flag, which main looks at: *gone. */
static enum ps_status write_answers(const struct batch *batch, bool *gone, struct ps_error *error) {
    for (size_t i = 0; i < batch->count; i++) {
        const struct job *job = &batch->jobs[i];
        PS_FAIL_IF(job->status != PS_OK, error, job->status, "%s", job->error.message);
        *gone = fwrite(job->out.data, 1, job->out.size, stdout) != job->out.size ||
                putchar('\n') == EOF;
        if (*gone) return PS_OK;
    }
    *gone = fflush(stdout) != 0;
    return PS_OK;
}

enum ps_status ps_filter_lines(ps_filter_function *answer, void *context, bool parallel,
                               struct ps_error *error) {
    struct batch batch = {.answer = answer, .context = context, .most = parallel ? MOST_LINES : 1};
    bool gone = false;
    batch.jobs = ps_calloc(batch.most, sizeof *batch.jobs);
    PS_FAIL_IF_NULL(batch.jobs, error);
    for (size_t i = 0; i < batch.most; i++) ps_buffer_init(&batch.jobs[i].out, LINE_LIMIT);
    ps_json_lines_open(&batch.lines, "stdin", 0, LINE_LIMIT);
    enum ps_status status = PS_OK;
    while (!gone) {
        PS_TRY_DONE(ps_stop_check(error));
        PS_TRY_DONE(read_lines(&batch, error));
        if (batch.count == 0) break;
#pragma omp parallel for schedule(dynamic, 1) if (batch.count > 1)
        for (size_t i = 0; i < batch.count; i++) answer_job(&batch, &batch.jobs[i]);
        PS_TRY_DONE(write_answers(&batch, &gone, error));
    }
done:
    for (size_t i = 0; i < batch.most; i++) ps_buffer_release(&batch.jobs[i].out);
    ps_free(batch.jobs);
    ps_json_lines_close(&batch.lines);
    return status;
}
