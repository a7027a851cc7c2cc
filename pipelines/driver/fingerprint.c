/* Fingerprints: what a stage's result depends on, as one canonical JSON text, and its SHA-256.
 *
 *     {"date", "inputs": {id: fingerprint}, "kind", "limit", "references": {"model base": hash},
 *      "results": {id: hash}, "seed", "settings": {...}}
 *
 * A reference's hash covers what the name stands for: a prompt's resolved text and shots; a model
 * folder's files, a served model's name, a config with its tokenizer and seed; a data set's
 * definition, its file, and the sets it is made of; a template's text, whatever its file is called.
 * `results` has what inputs made of a store, which their settings alone do not say; it is known
 * when they have run. The text is kept as stage.json in the stage's directory, where the plan finds
 * out what has changed. */
#include "pipelines/driver/driver_internal.h"

#include "base/file.h"
#include "base/hash.h"
#include "hub/hub.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

struct fingerprinter {
    struct ps_pipeline *pipeline;
    json_t *references; /* "kind name" -> hash; a name that is used twice stands once */
    size_t depth;       /* data sets that lead to data sets */
    struct ps_dataset_catalog *catalog; /* for shipped data sets */
};

static enum ps_status reference_hash(struct fingerprinter *from, const struct ps_setting *setting,
                                     const char *name, const struct ps_yaml_node *node,
                                     struct ps_hash *hash, struct ps_error *error);

/* ---- model folders ---- */

static bool is_model_file(const char *name) {
    static const char *const ends[] = {".safetensors", ".json", ".jinja", ".model"};
    size_t size = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t end = strlen(ends[i]);
        if (size > end && strcmp(name + size - end, ends[i]) == 0) return true;
    }
    return false;
}

static int select_model_file(const struct dirent *entry) {
    return is_model_file(entry->d_name);
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum ps_status folder_hash(struct ps_pipeline *pipeline, const char *path,
                                  struct ps_hash *hash, struct ps_error *error) {
    struct dirent **entries;
    int count = scandir(path, &entries, select_model_file, by_bytes);
    PS_FAIL_IF(count < 0, error, PS_NOT_FOUND, "there is no model folder '%s'", path);
    enum ps_status status = PS_OK;
    struct ps_hash_state *state = ps_hash_begin();
    if (!state) status = ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK && count == 0)
        status = ps_error_set(error, PS_NOT_FOUND, "the folder '%s' holds no model", path);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char *file = ps_path_join(&pipeline->arena, path, name);
        struct ps_hash file_hash;
        if (status == PS_OK && !file) status = ps_error_set(error, PS_MEMORY, "out of memory");
        if (status == PS_OK) status = ps_hash_file_cached(file, &file_hash, error);
        if (status == PS_OK) {
            ps_hash_update_field(state, name, strlen(name));
            ps_hash_update_field(state, file_hash.bytes, sizeof file_hash.bytes);
        }
        free(entries[i]);
    }
    free(entries);
    if (state) *hash = ps_hash_end(state);
    return status;
}

/* ---- references ---- */

static void write_hash(struct ps_json_writer *writer, const struct ps_hash *hash) {
    char hex[PS_HASH_HEX_SIZE];
    ps_json_write_string(writer, ps_hash_hex(hash, hex));
}

static enum ps_status write_reference(void *context, const struct ps_setting *setting,
                                      const char *name, const struct ps_yaml_node *node,
                                      struct ps_error *error) {
    struct fingerprinter *from = context;
    struct ps_hash hash;
    if (strcmp(setting->refers, "model") == 0 && !ps_pipeline_model(from->pipeline, name))
        return PS_OK; /* a stage's: one of the inputs */
    PS_TRY(reference_hash(from, setting, name, node, &hash, error));
    bool template = strcmp(setting->refers, "template") == 0; /* its path does not count */
    char *key = template ? ps_arena_format(&from->pipeline->arena, "template")
                         : ps_arena_format(&from->pipeline->arena, "%s %s", setting->refers, name);
    char hex[PS_HASH_HEX_SIZE];
    PS_FAIL_IF(!key || json_object_set_new(from->references, key,
                                           json_string(ps_hash_hex(&hash, hex))) != 0,
               error, PS_MEMORY, "out of memory");
    return PS_OK;
}

/* Writes the object of all that the settings refer to. */
static enum ps_status write_references(struct ps_pipeline *pipeline, size_t depth,
                                       struct ps_dataset_catalog *catalog,
                                       const struct ps_settings *part,
                                       const struct ps_yaml_node *node,
                                       struct ps_json_writer *writer, struct ps_error *error) {
    struct fingerprinter from = {pipeline, json_object(), depth, catalog};
    PS_FAIL_IF_NULL(from.references, error);
    enum ps_status status =
        ps_settings_visit(part->table, part->values, node, write_reference, &from, error);
    if (status == PS_OK) ps_json_write_value(writer, from.references);
    json_decref(from.references);
    return status;
}

