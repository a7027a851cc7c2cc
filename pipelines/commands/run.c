/* potstill run: does what is not up to date. */
#include "pipelines/commands/commands_internal.h"
#include "pipelines/commands/pipeline_options.h"
#include "pipelines/stages/evaluation.h"

#include <stdio.h>
#include <string.h>

static const struct ps_setting items[] = {
    {"from", PS_SETTING_STRING, offsetof(struct ps_run_options, from), .argument = "STAGE",
     .help = "begin with this stage; earlier ones must be done"},
    {"only", PS_SETTING_STRING, offsetof(struct ps_run_options, only), .argument = "STAGE",
     .help = "this stage alone; what it needs must be done"},
};
static const struct ps_settings_table run_table =
    PS_SETTINGS_TABLE("run", "Options of run.", items, struct ps_run_options);

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_pipeline pipeline;
    const struct ps_run_options *options = call->settings[1].values;
    PS_FAIL_IF(options->from && options->only, error, PS_ARGUMENT,
               "--from and --only exclude each other");
    PS_TRY(ps_load_pipeline(call, &pipeline, error));
    enum ps_status status = ps_pipeline_run(&pipeline, options, error);
    if (status == PS_OK && call->json)
        status = ps_run_status(pipeline.run_directory, true, stdout, error);
    for (size_t i = 0; status == PS_OK && !call->json && i < pipeline.stage_count; i++)
        if (strcmp(pipeline.stages[i].kind->name, "evaluate") == 0)
            status = ps_evaluation_show(&pipeline.stages[i], stdout, error);
    ps_pipeline_close(&pipeline);
    return status;
}

const struct ps_command ps_command_run = {
    .name = "run",
    .synopsis = "FILE [--from STAGE] [--only STAGE] [--set KEY=VALUE] [--limit N]",
    .help = "check every stage, then run what is not up to date",
    .details =
        "A run that was stopped, or killed, goes on where it was when the same command is given "
        "again.\nResults lie in runs/NAME. Where there is no such FILE it is the name of a "
        "shipped pipeline:\n'potstill run quickstart' needs no file; its models come with "
        "the program.",
    .tables = {&ps_pipeline_flags_table, &run_table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
