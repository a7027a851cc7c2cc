/* read_traces STORE: the replies of a trace store that were graded correct, one behind the other.
 *
 *     $ read_traces traces/math.db | head */
#include "store/store.h"

#include <stdio.h>

static enum ps_status print(struct ps_store *store, const struct ps_store_row *row,
                            struct ps_error *error) {
    struct ps_arena arena;
    struct ps_store_trace trace;
    ps_arena_init(&arena, PS_STORE_BODY_LIMIT);
    enum ps_status status = ps_store_read_trace(store, row->id, &arena, &trace, error);
    if (status == PS_OK) {
        printf("== trace %lld by %s, %lld tokens ==\n", (long long)row->id, row->source,
               (long long)row->output_tokens);
        fwrite(trace.reasoning, 1, trace.reasoning_size, stdout);
        fwrite(trace.content, 1, trace.content_size, stdout);
        puts("");
    }
    ps_arena_release(&arena);
    return status;
}

static enum ps_status print_all(struct ps_store *store, struct ps_error *error) {
    struct ps_store_filter filter = {.verdict = "correct"};
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more = true;
    PS_TRY(ps_store_query(store, &filter, &cursor, error));
    enum ps_status status = PS_OK;
    while (status == PS_OK && more) {
        status = ps_store_next(cursor, &row, &more, error);
        if (status == PS_OK && more) status = print(store, &row, error);
    }
    ps_store_cursor_close(cursor);
    return status;
}

int main(int count, char **arguments) {
    if (count != 2) return fprintf(stderr, "usage: read_traces STORE\n"), 2;
    struct ps_store *store;
    struct ps_error error;
    enum ps_status status = ps_store_open(&store, arguments[1], PS_STORE_READ, &error);
    if (status == PS_OK) {
        status = print_all(store, &error);
        ps_store_close(store);
    }
    if (status != PS_OK) fprintf(stderr, "%s\n", error.message);
    return ps_status_exit_code(status);
}
