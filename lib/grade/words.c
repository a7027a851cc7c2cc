/* Text answers, numbers in words, and the nouns behind a number. */
#include "grade/parse_internal.h"

#include <string.h>
#include <strings.h>
#include <utf8proc.h>

static bool plain_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool in_list(const char *word, size_t size, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == size && strncasecmp(list[i], word, size) == 0) return true;
    return false;
}
#define IN_LIST(word, size, list) in_list(word, size, list, sizeof(list) / sizeof(list)[0])

static const char *skip_marks(const char *s) {
    while (*s == ' ' || *s == PS_TEXT_BEGIN || *s == PS_TEXT_END) s++;
    return s;
}

/* ---- words ---- */

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

/* "A and C": letters with words between them. */
static bool are_letters(const char *s) {
    for (s = skip_marks(s); *s; s = skip_marks(s)) {
        size_t size = 0;
        while (plain_letter(s[size])) size++;
        bool joint = (size == 3 && memcmp(s, "and", 3) == 0) || (size == 2 && !memcmp(s, "or", 2));
        if (size != 1 && !joint) return false;
        s += size;
    }
    return true;
}

/* Without \text{} around them a short word ("xy") is taken for a product of variables. */
bool ps_answer_are_words(const char *s, bool *bare) {
    size_t longest = 0, run = 0, count = 0;
    const char *begin = strchr(s, PS_TEXT_BEGIN);
    bool text = begin != NULL, hyphen = false;
    bool function = text && ps_parse_is_text_factor(begin) && strchr(begin, PS_TEXT_END);
    if (function || are_letters(s)) return false; /* \operatorname{tg} x */
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
    if (*bare && !strpbrk(s, "aeiouAEIOU") && longest < 5) return false; /* xyz */
    return count && (text || strcasecmp(s, "no") == 0 || longest >= (hyphen ? 4 : 3));
}

char *ps_answer_canonical_words(const char *s) {
    static const char *const articles[] = {"a", "an", "the"};
    char *out = ps_malloc(2 * strlen(s) + 8); /* lower case may take more bytes */
    if (!out) return NULL;
    s = skip_marks(s);
    size_t size = 0, first = 0;
    while (plain_letter(s[first])) first++;
    if (s[first] == ' ' && *skip_marks(s + first) && IN_LIST(s, first, articles)) s += first;
    while (*s) {
        utf8proc_int32_t point;
        if (next_letter(&s, &point) || point == '\'')
            size += (size_t)utf8proc_encode_char(utf8proc_tolower(point),
                                                 (utf8proc_uint8_t *)out + size);
    }
    out[size] = 0;
    if (strcmp(out, "nosolutions") == 0) out[size - 1] = 0;
    return out;
}

const char *ps_answer_words_as_maths(const char *canonical) {
    static const char *const known[][2] = {
        {"infinity", "\\infty"},           {"positiveinfinity", "\\infty"},
        {"negativeinfinity", "-\\infty"},  {"minusinfinity", "-\\infty"},
        {"allrealnumbers", "\\mathbb{R}"}, {"allreals", "\\mathbb{R}"},
        {"realnumbers", "\\mathbb{R}"},    {"emptyset", "\\emptyset"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i][0], canonical) == 0) return known[i][1];
    return NULL;
}

/* "Yes, because ...": the word alone, where its opposite is nowhere behind it. */
size_t ps_answer_plain_verdict(const char *s) {
    static const char *const pairs[][2] = {
        {"yes", "no"}, {"no", "yes"}, {"true", "false"}, {"false", "true"}};
    static const char *const breaks = ",.;:-";
    const char *word = skip_marks(s);
    size_t size = 0;
    while (plain_letter(word[size])) size++;
    const char *rest = skip_marks(word + size);
    if (!*rest || !strchr(breaks, *rest)) return 0;
    for (size_t i = 0; i < 4; i++) {
        size_t opposite = strlen(pairs[i][1]);
        if (strlen(pairs[i][0]) != size || strncasecmp(word, pairs[i][0], size) != 0) continue;
        for (const char *p = rest; *p; p++) {
            if (plain_letter(p[-1]) || strncasecmp(p, pairs[i][1], opposite) != 0) continue;
            if (!plain_letter(p[opposite])) return 0;
        }
        return (size_t)(word - s) + size;
    }
    return 0;
}

