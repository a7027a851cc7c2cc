/* What a line of replies says: the forms in which traces are passed around, each brought to a list
 * of messages and the reply behind it. */
#include "datasets/datasets_internal.h"

#include <ctype.h>
#include <string.h>

/* ---- texts ---- */

struct view {
    const char *text;
    size_t size;
};

/* A list of {"type": "text", "text"} as one text. */
static enum ps_status join_parts(const json_t *parts, const char *what, struct ps_arena *arena,
                                 struct view *view, struct ps_error *error) {
    struct ps_buffer joined;
    enum ps_status status = PS_OK;
    ps_buffer_init(&joined, SIZE_MAX / 2);
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *text = json_object_get(json_array_get(parts, i), "text");
        PS_FAIL_DONE_IF(!json_is_string(text), error, PS_FORMAT, "%s has a part that is no text",
                        what);
        PS_FAIL_DONE_IF(
            !ps_buffer_append(&joined, json_string_value(text), json_string_length(text)), error,
            PS_MEMORY, "out of memory");
    }
    view->size = joined.size;
    view->text = ps_arena_strndup(arena, joined.size ? joined.data : "", joined.size);
    PS_FAIL_DONE_IF_NULL(view->text, error);
done:
    ps_buffer_release(&joined);
    return status;
}

/* A text, or a list of parts; text NULL when there is none. */
static enum ps_status text_of(const json_t *value, const char *what, struct ps_arena *arena,
                              struct view *view, struct ps_error *error) {
    *view = (struct view){0};
    if (!value || json_is_null(value)) return PS_OK;
    if (json_is_array(value)) return join_parts(value, what, arena, view, error);
    PS_FAIL_IF(!json_is_string(value), error, PS_FORMAT, "%s is no text", what);
    *view = (struct view){json_string_value(value), json_string_length(value)};
    return PS_OK;
}

/* ---- conversations ---- */

struct conversation {
    struct ps_json_writer writer;
    struct ps_arena arena;
    size_t count;
};

static void conversation_begin(struct conversation *conversation, struct ps_buffer *out) {
    conversation->count = 0;
    ps_arena_init(&conversation->arena, SIZE_MAX / 2);
    ps_json_writer_begin(&conversation->writer, out);
    ps_json_write_begin_object(&conversation->writer);
    ps_json_write_key(&conversation->writer, "messages");
    ps_json_write_begin_array(&conversation->writer);
}

/* other: what else the message has; its nulls, role and content are left out. */
static void conversation_add(struct conversation *conversation, const char *role,
                             struct view content, const json_t *other) {
    struct ps_json_writer *writer = &conversation->writer;
    const char *key;
    json_t *value;
    conversation->count++;
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "role", role);
    ps_json_write_key(writer, "content");
    ps_json_write_text(writer, content.text ? content.text : "", content.size);
    json_object_foreach((json_t *)other, key, value) {
        if (strcmp(key, "role") == 0 || strcmp(key, "content") == 0 || json_is_null(value))
            continue;
        ps_json_write_key(writer, key);
        ps_json_write_value(writer, value);
    }
    ps_json_write_end_object(writer);
}

static enum ps_status conversation_end(struct conversation *conversation, enum ps_status status,
                                       struct ps_error *error) {
    ps_json_write_end_array(&conversation->writer);
    ps_json_write_end_object(&conversation->writer);
    ps_arena_release(&conversation->arena);
    PS_TRY(status);
    PS_TRY(ps_json_writer_end(&conversation->writer, error));
    PS_FAIL_IF(conversation->count == 0, error, PS_FORMAT, "there is no message before the reply");
    return PS_OK;
}

static enum ps_status add_message(struct conversation *conversation, const json_t *message,
                                  struct ps_error *error) {
    const char *role;
    struct view content;
    PS_FAIL_IF(!json_is_object(message), error, PS_FORMAT, "a message is no object");
    PS_TRY(ps_json_string(message, "role", &role, error));
    PS_TRY(text_of(ps_json_get(message, "content"), "a message's 'content'", &conversation->arena,
                   &content, error));
    conversation_add(conversation, role, content, message);
    return PS_OK;
}

static enum ps_status add_messages(struct conversation *conversation, const json_t *messages,
                                   size_t count, struct ps_error *error) {
    for (size_t i = 0; i < count; i++)
        PS_TRY(add_message(conversation, json_array_get(messages, i), error));
    return PS_OK;
}

enum ps_status ps_reply_line_request(const json_t *body, struct ps_buffer *prompt,
                                     struct ps_error *error) {
    struct conversation conversation;
    json_t *messages;
    PS_TRY(ps_json_array(body, "messages", &messages, error));
    conversation_begin(&conversation, prompt);
    enum ps_status status = add_messages(&conversation, messages, json_array_size(messages), error);
    return conversation_end(&conversation, status, error);
}

/* ---- the forms ---- */

