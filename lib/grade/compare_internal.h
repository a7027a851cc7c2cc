#pragma once
/* What compare.c and interval.c share. */

#include "grade/tree_internal.h"

#include <string.h>

struct ps_comparer {
    struct ps_arena *arena;
    bool failed; /* out of memory, or too many members */
    int budget;  /* comparisons of values that are left */
};

/* Whether two answers, or members of them, are equal. */
enum ps_truth ps_compare(struct ps_comparer *c, const struct ps_node *a, const struct ps_node *b);

/* Two relations; a relation and what is none (relation.c). */
enum ps_truth ps_compare_relations(struct ps_comparer *c, const struct ps_node *a,
                                   const struct ps_node *b);
enum ps_truth ps_compare_with_relation(struct ps_comparer *c, const struct ps_node *relation,
                                       const struct ps_node *other);

/* "x = 1, y = 2" and a tuple or list of values; false where they are none. */
bool ps_compare_assignments(struct ps_comparer *c, const struct ps_node *a, const struct ps_node *b,
                            enum ps_truth *truth);

/* Of "k\pi, k \in \mathbb{Z}" what stands before it, and the name k. */
const struct ps_node *ps_without_parameter(struct ps_comparer *c, const struct ps_node *node,
                                           const char **name);
/* The tree with one variable for another. */
struct ps_node *ps_renamed(struct ps_comparer *c, const struct ps_node *node, const char *from,
                           const char *to);

/* NULL sets failed. */
struct ps_node *ps_compare_node(struct ps_comparer *c, enum ps_node_kind kind, size_t count);

/* "x < 5" and "2 \\le x < 5" as the interval of x; NULL for any other relation, and for no
 * relation. */
struct ps_node *ps_interval_of(struct ps_comparer *c, const struct ps_node *node);

/* A union, an interval, a set of numbers, \mathbb{R}, a difference of these, an inequality or a
 * list of them ("x < 2 or x > 5") as a union of intervals in ascending order that do not touch:
 * equal sets have equal ones. NULL where that cannot be told. */
const struct ps_node *ps_union_of(struct ps_comparer *c, const struct ps_node *node);

/* 1 for infinity, -1 for minus infinity, else 0. */
int ps_infinite_sign(const struct ps_node *node);
bool ps_contains(const struct ps_node *node, const char *variable);
bool ps_is_order(unsigned char relation);

/* \mathbb{R} and the like. */
static inline bool ps_is_domain(const struct ps_node *node) {
    return node->kind == PS_NODE_CONSTANT && strlen(node->name) > 4 &&
           strcmp(node->name, "infinity") != 0;
}

/* "x < 1 or x > 2" */
bool ps_are_conditions(const struct ps_node *node);

/* What is a set of numbers, but for an interval, which may be a tuple. */
static inline bool ps_is_region(const struct ps_node *node) {
    return node->kind == PS_NODE_UNION || node->kind == PS_NODE_DIFFERENCE || ps_is_domain(node) ||
           ps_are_conditions(node);
}

static inline bool ps_is_value(const struct ps_node *node) {
    return node->kind < PS_NODE_GROUP;
}

static inline bool ps_is_variable(const struct ps_node *node) {
    return node->kind == PS_NODE_VARIABLE;
}
