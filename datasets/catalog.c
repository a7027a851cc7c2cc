/* The catalog: sets by name, made at their first use.
 *
 * A set is made in this order: rows from its file, generator, mix or parent; a mix loses repeated
 * questions; decontamination; `sample`; then each set that is declared `from` this one takes its
 * rows out, in the order of the declarations. What is left is the set. */
#include "base/settings.h"
#include "datasets/catalog_internal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { ARENA_LIMIT_BITS = 40, DEPTH_LIMIT = 64 };

/* ---- opening ---- */

static void copy_text(struct ps_arena *arena, const char **text) {
    if (*text) *text = ps_arena_strndup(arena, *text, strlen(*text));
}

/* Strings of a spec are copied; a failed copy shows as a text that was there and is not. */
static enum ps_status copy_spec(struct ps_arena *arena, struct ps_dataset_spec *spec,
                                struct ps_error *error) {
    const char **const texts[] = {&spec->name,   &spec->file,     &spec->question,
                                  &spec->answer, &spec->solution, &spec->id,
                                  &spec->level,  &spec->subject,  &spec->profile,
                                  &spec->prompt, &spec->from,     &spec->generator};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        bool given = *texts[i];
        copy_text(arena, texts[i]);
        PS_FAIL_IF(given && !*texts[i], error, PS_MEMORY, "out of memory");
    }
    struct ps_dataset_part *mix = ps_arena_array(arena, spec->mix_count + 1, sizeof *mix);
    const char **others = ps_arena_array(arena, spec->decontaminate_count + 1, sizeof *others);
    PS_FAIL_IF(!mix || !others, error, PS_MEMORY, "out of memory");
    for (size_t i = 0; i < spec->mix_count; i++) {
        mix[i] = spec->mix[i];
        copy_text(arena, &mix[i].name);
        PS_FAIL_IF_NULL(mix[i].name, error);
    }
    for (size_t i = 0; i < spec->decontaminate_count; i++) {
        others[i] = spec->decontaminate[i];
        copy_text(arena, &others[i]);
        PS_FAIL_IF_NULL(others[i], error);
    }
    spec->mix = mix;
    spec->decontaminate = others;
    return PS_OK;
}

static enum ps_status check_spec(const struct ps_dataset_spec *spec, struct ps_error *error) {
    int kinds = (spec->file != NULL) + (spec->mix_count > 0) + (spec->from != NULL) +
                (spec->generator != NULL);
    PS_FAIL_IF(!spec->name || !*spec->name, error, PS_ARGUMENT, "datasets: a set without a name");
    PS_FAIL_IF(kinds != 1, error, PS_ARGUMENT,
               "datasets: '%s' needs exactly one of file, mix, from and generator", spec->name);
    PS_FAIL_IF(spec->from && !spec->sample, error, PS_ARGUMENT,
               "datasets: '%s' has 'from: %s' without 'sample': how many rows it takes", spec->name,
               spec->from);
    PS_FAIL_IF(spec->gold > PS_DATASET_GOLD_BOXED, error, PS_ARGUMENT,
               "datasets: '%s' has an unknown way to read its gold", spec->name);
    for (size_t i = 0; i < spec->mix_count; i++) {
        PS_FAIL_IF(!(spec->mix[i].weight > 0) || !isfinite(spec->mix[i].weight), error, PS_ARGUMENT,
                   "datasets: '%s' mixes '%s' with weight %g; weights are above 0", spec->name,
                   spec->mix[i].name, spec->mix[i].weight);
        for (size_t j = 0; j < i; j++)
            PS_FAIL_IF(strcmp(spec->mix[i].name, spec->mix[j].name) == 0, error, PS_ARGUMENT,
                       "datasets: '%s' mixes '%s' twice", spec->name, spec->mix[i].name);
    }
    return PS_OK;
}

