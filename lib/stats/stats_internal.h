#pragma once
/* Inside lib/stats: the incomplete beta function. a, b > 0. */

/* I_x(a, b), the distribution function of Beta(a, b) at x. */
double ps_stats_beta(double a, double b, double x);

/* The x in [0, 1] with I_x(a, b) = probability. */
double ps_stats_beta_quantile(double a, double b, double probability);
