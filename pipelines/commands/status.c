/* potstill status: how far a run is, from another terminal. */
#include "pipelines/commands/commands_internal.h"
#include "pipelines/driver/driver.h"

#include <stdio.h>

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    return ps_run_status(call->arguments.items[0], call->json, stdout, error);
}

const struct ps_command ps_command_status = {
    .name = "status",
    .synopsis = "RUN",
    .help = "how far a run is, from another terminal; RUN is its folder, runs/NAME",
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
