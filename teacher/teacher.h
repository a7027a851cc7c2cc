#pragma once
/* The sampling run: prompts in, traces in the store out.
 *
 * A run samples what the store lacks and nothing else: missing sample indexes, replies in flight
 * when an earlier run ended (they go on from what was kept), and traces that were cut by a smaller
 * max_tokens. The random numbers of a reply depend on (seed, prompt, sample index) alone, so that
 * a run that was killed and resumed leaves the same traces as one that was not.
 *
 * What is in flight is kept at least every minute. A reply that cannot be sampled (its prompt does
 * not fit the model) is an attempt in the store with its reason. */

#include "base/disk.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "generate/generate.h"
#include "store/store.h"
#include "text/text.h"

#include <stdint.h>

struct ps_sample_prompt {
    const char *conversation; /* JSON, what the prompt's id hashes */
    const uint32_t *ids;      /* NULL for ps_sample_survey, which needs none */
    size_t count;
    enum ps_thought thought; /* where it leaves the thought */
    int64_t samples;
    const struct ps_store_item *items; /* rows that ask it; their `prompt` is filled in here */
    size_t item_count;
};

/* Bounds on the thought of a reply (struct ps_generate_thinking), with the texts that keep them. */
struct ps_sample_thinking {
    int64_t most;         /* tokens; below 0: no bound */
    int64_t least, waits; /* tokens; so often `wait` puts the end off. 0: never */
    const char *end, *wait;
};
enum { PS_SAMPLE_MOST_THINKING = 1 << 24 };

/* Fills most and least from "none", "512" (at most), "512-" (at least) or "512-2048". */
bool ps_sample_thinking_read(const char *text, struct ps_sample_thinking *thinking);
/* Whether anything is bounded; thinking may be NULL. */
bool ps_sample_thinking_bounds(const struct ps_sample_thinking *thinking);
/* {"most", "end", "least", "waits", "wait"}, those alone that bound something. */
void ps_sample_thinking_write(const struct ps_sample_thinking *thinking,
                              struct ps_json_writer *writer);
/* What the engine needs of it, in the arena. PS_ARGUMENT: the tokenizer has no token <think> or
 * </think>; `end` has not </think> once; `end` or `wait` has another control token, or none at all.
 */
enum ps_status ps_sample_thinking_encode(const struct ps_sample_thinking *thinking,
                                         const struct ps_tokenizer *tokenizer,
                                         struct ps_arena *arena,
                                         struct ps_generate_thinking *bounds,
                                         struct ps_error *error);

/* How replies are sampled. Its JSON form is the store's sampler. */
struct ps_sample_sampler {
    double temperature, top_p, min_p;          /* 0: greedy; 1, 0: off */
    int64_t top_k;                             /* 0: off */
    uint64_t seed;                             /* below 2^53 */
    const struct ps_sample_thinking *thinking; /* NULL: no bounds */
};
/* Appends {"temperature", "top_p", "top_k", "min_p", "seed"}, and "thinking" where it is bounded.
 */
enum ps_status ps_sample_sampler_json(const struct ps_sample_sampler *sampler,
                                      struct ps_buffer *json, struct ps_error *error);

/* Reads that form; the texts lie in the arena. PS_UNSUPPORTED for a setting that is not known here.
 */
enum ps_status ps_sample_sampler_read(const char *json, struct ps_arena *arena,
                                      struct ps_sample_sampler *sampler, struct ps_error *error);

/* Philox key of a reply: 64-bit hash of (seed, prompt, sample index, "sample"). */
uint64_t ps_sample_key(uint64_t seed, const struct ps_hash *prompt, int64_t sample);

/* What is there and what this run did. */
struct ps_sample_report {
    int64_t prompts, replies;   /* distinct prompts; replies asked for in all */
    int64_t done;               /* replies in the store, those from before included */
    int64_t sampled, truncated; /* by this run */
    int64_t failed;             /* attempts of this run */
    int64_t output_tokens;      /* of `sampled` */
    struct ps_generate_rates rates;
    double seconds;
};

struct ps_sample_job {
    struct ps_store *store;          /* open for writing */
    const char *source_name;         /* for people */
    const char *source, *provenance; /* JSON */
    struct ps_sample_sampler sampler;
    const struct ps_sample_prompt *prompts; /* one that occurs twice is sampled once */
    size_t prompt_count;
    int64_t max_tokens;
    struct ps_generator *generator; /* NULL, as provenance, when nothing can be missing */
    int64_t positions;              /* the generator's */
    const struct ps_tokenizer *tokenizer;
    double keep_seconds; /* between two times of keeping what is in flight; 0: 60 */
    void (*progress)(void *context, const struct ps_sample_report *so_far); /* or NULL */
    void *context;
};

/* Fills *report, also on failure. PS_STOPPED: asked to stop (base/stop.h), everything is kept.
 * PS_FULL: the disk is full; what was kept before stays, the same job goes on from there. */
enum ps_status ps_sample_run(const struct ps_sample_job *job, struct ps_sample_report *report,
                             struct ps_error *error);

/* How much of a job a store holds; the store may be open for reading. */
struct ps_sample_survey {
    int64_t prompts, replies, done, cut; /* cut: there, but can be continued with max_tokens */
    struct ps_disk_need disk;            /* of what is missing */
};
enum ps_status ps_sample_survey(struct ps_store *store, const char *source,
                                const struct ps_sample_sampler *sampler,
                                const struct ps_sample_prompt *prompts, size_t prompt_count,
                                int64_t max_tokens, struct ps_sample_survey *survey,
                                struct ps_error *error);

/* Sets survey->disk: replies that are missing, times tokens a reply (likely as many as the store's
 * have, the most max_tokens), times bytes a token, as measured in the store where it has some.
 * stats NULL: there is no store. */
void ps_sample_estimate_disk(struct ps_sample_survey *survey, const struct ps_store_stats *stats,
                             int64_t max_tokens);

/* The traces of these prompts, in the arena: ids[] has one for each reply asked for, the samples of
 * the first prompt, then those of the second ...; 0 where there is none. items[] has the row of
 * each prompt's first item, 0 likewise. */
struct ps_sample_traces {
    int64_t *ids, *items;
    size_t count;            /* of ids */
    int64_t source, sampler; /* rows of the store; 0: it has none */
    int64_t present, truncated, prompt_tokens, output_tokens; /* of those there are */
    int64_t thoughts;                                         /* and that have reasoning */
};
enum ps_status ps_sample_traces(struct ps_store *store, const char *source,
                                const struct ps_sample_sampler *sampler,
                                const struct ps_sample_prompt *prompts, size_t prompt_count,
                                struct ps_arena *arena, struct ps_sample_traces *traces,
                                struct ps_error *error);
