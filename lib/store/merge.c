/* Merging: the union of two stores by identity.
 *
 * What the other store has is found again here by its hashes, or added. Where both have a trace for
 * one (prompt, source, sampler, sample) and the traces differ, a reply that stopped beats one that
 * was cut, then more tokens beat fewer, then the smaller digest wins: it does not matter which of
 * the two is merged into which. Each put is whole in itself and repeating one changes nothing, so
 * that a merge which was cut off is finished by merging again. */

#include "store_internal.h"

#include "base/stop.h"

#include <string.h>

/* A row id of the other store, and the row here that has the same hash. */
struct link {
    int64_t theirs, ours;
};

struct merge {
    struct ps_store *store, *other;
    struct ps_arena *arena;                          /* emptied after each row */
    struct link prompt, source, sampler, provenance; /* the last ones: they come in runs */
    const struct ps_store_merge_report *report;
    struct ps_store_merge_counts *counts;
};

/* ---- identities ---- */

static const char *text(sqlite3_stmt *statement, int column) {
    return (const char *)sqlite3_column_text(statement, column);
}

static enum ps_status dangling(const struct merge *merge, const char *what, int64_t id,
                               struct ps_error *error) {
    return ps_error_set(error, PS_CORRUPT,
                        "%s: %s %lld is named but missing; see 'potstill traces "
                        "verify %s'",
                        merge->other->path, what, (long long)id, merge->other->path);
}

/* Of the store's sources, samplers and provenances; a source has a name beside its JSON. */
typedef enum ps_status put_identity(struct ps_store *store, const char *name, const char *json,
                                    int64_t *id, struct ps_error *error);

static enum ps_status put_source(struct ps_store *store, const char *name, const char *json,
                                 int64_t *id, struct ps_error *error) {
    return ps_store_put_source(store, name, json, id, NULL, error);
}

static enum ps_status put_sampler(struct ps_store *store, const char *name, const char *json,
                                  int64_t *id, struct ps_error *error) {
    (void)name;
    return ps_store_put_sampler(store, json, id, NULL, error);
}

static enum ps_status put_provenance(struct ps_store *store, const char *name, const char *json,
                                     int64_t *id, struct ps_error *error) {
    (void)name;
    return ps_store_put_provenance(store, json, id, error);
}

static enum ps_status put_prompt(struct ps_store *store, const char *name, const char *json,
                                 int64_t *id, struct ps_error *error) {
    (void)name;
    return ps_store_put_prompt(store, json, id, NULL, error);
}

/* sql gives the JSON, and the name, of row `*id` of the other store; *id becomes the row here. */
static enum ps_status translate(struct merge *merge, struct link *last, const char *what,
                                const char *sql, put_identity *put, int64_t *id,
                                struct ps_error *error) {
    sqlite3_stmt *statement;
    bool row;
    if (last->theirs != *id) {
        PS_TRY(ps_store_prepare(merge->other, &statement, error, sql, "i", *id));
        PS_TRY(ps_store_step(merge->other, statement, &row, error));
        enum ps_status status =
            row ? put(merge->store, text(statement, 1), text(statement, 0), &last->ours, error)
                : dangling(merge, what, *id, error);
        sqlite3_reset(statement);
        last->theirs = status == PS_OK ? *id : 0;
        PS_TRY(status);
    }
    *id = last->ours;
    return PS_OK;
}

static enum ps_status translate_prompt(struct merge *merge, int64_t *id, struct ps_error *error) {
    return translate(merge, &merge->prompt, "prompt",
                     "SELECT conversation, NULL FROM prompt WHERE id = ?1", put_prompt, id, error);
}

static enum ps_status translate_provenance(struct merge *merge, int64_t *id,
                                           struct ps_error *error) {
    return translate(merge, &merge->provenance, "provenance",
                     "SELECT facts, NULL FROM provenance WHERE id = ?1", put_provenance, id, error);
}

