#pragma once
/* Replies of all evaluations in one list, for the files that make the table of problems and what
 * is counted from it. Only replies that a result is made of are there. */

#include "pipelines/report/report_internal.h"

struct ps_reply_entry {
    struct ps_store *store; /* the evals.db it lies in */
    int64_t trace, prompt, sampler, sample, tokens;
    int64_t item, row;
    uint32_t set, model; /* indices of struct ps_replies */
    uint32_t origin;     /* the (data set, split) that the row is of */
    char verdict;        /* a letter, see ps_verdict_letter; 't' also beyond max_tokens */
    bool cut;            /* by the limit it was sampled with */
    const char *gold, *extracted, *level, *subject; /* each may be NULL */
    const char *grader;                             /* name and version; NULL: not known */
    struct ps_hash prompt_hash;
};

struct ps_replies {
    struct ps_reply_entry *items; /* sorted by set, origin, row, model, sample */
    size_t count, capacity;
    const char **models, **sets, **origins;
    size_t model_count, set_count, origin_count;
    bool levels, subjects;
};

/* 'c' correct, 'w' wrong, 'a' no_answer, 't' truncated, 'g' gold_unreadable, 'u' undecided, 'n'
 * no_gold. */
char ps_verdict_letter(enum ps_verdict verdict);

/* All replies that the results were made of. The caller frees items. */
enum ps_status ps_replies_read(struct ps_report *report, struct ps_replies *replies,
                               struct ps_error *error);

/* The order of entries up to, but not with, the model: 0 for the same problem. */
int ps_replies_compare_problem(const struct ps_reply_entry *a, const struct ps_reply_entry *b);

/* [first, end) of items is one problem. */
size_t ps_replies_problem_end(const struct ps_replies *replies, size_t first);

/* Writes report->problems ({"datasets", "models", "levels", "subjects", "shortened", "problems":
 * [{"d", "n", "l", "s", "q", "g", "m"}]}) and report->replies (a line a problem, compressed). */
enum ps_status ps_replies_write(struct ps_report *report, const struct ps_replies *replies,
                                struct ps_error *error);

/* The place to cut UTF-8 text at, or before `at`, so that no character is cut in two. */
size_t ps_reply_cut(const char *text, size_t at);

/* Appends the JSON of one problem to `text`: {"prompts": [...], "replies": [{"m": model, "s":
 * sample, "n": further samples, "p": prompt, "v", "f", "t": tokens, "x": extracted, "u": rule, "w":
 * reason, "r": reasoning, "c": [content] or [before, answer, after]}]}. Texts over `limit` bytes
 * are shortened in the middle and counted. *question gets the last user message, in the arena. */
enum ps_status ps_reply_write_problem(const struct ps_reply_entry *items, size_t count,
                                      size_t limit, struct ps_buffer *text, size_t *shortened,
                                      struct ps_arena *arena, const char **question,
                                      struct ps_error *error);

/* ---- one problem of one model ---- */

struct ps_scored {
    const struct ps_reply_entry *first; /* the first of its replies */
    struct ps_result_problem problem;
};

/* One for each (problem, model), in the order of the replies; *scored is the caller's to free. */
enum ps_status ps_replies_score(const struct ps_replies *replies, struct ps_scored **scored,
                                size_t *count, struct ps_error *error);

/* Pairs between runs, with the notes on what is not the same for both. */
enum ps_status ps_report_compare(struct ps_report *report, const struct ps_replies *replies,
                                 const struct ps_scored *scored, size_t count,
                                 struct ps_error *error);

/* Members "groups", "lengths" and "gains". */
enum ps_status ps_report_write_groups(const struct ps_replies *replies,
                                      const struct ps_scored *scored, size_t count,
                                      struct ps_json_writer *writer, struct ps_error *error);
enum ps_status ps_report_write_lengths(const struct ps_replies *replies,
                                       struct ps_json_writer *writer, struct ps_error *error);
enum ps_status ps_report_write_gains(const struct ps_report *report,
                                     const struct ps_replies *replies,
                                     const struct ps_scored *scored, size_t count,
                                     struct ps_json_writer *writer, struct ps_error *error);
