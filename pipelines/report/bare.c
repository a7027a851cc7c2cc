/* A store of replies without a pipeline (`potstill evaluate --out evals.db`): who answered what is
 * read off the store. A model is a source with one way of sampling, by its name; a data set is what
 * the rows say. Only what all models of a data set have is scored, so that they can be compared:
 * the problems that each answered, and as many samples as every problem has. What that leaves out
 * is said in a note. */
#include "pipelines/report/report_internal.h"

#include <stdlib.h>
#include <string.h>

struct reply {
    int64_t trace, item, row, sample, prompt, max_tokens;
    size_t set, model;
};

struct model {
    int64_t source, sampler;
    const char *name;
};

struct bare {
    struct ps_arena *arena;
    struct reply *replies;
    size_t count, capacity;
    struct model *models;
    const char **sets;
    size_t model_count, set_count;
};

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

/* ---- reading ---- */

static enum ps_status set_of(struct bare *bare, const struct ps_store_row *row, size_t *index,
                             struct ps_error *error) {
    const char *name =
        ps_arena_format(bare->arena, "%s%s%s", row->dataset ? row->dataset : "?",
                        row->split && row->split[0] ? "/" : "", row->split ? row->split : "");
    PS_FAIL_IF_NULL(name, error);
    for (*index = 0; *index < bare->set_count; ++*index)
        if (strcmp(bare->sets[*index], name) == 0) return PS_OK;
    const char **sets = ps_arena_array(bare->arena, bare->set_count + 1, sizeof *sets);
    PS_FAIL_IF_NULL(sets, error);
    for (size_t i = 0; i < bare->set_count; i++) sets[i] = bare->sets[i];
    sets[bare->set_count++] = name;
    bare->sets = sets;
    return PS_OK;
}

static enum ps_status model_of(struct bare *bare, const struct ps_store_row *row, size_t *index,
                               struct ps_error *error) {
    size_t same = 0;
    const char *plain = row->source ? row->source : "?", *name;
    for (*index = 0; *index < bare->model_count; ++*index)
        if (bare->models[*index].source == row->key.source &&
            bare->models[*index].sampler == row->key.sampler)
            return PS_OK;
    struct model *models = ps_arena_array(bare->arena, bare->model_count + 1, sizeof *models);
    PS_FAIL_IF_NULL(models, error);
    for (size_t i = 0; i < bare->model_count; i++) {
        size_t size = strlen(plain);
        models[i] = bare->models[i];
        same += strncmp(models[i].name, plain, size) == 0 &&
                (models[i].name[size] == 0 || models[i].name[size] == '#');
    }
    name = same ? ps_arena_format(bare->arena, "%s#%zu", plain, same + 1)
                : ps_arena_format(bare->arena, "%s", plain);
    PS_FAIL_IF_NULL(name, error);
    models[bare->model_count++] = (struct model){row->key.source, row->key.sampler, name};
    bare->models = models;
    return PS_OK;
}

