#include "pipelines/stages/import_file.h"

#include "base/json.h"
#include "base/stop.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct ps_import *import;
    struct ps_import_counts *counts;
    struct ps_reply_file *file;
    struct ps_arena arena; /* of the line at hand */
    struct ps_store_key key;
    int64_t provenance;
};

/* ---- identities ---- */

/* {"key": "text"} as a string in the arena. */
static enum ps_status object_of(struct ps_arena *arena, const char *const (*members)[2],
                                size_t count, const char **json, struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 1 << 20);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    for (size_t i = 0; i < count; i++) ps_json_put_string(&writer, members[i][0], members[i][1]);
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    *json = status == PS_OK ? ps_arena_strndup(arena, text.data, text.size) : NULL;
    ps_buffer_release(&text);
    PS_TRY(status);
    PS_FAIL_IF_NULL(*json, error);
    return PS_OK;
}

static enum ps_status put_file(struct run *run, const char *path, const struct ps_hash *hash,
                               struct ps_error *error) {
    char hex[PS_HASH_HEX_SIZE];
    const char *slash = strrchr(path, '/'), *json;
    const char *const sampler[][2] = {{"file", ps_hash_hex(hash, hex)}};
    const char *const facts[][2] = {
        {"engine", "import"}, {"version", PS_VERSION}, {"file", slash ? slash + 1 : path}};
    PS_TRY(object_of(&run->arena, sampler, 1, &json, error));
    PS_TRY(ps_store_put_sampler(run->import->store, json, &run->key.sampler, NULL, error));
    PS_TRY(object_of(&run->arena, facts, 3, &json, error));
    return ps_store_put_provenance(run->import->store, json, &run->provenance, error);
}

static enum ps_status put_source(struct run *run, const struct ps_reply_line *line,
                                 struct ps_error *error) {
    const char *name = run->import->source ? run->import->source
                       : line->model       ? line->model
                                           : "import";
    const char *const identity[][2] = {{"imported", name}};
    const char *json;
    PS_TRY(object_of(&run->arena, identity, 1, &json, error));
    return ps_store_put_source(run->import->store, name, json, &run->key.source, NULL, error);
}

/* ---- items ---- */

/* The number an id ends in ("17", "1-17"), else the line's. */
static int64_t row_of(const struct ps_reply_line *line) {
    size_t end = line->id ? strlen(line->id) : 0, begin = end;
    while (begin > 0 && end - begin < 18 && line->id[begin - 1] >= '0' &&
           line->id[begin - 1] <= '9')
        begin--;
    return begin < end ? strtoll(line->id + begin, NULL, 10) : (int64_t)line->line;
}

/* Where there is no split, a shipped set that has one alone ("math500") is that one. */
static enum ps_status name_item(struct run *run, const struct ps_reply_line *line,
                                struct ps_store_item *item, struct ps_error *error) {
    const struct ps_dataset_listing *listing;
    const char *name = run->import->dataset;
    item->dataset = line->dataset;
    item->split = line->split;
    if (!item->dataset && name) {
        const char *slash = strrchr(name, '/');
        size_t size = slash ? (size_t)(slash - name) : strlen(name);
        item->split = slash ? slash + 1 : NULL;
        item->dataset = ps_arena_strndup(&run->arena, name, size);
        PS_FAIL_IF_NULL(item->dataset, error);
    }
    if (!item->dataset) item->dataset = "import";
    if (item->split) return PS_OK;
    item->split = "train";
    if (ps_dataset_find(run->import->catalog, item->dataset, &listing, NULL) == PS_OK)
        item->split = listing->source.split;
    return PS_OK;
}

