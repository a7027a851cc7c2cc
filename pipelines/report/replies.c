/* The replies that the results are made of, brought into the order data set, row, model, sample.
 *
 * A result lists its replies and the items that asked for them by their rows in the store
 * (scores.h). What is known of each comes from one pass over the store. */
#include "pipelines/report/replies_internal.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

char ps_verdict_letter(enum ps_verdict verdict) {
    return "cwatgun"[verdict];
}

/* ---- names ---- */

/* The index of a name in a list that grows. */
static enum ps_status intern(struct ps_arena *arena, const char ***names, size_t *count,
                             const char *name, uint32_t *index, struct ps_error *error) {
    for (size_t i = 0; i < *count; i++)
        if (strcmp((*names)[i], name) == 0) return *index = (uint32_t)i, PS_OK;
    const char **more = ps_arena_array(arena, *count + 1, sizeof *more);
    const char *copy = ps_arena_strndup(arena, name, strlen(name));
    PS_FAIL_IF(!more || !copy, error, PS_MEMORY, "out of memory");
    for (size_t i = 0; i < *count; i++) more[i] = (*names)[i];
    more[*count] = copy;
    *names = more;
    *index = (uint32_t)(*count)++;
    return PS_OK;
}

/* ---- the rows of a store ---- */

struct known_rows {
    struct ps_reply_entry *items; /* without set and model; by trace and item */
    size_t count, capacity;
};

static enum ps_status copy_text(struct ps_arena *arena, const char *text, const char **copy,
                                struct ps_error *error) {
    *copy = NULL;
    if (!text) return PS_OK;
    *copy = ps_arena_strndup(arena, text, strlen(text));
    PS_FAIL_IF_NULL(*copy, error);
    return PS_OK;
}

/* What the data set says of its row: a level as a number or a text ("Level 3"), a subject. */
static enum ps_status read_extra(struct ps_arena *arena, const char *extra,
                                 struct ps_reply_entry *entry, struct ps_error *error) {
    json_t *value;
    if (!extra || ps_json_parse("extra", extra, strlen(extra), &value, NULL) != PS_OK) return PS_OK;
    json_t *level = ps_json_get(value, "level");
    enum ps_status status =
        copy_text(arena, json_string_value(ps_json_get(value, "subject")), &entry->subject, error);
    if (status == PS_OK && json_is_integer(level)) {
        entry->level = ps_arena_format(arena, "%lld", (long long)json_integer_value(level));
        if (!entry->level) status = ps_error_set(error, PS_MEMORY, "out of memory");
    } else if (status == PS_OK) {
        status = copy_text(arena, json_string_value(level), &entry->level, error);
    }
    json_decref(value);
    return status;
}

static enum ps_status add_known(struct ps_report *report, struct ps_replies *replies,
                                struct ps_store *store, struct known_rows *rows,
                                const struct ps_store_row *row, struct ps_error *error) {
    struct ps_arena *arena = &report->arena;
    enum ps_verdict verdict = PS_VERDICT_UNDECIDED;
    struct ps_reply_entry known = {.store = store,
                                   .trace = row->id,
                                   .prompt = row->key.prompt,
                                   .sampler = row->key.sampler,
                                   .prompt_hash = row->prompt_hash,
                                   .sample = row->key.sample,
                                   .item = row->item,
                                   .row = row->row,
                                   .tokens = row->output_tokens,
                                   .cut = row->finish == PS_STORE_LENGTH};
    if (row->verdict) ps_verdict_from_name(row->verdict, &verdict);
    known.verdict = ps_verdict_letter(verdict);
    const char *dataset = row->dataset ? row->dataset : "?", *split = row->split ? row->split : "";
    const char *origin = ps_arena_format(arena, "%s%s%s", dataset, split[0] ? "/" : "", split);
    PS_FAIL_IF_NULL(origin, error);
    PS_TRY(intern(arena, &replies->origins, &replies->origin_count, origin, &known.origin, error));
    PS_TRY(copy_text(arena, row->gold, &known.gold, error));
    PS_TRY(copy_text(arena, row->extracted, &known.extracted, error));
    PS_TRY(copy_text(arena, row->grader, &known.grader, error));
    PS_TRY(read_extra(arena, row->extra, &known, error));
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? 2 * rows->capacity : 4096;
        struct ps_reply_entry *more = ps_realloc(rows->items, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        rows->items = more;
        rows->capacity = capacity;
    }
    rows->items[rows->count++] = known;
    return PS_OK;
}

