/* From a run's directory to report.json and report.html. */
#include "pipelines/report/report_internal.h"
#include "pipelines/report/scores.h"

#include "base/file.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum { FILE_LIMIT = 256 << 20 };

enum ps_status ps_report_read(struct ps_report *report, const char *folder, const char *name,
                              json_t **value, struct ps_error *error) {
    char *path = ps_path_join(&report->arena, folder, name);
    *value = NULL;
    PS_FAIL_IF_NULL(path, error);
    return ps_file_exists(path) ? ps_json_read_file(path, FILE_LIMIT, value, error) : PS_OK;
}

/* ---- stages ---- */

static enum ps_status read_stage(const char *run_directory, const json_t *entry,
                                 struct ps_arena *arena, struct ps_report_stage *stage, bool *done,
                                 struct ps_error *error) {
    const char **texts[] = {&stage->id, &stage->kind, &stage->fingerprint};
    static const char *const keys[] = {"id", "kind", "fingerprint"};
    for (size_t i = 0; i < 3; i++) {
        PS_TRY(ps_json_string(entry, keys[i], texts[i], error));
        *texts[i] = ps_arena_strndup(arena, *texts[i], strlen(*texts[i]));
        PS_FAIL_IF_NULL(*texts[i], error);
    }
    stage->directory =
        ps_arena_format(arena, "%s/%s-%.12s", run_directory, stage->id, stage->fingerprint);
    char *mark = stage->directory ? ps_path_join(arena, stage->directory, "done") : NULL;
    PS_FAIL_IF_NULL(mark, error);
    *done = ps_file_exists(mark);
    return PS_OK;
}

static enum ps_status read_stages(const char *run_directory, const json_t *run,
                                  struct ps_arena *arena, struct ps_report_stage **stages,
                                  size_t *count, struct ps_error *error) {
    json_t *list;
    PS_TRY(ps_json_array(run, "stages", &list, error));
    *count = 0;
    *stages = ps_arena_array(arena, json_array_size(list) + 1, sizeof **stages);
    PS_FAIL_IF_NULL(*stages, error);
    for (size_t i = 0; i < json_array_size(list); i++) {
        bool done = false;
        PS_TRY(read_stage(run_directory, json_array_get(list, i), arena, &(*stages)[*count], &done,
                          error));
        *count += done;
    }
    return PS_OK;
}

enum ps_status ps_report_stages(const char *run_directory, struct ps_arena *arena,
                                struct ps_report_stage **stages, size_t *count,
                                struct ps_error *error) {
    json_t *run;
    char *path = ps_path_join(arena, run_directory, "run.json");
    PS_FAIL_IF_NULL(path, error);
    PS_FAIL_IF(!ps_file_exists(path), error, PS_NOT_FOUND,
               "%s: not the folder of a run (it has no run.json); give runs/NAME", run_directory);
    PS_TRY(ps_json_read_file(path, FILE_LIMIT, &run, error));
    enum ps_status status = read_stages(run_directory, run, arena, stages, count, error);
    json_decref(run);
    return status == PS_FORMAT && error ? ps_error_prefix(error, "%s", path) : status;
}

/* ---- results ---- */

/* By the verdicts that count now, where the replies are there. */
static enum ps_status score_again(struct ps_report *report, const struct ps_report_stage *stage,
                                  const json_t *value, struct ps_result **results, size_t *count,
                                  struct ps_result_pair **pairs, size_t *pair_count,
                                  struct ps_error *error) {
    struct ps_store *store;
    char *path = ps_path_join(&report->arena, stage->directory, "evals.db");
    PS_FAIL_IF_NULL(path, error);
    *count = 0;
    if (!ps_file_exists(path)) return PS_OK;
    PS_TRY(ps_store_open(&store, path, PS_STORE_READ, error));
    enum ps_status status =
        ps_scores_again(value, store, &report->arena, results, count, pairs, pair_count, error);
    ps_store_close(store);
    return status;
}

static enum ps_status add_results(struct ps_report *report, const struct ps_report_stage *stage,
                                  struct ps_error *error) {
    struct ps_result *results;
    struct ps_result_pair *pairs;
    size_t result_count = 0, pair_count = 0;
    json_t *value;
    PS_TRY(ps_report_read(report, stage->directory, "result.json", &value, error));
    if (!value) return PS_OK;
    enum ps_status status =
        score_again(report, stage, value, &results, &result_count, &pairs, &pair_count, error);
    if (status == PS_OK && result_count == 0)
        status = ps_results_read(value, &report->arena, &results, &result_count, &pairs,
                                 &pair_count, error);
    json_decref(value);
    if (status != PS_OK)
        return error ? ps_error_prefix(error, "%s/result.json", stage->directory) : status;
    struct ps_result *all_results = ps_arena_array(
        &report->arena, report->result_count + result_count + 1, sizeof *all_results);
    struct ps_result_pair *all_pairs =
        ps_arena_array(&report->arena, report->pair_count + pair_count + 1, sizeof *all_pairs);
    PS_FAIL_IF(!all_results || !all_pairs, error, PS_MEMORY, "out of memory");
    for (size_t i = 0; i < report->result_count; i++) all_results[i] = report->results[i];
    for (size_t i = 0; i < result_count; i++) all_results[report->result_count++] = results[i];
    for (size_t i = 0; i < report->pair_count; i++) all_pairs[i] = report->pairs[i];
    for (size_t i = 0; i < pair_count; i++) all_pairs[report->pair_count++] = pairs[i];
    report->results = all_results;
    report->pairs = all_pairs;
    return PS_OK;
}

