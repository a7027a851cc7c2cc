/* From ids to text. Tokens are bytes, and a character's bytes may be spread over several of them:
 * what could still become a character waits in the stream. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

static enum ps_status push_bytes(struct ps_decode_stream *stream, const char *bytes, size_t size,
                                 struct ps_buffer *text, struct ps_error *error) {
    struct ps_buffer joined;
    ps_buffer_init(&joined, SIZE_MAX);
    if (stream->held_size > 0) {
        bool fits = ps_buffer_append(&joined, stream->held, stream->held_size) &&
                    ps_buffer_append(&joined, bytes, size);
        if (!fits) {
            ps_buffer_release(&joined);
            return ps_error_set(error, PS_MEMORY, "out of memory");
        }
        bytes = joined.data;
        size = joined.size;
    }
    /* An incomplete character is at most the last three bytes. */
    size_t certain = size, i = size < 4 ? 0 : size - 4;
    while (i < size && ((unsigned char)bytes[i] & 0xC0) == 0x80) i++;
    while (i < size) {
        int32_t code_point;
        bool incomplete;
        size_t length = ps_utf8_next(bytes + i, size - i, &code_point, &incomplete);
        if (incomplete) certain = i;
        i += length;
    }
    bool fits = ps_utf8_append_valid(text, bytes, certain);
    if (fits) {
        stream->held_size = (unsigned char)(size - certain);
        memcpy(stream->held, bytes + certain, size - certain);
    }
    ps_buffer_release(&joined);
    PS_FAIL_IF(!fits, error, PS_LIMIT, "out of memory, or decoded text over its limit");
    return PS_OK;
}

enum ps_status ps_decode_stream_push(struct ps_decode_stream *stream,
                                     const struct ps_tokenizer *tokenizer, uint32_t id,
                                     bool skip_special, struct ps_buffer *text,
                                     struct ps_error *error) {
    size_t size;
    const char *bytes = ps_tokenizer_bytes(tokenizer, id, &size);
    if (size == 0 || (skip_special && ps_tokenizer_is_special(tokenizer, id))) return PS_OK;
    return push_bytes(stream, bytes, size, text, error);
}

enum ps_status ps_decode_stream_end(struct ps_decode_stream *stream, struct ps_buffer *text,
                                    struct ps_error *error) {
    bool fits = ps_utf8_append_valid(text, (const char *)stream->held, stream->held_size);
    PS_FAIL_IF(!fits, error, PS_LIMIT, "out of memory, or decoded text over its limit");
    stream->held_size = 0;
    return PS_OK;
}

enum ps_status ps_tokenizer_decode(const struct ps_tokenizer *tokenizer, const uint32_t *ids,
                                   size_t count, bool skip_special, struct ps_buffer *text,
                                   struct ps_error *error) {
    struct ps_decode_stream stream = {0};
    for (size_t i = 0; i < count; i++)
        PS_TRY(ps_decode_stream_push(&stream, tokenizer, ids[i], skip_special, text, error));
    return ps_decode_stream_end(&stream, text, error);
}
