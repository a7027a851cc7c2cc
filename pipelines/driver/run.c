/* Checks, plans and runs the stages of a pipeline. */
#include "pipelines/driver/driver.h"
#include "pipelines/driver/driver_internal.h"

#include "base/file.h"
#include "base/log.h"
#include "base/stop.h"

#include <math.h>
#include <string.h>

static struct ps_stage_context context_of(struct ps_pipeline *pipeline,
                                          const struct ps_stage *stage, struct ps_arena *arena) {
    ps_arena_init(arena, (size_t)4 << 30);
    return (struct ps_stage_context){
        .pipeline = pipeline,
        .stage = stage,
        .settings = stage->settings,
        .directory = stage->directory,
        .catalog = pipeline->catalog,
        .seed = (uint64_t)pipeline->values.seed,
        .limit = pipeline->limit,
        .date = pipeline->values.date,
        .arena = arena,
    };
}

static enum ps_status named(const struct ps_stage *stage, enum ps_status status,
                            struct ps_error *error) {
    if (status == PS_OK || status == PS_STOPPED || !error) return status;
    const char *file = stage->node->file;
    bool located = strncmp(error->message, file, strlen(file)) == 0;
    return located ? status : ps_error_prefix(error, "%s", stage->id);
}

/* ---- check ---- */

static enum ps_status check_stages(struct ps_pipeline *pipeline, FILE *out,
                                   struct ps_error *error) {
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        const struct ps_stage *stage = &pipeline->stages[i];
        struct ps_arena arena;
        struct ps_stage_context context = context_of(pipeline, stage, &arena);
        enum ps_status status = PS_OK;
        if (stage->kind->check) status = stage->kind->check(&context, error);
        if (status == PS_OK && out && stage->kind->show) {
            fprintf(out, "== %s ==\n", stage->id);
            status = stage->kind->show(&context, out, error);
        }
        ps_arena_release(&arena);
        if (status != PS_OK) return named(stage, status, error);
    }
    return PS_OK;
}

enum ps_status ps_pipeline_check(struct ps_pipeline *pipeline, FILE *out, struct ps_error *error) {
    PS_TRY(ps_pipeline_catalog(pipeline, error));
    return check_stages(pipeline, out, error);
}

/* ---- plan ---- */

static enum ps_status plan_stage(struct ps_pipeline *pipeline, const struct ps_stage *stage,
                                 struct ps_stage_plan *plan, struct ps_error *error) {
    *plan = (struct ps_stage_plan){.up_to_date = ps_stage_is_done(stage),
                                   .seconds = NAN,
                                   .memory = PS_UNSET_INTEGER,
                                   .disk = PS_UNSET_INTEGER,
                                   .tokens = PS_UNSET_INTEGER,
                                   .money = NAN};
    if (!plan->up_to_date) {
        char changes[160];
        PS_TRY(ps_stage_changes(pipeline, stage, changes, sizeof changes, error));
        if (ps_directory_exists(stage->directory))
            snprintf(plan->why, sizeof plan->why, "begun, not finished");
        else if (changes[0])
            snprintf(plan->why, sizeof plan->why, "changed: %s", changes);
        else
            snprintf(plan->why, sizeof plan->why, "runs for the first time");
    }
    if (!stage->kind->plan) return PS_OK;
    struct ps_arena arena;
    struct ps_stage_context context = context_of(pipeline, stage, &arena);
    enum ps_status status = stage->kind->plan(&context, plan, error);
    ps_arena_release(&arena);
    return named(stage, status, error);
}

enum ps_status ps_pipeline_plan(struct ps_pipeline *pipeline, struct ps_stage_plan *plans,
                                struct ps_error *error) {
    PS_TRY(ps_pipeline_catalog(pipeline, error));
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        const struct ps_stage *stage = &pipeline->stages[i];
        PS_TRY(plan_stage(pipeline, stage, &plans[i], error));
        for (size_t j = 0; j < stage->input_count && plans[i].up_to_date; j++) {
            const struct ps_stage *input = stage->inputs[j];
            if (plans[input - pipeline->stages].up_to_date) continue;
            plans[i].up_to_date = false;
            snprintf(plans[i].why, sizeof plans[i].why, "if '%s', which runs before, changes",
                     input->id);
        }
    }
    return PS_OK;
}

/* ---- run ---- */

