/* Pre-tokenizers: the steps that cut a text into pre-tokens, within which BPE merges.
 *
 * Each step cuts the pieces of the step before. A piece is on its own: look-ahead sees its end as
 * the end of the text, as in the `tokenizers` library. ByteLevel's mapping of bytes to characters
 * is only carried out where a step behind it (Falcon has some) looks at them (byte_level.c). */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* Word characters of the library's own regexes (Unicode's UTS #18) and what it calls punctuation.
 */
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}"
/* Punctuation of Unicode 8, which the library's table is of, and ASCII's symbols: what came later
 * is left out, and two characters that have changed since are put in. */
#define LATER_PUNCTUATION                                                                          \
    "\\x{61d}\\x{9fd}\\x{a76}\\x{c77}\\x{c84}\\x{1b7d}-\\x{1b7e}\\x{2e43}-\\x{2e4f}"               \
    "\\x{2e52}-\\x{2e5d}\\x{10ead}\\x{10f55}-\\x{10f59}\\x{10f86}-\\x{10f89}"                      \
    "\\x{1144b}-\\x{1144f}\\x{1145a}-\\x{1145b}\\x{1145d}\\x{11660}-\\x{1166c}\\x{116b9}"          \
    "\\x{1183b}\\x{11944}-\\x{11946}\\x{119e2}\\x{11a3f}-\\x{11a46}\\x{11a9a}-\\x{11a9c}"          \
    "\\x{11a9e}-\\x{11aa2}\\x{11c41}-\\x{11c45}\\x{11c70}-\\x{11c71}\\x{11ef7}-\\x{11ef8}"         \
    "\\x{11fff}\\x{12ff1}-\\x{12ff2}\\x{16e97}-\\x{16e9a}\\x{16fe2}\\x{1e95e}-\\x{1e95f}"
#define PUNCTUATION                                                                                \
    "(?:(?![" LATER_PUNCTUATION                                                                    \
    "])\\p{P}|[\\x{21}-\\x{2f}\\x{3a}-\\x{40}\\x{5b}-\\x{60}\\x{7b}-\\x{7e}\\x{166d}\\x{111c9}])"

const char ps_word_character[] = "[" WORD "]";

/* ---- reading the description ---- */

static enum ps_status add_stage(struct ps_tokenizer *tokenizer, struct ps_stage stage,
                                struct ps_error *error) {
    PS_FAIL_IF(tokenizer->stage_count == MAX_STAGES, error, PS_UNSUPPORTED,
               "more than %d pre-tokenizer steps", MAX_STAGES);
    tokenizer->stages[tokenizer->stage_count++] = stage;
    return PS_OK;
}

static enum ps_status add_regex(struct ps_tokenizer *tokenizer, const char *pattern,
                                struct ps_stage stage, struct ps_error *error) {
    PS_TRY(ps_regex_add(tokenizer, pattern, strlen(pattern), &stage.pattern.regex, error));
    return add_stage(tokenizer, stage, error);
}

static enum ps_status read_behavior(const json_t *description, const char *type,
                                    struct ps_stage *stage, struct ps_error *error) {
    static const char *const names[] = {"Isolated", "Removed", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const char *behavior = ps_json_text(description, "behavior");
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(behavior, names[i]) != 0) continue;
        stage->behavior = i;
        return PS_OK;
    }
    return ps_error_set(error, PS_UNSUPPORTED, "pre-tokenizer %s with behavior '%.40s'", type,
                        behavior);
}

static enum ps_status add_split(struct ps_tokenizer *tokenizer, const json_t *description,
                                struct ps_error *error) {
    struct ps_stage stage = {.kind = STAGE_SPLIT};
    PS_TRY(read_behavior(description, "Split", &stage, error));
    stage.invert = json_is_true(json_object_get(description, "invert"));
    PS_TRY(ps_load_pattern(tokenizer, json_object_get(description, "pattern"),
                           "pre-tokenizer Split", &stage.pattern, error));
    return add_stage(tokenizer, stage, error);
}

/* description[key] as the one character that it must be. */
static enum ps_status load_character(struct ps_tokenizer *tokenizer, const json_t *description,
                                     const char *key, const char *what, const char **text,
                                     size_t *size, struct ps_error *error) {
    int32_t code_point;
    PS_TRY(ps_load_string(tokenizer, description, key, what, text, size, error));
    PS_FAIL_IF(*size == 0 || ps_utf8_next(*text, *size, &code_point, NULL) != *size, error,
               PS_FORMAT, "'%s' of %s is not one character", key, what);
    return PS_OK;
}

enum ps_status ps_load_metaspace(struct ps_tokenizer *tokenizer, const json_t *description,
                                 struct ps_stage *stage, struct ps_error *error) {
    static const char *const schemes[] = {"first", "always", "never"};
    const json_t *scheme = json_object_get(description, "prepend_scheme");
    const json_t *prefix = json_object_get(description, "add_prefix_space");
    *stage = (struct ps_stage){.kind = STAGE_METASPACE, .scheme = PREPEND_ALWAYS};
    if (scheme) {
        const char *name = ps_json_text(description, "prepend_scheme");
        unsigned i = 0;
        while (i < 3 && strcmp(name, schemes[i]) != 0) i++;
        PS_FAIL_IF(i == 3, error, PS_FORMAT, "Metaspace with prepend_scheme '%.40s'", name);
        stage->scheme = i;
    }
    PS_FAIL_IF(json_is_false(prefix) && stage->scheme != PREPEND_NEVER, error, PS_FORMAT,
               "Metaspace with add_prefix_space false and another prepend_scheme than 'never'");
    return load_character(tokenizer, description, "replacement", "Metaspace", &stage->mark,
                          &stage->mark_size, error);
}

