#pragma once
/* What is done with a pipeline: checked, planned, run, looked at. */

#include "pipelines/driver/pipeline.h"
#include "pipelines/stages/stage.h"

#include <stdio.h>

/* Every stage's own check (its models, data sets, files), before anything runs. out: NULL, or where
 * the stages show their prompts and examples. */
enum ps_status ps_pipeline_check(struct ps_pipeline *pipeline, FILE *out, struct ps_error *error);

/* plans: one for each stage, in their order. Needs fingerprints. */
enum ps_status ps_pipeline_plan(struct ps_pipeline *pipeline, struct ps_stage_plan *plans,
                                struct ps_error *error);

struct ps_run_options {
    const char *from; /* the first stage to look at; NULL: the first of all */
    const char *only; /* the only one; NULL: all */
};

/* Fingerprints, checks every stage, then runs in order what is not up to date. What --from or
 * --only leave out must be done already. PS_BUSY when another process runs this pipeline.
 * PS_STOPPED: everything is kept, the same command goes on. */
enum ps_status ps_pipeline_run(struct ps_pipeline *pipeline, const struct ps_run_options *options,
                               struct ps_error *error);

/* How far a run is, from its directory alone (runs/NAME); another process may be running it. */
enum ps_status ps_run_status(const char *run_directory, bool json, FILE *out,
                             struct ps_error *error);
