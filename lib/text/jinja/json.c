/* JSON in and out: the context's values, and the filter tojson, which writes as Python's json.dumps
 * does. */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- in ---- */

static enum ps_status from_string(struct render *render, const char *text, size_t size, bool data,
                                  struct value *result) {
    struct string *string;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *string, &string));
    *string = (struct string){.text = text, .size = size, .data = data};
    *result = STRING(string);
    return PS_OK;
}

static enum ps_status from_object(struct render *render, const json_t *json, bool data,
                                  unsigned depth, struct value *result) {
    const char *key;
    json_t *member;
    struct dict *dict;
    PS_TRY(ps_jinja_new_dict(render, json_object_size(json), &dict));
    json_object_foreach((json_t *)json, key, member) {
        struct pair *pair = &dict->pairs[dict->count++];
        PS_TRY(from_string(render, key, strlen(key), data, &pair->key));
        PS_TRY(ps_jinja_from_json(render, member, data, depth + 1, &pair->value));
    }
    *result = (struct value){.type = TYPE_DICT, .dict = dict};
    return PS_OK;
}

enum ps_status ps_jinja_from_json(struct render *render, const json_t *json, bool data,
                                  unsigned depth, struct value *result) {
    if (depth > MAX_DEPTH / 2) return ps_jinja_limit(render, "a value nested too deeply");
    switch (json_typeof(json)) {
    case JSON_NULL: *result = NONE; return PS_OK;
    case JSON_TRUE:
    case JSON_FALSE: *result = BOOLEAN(json_is_true(json)); return PS_OK;
    case JSON_INTEGER: *result = INTEGER(json_integer_value(json)); return PS_OK;
    case JSON_REAL: *result = REAL(json_real_value(json)); return PS_OK;
    case JSON_STRING:
        return from_string(render, json_string_value(json), json_string_length(json), data, result);
    case JSON_OBJECT: return from_object(render, json, data, depth, result);
    default: break;
    }
    size_t count = json_array_size(json);
    PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, count, result));
    for (size_t i = 0; i < count; i++)
        PS_TRY(ps_jinja_from_json(render, json_array_get(json, i), data, depth + 1,
                                  &result->list->items[i]));
    return PS_OK;
}

/* ---- out ---- */

static enum ps_status put_json_string(struct builder *builder, const struct string *string,
                                      bool ascii) {
    PS_TRY(ps_jinja_puts(builder, "\""));
    for (size_t at = 0; at < string->size;) {
        static const char plain[] = "\"\\\n\r\t\f\b", letters[] = "\"\\nrtfb";
        char escape[16] = "";
        int32_t c;
        size_t length = ps_utf8_next(string->text + at, string->size - at, &c, NULL);
        const char *found = c > 0 && c < 0x80 ? strchr(plain, c) : NULL;
        if (found)
            snprintf(escape, sizeof escape, "\\%c", letters[found - plain]);
        else if (c < 0x20 || (ascii && c >= 0x7F && c < 0x10000 && c != 0x7F))
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
        else if (ascii && c >= 0x10000)
            snprintf(escape, sizeof escape, "\\u%04x\\u%04x", 0xD7C0 + (unsigned)(c >> 10),
                     0xDC00 + (unsigned)(c & 0x3FF));
        if (*escape)
            PS_TRY(ps_jinja_put(builder, escape, strlen(escape), ps_jinja_is_data(string, at)));
        else
            PS_TRY(ps_jinja_put_slice(builder, string, at, at + length));
        at += length;
    }
    return ps_jinja_puts(builder, "\"");
}

static enum ps_status put_json_number(struct builder *builder, struct value value) {
    if (value.type != TYPE_FLOAT || isfinite(value.real)) return ps_jinja_put_repr(builder, value);
    return ps_jinja_puts(builder, isnan(value.real) ? "NaN"
                                  : value.real > 0  ? "Infinity"
                                                    : "-Infinity");
}

static enum ps_status put_json_word(struct builder *builder, struct value value) {
    return ps_jinja_puts(builder, value.type == TYPE_NONE ? "null"
                                  : value.boolean         ? "true"
                                                          : "false");
}

