/* Who writes. SQLite itself lets writers take turns, but releases before 3.51.3 can damage a WAL
 * when two connections write or checkpoint at the same moment, and a run that finds its store
 * changed under it is no use to anybody: so one process writes, and a second is told who that is.
 * STORE.owner is locked (base/lock.h) for as long as the store is open for writing. */

#include "store_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

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

enum ps_status ps_store_owner_take(struct ps_lock *owner, const char *path,
                                   struct ps_error *error) {
    char holder[PS_LOCK_HOLDER];
    size_t size = strlen(path) + sizeof ".owner";
    char *name = ps_malloc(size);
    PS_FAIL_IF_NULL(name, error);
    snprintf(name, size, "%s.owner", path);
    enum ps_status status = ps_lock_take(owner, name, holder, error);
    ps_free(name);
    PS_FAIL_IF(status == PS_BUSY, error, PS_BUSY,
               "%s: %s is writing to it; wait until that ends, or stop it", path, holder);
    return status;
}
