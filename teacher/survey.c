/* What a store holds of a sampling run's work. */
#include "teacher/teacher.h"

#include <stdlib.h>
#include <string.h>

struct wanted {
    int64_t row;            /* of the prompt; 0: the store has not got it */
    int64_t samples, first; /* first: place of its sample 0 among all replies asked for */
};

struct look_up {
    int64_t source, sampler; /* 0: not in the store */
    struct wanted *wanted;
};

static enum ps_status look_up(struct ps_store *store, const char *source,
                              const struct ps_sample_sampler *sampler,
                              const struct ps_sample_prompt *prompts, size_t count,
                              struct ps_arena *arena, struct look_up *found,
                              struct ps_error *error) {
    struct ps_buffer json;
    int64_t first = 0;
    ps_buffer_init(&json, 1 << 12);
    enum ps_status status = PS_OK;
    found->wanted = ps_arena_array(arena, count, sizeof *found->wanted);
    PS_FAIL_DONE_IF_NULL(found->wanted, error);
    PS_TRY_DONE(ps_sample_sampler_json(sampler, &json, error));
    PS_TRY_DONE(ps_store_find_sampler(store, json.data, &found->sampler, error));
    PS_TRY_DONE(ps_store_find_source(store, source, &found->source, error));
    for (size_t i = 0; i < count; i++) {
        struct wanted *wanted = &found->wanted[i];
        *wanted = (struct wanted){.samples = prompts[i].samples, .first = first};
        first += prompts[i].samples;
        PS_TRY_DONE(ps_store_find_prompt(store, prompts[i].conversation, &wanted->row, error));
    }
done:
    ps_buffer_release(&json);
    return status;
}

static int by_row(const void *a, const void *b) {
    const struct wanted *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

enum ps_status ps_sample_survey(struct ps_store *store, const char *source,
                                const struct ps_sample_sampler *sampler,
                                const struct ps_sample_prompt *prompts, size_t prompt_count,
                                int64_t max_tokens, struct ps_sample_survey *survey,
                                struct ps_error *error) {
    struct look_up found = {0};
    struct ps_arena arena;
    uint8_t *states = NULL;
    *survey = (struct ps_sample_survey){0};
    ps_arena_init(&arena, SIZE_MAX / 2);
    enum ps_status status =
        look_up(store, source, sampler, prompts, prompt_count, &arena, &found, error);
    if (status != PS_OK) goto done;
    qsort(found.wanted, prompt_count, sizeof *found.wanted, by_row);
    for (size_t i = 0, next; i < prompt_count; i = next) {
        const struct wanted *wanted = &found.wanted[i];
        int64_t samples = wanted->samples;
        for (next = i + 1;
             next < prompt_count && wanted->row && found.wanted[next].row == wanted->row; next++)
            if (found.wanted[next].samples > samples) samples = found.wanted[next].samples;
        survey->prompts++;
        survey->replies += samples;
        if (!wanted->row || !found.source || !found.sampler || samples == 0) continue;
        uint8_t *more = ps_realloc(states, (size_t)samples);
        PS_FAIL_DONE_IF_NULL(more, error);
        states = more;
        struct ps_store_key key = {wanted->row, found.source, found.sampler, 0};
        PS_TRY_DONE(ps_store_states(store, &key, max_tokens, states, (size_t)samples, error));
        for (int64_t s = 0; s < samples; s++) {
            survey->done += states[s] == PS_STORE_DONE;
            survey->cut += states[s] == PS_STORE_CUT;
        }
    }
    struct ps_store_stats stats;
    if (survey->done < survey->replies) {
        PS_TRY_DONE(ps_store_stats(store, NULL, &stats, error));
        ps_sample_estimate_disk(survey, &stats, max_tokens);
    }
done:
    ps_free(states);
    ps_arena_release(&arena);
    return status;
}

void ps_sample_estimate_disk(struct ps_sample_survey *survey, const struct ps_store_stats *stats,
                             int64_t max_tokens) {
    /* A token takes 4 bytes of text, compressed to a quarter, 3 of its id, 2 of its
     * log-probability, and half as much again of pages that are not full. */
    enum { ENOUGH = 100, BYTES = 9 };
    bool known = stats && stats->traces >= ENOUGH && stats->tokens > 0;
    double bytes = known ? (double)stats->file_bytes / (double)stats->tokens : BYTES;
    double tokens = known ? (double)stats->tokens / (double)stats->traces : (double)max_tokens / 2;
    double missing = (double)(survey->replies - survey->done);
    if (bytes < BYTES) bytes = BYTES; /* the store is packed; what comes is not yet */
    if (tokens > (double)max_tokens) tokens = (double)max_tokens;
    survey->disk.likely = (int64_t)(missing * tokens * bytes);
    survey->disk.most = (int64_t)(missing * (double)max_tokens * bytes);
}

/* Enters a trace for everyone who asked for it; wanted is sorted by row. */
static void enter(const struct wanted *wanted, size_t count, const struct ps_store_row *row,
                  struct ps_sample_traces *traces) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (wanted[middle].row < row->key.prompt)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && wanted[low].row == row->key.prompt; low++) {
        if (row->key.sample >= wanted[low].samples) continue;
        traces->ids[wanted[low].first + row->key.sample] = row->id;
        traces->present++;
        traces->truncated += row->finish == PS_STORE_LENGTH;
        traces->prompt_tokens += row->prompt_tokens;
        traces->output_tokens += row->output_tokens;
        traces->thoughts += row->reasoning_size > 0;
    }
}

