/* What the report says about the stages before an evaluation: the funnel, the curves, the lineage.
 *
 * A stage's result.json is written by that stage; keys that are not there count as 0. */
#include "pipelines/report/report_internal.h"

#include "base/file.h"
#include "base/hash.h"
#include "store/store.h"

#include <math.h>
#include <string.h>

static int64_t count_of(const json_t *object, const char *key) {
    json_t *value = ps_json_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : 0;
}

static void write_text(struct ps_json_writer *writer, const char *key, const char *text) {
    ps_json_write_key(writer, key);
    ps_json_write_string(writer, text);
}

static void write_integer(struct ps_json_writer *writer, const char *key, int64_t value) {
    ps_json_write_key(writer, key);
    ps_json_write_integer(writer, value);
}

/* ---- funnel ---- */

/* kind is the colour: "kept", "lost" or a verdict. */
static void write_part(struct ps_json_writer *writer, const char *name, const char *kind,
                       int64_t count) {
    ps_json_write_begin_object(writer);
    write_text(writer, "name", name);
    write_text(writer, "kind", kind);
    write_integer(writer, "count", count);
    ps_json_write_end_object(writer);
}

static void write_parts(struct ps_json_writer *writer, const json_t *counts, const char *kind) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)counts, key, value) if (json_is_integer(value))
        write_part(writer, key, kind ? kind : key, json_integer_value(value));
}

/* note: "BEFORE count AFTER". */
static void write_head(struct ps_json_writer *writer, const char *label, int64_t count,
                       const char *before, int64_t note_count, const char *after) {
    char text[96];
    write_text(writer, "label", label);
    write_integer(writer, "count", count);
    snprintf(text, sizeof text, "%s%lld %s", before, (long long)note_count, after);
    write_text(writer, "note", note_count ? text : "");
    ps_json_write_key(writer, "parts");
    ps_json_write_begin_array(writer);
}

static void write_sampled(struct ps_json_writer *writer, const json_t *result) {
    int64_t present = count_of(result, "present"), cut = count_of(result, "truncated");
    int64_t missing = count_of(result, "replies") - present;
    write_head(writer, "replies sampled", present, "to ", count_of(result, "prompts"), "prompts");
    write_part(writer, "complete", "kept", present - cut);
    write_part(writer, "cut by the token limit", "truncated", cut);
    write_part(writer, "failed", "lost", missing > 0 ? missing : 0);
}

static void write_imported(struct ps_json_writer *writer, const json_t *result) {
    int64_t traces = count_of(result, "traces");
    write_head(writer, "replies imported", traces, "to ", count_of(result, "prompts"), "prompts");
    write_part(writer, "imported", "kept", traces);
    write_part(writer, "without solution or answer", "lost", count_of(result, "without_target"));
}

static void write_graded(struct ps_json_writer *writer, const json_t *result) {
    const json_t *verdicts = ps_json_get(result, "verdicts");
    write_head(writer, "correct", count_of(verdicts, "correct"), "of ", count_of(result, "traces"),
               "graded");
    write_parts(writer, verdicts, NULL);
}

static void write_selected(struct ps_json_writer *writer, const json_t *result) {
    write_head(writer, "selected", count_of(result, "kept"), "of ", count_of(result, "questions"),
               "questions");
    write_part(writer, "selected", "kept", count_of(result, "kept"));
    write_parts(writer, ps_json_get(result, "dropped"), "lost");
}

static void write_trained(struct ps_json_writer *writer, const json_t *result,
                          const json_t *settings) {
    const char *overlong = json_string_value(ps_json_get(settings, "overlong"));
    bool dropped = !overlong || strcmp(overlong, "drop") == 0;
    write_head(writer, "trained on", count_of(result, "examples"), "", count_of(result, "targets"),
               "target tokens");
    write_part(writer, "trained on", "kept", count_of(result, "examples"));
    write_part(writer, "held out for validation", "lost", count_of(result, "validation_examples"));
    if (dropped)
        write_part(writer, "longer than the sequence length", "lost", count_of(result, "overlong"));
}

static enum ps_status write_step(struct ps_report *report, const struct ps_report_stage *stage,
                                 struct ps_json_writer *writer, struct ps_error *error) {
    static const char *const kinds[] = {"sample", "import", "grade", "select", "train", NULL};
    json_t *result, *identity = NULL, *input;
    const char *key;
    size_t kind = 0;
    while (kinds[kind] && strcmp(kinds[kind], stage->kind) != 0) kind++;
    if (!kinds[kind]) return PS_OK;
    PS_TRY(ps_report_read(report, stage->directory, "result.json", &result, error));
    if (!result) return PS_OK;
    enum ps_status status =
        ps_report_read(report, stage->directory, "stage.json", &identity, error);
    ps_json_write_begin_object(writer);
    write_text(writer, "stage", stage->id);
    write_text(writer, "kind", stage->kind);
    ps_json_write_key(writer, "inputs");
    ps_json_write_begin_array(writer);
    json_object_foreach(ps_json_get(identity, "inputs"), key, input)
        ps_json_write_string(writer, key);
    ps_json_write_end_array(writer);
    switch (kind) {
    case 0: write_sampled(writer, result); break;
    case 1: write_imported(writer, result); break;
    case 2: write_graded(writer, result); break;
    case 3: write_selected(writer, result); break;
    default: write_trained(writer, result, ps_json_get(identity, "settings")); break;
    }
    ps_json_write_end_array(writer);
    ps_json_write_end_object(writer);
    json_decref(result);
    json_decref(identity);
    return status;
}

