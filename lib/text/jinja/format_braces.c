/* "{} of {name}".format(...). */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fields {
    const struct arguments *arguments;
    size_t next; /* of {} */
    bool manual, automatic;
};

static enum ps_status first_of_field(struct render *render, struct fields *fields,
                                     const struct string *name, struct value *value) {
    bool digits = true;
    int64_t index = 0;
    for (size_t i = 0; i < name->size; i++) {
        digits = digits && name->text[i] >= '0' && name->text[i] <= '9' && index < MAX_RANGE;
        index = index * 10 + (name->text[i] - '0');
    }
    if (digits) {
        bool empty = name->size == 0;
        if (empty ? fields->manual : fields->automatic)
            return ps_jinja_fail(render, "format: {} and {0} cannot be mixed");
        *(empty ? &fields->automatic : &fields->manual) = true;
        if (empty) index = (int64_t)fields->next++;
        if ((size_t)index >= fields->arguments->count)
            return ps_jinja_fail(render,
                                 "Replacement index %lld out of range for positional args "
                                 "tuple",
                                 (long long)index);
        *value = fields->arguments->positional[index];
        return PS_OK;
    }
    for (size_t i = 0; i < fields->arguments->keyword_count; i++) {
        const struct string *key = fields->arguments->keywords[i].name;
        if (key->size != name->size || memcmp(key->text, name->text, key->size) != 0) continue;
        *value = fields->arguments->keywords[i].value;
        return PS_OK;
    }
    return ps_jinja_fail(render, "format: '%.*s' is not given",
                         (int)(name->size < 60 ? name->size : 60), name->text);
}

/* "name.attribute[key]" */
static enum ps_status find_field(struct render *render, struct fields *fields,
                                 const struct string *field, struct value *value) {
    size_t at = 0;
    while (at < field->size && field->text[at] != '.' && field->text[at] != '[') at++;
    struct string name = {.text = field->text, .size = at};
    PS_TRY(first_of_field(render, fields, &name, value));
    while (at < field->size) {
        struct value part;
        bool attribute = field->text[at++] == '.';
        size_t begin = at;
        while (at < field->size && (attribute ? field->text[at] != '.' && field->text[at] != '['
                                              : field->text[at] != ']'))
            at++;
        if (at == begin) return ps_jinja_fail(render, "Empty attribute in format string");
        PS_TRY(ps_jinja_slice(render, field, begin, at, &part));
        if (attribute) {
            PS_TRY(ps_jinja_attribute(render, *value, part.string, value));
            continue;
        }
        if (at++ >= field->size) return ps_jinja_fail(render, "Missing ']' in format string");
        const char *text;
        char *end;
        PS_TRY(ps_jinja_c_string(render, part.string, &text));
        long long index = strtoll(text, &end, 10);
        bool number = *end == 0 && text[0] >= '0' && text[0] <= '9';
        PS_TRY(ps_jinja_item(render, *value, number ? INTEGER(index) : part, value));
    }
    return PS_OK;
}

/* [[fill]align][sign][#][0][width][,][.precision][type] */
static enum ps_status parse_spec(struct render *render, const struct string *text,
                                 struct spec *spec) {
    size_t at = 0;
    int32_t code_point;
    *spec = (struct spec){.precision = -1};
    size_t length = text->size ? ps_utf8_next(text->text, text->size, &code_point, NULL) : 0;
    if (length && length < text->size && strchr("<>=^", text->text[length])) {
        spec->fill = (struct string){.text = text->text, .size = length};
        spec->align = text->text[length];
        at = length + 1;
    } else if (length && strchr("<>=^", text->text[0]) && text->text[0]) {
        spec->align = text->text[at++];
    }
    if (at < text->size && strchr("+- ", text->text[at]) && text->text[at]) {
        spec->sign = text->text[at] == '-' ? 0 : text->text[at];
        at++;
    }
    if (at < text->size && text->text[at] == '#') spec->alternate = ++at;
    if (at < text->size && text->text[at] == '0') {
        spec->zero = ++at;
        if (!spec->fill.size) spec->fill = (struct string){.text = "0", .size = 1};
    }
    PS_TRY(ps_jinja_read_width(render, text, &at, &spec->width));
    if (at < text->size && text->text[at] == ',') spec->comma = ++at;
    if (at < text->size && text->text[at] == '.') {
        at++;
        PS_TRY(ps_jinja_read_width(render, text, &at, &spec->precision));
    }
    if (at < text->size) spec->type = text->text[at++];
    if (at < text->size || (spec->type && !strchr("sdxXobceEfFgG%n", spec->type)))
        return ps_jinja_fail(render, "Invalid format specifier");
    return PS_OK;
}

