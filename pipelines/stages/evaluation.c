#include "pipelines/stages/evaluation.h"

#include "base/log.h"
#include "pipelines/stages/grade_traces.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const ps_evaluation_intervals[] = {"wilson", "exact", NULL};

/* ---- before the run ---- */

enum ps_status ps_evaluation_sets(const struct ps_number_map *map,
                                  const struct ps_sampling_settings *settings,
                                  struct ps_arena *arena, struct ps_sampling_set **sets,
                                  struct ps_error *error) {
    PS_FAIL_IF(map->count == 0, error, PS_ARGUMENT,
               "datasets: there is no data set to evaluate on");
    *sets = ps_arena_array(arena, map->count, sizeof **sets);
    PS_FAIL_IF_NULL(*sets, error);
    for (size_t i = 0; i < map->count; i++) {
        double samples = map->items[i].value;
        PS_FAIL_IF(samples != floor(samples), error, PS_ARGUMENT,
                   "datasets: %s: %g is no number of samples", map->items[i].key, samples);
        PS_FAIL_IF(settings->temperature == 0 && samples != 1, error, PS_ARGUMENT,
                   "datasets: %s: at temperature 0 all %g samples of a problem are the same; ask "
                   "for 1, or raise the temperature",
                   map->items[i].key, samples);
        (*sets)[i] = (struct ps_sampling_set){map->items[i].key, (int64_t)samples};
    }
    return PS_OK;
}

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

enum ps_status ps_evaluation_limits(const struct ps_strings *texts, int64_t max_tokens,
                                    struct ps_arena *arena, const int64_t **limits, size_t *count,
                                    struct ps_error *error) {
    int64_t *values = ps_arena_array(arena, texts->count + 1, sizeof *values);
    PS_FAIL_IF_NULL(values, error);
    *count = 0;
    *limits = values;
    for (size_t i = 0; i < texts->count; i++) {
        char *end;
        errno = 0;
        long long value = strtoll(texts->items[i], &end, 10);
        PS_FAIL_IF(end == texts->items[i] || *end || errno || value < 1 || value > max_tokens,
                   error, PS_ARGUMENT,
                   "max_tokens_sweep: '%s' is no number of tokens from 1 to max_tokens, %lld",
                   texts->items[i], (long long)max_tokens);
        if (value < max_tokens) values[(*count)++] = value; /* max_tokens is there anyway */
    }
    if (*count) qsort(values, *count, sizeof *values, ascending);
    return PS_OK;
}

enum ps_status ps_evaluation_models(const char *const *names, size_t count,
                                    const struct ps_sampling_settings *settings,
                                    struct ps_arena *arena, struct ps_evaluation_model **models,
                                    size_t *model_count, struct ps_error *error) {
    struct ps_sampling_budget *budgets;
    size_t budget_count;
    PS_TRY(ps_sampling_budgets(settings, arena, &budgets, &budget_count, error));
    PS_FAIL_IF(count == 0, error, PS_ARGUMENT, "models: there is no model to evaluate");
    struct ps_evaluation_model *next = *models =
        ps_arena_array(arena, count, budget_count * sizeof **models);
    PS_FAIL_IF_NULL(next, error);
    *model_count = count * budget_count;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++)
            PS_FAIL_IF(strcmp(names[i], names[j]) == 0, error, PS_ARGUMENT,
                       "models: '%s' is there twice", names[i]);
        for (size_t b = 0; b < budget_count; b++, next++) {
            const char *text = budgets[b].text;
            *next = (struct ps_evaluation_model){
                .name = text ? ps_arena_format(arena, "%s, thinking %s", names[i], text) : names[i],
                .of = names[i],
                .budget = &budgets[b]};
            PS_FAIL_IF_NULL(next->name, error);
        }
    }
    return PS_OK;
}

static struct ps_sampling sampling_of(const struct ps_evaluation *evaluation, size_t model) {
    const struct ps_evaluation_model *of = &evaluation->models[model];
    return (struct ps_sampling){.name = of->of,
                                .model = of->model,
                                .budget = of->budget,
                                .prompter = &of->prompter,
                                .sets = evaluation->sets,
                                .set_count = evaluation->set_count,
                                .settings = evaluation->settings};
}

/* Without a gold answer every reply would count as wrong. */
static enum ps_status check_golds(const struct ps_sampling *sampling, size_t limit,
                                  struct ps_error *error) {
    for (size_t set = 0; set < sampling->set_count; set++) {
        const struct ps_dataset *dataset;
        size_t count, missing = 0, first = 0;
        PS_TRY(ps_sampling_rows(sampling, set, limit, &dataset, &count, error));
        for (size_t i = count; i-- > 0;)
            if (!dataset->rows[i].gold) missing++, first = i;
        PS_FAIL_IF(
            missing, error, PS_ARGUMENT,
            "the data set '%s' has no gold answer for %zu of %zu problems, the first of them "
            "row %s; they cannot be scored",
            sampling->sets[set].dataset, missing, count, dataset->rows[first].id);
    }
    return PS_OK;
}

