/* Prompts, sources, samplers, provenances and items. */

#include "store_internal.h"

#include "base/json.h"

#include <string.h>

/* Each statement of a kind: find by hash, and insert. */
struct kind {
    const char *what, *find, *insert;
};
static const struct kind prompt_kind = {
    "prompt", "SELECT id FROM prompt WHERE hash = ?1",
    "INSERT INTO prompt (hash, conversation) VALUES (?1, ?2) RETURNING id"};
static const struct kind source_kind = {
    "source", "SELECT id FROM source WHERE hash = ?1",
    "INSERT INTO source (hash, identity, name) VALUES (?1, ?2, ?3) RETURNING id"};
static const struct kind sampler_kind = {
    "sampler", "SELECT id FROM sampler WHERE hash = ?1",
    "INSERT INTO sampler (hash, settings) VALUES (?1, ?2) RETURNING id"};
static const struct kind provenance_kind = {
    "provenance", "SELECT id FROM provenance WHERE hash = ?1",
    "INSERT INTO provenance (hash, facts) VALUES (?1, ?2) RETURNING id"};

static enum ps_status insert(struct ps_store *store, const struct kind *kind, const char *name,
                             const struct ps_hash *hash, const char *text, int64_t *id,
                             struct ps_error *error) {
    PS_TRY(ps_store_put_begin(store, error));
    enum ps_status status = name ? ps_store_get(store, id, error, kind->insert, "btt", hash->bytes,
                                                sizeof hash->bytes, text, name)
                                 : ps_store_get(store, id, error, kind->insert, "bt", hash->bytes,
                                                sizeof hash->bytes, text);
    return ps_store_put_end(store, status, error);
}

static enum ps_status put(struct ps_store *store, const struct kind *kind, const char *name,
                          const char *json, int64_t *id, struct ps_hash *hash,
                          struct ps_error *error) {
    struct ps_buffer text;
    struct ps_hash own;
    ps_buffer_init(&text, PS_STORE_BODY_LIMIT);
    if (!hash) hash = &own;
    enum ps_status status = ps_store_canonical(json, &text, error);
    if (status != PS_OK) {
        ps_error_prefix(error, "%s", kind->what);
        goto done;
    }
    *hash = ps_hash_bytes(text.data, text.size);
    PS_TRY_DONE(ps_store_get(store, id, error, kind->find, "b", hash->bytes, sizeof hash->bytes));
    if (*id == 0) status = insert(store, kind, name, hash, text.data, id, error);
done:
    ps_buffer_release(&text);
    return status;
}

/* A conversation that could not be exported or rendered later is refused now. */
static enum ps_status check_conversation(const char *json, struct ps_error *error) {
    json_t *value, *messages;
    PS_TRY(ps_json_parse("prompt", json, strlen(json), &value, error));
    enum ps_status status = ps_json_array(value, "messages", &messages, error);
    for (size_t i = 0; status == PS_OK && i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        const char *role;
        status = ps_json_string(message, "role", &role, error);
        if (status == PS_OK && !json_is_string(json_object_get(message, "content")))
            status = ps_error_set(error, PS_FORMAT, "message %zu has no content", i);
    }
    json_decref(value);
    return status == PS_OK ? PS_OK : ps_error_prefix(error, "prompt");
}

enum ps_status ps_store_put_prompt(struct ps_store *store, const char *json, int64_t *id,
                                   struct ps_hash *hash, struct ps_error *error) {
    struct ps_error own;
    if (!error) error = &own;
    PS_TRY(check_conversation(json, error));
    return put(store, &prompt_kind, NULL, json, id, hash, error);
}

enum ps_status ps_store_put_source(struct ps_store *store, const char *name, const char *json,
                                   int64_t *id, struct ps_hash *hash, struct ps_error *error) {
    return put(store, &source_kind, name, json, id, hash, error);
}

enum ps_status ps_store_put_sampler(struct ps_store *store, const char *json, int64_t *id,
                                    struct ps_hash *hash, struct ps_error *error) {
    return put(store, &sampler_kind, NULL, json, id, hash, error);
}

enum ps_status ps_store_put_provenance(struct ps_store *store, const char *json, int64_t *id,
                                       struct ps_error *error) {
    return put(store, &provenance_kind, NULL, json, id, NULL, error);
}

