/* From an answer's text to something comparable, and the comparison.
 *
 * Kinds are decided in this order: a number; a choice letter; words; else an expression. Numbers
 * are compared as fractions, words as text; what has equal text is equal; expressions are parsed to
 * trees (parse.c) and compared there (compare.c). */
#include "grade/answer_internal.h"
#include "grade/tree_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
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

/* What stands before "= answer" names it ("x", "\text{Area}", "f(3)", "m\angle ABC") or is
 * arithmetic without variables ("3\cdot 5", "\frac{6}{2} = 3"). Anything else ("2x", "x^2 + y")
 * makes an equation that is an answer as a whole. */
static bool names_or_computes(const char *s, const char *end, bool *name) {
    static const char *const known[] = {"cdot",   "times", "div",  "frac",  "sqrt",  "pi",
                                        "angle",  "alpha", "beta", "gamma", "delta", "theta",
                                        "lambda", "mu",    "phi",  "omega", "sigma", "triangle"};
    bool letters = false, operators = false;
    int inside = 0;
    for (const char *p = s; p < end;) {
        if (*p == '\\' && letter(p[1])) {
            size_t size = 1, i = 0;
            while (p + size < end && letter(p[size])) size++;
            while (i < 18 && (strlen(known[i]) != size - 1 || strncmp(known[i], p + 1, size - 1)))
                i++;
            if (i == 18) return false;
            if (i >= 6)
                letters = true;
            else
                operators = true;
            p += size;
            continue;
        }
        if (strchr("({", *p)) inside++;
        if (strchr(")}", *p)) inside--;
        if (letter(*p) || (unsigned char)*p >= 128)
            letters = true;
        else if (strchr("+-*/^%$!", *p) || (*p >= '0' && *p <= '9' && inside == 0))
            operators = true;
        else if (!strchr("({})_ ',.=0123456789", *p) && *p != PS_TEXT_BEGIN && *p != PS_TEXT_END)
            return false;
        p++;
    }
    *name = letters;
    return !letters || !operators;
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

/* "(C)", "C", "C.", "\text{c}": the letter in lower case, else 0. A bare small letter is a
 * variable. */
static char choice(const char *s) {
    bool text = false, bracket = false;
    char found = 0;
    for (; *s; s++) {
        if (*s == PS_TEXT_BEGIN)
            text = true;
        else if (*s == '(' || *s == ')')
            bracket = true;
        else if (letter(*s) && !found && lower(*s) <= 'j')
            found = *s;
        else if (*s != ' ' && *s != PS_TEXT_END && *s != '.')
            return 0;
    }
    if (found >= 'a' && found <= 'j' && !text && !bracket) return 0;
    return lower(found);
}

/* The character at *p, which moves behind it; utf8proc's category tells a letter. */
static bool next_letter(const char **p, utf8proc_int32_t *point) {
    utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)*p, -1, point);
    if (size <= 0) { /* normalised text is valid UTF-8 */
        *point = 0xFFFD;
        size = 1;
    }
    *p += size;
    utf8proc_category_t category = utf8proc_category(*point);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

/* Words with no maths between them. Without \text{} around them a short one ("xy") is taken for
 * a product of variables. *bare: a single word outside \text{}. */
static bool are_words(const char *s, bool *bare) {
    size_t longest = 0, run = 0, count = 0;
    bool text = strchr(s, PS_TEXT_BEGIN) != NULL, hyphen = false;
    for (const char *p = s; *p;) {
        utf8proc_int32_t point;
        if (next_letter(&p, &point)) {
            count += run == 0;
            if (++run > longest) longest = run;
            continue;
        }
        if (point == '-') {
            utf8proc_int32_t behind;
            const char *next = p;
            if (run == 0 || !*p || !next_letter(&next, &behind)) return false;
            hyphen = true;
        } else if (point >= 128 ||
                   (!strchr(" '.", point) && point != PS_TEXT_BEGIN && point != PS_TEXT_END)) {
            return false;
        }
        run = 0;
    }
    *bare = !text && count == 1;
    return count && (text || strcasecmp(s, "no") == 0 || longest >= (hyphen ? 4 : 3));
}

