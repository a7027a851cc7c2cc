#pragma once
/* Scores of an evaluation's replies by the verdicts that count in its store at this moment: after
 * sampling, and again for the report, so that a trace that was graded anew, or whose verdict was
 * set by hand, counts as it stands. */

#include "pipelines/report/results.h"
#include "store/store.h"

/* What was replied to the problems of a result: rows of the store. */
struct ps_scores_replies {
    const int64_t *traces; /* `samples` of the first problem, then those of the next; 0: missing */
    const int64_t *items;  /* [problems]: a verdict against its gold is the one that counts */
};

/* Fills results[0 .. count), of which names, problems, samples, max_tokens and the max_tokens of
 * the limits are set; and *pairs, in the arena: each result with each later one of its data set;
 * of a sweep over thinking budgets, two models under the same one, and a model under each with
 * itself under its first. replies is parallel to results.
 *
 * A reply of more than max_tokens counts as cut there, and so does one at each limit: the tokens
 * before a limit are the same whatever the limit (docs/numerics.md), and a reply that was cut is
 * `truncated` whatever it contains. Answers vote by ps_grade_groups of what was extracted; a reply
 * that was cut or has no answer does not vote.
 *
 * PS_ARGUMENT names the first reply that is missing or not graded: no score is made of fewer
 * samples than it claims. */
enum ps_status ps_scores_compute(struct ps_store *store, struct ps_result *results,
                                 const struct ps_scores_replies *replies, size_t count,
                                 struct ps_arena *arena, struct ps_result_pair **pairs,
                                 size_t *pair_count, struct ps_error *error);

/* The votes on one problem, each [samples]. */
struct ps_scores_ballot {
    struct ps_grade_text *answers; /* what was extracted; absent: does not vote */
    int32_t *group;                /* room */
    uint8_t *correct;
};

/* Sets the problem's majority and tied. */
enum ps_status ps_scores_vote(const struct ps_scores_ballot *ballot, size_t count,
                              struct ps_result_problem *problem, struct ps_error *error);

/* The results of a result.json that has "traces" and "items", scored anew from the store beside it;
 * *count 0 when it has none. Names and *replies lie in the arena. */
enum ps_status ps_scores_again(const json_t *result, struct ps_store *store, struct ps_arena *arena,
                               struct ps_result **results, size_t *count,
                               struct ps_result_pair **pairs, size_t *pair_count,
                               const struct ps_scores_replies **replies, struct ps_error *error);
