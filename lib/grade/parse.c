/* From normalised text to a tree.
 *
 *   answer   = list [unit]
 *   list     = relation { ("," | ";" | "and" | "or") relation }
 *   relation = union { ("=" | "<" | "\le" | "\in" | ...) union }
 *   union    = ratio { ("\cup" | "\setminus") ratio }
 *   ratio    = sum { ":" sum }
 *   sum      = ["+" | "-" | "\pm"] product { ("+" | "-" | "\pm" | "\mp") product }
 *   product  = power { ["*" | "\cdot" | "\times" | "/" | "\div"] power }
 *   power    = primary { "!" | "°" | "^{" sum "}" }
 *
 * and primary is in parse_primary.c. Juxtaposition is multiplication, "2\frac{1}{3}" a mixed
 * number. "1/2x" may mean two things and is not read. */
#include "grade/parse_internal.h"

#include <string.h>

/* ---- nodes ---- */

struct ps_node *ps_parse_fail(struct ps_parser *p, const char *problem) {
    if (!p->problem) p->problem = problem;
    return NULL;
}

struct ps_node *ps_parse_node(struct ps_parser *p, enum ps_node_kind kind, const char *name,
                              size_t count) {
    if (++p->nodes > PS_TREE_NODES) return ps_parse_fail(p, "it is too large");
    struct ps_node *node = ps_arena_alloc(p->arena, sizeof *node);
    if (node && count) node->items = ps_arena_array(p->arena, count, sizeof *node->items);
    if (!node || (count && !node->items)) {
        p->out_of_memory = true;
        return ps_parse_fail(p, "no memory");
    }
    node->kind = kind;
    node->name = name;
    node->base = 10;
    node->count = count;
    return node;
}

struct ps_node *ps_parse_unary(struct ps_parser *p, enum ps_node_kind kind, const char *name,
                               struct ps_node *item) {
    struct ps_node *node = item ? ps_parse_node(p, kind, name, 1) : NULL;
    if (node) node->items[0] = item;
    return node;
}

struct ps_node *ps_parse_binary(struct ps_parser *p, enum ps_node_kind kind, const char *name,
                                struct ps_node *first, struct ps_node *second) {
    struct ps_node *node = first && second ? ps_parse_node(p, kind, name, 2) : NULL;
    if (!node) return NULL;
    node->items[0] = first;
    node->items[1] = second;
    return node;
}

/* Items as they come, on the stack of whoever collects them. */
struct items {
    struct ps_node *item[PS_TREE_ITEMS];
    size_t count;
};

static bool add(struct ps_parser *p, struct items *items, struct ps_node *item) {
    if (item && items->count == PS_TREE_ITEMS) item = ps_parse_fail(p, "it is too long");
    if (!item) return false;
    items->item[items->count++] = item;
    return true;
}

/* One item stands for itself. */
static struct ps_node *gather(struct ps_parser *p, enum ps_node_kind kind,
                              const struct items *items) {
    if (items->count == 1) return items->item[0];
    struct ps_node *node = ps_parse_node(p, kind, NULL, items->count);
    if (node) memcpy(node->items, items->item, items->count * sizeof *node->items);
    return node;
}

/* ---- tokens ---- */

void ps_parse_skip(struct ps_parser *p) {
    while (*p->at == ' ') p->at++;
}

bool ps_parse_peek(struct ps_parser *p, const char *literal) {
    ps_parse_skip(p);
    size_t size = strlen(literal);
    if (strncmp(p->at, literal, size) != 0) return false;
    char last = literal[size - 1];
    bool command = literal[0] == '\\' && ps_parse_is_letter(last);
    return !command || !ps_parse_is_letter(p->at[size]);
}

bool ps_parse_accept(struct ps_parser *p, const char *literal) {
    if (!ps_parse_peek(p, literal)) return false;
    p->at += strlen(literal);
    return true;
}

/* "and" and "or" between answers, as text or as plain words. */
static bool accept_word(struct ps_parser *p, const char *word) {
    const char *at = p->at;
    bool text = *at == PS_TEXT_BEGIN;
    while (*at == PS_TEXT_BEGIN || *at == ' ') at++;
    size_t size = strlen(word);
    bool apart = text || (at > p->at) || (p->at > p->start && p->at[-1] == ' ');
    if (!apart || strncmp(at, word, size) != 0 || ps_parse_is_letter(at[size])) return false;
    at += size;
    while (*at == PS_TEXT_END || *at == ' ') at++;
    p->at = at;
    return true;
}