/* Lower case without spaces and full stops. */
static char *canonical_words(const char *s) {
    char *out = ps_malloc(2 * strlen(s) + 8); /* lower case may take more bytes */
    if (!out) return NULL;
    size_t size = 0;
    while (*s) {
        utf8proc_int32_t point;
        if (next_letter(&s, &point) || point == '-' || point == '\'')
            size += (size_t)utf8proc_encode_char(utf8proc_tolower(point),
                                                 (utf8proc_uint8_t *)out + size);
    }
    out[size] = 0;
    return out;
}

static enum ps_status read_kind(const char *s, const struct ps_grade_profile *profile,
                                struct ps_answer *answer, struct ps_error *error) {
    if (ps_answer_number(s, profile, answer, &answer->problem)) {
        answer->kind = PS_ANSWER_NUMBER;
        answer->text = ps_malloc(mpz_sizeinbase(mpq_numref(answer->value), 10) +
                                 mpz_sizeinbase(mpq_denref(answer->value), 10) + 3);
        PS_FAIL_IF_NULL(answer->text, error);
        mpq_get_str(answer->text, 10, answer->value);
        return PS_OK;
    }
    answer->unit[0] = 0;
    char c = choice(s);
    if (c) {
        answer->kind = PS_ANSWER_CHOICE;
        answer->text = ps_strndup(&c, 1);
        PS_FAIL_IF_NULL(answer->text, error);
        return PS_OK;
    }
    bool words = are_words(s, &answer->bare);
    answer->text = words ? canonical_words(s) : canonical_expression(s);
    answer->kind = words && !ps_answer_spells_number(s) ? PS_ANSWER_WORDS : PS_ANSWER_EXPRESSION;
    PS_FAIL_IF_NULL(answer->text, error);
    if (answer->problem) answer->kind = PS_ANSWER_BROKEN;
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
        goto done;
    }
    const char *s = normal.data, *equals = last_equals(s);
    bool name = false, simple = equals && names_or_computes(s, equals, &name);
    if (equals && (simple || profile->number)) {
        if (simple && name && !memchr(s, '=', (size_t)(equals - s))) {
            snprintf(answer->name, sizeof answer->name, "%.*s", (int)(equals - s), s);
            answer->name[strcspn(answer->name, " ")] = 0;
        }
        s = equals + 1;
        while (*s == ' ') s++;
    }
    answer->source = ps_strdup(answer->name[0] ? normal.data : s);
    PS_FAIL_DONE_IF_NULL(answer->source, error);
    if (!*s) {
        answer->kind = PS_ANSWER_EMPTY;
        answer->text = ps_strdup("");
        PS_FAIL_DONE_IF_NULL(answer->text, error);
        goto done;
    }
    PS_TRY_DONE(read_kind(s, profile, answer, error));
done:
    ps_buffer_release(&normal);
    return status;
}

void ps_answer_release(struct ps_answer *answer) {
    mpq_clear(answer->value);
    ps_free(answer->source);
    ps_free(answer->text);
    answer->source = answer->text = NULL;
}

/* Whether x, longer or exact, rounds to a decimal of `places` places. At a tie both roundings in
 * use count: away from zero and to even. */
static bool rounds_to(const mpq_t decimal, int places, const mpq_t x) {
    mpq_t distance, half;
    mpq_inits(distance, half, NULL);
    mpz_ui_pow_ui(mpq_denref(half), 10, (unsigned long)places);
    mpz_mul_ui(mpq_denref(half), mpq_denref(half), 2);
    mpz_set_ui(mpq_numref(half), 1);
    mpq_sub(distance, x, decimal);
    mpq_abs(distance, distance);
    int order = mpq_cmp(distance, half);
    bool ok = order < 0;
    if (order == 0) {
        mpq_t unit; /* decimal in units of its last place: an integer */
        mpq_init(unit);
        mpz_ui_pow_ui(mpq_numref(unit), 10, (unsigned long)places);
        mpq_mul(unit, unit, decimal);
        mpz_t a, b;
        mpz_inits(a, b, NULL);
        mpz_mul(a, mpq_numref(decimal), mpq_denref(x));
        mpz_mul(b, mpq_numref(x), mpq_denref(decimal));
        ok = mpz_even_p(mpq_numref(unit)) || mpz_cmpabs(a, b) > 0;
        mpz_clears(a, b, NULL);
        mpq_clear(unit);
    }
    mpq_clears(distance, half, NULL);
    return ok;
}

