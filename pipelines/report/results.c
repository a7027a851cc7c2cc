#include "pipelines/report/results.h"

#include "stats/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CONFIDENCE 0.95
#define POWER      0.8
enum { DRAWS = 10000, SEED = 1 };

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

static enum ps_status set_interval(const struct ps_result_problem *problems, size_t count,
                                   int64_t correct, struct ps_result *result,
                                   struct ps_error *error) {
    struct ps_interval interval;
    if (result->samples == 1) {
        interval = ps_stats_wilson((uint64_t)correct, count, CONFIDENCE);
    } else {
        double *rates = ps_malloc(count * sizeof *rates);
        PS_FAIL_IF_NULL(rates, error);
        for (size_t i = 0; i < count; i++) rates[i] = rate(&problems[i]);
        interval = ps_stats_rate_interval(ps_stats_mean(rates, NULL, count),
                                          count * (uint64_t)result->samples, CONFIDENCE);
        ps_free(rates);
    }
    result->low = interval.low;
    result->high = interval.high;
    return PS_OK;
}

enum ps_status ps_result_compute(const struct ps_result_problem *problems, size_t count,
                                 struct ps_result *result, struct ps_error *error) {
    struct ps_result_problem sum = {0};
    PS_TRY(check(problems, count, result, error));
    for (size_t i = 0; i < count; i++) {
        sum.samples += problems[i].samples;
        sum.correct += problems[i].correct;
        sum.truncated += problems[i].truncated;
        sum.no_answer += problems[i].no_answer;
        sum.tokens += problems[i].tokens;
    }
    /* every problem has as many samples, so the mean of means is the mean of all */
    result->problems = (int64_t)count;
    result->pass_at_1 = rate(&sum);
    result->truncated = (double)sum.truncated / (double)sum.samples;
    result->no_answer = (double)sum.no_answer / (double)sum.samples;
    result->mean_tokens = (double)sum.tokens / (double)sum.samples;
    return set_interval(problems, count, sum.correct, result, error);
}

/* ---- two models ---- */

static enum ps_status test(const double *difference, size_t count, bool single, double *p,
                           struct ps_error *error) {
    uint64_t only_a = 0, only_b = 0;
    if (!single) return ps_stats_sign_flip(difference, count, SEED, DRAWS, p, error);
    for (size_t i = 0; i < count; i++) {
        only_a += difference[i] > 0;
        only_b += difference[i] < 0;
    }
    *p = ps_stats_mcnemar(only_a, only_b);
    return PS_OK;
}

/* A bootstrap of equal differences has no width, however few they are. What may then still be is
 * that other problems differ: as many as Wilson's bound allows where none of `count` did. */
static void widen(struct ps_interval *interval, size_t count) {
    double bound = ps_stats_wilson(0, count, CONFIDENCE).high;
    if (interval->low < interval->high) return;
    interval->low = fmax(-1, interval->low - bound);
    interval->high = fmin(1, interval->high + bound);
}

enum ps_status ps_result_compare(const struct ps_result_problem *a,
                                 const struct ps_result_problem *b, size_t count,
                                 struct ps_result_pair *pair, struct ps_error *error) {
    struct ps_interval interval;
    PS_FAIL_IF(count == 0, error, PS_ARGUMENT, "there are no problems to compare on");
    double *difference = ps_malloc(count * sizeof *difference);
    PS_FAIL_IF_NULL(difference, error);
    for (size_t i = 0; i < count; i++) difference[i] = rate(&a[i]) - rate(&b[i]);
    struct ps_stats_mean mean = ps_stats_mean(difference, NULL, count);
    bool single = a[0].samples == 1 && b[0].samples == 1;
    enum ps_status status =
        ps_stats_bootstrap(difference, count, SEED, DRAWS, CONFIDENCE, &interval, error);
    if (status == PS_OK) status = test(difference, count, single, &pair->p, error);
    if (status == PS_OK) {
        widen(&interval, count);
        pair->difference = mean.mean;
        pair->low = interval.low;
        pair->high = interval.high;
        pair->detectable =
            mean.standard_error > 0
                ? ps_stats_detectable_difference(mean.standard_error, 1 - CONFIDENCE, POWER)
                : NAN;
    }
    ps_free(difference);
    return status;
}

/* ---- tables ---- */

static int widest(int width, const char *name) {
    int size = (int)strlen(name);
    return size > width ? size : width;
}

static const char *p_text(double p, char buffer[16]) {
    if (p < 0.0001) return "< 0.0001";
    snprintf(buffer, 16, "%.4f", p);
    return buffer;
}

static const char *percent_text(double rate, char buffer[16]) {
    if (isnan(rate)) return "-";
    snprintf(buffer, 16, "%.1f", 100 * rate);
    return buffer;
}

static bool print_results(const struct ps_result *results, size_t count, int model, int set,
                          struct ps_buffer *text) {
    bool fits = ps_buffer_format(text, "%-*s  %-*s  %-7s  %8s  %7s  %6s  %-14s  %9s  %9s  %8s\n",
                                 set, "data set", model, "model", "role", "problems", "samples",
                                 "pass@1", "95 % interval", "truncated", "no answer", "tokens");
    for (size_t i = 0; i < count && fits; i++) {
        const struct ps_result *r = &results[i];
        fits = ps_buffer_format(
            text, "%-*s  %-*s  %-7s  %8lld  %7lld  %6.1f  %5.1f to %5.1f  %9.1f  %9.1f  %8.1f\n",
            set, r->dataset, model, r->model, r->role, (long long)r->problems,
            (long long)r->samples, 100 * r->pass_at_1, 100 * r->low, 100 * r->high,
            100 * r->truncated, 100 * r->no_answer, r->mean_tokens);
    }
    return fits;
}

bool ps_results_print(const struct ps_result *results, size_t result_count,
                      const struct ps_result_pair *pairs, size_t pair_count,
                      struct ps_buffer *text) {
    int model = 5, set = 8;
    char p[16], detectable[16];
    for (size_t i = 0; i < result_count; i++) {
        model = widest(model, results[i].model);
        set = widest(set, results[i].dataset);
    }
    bool fits = print_results(results, result_count, model, set, text);
    if (pair_count)
        fits = fits && ps_buffer_format(text, "\n%-*s  %-*s  %-*s  %6s  %-16s  %-8s  %s\n", set,
                                        "data set", model, "a", model, "b", "a - b",
                                        "95 % interval", "p", "detectable");
    for (size_t i = 0; i < pair_count && fits; i++) {
        const struct ps_result_pair *r = &pairs[i];
        fits = ps_buffer_format(text, "%-*s  %-*s  %-*s  %+6.1f  %+6.1f to %+6.1f  %-8s  %10s\n",
                                set, r->dataset, model, r->a, model, r->b, 100 * r->difference,
                                100 * r->low, 100 * r->high, p_text(r->p, p),
                                percent_text(r->detectable, detectable));
    }
    return fits;
}
