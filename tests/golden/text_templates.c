/* Chat templates against jinja2: every case is rendered and compared byte for byte, or must fail.
 * templates.json is made by make_templates.py; the other vectors are the shared ones. */
#include "../unit/unit.h"

#include "base/file.h"
#include "base/json.h"
#include "text/jinja/jinja.h"

#include <string.h>

static struct ps_error error;

/* Renders a case; the text is empty where that fails. */
static enum ps_status render(const char *name, const char *source, size_t size,
                             const json_t *context, const char *date, struct ps_marked_text *text) {
    struct ps_jinja *template;
    struct ps_jinja_input input = {.variables = context, .date = date};
    ps_marked_text_init(text);
    enum ps_status status = ps_jinja_parse(name, source, size, &template, &error);
    if (status != PS_OK) return status;
    status = ps_jinja_render(template, &input, text, &error);
    ps_jinja_free(template);
    return status;
}

/* How many cases differ; each is printed. */
static size_t compare(const char *name, const char *source, size_t size, const json_t *each,
                      const char *date) {
    const json_t *expected = json_object_get(each, "expected");
    struct ps_marked_text text;
    enum ps_status status =
        render(name, source, size, json_object_get(each, "context"), date, &text);
    const char *got = text.text.data ? text.text.data : "";
    bool same = expected ? status == PS_OK && text.text.size == json_string_length(expected) &&
                               memcmp(got, json_string_value(expected), text.text.size) == 0
                         : status == PS_FORMAT || status == PS_LIMIT || status == PS_UNSUPPORTED;
    if (!same)
        print_message("%s: %.400s\n  got      %s\n  expected %s\n", name, source,
                      status == PS_OK ? got : error.message,
                      expected ? json_string_value(expected) : "an error");
    ps_marked_text_release(&text);
    return !same;
}

static void own_cases_match(void **state) {
    (void)state;
    json_t *cases, *each;
    size_t i, differing = 0;
    assert_ok(
        ps_json_read_file(PS_SOURCE_DIR "/tests/golden/templates.json", 1 << 24, &cases, &error));
    json_array_foreach(cases, i, each) {
        const json_t *source = json_object_get(each, "source");
        char name[32];
        snprintf(name, sizeof name, "case %zu", i);
        differing += compare(name, json_string_value(source), json_string_length(source), each,
                             "2026-11-22");
    }
    assert_true(i > 600);
    print_message("%zu cases, %zu differ\n", i, differing);
    assert_int_equal(differing, 0);
    json_decref(cases);
}

static void shared_cases_match(void **state) {
    (void)state;
    const char *path = unit_shared("golden/chat_templates.json");
    json_t *cases, *each;
    size_t i, differing = 0;
    if (!path) skip();
    assert_ok(ps_json_read_file(path, 1 << 24, &cases, &error));
    json_array_foreach(cases, i, each) {
        char file[160];
        const char *name = json_string_value(json_object_get(each, "template"));
        struct ps_buffer source;
        ps_buffer_init(&source, 1 << 20);
        snprintf(file, sizeof file, "chat_templates/%s", name);
        assert_ok(ps_file_read(unit_shared(file), &source, &error));
        differing += compare(name, source.data, source.size, each, "2025-01-02");
        ps_buffer_release(&source);
    }
    assert_true(i > 100);
    print_message("%zu cases, %zu differ\n", i, differing);
    assert_int_equal(differing, 0);
    json_decref(cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_cases_match),
        cmocka_unit_test(shared_cases_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
