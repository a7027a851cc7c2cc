/* Functions of variables, as atoms of polynomials.
 *
 *   roots          \sqrt{x} is an atom s with s^2 = x
 *   exponentials   b^{u} is split along the sum u and the prime factors of b, so that the laws of
 *                  exponents hold by themselves: 6^{n+1} = 6 \cdot 2^n \cdot 3^n
 *   sine, cosine   and the other circular and hyperbolic functions are quotients of exponentials
 *                  (Euler), so that their identities are identities of polynomials
 *   factorials     (n+1)! is (n+1) n!
 *   logarithms     \ln 2x is \ln 2 + \ln x
 *   the others     are equal where their arguments are
 *
 * Only laws that hold for the principal values are used: \sqrt{x^2} is not x, \sqrt{xy} is not
 * \sqrt{x} \sqrt{y}. A positive number may always be drawn out. */
#include "grade/exact_internal.h"

#include <string.h>

void ps_atoms_release(struct ps_exact *x) {
    for (size_t i = 0; i < x->count; i++) {
        ps_fraction_clear(&x->atoms[i].argument, x);
        ps_fraction_clear(&x->atoms[i].base, x);
    }
    x->count = 0;
}

static bool same_base(struct ps_exact *x, const struct ps_atom *atom,
                      const struct ps_fraction *base) {
    if (!base || !atom->has_base) return !base && !atom->has_base;
    return ps_fraction_equal(x, &atom->base, base) == PS_TRUTH_YES;
}

/* A new atom; its argument and base are copied. */
static struct ps_atom *add_atom(struct ps_exact *x, enum ps_atom_kind kind, const char *name,
                                const struct ps_fraction *argument,
                                const struct ps_fraction *base) {
    if (x->count == PS_TREE_VARIABLES) return NULL;
    struct ps_atom *atom = &x->atoms[x->count++];
    *atom = (struct ps_atom){.kind = kind, .name = name, .has_base = base != NULL};
    ps_fraction_init(&atom->argument);
    ps_fraction_init(&atom->base);
    x->functions |= kind != PS_ATOM_VARIABLE;
    bool ok = (!argument || ps_fraction_copy(x, &atom->argument, argument)) &&
              (!base || ps_fraction_copy(x, &atom->base, base));
    return ok ? atom : NULL;
}

bool ps_exact_variable(struct ps_exact *x, struct ps_fraction *r, const char *name) {
    size_t i = 0;
    while (i < x->count &&
           (x->atoms[i].kind != PS_ATOM_VARIABLE || strcmp(x->atoms[i].name, name) != 0))
        i++;
    if (i == x->count && !add_atom(x, PS_ATOM_VARIABLE, name, NULL, NULL)) return false;
    return ps_fraction_set_atom(x, r, i);
}

/* r = name(r), or name(r, second). */
static bool function_atom(struct ps_exact *x, struct ps_fraction *r, const char *name,
                          const struct ps_fraction *second) {
    size_t i = 0;
    for (; i < x->count; i++) {
        const struct ps_atom *atom = &x->atoms[i];
        if (atom->kind == PS_ATOM_FUNCTION && strcmp(atom->name, name) == 0 &&
            same_base(x, atom, second) && ps_fraction_equal(x, &atom->argument, r) == PS_TRUTH_YES)
            break;
    }
    if (i == x->count && !add_atom(x, PS_ATOM_FUNCTION, name, r, second)) return false;
    return ps_fraction_set_atom(x, r, i);
}

static bool is_positive(struct ps_exact *x, const ca_t value) {
    ca_t zero;
    ca_init(zero, x->context);
    bool positive = ca_check_gt(value, zero, x->context) == T_TRUE;
    ca_clear(zero, x->context);
    return positive;
}

/* f = value * f' with a positive number; 1 where the leading factor is not real. */
static bool draw_out(struct ps_exact *x, struct ps_fraction *f, ca_t value) {
    ca_t inverse;
    if (!ps_fraction_lead(x, f, value)) return false;
    ca_init(inverse, x->context);
    if (ca_check_is_real(value, x->context) != T_TRUE) ca_one(value, x->context);
    ca_abs(value, value, x->context);
    ca_inv(inverse, value, x->context);
    bool ok = is_positive(x, value) && ps_fraction_scale(x, f, inverse);
    ca_clear(inverse, x->context);
    return ok;
}

