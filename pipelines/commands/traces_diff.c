/* potstill traces diff: which traces two stores do not share. */
#include "pipelines/commands/traces_internal.h"

#include <stdio.h>
#include <string.h>

/* One store's traces in the order of their identity. */
struct side {
    struct ps_store *store;
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more;
};

static enum ps_status open_side(struct side *side, const char *path,
                                const struct ps_store_filter *filter, struct ps_error *error) {
    PS_TRY(ps_store_open(&side->store, path, PS_STORE_READ, error));
    PS_TRY(ps_store_query(side->store, filter, &side->cursor, error));
    return ps_store_next(side->cursor, &side->row, &side->more, error);
}

static void close_side(struct side *side) {
    ps_store_cursor_close(side->cursor);
    ps_store_close(side->store);
}

/* The order of ps_store_query; a side at its end comes last. */
static int compare(const struct side *a, const struct side *b) {
    if (!a->more || !b->more) return (int)b->more - (int)a->more;
    const struct ps_hash *left[] = {&a->row.prompt_hash, &a->row.source_hash, &a->row.sampler_hash};
    const struct ps_hash *right[] = {&b->row.prompt_hash, &b->row.source_hash,
                                     &b->row.sampler_hash};
    for (int i = 0; i < 3; i++) {
        int order = memcmp(left[i]->bytes, right[i]->bytes, sizeof left[i]->bytes);
        if (order) return order;
    }
    return (a->row.key.sample > b->row.key.sample) - (a->row.key.sample < b->row.key.sample);
}

/* As in a diff of texts: < stands for the first store, > for the second, ! for both. */
struct difference {
    char mark;
    const struct ps_store_row *a, *b; /* NULL: not there */
};

static void print_text(const struct difference *difference) {
    const struct ps_store_row *row = difference->a ? difference->a : difference->b;
    char item[200] = "-", prompt[PS_HASH_HEX_SIZE];
    if (row->dataset)
        snprintf(item, sizeof item, "%s/%s:%lld", row->dataset, row->split, (long long)row->row);
    printf("%c %-24s %-16s sample %-4lld prompt %.12s ", difference->mark, item, row->source,
           (long long)row->key.sample, ps_hash_hex(&row->prompt_hash, prompt));
    const struct ps_store_row *sides[] = {difference->a, difference->b};
    for (int i = 0; i < 2; i++)
        if (sides[i])
            printf(" trace %lld (%s, %lld tokens)", (long long)sides[i]->id,
                   ps_store_finish_name(sides[i]->finish), (long long)sides[i]->output_tokens);
    puts("");
}

static enum ps_status print_json(const struct difference *difference, struct ps_error *error) {
    struct ps_buffer line;
    struct ps_json_writer json;
    const struct ps_store_row *sides[] = {difference->a, difference->b};
    ps_buffer_init(&line, 64 << 20);
    ps_json_writer_begin(&json, &line);
    ps_json_write_begin_object(&json);
    for (int i = 0; i < 2; i++) {
        ps_json_write_key(&json, i ? "b" : "a");
        if (sides[i]) {
            ps_json_write_begin_object(&json);
            ps_traces_write_row(&json, sides[i]);
            ps_json_write_end_object(&json);
        } else {
            ps_json_write_null(&json);
        }
    }
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(line.data);
    ps_buffer_release(&line);
    return status;
}

static enum ps_status diff(struct side *a, struct side *b, bool as_json, struct ps_error *error) {
    int64_t only_a = 0, only_b = 0, differ = 0, same = 0;
    while (a->more || b->more) {
        int order = compare(a, b);
        struct difference difference = {.a = order <= 0 ? &a->row : NULL,
                                        .b = order >= 0 ? &b->row : NULL};
        bool equal = order == 0 && memcmp(a->row.checksum, b->row.checksum, 16) == 0;
        difference.mark = order < 0 ? '<' : order > 0 ? '>' : '!';
        *(equal ? &same : order < 0 ? &only_a : order > 0 ? &only_b : &differ) += 1;
        if (!equal && as_json)
            PS_TRY(print_json(&difference, error));
        else if (!equal)
            print_text(&difference);
        if (order <= 0) PS_TRY(ps_store_next(a->cursor, &a->row, &a->more, error));
        if (order >= 0) PS_TRY(ps_store_next(b->cursor, &b->row, &b->more, error));
    }
    fprintf(as_json ? stderr : stdout,
            "%lld traces the same, %lld only in the first, %lld only in the second, %lld differ\n",
            (long long)same, (long long)only_a, (long long)only_b, (long long)differ);
    return PS_OK;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct side a = {0}, b = {0};
    struct ps_store_filter filter;
    PS_TRY(ps_traces_make_filter(call, call->settings[0].values, &filter, error));
    enum ps_status status = open_side(&a, call->arguments.items[0], &filter, error);
    if (status == PS_OK) status = open_side(&b, call->arguments.items[1], &filter, error);
    if (status == PS_OK) status = diff(&a, &b, call->json, error);
    close_side(&a);
    close_side(&b);
    return status;
}

const struct ps_command ps_command_traces_diff = {
    .name = "traces diff",
    .synopsis = "A B",
    .help = "list the traces that two stores do not share",
    .details = "< stands before a trace that only A has, > only B, ! before one that is another in "
               "each.\nWith --json each line is {\"a\", \"b\"}, null where a store has none. Use "
               "traces hash to read and\ncompare all texts; this compares the checksums kept "
               "beside them.",
    .tables = {&ps_traces_filter_table},
    .minimum_arguments = 2,
    .maximum_arguments = 2,
    .run = run,
};
