/* potstill traces override: a verdict by hand. */
#include "grade/grade.h"
#include "pipelines/commands/traces_internal.h"

#include <stdio.h>
#include <string.h>

struct override_flags {
    const char *who, *why, *dataset;
};
#define AT(member) offsetof(struct override_flags, member)
static const struct ps_setting items[] = {
    {"who", PS_SETTING_STRING, AT(who), .required = true, .argument = "NAME",
     .help = "who decided"},
    {"why", PS_SETTING_STRING, AT(why), .required = true, .argument = "TEXT", .help = "and why"},
    {"dataset", PS_SETTING_STRING, AT(dataset), .argument = "NAME[/SPLIT]",
     .help = "only against the gold of this data set; needed where the data sets that share the "
             "prompt have different golds"},
};
#undef AT
static const struct ps_settings_table table = PS_SETTINGS_TABLE(
    "traces override", "For potstill traces override.", items, struct override_flags);

/* What the verdict is about. */
struct target {
    const char *verdict, *gold; /* the verdict so far, or NULL; in the call's arena */
    int golds;
};

static enum ps_status copy(struct ps_call *call, const char *text, const char **result,
                           struct ps_error *error) {
    *result = text ? ps_arena_strndup(call->arena, text, strlen(text)) : NULL;
    PS_FAIL_IF(text && !*result, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

/* Reads the golds of the trace's prompt; names gets them as "12 of arith/test, 13 of mine/train".
 */
static enum ps_status read_golds(struct ps_call *call, struct ps_store *store,
                                 const struct ps_store_filter *filter, struct target *target,
                                 struct ps_buffer *names, struct ps_error *error) {
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more;
    PS_TRY(ps_store_query(store, filter, &cursor, error));
    enum ps_status status = PS_OK;
    for (;; target->golds++) {
        PS_TRY_DONE(ps_store_next(cursor, &row, &more, error));
        if (!more) break;
        PS_TRY_DONE(copy(call, row.verdict, &target->verdict, error));
        PS_TRY_DONE(copy(call, row.gold, &target->gold, error));
        PS_FAIL_DONE_IF(!ps_buffer_format(names, "%s%.80s of %.80s/%.80s",
                                          target->golds ? ", " : "", row.gold ? row.gold : "none",
                                          row.dataset ? row.dataset : "-",
                                          row.dataset ? row.split : "-"),
                        error, PS_MEMORY, "out of memory");
    }
done:
    ps_store_cursor_close(cursor);
    return status;
}

/* Without a data set the verdict is about the reply, whatever the gold is or becomes; so there must
 * be one gold alone. */
static enum ps_status find_target(struct ps_call *call, struct ps_store *store, int64_t id,
                                  struct target *target, struct ps_error *error) {
    const struct override_flags *flags = call->settings[0].values;
    const struct ps_traces_filter which = {.dataset = flags->dataset, .row = PS_UNSET_INTEGER};
    struct ps_store_filter filter;
    struct ps_buffer names;
    *target = (struct target){0};
    PS_TRY(ps_traces_make_filter(call, &which, &filter, error));
    filter.per = PS_STORE_PER_GOLD;
    filter.trace_id = id;
    ps_buffer_init(&names, 1 << 16);
    enum ps_status status = read_golds(call, store, &filter, target, &names, error);
    if (status == PS_OK && target->golds == 0)
        status = ps_error_set(error, PS_NOT_FOUND,
                              "no trace %lld%s%s; potstill traces list shows "
                              "them",
                              (long long)id, flags->dataset ? " of " : "",
                              flags->dataset ? flags->dataset : "");
    if (status == PS_OK && target->golds > 1)
        status = ps_error_set(error, PS_ARGUMENT,
                              "the prompt of trace %lld has %d golds: %s; say against which one "
                              "with --dataset NAME/SPLIT",
                              (long long)id, target->golds, names.data);
    ps_buffer_release(&names);
    return status;
}

static enum ps_status override(struct ps_call *call, struct ps_store *store, int64_t id,
                               struct ps_error *error) {
    const struct override_flags *flags = call->settings[0].values;
    const char *verdict = call->arguments.items[2];
    struct target target;
    PS_TRY(find_target(call, store, id, &target, error));
    const struct ps_store_verdict by_hand = {.grader = "override",
                                             .verdict = verdict,
                                             .gold = flags->dataset ? target.gold : NULL,
                                             .reason = flags->why,
                                             .author = flags->who};
    PS_TRY(ps_store_put_verdict(store, id, &by_hand, error));
    PS_TRY(ps_store_flush(store, error));
    if (call->json)
        printf("{\"id\":%lld,\"verdict\":\"%s\"}\n", (long long)id, verdict);
    else
        printf("trace %lld was %s, is %s by %s\n", (long long)id,
               target.verdict ? target.verdict : "not graded", verdict, flags->who);
    return PS_OK;
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
    .details =
        "The grader's verdicts stay beside it, and so does every earlier one by hand. It counts "
        "against\nwhatever gold the prompt has or gets; with --dataset, only against that "
        "data set's present one.",
    .tables = {&table},
    .minimum_arguments = 3,
    .maximum_arguments = 3,
    .run = run,
};
