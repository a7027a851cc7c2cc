/* Parsing a template and rendering with it, from the outside: set-up, limits and messages.
 *
 * A template may come from anyone. So work is counted in steps, memory comes from one arena with a
 * limit, texts and depth have theirs; whatever a template does, it ends soon and with a message. */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- messages ---- */

static enum ps_status fail_at(const struct ps_jinja *template, size_t offset, enum ps_status status,
                              struct ps_error *error, const char *why) {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset && i < template->size; i++) {
        bool newline = template->source[i] == '\n';
        line += newline;
        if (newline)
            column = 1;
        else
            column += ((unsigned char)template->source[i] & 0xC0) != 0x80;
    }
    return ps_error_set(error, status, "%s:%zu:%zu: %s", template->name, line, column, why);
}

enum ps_status ps_jinja_fail_at(const struct ps_jinja *template, size_t offset,
                                enum ps_status status, struct ps_error *error, const char *format,
                                ...) {
    char why[800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return fail_at(template, offset, status, error, why);
}

enum ps_status ps_jinja_fail(struct render *render, const char *format, ...) {
    char why[800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    size_t offset = render->at ? render->at->offset : 0;
    return fail_at(render->template, offset, PS_FORMAT, render->error, why);
}

enum ps_status ps_jinja_limit(struct render *render, const char *what) {
    return ps_jinja_fail_at(render->template, render->at ? render->at->offset : 0, PS_LIMIT,
                            render->error, "%s", what);
}

enum ps_status ps_jinja_charge(struct render *render, size_t steps) {
    if (steps < MAX_STEPS - render->steps) {
        render->steps += steps;
        return PS_OK;
    }
    return ps_jinja_limit(render, "the template does not come to an end: too many steps");
}

enum ps_status ps_jinja_alloc(struct render *render, size_t count, size_t size, void *pointer) {
    void *memory = ps_arena_array(&render->arena, count, size);
    size_t bytes;
    if (memory) {
        memcpy(pointer, &memory, sizeof memory);
        return PS_OK;
    }
    if (__builtin_mul_overflow(count, size, &bytes) ||
        bytes > render->arena.limit - render->arena.used)
        return ps_jinja_limit(render, "the template needs too much memory");
    return ps_error_set(render->error, PS_MEMORY, "out of memory");
}

/* ---- parsing ---- */

/* The source with \n for every newline, without the last. */
static enum ps_status normalize(struct ps_jinja *template, const char *source, size_t size,
                                struct ps_error *error) {
    char *text = ps_arena_alloc(&template->arena, size + 1);
    PS_FAIL_IF_NULL(text, error);
    for (size_t i = 0; i < size; i++) {
        text[template->size++] = source[i] == '\r' ? '\n' : source[i];
        if (source[i] == '\r' && i + 1 < size && source[i + 1] == '\n') i++;
    }
    template->source = text;
    for (size_t at = 0; at < template->size;) {
        int32_t code_point;
        size_t length = ps_utf8_next(text + at, template->size - at, &code_point, NULL);
        if (code_point < 0) return fail_at(template, at, PS_FORMAT, error, "this is no UTF-8");
        at += length;
    }
    if (template->size > 0 && text[template->size - 1] == '\n') template->size--;
    text[template->size] = 0;
    return PS_OK;
}

static enum ps_status parse(struct ps_jinja *template, struct ps_error *error) {
    struct token *tokens = NULL;
    size_t count;
    enum ps_status status = ps_jinja_lex(template, &tokens, &count, error);
    struct parser parser = {.template = template, .token = tokens, .error = error};
    if (status == PS_OK) status = ps_jinja_parse_body(&parser, NULL, &template->body);
    if (status == PS_OK) status = ps_jinja_resolve(template, error);
    ps_free(tokens);
    return status;
}

enum ps_status ps_jinja_parse(const char *name, const char *source, size_t size,
                              struct ps_jinja **result, struct ps_error *error) {
    enum ps_status status = PS_OK;
    *result = NULL;
    PS_FAIL_IF(size > MAX_SOURCE, error, PS_LIMIT, "%s: a template of more than %d bytes", name,
               MAX_SOURCE);
    struct ps_jinja *template = ps_calloc(1, sizeof *template);
    PS_FAIL_IF_NULL(template, error);
    ps_arena_init(&template->arena, MAX_TREE);
    template->name = ps_arena_strndup(&template->arena, name, strlen(name));
    PS_FAIL_DONE_IF_NULL(template->name, error);
    PS_TRY_DONE(normalize(template, source, size, error));
    status = parse(template, error);
done:
    if (status == PS_OK)
        *result = template;
    else
        ps_jinja_free(template);
    return status;
}

void ps_jinja_free(struct ps_jinja *template) {
    if (!template) return;
    ps_arena_release(&template->arena);
    ps_free(template);
}

/* ---- rendering ---- */

/* A message's content keeps the marks that it has. */
static enum ps_status from_marked(struct render *render, const struct ps_marked_text *text,
                                  struct value *result) {
    struct builder builder;
    size_t begin = 0;
    ps_jinja_begin(render, &builder);
    for (size_t i = 0; i < text->span_count; begin = text->spans[i++].end)
        PS_TRY(ps_jinja_put(&builder, text->text.data + begin, text->spans[i].end - begin,
                            text->spans[i].data));
    return ps_jinja_end(&builder, result);
}

static enum ps_status from_conversation(struct render *render,
                                        const struct ps_conversation *conversation,
                                        struct value *result) {
    PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, conversation->count, result));
    for (size_t i = 0; i < conversation->count; i++) {
        const struct ps_message *message = &conversation->messages[i];
        struct dict *dict;
        struct value key, value;
        PS_TRY(ps_jinja_new_dict(render, 2, &dict));
        PS_TRY(ps_jinja_own(render, "role", &key));
        PS_TRY(ps_jinja_own(render, message->role, &value));
        PS_TRY(ps_jinja_dict_set(render, dict, key, value));
        PS_TRY(ps_jinja_own(render, "content", &key));
        PS_TRY(from_marked(render, &message->content, &value));
        PS_TRY(ps_jinja_dict_set(render, dict, key, value));
        result->list->items[i] = (struct value){.type = TYPE_DICT, .dict = dict};
    }
    return PS_OK;
}

