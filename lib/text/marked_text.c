/* Lists of ids, and text that knows which of its bytes are data. */
#include "text/text_internal.h"

#include <string.h>

/* ---- ids ---- */

enum ps_status ps_token_ids_append(struct ps_token_ids *ids, const uint32_t *more, size_t count,
                                   struct ps_error *error) {
    if (count > ids->capacity - ids->size) {
        PS_FAIL_IF(count > SIZE_MAX / 16 - ids->capacity, error, PS_LIMIT, "too many tokens");
        size_t capacity = ids->capacity * 2 + count + 16;
        uint32_t *data = ps_realloc(ids->data, capacity * sizeof *data);
        PS_FAIL_IF_NULL(data, error);
        ids->data = data;
        ids->capacity = capacity;
    }
    if (count) memcpy(ids->data + ids->size, more, count * sizeof *more);
    ids->size += count;
    return PS_OK;
}

void ps_token_ids_release(struct ps_token_ids *ids) {
    ps_free(ids->data);
    *ids = (struct ps_token_ids){0};
}

/* ---- marked text ---- */

void ps_marked_text_init(struct ps_marked_text *marked) {
    *marked = (struct ps_marked_text){0};
    ps_buffer_init(&marked->text, MAX_TEXT_SIZE);
}

void ps_marked_text_release(struct ps_marked_text *marked) {
    ps_buffer_release(&marked->text);
    ps_free(marked->spans);
    ps_marked_text_init(marked);
}

enum ps_status ps_marked_text_append(struct ps_marked_text *marked, const char *text, size_t size,
                                     bool data, struct ps_error *error) {
    if (size == 0) return PS_OK;
    bool same = marked->span_count > 0 && marked->spans[marked->span_count - 1].data == data;
    if (!same && marked->span_count == marked->span_capacity) {
        size_t capacity = marked->span_capacity * 2 + 8;
        struct ps_marked_span *spans = ps_realloc(marked->spans, capacity * sizeof *spans);
        PS_FAIL_IF_NULL(spans, error);
        marked->spans = spans;
        marked->span_capacity = capacity;
    }
    PS_FAIL_IF(size > marked->text.limit - marked->text.size, error, PS_LIMIT,
               "a text of more than %d bytes", MAX_TEXT_SIZE);
    PS_FAIL_IF(!ps_utf8_append_valid(&marked->text, text, size), error, PS_MEMORY, "out of memory");
    if (!same) marked->spans[marked->span_count++].data = data;
    marked->spans[marked->span_count - 1].end = marked->text.size;
    return PS_OK;
}

enum ps_status ps_marked_text_append_all(struct ps_marked_text *text,
                                         const struct ps_marked_text *more,
                                         struct ps_error *error) {
    size_t begin = 0;
    for (size_t i = 0; i < more->span_count; begin = more->spans[i++].end)
        PS_TRY(ps_marked_text_append(text, more->text.data + begin, more->spans[i].end - begin,
                                     more->spans[i].data, error));
    return PS_OK;
}
