/* Who writes. SQLite itself lets writers take turns, but releases before 3.51.3 can damage a WAL
 * when two connections write or checkpoint at the same moment, and a run that finds its store
 * changed under it is no use to anybody: so one process writes, and a second is told who that is.
 *
 * STORE.owner is locked for as long as the store is open for writing (an open-file-description
 * lock, which also tells two openings within a process apart and goes when its process dies) and
 * says who holds it. Where locks do not work (some network mounts) the file alone must do: it is
 * then created exclusively, and one left behind by a dead process has to be removed by hand unless
 * that process ran on this machine. */

#include "store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

const char *ps_store_network(const char *path) {
    static const struct {
        uint32_t magic;
        const char *name;
    } kinds[] = {{0x6969, "NFS"},        {0x517B, "SMB"},        {0xFF534D42, "CIFS"},
                 {0xFE534D42, "SMB"},    {0x0BD00BD0, "Lustre"}, {0x47504653, "GPFS"},
                 {0x19830326, "BeeGFS"}, {0x00C36400, "Ceph"},   {0x01021997, "9P"},
                 {0x5346414F, "AFS"},    {0x65735546, "FUSE"},   {0x20030528, "OrangeFS"}};
    struct statfs about;
    if (statfs(path, &about) != 0) return NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((uint32_t)about.f_type == kinds[i].magic) return kinds[i].name;
    return NULL;
}

/* "process 12 on host", as the owner wrote it, cut at the first line. */
static void read_owner(int descriptor, char *text, size_t size) {
    ssize_t got = pread(descriptor, text, size - 1, 0);
    text[got > 0 ? got : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    if (!*text) snprintf(text, size, "another process");
}

static enum ps_status busy(int descriptor, const char *path, struct ps_error *error) {
    char who[200];
    read_owner(descriptor, who, sizeof who);
    close(descriptor);
    return ps_error_set(error, PS_BUSY, "%s: %s is writing to it; wait until that ends, or stop it",
                        path, who);
}

/* No locks here: is the one who made the file certainly gone? */
static bool owner_is_dead(int descriptor) {
    char who[200], host[100], here[100] = "";
    long pid;
    read_owner(descriptor, who, sizeof who);
    gethostname(here, sizeof here - 1);
    return sscanf(who, "process %ld on %99s", &pid, host) == 2 && strcmp(host, here) == 0 &&
           pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Locks the file that has the name now; an owner removes it as it leaves, so a lock may have been
 * won on a file that is gone. */
static enum ps_status lock(struct ps_store_owner *owner, const char *path, struct ps_error *error) {
    for (int attempt = 0; attempt < 100; attempt++) {
        int descriptor = open(owner->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (descriptor < 0) return ps_error_errno(error, errno, "%s", owner->path);
        struct stat there, mine;
        if (fstat(descriptor, &mine) != 0) mine.st_size = 0;
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(descriptor, F_OFD_SETLK, &whole) != 0) {
            bool no_locks = errno != EAGAIN && errno != EACCES;
            if (!no_locks || (mine.st_size > 0 && !owner_is_dead(descriptor)))
                return busy(descriptor, path, error);
        }
        if (stat(owner->path, &there) == 0 && there.st_ino == mine.st_ino &&
            there.st_dev == mine.st_dev) {
            owner->descriptor = descriptor;
            return PS_OK;
        }
        close(descriptor);
    }
    return ps_error_set(error, PS_BUSY, "%s: other processes keep opening it", path);
}

enum ps_status ps_store_owner_take(struct ps_store_owner *owner, const char *path,
                                   struct ps_error *error) {
    size_t size = strlen(path) + sizeof ".owner";
    owner->path = ps_malloc(size);
    PS_FAIL_IF_NULL(owner->path, error);
    snprintf(owner->path, size, "%s.owner", path);
    PS_TRY(lock(owner, path, error));
    char host[100] = "", text[200];
    gethostname(host, sizeof host - 1);
    int length = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(owner->descriptor, 0) != 0 ||
        pwrite(owner->descriptor, text, (size_t)length, 0) != length)
        return ps_error_errno(error, errno, "%s", owner->path);
    return PS_OK;
}

void ps_store_owner_release(struct ps_store_owner *owner) {
    if (owner->descriptor >= 0) {
        unlink(owner->path);
        close(owner->descriptor);
    }
    ps_free(owner->path);
    *owner = (struct ps_store_owner){.descriptor = -1};
}
