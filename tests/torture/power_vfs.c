#include "power_vfs.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 512, FILES = 16 };

/* What is on the disk under a name. */
struct shadow {
    char path[256];
    bool exists;         /* on the disk */
    bool deleted;        /* its name has gone since, without an fsync of the folder */
    unsigned char *data; /* as of the last fsync */
    int64_t size, live_size;
    unsigned char *dirty; /* one byte a sector */
    int64_t sectors;
};
static struct shadow shadows[FILES];
static sqlite3_vfs *below, power_vfs;
static enum power_event event;
static uint64_t at, until, calls, seed, draws;
static bool met, dead;

struct power_file {
    sqlite3_file base;
    struct shadow *shadow; /* NULL: a file without a name that lasts */
    sqlite3_file *real;
};

static void *must(void *pointer) {
    if (!pointer) abort();
    return pointer;
}

static struct shadow *shadow_of(const char *path) {
    struct shadow *empty = NULL;
    for (int i = 0; i < FILES; i++) {
        if (strcmp(shadows[i].path, path) == 0) return &shadows[i];
        if (!shadows[i].path[0] && !empty) empty = &shadows[i];
    }
    must(empty);
    snprintf(empty->path, sizeof empty->path, "%s", path);
    return empty;
}

/* ---- loss ---- */

static bool chance(void) {
    return ps_random_below(seed, draws++, 2);
}

static void mark(struct shadow *shadow, int64_t from, int64_t to) {
    int64_t sectors = (to + SECTOR - 1) / SECTOR;
    if (sectors > shadow->sectors) {
        shadow->dirty = must(realloc(shadow->dirty, (size_t)sectors));
        memset(shadow->dirty + shadow->sectors, 0, (size_t)(sectors - shadow->sectors));
        shadow->sectors = sectors;
    }
    for (int64_t i = from / SECTOR; i < sectors; i++) shadow->dirty[i] = 1;
    if (to > shadow->live_size) shadow->live_size = to;
}

/* Some (or with all: every) dirty sectors of the file reach the disk. */
static void settle(struct shadow *shadow, bool all) {
    int file = open(shadow->path, O_RDONLY);
    if (file < 0) return;
    int64_t size = all || chance() ? shadow->live_size : shadow->size;
    if (size > shadow->size) {
        shadow->data = must(realloc(shadow->data, (size_t)size));
        memset(shadow->data + shadow->size, 0, (size_t)(size - shadow->size));
    }
    shadow->size = size;
    for (int64_t i = 0; i < shadow->sectors; i++) {
        if (!shadow->dirty[i] || i * SECTOR >= size || !(all || chance())) continue;
        int64_t left = size - i * SECTOR;
        if (pread(file, shadow->data + i * SECTOR, (size_t)(left < SECTOR ? left : SECTOR),
                  i * SECTOR) < 0)
            abort();
    }
    if (all && shadow->sectors) memset(shadow->dirty, 0, (size_t)shadow->sectors);
    close(file);
}

static void lose_power(void) {
    for (int i = 0; i < FILES; i++) {
        struct shadow *shadow = &shadows[i];
        if (!shadow->path[0]) continue;
        if (shadow->deleted) {
            shadow->exists = shadow->exists && chance();
            continue;
        }
        /* A file whose folder entry was never made sure of may be gone altogether. */
        if (!shadow->exists && !chance()) continue;
        shadow->exists = true;
        settle(shadow, false);
    }
    dead = true;
}

void power_restore(void) {
    for (int i = 0; i < FILES; i++) {
        struct shadow *shadow = &shadows[i];
        if (!shadow->path[0]) continue;
        unlink(shadow->path);
        if (!shadow->exists) continue;
        int file = open(shadow->path, O_RDWR | O_CREAT | O_TRUNC, 0644);
        if (file < 0 || write(file, shadow->data, (size_t)shadow->size) != shadow->size) abort();
        close(file);
    }
    dead = false;
}

/* Every name that was made or removed is so on the disk. */
static void sync_folder(void) {
    for (int i = 0; i < FILES; i++) shadows[i].exists = shadows[i].path[0] && !shadows[i].deleted;
}

/* Counts a call; SQLITE_OK, or what it must fail with. */
static int step(int error_code) {
    if (dead) return error_code;
    calls++;
    if (at == 0 || calls < at || calls >= until) return SQLITE_OK;
    met = true;
    if (event == POWER_LOSS) lose_power();
    errno = event == POWER_FULL ? ENOSPC : EIO;
    return event == POWER_FULL ? SQLITE_FULL : error_code;
}

void power_arm(enum power_event what, uint64_t n, uint64_t times, uint64_t key) {
    for (int i = 0; i < FILES; i++) {
        free(shadows[i].data);
        free(shadows[i].dirty);
        shadows[i] = (struct shadow){0};
    }
    event = what;
    at = n;
    until = what == POWER_LOSS ? n + 1 : n + times;
    calls = draws = 0;
    seed = key;
    met = dead = false;
}

