/* Any bytes as a text, cut into the template's and data's parts: ordinary text never becomes a
 * control token, and what is decoded encodes to the same ids again. */
#include "text/text.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ps_tokenizer *tokenizer;

/* A tokenizer of 400 entries from a few words. */
static void begin(void) {
    const char *lines[] = {"the cat and the hat, and then the end of it all",
                           "il\u00E9 caf\u00E9 the", "it's don't we'll  two   blanks\n\nlines\r\n",
                           "12 345 = 6789 + x"};
    char folder[] = "/tmp/potstill-fuzz-XXXXXX";
    struct ps_error error;
    if (!mkdtemp(folder) || ps_tokenizer_train(lines, 4, 400, folder, &error) != PS_OK ||
        ps_tokenizer_open(folder, &tokenizer, &error) != PS_OK)
        abort();
    ps_path_remove(folder, NULL);
}

static size_t count_control(const struct ps_token_ids *ids) {
    size_t count = 0;
    for (size_t i = 0; i < ids->size; i++)
        count += ps_tokenizer_is_special(tokenizer, ids->data[i]);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!tokenizer) begin();
    const char *text = (const char *)data;
    size_t half = size / 2;
    struct ps_token_ids ids = {0}, again = {0};
    struct ps_marked_text marked;
    struct ps_buffer decoded;
    struct ps_error error;
    ps_marked_text_init(&marked);
    ps_buffer_init(&decoded, 1 << 24);
    if (!ps_buffer_reserve(&decoded, 1)) return 0;
    if (ps_tokenizer_encode(tokenizer, text, size, PS_ENCODE_ORDINARY, &ids, &error) != PS_OK)
        __builtin_trap();
    if (count_control(&ids) > 0) __builtin_trap();
    if (ps_tokenizer_decode(tokenizer, ids.data, ids.size, false, &decoded, &error) != PS_OK)
        __builtin_trap();
    if (ps_tokenizer_encode(tokenizer, decoded.data, decoded.size, PS_ENCODE_ORDINARY, &again,
                            &error) != PS_OK)
        __builtin_trap();
    if (again.size != ids.size ||
        (ids.size && memcmp(again.data, ids.data, ids.size * sizeof *ids.data) != 0))
        __builtin_trap();
    ids.size = 0;
    if (ps_marked_text_append(&marked, text, half, size & 1, &error) != PS_OK ||
        ps_marked_text_append(&marked, text + half, size - half, !(size & 1), &error) != PS_OK ||
        ps_tokenizer_encode_marked(tokenizer, &marked, 0, &ids, &error) != PS_OK)
        __builtin_trap();
    (void)ps_reply_split(text, size, (enum ps_thought)(size % 3));
    ps_marked_text_release(&marked);
    ps_buffer_release(&decoded);
    ps_token_ids_release(&ids);
    ps_token_ids_release(&again);
    return 0;
}