/* Appends all messages but the last, which must be the assistant's. */
static enum ps_status read_messages(struct conversation *conversation, const json_t *messages,
                                    const json_t **reply, struct ps_error *error) {
    size_t count = json_array_size(messages);
    const char *role = "";
    *reply = count ? json_array_get(messages, count - 1) : NULL;
    if (json_is_object(*reply)) PS_TRY(ps_json_string(*reply, "role", &role, error));
    PS_FAIL_IF(strcmp(role, "assistant") != 0, error, PS_FORMAT,
               "the last message is not the assistant's");
    return add_messages(conversation, messages, count - 1, error);
}

static const char *sharegpt_role(const char *from) {
    static const char *const roles[][2] = {{"human", "user"},          {"user", "user"},
                                           {"gpt", "assistant"},       {"chatgpt", "assistant"},
                                           {"assistant", "assistant"}, {"model", "assistant"},
                                           {"system", "system"},       {"developer", "developer"},
                                           {"tool", "tool"},           {"observation", "tool"}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i][0], from) == 0) return roles[i][1];
    return NULL;
}

static enum ps_status read_turn(const json_t *turn, const char **role, struct view *value,
                                struct ps_error *error) {
    const char *from;
    const json_t *text = ps_json_get(turn, "value");
    PS_FAIL_IF(!json_is_object(turn), error, PS_FORMAT, "a turn is no object");
    PS_TRY(ps_json_string(turn, "from", &from, error));
    *role = sharegpt_role(from);
    PS_FAIL_IF(!*role, error, PS_FORMAT, "a turn is from '%.40s': not human, gpt, system or tool",
               from);
    PS_FAIL_IF(!json_is_string(text), error, PS_FORMAT, "a turn's 'value' is no text");
    *value = (struct view){json_string_value(text), json_string_length(text)};
    return PS_OK;
}

static enum ps_status read_sharegpt(struct conversation *conversation, const json_t *object,
                                    const json_t *turns, const json_t **reply,
                                    struct ps_error *error) {
    size_t count = json_array_size(turns);
    struct view value;
    const char *role = "";
    PS_TRY(text_of(ps_json_get(object, "system"), "'system'", &conversation->arena, &value, error));
    if (value.size) conversation_add(conversation, "system", value, NULL);
    for (size_t i = 0; i < count; i++) {
        PS_TRY(read_turn(json_array_get(turns, i), &role, &value, error));
        if (i + 1 < count) conversation_add(conversation, role, value, NULL);
    }
    PS_FAIL_IF(strcmp(role, "assistant") != 0, error, PS_FORMAT, "the last turn is not the gpt's");
    *reply = json_array_get(turns, count - 1);
    return PS_OK;
}

/* Texts, or lists of messages of which the completion has one. */
static enum ps_status read_pair(struct conversation *conversation, const json_t *prompt,
                                const json_t *completion, const json_t **reply,
                                struct ps_error *error) {
    struct view text;
    *reply = completion;
    if (json_is_array(completion)) {
        PS_FAIL_IF(json_array_size(completion) != 1, error, PS_FORMAT,
                   "the completion is not one message");
        *reply = json_array_get(completion, 0);
    }
    if (json_is_array(prompt))
        return add_messages(conversation, prompt, json_array_size(prompt), error);
    PS_TRY(text_of(prompt, "the prompt", &conversation->arena, &text, error));
    PS_FAIL_IF(!text.size, error, PS_FORMAT, "the prompt is empty");
    conversation_add(conversation, "user", text, NULL);
    return PS_OK;
}

static enum ps_status read_form(struct conversation *conversation, const json_t *object,
                                const struct ps_reply_format *format, const json_t **reply,
                                struct ps_error *error) {
    bool declared = format->prompt || format->completion;
    const char *prompt_key = format->prompt ? format->prompt : "prompt";
    const char *completion_key = format->completion ? format->completion : "completion";
    const json_t *messages = declared ? NULL : ps_json_get(object, "messages");
    const json_t *turns = declared ? NULL : ps_json_get(object, "conversations");
    char there[256];
    if (json_is_array(messages)) return read_messages(conversation, messages, reply, error);
    if (json_is_array(turns)) return read_sharegpt(conversation, object, turns, reply, error);
    const json_t *prompt = ps_json_get(object, prompt_key);
    const json_t *completion = ps_json_get(object, completion_key);
    if (prompt && completion) return read_pair(conversation, prompt, completion, reply, error);
    if (declared)
        return ps_error_set(error, PS_FORMAT, "there is no '%s' (the keys there: %s)",
                            prompt ? completion_key : prompt_key,
                            ps_dataset_fields_there(object, there));
    return ps_error_set(error, PS_FORMAT,
                        "neither messages, conversations, nor prompt and completion (the keys "
                        "there: %s); say which are these two with --prompt-key and "
                        "--completion-key",
                        ps_dataset_fields_there(object, there));
}

enum ps_status ps_reply_line_read(const json_t *object, const struct ps_reply_format *format,
                                  struct ps_buffer *prompt, const json_t **reply,
                                  struct ps_error *error) {
    struct conversation conversation;
    conversation_begin(&conversation, prompt);
    enum ps_status status = read_form(&conversation, object, format, reply, error);
    return conversation_end(&conversation, status, error);
}

/* ---- the reply ---- */

