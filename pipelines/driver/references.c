/* Names in a pipeline: models, prompts and data sets that stages and sections refer to. */
#include "pipelines/driver/driver_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- walking over the settings that refer to something ---- */

static const struct ps_yaml_node *item_node(const struct ps_yaml_node *list, const char *name) {
    if (!list || list->kind == PS_YAML_SCALAR) return list;
    for (const struct ps_yaml_node *item = list->first; item; item = item->next) {
        if (item->key && strcmp(item->key->text, name) == 0) return item->key;
        if (item->kind == PS_YAML_SCALAR && strcmp(item->text, name) == 0) return item;
    }
    return list;
}

enum ps_status ps_settings_visit(const struct ps_settings_table *table, const void *values,
                                 const struct ps_yaml_node *node, ps_reference_visitor *visit,
                                 void *context, struct ps_error *error) {
    for (size_t i = 0; i < table->count; i++) {
        const struct ps_setting *setting = &table->items[i];
        const void *member = (const char *)values + setting->offset;
        const struct ps_yaml_node *at = ps_yaml_get(node, setting->key);
        if (setting->type == PS_SETTING_TABLE)
            PS_TRY(ps_settings_visit(setting->table, member, at, visit, context, error));
        if (!setting->refers) continue;
        const struct ps_strings *strings = member;
        const struct ps_string_map *string_map = member;
        const struct ps_number_map *number_map = member;
        const char *one = setting->type == PS_SETTING_STRING ? *(const char *const *)member : NULL;
        if (one) PS_TRY(visit(context, setting, one, at, error));
        for (size_t j = 0; setting->type == PS_SETTING_STRINGS && j < strings->count; j++)
            PS_TRY(visit(context, setting, strings->items[j], item_node(at, strings->items[j]),
                         error));
        for (size_t j = 0; setting->type == PS_SETTING_STRING_MAP && j < string_map->count; j++)
            PS_TRY(visit(context, setting, string_map->items[j].value,
                         item_node(at, string_map->items[j].value), error));
        for (size_t j = 0; setting->type == PS_SETTING_NUMBER_MAP && j < number_map->count; j++)
            PS_TRY(visit(context, setting, number_map->items[j].key,
                         item_node(at, number_map->items[j].key), error));
    }
    return PS_OK;
}

/* ---- checking them ---- */

struct check {
    struct ps_pipeline *pipeline;
    struct ps_stage *stage;
};

enum ps_status ps_pipeline_unknown_name(const struct ps_pipeline *pipeline, const char *what,
                                        const struct ps_table_map *known, const char *name,
                                        const struct ps_yaml_node *node, struct ps_error *error) {
    const char *names[256];
    size_t count = 0;
    for (; count < known->count && count < 256; count++) names[count] = known->items[count].key;
    for (size_t i = 0; known == &pipeline->values.models && i < pipeline->stage_count; i++)
        if (pipeline->stages[i].kind->makes_model && count < 256)
            names[count++] = pipeline->stages[i].id;
    const char *nearest = ps_nearest(name, names, count);
    if (nearest)
        return ps_pipeline_fail(pipeline, node, error, "there is no %s '%s'; did you mean '%s'?",
                                what, name, nearest);
    return ps_pipeline_fail(pipeline, node, error, "there is no %s '%s'", what, name);
}

const struct ps_stage *ps_pipeline_model_stage(const struct ps_pipeline *pipeline,
                                               const char *name) {
    size_t size = strcspn(name, "@");
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        const struct ps_stage *stage = &pipeline->stages[i];
        if (stage->kind->makes_model && strlen(stage->id) == size &&
            strncmp(stage->id, name, size) == 0)
            return stage;
    }
    return NULL;
}

static enum ps_status check_model(struct check *check, const char *name,
                                  const struct ps_yaml_node *node, struct ps_error *error) {
    struct ps_pipeline *pipeline = check->pipeline;
    if (ps_pipeline_model(pipeline, name)) return PS_OK;
    const struct ps_stage *stage = ps_pipeline_model_stage(pipeline, name);
    if (!stage)
        return ps_pipeline_unknown_name(pipeline, "model", &pipeline->values.models, name, node,
                                        error);
    if (stage >= check->stage)
        return ps_pipeline_fail(pipeline, node, error,
                                "the model '%s' is made by a later stage, in line %d", name,
                                stage->node->key->line);
    return ps_stage_add_input(pipeline, check->stage, stage, error);
}

static enum ps_status check_name(void *context, const struct ps_setting *setting, const char *name,
                                 const struct ps_yaml_node *node, struct ps_error *error) {
    struct check *check = context;
    struct ps_pipeline *pipeline = check->pipeline;
    if (strcmp(setting->refers, "model") == 0) return check_model(check, name, node, error);
    if (strcmp(setting->refers, "prompt") == 0 && !ps_pipeline_prompt(pipeline, name))
        return ps_pipeline_unknown_name(pipeline, "prompt", &pipeline->values.prompts, name, node,
                                        error);
    return PS_OK; /* data sets may be shipped ones: the catalog knows them */
}

