/* potstill docs: the reference of all settings as Markdown, kept in docs/pipeline-reference.md. */
#include "pipelines/commands/commands_internal.h"

#include <stdio.h>

static enum ps_status command_reference(const struct ps_command *command,
                                        struct ps_buffer *buffer) {
    bool fits =
        ps_buffer_format(buffer, "### potstill %s %s\n\n", command->name, command->synopsis);
    fits = fits && ps_buffer_format(buffer, "%s.\n\n", command->help);
    for (size_t i = 0; i < PS_COMMAND_TABLES && command->tables[i]; i++)
        fits = fits && ps_settings_reference(command->tables[i], buffer);
    return fits ? PS_OK : PS_MEMORY;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    (void)call;
    struct ps_buffer buffer;
    enum ps_status status = PS_OK;
    ps_buffer_init(&buffer, 4 << 20);
    PS_FAIL_DONE_IF(!ps_buffer_puts(&buffer,
                                    "# Settings\n\nMade by `potstill docs`; do not edit. Keys "
                                    "marked as identity are part of a result's fingerprint.\n\n"
                                    "## Commands\n\n"),
                    error, PS_MEMORY, "out of memory");
    for (size_t i = 0; ps_commands[i]; i++)
        if (!ps_commands[i]->hidden) PS_TRY_DONE(command_reference(ps_commands[i], &buffer));
    fwrite(buffer.data, 1, buffer.size, stdout);
done:
    ps_buffer_release(&buffer);
    return status;
}

const struct ps_command ps_command_docs = {
    .name = "docs",
    .synopsis = "",
    .help = "print the reference of all settings as Markdown",
    .run = run,
    .hidden = true,
};
