/* Methods of strings, and the search for a method of any value. */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <string.h>
#include <utf8proc.h>

#define METHOD(name)                                                                               \
    static enum ps_status name(struct render *render, const struct call *call, struct value *result)
#define GIVEN(i) (call->arguments[i].type != TYPE_MISSING)

static enum ps_status strip(struct render *render, const struct call *call, enum strip sides,
                            struct value *result) {
    const struct string *characters = NULL;
    if (GIVEN(0) && call->arguments[0].type != TYPE_NONE)
        PS_TRY(
            ps_jinja_need_string(render, call->arguments[0], "the argument of strip", &characters));
    return ps_jinja_strip(render, call->self.string, characters, sides, result);
}
METHOD(run_strip) {
    return strip(render, call, STRIP_BOTH, result);
}
METHOD(run_lstrip) {
    return strip(render, call, STRIP_LEFT, result);
}
METHOD(run_rstrip) {
    return strip(render, call, STRIP_RIGHT, result);
}

#define CASE(name, to)                                                                             \
    METHOD(name) {                                                                                 \
        return ps_jinja_change_case(render, call->self.string, to, result);                        \
    }
CASE(run_upper, CASE_UPPER)
CASE(run_lower, CASE_LOWER)
CASE(run_title, CASE_TITLE)
CASE(run_capitalize, CASE_CAPITAL)
CASE(run_swapcase, CASE_SWAP)

/* The part of a string that optional start and end arguments leave, in bytes; false: start lies
 * behind the end. */
static enum ps_status part_of(struct render *render, const struct call *call, size_t at,
                              size_t *begin, size_t *end, bool *valid) {
    const struct string *string = call->self.string;
    int64_t count = (int64_t)ps_jinja_count(string), ends[] = {0, count};
    for (size_t i = 0; i < 2; i++) {
        struct value value = call->arguments[at + i];
        if (value.type == TYPE_MISSING || value.type == TYPE_NONE) continue;
        PS_TRY(ps_jinja_need_integer(render, value, "an index", &ends[i]));
        if (ends[i] < 0) ends[i] += count;
        if (ends[i] < 0) ends[i] = 0;
    }
    *valid = ends[0] <= count && ends[0] <= ends[1];
    *begin = ps_jinja_offset(string, (size_t)(ends[0] < count ? ends[0] : count));
    *end = ps_jinja_offset(string, (size_t)(ends[1] < count ? ends[1] : count));
    return ps_jinja_charge(render, string->size / 32);
}

/* Whether the string begins or ends with a text or one of a tuple of texts. */
static enum ps_status affix(struct render *render, const struct call *call, bool at_end,
                            struct value *result) {
    struct value one = call->arguments[0];
    struct list list = {.items = &one, .count = 1};
    size_t begin, end;
    bool found = false, valid;
    if (one.type == TYPE_TUPLE) list = *one.list;
    PS_TRY(part_of(render, call, 1, &begin, &end, &valid));
    for (size_t i = 0; i < list.count && !found; i++) {
        const struct string *text;
        PS_TRY(ps_jinja_need_string(render, list.items[i], "what the text begins or ends with",
                                    &text));
        if (!valid || text->size > end - begin) continue;
        size_t at = at_end ? end - text->size : begin;
        found = memcmp(call->self.string->text + at, text->text, text->size) == 0;
    }
    *result = BOOLEAN(found);
    return PS_OK;
}
METHOD(run_startswith) {
    return affix(render, call, false, result);
}
METHOD(run_endswith) {
    return affix(render, call, true, result);
}

/* ---- search ---- */

