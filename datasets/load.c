/* The rows of each kind of set: shipped, one's own file, generated, mixed, taken from another. */
#include "datasets/catalog_internal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static enum ps_status generate(struct ps_dataset_catalog *catalog, struct ps_dataset_node *node,
                               const char *split, uint64_t seed, uint64_t count,
                               struct ps_dataset_source *source, struct ps_error *error) {
    enum ps_status status = PS_OK;
    struct ps_dataset_index known = {0};
    for (uint64_t i = 0; node->rows.count < count; i++) {
        struct ps_dataset_row row;
        PS_FAIL_DONE_IF(i > count * 20 + 1000, error, PS_LIMIT,
                        "arith/%s: there are only about %zu different questions, not %" PRIu64,
                        split, node->rows.count, count);
        PS_TRY_DONE(ps_dataset_arith_row(split, seed, i, &catalog->arena, &row, error));
        struct ps_hash hash = ps_hash_bytes(row.question, strlen(row.question));
        uint32_t found;
        bool added;
        PS_TRY_DONE(ps_dataset_index_add(&known, ps_hash_64(&hash), 0, &found, &added, error));
        row.source = source;
        if (added) PS_TRY_DONE(ps_dataset_rows_add(&node->rows, &row, error));
    }
done:
    ps_dataset_index_release(&known);
    return status;
}

static enum ps_status set_sources(struct ps_dataset_catalog *catalog, struct ps_dataset_node *node,
                                  struct ps_dataset_source **source, struct ps_error *error) {
    const struct ps_dataset_source **sources = ps_arena_array(&catalog->arena, 1, sizeof *sources);
    *source = ps_arena_alloc(&catalog->arena, sizeof **source);
    PS_FAIL_IF(!sources || !*source, error, PS_MEMORY, "out of memory");
    sources[0] = *source;
    node->set.sources = sources;
    node->set.source_count = 1;
    return PS_OK;
}

static enum ps_status load_shipped(struct ps_dataset_catalog *catalog, struct ps_dataset_node *node,
                                   uint64_t seed, uint64_t count, struct ps_error *error) {
    struct ps_dataset_source *source;
    bool present;
    PS_TRY(set_sources(catalog, node, &source, error));
    PS_TRY(ps_dataset_manifest_source(node->manifest, node->split, &catalog->arena, source,
                                      &present, error));
    if (!node->split->file)
        return generate(catalog, node, node->split->name, seed ? seed : node->split->seed,
                        count ? count : node->split->rows, source, error);
    PS_FAIL_IF(
        !present, error, PS_NOT_FOUND,
        "%s/%s: %s is not there; get it from %s and put it there (.gz and .zst are fine), or "
        "set POTSTILL_DATA to the folder that has %s",
        source->dataset, source->split, source->path, source->origin ? source->origin : "its owner",
        node->split->file);
    PS_TRY(
        ps_dataset_read_file(&node->manifest->fields, &catalog->arena, source, &node->rows, error));
    if (!source->sha256_declared) ps_dataset_note_checksum(source, &catalog->arena);
    return PS_OK;
}

static enum ps_status load_file(struct ps_dataset_catalog *catalog, struct ps_dataset_node *node,
                                struct ps_error *error) {
    const struct ps_dataset_spec *spec = node->spec;
    struct ps_dataset_source *source;
    PS_TRY(set_sources(catalog, node, &source, error));
    *source = (struct ps_dataset_source){.dataset = spec->name,
                                         .split = spec->test ? "test" : "train",
                                         .test = spec->test,
                                         .prompt = spec->prompt ? spec->prompt : "{question}",
                                         .profile = spec->profile ? spec->profile : "math",
                                         .path = spec->file};
    struct ps_dataset_fields fields = {spec->question, spec->answer,  spec->solution, spec->id,
                                       spec->level,    spec->subject, spec->gold};
    return ps_dataset_read_file(&fields, &catalog->arena, source, &node->rows, error);
}

static enum ps_status add_sources(struct ps_dataset_catalog *catalog, struct ps_dataset_node *node,
                                  const struct ps_dataset *part, struct ps_error *error) {
    const struct ps_dataset_source **sources = ps_arena_array(
        &catalog->arena, node->set.source_count + part->source_count + 1, sizeof *sources);
    PS_FAIL_IF_NULL(sources, error);
    size_t count = node->set.source_count;
    if (count) memcpy(sources, node->set.sources, count * sizeof *sources);
    for (size_t i = 0; i < part->source_count; i++) {
        bool known = false;
        for (size_t j = 0; j < count; j++) known = known || sources[j] == part->sources[i];
        if (!known) sources[count++] = part->sources[i];
    }
    node->set.sources = sources;
    node->set.source_count = count;
    return PS_OK;
}

/* Takes the share of each part that its weight says: as many rows in all as the scarcest part
 * allows, none twice; then a seeded order. */
