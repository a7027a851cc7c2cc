/* JSON: typed members, the writer's escapes and numbers, lines with limits. */
#include "unit.h"

#include "base/json.h"
#include "base/stop.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static void typed_members_say_what_is_wrong(void **state) {
    (void)state;
    struct ps_error error = {0};
    const char *text = "{\"a\": \"x\", \"n\": 3, \"r\": 0.5, \"b\": true, \"o\": {}, \"z\": null}";
    json_t *object;
    assert_ok(ps_json_parse("t", text, strlen(text), &object, &error));
    const char *string;
    int64_t integer;
    double number;
    bool flag;
    json_t *child;
    assert_ok(ps_json_string(object, "a", &string, &error));
    assert_string_equal(string, "x");
    assert_ok(ps_json_integer(object, "n", 0, 5, &integer, &error));
    assert_int_equal(integer, 3);
    assert_ok(ps_json_number(object, "n", &number, &error));
    assert_true(number == 3);
    assert_ok(ps_json_bool(object, "b", &flag, &error));
    assert_true(flag);
    assert_ok(ps_json_integer_or(object, "z", 0, 5, 4, &integer, &error));
    assert_int_equal(integer, 4);
    assert_fails(ps_json_integer(object, "n", 4, 5, &integer, &error), PS_FORMAT,
                 "3, not in 4 .. 5");
    assert_fails(ps_json_string(object, "n", &string, &error), PS_FORMAT, "'n' is 3, not a string");
    assert_fails(ps_json_integer(object, "r", 0, 1, &integer, &error), PS_FORMAT,
                 "'r' is 0.5, not an integer");
    assert_fails(ps_json_string(object, "z", &string, &error), PS_FORMAT, "'z' is missing");
    assert_fails(ps_json_array(object, "o", &child, &error), PS_FORMAT, "an object, not an array");
    json_decref(object);
    assert_fails(ps_json_parse("t.json", "{\n \"a\": }", 9, &object, &error), PS_FORMAT,
                 "t.json:2:");
    assert_fails(ps_json_parse("t", "{\"a\":1,\"a\":2}", 13, &object, &error), PS_FORMAT,
                 "duplicate");
    assert_fails(ps_json_read_file("/nowhere/x.json", 10, &object, &error), PS_NOT_FOUND,
                 "/nowhere/x.json");
}

static void writer_escapes_and_round_trips(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_buffer buffer;
    struct ps_json_writer writer;
    ps_buffer_init(&buffer, 1000);
    ps_json_writer_begin(&writer, &buffer);
    ps_json_write_begin_object(&writer);
    ps_json_write_key(&writer, "b\"");
    ps_json_write_text(&writer, "\n\t\x01\\\xC3\xA4\xFFz\0", 9);
    ps_json_write_key(&writer, "list");
    ps_json_write_begin_array(&writer);
    ps_json_write_number(&writer, 0.1);
    ps_json_write_number(&writer, 1e-4);
    ps_json_write_number(&writer, NAN);
    ps_json_write_integer(&writer, INT64_MIN);
    ps_json_write_bool(&writer, false);
    ps_json_write_string(&writer, NULL);
    ps_json_write_begin_object(&writer);
    ps_json_write_end_object(&writer);
    ps_json_write_end_array(&writer);
    ps_json_write_end_object(&writer);
    assert_ok(ps_json_writer_end(&writer, &error));
    assert_string_equal(buffer.data, "{\"b\\\"\":\"\\n\\t\\u0001\\\\\xC3\xA4\xEF\xBF\xBDz\\u0000\","
                                     "\"list\":[0.1,0.0001,null,-9223372036854775808,false,null,"
                                     "{}]}");
    json_t *value;
    assert_ok(ps_json_parse("t", buffer.data, buffer.size, &value, &error));
    json_decref(value);
    ps_buffer_release(&buffer);
    ps_buffer_init(&buffer, 4);
    ps_json_writer_begin(&writer, &buffer);
    ps_json_write_string(&writer, "too long");
    assert_int_not_equal(ps_json_writer_end(&writer, &error), PS_OK);
    ps_buffer_release(&buffer);
}

struct source {
    const char *text;
    size_t position, step;
};

static enum ps_status read_source(void *context, char *data, size_t room, size_t *got,
                                  struct ps_error *error) {
    (void)error;
    struct source *source = context;
    size_t left = strlen(source->text) - source->position;
    *got = left < source->step ? left : source->step;
    if (*got > room) *got = room;
    memcpy(data, source->text + source->position, *got);
    source->position += *got;
    return PS_OK;
}

