#pragma once
/* A lock file: one process at a time works on something, and a second is told who that is. */

#include "base/status.h"

#include <stdbool.h>

enum { PS_LOCK_HOLDER = 200 }; /* bytes of "process 12 on host" */

struct ps_lock {
    int descriptor;
    char *path; /* NULL: not held */
};

/* Makes and locks the file at `path`, whose folder must be there. PS_BUSY when it is held, also
 * within this process; holder says by whom. */
enum ps_status ps_lock_take(struct ps_lock *lock, const char *path, char holder[PS_LOCK_HOLDER],
                            struct ps_error *error);
/* Removes the file. One that is all zero is fine. */
void ps_lock_release(struct ps_lock *lock);

/* Whether some process holds it now, and who. */
bool ps_lock_is_held(const char *path, char holder[PS_LOCK_HOLDER]);
