/* Results as JSON, there and back. */
#include "pipelines/report/results.h"

#include <math.h>
#include <string.h>

static void write_rate(struct ps_json_writer *writer, const struct ps_result_rate *rate) {
    ps_json_put_number(writer, "value", rate->value);
    ps_json_put_number(writer, "low", rate->low);
    ps_json_put_number(writer, "high", rate->high);
}

static const char *const forms[] = {"wilson", "exact"};

static void write_passes(const struct ps_result *result, struct ps_json_writer *writer) {
    ps_json_write_key(writer, "pass_at");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < result->pass_count; i++) {
        ps_json_write_begin_object(writer);
        ps_json_put_integer(writer, "k", (int64_t)2 << i);
        write_rate(writer, &result->passes[i]);
        ps_json_write_end_object(writer);
    }
    ps_json_write_end_array(writer);
    ps_json_write_key(writer, "majority");
    if (isnan(result->tied)) {
        ps_json_write_null(writer);
        return;
    }
    ps_json_write_begin_object(writer);
    write_rate(writer, &result->majority);
    ps_json_put_number(writer, "tied", result->tied);
    ps_json_write_end_object(writer);
}

static void write_limits(const struct ps_result *result, struct ps_json_writer *writer) {
    ps_json_write_key(writer, "limits");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < result->limit_count; i++) {
        const struct ps_result_limit *limit = &result->limits[i];
        ps_json_write_begin_object(writer);
        ps_json_put_integer(writer, "max_tokens", limit->max_tokens);
        ps_json_put_number(writer, "pass_at_1", limit->pass_at_1);
        ps_json_put_number(writer, "low", limit->low);
        ps_json_put_number(writer, "high", limit->high);
        ps_json_put_number(writer, "truncated", limit->truncated);
        ps_json_put_number(writer, "no_answer", limit->no_answer);
        ps_json_put_number(writer, "mean_tokens", limit->mean_tokens);
        ps_json_write_end_object(writer);
    }
    ps_json_write_end_array(writer);
}

static void write_result(const struct ps_result *result, struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "model", result->model);
    ps_json_put_string(writer, "role", result->role);
    ps_json_put_string(writer, "dataset", result->dataset);
    if (result->budget) {
        ps_json_put_string(writer, "of", result->of);
        ps_json_put_string(writer, "budget", result->budget);
    }
    ps_json_put_integer(writer, "problems", result->problems);
    ps_json_put_integer(writer, "samples", result->samples);
    ps_json_put_integer(writer, "max_tokens", result->max_tokens);
    ps_json_put_number(writer, "pass_at_1", result->pass_at_1);
    ps_json_put_number(writer, "low", result->low);
    ps_json_put_number(writer, "high", result->high);
    ps_json_put_number(writer, "truncated", result->truncated);
    ps_json_put_number(writer, "no_answer", result->no_answer);
    ps_json_put_number(writer, "mean_tokens", result->mean_tokens);
    write_passes(result, writer);
    ps_json_put_string(writer, "interval", forms[result->form]);
    if (result->total > result->problems) ps_json_put_integer(writer, "total", result->total);
    write_limits(result, writer);
    ps_json_write_end_object(writer);
}

static void write_difference(struct ps_json_writer *writer,
                             const struct ps_result_difference *difference) {
    ps_json_put_number(writer, "value", difference->value);
    ps_json_put_number(writer, "low", difference->low);
    ps_json_put_number(writer, "high", difference->high);
    ps_json_put_number(writer, "p", difference->p);
}

static void write_differences(const struct ps_result_pair *pair, struct ps_json_writer *writer) {
    ps_json_write_key(writer, "pass_at");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < pair->pass_count; i++) {
        ps_json_write_begin_object(writer);
        ps_json_put_integer(writer, "k", (int64_t)2 << i);
        write_difference(writer, &pair->passes[i]);
        ps_json_write_end_object(writer);
    }
    ps_json_write_end_array(writer);
    ps_json_write_key(writer, "majority");
    if (isnan(pair->majority.value)) {
        ps_json_write_null(writer);
        return;
    }
    ps_json_write_begin_object(writer);
    write_difference(writer, &pair->majority);
    ps_json_write_end_object(writer);
}

static void write_pair(const struct ps_result_pair *pair, struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "a", pair->a);
    ps_json_put_string(writer, "b", pair->b);
    ps_json_put_string(writer, "dataset", pair->dataset);
    ps_json_put_number(writer, "difference", pair->difference);
    ps_json_put_number(writer, "low", pair->low);
    ps_json_put_number(writer, "high", pair->high);
    ps_json_put_number(writer, "p", pair->p);
    ps_json_put_number(writer, "detectable", pair->detectable);
    ps_json_put_string(writer, "test", pair->test);
    ps_json_put_integer(writer, "a_better", pair->a_better);
    ps_json_put_integer(writer, "b_better", pair->b_better);
    write_differences(pair, writer);
    ps_json_write_end_object(writer);
}

