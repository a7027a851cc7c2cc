/* Whole answers compared: what is no value is taken apart until values are left.
 *
 *   list, set     unordered, each member once; \pm stands for two members
 *   tuple         ordered; interval: its ends too; (a, b) may be either
 *   union         its intervals, in any order
 *   matrix        of one shape, entry by entry
 *   equation      up to a factor that is a number and not zero
 *   inequality    up to a positive factor; with one variable alone on a side, the interval
 *   x = 3, x \in  what stands behind it, where the other answer does not name anything
 */
#include "grade/compare_internal.h"

#include <string.h>

/* ---- \pm ---- */

struct ps_node *ps_compare_node(struct ps_comparer *c, enum ps_node_kind kind, size_t count) {
    struct ps_node *node = ps_arena_alloc(c->arena, sizeof *node);
    if (node && count) node->items = ps_arena_array(c->arena, count, sizeof *node->items);
    if (!node || (count && !node->items)) {
        c->failed = true;
        return NULL;
    }
    node->kind = kind;
    node->base = 10;
    node->count = count;
    return node;
}

static bool has_sign(const struct ps_node *node) {
    if (node->kind == PS_NODE_SIGNED) return true;
    for (size_t i = 0; i < node->count; i++)
        if (has_sign(node->items[i])) return true;
    return false;
}

/* The tree with \pm read as + (sign 1) or - (sign -1), and \mp the other way. */
static struct ps_node *choose(struct ps_comparer *c, const struct ps_node *node, int sign) {
    bool own = node->kind == PS_NODE_SIGNED;
    if (own && (node->name[0] == '+') == (sign > 0)) return choose(c, node->items[0], sign);
    struct ps_node *copy = ps_compare_node(c, own ? PS_NODE_NEGATIVE : node->kind, node->count);
    if (!copy) return NULL;
    struct ps_node **items = copy->items;
    *copy = *node;
    copy->items = items;
    if (own) copy->kind = PS_NODE_NEGATIVE;
    for (size_t i = 0; i < node->count; i++)
        if (!(items[i] = choose(c, node->items[i], sign))) return NULL;
    return copy;
}

/* ---- members in any order ---- */

/* The members of a list or set, \pm taken apart and inner sets opened; anything else is one. */
static struct ps_node *members(struct ps_comparer *c, const struct ps_node *node) {
    struct ps_node *all = ps_compare_node(c, PS_NODE_LIST, PS_TREE_ITEMS);
    if (!all) return NULL;
    all->count = 0;
    bool many = node->kind == PS_NODE_LIST || node->kind == PS_NODE_SET;
    for (size_t i = 0; i < (many ? node->count : 1); i++) {
        struct ps_node *item = many ? node->items[i] : (struct ps_node *)node;
        int signs = ps_is_value(item) && has_sign(item) ? 2 : 1;
        for (int s = 0; s < signs; s++) {
            struct ps_node *one = signs == 2 ? choose(c, item, s ? -1 : 1) : item;
            if (!one || all->count == PS_TREE_ITEMS) return c->failed = true, NULL;
            all->items[all->count++] = one;
        }
    }
    return all;
}

/* Whether every member of a is among b's. */
static enum ps_truth are_among(struct ps_comparer *c, const struct ps_node *a,
                               const struct ps_node *b) {
    enum ps_truth all = PS_TRUTH_YES;
    for (size_t i = 0; i < a->count && !c->failed; i++) {
        enum ps_truth found = PS_TRUTH_NO;
        for (size_t j = 0; j < b->count && found != PS_TRUTH_YES; j++) {
            enum ps_truth equal = ps_compare(c, a->items[i], b->items[j]);
            if (equal != PS_TRUTH_NO) found = equal;
            /* a certain NO does not undo an UNKNOWN of another member */
        }
        if (found == PS_TRUTH_NO) return PS_TRUTH_NO;
        if (found == PS_TRUTH_UNKNOWN) all = PS_TRUTH_UNKNOWN;
    }
    return all;
}

