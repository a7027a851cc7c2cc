/* What can be read of a damaged store goes into a new one, row by row and with the same row ids.
 * What refers to a row that is lost is lost with it: the new store's foreign keys see to that. In
 * the end each trace is read from the new store; one whose text or checksum is damaged goes. */

#include "walk_internal.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 24 };

struct salvager {
    struct ps_store *from, *to;
    ps_store_report *report;
    void *context;
    struct ps_store_verified *result;
};

/* What must end the work: the new file cannot be written, or there is no memory. A row that breaks
 * a rule of the new store is a lost row. */
static bool is_fatal(enum ps_status status) {
    return status != PS_OK && status != PS_ARGUMENT && status != PS_CORRUPT && status != PS_LIMIT;
}

/* Inserts the row that `row` stands at, column by column. */
static enum ps_status insert_row(struct salvager *salvager, const char *table, sqlite3_stmt *row,
                                 struct ps_error *error) {
    char sql[300];
    sqlite3_stmt *s = NULL;
    int columns = sqlite3_column_count(row);
    PS_FAIL_IF(columns > COLUMNS, error, PS_CORRUPT, "%s has %d columns", table, columns);
    int size = snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO %s VALUES (?", table);
    for (int i = 1; i < columns; i++) size += snprintf(sql + size, sizeof sql - (size_t)size, ",?");
    snprintf(sql + size, sizeof sql - (size_t)size, ")");
    PS_TRY(ps_store_put_begin(salvager->to, error));
    int code = sqlite3_prepare_v2(salvager->to->database, sql, -1, &s, NULL);
    for (int i = 0; i < columns && code == SQLITE_OK; i++)
        code = sqlite3_bind_value(s, i + 1, sqlite3_column_value(row, i));
    if (code == SQLITE_OK) code = sqlite3_step(s);
    enum ps_status status =
        code == SQLITE_DONE ? PS_OK : ps_store_fail(salvager->to, "write", error);
    sqlite3_finalize(s);
    PS_TRY(ps_store_put_end(salvager->to, status, error));
    return ps_store_flush_due(salvager->to, error);
}

/* Copies what a query with one number finds; *copied counts rows. */
static enum ps_status copy_rows(struct salvager *salvager, const char *table, const char *where,
                                int64_t id, int64_t *copied, struct ps_error *error) {
    char sql[200];
    struct ps_error own = {0};
    sqlite3_stmt *s = NULL;
    snprintf(sql, sizeof sql, "SELECT * FROM %s %s", table, where);
    if (sqlite3_prepare_v2(salvager->from->database, sql, -1, &s, NULL) != SQLITE_OK) return PS_OK;
    sqlite3_bind_int64(s, 1, id);
    enum ps_status status = PS_OK;
    while (!is_fatal(status) && sqlite3_step(s) == SQLITE_ROW) {
        status = insert_row(salvager, table, s, &own);
        *copied += status == PS_OK;
    }
    sqlite3_finalize(s);
    PS_FAIL_IF(is_fatal(status), error, status, "%s", own.message);
    return PS_OK;
}

static void say(struct salvager *salvager, const char *line) {
    salvager->result->problems++;
    salvager->report(salvager->context, line);
}

static enum ps_status copy_table(struct salvager *salvager, const char *table,
                                 struct ps_error *error) {
    struct ps_store_known_list list = {0};
    char line[200];
    bool damaged;
    int64_t copied = 0;
    enum ps_status status = ps_store_walk(salvager->from, table, &list, &damaged, error);
    for (size_t i = 0; status == PS_OK && i < list.count; i++)
        status = copy_rows(salvager, table, "NOT INDEXED WHERE id = ?1", list.rows[i].id, &copied,
                           error);
    if (status == PS_OK && (damaged || copied < (int64_t)list.count)) {
        snprintf(line, sizeof line, "%s: %lld rows saved, %lld lost%s", table, (long long)copied,
                 (long long)((int64_t)list.count - copied),
                 damaged ? ", and those on pages that cannot be read" : "");
        say(salvager, line);
    }
    ps_store_known_release(&list);
    return status;
}

/* What belongs to a trace, by its id. */
static enum ps_status copy_of_traces(struct salvager *salvager,
                                     const struct ps_store_known_list *traces,
                                     struct ps_error *error) {
    static const char *const tables[] = {"tokens", "verdict", "selected"};
    int64_t copied = 0;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < traces->count; i++)
            PS_TRY(copy_rows(salvager, tables[t], "WHERE trace = ?1", traces->rows[i].id, &copied,
                             error));
    return PS_OK;
}

