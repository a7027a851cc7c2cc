/* First everything is rendered, so that the engine can be given as many positions as are needed and
 * no more; then the traces are generated, those of one prompt together, and compared as they come.
 *
 * What is compared are token ids and the 16-bit codes of the log-probabilities, which is all that a
 * store keeps of them. A reply is generated to the length that the trace has: had it gone on
 * differently, a token before would differ. */
#include "teacher/replay.h"

#include "base/json.h"
#include "base/stop.h"
#include "teacher/teacher.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOGETHER = 64 };

/* A prompt's ids; consecutive traces share one. */
struct replayed_prompt {
    int64_t row;
    const uint32_t *ids;
    size_t count;
    enum ps_thought thought;
    struct ps_hash hash;
    bool forged;
    const char *why; /* it cannot be rendered; NULL: it can */
};

/* What is needed of a trace until it is submitted. */
struct plan {
    const struct replayed_prompt *prompt;
    const struct replayed_sampler *sampler;
    int64_t sample;
};

struct replayed_sampler {
    int64_t row;
    struct ps_sample_sampler settings;
    struct ps_generate_thinking thinking;
    bool bounded, forged;
    const char *why;
};

/* In the engine. */
struct flight {
    struct ps_replay_trace *result;
    struct ps_store_trace trace;
    struct ps_arena arena;
    struct flight *next, **link;
};

struct replay {
    const struct ps_replay_job *job;
    struct ps_replay_trace *traces;
    struct plan *plans; /* parallel to traces */
    size_t count, done;
    struct ps_arena arena;
    const struct replayed_prompt *prompt;   /* the last one */
    const struct replayed_sampler *sampler; /* likewise */
    struct ps_template *template;           /* of `choice` and `date` */
    const char *choice, *date;
    struct flight *flights;
    int64_t positions;
};

static void settle(struct replay *replay, struct ps_replay_trace *trace,
                   enum ps_replay_outcome outcome, const char *why) {
    trace->outcome = outcome;
    if (why) snprintf(trace->why, sizeof trace->why, "%.255s", why);
    replay->done++;
    if (replay->job->progress) replay->job->progress(replay->job->context, replay->done);
}

/* ---- prompts ---- */

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Keeps a template whose file has this hash. */
static enum ps_status try_template(struct replay *replay, const char *path, const char *choice,
                                   const char *date, struct ps_error *error) {
    char hex[PS_HASH_HEX_SIZE];
    struct ps_template *template;
    PS_TRY(ps_template_open(path, replay->job->folder, date, &template, error));
    if (strcmp(ps_hash_hex(ps_template_hash(template), hex), choice) == 0)
        replay->template = template;
    else
        ps_template_close(template);
    return PS_OK;
}

/* The template of a conversation: the model's own, a built-in one, or the file that has the hash.
 */
static enum ps_status find_template(struct replay *replay, const char *choice, const char *date,
                                    struct ps_error *error) {
    const struct ps_replay_job *job = replay->job;
    if (replay->template && same_text(choice, replay->choice) && same_text(date, replay->date))
        return PS_OK;
    ps_template_close(replay->template);
    replay->template = NULL;
    replay->choice = choice ? ps_arena_strndup(&replay->arena, choice, strlen(choice)) : NULL;
    replay->date = date ? ps_arena_strndup(&replay->arena, date, strlen(date)) : NULL;
    PS_FAIL_IF((choice && !replay->choice) || (date && !replay->date), error, PS_MEMORY,
               "out of memory");
    if (!choice || strcmp(choice, "none") == 0 || strcmp(choice, "chatml") == 0)
        return ps_template_open(choice, job->folder, date, &replay->template, error);
    for (size_t i = 0; i < job->template_count && !replay->template; i++)
        PS_TRY(try_template(replay, job->templates[i], choice, date, error));
    struct ps_error own; /* the model may have no template at all */
    if (!replay->template && try_template(replay, NULL, choice, date, &own) == PS_MEMORY)
        return ps_error_set(error, PS_MEMORY, "out of memory");
    PS_FAIL_IF(!replay->template, error, PS_NOT_FOUND,
               "its prompt went through the template file with the hash %.16s...; name it with "
               "--template FILE",
               choice);
    return PS_OK;
}

