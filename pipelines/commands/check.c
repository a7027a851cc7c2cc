/* potstill check: is the pipeline right, and what does it look like to the models. */
#include "pipelines/commands/commands_internal.h"
#include "pipelines/commands/pipeline_options.h"

#include <stdio.h>

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_pipeline pipeline;
    PS_TRY(ps_load_pipeline(call, &pipeline, error));
    enum ps_status status = ps_pipeline_fingerprint(&pipeline, error); /* names what has run */
    if (status == PS_OK) status = ps_pipeline_check(&pipeline, call->json ? NULL : stdout, error);
    if (status == PS_OK && call->json)
        printf("{\"ok\":true,\"stages\":%zu}\n", pipeline.stage_count);
    else if (status == PS_OK)
        printf("%s: %zu stages, all right\n", pipeline.path, pipeline.stage_count);
    ps_pipeline_close(&pipeline);
    return status;
}

const struct ps_command ps_command_check = {
    .name = "check",
    .synopsis = "FILE",
    .help = "check a pipeline, with its models and data, and show its prompts",
    .tables = {&ps_pipeline_flags_table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
