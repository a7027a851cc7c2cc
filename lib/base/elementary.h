#pragma once
/* log, exp, sine and cosine in double by +, -, * and / alone, so that every machine and every
 * version of the C library gets the same bits. Good to about 1e-15 relative (sine and cosine:
 * absolute, for |x| < 1e8). Not for inner loops. */

double ps_log(double x); /* x > 0, normal */
double ps_exp(double x); /* |x| < 700 */
double ps_sin(double x);
double ps_cos(double x);
