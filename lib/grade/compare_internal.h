#pragma once
/* What compare.c and interval.c share. */

#include "grade/tree_internal.h"

#include <string.h>

struct ps_comparer {
    struct ps_arena *arena;
    bool failed; /* out of memory, or too many members */
    int budget;  /* comparisons of values that are left */
};

/* NULL sets failed. */
struct ps_node *ps_compare_node(struct ps_comparer *c, enum ps_node_kind kind, size_t count);

/* "x < 5" and "2 \\le x < 5" as the interval of x; NULL for any other relation, and for no
 * relation. */
struct ps_node *ps_interval_of(struct ps_comparer *c, const struct ps_node *node);

/* A union, an interval, or a list of inequalities ("x < 2 or x > 5") as a union of intervals in
 * ascending order that do not touch: equal sets have equal ones. NULL where that cannot be told. */
const struct ps_node *ps_union_of(struct ps_comparer *c, const struct ps_node *node);

/* 1 for infinity, -1 for minus infinity, else 0. */
int ps_infinite_sign(const struct ps_node *node);
bool ps_contains(const struct ps_node *node, const char *variable);
bool ps_is_order(unsigned char relation);

static inline bool ps_is_value(const struct ps_node *node) {
    return node->kind < PS_NODE_GROUP;
}

static inline bool ps_is_variable(const struct ps_node *node) {
    return node->kind == PS_NODE_VARIABLE;
}
