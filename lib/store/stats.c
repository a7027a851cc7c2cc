/* Totals, and the hash that says whether two stores hold the same traces. */

#include "query_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int64_t file_size(const char *path, const char *suffix) {
    char name[4096];
    struct stat about;
    if (snprintf(name, sizeof name, "%s%s", path, suffix) >= (int)sizeof name) return 0;
    return stat(name, &about) == 0 ? (int64_t)about.st_size : 0;
}

static void count(struct ps_store_count *counts, size_t room, const char *name) {
    for (size_t i = 0; i < room; i++) {
        if (counts[i].count == 0) snprintf(counts[i].name, sizeof counts[i].name, "%s", name);
        if (strcmp(counts[i].name, name) != 0) continue;
        counts[i].count++;
        return;
    }
}

static int by_name(const void *a, const void *b) {
    const struct ps_store_count *left = a, *right = b;
    return (left->count == 0) != (right->count == 0) ? (left->count == 0) - (right->count == 0)
                                                     : strcmp(left->name, right->name);
}

/* Rows may claim anything: a sum that has no room stays at the most. */
static void add_to(int64_t *sum, int64_t value) {
    if (__builtin_add_overflow(*sum, value, sum)) *sum = INT64_MAX;
}

static void add(struct ps_store_stats *stats, sqlite3_stmt *s, int64_t *prompt) {
    const char *verdict = (const char *)sqlite3_column_text(s, 1);
    stats->traces++;
    stats->prompts += sqlite3_column_int64(s, 0) != *prompt;
    *prompt = sqlite3_column_int64(s, 0);
    add_to(&stats->tokens, sqlite3_column_int64(s, 3));
    add_to(&stats->text_bytes, sqlite3_column_int64(s, 4));
    count(stats->verdicts, PS_STORE_VERDICTS, verdict ? verdict : "none");
    count(stats->finishes, PS_STORE_FINISHES, sqlite3_column_int(s, 2) ? "length" : "stop");
}

/* In one pass: what makes it slow is finding each trace's verdict. */
static enum ps_status totals(struct ps_store *store, const struct ps_store_filter *filter,
                             struct ps_store_stats *stats, struct ps_error *error) {
    sqlite3_stmt *s;
    bool row = true;
    int64_t prompt = 0;
    PS_TRY(ps_store_sql_build(store,
                              "t.prompt, v.verdict, t.finish_reason = 'length', t.output_tokens, "
                              "t.reasoning_bytes + t.content_bytes",
                              filter, " ORDER BY p.id", &s, error));
    enum ps_status status = PS_OK;
    while (row && status == PS_OK) {
        status = ps_store_step(store, s, &row, error);
        if (status == PS_OK && row) add(stats, s, &prompt);
    }
    sqlite3_finalize(s);
    qsort(stats->verdicts, PS_STORE_VERDICTS, sizeof *stats->verdicts, by_name);
    qsort(stats->finishes, PS_STORE_FINISHES, sizeof *stats->finishes, by_name);
    return status;
}

/* Bytes of token ids and log-probabilities, and how many tokens they are of. Rows of `tokens` are
 * as large as a page until they are packed: they are read once. */
static enum ps_status tokens(struct ps_store *store, struct ps_store_stats *stats,
                             struct ps_error *error) {
    sqlite3_stmt *s;
    bool row;
    PS_TRY(ps_store_prepare(store, &s, error,
                            "SELECT total(length(k.ids)), total(length(k.logprobs)), "
                            "total(t.output_tokens * (k.ids IS NOT NULL)), "
                            "total(t.output_tokens * (k.logprobs IS NOT NULL)) "
                            "FROM tokens k CROSS JOIN trace t ON t.id = k.trace",
                            ""));
    PS_TRY(ps_store_step(store, s, &row, error));
    stats->ids_bytes = sqlite3_column_int64(s, 0);
    stats->logprobs_bytes = sqlite3_column_int64(s, 1);
    stats->ids_tokens = sqlite3_column_int64(s, 2);
    stats->logprobs_tokens = sqlite3_column_int64(s, 3);
    sqlite3_reset(s);
    PS_TRY(ps_store_prepare(store, &s, error,
                            "SELECT total(length(data)), total(length(ids)), "
                            "total(length(logprobs)) FROM frame",
                            ""));
    PS_TRY(ps_store_step(store, s, &row, error));
    stats->body_bytes = sqlite3_column_int64(s, 0);
    add_to(&stats->ids_bytes, sqlite3_column_int64(s, 1));
    add_to(&stats->logprobs_bytes, sqlite3_column_int64(s, 2));
    sqlite3_reset(s);
    return PS_OK;
}

enum ps_status ps_store_stats(struct ps_store *store, const struct ps_store_filter *filter,
                              struct ps_store_stats *stats, struct ps_error *error) {
    *stats = (struct ps_store_stats){0};
    PS_TRY(totals(store, filter, stats, error));
    PS_TRY(ps_store_get(store, &stats->items, error, "SELECT count(*) FROM item", ""));
    PS_TRY(ps_store_get(store, &stats->partials, error, "SELECT count(*) FROM partial", ""));
    PS_TRY(ps_store_get(store, &stats->attempts, error, "SELECT count(*) FROM attempt", ""));
    PS_TRY(tokens(store, stats, error));
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
    PS_TRY(ps_store_sql_build(store, "t.id", NULL, PS_STORE_LIST_ORDER, &ids, error));
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
