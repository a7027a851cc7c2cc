/* Totals, and the hash that says whether two stores hold the same traces. */

#include "query_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int64_t file_size(const char *path, const char *suffix) {
    char name[4096];
    struct stat about;
    if (snprintf(name, sizeof name, "%s%s", path, suffix) >= (int)sizeof name) return 0;
    return stat(name, &about) == 0 ? (int64_t)about.st_size : 0;
}

static enum ps_status totals(struct ps_store *store, const struct ps_store_filter *filter,
                             struct ps_store_stats *stats, struct ps_error *error) {
    sqlite3_stmt *s;
    bool row;
    PS_TRY(ps_store_sql_build(store,
                              "count(*), count(DISTINCT t.prompt), sum(t.output_tokens), "
                              "sum(t.reasoning_bytes + t.content_bytes)",
                              filter, "", &s, error));
    enum ps_status status = ps_store_step(store, s, &row, error);
    if (status == PS_OK && row) {
        stats->traces = sqlite3_column_int64(s, 0);
        stats->prompts = sqlite3_column_int64(s, 1);
        stats->tokens = sqlite3_column_int64(s, 2);
        stats->text_bytes = sqlite3_column_int64(s, 3);
    }
    sqlite3_finalize(s);
    return status;
}

static enum ps_status count_by(struct ps_store *store, const struct ps_store_filter *filter,
                               const char *columns, struct ps_store_count *counts, size_t room,
                               struct ps_error *error) {
    sqlite3_stmt *s;
    bool row = true;
    PS_TRY(ps_store_sql_build(store, columns, filter, " GROUP BY 1", &s, error));
    enum ps_status status = PS_OK;
    for (size_t i = 0; row && status == PS_OK;) {
        status = ps_store_step(store, s, &row, error);
        if (status != PS_OK || !row || i == room) continue;
        const char *name = (const char *)sqlite3_column_text(s, 0);
        snprintf(counts[i].name, sizeof counts[i].name, "%s", name ? name : "");
        counts[i++].count = sqlite3_column_int64(s, 1);
    }
    sqlite3_finalize(s);
    return status;
}

enum ps_status ps_store_stats(struct ps_store *store, const struct ps_store_filter *filter,
                              struct ps_store_stats *stats, struct ps_error *error) {
    *stats = (struct ps_store_stats){0};
    PS_TRY(totals(store, filter, stats, error));
    PS_TRY(count_by(store, filter, "coalesce(v.verdict, 'none'), count(*)", stats->verdicts,
                    PS_STORE_VERDICTS, error));
    PS_TRY(count_by(store, filter, "t.finish_reason, count(*)", stats->finishes, PS_STORE_FINISHES,
                    error));
    PS_TRY(ps_store_get(store, &stats->items, error, "SELECT count(*) FROM item", ""));
    PS_TRY(ps_store_get(store, &stats->partials, error, "SELECT count(*) FROM partial", ""));
    PS_TRY(ps_store_get(store, &stats->attempts, error, "SELECT count(*) FROM attempt", ""));
    PS_TRY(
        ps_store_get(store, &stats->body_bytes, error, "SELECT sum(length(data)) FROM frame", ""));
    PS_TRY(ps_store_get(store, &stats->ids_bytes, error,
                        "SELECT coalesce((SELECT sum(length(ids)) FROM tokens), 0) + "
                        "coalesce((SELECT sum(length(ids)) FROM frame), 0)",
                        ""));
    PS_TRY(ps_store_get(store, &stats->logprobs_bytes, error,
                        "SELECT coalesce((SELECT sum(length(logprobs)) FROM tokens), 0) + "
                        "coalesce((SELECT sum(length(logprobs)) FROM frame), 0)",
                        ""));
    PS_TRY(ps_store_get(store, &stats->ids_tokens, error,
                        "SELECT sum(t.output_tokens) FROM tokens k JOIN trace t ON t.id = k.trace "
                        "WHERE k.ids IS NOT NULL",
                        ""));
    PS_TRY(ps_store_get(store, &stats->logprobs_tokens, error,
                        "SELECT sum(t.output_tokens) FROM tokens k JOIN trace t ON t.id = k.trace "
                        "WHERE k.logprobs IS NOT NULL",
                        ""));
    stats->file_bytes = file_size(store->path, "") + file_size(store->path, "-wal");
    return PS_OK;
}

/* ---- the hash ---- */

static enum ps_status hash_traces(struct ps_store *store, sqlite3_stmt *ids,
                                  struct ps_hash_state *state, struct ps_error *error) {
    struct ps_arena arena;
    struct ps_store_trace trace;
    bool row;
    for (;;) {
        PS_TRY(ps_store_step(store, ids, &row, error));
        if (!row) return PS_OK;
        ps_arena_init(&arena, 16u * PS_STORE_BODY_LIMIT);
        enum ps_status status =
            ps_store_read_trace(store, sqlite3_column_int64(ids, 0), &arena, &trace, error);
        ps_arena_release(&arena);
        PS_TRY(status);
        ps_hash_update(state, trace.digest.bytes, sizeof trace.digest.bytes);
    }
}

enum ps_status ps_store_hash(struct ps_store *store, struct ps_hash *hash, struct ps_error *error) {
    sqlite3_stmt *ids;
    PS_TRY(ps_store_sql_build(store, "t.id", NULL, " ORDER BY p.hash, s.hash, m.hash, t.sample",
                              &ids, error));
    enum ps_status status = PS_OK;
    struct ps_hash_state *state = ps_hash_begin();
    PS_FAIL_DONE_IF_NULL(state, error);
    status = hash_traces(store, ids, state, error);
    struct ps_hash result = ps_hash_end(state);
    if (status == PS_OK) *hash = result;
done:
    sqlite3_finalize(ids);
    return status;
}
