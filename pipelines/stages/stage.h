#pragma once
/* What a stage of a pipeline is: one file of this folder defines one struct ps_stage_kind, and
 * table.c lists it.
 *
 * A stage learns what earlier stages made from their directories (stage->inputs[i]->directory) and
 * fingerprints alone: select keeps its selection in the store under its fingerprint, train writes
 * DIRECTORY/model (and model-best, model-STEP), evaluate writes DIRECTORY/evals.db; what the report
 * should say about a stage lies in DIRECTORY/result.json. A stage whose result depends on what the
 * store has, beside its settings, writes a `hash` of the result there: it becomes part of the
 * fingerprints of the stages that take it, so that they run anew when it has changed.
 *
 * run may be killed at any time and is then called again with the same directory: it goes on from
 * what it finds there. The driver writes the directory's "done" after run returned PS_OK. A run
 * that was asked to stop (base/stop.h) keeps what it has and returns PS_STOPPED. */

#include "base/disk.h"
#include "base/progress.h"
#include "base/settings.h"
#include "base/status.h"
#include "pipelines/driver/pipeline.h"

#include <stdint.h>
#include <stdio.h>

struct ps_metrics;

struct ps_stage_context {
    const struct ps_pipeline *pipeline;
    const struct ps_stage *stage;
    const void *settings;  /* stage->settings: the values struct of the kind's table */
    const char *directory; /* stage->directory; exists when run is called. NULL in check */
    struct ps_dataset_catalog *catalog; /* the pipeline's data sets and the shipped ones */
    uint64_t seed;                      /* the pipeline's */
    int64_t limit;                      /* most prompts and steps of a smoke run; 0: none */
    const char *date;                   /* what templates take for today, YYYY-MM-DD */
    struct ps_progress *progress;       /* begin, update, end; NULL outside run */
    struct ps_metrics *metrics;         /* NULL outside run */
    struct ps_arena *arena;             /* released after the call */
};

struct ps_stage_plan {
    /* In: the directory's "done" is there. Out: whether there is nothing to do. A stage whose
     * results lie in the store looks there instead: the store may have lost or gained traces. */
    bool up_to_date;
    char why[256];  /* what is to do; when it is called, why the directory is not done */
    double seconds; /* estimates; NAN: unknown */
    int64_t memory; /* bytes, most at one time; PS_UNSET_INTEGER: unknown */
    int64_t disk;   /* bytes that will be written */
    int64_t tokens; /* sampled or trained on */
    double money;   /* dollars */
};

/* Adds to `why`, behind what stands there: "runs for the first time; 40 of 40 replies are missing".
 */
void ps_stage_plan_why(struct ps_stage_plan *plan, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Before work begins: PS_FULL when what it will likely write to `path` is more than is free there,
 * a warning when it may come to more. */
enum ps_status ps_stage_check_disk(const char *path, struct ps_disk_need need,
                                   struct ps_error *error);

struct ps_stage_kind {
    const char *name, *help;
    const struct ps_settings_table *settings;
    const char *const *consumes; /* kinds of earlier stages that it needs by default; NULL-closed */
    bool makes_model;            /* its id names a model */

    /* Each may be NULL but run. check: everything that can be known before the first stage runs;
     * it may open models, data sets and files. plan: see above. show: what `potstill check` prints
     * about this stage (rendered prompts, the first training example). */
    enum ps_status (*check)(const struct ps_stage_context *context, struct ps_error *error);
    enum ps_status (*plan)(const struct ps_stage_context *context, struct ps_stage_plan *plan,
                           struct ps_error *error);
    enum ps_status (*show)(const struct ps_stage_context *context, FILE *out,
                           struct ps_error *error);
    enum ps_status (*run)(const struct ps_stage_context *context, struct ps_error *error);
};

extern const struct ps_stage_kind *const ps_stage_kinds[]; /* closed by NULL */
const struct ps_stage_kind *ps_stage_kind_find(const char *name);

/* runs/NAME/metrics.jsonl: one line is {"time": seconds since 1970, "stage": id, "fingerprint": its
 * first 12 digits, "kind": ..., and what the caller writes}. A stage that resumes may write a step
 * again: the last line of a step counts. begin returns the writer inside the object, end appends
 * the line. Outside a pipeline there are none. */
struct ps_json_writer *ps_metrics_begin(struct ps_metrics *metrics, const char *kind);
enum ps_status ps_metrics_end(struct ps_metrics *metrics, struct ps_error *error);

/* The first input of this kind, or NULL. */
const struct ps_stage *ps_stage_input(const struct ps_stage *stage, const char *kind);