enum ps_status ps_evaluation_check(const struct ps_evaluation *evaluation, struct ps_error *error) {
    for (size_t i = 0; i < evaluation->model_count; i++) {
        struct ps_sampling sampling = sampling_of(evaluation, i);
        if (i == 0) PS_TRY(check_golds(&sampling, (size_t)evaluation->context->limit, error));
        PS_TRY(ps_sampling_check(&sampling, error));
    }
    return PS_OK;
}

enum ps_status ps_evaluation_show_prompts(const struct ps_evaluation *evaluation, FILE *out,
                                          struct ps_error *error) {
    for (size_t i = 0; i < evaluation->model_count; i++) {
        struct ps_sampling sampling = sampling_of(evaluation, i);
        if (i > 0 && evaluation->models[i - 1].of == evaluation->models[i].of) continue;
        PS_TRY(ps_sampling_show(&sampling, out, error));
    }
    return PS_OK;
}

void ps_evaluation_close(const struct ps_evaluation *evaluation) {
    for (size_t i = 0; i < evaluation->model_count; i++)
        ps_prompter_close(&evaluation->models[i].prompter);
}

enum ps_status ps_evaluation_survey(const struct ps_evaluation *evaluation, const char *path,
                                    struct ps_sample_survey *survey, struct ps_error *error) {
    *survey = (struct ps_sample_survey){0};
    for (size_t i = 0; i < evaluation->model_count; i++) {
        struct ps_sampling sampling = sampling_of(evaluation, i);
        struct ps_sample_survey one;
        PS_TRY(ps_sampling_survey(&sampling, path, &one, error));
        survey->prompts += one.prompts;
        survey->replies += one.replies;
        survey->done += one.done;
        survey->cut += one.cut;
        survey->disk.likely += one.disk.likely;
        survey->disk.most += one.disk.most;
    }
    return PS_OK;
}

/* ---- the run ---- */

struct run {
    const struct ps_evaluation *evaluation;
    struct ps_store *store;
    /* [model_count]: `traces` has the samples of the first problem, then those of the next. */
    struct ps_sampling_prompts *prompts;
    struct ps_sample_traces *traces;
    struct ps_evaluation_outcome *outcome;
};

static enum ps_status sample(struct run *run, struct ps_error *error) {
    const struct ps_evaluation *evaluation = run->evaluation;
    for (size_t i = 0; i < evaluation->model_count; i++) {
        struct ps_sampling sampling = sampling_of(evaluation, i);
        struct ps_sample_report report;
        PS_FAIL_IF(!sampling.model.folder, error, PS_NOT_FOUND, "the model '%s' is not made yet",
                   sampling.name);
        PS_TRY(ps_sampling_run(&sampling, run->store, evaluation->context->progress,
                               &run->prompts[i], &report, &run->traces[i], error));
        run->outcome->replies += run->traces[i].present;
        run->outcome->sampled += report.sampled;
        if (report.failed)
            ps_log_warning("%s: %lld replies could not be sampled; the reasons are in the table "
                           "`attempt` of the evaluation's store",
                           sampling.name, (long long)report.failed);
    }
    return PS_OK;
}

static enum ps_status grade(struct run *run, struct ps_error *error) {
    const struct ps_stage_context *context = run->evaluation->context;
    struct ps_grading grading = {.store = run->store,
                                 .catalog = context->catalog,
                                 .pipeline = context->pipeline,
                                 .progress = context->progress};
    struct ps_grading_counts counts = {0};
    PS_TRY(ps_grade_traces(&grading, &counts, error));
    run->outcome->graded = counts.graded;
    return PS_OK;
}

static enum ps_status set_limits(const struct ps_evaluation *evaluation, struct ps_result *result,
                                 struct ps_error *error) {
    result->max_tokens = evaluation->settings->max_tokens;
    result->form = evaluation->form;
    result->limit_count = evaluation->limit_count;
    result->limits = ps_arena_array(evaluation->context->arena, evaluation->limit_count + 1,
                                    sizeof *result->limits);
    PS_FAIL_IF_NULL(result->limits, error);
    for (size_t i = 0; i < evaluation->limit_count; i++)
        result->limits[i].max_tokens = evaluation->limits[i];
    return PS_OK;
}

