/* From ids to text. A decoder is a chain of steps from a list of strings, at first the tokens'
 * names, to another:
 *   Replace, Strip, Metaspace  each string on its own; Metaspace drops its marks in the first one
 *   BPEDecoder                 so too, but the last string is another matter: one waits
 *   ByteFallback               a run of <0x41>s becomes its characters, or if it is not valid
 *                              UTF-8, one U+FFFD for each: the run waits
 *   Fuse                       one string of all
 *   ByteLevel                  so too, of the bytes that names stand for
 *   (none)                     a blank between any two
 * Strings go through the chain one by one, so that text comes as tokens do. What follows Fuse or
 * ByteLevel is done at the end, on the whole, unless it only strips the beginning. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

/* One push or end. */
struct decoding {
    const struct ps_tokenizer *tokenizer;
    struct ps_decode_stream *stream;
    struct ps_buffer *text;
    bool whole; /* the string is all there is: the end, behind the step that fuses */
};

static enum ps_status append(struct ps_buffer *out, const char *bytes, size_t size,
                             struct ps_error *error) {
    PS_FAIL_IF(!ps_buffer_append(out, bytes, size), error, PS_LIMIT,
               "out of memory, or decoded text over its limit");
    return PS_OK;
}

static enum ps_status append_valid(struct ps_buffer *out, const char *bytes, size_t size,
                                   struct ps_error *error) {
    PS_FAIL_IF(!ps_utf8_append_valid(out, bytes, size), error, PS_LIMIT,
               "out of memory, or decoded text over its limit");
    return PS_OK;
}

/* ---- steps on one string ---- */

/* How many bytes at the start of text are a Strip's character, at most `most` times. */
static size_t strip_size(const struct ps_decoder *step, const char *text, size_t size,
                         size_t most) {
    size_t one = step->content_size, used = 0;
    for (; most > 0 && size - used >= one && memcmp(text + used, step->content, one) == 0; most--)
        used += one;
    return used;
}

static enum ps_status strip(const struct ps_decoder *step, const char *text, size_t size,
                            struct ps_buffer *out, struct ps_error *error) {
    size_t cut = strip_size(step, text, size, step->start), one = step->content_size;
    text += cut;
    size -= cut;
    for (size_t i = 0; i < step->stop && size >= one; i++, size -= one)
        if (memcmp(text + size - one, step->content, one) != 0) break;
    return append(out, text, size, error);
}

static enum ps_status replace(const struct ps_tokenizer *tokenizer,
                              const struct ps_pattern *pattern, const char *content,
                              size_t content_size, const char *text, size_t size,
                              struct ps_buffer *out, struct ps_error *error) {
    struct ps_workspace *workspace = pattern->literal ? NULL : ps_workspace_take(tokenizer);
    PS_FAIL_IF(!pattern->literal && !workspace, error, PS_MEMORY, "out of memory");
    if (workspace) ps_workspace_limit(workspace, size);
    enum ps_status status = ps_pattern_replace(tokenizer, workspace, pattern, content, content_size,
                                               text, size, out, error);
    if (workspace) ps_workspace_give_back(tokenizer, workspace);
    return status;
}

/* The bytes that a name stands for in ByteLevel; a name with other characters, its own. */
static enum ps_status append_name_bytes(const char *name, size_t size, struct ps_buffer *out,
                                        struct ps_error *error) {
    size_t byte_count, before = out->size;
    PS_FAIL_IF(!ps_buffer_reserve(out, size + 1), error, PS_LIMIT,
               "out of memory, or decoded text over its limit");
    if (!ps_byte_level_decode(name, size, out->data + before, &byte_count))
        return append(out, name, size, error);
    out->size = before + byte_count;
    out->data[out->size] = 0;
    return PS_OK;
}