static enum ps_status add_reply(struct bare *bare, const struct ps_store_row *row,
                                struct ps_error *error) {
    struct reply reply = {.trace = row->id,
                          .item = row->item,
                          .row = row->row,
                          .sample = row->key.sample,
                          .prompt = row->key.prompt,
                          .max_tokens = row->max_tokens};
    PS_TRY(set_of(bare, row, &reply.set, error));
    PS_TRY(model_of(bare, row, &reply.model, error));
    if (bare->count == bare->capacity) {
        size_t capacity = bare->capacity ? 2 * bare->capacity : 4096;
        struct reply *more = ps_realloc(bare->replies, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        bare->replies = more;
        bare->capacity = capacity;
    }
    bare->replies[bare->count++] = reply;
    return PS_OK;
}

/* In the order in which they were sampled, whatever the order of the store. */
static enum ps_status sort_models(struct bare *bare, struct ps_error *error) {
    struct model *sorted = ps_arena_array(bare->arena, bare->model_count + 1, sizeof *sorted);
    size_t *place = ps_arena_array(bare->arena, bare->model_count + 1, sizeof *place);
    PS_FAIL_IF(!sorted || !place, error, PS_MEMORY, "out of memory");
    for (size_t i = 0; i < bare->model_count; i++)
        for (size_t j = 0; j < bare->model_count; j++) {
            const struct model *a = &bare->models[j], *b = &bare->models[i];
            place[i] +=
                a->source < b->source || (a->source == b->source && a->sampler < b->sampler);
        }
    for (size_t i = 0; i < bare->model_count; i++) sorted[place[i]] = bare->models[i];
    for (size_t i = 0; i < bare->count; i++) bare->replies[i].model = place[bare->replies[i].model];
    bare->models = sorted;
    return PS_OK;
}

static int by_problem(const void *left, const void *right) {
    const struct reply *a = left, *b = right;
    int order = COMPARE(a->set, b->set);
    if (!order) order = COMPARE(a->row, b->row);
    if (!order) order = COMPARE(a->model, b->model);
    if (!order) order = COMPARE(a->prompt, b->prompt);
    return order ? order : COMPARE(a->sample, b->sample);
}

static enum ps_status read_replies(struct bare *bare, struct ps_store *store,
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
        status = add_reply(bare, &row, error);
        if (status != PS_OK) break;
    }
    ps_store_cursor_close(cursor);
    PS_TRY(status);
    PS_TRY(sort_models(bare, error));
    if (bare->count) qsort(bare->replies, bare->count, sizeof *bare->replies, by_problem);
    return PS_OK;
}

/* ---- what is scored ---- */

/* [begin, end) is one data set. For each of its models the samples that every shared problem has,
 * 0 for a model without replies; *problems: those that all of these models answered. A row that was
 * asked in several ways counts by the first of its prompts. */
struct extent {
    size_t begin, end, problems, rows;
    size_t *samples; /* [model_count] */
};

/* [i, end) is one row of one model; returns how many samples 0, 1 ... it has without a gap. */
static size_t row_of(const struct bare *bare, size_t i, size_t limit, size_t *end) {
    const struct reply *first = &bare->replies[i];
    size_t samples = 0;
    for (*end = i; *end < limit; ++*end) {
        const struct reply *reply = &bare->replies[*end];
        if (reply->row != first->row || reply->model != first->model) break;
        samples += reply->prompt == first->prompt && reply->sample == (int64_t)samples;
    }
    return samples;
}

/* [i, end) is one row; whether all of `models` models have it. */
static bool is_shared(const struct bare *bare, size_t i, size_t limit, size_t models, size_t *end) {
    size_t found = 0, next;
    for (*end = i; *end < limit && bare->replies[*end].row == bare->replies[i].row; *end = next)
        found += row_of(bare, *end, limit, &next) > 0;
    return found == models;
}

static void survey(const struct bare *bare, struct extent *extent) {
    size_t models = 0, end, next;
    for (size_t i = extent->begin; i < extent->end; i = end) {
        size_t *samples = &extent->samples[bare->replies[i].model];
        row_of(bare, i, extent->end, &end);
        models += *samples == 0;
        *samples = SIZE_MAX;
    }
    for (size_t i = extent->begin; i < extent->end; i = end) {
        extent->rows++;
        if (!is_shared(bare, i, extent->end, models, &end)) continue;
        extent->problems++;
        for (size_t j = i; j < end; j = next) {
            size_t *samples = &extent->samples[bare->replies[j].model];
            size_t here = row_of(bare, j, end, &next);
            if (here < *samples) *samples = here;
        }
    }
}

static enum ps_status list_traces(const struct bare *bare, const struct extent *extent,
                                  size_t model, struct ps_result *result,
                                  struct ps_scores_replies *lists, struct ps_error *error) {
    size_t samples = extent->samples[model], models = 0, at = 0, problem = 0, end, next;
    int64_t *traces = ps_arena_array(bare->arena, extent->problems * samples + 1, sizeof *traces);
    int64_t *items = ps_arena_array(bare->arena, extent->problems + 1, sizeof *items);
    PS_FAIL_IF(!traces || !items, error, PS_MEMORY, "out of memory");
    for (size_t m = 0; m < bare->model_count; m++) models += extent->samples[m] > 0;
    result->max_tokens = 0;
    for (size_t i = extent->begin; i < extent->end; i = end) {
        if (!is_shared(bare, i, extent->end, models, &end)) continue;
        for (size_t j = i; j < end; j = next) {
            row_of(bare, j, end, &next);
            if (bare->replies[j].model != model) continue;
            items[problem++] = bare->replies[j].item;
            for (size_t s = 0; s < samples; s++) {
                const struct reply *reply = &bare->replies[j + s];
                traces[at++] = reply->trace;
                if (reply->max_tokens > result->max_tokens) result->max_tokens = reply->max_tokens;
            }
        }
    }
    if (result->max_tokens == 0) result->max_tokens = INT64_MAX; /* not known */
    *lists = (struct ps_scores_replies){traces, items};
    return PS_OK;
}

