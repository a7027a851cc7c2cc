/* Reading a number exactly, as a rational (GMP).
 *
 *   answer    = [sign] [money] [sign] magnitude [unit]
 *   magnitude = fraction | decimal [ "/" decimal | mixed part | exponent ]
 *   fraction  = "\frac{" signed "}{" signed "}"       signed may hold fractions again
 *   mixed     = integer "\frac{a}{b}" | integer " " a "/" b      with 0 <= a < b
 *   decimal   = digits, groups of three after commas or not, ["." digits] | "." digits
 *   exponent  = ("e" | "\times 10^" | "\cdot 10^" ...) integer
 *
 * "1,234" is a number and "1,23" is not: a comma between other groups makes a list. An improper
 * mixed form ("2\frac{3}{2}") is not read, since it may mean a product. Digits, exponent and depth
 * are bounded before GMP sees them. */
#include "grade/answer_internal.h"

#include <stdlib.h>
#include <string.h>

struct scan {
    const char *p;
    bool in_text;
    int decimals; /* of the last decimal; -1 once anything was divided */
    const char *problem;
};

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip(struct scan *s) {
    for (;; s->p++) {
        if (*s->p == PS_TEXT_BEGIN)
            s->in_text = true;
        else if (*s->p == PS_TEXT_END)
            s->in_text = false;
        else if (*s->p != ' ')
            return;
    }
}

static bool accept(struct scan *s, const char *literal) {
    skip(s);
    size_t size = strlen(literal);
    if (strncmp(s->p, literal, size) != 0) return false;
    s->p += size;
    return true;
}

static bool sign(struct scan *s, bool *negative) {
    skip(s);
    if (*s->p != '-' && *s->p != '+') return false;
    *negative ^= *s->p++ == '-';
    return true;
}

/* Collects the digits of groups of three behind commas; the first group is in place already. */
static bool groups(struct scan *s, char *digits, size_t *count) {
    while (*s->p == ',' && digit(s->p[1]) && digit(s->p[2]) && digit(s->p[3]) && !digit(s->p[4])) {
        if (*count + 3 > PS_ANSWER_DIGITS) return false;
        memcpy(digits + *count, s->p + 1, 3);
        *count += 3;
        s->p += 4;
    }
    return true;
}

/* An unsigned decimal; *integer: it has no point. */
static bool decimal(struct scan *s, mpq_t value, bool *integer) {
    char digits[PS_ANSWER_DIGITS + 2];
    size_t count = 0, behind = 0;
    const char *start = s->p;
    while (digit(*s->p) && count <= PS_ANSWER_DIGITS) digits[count++] = *s->p++;
    bool fits = count <= PS_ANSWER_DIGITS;
    if (count && count <= 3 && *start != '0') fits = groups(s, digits, &count);
    *integer = true;
    if (fits && *s->p == '.' && digit(s->p[1])) {
        *integer = false;
        s->p++;
        while (digit(*s->p) && count + 1 <= PS_ANSWER_DIGITS + 1) {
            digits[count++] = *s->p++;
            behind++;
        }
        fits = count <= PS_ANSWER_DIGITS;
    }
    if (!fits) s->problem = "a number of more than 1000 digits";
    if (!fits || !count) return false;
    digits[count] = 0;
    mpz_set_str(mpq_numref(value), digits, 10);
    mpz_ui_pow_ui(mpq_denref(value), 10, behind);
    mpq_canonicalize(value);
    s->decimals = (int)behind;
    return true;
}

static bool braced(struct scan *s, mpq_t value, int depth);

static bool fraction(struct scan *s, mpq_t value, int depth) {
    mpq_t below;
    mpq_init(below);
    bool ok = braced(s, value, depth) && braced(s, below, depth) && mpq_sgn(below) != 0;
    if (ok) mpq_div(value, value, below);
    mpq_clear(below);
    s->decimals = -1;
    return ok;
}

