/* What a sampling run has to do. */
#include "teacher/run_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    PARTIALS_LIMIT = 1 << 30, /* bytes */
    TOGETHER = 256,           /* most samples of a prompt that are submitted at one time */
};

/* ---- before the first step ---- */

static enum ps_status put_identities(struct run *run, struct ps_error *error) {
    const struct ps_sample_job *job = run->job;
    struct ps_buffer json;
    ps_buffer_init(&json, 1 << 12);
    enum ps_status status = ps_sample_sampler_json(&job->sampler, &json, error);
    if (status == PS_OK)
        status = ps_store_put_sampler(job->store, json.data, &run->sampler, NULL, error);
    ps_buffer_release(&json);
    PS_TRY(status);
    PS_TRY(
        ps_store_put_source(job->store, job->source_name, job->source, &run->source, NULL, error));
    if (!job->provenance) return PS_OK;
    return ps_store_put_provenance(job->store, job->provenance, &run->provenance, error);
}

static enum ps_status put_prompts(struct run *run, struct ps_error *error) {
    const struct ps_sample_job *job = run->job;
    for (size_t i = 0; i < job->prompt_count; i++) {
        const struct ps_sample_prompt *prompt = &job->prompts[i];
        struct entry *entry = &run->entries[i];
        *entry = (struct entry){.prompt = prompt, .samples = prompt->samples};
        PS_TRY(ps_store_put_prompt(job->store, prompt->conversation, &entry->row, &entry->hash,
                                   error));
        for (size_t j = 0; j < prompt->item_count; j++) {
            struct ps_store_item item = prompt->items[j];
            item.prompt = entry->row;
            PS_TRY(ps_store_put_item(job->store, &item, NULL, error));
        }
    }
    return ps_store_flush(job->store, error);
}

static int by_row(const void *a, const void *b) {
    const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* The first of equal prompts gets the most samples that any of them asks for, the others none. */
static enum ps_status merge_equal(struct run *run, struct ps_error *error) {
    size_t count = run->job->prompt_count;
    struct entry **order = ps_arena_array(&run->arena, count, sizeof *order);
    PS_FAIL_IF_NULL(order, error);
    for (size_t i = 0; i < count; i++) order[i] = &run->entries[i];
    qsort(order, count, sizeof *order, by_row);
    struct entry *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!first || order[i]->row != first->row) {
            first = order[i];
            continue;
        }
        if (order[i]->samples > first->samples) first->samples = order[i]->samples;
        order[i]->samples = 0;
    }
    return PS_OK;
}

static enum ps_status read_states(struct run *run, const struct entry *entry,
                                  struct ps_error *error) {
    struct ps_store_key key = {entry->row, run->source, run->sampler, 0};
    return ps_store_states(run->job->store, &key, run->job->max_tokens, run->states,
                           (size_t)entry->samples, error);
}

static enum ps_status count_states(struct run *run, struct ps_error *error) {
    struct ps_sample_report *report = run->report;
    for (size_t i = 0; i < run->job->prompt_count; i++) {
        const struct entry *entry = &run->entries[i];
        if (entry->samples == 0) continue;
        PS_TRY(read_states(run, entry, error));
        report->prompts++;
        report->replies += entry->samples;
        for (int64_t s = 0; s < entry->samples; s++)
            report->done += run->states[s] == PS_STORE_DONE;
    }
    return PS_OK;
}

enum ps_status run_prepare(struct run *run, struct ps_error *error) {
    const struct ps_sample_job *job = run->job;
    int64_t most = 1;
    for (size_t i = 0; i < job->prompt_count; i++)
        if (job->prompts[i].samples > most) most = job->prompts[i].samples;
    run->entries = ps_arena_array(&run->arena, job->prompt_count, sizeof *run->entries);
    run->states = ps_arena_array(&run->arena, (size_t)most, sizeof *run->states);
    PS_FAIL_IF(!run->entries || !run->states, error, PS_MEMORY, "out of memory");
    run->bounded = ps_sample_thinking_bounds(job->sampler.thinking);
    if (run->bounded)
        PS_TRY(ps_sample_thinking_encode(job->sampler.thinking, job->tokenizer, &run->arena,
                                         &run->thinking, error));
    PS_TRY(put_identities(run, error));
    PS_TRY(put_prompts(run, error));
    PS_TRY(merge_equal(run, error));
    PS_TRY(count_states(run, error));
    return ps_store_read_partials(job->store, run->source, run->sampler, &run->arena,
                                  &run->partials, &run->partial_count, error);
}

/* ---- submitting ---- */

