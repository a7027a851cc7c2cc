/* potstill traces list: one line for each trace. */
#include "pipelines/commands/traces_internal.h"

#include <stdio.h>

static void print_row(const struct ps_store_row *row) {
    char item[200] = "-";
    if (row->dataset)
        snprintf(item, sizeof item, "%s/%s:%lld", row->dataset, row->split, (long long)row->row);
    printf("%8lld  %-24s %6lld  %-16s %-6s %7lld  %-15s %s\n", (long long)row->id, item,
           (long long)row->key.sample, row->source, ps_store_finish_name(row->finish),
           (long long)row->output_tokens, row->verdict ? row->verdict : "-",
           row->extracted ? row->extracted : "");
}

static enum ps_status print_rows(struct ps_store_cursor *cursor, bool as_json,
                                 struct ps_error *error) {
    struct ps_store_row row;
    struct ps_buffer line;
    enum ps_status status = PS_OK;
    ps_buffer_init(&line, 64 << 20);
    if (as_json)
        fputs("[", stdout);
    else
        printf("%8s  %-24s %6s  %-16s %-6s %7s  %-15s %s\n", "id", "item", "sample", "source",
               "finish", "tokens", "verdict", "extracted");
    for (int64_t printed = 0;; printed++) {
        bool more;
        struct ps_json_writer json;
        PS_TRY_DONE(ps_store_next(cursor, &row, &more, error));
        if (!more) break;
        if (!as_json) {
            print_row(&row);
            continue;
        }
        line.size = 0;
        ps_json_writer_begin(&json, &line);
        ps_json_write_begin_object(&json);
        ps_traces_write_row(&json, &row);
        ps_json_write_end_object(&json);
        PS_TRY_DONE(ps_json_writer_end(&json, error));
        printf("%s\n%s", printed ? "," : "", line.data);
    }
    if (as_json) puts("\n]");
done:
    ps_buffer_release(&line);
    return status;
}

static enum ps_status run_list(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    struct ps_store_filter filter;
    struct ps_store_cursor *cursor = NULL;
    PS_TRY(ps_traces_make_filter(call, call->settings[0].values, &filter, error));
    PS_TRY(ps_traces_open(call, &store, error));
    enum ps_status status = ps_store_query(store, &filter, &cursor, error);
    if (status == PS_OK) status = print_rows(cursor, call->json, error);
    ps_store_cursor_close(cursor);
    ps_store_close(store);
    return status;
}

const struct ps_command ps_command_traces_list = {
    .name = "traces list",
    .synopsis = "STORE",
    .help = "list the traces of a store",
    .details =
        "Where several data sets ask a prompt, a trace is listed with the first of them; with --dataset,\n"
        "with that one, its gold, and the verdict against it.",
    .tables = {&ps_traces_filter_table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run_list,
};
