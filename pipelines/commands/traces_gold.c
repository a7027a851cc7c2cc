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

/* Every prompt that asks this row has changed its gold. */
static enum ps_status grade(struct ps_store *store, const struct ps_store_item *item,
                            struct ps_grading_counts *counts, struct ps_error *error) {
    struct ps_grading grading = {.store = store,
                                 .filter = {.dataset = item->dataset, .split = item->split}};
    PS_TRY(ps_dataset_catalog_open(&grading.catalog, NULL, 0, 0, error));
    enum ps_status status = ps_grade_traces(&grading, counts, error);
    ps_dataset_catalog_close(grading.catalog);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_store_item item = {0};
    struct ps_grading_counts counts = {0};
    struct ps_store *store;
    int64_t items;
    PS_TRY(read_item(call, &item, error));
    PS_TRY(ps_store_open(&store, call->arguments.items[0], PS_STORE_WRITE, error));
    enum ps_status status =
        ps_store_set_gold(store, item.dataset, item.split, item.row, item.gold, &items, error);
    if (status == PS_OK && items == 0)
        status = ps_error_set(error, PS_ARGUMENT, "%s: no item %s", call->arguments.items[0],
                              call->arguments.items[1]);
    if (status == PS_OK) status = ps_store_flush(store, error);
    if (status == PS_OK) status = grade(store, &item, &counts, error);
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