static enum ps_status read_name(struct ps_report *report, struct ps_error *error) {
    json_t *run;
    const char *name = NULL, *slash = strrchr(report->run_directory, '/');
    PS_TRY(ps_report_read(report, report->run_directory, "run.json", &run, error));
    enum ps_status status = run ? ps_json_string_or(run, "name", NULL, &name, error) : PS_OK;
    if (status == PS_OK && !name) name = slash && slash[1] ? slash + 1 : report->run_directory;
    if (status == PS_OK) report->name = ps_arena_strndup(&report->arena, name, strlen(name));
    json_decref(run);
    PS_TRY(status);
    PS_FAIL_IF_NULL(report->name, error);
    return PS_OK;
}

/* ---- report.json ---- */

static void write_headline(const struct ps_report *report, struct ps_json_writer *writer) {
    ps_json_write_key(writer, "headline");
    ps_json_write_begin_object(writer);
    ps_json_write_key(writer, "text");
    ps_json_write_string(writer, report->headline);
    ps_json_write_key(writer, "details");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < report->detail_count; i++)
        ps_json_write_string(writer, report->details[i]);
    ps_json_write_end_array(writer);
    ps_json_write_end_object(writer);
}

static enum ps_status write_json(struct ps_report *report, struct ps_error *error) {
    struct ps_json_writer writer;
    json_t *levels;
    PS_TRY(ps_json_parse("levels", report->levels.data, report->levels.size, &levels, error));
    ps_json_writer_begin(&writer, &report->json);
    ps_json_write_begin_object(&writer);
    ps_json_write_key(&writer, "potstill");
    ps_json_write_string(&writer, PS_VERSION);
    ps_json_write_key(&writer, "generated");
    ps_json_write_integer(&writer, (int64_t)time(NULL));
    ps_json_write_key(&writer, "name");
    ps_json_write_string(&writer, report->name);
    write_headline(report, &writer);
    ps_results_write(report->results, report->result_count, report->pairs, report->pair_count,
                     &writer);
    ps_json_write_key(&writer, "levels");
    ps_json_write_value(&writer, levels);
    json_decref(levels);
    PS_TRY(ps_report_write_funnel(report, &writer, error));
    PS_TRY(ps_report_write_train(report, &writer, error));
    PS_TRY(ps_report_write_lineage(report, &writer, error));
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
}

/* ---- the whole ---- */

static enum ps_status write_files(struct ps_report *report, const char *folder,
                                  struct ps_error *error) {
    char *json = ps_path_join(&report->arena, folder, "report.json");
    char *page = ps_path_join(&report->arena, folder, "report.html");
    PS_FAIL_IF(!json || !page, error, PS_MEMORY, "out of memory");
    PS_TRY(ps_directory_create(folder, error));
    PS_TRY(ps_file_write_atomic(json, report->json.data, report->json.size, error));
    return ps_report_write_page(report, page, error);
}

static enum ps_status build(struct ps_report *report, const char *folder, struct ps_buffer *table,
                            struct ps_error *error) {
    PS_TRY(read_name(report, error));
    for (size_t i = 0; i < report->stage_count; i++)
        if (strcmp(report->stages[i].kind, "evaluate") == 0)
            PS_TRY(add_results(report, &report->stages[i], error));
    PS_TRY(ps_report_headline(report, error));
    PS_TRY(ps_report_replies(report, error));
    PS_TRY(write_json(report, error));
    PS_TRY(write_files(report, folder, error));
    if (!table || report->result_count == 0) return PS_OK;
    bool fits = ps_results_print(report->results, report->result_count, report->pairs,
                                 report->pair_count, table) &&
                ps_buffer_format(table, "\n%s\n", report->headline);
    PS_FAIL_IF(!fits, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

enum ps_status ps_report_write(const char *run_directory, const struct ps_report_stage *stages,
                               size_t count, const char *folder, struct ps_buffer *table,
                               struct ps_error *error) {
    struct ps_report report = {
        .run_directory = run_directory, .stages = stages, .stage_count = count};
    struct ps_buffer *texts[] = {&report.json, &report.problems, &report.replies, &report.levels};
    ps_arena_init(&report.arena, (size_t)2 << 30);
    for (size_t i = 0; i < 4; i++) ps_buffer_init(texts[i], (size_t)1 << 30);
    enum ps_status status = build(&report, folder, table, error);
    for (size_t i = 0; i < 4; i++) ps_buffer_release(texts[i]);
    ps_arena_release(&report.arena);
    return status;
}
