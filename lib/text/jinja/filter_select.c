/* map, select, reject and their -attr forms, which are lazy (iterator.c); numbers; the search for a
 * filter by name. */
#include "text/jinja/render_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILTER(name)                                                                               \
    static enum ps_status name(struct render *render, const struct call *call, struct value *result)
#define GIVEN(i) (call->arguments[i].type != TYPE_MISSING)

static enum ps_status new_generator(struct render *render, struct value source,
                                    struct iterator **iterator, struct value *result) {
    PS_TRY(ps_jinja_alloc(render, 1, sizeof **iterator, iterator));
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *(*iterator)->inner, &(*iterator)->inner));
    *result = (struct value){.type = TYPE_GENERATOR, .generator = *iterator};
    /* What is false is not looked at: none|map(...) is empty. */
    if (ps_jinja_truth(source)) return ps_jinja_iterate(render, source, (*iterator)->inner);
    (*iterator)->inner->source.type = TYPE_UNDEFINED;
    return PS_OK;
}

/* The filter or test that is named first among the arguments, and the arguments behind. */
static enum ps_status find_named(struct render *render, const struct arguments *all, size_t at,
                                 bool test, struct iterator *iterator) {
    const struct string *name;
    PS_TRY(
        ps_jinja_need_string(render, all->positional[at], "the name of a filter or test", &name));
    iterator->function = test ? ps_jinja_find_test(name) : ps_jinja_find_filter(name);
    if (!iterator->function)
        return ps_jinja_fail(render, "there is no %s '%.*s'", test ? "test" : "filter",
                             (int)(name->size < 60 ? name->size : 60), name->text);
    iterator->arguments = *all;
    iterator->arguments.positional += at + 1;
    iterator->arguments.count -= at + 1;
    return PS_OK;
}

FILTER(run_map) {
    const struct arguments *all = call->all;
    struct iterator *iterator;
    PS_TRY(new_generator(render, call->self, &iterator, result));
    iterator->kind = ITERATE_MAP;
    if (all->count > 0) return find_named(render, all, 0, false, iterator);
    for (size_t i = 0; i < all->keyword_count; i++) {
        const struct keyword *keyword = &all->keywords[i];
        if (ps_jinja_is(keyword->name, "attribute"))
            iterator->attribute = keyword->value;
        else if (ps_jinja_is(keyword->name, "default"))
            iterator->fallback = keyword->value;
        else
            return ps_jinja_fail(render, "map got an unexpected keyword argument");
    }
    if (iterator->attribute.type == TYPE_MISSING)
        return ps_jinja_fail(render, "map needs the name of a filter or an attribute");
    return PS_OK;
}

static enum ps_status select_by(struct render *render, const struct call *call, bool attribute,
                                bool negated, struct value *result) {
    struct iterator *iterator;
    PS_TRY(new_generator(render, call->self, &iterator, result));
    iterator->kind = ITERATE_SELECT;
    iterator->negated = negated;
    if (attribute && call->all->count == 0)
        return ps_jinja_fail(render, "the name of an attribute is missing");
    if (attribute) iterator->attribute = call->all->positional[0];
    if (call->all->count <= (size_t)attribute) return PS_OK;
    return find_named(render, call->all, attribute, true, iterator);
}

FILTER(run_select) {
    return select_by(render, call, false, false, result);
}
FILTER(run_reject) {
    return select_by(render, call, false, true, result);
}
FILTER(run_selectattr) {
    return select_by(render, call, true, false, result);
}
FILTER(run_rejectattr) {
    return select_by(render, call, true, true, result);
}

/* ---- numbers ---- */

