/* From an answer's text to something comparable.
 *
 * Taken off first: "approximately", the letter of a choice ("(B) 8"), what follows an answer that
 * is yes or no, what is said to be about the same ("4\pi \approx 12.57"), and what only names the
 * value ("x = 5"). The kinds of what is left are decided in this order: a time; a number; a choice
 * letter; a date; words; else an expression. */
#include "grade/answer_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Start of the last "=" outside brackets that is no part of "<=", ">=", "!=" or ":="; or NULL. */
static const char *last_equals(const char *s) {
    const char *found = NULL;
    int depth = 0;
    for (const char *p = s; *p; p++) {
        if (*p == '\\' && p[1] && !letter(p[1])) {
            depth += p[1] == '{' ? 1 : p[1] == '}' ? -1 : 0; /* braces of a set */
            p++;
            continue;
        }
        if (strchr("({[", *p)) depth++;
        if (strchr(")}]", *p)) depth--;
        if (*p == '=' && depth == 0 && p > s && !strchr("<>!:=", p[-1]) && p[1] != '=') found = p;
    }
    return found;
}

/* A member of a chain of equalities: a name ("x", "\text{Area}", "f(3)", "m\angle ABC"), arithmetic
 * without variables ("3\cdot 5"), a sum of names ("m+n"), or anything else ("2x", "x^2 + y"), which
 * makes the chain an equation that is an answer as a whole. */
enum member { NAME, ARITHMETIC, SUM_OF_NAMES, OTHER };

static enum member member(const char *s, const char *end) {
    static const char *const known[] = {"cdot",  "times", "div",      "frac",    "sqrt",
                                        "pi",    "angle", "alpha",    "beta",    "gamma",
                                        "delta", "theta", "lambda",   "mu",      "phi",
                                        "omega", "sigma", "triangle", "overline"};
    enum { OPERATORS = 6, KNOWN = 19 };
    bool letters = false, operators = false, sums = false, bars = false, small = false;
    int inside = 0;
    for (const char *p = s; p < end;) {
        if (*p == '\\' && letter(p[1])) {
            size_t size = 1, i = 0;
            while (p + size < end && letter(p[size])) size++;
            while (i < KNOWN &&
                   (strlen(known[i]) != size - 1 || strncmp(known[i], p + 1, size - 1)))
                i++;
            if (i == KNOWN) return OTHER;
            if (i >= OPERATORS)
                letters = true;
            else
                operators = true;
            p += size;
            continue;
        }
        if (p > s && letter(p[-1]) && strncmp(p, "^{-1}(", 6) == 0) { /* the inverse f^{-1}(x) */
            p += 5;
            continue;
        }
        if (strchr("({", *p)) inside++;
        if (strchr(")}", *p)) inside--;
        if (letter(*p) || (unsigned char)*p >= 128) {
            letters = true;
            small |= *p >= 'a' && *p <= 'z';
        } else if (strchr("+-", *p) && inside == 0 && letters)
            sums = true;
        else if (strchr("+-*/^%$!", *p) || (*p >= '0' && *p <= '9' && inside == 0))
            operators = true;
        else if (*p == '|')
            bars = true;
        else if ((*p == ',' && inside == 0) ||
                 (!strchr("({})_ ',.=0123456789", *p) && *p != PS_TEXT_BEGIN && *p != PS_TEXT_END))
            return OTHER;
        p++;
    }
    if (bars && (small || !letters || sums))
        return OTHER; /* |AB| is a length, |x| = 3 an equation */
    if (!letters) return ARITHMETIC;
    return operators ? OTHER : sums ? SUM_OF_NAMES : NAME;
}

/* The worst of the members before the last "=": OTHER, SUM_OF_NAMES, ARITHMETIC or NAME. */
static enum member members(const char *s, const char *equals) {
    enum member all = NAME;
    for (const char *end = equals; end; equals = end) {
        end = NULL;
        int depth = 0;
        for (const char *p = s; p < equals; p++) {
            depth += strchr("({", *p) ? 1 : strchr(")}", *p) ? -1 : 0;
            if (*p == '=' && depth == 0) end = p;
        }
        enum member one = member(end ? end + 1 : s, equals);
        if (one > all) all = one;
    }
    return all;
}

/* Copies without spaces and text marks, but for the space that ends a command's name. */
static char *canonical_expression(const char *s) {
    char *out = ps_malloc(strlen(s) + 1);
    if (!out) return NULL;
    size_t size = 0;
    bool command = false;
    for (; *s; s++) {
        if (*s == PS_TEXT_BEGIN || *s == PS_TEXT_END) continue;
        if (*s == ' ') {
            if (command && letter(s[1])) out[size++] = ' ';
            command = false;
            continue;
        }
        command = *s == '\\' ? true : command && letter(*s);
        out[size++] = *s;
    }
    out[size] = 0;
    return out;
}

