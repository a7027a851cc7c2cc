/* What Python's values do: truth, equality, order, membership, length, and dictionaries, which are
 * small here and searched from front to back. */
#include "text/jinja/render_internal.h"

#include <string.h>

const char *ps_jinja_type_name(struct value value) {
    static const char *const names[] = {
        [TYPE_MISSING] = "missing",     [TYPE_UNDEFINED] = "Undefined", [TYPE_NONE] = "NoneType",
        [TYPE_BOOL] = "bool",           [TYPE_INTEGER] = "int",         [TYPE_FLOAT] = "float",
        [TYPE_STRING] = "str",          [TYPE_LIST] = "list",           [TYPE_TUPLE] = "tuple",
        [TYPE_DICT] = "dict",           [TYPE_RANGE] = "range",         [TYPE_VIEW] = "dict view",
        [TYPE_GENERATOR] = "generator", [TYPE_NAMESPACE] = "Namespace", [TYPE_MACRO] = "Macro",
        [TYPE_LOOP] = "LoopContext",    [TYPE_CYCLER] = "Cycler",       [TYPE_JOINER] = "Joiner",
        [TYPE_FUNCTION] = "function",   [TYPE_METHOD] = "method"};
    return names[value.type];
}

bool ps_jinja_truth(struct value value) {
    switch (value.type) {
    case TYPE_MISSING:
    case TYPE_UNDEFINED:
    case TYPE_NONE: return false;
    case TYPE_BOOL: return value.boolean;
    case TYPE_INTEGER: return value.integer != 0;
    case TYPE_FLOAT: return value.real != 0;
    case TYPE_STRING: return value.string->size > 0;
    case TYPE_LIST:
    case TYPE_TUPLE: return value.list->count > 0;
    case TYPE_DICT: return value.dict->count > 0;
    case TYPE_RANGE: return value.range->count > 0;
    case TYPE_VIEW: return value.view->dict->count > 0;
    default: return true;
    }
}

/* ---- equality and order ---- */

/* Of two numbers, exactly: a double has no more than 53 bits, an integer has 64. */
static int compare_numbers(struct value a, struct value b, bool *ordered) {
    *ordered = true;
    if (ps_jinja_is_integer(a) && ps_jinja_is_integer(b)) {
        int64_t x = ps_jinja_integer(a), y = ps_jinja_integer(b);
        return (x > y) - (x < y);
    }
    long double x = a.type == TYPE_FLOAT ? (long double)a.real : (long double)ps_jinja_integer(a);
    long double y = b.type == TYPE_FLOAT ? (long double)b.real : (long double)ps_jinja_integer(b);
    *ordered = x == x && y == y;
    return (x > y) - (x < y);
}

static int compare_strings(const struct string *a, const struct string *b) {
    size_t size = a->size < b->size ? a->size : b->size;
    int order = size ? memcmp(a->text, b->text, size) : 0; /* UTF-8 sorts as its characters do */
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static enum ps_status equal_lists(struct render *render, const struct list *a, const struct list *b,
                                  bool *equal) {
    *equal = a->count == b->count;
    for (size_t i = 0; i < a->count && *equal; i++)
        PS_TRY(ps_jinja_equal(render, a->items[i], b->items[i], equal));
    return PS_OK;
}

static enum ps_status equal_dicts(struct render *render, const struct dict *a, const struct dict *b,
                                  bool *equal) {
    *equal = a->count == b->count;
    for (size_t i = 0; i < a->count && *equal; i++) {
        struct value *other;
        PS_TRY(ps_jinja_dict_find(render, b, a->pairs[i].key, &other));
        *equal = other;
        if (other) PS_TRY(ps_jinja_equal(render, a->pairs[i].value, *other, equal));
    }
    return PS_OK;
}

enum ps_status ps_jinja_equal(struct render *render, struct value a, struct value b, bool *equal) {
    bool ordered;
    PS_TRY(ps_jinja_charge(render, 1));
    if (ps_jinja_is_number(a) && ps_jinja_is_number(b)) {
        *equal = compare_numbers(a, b, &ordered) == 0 && ordered;
        return PS_OK;
    }
    *equal = a.type == b.type;
    if (!*equal) return PS_OK;
    switch (a.type) {
    case TYPE_UNDEFINED:
    case TYPE_NONE: return PS_OK;
    case TYPE_STRING:
        *equal = a.string->size == b.string->size && compare_strings(a.string, b.string) == 0;
        return ps_jinja_charge(render, *equal ? a.string->size / 64 : 0);
    case TYPE_LIST:
    case TYPE_TUPLE:
    case TYPE_DICT:
        if (++render->depth > MAX_DEPTH) return ps_jinja_limit(render, "a value nested too deeply");
        PS_TRY(a.type == TYPE_DICT ? equal_dicts(render, a.dict, b.dict, equal)
                                   : equal_lists(render, a.list, b.list, equal));
        render->depth--;
        return PS_OK;
    case TYPE_RANGE:
        *equal = a.range->count == b.range->count &&
                 (a.range->count == 0 || (a.range->start == b.range->start &&
                                          (a.range->count == 1 || a.range->step == b.range->step)));
        return PS_OK;
    default: *equal = a.list == b.list; return PS_OK; /* the same thing */
    }
}

static enum ps_status compare_lists(struct render *render, const char *symbol, const struct list *a,
                                    const struct list *b, int *order) {
    size_t count = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < count; i++) {
        bool equal;
        PS_TRY(ps_jinja_equal(render, a->items[i], b->items[i], &equal));
        if (equal) continue;
        if (++render->depth > MAX_DEPTH) return ps_jinja_limit(render, "a value nested too deeply");
        PS_TRY(ps_jinja_compare(render, symbol, a->items[i], b->items[i], order));
        render->depth--;
        return PS_OK;
    }
    *order = (a->count > b->count) - (a->count < b->count);
    return PS_OK;
}

