/* The grade of one output: names, profiles, golds, and the order in which verdicts are decided. */
#include "grade/grade.h"

#include "grade/answer_internal.h"
#include "grade/extract_internal.h"

#include <stdio.h>
#include <string.h>

#define VERSION "3"

static const char *const verdict_names[] = {
#define X(suffix, name) name,
    PS_VERDICT_MAP(X)
#undef X
};
static const char *const rule_names[] = {
#define X(suffix, name) name,
    PS_GRADE_RULE_MAP(X)
#undef X
};

const char *ps_verdict_name(enum ps_verdict verdict) {
    return (unsigned)verdict < PS_VERDICT_COUNT ? verdict_names[verdict] : "?";
}

bool ps_verdict_from_name(const char *name, enum ps_verdict *verdict) {
    for (int i = 0; i < PS_VERDICT_COUNT; i++) {
        if (strcmp(name, verdict_names[i]) != 0) continue;
        *verdict = (enum ps_verdict)i;
        return true;
    }
    return false;
}

const char *ps_grade_rule_name(enum ps_grade_rule rule) {
    return (unsigned)rule < PS_GRADE_RULE_COUNT ? rule_names[rule] : "?";
}

const char *ps_grade_version(void) {
    return VERSION;
}

struct ps_grade_text ps_grade_text(const char *string) {
    return (struct ps_grade_text){string, string ? strlen(string) : 0};
}

static const struct ps_grade_profile profiles[] = {
    {.name = "gsm8k",
     .gold_after_hashes = true,
     .number = true,
     .drop_nouns = true,
     .letter_a_line = true},
    {.name = "gsm8k+last_number",
     .gold_after_hashes = true,
     .number = true,
     .drop_nouns = true,
     .letter_a_line = true,
     .last_number = true},
    {.name = "math"},
    {.name = "math+last_number", .last_number = true},
    {.name = "aime", .number = true, .integer_0_999 = true},
    {.name = "aime+last_number", .number = true, .integer_0_999 = true, .last_number = true},
    {.name = "choice", .choice = true},
    {.name = "choice+last_number", .choice = true, .last_number = true},
    {.name = "plain"},
    {.name = "plain+last_number", .last_number = true},
};

bool ps_grade_profile(const char *name, struct ps_grade_profile *profile) {
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        if (strcmp(name, profiles[i].name) != 0) continue;
        *profile = profiles[i];
        return true;
    }
    return false;
}

enum ps_status ps_extract_is_number(struct ps_grade_text text,
                                    const struct ps_grade_profile *profile, bool *is,
                                    struct ps_error *error) {
    struct ps_answer answer;
    *is = false;
    if (text.size > 256) return PS_OK;
    enum ps_status status = ps_answer_read(text, profile, &answer, error);
    *is = status == PS_OK && answer.kind == PS_ANSWER_NUMBER;
    ps_answer_release(&answer);
    return status;
}

bool ps_extract_is_choice(struct ps_grade_text text) {
    int letters = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] >= 'A' && text.data[i] <= 'J')
            letters++;
        else if (!text.data[i] || !strchr(" ().*:$", text.data[i]))
            return false;
    }
    return letters == 1;
}

/* A text to be read, and where it comes from. */
struct found {
    struct ps_extraction extraction;
    struct ps_grade_text text; /* absent: nothing was found */
    struct ps_buffer joined;   /* owns the text of several boxes */
};

static void found_init(struct found *found) {
    *found = (struct found){.text = {NULL, 0}};
    ps_buffer_init(&found->joined, 1 << 20);
}

/* The text that an extraction from `from` points to. */
static enum ps_status set_found(struct found *found, struct ps_grade_text from,
                                const struct ps_extraction *e, struct ps_error *error) {
    found->extraction = *e;
    if (e->rule == PS_GRADE_RULE_NONE) return PS_OK;
    found->text = (struct ps_grade_text){from.data + e->begin, e->end - e->begin};
    if (e->boxes <= 1) return PS_OK;
    struct ps_boxes boxes;
    ps_extract_boxes(from.data, e->begin, e->end, &boxes);
    found->joined.size = 0;
    PS_FAIL_IF(!ps_extract_join(from.data, boxes.items, boxes.count, &found->joined), error,
               PS_MEMORY, "out of memory");
    found->text = (struct ps_grade_text){found->joined.data, found->joined.size};
    return PS_OK;
}

/* A text that is an answer as a whole, unless it holds a box: then that, as in a worked solution.
 */
