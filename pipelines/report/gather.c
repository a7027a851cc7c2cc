/* From paths to results: which stages of a run are done, what its evaluations found, and which
 * replies that was made of. Scores are made anew by the verdicts that count now, where the replies
 * are there. Of several runs a model is called RUN:MODEL. */
#include "pipelines/report/report_internal.h"

#include "base/file.h"

#include <string.h>

enum { FILE_LIMIT = 256 << 20 };

enum ps_status ps_report_read(struct ps_report *report, const char *folder, const char *name,
                              json_t **value, struct ps_error *error) {
    char *path = ps_path_join(&report->arena, folder, name);
    *value = NULL;
    PS_FAIL_IF_NULL(path, error);
    return ps_file_exists(path) ? ps_json_read_file(path, FILE_LIMIT, value, error) : PS_OK;
}

/* ---- what there is at a path ---- */

static enum ps_status read_stage(const char *folder, const json_t *entry, struct ps_arena *arena,
                                 struct ps_report_stage *stage, bool *done,
                                 struct ps_error *error) {
    const char **texts[] = {&stage->id, &stage->kind, &stage->fingerprint};
    static const char *const keys[] = {"id", "kind", "fingerprint"};
    for (size_t i = 0; i < 3; i++) {
        PS_TRY(ps_json_string(entry, keys[i], texts[i], error));
        *texts[i] = ps_arena_strndup(arena, *texts[i], strlen(*texts[i]));
        PS_FAIL_IF_NULL(*texts[i], error);
    }
    stage->directory = ps_arena_format(arena, "%s/%s-%.12s", folder, stage->id, stage->fingerprint);
    char *mark = stage->directory ? ps_path_join(arena, stage->directory, "done") : NULL;
    PS_FAIL_IF_NULL(mark, error);
    *done = ps_file_exists(mark);
    return PS_OK;
}

static enum ps_status read_stages(const json_t *json, struct ps_arena *arena,
                                  struct ps_report_run *run, struct ps_error *error) {
    json_t *list;
    PS_TRY(ps_json_array(json, "stages", &list, error));
    struct ps_report_stage *stages =
        ps_arena_array(arena, json_array_size(list) + 1, sizeof *stages);
    PS_FAIL_IF_NULL(stages, error);
    run->stages = stages;
    for (size_t i = 0; i < json_array_size(list); i++) {
        bool done = false;
        PS_TRY(read_stage(run->path, json_array_get(list, i), arena, &stages[run->stage_count],
                          &done, error));
        run->stage_count += done;
    }
    return PS_OK;
}

enum ps_status ps_report_find(const char *path, struct ps_arena *arena, struct ps_report_run *run,
                              struct ps_error *error) {
    json_t *json;
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') size--;
    const char *name = ps_arena_strndup(arena, path, size);
    char *file = name ? ps_path_join(arena, name, "run.json") : NULL;
    PS_FAIL_IF_NULL(file, error);
    *run = (struct ps_report_run){0};
    if (!ps_directory_exists(name)) {
        PS_FAIL_IF(!ps_file_exists(name), error, PS_NOT_FOUND,
                   "%s: no such run; give runs/NAME, or the evals.db of an evaluation", name);
        run->store = name;
        return PS_OK;
    }
    PS_FAIL_IF(!ps_file_exists(file), error, PS_NOT_FOUND,
               "%s: not the folder of a run (it has no run.json); give runs/NAME, or the evals.db "
               "of an evaluation",
               name);
    run->path = name;
    PS_TRY(ps_json_read_file(file, FILE_LIMIT, &json, error));
    enum ps_status status = read_stages(json, arena, run, error);
    json_decref(json);
    return status == PS_FORMAT && error ? ps_error_prefix(error, "%s", file) : status;
}

/* ---- names ---- */

/* "evals.db" says nothing: such a file is called by its folder. */
static const char *name_of_store(struct ps_report *report, const char *path) {
    const char *slash = strrchr(path, '/'), *start = slash ? slash + 1 : path;
    size_t size = strlen(start);
    if (size > 3 && strcmp(start + size - 3, ".db") == 0) size -= 3;
    if (size == 5 && strncmp(start, "evals", 5) == 0 && slash && slash > path) {
        const char *end = slash;
        for (start = end; start > path && start[-1] != '/';) start--;
        size = (size_t)(end - start);
    }
    return ps_arena_strndup(&report->arena, start, size);
}

static enum ps_status name_of_run(struct ps_report *report, size_t i, struct ps_error *error) {
    const struct ps_report_run *run = &report->runs[i];
    json_t *json = NULL;
    const char *name = NULL;
    enum ps_status status = PS_OK;
    if (run->store) {
        report->names[i] = name_of_store(report, run->store);
        PS_FAIL_IF_NULL(report->names[i], error);
        return PS_OK;
    }
    const char *slash = strrchr(run->path, '/');
    PS_TRY(ps_report_read(report, run->path, "run.json", &json, error));
    if (json) status = ps_json_string_or(json, "name", NULL, &name, error);
    /* Several runs of one pipeline lie in folders that tell them apart. */
    if (status == PS_OK && (!name || report->run_count > 1))
        name = slash && slash[1] ? slash + 1 : run->path;
    if (status == PS_OK) report->names[i] = ps_arena_strndup(&report->arena, name, strlen(name));
    json_decref(json);
    PS_TRY(status);
    PS_FAIL_IF_NULL(report->names[i], error);
    return PS_OK;
}

