/* potstill grade: verdicts for the traces of a store that have none by the present grader. */
#include "pipelines/commands/traces_internal.h"
#include "pipelines/stages/grade_traces.h"

#include <stdio.h>

struct grade_flags {
    const char *dataset, *source, *selection, *profile;
};
#define AT(member) offsetof(struct grade_flags, member)
static const struct ps_setting items[] = {
    {"dataset", PS_SETTING_STRING, AT(dataset), .argument = "NAME[/SPLIT]",
     .help = "traces of this data set's prompts"},
    {"source", PS_SETTING_STRING, AT(source), .argument = "NAME", .help = "by this teacher"},
    {"selection", PS_SETTING_STRING, AT(selection), .argument = "NAME",
     .help = "kept by this selection"},
    {"profile", PS_SETTING_STRING, AT(profile), .argument = "NAME",
     .help =
         "gsm8k, math, aime, choice or plain, or one of these with +last_number behind it; by default "
         "as each data set says"},
};
#undef AT
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("grade", "For potstill grade.", items, struct grade_flags);

/* The traces whose verdict changed. */
struct changes {
    struct change {
        int64_t trace;
        enum ps_verdict from, to;
    } * items;
    size_t count, capacity;
};

static enum ps_status keep_change(void *context, int64_t trace, enum ps_verdict before,
                                  const struct ps_grade *after, struct ps_error *error) {
    struct changes *changes = context;
    if (changes->count == changes->capacity) {
        size_t capacity = 2 * changes->capacity + 64;
        struct change *more = ps_realloc(changes->items, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        changes->items = more;
        changes->capacity = capacity;
    }
    changes->items[changes->count++] = (struct change){trace, before, after->verdict};
    return PS_OK;
}

static enum ps_status print_json(const struct ps_store_stats *stats,
                                 const struct ps_grading_counts *counts,
                                 const struct changes *changes, struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 1 << 30);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_json_write_key(&writer, "traces");
    ps_json_write_integer(&writer, stats->traces);
    ps_json_write_key(&writer, "verdicts");
    ps_json_write_begin_object(&writer);
    for (size_t i = 0; i < PS_STORE_VERDICTS && stats->verdicts[i].count; i++) {
        ps_json_write_key(&writer, stats->verdicts[i].name);
        ps_json_write_integer(&writer, stats->verdicts[i].count);
    }
    ps_json_write_end_object(&writer);
    ps_grading_write(counts, &writer);
    ps_json_write_key(&writer, "changed");
    ps_json_write_begin_array(&writer);
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->items[i];
        ps_json_write_begin_object(&writer);
        ps_json_write_key(&writer, "trace");
        ps_json_write_integer(&writer, change->trace);
        ps_json_write_key(&writer, "from");
        ps_json_write_string(&writer, ps_verdict_name(change->from));
        ps_json_write_key(&writer, "to");
        ps_json_write_string(&writer, ps_verdict_name(change->to));
        ps_json_write_end_object(&writer);
    }
    ps_json_write_end_array(&writer);
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

/* How many and the first few traces of each change; --json has them all. */
static void print_changed(const struct changes *changes) {
    enum { SHOWN = 12 };
    for (int from = 0; from < PS_VERDICT_COUNT; from++)
        for (int to = 0; to < PS_VERDICT_COUNT; to++) {
            size_t count = 0, shown = 0;
            for (size_t i = 0; i < changes->count; i++)
                count += (int)changes->items[i].from == from && (int)changes->items[i].to == to;
            if (count == 0) continue;
            printf("%zu were %s, are %s: trace", count, ps_verdict_name((enum ps_verdict)from),
                   ps_verdict_name((enum ps_verdict)to));
            for (size_t i = 0; i < changes->count && shown < SHOWN; i++)
                if ((int)changes->items[i].from == from && (int)changes->items[i].to == to)
                    printf("%s %lld", shown++ ? "," : "", (long long)changes->items[i].trace);
            puts(count > shown ? ", ..." : "");
        }
}

static void print_text(const struct ps_store_stats *stats, const struct ps_grading_counts *counts,
                       const struct changes *changes) {
    printf("graded %lld of %lld traces\n", (long long)counts->graded, (long long)stats->traces);
    for (size_t i = 0; i < PS_STORE_VERDICTS && stats->verdicts[i].count; i++)
        printf("  %-16s%8lld\n", stats->verdicts[i].name, (long long)stats->verdicts[i].count);
    print_changed(changes);
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct grade_flags *flags = call->settings[0].values;
    struct ps_traces_filter which = {.row = PS_UNSET_INTEGER,
                                     .dataset = flags->dataset,
                                     .source = flags->source,
                                     .selection = flags->selection};
    struct ps_progress progress = {0};
    struct ps_grading grading = {.profile = flags->profile, .progress = &progress};
    struct ps_grading_counts counts = {0};
    struct changes changes = {0};
    struct ps_store_stats stats;
    struct ps_grade_profile profile;
    PS_FAIL_IF(
        flags->profile && !ps_grade_profile(flags->profile, &profile), error, PS_ARGUMENT,
        "--profile %s: there are gsm8k, math, aime, choice and plain, and each with +last_number "
        "behind it",
        flags->profile);
    PS_TRY(ps_traces_make_filter(call, &which, &grading.filter, error));
    PS_TRY(ps_store_open(&grading.store, call->arguments.items[0], PS_STORE_WRITE, error));
    enum ps_status status = ps_dataset_catalog_open(&grading.catalog, NULL, 0, 0, error);
    grading.changed = keep_change;
    grading.context = &changes;
    if (status == PS_OK) status = ps_grade_traces(&grading, &counts, error);
    if (status == PS_OK) status = ps_store_stats(grading.store, &grading.filter, &stats, error);
    ps_dataset_catalog_close(grading.catalog);
    ps_store_close(grading.store);
    if (status == PS_OK && call->json) status = print_json(&stats, &counts, &changes, error);
    if (status == PS_OK && !call->json) print_text(&stats, &counts, &changes);
    ps_free(changes.items);
    return status;
}

const struct ps_command ps_command_grade = {
    .name = "grade",
    .synopsis = "STORE",
    .help = "grade the traces of a store that have no verdict by this grader",
    .details =
        "A new version of the grader, another profile or a corrected gold make a trace "
        "ungraded again.\nVerdicts are added; the earlier ones stay. Verdicts by hand go "
        "on to count.\nVerdicts that are other ones now are counted, with their first traces; "
        "--json lists all.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
