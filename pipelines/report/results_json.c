/* Results as JSON, there and back. */
#include "pipelines/report/results.h"

#include <math.h>
#include <string.h>

static void text(struct ps_json_writer *writer, const char *key, const char *value) {
    ps_json_write_key(writer, key);
    ps_json_write_string(writer, value);
}

static void integer(struct ps_json_writer *writer, const char *key, int64_t value) {
    ps_json_write_key(writer, key);
    ps_json_write_integer(writer, value);
}

static void number(struct ps_json_writer *writer, const char *key, double value) {
    ps_json_write_key(writer, key);
    if (isnan(value))
        ps_json_write_null(writer);
    else
        ps_json_write_number(writer, value);
}

static void write_result(const struct ps_result *result, struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    text(writer, "model", result->model);
    text(writer, "role", result->role);
    text(writer, "dataset", result->dataset);
    integer(writer, "problems", result->problems);
    integer(writer, "samples", result->samples);
    number(writer, "pass_at_1", result->pass_at_1);
    number(writer, "low", result->low);
    number(writer, "high", result->high);
    number(writer, "truncated", result->truncated);
    number(writer, "no_answer", result->no_answer);
    number(writer, "mean_tokens", result->mean_tokens);
    ps_json_write_end_object(writer);
}

static void write_pair(const struct ps_result_pair *pair, struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    text(writer, "a", pair->a);
    text(writer, "b", pair->b);
    text(writer, "dataset", pair->dataset);
    number(writer, "difference", pair->difference);
    number(writer, "low", pair->low);
    number(writer, "high", pair->high);
    number(writer, "p", pair->p);
    number(writer, "detectable", pair->detectable);
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

static enum ps_status read_result(const json_t *object, struct ps_arena *arena,
                                  struct ps_result *result, struct ps_error *error) {
    PS_TRY(read_text(object, "model", arena, &result->model, error));
    PS_TRY(read_text(object, "role", arena, &result->role, error));
    PS_TRY(read_text(object, "dataset", arena, &result->dataset, error));
    PS_TRY(ps_json_integer(object, "problems", 1, INT64_MAX, &result->problems, error));
    PS_TRY(ps_json_integer(object, "samples", 1, INT64_MAX, &result->samples, error));
    PS_TRY(ps_json_number(object, "pass_at_1", &result->pass_at_1, error));
    PS_TRY(ps_json_number(object, "low", &result->low, error));
    PS_TRY(ps_json_number(object, "high", &result->high, error));
    PS_TRY(ps_json_number(object, "truncated", &result->truncated, error));
    PS_TRY(ps_json_number(object, "no_answer", &result->no_answer, error));
    return ps_json_number(object, "mean_tokens", &result->mean_tokens, error);
}

static enum ps_status read_pair(const json_t *object, struct ps_arena *arena,
                                struct ps_result_pair *pair, struct ps_error *error) {
    PS_TRY(read_text(object, "a", arena, &pair->a, error));
    PS_TRY(read_text(object, "b", arena, &pair->b, error));
    PS_TRY(read_text(object, "dataset", arena, &pair->dataset, error));
    PS_TRY(ps_json_number(object, "difference", &pair->difference, error));
    PS_TRY(ps_json_number(object, "low", &pair->low, error));
    PS_TRY(ps_json_number(object, "high", &pair->high, error));
    PS_TRY(ps_json_number(object, "p", &pair->p, error));
    return ps_json_number_or(object, "detectable", NAN, &pair->detectable, error);
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
