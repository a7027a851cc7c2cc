/* Statistics against the values of SciPy and statsmodels. */
#include "unit.h"

#include "stats/stats.h"

#include <math.h>
#include <string.h>

struct rate_golden {
    uint64_t successes, trials;
    double confidence, low, high;
};
struct pass_golden {
    uint64_t samples, correct, k;
    double value;
};
struct mcnemar_golden {
    uint64_t a, b;
    double p;
};
struct quantile_golden {
    double probability, degrees_of_freedom, value;
};
struct clustered_golden {
    int samples, problems, correct[32];
    struct {
        double low, high;
    } forms[2]; /* Wilson's, exact */
};
#include "../golden/stats.inc"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct ps_error error;

static void near(double got, double expected, double tolerance) {
    if (!(fabs(got - expected) <= tolerance * fmax(1e-300, fabs(expected)) + 1e-15))
        fail_msg("%.17g instead of %.17g", got, expected);
}

static void rate_intervals(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(wilson_golden); i++) {
        struct rate_golden g = wilson_golden[i];
        struct ps_interval got = ps_stats_wilson(g.successes, g.trials, g.confidence);
        near(got.low, g.low, 1e-12);
        near(got.high, g.high, 1e-12);
    }
    for (size_t i = 0; i < COUNT(clopper_pearson_golden); i++) {
        struct rate_golden g = clopper_pearson_golden[i];
        struct ps_interval got = ps_stats_clopper_pearson(g.successes, g.trials, g.confidence);
        near(got.low, g.low, 1e-9);
        near(got.high, g.high, 1e-9);
    }
    assert_true(ps_stats_wilson(0, 0, 0.95).high == 1);
}

static void clustered_intervals(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(clustered_golden); i++) {
        const struct clustered_golden *g = &clustered_golden[i];
        double rates[32];
        for (int j = 0; j < g->problems; j++) rates[j] = (double)g->correct[j] / g->samples;
        for (int form = PS_STATS_WILSON; form <= PS_STATS_EXACT; form++) {
            struct ps_interval got = ps_stats_rate_interval(
                ps_stats_mean(rates, NULL, (size_t)g->problems),
                (uint64_t)(g->problems * g->samples), (enum ps_stats_form)form, 0.95);
            near(got.low, g->forms[form].low, 1e-9);
            near(got.high, g->forms[form].high, 1e-9);
        }
    }
    struct ps_stats_mean none = ps_stats_mean(NULL, NULL, 0);
    struct ps_interval all = ps_stats_rate_interval(none, 0, PS_STATS_WILSON, 0.95);
    assert_true(all.low == 0 && all.high == 1);
}

static void pass_at_k(void **state) {
    (void)state;
    double value;
    for (size_t i = 0; i < COUNT(pass_at_k_golden); i++) {
        struct pass_golden g = pass_at_k_golden[i];
        assert_ok(ps_stats_pass_at_k(g.samples, g.correct, g.k, &value, &error));
        near(value, g.value, 1e-12);
    }
    assert_fails(ps_stats_pass_at_k(8, 3, 16, &value, &error), PS_ARGUMENT, "pass@16 of 8");
    assert_fails(ps_stats_pass_at_k(8, 3, 0, &value, &error), PS_ARGUMENT, "pass@0");
    assert_fails(ps_stats_pass_at_k(8, 9, 1, &value, &error), PS_ARGUMENT, "9 correct of 8");
}

static void tests_and_quantiles(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(mcnemar_golden); i++)
        near(ps_stats_mcnemar(mcnemar_golden[i].a, mcnemar_golden[i].b), mcnemar_golden[i].p,
             1e-10);
    for (size_t i = 0; i < COUNT(normal_golden); i++)
        near(ps_stats_normal_quantile(normal_golden[i].probability), normal_golden[i].value, 1e-8);
    for (size_t i = 0; i < COUNT(t_golden); i++)
        near(ps_stats_t_quantile(t_golden[i].probability, t_golden[i].degrees_of_freedom),
             t_golden[i].value, 1e-9);
    near(ps_stats_detectable_difference(0.02, 0.05, 0.8), detectable_golden, 1e-9);
}

