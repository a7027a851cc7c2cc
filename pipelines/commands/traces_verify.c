/* potstill traces verify and salvage: what is damaged, and what can be saved. */
#include "pipelines/commands/traces_internal.h"

#include <stdio.h>

static void print(void *context, const char *line) {
    const struct ps_call *call = context;
    fprintf(call->json ? stderr : stdout, "%s\n", line);
}

static enum ps_status print_result(const struct ps_call *call,
                                   const struct ps_store_verified *result) {
    if (call->json)
        printf("{\"traces\":%lld,\"lost\":%lld,\"problems\":%lld}\n", (long long)result->traces,
               (long long)result->lost, (long long)result->problems);
    else
        printf("%lld traces, %lld of them lost, %lld problems\n", (long long)result->traces,
               (long long)result->lost, (long long)result->problems);
    return PS_OK;
}

static enum ps_status run_verify(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    struct ps_store_verified result;
    const char *path = call->arguments.items[0];
    PS_TRY(ps_traces_open(call, &store, error));
    enum ps_status status = ps_store_verify(store, print, call, &result, error);
    ps_store_close(store);
    PS_TRY(status);
    PS_TRY(print_result(call, &result));
    PS_FAIL_IF(result.problems > 0, error, PS_CORRUPT,
               "%s: damaged; 'potstill traces salvage %s NEW' saves what can be read", path, path);
    return PS_OK;
}

static enum ps_status run_salvage(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    struct ps_store_verified result;
    PS_TRY(ps_traces_open(call, &store, error));
    enum ps_status status =
        ps_store_salvage(store, call->arguments.items[1], print, call, &result, error);
    ps_store_close(store);
    PS_TRY(status);
    return print_result(call, &result);
}

const struct ps_command ps_command_traces_verify = {
    .name = "traces verify",
    .synopsis = "STORE",
    .help = "look for damage, and name the traces that are lost",
    .details = "Reads every page, frame and trace. Ends with exit code 1 where something is "
               "damaged.",
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run_verify,
};

const struct ps_command ps_command_traces_salvage = {
    .name = "traces salvage",
    .synopsis = "STORE NEW",
    .help = "save what can be read of a damaged store into a new one",
    .details = "STORE stays as it is. What is lost is listed by name.",
    .minimum_arguments = 2,
    .maximum_arguments = 2,
    .run = run_salvage,
};
