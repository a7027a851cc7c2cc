#pragma once
/* Grades traces of a store, for the stages grade and evaluate and the command grade.
 *
 * A trace is graded when it has a verdict by the present grader against the present gold of each
 * item that asks its prompt: two data sets may share a prompt and differ in its gold. The grader is
 * the data set's profile and the version of lib/grade ("gsm8k 1"), so that a new version, another
 * profile or a corrected gold each make it ungraded again. Verdicts are added, never replaced. */

#include "base/json.h"
#include "base/progress.h"
#include "datasets/datasets.h"
#include "grade/grade.h"
#include "pipelines/driver/pipeline.h"
#include "store/store.h"

struct ps_grading {
    struct ps_store *store;
    struct ps_dataset_catalog *catalog; /* knows each data set's profile */
    const struct ps_pipeline *pipeline; /* whose own data sets go first; may be NULL */
    const char *profile;                /* for all traces; NULL: each data set's own */
    struct ps_store_filter filter;      /* which traces; leave per, ungraded and limit unset */
    struct ps_progress *progress;       /* begun, updated and ended; may be NULL */
    /* Called, where it is set, for each trace whose verdict is another one than before. */
    enum ps_status (*changed)(void *context, int64_t trace, enum ps_verdict before,
                              const struct ps_grade *after, struct ps_error *error);
    void *context;
};

enum { PS_GRADING_NEW = PS_VERDICT_COUNT }; /* no verdict before */

struct ps_grading_counts {
    int64_t graded; /* pairs of a trace and a gold */
    /* changes[before][after]; `before`: what counted against that gold, or PS_GRADING_NEW. */
    int64_t changes[PS_VERDICT_COUNT + 1][PS_VERDICT_COUNT];
};

/* Grades what is ungraded. Many threads grade, the calling one reads and writes. PS_STOPPED keeps
 * what is done. Adds to counts, which begins as zeros. */
enum ps_status ps_grade_traces(const struct ps_grading *grading, struct ps_grading_counts *counts,
                               struct ps_error *error);

/* How many pairs of a trace and a gold it would grade. */
enum ps_status ps_grade_traces_pending(const struct ps_grading *grading, int64_t *traces,
                                       struct ps_error *error);

/* "graded": n, "changes": [{"from", "to", "traces"}] of those that had another verdict before. */
void ps_grading_write(const struct ps_grading_counts *counts, struct ps_json_writer *writer);
/* The same changes for people, a line each on standard output. */
void ps_grading_print_changes(const struct ps_grading_counts *counts);
