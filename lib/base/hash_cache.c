/* Remembered hashes of large files: a text file of lines
 *
 *     SHA-256 size seconds nanoseconds inode device path
 *
 * to which lines are appended; the last that fits counts. A file changed less than two seconds ago
 * is not remembered, because a change within the clock's tick would go unseen. The cache is a
 * convenience: whatever is wrong with it, the file is hashed instead. */
#include "base/file.h"
#include "base/hash.h"
#include "base/stop.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SMALL_FILE = 1 << 20, CACHE_LIMIT = 4 << 20, PIECE = 64 << 20 };

static bool cache_path(char *path, size_t size) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = -1;
    if (cache && cache[0] == '/')
        length = snprintf(path, size, "%s/potstill", cache);
    else if (home && home[0] == '/')
        length = snprintf(path, size, "%s/.cache/potstill", home);
    if (length < 0 || (size_t)length + 16 > size) return false;
    if (ps_directory_create(path, NULL) != PS_OK) return false;
    strcat(path, "/file-hashes");
    return true;
}

/* What stands behind the hash in the line of this state of the file. */
static bool describe(const char *path, const struct stat *info, char *text, size_t size) {
    char resolved[PATH_MAX];
    if (!realpath(path, resolved) || strchr(resolved, '\n')) return false;
    int length =
        snprintf(text, size, " %lld %lld %ld %llu %llu %s\n", (long long)info->st_size,
                 (long long)info->st_mtim.tv_sec, info->st_mtim.tv_nsec,
                 (unsigned long long)info->st_ino, (unsigned long long)info->st_dev, resolved);
    return length > 0 && (size_t)length < size;
}

static bool parse_hex(const char *text, struct ps_hash *hash) {
    for (size_t i = 0; i < sizeof hash->bytes; i++) {
        unsigned value;
        if (sscanf(text + 2 * i, "%2x", &value) != 1) return false;
        hash->bytes[i] = (uint8_t)value;
    }
    return true;
}

static bool look_up(const char *cache, const char *description, struct ps_hash *hash) {
    struct ps_buffer lines;
    bool found = false;
    ps_buffer_init(&lines, CACHE_LIMIT);
    if (ps_file_read(cache, &lines, NULL) == PS_OK && lines.data) {
        for (char *at = lines.data; (at = strstr(at, description)); at++) {
            bool whole = at - lines.data >= 64 && (at - lines.data == 64 || at[-65] == '\n');
            if (whole) found = parse_hex(at - 64, hash);
        }
    } else if (lines.size == CACHE_LIMIT) {
        unlink(cache); /* begins anew */
    }
    ps_buffer_release(&lines);
    return found;
}

static void remember(const char *cache, const char *description, const struct ps_hash *hash) {
    char hex[PS_HASH_HEX_SIZE], line[PATH_MAX + 300];
    int size = snprintf(line, sizeof line, "%s%s", ps_hash_hex(hash, hex), description);
    int descriptor = open(cache, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor < 0) return;
    if (size > 0 && (size_t)size < sizeof line && write(descriptor, line, (size_t)size) != size)
        unlink(cache); /* half a line must not stay */
    close(descriptor);
}

/* As ps_hash_file, which cannot be stopped. */
static enum ps_status hash_large(const char *path, struct ps_hash *hash, struct ps_error *error) {
    struct ps_file_map map;
    PS_TRY(ps_file_map(&map, path, error));
    struct ps_hash_state *state = ps_hash_begin();
    enum ps_status status = state ? PS_OK : ps_error_set(error, PS_MEMORY, "out of memory");
    for (size_t at = 0; status == PS_OK && at < map.size; at += PIECE) {
        ps_hash_update(state, map.data + at, map.size - at < PIECE ? map.size - at : PIECE);
        status = ps_stop_check(error);
    }
    ps_file_unmap(&map);
    if (state) *hash = ps_hash_end(state);
    return status;
}

static bool same_state(const struct stat *a, const struct stat *b) {
    return a->st_size == b->st_size && a->st_ino == b->st_ino &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

enum ps_status ps_hash_file_cached(const char *path, struct ps_hash *hash, struct ps_error *error) {
    struct stat before, after;
    char cache[PATH_MAX], description[PATH_MAX + 200];
    if (stat(path, &before) != 0 || before.st_size < SMALL_FILE ||
        !cache_path(cache, sizeof cache) ||
        !describe(path, &before, description, sizeof description))
        return ps_hash_file(path, hash, error);
    if (look_up(cache, description, hash)) return PS_OK;
    PS_TRY(hash_large(path, hash, error));
    bool settled = time(NULL) - before.st_mtim.tv_sec >= 2;
    if (settled && stat(path, &after) == 0 && same_state(&before, &after))
        remember(cache, description, hash);
    return PS_OK;
}