/* The hash of a section's settings and of what they refer to in turn. */
static enum ps_status section_hash(struct fingerprinter *from,
                                   const struct ps_settings_table *table, void *values,
                                   const struct ps_yaml_node *node, const struct ps_hash *extra,
                                   struct ps_hash *hash, struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    struct ps_settings part = {table, values};
    ps_buffer_init(&text, 16 << 20);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_array(&writer);
    ps_settings_write(&part, 1, true, &writer);
    if (extra) write_hash(&writer, extra);
    enum ps_status status = write_references(from->pipeline, from->depth + 1, from->catalog, &part,
                                             node, &writer, error);
    ps_json_write_end_array(&writer);
    if (status == PS_OK) status = ps_json_writer_end(&writer, error);
    if (status == PS_OK) *hash = ps_hash_bytes(text.data, text.size);
    ps_buffer_release(&text);
    return status;
}

static const struct ps_table_entry *entry_of(const struct ps_table_map *map, const char *name) {
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->items[i].key, name) == 0) return &map->items[i];
    return NULL;
}

static enum ps_status model_hash(struct fingerprinter *from, const struct ps_table_entry *entry,
                                 struct ps_hash *hash, struct ps_error *error) {
    struct ps_pipeline_model *model = entry->values;
    struct ps_hash files;
    enum ps_status status = PS_OK;
    /* From here on `path` is the folder. */
    if (model->path) status = ps_hub_find(model->path, &from->pipeline->arena, &model->path, error);
    if (model->path && status == PS_OK)
        status = folder_hash(from->pipeline, model->path, &files, error);
    if (status != PS_OK) {
        const struct ps_yaml_node *node = ps_yaml_get(entry->node, "path");
        if (!error || !node) return status;
        return ps_error_prefix(error, "%s:%d:%d: model '%s'", node->file, node->line, node->column,
                               entry->key);
    }
    return section_hash(from, &ps_pipeline_model_table, entry->values, entry->node,
                        model->path ? &files : NULL, hash, error);
}

/* A shipped data set: its name, what its manifest adds to prompts and grading, and its file. One
 * whose file is not there fails in the stage's check, with where to get it. */
static enum ps_status shipped_hash(struct fingerprinter *from, const char *name,
                                   const struct ps_yaml_node *node, struct ps_hash *hash,
                                   struct ps_error *error) {
    const struct ps_dataset_listing *listings, *found = NULL;
    const char *names[256];
    size_t count, named = 0;
    PS_TRY(ps_dataset_list(from->catalog, &listings, &count, error));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(listings[i].name, name) == 0) found = &listings[i];
        if (named < 256) names[named++] = listings[i].name;
    }
    if (!found) {
        const char *nearest = ps_nearest(name, names, named);
        return ps_pipeline_fail(from->pipeline, node, error, "there is no data set '%s'%s%s%s",
                                name, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                                nearest ? "'?" : "");
    }
    struct ps_hash file = {0};
    if (found->present && found->source.path)
        PS_TRY(ps_hash_file_cached(found->source.path, &file, error));
    const char *texts[] = {name, found->source.prompt, found->source.profile};
    struct ps_hash_state *state = ps_hash_begin();
    PS_FAIL_IF_NULL(state, error);
    for (size_t i = 0; i < 3; i++)
        ps_hash_update_field(state, texts[i] ? texts[i] : "", texts[i] ? strlen(texts[i]) : 0);
    ps_hash_update_field(state, file.bytes, sizeof file.bytes);
    *hash = ps_hash_end(state);
    return PS_OK;
}

static enum ps_status reference_hash(struct fingerprinter *from, const struct ps_setting *setting,
                                     const char *name, const struct ps_yaml_node *node,
                                     struct ps_hash *hash, struct ps_error *error) {
    struct ps_pipeline *pipeline = from->pipeline;
    struct ps_pipeline_values *values = &pipeline->values;
    const struct ps_table_entry *entry;
    if (from->depth > 64)
        return ps_pipeline_fail(pipeline, node, error, "'%s' is made of itself", name);
    if (strcmp(setting->refers, "model") == 0)
        return model_hash(from, entry_of(&values->models, name), hash, error);
    bool template = strcmp(setting->refers, "template") == 0;
    if (template && (strcmp(name, "chatml") == 0 || strcmp(name, "none") == 0)) {
        *hash = ps_hash_bytes(name, strlen(name));
        return PS_OK;
    }
    if (template || strcmp(setting->refers, "file") == 0) {
        if (ps_hash_file_cached(name, hash, error) == PS_OK) return PS_OK;
        if (!node || !error) return error ? error->status : PS_NOT_FOUND;
        return ps_error_prefix(error, "%s:%d:%d", node->file, node->line, node->column);
    }
    bool prompt = strcmp(setting->refers, "prompt") == 0;
    entry = entry_of(prompt ? &values->prompts : &values->datasets, name);
    if (entry)
        return section_hash(from, prompt ? &ps_pipeline_prompt_table : &ps_pipeline_dataset_table,
                            entry->values, entry->node, NULL, hash, error);
    return shipped_hash(from, name, node, hash, error);
}