static enum ps_status search(struct render *render, const struct call *call, bool last, bool fails,
                             struct value *result) {
    const struct string *needle, *string = call->self.string;
    size_t begin, end;
    bool valid;
    PS_TRY(ps_jinja_need_string(render, call->arguments[0], "what is searched", &needle));
    PS_TRY(part_of(render, call, 1, &begin, &end, &valid));
    struct string part = {.text = string->text, .size = end};
    ptrdiff_t at;
    if (last)
        PS_TRY(ps_jinja_find_last(render, &part, needle, end, &at));
    else
        at = ps_jinja_find(&part, needle, begin);
    if (!valid || at < (ptrdiff_t)begin) at = -1;
    if (at < 0 && fails) return ps_jinja_fail(render, "substring not found");
    struct string before = {.text = string->text, .size = at < 0 ? 0 : (size_t)at};
    *result = INTEGER(at < 0 ? -1 : (int64_t)ps_jinja_count(&before));
    return PS_OK;
}
METHOD(run_find) {
    return search(render, call, false, false, result);
}
METHOD(run_rfind) {
    return search(render, call, true, false, result);
}
METHOD(run_index) {
    return search(render, call, false, true, result);
}
METHOD(run_rindex) {
    return search(render, call, true, true, result);
}

METHOD(run_count) {
    const struct string *needle;
    size_t begin, end;
    int64_t count = 0;
    bool valid;
    PS_TRY(ps_jinja_need_string(render, call->arguments[0], "what is counted", &needle));
    PS_TRY(part_of(render, call, 1, &begin, &end, &valid));
    struct string part = {.text = call->self.string->text, .size = end};
    if (valid && needle->size == 0) {
        struct string between = {.text = part.text + begin, .size = end - begin};
        count = (int64_t)ps_jinja_count(&between) + 1;
    }
    while (valid && needle->size > 0) {
        ptrdiff_t at = ps_jinja_find(&part, needle, begin);
        if (at < 0) break;
        count++;
        begin = (size_t)at + needle->size;
    }
    *result = INTEGER(count);
    return PS_OK;
}

METHOD(run_replace) {
    const struct string *old, *new, *string = call->self.string;
    struct builder builder;
    int64_t count = -1;
    PS_TRY(ps_jinja_need_string(render, call->arguments[0], "what is replaced", &old));
    PS_TRY(ps_jinja_need_string(render, call->arguments[1], "what replaces it", &new));
    if (GIVEN(2)) PS_TRY(ps_jinja_need_integer(render, call->arguments[2], "count", &count));
    if (string->markup && !new->markup) {
        ps_jinja_begin(render, &builder);
        struct value escaped;
        PS_TRY(ps_jinja_put_escaped(&builder, new));
        PS_TRY(ps_jinja_end(&builder, &escaped));
        new = escaped.string;
    }
    ps_jinja_begin(render, &builder);
    PS_TRY(ps_jinja_charge(render, string->size / 32));
    size_t at = 0;
    while (count != 0) {
        ptrdiff_t found = ps_jinja_find(string, old, at);
        if (found < 0) break;
        PS_TRY(ps_jinja_put_slice(&builder, string, at, (size_t)found));
        PS_TRY(ps_jinja_put_string(&builder, new));
        PS_TRY(ps_jinja_charge(render, 1));
        at = (size_t)found + old->size;
        count--;
        if (old->size > 0) continue;
        if (at >= string->size) break; /* nothing stands before every character and at the end */
        int32_t code_point;
        size_t length = ps_utf8_next(string->text + at, string->size - at, &code_point, NULL);
        PS_TRY(ps_jinja_put_slice(&builder, string, at, at + length));
        at += length;
    }
    PS_TRY(ps_jinja_put_slice(&builder, string, at, string->size));
    PS_TRY(ps_jinja_end(&builder, result));
    ((struct string *)result->string)->markup = string->markup;
    return PS_OK;
}

/* ---- the rest ---- */

