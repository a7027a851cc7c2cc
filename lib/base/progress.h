#pragma once
/* A progress line on stderr: "train  120/400 steps  3.1/s  1m30s left  loss 0.731". It redraws at
 * most four times a second on a terminal; elsewhere a line is printed every 15 seconds. All
 * functions accept NULL and then do nothing. One thread at a time. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct ps_progress {
    FILE *file; /* stderr; NULL: silent */
    bool terminal;
    const char *name, *unit;
    uint64_t done, total, first; /* total 0: unknown; first: done before this run began */
    double started, drawn;       /* seconds of the monotonic clock */
    double interval;             /* seconds between two lines */
    char text[160];              /* what matters for the stage */
    bool active;
    /* Set by whoever hands the progress to others, before begin, which keeps it: called with each
     * update, at most once a second, and at begin and end. */
    void (*observe)(void *context, const struct ps_progress *progress);
    void *observer;
    double observed;
};

/* *progress is zero or was used before. name ("train") and unit ("steps") are borrowed until
 * ps_progress_end. done: what an earlier run had finished, which does not count for the rate. */
void ps_progress_begin(struct ps_progress *progress, const char *name, const char *unit,
                       uint64_t done, uint64_t total);
void ps_progress_total(struct ps_progress *progress, uint64_t total);
/* Sets what is done and the text, and redraws when it is time. text NULL keeps the last one. */
void ps_progress_update(struct ps_progress *progress, uint64_t done, const char *text, ...)
    __attribute__((format(printf, 3, 4)));
/* The last line stays, with the time it took. */
void ps_progress_end(struct ps_progress *progress);

/* "1d02h", "2h05m", "1m30s", "12s". */
const char *ps_progress_duration(double seconds, char text[24]);

/* Seconds of the monotonic clock. */
double ps_seconds(void);
