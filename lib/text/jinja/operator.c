/* Operators between values, with Python's types and messages. Integers have 64 bits; what does not
 * fit is an error. */
#include "text/jinja/render_internal.h"

#include <math.h>
#include <string.h>

static const char *const symbols[] = {[OPERATION_ADD] = "+",
                                      [OPERATION_SUBTRACT] = "-",
                                      [OPERATION_MULTIPLY] = "*",
                                      [OPERATION_DIVIDE] = "/",
                                      [OPERATION_FLOOR_DIVIDE] = "//",
                                      [OPERATION_MODULO] = "%",
                                      [OPERATION_POWER] = "** or pow()",
                                      [OPERATION_LESS] = "<",
                                      [OPERATION_LESS_EQUAL] = "<=",
                                      [OPERATION_GREATER] = ">",
                                      [OPERATION_GREATER_EQUAL] = ">="};

static enum ps_status too_big(struct render *render) {
    return ps_jinja_fail(render, "an integer beyond 64 bits is not supported");
}

/* ---- numbers ---- */

static enum ps_status power_integers(struct render *render, int64_t base, int64_t exponent,
                                     struct value *result) {
    int64_t power = 1;
    if (exponent < 0) {
        if (base == 0) return ps_jinja_fail(render, "0.0 cannot be raised to a negative power");
        *result = REAL(pow((double)base, (double)exponent));
        return PS_OK;
    }
    while (exponent > 0) {
        if ((exponent & 1) && __builtin_mul_overflow(power, base, &power)) return too_big(render);
        exponent >>= 1;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return too_big(render);
    }
    *result = INTEGER(power);
    return PS_OK;
}

static enum ps_status integers(struct render *render, enum operation operation, int64_t a,
                               int64_t b, struct value *result) {
    int64_t value = 0;
    bool overflow = false;
    switch (operation) {
    case OPERATION_ADD: overflow = __builtin_add_overflow(a, b, &value); break;
    case OPERATION_SUBTRACT: overflow = __builtin_sub_overflow(a, b, &value); break;
    case OPERATION_MULTIPLY: overflow = __builtin_mul_overflow(a, b, &value); break;
    case OPERATION_DIVIDE: *result = REAL((double)((long double)a / (long double)b)); return PS_OK;
    case OPERATION_FLOOR_DIVIDE:
    case OPERATION_MODULO: {
        overflow = a == INT64_MIN && b == -1 && operation == OPERATION_FLOOR_DIVIDE;
        int64_t rest = b == -1 ? 0 : a % b;
        bool below = rest != 0 && (rest < 0) != (b < 0);
        if (operation == OPERATION_MODULO)
            value = below ? rest + b : rest;
        else if (!overflow)
            value = a / b - below;
        break;
    }
    default: return power_integers(render, a, b, result);
    }
    if (overflow) return too_big(render);
    *result = INTEGER(value);
    return PS_OK;
}

static enum ps_status reals(struct render *render, enum operation operation, double a, double b,
                            struct value *result) {
    double rest;
    switch (operation) {
    case OPERATION_ADD: *result = REAL(a + b); return PS_OK;
    case OPERATION_SUBTRACT: *result = REAL(a - b); return PS_OK;
    case OPERATION_MULTIPLY: *result = REAL(a * b); return PS_OK;
    case OPERATION_DIVIDE: *result = REAL(a / b); return PS_OK;
    case OPERATION_FLOOR_DIVIDE:
    case OPERATION_MODULO:
        rest = fmod(a, b);
        if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
        if (rest == 0) rest = copysign(0, b);
        *result = REAL(rest);
        if (operation == OPERATION_MODULO) return PS_OK;
        rest = (a - rest) / b;
        *result = REAL(rest != 0 ? (rest - floor(rest) > 0.5 ? floor(rest) + 1 : floor(rest))
                                 : copysign(0, a / b));
        return PS_OK;
    default: break;
    }
    if (a == 0 && b < 0) return ps_jinja_fail(render, "0.0 cannot be raised to a negative power");
    if (a < 0 && floor(b) != b) return ps_jinja_fail(render, "complex numbers are not supported");
    *result = REAL(pow(a, b));
    if (isinf(result->real) && isfinite(a) && isfinite(b))
        return ps_jinja_fail(render, "Numerical result out of range");
    return PS_OK;
}

static enum ps_status numbers(struct render *render, enum operation operation, struct value left,
                              struct value right, struct value *result) {
    bool divides = operation == OPERATION_DIVIDE || operation == OPERATION_FLOOR_DIVIDE ||
                   operation == OPERATION_MODULO;
    if (divides && ps_jinja_real(right) == 0) return ps_jinja_fail(render, "division by zero");
    if (ps_jinja_is_integer(left) && ps_jinja_is_integer(right))
        return integers(render, operation, ps_jinja_integer(left), ps_jinja_integer(right), result);
    return reals(render, operation, ps_jinja_real(left), ps_jinja_real(right), result);
}

/* ---- texts and lists ---- */

/* Markup escapes what is put to it and is not. */
static enum ps_status put_for(struct builder *builder, const struct string *string, bool markup) {
    if (markup && !string->markup) return ps_jinja_put_escaped(builder, string);
    return ps_jinja_put_string(builder, string);
}