static void lines_go_on_after_a_bad_one(void **state) {
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        struct ps_error error = {0};
        struct source source = {
            "{\"a\":1}\r\n\n  \n[1,\n\"this line is longer than twenty bytes\"\n2", 0, step};
        struct ps_json_lines lines;
        json_t *value;
        ps_json_lines_open_function(&lines, "in", read_source, &source, 20);
        assert_ok(ps_json_lines_next(&lines, &value, &error));
        assert_true(json_is_object(value));
        json_decref(value);
        assert_fails(ps_json_lines_next(&lines, &value, &error), PS_FORMAT, "in:4:");
        assert_fails(ps_json_lines_next(&lines, &value, &error), PS_LIMIT, "in:5: line of more");
        assert_ok(ps_json_lines_next(&lines, &value, &error));
        assert_int_equal(json_integer_value(value), 2);
        assert_int_equal(lines.line, 6);
        json_decref(value);
        assert_ok(ps_json_lines_next(&lines, &value, &error));
        assert_null(value);
        ps_json_lines_close(&lines);
    }
}

/* Lines that are ready do not move those before them. */
static void lines_are_handed_out_together(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct source source = {"[1]\n[2]\n \n[3]\n[4", 0, 18};
    struct ps_json_lines lines;
    const char *first, *text;
    size_t size;
    ps_json_lines_open_function(&lines, "in", read_source, &source, 20);
    assert_false(ps_json_lines_ready(&lines));
    assert_ok(ps_json_lines_text(&lines, &first, &size, &error));
    assert_true(ps_json_lines_ready(&lines));
    assert_ok(ps_json_lines_text(&lines, &text, &size, &error));
    assert_ptr_equal(text, first + 4);
    assert_memory_equal(first, "[1]\n[2]", 7);
    assert_false(ps_json_lines_ready(&lines)); /* a blank line */
    assert_ok(ps_json_lines_text(&lines, &text, &size, &error));
    assert_memory_equal(text, "[3]", 3);
    assert_false(ps_json_lines_ready(&lines)); /* half a line */
    assert_ok(ps_json_lines_text(&lines, &text, &size, &error));
    assert_memory_equal(text, "[4", 2);
    assert_false(ps_json_lines_ready(&lines));
    ps_json_lines_close(&lines);
}

/* The other end of a pipe is silent and stays open. */
static void waiting_for_a_line_can_be_stopped(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_json_lines lines;
    json_t *value;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "[1]\n[2", 6), 6);
    ps_json_lines_open(&lines, "in", ends[0], 20);
    ps_stop_request(true);
    assert_ok(ps_json_lines_next(&lines, &value, &error));
    json_decref(value);
    assert_fails(ps_json_lines_next(&lines, &value, &error), PS_STOPPED, "stopped");
    ps_stop_request(false);
    ps_json_lines_close(&lines);
    close(ends[0]);
    close(ends[1]);
}

static void writer_tells_the_limit_from_no_memory(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_buffer buffer;
    for (size_t n = 0; n < 2; n++) {
        struct ps_json_writer writer;
        ps_buffer_init(&buffer, n == 0 ? 10 : 1000);
        ps_json_writer_begin(&writer, &buffer);
        ps_memory_fail_at(n);
        ps_json_write_string(&writer, "longer than ten bytes");
        ps_memory_fail_at(0);
        assert_fails(ps_json_writer_end(&writer, &error), n == 0 ? PS_LIMIT : PS_MEMORY,
                     n == 0 ? "more than 10 bytes" : "out of memory");
        ps_buffer_release(&buffer);
    }
}

static void every_failed_allocation_is_told(void **state) {
    (void)state;
    const char *text = "{\"a\": [1, 2, {\"b\": \"some text\"}], \"c\": 0.25}";
    bool failed = true;
    for (size_t n = 1; failed && n < 200; n++) {
        struct ps_error error = {0};
        json_t *value;
        ps_memory_fail_at(n);
        enum ps_status status = ps_json_parse("t", text, strlen(text), &value, &error);
        ps_memory_fail_at(0);
        failed = status != PS_OK;
        if (!failed) json_decref(value);
    }
    assert_false(failed);
}

static void large_integers_are_real_numbers(void **state) {
    (void)state;
    const char *text = "{\"n\":9223372036854775807,\"big\":[1000000000000000019884624838656, "
                       "-99999999999999999999],\"s\":\"\\\"1000000000000000019884624838656\"}";
    struct ps_error error;
    json_t *value;
    assert_ok(ps_json_parse("t", text, strlen(text), &value, &error));
    const json_t *big = json_object_get(value, "big");
    assert_int_equal(json_integer_value(json_object_get(value, "n")), INT64_MAX);
    assert_true(json_real_value(json_array_get(big, 0)) == 1e30);
    assert_true(json_real_value(json_array_get(big, 1)) == -1e20);
    assert_string_equal(json_string_value(json_object_get(value, "s")),
                        "\"1000000000000000019884624838656");
    json_decref(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_members_say_what_is_wrong),
        cmocka_unit_test(writer_escapes_and_round_trips),
        cmocka_unit_test(lines_go_on_after_a_bad_one),
        cmocka_unit_test(lines_are_handed_out_together),
        cmocka_unit_test(waiting_for_a_line_can_be_stopped),
        cmocka_unit_test(writer_tells_the_limit_from_no_memory),
        cmocka_unit_test(large_integers_are_real_numbers),
        cmocka_unit_test(every_failed_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
