#pragma once
/* State of the engine. generator.c owns it, scheduler.c decides what a step runs. */

#include "generate/generate.h"
#include "model/batch.h"

/* A prompt whose requests are not all done. */
struct prompt {
    struct prompt *next;
    int32_t *ids;
    int64_t count;
    struct ps_kv_sequence shared; /* ids[0 .. count-2], as far as they are computed */
    int64_t requests;             /* not yet done; the prompt goes with the last one */
};

/* Where a reply stands under the bounds of its request. */
struct thought {
    enum { THOUGHT_BEFORE, THOUGHT_OPEN, THOUGHT_CLOSED } place;
    int64_t tokens, waits; /* of the thought; so often its end was put off */
    const int32_t *forced; /* tokens still to be forced */
    size_t forced_count;
    bool ending; /* by force */
};

/* The token that follows when the model draws `drawn` (ends: an end token), and the step there. */
int32_t thought_take(const struct ps_generate_thinking *rule, struct thought *thought,
                     int32_t drawn, bool ends);
/* Whether only a draw can tell if `token`, which follows, was forced. */
bool thought_unsure(const struct ps_generate_thinking *rule, struct thought *thought,
                    int32_t token);

/* A request. Its own tokens are the prompt's last one, then the reply; `fed` of them are in its KV
 * sequence. When all are fed, the next one is sampled. */
struct sequence {
    struct sequence *next; /* in the queue */
    struct prompt *prompt;
    struct ps_generate_request request; /* tokens and log_probabilities are not used after submit */
    int32_t *own;                       /* [1 + max_tokens] */
    float *log_probabilities;           /* [max_tokens] */
    int64_t max_tokens, count, fed;     /* count: tokens of the reply */
    int64_t known;                      /* tokens it had at submit; beyond `count` not yet read */
    struct thought thought;             /* after `count` tokens; with request.thinking alone */
    struct ps_kv_sequence kv;
    bool shares;    /* kv begins with the prompt's pages */
    double started; /* 0: never ran */
    enum ps_generate_finish finish;
};

struct ps_generator {
    struct ps_compute *compute;
    struct ps_stream *stream;
    struct ps_model *model;
    const struct ps_model_config *config;
    struct ps_kv_cache *cache;
    struct ps_batch *batch;
    struct ps_generator_options options;
    int64_t pages;

    struct prompt *prompts;
    struct sequence *queue, **queue_end; /* waiting, in order */
    struct sequence **running;           /* [options.sequences], oldest first */
    int64_t running_count, queued_count;

    /* Of one step. */
    struct ps_batch_item *items; /* [sequences + sequences] */
    struct sequence **sampled;   /* whose next token each row of logits is */
    struct ps_sampler *samplers;
    int32_t *tokens, *host_tokens;
    float *log_probabilities, *host_log_probabilities;
    struct ps_generate_rates rates;
};

/* What a step runs. */
struct schedule {
    int64_t items, sampled, rows;
    int64_t prefill_rows, decode_rows;
};

/* Starts waiting sequences, frees pages by preemption when they are short, and fills items and
 * sampled. PS_LIMIT when not even one sequence can go on. */
enum ps_status generator_schedule(struct ps_generator *generator, struct schedule *schedule,
                                  struct ps_error *error);
/* Takes back what generator_schedule has marked as fed: the step did not run. */
void generator_undo(struct ps_generator *generator, const struct schedule *schedule);