bool ps_exact_function_atom(struct ps_exact *x, struct ps_fraction *r, const char *name) {
    return function_atom(x, r, name, NULL);
}

bool ps_exact_factorial_atom(struct ps_exact *x, struct ps_fraction *r) {
    return add_atom(x, PS_ATOM_FACTORIAL, "factorial", r, NULL) &&
           ps_fraction_set_atom(x, r, x->count - 1);
}

/* Of what is no number: \ln(c r) is \ln c + \ln r for a positive c. */
bool ps_exact_ln(struct ps_exact *x, struct ps_fraction *r) {
    struct ps_fraction constant;
    ca_t value;
    ps_fraction_init(&constant);
    ca_init(value, x->context);
    bool ok = draw_out(x, r, value);
    if (ok) ca_log(value, value, x->context);
    ok = ok && ps_fraction_set(x, &constant, value) && function_atom(x, r, "ln", NULL) &&
         ps_fraction_add(x, r, &constant);
    ca_clear(value, x->context);
    ps_fraction_clear(&constant, x);
    return ok;
}

/* ---- roots ---- */

/* value = value^(n/d) of a positive number, as a power of its d-th root: equal roots are then one
 * number. */
static bool broken_power(struct ps_exact *x, ca_t value, const fmpq_t exponent) {
    enum { LARGEST_INDEX = 12, LARGEST_POWER = 64 };
    const fmpz *n = fmpq_numref(exponent), *d = fmpq_denref(exponent);
    bool ok = is_positive(x, value) && ++x->radicals <= PS_TREE_RADICALS &&
              fmpz_cmp_ui(d, LARGEST_INDEX) <= 0 && fmpz_cmp_si(n, LARGEST_POWER) <= 0 &&
              fmpz_cmp_si(n, -LARGEST_POWER) >= 0;
    if (!ok) return false;
    ca_t inverse;
    ca_init(inverse, x->context);
    ca_one(inverse, x->context);
    ca_div_fmpz(inverse, inverse, d, x->context);
    ca_pow(value, value, inverse, x->context);
    ca_pow_fmpz(value, value, n, x->context);
    ca_clear(inverse, x->context);
    return ca_check_is_number(value, x->context) == T_TRUE;
}

static bool is_real_polynomial(struct ps_exact *x, const struct ps_polynomial *p) {
    for (size_t i = 0; i < p->count; i++) {
        if (ca_check_is_real(p->terms[i].factor, x->context) != T_TRUE) return false;
        for (size_t k = 0; k < x->count; k++)
            if (p->terms[i].degrees[k] && x->atoms[k].kind != PS_ATOM_VARIABLE) return false;
    }
    return true;
}

/* Real for real variables, which \ln n and (-1)^n are not. */
static bool is_real(struct ps_exact *x, const struct ps_fraction *f) {
    return is_real_polynomial(x, &f->above) && is_real_polynomial(x, &f->below);
}

/* Whether the leading factor is 1: nothing is drawn from under a root with a sign. */
static bool is_one(struct ps_exact *x, const struct ps_fraction *f) {
    ca_t lead;
    ca_init(lead, x->context);
    bool one = ps_fraction_lead(x, f, lead) && ca_check_is_one(lead, x->context) == T_TRUE;
    ca_clear(lead, x->context);
    return one;
}

