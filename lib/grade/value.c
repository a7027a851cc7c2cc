/* Values compared: first as text, then by enclosures, which prove a difference, then exactly, which
 * proves equality. */
#include "grade/value_internal.h"

#include <string.h>

/* ---- one text for a tree ---- */

static bool print_items(const struct ps_node *node, struct ps_buffer *out) {
    for (size_t i = 0; i < node->count; i++)
        if ((i > 0 && !ps_buffer_puts(out, ",")) || !ps_node_print(node->items[i], out))
            return false;
    return true;
}

bool ps_node_print(const struct ps_node *node, struct ps_buffer *out) {
    static const char *const names[] = {[PS_NODE_SUM] = "sum",
                                        [PS_NODE_PRODUCT] = "product",
                                        [PS_NODE_NEGATIVE] = "negative",
                                        [PS_NODE_SIGNED] = "signed",
                                        [PS_NODE_QUOTIENT] = "quotient",
                                        [PS_NODE_POWER] = "power",
                                        [PS_NODE_ROOT] = "root",
                                        [PS_NODE_CALL] = "call",
                                        [PS_NODE_FACTORIAL] = "factorial",
                                        [PS_NODE_BINOMIAL] = "binomial",
                                        [PS_NODE_DEGREES] = "degrees",
                                        [PS_NODE_GROUP] = "group",
                                        [PS_NODE_SET] = "set",
                                        [PS_NODE_LIST] = "list",
                                        [PS_NODE_UNION] = "union",
                                        [PS_NODE_DIFFERENCE] = "difference",
                                        [PS_NODE_RATIO] = "ratio",
                                        [PS_NODE_MATRIX] = "matrix",
                                        [PS_NODE_RELATION] = "relation"};
    if (node->kind == PS_NODE_NUMBER)
        return ps_buffer_format(out, "%s_%d_%d", node->name, node->base, node->repeats);
    if (node->kind == PS_NODE_CONSTANT || node->kind == PS_NODE_VARIABLE)
        return ps_buffer_puts(out, node->name);
    return ps_buffer_format(out, "%s%s%s", names[node->kind], node->name ? " " : "",
                            node->name ? node->name : "") &&
           ps_buffer_puts(out, "(") && print_items(node, out) && ps_buffer_puts(out, ")");
}

static bool same_text(const struct ps_node *a, const struct ps_node *b) {
    struct ps_buffer left, right;
    ps_buffer_init(&left, 1 << 18);
    ps_buffer_init(&right, 1 << 18);
    bool same = ps_node_print(a, &left) && ps_node_print(b, &right) && left.size == right.size &&
                memcmp(left.data, right.data, left.size) == 0;
    ps_buffer_release(&left);
    ps_buffer_release(&right);
    return same;
}

/* ---- enclosures ---- */

/* Adds the variables of a tree; false when there are too many. */
static bool collect(const struct ps_node *node, struct ps_point *point) {
    if (node->kind == PS_NODE_VARIABLE) {
        for (size_t i = 0; i < point->count; i++)
            if (strcmp(point->names[i], node->name) == 0) return true;
        if (point->count == PS_TREE_VARIABLES) return false;
        point->names[point->count++] = node->name;
    }
    for (size_t i = 0; i < node->count; i++)
        if (!collect(node->items[i], point)) return false;
    return true;
}

/* Positive fractions without a pattern; positive, so that \sqrt{x^2} = x is not refuted where x is
 * a length. */
static void place(struct ps_point *point, int trial) {
    static const int above[PS_TREE_VARIABLES] = {37, 53, 71, 19, 83, 97, 29, 61, 43, 89, 23, 67};
    for (size_t i = 0; i < point->count; i++)
        fmpq_set_si(point->values[i], above[i] + 31 * trial,
                    (ulong)(11 + 13 * i + 7 * (size_t)trial));
}

/* Whether enclosures prove a and b different: at one point is enough. */
static bool are_apart(const struct ps_node *a, const struct ps_node *b) {
    struct ps_point point = {.count = 0};
    bool apart = false;
    if (!collect(a, &point) || !collect(b, &point)) return false;
    acb_t left, right;
    acb_init(left);
    acb_init(right);
    for (size_t i = 0; i < point.count; i++) fmpq_init(point.values[i]);
    for (int trial = 0; trial < (point.count ? 3 : 1) && !apart; trial++) {
        place(&point, trial);
        apart = ps_value_enclose(a, &point, left) && ps_value_enclose(b, &point, right) &&
                !acb_overlaps(left, right);
    }
    for (size_t i = 0; i < point.count; i++) fmpq_clear(point.values[i]);
    acb_clear(left);
    acb_clear(right);
    return apart;
}

enum ps_truth ps_values_equal(const struct ps_node *a, const struct ps_node *b) {
    if (same_text(a, b)) return PS_TRUTH_YES;
    if (are_apart(a, b)) return PS_TRUTH_NO;
    return ps_exact_equal(a, b);
}

/* ---- order ---- */

/* b - a as a real ball; false where one of them is no closed real number. */
static bool distance(const struct ps_node *a, const struct ps_node *b, arb_t result) {
    static const struct ps_point nowhere;
    acb_t left, right;
    acb_init(left);
    acb_init(right);
    bool ok = ps_value_enclose(a, &nowhere, left) && ps_value_enclose(b, &nowhere, right) &&
              acb_is_real(left) && acb_is_real(right);
    if (ok) arb_sub(result, acb_realref(right), acb_realref(left), PS_VALUE_BITS);
    acb_clear(left);
    acb_clear(right);
    return ok;
}

enum ps_truth ps_value_less(const struct ps_node *a, const struct ps_node *b) {
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    arb_t gap;
    arb_init(gap);
    if (distance(a, b, gap)) {
        if (arb_is_positive(gap))
            truth = PS_TRUTH_YES;
        else if (arb_is_negative(gap) || ps_values_equal(a, b) == PS_TRUTH_YES)
            truth = PS_TRUTH_NO;
    }
    arb_clear(gap);
    return truth;
}

bool ps_value_rounds_to(const struct ps_node *exact, const struct ps_node *decimal, int places) {
    arb_t gap, half;
    arb_init(gap);
    arb_init(half);
    bool ok = distance(exact, decimal, gap);
    arb_abs(gap, gap);
    arb_set_ui(half, 10);
    arb_pow_ui(half, half, (ulong)places, PS_VALUE_BITS);
    arb_mul_2exp_si(half, half, 1);
    arb_inv(half, half, PS_VALUE_BITS);
    ok = ok && arb_lt(gap, half);
    arb_clear(gap);
    arb_clear(half);
    return ok;
}
