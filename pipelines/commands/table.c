#include "pipelines/commands/command.h"

#include "pipelines/commands/commands_internal.h"

/* In the order of --help. */
const struct ps_command *const ps_commands[] = {
    &ps_command_docs,
    &ps_command_model_info,
    &ps_command_model_init,
    &ps_command_model_score,
    &ps_command_grade_pair,
    NULL,
};

/* A name leaves this list in the commit that adds its command. Two words stand for a subcommand,
 * one word for a command and everything behind it. */
const char *const ps_commands_not_built[] = {
    "new",     "check",         "plan",  "run",      "status", "fetch", "sample",
    "grade",   "select",        "train", "evaluate", "report", "ask",   "traces",
    "dataset", "model convert", "text",  "doctor",   "bench",  NULL,
};