METHOD(run_join) {
    struct iterator iterator;
    struct builder builder;
    struct value item;
    const struct string *self = call->self.string;
    PS_TRY(ps_jinja_iterate(render, call->arguments[0], &iterator));
    ps_jinja_begin(render, &builder);
    for (size_t i = 0;; i++) {
        PS_TRY(ps_jinja_next(render, &iterator, &item));
        if (item.type == TYPE_MISSING) break;
        if (item.type != TYPE_STRING)
            return ps_jinja_fail(render, "sequence item %zu: expected str instance, %s found", i,
                                 ps_jinja_type_name(item));
        if (i) PS_TRY(ps_jinja_put_string(&builder, self));
        PS_TRY(self->markup && !item.string->markup ? ps_jinja_put_escaped(&builder, item.string)
                                                    : ps_jinja_put_string(&builder, item.string));
    }
    PS_TRY(ps_jinja_end(&builder, result));
    ((struct string *)result->string)->markup = self->markup;
    return PS_OK;
}

METHOD(run_format) {
    return ps_jinja_format_braces(render, call->self.string, call->all, result);
}

static enum ps_status pad(struct render *render, const struct call *call, int side,
                          struct value *result) {
    const struct string *fill = NULL, *string = call->self.string;
    struct string blank = {.text = " ", .size = 1};
    struct builder builder;
    int64_t width;
    PS_TRY(ps_jinja_need_integer(render, call->arguments[0], "width", &width));
    if (GIVEN(1)) PS_TRY(ps_jinja_need_string(render, call->arguments[1], "a fill", &fill));
    if (!fill) fill = &blank;
    if (ps_jinja_count(fill) != 1)
        return ps_jinja_fail(render, "The fill character must be exactly one character long");
    int64_t room = width - (int64_t)ps_jinja_count(string);
    int64_t left = room <= 0 ? 0 : side < 0 ? 0 : side > 0 ? room : room / 2 + (room & width & 1);
    ps_jinja_begin(render, &builder);
    PS_TRY(ps_jinja_put_repeated(&builder, fill, left));
    PS_TRY(ps_jinja_put_string(&builder, string));
    PS_TRY(ps_jinja_put_repeated(&builder, fill, room - left));
    return ps_jinja_end(&builder, result);
}
METHOD(run_ljust) {
    return pad(render, call, -1, result);
}
METHOD(run_rjust) {
    return pad(render, call, 1, result);
}
METHOD(run_center) {
    return pad(render, call, 0, result);
}

METHOD(run_zfill) {
    const struct string *string = call->self.string;
    struct string zero = {.text = "0", .size = 1};
    struct builder builder;
    int64_t width;
    PS_TRY(ps_jinja_need_integer(render, call->arguments[0], "width", &width));
    size_t sign = string->size > 0 && (string->text[0] == '-' || string->text[0] == '+');
    ps_jinja_begin(render, &builder);
    PS_TRY(ps_jinja_put_slice(&builder, string, 0, sign));
    PS_TRY(ps_jinja_put_repeated(&builder, &zero, width - (int64_t)ps_jinja_count(string)));
    PS_TRY(ps_jinja_put_slice(&builder, string, sign, string->size));
    return ps_jinja_end(&builder, result);
}

static enum ps_status remove_affix(struct render *render, const struct call *call, bool at_end,
                                   struct value *result) {
    const struct string *text, *string = call->self.string;
    PS_TRY(ps_jinja_need_string(render, call->arguments[0], "what is removed", &text));
    size_t at = at_end && text->size <= string->size ? string->size - text->size : 0;
    bool found =
        text->size <= string->size && memcmp(string->text + at, text->text, text->size) == 0;
    size_t begin = found && !at_end ? text->size : 0, end = found && at_end ? at : string->size;
    return ps_jinja_slice(render, string, begin, end, result);
}
METHOD(run_removeprefix) {
    return remove_affix(render, call, false, result);
}
METHOD(run_removesuffix) {
    return remove_affix(render, call, true, result);
}

/* What all characters must be, and some character has to be there. */
#define IS(name, condition)                                                                        \
    METHOD(name) {                                                                                 \
        const struct string *string = call->self.string;                                           \
        bool all = string->size > 0;                                                               \
        PS_TRY(ps_jinja_charge(render, string->size / 32));                                        \
        for (size_t at = 0; at < string->size && all;) {                                           \
            int32_t c;                                                                             \
            at += ps_utf8_next(string->text + at, string->size - at, &c, NULL);                    \
            int category = utf8proc_category(c);                                                   \
            all = (condition);                                                                     \
        }                                                                                          \
        *result = BOOLEAN(all);                                                                    \
        return PS_OK;                                                                              \
    }
