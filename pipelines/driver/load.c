/* Reads a pipeline file: YAML through the settings tables, then --set, then names. */
#include "pipelines/driver/driver_internal.h"

#include "base/date.h"
#include "base/file.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum ps_status ps_pipeline_fail(const struct ps_pipeline *pipeline, const struct ps_yaml_node *node,
                                struct ps_error *error, const char *format, ...) {
    char message[800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (node) return ps_yaml_fail(node, error, "%s", message);
    return ps_error_set(error, PS_FORMAT, "%s: %s", pipeline->path, message);
}

bool ps_is_plain_name(const char *name) {
    if (!isalnum((unsigned char)name[0])) return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c)) return false;
    return strlen(name) <= 80;
}

static void *find_entry(const struct ps_table_map *map, const char *name) {
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->items[i].key, name) == 0) return map->items[i].values;
    return NULL;
}

const struct ps_pipeline_prompt *ps_pipeline_prompt(const struct ps_pipeline *pipeline,
                                                    const char *name) {
    return find_entry(&pipeline->values.prompts, name);
}

const struct ps_pipeline_model *ps_pipeline_model(const struct ps_pipeline *pipeline,
                                                  const char *name) {
    return find_entry(&pipeline->values.models, name);
}

const struct ps_stage *ps_pipeline_stage(const struct ps_pipeline *pipeline, const char *id) {
    for (size_t i = 0; i < pipeline->stage_count; i++)
        if (strcmp(pipeline->stages[i].id, id) == 0) return &pipeline->stages[i];
    return NULL;
}

/* ---- stages ---- */

struct stage_parts {
    struct ps_settings parts[2]; /* id and needs; the kind's own */
};

static enum ps_status unknown_kind(const struct ps_pipeline *pipeline,
                                   const struct ps_yaml_node *key, struct ps_error *error) {
    const char *names[64];
    size_t count = 0;
    for (; ps_stage_kinds[count] && count < 64; count++) names[count] = ps_stage_kinds[count]->name;
    const char *nearest = ps_nearest(key->text, names, count);
    if (nearest)
        return ps_pipeline_fail(pipeline, key, error, "unknown stage '%s'; did you mean '%s'?",
                                key->text, nearest);
    return ps_pipeline_fail(pipeline, key, error, "unknown stage '%s'", key->text);
}

static enum ps_status read_stage(struct ps_pipeline *pipeline, const struct ps_yaml_node *item,
                                 struct ps_stage *stage, struct stage_parts *parts,
                                 struct ps_error *error) {
    if (item->kind != PS_YAML_MAPPING || item->count != 1)
        return ps_pipeline_fail(pipeline, item, error, "a stage is written '- kind: {settings}'");
    const struct ps_yaml_node *node = item->first;
    stage->kind = ps_stage_kind_find(node->key->text);
    if (!stage->kind) return unknown_kind(pipeline, node->key, error);
    struct ps_arena *arena = &pipeline->arena;
    stage->node = node;
    PS_TRY(ps_settings_new(&ps_stage_common_table, &parts->parts[0], arena, error));
    PS_TRY(ps_settings_new(stage->kind->settings, &parts->parts[1], arena, error));
    stage->settings = parts->parts[1].values;
    struct ps_settings named[2] = {parts->parts[1], parts->parts[0]}; /* messages name the kind */
    PS_TRY(ps_settings_read(named, 2, node, arena, error));
    const struct ps_stage_common *common = parts->parts[0].values;
    stage->id = common->id ? common->id : stage->kind->name;
    if (!ps_is_plain_name(stage->id))
        return ps_pipeline_fail(pipeline, ps_yaml_get(node, "id"), error,
                                "the id '%s' must be letters, digits, '.', '_' and '-'", stage->id);
    const struct ps_stage *twin = ps_pipeline_stage(pipeline, stage->id);
    if (twin)
        return ps_pipeline_fail(pipeline, common->id ? ps_yaml_get(node, "id") : node->key, error,
                                "the stage of line %d is called '%s' too; give one an id",
                                twin->node->key->line, stage->id);
    if (stage->kind->makes_model && ps_pipeline_model(pipeline, stage->id))
        return ps_pipeline_fail(pipeline, node->key, error,
                                "'%s' names one of the models already; give the stage another id",
                                stage->id);
    return PS_OK;
}