enum ps_status ps_report_write_funnel(struct ps_report *report, const struct ps_report_run *run,
                                      struct ps_json_writer *writer, struct ps_error *error) {
    ps_json_write_key(writer, "funnel");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < run->stage_count; i++)
        PS_TRY(write_step(report, &run->stages[i], writer, error));
    ps_json_write_end_array(writer);
    return PS_OK;
}

/* ---- lineage ---- */

static enum ps_status write_stage(struct ps_report *report, const struct ps_report_stage *stage,
                                  struct ps_json_writer *writer, struct ps_error *error) {
    json_t *identity, *done = NULL;
    PS_TRY(ps_report_read(report, stage->directory, "stage.json", &identity, error));
    enum ps_status status = ps_report_read(report, stage->directory, "done", &done, error);
    ps_json_write_begin_object(writer);
    write_text(writer, "id", stage->id);
    write_text(writer, "kind", stage->kind);
    write_text(writer, "fingerprint", stage->fingerprint);
    static const char *const keys[] = {"seconds", "finished"};
    for (size_t i = 0; i < 2; i++) {
        ps_json_write_key(writer, keys[i]);
        ps_json_write_value(writer, ps_json_get(done, keys[i]));
    }
    ps_json_write_key(writer, "identity");
    ps_json_write_value(writer, identity);
    ps_json_write_end_object(writer);
    json_decref(identity);
    json_decref(done);
    return status;
}

static enum ps_status store_numbers(const char *path, struct ps_hash *hash, int64_t *traces,
                                    struct ps_error *error) {
    struct ps_store *store;
    struct ps_store_stats stats;
    PS_TRY(ps_store_open(&store, path, PS_STORE_READ, error));
    enum ps_status status = ps_store_hash(store, hash, error);
    if (status == PS_OK) status = ps_store_stats(store, NULL, &stats, error);
    if (status == PS_OK) *traces = stats.traces;
    ps_store_close(store);
    return status;
}

/* A store that was moved or is in use does not stop the report: it says so instead of the hash. */
static void write_store(const char *path, struct ps_json_writer *writer) {
    struct ps_error error = {0};
    struct ps_hash hash;
    char hex[PS_HASH_HEX_SIZE];
    int64_t traces = 0;
    write_text(writer, "path", path);
    if (!path) return;
    if (store_numbers(path, &hash, &traces, &error) != PS_OK) {
        write_text(writer, "why", error.message);
        return;
    }
    write_text(writer, "hash", ps_hash_hex(&hash, hex));
    write_integer(writer, "traces", traces);
}

enum ps_status ps_report_write_lineage(struct ps_report *report, const struct ps_report_run *source,
                                       struct ps_json_writer *writer, struct ps_error *error) {
    json_t *run = NULL;
    struct ps_buffer text;
    char *path = NULL;
    if (source->path) {
        path = ps_path_join(&report->arena, source->path, "pipeline.resolved.yaml");
        PS_FAIL_IF_NULL(path, error);
        PS_TRY(ps_report_read(report, source->path, "run.json", &run, error));
    }
    ps_json_write_key(writer, "lineage");
    ps_json_write_begin_object(writer);
    ps_json_write_key(writer, "run");
    if (run) {
        ps_json_write_value(writer, run);
    } else {
        ps_json_write_begin_object(writer);
        ps_json_write_end_object(writer);
    }
    ps_json_write_key(writer, "store");
    ps_json_write_begin_object(writer);
    write_store(source->store ? source->store : json_string_value(ps_json_get(run, "store")),
                writer);
    ps_json_write_end_object(writer);
    json_decref(run);
    ps_json_write_key(writer, "stages");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < source->stage_count; i++)
        PS_TRY(write_stage(report, &source->stages[i], writer, error));
    ps_json_write_end_array(writer);
    ps_buffer_init(&text, 64 << 20);
    enum ps_status status = path && ps_file_exists(path) ? ps_file_read(path, &text, error) : PS_OK;
    ps_json_write_key(writer, "pipeline");
    ps_json_write_text(writer, text.data ? text.data : "", text.size);
    ps_buffer_release(&text);
    ps_json_write_end_object(writer);
    return status;
}
