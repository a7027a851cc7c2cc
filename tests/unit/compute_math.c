/* exp, log, logistic and silu: near the true value, and the same bits in a scalar and in a lane. */
#include "unit.h"

#include "compute/math_internal.h"
#include "compute/numerics_internal.h"

#include <math.h>
#include <string.h>

static double error_in_ulp(float got, double want) {
    int exponent;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1.0, exponent - 24);
}

static double true_exp(double x) {
    return exp(x);
}
static double true_log(double x) {
    return log(x);
}
static double true_logistic(double x) {
    return 1 / (1 + exp(-x));
}
static double true_silu(double x) {
    return x / (1 + exp(-x));
}

static float scalar_exp(float x) {
    return ps_math_exp(x);
}
static float scalar_log(float x) {
    return ps_math_log(x);
}
static float scalar_logistic(float x) {
    return ps_math_logistic(x);
}
static float scalar_silu(float x) {
    return ps_math_silu(x);
}

#define LANES(name)                                                                                \
    static void lanes_##name(float *x) {                                                           \
        ps_v16 v;                                                                                  \
        memcpy(&v, x, sizeof v);                                                                   \
        v = ps_math_##name##_v16(v);                                                               \
        memcpy(x, &v, sizeof v);                                                                   \
    }
LANES(exp)
LANES(log)
LANES(logistic)
LANES(silu)

static const struct {
    const char *name;
    float (*scalar)(float);
    void (*lanes)(float *);
    double (*truth)(double);
    float low, high;
    double ulp;
} functions[] = {
    {"exp", scalar_exp, lanes_exp, true_exp, -87.0f, 88.72f, 2},
    {"log", scalar_log, lanes_log, true_log, 1e-37f, 1e38f, 2},
    {"logistic", scalar_logistic, lanes_logistic, true_logistic, -86.0f, 86.0f, 3},
    {"silu", scalar_silu, lanes_silu, true_silu, -86.0f, 86.0f, 3},
};

/* Walks the floats between low and high by bit patterns, so that every binade is met. */
static void functions_are_accurate(void **state) {
    (void)state;
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        double worst = 0;
        float at = 0;
        for (uint32_t bits = 0x30000000u; bits < 0x7F800000u; bits += 997) {
            for (int sign = 0; sign < 2; sign++) {
                uint32_t pattern = bits | (uint32_t)sign << 31;
                float x;
                memcpy(&x, &pattern, sizeof x);
                if (x < functions[f].low || x > functions[f].high) continue;
                double off = error_in_ulp(functions[f].scalar(x), functions[f].truth(x));
                if (off > worst) worst = off, at = x;
            }
        }
        if (worst > functions[f].ulp)
            fail_msg("%s(%.9g) is off by %.3f ulp", functions[f].name, at, worst);
    }
}

static void lanes_equal_scalars(void **state) {
    (void)state;
    struct ps_float_mode kept = ps_float_mode_enter();
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        for (uint64_t bits = 0; bits < 1ull << 32; bits += 16 * 10007) {
            float x[16], y[16];
            for (uint32_t i = 0; i < 16; i++) {
                uint32_t pattern = (uint32_t)bits + i * 10007;
                memcpy(x + i, &pattern, sizeof pattern);
            }
            memcpy(y, x, sizeof y);
            functions[f].lanes(y);
            for (int i = 0; i < 16; i++) {
                float want = functions[f].scalar(x[i]);
                if (memcmp(&want, y + i, sizeof want) != 0 && !(isnan(want) && isnan(y[i])))
                    fail_msg("%s(%.9g): %.9g, in a lane %.9g", functions[f].name, x[i], want, y[i]);
            }
        }
    }
    ps_float_mode_leave(kept);
}

static void special_values(void **state) {
    (void)state;
    assert_true(ps_math_exp(0) == 1);
    assert_true(ps_math_exp(-87.01f) == 0);
    assert_true(ps_math_exp(-INFINITY) == 0);
    assert_true(ps_math_exp(88.73f) == INFINITY);
    assert_true(ps_math_exp(INFINITY) == INFINITY);
    assert_true(isnan(ps_math_exp(NAN)));
    assert_true(ps_math_log(1) == 0);
    assert_true(ps_math_log(0) == -INFINITY);
    assert_true(ps_math_log(INFINITY) == INFINITY);
    assert_true(isnan(ps_math_log(-1)));
    assert_true(isnan(ps_math_log(NAN)));
    assert_true(ps_math_silu(-1000) == 0);
    assert_true(ps_math_silu(1000) == 1000);
    assert_true(ps_math_logistic(0) == 0.5f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_accurate),
        cmocka_unit_test(lanes_equal_scalars),
        cmocka_unit_test(special_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
