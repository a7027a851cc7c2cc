/* potstill traces pack: make a store small. */
#include "pipelines/commands/traces_internal.h"

#include <stdio.h>

static enum ps_status pack(struct ps_store *store, int64_t *packed, struct ps_store_stats *before,
                           struct ps_store_stats *after, struct ps_error *error) {
    struct ps_progress progress = {.file = stderr};
    PS_TRY(ps_store_stats(store, NULL, before, error));
    PS_TRY(ps_store_pack(store, packed, &progress, error));
    return ps_store_stats(store, NULL, after, error);
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    struct ps_store_stats before, after;
    int64_t packed;
    PS_TRY(ps_store_open(&store, call->arguments.items[0], PS_STORE_WRITE, error));
    enum ps_status status = pack(store, &packed, &before, &after, error);
    ps_store_close(store);
    PS_TRY(status);
    printf(call->json ? "{\"packed\":%lld,\"file_bytes_before\":%lld,\"file_bytes\":%lld}\n"
                      : "%lld traces packed: %lld bytes before, %lld now\n",
           (long long)packed, (long long)before.file_bytes, (long long)after.file_bytes);
    return PS_OK;
}

const struct ps_command ps_command_traces_pack = {
    .name = "traces pack",
    .synopsis = "STORE",
    .help = "compress a store hard and give back what it does not need",
    .details = "The traces stay the same ('traces hash' shows it) and each can still be read by "
               "itself. It can\nbe stopped and run again at any time. Traces that come in later "
               "wait for the next time.",
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
