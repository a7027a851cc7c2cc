/* potstill traces override: a verdict by hand. */
#include "grade/grade.h"
#include "pipelines/commands/traces_internal.h"

#include <stdio.h>

struct override_flags {
    const char *who, *why;
};
#define AT(member) offsetof(struct override_flags, member)
static const struct ps_setting items[] = {
    {"who", PS_SETTING_STRING, AT(who), .required = true, .argument = "NAME",
     .help = "who decided"},
    {"why", PS_SETTING_STRING, AT(why), .required = true, .argument = "TEXT", .help = "and why"},
};
#undef AT
static const struct ps_settings_table table = PS_SETTINGS_TABLE(
    "traces override", "For potstill traces override.", items, struct override_flags);

static enum ps_status override(struct ps_call *call, struct ps_store *store, int64_t id,
                               struct ps_error *error) {
    const struct override_flags *flags = call->settings[0].values;
    const char *verdict = call->arguments.items[2];
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    PS_TRY(ps_traces_find(store, id, &cursor, &row, error));
    const struct ps_store_verdict by_hand = {.grader = "override",
                                             .verdict = verdict,
                                             .gold = row.gold,
                                             .reason = flags->why,
                                             .author = flags->who};
    enum ps_status status = ps_store_put_verdict(store, id, &by_hand, error);
    if (status == PS_OK) status = ps_store_flush(store, error);
    if (status == PS_OK && call->json)
        printf("{\"id\":%lld,\"verdict\":\"%s\"}\n", (long long)id, verdict);
    else if (status == PS_OK)
        printf("trace %lld was %s, is %s by %s\n", (long long)id,
               row.verdict ? row.verdict : "not graded", verdict, flags->who);
    ps_store_cursor_close(cursor);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    enum ps_verdict verdict;
    int64_t id;
    PS_TRY(ps_settings_require(call->settings, 1, "traces override", error));
    PS_TRY(ps_traces_read_id(call->arguments.items[1], &id, error));
    PS_FAIL_IF(!ps_verdict_from_name(call->arguments.items[2], &verdict), error, PS_ARGUMENT,
               "'%s' is no verdict; there are correct, wrong, no_answer, truncated, "
               "gold_unreadable, undecided and no_gold",
               call->arguments.items[2]);
    PS_TRY(ps_store_open(&store, call->arguments.items[0], PS_STORE_WRITE, error));
    enum ps_status status = override(call, store, id, error);
    ps_store_close(store);
    return status;
}

const struct ps_command ps_command_traces_override = {
    .name = "traces override",
    .synopsis = "STORE ID VERDICT --who NAME --why TEXT",
    .help = "give a trace a verdict by hand, which counts whatever a grader says",
    .details = "The grader's verdicts stay beside it, and so does every earlier one by hand.",
    .tables = {&table},
    .minimum_arguments = 3,
    .maximum_arguments = 3,
    .run = run,
};
