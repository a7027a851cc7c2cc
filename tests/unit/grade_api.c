/* The grader's interface: names, spans, groups, budgets, and memory that runs out. */
#include "unit.h"

#include "base/memory.h"
#include "grade/grade.h"

#include <string.h>
#include <time.h>

static struct ps_error error;

static struct ps_grade_profile profile(const char *name) {
    struct ps_grade_profile found;
    assert_true(ps_grade_profile(name, &found));
    return found;
}

static void names(void **state) {
    (void)state;
    enum ps_verdict back;
    for (int i = 0; i < PS_VERDICT_COUNT; i++) {
        assert_true(ps_verdict_from_name(ps_verdict_name((enum ps_verdict)i), &back));
        assert_int_equal(back, i);
    }
    assert_string_equal(ps_verdict_name(PS_VERDICT_NO_ANSWER), "no_answer");
    assert_false(ps_verdict_from_name("right", &back));
    assert_string_equal(ps_grade_rule_name(PS_GRADE_RULE_ANSWER_LINE), "answer_line");
    struct ps_grade_profile none;
    assert_false(ps_grade_profile("gsm", &none));
    assert_true(profile("gsm8k+last_number").last_number);
    assert_false(profile("gsm8k").last_number);
}

static void spans_point_into_the_output(void **state) {
    (void)state;
    struct ps_grade_profile math = profile("math");
    const char *output = "<think>\\boxed{1}</think>So \\boxed{ \\frac{1}{2} }, done.";
    struct ps_extraction e;
    assert_ok(ps_grade_extract(ps_grade_text(output), &math, &e, &error));
    assert_int_equal(e.rule, PS_GRADE_RULE_BOX);
    assert_int_equal(e.end - e.begin, 11);
    assert_memory_equal(output + e.begin, "\\frac{1}{2}", 11);
    /* bytes beyond the given size are never looked at */
    struct ps_grade_text cut = {output, strlen(output) - 8};
    assert_ok(ps_grade_extract(cut, &math, &e, &error));
    assert_int_equal(e.rule, PS_GRADE_RULE_NONE);
}

static void groups_are_by_equality(void **state) {
    (void)state;
    struct ps_grade_profile math = profile("math");
    const char *texts[] = {"1/2", "0.5",   "\\frac12", NULL,           "2", "$2", "0.333", "1/3",
                           "x^2", "x^{2}", "East",     "\\text{east}", ""};
    static const int expected[] = {0, 0, 0, -1, 4, 4, 6, 7, 8, 8, 10, 10, -1};
    struct ps_grade_text answers[13];
    int32_t group[13];
    for (int i = 0; i < 13; i++) answers[i] = ps_grade_text(texts[i]);
    assert_ok(ps_grade_groups(answers, 13, &math, group, &error));
    for (int i = 0; i < 13; i++) assert_int_equal(group[i], expected[i]);
}

static void explains_each_step(void **state) {
    (void)state;
    struct ps_grade_profile math = profile("math");
    struct ps_grade_input input = {.gold = ps_grade_text("50\\%"),
                                   .output = ps_grade_text("\\boxed{1/2}")};
    struct ps_grade result;
    struct ps_buffer steps;
    ps_buffer_init(&steps, 4096);
    assert_ok(ps_grade(&input, &math, &result, &steps, &error));
    assert_string_equal(steps.data,
                        "extract: the last box, bytes 7 to 10 of 11\n"
                        "gold:    \"50\\%\" is read as the number 50, unit percent\n"
                        "answer:  \"1/2\" is read as the number 1/2\n"
                        "verdict: correct, the same number, as a percentage and its fraction\n");
    ps_grade_release(&result);
    ps_buffer_release(&steps);
}

