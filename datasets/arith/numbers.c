/* Numbers of the generator: each step keeps the running value a small positive whole number, so
 * that what makes a problem hard is its story and not its arithmetic. */
#include "base/random.h"
#include "datasets/arith/arith_internal.h"

enum {
    LEAST = 2,         /* running values stay in LEAST .. MOST, so that plurals are right */
    MOST = 150,        /* and small enough to know their sums by heart */
    CLOSING_MOST = 400 /* a last product: "sells them all for 4 dollars each" */
};

uint32_t ps_arith_below(struct ps_arith_draw *draw, uint32_t bound) {
    return ps_random_below(draw->key, draw->counter++, bound);
}

uint32_t ps_arith_between(struct ps_arith_draw *draw, uint32_t low, uint32_t high) {
    return low + ps_arith_below(draw, high - low + 1);
}

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Draws a divisor of value in 2 .. 9 that leaves at least LEAST; 0: there is none. */
static uint32_t draw_divisor(struct ps_arith_draw *draw, uint32_t value) {
    uint32_t found[8], count = 0;
    for (uint32_t k = 2; k <= 9; k++)
        if (value % k == 0 && value / k >= LEAST) found[count++] = k;
    return count ? found[ps_arith_below(draw, count)] : 0;
}

bool ps_arith_step(struct ps_arith_draw *draw, enum ps_arith_operation operation, uint32_t value,
                   bool closing, struct ps_arith_step *step) {
    uint32_t most = closing ? CLOSING_MOST : MOST, a = 0, b = 0, after = value;
    switch (operation) {
    case PS_ARITH_SET: after = a = ps_arith_between(draw, 4, 60); break;
    case PS_ARITH_GROUPS:
        a = ps_arith_between(draw, 2, 9);
        b = ps_arith_between(draw, 2, 9);
        after = a * b;
        break;
    case PS_ARITH_ADD:
        if (value + 2 > most) return false;
        a = ps_arith_between(draw, 2, smaller(30, most - value));
        after = value + a;
        break;
    case PS_ARITH_SUBTRACT:
        if (value < LEAST + 2) return false;
        a = ps_arith_between(draw, 2, smaller(30, value - LEAST));
        after = value - a;
        break;
    case PS_ARITH_DOUBLE:
        if (value * 2 > most) return false;
        a = 2;
        after = value * 2;
        break;
    case PS_ARITH_MULTIPLY:
        if (value * 3 > most) return false;
        a = ps_arith_between(draw, 3, smaller(6, most / value));
        after = value * a;
        break;
    case PS_ARITH_HALVE:
    case PS_ARITH_THIRD:
        a = operation == PS_ARITH_HALVE ? 2 : 3;
        if (value % a != 0 || value / a < LEAST) return false;
        after = value / a;
        break;
    case PS_ARITH_DIVIDE:
        a = draw_divisor(draw, value);
        if (a == 0) return false;
        after = value / a;
        break;
    case PS_ARITH_GOAL:
        a = value + ps_arith_between(draw, 2, 40);
        after = a - value;
        break;
    case PS_ARITH_ASK: break;
    }
    *step = (struct ps_arith_step){operation, value, a, b, after};
    return true;
}

bool ps_arith_equation(struct ps_buffer *buffer, const struct ps_arith_step *step) {
    uint32_t left = step->before, right = step->a;
    char sign = '*';
    switch (step->operation) {
    case PS_ARITH_GROUPS: left = step->a, right = step->b; break;
    case PS_ARITH_ADD: sign = '+'; break;
    case PS_ARITH_SUBTRACT: sign = '-'; break;
    case PS_ARITH_HALVE:
    case PS_ARITH_THIRD:
    case PS_ARITH_DIVIDE: sign = '/'; break;
    case PS_ARITH_GOAL: left = step->a, right = step->before, sign = '-'; break;
    default: break;
    }
    return ps_buffer_format(buffer, "%u %c %u = %u", left, sign, right, step->after);
}
