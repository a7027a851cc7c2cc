#pragma once
/* Statistics of evaluations: how sure a score and a difference of two scores are.
 *
 * The unit is the problem, not the sample: K samples of one problem are averaged first, and only
 * problems count as independent. Doubles, no global state; random draws come from Philox and
 * depend on the seed alone. `confidence` is 0.95 for a 95 % interval and lies in (0, 1). */

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct ps_interval {
    double low, high;
};

/* Score interval for a binomial rate (Wilson 1927), successes <= trials. trials == 0: [0, 1]. */
struct ps_interval ps_stats_wilson(uint64_t successes, uint64_t trials, double confidence);

/* Exact interval for a binomial rate (Clopper and Pearson 1934); covers at least `confidence`. */
struct ps_interval ps_stats_clopper_pearson(uint64_t successes, uint64_t trials, double confidence);

/* Mean of one value a problem and its standard error. cluster == NULL: problems are independent,
 * SE = sd / sqrt(n). Else problems with equal ids that stand next to each other form a cluster
 * (questions on one text): SE^2 = G/(G-1) * sum over clusters of (sum of residuals)^2 / n^2.
 * standard_error is NaN with fewer than two clusters, mean NaN with no value. */
struct ps_stats_mean {
    double mean, standard_error;
    size_t problems, clusters;
};
struct ps_stats_mean ps_stats_mean(const double *values, const uint32_t *cluster, size_t count);

/* Interval for the mean of a rate in [0, 1] whose standard error over problems is known: Wilson's
 * or the exact form at the number of trials that this standard error amounts to, p (1-p) / SE^2, at
 * least `problems`, at most `samples` (all of them), and drawn towards `problems` where few
 * problems tell. It has a width at 0 and 1, and is the interval above of that name at one sample a
 * problem. docs/statistics.md has what it covers. */
enum ps_stats_form { PS_STATS_WILSON, PS_STATS_EXACT };
struct ps_interval ps_stats_rate_interval(struct ps_stats_mean mean, uint64_t samples,
                                          enum ps_stats_form form, double confidence);

/* Unbiased pass@k from `correct` of `samples`: 1 - C(n-c, k) / C(n, k) (Chen et al. 2021,
 * arXiv 2107.03374). PS_ARGUMENT for k < 1, k > samples (never divided by samples that are not
 * there) or correct > samples. */
enum ps_status ps_stats_pass_at_k(uint64_t samples, uint64_t correct, uint64_t k, double *result,
                                  struct ps_error *error);

/* A majority vote. group[i] as from ps_grade_groups (the index of the first equal answer, -1 for
 * none, which does not vote); correct[i] as judged. Ties are broken by lot: `correct` is the chance
 * that a lot among the `winners` groups with the most votes is correct; of a group whose members
 * were judged differently, the share. No vote: all 0. */
struct ps_stats_vote {
    double correct;
    size_t winners; /* more than 1: a tie */
};
struct ps_stats_vote ps_stats_majority(const int32_t *group, const uint8_t *correct, size_t count);

/* Exact McNemar test, two-sided: only_a, only_b are the problems that just one of two models got
 * right; under the null each is a fair coin: p = min(1, 2 P(X <= min)), X ~ B(a + b, 1/2). */
double ps_stats_mcnemar(uint64_t only_a, uint64_t only_b);

/* Sign-flip permutation test of mean(difference) = 0, two-sided. Exact where at most 20 differences
 * are not zero; else `draws` seeded draws, p = (1 + as extreme) / (1 + draws). */
enum ps_status ps_stats_sign_flip(const double *difference, size_t count, uint64_t seed,
                                  uint32_t draws, double *p, struct ps_error *error);

/* Interval for mean(difference) of two rates, by a percentile bootstrap over problems, its tails
 * moved out for few problems ("expanded percentile", Hesterberg 2015), with two problems more that
 * stand for what few problems do not show (paired.c); where all differences are 0, Wilson's bound
 * to both sides. step: what a problem's difference is where one model has one correct sample and
 * the other has none. difference in [-1, 1], 1 <= count < 2^31 - 2, draws >= 1. */
enum ps_status ps_stats_bootstrap(const double *difference, size_t count, double step,
                                  uint64_t seed, uint32_t draws, double confidence,
                                  struct ps_interval *result, struct ps_error *error);

/* The smallest true difference that a two-sided test at level alpha finds with this power:
 * (z(1 - alpha/2) + z(power)) * standard error of the difference. */
double ps_stats_detectable_difference(double standard_error, double alpha, double power);

/* Quantiles, for those who build intervals of their own: 0 < probability < 1. */
double ps_stats_normal_quantile(double probability);
double ps_stats_t_quantile(double probability, double degrees_of_freedom);
