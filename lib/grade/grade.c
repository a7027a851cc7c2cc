/* The grade of one output: names, profiles, golds, and the order in which verdicts are decided. */
#include "grade/grade.h"

#include "grade/answer_internal.h"
#include "grade/extract_internal.h"

#include <stdio.h>
#include <string.h>

#define VERSION "2"

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

/* The part of a data set's gold field that is the answer. */
static enum ps_status gold_text(struct ps_grade_text gold, const struct ps_grade_profile *profile,
                                struct ps_grade_text *answer, struct ps_error *error) {
    *answer = gold;
    if (!gold.data) return PS_OK;
    if (profile->gold_after_hashes) {
        for (size_t i = gold.size; i-- > 0;) {
            if (gold.size - i < 4 || memcmp(gold.data + i, "####", 4) != 0) continue;
            *answer = (struct ps_grade_text){gold.data + i + 4, gold.size - i - 4};
            return PS_OK;
        }
    }
    /* a worked solution instead of its answer */
    struct ps_extraction e;
    PS_TRY(ps_grade_extract(gold, profile, &e, error));
    if (e.rule == PS_GRADE_RULE_BOX)
        *answer = (struct ps_grade_text){gold.data + e.begin, e.end - e.begin};
    return PS_OK;
}

/* Why a gold cannot be used, or NULL. */
static const char *gold_problem(const struct ps_answer *gold,
                                const struct ps_grade_profile *profile) {
    if (gold->kind == PS_ANSWER_EMPTY) return "it is empty";
    if (gold->kind == PS_ANSWER_BROKEN) return gold->problem;
    if (profile->number && gold->kind != PS_ANSWER_NUMBER) return "it is not a number";
    if (profile->integer_0_999 && (mpz_cmp_ui(mpq_denref(gold->value), 1) != 0 ||
                                   mpq_sgn(gold->value) < 0 || mpq_cmp_ui(gold->value, 999, 1) > 0))
        return "it is not an integer from 0 to 999";
    return NULL;
}

static bool note(struct ps_buffer *explain, const char *what, const struct ps_answer *answer) {
    static const char *const kinds[] = {"nothing", "number",     "choice",    "words",
                                        "time",    "expression", "unreadable"};
    if (!explain) return true;
    return ps_buffer_format(explain, "%s: %s \"%s\"%s%s%s%s%s%s\n", what, kinds[answer->kind],
                            answer->text, answer->unit[0] ? ", unit " : "", answer->unit,
                            answer->name[0] ? ", named " : "", answer->name,
                            answer->problem ? ", " : "", answer->problem ? answer->problem : "");
}

/* The answer's text: as given, or extracted. */
static enum ps_status find_answer(const struct ps_grade_input *input,
                                  const struct ps_grade_profile *profile, struct ps_extraction *e,
                                  struct ps_grade_text *answer, struct ps_error *error) {
    *answer = (struct ps_grade_text){NULL, 0};
    if (input->answer_given)
        *e = (struct ps_extraction){PS_GRADE_RULE_GIVEN, 0, input->output.size};
    else
        PS_TRY(ps_grade_extract(input->output, profile, e, error));
    if (e->rule != PS_GRADE_RULE_NONE)
        *answer = (struct ps_grade_text){input->output.data + e->begin, e->end - e->begin};
    return PS_OK;
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

enum ps_status ps_grade(const struct ps_grade_input *input, const struct ps_grade_profile *profile,
                        struct ps_grade *result, struct ps_buffer *explain,
                        struct ps_error *error) {
    enum ps_status status = PS_OK;
    struct ps_answer gold, answer;
    memset(result, 0, sizeof *result);
    struct ps_grade_text output, expected;
    PS_TRY(find_answer(input, profile, &result->extraction, &output, error));
    PS_TRY(gold_text(input->gold, profile, &expected, error));
    status = ps_answer_read(expected, profile, &gold, error);
    if (status != PS_OK) {
        ps_answer_release(&gold);
        return status;
    }
    PS_TRY_DONE(ps_answer_read(output, profile, &answer, error));
    decide(input, profile, &gold, expected, &answer, output, result);
    if (output.data && answer.kind != PS_ANSWER_EMPTY && answer.kind != PS_ANSWER_BROKEN) {
        result->extracted = ps_strdup(answer.text);
        PS_FAIL_DONE_IF_NULL(result->extracted, error);
    }
    if (explain) {
        const struct ps_extraction *e = &result->extraction;
        bool fits =
            ps_buffer_format(explain, "extract: %s, bytes %zu to %zu of %zu\n",
                             ps_grade_rule_name(e->rule), e->begin, e->end, input->output.size);
        fits = fits && (!input->gold.data || note(explain, "gold", &gold));
        fits = fits && (!output.data || note(explain, "answer", &answer));
        fits = fits && ps_buffer_format(explain, "verdict: %s, %s\n",
                                        ps_verdict_name(result->verdict), result->reason);
        (void)fits; /* explanations go as far as the buffer does */
    }
done:
    ps_answer_release(&gold);
    ps_answer_release(&answer);
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