/* Each allocation fails once: PS_MEMORY, nothing leaks (the sanitizer build sees), no crash. */
static void memory_may_run_out(void **state) {
    (void)state;
    struct ps_grade_profile gsm8k = profile("gsm8k");
    struct ps_grade_input input = {.gold = ps_grade_text("x #### 18"),
                                   .output = ps_grade_text("#### 17\n**18** eggs")};
    struct ps_grade result;
    for (size_t n = 1;; n++) {
        ps_memory_fail_at(n);
        enum ps_status status = ps_grade(&input, &gsm8k, &result, NULL, &error);
        ps_memory_fail_at(0);
        if (status == PS_OK)
            assert_int_equal(result.verdict, PS_VERDICT_CORRECT);
        else
            assert_int_equal(status, PS_MEMORY);
        ps_grade_release(&result);
        if (status == PS_OK) break;
        assert_true(n < 100);
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Half a million bytes of the same few: extraction stays linear (one tenth of a second, where a
 * quadratic search would take minutes). */
static void hostile_outputs_end_soon(void **state) {
    (void)state;
    static const char *const units[] = {"\\boxed{",
                                        "\\boxed ",
                                        "{",
                                        "}",
                                        "answer: ",
                                        "answer is $",
                                        "A:\n\n",
                                        "#### 1\n",
                                        "**",
                                        "<think>",
                                        "1,234,",
                                        "\\frac",
                                        "#### \n\n\n",
                                        "</think>",
                                        "step 1 - 2",
                                        "answer: \\[ {",
                                        "$",
                                        "1/",
                                        "- ",
                                        "\xff",
                                        "answer\n",
                                        "A: **1\n",
                                        "(((((((",
                                        "\\boxed{}",
                                        "`a",
                                        "```a",
                                        "`\\boxed{1}` ",
                                        "\\boxed{1} or ",
                                        "if the answer is 1. ",
                                        "x = \\boxed{1}, "};
    struct ps_grade_profile last = profile("gsm8k+last_number");
    struct ps_grade_input input = {.gold = ps_grade_text("18")};
    size_t size = 500000;
    char *text = ps_malloc(size);
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        struct ps_grade result;
        for (size_t i = 0; i < size; i++) text[i] = units[u][i % strlen(units[u])];
        input.output = (struct ps_grade_text){text, size};
        double before = seconds();
        assert_ok(ps_grade(&input, &last, &result, NULL, &error));
        if (seconds() - before > 5)
            fail_msg("\"%s\" repeated took %.1f s", units[u], seconds() - before);
        ps_grade_release(&result);
    }
    ps_free(text);
}

/* Answers of 8,000 bytes of the same few: whatever is read of them ends soon. */
static void hostile_answers_end_soon(void **state) {
    (void)state;
    static const char *const units[] = {"\\{",
                                        "\\{x \\mid ",
                                        "1\\frac{",
                                        "^(",
                                        "x^{",
                                        "(",
                                        "\\sqrt{",
                                        "|",
                                        "1,",
                                        "[1,2]\\cup ",
                                        "x<1 or ",
                                        "and ",
                                        "_{",
                                        "\\approx ",
                                        "x=",
                                        "(A) ",
                                        "one ",
                                        "1 ",
                                        "\\sin ",
                                        "\\text{a}",
                                        "x^{n}+",
                                        "\\pm 1,",
                                        "\\begin{pmatrix}",
                                        "2^",
                                        "3:",
                                        "1/",
                                        "!",
                                        "\\sqrt2+",
                                        "{",
                                        "]",
                                        "\\overline{",
                                        "5 apples ",
                                        "million ",
                                        "\\frac12 "};
    struct ps_grade_profile math = profile("math");
    struct ps_grade_input input = {.gold = ps_grade_text("\\{1, 2\\}"), .answer_given = true};
    char text[8001];
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++)
        for (size_t size = 64; size <= 8000; size *= 5) {
            struct ps_grade result;
            for (size_t i = 0; i < size; i++) text[i] = units[u][i % strlen(units[u])];
            input.output = (struct ps_grade_text){text, size};
            double before = seconds();
            assert_ok(ps_grade(&input, &math, &result, NULL, &error));
            if (seconds() - before > 5)
                fail_msg("\"%s\" repeated took %.1f s", units[u], seconds() - before);
            assert_int_not_equal(result.verdict, PS_VERDICT_CORRECT);
            ps_grade_release(&result);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(spans_point_into_the_output),
        cmocka_unit_test(groups_are_by_equality),
        cmocka_unit_test(explains_each_step),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(hostile_outputs_end_soon),
        cmocka_unit_test(hostile_answers_end_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
