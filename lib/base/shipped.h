#pragma once
/* Files that come with the program: manifests of data sets, recipes. */

#include "base/memory.h"

/* The folder `name` ("datasets", "pipelines") of shipped files: $POTSTILL_SOURCE/name when that is
 * set; the source tree's for a program that runs in the build tree; else ../share/potstill/name
 * beside the program's folder, or the same below the prefix it was configured for. NULL: out of
 * memory. */
char *ps_shipped_folder(struct ps_arena *arena, const char *name);
