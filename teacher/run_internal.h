#pragma once
/* State of a sampling run: run.c is its loop, work.c what it has to do, replies.c what it keeps. */

#include "teacher/teacher.h"

#include <stdbool.h>

/* A prompt, once. */
struct entry {
    const struct ps_sample_prompt *prompt;
    struct ps_hash hash;
    int64_t row, samples; /* row of the store; samples 0: another entry has the same prompt */
};

/* A reply in flight; belongs to the engine's request. */
struct flight {
    const struct entry *entry;
    struct flight *next, **link;
    int64_t sample;
    int64_t kept; /* tokens of it in the store's partial */
};

struct run {
    const struct ps_sample_job *job;
    struct ps_sample_report *report;
    struct ps_arena arena;                /* entries, partials, the texts of `thinking` */
    struct ps_generate_thinking thinking; /* with bounded */
    bool bounded;
    int64_t source, sampler, provenance;
    struct entry *entries; /* parallel to the job's prompts */
    struct ps_store_partial *partials;
    size_t partial_count;
    uint8_t *states; /* of the entry at `next` */
    size_t next;     /* entry to submit from */
    int64_t sample;  /* and its sample */
    struct flight *flights;
    struct ps_buffer text; /* of the reply at hand */
    double started, kept;  /* seconds of the monotonic clock */
};

/* ---- work.c ---- */

/* Puts identities, prompts and items, reads partials, counts what there is. */
enum ps_status run_prepare(struct run *run, struct ps_error *error);
/* Submits until the engine is full or nothing is left. */
enum ps_status run_fill(struct run *run, struct ps_error *error);

/* ---- replies.c ---- */

/* Sink of finished replies. */
enum ps_status run_finish(void *context, const struct ps_generate_reply *reply,
                          struct ps_error *error);
/* Keeps all that is in flight, and flushes. */
enum ps_status run_keep(struct run *run, struct ps_error *error);
enum ps_status run_fail(struct run *run, const struct entry *entry, int64_t sample,
                        const char *reason, const char *detail, struct ps_error *error);
void flight_free(struct flight *flight);
