/* Opening and closing. A local store is in WAL mode with synchronous=FULL: a commit is one append
 * and one fsync, readers never wait, and power may go at any time. Shared memory, which WAL needs,
 * does not work across machines, so on a network file system the store uses a truncated rollback
 * journal under an exclusive lock. Nothing is mapped: a mapped page of a file that shrinks or fails
 * to read is a SIGBUS instead of an error. */

#include "store_internal.h"

#include "base/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

/* ---- SQLite's memory comes from lib/base, with its size in front ---- */

enum { HEADER = 16 };

static void *memory_malloc(int size) {
    char *block = ps_malloc((size_t)size + HEADER);
    if (!block) return NULL;
    memcpy(block, &size, sizeof size);
    return block + HEADER;
}

static void memory_free(void *pointer) {
    if (pointer) ps_free((char *)pointer - HEADER);
}

static void *memory_realloc(void *pointer, int size) {
    char *block = ps_realloc((char *)pointer - HEADER, (size_t)size + HEADER);
    if (!block) return NULL;
    memcpy(block, &size, sizeof size);
    return block + HEADER;
}

static int memory_size(void *pointer) {
    int size = 0;
    if (pointer) memcpy(&size, (char *)pointer - HEADER, sizeof size);
    return size;
}

static int memory_roundup(int size) {
    return (size + 7) & ~7;
}

static int memory_init(void *unused) {
    (void)unused;
    return SQLITE_OK;
}

static void memory_shutdown(void *unused) {
    (void)unused;
}

static void set_up_libraries(void) {
    static const sqlite3_mem_methods methods = {
        memory_malloc,  memory_free, memory_realloc,  memory_size,
        memory_roundup, memory_init, memory_shutdown, NULL};
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    sqlite3_initialize();
}

/* ---- opening ---- */

/* The folder a path lies in: "." for a bare name. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return ps_strdup(".");
    return slash == path ? ps_strdup("/") : ps_strndup(path, (size_t)(slash - path));
}

/* A file in WAL mode needs a writable folder even to be read, unless it is declared immutable,
 * which is right when nobody can be writing: no WAL beside it, and no way to make one. */
