#include "generate/generate.h"

#include "base/memory.h"
#include "base/progress.h"
#include "generate/generator_internal.h"

#include <string.h>

/* ---- opening ---- */

static enum ps_status open_model(struct ps_generator *generator, const struct ps_model_files *files,
                                 struct ps_error *error) {
    struct ps_compute *compute = generator->compute;
    const struct ps_generator_options *options = &generator->options;
    struct ps_compute_limits limits = ps_model_limits(
        generator->config, options->rows, options->sequences, options->positions, false);
    struct ps_model_options model_options = {.format = options->format,
                                             .positions = options->positions};
    PS_TRY(compute->memory.stream_create(compute, &limits, &generator->stream, error));
    PS_TRY(ps_model_create(compute, generator->stream, generator->config, &model_options,
                           &generator->model, error));
    return ps_model_load(generator->model, generator->stream, files, error);
}

/* A page more than full sequences need for each: a copy of the page where its prompt ends. */
static int64_t full_pages(const struct ps_generator_options *options) {
    return options->sequences * (options->positions / PS_PAGE_POSITIONS + 2);
}

static enum ps_status open_cache(struct ps_generator *generator, struct ps_error *error) {
    const struct ps_generator_options *options = &generator->options;
    size_t page_bytes = ps_kv_page_bytes(generator->model);
    generator->pages = full_pages(options);
    if (options->cache_bytes > 0 && generator->pages > options->cache_bytes / (int64_t)page_bytes)
        generator->pages = options->cache_bytes / (int64_t)page_bytes;
    PS_TRY(ps_kv_cache_create(&generator->cache, generator->model, generator->pages, error));
    struct ps_batch_limits limits = {.rows = options->rows,
                                     .sequences = 2 * options->sequences,
                                     .logit_rows = options->sequences};
    return ps_batch_create(&generator->batch, generator->model, generator->cache, &limits, error);
}

static enum ps_status open_step(struct ps_generator *generator, struct ps_error *error) {
    size_t n = (size_t)generator->options.sequences;
    struct ps_compute *compute = generator->compute;
    generator->running = ps_calloc(n, sizeof *generator->running);
    generator->items = ps_calloc(2 * n, sizeof *generator->items);
    generator->sampled = ps_calloc(n, sizeof *generator->sampled);
    generator->samplers = ps_calloc(n, sizeof *generator->samplers);
    generator->host_tokens = ps_calloc(n, sizeof *generator->host_tokens);
    generator->host_log_probabilities = ps_calloc(n, sizeof(float));
    generator->tokens = compute->memory.allocate(compute, n * sizeof *generator->tokens);
    generator->log_probabilities = compute->memory.allocate(compute, n * sizeof(float));
    PS_FAIL_IF(!generator->running || !generator->items || !generator->sampled ||
                   !generator->samplers || !generator->host_tokens ||
                   !generator->host_log_probabilities || !generator->tokens ||
                   !generator->log_probabilities,
               error, PS_MEMORY, "out of memory");
    return PS_OK;
}

enum ps_status ps_generator_open(struct ps_compute *compute, const struct ps_model_files *files,
                                 const struct ps_generator_options *options,
                                 struct ps_generator **generator, struct ps_error *error) {
    struct ps_generator *new = *generator = ps_calloc(1, sizeof *new);
    PS_FAIL_IF_NULL(new, error);
    new->compute = compute;
    new->config = ps_model_files_config(files);
    new->options = *options;
    new->queue_end = &new->queue;
    if (new->options.valid_vocabulary <= 0 ||
        new->options.valid_vocabulary > new->config->vocabulary)
        new->options.valid_vocabulary = new->config->vocabulary;
    enum ps_status status = open_model(new, files, error);
    if (status == PS_OK) status = open_cache(new, error);
    if (status == PS_OK) status = open_step(new, error);
    if (status != PS_OK) {
        ps_generator_close(new);
        *generator = NULL;
    }
    return status;
}

/* ---- requests ---- */

static void free_sequence(struct ps_generator *generator, struct sequence *sequence) {
    ps_kv_release(generator->cache, &sequence->kv);
    ps_free(sequence->own);
    ps_free(sequence->log_probabilities);
    ps_free(sequence);
}

static void free_prompt(struct ps_generator *generator, struct prompt *prompt) {
    struct prompt **link = &generator->prompts;
    while (*link && *link != prompt) link = &(*link)->next;
    if (*link) *link = prompt->next;
    ps_kv_release(generator->cache, &prompt->shared);
    ps_free(prompt->ids);
    ps_free(prompt);
}

