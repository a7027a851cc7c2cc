/* The chat templates that are built in. A template writes its own text as the template's and
 * appends the messages as they are marked, so that it never matters here what they contain. */
#include "text/text_internal.h"

#include <string.h>

static enum ps_status append(struct ps_marked_text *text, const char *own, struct ps_error *error) {
    return ps_marked_text_append(text, own, strlen(own), false, error);
}

/* ChatML, as Qwen's models use it. Thinking switched off is written as they expect it: with a
 * thought that is empty. */
static enum ps_status render_chatml(const struct ps_conversation *conversation,
                                    struct ps_marked_text *text, struct ps_error *error) {
    for (size_t i = 0; i < conversation->count; i++) {
        PS_TRY(append(text, "<|im_start|>", error));
        PS_TRY(append(text, conversation->messages[i].role, error));
        PS_TRY(append(text, "\n", error));
        PS_TRY(ps_marked_text_append_all(text, &conversation->messages[i].content, error));
        PS_TRY(append(text, "<|im_end|>\n", error));
    }
    PS_TRY(append(text, "<|im_start|>assistant\n", error));
    if (conversation->thinking == PS_THINKING_OFF)
        PS_TRY(append(text, "<think>\n\n</think>\n\n", error));
    return PS_OK;
}

static bool ends_in_space(const struct ps_marked_text *text) {
    return text->text.size == 0 || strchr(" \t\r\n", text->text.data[text->text.size - 1]);
}

/* Plain text for models that were never taught to chat. */
static enum ps_status render_plain(const struct ps_conversation *conversation,
                                   struct ps_marked_text *text, struct ps_error *error) {
    for (size_t i = 0; i < conversation->count; i++) {
        const struct ps_message *message = &conversation->messages[i];
        bool user = strcmp(message->role, "user") == 0;
        if (strcmp(message->role, "assistant") == 0 && !ends_in_space(text))
            PS_TRY(append(text, " ", error));
        PS_TRY(ps_marked_text_append_all(text, &message->content, error));
        if (!user) PS_TRY(append(text, "\n\n", error));
    }
    return PS_OK;
}

enum ps_status ps_template_find(const char *name, const struct ps_template **found,
                                struct ps_error *error) {
    static const struct ps_template templates[] = {
        {"chatml", render_chatml, .prints_bos = true},
        {"none", render_plain, .prints_bos = false},
    };
    *found = NULL;
    for (size_t i = 0; i < sizeof templates / sizeof *templates && !*found; i++)
        if (!name || strcmp(name, templates[i].name) == 0) *found = &templates[i];
    PS_FAIL_IF(
        !*found, error, PS_UNSUPPORTED,
        "template '%.200s' is not known; there are chatml and none (templates from files are "
        "not built yet)",
        name);
    return PS_OK;
}
