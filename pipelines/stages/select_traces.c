/* The funnel of select. Each question is asked of what the ones before have left: first what a row
 * of the store can answer, then repetitions, which need the texts, then how many of a question,
 * then how many in all. Orders are made by sorting candidates by up to three numbers, of which the
 * last is always the trace's identity: no result depends on row ids. */
#include "pipelines/stages/select_traces.h"

#include "base/random.h"
#include "base/stop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- candidates ---- */

struct candidate {
    uint64_t order[3]; /* what they are sorted by next */
    uint64_t identity; /* 64 bits of a hash of what identifies the trace */
    uint64_t question; /* likewise of its item's row, or of its prompt */
    uint64_t body;     /* likewise of its text, where that was looked at */
    int64_t trace, prompt, tokens;
    enum ps_select_drop drop;
};

struct funnel {
    struct ps_store *store;
    const struct ps_select_settings *settings;
    uint64_t seed;
    struct candidate *items;
    size_t count, capacity;
    int64_t *sources; /* rows of the sources called share.model */
    size_t source_count;
    int64_t share_item, share_prompt, share_source; /* what `share` was asked for last */
    double share;
};

static int by_order(const void *a, const void *b) {
    const struct candidate *x = a, *y = b;
    for (int i = 0; i < 3; i++)
        if (x->order[i] != y->order[i]) return x->order[i] < y->order[i] ? -1 : 1;
    return 0;
}

static void sort(struct funnel *funnel) {
    if (funnel->count) qsort(funnel->items, funnel->count, sizeof *funnel->items, by_order);
}

static enum ps_status hash_identity(const struct ps_store_row *row, const char *more,
                                    struct ps_hash *hash, struct ps_error *error) {
    struct ps_hash_state *state = ps_hash_begin();
    PS_FAIL_IF_NULL(state, error);
    ps_hash_update(state, &row->prompt_hash, sizeof row->prompt_hash);
    ps_hash_update(state, &row->source_hash, sizeof row->source_hash);
    ps_hash_update(state, &row->sampler_hash, sizeof row->sampler_hash);
    ps_hash_update(state, &row->key.sample, sizeof row->key.sample);
    if (more) ps_hash_update_field(state, more, strlen(more));
    *hash = ps_hash_end(state);
    return PS_OK;
}

/* Two prompts that put the same row of a data set differently are one question. */
static enum ps_status hash_question(const struct ps_store_row *row, uint64_t *question,
                                    struct ps_error *error) {
    struct ps_hash hash = row->prompt_hash;
    if (row->dataset) {
        struct ps_hash_state *state = ps_hash_begin();
        PS_FAIL_IF_NULL(state, error);
        ps_hash_update_field(state, row->dataset, strlen(row->dataset));
        ps_hash_update_field(state, row->split, strlen(row->split));
        ps_hash_update(state, &row->row, sizeof row->row);
        hash = ps_hash_end(state);
    }
    *question = ps_hash_64(&hash);
    return PS_OK;
}

/* ---- what a row can answer ---- */

static bool keeps_all(const struct ps_select_settings *settings) {
    for (size_t i = 0; i < settings->keep.count; i++)
        if (strcmp(settings->keep.items[i], "all") == 0) return true;
    return false;
}

/* The share of correct replies to a prompt, by the item's gold, over all sources that have the
 * model's name; NAN where none is graded. */
static enum ps_status share_correct(struct funnel *funnel, const struct ps_store_row *of,
                                    struct ps_error *error) {
    const int64_t *sources = funnel->settings->share.model ? funnel->sources : &of->key.source;
    size_t count = funnel->settings->share.model ? funnel->source_count : 1;
    if (funnel->share_item == of->item && funnel->share_prompt == of->key.prompt &&
        funnel->share_source == of->key.source)
        return PS_OK;
    int64_t graded = 0, correct = 0;
    for (size_t i = 0; i < count; i++) {
        struct ps_store_difficulty difficulty;
        PS_TRY(ps_store_difficulty(funnel->store, of->key.prompt, of->item, sources[i], &difficulty,
                                   error));
        graded += difficulty.graded;
        correct += difficulty.correct;
    }
    funnel->share = graded ? (double)correct / (double)graded : NAN;
    funnel->share_item = of->item;
    funnel->share_prompt = of->key.prompt;
    funnel->share_source = of->key.source;
    return PS_OK;
}