static enum ps_status run_stage(struct ps_pipeline *pipeline, const struct ps_stage *stage,
                                struct ps_error *error) {
    struct ps_arena arena;
    struct ps_stage_context context = context_of(pipeline, stage, &arena);
    struct ps_progress progress = {.observe = ps_run_observe,
                                   .observer = (void *)pipeline->run_directory};
    struct ps_metrics metrics;
    double started = ps_seconds();
    enum ps_status status = ps_stage_begin(pipeline, stage, error);
    if (status == PS_OK) status = ps_metrics_open(&metrics, pipeline, stage, error);
    if (status == PS_OK) {
        context.progress = &progress;
        context.metrics = &metrics;
        status = stage->kind->run(&context, error);
        ps_progress_end(&progress);
        ps_metrics_close(&metrics);
    }
    ps_arena_release(&arena);
    if (status == PS_OK) status = ps_stage_finish(pipeline, stage, ps_seconds() - started, error);
    if (status == PS_FULL && error)
        ps_error_prefix(error, "nothing is lost; make room and run the same command again");
    return named(stage, status, error);
}

static enum ps_status stage_index(const struct ps_pipeline *pipeline, const char *flag,
                                  const char *id, size_t *index, struct ps_error *error) {
    const struct ps_stage *stage = ps_pipeline_stage(pipeline, id);
    if (stage) {
        *index = (size_t)(stage - pipeline->stages);
        return PS_OK;
    }
    const char *names[64];
    size_t count = 0;
    for (; count < pipeline->stage_count && count < 64; count++)
        names[count] = pipeline->stages[count].id;
    const char *nearest = ps_nearest(id, names, count);
    return ps_error_set(error, PS_ARGUMENT, "%s %s: %s has no such stage%s%s%s", flag, id,
                        pipeline->path, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                        nearest ? "'?" : "");
}

static enum ps_status check_inputs(const struct ps_stage *stage, struct ps_error *error) {
    for (size_t i = 0; i < stage->input_count; i++) {
        const struct ps_stage *input = stage->inputs[i];
        PS_FAIL_IF(!ps_stage_is_done(input), error, PS_ARGUMENT,
                   "%s needs the stage '%s', which is not done; run without --from and --only",
                   stage->id, input->id);
    }
    return PS_OK;
}

/* What the stage that has run made may be part of later fingerprints. */
static enum ps_status update_fingerprints(struct ps_pipeline *pipeline, struct ps_error *error) {
    size_t count = pipeline->stage_count;
    char(*before)[65] = ps_arena_array(&pipeline->arena, count, sizeof *before);
    PS_FAIL_IF_NULL(before, error);
    for (size_t i = 0; i < count; i++) memcpy(before[i], pipeline->stages[i].fingerprint, 65);
    PS_TRY(ps_pipeline_fingerprint(pipeline, error));
    for (size_t i = 0; i < count; i++)
        if (strcmp(before[i], pipeline->stages[i].fingerprint) != 0)
            return ps_run_describe(pipeline, error);
    return PS_OK;
}

static enum ps_status run_stages(struct ps_pipeline *pipeline, size_t first, size_t last,
                                 struct ps_error *error) {
    size_t run = 0;
    for (size_t i = first; i <= last; i++) {
        const struct ps_stage *stage = &pipeline->stages[i];
        struct ps_stage_plan plan;
        PS_TRY(ps_stop_check(error));
        PS_TRY(plan_stage(pipeline, stage, &plan, error));
        if (plan.up_to_date && ps_stage_is_done(stage)) {
            ps_log_note("%s: up to date", stage->id);
            continue;
        }
        PS_TRY(check_inputs(stage, error));
        ps_log_note("%s: %s", stage->id, plan.why[0] ? plan.why : "to do");
        PS_TRY(run_stage(pipeline, stage, error));
        PS_TRY(update_fingerprints(pipeline, error));
        run++;
    }
    if (run == 0) ps_log_note("everything is up to date in %s", pipeline->run_directory);
    return PS_OK;
}

enum ps_status ps_pipeline_run(struct ps_pipeline *pipeline, const struct ps_run_options *options,
                               struct ps_error *error) {
    size_t first = 0, last = pipeline->stage_count - 1;
    struct ps_lock lock = {0};
    enum ps_status status = PS_OK;
    if (options->from) PS_TRY(stage_index(pipeline, "--from", options->from, &first, error));
    if (options->only) {
        PS_TRY(stage_index(pipeline, "--only", options->only, &first, error));
        last = first;
    }
    PS_TRY(ps_pipeline_fingerprint(pipeline, error));
    PS_TRY_DONE(ps_pipeline_catalog(pipeline, error));
    PS_TRY_DONE(ps_run_lock(pipeline, &lock, error));
    PS_TRY_DONE(check_stages(pipeline, NULL, error));
    PS_TRY_DONE(ps_run_describe(pipeline, error));
    PS_TRY_DONE(run_stages(pipeline, first, last, error));
done:
    ps_lock_release(&lock);
    return status;
}
