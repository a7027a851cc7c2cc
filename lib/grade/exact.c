/* Values, exactly: an expression becomes a quotient of polynomials whose factors are numbers of
 * Calcium (Johansson, "Calcium: computing in exact real and complex fields", ISSAC 2021), and whose
 * atoms are variables and functions of them (atoms.c). Equal quotients are equal values wherever
 * both have one; different ones prove nothing unless all atoms are plain variables.
 *
 * What is different is mostly seen before, from enclosures at a few points. */
#include "grade/exact_internal.h"

#include <string.h>

static void begin(struct ps_exact *x, ulong scale) {
    memset(x, 0, sizeof *x);
    x->scale = scale;
    ca_ctx_init(x->context);
    ca_ctx_set_option(x->context, CA_OPT_PREC_LIMIT, 1024);
    ca_ctx_set_option(x->context, CA_OPT_QQBAR_DEG_LIMIT, 40);
    ca_ctx_set_option(x->context, CA_OPT_POW_LIMIT, 20);
}

static void end(struct ps_exact *x) {
    ps_atoms_release(x);
    ca_ctx_clear(x->context);
}

/* ---- trees ---- */

static bool evaluate(struct ps_exact *x, const struct ps_node *node, struct ps_fraction *r);

static bool leaf(struct ps_exact *x, const struct ps_node *node, struct ps_fraction *r) {
    fmpq_t q;
    ca_t value;
    bool ok = true;
    if (node->kind == PS_NODE_VARIABLE) return ps_exact_variable(x, r, node->name);
    fmpq_init(q);
    ca_init(value, x->context);
    if (node->kind == PS_NODE_NUMBER) {
        ps_number_value(node, q);
        ca_set_fmpq(value, q, x->context);
    } else if (strcmp(node->name, "pi") == 0) {
        ca_pi(value, x->context);
    } else if (strcmp(node->name, "i") == 0) {
        ca_i(value, x->context);
    } else if (strcmp(node->name, "e") == 0) {
        ca_one(value, x->context);
        ca_exp(value, value, x->context);
    } else {
        ok = false;
    }
    ok = ok && ps_fraction_set(x, r, value);
    ca_clear(value, x->context);
    fmpq_clear(q);
    return ok;
}

static bool degrees(struct ps_exact *x, const struct ps_node *node, struct ps_fraction *r) {
    ca_t value;
    ca_init(value, x->context);
    ca_pi(value, x->context);
    ca_div_ui(value, value, 180, x->context);
    bool ok = evaluate(x, node->items[0], r) && ps_fraction_scale(x, r, value);
    ca_clear(value, x->context);
    return ok;
}

static bool fold(struct ps_exact *x, const struct ps_node *node, struct ps_fraction *r) {
    bool ok = evaluate(x, node->items[0], r);
    for (size_t i = 1; ok && i < node->count; i++) {
        struct ps_fraction item;
        ps_fraction_init(&item);
        ok = evaluate(x, node->items[i], &item);
        if (ok && node->kind == PS_NODE_QUOTIENT) ok = ps_fraction_invert(x, &item);
        if (ok)
            ok = node->kind == PS_NODE_SUM ? ps_fraction_add(x, r, &item)
                                           : ps_fraction_multiply(x, r, &item);
        ps_fraction_clear(&item, x);
    }
    return ok;
}

/* Two operands, of which the second is an exponent, an index, a base or what is chosen. */
static bool binary(struct ps_exact *x, const struct ps_node *node, struct ps_fraction *r) {
    struct ps_fraction second;
    fmpz_t index;
    const struct ps_node *first = node->items[0];
    ps_fraction_init(&second);
    fmpz_init(index);
    bool natural = first->kind == PS_NODE_CONSTANT && first->name[0] == 'e';
    bool ok = evaluate(x, first, r) && evaluate(x, node->items[1], &second);
    if (!ok) {
    } else if (node->kind == PS_NODE_POWER) {
        ok = ps_exact_power(x, r, natural, &second);
    } else if (node->kind == PS_NODE_CALL) {
        ok = ps_exact_logarithm(x, r, &second);
    } else if (node->kind == PS_NODE_BINOMIAL) {
        ok = ps_exact_binomial(x, r, &second);
    } else {
        ok = ps_fraction_integer(x, &second, index) && fmpz_cmp_ui(index, 2) >= 0 &&
             fmpz_cmp_ui(index, 1000) <= 0 && ps_exact_root(x, r, (unsigned)fmpz_get_ui(index));
    }
    fmpz_clear(index);
    ps_fraction_clear(&second, x);
    return ok;
}

