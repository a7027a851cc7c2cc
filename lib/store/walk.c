/* Rows of a file that may be damaged.
 *
 * A table is walked from its first row up and, where a page on the way cannot be read, from its
 * last row down; ids between the two ends are then asked for one by one, which reaches the pages
 * beside the damaged ones. Only ids are read here, so that a row whose text is damaged does not end
 * the walk. The index of identities has the key of every trace a second time: a trace whose row
 * is gone has a name still. */

#include "walk_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* Ids that are asked for one by one at most, and in vain where the last id is not known. */
enum { PROBES = 1 << 20, MISSES = 2000 };

static bool add(struct ps_store_known_list *list, struct ps_store_known row) {
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 1024;
        struct ps_store_known *rows = ps_realloc(list->rows, room * sizeof *rows);
        if (!rows) return false;
        list->rows = rows;
        list->room = room;
    }
    list->rows[list->count++] = row;
    return true;
}

void ps_store_known_release(struct ps_store_known_list *list) {
    ps_free(list->rows);
    *list = (struct ps_store_known_list){0};
}

/* Appends the rows of a query (id, or id and key) until it ends, fails, or comes to an id that is
 * not above `above`. */
static enum ps_status collect(struct ps_store *store, const char *sql, int64_t above,
                              struct ps_store_known_list *list, bool *broken,
                              struct ps_error *error) {
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(store->database, sql, -1, &s, NULL);
    enum ps_status status = PS_OK;
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(s);
        if (code != SQLITE_ROW) break;
        struct ps_store_known row = {.id = sqlite3_column_int64(s, 0)};
        if (row.id <= above) break;
        if (sqlite3_column_count(s) > 1) {
            row.has_key = true;
            row.key = (struct ps_store_key){sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2),
                                            sqlite3_column_int64(s, 3), sqlite3_column_int64(s, 4)};
        }
        PS_FAIL_DONE_IF(!add(list, row), error, PS_MEMORY, "out of memory");
    }
    *broken = code != SQLITE_ROW && code != SQLITE_DONE;
    PS_FAIL_DONE_IF((code & 0xFF) == SQLITE_NOMEM, error, PS_MEMORY, "out of memory");
done:
    sqlite3_finalize(s);
    return status;
}

static enum ps_status probe(struct ps_store *store, const char *table, int64_t from, int64_t to,
                            struct ps_store_known_list *list, struct ps_error *error) {
    char sql[100];
    sqlite3_stmt *s = NULL;
    enum ps_status status = PS_OK;
    snprintf(sql, sizeof sql, "SELECT id FROM %s NOT INDEXED WHERE id = ?1", table);
    if (sqlite3_prepare_v2(store->database, sql, -1, &s, NULL) != SQLITE_OK) goto done;
    int64_t patience = to == INT64_MAX ? MISSES : PROBES, missed = 0;
    if (to - from > PROBES) to = from + PROBES;
    for (int64_t id = from; id < to && missed < patience; id++) {
        sqlite3_bind_int64(s, 1, id);
        missed++;
        if (sqlite3_step(s) != SQLITE_ROW) {
            sqlite3_reset(s);
            continue;
        }
        missed = 0;
        PS_FAIL_DONE_IF(!add(list, (struct ps_store_known){.id = id}), error, PS_MEMORY,
                        "out of memory");
        sqlite3_reset(s);
    }
done:
    sqlite3_finalize(s);
    return status;
}

static int64_t last_id(const struct ps_store_known_list *list) {
    return list->count ? list->rows[list->count - 1].id : 0;
}

