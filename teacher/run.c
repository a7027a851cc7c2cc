#include "teacher/teacher.h"

#include "base/progress.h"
#include "base/stop.h"
#include "teacher/run_internal.h"

enum { KEEP_SECONDS = 60, TEXT_LIMIT = PS_STORE_BODY_LIMIT };

static void tell(struct run *run) {
    if (run->job->generator) run->report->rates = ps_generator_rates(run->job->generator);
    run->report->seconds = ps_seconds() - run->started;
    if (run->job->progress) run->job->progress(run->job->context, run->report);
}

static enum ps_status sample_all(struct run *run, struct ps_error *error) {
    const struct ps_sample_job *job = run->job;
    double interval = job->keep_seconds > 0 ? job->keep_seconds : KEEP_SECONDS;
    while (run->report->done < run->report->replies) {
        PS_TRY(ps_stop_check(error));
        PS_TRY(run_fill(run, error));
        if (ps_generator_pending(job->generator) == 0) break;
        PS_TRY(ps_generator_step(job->generator, run_finish, run, error));
        PS_TRY(ps_store_flush_due(job->store, error));
        if (ps_seconds() - run->kept >= interval) PS_TRY(run_keep(run, error));
        tell(run);
    }
    return ps_store_flush(job->store, error);
}

/* After PS_STOPPED what is in flight is kept; after a failure as well, as far as that works. */
static enum ps_status keep_rest(struct run *run, enum ps_status status, struct ps_error *error) {
    struct ps_error own = {0};
    enum ps_status kept = run_keep(run, &own);
    if (kept == PS_OK || status != PS_STOPPED) return status;
    if (error) *error = own;
    return kept;
}

enum ps_status ps_sample_run(const struct ps_sample_job *job, struct ps_sample_report *report,
                             struct ps_error *error) {
    struct run run = {.job = job, .report = report, .started = ps_seconds()};
    *report = (struct ps_sample_report){0};
    run.kept = run.started;
    ps_arena_init(&run.arena, SIZE_MAX / 2);
    ps_buffer_init(&run.text, TEXT_LIMIT);
    enum ps_status status = run_prepare(&run, error);
    bool missing = report->done < report->replies;
    if (status == PS_OK && missing && !job->generator)
        status = ps_error_set(error, PS_INTERNAL, "replies are missing and no model is loaded");
    if (status == PS_OK && missing) {
        tell(&run);
        status = sample_all(&run, error);
        if (status != PS_OK) status = keep_rest(&run, status, error);
        tell(&run);
    }
    while (run.flights) flight_free(run.flights);
    ps_buffer_release(&run.text);
    ps_arena_release(&run.arena);
    return status;
}