enum ps_status ps_jinja_compare(struct render *render, const char *symbol, struct value a,
                                struct value b, int *order) {
    bool ordered;
    PS_TRY(ps_jinja_charge(render, 1));
    if (a.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, a);
    if (b.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, b);
    if (ps_jinja_is_number(a) && ps_jinja_is_number(b)) {
        *order = compare_numbers(a, b, &ordered);
        if (!ordered) *order = symbol[0] == '<' ? 1 : -1; /* no order with NaN is true */
        return PS_OK;
    }
    if (a.type == TYPE_STRING && b.type == TYPE_STRING) {
        *order = compare_strings(a.string, b.string);
        return ps_jinja_charge(render, a.string->size / 64);
    }
    if (a.type == b.type && (a.type == TYPE_LIST || a.type == TYPE_TUPLE))
        return compare_lists(render, symbol, a.list, b.list, order);
    return ps_jinja_fail(render, "'%s' not supported between instances of '%s' and '%s'", symbol,
                         ps_jinja_type_name(a), ps_jinja_type_name(b));
}

/* ---- membership and length ---- */

static bool is_in_range(const struct range *range, struct value item) {
    if (!ps_jinja_is_number(item) || range->count == 0) return false;
    double real = ps_jinja_real(item);
    if (item.type == TYPE_FLOAT && !(real >= -1e15 && real <= 1e15)) return false;
    int64_t integer = item.type == TYPE_FLOAT ? (int64_t)real : ps_jinja_integer(item), distance;
    if (item.type == TYPE_FLOAT && (double)integer != real) return false;
    if (__builtin_sub_overflow(integer, range->start, &distance)) return false;
    return distance % range->step == 0 && distance / range->step >= 0 &&
           (uint64_t)(distance / range->step) < range->count;
}

enum ps_status ps_jinja_contains(struct render *render, struct value container, struct value item,
                                 bool *found) {
    struct value *place, each;
    struct iterator iterator;
    switch (container.type) {
    case TYPE_STRING:
        if (item.type != TYPE_STRING)
            return ps_jinja_fail(render, "'in <string>' requires string as left operand, not %s",
                                 ps_jinja_type_name(item));
        *found = ps_jinja_find(container.string, item.string, 0) >= 0;
        return ps_jinja_charge(render, container.string->size / 64);
    case TYPE_DICT:
        if (!ps_jinja_is_hashable(item))
            return ps_jinja_fail(render, "unhashable type: '%s'", ps_jinja_type_name(item));
        PS_TRY(ps_jinja_dict_find(render, container.dict, item, &place));
        *found = place;
        return PS_OK;
    case TYPE_RANGE: *found = is_in_range(container.range, item); return PS_OK;
    default: break;
    }
    if (ps_jinja_is_number(container) || container.type == TYPE_NONE)
        return ps_jinja_fail(render, "argument of type '%s' is not iterable",
                             ps_jinja_type_name(container));
    PS_TRY(ps_jinja_iterate(render, container, &iterator));
    for (*found = false; !*found;) {
        PS_TRY(ps_jinja_next(render, &iterator, &each));
        if (each.type == TYPE_MISSING) break;
        PS_TRY(ps_jinja_equal(render, each, item, found));
    }
    return PS_OK;
}

enum ps_status ps_jinja_length(struct render *render, struct value value, int64_t *length) {
    struct value result;
    switch (value.type) {
    case TYPE_UNDEFINED: *length = 0; return PS_OK;
    case TYPE_STRING:
        *length = (int64_t)ps_jinja_count(value.string);
        return ps_jinja_charge(render, value.string->size / 64);
    case TYPE_LIST:
    case TYPE_TUPLE: *length = (int64_t)value.list->count; return PS_OK;
    case TYPE_DICT: *length = (int64_t)value.dict->count; return PS_OK;
    case TYPE_RANGE: *length = (int64_t)value.range->count; return PS_OK;
    case TYPE_VIEW: *length = (int64_t)value.view->dict->count; return PS_OK;
    case TYPE_LOOP: {
        static const struct string name = {.text = "length", .size = 6};
        PS_TRY(ps_jinja_loop_attribute(render, value.loop, &name, &result));
        *length = result.integer;
        return PS_OK;
    }
    default:
        return ps_jinja_fail(render, "object of type '%s' has no len()", ps_jinja_type_name(value));
    }
}