static enum ps_status render(struct replay *replay, const char *json,
                             struct replayed_prompt *prompt, struct ps_error *error) {
    const struct ps_tokenizer *tokenizer = replay->job->local->tokenizer;
    const char *choice, *date;
    struct ps_token_ids ids = {0};
    json_t *value;
    PS_TRY(ps_json_parse("prompt", json, strlen(json), &value, error));
    enum ps_status status = ps_json_string_or(value, "template", NULL, &choice, error);
    if (status == PS_OK) status = ps_json_string_or(value, "date", NULL, &date, error);
    if (status == PS_OK) status = find_template(replay, choice, date, error);
    json_decref(value);
    if (status == PS_OK)
        status = ps_conversation_encode(json, replay->template, PS_THINKING_UNSET, tokenizer, &ids,
                                        &prompt->thought, error);
    uint32_t *copy = NULL;
    if (status == PS_OK) {
        copy = ps_arena_array(&replay->arena, ids.size + 1, sizeof *copy);
        if (!copy) status = ps_error_set(error, PS_MEMORY, "out of memory");
    }
    if (copy && ids.size) memcpy(copy, ids.data, ids.size * sizeof *copy);
    prompt->ids = copy;
    prompt->count = ids.size;
    ps_token_ids_release(&ids);
    return status;
}

static bool is_fatal(enum ps_status status) {
    return status == PS_MEMORY || status == PS_STOPPED || status == PS_IO;
}

/* A failure that concerns these traces alone is kept as their reason. */
static enum ps_status keep_reason(struct replay *replay, enum ps_status status, const char **why,
                                  struct ps_error *error) {
    if (status == PS_OK || is_fatal(status)) return status;
    *why = ps_arena_strndup(&replay->arena, error->message, strlen(error->message));
    PS_FAIL_IF_NULL(*why, error);
    return PS_OK;
}

static enum ps_status take_prompt(struct replay *replay, const struct ps_store_key *key,
                                  const struct ps_hash *hash, struct ps_error *error) {
    const char *json;
    struct ps_hash now;
    if (replay->prompt && replay->prompt->row == key->prompt) return PS_OK;
    struct replayed_prompt *prompt = ps_arena_alloc(&replay->arena, sizeof *prompt);
    PS_FAIL_IF_NULL(prompt, error);
    *prompt = (struct replayed_prompt){.row = key->prompt, .hash = *hash};
    PS_TRY(ps_store_read_prompt(replay->job->store, key->prompt, &replay->arena, &json, error));
    PS_TRY(ps_store_identity(json, &now, error));
    prompt->forged = memcmp(&now, hash, sizeof now) != 0;
    PS_TRY(keep_reason(replay, render(replay, json, prompt, error), &prompt->why, error));
    replay->prompt = prompt;
    return PS_OK;
}

static enum ps_status take_sampler(struct replay *replay, const struct ps_store_key *key,
                                   const struct ps_hash *hash, struct ps_error *error) {
    const char *json;
    struct ps_hash now;
    if (replay->sampler && replay->sampler->row == key->sampler) return PS_OK;
    struct replayed_sampler *sampler = ps_arena_alloc(&replay->arena, sizeof *sampler);
    PS_FAIL_IF_NULL(sampler, error);
    *sampler = (struct replayed_sampler){.row = key->sampler};
    PS_TRY(ps_store_read_sampler(replay->job->store, key->sampler, &replay->arena, &json, error));
    PS_TRY(ps_store_identity(json, &now, error));
    sampler->forged = memcmp(&now, hash, sizeof now) != 0;
    enum ps_status status = ps_sample_sampler_read(json, &replay->arena, &sampler->settings, error);
    sampler->bounded = status == PS_OK && ps_sample_thinking_bounds(sampler->settings.thinking);
    if (sampler->bounded)
        status =
            ps_sample_thinking_encode(sampler->settings.thinking, replay->job->local->tokenizer,
                                      &replay->arena, &sampler->thinking, error);
    PS_TRY(keep_reason(replay, status, &sampler->why, error));
    replay->sampler = sampler;
    return PS_OK;
}