/* *word: NULL for a comma or semicolon alone. */
static bool accept_separator(struct ps_parser *p, const char **word) {
    ps_parse_skip(p);
    bool comma = *p->at == ',' || *p->at == ';';
    if (comma) p->at++;
    ps_parse_skip(p);
    *word = accept_word(p, "and") || ps_parse_accept(p, "\\wedge") ? "and"
            : accept_word(p, "or") || ps_parse_accept(p, "\\vee")  ? "or"
                                                                   : NULL;
    return comma || *word;
}

/* ---- values ---- */

/* Whether a factor may begin here without a sign of multiplication. */
static bool begins_factor(struct ps_parser *p) {
    static const char *const operators[] = {
        "\\cdot",     "\\times", "\\div",    "\\le",     "\\ge",    "\\ne",     "\\in",
        "\\cup",      "\\cap",   "\\pm",     "\\mp",     "\\}",     "\\rfloor", "\\rceil",
        "\\\\",       "\\end",   "\\to",     "\\approx", "\\equiv", "\\mid",    "\\subset",
        "\\setminus", "\\over",  "\\choose", "\\ldots",  "\\wedge", "\\vee",    "\\pmod"};
    ps_parse_skip(p);
    char c = *p->at;
    if (p->in_argument && (c == '(' || c == '[' || ps_parse_is_function(p->at))) return false;
    if (c == '|') return p->bars == 0;
    if (c == '\\') {
        for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
            if (ps_parse_peek(p, operators[i])) return false;
        return true;
    }
    if (ps_parse_is_letter(c)) {
        const char *unit, *at = p->at;
        bool word = accept_word(p, "and") || accept_word(p, "or");
        p->at = at;
        return !word && ps_answer_unit(p->at, false, &unit) < 2;
    }
    if (c == PS_TEXT_BEGIN) return ps_parse_is_text_factor(p->at);
    if ((unsigned char)c >= 128) return ps_parse_is_root_sign(p->at);
    if (c == '[') { /* "]1,2[" closes with it */
        const char *behind = p->at + 1;
        while (*behind == ' ') behind++;
        return *behind && *behind != ')' && *behind != ',' && strncmp(behind, "\\cup", 4) != 0;
    }
    return c == '(' || c == '{' || c == '.' || (c >= '0' && c <= '9');
}

static struct ps_node *power(struct ps_parser *p) {
    struct ps_node *base = ps_parse_primary(p);
    for (;;) {
        if (!base) return NULL;
        if (ps_parse_accept(p, "^")) {
            struct ps_node *exponent = ps_parse_braced(p);
            base = ps_parse_binary(p, PS_NODE_POWER, NULL, base, exponent);
            if (ps_parse_peek(p, "^")) return ps_parse_fail(p, "two exponents in a row");
        } else if (ps_parse_peek(p, "!") && p->at[1] != '=') {
            p->at++;
            if (*p->at == '!') return ps_parse_fail(p, "a double factorial");
            base = ps_parse_unary(p, PS_NODE_FACTORIAL, NULL, base);
        } else if (ps_parse_accept(p, "°")) {
            base = ps_parse_unary(p, PS_NODE_DEGREES, NULL, ps_parse_minutes(p, base));
        } else {
            return base;
        }
    }
}

static struct ps_node *signed_power(struct ps_parser *p) {
    if (ps_parse_accept(p, "-")) return ps_parse_unary(p, PS_NODE_NEGATIVE, NULL, signed_power(p));
    if (ps_parse_accept(p, "+")) return signed_power(p);
    return power(p);
}

static struct ps_node *quotient(struct ps_parser *p, struct items *factors) {
    struct ps_node *above = gather(p, PS_NODE_PRODUCT, factors), *below;
    bool brackets = (ps_parse_skip(p), *p->at == '(' || *p->at == '{');
    below = signed_power(p);
    if (below && begins_factor(p) && !brackets)
        return ps_parse_fail(p, "a quotient like 1/2x, which may mean two things");
    return ps_parse_binary(p, PS_NODE_QUOTIENT, NULL, above, below);
}