enum ps_status ps_dataset_catalog_open(struct ps_dataset_catalog **result,
                                       const struct ps_dataset_spec *specs, size_t count,
                                       uint64_t seed, struct ps_error *error) {
    enum ps_status status = PS_OK;
    *result = NULL;
    struct ps_dataset_catalog *catalog = ps_calloc(1, sizeof *catalog);
    PS_FAIL_IF_NULL(catalog, error);
    ps_arena_init(&catalog->arena, (size_t)1 << ARENA_LIMIT_BITS);
    catalog->seed = seed;
    struct ps_dataset_spec *copies = ps_arena_array(&catalog->arena, count + 1, sizeof *copies);
    PS_FAIL_DONE_IF_NULL(copies, error);
    catalog->specs = copies;
    catalog->spec_count = count;
    for (size_t i = 0; i < count; i++) {
        PS_TRY_DONE(check_spec(&specs[i], error));
        for (size_t j = 0; j < i; j++)
            PS_FAIL_DONE_IF(strcmp(specs[i].name, specs[j].name) == 0, error, PS_ARGUMENT,
                            "datasets: two sets are called '%s'", specs[i].name);
        copies[i] = specs[i];
        PS_TRY_DONE(copy_spec(&catalog->arena, &copies[i], error));
    }
    *result = catalog;
    catalog = NULL;
done:
    ps_dataset_catalog_close(catalog);
    return status;
}

void ps_dataset_catalog_close(struct ps_dataset_catalog *catalog) {
    if (!catalog) return;
    for (struct ps_dataset_node *node = catalog->nodes; node; node = node->next)
        ps_dataset_rows_release(&node->rows);
    ps_arena_release(&catalog->arena);
    ps_free(catalog);
}

enum ps_status ps_dataset_need_manifests(struct ps_dataset_catalog *catalog,
                                         struct ps_error *error) {
    if (catalog->manifests_read) return PS_OK;
    PS_TRY(ps_dataset_manifests(&catalog->arena, &catalog->manifests, &catalog->manifest_count,
                                error));
    catalog->manifests_read = true;
    return PS_OK;
}

/* ---- making a set ---- */

static enum ps_status decontaminate(struct ps_dataset_catalog *catalog,
                                    struct ps_dataset_node *node, struct ps_error *error) {
    size_t count = node->spec->decontaminate_count;
    const struct ps_dataset **others = ps_arena_array(&catalog->arena, count, sizeof *others);
    PS_FAIL_IF_NULL(others, error);
    for (size_t i = 0; i < count; i++) {
        struct ps_dataset_node *other;
        PS_TRY(ps_dataset_node(catalog, node->spec->decontaminate[i], &other, error));
        others[i] = &other->set;
    }
    return ps_dataset_decontaminate(&node->rows, others, count, &catalog->arena, &node->set.drops,
                                    &node->set.drop_count, error);
}

static enum ps_status sample(struct ps_dataset_catalog *catalog, const char *name, uint64_t wanted,
                             const char *of, struct ps_dataset_rows *rows,
                             struct ps_dataset_rows *rest, struct ps_error *error) {
    PS_FAIL_IF(wanted > rows->count, error, PS_ARGUMENT,
               "datasets: '%s' samples %" PRIu64 " rows, but %s has %zu", name, wanted, of,
               rows->count);
    return ps_dataset_sample(rows, (size_t)wanted, catalog->seed, name, rest, error);
}

static enum ps_status new_node(struct ps_dataset_catalog *catalog, const char *name,
                               struct ps_dataset_node **result, struct ps_error *error) {
    struct ps_dataset_node *node = ps_arena_alloc(&catalog->arena, sizeof *node);
    PS_FAIL_IF_NULL(node, error);
    node->set.name = ps_arena_strndup(&catalog->arena, name, strlen(name));
    PS_FAIL_IF_NULL(node->set.name, error);
    node->next = catalog->nodes;
    catalog->nodes = node;
    *result = node;
    return PS_OK;
}

/* Whether a name means this node: "math500" is "math500/test" where there is one split. */
static bool means(const struct ps_dataset_node *node, const char *name) {
    if (strcmp(node->set.name, name) == 0) return true;
    if (node->spec || node->manifest->split_count != 1) return false;
    size_t size = strlen(node->manifest->name);
    if (strncmp(name, node->manifest->name, size) != 0) return false;
    return !name[size] || (name[size] == '/' && strcmp(name + size + 1, node->split->name) == 0);
}

