/* Polynomials in several atoms, their factors exact numbers of Calcium. Sparse, sorted, small: an
 * answer has a dozen terms. */
#include "grade/value_internal.h"

#include <string.h>

void ps_polynomial_init(struct ps_polynomial *p) {
    *p = (struct ps_polynomial){0};
}

static void drop_terms(struct ps_polynomial *p, ca_ctx_t context) {
    for (size_t i = 0; i < p->count; i++) ca_clear(p->terms[i].factor, context);
    p->count = 0;
}

void ps_polynomial_clear(struct ps_polynomial *p, ca_ctx_t context) {
    drop_terms(p, context);
    ps_free(p->terms);
    *p = (struct ps_polynomial){0};
}

void ps_polynomial_swap(struct ps_polynomial *a, struct ps_polynomial *b) {
    struct ps_polynomial kept = *a;
    *a = *b;
    *b = kept;
}

/* A new term at `place`, its factor 0. */
static struct ps_term *insert(struct ps_polynomial *p, size_t place, const short *degrees,
                              ca_ctx_t context) {
    if (p->count == PS_TREE_TERMS) return NULL;
    if (p->count == p->capacity) {
        size_t capacity = 2 * p->capacity + 8;
        struct ps_term *terms = ps_realloc(p->terms, capacity * sizeof *terms);
        if (!terms) return NULL;
        p->terms = terms;
        p->capacity = capacity;
    }
    memmove(p->terms + place + 1, p->terms + place, (p->count - place) * sizeof *p->terms);
    p->count++;
    memcpy(p->terms[place].degrees, degrees, sizeof p->terms[place].degrees);
    ca_init(p->terms[place].factor, context);
    return &p->terms[place];
}

static void drop(struct ps_polynomial *p, size_t place, ca_ctx_t context) {
    ca_clear(p->terms[place].factor, context);
    memmove(p->terms + place, p->terms + place + 1, (p->count - place - 1) * sizeof *p->terms);
    p->count--;
}

static int compare(const short *a, const short *b) {
    for (int i = 0; i < PS_TREE_VARIABLES; i++)
        if (a[i] != b[i]) return a[i] > b[i] ? -1 : 1;
    return 0;
}

/* p += factor * atoms^degrees */
static bool add_term(struct ps_polynomial *p, const short *degrees, const ca_t factor,
                     ca_ctx_t context) {
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(p->terms[middle].degrees, degrees) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool there = low < p->count && compare(p->terms[low].degrees, degrees) == 0;
    struct ps_term *term = there ? &p->terms[low] : insert(p, low, degrees, context);
    if (!term) return false;
    ca_add(term->factor, term->factor, factor, context);
    if (ca_check_is_zero(term->factor, context) == T_TRUE) drop(p, low, context);
    return true;
}

bool ps_polynomial_set(struct ps_polynomial *r, const struct ps_polynomial *a, ca_ctx_t context) {
    if (r == a) return true;
    drop_terms(r, context);
    for (size_t i = 0; i < a->count; i++)
        if (!add_term(r, a->terms[i].degrees, a->terms[i].factor, context)) return false;
    return true;
}

bool ps_polynomial_constant(struct ps_polynomial *r, const ca_t value, ca_ctx_t context) {
    static const short none[PS_TREE_VARIABLES];
    if (ca_check_is_number(value, context) != T_TRUE) return false;
    drop_terms(r, context);
    return add_term(r, none, value, context);
}

bool ps_polynomial_atom(struct ps_polynomial *r, size_t atom, ca_ctx_t context) {
    short degrees[PS_TREE_VARIABLES] = {0};
    degrees[atom] = 1;
    drop_terms(r, context);
    ca_t one;
    ca_init(one, context);
    ca_one(one, context);
    bool ok = add_term(r, degrees, one, context);
    ca_clear(one, context);
    return ok;
}

bool ps_polynomial_add(struct ps_polynomial *r, const struct ps_polynomial *a,
                       const struct ps_polynomial *b, ca_ctx_t context) {
    struct ps_polynomial sum;
    ps_polynomial_init(&sum);
    bool ok = ps_polynomial_set(&sum, a, context);
    for (size_t i = 0; ok && i < b->count; i++)
        ok = add_term(&sum, b->terms[i].degrees, b->terms[i].factor, context);
    ps_polynomial_swap(r, &sum);
    ps_polynomial_clear(&sum, context);
    return ok;
}

bool ps_polynomial_multiply(struct ps_polynomial *r, const struct ps_polynomial *a,
                            const struct ps_polynomial *b, ca_ctx_t context) {
    struct ps_polynomial product;
    ca_t factor;
    bool ok = a->count * b->count <= 4 * PS_TREE_TERMS;
    ps_polynomial_init(&product);
    ca_init(factor, context);
    for (size_t i = 0; ok && i < a->count; i++)
        for (size_t j = 0; ok && j < b->count; j++) {
            short degrees[PS_TREE_VARIABLES];
            int total = 0;
            for (int k = 0; k < PS_TREE_VARIABLES; k++) {
                degrees[k] = (short)(a->terms[i].degrees[k] + b->terms[j].degrees[k]);
                total += degrees[k];
            }
            ca_mul(factor, a->terms[i].factor, b->terms[j].factor, context);
            ok = total <= PS_TREE_DEGREE && add_term(&product, degrees, factor, context);
        }
    ca_clear(factor, context);
    ps_polynomial_swap(r, &product);
    ps_polynomial_clear(&product, context);
    return ok;
}

void ps_polynomial_negate(struct ps_polynomial *p, ca_ctx_t context) {
    for (size_t i = 0; i < p->count; i++) ca_neg(p->terms[i].factor, p->terms[i].factor, context);
}

enum ps_truth ps_polynomial_is_zero(const struct ps_polynomial *p, ca_ctx_t context) {
    if (p->count == 0) return PS_TRUTH_YES;
    for (size_t i = 0; i < p->count; i++)
        if (ca_check_is_zero(p->terms[i].factor, context) == T_FALSE) return PS_TRUTH_NO;
    return PS_TRUTH_UNKNOWN;
}

const ca_struct *ps_polynomial_value(const struct ps_polynomial *p) {
    static const short none[PS_TREE_VARIABLES];
    bool constant = p->count == 1 && compare(p->terms[0].degrees, none) == 0;
    return constant ? p->terms[0].factor : NULL;
}