static enum ps_status put_item(struct run *run, const struct ps_reply_line *line,
                               struct ps_error *error) {
    struct ps_store_item item = {
        .prompt = run->key.prompt, .row = row_of(line), .gold = line->gold};
    if (!line->dataset && !run->import->dataset && !line->gold && !line->id) return PS_OK;
    PS_TRY(name_item(run, line, &item, error));
    if (line->id) {
        const char *const extra[][2] = {{"id", line->id}};
        PS_TRY(object_of(&run->arena, extra, 1, &item.extra, error));
    }
    return ps_store_put_item(run->import->store, &item, NULL, error);
}

/* ---- traces ---- */

static enum ps_status put_failure(struct run *run, const struct ps_reply_line *line,
                                  struct ps_error *error) {
    int64_t before;
    PS_TRY(ps_store_count_attempts(run->import->store, &run->key, &before, error));
    run->counts->failed++;
    if (before > 0) return PS_OK; /* from the last time */
    return ps_store_put_attempt(run->import->store, &run->key, run->provenance, line->failure,
                                line->detail, error);
}

static enum ps_status put_reply(struct run *run, const struct ps_reply_line *line,
                                struct ps_error *error) {
    struct ps_store_trace trace = {
        .key = run->key,
        .provenance = run->provenance,
        .reasoning = line->reply.reasoning ? line->reply.reasoning : "",
        .reasoning_size = line->reply.reasoning_size,
        .content = line->reply.content,
        .content_size = line->reply.content_size,
        .prompt_tokens = line->prompt_tokens,
        .output_tokens = line->output_tokens,
        .finish = line->cut ? PS_STORE_LENGTH : PS_STORE_STOP,
    };
    enum ps_store_put outcome;
    int64_t id;
    PS_TRY(ps_store_put_trace(run->import->store, &trace, &id, &outcome, error));
    run->counts->added += outcome != PS_STORE_ALREADY;
    run->counts->already += outcome == PS_STORE_ALREADY;
    if (!run->import->imported) return PS_OK;
    return run->import->imported(run->import->context, id, error);
}

static enum ps_status put_line(struct run *run, const struct ps_reply_line *line,
                               struct ps_error *error) {
    struct ps_store *store = run->import->store;
    PS_TRY(put_source(run, line, error));
    PS_TRY(ps_store_put_prompt(store, line->prompt, &run->key.prompt, NULL, error));
    PS_TRY(put_item(run, line, error));
    run->key.sample = line->sample;
    PS_TRY(line->failure ? put_failure(run, line, error) : put_reply(run, line, error));
    return ps_store_flush_due(store, error);
}

static enum ps_status import_lines(struct run *run, struct ps_error *error) {
    const struct ps_import *import = run->import;
    for (;;) {
        struct ps_reply_line line;
        struct ps_error why;
        bool more;
        PS_TRY(ps_stop_check(error));
        if (import->progress) import->progress(import->context, ps_reply_file_lines(run->file));
        enum ps_status status = ps_reply_file_next(run->file, &line, &more, &why);
        if (status == PS_FORMAT || status == PS_LIMIT) {
            run->counts->rejected++;
            if (import->rejected) import->rejected(import->context, why.message);
            continue;
        }
        if (status != PS_OK) return ps_error_set(error, status, "%s", why.message);
        if (!more) return PS_OK;
        ps_arena_release(&run->arena);
        PS_TRY(put_line(run, &line, error));
    }
}

enum ps_status ps_import_file(const struct ps_import *import, const char *path,
                              struct ps_import_counts *counts, struct ps_error *error) {
    struct run run = {.import = import, .counts = counts};
    struct ps_hash hash;
    PS_TRY(ps_reply_file_open(&run.file, path, &import->format, &hash, error));
    ps_arena_init(&run.arena, SIZE_MAX / 2);
    enum ps_status status = put_file(&run, path, &hash, error);
    if (status == PS_OK) status = import_lines(&run, error);
    ps_arena_release(&run.arena);
    ps_reply_file_close(run.file);
    /* What was put before a stop or a bad block stays. */
    enum ps_status kept = ps_store_flush(import->store, status == PS_OK ? error : NULL);
    return status == PS_OK ? kept : status;
}
