#pragma once
/* What the files of this folder share. */

#include "pipelines/report/report.h"
#include "pipelines/report/results.h"

#include "base/json.h"

/* Embedded at build time: report.css, report.html, and the scripts, one behind the other. */
extern const char ps_report_css[], ps_report_html[], ps_report_js[];
extern const size_t ps_report_css_size, ps_report_html_size, ps_report_js_size;

struct ps_report {
    const char *run_directory;
    const struct ps_report_stage *stages;
    size_t stage_count;
    const char *name;
    struct ps_result *results; /* of all evaluations */
    struct ps_result_pair *pairs;
    size_t result_count, pair_count;
    const char *headline;
    const char **details;
    size_t detail_count;
    /* Texts for the page. */
    struct ps_buffer json, problems, replies, levels;
    struct ps_arena arena;
};

/* Sets headline and details. */
enum ps_status ps_report_headline(struct ps_report *report, struct ps_error *error);

/* Reads every evals.db: `problems` is the index that the page reads at once ({"datasets",
 * "models", "levels", "shortened", "problems": [{"d", "n", "l", "q", "g", "m"}]}), `replies` one
 * JSON line a problem ({"prompts", "replies"}), `levels` a JSON array for report.json. */
enum ps_status ps_report_replies(struct ps_report *report, struct ps_error *error);

/* Members "funnel", "train" and "lineage". */
enum ps_status ps_report_write_funnel(struct ps_report *report, struct ps_json_writer *writer,
                                      struct ps_error *error);
enum ps_status ps_report_write_train(struct ps_report *report, struct ps_json_writer *writer,
                                     struct ps_error *error);
enum ps_status ps_report_write_lineage(struct ps_report *report, struct ps_json_writer *writer,
                                       struct ps_error *error);

/* FOLDER/name as JSON; *value is NULL when there is no such file. */
enum ps_status ps_report_read(struct ps_report *report, const char *folder, const char *name,
                              json_t **value, struct ps_error *error);

/* Puts the page together and writes it. */
enum ps_status ps_report_write_page(const struct ps_report *report, const char *path,
                                    struct ps_error *error);
