/* From source to tokens, as jinja2's lexer cuts it with trim_blocks and lstrip_blocks.
 *
 * Text up to the next {{, {% or {# is data. White space around a tag goes by these rules:
 *   - a minus at a tag's edge takes all white space on that side;
 *   - a block or comment that is first on its line loses the blanks before it (lstrip_blocks),
 *     unless it begins with a plus; {{ never does;
 *   - one newline behind a block or comment goes (trim_blocks), unless it ends with a plus.
 * "First on its line" looks at the text since the tag before: if that has no newline, the tag
 * before must have ended with one. Within brackets }} and %} are no ends of a tag. */
#include "text/jinja/tree_internal.h"

#include "text/jinja/render_internal.h"
#include "text/text_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BRACKETS = 200 };

struct lexer {
    struct ps_jinja *template;
    const char *source;
    size_t size, at;
    bool line_start; /* what was matched last ended with a newline */
    struct token *tokens;
    size_t count, capacity;
    char brackets[MAX_BRACKETS];
    size_t depth;
    struct ps_error *error;
};

static bool starts(const struct lexer *lexer, size_t at, const char *text) {
    size_t size = strlen(text);
    return size <= lexer->size - at && memcmp(lexer->source + at, text, size) == 0;
}

static size_t skip_space(const struct lexer *lexer, size_t at) {
    size_t length;
    while ((length = ps_jinja_space(lexer->source + at, lexer->size - at)) > 0) at += length;
    return at;
}

static enum ps_status add(struct lexer *lexer, int type, size_t offset, const char *text,
                          size_t size, struct token **token) {
    if (lexer->count == lexer->capacity) {
        size_t capacity = lexer->capacity * 2 + 64;
        struct token *tokens = ps_realloc(lexer->tokens, capacity * sizeof *tokens);
        PS_FAIL_IF_NULL(tokens, lexer->error);
        lexer->tokens = tokens;
        lexer->capacity = capacity;
    }
    struct token *added = &lexer->tokens[lexer->count++];
    *added = (struct token){.type = type, .offset = (uint32_t)offset, .text = text, .size = size};
    if (token) *token = added;
    return PS_OK;
}

static enum ps_status fail(const struct lexer *lexer, size_t offset, const char *why) {
    return ps_jinja_fail_at(lexer->template, offset, PS_FORMAT, lexer->error, "%s", why);
}

/* ---- data ---- */

/* Data from `begin` up to a tag at `end` whose sign stands behind it. */
static enum ps_status add_data(struct lexer *lexer, size_t begin, size_t end, char sign,
                               bool strips_line) {
    size_t kept = end;
    if (sign == '-') {
        size_t last = begin; /* behind the last character that is no white space */
        for (size_t at = begin; at < end;) {
            size_t length = ps_jinja_space(lexer->source + at, end - at);
            if (length == 0) last = at + 1;
            at += length ? length : 1;
        }
        kept = last;
    } else if (sign != '+' && strips_line) {
        size_t line = end;
        while (line > begin && lexer->source[line - 1] != '\n') line--;
        if ((line > begin || lexer->line_start) && line < end) {
            size_t at = line, length;
            while (at < end && (length = ps_jinja_space(lexer->source + at, end - at)) > 0)
                at += length;
            if (at == end) kept = line;
        }
    }
    if (kept == begin) return PS_OK;
    return add(lexer, TOKEN_DATA, begin, lexer->source + begin, kept - begin, NULL);
}

/* Moves to behind the end of a tag, which begins at `at` with an optional sign; false: it is none.
 */
static bool skip_end(struct lexer *lexer, size_t at, const char *end, bool trims, bool plus) {
    char sign = at < lexer->size ? lexer->source[at] : 0;
    bool has_sign = sign == '-' || (sign == '+' && plus);
    if (!starts(lexer, at + has_sign, end)) return false;
    at += has_sign + 2;
    if (sign == '-')
        at = skip_space(lexer, at);
    else if (trims && sign != '+' && starts(lexer, at, "\n"))
        at++;
    lexer->line_start = lexer->source[at - 1] == '\n';
    lexer->at = at;
    return true;
}