static enum ps_status translate_key(struct merge *merge, struct ps_store_key *key,
                                    struct ps_error *error) {
    PS_TRY(translate_prompt(merge, &key->prompt, error));
    PS_TRY(translate(merge, &merge->source, "source",
                     "SELECT identity, name FROM source WHERE id = ?1", put_source, &key->source,
                     error));
    return translate(merge, &merge->sampler, "sampler",
                     "SELECT settings, NULL FROM sampler WHERE id = ?1", put_sampler, &key->sampler,
                     error);
}

/* ---- verdicts ---- */

/* Adds the verdicts that are new here, then numbers all of them by time: the latest counts. */
static enum ps_status merge_verdicts(struct merge *merge, int64_t theirs, int64_t ours,
                                     struct ps_error *error) {
    sqlite3_stmt *s;
    bool row;
    int64_t added = 0, changed;
    PS_TRY(ps_store_prepare(merge->other, &s, error,
                            "SELECT grader, verdict, gold, extracted, rule, reason, author, time "
                            "FROM verdict WHERE trace = ?1 ORDER BY number",
                            "i", theirs));
    enum ps_status status = PS_OK;
    for (;;) {
        PS_TRY_DONE(ps_store_step(merge->other, s, &row, error));
        if (!row) break;
        PS_TRY_DONE(ps_store_run(
            merge->store, error,
            "INSERT INTO verdict (trace, number, grader, verdict, gold, extracted, rule, reason, "
            "author, time) SELECT ?1, (SELECT coalesce(max(number), 0) + 1 FROM verdict WHERE "
            "trace = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE NOT EXISTS (SELECT 1 FROM verdict "
            "WHERE trace = ?1 AND grader = ?2 AND verdict = ?3 AND gold IS ?4 AND extracted IS ?5 "
            "AND rule IS ?6 AND reason IS ?7 AND author IS ?8 AND time = ?9)",
            "ittttttti", ours, text(s, 0), text(s, 1), text(s, 2), text(s, 3), text(s, 4),
            text(s, 5), text(s, 6), sqlite3_column_int64(s, 7)));
        PS_TRY_DONE(ps_store_get(merge->store, &changed, error, "SELECT changes()", ""));
        added += changed;
    }
    merge->counts->verdicts += added;
    if (added == 0) goto done;
    PS_TRY_DONE(ps_store_run(merge->store, error,
                             "UPDATE verdict SET number = -number WHERE trace = ?1", "i", ours));
    status = ps_store_run(merge->store, error,
                          "UPDATE verdict SET number = r.place FROM (SELECT number AS old, "
                          "row_number() OVER (ORDER BY time, -number) AS place FROM verdict WHERE "
                          "trace = ?1) r WHERE trace = ?1 AND number = r.old",
                          "i", ours);
done:
    sqlite3_reset(s);
    return status;
}

/* ---- traces ---- */

/* Whether a takes b's place; both are of one key and differ. */
static bool is_better(const struct ps_store_trace *a, const struct ps_store_trace *b) {
    if (a->finish != b->finish) return a->finish == PS_STORE_STOP;
    if (a->output_tokens != b->output_tokens) return a->output_tokens > b->output_tokens;
    return memcmp(a->digest.bytes, b->digest.bytes, sizeof a->digest.bytes) < 0;
}

/* Two traces of one key: the better one stays, and both are reported. *id: ours. */
static enum ps_status settle(struct merge *merge, const struct ps_store_trace *theirs,
                             const struct ps_store_trace *ours, int64_t *id,
                             struct ps_error *error) {
    struct ps_store_merge_conflict conflict = {
        .theirs = theirs, .ours = ours, .took_theirs = is_better(theirs, ours)};
    merge->counts->conflicts++;
    if (conflict.took_theirs) {
        merge->counts->replaced++;
        PS_TRY(ps_store_run(merge->store, error, "DELETE FROM trace WHERE id = ?1", "i", ours->id));
        PS_TRY(ps_store_put_trace(merge->store, theirs, id, NULL, error));
    }
    if (merge->report->conflict) merge->report->conflict(merge->report->context, &conflict);
    return PS_OK;
}

