/* Manifests: datasets/NAME.yaml says where a data set comes from and how it is read. The tables
 * below are the format. */
#include "base/file.h"
#include "base/settings.h"
#include "base/shipped.h"
#include "datasets/datasets_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct split_settings {
    const char *file, *sha256;
    bool test;
    int64_t rows, seed;
};
#define AT(member) offsetof(struct split_settings, member)
static const struct ps_setting split_items[] = {
    {"file", PS_SETTING_STRING, AT(file), .help = "JSON lines below the folder of data sets"},
    {"sha256", PS_SETTING_STRING, AT(sha256), .help = "of the unpacked file"},
    {"test", PS_SETTING_BOOL, AT(test), .help = "never trained on"},
    {"rows", PS_SETTING_INTEGER, AT(rows), .fallback = "0", .minimum = 0, .maximum = 1e9,
     .help = "how many to generate"},
    {"seed", PS_SETTING_INTEGER, AT(seed), .fallback = "1", .minimum = 1, .maximum = 1e15,
     .help = "of the generator"},
};
#undef AT
static const struct ps_settings_table split_table =
    PS_SETTINGS_TABLE("split", "a split of a data set", split_items, struct split_settings);

struct manifest_settings {
    const char *name, *about, *licence, *origin, *prompt, *profile, *generator;
    const char *question, *answer, *solution, *id, *level, *subject;
    int gold;
    struct ps_table_map splits;
};
#define X(name, text) text,
static const char *const gold_names[] = {PS_DATASET_GOLD_MAP(X) NULL};
#undef X
#define AT(member) offsetof(struct manifest_settings, member)
static const struct ps_setting manifest_items[] = {
    {"name", PS_SETTING_STRING, AT(name), .required = true, .help = "as the file is called"},
    {"about", PS_SETTING_STRING, AT(about), .required = true, .help = "what it is, in a line"},
    {"licence", PS_SETTING_STRING, AT(licence), .required = true, .help = "of the data"},
    {"origin", PS_SETTING_STRING, AT(origin), .help = "where to get it"},
    {"prompt", PS_SETTING_STRING, AT(prompt), .required = true, .help = "default user message"},
    {"profile", PS_SETTING_STRING, AT(profile), .required = true, .help = "grading profile"},
    {"generator", PS_SETTING_STRING, AT(generator), .help = "what makes the rows"},
    {"question", PS_SETTING_STRING, AT(question), .help = "field of the question"},
    {"answer", PS_SETTING_STRING, AT(answer), .help = "field of the right answer"},
    {"solution", PS_SETTING_STRING, AT(solution), .help = "field of the worked solution"},
    {"id", PS_SETTING_STRING, AT(id), .help = "field of a row's name"},
    {"level", PS_SETTING_STRING, AT(level), .help = "field of the difficulty"},
    {"subject", PS_SETTING_STRING, AT(subject), .help = "field of the subject"},
    {"gold", PS_SETTING_ENUM, AT(gold), .fallback = "plain", .names = gold_names,
     .help = "how the right answer is read from its field"},
    {"splits", PS_SETTING_TABLE_MAP, AT(splits), .required = true, .table = &split_table,
     .help = "the parts of the set"},
};
#undef AT
static const struct ps_settings_table manifest_table =
    PS_SETTINGS_TABLE("manifest", "a shipped data set", manifest_items, struct manifest_settings);

static enum ps_status read_splits(const struct manifest_settings *values, struct ps_arena *arena,
                                  struct ps_dataset_manifest *manifest, struct ps_error *error) {
    manifest->split_count = values->splits.count;
    manifest->splits = ps_arena_array(arena, values->splits.count + 1, sizeof *manifest->splits);
    PS_FAIL_IF_NULL(manifest->splits, error);
    for (size_t i = 0; i < values->splits.count; i++) {
        const struct ps_table_entry *entry = &values->splits.items[i];
        const struct split_settings *split = entry->values;
        if (!split->file && !values->generator)
            return ps_yaml_fail(entry->node, error, "the split '%s' has no 'file'", entry->key);
        if (split->sha256 && strlen(split->sha256) != 64)
            return ps_yaml_fail(entry->node, error, "'sha256' is not 64 hexadecimal digits");
        manifest->splits[i] = (struct ps_dataset_split){
            .name = ps_arena_strndup(arena, entry->key, strlen(entry->key)),
            .file = split->file,
            .sha256 = split->sha256,
            .test = split->test,
            .rows = (uint64_t)split->rows,
            .seed = (uint64_t)split->seed};
        PS_FAIL_IF_NULL(manifest->splits[i].name, error);
    }
    return PS_OK;
}

