/* Results as tables for a terminal. */
#include "pipelines/report/results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Widths of the first two columns. */
struct widths {
    int set, model;
};

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

static bool print_scores(const struct ps_result *results, size_t count, struct widths width,
                         struct ps_buffer *text) {
    bool fits =
        ps_buffer_format(text, "%-*s  %-*s  %-7s  %8s  %7s  %6s  %-14s  %9s  %9s  %8s\n", width.set,
                         "data set", width.model, "model", "role", "problems", "samples", "pass@1",
                         "95 % interval", "truncated", "no answer", "tokens");
    for (size_t i = 0; i < count && fits; i++) {
        const struct ps_result *r = &results[i];
        fits = ps_buffer_format(
            text, "%-*s  %-*s  %-7s  %8lld  %7lld  %6.1f  %5.1f to %5.1f  %9.1f  %9.1f  %8.1f\n",
            width.set, r->dataset, width.model, r->model, r->role, (long long)r->problems,
            (long long)r->samples, 100 * r->pass_at_1, 100 * r->low, 100 * r->high,
            100 * r->truncated, 100 * r->no_answer, r->mean_tokens);
    }
    return fits;
}

/* A line for each set of which only the first problems were asked. */
static bool print_subsets(const struct ps_result *results, size_t count, struct ps_buffer *text) {
    bool fits = true;
    for (size_t i = 0; i < count && fits; i++) {
        const struct ps_result *r = &results[i];
        if (i > 0 && strcmp(results[i - 1].dataset, r->dataset) == 0) continue;
        if (r->total > r->problems)
            fits = ps_buffer_format(text, "%s: the first %lld of its %lld problems\n", r->dataset,
                                    (long long)r->problems, (long long)r->total);
    }
    return fits;
}

/* A line for each model with several samples: the vote, then pass@k. */
static bool print_samples(const struct ps_result *results, size_t count, struct widths width,
                          struct ps_buffer *text) {
    bool fits = true, begun = false;
    for (size_t i = 0; i < count && fits; i++) {
        const struct ps_result *r = &results[i];
        if (r->pass_count == 0 || isnan(r->tied)) continue;
        if (!begun)
            fits = ps_buffer_format(text, "\n%-*s  %-*s  %7s  %5s  %-14s  %5s  %s\n", width.set,
                                    "data set", width.model, "model", "samples", "maj@k",
                                    "95 % interval", "tied", "pass@k");
        begun = true;
        fits =
            fits && ps_buffer_format(text, "%-*s  %-*s  %7lld  %5.1f  %5.1f to %5.1f  %5.1f ",
                                     width.set, r->dataset, width.model, r->model,
                                     (long long)r->samples, 100 * r->majority.value,
                                     100 * r->majority.low, 100 * r->majority.high, 100 * r->tied);
        for (size_t k = 0; k < r->pass_count && fits; k++)
            fits = ps_buffer_format(text, "%s%lld: %.1f (%.1f to %.1f)", k ? ", " : " ",
                                    (long long)2 << k, 100 * r->passes[k].value,
                                    100 * r->passes[k].low, 100 * r->passes[k].high);
        fits = fits && ps_buffer_puts(text, "\n");
    }
    return fits;
}

/* A line for each limit, the real one last. */
static bool print_limits(const struct ps_result *results, size_t count, struct widths width,
                         struct ps_buffer *text) {
    bool fits = true, begun = false;
    for (size_t i = 0; i < count && fits; i++) {
        const struct ps_result *r = &results[i];
        if (r->limit_count == 0) continue;
        if (!begun)
            fits = ps_buffer_format(text, "\n%-*s  %-*s  %10s  %6s  %-14s  %9s  %9s  %8s\n",
                                    width.set, "data set", width.model, "model", "max tokens",
                                    "pass@1", "95 % interval", "truncated", "no answer", "tokens");
        begun = true;
        struct ps_result_limit whole = {r->max_tokens, r->pass_at_1, r->low,        r->high,
                                        r->truncated,  r->no_answer, r->mean_tokens};
        for (size_t j = 0; j <= r->limit_count && fits; j++) {
            const struct ps_result_limit *limit = j < r->limit_count ? &r->limits[j] : &whole;
            fits = ps_buffer_format(
                text, "%-*s  %-*s  %10lld  %6.1f  %5.1f to %5.1f  %9.1f  %9.1f  %8.1f\n", width.set,
                r->dataset, width.model, r->model, (long long)limit->max_tokens,
                100 * limit->pass_at_1, 100 * limit->low, 100 * limit->high, 100 * limit->truncated,
                100 * limit->no_answer, limit->mean_tokens);
        }
    }
    return fits;
}

