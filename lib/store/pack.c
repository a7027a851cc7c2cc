/* Packing: frames of single traces are rewritten into frames of many.
 *
 * The texts of neighbouring prompts stand one behind the other, and so do their token ids
 * and their log-probabilities, each compressed hard and as a whole. A frame ends with the prompt
 * that brings it to ENOUGH, in any case before MOST, so that reading one trace stays cheap. The
 * work is done in batches, each one transaction: traces move to new frames, frames that nothing
 * needs any more go, and their pages return to the file system. After a kill anywhere the store is
 * whole and packing again goes on with what is left. Identities, and so `traces hash`, are not
 * touched. */

#include "store_internal.h"

#include "base/stop.h"

#include <string.h>

enum {
    ENOUGH = 64 << 10,
    MOST = 256 << 10,
    MOST_TOKENS = 1 << 20, /* bytes of token ids, or of log-probabilities */
    BATCH = 16 << 20,      /* bytes of text in one transaction */
    LEVEL = 19,
    SMALL = 256 << 20, /* bytes of a file that is rewritten whole in the end */
};

struct place {
    int64_t trace, text;
    int64_t ids, logprobs; /* where they begin; -1: they are not */
};

struct packer {
    struct ps_store *store;
    struct ps_buffer text, ids, logprobs; /* of the frame that is being filled */
    struct ps_buffer compressed;
    struct place *places;
    size_t count, room;
    int64_t prompt; /* of the last trace in it */
    int64_t rank;   /* of the last trace taken from the list */
    size_t batch;   /* bytes taken in this transaction */
    struct ps_arena arena;
};

/* What has to be rewritten: traces in frames as they came in, with the packed traces of the same
 * prompts, and those in packed frames a quarter of which is of traces that are gone. */
