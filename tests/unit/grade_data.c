/* The grader over whole data sets: golds against themselves, changed digits, labelled solutions. */
#include "unit.h"

#include "base/file.h"
#include "base/json.h"
#include "grade/grade.h"

#include <string.h>

static struct ps_error error;

struct totals {
    int rows, correct, changed_wrong, labelled, agreed;
};

typedef void row_function(json_t *row, struct totals *totals);

static struct totals each_row(const char *name, row_function *function) {
    struct totals totals = {0};
    const char *path = unit_shared(name);
    if (!path) skip();
    struct ps_buffer file;
    ps_buffer_init(&file, 64 << 20);
    assert_ok(ps_file_read(path, &file, &error));
    for (char *line = file.data, *end; (end = strchr(line, '\n')); line = end + 1) {
        json_t *row;
        assert_ok(ps_json_parse(path, line, (size_t)(end - line), &row, &error));
        function(row, &totals);
        json_decref(row);
        totals.rows++;
    }
    ps_buffer_release(&file);
    return totals;
}

static enum ps_verdict grade(const char *profile_name, const char *gold, const char *output,
                             bool given) {
    struct ps_grade_profile profile;
    struct ps_grade result;
    assert_true(ps_grade_profile(profile_name, &profile));
    struct ps_grade_input input = {
        .gold = ps_grade_text(gold), .output = ps_grade_text(output), .answer_given = given};
    assert_ok(ps_grade(&input, &profile, &result, NULL, &error));
    enum ps_verdict verdict = result.verdict;
    ps_grade_release(&result);
    return verdict;
}

/* Adds one to the first digit of a number's text: another number, whatever its form. */
static void change_digit(char *text) {
    for (; *text; text++) {
        if (*text < '0' || *text > '9') continue;
        *text = *text == '9' ? '8' : (char)(*text + 1);
        return;
    }
}

static void gsm8k_row(json_t *row, struct totals *totals) {
    const char *gold;
    char output[200], boxed[256];
    assert_ok(ps_json_string(row, "answer", &gold, &error));
    totals->correct += grade("gsm8k", gold, gold, false) == PS_VERDICT_CORRECT;
    const char *number = strstr(gold, "####") + 4;
    snprintf(output, sizeof output, "%s", number);
    change_digit(output);
    snprintf(boxed, sizeof boxed, "Hence \\boxed{%s}.", output);
    totals->changed_wrong += grade("gsm8k", gold, boxed, false) == PS_VERDICT_WRONG;
}

static void gsm8k_golds_equal_themselves(void **state) {
    (void)state;
    static const char *const files[] = {"gsm8k/test.jsonl", "gsm8k/train.jsonl"};
    for (int i = 0; i < 2; i++) {
        struct totals totals = each_row(files[i], gsm8k_row);
        assert_true(totals.rows > 1000);
        assert_int_equal(totals.correct, totals.rows);
        assert_int_equal(totals.changed_wrong, totals.rows);
    }
}

static void svamp_row(json_t *row, struct totals *totals) {
    double value;
    char gold[64], integer[64];
    assert_ok(ps_json_number(row, "Answer", &value, &error));
    snprintf(gold, sizeof gold, "%.1f", value);
    snprintf(integer, sizeof integer, "The answer is %.0f.", value);
    totals->correct += grade("plain", gold, gold, true) == PS_VERDICT_CORRECT &&
                       grade("plain", gold, integer, false) == PS_VERDICT_CORRECT;
    change_digit(integer);
    totals->changed_wrong += grade("plain", gold, integer, false) == PS_VERDICT_WRONG;
}

static void svamp_golds_equal_themselves(void **state) {
    (void)state;
    struct totals totals = each_row("math/svamp.jsonl", svamp_row);
    assert_int_equal(totals.rows, 1000);
    assert_int_equal(totals.correct, totals.rows);
    assert_int_equal(totals.changed_wrong, totals.rows);
}

/* A changed digit is never correct; of a number it is wrong. */
static void math_row(json_t *row, struct totals *totals) {
    const char *gold;
    char boxed[1024];
    assert_ok(ps_json_string(row, "answer", &gold, &error));
    snprintf(boxed, sizeof boxed, "$\\boxed{%s}$", gold);
    totals->correct += grade("math", gold, gold, true) == PS_VERDICT_CORRECT &&
                       grade("math", gold, boxed, false) == PS_VERDICT_CORRECT;
    bool digits = strpbrk(gold, "0123456789");
    change_digit(boxed);
    enum ps_verdict verdict = grade("math", gold, boxed, false);
    totals->changed_wrong += digits ? verdict != PS_VERDICT_CORRECT : 1;
}

static void math500_golds_equal_themselves(void **state) {
    (void)state;
    struct totals totals = each_row("math/math500.jsonl", math_row);
    assert_int_equal(totals.rows, 500);
    assert_int_equal(totals.correct, totals.rows);
    assert_int_equal(totals.changed_wrong, totals.rows);
}

