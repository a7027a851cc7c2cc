/* Equations, inequalities and what they say about a name. */
#include "grade/compare_internal.h"

/* "f(x)" as it is parsed: a product of a letter and a letter in brackets. */
static bool is_function(const struct ps_node *node) {
    return node->kind == PS_NODE_PRODUCT && node->count == 2 && ps_is_variable(node->items[0]) &&
           ps_is_variable(node->items[1]) && strchr("fghpqFGHPQ", node->items[0]->name[0]) &&
           !node->items[0]->name[1];
}

static bool is_tuple(const struct ps_node *node) {
    if (node->kind != PS_NODE_GROUP || node->open != '(') return false;
    for (size_t i = 0; i < node->count; i++)
        if (!ps_is_variable(node->items[i])) return false;
    return true;
}

/* What a relation names: "x", "f(x)", "(x, y)"; NULL for none. The name may stand on the right. */
static const struct ps_node *name_of(const struct ps_node *node, const struct ps_node **value) {
    if (node->kind != PS_NODE_RELATION || node->count != 2) return NULL;
    bool equal = node->relations[0] == PS_RELATION_EQUAL;
    if (!equal && node->relations[0] != PS_RELATION_IN) return NULL;
    for (int side = 0; side < (equal ? 2 : 1); side++) {
        const struct ps_node *name = node->items[side];
        *value = node->items[1 - side];
        bool variable = ps_is_variable(name) && !ps_contains(*value, name->name);
        if (variable || (side == 0 && (is_function(name) || is_tuple(name)))) return name;
    }
    return NULL;
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

struct ps_node *ps_renamed(struct ps_comparer *c, const struct ps_node *node, const char *from,
                           const char *to) {
    struct ps_node *copy = ps_compare_node(c, node->kind, node->count);
    if (!copy) return NULL;
    struct ps_node **items = copy->items;
    *copy = *node;
    copy->items = items;
    if (ps_is_variable(node) && strcmp(node->name, from) == 0) copy->name = to;
    for (size_t i = 0; i < node->count; i++)
        if (!(items[i] = ps_renamed(c, node->items[i], from, to))) return NULL;
    return copy;
}

/* "f(x) = x^2" and "f(t) = t^2", "y = x^2" and "f(x) = x^2". UNKNOWN for other pairs of names. */
static enum ps_truth compare_named(struct ps_comparer *c, const struct ps_node *first,
                                   const struct ps_node *left, const struct ps_node *second,
                                   const struct ps_node *right) {
    if (ps_is_variable(first) && ps_is_variable(second))
        return strcmp(first->name, second->name) == 0 ? ps_compare(c, left, right)
                                                      : PS_TRUTH_UNKNOWN;
    if (is_function(first) && is_function(second)) {
        const char *argument = first->items[1]->name, *other = second->items[1]->name;
        if (strcmp(first->items[0]->name, second->items[0]->name) != 0) return PS_TRUTH_UNKNOWN;
        if (strcmp(argument, other) == 0) return ps_compare(c, left, right);
        if (ps_contains(right, argument)) return PS_TRUTH_UNKNOWN;
        const struct ps_node *same = ps_renamed(c, right, other, argument);
        return same ? ps_compare(c, left, same) : PS_TRUTH_UNKNOWN;
    }
    const struct ps_node *variable = ps_is_variable(first) ? first : second;
    const struct ps_node *function = variable == first ? second : first;
    if (ps_is_variable(variable) && is_function(function) && strcmp(variable->name, "y") == 0 &&
        strcmp(function->items[1]->name, "x") == 0)
        return ps_compare(c, left, right);
    return PS_TRUTH_UNKNOWN;
}

static enum ps_truth compare_by_sides(struct ps_comparer *c, const struct ps_node *a,
                                      const struct ps_node *b) {
    if (a->count != b->count || memcmp(a->relations, b->relations, a->count - 1) != 0)
        return PS_TRUTH_UNKNOWN;
    for (size_t i = 0; i < a->count; i++)
        if (ps_compare(c, a->items[i], b->items[i]) != PS_TRUTH_YES) return PS_TRUTH_UNKNOWN;
    return PS_TRUTH_YES;
}

enum ps_truth ps_compare_relations(struct ps_comparer *c, const struct ps_node *a,
                                   const struct ps_node *b) {
    const struct ps_node *one, *two, *first = name_of(a, &one), *second = name_of(b, &two);
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    if (first && second) truth = compare_named(c, first, one, second, two);
    if (truth != PS_TRUTH_UNKNOWN) return truth;
    const struct ps_node *left = region_of(c, a), *right = region_of(c, b);
    if (left && right) {
        if (strcmp(variable_of(a)->name, variable_of(b)->name) != 0) return PS_TRUTH_UNKNOWN;
        return ps_compare(c, left, right);
    }
    if (a->count != 2 || b->count != 2) return compare_by_sides(c, a, b);
    unsigned char of_a = a->relations[0], of_b = b->relations[0];
    bool values = ps_is_value(a->items[0]) && ps_is_value(a->items[1]) &&
                  ps_is_value(b->items[0]) && ps_is_value(b->items[1]);
    if (values && of_a == PS_RELATION_EQUAL && of_b == PS_RELATION_EQUAL)
        return ps_relations_equal(a->items[0], a->items[1], b->items[0], b->items[1], false);
    if (!values || !ps_is_order(of_a) || !ps_is_order(of_b)) return compare_by_sides(c, a, b);
    bool turned = (of_a >= PS_RELATION_GREATER) != (of_b >= PS_RELATION_GREATER);
    bool strict = (of_a == PS_RELATION_LESS || of_a == PS_RELATION_GREATER) ==
                  (of_b == PS_RELATION_LESS || of_b == PS_RELATION_GREATER);
    if (!strict) return PS_TRUTH_NO;
    return ps_relations_equal(a->items[0], a->items[1], b->items[turned], b->items[!turned], true);
}

enum ps_truth ps_compare_with_relation(struct ps_comparer *c, const struct ps_node *relation,
                                       const struct ps_node *other) {
    const struct ps_node *value = NULL, *name = name_of(relation, &value);
    if (name) return ps_compare(c, value, other);
    bool region = other->kind == PS_NODE_GROUP || ps_is_region(other);
    const struct ps_node *one = region ? ps_union_of(c, relation) : NULL;
    const struct ps_node *two = one ? ps_union_of(c, other) : NULL;
    return two ? ps_compare(c, one, two) : PS_TRUTH_UNKNOWN;
}

/* ---- assignments: "x = 1, y = 2" ---- */

/* Whether all members give different letters a value, which go to names and values. */
static bool are_assignments(const struct ps_node *list, const struct ps_node **names,
                            const struct ps_node **values) {
    if (list->kind != PS_NODE_LIST || list->count < 2) return false;
    if (list->name && strcmp(list->name, "or") == 0) return false;
    for (size_t i = 0; i < list->count; i++) {
        names[i] = name_of(list->items[i], &values[i]);
        if (!names[i] || !ps_is_variable(names[i])) return false;
        if (list->items[i]->relations[0] != PS_RELATION_EQUAL) return false;
        for (size_t j = 0; j < i; j++) /* x_1 and x_2 are roots, not coordinates */
            if (names[i]->name[0] == names[j]->name[0] && names[i]->name[0] != '\\') return false;
    }
    return true;
}

/* By the alphabet, insertion. */
static void sort(const struct ps_node **names, const struct ps_node **values, size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && strcmp(names[j - 1]->name, names[j]->name) > 0; j--) {
            const struct ps_node *name = names[j], *value = values[j];
            names[j] = names[j - 1];
            values[j] = values[j - 1];
            names[j - 1] = name;
            values[j - 1] = value;
        }
}

