/* Budget forcing in words: what bounds on a thought are called, known by, and made of. */
#include "teacher/teacher.h"

#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char open_tag[] = "<think>", close_tag[] = "</think>";

/* ---- what is written ---- */

static bool read_count(const char **text, int64_t *value) {
    char *end;
    errno = 0;
    if (**text < '0' || **text > '9') return false;
    long long number = strtoll(*text, &end, 10);
    *text = end;
    *value = number;
    return !errno && number <= PS_SAMPLE_MOST_THINKING;
}

bool ps_sample_thinking_read(const char *text, struct ps_sample_thinking *thinking) {
    int64_t first, second;
    thinking->most = -1;
    thinking->least = 0;
    if (strcmp(text, "none") == 0) return true;
    if (!read_count(&text, &first)) return false;
    if (*text == 0) return thinking->most = first, true;
    if (*text++ != '-') return false;
    thinking->least = first;
    if (*text == 0) return first > 0;
    if (!read_count(&text, &second) || *text) return false;
    thinking->most = second;
    return first <= second;
}

/* ---- what it is known by ---- */

bool ps_sample_thinking_bounds(const struct ps_sample_thinking *thinking) {
    return thinking && (thinking->most >= 0 || (thinking->least > 0 && thinking->waits > 0));
}

void ps_sample_thinking_write(const struct ps_sample_thinking *thinking,
                              struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    if (thinking->most >= 0) {
        ps_json_put_integer(writer, "most", thinking->most);
        ps_json_put_string(writer, "end", thinking->end);
    }
    if (thinking->least > 0 && thinking->waits > 0) {
        ps_json_put_integer(writer, "least", thinking->least);
        ps_json_put_integer(writer, "waits", thinking->waits);
        ps_json_put_string(writer, "wait", thinking->wait);
    }
    ps_json_write_end_object(writer);
}

/* ---- what it is made of ---- */

static enum ps_status find_tag(const struct ps_tokenizer *tokenizer, const char *tag, int32_t *id,
                               struct ps_error *error) {
    int64_t found = ps_tokenizer_find(tokenizer, tag, strlen(tag));
    PS_FAIL_IF(found < 0, error, PS_ARGUMENT,
               "the tokenizer has no token %s: a thinking budget is for models that think between "
               "<think> and </think>",
               tag);
    *id = (int32_t)found;
    return PS_OK;
}

/* Encodes a text that may have `tags` times </think>, and no other control token. */
static enum ps_status encode(const struct ps_tokenizer *tokenizer, const char *key,
                             const char *text, const struct ps_generate_thinking *bounds,
                             size_t tags, struct ps_token_ids *ids, struct ps_error *error) {
    PS_TRY(ps_tokenizer_encode(tokenizer, text, strlen(text), 0, ids, error));
    size_t closes = 0;
    for (size_t i = 0; i < ids->size; i++) {
        bool close = (int32_t)ids->data[i] == bounds->close;
        closes += close;
        PS_FAIL_IF((int32_t)ids->data[i] == bounds->open ||
                       (!close && ps_tokenizer_is_special(tokenizer, ids->data[i])),
                   error, PS_ARGUMENT, "%s: '%s' has a control token other than </think>", key,
                   text);
    }
    PS_FAIL_IF(ids->size == 0, error, PS_ARGUMENT, "%s: the text has no tokens", key);
    PS_FAIL_IF(closes != tags, error, PS_ARGUMENT,
               tags ? "%s: '%s' must have </think> once" : "%s: '%s' must not have </think>", key,
               text);
    return PS_OK;
}

static enum ps_status keep_ids(const struct ps_tokenizer *tokenizer, const char *key,
                               const char *text, size_t tags, struct ps_arena *arena,
                               const struct ps_generate_thinking *bounds, const int32_t **kept,
                               size_t *count, struct ps_error *error) {
    struct ps_token_ids ids = {0};
    enum ps_status status = encode(tokenizer, key, text, bounds, tags, &ids, error);
    int32_t *copy = NULL;
    if (status == PS_OK) {
        copy = ps_arena_array(arena, ids.size, sizeof *copy);
        if (!copy) status = ps_error_set(error, PS_MEMORY, "out of memory");
    }
    if (copy) memcpy(copy, ids.data, ids.size * sizeof *copy);
    *kept = copy;
    *count = ids.size;
    ps_token_ids_release(&ids);
    return status;
}

enum ps_status ps_sample_thinking_encode(const struct ps_sample_thinking *thinking,
                                         const struct ps_tokenizer *tokenizer,
                                         struct ps_arena *arena,
                                         struct ps_generate_thinking *bounds,
                                         struct ps_error *error) {
    *bounds = (struct ps_generate_thinking){
        .most = thinking->most, .least = thinking->least, .waits = thinking->waits};
    PS_TRY(find_tag(tokenizer, open_tag, &bounds->open, error));
    PS_TRY(find_tag(tokenizer, close_tag, &bounds->close, error));
    if (thinking->most >= 0)
        PS_TRY(keep_ids(tokenizer, "thinking_end", thinking->end, 1, arena, bounds, &bounds->end,
                        &bounds->end_count, error));
    if (thinking->least > 0 && thinking->waits > 0)
        PS_TRY(keep_ids(tokenizer, "thinking_wait", thinking->wait, 0, arena, bounds, &bounds->wait,
                        &bounds->wait_count, error));
    else
        bounds->waits = 0;
    return PS_OK;
}