static bool keeps_verdict(const struct ps_select_settings *settings, const char *verdict) {
    if (keeps_all(settings)) return true;
    for (size_t i = 0; verdict && i < settings->keep.count; i++)
        if (strcmp(settings->keep.items[i], verdict) == 0) return true;
    return false;
}

static bool keeps_finish(const struct ps_select_settings *settings, enum ps_store_finish finish) {
    if (settings->finish == PS_SELECT_ANY) return true;
    return (settings->finish == PS_SELECT_LENGTH) == (finish == PS_STORE_LENGTH);
}

static enum ps_status judge(struct funnel *funnel, const struct ps_store_row *row,
                            struct candidate *candidate, struct ps_error *error) {
    const struct ps_select_settings *settings = funnel->settings;
    const struct ps_select_share *share = &settings->share;
    candidate->drop = PS_SELECT_KEPT;
    if (row->in_test) {
        candidate->drop = PS_SELECT_DROP_TEST;
    } else if (!keeps_verdict(settings, row->verdict)) {
        candidate->drop = PS_SELECT_DROP_VERDICT;
    } else if (!keeps_finish(settings, row->finish)) {
        candidate->drop = PS_SELECT_DROP_FINISH;
    } else if (row->output_tokens < settings->min_tokens ||
               (settings->max_tokens && row->output_tokens > settings->max_tokens)) {
        candidate->drop = PS_SELECT_DROP_TOKENS;
    } else if (share->model || share->min > 0 || share->max < 1) {
        PS_TRY(share_correct(funnel, row, error));
        bool fits = funnel->share >= share->min && funnel->share <= share->max; /* NAN does not */
        if (!fits) candidate->drop = PS_SELECT_DROP_SHARE;
    }
    return PS_OK;
}