static int by_trace(const void *left, const void *right) {
    const struct ps_reply_entry *a = left, *b = right;
    int order = COMPARE(a->trace, b->trace);
    return order ? order : COMPARE(a->item, b->item);
}

static enum ps_status read_rows(struct ps_report *report, struct ps_replies *replies,
                                struct ps_store *store, struct known_rows *rows,
                                struct ps_error *error) {
    const struct ps_store_filter filter = {.per = PS_STORE_PER_ITEM};
    struct ps_store_cursor *cursor;
    PS_TRY(ps_store_query(store, &filter, &cursor, error));
    enum ps_status status;
    for (;;) {
        struct ps_store_row row;
        bool more;
        status = ps_store_next(cursor, &row, &more, error);
        if (status != PS_OK || !more) break;
        status = add_known(report, replies, store, rows, &row, error);
        if (status != PS_OK) break;
    }
    ps_store_cursor_close(cursor);
    if (rows->count) qsort(rows->items, rows->count, sizeof *rows->items, by_trace);
    return status;
}

static const struct ps_reply_entry *find_row(const struct known_rows *rows, int64_t trace,
                                             int64_t item) {
    struct ps_reply_entry key = {.trace = trace, .item = item};
    if (rows->count == 0) return NULL;
    return bsearch(&key, rows->items, rows->count, sizeof key, by_trace);
}

/* ---- entries ---- */

