/* Sampling, and log-probabilities of logits.
 *
 * A draw needs the sum of all candidates' weights in descending order of logit, so candidates are
 * sorted, by a radix sort. Two things keep it short. The largest weight is exactly 1, so in a sum
 * in double a weight below 2^-53 changes nothing: candidates whose exponent is below -37 are left
 * out. And with top-k the row is scanned in segments, and only what is larger than the k-th largest
 * so far becomes a candidate. */

#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/vocabulary_internal.h"
#include "compute/reference/vocabulary_internal.h"

#include <math.h>
#include <string.h>

enum { MOST_DIGITS = 1 << 11, SHORT = 4096, SEGMENT = 8192 };

static const float LEAST_EXPONENT = -37;

/* A candidate: its key in the upper half, its id in the lower one. Ascending keys are descending
 * logits, so that ties stand in the order of ids. */
static uint64_t candidate(float logit, int64_t id) {
    uint32_t bits;
    logit = ps_flush(logit) + 0.0f; /* one zero */
    memcpy(&bits, &logit, sizeof bits);
    uint32_t key = bits >> 31 ? bits : ~(bits | 0x80000000u);
    return (uint64_t)key << 32 | (uint64_t)id;
}

static float logit_of(uint64_t candidate) {
    uint32_t key = (uint32_t)(candidate >> 32);
    uint32_t bits = key >> 31 ? key : ~key & 0x7FFFFFFFu;
    float logit;
    memcpy(&logit, &bits, sizeof logit);
    return logit;
}

/* Sorts ascending and stably by the upper halves, in passes over some of their bits; `other` has
 * room for as many. Returns where the result is. */
static uint64_t *sort(uint64_t *from, uint64_t *other, int64_t n) {
    const int bits = n < SHORT ? 8 : 11, digits = 1 << bits;
    uint32_t start[MOST_DIGITS];
    for (int shift = 32; shift < 64 && n > 1; shift += bits) {
        memset(start, 0, sizeof *start * (size_t)digits);
        for (int64_t i = 0; i < n; i++) start[from[i] >> shift & (uint64_t)(digits - 1)]++;
        uint32_t sum = 0;
        for (int digit = 0; digit < digits; digit++) {
            uint32_t count = start[digit];
            start[digit] = sum;
            sum += count;
        }
        for (int64_t i = 0; i < n; i++)
            other[start[from[i] >> shift & (uint64_t)(digits - 1)]++] = from[i];
        uint64_t *swap = from;
        from = other;
        other = swap;
    }
    return from;
}

/* A row of logits, what its softmax needs, and a thread's room for 2 n candidates and 2 n floats.
 */
struct row {
    const struct ps_cpu_vocabulary_kernels *kernels;
    const float *logits;
    int64_t n;
    float max, log_sum;
    uint64_t *candidates, *other;
    float *sorted, *weights; /* weights also holds ids while candidates are found */
};

size_t ps_cpu_sampling_scratch(int64_t vocabulary) {
    return (size_t)(vocabulary + 16) * (2 * sizeof(uint64_t) + 2 * sizeof(float));
}

/* The k best, in order; returns where they are. Of equal ones the earlier has the lower id, so only
 * what is larger than the k-th replaces it. */
static uint64_t *best(struct row *row, int64_t k) {
    int64_t n = ps_min(row->n, k + SEGMENT);
    for (int64_t i = 0; i < n; i++) row->candidates[i] = candidate(row->logits[i], i);
    uint64_t *sorted = sort(row->candidates, row->other, n);
    for (int64_t first = n; first < row->n; first += SEGMENT) {
        int64_t end = ps_min(first + SEGMENT, row->n);
        int64_t found = row->kernels->above(row->logits, first, end, logit_of(sorted[k - 1]),
                                            (int32_t *)row->weights);
        if (found == 0) continue;
        for (int64_t i = 0; i < found; i++) {
            int32_t id = ((const int32_t *)row->weights)[i];
            sorted[k + i] = candidate(row->logits[id], id);
        }
        sorted = sort(sorted, sorted == row->candidates ? row->other : row->candidates, k + found);
    }
    return sorted;
}

/* All that can matter to a draw at this temperature, in order. */
static uint64_t *all(const struct row *row, float temperature, int64_t *count) {
    const float least = row->max + LEAST_EXPONENT * temperature - 1e-3f * fabsf(row->max);
    int64_t n = 0;
    for (int64_t i = 0; i < row->n; i++) {
        row->candidates[n] = candidate(row->logits[i], i);
        n += !(row->logits[i] < least);
    }
    *count = n;
    return sort(row->candidates, row->other, n);
}

static int32_t first_of_max(const struct row *row) {
    for (int64_t i = 0; i < row->n; i++)
        if (row->logits[i] == row->max) return (int32_t)i;
    return 0;
}

