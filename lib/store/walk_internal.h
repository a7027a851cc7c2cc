#pragma once
/* Rows of a file that may be damaged. */

#include "store_internal.h"

struct ps_store_known {
    int64_t id;
    bool has_key; /* key is known: from the index, for traces alone */
    struct ps_store_key key;
};
struct ps_store_known_list {
    struct ps_store_known *rows;
    size_t count, room;
};
void ps_store_known_release(struct ps_store_known_list *list);

/* Appends the ids of all rows of a table that can be reached. *damaged: some page could not be
 * read, and ids may be missing. Fails for lack of memory alone. */
enum ps_status ps_store_walk(struct ps_store *store, const char *table,
                             struct ps_store_known_list *list, bool *damaged,
                             struct ps_error *error);
/* All traces that the table or its index knows, each once, by id. */
enum ps_status ps_store_known_traces(struct ps_store *store, struct ps_store_known_list *list,
                                     struct ps_error *error);
/* "trace 12 (math/train:3, sample 0 of r1)", as far as that can be read. */
void ps_store_trace_name(struct ps_store *store, const struct ps_store_known *trace, char *text,
                         size_t size);
