/* Values, exactly: an expression becomes a quotient of polynomials whose factors are numbers of
 * Calcium (Johansson, "Calcium: computing in exact real and complex fields", ISSAC 2021). A
 * function of variables (\sqrt{x}, \sin x, 2^{n}) counts as one more variable, told by its text:
 * equal quotients are then equal values, while different ones prove nothing unless both are
 * numbers.
 *
 * What is different is mostly seen before, from enclosures at a few points. */
#include "grade/value_internal.h"

#include <string.h>

struct fraction {
    struct ps_polynomial above, below;
};

struct exact {
    ca_ctx_t context;
    struct ps_atoms atoms;
    int radicals;
    bool functions; /* some atom is no plain variable */
};

static void begin(struct exact *x) {
    memset(x, 0, sizeof *x);
    ca_ctx_init(x->context);
    ca_ctx_set_option(x->context, CA_OPT_PREC_LIMIT, 1024);
    ca_ctx_set_option(x->context, CA_OPT_QQBAR_DEG_LIMIT, 40);
    ca_ctx_set_option(x->context, CA_OPT_POW_LIMIT, 20);
}

static void end(struct exact *x) {
    for (size_t i = 0; i < x->atoms.count; i++) ps_free(x->atoms.names[i]);
    ca_ctx_clear(x->context);
}

static void fraction_init(struct fraction *f) {
    ps_polynomial_init(&f->above);
    ps_polynomial_init(&f->below);
}

static void fraction_clear(struct fraction *f, struct exact *x) {
    ps_polynomial_clear(&f->above, x->context);
    ps_polynomial_clear(&f->below, x->context);
}

static void fraction_swap(struct fraction *a, struct fraction *b) {
    ps_polynomial_swap(&a->above, &b->above);
    ps_polynomial_swap(&a->below, &b->below);
}

static bool set_value(struct exact *x, struct fraction *r, const ca_t value) {
    ca_t one;
    ca_init(one, x->context);
    ca_one(one, x->context);
    bool ok = ps_polynomial_constant(&r->above, value, x->context) &&
              ps_polynomial_constant(&r->below, one, x->context);
    ca_clear(one, x->context);
    return ok;
}

static bool set_atom(struct exact *x, struct fraction *r, const char *name) {
    struct ps_atoms *atoms = &x->atoms;
    size_t i = 0;
    while (i < atoms->count && strcmp(atoms->names[i], name) != 0) i++;
    if (i == PS_TREE_VARIABLES) return false;
    if (i == atoms->count) {
        atoms->names[i] = ps_strdup(name);
        if (!atoms->names[i]) return false;
        atoms->count++;
    }
    ca_t one;
    ca_init(one, x->context);
    ca_one(one, x->context);
    bool ok = ps_polynomial_atom(&r->above, i, x->context) &&
              ps_polynomial_constant(&r->below, one, x->context);
    ca_clear(one, x->context);
    return ok;
}

/* A function of variables, or a number that is left as it is. */
static bool set_opaque(struct exact *x, struct fraction *r, const struct ps_node *node) {
    struct ps_buffer text;
    ps_buffer_init(&text, 1 << 16);
    bool ok = ps_node_print(node, &text) && set_atom(x, r, text.data);
    x->functions = true;
    ps_buffer_release(&text);
    return ok;
}

/* ---- arithmetic ---- */

static bool multiply(struct exact *x, struct fraction *r, const struct fraction *b) {
    return ps_polynomial_multiply(&r->above, &r->above, &b->above, x->context) &&
           ps_polynomial_multiply(&r->below, &r->below, &b->below, x->context);
}

static bool add(struct exact *x, struct fraction *r, const struct fraction *b) {
    struct ps_polynomial other;
    ps_polynomial_init(&other);
    bool ok = ps_polynomial_multiply(&other, &b->above, &r->below, x->context) &&
              ps_polynomial_multiply(&r->above, &r->above, &b->below, x->context) &&
              ps_polynomial_add(&r->above, &r->above, &other, x->context) &&
              ps_polynomial_multiply(&r->below, &r->below, &b->below, x->context);
    ps_polynomial_clear(&other, x->context);
    return ok;
}

