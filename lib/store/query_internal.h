#pragma once
/* Statements built from a filter. */

#include "store_internal.h"

struct ps_store_value {
    enum { PS_STORE_BIND_INTEGER, PS_STORE_BIND_TEXT, PS_STORE_BIND_REAL, PS_STORE_BIND_HASH } type;
    int64_t integer;
    const char *text;
    double real;
    struct ps_hash hash;
};

struct ps_store_sql {
    struct ps_buffer text;
    struct ps_store_value values[20];
    int count;
};

/* SELECT columns FROM trace t, prompt p, source s, sampler m, item i, verdict v (the last two may
 * be NULL) WHERE filter, then tail. A limit counts where the tail sorts. To be finalized. */
enum ps_status ps_store_sql_build(struct ps_store *store, const char *columns,
                                  const struct ps_store_filter *filter, const char *tail,
                                  sqlite3_stmt **statement, struct ps_error *error);

/* The order of lists: that of the traces' identities. */
#define PS_STORE_LIST_ORDER " ORDER BY p.hash, s.hash, m.hash, t.sample"

/* ---- search.c ---- */

/* The traces that fit the filter, its text included, as a JSON array of their ids; with a limit at
 * least the first so many, if there are. ids is new, to be released. */
enum ps_status ps_store_search(struct ps_store *store, const struct ps_store_filter *filter,
                               struct ps_buffer *ids, struct ps_error *error);
