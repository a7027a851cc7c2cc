/* potstill: the command line. Finds the command, reads its flags, runs it, and turns its status
 * into the exit code: 0 done, 1 failed, 2 the command line or a file given to it is wrong, 3
 * stopped by the user with everything kept. */
#include "base/log.h"
#include "base/settings.h"
#include "base/stop.h"
#include "pipelines/commands/command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct common_flags {
    bool help, json, quiet;
};
static const struct ps_setting common_items[] = {
    {"json", PS_SETTING_BOOL, offsetof(struct common_flags, json), .help = "print results as JSON"},
    {"quiet", PS_SETTING_BOOL, offsetof(struct common_flags, quiet),
     .help = "no progress and no notes on stderr"},
    {"help", PS_SETTING_BOOL, offsetof(struct common_flags, help), .help = "print this help"},
};
static const struct ps_settings_table common_table =
    PS_SETTINGS_TABLE("potstill", "For every command.", common_items, struct common_flags);

/* ---- help ---- */

/* All commands, or those whose name begins with the word `group`. */
static void print_commands(const char *group) {
    size_t group_size = group ? strlen(group) : 0;
    for (size_t i = 0; ps_commands[i]; i++) {
        const struct ps_command *command = ps_commands[i];
        if (command->hidden) continue;
        if (group &&
            (strncmp(command->name, group, group_size) != 0 || command->name[group_size] != ' '))
            continue;
        printf("  %-20s %s\n", command->name, command->help);
    }
}

static enum ps_status print_main_help(void) {
    puts("potstill " PS_VERSION
         ": knowledge distillation from a teacher's traces to a small model\n"
         "\n"
         "usage: potstill COMMAND ...\n");
    print_commands(NULL);
    puts("\n"
         "  potstill COMMAND --help    what a command takes\n"
         "  potstill --version         the version\n"
         "\n"
         "Exit codes: 0 done, 1 failed, 2 the command line or a file given to it is wrong,\n"
         "3 stopped by the user with everything kept.");
    return PS_OK;
}

static enum ps_status print_command_help(const struct ps_command *command, struct ps_error *error) {
    struct ps_buffer buffer;
    ps_buffer_init(&buffer, 1 << 20);
    bool fits = ps_buffer_format(&buffer, "usage: potstill %s%s%s\n\n%c%s.\n", command->name,
                                 command->synopsis[0] ? " " : "", command->synopsis,
                                 command->help[0] & ~0x20, command->help + 1);
    if (command->details) fits = fits && ps_buffer_format(&buffer, "\n%s\n", command->details);
    fits = fits && ps_buffer_puts(&buffer, "\n");
    for (size_t i = 0; i < PS_COMMAND_TABLES && command->tables[i]; i++)
        fits = fits && ps_settings_help(command->tables[i], &buffer);
    fits = fits && ps_settings_help(&common_table, &buffer);
    if (fits) fputs(buffer.data, stdout);
    ps_buffer_release(&buffer);
    return fits ? PS_OK : ps_error_set(error, PS_MEMORY, "out of memory");
}

/* ---- finding the command ---- */

static bool is_group(const char *word) {
    size_t size = strlen(word);
    for (size_t i = 0; ps_commands[i]; i++)
        if (strncmp(ps_commands[i]->name, word, size) == 0 && ps_commands[i]->name[size] == ' ')
            return true;
    return false;
}

static bool not_built(const char *name) {
    for (size_t i = 0; ps_commands_not_built[i]; i++)
        if (strcmp(ps_commands_not_built[i], name) == 0) return true;
    return false;
}

enum { MOST_NAMES = 128 };

/* Every command's name, also of those not built; returns how many. */
static size_t all_names(const char *names[MOST_NAMES]) {
    size_t count = 0;
    for (size_t i = 0; ps_commands[i] && count < MOST_NAMES; i++)
        if (!ps_commands[i]->hidden) names[count++] = ps_commands[i]->name;
    for (size_t i = 0; ps_commands_not_built[i] && count < MOST_NAMES; i++)
        names[count++] = ps_commands_not_built[i];
    return count;
}

/* What was meant by two words: a command whose words are near, or in the other order; else by the
 * first word alone. NULL: nothing is near. */
static const char *suggest(const char *first, const char *second) {
    const char *names[MOST_NAMES], *nearest = NULL;
    size_t count = all_names(names);
    char two[128];
    snprintf(two, sizeof two, "%s %s", second, first);
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], two) == 0) return names[i];
    snprintf(two, sizeof two, "%s %s", first, second);
    if (second[0]) nearest = ps_nearest(two, names, count);
    return nearest ? nearest : ps_nearest(first, names, count);
}

/* name: one word, or two where the first is a group's. */
static enum ps_status unknown_command(const char *name, const char *first, const char *second,
                                      struct ps_error *error) {
    const char *nearest = suggest(first, second);
    if (nearest)
        return ps_error_set(error, PS_ARGUMENT, "unknown command '%s'; did you mean '%s'?", name,
                            nearest);
    return ps_error_set(error, PS_ARGUMENT, "unknown command '%s'; see potstill --help", name);
}

