/* Finding a pattern again and again, as Split and Replace do. A literal is looked for as bytes,
 * which in UTF-8 only match whole characters.
 *
 * Matches follow one another as in the `tokenizers` library: an empty match right behind the match
 * before it does not count.
 *
 * PCRE2 bounds the steps of one attempt at one place. A regex like (?=a*b)a takes that many at each
 * place, so PCRE2 is called for a window of places at a time, and the time of all calls together is
 * bounded too. */
#include "text/tokenizer/tokenizer_internal.h"

#include "base/progress.h"

#include <string.h>

enum ps_status ps_regex_add(struct ps_tokenizer *tokenizer, const char *pattern, size_t size,
                            size_t *index, struct ps_error *error) {
    PS_FAIL_IF(tokenizer->regex_count == MAX_REGEXES, error, PS_UNSUPPORTED, "more than %d regexes",
               MAX_REGEXES);
    *index = tokenizer->regex_count;
    PS_TRY(ps_regex_compile(pattern, size, &tokenizer->regexes[*index], error));
    tokenizer->regex_count++;
    return PS_OK;
}

enum { WINDOW = 1024, CALLS = 64 };

/* At the end of a window, and every few calls. A process that is stopped in between has not used
 * the time that went by. */
static enum ps_status check_time(struct ps_workspace *workspace, bool found,
                                 struct ps_error *error) {
    if (found && ++workspace->calls % CALLS) return PS_OK;
    double now = ps_seconds(), since = workspace->looked ? now - workspace->looked : 0;
    workspace->looked = now;
    workspace->spent += since < 0.5 ? since : 0.5;
    PS_FAIL_IF(workspace->spent > workspace->allowed, error, PS_LIMIT,
               "the tokenizer's regex takes more than %.0f s for this text", workspace->allowed);
    return PS_OK;
}

/* Where the next window begins: at a character. */
static size_t next_window(const char *text, size_t size, size_t from) {
    if (size - from < WINDOW) return size + 1;
    for (from += WINDOW; from < size && ((unsigned char)text[from] & 0xC0) == 0x80;) from++;
    return from;
}

/* Looks for a match that begins before `limit`. */
static enum ps_status run_regex(const struct ps_tokenizer *tokenizer,
                                struct ps_workspace *workspace, size_t regex, const char *text,
                                size_t size, size_t limit, struct ps_matches *matches, bool *found,
                                struct ps_error *error) {
    pcre2_match_data *data = workspace->matches[regex];
    pcre2_set_offset_limit(workspace->context, limit - 1);
    int code = pcre2_match(tokenizer->regexes[regex], (PCRE2_SPTR)text, size, matches->from,
                           PCRE2_NO_UTF_CHECK, data, workspace->context);
    *found = code >= 0;
    PS_TRY(check_time(workspace, *found, error));
    if (code == PCRE2_ERROR_NOMATCH) return PS_OK;
    PS_FAIL_IF(code == PCRE2_ERROR_NOMEMORY, error, PS_MEMORY, "out of memory");
    PS_FAIL_IF(code < 0, error, PS_LIMIT,
               "the tokenizer's regex takes too many steps at byte %zu of a text (PCRE2 error %d)",
               matches->from, code);
    matches->start = pcre2_get_ovector_pointer(data)[0];
    matches->end = pcre2_get_ovector_pointer(data)[1];
    PS_FAIL_IF(matches->start < matches->from || matches->end < matches->start, error,
               PS_UNSUPPORTED, "a regex whose match begins before its start");
    return PS_OK;
}

enum ps_status ps_pattern_next(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                               const struct ps_pattern *pattern, const char *text, size_t size,
                               struct ps_matches *matches, bool *found, struct ps_error *error) {
    *found = false;
    if (pattern->literal) {
        const char *at = pattern->size == 0 || size == 0 ? NULL
                         : pattern->size == 1
                             ? memchr(text + matches->from, *pattern->literal, size - matches->from)
                             : memmem(text + matches->from, size - matches->from, pattern->literal,
                                      pattern->size);
        if (!at) return PS_OK;
        *found = true;
        matches->start = (size_t)(at - text);
        matches->from = matches->end = matches->start + pattern->size;
        return PS_OK;
    }
    while (matches->from <= size) {
        size_t next = next_window(text, size, matches->from);
        PS_TRY(run_regex(tokenizer, workspace, pattern->regex, text, size, next, matches, found,
                         error));
        if (!*found) {
            matches->from = next;
            continue;
        }
        if (matches->start != matches->end || matches->end != matches->last_end) {
            matches->from = matches->last_end = matches->end;
            return PS_OK;
        }
        *found = false;
        do matches->from++;
        while (matches->from < size && ((unsigned char)text[matches->from] & 0xC0) == 0x80);
    }
    return PS_OK;
}

enum ps_status ps_pattern_replace(const struct ps_tokenizer *tokenizer,
                                  struct ps_workspace *workspace, const struct ps_pattern *pattern,
                                  const char *content, size_t content_size, const char *text,
                                  size_t size, struct ps_buffer *out, struct ps_error *error) {
    struct ps_matches matches = PS_MATCHES;
    size_t done = 0;
    bool found, fits = true;
    while (fits) {
        PS_TRY(ps_pattern_next(tokenizer, workspace, pattern, text, size, &matches, &found, error));
        if (!found) break;
        fits = ps_buffer_append(out, text + done, matches.start - done) &&
               ps_buffer_append(out, content, content_size);
        done = matches.end;
    }
    fits = fits && ps_buffer_append(out, text + done, size - done);
    return fits ? PS_OK : ps_grown_too_long(out, error);
}

enum ps_status ps_grown_too_long(const struct ps_buffer *out, struct ps_error *error) {
    return ps_error_set(error, out->size > out->limit / 4 ? PS_LIMIT : PS_MEMORY,
                        "out of memory, or the tokenizer makes the text more than %d times as long",
                        MAX_GROWTH);
}

enum ps_status ps_load_string(struct ps_tokenizer *tokenizer, const json_t *description,
                              const char *key, const char *what, const char **text, size_t *size,
                              struct ps_error *error) {
    const json_t *value = json_object_get(description, key);
    PS_FAIL_IF(!json_is_string(value), error, PS_FORMAT, "%s has no string '%s'", what, key);
    *size = json_string_length(value);
    PS_FAIL_IF(*size > MAX_PATTERN_SIZE, error, PS_LIMIT, "'%s' of %s is longer than %d bytes", key,
               what, MAX_PATTERN_SIZE);
    *text = ps_arena_strndup(&tokenizer->arena, json_string_value(value), *size);
    PS_FAIL_IF_NULL(*text, error);
    return PS_OK;
}

enum ps_status ps_load_pattern(struct ps_tokenizer *tokenizer, const json_t *description,
                               const char *what, struct ps_pattern *pattern,
                               struct ps_error *error) {
    const json_t *regex = json_object_get(description, "Regex");
    *pattern = (struct ps_pattern){0};
    if (json_is_string(regex))
        return ps_regex_add(tokenizer, json_string_value(regex), json_string_length(regex),
                            &pattern->regex, error);
    PS_FAIL_IF(!json_is_string(json_object_get(description, "String")), error, PS_FORMAT,
               "%s has no pattern", what);
    /* Nothing is found everywhere, as an empty regex is. */
    if (!*ps_json_text(description, "String"))
        return ps_regex_add(tokenizer, "", 0, &pattern->regex, error);
    return ps_load_string(tokenizer, description, "String", what, &pattern->literal, &pattern->size,
                          error);
}
