/* The report of a run made by hand: what its JSON says, and that nothing a model or a data set says
 * reaches the page as markup. Where there is a Chromium the page is opened in it. */
#include "report_fixture.h"

#include "base/json.h"
#include "pipelines/report/report.h"

#include <math.h>

static const char given_results[] =
    "{\"results\":["
    "{\"model\":\"base\",\"role\":\"base\",\"dataset\":\"arith/test\",\"problems\":30,"
    "\"samples\":1,\"pass_at_1\":0.1,\"low\":0.03,\"high\":0.26,\"truncated\":0.1,"
    "\"no_answer\":0.1,\"mean_tokens\":60},"
    "{\"model\":\"student\",\"role\":\"student\",\"dataset\":\"arith/test\",\"problems\":30,"
    "\"samples\":1,\"pass_at_1\":0.8,\"low\":0.63,\"high\":0.9,\"truncated\":0,\"no_answer\":0,"
    "\"mean_tokens\":69}],"
    "\"pairs\":[{\"a\":\"base\",\"b\":\"student\",\"dataset\":\"arith/test\",\"difference\":%s,"
    "\"low\":-0.83,\"high\":%s,\"p\":%s,\"detectable\":0.2}]}";

struct made {
    struct report_run run;
    struct ps_buffer page, table;
    json_t *report;
};

static void read_report(struct made *made) {
    char path[128];
    ps_buffer_init(&made->page, 64 << 20);
    snprintf(path, sizeof path, "%s/report.json", made->run.folder);
    assert_ok(ps_json_read_file(path, 64 << 20, &made->report, &error));
    snprintf(path, sizeof path, "%s/report.html", made->run.folder);
    assert_ok(ps_file_read(path, &made->page, &error));
}

static void drop_report(struct made *made) {
    json_decref(made->report);
    ps_buffer_release(&made->page);
}

static void write_report(struct made *made) {
    struct ps_arena arena;
    struct ps_report_run run;
    ps_arena_init(&arena, 1 << 20);
    ps_buffer_init(&made->table, 1 << 20);
    assert_ok(ps_report_find(made->run.folder, &arena, &run, &error));
    assert_int_equal(run.stage_count, 5); /* "later" is not done */
    assert_ok(ps_report_write(&run, 1, made->run.folder, &made->table, &error));
    read_report(made);
    ps_arena_release(&arena);
}

/* Scores as an evaluation gave them, without its replies. */
static void make(struct made *made, const char *difference, const char *high, const char *p) {
    char text[2048];
    snprintf(text, sizeof text, given_results, difference, high, p);
    report_run_make(&made->run, 30, text);
    write_report(made);
}

/* With replies, which the scores are made of. */
static void make_with_replies(struct made *made) {
    report_run_make(&made->run, 30, NULL);
    write_report(made);
}

static void drop(struct made *made) {
    drop_report(made);
    ps_buffer_release(&made->table);
    assert_ok(ps_path_remove(made->run.folder, &error));
}

static const char *headline(const struct made *made) {
    return json_string_value(ps_json_get(ps_json_get(made->report, "headline"), "text"));
}

static json_t *item(const json_t *array, size_t index) {
    json_t *value = json_array_get(array, index);
    assert_non_null(value);
    return value;
}

