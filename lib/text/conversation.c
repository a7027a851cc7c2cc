/* Conversations: from messages, or from the JSON that a prompt's id hashes, to text. */
#include "text/text_internal.h"

#include "base/json.h"

#include <string.h>

struct ps_message *ps_conversation_add(struct ps_conversation *conversation, const char *role) {
    struct ps_message *message = &conversation->messages[conversation->count++];
    message->role = role;
    ps_marked_text_init(&message->content);
    return message;
}

void ps_conversation_release(struct ps_conversation *conversation) {
    for (size_t i = 0; i < conversation->count; i++)
        ps_marked_text_release(&conversation->messages[i].content);
    ps_free(conversation->messages);
}

/* Where the last occurrence of a tag begins, or -1. */
static ptrdiff_t last_tag(const char *text, const char *tag) {
    const char *last = NULL;
    for (const char *found = text; (found = strstr(found, tag)); found++) last = found;
    return last ? last - text : -1;
}

static bool ends_with(const char *text, size_t size, const char *tag) {
    size_t length = strlen(tag);
    return size >= length && memcmp(text + size - length, tag, length) == 0;
}

/* The prefill decides if it has a tag; else the template's own end does. */
enum ps_thought ps_thought_of(const char *rendered, size_t size, const char *prefill) {
    ptrdiff_t opened = prefill ? last_tag(prefill, "<think>") : -1;
    ptrdiff_t closed = prefill ? last_tag(prefill, "</think>") : -1;
    if (opened != closed) return opened > closed ? PS_THOUGHT_OPENED : PS_THOUGHT_CLOSED;
    while (size > 0 && strchr(" \t\r\n", rendered[size - 1])) size--;
    if (ends_with(rendered, size, "</think>")) return PS_THOUGHT_CLOSED;
    return ends_with(rendered, size, "<think>") ? PS_THOUGHT_OPENED : PS_THOUGHT_NONE;
}

const char *ps_thought_name(enum ps_thought thought) {
    static const char *const names[] = {"reply", "prompt", "closed"};
    return names[thought];
}

enum ps_status ps_conversation_text(const struct ps_conversation *conversation,
                                    const struct ps_template *template, const char *prefill,
                                    struct ps_rendered_prompt *rendered, struct ps_error *error) {
    PS_TRY(ps_template_render(template, conversation, true, &rendered->text, error));
    const char *text = rendered->text.text.data ? rendered->text.text.data : "";
    rendered->thought = ps_thought_of(text, rendered->text.text.size, prefill);
    if (!prefill) return PS_OK;
    return ps_marked_text_append(&rendered->text, prefill, strlen(prefill), false, error);
}

/* ---- from JSON ---- */

/* Roles are borrowed from the JSON. All content counts as data: nobody knows any more who wrote it.
 */
static enum ps_status read_messages(const json_t *json, struct ps_conversation *conversation,
                                    struct ps_error *error) {
    json_t *messages;
    PS_TRY(ps_json_array(json, "messages", &messages, error));
    conversation->messages = ps_calloc(json_array_size(messages), sizeof *conversation->messages);
    PS_FAIL_IF_NULL(conversation->messages, error);
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        const char *role;
        PS_TRY(ps_json_string(message, "role", &role, error));
        const json_t *content = ps_json_get(message, "content");
        PS_FAIL_IF(!json_is_string(content), error, PS_FORMAT, "a message without content");
        PS_TRY(ps_marked_text_append(&ps_conversation_add(conversation, role)->content,
                                     json_string_value(content), json_string_length(content), true,
                                     error));
    }
    return PS_OK;
}

enum ps_status ps_conversation_encode(const char *json_text, const struct ps_template *template,
                                      enum ps_thinking thinking,
                                      const struct ps_tokenizer *tokenizer,
                                      struct ps_token_ids *ids, enum ps_thought *thought,
                                      struct ps_error *error) {
    struct ps_conversation conversation = {.thinking = thinking};
    struct ps_rendered_prompt rendered = {0};
    const char *prefill;
    json_t *json = NULL;
    bool told;
    ps_buffer_init(&rendered.conversation, 0);
    ps_marked_text_init(&rendered.text);
    enum ps_status status = ps_json_parse("prompt", json_text, strlen(json_text), &json, error);
    if (status != PS_OK) goto done;
    PS_TRY_DONE(ps_json_string_or(json, "prefill", NULL, &prefill, error));
    if (thinking == PS_THINKING_UNSET && ps_json_get(json, "thinking")) {
        PS_TRY_DONE(ps_json_bool(json, "thinking", &told, error));
        conversation.thinking = told ? PS_THINKING_ON : PS_THINKING_OFF;
    }
    PS_TRY_DONE(read_messages(json, &conversation, error));
    PS_TRY_DONE(ps_conversation_text(&conversation, template, prefill, &rendered, error));
    *thought = rendered.thought;
    status = ps_tokenizer_encode_marked(tokenizer, &rendered.text,
                                        ps_template_encode_flags(template), ids, error);
done:
    ps_conversation_release(&conversation);
    ps_rendered_prompt_release(&rendered);
    json_decref(json);
    return status;
}