static char sign_at(const struct lexer *lexer, size_t at) {
    char sign = at < lexer->size ? lexer->source[at] : 0;
    return sign == '-' || sign == '+' ? sign : 0;
}

/* Behind "{% raw %}" at `at`, or 0. */
static size_t raw_begin(const struct lexer *lexer, size_t at, const char *word) {
    if (!starts(lexer, at, "{%")) return 0;
    at += 2;
    if (sign_at(lexer, at)) at++;
    at = skip_space(lexer, at);
    if (!starts(lexer, at, word)) return 0;
    return skip_space(lexer, at + strlen(word));
}

static enum ps_status lex_raw(struct lexer *lexer, size_t tag) {
    size_t begin = lexer->at;
    for (size_t at = begin; at < lexer->size; at++) {
        size_t end = raw_begin(lexer, at, "endraw");
        if (!end) continue;
        bool line_start = lexer->line_start;
        if (!skip_end(lexer, end, "%}", true, true)) continue;
        bool after = lexer->line_start;
        lexer->line_start = line_start;
        PS_TRY(add_data(lexer, begin, at, sign_at(lexer, at + 2), true));
        lexer->line_start = after;
        return PS_OK;
    }
    if (begin == lexer->size) return PS_OK; /* jinja2 lets that pass */
    return fail(lexer, tag, "the end of {% raw %} is missing");
}

static enum ps_status lex_comment(struct lexer *lexer, size_t tag) {
    for (size_t at = lexer->at; at < lexer->size; at++)
        if (skip_end(lexer, at, "#}", true, true)) return PS_OK;
    if (lexer->at == lexer->size) return PS_OK; /* jinja2 lets that pass */
    return fail(lexer, tag, "the end of the comment is missing");
}

/* ---- within tags ---- */

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

/* Digits with single underscores between them; returns behind the last. */
static size_t skip_digits(const struct lexer *lexer, size_t at) {
    while (at < lexer->size &&
           (is_digit(lexer->source[at]) ||
            (lexer->source[at] == '_' && at + 1 < lexer->size && is_digit(lexer->source[at - 1]) &&
             is_digit(lexer->source[at + 1]))))
        at++;
    return at;
}

static size_t skip_based(const struct lexer *lexer, size_t at, int base) {
    for (size_t begin = at;; at++) {
        size_t digit = at + (at < lexer->size && lexer->source[at] == '_');
        char c = digit < lexer->size ? lexer->source[digit] : 0;
        int value = is_digit(c)                          ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : 16;
        if (value >= base) return at == begin ? 0 : at;
        at = digit;
    }
}

static enum ps_status lex_number(struct lexer *lexer) {
    size_t begin = lexer->at, end = skip_digits(lexer, begin), at = end;
    const char *source = lexer->source;
    bool real = false;
    int base = 10;
    if (at + 1 < lexer->size && source[at] == '.' && is_digit(source[at + 1])) {
        at = skip_digits(lexer, at + 1);
        real = true;
    }
    if (at < lexer->size && (source[at] | 32) == 'e') {
        size_t exponent = at + 1 + sign_at(lexer, at + 1) / '+'; /* '-' / '+' is 1 too */
        if (exponent < lexer->size && is_digit(source[exponent])) {
            at = skip_digits(lexer, exponent);
            real = true;
        }
    }
    if (begin > 0 && source[begin - 1] == '.') real = false;
    if (real) end = at;
    if (!real && source[begin] == '0' && begin + 1 < lexer->size) {
        char letter = source[begin + 1] | 32;
        base = letter == 'b' ? 2 : letter == 'o' ? 8 : letter == 'x' ? 16 : 10;
        size_t behind = base == 10 ? 0 : skip_based(lexer, begin + 2, base);
        if (behind == 0) base = 10;
        end = behind ? behind : begin + 1;
        while (base == 10 && end < lexer->size &&
               (source[end] == '0' || (source[end] == '_' && starts(lexer, end + 1, "0"))))
            end++;
    }
    char digits[400];
    size_t used = 0;
    for (at = begin + (base == 10 ? 0 : 2); at < end; at++) {
        if (source[at] == '_') continue;
        if (used + 1 == sizeof digits) return fail(lexer, begin, "a number too long");
        digits[used++] = source[at];
    }
    digits[used] = 0;
    struct token *token = NULL;
    PS_TRY(
        add(lexer, real ? TOKEN_FLOAT : TOKEN_INTEGER, begin, source + begin, end - begin, &token));
    errno = 0;
    if (real)
        token->real = strtod(digits, NULL);
    else
        token->integer = strtoll(digits, NULL, base);
    if (!real && errno) return fail(lexer, begin, "an integer beyond 64 bits is not supported");
    lexer->at = end;
    return PS_OK;
}

