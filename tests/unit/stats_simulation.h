#pragma once
/* Simulated evaluations with known truth: how often intervals hold the true rate, and how often
 * tests reject a difference that is not there. Shared by the unit test stats_coverage and the
 * program tests/bench/stats_coverage, which prints the tables of docs/statistics.md.
 *
 * A problem's own rate comes from a beta distribution with mean m whose spread is given by the
 * correlation rho of two samples of one problem: at 0 all problems are equally hard, at 1 each is
 * always or never solved. The number of correct samples is drawn with Polya's urn, which needs no
 * beta variates: the chance of the next sample is (m s + correct so far) / (s + samples so far)
 * with s = 1 / rho - 1. */

#include "base/random.h"
#include "stats/stats.h"

#include <math.h>
#include <stdlib.h>

enum { SIMULATION_MOST = 1319 };

struct simulation_stream {
    uint64_t key, counter;
    struct ps_philox block;
};

static inline double simulation_uniform(struct simulation_stream *stream) {
    if (stream->counter % 4 == 0) stream->block = ps_philox(stream->key, stream->counter / 4);
    return ((double)stream->block.word[stream->counter++ % 4] + 0.5) * 0x1p-32;
}

/* A pair of models that are equally good on every problem: both draw from one urn, in turn, so that
 * either alone has the distribution above and the two are exchangeable. b may be NULL. */
static inline void simulation_problem(struct simulation_stream *stream, double m, double rho,
                                      int samples, int *a, int *b) {
    int drawn = 0, correct = 0;
    *a = 0;
    if (b) *b = 0;
    for (int i = 0; i < samples; i++)
        for (int model = 0; model < (b ? 2 : 1); model++) {
            double s = rho > 0 ? 1 / rho - 1 : 0;
            double p = rho <= 0 || drawn == 0 ? m : (m * s + correct) / (s + drawn);
            int right = simulation_uniform(stream) < p;
            *(model ? b : a) += right;
            correct += right;
            drawn++;
        }
}

enum simulation_interval {
    SIMULATION_REPORTED, /* what the score table prints */
    SIMULATION_EXACT,    /* Clopper and Pearson, one sample a problem */
    SIMULATION_CLUSTER_T /* mean +- t SE, for comparison */
};

static inline struct ps_interval
simulation_interval(enum simulation_interval kind, const double *rates, int problems, int samples) {
    struct ps_stats_mean mean = ps_stats_mean(rates, NULL, (size_t)problems);
    if (kind == SIMULATION_EXACT)
        return ps_stats_clopper_pearson((uint64_t)llround(mean.mean * problems), (uint64_t)problems,
                                        0.95);
    if (kind == SIMULATION_REPORTED)
        return ps_stats_rate_interval(mean, (uint64_t)(problems * samples), PS_STATS_WILSON, 0.95);
    double half = ps_stats_t_quantile(0.975, problems - 1) * mean.standard_error;
    return (struct ps_interval){mean.mean - half, mean.mean + half};
}

/* Share of runs whose interval holds m. */
static inline double simulation_coverage(enum simulation_interval kind, int problems, int samples,
                                         double m, double rho, int runs, uint64_t seed) {
    struct simulation_stream stream = {.key = ps_random_key(seed, "coverage")};
    double rates[SIMULATION_MOST];
    int covered = 0, right;
    for (int run = 0; run < runs; run++) {
        for (int i = 0; i < problems; i++) {
            simulation_problem(&stream, m, rho, samples, &right, NULL);
            rates[i] = (double)right / samples;
        }
        struct ps_interval interval = simulation_interval(kind, rates, problems, samples);
        covered += interval.low <= m && m <= interval.high;
    }
    return (double)covered / runs;
}

struct simulation_null {
    double rejected; /* p <= 0.05: exact McNemar at one sample, else sign-flip */
    double covered;  /* the bootstrap interval holds 0; NAN when draws is 0 */
};

