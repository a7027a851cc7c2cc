/* What intervals cover and how often tests reject what is not there, simulated in short: the long
 * form is tests/bench/stats_coverage.c, its tables are in docs/statistics.md. The bounds are those
 * that the page promises, and three standard errors of the simulation. */
#include "unit.h"

#include "stats_simulation.h"

/* The mean over rates from 0 to 1, ends included. */
static double mean_coverage(enum simulation_interval kind, int problems, int samples, double rho,
                            int runs) {
    enum { RATES = 20 };
    double sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int i = 0; i < RATES; i++)
        sum +=
            simulation_coverage(kind, problems, samples, (i + 0.5) / RATES, rho, runs, (uint64_t)i);
    return sum / RATES;
}

static void in_range(const char *what, int problems, int samples, double rho, double share,
                     double least, double most, int draws) {
    double noise = 3 * sqrt(0.95 * 0.05 / draws);
    printf("%s, n = %d, k = %d, rho = %g: %.2f %%\n", what, problems, samples, rho, 100 * share);
    if (!(share >= least - noise && share <= most + noise))
        fail_msg("%s, n = %d, k = %d, rho = %g: %.2f %%", what, problems, samples, rho,
                 100 * share);
}

static void reported_intervals_cover(void **state) {
    (void)state;
    static const struct {
        int problems, samples;
        double rho;
        int runs;
    } cases[] = {
        {30, 1, 0, 400},     {30, 4, 0.1, 300},  {30, 4, 0.7, 300}, {30, 16, 0, 100},
        {30, 16, 0.33, 150}, {30, 16, 0.7, 150}, {30, 16, 1, 150},  {500, 1, 0, 60},
        {500, 4, 0.33, 30},  {500, 16, 0.7, 10}, {1319, 1, 0, 30},  {1319, 4, 0.1, 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double share = mean_coverage(SIMULATION_REPORTED, cases[i].problems, cases[i].samples,
                                     cases[i].rho, cases[i].runs);
        in_range("covered", cases[i].problems, cases[i].samples, cases[i].rho, share, 0.93, 0.97,
                 20 * cases[i].runs);
    }
}

/* Where the cluster t interval fails: most problems unsolved, replies to one problem alike. */
static void holds_near_zero(void **state) {
    (void)state;
    double ours = simulation_coverage(SIMULATION_REPORTED, 30, 16, 0.05, 0.7, 4000, 1);
    double t = simulation_coverage(SIMULATION_CLUSTER_T, 30, 16, 0.05, 0.7, 4000, 1);
    printf("rate 0.05, n = 30, k = 16, rho = 0.7: %.1f %%, cluster t %.1f %%\n", 100 * ours,
           100 * t);
    assert_true(ours > 0.91 && ours < 0.99);
    assert_true(t < 0.85);
}

static void exact_intervals_cover(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++)
        in_range("exact", 30, 1, 0,
                 simulation_coverage(SIMULATION_EXACT, 30, 1, (i + 0.5) / 10, 0, 1000, 1), 0.95, 1,
                 1000);
}

static void tests_keep_their_level(void **state) {
    (void)state;
    struct simulation_null null = simulation_null(30, 1, 0.5, 0.33, 20000, 0, 1);
    in_range("McNemar rejects", 30, 1, 0.33, null.rejected, 0.013, 0.024, 20000 * 4);
    null = simulation_null(500, 1, 0.5, 0.33, 4000, 0, 1);
    in_range("McNemar rejects", 500, 1, 0.33, null.rejected, 0.037, 0.041, 4000);
    null = simulation_null(30, 4, 0.5, 0.33, 2000, 200, 1);
    in_range("sign-flip rejects", 30, 4, 0.33, null.rejected, 0.03, 0.05, 2000);
    in_range("bootstrap holds 0", 30, 4, 0.33, null.covered, 0.93, 0.97, 2000);
}

/* Differences that are there; without the two problems that ps_stats_bootstrap adds the first would
 * be 90.5 %. */
static void differences_are_covered(void **state) {
    (void)state;
    static const struct {
        enum simulation_score score;
        int samples;
        double rho, share;
        const char *name;
    } cases[] = {{SIMULATION_PASS_1, 1, 0.33, 0.8, "pass@1"},
                 {SIMULATION_PASS_1, 4, 0.33, 0.8, "pass@1"},
                 {SIMULATION_PASS_K, 4, 0.33, 0.8, "pass@2"},
                 {SIMULATION_MAJORITY, 4, 0.1, 0.8, "maj@4"},
                 {SIMULATION_MAJORITY, 16, 0.33, 0.5, "maj@16"}};
    enum { RATES = 9, RUNS = 120 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double sum = 0;
#pragma omp parallel for reduction(+ : sum)
        for (int r = 0; r < RATES; r++)
            sum += simulation_difference(cases[i].score, 30, cases[i].samples, (r + 0.5) / RATES,
                                         cases[i].rho, cases[i].share, RUNS, 300, (uint64_t)r);
        in_range(cases[i].name, 30, cases[i].samples, cases[i].rho, sum / RATES, 0.95, 0.985,
                 RATES * RUNS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reported_intervals_cover), cmocka_unit_test(holds_near_zero),
        cmocka_unit_test(exact_intervals_cover),    cmocka_unit_test(tests_keep_their_level),
        cmocka_unit_test(differences_are_covered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