#define IS_LETTER (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO)
IS(run_isalpha, IS_LETTER)
IS(run_isdecimal, category == UTF8PROC_CATEGORY_ND)
IS(run_isdigit, category == UTF8PROC_CATEGORY_ND || c == 0xB2 || c == 0xB3 || c == 0xB9)
IS(run_isnumeric, category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO)
IS(run_isalnum, IS_LETTER || (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO))
IS(run_isspace, category != -1 && ps_jinja_is_space(c))

METHOD(run_isascii) {
    bool ascii = true;
    (void)render;
    for (size_t i = 0; i < call->self.string->size; i++)
        ascii = ascii && (unsigned char)call->self.string->text[i] < 0x80;
    *result = BOOLEAN(ascii);
    return PS_OK;
}

static enum ps_status is_case(struct render *render, const struct call *call, const char *name,
                              struct value *result) {
    struct string test = {.text = name, .size = 5};
    struct arguments none = {0};
    return ps_jinja_run(render, ps_jinja_find_test(&test), call->self, &none, result);
}
METHOD(run_isupper) {
    return is_case(render, call, "upper", result);
}
METHOD(run_islower) {
    return is_case(render, call, "lower", result);
}

const struct function *ps_jinja_find_string_method(const struct string *name) {
    static const struct function methods[] = {
        {"strip", run_strip, "/chars", 0},
        {"lstrip", run_lstrip, "/chars", 0},
        {"rstrip", run_rstrip, "/chars", 0},
        {"split", ps_jinja_run_split, "sep maxsplit", 0},
        {"rsplit", ps_jinja_run_rsplit, "sep maxsplit", 0},
        {"splitlines", ps_jinja_run_splitlines, "keepends", 0},
        {"partition", ps_jinja_run_partition, "/sep", 1},
        {"rpartition", ps_jinja_run_rpartition, "/sep", 1},
        {"startswith", run_startswith, "/prefix /start /end", 1},
        {"endswith", run_endswith, "/suffix /start /end", 1},
        {"removeprefix", run_removeprefix, "/prefix", 1},
        {"removesuffix", run_removesuffix, "/suffix", 1},
        {"upper", run_upper, "", 0},
        {"lower", run_lower, "", 0},
        {"casefold", run_lower, "", 0},
        {"title", run_title, "", 0},
        {"capitalize", run_capitalize, "", 0},
        {"swapcase", run_swapcase, "", 0},
        {"replace", run_replace, "/old /new /count", 2},
        {"find", run_find, "/sub /start /end", 1},
        {"rfind", run_rfind, "/sub /start /end", 1},
        {"index", run_index, "/sub /start /end", 1},
        {"rindex", run_rindex, "/sub /start /end", 1},
        {"count", run_count, "/sub /start /end", 1},
        {"join", run_join, "/iterable", 1},
        {"format", run_format, NULL, 0},
        {"ljust", run_ljust, "/width /fillchar", 1},
        {"rjust", run_rjust, "/width /fillchar", 1},
        {"center", run_center, "/width /fillchar", 1},
        {"zfill", run_zfill, "/width", 1},
        {"isalpha", run_isalpha, "", 0},
        {"isdecimal", run_isdecimal, "", 0},
        {"isdigit", run_isdigit, "", 0},
        {"isnumeric", run_isnumeric, "", 0},
        {"isalnum", run_isalnum, "", 0},
        {"isspace", run_isspace, "", 0},
        {"isascii", run_isascii, "", 0},
        {"isupper", run_isupper, "", 0},
        {"islower", run_islower, "", 0},
    };
    return ps_jinja_find_function(methods, sizeof methods / sizeof *methods, name);
}