static enum ps_status find_items(struct ps_store *store, const struct ps_sample_prompt *prompts,
                                 const struct look_up *found, size_t count, int64_t *items,
                                 struct ps_error *error) {
    for (size_t i = 0; i < count; i++) {
        if (prompts[i].item_count == 0) continue;
        struct ps_store_item item = prompts[i].items[0];
        item.prompt = found->wanted[i].row;
        PS_TRY(ps_store_find_item(store, &item, &items[i], error));
    }
    return PS_OK;
}

enum ps_status ps_sample_traces(struct ps_store *store, const char *source,
                                const struct ps_sample_sampler *sampler,
                                const struct ps_sample_prompt *prompts, size_t prompt_count,
                                struct ps_arena *arena, struct ps_sample_traces *traces,
                                struct ps_error *error) {
    struct look_up found = {0};
    struct ps_store_cursor *cursor = NULL;
    enum ps_status status = PS_OK;
    *traces = (struct ps_sample_traces){0};
    PS_TRY(look_up(store, source, sampler, prompts, prompt_count, arena, &found, error));
    for (size_t i = 0; i < prompt_count; i++) traces->count += (size_t)prompts[i].samples;
    traces->ids = ps_arena_array(arena, traces->count, sizeof *traces->ids);
    traces->items = ps_arena_array(arena, prompt_count, sizeof *traces->items);
    PS_FAIL_IF(!traces->ids || !traces->items, error, PS_MEMORY, "out of memory");
    PS_TRY(find_items(store, prompts, &found, prompt_count, traces->items, error));
    traces->source = found.source;
    traces->sampler = found.sampler;
    if (!found.source || !found.sampler) return PS_OK;
    qsort(found.wanted, prompt_count, sizeof *found.wanted, by_row);
    struct ps_store_filter filter = {.source_id = found.source, .sampler_id = found.sampler};
    PS_TRY(ps_store_query(store, &filter, &cursor, error));
    for (bool more = true; more;) {
        struct ps_store_row row;
        PS_TRY_DONE(ps_store_next(cursor, &row, &more, error));
        if (more) enter(found.wanted, prompt_count, &row, traces);
    }
done:
    ps_store_cursor_close(cursor);
    return status;
}