static enum ps_status find(struct ps_store *store, const struct kind *kind, const char *json,
                           int64_t *id, struct ps_error *error) {
    struct ps_hash hash;
    PS_TRY(ps_store_identity(json, &hash, error));
    return ps_store_get(store, id, error, kind->find, "b", hash.bytes, sizeof hash.bytes);
}

enum ps_status ps_store_find_prompt(struct ps_store *store, const char *json, int64_t *id,
                                    struct ps_error *error) {
    return find(store, &prompt_kind, json, id, error);
}

enum ps_status ps_store_find_source(struct ps_store *store, const char *json, int64_t *id,
                                    struct ps_error *error) {
    return find(store, &source_kind, json, id, error);
}

enum ps_status ps_store_find_sampler(struct ps_store *store, const char *json, int64_t *id,
                                     struct ps_error *error) {
    return find(store, &sampler_kind, json, id, error);
}

enum ps_status ps_store_put_item(struct ps_store *store, const struct ps_store_item *item,
                                 int64_t *id, struct ps_error *error) {
    int64_t own;
    PS_TRY(ps_store_put_begin(store, error));
    enum ps_status status = ps_store_get(
        store, id ? id : &own, error,
        "INSERT INTO item (prompt, dataset, split, row, gold, corrected, extra) "
        "VALUES (?1,?2,?3,?4,?5,?6,?7) ON CONFLICT (prompt, dataset, split, row) DO UPDATE SET "
        "gold = iif(corrected NOTNULL AND ?6 ISNULL, gold, ?5), "
        "corrected = ifnull(?6, corrected), extra = ?7 RETURNING id",
        "ittitzt", item->prompt, item->dataset, item->split, item->row, item->gold, item->corrected,
        item->extra);
    return ps_store_put_end(store, status, error);
}

enum ps_status ps_store_find_item(struct ps_store *store, const struct ps_store_item *item,
                                  int64_t *id, struct ps_error *error) {
    return ps_store_get(store, id, error,
                        "SELECT id FROM item WHERE prompt = ?1 AND dataset = ?2 AND split = ?3 "
                        "AND row = ?4",
                        "itti", item->prompt, item->dataset, item->split, item->row);
}

/* The text that a query of one row gives for this id. */
static enum ps_status read_text(struct ps_store *store, const char *what, const char *query,
                                int64_t id, struct ps_arena *arena, const char **text,
                                struct ps_error *error) {
    sqlite3_stmt *statement;
    bool row;
    PS_TRY(ps_store_prepare(store, &statement, error, query, "i", id));
    PS_TRY(ps_store_step(store, statement, &row, error));
    *text = NULL;
    const char *found = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (found) *text = ps_arena_strndup(arena, found, (size_t)sqlite3_column_bytes(statement, 0));
    sqlite3_reset(statement);
    PS_FAIL_IF(!row, error, PS_NOT_FOUND, "%s: no %s %lld", store->path, what, (long long)id);
    PS_FAIL_IF_NULL(*text, error);
    return PS_OK;
}

enum ps_status ps_store_read_prompt(struct ps_store *store, int64_t prompt, struct ps_arena *arena,
                                    const char **json, struct ps_error *error) {
    return read_text(store, "prompt", "SELECT conversation FROM prompt WHERE id = ?1", prompt,
                     arena, json, error);
}

enum ps_status ps_store_read_source(struct ps_store *store, int64_t source, struct ps_arena *arena,
                                    const char **json, struct ps_error *error) {
    return read_text(store, "source", "SELECT identity FROM source WHERE id = ?1", source, arena,
                     json, error);
}

enum ps_status ps_store_read_sampler(struct ps_store *store, int64_t sampler,
                                     struct ps_arena *arena, const char **json,
                                     struct ps_error *error) {
    return read_text(store, "sampler", "SELECT settings FROM sampler WHERE id = ?1", sampler, arena,
                     json, error);
}

enum ps_status ps_store_read_provenance(struct ps_store *store, int64_t provenance,
                                        struct ps_arena *arena, const char **json,
                                        struct ps_error *error) {
    return read_text(store, "provenance", "SELECT facts FROM provenance WHERE id = ?1", provenance,
                     arena, json, error);
}
