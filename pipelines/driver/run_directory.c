/* The run directory: runs/NAME with a lock, the resolved pipeline, what it ran on, metrics, and a
 * directory for each result.
 *
 *     lock                       held while a run is on (base/lock.h); says by which process
 *     pipeline.resolved.yaml     what the run understood, every default filled in
 *     run.json                   version, machine, kernels, libraries, fingerprints
 *     metrics.jsonl              what the stages measured on the way
 *     progress.json              how far the stage at work is
 *     ID-FINGERPRINT/stage.json  what the result depends on, see fingerprint.c
 *     ID-FINGERPRINT/done        written last; without it the result does not count
 *     ID -> ID-FINGERPRINT       the newest that is done */
#include "pipelines/driver/driver_internal.h"

#include "base/file.h"
#include "pipelines/driver/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum ps_status write_file(const char *folder, const char *name, const struct ps_buffer *text,
                                 struct ps_error *error) {
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/%s", folder, name);
    PS_FAIL_IF(size < 0 || (size_t)size >= sizeof path, error, PS_ARGUMENT, "%s: path too long",
               folder);
    return ps_file_write_atomic(path, text->data ? text->data : "", text->size, error);
}

/* ---- lock ---- */

enum ps_status ps_run_lock(const struct ps_pipeline *pipeline, struct ps_lock *lock,
                           struct ps_error *error) {
    char path[PATH_MAX], holder[PS_LOCK_HOLDER];
    const char *folder = pipeline->run_directory;
    PS_TRY(ps_directory_create(folder, error));
    snprintf(path, sizeof path, "%s/lock", folder);
    enum ps_status status = ps_lock_take(lock, path, holder, error);
    PS_FAIL_IF(status == PS_BUSY, error, PS_BUSY,
               "%s: %s runs this pipeline; 'potstill status %s' shows how far it is", folder,
               holder, folder);
    return status;
}

bool ps_run_is_locked(const char *run_directory, char holder[PS_LOCK_HOLDER]) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/lock", run_directory);
    return ps_lock_is_held(path, holder);
}

/* ---- what the run is ---- */

/* One line a key, each entry of a section on a line of its own: YAML whose values are JSON. */
static enum ps_status resolved_yaml(struct ps_pipeline *pipeline, struct ps_buffer *text,
                                    struct ps_error *error) {
    struct ps_settings top = {&ps_pipeline_table, &pipeline->values};
    struct ps_buffer json;
    struct ps_json_writer writer;
    json_t *values = NULL, *child;
    const char *key, *name;
    bool fits = true;
    ps_buffer_init(&json, 64 << 20);
    ps_json_writer_begin(&writer, &json);
    ps_settings_write(&top, 1, false, &writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK)
        status = ps_json_parse(pipeline->path, json.data, json.size, &values, error);
    json_object_foreach(values, key, child) {
        fits = fits && ps_buffer_format(text, "%s:", key);
        if (!json_is_object(child)) {
            fits = fits && ps_buffer_puts(text, " ") && ps_json_dump(child, text, NULL) == PS_OK;
        } else {
            json_t *entry;
            json_object_foreach(child, name, entry) {
                fits = fits && ps_buffer_puts(text, "\n  ");
                json_t *quoted = json_string(name);
                fits = fits && quoted && ps_json_dump(quoted, text, NULL) == PS_OK;
                json_decref(quoted);
                fits =
                    fits && ps_buffer_puts(text, ": ") && ps_json_dump(entry, text, NULL) == PS_OK;
            }
        }
        fits = fits && ps_buffer_puts(text, "\n");
    }
    json_decref(values);
    fits = fits && ps_buffer_puts(text, "stages:\n");
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        const struct ps_stage *stage = &pipeline->stages[i];
        struct ps_settings part = {stage->kind->settings, (void *)stage->settings};
        json.size = 0;
        ps_json_writer_begin(&writer, &json);
        ps_settings_write(&part, 1, false, &writer);
        if (status == PS_OK) status = ps_json_writer_end(&writer, error);
        bool more = json.size > 2; /* the closing brace apart */
        fits = fits && status == PS_OK &&
               ps_buffer_format(text, "  - %s: {\"id\":\"%s\",\"needs\":[", stage->kind->name,
                                stage->id);
        for (size_t j = 0; j < stage->input_count; j++)
            fits = fits && ps_buffer_format(text, "%s\"%s\"", j ? "," : "", stage->inputs[j]->id);
        fits = fits && ps_buffer_format(text, "]%s%s\n", more ? "," : "", json.data + 1);
    }
    ps_buffer_release(&json);
    return status == PS_OK && !fits ? ps_error_set(error, PS_MEMORY, "out of memory") : status;
}

