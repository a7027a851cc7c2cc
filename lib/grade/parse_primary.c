/* The smallest parts of an expression: names, functions and commands; numbers are read in
 * parse_number.c, and what stands in brackets in parse_bracket.c. */
#include "grade/parse_internal.h"

#include <string.h>

char *ps_parse_keep(struct ps_parser *p, const char *text, size_t size) {
    char *copy = ps_arena_strndup(p->arena, text, size);
    if (!copy) p->out_of_memory = true;
    return copy;
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
    char *name = ps_parse_keep(p, start, (size_t)(p->at - start));
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
            char *name = ps_parse_keep(p, word, 1);
            return name ? ps_parse_node(p, PS_NODE_VARIABLE, name, 0) : NULL;
        }
    }
    p->at = start;
    return ps_parse_fail(p, "words within an expression");
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
    if (ps_parse_accept(p, "\\{")) return ps_parse_set(p);
    if (ps_parse_accept(p, "\\lfloor")) return ps_parse_rounded(p, "floor", "\\rfloor");
    if (ps_parse_accept(p, "\\lceil")) return ps_parse_rounded(p, "ceiling", "\\rceil");
    if (ps_parse_accept(p, "\\begin{")) return ps_parse_matrix(p);
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
    if (ps_parse_is_digit(c) || (c == '.' && ps_parse_is_digit(p->at[1])))
        return ps_parse_number(p);
    if (ps_parse_is_letter(c)) return plain_word(p);
    if (c == PS_TEXT_BEGIN) return text(p);
    if (c == '\\') return command(p);
    if (c == '(' || c == '[' || (c == ']' && p->brackets == 0)) return ps_parse_bracket(p);
    if (c == '{') return ps_parse_plain_set(p);
    if (ps_parse_is_root_sign(p->at)) {
        p->at += 3;
        return root(p);
    }
    if (c == '|' && p->bars == 0) {
        p->at++;
        return ps_parse_absolute(p);
    }
    return ps_parse_fail(p, c ? "a sign that is not understood" : "it breaks off");
}
