/* The report stage: what the stages before it found, as a page and as JSON. The files lie in
 * the stage's directory; runs/NAME/report.html and report.json link to the newest. */
#include "pipelines/report/report.h"
#include "pipelines/stages/stages_internal.h"

#include "base/file.h"
#include "base/log.h"

#include <string.h>

static const struct ps_settings_table report_table = {
    "report", "Writes report.html and report.json.", NULL, 0, 1};

static const char *const consumes[] = {"sample", "import", "grade",    "select",
                                       "train",  "score",  "evaluate", NULL};

static enum ps_status link_newest(const struct ps_stage_context *context, const char *name,
                                  struct ps_error *error) {
    char *link = ps_path_join(context->arena, context->pipeline->run_directory, name);
    char *target =
        ps_arena_format(context->arena, "%s/%s", strrchr(context->directory, '/') + 1, name);
    PS_FAIL_IF(!link || !target, error, PS_MEMORY, "out of memory");
    return ps_link_replace(link, target, error);
}

static enum ps_status run(const struct ps_stage_context *context, struct ps_error *error) {
    const struct ps_stage *stage = context->stage;
    struct ps_report_stage *stages =
        ps_arena_array(context->arena, stage->input_count + 1, sizeof *stages);
    PS_FAIL_IF_NULL(stages, error);
    for (size_t i = 0; i < stage->input_count; i++)
        stages[i] =
            (struct ps_report_stage){stage->inputs[i]->id, stage->inputs[i]->kind->name,
                                     stage->inputs[i]->fingerprint, stage->inputs[i]->directory};
    const struct ps_report_run source = {.path = context->pipeline->run_directory,
                                         .stages = stages,
                                         .stage_count = stage->input_count};
    enum ps_status status = ps_report_write(&source, 1, context->directory, NULL, error);
    if (status == PS_OK) status = link_newest(context, "report.html", error);
    if (status == PS_OK) status = link_newest(context, "report.json", error);
    if (status == PS_OK) {
        ps_progress_end(context->progress);
        ps_log_note("%s: %s/report.html", stage->id, context->pipeline->run_directory);
    }
    return status;
}

const struct ps_stage_kind ps_stage_report = {
    .name = "report",
    .help = "writes the report: a page, and the same as JSON",
    .settings = &report_table,
    .consumes = consumes,
    .run = run,
};
