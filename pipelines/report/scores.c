#include "pipelines/report/scores.h"

#include "stats/stats.h"

#include <stdlib.h>
#include <string.h>

/* ---- verdicts ---- */

struct judged {
    int64_t trace, item, tokens;
    enum ps_verdict verdict;
    const char *extracted; /* in the arena; NULL: nothing */
};

/* All graded traces of the store, for each item that asks their prompt. */
struct verdicts {
    struct judged *items;
    size_t count, capacity;
};

static int by_trace(const void *a, const void *b) {
    const struct judged *x = a, *y = b;
    if (x->trace != y->trace) return x->trace < y->trace ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static enum ps_status add_verdict(struct verdicts *verdicts, const struct ps_store_row *row,
                                  struct ps_arena *arena, struct ps_error *error) {
    struct judged judged = {.trace = row->id, .item = row->item, .tokens = row->output_tokens};
    if (!row->verdict || !ps_verdict_from_name(row->verdict, &judged.verdict)) return PS_OK;
    if (row->extracted) {
        judged.extracted = ps_arena_strndup(arena, row->extracted, strlen(row->extracted));
        PS_FAIL_IF_NULL(judged.extracted, error);
    }
    if (verdicts->count == verdicts->capacity) {
        size_t capacity = verdicts->capacity ? 2 * verdicts->capacity : 1024;
        struct judged *more = ps_realloc(verdicts->items, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        verdicts->items = more;
        verdicts->capacity = capacity;
    }
    verdicts->items[verdicts->count++] = judged;
    return PS_OK;
}

static enum ps_status read_verdicts(struct ps_store *store, struct verdicts *verdicts,
                                    struct ps_arena *arena, struct ps_error *error) {
    const struct ps_store_filter filter = {.per = PS_STORE_PER_ITEM};
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more = true;
    PS_TRY(ps_store_query(store, &filter, &cursor, error));
    enum ps_status status = PS_OK;
    while (status == PS_OK && more) {
        status = ps_store_next(cursor, &row, &more, error);
        if (status == PS_OK && more) status = add_verdict(verdicts, &row, arena, error);
    }
    ps_store_cursor_close(cursor);
    if (verdicts->count) qsort(verdicts->items, verdicts->count, sizeof *verdicts->items, by_trace);
    return status;
}

static const struct judged *find_verdict(const struct verdicts *verdicts, int64_t trace,
                                         int64_t item) {
    struct judged key = {.trace = trace, .item = item};
    if (verdicts->count == 0 || trace == 0) return NULL;
    return bsearch(&key, verdicts->items, verdicts->count, sizeof key, by_trace);
}

/* ---- problems ---- */

/* One result at work. */
struct scoring {
    struct ps_result *result;
    const struct judged **replies; /* [problems][samples] */
    struct ps_result_problem *problems;
    struct ps_arena *arena;
};

static enum ps_status find_replies(struct scoring *scoring, const struct verdicts *verdicts,
                                   const struct ps_scores_replies *replies,
                                   struct ps_error *error) {
    const struct ps_result *result = scoring->result;
    for (int64_t i = 0; i < result->problems * result->samples; i++) {
        int64_t trace = replies->traces[i], item = replies->items[i / result->samples];
        const struct judged *reply = find_verdict(verdicts, trace, item);
        scoring->replies[i] = reply;
        if (reply && reply->verdict != PS_VERDICT_NO_GOLD) continue;
        const char *why = "is missing; the table `attempt` of the store may say why";
        if (trace) why = "is not graded; 'potstill grade' does it";
        if (reply) why = "has no gold answer; 'potstill traces gold' gives it one";
        return ps_error_set(error, PS_ARGUMENT,
                            "%s on %s: problem %lld: reply %lld of %lld %s. There is no score "
                            "without all of them",
                            result->model, result->dataset, (long long)(i / result->samples + 1),
                            (long long)(i % result->samples + 1), (long long)result->samples, why);
    }
    return PS_OK;
}

static bool is_cut(const struct judged *reply, int64_t limit) {
    return reply->verdict == PS_VERDICT_TRUNCATED || reply->tokens > limit;
}

static void count_problems(struct scoring *scoring, int64_t limit) {
    const struct ps_result *result = scoring->result;
    const struct judged **reply = scoring->replies;
    for (int64_t p = 0; p < result->problems; p++) {
        scoring->problems[p] = (struct ps_result_problem){0};
        for (int64_t s = 0; s < result->samples; s++, reply++)
            ps_result_add(&scoring->problems[p],
                          is_cut(*reply, limit) ? PS_VERDICT_TRUNCATED : (*reply)->verdict,
                          (*reply)->tokens > limit ? limit : (*reply)->tokens);
    }
}

/* What was extracted is in canonical form already, whatever profile it was read by. */
enum ps_status ps_scores_vote(const struct ps_scores_ballot *ballot, size_t count,
                              struct ps_result_problem *problem, struct ps_error *error) {
    struct ps_grade_profile profile;
    PS_FAIL_IF(!ps_grade_profile("plain", &profile), error, PS_INTERNAL,
               "there is no grading profile 'plain' to vote by");
    PS_TRY(ps_grade_groups(ballot->answers, count, &profile, ballot->group, error));
    struct ps_stats_vote won = ps_stats_majority(ballot->group, ballot->correct, count);
    problem->majority = won.correct;
    problem->tied = won.winners > 1;
    return PS_OK;
}

static enum ps_status vote(const struct scoring *scoring, int64_t problem,
                           struct ps_scores_ballot *ballot, struct ps_error *error) {
    const struct ps_result *result = scoring->result;
    const struct judged **replies = scoring->replies + problem * result->samples;
    size_t count = (size_t)result->samples;
    for (size_t i = 0; i < count; i++) {
        bool votes =
            !is_cut(replies[i], result->max_tokens) && replies[i]->verdict != PS_VERDICT_NO_ANSWER;
        ballot->answers[i] = ps_grade_text(votes ? replies[i]->extracted : NULL);
        ballot->correct[i] = replies[i]->verdict == PS_VERDICT_CORRECT;
    }
    return ps_scores_vote(ballot, count, &scoring->problems[problem], error);
}

static enum ps_status vote_all(const struct scoring *scoring, struct ps_error *error) {
    size_t samples = (size_t)scoring->result->samples;
    struct ps_scores_ballot ballot = {
        ps_arena_array(scoring->arena, samples, sizeof *ballot.answers),
        ps_arena_array(scoring->arena, samples, sizeof *ballot.group),
        ps_arena_array(scoring->arena, samples, sizeof *ballot.correct)};
    PS_FAIL_IF(!ballot.answers || !ballot.group || !ballot.correct, error, PS_MEMORY,
               "out of memory");
    for (int64_t p = 0; samples > 1 && p < scoring->result->problems; p++)
        PS_TRY(vote(scoring, p, &ballot, error));
    return PS_OK;
}

static enum ps_status score_limits(struct scoring *scoring, struct ps_error *error) {
    const struct ps_result *result = scoring->result;
    for (size_t i = 0; i < result->limit_count; i++) {
        struct ps_result_limit *limit = &result->limits[i];
        struct ps_result at = *result;
        count_problems(scoring, limit->max_tokens);
        PS_TRY(ps_result_compute(scoring->problems, (size_t)result->problems, &at, error));
        *limit = (struct ps_result_limit){limit->max_tokens, at.pass_at_1, at.low,        at.high,
                                          at.truncated,      at.no_answer, at.mean_tokens};
    }
    return PS_OK;
}

/* Leaves the problems as they are at max_tokens. */
static enum ps_status score(struct scoring *scoring, const struct verdicts *verdicts,
                            const struct ps_scores_replies *replies, struct ps_error *error) {
    struct ps_result *result = scoring->result;
    size_t problems = (size_t)result->problems;
    PS_FAIL_IF(result->problems < 1 || result->samples < 1, error, PS_ARGUMENT,
               "%s on %s: there are no problems, or no samples are asked for", result->model,
               result->dataset);
    scoring->replies = ps_arena_array(scoring->arena, problems,
                                      (size_t)result->samples * sizeof *scoring->replies);
    scoring->problems = ps_arena_array(scoring->arena, problems, sizeof *scoring->problems);
    PS_FAIL_IF(!scoring->replies || !scoring->problems, error, PS_MEMORY, "out of memory");
    PS_TRY(find_replies(scoring, verdicts, replies, error));
    PS_TRY(score_limits(scoring, error));
    count_problems(scoring, result->max_tokens);
    PS_TRY(vote_all(scoring, error));
    return ps_result_compute(scoring->problems, problems, result, error);
}

/* ---- all of them ---- */

static bool same(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Of a sweep over thinking budgets: two models under one, and a model under each with itself under
 * the first. */
static bool comparable(const struct scoring *scorings, size_t i, size_t j) {
    const struct ps_result *a = scorings[i].result, *b = scorings[j].result;
    if (strcmp(a->dataset, b->dataset) != 0) return false;
    if (same(a->budget, b->budget)) return true;
    for (size_t first = 0; first < i; first++)
        if (same(scorings[first].result->of, a->of) &&
            strcmp(scorings[first].result->dataset, a->dataset) == 0)
            return false;
    return same(a->of, b->of);
}

static enum ps_status compare_all(const struct scoring *scorings, size_t count,
                                  struct ps_result_pair *pairs, size_t *pair_count,
                                  struct ps_error *error) {
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++) {
            const struct ps_result *a = scorings[i].result, *b = scorings[j].result;
            if (!comparable(scorings, i, j)) continue;
            PS_FAIL_IF(a->problems != b->problems, error, PS_ARGUMENT,
                       "%s: %s has %lld problems and %s %lld; they cannot be compared", a->dataset,
                       a->model, (long long)a->problems, b->model, (long long)b->problems);
            struct ps_result_pair *pair = &pairs[(*pair_count)++];
            *pair = (struct ps_result_pair){.a = a->model, .b = b->model, .dataset = a->dataset};
            PS_TRY(ps_result_compare(scorings[i].problems, scorings[j].problems,
                                     (size_t)a->problems, pair, error));
        }
    return PS_OK;
}

enum ps_status ps_scores_compute(struct ps_store *store, struct ps_result *results,
                                 const struct ps_scores_replies *replies, size_t count,
                                 struct ps_arena *arena, struct ps_result_pair **pairs,
                                 size_t *pair_count, struct ps_error *error) {
    struct verdicts verdicts = {0};
    struct scoring *scorings = ps_arena_array(arena, count + 1, sizeof *scorings);
    *pair_count = 0;
    *pairs = ps_arena_array(arena, count * count + 1, sizeof **pairs);
    PS_FAIL_IF(!scorings || !*pairs, error, PS_MEMORY, "out of memory");
    enum ps_status status = read_verdicts(store, &verdicts, arena, error);
    for (size_t i = 0; status == PS_OK && i < count; i++) {
        scorings[i] = (struct scoring){.result = &results[i], .arena = arena};
        status = score(&scorings[i], &verdicts, &replies[i], error);
    }
    if (status == PS_OK) status = compare_all(scorings, count, *pairs, pair_count, error);
    ps_free(verdicts.items);
    return status;
}

/* ---- from a result.json ---- */

static enum ps_status read_rows(const json_t *list, struct ps_arena *arena, const int64_t **rows,
                                struct ps_error *error) {
    size_t count = json_array_size(list);
    int64_t *values = ps_arena_array(arena, count, sizeof *values);
    PS_FAIL_IF_NULL(values, error);
    for (size_t i = 0; i < count; i++) values[i] = json_integer_value(json_array_get(list, i));
    *rows = values;
    return PS_OK;
}

static enum ps_status read_replies(const json_t *traces, const json_t *items,
                                   const struct ps_result *result, struct ps_arena *arena,
                                   struct ps_scores_replies *replies, struct ps_error *error) {
    size_t count = json_array_size(traces), problems = json_array_size(items);
    PS_FAIL_IF(result->samples > INT32_MAX || result->problems > INT32_MAX ||
                   result->samples * result->problems != (int64_t)count ||
                   result->problems != (int64_t)problems,
               error, PS_FORMAT,
               "'traces' has %zu replies of %s on %s and 'items' %zu problems, not %lld x %lld",
               count, result->model, result->dataset, problems, (long long)result->problems,
               (long long)result->samples);
    PS_TRY(read_rows(traces, arena, &replies->traces, error));
    return read_rows(items, arena, &replies->items, error);
}

enum ps_status ps_scores_again(const json_t *result, struct ps_store *store, struct ps_arena *arena,
                               struct ps_result **results, size_t *count,
                               struct ps_result_pair **pairs, size_t *pair_count,
                               const struct ps_scores_replies **replies, struct ps_error *error) {
    json_t *traces, *items;
    PS_TRY(ps_json_array_or(result, "traces", &traces, error));
    PS_TRY(ps_json_array_or(result, "items", &items, error));
    *count = 0;
    if (json_array_size(traces) == 0) return PS_OK;
    PS_TRY(ps_results_read(result, arena, results, count, pairs, pair_count, error));
    PS_FAIL_IF(json_array_size(traces) != *count || json_array_size(items) != *count, error,
               PS_FORMAT, "'traces' has %zu lists and 'items' %zu for %zu results",
               json_array_size(traces), json_array_size(items), *count);
    struct ps_scores_replies *lists = ps_arena_array(arena, *count, sizeof *lists);
    PS_FAIL_IF_NULL(lists, error);
    *replies = lists;
    for (size_t i = 0; i < *count; i++)
        PS_TRY(read_replies(json_array_get(traces, i), json_array_get(items, i), &(*results)[i],
                            arena, &lists[i], error));
    return ps_scores_compute(store, *results, lists, *count, arena, pairs, pair_count, error);
}
