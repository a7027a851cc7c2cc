/* The file is locked for as long as it is held (an open-file-description lock, which also tells two
 * takers within a process apart and goes when its process dies) and says who holds it. Where locks
 * do not work (some network mounts) the file alone must do: one left behind by a dead process has
 * to be removed by hand unless that process ran on this machine. */

#include "base/lock.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the holder wrote, cut at the first line. */
static void read_holder(int descriptor, char holder[PS_LOCK_HOLDER]) {
    ssize_t got = pread(descriptor, holder, PS_LOCK_HOLDER - 1, 0);
    holder[got > 0 ? got : 0] = 0;
    holder[strcspn(holder, "\n")] = 0;
    if (!*holder) snprintf(holder, PS_LOCK_HOLDER, "another process");
}

/* No locks here: is the one who made the file certainly gone? */
static bool holder_is_dead(const char *holder) {
    char host[100], here[100] = "";
    long pid;
    gethostname(here, sizeof here - 1);
    return sscanf(holder, "process %ld on %99s", &pid, host) == 2 && strcmp(host, here) == 0 &&
           pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Whether the lock, or without locks the file, is somebody's. `command` takes it or asks. */
static bool is_taken(int descriptor, int command, char holder[PS_LOCK_HOLDER]) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat about;
    int code = fcntl(descriptor, command, &whole) == 0 ? 0 : errno;
    read_holder(descriptor, holder);
    if (code == 0) return whole.l_type != F_UNLCK && command == F_OFD_GETLK;
    if (code == EAGAIN || code == EACCES) return true;
    return fstat(descriptor, &about) == 0 && about.st_size > 0 && !holder_is_dead(holder);
}

/* A holder removes the file as it leaves, so a lock may have been won on a file that is gone. */
static bool has_name(int descriptor, const char *path) {
    struct stat there, mine;
    return fstat(descriptor, &mine) == 0 && stat(path, &there) == 0 &&
           there.st_ino == mine.st_ino && there.st_dev == mine.st_dev;
}

static enum ps_status open_locked(const char *path, int *result, char holder[PS_LOCK_HOLDER],
                                  struct ps_error *error) {
    for (int attempt = 0; attempt < 100; attempt++) {
        int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (descriptor < 0) return ps_error_errno(error, errno, "%s", path);
        if (is_taken(descriptor, F_OFD_SETLK, holder)) {
            close(descriptor);
            return ps_error_set(error, PS_BUSY, "%s: held by %s", path, holder);
        }
        *result = descriptor;
        if (has_name(descriptor, path)) return PS_OK;
        close(descriptor);
    }
    snprintf(holder, PS_LOCK_HOLDER, "one process after the other");
    return ps_error_set(error, PS_BUSY, "%s: held by %s", path, holder);
}

enum ps_status ps_lock_take(struct ps_lock *lock, const char *path, char holder[PS_LOCK_HOLDER],
                            struct ps_error *error) {
    char host[100] = "", text[PS_LOCK_HOLDER];
    *lock = (struct ps_lock){0};
    char *copy = ps_strdup(path);
    PS_FAIL_IF_NULL(copy, error);
    enum ps_status status = open_locked(path, &lock->descriptor, holder, error);
    if (status != PS_OK) {
        ps_free(copy);
        return status;
    }
    lock->path = copy;
    gethostname(host, sizeof host - 1);
    int size = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(lock->descriptor, 0) == 0 &&
        pwrite(lock->descriptor, text, (size_t)size, 0) == size)
        return PS_OK;
    status = ps_error_errno(error, errno, "%s", path);
    ps_lock_release(lock);
    return status;
}

void ps_lock_release(struct ps_lock *lock) {
    if (!lock->path) return;
    unlink(lock->path);
    close(lock->descriptor);
    ps_free(lock->path);
    *lock = (struct ps_lock){0};
}

bool ps_lock_is_held(const char *path, char holder[PS_LOCK_HOLDER]) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    bool held = is_taken(descriptor, F_OFD_GETLK, holder);
    close(descriptor);
    return held;
}
