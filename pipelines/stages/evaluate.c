/* The evaluate stage: models answer test sets, and the score table says how well and how sure. */

#include "pipelines/stages/evaluation.h"
#include "pipelines/stages/stages_internal.h"

#include "base/file.h"

#include <string.h>

struct evaluate_settings {
    struct ps_strings models;
    struct ps_string_map prompt;
    struct ps_number_map datasets;
    struct ps_strings sweep;
    int interval; /* enum ps_stats_form */
    struct ps_sampling_settings sampling;
};
#define AT(member) offsetof(struct evaluate_settings, member)
static const struct ps_setting items[] = {
    {"models", PS_SETTING_STRINGS, AT(models), .refers = "model", .identity = true,
     .required = true, .help = "which models"},
    {"datasets", PS_SETTING_NUMBER_MAP, AT(datasets), .refers = "dataset", .minimum = 1,
     .maximum = 1e6, .identity = true, .required = true,
     .help = "the sets that they answer, each with the samples of a problem"},
    {"prompt", PS_SETTING_STRING_MAP, AT(prompt), .refers = "prompt", .identity = true,
     .help = "how the questions are put, for all models or by model; by default as the data set "
             "says"},
    PS_EVALUATION_SWEEP(AT(sweep)),
    PS_EVALUATION_INTERVAL(AT(interval)),
    PS_SAMPLING_SETTINGS(AT(sampling), "0.6", "0.95", "32768"),
};
static const struct ps_settings_table evaluate_table = PS_SETTINGS_TABLE(
    "evaluate", "Scores models on test sets and compares them.", items, struct evaluate_settings);

/* ---- roles ---- */

/* Whether a stage's setting names this model. */
static bool names_model(const struct ps_stage *stage, const char *key, const char *model) {
    const struct ps_settings_table *table = stage->kind->settings;
    for (size_t i = 0; i < table->count; i++) {
        const void *member = (const char *)stage->settings + table->items[i].offset;
        if (strcmp(table->items[i].key, key) != 0) continue;
        if (table->items[i].type == PS_SETTING_STRING) {
            const char *one = *(const char *const *)member;
            return one && strcmp(one, model) == 0;
        }
        const struct ps_strings *several = member;
        for (size_t j = 0; j < several->count; j++)
            if (strcmp(several->items[j], model) == 0) return true;
    }
    return false;
}

/* The train stage whose model is the student: the one called so, else the last. */
static const struct ps_stage *student_stage(const struct ps_pipeline *pipeline) {
    const struct ps_stage *last = NULL;
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        if (!pipeline->stages[i].kind->makes_model) continue;
        last = &pipeline->stages[i];
        if (strcmp(last->id, "student") == 0) return last;
    }
    return last;
}

static const char *role_of(const struct ps_pipeline *pipeline, const char *model,
                           struct ps_arena *arena) {
    struct ps_model_reference reference;
    bool base = false;
    if (ps_pipeline_resolve_model(pipeline, model, arena, &reference, NULL) != PS_OK)
        return "other";
    if (reference.stage) return reference.stage == student_stage(pipeline) ? "student" : "other";
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        const struct ps_stage *stage = &pipeline->stages[i];
        if (strcmp(stage->kind->name, "sample") == 0 && names_model(stage, "models", model))
            return "teacher";
        base = base || (stage->kind->makes_model && names_model(stage, "model", model));
    }
    return base ? "base" : "other";
}

/* ---- before the run ---- */

