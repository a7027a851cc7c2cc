/* Sampling, and log-probabilities of logits: docs/numerics.md, "Vocabulary".
 *
 * Candidates come in descending order of logit from a heap in scratch memory, so that nothing is
 * allocated and a draw from few candidates does not sort all. */

#include "compute/reference/vocabulary_internal.h"

struct candidate {
    float logit;
    int32_t id;
};

static bool before(struct candidate a, struct candidate b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static void sift_down(struct candidate *heap, int64_t n, int64_t at) {
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= n) return;
        if (child + 1 < n && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], heap[at])) return;
        struct candidate kept = heap[at];
        heap[at] = heap[child];
        heap[child] = kept;
        at = child;
    }
}

static void make_heap(struct candidate *heap, const float *logits, int64_t n) {
    for (int64_t i = 0; i < n; i++) heap[i] = (struct candidate){logits[i], (int32_t)i};
    for (int64_t i = n / 2 - 1; i >= 0; i--) sift_down(heap, n, i);
}

static struct candidate take(struct candidate *heap, int64_t *n) {
    struct candidate first = heap[0];
    heap[0] = heap[--*n];
    sift_down(heap, *n, 0);
    return first;
}

/* A row of logits without the padding of the matrix, and what its softmax needs. */
struct row {
    const float *logits;
    float max, log_sum;
};

static struct row get_row(struct ps_stream *stream, struct ps_matrix logits, int64_t valid,
                          int64_t t) {
    struct row row = {.logits = (float *)logits.data + t * logits.stride};
    assert(logits.dtype == PS_DTYPE_F32 && valid > 0 && valid <= logits.columns);
    row.max = ps_row_max(row.logits, valid);
    row.log_sum = ps_log_sum(row.logits, valid, row.max);
    ps_reference_report_bad(stream, !isfinite(row.log_sum), "logits");
    return row;
}

static float log_probability(const struct row *row, int64_t id) {
    return (row->logits[id] - row->max) - row->log_sum;
}

static int32_t choose(const struct ps_sampler *sampler, const struct row *row, int64_t valid,
                      struct candidate *heap, float *weights, int32_t *ids) {
    make_heap(heap, row->logits, valid);
    if (sampler->temperature == 0) return heap[0].id;

    int64_t kept = valid, left = valid;
    if (sampler->top_k > 0) kept = ps_min(sampler->top_k, valid);
    double total = 0;
    for (int64_t i = 0; i < kept; i++) {
        struct candidate next = take(heap, &left);
        ids[i] = next.id;
        weights[i] = ps_math_exp((next.logit - row->max) / sampler->temperature);
        total = total + (double)weights[i];
    }
    return ids[ps_draw(sampler, weights, kept, total)];
}

static void sample(struct ps_stream *stream, struct ps_matrix logits, int64_t valid_vocabulary,
                   const struct ps_sampler *samplers, int32_t *tokens, float *log_probabilities) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, logits);
    int64_t n = valid_vocabulary;
    struct candidate *heap = (struct candidate *)ps_scratch(stream, 2 * n);
    int32_t *ids = (int32_t *)ps_scratch(stream, n);
    float *weights = ps_scratch(stream, n);
    for (int64_t t = 0; t < logits.rows; t++) {
        struct row row = get_row(stream, logits, n, t);
        tokens[t] = choose(samplers + t, &row, n, heap, weights, ids);
        log_probabilities[t] = log_probability(&row, tokens[t]);
    }
    ps_end(stream, operation);
}

static void log_probabilities(struct ps_stream *stream, struct ps_matrix logits,
                              int64_t valid_vocabulary, const int32_t *targets, float *out) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, logits);
    for (int64_t t = 0; t < logits.rows; t++) {
        struct row row = get_row(stream, logits, valid_vocabulary, t);
        assert(targets[t] >= 0 && targets[t] < valid_vocabulary);
        out[t] = log_probability(&row, targets[t]);
    }
    ps_end(stream, operation);
}

static void top_k(struct ps_stream *stream, struct ps_matrix logits, int64_t valid_vocabulary,
                  int64_t k, int32_t *ids, float *out) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, logits);
    struct candidate *heap = (struct candidate *)ps_scratch(stream, 2 * valid_vocabulary);
    assert(k <= valid_vocabulary);
    for (int64_t t = 0; t < logits.rows; t++) {
        struct row row = get_row(stream, logits, valid_vocabulary, t);
        int64_t left = valid_vocabulary;
        make_heap(heap, row.logits, left);
        for (int64_t i = t * k; i < (t + 1) * k; i++) {
            ids[i] = take(heap, &left).id;
            out[i] = log_probability(&row, ids[i]);
        }
    }
    ps_end(stream, operation);
}

const struct ps_sampling_operations ps_reference_sampling = {
    .sample = sample,
    .log_probabilities = log_probabilities,
    .top_k = top_k,
};
