/* The table of problems: every reply of every evals.db, brought into the order data set, row,
 * model, sample; an index of one small entry a problem, and the texts apart, so that a page with
 * thousands of problems opens at once. */
#include "pipelines/report/replies_internal.h"

#include "base/file.h"
#include "grade/grade.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of texts on a page: more would not open on a phone. Each text gets its share. */
enum { TEXT_BUDGET = 48 << 20, TEXT_MINIMUM = 3000, TEXT_MAXIMUM = 200000, QUESTION_BYTES = 160 };

char ps_verdict_letter(const char *name) {
    static const char letters[] = "cwatgun";
    enum ps_verdict verdict;
    return name && ps_verdict_from_name(name, &verdict) ? letters[verdict] : '-';
}

/* ---- names ---- */

static enum ps_status model_index(struct ps_replies *replies, struct ps_arena *arena,
                                  const char *name, uint32_t *index, struct ps_error *error) {
    for (size_t i = 0; i < replies->model_count; i++)
        if (strcmp(replies->models[i], name) == 0) return *index = (uint32_t)i, PS_OK;
    const char **models = ps_arena_array(arena, replies->model_count + 1, sizeof *models);
    const char *copy = ps_arena_strndup(arena, name, strlen(name));
    PS_FAIL_IF(!models || !copy, error, PS_MEMORY, "out of memory");
    for (size_t i = 0; i < replies->model_count; i++) models[i] = replies->models[i];
    models[replies->model_count] = copy;
    replies->models = models;
    *index = (uint32_t)replies->model_count++;
    return PS_OK;
}

/* Items carry the source of their row ("gsm8k", "test"), results the name that the pipeline uses:
 * "gsm8k/test", "math500" where there is one split, or one of its own, which can only be told where
 * the evaluation has no other. */
static const char *label_of(const struct ps_report *report, struct ps_arena *arena,
                            const char *dataset, const char *split) {
    const char *both = ps_arena_format(arena, "%s/%s", dataset, split), *only = NULL;
    const char *names[] = {both, dataset};
    for (size_t n = 0; both && n < 2; n++)
        for (size_t i = 0; i < report->result_count; i++)
            if (strcmp(report->results[i].dataset, names[n]) == 0) return names[n];
    for (size_t i = 0; i < report->result_count; i++) {
        const char *name = report->results[i].dataset;
        if (only && strcmp(only, name) != 0) return both;
        only = name;
    }
    return only ? only : both;
}

static enum ps_status set_index(struct ps_report *report, struct ps_replies *replies,
                                const char *dataset, const char *split, uint32_t *index,
                                struct ps_error *error) {
    struct ps_arena *arena = &report->arena;
    for (size_t i = 0; i < replies->set_count; i++)
        if (strcmp(replies->sets[i].dataset, dataset) == 0 &&
            strcmp(replies->sets[i].split, split) == 0)
            return *index = (uint32_t)i, PS_OK;
    struct ps_report_set *sets = ps_arena_array(arena, replies->set_count + 1, sizeof *sets);
    PS_FAIL_IF_NULL(sets, error);
    for (size_t i = 0; i < replies->set_count; i++) sets[i] = replies->sets[i];
    struct ps_report_set *set = &sets[replies->set_count];
    set->dataset = ps_arena_strndup(arena, dataset, strlen(dataset));
    set->split = ps_arena_strndup(arena, split, strlen(split));
    PS_FAIL_IF(!set->dataset || !set->split, error, PS_MEMORY, "out of memory");
    set->label = label_of(report, arena, set->dataset, set->split);
    PS_FAIL_IF_NULL(set->label, error);
    replies->sets = sets;
    *index = (uint32_t)replies->set_count++;
    return PS_OK;
}

/* ---- reading ---- */

static int level_of(const char *extra) {
    json_t *value;
    if (!extra || ps_json_parse("extra", extra, strlen(extra), &value, NULL) != PS_OK) return 0;
    json_t *level = ps_json_get(value, "level");
    json_int_t number = json_is_integer(level) ? json_integer_value(level) : 0;
    json_decref(value);
    return number > 0 && number < 1000 ? (int)number : 0;
}

static enum ps_status copy_text(struct ps_arena *arena, const char *text, const char **copy,
                                struct ps_error *error) {
    *copy = NULL;
    if (!text) return PS_OK;
    *copy = ps_arena_strndup(arena, text, strlen(text));
    PS_FAIL_IF_NULL(*copy, error);
    return PS_OK;
}

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
    return PS_OK;
}