/* The command of the first one or two words; *used counts them. */
static enum ps_status find_command(int argc, char **argv, const struct ps_command **command,
                                   int *used, struct ps_error *error) {
    char two[128] = "";
    if (argc > 1) snprintf(two, sizeof two, "%s %s", argv[0], argv[1]);
    for (size_t i = 0; ps_commands[i]; i++) {
        *command = ps_commands[i];
        *used = strcmp(ps_commands[i]->name, two) == 0 ? 2 : 1;
        if (*used == 2 || strcmp(ps_commands[i]->name, argv[0]) == 0) return PS_OK;
    }
    *command = NULL;
    if (not_built(two)) return ps_error_set(error, PS_UNSUPPORTED, "'%s': not built yet", two);
    if (not_built(argv[0]))
        return ps_error_set(error, PS_UNSUPPORTED, "'%s': not built yet", argv[0]);
    const char *second = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
    if (!is_group(argv[0])) return unknown_command(argv[0], argv[0], second, error);
    if (second[0]) return unknown_command(two, argv[0], second, error);
    return ps_error_set(error, PS_ARGUMENT,
                        "'%s' wants one of its commands; see potstill %s --help", argv[0], argv[0]);
}

/* ---- running it ---- */

static enum ps_status check_arguments(const struct ps_call *call, struct ps_error *error) {
    const struct ps_command *command = call->command;
    size_t count = call->arguments.count;
    PS_FAIL_IF(count > command->maximum_arguments, error, PS_ARGUMENT,
               "unexpected argument '%s'; usage: potstill %s %s",
               call->arguments.items[command->maximum_arguments], command->name, command->synopsis);
    PS_FAIL_IF(count < command->minimum_arguments, error, PS_ARGUMENT,
               "an argument is missing; usage: potstill %s %s", command->name, command->synopsis);
    return PS_OK;
}

static enum ps_status call_command(const struct ps_command *command, int argc, char **argv,
                                   struct ps_arena *arena, struct ps_error *error) {
    struct ps_call call = {.command = command, .arena = arena};
    struct ps_settings parts[PS_COMMAND_TABLES + 1];
    size_t count = 0;
    for (; count < PS_COMMAND_TABLES && command->tables[count]; count++) {
        PS_TRY(ps_settings_new(command->tables[count], &parts[count], arena, error));
        call.settings[count] = parts[count];
    }
    PS_TRY(ps_settings_new(&common_table, &parts[count++], arena, error));
    PS_TRY(ps_settings_read_flags(parts, count, argc, argv, &call.arguments, arena, error));
    const struct common_flags *common = parts[count - 1].values;
    if (common->help) return print_command_help(command, error);
    call.json = common->json;
    ps_log_quiet(common->quiet);
    PS_TRY(check_arguments(&call, error));
    return command->run(&call, error);
}

/* `potstill help`, `potstill help run`, `potstill traces --help`. */
static enum ps_status print_help(int argc, char **argv, struct ps_error *error) {
    const struct ps_command *command;
    int used;
    if (argc == 0) return print_main_help();
    if (argc == 1 && is_group(argv[0])) {
        printf("usage: potstill %s COMMAND ...\n\n", argv[0]);
        print_commands(argv[0]);
        return PS_OK;
    }
    PS_TRY(find_command(argc, argv, &command, &used, error));
    return print_command_help(command, error);
}

static bool is_help_flag(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static enum ps_status run(int argc, char **argv, struct ps_arena *arena, struct ps_error *error) {
    PS_FAIL_IF(argc < 1, error, PS_ARGUMENT, "no command; see potstill --help");
    if (strcmp(argv[0], "--version") == 0) {
        puts("potstill " PS_VERSION);
        return PS_OK;
    }
    if (is_help_flag(argv[0]) || strcmp(argv[0], "help") == 0)
        return print_help(argc - 1, argv + 1, error);
    PS_FAIL_IF(argv[0][0] == '-', error, PS_ARGUMENT, "unknown option %s; see potstill --help",
               argv[0]);
    if (argc > 1 && is_help_flag(argv[argc - 1])) return print_help(argc - 1, argv, error);
    const struct ps_command *command;
    int used;
    PS_TRY(find_command(argc, argv, &command, &used, error));
    return call_command(command, argc - used, argv + used, arena, error);
}

int main(int argc, char **argv) {
    struct ps_error error = {0};
    struct ps_arena arena;
    ps_arena_init(&arena, (size_t)1 << 30);
    ps_stop_install_handlers();
    signal(SIGPIPE, SIG_IGN); /* a closed reader is a failed write */
    enum ps_status status = run(argc - 1, argv + 1, &arena, &error);
    if (status == PS_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = ps_error_errno(&error, errno, "standard output");
    if (status != PS_OK)
        ps_log_error("%s", error.message[0] ? error.message : ps_status_text(status));
    ps_arena_release(&arena);
    return ps_status_exit_code(status);
}
