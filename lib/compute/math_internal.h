#pragma once
/* exp, log and the logistic function from +, -, *, / and operations on bits alone, so that a float
 * and each lane of a vector of 16 get the same bits on every machine (docs/numerics.md). The one
 * text in math_functions_internal.h is compiled for both:
 *
 *   float  ps_math_exp(float)        ps_v16 ps_math_exp_v16(ps_v16)
 *   float  ps_math_log(float)        ps_v16 ps_math_log_v16(ps_v16)
 *   float  ps_math_logistic(float)   ps_v16 ps_math_logistic_v16(ps_v16)
 *   float  ps_math_silu(float)       ps_v16 ps_math_silu_v16(ps_v16)
 *
 * exp and log are within 2 units in the last place of the true value, logistic and silu within 3.
 * They must be compiled with -ffp-contract=off and expect denormals to be flushed. */

#include <stdint.h>

typedef float ps_v16 __attribute__((vector_size(64)));
typedef int32_t ps_v16i __attribute__((vector_size(64)));

#define PS_MATH_NAME(name) ps_math_##name
#define PS_MATH_REAL       float
#define PS_MATH_INT        int32_t
#define PS_MATH_MASK(test) (-(test)) /* all bits set where true */
#include "compute/math_functions_internal.h"
#undef PS_MATH_NAME
#undef PS_MATH_REAL
#undef PS_MATH_INT
#undef PS_MATH_MASK

#define PS_MATH_NAME(name) ps_math_##name##_v16
#define PS_MATH_REAL       ps_v16
#define PS_MATH_INT        ps_v16i
#define PS_MATH_MASK(test) (test) /* comparisons of vectors are masks already */
#include "compute/math_functions_internal.h"
#undef PS_MATH_NAME
#undef PS_MATH_REAL
#undef PS_MATH_INT
#undef PS_MATH_MASK
