#include "base/shipped.h"

#include "base/file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cuts the last part off a path; false when there is none. */
static bool cut_name(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) *slash = 0;
    return slash;
}

char *ps_shipped_folder(struct ps_arena *arena, const char *name) {
    const char *source = getenv("POTSTILL_SOURCE");
    if (source && *source) return ps_path_join(arena, source, name);
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    program[size > 0 ? size : 0] = 0;
    size_t build = strlen(PS_BUILD_DIR);
    if (strncmp(program, PS_BUILD_DIR, build) == 0 && program[build] == '/')
        return ps_path_join(arena, PS_SOURCE_DIR, name);
    if (cut_name(program) && cut_name(program)) {
        char *folder = ps_arena_format(arena, "%s/share/potstill/%s", program, name);
        if (!folder || ps_directory_exists(folder)) return folder;
    }
    return ps_path_join(arena, PS_DATA_DIR, name);
}