static bool braced(struct scan *s, mpq_t value, int depth) {
    bool negative = false, integer;
    if (depth >= PS_ANSWER_FRACTIONS) {
        s->problem = "fractions nested too deeply";
        return false;
    }
    if (!accept(s, "{")) return false;
    sign(s, &negative);
    if (accept(s, "\\frac")) {
        if (!fraction(s, value, depth + 1)) return false;
    } else if (!decimal(s, value, &integer)) {
        return false;
    }
    if (negative) mpq_neg(value, value);
    return accept(s, "}");
}

/* The proper fraction behind an integer: false and nothing consumed when there is none. */
static bool mixed_part(struct scan *s, mpq_t value) {
    struct scan kept = *s;
    bool integer, spaced = *s->p == ' ';
    mpq_t part, below;
    mpq_inits(part, below, NULL);
    bool ok = false;
    if (accept(s, "\\frac")) {
        ok = fraction(s, part, 0);
    } else if (spaced) {
        skip(s);
        ok = decimal(s, part, &integer) && integer && *s->p == '/';
        if (ok) s->p++;
        ok = ok && decimal(s, below, &integer) && integer && mpq_sgn(below) != 0;
        if (ok) mpq_div(part, part, below);
    }
    ok = ok && mpq_sgn(part) >= 0 && mpz_cmp(mpq_numref(part), mpq_denref(part)) < 0;
    if (ok)
        mpq_add(value, value, part);
    else
        *s = kept;
    if (ok) s->decimals = -1;
    mpq_clears(part, below, NULL);
    return ok;
}

/* "e5", "\times 10^{5}" and the like: false and nothing consumed when there is none. */
static bool exponent(struct scan *s, mpq_t value) {
    static const char *const times[] = {"\\times", "\\cdot", "*", "x"};
    struct scan kept = *s;
    bool negative = false, found = false, brace = false;
    if ((*s->p == 'e' || *s->p == 'E') && (digit(s->p[1]) || (s->p[1] && digit(s->p[2])))) {
        s->p++;
        found = true;
    }
    for (int i = 0; i < 4 && !found; i++)
        if (accept(s, times[i])) found = brace = accept(s, "10^{") || (*s = kept, false);
    if (!found) {
        *s = kept;
        return false;
    }
    sign(s, &negative);
    const char *start = s->p;
    unsigned long power = 0;
    while (digit(*s->p)) {
        if (power <= PS_ANSWER_EXPONENT) power = power * 10 + (unsigned long)(*s->p - '0');
        s->p++;
    }
    if (s->p == start || (brace && !accept(s, "}"))) {
        *s = kept;
        return false;
    }
    if (power > PS_ANSWER_EXPONENT) {
        s->problem = "an exponent above 1000";
        return false;
    }
    mpz_t scale;
    mpz_init(scale);
    mpz_ui_pow_ui(scale, 10, power);
    if (negative)
        mpz_mul(mpq_denref(value), mpq_denref(value), scale);
    else
        mpz_mul(mpq_numref(value), mpq_numref(value), scale);
    mpz_clear(scale);
    mpq_canonicalize(value);
    s->decimals += negative ? (int)power : -(int)power;
    if (s->decimals < 0) s->decimals = 0;
    return true;
}

static bool magnitude(struct scan *s, mpq_t value) {
    bool integer, whole;
    if (accept(s, "\\frac")) return fraction(s, value, 0);
    if (!decimal(s, value, &integer)) return false;
    if (integer && mixed_part(s, value)) return true;
    if (exponent(s, value) || s->problem) return !s->problem;
    struct scan kept = *s;
    if (!accept(s, "/")) {
        *s = kept;
        return true;
    }
    skip(s);
    mpq_t below;
    mpq_init(below);
    bool ok = decimal(s, below, &whole);
    if (!ok && !s->problem)
        *s = kept; /* "5/day": the slash belongs to the unit */
    else
        ok = ok && mpq_sgn(below) != 0;
    if (ok) mpq_div(value, value, below);
    if (ok) s->decimals = -1;
    bool undone = s->p == kept.p;
    mpq_clear(below);
    return ok || undone;
}

