/* Values as text: Python's str() and repr(). */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* The shortest digits that read back as the same double, as repr() writes them: with an exponent
 * below 1e-4 and from 1e16 on. */
void ps_jinja_format_real(double value, char out[32]) {
    char digits[32];
    if (!isfinite(value)) {
        strcpy(out, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    int precision = 0;
    do snprintf(digits, sizeof digits, "%.*e", precision, value);
    while (strtod(digits, NULL) != value && precision++ < 16);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent >= -4 && exponent < 16) {
        int decimals = precision - exponent;
        snprintf(out, 32, "%.*f", decimals > 1 ? decimals : 1, value);
    } else {
        *strchr(digits, 'e') = 0;
        snprintf(out, 32, "%.22se%c%02u", digits, exponent < 0 ? '-' : '+',
                 (unsigned)abs(exponent) % 1000);
    }
}

/* ---- repr ---- */

static bool is_printable(int32_t c) {
    if (c < 0x80) return c >= 0x20 && c < 0x7F;
    int category = utf8proc_category(c);
    return category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS;
}

static enum ps_status put_repr_string(struct builder *builder, const struct string *string) {
    bool single = string->size && memchr(string->text, '\'', string->size);
    bool both = single && memchr(string->text, '"', string->size);
    char quote = single && !both ? '"' : '\'';
    if (string->markup) PS_TRY(ps_jinja_puts(builder, "Markup("));
    PS_TRY(ps_jinja_put(builder, &quote, 1, false));
    for (size_t at = 0; at < string->size;) {
        char escape[16] = "";
        int32_t c;
        size_t length = ps_utf8_next(string->text + at, string->size - at, &c, NULL);
        const char *plain = "\n\r\t\\", *letters = "nrt\\",
                   *found = c && c < 0x80 ? strchr(plain, c) : NULL;
        if (found)
            snprintf(escape, sizeof escape, "\\%c", letters[found - plain]);
        else if (c == quote)
            snprintf(escape, sizeof escape, "\\%c", quote);
        else if (!is_printable(c))
            snprintf(escape, sizeof escape,
                     c < 0x100     ? "\\x%02x"
                     : c < 0x10000 ? "\\u%04x"
                                   : "\\U%08x",
                     (unsigned)c);
        if (*escape)
            PS_TRY(ps_jinja_put(builder, escape, strlen(escape), ps_jinja_is_data(string, at)));
        else
            PS_TRY(ps_jinja_put_slice(builder, string, at, at + length));
        at += length;
    }
    PS_TRY(ps_jinja_put(builder, &quote, 1, false));
    return string->markup ? ps_jinja_puts(builder, ")") : PS_OK;
}

static enum ps_status put_list(struct builder *builder, const struct list *list, const char *open,
                               const char *close) {
    PS_TRY(ps_jinja_puts(builder, open));
    for (size_t i = 0; i < list->count; i++) {
        if (i) PS_TRY(ps_jinja_puts(builder, ", "));
        PS_TRY(ps_jinja_put_repr(builder, list->items[i]));
    }
    return ps_jinja_puts(builder, close);
}

static enum ps_status put_dict(struct builder *builder, const struct dict *dict) {
    PS_TRY(ps_jinja_puts(builder, "{"));
    for (size_t i = 0; i < dict->count; i++) {
        if (i) PS_TRY(ps_jinja_puts(builder, ", "));
        PS_TRY(ps_jinja_put_repr(builder, dict->pairs[i].key));
        PS_TRY(ps_jinja_puts(builder, ": "));
        PS_TRY(ps_jinja_put_repr(builder, dict->pairs[i].value));
    }
    return ps_jinja_puts(builder, "}");
}

static enum ps_status put_view(struct builder *builder, struct value view) {
    static const char *const names[] = {"dict_keys(", "dict_values(", "dict_items("};
    struct list list;
    PS_TRY(ps_jinja_collect(builder->render, view, &list));
    PS_TRY(ps_jinja_puts(builder, names[view.view->kind]));
    return put_list(builder, &list, "[", "])");
}

static enum ps_status put_other(struct builder *builder, struct value value) {
    char text[96];
    switch (value.type) {
    case TYPE_RANGE:
        snprintf(text, sizeof text,
                 value.range->step == 1 ? "range(%lld, %lld)" : "range(%lld, %lld, %lld)",
                 (long long)value.range->start, (long long)value.range->stop,
                 (long long)value.range->step);
        return ps_jinja_puts(builder, text);
    case TYPE_NAMESPACE:
        PS_TRY(ps_jinja_puts(builder, "<Namespace "));
        PS_TRY(put_dict(builder, value.dict));
        return ps_jinja_puts(builder, ">");
    case TYPE_MACRO:
        if (!value.macro->node->text) return ps_jinja_puts(builder, "<Macro anonymous>");
        PS_TRY(ps_jinja_puts(builder, "<Macro "));
        PS_TRY(put_repr_string(builder, value.macro->node->text));
        return ps_jinja_puts(builder, ">");
    case TYPE_LOOP: return ps_jinja_put_loop(builder, value.loop);
    default:
        return ps_jinja_fail(builder->render, "a %s cannot be printed%s", ps_jinja_type_name(value),
                             value.type == TYPE_GENERATOR ? "; put |list behind it" : "");
    }
}

static enum ps_status put_value(struct builder *builder, struct value value) {
    char text[32];
    switch (value.type) {
    case TYPE_UNDEFINED: return ps_jinja_puts(builder, "Undefined");
    case TYPE_NONE: return ps_jinja_puts(builder, "None");
    case TYPE_BOOL: return ps_jinja_puts(builder, value.boolean ? "True" : "False");
    case TYPE_INTEGER: snprintf(text, sizeof text, "%lld", (long long)value.integer); break;
    case TYPE_FLOAT: ps_jinja_format_real(value.real, text); break;
    case TYPE_STRING: return put_repr_string(builder, value.string);
    case TYPE_LIST: return put_list(builder, value.list, "[", "]");
    case TYPE_TUPLE: return put_list(builder, value.list, "(", value.list->count == 1 ? ",)" : ")");
    case TYPE_DICT: return put_dict(builder, value.dict);
    case TYPE_VIEW: return put_view(builder, value);
    default: return put_other(builder, value);
    }
    return ps_jinja_puts(builder, text);
}

enum ps_status ps_jinja_put_repr(struct builder *builder, struct value value) {
    struct render *render = builder->render;
    PS_TRY(ps_jinja_charge(render, 1));
    if (++render->depth > MAX_DEPTH) return ps_jinja_limit(render, "a value nested too deeply");
    PS_TRY(put_value(builder, value));
    render->depth--;
    return PS_OK;
}

enum ps_status ps_jinja_put_str(struct builder *builder, struct value value) {
    if (value.type == TYPE_STRING) return ps_jinja_put_string(builder, value.string);
    if (value.type == TYPE_UNDEFINED) return PS_OK;
    return ps_jinja_put_repr(builder, value);
}

enum ps_status ps_jinja_str(struct render *render, struct value value,
                            const struct string **result) {
    struct builder builder;
    if (value.type != TYPE_STRING) {
        ps_jinja_begin(render, &builder);
        PS_TRY(ps_jinja_put_str(&builder, value));
        PS_TRY(ps_jinja_end(&builder, &value));
    }
    *result = value.string;
    return PS_OK;
}
