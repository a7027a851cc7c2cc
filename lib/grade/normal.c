/* A normal form of answers as text.
 *
 * Models and data sets write one and the same answer in many ways: "\dfrac{1}{2}", "\frac12",
 * "$\frac 1 2$", "\left( 3 \right)", "90^{\circ}", "10,\!080". This pass rewrites, token by token,
 * only what TeX itself would set the same way or what is pure styling:
 *
 *   - maths delimiters, \left, \right, sizes and styles go; \dfrac and \tfrac become \frac;
 *   - arguments of ^, _, \frac and \sqrt get braces: \frac12 is \frac{1}{2};
 *   - \text{} and the like become their content between PS_TEXT_BEGIN and PS_TEXT_END;
 *   - spaces of all kinds become one space, thin ones between groups of three digits nothing;
 *   - degrees become U+00B0, unicode maths characters their TeX names, "\$" a plain "$".
 *
 * Brackets are never deleted and nothing is reordered: two texts with one normal form are the same
 * answer. An unescaped "$" is a delimiter when the text has an even number of them, else money. */
#include "grade/answer_internal.h"

#include <string.h>
#include <utf8proc.h>

enum brace { KEEP, THEN_ARGUMENT, DROP, TEXT };

struct normaliser {
    const char *p, *end;
    struct ps_buffer *out;
    const char *problem;
    int depth;
    uint8_t brace[PS_ANSWER_DEPTH];
    bool dollar_is_money, after_command, memory;
};

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static void emit(struct normaliser *n, const char *bytes, size_t size) {
    if (size && n->after_command && is_letter(bytes[0]) && !ps_buffer_append(n->out, " ", 1))
        n->memory = false;
    n->after_command = false;
    if (!ps_buffer_append(n->out, bytes, size)) n->memory = false;
}

static void emit_string(struct normaliser *n, const char *string) {
    emit(n, string, strlen(string));
}

static char last_byte(const struct normaliser *n) {
    return n->out->size ? n->out->data[n->out->size - 1] : 0;
}

static void emit_space(struct normaliser *n) {
    if (n->out->size && last_byte(n) != ' ') emit_string(n, " ");
}

static void skip_spaces(struct normaliser *n) {
    while (n->p < n->end && ((unsigned char)*n->p <= ' ' || *n->p == '~')) n->p++;
}

/* A thin space: nothing inside a grouped number ("10\,080"), else a space. */
static void thin_space(struct normaliser *n) {
    int digits = 0;
    while (n->p + digits < n->end && digits < 4 && is_digit(n->p[digits])) digits++;
    if (digits == 3 && is_digit(last_byte(n))) return;
    emit_space(n);
}

static void push(struct normaliser *n, enum brace kind) {
    if (n->depth == PS_ANSWER_DEPTH) {
        n->problem = "braces nested too deeply";
        return;
    }
    n->brace[n->depth++] = (uint8_t)kind;
    if (kind == TEXT) emit(n, (char[]){PS_TEXT_BEGIN}, 1);
    if (kind == KEEP || kind == THEN_ARGUMENT) emit_string(n, "{");
}

static size_t letters_at(const struct normaliser *n, const char *p) {
    size_t size = 0;
    while (p + size < n->end && is_letter(p[size])) size++;
    return size;
}

/* "x²³" is x^{23}: a run of raised or lowered characters. */
static void script(struct normaliser *n, const char *open, char (*plain)(int32_t)) {
    utf8proc_int32_t point;
    emit_string(n, open);
    while (n->p < n->end) {
        utf8proc_ssize_t size =
            utf8proc_iterate((const utf8proc_uint8_t *)n->p, n->end - n->p, &point);
        char c = size > 0 ? plain(point) : 0;
        if (!c) break;
        emit(n, &c, 1);
        n->p += size;
    }
    emit_string(n, "}");
}

static void unicode(struct normaliser *n) {
    utf8proc_int32_t point;
    utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)n->p, n->end - n->p, &point);
    if (size <= 0) { /* broken UTF-8 stays visible, and what we store stays valid */
        emit_string(n, "\xEF\xBF\xBD");
        n->p++;
        return;
    }
    const char *bytes = n->p;
    n->p += size;
    if (point == 0x2009 || point == 0x202F || point == 0x00A0) {
        thin_space(n);
        return;
    }
    if ((point >= 0x2000 && point <= 0x200A) || point == 0x3000) {
        emit_space(n);
        return;
    }
    const char *becomes = ps_answer_character(point);
    char raised = ps_answer_raised(point), lowered = ps_answer_lowered(point);
    if (raised || lowered) {
        n->p = bytes;
        script(n, raised ? "^{" : "_{", raised ? ps_answer_raised : ps_answer_lowered);
    } else if (becomes) {
        emit_string(n, becomes);
        n->after_command = becomes[0] == '\\' && is_letter(becomes[strlen(becomes) - 1]);
    } else {
        emit(n, bytes, (size_t)size);
    }
}

