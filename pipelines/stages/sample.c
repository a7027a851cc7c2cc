/* The sample stage: each model answers each row of the data sets, `samples` times, into the
 * pipeline's store. Its traces are kept as a selection under the stage's fingerprint as well, by
 * which later stages find them. */

#include "pipelines/stages/sampling.h"
#include "pipelines/stages/stages_internal.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

struct sample_settings {
    struct ps_strings models, dataset;
    struct ps_string_map prompt;
    int64_t samples;
    struct ps_sampling_settings sampling;
};
#define AT(member) offsetof(struct sample_settings, member)
static const struct ps_setting items[] = {
    {"models", PS_SETTING_STRINGS, AT(models), .refers = "model", .identity = true,
     .required = true, .help = "the teachers"},
    {"dataset", PS_SETTING_STRINGS, AT(dataset), .refers = "dataset", .identity = true,
     .required = true, .help = "the sets that they answer"},
    {"prompt", PS_SETTING_STRING_MAP, AT(prompt), .refers = "prompt", .identity = true,
     .help = "how the questions are put, for all models or by model; by default as the data set "
             "says"},
    {"samples", PS_SETTING_INTEGER, AT(samples), "1", .minimum = 1, .maximum = 1e6,
     .identity = true, .unit = "replies",
     .help = "for each question; only missing ones are sampled"},
    PS_SAMPLING_SETTINGS(AT(sampling), "0.6", "1", "4096"),
};
static const struct ps_settings_table sample_table =
    PS_SETTINGS_TABLE("sample", "Samples replies of teachers.", items, struct sample_settings);

/* What one model of the stage has to do. */
struct work {
    struct ps_prompter prompter;
    struct ps_sampling_set *sets;
    struct ps_sampling sampling;
};

/* Close it, also after a failure. */
static enum ps_status work_open(struct work *work, const struct ps_stage_context *context,
                                const char *name, struct ps_error *error) {
    const struct sample_settings *settings = context->settings;
    const char *prompt = ps_string_map_get(&settings->prompt, name);
    struct ps_sampling_model model;
    *work = (struct work){0};
    PS_TRY(ps_sampling_model(context, name, &model, error));
    PS_TRY(ps_prompter_open(&work->prompter, context,
                            prompt ? ps_pipeline_prompt(context->pipeline, prompt) : NULL,
                            &model.reader, error));
    size_t count = settings->dataset.count;
    work->sets = ps_arena_array(context->arena, count, sizeof *work->sets);
    PS_FAIL_IF_NULL(work->sets, error);
    for (size_t i = 0; i < count; i++)
        work->sets[i] = (struct ps_sampling_set){settings->dataset.items[i], settings->samples};
    work->sampling = (struct ps_sampling){.name = name,
                                          .model = model,
                                          .prompter = &work->prompter,
                                          .sets = work->sets,
                                          .set_count = count,
                                          .settings = &settings->sampling};
    return ps_sampling_one_budget(&settings->sampling, context->arena, &work->sampling.budget,
                                  error);
}

static void work_close(struct work *work) {
    ps_prompter_close(&work->prompter);
}

/* ---- before the run ---- */

static enum ps_status check(const struct ps_stage_context *context, struct ps_error *error) {
    const struct sample_settings *settings = context->settings;
    PS_FAIL_IF(settings->models.count == 0 || settings->dataset.count == 0, error, PS_ARGUMENT,
               "there is no model or no data set to sample");
    for (size_t i = 0; i < settings->models.count; i++) {
        struct work work;
        enum ps_status status = work_open(&work, context, settings->models.items[i], error);
        if (status == PS_OK) status = ps_sampling_check(&work.sampling, error);
        work_close(&work);
        PS_TRY(status);
    }
    return PS_OK;
}

static enum ps_status show(const struct ps_stage_context *context, FILE *out,
                           struct ps_error *error) {
    const struct sample_settings *settings = context->settings;
    for (size_t i = 0; i < settings->models.count; i++) {
        struct work work;
        enum ps_status status = work_open(&work, context, settings->models.items[i], error);
        if (status == PS_OK) status = ps_sampling_show(&work.sampling, out, error);
        work_close(&work);
        PS_TRY(status);
    }
    return PS_OK;
}

/* Replies that an earlier run of this stage could not sample. */
static int64_t known_failures(const struct ps_stage_context *context) {
    const char *path = ps_path_join(context->arena, context->directory, "result.json");
    json_t *json = NULL;
    int64_t failed = 0;
    if (!path || ps_json_read_file(path, 1 << 20, &json, NULL) != PS_OK) return 0;
    if (ps_json_integer_or(json, "failed", 0, INT64_MAX, 0, &failed, NULL) != PS_OK) failed = 0;
    json_decref(json);
    return failed;
}

static enum ps_status plan(const struct ps_stage_context *context, struct ps_stage_plan *plan,
                           struct ps_error *error) {
    const struct sample_settings *settings = context->settings;
    int64_t replies = 0, done = 0, cut = 0, disk = 0;
    for (size_t i = 0; i < settings->models.count; i++) {
        struct work work;
        struct ps_sample_survey survey;
        enum ps_status status = work_open(&work, context, settings->models.items[i], error);
        bool made = status == PS_OK && work.sampling.model.folder;
        if (made)
            status =
                ps_sampling_survey(&work.sampling, context->pipeline->values.store, &survey, error);
        work_close(&work);
        PS_TRY(status);
        if (!made) {
            plan->up_to_date = false;
            ps_stage_plan_why(plan, "the model '%s' is not made yet", settings->models.items[i]);
            return PS_OK;
        }
        replies += survey.replies;
        done += survey.done;
        cut += survey.cut;
        disk += survey.disk.likely;
    }
    int64_t missing = replies - done;
    if (plan->up_to_date) plan->up_to_date = missing == 0 || missing <= known_failures(context);
    if (plan->up_to_date) return PS_OK;
    plan->tokens = missing * settings->sampling.max_tokens;
    plan->disk = disk;
    if (missing)
        ps_stage_plan_why(plan, "%lld of %lld replies are missing%s", (long long)missing,
                          (long long)replies, cut ? ", some of them to be continued" : "");
    else
        ps_stage_plan_why(plan, "no reply is missing");
    return PS_OK;
}