static bool number_equal(const mpq_t gold, int decimals, const mpq_t x, int x_decimals,
                         const char **how) {
    *how = "the same number";
    if (mpq_equal(gold, x)) return true;
    *how = "rounds to the gold at its last digit";
    bool longer = x_decimals < 0 || x_decimals > decimals;
    return decimals >= 3 && longer && rounds_to(gold, decimals, x);
}

/* gold * power of 100, for percentages against fractions. */
static bool equal_scaled(const struct ps_answer *gold, const struct ps_answer *answer,
                         bool gold_down, const char **how) {
    mpq_t scaled, hundred;
    mpq_inits(scaled, hundred, NULL);
    mpq_set_ui(hundred, 100, 1);
    int decimals = gold->decimals;
    if (gold_down)
        mpq_div(scaled, gold->value, hundred);
    else
        mpq_mul(scaled, gold->value, hundred);
    if (decimals >= 0) decimals += gold_down ? 2 : -2;
    if (gold->decimals < 3) decimals = -1; /* only decimals written with three places are rounded */
    bool equal = number_equal(scaled, decimals, answer->value, answer->decimals, how);
    mpq_clears(scaled, hundred, NULL);
    return equal;
}

static enum ps_verdict compare_numbers(const struct ps_answer *gold, const struct ps_answer *answer,
                                       bool percent, char reason[256]) {
    const char *how;
    bool gold_percent = strcmp(gold->unit, "percent") == 0;
    bool answer_percent = strcmp(answer->unit, "percent") == 0;
    if (gold->unit[0] && answer->unit[0] && strcmp(gold->unit, answer->unit) != 0) {
        snprintf(reason, 256, "the gold's unit is %s, the answer's %s", gold->unit, answer->unit);
        return PS_VERDICT_UNDECIDED;
    }
    if (number_equal(gold->value, gold->decimals, answer->value, answer->decimals, &how)) {
        snprintf(reason, 256, "%s%s", how,
                 strcmp(gold->unit, answer->unit) ? "; only one has a unit" : "");
        return PS_VERDICT_CORRECT;
    }
    if ((gold_percent && !answer->unit[0] && equal_scaled(gold, answer, true, &how)) ||
        (percent && !gold->unit[0] && answer_percent && equal_scaled(gold, answer, false, &how))) {
        snprintf(reason, 256, "%s, as a percentage and its fraction", how);
        return PS_VERDICT_CORRECT;
    }
    snprintf(reason, 256, "different numbers");
    return PS_VERDICT_WRONG;
}

static bool same_letters(const char *a, const char *b) {
    int count[256] = {0};
    for (; *a; a++) count[(unsigned char)*a]++;
    for (; *b; b++) count[(unsigned char)*b]--;
    for (int i = 0; i < 256; i++)
        if (count[i]) return false;
    return true;
}

/* Bytes of text to show: at most 90, no character cut. */
static int shown(const char *text) {
    size_t size = strnlen(text, 91);
    if (size <= 90) return (int)size;
    size = 90;
    while (size && ((unsigned char)text[size] & 0xC0) == 0x80) size--;
    return (int)size;
}

/* "5m" may be five metres or a product. */
static bool may_have_unit(const struct ps_answer *answer) {
    size_t size = strlen(answer->text);
    const char *unit, *last = answer->text + (size ? size - 1 : 0);
    return answer->kind == PS_ANSWER_EXPRESSION && size > 1 && !letter(last[-1]) &&
           ps_answer_unit(last, true, &unit) == 1;
}

/* Words that are no product of letters are not. */
static bool are_both_maths(const struct ps_answer *a, const struct ps_answer *b) {
    return (a->kind != PS_ANSWER_WORDS || a->bare) && (b->kind != PS_ANSWER_WORDS || b->bare);
}

