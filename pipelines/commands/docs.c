/* potstill docs: the reference of all settings as Markdown, kept in docs/pipeline-reference.md. */
#include "pipelines/commands/commands_internal.h"
#include "pipelines/driver/driver.h"
#include "pipelines/driver/driver_internal.h"

#include <stdio.h>

static bool section(const char *title, const struct ps_settings_table *table,
                    struct ps_buffer *buffer) {
    return ps_buffer_format(buffer, "### %s\n\n", title) && ps_settings_reference(table, buffer);
}

static bool command_section(const struct ps_command *command, struct ps_buffer *buffer) {
    bool fits = ps_buffer_format(buffer, "### potstill %s\n\n`potstill %s%s%s`: %s.\n\n",
                                 command->name, command->name, command->synopsis[0] ? " " : "",
                                 command->synopsis, command->help);
    for (size_t i = 0; i < PS_COMMAND_TABLES && command->tables[i]; i++)
        fits = fits && ps_settings_reference(command->tables[i], buffer);
    return fits;
}

static bool write_reference(struct ps_buffer *buffer) {
    bool fits = ps_buffer_puts(
        buffer,
        "# Settings\n\n"
        "Printed by `potstill docs`; change the tables in the source instead of this page. What is\n"
        "marked as identity is part of a result's fingerprint: changing it makes the result stale.\n"
        "On the command line `max_tokens` is written `--max-tokens`, and `validate.every`\n"
        "`--validate.every`; in a pipeline file a key with a dot is nested.\n\n"
        "## Pipeline files\n\n");
    fits = fits && section("Top level", &ps_pipeline_table, buffer);
    fits = fits && section("prompts", &ps_pipeline_prompt_table, buffer);
    fits = fits && section("models", &ps_pipeline_model_table, buffer);
    fits = fits && section("datasets", &ps_pipeline_dataset_table, buffer);
    fits = fits && section("stages", &ps_stage_common_table, buffer);
    for (size_t i = 0; ps_stage_kinds[i]; i++) {
        fits = fits && ps_buffer_format(buffer, "#### %s\n\n", ps_stage_kinds[i]->name);
        fits = fits && ps_settings_reference(ps_stage_kinds[i]->settings, buffer);
    }
    fits = fits && ps_buffer_puts(buffer, "## Commands\n\n");
    for (size_t i = 0; ps_commands[i]; i++)
        if (!ps_commands[i]->hidden) fits = fits && command_section(ps_commands[i], buffer);
    while (fits && buffer->size > 1 && buffer->data[buffer->size - 2] == '\n')
        buffer->data[--buffer->size] = 0; /* one newline ends the file */
    return fits;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    (void)call;
    struct ps_buffer buffer;
    ps_buffer_init(&buffer, 16 << 20);
    bool fits = write_reference(&buffer);
    if (fits) fwrite(buffer.data, 1, buffer.size, stdout);
    ps_buffer_release(&buffer);
    return fits ? PS_OK : ps_error_set(error, PS_MEMORY, "out of memory");
}

const struct ps_command ps_command_docs = {
    .name = "docs",
    .synopsis = "",
    .help = "print the reference of all settings as Markdown",
    .run = run,
    .hidden = true,
};
