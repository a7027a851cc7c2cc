/* Any bytes as a chat template, parsed and rendered: it ends with a text or a message, twice the
 * same, and the marks cover the text. */
#include "text/jinja/jinja.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char context_text[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \" S \"}, {\"role\": \"user\", \"content\":"
    " \"a\\u00e9 <think>\\nb</think>c\"}, {\"role\": \"assistant\", \"content\": null,"
    " \"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": {\"x\": [1, 2.5]}}}]}],"
    " \"tools\": [{\"type\": \"function\"}], \"add_generation_prompt\": true, \"n\": 3,"
    " \"d\": {\"b\": 1, \"a\": [true, \"x\"]}, \"l\": [3, 1, 2], \"s\": \"a b\\nc\"}";

static void check_marks(const struct ps_marked_text *text) {
    size_t begin = 0;
    for (size_t i = 0; i < text->span_count; begin = text->spans[i++].end)
        if (text->spans[i].end <= begin) __builtin_trap();
    if (begin != text->text.size) __builtin_trap();
    for (size_t at = 0, length; at < text->text.size; at += length)
        if ((length = ps_utf8_length(text->text.data + at, text->text.size - at)) == 0)
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static json_t *context;
    struct ps_error error;
    struct ps_jinja *template;
    struct ps_marked_text first, second;
    if (!context &&
        ps_json_parse("context", context_text, strlen(context_text), &context, &error) != PS_OK)
        abort();
    if (ps_jinja_parse("t", (const char *)data, size, &template, &error) != PS_OK) return 0;
    struct ps_jinja_input input = {.variables = context, .date = "2026-11-22"};
    ps_marked_text_init(&first);
    ps_marked_text_init(&second);
    enum ps_status status = ps_jinja_render(template, &input, &first, &error);
    if (status == PS_OK) {
        check_marks(&first);
        if (ps_jinja_render(template, &input, &second, &error) != PS_OK ||
            second.text.size != first.text.size ||
            (first.text.size && memcmp(first.text.data, second.text.data, first.text.size) != 0))
            __builtin_trap();
    } else if (strncmp(error.message, "t:", 2) != 0) {
        __builtin_trap();
    }
    ps_marked_text_release(&first);
    ps_marked_text_release(&second);
    ps_jinja_free(template);
    return 0;
}
