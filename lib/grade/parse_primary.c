/* The smallest parts of an expression: numbers, names, functions, and what stands in brackets. */
#include "grade/parse_internal.h"

#include <string.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static char *keep(struct ps_parser *p, const char *text, size_t size) {
    char *copy = ps_arena_strndup(p->arena, text, size);
    if (!copy) p->out_of_memory = true;
    return copy;
}

/* ---- numbers ---- */

/* Digits, a point, digits; the separators of thousands are left out of the name. */
static struct ps_node *decimal(struct ps_parser *p) {
    char digits[PS_ANSWER_DIGITS + 4];
    size_t size = 0;
    bool point = false, grouped = (p->brackets == 0 || p->grouped) && *p->at != '0';
    const char *start = p->at;
    for (;; p->at++) {
        char c = *p->at;
        bool group = c == ',' && grouped && !point && is_digit(p->at[1]) && is_digit(p->at[2]) &&
                     is_digit(p->at[3]) && !is_digit(p->at[4]) && p->at > start &&
                     (p->at - start <= 3 || p->at[-4] == ',');
        if (group) continue;
        bool repeats = c == '.' && strncmp(p->at + 1, "\\overline{", 10) == 0;
        if (c == '.' && (point || (!is_digit(p->at[1]) && !repeats))) break;
        if (c != '.' && !is_digit(c)) break;
        point |= c == '.';
        if (size >= PS_ANSWER_DIGITS) return ps_parse_fail(p, "a number of more than 1000 digits");
        digits[size++] = c;
    }
    if (size == 0) return ps_parse_fail(p, "a number is missing");
    char *name = keep(p, digits, size);
    return name ? ps_parse_node(p, PS_NODE_NUMBER, name, 0) : NULL;
}

/* "0.1\overline{6}" */
static struct ps_node *repeating(struct ps_parser *p, struct ps_node *number) {
    char digits[PS_ANSWER_DIGITS + 4];
    size_t size = strlen(number->name);
    memcpy(digits, number->name, size);
    for (; is_digit(*p->at) && size < PS_ANSWER_DIGITS; number->repeats++)
        digits[size++] = *p->at++;
    if (number->repeats == 0 || *p->at++ != '}')
        return ps_parse_fail(p, "repeating digits that are none");
    number->name = keep(p, digits, size);
    return number->name ? number : NULL;
}

/* The base behind "_{", in digits or words; 0 for none. */
static int read_base(struct ps_parser *p) {
    int base = 0;
    unsigned long value;
    size_t size = ps_answer_spelled(p->at, &value);
    if (size && value <= 36) {
        base = (int)value;
        p->at += size;
        while (*p->at == PS_TEXT_END || *p->at == ' ') p->at++;
    }
    while (is_digit(*p->at) && base < 100) base = 10 * base + (*p->at++ - '0');
    return *p->at++ == '}' && base >= 2 && base <= 36 ? base : 0;
}