static enum ps_status read_stages(struct ps_pipeline *pipeline, struct stage_parts **parts,
                                  struct ps_error *error) {
    const struct ps_yaml_node *list = pipeline->values.stages;
    if (list->kind != PS_YAML_SEQUENCE || list->count == 0)
        return ps_pipeline_fail(pipeline, list, error, "'stages' is %s, not a list of stages",
                                list->count ? ps_yaml_kind_text(list) : "empty");
    pipeline->stages = ps_arena_array(&pipeline->arena, list->count, sizeof *pipeline->stages);
    *parts = ps_arena_array(&pipeline->arena, list->count, sizeof **parts);
    PS_FAIL_IF(!pipeline->stages || !*parts, error, PS_MEMORY, "out of memory");
    for (const struct ps_yaml_node *item = list->first; item; item = item->next) {
        size_t index = pipeline->stage_count;
        PS_TRY(read_stage(pipeline, item, &pipeline->stages[index], &(*parts)[index], error));
        pipeline->stage_count++;
    }
    return PS_OK;
}

enum ps_status ps_stage_add_input(struct ps_pipeline *pipeline, struct ps_stage *stage,
                                  const struct ps_stage *input, struct ps_error *error) {
    for (size_t i = 0; i < stage->input_count; i++)
        if (stage->inputs[i] == input) return PS_OK;
    if (!stage->inputs)
        stage->inputs =
            ps_arena_array(&pipeline->arena, pipeline->stage_count, sizeof *stage->inputs);
    PS_FAIL_IF_NULL(stage->inputs, error);
    stage->inputs[stage->input_count++] = input;
    return PS_OK;
}

static enum ps_status link_inputs(struct ps_pipeline *pipeline, struct ps_stage *stage,
                                  const struct ps_stage_common *common, struct ps_error *error) {
    for (size_t i = 0; i < common->needs.count; i++) {
        const struct ps_stage *input = ps_pipeline_stage(pipeline, common->needs.items[i]);
        if (!input || input >= stage)
            return ps_pipeline_fail(pipeline, ps_yaml_get(stage->node, "needs"), error,
                                    "'%s' is no earlier stage", common->needs.items[i]);
        PS_TRY(ps_stage_add_input(pipeline, stage, input, error));
    }
    bool given = common->needs.count > 0 || ps_yaml_get(stage->node, "needs");
    for (const struct ps_stage *input = pipeline->stages; !given && input < stage; input++)
        for (const char *const *kind = stage->kind->consumes; kind && *kind; kind++)
            if (strcmp(*kind, input->kind->name) == 0)
                PS_TRY(ps_stage_add_input(pipeline, stage, input, error));
    return ps_pipeline_check_references(pipeline, stage, error);
}

/* ---- --set key=value ---- */

static enum ps_status apply_set(struct ps_pipeline *pipeline, const char *text, bool to_stages,
                                struct stage_parts *parts, struct ps_error *error) {
    char place[400], key[200];
    const char *equals = strchr(text, '=');
    PS_FAIL_IF(!equals || (size_t)(equals - text) >= sizeof key, error, PS_ARGUMENT,
               "--set %s: write --set key=value", text);
    snprintf(place, sizeof place, "--set %s", text);
    snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    const struct ps_yaml_node *list = pipeline->values.stages;
    for (const struct ps_yaml_node *item = list && list->kind == PS_YAML_SEQUENCE ? list->first
                                                                                  : NULL;
         item; item = item->next) {
        /* Before the stages are read their names are known from the file alone. */
        const struct ps_yaml_node *node = item->kind == PS_YAML_MAPPING ? item->first : NULL;
        if (!node) continue;
        const struct ps_yaml_node *id = ps_yaml_get(node, "id");
        const char *name = id && id->text ? id->text : node->key->text;
        size_t size = strlen(name);
        if (strncmp(key, name, size) != 0 || key[size] != '.') continue;
        if (!to_stages) return PS_OK;
        size_t index = 0;
        while (strcmp(pipeline->stages[index].id, name) != 0) index++;
        return ps_settings_set(&parts[index].parts[1], 1, place, key + size + 1, equals + 1, false,
                               &pipeline->arena, error);
    }
    struct ps_settings top = {&ps_pipeline_table, &pipeline->values};
    if (to_stages) return PS_OK;
    return ps_settings_set(&top, 1, place, key, equals + 1, false, &pipeline->arena, error);
}

