/* Chat templates from files: which bytes are data, where errors stand, and that a hostile template
 * ends soon. What they render is compared with jinja2 in tests/golden. */
#include "unit.h"

#include "base/json.h"
#include "text/jinja/jinja.h"
#include "text/text_internal.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

static struct ps_error error;

static const char context_text[] =
    "{\"messages\": [{\"role\": \"user\", \"content\": \" Da<ta \"}],"
    " \"tools\": [{\"name\": \"f\"}], \"name\": \"own\"}";

static enum ps_status render(const char *source, const char *date, struct ps_marked_text *text) {
    struct ps_jinja *template;
    json_t *context;
    assert_ok(ps_json_parse("context", context_text, strlen(context_text), &context, &error));
    struct ps_jinja_input input = {.variables = context, .date = date};
    ps_marked_text_init(text);
    enum ps_status status = ps_jinja_parse("t", source, strlen(source), &template, &error);
    if (status == PS_OK) {
        status = ps_jinja_render(template, &input, text, &error);
        ps_jinja_free(template);
    }
    json_decref(context);
    return status;
}

/* ---- marks ---- */

/* The text with data in brackets. */
static void show_marks(const struct ps_marked_text *text, char *out, size_t size) {
    size_t begin = 0, used = 0;
    for (size_t i = 0; i < text->span_count; begin = text->spans[i++].end) {
        bool data = text->spans[i].data;
        used += (size_t)snprintf(out + used, size - used, "%s%.*s%s", data ? "[" : "",
                                 (int)(text->spans[i].end - begin), text->text.data + begin,
                                 data ? "]" : "");
    }
}

static void marks_follow_the_text(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"a{{ messages[0].content }}b", "a[ Da<ta ]b"},
        {"{{ 'a' + messages[0].content + 'b' }}", "a[ Da<ta ]b"},
        {"{{ 'a' ~ messages[0].content | trim ~ 1 }}", "a[Da<ta]1"},
        {"{{ ('a' + messages[0].content)[0:3] }}", "a[ D]"},
        {"{{ ('a' + messages[0].content | trim)[::-1] }}", "[at<aD]a"},
        {"{{ ('x' + messages[0].content).split(' ') | join('-') }}", "x-[Da<ta]-"},
        {"{{ messages[0].content.replace('Da', 'own') }}", "[ ]own[<ta ]"},
        {"{{ 'a-b' | replace('-', messages[0].content.strip()) }}", "a[Da<ta]b"},
        {"{{ ('a' + messages[0].content) | upper }}", "A[ DA<TA ]"},
        {"{{ messages[0].content | e }}", "[ Da&lt;ta ]"},
        {"{{ [name, messages[0].content | trim] }}", "['own', '[Da<ta]']"},
        {"{{ tools | tojson }}", "[{\"[name]\": \"[f]\"}]"},
        {"{{ ['a', messages[0].content | trim] | join(', ') }}", "a, [Da<ta]"},
        {"{{ '%s=%s' % (name, messages[0].role) }}", "own=[user]"},
        {"{{ '{}={}'.format(name, messages[0].role) }}", "own=[user]"},
        {"{{ messages[0].role * 2 }}", "[useruser]"},
        {"{% set x %}a{{ messages[0].role }}{% endset %}{{ x }}", "a[user]"},
        {"{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(messages[0].role) }}", "<[user]>"},
        {"{% filter upper %}a{{ messages[0].role }}{% endfilter %}", "A[USER]"},
        {"{% for c in messages[0].role %}{{ c }}-{% endfor %}", "[u]-[s]-[e]-[r]-"},
        {"{{ 'a\\nb' | indent(messages[0].role) }}", "a\n[user]b"},
        {"{{ messages[0].content | length }}{{ messages | length }}", "71"},
        {"{% set ns = namespace(t='') %}{% for i in [1, 2] %}{% set ns.t = ns.t + 'a' + "
         "messages[0].role %}{% endfor %}{{ ns.t }}",
         "a[user]a[user]"},
        {"{% set a = 'x' + messages[0].role %}{% set b = a + 'y' %}{% set c = a + messages[0].role "
         "%}{{ b }} {{ c }}",
         "x[user]y x[useruser]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ps_marked_text text;
        char shown[256] = "";
        if (render(cases[i][0], NULL, &text) != PS_OK)
            fail_msg("%s: %s", cases[i][0], error.message);
        show_marks(&text, shown, sizeof shown);
        assert_string_equal(shown, cases[i][1]);
        ps_marked_text_release(&text);
    }
}