bool power_met(void) {
    return met;
}

uint64_t power_calls(void) {
    return calls;
}

/* ---- files ---- */

static struct power_file *self(sqlite3_file *file) {
    return (struct power_file *)file;
}
#define REAL(file)              self(file)->real
#define CALL(file, method, ...) REAL(file)->pMethods->method(REAL(file), ##__VA_ARGS__)

static int file_close(sqlite3_file *file) {
    return REAL(file)->pMethods ? CALL(file, xClose) : SQLITE_OK;
}
static int file_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset) {
    return dead ? SQLITE_IOERR_READ : CALL(file, xRead, data, size, offset);
}
static int file_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset) {
    if (!self(file)->shadow) return CALL(file, xWrite, data, size, offset);
    int code = step(SQLITE_IOERR_WRITE);
    if (code != SQLITE_OK) return code;
    code = CALL(file, xWrite, data, size, offset);
    if (code == SQLITE_OK) mark(self(file)->shadow, offset, offset + size);
    return code;
}
static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    if (!self(file)->shadow) return CALL(file, xTruncate, size);
    int code = step(SQLITE_IOERR_TRUNCATE);
    if (code != SQLITE_OK) return code;
    self(file)->shadow->live_size = size;
    return CALL(file, xTruncate, size);
}
static int file_sync(sqlite3_file *file, int flags) {
    struct shadow *shadow = self(file)->shadow;
    (void)flags;
    if (!shadow) return SQLITE_OK;
    int code = step(SQLITE_IOERR_FSYNC);
    if (code != SQLITE_OK) return code;
    settle(shadow, true);
    if (!shadow->exists) sync_folder(); /* as SQLite does with a new file's first sync */
    return SQLITE_OK;
}
static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return CALL(file, xFileSize, size);
}
static int file_lock(sqlite3_file *file, int level) {
    return CALL(file, xLock, level);
}
static int file_unlock(sqlite3_file *file, int level) {
    return CALL(file, xUnlock, level);
}
static int file_reserved(sqlite3_file *file, int *result) {
    return CALL(file, xCheckReservedLock, result);
}
static int file_control(sqlite3_file *file, int operation, void *argument) {
    return CALL(file, xFileControl, operation, argument);
}
static int file_sector_size(sqlite3_file *file) {
    (void)file;
    return SECTOR;
}
static int file_characteristics(sqlite3_file *file) {
    (void)file;
    return 0; /* promises nothing: no atomic writes, no safe append */
}
static int file_map(sqlite3_file *file, int page, int size, int extend, void volatile **memory) {
    return CALL(file, xShmMap, page, size, extend, memory);
}
static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return CALL(file, xShmLock, offset, count, flags);
}
static void file_barrier(sqlite3_file *file) {
    CALL(file, xShmBarrier);
}
static int file_unmap(sqlite3_file *file, int remove) {
    return CALL(file, xShmUnmap, remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_barrier,
    .xShmUnmap = file_unmap,
};

static int power_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *out_flags) {
    (void)vfs;
    struct power_file *mine = self(file);
    mine->real = (sqlite3_file *)(mine + 1);
    mine->shadow = NULL;
    mine->base.pMethods = NULL;
    if (dead) return SQLITE_CANTOPEN;
    bool lasts =
        name && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL));
    bool was_there = lasts && access(name, F_OK) == 0;
    int code = below->xOpen(below, name, mine->real, flags, out_flags);
    if (code != SQLITE_OK) return code;
    mine->base.pMethods = &methods;
    if (!lasts) return SQLITE_OK;
    struct shadow *shadow = mine->shadow = shadow_of(name);
    if (was_there && !shadow->exists && !shadow->live_size) { /* from before it was armed */
        sqlite3_int64 size = 0;
        mine->real->pMethods->xFileSize(mine->real, &size);
        mark(shadow, 0, size);
        settle(shadow, true);
        shadow->exists = true;
    }
    if (!was_there) { /* a new file, also where one of that name was removed */
        shadow->size = shadow->live_size = shadow->sectors = 0;
        shadow->exists = false;
    }
    shadow->deleted = false;
    return SQLITE_OK;
}

static int power_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    (void)vfs;
    if (dead) return SQLITE_IOERR_DELETE;
    struct shadow *shadow = shadow_of(name);
    shadow->deleted = true;
    if (sync) sync_folder();
    return below->xDelete(below, name, sync);
}

void power_register(void) {
    below = sqlite3_vfs_find(NULL);
    power_vfs = *below;
    power_vfs.zName = "power";
    power_vfs.szOsFile = (int)sizeof(struct power_file) + below->szOsFile;
    power_vfs.xOpen = power_open;
    power_vfs.xDelete = power_delete;
    sqlite3_vfs_register(&power_vfs, 1);
}