/* \sqrt{2^n} is 2^{n/2}, for real n: of a product of powers of positive numbers. */
static bool root_of_exponentials(struct ps_exact *x, struct ps_fraction *r, unsigned index,
                                 bool *done) {
    bool single = r->above.count == 1 && ps_polynomial_value(&r->below) &&
                  !ps_polynomial_value(&r->above) && is_one(x, r);
    *done = false;
    for (size_t i = 0; single && i < x->count; i++) {
        short degree = r->above.terms[0].degrees[i];
        const struct ps_atom *atom = &x->atoms[i];
        ca_t lead;
        if (!degree) continue;
        ca_init(lead, x->context);
        single =
            atom->kind == PS_ATOM_EXPONENTIAL && is_real(x, &atom->argument) &&
            (!atom->has_base || (ps_fraction_value(x, &atom->base, lead) && is_positive(x, lead)));
        ca_clear(lead, x->context);
        if (single && degree % (short)index) x->finer = x->scale * index;
    }
    if (!single) return true;
    if (x->finer) return false;
    *done = true;
    for (size_t i = 0; i < x->count; i++)
        r->above.terms[0].degrees[i] = (short)(r->above.terms[0].degrees[i] / (short)index);
    return true;
}

static bool root_atom(struct ps_exact *x, struct ps_fraction *r, unsigned index) {
    bool done;
    if (!root_of_exponentials(x, r, index, &done)) return false;
    if (done) return true;
    size_t i = 0;
    for (; i < x->count; i++) {
        const struct ps_atom *atom = &x->atoms[i];
        if (atom->kind == PS_ATOM_ROOT && atom->index == index &&
            ps_fraction_equal(x, &atom->argument, r) == PS_TRUTH_YES)
            break;
    }
    if (i == x->count) {
        struct ps_atom *atom = add_atom(x, PS_ATOM_ROOT, "root", r, NULL);
        if (!atom) return false;
        atom->index = index;
    }
    return ps_fraction_set_atom(x, r, i);
}

/* Of a number: the real root of a negative one where the index is odd, i times it where it is 2. */
static bool root_of_value(struct ps_exact *x, struct ps_fraction *r, ca_t value, unsigned index) {
    ca_t zero, i;
    fmpq_t q;
    ca_init(zero, x->context);
    ca_init(i, x->context);
    fmpq_init(q);
    fmpq_set_ui(q, 1, index);
    bool negative = ca_check_lt(value, zero, x->context) == T_TRUE;
    if (negative) ca_neg(value, value, x->context);
    bool ok = (!negative || index == 2 || index % 2) && broken_power(x, value, q);
    if (ok && negative && index % 2) ca_neg(value, value, x->context);
    if (ok && negative && index == 2) {
        ca_i(i, x->context);
        ca_mul(value, value, i, x->context);
    }
    ok = ok && ps_fraction_set(x, r, value);
    ca_clear(zero, x->context);
    ca_clear(i, x->context);
    fmpq_clear(q);
    return ok;
}

bool ps_exact_root(struct ps_exact *x, struct ps_fraction *r, unsigned index) {
    if (r->above.count == 0) return true;
    ca_t value;
    fmpq_t q;
    ca_init(value, x->context);
    fmpq_init(q);
    fmpq_set_ui(q, 1, index);
    bool ok;
    if (ps_fraction_value(x, r, value))
        ok = root_of_value(x, r, value, index) || root_atom(x, r, index);
    else
        ok = draw_out(x, r, value) && root_atom(x, r, index) && broken_power(x, value, q) &&
             ps_fraction_scale(x, r, value);
    ca_clear(value, x->context);
    fmpq_clear(q);
    return ok;
}

/* ---- exponentials ---- */

/* r *= base^argument; base NULL: e. */
static bool times_atom(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *base,
                       const struct ps_fraction *argument) {
    enum { FINEST = 60 };
    struct ps_fraction power;
    fmpq_t ratio;
    fmpz_t exponent;
    size_t i = 0;
    fmpq_init(ratio);
    fmpq_one(ratio);
    for (; i < x->count; i++) {
        const struct ps_atom *atom = &x->atoms[i];
        if (atom->kind == PS_ATOM_EXPONENTIAL && same_base(x, atom, base) &&
            ps_fraction_ratio(x, argument, &atom->argument, ratio))
            break;
    }
    bool ok = i < x->count || add_atom(x, PS_ATOM_EXPONENTIAL, "power", argument, base);
    fmpz_init(exponent);
    ps_fraction_init(&power);
    fmpq_t units;
    fmpq_init(units);
    fmpq_set_ui(units, x->scale, 1);
    fmpq_mul(units, units, ratio);
    if (ok && !fmpz_is_one(fmpq_denref(units))) {
        bool fits = fmpz_cmp_ui(fmpq_denref(units), FINEST) <= 0;
        if (fits) x->finer = x->scale * fmpz_get_ui(fmpq_denref(units));
        ok = false;
    }
    fmpz_set(exponent, fmpq_numref(units));
    ok = ok && ps_fraction_set_atom(x, &power, i) && ps_fraction_power(x, &power, exponent) &&
         ps_fraction_multiply(x, r, &power);
    ps_fraction_clear(&power, x);
    fmpq_clear(units);
    fmpq_clear(ratio);
    fmpz_clear(exponent);
    return ok;
}