static enum ps_status put_key(struct builder *builder, struct value key,
                              const struct json_style *style) {
    if (key.type == TYPE_STRING) return put_json_string(builder, key.string, style->ascii);
    if (!ps_jinja_is_number(key) && key.type != TYPE_NONE)
        return ps_jinja_fail(builder->render, "keys must be str, int, float, bool or None, not %s",
                             ps_jinja_type_name(key));
    bool number = key.type == TYPE_INTEGER || key.type == TYPE_FLOAT;
    PS_TRY(ps_jinja_puts(builder, "\""));
    PS_TRY(number ? put_json_number(builder, key) : put_json_word(builder, key));
    return ps_jinja_puts(builder, "\"");
}

static enum ps_status put_line(struct builder *builder, const struct json_style *style,
                               unsigned depth) {
    if (!style->indented) return PS_OK;
    PS_TRY(ps_jinja_puts(builder, "\n"));
    return ps_jinja_put_repeated(builder, style->indent, depth);
}

static enum ps_status put_object(struct builder *builder, const struct dict *dict,
                                 const struct json_style *style, unsigned depth) {
    if (dict->count == 0) return ps_jinja_puts(builder, "{}");
    const struct pair *pairs = dict->pairs;
    if (style->sorted) { /* by insertion: objects are small */
        struct pair *sorted;
        PS_TRY(ps_jinja_alloc(builder->render, dict->count, sizeof *sorted, &sorted));
        for (size_t i = 0; i < dict->count; i++) {
            size_t at = i;
            for (int order; at > 0; at--) {
                PS_TRY(ps_jinja_compare(builder->render, "<", pairs[i].key, sorted[at - 1].key,
                                        &order));
                if (order >= 0) break;
                sorted[at] = sorted[at - 1];
            }
            sorted[at] = pairs[i];
        }
        pairs = sorted;
    }
    PS_TRY(ps_jinja_puts(builder, "{"));
    for (size_t i = 0; i < dict->count; i++) {
        if (i) PS_TRY(ps_jinja_put_string(builder, style->item_separator));
        PS_TRY(put_line(builder, style, depth + 1));
        PS_TRY(put_key(builder, pairs[i].key, style));
        PS_TRY(ps_jinja_put_string(builder, style->key_separator));
        PS_TRY(ps_jinja_put_json(builder, pairs[i].value, style, depth + 1));
    }
    PS_TRY(put_line(builder, style, depth));
    return ps_jinja_puts(builder, "}");
}

static enum ps_status put_array(struct builder *builder, const struct list *list,
                                const struct json_style *style, unsigned depth) {
    if (list->count == 0) return ps_jinja_puts(builder, "[]");
    PS_TRY(ps_jinja_puts(builder, "["));
    for (size_t i = 0; i < list->count; i++) {
        if (i) PS_TRY(ps_jinja_put_string(builder, style->item_separator));
        PS_TRY(put_line(builder, style, depth + 1));
        PS_TRY(ps_jinja_put_json(builder, list->items[i], style, depth + 1));
    }
    PS_TRY(put_line(builder, style, depth));
    return ps_jinja_puts(builder, "]");
}

enum ps_status ps_jinja_put_json(struct builder *builder, struct value value,
                                 const struct json_style *style, unsigned depth) {
    PS_TRY(ps_jinja_charge(builder->render, 1));
    if (depth > MAX_DEPTH / 2) return ps_jinja_limit(builder->render, "a value nested too deeply");
    switch (value.type) {
    case TYPE_NONE:
    case TYPE_BOOL: return put_json_word(builder, value);
    case TYPE_INTEGER:
    case TYPE_FLOAT: return put_json_number(builder, value);
    case TYPE_STRING: return put_json_string(builder, value.string, style->ascii);
    case TYPE_LIST:
    case TYPE_TUPLE: return put_array(builder, value.list, style, depth);
    case TYPE_DICT: return put_object(builder, value.dict, style, depth);
    default:
        return ps_jinja_fail(builder->render, "Object of type %s is not JSON serializable",
                             ps_jinja_type_name(value));
    }
}