enum ps_status ps_pipeline_check_references(struct ps_pipeline *pipeline, struct ps_stage *stage,
                                            struct ps_error *error) {
    struct check check = {pipeline, stage};
    return ps_settings_visit(stage->kind->settings, stage->settings, stage->node, check_name,
                             &check, error);
}

/* ---- weights of steps ---- */

/* The N of "ID@N"; 0: no such reference. */
static int64_t step_of(const char *name) {
    const char *at = strchr(name, '@');
    char *end;
    if (!at || !isdigit((unsigned char)at[1])) return 0;
    int64_t step = strtoll(at + 1, &end, 10);
    return *end ? 0 : step;
}

struct steps {
    const struct ps_pipeline *pipeline;
    const struct ps_stage *stage;
    int64_t *items; /* NULL: only count */
    size_t count;
};

static enum ps_status add_step(void *context, const struct ps_setting *setting, const char *name,
                               const struct ps_yaml_node *node, struct ps_error *error) {
    struct steps *steps = context;
    (void)node, (void)error;
    if (strcmp(setting->refers, "model") != 0 || step_of(name) == 0 ||
        ps_pipeline_model(steps->pipeline, name) ||
        ps_pipeline_model_stage(steps->pipeline, name) != steps->stage)
        return PS_OK;
    for (size_t i = 0; steps->items && i < steps->count; i++)
        if (steps->items[i] == step_of(name)) return PS_OK;
    if (steps->items) steps->items[steps->count] = step_of(name);
    steps->count++;
    return PS_OK;
}

static enum ps_status visit_steps(struct steps *steps, struct ps_error *error) {
    steps->count = 0;
    for (size_t i = 0; i < steps->pipeline->stage_count; i++) {
        const struct ps_stage *stage = &steps->pipeline->stages[i];
        PS_TRY(ps_settings_visit(stage->kind->settings, stage->settings, stage->node, add_step,
                                 steps, error));
    }
    return PS_OK;
}

enum ps_status ps_pipeline_model_steps(const struct ps_pipeline *pipeline,
                                       const struct ps_stage *stage, struct ps_arena *arena,
                                       int64_t **items, size_t *count, struct ps_error *error) {
    struct steps steps = {.pipeline = pipeline, .stage = stage};
    PS_TRY(visit_steps(&steps, error));
    steps.items = *items = ps_arena_array(arena, steps.count + 1, sizeof **items);
    PS_FAIL_IF_NULL(*items, error);
    PS_TRY(visit_steps(&steps, error));
    *count = steps.count;
    return PS_OK;
}

/* ---- what a name stands for ---- */

enum ps_status ps_pipeline_resolve_model(const struct ps_pipeline *pipeline, const char *name,
                                         struct ps_arena *arena,
                                         struct ps_model_reference *reference,
                                         struct ps_error *error) {
    *reference = (struct ps_model_reference){.name = name};
    reference->model = ps_pipeline_model(pipeline, name);
    if (reference->model) {
        reference->path = reference->model->path;
        return PS_OK;
    }
    reference->stage = ps_pipeline_model_stage(pipeline, name);
    PS_FAIL_IF(!reference->stage, error, PS_ARGUMENT, "there is no model '%s'", name);
    const char *at = strchr(name, '@');
    if (reference->stage->directory)
        reference->path = ps_arena_format(arena, "%s/model%s%s", reference->stage->directory,
                                          at ? "-" : "", at ? at + 1 : "");
    PS_FAIL_IF(reference->stage->directory && !reference->path, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

enum ps_status ps_pipeline_dataset_specs(const struct ps_pipeline *pipeline, struct ps_arena *arena,
                                         struct ps_dataset_spec **specs, size_t *count,
                                         struct ps_error *error) {
    const struct ps_table_map *map = &pipeline->values.datasets;
    *count = map->count;
    *specs = ps_arena_array(arena, map->count + 1, sizeof **specs);
    PS_FAIL_IF_NULL(*specs, error);
    for (size_t i = 0; i < map->count; i++) {
        const struct ps_pipeline_dataset *set = map->items[i].values;
        struct ps_dataset_part *parts = ps_arena_array(arena, set->mix.count + 1, sizeof *parts);
        PS_FAIL_IF_NULL(parts, error);
        for (size_t j = 0; j < set->mix.count; j++)
            parts[j] = (struct ps_dataset_part){set->mix.items[j].key, set->mix.items[j].value};
        (*specs)[i] = (struct ps_dataset_spec){
            .name = map->items[i].key,
            .file = set->file,
            .question = set->question,
            .answer = set->answer,
            .solution = set->solution,
            .id = set->id,
            .level = set->level,
            .subject = set->subject,
            .gold = (enum ps_dataset_gold)set->gold,
            .profile = set->profile,
            .prompt = set->prompt,
            .test = set->test,
            .mix = parts,
            .mix_count = set->mix.count,
            .from = set->from,
            .generator = set->generator,
            .seed = (uint64_t)set->seed,
            .count = (uint64_t)set->count,
            .sample = (uint64_t)set->sample,
            .decontaminate = set->decontaminate.items,
            .decontaminate_count = set->decontaminate.count,
        };
    }
    return PS_OK;
}