static void a_conversation_keeps_its_marks(void **state) {
    (void)state;
    static const char source[] =
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}";
    struct ps_message messages[1];
    struct ps_conversation conversation = {.messages = messages};
    struct ps_marked_text *content = &ps_conversation_add(&conversation, "user")->content;
    assert_ok(ps_marked_text_append(content, "Solve: ", 7, false, &error));
    assert_ok(ps_marked_text_append(content, "<|user|>", 8, true, &error));
    struct ps_jinja *template;
    struct ps_jinja_input input = {.conversation = &conversation};
    struct ps_marked_text text;
    char shown[64] = "";
    ps_marked_text_init(&text);
    assert_ok(ps_jinja_parse("t", source, strlen(source), &template, &error));
    assert_ok(ps_jinja_render(template, &input, &text, &error));
    show_marks(&text, shown, sizeof shown);
    assert_string_equal(shown, "<|user|>Solve: [<|user|>]");
    ps_marked_text_release(&text);
    ps_marked_text_release(content);
    ps_jinja_free(template);
}

/* ---- messages ---- */

static void errors_say_where_and_why(void **state) {
    (void)state;
    static const struct {
        const char *source, *message;
    } cases[] = {
        {"{{ raise_exception('Roles must alternate') }}", "t:1:19: Roles must alternate"},
        {"a\n\xC3\xA9{{ x.y }}", "t:2:6: 'x' is undefined"},
        {"{{ messages[0].zork.more }}", "t:1:20: 'dict object' has no attribute 'zork'"},
        {"{{ messages[9].role }}", "t:1:15: list object has no element 9"},
        {"{{ none.x.y }}", "t:1:10: 'None' has no attribute 'x'"},
        {"{{ 'a' + 1 }}", "t:1:8: can only concatenate str (not \"int\") to str"},
        {"{{ 1 < 'a' }}", "t:1:6: '<' not supported between instances of 'int' and 'str'"},
        {"{{ messages.append(1) }}",
         "t:1:19: access to attribute 'append' of 'list' object is unsafe"},
        {"{{ none | length }}", "t:1:11: object of type 'NoneType' has no len()"},
        {"{{ 1 | zork }}", "t:1:8: there is no filter 'zork'"},
        {"{{ 1 | urlize }}", "t:1:8: the filter 'urlize' is not built"},
        {"{% include 'x' %}", "t:1:4: {% include %} is not supported"},
        {"{% if true %}\n{% endfor %}", "t:2:4: unknown or misplaced tag 'endfor'"},
        {"{% for x in y %}\n", "the template ends before {% endfor %}"},
        {"{{ 'abc }}", "t:1:4: a string without its end"},
        {"{{ (1] }}", "t:1:6: unexpected ']'"},
        {"\n\n{# x", "t:3:1: the end of the comment is missing"},
        {"{{ 1 2 }}", "t:1:6: expected '}}', found '2'"},
        {"{{ strftime_now('%Y') }}", "--date"},
        {"{{ 9223372036854775807 + 1 }}", "beyond 64 bits"},
        {"\xFF", "t:1:1: this is no UTF-8"},
        {"{{ range(5) | map('upper') }}", "put |list behind it"},
        {"{{ ('{0:' * 99999 + '}' * 99999).format(1) }}", "Max string recursion exceeded"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ps_marked_text text;
        assert_int_not_equal(render(cases[i].source, NULL, &text), PS_OK);
        if (!strstr(error.message, cases[i].message))
            fail_msg("%s: '%s' instead of '%s'", cases[i].source, error.message, cases[i].message);
        ps_marked_text_release(&text);
    }
}

static void dates_are_given(void **state) {
    (void)state;
    static const char *const wrong[] = {"2026-02-29", "2026-1-1", "today", "", "2026-13-01"};
    static const char source[] = "{{ strftime_now('%A %d %b %Y %j') }}";
    struct ps_marked_text text;
    assert_ok(render(source, "2024-02-29", &text));
    assert_string_equal(text.text.data, "Thursday 29 Feb 2024 060");
    ps_marked_text_release(&text);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_fails(render(source, wrong[i], &text), PS_FORMAT, "is no date");
        ps_marked_text_release(&text);
    }
}

/* ---- limits ---- */

