/* Frames: where the texts are.
 *
 * As traces come in, the first body of a prompt is a frame of its own, and the base of all later
 * frames of that prompt: samples of one prompt restate the problem and go much the same way. A base
 * has no base, so that reading a trace takes two frames at most. Packing writes frames of many
 * traces, without a base; new traces of such a prompt have the packed frame as theirs.
 *
 * The frames last read are kept, since the next trace often lies in the same one. */

#include "store_internal.h"

static enum ps_status damaged(struct ps_store *store, int64_t frame, struct ps_error *error) {
    ps_error_prefix(error, "%s: frame %lld is damaged", store->path, (long long)frame);
    return PS_CORRUPT;
}

void ps_store_frame_forget(struct ps_store *store) {
    store->frame_id = store->base_id = store->ids_id = store->logprobs_id = 0;
}

/* Row ids are used again: what another process committed may have changed what they stand for. */
static enum ps_status forget_if_changed(struct ps_store *store, struct ps_error *error) {
    int64_t version;
    PS_TRY(ps_store_get(store, &version, error, "PRAGMA data_version", ""));
    if (version != store->cache_version) ps_store_frame_forget(store);
    store->cache_version = version;
    return PS_OK;
}

/* Decodes columns 1 (size) and 2 (data) of the statement's row; the base's text is given when this
 * frame was made with it. */
static enum ps_status decode(struct ps_store *store, sqlite3_stmt *statement, int64_t id,
                             struct ps_buffer *out, const struct ps_buffer *base,
                             struct ps_error *error) {
    const void *data = sqlite3_column_blob(statement, 2);
    size_t size = (size_t)sqlite3_column_bytes(statement, 2);
    int64_t raw_bytes = sqlite3_column_int64(statement, 1);
    if (!data && size > 0) return ps_error_set(error, PS_MEMORY, "out of memory");
    enum ps_status status =
        ps_store_frame_decode(store->decompressor, out, data ? data : "", size, raw_bytes,
                              base ? base->data : NULL, base ? base->size : 0, error);
    return status == PS_CORRUPT ? damaged(store, id, error) : status;
}

/* Reads a frame that must have no base into store->base. */
static enum ps_status read_base(struct ps_store *store, int64_t id, struct ps_error *error) {
    sqlite3_stmt *statement;
    bool row;
    if (store->base_id == id) return PS_OK;
    PS_TRY(ps_store_prepare(store, &statement, error,
                            "SELECT base, raw_bytes, data FROM frame WHERE id = ?1", "i", id));
    PS_TRY(ps_store_step(store, statement, &row, error));
    enum ps_status status = PS_OK;
    store->base_id = 0;
    if (!row || sqlite3_column_type(statement, 0) != SQLITE_NULL) {
        ps_error_set(error, PS_CORRUPT, row ? "a base that has a base" : "it is missing");
        status = damaged(store, id, error);
    } else {
        status = decode(store, statement, id, &store->base, NULL, error);
    }
    sqlite3_reset(statement);
    if (status == PS_OK) store->base_id = id;
    return status;
}

enum ps_status ps_store_frame_read(struct ps_store *store, int64_t id, struct ps_error *error) {
    static const char sql[] = "SELECT base, raw_bytes, data FROM frame AS f WHERE id = ?1";
    struct ps_error own;
    sqlite3_stmt *statement;
    bool row;
    if (!error) error = &own;
    PS_TRY(forget_if_changed(store, error));
    if (store->frame_id == id) return PS_OK;
    PS_TRY(ps_store_prepare(store, &statement, error, sql, "i", id));
    PS_TRY(ps_store_step(store, statement, &row, error));
    enum ps_status status = PS_OK;
    store->frame_id = 0;
    if (!row) {
        ps_error_set(error, PS_CORRUPT, "it is missing");
        return damaged(store, id, error);
    }
    int64_t base = sqlite3_column_int64(statement, 0);
    if (base) PS_TRY_DONE(read_base(store, base, error));
    status = decode(store, statement, id, &store->frame, base ? &store->base : NULL, error);
    if (status == PS_OK) store->frame_id = id;
done:
    sqlite3_reset(statement);
    return status;
}

/* What a packed frame has besides text; *cached is the row that `out` is of. */
static enum ps_status read_column(struct ps_store *store, int64_t id, const char *sql,
                                  const char *what, struct ps_buffer *out, int64_t *cached,
                                  struct ps_error *error) {
    sqlite3_stmt *statement;
    bool row;
    PS_TRY(forget_if_changed(store, error));
    if (*cached == id) return PS_OK;
    PS_TRY(ps_store_prepare(store, &statement, error, sql, "i", id));
    PS_TRY(ps_store_step(store, statement, &row, error));
    *cached = 0;
    enum ps_status status = PS_OK;
    if (!row || sqlite3_column_type(statement, 2) == SQLITE_NULL) {
        ps_error_set(error, PS_CORRUPT, row ? "it has no %s" : "it is missing", what);
        status = damaged(store, id, error);
    } else {
        status = decode(store, statement, id, out, NULL, error);
    }
    sqlite3_reset(statement);
    if (status == PS_OK) *cached = id;
    return status;
}

enum ps_status ps_store_frame_ids(struct ps_store *store, int64_t id, struct ps_error *error) {
    return read_column(store, id, "SELECT base, -1, ids FROM frame WHERE id = ?1", "token ids",
                       &store->ids, &store->ids_id, error);
}

enum ps_status ps_store_frame_logprobs(struct ps_store *store, int64_t id, struct ps_error *error) {
    return read_column(store, id, "SELECT base, -1, logprobs FROM frame WHERE id = ?1",
                       "log-probabilities", &store->logprobs, &store->logprobs_id, error);
}

enum ps_status ps_store_frame_base(struct ps_store *store, int64_t prompt, int64_t *base,
                                   struct ps_error *error) {
    return ps_store_get(store, base, error,
                        "SELECT coalesce(f.base, f.id) FROM trace t JOIN frame f ON f.id = t.frame "
                        "WHERE t.prompt = ?1 LIMIT 1",
                        "i", prompt);
}

enum ps_status ps_store_frame_put(struct ps_store *store, const struct ps_store_trace *trace,
                                  int64_t base, int64_t *frame, struct ps_error *error) {
    struct ps_buffer *raw = &store->scratch2, *data = &store->scratch;
    if (base) PS_TRY(read_base(store, base, error));
    raw->size = data->size = 0;
    if (!ps_buffer_append(raw, trace->reasoning, trace->reasoning_size) ||
        !ps_buffer_append(raw, trace->content, trace->content_size))
        return ps_error_set(error, PS_MEMORY, "out of memory");
    PS_TRY(ps_store_frame_encode(store, data, PS_STORE_LEVEL, raw->data, raw->size,
                                 base ? store->base.data : NULL, base ? store->base.size : 0,
                                 error));
    return ps_store_get(store, frame, error,
                        "INSERT INTO frame (base, raw_bytes, data) VALUES (?1, ?2, ?3) "
                        "RETURNING id",
                        "zib", base, (int64_t)raw->size, data->data, data->size);
}

/* A frame may be needed by a frame that is needed no more: two rounds. */
enum ps_status ps_store_frame_remove_unused(struct ps_store *store, struct ps_error *error) {
    for (int round = 0; round < 2; round++)
        PS_TRY(ps_store_run(store, error,
                            "DELETE FROM frame WHERE id NOT IN (SELECT frame FROM trace) AND id "
                            "NOT IN (SELECT base FROM frame WHERE base IS NOT NULL)",
                            ""));
    ps_store_frame_forget(store);
    return PS_OK;
}
