#include "base/disk.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

/* Turns a path into that of the folder it lies in; false where there is none above. */
static bool go_up(char *path) {
    char *slash = strrchr(path, '/');
    if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0 || !path[0]) return false;
    if (!slash)
        strcpy(path, ".");
    else if (slash == path)
        strcpy(path, "/");
    else
        *slash = 0;
    return true;
}

int64_t ps_disk_free(const char *path) {
    struct statvfs about;
    char *place = ps_strdup(path);
    uint64_t size = INT64_MAX;
    bool found = false;
    while (place && !(found = statvfs(place, &about) == 0) && errno == ENOENT && go_up(place)) {
    }
    ps_free(place);
    if (!found || __builtin_mul_overflow((uint64_t)about.f_bavail, (uint64_t)about.f_frsize, &size))
        return INT64_MAX;
    return size < INT64_MAX ? (int64_t)size : INT64_MAX;
}

enum ps_status ps_disk_check(const char *path, struct ps_disk_need need, int64_t free, bool *tight,
                             struct ps_error *error) {
    const double mega = 1e-6;
    *tight = need.likely <= free && need.most > free;
    PS_FAIL_IF(need.likely > free, error, PS_FULL,
               "%s: about %.1f MB will be written there and %.1f MB are free: make room, or choose "
               "another disk",
               path, mega * (double)need.likely, mega * (double)free);
    return PS_OK;
}
