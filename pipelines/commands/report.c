/* potstill report: the report of a run, made anew from what its stages left behind. */
#include "pipelines/report/report.h"
#include "pipelines/commands/commands_internal.h"

#include "base/file.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static enum ps_status print_json(const char *folder, struct ps_arena *arena,
                                 struct ps_error *error) {
    struct ps_buffer text;
    char *path = ps_path_join(arena, folder, "report.json");
    PS_FAIL_IF_NULL(path, error);
    ps_buffer_init(&text, (size_t)1 << 30);
    enum ps_status status = ps_file_read(path, &text, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status report_run(const struct ps_call *call, const char *folder,
                                 struct ps_error *error) {
    struct ps_report_stage *stages;
    struct ps_buffer table;
    size_t count;
    PS_TRY(ps_report_stages(folder, call->arena, &stages, &count, error));
    ps_buffer_init(&table, 16 << 20);
    enum ps_status status = ps_report_write(folder, stages, count, folder, &table, error);
    if (status == PS_OK && call->json) status = print_json(folder, call->arena, error);
    if (status == PS_OK && !call->json && table.size) fputs(table.data, stdout);
    if (status == PS_OK) ps_log_note("report: %s/report.html", folder);
    ps_buffer_release(&table);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    for (size_t i = 0; i < call->arguments.count; i++) {
        const char *text = call->arguments.items[i];
        size_t size = strlen(text);
        while (size > 1 && text[size - 1] == '/') size--;
        char *folder = ps_arena_strndup(call->arena, text, size);
        PS_FAIL_IF_NULL(folder, error);
        PS_TRY(report_run(call, folder, error));
    }
    return PS_OK;
}

const struct ps_command ps_command_report = {
    .name = "report",
    .synopsis = "RUN ...",
    .help = "make the report of a run anew; RUN is its folder, runs/NAME",
    .details =
        "Writes RUN/report.html, which loads nothing from anywhere, and RUN/report.json from "
        "what the\nfinished stages of the run left behind, and prints the tables.",
    .minimum_arguments = 1,
    .maximum_arguments = SIZE_MAX,
    .run = run,
};
