/* potstill traces delete: takes traces out of a store, after a count and a question. */
#include "pipelines/commands/traces_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct delete_flags {
    bool yes;
};
static const struct ps_setting items[] = {
    {"yes", PS_SETTING_BOOL, offsetof(struct delete_flags, yes), .help = "do not ask"},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("traces delete", "For potstill traces delete.", items, struct delete_flags);

/* Whether the user agrees; nobody to ask is an error. */
static enum ps_status ask(const char *path, const struct ps_store_stats *found,
                          const struct ps_store_stats *all, bool *agreed, struct ps_error *error) {
    char answer[16] = "";
    fprintf(stderr, "%s: delete %lld of %lld traces (%lld tokens)? [y/N] ", path,
            (long long)found->traces, (long long)all->traces, (long long)found->tokens);
    if (!isatty(STDIN_FILENO)) {
        fputs("\n", stderr);
        return ps_error_set(error, PS_ARGUMENT,
                            "nothing was deleted: there is no terminal to ask "
                            "at; say --yes to go ahead");
    }
    *agreed = fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
    return PS_OK;
}

static enum ps_status delete (struct ps_call *call, struct ps_store *store,
                              const struct ps_store_filter *filter, struct ps_error *error) {
    const struct delete_flags *flags = call->settings[1].values; struct ps_store_stats found, all;
    int64_t deleted = 0; bool agreed = flags->yes;
    PS_TRY(ps_store_stats(store, filter, &found, error));
    PS_TRY(ps_store_stats(store, NULL, &all, error)); if (found.traces > 0 && !agreed)
        PS_TRY(ask(call->arguments.items[0], &found, &all, &agreed, error));
    if (agreed){PS_TRY(ps_store_delete(store, filter, &deleted, error));
                PS_TRY(ps_store_flush(store, error));}
printf(call->json ? "{\"deleted\":%lld,\"left\":%lld}\n" : "%lld traces deleted, %lld are left\n",
       (long long)deleted, (long long)(all.traces - deleted));
return PS_OK;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    struct ps_store_filter filter;
    PS_TRY(ps_traces_make_filter(call, call->settings[0].values, &filter, error));
    PS_FAIL_IF(filter.limit, error, PS_ARGUMENT,
               "--limit: deletion takes all that the other flags "
               "find");
    PS_TRY(ps_store_open(&store, call->arguments.items[0], PS_STORE_WRITE, error));
    enum ps_status status = delete (call, store, &filter, error);
    ps_store_close(store);
    return status;
}

const struct ps_command ps_command_traces_delete = {
    .name = "traces delete",
    .synopsis = "STORE",
    .help = "delete traces with their verdicts, after a count and a question",
    .details = "Without a flag that says which, all of them. A pipeline that runs again samples "
               "them again.\ntraces pack gives the space back.",
    .tables = {&ps_traces_filter_table, &table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
