#include "pipelines/stages/evaluation.h"

#include "base/log.h"
#include "pipelines/stages/grade_traces.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static struct ps_sampling sampling_of(const struct ps_evaluation *evaluation, size_t model) {
    const struct ps_evaluation_model *of = &evaluation->models[model];
    return (struct ps_sampling){.name = of->name,
                                .model = of->model,
                                .prompter = &of->prompter,
                                .sets = evaluation->sets,
                                .set_count = evaluation->set_count,
                                .settings = evaluation->settings};
}

enum ps_status ps_evaluation_check(const struct ps_evaluation *evaluation, struct ps_error *error) {
    PS_FAIL_IF(evaluation->model_count == 0, error, PS_ARGUMENT, "there is no model to evaluate");
    for (size_t i = 0; i < evaluation->model_count; i++) {
        struct ps_sampling sampling = sampling_of(evaluation, i);
        for (size_t j = 0; j < i; j++)
            PS_FAIL_IF(strcmp(evaluation->models[j].name, sampling.name) == 0, error, PS_ARGUMENT,
                       "models: '%s' is there twice", sampling.name);
        PS_TRY(ps_sampling_check(&sampling, error));
    }
    return PS_OK;
}

enum ps_status ps_evaluation_show_prompts(const struct ps_evaluation *evaluation, FILE *out,
                                          struct ps_error *error) {
    for (size_t i = 0; i < evaluation->model_count; i++) {
        struct ps_sampling sampling = sampling_of(evaluation, i);
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
    }
    return PS_OK;
}

/* ---- verdicts ---- */

struct judged {
    int64_t trace, source, tokens;
    enum ps_verdict verdict;
};

/* All graded traces of the store, by their ids. */
struct verdicts {
    struct judged *items;
    size_t count, capacity;
};

static int by_trace(const void *a, const void *b) {
    int64_t x = ((const struct judged *)a)->trace, y = ((const struct judged *)b)->trace;
    return x < y ? -1 : x > y;
}

static enum ps_status add_verdict(struct verdicts *verdicts, const struct ps_store_row *row,
                                  struct ps_error *error) {
    enum ps_verdict verdict;
    if (!row->verdict || !ps_verdict_from_name(row->verdict, &verdict)) return PS_OK;
    if (verdicts->count == verdicts->capacity) {
        size_t capacity = verdicts->capacity ? 2 * verdicts->capacity : 1024;
        struct judged *more = ps_realloc(verdicts->items, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        verdicts->items = more;
        verdicts->capacity = capacity;
    }
    verdicts->items[verdicts->count++] =
        (struct judged){row->id, row->key.source, row->output_tokens, verdict};
    return PS_OK;
}

static enum ps_status read_verdicts(struct ps_store *store, struct verdicts *verdicts,
                                    struct ps_error *error) {
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more = true;
    PS_TRY(ps_store_query(store, NULL, &cursor, error));
    enum ps_status status = PS_OK;
    while (status == PS_OK && more) {
        status = ps_store_next(cursor, &row, &more, error);
        if (status == PS_OK && more) status = add_verdict(verdicts, &row, error);
    }
    ps_store_cursor_close(cursor);
    if (verdicts->count) qsort(verdicts->items, verdicts->count, sizeof *verdicts->items, by_trace);
    return status;
}

static const struct judged *find_verdict(const struct verdicts *verdicts, int64_t trace) {
    struct judged key = {.trace = trace};
    if (verdicts->count == 0 || trace == 0) return NULL;
    return bsearch(&key, verdicts->items, verdicts->count, sizeof key, by_trace);
}

/* ---- the run ---- */

/* What a model replied: `traces` has the samples of the first problem, then those of the next. */
struct replies {
    struct ps_sampling_prompts prompts;
    struct ps_sample_traces traces;
    struct ps_result_problem *problems; /* parallel to prompts.items */
};

struct run {
    const struct ps_evaluation *evaluation;
    struct ps_store *store;
    struct replies *replies; /* [model_count] */
    struct verdicts verdicts;
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
                               &run->replies[i].prompts, &report, &run->replies[i].traces, error));
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
    return read_verdicts(run->store, &run->verdicts, error);
}

/* Replies that are not there, or not graded, are not counted as samples: ps_result_compute refuses
 * a problem that lacks one. */