/* Copies text with each `old` as `new`; false when there is none or the text has `unless`. */
static bool rewrite(const char *text, const char *old, const char *new, const char *unless,
                    char out[2048]) {
    size_t size = 0;
    if (!strstr(text, old) || (unless && strstr(text, unless))) return false;
    for (const char *found; (found = strstr(text, old)); text = found + strlen(old))
        size += (size_t)snprintf(out + size, 2048 - size, "%.*s%s", (int)(found - text), text, new);
    snprintf(out + size, 2048 - size, "%s", text);
    return true;
}

/* What sets the same answer in other words stays correct. */
static void rewritten_row(json_t *row, struct totals *totals) {
    static const char *const rules[][3] = {{"\\frac", "\\dfrac", NULL},
                                           {"(", "\\left( ", "\\left"},
                                           {")", " \\right)", "\\right"},
                                           {"+", " + ", NULL},
                                           {"=", " = ", NULL},
                                           {",\\!", ",", "\\! "},
                                           {"\\sqrt", "\\!\\sqrt", NULL},
                                           {"\\pi", "{\\pi}", NULL},
                                           {"\\cup", " \\cup ", NULL}};
    const char *gold;
    char text[2048], wrapped[2100];
    assert_ok(ps_json_string(row, "answer", &gold, &error));
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!rewrite(gold, rules[i][0], rules[i][1], rules[i][2], text)) continue;
        totals->labelled++;
        bool correct = grade("math", gold, text, true) == PS_VERDICT_CORRECT;
        if (!correct) print_message("%s became %s\n", gold, text);
        totals->agreed += correct;
    }
    snprintf(wrapped, sizeof wrapped, "so it is $\\boxed{ %s }$.", gold);
    totals->correct += grade("math", gold, wrapped, false) == PS_VERDICT_CORRECT;
}

static void rewritten_golds_stay_correct(void **state) {
    (void)state;
    struct totals totals = each_row("math/math500.jsonl", rewritten_row);
    assert_int_equal(totals.correct, totals.rows);
    assert_true(totals.labelled > 150);
    assert_int_equal(totals.agreed, totals.labelled);
}

/* One changed operator or bracket is another answer, both ways. */
static void changed_row(json_t *row, struct totals *totals) {
    static const char *const rules[][3] = {{"+", "-", "\\pm"},        {"\\sqrt", "", NULL},
                                           {"^2", "^3", NULL},        {"\\pi", "", "{\\pi}"},
                                           {"\\infty", "1000", NULL}, {"[", "(", "\\left["},
                                           {"-", "+", NULL},          {"x", "y", NULL}};
    const char *gold;
    char text[2048];
    assert_ok(ps_json_string(row, "answer", &gold, &error));
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strstr(gold, "\\text") || !rewrite(gold, rules[i][0], rules[i][1], rules[i][2], text))
            continue;
        totals->labelled++;
        bool other = grade("math", gold, text, true) != PS_VERDICT_CORRECT &&
                     grade("math", text, gold, true) != PS_VERDICT_CORRECT;
        if (!other) print_message("%s became %s\n", gold, text);
        totals->agreed += other;
    }
}

static void changed_golds_are_not_correct(void **state) {
    (void)state;
    struct totals totals = each_row("math/math500.jsonl", changed_row);
    assert_true(totals.labelled > 100);
    assert_int_equal(totals.agreed, totals.labelled);
}

static void labelled_row(json_t *row, struct totals *totals) {
    static const char *const models[] = {"6b_finetuning", "6b_verification", "175b_finetuning",
                                         "175b_verification"};
    const char *truth, *solution;
    assert_ok(ps_json_string(row, "ground_truth", &truth, &error));
    const char *gold = strrchr(truth, '\n'); /* the last line is "A: 18" */
    gold = gold ? strstr(gold, "A:") : NULL;
    assert_non_null(gold);
    for (int i = 0; i < 4; i++) {
        bool label;
        json_t *model = ps_json_get(row, models[i]);
        assert_ok(ps_json_bool(model, "is_correct", &label, &error));
        assert_ok(ps_json_string(model, "solution", &solution, &error));
        enum ps_verdict verdict = grade("gsm8k", gold + 2, solution, false);
        totals->labelled++;
        totals->agreed += (verdict == PS_VERDICT_CORRECT) == label;
    }
}

static void agrees_with_labelled_solutions(void **state) {
    (void)state;
    struct totals totals = each_row("gsm8k/example_model_solutions.jsonl", labelled_row);
    assert_int_equal(totals.labelled, 4 * 1319);
    assert_int_equal(totals.agreed, totals.labelled);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gsm8k_golds_equal_themselves),
        cmocka_unit_test(svamp_golds_equal_themselves),
        cmocka_unit_test(math500_golds_equal_themselves),
        cmocka_unit_test(rewritten_golds_stay_correct),
        cmocka_unit_test(changed_golds_are_not_correct),
        cmocka_unit_test(agrees_with_labelled_solutions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