/* Close it, also after a failure. */
static enum ps_status open_evaluation(const struct ps_stage_context *context,
                                      struct ps_evaluation *evaluation, struct ps_error *error) {
    const struct evaluate_settings *settings = context->settings;
    struct ps_sampling_set *sets;
    size_t count;
    *evaluation = (struct ps_evaluation){.context = context,
                                         .settings = &settings->sampling,
                                         .form = (enum ps_stats_form)settings->interval};
    PS_TRY(ps_evaluation_limits(&settings->sweep, settings->sampling.max_tokens, context->arena,
                                &evaluation->limits, &evaluation->limit_count, error));
    PS_TRY(
        ps_evaluation_sets(&settings->datasets, &settings->sampling, context->arena, &sets, error));
    evaluation->sets = sets;
    evaluation->set_count = settings->datasets.count;
    PS_TRY(ps_evaluation_models(settings->models.items, settings->models.count, &settings->sampling,
                                context->arena, &evaluation->models, &count, error));
    for (size_t i = 0; i < count; i++) {
        struct ps_evaluation_model *model = &evaluation->models[i];
        model->role = role_of(context->pipeline, model->of, context->arena);
        const char *prompt = ps_string_map_get(&settings->prompt, model->of);
        PS_TRY(ps_sampling_model(context, model->of, &model->model, error));
        evaluation->model_count++;
        PS_TRY(ps_prompter_open(&model->prompter, context,
                                prompt ? ps_pipeline_prompt(context->pipeline, prompt) : NULL,
                                &model->model.reader, error));
    }
    return PS_OK;
}

static enum ps_status check(const struct ps_stage_context *context, struct ps_error *error) {
    struct ps_evaluation evaluation;
    enum ps_status status = open_evaluation(context, &evaluation, error);
    if (status == PS_OK) status = ps_evaluation_check(&evaluation, error);
    ps_evaluation_close(&evaluation);
    return status;
}

static enum ps_status show(const struct ps_stage_context *context, FILE *out,
                           struct ps_error *error) {
    struct ps_evaluation evaluation;
    enum ps_status status = open_evaluation(context, &evaluation, error);
    if (status == PS_OK) status = ps_evaluation_show_prompts(&evaluation, out, error);
    ps_evaluation_close(&evaluation);
    return status;
}

/* The setting that the last result was made without, though it changes no reply; NULL: none. */
static enum ps_status changed_setting(const struct ps_stage_context *context, const json_t *result,
                                      const char **changed, struct ps_error *error) {
    const struct evaluate_settings *settings = context->settings;
    struct ps_result *results;
    struct ps_result_pair *pairs;
    size_t result_count, pair_count, count;
    const int64_t *limits;
    PS_TRY(ps_evaluation_limits(&settings->sweep, settings->sampling.max_tokens, context->arena,
                                &limits, &count, error));
    PS_TRY(ps_results_read(result, context->arena, &results, &result_count, &pairs, &pair_count,
                           error));
    bool same = result_count > 0 && results->limit_count == count;
    for (size_t i = 0; same && i < count; i++) same = results->limits[i].max_tokens == limits[i];
    *changed = !same ? "max_tokens_sweep" : NULL;
    if (same && results->form != (enum ps_stats_form)settings->interval) *changed = "interval";
    return PS_OK;
}

/* What is done is made anew, with the replies that are there, by another version of the grader and
 * for other limits or intervals. */
static enum ps_status compare_last(const struct ps_stage_context *context, const json_t *result,
                                   struct ps_stage_plan *plan, struct ps_error *error) {
    const char *grader, *changed;
    PS_TRY(ps_json_string_or(result, "grader", "", &grader, error));
    PS_TRY(changed_setting(context, result, &changed, error));
    plan->up_to_date = !changed && strcmp(grader, ps_grade_version()) == 0;
    if (changed)
        ps_stage_plan_why(plan, "its %s has changed", changed);
    else if (!plan->up_to_date)
        ps_stage_plan_why(plan, "graded by version %s of the grader, this is %s",
                          grader[0] ? grader : "?", ps_grade_version());
    return PS_OK;
}

static enum ps_status plan_again(const struct ps_stage_context *context, struct ps_stage_plan *plan,
                                 struct ps_error *error) {
    json_t *result;
    char *path = ps_path_join(context->arena, context->directory, "result.json");
    PS_FAIL_IF_NULL(path, error);
    PS_TRY(ps_json_read_file(path, 64 << 20, &result, error));
    enum ps_status status = compare_last(context, result, plan, error);
    json_decref(result);
    return status;
}

