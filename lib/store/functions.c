/* SQL functions that read traces:
 *
 *   potstill_text(trace)    the reply as it was generated: <think>reasoning</think>content
 *   potstill_tokens(trace)  its token ids as a JSON array, or NULL where they are not known
 *
 * They read the store of the connection that they are called on, which is ours or, where this is
 * loaded as an extension (extension.c), that of the sqlite3 shell. A statement that were kept would
 * prevent that from closing, so each call prepares its own; frames stay decoded between calls. */

#include "store_internal.h"

#include <string.h>
#include <zstd.h>

enum { ANSWER = 1 << 30 }; /* bytes */

static struct ps_store *state_on(sqlite3 *database) {
    struct ps_store *store = ps_calloc(1, sizeof *store);
    if (!store) return NULL;
    store->database = database;
    store->mode = PS_STORE_READ;
    store->owner.descriptor = -1;
    store->path = ps_strdup("store");
    store->decompressor = ZSTD_createDCtx();
    ps_buffer_init(&store->frame, PS_STORE_BODY_LIMIT + 1);
    ps_buffer_init(&store->base, PS_STORE_BODY_LIMIT + 1);
    ps_buffer_init(&store->ids, PS_STORE_BODY_LIMIT + 1);
    ps_buffer_init(&store->logprobs, PS_STORE_BODY_LIMIT + 1);
    return store;
}

static void finalize_statements(struct ps_store *store) {
    for (size_t i = 0; i < store->statement_count; i++)
        sqlite3_finalize(store->statements[i].statement);
    store->statement_count = 0;
}

static void release(void *pointer) {
    struct ps_store *store = pointer;
    if (!store) return;
    ZSTD_freeDCtx(store->decompressor);
    ps_buffer_release(&store->frame);
    ps_buffer_release(&store->base);
    ps_buffer_release(&store->ids);
    ps_buffer_release(&store->logprobs);
    ps_free(store->path);
    ps_free(store);
}

typedef bool write_function(struct ps_buffer *out, const struct ps_store_trace *trace);

static bool write_tokens(struct ps_buffer *out, const struct ps_store_trace *trace) {
    bool fits = ps_buffer_puts(out, "[");
    for (int64_t i = 0; fits && i < trace->output_tokens; i++)
        fits = ps_buffer_format(out, i ? ",%d" : "%d", (int)trace->ids[i]);
    return fits && ps_buffer_puts(out, "]");
}

static void answer(sqlite3_context *context, sqlite3_value *id, write_function *write,
                   bool wants_ids) {
    struct ps_store *store = sqlite3_user_data(context);
    struct ps_arena arena;
    struct ps_buffer out;
    struct ps_store_trace trace;
    struct ps_error error;
    if (sqlite3_value_type(id) == SQLITE_NULL) return;
    ps_arena_init(&arena, 16u * PS_STORE_BODY_LIMIT);
    ps_buffer_init(&out, ANSWER);
    enum ps_status status =
        ps_store_read_trace(store, sqlite3_value_int64(id), &arena, &trace, &error);
    finalize_statements(store);
    if (status != PS_OK)
        sqlite3_result_error(context, error.message, -1);
    else if (wants_ids && !trace.ids)
        sqlite3_result_null(context);
    else if (!write(&out, &trace))
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_text64(context, out.data ? out.data : "", out.size, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
    ps_buffer_release(&out);
    ps_arena_release(&arena);
}

static void text_function(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    answer(context, values[0], ps_store_write_reply, false);
}

static void tokens_function(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    answer(context, values[0], write_tokens, true);
}

int ps_store_add_functions(sqlite3 *database) {
    enum { FLAGS = SQLITE_UTF8 | SQLITE_DIRECTONLY };
    static const struct {
        const char *name;
        void (*function)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {{"potstill_text", text_function}, {"potstill_tokens", tokens_function}};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        struct ps_store *store = state_on(database);
        if (!store || !store->path || !store->decompressor) {
            release(store);
            return SQLITE_NOMEM;
        }
        int code = sqlite3_create_function_v2(database, functions[i].name, 1, FLAGS, store,
                                              functions[i].function, NULL, NULL, release);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}
