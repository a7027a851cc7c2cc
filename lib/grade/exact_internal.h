#pragma once
/* Inside lib/grade: quotients of polynomials in atoms, and the functions that become atoms. */

#include "grade/value_internal.h"

struct ps_fraction {
    struct ps_polynomial above, below;
};

enum ps_atom_kind {
    PS_ATOM_VARIABLE,    /* name */
    PS_ATOM_ROOT,        /* argument^(1/index) */
    PS_ATOM_EXPONENTIAL, /* base^(argument/scale); e without a base */
    PS_ATOM_FACTORIAL,   /* argument! */
    PS_ATOM_FUNCTION,    /* name(argument), with base also a second argument */
};

/* What polynomials are made of. Two atoms are one where kind and name are the same and their
 * arguments are equal. */
struct ps_atom {
    enum ps_atom_kind kind;
    const char *name;
    unsigned index;
    bool has_base;
    struct ps_fraction argument, base;
};

/* One comparison. */
struct ps_exact {
    ca_ctx_t context;
    struct ps_atom atoms[PS_TREE_VARIABLES];
    size_t count;
    int radicals;   /* questions to Calcium that are expensive */
    bool functions; /* some atom is no plain variable: different polynomials prove nothing */
    ulong scale;    /* exponents are counted in units of one scale-th */
    ulong finer;    /* set where a multiple of scale would have done: try again with it */
};

/* ---- arithmetic (fraction.c); false when a budget runs out, and where it divides by zero ---- */

void ps_fraction_init(struct ps_fraction *f);
void ps_fraction_clear(struct ps_fraction *f, struct ps_exact *x);
void ps_fraction_swap(struct ps_fraction *a, struct ps_fraction *b);
bool ps_fraction_copy(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *f);
bool ps_fraction_set(struct ps_exact *x, struct ps_fraction *r, const ca_t value);
bool ps_fraction_set_si(struct ps_exact *x, struct ps_fraction *r, slong value);
bool ps_fraction_set_atom(struct ps_exact *x, struct ps_fraction *r, size_t atom);
bool ps_fraction_add(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *b);
bool ps_fraction_subtract(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *b);
bool ps_fraction_multiply(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *b);
bool ps_fraction_scale(struct ps_exact *x, struct ps_fraction *r, const ca_t factor);
bool ps_fraction_invert(struct ps_exact *x, struct ps_fraction *r);
bool ps_fraction_power(struct ps_exact *x, struct ps_fraction *r, const fmpz_t exponent);
/* The value of one without atoms; false where it has some. */
bool ps_fraction_value(struct ps_exact *x, const struct ps_fraction *f, ca_t value);
bool ps_fraction_integer(struct ps_exact *x, const struct ps_fraction *f, fmpz_t value);
/* The quotient of the leading factors. */
bool ps_fraction_lead(struct ps_exact *x, const struct ps_fraction *f, ca_t lead);
enum ps_truth ps_fraction_equal(struct ps_exact *x, const struct ps_fraction *a,
                                const struct ps_fraction *b);
/* Whether a = ratio * b for a rational number. */
bool ps_fraction_ratio(struct ps_exact *x, const struct ps_fraction *a, const struct ps_fraction *b,
                       fmpq_t ratio);
/* Whether a polynomial is zero once powers of roots are put in. */
enum ps_truth ps_exact_is_zero(struct ps_exact *x, const struct ps_polynomial *p);

/* ---- functions (atoms.c) ---- */

void ps_atoms_release(struct ps_exact *x);
bool ps_exact_variable(struct ps_exact *x, struct ps_fraction *r, const char *name);
/* r = r^exponent, or e^exponent. */
bool ps_exact_power(struct ps_exact *x, struct ps_fraction *r, bool natural,
                    const struct ps_fraction *exponent);
/* The real root of a negative number where the index is odd. */
bool ps_exact_root(struct ps_exact *x, struct ps_fraction *r, unsigned index);
/* An atom name(r) where no law is known. */
bool ps_exact_function_atom(struct ps_exact *x, struct ps_fraction *r, const char *name);
bool ps_exact_factorial_atom(struct ps_exact *x, struct ps_fraction *r);
bool ps_exact_ln(struct ps_exact *x, struct ps_fraction *r);

/* ---- functions by name (functions.c) ---- */

/* r = name(r); names as in PS_NODE_CALL, without "log". */
bool ps_exact_function(struct ps_exact *x, struct ps_fraction *r, const char *name);
/* r = logarithm of r to a base; NULL: books mean 10 or e, which cancels in quotients. */
bool ps_exact_logarithm(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *base);
bool ps_exact_factorial(struct ps_exact *x, struct ps_fraction *r);
bool ps_exact_binomial(struct ps_exact *x, struct ps_fraction *r, const struct ps_fraction *below);
