#pragma once
/* What the files of the store share. SQL text stands where it is used; ps_store_prepare keeps the
 * prepared form of each string literal. */

#include "base/lock.h"
#include "store/store.h"

#ifdef PS_STORE_EXTENSION /* extension.c */
#    include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#    include <sqlite3.h>
#endif

enum {
    PS_STORE_APPLICATION_ID = 0x706F7473, /* "pots" */
    PS_STORE_FORMAT = 1,                  /* user_version */
    PS_STORE_STATEMENTS = 96,
    PS_STORE_LEVEL = 5,      /* zstd level of bodies as they come in */
    PS_STORE_COMMIT_MS = 50, /* the oldest put waits no longer for its commit */
    PS_STORE_CHECKSUM = 16,  /* bytes of the digest kept beside a trace */
    PS_STORE_ANY_SIZE = -1,  /* of a frame: as it says itself, within the limit */
};

struct ps_store {
    sqlite3 *database;
    char *path, *warning;
    enum ps_store_mode mode;
    struct ps_lock owner; /* of STORE.owner, when open for writing */
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } statements[PS_STORE_STATEMENTS];
    size_t statement_count;
    bool in_transaction;
    int64_t first_put;      /* monotonic milliseconds of the first put of the transaction */
    struct ps_error failed; /* status is not PS_OK after a transaction was lost */
    struct ZSTD_CCtx_s *compressor;
    struct ZSTD_DCtx_s *decompressor;
    /* Raw bytes of the frame last read, of the base last used, of the token ids and
     * log-probabilities of a frame, and the rows that they are of (0: none). They are good as long
     * as no other process has written. */
    struct ps_buffer frame, base, ids, logprobs;
    int64_t frame_id, base_id, ids_id, logprobs_id, cache_version;
    struct ps_buffer scratch; /* encoded columns on their way in */
    struct ps_buffer scratch2;
};

/* ---- statement.c ---- */

/* Turns SQLite's last error into ours; `doing` is "write", "read", ... */
enum ps_status ps_store_fail(struct ps_store *store, const char *doing, struct ps_error *error);

/* Prepares sql (a string literal: its address is the key) or takes the kept form, resets it and
 * binds by types: i int64_t, z int64_t with 0 as NULL, t const char * (NULL is NULL), b const void
 * * and size_t (a NULL pointer is NULL). */
enum ps_status ps_store_prepare(struct ps_store *store, sqlite3_stmt **statement,
                                struct ps_error *error, const char *sql, const char *types, ...);
enum ps_status ps_store_step(struct ps_store *store, sqlite3_stmt *statement, bool *row,
                             struct ps_error *error);
/* prepare, one step, reset: for what returns no row, or whose only column of a row is *result. */
enum ps_status ps_store_run(struct ps_store *store, struct ps_error *error, const char *sql,
                            const char *types, ...);
enum ps_status ps_store_get(struct ps_store *store, int64_t *result, struct ps_error *error,
                            const char *sql, const char *types, ...);

/* Opens the transaction of this batch of puts unless it is open; then a savepoint, so that a put
 * happens as a whole or not at all. Each begin is ended with the put's status. */
enum ps_status ps_store_put_begin(struct ps_store *store, struct ps_error *error);
enum ps_status ps_store_put_end(struct ps_store *store, enum ps_status status,
                                struct ps_error *error);

int64_t ps_store_now(void); /* milliseconds since 1970 */

/* ---- open.c ---- */

/* ps_store_open with what statfs would say about the file system given. */
enum ps_status ps_store_open_on(struct ps_store **store, const char *path, enum ps_store_mode mode,
                                const char *network, struct ps_error *error);

/* ---- owner.c ---- */

/* Takes the lock of path's owner file, or PS_BUSY with who has it. */
enum ps_status ps_store_owner_take(struct ps_lock *owner, const char *path, struct ps_error *error);
/* "NFS", ... when path lies on a file system of that kind, else NULL. */
const char *ps_store_network(const char *path);

/* ---- schema.c ---- */

extern const char ps_store_schema[];
/* SQL for the number of the verdict that counts, of the trace that `t` stands for against the gold
 * of the item that `i` stands for: the latest by hand, which may be about whatever gold, else the
 * latest by a grader. */
#define PS_STORE_COUNTING_VERDICT                                                                  \
    "(SELECT number FROM verdict WHERE trace = t.id\n"                                             \
    "AND (gold IS i.gold OR gold IS NULL AND author NOTNULL)\n"                                    \
    "ORDER BY author ISNULL, number DESC LIMIT 1)"

