/* Any bytes as a file of replies: the first byte chooses the form's keys, the rest is read in
 * pieces of changing size. Whatever is accepted has a prompt that a store would take. */
#include "datasets/datasets_internal.h"
#include "store/store.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size, piece;
};

static enum ps_status read_input(void *context, char *out, size_t room, size_t *got,
                                 struct ps_error *error) {
    struct input *input = context;
    (void)error;
    input->piece = input->piece % 61 + 7;
    *got = input->size < input->piece ? input->size : input->piece;
    if (*got > room) *got = room;
    if (*got) memcpy(out, input->data, *got);
    input->data += *got;
    input->size -= *got;
    return PS_OK;
}

/* Every byte of both parts is there. */
static unsigned sum(const struct ps_reply *reply) {
    unsigned total = 0;
    for (size_t i = 0; i < reply->reasoning_size; i++) total += (unsigned char)reply->reasoning[i];
    for (size_t i = 0; i < reply->content_size; i++) total += (unsigned char)reply->content[i];
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct ps_reply_format formats[] = {
        {0}, {.prompt = "question", .completion = "answer"}, {.requests = PS_REQUESTS}};
    if (size < 1) return 0;
    struct input input = {data + 1, size - 1, data[0]};
    struct ps_reply_file *file;
    struct ps_error error;
    bool more = true;
    if (ps_reply_file_open_function(&file, "fuzz", read_input, &input, &formats[data[0] % 3],
                                    &error) != PS_OK)
        __builtin_trap();
    while (more) {
        struct ps_reply_line line;
        struct ps_hash hash;
        error.message[0] = 0;
        enum ps_status status = ps_reply_file_next(file, &line, &more, &error);
        if (status != PS_OK && !error.message[0]) __builtin_trap();
        if (status == PS_FORMAT || status == PS_LIMIT) continue;
        if (status != PS_OK) break;
        if (!more) continue;
        if (ps_store_identity(line.prompt, &hash, &error) != PS_OK) __builtin_trap();
        if (!line.failure && !line.reply.reasoning_size && !line.reply.content_size &&
            !line.reply.has_reasoning)
            __builtin_trap();
        __asm__ volatile("" : : "r"(sum(&line.reply))); /* reads all of it */
    }
    ps_reply_file_close(file);
    return 0;
}