/* models: the evaluation's, from its result.json: {"model", "source", "sampler": rows of evals.db}.
 * Two models of the same weights share their replies. Without such a list the source's name is the
 * model's. */
static enum ps_status add_row(struct ps_report *report, struct ps_replies *replies,
                              const json_t *models, struct ps_store *store,
                              const struct ps_store_row *row, struct ps_error *error) {
    struct ps_reply_entry entry = {.store = store,
                                   .trace = row->id,
                                   .prompt = row->key.prompt,
                                   .sample = row->key.sample,
                                   .row = row->row,
                                   .tokens = row->output_tokens,
                                   .level = level_of(row->extra),
                                   .verdict = ps_verdict_letter(row->verdict),
                                   .cut = row->finish == PS_STORE_LENGTH};
    size_t i;
    json_t *model;
    PS_TRY(set_index(report, replies, row->dataset ? row->dataset : "?",
                     row->split ? row->split : "?", &entry.set, error));
    PS_TRY(copy_text(&report->arena, row->gold, &entry.gold, error));
    PS_TRY(copy_text(&report->arena, row->extracted, &entry.extracted, error));
    replies->levels |= entry.level > 0;
    if (!models) {
        PS_TRY(model_index(replies, &report->arena, row->source ? row->source : "?", &entry.model,
                           error));
        return add_entry(replies, &entry, error);
    }
    json_array_foreach(models, i, model) {
        const char *name = json_string_value(ps_json_get(model, "model"));
        json_t *source = ps_json_get(model, "source"), *sampler = ps_json_get(model, "sampler");
        if (!name || !json_is_integer(source) || json_integer_value(source) != row->key.source)
            continue;
        if (json_is_integer(sampler) && json_integer_value(sampler) != row->key.sampler) continue;
        PS_TRY(model_index(replies, &report->arena, name, &entry.model, error));
        PS_TRY(add_entry(replies, &entry, error));
    }
    return PS_OK;
}

static enum ps_status read_store(struct ps_report *report, struct ps_replies *replies,
                                 const json_t *models, struct ps_store *store,
                                 struct ps_error *error) {
    struct ps_store_cursor *cursor;
    const struct ps_store_filter filter = {.per = PS_STORE_PER_ITEM};
    PS_TRY(ps_store_query(store, &filter, &cursor, error));
    enum ps_status status;
    for (;;) {
        struct ps_store_row row;
        bool more;
        status = ps_store_next(cursor, &row, &more, error);
        if (status != PS_OK || !more) break;
        status = add_row(report, replies, models, store, &row, error);
        if (status != PS_OK) break;
    }
    ps_store_cursor_close(cursor);
    return status;
}

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

static int by_problem(const void *left, const void *right) {
    const struct ps_reply_entry *a = left, *b = right;
    int order = COMPARE(a->set, b->set);
    if (!order) order = COMPARE(a->row, b->row);
    if (!order) order = COMPARE(a->model, b->model);
    return order ? order : COMPARE(a->sample, b->sample);
}

size_t ps_replies_problem_end(const struct ps_replies *replies, size_t first) {
    size_t end = first;
    const struct ps_reply_entry *items = replies->items;
    while (end < replies->count && items[end].set == items[first].set &&
           items[end].row == items[first].row)
        end++;
    return end;
}

/* ---- the index ---- */

/* {"d": set, "n": row, "l": level, "q": question, "g": gold, "m": [[verdict letters, extracted],
 * ...] with null for a model without a reply}. */
static void write_entry(const struct ps_replies *replies, const struct ps_reply_entry *items,
                        size_t count, const char *question, struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    ps_json_write_key(writer, "d");
    ps_json_write_integer(writer, items->set);
    ps_json_write_key(writer, "n");
    ps_json_write_integer(writer, items->row);
    if (items->level) {
        ps_json_write_key(writer, "l");
        ps_json_write_integer(writer, items->level);
    }
    ps_json_write_key(writer, "q");
    size_t size = strlen(question);
    ps_json_write_text(writer, question,
                       size > QUESTION_BYTES ? ps_reply_cut(question, QUESTION_BYTES) : size);
    ps_json_write_key(writer, "g");
    ps_json_write_string(writer, items->gold);
    ps_json_write_key(writer, "m");
    ps_json_write_begin_array(writer);
    for (size_t m = 0, i = 0; m < replies->model_count; m++) {
        char letters[257];
        size_t letter_count = 0, first = i;
        for (; i < count && items[i].model == m; i++)
            if (letter_count < sizeof letters - 1) letters[letter_count++] = items[i].verdict;
        if (letter_count == 0) {
            ps_json_write_null(writer);
            continue;
        }
        ps_json_write_begin_array(writer);
        ps_json_write_text(writer, letters, letter_count);
        ps_json_write_string(writer, items[first].extracted);
        ps_json_write_end_array(writer);
    }
    ps_json_write_end_array(writer);
    ps_json_write_end_object(writer);
}

