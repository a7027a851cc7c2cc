#pragma once
/* The texts of files: each line of a file; of a .jsonl file, each member that is a string. */

#include "base/memory.h"
#include "base/status.h"

struct ps_texts {
    struct ps_arena *arena; /* the caller's, where the texts lie */
    bool lines;             /* else a file that is no .jsonl is one text */
    const char **items;
    size_t *sizes;
    size_t count, capacity, bytes; /* bytes of all texts */
};
enum ps_status ps_texts_add_file(struct ps_texts *texts, const char *path, struct ps_error *error);
void ps_texts_release(struct ps_texts *texts);