/* r *= (base^multiple)^argument */
static bool times_base(struct ps_exact *x, struct ps_fraction *r, const fmpz_t base,
                       const fmpq_t multiple, const struct ps_fraction *argument) {
    struct ps_fraction number, scaled;
    ca_t value;
    ps_fraction_init(&number);
    ps_fraction_init(&scaled);
    ca_init(value, x->context);
    ca_set_fmpz(value, base, x->context);
    bool ok = ps_fraction_set(x, &number, value) && ps_fraction_copy(x, &scaled, argument);
    ca_set_fmpq(value, multiple, x->context);
    ok = ok && ps_fraction_scale(x, &scaled, value) && times_atom(x, r, &number, &scaled);
    ca_clear(value, x->context);
    ps_fraction_clear(&number, x);
    ps_fraction_clear(&scaled, x);
    return ok;
}

/* r *= (n^sign/index)^argument, by the prime factors of n; what is left of a large n is one. */
static bool times_primes(struct ps_exact *x, struct ps_fraction *r, const fmpz_t number, int sign,
                         unsigned index, const struct ps_fraction *argument) {
    enum { LARGEST_PRIME = 1000 };
    fmpz_t rest, prime;
    fmpq_t multiple;
    fmpz_init_set(rest, number);
    fmpz_init(prime);
    fmpq_init(multiple);
    bool ok = fmpz_bits(rest) <= 4096;
    if (ok && fmpz_sgn(rest) < 0) {
        fmpz_neg(rest, rest);
        fmpz_set_si(prime, -1);
        fmpq_one(multiple);
        ok = times_base(x, r, prime, multiple, argument);
    }
    for (ulong p = 2; ok && p < LARGEST_PRIME && fmpz_cmp_ui(rest, 1) > 0; p++) {
        fmpz_set_ui(prime, p);
        slong times = fmpz_remove(rest, rest, prime);
        if (!times) continue;
        fmpq_set_si(multiple, sign * times, index);
        ok = times_base(x, r, prime, multiple, argument);
    }
    fmpq_set_si(multiple, sign, index);
    if (ok && fmpz_cmp_ui(rest, 1) > 0) ok = times_base(x, r, rest, multiple, argument);
    fmpz_clear(rest);
    fmpz_clear(prime);
    fmpq_clear(multiple);
    return ok;
}

/* r *= value^argument of a number; a square root and the like by what stands under it. */
static bool times_number(struct ps_exact *x, struct ps_fraction *r, const ca_t value,
                         const struct ps_fraction *argument) {
    enum { LARGEST_INDEX = 6 };
    struct ps_fraction base;
    ca_t power;
    fmpq_t q;
    unsigned index = 1;
    ca_init(power, x->context);
    fmpq_init(q);
    ca_set(power, value, x->context);
    bool rational = ca_get_fmpq(q, power, x->context);
    while (!rational && is_positive(x, value) && ++index <= LARGEST_INDEX) {
        ca_mul(power, power, value, x->context);
        rational = ca_get_fmpq(q, power, x->context);
    }
    ps_fraction_init(&base);
    bool ok = rational
                  ? !fmpq_is_zero(q) && times_primes(x, r, fmpq_numref(q), 1, index, argument) &&
                        times_primes(x, r, fmpq_denref(q), -1, index, argument)
                  : ps_fraction_set(x, &base, value) && times_atom(x, r, &base, argument);
    ps_fraction_clear(&base, x);
    ca_clear(power, x->context);
    fmpq_clear(q);
    return ok;
}

