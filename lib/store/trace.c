/* Traces in and out. */

#include "store_internal.h"

#include <stdio.h>
#include <string.h>

const char *ps_store_finish_name(enum ps_store_finish finish) {
    return finish == PS_STORE_STOP ? "stop" : "length";
}

/* ---- the digest ---- */

static bool hash_column(struct ps_hash_state *state, const sqlite3_stmt *statement, int column) {
    const void *hash = sqlite3_column_blob((sqlite3_stmt *)statement, column);
    if (!hash || sqlite3_column_bytes((sqlite3_stmt *)statement, column) != 32) return false;
    ps_hash_update(state, hash, 32);
    return true;
}

/* Little-endian. */
static void put_integer(unsigned char *data, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) data[i] = (unsigned char)(value >> 8 * i);
}

static void hash_integer(struct ps_hash_state *state, uint64_t value, int bytes) {
    unsigned char data[8];
    put_integer(data, value, bytes);
    ps_hash_update(state, data, (size_t)bytes);
}

static void hash_tokens(struct ps_hash_state *state, const struct ps_store_trace *trace) {
    enum { BLOCK = 256 };
    unsigned char block[BLOCK * 4];
    int64_t ids = trace->ids ? trace->output_tokens : 0;
    int64_t logprobs = trace->logprobs ? trace->output_tokens : 0;
    hash_integer(state, (uint64_t)ids, 8);
    for (int64_t done = 0, now; done < ids; done += now) {
        now = ids - done < BLOCK ? ids - done : BLOCK;
        for (int64_t i = 0; i < now; i++)
            put_integer(block + 4 * i, (uint32_t)trace->ids[done + i], 4);
        ps_hash_update(state, block, 4 * (size_t)now);
    }
    hash_integer(state, (uint64_t)logprobs, 8);
    for (int64_t done = 0, now; done < logprobs; done += now) {
        now = logprobs - done < BLOCK ? logprobs - done : BLOCK;
        for (int64_t i = 0; i < now; i++)
            put_integer(block + 2 * i, ps_store_logprob_encode(trace->logprobs[done + i]), 2);
        ps_hash_update(state, block, 2 * (size_t)now);
    }
}

/* What `traces hash` covers of one trace; docs/store-format.md has the bytes. */
static enum ps_status compute_digest(struct ps_store *store, const struct ps_store_trace *trace,
                                     struct ps_hash *digest, struct ps_error *error) {
    sqlite3_stmt *statement;
    bool row;
    PS_TRY(ps_store_prepare(store, &statement, error,
                            "SELECT p.hash, s.hash, m.hash FROM prompt p, source s, sampler m "
                            "WHERE p.id = ?1 AND s.id = ?2 AND m.id = ?3",
                            "iii", trace->key.prompt, trace->key.source, trace->key.sampler));
    PS_TRY(ps_store_step(store, statement, &row, error));
    enum ps_status status = PS_OK;
    struct ps_hash_state *state = NULL;
    PS_FAIL_DONE_IF(!row, error, PS_ARGUMENT,
                    "%s: a trace for prompt %lld, source %lld, sampler %lld, one of which is "
                    "unknown",
                    store->path, (long long)trace->key.prompt, (long long)trace->key.source,
                    (long long)trace->key.sampler);
    state = ps_hash_begin();
    PS_FAIL_DONE_IF_NULL(state, error);
    bool whole = hash_column(state, statement, 0) && hash_column(state, statement, 1) &&
                 hash_column(state, statement, 2);
    hash_integer(state, (uint64_t)trace->key.sample, 8);
    ps_hash_update_field(state, trace->reasoning, trace->reasoning_size);
    ps_hash_update_field(state, trace->content, trace->content_size);
    hash_tokens(state, trace);
    const char *finish = ps_store_finish_name(trace->finish);
    ps_hash_update_field(state, finish, strlen(finish));
    *digest = ps_hash_end(state);
    PS_FAIL_DONE_IF(!whole, error, PS_MEMORY, "out of memory");
done:
    sqlite3_reset(statement);
    return status;
}

/* ---- in ---- */

static enum ps_status check_trace(const struct ps_store_trace *trace, struct ps_error *error) {
    size_t room = PS_STORE_BODY_LIMIT;
    PS_FAIL_IF(trace->reasoning_size > room || trace->content_size > room - trace->reasoning_size,
               error, PS_LIMIT, "a trace of more than %d bytes", PS_STORE_BODY_LIMIT);
    PS_FAIL_IF(trace->key.sample < 0 || trace->output_tokens < 0 ||
                   (trace->finish != PS_STORE_STOP && trace->finish != PS_STORE_LENGTH),
               error, PS_ARGUMENT, "a trace with a negative count or an unknown finish reason");
    PS_FAIL_IF(trace->output_tokens > PS_STORE_BODY_LIMIT, error, PS_LIMIT,
               "a trace of more than %d tokens", PS_STORE_BODY_LIMIT);
    return PS_OK;
}

