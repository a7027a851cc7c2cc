#pragma once
/* Replay: traces of a local teacher are generated again and compared to the bit.
 *
 * What a trace depends on is in the store: the conversation, the sampler, the sample's index, and
 * hashes of weights, tokenizer and template. A row's bits depend on nothing else
 * (docs/numerics.md), so it does not matter how the traces are batched now or were then. A trace
 * that was cut is generated up to where it was cut. */

#include "store/store.h"
#include "teacher/local.h"

enum ps_replay_outcome {
    PS_REPLAY_PENDING, /* not come to: stopped, or failed */
    PS_REPLAY_EQUAL,
    PS_REPLAY_PROMPT,     /* the prompt has another number of tokens: nothing was generated */
    PS_REPLAY_TOKEN,      /* the first difference is a token, at `position` */
    PS_REPLAY_LOGPROB,    /* the first difference is a log-probability's 16-bit code */
    PS_REPLAY_UNREADABLE, /* the store cannot read the trace, as `why` says */
    PS_REPLAY_IMPOSSIBLE, /* it cannot be generated: no token ids, no template, as `why` says */
};

struct ps_replay_value {
    int64_t tokens; /* of the prompt, for PS_REPLAY_PROMPT */
    int32_t id;
    float logprob; /* NAN: not known */
};

struct ps_replay_trace {
    int64_t id; /* of the trace; all else is filled */
    enum ps_replay_outcome outcome;
    int64_t position, count;            /* of tokens: the place from 0, and how many it has */
    struct ps_replay_value was, now;    /* in the store, and generated */
    bool forged_prompt, forged_sampler; /* the hash does not fit the text: it was changed */
    char why[256];
};

struct ps_replay_job {
    struct ps_store *store;
    struct ps_local *local;          /* opened, not started: it is started here */
    const char *folder;              /* its */
    struct ps_local_options options; /* positions are set here */
    /* Templates that prompts chose by their file's hash; the model's own is looked at too. */
    const char *const *templates;
    size_t template_count;
    void (*progress)(void *context, size_t done); /* or NULL */
    void *context;
};

/* Fills traces[0 .. count), all of one source; those of one prompt best stand together. PS_STOPPED:
 * what was compared by then is filled. */
enum ps_status ps_replay_run(const struct ps_replay_job *job, struct ps_replay_trace *traces,
                             size_t count, struct ps_error *error);
