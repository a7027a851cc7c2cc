/* Global functions, and methods of all values but strings. */
#include "text/jinja/render_internal.h"

#include <string.h>

#define BUILT_IN(name)                                                                             \
    static enum ps_status name(struct render *render, const struct call *call, struct value *result)
#define GIVEN(i) (call->arguments[i].type != TYPE_MISSING)

BUILT_IN(run_raise) {
    const struct string *message;
    (void)result;
    PS_TRY(ps_jinja_str(render, call->arguments[0], &message));
    return ps_jinja_fail(render, "%.*s", (int)(message->size < 700 ? message->size : 700),
                         message->text);
}

BUILT_IN(run_strftime) {
    const struct string *format;
    PS_TRY(ps_jinja_need_string(render, call->arguments[0], "the format of strftime_now", &format));
    return ps_jinja_strftime(render, format, result);
}

BUILT_IN(run_range) {
    struct range *range;
    int64_t ends[3] = {0, 0, 1}, distance;
    size_t count = 0;
    for (size_t i = 0; i < 3 && GIVEN(i); i++, count++)
        PS_TRY(
            ps_jinja_need_integer(render, call->arguments[i], "the argument of range", &ends[i]));
    if (count == 1) {
        ends[1] = ends[0];
        ends[0] = 0;
    }
    if (ends[2] == 0) return ps_jinja_fail(render, "range() arg 3 must not be zero");
    bool up = ends[2] > 0;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *range, &range));
    *range = (struct range){ends[0], ends[1], ends[2], 0};
    if (up ? ends[1] > ends[0] : ends[1] < ends[0]) {
        bool far = __builtin_sub_overflow(ends[1], ends[0], &distance);
        uint64_t size = up ? (uint64_t)ends[2] : 0 - (uint64_t)ends[2];
        uint64_t length = far ? UINT64_MAX : up ? (uint64_t)distance : 0 - (uint64_t)distance;
        length = (length - 1) / size + 1;
        if (far || length > MAX_RANGE)
            return ps_jinja_fail(render,
                                 "Range too big. The sandbox blocks ranges larger than "
                                 "MAX_RANGE (%d).",
                                 MAX_RANGE);
        range->count = (size_t)length;
    }
    *result = (struct value){.type = TYPE_RANGE, .range = range};
    return PS_OK;
}

/* dict() and namespace(): a mapping or pairs, then keywords. */
static enum ps_status fill_dict(struct render *render, const struct call *call,
                                struct dict **dict) {
    const struct arguments *all = call->all;
    PS_TRY(ps_jinja_new_dict(render, 4, dict));
    if (all->count > 1)
        return ps_jinja_fail(render, "dict expected at most 1 argument, got %zu", all->count);
    struct value source = all->count ? all->positional[0] : (struct value){0};
    if (source.type == TYPE_DICT) {
        for (size_t i = 0; i < source.dict->count; i++)
            PS_TRY(ps_jinja_dict_set(render, *dict, source.dict->pairs[i].key,
                                     source.dict->pairs[i].value));
    } else if (source.type != TYPE_MISSING) {
        struct list pairs, pair;
        PS_TRY(ps_jinja_collect(render, source, &pairs));
        for (size_t i = 0; i < pairs.count; i++) {
            PS_TRY(ps_jinja_collect(render, pairs.items[i], &pair));
            if (pair.count != 2)
                return ps_jinja_fail(render,
                                     "dictionary update sequence element #%zu has length "
                                     "%zu; 2 is required",
                                     i, pair.count);
            PS_TRY(ps_jinja_dict_set(render, *dict, pair.items[0], pair.items[1]));
        }
    }
    for (size_t i = 0; i < all->keyword_count; i++)
        PS_TRY(ps_jinja_dict_set(render, *dict, STRING(all->keywords[i].name),
                                 all->keywords[i].value));
    return PS_OK;
}

BUILT_IN(run_dict) {
    struct dict *dict;
    PS_TRY(fill_dict(render, call, &dict));
    *result = (struct value){.type = TYPE_DICT, .dict = dict};
    return PS_OK;
}

BUILT_IN(run_namespace) {
    struct dict *dict;
    PS_TRY(fill_dict(render, call, &dict));
    for (size_t i = 0; i < dict->count; i++) {
        struct value key = dict->pairs[i].key;
        if (key.type == TYPE_STRING && key.string->size > 0 && key.string->text[0] == '_')
            return ps_jinja_fail(render, "a namespace takes no names that begin with '_'");
    }
    *result = (struct value){.type = TYPE_NAMESPACE, .dict = dict};
    return PS_OK;
}

BUILT_IN(run_cycler) {
    struct cycler *cycler;
    struct value items;
    if (call->all->count == 0) return ps_jinja_fail(render, "at least one item has to be provided");
    PS_TRY(ps_jinja_new_list(render, TYPE_LIST, call->all->positional, call->all->count, &items));
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *cycler, &cycler));
    cycler->items = items.list;
    *result = (struct value){.type = TYPE_CYCLER, .cycler = cycler};
    return PS_OK;
}

