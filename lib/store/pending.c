/* What a sampling run still has to do, what it has in flight, and what went wrong. */

#include "store_internal.h"

#include <string.h>

enum ps_status ps_store_states(struct ps_store *store, const struct ps_store_key *key,
                               int64_t max_tokens, uint8_t *states, size_t samples,
                               struct ps_error *error) {
    sqlite3_stmt *statement;
    bool row;
    memset(states, PS_STORE_MISSING, samples);
    PS_TRY(ps_store_prepare(store, &statement, error,
                            "SELECT sample, finish_reason = 'length' AND max_tokens < ?4 "
                            "FROM trace WHERE prompt = ?1 AND source = ?2 AND sampler = ?3 "
                            "AND sample < ?5",
                            "iiiii", key->prompt, key->source, key->sampler, max_tokens,
                            (int64_t)samples));
    for (;;) {
        PS_TRY(ps_store_step(store, statement, &row, error));
        if (!row) break;
        int64_t sample = sqlite3_column_int64(statement, 0);
        if (sample >= 0 && (uint64_t)sample < samples)
            states[sample] = sqlite3_column_int(statement, 1) ? PS_STORE_CUT : PS_STORE_DONE;
    }
    sqlite3_reset(statement);
    return PS_OK;
}

/* ---- in flight ---- */

static enum ps_status write_partial(struct ps_store *store, const struct ps_store_key *key,
                                    const int32_t *ids, const float *logprobs, size_t count,
                                    struct ps_error *error) {
    struct ps_buffer *id_column = &store->scratch, *logprob_column = &store->scratch2;
    id_column->size = logprob_column->size = 0;
    PS_TRY(ps_store_ids_encode(id_column, ids, count, error));
    if (logprobs) PS_TRY(ps_store_logprobs_encode(logprob_column, logprobs, count, error));
    return ps_store_run(store, error,
                        "INSERT INTO partial (prompt, source, sampler, sample, time, ids, logprobs)"
                        " VALUES (?1,?2,?3,?4,?5,?6,?7) ON CONFLICT (prompt, source, sampler, "
                        "sample) DO UPDATE SET time = ?5, ids = ?6, logprobs = ?7",
                        "iiiiibb", key->prompt, key->source, key->sampler, key->sample,
                        ps_store_now(), id_column->data, id_column->size,
                        logprobs ? logprob_column->data : NULL, logprob_column->size);
}

enum ps_status ps_store_put_partial(struct ps_store *store, const struct ps_store_key *key,
                                    const int32_t *ids, const float *logprobs, size_t count,
                                    struct ps_error *error) {
    PS_FAIL_IF(count > PS_STORE_BODY_LIMIT, error, PS_LIMIT, "a sequence of more than %d tokens",
               PS_STORE_BODY_LIMIT);
    PS_TRY(ps_store_put_begin(store, error));
    return ps_store_put_end(store, write_partial(store, key, ids, logprobs, count, error), error);
}

/* Columns: prompt, source, sampler, sample, time, ids, logprobs. */
static enum ps_status read_partial(sqlite3_stmt *statement, struct ps_arena *arena,
                                   struct ps_store_partial *partial, struct ps_error *error) {
    const void *data = sqlite3_column_blob(statement, 5);
    size_t size = (size_t)sqlite3_column_bytes(statement, 5);
    int64_t count = data ? ps_store_ids_count(data, size) : -1;
    PS_FAIL_IF(count < 0, error, PS_CORRUPT, "token ids in an unknown coding");
    *partial = (struct ps_store_partial){
        .key = {sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1),
                sqlite3_column_int64(statement, 2), sqlite3_column_int64(statement, 3)},
        .time = sqlite3_column_int64(statement, 4),
        .count = (size_t)count,
    };
    int32_t *ids = ps_arena_array(arena, partial->count, sizeof *ids);
    PS_FAIL_IF_NULL(ids, error);
    PS_TRY(ps_store_ids_decode(data, size, ids, partial->count, error));
    partial->ids = ids;
    if (sqlite3_column_type(statement, 6) == SQLITE_NULL) return PS_OK;
    data = sqlite3_column_blob(statement, 6);
    size = (size_t)sqlite3_column_bytes(statement, 6);
    float *logprobs = ps_arena_array(arena, partial->count, sizeof *logprobs);
    PS_FAIL_IF(!data || !logprobs, error, PS_MEMORY, "out of memory");
    partial->logprobs = logprobs;
    return ps_store_logprobs_decode(data, size, logprobs, partial->count, error);
}

enum ps_status ps_store_read_partials(struct ps_store *store, int64_t source, int64_t sampler,
                                      struct ps_arena *arena, struct ps_store_partial **partials,
                                      size_t *count, struct ps_error *error) {
    sqlite3_stmt *statement;
    struct ps_error own;
    bool row;
    int64_t rows;
    if (!error) error = &own;
    *count = 0;
    PS_TRY(ps_store_get(store, &rows, error,
                        "SELECT count(*) FROM partial WHERE source = ?1 AND sampler = ?2", "ii",
                        source, sampler));
    *partials = ps_arena_array(arena, (size_t)rows, sizeof **partials);
    PS_FAIL_IF_NULL(*partials, error);
    PS_TRY(ps_store_prepare(store, &statement, error,
                            "SELECT prompt, source, sampler, sample, time, ids, logprobs "
                            "FROM partial WHERE source = ?1 AND sampler = ?2 "
                            "ORDER BY prompt, sample LIMIT ?3",
                            "iii", source, sampler, rows));
    enum ps_status status = PS_OK;
    for (;;) {
        PS_TRY(ps_store_step(store, statement, &row, error));
        if (!row) break;
        PS_TRY_DONE(read_partial(statement, arena, &(*partials)[*count], error));
        ++*count;
    }
done:
    sqlite3_reset(statement);
    return status == PS_CORRUPT ? ps_error_prefix(error, "%s: a partial trace", store->path)
                                : status;
}

/* ---- failures ---- */

enum ps_status ps_store_put_attempt(struct ps_store *store, const struct ps_store_key *key,
                                    int64_t provenance, const char *reason, const char *detail,
                                    struct ps_error *error) {
    PS_TRY(ps_store_put_begin(store, error));
    enum ps_status status =
        ps_store_run(store, error,
                     "INSERT INTO attempt (prompt, source, sampler, sample, provenance, time, "
                     "reason, detail) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)",
                     "iiiiiitt", key->prompt, key->source, key->sampler, key->sample, provenance,
                     ps_store_now(), reason, detail);
    return ps_store_put_end(store, status, error);
}

enum ps_status ps_store_count_attempts(struct ps_store *store, const struct ps_store_key *key,
                                       int64_t *count, struct ps_error *error) {
    return ps_store_get(store, count, error,
                        "SELECT count(*) FROM attempt WHERE prompt = ?1 AND source = ?2 AND "
                        "sampler = ?3 AND sample = ?4",
                        "iiii", key->prompt, key->source, key->sampler, key->sample);
}
