/* Corrections by hand, and copies. */

#include "store_internal.h"

#include "base/file.h"
#include "base/stop.h"
#include "query_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum ps_status ps_store_set_gold(struct ps_store *store, const char *dataset, const char *split,
                                 int64_t row, const char *gold, int64_t *items,
                                 struct ps_error *error) {
    PS_TRY(ps_store_put_begin(store, error));
    enum ps_status status = ps_store_run(
        store, error,
        "UPDATE item SET gold = ?4, corrected = ?5 WHERE dataset = ?1 AND split = ?2 AND row = ?3",
        "ttiti", dataset, split, row, gold, ps_store_now());
    if (status == PS_OK) status = ps_store_get(store, items, error, "SELECT changes()", "");
    return ps_store_put_end(store, status, error);
}

static enum ps_status delete_all(struct ps_store *store, sqlite3_stmt *ids, int64_t *traces,
                                 struct ps_error *error) {
    bool row;
    for (*traces = 0;; ++*traces) {
        PS_TRY(ps_store_step(store, ids, &row, error));
        if (!row) return PS_OK;
        PS_TRY(ps_store_run(store, error, "DELETE FROM trace WHERE id = ?1", "i",
                            sqlite3_column_int64(ids, 0)));
    }
}

enum ps_status ps_store_delete(struct ps_store *store, const struct ps_store_filter *filter,
                               int64_t *traces, struct ps_error *error) {
    sqlite3_stmt *ids;
    PS_TRY(ps_store_put_begin(store, error));
    /* Sorting ends the reading of `trace` before the first deletion from it. */
    enum ps_status status =
        ps_store_sql_build(store, "t.id", filter, " ORDER BY +t.id", &ids, error);
    if (status == PS_OK) {
        status = delete_all(store, ids, traces, error);
        sqlite3_finalize(ids);
    }
    return ps_store_put_end(store, status, error);
}

/* ---- backup ---- */

static enum ps_status copy_pages(struct ps_store *store, sqlite3 *copy, const char *path,
                                 struct ps_error *error) {
    enum { PAGES = 4096 };
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", store->database, "main");
    enum ps_status status = backup ? PS_OK : PS_IO;
    int code = SQLITE_OK;
    while (status == PS_OK && code != SQLITE_DONE) {
        code = sqlite3_backup_step(backup, PAGES);
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
            sqlite3_sleep(20);
        else if (code != SQLITE_OK && code != SQLITE_DONE)
            status = PS_IO;
        if (status == PS_OK) status = ps_stop_check(error);
    }
    sqlite3_backup_finish(backup);
    if (status != PS_IO) return status;
    code = sqlite3_errcode(copy) & 0xFF;
    return ps_error_set(error, code == SQLITE_FULL ? PS_FULL : PS_IO, "%s: cannot copy %s (%s)",
                        path, store->path, sqlite3_errmsg(copy));
}

enum ps_status ps_store_backup(struct ps_store *store, const char *path, struct ps_error *error) {
    char temporary[4096];
    sqlite3 *copy = NULL;
    PS_FAIL_IF(ps_file_exists(path), error, PS_ARGUMENT, "%s: exists already", path);
    PS_FAIL_IF(snprintf(temporary, sizeof temporary, "%s.tmp-%ld", path, (long)getpid()) >=
                   (int)sizeof temporary,
               error, PS_LIMIT, "%s: the path is too long", path);
    enum ps_status status = PS_OK;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE;
    PS_FAIL_DONE_IF(sqlite3_open_v2(temporary, &copy, flags, NULL) != SQLITE_OK, error, PS_IO,
                    "%s: cannot be made (%s)", path, copy ? sqlite3_errmsg(copy) : "no memory");
    PS_TRY_DONE(copy_pages(store, copy, path, error));
    /* Closing it brings the last of it to the file; without a WAL there is one file to rename. */
    sqlite3_exec(copy, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    int code = sqlite3_close(copy);
    copy = NULL;
    PS_FAIL_DONE_IF(code != SQLITE_OK, error, PS_IO, "%s: cannot be closed", path);
    if (rename(temporary, path) != 0)
        status = ps_error_errno(error, errno, "%s: rename", path);
    else
        status = ps_parent_sync(path, error);
done:
    sqlite3_close(copy);
    if (status != PS_OK) unlink(temporary);
    return status;
}