void ps_results_write(const struct ps_result *results, size_t result_count,
                      const struct ps_result_pair *pairs, size_t pair_count,
                      struct ps_json_writer *writer) {
    ps_json_write_key(writer, "results");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < result_count; i++) write_result(&results[i], writer);
    ps_json_write_end_array(writer);
    ps_json_write_key(writer, "pairs");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < pair_count; i++) write_pair(&pairs[i], writer);
    ps_json_write_end_array(writer);
}

static enum ps_status read_text(const json_t *object, const char *key, struct ps_arena *arena,
                                const char **value, struct ps_error *error) {
    PS_TRY(ps_json_string(object, key, value, error));
    *value = ps_arena_strndup(arena, *value, strlen(*value));
    PS_FAIL_IF_NULL(*value, error);
    return PS_OK;
}

static enum ps_status read_list(const json_t *object, const char *key, size_t most, json_t **list,
                                struct ps_error *error) {
    PS_TRY(ps_json_array_or(object, key, list, error));
    PS_FAIL_IF(json_array_size(*list) > most, error, PS_FORMAT,
               "'%s' has %zu members, more than %zu", key, json_array_size(*list), most);
    return PS_OK;
}

static enum ps_status read_rate(const json_t *object, struct ps_result_rate *rate,
                                struct ps_error *error) {
    PS_TRY(ps_json_number(object, "value", &rate->value, error));
    PS_TRY(ps_json_number(object, "low", &rate->low, error));
    return ps_json_number(object, "high", &rate->high, error);
}

static enum ps_status read_budget(const json_t *object, struct ps_arena *arena,
                                  struct ps_result *result, struct ps_error *error) {
    result->of = result->model;
    result->budget = NULL;
    if (!ps_json_get(object, "budget")) return PS_OK;
    PS_TRY(read_text(object, "of", arena, &result->of, error));
    return read_text(object, "budget", arena, &result->budget, error);
}

/* In the order in which they are written: k = 2, 4 ... */
static enum ps_status read_passes(const json_t *object, struct ps_result *result,
                                  struct ps_error *error) {
    json_t *list, *majority;
    PS_TRY(read_list(object, "pass_at", PS_RESULT_PASSES, &list, error));
    result->pass_count = json_array_size(list);
    for (size_t i = 0; i < result->pass_count; i++)
        PS_TRY(read_rate(json_array_get(list, i), &result->passes[i], error));
    PS_TRY(ps_json_object_or(object, "majority", &majority, error));
    result->majority = (struct ps_result_rate){NAN, NAN, NAN};
    result->tied = NAN;
    if (!majority) return PS_OK;
    PS_TRY(read_rate(majority, &result->majority, error));
    return ps_json_number(majority, "tied", &result->tied, error);
}

static enum ps_status read_limits(const json_t *object, struct ps_arena *arena,
                                  struct ps_result *result, struct ps_error *error) {
    json_t *list;
    PS_TRY(ps_json_array_or(object, "limits", &list, error));
    result->limit_count = json_array_size(list);
    result->limits = ps_arena_array(arena, result->limit_count + 1, sizeof *result->limits);
    PS_FAIL_IF_NULL(result->limits, error);
    for (size_t i = 0; i < result->limit_count; i++) {
        const json_t *item = json_array_get(list, i);
        struct ps_result_limit *limit = &result->limits[i];
        PS_TRY(ps_json_integer(item, "max_tokens", 1, INT64_MAX, &limit->max_tokens, error));
        PS_TRY(ps_json_number(item, "pass_at_1", &limit->pass_at_1, error));
        PS_TRY(ps_json_number(item, "low", &limit->low, error));
        PS_TRY(ps_json_number(item, "high", &limit->high, error));
        PS_TRY(ps_json_number(item, "truncated", &limit->truncated, error));
        PS_TRY(ps_json_number(item, "no_answer", &limit->no_answer, error));
        PS_TRY(ps_json_number(item, "mean_tokens", &limit->mean_tokens, error));
    }
    return PS_OK;
}