static enum ps_status lex_string(struct lexer *lexer) {
    size_t begin = lexer->at + 1, end = begin;
    char quote = lexer->source[lexer->at];
    while (end < lexer->size && lexer->source[end] != quote)
        end += lexer->source[end] == '\\' ? 2 : 1;
    if (end >= lexer->size) return fail(lexer, lexer->at, "a string without its end");
    /* No escape is longer than 10 characters behind a backslash, nor more than 3 times its text. */
    char *text = ps_arena_alloc(&lexer->template->arena, (end - begin) * 4 + 12);
    PS_FAIL_IF_NULL(text, lexer->error);
    size_t used = 0;
    for (size_t at = begin; at < end;) {
        if (lexer->source[at] != '\\') {
            text[used++] = lexer->source[at++];
            continue;
        }
        size_t length = ps_jinja_unescape(lexer->source + at + 1, end - at - 1, text, &used);
        if (length == 0) return fail(lexer, at, "an escape that is malformed or not supported");
        at += length + 1;
    }
    PS_TRY(add(lexer, TOKEN_STRING, lexer->at, text, used, NULL));
    lexer->at = end + 1;
    return PS_OK;
}

static enum ps_status lex_name(struct lexer *lexer, bool *found) {
    size_t begin = lexer->at, at = begin;
    while (at < lexer->size) {
        int32_t code_point;
        size_t length = ps_utf8_next(lexer->source + at, lexer->size - at, &code_point, NULL);
        if (!ps_jinja_is_word_character(code_point)) break;
        at += length;
    }
    *found = at > begin;
    if (!*found) return PS_OK;
    lexer->at = at;
    return add(lexer, TOKEN_NAME, begin, lexer->source + begin, at - begin, NULL);
}

static enum ps_status lex_bracket(struct lexer *lexer, char c) {
    static const char open[] = "([{", close[] = ")]}";
    const char *opens = strchr(open, c), *closes = strchr(close, c);
    if (opens) {
        if (lexer->depth == MAX_BRACKETS)
            return ps_jinja_fail_at(lexer->template, lexer->at, PS_LIMIT, lexer->error,
                                    "brackets nested deeper than %d", MAX_BRACKETS);
        lexer->brackets[lexer->depth++] = close[opens - open];
    } else if (closes) {
        bool fits = lexer->depth > 0 && lexer->brackets[lexer->depth - 1] == c;
        if (!fits)
            return ps_jinja_fail_at(lexer->template, lexer->at, PS_FORMAT, lexer->error,
                                    "unexpected '%c'", c);
        lexer->depth--;
    }
    return PS_OK;
}