static enum ps_truth compare_members(struct ps_comparer *c, const struct ps_node *a,
                                     const struct ps_node *b) {
    const struct ps_node *left = members(c, a), *right = members(c, b);
    if (!left || !right) return PS_TRUTH_UNKNOWN;
    enum ps_truth there = are_among(c, left, right);
    if (there == PS_TRUTH_NO) return PS_TRUTH_NO;
    enum ps_truth back = are_among(c, right, left);
    if (back == PS_TRUTH_NO) return PS_TRUTH_NO;
    return there == PS_TRUTH_YES && back == PS_TRUTH_YES ? PS_TRUTH_YES : PS_TRUTH_UNKNOWN;
}

/* ---- members in order ---- */

static enum ps_truth compare_items(struct ps_comparer *c, const struct ps_node *a,
                                   const struct ps_node *b) {
    enum ps_truth all = PS_TRUTH_YES;
    if (a->count != b->count) return PS_TRUTH_NO;
    for (size_t i = 0; i < a->count; i++) {
        enum ps_truth equal = ps_compare(c, a->items[i], b->items[i]);
        if (equal == PS_TRUTH_NO) return PS_TRUTH_NO;
        if (equal == PS_TRUTH_UNKNOWN) all = PS_TRUTH_UNKNOWN;
    }
    return all;
}

static enum ps_truth compare_groups(struct ps_comparer *c, const struct ps_node *a,
                                    const struct ps_node *b) {
    /* [2, 3] may be meant as a point, (2, 3] never */
    bool ends = a->open == b->open && a->close == b->close;
    if (!ends && (a->count == 2 || a->count != b->count)) return PS_TRUTH_NO;
    enum ps_truth equal = compare_items(c, a, b);
    return !ends && equal == PS_TRUTH_YES ? PS_TRUTH_UNKNOWN : equal;
}

/* The decimals to which a value of the gold may be rounded, or 0. */
static int rounded(const struct ps_node *node) {
    if (node->kind == PS_NODE_NEGATIVE) node = node->items[0];
    return node->kind == PS_NODE_NUMBER ? node->rounded : 0;
}

/* "2:3:4" and "4:6:8": each product across. */
static enum ps_truth compare_ratios(struct ps_comparer *c, const struct ps_node *a,
                                    const struct ps_node *b) {
    enum ps_truth all = PS_TRUTH_YES;
    if (a->count != b->count) return PS_TRUTH_NO;
    for (size_t i = 1; i < a->count; i++) {
        struct ps_node *left = ps_compare_node(c, PS_NODE_PRODUCT, 2);
        struct ps_node *right = ps_compare_node(c, PS_NODE_PRODUCT, 2);
        if (!left || !right) return PS_TRUTH_UNKNOWN;
        left->items[0] = a->items[i];
        left->items[1] = b->items[0];
        right->items[0] = b->items[i];
        right->items[1] = a->items[0];
        enum ps_truth equal = ps_compare(c, left, right);
        if (equal == PS_TRUTH_NO) return PS_TRUTH_NO;
        if (equal == PS_TRUTH_UNKNOWN) all = PS_TRUTH_UNKNOWN;
    }
    return all;
}

