/* Pre-tokenizers: the steps that cut a text into pre-tokens, within which BPE merges.
 *
 * Each step cuts the pieces of the step before. A piece is on its own: look-ahead sees its end as
 * the end of the text, as in the `tokenizers` library. Supported are Split with behaviour Isolated
 * (matches and the gaps between them become pieces), Digits, ByteLevel (whose mapping of bytes to
 * characters is never carried out, see byte_level.c) and Sequences of them that end in ByteLevel.
 */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* ---- reading the description ---- */

static enum ps_status add_stage(struct ps_tokenizer *tokenizer, const char *pattern, size_t size,
                                bool prefix_blank, struct ps_error *error) {
    PS_FAIL_IF(tokenizer->stage_count == MAX_STAGES, error, PS_UNSUPPORTED,
               "more than %d pre-tokenizer steps", MAX_STAGES);
    struct ps_stage *stage = &tokenizer->stages[tokenizer->stage_count];
    *stage = (struct ps_stage){.prefix_blank = prefix_blank};
    if (pattern) PS_TRY(ps_regex_compile(pattern, size, &stage->regex, error));
    tokenizer->stage_count++;
    return PS_OK;
}

/* A string literal as a regex: everything that could mean something is escaped. */
static enum ps_status add_literal(struct ps_tokenizer *tokenizer, const char *text, size_t size,
                                  struct ps_error *error) {
    struct ps_buffer pattern;
    ps_buffer_init(&pattern, MAX_PATTERN_SIZE);
    bool fits = true;
    for (size_t i = 0; i < size && fits; i++) {
        if ((unsigned char)text[i] < 0x80)
            fits = ps_buffer_format(&pattern, "\\x{%x}", (unsigned)text[i]);
        else
            fits = ps_buffer_append(&pattern, text + i, 1);
    }
    enum ps_status status =
        !fits ? ps_error_set(error, PS_LIMIT, "a Split pattern that is too long")
              : add_stage(tokenizer, pattern.data ? pattern.data : "", pattern.size, false, error);
    ps_buffer_release(&pattern);
    return status;
}

static enum ps_status add_split(struct ps_tokenizer *tokenizer, const json_t *description,
                                struct ps_error *error) {
    const char *behavior = ps_json_text(description, "behavior");
    PS_FAIL_IF(strcmp(behavior, "Isolated") != 0, error, PS_UNSUPPORTED,
               "pre-tokenizer Split with behavior '%.40s'", behavior);
    const json_t *pattern = json_object_get(description, "pattern");
    const json_t *regex = json_object_get(pattern, "Regex");
    const json_t *literal = json_object_get(pattern, "String");
    PS_FAIL_IF(!json_is_string(regex) && !json_is_string(literal), error, PS_FORMAT,
               "pre-tokenizer Split has no pattern");
    if (!regex)
        return add_literal(tokenizer, json_string_value(literal), json_string_length(literal),
                           error);
    return add_stage(tokenizer, json_string_value(regex), json_string_length(regex), false, error);
}

/* *byte_level: a ByteLevel step has been seen, behind which nothing may come. */
static enum ps_status add_steps(struct ps_tokenizer *tokenizer, const json_t *description,
                                int depth, bool *byte_level, struct ps_error *error) {
    const char *type = ps_json_text(description, "type");
    PS_FAIL_IF(depth > MAX_NESTING, error, PS_UNSUPPORTED, "pre-tokenizers nested so deeply");
    if (strcmp(type, "Sequence") == 0) {
        size_t i;
        json_t *step;
        json_array_foreach(json_object_get(description, "pretokenizers"), i, step) {
            PS_TRY(add_steps(tokenizer, step, depth + 1, byte_level, error));
        }
        return PS_OK;
    }
    PS_FAIL_IF(*byte_level, error, PS_UNSUPPORTED, "a pre-tokenizer behind ByteLevel");
    if (strcmp(type, "Split") == 0) return add_split(tokenizer, description, error);
    if (strcmp(type, "Digits") == 0) {
        const json_t *each = json_object_get(description, "individual_digits");
        const char *pattern = json_is_true(each) ? "\\p{N}" : "\\p{N}+";
        return add_stage(tokenizer, pattern, strlen(pattern), false, error);
    }
    PS_FAIL_IF(strcmp(type, "ByteLevel") != 0, error, PS_UNSUPPORTED, "pre-tokenizer '%.40s'",
               type);
    *byte_level = true;
    if (json_is_true(json_object_get(description, "add_prefix_space")))
        PS_TRY(add_stage(tokenizer, NULL, 0, true, error));
    if (json_is_false(json_object_get(description, "use_regex"))) return PS_OK;
    return add_stage(tokenizer, gpt2_pattern, strlen(gpt2_pattern), false, error);
}

