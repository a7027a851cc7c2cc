/* Filters over lists and dictionaries that give a value or a list. */
#include "text/jinja/render_internal.h"

#include <string.h>

#define FILTER(name)                                                                               \
    static enum ps_status name(struct render *render, const struct call *call, struct value *result)
#define GIVEN(i) (call->arguments[i].type != TYPE_MISSING)

static enum ps_status as_generator(struct render *render, struct value list, struct value *result) {
    struct iterator *iterator;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *iterator, &iterator));
    PS_TRY(ps_jinja_iterate(render, list, iterator));
    *result = (struct value){.type = TYPE_GENERATOR, .generator = iterator};
    return PS_OK;
}

FILTER(run_length) {
    int64_t length;
    PS_TRY(ps_jinja_length(render, call->self, &length));
    *result = INTEGER(length);
    return PS_OK;
}

FILTER(run_list) {
    struct list list;
    PS_TRY(ps_jinja_collect(render, call->self, &list));
    return ps_jinja_new_list(render, TYPE_LIST, list.items, list.count, result);
}

FILTER(run_items) {
    struct view *view;
    struct value pairs;
    if (call->self.type != TYPE_DICT && call->self.type != TYPE_UNDEFINED)
        return ps_jinja_fail(render, "Can only get item pairs from a mapping.");
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *view, &view));
    *view = (struct view){call->self.dict, VIEW_ITEMS};
    pairs = (struct value){.type = TYPE_VIEW, .view = view};
    return as_generator(render, call->self.type == TYPE_DICT ? pairs : call->self, result);
}

FILTER(run_default) {
    bool boolean = GIVEN(1) && ps_jinja_truth(call->arguments[1]);
    bool replaced = call->self.type == TYPE_UNDEFINED || (boolean && !ps_jinja_truth(call->self));
    *result = replaced ? call->arguments[0] : call->self;
    return result->type == TYPE_MISSING ? ps_jinja_own(render, "", result) : PS_OK;
}

FILTER(run_first) {
    struct iterator iterator;
    PS_TRY(ps_jinja_iterate(render, call->self, &iterator));
    PS_TRY(ps_jinja_next(render, &iterator, result));
    if (result->type != TYPE_MISSING) return PS_OK;
    return ps_jinja_undefined(render, "No first item, sequence was empty.", NULL, (struct value){0},
                              result);
}

static enum ps_status reversible(struct render *render, struct value value, struct list *list) {
    if (value.type == TYPE_GENERATOR || value.type == TYPE_LOOP)
        return ps_jinja_fail(render, "'%s' object is not reversible", ps_jinja_type_name(value));
    return ps_jinja_collect(render, value, list);
}

FILTER(run_last) {
    struct list list;
    PS_TRY(reversible(render, call->self, &list));
    if (list.count == 0)
        return ps_jinja_undefined(render, "No last item, sequence was empty.", NULL,
                                  (struct value){0}, result);
    *result = list.items[list.count - 1];
    return PS_OK;
}

FILTER(run_reverse) {
    struct list list;
    struct value items;
    if (call->self.type == TYPE_STRING)
        return ps_jinja_item_slice(render, call->self, NONE, NONE, INTEGER(-1), result);
    PS_TRY(ps_jinja_collect(render, call->self, &list));
    for (size_t i = 0; i < list.count / 2; i++) {
        struct value swapped = list.items[i];
        list.items[i] = list.items[list.count - 1 - i];
        list.items[list.count - 1 - i] = swapped;
    }
    PS_TRY(ps_jinja_new_list(render, TYPE_LIST, list.items, list.count, &items));
    /* reversed() gives an iterator, but of a generator a list is made */
    if (call->self.type != TYPE_GENERATOR) return as_generator(render, items, result);
    *result = items;
    return PS_OK;
}

/* ---- order ---- */

/* A key to sort by: an attribute, in small letters unless case counts. */
static enum ps_status find_key(struct render *render, struct value item, struct value path,
                               bool case_sensitive, struct value *key) {
    PS_TRY(ps_jinja_path(render, item, path, (struct value){0}, key));
    if (case_sensitive || key->type != TYPE_STRING) return PS_OK;
    return ps_jinja_change_case(render, key->string, CASE_LOWER, key);
}