/* r *= base^argument, where the argument is one term. */
static bool times_power(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *base,
                        bool natural, const struct ps_fraction *argument) {
    if (natural) return times_atom(x, r, NULL, argument);
    struct ps_fraction rest;
    ca_t value;
    ca_init(value, x->context);
    ps_fraction_init(&rest);
    bool ok = true;
    if (ps_fraction_value(x, base, value))
        ok = times_number(x, r, value, argument);
    else
        ok = ps_fraction_copy(x, &rest, base) && draw_out(x, &rest, value) &&
             times_number(x, r, value, argument) && times_atom(x, r, &rest, argument);
    ps_fraction_clear(&rest, x);
    ca_clear(value, x->context);
    return ok;
}

/* The exponent is a number. */
static bool closed_power(struct ps_exact *x, struct ps_fraction *r, bool natural,
                         const struct ps_fraction *exponent, ca_t value) {
    fmpq_t q;
    ca_t base;
    fmpq_init(q);
    ca_init(base, x->context);
    bool rational = ca_get_fmpq(q, value, x->context), ok;
    bool integer = rational && fmpz_is_one(fmpq_denref(q));
    bool closed = !natural && ps_fraction_value(x, r, base);
    bool small = rational && fmpz_cmp_ui(fmpq_denref(q), 12) <= 0;
    if (natural) {
        ca_exp(value, value, x->context);
        ok = ++x->radicals <= PS_TREE_RADICALS && ps_fraction_set(x, r, value);
    } else if (integer) {
        ok = ps_fraction_power(x, r, fmpq_numref(q));
    } else if (closed && rational && is_positive(x, base)) {
        ok = broken_power(x, base, q) && ps_fraction_set(x, r, base);
    } else if (closed && !rational && is_positive(x, base)) {
        ca_pow(base, base, value, x->context);
        ok = ++x->radicals <= PS_TREE_RADICALS && ps_fraction_set(x, r, base);
    } else if (!closed && small) {
        ok = ps_exact_root(x, r, (unsigned)fmpz_get_ui(fmpq_denref(q))) &&
             ps_fraction_power(x, r, fmpq_numref(q));
    } else {
        ok = function_atom(x, r, "power", exponent);
    }
    ca_clear(base, x->context);
    fmpq_clear(q);
    return ok;
}

/* Along the terms of a sum; an exponent with variables below is one term. */
bool ps_exact_power(struct ps_exact *x, struct ps_fraction *r, bool natural,
                    const struct ps_fraction *exponent) {
    struct ps_fraction base, term, part;
    ca_t value;
    ca_init(value, x->context);
    if (ps_fraction_value(x, exponent, value)) {
        bool ok = closed_power(x, r, natural, exponent, value);
        ca_clear(value, x->context);
        return ok;
    }
    ps_fraction_init(&base);
    ps_fraction_init(&term);
    ps_fraction_init(&part);
    ps_fraction_swap(&base, r);
    bool ok = ps_fraction_set_si(x, r, 1);
    bool sum = ps_polynomial_value(&exponent->below) != NULL;
    if (!sum) ok = ok && times_power(x, r, &base, natural, exponent);
    for (size_t i = 0; ok && sum && i < exponent->above.count; i++) {
        struct ps_polynomial one = {.terms = &exponent->above.terms[i], .count = 1};
        ok = ps_polynomial_set(&term.above, &one, x->context) &&
             ps_polynomial_set(&term.below, &exponent->below, x->context);
        if (ok && ps_fraction_value(x, &term, value))
            ok = (natural || ps_fraction_copy(x, &part, &base)) &&
                 closed_power(x, &part, natural, &term, value) && ps_fraction_multiply(x, r, &part);
        else
            ok = ok && times_power(x, r, &base, natural, &term);
    }
    ca_clear(value, x->context);
    ps_fraction_clear(&base, x);
    ps_fraction_clear(&term, x);
    ps_fraction_clear(&part, x);
    return ok;
}