/* A matrix written by rows, "[[1, 2], [3, 4]]", and a vector, "(1, 2)", as a matrix; else NULL. */
static struct ps_node *as_matrix(struct ps_comparer *c, const struct ps_node *node,
                                 size_t columns) {
    struct ps_node *matrix = NULL;
    bool rows = node->open == '[' && node->items[0]->kind == PS_NODE_GROUP;
    if (!rows) {
        if (node->open != '(' || node->close != ')') return NULL;
        matrix = ps_compare_node(c, PS_NODE_MATRIX, node->count);
        if (!matrix) return NULL;
        memcpy(matrix->items, node->items, node->count * sizeof *node->items);
        matrix->columns = columns == 1 ? 1 : node->count;
        return matrix;
    }
    size_t width = node->items[0]->count;
    matrix = ps_compare_node(c, PS_NODE_MATRIX, node->count * width);
    if (!matrix) return NULL;
    for (size_t i = 0; i < node->count; i++) {
        const struct ps_node *row = node->items[i];
        if (row->kind != PS_NODE_GROUP || row->count != width || row->open != '[') return NULL;
        memcpy(matrix->items + i * width, row->items, width * sizeof *row->items);
    }
    matrix->columns = width;
    return matrix;
}

static enum ps_truth compare_values(struct ps_comparer *c, const struct ps_node *a,
                                    const struct ps_node *b) {
    int places = 0, left = ps_infinite_sign(a), right = ps_infinite_sign(b);
    if (left || right) return left == right ? PS_TRUTH_YES : PS_TRUTH_NO;
    if (--c->budget < 0) {
        c->failed = true;
        return PS_TRUTH_UNKNOWN;
    }
    if ((places = rounded(a)) && ps_value_rounds_to(b, a, places)) return PS_TRUTH_YES;
    if ((places = rounded(b)) && ps_value_rounds_to(a, b, places)) return PS_TRUTH_YES;
    return ps_values_equal(a, b);
}

static bool is_many(const struct ps_node *node) {
    return node->kind == PS_NODE_LIST || node->kind == PS_NODE_SET ||
           (ps_is_value(node) && has_sign(node));
}

enum ps_truth ps_compare(struct ps_comparer *c, const struct ps_node *a, const struct ps_node *b) {
    if (c->failed) return PS_TRUTH_UNKNOWN;
    bool left = a->kind == PS_NODE_RELATION, right = b->kind == PS_NODE_RELATION;
    if (left && right) return ps_compare_relations(c, a, b);
    if (left) return ps_compare_with_relation(c, a, b);
    if (right) return ps_compare_with_relation(c, b, a);
    if (ps_is_region(a) || ps_is_region(b)) {
        bool value = (ps_is_value(a) && !ps_is_region(a)) || (ps_is_value(b) && !ps_is_region(b));
        if (value) return PS_TRUTH_NO;
        if (ps_is_domain(a) && ps_is_domain(b))
            return strcmp(a->name, b->name) == 0 ? PS_TRUTH_YES : PS_TRUTH_NO;
        const struct ps_node *one = ps_union_of(c, a), *two = ps_union_of(c, b);
        if (one && two) return compare_items(c, one, two);
        if (a->kind != PS_NODE_LIST || b->kind != PS_NODE_LIST) return PS_TRUTH_UNKNOWN;
    }
    enum ps_truth named;
    if (ps_compare_assignments(c, a, b, &named)) return named;
    if (is_many(a) || is_many(b)) {
        const struct ps_node *list = a->kind == PS_NODE_GROUP ? b : a;
        bool tuples = list->count && !ps_is_value(list->items[0]); /* "(1,2), (3,4)" */
        bool ordered = (a->kind == PS_NODE_GROUP || b->kind == PS_NODE_GROUP) && !tuples;
        bool sets = a->kind == PS_NODE_SET || b->kind == PS_NODE_SET;
        if (!ordered || sets) return compare_members(c, a, b);
        /* "(1, 2, 3)" and "1, 2, 3"; two may be an interval and its ends */
        bool same = a->count == b->count && a->count > 2 && compare_items(c, a, b) == PS_TRUTH_YES;
        return same ? PS_TRUTH_YES : PS_TRUTH_UNKNOWN;
    }
    if (ps_is_value(a) && ps_is_value(b)) return compare_values(c, a, b);
    if (a->kind == PS_NODE_MATRIX && b->kind == PS_NODE_GROUP)
        b = as_matrix(c, b, a->columns);
    else if (b->kind == PS_NODE_MATRIX && a->kind == PS_NODE_GROUP)
        a = as_matrix(c, a, b->columns);
    if (!a || !b || a->kind != b->kind) return PS_TRUTH_NO;
    if (a->kind == PS_NODE_RATIO) return compare_ratios(c, a, b);
    if (a->kind == PS_NODE_MATRIX && a->open != b->open) return PS_TRUTH_UNKNOWN;
    if (a->kind == PS_NODE_GROUP) return compare_groups(c, a, b);
    if (a->kind == PS_NODE_MATRIX && a->columns != b->columns) return PS_TRUTH_NO;
    return compare_items(c, a, b);
}

