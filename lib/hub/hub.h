#pragma once
/* Models in the Hugging Face cache, which other programs fill.
 *
 * The cache is $HF_HUB_CACHE, else $HF_HOME/hub, else huggingface/hub in $XDG_CACHE_HOME or
 * ~/.cache. The model ORG/NAME lies there as models--ORG--NAME: refs/main names a commit, and
 * snapshots/COMMIT has the files (as links into blobs/). */

#include "base/memory.h"
#include "base/status.h"

/* What a user calls a model, as a path in the arena: one that is there, a folder or a file, stands
 * for itself; else it is the id of a model in the cache. PS_NOT_FOUND names where it was looked
 * for. */
enum ps_status ps_hub_find(const char *name, struct ps_arena *arena, const char **path,
                           struct ps_error *error);