enum ps_status ps_load_pre_tokenizer(struct ps_tokenizer *tokenizer, const json_t *description,
                                     struct ps_error *error) {
    bool byte_level = false;
    if (json_is_object(description))
        PS_TRY(add_steps(tokenizer, description, 0, &byte_level, error));
    PS_FAIL_IF(!byte_level, error, PS_UNSUPPORTED,
               "a BPE model without a ByteLevel pre-tokenizer (SentencePiece style)");
    return PS_OK;
}

/* ---- cutting ---- */

static enum ps_status run_stage(const struct ps_tokenizer *tokenizer,
                                struct ps_workspace *workspace, size_t stage, const char *text,
                                size_t size, const struct ps_piece_sink *sink,
                                struct ps_error *error);

static enum ps_status run_with_blank(const struct ps_tokenizer *tokenizer,
                                     struct ps_workspace *workspace, size_t stage, const char *text,
                                     size_t size, const struct ps_piece_sink *sink,
                                     struct ps_error *error) {
    char *copy = ps_malloc(size + 1);
    PS_FAIL_IF_NULL(copy, error);
    copy[0] = ' ';
    memcpy(copy + 1, text, size);
    enum ps_status status = run_stage(tokenizer, workspace, stage, copy, size + 1, sink, error);
    ps_free(copy);
    return status;
}

/* The next match at or behind *from: [*start, *end), or *found false. Empty matches are stepped
 * over; what they would separate they do, as a piece begins behind every match. */
static enum ps_status next_match(const struct ps_stage *stage, struct ps_workspace *workspace,
                                 size_t index, const char *text, size_t size, size_t from,
                                 size_t *start, size_t *end, bool *found, struct ps_error *error) {
    pcre2_match_data *data = workspace->matches[index];
    int code = pcre2_match(stage->regex, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK, data,
                           workspace->context);
    *found = code >= 0;
    if (code == PCRE2_ERROR_NOMATCH) return PS_OK;
    PS_FAIL_IF(code == PCRE2_ERROR_NOMEMORY, error, PS_MEMORY, "out of memory");
    PS_FAIL_IF(code < 0, error, PS_LIMIT,
               "the tokenizer's regex takes too many steps at byte %zu of a text (PCRE2 error %d)",
               from, code);
    *start = pcre2_get_ovector_pointer(data)[0];
    *end = pcre2_get_ovector_pointer(data)[1];
    PS_FAIL_IF(*start < from || *end < *start, error, PS_UNSUPPORTED,
               "a regex whose match begins before its start");
    return PS_OK;
}

static enum ps_status run_stage(const struct ps_tokenizer *tokenizer,
                                struct ps_workspace *workspace, size_t index, const char *text,
                                size_t size, const struct ps_piece_sink *sink,
                                struct ps_error *error) {
    if (size == 0) return PS_OK;
    if (index == tokenizer->stage_count) return sink->take(sink->context, text, size, error);
    const struct ps_stage *stage = &tokenizer->stages[index];
    if (stage->prefix_blank && text[0] != ' ')
        return run_with_blank(tokenizer, workspace, index + 1, text, size, sink, error);
    if (!stage->regex) return run_stage(tokenizer, workspace, index + 1, text, size, sink, error);
    size_t done = 0; /* everything before it has been passed on */
    for (size_t from = 0; from < size;) {
        size_t start, end;
        bool found;
        PS_TRY(next_match(stage, workspace, index, text, size, from, &start, &end, &found, error));
        if (!found) break;
        PS_TRY(run_stage(tokenizer, workspace, index + 1, text + done, start - done, sink, error));
        PS_TRY(run_stage(tokenizer, workspace, index + 1, text + start, end - start, sink, error));
        done = from = end;
        if (start == end) do
                from++;
            while (from < size && ((unsigned char)text[from] & 0xC0) == 0x80);
    }
    return run_stage(tokenizer, workspace, index + 1, text + done, size - done, sink, error);
}

enum ps_status ps_pre_tokenize(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                               const char *text, size_t size, const struct ps_piece_sink *sink,
                               struct ps_error *error) {
    return run_stage(tokenizer, workspace, 0, text, size, sink, error);
}