/* ---- nouns behind a number ---- */

/* Words that make another number of the one before them, or go on with a sentence about it. */
static const char *const changing[] = {
    "hundred",   "hundreds",  "thousand", "thousands", "million",  "millions",  "billion",
    "billions",  "trillion",  "dozen",    "dozens",    "score",    "gross",     "lakh",
    "crore",     "grand",     "myriad",   "squared",   "cubed",    "factorial", "half",
    "halves",    "third",     "thirds",   "quarter",   "quarters", "fourth",    "fourths",
    "fifth",     "fifths",    "sixth",    "sixths",    "seventh",  "eighth",    "eighths",
    "ninth",     "tenth",     "tenths",   "percent",   "pair",     "pairs",     "times",
    "plus",      "minus",     "divided",  "over",      "more",     "less",      "fewer",
    "than",      "and",       "or",       "to",        "of",       "out",       "not",
    "point",     "remainder", "mod",      "modulo",    "from",     "but",       "choose",
    "through",   "between",   "power",    "root",      "is",       "are",       "was",
    "were",      "twice",     "double",   "triple",    "by",       "if",        "because",
    "since",     "so",        "then",     "while",     "as",       "isn't",     "aren't",
    "wrong",     "incorrect", "false",    "maybe",     "perhaps",  "possibly",  "except",
    "without",   "nor",       "never",    "instead",   "unless",   "cannot",    "would",
    "could",     "should",    "when",     "where",     "until",    "base",      "repeating",
    "recurring", "doubled",   "tripled",  "choices",
};

/* Names that stand for variables, constants and functions when they are typed as words. */
static const char *const mathematical[] = {
    "alpha", "beta",  "gamma",  "delta",  "epsilon", "theta", "lambda", "sigma",  "omega",  "zeta",
    "kappa", "sinh",  "cosh",   "tanh",   "sqrt",    "cbrt",  "arcsin", "arccos", "arctan", "frac",
    "times", "infty", "degree", "choose", "floor",   "ceil",  "root",   "nCr",    "nPr",    "fact",
};

static const char *const numerals[] = {
    "zero",    "one",       "two",      "three",    "four",    "five",     "six",      "seven",
    "eight",   "nine",      "ten",      "eleven",   "twelve",  "thirteen", "fourteen", "fifteen",
    "sixteen", "seventeen", "eighteen", "nineteen", "twenty",  "thirty",   "forty",    "fifty",
    "sixty",   "seventy",   "eighty",   "ninety",   "hundred", "thousand", "million",  "billion",
    "dozen",   "half",      "third",    "quarter",  "twice",   "once",     "none",     "single",
    "couple",  "nothing",   "infinite",
};

/* The next word of nouns, from letters, hyphens and apostrophes; 0 where there is none. */
static size_t noun_at(const char *s, size_t shortest) {
    size_t size = 0;
    while (plain_letter(s[size]) || (size && (s[size] == '-' || s[size] == '\''))) size++;
    bool no = size < shortest || IN_LIST(s, size, changing) || IN_LIST(s, size, numerals);
    return no ? 0 : size;
}

bool ps_answer_only_nouns(const char *s) {
    int words = 0;
    for (s = skip_marks(s); *s; s = skip_marks(s)) {
        size_t size = noun_at(s, 2);
        if (!size || ++words > 4) return false;
        s += size;
    }
    return words > 0;
}

