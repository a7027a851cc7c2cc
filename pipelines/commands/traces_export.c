/* potstill traces export: traces as JSON lines that trainers read. */
#include "pipelines/commands/traces_internal.h"

#include "base/file.h"
#include "base/stop.h"
#include "datasets/datasets.h"

#include <stdio.h>

struct export_settings {
    const char *out;
    int format, reasoning;
    bool metadata, test;
};
#define AT(member) offsetof(struct export_settings, member)
static const char *const format_names[] = {[PS_STORE_MESSAGES] = "messages",
                                           [PS_STORE_SHAREGPT] = "sharegpt",
                                           [PS_STORE_PROMPT_COMPLETION] = "prompt-completion",
                                           NULL};
static const char *const reasoning_names[] = {
    [PS_STORE_INLINE] = "inline", [PS_STORE_APART] = "apart", NULL};
static const struct ps_setting items[] = {
    {"out", PS_SETTING_STRING, AT(out), .argument = "FILE",
     .help = "write to this file, which appears when it is complete, instead of standard output"},
    {"format", PS_SETTING_ENUM, AT(format), .names = format_names, .fallback = "messages",
     .help = "messages, conversations of ShareGPT, or prompt and completion"},
    {"reasoning", PS_SETTING_ENUM, AT(reasoning), .names = reasoning_names, .fallback = "inline",
     .help = "in the content between <think> and </think>, or apart as reasoning_content"},
    {"metadata", PS_SETTING_BOOL, AT(metadata),
     .help = "id, dataset, gold, verdict, finish_reason and model too, which import reads again"},
    {"test", PS_SETTING_BOOL, AT(test), .help = "allow problems of a test split"},
};
#undef AT
static const struct ps_settings_table table = PS_SETTINGS_TABLE(
    "traces export", "For potstill traces export.", items, struct export_settings);

struct target {
    struct ps_file_writer writer;
    bool to_file;
};

static enum ps_status write_line(struct target *target, const struct ps_buffer *line,
                                 struct ps_error *error) {
    if (target->to_file)
        return ps_file_writer_write(&target->writer, line->data, line->size, error);
    fwrite(line->data, 1, line->size, stdout); /* main looks at the stream's error in the end */
    return PS_OK;
}

static enum ps_status export_all(struct ps_store *store, struct ps_store_cursor *cursor,
                                 struct ps_dataset_catalog *catalog,
                                 const struct export_settings *settings, struct target *target,
                                 struct ps_error *error) {
    const struct ps_store_line how = {(enum ps_store_format)settings->format,
                                      (enum ps_store_reasoning)settings->reasoning,
                                      settings->metadata};
    struct ps_store_row row;
    struct ps_buffer line;
    enum ps_status status = PS_OK;
    ps_buffer_init(&line, SIZE_MAX / 2);
    for (;;) {
        bool more;
        PS_TRY_DONE(ps_stop_check(error));
        PS_TRY_DONE(ps_store_next(cursor, &row, &more, error));
        if (!more) break;
        bool test =
            row.in_test || (row.dataset && ps_dataset_is_test(catalog, row.dataset, row.split));
        PS_FAIL_DONE_IF(test && !settings->test, error, PS_ARGUMENT,
                        "trace %lld answers a problem of a test split, which training data must "
                        "not have; choose others with --dataset, or allow it with --test",
                        (long long)row.id);
        line.size = 0;
        PS_TRY_DONE(ps_store_export(store, &row, &how, &line, error));
        PS_TRY_DONE(write_line(target, &line, error));
    }
done:
    ps_buffer_release(&line);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct export_settings *settings = call->settings[1].values;
    struct ps_store *store;
    struct ps_store_filter filter;
    struct ps_store_cursor *cursor = NULL;
    struct ps_dataset_catalog *catalog;
    struct target target = {.to_file = settings->out != NULL};
    PS_TRY(ps_traces_make_filter(call, call->settings[0].values, &filter, error));
    PS_TRY(ps_dataset_catalog_open(&catalog, NULL, 0, 0, error));
    enum ps_status status = ps_traces_open(call, &store, error);
    if (status == PS_OK) status = ps_store_query(store, &filter, &cursor, error);
    if (status == PS_OK && target.to_file)
        status = ps_file_writer_begin(&target.writer, settings->out, error);
    if (status == PS_OK) {
        status = export_all(store, cursor, catalog, settings, &target, error);
        if (target.to_file && status == PS_OK)
            status = ps_file_writer_commit(&target.writer, error);
        else if (target.to_file)
            ps_file_writer_abort(&target.writer);
    }
    ps_store_cursor_close(cursor);
    ps_store_close(store);
    ps_dataset_catalog_close(catalog);
    return status;
}

const struct ps_command ps_command_traces_export = {
    .name = "traces export",
    .synopsis = "STORE",
    .help = "write traces as JSON lines that trainers read",
    .details = "Each line has the prompt's messages and the reply; potstill traces import reads it "
               "again to\nthe same texts.",
    .tables = {&ps_traces_filter_table, &table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