static enum ps_status read_kind(const char *s, const struct ps_grade_profile *profile,
                                struct ps_answer *answer, struct ps_error *error) {
    char text[32];
    if (ps_answer_time(s, &answer->time)) {
        answer->kind = PS_ANSWER_TIME;
        ps_answer_print_time(&answer->time, text);
        answer->text = ps_strdup(text);
        PS_FAIL_IF_NULL(answer->text, error);
        return PS_OK;
    }
    if (ps_answer_date(s, text)) {
        answer->kind = PS_ANSWER_WORDS;
        answer->text = ps_strdup(text);
        PS_FAIL_IF_NULL(answer->text, error);
        return PS_OK;
    }
    if (ps_answer_number(s, profile, answer, &answer->problem)) {
        answer->kind = PS_ANSWER_NUMBER;
        answer->text = ps_malloc(mpz_sizeinbase(mpq_numref(answer->value), 10) +
                                 mpz_sizeinbase(mpq_denref(answer->value), 10) + 3);
        PS_FAIL_IF_NULL(answer->text, error);
        mpq_get_str(answer->text, 10, answer->value);
        return PS_OK;
    }
    answer->unit[0] = 0;
    char c = ps_answer_choice(s, profile->choice);
    if (c) {
        answer->kind = PS_ANSWER_CHOICE;
        answer->label = c;
        answer->text = ps_strndup(&c, 1);
        PS_FAIL_IF_NULL(answer->text, error);
        return PS_OK;
    }
    bool words = ps_answer_are_words(s, &answer->bare);
    answer->text = words ? ps_answer_canonical_words(s) : canonical_expression(s);
    PS_FAIL_IF_NULL(answer->text, error);
    const char *maths = words ? ps_answer_words_as_maths(answer->text) : NULL;
    if (maths) {
        ps_free(answer->text);
        ps_free(answer->source);
        answer->text = ps_strdup(maths);
        answer->source = ps_strdup(maths);
        PS_FAIL_IF(!answer->text || !answer->source, error, PS_MEMORY, "out of memory");
        answer->kind = PS_ANSWER_EXPRESSION;
        return PS_OK;
    }
    bool spelled = words && ps_answer_spells_number(s);
    answer->kind = words && !spelled ? PS_ANSWER_WORDS : PS_ANSWER_EXPRESSION;
    if (answer->problem) answer->kind = PS_ANSWER_BROKEN;
    return PS_OK;
}

static enum ps_status read_normal(char *s, const struct ps_grade_profile *profile,
                                  struct ps_answer *answer, struct ps_error *error);

/* Another reading of a part of the same text. */
static enum ps_status read_part(const char *s, const struct ps_grade_profile *profile,
                                struct ps_answer **part, struct ps_error *error) {
    char *copy = ps_strdup(s);
    PS_FAIL_IF_NULL(copy, error);
    *part = ps_calloc(1, sizeof **part);
    enum ps_status status = PS_OK;
    if (*part) {
        mpq_init((*part)->value);
        status = read_normal(copy, profile, *part, error);
    }
    ps_free(copy);
    PS_FAIL_IF_NULL(*part, error);
    return status;
}

static char *skip_marks(char *s) {
    while (*s == ' ' || *s == PS_TEXT_BEGIN || *s == PS_TEXT_END) s++;
    return s;
}

/* "about 12.5", "\approx 12.5" */
static char *skip_hedges(char *s) {
    static const char *const words[] = {"approximately", "approx.", "approx", "about", "roughly"};
    for (char *p = skip_marks(s);; s = p) {
        if (strncmp(p, "\\approx", 7) == 0) {
            p = skip_marks(p + 7);
            continue;
        }
        size_t i = 0, size = 0;
        for (; i < sizeof words / sizeof *words; i++) {
            size = strlen(words[i]);
            if (strncasecmp(p, words[i], size) == 0 && !letter(p[size])) break;
        }
        if (i == sizeof words / sizeof *words) return s;
        p = skip_marks(p + size);
    }
}

/* Nothing is lost with "for all x". */
static void cut_quantifier(char *s) {
    for (char *p = s; (p = strstr(p, "for ")); p++) {
        bool apart = p > s && (p[-1] == ' ' || p[-1] == PS_TEXT_BEGIN);
        char *at = p;
        if (!apart || (strncmp(p, "for all ", 8) != 0 && strncmp(p, "for every ", 10) != 0))
            continue;
        while (at > s && (at[-1] == ' ' || at[-1] == PS_TEXT_BEGIN || at[-1] == ',')) at--;
        if (at > s) *at = 0;
        return;
    }
}

