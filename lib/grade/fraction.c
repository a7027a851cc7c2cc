/* Quotients of polynomials in atoms. They are never reduced: two are equal where the products
 * across are, once powers of roots have been replaced by what stands under them. */
#include "grade/exact_internal.h"

#include <stdlib.h>

void ps_fraction_init(struct ps_fraction *f) {
    ps_polynomial_init(&f->above);
    ps_polynomial_init(&f->below);
}

void ps_fraction_clear(struct ps_fraction *f, struct ps_exact *x) {
    ps_polynomial_clear(&f->above, x->context);
    ps_polynomial_clear(&f->below, x->context);
}

void ps_fraction_swap(struct ps_fraction *a, struct ps_fraction *b) {
    ps_polynomial_swap(&a->above, &b->above);
    ps_polynomial_swap(&a->below, &b->below);
}

bool ps_fraction_copy(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *f) {
    return ps_polynomial_set(&r->above, &f->above, x->context) &&
           ps_polynomial_set(&r->below, &f->below, x->context);
}

bool ps_fraction_set(struct ps_exact *x, struct ps_fraction *r, const ca_t value) {
    ca_t one;
    ca_init(one, x->context);
    ca_one(one, x->context);
    bool ok = ps_polynomial_constant(&r->above, value, x->context) &&
              ps_polynomial_constant(&r->below, one, x->context);
    ca_clear(one, x->context);
    return ok;
}

bool ps_fraction_set_si(struct ps_exact *x, struct ps_fraction *r, slong value) {
    ca_t number;
    ca_init(number, x->context);
    ca_set_si(number, value, x->context);
    bool ok = ps_fraction_set(x, r, number);
    ca_clear(number, x->context);
    return ok;
}

bool ps_fraction_set_atom(struct ps_exact *x, struct ps_fraction *r, size_t atom) {
    return ps_fraction_set_si(x, r, 1) && ps_polynomial_atom(&r->above, atom, x->context);
}

bool ps_fraction_multiply(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *b) {
    return ps_polynomial_multiply(&r->above, &r->above, &b->above, x->context) &&
           ps_polynomial_multiply(&r->below, &r->below, &b->below, x->context);
}

bool ps_fraction_scale(struct ps_exact *x, struct ps_fraction *r, const ca_t factor) {
    struct ps_fraction other;
    ps_fraction_init(&other);
    bool ok = ps_fraction_set(x, &other, factor) && ps_fraction_multiply(x, r, &other);
    ps_fraction_clear(&other, x);
    return ok;
}

bool ps_fraction_add(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *b) {
    struct ps_polynomial other;
    ps_polynomial_init(&other);
    bool ok = ps_polynomial_multiply(&other, &b->above, &r->below, x->context) &&
              ps_polynomial_multiply(&r->above, &r->above, &b->below, x->context) &&
              ps_polynomial_add(&r->above, &r->above, &other, x->context) &&
              ps_polynomial_multiply(&r->below, &r->below, &b->below, x->context);
    ps_polynomial_clear(&other, x->context);
    return ok;
}

bool ps_fraction_subtract(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *b) {
    ps_polynomial_negate(&r->above, x->context);
    bool ok = ps_fraction_add(x, r, b);
    ps_polynomial_negate(&r->above, x->context);
    return ok;
}

bool ps_fraction_invert(struct ps_exact *x, struct ps_fraction *r) {
    if (ps_exact_is_zero(x, &r->above) != PS_TRUTH_NO) return false;
    ps_polynomial_swap(&r->above, &r->below);
    return true;
}

bool ps_fraction_value(struct ps_exact *x, const struct ps_fraction *f, ca_t value) {
    const ca_struct *above = ps_polynomial_value(&f->above);
    const ca_struct *below = ps_polynomial_value(&f->below);
    if (f->above.count > 0 && !above) return false;
    if (!below || ca_check_is_zero(below, x->context) != T_FALSE) return false;
    if (!above)
        ca_zero(value, x->context);
    else
        ca_div(value, above, below, x->context);
    return ca_check_is_number(value, x->context) == T_TRUE;
}

bool ps_fraction_integer(struct ps_exact *x, const struct ps_fraction *f, fmpz_t value) {
    ca_t number;
    ca_init(number, x->context);
    bool ok = ps_fraction_value(x, f, number) && ca_get_fmpz(value, number, x->context);
    ca_clear(number, x->context);
    return ok;
}

/* By squaring. */
static bool by_squaring(struct ps_exact *x, struct ps_fraction *r, ulong n) {
    struct ps_fraction base, copy;
    ps_fraction_init(&base);
    ps_fraction_init(&copy);
    ps_fraction_swap(&base, r);
    bool ok = ps_fraction_set_si(x, r, 1);
    for (; ok && n; n >>= 1) {
        if (n & 1) ok = ps_fraction_multiply(x, r, &base);
        if (ok && n > 1) ok = ps_fraction_copy(x, &copy, &base);
        if (ok && n > 1) ok = ps_fraction_multiply(x, &base, &copy);
    }
    ps_fraction_clear(&copy, x);
    ps_fraction_clear(&base, x);
    return ok;
}

/* A power of a number without atoms: rational ones may be large, and of roots of unity only the
 * remainder of the exponent counts. */
