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

static enum ps_truth compare(struct ps_comparer *c, const struct ps_node *a,
                             const struct ps_node *b);

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
            enum ps_truth equal = compare(c, a->items[i], b->items[j]);
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
        enum ps_truth equal = compare(c, a->items[i], b->items[i]);
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

/* ---- relations ---- */

/* "f(x)" as it is parsed: a product of a letter and letters in brackets. */
static bool is_name(const struct ps_node *node) {
    if (ps_is_variable(node)) return true;
    return node->kind == PS_NODE_PRODUCT && node->count == 2 && ps_is_variable(node->items[0]) &&
           ps_is_variable(node->items[1]) && strchr("fghpqFGHPQ", node->items[0]->name[0]) &&
           !node->items[0]->name[1];
}

/* Of "x = 3" and "x \in S" what stands behind the name; else NULL. */
static const struct ps_node *assigned(const struct ps_node *node) {
    if (node->kind != PS_NODE_RELATION || node->count != 2) return NULL;
    bool assigns = node->relations[0] == PS_RELATION_EQUAL || node->relations[0] == PS_RELATION_IN;
    const struct ps_node *name = node->items[0], *value = node->items[1];
    if (!assigns || !is_name(name)) return NULL;
    return ps_is_variable(name) && ps_contains(value, name->name) ? NULL : value;
}

static const struct ps_node *variable_of(const struct ps_node *relation) {
    for (size_t i = 0; i < relation->count; i++)
        if (ps_is_variable(relation->items[i])) return relation->items[i];
    return NULL;
}

/* Where a variable lies: by an inequality, or "x \in S". */
static const struct ps_node *region_of(struct ps_comparer *c, const struct ps_node *node) {
    bool in = node->count == 2 && node->relations[0] == PS_RELATION_IN;
    return in && ps_is_variable(node->items[0]) ? node->items[1] : ps_interval_of(c, node);
}

static enum ps_truth compare_relations(struct ps_comparer *c, const struct ps_node *a,
                                       const struct ps_node *b) {
    const struct ps_node *left = region_of(c, a), *right = region_of(c, b);
    if (left && right) {
        if (strcmp(variable_of(a)->name, variable_of(b)->name) != 0) return PS_TRUTH_UNKNOWN;
        return compare(c, left, right);
    }
    if (a->count != 2 || b->count != 2) {
        bool same = a->count == b->count && memcmp(a->relations, b->relations, a->count - 1) == 0;
        return same && compare_items(c, a, b) == PS_TRUTH_YES ? PS_TRUTH_YES : PS_TRUTH_UNKNOWN;
    }
    unsigned char first = a->relations[0], second = b->relations[0];
    if (first == PS_RELATION_EQUAL && second == PS_RELATION_EQUAL)
        return ps_relations_equal(a->items[0], a->items[1], b->items[0], b->items[1], false);
    if (!ps_is_order(first) || !ps_is_order(second)) {
        bool same = first == second && compare_items(c, a, b) == PS_TRUTH_YES;
        return same ? PS_TRUTH_YES : PS_TRUTH_UNKNOWN;
    }
    bool turned = (first >= PS_RELATION_GREATER) != (second >= PS_RELATION_GREATER);
    bool strict = (first == PS_RELATION_LESS || first == PS_RELATION_GREATER) ==
                  (second == PS_RELATION_LESS || second == PS_RELATION_GREATER);
    if (!strict) return PS_TRUTH_NO;
    return ps_relations_equal(a->items[0], a->items[1], b->items[turned], b->items[!turned], true);
}

/* One of them relates, the other does not. */
static enum ps_truth compare_with_relation(struct ps_comparer *c, const struct ps_node *relation,
                                           const struct ps_node *other) {
    const struct ps_node *value = assigned(relation);
    if (value) return compare(c, value, other);
    struct ps_node *interval = ps_interval_of(c, relation);
    bool plain = other->kind == PS_NODE_GROUP || other->kind == PS_NODE_UNION;
    return interval && plain ? compare(c, interval, other) : PS_TRUTH_UNKNOWN;
}

static enum ps_truth compare_values(struct ps_comparer *c, const struct ps_node *a,
                                    const struct ps_node *b) {
    int left = ps_infinite_sign(a), right = ps_infinite_sign(b);
    if (left || right) return left == right ? PS_TRUTH_YES : PS_TRUTH_NO;
    if (--c->budget < 0) {
        c->failed = true;
        return PS_TRUTH_UNKNOWN;
    }
    return ps_values_equal(a, b);
}

static bool is_many(const struct ps_node *node) {
    return node->kind == PS_NODE_LIST || node->kind == PS_NODE_SET ||
           (ps_is_value(node) && has_sign(node));
}

static enum ps_truth compare(struct ps_comparer *c, const struct ps_node *a,
                             const struct ps_node *b) {
    if (c->failed) return PS_TRUTH_UNKNOWN;
    bool left = a->kind == PS_NODE_RELATION, right = b->kind == PS_NODE_RELATION;
    if (left && right) {
        const struct ps_node *first = assigned(a), *second = assigned(b);
        bool same = first && second && ps_is_variable(a->items[0]) && ps_is_variable(b->items[0]) &&
                    strcmp(a->items[0]->name, b->items[0]->name) == 0;
        return same ? compare(c, first, second) : compare_relations(c, a, b);
    }
    if (left) return compare_with_relation(c, a, b);
    if (right) return compare_with_relation(c, b, a);
    if (a->kind == PS_NODE_UNION || b->kind == PS_NODE_UNION) {
        if (ps_is_value(a) || ps_is_value(b)) return PS_TRUTH_NO;
        const struct ps_node *one = ps_union_of(c, a), *two = ps_union_of(c, b);
        return one && two ? compare_items(c, one, two) : PS_TRUTH_UNKNOWN;
    }
    if (is_many(a) || is_many(b)) {
        bool ordered = a->kind == PS_NODE_GROUP || b->kind == PS_NODE_GROUP;
        return ordered && a->kind != PS_NODE_SET && b->kind != PS_NODE_SET
                   ? PS_TRUTH_UNKNOWN
                   : compare_members(c, a, b);
    }
    if (ps_is_value(a) && ps_is_value(b)) return compare_values(c, a, b);
    if (a->kind != b->kind) return PS_TRUTH_NO;
    if (a->kind == PS_NODE_GROUP) return compare_groups(c, a, b);
    if (a->kind == PS_NODE_MATRIX && a->columns != b->columns) return PS_TRUTH_NO;
    return compare_items(c, a, b);
}

enum ps_truth ps_trees_equal(const struct ps_tree *gold, const struct ps_tree *answer,
                             struct ps_arena *arena, struct ps_tree_comparison *comparison) {
    struct ps_comparer c = {.arena = arena, .budget = 2000};
    const struct ps_node *a = gold->root, *b = answer->root;
    if (comparison->decimals >= 3 && a->kind == PS_NODE_NUMBER && ps_is_value(b) && !has_sign(b) &&
        ps_value_rounds_to(b, a, comparison->decimals)) {
        comparison->how = "rounds to the gold at its last digit";
        return PS_TRUTH_YES;
    }
    enum ps_truth truth = compare(&c, a, b);
    if (c.failed) truth = PS_TRUTH_UNKNOWN;
    comparison->how = truth == PS_TRUTH_YES  ? "equal, exactly"
                      : truth == PS_TRUTH_NO ? "different"
                      : c.failed             ? "too many members to compare"
                                             : "can neither be shown equal nor different";
    return truth;
}