static enum ps_status plan(const struct ps_stage_context *context, struct ps_stage_plan *plan,
                           struct ps_error *error) {
    struct ps_evaluation evaluation;
    struct ps_sample_survey survey;
    if (plan->up_to_date) return plan_again(context, plan, error);
    char *path = ps_path_join(context->arena, context->directory, "evals.db");
    PS_FAIL_IF_NULL(path, error);
    enum ps_status status = open_evaluation(context, &evaluation, error);
    bool made = status == PS_OK; /* or by a stage that has not run */
    for (size_t i = 0; i < evaluation.model_count; i++)
        made = made && evaluation.models[i].model.folder;
    if (made) status = ps_evaluation_survey(&evaluation, path, &survey, error);
    ps_evaluation_close(&evaluation);
    if (!made) return status;
    PS_TRY(status);
    int64_t missing = survey.replies - survey.done;
    plan->tokens = missing * evaluation.settings->max_tokens;
    plan->disk = survey.disk.likely;
    ps_stage_plan_why(plan, "%lld of %lld replies are missing", (long long)missing,
                      (long long)survey.replies);
    return PS_OK;
}

/* ---- the run ---- */

static enum ps_status write_result(const struct ps_stage_context *context,
                                   const struct ps_evaluation *evaluation,
                                   const struct ps_evaluation_outcome *outcome,
                                   struct ps_error *error) {
    struct ps_stage_result file;
    ps_stage_result_begin(&file);
    ps_evaluation_write(evaluation, outcome, &file.writer);
    ps_evaluation_write_replies(outcome, &file.writer);
    return ps_stage_result_end(&file, context, error);
}

static enum ps_status run(const struct ps_stage_context *context, struct ps_error *error) {
    struct ps_evaluation evaluation;
    struct ps_evaluation_outcome outcome;
    char *path = ps_path_join(context->arena, context->directory, "evals.db");
    PS_FAIL_IF_NULL(path, error);
    enum ps_status status = open_evaluation(context, &evaluation, error);
    if (status == PS_OK) status = ps_evaluation_run(&evaluation, path, &outcome, error);
    if (status == PS_OK) status = write_result(context, &evaluation, &outcome, error);
    ps_evaluation_close(&evaluation);
    return status;
}

/* ---- afterwards ---- */

static enum ps_status print(const json_t *result, FILE *out, struct ps_arena *arena,
                            struct ps_error *error) {
    struct ps_result *results;
    struct ps_result_pair *pairs;
    size_t result_count, pair_count;
    struct ps_buffer text;
    PS_TRY(ps_results_read(result, arena, &results, &result_count, &pairs, &pair_count, error));
    ps_buffer_init(&text, 16 << 20);
    bool fits = ps_results_print(results, result_count, pairs, pair_count, &text);
    if (fits) fputs(text.data, out);
    ps_buffer_release(&text);
    return fits ? PS_OK : ps_error_set(error, PS_MEMORY, "out of memory");
}

enum ps_status ps_evaluation_show(const struct ps_stage *stage, FILE *out, struct ps_error *error) {
    struct ps_arena arena;
    json_t *result = NULL;
    enum ps_status status = PS_OK;
    ps_arena_init(&arena, 64 << 20);
    char *path = ps_path_join(&arena, stage->directory, "result.json");
    if (!path) status = ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK && ps_file_exists(path)) {
        status = ps_json_read_file(path, 64 << 20, &result, error);
        if (status == PS_OK) status = print(result, out, &arena, error);
    }
    json_decref(result);
    ps_arena_release(&arena);
    return status;
}

const struct ps_stage_kind ps_stage_evaluate = {
    .name = "evaluate",
    .help = "scores models on test sets and compares them",
    .settings = &evaluate_table,
    .check = check,
    .plan = plan,
    .show = show,
    .run = run,
};