static int digit_value(char c) {
    return is_digit(c) ? c - '0' : c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

/* "101_{2}", "2A_{16}" */
static struct ps_node *with_base(struct ps_parser *p, struct ps_node *number) {
    int base = read_base(p);
    if (!base) return ps_parse_fail(p, "a subscript of a number that is no base");
    for (const char *c = number->name; *c; c++)
        if (digit_value(*c) >= base) return ps_parse_fail(p, "a digit beyond the base");
    number->base = base;
    return number;
}

/* Digits of a base beyond ten: letters among them, and a subscript behind. */
static struct ps_node *lettered_number(struct ps_parser *p) {
    size_t size = 0;
    bool letters = false;
    for (; digit_value(p->at[size]) < 36; size++) letters |= !is_digit(p->at[size]);
    if (!letters || size >= PS_ANSWER_DIGITS || p->at[size] != '_' || p->at[size + 1] != '{')
        return NULL;
    struct ps_parser kept = *p;
    p->at += size + 2;
    int base = read_base(p);
    *p = kept;
    if (base <= 10) return NULL;
    char *name = keep(p, p->at, size);
    struct ps_node *number = name ? ps_parse_node(p, PS_NODE_NUMBER, name, 0) : NULL;
    p->at += size + 2;
    return number ? with_base(p, number) : NULL;
}

/* "0.1666..." repeats its last digits, where they stand there twice and are three or more. */
static struct ps_node *goes_on(struct ps_parser *p, struct ps_node *number) {
    const char *point = strchr(number->name, '.');
    size_t places = point ? strlen(point + 1) : 0;
    const char *end = number->name + strlen(number->name);
    for (int period = 1; 2 * (size_t)period <= places; period++) {
        int same = 0;
        while ((size_t)(same + period) < places && end[-1 - same] == end[-1 - same - period])
            same++;
        if (same + period < 3 || same < period) continue;
        number->repeats = period;
        return number;
    }
    return ps_parse_fail(p, "a decimal that goes on, nobody knows how");
}

static bool is_integer(const struct ps_node *node) {
    return node->kind == PS_NODE_NUMBER && node->base == 10 && !strchr(node->name, '.');
}

/* Of two written integers, the first below the second. */
static bool is_proper(const struct ps_node *above, const struct ps_node *below) {
    if (!is_integer(above) || !is_integer(below)) return false;
    size_t a = strlen(above->name), b = strlen(below->name);
    return a != b ? a < b : strcmp(above->name, below->name) < 0;
}

/* The fraction of a mixed number: "1\frac{4}{5}" or "1 4/5"; NULL and nothing read if none. */
static struct ps_node *mixed_part(struct ps_parser *p) {
    struct ps_parser kept = *p;
    struct ps_node *above = NULL, *below = NULL;
    if (ps_parse_accept(p, "\\frac")) {
        above = ps_parse_braced(p);
        below = above ? ps_parse_braced(p) : NULL;
    } else if (*p->at == ' ' && is_digit(p->at[1])) {
        ps_parse_skip(p);
        above = decimal(p);
        if (above && *p->at == '/' && is_digit(p->at[1])) {
            p->at++;
            below = decimal(p);
        }
    }
    if (above && below && is_proper(above, below))
        return ps_parse_binary(p, PS_NODE_QUOTIENT, NULL, above, below);
    if (above && below && is_integer(above) && is_integer(below))
        return ps_parse_fail(p, "an improper mixed number, which may mean a product");
    kept.nodes = p->nodes;
    kept.out_of_memory = p->out_of_memory;
    *p = kept;
    return NULL;
}

static struct ps_node *number(struct ps_parser *p) {
    struct ps_node *node = lettered_number(p);
    if (node || p->problem) return node;
    node = decimal(p);
    if (!node) return NULL;
    if (ps_parse_accept(p, "\\ldots")) return goes_on(p, node);
    if (strchr(node->name, '.') && ps_parse_accept(p, "\\overline{")) return repeating(p, node);
    if (*p->at == '_' && p->at[1] == '{') {
        p->at += 2;
        return with_base(p, node);
    }
    struct ps_node *part = is_integer(node) ? mixed_part(p) : NULL;
    if (p->problem) return NULL;
    return part ? ps_parse_binary(p, PS_NODE_SUM, NULL, node, part) : node;
}

/* The minutes and seconds of an angle: "45°30'" */
struct ps_node *ps_parse_minutes(struct ps_parser *p, struct ps_node *degrees) {
    static const char *const marks[] = {"'", "''"}, *const parts[] = {"60", "3600"};
    for (int i = 0; degrees && i < 2; i++) {
        struct ps_parser kept = *p;
        ps_parse_skip(p);
        struct ps_node *part = is_digit(*p->at) ? decimal(p) : NULL;
        if (!part || !ps_parse_accept(p, marks[i])) {
            kept.nodes = p->nodes;
            *p = kept;
            break;
        }
        part = ps_parse_binary(p, PS_NODE_QUOTIENT, NULL, part,
                               ps_parse_node(p, PS_NODE_NUMBER, parts[i], 0));
        degrees = ps_parse_binary(p, PS_NODE_SUM, NULL, degrees, part);
    }
    return degrees;
}

/* ---- names ---- */

/* Letters that mean a function or a constant when they stand together. */
static const struct {
    const char *written, *name;
} functions[] = {
    {"arcsin", "arcsin"}, {"arccos", "arccos"}, {"arctan", "arctan"}, {"arctg", "arctan"},
    {"asin", "arcsin"},   {"acos", "arccos"},   {"atan", "arctan"},   {"sinh", "sinh"},
    {"cosh", "cosh"},     {"tanh", "tanh"},     {"sin", "sin"},       {"cos", "cos"},
    {"tan", "tan"},       {"tg", "tan"},        {"cot", "cot"},       {"ctg", "cot"},
    {"cotg", "cot"},      {"sec", "sec"},       {"csc", "csc"},       {"cosec", "csc"},
    {"log", "log"},       {"lg", "lg"},         {"ln", "ln"},         {"exp", "exp"}};

static const char *function_at(const char *text, size_t size) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strlen(functions[i].written) == size && memcmp(functions[i].written, text, size) == 0)
            return functions[i].name;
    return NULL;
}

