/* The declared list of what may stand behind a number without being part of it.
 *
 * A unit is stripped when only one of two answers has one ("5 cm" is 5); when both have one they
 * must be the same (5 cents are not 5 dollars). Names match on word boundaries, so that no unit is
 * found inside another word. Single letters are units only inside \text{}: in maths they are
 * variables. Lengths, masses, volumes, times and money know what they are in one of their kind, so
 * that 100 cm are 1 m. */
#include "grade/answer_internal.h"

#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    const char *words; /* separated by spaces */
    bool in_text_only;
    char dimension;             /* 0: not converted */
    unsigned long above, below; /* of the dimension's own unit */
};

static const struct unit units[] = {
    {"percent", "% percent pct percents", false, 0, 0, 0},
    {"degree Celsius", "°C °celsius celsius", false, 0, 0, 0},
    {"degree Fahrenheit", "°F °fahrenheit fahrenheit", false, 0, 0, 0},
    {"degree", "° degrees degree deg", false, 0, 0, 0},
    {"dollar", "$ dollars dollar USD usd bucks", false, '$', 100, 1},
    {"cent", "¢ cents cent", false, '$', 1, 1},
    {"euro", "€ euros euro EUR", false, 0, 0, 0},
    {"pound sterling", "£ GBP", false, 0, 0, 0},
    {"yen", "¥ yen", false, 0, 0, 0},
    {"rupee", "₹ rupees rupee", false, 0, 0, 0},
    {"millimeter", "millimeters millimeter millimetres millimetre mm", false, 'l', 1, 1000},
    {"centimeter", "centimeters centimeter centimetres centimetre cm", false, 'l', 1, 100},
    {"meter", "meters meter metres metre", false, 'l', 1, 1},
    {"meter", "m", true, 'l', 1, 1},
    {"kilometer", "kilometers kilometer kilometres kilometre km", false, 'l', 1000, 1},
    {"inch", "inches inch", false, 'f', 1, 1},
    {"inch", "in", false, 'f', 1, 1},
    {"foot", "feet foot ft", false, 'f', 12, 1},
    {"yard", "yards yard yd", false, 'f', 36, 1},
    {"mile", "miles mile mi", false, 'f', 63360, 1},
    {"milligram", "milligrams milligram mg", false, 'g', 1, 1000},
    {"gram", "grams gram", false, 'g', 1, 1},
    {"gram", "g", true, 'g', 1, 1},
    {"kilogram", "kilograms kilogram kg", false, 'g', 1000, 1},
    {"pound", "pounds pound lbs lb", false, 'p', 16, 1},
    {"ounce", "ounces ounce oz", false, 'p', 1, 1},
    {"ton", "tons ton tonnes tonne", false, 0, 0, 0},
    {"second", "seconds second secs sec", false, 't', 1, 1},
    {"second", "s", true, 't', 1, 1},
    {"minute", "minutes minute mins", false, 't', 60, 1},
    {"minute", "min", false, 't', 60, 1},
    {"hour", "hours hour hrs hr", false, 't', 3600, 1},
    {"hour", "h", true, 't', 3600, 1},
    {"day", "days day", false, 't', 86400, 1},
    {"week", "weeks week", false, 't', 604800, 1},
    {"month", "months month", false, 'm', 1, 1},
    {"year", "years year yrs yr", false, 'm', 12, 1},
    {"milliliter", "milliliters milliliter millilitres millilitre mL ml", false, 'v', 1, 1000},
    {"liter", "liters liter litres litre", false, 'v', 1, 1},
    {"liter", "L l", true, 'v', 1, 1},
    {"gallon", "gallons gallon gal", false, 'q', 16, 1},
    {"quart", "quarts quart", false, 'q', 4, 1},
    {"pint", "pints pint", false, 'q', 2, 1},
    {"cup", "cups cup", false, 'q', 1, 1},
    {"tablespoon", "tablespoons tablespoon", false, 0, 0, 0},
    {"teaspoon", "teaspoons teaspoon", false, 0, 0, 0},
    {"mile/hour", "mph", false, 0, 0, 0},
    {"kilometer/hour", "kph kmph", false, 0, 0, 0},
    {"radian", "radians radian rad", false, 0, 0, 0},
    {"unit", "units unit", false, 0, 0, 0},
    {"kilometer/hour", "kmh", false, 0, 0, 0},
    {"person", "people persons person", false, 0, 0, 0},
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

bool ps_answer_convert(const char *from, const char *to, mpq_t value) {
    const struct unit *known[2] = {NULL, NULL};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i].name, from) == 0) known[0] = &units[i];
        if (strcmp(units[i].name, to) == 0) known[1] = &units[i];
    }
    if (!known[0] || !known[1] || !known[0]->dimension ||
        known[0]->dimension != known[1]->dimension)
        return false;
    mpq_t factor;
    mpq_init(factor);
    mpq_set_ui(factor, known[0]->above * known[1]->below, known[0]->below * known[1]->above);
    mpq_canonicalize(factor);
    mpq_mul(value, value, factor);
    mpq_clear(factor);
    return true;
}