static enum ps_status put_tokens(struct ps_store *store, const struct ps_store_trace *trace,
                                 int64_t id, struct ps_error *error) {
    if (!trace->ids && !trace->logprobs) return PS_OK;
    struct ps_buffer *ids = &store->scratch, *logprobs = &store->scratch2;
    size_t count = (size_t)trace->output_tokens;
    ids->size = logprobs->size = 0;
    if (trace->ids) PS_TRY(ps_store_ids_encode(ids, trace->ids, count, error));
    if (trace->logprobs) PS_TRY(ps_store_logprobs_encode(logprobs, trace->logprobs, count, error));
    return ps_store_run(store, error, "INSERT INTO tokens (trace, ids, logprobs) VALUES (?1,?2,?3)",
                        "ibb", id, trace->ids ? ids->data : NULL, ids->size,
                        trace->logprobs ? logprobs->data : NULL, logprobs->size);
}

static enum ps_status insert_trace(struct ps_store *store, const struct ps_store_trace *trace,
                                   int64_t base, int64_t *id, struct ps_error *error) {
    struct ps_hash digest;
    int64_t frame;
    PS_TRY(compute_digest(store, trace, &digest, error));
    PS_TRY(ps_store_frame_put(store, trace, base, &frame, error));
    PS_TRY(ps_store_get(
        store, id, error,
        "INSERT INTO trace (prompt, source, sampler, sample, provenance, finish_reason, "
        "prompt_tokens, output_tokens, max_tokens, time, duration, frame, offset, "
        "reasoning_bytes, content_bytes, checksum) "
        "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,0,?13,?14,?15) RETURNING id",
        "iiiiitzizizi"
        "iib",
        trace->key.prompt, trace->key.source, trace->key.sampler, trace->key.sample,
        trace->provenance, ps_store_finish_name(trace->finish), trace->prompt_tokens,
        trace->output_tokens, trace->max_tokens, trace->time ? trace->time : ps_store_now(),
        trace->duration, frame, (int64_t)trace->reasoning_size, (int64_t)trace->content_size,
        digest.bytes, (size_t)PS_STORE_CHECKSUM));
    return put_tokens(store, trace, *id, error);
}

static enum ps_status delete_partial(struct ps_store *store, const struct ps_store_key *key,
                                     struct ps_error *error) {
    return ps_store_run(store, error,
                        "DELETE FROM partial WHERE prompt = ?1 AND source = ?2 AND sampler = ?3 "
                        "AND sample = ?4",
                        "iiii", key->prompt, key->source, key->sampler, key->sample);
}

/* Is there a trace for this key already, and does the new one go further? */
static enum ps_status look_up(struct ps_store *store, const struct ps_store_trace *trace,
                              int64_t *id, enum ps_store_put *outcome, struct ps_error *error) {
    sqlite3_stmt *statement;
    bool row;
    PS_TRY(ps_store_prepare(store, &statement, error,
                            "SELECT id, finish_reason = 'length', output_tokens FROM trace "
                            "WHERE prompt = ?1 AND source = ?2 AND sampler = ?3 AND sample = ?4",
                            "iiii", trace->key.prompt, trace->key.source, trace->key.sampler,
                            trace->key.sample));
    PS_TRY(ps_store_step(store, statement, &row, error));
    *id = row ? sqlite3_column_int64(statement, 0) : 0;
    bool cut = row && sqlite3_column_int(statement, 1);
    bool longer = row && trace->output_tokens > sqlite3_column_int64(statement, 2);
    *outcome = !row                                                ? PS_STORE_KEPT
               : cut && (trace->finish == PS_STORE_STOP || longer) ? PS_STORE_LONGER
                                                                   : PS_STORE_ALREADY;
    sqlite3_reset(statement);
    return PS_OK;
}

