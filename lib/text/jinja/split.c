/* The methods of strings that cut them into parts. */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <string.h>

#define METHOD(name)                                                                               \
    enum ps_status name(struct render *render, const struct call *call, struct value *result)
#define GIVEN(i) (call->arguments[i].type != TYPE_MISSING)

struct parts {
    struct render *render;
    struct value *items;
    size_t count, capacity;
};

static enum ps_status add_part(struct parts *parts, const struct string *string, size_t begin,
                               size_t end) {
    struct value *grown;
    struct value part;
    if (parts->count == parts->capacity) {
        size_t capacity = parts->capacity * 2 + 8;
        PS_TRY(ps_jinja_alloc(parts->render, capacity, sizeof *grown, &grown));
        if (parts->count) memcpy(grown, parts->items, parts->count * sizeof *grown);
        parts->items = grown;
        parts->capacity = capacity;
    }
    PS_TRY(ps_jinja_charge(parts->render, 1));
    PS_TRY(ps_jinja_slice(parts->render, string, begin, end, &part));
    parts->items[parts->count++] = part;
    return PS_OK;
}

/* From the front: at white space, or at a separator. */
static enum ps_status split_blank(struct parts *parts, const struct string *string, int64_t limit) {
    size_t at = 0, length;
    for (;;) {
        while ((length = ps_jinja_space(string->text + at, string->size - at)) > 0) at += length;
        if (at == string->size) return PS_OK;
        size_t end = at;
        while (end < string->size && !ps_jinja_space(string->text + end, string->size - end)) end++;
        if (limit-- == 0) return add_part(parts, string, at, string->size);
        PS_TRY(add_part(parts, string, at, end));
        at = end;
    }
}

static enum ps_status split_at(struct parts *parts, const struct string *string,
                               const struct string *separator, int64_t limit) {
    size_t at = 0;
    for (; limit != 0; limit--) {
        ptrdiff_t found = ps_jinja_find(string, separator, at);
        if (found < 0) break;
        PS_TRY(add_part(parts, string, at, (size_t)found));
        at = (size_t)found + separator->size;
    }
    return add_part(parts, string, at, string->size);
}

/* Where the character before `end` begins. */
static size_t before(const struct string *string, size_t end) {
    for (end--; end > 0 && ((unsigned char)string->text[end] & 0xC0) == 0x80;) end--;
    return end;
}

static bool ends_blank(const struct string *string, size_t end) {
    size_t at = before(string, end);
    return ps_jinja_space(string->text + at, end - at) > 0;
}

/* From the back; the parts come in reverse. */
static enum ps_status rsplit_blank(struct parts *parts, const struct string *string,
                                   int64_t limit) {
    for (size_t end = string->size;;) {
        while (end > 0 && ends_blank(string, end)) end = before(string, end);
        if (end == 0) return PS_OK;
        if (limit-- == 0) {
            size_t begin = 0, length;
            while ((length = ps_jinja_space(string->text + begin, end - begin)) > 0)
                begin += length;
            return add_part(parts, string, begin, end);
        }
        size_t begin = end;
        while (begin > 0 && !ends_blank(string, begin)) begin = before(string, begin);
        PS_TRY(add_part(parts, string, begin, end));
        end = begin;
    }
}

static enum ps_status rsplit_at(struct parts *parts, const struct string *string,
                                const struct string *separator, int64_t limit) {
    size_t end = string->size;
    for (; limit != 0; limit--) {
        ptrdiff_t found;
        PS_TRY(ps_jinja_find_last(parts->render, string, separator, end, &found));
        if (found < 0) break;
        PS_TRY(add_part(parts, string, (size_t)found + separator->size, end));
        end = (size_t)found;
    }
    return add_part(parts, string, 0, end);
}

static enum ps_status split(struct render *render, const struct call *call, bool from_end,
                            struct value *result) {
    const struct string *separator = NULL, *string = call->self.string;
    struct parts parts = {.render = render};
    int64_t limit = -1;
    if (GIVEN(0) && call->arguments[0].type != TYPE_NONE)
        PS_TRY(ps_jinja_need_string(render, call->arguments[0], "a separator", &separator));
    if (GIVEN(1)) PS_TRY(ps_jinja_need_integer(render, call->arguments[1], "maxsplit", &limit));
    if (separator && separator->size == 0) return ps_jinja_fail(render, "empty separator");
    PS_TRY(ps_jinja_charge(render, string->size / 32));
    if (!separator)
        PS_TRY(from_end ? rsplit_blank(&parts, string, limit) : split_blank(&parts, string, limit));
    else
        PS_TRY(from_end ? rsplit_at(&parts, string, separator, limit)
                        : split_at(&parts, string, separator, limit));
    for (size_t i = 0; from_end && i < parts.count / 2; i++) {
        struct value swapped = parts.items[i];
        parts.items[i] = parts.items[parts.count - 1 - i];
        parts.items[parts.count - 1 - i] = swapped;
    }
    return ps_jinja_new_list(render, TYPE_LIST, parts.items, parts.count, result);
}
METHOD(ps_jinja_run_split) {
    return split(render, call, false, result);
}
METHOD(ps_jinja_run_rsplit) {
    return split(render, call, true, result);
}

METHOD(ps_jinja_run_splitlines) {
    const struct string *string = call->self.string;
    struct parts parts = {.render = render};
    bool keeps = GIVEN(0) && ps_jinja_truth(call->arguments[0]);
    size_t begin = 0;
    for (size_t at = 0; at < string->size;) {
        int32_t c;
        size_t end = at;
        at += ps_utf8_next(string->text + at, string->size - at, &c, NULL);
        bool ends = (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
                    c == 0x2029;
        if (!ends) continue;
        if (c == '\r' && at < string->size && string->text[at] == '\n') at++;
        PS_TRY(add_part(&parts, string, begin, keeps ? at : end));
        begin = at;
    }
    if (begin < string->size) PS_TRY(add_part(&parts, string, begin, string->size));
    return ps_jinja_new_list(render, TYPE_LIST, parts.items, parts.count, result);
}

static enum ps_status partition(struct render *render, const struct call *call, bool last,
                                struct value *result) {
    const struct string *separator, *string = call->self.string;
    PS_TRY(ps_jinja_need_string(render, call->arguments[0], "a separator", &separator));
    if (separator->size == 0) return ps_jinja_fail(render, "empty separator");
    ptrdiff_t at;
    if (last)
        PS_TRY(ps_jinja_find_last(render, string, separator, string->size, &at));
    else
        at = ps_jinja_find(string, separator, 0);
    struct parts parts = {.render = render};
    size_t begin = at >= 0 ? (size_t)at : last ? 0 : string->size;
    size_t end = at >= 0 ? begin + separator->size : begin;
    PS_TRY(add_part(&parts, string, 0, begin));
    PS_TRY(add_part(&parts, string, begin, end));
    PS_TRY(add_part(&parts, string, end, string->size));
    return ps_jinja_new_list(render, TYPE_TUPLE, parts.items, 3, result);
}
METHOD(ps_jinja_run_partition) {
    return partition(render, call, false, result);
}
METHOD(ps_jinja_run_rpartition) {
    return partition(render, call, true, result);
}