static bool append(char unit[PS_ANSWER_UNIT], const char *more) {
    size_t used = strlen(unit), size = strlen(more);
    if (size >= PS_ANSWER_UNIT - used) return false;
    memcpy(unit + used, more, size + 1);
    return true;
}

/* One unit with its power: "square meters", "cm^{2}", "sq. ft", "inches squared". */
static bool powered_unit(struct scan *s, char unit[PS_ANSWER_UNIT]) {
    static const struct {
        const char *word, *power;
    } before[] = {{"square ", "^2"},
                  {"sq. ", "^2"},
                  {"sq ", "^2"},
                  {"cubic ", "^3"},
                  {"cu ", "^3"}},
      after[] = {{"^{2}", "^2"}, {"^{3}", "^3"}, {"squared", "^2"}, {"cubed", "^3"}};
    const char *power = "", *name;
    skip(s);
    for (int i = 0; i < 5; i++) {
        size_t size = strlen(before[i].word);
        if (strncmp(s->p, before[i].word, size) != 0) continue;
        s->p += size;
        power = before[i].power;
        break;
    }
    skip(s);
    size_t size = ps_answer_unit(s->p, s->in_text, &name);
    if (!size) return false;
    s->p += size;
    struct scan kept = *s;
    if (strcmp(name, "degree") == 0) { /* "20^\circ\text{C}" */
        skip(s);
        bool celsius = *s->p == 'C', alone = *s->p && strchr("CF", *s->p) && !letter(s->p[1]);
        if (alone) {
            s->p++;
            return append(unit, celsius ? "degree Celsius" : "degree Fahrenheit");
        }
        *s = kept;
    }
    for (int i = 0; i < 4 && !*power; i++)
        if (accept(s, after[i].word)) power = after[i].power;
    if (!*power) *s = kept;
    return append(unit, name) && append(unit, power);
}

/* "\frac{\text{m}}{\\text{s}}" */
static bool unit_fraction(struct scan *s, char unit[PS_ANSWER_UNIT]) {
    return accept(s, "\\frac") && accept(s, "{") && powered_unit(s, unit) && accept(s, "}") &&
           accept(s, "{") && append(unit, "/") && powered_unit(s, unit) && accept(s, "}");
}

static bool unit_suffix(struct scan *s, char unit[PS_ANSWER_UNIT]) {
    struct scan kept = *s;
    if (unit_fraction(s, unit)) return true;
    *s = kept;
    unit[0] = 0;
    if (!powered_unit(s, unit)) {
        *s = kept;
        unit[0] = 0;
        return false;
    }
    kept = *s;
    if (accept(s, "/") || accept(s, "per ") || accept(s, "an ") || accept(s, "a ")) {
        if (append(unit, "/") && powered_unit(s, unit)) return true;
        *s = kept;
        *strchr(unit, '/') = 0;
    }
    return true;
}

size_t ps_answer_units(const char *text, char unit[PS_ANSWER_UNIT]) {
    struct scan s = {.p = text};
    unit[0] = 0;
    return unit_suffix(&s, unit) ? (size_t)(s.p - text) : 0;
}

/* "5th", "5^{\text{th}}" of a whole number; it is left as the number. */
static void ordinal(struct scan *s, const mpq_t value) {
    static const char *const endings[] = {"st", "nd", "rd", "th"};
    struct scan kept = *s;
    bool brace = accept(s, "^{");
    if (!brace && *s->p == ' ') return;
    skip(s);
    for (int i = 0; i < 4 && mpz_cmp_ui(mpq_denref(value), 1) == 0; i++) {
        if (strncmp(s->p, endings[i], 2) != 0 || letter(s->p[2])) continue;
        s->p += 2;
        skip(s);
        if (!brace || accept(s, "}")) return;
    }
    *s = kept;
}

