#include "pipelines/report/results.h"

#include "stats/stats.h"

#include <math.h>
#include <string.h>

#define CONFIDENCE 0.95
#define POWER      0.8
enum { DRAWS = 10000, SEED = 1 };

const char *ps_result_role(const char *model) {
    static const char *const roles[] = {"teacher", "base", "student"};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i], model) == 0) return roles[i];
    return "other";
}

void ps_result_add(struct ps_result_problem *problem, enum ps_verdict verdict, int64_t tokens) {
    problem->samples++;
    problem->correct += verdict == PS_VERDICT_CORRECT;
    problem->truncated += verdict == PS_VERDICT_TRUNCATED;
    problem->no_answer += verdict == PS_VERDICT_NO_ANSWER;
    problem->tokens += tokens;
}

/* ---- one model on one data set ---- */

static double rate(const struct ps_result_problem *problem) {
    return (double)problem->correct / (double)problem->samples;
}

static enum ps_status check(const struct ps_result_problem *problems, size_t count,
                            const struct ps_result *result, struct ps_error *error) {
    PS_FAIL_IF(count == 0, error, PS_ARGUMENT, "%s on %s: there are no problems", result->model,
               result->dataset);
    PS_FAIL_IF(result->samples < 1, error, PS_ARGUMENT, "%s on %s: no samples are asked for",
               result->model, result->dataset);
    for (size_t i = 0; i < count; i++)
        PS_FAIL_IF(problems[i].samples != result->samples, error, PS_ARGUMENT,
                   "%s on %s: problem %zu has %lld of %lld samples; there is no score without all "
                   "of them",
                   result->model, result->dataset, i + 1, (long long)problems[i].samples,
                   (long long)result->samples);
    return PS_OK;
}

/* The mean over problems of `values`, of which each stands for so many samples. */
static struct ps_result_rate mean_rate(const double *values, size_t count, int64_t samples,
                                       enum ps_stats_form form) {
    struct ps_stats_mean mean = ps_stats_mean(values, NULL, count);
    struct ps_interval interval =
        ps_stats_rate_interval(mean, count * (uint64_t)samples, form, CONFIDENCE);
    return (struct ps_result_rate){mean.mean, interval.low, interval.high};
}

static enum ps_status pass_at(const struct ps_result_problem *problem, int64_t k, double *value,
                              struct ps_error *error) {
    return ps_stats_pass_at_k((uint64_t)problem->samples, (uint64_t)problem->correct, (uint64_t)k,
                              value, error);
}

static enum ps_status set_passes(const struct ps_result_problem *problems, size_t count,
                                 double *values, struct ps_result *result, struct ps_error *error) {
    result->pass_count = 0;
    for (int64_t k = 2; k <= result->samples && result->pass_count < PS_RESULT_PASSES; k *= 2) {
        for (size_t i = 0; i < count; i++) PS_TRY(pass_at(&problems[i], k, &values[i], error));
        result->passes[result->pass_count++] =
            mean_rate(values, count, result->samples / k, result->form);
    }
    return PS_OK;
}

/* However many samples vote, a problem has one vote. */
static void set_majority(const struct ps_result_problem *problems, size_t count, double *values,
                         struct ps_result *result) {
    size_t tied = 0;
    result->majority = (struct ps_result_rate){NAN, NAN, NAN};
    result->tied = NAN;
    if (result->samples == 1) return;
    for (size_t i = 0; i < count; i++) {
        values[i] = problems[i].majority;
        tied += problems[i].tied;
    }
    result->majority = mean_rate(values, count, 1, result->form);
    result->tied = (double)tied / (double)count;
}

static enum ps_status set_rates(const struct ps_result_problem *problems, size_t count,
                                struct ps_result *result, struct ps_error *error) {
    double *values = ps_malloc(count * sizeof *values);
    PS_FAIL_IF_NULL(values, error);
    for (size_t i = 0; i < count; i++) values[i] = rate(&problems[i]);
    struct ps_result_rate first = mean_rate(values, count, result->samples, result->form);
    result->pass_at_1 = first.value;
    result->low = first.low;
    result->high = first.high;
    set_majority(problems, count, values, result);
    enum ps_status status = set_passes(problems, count, values, result, error);
    ps_free(values);
    return status;
}

