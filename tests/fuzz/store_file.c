/* A whole store, as a hostile stranger might send it. The input is a list of changes to a sound
 * store that is made at the start: bytes overwritten, the file cut, numbers and blobs of rows set
 * to anything, tables without types, views and triggers. Whatever they are, opening, listing,
 * reading, verifying and salvaging end, with an error or not, within the memory that the fuzzer
 * allows. */

#include "store/store_internal.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64], path[80], saved[80];
static struct ps_buffer sound;

static void check(enum ps_status status) {
    if (status != PS_OK) abort();
}

static void put_traces(struct ps_store *store, const char *text, size_t samples, size_t first) {
    static const int32_t ids[] = {7, 1000, 150000};
    static const float logprobs[] = {-0.5f, -1.25f, 0};
    struct ps_store_key key;
    int64_t provenance;
    check(ps_store_put_prompt(store, "{\"messages\":[{\"role\":\"user\",\"content\":\"?\"}]}",
                              &key.prompt, NULL, NULL));
    check(ps_store_put_source(store, "s", "{\"served\":\"s\"}", &key.source, NULL, NULL));
    check(ps_store_put_sampler(store, "{\"seed\":1}", &key.sampler, NULL, NULL));
    check(ps_store_put_provenance(store, "{}", &provenance, NULL));
    for (size_t s = first; s < first + samples; s++) {
        key.sample = (int64_t)s;
        struct ps_store_trace trace = {.key = key,
                                       .provenance = provenance,
                                       .reasoning = text,
                                       .reasoning_size = strlen(text) - s,
                                       .content = "4",
                                       .content_size = 1,
                                       .ids = ids,
                                       .logprobs = logprobs,
                                       .output_tokens = 3};
        check(ps_store_put_trace(store, &trace, NULL, NULL, NULL));
    }
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    struct ps_store *store;
    int64_t packed;
    (void)count;
    (void)arguments;
    snprintf(folder, sizeof folder, "%s/potstill-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder)) abort();
    snprintf(path, sizeof path, "%s/t.db", folder);
    snprintf(saved, sizeof saved, "%s/new.db", folder);
    check(ps_store_open(&store, path, PS_STORE_CREATE, NULL));
    put_traces(store, "Two and two, which is the same as three and one, is four.", 3, 0);
    check(ps_store_pack(store, &packed, NULL, NULL));
    put_traces(store, "Two and two, which is the same as three and one, is four!", 3, 3);
    check(ps_store_flush(store, NULL));
    ps_store_close(store);
    ps_buffer_init(&sound, 1 << 24);
    check(ps_file_read(path, &sound, NULL));
    return 0;
}

/* ---- the changes ---- */

static void change_row(const uint8_t *data, size_t size) {
    static const char *const numbers[] = {"UPDATE frame SET base = ?1 WHERE id = ?2",
                                          "UPDATE frame SET raw_bytes = ?1 WHERE id = ?2",
                                          "UPDATE trace SET frame = ?1 WHERE id = ?2",
                                          "UPDATE trace SET offset = ?1 WHERE id = ?2",
                                          "UPDATE trace SET reasoning_bytes = ?1 WHERE id = ?2",
                                          "UPDATE trace SET content_bytes = ?1 WHERE id = ?2",
                                          "UPDATE trace SET output_tokens = ?1 WHERE id = ?2",
                                          "UPDATE trace SET prompt = ?1 WHERE id = ?2"};
    static const char *const blobs[] = {
        "UPDATE frame SET data = ?1 WHERE id = ?2",
        "UPDATE frame SET ids = ?1 WHERE id = ?2",
        "UPDATE frame SET logprobs = ?1 WHERE id = ?2",
        "UPDATE tokens SET ids = ?1 WHERE trace = ?2",
        "UPDATE tokens SET logprobs = ?1 WHERE trace = ?2",
        "UPDATE trace SET checksum = ?1 WHERE id = ?2",
        "UPDATE prompt SET hash = ?1 WHERE id = ?2",
        "UPDATE prompt SET conversation = CAST(?1 AS TEXT) WHERE id = ?2"};
    sqlite3 *database = NULL;
    sqlite3_stmt *s = NULL;
    if (size < 2) return;
    bool blob = data[0] & 8;
    if (sqlite3_open(path, &database) == SQLITE_OK &&
        sqlite3_prepare_v2(database, (blob ? blobs : numbers)[data[0] % 8], -1, &s, NULL) ==
            SQLITE_OK) {
        int64_t number = 0;
        memcpy(&number, data + 2, size - 2 < 8 ? size - 2 : 8);
        if (blob)
            sqlite3_bind_blob(s, 1, data + 2, (int)(size - 2), SQLITE_TRANSIENT);
        else
            sqlite3_bind_int64(s, 1, number);
        sqlite3_bind_int64(s, 2, data[1] % 8);
        sqlite3_step(s);
    }
    sqlite3_finalize(s);
    sqlite3_close(database);
}

/* A change that never ends is given up. */
static int give_up(void *context) {
    (void)context;
    return 1;
}

/* What a stranger may have put in the schema. */
static void change_schema(const uint8_t *data, size_t size) {
#define ENDLESS "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
#define LOOSE(table)                                                                               \
    "CREATE TABLE loose AS SELECT * FROM " table "; DROP TABLE " table                             \
    "; ALTER TABLE loose RENAME TO " table
    static const char *const changes[] = {
        "DROP TABLE tokens; CREATE VIEW tokens AS " ENDLESS "i AS trace, x'01' AS ids, NULL AS "
        "logprobs FROM n",
        "DROP VIEW difficulty; CREATE VIEW difficulty AS " ENDLESS
        "i AS prompt, i AS item, i AS source, 1 AS graded, 1 AS correct, 1.0 AS share FROM n",
        "DROP VIEW latest_verdict; CREATE VIEW latest_verdict AS " ENDLESS "i AS trace FROM n",
        "CREATE TRIGGER t AFTER INSERT ON verdict BEGIN DELETE FROM trace; END",
        LOOSE("frame"),
        LOOSE("tokens"),
        LOOSE("verdict"),
        LOOSE("item"),
        LOOSE("source"),
        LOOSE("prompt"),
        LOOSE("frame") "; UPDATE frame SET raw_bytes = 'many', base = 1.5, data = 7",
        LOOSE("tokens") "; UPDATE tokens SET ids = 'text', logprobs = 1e300",
        LOOSE("prompt") "; UPDATE prompt SET hash = 7, conversation = NULL",
        LOOSE("trace") "; UPDATE trace SET output_tokens = 'x', checksum = 3, frame = 1e18",
        LOOSE("trace") "; INSERT INTO trace SELECT * FROM trace",
        "CREATE TABLE x (id); DROP TABLE verdict; ALTER TABLE x RENAME TO verdict",
        "UPDATE frame SET base = (SELECT max(id) FROM frame WHERE packed IS NULL)",
        "UPDATE frame SET base = id; UPDATE frame SET data = zeroblob(1000000)",
    };
    sqlite3 *database = NULL;
    if (size < 1 || sqlite3_open(path, &database) != SQLITE_OK) goto done;
    sqlite3_progress_handler(database, 1000000, give_up, NULL);
    sqlite3_exec(database, "PRAGMA legacy_alter_table=ON", NULL, NULL, NULL);
    sqlite3_exec(database, changes[data[0] % (sizeof changes / sizeof *changes)], NULL, NULL, NULL);
done:
    sqlite3_close(database);
}

static void change_bytes(const uint8_t *data, size_t size) {
    if (size < 4) return;
    int file = open(path, O_RDWR);
    off_t at = (off_t)((data[0] | data[1] << 8 | data[2] << 16) % sound.size);
    if (data[3] == 255 ? ftruncate(file, at) != 0
                       : pwrite(file, data + 4, size - 4, at) != (ssize_t)(size - 4))
        abort();
    close(file);
}

/* Each change: a byte that says what, one for its size, and that many bytes. */
static void change_all(const uint8_t *data, size_t size) {
    while (size >= 2) {
        size_t length = data[1] < size - 2 ? data[1] : size - 2;
        if (data[0] % 4 == 3)
            change_schema(data + 2, length);
        else if (data[0] % 2)
            change_row(data + 2, length);
        else
            change_bytes(data + 2, length);
        data += 2 + length;
        size -= 2 + length;
    }
}

/* ---- what must end ---- */

static void ignore(void *context, const char *line) {
    (void)context;
    (void)line;
}

static enum ps_status ignore_cells(void *context, const struct ps_store_cell *cells, size_t count,
                                   struct ps_error *error) {
    (void)context;
    (void)cells;
    (void)count;
    (void)error;
    return PS_OK;
}

static void use(struct ps_store *store) {
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    struct ps_store_stats stats;
    struct ps_store_verified result;
    struct ps_hash hash;
    struct ps_buffer line;
    const struct ps_store_line how = {.format = PS_STORE_SHAREGPT, .metadata = true};
    bool more = true;
    ps_buffer_init(&line, 1 << 26);
    if (ps_store_query(store, NULL, &cursor, NULL) == PS_OK) {
        while (ps_store_next(cursor, &row, &more, NULL) == PS_OK && more)
            ps_store_export(store, &row, &how, &line, NULL);
        ps_store_cursor_close(cursor);
    }
    ps_buffer_release(&line);
    const struct ps_store_range range = {0, 1};
    const struct ps_store_filter filters[] = {
        {.difficulty = &range, .limit = 2}, {.text = "three"}, {.verdict = "correct"}};
    for (int i = 0; i < 3; i++) ps_store_stats(store, &filters[i], &stats, NULL);
    struct ps_store_difficulty difficulty;
    ps_store_difficulty(store, 1, 0, 1, &difficulty, NULL);
    ps_store_stats(store, NULL, &stats, NULL);
    ps_store_hash(store, &hash, NULL);
    ps_store_sql(store, "SELECT potstill_text(id), potstill_tokens(id) FROM trace", ignore_cells,
                 NULL, NULL);
    ps_store_verify(store, ignore, NULL, &result, NULL);
    ps_store_salvage(store, saved, ignore, NULL, &result, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ps_store *store;
    check(ps_path_remove(folder, NULL));
    check(ps_directory_create(folder, NULL));
    check(ps_file_write_atomic(path, sound.data, sound.size, NULL));
    change_all(data, size);
    if (ps_store_open(&store, path, PS_STORE_READ, NULL) == PS_OK) use(store);
    ps_store_close(store);
    return 0;
}