static enum ps_status lex_operator(struct lexer *lexer) {
    static const struct {
        const char *text;
        int type;
    } pairs[] = {{"//", TOKEN_FLOOR_DIVIDE}, {"**", TOKEN_POWER},         {"==", TOKEN_EQUAL},
                 {"!=", TOKEN_NOT_EQUAL},    {">=", TOKEN_GREATER_EQUAL}, {"<=", TOKEN_LESS_EQUAL}};
    size_t at = lexer->at;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!starts(lexer, at, pairs[i].text)) continue;
        lexer->at += 2;
        return add(lexer, pairs[i].type, at, pairs[i].text, 2, NULL);
    }
    char c = lexer->source[at];
    if (!c || !strchr("+-*/%~[](){}><=.:|,;", c)) {
        int32_t code_point;
        size_t length = ps_utf8_next(lexer->source + at, lexer->size - at, &code_point, NULL);
        return ps_jinja_fail_at(lexer->template, at, PS_FORMAT, lexer->error,
                                "unexpected character '%.*s'", (int)length, lexer->source + at);
    }
    PS_TRY(lex_bracket(lexer, c));
    lexer->at++;
    return add(lexer, c, at, lexer->source + at, 1, NULL);
}

/* Everything up to the tag's end and that, or up to the end of the source. */
static enum ps_status lex_tag(struct lexer *lexer, bool block) {
    lexer->depth = 0;
    while (lexer->at < lexer->size) {
        size_t begin = lexer->at;
        bool ends = lexer->depth == 0 && skip_end(lexer, begin, block ? "%}" : "}}", block, block);
        if (ends) return add(lexer, block ? TOKEN_BLOCK_END : TOKEN_PRINT_END, begin, "", 0, NULL);
        char c = lexer->source[begin];
        bool found = true;
        size_t behind = skip_space(lexer, begin);
        if (behind > begin)
            lexer->at = behind;
        else if (is_digit(c))
            PS_TRY(lex_number(lexer));
        else if (c == '\'' || c == '"')
            PS_TRY(lex_string(lexer));
        else
            PS_TRY(lex_name(lexer, &found));
        if (!found) PS_TRY(lex_operator(lexer));
        lexer->line_start = lexer->source[lexer->at - 1] == '\n';
    }
    return PS_OK;
}

/* The next "{{", "{%" or "{#", or the end. */
static size_t find_tag(const struct lexer *lexer) {
    for (size_t at = lexer->at; at + 1 < lexer->size; at++) {
        const char *brace = memchr(lexer->source + at, '{', lexer->size - at - 1);
        if (!brace) break;
        at = (size_t)(brace - lexer->source);
        if (strchr("{%#", brace[1]) && brace[1]) return at;
    }
    return lexer->size;
}

static enum ps_status lex_next(struct lexer *lexer) {
    size_t begin = lexer->at, tag = find_tag(lexer);
    if (tag == lexer->size) {
        lexer->at = tag;
        return add(lexer, TOKEN_DATA, begin, lexer->source + begin, tag - begin, NULL);
    }
    char kind = lexer->source[tag + 1], sign = sign_at(lexer, tag + 2);
    PS_TRY(add_data(lexer, begin, tag, sign, kind != '{'));
    size_t raw = raw_begin(lexer, tag, "raw");
    if (raw && skip_end(lexer, raw, "%}", false, false)) return lex_raw(lexer, tag);
    lexer->at = tag + 2 + (sign != 0);
    lexer->line_start = false;
    if (kind == '#') return lex_comment(lexer, tag);
    PS_TRY(add(lexer, kind == '%' ? TOKEN_BLOCK_BEGIN : TOKEN_PRINT_BEGIN, tag, "", 0, NULL));
    return lex_tag(lexer, kind == '%');
}

enum ps_status ps_jinja_lex(struct ps_jinja *template, struct token **tokens, size_t *count,
                            struct ps_error *error) {
    struct lexer lexer = {.template = template,
                          .source = template->source,
                          .size = template->size,
                          .line_start = true,
                          .error = error};
    enum ps_status status = PS_OK;
    while (status == PS_OK && lexer.at < lexer.size) status = lex_next(&lexer);
    if (status == PS_OK) status = add(&lexer, TOKEN_END, lexer.size, "", 0, NULL);
    *tokens = lexer.tokens;
    *count = lexer.count;
    return status;
}
