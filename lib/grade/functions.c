/* Functions by name, of numbers through Calcium and of variables as atoms (atoms.c). */
#include "grade/exact_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- circular and hyperbolic functions ---- */

/* r = e^{r}, or e^{i r}. */
static bool exponential(struct ps_exact *x, struct ps_fraction *r, bool circular) {
    struct ps_fraction exponent;
    ca_t i;
    ps_fraction_init(&exponent);
    ca_init(i, x->context);
    ca_i(i, x->context);
    ps_fraction_swap(&exponent, r);
    bool ok =
        (!circular || ps_fraction_scale(x, &exponent, i)) && ps_exact_power(x, r, true, &exponent);
    ps_fraction_clear(&exponent, x);
    ca_clear(i, x->context);
    return ok;
}

/* sum: (E + 1/E) / 2, else (E - 1/E) / 2, of an exponential E. */
static bool half(struct ps_exact *x, const struct ps_fraction *e, bool sum, struct ps_fraction *r) {
    struct ps_fraction inverse;
    ca_t two;
    ps_fraction_init(&inverse);
    ca_init(two, x->context);
    ca_one(two, x->context);
    ca_div_ui(two, two, 2, x->context);
    bool ok = ps_fraction_copy(x, r, e) && ps_fraction_copy(x, &inverse, e) &&
              ps_fraction_invert(x, &inverse) &&
              (sum ? ps_fraction_add(x, r, &inverse) : ps_fraction_subtract(x, r, &inverse)) &&
              ps_fraction_scale(x, r, two);
    ps_fraction_clear(&inverse, x);
    ca_clear(two, x->context);
    return ok;
}

static const struct euler {
    const char *name;
    bool circular;
    char above, below; /* 's'ine, 'c'osine, or 1 */
} eulers[] = {{"sin", true, 's', 0},   {"cos", true, 'c', 0},   {"tan", true, 's', 'c'},
              {"cot", true, 'c', 's'}, {"sec", true, 0, 'c'},   {"csc", true, 0, 's'},
              {"sinh", false, 's', 0}, {"cosh", false, 'c', 0}, {"tanh", false, 's', 'c'}};

/* The sine has a factor 1/i in the circular case. */
static bool part(struct ps_exact *x, const struct euler *f, char which, const struct ps_fraction *e,
                 struct ps_fraction *r) {
    if (!which) return ps_fraction_set_si(x, r, 1);
    ca_t i;
    ca_init(i, x->context);
    ca_i(i, x->context);
    ca_neg(i, i, x->context);
    bool ok =
        half(x, e, which == 'c', r) && (which == 'c' || !f->circular || ps_fraction_scale(x, r, i));
    ca_clear(i, x->context);
    return ok;
}

static bool by_exponentials(struct ps_exact *x, const struct euler *f, struct ps_fraction *r) {
    struct ps_fraction e, below;
    ps_fraction_init(&e);
    ps_fraction_init(&below);
    ps_fraction_swap(&e, r);
    bool ok = exponential(x, &e, f->circular) && part(x, f, f->above, &e, r) &&
              part(x, f, f->below, &e, &below) && ps_fraction_invert(x, &below) &&
              ps_fraction_multiply(x, r, &below);
    ps_fraction_clear(&e, x);
    ps_fraction_clear(&below, x);
    return ok;
}

/* ---- numbers ---- */

static void secant(ca_t r, const ca_t a, ca_ctx_t context) {
    ca_cos(r, a, context);
    ca_inv(r, r, context);
}

static void cosecant(ca_t r, const ca_t a, ca_ctx_t context) {
    ca_sin(r, a, context);
    ca_inv(r, r, context);
}

static void cotangent(ca_t r, const ca_t a, ca_ctx_t context) {
    ca_tan(r, a, context);
    ca_inv(r, r, context);
}