enum ps_status ps_store_walk(struct ps_store *store, const char *table,
                             struct ps_store_known_list *list, bool *damaged,
                             struct ps_error *error) {
    char sql[100];
    bool broken;
    snprintf(sql, sizeof sql, "SELECT id FROM %s NOT INDEXED ORDER BY id", table);
    PS_TRY(collect(store, sql, INT64_MIN, list, damaged, error));
    if (!*damaged) return PS_OK;
    int64_t reached = last_id(list), end = INT64_MAX;
    size_t before = list->count;
    snprintf(sql, sizeof sql, "SELECT id FROM %s NOT INDEXED ORDER BY id DESC", table);
    PS_TRY(collect(store, sql, reached, list, &broken, error));
    if (list->count > before) end = last_id(list);
    return reached < end ? probe(store, table, reached + 1, end, list, error) : PS_OK;
}

static int compare_ids(const void *a, const void *b) {
    const struct ps_store_known *left = a, *right = b;
    if (left->id != right->id) return left->id < right->id ? -1 : 1;
    return right->has_key - left->has_key; /* the one with the key first */
}

enum ps_status ps_store_known_traces(struct ps_store *store, struct ps_store_known_list *list,
                                     struct ps_error *error) {
    bool damaged, broken;
#define BY_IDENTITY                                                                                \
    "SELECT id, prompt, source, sampler, sample FROM trace INDEXED BY sqlite_autoindex_trace_1"
    PS_TRY(ps_store_walk(store, "trace", list, &damaged, error));
    PS_TRY(collect(store, BY_IDENTITY " ORDER BY prompt, source, sampler, sample", INT64_MIN, list,
                   &broken, error));
    if (broken)
        PS_TRY(collect(store,
                       BY_IDENTITY " ORDER BY prompt DESC, source DESC, sampler DESC, sample DESC",
                       INT64_MIN, list, &broken, error));
#undef BY_IDENTITY
    if (list->count > 1) qsort(list->rows, list->count, sizeof *list->rows, compare_ids);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || list->rows[kept - 1].id != list->rows[i].id)
            list->rows[kept++] = list->rows[i];
    list->count = kept;
    return PS_OK;
}

/* ---- names ---- */

/* One text or number of the first row; false when there is none or it cannot be read. */
static bool look_up(struct ps_store *store, const char *sql, int64_t id, char *text, size_t size) {
    struct ps_error ignored;
    sqlite3_stmt *s;
    bool row = false;
    if (ps_store_prepare(store, &s, &ignored, sql, "i", id) != PS_OK) return false;
    if (ps_store_step(store, s, &row, &ignored) == PS_OK && row) {
        const char *found = (const char *)sqlite3_column_text(s, 0);
        snprintf(text, size, "%s", found ? found : "?");
    }
    sqlite3_reset(s);
    return row;
}

void ps_store_trace_name(struct ps_store *store, const struct ps_store_known *trace, char *text,
                         size_t size) {
    char item[200], source[100];
    struct ps_store_key key = trace->key;
    struct ps_error ignored;
    bool known = trace->has_key;
    sqlite3_stmt *s;
    if (!known && ps_store_prepare(store, &s, &ignored,
                                   "SELECT prompt, source, sampler, sample FROM trace NOT INDEXED "
                                   "WHERE id = ?1",
                                   "i", trace->id) == PS_OK) {
        if (ps_store_step(store, s, &known, &ignored) == PS_OK && known)
            key = (struct ps_store_key){sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                                        sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3)};
        sqlite3_reset(s);
    }
    if (!known) {
        snprintf(text, size, "trace %lld", (long long)trace->id);
        return;
    }
    if (!look_up(store,
                 "SELECT dataset || '/' || split || ':' || row FROM item WHERE prompt = ?1 "
                 "ORDER BY id LIMIT 1",
                 key.prompt, item, sizeof item))
        snprintf(item, sizeof item, "prompt %lld", (long long)key.prompt);
    if (!look_up(store, "SELECT name FROM source WHERE id = ?1", key.source, source, sizeof source))
        snprintf(source, sizeof source, "source %lld", (long long)key.source);
    snprintf(text, size, "trace %lld (%s, sample %lld of %s)", (long long)trace->id, item,
             (long long)key.sample, source);
}