static enum ps_status add_metaspace(struct ps_tokenizer *tokenizer, const json_t *description,
                                    struct ps_error *error) {
    struct ps_stage stage;
    PS_TRY(ps_load_metaspace(tokenizer, description, &stage, error));
    PS_TRY(add_stage(tokenizer, stage, error));
    if (json_is_false(json_object_get(description, "split"))) return PS_OK;
    struct ps_pattern mark = {.literal = stage.mark, .size = stage.mark_size};
    stage = (struct ps_stage){.pattern = mark, .behavior = MERGED_WITH_NEXT};
    return add_stage(tokenizer, stage, error);
}

static enum ps_status add_byte_level(struct ps_tokenizer *tokenizer, const json_t *description,
                                     struct ps_error *error) {
    tokenizer->byte_level = true;
    if (json_is_true(json_object_get(description, "add_prefix_space")))
        PS_TRY(add_stage(tokenizer, (struct ps_stage){.kind = STAGE_BLANK}, error));
    if (json_is_false(json_object_get(description, "use_regex"))) return PS_OK;
    return add_regex(tokenizer, gpt2_pattern, (struct ps_stage){0}, error);
}

static enum ps_status add_step(struct ps_tokenizer *tokenizer, const json_t *description,
                               struct ps_error *error) {
    const struct ps_stage isolated = {0}, removed = {.behavior = REMOVED};
    const char *type = ps_json_text(description, "type");
    if (strcmp(type, "Split") == 0) return add_split(tokenizer, description, error);
    if (strcmp(type, "ByteLevel") == 0) return add_byte_level(tokenizer, description, error);
    if (strcmp(type, "Metaspace") == 0) return add_metaspace(tokenizer, description, error);
    if (strcmp(type, "Digits") == 0) {
        bool each = json_is_true(json_object_get(description, "individual_digits"));
        return add_regex(tokenizer, each ? "\\p{N}" : "\\p{N}+", isolated, error);
    }
    if (strcmp(type, "WhitespaceSplit") == 0) return add_regex(tokenizer, "\\s", removed, error);
    if (strcmp(type, "Whitespace") == 0)
        return add_regex(tokenizer, "[" WORD "]+|[^\\s" WORD "]+",
                         (struct ps_stage){.behavior = REMOVED, .invert = true}, error);
    if (strcmp(type, "Punctuation") == 0) {
        struct ps_stage stage = {0};
        if (json_object_get(description, "behavior"))
            PS_TRY(read_behavior(description, type, &stage, error));
        return add_regex(tokenizer, PUNCTUATION, stage, error);
    }
    if (strcmp(type, "BertPreTokenizer") == 0) {
        PS_TRY(add_regex(tokenizer, "\\s", removed, error));
        return add_regex(tokenizer, PUNCTUATION, isolated, error);
    }
    PS_FAIL_IF(strcmp(type, "CharDelimiterSplit") != 0, error, PS_UNSUPPORTED,
               "pre-tokenizer '%.40s'", type);
    struct ps_stage stage = removed;
    PS_TRY(load_character(tokenizer, description, "delimiter", type, &stage.pattern.literal,
                          &stage.pattern.size, error));
    return add_stage(tokenizer, stage, error);
}

/* A step that sees the names of bytes; one that would change them is refused. */
static enum ps_status add_behind_bytes(struct ps_tokenizer *tokenizer, const json_t *description,
                                       struct ps_error *error) {
    const char *type = ps_json_text(description, "type");
    if (!tokenizer->byte_names)
        PS_TRY(add_stage(tokenizer, (struct ps_stage){.kind = STAGE_BYTE_NAMES}, error));
    tokenizer->byte_names = true;
    size_t i = tokenizer->stage_count;
    PS_TRY(add_step(tokenizer, description, error));
    while (i < tokenizer->stage_count && tokenizer->stages[i].kind == STAGE_SPLIT) i++;
    PS_FAIL_IF(i < tokenizer->stage_count || strcmp(type, "ByteLevel") == 0, error, PS_UNSUPPORTED,
               "pre-tokenizer %s behind ByteLevel", type);
    return PS_OK;
}

static enum ps_status add_steps(struct ps_tokenizer *tokenizer, const json_t *description,
                                int depth, struct ps_error *error) {
    PS_FAIL_IF(depth > MAX_NESTING, error, PS_UNSUPPORTED, "pre-tokenizers nested so deeply");
    if (strcmp(ps_json_text(description, "type"), "Sequence") != 0) {
        return tokenizer->byte_level ? add_behind_bytes(tokenizer, description, error)
                                     : add_step(tokenizer, description, error);
    }
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(description, "pretokenizers"), i, step) {
        PS_TRY(add_steps(tokenizer, step, depth + 1, error));
    }
    return PS_OK;
}

enum ps_status ps_load_pre_tokenizer(struct ps_tokenizer *tokenizer, const json_t *description,
                                     struct ps_error *error) {
    return json_is_object(description) ? add_steps(tokenizer, description, 0, error) : PS_OK;
}