/* ---- undefined ---- */

enum ps_status ps_jinja_undefined(struct render *render, const char *hint, const char *type,
                                  struct value name, struct value *result) {
    struct undefined *undefined;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *undefined, &undefined));
    *undefined = (struct undefined){hint, type, name};
    *result = (struct value){.type = TYPE_UNDEFINED, .undefined = undefined};
    return PS_OK;
}

enum ps_status ps_jinja_fail_undefined(struct render *render, struct value value) {
    const struct undefined *undefined = value.undefined;
    struct builder builder;
    struct value name;
    if (undefined->hint && undefined->name.type == TYPE_MISSING)
        return ps_jinja_fail(render, "%s", undefined->hint);
    ps_jinja_begin(render, &builder);
    PS_TRY(ps_jinja_put_repr(&builder, undefined->name));
    PS_TRY(ps_jinja_end(&builder, &name));
    int size = name.string->size < 200 ? (int)name.string->size : 200;
    if (undefined->hint)
        return ps_jinja_fail(render,
                             undefined->type ? "%s %.*s of '%s' object is unsafe" : "%s %.*s",
                             undefined->hint, size, name.string->text, undefined->type);
    if (!undefined->type)
        return ps_jinja_fail(render, "%.*s is undefined", size, name.string->text);
    bool none = strcmp(undefined->type, "NoneType") == 0;
    const char *type = none ? "None" : undefined->type, *object = none ? "" : " object";
    if (undefined->name.type != TYPE_STRING)
        return ps_jinja_fail(render, "%s%s has no element %.*s", type, object, size,
                             name.string->text);
    return ps_jinja_fail(render, "'%s%s' has no attribute %.*s", type, object, size,
                         name.string->text);
}

/* ---- dictionaries and lists ---- */

/* Tuples in tuples count as hashable down to some depth only. */
static bool is_hashable(struct value value, unsigned depth) {
    if (value.type == TYPE_TUPLE)
        for (size_t i = 0; i < value.list->count; i++)
            if (depth == 0 || !is_hashable(value.list->items[i], depth - 1)) return false;
    return value.type != TYPE_LIST && value.type != TYPE_DICT && value.type != TYPE_VIEW;
}

bool ps_jinja_is_hashable(struct value value) {
    return is_hashable(value, 8);
}

enum ps_status ps_jinja_dict_find(struct render *render, const struct dict *dict, struct value key,
                                  struct value **found) {
    *found = NULL;
    PS_TRY(ps_jinja_charge(render, dict->count / 8));
    for (size_t i = 0; i < dict->count; i++) {
        struct value other = dict->pairs[i].key;
        bool equal;
        if (key.type == TYPE_STRING) {
            if (other.type != TYPE_STRING || other.string->size != key.string->size) continue;
            equal = compare_strings(other.string, key.string) == 0;
        } else {
            PS_TRY(ps_jinja_equal(render, other, key, &equal));
        }
        if (!equal) continue;
        *found = &dict->pairs[i].value;
        break;
    }
    return PS_OK;
}

enum ps_status ps_jinja_dict_get(struct render *render, const struct dict *dict, const char *key,
                                 struct value **found) {
    struct string string = {.text = key, .size = strlen(key)};
    return ps_jinja_dict_find(render, dict, STRING(&string), found);
}

enum ps_status ps_jinja_new_dict(struct render *render, size_t capacity, struct dict **dict) {
    PS_TRY(ps_jinja_alloc(render, 1, sizeof **dict, dict));
    (*dict)->capacity = capacity;
    return ps_jinja_alloc(render, capacity, sizeof *(*dict)->pairs, &(*dict)->pairs);
}

enum ps_status ps_jinja_dict_set(struct render *render, struct dict *dict, struct value key,
                                 struct value value) {
    struct value *place;
    if (!ps_jinja_is_hashable(key))
        return ps_jinja_fail(render, "unhashable type: '%s'", ps_jinja_type_name(key));
    PS_TRY(ps_jinja_dict_find(render, dict, key, &place));
    if (place) {
        *place = value;
        return PS_OK;
    }
    if (dict->count == dict->capacity) {
        struct pair *pairs;
        size_t capacity = dict->capacity * 2 + 4;
        PS_TRY(ps_jinja_alloc(render, capacity, sizeof *pairs, &pairs));
        if (dict->count) memcpy(pairs, dict->pairs, dict->count * sizeof *pairs);
        dict->pairs = pairs;
        dict->capacity = capacity;
    }
    dict->pairs[dict->count++] = (struct pair){key, value};
    return PS_OK;
}

enum ps_status ps_jinja_new_list(struct render *render, enum value_type type,
                                 const struct value *items, size_t count, struct value *result) {
    struct list *list;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *list, &list));
    PS_TRY(ps_jinja_alloc(render, count, sizeof *list->items, &list->items));
    if (items && count) memcpy(list->items, items, count * sizeof *items);
    list->count = count;
    *result = (struct value){.type = type, .list = list};
    return PS_OK;
}
