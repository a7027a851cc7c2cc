#pragma once
/* Memory: all allocations of the project go through these, so that a test can make the n-th fail.
 * Failure is NULL, never an abort. What the first block of functions hands out is given
 * back with ps_free; arenas and buffers have their own release. */

#include <stdbool.h>
#include <stddef.h>

void *ps_malloc(size_t size);
void *ps_calloc(size_t count, size_t size); /* zeroed; NULL when count * size overflows */
void *ps_realloc(void *pointer, size_t size);
void *ps_aligned_alloc(size_t alignment, size_t size); /* alignment: a power of two; not zeroed */
void ps_free(void *pointer);                           /* NULL is fine */
char *ps_strdup(const char *text);
char *ps_strndup(const char *text, size_t size); /* size bytes and a closing 0 */

/* Tests only: the n-th allocation from now on fails (1 = the next), 0 turns it off. */
void ps_memory_fail_at(size_t n);

/* Arena: what is parsed lives and dies together. Allocations are 16-byte aligned and zeroed. */
struct ps_arena {
    struct ps_arena_block *newest;
    size_t used, limit; /* bytes handed out, and the most that may be */
};

void ps_arena_init(struct ps_arena *arena, size_t limit);
void *ps_arena_alloc(struct ps_arena *arena, size_t size); /* NULL: no memory or over the limit */
void *ps_arena_array(struct ps_arena *arena, size_t count, size_t size);
char *ps_arena_strndup(struct ps_arena *arena, const char *text, size_t size);
char *ps_arena_format(struct ps_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ps_arena_release(struct ps_arena *arena); /* ready for reuse afterwards */

/* Buffer: growing bytes with a limit, always followed by a 0 that is not counted. */
struct ps_buffer {
    char *data;
    size_t size, capacity, limit;
};

void ps_buffer_init(struct ps_buffer *buffer, size_t limit);
void ps_buffer_release(struct ps_buffer *buffer);
/* All of these return false, and change nothing, when memory or the limit is exhausted. */
bool ps_buffer_reserve(struct ps_buffer *buffer, size_t more) __attribute__((warn_unused_result));
bool ps_buffer_append(struct ps_buffer *buffer, const void *data, size_t size)
    __attribute__((warn_unused_result));
bool ps_buffer_puts(struct ps_buffer *buffer, const char *text) __attribute__((warn_unused_result));
bool ps_buffer_format(struct ps_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));