/* SQL for the verdicts that difficulty is a share of. */
#define PS_STORE_SHARING_VERDICTS "('correct', 'wrong', 'no_answer', 'truncated')"

/* ---- codec.c ---- */

/* Columns of tokens: a byte that names the coding, then the data. Appends to out. */
enum ps_status ps_store_ids_encode(struct ps_buffer *out, const int32_t *ids, size_t count,
                                   struct ps_error *error);
enum ps_status ps_store_logprobs_encode(struct ps_buffer *out, const float *logprobs, size_t count,
                                        struct ps_error *error);
/* As they stand in a frame, without the byte; and the column that says where in its frame a trace
 * has them. */
enum ps_status ps_store_varints_encode(struct ps_buffer *out, const int32_t *ids, size_t count,
                                       struct ps_error *error);
enum ps_status ps_store_place_encode(struct ps_buffer *out, int32_t offset, struct ps_error *error);
/* Fill exactly count values, or PS_CORRUPT. *size becomes the bytes that the values took. */
enum ps_status ps_store_varints_decode(const void *data, size_t *size, int32_t *ids, size_t count,
                                       struct ps_error *error);
/* Log-probabilities take 2 * count bytes there. */
enum ps_status ps_store_planes_encode(struct ps_buffer *out, const float *logprobs, size_t count,
                                      struct ps_error *error);
void ps_store_planes_decode(const void *data, float *logprobs, size_t count);
/* What ps_store_place_encode wrote, or -1. */
int64_t ps_store_place_decode(const void *data, size_t size);
/* Fill exactly count values, or PS_CORRUPT. */
enum ps_status ps_store_ids_decode(const void *data, size_t size, int32_t *ids, size_t count,
                                   struct ps_error *error);
enum ps_status ps_store_logprobs_decode(const void *data, size_t size, float *logprobs,
                                        size_t count, struct ps_error *error);
/* The number of ids in an encoded column, or -1 when it is malformed. */
int64_t ps_store_ids_count(const void *data, size_t size);

/* A zstd frame of data, with prefix (may be NULL) as its base. Appends to out. */
enum ps_status ps_store_frame_encode(struct ps_store *store, struct ps_buffer *out, int level,
                                     const void *data, size_t size, const void *prefix,
                                     size_t prefix_size, struct ps_error *error);
/* The other way: fills out with exactly raw_bytes, or PS_CORRUPT. raw_bytes is checked against the
 * frame's own claim and PS_STORE_BODY_LIMIT before anything is allocated. */
enum ps_status ps_store_frame_decode(struct ZSTD_DCtx_s *context, struct ps_buffer *out,
                                     const void *data, size_t size, int64_t raw_bytes,
                                     const void *prefix, size_t prefix_size,
                                     struct ps_error *error);

/* ---- trace.c ---- */

/* Appends the whole reply as it was generated; one that was cut while thinking has no </think>. */
bool ps_store_write_reply(struct ps_buffer *reply, const struct ps_store_trace *trace);

/* ---- functions.c ---- */

/* Adds potstill_text and potstill_tokens to a connection; a code of SQLite's. */
int ps_store_add_functions(sqlite3 *database);

/* ---- frame.c ---- */

/* Reads the text of frame `id` into store->frame, its token ids into store->ids, its
 * log-probabilities into store->logprobs. */
enum ps_status ps_store_frame_read(struct ps_store *store, int64_t id, struct ps_error *error);
enum ps_status ps_store_frame_ids(struct ps_store *store, int64_t id, struct ps_error *error);
enum ps_status ps_store_frame_logprobs(struct ps_store *store, int64_t id, struct ps_error *error);
/* To be called when frames were removed or a transaction was undone. */
void ps_store_frame_forget(struct ps_store *store);

/* The frame that the next one of this prompt is compressed with: 0 for the first. */
enum ps_status ps_store_frame_base(struct ps_store *store, int64_t prompt, int64_t *base,
                                   struct ps_error *error);
/* Writes the body of a trace. */
enum ps_status ps_store_frame_put(struct ps_store *store, const struct ps_store_trace *trace,
                                  int64_t base, int64_t *frame, struct ps_error *error);
/* Removes frames that no trace and no other frame needs. Foreign keys should be off: SQLite would
 * look through all traces for each of them. */
enum ps_status ps_store_frame_remove_unused(struct ps_store *store, struct ps_error *error);
