#pragma once
/* What prompts, templates and the tokenizer share. */

#include "base/json.h"
#include "text/text.h"

enum { MAX_TEXT_SIZE = 1 << 30 };

/* ---- UTF-8 (utf8.c) ---- */

/* Looks at the bytes from text[0]: returns how many belong together, at least 1 if size > 0, and
 * sets *code_point, to -1 where they are a maximal invalid sequence. *incomplete (may be NULL):
 * the invalid sequence is the beginning of a character that the text's end cuts off. */
size_t ps_utf8_next(const char *text, size_t size, int32_t *code_point, bool *incomplete);
size_t ps_utf8_put(int32_t code_point, char out[4]);
/* How many bytes from text[0] on are ASCII. */
size_t ps_ascii_size(const char *text, size_t size);
/* Appends text with U+FFFD for each maximal invalid sequence; false: out of memory or limit. */
bool ps_utf8_append_valid(struct ps_buffer *buffer, const char *text, size_t size);

/* ---- conversations ---- */

struct ps_message {
    const char *role; /* system, user or assistant */
    struct ps_marked_text content;
};
struct ps_conversation {
    struct ps_message *messages;
    size_t count;
    enum ps_thinking thinking;
};
/* There must be room in `messages`. The role is borrowed. */
struct ps_message *ps_conversation_add(struct ps_conversation *conversation, const char *role);
void ps_conversation_release(struct ps_conversation *conversation);

/* Where a rendered text with this prefill (NULL: none), which it does not end in yet, leaves it. */
enum ps_thought ps_thought_of(const char *rendered, size_t size, const char *prefill);
/* Appends the rendered conversation, the generation prompt and the prefill to rendered->text and
 * sets its thought. */
enum ps_status ps_conversation_text(const struct ps_conversation *conversation,
                                    const struct ps_template *template, const char *prefill,
                                    struct ps_rendered_prompt *rendered, struct ps_error *error);
enum ps_status ps_marked_text_append_all(struct ps_marked_text *text,
                                         const struct ps_marked_text *more, struct ps_error *error);

/* <think> or </think> as one token. */
bool ps_is_think_tag(const struct ps_tokenizer *tokenizer, uint32_t id);

/* ---- templates (template.c) ---- */

/* Appends the Jinja of a model's folder, or of a file: a tokenizer_config.json or the Jinja itself.
 * *found is false, which is no failure, when the folder or the JSON has none. PS_NOT_FOUND: there
 * is no such path. */
enum ps_status ps_chat_template_load(const char *path, struct ps_buffer *source, bool *found,
                                     struct ps_error *error);

/* Adds to an object what FOLDER/tokenizer_config.json sets of bos_token and the like, a model's own
 * included; a token that is null there is undefined in templates. */
enum ps_status ps_special_tokens_load(const char *folder, json_t *tokens, struct ps_error *error);

/* The built-in chatml. */
extern const char ps_chatml_source[];

/* Appends what the template makes of a conversation; generation_prompt: up to where a reply begins.
 */
enum ps_status ps_template_render(const struct ps_template *template,
                                  const struct ps_conversation *conversation,
                                  bool generation_prompt, struct ps_marked_text *text,
                                  struct ps_error *error);
/* PS_ENCODE_SPECIAL where BOS is the post-processor's to add. */
unsigned ps_template_encode_flags(const struct ps_template *template);
/* The day that its text depends on, or NULL when it does not ask for it. */
const char *ps_template_date(const struct ps_template *template);