/* ---- prompts ---- */

/* What a prompt leaves out comes from the one it extends, that one resolved first. */
static enum ps_status resolve_extends(struct ps_pipeline *pipeline, struct ps_table_entry *entry,
                                      size_t depth, struct ps_error *error) {
    struct ps_pipeline_prompt *prompt = entry->values;
    if (!prompt->extends) return PS_OK;
    const struct ps_yaml_node *node = ps_yaml_get(entry->node, "extends");
    struct ps_table_map *prompts = &pipeline->values.prompts;
    struct ps_table_entry *base = NULL;
    for (size_t i = 0; i < prompts->count; i++)
        if (strcmp(prompts->items[i].key, prompt->extends) == 0) base = &prompts->items[i];
    if (!base)
        return ps_pipeline_unknown_name(pipeline, "prompt", prompts, prompt->extends, node, error);
    if (depth > prompts->count)
        return ps_pipeline_fail(pipeline, node, error, "the prompt '%s' extends itself, by '%s'",
                                entry->key, prompt->extends);
    PS_TRY(resolve_extends(pipeline, base, depth + 1, error));
    const struct ps_pipeline_prompt *from = base->values;
    prompt->extends = NULL; /* done */
    if (!prompt->user) prompt->user = from->user;
    if (!prompt->system) prompt->system = from->system;
    if (!prompt->prefill) prompt->prefill = from->prefill;
    if (!prompt->template) prompt->template = from->template;
    if (prompt->thinking < 0) prompt->thinking = from->thinking;
    if (!prompt->shots.dataset) prompt->shots = from->shots;
    return PS_OK;
}

/* A template's file is looked for beside the pipeline first. */
static enum ps_status find_template(struct ps_pipeline *pipeline, const char **template,
                                    const struct ps_yaml_node *node, struct ps_error *error) {
    static const char *const names[] = {"chatml", "none"};
    if (!*template || strcmp(*template, "chatml") == 0 || strcmp(*template, "none") == 0)
        return PS_OK;
    const char *slash = strrchr(pipeline->path, '/');
    if (slash && **template != '/') {
        const char *beside = ps_arena_format(
            &pipeline->arena, "%.*s/%s", (int)(slash - pipeline->path), pipeline->path, *template);
        PS_FAIL_IF_NULL(beside, error);
        if (ps_file_exists(beside)) {
            *template = beside;
            return PS_OK;
        }
    }
    if (ps_file_exists(*template)) return PS_OK;
    const char *nearest = ps_nearest(*template, names, 2);
    return ps_pipeline_fail(pipeline, node, error, "there is no template '%s'; %s%s%s", *template,
                            nearest ? "did you mean '" : "it is a file, 'chatml' or 'none'",
                            nearest ? nearest : "", nearest ? "'?" : "");
}

static enum ps_status find_stage_templates(struct ps_pipeline *pipeline,
                                           const struct ps_stage *stage, struct ps_error *error) {
    const struct ps_settings_table *table = stage->kind->settings;
    for (size_t i = 0; i < table->count; i++)
        if (table->items[i].refers && strcmp(table->items[i].refers, "template") == 0)
            PS_TRY(find_template(pipeline,
                                 (const char **)((char *)stage->settings + table->items[i].offset),
                                 ps_yaml_get(stage->node, table->items[i].key), error));
    return PS_OK;
}