static char *last_approximation(char *s) {
    char *found = NULL;
    int depth = 0;
    for (char *p = s; *p; p++) {
        depth += strchr("({[", *p) ? 1 : strchr(")}]", *p) ? -1 : 0;
        if (depth == 0 && p > s && strncmp(p, "\\approx", 7) == 0) found = p;
    }
    return found;
}

/* "x = 0 or 1 < x < 2" is no chain of equalities. */
static bool has_order(const char *s) {
    return strpbrk(s, "<>") || strstr(s, "\\le") || strstr(s, "\\ge") || strstr(s, "\\ne");
}

/* "12 = 2x" and "5 = x" end in no value. */
static bool is_turned(enum member before, const char *last,
                      const struct ps_grade_profile *profile) {
    if (before == NAME || member(last, last + strlen(last)) == ARITHMETIC) return false;
    struct ps_answer answer = {0};
    const char *problem = NULL;
    mpq_init(answer.value);
    bool number = ps_answer_number(last, profile, &answer, &problem); /* "15 cm" */
    mpq_clear(answer.value);
    return !number;
}

/* The one member before "=", without spaces; none of several. */
static void keep_name(struct ps_answer *answer, const char *s, const char *equals) {
    size_t size = 0;
    int depth = 0;
    for (const char *p = s; p < equals; p++) {
        depth += strchr("({", *p) ? 1 : strchr(")}", *p) ? -1 : 0;
        if ((*p == '=' && depth == 0) || size + 1 == sizeof answer->name) {
            answer->name[0] = 0;
            return;
        }
        if (*p == ' ' || *p == PS_TEXT_BEGIN || *p == PS_TEXT_END) continue;
        answer->name[size++] = *p;
        answer->name[size] = 0;
    }
}

/* Reads normalised text, which it may cut. */
static enum ps_status read_normal(char *s, const struct ps_grade_profile *profile,
                                  struct ps_answer *answer, struct ps_error *error) {
    s = skip_hedges(s);
    cut_quantifier(s);
    char *whole = s += ps_answer_labelled(s, &answer->label);
    size_t verdict = ps_answer_plain_verdict(s);
    if (verdict) s[verdict] = 0;
    char *approximation = last_approximation(s);
    if (approximation && member(s, approximation) == NAME) {
        whole = s = skip_marks(approximation + 7);
    } else if (approximation) {
        PS_TRY(read_part(skip_marks(approximation + 7), profile, &answer->rounded, error));
        *approximation = 0;
    }
    const char *equals = last_equals(s);
    enum member before = equals ? members(s, equals) : OTHER;
    char *last = equals ? skip_marks((char *)equals + 1) : s;
    if (equals && before == ARITHMETIC && member(last, last + strlen(last)) == NAME) {
        *(char *)equals = 0; /* "3\cdot 5 = 15 = x" */
        equals = last_equals(s);
        last = equals ? skip_marks((char *)equals + 1) : s;
    }
    bool turned = equals && (has_order(last) || is_turned(before, last, profile));
    if (equals && before == SUM_OF_NAMES && !profile->number)
        PS_TRY(read_part(last, profile, &answer->total, error));
    if (equals && !turned && (before <= ARITHMETIC || profile->number)) {
        if (before == NAME) keep_name(answer, s, equals);
        s = last;
    }
    answer->source = ps_strdup(answer->name[0] ? whole : s);
    PS_FAIL_IF_NULL(answer->source, error);
    if (*s) return read_kind(s, profile, answer, error);
    answer->kind = PS_ANSWER_EMPTY;
    answer->text = ps_strdup("");
    PS_FAIL_IF_NULL(answer->text, error);
    return PS_OK;
}

enum ps_status ps_answer_read(struct ps_grade_text text, const struct ps_grade_profile *profile,
                              struct ps_answer *answer, struct ps_error *error) {
    enum ps_status status = PS_OK;
    struct ps_buffer normal;
    memset(answer, 0, sizeof *answer);
    mpq_init(answer->value);
    ps_buffer_init(&normal, 16 * PS_ANSWER_BYTES);
    PS_TRY_DONE(ps_answer_normalise(text, &normal, &answer->problem, error));
    if (answer->problem) {
        answer->kind = PS_ANSWER_BROKEN;
        answer->text = ps_strdup("");
        PS_FAIL_DONE_IF_NULL(answer->text, error);
    } else {
        PS_TRY_DONE(read_normal(normal.data, profile, answer, error));
    }
done:
    ps_buffer_release(&normal);
    return status;
}

static void release_part(struct ps_answer **part) {
    if (*part) ps_answer_release(*part);
    ps_free(*part);
    *part = NULL;
}

void ps_answer_release(struct ps_answer *answer) {
    mpq_clear(answer->value);
    ps_free(answer->source);
    ps_free(answer->text);
    release_part(&answer->rounded);
    release_part(&answer->total);
    answer->source = answer->text = NULL;
}
