/* Escapes in string literals, as Python has them. */
#include "text/jinja/tree_internal.h"

#include "text/text_internal.h"

#include <stdio.h>
#include <string.h>

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

static int hex_digits(const char *text, size_t size, size_t count, int32_t *value) {
    *value = 0;
    for (size_t i = 0; i < count; i++) {
        char c = i < size ? text[i] | 32 : 0;
        int digit = i < size && is_digit(text[i]) ? text[i] - '0'
                    : c >= 'a' && c <= 'f'        ? c - 'a' + 10
                                                  : -1;
        if (digit < 0 || *value > 0x10FFFF) return -1;
        *value = *value * 16 + digit;
    }
    return 0;
}

/* One escape of Python's; text[0] is behind the backslash. Returns how much of it was used, or 0
 * where it is broken. */
size_t ps_jinja_unescape(const char *text, size_t size, char *out, size_t *used) {
    static const char plain[] = "\\'\"abfnrtv", meaning[] = "\\'\"\a\b\f\n\r\t\v";
    const char *found = memchr(plain, text[0], sizeof plain - 1);
    int32_t value = 0;
    if (text[0] == '\n') return 1;
    if (found) {
        out[(*used)++] = meaning[found - plain];
        return 1;
    }
    if (text[0] == 'N') return 0;
    size_t length = text[0] == 'x' ? 2 : text[0] == 'u' ? 4 : text[0] == 'U' ? 8 : 0;
    if (length > 0) {
        if (hex_digits(text + 1, size - 1, length, &value) < 0) return 0;
        if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return 0;
        *used += ps_utf8_put(value, out + *used);
        return length + 1;
    }
    while (length < 3 && length < size && text[length] >= '0' && text[length] <= '7')
        value = value * 8 + (text[length++] - '0');
    if (length > 0) {
        *used += ps_utf8_put(value, out + *used);
        return length;
    }
    out[(*used)++] = '\\';
    int32_t code_point;
    length = ps_utf8_next(text, size, &code_point, NULL);
    if (code_point < 0x80) {
        out[(*used)++] = text[0];
    } else {
        /* jinja2 encodes to ASCII with backslashes first, so \é is the four characters \xe9. */
        *used += (size_t)sprintf(out + *used,
                                 code_point < 0x100     ? "x%02x"
                                 : code_point < 0x10000 ? "u%04x"
                                                        : "U%08x",
                                 (unsigned)code_point);
    }
    return length;
}