/* A number times a matrix is a matrix. */
static struct ps_node *product_of(struct ps_parser *p, struct items *factors) {
    size_t at = 0;
    while (at < factors->count && factors->item[at]->kind != PS_NODE_MATRIX) at++;
    if (at == factors->count || factors->count == 1) return gather(p, PS_NODE_PRODUCT, factors);
    struct ps_node *matrix = factors->item[at];
    struct items rest = {.count = 0};
    for (size_t i = 0; i < factors->count; i++) {
        if (i == at) continue;
        if (factors->item[i]->kind >= PS_NODE_GROUP)
            return ps_parse_fail(p, "a product of matrices or sets");
        rest.item[rest.count++] = factors->item[i];
    }
    struct ps_node *factor = gather(p, PS_NODE_PRODUCT, &rest);
    for (size_t i = 0; factor && i < matrix->count; i++)
        matrix->items[i] = ps_parse_binary(p, PS_NODE_PRODUCT, NULL, factor, matrix->items[i]);
    return p->problem ? NULL : matrix;
}

struct ps_node *ps_parse_product(struct ps_parser *p) {
    struct items factors = {.count = 0};
    if (!add(p, &factors, power(p))) return NULL;
    for (;;) {
        const struct ps_node *last = factors.item[factors.count - 1];
        bool times = ps_parse_accept(p, "*") || ps_parse_accept(p, "\\cdot") ||
                     ps_parse_accept(p, "\\times");
        if (times) {
            if (!add(p, &factors, signed_power(p))) return NULL;
        } else if (ps_parse_accept(p, "/") || ps_parse_accept(p, "\\div")) {
            struct ps_node *node = quotient(p, &factors);
            factors.count = 0;
            if (!add(p, &factors, node)) return NULL;
        } else if (last->kind == PS_NODE_GROUP && *p->at == 'U' && !ps_parse_is_letter(p->at[1])) {
            return gather(p, PS_NODE_PRODUCT, &factors); /* a union, by a letter */
        } else if (begins_factor(p)) {
            bool digit = *p->at == '.' || (*p->at >= '0' && *p->at <= '9');
            if (digit && last->kind == PS_NODE_NUMBER)
                return ps_parse_fail(p, "two numbers side by side");
            bool is_name = factors.count == 1 && last->kind == PS_NODE_VARIABLE &&
                           last->name[0] >= 'A' && last->name[0] <= 'Z';
            if (!add(p, &factors, power(p))) return NULL;
            if (is_name && factors.item[1]->kind == PS_NODE_GROUP) { /* the point A(1, 2) */
                factors.item[0] = factors.item[1];
                factors.count = 1;
            }
        } else {
            return product_of(p, &factors);
        }
    }
}

struct ps_node *ps_parse_sum(struct ps_parser *p) {
    struct items terms = {.count = 0};
    bool in_argument = p->in_argument;
    if (++p->depth > PS_TREE_DEPTH) return ps_parse_fail(p, "it is nested too deeply");
    p->in_argument = false;
    for (;;) {
        bool minus = ps_parse_accept(p, "-"), plus = !minus && ps_parse_accept(p, "+");
        const char *both = ps_parse_accept(p, "\\pm")   ? "+"
                           : ps_parse_accept(p, "\\mp") ? "-"
                                                        : NULL;
        if (terms.count > 0 && !minus && !plus && !both) break;
        struct ps_node *term =
            ps_parse_peek(p, "-") ? signed_power(p) : ps_parse_product(p); /* "3 + -2" */
        if (minus) term = ps_parse_unary(p, PS_NODE_NEGATIVE, NULL, term);
        if (both) term = ps_parse_unary(p, PS_NODE_SIGNED, both, term);
        if (!add(p, &terms, term)) return NULL;
    }
    struct ps_node *sum = gather(p, PS_NODE_SUM, &terms);
    if (sum && sum->kind == PS_NODE_SUM && sum->count == 2 &&
        sum->items[0]->kind == PS_NODE_CONSTANT && sum->items[1]->kind == PS_NODE_NEGATIVE &&
        sum->items[1]->items[0]->kind == PS_NODE_SET) /* "\mathbb{R} - \{0\}" */
        sum = ps_parse_binary(p, PS_NODE_DIFFERENCE, NULL, sum->items[0], sum->items[1]->items[0]);
    bool over = ps_parse_accept(p, "\\over"), choose = !over && ps_parse_accept(p, "\\choose");
    if (over || choose)
        sum = ps_parse_binary(p, over ? PS_NODE_QUOTIENT : PS_NODE_BINOMIAL, NULL, sum,
                              ps_parse_sum(p));
    p->depth--;
    p->in_argument = in_argument;
    return sum;
}

/* ---- what is no value ---- */

/* "5:3" is a quotient. */
static struct ps_node *ratio(struct ps_parser *p) {
    struct items parts = {.count = 0};
    do {
        if (!add(p, &parts, ps_parse_sum(p))) return NULL;
    } while (!p->in_set && ps_parse_accept(p, ":"));
    return gather(p, parts.count == 2 ? PS_NODE_QUOTIENT : PS_NODE_RATIO, &parts);
}

