#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of a read(2) or write(2); safetensors writers hand over small pieces. */
enum { BLOCK = 1 << 20 };

enum ps_status ps_file_read(const char *path, struct ps_buffer *buffer, struct ps_error *error) {
    enum ps_status status = PS_OK;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return ps_error_errno(error, errno, "%s", path);
    for (;;) {
        size_t left = buffer->limit - buffer->size, room = left < BLOCK ? left : BLOCK;
        bool full = left == 0;
        char extra; /* asked for over the limit, to tell a full buffer from the end of the file */
        if (!ps_buffer_reserve(buffer, room)) {
            status = ps_error_set(error, PS_MEMORY, "%s: out of memory", path);
            break;
        }
        ssize_t got = full ? read(descriptor, &extra, 1)
                           : read(descriptor, buffer->data + buffer->size, room);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            status = ps_error_errno(error, errno, "%s", path);
            break;
        }
        if (got == 0) break;
        if (full) {
            status =
                ps_error_set(error, PS_LIMIT, "%s: larger than %zu bytes", path, buffer->limit);
            break;
        }
        buffer->size += (size_t)got;
        buffer->data[buffer->size] = 0;
    }
    close(descriptor);
    return status;
}

enum ps_status ps_file_map(struct ps_file_map *map, const char *path, struct ps_error *error) {
    *map = (struct ps_file_map){0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return ps_error_errno(error, errno, "%s", path);
    enum ps_status status = PS_OK;
    struct stat info;
    if (fstat(descriptor, &info) != 0) {
        status = ps_error_errno(error, errno, "%s", path);
    } else if (!S_ISREG(info.st_mode)) {
        status = ps_error_set(error, PS_FORMAT, "%s: not a regular file", path);
    } else if (info.st_size > 0) {
        void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (data == MAP_FAILED)
            status = ps_error_errno(error, errno, "%s: mmap", path);
        else
            *map = (struct ps_file_map){data, (size_t)info.st_size};
    }
    close(descriptor);
    return status;
}

void ps_file_unmap(struct ps_file_map *map) {
    if (map->data) munmap((void *)map->data, map->size);
    *map = (struct ps_file_map){0};
}

/* ---- atomic writes ---- */

enum ps_status ps_file_writer_begin(struct ps_file_writer *writer, const char *path,
                                    struct ps_error *error) {
    *writer = (struct ps_file_writer){.descriptor = -1};
    size_t room = strlen(path) + 32;
    writer->path = ps_strdup(path);
    writer->temporary = ps_malloc(room);
    writer->pending = ps_malloc(BLOCK);
    if (!writer->path || !writer->temporary || !writer->pending) {
        ps_file_writer_abort(writer);
        return ps_error_set(error, PS_MEMORY, "%s: out of memory", path);
    }
    snprintf(writer->temporary, room, "%s.tmp-%ld", path, (long)getpid());
    writer->descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (writer->descriptor < 0) {
        enum ps_status status = ps_error_errno(error, errno, "%s", writer->temporary);
        ps_file_writer_abort(writer);
        return status;
    }
    return PS_OK;
}

static enum ps_status write_all(struct ps_file_writer *writer, const char *data, size_t size,
                                struct ps_error *error) {
    while (size > 0) {
        ssize_t written = write(writer->descriptor, data, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return ps_error_errno(error, errno, "%s: write", writer->path);
        data += written;
        size -= (size_t)written;
    }
    return PS_OK;
}

enum ps_status ps_file_writer_write(struct ps_file_writer *writer, const void *data, size_t size,
                                    struct ps_error *error) {
    writer->size += size;
    if (size >= BLOCK - writer->pending_size) {
        PS_TRY(write_all(writer, writer->pending, writer->pending_size, error));
        writer->pending_size = 0;
        if (size >= BLOCK) return write_all(writer, data, size, error);
    }
    if (size) memcpy(writer->pending + writer->pending_size, data, size);
    writer->pending_size += size;
    return PS_OK;
}

enum ps_status ps_parent_sync(const char *path, struct ps_error *error) {
    const char *slash = strrchr(path, '/');
    char *folder =
        slash ? ps_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : ps_strdup(".");
    PS_FAIL_IF_NULL(folder, error);
    enum ps_status status = ps_directory_sync(folder, error);
    ps_free(folder);
    return status;
}

enum ps_status ps_file_writer_commit(struct ps_file_writer *writer, struct ps_error *error) {
    enum ps_status status = write_all(writer, writer->pending, writer->pending_size, error);
    if (status == PS_OK && fsync(writer->descriptor) != 0)
        status = ps_error_errno(error, errno, "%s: fsync", writer->temporary);
    int closed = close(writer->descriptor);
    writer->descriptor = -1;
    if (status == PS_OK && closed != 0)
        status = ps_error_errno(error, errno, "%s: close", writer->temporary);
    if (status == PS_OK && rename(writer->temporary, writer->path) != 0)
        status = ps_error_errno(error, errno, "%s: rename", writer->path);
    if (status == PS_OK) {
        writer->temporary[0] = 0; /* nothing left to remove */
        status = ps_parent_sync(writer->path, error);
    }
    ps_file_writer_abort(writer);
    return status;
}

void ps_file_writer_abort(struct ps_file_writer *writer) {
    if (writer->descriptor >= 0) close(writer->descriptor);
    if (writer->temporary && writer->temporary[0]) unlink(writer->temporary);
    ps_free(writer->path);
    ps_free(writer->temporary);
    ps_free(writer->pending);
    *writer = (struct ps_file_writer){.descriptor = -1};
}

enum ps_status ps_file_write_atomic(const char *path, const void *data, size_t size,
                                    struct ps_error *error) {
    struct ps_file_writer writer;
    PS_TRY(ps_file_writer_begin(&writer, path, error));
    enum ps_status status = ps_file_writer_write(&writer, data, size, error);
    if (status == PS_OK) return ps_file_writer_commit(&writer, error);
    ps_file_writer_abort(&writer);
    return status;
}

/* ---- folders and paths ---- */

bool ps_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

bool ps_directory_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

enum ps_status ps_directory_create(const char *path, struct ps_error *error) {
    char *partial = ps_strdup(path);
    PS_FAIL_IF_NULL(partial, error);
    enum ps_status status = PS_OK;
    for (char *end = partial + 1; status == PS_OK && partial[0]; end++) {
        if (*end && *end != '/') continue;
        char kept = *end;
        *end = 0;
        if (mkdir(partial, 0777) != 0 && (errno != EEXIST || !ps_directory_exists(partial)))
            status = ps_error_errno(error, errno, "%s: cannot create the folder", partial);
        *end = kept;
        if (!kept) break;
    }
    ps_free(partial);
    return status;
}

enum ps_status ps_link_replace(const char *link, const char *target, struct ps_error *error) {
    char *fresh = ps_malloc(strlen(link) + 32);
    PS_FAIL_IF_NULL(fresh, error);
    sprintf(fresh, "%s.tmp-%ld", link, (long)getpid());
    unlink(fresh);
    enum ps_status status = PS_OK;
    if (symlink(target, fresh) != 0 || rename(fresh, link) != 0)
        status = ps_error_errno(error, errno, "%s", link);
    ps_free(fresh);
    return status;
}

enum ps_status ps_directory_sync(const char *path, struct ps_error *error) {
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return ps_error_errno(error, errno, "%s", path);
    enum ps_status status = PS_OK;
    /* Some network file systems refuse fsync of a folder with EINVAL; there is nothing to add. */
    if (fsync(descriptor) != 0 && errno != EINVAL)
        status = ps_error_errno(error, errno, "%s: fsync", path);
    close(descriptor);
    return status;
}

enum ps_status ps_directory_commit(const char *temporary, const char *path,
                                   struct ps_error *error) {
    PS_TRY(ps_directory_sync(temporary, error));
    PS_TRY(ps_path_remove(path, error));
    if (rename(temporary, path) != 0) return ps_error_errno(error, errno, "%s: rename", path);
    return ps_parent_sync(path, error);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

enum ps_status ps_path_remove(const char *path, struct ps_error *error) {
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return ps_error_errno(error, errno, "%s: cannot remove", path);
    return PS_OK;
}

char *ps_path_join(struct ps_arena *arena, const char *folder, const char *name) {
    if (name[0] == '/' || !folder[0]) return ps_arena_format(arena, "%s", name);
    bool slash = folder[strlen(folder) - 1] == '/';
    return ps_arena_format(arena, "%s%s%s", folder, slash ? "" : "/", name);
}
