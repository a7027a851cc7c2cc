/* What stands in brackets: values, tuples and intervals, sets, absolute values, matrices, cases. */
#include "grade/parse_internal.h"

#include <string.h>

struct ps_node *ps_parse_braced(struct ps_parser *p) {
    if (!ps_parse_accept(p, "{")) return ps_parse_fail(p, "an argument is missing");
    int bars = p->bars;
    p->brackets++;
    p->bars = 0;
    struct ps_node *inside = ps_parse_sum(p);
    p->brackets--;
    p->bars = bars;
    if (inside && !ps_parse_accept(p, "}")) return ps_parse_fail(p, "braces around no value");
    return inside;
}

/* "(1,000, 2,000)": some comma has a space behind it, and each other three digits. */
static bool has_spaced_commas(const char *at) {
    int depth = 0;
    bool spaced = false;
    for (; *at && depth >= 0; at++) {
        depth += strchr("([{", *at) ? 1 : strchr(")]}", *at) ? -1 : 0;
        if (*at != ',') continue;
        bool group = ps_parse_is_digit(at[1]) && ps_parse_is_digit(at[2]) &&
                     ps_parse_is_digit(at[3]) && !ps_parse_is_digit(at[4]);
        if (at[1] != ' ' && !group) return false;
        spaced |= at[1] == ' ';
    }
    return spaced;
}

struct ps_node *ps_parse_bracket(struct ps_parser *p) {
    char open = *p->at++;
    int bars = p->bars;
    bool in_set = p->in_set, grouped = p->grouped;
    if (++p->depth > PS_TREE_DEPTH) return ps_parse_fail(p, "it is nested too deeply");
    p->brackets++;
    p->bars = 0;
    p->in_set = false;
    p->grouped = p->depth <= 4 && has_spaced_commas(p->at); /* which reads to the end */
    struct ps_node *node = ps_parse_list(p, PS_NODE_GROUP);
    p->brackets--;
    p->bars = bars;
    p->in_set = in_set;
    p->grouped = grouped;
    p->depth--;
    ps_parse_skip(p);
    if (!node) return NULL;
    bool french = *p->at == '[' && node->count == 2; /* "[1,2[", "]1,2[" */
    if (*p->at != ')' && *p->at != ']' && !french)
        return ps_parse_fail(p, "a bracket that is never closed");
    node->open = open == ']' ? '(' : open;
    node->close = french ? ')' : *p->at;
    p->at++;
    if (open == ']' && node->count != 2) return ps_parse_fail(p, "brackets that do not match");
    bool pair = (open == '(') == (node->close == ')');
    if (node->count == 1 && !pair) return ps_parse_fail(p, "brackets that do not match");
    if (node->count != 1) return node;
    bool based = node->items[0]->kind == PS_NODE_NUMBER && p->at[0] == '_' && p->at[1] == '{';
    if (!based) return node->items[0];
    p->at += 2; /* "(101)_{2}" */
    return ps_parse_with_base(p, node->items[0]);
}

/* "x | x > 3", "x \in \mathbb{R} : x > 3": the condition on x, which says what the set does. */
static struct ps_node *such_that(struct ps_parser *p) {
    p->bars = 1; /* no absolute value begins at the bar */
    struct ps_node *head = ps_parse_relation(p);
    p->bars = 0;
    if (!head) return NULL;
    if (!ps_parse_accept(p, "\\mid") && !ps_parse_accept(p, "|") && !ps_parse_accept(p, ":"))
        return ps_parse_fail(p, "a set that is no list");
    bool in = head->kind == PS_NODE_RELATION && head->count == 2 &&
              head->relations[0] == PS_RELATION_IN && head->items[1]->kind == PS_NODE_CONSTANT &&
              !strcmp(head->items[1]->name, "reals");
    const struct ps_node *name = in ? head->items[0] : head;
    struct ps_node *list = name->kind == PS_NODE_VARIABLE ? ps_parse_list(p, PS_NODE_LIST) : NULL;
    bool relation = list && list->count == 1 && list->items[0]->kind == PS_NODE_RELATION;
    bool about = false;
    for (size_t i = 0; relation && i < list->items[0]->count; i++) {
        const struct ps_node *side = list->items[0]->items[i];
        about |= side->kind == PS_NODE_VARIABLE && strcmp(side->name, name->name) == 0;
    }
    return about ? list->items[0] : ps_parse_fail(p, "a set by a condition");
}

struct ps_node *ps_parse_set(struct ps_parser *p) {
    if (ps_parse_accept(p, "\\}")) return ps_parse_node(p, PS_NODE_SET, NULL, 0);
    int bars = p->bars;
    bool in_set = p->in_set;
    if (++p->depth > PS_TREE_DEPTH) return ps_parse_fail(p, "it is nested too deeply");
    p->brackets++;
    p->bars = 0;
    p->in_set = true;
    struct ps_parser kept = *p;
    struct ps_node *node = ps_parse_list(p, PS_NODE_SET);
    bool list = node && ps_parse_peek(p, "\\}");
    if (!list && !in_set && !p->out_of_memory) { /* once: nested ones would double the work */
        kept.nodes = p->nodes;
        *p = kept;
        node = such_that(p);
    }
    p->depth--;
    p->brackets--;
    p->bars = bars;
    p->in_set = in_set;
    if (node && !ps_parse_accept(p, "\\}")) return ps_parse_fail(p, "a set that is no list");
    return node;
}

