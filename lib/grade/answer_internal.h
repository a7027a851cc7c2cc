#pragma once
/* Inside lib/grade: an answer read into a form that can be compared. */

#include "grade/grade.h"

#include <gmp.h>

/* Budgets. GMP aborts when memory runs out, so everything that reaches it is bounded here. */
enum {
    PS_ANSWER_BYTES = 8192,    /* of an answer's text; a longer one is not read */
    PS_ANSWER_DEPTH = 64,      /* of nested braces */
    PS_ANSWER_FRACTIONS = 8,   /* of \frac within \frac */
    PS_ANSWER_DIGITS = 1000,   /* of one written number */
    PS_ANSWER_EXPONENT = 1000, /* of ten */
    PS_ANSWER_UNIT = 64,
};

enum ps_answer_kind {
    PS_ANSWER_EMPTY,
    PS_ANSWER_NUMBER,     /* value */
    PS_ANSWER_CHOICE,     /* text is one lower-case letter */
    PS_ANSWER_WORDS,      /* text is lower-case, without spaces */
    PS_ANSWER_TIME,       /* time; text as in "3:30 p.m." */
    PS_ANSWER_EXPRESSION, /* text is the normalised source: equal text is all that can be said */
    PS_ANSWER_BROKEN,     /* unbalanced braces, or over a budget; problem says which */
};

/* A time of the day as it is written. */
struct ps_time {
    int hour, minute, second;
    int half; /* 1: a.m., 2: p.m., 0: neither is said */
};

struct ps_answer {
    enum ps_answer_kind kind;
    char label;   /* the letter of a choice, alone or before what it stands for; else 0 */
    mpq_t value;  /* as written: of "50%" it is 50 */
    int decimals; /* digits behind the point, -1 for a fraction */
    char unit[PS_ANSWER_UNIT]; /* canonical unit ("percent", "meter^2"), "" without */
    char name[PS_ANSWER_UNIT]; /* of "x = 5" it is "x" */
    char *source;              /* the normalised text, "x = " included */
    char *text;                /* canonical form; for a number "n/d" in lowest terms */
    struct ps_time time;
    struct ps_answer *rounded; /* of "4\pi \approx 12.57" the second; or NULL */
    struct ps_answer *total;   /* of "m+n = 12" the second; or NULL */
    bool bare;                 /* words that stood outside \text{}: might be a product of letters */
    const char *problem;       /* why it is BROKEN; a static string */
};

/* Text-mode brackets in normalised text: the inside of \text{}, \mathrm{} and the like. */
enum { PS_TEXT_BEGIN = 1, PS_TEXT_END = 2 };

/* Writes LaTeX or plain maths in one normal form; see normal.c. *problem is set (and *out holds
 * something partial) where the text has no normal form. */
enum ps_status ps_answer_normalise(struct ps_grade_text text, struct ps_buffer *out,
                                   const char **problem, struct ps_error *error);

/* What a character of mathematics is in TeX, or NULL; the plain one of a raised or lowered one, or
 * 0 (characters.c). */
const char *ps_answer_character(int32_t point);
/* What a command without its backslash stands for: a space, "" for pure styling, TeX; NULL for one
 * that stays. */
const char *ps_answer_command(const char *name, size_t size);
char ps_answer_raised(int32_t point);
char ps_answer_lowered(int32_t point);

/* Reads [s, s + size) of normalised text as a number with an optional unit; false if it is none.
 * *problem is set where it is one that is over a budget. answer->value must be initialised. */
bool ps_answer_number(const char *s, const struct ps_grade_profile *profile,
                      struct ps_answer *answer, const char **problem);

/* Canonical name of the unit that stands at s, and its length in bytes; 0 when there is none.
 * in_text: inside \text{}, where single letters are units too. */
size_t ps_answer_unit(const char *s, bool in_text, const char **name);

/* The units that stand at s, as in "cm^{2}" or "miles per hour": how many bytes, 0 for none, and
 * their canonical name. */
size_t ps_answer_units(const char *s, char unit[PS_ANSWER_UNIT]);

/* Multiplies value so that what was in one unit is in the other; false where they do not measure
 * the same. */
bool ps_answer_convert(const char *from, const char *to, mpq_t value);

/* ---- words.c ---- */

bool ps_answer_are_words(const char *s, bool *bare);
/* Lower case without spaces, full stops and a leading article; the caller frees it, NULL without
 * memory. */
char *ps_answer_canonical_words(const char *s);
/* What words in canonical form are in TeX ("all real numbers"), or NULL. */
const char *ps_answer_words_as_maths(const char *canonical);
/* Of "Yes, because ..." the bytes of the word that answers; else 0. */
size_t ps_answer_plain_verdict(const char *s);
/* Whether plain words behind a number may be dropped: none changes what it says ("million"). */
bool ps_answer_only_nouns(const char *s);
/* The nouns that stand behind a number, to be told apart like units ("12 \text{ apples}"): appends
 * them without plurals, returns their bytes or 0. */
size_t ps_answer_nouns(const char *s, char unit[PS_ANSWER_UNIT]);
/* Whether some word of s spells a number ("five", "dozen"). */
bool ps_answer_spells_number(const char *s);
/* "million", "dozen": its bytes or 0. */
size_t ps_answer_scale(const char *s, unsigned long *value);
/* "one hundred twenty-five": its bytes or 0. */
size_t ps_answer_spelled(const char *s, unsigned long *value);

/* ---- choice.c ---- */

/* The letter of "(C)", "C.", "Option C" in lower case, else 0; small: also of a bare "c". */
char ps_answer_choice(const char *s, bool small);
/* Of "(C) 12" the bytes before 12, and the letter; 0 where there is no such letter. */
size_t ps_answer_labelled(const char *s, char *label);

/* ---- clock.c ---- */

bool ps_answer_time(const char *s, struct ps_time *time);
bool ps_answer_same_time(const struct ps_time *a, const struct ps_time *b);
void ps_answer_print_time(const struct ps_time *time, char text[32]);
/* "March 5, 2020" as "2020-03-05", "0000-03-05" without a year; false for what is no date. */
bool ps_answer_date(const char *s, char text[32]);

/* Reads an answer; ps_answer_release also after a failure. */
enum ps_status ps_answer_read(struct ps_grade_text text, const struct ps_grade_profile *profile,
                              struct ps_answer *answer, struct ps_error *error);
void ps_answer_release(struct ps_answer *answer);

/* Whether answer is what gold says; the reason goes to reason[256]. percent: the question has a
 * percent sign. CORRECT, WRONG or UNDECIDED. */
enum ps_verdict ps_answer_compare(const struct ps_answer *gold, const struct ps_answer *answer,
                                  bool percent, char reason[256]);

/* How many members a list or set has; 1 for anything else. */
size_t ps_answer_members(const struct ps_answer *answer);

/* The equivalence used for majority votes: no units, no names, no rounding. */
bool ps_answer_same(const struct ps_answer *a, const struct ps_answer *b);