/* Data set by data set, in it model by model. */
static enum ps_status compute(struct run *run, struct ps_error *error) {
    const struct ps_evaluation *evaluation = run->evaluation;
    struct ps_evaluation_outcome *outcome = run->outcome;
    const size_t *starts = run->prompts[0].starts; /* the same for all models */
    size_t offset = 0;
    for (size_t set = 0; set < evaluation->set_count; set++) {
        size_t count = starts[set + 1] - starts[set];
        const struct ps_dataset *dataset;
        PS_TRY(ps_dataset_get(evaluation->context->catalog, evaluation->sets[set].dataset, &dataset,
                              error));
        for (size_t m = 0; m < evaluation->model_count; m++) {
            outcome->scored[outcome->result_count] = (struct ps_scores_replies){
                run->traces[m].ids + offset, run->traces[m].items + starts[set]};
            struct ps_result *result = &outcome->results[outcome->result_count++];
            *result = (struct ps_result){.model = evaluation->models[m].name,
                                         .role = evaluation->models[m].role,
                                         .of = evaluation->models[m].of,
                                         .budget = evaluation->models[m].budget->text,
                                         .dataset = evaluation->sets[set].dataset,
                                         .problems = (int64_t)count,
                                         .total = (int64_t)dataset->count,
                                         .samples = evaluation->sets[set].samples};
            PS_TRY(set_limits(evaluation, result, error));
        }
        offset += count * (size_t)evaluation->sets[set].samples;
    }
    for (size_t m = 0; m < evaluation->model_count; m++) outcome->traces_of[m] = &run->traces[m];
    return ps_scores_compute(run->store, outcome->results, outcome->scored, outcome->result_count,
                             evaluation->context->arena, &outcome->pairs, &outcome->pair_count,
                             error);
}

static enum ps_status allocate(struct run *run, struct ps_error *error) {
    struct ps_arena *arena = run->evaluation->context->arena;
    struct ps_evaluation_outcome *outcome = run->outcome;
    size_t models = run->evaluation->model_count, sets = run->evaluation->set_count;
    run->prompts = ps_arena_array(arena, models, sizeof *run->prompts);
    run->traces = ps_arena_array(arena, models, sizeof *run->traces);
    *outcome = (struct ps_evaluation_outcome){
        .results = ps_arena_array(arena, models * sets, sizeof *outcome->results),
        .scored = ps_arena_array(arena, models * sets, sizeof *outcome->scored),
        .traces_of = ps_arena_array(arena, models, sizeof *outcome->traces_of),
    };
    PS_FAIL_IF(!run->prompts || !run->traces || !outcome->results || !outcome->scored ||
                   !outcome->traces_of,
               error, PS_MEMORY, "out of memory");
    return PS_OK;
}

enum ps_status ps_evaluation_run(const struct ps_evaluation *evaluation, const char *path,
                                 struct ps_evaluation_outcome *outcome, struct ps_error *error) {
    struct run run = {.evaluation = evaluation, .outcome = outcome};
    PS_TRY(allocate(&run, error));
    PS_TRY(ps_store_open(&run.store, path, PS_STORE_CREATE, error));
    if (ps_store_warning(run.store)) ps_log_warning("%s", ps_store_warning(run.store));
    enum ps_status status = sample(&run, error);
    if (status == PS_OK) status = grade(&run, error);
    if (status == PS_OK) status = compute(&run, error);
    ps_store_close(run.store);
    return status;
}

/* ---- the result ---- */

void ps_evaluation_write(const struct ps_evaluation *evaluation,
                         const struct ps_evaluation_outcome *outcome,
                         struct ps_json_writer *writer) {
    ps_results_write(outcome->results, outcome->result_count, outcome->pairs, outcome->pair_count,
                     writer);
    ps_json_put_string(writer, "grader", ps_grade_version());
    ps_json_write_key(writer, "models");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < evaluation->model_count; i++) {
        ps_json_write_begin_object(writer);
        ps_json_put_string(writer, "model", evaluation->models[i].name);
        ps_json_put_string(writer, "role", evaluation->models[i].role);
        ps_json_put_integer(writer, "source", outcome->traces_of[i]->source);
        ps_json_put_integer(writer, "sampler", outcome->traces_of[i]->sampler);
        ps_json_write_end_object(writer);
    }
    ps_json_write_end_array(writer);
}

static void write_rows(const int64_t *rows, int64_t count, struct ps_json_writer *writer) {
    ps_json_write_begin_array(writer);
    for (int64_t i = 0; i < count; i++) ps_json_write_integer(writer, rows[i]);
    ps_json_write_end_array(writer);
}

void ps_evaluation_write_replies(const struct ps_evaluation_outcome *outcome,
                                 struct ps_json_writer *writer) {
    const struct ps_result *results = outcome->results;
    ps_json_write_key(writer, "traces");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < outcome->result_count; i++)
        write_rows(outcome->scored[i].traces, results[i].problems * results[i].samples, writer);
    ps_json_write_end_array(writer);
    ps_json_write_key(writer, "items");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < outcome->result_count; i++)
        write_rows(outcome->scored[i].items, results[i].problems, writer);
    ps_json_write_end_array(writer);
}