static enum ps_status run_json(struct ps_pipeline *pipeline, struct ps_buffer *text,
                               struct ps_error *error) {
    struct ps_json_writer writer;
    struct ps_machine machine;
    PS_TRY(ps_machine_examine(&machine, error));
    ps_json_writer_begin(&writer, text);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "potstill", PS_VERSION);
    ps_json_put_string(&writer, "name", pipeline->values.name);
    ps_json_put_string(&writer, "pipeline", pipeline->path);
    ps_json_put_integer(&writer, "limit", pipeline->limit);
    ps_json_put_integer(&writer, "seed", pipeline->values.seed);
    ps_json_put_string(&writer, "date", pipeline->values.date);
    ps_json_put_string(&writer, "store", pipeline->values.store);
    ps_json_put_integer(&writer, "started", (int64_t)time(NULL));
    ps_json_write_key(&writer, "machine");
    ps_json_write_begin_object(&writer);
    ps_machine_write(&machine, &writer);
    ps_json_write_end_object(&writer);
    ps_json_write_key(&writer, "stages");
    ps_json_write_begin_array(&writer);
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        const struct ps_stage *stage = &pipeline->stages[i];
        ps_json_write_begin_object(&writer);
        ps_json_put_string(&writer, "id", stage->id);
        ps_json_put_string(&writer, "kind", stage->kind->name);
        ps_json_put_string(&writer, "fingerprint", stage->fingerprint);
        char changed[160] = "";
        if (!ps_stage_is_done(stage))
            PS_TRY(ps_stage_changes(pipeline, stage, changed, sizeof changed, error));
        if (changed[0]) ps_json_put_string(&writer, "changed", changed);
        ps_json_write_end_object(&writer);
    }
    ps_json_write_end_array(&writer);
    ps_json_write_end_object(&writer);
    PS_TRY(ps_json_writer_end(&writer, error));
    PS_FAIL_IF(!ps_buffer_puts(text, "\n"), error, PS_MEMORY, "out of memory");
    return PS_OK;
}

enum ps_status ps_run_describe(struct ps_pipeline *pipeline, struct ps_error *error) {
    struct ps_buffer text;
    const char *folder = pipeline->run_directory;
    ps_buffer_init(&text, 64 << 20);
    enum ps_status status = resolved_yaml(pipeline, &text, error);
    if (status == PS_OK) status = write_file(folder, "pipeline.resolved.yaml", &text, error);
    text.size = 0;
    if (status == PS_OK) status = run_json(pipeline, &text, error);
    if (status == PS_OK) status = write_file(folder, "run.json", &text, error);
    text.size = 0;
    if (status == PS_OK && !ps_buffer_format(&text, "%s\n", pipeline->values.date))
        status = ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK) status = write_file(folder, "date", &text, error);
    ps_buffer_release(&text);
    return status;
}

/* ---- stages ---- */

bool ps_stage_is_done(const struct ps_stage *stage) {
    char path[PATH_MAX];
    if (!stage->directory) return false;
    snprintf(path, sizeof path, "%s/done", stage->directory);
    return ps_file_exists(path);
}

enum ps_status ps_stage_begin(struct ps_pipeline *pipeline, const struct ps_stage *stage,
                              struct ps_error *error) {
    struct ps_buffer text;
    char progress[PATH_MAX];
    ps_buffer_init(&text, 64 << 20);
    snprintf(progress, sizeof progress, "%s/progress.json", pipeline->run_directory);
    unlink(progress); /* of the stage before */
    enum ps_status status = ps_directory_create(stage->directory, error);
    if (status == PS_OK) status = ps_stage_identity(pipeline, stage, &text, error);
    if (status == PS_OK) status = write_file(stage->directory, "stage.json", &text, error);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status link_newest(const struct ps_pipeline *pipeline, const struct ps_stage *stage,
                                  struct ps_error *error) {
    char link[PATH_MAX];
    snprintf(link, sizeof link, "%s/%s", pipeline->run_directory, stage->id);
    PS_TRY(ps_link_replace(link, strrchr(stage->directory, '/') + 1, error));
    return ps_directory_sync(pipeline->run_directory, error);
}

enum ps_status ps_stage_finish(struct ps_pipeline *pipeline, const struct ps_stage *stage,
                               double seconds, struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 4096);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "fingerprint", stage->fingerprint);
    ps_json_put_number(&writer, "seconds", (double)(int64_t)(seconds * 1000) / 1000);
    ps_json_put_integer(&writer, "finished", (int64_t)time(NULL));
    ps_json_put_string(&writer, "potstill", PS_VERSION);
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK) status = write_file(stage->directory, "done", &text, error);
    ps_buffer_release(&text);
    return status == PS_OK ? link_newest(pipeline, stage, error) : status;
}

/* ---- what changed ---- */

static void add_change(char *text, size_t size, const char *prefix, const char *key) {
    size_t at = strlen(text);
    snprintf(text + at, size - at, "%s%s%s%s", at ? ", " : "", prefix, prefix[0] ? "." : "", key);
}