/* The node of a spec, or of a shipped set when there is none. */
static struct ps_dataset_node *known_node(struct ps_dataset_catalog *catalog,
                                          const struct ps_dataset_spec *spec, const char *name) {
    for (struct ps_dataset_node *node = catalog->nodes; node; node = node->next)
        if (node->spec == spec && means(node, name)) return node;
    return NULL;
}

/* Gives each set declared `from` this one its rows, and keeps the others. */
static enum ps_status take_children(struct ps_dataset_catalog *catalog,
                                    struct ps_dataset_node *node, struct ps_error *error) {
    for (size_t i = 0; i < catalog->spec_count; i++) {
        const struct ps_dataset_spec *spec = &catalog->specs[i];
        if (!spec->from || !means(node, spec->from)) continue;
        struct ps_dataset_node *child = known_node(catalog, spec, spec->name);
        if (!child) PS_TRY(new_node(catalog, spec->name, &child, error));
        child->spec = spec;
        struct ps_dataset_rows rest = {0};
        enum ps_status status =
            sample(catalog, spec->name, spec->sample, node->set.name, &node->rows, &rest, error);
        ps_dataset_rows_release(&child->rows); /* of an attempt that failed */
        child->rows = node->rows;
        node->rows = rest;
        PS_TRY(status);
    }
    return PS_OK;
}

static enum ps_status make(struct ps_dataset_catalog *catalog, struct ps_dataset_node *node,
                           struct ps_error *error) {
    const struct ps_dataset_spec *spec = node->spec;
    node->set.duplicates = node->set.source_count = 0;
    PS_TRY(ps_dataset_load(catalog, node, error));
    if (spec && spec->decontaminate_count) PS_TRY(decontaminate(catalog, node, error));
    if (spec && spec->sample && !spec->from)
        PS_TRY(sample(catalog, spec->name, spec->sample, "the set", &node->rows, NULL, error));
    PS_TRY(take_children(catalog, node, error));
    node->set.rows = node->rows.row;
    node->set.count = node->rows.count;
    return PS_OK;
}

static enum ps_status unknown(struct ps_dataset_catalog *catalog, const char *name,
                              struct ps_error *error) {
    const char *names[256];
    size_t count = 0;
    for (size_t i = 0; i < catalog->spec_count && count < 256; i++)
        names[count++] = catalog->specs[i].name;
    for (size_t i = 0; i < catalog->manifest_count && count < 255; i++) {
        const struct ps_dataset_manifest *manifest = &catalog->manifests[i];
        names[count++] = manifest->name;
        for (size_t s = 0; s < manifest->split_count && count < 255; s++) {
            names[count] =
                ps_arena_format(&catalog->arena, "%s/%s", manifest->name, manifest->splits[s].name);
            PS_FAIL_IF_NULL(names[count], error);
            count++;
        }
    }
    const char *nearest = ps_nearest(name, names, count);
    for (size_t i = 0; i < catalog->manifest_count && nearest; i++)
        if (catalog->manifests[i].split_count > 1 &&
            strcmp(nearest, catalog->manifests[i].name) == 0)
            nearest = ps_arena_format(&catalog->arena, "%s/%s", nearest,
                                      catalog->manifests[i].splits[0].name);
    return ps_error_set(
        error, PS_NOT_FOUND,
        "there is no data set '%s'%s%s%s 'potstill dataset list' shows the shipped ones", name,
        nearest ? "; did you mean '" : ";", nearest ? nearest : "", nearest ? "'?" : "");
}