static enum ps_status check_traces(struct salvager *salvager,
                                   const struct ps_store_known_list *traces,
                                   struct ps_error *error) {
    struct ps_error own;
    struct ps_store_trace trace;
    struct ps_arena arena;
    char name[400], line[1600];
    for (size_t i = 0; i < traces->count; i++) {
        int64_t id = traces->rows[i].id;
        ps_arena_init(&arena, 16u * PS_STORE_BODY_LIMIT);
        enum ps_status status = ps_store_read_trace(salvager->to, id, &arena, &trace, &own);
        ps_arena_release(&arena);
        salvager->result->traces++;
        if (status == PS_OK) continue;
        PS_FAIL_IF(is_fatal(status) && status != PS_NOT_FOUND, error, status, "%s", own.message);
        salvager->result->lost++;
        ps_store_trace_name(salvager->from, &traces->rows[i], name, sizeof name);
        snprintf(line, sizeof line, "lost: %s%s%s", name, status == PS_NOT_FOUND ? "" : ": ",
                 status == PS_NOT_FOUND ? "" : own.message);
        say(salvager, line);
        PS_TRY(ps_store_put_begin(salvager->to, error));
        status = ps_store_run(salvager->to, error, "DELETE FROM trace WHERE id = ?1", "i", id);
        PS_TRY(ps_store_put_end(salvager->to, status, error));
    }
    return PS_OK;
}

/* Frames whose traces are lost go; one that is needed as a base has text alone. */
static enum ps_status drop_rest(struct ps_store *store, struct ps_error *error) {
    PS_TRY(ps_store_flush(store, error));
    PS_TRY(ps_store_run(store, error, "PRAGMA foreign_keys=OFF", ""));
    PS_TRY(ps_store_put_begin(store, error));
    enum ps_status status = ps_store_frame_remove_unused(store, error);
    if (status == PS_OK)
        status = ps_store_run(store, error,
                              "UPDATE frame SET ids = NULL, logprobs = NULL WHERE packed > 0 AND "
                              "id NOT IN (SELECT frame FROM trace)",
                              "");
    PS_TRY(ps_store_put_end(store, status, error));
    return ps_store_flush(store, error);
}

static enum ps_status salvage(struct salvager *salvager, struct ps_error *error) {
    static const char *const tables[] = {"prompt", "source", "sampler", "provenance", "item",
                                         "frame",  "trace",  "attempt", "selection"};
    struct ps_store_known_list traces = {0};
    int64_t copied = 0;
    enum ps_status status = PS_OK;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        PS_TRY(copy_table(salvager, tables[i], error));
    /* A row that is there already is left: from both ends, each row once. */
    PS_TRY(copy_rows(salvager, "partial", "WHERE prompt > ?1", 0, &copied, error));
    PS_TRY(copy_rows(salvager, "partial",
                     "WHERE prompt > ?1 ORDER BY prompt DESC, source DESC, sampler DESC, sample "
                     "DESC",
                     0, &copied, error));
    PS_TRY_DONE(ps_store_known_traces(salvager->from, &traces, error));
    PS_TRY_DONE(copy_of_traces(salvager, &traces, error));
    PS_TRY_DONE(check_traces(salvager, &traces, error));
    PS_TRY_DONE(drop_rest(salvager->to, error));
done:
    ps_store_known_release(&traces);
    return status;
}

enum ps_status ps_store_salvage(struct ps_store *store, const char *path, ps_store_report *report,
                                void *context, struct ps_store_verified *result,
                                struct ps_error *error) {
    struct salvager salvager = {store, NULL, report, context, result};
    *result = (struct ps_store_verified){0};
    PS_FAIL_IF(ps_file_exists(path), error, PS_ARGUMENT,
               "%s is there already; give the name of a new file", path);
    PS_TRY(ps_store_open(&salvager.to, path, PS_STORE_CREATE, error));
    enum ps_status status = salvage(&salvager, error);
    ps_store_close(salvager.to);
    return status;
}
