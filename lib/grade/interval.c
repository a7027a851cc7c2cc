/* Intervals and their unions. */
#include "grade/compare_internal.h"

int ps_infinite_sign(const struct ps_node *node) {
    bool minus = node->kind == PS_NODE_NEGATIVE;
    if (minus) node = node->items[0];
    if (node->kind != PS_NODE_CONSTANT || strcmp(node->name, "infinity") != 0) return 0;
    return minus ? -1 : 1;
}

bool ps_contains(const struct ps_node *node, const char *name) {
    if (ps_is_variable(node) && strcmp(node->name, name) == 0) return true;
    for (size_t i = 0; i < node->count; i++)
        if (ps_contains(node->items[i], name)) return true;
    return false;
}

/* ---- from inequalities ---- */

bool ps_is_order(unsigned char relation) {
    return relation >= PS_RELATION_LESS && relation <= PS_RELATION_GREATER_EQUAL;
}

static struct ps_node *infinity(struct ps_comparer *c, bool negative) {
    struct ps_node *node = ps_compare_node(c, PS_NODE_CONSTANT, 0);
    if (!node) return NULL;
    node->name = "infinity";
    if (!negative) return node;
    struct ps_node *minus = ps_compare_node(c, PS_NODE_NEGATIVE, 1);
    if (minus) minus->items[0] = node;
    return minus;
}

/* "x < 5" and "2 \le x < 5" as the interval of x; NULL for any other. */
struct ps_node *ps_interval_of(struct ps_comparer *c, const struct ps_node *node) {
    if (node->kind != PS_NODE_RELATION || node->count > 3) return NULL;
    size_t name = node->count;
    for (size_t i = 0; i < node->count; i++)
        if (ps_is_variable(node->items[i])) name = name == node->count ? i : node->count + 1;
    for (size_t i = 0; i + 1 < node->count; i++)
        if (!ps_is_order(node->relations[i])) return NULL;
    if (name >= node->count || (node->count == 3 && name != 1)) return NULL;
    struct ps_node *low = infinity(c, true), *high = infinity(c, false);
    struct ps_node *group = ps_compare_node(c, PS_NODE_GROUP, 2);
    if (!low || !high || !group) return NULL;
    group->open = '(';
    group->close = ')';
    for (size_t i = 0; i + 1 < node->count; i++) {
        unsigned char relation = node->relations[i];
        bool less = relation == PS_RELATION_LESS || relation == PS_RELATION_LESS_EQUAL;
        bool closed = relation == PS_RELATION_LESS_EQUAL || relation == PS_RELATION_GREATER_EQUAL;
        bool is_left = i == name; /* the name stands left of this sign */
        struct ps_node *bound = node->items[is_left ? i + 1 : i];
        if (ps_contains(bound, node->items[name]->name)) return NULL;
        if (less == is_left) {
            high = bound;
            group->close = closed ? ']' : ')';
        } else {
            low = bound;
            group->open = closed ? '[' : '(';
        }
    }
    group->items[0] = low;
    group->items[1] = high;
    return group;
}

/* ---- unions ---- */

/* Whether a lies below b; infinities are ends like others. */
static enum ps_truth is_below(const struct ps_node *a, const struct ps_node *b) {
    int left = ps_infinite_sign(a), right = ps_infinite_sign(b);
    if (left || right) return left < right ? PS_TRUTH_YES : PS_TRUTH_NO;
    return ps_value_less(a, b);
}

/* Opens a union, a list or a relation into plain intervals; false where something is none. */
static bool gather(struct ps_comparer *c, const struct ps_node *node, struct ps_node *all) {
    bool many = node->kind == PS_NODE_UNION || node->kind == PS_NODE_LIST;
    if (many) {
        for (size_t i = 0; i < node->count; i++)
            if (!gather(c, node->items[i], all)) return false;
        return true;
    }
    struct ps_node *copy = ps_compare_node(c, PS_NODE_GROUP, 2);
    const struct ps_node *interval = node->kind == PS_NODE_GROUP ? node : ps_interval_of(c, node);
    if (!copy || !interval || interval->count != 2 || all->count == PS_TREE_ITEMS) return false;
    memcpy(copy->items, interval->items, 2 * sizeof *copy->items);
    copy->open = interval->open;
    copy->close = interval->close;
    all->items[all->count++] = copy;
    return is_below(copy->items[0], copy->items[1]) == PS_TRUTH_YES;
}

/* By insertion; false where two ends cannot be ordered. */
static bool sort(struct ps_node *all) {
    for (size_t i = 1; i < all->count; i++)
        for (size_t j = i; j > 0; j--) {
            struct ps_node *left = all->items[j - 1], *right = all->items[j];
            enum ps_truth below = is_below(right->items[0], left->items[0]);
            if (below == PS_TRUTH_UNKNOWN) return false;
            if (below == PS_TRUTH_NO) break;
            all->items[j - 1] = right;
            all->items[j] = left;
        }
    return true;
}

/* Joins neighbours that overlap or touch in a point that one of them has. */
static bool join(struct ps_node *all) {
    size_t kept = 0;
    for (size_t i = 1; i < all->count; i++) {
        struct ps_node *last = all->items[kept], *next = all->items[i];
        enum ps_truth gap = is_below(last->items[1], next->items[0]);
        enum ps_truth overlap = is_below(next->items[0], last->items[1]);
        if (gap == PS_TRUTH_UNKNOWN || overlap == PS_TRUTH_UNKNOWN) return false;
        bool touches = gap == PS_TRUTH_NO && overlap == PS_TRUTH_NO;
        if (gap == PS_TRUTH_YES || (touches && last->close == ')' && next->open == '(')) {
            all->items[++kept] = next;
            continue;
        }
        enum ps_truth longer = is_below(last->items[1], next->items[1]);
        if (longer == PS_TRUTH_UNKNOWN) return false;
        bool same =
            longer == PS_TRUTH_NO && is_below(next->items[1], last->items[1]) != PS_TRUTH_YES;
        if (longer == PS_TRUTH_YES || (same && next->close == ']')) {
            last->items[1] = next->items[1];
            last->close = next->close;
        }
    }
    all->count = kept + 1;
    return true;
}

const struct ps_node *ps_union_of(struct ps_comparer *c, const struct ps_node *node) {
    struct ps_node *all = ps_compare_node(c, PS_NODE_UNION, PS_TREE_ITEMS);
    if (!all) return NULL;
    all->count = 0;
    return gather(c, node, all) && sort(all) && join(all) ? all : NULL;
}
