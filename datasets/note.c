/* Checksums noted at first use. Where a manifest declares none, copies of a data set differ and
 * none is wrong; but one that changes between two runs makes their scores incomparable. So the
 * first use writes the file's SHA-256 down, in the form of sha256sum, and a later use warns when it
 * differs. The notes lie in $XDG_STATE_HOME/potstill/checksums, else
 * ~/.local/state/potstill/checksums. Notes are a help: where they cannot be kept, work goes on
 * without. */
#include "base/file.h"
#include "base/log.h"
#include "datasets/datasets_internal.h"

#include <stdlib.h>
#include <string.h>

enum { NOTES_LIMIT = 1 << 20, HEX = 64 };

static char *notes_path(struct ps_arena *arena) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state) return ps_arena_format(arena, "%s/potstill/checksums", state);
    if (home && *home) return ps_arena_format(arena, "%s/.local/state/potstill/checksums", home);
    return NULL;
}

/* The noted checksum of a file, 64 digits inside notes; NULL when there is none. */
static const char *noted(const char *notes, const char *path) {
    size_t size = strlen(path);
    for (const char *line = notes; line && *line;) {
        const char *end = line + strcspn(line, "\n");
        if ((size_t)(end - line) == HEX + 2 + size && memcmp(line + HEX + 2, path, size) == 0)
            return line;
        line = *end ? end + 1 : end;
    }
    return NULL;
}

static void append(const char *file, struct ps_buffer *notes,
                   const struct ps_dataset_source *source) {
    char folder[4096];
    size_t size = (size_t)(strrchr(file, '/') - file);
    if (size >= sizeof folder || strchr(source->path, '\n')) return;
    memcpy(folder, file, size);
    folder[size] = 0;
    if (ps_buffer_format(notes, "%s  %s\n", source->sha256, source->path) &&
        ps_directory_create(folder, NULL) == PS_OK)
        ps_file_write_atomic(file, notes->data, notes->size, NULL);
}

void ps_dataset_note_checksum(const struct ps_dataset_source *source, struct ps_arena *arena) {
    struct ps_buffer notes;
    const char *file = notes_path(arena);
    if (!file) return;
    ps_buffer_init(&notes, NOTES_LIMIT);
    if (ps_file_exists(file) && ps_file_read(file, &notes, NULL) != PS_OK) goto done;
    const char *before = noted(notes.data, source->path);
    if (!before)
        append(file, &notes, source);
    else if (memcmp(before, source->sha256, HEX) != 0)
        ps_log_warning("%s has changed since it was first used: its SHA-256 was %.12s..., it is "
                       "%.12s...; scores from before cannot be compared. Delete its line in %s if "
                       "that is meant",
                       source->path, before, source->sha256, file);
done:
    ps_buffer_release(&notes);
}
