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

/* The prefill decides if it has a tag; else the template's own end does. */
static bool is_thinking_opened(const char *rendered, size_t size, const char *prefill) {
    static const char tag[] = "<think>";
    ptrdiff_t opened = prefill ? last_tag(prefill, tag) : -1;
    ptrdiff_t closed = prefill ? last_tag(prefill, "</think>") : -1;
    if (opened >= 0 || closed >= 0) return opened > closed;
    while (size > 0 && strchr(" \t\r\n", rendered[size - 1])) size--;
    return size >= strlen(tag) && memcmp(rendered + size - strlen(tag), tag, strlen(tag)) == 0;
}

enum ps_status ps_conversation_text(const struct ps_conversation *conversation,
                                    const struct ps_template *template, const char *prefill,
                                    struct ps_rendered_prompt *rendered, struct ps_error *error) {
    PS_TRY(template->render(conversation, &rendered->text, error));
    const char *text = rendered->text.text.data ? rendered->text.text.data : "";
    rendered->thinking_opened = is_thinking_opened(text, rendered->text.text.size, prefill);
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

enum ps_status ps_conversation_encode(const char *json_text, const char *template_name,
                                      const struct ps_tokenizer *tokenizer,
                                      struct ps_token_ids *ids, bool *thinking_opened,
                                      struct ps_error *error) {
    struct ps_conversation conversation = {0};
    struct ps_rendered_prompt rendered = {0};
    const struct ps_template *template;
    const char *prefill, *own_template;
    json_t *json = NULL;
    bool thinking;
    ps_buffer_init(&rendered.conversation, 0);
    ps_marked_text_init(&rendered.text);
    enum ps_status status = ps_json_parse("prompt", json_text, strlen(json_text), &json, error);
    if (status != PS_OK) goto done;
    PS_TRY_DONE(ps_json_string_or(json, "prefill", NULL, &prefill, error));
    PS_TRY_DONE(ps_json_string_or(json, "template", NULL, &own_template, error));
    if (ps_json_get(json, "thinking")) {
        PS_TRY_DONE(ps_json_bool(json, "thinking", &thinking, error));
        conversation.thinking = thinking ? PS_THINKING_ON : PS_THINKING_OFF;
    }
    PS_TRY_DONE(ps_template_find(template_name ? template_name : own_template, &template, error));
    PS_TRY_DONE(read_messages(json, &conversation, error));
    PS_TRY_DONE(ps_conversation_text(&conversation, template, prefill, &rendered, error));
    *thinking_opened = rendered.thinking_opened;
    status = ps_tokenizer_encode_marked(tokenizer, &rendered.text,
                                        template->prints_bos ? 0 : PS_ENCODE_SPECIAL, ids, error);
done:
    ps_conversation_release(&conversation);
    ps_rendered_prompt_release(&rendered);
    json_decref(json);
    return status;
}