/* ---- the run ---- */

struct sample_run {
    const struct ps_stage_context *context;
    struct ps_store *store;
    struct ps_json_writer *writer; /* inside the list "models" */
    int64_t *traces;               /* of the selection */
    size_t count;
    /* Sums over the models. */
    struct ps_sample_report report;
    struct ps_sample_traces sum;
};

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static enum ps_status add_to_selection(struct sample_run *run,
                                       const struct ps_sample_traces *traces,
                                       struct ps_error *error) {
    int64_t *more = ps_realloc(run->traces, (run->count + traces->count + 1) * sizeof *more);
    PS_FAIL_IF_NULL(more, error);
    run->traces = more;
    for (size_t i = 0; i < traces->count; i++)
        if (traces->ids[i]) more[run->count++] = traces->ids[i];
    return PS_OK;
}

static void add_up(struct sample_run *run, const struct ps_sample_report *report,
                   const struct ps_sample_traces *traces) {
    run->report.prompts += report->prompts;
    run->report.replies += report->replies;
    run->report.sampled += report->sampled;
    run->report.truncated += report->truncated;
    run->report.failed += report->failed;
    run->report.output_tokens += report->output_tokens;
    run->report.seconds += report->seconds;
    run->report.rates.decode_tokens += report->rates.decode_tokens;
    run->report.rates.prefill_tokens += report->rates.prefill_tokens;
    run->report.rates.seconds += report->rates.seconds;
    run->sum.present += traces->present;
    run->sum.truncated += traces->truncated;
    run->sum.prompt_tokens += traces->prompt_tokens;
    run->sum.output_tokens += traces->output_tokens;
}

static enum ps_status sample_model(struct sample_run *run, const char *model,
                                   struct ps_error *error) {
    const struct ps_stage_context *context = run->context;
    struct work work;
    struct ps_sampling_prompts prompts;
    struct ps_sample_report report;
    struct ps_sample_traces traces;
    enum ps_status status = work_open(&work, context, model, error);
    if (status == PS_OK && !work.sampling.model.folder)
        status = ps_error_set(error, PS_NOT_FOUND, "the model '%s' is not made yet", model);
    if (status == PS_OK)
        status = ps_sampling_run(&work.sampling, run->store, context->progress, &prompts, &report,
                                 &traces, error);
    work_close(&work);
    PS_TRY(status);
    ps_json_write_begin_object(run->writer);
    ps_json_put_string(run->writer, "model", model);
    ps_sampling_write_report(run->writer, &report, &traces);
    ps_json_write_end_object(run->writer);
    add_up(run, &report, &traces);
    return add_to_selection(run, &traces, error);
}

static enum ps_status keep_selection(struct sample_run *run, struct ps_error *error) {
    size_t distinct = 0;
    qsort(run->traces, run->count, sizeof *run->traces, by_number);
    for (size_t i = 0; i < run->count; i++)
        if (i == 0 || run->traces[i] != run->traces[i - 1])
            run->traces[distinct++] = run->traces[i];
    PS_TRY(ps_store_put_selection(run->store, run->context->stage->fingerprint, "{}", run->traces,
                                  distinct, error));
    return ps_store_flush(run->store, error);
}

static enum ps_status sample_all(struct sample_run *run, struct ps_error *error) {
    const struct sample_settings *settings = run->context->settings;
    ps_json_write_key(run->writer, "models");
    ps_json_write_begin_array(run->writer);
    for (size_t i = 0; i < settings->models.count; i++)
        PS_TRY(sample_model(run, settings->models.items[i], error));
    ps_json_write_end_array(run->writer);
    ps_sampling_write_report(run->writer, &run->report, &run->sum);
    PS_FAIL_IF(run->count == 0, error, PS_ARGUMENT,
               "no reply could be sampled: all %lld prompts fail; see the reasons with 'potstill "
               "traces stats'",
               (long long)run->report.prompts);
    return keep_selection(run, error);
}

static enum ps_status run(const struct ps_stage_context *context, struct ps_error *error) {
    struct ps_stage_result file;
    struct sample_run run = {.context = context, .writer = &file.writer};
    PS_TRY(ps_store_open(&run.store, context->pipeline->values.store, PS_STORE_CREATE, error));
    if (ps_store_warning(run.store)) ps_log_warning("%s", ps_store_warning(run.store));
    ps_stage_result_begin(&file);
    enum ps_status status = sample_all(&run, error);
    if (status == PS_OK)
        status = ps_stage_result_end(&file, context, error);
    else
        ps_buffer_release(&file.text);
    ps_free(run.traces);
    ps_store_close(run.store);
    return status;
}

const struct ps_stage_kind ps_stage_sample = {
    .name = "sample",
    .help = "samples replies of teachers into the store",
    .settings = &sample_table,
    .check = check,
    .plan = plan,
    .show = show,
    .run = run,
};
