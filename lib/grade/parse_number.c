/* Written numbers: decimals, repeating ones, other bases, mixed numbers, minutes of an angle. */
#include "grade/parse_internal.h"

#include <string.h>

/* Digits, a point, digits; the separators of thousands are left out of the name. */
static struct ps_node *decimal(struct ps_parser *p) {
    char digits[PS_ANSWER_DIGITS + 4];
    size_t size = 0;
    bool point = false, grouped = (p->brackets == 0 || p->grouped) && *p->at != '0';
    const char *start = p->at;
    for (;; p->at++) {
        char c = *p->at;
        bool group = c == ',' && grouped && !point && ps_parse_is_digit(p->at[1]) &&
                     ps_parse_is_digit(p->at[2]) && ps_parse_is_digit(p->at[3]) &&
                     !ps_parse_is_digit(p->at[4]) && p->at > start &&
                     (p->at - start <= 3 || p->at[-4] == ',');
        if (group) continue;
        bool repeats = c == '.' && strncmp(p->at + 1, "\\overline{", 10) == 0;
        if (c == '.' && (point || (!ps_parse_is_digit(p->at[1]) && !repeats))) break;
        if (c != '.' && !ps_parse_is_digit(c)) break;
        point |= c == '.';
        if (size >= PS_ANSWER_DIGITS) return ps_parse_fail(p, "a number of more than 1000 digits");
        digits[size++] = c;
    }
    if (size == 0) return ps_parse_fail(p, "a number is missing");
    char *name = ps_parse_keep(p, digits, size);
    return name ? ps_parse_node(p, PS_NODE_NUMBER, name, 0) : NULL;
}

/* "0.1\overline{6}" */
static struct ps_node *repeating(struct ps_parser *p, struct ps_node *number) {
    char digits[PS_ANSWER_DIGITS + 4];
    size_t size = strlen(number->name);
    memcpy(digits, number->name, size);
    for (; ps_parse_is_digit(*p->at) && size < PS_ANSWER_DIGITS; number->repeats++)
        digits[size++] = *p->at++;
    if (number->repeats == 0 || *p->at++ != '}')
        return ps_parse_fail(p, "repeating digits that are none");
    number->name = ps_parse_keep(p, digits, size);
    return number->name ? number : NULL;
}

/* The base behind "_{", in digits or words; 0 for none. */
static int read_base(struct ps_parser *p) {
    int base = 0;
    unsigned long value;
    size_t size = ps_answer_spelled(p->at, &value);
    if (size && value <= 36) {
        base = (int)value;
        p->at += size;
        while (*p->at == PS_TEXT_END || *p->at == ' ') p->at++;
    }
    while (ps_parse_is_digit(*p->at) && base < 100) base = 10 * base + (*p->at++ - '0');
    return *p->at++ == '}' && base >= 2 && base <= 36 ? base : 0;
}

