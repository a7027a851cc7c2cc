/* The declared list of what may stand behind a number without being part of it.
 *
 * A unit is stripped when only one of two answers has one ("5 cm" is 5); when both have one they
 * must be the same (5 cents are not 5 dollars). Names match on word boundaries, so that no unit is
 * found inside another word. Single letters are units only inside \text{}: in maths they are
 * variables. Numbers in words and words that change a number ("dozen", "million") are in no list of
 * units; they keep a text from being read as a number. */
#include "grade/answer_internal.h"

#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    const char *words; /* separated by spaces */
    bool in_text_only;
};

static const struct unit units[] = {
    {"percent", "% percent pct percents", false},
    {"degree", "° degrees degree deg", false},
    {"dollar", "$ dollars dollar USD usd bucks", false},
    {"cent", "¢ cents cent", false},
    {"euro", "€ euros euro EUR", false},
    {"pound sterling", "£ GBP", false},
    {"yen", "¥ yen", false},
    {"rupee", "₹ rupees rupee", false},
    {"millimeter", "millimeters millimeter millimetres millimetre mm", false},
    {"centimeter", "centimeters centimeter centimetres centimetre cm", false},
    {"meter", "meters meter metres metre", false},
    {"meter", "m", true},
    {"kilometer", "kilometers kilometer kilometres kilometre km", false},
    {"inch", "inches inch", false},
    {"inch", "in", true},
    {"foot", "feet foot ft", false},
    {"yard", "yards yard yd", false},
    {"mile", "miles mile mi", false},
    {"milligram", "milligrams milligram mg", false},
    {"gram", "grams gram", false},
    {"gram", "g", true},
    {"kilogram", "kilograms kilogram kg", false},
    {"pound", "pounds pound lbs lb", false},
    {"ounce", "ounces ounce oz", false},
    {"ton", "tons ton tonnes tonne", false},
    {"second", "seconds second secs sec", false},
    {"second", "s", true},
    {"minute", "minutes minute mins", false},
    {"minute", "min", true},
    {"hour", "hours hour hrs hr", false},
    {"hour", "h", true},
    {"day", "days day", false},
    {"week", "weeks week", false},
    {"month", "months month", false},
    {"year", "years year yrs yr", false},
    {"milliliter", "milliliters milliliter millilitres millilitre mL ml", false},
    {"liter", "liters liter litres litre", false},
    {"liter", "L l", true},
    {"gallon", "gallons gallon gal", false},
    {"quart", "quarts quart", false},
    {"pint", "pints pint", false},
    {"cup", "cups cup", false},
    {"tablespoon", "tablespoons tablespoon", false},
    {"teaspoon", "teaspoons teaspoon", false},
    {"mile/hour", "mph", false},
    {"kilometer/hour", "kph kmph", false},
    {"radian", "radians radian rad", false},
    {"unit", "units unit", false},
    {"person", "people persons person", false},
};

static bool word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Bytes of s that spell the word, with a boundary behind it; 0 when s does not begin with it. */
static size_t match(const char *s, const char *word, size_t size) {
    if (strncmp(s, word, size) != 0) { /* "Dollars" at the start of an answer */
        if (size < 3 || strncasecmp(s, word, size) != 0) return 0;
    }
    return word_byte(word[size - 1]) && word_byte(s[size]) ? 0 : size;
}

size_t ps_answer_unit(const char *s, bool in_text, const char **name) {
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].in_text_only && !in_text) continue;
        for (const char *word = units[i].words; *word;) {
            size_t size = strcspn(word, " ");
            size_t found = match(s, word, size);
            if (found) {
                *name = units[i].name;
                return found;
            }
            word += size + (word[size] == ' ');
        }
    }
    return 0;
}

/* Words that make another number of the one before them, or go on with a sentence about it. */
static const char *const changing[] = {
    "hundred",  "hundreds",  "thousand", "thousands", "million", "millions", "billion", "billions",
    "trillion", "trillions", "dozen",    "dozens",    "score",   "squared",  "cubed",   "factorial",
    "half",     "halves",    "third",    "thirds",    "quarter", "quarters", "fourth",  "fourths",
    "fifth",    "fifths",    "tenth",    "tenths",    "percent", "pair",     "pairs",   "times",
    "plus",     "minus",     "divided",  "over",      "more",    "less",     "fewer",   "than",
    "and",      "or",        "to",       "of",        "out",     "not",      "point",   "remainder",
    "mod",      "from",      "but",      "choose",    "through", "between",  "power",   "root",
    "is",       "are",       "was",      "were",      "twice",   "double",   "triple",  "by",
    "if",       "because",   "since",    "so",        "then",    "while",    "as",
};

static const char *const numerals[] = {
    "zero",    "one",       "two",      "three",    "four",    "five",     "six",      "seven",
    "eight",   "nine",      "ten",      "eleven",   "twelve",  "thirteen", "fourteen", "fifteen",
    "sixteen", "seventeen", "eighteen", "nineteen", "twenty",  "thirty",   "forty",    "fifty",
    "sixty",   "seventy",   "eighty",   "ninety",   "hundred", "thousand", "million",  "billion",
    "dozen",   "half",      "third",    "quarter",  "twice",   "once",     "none",     "single",
    "couple",  "nothing",   "infinity", "infinite",
};

static bool in_list(const char *word, size_t size, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == size && strncasecmp(list[i], word, size) == 0) return true;
    return false;
}

static bool plain_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool ps_answer_only_nouns(const char *s) {
    int words = 0;
    while (*s) {
        if (*s == ' ' || *s == PS_TEXT_BEGIN || *s == PS_TEXT_END) {
            s++;
            continue;
        }
        size_t size = 0;
        while (plain_letter(s[size]) || (size && (s[size] == '-' || s[size] == '\''))) size++;
        if (size < 2 || ++words > 4) return false;
        if (in_list(s, size, changing, sizeof changing / sizeof changing[0])) return false;
        if (in_list(s, size, numerals, sizeof numerals / sizeof numerals[0])) return false;
        s += size;
    }
    return words > 0;
}

bool ps_answer_spells_number(const char *s) {
    while (*s) {
        size_t size = 0;
        while (plain_letter(s[size])) size++;
        if (size && in_list(s, size, numerals, sizeof numerals / sizeof numerals[0])) return true;
        s += size ? size : 1;
    }
    return false;
}
