/* The sentence a reader takes away, computed from the numbers: the student against the base on the
 * first data set, with the interval and p; and that they cannot be told apart where p is 0.05 or
 * more. What else the student was compared with follows as details. */
#include "pipelines/report/report_internal.h"

#include <math.h>
#include <string.h>

static const struct ps_result *find_result(const struct ps_report *report, const char *model,
                                           const char *dataset) {
    for (size_t i = 0; i < report->result_count; i++)
        if (strcmp(report->results[i].model, model) == 0 &&
            strcmp(report->results[i].dataset, dataset) == 0)
            return &report->results[i];
    return NULL;
}

static const char *first_of_role(const struct ps_report *report, const char *role) {
    for (size_t i = 0; i < report->result_count; i++)
        if (strcmp(report->results[i].role, role) == 0) return report->results[i].model;
    return NULL;
}

/* The pair seen from a: the sign is turned where the pair stands the other way round. */
static bool find_pair(const struct ps_report *report, const char *a, const char *b,
                      const char *dataset, struct ps_result_pair *pair) {
    for (size_t i = 0; i < report->pair_count; i++) {
        const struct ps_result_pair *p = &report->pairs[i];
        if (strcmp(p->dataset, dataset) != 0) continue;
        *pair = *p;
        if (strcmp(p->a, a) == 0 && strcmp(p->b, b) == 0) return true;
        if (strcmp(p->a, b) != 0 || strcmp(p->b, a) != 0) continue;
        *pair = (struct ps_result_pair){.a = a,
                                        .b = b,
                                        .dataset = dataset,
                                        .difference = -p->difference,
                                        .low = -p->high,
                                        .high = -p->low,
                                        .p = p->p,
                                        .detectable = p->detectable,
                                        .test = p->test,
                                        .a_better = p->b_better,
                                        .b_better = p->a_better};
        return true;
    }
    return false;
}

/* In points, never as -0.0. */
static double points(double difference) {
    return round(1000 * difference) / 10 + 0.0;
}

/* "95% interval +68.1 to +76.0, p < 0.001" */
static const char *certainty(struct ps_report *report, const struct ps_result_pair *pair) {
    const char *p = pair->p < 0.001 ? "p < 0.001"
                                    : ps_arena_format(&report->arena, "p = %.*f",
                                                      pair->p < 0.095 ? 3 : 2, pair->p);
    return ps_arena_format(&report->arena, "95%% interval %+.1f to %+.1f, %s", points(pair->low),
                           points(pair->high), p ? p : "");
}

/* a against b in one sentence. */
static const char *comparison(struct ps_report *report, const struct ps_result *a,
                              const struct ps_result *b, const struct ps_result_pair *pair) {
    const char *sure = certainty(report, pair);
    double distance = points(fabs(pair->difference));
    bool part =
        report->run_count > 1 && fabs(a->pass_at_1 - b->pass_at_1 - pair->difference) > 1e-9;
    const char *where = part ? " on the problems that both have" : "";
    if (!sure) return NULL;
    if (!(pair->p < 0.05))
        return ps_arena_format(
            &report->arena,
            "On %s, %s (%.1f%%) and %s (%.1f%%) cannot be told apart: the difference is %+.1f "
            "points%s (%s).",
            a->dataset, a->model, 100 * a->pass_at_1, b->model, 100 * b->pass_at_1,
            points(pair->difference), where, sure);
    return ps_arena_format(&report->arena,
                           "%s solves %.1f%% of %s, %s %.1f%%: %.1f points %s%s (%s).", a->model,
                           100 * a->pass_at_1, a->dataset, b->model, 100 * b->pass_at_1, distance,
                           pair->difference > 0 ? "more" : "fewer", where, sure);
}

static enum ps_status add_detail(struct ps_report *report, const char *text,
                                 struct ps_error *error) {
    PS_FAIL_IF_NULL(text, error);
    report->details[report->detail_count++] = text;
    return PS_OK;
}

static enum ps_status add_pair(struct ps_report *report, const char *a, const char *b,
                               const char *dataset, struct ps_error *error) {
    struct ps_result_pair pair;
    const struct ps_result *of_a = find_result(report, a, dataset);
    const struct ps_result *of_b = find_result(report, b, dataset);
    if (!of_a || !of_b || !find_pair(report, a, b, dataset, &pair)) return PS_OK;
    const char *text = comparison(report, of_a, of_b, &pair);
    if (!report->headline) {
        PS_FAIL_IF_NULL(text, error);
        report->headline = text;
        if (pair.p < 0.05 || !isfinite(pair.detectable)) return PS_OK;
        text = ps_arena_format(&report->arena,
                               "With %lld problems, a true difference of less than %.1f points "
                               "would often go unnoticed.",
                               (long long)of_a->problems, 100 * pair.detectable);
    }
    return add_detail(report, text, error);
}

static enum ps_status single(struct ps_report *report, const struct ps_result *result,
                             struct ps_error *error) {
    report->headline = ps_arena_format(
        &report->arena, "%s solves %.1f%% of %s (95%% interval %.1f to %.1f).", result->model,
        100 * result->pass_at_1, result->dataset, 100 * result->low, 100 * result->high);
    PS_FAIL_IF_NULL(report->headline, error);
    return PS_OK;
}

/* Of several runs: a student against the earlier one, else what stands first; then the others. */
static enum ps_status of_runs(struct ps_report *report, struct ps_error *error) {
    size_t first = 0;
    for (size_t i = report->pair_count; i-- > 0;) {
        const struct ps_result *a =
            find_result(report, report->pairs[i].a, report->pairs[i].dataset);
        if (a && strcmp(a->role, "student") == 0) first = i;
    }
    for (size_t i = 0; i < report->pair_count; i++) {
        const struct ps_result_pair *pair = &report->pairs[i ? i - (i <= first) : first];
        PS_TRY(add_pair(report, pair->a, pair->b, pair->dataset, error));
    }
    return PS_OK;
}

enum ps_status ps_report_headline(struct ps_report *report, struct ps_error *error) {
    const char *student = first_of_role(report, "student"), *base = first_of_role(report, "base");
    report->headline = NULL;
    report->detail_count = 0;
    report->details = ps_arena_array(
        &report->arena, 2 * report->result_count + report->pair_count + 2, sizeof *report->details);
    PS_FAIL_IF_NULL(report->details, error);
    if (report->result_count == 0) {
        report->headline = "This run has no evaluation yet.";
        return PS_OK;
    }
    if (report->run_count > 1) return of_runs(report, error);
    const char *dataset = NULL;
    for (size_t i = 0; student && base && i < report->result_count; i++) {
        const struct ps_result *result = &report->results[i];
        if (strcmp(result->model, student) != 0) continue;
        PS_TRY(add_pair(report, student, base, result->dataset, error));
        if (!dataset && report->headline) dataset = result->dataset;
    }
    for (size_t i = 0; dataset && i < report->result_count; i++) {
        const struct ps_result *other = &report->results[i];
        if (strcmp(other->dataset, dataset) != 0 || strcmp(other->model, student) == 0 ||
            strcmp(other->model, base) == 0)
            continue;
        PS_TRY(add_pair(report, student, other->model, dataset, error));
    }
    if (report->headline) return PS_OK;
    const struct ps_result *first = student ? NULL : &report->results[0];
    for (size_t i = 0; !first && i < report->result_count; i++)
        if (strcmp(report->results[i].model, student) == 0) first = &report->results[i];
    return single(report, first, error);
}