/* What a name of the form <0x41> stands for, or -1. (The library's parser takes <0x+A> too.) */
static int fallback_byte(const char *name, size_t size) {
    if (size != 6 || memcmp(name, "<0x", 3) != 0 || name[5] != '>') return -1;
    int value = 0;
    for (int i = name[3] == '+' ? 4 : 3; i < 5; i++) {
        int c = (unsigned char)name[i],
            digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
        if (digit < 0 || digit > 15 || (c > '9' && digit < 10)) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* ---- the chain ---- */

static enum ps_status emit(struct decoding *run, size_t index, const char *text, size_t size,
                           struct ps_error *error);

/* Passes on what a run of ByteFallback has become. */
static enum ps_status end_run(struct decoding *run, size_t index, struct ps_error *error) {
    struct ps_buffer *held = &run->stream->run, valid;
    size_t count = held->size;
    if (count == 0) return PS_OK;
    ps_buffer_init(&valid, SIZE_MAX);
    enum ps_status status = append_valid(&valid, held->data, count, error);
    bool same =
        status == PS_OK && valid.size == count && memcmp(valid.data, held->data, count) == 0;
    held->size = 0;
    if (status == PS_OK && same) status = emit(run, index + 1, valid.data, count, error);
    for (size_t i = 0; i < count && status == PS_OK && !same; i++)
        status = emit(run, index + 1, "\xEF\xBF\xBD", 3, error);
    ps_buffer_release(&valid);
    return status;
}

/* Passes on the string that BPEDecoder held back. */
static enum ps_status end_suffix(struct decoding *run, size_t index, bool last,
                                 struct ps_error *error) {
    struct ps_buffer out;
    if (!run->stream->waits) return PS_OK;
    ps_buffer_init(&out, SIZE_MAX);
    enum ps_status status = replace(
        run->tokenizer, &run->tokenizer->decoders[index].pattern, last ? "" : " ", last ? 0 : 1,
        run->stream->run.data ? run->stream->run.data : "", run->stream->run.size, &out, error);
    run->stream->waits = false;
    run->stream->run.size = 0;
    if (status == PS_OK) status = emit(run, index + 1, out.data, out.size, error);
    ps_buffer_release(&out);
    return status;
}

/* Text behind the step that fuses, as it comes; valid UTF-8. */
static enum ps_status append_stripped(struct decoding *run, const char *text, size_t size,
                                      struct ps_error *error) {
    for (size_t i = run->tokenizer->fused; i < run->tokenizer->decoder_count; i++) {
        const struct ps_decoder *step = &run->tokenizer->decoders[i];
        if (step->kind != DECODE_STRIP || run->stream->stripped == SIZE_MAX) continue;
        size_t cut = strip_size(step, text, size, step->start - run->stream->stripped);
        run->stream->stripped += cut / step->content_size;
        text += cut;
        size -= cut;
        if (size > 0) run->stream->stripped = SIZE_MAX;
    }
    return append(run->text, text, size, error);
}

/* Passes on what has come of bytes, but for the beginning of a character. */
static enum ps_status append_held(struct decoding *run, bool last, struct ps_error *error) {
    struct ps_buffer *held = &run->stream->held, valid;
    size_t certain = held->size, i = held->size < 4 ? 0 : held->size - 4;
    while (i < held->size && ((unsigned char)held->data[i] & 0xC0) == 0x80) i++;
    while (i < held->size && !last) {
        int32_t code_point;
        bool incomplete;
        size_t length = ps_utf8_next(held->data + i, held->size - i, &code_point, &incomplete);
        if (incomplete) certain = i;
        i += length;
    }
    ps_buffer_init(&valid, SIZE_MAX);
    enum ps_status status = PS_OK;
    if (certain > 0) {
        PS_TRY_DONE(append_valid(&valid, held->data, certain, error));
        PS_TRY_DONE(append_stripped(run, valid.data, valid.size, error));
        memmove(held->data, held->data + certain, held->size - certain);
        held->size -= certain;
    }
done:
    ps_buffer_release(&valid);
    return status;
}

/* A string that reaches Fuse or ByteLevel. */
static enum ps_status fuse(struct decoding *run, size_t index, const char *text, size_t size,
                           struct ps_error *error) {
    struct ps_buffer *held = &run->stream->held;
    bool bytes = run->tokenizer->decoders[index].kind == DECODE_BYTE_LEVEL;
    if (!bytes && run->tokenizer->fused_streams) return append_stripped(run, text, size, error);
    if (bytes)
        PS_TRY(append_name_bytes(text, size, held, error));
    else
        PS_TRY(append(held, text, size, error));
    return run->tokenizer->fused_streams ? append_held(run, false, error) : PS_OK;
}

/* One string through one step that makes one string of it. */
static enum ps_status rewrite(struct decoding *run, size_t index, bool first, const char *text,
                              size_t size, struct ps_error *error) {
    const struct ps_decoder *step = &run->tokenizer->decoders[index];
    const struct ps_pattern mark = {.literal = step->content, .size = step->content_size};
    struct ps_buffer out, bytes;
    enum ps_status status = PS_OK;
    ps_buffer_init(&out, SIZE_MAX);
    ps_buffer_init(&bytes, SIZE_MAX);
    switch (step->kind) {
    case DECODE_REPLACE:
        status = replace(run->tokenizer, &step->pattern, step->content, step->content_size, text,
                         size, &out, error);
        break;
    case DECODE_METASPACE:
        status = replace(run->tokenizer, &mark, " ", !first || step->keep_first, text, size, &out,
                         error);
        break;
    case DECODE_STRIP: status = strip(step, text, size, &out, error); break;
    case DECODE_SUFFIX: /* of the whole: the last string, too */
        status = replace(run->tokenizer, &step->pattern, "", 0, text, size, &out, error);
        break;
    case DECODE_BYTE_LEVEL:
        status = append_name_bytes(text, size, &bytes, error);
        if (status == PS_OK) status = append_valid(&out, bytes.data, bytes.size, error);
        break;
    default: status = append(&out, text, size, error);
    }
    if (status == PS_OK) status = emit(run, index + 1, out.data, out.size, error);
    ps_buffer_release(&out);
    ps_buffer_release(&bytes);
    return status;
}

static enum ps_status emit(struct decoding *run, size_t index, const char *text, size_t size,
                           struct ps_error *error) {
    if (index == run->tokenizer->decoder_count) return append(run->text, text, size, error);
    const struct ps_decoder *step = &run->tokenizer->decoders[index];
    bool first = !(run->stream->begun >> index & 1);
    int byte;
    run->stream->begun |= 1u << index;
    if (run->whole) {
        if (step->kind != DECODE_BYTE_FALLBACK) return rewrite(run, index, true, text, size, error);
        byte = fallback_byte(text, size);
        if (byte < 0) return emit(run, index + 1, text, size, error);
        char character = (char)byte;
        return byte < 0x80 ? emit(run, index + 1, &character, 1, error)
                           : emit(run, index + 1, "\xEF\xBF\xBD", 3, error);
    }
    switch (step->kind) {
    case DECODE_JOIN:
        if (!first) PS_TRY(append(run->text, " ", 1, error));
        return append(run->text, text, size, error);
    case DECODE_FUSE:
    case DECODE_BYTE_LEVEL: return fuse(run, index, text, size, error);
    case DECODE_BYTE_FALLBACK:
        byte = fallback_byte(text, size);
        if (byte >= 0) return append(&run->stream->run, (char[]){(char)byte}, 1, error);
        PS_TRY(end_run(run, index, error));
        return emit(run, index + 1, text, size, error);
    case DECODE_SUFFIX:
        PS_TRY(end_suffix(run, index, false, error));
        run->stream->waits = true;
        return append(&run->stream->run, text, size, error);
    default: return rewrite(run, index, first, text, size, error);
    }
}

/* ---- streams ---- */

static void begin(struct ps_decode_stream *stream) {
    stream->run.limit = stream->held.limit = SIZE_MAX;
}

void ps_decode_stream_release(struct ps_decode_stream *stream) {
    ps_buffer_release(&stream->run);
    ps_buffer_release(&stream->held);
    *stream = (struct ps_decode_stream){0};
}

enum ps_status ps_decode_stream_push(struct ps_decode_stream *stream,
                                     const struct ps_tokenizer *tokenizer, uint32_t id,
                                     bool skip_special, struct ps_buffer *text,
                                     struct ps_error *error) {
    struct decoding run = {tokenizer, stream, text, false};
    const struct ps_token *token = &tokenizer->tokens[id < tokenizer->token_count ? id : 0];
    if (id >= tokenizer->token_count || !token->bytes || (skip_special && token->skipped))
        return PS_OK;
    const char *bytes = token->bytes;
    size_t size = token->size;
    begin(stream);
    if (token->shown) return emit(&run, 0, token->shown, token->shown_size, error);
    if (!token->model || !tokenizer->byte_level) return emit(&run, 0, bytes, size, error);
    /* A byte-level name has been turned into bytes already; ByteLevel need not do it again. */
    if (tokenizer->decoders[0].kind == DECODE_BYTE_LEVEL) {
        stream->begun |= 1;
        PS_TRY(append(&stream->held, bytes, size, error));
        return tokenizer->fused_streams ? append_held(&run, false, error) : PS_OK;
    }
    struct ps_buffer name;
    ps_buffer_init(&name, SIZE_MAX);
    enum ps_status status = PS_OK;
    for (size_t i = 0; i < size && status == PS_OK; i++) {
        char character[4];
        size_t length = ps_byte_level_put((unsigned char)bytes[i], character);
        status = append(&name, character, length, error);
    }
    if (status == PS_OK) status = emit(&run, 0, name.data, name.size, error);
    ps_buffer_release(&name);
    return status;
}

enum ps_status ps_decode_stream_end(struct ps_decode_stream *stream,
                                    const struct ps_tokenizer *tokenizer, struct ps_buffer *text,
                                    struct ps_error *error) {
    struct decoding run = {tokenizer, stream, text, false};
    struct ps_buffer whole;
    enum ps_status status = PS_OK;
    begin(stream);
    ps_buffer_init(&whole, SIZE_MAX);
    for (size_t i = 0; i < tokenizer->fused && i < tokenizer->decoder_count; i++) {
        if (tokenizer->decoders[i].kind == DECODE_BYTE_FALLBACK)
            PS_TRY_DONE(end_run(&run, i, error));
        if (tokenizer->decoders[i].kind == DECODE_SUFFIX)
            PS_TRY_DONE(end_suffix(&run, i, true, error));
    }
    if (tokenizer->fused_streams) {
        PS_TRY_DONE(append_held(&run, true, error));
    } else {
        PS_TRY_DONE(append_valid(&whole, stream->held.data, stream->held.size, error));
        run.whole = true;
        PS_TRY_DONE(
            emit(&run, tokenizer->fused + 1, whole.data ? whole.data : "", whole.size, error));
    }
done:
    ps_buffer_release(&whole);
    ps_decode_stream_release(stream);
    return status;
}

enum ps_status ps_tokenizer_decode(const struct ps_tokenizer *tokenizer, const uint32_t *ids,
                                   size_t count, bool skip_special, struct ps_buffer *text,
                                   struct ps_error *error) {
    struct ps_decode_stream stream = {0};
    enum ps_status status = PS_OK;
    for (size_t i = 0; i < count && status == PS_OK; i++)
        status = ps_decode_stream_push(&stream, tokenizer, ids[i], skip_special, text, error);
    if (status == PS_OK) return ps_decode_stream_end(&stream, tokenizer, text, error);
    ps_decode_stream_release(&stream);
    return status;
}
