/* Filters that make text. */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <string.h>

#define FILTER(name)                                                                               \
    static enum ps_status name(struct render *render, const struct call *call, struct value *result)
#define GIVEN(i) (call->arguments[i].type != TYPE_MISSING)

static enum ps_status set_markup(struct value *result, bool markup) {
    ((struct string *)result->string)->markup = markup;
    return PS_OK;
}

/* The same text in a string of its own. */
static enum ps_status copy_of(struct render *render, struct value value, bool markup,
                              struct value *result) {
    const struct string *string;
    struct string *copy;
    PS_TRY(ps_jinja_str(render, value, &string));
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *copy, &copy));
    *copy = *string;
    *result = STRING(copy);
    return set_markup(result, markup);
}

static enum ps_status change_case(struct render *render, const struct call *call,
                                  enum letter_case to, struct value *result) {
    const struct string *string;
    PS_TRY(ps_jinja_str(render, call->self, &string));
    return ps_jinja_change_case(render, string, to, result);
}

FILTER(run_upper) {
    return change_case(render, call, CASE_UPPER, result);
}
FILTER(run_lower) {
    return change_case(render, call, CASE_LOWER, result);
}
FILTER(run_capitalize) {
    return change_case(render, call, CASE_CAPITAL, result);
}

/* Words begin behind white space, - ( { [ <; the rest of each is small. */
FILTER(run_title) {
    const struct string *string;
    struct builder builder;
    PS_TRY(ps_jinja_str(render, call->self, &string));
    ps_jinja_begin(render, &builder);
    for (size_t begin = 0, end; begin < string->size; begin = end) {
        struct value word, part;
        int32_t code_point;
        size_t length;
        for (end = begin; end < string->size && !strchr("-({[<", string->text[end]) &&
                          !ps_jinja_space(string->text + end, string->size - end);)
            end++;
        if (end == begin) {
            length = ps_jinja_space(string->text + end, string->size - end);
            end += length ? length : 1;
            PS_TRY(ps_jinja_put_slice(&builder, string, begin, end));
            continue;
        }
        length = ps_utf8_next(string->text + begin, end - begin, &code_point, NULL);
        PS_TRY(ps_jinja_slice(render, string, begin, begin + length, &word));
        PS_TRY(ps_jinja_change_case(render, word.string, CASE_UPPER, &part));
        PS_TRY(ps_jinja_put_string(&builder, part.string));
        PS_TRY(ps_jinja_slice(render, string, begin + length, end, &word));
        PS_TRY(ps_jinja_change_case(render, word.string, CASE_LOWER, &part));
        PS_TRY(ps_jinja_put_string(&builder, part.string));
    }
    return ps_jinja_end(&builder, result);
}

FILTER(run_trim) {
    const struct string *string, *characters = NULL;
    PS_TRY(ps_jinja_str(render, call->self, &string));
    if (GIVEN(0) && call->arguments[0].type != TYPE_NONE)
        PS_TRY(
            ps_jinja_need_string(render, call->arguments[0], "the argument of trim", &characters));
    return ps_jinja_strip(render, string, characters, STRIP_BOTH, result);
}

FILTER(run_string) {
    const struct string *string;
    PS_TRY(ps_jinja_str(render, call->self, &string));
    *result = STRING(string);
    return PS_OK;
}

FILTER(run_safe) {
    return copy_of(render, call->self, true, result);
}

static enum ps_status escape(struct render *render, struct value value, struct value *result) {
    const struct string *string;
    struct builder builder;
    PS_TRY(ps_jinja_str(render, value, &string));
    ps_jinja_begin(render, &builder);
    PS_TRY(ps_jinja_put_escaped(&builder, string));
    PS_TRY(ps_jinja_end(&builder, result));
    return set_markup(result, true);
}

FILTER(run_escape) {
    if (call->self.type != TYPE_STRING || !call->self.string->markup)
        return escape(render, call->self, result);
    *result = call->self;
    return PS_OK;
}

FILTER(run_forceescape) {
    return escape(render, call->self, result);
}

FILTER(run_replace) {
    const struct string *parts[3];
    struct method method = {.function = NULL};
    struct value values[] = {STRING(NULL), STRING(NULL),
                             GIVEN(2) && call->arguments[2].type != TYPE_NONE ? call->arguments[2]
                                                                              : INTEGER(-1)};
    struct arguments arguments = {.positional = values, .count = 3};
    PS_TRY(ps_jinja_str(render, call->self, &parts[0]));
    PS_TRY(ps_jinja_str(render, call->arguments[0], &parts[1]));
    PS_TRY(ps_jinja_str(render, call->arguments[1], &parts[2]));
    struct string plain[3] = {*parts[0], *parts[1], *parts[2]};
    static const struct string name = {.text = "replace", .size = 7};
    for (size_t i = 0; i < 3; i++) plain[i].markup = false;
    struct string *self;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *self, &self));
    *self = plain[0];
    values[0] = STRING(&plain[1]);
    values[1] = STRING(&plain[2]);
    method.function = ps_jinja_find_string_method(&name);
    return ps_jinja_run(render, method.function, STRING(self), &arguments, result);
}

