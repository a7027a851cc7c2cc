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
        cmocka_unit_test(agrees_with_labelled_solutions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
