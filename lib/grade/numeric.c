/* Values as enclosures: balls of complex numbers (Arb) that certainly hold the value. Two balls
 * that do not meet prove two values different; that they meet proves nothing. */
#include "grade/value_internal.h"

/* gcc 12 takes the real part of an acb_t, an array of one, for too small an object. */
#ifndef __clang__
#    pragma GCC diagnostic ignored "-Wstringop-overflow"
#    pragma GCC diagnostic ignored "-Wstringop-overread"
#endif

#include <string.h>

/* A written number as a fraction. */
void ps_number_value(const struct ps_node *node, fmpq_t value) {
    char digits[PS_ANSWER_DIGITS + 4];
    size_t size = 0, places = 0;
    bool point = false;
    for (const char *c = node->name; *c && size < sizeof digits - 1; c++) {
        if (*c == '.') {
            point = true;
            continue;
        }
        places += point;
        digits[size++] = *c;
    }
    digits[size] = 0;
    fmpz_set_str(fmpq_numref(value), digits, node->base);
    fmpz_ui_pow_ui(fmpq_denref(value), 10, places);
    if (node->repeats) { /* 0.1666... is (16 - 1) / 90 */
        fmpz_t scale;
        fmpz_init(scale);
        fmpz_ui_pow_ui(scale, 10, (ulong)node->repeats);
        fmpq_t whole;
        fmpq_init(whole);
        fmpz_fdiv_q(fmpq_numref(whole), fmpq_numref(value), scale);
        fmpz_sub(fmpq_numref(value), fmpq_numref(value), fmpq_numref(whole));
        fmpz_sub_ui(scale, scale, 1);
        fmpz_ui_pow_ui(fmpq_denref(value), 10, places - (size_t)node->repeats);
        fmpz_mul(fmpq_denref(value), fmpq_denref(value), scale);
        fmpq_clear(whole);
        fmpz_clear(scale);
    }
    fmpq_canonicalise(value);
}

static bool evaluate(const struct ps_node *node, const struct ps_point *point, acb_t value);

static bool constant(const struct ps_node *node, acb_t value) {
    if (strcmp(node->name, "pi") == 0)
        acb_const_pi(value, PS_VALUE_BITS);
    else if (strcmp(node->name, "e") == 0)
        arb_const_e(acb_realref(value), PS_VALUE_BITS), arb_zero(acb_imagref(value));
    else if (strcmp(node->name, "i") == 0)
        acb_onei(value);
    else
        return false;
    return true;
}

static bool variable(const struct ps_node *node, const struct ps_point *point, acb_t value) {
    for (size_t i = 0; point && i < point->count; i++) {
        if (strcmp(point->names[i], node->name) != 0) continue;
        acb_set_fmpq(value, point->values[i], PS_VALUE_BITS);
        return true;
    }
    return false;
}

/* base^exponent. A negative number to a broken power has several values: none is chosen. */
static bool power(const acb_t base, const acb_t exponent, acb_t value) {
    fmpz_t integer;
    fmpz_init(integer);
    bool whole = acb_get_unique_fmpz(integer, exponent) && acb_is_int(exponent);
    bool ok = true;
    if (whole) {
        ok = fmpz_bits(integer) <= 20;
        if (ok) acb_pow_fmpz(value, base, integer, PS_VALUE_BITS);
    } else {
        ok = acb_is_real(base) && arb_is_positive(acb_realref(base)) &&
             mag_cmp_2exp_si(arb_radref(acb_realref(exponent)), 0) < 0 &&
             arf_cmpabs_2exp_si(arb_midref(acb_realref(exponent)), 30) < 0;
        if (ok) acb_pow(value, base, exponent, PS_VALUE_BITS);
    }
    fmpz_clear(integer);
    return ok;
}

/* The real root where there is one, also of a negative number with an odd index. */
static bool root(const acb_t radicand, const acb_t index, acb_t value) {
    fmpz_t n;
    fmpz_init(n);
    bool ok = acb_is_int(index) && acb_get_unique_fmpz(n, index) && fmpz_cmp_ui(n, 2) >= 0 &&
              fmpz_cmp_ui(n, 1000) <= 0;
    ulong k = ok ? fmpz_get_ui(n) : 2;
    fmpz_clear(n);
    bool real = acb_is_real(radicand), negative = arb_is_negative(acb_realref(radicand));
    if (!ok || (real && !negative && !arb_is_nonnegative(acb_realref(radicand)))) return false;
    if (!real && k != 2) return false;
    if (real && negative && k % 2) {
        acb_neg(value, radicand);
        acb_root_ui(value, value, k, PS_VALUE_BITS);
        acb_neg(value, value);
    } else if (real && negative && k != 2) {
        return false;
    } else {
        acb_root_ui(value, radicand, k, PS_VALUE_BITS);
    }
    return true;
}