static enum ps_status find_given(struct ps_grade_text text, const struct ps_grade_profile *profile,
                                 struct found *found, struct ps_error *error) {
    struct ps_extraction e;
    PS_TRY(ps_grade_extract(text, profile, &e, error));
    if (e.rule != PS_GRADE_RULE_BOX)
        e = (struct ps_extraction){PS_GRADE_RULE_GIVEN, 0, text.size, 0};
    e.rule = PS_GRADE_RULE_GIVEN;
    return set_found(found, text, &e, error);
}

/* The part of a data set's gold field that is the answer. */
static enum ps_status find_gold(struct ps_grade_text gold, const struct ps_grade_profile *profile,
                                struct found *found, struct ps_error *error) {
    if (!gold.data) return PS_OK;
    for (size_t i = profile->gold_after_hashes ? gold.size : 0; i-- > 0;) {
        if (gold.size - i < 4 || memcmp(gold.data + i, "####", 4) != 0) continue;
        found->text = (struct ps_grade_text){gold.data + i + 4, gold.size - i - 4};
        return PS_OK;
    }
    return find_given(gold, profile, found, error);
}

/* Why a gold cannot be used, or NULL. */
static const char *gold_problem(const struct ps_answer *gold,
                                const struct ps_grade_profile *profile) {
    if (gold->kind == PS_ANSWER_EMPTY) return "it is empty";
    if (gold->kind == PS_ANSWER_BROKEN) return gold->problem;
    if (profile->number && gold->kind != PS_ANSWER_NUMBER) return "it is not a number";
    if (profile->choice && !gold->label) return "it is no letter of a choice";
    if (profile->integer_0_999 && (mpz_cmp_ui(mpq_denref(gold->value), 1) != 0 ||
                                   mpq_sgn(gold->value) < 0 || mpq_cmp_ui(gold->value, 999, 1) > 0))
        return "it is not an integer from 0 to 999";
    return NULL;
}

static enum ps_status find_answer(const struct ps_grade_input *input,
                                  const struct ps_grade_profile *profile, struct found *found,
                                  struct ps_error *error) {
    struct ps_extraction e;
    if (input->answer_given) return find_given(input->output, profile, found, error);
    PS_TRY(ps_grade_extract(input->output, profile, &e, error));
    return set_found(found, input->output, &e, error);
}

static void decide(const struct ps_grade_input *input, const struct ps_grade_profile *profile,
                   const struct ps_answer *gold, struct ps_grade_text gold_bytes,
                   const struct ps_answer *answer, struct ps_grade_text answer_bytes,
                   struct ps_grade *result) {
    const char *problem = gold_problem(gold, profile);
    if (input->finish_reason && strcmp(input->finish_reason, "length") == 0) {
        result->verdict = PS_VERDICT_TRUNCATED;
        snprintf(result->reason, sizeof result->reason, "cut by the token limit");
    } else if (!input->gold.data) {
        result->verdict = PS_VERDICT_NO_GOLD;
        snprintf(result->reason, sizeof result->reason, "there is no gold");
    } else if (problem) {
        result->verdict = PS_VERDICT_GOLD_UNREADABLE;
        snprintf(result->reason, sizeof result->reason, "the gold cannot be used: %s", problem);
    } else if (result->extraction.rule == PS_GRADE_RULE_NONE || answer->kind == PS_ANSWER_EMPTY) {
        result->verdict = PS_VERDICT_NO_ANSWER;
        snprintf(result->reason, sizeof result->reason, "no answer was committed to");
    } else if (gold_bytes.size == answer_bytes.size && answer->kind != PS_ANSWER_BROKEN &&
               memcmp(gold_bytes.data, answer_bytes.data, gold_bytes.size) == 0) {
        result->verdict = PS_VERDICT_CORRECT;
        snprintf(result->reason, sizeof result->reason, "the same bytes");
    } else {
        bool percent =
            input->question.data && memchr(input->question.data, '%', input->question.size) != NULL;
        result->verdict = ps_answer_compare(gold, answer, percent, result->reason);
    }
}

/* What one grading holds. */
struct grading {
    const struct ps_grade_input *input;
    const struct ps_grade_profile *profile;
    struct found expected, output;
    struct ps_answer gold, answer;
};

/* Where the gold is a list of several, and the output has as many boxes with text between them:
 * these, in place of the last one alone. */