static bool raise_value(struct ps_exact *x, struct ps_fraction *r, ca_t base, ulong n) {
    enum { UNITY = 24, LARGEST_BITS = 200000 };
    fmpq_t q;
    ca_t power;
    fmpq_init(q);
    ca_init(power, x->context);
    bool rational = ca_get_fmpq(q, base, x->context);
    ulong bits = fmpz_bits(fmpq_numref(q)) + fmpz_bits(fmpq_denref(q));
    bool ok = rational ? n <= LARGEST_BITS / bits : n <= PS_TREE_POWER || n > UNITY;
    if (ok && !rational && n > UNITY) {
        ca_pow_ui(power, base, UNITY, x->context);
        bool unity = ca_check_is_one(power, x->context) == T_TRUE;
        ok = unity || n <= PS_TREE_POWER;
        if (unity) n %= UNITY;
    }
    if (ok) {
        ca_pow_ui(power, base, n, x->context);
        ok = ps_fraction_set(x, r, power);
    }
    ca_clear(power, x->context);
    fmpq_clear(q);
    return ok;
}

bool ps_fraction_power(struct ps_exact *x, struct ps_fraction *r, const fmpz_t exponent) {
    enum { LARGEST_BITS = 24 };
    if (fmpz_bits(exponent) > LARGEST_BITS) return false;
    ulong n = (ulong)labs(fmpz_get_si(exponent));
    if (fmpz_sgn(exponent) < 0 && !ps_fraction_invert(x, r)) return false;
    ca_t value;
    ca_init(value, x->context);
    bool closed = ps_fraction_value(x, r, value);
    bool ok = closed ? raise_value(x, r, value, n) : n <= PS_TREE_POWER && by_squaring(x, r, n);
    ca_clear(value, x->context);
    return ok;
}

bool ps_fraction_lead(struct ps_exact *x, const struct ps_fraction *f, ca_t lead) {
    if (f->above.count == 0 || f->below.count == 0) return false;
    ca_div(lead, f->above.terms[0].factor, f->below.terms[0].factor, x->context);
    return ca_check_is_number(lead, x->context) == T_TRUE;
}

/* ---- equality ---- */

/* p with atom^index replaced by above/below, times a power of below. */
static bool put_in(struct ps_exact *x, struct ps_polynomial *p, size_t atom) {
    const struct ps_atom *root = &x->atoms[atom];
    struct ps_polynomial sum, term;
    int index = (int)root->index, most = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->terms[i].degrees[atom] / index > most) most = p->terms[i].degrees[atom] / index;
    if (most == 0) return true;
    ps_polynomial_init(&sum);
    ps_polynomial_init(&term);
    bool ok = true;
    for (size_t i = 0; ok && i < p->count; i++) {
        struct ps_term rest = p->terms[i];
        int times = rest.degrees[atom] / index;
        rest.degrees[atom] = (short)(rest.degrees[atom] % index);
        struct ps_polynomial one = {.terms = &rest, .count = 1, .capacity = 1};
        ok = ps_polynomial_set(&term, &one, x->context);
        for (int k = 0; ok && k < most; k++) {
            const struct ps_polynomial *by =
                k < times ? &root->argument.above : &root->argument.below;
            ok = ps_polynomial_multiply(&term, &term, by, x->context);
        }
        ok = ok && ps_polynomial_add(&sum, &sum, &term, x->context);
    }
    ps_polynomial_swap(p, &sum);
    ps_polynomial_clear(&sum, x->context);
    ps_polynomial_clear(&term, x->context);
    return ok;
}

enum ps_truth ps_exact_is_zero(struct ps_exact *x, const struct ps_polynomial *p) {
    struct ps_polynomial copy;
    ps_polynomial_init(&copy);
    bool ok = ps_polynomial_set(&copy, p, x->context);
    for (size_t i = x->count; ok && i-- > 0;) /* what stands under a root is older than the root */
        if (x->atoms[i].kind == PS_ATOM_ROOT) ok = put_in(x, &copy, i);
    enum ps_truth truth = ok ? ps_polynomial_is_zero(&copy, x->context) : PS_TRUTH_UNKNOWN;
    ps_polynomial_clear(&copy, x->context);
    return truth;
}

/* The products across: a's numerator times b's denominator, and the other way round. */
static bool cross(struct ps_exact *x, const struct ps_fraction *a, const struct ps_fraction *b,
                  struct ps_polynomial *left, struct ps_polynomial *right) {
    return ps_polynomial_multiply(left, &a->above, &b->below, x->context) &&
           ps_polynomial_multiply(right, &b->above, &a->below, x->context);
}

enum ps_truth ps_fraction_equal(struct ps_exact *x, const struct ps_fraction *a,
                                const struct ps_fraction *b) {
    struct ps_polynomial left, right;
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    ps_polynomial_init(&left);
    ps_polynomial_init(&right);
    if (cross(x, a, b, &left, &right)) {
        ps_polynomial_negate(&right, x->context);
        if (ps_polynomial_add(&left, &left, &right, x->context)) truth = ps_exact_is_zero(x, &left);
    }
    ps_polynomial_clear(&left, x->context);
    ps_polynomial_clear(&right, x->context);
    return truth;
}

bool ps_fraction_ratio(struct ps_exact *x, const struct ps_fraction *a, const struct ps_fraction *b,
                       fmpq_t ratio) {
    struct ps_fraction scaled;
    ca_t first, second;
    ps_fraction_init(&scaled);
    ca_init(first, x->context);
    ca_init(second, x->context);
    bool ok = ps_fraction_lead(x, a, first) && ps_fraction_lead(x, b, second);
    if (ok) ca_div(first, first, second, x->context);
    ok = ok && ca_get_fmpq(ratio, first, x->context) && !fmpq_is_zero(ratio) &&
         ps_fraction_copy(x, &scaled, b) && ps_fraction_scale(x, &scaled, first) &&
         ps_fraction_equal(x, a, &scaled) == PS_TRUTH_YES;
    ca_clear(first, x->context);
    ca_clear(second, x->context);
    ps_fraction_clear(&scaled, x);
    return ok;
}