/* Two models that are equally good. draws: of the sign-flip test and of the bootstrap. */
static inline struct simulation_null simulation_null(int problems, int samples, double m,
                                                     double rho, int runs, uint32_t draws,
                                                     uint64_t seed) {
    struct simulation_stream stream = {.key = ps_random_key(seed, "null")};
    double difference[SIMULATION_MOST];
    int rejected = 0, covered = 0;
    for (int run = 0; run < runs; run++) {
        uint64_t only_a = 0, only_b = 0;
        double p = 1;
        struct ps_interval interval = {0, 0};
        for (int i = 0, a, b; i < problems; i++) {
            simulation_problem(&stream, m, rho, samples, &a, &b);
            difference[i] = (double)(a - b) / samples;
            only_a += a > b;
            only_b += b > a;
        }
        if (samples == 1)
            p = ps_stats_mcnemar(only_a, only_b);
        else if (ps_stats_sign_flip(difference, (size_t)problems, seed + (uint64_t)run, draws, &p,
                                    NULL) != PS_OK)
            abort();
        rejected += p <= 0.05;
        if (draws &&
            ps_stats_bootstrap(difference, (size_t)problems, 1.0 / samples, seed + (uint64_t)run,
                               draws, 0.95, &interval, NULL) != PS_OK)
            abort();
        covered += interval.low <= 0 && 0 <= interval.high;
    }
    return (struct simulation_null){(double)rejected / runs, draws ? (double)covered / runs : NAN};
}

/* ---- differences that are there ---- */

enum simulation_score { SIMULATION_PASS_1, SIMULATION_PASS_K, SIMULATION_MAJORITY };

/* One problem's score from `right` of `samples`: pass@(samples/2), or the vote where all wrong
 * replies agree. */
static inline double simulation_score(enum simulation_score kind, int right, int samples) {
    double value = (double)right / samples;
    if (kind == SIMULATION_MAJORITY) return right * 2 == samples ? 0.5 : right * 2 > samples;
    if (kind == SIMULATION_PASS_K &&
        ps_stats_pass_at_k((uint64_t)samples, (uint64_t)right, (uint64_t)samples / 2, &value,
                           NULL) != PS_OK)
        abort();
    return value;
}

/* The expected score of a model whose rate at a problem is share times a beta variate with mean m:
 * P(right = j) = C(k, j) sum_i C(k-j, i) (-1)^i share^(i+j) E[p^(i+j)]. */
static inline double simulation_truth(enum simulation_score kind, int samples, double m, double rho,
                                      double share) {
    double sum = 0, s = rho > 0 ? 1 / rho - 1 : 0, choose = 1;
    for (int j = 0; j <= samples; j++) {
        double chance = 0, inner = choose;
        for (int i = 0; i <= samples - j; i++) {
            double moment = 1;
            for (int l = 0; l < i + j; l++) moment *= share * (rho > 0 ? (m * s + l) / (s + l) : m);
            chance += i % 2 ? -inner * moment : inner * moment;
            inner *= (double)(samples - j - i) / (i + 1);
        }
        sum += chance * simulation_score(kind, j, samples);
        choose *= (double)(samples - j) / (j + 1);
    }
    return sum;
}

/* Share of runs whose bootstrap interval holds the true difference of two models, of which the one
 * solves `share` of what the other would: each of its replies that would be right is so with that
 * chance. */
static inline double simulation_difference(enum simulation_score kind, int problems, int samples,
                                           double m, double rho, double share, int runs,
                                           uint32_t draws, uint64_t seed) {
    struct simulation_stream stream = {.key = ps_random_key(seed, "difference")};
    double difference[SIMULATION_MOST];
    double truth =
        simulation_truth(kind, samples, m, rho, 1) - simulation_truth(kind, samples, m, rho, share);
    double step = kind == SIMULATION_PASS_1   ? 1.0 / samples
                  : kind == SIMULATION_PASS_K ? 0.5
                                              : 1; /* k = samples / 2 */
    int covered = 0;
    for (int run = 0; run < runs; run++) {
        struct ps_interval interval;
        for (int i = 0, a, b; i < problems; i++) {
            simulation_problem(&stream, m, rho, samples, &a, &b);
            int kept = 0;
            for (int j = 0; j < b; j++) kept += simulation_uniform(&stream) < share;
            difference[i] =
                simulation_score(kind, a, samples) - simulation_score(kind, kept, samples);
        }
        if (ps_stats_bootstrap(difference, (size_t)problems, step, seed + (uint64_t)run, draws,
                               0.95, &interval, NULL) != PS_OK)
            abort();
        covered += interval.low <= truth && truth <= interval.high;
    }
    return (double)covered / runs;
}
