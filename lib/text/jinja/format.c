/* One value in a format, as % and format() share it: digits, signs, padding. */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits, with the sign apart, for numbers of any type but 's'. */
static enum ps_status put_number(struct builder *out, struct value value, const struct spec *spec,
                                 char *sign) {
    char text[512], format[16];
    int precision = spec->precision < 0 ? 6 : (int)spec->precision;
    struct render *render = out->render;
    bool integer = ps_jinja_is_integer(value);
    bool as_real = spec->type && strchr("eEfFgG%", spec->type);
    if (precision > 100) return ps_jinja_limit(render, "a precision of more than 100 digits");
    if (!as_real && !integer && spec->type)
        return ps_jinja_fail(render, "Unknown format code '%c' for object of type 'float'",
                             spec->type);
    if (integer && !as_real) {
        int64_t number = ps_jinja_integer(value);
        uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
        *sign = number < 0 ? '-' : spec->sign;
        if (spec->alternate && spec->type && strchr("xXob", spec->type)) {
            char prefix[] = {'0', spec->type, 0};
            PS_TRY(ps_jinja_puts(out, prefix));
        }
        if (spec->type == 'c') return ps_jinja_put_character(out, (int32_t)number, false);
        size_t at = sizeof text - 1;
        unsigned base = spec->type == 'x' || spec->type == 'X' ? 16
                        : spec->type == 'o'                    ? 8
                        : spec->type == 'b'                    ? 2
                                                               : 10;
        text[at] = 0;
        for (int digits = 0; size > 0 || digits == 0; digits++, size /= base) {
            if (spec->comma && digits > 0 && digits % 3 == 0) text[--at] = ',';
            text[--at] = (spec->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[size % base];
        }
        return ps_jinja_puts(out, text + at);
    }
    double real = ps_jinja_real(value), size = fabs(real);
    *sign = signbit(real) && !isnan(real) ? '-' : spec->sign;
    if (!spec->type && spec->precision < 0) {
        ps_jinja_format_real(size, text);
    } else {
        char type = !spec->type ? 'g' : spec->type == '%' ? 'f' : spec->type;
        if (spec->type == '%') size *= 100;
        snprintf(format, sizeof format, spec->alternate ? "%%#.*%c" : "%%.*%c", type);
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
            snprintf(text, sizeof text, format, precision, size);
        _Pragma("GCC diagnostic pop") if (!spec->type && isfinite(size) && !strpbrk(text, ".e"))
            strcat(text, ".0");
    }
    size_t digits = strspn(text, "0123456789");
    for (size_t i = 0; i < digits; i++) {
        if (spec->comma && i > 0 && (digits - i) % 3 == 0) PS_TRY(ps_jinja_puts(out, ","));
        PS_TRY(ps_jinja_put(out, text + i, 1, false));
    }
    PS_TRY(ps_jinja_puts(out, text + digits));
    return spec->type == '%' ? ps_jinja_puts(out, "%") : PS_OK;
}

/* body, with its sign, padded to the spec's width. */
static enum ps_status put_padded(struct builder *out, const struct string *body, char sign,
                                 const struct spec *spec, char align) {
    static const struct string blank = {.text = " ", .size = 1};
    const struct string *fill = spec->fill.size ? &spec->fill : &blank;
    int64_t room = spec->width - (int64_t)ps_jinja_count(body) - (sign != 0);
    int64_t left = align == '<' ? 0 : align == '^' ? room / 2 : room;
    if (room < 0) room = left = 0;
    if (align == '=' && sign) PS_TRY(ps_jinja_put(out, &sign, 1, false));
    PS_TRY(ps_jinja_put_repeated(out, fill, left));
    if (align != '=' && sign) PS_TRY(ps_jinja_put(out, &sign, 1, false));
    PS_TRY(ps_jinja_put_string(out, body));
    return ps_jinja_put_repeated(out, fill, room - left);
}

enum ps_status ps_jinja_put_text(struct builder *out, const struct string *text,
                                 const struct spec *spec, char align) {
    struct value cut = STRING(text);
    if (spec->precision >= 0 && ps_jinja_count(text) > (size_t)spec->precision)
        PS_TRY(ps_jinja_slice(out->render, text, 0, ps_jinja_offset(text, (size_t)spec->precision),
                              &cut));
    return put_padded(out, cut.string, 0, spec, align);
}

enum ps_status ps_jinja_put_number(struct builder *out, struct value value, const struct spec *spec,
                                   char align) {
    struct builder digits;
    struct value body;
    char sign = 0;
    ps_jinja_begin(out->render, &digits);
    PS_TRY(put_number(&digits, value, spec, &sign));
    PS_TRY(ps_jinja_end(&digits, &body));
    return put_padded(out, body.string, sign, spec, align);
}

enum ps_status ps_jinja_read_width(struct render *render, const struct string *format, size_t *at,
                                   int64_t *number) {
    for (*number = 0; *at < format->size && format->text[*at] >= '0' && format->text[*at] <= '9';)
        if ((*number = *number * 10 + (format->text[(*at)++] - '0')) > MAX_TEXT)
            return ps_jinja_limit(render, "a width too large");
    return PS_OK;
}
