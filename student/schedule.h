#pragma once
/* The learning rate of a step: a linear warm-up, then a cosine from the peak to a share of it
 * (Loshchilov and Hutter, arXiv 1608.03983, without restarts). */

#include <stdint.h>

struct ps_schedule {
    double peak;        /* the learning rate after the warm-up */
    double final_share; /* of the peak, reached at the last step */
    int64_t warmup;     /* steps: step i of them has peak * i / warmup */
    int64_t total_steps;
};

/* step counts from 1. Portable: the same bits on every machine. */
double ps_learning_rate(const struct ps_schedule *schedule, int64_t step);
