/* What one step runs.
 *
 * Rows go first to sequences that decode (one each), oldest first, then to what is to be computed
 * before a sequence can decode: its prompt's shared part, and replies that are resumed. A step
 * never asks for more pages than are free: the youngest sequences give theirs back first, and a
 * waiting one starts only if a page is left for each that runs, so that this stays rare. */

#include "generate/generator_internal.h"

#include "base/memory.h"

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static bool prompt_ready(const struct prompt *prompt) {
    return prompt->shared.length == prompt->count - 1;
}

static int64_t unfed(const struct sequence *sequence) {
    return 1 + sequence->count - sequence->fed;
}

/* Moves the youngest running sequence to the head of the queue; its pages are free again. */
static void preempt(struct ps_generator *generator) {
    struct sequence *sequence = generator->running[--generator->running_count];
    ps_kv_release(generator->cache, &sequence->kv);
    sequence->fed = 0;
    sequence->shares = false;
    sequence->next = generator->queue;
    if (!generator->queue) generator->queue_end = &sequence->next;
    generator->queue = sequence;
    generator->queued_count++;
    generator->rates.preempted++;
}

/* Prompts that nobody running needs can be computed again as well. */
static bool release_idle_prompt(struct ps_generator *generator) {
    for (struct prompt *prompt = generator->prompts; prompt; prompt = prompt->next) {
        bool used = prompt->shared.page_count == 0;
        for (int64_t i = 0; i < generator->running_count; i++)
            if (generator->running[i]->prompt == prompt) used = true;
        if (used) continue;
        ps_kv_release(generator->cache, &prompt->shared);
        return true;
    }
    return false;
}

static void start_waiting(struct ps_generator *generator) {
    while (generator->queue && generator->running_count < generator->options.sequences) {
        struct sequence *sequence = generator->queue;
        int64_t shared = sequence->prompt->shared.length;
        int64_t needed =
            (sequence->prompt->count - shared + unfed(sequence)) / PS_PAGE_POSITIONS + 2;
        int64_t kept = generator->running_count;
        if (generator->running_count > 0 &&
            ps_kv_cache_free_pages(generator->cache) < needed + kept)
            break;
        generator->queue = sequence->next;
        if (!generator->queue) generator->queue_end = &generator->queue;
        generator->queued_count--;
        generator->running[generator->running_count++] = sequence;
    }
}

/* Adds `count` tokens behind what is in kv, unless pages are missing. */
static bool add_item(struct ps_generator *generator, struct schedule *schedule,
                     struct ps_kv_sequence *kv, const int32_t *tokens, int64_t count,
                     int64_t *free_pages, bool sampled) {
    int64_t needed = ps_kv_pages_needed(generator->cache, kv, count);
    if (needed > *free_pages) return false;
    *free_pages -= needed;
    generator->items[schedule->items++] = (struct ps_batch_item){kv, tokens, count, sampled};
    schedule->rows += count;
    return true;
}

/* The sequence's own tokens; its KV shares the prompt's from its first row on. */
static enum ps_status add_own(struct ps_generator *generator, struct schedule *schedule,
                              struct sequence *sequence, int64_t *free_pages, bool *added,
                              struct ps_error *error) {
    if (!sequence->shares) {
        PS_TRY(ps_kv_share(generator->cache, &sequence->prompt->shared, &sequence->kv, error));
        sequence->shares = true;
    }
    int64_t rest = unfed(sequence);
    int64_t count = smaller(rest, generator->options.rows - schedule->rows);
    bool last = count == rest;
    *added = add_item(generator, schedule, &sequence->kv, sequence->own + sequence->fed, count,
                      free_pages, last);
    if (!*added) return PS_OK;
    sequence->fed += count;
    if (last) generator->sampled[schedule->sampled++] = sequence;
    if (rest == 1)
        schedule->decode_rows++;
    else
        schedule->prefill_rows += count;
    return PS_OK;
}

static bool add_prompt(struct ps_generator *generator, struct schedule *schedule,
                       struct prompt *prompt, int64_t *free_pages) {
    int64_t done = prompt->shared.length;
    for (int64_t i = 0; i < schedule->items; i++)
        if (generator->items[i].sequence == &prompt->shared) return true; /* in this step already */
    int64_t count = smaller(prompt->count - 1 - done, generator->options.rows - schedule->rows);
    schedule->prefill_rows += count;
    return add_item(generator, schedule, &prompt->shared, prompt->ids + done, count, free_pages,
                    false);
}

/* One attempt with the pages there are; complete: nobody went short of pages. */
static enum ps_status fill(struct ps_generator *generator, struct schedule *schedule,
                           bool *complete, struct ps_error *error) {
    int64_t free_pages = ps_kv_cache_free_pages(generator->cache);
    *complete = true;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < generator->running_count; i++) {
            struct sequence *sequence = generator->running[i];
            bool ready = prompt_ready(sequence->prompt), added = true;
            bool decodes = ready && unfed(sequence) == 1;
            if (decodes != (pass == 0) || unfed(sequence) == 0) continue; /* 0: had its turn */
            if (schedule->rows == generator->options.rows) return PS_OK;
            if (ready)
                PS_TRY(add_own(generator, schedule, sequence, &free_pages, &added, error));
            else
                added = add_prompt(generator, schedule, sequence->prompt, &free_pages);
            if (!added) *complete = false;
        }
    }
    return PS_OK;
}

void generator_undo(struct ps_generator *generator, const struct schedule *schedule) {
    for (int64_t i = 0; i < schedule->items; i++)
        for (int64_t r = 0; r < generator->running_count; r++)
            if (generator->items[i].sequence == &generator->running[r]->kv)
                generator->running[r]->fed -= generator->items[i].count;
}

enum ps_status generator_schedule(struct ps_generator *generator, struct schedule *schedule,
                                  struct ps_error *error) {
    start_waiting(generator);
    for (;;) {
        bool complete;
        *schedule = (struct schedule){0};
        PS_TRY(fill(generator, schedule, &complete, error));
        if (complete) return PS_OK;
        generator_undo(generator, schedule);
        if (release_idle_prompt(generator)) continue;
        PS_FAIL_IF(generator->running_count <= 1, error, PS_LIMIT,
                   "the KV cache of %lld pages cannot hold one sequence; give it more memory",
                   (long long)generator->pages);
        preempt(generator);
    }
}