static enum ps_status name_runs(struct ps_report *report, struct ps_error *error) {
    report->names = ps_arena_array(&report->arena, report->run_count + 1, sizeof *report->names);
    PS_FAIL_IF_NULL(report->names, error);
    for (size_t i = 0; i < report->run_count; i++) {
        PS_TRY(name_of_run(report, i, error));
        const char *plain = report->names[i];
        size_t same = 1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(report->names[j], report->names[i]) == 0) {
                report->names[i] = ps_arena_format(&report->arena, "%s-%zu", plain, ++same);
                PS_FAIL_IF_NULL(report->names[i], error);
                j = (size_t)-1;
            }
        report->name =
            i == 0 ? report->names[i]
                   : ps_arena_format(&report->arena, "%s%s%s", report->name,
                                     i + 1 < report->run_count ? ", " : " and ", report->names[i]);
        PS_FAIL_IF_NULL(report->name, error);
    }
    return PS_OK;
}

/* ---- evaluations ---- */

static enum ps_status read_stage_results(struct ps_report *report, const char *folder,
                                         struct ps_report_evaluation *evaluation,
                                         struct ps_error *error) {
    json_t *json;
    struct ps_arena *arena = &report->arena;
    char *path = ps_path_join(arena, folder, "evals.db");
    PS_FAIL_IF_NULL(path, error);
    PS_TRY(ps_report_read(report, folder, "result.json", &json, error));
    if (!json) return PS_OK;
    enum ps_status status = PS_OK;
    if (ps_file_exists(path)) {
        status = ps_store_open(&evaluation->store, path, PS_STORE_READ, error);
        if (status == PS_OK)
            status = ps_scores_again(json, evaluation->store, arena, &evaluation->results,
                                     &evaluation->result_count, &evaluation->pairs,
                                     &evaluation->pair_count, &evaluation->replies, error);
    }
    if (status == PS_OK && evaluation->result_count == 0)
        status = ps_results_read(json, arena, &evaluation->results, &evaluation->result_count,
                                 &evaluation->pairs, &evaluation->pair_count, error);
    json_decref(json);
    return status != PS_OK && error ? ps_error_prefix(error, "%s/result.json", folder) : status;
}

static enum ps_status read_evaluations(struct ps_report *report, struct ps_error *error) {
    size_t most = 0;
    for (size_t i = 0; i < report->run_count; i++) most += report->runs[i].stage_count + 1;
    report->evaluations = ps_arena_array(&report->arena, most + 1, sizeof *report->evaluations);
    PS_FAIL_IF_NULL(report->evaluations, error);
    for (size_t i = 0; i < report->run_count; i++) {
        const struct ps_report_run *run = &report->runs[i];
        struct ps_report_evaluation *evaluation;
        for (size_t j = 0; j < run->stage_count; j++) {
            if (strcmp(run->stages[j].kind, "evaluate") != 0) continue;
            evaluation = &report->evaluations[report->evaluation_count++];
            *evaluation =
                (struct ps_report_evaluation){.run = i, .place = run->stages[j].directory};
            PS_TRY(read_stage_results(report, run->stages[j].directory, evaluation, error));
        }
        if (!run->store) continue;
        evaluation = &report->evaluations[report->evaluation_count++];
        *evaluation = (struct ps_report_evaluation){.run = i, .place = run->store};
        PS_TRY(ps_store_open(&evaluation->store, run->store, PS_STORE_READ, error));
        PS_TRY(ps_report_bare(report, evaluation, error));
    }
    return PS_OK;
}

/* ---- all of them ---- */

static enum ps_status rename_models(struct ps_report *report, struct ps_error *error) {
    for (size_t i = 0; i < report->evaluation_count; i++) {
        struct ps_report_evaluation *evaluation = &report->evaluations[i];
        for (size_t j = 0; j < evaluation->result_count; j++) {
            struct ps_result *result = &evaluation->results[j];
            const char **names[] = {&result->model, &result->of};
            for (size_t n = 0; n < 2; n++) {
                if (!*names[n]) continue;
                *names[n] = ps_arena_format(&report->arena, "%s:%s", report->names[evaluation->run],
                                            *names[n]);
                PS_FAIL_IF_NULL(*names[n], error);
            }
        }
    }
    return PS_OK;
}

static enum ps_status join(struct ps_report *report, struct ps_error *error) {
    size_t results = 0, pairs = 0;
    for (size_t i = 0; i < report->evaluation_count; i++) {
        results += report->evaluations[i].result_count;
        pairs += report->evaluations[i].pair_count;
    }
    report->results = ps_arena_array(&report->arena, results + 1, sizeof *report->results);
    report->pairs = ps_arena_array(&report->arena, pairs + 1, sizeof *report->pairs);
    PS_FAIL_IF(!report->results || !report->pairs, error, PS_MEMORY, "out of memory");
    for (size_t i = 0; i < report->evaluation_count; i++) {
        const struct ps_report_evaluation *evaluation = &report->evaluations[i];
        for (size_t j = 0; j < evaluation->result_count; j++)
            report->results[report->result_count++] = evaluation->results[j];
        /* Of several runs the pairs between them are made later, from the problems they share. */
        for (size_t j = 0; report->run_count == 1 && j < evaluation->pair_count; j++)
            report->pairs[report->pair_count++] = evaluation->pairs[j];
    }
    return PS_OK;
}

enum ps_status ps_report_gather(struct ps_report *report, struct ps_error *error) {
    PS_TRY(name_runs(report, error));
    PS_TRY(read_evaluations(report, error));
    if (report->run_count > 1) PS_TRY(rename_models(report, error));
    return join(report, error);
}

void ps_report_close(struct ps_report *report) {
    for (size_t i = 0; i < report->evaluation_count; i++)
        ps_store_close(report->evaluations[i].store);
}