void ps_generator_close(struct ps_generator *generator) {
    if (!generator) return;
    struct ps_compute *compute = generator->compute;
    for (int64_t i = 0; i < generator->running_count; i++)
        free_sequence(generator, generator->running[i]);
    for (struct sequence *next, *sequence = generator->queue; sequence; sequence = next) {
        next = sequence->next;
        free_sequence(generator, sequence);
    }
    while (generator->prompts) free_prompt(generator, generator->prompts);
    ps_batch_release(generator->batch);
    ps_kv_cache_release(generator->cache);
    ps_model_close(generator->model);
    if (generator->tokens) compute->memory.release(compute, generator->tokens);
    if (generator->log_probabilities)
        compute->memory.release(compute, generator->log_probabilities);
    if (generator->stream) compute->memory.stream_release(generator->stream);
    ps_free(generator->running);
    ps_free(generator->items);
    ps_free(generator->sampled);
    ps_free(generator->samplers);
    ps_free(generator->host_tokens);
    ps_free(generator->host_log_probabilities);
    ps_free(generator);
}

/* Reads the tokens that a reply begins with, up to one that must be drawn again to know what it
 * was. One that the bounds would not have allowed ends the beginning. */
static void read_known(struct sequence *sequence) {
    const struct ps_generate_thinking *rule = sequence->request.thinking;
    while (sequence->count < sequence->known) {
        int32_t token = sequence->own[1 + sequence->count];
        struct thought next = sequence->thought;
        if (rule && thought_unsure(rule, &next, token)) return;
        if (rule && thought_take(rule, &next, token, false) != token) {
            sequence->known = sequence->count;
            return;
        }
        sequence->thought = next;
        sequence->count++;
    }
}

static struct sequence *new_sequence(struct ps_generator *generator, struct prompt *prompt,
                                     const struct ps_generate_request *request) {
    int64_t most = generator->options.positions - prompt->count;
    struct sequence *sequence = ps_calloc(1, sizeof *sequence);
    if (!sequence) return NULL;
    sequence->prompt = prompt;
    sequence->request = *request;
    sequence->max_tokens = request->max_tokens < most ? request->max_tokens : most;
    sequence->own = ps_malloc((size_t)(sequence->max_tokens + 1) * sizeof *sequence->own);
    sequence->log_probabilities = ps_malloc((size_t)sequence->max_tokens * sizeof(float));
    if (!sequence->own || !sequence->log_probabilities) {
        free_sequence(generator, sequence);
        return NULL;
    }
    sequence->own[0] = prompt->ids[prompt->count - 1];
    sequence->known = request->count;
    sequence->thought.place = request->thinks ? THOUGHT_OPEN : THOUGHT_BEFORE;
    if (request->count) {
        size_t n = (size_t)request->count;
        memcpy(sequence->own + 1, request->tokens, n * sizeof *sequence->own);
        memcpy(sequence->log_probabilities, request->log_probabilities, n * sizeof(float));
    }
    read_known(sequence);
    return sequence;
}

static enum ps_status check_ids(const struct ps_generator *generator, const int32_t *ids,
                                size_t count, const char *of, struct ps_error *error) {
    for (size_t i = 0; i < count; i++)
        PS_FAIL_IF(ids[i] < 0 || ids[i] >= generator->config->vocabulary, error, PS_ARGUMENT,
                   "token %d of the %s is not in the model's vocabulary", ids[i], of);
    return PS_OK;
}

static enum ps_status check_request(const struct ps_generator *generator, int64_t prompt_count,
                                    const struct ps_generate_request *request,
                                    struct ps_error *error) {
    int64_t most = generator->options.positions - prompt_count;
    int64_t tokens = request->max_tokens < most ? request->max_tokens : most;
    PS_FAIL_IF(tokens < 1, error, PS_ARGUMENT,
               "a prompt of %lld tokens leaves no room for a reply within %lld",
               (long long)prompt_count, (long long)generator->options.positions);
    PS_FAIL_IF(request->count >= tokens, error, PS_ARGUMENT,
               "a reply of %lld tokens cannot go on within %lld", (long long)request->count,
               (long long)tokens);
    PS_FAIL_IF((prompt_count + tokens) / PS_PAGE_POSITIONS + 2 > generator->pages, error, PS_LIMIT,
               "the KV cache of %lld pages cannot hold a prompt of %lld tokens and its reply; "
               "give it more memory or lower max_tokens",
               (long long)generator->pages, (long long)prompt_count);
    const struct ps_generate_thinking *thinking = request->thinking;
    if (!thinking) return PS_OK;
    PS_TRY(check_ids(generator, thinking->end, thinking->end_count, "thought's end", error));
    return check_ids(generator, thinking->wait, thinking->wait_count, "text 'wait'", error);
}

