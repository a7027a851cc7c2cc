/* What a sampling run keeps: finished replies as traces, the others as partials. */
#include "teacher/run_internal.h"

#include "base/progress.h"

static struct ps_store_key key_of(const struct run *run, const struct entry *entry,
                                  int64_t sample) {
    return (struct ps_store_key){entry->row, run->source, run->sampler, sample};
}

void flight_free(struct flight *flight) {
    *flight->link = flight->next;
    if (flight->next) flight->next->link = flight->link;
    ps_free(flight);
}

/* The reply's text, without its end token. */
static enum ps_status decode(struct run *run, const struct ps_generate_reply *reply,
                             struct ps_error *error) {
    size_t count = (size_t)reply->count - (reply->finish == PS_GENERATE_STOP);
    run->text.size = 0;
    /* Sampled ids are never negative. */
    return ps_reply_decode(run->job->tokenizer, (const uint32_t *)reply->tokens, count, &run->text,
                           error);
}

enum ps_status run_finish(void *context, const struct ps_generate_reply *reply,
                          struct ps_error *error) {
    struct run *run = context;
    struct flight *flight = reply->user;
    const struct entry *entry = flight->entry;
    PS_TRY(decode(run, reply, error));
    struct ps_reply parts = ps_reply_split(run->text.data ? run->text.data : "", run->text.size,
                                           entry->prompt->thought);
    struct ps_store_trace trace = {
        .key = key_of(run, entry, flight->sample),
        .provenance = run->provenance,
        .reasoning = parts.reasoning,
        .content = parts.content,
        .reasoning_size = parts.reasoning_size,
        .content_size = parts.content_size,
        .ids = reply->tokens,
        .logprobs = reply->log_probabilities,
        .output_tokens = reply->count,
        .prompt_tokens = reply->prompt_count,
        /* What was asked for, even if the model's positions ended before. */
        .max_tokens = run->job->max_tokens,
        .finish = reply->finish == PS_GENERATE_STOP ? PS_STORE_STOP : PS_STORE_LENGTH,
        .duration = (int64_t)(reply->seconds * 1000),
    };
    PS_TRY(ps_store_put_trace(run->job->store, &trace, NULL, NULL, error));
    run->report->done++;
    run->report->sampled++;
    run->report->truncated += reply->finish == PS_GENERATE_LENGTH;
    run->report->output_tokens += reply->count;
    flight_free(flight);
    return PS_OK;
}

static enum ps_status keep_partial(void *context, const struct ps_generate_reply *reply,
                                   struct ps_error *error) {
    struct run *run = context;
    struct flight *flight = reply->user;
    if (reply->finish != PS_GENERATE_RUNNING || reply->count <= flight->kept) return PS_OK;
    struct ps_store_key key = key_of(run, flight->entry, flight->sample);
    PS_TRY(ps_store_put_partial(run->job->store, &key, reply->tokens, reply->log_probabilities,
                                (size_t)reply->count, error));
    flight->kept = reply->count;
    return PS_OK;
}

enum ps_status run_keep(struct run *run, struct ps_error *error) {
    run->kept = ps_seconds();
    PS_TRY(ps_generator_visit(run->job->generator, keep_partial, run, error));
    return ps_store_flush(run->job->store, error);
}

enum ps_status run_fail(struct run *run, const struct entry *entry, int64_t sample,
                        const char *reason, const char *detail, struct ps_error *error) {
    struct ps_store_key key = key_of(run, entry, sample);
    run->report->failed++;
    return ps_store_put_attempt(run->job->store, &key, run->provenance, reason, detail, error);
}
