#pragma once
/* The local engine: tokens in, tokens out, for many sequences at one time.
 *
 * Continuous batching: each step runs one forward pass over whatever there is to do: the next
 * token of every sequence that decodes, and pieces of prompts and of resumed replies in the rows
 * that are left. New sequences join while others decode. The requests of one prompt share the KV
 * pages of all its tokens but the last; that one is each request's own first row.
 *
 * The bits of a reply depend on the weights, the prompt, the request's sampling and its key alone
 * (docs/numerics.md): not on what else is in the batch, nor on whether it was interrupted. When KV
 * pages run out, the youngest sequence gives its pages back and is computed anew later, to the
 * same bits.
 *
 * One thread at a time. */

#include "base/status.h"
#include "compute/compute.h"
#include "model/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ps_generator;

struct ps_generator_options {
    enum ps_weight_format format;
    int64_t sequences;        /* most that run at one time */
    int64_t rows;             /* most tokens of a forward pass; at least `sequences` */
    int64_t positions;        /* longest prompt and reply together */
    int64_t cache_bytes;      /* for KV pages; 0: as many as `sequences` full ones need */
    int64_t valid_vocabulary; /* ids from here on are never sampled; 0: all are valid */
};

/* files are read during the call only; config must outlive the generator. end ids are config's. */
enum ps_status ps_generator_open(struct ps_compute *compute, const struct ps_model_files *files,
                                 const struct ps_generator_options *options,
                                 struct ps_generator **generator, struct ps_error *error);
void ps_generator_close(struct ps_generator *generator); /* NULL is fine */

/* ---- requests ---- */

/* How one reply is sampled. Token i is drawn with the uniform number at (key, i). */
struct ps_generate_sampling {
    float temperature, top_p, min_p; /* 0: greedy; 1, 0: off */
    int32_t top_k;                   /* 0: off */
};

/* Bounds on the thought of a reply, the tokens between <think> and </think> (thinking.c). They
 * count the texts of `wait`, and what stands in `end` before </think> comes on top. */
struct ps_generate_thinking {
    int32_t open, close; /* ids of <think> and </think> */
    int64_t most;        /* after so many tokens `end` is forced; below 0: never */
    int64_t least;       /* an end before so many gives way to `wait` ... */
    int64_t waits;       /* ... up to so many times; 0: never */
    const int32_t *end, *wait;
    size_t end_count, wait_count; /* `end` has `close`; `wait` is not empty unless waits is 0 */
};

struct ps_generate_request {
    struct ps_generate_sampling sampling;
    uint64_t key;
    int64_t max_tokens; /* of the reply, the end token included; cut to what `positions` leaves */
    /* What there is of the reply already (a resumed or a cut one), copied; NULL, 0: nothing. */
    const int32_t *tokens;
    const float *log_probabilities;
    int64_t count;
    const struct ps_generate_thinking *thinking; /* NULL: no bounds; outlives the request */
    bool thinks;                                 /* the prompt ends within the thought */
    void *user;                                  /* comes back with the reply */
};

/* Queues `count` requests for one prompt; ids are copied. PS_ARGUMENT when the prompt leaves no
 * room for a reply; PS_LIMIT when the KV cache cannot hold even one alone. */
enum ps_status ps_generator_submit(struct ps_generator *generator, const int32_t *prompt,
                                   int64_t prompt_count, const struct ps_generate_request *requests,
                                   size_t count, struct ps_error *error);

/* Requests that are queued or run. */
int64_t ps_generator_pending(const struct ps_generator *generator);
/* Requests that can be submitted now and would start at once. */
int64_t ps_generator_room(const struct ps_generator *generator);

/* ---- running ---- */

enum ps_generate_finish {
    PS_GENERATE_RUNNING, /* in ps_generator_visit alone */
    PS_GENERATE_STOP,    /* the last token is an end id */
    PS_GENERATE_LENGTH
};

/* A reply, good during the call that hands it over. */
struct ps_generate_reply {
    void *user;
    const int32_t *tokens;
    const float *log_probabilities; /* under the model's own softmax, of forced ones too */
    int64_t count, prompt_count, max_tokens;
    enum ps_generate_finish finish;
    double seconds; /* since it first ran */
};
typedef enum ps_status ps_generate_sink(void *context, const struct ps_generate_reply *reply,
                                        struct ps_error *error);

/* One forward pass; hands over what it finished. Nothing pending: does nothing. After a failure of
 * the sink the other replies of that step stay pending and are handed over by the next one.
 * PS_STOPPED: asked to stop (base/stop.h) in the middle of the pass, which is as if never begun;
 * ps_generator_visit has everything from before it. */
enum ps_status ps_generator_step(struct ps_generator *generator, ps_generate_sink *sink,
                                 void *context, struct ps_error *error);

/* Hands over what every running request has so far, to be kept. */
enum ps_status ps_generator_visit(struct ps_generator *generator, ps_generate_sink *visit,
                                  void *context, struct ps_error *error);

struct ps_generate_rates {
    int64_t prefill_tokens, decode_tokens, steps, preempted;
    double seconds; /* in steps */
};
struct ps_generate_rates ps_generator_rates(const struct ps_generator *generator);