static void hostile_templates_end_soon(void **state) {
    (void)state;
    static const char *const sources[] = {
        "{{ 'x' * 10 ** 9 }}",
        "{{ [1] * 10 ** 9 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
        "{% macro m(n) %}{% if n < 60 %}{{ m(n + 1) }}{{ m(n + 1) }}{% endif %}{% endmacro %}"
        "{{ m(0) }}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x "
        "%}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}"
        "{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}"
        "{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}"
        "{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}"
        "{% endfor %}{{ ns.x | tojson }}{{ ns.x == ns.x[0] }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = ns.x | map('abs') "
        "%}{% endfor %}{{ ns.x | list }}",
        "{{ ('a' * 9999999).rfind('a' * 99999 + 'b') }}",
        "{{ ('a' * 9999999).strip('b' * 9999999 + 'a') }}",
        "{{ ('{0:' * 99999 + '}' * 99999).format(1) if false }}{{ ('{0:' * 9999999).split('0')[:9] }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}"
        "{% endfor %}{% set ns.y = [] %}{% for i in range(9999) %}{% set ns.y = [ns.y] %}"
        "{% endfor %}{{ ns.x == ns.y }}{{ ns.x < ns.y }}",
        "{% set ns = namespace(x=()) %}{% for i in range(99999) %}{% set ns.x = (ns.x,) %}"
        "{% endfor %}{{ {ns.x: 1} }}",
        "{% set s = 'ab' * 9999999 %}{% for i in range(99999) %}{{ s.count('ab') }}{% endfor %}",
        "{% set s = 'ab' * 9999999 %}{% for i in range(99999) %}{{ s.replace('a', 'bb') | length }}"
        "{% endfor %}",
        "{% set s = 'a' * 9999999 %}{% for i in range(99999) %}{{ s[9999990] }}{% endfor %}",
        "{% set s = 'a' * 9999999 %}{{ (s + 'b').find(s + 'c') }}{{ s.rfind('b' * 99999) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ '%.999999999f' % 1.0 }}",
        "{{ range(99999) | list | tojson(indent=99999) }}",
        "{{ ('a\n' * 99999) | indent(99999) }}",
        "{{ range(99999) | batch(99999, 1) | list | length }}{{ [1] | slice(99999999) | list }}",
        "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ range(99999) | join('x' * 9999) }}",
        "{{ 'x'.center(999999999) }}{{ 'x' | center(999999999) }}{{ '1'.zfill(999999999) }}",
        "{{ range(99999) | unique | list | length }}",
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        struct ps_marked_text text;
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        enum ps_status status = render(sources[i], NULL, &text);
        clock_gettime(CLOCK_MONOTONIC, &end);
        double seconds =
            (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
        if (seconds > 20) fail_msg("%.1f s: %s", seconds, sources[i]);
        if (getenv("POTSTILL_TEST_TIMES"))
            print_message("%.3f s %s: %.60s\n", seconds, ps_status_name(status), sources[i]);
        if (status != PS_LIMIT && status != PS_FORMAT && status != PS_OK)
            fail_msg("%s: %s %s", sources[i], ps_status_name(status), error.message);
        if (status == PS_LIMIT) assert_true(strncmp(error.message, "t:", 2) == 0);
        ps_marked_text_release(&text);
    }
}

/* begin, then `middle` many times, then end. */
static void parse_repeated(const char *begin, const char *middle, const char *end, size_t count) {
    size_t size = strlen(begin) + strlen(middle) * count + strlen(end);
    char *source = malloc(size + 1), *at = stpcpy(source, begin);
    struct ps_marked_text text;
    for (size_t i = 0; i < count; i++) at = stpcpy(at, middle);
    strcpy(at, end);
    enum ps_status status = render(source, NULL, &text);
    if (status != PS_LIMIT && status != PS_FORMAT && status != PS_OK)
        fail_msg("%s: %s", middle, error.message);
    ps_marked_text_release(&text);
    free(source);
}

static void deep_nesting_is_an_error(void **state) {
    (void)state;
    parse_repeated("{{ ", "(", "1", 100000);
    parse_repeated("{{ ", "[", "1", 100000);
    parse_repeated("{{ ", "{1:", "1", 100000);
    parse_repeated("{{ ", "-", "1 }}", 100000);
    parse_repeated("{{ ", "not ", "1 }}", 100000);
    parse_repeated("{{ 1", " + 1", " }}", 100000);
    parse_repeated("{{ 1", " if 1 else 1", " }}", 100000);
    parse_repeated("{{ x", ".x", " }}", 100000);
    parse_repeated("{{ x", "[0]", " }}", 100000);
    parse_repeated("{{ x", "()", " }}", 100000);
    parse_repeated("{{ 'x'", "|trim", " }}", 100000);
    parse_repeated("{{ 'x'", " 'x'", " }}", 10000);
    parse_repeated("{{ f(", "a,", "", 200000);
    parse_repeated("{{ 1", " ~ 1", " }}", 100000);
    parse_repeated("{{ 1", " < 1", " }}", 100000);
    parse_repeated("", "{% if true %}", "", 50000);
    parse_repeated("", "{% for x in y %}", "", 50000);
    parse_repeated("{% if false %}", "{% elif false %}", "{% endif %}", 50000);
    parse_repeated("", "{% set x = 1 %}", "", 50000);
    parse_repeated("", "{{", "", 100000);
    parse_repeated("", "{#", "", 100000);
    parse_repeated("", "{% raw %}", "", 50000);
    parse_repeated("", "  \n", "{% set x = 1 %}", 200000);
}

static void names_are_limited(void **state) {
    (void)state;
    char *source = malloc(1 << 20), *at = source;
    struct ps_marked_text text;
    for (int i = 0; i < 30000; i++) at += sprintf(at, "{{ n%d }}{%% set m%d = 1 %%}", i, i);
    assert_fails(render(source, NULL, &text), PS_LIMIT, "variables");
    ps_marked_text_release(&text);
    free(source);
}

/* ---- memory and threads ---- */

static const char everything[] =
    "{% macro m(a, b=2) %}{{ a }}{{ varargs }}{{ caller() if caller }}{% endmacro %}"
    "{% for m in messages if m.role %}{{ loop.last }}{{ m.content | trim | upper }}{% endfor %}"
    "{% set ns = namespace(x='a') %}{% set ns.x = ns.x + name %}{{ ns.x }}{% call m(1) %}x{% endcall %}"
    "{{ tools | tojson(indent=2, sort_keys=true) }}{{ [3, 1] | sort }}{{ 'a b'.split() }}"
    "{{ '%s {}' % 1 | string }}{{ {'a': 1} | dictsort }}{% filter upper %}x{% endfilter %}"
    "{{ [1, 2] | map('string') | join('-') }}{{ strftime_now('%Y') }}{{ 'x'[::-1] }}";

static void memory_may_run_out(void **state) {
    (void)state;
    bool failed = true;
    for (size_t n = 1; failed && n < 5000; n++) {
        struct ps_jinja *template = NULL;
        struct ps_marked_text text;
        json_t *context;
        assert_ok(ps_json_parse("context", context_text, strlen(context_text), &context, &error));
        struct ps_jinja_input input = {.variables = context, .date = "2026-11-22"};
        ps_marked_text_init(&text);
        ps_memory_fail_at(n);
        enum ps_status status =
            ps_jinja_parse("t", everything, strlen(everything), &template, &error);
        if (status == PS_OK) status = ps_jinja_render(template, &input, &text, &error);
        ps_memory_fail_at(0);
        failed = status != PS_OK;
        if (failed) assert_int_equal(status, PS_MEMORY);
        ps_jinja_free(template);
        ps_marked_text_release(&text);
        json_decref(context);
        if (failed) assert_true(n < 4000);
    }
    assert_false(failed);
}

struct worker {
    const struct ps_jinja *template;
    const json_t *context;
    bool same;
    const char *expected;
};

static void *work(void *argument) {
    struct worker *worker = argument;
    worker->same = true;
    for (int i = 0; i < 200 && worker->same; i++) {
        struct ps_error problem;
        struct ps_jinja_input input = {.variables = worker->context, .date = "2026-11-22"};
        struct ps_marked_text text;
        ps_marked_text_init(&text);
        worker->same = ps_jinja_render(worker->template, &input, &text, &problem) == PS_OK &&
                       strcmp(text.text.data, worker->expected) == 0;
        ps_marked_text_release(&text);
    }
    return NULL;
}

static void threads_share_a_template(void **state) {
    (void)state;
    struct ps_jinja *template;
    struct ps_marked_text text;
    struct worker workers[4];
    pthread_t threads[4];
    json_t *context;
    assert_ok(render(everything, "2026-11-22", &text));
    assert_ok(ps_json_parse("context", context_text, strlen(context_text), &context, &error));
    assert_ok(ps_jinja_parse("t", everything, strlen(everything), &template, &error));
    for (size_t i = 0; i < 4; i++) {
        workers[i] = (struct worker){template, context, false, text.text.data};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_true(workers[i].same);
    }
    ps_jinja_free(template);
    ps_marked_text_release(&text);
    json_decref(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_follow_the_text),
        cmocka_unit_test(a_conversation_keeps_its_marks),
        cmocka_unit_test(errors_say_where_and_why),
        cmocka_unit_test(dates_are_given),
        cmocka_unit_test(hostile_templates_end_soon),
        cmocka_unit_test(deep_nesting_is_an_error),
        cmocka_unit_test(names_are_limited),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(threads_share_a_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
