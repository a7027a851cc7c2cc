/* Building text. Every character that a template prints passes through here, with its mark: whether
 * it is data or the template's own. Marks cost nothing while a text is all of one kind.
 *
 * `total = total + piece` in a loop would copy the whole text each time; a builder therefore goes
 * on behind a string that it made itself, as long as nothing else was put there. */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <string.h>

void ps_jinja_begin(struct render *render, struct builder *builder) {
    *builder = (struct builder){.render = render};
}

static enum ps_status grow(struct builder *builder, size_t more) {
    struct render *render = builder->render;
    if (more > MAX_TEXT - builder->size) return ps_jinja_limit(render, "a text of too many bytes");
    PS_TRY(ps_jinja_charge(render, more / 64));
    if (more <= builder->capacity - builder->size) return PS_OK;
    size_t capacity = builder->capacity * 2 + more + 32;
    char *text;
    unsigned char *marks = NULL;
    PS_TRY(ps_jinja_alloc(render, capacity, 1, &text));
    if (builder->size) memcpy(text, builder->text, builder->size);
    if (builder->marks) {
        PS_TRY(ps_jinja_alloc(render, capacity, 1, &marks));
        memcpy(marks, builder->marks, builder->size);
    }
    builder->text = text;
    builder->marks = marks;
    builder->capacity = capacity;
    return PS_OK;
}

/* Room for `more` bytes that are not all of the kind that all bytes so far are. */
static enum ps_status begin_marks(struct builder *builder) {
    PS_TRY(ps_jinja_alloc(builder->render, builder->capacity, 1, &builder->marks));
    memset(builder->marks, builder->data, builder->size);
    return PS_OK;
}

enum ps_status ps_jinja_put(struct builder *builder, const char *text, size_t size, bool data) {
    if (size == 0) return PS_OK;
    PS_TRY(grow(builder, size));
    if (builder->size == 0) builder->data = data;
    if (!builder->marks && builder->data != data) PS_TRY(begin_marks(builder));
    memcpy(builder->text + builder->size, text, size);
    if (builder->marks) memset(builder->marks + builder->size, data, size);
    builder->size += size;
    return PS_OK;
}

enum ps_status ps_jinja_puts(struct builder *builder, const char *text) {
    return ps_jinja_put(builder, text, strlen(text), false);
}

enum ps_status ps_jinja_put_slice(struct builder *builder, const struct string *string,
                                  size_t begin, size_t end) {
    if (!string->marks)
        return ps_jinja_put(builder, string->text + begin, end - begin, string->data);
    while (begin < end) { /* stretches of one kind */
        bool data = string->marks[begin];
        const unsigned char *other = memchr(string->marks + begin, !data, end - begin);
        size_t stop = other ? (size_t)(other - string->marks) : end;
        PS_TRY(ps_jinja_put(builder, string->text + begin, stop - begin, data));
        begin = stop;
    }
    return PS_OK;
}

enum ps_status ps_jinja_put_string(struct builder *builder, const struct string *string) {
    return ps_jinja_put_slice(builder, string, 0, string->size);
}

enum ps_status ps_jinja_put_character(struct builder *builder, int32_t code_point, bool data) {
    char text[4];
    return ps_jinja_put(builder, text, ps_utf8_put(code_point, text), data);
}

enum ps_status ps_jinja_put_repeated(struct builder *builder, const struct string *string,
                                     int64_t count) {
    if (count <= 0 || string->size == 0) return PS_OK;
    if ((uint64_t)count > MAX_TEXT / string->size)
        return ps_jinja_limit(builder->render, "a text of too many bytes");
    PS_TRY(grow(builder, string->size * (size_t)count));
    PS_TRY(ps_jinja_charge(builder->render, (size_t)count));
    for (int64_t i = 0; i < count; i++) PS_TRY(ps_jinja_put_string(builder, string));
    return PS_OK;
}

enum ps_status ps_jinja_put_escaped(struct builder *builder, const struct string *string) {
    static const char special[] = "&<>'\"";
    static const char *const written[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    size_t begin = 0;
    for (size_t at = 0; at < string->size; at++) {
        const char *found = memchr(special, string->text[at], sizeof special - 1);
        if (!found) continue;
        const char *text = written[found - special];
        PS_TRY(ps_jinja_put_slice(builder, string, begin, at));
        PS_TRY(ps_jinja_put(builder, text, strlen(text), ps_jinja_is_data(string, at)));
        begin = at + 1;
    }
    return ps_jinja_put_slice(builder, string, begin, string->size);
}

enum ps_status ps_jinja_end(struct builder *builder, struct value *result) {
    struct string *string;
    PS_TRY(ps_jinja_alloc(builder->render, 1, sizeof *string, &string));
    *string = (struct string){.text = builder->text ? builder->text : "",
                              .marks = builder->marks,
                              .size = builder->size,
                              .data = builder->data};
    *result = STRING(string);
    return PS_OK;
}
