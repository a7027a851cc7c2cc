#pragma once
/* Chat templates: the Jinja that they are written in, as jinja2 3.1.6 renders it under the settings
 * of transformers (trim_blocks, lstrip_blocks, the immutable sandbox, loopcontrols, generation,
 * its own tojson, raise_exception, strftime_now).
 *
 * A parsed template is immutable: any number of threads may render with one at the same time. The
 * text says of each byte whether it is the template's own or data. */

#include "base/json.h"
#include "base/status.h"
#include "text/text.h"

struct ps_jinja;
struct ps_conversation;

/* name stands in messages: "name:line:column: why", here and in rendering. The source is copied. */
enum ps_status ps_jinja_parse(const char *name, const char *source, size_t size,
                              struct ps_jinja **template, struct ps_error *error);
void ps_jinja_free(struct ps_jinja *template); /* NULL is fine */

/* The template of a model's folder or of a file (its Jinja, or a JSON file with `chat_template`),
 * and the special tokens that the folder's tokenizer_config.json sets, as variables: a new object,
 * empty for a file. PS_NOT_FOUND: there is no such path, or no template. */
enum ps_status ps_jinja_open(const char *path, struct ps_jinja **template, json_t **tokens,
                             struct ps_error *error);

struct ps_jinja_input {
    /* Becomes `messages`: role (the template's own) and content (as it is marked). Or NULL. */
    const struct ps_conversation *conversation;
    /* All other variables, an object or NULL; `messages` too when there is no conversation. Strings
     * count as the template's own, but under messages, tools and documents as data. */
    const json_t *variables;
    /* YYYY-MM-DD: strftime_now sees midnight of that day. NULL: strftime_now fails. */
    const char *date;
};

/* Appends to *out, which may hold a part of the text after a failure. PS_FORMAT: the template
 * failed, by raise_exception too, whose message stands behind the place. PS_LIMIT: it took too many
 * steps, too much memory or text, or nested too deeply. */
enum ps_status ps_jinja_render(const struct ps_jinja *template, const struct ps_jinja_input *input,
                               struct ps_marked_text *out, struct ps_error *error);