/* The argument of ^, _, \frac or \sqrt: braces are put around a single token. */
static void argument(struct normaliser *n, int count) {
    for (; count > 0 && !n->problem; count--) {
        skip_spaces(n);
        if (n->p == n->end || *n->p == '}') {
            n->problem = "an argument is missing";
            return;
        }
        if (*n->p == '{') {
            n->p++;
            push(n, count > 1 ? THEN_ARGUMENT : KEEP);
            return;
        }
        emit_string(n, "{");
        if ((unsigned char)*n->p >= 128) {
            unicode(n);
        } else {
            size_t size = 1;
            if (*n->p == '\\' && n->p + 1 < n->end) {
                size += letters_at(n, n->p + 1);
                if (size == 1 && (unsigned char)n->p[1] < 128) size = 2;
            }
            emit(n, n->p, size);
            n->p += size;
        }
        n->after_command = false;
        emit_string(n, "}");
    }
}

static const char *const text_commands[] = {
    "text",   "mbox",       "textbf", "textit", "textrm", "textsf",       "texttt",
    "textup", "textnormal", "mathrm", "hbox",   "emph",   "operatorname", "textsc"};
static const char *const style_commands[] = {"boxed",      "fbox",   "framebox",  "mathbf",
                                             "boldsymbol", "mathit", "bm",        "ensuremath",
                                             "mathsf",     "mathtt", "underline", "overrightarrow",
                                             "vec",        "hat",    "mathstrut"};
/* Their first argument says nothing. */
static const char *const dropped_arguments[] = {"color",    "textcolor", "phantom", "hphantom",
                                                "vphantom", "hspace",    "vspace",  "label"};
static const char *const with_argument[] = {"overline", "bar", "dot", "mathbb", "Bbb", "pmod"};

static bool among(const char *name, size_t size, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == size && memcmp(list[i], name, size) == 0) return true;
    return false;
}
#define AMONG(name, size, list) among(name, size, list, sizeof(list) / sizeof(list)[0])

/* "{red}" */
static void skip_argument(struct normaliser *n) {
    int depth = 0;
    skip_spaces(n);
    if (n->p == n->end || *n->p != '{') return;
    do {
        depth += *n->p == '{' ? 1 : *n->p == '}' ? -1 : 0;
        n->p++;
    } while (depth && n->p < n->end);
    if (depth) n->problem = "an opening brace is never closed";
}

static bool is_segment(const struct normaliser *n) {
    const char *p = n->p;
    if (p == n->end || *p++ != '{') return false;
    const char *start = p;
    while (p < n->end && *p >= 'A' && *p <= 'Z') p++;
    return p - start >= 2 && p < n->end && *p == '}';
}

static void named_command(struct normaliser *n, const char *name, size_t size) {
    static const char *const fractions[] = {"frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"};
    bool text = AMONG(name, size, text_commands);
    if (text || AMONG(name, size, style_commands)) {
        skip_spaces(n);
        if (n->p < n->end && *n->p == '{') {
            n->p++;
            push(n, text ? TEXT : DROP);
        }
        return;
    }
    if (AMONG(name, size, fractions)) {
        emit_string(n, "\\frac");
        argument(n, 2);
        return;
    }
    if (AMONG(name, size, dropped_arguments)) {
        skip_argument(n);
        return;
    }
    if (AMONG(name, size, with_argument)) {
        if (is_segment(n)) return; /* \overline{AB} */
        bool mathbb = size == 6 || name[0] == 'B';
        emit_string(n, name[0] == 'p' ? "\\pmod" : mathbb ? "\\mathbb" : "\\overline");
        argument(n, 1);
        return;
    }
    const char *becomes = ps_answer_command(name, size);
    if (becomes && !*becomes) {
        /* "\right." is an invisible bracket */
        if (n->p < n->end && *n->p == '.' && (name[0] == 'l' || name[0] == 'r')) n->p++;
    } else if (becomes && becomes[0] == ' ') {
        emit_space(n);
    } else if (becomes) {
        emit_string(n, becomes);
        n->after_command = becomes[0] == '\\' && is_letter(becomes[strlen(becomes) - 1]);
    }
    if (becomes) return;
    emit_string(n, "\\");
    if (!ps_buffer_append(n->out, name, size)) n->memory = false;
    n->after_command = true;
    if (size == 4 && memcmp(name, "sqrt", 4) == 0) {
        skip_spaces(n);
        n->after_command = false;
        if (n->p == n->end || *n->p != '[') argument(n, 1);
    }
}

