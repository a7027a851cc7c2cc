#include "pipelines/stages/show.h"

#include <string.h>

static const char quote_open[] = "\xC2\xAB", quote_close[] = "\xC2\xBB"; /* « and » */

/* Text with control characters as escapes; a new line is `newline`. */
static void print_text(FILE *out, const char *text, size_t size, const char *newline) {
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '\n')
            fputs(newline, out);
        else if (byte == '\t')
            fputs("\\t", out);
        else if (byte < 32 || byte == 127)
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
}

/* ---- prompts ---- */

static const char line_begin[] = "\n  | ";

static void print_control(FILE *out, const struct ps_tokenizer *tokenizer, uint32_t id) {
    size_t size;
    const char *bytes = ps_tokenizer_bytes(tokenizer, id, &size);
    fputs(quote_open, out);
    print_text(out, bytes, size, "\\n");
    fputs(quote_close, out);
}

void ps_show_prompt(FILE *out, const struct ps_tokenizer *tokenizer, const struct ps_token_ids *ids,
                    enum ps_thought thought) {
    static const char *const begins[] = {"the reply begins here",
                                         "the reply begins here, with its reasoning",
                                         "the reply begins here, without reasoning"};
    struct ps_buffer text;
    ps_buffer_init(&text, SIZE_MAX);
    fputs(line_begin + 1, out);
    for (size_t i = 0; i < ids->size;) {
        size_t end = i;
        while (end < ids->size && !ps_tokenizer_is_control(tokenizer, ids->data[end])) end++;
        text.size = 0;
        if (ps_tokenizer_decode(tokenizer, ids->data + i, end - i, false, &text, NULL) == PS_OK)
            print_text(out, text.data, text.size, line_begin);
        if (end < ids->size) print_control(out, tokenizer, ids->data[end++]);
        i = end;
    }
    fprintf(out, "%s%s%s\n", quote_open, begins[thought], quote_close);
    ps_buffer_release(&text);
}

/* ---- examples ---- */

enum { SHOWN_WHOLE = 96, SHOWN_END = 24, SHOWN_BEFORE = 8, SHOWN_BEHIND = 24 };

static bool is_text(const char *bytes, size_t size) {
    struct ps_marked_text text;
    ps_marked_text_init(&text);
    bool same = ps_marked_text_append(&text, bytes, size, true, NULL) == PS_OK &&
                text.text.size == size && (size == 0 || memcmp(text.text.data, bytes, size) == 0);
    ps_marked_text_release(&text);
    return same;
}

/* A token may be a part of a character: then its bytes are shown. */
static void print_token(FILE *out, const struct ps_tokenizer *tokenizer, uint32_t id, bool learnt) {
    size_t size;
    const char *bytes = ps_tokenizer_bytes(tokenizer, id, &size);
    fprintf(out, "%8u  %s     |", id, learnt ? "yes" : "no ");
    if (ps_tokenizer_is_control(tokenizer, id))
        print_control(out, tokenizer, id);
    else if (is_text(bytes, size))
        print_text(out, bytes, size, "\\n");
    else
        for (size_t i = 0; i < size; i++) fprintf(out, "\\x%02x", (unsigned char)bytes[i]);
    fputs("|\n", out);
}

static bool is_shown(const struct ps_example *example, int32_t i) {
    int32_t to_target = i - example->first_target;
    return example->size <= SHOWN_WHOLE || i < SHOWN_END || example->size - i <= SHOWN_END ||
           (to_target >= -SHOWN_BEFORE && to_target < SHOWN_BEHIND);
}

void ps_show_example(FILE *out, const struct ps_tokenizer *tokenizer,
                     const struct ps_example *example) {
    int32_t hidden = 0;
    fputs("      id  learnt  text\n", out);
    for (int32_t i = 0; i < example->size; i++) {
        if (!is_shown(example, i)) {
            hidden++;
            continue;
        }
        if (hidden) fprintf(out, "     ...  %d tokens more\n", hidden);
        hidden = 0;
        print_token(out, tokenizer, (uint32_t)example->ids[i], i >= example->first_target);
    }
}
