/* Laws of the grader over all golds at hand, those of tests/cases/grade and of MATH-500: an answer
 * equals itself; one thing changed makes it another answer; equality has no direction; the normal
 * form is one. */
#include "unit.h"

#include "base/file.h"
#include "base/json.h"
#include "grade/grade.h"

#include <string.h>

enum { GOLDS = 3000, LONGEST = 1024 };

static struct ps_error error;
static char *golds[GOLDS];
static size_t gold_count;
static int changed_count, failures;

static enum ps_verdict grade(const char *gold, const char *answer, char *extracted) {
    struct ps_grade_profile profile;
    struct ps_grade result;
    assert_true(ps_grade_profile("math", &profile));
    struct ps_grade_input input = {
        .gold = ps_grade_text(gold), .output = ps_grade_text(answer), .answer_given = true};
    assert_ok(ps_grade(&input, &profile, &result, NULL, &error));
    enum ps_verdict verdict = result.verdict;
    if (extracted) snprintf(extracted, LONGEST, "%s", result.extracted ? result.extracted : "");
    ps_grade_release(&result);
    return verdict;
}

/* ---- golds ---- */

static void add_gold(const char *gold) {
    if (strlen(gold) >= LONGEST / 2 || gold_count == GOLDS) return;
    for (size_t i = 0; i < gold_count; i++)
        if (strcmp(golds[i], gold) == 0) return;
    if (grade(gold, gold, NULL) == PS_VERDICT_CORRECT) golds[gold_count++] = ps_strdup(gold);
}

/* The golds of cases with answers; those of whole outputs are the same few again. */
static void read_cases(const char *path) {
    struct ps_buffer file;
    bool answers = true, first = true;
    ps_buffer_init(&file, 1 << 20);
    assert_ok(ps_file_read(path, &file, &error));
    for (char *line = strtok(file.data, "\n"), *at = file.data; line;) {
        bool gap = line > at + 1; /* strtok passes over empty lines */
        if (strcmp(line, "%output") == 0) answers = false;
        if (strcmp(line, "%answer") == 0) answers = true;
        bool directive = line[0] == '%';
        if ((gap || first) && answers && !directive) add_gold(line);
        first = directive;
        at = line + strlen(line);
        line = strtok(NULL, "\n");
    }
    ps_buffer_release(&file);
}

static void read_math500(void) {
    const char *path = unit_shared("math/math500.jsonl");
    struct ps_buffer file;
    if (!path) return; /* the cases have golds of each kind */
    ps_buffer_init(&file, 64 << 20);
    assert_ok(ps_file_read(path, &file, &error));
    for (char *line = file.data, *end; (end = strchr(line, '\n')); line = end + 1) {
        const char *gold;
        json_t *row;
        assert_ok(ps_json_parse(path, line, (size_t)(end - line), &row, &error));
        assert_ok(ps_json_string(row, "answer", &gold, &error));
        add_gold(gold);
        json_decref(row);
    }
    ps_buffer_release(&file);
}

static int read_golds(void **state) {
    static const char *const files[] = {"rules", "numbers",     "units",
                                        "words", "expressions", "sets"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/tests/cases/grade/%s.txt", PS_SOURCE_DIR, files[i]);
        read_cases(path);
    }
    read_math500();
    return 0;
}

static int free_golds(void **state) {
    (void)state;
    for (size_t i = 0; i < gold_count; i++) ps_free(golds[i]);
    return 0;
}

/* ---- one thing changed ---- */

