/* potstill select: keeps a choice of a store's traces under a name. */
#include "pipelines/commands/traces_internal.h"
#include "pipelines/stages/select_traces.h"

#include <stdio.h>

struct select_flags {
    const char *name, *dataset, *source, *selection;
    int64_t seed;
};
#define AT(member) offsetof(struct select_flags, member)
static const struct ps_setting items[] = {
    {"name", PS_SETTING_STRING, AT(name), .argument = "NAME",
     .help = "keep the choice under this name, for --selection; without it only count"},
    {"dataset", PS_SETTING_STRING, AT(dataset), .argument = "NAME[/SPLIT]",
     .help = "consider traces of this data set's prompts"},
    {"source", PS_SETTING_STRING, AT(source), .argument = "NAME",
     .help = "consider traces by this teacher"},
    {"selection", PS_SETTING_STRING, AT(selection), .argument = "NAME",
     .help = "consider what this selection kept"},
    {"seed", PS_SETTING_INTEGER, AT(seed), "0", .minimum = 0, .maximum = 9007199254740992.0,
     .help = "of everything random"},
};
#undef AT
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("select", "For potstill select.", items, struct select_flags);

static enum ps_status keep(struct ps_store *store, const char *name,
                           const struct ps_settings *settings, const struct ps_selection *selection,
                           struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 1 << 20);
    ps_json_writer_begin(&writer, &text);
    ps_settings_write(settings, 1, true, &writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK)
        status = ps_store_put_selection(store, name, text.data, selection->traces,
                                        (size_t)selection->kept, error);
    if (status == PS_OK) status = ps_store_flush(store, error);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status print(const struct ps_call *call, const struct ps_selection *selection,
                            struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    enum ps_status status = PS_OK;
    ps_buffer_init(&text, 1 << 20);
    if (call->json) {
        ps_json_writer_begin(&writer, &text);
        ps_json_write_begin_object(&writer);
        ps_selection_write(selection, &writer);
        ps_json_write_end_object(&writer);
        status = ps_json_writer_end(&writer, error);
        if (status == PS_OK && !ps_buffer_puts(&text, "\n"))
            status = ps_error_set(error, PS_MEMORY, "out of memory");
    } else if (!ps_selection_print(selection, &text)) {
        status = ps_error_set(error, PS_MEMORY, "out of memory");
    }
    if (status == PS_OK) fputs(text.data, stdout);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct select_flags *flags = call->settings[1].values;
    struct ps_traces_filter which = {.row = PS_UNSET_INTEGER,
                                     .dataset = flags->dataset,
                                     .source = flags->source,
                                     .selection = flags->selection};
    struct ps_store_filter filter;
    struct ps_selection selection = {0};
    struct ps_store *store;
    PS_TRY(ps_select_check(call->settings[0].values, error));
    PS_TRY(ps_traces_make_filter(call, &which, &filter, error));
    PS_TRY(ps_store_open(&store, call->arguments.items[0],
                         flags->name ? PS_STORE_WRITE : PS_STORE_READ, error));
    enum ps_status status = ps_select_traces(store, call->settings[0].values, &filter, 1,
                                             (uint64_t)flags->seed, &selection, error);
    if (status == PS_OK && flags->name)
        status = keep(store, flags->name, &call->settings[0], &selection, error);
    ps_store_close(store);
    if (status == PS_OK) status = print(call, &selection, error);
    ps_selection_release(&selection);
    return status;
}

const struct ps_command ps_command_select = {
    .name = "select",
    .synopsis = "STORE [--name NAME]",
    .help = "choose traces of a store by verdict, length, difficulty and number",
    .details = "Prints how many traces each condition leaves. The choice is named, nothing is "
               "copied:\n'potstill traces export STORE --selection NAME' writes it out.",
    .tables = {&ps_select_table, &table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
