#pragma once
/* Statements built from a filter. */

#include "store_internal.h"

struct ps_store_value {
    const char *text; /* NULL: the integer */
    int64_t integer;
};

struct ps_store_sql {
    struct ps_buffer text;
    struct ps_store_value values[16];
    int count;
};

/* SELECT columns FROM trace t, prompt p, source s, sampler m, item i, verdict v (the last two may
 * be NULL) WHERE filter, then tail. A limit counts where the tail sorts. To be finalized. */
enum ps_status ps_store_sql_build(struct ps_store *store, const char *columns,
                                  const struct ps_store_filter *filter, const char *tail,
                                  sqlite3_stmt **statement, struct ps_error *error);