static enum ps_status note_left_out(struct ps_report *report, const struct bare *bare,
                                    const struct extent *extent, struct ps_error *error) {
    size_t used = 0;
    for (size_t m = 0; m < bare->model_count; m++) used += extent->samples[m] * extent->problems;
    if (used == extent->end - extent->begin) return PS_OK;
    const char *text = ps_arena_format(
        bare->arena,
        "made of %zu of the %zu replies in the store: of the %zu of %zu problems that every model "
        "answered, and of as many samples as each of these has",
        used, extent->end - extent->begin, extent->problems, extent->rows);
    return ps_report_note(
        report,
        (struct ps_report_note){bare->sets[bare->replies[extent->begin].set], text, NULL, NULL},
        error);
}

static enum ps_status add_set(struct ps_report *report, const struct bare *bare,
                              struct extent *extent, struct ps_report_evaluation *evaluation,
                              struct ps_scores_replies *replies, struct ps_error *error) {
    const char *name = bare->sets[bare->replies[extent->begin].set];
    extent->samples = ps_arena_array(bare->arena, bare->model_count, sizeof *extent->samples);
    PS_FAIL_IF_NULL(extent->samples, error);
    survey(bare, extent);
    PS_FAIL_IF(extent->problems == 0, error, PS_ARGUMENT,
               "%s: %s has no problem that all its models answered; give each its own store",
               evaluation->place, name);
    for (size_t m = 0; m < bare->model_count; m++) {
        if (extent->samples[m] == 0) continue;
        struct ps_result *result = &evaluation->results[evaluation->result_count];
        *result = (struct ps_result){.model = bare->models[m].name,
                                     .of = bare->models[m].name,
                                     .role = ps_result_role(bare->models[m].name),
                                     .dataset = name,
                                     .problems = (int64_t)extent->problems,
                                     .samples = (int64_t)extent->samples[m]};
        PS_TRY(list_traces(bare, extent, m, result, &replies[evaluation->result_count++], error));
    }
    return note_left_out(report, bare, extent, error);
}

enum ps_status ps_report_bare(struct ps_report *report, struct ps_report_evaluation *evaluation,
                              struct ps_error *error) {
    struct bare bare = {.arena = &report->arena};
    struct ps_scores_replies *replies = NULL;
    enum ps_status status = read_replies(&bare, evaluation->store, error);
    if (status == PS_OK && bare.count == 0)
        status = ps_error_set(error, PS_ARGUMENT, "%s: there are no replies in this store",
                              evaluation->place);
    if (status == PS_OK) {
        size_t most = bare.set_count * bare.model_count + 1;
        evaluation->results = ps_arena_array(bare.arena, most, sizeof *evaluation->results);
        replies = ps_arena_array(bare.arena, most, sizeof *replies);
        if (!evaluation->results || !replies)
            status = ps_error_set(error, PS_MEMORY, "out of memory");
    }
    for (size_t i = 0, end; i < bare.count && status == PS_OK; i = end) {
        for (end = i; end < bare.count && bare.replies[end].set == bare.replies[i].set;) end++;
        struct extent extent = {.begin = i, .end = end};
        status = add_set(report, &bare, &extent, evaluation, replies, error);
    }
    ps_free(bare.replies);
    PS_TRY(status);
    evaluation->replies = replies;
    status =
        ps_scores_compute(evaluation->store, evaluation->results, replies, evaluation->result_count,
                          &report->arena, &evaluation->pairs, &evaluation->pair_count, error);
    return status != PS_OK && error ? ps_error_prefix(error, "%s", evaluation->place) : status;
}