enum ps_status ps_dataset_manifest_parse(const char *name, const char *text, size_t size,
                                         struct ps_arena *arena,
                                         struct ps_dataset_manifest *manifest,
                                         struct ps_error *error) {
    enum ps_status status;
    struct ps_yaml yaml;
    struct ps_settings part;
    PS_TRY(ps_yaml_parse(&yaml, name, text, size, error));
    PS_TRY_DONE(ps_settings_new(&manifest_table, &part, arena, error));
    PS_TRY_DONE(ps_settings_read(&part, 1, yaml.root, arena, error));
    PS_TRY_DONE(ps_settings_require(&part, 1, name, error));
    const struct manifest_settings *values = part.values;
    *manifest = (struct ps_dataset_manifest){
        .name = values->name,
        .about = values->about,
        .licence = values->licence,
        .origin = values->origin,
        .prompt = values->prompt,
        .profile = values->profile,
        .generator = values->generator,
        .fields = {values->question, values->answer, values->solution, values->id, values->level,
                   values->subject, (enum ps_dataset_gold)values->gold}};
    PS_TRY_DONE(read_splits(values, arena, manifest, error));
done:
    ps_yaml_release(&yaml);
    return status;
}

static enum ps_status read_manifest(const char *folder, const char *file, struct ps_arena *arena,
                                    struct ps_dataset_manifest *manifest, struct ps_error *error) {
    enum ps_status status;
    struct ps_buffer buffer;
    ps_buffer_init(&buffer, 1 << 20);
    const char *path = ps_path_join(arena, folder, file);
    PS_FAIL_DONE_IF_NULL(path, error);
    PS_TRY_DONE(ps_file_read(path, &buffer, error));
    PS_TRY_DONE(ps_dataset_manifest_parse(path, buffer.data ? buffer.data : "", buffer.size, arena,
                                          manifest, error));
done:
    ps_buffer_release(&buffer);
    return status;
}

static int is_manifest(const struct dirent *entry) {
    size_t size = strlen(entry->d_name);
    return size > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + size - 5, ".yaml") == 0;
}

enum ps_status ps_dataset_manifests(struct ps_arena *arena, struct ps_dataset_manifest **manifests,
                                    size_t *count, struct ps_error *error) {
    enum ps_status status = PS_OK;
    struct dirent **entries = NULL;
    const char *folder = ps_shipped_folder(arena, "datasets");
    PS_FAIL_IF_NULL(folder, error);
    int found = scandir(folder, &entries, is_manifest, alphasort);
    if (found < 0)
        return ps_error_errno(error, errno,
                              "%s: the shipped data-set manifests are not there; install potstill "
                              "again or set POTSTILL_SOURCE to its source tree",
                              folder);
    *manifests = ps_arena_array(arena, (size_t)found + 1, sizeof **manifests);
    PS_FAIL_DONE_IF_NULL(*manifests, error);
    for (int i = 0; i < found; i++)
        PS_TRY_DONE(read_manifest(folder, entries[i]->d_name, arena, &(*manifests)[i], error));
    *count = (size_t)found;
done:
    for (int i = 0; i < found; i++) free(entries[i]); /* scandir's, from malloc */
    free(entries);
    return status;
}

char *ps_dataset_folder(struct ps_arena *arena) {
    const char *data = getenv("POTSTILL_DATA"), *share = getenv("XDG_DATA_HOME");
    if (data && *data) return ps_arena_format(arena, "%s", data);
    if (share && *share) return ps_path_join(arena, share, "potstill");
    const char *home = getenv("HOME");
    return ps_arena_format(arena, "%s/.local/share/potstill", home ? home : "");
}

enum ps_status ps_dataset_manifest_source(const struct ps_dataset_manifest *manifest,
                                          const struct ps_dataset_split *split,
                                          struct ps_arena *arena, struct ps_dataset_source *source,
                                          bool *present, struct ps_error *error) {
    static const char *const endings[] = {"", ".gz", ".zst"};
    *source = (struct ps_dataset_source){.dataset = manifest->name,
                                         .split = split->name,
                                         .test = split->test,
                                         .about = manifest->about,
                                         .licence = manifest->licence,
                                         .origin = manifest->origin,
                                         .prompt = manifest->prompt,
                                         .profile = manifest->profile,
                                         .sha256_declared = split->sha256 != NULL};
    if (split->sha256) memcpy(source->sha256, split->sha256, 64);
    *present = !split->file;
    if (!split->file) return PS_OK;
    const char *folder = ps_dataset_folder(arena);
    PS_FAIL_IF_NULL(folder, error);
    const char *plain = ps_path_join(arena, folder, split->file);
    PS_FAIL_IF_NULL(plain, error);
    source->path = plain;
    for (int i = 0; i < 3 && !*present; i++) {
        const char *path = ps_arena_format(arena, "%s%s", plain, endings[i]);
        PS_FAIL_IF_NULL(path, error);
        *present = ps_file_exists(path);
        if (*present) source->path = path;
    }
    return PS_OK;
}