static bool must_be_immutable(const char *path, const char *folder, const char *network) {
    unsigned char header[20] = {0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    bool wal_mode = read(descriptor, header, sizeof header) == sizeof header && header[18] == 2;
    close(descriptor);
    if (!wal_mode || (!network && access(folder, W_OK) == 0)) return false;
    char wal[4096];
    struct stat about;
    snprintf(wal, sizeof wal, "%s-wal", path);
    return stat(wal, &about) != 0 || about.st_size == 0;
}

static enum ps_status open_database(struct ps_store *store, bool immutable,
                                    struct ps_error *error) {
    struct ps_buffer uri;
    ps_buffer_init(&uri, 16384);
    bool fits = ps_buffer_puts(&uri, "file:");
    for (const char *c = store->path; fits && *c; c++)
        fits = strchr("%?#", *c) ? ps_buffer_format(&uri, "%%%02X", (unsigned char)*c)
                                 : ps_buffer_append(&uri, c, 1);
    if (fits && immutable) fits = ps_buffer_puts(&uri, "?immutable=1");
    int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= store->mode == PS_STORE_READ    ? SQLITE_OPEN_READONLY
             : store->mode == PS_STORE_WRITE ? SQLITE_OPEN_READWRITE
                                             : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int code = fits ? sqlite3_open_v2(uri.data, &store->database, flags, NULL) : SQLITE_NOMEM;
    ps_buffer_release(&uri);
    PS_FAIL_IF(!store->database, error, PS_MEMORY, "out of memory");
    return code == SQLITE_OK ? PS_OK : ps_store_fail(store, "open", error);
}

static enum ps_status execute(struct ps_store *store, const char *sql, struct ps_error *error) {
    if (sqlite3_exec(store->database, sql, NULL, NULL, NULL) == SQLITE_OK) return PS_OK;
    return ps_store_fail(store, "open", error);
}

/* What holds for the connection; page size and vacuum mode take effect on an empty file only. */
static enum ps_status configure(struct ps_store *store, const char *network,
                                struct ps_error *error) {
    sqlite3 *database = store->database;
    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_limit(database, SQLITE_LIMIT_LENGTH, 2 * PS_STORE_BODY_LIMIT);
    sqlite3_busy_timeout(database, 2000);
    PS_TRY(execute(
        store,
        "PRAGMA mmap_size=0; PRAGMA cache_size=-65536; PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON",
        error));
    if (store->mode == PS_STORE_READ) {
        sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        return execute(store, "PRAGMA query_only=ON", error);
    }
    PS_TRY(execute(store, "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL", error));
    if (network) PS_TRY(execute(store, "PRAGMA locking_mode=EXCLUSIVE", error));
    PS_TRY(execute(store, network ? "PRAGMA journal_mode=TRUNCATE" : "PRAGMA journal_mode=WAL",
                   error));
    return execute(store, "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864", error);
}

static enum ps_status create_schema(struct ps_store *store, struct ps_error *error) {
    struct ps_buffer sql;
    ps_buffer_init(&sql, 1 << 20);
    enum ps_status status = PS_OK;
    if (!ps_buffer_format(&sql,
                          "BEGIN IMMEDIATE;\n%sPRAGMA application_id=%d; PRAGMA user_version=%d;"
                          "COMMIT",
                          ps_store_schema, PS_STORE_APPLICATION_ID, PS_STORE_FORMAT))
        status = ps_error_set(error, PS_MEMORY, "out of memory");
    else
        status = execute(store, sql.data, error);
    ps_buffer_release(&sql);
    return status;
}

/* A view in the place of a table could keep a query busy for ever; our queries read tables alone.
 * Triggers never run, and no expression within a table can hold a query. */
static enum ps_status check_tables(struct ps_store *store, struct ps_error *error) {
    enum { TABLES = 13 };
    int64_t tables;
    PS_TRY(ps_store_get(store, &tables, error,
                        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 "
                        "AND name IN ('prompt', 'item', 'source', 'sampler', 'provenance', "
                        "'frame', 'trace', 'tokens', 'partial', 'attempt', 'verdict', "
                        "'selection', 'selected')",
                        ""));
    PS_FAIL_IF(tables != TABLES, error, PS_CORRUPT,
               "%s: it lacks tables of a store; it was damaged, or made by someone else",
               store->path);
    return PS_OK;
}

static enum ps_status check_format(struct ps_store *store, const char *folder,
                                   struct ps_error *error) {
    int64_t application, format, tables;
    PS_TRY(ps_store_get(store, &application, error, "PRAGMA application_id", ""));
    PS_TRY(ps_store_get(store, &format, error, "PRAGMA user_version", ""));
    PS_TRY(ps_store_get(store, &tables, error, "SELECT count(*) FROM sqlite_schema", ""));
    if (tables == 0 && application == 0 && store->mode == PS_STORE_CREATE) {
        PS_TRY(create_schema(store, error));
        return ps_directory_sync(folder, error);
    }
    PS_FAIL_IF(tables == 0 && application == 0, error, PS_FORMAT,
               "%s: not a trace store: it is empty, or its making was cut off", store->path);
    PS_FAIL_IF(application != PS_STORE_APPLICATION_ID, error, PS_FORMAT, "%s: not a trace store",
               store->path);
    PS_FAIL_IF(format != PS_STORE_FORMAT, error, PS_FORMAT,
               "%s: written in store format %lld, this program knows format %d; use a newer "
               "potstill",
               store->path, (long long)format, PS_STORE_FORMAT);
    return check_tables(store, error);
}

static enum ps_status open_in(struct ps_store *store, const char *folder, const char *network,
                              struct ps_error *error) {
    if (store->mode == PS_STORE_CREATE)
        PS_TRY(ps_directory_create(folder, error));
    else
        PS_FAIL_IF(!ps_file_exists(store->path), error, PS_NOT_FOUND, "%s: %s", store->path,
                   ps_directory_exists(store->path) ? "a folder, no store" : "no such store");
    if (!network) network = ps_store_network(folder);
    if (network && store->mode != PS_STORE_READ) {
        size_t size = strlen(store->path) + 300;
        store->warning = ps_malloc(size);
        PS_FAIL_IF_NULL(store->warning, error);
        snprintf(store->warning, size,
                 "%s lies on a network file system (%s): it is slower there, cannot be read while "
                 "it is written, and depends on the server to keep what it promised to keep; a "
                 "local disk is better",
                 store->path, network);
    }
    if (store->mode != PS_STORE_READ)
        PS_TRY(ps_store_owner_take(&store->owner, store->path, error));
    bool immutable =
        store->mode == PS_STORE_READ && must_be_immutable(store->path, folder, network);
    PS_TRY(open_database(store, immutable, error));
    PS_TRY(configure(store, network, error));
    return check_format(store, folder, error);
}

/* *cut_off: a writer died in the middle of a transaction that used a rollback journal, and SQLite
 * will not undo it for a reader. */
static enum ps_status open_once(struct ps_store **result, const char *path, enum ps_store_mode mode,
                                const char *network, bool *cut_off, struct ps_error *error) {
    *cut_off = false;
    *result = NULL;
    struct ps_store *store = ps_calloc(1, sizeof *store);
    PS_FAIL_IF_NULL(store, error);
    store->mode = mode;
    ps_buffer_init(&store->frame, PS_STORE_BODY_LIMIT + 1);
    ps_buffer_init(&store->base, PS_STORE_BODY_LIMIT + 1);
    ps_buffer_init(&store->ids, PS_STORE_BODY_LIMIT + 1);
    ps_buffer_init(&store->logprobs, PS_STORE_BODY_LIMIT + 1);
    ps_buffer_init(&store->scratch, 4u * PS_STORE_BODY_LIMIT);
    ps_buffer_init(&store->scratch2, 4u * PS_STORE_BODY_LIMIT);
    enum ps_status status = PS_OK;
    char *folder = folder_of(path);
    store->path = ps_strdup(path);
    store->compressor = ZSTD_createCCtx();
    store->decompressor = ZSTD_createDCtx();
    PS_FAIL_DONE_IF(!folder || !store->path || !store->compressor || !store->decompressor, error,
                    PS_MEMORY, "out of memory");
    PS_TRY_DONE(open_in(store, folder, network, error));
    *result = store;
done:
    ps_free(folder);
    if (status != PS_OK && mode == PS_STORE_READ && store->database)
        *cut_off = (sqlite3_errcode(store->database) & 0xFF) == SQLITE_READONLY;
    if (status != PS_OK) ps_store_close(store);
    return status;
}

enum ps_status ps_store_open_on(struct ps_store **store, const char *path, enum ps_store_mode mode,
                                const char *network, struct ps_error *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ps_error own;
    bool cut_off;
    if (!error) error = &own;
    pthread_once(&once, set_up_libraries);
    enum ps_status status = open_once(store, path, mode, network, &cut_off, error);
    if (!cut_off) return status;
    status = open_once(store, path, PS_STORE_WRITE, network, &cut_off, error);
    if (status != PS_OK)
        return ps_error_prefix(error, "the last write was cut off and must be undone");
    ps_store_close(*store);
    return open_once(store, path, mode, network, &cut_off, error);
}

enum ps_status ps_store_open(struct ps_store **store, const char *path, enum ps_store_mode mode,
                             struct ps_error *error) {
    return ps_store_open_on(store, path, mode, NULL, error);
}

void ps_store_close(struct ps_store *store) {
    if (!store) return;
    for (size_t i = 0; i < store->statement_count; i++)
        sqlite3_finalize(store->statements[i].statement);
    sqlite3_close(store->database); /* rolls back what is open */
    ps_lock_release(&store->owner);
    ZSTD_freeCCtx(store->compressor);
    ZSTD_freeDCtx(store->decompressor);
    ps_buffer_release(&store->frame);
    ps_buffer_release(&store->base);
    ps_buffer_release(&store->ids);
    ps_buffer_release(&store->logprobs);
    ps_buffer_release(&store->scratch);
    ps_buffer_release(&store->scratch2);
    ps_free(store->path);
    ps_free(store->warning);
    ps_free(store);
}

const char *ps_store_path(const struct ps_store *store) {
    return store->path;
}

const char *ps_store_warning(const struct ps_store *store) {
    return store->warning;
}