/* ---- what is to be generated ---- */

static void compare_prompts(struct replay *replay, struct ps_replay_trace *trace,
                            const struct replayed_prompt *prompt, int64_t tokens) {
    if (tokens == 0 || tokens == (int64_t)prompt->count) return;
    trace->was.tokens = tokens;
    trace->now.tokens = (int64_t)prompt->count;
    settle(replay, trace, PS_REPLAY_PROMPT, NULL);
}

static enum ps_status plan_row(struct replay *replay, size_t index, const struct ps_store_row *row,
                               struct ps_error *error) {
    struct ps_replay_trace *trace = &replay->traces[index];
    PS_TRY(take_prompt(replay, &row->key, &row->prompt_hash, error));
    PS_TRY(take_sampler(replay, &row->key, &row->sampler_hash, error));
    const char *why = replay->prompt->why ? replay->prompt->why : replay->sampler->why;
    replay->plans[index] = (struct plan){replay->prompt, replay->sampler, row->key.sample};
    trace->count = row->output_tokens;
    trace->forged_prompt = replay->prompt->forged;
    trace->forged_sampler = replay->sampler->forged;
    if (why)
        settle(replay, trace, PS_REPLAY_IMPOSSIBLE, why);
    else
        compare_prompts(replay, trace, replay->prompt, row->prompt_tokens);
    if (trace->outcome != PS_REPLAY_PENDING) return PS_OK;
    int64_t positions = (int64_t)replay->prompt->count + row->output_tokens;
    if (positions > replay->job->local->config->max_positions)
        settle(replay, trace, PS_REPLAY_IMPOSSIBLE,
               "prompt and reply exceed the model's positions");
    else if (positions > replay->positions)
        replay->positions = positions;
    return PS_OK;
}

static enum ps_status plan_all(struct replay *replay, struct ps_error *error) {
    for (size_t i = 0; i < replay->count; i++) {
        const struct ps_store_filter filter = {.trace_id = replay->traces[i].id};
        struct ps_store_cursor *cursor;
        struct ps_store_row row;
        bool more;
        PS_TRY(ps_stop_check(error));
        PS_TRY(ps_store_query(replay->job->store, &filter, &cursor, error));
        enum ps_status status = ps_store_next(cursor, &row, &more, error);
        if (status == PS_OK && !more)
            status =
                ps_error_set(error, PS_NOT_FOUND, "no trace %lld", (long long)replay->traces[i].id);
        if (status == PS_OK) status = plan_row(replay, i, &row, error);
        ps_store_cursor_close(cursor);
        PS_TRY(status);
    }
    return PS_OK;
}

/* ---- comparing ---- */

static void compare(struct ps_replay_trace *result, const struct ps_store_trace *trace,
                    const struct ps_generate_reply *reply) {
    for (int64_t i = 0; i < trace->output_tokens; i++) {
        bool there = i < reply->count; /* else it stopped before */
        float was = trace->logprobs ? trace->logprobs[i] : NAN;
        float now = there ? reply->log_probabilities[i] : NAN;
        result->position = i;
        result->was = (struct ps_replay_value){.id = trace->ids[i], .logprob = was};
        result->now = (struct ps_replay_value){.id = there ? reply->tokens[i] : -1, .logprob = now};
        result->outcome = PS_REPLAY_TOKEN;
        if (result->now.id != result->was.id) return;
        result->outcome = PS_REPLAY_LOGPROB;
        if (!isnan(was) && ps_store_logprob_encode(was) != ps_store_logprob_encode(now)) return;
    }
    result->outcome = PS_REPLAY_EQUAL;
}

static void release_flight(struct flight *flight) {
    *flight->link = flight->next;
    if (flight->next) flight->next->link = flight->link;
    ps_arena_release(&flight->arena);
    ps_free(flight);
}

static enum ps_status finish(void *context, const struct ps_generate_reply *reply,
                             struct ps_error *error) {
    struct replay *replay = context;
    struct flight *flight = reply->user;
    (void)error;
    compare(flight->result, &flight->trace, reply);
    settle(replay, flight->result, flight->result->outcome, NULL);
    release_flight(flight);
    return PS_OK;
}