/* "a,b": a list of keys. */
static enum ps_status find_keys(struct render *render, struct value item, struct value path,
                                bool case_sensitive, struct value *key) {
    if (path.type != TYPE_STRING || !memchr(path.string->text, ',', path.string->size))
        return find_key(render, item, path, case_sensitive, key);
    const struct string *string = path.string;
    size_t count = 1, at = 0;
    for (size_t i = 0; i < string->size; i++) count += string->text[i] == ',';
    PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, count, key));
    for (size_t i = 0; i < count; i++) {
        const char *comma =
            at < string->size ? memchr(string->text + at, ',', string->size - at) : 0;
        size_t end = comma ? (size_t)(comma - string->text) : string->size;
        struct value part;
        PS_TRY(ps_jinja_slice(render, string, at, end, &part));
        PS_TRY(find_key(render, item, part, case_sensitive, &key->list->items[i]));
        at = end + 1;
    }
    return PS_OK;
}

struct keyed {
    struct value key, item;
};

/* Merge sort: stable, and it asks for no more comparisons than needed. */
static enum ps_status merge_sort(struct render *render, struct keyed *items, struct keyed *space,
                                 size_t count, bool reverse) {
    size_t half = count / 2, left = 0, right = half;
    if (count < 2) return PS_OK;
    PS_TRY(merge_sort(render, items, space, half, reverse));
    PS_TRY(merge_sort(render, items + half, space, count - half, reverse));
    for (size_t i = 0; i < count; i++) {
        int order = left < half ? -1 : 1;
        if (left < half && right < count) {
            PS_TRY(ps_jinja_compare(render, "<", items[right].key, items[left].key, &order));
            order = reverse ? (order > 0 ? 1 : -1) : (order < 0 ? 1 : -1);
        }
        space[i] = order < 0 ? items[left++] : items[right++];
    }
    memcpy(items, space, count * sizeof *items);
    return PS_OK;
}

static enum ps_status sort(struct render *render, struct keyed *items, size_t count, bool reverse,
                           struct value *result) {
    struct keyed *space;
    PS_TRY(ps_jinja_alloc(render, count, sizeof *space, &space));
    PS_TRY(merge_sort(render, items, space, count, reverse));
    PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, count, result));
    for (size_t i = 0; i < count; i++) result->list->items[i] = items[i].item;
    return PS_OK;
}

static enum ps_status sort_by(struct render *render, struct value sequence, struct value path,
                              bool case_sensitive, bool reverse, struct keyed **items,
                              struct value *result) {
    struct list list;
    PS_TRY(ps_jinja_collect(render, sequence, &list));
    PS_TRY(ps_jinja_alloc(render, list.count, sizeof **items, items));
    for (size_t i = 0; i < list.count; i++) {
        (*items)[i].item = list.items[i];
        PS_TRY(find_keys(render, list.items[i], path, case_sensitive, &(*items)[i].key));
    }
    return sort(render, *items, list.count, reverse, result);
}

FILTER(run_sort) {
    struct keyed *items;
    return sort_by(render, call->self, call->arguments[2],
                   GIVEN(1) && ps_jinja_truth(call->arguments[1]),
                   GIVEN(0) && ps_jinja_truth(call->arguments[0]), &items, result);
}

FILTER(run_dictsort) {
    struct value pairs, by = GIVEN(1) ? call->arguments[1] : NONE;
    struct keyed *items;
    bool value = by.type == TYPE_STRING && ps_jinja_is(by.string, "value");
    bool key = !GIVEN(1) || (by.type == TYPE_STRING && ps_jinja_is(by.string, "key"));
    if (!value && !key) return ps_jinja_fail(render, "dictsort sorts by \"key\" or \"value\"");
    if (call->self.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, call->self);
    if (call->self.type != TYPE_DICT)
        return ps_jinja_fail(render, "dictsort of a %s", ps_jinja_type_name(call->self));
    PS_TRY(run_items(render, call, &pairs));
    return sort_by(render, pairs, INTEGER(value), GIVEN(0) && ps_jinja_truth(call->arguments[0]),
                   GIVEN(2) && ps_jinja_truth(call->arguments[2]), &items, result);
}