FILTER(run_join) {
    const struct string *separator = NULL;
    struct iterator iterator;
    struct builder builder;
    struct value item;
    if (GIVEN(0)) PS_TRY(ps_jinja_str(render, call->arguments[0], &separator));
    PS_TRY(ps_jinja_iterate(render, call->self, &iterator));
    ps_jinja_begin(render, &builder);
    for (size_t i = 0;; i++) {
        PS_TRY(ps_jinja_next(render, &iterator, &item));
        if (item.type == TYPE_MISSING) break;
        if (i && separator) PS_TRY(ps_jinja_put_string(&builder, separator));
        if (GIVEN(1))
            PS_TRY(ps_jinja_path(render, item, call->arguments[1], (struct value){0}, &item));
        PS_TRY(ps_jinja_put_str(&builder, item));
    }
    return ps_jinja_end(&builder, result);
}

/* Where the line that begins at `begin` ends, and in *next where the next begins, as splitlines()
 * has it. */
static size_t line_end(const struct string *string, size_t begin, size_t *next) {
    for (size_t at = begin; at < string->size;) {
        int32_t c;
        size_t length = ps_utf8_next(string->text + at, string->size - at, &c, NULL);
        *next = at + length;
        if (c == '\r' && *next < string->size && string->text[*next] == '\n') ++*next;
        if ((c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
            c == 0x2029)
            return at;
        at += length;
    }
    *next = string->size;
    return string->size;
}

FILTER(run_indent) {
    const struct string *string, *indent;
    struct string blank = {.text = " ", .size = 1};
    struct builder builder;
    struct value spaces;
    int64_t width = 4;
    bool first = GIVEN(1) && ps_jinja_truth(call->arguments[1]);
    bool blanks = GIVEN(2) && ps_jinja_truth(call->arguments[2]);
    PS_TRY(ps_jinja_need_string(render, call->self, "the value of indent", &string));
    if (GIVEN(0) && call->arguments[0].type == TYPE_STRING) {
        indent = call->arguments[0].string;
    } else {
        if (GIVEN(0)) PS_TRY(ps_jinja_need_integer(render, call->arguments[0], "width", &width));
        ps_jinja_begin(render, &builder);
        PS_TRY(ps_jinja_put_repeated(&builder, &blank, width));
        PS_TRY(ps_jinja_end(&builder, &spaces));
        indent = spaces.string;
    }
    ps_jinja_begin(render, &builder);
    if (first) PS_TRY(ps_jinja_put_string(&builder, indent));
    /* One more newline at the end makes the last line one too, even if it is empty. */
    for (size_t begin = 0, next, lines = 0; begin <= string->size; begin = next, lines++) {
        size_t end = line_end(string, begin, &next);
        if (lines > 0) {
            PS_TRY(ps_jinja_puts(&builder, "\n"));
            if (end > begin || blanks) PS_TRY(ps_jinja_put_string(&builder, indent));
        }
        PS_TRY(ps_jinja_put_slice(&builder, string, begin, end));
        if (next == end) break;
        if (string->text[end] == '\r' && next == string->size && next == end + 1) break;
    }
    PS_TRY(ps_jinja_end(&builder, result));
    return set_markup(result, string->markup);
}

FILTER(run_center) {
    const struct string *string;
    struct string blank = {.text = " ", .size = 1};
    struct builder builder;
    int64_t width = 80;
    PS_TRY(ps_jinja_str(render, call->self, &string));
    if (GIVEN(0)) PS_TRY(ps_jinja_need_integer(render, call->arguments[0], "width", &width));
    int64_t room = width - (int64_t)ps_jinja_count(string);
    int64_t left = room > 0 ? room / 2 + (room & width & 1) : 0;
    ps_jinja_begin(render, &builder);
    PS_TRY(ps_jinja_put_repeated(&builder, &blank, left));
    PS_TRY(ps_jinja_put_string(&builder, string));
    PS_TRY(ps_jinja_put_repeated(&builder, &blank, room - left));
    return ps_jinja_end(&builder, result);
}

FILTER(run_truncate) {
    const struct string *string, *end = NULL;
    struct string dots = {.text = "...", .size = 3};
    struct builder builder;
    int64_t length = 255, leeway = 5, size;
    if (GIVEN(0)) PS_TRY(ps_jinja_need_integer(render, call->arguments[0], "length", &length));
    if (GIVEN(2)) PS_TRY(ps_jinja_need_string(render, call->arguments[2], "end", &end));
    if (GIVEN(3) && call->arguments[3].type != TYPE_NONE)
        PS_TRY(ps_jinja_need_integer(render, call->arguments[3], "leeway", &leeway));
    if (!end) end = &dots;
    int64_t tail = (int64_t)ps_jinja_count(end);
    if (length < tail || leeway < 0) return ps_jinja_fail(render, "truncate to less than its end");
    *result = call->self;
    PS_TRY(ps_jinja_length(render, call->self, &size));
    if (size <= length + leeway) return PS_OK;
    PS_TRY(ps_jinja_need_string(render, call->self, "the value of truncate", &string));
    size_t stop = ps_jinja_offset(string, (size_t)(length - tail));
    struct string blank = {.text = " ", .size = 1};
    ptrdiff_t word;
    PS_TRY(ps_jinja_find_last(render, string, &blank, stop, &word));
    bool kills = GIVEN(1) && ps_jinja_truth(call->arguments[1]);
    if (!kills && word >= 0) stop = (size_t)word;
    ps_jinja_begin(render, &builder);
    PS_TRY(ps_jinja_put_slice(&builder, string, 0, stop));
    PS_TRY(ps_jinja_put_string(&builder, end));
    return ps_jinja_end(&builder, result);
}

FILTER(run_wordcount) {
    const struct string *string;
    int64_t count = 0;
    bool inside = false;
    PS_TRY(ps_jinja_str(render, call->self, &string));
    for (size_t at = 0; at < string->size;) {
        int32_t c;
        at += ps_utf8_next(string->text + at, string->size - at, &c, NULL);
        bool word = ps_jinja_is_word_character(c);
        count += word && !inside;
        inside = word;
    }
    *result = INTEGER(count);
    return PS_OK;
}

FILTER(run_format) {
    const struct string *string;
    struct value values;
    const struct arguments *all = call->all;
    PS_TRY(ps_jinja_str(render, call->self, &string));
    if (all->keyword_count > 0 && all->count > 0)
        return ps_jinja_fail(render, "format takes arguments by position or by name, not both");
    if (all->keyword_count > 0) {
        struct dict *dict;
        PS_TRY(ps_jinja_new_dict(render, all->keyword_count, &dict));
        for (size_t i = 0; i < all->keyword_count; i++)
            PS_TRY(ps_jinja_dict_set(render, dict, STRING(all->keywords[i].name),
                                     all->keywords[i].value));
        values = (struct value){.type = TYPE_DICT, .dict = dict};
    } else {
        PS_TRY(ps_jinja_new_list(render, TYPE_TUPLE, all->positional, all->count, &values));
    }
    return ps_jinja_format_percent(render, string, values, result);
}

/* ---- tojson ---- */

static enum ps_status json_indent(struct render *render, struct value value,
                                  struct json_style *style) {
    static const struct string blank = {.text = " ", .size = 1};
    struct builder builder;
    struct value indent;
    int64_t width;
    if (value.type == TYPE_MISSING || value.type == TYPE_NONE) return PS_OK;
    style->indented = true;
    if (value.type == TYPE_STRING) {
        style->indent = value.string;
        return PS_OK;
    }
    PS_TRY(ps_jinja_need_integer(render, value, "indent", &width));
    ps_jinja_begin(render, &builder);
    PS_TRY(ps_jinja_put_repeated(&builder, &blank, width));
    PS_TRY(ps_jinja_end(&builder, &indent));
    style->indent = indent.string;
    return PS_OK;
}

FILTER(run_tojson) {
    static const struct string comma = {.text = ",", .size = 1},
                               comma_blank = {.text = ", ", .size = 2},
                               colon = {.text = ": ", .size = 2};
    struct json_style style = {.ascii = GIVEN(0) && ps_jinja_truth(call->arguments[0]),
                               .sorted = GIVEN(3) && ps_jinja_truth(call->arguments[3]),
                               .key_separator = &colon};
    struct builder builder;
    PS_TRY(json_indent(render, call->arguments[1], &style));
    style.item_separator = style.indented ? &comma : &comma_blank;
    struct value separators = call->arguments[2];
    if (GIVEN(2) && separators.type != TYPE_NONE) {
        struct list list;
        PS_TRY(ps_jinja_collect(render, separators, &list));
        if (list.count != 2) return ps_jinja_fail(render, "separators must be two strings");
        PS_TRY(ps_jinja_need_string(render, list.items[0], "a separator", &style.item_separator));
        PS_TRY(ps_jinja_need_string(render, list.items[1], "a separator", &style.key_separator));
    }
    ps_jinja_begin(render, &builder);
    PS_TRY(ps_jinja_put_json(&builder, call->self, &style, 0));
    return ps_jinja_end(&builder, result);
}

const struct function ps_jinja_text_filters[] = {
    {"upper", run_upper, "", 0},
    {"lower", run_lower, "", 0},
    {"capitalize", run_capitalize, "", 0},
    {"title", run_title, "", 0},
    {"trim", run_trim, "chars", 0},
    {"string", run_string, "", 0},
    {"safe", run_safe, "", 0},
    {"e", run_escape, "", 0},
    {"escape", run_escape, "", 0},
    {"forceescape", run_forceescape, "", 0},
    {"replace", run_replace, "old new count", 2},
    {"join", run_join, "d attribute", 0},
    {"indent", run_indent, "width first blank", 0},
    {"center", run_center, "width", 0},
    {"truncate", run_truncate, "length killwords end leeway", 0},
    {"wordcount", run_wordcount, "", 0},
    {"format", run_format, NULL, 0},
    {"tojson", run_tojson, "ensure_ascii indent separators sort_keys", 0},
    {0},
};