static bool call(const struct ps_node *node, const struct ps_point *point, acb_t value) {
    static const struct {
        const char *name;
        void (*function)(acb_t, const acb_t, slong);
    } known[] = {{"sin", acb_sin},     {"cos", acb_cos},     {"tan", acb_tan},
                 {"cot", acb_cot},     {"sec", acb_sec},     {"csc", acb_csc},
                 {"exp", acb_exp},     {"ln", acb_log},      {"arcsin", acb_asin},
                 {"arccos", acb_acos}, {"arctan", acb_atan}, {"sinh", acb_sinh},
                 {"cosh", acb_cosh},   {"tanh", acb_tanh}};
    if (!evaluate(node->items[0], point, value)) return false;
    if (arf_cmpabs_2exp_si(arb_midref(acb_realref(value)), 20) > 0) return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, node->name) == 0) {
            known[i].function(value, value, PS_VALUE_BITS);
            return true;
        }
    if (strcmp(node->name, "abs") == 0) {
        acb_abs(acb_realref(value), value, PS_VALUE_BITS);
        arb_zero(acb_imagref(value));
        return true;
    }
    if (strcmp(node->name, "floor") == 0 || strcmp(node->name, "ceiling") == 0) {
        if (!acb_is_real(value)) return false;
        (node->name[0] == 'f' ? arb_floor : arb_ceil)(acb_realref(value), acb_realref(value),
                                                      PS_VALUE_BITS);
        return true;
    }
    if (strcmp(node->name, "log") != 0 || node->count != 2) return false;
    acb_t base;
    acb_init(base);
    bool ok = evaluate(node->items[1], point, base);
    acb_log(value, value, PS_VALUE_BITS);
    acb_log(base, base, PS_VALUE_BITS);
    acb_div(value, value, base, PS_VALUE_BITS);
    acb_clear(base);
    return ok;
}

/* n! and n over k, for written or computed integers that are not too large. */
static bool count(const struct ps_node *node, const struct ps_point *point, acb_t value) {
    fmpz_t n, k;
    acb_t below;
    fmpz_init(n);
    fmpz_init(k);
    acb_init(below);
    bool choose = node->kind == PS_NODE_BINOMIAL;
    bool ok = evaluate(node->items[0], point, value) && acb_is_int(value) &&
              acb_get_unique_fmpz(n, value) && fmpz_sgn(n) >= 0 && fmpz_cmp_ui(n, 100000) <= 0;
    if (ok && choose)
        ok = evaluate(node->items[1], point, below) && acb_is_int(below) &&
             acb_get_unique_fmpz(k, below) && fmpz_sgn(k) >= 0 && fmpz_cmp(k, n) <= 0;
    if (ok && choose)
        arb_bin_uiui(acb_realref(value), fmpz_get_ui(n), fmpz_get_ui(k), PS_VALUE_BITS);
    else if (ok)
        arb_fac_ui(acb_realref(value), fmpz_get_ui(n), PS_VALUE_BITS);
    acb_clear(below);
    fmpz_clear(n);
    fmpz_clear(k);
    return ok;
}

static bool fold(const struct ps_node *node, const struct ps_point *point, acb_t value) {
    acb_t item;
    acb_init(item);
    bool ok = evaluate(node->items[0], point, value);
    for (size_t i = 1; ok && i < node->count; i++) {
        ok = evaluate(node->items[i], point, item);
        if (!ok) break;
        switch (node->kind) {
        case PS_NODE_SUM: acb_add(value, value, item, PS_VALUE_BITS); break;
        case PS_NODE_PRODUCT: acb_mul(value, value, item, PS_VALUE_BITS); break;
        case PS_NODE_QUOTIENT:
            ok = !acb_contains_zero(item);
            if (ok) acb_div(value, value, item, PS_VALUE_BITS);
            break;
        case PS_NODE_POWER: {
            acb_t base;
            acb_init(base);
            acb_swap(base, value);
            ok = power(base, item, value);
            acb_clear(base);
            break;
        }
        default: {
            acb_t radicand;
            acb_init(radicand);
            acb_swap(radicand, value);
            ok = root(radicand, item, value);
            acb_clear(radicand);
        }
        }
    }
    acb_clear(item);
    return ok && acb_is_finite(value);
}

static bool evaluate(const struct ps_node *node, const struct ps_point *point, acb_t value) {
    switch (node->kind) {
    case PS_NODE_NUMBER: {
        fmpq_t exact;
        fmpq_init(exact);
        ps_number_value(node, exact);
        acb_set_fmpq(value, exact, PS_VALUE_BITS);
        fmpq_clear(exact);
        return true;
    }
    case PS_NODE_CONSTANT: return constant(node, value);
    case PS_NODE_VARIABLE: return variable(node, point, value);
    case PS_NODE_NEGATIVE:
        if (!evaluate(node->items[0], point, value)) return false;
        acb_neg(value, value);
        return true;
    case PS_NODE_DEGREES: {
        if (!evaluate(node->items[0], point, value)) return false;
        acb_t pi;
        acb_init(pi);
        acb_const_pi(pi, PS_VALUE_BITS);
        acb_mul(value, value, pi, PS_VALUE_BITS);
        acb_div_ui(value, value, 180, PS_VALUE_BITS);
        acb_clear(pi);
        return true;
    }
    case PS_NODE_SUM:
    case PS_NODE_PRODUCT:
    case PS_NODE_QUOTIENT:
    case PS_NODE_POWER:
    case PS_NODE_ROOT: return fold(node, point, value);
    case PS_NODE_CALL: return call(node, point, value) && acb_is_finite(value);
    case PS_NODE_FACTORIAL:
    case PS_NODE_BINOMIAL: return count(node, point, value);
    default: return false;
    }
}

bool ps_value_enclose(const struct ps_node *node, const struct ps_point *point, acb_t value) {
    return evaluate(node, point, value) && acb_is_finite(value);
}
