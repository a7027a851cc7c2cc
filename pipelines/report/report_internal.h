#pragma once
/* What the files of this folder share. */

#include "pipelines/report/report.h"
#include "pipelines/report/scores.h"

#include "base/json.h"

/* Embedded at build time: the styles, report.html and the scripts, each one behind the other. */
extern const char ps_report_css[], ps_report_html[], ps_report_js[];
extern const size_t ps_report_css_size, ps_report_html_size, ps_report_js_size;

/* One evaluation of one run: its results, and the replies that they were made of. */
struct ps_report_evaluation {
    size_t run;
    const char *place; /* in messages: its folder or file */
    struct ps_result *results;
    size_t result_count;
    struct ps_result_pair *pairs;
    size_t pair_count;
    struct ps_store *store;                  /* NULL: there are no replies */
    const struct ps_scores_replies *replies; /* parallel to results; NULL without a store */
};

/* What a reader of a number must know. a, b: the pair it is about, or NULL. */
struct ps_report_note {
    const char *dataset, *text, *a, *b;
};

struct ps_report {
    const struct ps_report_run *runs;
    size_t run_count;
    const char **names; /* [run_count] */
    const char *name;   /* of the whole */
    struct ps_report_evaluation *evaluations;
    size_t evaluation_count;
    struct ps_result *results; /* of all evaluations, in their order */
    struct ps_result_pair *pairs;
    size_t result_count, pair_count;
    struct ps_report_note *notes;
    size_t note_count, note_capacity;
    const char *headline;
    const char **details;
    size_t detail_count;
    /* Texts for the page: report.json, the index of problems, one line a problem. */
    struct ps_buffer json, problems, replies;
    struct ps_arena arena;
};

/* FOLDER/name as JSON; *value is NULL when there is no such file. */
enum ps_status ps_report_read(struct ps_report *report, const char *folder, const char *name,
                              json_t **value, struct ps_error *error);

/* Copies nothing; text is NULL when the arena was full. */
enum ps_status ps_report_note(struct ps_report *report, struct ps_report_note note,
                              struct ps_error *error);

/* Reads all evaluations of all runs: evaluations, results, pairs and names. The stores stay open
 * until ps_report_close. */
enum ps_status ps_report_gather(struct ps_report *report, struct ps_error *error);
void ps_report_close(struct ps_report *report);

/* The models and data sets of a store of replies, with the replies of each; scored and compared. */
enum ps_status ps_report_bare(struct ps_report *report, struct ps_report_evaluation *evaluation,
                              struct ps_error *error);

/* Sets headline and details. */
enum ps_status ps_report_headline(struct ps_report *report, struct ps_error *error);

/* Members "funnel", "train", "costs" and "lineage" of a run. */
enum ps_status ps_report_write_funnel(struct ps_report *report, const struct ps_report_run *run,
                                      struct ps_json_writer *writer, struct ps_error *error);
enum ps_status ps_report_write_train(struct ps_report *report, const struct ps_report_run *run,
                                     struct ps_json_writer *writer, struct ps_error *error);
enum ps_status ps_report_write_costs(struct ps_report *report, const struct ps_report_run *run,
                                     struct ps_json_writer *writer, struct ps_error *error);
enum ps_status ps_report_write_lineage(struct ps_report *report, const struct ps_report_run *run,
                                       struct ps_json_writer *writer, struct ps_error *error);

/* Puts the page together and writes it. */
enum ps_status ps_report_write_page(const struct ps_report *report, const char *path,
                                    struct ps_error *error);
