#pragma once
/* Replies of all evaluations in one list, for the files that make the table of problems. */

#include "pipelines/report/report_internal.h"

#include "store/store.h"

/* (data set, split) as items have it, and the name that results give it. */
struct ps_report_set {
    const char *dataset, *split, *label;
};

struct ps_reply_entry {
    struct ps_store *store; /* the evals.db it lies in */
    int64_t trace, prompt, sample, row, tokens;
    uint32_t model, set; /* indices of struct ps_replies */
    int level;           /* 0: none */
    char verdict;        /* a letter, see ps_verdict_letter */
    bool cut;
    const char *gold, *extracted;
};

struct ps_replies {
    struct ps_reply_entry *items; /* sorted by set, row, model, sample */
    size_t count, capacity;
    const char **models;
    struct ps_report_set *sets;
    size_t model_count, set_count;
    bool levels;
};

/* 'c' correct, 'w' wrong, 'a' no_answer, 't' truncated, 'g' gold_unreadable, 'u' undecided, 'n'
 * no_gold, '-' not graded. */
char ps_verdict_letter(const char *verdict);

/* [first, end) of items is one problem. */
size_t ps_replies_problem_end(const struct ps_replies *replies, size_t first);

/* The place to cut UTF-8 text at, or before `at`, so that no character is cut in two. */
size_t ps_reply_cut(const char *text, size_t at);

/* Appends the line of one problem to `lines`: {"prompts": [...], "replies": [{"m": model, "s":
 * sample, "n": further samples, "p": prompt, "v", "f", "t": tokens, "x": extracted, "u": rule, "w":
 * reason, "r": reasoning, "c": [content] or [before, answer, after]}]}. Texts over `limit` bytes
 * are shortened in the middle and counted. *question gets the last user message, in the arena. */
enum ps_status ps_reply_write_problem(const struct ps_reply_entry *items, size_t count,
                                      size_t limit, struct ps_buffer *lines, size_t *shortened,
                                      struct ps_arena *arena, const char **question,
                                      struct ps_error *error);

/* Accuracy of each (model, set, level) as a JSON array. */
enum ps_status ps_replies_write_levels(const struct ps_replies *replies, struct ps_buffer *text,
                                       struct ps_error *error);
