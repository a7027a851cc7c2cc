#pragma once
/* The report of a run, or of several side by side: one HTML file that loads nothing from anywhere,
 * the same numbers as JSON, and a table for the terminal. docs/report.md says how to read them.
 *
 * It is made from what the stages left behind: their result.json and stage.json, the replies in
 * evals.db, runs/NAME/metrics.jsonl, run.json and pipeline.resolved.yaml. What is missing is left
 * out of the report; only a file that is there and damaged is an error. A store of replies alone
 * (what `potstill evaluate` made) is a run without stages.
 *
 * report.json, in which rates are fractions:
 *
 *     potstill, generated, name, headline: {text, details}
 *     results, pairs      pipelines/report/results.h; of several runs the model is "RUN:MODEL", and
 *                         the pairs are between runs
 *     notes: [{dataset, text, a, b}]    what a reader of a number must know; a, b: of which pair
 *     groups: [{by: "level" | "subject", value, model, dataset, problems, samples, pass_at_1, low,
 *         high}]
 *     lengths: [{model, dataset, edges: [tokens], correct: [replies], wrong, truncated,
 *         median_correct, median_wrong}]
 *     gains: [{dataset, by, student, base, bins: [{low, high, problems, student_rate, base_rate,
 *         difference, difference_low, difference_high}]}]
 *     runs: [{name, path, funnel: [{stage, kind, inputs, label, count, parts: [{name, kind,
 *         count}], note}], train: [{stage, result, points: [[step, loss, lr, gradient_norm]],
 *         validation: [[step, loss]], tokens_per_second}], costs: [{stage, kind, seconds,
 *         prompt_tokens, output_tokens, tokens_per_second, money}], lineage: {run, store, stages,
 *         pipeline}}] */

#include "base/memory.h"
#include "base/status.h"

#include <stddef.h>

struct ps_report_stage {
    const char *id, *kind, *fingerprint, *directory;
};

/* A run's folder with those of its stages that are done; or a store of replies, without stages. */
struct ps_report_run {
    const char *path, *store; /* one of them is NULL */
    const struct ps_report_stage *stages;
    size_t stage_count;
};

/* What there is at `path`: runs/NAME, with its stages in the order of run.json, or a file. In the
 * arena. PS_NOT_FOUND: neither. */
enum ps_status ps_report_find(const char *path, struct ps_arena *arena, struct ps_report_run *run,
                              struct ps_error *error);

/* Writes FOLDER/report.html and FOLDER/report.json, each whole or not at all, and appends the
 * tables for a terminal to `table` (may be NULL). Several runs are compared on the problems they
 * share; PS_ARGUMENT when they share no data set. */
enum ps_status ps_report_write(const struct ps_report_run *runs, size_t count, const char *folder,
                               struct ps_buffer *table, struct ps_error *error);
