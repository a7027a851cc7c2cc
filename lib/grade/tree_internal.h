#pragma once
/* Inside lib/grade: a mathematical answer as a tree, and what is asked of trees. */

#include "base/memory.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Budgets: what would take longer is undecided, with the reason. */
enum {
    PS_TREE_NODES = 2000,
    PS_TREE_DEPTH = 32,
    PS_TREE_ITEMS = 256,    /* of one list, and of one sum or product */
    PS_TREE_VARIABLES = 12, /* of both answers; functions of variables count */
    PS_TREE_TERMS = 400,    /* of a polynomial */
    PS_TREE_DEGREE = 100,
    PS_TREE_POWER = 2000,  /* an integer exponent of a number */
    PS_TREE_RADICALS = 12, /* roots and functions of numbers: what Calcium is asked about */
};

enum ps_node_kind {
    PS_NODE_NUMBER,    /* name: "12.5"; base, repeats */
    PS_NODE_CONSTANT,  /* name: "pi", "e", "i", "infinity" */
    PS_NODE_VARIABLE,  /* name: "x", "x_{1}", "\\alpha" */
    PS_NODE_SUM,       /* items */
    PS_NODE_PRODUCT,   /* items */
    PS_NODE_NEGATIVE,  /* 1 item */
    PS_NODE_SIGNED,    /* 1 item behind \pm (name "+") or \mp (name "-") */
    PS_NODE_QUOTIENT,  /* 2 items */
    PS_NODE_POWER,     /* 2 items */
    PS_NODE_ROOT,      /* 2 items: radicand, index */
    PS_NODE_CALL,      /* name of a function, 1 item; log to a base has 2 */
    PS_NODE_FACTORIAL, /* 1 item */
    PS_NODE_BINOMIAL,  /* 2 items */
    PS_NODE_DEGREES,   /* 1 item, as an angle */

    /* What is no value. */
    PS_NODE_GROUP,      /* brackets open and close around 2 items or more: a tuple or an interval */
    PS_NODE_SET,        /* items, none for the empty set */
    PS_NODE_LIST,       /* items without brackets; name "and" or "or" where each is joined by it */
    PS_NODE_UNION,      /* items */
    PS_NODE_DIFFERENCE, /* a set without another */
    PS_NODE_RATIO,      /* 3 items or more, "2:3:4"; of two it is a quotient */
    PS_NODE_MATRIX,     /* rows * columns items, row by row; open '{' for cases */
    PS_NODE_RELATION,   /* items, and between them relations[count - 1] */
};

enum ps_relation {
    PS_RELATION_EQUAL,
    PS_RELATION_LESS,
    PS_RELATION_LESS_EQUAL,
    PS_RELATION_GREATER,
    PS_RELATION_GREATER_EQUAL,
    PS_RELATION_NOT_EQUAL,
    PS_RELATION_IN,
};

struct ps_node {
    enum ps_node_kind kind;
    const char *name;
    int base;    /* of a number; 10 unless written otherwise */
    int rounded; /* a gold's number: its decimals where there are enough to round to, else 0 */
    int repeats; /* how many of a number's last digits repeat for ever */
    char open, close;
    size_t count, columns;
    struct ps_node **items;
    unsigned char *relations;
};

struct ps_tree {
    struct ps_node *root; /* NULL: it could not be read, and problem says why */
    const char *problem;  /* a static string */
    char unit[64];        /* canonical unit that stood behind it, "" without */
};

/* Reads normalised text (ps_answer_normalise). PS_MEMORY is the only failure. The tree lies in the
 * arena. */
enum ps_status ps_tree_parse(const char *text, struct ps_arena *arena, struct ps_tree *tree,
                             struct ps_error *error);

/* A value's text in one form: equal text means equal trees. */
bool ps_node_print(const struct ps_node *node, struct ps_buffer *out);

enum ps_truth { PS_TRUTH_YES, PS_TRUTH_NO, PS_TRUTH_UNKNOWN };

/* Whether two values are equal: for all values of their variables. */
enum ps_truth ps_values_equal(const struct ps_node *a, const struct ps_node *b);
/* Whether a - b is positive; both closed and real. */
enum ps_truth ps_value_less(const struct ps_node *a, const struct ps_node *b);
/* Whether the exact value rounds to the decimal with so many places. */
bool ps_value_rounds_to(const struct ps_node *exact, const struct ps_node *decimal, int places);
/* Whether f = g and h = k say the same, that is f - g = c (h - k) with a constant c that is not 0;
 * for inequalities c must be positive. */
enum ps_truth ps_relations_equal(const struct ps_node *f, const struct ps_node *g,
                                 const struct ps_node *h, const struct ps_node *k, bool positive);

/* Whole answers; round: numbers of the gold with three decimals or more equal what rounds to them.
 * *how: why, a static string. Marks and renames nodes of both trees. */
enum ps_truth ps_trees_equal(const struct ps_tree *gold, const struct ps_tree *answer, bool round,
                             struct ps_arena *arena, const char **how);