static bool of_value(struct ps_exact *x, struct ps_fraction *r, const char *name, ca_t value) {
    static const struct {
        const char *name;
        void (*function)(ca_t, const ca_t, ca_ctx_t);
    } known[] = {{"exp", ca_exp},      {"ln", ca_log},     {"abs", ca_abs},    {"floor", ca_floor},
                 {"ceiling", ca_ceil}, {"sin", ca_sin},    {"cos", ca_cos},    {"tan", ca_tan},
                 {"sec", secant},      {"csc", cosecant},  {"cot", cotangent}, {"arcsin", ca_asin},
                 {"arccos", ca_acos},  {"arctan", ca_atan}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) != 0) continue;
        if (++x->radicals > PS_TREE_RADICALS) return false;
        known[i].function(value, value, x->context);
        return ca_check_is_number(value, x->context) == T_TRUE && ps_fraction_set(x, r, value);
    }
    return false;
}

/* |c r| is |c| |r|: r is divided by its leading factor. */
static bool absolute(struct ps_exact *x, struct ps_fraction *r) {
    ca_t lead, inverse;
    ca_init(lead, x->context);
    ca_init(inverse, x->context);
    bool ok = ps_fraction_lead(x, r, lead);
    if (ok) ca_inv(inverse, lead, x->context);
    if (ok) ca_abs(lead, lead, x->context);
    ok = ok && ps_fraction_scale(x, r, inverse) && ps_exact_function_atom(x, r, "abs") &&
         ps_fraction_scale(x, r, lead);
    ca_clear(lead, x->context);
    ca_clear(inverse, x->context);
    return ok;
}

bool ps_exact_function(struct ps_exact *x, struct ps_fraction *r, const char *name) {
    ca_t value;
    ca_init(value, x->context);
    bool closed = ps_fraction_value(x, r, value);
    bool ok = closed && of_value(x, r, name, value);
    ca_clear(value, x->context);
    if (ok) return true;
    if (strcmp(name, "exp") == 0) return exponential(x, r, false);
    if (strcmp(name, "abs") == 0 && !closed && r->above.count) return absolute(x, r);
    if (strcmp(name, "ln") == 0 && !closed && r->above.count) return ps_exact_ln(x, r);
    for (size_t i = 0; i < sizeof eulers / sizeof *eulers; i++)
        if (strcmp(eulers[i].name, name) == 0) return by_exponentials(x, &eulers[i], r);
    return ps_exact_function_atom(x, r, name);
}

bool ps_exact_logarithm(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *base) {
    struct ps_fraction below;
    ps_fraction_init(&below);
    bool ok;
    if (base) {
        ok = ps_fraction_copy(x, &below, base) && ps_exact_function(x, &below, "ln");
    } else {
        ok = ps_exact_variable(x, &below, "\\ln of the base");
        x->functions = true;
    }
    ok = ok && ps_exact_function(x, r, "ln") && ps_fraction_invert(x, &below) &&
         ps_fraction_multiply(x, r, &below);
    ps_fraction_clear(&below, x);
    return ok;
}

/* ---- factorials ---- */

enum { LARGEST_FACTORIAL = 1000, LARGEST_STEP = 24 };

/* r *= (from + 1) (from + 2) ... (from + steps) */
static bool times_rising(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *from,
                         slong steps) {
    struct ps_fraction factor, one;
    ps_fraction_init(&factor);
    ps_fraction_init(&one);
    bool ok = ps_fraction_copy(x, &factor, from) && ps_fraction_set_si(x, &one, 1);
    for (slong i = 0; ok && i < steps; i++)
        ok = ps_fraction_add(x, &factor, &one) && ps_fraction_multiply(x, r, &factor);
    ps_fraction_clear(&factor, x);
    ps_fraction_clear(&one, x);
    return ok;
}

/* The whole number that a - b is, if it is a small one. */
static bool small_difference(struct ps_exact *x, const struct ps_fraction *a,
                             const struct ps_fraction *b, slong *steps) {
    struct ps_fraction d;
    fmpz_t n;
    ps_fraction_init(&d);
    fmpz_init(n);
    bool ok = ps_fraction_copy(x, &d, a) && ps_fraction_subtract(x, &d, b) &&
              ps_fraction_integer(x, &d, n) && fmpz_cmp_si(n, LARGEST_STEP) <= 0 &&
              fmpz_cmp_si(n, -LARGEST_STEP) >= 0;
    if (ok) *steps = fmpz_get_si(n);
    fmpz_clear(n);
    ps_fraction_clear(&d, x);
    return ok;
}

