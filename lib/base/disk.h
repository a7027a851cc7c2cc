#pragma once
/* Room on a disk, asked for before work begins that would fill it. */

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes that may be written to the file system of `path`, or of the nearest folder above it that
 * there is; INT64_MAX where that cannot be told. */
int64_t ps_disk_free(const char *path);

/* What work is expected to write, and what it may come to. */
struct ps_disk_need {
    int64_t likely, most;
};

/* PS_FULL with both numbers and the way out when what is likely is more than `free`. *tight: it
 * fits, but the most does not. */
enum ps_status ps_disk_check(const char *path, struct ps_disk_need need, int64_t free, bool *tight,
                             struct ps_error *error);
