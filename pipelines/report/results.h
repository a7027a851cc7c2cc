#pragma once
/* From verdicts to scores: pure functions of counts for each problem. The stage evaluate makes its
 * numbers with them (pipelines/report/scores.h), the report reads them back.
 *
 * The unit is the problem. pass@1 is the mean over problems of the mean over a problem's samples;
 * only `correct` counts as correct. All intervals are 95 % and clustered by problem: Wilson's or
 * the exact one at one sample a problem, and what ps_stats_rate_interval makes of it at more. Two
 * models are compared on the problems of one data set, paired: exact McNemar test at one sample,
 * sign-flip test at more; the interval of the difference is ps_stats_bootstrap's.
 * docs/statistics.md has the formulas and what they cover. */

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "grade/grade.h"
#include "stats/stats.h"

#include <stddef.h>
#include <stdint.h>

struct ps_result_problem {
    int64_t samples, correct, truncated, no_answer, tokens; /* of the samples that are there */
    double majority; /* whether the answer most samples give is correct, ties broken by lot */
    bool tied;
};

/* Without a pipeline a model has the role that its name says: "teacher", "base", "student", or
 * "other". */
const char *ps_result_role(const char *model);

/* Counts one sample. */
void ps_result_add(struct ps_result_problem *problem, enum ps_verdict verdict, int64_t tokens);

/* A share of problems or of samples, with its interval. */
struct ps_result_rate {
    double value, low, high;
};

/* pass@1 if max_tokens had been this: a longer reply is cut, and what is cut is not correct. */
struct ps_result_limit {
    int64_t max_tokens;
    double pass_at_1, low, high, truncated, no_answer, mean_tokens;
};

enum { PS_RESULT_PASSES = 20 }; /* k = 2, 4 ... 2^20 */

struct ps_result {
    const char *model, *role, *dataset; /* borrowed, as the next two */
    const char *of, *budget; /* the model's own name and its thinking budget; NULL: none */
    int64_t problems, samples, max_tokens; /* samples: of each problem */
    int64_t total; /* problems of the whole set, of which the first are scored; 0: not known */
    double pass_at_1, low, high;
    double truncated, no_answer;                    /* shares of all samples */
    double mean_tokens;                             /* of a sample */
    struct ps_result_rate passes[PS_RESULT_PASSES]; /* [i]: unbiased pass@2^(i+1) */
    size_t pass_count;                              /* as many as the samples allow */
    struct ps_result_rate majority;                 /* maj@samples; NAN at one sample */
    double tied;                    /* share of problems whose vote is a tie; NAN at one sample */
    struct ps_result_limit *limits; /* ascending, all below max_tokens */
    size_t limit_count;
    enum ps_stats_form form; /* of its intervals */
};

/* The caller sets names, samples and form; the scores are filled, but for max_tokens and limits.
 * PS_ARGUMENT when a problem has another number of samples than result->samples, or there is no
 * problem. */
enum ps_status ps_result_compute(const struct ps_result_problem *problems, size_t count,
                                 struct ps_result *result, struct ps_error *error);

/* Of two models, paired by problem; p by the sign-flip test. */
struct ps_result_difference {
    double value, low, high, p;
};

struct ps_result_pair {
    const char *a, *b, *dataset;  /* borrowed */
    double difference, low, high; /* pass_at_1 of a less that of b */
    double p;                     /* two-sided */
    double detectable; /* the smallest true difference found with power 0.8 at level 0.05; NAN:
                          no two problems differ */
    const char *test;  /* "mcnemar" or "sign_flip" */
    int64_t a_better, b_better;           /* problems of which a has more correct samples, or b */
    struct ps_result_difference majority; /* NAN where one has one sample */
    struct ps_result_difference passes[PS_RESULT_PASSES]; /* [i]: of pass@2^(i+1) */
    size_t pass_count;                                    /* as many as both have samples */
};

/* a and b: the same problems in the same order, for each of which ps_result_compute succeeded. */
enum ps_status ps_result_compare(const struct ps_result_problem *a,
                                 const struct ps_result_problem *b, size_t count,
                                 struct ps_result_pair *pair, struct ps_error *error);

/* "results": [...], "pairs": [...], into an object that is open. A result's passes are
 * "pass_at": [{"k", "value", "low", "high"}], its vote "majority": {"value", "low", "high", "tied"}
 * or null, "of" and "budget" are there under a thinking budget, "total" where it is not "problems",
 * its limits "limits":
 * [{"max_tokens", "pass_at_1", ...}]. A pair's are "pass_at": [{"k", "value", "low", "high",
 * "p"}] and "majority": the same without k, or null. */
void ps_results_write(const struct ps_result *results, size_t result_count,
                      const struct ps_result_pair *pairs, size_t pair_count,
                      struct ps_json_writer *writer);

/* The same from JSON: lists and names in the arena. PS_FORMAT. */
enum ps_status ps_results_read(const json_t *object, struct ps_arena *arena,
                               struct ps_result **results, size_t *result_count,
                               struct ps_result_pair **pairs, size_t *pair_count,
                               struct ps_error *error);

/* Tables for a terminal; false when the buffer is full. */
bool ps_results_print(const struct ps_result *results, size_t result_count,
                      const struct ps_result_pair *pairs, size_t pair_count,
                      struct ps_buffer *text);