BUILT_IN(run_joiner) {
    static const struct string comma = {.text = ", ", .size = 2};
    struct joiner *joiner;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *joiner, &joiner));
    joiner->separator = &comma;
    if (GIVEN(0))
        PS_TRY(ps_jinja_need_string(render, call->arguments[0], "sep", &joiner->separator));
    *result = (struct value){.type = TYPE_JOINER, .joiner = joiner};
    return PS_OK;
}

const struct function *ps_jinja_find_global(const struct string *name) {
    static const struct function globals[] = {
        {"raise_exception", run_raise, "message", 1},
        {"strftime_now", run_strftime, "format", 1},
        {"range", run_range, "/start /stop /step", 1},
        {"dict", run_dict, NULL, 0},
        {"namespace", run_namespace, NULL, 0},
        {"cycler", run_cycler, NULL, 0},
        {"joiner", run_joiner, "sep", 0},
    };
    return ps_jinja_find_function(globals, sizeof globals / sizeof *globals, name);
}

/* ---- methods ---- */

static enum ps_status view(struct render *render, const struct call *call, int kind,
                           struct value *result) {
    struct view *view;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *view, &view));
    view->dict = call->self.dict;
    view->kind = kind;
    *result = (struct value){.type = TYPE_VIEW, .view = view};
    return PS_OK;
}
BUILT_IN(run_keys) {
    return view(render, call, VIEW_KEYS, result);
}
BUILT_IN(run_values) {
    return view(render, call, VIEW_VALUES, result);
}
BUILT_IN(run_items) {
    return view(render, call, VIEW_ITEMS, result);
}

BUILT_IN(run_get) {
    struct value *place;
    if (!ps_jinja_is_hashable(call->arguments[0]))
        return ps_jinja_fail(render, "unhashable type: '%s'",
                             ps_jinja_type_name(call->arguments[0]));
    PS_TRY(ps_jinja_dict_find(render, call->self.dict, call->arguments[0], &place));
    *result = place ? *place : GIVEN(1) ? call->arguments[1] : NONE;
    return PS_OK;
}

BUILT_IN(run_copy) {
    struct dict *dict;
    const struct dict *from = call->self.dict;
    if (call->self.type == TYPE_LIST)
        return ps_jinja_new_list(render, TYPE_LIST, call->self.list->items, call->self.list->count,
                                 result);
    PS_TRY(ps_jinja_new_dict(render, from->count, &dict));
    if (from->count) memcpy(dict->pairs, from->pairs, from->count * sizeof *dict->pairs);
    dict->count = from->count;
    *result = (struct value){.type = TYPE_DICT, .dict = dict};
    return PS_OK;
}

BUILT_IN(run_index) {
    bool equal = false;
    const struct list *list = call->self.list;
    for (size_t i = 0; i < list->count; i++) {
        PS_TRY(ps_jinja_equal(render, list->items[i], call->arguments[0], &equal));
        if (!equal) continue;
        *result = INTEGER((int64_t)i);
        return PS_OK;
    }
    return ps_jinja_fail(render, "the value is not in the list");
}

BUILT_IN(run_count) {
    int64_t count = 0;
    const struct list *list = call->self.list;
    for (size_t i = 0; i < list->count; i++) {
        bool equal;
        PS_TRY(ps_jinja_equal(render, list->items[i], call->arguments[0], &equal));
        count += equal;
    }
    *result = INTEGER(count);
    return PS_OK;
}

BUILT_IN(run_next) {
    struct cycler *cycler = call->self.cycler;
    (void)render;
    *result = cycler->items->items[cycler->position];
    cycler->position = (cycler->position + 1) % cycler->items->count;
    return PS_OK;
}

BUILT_IN(run_reset) {
    (void)render, (void)result;
    call->self.cycler->position = 0;
    return PS_OK;
}

const struct function *ps_jinja_find_method(struct value object, const struct string *name) {
    static const struct function of_dict[] = {{"get", run_get, "/key /default", 1},
                                              {"keys", run_keys, "", 0},
                                              {"values", run_values, "", 0},
                                              {"items", run_items, "", 0},
                                              {"copy", run_copy, "", 0}};
    static const struct function of_list[] = {{"index", run_index, "/value", 1},
                                              {"count", run_count, "/value", 1},
                                              {"copy", run_copy, "", 0}};
    static const struct function of_cycler[] = {{"next", run_next, "", 0},
                                                {"reset", run_reset, "", 0}};
    switch (object.type) {
    case TYPE_STRING: return ps_jinja_find_string_method(name);
    case TYPE_DICT: return ps_jinja_find_function(of_dict, 5, name);
    case TYPE_LIST: return ps_jinja_find_function(of_list, 3, name);
    case TYPE_TUPLE: return ps_jinja_find_function(of_list, 2, name);
    case TYPE_CYCLER: return ps_jinja_find_function(of_cycler, 2, name);
    default: return NULL;
    }
}
