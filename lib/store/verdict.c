/* Verdicts, the difficulty they add up to, and selections. */

#include "store_internal.h"

#include <math.h>

enum ps_status ps_store_put_verdict(struct ps_store *store, int64_t trace,
                                    const struct ps_store_verdict *verdict,
                                    struct ps_error *error) {
    PS_TRY(ps_store_put_begin(store, error));
    enum ps_status status = ps_store_run(
        store, error,
        "INSERT INTO verdict (trace, number, grader, verdict, gold, extracted, rule, reason, "
        "author, time) VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM verdict WHERE "
        "trace = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        "ittttttti", trace, verdict->grader, verdict->verdict, verdict->gold, verdict->extracted,
        verdict->rule, verdict->reason, verdict->author,
        verdict->time ? verdict->time : ps_store_now());
    return ps_store_put_end(store, status, error);
}

static enum ps_status copy_text(sqlite3_stmt *statement, int column, struct ps_arena *arena,
                                const char **text, struct ps_error *error) {
    const char *found = (const char *)sqlite3_column_text(statement, column);
    *text = found ? ps_arena_strndup(arena, found, (size_t)sqlite3_column_bytes(statement, column))
                  : NULL;
    PS_FAIL_IF(found && !*text, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

/* Columns: grader, verdict, gold, extracted, rule, reason, author, time. */
static enum ps_status read_verdict(sqlite3_stmt *s, struct ps_arena *arena,
                                   struct ps_store_verdict *verdict, struct ps_error *error) {
    const char **const texts[] = {&verdict->grader,    &verdict->verdict, &verdict->gold,
                                  &verdict->extracted, &verdict->rule,    &verdict->reason,
                                  &verdict->author};
    for (int i = 0; i < 7; i++) PS_TRY(copy_text(s, i, arena, texts[i], error));
    verdict->time = sqlite3_column_int64(s, 7);
    return PS_OK;
}

enum ps_status ps_store_read_verdicts(struct ps_store *store, int64_t trace, struct ps_arena *arena,
                                      struct ps_store_verdict **verdicts, size_t *count,
                                      struct ps_error *error) {
    sqlite3_stmt *s;
    int64_t room;
    bool row;
    *count = 0;
    PS_TRY(ps_store_get(store, &room, error, "SELECT count(*) FROM verdict WHERE trace = ?1", "i",
                        trace));
    *verdicts = ps_arena_array(arena, (size_t)room + 1, sizeof **verdicts);
    PS_FAIL_IF_NULL(*verdicts, error);
    PS_TRY(ps_store_prepare(store, &s, error,
                            "SELECT grader, verdict, gold, extracted, rule, reason, author, time "
                            "FROM verdict WHERE trace = ?1 ORDER BY number",
                            "i", trace));
    enum ps_status status = PS_OK;
    for (; *count < (size_t)room; ++*count) {
        PS_TRY_DONE(ps_store_step(store, s, &row, error));
        if (!row) break;
        PS_TRY_DONE(read_verdict(s, arena, &(*verdicts)[*count], error));
    }
done:
    sqlite3_reset(s);
    return status;
}

enum ps_status ps_store_difficulty(struct ps_store *store, int64_t prompt, int64_t item,
                                   int64_t source, struct ps_store_difficulty *difficulty,
                                   struct ps_error *error) {
    sqlite3_stmt *statement;
    bool row;
    PS_TRY(ps_store_prepare(
        store, &statement, error,
        "SELECT count(*), total(v.verdict = 'correct') FROM trace t "
        "LEFT JOIN item i ON i.id = ?2 JOIN verdict v ON v.trace = t.id "
        "AND v.number = " PS_STORE_COUNTING_VERDICT
        " WHERE t.prompt = ?1 AND t.source = ?3 AND v.verdict IN " PS_STORE_SHARING_VERDICTS,
        "izi", prompt, item, source));
    PS_TRY(ps_store_step(store, statement, &row, error));
    *difficulty = (struct ps_store_difficulty){.graded = sqlite3_column_int64(statement, 0),
                                               .correct = sqlite3_column_int64(statement, 1),
                                               .share = NAN};
    if (difficulty->graded > 0)
        difficulty->share = (double)difficulty->correct / (double)difficulty->graded;
    sqlite3_reset(statement);
    return PS_OK;
}

static enum ps_status put_selection(struct ps_store *store, const char *name, const char *settings,
                                    const int64_t *traces, size_t count, struct ps_error *error) {
    int64_t id;
    PS_TRY(ps_store_get(store, &id, error, "SELECT id FROM selection WHERE name = ?1", "t", name));
    PS_TRY(ps_store_run(store, error, "DELETE FROM selected WHERE selection = ?1", "i", id));
    PS_TRY(ps_store_get(store, &id, error,
                        "INSERT INTO selection (id, name, settings, time) VALUES (?1, ?2, ?3, ?4) "
                        "ON CONFLICT (id) DO UPDATE SET settings = ?3, time = ?4 RETURNING id",
                        "ztti", id, name, settings, ps_store_now()));
    for (size_t i = 0; i < count; i++)
        PS_TRY(ps_store_run(store, error,
                            "INSERT INTO selected (trace, selection) VALUES (?1, ?2) "
                            "ON CONFLICT DO NOTHING",
                            "ii", traces[i], id));
    return PS_OK;
}

enum ps_status ps_store_put_selection(struct ps_store *store, const char *name,
                                      const char *settings, const int64_t *traces, size_t count,
                                      struct ps_error *error) {
    PS_TRY(ps_store_put_begin(store, error));
    enum ps_status status = put_selection(store, name, settings, traces, count, error);
    return ps_store_put_end(store, status, error);
}