/* ---- generating ---- */

/* NULL where there is nothing to generate. */
static enum ps_status take_flight(struct replay *replay, struct ps_replay_trace *result,
                                  struct flight **flight, struct ps_error *error) {
    struct flight *made = ps_calloc(1, sizeof *made);
    PS_FAIL_IF_NULL(made, error);
    made->result = result;
    made->next = replay->flights;
    made->link = &replay->flights;
    if (replay->flights) replay->flights->link = &made->next;
    replay->flights = made;
    ps_arena_init(&made->arena, SIZE_MAX / 2);
    enum ps_status status =
        ps_store_read_trace(replay->job->store, result->id, &made->arena, &made->trace, error);
    *flight = status == PS_OK && made->trace.ids && made->trace.output_tokens ? made : NULL;
    if (*flight) return PS_OK;
    release_flight(made);
    if (is_fatal(status)) return status;
    if (status == PS_OK)
        settle(replay, result, PS_REPLAY_IMPOSSIBLE, "the store has no token ids of it");
    else
        settle(replay, result, PS_REPLAY_UNREADABLE, error->message);
    return PS_OK;
}

/* Submits the next traces of one prompt. */
static enum ps_status submit(struct replay *replay, size_t *next, struct ps_error *error) {
    const struct replayed_prompt *prompt = replay->plans[*next].prompt;
    struct ps_generate_request requests[TOGETHER];
    size_t count = 0;
    for (; *next < replay->count && count < TOGETHER; ++*next) {
        const struct plan *plan = &replay->plans[*next];
        struct flight *flight = NULL;
        if (replay->traces[*next].outcome != PS_REPLAY_PENDING) continue;
        if (plan->prompt != prompt) break;
        PS_TRY(take_flight(replay, &replay->traces[*next], &flight, error));
        if (!flight) continue;
        const struct ps_sample_sampler *sampler = &plan->sampler->settings;
        requests[count++] = (struct ps_generate_request){
            .sampling = {(float)sampler->temperature, (float)sampler->top_p, (float)sampler->min_p,
                         (int32_t)sampler->top_k},
            .key = ps_sample_key(sampler->seed, &prompt->hash, plan->sample),
            .max_tokens = flight->trace.output_tokens,
            .thinking = plan->sampler->bounded ? &plan->sampler->thinking : NULL,
            .thinks = prompt->thought == PS_THOUGHT_OPENED,
            .user = flight,
        };
    }
    if (count == 0) return PS_OK;
    return ps_generator_submit(replay->job->local->generator, (const int32_t *)prompt->ids,
                               (int64_t)prompt->count, requests, count, error);
}

static enum ps_status generate_all(struct replay *replay, struct ps_error *error) {
    struct ps_local *local = replay->job->local;
    struct ps_local_options options = replay->job->options;
    size_t next = 0;
    if (replay->positions == 0) return PS_OK; /* nothing can be generated */
    options.positions = replay->positions;
    PS_TRY(ps_local_start(local, &options, error));
    for (;;) {
        PS_TRY(ps_stop_check(error));
        while (next < replay->count && ps_generator_room(local->generator) > 0)
            PS_TRY(submit(replay, &next, error));
        if (ps_generator_pending(local->generator) == 0 && next == replay->count) return PS_OK;
        PS_TRY(ps_generator_step(local->generator, finish, replay, error));
    }
}

enum ps_status ps_replay_run(const struct ps_replay_job *job, struct ps_replay_trace *traces,
                             size_t count, struct ps_error *error) {
    struct replay replay = {.job = job, .traces = traces, .count = count};
    struct ps_error own;
    if (!error) error = &own;
    ps_arena_init(&replay.arena, SIZE_MAX / 2);
    replay.plans = ps_arena_array(&replay.arena, count + 1, sizeof *replay.plans);
    enum ps_status status =
        replay.plans ? plan_all(&replay, error) : ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK) status = generate_all(&replay, error);
    while (replay.flights) release_flight(replay.flights);
    ps_template_close(replay.template);
    ps_arena_release(&replay.arena);
    return status;
}
