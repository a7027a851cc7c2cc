#pragma once
/* The report of a run: one HTML file that loads nothing from anywhere, the same numbers as JSON,
 * and a table for the terminal.
 *
 * It is made from what the stages left behind: their result.json and stage.json, the replies in
 * evals.db, runs/NAME/metrics.jsonl, run.json and pipeline.resolved.yaml. What is missing is left
 * out of the report; only a file that is there and damaged is an error.
 *
 * report.json: {"potstill", "generated", "name", "headline": {"text", "details"}, "results",
 * "pairs" (pipelines/report/results.h), "levels": [{"model", "dataset", "level", "problems",
 * "samples", "pass_at_1", "low", "high"}], "funnel": [{"stage", "kind", "inputs", "label", "count",
 * "parts": [{"name", "kind", "count"}], "note"}], "train": [{"stage", "result", "points": [[step,
 * loss, lr, gradient_norm]], "validation": [[step, loss]], "tokens_per_second"}], "lineage":
 * {"run", "store", "stages", "pipeline"}}. Rates are fractions. */

#include "base/memory.h"
#include "base/status.h"

#include <stddef.h>

struct ps_report_stage {
    const char *id, *kind, *fingerprint, *directory;
};

/* The stages of runs/NAME that are done, in the order of run.json; in the arena. */
enum ps_status ps_report_stages(const char *run_directory, struct ps_arena *arena,
                                struct ps_report_stage **stages, size_t *count,
                                struct ps_error *error);

/* Writes FOLDER/report.html and FOLDER/report.json, each whole or not at all, and appends the
 * tables for a terminal to `table` (may be NULL). */
enum ps_status ps_report_write(const char *run_directory, const struct ps_report_stage *stages,
                               size_t count, const char *folder, struct ps_buffer *table,
                               struct ps_error *error);