/* The digits of a Python number, without blanks around and underscores; false: too long. */
static bool plain_digits(struct render *render, const struct string *string, char out[64]) {
    struct value stripped;
    size_t used = 0;
    if (ps_jinja_strip(render, string, NULL, STRIP_BOTH, &stripped) != PS_OK) return false;
    string = stripped.string;
    for (size_t i = 0; i < string->size; i++) {
        char c = string->text[i];
        bool between = i > 0 && i + 1 < string->size && c == '_' && string->text[i - 1] != '_' &&
                       strchr("0123456789abcdefABCDEF", string->text[i + 1]) &&
                       strchr("0123456789abcdefABCDEFxXoO", string->text[i - 1]);
        if (between) continue;
        if (used == 63 || c == 0 || c == '_') return false;
        out[used++] = c;
    }
    out[used] = 0;
    return used > 0;
}

static bool parse_integer(struct render *render, const struct string *string, int base,
                          int64_t *integer, bool *overflow) {
    char digits[64], *end;
    if (!plain_digits(render, string, digits)) return false;
    const char *begin = digits;
    bool negative = *begin == '-';
    if (*begin == '-' || *begin == '+') begin++;
    int prefix = begin[0] != '0'          ? 0
                 : (begin[1] | 32) == 'x' ? 16
                 : (begin[1] | 32) == 'o' ? 8
                 : (begin[1] | 32) == 'b' ? 2
                                          : 0;
    if (prefix && (base == prefix || base == 0)) {
        begin += 2;
        base = prefix;
    } else if (base == 0) {
        base = 10;
        if (begin[0] == '0' && strspn(begin, "0") != strlen(begin)) return false;
    }
    if (!*begin || strpbrk(begin, "+- \t\n\r\v\f") || (base == 16 && (begin[1] | 32) == 'x'))
        return false;
    errno = 0;
    *integer = strtoll(begin, &end, base);
    *overflow = errno == ERANGE;
    if (negative) *integer = -*integer;
    return *end == 0 && end > begin;
}

static bool parse_real(struct render *render, const struct string *string, double *real) {
    char digits[64], *end;
    if (!plain_digits(render, string, digits) || strpbrk(digits, "xXpP(")) return false;
    *real = strtod(digits, &end);
    return *end == 0;
}

static enum ps_status integer_of(struct render *render, double real, struct value fallback,
                                 struct value *result) {
    *result = fallback;
    if (!isfinite(real)) return PS_OK;
    if (real >= 9.2e18 || real <= -9.2e18)
        return ps_jinja_fail(render, "an integer beyond 64 bits is not supported");
    *result = INTEGER((int64_t)real);
    return PS_OK;
}

FILTER(run_int) {
    struct value value = call->self, fallback = GIVEN(0) ? call->arguments[0] : INTEGER(0);
    int64_t base = 10, integer;
    bool overflow = false;
    double real;
    if (GIVEN(1)) PS_TRY(ps_jinja_need_integer(render, call->arguments[1], "base", &base));
    if (value.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, value);
    *result = fallback;
    if (ps_jinja_is_integer(value)) *result = INTEGER(ps_jinja_integer(value));
    if (value.type == TYPE_FLOAT && isinf(value.real))
        return ps_jinja_fail(render, "cannot convert float infinity to integer");
    if (value.type == TYPE_FLOAT) return integer_of(render, value.real, fallback, result);
    if (value.type != TYPE_STRING) return PS_OK;
    if ((base < 2 && base != 0) || base > 36) {
        /* as jinja2: int() refuses the base, float() is tried */
    } else if (parse_integer(render, value.string, (int)base, &integer, &overflow)) {
        if (overflow) return ps_jinja_fail(render, "an integer beyond 64 bits is not supported");
        *result = INTEGER(integer);
        return PS_OK;
    }
    return parse_real(render, value.string, &real) ? integer_of(render, real, fallback, result)
                                                   : PS_OK;
}

FILTER(run_float) {
    struct value value = call->self;
    double real;
    *result = GIVEN(0) ? call->arguments[0] : REAL(0);
    if (value.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, value);
    if (ps_jinja_is_number(value)) *result = REAL(ps_jinja_real(value));
    if (value.type == TYPE_STRING && parse_real(render, value.string, &real)) *result = REAL(real);
    return PS_OK;
}

