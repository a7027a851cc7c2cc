/* object.name and object[key]. jinja2 tries both ways: a dictionary's item is found behind a dot
 * and a method behind brackets. What the sandbox refuses is undefined, and fails when it is used.
 */
#include "text/jinja/render_internal.h"

#include <stdlib.h>
#include <string.h>

/* What the sandbox must not hand out: methods that change a list or dictionary. */
static bool is_unsafe(struct value object, const struct string *name) {
    static const char *const of_list[] = {"append", "clear",  "pop",    "reverse", "insert",
                                          "sort",   "extend", "remove", NULL};
    static const char *const of_dict[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
    const char *const *names = object.type == TYPE_LIST   ? of_list
                               : object.type == TYPE_DICT ? of_dict
                                                          : NULL;
    for (; names && *names; names++)
        if (ps_jinja_is(name, *names)) return true;
    return name->size > 4 && memcmp(name->text, "__", 2) == 0 &&
           memcmp(name->text + name->size - 2, "__", 2) == 0;
}

/* Of a cycler, macro, group or range. */
static void find_plain(struct value object, const struct string *name, struct value *result) {
    if (object.type == TYPE_CYCLER && ps_jinja_is(name, "current"))
        *result = object.cycler->items->items[object.cycler->position];
    if (object.type == TYPE_MACRO && ps_jinja_is(name, "name") && object.macro->node->text)
        *result = STRING(object.macro->node->text);
    if (object.type == TYPE_TUPLE && object.list->is_group && ps_jinja_is(name, "grouper"))
        *result = object.list->items[0];
    if (object.type == TYPE_TUPLE && object.list->is_group && ps_jinja_is(name, "list"))
        *result = object.list->items[1];
    if (object.type != TYPE_RANGE) return;
    if (ps_jinja_is(name, "start")) *result = INTEGER(object.range->start);
    if (ps_jinja_is(name, "stop")) *result = INTEGER(object.range->stop);
    if (ps_jinja_is(name, "step")) *result = INTEGER(object.range->step);
}

/* Python's getattr: TYPE_MISSING where the object has no such attribute. */
static enum ps_status find_attribute(struct render *render, struct value object,
                                     const struct string *name, struct value *result) {
    struct value *place;
    *result = (struct value){0};
    if (object.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, object);
    if (object.type == TYPE_NAMESPACE) {
        PS_TRY(ps_jinja_dict_find(render, object.dict, STRING(name), &place));
        if (place) *result = *place;
        if (place) return PS_OK;
    }
    if (is_unsafe(object, name))
        return ps_jinja_undefined(render, "access to attribute", ps_jinja_type_name(object),
                                  STRING(name), result);
    if (object.type == TYPE_LOOP) return ps_jinja_loop_attribute(render, object.loop, name, result);
    find_plain(object, name, result);
    const struct function *function = ps_jinja_find_method(object, name);
    if (!function || result->type != TYPE_MISSING) return PS_OK;
    struct method *method;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *method, &method));
    *method = (struct method){object, function};
    *result = (struct value){.type = TYPE_METHOD, .method = method};
    return PS_OK;
}

/* Python's object[key]: TYPE_MISSING where that raises LookupError or TypeError. */
static enum ps_status find_item(struct render *render, struct value object, struct value key,
                                struct value *result) {
    struct value *place;
    int64_t count, at;
    *result = (struct value){0};
    if (object.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, object);
    if (object.type == TYPE_DICT) {
        if (!ps_jinja_is_hashable(key)) return PS_OK;
        PS_TRY(ps_jinja_dict_find(render, object.dict, key, &place));
        if (place) *result = *place;
        return PS_OK;
    }
    bool sequence = object.type == TYPE_STRING || object.type == TYPE_LIST ||
                    object.type == TYPE_TUPLE || object.type == TYPE_RANGE;
    if (!sequence || !ps_jinja_is_integer(key)) return PS_OK;
    PS_TRY(ps_jinja_length(render, object, &count));
    at = ps_jinja_integer(key);
    if (at < 0) at += count;
    if (at < 0 || at >= count) return PS_OK;
    if (object.type == TYPE_RANGE) *result = INTEGER(object.range->start + at * object.range->step);
    if (object.type == TYPE_LIST || object.type == TYPE_TUPLE) *result = object.list->items[at];
    if (object.type != TYPE_STRING) return PS_OK;
    size_t begin = ps_jinja_offset(object.string, (size_t)at), end = begin + 1;
    while (end < object.string->size && ((unsigned char)object.string->text[end] & 0xC0) == 0x80)
        end++;
    return ps_jinja_slice(render, object.string, begin, end, result);
}

enum ps_status ps_jinja_attribute(struct render *render, struct value object,
                                  const struct string *name, struct value *result) {
    PS_TRY(find_attribute(render, object, name, result));
    if (result->type == TYPE_MISSING) PS_TRY(find_item(render, object, STRING(name), result));
    if (result->type != TYPE_MISSING) return PS_OK;
    return ps_jinja_undefined(render, NULL, ps_jinja_type_name(object), STRING(name), result);
}

enum ps_status ps_jinja_item(struct render *render, struct value object, struct value key,
                             struct value *result) {
    PS_TRY(find_item(render, object, key, result));
    if (result->type == TYPE_MISSING && key.type == TYPE_STRING)
        PS_TRY(find_attribute(render, object, key.string, result));
    if (result->type != TYPE_MISSING) return PS_OK;
    return ps_jinja_undefined(render, NULL, ps_jinja_type_name(object), key, result);
}

/* ---- slices ---- */