static bool accept_union(struct ps_parser *p, const struct ps_node *last) {
    if (ps_parse_accept(p, "\\cup")) return true;
    bool set = last->kind == PS_NODE_GROUP || last->kind == PS_NODE_SET;
    return set && ps_parse_peek(p, "U") && !ps_parse_is_letter(p->at[1]) && ps_parse_accept(p, "U");
}

static struct ps_node *set_union(struct ps_parser *p) {
    struct items parts = {.count = 0};
    do {
        struct ps_node *part = ratio(p);
        while (part && ps_parse_accept(p, "\\setminus"))
            part = ps_parse_binary(p, PS_NODE_DIFFERENCE, NULL, part, ratio(p));
        if (!add(p, &parts, part)) return NULL;
    } while (accept_union(p, parts.item[parts.count - 1]));
    return gather(p, PS_NODE_UNION, &parts);
}

static bool accept_relation(struct ps_parser *p, unsigned char *relation) {
    static const struct {
        const char *text;
        enum ps_relation relation;
    } known[] = {{"<=", PS_RELATION_LESS_EQUAL},   {">=", PS_RELATION_GREATER_EQUAL},
                 {"!=", PS_RELATION_NOT_EQUAL},    {"=", PS_RELATION_EQUAL},
                 {"<", PS_RELATION_LESS},          {">", PS_RELATION_GREATER},
                 {"\\le", PS_RELATION_LESS_EQUAL}, {"\\ge", PS_RELATION_GREATER_EQUAL},
                 {"\\ne", PS_RELATION_NOT_EQUAL},  {"\\in", PS_RELATION_IN}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (ps_parse_accept(p, known[i].text)) {
            *relation = (unsigned char)known[i].relation;
            return true;
        }
    return false;
}

struct ps_node *ps_parse_relation(struct ps_parser *p) {
    struct items sides = {.count = 0};
    unsigned char relations[PS_TREE_ITEMS];
    do {
        if (!add(p, &sides, set_union(p))) return NULL;
    } while (accept_relation(p, &relations[sides.count - 1]));
    struct ps_node *node = gather(p, PS_NODE_RELATION, &sides);
    if (!node || sides.count == 1) return node;
    node->relations = ps_arena_array(p->arena, sides.count, 1);
    if (!node->relations) {
        p->out_of_memory = true;
        return NULL;
    }
    memcpy(node->relations, relations, sides.count - 1);
    return node;
}

/* The items up to a closing bracket, or the text's end: a node of `kind` with all of them. */
struct ps_node *ps_parse_list(struct ps_parser *p, enum ps_node_kind kind) {
    struct items items = {.count = 0};
    const char *word, *words = NULL;
    do {
        if (!add(p, &items, ps_parse_relation(p))) return NULL;
        bool more = accept_separator(p, &word);
        if (!more) break;
        words = items.count == 1 || words == word ? word : NULL;
    } while (true);
    struct ps_node *node = ps_parse_node(p, kind, words, items.count);
    if (node) memcpy(node->items, items.item, items.count * sizeof *node->items);
    return node;
}

static bool has_only_marks(const char *text) {
    while (*text == ' ' || *text == '.' || *text == PS_TEXT_BEGIN || *text == PS_TEXT_END) text++;
    return !*text;
}

enum ps_status ps_tree_parse(const char *text, struct ps_arena *arena, struct ps_tree *tree,
                             struct ps_error *error) {
    struct ps_parser p = {.start = text, .at = text, .arena = arena};
    *tree = (struct ps_tree){0};
    if (ps_parse_accept(&p, "$")) strcpy(tree->unit, "dollar");
    struct ps_node *list = ps_parse_list(&p, PS_NODE_LIST);
    PS_FAIL_IF(p.out_of_memory, error, PS_MEMORY, "out of memory");
    if (list && !has_only_marks(p.at)) {
        char unit[PS_ANSWER_UNIT] = "";
        size_t size = ps_answer_units(p.at, unit);
        if (!size) size = ps_answer_nouns(p.at, unit);
        bool fits = size && has_only_marks(p.at + size) && !tree->unit[0];
        if (fits)
            strcpy(tree->unit, unit);
        else
            list = ps_parse_fail(&p, "something stands behind it that is not understood");
    }
    tree->problem = p.problem;
    if (list) tree->root = list->count == 1 ? list->items[0] : list;
    return PS_OK;
}
