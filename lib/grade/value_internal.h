#pragma once
/* Inside lib/grade: what the files that compute with trees share. GMP and FLINT end the process
 * when memory runs out; the budgets of tree_internal.h bound what reaches them. */

#include "grade/answer_internal.h"
#include "grade/tree_internal.h"

/* FLINT 3 has them all; before, Arb and Calcium were libraries of their own. */
#if __has_include(<flint/ca.h>)
#    include <flint/acb.h>
#    include <flint/arb.h>
#    include <flint/ca.h>
#    include <flint/fmpq.h>
#    include <flint/fmpz.h>
#else
#    include <acb.h>
#    include <arb.h>
#    include <calcium/ca.h>
#    include <flint/fmpq.h>
#    include <flint/fmpz.h>
#endif

enum { PS_VALUE_BITS = 192 }; /* precision of enclosures */

/* A value for each variable. */
struct ps_point {
    size_t count;
    const char *names[PS_TREE_VARIABLES];
    fmpq_t values[PS_TREE_VARIABLES];
};

/* A number node's exact value. */
void ps_number_value(const struct ps_node *node, fmpq_t value);

/* A ball that holds the value; false where it has none or none that can be chosen. */
bool ps_value_enclose(const struct ps_node *node, const struct ps_point *point, acb_t value);

/* ---- exact values (polynomial.c, fraction.c, atoms.c, functions.c, exact.c) ---- */

struct ps_term {
    short degrees[PS_TREE_VARIABLES];
    ca_t factor;
};

/* A sum of terms with different degrees, in descending order of them; no factor is known to be
 * zero. */
struct ps_polynomial {
    struct ps_term *terms;
    size_t count, capacity;
};

void ps_polynomial_init(struct ps_polynomial *p);
void ps_polynomial_clear(struct ps_polynomial *p, ca_ctx_t context);
void ps_polynomial_swap(struct ps_polynomial *a, struct ps_polynomial *b);
/* All of these return false when a budget runs out. r may be an operand. */
bool ps_polynomial_set(struct ps_polynomial *r, const struct ps_polynomial *a, ca_ctx_t context);
bool ps_polynomial_constant(struct ps_polynomial *r, const ca_t value, ca_ctx_t context);
bool ps_polynomial_atom(struct ps_polynomial *r, size_t atom, ca_ctx_t context);
bool ps_polynomial_add(struct ps_polynomial *r, const struct ps_polynomial *a,
                       const struct ps_polynomial *b, ca_ctx_t context);
bool ps_polynomial_multiply(struct ps_polynomial *r, const struct ps_polynomial *a,
                            const struct ps_polynomial *b, ca_ctx_t context);
void ps_polynomial_negate(struct ps_polynomial *p, ca_ctx_t context);
/* No terms. UNKNOWN where a factor may be zero. */
enum ps_truth ps_polynomial_is_zero(const struct ps_polynomial *p, ca_ctx_t context);
/* The value of one without atoms, or NULL. */
const ca_struct *ps_polynomial_value(const struct ps_polynomial *p);

/* Whether two values are equal, by exact arithmetic alone; NO is certain for numbers and for
 * polynomials in plain variables. */
enum ps_truth ps_exact_equal(const struct ps_node *a, const struct ps_node *b);
