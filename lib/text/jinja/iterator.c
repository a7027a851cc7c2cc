/* Going through values. map, select and the like are lazy as in Python: they look at an item when
 * it is asked for, and what they give can be gone through once. */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

enum ps_status ps_jinja_iterate(struct render *render, struct value source,
                                struct iterator *iterator) {
    *iterator = (struct iterator){.source = source};
    switch (source.type) {
    case TYPE_UNDEFINED:
    case TYPE_STRING:
    case TYPE_LIST:
    case TYPE_TUPLE:
    case TYPE_DICT:
    case TYPE_RANGE:
    case TYPE_VIEW:
    case TYPE_LOOP:
    case TYPE_GENERATOR: return PS_OK;
    default:
        return ps_jinja_fail(render, "'%s' object is not iterable", ps_jinja_type_name(source));
    }
}

static enum ps_status next_pair(struct render *render, const struct view *view, size_t at,
                                struct value *item) {
    const struct pair *pair = &view->dict->pairs[at];
    if (view->kind == VIEW_KEYS) *item = pair->key;
    if (view->kind == VIEW_VALUES) *item = pair->value;
    if (view->kind != VIEW_ITEMS) return PS_OK;
    struct value both[] = {pair->key, pair->value};
    return ps_jinja_new_list(render, TYPE_TUPLE, both, 2, item);
}

static enum ps_status copy_string(struct render *render, const struct string *string,
                                  struct value *result) {
    struct string *copy;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *copy, &copy));
    *copy = *string;
    *result = STRING(copy);
    return PS_OK;
}

static enum ps_status next_of_source(struct render *render, struct iterator *iterator,
                                     struct value *item) {
    struct value source = iterator->source;
    size_t at = iterator->at++;
    switch (source.type) {
    case TYPE_LIST:
    case TYPE_TUPLE:
        if (at < source.list->count) *item = source.list->items[at];
        return PS_OK;
    case TYPE_DICT:
        if (at < source.dict->count) *item = source.dict->pairs[at].key;
        return PS_OK;
    case TYPE_VIEW:
        return at < source.view->dict->count ? next_pair(render, source.view, at, item) : PS_OK;
    case TYPE_RANGE:
        if (at < source.range->count)
            *item = INTEGER(source.range->start + (int64_t)at * source.range->step);
        return PS_OK;
    case TYPE_STRING: {
        int32_t code_point;
        const struct string *string = source.string;
        if (at >= string->size) return PS_OK;
        iterator->at = at + ps_utf8_next(string->text + at, string->size - at, &code_point, NULL);
        struct string plain = *string; /* the characters of Markup are plain */
        plain.markup = false;
        PS_TRY(ps_jinja_slice(render, &plain, at, iterator->at, item));
        return item->string == &plain ? copy_string(render, &plain, item) : PS_OK;
    }
    case TYPE_GENERATOR: return ps_jinja_next(render, source.generator, item);
    default: return PS_OK;
    }
}

/* The next of a map or select: looks up the attribute, then filters or tests. */
static enum ps_status next_of_generator(struct render *render, struct iterator *iterator,
                                        struct value *item) {
    for (;;) {
        struct value each, seen, result;
        PS_TRY(ps_jinja_next(render, iterator->inner, &each));
        if (each.type == TYPE_MISSING) return PS_OK;
        seen = each;
        if (iterator->attribute.type != TYPE_MISSING)
            PS_TRY(ps_jinja_path(render, each, iterator->attribute, iterator->fallback, &seen));
        result = seen;
        if (iterator->function)
            PS_TRY(ps_jinja_run(render, iterator->function, seen, &iterator->arguments, &result));
        *item = iterator->kind == ITERATE_MAP ? result : each;
        if (iterator->kind == ITERATE_MAP || ps_jinja_truth(result) != iterator->negated)
            return PS_OK;
        *item = (struct value){0};
    }
}

enum ps_status ps_jinja_next(struct render *render, struct iterator *iterator, struct value *item) {
    *item = (struct value){0};
    PS_TRY(ps_jinja_charge(render, 1));
    if (iterator->kind == ITERATE_SOURCE) return next_of_source(render, iterator, item);
    if (iterator->kind != ITERATE_REVERSED) {
        if (++render->depth > MAX_DEPTH) return ps_jinja_limit(render, "evaluation too deep");
        enum ps_status status = next_of_generator(render, iterator, item);
        render->depth--;
        return status;
    }
    const struct list *list = iterator->source.list;
    if (iterator->at < list->count) *item = list->items[list->count - ++iterator->at];
    return PS_OK;
}

enum ps_status ps_jinja_collect(struct render *render, struct value source, struct list *list) {
    struct iterator iterator;
    struct value item;
    size_t capacity = 0;
    *list = (struct list){0};
    PS_TRY(ps_jinja_iterate(render, source, &iterator));
    for (;;) {
        PS_TRY(ps_jinja_next(render, &iterator, &item));
        if (item.type == TYPE_MISSING) return PS_OK;
        if (list->count == capacity) {
            struct value *items;
            capacity = capacity * 2 + 8;
            PS_TRY(ps_jinja_alloc(render, capacity, sizeof *items, &items));
            for (size_t i = 0; i < list->count; i++) items[i] = list->items[i];
            list->items = items;
        }
        list->items[list->count++] = item;
    }
}
