/* Prompts: a pipeline's words, a row's fields and shots become a conversation, the conversation
 * becomes text through a template. What comes from a row is marked as data all the way. */
#include "text/text_internal.h"

#include "base/json.h"
#include "base/settings.h"

#include <string.h>

/* ---- placeholders ---- */

struct piece {
    const char *text;
    size_t size;
    bool placeholder; /* then text is the name */
};

static bool is_name_character(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* The size of the name that stands at text, followed by `braces` closing braces; 0 if none does. */
static size_t name_size(const char *text, size_t braces) {
    size_t size = 0;
    while (is_name_character(text[size], size == 0)) size++;
    for (size_t i = 0; i < braces; i++)
        if (text[size + i] != '}') return 0;
    return size;
}

/* The next piece from *cursor; false at the end. */
static bool next_piece(const char **cursor, struct piece *piece) {
    const char *text = *cursor;
    if (!*text) return false;
    size_t name;
    *piece = (struct piece){.text = text};
    if (text[0] == '{' && text[1] == '{' && (name = name_size(text + 2, 2)) > 0) {
        *piece = (struct piece){text + 1, name + 2, false};
        *cursor = text + name + 4;
    } else if (text[0] == '{' && (name = name_size(text + 1, 1)) > 0) {
        *piece = (struct piece){text + 1, name, true};
        *cursor = text + name + 2;
    } else {
        piece->size = 1 + strcspn(text + 1, "{");
        *cursor = text + piece->size;
    }
    return true;
}

static const char *find_field(const struct ps_row *row, const char *name, size_t size) {
    for (size_t i = 0; i < row->count; i++)
        if (strlen(row->fields[i].name) == size && memcmp(row->fields[i].name, name, size) == 0)
            return row->fields[i].value;
    return NULL;
}

static enum ps_status row_lacks(const struct piece *piece, const struct ps_row *row,
                                struct ps_error *error) {
    struct ps_buffer list;
    char name[101];
    const char **names = ps_malloc(row->count * sizeof *names);
    PS_FAIL_IF_NULL(names, error);
    snprintf(name, sizeof name, "%.*s", (int)(piece->size < 100 ? piece->size : 100), piece->text);
    bool fits = true;
    ps_buffer_init(&list, 600);
    for (size_t i = 0; i < row->count; i++) {
        names[i] = row->fields[i].name;
        fits = fits && ps_buffer_format(&list, "%s%s", i ? ", " : "", names[i]);
    }
    const char *nearest = ps_nearest(name, names, row->count);
    enum ps_status status = ps_error_set(
        error, PS_ARGUMENT, "the prompt's {%s} is no field of the data; there are: %s%s%s%s%s",
        name, list.data ? list.data : "none", fits ? "" : ", ...",
        nearest ? "; did you mean {" : "", nearest ? nearest : "", nearest ? "}?" : "");
    ps_buffer_release(&list);
    ps_free(names);
    return status;
}

static enum ps_status fill(const char *user, const struct ps_row *row,
                           struct ps_marked_text *content, struct ps_error *error) {
    struct piece piece;
    while (next_piece(&user, &piece)) {
        if (piece.placeholder) {
            const char *value = find_field(row, piece.text, piece.size);
            if (!value) return row_lacks(&piece, row, error);
            PS_TRY(ps_marked_text_append(content, value, strlen(value), true, error));
        } else {
            PS_TRY(ps_marked_text_append(content, piece.text, piece.size, false, error));
        }
    }
    return PS_OK;
}

/* ---- the conversation ---- */

static enum ps_status build(const struct ps_prompt *prompt, const struct ps_row *row,
                            const struct ps_row *shots, size_t shot_count,
                            struct ps_conversation *conversation, struct ps_error *error) {
    conversation->thinking = prompt->thinking;
    PS_FAIL_IF(shot_count > 10000, error, PS_LIMIT, "a prompt with more than 10000 shots");
    conversation->messages = ps_calloc(2 * shot_count + 2, sizeof *conversation->messages);
    PS_FAIL_IF_NULL(conversation->messages, error);
    if (prompt->system) {
        struct ps_message *message = ps_conversation_add(conversation, "system");
        PS_TRY(ps_marked_text_append(&message->content, prompt->system, strlen(prompt->system),
                                     false, error));
    }
    for (size_t i = 0; i < shot_count; i++) {
        const char *answer = find_field(&shots[i], "answer", strlen("answer"));
        PS_FAIL_IF(!answer, error, PS_ARGUMENT, "shot %zu has no field 'answer'", i + 1);
        PS_TRY(fill(prompt->user, &shots[i], &ps_conversation_add(conversation, "user")->content,
                    error));
        PS_TRY(ps_marked_text_append(&ps_conversation_add(conversation, "assistant")->content,
                                     answer, strlen(answer), true, error));
    }
    return fill(prompt->user, row, &ps_conversation_add(conversation, "user")->content, error);
}

static enum ps_status write_conversation(const struct ps_prompt *prompt,
                                         const struct ps_conversation *conversation,
                                         struct ps_buffer *out, struct ps_error *error) {
    struct ps_json_writer writer;
    ps_json_writer_begin(&writer, out);
    ps_json_write_begin_object(&writer);
    ps_json_write_key(&writer, "messages");
    ps_json_write_begin_array(&writer);
    for (size_t i = 0; i < conversation->count; i++) {
        const struct ps_buffer *content = &conversation->messages[i].content.text;
        ps_json_write_begin_object(&writer);
        ps_json_write_key(&writer, "role");
        ps_json_write_string(&writer, conversation->messages[i].role);
        ps_json_write_key(&writer, "content");
        ps_json_write_text(&writer, content->data ? content->data : "", content->size);
        ps_json_write_end_object(&writer);
    }
    ps_json_write_end_array(&writer);
    if (prompt->prefill) {
        ps_json_write_key(&writer, "prefill");
        ps_json_write_string(&writer, prompt->prefill);
    }
    if (prompt->thinking != PS_THINKING_UNSET) {
        ps_json_write_key(&writer, "thinking");
        ps_json_write_bool(&writer, prompt->thinking == PS_THINKING_ON);
    }
    const struct ps_template *template = prompt->template;
    if (template && ps_template_choice(template)) {
        ps_json_write_key(&writer, "template");
        ps_json_write_string(&writer, ps_template_choice(template));
    }
    if (template && ps_template_date(template)) {
        ps_json_write_key(&writer, "date");
        ps_json_write_string(&writer, ps_template_date(template));
    }
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
}

/* ---- rendering ---- */

enum ps_status ps_prompt_render(const struct ps_prompt *prompt, const struct ps_row *row,
                                const struct ps_row *shots, size_t shot_count,
                                struct ps_rendered_prompt *rendered, struct ps_error *error) {
    struct ps_conversation conversation = {0};
    enum ps_status status = PS_OK;
    *rendered = (struct ps_rendered_prompt){0};
    ps_buffer_init(&rendered->conversation, MAX_TEXT_SIZE);
    ps_marked_text_init(&rendered->text);
    PS_TRY_DONE(build(prompt, row, shots, shot_count, &conversation, error));
    PS_TRY_DONE(write_conversation(prompt, &conversation, &rendered->conversation, error));
    if (prompt->template)
        status =
            ps_conversation_text(&conversation, prompt->template, prompt->prefill, rendered, error);
    else
        rendered->thought = ps_thought_of("", 0, prompt->prefill);
done:
    ps_conversation_release(&conversation);
    return status;
}

void ps_rendered_prompt_release(struct ps_rendered_prompt *rendered) {
    ps_buffer_release(&rendered->conversation);
    ps_marked_text_release(&rendered->text);
}

enum ps_status ps_prompt_encode(const struct ps_prompt *prompt,
                                const struct ps_rendered_prompt *rendered,
                                const struct ps_tokenizer *tokenizer, struct ps_token_ids *ids,
                                struct ps_error *error) {
    return ps_tokenizer_encode_marked(tokenizer, &rendered->text,
                                      ps_template_encode_flags(prompt->template), ids, error);
}