size_t ps_answer_nouns(const char *s, char unit[PS_ANSWER_UNIT]) {
    enum { SHORTEST = 4, SHORTEST_IN_TEXT = 3, MOST = 3 };
    const char *p = skip_marks(s), *mark = p;
    while (mark > s && mark[-1] != PS_TEXT_BEGIN && mark[-1] != PS_TEXT_END) mark--;
    bool text = mark > s && mark[-1] == PS_TEXT_BEGIN, apart = text || *s == ' ';
    size_t used = strlen(unit);
    int words = 0;
    if (!apart) return 0;
    for (; *p; p = skip_marks(p)) {
        size_t size = noun_at(p, text ? SHORTEST_IN_TEXT : SHORTEST);
        if (!size || ++words > MOST || IN_LIST(p, size, mathematical)) return 0;
        size_t kept = size - (size > 1 && (p[size - 1] == 's' || p[size - 1] == 'S'));
        if (used + kept + 2 > PS_ANSWER_UNIT) return 0;
        for (size_t i = 0; i < kept; i++)
            unit[used++] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
        unit[used] = 0;
        p += size;
    }
    return words ? (size_t)(p - s) : 0;
}

bool ps_answer_spells_number(const char *s) {
    for (const char *start = s; *s;) {
        size_t size = 0;
        while (plain_letter(s[size])) size++;
        bool base = s >= start + 3 && memcmp(s - 3, (char[]){'_', '{', PS_TEXT_BEGIN}, 3) == 0;
        if (size && !base && IN_LIST(s, size, numerals)) return true;
        s += size ? size : 1;
    }
    return false;
}

/* ---- numbers in words ---- */

static const struct {
    const char *word;
    unsigned long value;
} scales[] = {{"hundred", 100},        {"thousand", 1000},          {"million", 1000000},
              {"billion", 1000000000}, {"trillion", 1000000000000}, {"dozen", 12}};

size_t ps_answer_scale(const char *s, unsigned long *value) {
    const char *p = skip_marks(s);
    size_t size = 0;
    while (plain_letter(p[size])) size++;
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        if (strlen(scales[i].word) != size || strncasecmp(p, scales[i].word, size) != 0) continue;
        *value = scales[i].value;
        return (size_t)(p - s) + size;
    }
    return 0;
}

/* 0 to 19, and the tens; -1 for any other word. */
static int small_number(const char *word, size_t size) {
    for (int i = 0; i < 28; i++)
        if (strlen(numerals[i]) == size && strncasecmp(numerals[i], word, size) == 0)
            return i < 20 ? i : 20 + 10 * (i - 20);
    return -1;
}

/* total: what thousands and millions have closed; group: the number below a thousand that is
 * open. "seven five" is no number, "twenty-five" is. */
size_t ps_answer_spelled(const char *s, unsigned long *value) {
    unsigned long total = 0, group = 0, scale, last_scale = 1000000000000000;
    bool any = false, open = true; /* a smaller number may follow */
    const char *p = skip_marks(s), *end = s;
    for (;;) {
        size_t size = 0, scaled;
        while (plain_letter(p[size])) size++;
        int small = size ? small_number(p, size) : -1;
        if (small >= 0) {
            bool fits = open && (group % 100 == 0 ||
                                 (group % 10 == 0 && group % 100 >= 20 && small > 0 && small < 10));
            if (!fits || (any && small == 0)) return 0;
            group += (unsigned long)small;
            open = small >= 20;
            p += size;
        } else if (any && (scaled = ps_answer_scale(p, &scale)) > 0) {
            if (scale == 100 ? group == 0 || group >= 20 : scale >= last_scale) return 0;
            if (scale == 100) {
                group *= 100;
            } else {
                total += (group ? group : 1) * scale;
                group = 0;
                last_scale = scale;
            }
            open = true;
            p += scaled;
        } else if (any && size == 3 && strncasecmp(p, "and", 3) == 0 && open) {
            p = skip_marks(p + 3);
            size = 0;
            while (plain_letter(p[size])) size++;
            if (small_number(p, size) <= 0) break;
            continue;
        } else {
            break;
        }
        any = true;
        end = p;
        p = skip_marks(p);
        if (*p == '-' && p == end) p++;
    }
    *value = total + group;
    return any ? (size_t)(end - s) : 0;
}