/* Both as trees; decimals as in struct ps_tree_comparison. */
static enum ps_verdict compare_expressions(const struct ps_answer *gold,
                                           const struct ps_answer *answer, int decimals,
                                           char reason[256]) {
    struct ps_arena arena;
    struct ps_tree trees[2];
    struct ps_tree_comparison comparison = {.decimals = decimals};
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    ps_arena_init(&arena, 64 << 20);
    const char *problem = "out of memory";
    if (ps_answer_spells_number(gold->source) || ps_answer_spells_number(answer->source))
        problem = "a number in words";
    else if (ps_tree_parse(gold->source, &arena, &trees[0], NULL) != PS_OK ||
             ps_tree_parse(answer->source, &arena, &trees[1], NULL) != PS_OK)
        ;
    else if (!are_both_maths(gold, answer) && (trees[0].root || trees[1].root)) {
        truth = PS_TRUTH_NO;
        problem = "words and an expression";
    } else if (!trees[0].root || !trees[1].root)
        problem = trees[!!trees[0].root].problem;
    else if (may_have_unit(gold) != may_have_unit(answer))
        problem = "a letter that may be a unit";
    else if (trees[0].unit[0] && trees[1].unit[0] && strcmp(trees[0].unit, trees[1].unit) != 0)
        problem = "different units";
    else {
        truth = ps_trees_equal(&trees[0], &trees[1], &arena, &comparison);
        problem = comparison.how;
    }
    ps_arena_release(&arena);
    if (truth == PS_TRUTH_UNKNOWN)
        snprintf(reason, 256, "cannot tell whether \"%.*s\" is \"%.*s\": %s", shown(answer->text),
                 answer->text, shown(gold->text), gold->text, problem);
    else
        snprintf(reason, 256, "%s", problem);
    return truth == PS_TRUTH_YES  ? PS_VERDICT_CORRECT
           : truth == PS_TRUTH_NO ? PS_VERDICT_WRONG
                                  : PS_VERDICT_UNDECIDED;
}

enum ps_verdict ps_answer_compare(const struct ps_answer *gold, const struct ps_answer *answer,
                                  bool percent, char reason[256]) {
    enum ps_answer_kind g = gold->kind, a = answer->kind;
    if (a == PS_ANSWER_BROKEN) {
        snprintf(reason, 256, "the answer cannot be read: %s", answer->problem);
        return PS_VERDICT_UNDECIDED;
    }
    if (gold->name[0] && answer->name[0] && strcmp(gold->name, answer->name) != 0) {
        snprintf(reason, 256, "they name different things");
        return PS_VERDICT_UNDECIDED;
    }
    if (g == PS_ANSWER_NUMBER && a == PS_ANSWER_NUMBER)
        return compare_numbers(gold, answer, percent, reason);
    if (g != PS_ANSWER_NUMBER && a != PS_ANSWER_NUMBER && strcmp(gold->text, answer->text) == 0) {
        snprintf(reason, 256, "the same text");
        return PS_VERDICT_CORRECT;
    }
    if (g == PS_ANSWER_CHOICE && a == PS_ANSWER_EXPRESSION && strlen(answer->text) == 1 &&
        lower(answer->text[0]) == gold->text[0]) {
        snprintf(reason, 256, "the same choice");
        return PS_VERDICT_CORRECT;
    }
    if (g == PS_ANSWER_CHOICE && a == PS_ANSWER_CHOICE) {
        snprintf(reason, 256, "different choices");
        return PS_VERDICT_WRONG;
    }
    if (g == PS_ANSWER_WORDS && a == PS_ANSWER_WORDS) {
        /* outside \text{} "abc" and "cab" may be one product */
        if (gold->bare && answer->bare && same_letters(gold->text, answer->text)) {
            snprintf(reason, 256, "the same letters in another order");
            return PS_VERDICT_UNDECIDED;
        }
        snprintf(reason, 256, "different words");
        return PS_VERDICT_WRONG;
    }
    if ((g == PS_ANSWER_WORDS && a == PS_ANSWER_NUMBER) ||
        (g == PS_ANSWER_NUMBER && a == PS_ANSWER_WORDS)) {
        snprintf(reason, 256, "a number and words");
        return PS_VERDICT_WRONG;
    }
    return compare_expressions(gold, answer, gold->decimals, reason);
}

bool ps_answer_same(const struct ps_answer *a, const struct ps_answer *b) {
    char reason[256];
    if (a->kind == PS_ANSWER_BROKEN || b->kind == PS_ANSWER_BROKEN) return false;
    if (a->kind == PS_ANSWER_NUMBER && b->kind == PS_ANSWER_NUMBER)
        return mpq_equal(a->value, b->value);
    if (a->kind == b->kind && strcmp(a->text, b->text) == 0) return true;
    bool expression = a->kind == PS_ANSWER_EXPRESSION || b->kind == PS_ANSWER_EXPRESSION;
    return expression && compare_expressions(a, b, -1, reason) == PS_VERDICT_CORRECT;
}