/* Scales ("million"), units and nouns; false where what stands there is none of them. */
static bool behind_magnitude(struct scan *s, struct ps_answer *answer) {
    unsigned long scale;
    size_t size;
    while ((size = ps_answer_scale(s->p, &scale)) > 0) {
        mpz_t factor;
        mpz_init_set_ui(factor, scale);
        mpz_mul(mpq_numref(answer->value), mpq_numref(answer->value), factor);
        mpq_canonicalize(answer->value);
        mpz_clear(factor);
        s->p += size;
        s->decimals = s->decimals > 0 ? 0 : s->decimals;
        if (mpz_sizeinbase(mpq_numref(answer->value), 10) > 2 * PS_ANSWER_DIGITS) return false;
    }
    ordinal(s, answer->value);
    struct scan kept = *s;
    if (!unit_suffix(s, answer->unit)) {
        *s = kept;
        if (accept(s, "per ")) {
            append(answer->unit, "/");
            s->p--; /* a noun stands behind a space */
        } else {
            *s = kept;
        }
        size = ps_answer_nouns(s->p, answer->unit);
        s->p += size;
        if (!size) {
            *s = kept;
            answer->unit[0] = 0;
        }
    }
    skip(s);
    if (accept(s, "old")) skip(s);
    return true;
}

/* A number in words with a unit or nothing behind it. */
static bool spelled(const char *text, struct ps_answer *answer) {
    unsigned long value;
    struct scan s = {.p = text};
    size_t size = ps_answer_spelled(text, &value);
    if (!size) return false;
    mpq_set_ui(answer->value, value, 1);
    s.p += size;
    unit_suffix(&s, answer->unit);
    skip(&s);
    if (*s.p) answer->unit[0] = 0;
    return !*s.p;
}

bool ps_answer_number(const char *text, const struct ps_grade_profile *profile,
                      struct ps_answer *answer, const char **problem) {
    struct scan s = {.p = text};
    bool negative = false, bracket = false;
    char before[PS_ANSWER_UNIT] = "";
    const char *name;
    if (spelled(text, answer)) return true;
    if (accept(&s, "(")) bracket = true;
    if (!sign(&s, &negative)) skip(&s);
    if (strncmp(s.p, "US$", 3) == 0) s.p += 2;
    static const char *const money[] = {"dollar", "euro", "pound sterling", "yen", "rupee"};
    size_t size = ps_answer_unit(s.p, false, &name);
    for (size_t i = 0; i < 5 && size; i++) {
        if (strcmp(name, money[i]) != 0) continue;
        s.p += size;
        append(before, name);
        if (!negative) sign(&s, &negative);
        break;
    }
    skip(&s);
    if (!magnitude(&s, answer->value)) {
        *problem = s.problem;
        return false;
    }
    if (bracket && (!accept(&s, ")") || memchr(text, ',', (size_t)(s.p - text)))) return false;
    if (!behind_magnitude(&s, answer)) return false;
    if (*s.p && !(profile->drop_nouns && ps_answer_only_nouns(s.p))) return false;
    if (before[0] && answer->unit[0] == '/') { /* "$5 per hour" */
        char per[PS_ANSWER_UNIT];
        memcpy(per, answer->unit, sizeof per);
        answer->unit[0] = 0;
        if (!append(answer->unit, before) || !append(answer->unit, per)) return false;
    } else if (before[0] && answer->unit[0] && strcmp(before, answer->unit) != 0) {
        if (strncmp(before, answer->unit, strlen(before)) != 0) return false; /* "$5 percent" */
    }
    if (!answer->unit[0]) append(answer->unit, before);
    if (negative) mpq_neg(answer->value, answer->value);
    answer->decimals = s.decimals;
    return true;
}