enum ps_status ps_generator_submit(struct ps_generator *generator, const int32_t *ids,
                                   int64_t prompt_count, const struct ps_generate_request *requests,
                                   size_t count, struct ps_error *error) {
    PS_FAIL_IF(prompt_count < 1, error, PS_ARGUMENT, "a prompt without tokens");
    PS_TRY(check_ids(generator, ids, (size_t)prompt_count, "prompt", error));
    for (size_t i = 0; i < count; i++)
        PS_TRY(check_request(generator, prompt_count, &requests[i], error));
    struct prompt *prompt = ps_calloc(1, sizeof *prompt);
    PS_FAIL_IF_NULL(prompt, error);
    prompt->count = prompt_count;
    prompt->ids = ps_malloc((size_t)prompt_count * sizeof *prompt->ids);
    struct sequence *first = NULL, **end = &first;
    bool failed = !prompt->ids;
    if (!failed) memcpy(prompt->ids, ids, (size_t)prompt_count * sizeof *prompt->ids);
    for (size_t i = 0; i < count && !failed; i++) {
        *end = new_sequence(generator, prompt, &requests[i]);
        failed = !*end;
        if (!failed) end = &(*end)->next;
    }
    if (failed || count == 0) {
        for (struct sequence *next; first; first = next) {
            next = first->next;
            free_sequence(generator, first);
        }
        free_prompt(generator, prompt);
        return failed ? ps_error_set(error, PS_MEMORY, "out of memory") : PS_OK;
    }
    prompt->requests = (int64_t)count;
    prompt->next = generator->prompts;
    generator->prompts = prompt;
    *generator->queue_end = first;
    generator->queue_end = end;
    generator->queued_count += (int64_t)count;
    return PS_OK;
}

int64_t ps_generator_pending(const struct ps_generator *generator) {
    return generator->running_count + generator->queued_count;
}

int64_t ps_generator_room(const struct ps_generator *generator) {
    int64_t room = generator->options.sequences - ps_generator_pending(generator);
    return room > 0 ? room : 0;
}

/* ---- a step ---- */

static bool is_end(const struct ps_generator *generator, int32_t token) {
    for (size_t i = 0; i < generator->config->end_count; i++)
        if (generator->config->end_ids[i] == token) return true;
    return false;
}

static void draw(struct ps_generator *generator, size_t n, struct ps_matrix logits) {
    const struct ps_compute *compute = generator->compute;
    for (size_t i = 0; i < n; i++) {
        const struct ps_generate_request *request = &generator->sampled[i]->request;
        generator->samplers[i] = (struct ps_sampler){
            .temperature = request->sampling.temperature,
            .top_p = request->sampling.top_p,
            .min_p = request->sampling.min_p,
            .top_k = request->sampling.top_k,
            .key = request->key,
            .counter = (uint64_t)generator->sampled[i]->count,
        };
    }
    compute->sampling.sample(generator->stream, logits, generator->options.valid_vocabulary,
                             generator->samplers, generator->tokens, generator->log_probabilities);
    compute->memory.download(generator->stream, generator->host_tokens, generator->tokens,
                             n * sizeof(int32_t));
    compute->memory.download(generator->stream, generator->host_log_probabilities,
                             generator->log_probabilities, n * sizeof(float));
}

/* Puts what the bounds on thoughts force in place of what was drawn. */
static enum ps_status apply_bounds(struct ps_generator *generator, size_t n,
                                   struct ps_matrix logits, struct ps_error *error) {
    const struct ps_compute *compute = generator->compute;
    int32_t *tokens = generator->host_tokens;
    bool forced = false;
    for (size_t i = 0; i < n; i++) {
        struct sequence *sequence = generator->sampled[i];
        const struct ps_generate_thinking *rule = sequence->request.thinking;
        if (!rule) continue;
        int32_t drawn = tokens[i];
        tokens[i] = thought_take(rule, &sequence->thought, drawn, is_end(generator, drawn));
        forced = forced || tokens[i] != drawn;
    }
    if (!forced) return PS_OK;
    compute->memory.upload(generator->stream, generator->tokens, tokens, n * sizeof *tokens);
    compute->sampling.log_probabilities(generator->stream, logits,
                                        generator->options.valid_vocabulary, generator->tokens,
                                        generator->log_probabilities);
    compute->memory.download(generator->stream, generator->host_log_probabilities,
                             generator->log_probabilities, n * sizeof(float));
    return compute->memory.synchronize(generator->stream, error);
}