enum ps_status ps_store_put_trace(struct ps_store *store, const struct ps_store_trace *trace,
                                  int64_t *id, enum ps_store_put *outcome, struct ps_error *error) {
    int64_t own_id, old, base;
    enum ps_store_put own_outcome;
    struct ps_error own_error;
    if (!error) error = &own_error;
    if (!id) id = &own_id;
    if (!outcome) outcome = &own_outcome;
    PS_TRY(check_trace(trace, error));
    PS_TRY(look_up(store, trace, &old, outcome, error));
    *id = old;
    PS_TRY(ps_store_put_begin(store, error));
    enum ps_status status = PS_OK;
    PS_TRY_DONE(delete_partial(store, &trace->key, error));
    if (*outcome == PS_STORE_ALREADY) goto done;
    /* The base is looked for while the old trace still stands: its frame, which may serve others,
     * stays until the store is packed, and is the best of prefixes for its own continuation. */
    PS_TRY_DONE(ps_store_frame_base(store, trace->key.prompt, &base, error));
    if (*outcome == PS_STORE_LONGER)
        PS_TRY_DONE(ps_store_run(store, error, "DELETE FROM trace WHERE id = ?1", "i", old));
    status = insert_trace(store, trace, base, id, error);
done:
    return ps_store_put_end(store, status, error);
}

/* ---- out ---- */

/* Token ids and log-probabilities are in the trace's row, or, since the store was packed, in its
 * frame. What the row announces is checked against the bytes there are before memory is taken. */
static enum ps_status read_ids(struct ps_store *store, const void *data, size_t size, int64_t frame,
                               struct ps_arena *arena, struct ps_store_trace *trace,
                               struct ps_error *error) {
    size_t count = (size_t)trace->output_tokens, left = size;
    int64_t place = ps_store_place_decode(data, size);
    if (place >= 0) {
        PS_TRY(ps_store_frame_ids(store, frame, error));
        left = (uint64_t)place > store->ids.size ? 0 : store->ids.size - (size_t)place;
    }
    PS_FAIL_IF(!data || count > left, error, PS_CORRUPT, "too few token ids");
    int32_t *ids = ps_arena_array(arena, count, sizeof *ids);
    PS_FAIL_IF_NULL(ids, error);
    trace->ids = ids;
    if (place < 0) return ps_store_ids_decode(data, size, ids, count, error);
    return ps_store_varints_decode(store->ids.data + place, &left, ids, count, error);
}

static enum ps_status read_logprobs(struct ps_store *store, const void *data, size_t size,
                                    int64_t frame, struct ps_arena *arena,
                                    struct ps_store_trace *trace, struct ps_error *error) {
    size_t count = (size_t)trace->output_tokens, left = size;
    int64_t place = ps_store_place_decode(data, size);
    if (place >= 0) {
        PS_TRY(ps_store_frame_logprobs(store, frame, error));
        left = (uint64_t)place > store->logprobs.size ? 0 : store->logprobs.size - (size_t)place;
    }
    PS_FAIL_IF(!data || count > left / 2, error, PS_CORRUPT, "too few log-probabilities");
    float *logprobs = ps_arena_array(arena, count, sizeof *logprobs);
    PS_FAIL_IF_NULL(logprobs, error);
    trace->logprobs = logprobs;
    if (place < 0) return ps_store_logprobs_decode(data, size, logprobs, count, error);
    ps_store_planes_decode(store->logprobs.data + place, logprobs, count);
    return PS_OK;
}

static enum ps_status read_tokens(struct ps_store *store, int64_t frame, struct ps_arena *arena,
                                  struct ps_store_trace *trace, struct ps_error *error) {
    sqlite3_stmt *s;
    bool row;
    PS_TRY(ps_store_prepare(store, &s, error, "SELECT ids, logprobs FROM tokens WHERE trace = ?1",
                            "i", trace->id));
    PS_TRY(ps_store_step(store, s, &row, error));
    enum ps_status status = PS_OK;
    if (row && sqlite3_column_type(s, 0) != SQLITE_NULL)
        PS_TRY_DONE(read_ids(store, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0),
                             frame, arena, trace, error));
    if (row && sqlite3_column_type(s, 1) != SQLITE_NULL)
        PS_TRY_DONE(read_logprobs(store, sqlite3_column_blob(s, 1),
                                  (size_t)sqlite3_column_bytes(s, 1), frame, arena, trace, error));
done:
    sqlite3_reset(s);
    return status;
}

/* Leaves *statement at its row: while it stands there, all that is read is of one commit, also
 * when another process packs the store meanwhile. */