static size_t letters_at(const char *text) {
    size_t size = 0;
    while (ps_parse_is_letter(text[size])) size++;
    return size;
}

/* A name, its subscript included. */
static struct ps_node *variable(struct ps_parser *p, size_t size) {
    const char *start = p->at;
    p->at += size;
    if (*p->at == '_' && p->at[1] == '{') {
        int depth = 0;
        do {
            depth += *p->at == '{' ? 1 : *p->at == '}' ? -1 : 0;
            if (!*p->at) return ps_parse_fail(p, "an opening brace is never closed");
            p->at++;
        } while (depth > 0 || p->at[-1] != '}');
    }
    if (*p->at == '\'') return ps_parse_fail(p, "a derivative");
    char *name = keep(p, start, (size_t)(p->at - start));
    return name ? ps_parse_node(p, PS_NODE_VARIABLE, name, 0) : NULL;
}

static struct ps_node *constant(struct ps_parser *p, const char *name) {
    return ps_parse_node(p, PS_NODE_CONSTANT, name, 0);
}

/* What a function written without brackets takes: "\sin 2x", up to a sign or another function. */
static struct ps_node *argument(struct ps_parser *p) {
    if (ps_parse_peek(p, "(") || ps_parse_peek(p, "{") || ps_parse_peek(p, "[")) {
        struct ps_node *inside = ps_parse_primary(p);
        if (inside && inside->kind >= PS_NODE_GROUP)
            return ps_parse_fail(p, "a function of something that is no number");
        return inside && ps_parse_accept(p, "°") ? ps_parse_unary(p, PS_NODE_DEGREES, NULL, inside)
                                                 : inside;
    }
    if (ps_parse_peek(p, "-")) return ps_parse_fail(p, "a function of a signed number");
    bool outer = p->in_argument;
    p->in_argument = true;
    struct ps_node *product = ps_parse_product(p);
    p->in_argument = outer;
    return product;
}

/* Behind a function's name: powers ("\sin^{2} x"), the base of a logarithm, the argument. */
static struct ps_node *call(struct ps_parser *p, const char *name) {
    struct ps_node *exponent = NULL, *base = NULL;
    if (ps_parse_accept(p, "_") && !(base = ps_parse_braced(p))) return NULL;
    if (ps_parse_accept(p, "^") && !(exponent = ps_parse_braced(p))) return NULL;
    if (base && strcmp(name, "log") != 0) return ps_parse_fail(p, "a function with an index");
    if (++p->depth > PS_TREE_DEPTH) return ps_parse_fail(p, "it is nested too deeply");
    struct ps_node *inside = argument(p);
    p->depth--;
    bool inverse = exponent && exponent->kind == PS_NODE_NEGATIVE;
    if (inverse) { /* \sin^{-1} is the arcsine */
        bool known = strcmp(name, "sin") == 0 || strcmp(name, "cos") == 0 || !strcmp(name, "tan");
        const struct ps_node *one = exponent->items[0];
        if (!known || one->kind != PS_NODE_NUMBER || strcmp(one->name, "1") != 0)
            return ps_parse_fail(p, "the inverse of a function");
        name = name[0] == 's' ? "arcsin" : name[0] == 'c' ? "arccos" : "arctan";
        exponent = NULL;
    }
    if (strcmp(name, "lg") == 0) {
        name = "log";
        base = ps_parse_node(p, PS_NODE_NUMBER, "10", 0);
    }
    struct ps_node *node = base ? ps_parse_binary(p, PS_NODE_CALL, name, inside, base)
                                : ps_parse_unary(p, PS_NODE_CALL, name, inside);
    return exponent ? ps_parse_binary(p, PS_NODE_POWER, NULL, node, exponent) : node;
}