static enum ps_status try_parts(struct grading *g, struct ps_grade *result,
                                struct ps_error *error) {
    size_t count, from, to;
    struct ps_boxes boxes;
    bool box = result->extraction.rule == PS_GRADE_RULE_BOX && result->extraction.boxes == 1;
    bool failed = result->verdict == PS_VERDICT_WRONG || result->verdict == PS_VERDICT_UNDECIDED;
    if (!box || !failed || (count = ps_answer_members(&g->gold)) < 2) return PS_OK;
    ps_extract_committed(g->input->output, &from, &to);
    ps_extract_boxes(g->input->output.data, from, to, &boxes);
    if (!ps_extract_are_parts(g->input->output.data, &boxes, count)) return PS_OK;
    struct ps_extraction e = {PS_GRADE_RULE_BOX, boxes.items[0].outer, boxes.items[count - 1].stop,
                              (int)count};
    PS_TRY(set_found(&g->output, g->input->output, &e, error));
    ps_answer_release(&g->answer);
    PS_TRY(ps_answer_read(g->output.text, g->profile, &g->answer, error));
    result->extraction = e;
    decide(g->input, g->profile, &g->gold, g->expected.text, &g->answer, g->output.text, result);
    return PS_OK;
}

/* An answer line behind the box that says another number: which one counts nobody knows. */
static enum ps_status check_contradiction(struct grading *g, struct ps_grade *result,
                                          struct ps_error *error) {
    struct ps_extraction e;
    struct ps_answer later;
    char reason[256];
    if (result->verdict != PS_VERDICT_CORRECT || result->extraction.rule != PS_GRADE_RULE_BOX)
        return PS_OK;
    PS_TRY(ps_extract_line_behind(g->input->output, g->profile, result->extraction.end, &e, error));
    if (e.rule == PS_GRADE_RULE_NONE) return PS_OK;
    struct ps_grade_text text = {g->input->output.data + e.begin, e.end - e.begin};
    enum ps_status status = ps_answer_read(text, g->profile, &later, error);
    bool number = status == PS_OK && later.kind == PS_ANSWER_NUMBER;
    if (number && ps_answer_compare(&g->answer, &later, false, reason) == PS_VERDICT_WRONG) {
        result->verdict = PS_VERDICT_UNDECIDED;
        snprintf(result->reason, sizeof result->reason,
                 "the box is right, but an answer line behind it says %.60s", later.text);
    }
    ps_answer_release(&later);
    return status;
}

/* ---- explanations ---- */

/* At most so many bytes of a text, whole characters, line breaks as spaces. */
static bool quote(struct ps_buffer *out, struct ps_grade_text text) {
    enum { SHOWN = 200 };
    size_t size = text.size > SHOWN ? SHOWN : text.size;
    while (size < text.size && size && ((unsigned char)text.data[size] & 0xC0) == 0x80) size--;
    bool fits = ps_buffer_puts(out, "\"");
    for (size_t i = 0; fits && i < size; i++) {
        char c = text.data[i];
        fits = ps_buffer_append(out, (unsigned char)c < ' ' ? " " : &c, 1);
    }
    return fits && ps_buffer_puts(out, size < text.size ? "...\"" : "\"");
}

static bool explain_reading(struct ps_buffer *out, const char *what, const struct found *found,
                            const struct ps_answer *answer) {
    static const char *const kinds[] = {
        [PS_ANSWER_EMPTY] = "as nothing",      [PS_ANSWER_NUMBER] = "as the number ",
        [PS_ANSWER_CHOICE] = "as the choice ", [PS_ANSWER_WORDS] = "as the words ",
        [PS_ANSWER_TIME] = "as the time ",     [PS_ANSWER_EXPRESSION] = "as the expression ",
        [PS_ANSWER_BROKEN] = "not at all"};
    bool fits = ps_buffer_format(out, "%s", what) && quote(out, found->text) &&
                ps_buffer_format(out, " is read %s%s", kinds[answer->kind], answer->text);
    if (answer->unit[0]) fits = fits && ps_buffer_format(out, ", unit %s", answer->unit);
    if (answer->name[0]) fits = fits && ps_buffer_format(out, ", named %s", answer->name);
    if (answer->label && answer->kind != PS_ANSWER_CHOICE)
        fits = fits && ps_buffer_format(out, ", choice %c", answer->label);
    if (answer->rounded)
        fits = fits && ps_buffer_format(out, ", said to be about %s", answer->rounded->text);
    if (answer->problem) fits = fits && ps_buffer_format(out, ": %s", answer->problem);
    return fits && ps_buffer_puts(out, "\n");
}