static enum ps_status list_traces(struct ps_store *store, struct ps_error *error) {
    static const char *const steps[] = {
        "DROP TABLE IF EXISTS temp.stale",
        "DROP TABLE IF EXISTS temp.repack",
        "CREATE TEMP TABLE stale (frame INTEGER PRIMARY KEY)",
        "CREATE TEMP TABLE repack (rank INTEGER PRIMARY KEY, trace INTEGER, prompt INTEGER)",
        "INSERT INTO stale SELECT DISTINCT frame FROM trace WHERE prompt IN (SELECT t.prompt FROM "
        "trace t JOIN frame f ON f.id = t.frame WHERE f.packed IS NULL)",
        "INSERT OR IGNORE INTO stale SELECT t.frame FROM trace t JOIN frame f ON f.id = t.frame "
        "GROUP BY t.frame HAVING sum(t.reasoning_bytes + t.content_bytes) < f.raw_bytes / 4 * 3",
        "INSERT INTO repack (trace, prompt) SELECT id, prompt FROM trace WHERE frame IN (SELECT "
        "frame FROM stale) ORDER BY prompt, source, sampler, sample",
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        PS_TRY(ps_store_run(store, error, steps[i], ""));
    return PS_OK;
}

/* ---- one frame ---- */

static enum ps_status encode_place(struct ps_buffer *column, int64_t place,
                                   struct ps_error *error) {
    column->size = 0;
    return place < 0 ? PS_OK : ps_store_place_encode(column, (int32_t)place, error);
}

/* The tokens of a trace are in its frame from now on. The row is removed and put anew: one that is
 * updated in place leaves its page as empty as it makes it. */
static enum ps_status move_tokens(struct ps_store *store, const struct place *place,
                                  struct ps_error *error) {
    struct ps_buffer *ids = &store->scratch, *logprobs = &store->scratch2;
    if (place->ids < 0 && place->logprobs < 0) return PS_OK;
    PS_TRY(encode_place(ids, place->ids, error));
    PS_TRY(encode_place(logprobs, place->logprobs, error));
    PS_TRY(ps_store_run(store, error, "DELETE FROM tokens WHERE trace = ?1", "i", place->trace));
    return ps_store_run(store, error,
                        "INSERT INTO tokens (trace, ids, logprobs) VALUES (?1, ?2, ?3)", "ibb",
                        place->trace, ids->size ? ids->data : NULL, ids->size,
                        logprobs->size ? logprobs->data : NULL, logprobs->size);
}

static enum ps_status move_traces(struct packer *packer, int64_t frame, struct ps_error *error) {
    for (size_t i = 0; i < packer->count; i++) {
        const struct place *place = &packer->places[i];
        PS_TRY(ps_store_run(packer->store, error,
                            "UPDATE trace SET frame = ?2, offset = ?3 WHERE id = ?1", "iii",
                            place->trace, frame, place->text));
        PS_TRY(move_tokens(packer->store, place, error));
    }
    return PS_OK;
}

static enum ps_status end_frame(struct packer *packer, struct ps_error *error) {
    struct ps_store *store = packer->store;
    struct ps_buffer *raw[] = {&packer->text, &packer->ids, &packer->logprobs};
    struct ps_buffer *data[] = {&store->scratch, &store->scratch2, &packer->compressed};
    int64_t frame;
    if (packer->count == 0) return PS_OK;
    for (int i = 0; i < 3; i++) {
        data[i]->size = 0;
        if (i == 0 || raw[i]->size > 0)
            PS_TRY(ps_store_frame_encode(store, data[i], LEVEL, raw[i]->data, raw[i]->size, NULL, 0,
                                         error));
    }
    PS_TRY(ps_store_get(
        store, &frame, error,
        "INSERT INTO frame (raw_bytes, packed, data, ids, logprobs) VALUES (?1, ?2, ?3, ?4, ?5) "
        "RETURNING id",
        "iibbb", (int64_t)packer->text.size, (int64_t)packer->count, data[0]->data, data[0]->size,
        data[1]->size ? data[1]->data : NULL, data[1]->size, data[2]->size ? data[2]->data : NULL,
        data[2]->size));
    PS_TRY(move_traces(packer, frame, error));
    packer->text.size = packer->ids.size = packer->logprobs.size = packer->count = 0;
    return PS_OK;
}

static bool add_place(struct packer *packer, struct place place) {
    if (packer->count == packer->room) {
        size_t room = packer->room ? 2 * packer->room : 256;
        struct place *places = ps_realloc(packer->places, room * sizeof *places);
        if (!places) return false;
        packer->places = places;
        packer->room = room;
    }
    packer->places[packer->count++] = place;
    return true;
}

/* Appends a trace's tokens. More of them than a frame can hold stay in their row. */
static enum ps_status add_tokens(struct packer *packer, const struct ps_store_trace *trace,
                                 struct place *place, struct ps_error *error) {
    struct ps_buffer *ids = &packer->ids, *logprobs = &packer->logprobs;
    size_t ids_before = ids->size, logprobs_before = logprobs->size;
    size_t count = (size_t)trace->output_tokens;
    if (trace->ids) PS_TRY(ps_store_varints_encode(ids, trace->ids, count, error));
    if (trace->logprobs) PS_TRY(ps_store_planes_encode(logprobs, trace->logprobs, count, error));
    place->ids = trace->ids ? (int64_t)ids_before : -1;
    place->logprobs = trace->logprobs ? (int64_t)logprobs_before : -1;
    if (ids->size > PS_STORE_BODY_LIMIT || logprobs->size > PS_STORE_BODY_LIMIT) {
        ids->size = ids_before;
        logprobs->size = logprobs_before;
        place->ids = place->logprobs = -1;
    }
    return PS_OK;
}

static enum ps_status add_trace(struct packer *packer, const struct ps_store_trace *trace,
                                struct ps_error *error) {
    struct ps_buffer *text = &packer->text;
    size_t size = trace->reasoning_size + trace->content_size;
    bool enough = text->size >= ENOUGH && trace->key.prompt != packer->prompt;
    bool full = size > MOST || text->size > MOST - size || packer->ids.size > MOST_TOKENS ||
                packer->logprobs.size > MOST_TOKENS;
    if (enough || full) PS_TRY(end_frame(packer, error));
    struct place place = {.trace = trace->id, .text = (int64_t)text->size};
    PS_TRY(add_tokens(packer, trace, &place, error));
    if (!ps_buffer_append(text, trace->reasoning, trace->reasoning_size) ||
        !ps_buffer_append(text, trace->content, trace->content_size) || !add_place(packer, place))
        return ps_error_set(error, PS_MEMORY, "out of memory");
    packer->prompt = trace->key.prompt;
    packer->batch += size + 1;
    return PS_OK;
}

/* ---- one transaction ---- */

static enum ps_status next_trace(struct packer *packer, int64_t *trace, struct ps_error *error) {
    sqlite3_stmt *statement;
    bool row;
    PS_TRY(ps_store_prepare(packer->store, &statement, error,
                            "SELECT rank, trace FROM repack WHERE rank > ?1 ORDER BY rank LIMIT 1",
                            "i", packer->rank));
    PS_TRY(ps_store_step(packer->store, statement, &row, error));
    *trace = row ? sqlite3_column_int64(statement, 1) : 0;
    if (row) packer->rank = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return PS_OK;
}

static enum ps_status fill_batch(struct packer *packer, int64_t *packed, bool *more,
                                 struct ps_error *error) {
    struct ps_store_trace trace;
    packer->batch = 0;
    while (packer->batch < BATCH) {
        int64_t id;
        PS_TRY(next_trace(packer, &id, error));
        if (id == 0) {
            *more = false;
            break;
        }
        PS_TRY(ps_stop_check(error));
        enum ps_status status =
            ps_store_read_trace(packer->store, id, &packer->arena, &trace, error);
        if (status == PS_OK) status = add_trace(packer, &trace, error);
        ps_arena_release(&packer->arena);
        PS_TRY(status);
        ++*packed;
    }
    PS_TRY(end_frame(packer, error));
    return ps_store_frame_remove_unused(packer->store, error);
}

static enum ps_status pack(struct packer *packer, int64_t *packed, struct ps_progress *progress,
                           struct ps_error *error) {
    struct ps_store *store = packer->store;
    int64_t total, before = 0;
    PS_TRY(list_traces(store, error));
    PS_TRY(ps_store_get(store, &total, error, "SELECT count(*) FROM repack", ""));
    ps_progress_begin(progress, "pack", "traces", 0, (uint64_t)total);
    for (bool more = true; more; before = *packed) {
        PS_TRY(ps_store_put_begin(store, error));
        enum ps_status status =
            ps_store_put_end(store, fill_batch(packer, packed, &more, error), error);
        if (status != PS_OK) {
            *packed = before;
            return status;
        }
        PS_TRY(ps_store_flush(store, error));
        PS_TRY(ps_store_run(store, error, "PRAGMA incremental_vacuum", ""));
        ps_progress_update(progress, (uint64_t)*packed, NULL);
    }
    return PS_OK;
}

/* Pages that rows grew in or left are not full. Where that is a matter of a moment the whole file
 * is written anew; it needs room for a copy, and stays as it is where there is none. */
static void compact(struct ps_store *store) {
    struct ps_error ignored;
    int64_t size = 0;
    if (ps_store_get(store, &size, &ignored,
                     "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
                     "") == PS_OK &&
        size <= SMALL)
        ps_store_run(store, &ignored, "VACUUM", "");
}

enum ps_status ps_store_pack(struct ps_store *store, int64_t *packed, struct ps_progress *progress,
                             struct ps_error *error) {
    struct packer packer = {.store = store};
    struct ps_error own, ignored;
    if (!error) error = &own;
    *packed = 0;
    PS_FAIL_IF(store->mode == PS_STORE_READ, error, PS_ARGUMENT, "%s: opened for reading only",
               store->path);
    PS_TRY(ps_store_flush(store, error));
    /* Whether a frame is needed is asked once a batch; SQLite would look through all traces for
     * each frame that goes. The setting has no effect within a transaction. */
    PS_TRY(ps_store_run(store, error, "PRAGMA foreign_keys=OFF", ""));
    ps_buffer_init(&packer.text, PS_STORE_BODY_LIMIT + 1);
    ps_buffer_init(&packer.ids, 8u * PS_STORE_BODY_LIMIT);
    ps_buffer_init(&packer.logprobs, 8u * PS_STORE_BODY_LIMIT);
    ps_buffer_init(&packer.compressed, 8u * PS_STORE_BODY_LIMIT);
    ps_arena_init(&packer.arena, 16u * PS_STORE_BODY_LIMIT);
    enum ps_status status = pack(&packer, packed, progress, error);
    if (status != PS_OK && store->in_transaction) ps_store_flush(store, &ignored);
    if (status == PS_OK) {
        if (*packed > 0) compact(store);
        status = ps_store_run(store, error, "PRAGMA wal_checkpoint(TRUNCATE)", "");
    }
    ps_store_run(store, &ignored, "PRAGMA foreign_keys=ON", "");
    ps_progress_end(progress);
    ps_buffer_release(&packer.text);
    ps_buffer_release(&packer.ids);
    ps_buffer_release(&packer.logprobs);
    ps_buffer_release(&packer.compressed);
    ps_arena_release(&packer.arena);
    ps_free(packer.places);
    return status;
}