/* ---- stages ---- */

/* The `hash` of an input's result.json, if it is done and has one. */
static enum ps_status write_result(struct ps_pipeline *pipeline, const struct ps_stage *input,
                                   struct ps_json_writer *writer, struct ps_error *error) {
    const char *hash;
    json_t *result;
    if (!ps_stage_is_done(input)) return PS_OK;
    char *path = ps_path_join(&pipeline->arena, input->directory, "result.json");
    PS_FAIL_IF_NULL(path, error);
    if (!ps_file_exists(path)) return PS_OK;
    PS_TRY(ps_json_read_file(path, 64 << 20, &result, error));
    enum ps_status status = ps_json_string_or(result, "hash", "", &hash, error);
    if (status == PS_OK && *hash) ps_json_put_string(writer, input->id, hash);
    json_decref(result);
    return status;
}

enum ps_status ps_pipeline_catalog(struct ps_pipeline *pipeline, struct ps_error *error) {
    struct ps_dataset_spec *specs;
    size_t count;
    if (pipeline->catalog) return PS_OK;
    PS_TRY(ps_pipeline_dataset_specs(pipeline, &pipeline->arena, &specs, &count, error));
    uint64_t seed = (uint64_t)pipeline->values.seed;
    if (ps_dataset_catalog_open(&pipeline->catalog, specs, count, seed, error) == PS_OK)
        return PS_OK;
    return error ? ps_error_prefix(error, "%s", pipeline->path) : PS_ARGUMENT;
}

enum ps_status ps_stage_identity(struct ps_pipeline *pipeline, const struct ps_stage *stage,
                                 struct ps_buffer *text, struct ps_error *error) {
    struct ps_json_writer writer;
    PS_TRY(ps_pipeline_catalog(pipeline, error));
    struct ps_settings part = {stage->kind->settings, (void *)stage->settings};
    ps_json_writer_begin(&writer, text);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "date", pipeline->values.date);
    ps_json_write_key(&writer, "inputs");
    ps_json_write_begin_object(&writer);
    for (size_t i = 0; i < stage->input_count; i++) {
        ps_json_put_string(&writer, stage->inputs[i]->id, stage->inputs[i]->fingerprint);
    }
    ps_json_write_end_object(&writer);
    ps_json_put_string(&writer, "kind", stage->kind->name);
    ps_json_put_integer(&writer, "limit", pipeline->limit);
    ps_json_write_key(&writer, "references");
    PS_TRY(write_references(pipeline, 0, pipeline->catalog, &part, stage->node, &writer, error));
    ps_json_write_key(&writer, "results");
    ps_json_write_begin_object(&writer);
    for (size_t i = 0; i < stage->input_count; i++)
        PS_TRY(write_result(pipeline, stage->inputs[i], &writer, error));
    ps_json_write_end_object(&writer);
    ps_json_put_integer(&writer, "seed", pipeline->values.seed);
    ps_json_write_key(&writer, "settings");
    ps_settings_write(&part, 1, true, &writer);
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
}

enum ps_status ps_pipeline_fingerprint(struct ps_pipeline *pipeline, struct ps_error *error) {
    struct ps_buffer text;
    enum ps_status status = PS_OK;
    ps_buffer_init(&text, 64 << 20);
    for (size_t i = 0; status == PS_OK && i < pipeline->stage_count; i++) {
        struct ps_stage *stage = &pipeline->stages[i];
        text.size = 0;
        status = ps_stage_identity(pipeline, stage, &text, error);
        if (status != PS_OK) break;
        struct ps_hash hash = ps_hash_bytes(text.data, text.size);
        ps_hash_hex(&hash, stage->fingerprint);
        stage->directory = ps_arena_format(&pipeline->arena, "%s/%s-%.12s", pipeline->run_directory,
                                           stage->id, stage->fingerprint);
        if (!stage->directory) status = ps_error_set(error, PS_MEMORY, "out of memory");
    }
    ps_buffer_release(&text);
    return status;
}