static enum ps_status count_model(struct run *run, size_t model, struct ps_error *error) {
    struct replies *replies = &run->replies[model];
    const int64_t *trace = replies->traces.ids;
    replies->problems = ps_arena_array(run->evaluation->context->arena, replies->prompts.count + 1,
                                       sizeof *replies->problems);
    PS_FAIL_IF_NULL(replies->problems, error);
    for (size_t i = 0; i < replies->prompts.count; i++)
        for (int64_t s = 0; s < replies->prompts.items[i].samples; s++, trace++) {
            const struct judged *judged = find_verdict(&run->verdicts, *trace);
            if (!judged) continue;
            ps_result_add(&replies->problems[i], judged->verdict, judged->tokens);
            run->outcome->sources[model] = judged->source;
        }
    return PS_OK;
}

static enum ps_status compute_set(struct run *run, size_t set, struct ps_error *error) {
    const struct ps_evaluation *evaluation = run->evaluation;
    struct ps_evaluation_outcome *outcome = run->outcome;
    const size_t *starts = run->replies[0].prompts.starts; /* the same for all models */
    size_t first = starts[set], count = starts[set + 1] - starts[set];
    for (size_t a = 0; a < evaluation->model_count; a++) {
        struct ps_result *result = &outcome->results[outcome->result_count++];
        *result = (struct ps_result){.model = evaluation->models[a].name,
                                     .role = evaluation->models[a].role,
                                     .dataset = evaluation->sets[set].dataset,
                                     .samples = evaluation->sets[set].samples};
        PS_TRY(ps_result_compute(run->replies[a].problems + first, count, result, error));
    }
    for (size_t a = 0; a < evaluation->model_count; a++)
        for (size_t b = a + 1; b < evaluation->model_count; b++) {
            struct ps_result_pair *pair = &outcome->pairs[outcome->pair_count++];
            *pair = (struct ps_result_pair){.a = evaluation->models[a].name,
                                            .b = evaluation->models[b].name,
                                            .dataset = evaluation->sets[set].dataset};
            PS_TRY(ps_result_compare(run->replies[a].problems + first,
                                     run->replies[b].problems + first, count, pair, error));
        }
    return PS_OK;
}

static enum ps_status compute(struct run *run, struct ps_error *error) {
    for (size_t i = 0; i < run->evaluation->model_count; i++) PS_TRY(count_model(run, i, error));
    for (size_t i = 0; i < run->evaluation->set_count; i++) PS_TRY(compute_set(run, i, error));
    return PS_OK;
}

static enum ps_status allocate(struct run *run, struct ps_error *error) {
    struct ps_arena *arena = run->evaluation->context->arena;
    struct ps_evaluation_outcome *outcome = run->outcome;
    size_t models = run->evaluation->model_count, sets = run->evaluation->set_count;
    run->replies = ps_arena_array(arena, models, sizeof *run->replies);
    *outcome = (struct ps_evaluation_outcome){
        .results = ps_arena_array(arena, models * sets, sizeof *outcome->results),
        .pairs = ps_arena_array(arena, models * models * sets, sizeof *outcome->pairs),
        .sources = ps_arena_array(arena, models, sizeof *outcome->sources),
    };
    PS_FAIL_IF(!run->replies || !outcome->results || !outcome->pairs || !outcome->sources, error,
               PS_MEMORY, "out of memory");
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
    ps_free(run.verdicts.items);
    return status;
}

/* ---- the result ---- */

void ps_evaluation_write(const struct ps_evaluation *evaluation,
                         const struct ps_evaluation_outcome *outcome,
                         struct ps_json_writer *writer) {
    ps_results_write(outcome->results, outcome->result_count, outcome->pairs, outcome->pair_count,
                     writer);
    ps_json_write_key(writer, "grader");
    ps_json_write_string(writer, ps_grade_version());
    ps_json_write_key(writer, "models");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < evaluation->model_count; i++) {
        ps_json_write_begin_object(writer);
        ps_json_write_key(writer, "model");
        ps_json_write_string(writer, evaluation->models[i].name);
        ps_json_write_key(writer, "role");
        ps_json_write_string(writer, evaluation->models[i].role);
        ps_json_write_key(writer, "source");
        ps_json_write_integer(writer, outcome->sources[i]);
        ps_json_write_end_object(writer);
    }
    ps_json_write_end_array(writer);
}
