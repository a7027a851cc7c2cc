/* Any bytes as a tokenizer.json; what opens must encode and decode, within its limits, and
 * as tokens come to the same text. */
#include "text/text.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *path_of_input(void) {
    static char path[64];
    if (!path[0]) snprintf(path, sizeof path, "/tmp/potstill-fuzz-%d.json", (int)getpid());
    return path;
}

__attribute__((destructor)) static void remove_input(void) {
    ps_path_remove(path_of_input(), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] = "Hello  w\xC3\xB6rld 123\n\n<|im_start|>a\xCC\x81\xE4\xB8\xAD\xFF";
    struct ps_tokenizer *tokenizer;
    struct ps_error error;
    FILE *file = fopen(path_of_input(), "wb");
    if (!file) return 0;
    fwrite(data, 1, size, file);
    fclose(file);
    if (ps_tokenizer_open(path_of_input(), &tokenizer, &error) != PS_OK) {
        if (!error.message[0]) __builtin_trap();
        return 0;
    }
    struct ps_token_ids ids = {0};
    struct ps_decode_stream stream = {0};
    struct ps_buffer back, streamed;
    ps_buffer_init(&back, 1 << 20);
    ps_buffer_init(&streamed, 1 << 20);
    if (ps_tokenizer_encode(tokenizer, text, strlen(text), PS_ENCODE_SPECIAL, &ids, &error) ==
        PS_OK) {
        for (size_t i = 0; i < ids.size; i++)
            if (ids.data[i] >= ps_tokenizer_size(tokenizer)) __builtin_trap();
        enum ps_status whole =
            ps_tokenizer_decode(tokenizer, ids.data, ids.size, true, &back, &error);
        enum ps_status status = PS_OK;
        for (size_t i = 0; i < ids.size && status == PS_OK; i++)
            status =
                ps_decode_stream_push(&stream, tokenizer, ids.data[i], true, &streamed, &error);
        if (status == PS_OK) status = ps_decode_stream_end(&stream, tokenizer, &streamed, &error);
        if (whole == PS_OK && (status != PS_OK || streamed.size != back.size ||
                               (back.size > 0 && memcmp(streamed.data, back.data, back.size) != 0)))
            __builtin_trap();
    }
    ps_decode_stream_release(&stream);
    ps_buffer_release(&streamed);
    ps_buffer_release(&back);
    ps_token_ids_release(&ids);
    ps_tokenizer_close(tokenizer);
    return 0;
}