/* `text = text + more` goes on behind the last sum's end instead of copying it. */
static enum ps_status add_strings(struct render *render, const struct string *left,
                                  const struct string *right, struct value *result) {
    struct builder *sum = &render->sum;
    bool markup = left->markup || right->markup;
    if (right->size == 0 && left->markup == markup) {
        *result = STRING(left);
        return PS_OK;
    }
    bool goes_on = !markup && left->size > 0 && sum->text == left->text &&
                   sum->size == left->size && sum->marks == left->marks && sum->data == left->data;
    if (!goes_on) {
        ps_jinja_begin(render, sum);
        PS_TRY(put_for(sum, left, markup));
    }
    PS_TRY(put_for(sum, right, markup));
    PS_TRY(ps_jinja_end(sum, result));
    ((struct string *)result->string)->markup = markup;
    return PS_OK;
}

static enum ps_status add_lists(struct render *render, struct value left, struct value right,
                                struct value *result) {
    size_t count = left.list->count;
    PS_TRY(ps_jinja_charge(render, (count + right.list->count) / 8));
    PS_TRY(ps_jinja_new_list(render, left.type, NULL, count + right.list->count, result));
    if (count) memcpy(result->list->items, left.list->items, count * sizeof(struct value));
    if (right.list->count)
        memcpy(result->list->items + count, right.list->items,
               right.list->count * sizeof(struct value));
    return PS_OK;
}

static enum ps_status repeat(struct render *render, struct value sequence, int64_t times,
                             struct value *result) {
    struct builder builder;
    if (times < 0) times = 0;
    if (sequence.type == TYPE_STRING) {
        ps_jinja_begin(render, &builder);
        PS_TRY(ps_jinja_put_repeated(&builder, sequence.string, times));
        PS_TRY(ps_jinja_end(&builder, result));
        ((struct string *)result->string)->markup = sequence.string->markup;
        return PS_OK;
    }
    size_t count = sequence.list->count, total;
    if (__builtin_mul_overflow(count, (size_t)times, &total)) total = SIZE_MAX;
    if (total > MAX_TEXT / sizeof(struct value)) return ps_jinja_limit(render, "a list too long");
    PS_TRY(ps_jinja_charge(render, total));
    PS_TRY(ps_jinja_new_list(render, sequence.type, NULL, total, result));
    for (size_t i = 0; i < total; i++) result->list->items[i] = sequence.list->items[i % count];
    return PS_OK;
}

static bool is_sequence(struct value value) {
    return value.type == TYPE_STRING || value.type == TYPE_LIST || value.type == TYPE_TUPLE;
}

enum ps_status ps_jinja_binary(struct render *render, enum operation operation, struct value left,
                               struct value right, struct value *result) {
    if (ps_jinja_is_number(left) && ps_jinja_is_number(right))
        return numbers(render, operation, left, right, result);
    if (operation == OPERATION_MODULO && left.type == TYPE_STRING)
        return ps_jinja_format_percent(render, left.string, right, result);
    if (left.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, left);
    if (right.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, right);
    if (operation == OPERATION_ADD && left.type == right.type) {
        if (left.type == TYPE_STRING) return add_strings(render, left.string, right.string, result);
        if (left.type == TYPE_LIST || left.type == TYPE_TUPLE)
            return add_lists(render, left, right, result);
    }
    if (operation == OPERATION_ADD && is_sequence(left))
        return ps_jinja_fail(render, "can only concatenate %s (not \"%s\") to %s",
                             ps_jinja_type_name(left), ps_jinja_type_name(right),
                             ps_jinja_type_name(left));
    if (operation == OPERATION_MULTIPLY && is_sequence(left) && ps_jinja_is_integer(right))
        return repeat(render, left, ps_jinja_integer(right), result);
    if (operation == OPERATION_MULTIPLY && is_sequence(right) && ps_jinja_is_integer(left))
        return repeat(render, right, ps_jinja_integer(left), result);
    return ps_jinja_fail(render, "unsupported operand type(s) for %s: '%s' and '%s'",
                         symbols[operation], ps_jinja_type_name(left), ps_jinja_type_name(right));
}

enum ps_status ps_jinja_unary(struct render *render, enum operation operation, struct value operand,
                              struct value *result) {
    if (operation == OPERATION_NOT) {
        *result = BOOLEAN(!ps_jinja_truth(operand));
        return PS_OK;
    }
    if (operand.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, operand);
    if (!ps_jinja_is_number(operand))
        return ps_jinja_fail(render, "bad operand type for unary %s: '%s'",
                             operation == OPERATION_NEGATE ? "-" : "+",
                             ps_jinja_type_name(operand));
    bool negative = operation == OPERATION_NEGATE;
    if (operand.type == TYPE_FLOAT) {
        *result = REAL(negative ? -operand.real : operand.real);
        return PS_OK;
    }
    return integers(render, negative ? OPERATION_SUBTRACT : OPERATION_ADD, 0,
                    ps_jinja_integer(operand), result);
}

enum ps_status ps_jinja_order(struct render *render, enum operation operation, struct value left,
                              struct value right, bool *result) {
    int order = 0;
    switch (operation) {
    case OPERATION_EQUAL:
    case OPERATION_NOT_EQUAL:
        PS_TRY(ps_jinja_equal(render, left, right, result));
        *result = *result == (operation == OPERATION_EQUAL);
        return PS_OK;
    case OPERATION_IN:
    case OPERATION_NOT_IN:
        PS_TRY(ps_jinja_contains(render, right, left, result));
        *result = *result == (operation == OPERATION_IN);
        return PS_OK;
    default: break;
    }
    PS_TRY(ps_jinja_compare(render, symbols[operation], left, right, &order));
    *result = operation == OPERATION_LESS         ? order < 0
              : operation == OPERATION_LESS_EQUAL ? order <= 0
              : operation == OPERATION_GREATER    ? order > 0
                                                  : order >= 0;
    return PS_OK;
}