/* What is the same in spite of the change. */
static bool is_equal_all_the_same(const char *gold, const char *changed) {
    static const char *const pairs[][2] = {
        {"(-1)^{n+1}", "(-1)^{n-1}"},
        {"\\cos(-x)", "\\cos(+x)"},
        {"\\sin(90^\\circ - x)", "\\sin(90^\\circ + x)"},
        {"i^{2023}", "i^{2123}"},
        {"i^{2023}", "i^{3023}"},
        {"|3+4i|", "|3-4i|"},
        {"|-3|", "|+3|"},
        {"\\binom{5}{2}", "\\binom{5}{3}"},
        {"\\lfloor 3.7 \\rfloor", "\\lfloor 3.8 \\rfloor"},
        {"\\lceil 3.2 \\rceil", "\\lceil 3.3 \\rceil"},
        {"[2,12] \\cup [12,102]", "[2,22] \\cup [12,102]"},
        {"[2,12] \\cup [12,102]", "[2,13] \\cup [12,102]"},
        {"[2,12] \\cup [12,102]", "[2,12] \\cup (12,102]"},
        {"[2,12] \\cup [12,102]", "[2,12) \\cup [12,102]"},
        {"(1,5) \\cup (3,7]", "(1,6) \\cup (3,7]"},
        {"(1,5) \\cup (3,7]", "(1,5) \\cup (4,7]"},
        {"(1,5) \\cup (3,7]", "(1,5) \\cup [3,7]"},
        {"(1,5) \\cup (3,7]", "(1,5] \\cup (3,7]"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (strcmp(pairs[i][0], gold) == 0 && strcmp(pairs[i][1], changed) == 0) return true;
    return false;
}

static void is_another(const char *gold, const char *changed) {
    if (strcmp(gold, changed) == 0) return;
    changed_count++;
    bool equal = grade(gold, changed, NULL) == PS_VERDICT_CORRECT ||
                 grade(changed, gold, NULL) == PS_VERDICT_CORRECT;
    if (!equal || is_equal_all_the_same(gold, changed)) return;
    print_message("%s became %s\n", gold, changed);
    failures++;
}

/* gold with the `size` bytes at `at` replaced. */
static void with(const char *gold, const char *at, size_t size, const char *by) {
    char changed[LONGEST];
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - gold), gold, by, at + size);
    is_another(gold, changed);
}

static void change_each(const char *gold, const char *old, const char *by) {
    for (const char *at = gold; (at = strstr(at, old)); at++) {
        char behind = at[strlen(old)];
        bool command = old[0] == '\\' && strlen(old) > 2;
        if (command && ((behind >= 'a' && behind <= 'z') || (behind >= 'A' && behind <= 'Z')))
            continue;
        with(gold, at, strlen(old), by);
    }
}

static void change_digits(const char *gold) {
    for (const char *at = gold; *at; at++) {
        if (*at < '0' || *at > '9') continue;
        char next[2] = {*at == '9' ? '8' : (char)(*at + 1), 0};
        with(gold, at, 1, next);
    }
}

/* "\frac{a}{b}" as "\frac{b}{a}" */
static void turn_fractions(const char *gold) {
    for (const char *at = gold; (at = strstr(at, "\\frac{")); at++) {
        const char *above = at + 6, *middle = strstr(above, "}{"), *end;
        char turned[LONGEST];
        if (!middle || !(end = strchr(middle + 2, '}')) ||
            memchr(above, '{', (size_t)(middle - above)))
            continue;
        if (memchr(middle + 2, '{', (size_t)(end - middle - 2))) continue;
        snprintf(turned, sizeof turned, "\\frac{%.*s}{%.*s}", (int)(end - middle - 2), middle + 2,
                 (int)(middle - above), above);
        with(gold, at, (size_t)(end + 1 - at), turned);
    }
}