static const char open_tag[] = "<think>", close_tag[] = "</think>";

static const char *last_tag(struct view view, const char *tag, size_t size) {
    for (size_t i = view.size < size ? 0 : view.size - size + 1; i-- > 0;)
        if (view.text[i] == '<' && memcmp(view.text + i, tag, size) == 0) return view.text + i;
    return NULL;
}

/* What stands between the tags and what follows them. Unlike ps_reply_split this leaves newlines
 * where they are, so that a text that was exported comes back the same. */
static void split_inline(struct view text, struct ps_reply_line *line) {
    const char *begin = text.text, *end = text.text + text.size;
    const char *close = last_tag(text, close_tag, sizeof close_tag - 1);
    while (begin < end && isspace((unsigned char)*begin)) begin++;
    size_t left = (size_t)(end - begin), tag = sizeof open_tag - 1;
    bool opened = left >= tag && memcmp(begin, open_tag, tag) == 0;
    struct ps_reply *reply = &line->reply;
    *reply = (struct ps_reply){.content = text.text, .content_size = text.size};
    if (!opened && !close) return;
    reply->has_reasoning = true;
    reply->reasoning = opened ? begin + tag : text.text;
    reply->content = close ? close + sizeof close_tag - 1 : end;
    reply->content_size = (size_t)(end - reply->content);
    reply->reasoning_size = (size_t)((close ? close : end) - reply->reasoning);
    line->cut = line->cut || !close;
}

static const json_t *reasoning_of(const json_t *object) {
    static const char *const keys[] = {"reasoning_content", "reasoning", "thinking"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = ps_json_get(object, keys[i]);
        if (value && (!json_is_string(value) || json_string_length(value))) return value;
    }
    return NULL;
}

enum ps_status ps_reply_line_parts(const json_t *reply, const json_t *beside,
                                   struct ps_arena *arena, struct ps_reply_line *line,
                                   struct ps_error *error) {
    struct view text, reasoning;
    const json_t *content = reply, *apart = NULL;
    if (json_is_object(reply)) {
        content = ps_json_get(reply, "content");
        if (!content) content = ps_json_get(reply, "value");
        apart = reasoning_of(reply);
    }
    if (!apart && beside) apart = reasoning_of(beside);
    PS_TRY(text_of(content, "the reply", arena, &text, error));
    PS_TRY(text_of(apart, "the reasoning", arena, &reasoning, error));
    PS_FAIL_IF(!text.size && !reasoning.size, error, PS_FORMAT, "the reply is empty");
    if (!text.text) text.text = "";
    split_inline(text, line);
    if (!reasoning.size) return PS_OK;
    PS_FAIL_IF(line->reply.has_reasoning, error, PS_FORMAT,
               "there is reasoning beside the reply and within it");
    line->reply = (struct ps_reply){.reasoning = reasoning.text,
                                    .reasoning_size = reasoning.size,
                                    .content = text.text,
                                    .content_size = text.size,
                                    .has_reasoning = true};
    return PS_OK;
}

/* ---- what else it says ---- */

/* A text or a number as text; NULL when there is none. */
static enum ps_status label(const json_t *object, const char *key, struct ps_arena *arena,
                            const char **text, struct ps_error *error) {
    const json_t *value = ps_json_get(object, key);
    *text = NULL;
    if (!value) return PS_OK;
    if (json_is_string(value)) return ps_json_string(object, key, text, error);
    PS_FAIL_IF(!json_is_number(value), error, PS_FORMAT, "'%s' is neither text nor a number", key);
    struct ps_buffer number;
    ps_buffer_init(&number, 1 << 10);
    enum ps_status status = ps_json_dump(value, &number, error);
    if (status == PS_OK) *text = ps_arena_strndup(arena, number.data, number.size);
    ps_buffer_release(&number);
    PS_TRY(status);
    PS_FAIL_IF_NULL(*text, error);
    return PS_OK;
}

enum ps_status ps_reply_line_about(const json_t *object, struct ps_arena *arena,
                                   struct ps_reply_line *line, struct ps_error *error) {
    const char *finish;
    PS_TRY(label(object, "gold", arena, &line->gold, error));
    PS_TRY(label(object, "id", arena, &line->id, error));
    PS_TRY(ps_json_string_or(object, "model", NULL, &line->model, error));
    PS_TRY(ps_json_string_or(object, "dataset", NULL, &line->dataset, error));
    PS_TRY(ps_json_string_or(object, "finish_reason", "stop", &finish, error));
    line->cut = line->cut || strcmp(finish, "length") == 0;
    const char *slash = line->dataset ? strrchr(line->dataset, '/') : NULL;
    if (!slash) return PS_OK;
    PS_FAIL_IF(slash == line->dataset || !slash[1], error, PS_FORMAT,
               "'dataset' is '%.80s': neither NAME nor NAME/SPLIT", line->dataset);
    line->split = slash + 1;
    line->dataset = ps_arena_strndup(arena, line->dataset, (size_t)(slash - line->dataset));
    PS_FAIL_IF_NULL(line->dataset, error);
    return PS_OK;
}
