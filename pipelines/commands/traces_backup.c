/* potstill traces backup: a copy of a store that may be in use. */
#include "pipelines/commands/traces_internal.h"

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    PS_TRY(ps_traces_open(call, &store, error));
    enum ps_status status = ps_store_backup(store, call->arguments.items[1], error);
    ps_store_close(store);
    return status;
}

const struct ps_command ps_command_traces_backup = {
    .name = "traces backup",
    .synopsis = "STORE FILE",
    .help = "copy a store, also while it is written, to a new file",
    .details = "The copy is the store as of one moment, and appears when it is complete. cp would "
               "miss what lies\nin the write-ahead log.",
    .minimum_arguments = 2,
    .maximum_arguments = 2,
    .run = run,
};
