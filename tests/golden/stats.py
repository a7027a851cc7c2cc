#!/usr/bin/env python3
"""Writes stats.inc: golden values for tests/unit/stats_values.c, made with SciPy, statsmodels and exact
integers; where both packages have a number, they must agree.

    python3 tests/golden/stats.py > tests/golden/stats.inc
"""
from fractions import Fraction
from itertools import product
from math import comb, sqrt

import numpy
import scipy
import statsmodels
import statsmodels.api
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

print(f"/* Made by stats.py with SciPy {scipy.__version__} and statsmodels {statsmodels.__version__}. */")


def agree(a, b):
    assert numpy.allclose(a, b, rtol=1e-7, atol=1e-12), (a, b)


counts = [(0, 1), (1, 1), (0, 30), (1, 30), (15, 30), (29, 30), (30, 30), (7, 10), (250, 500),
          (499, 500), (1200, 1319), (123456, 1000000)]
for name, method in (("wilson", "wilson"), ("clopper_pearson", "exact")):
    print(f"static const struct rate_golden {name}_golden[] = {{")
    for x, n in counts:
        for confidence in (0.9, 0.95, 0.99):
            i = stats.binomtest(x, n).proportion_ci(confidence, method)
            agree(i, proportion_confint(x, n, 1 - confidence, {"exact": "beta"}.get(method, method)))
            print(f"    {{{x}, {n}, {confidence}, {float(i.low)!r}, {float(i.high)!r}}},")
    print("};")

print("static const struct pass_golden pass_at_k_golden[] = {")
for n, c, k in [(10, 3, 5), (64, 20, 8), (8, 0, 4), (8, 1, 8), (8, 8, 1), (1, 0, 1), (1, 1, 1), (64, 1, 1),
                (64, 63, 2), (100, 37, 10), (1000, 3, 500), (5, 3, 2)]:
    exact = 1 - Fraction(comb(n - c, k), comb(n, k))
    print(f"    {{{n}, {c}, {k}, {float(exact)!r}}},")
print("};")

print("static const struct mcnemar_golden mcnemar_golden[] = {")
for b, c in [(0, 0), (1, 0), (6, 0), (9, 1), (15, 5), (33, 17), (42, 24), (5, 5), (5, 6), (100, 60), (700, 600),
             (0, 40)]:
    p = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    if b + c:
        agree(p, mcnemar([[0, b], [c, 0]], exact=True).pvalue)
    print(f"    {{{b}, {c}, {float(p)!r}}},")
print("};")

print("static const struct quantile_golden normal_golden[] = {")
for p in (1e-12, 0.001, 0.025, 0.2, 0.5, 0.8, 0.975, 0.995, 1 - 1e-9):
    print(f"    {{{p!r}, 0, {float(stats.norm.ppf(p))!r}}},")
print("}, t_golden[] = {")
for v in (1, 2, 5, 29, 499, 1318):
    for p in (0.005, 0.05, 0.6, 0.975, 0.9995):
        print(f"    {{{p!r}, {v}, {float(stats.t.ppf(p, v))!r}}},")
print("};")

# paired differences of means of four samples
values = [0.25, -0.5, 0, 0.75, 0.25, 0.25, -0.25, 1, 0.5, 0, 0.25, -0.75, 0.5, 0.25]
used = [v for v in values if v]
extreme = sum(abs(sum(s * v for s, v in zip(signs, used))) >= abs(sum(used)) - 1e-12
              for signs in product((1, -1), repeat=len(used)))
agree(extreme / 2 ** len(used), stats.permutation_test(
    (used,), numpy.mean, permutation_type="samples", n_resamples=numpy.inf).pvalue)
print("static const double paired_values[] = {" + ", ".join(map(repr, values)) + "};")
print(f"static const double paired_exact_p = {extreme / 2 ** len(used)!r};")
print(f"static const double paired_standard_error = {float(stats.sem(values))!r};")

# questions in clusters of 3, 1, 2, 4, 2, 2: the sandwich estimator written with matrices
clusters = [0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5]
d = numpy.array(values) - numpy.mean(values)
same = numpy.equal.outer(clusters, clusters)
groups = len(set(clusters))
variance = (d @ same @ d) / len(values) ** 2 * groups / (groups - 1)
agree(sqrt(variance), statsmodels.api.OLS(values, numpy.ones(len(values))).fit(
    cov_type="cluster", cov_kwds={"groups": clusters}).bse[0])
print(f"static const uint32_t paired_clusters[] = {{{', '.join(map(str, clusters))}}};")
print(f"static const double clustered_standard_error = {sqrt(variance)!r};")

# a longer row, for tests that are approximate: the moments of the bootstrap's normal limit
n = 400
row = [((i * 7919) % 13 - 5.5) / 8 for i in range(n)]
sem = float(numpy.std(row) / sqrt(n))
print(f"static const double row_mean = {float(numpy.mean(row))!r}, row_bootstrap_error = {sem!r};")
z = float(numpy.mean(row)) / sqrt(sum(v * v for v in row)) * n
print(f"static const double row_sign_flip_p = {float(2 * stats.norm.sf(abs(z)))!r}; /* normal limit */")

# the reported intervals of a rate: Wilson's and the exact one at the trials that the standard error amounts to
print("static const struct clustered_golden clustered_golden[] = {")
for samples, correct in [(4, [0, 1, 2, 4, 4, 3, 0, 4]), (4, [0] * 29 + [1]), (16, [0] * 28 + [16, 15]),
                         (2, [2] * 10), (1, [1, 0, 1, 1, 0, 1]), (4, [3]), (1, [1]), (1, [0] * 7)]:
    rates = numpy.array(correct) / samples
    p, n, error = rates.mean(), len(rates), stats.sem(rates) if len(rates) > 1 else 0
    trials = min(max(p * (1 - p) / error ** 2, n), n * samples) if error else n
    trials = n * (trials / n) ** (1 - 1 / (1 + 6 * n * p * (1 - p)))
    forms = [proportion_confint(p * trials, trials, 0.05, method) for method in ("wilson", "beta")]
    counts = ", ".join(map(str, correct))
    ends = ", ".join(f"{{{max(0, float(low))!r}, {min(1, float(high))!r}}}" for low, high in forms)
    print(f"    {{{samples}, {n}, {{{counts}}}, {{{ends}}}}},")
print("};")

# the smallest difference that is found with power 0.8 (in its own direction): its power comes out again
detectable = 0.02 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
agree(NormalIndPower(ddof=0).power(detectable, 1 / 0.02 ** 2, 0.025, ratio=0, alternative="larger"), 0.8)
print(f"static const double detectable_golden = {float(detectable)!r};")