static bool invert(struct exact *x, struct fraction *r) {
    if (ps_polynomial_is_zero(&r->above, x->context) != PS_TRUTH_NO) return false;
    ps_polynomial_swap(&r->above, &r->below);
    return true;
}

/* The value of one without atoms. false: it has some, or divides by what may be zero. */
static bool get_value(struct exact *x, const struct fraction *f, ca_t value) {
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

/* By squaring. */
static bool to_power(struct exact *x, struct fraction *r, ulong n) {
    struct fraction base;
    ca_t one;
    fraction_init(&base);
    fraction_swap(&base, r);
    ca_init(one, x->context);
    ca_one(one, x->context);
    bool ok = set_value(x, r, one);
    for (; ok && n; n >>= 1) {
        if (n & 1) ok = multiply(x, r, &base);
        if (ok && n > 1) {
            struct fraction copy;
            fraction_init(&copy);
            ok = ps_polynomial_set(&copy.above, &base.above, x->context) &&
                 ps_polynomial_set(&copy.below, &base.below, x->context) &&
                 multiply(x, &base, &copy);
            fraction_clear(&copy, x);
        }
    }
    ca_clear(one, x->context);
    fraction_clear(&base, x);
    return ok;
}

static bool evaluate(struct exact *x, const struct ps_node *node, struct fraction *r);

/* base^(n/d) of a positive number, as a power of its d-th root: equal roots are then one number. */
static bool broken_power(struct exact *x, const ca_t base, const fmpq_t exponent, ca_t value) {
    enum { LARGEST_INDEX = 12, LARGEST_POWER = 64 };
    ca_t zero, one;
    ca_init(zero, x->context);
    ca_init(one, x->context);
    const fmpz *n = fmpq_numref(exponent), *d = fmpq_denref(exponent);
    bool ok = ca_check_gt(base, zero, x->context) == T_TRUE && ++x->radicals <= PS_TREE_RADICALS &&
              fmpz_cmp_ui(d, LARGEST_INDEX) <= 0 && fmpz_cmp_si(n, LARGEST_POWER) <= 0 &&
              fmpz_cmp_si(n, -LARGEST_POWER) >= 0;
    if (ok) {
        ca_one(one, x->context);
        ca_div_fmpz(one, one, d, x->context);
        ca_pow(value, base, one, x->context);
        ca_pow_fmpz(value, value, n, x->context);
    }
    ca_clear(zero, x->context);
    ca_clear(one, x->context);
    return ok;
}

static bool power(struct exact *x, const struct ps_node *node, struct fraction *r) {
    struct fraction exponent;
    ca_t value, base;
    fmpq_t q;
    fraction_init(&exponent);
    ca_init(value, x->context);
    ca_init(base, x->context);
    fmpq_init(q);
    bool ok = evaluate(x, node->items[0], r) && evaluate(x, node->items[1], &exponent);
    bool closed = ok && get_value(x, &exponent, value) && ca_get_fmpq(q, value, x->context);
    bool integer = closed && fmpz_is_one(fmpq_denref(q));
    bool natural = node->items[0]->kind == PS_NODE_CONSTANT && node->items[0]->name[0] == 'e';
    if (!ok) {
    } else if (natural && !integer && get_value(x, &exponent, value) &&
               ++x->radicals <= PS_TREE_RADICALS) {
        ca_exp(value, value, x->context);
        ok = set_value(x, r, value);
    } else if (integer) {
        ok = fmpz_cmp_si(fmpq_numref(q), PS_TREE_POWER) <= 0 &&
             fmpz_cmp_si(fmpq_numref(q), -PS_TREE_POWER) >= 0;
        slong n = ok ? fmpz_get_si(fmpq_numref(q)) : 0;
        if (n < 0) ok = ok && invert(x, r);
        ok = ok && to_power(x, r, (ulong)(n < 0 ? -n : n));
    } else if (closed && get_value(x, r, base) && broken_power(x, base, q, value)) {
        ok = set_value(x, r, value);
    } else {
        ok = set_opaque(x, r, node);
    }
    fmpq_clear(q);
    ca_clear(value, x->context);
    ca_clear(base, x->context);
    fraction_clear(&exponent, x);
    return ok;
}

static bool root(struct exact *x, const struct ps_node *node, struct fraction *r) {
    struct fraction index;
    ca_t value, k, zero;
    fmpq_t q;
    fraction_init(&index);
    ca_init(value, x->context);
    ca_init(k, x->context);
    ca_init(zero, x->context);
    fmpq_init(q);
    bool ok = evaluate(x, node->items[0], r) && evaluate(x, node->items[1], &index);
    bool closed = ok && get_value(x, r, value) && get_value(x, &index, k) &&
                  ca_get_fmpq(q, k, x->context) && fmpz_is_one(fmpq_denref(q)) &&
                  fmpz_cmp_ui(fmpq_numref(q), 2) >= 0;
    if (closed) {
        bool negative = ca_check_lt(value, zero, x->context) == T_TRUE;
        bool square = fmpz_equal_ui(fmpq_numref(q), 2), odd = fmpz_is_odd(fmpq_numref(q));
        if (negative) ca_neg(value, value, x->context);
        fmpq_inv(q, q);
        closed = (!negative || square || odd) && broken_power(x, value, q, value);
        if (closed && negative && odd) ca_neg(value, value, x->context);
        if (closed && negative && square) {
            ca_i(k, x->context);
            ca_mul(value, value, k, x->context);
        }
    }
    if (ok && closed)
        ok = set_value(x, r, value);
    else if (ok && ps_polynomial_is_zero(&r->above, x->context) != PS_TRUTH_YES)
        ok = set_opaque(x, r, node);
    fmpq_clear(q);
    ca_clear(value, x->context);
    ca_clear(k, x->context);
    ca_clear(zero, x->context);
    fraction_clear(&index, x);
    return ok;
}

/* ---- functions ---- */

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

static bool log_to_base(struct exact *x, const struct ps_node *node, ca_t value) {
    struct fraction base;
    ca_t number;
    fraction_init(&base);
    ca_init(number, x->context);
    bool ok = evaluate(x, node->items[1], &base) && get_value(x, &base, number);
    if (ok) {
        ca_log(value, value, x->context);
        ca_log(number, number, x->context);
        ca_div(value, value, number, x->context);
    }
    ca_clear(number, x->context);
    fraction_clear(&base, x);
    return ok;
}

static bool call(struct exact *x, const struct ps_node *node, struct fraction *r) {
    static const struct {
        const char *name;
        void (*function)(ca_t, const ca_t, ca_ctx_t);
    } known[] = {{"exp", ca_exp},      {"ln", ca_log},     {"abs", ca_abs},    {"floor", ca_floor},
                 {"ceiling", ca_ceil}, {"sin", ca_sin},    {"cos", ca_cos},    {"tan", ca_tan},
                 {"sec", secant},      {"csc", cosecant},  {"cot", cotangent}, {"arcsin", ca_asin},
                 {"arccos", ca_acos},  {"arctan", ca_atan}};
    ca_t value;
    ca_init(value, x->context);
    bool ok = evaluate(x, node->items[0], r);
    bool closed = ok && get_value(x, r, value) && ++x->radicals <= PS_TREE_RADICALS;
    size_t i = 0, count = sizeof known / sizeof *known;
    while (i < count && strcmp(known[i].name, node->name) != 0) i++;
    if (closed && i < count)
        known[i].function(value, value, x->context);
    else
        closed = closed && node->count == 2 && log_to_base(x, node, value);
    /* The logarithm without a base stays what it is: books mean 10 or e. */
    if (ok) ok = closed ? set_value(x, r, value) : set_opaque(x, r, node);
    ca_clear(value, x->context);
    return ok;
}

static bool count(struct exact *x, const struct ps_node *node, struct fraction *r) {
    enum { LARGEST = 1000 };
    struct fraction below;
    ca_t value;
    fmpz_t n, k;
    fraction_init(&below);
    ca_init(value, x->context);
    fmpz_init(n);
    fmpz_init(k);
    bool choose = node->kind == PS_NODE_BINOMIAL;
    bool ok = evaluate(x, node->items[0], r) && (!choose || evaluate(x, node->items[1], &below));
    bool closed = ok && get_value(x, r, value) && ca_get_fmpz(n, value, x->context) &&
                  fmpz_sgn(n) >= 0 && fmpz_cmp_ui(n, LARGEST) <= 0;
    if (closed && choose)
        closed = get_value(x, &below, value) && ca_get_fmpz(k, value, x->context) &&
                 fmpz_sgn(k) >= 0 && fmpz_cmp(k, n) <= 0;
    if (closed && choose)
        fmpz_bin_uiui(n, fmpz_get_ui(n), fmpz_get_ui(k));
    else if (closed)
        fmpz_fac_ui(n, fmpz_get_ui(n));
    ca_set_fmpz(value, n, x->context);
    if (ok) ok = closed ? set_value(x, r, value) : set_opaque(x, r, node);
    fmpz_clear(n);
    fmpz_clear(k);
    ca_clear(value, x->context);
    fraction_clear(&below, x);
    return ok;
}

/* ---- trees ---- */

static bool leaf(struct exact *x, const struct ps_node *node, struct fraction *r) {
    fmpq_t q;
    ca_t value;
    bool ok = true;
    if (node->kind == PS_NODE_VARIABLE) return set_atom(x, r, node->name);
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
    ok = ok && set_value(x, r, value);
    ca_clear(value, x->context);
    fmpq_clear(q);
    return ok;
}

static bool degrees(struct exact *x, const struct ps_node *node, struct fraction *r) {
    struct fraction unit;
    ca_t value;
    fraction_init(&unit);
    ca_init(value, x->context);
    ca_pi(value, x->context);
    ca_div_ui(value, value, 180, x->context);
    bool ok = evaluate(x, node->items[0], r) && set_value(x, &unit, value) && multiply(x, r, &unit);
    ca_clear(value, x->context);
    fraction_clear(&unit, x);
    return ok;
}

static bool fold(struct exact *x, const struct ps_node *node, struct fraction *r) {
    bool ok = evaluate(x, node->items[0], r);
    for (size_t i = 1; ok && i < node->count; i++) {
        struct fraction item;
        fraction_init(&item);
        ok = evaluate(x, node->items[i], &item);
        if (ok && node->kind == PS_NODE_QUOTIENT) ok = invert(x, &item);
        if (ok) ok = node->kind == PS_NODE_SUM ? add(x, r, &item) : multiply(x, r, &item);
        fraction_clear(&item, x);
    }
    return ok;
}

static bool evaluate(struct exact *x, const struct ps_node *node, struct fraction *r) {
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
    case PS_NODE_POWER: return power(x, node, r);
    case PS_NODE_ROOT: return root(x, node, r);
    case PS_NODE_CALL: return call(x, node, r);
    case PS_NODE_FACTORIAL:
    case PS_NODE_BINOMIAL: return count(x, node, r);
    case PS_NODE_DEGREES: return degrees(x, node, r);
    default: return false;
    }
}

