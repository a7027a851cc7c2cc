/* Distribution functions and their inverses.
 *
 * Everything rests on two functions: the normal distribution by erfc of libm, and the regularised
 * incomplete beta function I_x(a, b) by its continued fraction (DLMF 8.17.22, evaluated with
 * Lentz's method), from which Student's t and the exact binomial intervals follow. Inverses are
 * found by bisection: the functions are monotonic, a report needs few of them, and bisection cannot
 * fail. */
#include "stats/stats_internal.h"

#include "stats/stats.h"

#include <math.h>

double ps_stats_normal_quantile(double probability) {
    double low = -40, high = 40;
    if (probability > 0.5) return -ps_stats_normal_quantile(1 - probability); /* tails are exact */
    for (int i = 0; i < 200 && low < high; i++) {
        double middle = 0.5 * (low + high);
        if (middle == low || middle == high) break;
        if (0.5 * erfc(-middle * M_SQRT1_2) < probability)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

/* The continued fraction of I_x(a, b); converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x) {
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double product = d;
    for (int m = 1; m < 100000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double terms[2] = {even, odd}, step = 1;
        for (int i = 0; i < 2; i++) {
            d = 1 + terms[i] * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + terms[i] / c;
            if (fabs(c) < tiny) c = tiny;
            step = c * d;
            product *= step;
        }
        if (fabs(step - 1) < 1e-15) break;
    }
    return product;
}

double ps_stats_beta(double a, double b, double x) {
    int sign;
    if (!(x > 0)) return 0;
    if (x >= 1) return 1;
    double scale = lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign);
    double front = exp(scale + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double ps_stats_beta_quantile(double a, double b, double probability) {
    double low = 0, high = 1;
    for (int i = 0; i < 1100; i++) {
        double middle = 0.5 * (low + high);
        if (middle == low || middle == high) break;
        if (ps_stats_beta(a, b, middle) < probability)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

/* P(T <= t) for t <= 0 is I_{v / (v + t^2)}(v/2, 1/2) / 2 (DLMF 8.17.19 with Student's density). */
double ps_stats_t_quantile(double probability, double degrees_of_freedom) {
    double v = degrees_of_freedom, low = -1, high = 0;
    if (probability > 0.5) return -ps_stats_t_quantile(1 - probability, v);
    if (probability == 0.5) return 0;
    while (low > -1e150 && 0.5 * ps_stats_beta(v / 2, 0.5, v / (v + low * low)) > probability)
        low *= 2;
    for (int i = 0; i < 1100; i++) {
        double middle = 0.5 * (low + high);
        if (middle == low || middle == high) break;
        if (0.5 * ps_stats_beta(v / 2, 0.5, v / (v + middle * middle)) < probability)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}
