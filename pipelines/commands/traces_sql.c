/* potstill traces sql: a query of the user's own. */
#include "pipelines/commands/traces_internal.h"

#include "base/stop.h"

#include <stdio.h>
#include <string.h>

struct output {
    bool json;
    int64_t rows;
    struct ps_buffer line;
};

static void write_cell(struct ps_json_writer *json, const struct ps_store_cell *cell) {
    static const char digits[] = "0123456789abcdef";
    ps_json_write_key(json, cell->name);
    switch (cell->type) {
    case PS_STORE_INTEGER: ps_json_write_integer(json, cell->integer); return;
    case PS_STORE_REAL: ps_json_write_number(json, cell->real); return;
    case PS_STORE_TEXT: ps_json_write_text(json, cell->data, cell->size); return;
    case PS_STORE_NULL: ps_json_write_null(json); return;
    case PS_STORE_BLOB: break;
    }
    struct ps_buffer hex;
    ps_buffer_init(&hex, SIZE_MAX / 2);
    bool fits = true;
    for (size_t i = 0; i < cell->size && fits; i++) {
        unsigned char byte = ((const unsigned char *)cell->data)[i];
        fits = ps_buffer_append(&hex, (char[]){digits[byte >> 4], digits[byte & 15]}, 2);
    }
    if (fits) ps_json_write_text(json, hex.data ? hex.data : "", hex.size);
    ps_buffer_release(&hex);
}

static enum ps_status print_json(struct output *output, const struct ps_store_cell *cells,
                                 size_t count, struct ps_error *error) {
    struct ps_json_writer json;
    output->line.size = 0;
    ps_json_writer_begin(&json, &output->line);
    ps_json_write_begin_object(&json);
    for (size_t i = 0; i < count; i++) write_cell(&json, &cells[i]);
    ps_json_write_end_object(&json);
    PS_TRY(ps_json_writer_end(&json, error));
    printf("%s\n%s", output->rows ? "," : "", output->line.data);
    return PS_OK;
}

/* A column is as wide as its name and twelve; what is longer moves the rest of its line. */
static int width_of(const struct ps_store_cell *cell) {
    int name = (int)strlen(cell->name);
    return name > 12 ? name : 12;
}

static void print_cell(const struct ps_store_cell *cell, int width) {
    switch (cell->type) {
    case PS_STORE_INTEGER: printf("%*lld", width, (long long)cell->integer); return;
    case PS_STORE_REAL: printf("%*.6g", width, cell->real); return;
    case PS_STORE_NULL: printf("%-*s", width, "-"); return;
    case PS_STORE_TEXT:
        fwrite(cell->data, 1, cell->size, stdout);
        if (cell->size < (size_t)width) printf("%*s", width - (int)cell->size, "");
        return;
    case PS_STORE_BLOB:
        for (size_t i = 0; i < cell->size; i++)
            printf("%02x", ((const unsigned char *)cell->data)[i]);
        return;
    }
}

static void print_table(const struct output *output, const struct ps_store_cell *cells,
                        size_t count) {
    for (size_t i = 0; output->rows == 0 && i < count; i++) {
        bool number = cells[i].type == PS_STORE_INTEGER || cells[i].type == PS_STORE_REAL;
        printf(number ? "%*s%s" : "%-*s%s", width_of(&cells[i]), cells[i].name,
               i + 1 < count ? "  " : "\n");
    }
    for (size_t i = 0; i < count; i++) {
        print_cell(&cells[i], i + 1 < count ? width_of(&cells[i]) : 0);
        fputs(i + 1 < count ? "  " : "\n", stdout);
    }
}

static enum ps_status print_row(void *context, const struct ps_store_cell *cells, size_t count,
                                struct ps_error *error) {
    struct output *output = context;
    PS_TRY(ps_stop_check(error));
    if (output->json)
        PS_TRY(print_json(output, cells, count, error));
    else
        print_table(output, cells, count);
    output->rows++;
    return PS_OK;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    struct output output = {.json = call->json};
    PS_TRY(ps_traces_open(call, &store, error));
    ps_buffer_init(&output.line, SIZE_MAX / 2);
    if (call->json) fputs("[", stdout);
    enum ps_status status =
        ps_store_sql(store, call->arguments.items[1], print_row, &output, error);
    if (call->json && status == PS_OK) puts("\n]");
    ps_buffer_release(&output.line);
    ps_store_close(store);
    return status;
}

const struct ps_command ps_command_traces_sql = {
    .name = "traces sql",
    .synopsis = "STORE QUERY",
    .help = "run an SQL query that reads",
    .details = "docs/store-format.md describes the tables. potstill_text(trace) is the reply of a "
               "trace by its\nid, potstill_tokens(trace) its token ids as a JSON array.",
    .minimum_arguments = 2,
    .maximum_arguments = 2,
    .run = run,
};