static void means(void **state) {
    (void)state;
    size_t count = COUNT(paired_values);
    struct ps_stats_mean mean = ps_stats_mean(paired_values, NULL, count);
    near(mean.standard_error, paired_standard_error, 1e-12);
    assert_int_equal(mean.clusters, count);
    mean = ps_stats_mean(paired_values, paired_clusters, count);
    near(mean.standard_error, clustered_standard_error, 1e-12);
    assert_int_equal(mean.clusters, 6);
    assert_true(isnan(ps_stats_mean(NULL, NULL, 0).mean));
    assert_true(isnan(ps_stats_mean(paired_values, NULL, 1).standard_error));
}

static void sign_flip_and_bootstrap(void **state) {
    (void)state;
    double p, again, row[400];
    struct ps_interval interval, same;
    assert_ok(ps_stats_sign_flip(paired_values, COUNT(paired_values), 1, 0, &p, &error));
    near(p, paired_exact_p, 1e-12);
    for (size_t i = 0; i < 400; i++) row[i] = ((double)(i * 7919 % 13) - 5.5) / 8;
    assert_ok(ps_stats_sign_flip(row, 400, 17, 20000, &p, &error));
    assert_true(fabs(p - row_sign_flip_p) < 0.004); /* 5 standard errors of 20000 draws */
    assert_ok(ps_stats_sign_flip(row, 400, 17, 20000, &again, &error));
    assert_true(p == again);
    assert_ok(ps_stats_bootstrap(row, 400, 0.125, 17, 4000, 0.95, &interval, &error));
    assert_ok(ps_stats_bootstrap(row, 400, 0.125, 17, 4000, 0.95, &same, &error));
    assert_memory_equal(&interval, &same, sizeof same);
    assert_true(fabs(interval.low - (row_mean - 1.96 * row_bootstrap_error)) < 0.003);
    assert_true(fabs(interval.high - (row_mean + 1.96 * row_bootstrap_error)) < 0.003);
    double zeros[30] = {0};
    assert_ok(ps_stats_sign_flip(zeros, 30, 1, 100, &p, &error));
    assert_true(p == 1);
    assert_fails(ps_stats_bootstrap(zeros, 0, 1, 1, 100, 0.95, &interval, &error), PS_ARGUMENT,
                 "0 problems");
    /* none of 30 differs: Wilson's bound for 0 of 30; all alike: something may still differ */
    assert_ok(ps_stats_bootstrap(zeros, 30, 0.25, 1, 100, 0.95, &interval, &error));
    near(interval.high, ps_stats_wilson(0, 30, 0.95).high, 1e-12);
    near(interval.low, -interval.high, 1e-12);
    for (size_t i = 0; i < 30; i++) zeros[i] = 1;
    assert_ok(ps_stats_bootstrap(zeros, 30, 1, 1, 1000, 0.95, &interval, &error));
    assert_true(interval.low < 0.95 && interval.low > 0.8 && interval.high == 1);
    assert_ok(ps_stats_bootstrap(zeros, 1, 1, 1, 1000, 0.95, &interval, &error));
    assert_true(interval.low <= 0 && interval.high == 1); /* one problem says nearly nothing */
    zeros[3] = NAN;
    assert_fails(ps_stats_sign_flip(zeros, 30, 1, 100, &p, &error), PS_NUMERIC, "not finite");
}

static void vote(const int32_t *group, const char *correct, double expected, size_t winners) {
    uint8_t judged[16];
    size_t count = strlen(correct);
    for (size_t i = 0; i < count; i++) judged[i] = correct[i] == 'c';
    struct ps_stats_vote got = ps_stats_majority(group, judged, count);
    near(got.correct, expected, 1e-12);
    assert_int_equal(got.winners, winners);
}

static void majority(void **state) {
    (void)state;
    vote((int32_t[]){0, 1, 0, -1}, "cwcw", 1, 1);
    vote((int32_t[]){0, 1, 0, 1}, "cwcw", 0.5, 2); /* a tie */
    vote((int32_t[]){0, 1, 2, 3}, "wwcw", 0.25, 4);
    vote((int32_t[]){-1, -1}, "ww", 0, 0);
    vote((int32_t[]){0, 1, 1}, "cww", 0, 1);
    vote((int32_t[]){0, 0, 0, 3}, "ccwc", 2.0 / 3, 1); /* equal answers, judged differently */
    vote(NULL, "", 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_intervals),          cmocka_unit_test(pass_at_k),
        cmocka_unit_test(tests_and_quantiles),     cmocka_unit_test(means),
        cmocka_unit_test(sign_flip_and_bootstrap), cmocka_unit_test(majority),
        cmocka_unit_test(clustered_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