static enum ps_status place(struct merge *merge, struct ps_store_trace *theirs,
                            struct ps_error *error) {
    struct ps_store_trace ours;
    int64_t id;
    PS_TRY(translate_key(merge, &theirs->key, error));
    PS_TRY(translate_provenance(merge, &theirs->provenance, error));
    PS_TRY(ps_store_find_trace(merge->store, &theirs->key, &id, error));
    if (id == 0) {
        merge->counts->added++;
        PS_TRY(ps_store_put_trace(merge->store, theirs, &id, NULL, error));
        return merge_verdicts(merge, theirs->id, id, error);
    }
    PS_TRY(ps_store_read_trace(merge->store, id, merge->arena, &ours, error));
    bool same = memcmp(ours.digest.bytes, theirs->digest.bytes, sizeof ours.digest.bytes) == 0;
    if (same)
        merge->counts->same++;
    else
        PS_TRY(settle(merge, theirs, &ours, &id, error));
    /* A verdict is about the text that it judged. */
    if (!same && id == ours.id) return PS_OK;
    return merge_verdicts(merge, theirs->id, id, error);
}

static enum ps_status merge_traces(struct merge *merge, struct ps_error *error) {
    sqlite3_stmt *ids;
    struct ps_store_trace trace;
    bool row;
    PS_TRY(ps_store_prepare(merge->other, &ids, error, "SELECT id FROM trace ORDER BY prompt, id",
                            ""));
    enum ps_status status = PS_OK;
    for (;;) {
        PS_TRY_DONE(ps_stop_check(error));
        PS_TRY_DONE(ps_store_step(merge->other, ids, &row, error));
        if (!row) break;
        PS_TRY_DONE(ps_store_read_trace(merge->other, sqlite3_column_int64(ids, 0), merge->arena,
                                        &trace, error));
        PS_TRY_DONE(ps_store_put_begin(merge->store, error));
        PS_TRY_DONE(ps_store_put_end(merge->store, place(merge, &trace, error), error));
        PS_TRY_DONE(ps_store_flush_due(merge->store, error));
        ps_arena_release(merge->arena);
    }
done:
    sqlite3_reset(ids);
    return status;
}

/* ---- items, and work in progress ---- */

/* Columns: prompt, dataset, split, row, gold, extra, corrected. A gold that was corrected here
 * stays. */
static enum ps_status merge_item(struct merge *merge, sqlite3_stmt *s, struct ps_error *error) {
    struct ps_store_item item = {
        .prompt = sqlite3_column_int64(s, 0),
        .dataset = text(s, 1),
        .split = text(s, 2),
        .row = sqlite3_column_int64(s, 3),
        .gold = text(s, 4),
        .extra = text(s, 5),
        .corrected = sqlite3_column_int64(s, 6),
    };
    sqlite3_stmt *found;
    bool row;
    PS_TRY(translate_prompt(merge, &item.prompt, error));
    PS_TRY(ps_store_prepare(merge->store, &found, error,
                            "SELECT gold IS ?5 FROM item WHERE prompt = ?1 AND dataset = ?2 AND "
                            "split = ?3 AND row = ?4",
                            "ittit", item.prompt, item.dataset, item.split, item.row, item.gold));
    PS_TRY(ps_store_step(merge->store, found, &row, error));
    if (row && !sqlite3_column_int(found, 0)) merge->counts->golds++;
    sqlite3_reset(found);
    if (row) return PS_OK;
    merge->counts->items++;
    return ps_store_put_item(merge->store, &item, NULL, error);
}

