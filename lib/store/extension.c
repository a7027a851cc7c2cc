/* The functions of functions.c for any program that loads SQLite extensions:
 *
 *   sqlite3 math.db ".load libpotstill_sqlite" "SELECT potstill_text(1)"
 *
 * Here and in the files of lib/store that are built into the module (PS_STORE_EXTENSION) SQLite is
 * called through the table that the program hands over, since it may have a SQLite of its own. */

#include "store_internal.h"

SQLITE_EXTENSION_INIT1

__attribute__((visibility("default"))) int
sqlite3_potstillsqlite_init(sqlite3 *database, char **message, const sqlite3_api_routines *api);

int sqlite3_potstillsqlite_init(sqlite3 *database, char **message,
                                const sqlite3_api_routines *api) {
    (void)message;
    SQLITE_EXTENSION_INIT2(api);
    return ps_store_add_functions(database);
}