static const struct ps_store_partial *find_partial(const struct run *run, int64_t row,
                                                   int64_t sample) {
    size_t low = 0, high = run->partial_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct ps_store_key *key = &run->partials[middle].key;
        if (key->prompt == row && key->sample == sample) return &run->partials[middle];
        if (key->prompt < row || (key->prompt == row && key->sample < sample))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* What there is of a reply: what was in flight, or a cut trace, whichever is longer. The arrays lie
 * in the arena. */
static enum ps_status find_begun(struct run *run, const struct entry *entry, int64_t sample,
                                 bool cut, struct ps_arena *arena,
                                 struct ps_generate_request *request, struct ps_error *error) {
    const struct ps_store_partial *partial = find_partial(run, entry->row, sample);
    if (partial && partial->logprobs) {
        request->tokens = partial->ids;
        request->log_probabilities = partial->logprobs;
        request->count = (int64_t)partial->count;
    }
    if (!cut) return PS_OK;
    struct ps_store_key key = {entry->row, run->source, run->sampler, sample};
    struct ps_store_trace trace;
    int64_t id;
    PS_TRY(ps_store_find_trace(run->job->store, &key, &id, error));
    if (id == 0) return PS_OK;
    PS_TRY(ps_store_read_trace(run->job->store, id, arena, &trace, error));
    if (!trace.ids || !trace.logprobs || trace.output_tokens <= request->count) return PS_OK;
    request->tokens = trace.ids;
    request->log_probabilities = trace.logprobs;
    request->count = trace.output_tokens;
    return PS_OK;
}

static enum ps_status add_request(struct run *run, const struct entry *entry, int64_t sample,
                                  struct ps_arena *arena, struct ps_generate_request *request,
                                  bool *added, struct ps_error *error) {
    const struct ps_sample_job *job = run->job;
    int64_t room = job->positions - (int64_t)entry->prompt->count;
    int64_t limit = job->max_tokens < room ? job->max_tokens : room;
    bool cut = run->states[sample] == PS_STORE_CUT;
    *added = false;
    if (room < 1)
        return run_fail(run, entry, sample, "prompt too long",
                        "it leaves no room for a reply within the model's positions", error);
    *request = (struct ps_generate_request){
        .sampling = {(float)job->sampler.temperature, (float)job->sampler.top_p,
                     (float)job->sampler.min_p, (int32_t)job->sampler.top_k},
        .key = ps_sample_key(job->sampler.seed, &entry->hash, sample),
        .max_tokens = job->max_tokens,
        .thinking = run->bounded ? &run->thinking : NULL,
        .thinks = entry->prompt->thought == PS_THOUGHT_OPENED,
    };
    PS_TRY(find_begun(run, entry, sample, cut, arena, request, error));
    if (cut && request->count >= limit)
        return run_fail(run, entry, sample, "no room to go on",
                        "prompt and reply fill the model's positions", error);
    /* With a smaller max_tokens than before: its last token is sampled anew, to the same bits. */
    if (request->count >= limit) request->count = limit - 1;
    struct flight *flight = ps_calloc(1, sizeof *flight);
    PS_FAIL_IF_NULL(flight, error);
    *flight = (struct flight){.entry = entry, .sample = sample, .next = run->flights};
    const struct ps_store_partial *partial = find_partial(run, entry->row, sample);
    flight->kept = partial ? (int64_t)partial->count : 0;
    flight->link = &run->flights;
    if (run->flights) run->flights->link = &flight->next;
    run->flights = flight;
    request->user = flight;
    *added = true;
    return PS_OK;
}

/* Submits the next samples of the entry at hand together, so that they share the prompt's pages. */
static enum ps_status submit_some(struct run *run, struct ps_error *error) {
    const struct entry *entry = &run->entries[run->next];
    struct ps_generate_request requests[TOGETHER];
    struct ps_arena arena;
    size_t count = 0;
    enum ps_status status = PS_OK;
    ps_arena_init(&arena, SIZE_MAX / 2);
    while (run->sample < entry->samples && count < TOGETHER) {
        int64_t sample = run->sample++;
        bool added = false;
        if (run->states[sample] == PS_STORE_DONE) continue;
        PS_TRY_DONE(add_request(run, entry, sample, &arena, &requests[count], &added, error));
        count += added;
    }
    if (count > 0)
        status = ps_generator_submit(run->job->generator, (const int32_t *)entry->prompt->ids,
                                     (int64_t)entry->prompt->count, requests, count, error);
done:
    ps_arena_release(&arena);
    return status;
}

enum ps_status run_fill(struct run *run, struct ps_error *error) {
    while (run->next < run->job->prompt_count && ps_generator_room(run->job->generator) > 0) {
        const struct entry *entry = &run->entries[run->next];
        if (run->sample == 0 && entry->samples > 0) PS_TRY(read_states(run, entry, error));
        if (run->sample < entry->samples) PS_TRY(submit_some(run, error));
        if (run->sample < entry->samples) continue;
        run->next++;
        run->sample = 0;
    }
    return PS_OK;
}