/* Marks the numbers of a gold that are written with three decimals or more. */
static void mark_rounded(struct ps_node *node) {
    const char *point = node->kind == PS_NODE_NUMBER ? strchr(node->name, '.') : NULL;
    size_t places = point ? strlen(point + 1) : 0;
    if (places >= 3 && !node->repeats) node->rounded = (int)places;
    bool inside = node->kind >= PS_NODE_GROUP || node->kind == PS_NODE_NEGATIVE;
    for (size_t i = 0; inside && i < node->count; i++) mark_rounded(node->items[i]);
}

static bool has_constant(const struct ps_node *node, const char *name) {
    if (node->kind == PS_NODE_CONSTANT && strcmp(node->name, name) == 0) return true;
    for (size_t i = 0; i < node->count; i++)
        if (has_constant(node->items[i], name)) return true;
    return false;
}

/* Engineers write j for i: where the other answer has i and this one has not. */
static void read_j(struct ps_node *node) {
    if (ps_is_variable(node) && strcmp(node->name, "j") == 0) {
        node->kind = PS_NODE_CONSTANT;
        node->name = "i";
    }
    for (size_t i = 0; i < node->count; i++) read_j(node->items[i]);
}

/* "k\pi, k \in \mathbb{Z}": the parameter may have another name, and its range be left out. */
static enum ps_truth compare_families(struct ps_comparer *c, const struct ps_node *a,
                                      const struct ps_node *b) {
    const char *first, *second;
    const struct ps_node *left = ps_without_parameter(c, a, &first);
    const struct ps_node *right = ps_without_parameter(c, b, &second);
    if (first && second && strcmp(first, second) != 0 && !ps_contains(right, first))
        right = ps_renamed(c, right, second, first);
    if (!first && !second) return ps_compare(c, a, b);
    const char *one = first ? first : second;
    bool shared = (first && second) || (ps_contains(left, one) && ps_contains(right, one));
    if (!right || !shared) return PS_TRUTH_UNKNOWN;
    /* other families may be the same set: k\pi and -k\pi */
    return ps_compare(c, left, right) == PS_TRUTH_YES ? PS_TRUTH_YES : PS_TRUTH_UNKNOWN;
}

enum ps_truth ps_trees_equal(const struct ps_tree *gold, const struct ps_tree *answer, bool round,
                             struct ps_arena *arena, const char **how) {
    struct ps_comparer c = {.arena = arena, .budget = 2000};
    if (round) mark_rounded(gold->root);
    bool imaginary[] = {has_constant(gold->root, "i"), has_constant(answer->root, "i")};
    if (imaginary[0] && !imaginary[1] && !ps_contains(gold->root, "j")) read_j(answer->root);
    if (imaginary[1] && !imaginary[0] && !ps_contains(answer->root, "j")) read_j(gold->root);
    enum ps_truth truth = compare_families(&c, gold->root, answer->root);
    if (c.failed) truth = PS_TRUTH_UNKNOWN;
    *how = truth == PS_TRUTH_YES  ? "equal"
           : truth == PS_TRUTH_NO ? "different"
           : c.failed             ? "too many members to compare"
                                  : "can neither be shown equal nor different";
    return truth;
}