/* A member less, and one more, of lists and sets of numbers. */
static void change_members(const char *gold) {
    if (strpbrk(gold, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) return;
    for (const char *at = gold; (at = strchr(at, ',')); at++) {
        size_t size = 1 + strspn(at + 1, " -0123456789.");
        if (at[1] == ' ' && size > 2) with(gold, at, size, "");
        if (at[1] == ' ') with(gold, at, 1, ", 977,");
    }
}

static void one_change_makes_another_answer(void **state) {
    static const char *const changes[][2] = {
        {"+", "-"},
        {"-", "+"},
        {"(", "["},
        {")", "]"},
        {"[", "("},
        {"]", ")"},
        {"\\pm", "+"},
        {"\\pm", "-"},
        {"\\sqrt", ""},
        {"\\pi", ""},
        {"\\pi", "\\pi^2"},
        {"^2", "^3"},
        {"^{2}", "^{3}"},
        {"^2", ""},
        {"\\le", "<"},
        {"\\ge", ">"},
        {"<", ">"},
        {"<", "\\le"},
        {">", "\\ge"},
        {"\\leq", "\\geq"},
        {"\\infty", "1000"},
        {"\\cup", "\\cap"},
        {"\\sin", "\\cos"},
        {"\\cos", "\\sin"},
        {"\\tan", "\\sin"},
        {"\\ln", "\\lg"},
        {"\\log_2", "\\log_3"},
        {"!", ""},
        {"x", "z"},
        {"\\alpha", "\\beta"},
        {"cm", "km"},
        {"\\times", "+"},
        {"\\cdot", "+"},
        {"p.m.", "a.m."},
        {"\\lfloor", "\\lceil"},
        {"i$", "$"},
    };
    (void)state;
    failures = 0;
    for (size_t i = 0; i < gold_count; i++) {
        const char *gold = golds[i];
        change_digits(gold);
        turn_fractions(gold);
        change_members(gold);
        if (strstr(gold, "\\text") || strstr(gold, "\\mbox")) continue; /* words have "x" and "-" */
        for (size_t k = 0; k < sizeof changes / sizeof changes[0]; k++)
            change_each(gold, changes[k][0], changes[k][1]);
    }
    print_message("%zu golds, %d changes\n", gold_count, changed_count);
    assert_true(changed_count > 2000);
    assert_int_equal(failures, 0);
}

/* ---- other laws ---- */

/* Rounding, percentages and "xy = 1" look at the gold. */
static bool looks_at_gold(const char *text) {
    const char *point = strchr(text, '.');
    size_t letters = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    if (letters > 1 && text[letters + strspn(text + letters, " ")] == '=') return true;
    return strchr(text, '%') || strstr(text, "percent") || strstr(text, "approx") ||
           strstr(text, "\xE2\x89\x88") || (point && strspn(point + 1, "0123456789") >= 3);
}

static void equality_has_no_direction(void **state) {
    int pairs = failures = 0;
    (void)state;
    for (size_t i = 0; i < gold_count; i++)
        for (size_t j = i + 1 + i % 7; j < gold_count; j += 29) {
            if (looks_at_gold(golds[i]) || looks_at_gold(golds[j])) continue;
            bool there = grade(golds[i], golds[j], NULL) == PS_VERDICT_CORRECT;
            bool back = grade(golds[j], golds[i], NULL) == PS_VERDICT_CORRECT;
            if (there != back) print_message("%s and %s\n", golds[i], golds[j]);
            failures += there != back;
            pairs++;
        }
    assert_true(pairs > 1000);
    assert_int_equal(failures, 0);
}

/* What was extracted, given again, is extracted again, and is the answer still. */
static void the_normal_form_is_one(void **state) {
    (void)state;
    failures = 0;
    for (size_t i = 0; i < gold_count; i++) {
        char first[LONGEST], second[LONGEST];
        grade(golds[i], golds[i], first);
        enum ps_verdict verdict = grade(golds[i], first, second);
        bool same = strcmp(first, second) == 0 &&
                    (verdict == PS_VERDICT_CORRECT || verdict == PS_VERDICT_UNDECIDED);
        if (!same) print_message("%s: %s, then %s\n", golds[i], first, second);
        failures += !same;
    }
    assert_int_equal(failures, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_change_makes_another_answer),
        cmocka_unit_test(equality_has_no_direction),
        cmocka_unit_test(the_normal_form_is_one),
    };
    return cmocka_run_group_tests(tests, read_golds, free_golds);
}
