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

static struct ps_node *piece(struct ps_comparer *c, char open, struct ps_node *low,
                             struct ps_node *high, char close) {
    struct ps_node *node = low && high ? ps_compare_node(c, PS_NODE_GROUP, 2) : NULL;
    if (!node) return NULL;
    node->open = open;
    node->close = close;
    node->items[0] = low;
    node->items[1] = high;
    return node;
}

static bool add(struct ps_node *all, struct ps_node *interval) {
    if (!interval || all->count == PS_TREE_ITEMS) return false;
    all->items[all->count++] = interval;
    return true;
}

/* No interval is empty; a point is closed on both sides. */
static bool add_interval(struct ps_comparer *c, struct ps_node *all, const struct ps_node *group) {
    if (group->kind != PS_NODE_GROUP || group->count != 2) return false;
    struct ps_node *low = group->items[0], *high = group->items[1];
    enum ps_truth below = is_below(low, high);
    bool point = below == PS_TRUTH_NO && group->open == '[' && group->close == ']' &&
                 is_below(high, low) == PS_TRUTH_NO;
    if (below != PS_TRUTH_YES && !point) return false;
    bool beyond = ps_infinite_sign(low) > 0 || ps_infinite_sign(high) < 0;
    bool closed = (ps_infinite_sign(low) && group->open == '[') ||
                  (ps_infinite_sign(high) && group->close == ']');
    if (beyond || closed) return false;
    return add(all, piece(c, group->open, low, high, group->close));
}

/* Whether a comes before b: it begins lower, or at the same end and has it. */
static enum ps_truth precedes(const struct ps_node *a, const struct ps_node *b) {
    enum ps_truth below = is_below(a->items[0], b->items[0]);
    if (below != PS_TRUTH_NO || a->open != '[' || b->open != '(') return below;
    enum ps_truth above = is_below(b->items[0], a->items[0]);
    return above == PS_TRUTH_NO    ? PS_TRUTH_YES
           : above == PS_TRUTH_YES ? PS_TRUTH_NO
                                   : PS_TRUTH_UNKNOWN;
}