static enum ps_status put_field(struct builder *out, struct value value, char conversion,
                                const struct string *spec_text) {
    struct render *render = out->render;
    struct spec spec;
    struct builder repr;
    const struct string *text;
    if (memchr(spec_text->text, '*', spec_text->size) && spec_text->size == 1)
        return ps_jinja_fail(render, "Invalid format specifier");
    PS_TRY(parse_spec(render, spec_text, &spec));
    if (conversion == 'r' || conversion == 'a') {
        ps_jinja_begin(render, &repr);
        PS_TRY(ps_jinja_put_repr(&repr, value));
        PS_TRY(ps_jinja_end(&repr, &value));
    } else if (conversion == 's') {
        PS_TRY(ps_jinja_str(render, value, &text));
        value = STRING(text);
    }
    bool plain = spec_text->size == 0;
    if (ps_jinja_is_number(value) && !plain && !(value.type == TYPE_BOOL && spec.type == 's')) {
        if (spec.type == 'd' || spec.type == 'n')
            spec.type = value.type == TYPE_FLOAT && spec.type == 'n' ? 'g' : spec.type;
        if (spec.type == 'n') spec.type = 'd';
        if (spec.type == 's')
            return ps_jinja_fail(render, "Unknown format code 's' for object of type '%s'",
                                 ps_jinja_type_name(value));
        return ps_jinja_put_number(out, value, &spec,
                                   spec.align  ? spec.align
                                   : spec.zero ? '='
                                               : '>');
    }
    if (plain) return ps_jinja_put_str(out, value);
    if (value.type != TYPE_STRING)
        return ps_jinja_fail(render, "unsupported format string passed to %s.__format__",
                             ps_jinja_type_name(value));
    if ((spec.type && spec.type != 's') || spec.sign || spec.comma || spec.align == '=')
        return ps_jinja_fail(render, "Unknown format code for object of type 'str'");
    return ps_jinja_put_text(out, value.string, &spec, spec.align ? spec.align : '<');
}

/* nested: within the specification of a field, which may have fields itself, but no deeper. */
static enum ps_status format_braces(struct render *render, const struct string *format,
                                    const struct arguments *arguments, bool nested,
                                    struct value *result) {
    struct fields fields = {.arguments = arguments};
    struct builder out;
    ps_jinja_begin(render, &out);
    for (size_t at = 0; at < format->size;) {
        char c = format->text[at], next = at + 1 < format->size ? format->text[at + 1] : 0;
        if ((c != '{' && c != '}') || c == next) {
            PS_TRY(ps_jinja_put_slice(&out, format, at, at + 1));
            at += 1 + (c == next && (c == '{' || c == '}'));
            continue;
        }
        size_t begin = ++at, end, colon;
        int depth = 1;
        if (c == '}') return ps_jinja_fail(render, "Single '}' encountered in format string");
        for (; at < format->size && depth > 0; at++)
            depth += format->text[at] == '{' ? 1 : format->text[at] == '}' ? -1 : 0;
        if (depth > 0) return ps_jinja_fail(render, "expected '}' before end of string");
        end = at - 1;
        for (colon = begin;
             colon < end && format->text[colon] != ':' && format->text[colon] != '!';)
            colon++;
        struct string name = {.text = format->text + begin, .size = colon - begin};
        char conversion = 0;
        if (colon < end && format->text[colon] == '!') {
            conversion = colon + 1 < end ? format->text[colon + 1] : '?';
            if (!strchr("rsa", conversion))
                return ps_jinja_fail(render, "Unknown conversion specifier");
            colon += 2;
        }
        struct value value, spec;
        PS_TRY(find_field(render, &fields, &name, &value));
        PS_TRY(ps_jinja_slice(render, format, colon < end ? colon + 1 : end, end, &spec));
        if (memchr(spec.string->text, '{', spec.string->size)) {
            if (nested) return ps_jinja_fail(render, "Max string recursion exceeded");
            PS_TRY(format_braces(render, spec.string, arguments, true, &spec));
        }
        PS_TRY(put_field(&out, value, conversion, spec.string));
    }
    PS_TRY(ps_jinja_end(&out, result));
    ((struct string *)result->string)->markup = format->markup;
    return PS_OK;
}

enum ps_status ps_jinja_format_braces(struct render *render, const struct string *format,
                                      const struct arguments *arguments, struct value *result) {
    return format_braces(render, format, arguments, false, result);
}