static enum ps_status load_mix(struct ps_dataset_catalog *catalog, struct ps_dataset_node *node,
                               struct ps_error *error) {
    const struct ps_dataset_spec *spec = node->spec;
    struct ps_dataset_rows order = {0};
    uint32_t *chosen = NULL;
    enum ps_status status = PS_OK;
    double weights = 0, total = INFINITY;
    for (size_t i = 0; i < spec->mix_count; i++) weights += spec->mix[i].weight;
    for (size_t i = 0; i < spec->mix_count; i++) {
        struct ps_dataset_node *part;
        PS_TRY_DONE(ps_dataset_node(catalog, spec->mix[i].name, &part, error));
        PS_TRY_DONE(add_sources(catalog, node, &part->set, error));
        total = fmin(total, (double)part->set.count * weights / spec->mix[i].weight);
    }
    for (size_t i = 0; i < spec->mix_count; i++) {
        struct ps_dataset_node *part;
        PS_TRY_DONE(ps_dataset_node(catalog, spec->mix[i].name, &part, error));
        /* a hair more, so that rounding in the line above costs the scarcest part no row */
        double share = floor(total * spec->mix[i].weight / weights + 1e-6);
        size_t wanted = share < (double)part->set.count ? (size_t)share : part->set.count;
        uint32_t *grown = ps_realloc(chosen, (wanted + 1) * sizeof *chosen);
        PS_FAIL_DONE_IF_NULL(grown, error);
        chosen = grown;
        PS_TRY_DONE(ps_dataset_choose(part->set.rows, part->set.count, wanted, catalog->seed,
                                      node->set.name, chosen, error));
        for (size_t j = 0; j < wanted; j++)
            PS_TRY_DONE(ps_dataset_rows_add(&order, &part->set.rows[chosen[j]], error));
    }
    uint32_t *grown = ps_realloc(chosen, (order.count + 1) * sizeof *chosen);
    PS_FAIL_DONE_IF_NULL(grown, error);
    chosen = grown;
    PS_TRY_DONE(ps_dataset_choose(order.row, order.count, order.count, catalog->seed,
                                  "order of a mix", chosen, error));
    for (size_t j = 0; j < order.count; j++)
        PS_TRY_DONE(ps_dataset_rows_add(&node->rows, &order.row[chosen[j]], error));
    PS_TRY_DONE(ps_dataset_deduplicate(&node->rows, &node->set.duplicates, error));
done:
    ps_free(chosen);
    ps_dataset_rows_release(&order);
    return status;
}

/* Rows were put aside when the parent was made: see take_children. */
static enum ps_status load_from(struct ps_dataset_catalog *catalog, struct ps_dataset_node *node,
                                struct ps_error *error) {
    struct ps_dataset_node *parent;
    PS_TRY(ps_dataset_node(catalog, node->spec->from, &parent, error));
    return add_sources(catalog, node, &parent->set, error);
}

enum ps_status ps_dataset_find_shipped(struct ps_dataset_catalog *catalog, const char *name,
                                       const struct ps_dataset_manifest **manifest,
                                       const struct ps_dataset_split **split,
                                       struct ps_error *error) {
    *manifest = NULL;
    *split = NULL;
    PS_TRY(ps_dataset_need_manifests(catalog, error));
    for (size_t i = 0; i < catalog->manifest_count; i++) {
        const struct ps_dataset_manifest *candidate = &catalog->manifests[i];
        size_t size = strlen(candidate->name);
        if (strncmp(name, candidate->name, size) != 0) continue;
        if (name[size] != '/' && (name[size] || candidate->split_count != 1)) continue;
        for (size_t s = 0; s < candidate->split_count; s++)
            if (!name[size] || strcmp(name + size + 1, candidate->splits[s].name) == 0) {
                *manifest = candidate;
                *split = &candidate->splits[s];
            }
    }
    return PS_OK;
}

static enum ps_status load_generator(struct ps_dataset_catalog *catalog,
                                     struct ps_dataset_node *node, struct ps_error *error) {
    const struct ps_dataset_spec *spec = node->spec;
    PS_TRY(ps_dataset_find_shipped(catalog, spec->generator, &node->manifest, &node->split, error));
    PS_FAIL_IF(!node->split || node->split->file, error, PS_NOT_FOUND,
               "datasets: '%s': no generator '%s'; 'potstill dataset list' shows them", spec->name,
               spec->generator);
    return load_shipped(catalog, node, spec->seed, spec->count, error);
}

enum ps_status ps_dataset_load(struct ps_dataset_catalog *catalog, struct ps_dataset_node *node,
                               struct ps_error *error) {
    const struct ps_dataset_spec *spec = node->spec;
    if (!spec) return load_shipped(catalog, node, 0, 0, error);
    if (spec->file) return load_file(catalog, node, error);
    if (spec->generator) return load_generator(catalog, node, error);
    if (spec->from) return load_from(catalog, node, error);
    return load_mix(catalog, node, error);
}