static enum ps_status extreme(struct render *render, const struct call *call, bool maximum,
                              struct value *result) {
    bool case_sensitive = GIVEN(0) && ps_jinja_truth(call->arguments[0]);
    struct value best = {0}, key, item;
    struct iterator iterator;
    PS_TRY(ps_jinja_iterate(render, call->self, &iterator));
    for (;;) {
        int order = 1;
        PS_TRY(ps_jinja_next(render, &iterator, &item));
        if (item.type == TYPE_MISSING) break;
        PS_TRY(find_key(render, item, call->arguments[1], case_sensitive, &key));
        if (best.type != TYPE_MISSING)
            PS_TRY(ps_jinja_compare(render, maximum ? ">" : "<", key, best, &order));
        if (best.type != TYPE_MISSING && (maximum ? order <= 0 : order >= 0)) continue;
        best = key;
        *result = item;
    }
    if (best.type != TYPE_MISSING) return PS_OK;
    return ps_jinja_undefined(render, "No aggregated item, sequence was empty.", NULL,
                              (struct value){0}, result);
}

FILTER(run_min) {
    return extreme(render, call, false, result);
}
FILTER(run_max) {
    return extreme(render, call, true, result);
}

FILTER(run_unique) {
    bool case_sensitive = GIVEN(0) && ps_jinja_truth(call->arguments[0]);
    struct value items;
    struct dict *seen;
    struct iterator iterator;
    PS_TRY(ps_jinja_new_dict(render, 8, &seen));
    PS_TRY(ps_jinja_iterate(render, call->self, &iterator));
    for (;;) {
        struct value item, key, *place;
        PS_TRY(ps_jinja_next(render, &iterator, &item));
        if (item.type == TYPE_MISSING) break;
        PS_TRY(find_key(render, item, call->arguments[1], case_sensitive, &key));
        PS_TRY(ps_jinja_dict_find(render, seen, key, &place));
        if (!place) PS_TRY(ps_jinja_dict_set(render, seen, key, item));
    }
    PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, seen->count, &items));
    for (size_t i = 0; i < seen->count; i++) items.list->items[i] = seen->pairs[i].value;
    return as_generator(render, items, result);
}

FILTER(run_groupby) {
    bool case_sensitive = GIVEN(2) && ps_jinja_truth(call->arguments[2]);
    struct value sorted;
    struct list list;
    struct keyed *items;
    PS_TRY(ps_jinja_collect(render, call->self, &list));
    PS_TRY(ps_jinja_alloc(render, list.count, sizeof *items, &items));
    for (size_t i = 0; i < list.count; i++) {
        struct value key;
        PS_TRY(ps_jinja_path(render, list.items[i], call->arguments[0], call->arguments[1], &key));
        if (!case_sensitive && key.type == TYPE_STRING)
            PS_TRY(ps_jinja_change_case(render, key.string, CASE_LOWER, &key));
        items[i] = (struct keyed){key, list.items[i]};
    }
    PS_TRY(sort(render, items, list.count, false, &sorted));
    struct value *groups;
    size_t count = 0;
    PS_TRY(ps_jinja_alloc(render, list.count, sizeof *groups, &groups));
    for (size_t begin = 0, end; begin < list.count; begin = end) {
        struct value both[2];
        bool equal = true;
        for (end = begin + 1; end < list.count && equal; end += equal)
            PS_TRY(ps_jinja_equal(render, items[begin].key, items[end].key, &equal));
        PS_TRY(ps_jinja_path(render, items[begin].item, call->arguments[0], call->arguments[1],
                             &both[0]));
        PS_TRY(ps_jinja_new_list(render, TYPE_LIST, sorted.list->items + begin, end - begin,
                                 &both[1]));
        PS_TRY(ps_jinja_new_list(render, TYPE_TUPLE, both, 2, &groups[count]));
        ((struct list *)groups[count++].list)->is_group = true;
    }
    return ps_jinja_new_list(render, TYPE_LIST, groups, count, result);
}