static enum ps_status add_candidate(struct funnel *funnel, const struct ps_store_row *row,
                                    struct ps_error *error) {
    struct ps_hash identity;
    if (funnel->count == funnel->capacity) {
        size_t capacity = funnel->capacity ? 2 * funnel->capacity : 1024;
        struct candidate *more = ps_realloc(funnel->items, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        funnel->items = more;
        funnel->capacity = capacity;
    }
    struct candidate *candidate = &funnel->items[funnel->count];
    PS_TRY(hash_identity(row, NULL, &identity, error));
    *candidate = (struct candidate){.identity = ps_hash_64(&identity),
                                    .trace = row->id,
                                    .prompt = row->key.prompt,
                                    .tokens = row->output_tokens};
    PS_TRY(hash_question(row, &candidate->question, error));
    PS_TRY(judge(funnel, row, candidate, error));
    funnel->count++;
    return PS_OK;
}

typedef enum ps_status row_visitor(void *context, const struct ps_store_row *row,
                                   struct ps_error *error);

/* A trace once for each item that asks its prompt: items can differ in their gold. */
static enum ps_status visit_rows(struct ps_store *store, const struct ps_store_filter *filter,
                                 row_visitor *visit, void *context, struct ps_error *error) {
    struct ps_store_filter items = *filter;
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more = true;
    items.per = PS_STORE_PER_ITEM;
    PS_TRY(ps_store_query(store, &items, &cursor, error));
    enum ps_status status = PS_OK;
    while (status == PS_OK && more) {
        status = ps_stop_check(error);
        if (status == PS_OK) status = ps_store_next(cursor, &row, &more, error);
        if (status == PS_OK && more) status = visit(context, &row, error);
    }
    ps_store_cursor_close(cursor);
    return status;
}

static enum ps_status visit_candidate(void *context, const struct ps_store_row *row,
                                      struct ps_error *error) {
    return add_candidate(context, row, error);
}

/* Sources can share a name: the same model before and after a change. */
static enum ps_status visit_source(void *context, const struct ps_store_row *row,
                                   struct ps_error *error) {
    struct funnel *funnel = context;
    for (size_t i = 0; i < funnel->source_count; i++)
        if (funnel->sources[i] == row->key.source) return PS_OK;
    int64_t *more = ps_realloc(funnel->sources, (funnel->source_count + 1) * sizeof *more);
    PS_FAIL_IF_NULL(more, error);
    funnel->sources = more;
    funnel->sources[funnel->source_count++] = row->key.source;
    return PS_OK;
}

static enum ps_status find_sources(struct funnel *funnel, struct ps_error *error) {
    struct ps_store_filter filter = {.source = funnel->settings->share.model};
    if (!filter.source) return PS_OK;
    PS_TRY(visit_rows(funnel->store, &filter, visit_source, funnel, error));
    PS_FAIL_IF(funnel->source_count == 0, error, PS_ARGUMENT,
               "share: the store has no traces of a model '%s'", filter.source);
    return PS_OK;
}

/* A trace that two filters or two items found counts once, for a question that keeps it if there is
 * one; the rest is left in the order of identities. */
static void drop_doubles(struct funnel *funnel) {
    const uint64_t dropped = (uint64_t)1 << 63;
    size_t kept = 0;
    for (size_t i = 0; i < funnel->count; i++) {
        struct candidate *candidate = &funnel->items[i];
        candidate->order[0] = candidate->identity;
        candidate->order[1] = (uint64_t)candidate->trace;
        candidate->order[2] =
            candidate->question >> 1 | (candidate->drop == PS_SELECT_KEPT ? 0 : dropped);
    }
    sort(funnel);
    for (size_t i = 0; i < funnel->count; i++)
        if (i == 0 || funnel->items[i].trace != funnel->items[i - 1].trace)
            funnel->items[kept++] = funnel->items[i];
    funnel->count = kept;
}

/* ---- repetitions, questions, count ---- */

static enum ps_status hash_body(struct ps_store *store, int64_t id, uint64_t *body,
                                struct ps_error *error) {
    struct ps_arena arena;
    struct ps_store_trace trace;
    ps_arena_init(&arena, SIZE_MAX);
    enum ps_status status = ps_store_read_trace(store, id, &arena, &trace, error);
    struct ps_hash_state *state = status == PS_OK ? ps_hash_begin() : NULL;
    if (state) {
        ps_hash_update_field(state, trace.reasoning, trace.reasoning_size);
        ps_hash_update_field(state, trace.content, trace.content_size);
        struct ps_hash hash = ps_hash_end(state);
        *body = ps_hash_64(&hash);
    } else if (status == PS_OK) {
        status = ps_error_set(error, PS_MEMORY, "out of memory");
    }
    ps_arena_release(&arena);
    return status;
}

static enum ps_status drop_repetitions(struct funnel *funnel, struct ps_error *error) {
    for (size_t i = 0; i < funnel->count; i++) {
        struct candidate *candidate = &funnel->items[i];
        if (candidate->drop == PS_SELECT_KEPT) {
            PS_TRY(ps_stop_check(error));
            PS_TRY(hash_body(funnel->store, candidate->trace, &candidate->body, error));
        }
        candidate->order[0] = (uint64_t)candidate->prompt;
        candidate->order[1] = candidate->body;
        candidate->order[2] = candidate->identity;
    }
    sort(funnel);
    const struct candidate *first = NULL; /* of a run of equal ones */
    for (size_t i = 0; i < funnel->count; i++) {
        struct candidate *candidate = &funnel->items[i];
        if (candidate->drop != PS_SELECT_KEPT) continue;
        if (first && first->prompt == candidate->prompt && first->body == candidate->body)
            candidate->drop = PS_SELECT_DROP_REPETITION;
        else
            first = candidate;
    }
    return PS_OK;
}

/* A number by lot for each trace, that depends on seed, purpose and identity alone. */
static uint64_t lot(const struct funnel *funnel, const char *purpose, uint64_t identity) {
    struct ps_philox words = ps_philox(ps_random_key(funnel->seed, purpose), identity);
    return (uint64_t)words.word[0] << 32 | words.word[1];
}

static void limit_questions(struct funnel *funnel) {
    int64_t taken = 0;
    uint64_t question = 0;
    for (size_t i = 0; i < funnel->count; i++) {
        struct candidate *candidate = &funnel->items[i];
        uint64_t tokens = (uint64_t)candidate->tokens;
        candidate->order[0] = candidate->question;
        candidate->order[1] = funnel->settings->prefer == PS_SELECT_SHORTEST ? tokens
                              : funnel->settings->prefer == PS_SELECT_LONGEST
                                  ? UINT64_MAX - tokens
                                  : lot(funnel, "select", candidate->identity);
        candidate->order[2] = candidate->identity;
    }
    sort(funnel);
    for (size_t i = 0; i < funnel->count; i++) {
        struct candidate *candidate = &funnel->items[i];
        if (i == 0 || candidate->question != question) taken = 0;
        question = candidate->question;
        if (candidate->drop != PS_SELECT_KEPT) continue;
        if (funnel->settings->per_question && taken == funnel->settings->per_question)
            candidate->drop = PS_SELECT_DROP_PER_QUESTION;
        else
            taken++;
    }
}

static void limit_count(struct funnel *funnel) {
    int64_t taken = 0;
    if (funnel->settings->count == 0) return;
    for (size_t i = 0; i < funnel->count; i++) {
        struct candidate *candidate = &funnel->items[i];
        candidate->order[0] = lot(funnel, "select count", candidate->identity);
        candidate->order[1] = candidate->identity;
        candidate->order[2] = 0;
    }
    sort(funnel);
    for (size_t i = 0; i < funnel->count; i++) {
        struct candidate *candidate = &funnel->items[i];
        if (candidate->drop == PS_SELECT_KEPT && taken++ >= funnel->settings->count)
            candidate->drop = PS_SELECT_DROP_COUNT;
    }
}

/* ---- the result ---- */

static enum ps_status conclude(struct funnel *funnel, struct ps_selection *selection,
                               struct ps_error *error) {
    selection->traces = ps_malloc((funnel->count + 1) * sizeof *selection->traces);
    PS_FAIL_IF_NULL(selection->traces, error);
    for (size_t i = 0; i < funnel->count; i++) {
        funnel->items[i].order[0] = funnel->items[i].question;
        funnel->items[i].order[1] = funnel->items[i].identity;
        funnel->items[i].order[2] = 0;
    }
    sort(funnel);
    struct ps_hash_state *hash = ps_hash_begin();
    PS_FAIL_IF_NULL(hash, error);
    uint64_t question = 0;
    for (size_t i = 0; i < funnel->count; i++) {
        const struct candidate *candidate = &funnel->items[i];
        selection->considered++;
        if (candidate->drop != PS_SELECT_KEPT) {
            selection->dropped[candidate->drop]++;
            continue;
        }
        selection->questions += selection->kept == 0 || candidate->question != question;
        question = candidate->question;
        selection->traces[selection->kept++] = candidate->trace;
        ps_hash_update(hash, &candidate->identity, sizeof candidate->identity);
        ps_hash_update(hash, &candidate->body, sizeof candidate->body);
    }
    selection->hash = ps_hash_end(hash);
    return PS_OK;
}

enum ps_status ps_select_traces(struct ps_store *store, const struct ps_select_settings *settings,
                                const struct ps_store_filter *filters, size_t filter_count,
                                uint64_t seed, struct ps_selection *selection,
                                struct ps_error *error) {
    struct funnel funnel = {.store = store, .settings = settings, .seed = seed};
    *selection = (struct ps_selection){0};
    PS_TRY(ps_select_check(settings, error));
    enum ps_status status = find_sources(&funnel, error);
    for (size_t i = 0; status == PS_OK && i < filter_count; i++)
        status = visit_rows(store, &filters[i], visit_candidate, &funnel, error);
    if (status == PS_OK) drop_doubles(&funnel);
    if (status == PS_OK) status = drop_repetitions(&funnel, error);
    if (status == PS_OK) {
        limit_questions(&funnel);
        limit_count(&funnel);
        status = conclude(&funnel, selection, error);
    }
    ps_free(funnel.items);
    ps_free(funnel.sources);
    return status;
}

void ps_selection_release(struct ps_selection *selection) {
    ps_free(selection->traces);
    selection->traces = NULL;
}

struct state {
    struct ps_hash sum; /* of the rows' hashes: their order does not matter */
};

static enum ps_status visit_state(void *context, const struct ps_store_row *row,
                                  struct ps_error *error) {
    struct state *state = context;
    struct ps_hash hash;
    char more[100];
    uint64_t question;
    PS_TRY(hash_question(row, &question, error));
    snprintf(more, sizeof more, "%s %s %lld %016llx", row->verdict ? row->verdict : "none",
             row->in_test ? "test" : "train", (long long)row->output_tokens,
             (unsigned long long)question);
    PS_TRY(hash_identity(row, more, &hash, error));
    unsigned carry = 0;
    for (size_t i = 0; i < sizeof hash.bytes; i++) {
        carry += (unsigned)state->sum.bytes[i] + hash.bytes[i];
        state->sum.bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return PS_OK;
}

enum ps_status ps_select_state(struct ps_store *store, const struct ps_store_filter *filters,
                               size_t filter_count, struct ps_hash *state, struct ps_error *error) {
    struct state sum = {0};
    for (size_t i = 0; i < filter_count; i++)
        PS_TRY(visit_rows(store, &filters[i], visit_state, &sum, error));
    *state = sum.sum;
    return PS_OK;
}
