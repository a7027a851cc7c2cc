/* Text search: which of the traces that fit a filter's other conditions contain a text.
 *
 * Text lies compressed, so a search is decompression and little else. Traces are taken in the order
 * of their prompts, which is that of the frames; the frames of some thousand traces at a time are
 * read by SQLite and then unpacked and looked through by all threads: first those without a base,
 * then those that need one. A list with a limit is begun at its beginning and ends early when it
 * is full. */

#include "query_internal.h"

#include "base/stop.h"

#include <omp.h>
#include <string.h>
#include <zstd.h>

enum {
    TRACES = 4096,   /* of a chunk at most, and the first that a list with a limit looks at */
    RAW = 16 << 20,  /* bytes of text that end a chunk */
    LOOK_BACK = 128, /* frames that may turn out to be loaded already */
    BLOCK = 64,
};

struct piece {
    int64_t trace;
    uint64_t offset, reasoning, content; /* bytes; as the row claims */
    struct piece *next;                  /* of the same frame */
    bool found;
};

struct frame {
    int64_t id, raw_bytes;
    struct frame *base;
    bool is_whole;     /* has no base */
    size_t data, size; /* where its compressed bytes are */
    struct piece *pieces;
    struct ps_buffer text;
    enum ps_status status;
};

struct search {
    struct ps_store *store;
    const char *wanted;
    size_t size, found;
    struct ps_buffer data, ids;
    struct piece *pieces;
    struct frame *frames; /* two for each piece: its own and its base */
    size_t piece_count, frame_count, raw;
    ZSTD_DCtx **contexts; /* one for each thread */
    int threads;
};

/* ---- text in text ---- */

