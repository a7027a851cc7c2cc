/* How far a run is, read from its directory. */
#include "pipelines/driver/driver.h"
#include "pipelines/driver/driver_internal.h"

#include "base/file.h"

#include <limits.h>
#include <string.h>

struct stage_state {
    const char *id, *state; /* "done", "running", "begun", "to do" */
    const char *changed;    /* since the result before it; NULL: nothing, or there is none */
    double seconds;         /* it took; below 0 when not done */
    char detail[400];
};

static void describe_progress(const char *folder, struct stage_state *state) {
    char path[PATH_MAX], left[24] = "";
    json_t *progress;
    int64_t done = 0, total = 0, first = 0;
    double seconds = 0;
    const char *unit = "", *text = "";
    snprintf(path, sizeof path, "%s/progress.json", folder);
    if (ps_json_read_file(path, 1 << 16, &progress, NULL) != PS_OK) return;
    ps_json_integer_or(progress, "done", 0, INT64_MAX, 0, &done, NULL);
    ps_json_integer_or(progress, "total", 0, INT64_MAX, 0, &total, NULL);
    ps_json_integer_or(progress, "first", 0, INT64_MAX, 0, &first, NULL);
    ps_json_number_or(progress, "seconds", 0, &seconds, NULL);
    ps_json_string_or(progress, "unit", "", &unit, NULL);
    ps_json_string_or(progress, "text", "", &text, NULL);
    if (done > first && total > done && seconds > 0)
        ps_progress_duration((double)(total - done) * seconds / (double)(done - first), left);
    snprintf(state->detail, sizeof state->detail, "%lld/%lld %s%s%s%s%s%s", (long long)done,
             (long long)total, unit, left[0] ? "  " : "", left, left[0] ? " left" : "",
             text[0] ? "  " : "", text);
    json_decref(progress);
}

static enum ps_status read_state(const char *folder, const json_t *stage, bool running,
                                 bool *found_open, struct stage_state *state,
                                 struct ps_error *error) {
    char path[PATH_MAX];
    const char *fingerprint;
    json_t *done;
    *state = (struct stage_state){.state = "to do", .seconds = -1};
    PS_TRY(ps_json_string(stage, "id", &state->id, error));
    PS_TRY(ps_json_string(stage, "fingerprint", &fingerprint, error));
    snprintf(path, sizeof path, "%s/%s-%.12s/done", folder, state->id, fingerprint);
    if (ps_json_read_file(path, 1 << 16, &done, NULL) == PS_OK) {
        state->state = "done";
        ps_json_number_or(done, "seconds", -1, &state->seconds, NULL);
        json_decref(done);
        return PS_OK;
    }
    state->changed = json_string_value(ps_json_get(stage, "changed"));
    *strrchr(path, '/') = 0;
    if (!ps_directory_exists(path) || *found_open) return PS_OK;
    *found_open = true;
    state->state = running ? "running" : "begun";
    describe_progress(folder, state);
    return PS_OK;
}

static void print_state(const struct stage_state *state, FILE *out) {
    char time[24];
    fprintf(out, "  %-16s %-8s", state->id, state->state);
    if (state->seconds >= 0) fprintf(out, " in %s", ps_progress_duration(state->seconds, time));
    if (state->changed) fprintf(out, " changed: %s", state->changed);
    fprintf(out, "%s%s\n", state->detail[0] ? " " : "", state->detail);
}

static void write_state(const struct stage_state *state, struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "id", state->id);
    ps_json_put_string(writer, "state", state->state);
    if (state->seconds >= 0) {
        ps_json_put_number(writer, "seconds", state->seconds);
    }
    if (state->changed) ps_json_put_string(writer, "changed", state->changed);
    if (state->detail[0]) {
        ps_json_put_string(writer, "progress", state->detail);
    }
    ps_json_write_end_object(writer);
}

enum ps_status ps_run_status(const char *run_directory, bool json, FILE *out,
                             struct ps_error *error) {
    char path[PATH_MAX], holder[PS_LOCK_HOLDER];
    json_t *run = NULL, *stages, *stage;
    size_t index;
    bool found_open = false;
    struct ps_buffer text;
    struct ps_json_writer writer;
    enum ps_status status = PS_OK;
    snprintf(path, sizeof path, "%s/run.json", run_directory);
    PS_FAIL_IF(!ps_file_exists(path), error, PS_NOT_FOUND,
               "'%s' is no run directory; a run is found as runs/NAME", run_directory);
    PS_TRY(ps_json_read_file(path, 16 << 20, &run, error));
    bool running = ps_run_is_locked(run_directory, holder);
    ps_buffer_init(&text, 1 << 20);
    ps_json_writer_begin(&writer, &text);
    PS_TRY_DONE(ps_json_array(run, "stages", &stages, error));
    ps_json_write_begin_object(&writer);
    ps_json_put_bool(&writer, "running", running);
    ps_json_write_key(&writer, "stages");
    ps_json_write_begin_array(&writer);
    if (!json && running)
        fprintf(out, "%s: running as %s\n", run_directory, holder);
    else if (!json)
        fprintf(out, "%s: not running\n", run_directory);
    json_array_foreach(stages, index, stage) {
        struct stage_state state;
        PS_TRY_DONE(read_state(run_directory, stage, running, &found_open, &state, error));
        if (!json) print_state(&state, out);
        write_state(&state, &writer);
    }
    ps_json_write_end_array(&writer);
    ps_json_write_end_object(&writer);
    PS_TRY_DONE(ps_json_writer_end(&writer, error));
    if (json) fprintf(out, "%s\n", text.data);
done:
    ps_buffer_release(&text);
    json_decref(run);
    return status;
}