static enum ps_status read_result(const json_t *object, struct ps_arena *arena,
                                  struct ps_result *result, struct ps_error *error) {
    const char *form;
    PS_TRY(read_text(object, "model", arena, &result->model, error));
    PS_TRY(read_text(object, "role", arena, &result->role, error));
    PS_TRY(read_text(object, "dataset", arena, &result->dataset, error));
    PS_TRY(read_budget(object, arena, result, error));
    PS_TRY(ps_json_integer(object, "problems", 1, INT64_MAX, &result->problems, error));
    PS_TRY(
        ps_json_integer_or(object, "total", 1, INT64_MAX, result->problems, &result->total, error));
    PS_TRY(ps_json_integer(object, "samples", 1, INT64_MAX, &result->samples, error));
    PS_TRY(ps_json_integer_or(object, "max_tokens", 1, INT64_MAX, INT64_MAX, &result->max_tokens,
                              error));
    PS_TRY(ps_json_number(object, "pass_at_1", &result->pass_at_1, error));
    PS_TRY(ps_json_number(object, "low", &result->low, error));
    PS_TRY(ps_json_number(object, "high", &result->high, error));
    PS_TRY(ps_json_number(object, "truncated", &result->truncated, error));
    PS_TRY(ps_json_number(object, "no_answer", &result->no_answer, error));
    PS_TRY(ps_json_number(object, "mean_tokens", &result->mean_tokens, error));
    PS_TRY(ps_json_string_or(object, "interval", forms[PS_STATS_WILSON], &form, error));
    result->form = strcmp(form, forms[PS_STATS_EXACT]) == 0 ? PS_STATS_EXACT : PS_STATS_WILSON;
    PS_TRY(read_passes(object, result, error));
    return read_limits(object, arena, result, error);
}

static enum ps_status read_difference(const json_t *object, struct ps_result_difference *difference,
                                      struct ps_error *error) {
    PS_TRY(ps_json_number(object, "value", &difference->value, error));
    PS_TRY(ps_json_number(object, "low", &difference->low, error));
    PS_TRY(ps_json_number(object, "high", &difference->high, error));
    return ps_json_number(object, "p", &difference->p, error);
}

static enum ps_status read_differences(const json_t *object, struct ps_result_pair *pair,
                                       struct ps_error *error) {
    json_t *list, *majority;
    PS_TRY(read_list(object, "pass_at", PS_RESULT_PASSES, &list, error));
    pair->pass_count = json_array_size(list);
    for (size_t i = 0; i < pair->pass_count; i++)
        PS_TRY(read_difference(json_array_get(list, i), &pair->passes[i], error));
    PS_TRY(ps_json_object_or(object, "majority", &majority, error));
    pair->majority = (struct ps_result_difference){NAN, NAN, NAN, NAN};
    return majority ? read_difference(majority, &pair->majority, error) : PS_OK;
}

static enum ps_status read_pair(const json_t *object, struct ps_arena *arena,
                                struct ps_result_pair *pair, struct ps_error *error) {
    const char *test;
    PS_TRY(read_text(object, "a", arena, &pair->a, error));
    PS_TRY(read_text(object, "b", arena, &pair->b, error));
    PS_TRY(read_text(object, "dataset", arena, &pair->dataset, error));
    PS_TRY(ps_json_number(object, "difference", &pair->difference, error));
    PS_TRY(ps_json_number(object, "low", &pair->low, error));
    PS_TRY(ps_json_number(object, "high", &pair->high, error));
    PS_TRY(ps_json_number(object, "p", &pair->p, error));
    PS_TRY(ps_json_number_or(object, "detectable", NAN, &pair->detectable, error));
    PS_TRY(ps_json_string_or(object, "test", "mcnemar", &test, error));
    pair->test = strcmp(test, "mcnemar") == 0 ? "mcnemar" : "sign_flip";
    PS_TRY(ps_json_integer_or(object, "a_better", 0, INT64_MAX, 0, &pair->a_better, error));
    PS_TRY(ps_json_integer_or(object, "b_better", 0, INT64_MAX, 0, &pair->b_better, error));
    return read_differences(object, pair, error);
}

enum ps_status ps_results_read(const json_t *object, struct ps_arena *arena,
                               struct ps_result **results, size_t *result_count,
                               struct ps_result_pair **pairs, size_t *pair_count,
                               struct ps_error *error) {
    json_t *list;
    PS_TRY(ps_json_array(object, "results", &list, error));
    *result_count = json_array_size(list);
    *results = ps_arena_array(arena, *result_count + 1, sizeof **results);
    PS_FAIL_IF_NULL(*results, error);
    for (size_t i = 0; i < *result_count; i++)
        PS_TRY(read_result(json_array_get(list, i), arena, &(*results)[i], error));
    PS_TRY(ps_json_array(object, "pairs", &list, error));
    *pair_count = json_array_size(list);
    *pairs = ps_arena_array(arena, *pair_count + 1, sizeof **pairs);
    PS_FAIL_IF_NULL(*pairs, error);
    for (size_t i = 0; i < *pair_count; i++)
        PS_TRY(read_pair(json_array_get(list, i), arena, &(*pairs)[i], error));
    return PS_OK;
}