/* ---- parts ---- */

FILTER(run_batch) {
    struct list list;
    int64_t size;
    struct value rows;
    PS_TRY(ps_jinja_need_integer(render, call->arguments[0], "linecount", &size));
    PS_TRY(ps_jinja_collect(render, call->self, &list));
    if (size < 1) size = 1; /* jinja2 yields rows of one, the first of them empty */
    if (size > MAX_RANGE) return ps_jinja_limit(render, "rows too long");
    size_t count = (list.count + (size_t)size - 1) / (size_t)size;
    PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, count, &rows));
    for (size_t i = 0; i < count; i++) {
        size_t rest = list.count - i * (size_t)size,
               have = rest < (size_t)size ? rest : (size_t)size;
        bool fills = GIVEN(1) && call->arguments[1].type != TYPE_NONE;
        struct value *row = &rows.list->items[i];
        PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, fills ? (size_t)size : have, row));
        memcpy(row->list->items, list.items + i * (size_t)size, have * sizeof *row);
        for (size_t j = have; j < row->list->count; j++) row->list->items[j] = call->arguments[1];
    }
    return as_generator(render, rows, result);
}

FILTER(run_slice) {
    struct list list;
    int64_t slices;
    struct value rows;
    PS_TRY(ps_jinja_need_integer(render, call->arguments[0], "slices", &slices));
    PS_TRY(ps_jinja_collect(render, call->self, &list));
    if (slices == 0) return ps_jinja_fail(render, "integer division or modulo by zero");
    if (slices < 0) slices = 0;
    if (slices > MAX_RANGE) return ps_jinja_limit(render, "too many slices");
    PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, (size_t)slices, &rows));
    for (size_t i = 0, begin = 0; i < (size_t)slices; i++) {
        size_t longer = list.count % (size_t)slices;
        size_t have = list.count / (size_t)slices + (i < longer);
        bool fills = GIVEN(1) && call->arguments[1].type != TYPE_NONE && i >= longer;
        struct value *row = &rows.list->items[i];
        PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, have + fills, row));
        if (have) memcpy(row->list->items, list.items + begin, have * sizeof *row);
        if (fills) row->list->items[have] = call->arguments[1];
        begin += have;
    }
    return as_generator(render, rows, result);
}

FILTER(run_attr) {
    const struct string *name;
    PS_TRY(ps_jinja_need_string(render, call->arguments[0], "the name of an attribute", &name));
    if (call->self.type != TYPE_DICT) return ps_jinja_attribute(render, call->self, name, result);
    struct dict empty = {0};
    struct value bare = {.type = TYPE_DICT, .dict = &empty};
    struct value found; /* a method, but no item */
    PS_TRY(ps_jinja_attribute(render, bare, name, &found));
    if (found.type == TYPE_UNDEFINED || found.type != TYPE_METHOD) {
        *result = found;
        return PS_OK;
    }
    return ps_jinja_attribute(render, call->self, name, result);
}

const struct function ps_jinja_sequence_filters[] = {
    {"length", run_length, "", 0},
    {"count", run_length, "", 0},
    {"list", run_list, "", 0},
    {"items", run_items, "", 0},
    {"default", run_default, "default_value boolean", 0},
    {"d", run_default, "default_value boolean", 0},
    {"first", run_first, "", 0},
    {"last", run_last, "", 0},
    {"reverse", run_reverse, "", 0},
    {"sort", run_sort, "reverse case_sensitive attribute", 0},
    {"dictsort", run_dictsort, "case_sensitive by reverse", 0},
    {"min", run_min, "case_sensitive attribute", 0},
    {"max", run_max, "case_sensitive attribute", 0},
    {"unique", run_unique, "case_sensitive attribute", 0},
    {"groupby", run_groupby, "attribute default case_sensitive", 1},
    {"batch", run_batch, "linecount fill_with", 1},
    {"slice", run_slice, "slices fill_with", 1},
    {"attr", run_attr, "name", 1},
    {0},
};