static struct ps_node *root(struct ps_parser *p) {
    struct ps_node *index = NULL, *radicand;
    if (++p->depth > PS_TREE_DEPTH) return ps_parse_fail(p, "it is nested too deeply");
    if (ps_parse_accept(p, "[")) {
        index = ps_parse_sum(p);
        if (!index || !ps_parse_accept(p, "]")) return ps_parse_fail(p, "the index of a root");
    }
    radicand = ps_parse_peek(p, "{") ? ps_parse_braced(p) : ps_parse_primary(p);
    p->depth--;
    if (!index) index = ps_parse_node(p, PS_NODE_NUMBER, "2", 0);
    return ps_parse_binary(p, PS_NODE_ROOT, NULL, radicand, index);
}

static struct ps_node *plain_word(struct ps_parser *p) {
    size_t size = letters_at(p->at);
    /* "xsin(2)" is not taken apart: the word must begin here. */
    for (size_t taken = size; taken >= 2; taken--) {
        const char *function = function_at(p->at, taken);
        if (function) {
            p->at += taken;
            return call(p, function);
        }
    }
    if (strncmp(p->at, "sqrt", 4) == 0) {
        p->at += 4;
        return root(p);
    }
    if (size > 3 && strncmp(p->at, "infinity", size) != 0)
        return ps_parse_fail(p, "words within an expression");
    if (size == 2 && strncmp(p->at, "pi", 2) == 0) {
        p->at += 2;
        return constant(p, "pi");
    }
    if ((size == 3 || size == 8) && strncmp(p->at, "infinity", size) == 0) {
        p->at += size;
        return constant(p, "infinity");
    }
    if ((*p->at == 'e' || *p->at == 'i') && p->at[1] != '_') {
        const char *name = *p->at++ == 'e' ? "e" : "i";
        return constant(p, name);
    }
    return variable(p, 1);
}

bool ps_parse_is_function(const char *at) {
    while (*at == PS_TEXT_BEGIN || *at == ' ' || *at == '\\') at++;
    size_t size = letters_at(at);
    for (; size >= 2; size--)
        if (function_at(at, size)) return true;
    return false;
}

bool ps_parse_is_text_factor(const char *at) {
    while (*at == PS_TEXT_BEGIN || *at == ' ') at++;
    size_t size = letters_at(at);
    return function_at(at, size) || (size == 1 && (*at == 'e' || *at == 'i'));
}

/* \mathrm{e}, \operatorname{arcsin}. */
static struct ps_node *text(struct ps_parser *p) {
    const char *start = p->at;
    while (*p->at == PS_TEXT_BEGIN || *p->at == ' ') p->at++;
    size_t size = letters_at(p->at);
    const char *word = p->at, *function = function_at(word, size);
    p->at += size;
    while (*p->at == ' ') p->at++;
    if (*p->at == PS_TEXT_END && size > 0) {
        p->at++;
        if (function) return call(p, function);
        if (size == 1 && (*word == 'e' || *word == 'i'))
            return constant(p, *word == 'e' ? "e" : "i");
        if (size == 1) {
            char *name = keep(p, word, 1);
            return name ? ps_parse_node(p, PS_NODE_VARIABLE, name, 0) : NULL;
        }
    }
    p->at = start;
    return ps_parse_fail(p, "words within an expression");
}

/* ---- brackets ---- */

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
        bool group = is_digit(at[1]) && is_digit(at[2]) && is_digit(at[3]) && !is_digit(at[4]);
        if (at[1] != ' ' && !group) return false;
        spaced |= at[1] == ' ';
    }
    return spaced;
}