FILTER(run_abs) {
    struct value value = call->self;
    if (value.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, value);
    if (!ps_jinja_is_number(value))
        return ps_jinja_fail(render, "bad operand type for abs(): '%s'", ps_jinja_type_name(value));
    if (ps_jinja_real(value) < 0 || (value.type == TYPE_FLOAT && signbit(value.real)))
        return ps_jinja_unary(render, OPERATION_NEGATE, value, result);
    return ps_jinja_unary(render, OPERATION_PLUS, value, result);
}

/* Python's round: to even at exact halves of the decimal value, which printf decides rightly. */
static double round_to(double value, int64_t precision) {
    char digits[400];
    if (!isfinite(value) || precision > 22) return value;
    if (precision >= 0) {
        snprintf(digits, sizeof digits, "%.*f", (int)precision, value);
        return strtod(digits, NULL);
    }
    if (precision < -308) return copysign(0, value);
    double power = pow(10, (double)-precision);
    return nearbyint(value / power) * power;
}

FILTER(run_round) {
    struct value value = call->self, method = call->arguments[1];
    int64_t precision = 0;
    if (GIVEN(0))
        PS_TRY(ps_jinja_need_integer(render, call->arguments[0], "precision", &precision));
    bool up = method.type == TYPE_STRING && ps_jinja_is(method.string, "ceil");
    bool down = method.type == TYPE_STRING && ps_jinja_is(method.string, "floor");
    bool common = !GIVEN(1) || (method.type == TYPE_STRING && ps_jinja_is(method.string, "common"));
    if (!up && !down && !common)
        return ps_jinja_fail(render, "method must be common, ceil or floor");
    if (value.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, value);
    if (!ps_jinja_is_number(value))
        return ps_jinja_fail(render, "type %s doesn't define __round__ method",
                             ps_jinja_type_name(value));
    if (precision > 300 || precision < -300) return ps_jinja_limit(render, "too many digits");
    if (!common) {
        double power = pow(10, (double)precision), scaled = ps_jinja_real(value) * power;
        *result = REAL((up ? ceil(scaled) : floor(scaled)) / power);
    } else if (value.type == TYPE_FLOAT) {
        *result = REAL(round_to(value.real, precision));
    } else if (precision >= 0) {
        *result = INTEGER(ps_jinja_integer(value));
    } else {
        *result = INTEGER((int64_t)round_to(ps_jinja_real(value), precision));
    }
    return PS_OK;
}

FILTER(run_sum) {
    struct iterator iterator;
    struct value item;
    *result = GIVEN(1) ? call->arguments[1] : INTEGER(0);
    if (result->type == TYPE_STRING) return ps_jinja_fail(render, "sum() can't sum strings");
    PS_TRY(ps_jinja_iterate(render, call->self, &iterator));
    for (;;) {
        PS_TRY(ps_jinja_next(render, &iterator, &item));
        if (item.type == TYPE_MISSING) return PS_OK;
        PS_TRY(ps_jinja_path(render, item, call->arguments[0], (struct value){0}, &item));
        PS_TRY(ps_jinja_binary(render, OPERATION_ADD, *result, item, result));
    }
}

static const struct function own_filters[] = {
    {"map", run_map, NULL, 0},
    {"select", run_select, NULL, 0},
    {"reject", run_reject, NULL, 0},
    {"selectattr", run_selectattr, NULL, 0},
    {"rejectattr", run_rejectattr, NULL, 0},
    {"int", run_int, "default base", 0},
    {"float", run_float, "default", 0},
    {"abs", run_abs, "", 0},
    {"round", run_round, "precision method", 0},
    {"sum", run_sum, "attribute start", 0},
};

const struct function *ps_jinja_find_filter(const struct string *name) {
    const struct function *found =
        ps_jinja_find_function(own_filters, sizeof own_filters / sizeof *own_filters, name);
    if (!found) found = ps_jinja_find_function(ps_jinja_text_filters, SIZE_MAX, name);
    if (!found) found = ps_jinja_find_function(ps_jinja_sequence_filters, SIZE_MAX, name);
    return found;
}
