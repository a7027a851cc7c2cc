/* The regexes of tokenizer.json files are written for Oniguruma (Ruby's syntax, Unicode). PCRE2
 * with UTF and UCP agrees with it on what such files use, except for this:
 *
 *   \s \S \w \h    PCRE2's \s has U+180E too, its \w lacks marks, its \h is horizontal blanks;
 *                  they are spelt out here, inside classes and outside
 *   \p{Han}        a script has the characters of that script alone; in PCRE2 also those that
 *                  other scripts share with it (script extensions), unless spelt \p{sc:Han}
 *   ^ $            always mean lines: PCRE2_MULTILINE
 *   {n,m}+         repeats the repetition, where PCRE2 would make it possessive
 *   (?m)           lets . match newlines, where PCRE2 would make ^ and $ mean lines
 *   [a[b]] [a&&b]  nested classes and intersections, which PCRE2 before 10.45 has not
 *
 * What cannot be translated is refused when the file is loaded, by name. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

/* White_Space of Unicode, and all that is not. */
#define SPACE                                                                                      \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}"             \
    "\\x{202f}\\x{205f}\\x{3000}"
#define NOT_SPACE                                                                                  \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}"                   \
    "\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}"                 \
    "\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"

/* Oniguruma counts the numbers of Latin-1 (superscripts, fractions) among the words, no others. */
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

static const struct {
    char letter;
    const char *class; /* what stands inside a class; NULL: not translated */
    bool negated;      /* no set of its own: only outside classes */
} escapes[] = {
    {'s', SPACE, false},       {'S', NOT_SPACE, false},  {'w', WORD, false}, {'W', WORD, true},
    {'h', "0-9a-fA-F", false}, {'H', "0-9a-fA-F", true}, {'b', NULL, false}, {'B', NULL, false},
    {'K', NULL, false},        {'G', NULL, false},       {'C', NULL, false}, {'g', NULL, false},
    {'k', NULL, false},
};

/* Long names behind \p that are no scripts; others than these are refused if they are none. */
static const char *const properties[] = {"Any",   "Alphabetic",  "Uppercase",  "Lowercase",
                                         "Emoji", "White_Space", "Ideographic"};

/* Whether \p{ or \P{ at pattern[i] names a script, perhaps negated by ^. */
static bool names_script(const char *pattern, size_t size, size_t i) {
    if ((pattern[i] != 'p' && pattern[i] != 'P') || i + 1 >= size || pattern[i + 1] != '{')
        return false;
    i += 2 + (i + 2 < size && pattern[i + 2] == '^');
    const char *end = memchr(pattern + i, '}', size - i);
    size_t length = end ? (size_t)(end - (pattern + i)) : 0;
    for (size_t p = 0; p < sizeof properties / sizeof *properties; p++)
        if (strlen(properties[p]) == length && memcmp(properties[p], pattern + i, length) == 0)
            return false;
    return length > 2; /* general categories are letters, one or two */
}

static enum ps_status translate_escape(char letter, bool in_class, struct ps_buffer *out,
                                       struct ps_error *error) {
    bool fits;
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        if (escapes[i].letter != letter) continue;
        PS_FAIL_IF(!escapes[i].class, error, PS_UNSUPPORTED, "\\%c in a regex", letter);
        PS_FAIL_IF(in_class && escapes[i].negated, error, PS_UNSUPPORTED,
                   "\\%c within a class in a regex", letter);
        const char *open = in_class ? "" : escapes[i].negated ? "[^" : "[";
        fits = ps_buffer_format(out, "%s%s%s", open, escapes[i].class, in_class ? "" : "]");
        PS_FAIL_IF(!fits, error, PS_LIMIT, "a regex that is too long");
        return PS_OK;
    }
    fits = ps_buffer_format(out, "\\%c", letter);
    PS_FAIL_IF(!fits, error, PS_LIMIT, "a regex that is too long");
    return PS_OK;
}

/* Whether pattern[i] closes a counted repetition that a + follows: X{2,3}+. */
static bool is_repeated_count(const char *pattern, size_t size, size_t i) {
    if (i + 1 >= size || pattern[i + 1] != '+') return false;
    size_t digits = 0;
    while (i > 0 && (strchr("0123456789,", pattern[i - 1]) && pattern[i - 1])) i--, digits++;
    return digits > 0 && i > 0 && pattern[i - 1] == '{' && (i < 2 || pattern[i - 2] != '\\');
}