/* "{1, 2}" without backslashes is a set, "{x+1}" a value. */
struct ps_node *ps_parse_plain_set(struct ps_parser *p) {
    int bars = p->bars;
    p->at++;
    if (++p->depth > PS_TREE_DEPTH) return ps_parse_fail(p, "it is nested too deeply");
    p->brackets++;
    p->bars = 0;
    struct ps_node *node = ps_parse_list(p, PS_NODE_SET);
    p->depth--;
    p->brackets--;
    p->bars = bars;
    if (node && !ps_parse_accept(p, "}")) return ps_parse_fail(p, "braces around no value");
    bool value = node && node->count == 1 && node->items[0]->kind < PS_NODE_GROUP;
    return value ? node->items[0] : node;
}

struct ps_node *ps_parse_absolute(struct ps_parser *p) {
    p->bars++;
    struct ps_node *inside = ps_parse_sum(p);
    p->bars--;
    if (inside && !ps_parse_accept(p, "|")) return ps_parse_fail(p, "a bar that is never closed");
    return ps_parse_unary(p, PS_NODE_CALL, "abs", inside);
}

struct ps_node *ps_parse_rounded(struct ps_parser *p, const char *name, const char *close) {
    struct ps_node *inside = ps_parse_sum(p);
    if (inside && !ps_parse_accept(p, close)) return ps_parse_fail(p, "a bracket never closed");
    return ps_parse_unary(p, PS_NODE_CALL, name, inside);
}

/* The environment's name, up to its closing brace; array's columns are left out. */
static bool is_matrix(struct ps_parser *p, bool *cases, size_t *name) {
    const char *end = strchr(p->at, '}');
    size_t size = *name = end ? (size_t)(end - p->at) : 0;
    *cases = size == 5 && strncmp(p->at, "cases", 5) == 0;
    bool array = size == 5 && strncmp(p->at, "array", 5) == 0;
    bool matrix = size >= 6 && strncmp(end - 6, "matrix", 6) == 0 && p->at[0] != 'v';
    if (!*cases && !array && !matrix) return false;
    p->at = end + 1;
    if (array && ps_parse_accept(p, "{")) {
        while (*p->at && *p->at != '}') p->at++;
        if (*p->at) p->at++;
    }
    return true;
}

static void skip_condition_words(struct ps_parser *p) {
    static const char *const words[] = {"if", "for", "when", "where"};
    ps_parse_skip(p);
    const char *at = p->at;
    while (*at == PS_TEXT_BEGIN || *at == ' ') at++;
    for (int i = 0; i < 4; i++) {
        size_t size = strlen(words[i]);
        if (strncmp(at, words[i], size) != 0 || ps_parse_is_letter(at[size])) continue;
        at += size;
        while (*at == PS_TEXT_END || *at == ' ') at++;
        p->at = at;
        return;
    }
}

/* "\\" and "\\[2pt]" */
static bool accept_row_end(struct ps_parser *p) {
    if (!ps_parse_accept(p, "\\\\")) return false;
    const char *end = *p->at == '[' ? strchr(p->at, ']') : NULL;
    bool length =
        end && end - p->at > 2 && ps_parse_is_letter(end[-1]) && ps_parse_is_digit(p->at[1]);
    if (length) p->at = end + 1;
    return true;
}

/* \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}; the normal form keeps & and \\. One column of cases
 * is a list of equations. */
struct ps_node *ps_parse_matrix(struct ps_parser *p) {
    struct ps_node *items[PS_TREE_ITEMS];
    size_t count = 0, columns = 0, row = 0;
    bool cases;
    const char *name = p->at;
    size_t size;
    if (!is_matrix(p, &cases, &size)) return ps_parse_fail(p, "an environment that is no matrix");
    if (++p->depth > PS_TREE_DEPTH) return ps_parse_fail(p, "it is nested too deeply");
    p->brackets++;
    for (;;) {
        if (cases) skip_condition_words(p);
        struct ps_node *item = cases ? ps_parse_relation(p) : ps_parse_sum(p);
        if (!item) return NULL;
        if (count == PS_TREE_ITEMS) return ps_parse_fail(p, "it is too long");
        items[count++] = item;
        row++;
        if (cases) ps_parse_accept(p, ",");
        if (ps_parse_accept(p, "&")) continue;
        if (columns == 0) columns = row;
        if (row != columns) return ps_parse_fail(p, "a matrix with rows of different lengths");
        row = 0;
        bool more = accept_row_end(p);
        if (ps_parse_accept(p, "\\end{")) break;
        if (!more) return ps_parse_fail(p, "a matrix that is never closed");
    }
    p->depth--;
    p->brackets--;
    if (strncmp(p->at, name, size + 1) != 0)
        return ps_parse_fail(p, "a matrix that is never closed");
    p->at += size + 1;
    bool list = cases && columns == 1;
    struct ps_node *node = ps_parse_node(p, list ? PS_NODE_LIST : PS_NODE_MATRIX, NULL, count);
    if (!node) return NULL;
    memcpy(node->items, items, count * sizeof *items);
    node->columns = columns;
    if (cases && !list) node->open = '{';
    return node;
}