static unsigned char lower(unsigned char c) {
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Whether a place in the block might begin the text: its first and its last byte fit but for bit 5,
 * in which the cases of letters differ. A loop that compilers make vectors of. */
static bool maybe_in_block(const char *text, size_t last, unsigned char first_byte,
                           unsigned char last_byte) {
    const unsigned char *begin = (const unsigned char *)text, *end = begin + last;
    unsigned char any = 0;
    for (int i = 0; i < BLOCK; i++)
        any |= ((begin[i] | 0x20) == first_byte) & ((end[i] | 0x20) == last_byte);
    return any;
}

static bool same(const char *text, const char *wanted, size_t size) {
    size_t i = 0;
    while (i < size && lower((unsigned char)text[i]) == lower((unsigned char)wanted[i])) i++;
    return i == size;
}

/* ASCII letters match either case; all other bytes themselves. */
static bool contains(const char *text, size_t size, const char *wanted, size_t wanted_size) {
    if (wanted_size == 0) return true;
    if (size < wanted_size) return false;
    size_t places = size - wanted_size + 1, i = 0;
    unsigned char first = (unsigned char)wanted[0] | 0x20;
    unsigned char last = (unsigned char)wanted[wanted_size - 1] | 0x20;
    while (i < places) {
        bool whole = places - i >= BLOCK;
        size_t end = whole ? i + BLOCK : places;
        if (whole && !maybe_in_block(text + i, wanted_size - 1, first, last)) i = end;
        for (; i < end; i++)
            if (same(text + i, wanted, wanted_size)) return true;
    }
    return false;
}

/* ---- one chunk ---- */

/* Runs on any thread. */
static void look(struct search *search, struct frame *frame) {
    const struct frame *base = frame->base;
    if (base && base->status != PS_OK) {
        frame->status = base->status;
        return;
    }
    frame->status =
        ps_store_frame_decode(search->contexts[omp_get_thread_num()], &frame->text,
                              search->data.data + frame->data, frame->size, frame->raw_bytes,
                              base ? base->text.data : NULL, base ? base->text.size : 0, NULL);
    size_t size = frame->text.size;
    for (struct piece *p = frame->pieces; p && frame->status == PS_OK; p = p->next) {
        if (p->offset > size || p->reasoning > size - p->offset ||
            p->content > size - p->offset - p->reasoning) {
            frame->status = PS_CORRUPT;
            return;
        }
        const char *text = size ? frame->text.data + p->offset : "";
        p->found = contains(text, p->reasoning, search->wanted, search->size) ||
                   contains(text + p->reasoning, p->content, search->wanted, search->size);
    }
}

static void look_at_all(struct search *search, bool whole) {
#pragma omp parallel for schedule(dynamic, 4) num_threads(search->threads)
    for (size_t i = 0; i < search->frame_count; i++)
        if (search->frames[i].is_whole == whole) look(search, &search->frames[i]);
}

static void reset(struct search *search) {
    for (size_t i = 0; i < search->frame_count; i++) ps_buffer_release(&search->frames[i].text);
    search->frame_count = search->piece_count = search->raw = search->data.size = 0;
}

static enum ps_status end_chunk(struct search *search, struct ps_error *error) {
    PS_TRY(ps_stop_check(error));
    look_at_all(search, true);
    look_at_all(search, false);
    /* What is wrong with a frame is told by reading it again. */
    for (size_t i = 0; i < search->frame_count; i++)
        if (search->frames[i].status != PS_OK) {
            PS_TRY(ps_store_frame_read(search->store, search->frames[i].id, error));
            return ps_error_set(error, search->frames[i].status,
                                "%s: a trace in frame %lld lies outside of it, or memory ran out",
                                search->store->path, (long long)search->frames[i].id);
        }
    for (size_t i = 0; i < search->piece_count; i++) {
        const struct piece *piece = &search->pieces[i];
        if (!piece->found) continue;
        PS_FAIL_IF(!ps_buffer_format(&search->ids, search->found ? ",%lld" : "%lld",
                                     (long long)piece->trace),
                   error, PS_MEMORY, "out of memory");
        search->found++;
    }
    reset(search);
    return PS_OK;
}

/* Finds the frame among those loaded last, or loads it with its base. */
static enum ps_status load(struct search *search, int64_t id, bool is_base, struct frame **result,
                           struct ps_error *error) {
    sqlite3_stmt *statement;
    bool row;
    for (size_t i = 0; i < search->frame_count && i < LOOK_BACK; i++) {
        *result = &search->frames[search->frame_count - 1 - i];
        if ((*result)->id == id && (!is_base || (*result)->is_whole)) return PS_OK;
    }
    PS_TRY(ps_store_prepare(search->store, &statement, error,
                            "SELECT base, raw_bytes, data FROM frame AS g WHERE id = ?1", "i", id));
    PS_TRY(ps_store_step(search->store, statement, &row, error));
    int64_t base = row ? sqlite3_column_int64(statement, 0) : 0;
    size_t size = row ? (size_t)sqlite3_column_bytes(statement, 2) : 0;
    struct frame *frame = &search->frames[search->frame_count];
    *frame = (struct frame){.id = id,
                            .raw_bytes = row ? sqlite3_column_int64(statement, 1) : 0,
                            .is_whole = base == 0,
                            .data = search->data.size,
                            .size = size,
                            .status = !row || (is_base && base) ? PS_CORRUPT : PS_OK};
    ps_buffer_init(&frame->text, PS_STORE_BODY_LIMIT + 1);
    bool fits =
        size == 0 || ps_buffer_append(&search->data, sqlite3_column_blob(statement, 2), size);
    sqlite3_reset(statement);
    PS_FAIL_IF(!fits, error, PS_MEMORY, "out of memory");
    if (frame->status != PS_OK) return ps_store_frame_read(search->store, id, error);
    search->frame_count++;
    if (frame->raw_bytes > 0 && frame->raw_bytes <= PS_STORE_BODY_LIMIT)
        search->raw += (size_t)frame->raw_bytes;
    *result = frame;
    return base ? load(search, base, true, &frame->base, error) : PS_OK;
}

/* ---- all of them ---- */

static enum ps_status take_all(struct search *search, sqlite3_stmt *traces,
                               struct ps_error *error) {
    for (;;) {
        bool row;
        struct frame *frame = NULL;
        PS_TRY(ps_store_step(search->store, traces, &row, error));
        if (!row) return end_chunk(search, error);
        PS_TRY(load(search, sqlite3_column_int64(traces, 1), false, &frame, error));
        struct piece *piece = &search->pieces[search->piece_count++];
        *piece = (struct piece){.trace = sqlite3_column_int64(traces, 0),
                                .offset = (uint64_t)sqlite3_column_int64(traces, 2),
                                .reasoning = (uint64_t)sqlite3_column_int64(traces, 3),
                                .content = (uint64_t)sqlite3_column_int64(traces, 4),
                                .next = frame->pieces};
        frame->pieces = piece;
        if (search->piece_count == TRACES || search->raw >= RAW) PS_TRY(end_chunk(search, error));
    }
}

static enum ps_status scan(struct search *search, const struct ps_store_filter *filter,
                           const char *order, int64_t limit, struct ps_error *error) {
    struct ps_store_filter others = *filter;
    sqlite3_stmt *traces;
    others.text = NULL;
    others.limit = limit;
    search->found = search->ids.size = 0;
    PS_FAIL_IF(!ps_buffer_puts(&search->ids, "["), error, PS_MEMORY, "out of memory");
    PS_TRY(ps_store_sql_build(search->store,
                              "t.id, t.frame, t.offset, t.reasoning_bytes, t.content_bytes",
                              &others, order, &traces, error));
    enum ps_status status = take_all(search, traces, error);
    sqlite3_finalize(traces);
    if (status == PS_OK && !ps_buffer_puts(&search->ids, "]"))
        status = ps_error_set(error, PS_MEMORY, "out of memory");
    return status;
}

static bool set_up(struct search *search) {
    search->threads = omp_get_max_threads();
    search->pieces = ps_calloc(TRACES, sizeof *search->pieces);
    search->frames = ps_calloc(2 * TRACES, sizeof *search->frames);
    search->contexts = ps_calloc((size_t)search->threads, sizeof *search->contexts);
    bool fits = search->pieces && search->frames && search->contexts;
    for (int i = 0; fits && i < search->threads; i++)
        fits = (search->contexts[i] = ZSTD_createDCtx()) != NULL;
    return fits;
}

static void tear_down(struct search *search) {
    reset(search);
    for (int i = 0; search->contexts && i < search->threads; i++)
        ZSTD_freeDCtx(search->contexts[i]);
    ps_free(search->contexts);
    ps_free(search->frames);
    ps_free(search->pieces);
    ps_buffer_release(&search->data);
}

enum ps_status ps_store_search(struct ps_store *store, const struct ps_store_filter *filter,
                               struct ps_buffer *ids, struct ps_error *error) {
    struct search search = {.store = store, .wanted = filter->text, .size = strlen(filter->text)};
    struct ps_error own;
    if (!error) error = &own;
    ps_buffer_init(&search.data, SIZE_MAX / 2);
    ps_buffer_init(&search.ids, SIZE_MAX / 2);
    enum ps_status status = PS_OK;
    PS_FAIL_DONE_IF(!set_up(&search), error, PS_MEMORY, "out of memory");
    if (filter->limit > 0) status = scan(&search, filter, PS_STORE_LIST_ORDER, TRACES, error);
    if (status == PS_OK && (filter->limit == 0 || search.found < (size_t)filter->limit))
        status = scan(&search, filter, " ORDER BY p.id, t.frame, t.offset", 0, error);
done:
    tear_down(&search);
    if (status == PS_OK)
        *ids = search.ids;
    else
        ps_buffer_release(&search.ids);
    return status;
}