static size_t text_limit(const struct ps_replies *replies) {
    size_t share = replies->count ? TEXT_BUDGET / replies->count : TEXT_MAXIMUM;
    return share < TEXT_MINIMUM ? TEXT_MINIMUM : share > TEXT_MAXIMUM ? TEXT_MAXIMUM : share;
}

static enum ps_status write_problems(struct ps_report *report, const struct ps_replies *replies,
                                     struct ps_json_writer *writer, size_t *shortened,
                                     struct ps_error *error) {
    for (size_t i = 0, end; i < replies->count; i = end) {
        struct ps_arena arena;
        const char *question = "";
        end = ps_replies_problem_end(replies, i);
        ps_arena_init(&arena, (size_t)1 << 30);
        enum ps_status status =
            ps_reply_write_problem(replies->items + i, end - i, text_limit(replies),
                                   &report->replies, shortened, &arena, &question, error);
        if (status == PS_OK) write_entry(replies, replies->items + i, end - i, question, writer);
        ps_arena_release(&arena);
        PS_TRY(status);
    }
    return PS_OK;
}

static enum ps_status write_index(struct ps_report *report, const struct ps_replies *replies,
                                  struct ps_error *error) {
    struct ps_json_writer writer;
    size_t shortened = 0;
    ps_json_writer_begin(&writer, &report->problems);
    ps_json_write_begin_object(&writer);
    ps_json_write_key(&writer, "datasets");
    ps_json_write_begin_array(&writer);
    for (size_t i = 0; i < replies->set_count; i++)
        ps_json_write_string(&writer, replies->sets[i].label);
    ps_json_write_end_array(&writer);
    ps_json_write_key(&writer, "models");
    ps_json_write_begin_array(&writer);
    for (size_t i = 0; i < replies->model_count; i++)
        ps_json_write_string(&writer, replies->models[i]);
    ps_json_write_end_array(&writer);
    ps_json_write_key(&writer, "levels");
    ps_json_write_bool(&writer, replies->levels);
    ps_json_write_key(&writer, "problems");
    ps_json_write_begin_array(&writer);
    PS_TRY(write_problems(report, replies, &writer, &shortened, error));
    ps_json_write_end_array(&writer);
    ps_json_write_key(&writer, "shortened");
    ps_json_write_integer(&writer, (int64_t)shortened);
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
}

/* ---- the whole ---- */

static enum ps_status read_all(struct ps_report *report, struct ps_replies *replies,
                               struct ps_store **stores, struct ps_error *error) {
    uint32_t index;
    for (size_t i = 0; i < report->result_count; i++)
        PS_TRY(model_index(replies, &report->arena, report->results[i].model, &index, error));
    for (size_t i = 0; i < report->stage_count; i++) {
        if (strcmp(report->stages[i].kind, "evaluate") != 0) continue;
        char *path = ps_path_join(&report->arena, report->stages[i].directory, "evals.db");
        PS_FAIL_IF_NULL(path, error);
        if (!ps_file_exists(path)) continue;
        json_t *result;
        PS_TRY(ps_report_read(report, report->stages[i].directory, "result.json", &result, error));
        json_t *models = ps_json_get(result, "models");
        enum ps_status status = ps_store_open(&stores[i], path, PS_STORE_READ, error);
        if (status == PS_OK) status = read_store(report, replies, models, stores[i], error);
        json_decref(result);
        PS_TRY(status);
    }
    if (replies->count) qsort(replies->items, replies->count, sizeof *replies->items, by_problem);
    return PS_OK;
}

enum ps_status ps_report_replies(struct ps_report *report, struct ps_error *error) {
    struct ps_replies replies = {0};
    struct ps_store **stores =
        ps_arena_array(&report->arena, report->stage_count + 1, sizeof *stores);
    PS_FAIL_IF_NULL(stores, error);
    enum ps_status status = read_all(report, &replies, stores, error);
    if (status == PS_OK) status = write_index(report, &replies, error);
    if (status == PS_OK) status = ps_replies_write_levels(&replies, &report->levels, error);
    for (size_t i = 0; i < report->stage_count; i++) ps_store_close(stores[i]);
    ps_free(replies.items);
    return status;
}