/* By insertion; false where two ends cannot be ordered. */
static bool sort(struct ps_node *all) {
    for (size_t i = 1; i < all->count; i++)
        for (size_t j = i; j > 0; j--) {
            struct ps_node *left = all->items[j - 1], *right = all->items[j];
            enum ps_truth before = precedes(right, left);
            if (before == PS_TRUTH_UNKNOWN) return false;
            if (before == PS_TRUTH_NO) break;
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
    if (all->count) all->count = kept + 1;
    return true;
}

static struct ps_node *empty(struct ps_comparer *c) {
    struct ps_node *all = ps_compare_node(c, PS_NODE_UNION, PS_TREE_ITEMS);
    if (all) all->count = 0;
    return all;
}

/* What is in neither interval of a union in order. */
static struct ps_node *complement(struct ps_comparer *c, const struct ps_node *of) {
    struct ps_node *all = of ? empty(c) : NULL;
    if (!all) return NULL;
    struct ps_node *low = infinity(c, true);
    char open = '(';
    bool ok = true;
    for (size_t i = 0; ok && i < of->count; i++) {
        const struct ps_node *next = of->items[i];
        if (ps_infinite_sign(next->items[0]) == 0)
            ok = add(all, piece(c, open, low, next->items[0], next->open == '[' ? ')' : ']'));
        low = next->items[1];
        open = next->close == ']' ? '(' : '[';
    }
    if (ok && ps_infinite_sign(low) <= 0)
        ok = add(all, piece(c, open, low, infinity(c, false), ')'));
    return ok ? all : NULL;
}

static struct ps_node *join_two(struct ps_comparer *c, const struct ps_node *a,
                                const struct ps_node *b) {
    struct ps_node *all = a && b ? empty(c) : NULL;
    if (!all || a->count + b->count > PS_TREE_ITEMS) return NULL;
    for (size_t i = 0; i < a->count; i++)
        if (!add_interval(c, all, a->items[i])) return NULL;
    for (size_t i = 0; i < b->count; i++)
        if (!add_interval(c, all, b->items[i])) return NULL;
    return sort(all) && join(all) ? all : NULL;
}

static struct ps_node *intersect(struct ps_comparer *c, const struct ps_node *a,
                                 const struct ps_node *b) {
    return complement(c, join_two(c, complement(c, a), complement(c, b)));
}

static struct ps_node *region(struct ps_comparer *c, const struct ps_node *node);

static const struct ps_node *variable_of(const struct ps_node *relation) {
    for (size_t i = 0; i < relation->count; i++)
        if (ps_is_variable(relation->items[i])) return relation->items[i];
    return NULL;
}

/* "x \ne 3", "x = 3", "x \in S", "x < 3" */
static struct ps_node *region_of_relation(struct ps_comparer *c, const struct ps_node *node) {
    struct ps_node *all = empty(c);
    const struct ps_node *interval = ps_interval_of(c, node);
    if (!all) return NULL;
    if (interval) return add_interval(c, all, interval) ? all : NULL;
    const struct ps_node *name = variable_of(node);
    if (!name || node->count != 2) return NULL;
    bool left = name == node->items[0];
    struct ps_node *value = node->items[left];
    if (ps_contains(value, name->name)) return NULL;
    if (node->relations[0] == PS_RELATION_IN) return left ? region(c, value) : NULL;
    if (node->relations[0] != PS_RELATION_EQUAL && node->relations[0] != PS_RELATION_NOT_EQUAL)
        return NULL;
    if (!ps_is_value(value) || !add_interval(c, all, piece(c, '[', value, value, ']'))) return NULL;
    return node->relations[0] == PS_RELATION_EQUAL ? all : complement(c, all);
}

/* "x > 0 and x < 1" is where both hold, "x < 0 or x > 1" where one does. A comma says neither:
 * of "x \ne 0, x \ne 1" both hold, of pieces apart from each other one. */
static struct ps_node *region_of_list(struct ps_comparer *c, const struct ps_node *node) {
    bool both = node->name && strcmp(node->name, "and") == 0, unequal = true, conditions = true;
    const struct ps_node *name = NULL;
    size_t pieces = 0;
    for (size_t i = 0; i < node->count; i++) {
        const struct ps_node *item = node->items[i];
        conditions &= item->kind == PS_NODE_RELATION;
        unequal &= item->kind == PS_NODE_RELATION && item->relations[0] == PS_RELATION_NOT_EQUAL;
        const struct ps_node *one = item->kind == PS_NODE_RELATION ? variable_of(item) : NULL;
        if (one && name && strcmp(one->name, name->name) != 0) return NULL;
        if (one) name = one;
    }
    bool comma = !node->name;
    both = (both || (comma && unequal)) && conditions;
    struct ps_node *all = NULL;
    for (size_t i = 0; i < node->count; i++) {
        struct ps_node *one = region(c, node->items[i]);
        if (!one) return NULL;
        pieces += one->count;
        all = !all ? one : both ? intersect(c, all, one) : join_two(c, all, one);
        if (!all) return NULL;
    }
    if (both && all->count == 0) return NULL; /* who writes "x < 1 and x > 2" means "or" */
    return comma && !both && all->count != pieces ? NULL : all;
}

static struct ps_node *region(struct ps_comparer *c, const struct ps_node *node) {
    struct ps_node *all = empty(c);
    if (!all) return NULL;
    switch (node->kind) {
    case PS_NODE_GROUP: return add_interval(c, all, node) ? all : NULL;
    case PS_NODE_RELATION: return region_of_relation(c, node);
    case PS_NODE_LIST: return region_of_list(c, node);
    case PS_NODE_CONSTANT: return strcmp(node->name, "reals") == 0 ? complement(c, all) : NULL;
    case PS_NODE_DIFFERENCE: {
        const struct ps_node *from = region(c, node->items[0]);
        return from ? intersect(c, from, complement(c, region(c, node->items[1]))) : NULL;
    }
    case PS_NODE_SET:
        for (size_t i = 0; i < node->count; i++) {
            struct ps_node *value = node->items[i];
            if (!ps_is_value(value) || !add_interval(c, all, piece(c, '[', value, value, ']')))
                return NULL;
        }
        return sort(all) && join(all) ? all : NULL;
    case PS_NODE_UNION:
        for (size_t i = 0; all && i < node->count; i++)
            all = join_two(c, all, region(c, node->items[i]));
        return all;
    default: return NULL;
    }
}

const struct ps_node *ps_union_of(struct ps_comparer *c, const struct ps_node *node) {
    return region(c, node);
}

bool ps_are_conditions(const struct ps_node *node) {
    if (node->kind != PS_NODE_LIST) return false;
    for (size_t i = 0; i < node->count; i++) {
        const struct ps_node *item = node->items[i];
        for (size_t k = 0; item->kind == PS_NODE_RELATION && k + 1 < item->count; k++)
            if (ps_is_order(item->relations[k]) || item->relations[k] == PS_RELATION_NOT_EQUAL)
                return true;
    }
    return false;
}
