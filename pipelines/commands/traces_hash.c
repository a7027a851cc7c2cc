/* potstill traces hash: do two stores hold the same traces? */
#include "pipelines/commands/traces_internal.h"

#include <stdio.h>

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    struct ps_hash hash;
    char hex[PS_HASH_HEX_SIZE];
    PS_TRY(ps_traces_open(call, &store, error));
    enum ps_status status = ps_store_hash(store, &hash, error);
    ps_store_close(store);
    PS_TRY(status);
    printf(call->json ? "{\"hash\":\"%s\"}\n" : "%s\n", ps_hash_hex(&hash, hex));
    return PS_OK;
}

const struct ps_command ps_command_traces_hash = {
    .name = "traces hash",
    .synopsis = "STORE",
    .help = "read and check every trace, and print the hash of all",
    .details = "Stores with the same hash hold the same traces, in whatever order and on whatever "
               "machine\nthey were made; limits, times, golds and verdicts do not count.",
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