/* "\\\\frac" is "\\frac" escaped once too often: no row of a matrix begins with these letters. */
static bool is_escaped_twice(const struct normaliser *n) {
    static const char *const names[] = {"frac",   "dfrac", "tfrac", "sqrt",  "text",  "boxed",
                                        "left",   "right", "cdot",  "times", "infty", "mathrm",
                                        "mathbb", "begin", "end",   "circ",  "binom", "theta"};
    if (n->end - n->p < 3 || n->p[1] != '\\') return false;
    return AMONG(n->p + 2, letters_at(n, n->p + 2), names) ||
           (letters_at(n, n->p + 2) == 2 && memcmp(n->p + 2, "pi", 2) == 0);
}

static void backslash(struct normaliser *n) {
    if (is_escaped_twice(n)) n->p++;
    size_t size = letters_at(n, n->p + 1);
    if (size) {
        const char *name = n->p + 1;
        n->p += 1 + size;
        named_command(n, name, size);
        return;
    }
    if (n->p + 1 == n->end) {
        n->p++;
        return;
    }
    char c = n->p[1];
    n->p += 2;
    switch (c) {
    case ',':
    case ';':
    case ':':
    case '>':
    case ' ': thin_space(n); break;
    case '!': skip_spaces(n); break;
    case '\t':
    case '\n':
    case '\r': emit_space(n); break;
    case '(':
    case ')':
    case '[':
    case ']': break;
    case '%':
    case '$':
    case '#':
    case '&':
    case '_': emit(n, &c, 1); break;
    default:
        emit_string(n, "\\");
        if ((unsigned char)c > ' ' && (unsigned char)c < 127)
            emit(n, &c, 1);
        else
            n->p--;
    }
}

/* "x^10" is x^{10}, and "a_12" a_{12}, to all who write it. */
static void digits_as_one(struct normaliser *n) {
    size_t digits = 0;
    while (n->p + digits < n->end && is_digit(n->p[digits])) digits++;
    if (digits <= 1) {
        argument(n, 1);
        return;
    }
    emit_string(n, "{");
    emit(n, n->p, digits);
    emit_string(n, "}");
    n->p += digits;
}

/* The character before the sign that was just written, where it is a letter that stands alone. */
static char last_but_one(const struct normaliser *n) {
    size_t size = n->out->size;
    bool alone =
        size >= 2 &&
        (size < 3 || !(is_letter(n->out->data[size - 3]) || n->out->data[size - 3] == '\\'));
    return alone ? n->out->data[size - 2] : 0;
}

static void token(struct normaliser *n);

/* "2^(n+1)" is 2^{(n+1)} to all who write it. False and nothing read where it is never closed. */
static bool bracketed(struct normaliser *n) {
    int depth = 0, braces = 0;
    const char *close = n->p;
    for (; close < n->end; close++) {
        depth += *close == '(' ? 1 : *close == ')' ? -1 : 0;
        braces += *close == '{' ? 1 : *close == '}' ? -1 : 0;
        if (depth == 0 || braces < 0) break;
    }
    if (close == n->end || braces || n->depth == PS_ANSWER_DEPTH) return false;
    const char *end = n->end;
    int outer = n->depth;
    n->brace[n->depth++] = DROP;
    n->end = close;
    n->p++;
    emit_string(n, "{(");
    while (n->p < n->end && !n->problem && n->memory) token(n);
    emit_string(n, ")}");
    n->end = end;
    if (n->depth == outer + 1)
        n->depth = outer;
    else if (!n->problem)
        n->problem = "braces and brackets that cross";
    n->p = close + 1;
    return true;
}

static void caret(struct normaliser *n) {
    static const char *const degrees[] = {"\\circ", "{\\circ}", "{\\degree}", "\\degree",
                                          "{ \\circ }"};
    skip_spaces(n);
    for (size_t i = 0; i < sizeof degrees / sizeof degrees[0]; i++) {
        size_t size = strlen(degrees[i]);
        if ((size_t)(n->end - n->p) < size || memcmp(n->p, degrees[i], size) != 0) continue;
        n->p += size;
        emit_string(n, "°");
        return;
    }
    emit_string(n, "^");
    if (n->p < n->end && *n->p == '(' && bracketed(n)) return;
    digits_as_one(n);
}

static void close_brace(struct normaliser *n) {
    if (n->depth == 0) {
        n->problem = "a closing brace without an opening one";
        return;
    }
    enum brace kind = n->brace[--n->depth];
    n->after_command = false;
    if (kind == TEXT) emit(n, (char[]){PS_TEXT_END}, 1);
    if (kind == KEEP || kind == THEN_ARGUMENT) emit_string(n, "}");
    if (kind == THEN_ARGUMENT) argument(n, 1);
}

