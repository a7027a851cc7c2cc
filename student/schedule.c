#include "student/schedule.h"

/* (1 + cos(pi x)) / 2 on [0, 1] by the Taylor series of sin(pi x / 2)^2 about the nearer end, from
 * + - * / alone: libm's cos differs between machines. */
static double raised_cosine(double x) {
    double y = x <= 0.5 ? x : 1 - x; /* sin^2(pi y / 2), y <= 1/2 */
    double angle = 1.5707963267948966 * y, square = angle * angle, term = angle, sine = angle;
    for (int n = 2; n < 20; n += 2) {
        term *= -square / (n * (n + 1));
        sine += term;
    }
    return x <= 0.5 ? 1 - sine * sine : sine * sine;
}

double ps_learning_rate(const struct ps_schedule *schedule, int64_t step) {
    if (step <= schedule->warmup) return schedule->peak * (double)step / (double)schedule->warmup;
    int64_t decay = schedule->total_steps - schedule->warmup;
    double x = decay > 0 ? (double)(step - schedule->warmup) / (double)decay : 1;
    if (x > 1) x = 1;
    double floor = schedule->final_share;
    return schedule->peak * (floor + (1 - floor) * raised_cosine(x));
}
