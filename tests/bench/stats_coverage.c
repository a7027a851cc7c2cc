/* What the intervals cover and how often the tests reject, by simulation: the tables of
 * docs/statistics.md.
 *
 *     build/tests/bench/stats_coverage [RUNS [TABLE]]
 *
 * RUNS (400) for each of 50 rates from 0.01 to 0.99. TABLE: intervals, tests or differences.
 * Seeded: the same numbers each time, on any number of threads. */
#include "../unit/stats_simulation.h"

#include <stdio.h>
#include <string.h>

enum { RATES = 50 };
static const double rhos[] = {0, 0.1, 0.33, 0.7, 1};
enum { RHOS = sizeof rhos / sizeof *rhos };

static double rate_of(int i) {
    return (i + 0.5) / RATES;
}

static int at_edge(int i) {
    return i < 5 || i >= RATES - 5;
}

static void print_coverage(enum simulation_interval kind, int problems, int samples, int runs) {
    static const char *const names[] = {"reported", "exact", "cluster t"};
    for (int r = 0; r < (samples == 1 ? 1 : RHOS); r++) {
        double covered[RATES], sum = 0, edge = 0;
#pragma omp parallel for schedule(dynamic)
        for (int i = 0; i < RATES; i++)
            covered[i] = simulation_coverage(kind, problems, samples, rate_of(i), rhos[r], runs,
                                             (uint64_t)(i * RHOS + r));
        for (int i = 0; i < RATES; i++) {
            sum += covered[i] / RATES;
            if (at_edge(i)) edge += covered[i] / 10;
        }
        printf("| %s | %d | %d | %s | %.1f | %.1f |\n", names[kind], problems, samples,
               samples == 1 ? "-" : (const char *[]){"0", "0.1", "0.33", "0.7", "1"}[r], 100 * sum,
               100 * edge);
        fflush(stdout);
    }
}

/* Means over five rates. McNemar's test is quick, so it gets twenty times the runs. */
static void print_null(int problems, int samples, int runs) {
    static const double rates[] = {0.1, 0.3, 0.5, 0.7, 0.9};
    for (int r = 0; r < RHOS - 1; r++) { /* at 1 the models never differ */
        double rejected[5], covered[5], rejections = 0, holds = 0;
#pragma omp parallel for schedule(dynamic)
        for (int i = 0; i < 5; i++) {
            uint64_t seed = 1000 + (uint64_t)(i * RHOS + r);
            struct simulation_null null =
                simulation_null(problems, samples, rates[i], rhos[r], runs, 1000, seed);
            covered[i] = null.covered;
            if (samples == 1)
                null = simulation_null(problems, 1, rates[i], rhos[r], 20 * runs, 0, seed);
            rejected[i] = null.rejected;
        }
        for (int i = 0; i < 5; i++) {
            rejections += rejected[i] / 5;
            holds += covered[i] / 5;
        }
        printf("| %d | %d | %g | %s | %.1f | %.1f |\n", problems, samples, rhos[r],
               samples == 1 ? "exact McNemar" : "sign-flip", 100 * rejections, 100 * holds);
        fflush(stdout);
    }
}

/* Bootstrap intervals of differences that are there: one model solves a share of what the other
 * would. Means over seven rates. */
static void print_differences(int problems, int samples, double rho, int runs) {
    static const double rates[] = {0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95};
    static const double shares[] = {0.9, 0.8, 0.5};
    static const char *const names[] = {"pass@1", "pass@k/2", "maj@k"};
    for (int score = SIMULATION_PASS_1; score <= SIMULATION_MAJORITY; score++) {
        if (samples == 1 && score != SIMULATION_PASS_1) continue;
        printf("| %s | %d | %d | %g |", names[score], problems, samples, rho);
        for (int s = 0; s < 3; s++) {
            double covered[7], sum = 0;
#pragma omp parallel for schedule(dynamic)
            for (int i = 0; i < 7; i++)
                covered[i] =
                    simulation_difference((enum simulation_score)score, problems, samples, rates[i],
                                          rho, shares[s], runs, 400, 5000 + (uint64_t)(i * 3 + s));
            for (int i = 0; i < 7; i++) sum += covered[i] / 7;
            printf(" %.1f |", 100 * sum);
        }
        printf("\n");
        fflush(stdout);
    }
}

static const int samples[] = {1, 4, 16};

static void print_intervals(int runs) {
    static const int problems[] = {2, 5, 10, 30, 500, 1319};
    printf("| interval | problems | samples | rho | %% covered | rates below 0.1, above 0.9 |\n"
           "|---|---|---|---|---|---|\n");
    for (int n = 0; n < 6; n++) {
        print_coverage(SIMULATION_EXACT, problems[n], 1, runs);
        for (int k = 0; k < 3; k++)
            print_coverage(SIMULATION_REPORTED, problems[n], samples[k], runs);
        if (problems[n] >= 30) print_coverage(SIMULATION_CLUSTER_T, problems[n], 4, runs);
    }
}

static void print_tests(int runs) {
    static const int problems[] = {30, 500, 1319};
    printf("\n| problems | samples | rho | test | %% rejected | %% of bootstraps that hold 0 |\n"
           "|---|---|---|---|---|---|\n");
    for (int n = 0; n < 3; n++)
        for (int k = 0; k < 3; k++) print_null(problems[n], samples[k], runs);
}

static void print_all_differences(int runs) {
    static const int problems[] = {5, 10, 30, 500};
    static const double some[] = {0, 0.33, 0.7};
    printf("\n| difference of | problems | samples | rho | %% covered at 0.9 | 0.8 | 0.5 |\n"
           "|---|---|---|---|---|---|---|\n");
    for (int n = 0; n < 4; n++)
        for (int k = 0; k < 3; k++)
            for (int r = 0; r < 3; r++)
                print_differences(problems[n], samples[k], some[r],
                                  problems[n] > 30 ? (runs + 1) / 2 : runs);
}

int main(int count, char **arguments) {
    int runs = count > 1 ? atoi(arguments[1]) : 400;
    const char *only = count > 2 ? arguments[2] : NULL;
    if (runs < 1) return 2;
    if (!only || strcmp(only, "intervals") == 0) print_intervals(runs);
    if (!only || strcmp(only, "tests") == 0) print_tests(runs);
    if (!only || strcmp(only, "differences") == 0) print_all_differences(runs);
    return 0;
}
