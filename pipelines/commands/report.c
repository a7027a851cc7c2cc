/* potstill report: the report of a run, made anew from what its stages left behind; several runs
 * side by side; or what a store of replies says by itself. */
#include "pipelines/report/report.h"
#include "pipelines/commands/commands_internal.h"

#include "base/file.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

struct report_flags {
    const char *out;
};
static const struct ps_setting items[] = {
    {"out", PS_SETTING_STRING, offsetof(struct report_flags, out), .argument = "FOLDER",
     .help = "where report.html and report.json go; by default into RUN, of a store beside it into "
             "NAME-report, of several runs into report-A-B"},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("report", "For potstill report.", items, struct report_flags);

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

/* "runs/a" is "a", "b/evals.db" is "b", "c.db" is "c". */
static const char *short_name(const struct ps_report_run *run, struct ps_arena *arena) {
    const char *path = run->path ? run->path : run->store;
    size_t size = strlen(path);
    if (run->store && size > 9 && strcmp(path + size - 9, "/evals.db") == 0) size -= 9;
    if (size > 3 && strncmp(path + size - 3, ".db", 3) == 0) size -= 3;
    size_t start = size;
    while (start > 0 && path[start - 1] != '/') start--;
    return ps_arena_strndup(arena, path + start, size - start);
}

static const char *default_folder(const struct ps_report_run *runs, size_t count,
                                  struct ps_arena *arena) {
    if (count == 1 && runs->path) return runs->path;
    if (count == 1) {
        size_t size = strlen(runs->store);
        bool ending = size > 3 && strcmp(runs->store + size - 3, ".db") == 0;
        return ps_arena_format(arena, "%.*s-report", (int)(size - (ending ? 3 : 0)), runs->store);
    }
    const char *folder = "report";
    for (size_t i = 0; i < count && folder; i++) {
        const char *name = short_name(&runs[i], arena);
        folder = name ? ps_arena_format(arena, "%s-%s", folder, name) : NULL;
    }
    return folder;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct report_flags *flags = call->settings[0].values;
    size_t count = call->arguments.count;
    struct ps_report_run *runs = ps_arena_array(call->arena, count, sizeof *runs);
    struct ps_buffer text;
    PS_FAIL_IF_NULL(runs, error);
    for (size_t i = 0; i < count; i++)
        PS_TRY(ps_report_find(call->arguments.items[i], call->arena, &runs[i], error));
    const char *folder = flags->out ? flags->out : default_folder(runs, count, call->arena);
    PS_FAIL_IF_NULL(folder, error);
    ps_buffer_init(&text, 16 << 20);
    enum ps_status status = ps_report_write(runs, count, folder, &text, error);
    if (status == PS_OK && call->json) status = print_json(folder, call->arena, error);
    if (status == PS_OK && !call->json && text.size) fputs(text.data, stdout);
    if (status == PS_OK) ps_log_note("report: %s/report.html", folder);
    ps_buffer_release(&text);
    return status;
}

const struct ps_command ps_command_report = {
    .name = "report",
    .synopsis = "RUN ... [--out FOLDER]",
    .help = "make the report of a run anew, or compare several",
    .details =
        "RUN is the folder of a run, runs/NAME, or a store of replies that `potstill evaluate` "
        "made.\nWrites report.html, which loads nothing from anywhere, and report.json, and prints "
        "the tables.\nSeveral RUNs are compared on the problems that they share: one page with the "
        "models of all of\nthem side by side, and paired differences between the runs.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = SIZE_MAX,
    .run = run,
};
