/* Reading the decoder of a tokenizer.json; decode.c runs it. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

static enum ps_status load_strip(struct ps_tokenizer *tokenizer, const json_t *description,
                                 struct ps_decoder *step, struct ps_error *error) {
    const json_t *start = json_object_get(description, "start");
    const json_t *stop = json_object_get(description, "stop");
    int32_t code_point;
    PS_TRY(ps_load_string(tokenizer, description, "content", "decoder Strip", &step->content,
                          &step->content_size, error));
    bool fits =
        step->content_size > 0 &&
        ps_utf8_next(step->content, step->content_size, &code_point, NULL) == step->content_size &&
        json_integer_value(start) >= 0 && json_integer_value(stop) >= 0;
    PS_FAIL_IF(!fits, error, PS_FORMAT,
               "decoder Strip needs one character and two counts that are not negative");
    step->kind = DECODE_STRIP;
    step->start = (size_t)json_integer_value(start);
    step->stop = (size_t)json_integer_value(stop);
    return PS_OK;
}

static enum ps_status load_step(struct ps_tokenizer *tokenizer, const json_t *description,
                                struct ps_decoder *step, struct ps_error *error) {
    const char *type = ps_json_text(description, "type");
    if (strcmp(type, "Strip") == 0) return load_strip(tokenizer, description, step, error);
    if (strcmp(type, "Replace") == 0) {
        step->kind = DECODE_REPLACE;
        PS_TRY(ps_load_pattern(tokenizer, json_object_get(description, "pattern"),
                               "decoder Replace", &step->pattern, error));
        return ps_load_string(tokenizer, description, "content", "decoder Replace", &step->content,
                              &step->content_size, error);
    }
    if (strcmp(type, "Metaspace") == 0) {
        struct ps_stage stage;
        PS_TRY(ps_load_metaspace(tokenizer, description, &stage, error));
        step->kind = DECODE_METASPACE;
        step->content = stage.mark;
        step->content_size = stage.mark_size;
        step->keep_first = stage.scheme == PREPEND_NEVER;
        return PS_OK;
    }
    if (strcmp(type, "BPEDecoder") == 0) {
        step->kind = DECODE_SUFFIX;
        return ps_load_string(tokenizer, description, "suffix", type, &step->pattern.literal,
                              &step->pattern.size, error);
    }
    if (strcmp(type, "ByteLevel") == 0)
        step->kind = DECODE_BYTE_LEVEL;
    else if (strcmp(type, "ByteFallback") == 0)
        step->kind = DECODE_BYTE_FALLBACK;
    else if (strcmp(type, "Fuse") == 0)
        step->kind = DECODE_FUSE;
    else
        return ps_error_set(error, PS_UNSUPPORTED, "decoder '%.40s'", type);
    return PS_OK;
}

static enum ps_status load_steps(struct ps_tokenizer *tokenizer, const json_t *description,
                                 int depth, struct ps_error *error) {
    PS_FAIL_IF(depth > MAX_NESTING, error, PS_UNSUPPORTED, "decoders nested so deeply");
    if (strcmp(ps_json_text(description, "type"), "Sequence") != 0) {
        PS_FAIL_IF(tokenizer->decoder_count == MAX_STAGES, error, PS_UNSUPPORTED,
                   "more than %d decoder steps", MAX_STAGES);
        PS_TRY(load_step(tokenizer, description, &tokenizer->decoders[tokenizer->decoder_count],
                         error));
        tokenizer->decoder_count++;
        return PS_OK;
    }
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(description, "decoders"), i, step) {
        PS_TRY(load_steps(tokenizer, step, depth + 1, error));
    }
    return PS_OK;
}

/* Finds the step that fuses and whether what follows it is at most one Strip at the start. Two
 * steps that hold pieces back before it would need two places to hold them. */
static enum ps_status plan_stream(struct ps_tokenizer *tokenizer, struct ps_error *error) {
    size_t i = 0, holding = 0, strips = 0;
    for (; i < tokenizer->decoder_count; i++) {
        int kind = tokenizer->decoders[i].kind;
        if (kind == DECODE_FUSE || kind == DECODE_BYTE_LEVEL) break;
        holding += kind == DECODE_BYTE_FALLBACK || kind == DECODE_SUFFIX;
    }
    PS_FAIL_IF(holding > 1, error, PS_UNSUPPORTED, "two decoders ByteFallback or BPEDecoder");
    tokenizer->fused = i;
    tokenizer->fused_streams = true;
    for (i++; i < tokenizer->decoder_count; i++) {
        const struct ps_decoder *step = &tokenizer->decoders[i];
        strips += step->kind == DECODE_STRIP;
        tokenizer->fused_streams &=
            step->kind == DECODE_FUSE || (step->kind == DECODE_STRIP && step->stop == 0);
    }
    tokenizer->fused_streams &= strips <= 1;
    return PS_OK;
}

enum ps_status ps_load_decoder(struct ps_tokenizer *tokenizer, const json_t *description,
                               struct ps_error *error) {
    if (json_is_object(description))
        PS_TRY(load_steps(tokenizer, description, 0, error));
    else
        tokenizer->decoders[tokenizer->decoder_count++].kind = DECODE_JOIN;
    return plan_stream(tokenizer, error);
}