static enum ps_status add_entry(struct ps_replies *replies, const struct ps_reply_entry *entry,
                                struct ps_error *error) {
    if (replies->count == replies->capacity) {
        size_t capacity = replies->capacity ? 2 * replies->capacity : 4096;
        struct ps_reply_entry *more = ps_realloc(replies->items, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        replies->items = more;
        replies->capacity = capacity;
    }
    replies->items[replies->count++] = *entry;
    replies->levels |= entry->level != NULL;
    replies->subjects |= entry->subject != NULL;
    return PS_OK;
}

static enum ps_status add_result(struct ps_report *report, struct ps_replies *replies,
                                 const struct known_rows *rows, const struct ps_result *result,
                                 const struct ps_scores_replies *lists, struct ps_error *error) {
    struct ps_arena *arena = &report->arena;
    uint32_t set, model;
    PS_TRY(intern(arena, &replies->sets, &replies->set_count, result->dataset, &set, error));
    PS_TRY(intern(arena, &replies->models, &replies->model_count, result->model, &model, error));
    for (int64_t i = 0; i < result->problems * result->samples; i++) {
        const struct ps_reply_entry *known =
            find_row(rows, lists->traces[i], lists->items[i / result->samples]);
        if (!known) continue;
        struct ps_reply_entry entry = *known;
        entry.set = set;
        entry.model = model;
        if (entry.tokens > result->max_tokens) {
            entry.verdict = ps_verdict_letter(PS_VERDICT_TRUNCATED);
            entry.tokens = result->max_tokens;
        }
        PS_TRY(add_entry(replies, &entry, error));
    }
    return PS_OK;
}

int ps_replies_compare_problem(const struct ps_reply_entry *a, const struct ps_reply_entry *b) {
    int order = COMPARE(a->set, b->set);
    if (!order) order = COMPARE(a->origin, b->origin);
    return order ? order : COMPARE(a->row, b->row);
}

static int by_problem(const void *left, const void *right) {
    const struct ps_reply_entry *a = left, *b = right;
    int order = ps_replies_compare_problem(a, b);
    if (!order) order = COMPARE(a->model, b->model);
    return order ? order : COMPARE(a->sample, b->sample);
}

size_t ps_replies_problem_end(const struct ps_replies *replies, size_t first) {
    size_t end = first;
    while (end < replies->count &&
           ps_replies_compare_problem(&replies->items[end], &replies->items[first]) == 0)
        end++;
    return end;
}

enum ps_status ps_replies_read(struct ps_report *report, struct ps_replies *replies,
                               struct ps_error *error) {
    for (size_t i = 0; i < report->evaluation_count; i++) {
        const struct ps_report_evaluation *evaluation = &report->evaluations[i];
        struct known_rows rows = {0};
        if (!evaluation->store || !evaluation->replies) continue;
        enum ps_status status = read_rows(report, replies, evaluation->store, &rows, error);
        for (size_t j = 0; j < evaluation->result_count && status == PS_OK; j++)
            status = add_result(report, replies, &rows, &evaluation->results[j],
                                &evaluation->replies[j], error);
        ps_free(rows.items);
        PS_TRY(status);
    }
    if (replies->count) qsort(replies->items, replies->count, sizeof *replies->items, by_problem);
    return PS_OK;
}

/* ---- problems ---- */

static enum ps_verdict verdict_of(char letter) {
    for (int i = 0; i < PS_VERDICT_COUNT; i++)
        if (ps_verdict_letter((enum ps_verdict)i) == letter) return (enum ps_verdict)i;
    return PS_VERDICT_UNDECIDED;
}

/* All replies of a model to a problem; a single one has no vote. */
static enum ps_status vote(struct ps_scored *scored, const struct ps_scores_ballot *room,
                           struct ps_error *error) {
    size_t count = (size_t)scored->problem.samples;
    for (size_t i = 0; i < count; i++) {
        const struct ps_reply_entry *entry = &scored->first[i];
        bool votes = entry->verdict != 't' && entry->verdict != 'a';
        room->answers[i] = ps_grade_text(votes ? entry->extracted : NULL);
        room->correct[i] = entry->verdict == 'c';
    }
    return count > 1 ? ps_scores_vote(room, count, &scored->problem, error) : PS_OK;
}

static enum ps_status vote_all(struct ps_scored *scored, size_t count, struct ps_error *error) {
    int64_t most = 0;
    for (size_t i = 0; i < count; i++)
        if (scored[i].problem.samples > most) most = scored[i].problem.samples;
    struct ps_scores_ballot room = {ps_calloc((size_t)most + 1, sizeof *room.answers),
                                    ps_calloc((size_t)most + 1, sizeof *room.group),
                                    ps_calloc((size_t)most + 1, sizeof *room.correct)};
    enum ps_status status = PS_OK;
    PS_FAIL_DONE_IF(!room.answers || !room.group || !room.correct, error, PS_MEMORY,
                    "out of memory");
    for (size_t i = 0; i < count && status == PS_OK; i++) status = vote(&scored[i], &room, error);
done:
    ps_free(room.answers);
    ps_free(room.group);
    ps_free(room.correct);
    return status;
}

enum ps_status ps_replies_score(const struct ps_replies *replies, struct ps_scored **scored,
                                size_t *count, struct ps_error *error) {
    *count = 0;
    *scored = ps_calloc(replies->count + 1, sizeof **scored);
    PS_FAIL_IF_NULL(*scored, error);
    for (size_t i = 0; i < replies->count; i++) {
        const struct ps_reply_entry *entry = &replies->items[i];
        struct ps_scored *last = *count ? &(*scored)[*count - 1] : NULL;
        if (!last || last->first->model != entry->model ||
            ps_replies_compare_problem(last->first, entry) != 0) {
            last = &(*scored)[(*count)++];
            last->first = entry;
        }
        ps_result_add(&last->problem, verdict_of(entry->verdict), entry->tokens);
    }
    return vote_all(*scored, *count, error);
}
