#include "pipelines/commands/texts.h"

#include "base/file.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 30 };

static enum ps_status add_text(struct ps_texts *texts, const char *text, size_t size,
                               struct ps_error *error) {
    if (texts->count == texts->capacity) {
        size_t capacity = texts->capacity * 2 + 1024;
        const char **items = ps_realloc(texts->items, capacity * sizeof *items);
        if (items) texts->items = items;
        size_t *sizes = ps_realloc(texts->sizes, capacity * sizeof *sizes);
        if (sizes) texts->sizes = sizes;
        PS_FAIL_IF_NULL(items && sizes, error);
        texts->capacity = capacity;
    }
    const char *copy = ps_arena_strndup(texts->arena, text, size);
    PS_FAIL_IF_NULL(copy, error);
    texts->sizes[texts->count] = size;
    texts->items[texts->count++] = copy;
    texts->bytes += size;
    return PS_OK;
}

/* Every member of a JSON line that is a string is a text. */
static enum ps_status add_json_line(struct ps_texts *texts, const char *path, size_t number,
                                    const char *line, size_t size, struct ps_error *error) {
    json_t *object, *value;
    const char *key;
    char place[4096];
    enum ps_status status = PS_OK;
    if (size == 0) return PS_OK;
    snprintf(place, sizeof place, "%s:%zu", path, number);
    PS_TRY(ps_json_parse(place, line, size, &object, error));
    json_object_foreach(object, key, value) {
        if (json_is_string(value) && status == PS_OK)
            status = add_text(texts, json_string_value(value), json_string_length(value), error);
    }
    json_decref(object);
    return status;
}

enum ps_status ps_texts_add_file(struct ps_texts *texts, const char *path, struct ps_error *error) {
    struct ps_buffer file;
    size_t length = strlen(path), number = 1;
    bool json = length >= 6 && strcmp(path + length - 6, ".jsonl") == 0;
    ps_buffer_init(&file, FILE_LIMIT);
    enum ps_status status = ps_file_read(path, &file, error);
    if (status != PS_OK) goto done;
    if (!json && !texts->lines) {
        status = add_text(texts, file.data ? file.data : "", file.size, error);
        goto done;
    }
    for (size_t begin = 0; begin < file.size; number++) {
        const char *line = file.data + begin;
        const char *newline = memchr(line, '\n', file.size - begin);
        size_t size = newline ? (size_t)(newline - line) : file.size - begin;
        PS_TRY_DONE(json ? add_json_line(texts, path, number, line, size, error)
                         : add_text(texts, line, size, error));
        begin += size + 1;
    }
done:
    ps_buffer_release(&file);
    return status;
}

void ps_texts_release(struct ps_texts *texts) {
    ps_free(texts->items);
    ps_free(texts->sizes);
}