static enum ps_status check_prompts(struct ps_pipeline *pipeline, struct ps_error *error) {
    struct ps_table_map *prompts = &pipeline->values.prompts;
    for (size_t i = 0; i < prompts->count; i++)
        PS_TRY(resolve_extends(pipeline, &prompts->items[i], 0, error));
    for (size_t i = 0; i < prompts->count; i++) {
        struct ps_pipeline_prompt *prompt = prompts->items[i].values;
        const struct ps_yaml_node *node = prompts->items[i].node;
        bool count = prompt->shots.count != PS_UNSET_INTEGER;
        PS_TRY(find_template(pipeline, &prompt->template, ps_yaml_get(node, "template"), error));
        if (count != !!prompt->shots.dataset)
            return ps_pipeline_fail(pipeline, node, error,
                                    "the shots of '%s' want both 'dataset' and 'count'",
                                    prompts->items[i].key);
    }
    return PS_OK;
}

static enum ps_status check_models(struct ps_pipeline *pipeline, struct ps_error *error) {
    for (size_t i = 0; i < pipeline->values.models.count; i++) {
        const struct ps_table_entry *entry = &pipeline->values.models.items[i];
        const struct ps_pipeline_model *model = entry->values;
        if (!!model->path + !!model->url + !!model->config != 1)
            return ps_pipeline_fail(pipeline, entry->node, error,
                                    "the model '%s' wants one of 'path', 'url' and 'config'",
                                    entry->key);
        if (model->url && !model->name)
            return ps_pipeline_fail(pipeline, entry->node, error,
                                    "the model '%s' has a 'url' and wants a 'name'", entry->key);
        if (!!model->config != !!model->tokenizer)
            return ps_pipeline_fail(pipeline, entry->node, error,
                                    "the model '%s' wants both 'config' and 'tokenizer'",
                                    entry->key);
    }
    return PS_OK;
}

/* ---- shipped files ---- */

static enum ps_status find_shipped(struct ps_arena *arena, const char *folder, const char **path,
                                   struct ps_error *error) {
    if (!*path || ps_file_exists(*path) || ps_directory_exists(*path)) return PS_OK;
    const char *shipped = ps_path_join(arena, folder, *path);
    PS_FAIL_IF_NULL(shipped, error);
    if (ps_file_exists(shipped) || ps_directory_exists(shipped)) *path = shipped;
    return PS_OK;
}

static enum ps_status find_shipped_models(struct ps_pipeline *pipeline, const char *folder,
                                          struct ps_error *error) {
    for (size_t i = 0; i < pipeline->values.models.count; i++) {
        struct ps_pipeline_model *model = pipeline->values.models.items[i].values;
        PS_TRY(find_shipped(&pipeline->arena, folder, &model->path, error));
        PS_TRY(find_shipped(&pipeline->arena, folder, &model->config, error));
        PS_TRY(find_shipped(&pipeline->arena, folder, &model->tokenizer, error));
    }
    return PS_OK;
}

/* ---- the whole ---- */

/* A date left out is the day of the first run, which the run directory remembers. */
static enum ps_status resolve_date(struct ps_pipeline *pipeline, struct ps_error *error) {
    if (pipeline->values.date) {
        if (ps_date_is_valid(pipeline->values.date)) return PS_OK;
        return ps_pipeline_fail(pipeline, ps_yaml_get(pipeline->yaml.root, "date"), error,
                                "'date' is '%s', not a day as YYYY-MM-DD", pipeline->values.date);
    }
    char *path = ps_path_join(&pipeline->arena, pipeline->run_directory, "date");
    PS_FAIL_IF_NULL(path, error);
    struct ps_buffer kept;
    ps_buffer_init(&kept, 64);
    struct ps_error ignored;
    if (ps_file_exists(path) && ps_file_read(path, &kept, &ignored) == PS_OK) {
        kept.data[strcspn(kept.data, "\n")] = 0;
        if (ps_date_is_valid(kept.data))
            pipeline->values.date = ps_arena_format(&pipeline->arena, "%s", kept.data);
    }
    ps_buffer_release(&kept);
    if (pipeline->values.date) return PS_OK;
    char today[PS_DATE_SIZE];
    pipeline->values.date = ps_arena_format(&pipeline->arena, "%s", ps_date_today(today));
    PS_FAIL_IF_NULL(pipeline->values.date, error);
    return PS_OK;
}