static int64_t integer(const json_t *object, const char *key) {
    json_t *value = ps_json_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const json_t *run_of(const struct made *made) {
    return item(ps_json_get(made->report, "runs"), 0);
}

static void test_json(void **state) {
    (void)state;
    struct made made;
    make(&made, "-0.7", "-0.5", "0.0001");
    assert_string_equal(headline(&made),
                        "student solves 80.0% of arith/test, base 10.0%: 70.0 points more (95% "
                        "interval +50.0 to +83.0, p < 0.001).");
    assert_non_null(strstr(made.table.data, headline(&made)));
    assert_int_equal(json_array_size(ps_json_get(made.report, "results")), 2);
    assert_int_equal(json_array_size(ps_json_get(made.report, "pairs")), 1);
    /* the funnel, in the order of the run */
    const json_t *funnel = ps_json_get(run_of(&made), "funnel");
    static const int64_t counts[] = {2990, 2800, 2400, 2380};
    assert_int_equal(json_array_size(funnel), 4);
    for (size_t i = 0; i < 4; i++) assert_int_equal(integer(item(funnel, i), "count"), counts[i]);
    assert_int_equal(integer(item(ps_json_get(item(funnel, 2), "parts"), 3), "count"), 310);
    drop(&made);
}

static void test_curve(void **state) {
    (void)state;
    struct made made;
    make(&made, "-0.7", "-0.5", "0.0001");
    const json_t *train = item(ps_json_get(run_of(&made), "train"), 0);
    const json_t *points = ps_json_get(train, "points");
    /* step 199 was written again behind 200, which a resume had undone */
    assert_int_equal(json_array_size(points), 399);
    assert_int_equal(json_integer_value(item(item(points, 198), 0)), 199);
    assert_true(json_number_value(item(item(points, 198), 1)) == 0.29);
    assert_int_equal(json_integer_value(item(item(points, 199), 0)), 201);
    assert_int_equal(json_array_size(ps_json_get(train, "validation")), 19);
    drop(&made);
}

static void test_not_significant(void **state) {
    (void)state;
    struct made made;
    make(&made, "-0.03", "0.1", "0.46");
    assert_string_equal(headline(&made),
                        "On arith/test, student (80.0%) and base (10.0%) cannot be told apart: the "
                        "difference is +3.0 points (95% interval -10.0 to +83.0, p = 0.46).");
    const json_t *details = ps_json_get(ps_json_get(made.report, "headline"), "details");
    assert_non_null(strstr(json_string_value(item(details, 0)), "less than 20.0 points"));
    drop(&made);
    make(&made, "0.2", "0.3", "0.012");
    assert_non_null(strstr(headline(&made), "20.0 points fewer"));
    assert_non_null(strstr(headline(&made), "p = 0.012"));
    drop(&made);
}

/* ---- what is counted from replies ---- */

static double number(const json_t *object, const char *key) {
    json_t *value = ps_json_get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static bool is(const json_t *object, const char *key, const char *text) {
    const char *value = json_string_value(ps_json_get(object, key));
    return value && strcmp(value, text) == 0;
}

/* Problems of 30 that a model solves, of those that `other` (-1: any) solves or not. */
static int solves(int model, int first, int step, int other, bool solved) {
    int count = 0;
    for (int p = first; p < 30; p += step)
        count += report_solves(model, p) && (other < 0 || report_solves(other, p) == solved);
    return count;
}

static int64_t sum(const json_t *list) {
    int64_t total = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        total += json_integer_value(json_array_get(list, i));
    return total;
}

static void test_breakdown(void **state) {
    (void)state;
    struct made made;
    make_with_replies(&made);
    const json_t *results = ps_json_get(made.report, "results");
    assert_int_equal(json_array_size(results), 3);
    for (int m = 0; m < 3; m++)
        assert_true(number(item(results, (size_t)m), "pass_at_1") * 30 ==
                    solves(m, 0, 1, -1, false));
    /* three levels and two subjects of each model */
    const json_t *groups = ps_json_get(made.report, "groups");
    assert_int_equal(json_array_size(groups), 15);
    const json_t *second = item(groups, 2); /* level 2: every third problem; the student */
    assert_true(is(second, "by", "level") && is(second, "value", "2"));
    assert_true(is(second, "model", "student") && integer(second, "problems") == 10);
    assert_true(number(second, "pass_at_1") * 10 == solves(2, 0, 3, -1, false));
    const json_t *subject = item(groups, 9);
    assert_true(is(subject, "by", "subject") && is(subject, "value", "<i>"));
    assert_int_equal(integer(subject, "problems"), 10);
    assert_int_equal(integer(item(groups, 12), "problems"), 20);
    /* every reply in one bin */
    const json_t *lengths = ps_json_get(made.report, "lengths");
    assert_int_equal(json_array_size(lengths), 3);
    for (int m = 0; m < 3; m++) {
        const json_t *length = item(lengths, (size_t)m);
        int64_t correct = sum(ps_json_get(length, "correct"));
        assert_int_equal(correct, solves(m, 0, 1, -1, false));
        assert_int_equal(correct + sum(ps_json_get(length, "wrong")) +
                             sum(ps_json_get(length, "truncated")),
                         30);
        assert_int_equal(json_array_size(ps_json_get(length, "edges")),
                         json_array_size(ps_json_get(length, "correct")) + 1);
    }
    /* the student's gain where the teacher is always right */
    const json_t *gain = item(ps_json_get(made.report, "gains"), 0);
    assert_true(is(gain, "by", "teacher") && is(gain, "student", "student"));
    const json_t *bins = ps_json_get(gain, "bins");
    const json_t *always = item(bins, json_array_size(bins) - 1);
    int of = solves(0, 0, 1, -1, false);
    assert_int_equal(integer(always, "problems"), of);
    assert_true(fabs(number(always, "difference") * of -
                     (solves(2, 0, 1, 0, true) - solves(1, 0, 1, 0, true))) < 1e-9);
    drop(&made);
}

/* The same replies without the run they were made in. */
static void test_store(void **state) {
    (void)state;
    struct made made;
    struct ps_arena arena;
    struct ps_report_run run;
    char path[512], folder[256];
    make_with_replies(&made);
    json_t *pairs = json_deep_copy(ps_json_get(made.report, "pairs"));
    drop_report(&made);
    ps_arena_init(&arena, 1 << 20);
    snprintf(path, sizeof path, "%s/evals.db", made.run.stage[4]);
    snprintf(folder, sizeof folder, "%s/out", made.run.folder);
    assert_ok(ps_report_find(path, &arena, &run, &error));
    assert_int_equal(run.stage_count, 0);
    assert_ok(ps_report_write(&run, 1, folder, NULL, &error));
    snprintf(path, sizeof path, "%s/report.json", folder);
    assert_ok(ps_json_read_file(path, 64 << 20, &made.report, &error));
    snprintf(path, sizeof path, "%s/report.html", folder);
    ps_buffer_init(&made.page, 64 << 20);
    assert_ok(ps_file_read(path, &made.page, &error));
    assert_true(is(item(ps_json_get(made.report, "results"), 0), "dataset", "arith/test"));
    assert_true(json_equal(pairs, ps_json_get(made.report, "pairs")));
    assert_int_equal(json_array_size(ps_json_get(made.report, "notes")), 0);
    json_decref(pairs);
    ps_arena_release(&arena);
    drop_report(&made);
    ps_buffer_release(&made.table);
    assert_ok(ps_path_remove(made.run.folder, &error));
}

/* ---- several runs ---- */

static void compare(const struct made *first, const struct made *second, json_t **report,
                    struct ps_buffer *table) {
    struct ps_arena arena;
    struct ps_report_run runs[2];
    char path[512], folder[256];
    ps_arena_init(&arena, 1 << 20);
    ps_buffer_init(table, 1 << 20);
    snprintf(folder, sizeof folder, "%s/out", first->run.folder);
    assert_ok(ps_report_find(first->run.folder, &arena, &runs[0], &error));
    assert_ok(ps_report_find(second->run.folder, &arena, &runs[1], &error));
    assert_ok(ps_report_write(runs, 2, folder, table, &error));
    snprintf(path, sizeof path, "%s/report.json", folder);
    assert_ok(ps_json_read_file(path, 64 << 20, report, &error));
    ps_arena_release(&arena);
}

/* A run against itself: each model against the same of the other, no difference, no note. */
static void test_comparison(void **state) {
    (void)state;
    struct made first, second;
    struct ps_buffer table;
    json_t *report;
    make_with_replies(&first);
    make_with_replies(&second);
    compare(&first, &second, &report, &table);
    assert_int_equal(json_array_size(ps_json_get(report, "results")), 6);
    assert_int_equal(json_array_size(ps_json_get(report, "runs")), 2);
    assert_int_equal(json_array_size(ps_json_get(report, "notes")), 0);
    const json_t *pairs = ps_json_get(report, "pairs");
    assert_int_equal(json_array_size(pairs), 3);
    for (size_t i = 0; i < 3; i++) {
        const char *a = json_string_value(ps_json_get(item(pairs, i), "a"));
        const char *b = json_string_value(ps_json_get(item(pairs, i), "b"));
        assert_string_equal(strrchr(a, ':'), strrchr(b, ':'));
        assert_string_not_equal(a, b);
        assert_true(number(item(pairs, i), "difference") == 0);
    }
    assert_non_null(strstr(table.data, "cannot be told apart"));
    json_decref(report);
    ps_buffer_release(&table);
    drop(&first);
    drop(&second);
}

/* Gives row 4 another gold, against which no reply is correct. */
static void change_gold(const char *path) {
    static const int64_t row = 4;
    const struct ps_store_filter filter = {.per = PS_STORE_PER_ITEM, .row = &row};
    const struct ps_store_verdict verdict = {
        .grader = "plain 1", .verdict = "wrong", .gold = "1000", .extracted = "5"};
    struct ps_store *store;
    struct ps_store_cursor *cursor;
    struct ps_store_row found;
    int64_t traces[3], items;
    bool more;
    assert_ok(ps_store_open(&store, path, PS_STORE_WRITE, &error));
    assert_ok(ps_store_set_gold(store, "arith", "test", row, "1000", &items, &error));
    assert_int_equal(items, 1);
    assert_ok(ps_store_query(store, &filter, &cursor, &error));
    for (size_t i = 0; i < 3; i++) {
        assert_ok(ps_store_next(cursor, &found, &more, &error));
        assert_true(more);
        traces[i] = found.id;
    }
    ps_store_cursor_close(cursor);
    for (size_t i = 0; i < 3; i++)
        assert_ok(ps_store_put_verdict(store, traces[i], &verdict, &error));
    assert_ok(ps_store_flush(store, &error));
    ps_store_close(store);
}

/* What is not the same for both stands beside the difference; another gold is left out. */
static void test_other_settings(void **state) {
    (void)state;
    struct made first, second;
    struct ps_buffer table, text;
    struct ps_arena arena;
    struct ps_report_run runs[2];
    char path[256];
    json_t *report;
    make_with_replies(&first);
    make_with_replies(&second);
    snprintf(path, sizeof path, "%s/evals.db", second.run.stage[4]);
    change_gold(path);
    ps_buffer_init(&text, 1 << 20);
    snprintf(path, sizeof path, "%s/result.json", second.run.stage[4]);
    assert_ok(ps_file_read(path, &text, &error));
    for (char *at = text.data; (at = strstr(at, "\"max_tokens\":160")); at++) at[14] = '9';
    assert_ok(ps_file_write_atomic(path, text.data, text.size, &error));
    compare(&first, &second, &report, &table);
    const json_t *notes = ps_json_get(report, "notes");
    assert_int_equal(json_array_size(notes), 6); /* two for each pair */
    assert_non_null(strstr(table.data, "compared on the 29 problems"));
    assert_non_null(strstr(table.data, "1 with another gold"));
    assert_non_null(strstr(table.data, "max_tokens 190 and 160"));
    json_decref(report);
    /* Nothing in common. */
    snprintf(path, sizeof path, "%s/evals.db", second.run.stage[4]);
    assert_ok(ps_path_remove(path, &error));
    ps_arena_init(&arena, 1 << 20);
    assert_ok(ps_report_find(first.run.folder, &arena, &runs[0], &error));
    assert_ok(ps_report_find(second.run.folder, &arena, &runs[1], &error));
    assert_fails(ps_report_write(runs, 2, first.run.folder, NULL, &error), PS_ARGUMENT,
                 "have no problem in common");
    ps_arena_release(&arena);
    ps_buffer_release(&text);
    ps_buffer_release(&table);
    drop(&first);
    drop(&second);
}

/* ---- hostile texts ---- */

static size_t occurrences(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) count++;
    return count;
}

/* What a parser of HTML sees of the hostile texts is text. */
static void test_escaped(void **state) {
    (void)state;
    struct made made;
    make_with_replies(&made);
    assert_int_equal(strlen(made.page.data), made.page.size); /* no NUL */
    assert_int_equal(occurrences(made.page.data, "</script"), 4);
    assert_int_equal(occurrences(made.page.data, "<img"), 0);
    assert_int_equal(occurrences(made.page.data, "<!--"), 0);
    assert_int_equal(occurrences(made.page.data, "<b "), 0);
    assert_int_equal(occurrences(made.page.data, "{{"), 0);
    assert_non_null(strstr(made.page.data, "<h1>quick &amp; &lt;start&gt;</h1>"));
    assert_non_null(strstr(made.page.data, "default-src 'none'"));
    assert_null(strstr(made.page.data, "'unsafe-eval'"));
    drop(&made);
}

static void test_missing(void **state) {
    (void)state;
    struct made made;
    struct ps_arena arena;
    struct ps_report_run run;
    char path[256];
    ps_arena_init(&arena, 1 << 20);
    make(&made, "-0.7", "-0.5", "0.0001");
    /* Nothing but the run's description is there: still a report. */
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/result.json", made.run.stage[i]);
        assert_ok(ps_path_remove(path, &error));
    }
    snprintf(path, sizeof path, "%s/evals.db", made.run.stage[4]);
    assert_ok(ps_path_remove(path, &error));
    snprintf(path, sizeof path, "%s/metrics.jsonl", made.run.folder);
    assert_ok(ps_path_remove(path, &error));
    assert_ok(ps_report_find(made.run.folder, &arena, &run, &error));
    assert_ok(ps_report_write(&run, 1, made.run.folder, NULL, &error));
    /* A damaged file is named. */
    report_put(made.run.stage[4], "result.json", "{\"results\": 3}");
    assert_fails(ps_report_write(&run, 1, made.run.folder, NULL, &error), PS_FORMAT, "result.json");
    assert_fails(ps_report_find("/tmp", &arena, &run, &error), PS_NOT_FOUND, "runs/NAME");
    assert_fails(ps_report_find("/nowhere", &arena, &run, &error), PS_NOT_FOUND, "evals.db");
    drop(&made);
    ps_arena_release(&arena);
}