static bool evaluate(struct ps_exact *x, const struct ps_node *node, struct ps_fraction *r) {
    switch (node->kind) {
    case PS_NODE_NUMBER:
    case PS_NODE_CONSTANT:
    case PS_NODE_VARIABLE: return leaf(x, node, r);
    case PS_NODE_SUM:
    case PS_NODE_PRODUCT:
    case PS_NODE_QUOTIENT: return fold(x, node, r);
    case PS_NODE_NEGATIVE:
        if (!evaluate(x, node->items[0], r)) return false;
        ps_polynomial_negate(&r->above, x->context);
        return true;
    case PS_NODE_POWER:
    case PS_NODE_ROOT:
    case PS_NODE_BINOMIAL: return binary(x, node, r);
    case PS_NODE_CALL:
        if (node->count == 2) return binary(x, node, r);
        if (!evaluate(x, node->items[0], r)) return false;
        return strcmp(node->name, "log") == 0 ? ps_exact_logarithm(x, r, NULL)
                                              : ps_exact_function(x, r, node->name);
    case PS_NODE_FACTORIAL: return evaluate(x, node->items[0], r) && ps_exact_factorial(x, r);
    case PS_NODE_DEGREES: return degrees(x, node, r);
    default: return false;
    }
}

/* ---- values ---- */

/* One attempt; *finer: another one with this scale may do better. */
static enum ps_truth equal(const struct ps_node *a, const struct ps_node *b, ulong scale,
                           ulong *finer) {
    struct ps_exact x;
    struct ps_fraction left, right;
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    begin(&x, scale);
    ps_fraction_init(&left);
    ps_fraction_init(&right);
    if (evaluate(&x, a, &left) && evaluate(&x, b, &right)) {
        truth = ps_fraction_equal(&x, &left, &right);
        if (truth == PS_TRUTH_NO && x.functions) truth = PS_TRUTH_UNKNOWN;
    }
    *finer = x.finer;
    ps_fraction_clear(&left, &x);
    ps_fraction_clear(&right, &x);
    end(&x);
    return truth;
}

enum { ATTEMPTS = 4, FINEST_SCALE = 60 };

enum ps_truth ps_exact_equal(const struct ps_node *a, const struct ps_node *b) {
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    ulong scale = 1, finer = 0;
    for (int i = 0; i < ATTEMPTS && scale <= FINEST_SCALE; i++) {
        truth = equal(a, b, scale, &finer);
        if (!finer) break;
        scale = finer;
    }
    return truth;
}

/* ---- relations ---- */

/* Whether a = c b for a number c that is not zero, or positive. */
static enum ps_truth proportional(struct ps_exact *x, struct ps_fraction *a, struct ps_fraction *b,
                                  bool positive) {
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    if (a->above.count == 0 || b->above.count == 0)
        return a->above.count == b->above.count ? PS_TRUTH_YES : PS_TRUTH_UNKNOWN;
    ca_t ratio, lead, zero;
    ca_init(ratio, x->context);
    ca_init(lead, x->context);
    ca_init(zero, x->context);
    if (ps_fraction_lead(x, a, ratio) && ps_fraction_lead(x, b, lead)) {
        ca_div(ratio, ratio, lead, x->context);
        if (ps_fraction_scale(x, b, ratio)) truth = ps_fraction_equal(x, a, b);
    }
    if (truth == PS_TRUTH_YES && ca_check_is_zero(ratio, x->context) != T_FALSE)
        truth = PS_TRUTH_UNKNOWN;
    if (truth == PS_TRUTH_YES && positive) {
        truth_t above = ca_check_gt(ratio, zero, x->context);
        truth = above == T_TRUE ? PS_TRUTH_YES : above == T_FALSE ? PS_TRUTH_NO : PS_TRUTH_UNKNOWN;
    }
    if (truth == PS_TRUTH_NO && x->functions) truth = PS_TRUTH_UNKNOWN;
    ca_clear(ratio, x->context);
    ca_clear(lead, x->context);
    ca_clear(zero, x->context);
    return truth;
}

static bool difference(struct ps_exact *x, const struct ps_node *a, const struct ps_node *b,
                       struct ps_fraction *r) {
    struct ps_fraction other;
    ps_fraction_init(&other);
    bool ok = evaluate(x, a, r) && evaluate(x, b, &other) && ps_fraction_subtract(x, r, &other);
    ps_fraction_clear(&other, x);
    return ok;
}

static bool clear_below(struct ps_exact *x, struct ps_fraction *f) {
    struct ps_fraction one;
    ps_fraction_init(&one);
    bool ok = ps_fraction_set_si(x, &one, 1);
    if (ok) ps_polynomial_swap(&f->below, &one.below);
    ps_fraction_clear(&one, x);
    return ok;
}

enum ps_truth ps_relations_equal(const struct ps_node *f, const struct ps_node *g,
                                 const struct ps_node *h, const struct ps_node *k, bool positive) {
    struct ps_exact x;
    struct ps_fraction left, right;
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    begin(&x, 1);
    ps_fraction_init(&left);
    ps_fraction_init(&right);
    if (difference(&x, f, g, &left) && difference(&x, h, k, &right))
        truth = proportional(&x, &left, &right, positive);
    /* xy = 1 and y = 1/x: the same numerators */
    if (truth != PS_TRUTH_YES && !positive && clear_below(&x, &left) && clear_below(&x, &right) &&
        proportional(&x, &left, &right, false) == PS_TRUTH_YES)
        truth = PS_TRUTH_YES;
    ps_fraction_clear(&left, &x);
    ps_fraction_clear(&right, &x);
    end(&x);
    return truth;
}
