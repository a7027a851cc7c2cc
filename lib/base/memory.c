#include "base/memory.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t fail_countdown;

void ps_memory_fail_at(size_t n) {
    fail_countdown = n;
}

static bool injected_failure(void) {
    return fail_countdown && --fail_countdown == 0;
}

void *ps_malloc(size_t size) {
    return injected_failure() ? NULL : malloc(size ? size : 1);
}

void *ps_calloc(size_t count, size_t size) {
    return injected_failure() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *ps_realloc(void *pointer, size_t size) {
    return injected_failure() ? NULL : realloc(pointer, size ? size : 1);
}

void *ps_aligned_alloc(size_t alignment, size_t size) {
    if (injected_failure() || size > SIZE_MAX - alignment) return NULL;
    return aligned_alloc(alignment, (size + alignment) & ~(alignment - 1));
}

void ps_free(void *pointer) {
    free(pointer);
}

char *ps_strndup(const char *text, size_t size) {
    char *copy = ps_malloc(size + 1);
    if (!copy) return NULL;
    memcpy(copy, text, size);
    copy[size] = 0;
    return copy;
}

char *ps_strdup(const char *text) {
    return ps_strndup(text, strlen(text));
}

/* ---- arena ---- */

enum { ARENA_BLOCK = 64 << 10, ARENA_ALIGNMENT = 16 };

struct ps_arena_block {
    struct ps_arena_block *older;
    size_t used, capacity;
    _Alignas(ARENA_ALIGNMENT) char data[];
};

void ps_arena_init(struct ps_arena *arena, size_t limit) {
    *arena = (struct ps_arena){.limit = limit};
}

void *ps_arena_alloc(struct ps_arena *arena, size_t size) {
    if (size > arena->limit - arena->used || size > PTRDIFF_MAX) return NULL;
    size_t rounded = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    struct ps_arena_block *block = arena->newest;
    if (!block || rounded > block->capacity - block->used) {
        size_t capacity = rounded > ARENA_BLOCK ? rounded : ARENA_BLOCK;
        block = ps_calloc(1, sizeof *block + capacity);
        if (!block) return NULL;
        *block = (struct ps_arena_block){.older = arena->newest, .capacity = capacity};
        arena->newest = block;
    }
    void *result = block->data + block->used;
    block->used += rounded;
    arena->used += size;
    return result;
}

void *ps_arena_array(struct ps_arena *arena, size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : ps_arena_alloc(arena, bytes);
}

char *ps_arena_strndup(struct ps_arena *arena, const char *text, size_t size) {
    if (size == SIZE_MAX) return NULL;
    char *copy = ps_arena_alloc(arena, size + 1);
    if (copy) memcpy(copy, text, size);
    return copy;
}

char *ps_arena_format(struct ps_arena *arena, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    char *text = size < 0 ? NULL : ps_arena_alloc(arena, (size_t)size + 1);
    if (text) vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

void ps_arena_release(struct ps_arena *arena) {
    for (struct ps_arena_block *block = arena->newest; block;) {
        struct ps_arena_block *older = block->older;
        ps_free(block);
        block = older;
    }
    arena->newest = NULL;
    arena->used = 0;
}

/* ---- buffer ---- */

void ps_buffer_init(struct ps_buffer *buffer, size_t limit) {
    *buffer = (struct ps_buffer){.limit = limit};
}

void ps_buffer_release(struct ps_buffer *buffer) {
    ps_free(buffer->data);
    ps_buffer_init(buffer, buffer->limit);
}

bool ps_buffer_reserve(struct ps_buffer *buffer, size_t more) {
    if (buffer->size > buffer->limit || more > buffer->limit - buffer->size) return false;
    size_t needed = buffer->size + more;
    if (buffer->data && needed < buffer->capacity) return true;
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity <= needed) {
        if (capacity > SIZE_MAX / 2) return false;
        capacity *= 2;
    }
    char *data = ps_realloc(buffer->data, capacity);
    if (!data) return false;
    buffer->data = data;
    buffer->capacity = capacity;
    data[buffer->size] = 0;
    return true;
}

bool ps_buffer_append(struct ps_buffer *buffer, const void *data, size_t size) {
    if (!ps_buffer_reserve(buffer, size)) return false;
    if (size) memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = 0;
    return true;
}

bool ps_buffer_puts(struct ps_buffer *buffer, const char *text) {
    return ps_buffer_append(buffer, text, strlen(text));
}

bool ps_buffer_format(struct ps_buffer *buffer, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    bool fits = size >= 0 && ps_buffer_reserve(buffer, (size_t)size);
    if (fits) {
        vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
    va_end(arguments);
    return fits;
}