/* Finds or makes the node; a failed one can be tried again. */
enum ps_status ps_dataset_node(struct ps_dataset_catalog *catalog, const char *name,
                               struct ps_dataset_node **result, struct ps_error *error) {
    const struct ps_dataset_spec *spec = NULL;
    for (size_t i = 0; i < catalog->spec_count; i++)
        if (strcmp(catalog->specs[i].name, name) == 0) spec = &catalog->specs[i];
    struct ps_dataset_node *node = known_node(catalog, spec, name);
    if (!node) {
        const struct ps_dataset_manifest *manifest = NULL;
        const struct ps_dataset_split *split = NULL;
        if (!spec) PS_TRY(ps_dataset_find_shipped(catalog, name, &manifest, &split, error));
        if (!spec && !split) return unknown(catalog, name, error);
        PS_TRY(new_node(catalog, name, &node, error));
        node->spec = spec;
        node->manifest = manifest;
        node->split = split;
    }
    *result = node;
    if (node->state == PS_DATASET_DONE) return PS_OK;
    PS_FAIL_IF(node->state == PS_DATASET_BUSY, error, PS_ARGUMENT,
               "datasets: '%s' is made from itself", name);
    PS_FAIL_IF(catalog->depth >= DEPTH_LIMIT, error, PS_ARGUMENT,
               "datasets: '%s' is more than %d sets deep", name, DEPTH_LIMIT);
    node->state = PS_DATASET_BUSY;
    catalog->depth++;
    enum ps_status status = make(catalog, node, error);
    catalog->depth--;
    node->state = status == PS_OK ? PS_DATASET_DONE : PS_DATASET_NEW;
    if (status != PS_OK && !(spec && spec->from)) ps_dataset_rows_release(&node->rows);
    return status;
}

enum ps_status ps_dataset_get(struct ps_dataset_catalog *catalog, const char *name,
                              const struct ps_dataset **dataset, struct ps_error *error) {
    struct ps_dataset_node *node;
    *dataset = NULL;
    PS_TRY(ps_dataset_node(catalog, name, &node, error));
    *dataset = &node->set;
    return PS_OK;
}

static enum ps_status list_split(struct ps_dataset_catalog *catalog,
                                 const struct ps_dataset_manifest *manifest,
                                 const struct ps_dataset_split *split,
                                 struct ps_dataset_listing *entry, struct ps_error *error) {
    PS_TRY(ps_dataset_manifest_source(manifest, split, &catalog->arena, &entry->source,
                                      &entry->present, error));
    entry->name = manifest->split_count == 1
                      ? manifest->name
                      : ps_arena_format(&catalog->arena, "%s/%s", manifest->name, split->name);
    PS_FAIL_IF_NULL(entry->name, error);
    return PS_OK;
}

enum ps_status ps_dataset_list(struct ps_dataset_catalog *catalog,
                               const struct ps_dataset_listing **listings, size_t *count,
                               struct ps_error *error) {
    PS_TRY(ps_dataset_need_manifests(catalog, error));
    size_t total = 0;
    for (size_t i = 0; i < catalog->manifest_count; i++) total += catalog->manifests[i].split_count;
    struct ps_dataset_listing *list = ps_arena_array(&catalog->arena, total + 1, sizeof *list);
    PS_FAIL_IF_NULL(list, error);
    *count = 0;
    for (size_t i = 0; i < catalog->manifest_count; i++)
        for (size_t s = 0; s < catalog->manifests[i].split_count; s++)
            PS_TRY(list_split(catalog, &catalog->manifests[i], &catalog->manifests[i].splits[s],
                              &list[(*count)++], error));
    *listings = list;
    return PS_OK;
}

enum ps_status ps_dataset_find(struct ps_dataset_catalog *catalog, const char *name,
                               const struct ps_dataset_listing **listing, struct ps_error *error) {
    const struct ps_dataset_manifest *manifest;
    const struct ps_dataset_split *split;
    PS_TRY(ps_dataset_find_shipped(catalog, name, &manifest, &split, error));
    if (!split) return unknown(catalog, name, error);
    struct ps_dataset_listing *entry = ps_arena_alloc(&catalog->arena, sizeof *entry);
    PS_FAIL_IF_NULL(entry, error);
    *listing = entry;
    return list_split(catalog, manifest, split, entry, error);
}

bool ps_dataset_is_test(struct ps_dataset_catalog *catalog, const char *dataset,
                        const char *split) {
    const struct ps_dataset_manifest *manifest;
    const struct ps_dataset_split *found = NULL;
    char name[256];
    if (strcmp(split, "test") == 0) return true;
    if (snprintf(name, sizeof name, "%s/%s", dataset, split) >= (int)sizeof name) return false;
    return ps_dataset_find_shipped(catalog, name, &manifest, &found, NULL) == PS_OK && found &&
           found->test;
}