static enum ps_status resolve_names(struct ps_pipeline *pipeline,
                                    const struct ps_pipeline_options *options,
                                    struct ps_error *error) {
    struct ps_pipeline_values *values = &pipeline->values;
    struct ps_arena *arena = &pipeline->arena;
    if (!ps_is_plain_name(values->name))
        return ps_pipeline_fail(pipeline, ps_yaml_get(pipeline->yaml.root, "name"), error,
                                "the name '%s' must be letters, digits, '.', '_' and '-'",
                                values->name);
    if (!values->store) values->store = ps_arena_format(arena, "traces/%s.db", values->name);
    const char *runs = options && options->runs ? options->runs : "runs";
    pipeline->limit = options ? options->limit : 0;
    const char *folder = pipeline->limit > 0 ? ps_arena_format(arena, "%s-limit-%lld", values->name,
                                                               (long long)pipeline->limit)
                                             : values->name;
    pipeline->run_directory = folder ? ps_path_join(arena, runs, folder) : NULL;
    PS_FAIL_IF(!values->store || !pipeline->run_directory, error, PS_MEMORY, "out of memory");
    return resolve_date(pipeline, error);
}

static enum ps_status load(struct ps_pipeline *pipeline, const char *path,
                           const struct ps_pipeline_options *options, struct ps_error *error) {
    struct ps_arena *arena = &pipeline->arena;
    struct ps_settings top = {&ps_pipeline_table, &pipeline->values};
    struct stage_parts *parts = NULL;
    pipeline->path = ps_arena_format(arena, "%s", path);
    PS_FAIL_IF_NULL(pipeline->path, error);
    PS_TRY(ps_yaml_read_file(&pipeline->yaml, path, error));
    PS_TRY(ps_settings_defaults(&ps_pipeline_table, &pipeline->values, arena, error));
    PS_TRY(ps_settings_read(&top, 1, pipeline->yaml.root, arena, error));
    size_t set_count = options ? options->set.count : 0;
    for (size_t i = 0; i < set_count; i++)
        PS_TRY(apply_set(pipeline, options->set.items[i], false, NULL, error));
    PS_TRY(ps_settings_require(&top, 1, path, error));
    PS_TRY(resolve_names(pipeline, options, error));
    PS_TRY(check_prompts(pipeline, error));
    PS_TRY(check_models(pipeline, error));
    if (options && options->shipped) PS_TRY(find_shipped_models(pipeline, options->shipped, error));
    PS_TRY(read_stages(pipeline, &parts, error));
    for (size_t i = 0; i < set_count; i++)
        PS_TRY(apply_set(pipeline, options->set.items[i], true, parts, error));
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        struct ps_stage *stage = &pipeline->stages[i];
        char place[600];
        snprintf(place, sizeof place, "%s:%d:%d: %s", pipeline->path, stage->node->key->line,
                 stage->node->key->column, stage->id);
        PS_TRY(ps_settings_require(parts[i].parts, 2, place, error));
        PS_TRY(find_stage_templates(pipeline, stage, error));
        PS_TRY(link_inputs(pipeline, stage, parts[i].parts[0].values, error));
    }
    return PS_OK;
}

enum ps_status ps_pipeline_load(struct ps_pipeline *pipeline, const char *path,
                                const struct ps_pipeline_options *options, struct ps_error *error) {
    *pipeline = (struct ps_pipeline){0};
    ps_arena_init(&pipeline->arena, (size_t)1 << 30);
    enum ps_status status = load(pipeline, path, options, error);
    if (status != PS_OK) ps_pipeline_close(pipeline);
    return status;
}

void ps_pipeline_close(struct ps_pipeline *pipeline) {
    ps_dataset_catalog_close(pipeline->catalog);
    pipeline->catalog = NULL;
    ps_yaml_release(&pipeline->yaml);
    ps_arena_release(&pipeline->arena);
    pipeline->stages = NULL;
    pipeline->stage_count = 0;
}
