/* Any bytes as profile, gold and output: grading ends without a crash, says the same twice, and its
 * answers are valid; a gold that can be used equals itself. */
#include "grade/grade.h"

#include <string.h>
#include <utf8proc.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct ps_grade_input *input, const struct ps_grade_profile *profile,
                  struct ps_grade *result) {
    if (ps_grade(input, profile, result, NULL, NULL) != PS_OK) __builtin_trap();
    const struct ps_extraction *e = &result->extraction;
    if (e->begin > e->end || e->end > input->output.size) __builtin_trap();
    const char *texts[] = {result->extracted ? result->extracted : "", result->reason};
    for (int i = 0; i < 2; i++)
        for (const char *p = texts[i]; *p;) {
            utf8proc_int32_t point;
            utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)p, -1, &point);
            if (step <= 0) __builtin_trap();
            p += step;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"plain", "math", "gsm8k", "aime", "plain+last_number"};
    struct ps_grade_profile profile;
    if (size < 2 || !ps_grade_profile(names[data[0] % 5], &profile)) return 0;
    const char *text = (const char *)data + 1;
    const char *cut = memchr(text, '\n', size - 1); /* the first line is the gold */
    size_t gold = cut ? (size_t)(cut - text) : size - 1;
    struct ps_grade_input input = {.gold = {text, gold}};
    input.output =
        (struct ps_grade_text){text + gold + (cut != NULL), size - 1 - gold - (cut != NULL)};
    struct ps_grade result;
    check(&input, &profile, &result);
    enum ps_verdict verdict = result.verdict;
    ps_grade_release(&result);
    if (!input.gold.size) return 0;
    struct ps_grade_input self = {.gold = input.gold, .output = input.gold, .answer_given = true};
    check(&self, &profile, &result);
    bool usable = result.verdict != PS_VERDICT_GOLD_UNREADABLE;
    bool plain = !profile.gold_after_hashes && !memmem(text, gold, "box", 3);
    if (plain && usable && result.verdict != PS_VERDICT_CORRECT) __builtin_trap();
    if (!usable && verdict != PS_VERDICT_GOLD_UNREADABLE) __builtin_trap();
    ps_grade_release(&result);
    return 0;
}