/* r! by a factorial that is known: n! times or divided by the numbers between. */
static bool by_steps(struct ps_exact *x, struct ps_fraction *r, size_t atom, slong steps) {
    struct ps_fraction product, from;
    ps_fraction_init(&product);
    ps_fraction_init(&from);
    bool ok = ps_fraction_set_si(x, &product, 1) &&
              ps_fraction_copy(x, &from, steps > 0 ? &x->atoms[atom].argument : r) &&
              times_rising(x, &product, &from, labs(steps)) &&
              (steps >= 0 || ps_fraction_invert(x, &product)) && ps_fraction_set_atom(x, r, atom) &&
              ps_fraction_multiply(x, r, &product);
    ps_fraction_clear(&product, x);
    ps_fraction_clear(&from, x);
    return ok;
}

bool ps_exact_factorial(struct ps_exact *x, struct ps_fraction *r) {
    fmpz_t n;
    ca_t value;
    fmpz_init(n);
    bool small =
        ps_fraction_integer(x, r, n) && fmpz_sgn(n) >= 0 && fmpz_cmp_ui(n, LARGEST_FACTORIAL) <= 0;
    bool ok = small;
    if (small) {
        ca_init(value, x->context);
        fmpz_fac_ui(n, fmpz_get_ui(n));
        ca_set_fmpz(value, n, x->context);
        ok = ps_fraction_set(x, r, value);
        ca_clear(value, x->context);
    }
    fmpz_clear(n);
    if (small) return ok;
    for (size_t i = 0; i < x->count; i++) {
        slong steps;
        if (x->atoms[i].kind == PS_ATOM_FACTORIAL &&
            small_difference(x, r, &x->atoms[i].argument, &steps))
            return by_steps(x, r, i, steps);
    }
    return ps_exact_factorial_atom(x, r);
}

/* n (n - 1) ... (n - k + 1) / k! for a small k, else by factorials. */
bool ps_exact_binomial(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *below) {
    struct ps_fraction rest, other;
    fmpz_t n, k;
    ca_t value;
    ps_fraction_init(&rest);
    ps_fraction_init(&other);
    fmpz_init(n);
    fmpz_init(k);
    ca_init(value, x->context);
    bool closed =
        ps_fraction_integer(x, r, n) && fmpz_sgn(n) >= 0 && fmpz_cmp_ui(n, LARGEST_FACTORIAL) <= 0;
    bool chosen = ps_fraction_integer(x, below, k) && fmpz_sgn(k) >= 0;
    bool ok = ps_fraction_copy(x, &rest, r) && ps_fraction_copy(x, &other, below) &&
              ps_fraction_subtract(x, &rest, below); /* n - k */
    if (closed && chosen && fmpz_cmp(k, n) <= 0) {
        fmpz_bin_uiui(n, fmpz_get_ui(n), fmpz_get_ui(k));
        ca_set_fmpz(value, n, x->context);
        ok = ok && ps_fraction_set(x, r, value);
    } else if (chosen && !closed && fmpz_cmp_ui(k, LARGEST_STEP) <= 0) {
        fmpz_fac_ui(n, fmpz_get_ui(k));
        ca_set_fmpz(value, n, x->context);
        ca_inv(value, value, x->context);
        ok = ok && ps_fraction_set(x, r, value) && times_rising(x, r, &rest, fmpz_get_si(k));
    } else {
        ok = ok && ps_exact_factorial(x, r) && ps_exact_factorial(x, &other) &&
             ps_exact_factorial(x, &rest) && ps_fraction_multiply(x, &other, &rest) &&
             ps_fraction_invert(x, &other) && ps_fraction_multiply(x, r, &other);
    }
    ca_clear(value, x->context);
    fmpz_clear(n);
    fmpz_clear(k);
    ps_fraction_clear(&rest, x);
    ps_fraction_clear(&other, x);
    return ok;
}
