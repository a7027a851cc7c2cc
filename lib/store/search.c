/* Text search: a function of our own in SQL, so that a filter's other conditions narrow down what
 * must be unpacked, and lists, totals and deletions search alike. */

#include "query_internal.h"

#include <string.h>

static unsigned char lower(unsigned char c) {
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* ASCII letters match either case; all other bytes themselves. */
static bool contains(const char *text, size_t size, const char *wanted, size_t wanted_size) {
    if (wanted_size == 0) return true;
    unsigned char first = lower((unsigned char)wanted[0]);
    for (size_t i = 0; size >= wanted_size && i <= size - wanted_size; i++) {
        size_t same = 0;
        if (lower((unsigned char)text[i]) != first) continue;
        while (same < wanted_size &&
               lower((unsigned char)text[i + same]) == lower((unsigned char)wanted[same]))
            same++;
        if (same == wanted_size) return true;
    }
    return false;
}

/* potstill_contains(frame, offset, reasoning_bytes, content_bytes, text) */
static void call(sqlite3_context *context, int count, sqlite3_value **values) {
    struct ps_store *store = sqlite3_user_data(context);
    struct ps_error error;
    (void)count;
    const char *wanted = (const char *)sqlite3_value_text(values[4]);
    size_t wanted_size = (size_t)sqlite3_value_bytes(values[4]);
    enum ps_status status = ps_store_frame_read(store, sqlite3_value_int64(values[0]), &error);
    if (status != PS_OK) {
        sqlite3_result_error(context, error.message, -1);
        sqlite3_result_error_code(context, status == PS_MEMORY ? SQLITE_NOMEM : SQLITE_CORRUPT);
        return;
    }
    uint64_t begin = (uint64_t)sqlite3_value_int64(values[1]);
    uint64_t reasoning = (uint64_t)sqlite3_value_int64(values[2]);
    uint64_t content = (uint64_t)sqlite3_value_int64(values[3]), size = store->frame.size;
    if (!wanted || begin > size || reasoning > size - begin || content > size - begin - reasoning) {
        sqlite3_result_error_code(context, wanted ? SQLITE_CORRUPT : SQLITE_NOMEM);
        return;
    }
    const char *text = size ? store->frame.data + begin : "";
    sqlite3_result_int(context, contains(text, reasoning, wanted, wanted_size) ||
                                    contains(text + reasoning, content, wanted, wanted_size));
}

enum ps_status ps_store_search_begin(struct ps_store *store, struct ps_error *error) {
    int code = sqlite3_create_function_v2(store->database, "potstill_contains", 5,
                                          SQLITE_UTF8 | SQLITE_DETERMINISTIC, store, call, NULL,
                                          NULL, NULL);
    return code == SQLITE_OK ? PS_OK : ps_store_fail(store, "read", error);
}
