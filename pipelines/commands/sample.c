/* potstill sample: the sample stage without a pipeline. */
#include "pipelines/commands/commands_internal.h"
#include "pipelines/commands/prompt_flags.h"

#include "base/log.h"
#include "hub/hub.h"
#include "pipelines/stages/sampling.h"

#include <stdio.h>
#include <string.h>

struct sample_flags {
    const char *model, *name;
    struct ps_strings dataset;
    int64_t samples, seed, limit;
    struct ps_sampling_settings sampling;
};
#define AT(member) offsetof(struct sample_flags, member)
static const struct ps_setting items[] = {
    {"model", PS_SETTING_STRING, AT(model), .required = true, .argument = "MODEL",
     .help = "a Hugging Face folder, or the id of a model in the Hugging Face cache"},
    {"name", PS_SETTING_STRING, AT(name), .argument = "NAME",
     .help = "what the store calls the model; by default its folder's name"},
    {"dataset", PS_SETTING_STRINGS, AT(dataset), .required = true, .argument = "NAME",
     .help = "the sets to answer; see potstill dataset list"},
    {"samples", PS_SETTING_INTEGER, AT(samples), "1", .minimum = 1, .maximum = 1e6,
     .unit = "replies", .help = "for each question; only missing ones are sampled"},
    {"seed", PS_SETTING_INTEGER, AT(seed), "0", .minimum = 0, .maximum = 0x1p53,
     .help = "of the random numbers"},
    {"limit", PS_SETTING_INTEGER, AT(limit), "0", .minimum = 0, .maximum = 1e9, .unit = "rows",
     .help = "only the first rows of each set; 0: all"},
    PS_SAMPLING_SETTINGS(AT(sampling), "0.6", "1", "4096"),
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("sample", "For potstill sample.", items, struct sample_flags);

static const char *last_part(const char *path, struct ps_arena *arena) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') begin--;
    return ps_arena_strndup(arena, path + begin, end - begin);
}

static enum ps_status print(const struct ps_call *call, const struct ps_sample_report *report,
                            const struct ps_sample_traces *traces, struct ps_error *error) {
    if (!call->json) {
        printf("%s: %lld of %lld replies, %lld of them truncated, %lld tokens; %lld sampled now\n",
               call->arguments.items[0], (long long)traces->present, (long long)report->replies,
               (long long)traces->truncated, (long long)traces->output_tokens,
               (long long)report->sampled);
        return PS_OK;
    }
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 1 << 20);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "store", call->arguments.items[0]);
    ps_sampling_write_report(&writer, report, traces);
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status sample(struct ps_call *call, const struct ps_sampling *sampling,
                             struct ps_progress *progress, struct ps_error *error) {
    struct ps_store *store;
    struct ps_sampling_prompts prompts;
    struct ps_sample_report report;
    struct ps_sample_traces traces;
    PS_TRY(ps_sampling_check(sampling, error));
    PS_TRY(ps_store_open(&store, call->arguments.items[0], PS_STORE_CREATE, error));
    if (ps_store_warning(store)) ps_log_warning("%s", ps_store_warning(store));
    enum ps_status status =
        ps_sampling_run(sampling, store, progress, &prompts, &report, &traces, error);
    ps_store_close(store);
    if (status == PS_FULL)
        ps_error_prefix(error, "nothing is lost; make room and give the same command again");
    PS_TRY(status);
    if (report.failed)
        ps_log_warning("%lld replies could not be sampled; the store has the reasons as attempts",
                       (long long)report.failed);
    return print(call, &report, &traces, error);
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct sample_flags *flags = call->settings[0].values;
    const struct ps_prompt_flags *words = call->settings[1].values;
    struct ps_progress progress = {0};
    struct ps_prompter prompter;
    PS_TRY(ps_settings_require(call->settings, 1, "sample", error));
    struct ps_stage_context context = {.seed = (uint64_t)flags->seed,
                                       .limit = flags->limit,
                                       .progress = &progress,
                                       .arena = call->arena};
    const char *folder;
    PS_TRY(ps_hub_find(flags->model, call->arena, &folder, error));
    struct ps_sampling sampling = {.name = flags->name ? flags->name
                                                       : last_part(flags->model, call->arena),
                                   .model = {folder, {folder, NULL, -1}},
                                   .prompter = &prompter,
                                   .set_count = flags->dataset.count,
                                   .settings = &flags->sampling};
    struct ps_sampling_set *sets = ps_arena_array(call->arena, sampling.set_count, sizeof *sets);
    PS_FAIL_IF(!sets || !sampling.name, error, PS_MEMORY, "out of memory");
    for (size_t i = 0; i < sampling.set_count; i++)
        sets[i] = (struct ps_sampling_set){flags->dataset.items[i], flags->samples};
    sampling.sets = sets;
    PS_TRY(ps_sampling_one_budget(&flags->sampling, call->arena, &sampling.budget, error));
    PS_TRY(ps_flag_date(words->date, call->arena, &context.date, error));
    PS_TRY(ps_dataset_catalog_open(&context.catalog, NULL, 0, context.seed, error));
    enum ps_status status =
        ps_prompter_open(&prompter, &context, &words->prompt, &sampling.model.reader, error);
    if (status == PS_OK) status = sample(call, &sampling, &progress, error);
    ps_prompter_close(&prompter);
    ps_dataset_catalog_close(context.catalog);
    return status;
}

const struct ps_command ps_command_sample = {
    .name = "sample",
    .synopsis = "--model MODEL --dataset NAME [--samples N] STORE",
    .help = "sample replies of a teacher into a trace store",
    .details = "Only what the store lacks is sampled. A run that was stopped, or killed, goes on "
               "where it\nwas when the same command is given again; with a larger --max-tokens, "
               "replies that were\ncut are continued.",
    .tables = {&table, &ps_prompt_flags_table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