static enum ps_status read_row(struct ps_store *store, int64_t id, sqlite3_stmt **statement,
                               struct ps_store_trace *trace, int64_t *frame, int64_t *offset,
                               unsigned char checksum[PS_STORE_CHECKSUM], struct ps_error *error) {
    bool row;
    PS_TRY(ps_store_prepare(
        store, statement, error,
        "SELECT prompt, source, sampler, sample, provenance, finish_reason = 'length', "
        "prompt_tokens, output_tokens, max_tokens, time, duration, frame, offset, reasoning_bytes, "
        "content_bytes, checksum FROM trace WHERE id = ?1",
        "i", id));
    sqlite3_stmt *s = *statement;
    PS_TRY(ps_store_step(store, s, &row, error));
    PS_FAIL_IF(!row, error, PS_NOT_FOUND, "%s: no trace %lld", store->path, (long long)id);
    *trace = (struct ps_store_trace){
        .key = {sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2),
                sqlite3_column_int64(s, 3)},
        .provenance = sqlite3_column_int64(s, 4),
        .finish = sqlite3_column_int(s, 5) ? PS_STORE_LENGTH : PS_STORE_STOP,
        .prompt_tokens = sqlite3_column_int64(s, 6),
        .output_tokens = sqlite3_column_int64(s, 7),
        .max_tokens = sqlite3_column_int64(s, 8),
        .time = sqlite3_column_int64(s, 9),
        .duration = sqlite3_column_int64(s, 10),
        .reasoning_size = (size_t)sqlite3_column_int64(s, 13),
        .content_size = (size_t)sqlite3_column_int64(s, 14),
        .id = id,
    };
    *frame = sqlite3_column_int64(s, 11);
    *offset = sqlite3_column_int64(s, 12);
    const void *blob = sqlite3_column_blob(s, 15);
    bool whole = blob && sqlite3_column_bytes(s, 15) == PS_STORE_CHECKSUM;
    if (whole) memcpy(checksum, blob, PS_STORE_CHECKSUM);
    PS_FAIL_IF(!whole || trace->output_tokens < 0, error, PS_CORRUPT, "its row is malformed");
    return PS_OK;
}

static enum ps_status read_trace(struct ps_store *store, int64_t id, sqlite3_stmt **statement,
                                 struct ps_arena *arena, struct ps_store_trace *trace,
                                 struct ps_error *error) {
    int64_t frame = 0, offset = 0;
    unsigned char checksum[PS_STORE_CHECKSUM];
    PS_TRY(read_row(store, id, statement, trace, &frame, &offset, checksum, error));
    PS_TRY(ps_store_frame_read(store, frame, error));
    size_t left = store->frame.size;
    PS_FAIL_IF(offset < 0 || (uint64_t)offset > left, error, PS_CORRUPT, "its frame is too short");
    left -= (size_t)offset;
    PS_FAIL_IF(trace->reasoning_size > left || trace->content_size > left - trace->reasoning_size,
               error, PS_CORRUPT, "its frame is too short");
    const char *body = store->frame.data + offset;
    trace->reasoning = ps_arena_strndup(arena, body, trace->reasoning_size);
    trace->content = ps_arena_strndup(arena, body + trace->reasoning_size, trace->content_size);
    PS_FAIL_IF(!trace->reasoning || !trace->content, error, PS_MEMORY,
               "no memory for a trace of %zu bytes", trace->reasoning_size + trace->content_size);
    PS_TRY(read_tokens(store, frame, arena, trace, error));
    PS_TRY(compute_digest(store, trace, &trace->digest, error));
    PS_FAIL_IF(memcmp(trace->digest.bytes, checksum, PS_STORE_CHECKSUM) != 0, error, PS_CORRUPT,
               "its checksum does not fit");
    return PS_OK;
}

enum ps_status ps_store_read_trace(struct ps_store *store, int64_t id, struct ps_arena *arena,
                                   struct ps_store_trace *trace, struct ps_error *error) {
    struct ps_error own;
    if (!error) error = &own;
    sqlite3_stmt *statement = NULL;
    enum ps_status status = read_trace(store, id, &statement, arena, trace, error);
    sqlite3_reset(statement);
    if (status == PS_CORRUPT)
        ps_error_prefix(error, "%s: trace %lld cannot be read", store->path, (long long)id);
    return status;
}

enum ps_status ps_store_find_trace(struct ps_store *store, const struct ps_store_key *key,
                                   int64_t *id, struct ps_error *error) {
    return ps_store_get(store, id, error,
                        "SELECT id FROM trace WHERE prompt = ?1 AND source = ?2 AND sampler = ?3 "
                        "AND sample = ?4",
                        "iiii", key->prompt, key->source, key->sampler, key->sample);
}

bool ps_store_write_reply(struct ps_buffer *reply, const struct ps_store_trace *trace) {
    bool thought = trace->reasoning_size > 0;
    bool cut_thinking = trace->finish == PS_STORE_LENGTH && trace->content_size == 0;
    return (!thought || ps_buffer_puts(reply, "<think>")) &&
           ps_buffer_append(reply, trace->reasoning, trace->reasoning_size) &&
           (!thought || cut_thinking || ps_buffer_puts(reply, "</think>")) &&
           ps_buffer_append(reply, trace->content, trace->content_size);
}
