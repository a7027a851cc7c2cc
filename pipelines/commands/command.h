#pragma once
/* A command of the command line. Each stands in a file of its own, named as the command, and is
 * listed in table.c. main.c finds it, reads its flags through its settings tables and runs it. */

#include "base/settings.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { PS_COMMAND_TABLES = 4 };

struct ps_call {
    const struct ps_command *command;
    struct ps_strings arguments;                    /* what is no flag */
    struct ps_settings settings[PS_COMMAND_TABLES]; /* parallel to the command's tables */
    bool json;                                      /* --json: results as JSON on stdout */
    struct ps_arena *arena;                         /* released when the command is done */
};

struct ps_command {
    const char *name;     /* one word or two: "run", "traces list" */
    const char *synopsis; /* what stands behind the name: "FILE [--from STAGE]" */
    const char *help;     /* one line for the list of commands */
    const char *details;  /* NULL, or paragraphs under the synopsis */
    const struct ps_settings_table *tables[PS_COMMAND_TABLES]; /* closed by NULL or full */
    size_t minimum_arguments, maximum_arguments; /* main checks the number; SIZE_MAX: any */
    /* Results go to stdout, all else to stderr. The status decides the exit code; on failure main
     * prints error->message. */
    enum ps_status (*run)(struct ps_call *call, struct ps_error *error);
    bool hidden; /* not in --help */
};

/* The list, closed by NULL, and the names of DESIGN's command line that do not work yet. */
extern const struct ps_command *const ps_commands[];
extern const char *const ps_commands_not_built[];