/* above - below of a over b: a's numerator times b's denominator, and the other way round. */
static bool cross(struct exact *x, struct fraction *a, const struct fraction *b,
                  struct ps_polynomial *other) {
    return ps_polynomial_multiply(other, &b->above, &a->below, x->context) &&
           ps_polynomial_multiply(&a->above, &a->above, &b->below, x->context);
}

enum ps_truth ps_exact_equal(const struct ps_node *a, const struct ps_node *b) {
    struct exact x;
    struct fraction left, right;
    struct ps_polynomial other;
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    begin(&x);
    fraction_init(&left);
    fraction_init(&right);
    ps_polynomial_init(&other);
    if (evaluate(&x, a, &left) && evaluate(&x, b, &right) && cross(&x, &left, &right, &other)) {
        ps_polynomial_negate(&other, x.context);
        if (ps_polynomial_add(&other, &other, &left.above, x.context))
            truth = ps_polynomial_is_zero(&other, x.context);
        if (truth == PS_TRUTH_NO && x.functions) truth = PS_TRUTH_UNKNOWN;
    }
    ps_polynomial_clear(&other, x.context);
    fraction_clear(&left, &x);
    fraction_clear(&right, &x);
    end(&x);
    return truth;
}

/* Whether a = c b for a number c that is not zero, or positive. */
static enum ps_truth proportional(struct exact *x, struct ps_polynomial *a, struct ps_polynomial *b,
                                  bool positive) {
    struct ps_polynomial first, second;
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    if (a->count == 0 || b->count == 0)
        return a->count == b->count ? PS_TRUTH_YES : PS_TRUTH_UNKNOWN;
    ca_t ratio, zero;
    ps_polynomial_init(&first);
    ps_polynomial_init(&second);
    ca_init(ratio, x->context);
    ca_init(zero, x->context);
    bool ok = ps_polynomial_constant(&first, a->terms[0].factor, x->context) &&
              ps_polynomial_constant(&second, b->terms[0].factor, x->context) &&
              ps_polynomial_multiply(&first, &first, b, x->context) &&
              ps_polynomial_multiply(&second, &second, a, x->context);
    ps_polynomial_negate(&first, x->context);
    if (ok && ps_polynomial_add(&first, &first, &second, x->context))
        truth = ps_polynomial_is_zero(&first, x->context);
    ca_div(ratio, a->terms[0].factor, b->terms[0].factor, x->context);
    if (truth == PS_TRUTH_YES && ca_check_is_zero(ratio, x->context) != T_FALSE)
        truth = PS_TRUTH_UNKNOWN;
    if (truth == PS_TRUTH_YES && positive) {
        truth_t above = ca_check_gt(ratio, zero, x->context);
        truth = above == T_TRUE ? PS_TRUTH_YES : above == T_FALSE ? PS_TRUTH_NO : PS_TRUTH_UNKNOWN;
    }
    if (truth == PS_TRUTH_NO && x->functions) truth = PS_TRUTH_UNKNOWN;
    ca_clear(ratio, x->context);
    ca_clear(zero, x->context);
    ps_polynomial_clear(&first, x->context);
    ps_polynomial_clear(&second, x->context);
    return truth;
}

static bool difference(struct exact *x, const struct ps_node *a, const struct ps_node *b,
                       struct fraction *r) {
    struct fraction other;
    fraction_init(&other);
    bool ok = evaluate(x, a, r) && evaluate(x, b, &other);
    ps_polynomial_negate(&other.above, x->context);
    ok = ok && add(x, r, &other);
    fraction_clear(&other, x);
    return ok;
}

enum ps_truth ps_relations_equal(const struct ps_node *f, const struct ps_node *g,
                                 const struct ps_node *h, const struct ps_node *k, bool positive) {
    struct exact x;
    struct fraction left, right;
    struct ps_polynomial other;
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    begin(&x);
    fraction_init(&left);
    fraction_init(&right);
    ps_polynomial_init(&other);
    if (difference(&x, f, g, &left) && difference(&x, h, k, &right) &&
        cross(&x, &left, &right, &other))
        truth = proportional(&x, &left.above, &other, positive);
    ps_polynomial_clear(&other, x.context);
    fraction_clear(&left, &x);
    fraction_clear(&right, &x);
    end(&x);
    return truth;
}
