/* "%d of %s" % values. */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct values {
    struct value all;
    size_t at;
    bool single; /* one value that is no tuple */
};

static enum ps_status next_value(struct render *render, struct values *values,
                                 struct value *value) {
    size_t count = values->single ? 1 : values->all.list->count;
    if (values->at >= count) return ps_jinja_fail(render, "not enough arguments for format string");
    *value = values->single ? values->all : values->all.list->items[values->at];
    values->at++;
    return PS_OK;
}

static enum ps_status read_number(struct render *render, const struct string *format, size_t *at,
                                  struct values *values, int64_t *number) {
    struct value value;
    if (*at >= format->size || format->text[*at] != '*')
        return ps_jinja_read_width(render, format, at, number);
    ++*at;
    PS_TRY(next_value(render, values, &value));
    return ps_jinja_need_integer(render, value, "*", number);
}

static enum ps_status put_conversion(struct builder *out, struct value value, struct spec *spec) {
    struct render *render = out->render;
    const struct string *text;
    struct builder repr;
    char align = spec->align ? spec->align : '>';
    struct value written;
    switch (spec->type) {
    case 's':
        PS_TRY(ps_jinja_str(render, value, &text));
        return ps_jinja_put_text(out, text, spec, align);
    case 'r':
    case 'a':
        ps_jinja_begin(render, &repr);
        PS_TRY(ps_jinja_put_repr(&repr, value));
        PS_TRY(ps_jinja_end(&repr, &written));
        return ps_jinja_put_text(out, written.string, spec, align);
    case 'c':
        if (value.type == TYPE_STRING && ps_jinja_count(value.string) == 1)
            return ps_jinja_put_text(out, value.string, spec, align);
        break;
    default: break;
    }
    if (value.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, value);
    if (!ps_jinja_is_number(value))
        return ps_jinja_fail(render, "%%%c format: a real number is required, not %s", spec->type,
                             ps_jinja_type_name(value));
    if (strchr("diu", spec->type)) {
        if (value.type == TYPE_FLOAT && !(fabs(value.real) < 9e18))
            return ps_jinja_fail(render, "cannot convert this float to an integer");
        if (value.type == TYPE_FLOAT) value = INTEGER((int64_t)value.real);
        spec->type = 'd';
    } else if (strchr("xXoc", spec->type) && value.type == TYPE_FLOAT) {
        return ps_jinja_fail(render, "%%%c format: an integer is required, not float", spec->type);
    }
    if (spec->zero && align == '>') {
        align = '=';
        spec->fill = (struct string){.text = "0", .size = 1};
    }
    return ps_jinja_put_number(out, value, spec, align);
}

static enum ps_status put_percent(struct builder *out, const struct string *format, size_t *at,
                                  struct values *values, bool *by_name) {
    struct render *render = out->render;
    struct spec spec = {.precision = -1};
    struct value value = {0};
    if (*at < format->size && format->text[*at] == '(') {
        struct value key;
        const char *close = memchr(format->text + *at, ')', format->size - *at);
        if (!close) return ps_jinja_fail(render, "incomplete format key");
        if (values->all.type != TYPE_DICT)
            return ps_jinja_fail(render, "format requires a mapping");
        PS_TRY(ps_jinja_slice(render, format, *at + 1, (size_t)(close - format->text), &key));
        struct value *place;
        PS_TRY(ps_jinja_dict_find(render, values->all.dict, key, &place));
        if (!place) return ps_jinja_fail(render, "format: a key is missing");
        value = *place;
        *at = (size_t)(close - format->text) + 1;
        *by_name = true;
    }
    for (; *at < format->size && strchr("-+ #0", format->text[*at]) && format->text[*at]; ++*at) {
        char flag = format->text[*at];
        if (flag == '-') spec.align = '<';
        if (flag == '+' || (flag == ' ' && !spec.sign)) spec.sign = flag;
        spec.alternate = spec.alternate || flag == '#';
        spec.zero = spec.zero || flag == '0';
    }
    PS_TRY(read_number(render, format, at, values, &spec.width));
    if (spec.width < 0) {
        spec.align = '<';
        spec.width = -spec.width;
    }
    if (*at < format->size && format->text[*at] == '.') {
        ++*at;
        PS_TRY(read_number(render, format, at, values, &spec.precision));
        if (spec.precision < 0) spec.precision = 0;
    }
    while (*at < format->size && strchr("hlL", format->text[*at]) && format->text[*at]) ++*at;
    if (*at >= format->size) return ps_jinja_fail(render, "incomplete format");
    spec.type = format->text[(*at)++];
    if (spec.type == '%') return ps_jinja_puts(out, "%");
    if (!spec.type || !strchr("srdiuxXoeEfFgGca", spec.type))
        return ps_jinja_fail(render, "unsupported format character '%c'", spec.type);
    if (value.type == TYPE_MISSING) PS_TRY(next_value(render, values, &value));
    return put_conversion(out, value, &spec);
}

enum ps_status ps_jinja_format_percent(struct render *render, const struct string *format,
                                       struct value all, struct value *result) {
    struct values values = {.all = all, .single = all.type != TYPE_TUPLE};
    struct builder out;
    bool by_name = false;
    ps_jinja_begin(render, &out);
    for (size_t at = 0; at < format->size;) {
        const char *percent = memchr(format->text + at, '%', format->size - at);
        size_t end = percent ? (size_t)(percent - format->text) : format->size;
        PS_TRY(ps_jinja_put_slice(&out, format, at, end));
        at = end + 1;
        if (percent) PS_TRY(put_percent(&out, format, &at, &values, &by_name));
    }
    bool mapping = all.type == TYPE_DICT || all.type == TYPE_LIST || all.type == TYPE_UNDEFINED;
    if (!by_name && !mapping && values.at < (values.single ? 1 : all.list->count))
        return ps_jinja_fail(render, "not all arguments converted during string formatting");
    return ps_jinja_end(&out, result);
}
