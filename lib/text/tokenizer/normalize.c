/* The normalizer: steps that rewrite a text before it is cut. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>
#include <utf8proc.h>

/* ---- reading the description ---- */

static enum ps_status load_step(struct ps_tokenizer *tokenizer, const json_t *description,
                                struct ps_normalizer *step, struct ps_error *error) {
    static const struct {
        const char *type;
        struct ps_normalizer step;
    } simple[] = {
        {"NFC", {.kind = NORMALIZE_UNICODE, .compose = true}},
        {"NFD", {.kind = NORMALIZE_UNICODE}},
        {"NFKC", {.kind = NORMALIZE_UNICODE, .compose = true, .compatible = true}},
        {"NFKD", {.kind = NORMALIZE_UNICODE, .compatible = true}},
        {"Lowercase", {.kind = NORMALIZE_LOWERCASE}},
        {"ByteLevel", {.kind = NORMALIZE_BYTE_LEVEL}},
    };
    const char *type = ps_json_text(description, "type");
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
        if (strcmp(type, simple[i].type) != 0) continue;
        *step = simple[i].step;
        return PS_OK;
    }
    if (strcmp(type, "Prepend") == 0) {
        step->kind = NORMALIZE_PREPEND;
        return ps_load_string(tokenizer, description, "prepend", "normalizer Prepend",
                              &step->content, &step->content_size, error);
    }
    if (strcmp(type, "Replace") == 0) {
        step->kind = NORMALIZE_REPLACE;
        PS_TRY(ps_load_pattern(tokenizer, json_object_get(description, "pattern"),
                               "normalizer Replace", &step->pattern, error));
        return ps_load_string(tokenizer, description, "content", "normalizer Replace",
                              &step->content, &step->content_size, error);
    }
    PS_FAIL_IF(strcmp(type, "Strip") != 0, error, PS_UNSUPPORTED, "normalizer '%.40s'", type);
    step->kind = NORMALIZE_STRIP;
    step->left = json_is_true(json_object_get(description, "strip_left"));
    step->right = json_is_true(json_object_get(description, "strip_right"));
    return PS_OK;
}

static enum ps_status load_steps(struct ps_tokenizer *tokenizer, const json_t *description,
                                 int depth, struct ps_error *error) {
    if (!json_is_object(description)) return PS_OK;
    PS_FAIL_IF(depth > MAX_NESTING, error, PS_UNSUPPORTED, "normalizers nested so deeply");
    if (strcmp(ps_json_text(description, "type"), "Sequence") != 0) {
        PS_FAIL_IF(tokenizer->normalizer_count == MAX_STAGES, error, PS_UNSUPPORTED,
                   "more than %d normalizer steps", MAX_STAGES);
        PS_TRY(load_step(tokenizer, description,
                         &tokenizer->normalizers[tokenizer->normalizer_count], error));
        tokenizer->normalizer_count++;
        return PS_OK;
    }
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(description, "normalizers"), i, step) {
        PS_TRY(load_steps(tokenizer, step, depth + 1, error));
    }
    return PS_OK;
}

enum ps_status ps_load_normalizer(struct ps_tokenizer *tokenizer, const json_t *description,
                                  struct ps_error *error) {
    return load_steps(tokenizer, description, 0, error);
}

/* ---- running it ---- */

/* Each character on its own, without the rules for its place in a word, as the library does. */
static bool append_lowercase(const char *text, size_t size, struct ps_buffer *out) {
    bool fits = true;
    for (size_t i = 0; i < size && fits;) {
        int32_t code_point;
        i += ps_utf8_next(text + i, size - i, &code_point, NULL);
        if (code_point == 0x130) { /* the one letter whose lower case is two characters */
            fits = ps_buffer_append(out, "i\xCC\x87", 3);
            continue;
        }
        char bytes[4];
        size_t length = ps_utf8_put(utf8proc_tolower(code_point), bytes);
        fits = ps_buffer_append(out, bytes, length);
    }
    return fits;
}

