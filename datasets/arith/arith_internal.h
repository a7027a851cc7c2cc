#pragma once
/* What the files of the generator share. See story.c for how it works. */

#include "datasets/datasets.h"

/* What a clause does to the running value v with its numbers a and b. */
enum ps_arith_operation {
    PS_ARITH_SET,      /* v = a; no step */
    PS_ARITH_GROUPS,   /* v = a * b */
    PS_ARITH_ADD,      /* v + a */
    PS_ARITH_SUBTRACT, /* v - a */
    PS_ARITH_DOUBLE,   /* v * 2, not written as a number */
    PS_ARITH_MULTIPLY, /* v * a */
    PS_ARITH_HALVE,    /* v / 2, not written as a number */
    PS_ARITH_THIRD,    /* v / 3, not written as a number */
    PS_ARITH_DIVIDE,   /* v / a, without remainder */
    PS_ARITH_GOAL,     /* a - v */
    PS_ARITH_ASK,      /* asks for v; no step */
};

enum { PS_ARITH_WORDINGS = 3 };

/* Placeholders of a text: {a} {b} numbers, {N} who the story is about, {p} {P} "she" "She",
 * {h} "her" (his), {m} "her" (him), {M} somebody else, {o} what is counted, {t} the theme's thing.
 */
struct ps_arith_clause {
    const char *key; /* names it in a skeleton */
    enum ps_arith_operation operation;
    struct {
        const char *text, *note;   /* note: what the working says before the sum */
    } wordings[PS_ARITH_WORDINGS]; /* NULL text: fewer wordings */
};

struct ps_arith_theme {
    const char *name;
    const char *const *objects, *const *things;           /* ended by NULL; things may be NULL */
    const struct ps_arith_clause *opening, *groups, *ask; /* SET, GROUPS and ASK */
    const struct ps_arith_clause *middles, *closings;     /* ended by key NULL */
};

extern const struct ps_arith_theme ps_arith_themes[];
extern const size_t ps_arith_theme_count;

/* A stream of random numbers: position `counter` of Philox under `key`. */
struct ps_arith_draw {
    uint64_t key, counter;
};
uint32_t ps_arith_below(struct ps_arith_draw *draw, uint32_t bound);
uint32_t ps_arith_between(struct ps_arith_draw *draw, uint32_t low, uint32_t high);

/* Draws a and b so that v stays a small positive whole number, and gives the new value. False: no
 * number fits (v is odd and is to be halved). closing: the result may be larger. */
struct ps_arith_step {
    enum ps_arith_operation operation;
    uint32_t before, a, b, after;
};
bool ps_arith_step(struct ps_arith_draw *draw, enum ps_arith_operation operation, uint32_t value,
                   bool closing, struct ps_arith_step *step);

/* Appends "12 + 7 = 19". */
bool ps_arith_equation(struct ps_buffer *buffer, const struct ps_arith_step *step);

/* A story of `steps` sums. key: the skeleton, "farm:has,born,sells,pens". held_out: take only
 * skeletons kept for tests, or only the others. */
bool ps_arith_story(struct ps_arith_draw *draw, uint32_t steps, bool held_out,
                    struct ps_buffer *question, struct ps_buffer *solution,
                    struct ps_buffer *skeleton, uint32_t *gold);
bool ps_arith_chain(struct ps_arith_draw *draw, uint32_t steps, struct ps_buffer *question,
                    struct ps_buffer *solution, struct ps_buffer *skeleton, uint32_t *gold);

/* Whether stories of this skeleton are kept for arith/test. */
bool ps_arith_held_out(const char *skeleton);