/* Every allocation may fail: the old report stays. */
static void test_memory(void **state) {
    (void)state;
    struct made made;
    struct ps_arena arena;
    struct ps_report_run run;
    enum ps_status status = PS_MEMORY;
    make_with_replies(&made);
    ps_arena_init(&arena, 1 << 20);
    assert_ok(ps_report_find(made.run.folder, &arena, &run, &error));
    for (size_t n = 1; n < 4000 && status != PS_OK; n += 1 + n / 8) {
        ps_memory_fail_at(n);
        status = ps_report_write(&run, 1, made.run.folder, NULL, &error);
        ps_memory_fail_at(0);
        if (status != PS_OK) assert_true(error.message[0] != 0);
    }
    char path[128];
    json_t *report;
    snprintf(path, sizeof path, "%s/report.json", made.run.folder);
    assert_ok(ps_json_read_file(path, 64 << 20, &report, &error));
    json_decref(report);
    ps_arena_release(&arena);
    drop(&made);
}

/* ---- in a browser ---- */

static const char *browser(void) {
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome", NULL};
    static char command[128];
    for (size_t i = 0; names[i]; i++) {
        snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", names[i]);
        if (system(command) == 0) return names[i];
    }
    return NULL;
}

/* The page as it stands after its script ran. */
static void open_page(const char *folder, const char *fragment, struct ps_buffer *dom) {
    char command[512], block[4096];
    snprintf(command, sizeof command,
             "timeout 60 %s --headless --no-sandbox --disable-gpu --user-data-dir=%s/browser "
             "--virtual-time-budget=2000 --dump-dom 'file://%s/report.html%s' 2>/dev/null",
             browser(), folder, folder, fragment);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    dom->size = 0;
    for (size_t got; (got = fread(block, 1, sizeof block, pipe)) > 0;)
        assert_true(ps_buffer_append(dom, block, got));
    pclose(pipe);
}

