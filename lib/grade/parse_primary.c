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
    bool point = false, grouped = p->brackets == 0 && *p->at != '0';
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

/* "101_{2}" */
static struct ps_node *with_base(struct ps_parser *p, struct ps_node *number) {
    int base = 0;
    while (is_digit(*p->at) && base < 100) base = 10 * base + (*p->at++ - '0');
    if (*p->at++ != '}' || base < 2 || base > 36)
        return ps_parse_fail(p, "a subscript of a number that is no base");
    for (const char *c = number->name; *c; c++)
        if (*c == '.' || *c - '0' >= base) return ps_parse_fail(p, "a digit beyond the base");
    number->base = base;
    return number;
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
    struct ps_node *node = decimal(p);
    if (!node) return NULL;
    if (strchr(node->name, '.') && ps_parse_accept(p, "\\overline{")) return repeating(p, node);
    if (*p->at == '_' && p->at[1] == '{') {
        p->at += 2;
        return with_base(p, node);
    }
    struct ps_node *part = is_integer(node) ? mixed_part(p) : NULL;
    if (p->problem) return NULL;
    return part ? ps_parse_binary(p, PS_NODE_SUM, NULL, node, part) : node;
}

/* ---- names ---- */

/* Letters that mean a function or a constant when they stand together. */
static const char *const functions[] = {"arcsin", "arccos", "arctan", "sinh", "cosh",
                                        "tanh",   "sin",    "cos",    "tan",  "cot",
                                        "sec",    "csc",    "log",    "ln",   "exp"};

static const char *function_at(const char *text, size_t size) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strlen(functions[i]) == size && memcmp(functions[i], text, size) == 0)
            return functions[i];
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
    if (inverse) return ps_parse_fail(p, "the inverse of a function");
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

static struct ps_node *bracket(struct ps_parser *p) {
    char open = *p->at++;
    int bars = p->bars;
    if (++p->depth > PS_TREE_DEPTH) return ps_parse_fail(p, "it is nested too deeply");
    p->brackets++;
    p->bars = 0;
    struct ps_node *node = ps_parse_list(p, PS_NODE_GROUP);
    p->brackets--;
    p->bars = bars;
    p->depth--;
    ps_parse_skip(p);
    if (!node) return NULL;
    if (*p->at != ')' && *p->at != ']') return ps_parse_fail(p, "a bracket that is never closed");
    node->open = open;
    node->close = *p->at++;
    bool pair = (open == '(') == (node->close == ')');
    if (node->count == 1 && !pair) return ps_parse_fail(p, "brackets that do not match");
    return node->count == 1 ? node->items[0] : node;
}

static struct ps_node *set(struct ps_parser *p) {
    if (ps_parse_accept(p, "\\}")) return ps_parse_node(p, PS_NODE_SET, NULL, 0);
    int bars = p->bars;
    p->brackets++;
    p->bars = 0;
    struct ps_node *node = ps_parse_list(p, PS_NODE_SET);
    p->brackets--;
    p->bars = bars;
    if (node && !ps_parse_accept(p, "\\}")) return ps_parse_fail(p, "a set that is no list");
    return node;
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

/* \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}; the normal form keeps & and \\. */
static struct ps_node *matrix(struct ps_parser *p) {
    struct ps_node *items[PS_TREE_ITEMS];
    size_t count = 0, columns = 0, row = 0;
    const char *end = strchr(p->at, '}');
    bool is = end && (size_t)(end - p->at) >= 6 && strncmp(end - 6, "matrix", 6) == 0;
    if (!is) return ps_parse_fail(p, "an environment that is no matrix");
    if (p->at[0] == 'v') return ps_parse_fail(p, "a determinant");
    p->at = end + 1;
    p->brackets++;
    for (;;) {
        struct ps_node *item = ps_parse_sum(p);
        if (!item) return NULL;
        if (count == PS_TREE_ITEMS) return ps_parse_fail(p, "it is too long");
        items[count++] = item;
        row++;
        if (ps_parse_accept(p, "&")) continue;
        if (columns == 0) columns = row;
        if (row != columns) return ps_parse_fail(p, "a matrix with rows of different lengths");
        row = 0;
        bool more = ps_parse_accept(p, "\\\\");
        if (ps_parse_accept(p, "\\end{")) break;
        if (!more) return ps_parse_fail(p, "a matrix that is never closed");
    }
    p->brackets--;
    p->at = strchr(p->at, '}');
    if (!p->at++) return ps_parse_fail(p, "a matrix that is never closed");
    struct ps_node *node = ps_parse_node(p, PS_NODE_MATRIX, NULL, count);
    if (!node) return NULL;
    memcpy(node->items, items, count * sizeof *items);
    node->columns = columns;
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
    if (ps_parse_accept(p, "\\binom") || ps_parse_accept(p, "\\dbinom") ||
        ps_parse_accept(p, "\\tbinom"))
        return two_arguments(p, PS_NODE_BINOMIAL);
    if (ps_parse_accept(p, "\\{")) return set(p);
    if (ps_parse_accept(p, "\\lfloor")) return rounded(p, "floor", "\\rfloor");
    if (ps_parse_accept(p, "\\lceil")) return rounded(p, "ceiling", "\\rceil");
    if (ps_parse_accept(p, "\\begin{")) return matrix(p);
    if (ps_parse_accept(p, "\\emptyset") || ps_parse_accept(p, "\\varnothing"))
        return ps_parse_node(p, PS_NODE_SET, NULL, 0);
    if (ps_parse_accept(p, "\\mathbb{R}")) return constant(p, "reals");
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
    if (c == '(' || c == '[') return bracket(p);
    if (c == '{') return ps_parse_braced(p);
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