/* Columns: prompt, source, sampler, sample, time, ids, logprobs. More tokens beat fewer. */
static enum ps_status merge_partial(struct merge *merge, sqlite3_stmt *s, struct ps_error *error) {
    struct ps_store_key key = {sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                               sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3)};
    int64_t trace;
    PS_TRY(translate_key(merge, &key, error));
    PS_TRY(ps_store_find_trace(merge->store, &key, &trace, error));
    if (trace) return PS_OK;
    const void *logprobs = sqlite3_column_blob(s, 6);
    return ps_store_run(merge->store, error,
                        "INSERT INTO partial (prompt, source, sampler, sample, time, ids, logprobs)"
                        " VALUES (?1,?2,?3,?4,?5,?6,?7) ON CONFLICT (prompt, source, sampler, "
                        "sample) DO UPDATE SET time = ?5, ids = ?6, logprobs = ?7 "
                        "WHERE length(?6) > length(ids)",
                        "iiiiibb", key.prompt, key.source, key.sampler, key.sample,
                        sqlite3_column_int64(s, 4), sqlite3_column_blob(s, 5),
                        (size_t)sqlite3_column_bytes(s, 5), logprobs,
                        (size_t)sqlite3_column_bytes(s, 6));
}

/* Columns: prompt, source, sampler, sample, provenance, time, reason, detail. */
static enum ps_status merge_attempt(struct merge *merge, sqlite3_stmt *s, struct ps_error *error) {
    struct ps_store_key key = {sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                               sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3)};
    int64_t provenance = sqlite3_column_int64(s, 4);
    PS_TRY(translate_key(merge, &key, error));
    PS_TRY(translate_provenance(merge, &provenance, error));
    return ps_store_run(
        merge->store, error,
        "INSERT INTO attempt (prompt, source, sampler, sample, provenance, time, reason, detail) "
        "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM attempt WHERE "
        "prompt = ?1 AND source = ?2 AND sampler = ?3 AND sample = ?4 AND time = ?6 AND "
        "reason = ?7)",
        "iiiiiitt", key.prompt, key.source, key.sampler, key.sample, provenance,
        sqlite3_column_int64(s, 5), text(s, 6), text(s, 7));
}

/* Hands each row of a query on the other store over. */
static enum ps_status merge_rows(struct merge *merge, const char *sql,
                                 enum ps_status (*put)(struct merge *merge, sqlite3_stmt *s,
                                                       struct ps_error *error),
                                 struct ps_error *error) {
    sqlite3_stmt *s;
    bool row;
    PS_TRY(ps_store_prepare(merge->other, &s, error, sql, ""));
    enum ps_status status = PS_OK;
    for (;;) {
        PS_TRY_DONE(ps_stop_check(error));
        PS_TRY_DONE(ps_store_step(merge->other, s, &row, error));
        if (!row) break;
        PS_TRY_DONE(ps_store_put_begin(merge->store, error));
        PS_TRY_DONE(ps_store_put_end(merge->store, put(merge, s, error), error));
        PS_TRY_DONE(ps_store_flush_due(merge->store, error));
    }
done:
    sqlite3_reset(s);
    return status;
}

enum ps_status ps_store_merge(struct ps_store *store, struct ps_store *other,
                              const struct ps_store_merge_report *report,
                              struct ps_store_merge_counts *counts, struct ps_error *error) {
    static const struct ps_store_merge_report silent;
    struct ps_arena arena;
    struct merge merge = {.store = store,
                          .other = other,
                          .arena = &arena,
                          .report = report ? report : &silent,
                          .counts = counts};
    *counts = (struct ps_store_merge_counts){0};
    ps_arena_init(&arena, 32u * PS_STORE_BODY_LIMIT);
    enum ps_status status = merge_traces(&merge, error);
    if (status == PS_OK)
        status = merge_rows(&merge,
                            "SELECT prompt, dataset, split, row, gold, extra, corrected FROM item",
                            merge_item, error);
    if (status == PS_OK)
        status = merge_rows(&merge,
                            "SELECT prompt, source, sampler, sample, time, ids, logprobs "
                            "FROM partial",
                            merge_partial, error);
    if (status == PS_OK)
        status = merge_rows(&merge,
                            "SELECT prompt, source, sampler, sample, provenance, time, reason, "
                            "detail FROM attempt",
                            merge_attempt, error);
    ps_arena_release(&arena);
    struct ps_error unsaid;
    enum ps_status flushed = ps_store_flush(store, status == PS_OK ? error : &unsaid);
    return status == PS_OK ? flushed : status;
}