static void append(const struct ps_generator *generator, struct sequence *sequence, int32_t token,
                   float log_probability) {
    bool as_known =
        sequence->count < sequence->known && sequence->own[1 + sequence->count] == token;
    sequence->log_probabilities[sequence->count] = log_probability;
    sequence->own[1 + sequence->count++] = token;
    if (as_known)
        read_known(sequence);
    else
        sequence->known = sequence->count;
    if (is_end(generator, token))
        sequence->finish = PS_GENERATE_STOP;
    else if (sequence->count == sequence->max_tokens)
        sequence->finish = PS_GENERATE_LENGTH;
}

static enum ps_status sample(struct ps_generator *generator, int64_t count, struct ps_matrix logits,
                             struct ps_error *error) {
    size_t n = (size_t)count;
    draw(generator, n, logits);
    PS_TRY(generator->compute->memory.synchronize(generator->stream, error));
    PS_TRY(apply_bounds(generator, n, logits, error));
    for (size_t i = 0; i < n; i++)
        append(generator, generator->sampled[i], generator->host_tokens[i],
               generator->host_log_probabilities[i]);
    return PS_OK;
}

static enum ps_status hand_over(const struct sequence *sequence, ps_generate_sink *sink,
                                void *context, struct ps_error *error) {
    struct ps_generate_reply reply = {.user = sequence->request.user,
                                      .tokens = sequence->own + 1,
                                      .log_probabilities = sequence->log_probabilities,
                                      .count = sequence->count,
                                      .prompt_count = sequence->prompt->count,
                                      .max_tokens = sequence->max_tokens,
                                      .finish = sequence->finish,
                                      .seconds = ps_seconds() - sequence->started};
    return sink(context, &reply, error);
}

/* Finished sequences leave; the others close ranks. */
static enum ps_status deliver(struct ps_generator *generator, ps_generate_sink *sink, void *context,
                              struct ps_error *error) {
    enum ps_status status = PS_OK;
    int64_t kept = 0;
    for (int64_t i = 0; i < generator->running_count; i++) {
        struct sequence *sequence = generator->running[i];
        if (sequence->finish && status == PS_OK) status = hand_over(sequence, sink, context, error);
        if (!sequence->finish || status != PS_OK) {
            generator->running[kept++] = sequence;
            continue;
        }
        struct prompt *prompt = sequence->prompt;
        free_sequence(generator, sequence);
        if (--prompt->requests == 0) free_prompt(generator, prompt);
    }
    generator->running_count = kept;
    return status;
}

enum ps_status ps_generator_step(struct ps_generator *generator, ps_generate_sink *sink,
                                 void *context, struct ps_error *error) {
    struct schedule schedule;
    struct ps_matrix logits;
    double start = ps_seconds();
    PS_TRY(deliver(generator, sink, context, error)); /* left by a sink that failed */
    PS_TRY(generator_schedule(generator, &schedule, error));
    if (schedule.items == 0) return PS_OK;
    for (int64_t i = 0; i < generator->running_count; i++)
        if (!generator->running[i]->started) generator->running[i]->started = start;
    enum ps_status status = ps_batch_run(generator->batch, generator->stream, generator->items,
                                         schedule.items, &logits, error);
    if (status != PS_OK) {
        generator_undo(generator, &schedule);
        return status;
    }
    if (schedule.sampled > 0)
        PS_TRY(sample(generator, schedule.sampled, logits, error));
    else
        PS_TRY(generator->compute->memory.synchronize(generator->stream, error));
    generator->rates.prefill_tokens += schedule.prefill_rows;
    generator->rates.decode_tokens += schedule.decode_rows;
    generator->rates.steps++;
    generator->rates.seconds += ps_seconds() - start;
    return deliver(generator, sink, context, error);
}

enum ps_status ps_generator_visit(struct ps_generator *generator, ps_generate_sink *visit,
                                  void *context, struct ps_error *error) {
    for (int64_t i = 0; i < generator->running_count; i++)
        PS_TRY(hand_over(generator->running[i], visit, context, error));
    for (struct sequence *s = generator->queue; s; s = s->next)
        if (s->started) PS_TRY(hand_over(s, visit, context, error));
    return PS_OK;
}

struct ps_generate_rates ps_generator_rates(const struct ps_generator *generator) {
    return generator->rates;
}
