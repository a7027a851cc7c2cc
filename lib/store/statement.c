/* SQLite calls with our errors, prepared statements kept by the address of their text, and the
 * transaction that a batch of puts shares.
 *
 * A put runs in a savepoint: when it fails for itself (a bad argument, no memory) the batch goes on
 * without it. When SQLite gives up the whole transaction (disk full, I/O error) the puts before it
 * are lost too, although their callers saw PS_OK; ids handed out since the last flush no longer
 * stand for anything. The store then refuses every further put and flush with the same error, so
 * that nothing can be reported as kept that is not. */

#include "store_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

int64_t ps_store_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum ps_status ps_store_fail(struct ps_store *store, const char *doing, struct ps_error *error) {
    int code = sqlite3_errcode(store->database) & 0xFF;
    int system = sqlite3_system_errno(store->database);
    const char *path = store->path, *text = sqlite3_errmsg(store->database);
    if (code == SQLITE_FULL || (code == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT)))
        return ps_error_set(error, PS_FULL,
                            "%s: the disk is full; what was kept so far is safe: free some space "
                            "and start again",
                            path);
    switch (code) {
    case SQLITE_NOMEM: return ps_error_set(error, PS_MEMORY, "out of memory");
    case SQLITE_NOTADB: return ps_error_set(error, PS_FORMAT, "%s: not a trace store", path);
    case SQLITE_CORRUPT:
        return ps_error_set(error, PS_CORRUPT,
                            "%s: the file is damaged (%s); run 'potstill traces verify %s'", path,
                            text, path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ps_error_set(error, PS_BUSY, "%s: in use by another process", path);
    case SQLITE_READONLY:
        return ps_error_set(error, PS_ARGUMENT, "%s: cannot be written (%s)", path, text);
    case SQLITE_CONSTRAINT:
        return ps_error_set(error, PS_ARGUMENT, "%s: cannot keep this (%s)", path, text);
    case SQLITE_TOOBIG: return ps_error_set(error, PS_LIMIT, "%s: too large to keep", path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (code == SQLITE_CANTOPEN && system)
            return ps_error_errno(error, system, "%s: cannot %s", path, doing);
        return ps_error_set(error, PS_IO,
                            "%s: cannot %s (%s%s%s); what was kept so far is safe: see what is "
                            "wrong with the disk, then start again",
                            path, doing, text, system ? ": " : "", system ? strerror(system) : "");
    /* Our own SQL is right, so a table or column that it misses is missing in the file. */
    default: return ps_error_set(error, PS_CORRUPT, "%s: cannot %s (%s)", path, doing, text);
    }
}

static enum ps_status find_or_prepare(struct ps_store *store, const char *sql,
                                      sqlite3_stmt **statement, struct ps_error *error) {
    for (size_t i = 0; i < store->statement_count; i++)
        if (store->statements[i].sql == sql) {
            *statement = store->statements[i].statement;
            sqlite3_reset(*statement);
            return PS_OK;
        }
    PS_FAIL_IF(store->statement_count == PS_STORE_STATEMENTS, error, PS_INTERNAL,
               "more than %d kinds of statements", PS_STORE_STATEMENTS);
    if (sqlite3_prepare_v3(store->database, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) !=
        SQLITE_OK)
        return ps_store_fail(store, "read", error);
    store->statements[store->statement_count].sql = sql;
    store->statements[store->statement_count++].statement = *statement;
    return PS_OK;
}

static enum ps_status prepare(struct ps_store *store, sqlite3_stmt **statement,
                              struct ps_error *error, const char *sql, const char *types,
                              va_list arguments) {
    PS_TRY(find_or_prepare(store, sql, statement, error));
    int code = SQLITE_OK;
    for (int i = 0; types[i] && code == SQLITE_OK; i++) {
        if (types[i] == 'i' || types[i] == 'z') {
            int64_t value = va_arg(arguments, int64_t);
            code = types[i] == 'z' && value == 0 ? sqlite3_bind_null(*statement, i + 1)
                                                 : sqlite3_bind_int64(*statement, i + 1, value);
        } else if (types[i] == 't') {
            code = sqlite3_bind_text(*statement, i + 1, va_arg(arguments, const char *), -1,
                                     SQLITE_STATIC);
        } else {
            const void *data = va_arg(arguments, const void *);
            size_t size = va_arg(arguments, size_t);
            code = sqlite3_bind_blob64(*statement, i + 1, data, size, SQLITE_STATIC);
        }
    }
    return code == SQLITE_OK ? PS_OK : ps_store_fail(store, "write", error);
}

enum ps_status ps_store_prepare(struct ps_store *store, sqlite3_stmt **statement,
                                struct ps_error *error, const char *sql, const char *types, ...) {
    va_list arguments;
    va_start(arguments, types);
    enum ps_status status = prepare(store, statement, error, sql, types, arguments);
    va_end(arguments);
    return status;
}

enum ps_status ps_store_step(struct ps_store *store, sqlite3_stmt *statement, bool *row,
                             struct ps_error *error) {
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE) return PS_OK;
    enum ps_status status =
        ps_store_fail(store, sqlite3_stmt_readonly(statement) ? "read" : "write", error);
    sqlite3_reset(statement);
    return status;
}