/* Explanations go as far as the buffer does. */
static void explain_steps(const struct grading *g, const struct ps_grade *result,
                          struct ps_buffer *out) {
    static const char *const rules[] = {[PS_GRADE_RULE_NONE] = "nothing in it is an answer",
                                        [PS_GRADE_RULE_GIVEN] = "the text is the answer",
                                        [PS_GRADE_RULE_BOX] = "the last box",
                                        [PS_GRADE_RULE_ANSWER_LINE] = "the last answer line",
                                        [PS_GRADE_RULE_HASHES] = "behind ####",
                                        [PS_GRADE_RULE_BOLD] = "bold in the last line",
                                        [PS_GRADE_RULE_WHOLE] = "the whole reply",
                                        [PS_GRADE_RULE_LAST_NUMBER] = "the last number"};
    const struct ps_extraction *e = &result->extraction;
    bool fits = ps_buffer_format(out, "extract: %s", rules[e->rule]);
    if (e->boxes > 1) fits = fits && ps_buffer_format(out, ", %d boxes as a list", e->boxes);
    if (e->rule != PS_GRADE_RULE_NONE)
        fits = fits && ps_buffer_format(out, ", bytes %zu to %zu of %zu", e->begin, e->end,
                                        g->input->output.size);
    fits = fits && ps_buffer_puts(out, "\n");
    if (g->input->gold.data)
        fits = fits && explain_reading(out, "gold:    ", &g->expected, &g->gold);
    if (g->output.text.data)
        fits = fits && explain_reading(out, "answer:  ", &g->output, &g->answer);
    fits = fits && ps_buffer_format(out, "verdict: %s, %s\n", ps_verdict_name(result->verdict),
                                    result->reason);
    (void)fits;
}

/* "(B) 8" for a choice with what it stands for. */
static enum ps_status keep_extracted(const struct grading *g, struct ps_grade *result,
                                     struct ps_error *error) {
    const struct ps_answer *answer = &g->answer;
    bool readable = answer->kind != PS_ANSWER_EMPTY && answer->kind != PS_ANSWER_BROKEN;
    if (!g->output.text.data || !readable) return PS_OK;
    size_t size = strlen(answer->text) + 8;
    bool labelled = answer->label && answer->kind != PS_ANSWER_CHOICE;
    result->extracted = ps_malloc(size);
    PS_FAIL_IF_NULL(result->extracted, error);
    if (labelled)
        snprintf(result->extracted, size, "(%c) %s", answer->label - 32, answer->text);
    else
        memcpy(result->extracted, answer->text, strlen(answer->text) + 1);
    return PS_OK;
}

enum ps_status ps_grade(const struct ps_grade_input *input, const struct ps_grade_profile *profile,
                        struct ps_grade *result, struct ps_buffer *explain,
                        struct ps_error *error) {
    enum ps_status status = PS_OK;
    struct grading g = {.input = input, .profile = profile};
    memset(result, 0, sizeof *result);
    mpq_init(g.gold.value);
    mpq_init(g.answer.value);
    found_init(&g.expected);
    found_init(&g.output);
    PS_TRY_DONE(find_answer(input, profile, &g.output, error));
    PS_TRY_DONE(find_gold(input->gold, profile, &g.expected, error));
    result->extraction = g.output.extraction;
    ps_answer_release(&g.gold);
    PS_TRY_DONE(ps_answer_read(g.expected.text, profile, &g.gold, error));
    ps_answer_release(&g.answer);
    PS_TRY_DONE(ps_answer_read(g.output.text, profile, &g.answer, error));
    decide(input, profile, &g.gold, g.expected.text, &g.answer, g.output.text, result);
    PS_TRY_DONE(try_parts(&g, result, error));
    PS_TRY_DONE(check_contradiction(&g, result, error));
    PS_TRY_DONE(keep_extracted(&g, result, error));
    if (explain) explain_steps(&g, result, explain);
done:
    ps_answer_release(&g.gold);
    ps_answer_release(&g.answer);
    ps_buffer_release(&g.expected.joined);
    ps_buffer_release(&g.output.joined);
    return status;
}

void ps_grade_release(struct ps_grade *result) {
    ps_free(result->extracted);
    result->extracted = NULL;
}

enum ps_status ps_grade_groups(const struct ps_grade_text *answers, size_t count,
                               const struct ps_grade_profile *profile, int32_t *group,
                               struct ps_error *error) {
    enum ps_status status = PS_OK;
    size_t read = 0;
    PS_FAIL_IF(count > INT32_MAX, error, PS_LIMIT, "%zu answers to group: too many", count);
    struct ps_answer *parsed = ps_calloc(count ? count : 1, sizeof *parsed);
    PS_FAIL_IF_NULL(parsed, error);
    for (size_t i = 0; i < count; i++) {
        read = i + 1;
        PS_TRY_DONE(ps_answer_read(answers[i], profile, &parsed[i], error));
        group[i] = answers[i].data && parsed[i].kind != PS_ANSWER_EMPTY ? (int32_t)i : -1;
        for (size_t j = 0; j < i && group[i] == (int32_t)i; j++)
            if (group[j] == (int32_t)j && ps_answer_same(&parsed[j], &parsed[i]))
                group[i] = (int32_t)j;
    }
done:
    for (size_t i = 0; i < read; i++) ps_answer_release(&parsed[i]);
    ps_free(parsed);
    return status;
}