static int digit_value(char c) {
    return ps_parse_is_digit(c) ? c - '0' : c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

/* "101_{2}", "2A_{16}" */
struct ps_node *ps_parse_with_base(struct ps_parser *p, struct ps_node *number) {
    int base = read_base(p);
    if (!base) return ps_parse_fail(p, "a subscript of a number that is no base");
    for (const char *c = number->name; *c; c++)
        if (digit_value(*c) >= base) return ps_parse_fail(p, "a digit beyond the base");
    number->base = base;
    return number;
}

/* Digits of a base beyond ten: letters among them, and a subscript behind. */
static struct ps_node *lettered_number(struct ps_parser *p) {
    size_t size = 0;
    bool letters = false;
    for (; digit_value(p->at[size]) < 36; size++) letters |= !ps_parse_is_digit(p->at[size]);
    if (!letters || size >= PS_ANSWER_DIGITS || p->at[size] != '_' || p->at[size + 1] != '{')
        return NULL;
    struct ps_parser kept = *p;
    p->at += size + 2;
    int base = read_base(p);
    *p = kept;
    if (base <= 10) return NULL;
    char *name = ps_parse_keep(p, p->at, size);
    struct ps_node *number = name ? ps_parse_node(p, PS_NODE_NUMBER, name, 0) : NULL;
    p->at += size + 2;
    return number ? ps_parse_with_base(p, number) : NULL;
}

/* "0.1666..." repeats its last digits, where they stand there twice and are three or more. */
static struct ps_node *goes_on(struct ps_parser *p, struct ps_node *number) {
    const char *point = strchr(number->name, '.');
    size_t places = point ? strlen(point + 1) : 0;
    const char *end = number->name + strlen(number->name);
    for (int period = 1; 2 * (size_t)period <= places; period++) {
        int same = 0;
        while ((size_t)(same + period) < places && end[-1 - same] == end[-1 - same - period])
            same++;
        if (same + period < 3 || same < period) continue;
        number->repeats = period;
        return number;
    }
    return ps_parse_fail(p, "a decimal that goes on, nobody knows how");
}

static bool is_integer(const struct ps_node *node) {
    return node->kind == PS_NODE_NUMBER && node->base == 10 && !strchr(node->name, '.');
}

/* Of two written integers, the first below the second. */
static bool is_proper(const struct ps_node *above, const struct ps_node *below) {
    if (!is_integer(above) || !is_integer(below)) return false;
    size_t a = strlen(above->name), b = strlen(below->name);
    return a != b ? a < b : strcmp(above->name, below->name) < 0;
}

/* The fraction of a mixed number: "1\frac{4}{5}" or "1 4/5"; NULL and nothing read if none. */
static struct ps_node *mixed_part(struct ps_parser *p) {
    struct ps_parser kept = *p;
    struct ps_node *above = NULL, *below = NULL;
    if (ps_parse_accept(p, "\\frac")) {
        above = ps_parse_braced(p);
        below = above ? ps_parse_braced(p) : NULL;
    } else if (*p->at == ' ' && ps_parse_is_digit(p->at[1])) {
        ps_parse_skip(p);
        above = decimal(p);
        if (above && *p->at == '/' && ps_parse_is_digit(p->at[1])) {
            p->at++;
            below = decimal(p);
        }
    }
    if (above && below && is_proper(above, below))
        return ps_parse_binary(p, PS_NODE_QUOTIENT, NULL, above, below);
    if (above && below && is_integer(above) && is_integer(below))
        return ps_parse_fail(p, "an improper mixed number, which may mean a product");
    kept.nodes = p->nodes;
    kept.out_of_memory = p->out_of_memory;
    *p = kept;
    return NULL;
}

struct ps_node *ps_parse_number(struct ps_parser *p) {
    struct ps_node *node = lettered_number(p);
    if (node || p->problem) return node;
    node = decimal(p);
    if (!node) return NULL;
    if (ps_parse_accept(p, "\\ldots")) return goes_on(p, node);
    if (strchr(node->name, '.') && ps_parse_accept(p, "\\overline{")) return repeating(p, node);
    if (*p->at == '_' && p->at[1] == '{') {
        p->at += 2;
        return ps_parse_with_base(p, node);
    }
    struct ps_node *part = is_integer(node) ? mixed_part(p) : NULL;
    if (p->problem) return NULL;
    return part ? ps_parse_binary(p, PS_NODE_SUM, NULL, node, part) : node;
}

/* The minutes and seconds of an angle: "45°30'" */
struct ps_node *ps_parse_minutes(struct ps_parser *p, struct ps_node *degrees) {
    static const char *const marks[] = {"'", "''"}, *const parts[] = {"60", "3600"};
    for (int i = 0; degrees && i < 2; i++) {
        struct ps_parser kept = *p;
        ps_parse_skip(p);
        struct ps_node *part = ps_parse_is_digit(*p->at) ? decimal(p) : NULL;
        if (!part || !ps_parse_accept(p, marks[i])) {
            kept.nodes = p->nodes;
            *p = kept;
            break;
        }
        part = ps_parse_binary(p, PS_NODE_QUOTIENT, NULL, part,
                               ps_parse_node(p, PS_NODE_NUMBER, parts[i], 0));
        degrees = ps_parse_binary(p, PS_NODE_SUM, NULL, degrees, part);
    }
    return degrees;
}