/* A slice's number, or its fallback, brought into [low, high]. */
static enum ps_status slice_end(struct render *render, struct value value, int64_t fallback,
                                int64_t count, int64_t low, int64_t high, int64_t *end) {
    *end = fallback;
    if (value.type == TYPE_NONE) return PS_OK;
    if (!ps_jinja_is_integer(value))
        return ps_jinja_fail(render, "slice indices must be integers or None");
    *end = ps_jinja_integer(value);
    if (*end < 0) *end = *end < -count ? low : *end + count;
    if (*end < low) *end = low;
    if (*end > high) *end = high;
    return PS_OK;
}

static enum ps_status slice_string(struct render *render, const struct string *string,
                                   int64_t start, int64_t count, int64_t step,
                                   struct value *result) {
    struct builder builder;
    size_t *offsets, characters = 0;
    if (step == 1) {
        size_t begin = ps_jinja_offset(string, (size_t)start);
        struct string rest = {.text = string->text + begin, .size = string->size - begin};
        size_t end = begin + ps_jinja_offset(&rest, (size_t)count);
        return ps_jinja_slice(render, string, begin, count > 0 ? end : begin, result);
    }
    PS_TRY(ps_jinja_charge(render, string->size));
    PS_TRY(ps_jinja_alloc(render, string->size + 1, sizeof *offsets, &offsets));
    for (size_t i = 0; i <= string->size; i++)
        if (i == string->size || ((unsigned char)string->text[i] & 0xC0) != 0x80)
            offsets[characters++] = i;
    ps_jinja_begin(render, &builder);
    for (int64_t i = 0, at = start; i < count; i++, at += step)
        PS_TRY(ps_jinja_put_slice(&builder, string, offsets[at], offsets[at + 1]));
    PS_TRY(ps_jinja_end(&builder, result));
    ((struct string *)result->string)->markup = string->markup;
    return PS_OK;
}

enum ps_status ps_jinja_item_slice(struct render *render, struct value object, struct value start,
                                   struct value stop, struct value step, struct value *result) {
    int64_t count, stride = 1, begin, end;
    if (object.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, object);
    bool list = object.type == TYPE_LIST || object.type == TYPE_TUPLE;
    if (!list && object.type != TYPE_STRING && object.type != TYPE_RANGE)
        return ps_jinja_fail(render, "'%s' object cannot be sliced", ps_jinja_type_name(object));
    if (step.type != TYPE_NONE && !ps_jinja_is_integer(step))
        return ps_jinja_fail(render, "slice indices must be integers or None");
    if (step.type != TYPE_NONE) stride = ps_jinja_integer(step);
    if (stride == 0) return ps_jinja_fail(render, "slice step cannot be zero");
    if (stride < -INT32_MAX) stride = -INT32_MAX;
    if (stride > INT32_MAX) stride = INT32_MAX;
    PS_TRY(ps_jinja_length(render, object, &count));
    int64_t low = stride < 0 ? -1 : 0, high = stride < 0 ? count - 1 : count;
    PS_TRY(slice_end(render, start, stride < 0 ? high : low, count, low, high, &begin));
    PS_TRY(slice_end(render, stop, stride < 0 ? low : high, count, low, high, &end));
    int64_t distance = stride < 0 ? begin - end : end - begin, size = llabs(stride);
    int64_t items = distance > 0 ? (distance + size - 1) / size : 0;
    if (object.type == TYPE_STRING)
        return slice_string(render, object.string, begin, items, stride, result);
    PS_TRY(ps_jinja_charge(render, (size_t)items / 8));
    if (object.type == TYPE_RANGE) {
        struct range *range;
        PS_TRY(ps_jinja_alloc(render, 1, sizeof *range, &range));
        const struct range *of = object.range;
        *range = (struct range){of->start + begin * of->step, of->start + end * of->step,
                                of->step * stride, (size_t)items};
        *result = (struct value){.type = TYPE_RANGE, .range = range};
        return PS_OK;
    }
    PS_TRY(ps_jinja_new_list(render, object.type, NULL, (size_t)items, result));
    for (int64_t i = 0; i < items; i++)
        result->list->items[i] = object.list->items[begin + i * stride];
    return PS_OK;
}

/* ---- the paths of filters ---- */

static enum ps_status follow(struct render *render, struct value key, struct value fallback,
                             struct value *object) {
    struct value found;
    PS_TRY(ps_jinja_item(render, *object, key, &found));
    bool replaced =
        found.type == TYPE_UNDEFINED && fallback.type != TYPE_MISSING && fallback.type != TYPE_NONE;
    *object = replaced ? fallback : found;
    return PS_OK;
}

enum ps_status ps_jinja_path(struct render *render, struct value object, struct value path,
                             struct value fallback, struct value *result) {
    *result = object;
    if (path.type == TYPE_NONE || path.type == TYPE_MISSING) return PS_OK;
    if (path.type != TYPE_STRING) return follow(render, path, fallback, result);
    const struct string *string = path.string;
    for (size_t begin = 0, end; begin <= string->size; begin = end + 1) {
        struct value part;
        int64_t number = 0;
        bool digits = true;
        const char *dot =
            string->size > begin ? memchr(string->text + begin, '.', string->size - begin) : NULL;
        end = dot ? (size_t)(dot - string->text) : string->size;
        for (size_t i = begin; i < end && digits; i++) {
            digits = string->text[i] >= '0' && string->text[i] <= '9' && number < INT32_MAX;
            number = number * 10 + (string->text[i] - '0');
        }
        PS_TRY(ps_jinja_slice(render, string, begin, end, &part));
        if (digits && end > begin) part = INTEGER(number);
        PS_TRY(follow(render, part, fallback, result));
    }
    return PS_OK;
}
