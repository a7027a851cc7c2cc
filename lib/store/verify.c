/* Looking for damage: SQLite's own check of pages and indexes, then everything that this format
 * promises about rows: references, hashes of identities, frames and their bases, checksums. */

#include "walk_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct verifier {
    struct ps_store *store;
    ps_store_report *report;
    void *context;
    struct ps_store_verified *result;
};

static void problem(struct verifier *verifier, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void problem(struct verifier *verifier, const char *format, ...) {
    char line[1400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    verifier->result->problems++;
    verifier->report(verifier->context, line);
}

/* Runs a query whose every row is a problem: its first column says which. */
static enum ps_status rows_are_problems(struct verifier *verifier, const char *sql,
                                        struct ps_error *error) {
    struct ps_store *store = verifier->store;
    struct ps_error own;
    sqlite3_stmt *s;
    bool row = true;
    enum ps_status status = ps_store_prepare(store, &s, &own, sql, "");
    while (status == PS_OK && row) {
        status = ps_store_step(store, s, &row, &own);
        if (status != PS_OK || !row) break;
        const char *text = (const char *)sqlite3_column_text(s, 0);
        if (text && strcmp(text, "ok") != 0) problem(verifier, "%s", text);
    }
    PS_FAIL_IF(status == PS_MEMORY, error, PS_MEMORY, "out of memory");
    if (status != PS_OK) problem(verifier, "%s", own.message);
    return PS_OK;
}

static enum ps_status check_frames(struct verifier *verifier, struct ps_error *error) {
    struct ps_store *store = verifier->store;
    struct ps_store_known_list list = {0};
    struct ps_error own;
    bool damaged;
    enum ps_status status = ps_store_walk(store, "frame", &list, &damaged, error);
    for (size_t i = 0; status == PS_OK && i < list.count; i++) {
        int64_t id = list.rows[i].id, ids, logprobs;
        enum ps_status read = ps_store_frame_read(store, id, &own);
        if (read == PS_OK)
            read = ps_store_get(store, &ids, &own,
                                "SELECT ids IS NOT NULL FROM frame WHERE id = ?1", "i", id);
        if (read == PS_OK && ids) read = ps_store_frame_ids(store, id, &own);
        if (read == PS_OK)
            read = ps_store_get(store, &logprobs, &own,
                                "SELECT logprobs IS NOT NULL FROM frame WHERE id = ?1", "i", id);
        if (read == PS_OK && logprobs) read = ps_store_frame_logprobs(store, id, &own);
        if (read == PS_MEMORY) status = ps_error_set(error, PS_MEMORY, "%s", own.message);
        if (read != PS_OK) problem(verifier, "%s", own.message);
    }
    ps_store_known_release(&list);
    return status;
}

/* The hash of an identity is that of its text. */
static enum ps_status check_identities(struct verifier *verifier, const char *what, const char *sql,
                                       struct ps_error *error) {
    struct ps_store *store = verifier->store;
    struct ps_error own;
    sqlite3_stmt *s;
    bool row = true;
    enum ps_status status = ps_store_prepare(store, &s, &own, sql, "");
    while (status == PS_OK && row) {
        status = ps_store_step(store, s, &row, &own);
        if (status != PS_OK || !row) break;
        const void *text = sqlite3_column_blob(s, 2), *stored = sqlite3_column_blob(s, 1);
        struct ps_hash hash = ps_hash_bytes(text, (size_t)sqlite3_column_bytes(s, 2));
        if (!stored || sqlite3_column_bytes(s, 1) != sizeof hash.bytes ||
            memcmp(stored, hash.bytes, sizeof hash.bytes) != 0)
            problem(verifier, "%s %lld: its hash does not fit", what,
                    (long long)sqlite3_column_int64(s, 0));
    }
    if (status == PS_OK) sqlite3_reset(s);
    PS_FAIL_IF(status == PS_MEMORY, error, PS_MEMORY, "out of memory");
    if (status != PS_OK) problem(verifier, "%s: %s", what, own.message);
    return PS_OK;
}

static enum ps_status check_traces(struct verifier *verifier, struct ps_error *error) {
    struct ps_store_known_list list = {0};
    struct ps_arena arena;
    struct ps_store_trace trace;
    struct ps_error own;
    enum ps_status status = ps_store_known_traces(verifier->store, &list, error);
    for (size_t i = 0; status == PS_OK && i < list.count; i++) {
        char name[400];
        ps_arena_init(&arena, 16u * PS_STORE_BODY_LIMIT);
        enum ps_status read =
            ps_store_read_trace(verifier->store, list.rows[i].id, &arena, &trace, &own);
        ps_arena_release(&arena);
        verifier->result->traces++;
        if (read == PS_OK) continue;
        if (read == PS_MEMORY) {
            status = ps_error_set(error, PS_MEMORY, "%s", own.message);
            break;
        }
        verifier->result->lost++;
        ps_store_trace_name(verifier->store, &list.rows[i], name, sizeof name);
        problem(verifier, "lost: %s: %s", name, own.message);
    }
    ps_store_known_release(&list);
    return status;
}

enum ps_status ps_store_verify(struct ps_store *store, ps_store_report *report, void *context,
                               struct ps_store_verified *result, struct ps_error *error) {
    struct verifier verifier = {store, report, context, result};
    *result = (struct ps_store_verified){0};
    PS_TRY(rows_are_problems(&verifier, "PRAGMA integrity_check(1000)", error));
    PS_TRY(rows_are_problems(&verifier,
                             "SELECT \"table\" || coalesce(' ' || rowid, '') || ' refers to a ' || "
                             "parent || ' that is not there' FROM pragma_foreign_key_check",
                             error));
    PS_TRY(
        check_identities(&verifier, "prompt", "SELECT id, hash, conversation FROM prompt", error));
    PS_TRY(check_identities(&verifier, "source", "SELECT id, hash, identity FROM source", error));
    PS_TRY(check_identities(&verifier, "sampler", "SELECT id, hash, settings FROM sampler", error));
    PS_TRY(
        check_identities(&verifier, "provenance", "SELECT id, hash, facts FROM provenance", error));
    PS_TRY(check_frames(&verifier, error));
    return check_traces(&verifier, error);
}
