/* The two parts of a reply. Models differ in who opens the thought (the template, or the model's
 * first token) and in how many newlines stand at the tags; here that difference ends. */
#include "text/text_internal.h"

#include <string.h>

static const char open_tag[] = "<think>", close_tag[] = "</think>";

bool ps_is_think_tag(const struct ps_tokenizer *tokenizer, uint32_t id) {
    size_t size;
    const char *bytes = ps_tokenizer_bytes(tokenizer, id, &size);
    return (size == strlen(open_tag) && memcmp(bytes, open_tag, size) == 0) ||
           (size == strlen(close_tag) && memcmp(bytes, close_tag, size) == 0);
}

bool ps_reply_has_token(const struct ps_tokenizer *tokenizer, uint32_t id) {
    return !ps_tokenizer_is_special(tokenizer, id) || ps_is_think_tag(tokenizer, id);
}

enum ps_status ps_reply_decode(const struct ps_tokenizer *tokenizer, const uint32_t *ids,
                               size_t count, struct ps_buffer *text, struct ps_error *error) {
    struct ps_decode_stream stream = {0};
    enum ps_status status = PS_OK;
    for (size_t i = 0; status == PS_OK && i < count; i++)
        if (ps_reply_has_token(tokenizer, ids[i]))
            status = ps_decode_stream_push(&stream, tokenizer, ids[i], false, text, error);
    if (status == PS_OK) status = ps_decode_stream_end(&stream, tokenizer, text, error);
    ps_decode_stream_release(&stream);
    return status;
}

struct view {
    const char *text;
    size_t size;
};

static struct view skip_start(struct view view, const char *characters) {
    while (view.size > 0 && view.text[0] && strchr(characters, view.text[0]))
        view.text++, view.size--;
    return view;
}

static struct view skip_end(struct view view, const char *characters) {
    while (view.size > 0 && view.text[view.size - 1] &&
           strchr(characters, view.text[view.size - 1]))
        view.size--;
    return view;
}

/* Takes an opening tag off, and newlines at both ends. */
static struct view clean_reasoning(struct view view, bool *opened) {
    struct view inside = skip_start(view, " \t\r\n");
    size_t tag = strlen(open_tag);
    *opened = inside.size >= tag && memcmp(inside.text, open_tag, tag) == 0;
    if (*opened) view = (struct view){inside.text + tag, inside.size - tag};
    return skip_end(skip_start(view, "\r\n"), "\r\n");
}

struct ps_reply ps_reply_split(const char *text, size_t size, enum ps_thought thought) {
    size_t tag = strlen(close_tag), closed = SIZE_MAX;
    for (size_t i = size < tag ? 0 : size - tag + 1; i-- > 0;)
        if (text[i] == '<' && memcmp(text + i, close_tag, tag) == 0) {
            closed = i;
            break;
        }
    bool has_close = closed != SIZE_MAX, opened;
    bool thinking_opened = thought == PS_THOUGHT_OPENED;
    struct view reasoning =
        clean_reasoning((struct view){text, has_close ? closed : size}, &opened);
    struct view content = {text + size, 0};
    if (has_close) {
        content = skip_start((struct view){text + closed + tag, size - closed - tag}, "\r\n");
    } else if (!opened && !thinking_opened) {
        reasoning.size = 0;
        content = (struct view){text, size};
    }
    return (struct ps_reply){
        .reasoning = reasoning.text,
        .content = content.text,
        .reasoning_size = reasoning.size,
        .content_size = content.size,
        .has_reasoning = has_close || opened || thinking_opened,
    };
}