static struct ps_node *bracket(struct ps_parser *p) {
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
    return with_base(p, node->items[0]);
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

static struct ps_node *set(struct ps_parser *p) {
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
static struct ps_node *plain_set(struct ps_parser *p) {
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

static struct ps_node *absolute(struct ps_parser *p) {
    p->bars++;
    struct ps_node *inside = ps_parse_sum(p);
    p->bars--;
    if (inside && !ps_parse_accept(p, "|")) return ps_parse_fail(p, "a bar that is never closed");
    return ps_parse_unary(p, PS_NODE_CALL, "abs", inside);
}

static struct ps_node *rounded(struct ps_parser *p, const char *name, const char *close) {
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
    bool length = end && end - p->at > 2 && ps_parse_is_letter(end[-1]) && is_digit(p->at[1]);
    if (length) p->at = end + 1;
    return true;
}

/* \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}; the normal form keeps & and \\. One column of cases
 * is a list of equations. */
static struct ps_node *matrix(struct ps_parser *p) {
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

/* ---- commands ---- */

static struct ps_node *two_arguments(struct ps_parser *p, enum ps_node_kind kind) {
    struct ps_node *first = ps_parse_braced(p);
    return ps_parse_binary(p, kind, NULL, first, first ? ps_parse_braced(p) : NULL);
}

static struct ps_node *command(struct ps_parser *p) {
    static const char *const letters[] = {
        "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "theta", "lambda", "mu",
        "nu",    "rho",  "sigma", "tau",   "phi",     "varphi",     "omega", "ell",    "Delta",
        "Gamma", "Phi",  "Omega", "psi",   "chi",     "eta",        "zeta",  "kappa",  "xi"};
    const char *name = p->at + 1;
    size_t size = letters_at(name);
    const char *function = function_at(name, size);
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (strlen(letters[i]) == size && memcmp(letters[i], name, size) == 0)
            return variable(p, size + 1);
    if (function) {
        p->at += size + 1;
        return call(p, function);
    }
    if (ps_parse_accept(p, "\\frac")) return two_arguments(p, PS_NODE_QUOTIENT);
    if (ps_parse_accept(p, "\\sqrt")) return root(p);
    if (ps_parse_accept(p, "\\pi")) return constant(p, "pi");
    if (ps_parse_accept(p, "\\infty")) return constant(p, "infinity");
    if (ps_parse_accept(p, "\\binom")) return two_arguments(p, PS_NODE_BINOMIAL);
    if (ps_parse_accept(p, "\\{")) return set(p);
    if (ps_parse_accept(p, "\\lfloor")) return rounded(p, "floor", "\\rfloor");
    if (ps_parse_accept(p, "\\lceil")) return rounded(p, "ceiling", "\\rceil");
    if (ps_parse_accept(p, "\\begin{")) return matrix(p);
    if (ps_parse_accept(p, "\\emptyset")) return ps_parse_node(p, PS_NODE_SET, NULL, 0);
    static const char *const sets[][2] = {{"\\mathbb{R}", "reals"},
                                          {"\\mathbb{Z}", "integers"},
                                          {"\\mathbb{N}", "naturals"},
                                          {"\\mathbb{Q}", "rationals"},
                                          {"\\mathbb{C}", "complexes"}};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (ps_parse_accept(p, sets[i][0])) return constant(p, sets[i][1]);
    return ps_parse_fail(p, "a command that is not known");
}

struct ps_node *ps_parse_primary(struct ps_parser *p) {
    if (p->problem) return NULL;
    ps_parse_skip(p);
    char c = *p->at;
    if (is_digit(c) || (c == '.' && is_digit(p->at[1]))) return number(p);
    if (ps_parse_is_letter(c)) return plain_word(p);
    if (c == PS_TEXT_BEGIN) return text(p);
    if (c == '\\') return command(p);
    if (c == '(' || c == '[' || (c == ']' && p->brackets == 0)) return bracket(p);
    if (c == '{') return plain_set(p);
    if (ps_parse_is_root_sign(p->at)) {
        p->at += 3;
        return root(p);
    }
    if (c == '|' && p->bars == 0) {
        p->at++;
        return absolute(p);
    }
    return ps_parse_fail(p, c ? "a sign that is not understood" : "it breaks off");
}
