/* Comparing two models on the same problems.
 *
 * Only the differences of one problem at a time are used: the two models' scores go up and down
 * together with the problem, and a paired test takes that common part out. With one sample a
 * problem the differences are -1, 0, 1 and the exact McNemar test is the answer; with more, under
 * the null each problem's difference is as likely with the other sign (a permutation test), and the
 * interval comes from drawing problems anew (bootstrap). */
#include "stats/stats.h"
#include "stats/stats_internal.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { EXACT = 20 }; /* at most 2^20 sign patterns are counted one by one */

double ps_stats_mcnemar(uint64_t only_a, uint64_t only_b) {
    uint64_t few = only_a < only_b ? only_a : only_b, many = only_a < only_b ? only_b : only_a;
    if (few == many) return 1;
    /* P(X <= few) for X ~ B(few + many, 1/2) is I_{1/2}(many, few + 1) */
    double p = 2 * ps_stats_beta((double)many, (double)few + 1, 0.5);
    return p < 1 ? p : 1;
}

/* Counts the sign patterns of d[0 .. n) whose |sum| is at least `extreme`, out of 2^n. The sums of
 * each half are tabled, so that no rounding error builds up over a million steps. */
static uint64_t count_extreme(const double *d, int n, double extreme) {
    double low[1 << EXACT / 2], high[1 << EXACT / 2];
    int half = n / 2, rest = n - half;
    for (int h = 0; h < 2; h++) {
        double *table = h ? high : low;
        const double *part = h ? d + half : d;
        int size = h ? rest : half;
        for (int mask = 0; mask < 1 << size; mask++) {
            table[mask] = 0;
            for (int i = 0; i < size; i++) table[mask] += mask >> i & 1 ? -part[i] : part[i];
        }
    }
    uint64_t count = 0;
    for (int i = 0; i < 1 << half; i++)
        for (int j = 0; j < 1 << rest; j++) count += fabs(low[i] + high[j]) >= extreme;
    return count;
}

/* The same over seeded random patterns: 128 signs from each Philox value. */
static uint32_t draw_extreme(const double *d, size_t n, double extreme, uint64_t key,
                             uint32_t draws) {
    uint32_t count = 0;
    uint64_t blocks = (n + 127) / 128;
    for (uint32_t draw = 0; draw < draws; draw++) {
        double sum = 0;
        struct ps_philox bits = {{0}};
        for (size_t i = 0; i < n; i++) {
            if (i % 128 == 0) bits = ps_philox(key, draw * blocks + i / 128);
            sum += bits.word[i / 32 % 4] >> i % 32 & 1 ? -d[i] : d[i];
        }
        count += fabs(sum) >= extreme;
    }
    return count;
}

enum ps_status ps_stats_sign_flip(const double *difference, size_t count, uint64_t seed,
                                  uint32_t draws, double *p, struct ps_error *error) {
    double sum = 0, scale = 0;
    size_t used = 0;
    double *d = ps_malloc((count ? count : 1) * sizeof *d);
    PS_FAIL_IF_NULL(d, error);
    for (size_t i = 0; i < count; i++) {
        sum += difference[i];
        scale += fabs(difference[i]);
        if (difference[i] != 0) d[used++] = difference[i];
    }
    if (!isfinite(scale)) {
        ps_free(d);
        return ps_error_set(error, PS_NUMERIC, "sign-flip test: a difference is not finite");
    }
    double extreme = fabs(sum) - 1e-12 * scale; /* equal sums in another order round differently */
    if (used <= EXACT)
        *p = (double)count_extreme(d, (int)used, extreme) / (double)(1u << used);
    else
        *p = (1.0 + draw_extreme(d, used, extreme, ps_random_key(seed, "sign-flip"), draws)) /
             (1.0 + draws);
    ps_free(d);
    return PS_OK;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between order statistics (the default of R and numpy). */
static double sorted_quantile(const double *sorted, size_t count, double probability) {
    double at = probability * (double)(count - 1);
    size_t below = (size_t)at;
    if (below + 1 >= count) return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* Phi(-sqrt(n / (n-1)) t), t the quantile of Student's t with n - 1 degrees of freedom. */
static double expanded_tail(double n, double confidence) {
    double t = ps_stats_t_quantile(0.5 + confidence / 2, n - 1);
    return 0.5 * erfc(sqrt(n / (n - 1)) * t * M_SQRT1_2);
}

/* What is drawn from, two problems more than there are, in halves: each difference twice, then the
 * mean plus and minus the largest difference (at least one step), and the mean twice. Where few
 * problems differ, their sample says too little of how far others would: a bootstrap of 30 problems
 * covers 92 % without these two. (Agresti and Min 2005 add two pairs likewise.) */
static double *with_two_more(const double *difference, size_t count, double step) {
    double *halves = ps_malloc((2 * count + 4) * sizeof *halves);
    double sum = 0, largest = step;
    if (!halves) return NULL;
    for (size_t i = 0; i < count; i++) {
        halves[2 * i] = halves[2 * i + 1] = difference[i];
        sum += difference[i];
        if (fabs(difference[i]) > largest) largest = fabs(difference[i]);
    }
    double mean = sum / (double)count, *more = halves + 2 * count;
    more[0] = mean + largest;
    more[1] = mean - largest;
    more[2] = more[3] = mean;
    return halves;
}

static bool none_differs(const double *difference, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (difference[i] != 0) return false;
    return true;
}

/* Where no difference is seen, however few problems there are, other problems may differ: as many
 * as Wilson's bound allows where none of `count` did. */
static struct ps_interval unseen(size_t count, double confidence) {
    double bound = ps_stats_wilson(0, count, confidence).high;
    return (struct ps_interval){-bound, bound};
}

enum ps_status ps_stats_bootstrap(const double *difference, size_t count, double step,
                                  uint64_t seed, uint32_t draws, double confidence,
                                  struct ps_interval *result, struct ps_error *error) {
    PS_FAIL_IF(count < 1 || count > INT32_MAX - 2 || draws < 1, error, PS_ARGUMENT,
               "bootstrap: %zu problems, %u draws: at least one of each", count, draws);
    double *means = ps_malloc(draws * sizeof *means),
           *halves = with_two_more(difference, count, step);
    uint64_t key = ps_random_key(seed, "bootstrap"), problems = count + 2;
    uint64_t blocks = (problems + 3) / 4;
    for (uint32_t draw = 0; means && halves && draw < draws; draw++) {
        double sum = 0;
        for (uint64_t block = 0; block < blocks; block++) {
            struct ps_philox random = ps_philox(key, draw * blocks + block);
            for (uint64_t i = 0; i < 4 && block * 4 + i < problems; i++) /* bias below 2n / 2^32 */
                sum += halves[(uint64_t)random.word[i] * 2 * problems >> 32];
        }
        means[draw] = sum / (double)problems;
    }
    if (means && halves) {
        qsort(means, draws, sizeof *means, ascending);
        double tail = expanded_tail((double)problems, confidence);
        double low = sorted_quantile(means, draws, tail);
        double high = sorted_quantile(means, draws, 1 - tail);
        *result = (struct ps_interval){fmax(low, -1), fmin(high, 1)};
        if (none_differs(difference, count)) *result = unseen(count, confidence);
    }
    bool done = means && halves;
    ps_free(means);
    ps_free(halves);
    return done ? PS_OK : ps_error_set(error, PS_MEMORY, "out of memory");
}

double ps_stats_detectable_difference(double standard_error, double alpha, double power) {
    return (ps_stats_normal_quantile(1 - alpha / 2) + ps_stats_normal_quantile(power)) *
           standard_error;
}
