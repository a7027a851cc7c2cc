#pragma once
/* Files: whole reads with a limit, read-only maps, atomic writes. Paths are in every message. */

#include "base/memory.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends the whole file to buffer; PS_LIMIT when it does not fit the buffer's limit. */
enum ps_status ps_file_read(const char *path, struct ps_buffer *buffer, struct ps_error *error);

/* A read-only map of a whole file. An empty file maps to size 0 with data NULL. */
struct ps_file_map {
    const uint8_t *data;
    size_t size;
};
enum ps_status ps_file_map(struct ps_file_map *map, const char *path, struct ps_error *error);
void ps_file_unmap(struct ps_file_map *map);

/* A file that appears under its name only when it is complete: begin opens "path.tmp-PID" in the
 * same folder, write appends, commit does fsync, close, rename and fsync of the folder. A failure
 * or ps_file_writer_abort (a no-op after commit) removes the temporary file. */
struct ps_file_writer {
    int descriptor;
    char *path, *temporary;
    uint64_t size; /* bytes written so far */
    char *pending; /* a block not yet handed to write(2) */
    size_t pending_size;
};
enum ps_status ps_file_writer_begin(struct ps_file_writer *writer, const char *path,
                                    struct ps_error *error);
enum ps_status ps_file_writer_write(struct ps_file_writer *writer, const void *data, size_t size,
                                    struct ps_error *error);
enum ps_status ps_file_writer_commit(struct ps_file_writer *writer, struct ps_error *error);
void ps_file_writer_abort(struct ps_file_writer *writer);

/* The three in one. */
enum ps_status ps_file_write_atomic(const char *path, const void *data, size_t size,
                                    struct ps_error *error);

bool ps_file_exists(const char *path);
bool ps_directory_exists(const char *path);

/* Makes a folder and its missing parents; one that is there already is fine. */
enum ps_status ps_directory_create(const char *path, struct ps_error *error);

/* Makes `link` a symbolic link to `target`, by rename: there is always the old one or the new one.
 */
enum ps_status ps_link_replace(const char *link, const char *target, struct ps_error *error);

/* fsync of the folder itself, so that renames in it survive a power loss. */
enum ps_status ps_directory_sync(const char *path, struct ps_error *error);

/* Gives a folder whose files are synced its name, in place of the folder that has it: a crash
 * leaves the one, the other or none under the name, never a mixture. Both have the same parent. */
enum ps_status ps_directory_commit(const char *temporary, const char *path, struct ps_error *error);

/* fsync of the folder that a file lies in. */
enum ps_status ps_parent_sync(const char *path, struct ps_error *error);

/* Removes a file, or a folder with all in it; one that is not there is fine. */
enum ps_status ps_path_remove(const char *path, struct ps_error *error);

/* "folder/name" in the arena; an absolute name stands alone. NULL: out of memory. */
char *ps_path_join(struct ps_arena *arena, const char *folder, const char *name);