static void test_browser(void **state) {
    (void)state;
    struct made made;
    struct ps_buffer dom;
    if (!browser()) {
        fprintf(stderr, "skipped: there is no chromium to open the page in\n");
        skip();
    }
    make_with_replies(&made);
    ps_buffer_init(&dom, 64 << 20);
    open_page(made.run.folder, "", &dom);
    if (dom.size == 0) {
        fprintf(stderr, "skipped: chromium does not start here\n");
        ps_buffer_release(&dom);
        drop(&made);
        skip();
    }
    assert_non_null(strstr(dom.data, "<title>quick &amp; &lt;start&gt;"));
    assert_non_null(strstr(dom.data, "training loss"));
    assert_int_equal(occurrences(dom.data, "class=\"cell fill"), 90);
    assert_null(strstr(dom.data, "<dialog id=\"problem\" aria-labelledby=\"problem-title\" open"));
    assert_null(strstr(dom.data, "Which makes"));
    open_page(made.run.folder, "#problem=3", &dom);
    const char *dialog = strstr(dom.data, "<dialog");
    assert_non_null(dialog);
    assert_non_null(strstr(dialog, "The right answer is <b>42</b>"));
    assert_non_null(strstr(dialog, "\\boxed{<mark>42</mark>}"));
    assert_non_null(strstr(dialog, "A NUL \xe2\x9f\xa8U+0000\xe2\x9f\xa9, a byte \xef\xbf\xbd, "
                                   "&lt;/script&gt;&lt;img src=x onerror="));
    assert_non_null(strstr(dialog, "\xe2\x9f\xa8U+202E\xe2\x9f\xa9 turned"));
    assert_null(strstr(dom.data, "<img"));
    assert_null(strstr(dom.data, "<title>owned"));
    open_page(made.run.folder, "#problem=4", &dom);
    assert_non_null(strstr(dom.data, "3 apples &lt;/script&gt;&lt;b onclick=alert(1)&gt; and"));
    assert_null(strstr(dom.data, "<b onclick"));
    ps_buffer_release(&dom);
    drop(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_curve),
        cmocka_unit_test(test_not_significant),
        cmocka_unit_test(test_escaped),
        cmocka_unit_test(test_breakdown),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_comparison),
        cmocka_unit_test(test_other_settings),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_browser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