/* Whether pattern[i] begins an option setting with m in it: (?m) (?i-m:...). */
static bool is_option_m(const char *pattern, size_t size, size_t i) {
    if (size - i < 3 || pattern[i + 1] != '?') return false;
    bool found = false;
    for (i += 2; i < size && strchr("imsx-", pattern[i]) && pattern[i]; i++)
        found |= pattern[i] == 'm';
    return found && i < size && (pattern[i] == ')' || pattern[i] == ':');
}

static enum ps_status translate(const char *pattern, size_t size, struct ps_buffer *out,
                                struct ps_error *error) {
    bool in_class = false, class_begins = false;
    for (size_t i = 0; i < size; i++) {
        char c = pattern[i];
        bool first_in_class = class_begins;
        class_begins = false;
        if (c == '\\' && i + 1 < size) {
            PS_TRY(translate_escape(pattern[++i], in_class, out, error));
            if (!names_script(pattern, size, i)) continue;
            bool negated = pattern[i + 2] == '^';
            i += 1 + negated;
            PS_FAIL_IF(!ps_buffer_puts(out, negated ? "{^sc:" : "{sc:"), error, PS_LIMIT,
                       "a regex that is too long");
            continue;
        }
        if (in_class && c == ']' && !first_in_class) {
            in_class = false;
        } else if (in_class) {
            bool named = c == '[' && i + 1 < size && pattern[i + 1] == ':';
            PS_FAIL_IF(named, error, PS_UNSUPPORTED, "a [:name:] class in a regex");
            PS_FAIL_IF(c == '[', error, PS_UNSUPPORTED, "a class within a class in a regex");
            PS_FAIL_IF(c == '&' && i + 1 < size && pattern[i + 1] == '&', error, PS_UNSUPPORTED,
                       "an intersection of classes (&&) in a regex");
            class_begins = first_in_class && c == '^';
        } else if (c == '[') {
            in_class = class_begins = true;
        }
        PS_FAIL_IF(!in_class && c == '}' && is_repeated_count(pattern, size, i), error,
                   PS_UNSUPPORTED, "a count followed by + in a regex");
        PS_FAIL_IF(!in_class && c == '(' && i + 1 < size && pattern[i + 1] == '*', error,
                   PS_UNSUPPORTED, "(* in a regex");
        PS_FAIL_IF(!in_class && c == '(' && is_option_m(pattern, size, i), error, PS_UNSUPPORTED,
                   "(?m) in a regex");
        PS_FAIL_IF(!ps_buffer_append(out, &c, 1), error, PS_LIMIT, "a regex that is too long");
    }
    return PS_OK;
}

static void *allocate(size_t size, void *context) {
    (void)context;
    return ps_malloc(size);
}

static void release(void *pointer, void *context) {
    (void)context;
    ps_free(pointer);
}

pcre2_general_context *ps_regex_memory(void) {
    return pcre2_general_context_create(allocate, release, NULL);
}

enum ps_status ps_regex_compile(const char *pattern, size_t size, pcre2_code **regex,
                                struct ps_error *error) {
    struct ps_buffer translated;
    ps_buffer_init(&translated, 16 * MAX_PATTERN_SIZE);
    pcre2_general_context *general = NULL;
    pcre2_compile_context *context = NULL;
    enum ps_status status = PS_OK;
    *regex = NULL;
    PS_FAIL_DONE_IF(size > MAX_PATTERN_SIZE, error, PS_LIMIT, "a regex of more than %d bytes",
                    MAX_PATTERN_SIZE);
    PS_TRY_DONE(translate(pattern, size, &translated, error));
    general = ps_regex_memory();
    PS_FAIL_DONE_IF_NULL(general, error);
    context = pcre2_compile_context_create(general);
    PS_FAIL_DONE_IF_NULL(context, error);
    pcre2_set_parens_nest_limit(context, 50);
    int code;
    size_t offset;
    uint32_t options =
        PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT;
    *regex = pcre2_compile((PCRE2_SPTR)(translated.data ? translated.data : ""), translated.size,
                           options, &code, &offset, context);
    if (!*regex) {
        char message[256];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
        bool no_memory = code == PCRE2_ERROR_NOMEMORY || code == 121;
        PS_FAIL_DONE_IF(no_memory, error, PS_MEMORY, "out of memory");
        PS_FAIL_DONE_IF(true, error, PS_FORMAT, "the regex '%.200s' is refused at byte %zu: %s",
                        translated.data ? translated.data : "", offset, message);
    }
    /* Without it (a hardened kernel, another machine) PCRE2 interprets: slower, the same result. */
    pcre2_jit_compile(*regex, PCRE2_JIT_COMPLETE);
done:
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    ps_buffer_release(&translated);
    return status;
}
