/* Intervals for rates and means; pass@k; majority.
 *
 * The normal approximation p +- z SE is far too narrow below a few hundred problems and has no
 * width at 0 and 1. Wilson's interval inverts the score test instead: it is the set of rates r with
 * |p - r| <= z sqrt(r (1-r) / n), and solving that quadratic gives
 *
 *     (p + z^2/2n  +-  z sqrt(p (1-p) / n + z^2 / 4n^2)) / (1 + z^2/n). */
#include "stats/stats.h"
#include "stats/stats_internal.h"

#include <math.h>

static struct ps_interval score_interval(double p, double n, double z) {
    double square = z * z / n, middle = p + square / 2;
    double half = z * sqrt(p * (1 - p) / n + square / (4 * n));
    struct ps_interval result = {(middle - half) / (1 + square), (middle + half) / (1 + square)};
    if (p <= 0 || result.low < 0) result.low = 0;
    if (p >= 1 || result.high > 1) result.high = 1;
    return result;
}

struct ps_interval ps_stats_wilson(uint64_t successes, uint64_t trials, double confidence) {
    if (trials == 0) return (struct ps_interval){0, 1};
    double z = ps_stats_normal_quantile(0.5 + confidence / 2);
    return score_interval((double)successes / (double)trials, (double)trials, z);
}

static struct ps_interval exact_interval(double x, double n, double confidence) {
    struct ps_interval result = {0, 1};
    double tail = (1 - confidence) / 2;
    if (x > 0) result.low = ps_stats_beta_quantile(x, n - x + 1, tail);
    if (x < n) result.high = 1 - ps_stats_beta_quantile(n - x, x + 1, tail);
    return result;
}

struct ps_interval ps_stats_clopper_pearson(uint64_t successes, uint64_t trials,
                                            double confidence) {
    return exact_interval((double)successes, (double)trials, confidence);
}

struct ps_stats_mean ps_stats_mean(const double *values, const uint32_t *cluster, size_t count) {
    struct ps_stats_mean result = {NAN, NAN, count, 0};
    if (count == 0) return result;
    double sum = 0, squares = 0, residual = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    result.mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        residual += values[i] - result.mean;
        if (cluster && i + 1 < count && cluster[i + 1] == cluster[i]) continue;
        squares += residual * residual;
        residual = 0;
        result.clusters++;
    }
    double g = (double)result.clusters, n = (double)count;
    if (result.clusters >= 2) result.standard_error = sqrt(g / (g - 1) * squares) / n;
    return result;
}

/* The estimated standard error is too small where few problems decide it: near 0 and 1, and on few
 * problems. So the estimate gets the weight 1 - 1 / (1 + 6 n p (1-p)) and the safe value,
 * `problems`, the rest, on a logarithmic scale. */
struct ps_interval ps_stats_rate_interval(struct ps_stats_mean mean, uint64_t samples,
                                          enum ps_stats_form form, double confidence) {
    double p = mean.mean, se = mean.standard_error, n = (double)mean.clusters;
    if (mean.clusters == 0 || !(p >= 0 && p <= 1)) return (struct ps_interval){0, 1};
    double trials = se > 0 ? p * (1 - p) / (se * se) : n; /* one problem has no SE: n */
    if (trials > (double)samples) trials = (double)samples;
    if (trials < n) trials = n;
    trials = n * pow(trials / n, 1 - 1 / (1 + 6 * n * p * (1 - p)));
    if (form == PS_STATS_EXACT) return exact_interval(p * trials, trials, confidence);
    return score_interval(p, trials, ps_stats_normal_quantile(0.5 + confidence / 2));
}

/* The product form 1 - prod_{i = n-c+1 .. n} (1 - k/i) has no large factorials; over the shorter of
 * its two equal forms (c or k factors) it is fast too. */
enum ps_status ps_stats_pass_at_k(uint64_t samples, uint64_t correct, uint64_t k, double *result,
                                  struct ps_error *error) {
    PS_FAIL_IF(correct > samples, error, PS_ARGUMENT, "pass@k: %llu correct of %llu samples",
               (unsigned long long)correct, (unsigned long long)samples);
    PS_FAIL_IF(k < 1 || k > samples, error, PS_ARGUMENT,
               "pass@%llu of %llu samples: k must be from 1 to the number of samples present",
               (unsigned long long)k, (unsigned long long)samples);
    uint64_t few = correct < k ? correct : k, many = correct < k ? k : correct;
    double none = 1; /* C(n - many, few) / C(n, few): that no draw is correct */
    for (uint64_t i = 0; i < few && none > 0; i++) {
        uint64_t left = samples - i;
        none *= left > many ? (double)(left - many) / (double)left : 0;
    }
    *result = 1 - none;
    return PS_OK;
}

struct ps_stats_vote ps_stats_majority(const int32_t *group, const uint8_t *correct, size_t count) {
    struct ps_stats_vote vote = {0};
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        size_t votes = 0, right = 0;
        if (group[i] != (int32_t)i) continue; /* the first of a group counts it */
        for (size_t j = i; j < count; j++) {
            votes += group[j] == group[i];
            right += group[j] == group[i] && correct[j];
        }
        if (votes < most) continue;
        if (votes > most) vote = (struct ps_stats_vote){0};
        most = votes;
        vote.winners++;
        vote.correct += (double)right / (double)votes;
    }
    if (vote.winners) vote.correct /= (double)vote.winners;
    return vote;
}