/* "x**2", but not the "**" around bold text. */
static bool is_python_power(const struct normaliser *n) {
    if (n->end - n->p < 3 || n->p[0] != '*' || n->p[1] != '*') return false;
    char before = last_byte(n), behind = n->p[2];
    return (is_letter(before) || is_digit(before) || before == ')') &&
           (is_letter(behind) || is_digit(behind) || behind == '(' || behind == '{');
}

/* Commands whose backslash and first letter an escape has turned into a control character. */
static bool repair_escape(struct normaliser *n) {
    static const struct {
        char control;
        const char *rest, *command;
    } known[] = {{'\f', "rac", "frac"},    {'\b', "oxed", "boxed"}, {'\b', "inom", "binom"},
                 {'\b', "egin", "begin"},  {'\t', "ext", "text"},   {'\t', "imes", "times"},
                 {'\t', "frac", "tfrac"},  {'\t', "heta", "theta"}, {'\r', "ight", "right"},
                 {'\r', "angle", "rangle"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t size = strlen(known[i].rest);
        if (*n->p != known[i].control || letters_at(n, n->p + 1) != size ||
            memcmp(n->p + 1, known[i].rest, size) != 0)
            continue;
        n->p += 1 + size;
        named_command(n, known[i].command, size + 1);
        return true;
    }
    return false;
}

static void token(struct normaliser *n) {
    char c = *n->p;
    if (c == '\\') {
        backslash(n);
    } else if (c == '{') {
        bool mark = n->end - n->p >= 3 && strchr(",:.=", n->p[1]) && n->p[2] == '}';
        n->p += 1;
        if (!mark) {
            push(n, KEEP);
        } else { /* "10{,}080", "3{:}30" */
            emit(n, n->p, 1);
            n->p += 2;
        }
    } else if (c == '}') {
        n->p++;
        close_brace(n);
    } else if (c == '^') {
        n->p++;
        caret(n);
    } else if (c == '_') {
        bool emphasis = n->end - n->p >= 2 && n->p[1] == '_';
        n->p += emphasis ? 2 : 1;
        if (emphasis) return;
        emit_string(n, "_");
        if (is_letter(last_but_one(n)))
            digits_as_one(n);
        else
            argument(n, 1);
    } else if (c == '.' && n->end - n->p >= 3 && memcmp(n->p, "...", 3) == 0) {
        n->p += 3;
        emit_string(n, "\\ldots");
        n->after_command = true;
    } else if (is_python_power(n)) {
        n->p += 2;
        caret(n);
    } else if (repair_escape(n)) {
    } else if (c == '$') {
        n->p++;
        if (n->dollar_is_money) emit_string(n, "$");
    } else if ((unsigned char)c <= ' ' || c == '~' || c == 127) {
        n->p++;
        emit_space(n);
    } else if ((unsigned char)c >= 128) {
        unicode(n);
    } else {
        n->p++;
        emit(n, &c, 1);
    }
}

/* Sentence punctuation and Markdown marks at the ends say nothing. */
static void trim(struct ps_buffer *out) {
    size_t begin = 0, end = out->size;
    while (begin < end && strchr(" *`\"=:", out->data[begin])) begin++;
    for (;;) {
        while (end > begin && strchr(" *`\".,;:\2", out->data[end - 1])) end--;
        if (end - begin < 2 || memcmp(out->data + end - 2, "\\\\", 2) != 0) break;
        end -= 2; /* a line break */
    }
    if (out->size) memmove(out->data, out->data + begin, end - begin);
    out->size = end - begin;
    if (out->data) out->data[out->size] = 0;
}

enum ps_status ps_answer_normalise(struct ps_grade_text text, struct ps_buffer *out,
                                   const char **problem, struct ps_error *error) {
    struct normaliser n = {.p = text.data,
                           .end = text.data ? text.data + text.size : NULL,
                           .out = out,
                           .memory = true};
    *problem = NULL;
    if (!text.data) n.p = n.end = "";
    out->size = 0;
    PS_FAIL_IF(!ps_buffer_reserve(out, 1), error, PS_MEMORY, "out of memory");
    out->data[0] = 0;
    if (text.size > PS_ANSWER_BYTES) {
        *problem = "longer than 8192 bytes";
        return PS_OK;
    }
    size_t dollars = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\\')
            i++;
        else
            dollars += text.data[i] == '$';
    }
    n.dollar_is_money = dollars % 2;
    while (n.p < n.end && !n.problem && n.memory) token(&n);
    PS_FAIL_IF(!n.memory, error, PS_MEMORY, "out of memory");
    if (!n.problem && n.depth) n.problem = "an opening brace is never closed";
    *problem = n.problem;
    trim(out);
    return PS_OK;
}
