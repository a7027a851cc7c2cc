/* potstill traces gold: corrects a gold answer and grades again what it touches. */
#include "pipelines/commands/traces_internal.h"
#include "pipelines/stages/grade_traces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "arith/test:12", as traces list writes it. */
static enum ps_status read_item(struct ps_call *call, struct ps_store_item *item,
                                struct ps_error *error) {
    const char *text = call->arguments.items[1];
    const char *colon = strrchr(text, ':'), *slash = strrchr(text, '/');
    char *end = NULL;
    item->row = colon ? strtoll(colon + 1, &end, 10) : -1;
    bool read = colon && slash && slash < colon && end > colon + 1 && !*end && item->row >= 0;
    PS_FAIL_IF(!read, error, PS_ARGUMENT,
               "'%s' is no item; traces list names them as in gsm8k/test:12", text);
    item->dataset = ps_arena_strndup(call->arena, text, (size_t)(slash - text));
    item->split = ps_arena_strndup(call->arena, slash + 1, (size_t)(colon - slash - 1));
    PS_FAIL_IF(!item->dataset || !item->split, error, PS_MEMORY, "out of memory");
    item->gold = call->arguments.items[2];
    return PS_OK;
}

static struct ps_store_filter filter_of(const struct ps_store_item *item) {
    return (struct ps_store_filter){.per = PS_STORE_PER_ITEM,
                                    .dataset = item->dataset,
                                    .split = item->split,
                                    .row = &item->row};
}

/* The verdicts that count against the row's gold, an int for each trace: PS_GRADING_NEW for none.
 */
static enum ps_status read_verdicts(struct ps_store *store, const struct ps_store_item *item,
                                    struct ps_buffer *verdicts, struct ps_error *error) {
    const struct ps_store_filter filter = filter_of(item);
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more;
    PS_TRY(ps_store_query(store, &filter, &cursor, error));
    enum ps_status status = PS_OK;
    for (;;) {
        enum ps_verdict verdict;
        PS_TRY_DONE(ps_store_next(cursor, &row, &more, error));
        if (!more) break;
        bool known = row.verdict && ps_verdict_from_name(row.verdict, &verdict);
        int value = known ? (int)verdict : PS_GRADING_NEW;
        PS_FAIL_DONE_IF(!ps_buffer_append(verdicts, &value, sizeof value), error, PS_MEMORY,
                        "out of memory");
    }
done:
    ps_store_cursor_close(cursor);
    return status;
}

/* Every prompt that asks this row has changed its gold. */
static enum ps_status grade(struct ps_store *store, const struct ps_store_item *item,
                            struct ps_grading_counts *counts, struct ps_error *error) {
    struct ps_grading grading = {.store = store, .filter = filter_of(item)};
    PS_TRY(ps_dataset_catalog_open(&grading.catalog, NULL, 0, 0, error));
    enum ps_status status = ps_grade_traces(&grading, counts, error);
    ps_dataset_catalog_close(grading.catalog);
    return status;
}

/* The grader compares with what counted against the new gold, which is nothing as a rule; the user
 * wants to know what counted against the old one. */
static enum ps_status correct(struct ps_store *store, const struct ps_store_item *item,
                              int64_t *items, struct ps_grading_counts *counts,
                              struct ps_error *error) {
    struct ps_buffer before, after;
    ps_buffer_init(&before, SIZE_MAX / 2);
    ps_buffer_init(&after, SIZE_MAX / 2);
    enum ps_status status = read_verdicts(store, item, &before, error);
    if (status == PS_OK)
        status = ps_store_set_gold(store, item->dataset, item->split, item->row, item->gold, items,
                                   error);
    if (status == PS_OK) status = ps_store_flush(store, error);
    if (status == PS_OK && *items) status = grade(store, item, counts, error);
    if (status == PS_OK) status = read_verdicts(store, item, &after, error);
    memset(counts->changes, 0, sizeof counts->changes);
    for (size_t i = 0; status == PS_OK && i < before.size / sizeof(int); i++) {
        int from = ((const int *)(const void *)before.data)[i];
        int to = ((const int *)(const void *)after.data)[i];
        if (to != PS_GRADING_NEW) counts->changes[from][to]++;
    }
    ps_buffer_release(&before);
    ps_buffer_release(&after);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_store_item item = {0};
    struct ps_grading_counts counts = {0};
    struct ps_store *store;
    int64_t items;
    PS_TRY(read_item(call, &item, error));
    PS_TRY(ps_store_open(&store, call->arguments.items[0], PS_STORE_WRITE, error));
    enum ps_status status = correct(store, &item, &items, &counts, error);
    if (status == PS_OK && items == 0)
        status = ps_error_set(error, PS_ARGUMENT, "%s: no item %s", call->arguments.items[0],
                              call->arguments.items[1]);
    ps_store_close(store);
    PS_TRY(status);
    if (call->json) {
        printf("{\"items\":%lld,\"graded\":%lld}\n", (long long)items, (long long)counts.graded);
        return PS_OK;
    }
    printf("the gold of %s is %s; %lld traces graded again\n", call->arguments.items[1], item.gold,
           (long long)counts.graded);
    ps_grading_print_changes(&counts);
    return PS_OK;
}

const struct ps_command ps_command_traces_gold = {
    .name = "traces gold",
    .synopsis = "STORE DATASET/SPLIT:ROW GOLD",
    .help = "correct a gold answer, and grade again what it touches",
    .details = "No trace is touched: a gold belongs to the row of the data set. The verdicts "
               "against the old gold\nstay, with that gold in them.",
    .minimum_arguments = 3,
    .maximum_arguments = 3,
    .run = run,
};
