#pragma once
/* An evaluation: models answer data sets into a store of their own (evals.db), the replies are
 * graded there, and the verdicts become scores and comparisons. Shared by the stage and the command
 * evaluate. What is there already is not sampled again. */

#include "pipelines/report/results.h"
#include "pipelines/report/scores.h"
#include "pipelines/stages/sampling.h"

/* A model under one thinking budget: "student", or "student, thinking 512". */
struct ps_evaluation_model {
    const char *name, *role; /* role: "teacher", "base", "student", "other" */
    const char *of;          /* the model's own name */
    const struct ps_sampling_budget *budget;
    struct ps_sampling_model model; /* its folder is NULL in check alone */
    struct ps_prompter prompter;
};

struct ps_evaluation {
    const struct ps_stage_context *context; /* catalog, seed, limit, arena, progress; the pipeline
                                               may be NULL */
    struct ps_evaluation_model *models;
    size_t model_count;
    const struct ps_sampling_set *sets;
    size_t set_count;
    const struct ps_sampling_settings *settings;
    const int64_t *limits; /* of max_tokens, ascending: scores as if each had been the limit */
    size_t limit_count;
    enum ps_stats_form form; /* of the scores' intervals */
};
extern const char *const ps_evaluation_intervals[]; /* names of enum ps_stats_form */

/* The models of an evaluation, for each of `names` one under each budget of the settings: their
 * names and budgets are set, the rest is zero. */
enum ps_status ps_evaluation_models(const char *const *names, size_t count,
                                    const struct ps_sampling_settings *settings,
                                    struct ps_arena *arena, struct ps_evaluation_model **models,
                                    size_t *model_count, struct ps_error *error);

/* Two settings of the stage and of the command; `interval` is an int. */
#define PS_EVALUATION_INTERVAL(at)                                                                 \
    {                                                                                              \
        "interval", PS_SETTING_ENUM, at, "wilson",                                                 \
            .names = ps_evaluation_intervals,                                                      \
            .help =                                                                                \
                "of a score: wilson covers 95 % on average over the rates, exact at least 95 % "   \
                "at each, and is wider"                                                            \
    }

#define PS_EVALUATION_SWEEP(at)                                                                    \
    {                                                                                              \
        "max_tokens_sweep", PS_SETTING_STRINGS, at,                                                \
            .argument = "TOKENS,...",                                                              \
            .help = "also the scores as if max_tokens were each of these; nothing is sampled for " \
                    "them"                                                                         \
    }

/* The numbers of that setting, ascending, in the arena; PS_ARGUMENT for one beyond max_tokens. */
enum ps_status ps_evaluation_limits(const struct ps_strings *texts, int64_t max_tokens,
                                    struct ps_arena *arena, const int64_t **limits, size_t *count,
                                    struct ps_error *error);

/* The sets of {name: samples}, in the arena. PS_ARGUMENT for a number of samples that is no whole
 * number, and for more than one sample at temperature 0, which would all be the same. */
enum ps_status ps_evaluation_sets(const struct ps_number_map *map,
                                  const struct ps_sampling_settings *settings,
                                  struct ps_arena *arena, struct ps_sampling_set **sets,
                                  struct ps_error *error);

/* Closes the models' prompters. */
void ps_evaluation_close(const struct ps_evaluation *evaluation);

/* Everything that can be known before. */
enum ps_status ps_evaluation_check(const struct ps_evaluation *evaluation, struct ps_error *error);

/* The models' prompts, as ps_sampling_show prints them. */
enum ps_status ps_evaluation_show_prompts(const struct ps_evaluation *evaluation, FILE *out,
                                          struct ps_error *error);

/* How many replies the store at `path` has of those wanted. */
enum ps_status ps_evaluation_survey(const struct ps_evaluation *evaluation, const char *path,
                                    struct ps_sample_survey *survey, struct ps_error *error);

/* In the arena of the evaluation's context. */
struct ps_evaluation_outcome {
    struct ps_result *results; /* data set by data set, in it model by model */
    size_t result_count;
    struct ps_result_pair *pairs; /* each model with each later one */
    size_t pair_count;
    struct ps_scores_replies *scored;          /* [result_count] */
    const struct ps_sample_traces **traces_of; /* [model_count] */
    int64_t graded, replies, sampled;
};

/* PS_STOPPED keeps what is there. PS_ARGUMENT when a reply is missing (its prompt does not fit the
 * model): no score is made of fewer samples than asked for. */
enum ps_status ps_evaluation_run(const struct ps_evaluation *evaluation, const char *path,
                                 struct ps_evaluation_outcome *outcome, struct ps_error *error);

/* Into an open object: "results", "pairs", "grader", and "models": [{"model", "role", "source",
 * "sampler"}]: the rows of the store that its replies are of. */
void ps_evaluation_write(const struct ps_evaluation *evaluation,
                         const struct ps_evaluation_outcome *outcome,
                         struct ps_json_writer *writer);

/* "traces" and "items": for each result the rows of its replies in the store, problem by problem,
 * and of its problems; from them the report makes the scores anew with the verdicts that count by
 * then. */
void ps_evaluation_write_replies(const struct ps_evaluation_outcome *outcome,
                                 struct ps_json_writer *writer);

/* The tables of an evaluate stage that is done, from its result.json; nothing when there is none.
 */
enum ps_status ps_evaluation_show(const struct ps_stage *stage, FILE *out, struct ps_error *error);