static bool print_pairs(const struct ps_result_pair *pairs, size_t count, struct widths width,
                        struct ps_buffer *text) {
    char p[16], detectable[16];
    bool fits = count == 0 || ps_buffer_format(text, "\n%-*s  %-*s  %-*s  %6s  %-16s  %-8s  %s\n",
                                               width.set, "data set", width.model, "a", width.model,
                                               "b", "a - b", "95 % interval", "p", "detectable");
    for (size_t i = 0; i < count && fits; i++) {
        const struct ps_result_pair *r = &pairs[i];
        fits = ps_buffer_format(text, "%-*s  %-*s  %-*s  %+6.1f  %+6.1f to %+6.1f  %-8s  %10s\n",
                                width.set, r->dataset, width.model, r->a, width.model, r->b,
                                100 * r->difference, 100 * r->low, 100 * r->high, p_text(r->p, p),
                                percent_text(r->detectable, detectable));
    }
    return fits;
}

/* A line for each pair that is not told apart: what the set could have shown. */
static bool print_unseen(const struct ps_result_pair *pairs, size_t count, struct ps_buffer *text) {
    bool fits = true, begun = false;
    for (size_t i = 0; i < count && fits; i++) {
        const struct ps_result_pair *r = &pairs[i];
        if (r->p < 0.05 || isnan(r->detectable)) continue;
        fits = ps_buffer_format(text,
                                "%s%s: %s and %s are not told apart; this set could not have shown "
                                "a difference below %.1f points (power 0.8)\n",
                                begun ? "" : "\n", r->dataset, r->a, r->b, 100 * r->detectable);
        begun = true;
    }
    return fits;
}

static bool print_difference(const struct ps_result_pair *pair, const char *score,
                             const struct ps_result_difference *difference, struct widths width,
                             struct ps_buffer *text) {
    char p[16];
    return ps_buffer_format(text, "%-*s  %-*s  %-*s  %-10s  %+6.1f  %+6.1f to %+6.1f  %s\n",
                            width.set, pair->dataset, width.model, pair->a, width.model, pair->b,
                            score, 100 * difference->value, 100 * difference->low,
                            100 * difference->high, p_text(difference->p, p));
}

/* For each pair with several samples: differences of the vote and of pass@k. */
static bool print_pair_samples(const struct ps_result_pair *pairs, size_t count,
                               struct widths width, struct ps_buffer *text) {
    bool fits = true, begun = false;
    char score[32];
    for (size_t i = 0; i < count && fits; i++) {
        const struct ps_result_pair *r = &pairs[i];
        if (r->pass_count == 0) continue;
        if (!begun)
            fits = ps_buffer_format(text, "\n%-*s  %-*s  %-*s  %-10s  %6s  %-16s  %s\n", width.set,
                                    "data set", width.model, "a", width.model, "b", "score",
                                    "a - b", "95 % interval", "p");
        begun = true;
        fits = fits && print_difference(r, "maj@k", &r->majority, width, text);
        for (size_t k = 0; k < r->pass_count && fits; k++) {
            snprintf(score, sizeof score, "pass@%lld", (long long)2 << k);
            fits = print_difference(r, score, &r->passes[k], width, text);
        }
    }
    return fits;
}

bool ps_results_print(const struct ps_result *results, size_t result_count,
                      const struct ps_result_pair *pairs, size_t pair_count,
                      struct ps_buffer *text) {
    struct widths width = {8, 5};
    for (size_t i = 0; i < result_count; i++) {
        width.model = widest(width.model, results[i].model);
        width.set = widest(width.set, results[i].dataset);
    }
    return print_scores(results, result_count, width, text) &&
           print_subsets(results, result_count, text) &&
           print_samples(results, result_count, width, text) &&
           print_limits(results, result_count, width, text) &&
           print_pairs(pairs, pair_count, width, text) &&
           print_pair_samples(pairs, pair_count, width, text) &&
           print_unseen(pairs, pair_count, text);
}
