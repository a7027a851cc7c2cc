/* Lists. A filter becomes a WHERE of fixed pieces of SQL with numbered parameters, so that nothing
 * of the user's reaches the text of a statement. */

#include "query_internal.h"

#include <string.h>

static bool add(struct ps_store_sql *sql, const char *piece) {
    return ps_buffer_puts(&sql->text, piece);
}

/* " AND <condition>?" for a value; the parameters bind in this order. */
static bool where_value(struct ps_store_sql *sql, const char *condition,
                        struct ps_store_value value) {
    sql->values[sql->count++] = value;
    return ps_buffer_format(&sql->text, " AND %s?%d", condition, sql->count);
}

static bool where_text(struct ps_store_sql *sql, const char *condition, const char *text) {
    struct ps_store_value value = {.type = PS_STORE_BIND_TEXT, .text = text};
    return !text || where_value(sql, condition, value);
}

static bool where_integer(struct ps_store_sql *sql, const char *condition, int64_t integer) {
    struct ps_store_value value = {.type = PS_STORE_BIND_INTEGER, .integer = integer};
    return integer == 0 || where_value(sql, condition, value);
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* The first and the last hash that begin with these digits; false when they are none. */
static bool hash_bounds(const char *digits, struct ps_hash *first, struct ps_hash *last) {
    size_t size = strlen(digits);
    memset(first, 0, sizeof *first);
    memset(last, 0xFF, sizeof *last);
    if (size == 0 || size > 2 * sizeof first->bytes) return false;
    for (size_t i = 0; i < size; i++) {
        int digit = hex_digit(digits[i]), shift = i % 2 ? 0 : 4;
        if (digit < 0) return false;
        first->bytes[i / 2] |= (unsigned char)(digit << shift);
        last->bytes[i / 2] &= (unsigned char)(digit << shift | (shift ? 0x0F : 0xF0));
    }
    return true;
}

static bool where_prompt(struct ps_store_sql *sql, const char *digits) {
    struct ps_store_value first = {.type = PS_STORE_BIND_HASH}, last = first;
    return !digits ||
           (hash_bounds(digits, &first.hash, &last.hash) && where_value(sql, "p.hash >= ", first) &&
            where_value(sql, "p.hash <= ", last));
}

/* What the view `difficulty` says of (prompt, item, source), asked before the prompt's traces are
 * looked at: a list with a limit need not know all of it. */
static bool where_difficulty(struct ps_store_sql *sql, const struct ps_store_range *range) {
    if (!range) return true;
    struct ps_store_value low = {.type = PS_STORE_BIND_REAL, .real = range->low};
    struct ps_store_value high = {.type = PS_STORE_BIND_REAL, .real = range->high};
    return where_value(
               sql,
               "(SELECT avg(v.verdict = 'correct') FROM trace t JOIN verdict v ON "
               "v.trace = t.id AND v.number = " PS_STORE_COUNTING_VERDICT
               " WHERE t.prompt = p.id AND t.source = s.id AND v.verdict IN " PS_STORE_SHARING_VERDICTS
               ") BETWEEN ",
               low) &&
           where_value(sql, "", high);
}

/* The verdict that counts is this one; those that have no such verdict at all are out at once. */
static bool where_verdict(struct ps_store_sql *sql, const char *verdict) {
    if (!verdict) return true;
    if (strcmp(verdict, "none") == 0) return add(sql, " AND v.verdict IS NULL");
    return where_text(sql, "v.verdict = ", verdict) &&
           ps_buffer_format(&sql->text,
                            " AND t.id IN (SELECT trace FROM verdict WHERE verdict = ?%d)",
                            sql->count);
}

/* The items that a trace is shown with: of those of its prompt that fit, the first, the first with
 * each gold, or all. */
static bool join_item(struct ps_store_sql *sql, const struct ps_store_filter *filter) {
    static const char *const groups[] = {[PS_STORE_PER_TRACE] = ")",
                                         [PS_STORE_PER_GOLD] = " GROUP BY j.gold)",
                                         [PS_STORE_PER_ITEM] = " GROUP BY j.id)"};
    struct ps_store_value row = {.type = PS_STORE_BIND_INTEGER,
                                 .integer = filter->row ? *filter->row : 0};
    return add(sql, " LEFT JOIN item i ON i.id ") &&
           add(sql, filter->per == PS_STORE_PER_TRACE ? "=" : "IN") &&
           add(sql, " (SELECT min(j.id) FROM item j WHERE j.prompt = p.id") &&
           where_text(sql, "j.dataset = ", filter->dataset) &&
           where_text(sql, "j.split = ", filter->split) &&
           (!filter->row || where_value(sql, "j.row = ", row)) && add(sql, groups[filter->per]);
}

/* found: ids of the traces that contain the filter's text, or NULL. */
static bool where(struct ps_store_sql *sql, const struct ps_store_filter *filter,
                  const char *found) {
    bool fits = add(sql, " WHERE true");
    if (filter->dataset || filter->split || filter->row)
        fits = fits && add(sql, " AND i.id IS NOT NULL");
    fits = fits && where_verdict(sql, filter->verdict) &&
           where_text(sql, "s.name = ", filter->source) &&
           where_text(sql, "t.finish_reason = ", filter->finish) &&
           where_integer(sql, "t.id = ", filter->trace_id) &&
           where_integer(sql, "t.prompt = ", filter->prompt_id) &&
           where_integer(sql, "t.source = ", filter->source_id) &&
           where_integer(sql, "t.sampler = ", filter->sampler_id) &&
           where_integer(sql, "t.output_tokens >= ", filter->min_tokens) &&
           where_integer(sql, "t.output_tokens <= ", filter->max_tokens);
    if (filter->selection)
        fits = fits &&
               where_text(sql,
                          "t.id IN (SELECT trace FROM selected JOIN selection n "
                          "ON n.id = selection WHERE n.name = ",
                          filter->selection) &&
               add(sql, ")");
    if (filter->ungraded)
        fits = fits &&
               where_text(sql,
                          "NOT EXISTS (SELECT 1 FROM verdict w WHERE w.trace = t.id AND "
                          "w.gold IS i.gold AND w.grader = ",
                          filter->ungraded) &&
               add(sql, ")");
    fits = fits && where_prompt(sql, filter->prompt) && where_difficulty(sql, filter->difficulty);
    if (found)
        fits = fits && where_text(sql, "t.id IN (SELECT value FROM json_each(", found) &&
               add(sql, "))");
    return fits;
}

static int bind(sqlite3_stmt *statement, int place, const struct ps_store_value *value) {
    switch (value->type) {
    case PS_STORE_BIND_TEXT:
        return sqlite3_bind_text(statement, place, value->text, -1, SQLITE_TRANSIENT);
    case PS_STORE_BIND_REAL: return sqlite3_bind_double(statement, place, value->real);
    case PS_STORE_BIND_HASH:
        return sqlite3_bind_blob(statement, place, value->hash.bytes, sizeof value->hash.bytes,
                                 SQLITE_TRANSIENT);
    default: return sqlite3_bind_int64(statement, place, value->integer);
    }
}

/* A list comes in the order of prompts' hashes, and without sorting if it begins with prompts: a
 * limit ends it soon. Item and difficulty are then looked up once for all samples. Where a
 * condition on traces can leave few of them, all are read in the order of the file instead, and
 * those few are sorted. */
static bool begins_with_traces(const struct ps_store_filter *filter, const char *found) {
    bool listed = filter->trace_id || filter->selection || found;
    bool few = filter->finish || filter->min_tokens || filter->max_tokens ||
               (filter->verdict && strcmp(filter->verdict, "none") != 0);
    return !filter->prompt && !filter->prompt_id && !filter->difficulty &&
           (listed || (few && filter->limit == 0));
}

enum ps_status ps_store_sql_build(struct ps_store *store, const char *columns,
                                  const struct ps_store_filter *filter, const char *tail,
                                  sqlite3_stmt **statement, struct ps_error *error) {
    static const struct ps_store_filter everything;
    struct ps_hash first, last;
    if (!filter) filter = &everything;
    PS_FAIL_IF(filter->prompt && !hash_bounds(filter->prompt, &first, &last), error, PS_ARGUMENT,
               "'%.80s' is no beginning of a prompt's hash", filter->prompt);
    struct ps_store_sql sql = {.count = 0};
    struct ps_buffer found = {0};
    if (filter->text) PS_TRY(ps_store_search(store, filter, &found, error));
    ps_buffer_init(&sql.text, 16384);
    enum ps_status status = PS_OK;
    bool by_trace = begins_with_traces(filter, found.data);
    bool fits =
        ps_buffer_format(&sql.text, "SELECT %s FROM ", columns) &&
        add(&sql, by_trace ? "trace t CROSS JOIN prompt p ON p.id = t.prompt" : "prompt p") &&
        join_item(&sql, filter) && add(&sql, " CROSS JOIN source s") &&
        add(&sql, by_trace ? " ON s.id = t.source"
                           : " CROSS JOIN trace t INDEXED BY sqlite_autoindex_trace_1 "
                             "ON t.prompt = p.id AND t.source = s.id") &&
        add(&sql, " CROSS JOIN sampler m ON m.id = t.sampler") &&
        add(&sql, " LEFT JOIN verdict v ON v.trace = t.id AND "
                  "v.number = " PS_STORE_COUNTING_VERDICT) &&
        where(&sql, filter, found.data) && add(&sql, tail);
    if (fits && filter->limit > 0 && strstr(tail, "ORDER BY"))
        fits = ps_buffer_format(&sql.text, " LIMIT %lld", (long long)filter->limit);
    PS_FAIL_DONE_IF(!fits, error, PS_MEMORY, "out of memory");
    int code = sqlite3_prepare_v2(store->database, sql.text.data, -1, statement, NULL);
    for (int i = 0; i < sql.count && code == SQLITE_OK; i++)
        code = bind(*statement, i + 1, &sql.values[i]);
    if (code != SQLITE_OK) {
        status = ps_store_fail(store, "read", error);
        sqlite3_finalize(*statement);
    }
done:
    ps_buffer_release(&found);
    ps_buffer_release(&sql.text);
    return status;
}

/* ---- cursors ---- */

struct ps_store_cursor {
    struct ps_store *store;
    sqlite3_stmt *statement;
};

enum ps_status ps_store_query(struct ps_store *store, const struct ps_store_filter *filter,
                              struct ps_store_cursor **result, struct ps_error *error) {
    *result = NULL;
    struct ps_store_cursor *cursor = ps_calloc(1, sizeof *cursor);
    PS_FAIL_IF_NULL(cursor, error);
    cursor->store = store;
    enum ps_status status = ps_store_sql_build(
        store,
        "t.id, t.prompt, t.source, t.sampler, t.sample, p.hash, s.hash, m.hash, s.name, i.dataset, "
        "i.split, i.gold, i.extra, i.id, i.row, v.verdict, v.extracted, "
        "t.finish_reason = 'length', t.prompt_tokens, t.output_tokens, t.max_tokens, t.time, "
        "t.duration, t.reasoning_bytes, t.content_bytes, "
        "EXISTS (SELECT 1 FROM item k WHERE k.prompt = t.prompt AND k.split = 'test'), "
        "t.checksum, v.grader",
        filter, PS_STORE_LIST_ORDER, &cursor->statement, error);
    if (status == PS_OK)
        *result = cursor;
    else
        ps_free(cursor);
    return status;
}

static bool copy_bytes(sqlite3_stmt *statement, int column, unsigned char *out, size_t size) {
    const void *data = sqlite3_column_blob(statement, column);
    if (!data || (size_t)sqlite3_column_bytes(statement, column) != size) return false;
    memcpy(out, data, size);
    return true;
}

static const char *text(sqlite3_stmt *statement, int column) {
    return (const char *)sqlite3_column_text(statement, column);
}

enum ps_status ps_store_next(struct ps_store_cursor *cursor, struct ps_store_row *row, bool *more,
                             struct ps_error *error) {
    sqlite3_stmt *s = cursor->statement;
    PS_TRY(ps_store_step(cursor->store, s, more, error));
    if (!*more) return PS_OK;
    *row = (struct ps_store_row){
        .id = sqlite3_column_int64(s, 0),
        .key = {sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3),
                sqlite3_column_int64(s, 4)},
        .source = text(s, 8),
        .dataset = text(s, 9),
        .split = text(s, 10),
        .gold = text(s, 11),
        .extra = text(s, 12),
        .item = sqlite3_column_int64(s, 13),
        .row = sqlite3_column_int64(s, 14),
        .verdict = text(s, 15),
        .extracted = text(s, 16),
        .finish = sqlite3_column_int(s, 17) ? PS_STORE_LENGTH : PS_STORE_STOP,
        .prompt_tokens = sqlite3_column_int64(s, 18),
        .output_tokens = sqlite3_column_int64(s, 19),
        .max_tokens = sqlite3_column_int64(s, 20),
        .time = sqlite3_column_int64(s, 21),
        .duration = sqlite3_column_int64(s, 22),
        .reasoning_size = sqlite3_column_int64(s, 23),
        .content_size = sqlite3_column_int64(s, 24),
        .in_test = sqlite3_column_int(s, 25),
        .grader = text(s, 27),
    };
    const size_t hash = sizeof row->prompt_hash.bytes;
    bool whole = copy_bytes(s, 5, row->prompt_hash.bytes, hash) &&
                 copy_bytes(s, 6, row->source_hash.bytes, hash) &&
                 copy_bytes(s, 7, row->sampler_hash.bytes, hash) &&
                 copy_bytes(s, 26, row->checksum, sizeof row->checksum) && row->source;
    PS_FAIL_IF(!whole, error, PS_CORRUPT, "%s: trace %lld has a malformed row", cursor->store->path,
               (long long)row->id);
    return PS_OK;
}

void ps_store_cursor_close(struct ps_store_cursor *cursor) {
    if (!cursor) return;
    sqlite3_finalize(cursor->statement);
    ps_free(cursor);
}
