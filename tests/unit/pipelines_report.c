/* The report of a run made by hand: what its JSON says, and that nothing a model or a data set says
 * reaches the page as markup. Where there is a Chromium the page is opened in it. */
#include "report_fixture.h"

#include "base/json.h"
#include "pipelines/report/report.h"

static const char results[] =
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

static void make(struct made *made, const char *difference, const char *high, const char *p) {
    char text[2048];
    struct ps_arena arena;
    struct ps_report_stage *stages;
    size_t count;
    ps_arena_init(&arena, 1 << 20);
    ps_buffer_init(&made->table, 1 << 20);
    snprintf(text, sizeof text, results, difference, high, p);
    report_run_make(&made->run, 30, text);
    assert_ok(ps_report_stages(made->run.folder, &arena, &stages, &count, &error));
    assert_int_equal(count, 5); /* "later" is not done */
    assert_ok(
        ps_report_write(made->run.folder, stages, count, made->run.folder, &made->table, &error));
    read_report(made);
    ps_arena_release(&arena);
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
    /* three levels of each model, teacher included: its replies are in evals.db */
    const json_t *levels = ps_json_get(made.report, "levels");
    assert_int_equal(json_array_size(levels), 9);
    assert_int_equal(integer(item(levels, 0), "level"), 2);
    assert_int_equal(integer(item(levels, 0), "problems"), 10);
    /* the funnel, in the order of the run */
    const json_t *funnel = ps_json_get(made.report, "funnel");
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
    const json_t *train = item(ps_json_get(made.report, "train"), 0);
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

/* An evaluation that says which source is which model: the same replies under two names, and none
 * of a source that it does not name. */
static void test_models(void **state) {
    (void)state;
    struct made made;
    struct ps_arena arena;
    struct ps_report_stage *stages;
    size_t count;
    ps_arena_init(&arena, 1 << 20);
    make(&made, "-0.7", "-0.5", "0.0001");
    report_put(made.run.stage[4], "result.json",
               "{\"results\":[],\"pairs\":[],\"models\":[{\"model\":\"one\",\"source\":3},"
               "{\"model\":\"two\",\"source\":3}]}");
    assert_ok(ps_report_stages(made.run.folder, &arena, &stages, &count, &error));
    assert_ok(ps_report_write(made.run.folder, stages, count, made.run.folder, NULL, &error));
    drop_report(&made);
    read_report(&made);
    assert_string_equal(headline(&made), "This run has no evaluation yet.");
    const json_t *levels = ps_json_get(made.report, "levels");
    assert_int_equal(json_array_size(levels), 6);
    assert_string_equal(json_string_value(ps_json_get(item(levels, 1), "model")), "two");
    assert_non_null(strstr(made.page.data, "\"models\":[\"one\",\"two\"]"));
    ps_arena_release(&arena);
    drop(&made);
}

static size_t occurrences(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) count++;
    return count;
}

/* What a parser of HTML sees of the hostile texts is text. */
static void test_escaped(void **state) {
    (void)state;
    struct made made;
    make(&made, "-0.7", "-0.5", "0.0001");
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
    struct ps_report_stage *stages;
    size_t count;
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
    assert_ok(ps_report_stages(made.run.folder, &arena, &stages, &count, &error));
    assert_ok(ps_report_write(made.run.folder, stages, count, made.run.folder, NULL, &error));
    /* A damaged file is named. */
    report_put(made.run.stage[4], "result.json", "{\"results\": 3}");
    assert_fails(ps_report_write(made.run.folder, stages, count, made.run.folder, NULL, &error),
                 PS_FORMAT, "result.json");
    assert_fails(ps_report_stages("/tmp", &arena, &stages, &count, &error), PS_NOT_FOUND,
                 "runs/NAME");
    drop(&made);
    ps_arena_release(&arena);
}

/* Every allocation may fail: the old report stays. */
static void test_memory(void **state) {
    (void)state;
    struct made made;
    struct ps_arena arena;
    struct ps_report_stage *stages;
    size_t count;
    enum ps_status status = PS_MEMORY;
    make(&made, "-0.7", "-0.5", "0.0001");
    ps_arena_init(&arena, 1 << 20);
    assert_ok(ps_report_stages(made.run.folder, &arena, &stages, &count, &error));
    for (size_t n = 1; n < 4000 && status != PS_OK; n += 1 + n / 8) {
        ps_memory_fail_at(n);
        status = ps_report_write(made.run.folder, stages, count, made.run.folder, NULL, &error);
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
    make(&made, "-0.7", "-0.5", "0.0001");
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
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_browser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