/* What a name of the context means. */
static enum ps_status find_global(struct render *render, const struct ps_jinja_input *input,
                                  const struct string *name, struct value *result) {
    bool data = ps_jinja_is(name, "messages") || ps_jinja_is(name, "tools") ||
                ps_jinja_is(name, "documents");
    if (input->conversation && ps_jinja_is(name, "messages"))
        return from_conversation(render, input->conversation, result);
    const json_t *variable = json_object_get(input->variables, name->text);
    if (variable) return ps_jinja_from_json(render, variable, data, 0, result);
    const struct function *function = ps_jinja_find_global(name);
    if (function) *result = FUNCTION(function);
    return PS_OK;
}

static enum ps_status render_all(struct render *render, const struct ps_jinja_input *input) {
    const struct ps_jinja *template = render->template;
    struct frame *frame;
    enum signal signal;
    PS_TRY(
        ps_jinja_alloc(render, template->global_count, sizeof *render->globals, &render->globals));
    for (size_t i = 0; i < template->global_count; i++)
        PS_TRY(find_global(render, input, template->globals[i], &render->globals[i]));
    PS_TRY(ps_jinja_enter(render, template->scope, NULL, &frame));
    render->frame = frame;
    return ps_jinja_execute(render, template->body, &signal);
}

static enum ps_status hand_over(const struct builder *builder, struct ps_marked_text *out,
                                struct ps_error *error) {
    for (size_t begin = 0, end; begin < builder->size; begin = end) {
        bool data = builder->marks ? builder->marks[begin] : builder->data;
        const unsigned char *other = NULL;
        if (builder->marks) other = memchr(builder->marks + begin, !data, builder->size - begin);
        end = other ? (size_t)(other - builder->marks) : builder->size;
        PS_TRY(ps_marked_text_append(out, builder->text + begin, end - begin, data, error));
    }
    return PS_OK;
}

enum ps_status ps_jinja_render(const struct ps_jinja *template, const struct ps_jinja_input *input,
                               struct ps_marked_text *out, struct ps_error *error) {
    struct render render = {.template = template, .date = input->date, .error = error};
    struct builder builder;
    ps_arena_init(&render.arena, MAX_MEMORY);
    ps_jinja_begin(&render, &builder);
    render.out = &builder;
    enum ps_status status = render_all(&render, input);
    if (status == PS_OK) status = hand_over(&builder, out, error);
    ps_arena_release(&render.arena);
    return status;
}