static int32_t choose(struct row *row, const struct ps_sampler *sampler) {
    if (sampler->temperature == 0) return first_of_max(row);
    const float *weights = row->weights;
    int64_t kept = row->n;
    uint64_t *sorted;
    if (sampler->top_k > 0 && sampler->top_k < row->n) {
        kept = sampler->top_k;
        sorted = best(row, kept);
    } else {
        sorted = all(row, sampler->temperature, &kept);
    }
    for (int64_t i = 0; i < kept; i++) row->sorted[i] = logit_of(sorted[i]);
    row->kernels->weights(row->sorted, kept, row->max, sampler->temperature, row->weights);
    double total = 0;
    for (int64_t i = 0; i < kept; i++) total = total + (double)weights[i];
    return kept > 0 ? (int32_t)(uint32_t)sorted[ps_draw(sampler, weights, kept, total)] : 0;
}

/* ---- rows over threads -------------------------------------------------------------------- */

struct work {
    struct ps_cpu_stream *stream;
    struct ps_matrix logits;
    int64_t valid, k;
    const struct ps_sampler *samplers;
    const int32_t *targets;
    int32_t *ids;
    float *out;
    int64_t *bad;
};

static struct row get_row(const struct work *work, int64_t t) {
    char *scratch = ps_cpu_thread_scratch(work->stream, ps_cpu_thread());
    struct row row = {
        .kernels = work->stream->kernels->vocabulary,
        .logits = (const float *)work->logits.data + t * work->logits.stride,
        .n = work->valid,
        .candidates = (uint64_t *)scratch,
    };
    row.other = row.candidates + row.n;
    row.sorted = (float *)(row.other + row.n);
    row.weights = row.sorted + row.n;
    row.max = row.kernels->row_max(row.logits, row.n);
    row.log_sum = row.kernels->log_sum(row.logits, row.n, row.max);
    if (!isfinite(row.log_sum)) __atomic_fetch_add(work->bad, 1, __ATOMIC_RELAXED);
    return row;
}

static float log_probability(const struct row *row, int64_t id) {
    return (row->logits[id] - row->max) - row->log_sum;
}

static void sample_rows(const void *arguments, int64_t first, int64_t end) {
    const struct work *work = arguments;
    for (int64_t t = first; t < end; t++) {
        struct row row = get_row(work, t);
        work->ids[t] = choose(&row, work->samplers + t);
        work->out[t] = log_probability(&row, work->ids[t]);
    }
}

static void target_rows(const void *arguments, int64_t first, int64_t end) {
    const struct work *work = arguments;
    for (int64_t t = first; t < end; t++) {
        struct row row = get_row(work, t);
        assert(work->targets[t] >= 0 && work->targets[t] < row.n);
        work->out[t] = log_probability(&row, work->targets[t]);
    }
}

static void top_k_rows(const void *arguments, int64_t first, int64_t end) {
    const struct work *work = arguments;
    for (int64_t t = first; t < end; t++) {
        struct row row = get_row(work, t);
        const uint64_t *sorted = best(&row, work->k);
        for (int64_t i = 0; i < work->k; i++) {
            int32_t id = (int32_t)(uint32_t)sorted[i];
            work->ids[t * work->k + i] = id;
            work->out[t * work->k + i] = log_probability(&row, id);
        }
    }
}

static void run(struct ps_stream *stream, struct work work, ps_cpu_task *task, double nanoseconds) {
    int64_t bad = 0;
    work.stream = ps_cpu_stream(stream);
    work.bad = &bad;
    assert(work.logits.dtype == PS_DTYPE_F32 && work.valid > 0);
    assert(work.valid <= work.logits.columns);
    ps_cpu_run(stream, task, &work, work.logits.rows, nanoseconds * (double)work.valid);
    ps_reference_report_bad(stream, bad, "logits");
}

static void sample(struct ps_stream *stream, struct ps_matrix logits, int64_t valid_vocabulary,
                   const struct ps_sampler *samplers, int32_t *tokens, float *log_probabilities) {
    struct work work = {.logits = logits,
                        .valid = valid_vocabulary,
                        .samplers = samplers,
                        .ids = tokens,
                        .out = log_probabilities};
    run(stream, work, sample_rows, 5);
}

static void log_probabilities(struct ps_stream *stream, struct ps_matrix logits,
                              int64_t valid_vocabulary, const int32_t *targets, float *out) {
    struct work work = {
        .logits = logits, .valid = valid_vocabulary, .targets = targets, .out = out};
    run(stream, work, target_rows, 1);
}

static void top_k(struct ps_stream *stream, struct ps_matrix logits, int64_t valid_vocabulary,
                  int64_t k, int32_t *ids, float *out) {
    struct work work = {
        .logits = logits, .valid = valid_vocabulary, .k = k, .ids = ids, .out = out};
    assert(k <= valid_vocabulary);
    run(stream, work, top_k_rows, 3);
}

const struct ps_sampling_operations ps_cpu_sampling = {
    .sample = sample,
    .log_probabilities = log_probabilities,
    .top_k = top_k,
};
