#include "base/json.h"

#include "base/stop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { READ_BLOCK = 256 << 10, WAIT_MILLISECONDS = 500 };

/* A wait for the other end of a pipe, perhaps for ever, ends when asked to stop. */
static enum ps_status wait_for_input(int descriptor, struct ps_error *error) {
    struct pollfd input = {.fd = descriptor, .events = POLLIN};
    int ready;
    while ((ready = poll(&input, 1, WAIT_MILLISECONDS)) == 0 || (ready < 0 && errno == EINTR))
        PS_TRY(ps_stop_check(error));
    return PS_OK;
}

static enum ps_status read_descriptor(void *context, char *data, size_t room, size_t *got,
                                      struct ps_error *error) {
    const struct ps_json_lines *lines = context;
    for (;;) {
        PS_TRY(wait_for_input(lines->descriptor, error));
        ssize_t count = read(lines->descriptor, data, room);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return ps_error_errno(error, errno, "%s", lines->name);
        *got = (size_t)count;
        return PS_OK;
    }
}

void ps_json_lines_open_function(struct ps_json_lines *lines, const char *name,
                                 ps_read_function *read, void *context, size_t line_limit) {
    *lines = (struct ps_json_lines){.name = name, .read = read, .context = context};
    ps_buffer_init(&lines->buffer, line_limit + READ_BLOCK);
}

void ps_json_lines_open(struct ps_json_lines *lines, const char *name, int descriptor,
                        size_t line_limit) {
    ps_json_lines_open_function(lines, name, read_descriptor, lines, line_limit);
    lines->descriptor = descriptor;
}

void ps_json_lines_close(struct ps_json_lines *lines) {
    ps_buffer_release(&lines->buffer);
}

/* Reads one more block behind what is kept; what was handed out is dropped first. */
static enum ps_status fill(struct ps_json_lines *lines, struct ps_error *error) {
    struct ps_buffer *buffer = &lines->buffer;
    if (lines->start > 0) {
        memmove(buffer->data, buffer->data + lines->start, buffer->size - lines->start);
        buffer->size -= lines->start;
        lines->scanned -= lines->start;
        lines->start = 0;
    }
    PS_FAIL_IF(!ps_buffer_reserve(buffer, READ_BLOCK), error, PS_MEMORY, "%s:%zu: out of memory",
               lines->name, lines->line + 1);
    size_t got = 0;
    PS_TRY(lines->read(lines->context, buffer->data + buffer->size, READ_BLOCK, &got, error));
    lines->ended = got == 0;
    buffer->size += got;
    buffer->data[buffer->size] = 0;
    return PS_OK;
}

static bool blank(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!strchr(" \t\r", text[i]) || !text[i]) return false;
    return true;
}

enum ps_status ps_json_lines_text(struct ps_json_lines *lines, const char **text, size_t *size,
                                  struct ps_error *error) {
    struct ps_buffer *buffer = &lines->buffer;
    size_t limit = buffer->limit - READ_BLOCK;
    *text = NULL;
    *size = 0;
    for (;;) {
        size_t rest = buffer->size - lines->scanned;
        const char *end = rest ? memchr(buffer->data + lines->scanned, '\n', rest) : NULL;
        size_t length = (end ? (size_t)(end - buffer->data) : buffer->size) - lines->start;
        if (!end && lines->ended && (length == 0 || lines->skipping)) return PS_OK;
        if (length > limit && !lines->skipping) {
            lines->skipping = true;
            lines->scanned = lines->start;
            return ps_error_set(error, PS_LIMIT, "%s:%zu: line of more than %zu bytes", lines->name,
                                lines->line + 1, limit);
        }
        if (!end && !lines->ended) {
            lines->scanned = buffer->size;
            if (lines->skipping) lines->start = buffer->size;
            PS_TRY(fill(lines, error));
            continue;
        }
        const char *start = buffer->data + lines->start;
        lines->start = lines->scanned = lines->start + length + (end ? 1 : 0);
        lines->line++;
        bool skipped = lines->skipping;
        lines->skipping = false;
        if (skipped || blank(start, length)) continue;
        *text = start;
        *size = length;
        return PS_OK;
    }
}

bool ps_json_lines_ready(const struct ps_json_lines *lines) {
    size_t rest = lines->buffer.size - lines->scanned;
    if (lines->skipping || rest == 0) return false;
    const char *line = lines->buffer.data + lines->start;
    const char *end = memchr(lines->buffer.data + lines->scanned, '\n', rest);
    return end && !blank(line, (size_t)(end - line)); /* a blank one would not be the next */
}

enum ps_status ps_json_lines_next(struct ps_json_lines *lines, json_t **value,
                                  struct ps_error *error) {
    const char *text;
    size_t size;
    *value = NULL;
    PS_TRY(ps_json_lines_text(lines, &text, &size, error));
    if (!text) return PS_OK;
    return ps_json_parse_line(lines->name, lines->line, text, size, value, error);
}
