/* The grade stage: a verdict for every trace that earlier stages made. */

#include "pipelines/stages/grade_traces.h"
#include "pipelines/stages/stages_internal.h"

#include "base/file.h"
#include "base/log.h"

#include <string.h>

struct grade_settings {
    const char *profile;
};
static const struct ps_setting items[] = {
    {"profile", PS_SETTING_STRING, offsetof(struct grade_settings, profile), .identity = true,
     .help =
         "how answers are written: gsm8k, math, aime, choice, plain, and each with +last_number; by "
         "default as each data set says"},
};
static const struct ps_settings_table grade_table = PS_SETTINGS_TABLE(
    "grade", "Compares replies with the right answers.", items, struct grade_settings);

static const char *const consumes[] = {"sample", "import", NULL};

static struct ps_grading grading_of(const struct ps_stage_context *context,
                                    struct ps_store *store) {
    const struct grade_settings *settings = context->settings;
    return (struct ps_grading){.store = store,
                               .catalog = context->catalog,
                               .pipeline = context->pipeline,
                               .profile = settings->profile,
                               .progress = context->progress};
}

static enum ps_status check(const struct ps_stage_context *context, struct ps_error *error) {
    const struct grade_settings *settings = context->settings;
    struct ps_grade_profile profile;
    struct ps_store_filter *filters;
    size_t count;
    PS_FAIL_IF(
        settings->profile && !ps_grade_profile(settings->profile, &profile), error, PS_ARGUMENT,
        "profile: '%s' is none of gsm8k, math, aime, choice, plain, each also with +last_number",
        settings->profile);
    return ps_stage_trace_filters(context, &filters, &count, error);
}

static enum ps_status count_pending(const struct ps_stage_context *context, struct ps_store *store,
                                    int64_t *traces, struct ps_error *error) {
    struct ps_grading grading = grading_of(context, store);
    struct ps_store_filter *filters;
    size_t count;
    *traces = 0;
    PS_TRY(ps_stage_trace_filters(context, &filters, &count, error));
    for (size_t i = 0; i < count; i++) {
        int64_t pending;
        grading.filter = filters[i];
        PS_TRY(ps_grade_traces_pending(&grading, &pending, error));
        *traces += pending;
    }
    return PS_OK;
}

static enum ps_status plan(const struct ps_stage_context *context, struct ps_stage_plan *plan,
                           struct ps_error *error) {
    struct ps_store *store;
    int64_t pending;
    if (!plan->up_to_date) return PS_OK;
    plan->up_to_date = false;
    if (!ps_file_exists(context->pipeline->values.store)) {
        ps_stage_plan_why(plan, "the store is gone");
        return PS_OK;
    }
    PS_TRY(ps_store_open(&store, context->pipeline->values.store, PS_STORE_READ, error));
    enum ps_status status = count_pending(context, store, &pending, error);
    ps_store_close(store);
    PS_TRY(status);
    plan->up_to_date = pending == 0;
    if (pending)
        ps_stage_plan_why(plan, "%lld traces have no verdict by grader version %s",
                          (long long)pending, ps_grade_version());
    return PS_OK;
}

/* Adds the verdicts that count now. */
static enum ps_status add_verdicts(struct ps_store *store, const struct ps_store_filter *filter,
                                   int64_t counts[PS_VERDICT_COUNT], struct ps_error *error) {
    struct ps_store_stats stats;
    PS_TRY(ps_store_stats(store, filter, &stats, error));
    for (size_t i = 0; i < PS_STORE_VERDICTS && stats.verdicts[i].count; i++) {
        enum ps_verdict verdict;
        if (ps_verdict_from_name(stats.verdicts[i].name, &verdict))
            counts[verdict] += stats.verdicts[i].count;
    }
    return PS_OK;
}

static enum ps_status write_result(const struct ps_stage_context *context,
                                   const struct ps_grading_counts *counts,
                                   const int64_t verdicts[PS_VERDICT_COUNT],
                                   struct ps_error *error) {
    struct ps_stage_result file;
    int64_t traces = 0;
    ps_stage_result_begin(&file);
    ps_json_put_string(&file.writer, "grader", ps_grade_version());
    ps_json_write_key(&file.writer, "verdicts");
    ps_json_write_begin_object(&file.writer);
    for (int i = 0; i < PS_VERDICT_COUNT; i++) {
        ps_json_write_key(&file.writer, ps_verdict_name((enum ps_verdict)i));
        ps_json_write_integer(&file.writer, verdicts[i]);
        traces += verdicts[i];
    }
    ps_json_write_end_object(&file.writer);
    ps_json_put_integer(&file.writer, "traces", traces);
    ps_grading_write(counts, &file.writer);
    enum ps_status status = ps_stage_result_end(&file, context, error);
    if (status == PS_OK) {
        ps_progress_end(context->progress);
        ps_log_note("%s: %lld of %lld traces are correct", context->stage->id,
                    (long long)verdicts[PS_VERDICT_CORRECT], (long long)traces);
    }
    return status;
}

static enum ps_status run(const struct ps_stage_context *context, struct ps_error *error) {
    struct ps_store *store;
    struct ps_store_filter *filters;
    size_t count;
    struct ps_grading_counts counts = {0};
    int64_t verdicts[PS_VERDICT_COUNT] = {0};
    PS_TRY(ps_stage_trace_filters(context, &filters, &count, error));
    PS_TRY(ps_store_open(&store, context->pipeline->values.store, PS_STORE_WRITE, error));
    struct ps_grading grading = grading_of(context, store);
    enum ps_status status = PS_OK;
    for (size_t i = 0; status == PS_OK && i < count; i++) {
        grading.filter = filters[i];
        status = ps_grade_traces(&grading, &counts, error);
        if (status == PS_OK) status = add_verdicts(store, &filters[i], verdicts, error);
    }
    ps_store_close(store);
    return status == PS_OK ? write_result(context, &counts, verdicts, error) : status;
}

const struct ps_stage_kind ps_stage_grade = {
    .name = "grade",
    .help = "compares every reply of earlier stages with the right answer",
    .settings = &grade_table,
    .consumes = consumes,
    .check = check,
    .plan = plan,
    .run = run,
};
