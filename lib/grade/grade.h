#pragma once
/* Math answers: find the committed answer in a model's output, read it, compare it with the gold.
 *
 * A wrong "correct" teaches a wrong trace and a wrong "wrong" removes a hard problem, so whatever
 * cannot be decided exactly is `undecided`, with the reason. Everything here is a pure function of
 * its arguments: no globals, no signals, no clock; budgets on bytes, digits, exponents and depth
 * bound the work. Safe to call from many threads. The only failure is PS_MEMORY.
 *
 * docs/grading.md describes the rules for a reader; tests/cases/grade shows them. */

#include "base/memory.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(enumerator suffix, name as stored and printed) */
#define PS_VERDICT_MAP(X)                                                                          \
    X(CORRECT, "correct")                                                                          \
    X(WRONG, "wrong")                                                                              \
    X(NO_ANSWER, "no_answer")             /* nothing was committed to */                           \
    X(TRUNCATED, "truncated")             /* cut by the token limit, whatever it contains */       \
    X(GOLD_UNREADABLE, "gold_unreadable") /* the data set's fault, not the model's */              \
    X(UNDECIDED, "undecided")             /* cannot be decided exactly, or over a budget */        \
    X(NO_GOLD, "no_gold")

enum ps_verdict {
#define X(suffix, name) PS_VERDICT_##suffix,
    PS_VERDICT_MAP(X)
#undef X
        PS_VERDICT_COUNT
};

const char *ps_verdict_name(enum ps_verdict verdict); /* static string */
bool ps_verdict_from_name(const char *name, enum ps_verdict *verdict);

/* What made a piece of the output the answer. */
#define PS_GRADE_RULE_MAP(X)                                                                       \
    X(NONE, "none")                                                                                \
    X(GIVEN, "given")             /* the text was handed over as the answer */                     \
    X(BOX, "box")                 /* \boxed{...}, \fbox{...} or \boxed 7 */                        \
    X(ANSWER_LINE, "answer_line") /* "the answer is ...", "Answer: ..." */                         \
    X(HASHES, "hashes")           /* "#### ..." */                                                 \
    X(BOLD, "bold")               /* **...** in the last line */                                   \
    X(WHOLE, "whole")             /* the reply is a number, a choice or maths, and nothing else */ \
    X(LAST_NUMBER, "last_number")

enum ps_grade_rule {
#define X(suffix, name) PS_GRADE_RULE_##suffix,
    PS_GRADE_RULE_MAP(X)
#undef X
        PS_GRADE_RULE_COUNT
};

const char *ps_grade_rule_name(enum ps_grade_rule rule); /* static string */

/* Bytes with a length, not owned; data == NULL means absent. */
struct ps_grade_text {
    const char *data;
    size_t size;
};
struct ps_grade_text ps_grade_text(const char *string); /* NULL stays absent */

/* How a data set's golds and answers are written. The shipped ones are found by name; a caller may
 * change a copy. */
struct ps_grade_profile {
    const char *name;
    bool gold_after_hashes; /* the gold is what stands behind the last "####", if there is one */
    bool number;            /* golds are numbers; any other gold is unreadable, and of an equation
                               in an answer the last member counts */
    bool integer_0_999;     /* golds are integers from 0 to 999 */
    bool choice;            /* golds are letters of multiple choice; a small letter is one, too */
    bool drop_nouns;        /* "18 eggs" is 18: plain words behind a number are dropped */
    bool letter_a_line;     /* "A: 18" at the start of a line is an answer line */
    bool last_number;       /* where nothing was committed to, take the last number written */
};

/* "gsm8k", "math", "aime", "choice", "plain", and each with "+last_number" behind it as
 * "gsm8k+last_number". Returns false when there is none of that name. */
bool ps_grade_profile(const char *name, struct ps_grade_profile *profile);

struct ps_extraction {
    enum ps_grade_rule rule;
    size_t begin, end; /* bytes [begin, end) of the output, trimmed; 0, 0 when rule is NONE */
    int boxes;         /* how many boxes are the answer: more than one are its list, and the bytes
                          then go from the first to behind the last; 0 for another rule */
};

/* The last committed answer behind the last </think>: the last balanced box, or the last few with
 * nothing but "and", "or" and commas between them; else the last explicit answer line. A line
 * behind the box that gives a choice letter beats it. Linear in the size; PS_MEMORY. */
enum ps_status ps_grade_extract(struct ps_grade_text output, const struct ps_grade_profile *profile,
                                struct ps_extraction *result, struct ps_error *error);

struct ps_grade_input {
    struct ps_grade_text gold;     /* absent: no_gold */
    struct ps_grade_text output;   /* the model's whole text, reasoning included */
    struct ps_grade_text question; /* may be absent; with a percent sign in it 50% is 0.5 */
    const char *finish_reason;     /* "length" makes it truncated; NULL or else: complete */
    bool answer_given;             /* output is the answer itself; nothing is extracted */
};

struct ps_grade {
    enum ps_verdict verdict;
    struct ps_extraction extraction;
    char *extracted; /* the answer in canonical form ("1/2", "east"), NULL without one */
    char reason[256];
};

/* Grades one output. The caller releases the result, also after a failure. explain may be NULL;
 * else each step is appended to it as a line, as far as its limit goes. */
enum ps_status ps_grade(const struct ps_grade_input *input, const struct ps_grade_profile *profile,
                        struct ps_grade *result, struct ps_buffer *explain, struct ps_error *error);
void ps_grade_release(struct ps_grade *result);

/* Groups answers by equality for a majority vote: group[i] is the index of the first answer equal
 * to answers[i], or -1 where answers[i] is absent. An equivalence relation: units do not count and
 * nothing is rounded. count comparisons against each group. */
enum ps_status ps_grade_groups(const struct ps_grade_text *answers, size_t count,
                               const struct ps_grade_profile *profile, int32_t *group,
                               struct ps_error *error);

/* Changes whenever any verdict, rule, span or canonical form may; stored with each verdict. */
const char *ps_grade_version(void);