static enum ps_status get(struct ps_store *store, int64_t *result, struct ps_error *error,
                          const char *sql, const char *types, va_list arguments) {
    sqlite3_stmt *statement;
    bool row;
    PS_TRY(prepare(store, &statement, error, sql, types, arguments));
    PS_TRY(ps_store_step(store, statement, &row, error));
    if (result) *result = row ? sqlite3_column_int64(statement, 0) : 0;
    /* INSERT ... RETURNING has done its work at the first row, but is complete only at the end. */
    while (row) PS_TRY(ps_store_step(store, statement, &row, error));
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return PS_OK;
}

enum ps_status ps_store_run(struct ps_store *store, struct ps_error *error, const char *sql,
                            const char *types, ...) {
    va_list arguments;
    va_start(arguments, types);
    enum ps_status status = get(store, NULL, error, sql, types, arguments);
    va_end(arguments);
    return status;
}

enum ps_status ps_store_get(struct ps_store *store, int64_t *result, struct ps_error *error,
                            const char *sql, const char *types, ...) {
    va_list arguments;
    va_start(arguments, types);
    enum ps_status status = get(store, result, error, sql, types, arguments);
    va_end(arguments);
    return status;
}

/* ---- the transaction ---- */

static enum ps_status still_failed(struct ps_store *store, struct ps_error *error) {
    if (store->failed.status != PS_OK && error) *error = store->failed;
    return store->failed.status;
}

static enum ps_status give_up(struct ps_store *store, enum ps_status status,
                              struct ps_error *error) {
    if (!sqlite3_get_autocommit(store->database))
        sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    store->in_transaction = false;
    ps_store_frame_forget(store);
    ps_error_set(&store->failed, status, "%s", error ? error->message : ps_status_text(status));
    return status;
}

enum ps_status ps_store_put_begin(struct ps_store *store, struct ps_error *error) {
    PS_FAIL_IF(store->mode == PS_STORE_READ, error, PS_ARGUMENT, "%s: opened for reading only",
               store->path);
    PS_TRY(still_failed(store, error));
    if (!store->in_transaction) {
        PS_TRY(ps_store_run(store, error, "BEGIN IMMEDIATE", ""));
        store->in_transaction = true;
        store->first_put = monotonic_ms();
    }
    return ps_store_run(store, error, "SAVEPOINT put", "");
}

enum ps_status ps_store_put_end(struct ps_store *store, enum ps_status status,
                                struct ps_error *error) {
    struct ps_error ignored;
    /* Statements left in the middle of their rows would hold the savepoint open. */
    if (status != PS_OK)
        for (size_t i = 0; i < store->statement_count; i++)
            sqlite3_reset(store->statements[i].statement);
    if (status == PS_OK) status = ps_store_run(store, error, "RELEASE put", "");
    if (status == PS_OK) return PS_OK;
    ps_store_frame_forget(store);
    if (!sqlite3_get_autocommit(store->database) &&
        ps_store_run(store, &ignored, "ROLLBACK TO put", "") == PS_OK &&
        ps_store_run(store, &ignored, "RELEASE put", "") == PS_OK)
        return status;
    return give_up(store, status, error);
}

enum ps_status ps_store_flush(struct ps_store *store, struct ps_error *error) {
    PS_TRY(still_failed(store, error));
    if (!store->in_transaction) return PS_OK;
    enum ps_status status = ps_store_run(store, error, "COMMIT", "");
    if (status != PS_OK) return give_up(store, status, error);
    store->in_transaction = false;
    return PS_OK;
}

enum ps_status ps_store_flush_due(struct ps_store *store, struct ps_error *error) {
    PS_TRY(still_failed(store, error));
    if (!store->in_transaction || monotonic_ms() - store->first_put < PS_STORE_COMMIT_MS)
        return PS_OK;
    return ps_store_flush(store, error);
}