static void compare(const json_t *before, const json_t *now, const char *prefix, char *text,
                    size_t size) {
    const char *key;
    json_t *child;
    json_object_foreach((json_t *)now, key, child) {
        const json_t *old = json_object_get(before, key);
        if (old && json_equal(old, child)) continue;
        if (!prefix[0] && json_is_object(child) && json_is_object(old))
            compare(old, child, key, text, size);
        else
            add_change(text, size, prefix, key);
    }
    json_object_foreach((json_t *)before, key, child) if (!json_object_get(now, key))
        add_change(text, size, prefix, key);
}

enum ps_status ps_stage_changes(struct ps_pipeline *pipeline, const struct ps_stage *stage,
                                char *text, size_t size, struct ps_error *error) {
    char path[PATH_MAX];
    json_t *before = NULL, *now = NULL;
    struct ps_buffer identity;
    text[0] = 0;
    snprintf(path, sizeof path, "%s/%s/stage.json", pipeline->run_directory, stage->id);
    if (ps_json_read_file(path, 64 << 20, &before, NULL) != PS_OK) return PS_OK; /* none yet */
    ps_buffer_init(&identity, 64 << 20);
    enum ps_status status = ps_stage_identity(pipeline, stage, &identity, error);
    if (status == PS_OK)
        status = ps_json_parse(stage->id, identity.data, identity.size, &now, error);
    if (status == PS_OK) compare(before, now, "", text, size);
    ps_buffer_release(&identity);
    json_decref(before);
    json_decref(now);
    return status;
}

/* ---- metrics and progress ---- */

enum ps_status ps_metrics_open(struct ps_metrics *metrics, const struct ps_pipeline *pipeline,
                               const struct ps_stage *stage, struct ps_error *error) {
    char path[PATH_MAX];
    *metrics = (struct ps_metrics){.stage = stage};
    ps_buffer_init(&metrics->line, 1 << 20);
    snprintf(path, sizeof path, "%s/metrics.jsonl", pipeline->run_directory);
    metrics->descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    return metrics->descriptor < 0 ? ps_error_errno(error, errno, "%s", path) : PS_OK;
}

void ps_metrics_close(struct ps_metrics *metrics) {
    if (metrics->descriptor >= 0) close(metrics->descriptor);
    ps_buffer_release(&metrics->line);
}

struct ps_json_writer *ps_metrics_begin(struct ps_metrics *metrics, const char *kind) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char fingerprint[13] = "";
    snprintf(fingerprint, sizeof fingerprint, "%.12s", metrics->stage->fingerprint);
    struct ps_json_writer *writer = &metrics->writer;
    metrics->line.size = 0;
    ps_json_writer_begin(writer, &metrics->line);
    ps_json_write_begin_object(writer);
    ps_json_put_number(writer, "time", (double)now.tv_sec + (double)(now.tv_nsec / 1000000) / 1000);
    ps_json_put_string(writer, "stage", metrics->stage->id);
    ps_json_put_string(writer, "fingerprint", fingerprint);
    ps_json_put_string(writer, "kind", kind);
    return writer;
}

enum ps_status ps_metrics_end(struct ps_metrics *metrics, struct ps_error *error) {
    struct ps_buffer *line = &metrics->line;
    ps_json_write_end_object(&metrics->writer);
    PS_TRY(ps_json_writer_end(&metrics->writer, error));
    PS_FAIL_IF(!ps_buffer_puts(line, "\n"), error, PS_MEMORY, "out of memory");
    ssize_t written = write(metrics->descriptor, line->data, line->size);
    PS_FAIL_IF(written >= 0 && (size_t)written < line->size, error, PS_FULL,
               "metrics.jsonl: no space left");
    return written < 0 ? ps_error_errno(error, errno, "metrics.jsonl") : PS_OK;
}

void ps_run_observe(void *run_directory, const struct ps_progress *progress) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    char path[PATH_MAX], fresh[PATH_MAX];
    ps_buffer_init(&text, 4096);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "stage", progress->name);
    ps_json_put_integer(&writer, "done", (int64_t)progress->done);
    ps_json_put_integer(&writer, "total", (int64_t)progress->total);
    ps_json_put_string(&writer, "unit", progress->unit);
    ps_json_put_string(&writer, "text", progress->text);
    ps_json_put_number(&writer, "seconds", ps_seconds() - progress->started);
    ps_json_put_integer(&writer, "first", (int64_t)progress->first);
    ps_json_write_end_object(&writer);
    snprintf(path, sizeof path, "%s/progress.json", (const char *)run_directory);
    snprintf(fresh, sizeof fresh, "%s/.progress.tmp", (const char *)run_directory);
    /* No fsync: it is worth nothing after a crash, and a full disk must not stop the run here. */
    FILE *file = ps_json_writer_end(&writer, NULL) == PS_OK ? fopen(fresh, "we") : NULL;
    if (file) {
        bool written = fwrite(text.data, 1, text.size, file) == text.size;
        written = fclose(file) == 0 && written;
        if (!written || rename(fresh, path) != 0) unlink(fresh);
    }
    ps_buffer_release(&text);
}