static bool append_byte_level(const char *text, size_t size, struct ps_buffer *out) {
    bool fits = true;
    for (size_t i = 0; i < size && fits; i++) {
        char bytes[4];
        size_t length = ps_byte_level_put((unsigned char)text[i], bytes);
        fits = ps_buffer_append(out, bytes, length);
    }
    return fits;
}

/* Unicode's White_Space, without a look at where in the text it is. */
static bool is_space(int32_t c) {
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

size_t ps_space_at_start(const char *text, size_t size) {
    for (size_t i = 0; i < size;) {
        int32_t code_point;
        size_t length = ps_utf8_next(text + i, size - i, &code_point, NULL);
        if (!is_space(code_point)) return i;
        i += length;
    }
    return size;
}

size_t ps_space_at_end(const char *text, size_t size) {
    size_t end = size;
    while (end > 0) {
        size_t i = end - 1;
        int32_t code_point;
        while (i > 0 && ((unsigned char)text[i] & 0xC0) == 0x80) i--;
        ps_utf8_next(text + i, end - i, &code_point, NULL);
        if (!is_space(code_point)) break;
        end = i;
    }
    return size - end;
}

/* Whether a Replace leaves the text's first byte where the text begins: what stands for a match
 * belongs to the last character of the match. */
static enum ps_status starts_at_start(const struct ps_tokenizer *tokenizer,
                                      struct ps_workspace *workspace,
                                      const struct ps_normalizer *step, const char *text,
                                      size_t size, bool *at_start, struct ps_error *error) {
    struct ps_matches matches = PS_MATCHES;
    bool found;
    int32_t code_point;
    if (!*at_start) return PS_OK;
    PS_TRY(
        ps_pattern_next(tokenizer, workspace, &step->pattern, text, size, &matches, &found, error));
    if (!found || matches.start > 0 || matches.end == 0) return PS_OK;
    size_t length = ps_utf8_next(text, size, &code_point, NULL);
    *at_start = step->content_size > 0 && matches.end == length;
    return PS_OK;
}

/* One step; *changed false: nothing was appended. */
static enum ps_status run_step(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                               const struct ps_normalizer *step, const char *text, size_t size,
                               struct ps_buffer *out, bool *changed, bool *at_start,
                               struct ps_error *error) {
    size_t left, right;
    bool fits = true;
    *changed = true;
    switch (step->kind) {
    case NORMALIZE_UNICODE:
        return ps_normalize_unicode(text, size, step->compose, step->compatible, out, changed,
                                    error);
    case NORMALIZE_REPLACE:
        PS_TRY(starts_at_start(tokenizer, workspace, step, text, size, at_start, error));
        return ps_pattern_replace(tokenizer, workspace, &step->pattern, step->content,
                                  step->content_size, text, size, out, error);
    case NORMALIZE_LOWERCASE: fits = append_lowercase(text, size, out); break;
    case NORMALIZE_BYTE_LEVEL: fits = append_byte_level(text, size, out); break;
    case NORMALIZE_PREPEND:
        fits = ps_buffer_append(out, step->content, step->content_size) &&
               ps_buffer_append(out, text, size);
        break;
    case NORMALIZE_STRIP:
        left = step->left ? ps_space_at_start(text, size) : 0;
        right = step->right ? ps_space_at_end(text + left, size - left) : 0;
        *at_start &= left == 0;
        fits = ps_buffer_append(out, text + left, size - left - right);
        break;
    }
    return fits ? PS_OK : ps_grown_too_long(out, error);
}

enum ps_status ps_normalize(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                            const char *text, size_t size, const char **normalized,
                            size_t *normalized_size, bool *at_start, struct ps_error *error) {
    for (size_t i = 0; i < tokenizer->normalizer_count && size > 0; i++) {
        struct ps_buffer *out = &workspace->normal[text == workspace->normal[0].data];
        bool changed;
        out->size = 0;
        PS_FAIL_IF(!ps_buffer_reserve(out, size + 1), error, PS_MEMORY, "out of memory");
        PS_TRY(run_step(tokenizer, workspace, &tokenizer->normalizers[i], text, size, out, &changed,
                        at_start, error));
        if (!changed) continue;
        text = out->data;
        size = out->size;
    }
    *normalized = text;
    *normalized_size = size;
    return PS_OK;
}
