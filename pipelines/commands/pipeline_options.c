#include "pipelines/commands/pipeline_options.h"

#include "base/file.h"
#include "base/log.h"
#include "base/shipped.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct ps_setting items[] = {
    {"set", PS_SETTING_STRINGS, offsetof(struct pipeline_flags, set), .whole = true,
     .argument = "KEY=VALUE",
     .help = "change a setting: seed=3, models.base.path=DIR, STAGE.epochs=1; may be repeated"},
    {"limit", PS_SETTING_INTEGER, offsetof(struct pipeline_flags, limit), "0", .minimum = 0,
     .maximum = INFINITY, .argument = "N",
     .help = "a smoke run of N prompts and steps, in a run directory of its own; 0: all"},
};
const struct ps_settings_table ps_pipeline_flags_table =
    PS_SETTINGS_TABLE("options", "Options for a pipeline.", items, struct pipeline_flags);

/* ---- which file ---- */

static int is_pipeline(const struct dirent *entry) {
    size_t size = strlen(entry->d_name);
    return size > 5 && strcmp(entry->d_name + size - 5, ".yaml") == 0;
}

/* The shipped pipeline whose name is near, or all of them. */
static enum ps_status no_such_file(const char *name, const char *folder, struct ps_arena *arena,
                                   struct ps_error *error) {
    enum { MOST = 64 };
    struct dirent **entries;
    const char *names[MOST], *list = "";
    int found = scandir(folder, &entries, is_pipeline, alphasort), count = 0;
    for (int i = 0; i < found; i++) {
        size_t size = strlen(entries[i]->d_name) - 5;
        const char *copy = ps_arena_strndup(arena, entries[i]->d_name, size);
        if (copy && count < MOST) names[count++] = copy;
        if (copy)
            list = ps_arena_format(arena, "%s%s%s", list, *list ? ", " : "; there are ", copy);
        if (!list) list = "";
        free(entries[i]);
    }
    if (found >= 0) free(entries);
    const char *nearest = ps_nearest(name, names, (size_t)count);
    const char *hint = nearest ? ps_arena_format(arena, "; did you mean '%s'?", nearest) : list;
    return ps_error_set(error, PS_NOT_FOUND,
                        "%s: there is neither such a file nor a shipped pipeline of that name%s",
                        name, hint ? hint : "");
}

/* What a user calls a pipeline: a file, or the name of a shipped one. */
static enum ps_status find_file(const char *name, struct ps_arena *arena, const char **path,
                                const char **shipped, struct ps_error *error) {
    static const char below[] = "/pipelines";
    *path = name;
    *shipped = NULL;
    if (ps_file_exists(name) || ps_directory_exists(name) || strchr(name, '/')) return PS_OK;
    const char *near = ps_arena_format(arena, "%.*s.yaml", (int)strcspn(name, "."), name);
    const char *folder = ps_shipped_folder(arena, below + 1);
    const char *recipe = folder && near ? ps_path_join(arena, folder, near) : NULL;
    PS_FAIL_IF_NULL(recipe, error);
    PS_FAIL_IF(ps_file_exists(near), error, PS_NOT_FOUND, "%s: no such file; did you mean '%s'?",
               name, near);
    if (!ps_file_exists(recipe)) return no_such_file(name, folder, arena, error);
    *shipped = ps_arena_strndup(arena, folder, strlen(folder) - strlen(below));
    PS_FAIL_IF_NULL(*shipped, error);
    *path = recipe;
    ps_log_note("%s is the shipped pipeline %s", name, recipe);
    return PS_OK;
}

enum ps_status ps_load_pipeline(struct ps_call *call, struct ps_pipeline *pipeline,
                                struct ps_error *error) {
    const struct pipeline_flags *flags = call->settings[0].values;
    struct ps_pipeline_options options = {.set = flags->set, .limit = flags->limit};
    const char *path;
    PS_TRY(find_file(call->arguments.items[0], call->arena, &path, &options.shipped, error));
    return ps_pipeline_load(pipeline, path, &options, error);
}