enum ps_status ps_result_compute(const struct ps_result_problem *problems, size_t count,
                                 struct ps_result *result, struct ps_error *error) {
    struct ps_result_problem sum = {0};
    PS_TRY(check(problems, count, result, error));
    for (size_t i = 0; i < count; i++) {
        sum.samples += problems[i].samples;
        sum.truncated += problems[i].truncated;
        sum.no_answer += problems[i].no_answer;
        sum.tokens += problems[i].tokens;
    }
    result->problems = (int64_t)count;
    result->truncated = (double)sum.truncated / (double)sum.samples;
    result->no_answer = (double)sum.no_answer / (double)sum.samples;
    result->mean_tokens = (double)sum.tokens / (double)sum.samples;
    return set_rates(problems, count, result, error);
}

/* ---- two models ---- */

static int64_t fewer(const struct ps_result_problem *a, const struct ps_result_problem *b) {
    return a->samples < b->samples ? a->samples : b->samples;
}

/* The mean of values[i], each the difference of one problem. */
static enum ps_status difference_of(const double *values, size_t count, double step,
                                    struct ps_result_difference *difference,
                                    struct ps_error *error) {
    struct ps_interval interval;
    PS_TRY(ps_stats_bootstrap(values, count, step, SEED, DRAWS, CONFIDENCE, &interval, error));
    PS_TRY(ps_stats_sign_flip(values, count, SEED, DRAWS, &difference->p, error));
    difference->value = ps_stats_mean(values, NULL, count).mean;
    difference->low = interval.low;
    difference->high = interval.high;
    return PS_OK;
}

static enum ps_status compare_first(const struct ps_result_problem *a,
                                    const struct ps_result_problem *b, size_t count, double *values,
                                    struct ps_result_pair *pair, struct ps_error *error) {
    pair->a_better = pair->b_better = 0;
    for (size_t i = 0; i < count; i++) {
        values[i] = rate(&a[i]) - rate(&b[i]);
        pair->a_better += values[i] > 0;
        pair->b_better += values[i] < 0;
    }
    struct ps_result_difference first;
    bool single = a[0].samples == 1 && b[0].samples == 1;
    PS_TRY(difference_of(values, count, 1.0 / (double)fewer(a, b), &first, error));
    pair->difference = first.value;
    pair->low = first.low;
    pair->high = first.high;
    pair->test = single ? "mcnemar" : "sign_flip";
    pair->p =
        single ? ps_stats_mcnemar((uint64_t)pair->a_better, (uint64_t)pair->b_better) : first.p;
    double se = ps_stats_mean(values, NULL, count).standard_error;
    pair->detectable = se > 0 ? ps_stats_detectable_difference(se, 1 - CONFIDENCE, POWER) : NAN;
    return PS_OK;
}

/* The vote, where both models have one, and pass@k as far as both have samples. */
static enum ps_status compare_rest(const struct ps_result_problem *a,
                                   const struct ps_result_problem *b, size_t count, double *values,
                                   struct ps_result_pair *pair, struct ps_error *error) {
    int64_t samples = fewer(a, b);
    pair->pass_count = 0;
    pair->majority = (struct ps_result_difference){NAN, NAN, NAN, NAN};
    if (samples == 1) return PS_OK;
    for (size_t i = 0; i < count; i++) values[i] = a[i].majority - b[i].majority;
    PS_TRY(difference_of(values, count, 1, &pair->majority, error));
    for (int64_t k = 2; k <= samples && pair->pass_count < PS_RESULT_PASSES; k *= 2) {
        for (size_t i = 0; i < count; i++) {
            double one, other;
            PS_TRY(pass_at(&a[i], k, &one, error));
            PS_TRY(pass_at(&b[i], k, &other, error));
            values[i] = one - other;
        }
        double step = (double)k / (double)samples;
        PS_TRY(difference_of(values, count, step, &pair->passes[pair->pass_count++], error));
    }
    return PS_OK;
}

enum ps_status ps_result_compare(const struct ps_result_problem *a,
                                 const struct ps_result_problem *b, size_t count,
                                 struct ps_result_pair *pair, struct ps_error *error) {
    PS_FAIL_IF(count == 0, error, PS_ARGUMENT, "there are no problems to compare on");
    double *values = ps_malloc(count * sizeof *values);
    PS_FAIL_IF_NULL(values, error);
    enum ps_status status = compare_first(a, b, count, values, pair, error);
    if (status == PS_OK) status = compare_rest(a, b, count, values, pair, error);
    ps_free(values);
    return status;
}