/* A tuple of the names, "(x, y) = (1, 2)", and of the alphabet, "(1, 2)". */
static enum ps_truth compare_with_tuple(struct ps_comparer *c, const struct ps_node **names,
                                        const struct ps_node **values, size_t count,
                                        const struct ps_node *other) {
    bool list = other->kind == PS_NODE_LIST;
    if (other->kind != PS_NODE_GROUP && !list) return PS_TRUTH_UNKNOWN;
    if (!list && (other->open != '(' || other->close != ')')) return PS_TRUTH_UNKNOWN;
    if (other->count != count) return PS_TRUTH_NO;
    sort(names, values, count);
    enum ps_truth all = PS_TRUTH_YES;
    for (size_t i = 0; i < count; i++) {
        enum ps_truth equal = ps_compare(c, values[i], other->items[i]);
        if (equal == PS_TRUTH_NO) return list ? PS_TRUTH_UNKNOWN : PS_TRUTH_NO;
        if (equal == PS_TRUTH_UNKNOWN) all = PS_TRUTH_UNKNOWN;
    }
    return all;
}

bool ps_compare_assignments(struct ps_comparer *c, const struct ps_node *a, const struct ps_node *b,
                            enum ps_truth *truth) {
    const struct ps_node *names[2][PS_TREE_ITEMS], *values[2][PS_TREE_ITEMS];
    bool left = are_assignments(a, names[0], values[0]);
    bool right = are_assignments(b, names[1], values[1]);
    if (left == right) return false; /* members in any order, each with its name */
    const struct ps_node *other = left ? b : a;
    int side = left ? 0 : 1;
    if (other->kind == PS_NODE_LIST && other->count && other->items[0]->kind == PS_NODE_RELATION)
        return false;
    *truth = compare_with_tuple(c, names[side], values[side], (left ? a : b)->count, other);
    return true;
}

/* ---- parameters: "k\pi, k \in \mathbb{Z}" ---- */

const struct ps_node *ps_without_parameter(struct ps_comparer *c, const struct ps_node *node,
                                           const char **name) {
    *name = NULL;
    if (node->kind != PS_NODE_LIST || node->count < 2) return node;
    const struct ps_node *last = node->items[node->count - 1];
    bool parameter = last->kind == PS_NODE_RELATION && last->count == 2 &&
                     last->relations[0] == PS_RELATION_IN && ps_is_variable(last->items[0]) &&
                     ps_is_domain(last->items[1]) && strcmp(last->items[1]->name, "integers") == 0;
    if (!parameter) return node;
    *name = last->items[0]->name;
    if (node->count == 2) return node->items[0];
    struct ps_node *rest = ps_compare_node(c, PS_NODE_LIST, node->count - 1);
    if (!rest) return node;
    memcpy(rest->items, node->items, rest->count * sizeof *rest->items);
    return rest;
}
