/* Queries of the user's own. */

#include "store_internal.h"

#include <string.h>

static enum ps_status user_error(struct ps_store *store, struct ps_error *error) {
    int code = sqlite3_errcode(store->database) & 0xFF;
    if (code != SQLITE_ERROR) return ps_store_fail(store, "read", error);
    return ps_error_set(error, PS_ARGUMENT, "%s: %s", store->path, sqlite3_errmsg(store->database));
}

static struct ps_store_cell cell_of(sqlite3_stmt *s, int column) {
    struct ps_store_cell cell = {.name = sqlite3_column_name(s, column)};
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        cell.type = PS_STORE_INTEGER;
        cell.integer = sqlite3_column_int64(s, column);
        break;
    case SQLITE_FLOAT:
        cell.type = PS_STORE_REAL;
        cell.real = sqlite3_column_double(s, column);
        break;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        cell.type = sqlite3_column_type(s, column) == SQLITE_TEXT ? PS_STORE_TEXT : PS_STORE_BLOB;
        cell.data = sqlite3_column_blob(s, column);
        cell.size = (size_t)sqlite3_column_bytes(s, column);
        break;
    default: break;
    }
    return cell;
}

static enum ps_status read_rows(struct ps_store *store, sqlite3_stmt *s, ps_store_cells *row,
                                void *context, struct ps_error *error) {
    struct ps_store_cell cells[PS_STORE_CELLS];
    int columns = sqlite3_column_count(s), code;
    PS_FAIL_IF(columns > PS_STORE_CELLS, error, PS_LIMIT, "a query of more than %d columns",
               PS_STORE_CELLS);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) cells[i] = cell_of(s, i);
        PS_TRY(row(context, cells, (size_t)columns, error));
    }
    return code == SQLITE_DONE ? PS_OK : user_error(store, error);
}

enum ps_status ps_store_sql(struct ps_store *store, const char *sql, ps_store_cells *row,
                            void *context, struct ps_error *error) {
    sqlite3_stmt *s = NULL;
    const char *rest;
    PS_FAIL_IF(ps_store_add_functions(store->database) != SQLITE_OK, error, PS_MEMORY,
               "out of memory");
    if (sqlite3_prepare_v2(store->database, sql, -1, &s, &rest) != SQLITE_OK)
        return user_error(store, error);
    enum ps_status status = PS_OK;
    PS_FAIL_DONE_IF(!s, error, PS_ARGUMENT, "no statement given");
    PS_FAIL_DONE_IF(rest[strspn(rest, " \t\r\n;")], error, PS_ARGUMENT,
                    "one statement at a time: what is to become of '%.40s'?", rest);
    PS_FAIL_DONE_IF(!sqlite3_stmt_readonly(s), error, PS_ARGUMENT,
                    "this statement would change the store; traces sql only reads");
    status = read_rows(store, s, row, context, error);
done:
    sqlite3_finalize(s);
    return status;
}
