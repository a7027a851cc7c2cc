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
     .help = "gsm8k, math, aime or plain, or one of these with +last_number behind it; by default "
             "as each data set says"},
};
#undef AT
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("grade", "For potstill grade.", items, struct grade_flags);

static enum ps_status print_json(const struct ps_store_stats *stats,
                                 const struct ps_grading_counts *counts, struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 1 << 20);
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
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static void print_text(const struct ps_store_stats *stats, const struct ps_grading_counts *counts) {
    printf("graded %lld of %lld traces\n", (long long)counts->graded, (long long)stats->traces);
    for (size_t i = 0; i < PS_STORE_VERDICTS && stats->verdicts[i].count; i++)
        printf("  %-16s%8lld\n", stats->verdicts[i].name, (long long)stats->verdicts[i].count);
    ps_grading_print_changes(counts);
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
    struct ps_store_stats stats;
    struct ps_grade_profile profile;
    PS_FAIL_IF(flags->profile && !ps_grade_profile(flags->profile, &profile), error, PS_ARGUMENT,
               "--profile %s: there are gsm8k, math, aime and plain, and each with +last_number "
               "behind it",
               flags->profile);
    PS_TRY(ps_traces_make_filter(call, &which, &grading.filter, error));
    PS_TRY(ps_store_open(&grading.store, call->arguments.items[0], PS_STORE_WRITE, error));
    enum ps_status status = ps_dataset_catalog_open(&grading.catalog, NULL, 0, 0, error);
    if (status == PS_OK) status = ps_grade_traces(&grading, &counts, error);
    if (status == PS_OK) status = ps_store_stats(grading.store, &grading.filter, &stats, error);
    ps_dataset_catalog_close(grading.catalog);
    ps_store_close(grading.store);
    PS_TRY(status);
    if (call->json) return print_json(&stats, &counts, error);
    print_text(&stats, &counts);
    return PS_OK;
}

const struct ps_command ps_command_grade = {
    .name = "grade",
    .synopsis = "STORE",
    .help = "grade the traces of a store that have no verdict by this grader",
    .details = "A new version of the grader, another profile or a corrected gold make a trace "
               "ungraded again.\nVerdicts are added; the earlier ones stay. Verdicts by hand go "
               "on to count.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
