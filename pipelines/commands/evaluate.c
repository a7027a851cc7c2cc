/* potstill evaluate: the evaluate stage without a pipeline. */
#include "base/log.h"
#include "hub/hub.h"
#include "pipelines/commands/commands_internal.h"
#include "pipelines/commands/prompt_flags.h"
#include "pipelines/stages/evaluation.h"

#include <stdio.h>
#include <string.h>

struct evaluate_flags {
    struct ps_string_map model;
    struct ps_number_map dataset;
    const char *out;
    int64_t seed, limit;
    struct ps_strings sweep;
    int interval; /* enum ps_stats_form */
    struct ps_sampling_settings sampling;
};
#define AT(member) offsetof(struct evaluate_flags, member)
static const struct ps_setting items[] = {
    {"model", PS_SETTING_STRING_MAP, AT(model), .required = true, .argument = "NAME=MODEL",
     .help =
         "what the table calls it, and a Hugging Face folder or the id of a model in the Hugging "
         "Face cache; may be repeated"},
    {"dataset", PS_SETTING_NUMBER_MAP, AT(dataset), .required = true, .minimum = 1, .maximum = 1e6,
     .argument = "NAME=K",
     .help = "a set, and the samples of each of its problems; may be repeated"},
    {"out", PS_SETTING_STRING, AT(out), .required = true, .argument = "EVALS",
     .help = "the store that keeps the replies"},
    {"seed", PS_SETTING_INTEGER, AT(seed), "0", .minimum = 0, .maximum = 0x1p53,
     .help = "of the random numbers"},
    {"limit", PS_SETTING_INTEGER, AT(limit), "0", .minimum = 0, .maximum = 1e9, .unit = "rows",
     .help = "only the first rows of each set; 0: all"},
    PS_EVALUATION_SWEEP(AT(sweep)),
    PS_EVALUATION_INTERVAL(AT(interval)),
    PS_SAMPLING_SETTINGS(AT(sampling), "0.6", "0.95", "32768"),
};
#undef AT
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("evaluate", "For potstill evaluate.", items, struct evaluate_flags);

static enum ps_status print(const struct ps_call *call, const struct ps_evaluation *evaluation,
                            const struct ps_evaluation_outcome *outcome, struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    enum ps_status status = PS_OK;
    bool fits = true;
    ps_buffer_init(&text, 64 << 20);
    if (call->json) {
        ps_json_writer_begin(&writer, &text);
        ps_json_write_begin_object(&writer);
        ps_evaluation_write(evaluation, outcome, &writer);
        ps_json_write_end_object(&writer);
        status = ps_json_writer_end(&writer, error);
        fits = ps_buffer_puts(&text, "\n");
    } else {
        fits = ps_results_print(outcome->results, outcome->result_count, outcome->pairs,
                                outcome->pair_count, &text);
    }
    if (status == PS_OK && !fits) status = ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK) fputs(text.data, stdout);
    ps_buffer_release(&text);
    return status;
}

/* Close it, also after a failure. */
static enum ps_status open_evaluation(const struct evaluate_flags *flags,
                                      const struct ps_pipeline_prompt *prompt,
                                      const struct ps_stage_context *context,
                                      struct ps_evaluation *evaluation, struct ps_error *error) {
    struct ps_sampling_set *sets;
    size_t count = flags->model.count;
    const char **names = ps_arena_array(context->arena, count + 1, sizeof *names);
    PS_FAIL_IF_NULL(names, error);
    *evaluation = (struct ps_evaluation){.context = context,
                                         .settings = &flags->sampling,
                                         .form = (enum ps_stats_form)flags->interval};
    PS_TRY(ps_evaluation_limits(&flags->sweep, flags->sampling.max_tokens, context->arena,
                                &evaluation->limits, &evaluation->limit_count, error));
    PS_TRY(ps_evaluation_sets(&flags->dataset, &flags->sampling, context->arena, &sets, error));
    evaluation->sets = sets;
    evaluation->set_count = flags->dataset.count;
    for (size_t i = 0; i < count; i++) {
        names[i] = flags->model.items[i].key;
        PS_FAIL_IF(strcmp(names[i], "default") == 0, error, PS_ARGUMENT,
                   "--model %s: write NAME=MODEL, with the name it has in the table",
                   flags->model.items[i].value);
    }
    PS_TRY(ps_evaluation_models(names, flags->model.count, &flags->sampling, context->arena,
                                &evaluation->models, &count, error));
    for (size_t i = 0; i < count; i++) {
        struct ps_evaluation_model *model = &evaluation->models[i];
        const char *folder, *path = ps_string_map_get(&flags->model, model->of);
        PS_TRY(ps_hub_find(path, context->arena, &folder, error));
        model->role = ps_result_role(model->of);
        model->model = (struct ps_sampling_model){folder, {folder, NULL, -1}};
        evaluation->model_count++;
        PS_TRY(ps_prompter_open(&model->prompter, context, prompt, &model->model.reader, error));
    }
    return PS_OK;
}

static enum ps_status evaluate(struct ps_call *call, const struct ps_stage_context *context,
                               struct ps_error *error) {
    const struct evaluate_flags *flags = call->settings[0].values;
    const struct ps_prompt_flags *words = call->settings[1].values;
    struct ps_evaluation evaluation;
    struct ps_evaluation_outcome outcome;
    enum ps_status status = open_evaluation(flags, &words->prompt, context, &evaluation, error);
    if (status == PS_OK) status = ps_evaluation_check(&evaluation, error);
    if (status == PS_OK) status = ps_evaluation_run(&evaluation, flags->out, &outcome, error);
    if (status == PS_OK) {
        ps_log_note("%lld replies, %lld of them sampled now", (long long)outcome.replies,
                    (long long)outcome.sampled);
        status = print(call, &evaluation, &outcome, error);
    }
    ps_evaluation_close(&evaluation);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct evaluate_flags *flags = call->settings[0].values;
    const struct ps_prompt_flags *words = call->settings[1].values;
    struct ps_progress progress = {0};
    PS_TRY(ps_settings_require(call->settings, 1, "evaluate", error));
    struct ps_stage_context context = {.seed = (uint64_t)flags->seed,
                                       .limit = flags->limit,
                                       .progress = &progress,
                                       .arena = call->arena};
    PS_TRY(ps_flag_date(words->date, call->arena, &context.date, error));
    PS_TRY(ps_dataset_catalog_open(&context.catalog, NULL, 0, context.seed, error));
    enum ps_status status = evaluate(call, &context, error);
    ps_dataset_catalog_close(context.catalog);
    if (status == PS_FULL)
        ps_error_prefix(error, "nothing is lost; make room and give the same command again");
    return status;
}

const struct ps_command ps_command_evaluate = {
    .name = "evaluate",
    .synopsis = "--model NAME=MODEL ... --dataset NAME=K ... --out EVALS",
    .help = "score models on test sets and compare them",
    .details = "Replies are kept in EVALS, a trace store; what is there is not sampled again. "
               "pass@1 is the\nmean over problems of the mean over their samples; only replies "
               "graded correct count.\nIntervals are of 95 % and count problems, not samples; "
               "models are compared problem by\nproblem. `detectable` is the smallest true "
               "difference that the set shows 4 times in 5.",
    .tables = {&table, &ps_prompt_flags_table},
    .run = run,
};
