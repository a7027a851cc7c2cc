#pragma once
/* Log-probabilities that a model gives to a text of its own tokens. */

#include "model/batch.h"

struct ps_scorer;

enum { PS_SCORE_MOST = 256 }; /* alternatives of a position */

/* Scores sequences of up to model->positions tokens on a stream of ps_score_limits. */
struct ps_compute_limits ps_score_limits(const struct ps_model_config *config, int64_t positions);
enum ps_status ps_scorer_create(struct ps_scorer **scorer, const struct ps_model *model,
                                struct ps_error *error);
void ps_scorer_release(struct ps_scorer *scorer); /* NULL is fine */

/* log_probabilities [count]: of ids[i] after ids[0 .. i-1], by softmax over the whole vocabulary;
 * [0] is not written. top_ids and top_log_probabilities [count, most]: the `most` best tokens at
 * each position, in descending order; row 0 is not written; unused with most 0. All host memory.
 * PS_ARGUMENT for ids the model has not got, too long a text, or most > PS_SCORE_MOST. */
enum ps_status ps_score(struct ps_scorer *scorer, struct ps_stream *stream, const int32_t *ids,
                        int64_t count, int64_t most, float *log_probabilities, int32_t *top_ids,
                        float *top_log_probabilities, struct ps_error *error);
