/* Tests: what stands behind `is`. */
#include "text/jinja/render_internal.h"

#include <string.h>

#define TEST(name)                                                                                 \
    static enum ps_status name(struct render *render, const struct call *call, struct value *result)

#define SIMPLE(name, condition)                                                                    \
    TEST(name) {                                                                                   \
        (void)render;                                                                              \
        struct value value = call->self;                                                           \
        *result = BOOLEAN(condition);                                                              \
        return PS_OK;                                                                              \
    }

SIMPLE(test_defined, value.type != TYPE_UNDEFINED)
SIMPLE(test_undefined, value.type == TYPE_UNDEFINED)
SIMPLE(test_none, value.type == TYPE_NONE)
SIMPLE(test_boolean, value.type == TYPE_BOOL)
SIMPLE(test_true, value.type == TYPE_BOOL && value.boolean)
SIMPLE(test_false, value.type == TYPE_BOOL && !value.boolean)
SIMPLE(test_integer, value.type == TYPE_INTEGER)
SIMPLE(test_float, value.type == TYPE_FLOAT)
SIMPLE(test_number, ps_jinja_is_number(value))
SIMPLE(test_string, value.type == TYPE_STRING)
SIMPLE(test_mapping, value.type == TYPE_DICT)
SIMPLE(test_escaped, value.type == TYPE_STRING && value.string->markup)
SIMPLE(test_callable, value.type >= TYPE_MACRO && value.type != TYPE_CYCLER)
SIMPLE(test_iterable, value.type == TYPE_UNDEFINED ||
                          (value.type >= TYPE_STRING && value.type <= TYPE_GENERATOR) ||
                          value.type == TYPE_LOOP)
SIMPLE(test_sequence, value.type == TYPE_UNDEFINED || value.type == TYPE_STRING ||
                          value.type == TYPE_LIST || value.type == TYPE_TUPLE ||
                          value.type == TYPE_DICT || value.type == TYPE_RANGE)
SIMPLE(test_filter, value.type == TYPE_STRING && ps_jinja_find_filter(value.string))
SIMPLE(test_test, value.type == TYPE_STRING && ps_jinja_find_test(value.string))

static enum ps_status modulo(struct render *render, struct value value, struct value by,
                             int64_t expected, struct value *result) {
    struct value rest;
    bool equal;
    PS_TRY(ps_jinja_binary(render, OPERATION_MODULO, value, by, &rest));
    PS_TRY(ps_jinja_equal(render, rest, INTEGER(expected), &equal));
    *result = BOOLEAN(equal);
    return PS_OK;
}

TEST(test_odd) {
    return modulo(render, call->self, INTEGER(2), 1, result);
}
TEST(test_even) {
    return modulo(render, call->self, INTEGER(2), 0, result);
}
TEST(test_divisible) {
    return modulo(render, call->self, call->arguments[0], 0, result);
}

static enum ps_status test_case(struct render *render, const struct call *call,
                                enum letter_case which, struct value *result) {
    const struct string *string;
    struct value same, other;
    PS_TRY(ps_jinja_str(render, call->self, &string));
    PS_TRY(ps_jinja_change_case(render, string, which, &same));
    PS_TRY(ps_jinja_change_case(render, string, which == CASE_UPPER ? CASE_LOWER : CASE_UPPER,
                                &other));
    bool is_same = same.string->size == string->size &&
                   memcmp(same.string->text, string->text, string->size) == 0;
    bool has_case = other.string->size != string->size ||
                    memcmp(other.string->text, string->text, string->size) != 0;
    *result = BOOLEAN(is_same && has_case);
    return PS_OK;
}

TEST(test_upper) {
    return test_case(render, call, CASE_UPPER, result);
}
TEST(test_lower) {
    return test_case(render, call, CASE_LOWER, result);
}

static enum ps_status order(struct render *render, const struct call *call,
                            enum operation operation, struct value *result) {
    bool holds;
    PS_TRY(ps_jinja_order(render, operation, call->self, call->arguments[0], &holds));
    *result = BOOLEAN(holds);
    return PS_OK;
}

TEST(test_equal) {
    return order(render, call, OPERATION_EQUAL, result);
}
TEST(test_not_equal) {
    return order(render, call, OPERATION_NOT_EQUAL, result);
}
TEST(test_less) {
    return order(render, call, OPERATION_LESS, result);
}
TEST(test_less_equal) {
    return order(render, call, OPERATION_LESS_EQUAL, result);
}
TEST(test_greater) {
    return order(render, call, OPERATION_GREATER, result);
}
TEST(test_greater_equal) {
    return order(render, call, OPERATION_GREATER_EQUAL, result);
}
TEST(test_in) {
    return order(render, call, OPERATION_IN, result);
}

/* The same object. */
TEST(test_same) {
    struct value a = call->self, b = call->arguments[0];
    bool same = a.type == b.type;
    if (same && a.type >= TYPE_STRING)
        same = a.list == b.list;
    else if (same)
        PS_TRY(ps_jinja_equal(render, a, b, &same));
    *result = BOOLEAN(same);
    return PS_OK;
}

const struct function *ps_jinja_find_test(const struct string *name) {
    static const struct function tests[] = {
        {"defined", test_defined, "", 0},    {"undefined", test_undefined, "", 0},
        {"none", test_none, "", 0},          {"boolean", test_boolean, "", 0},
        {"true", test_true, "", 0},          {"false", test_false, "", 0},
        {"integer", test_integer, "", 0},    {"float", test_float, "", 0},
        {"number", test_number, "", 0},      {"string", test_string, "", 0},
        {"mapping", test_mapping, "", 0},    {"iterable", test_iterable, "", 0},
        {"sequence", test_sequence, "", 0},  {"callable", test_callable, "", 0},
        {"escaped", test_escaped, "", 0},    {"filter", test_filter, "", 0},
        {"test", test_test, "", 0},          {"odd", test_odd, "", 0},
        {"even", test_even, "", 0},          {"divisibleby", test_divisible, "num", 1},
        {"upper", test_upper, "", 0},        {"lower", test_lower, "", 0},
        {"sameas", test_same, "other", 1},   {"in", test_in, "seq", 1},
        {"eq", test_equal, "/b", 1},         {"equalto", test_equal, "/b", 1},
        {"==", test_equal, "/b", 1},         {"ne", test_not_equal, "/b", 1},
        {"!=", test_not_equal, "/b", 1},     {"lt", test_less, "/b", 1},
        {"lessthan", test_less, "/b", 1},    {"<", test_less, "/b", 1},
        {"le", test_less_equal, "/b", 1},    {"<=", test_less_equal, "/b", 1},
        {"gt", test_greater, "/b", 1},       {"greaterthan", test_greater, "/b", 1},
        {">", test_greater, "/b", 1},        {"ge", test_greater_equal, "/b", 1},
        {">=", test_greater_equal, "/b", 1},
    };
    return ps_jinja_find_function(tests, sizeof tests / sizeof *tests, name);
}
