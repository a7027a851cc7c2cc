#pragma once
/* The catalog's inside: catalog.c makes sets, load.c gets the rows of each kind of set. */

#include "datasets/datasets_internal.h"

enum ps_dataset_state { PS_DATASET_NEW, PS_DATASET_BUSY, PS_DATASET_DONE };

struct ps_dataset_node {
    const struct ps_dataset_spec *spec; /* NULL: a shipped set */
    const struct ps_dataset_manifest *manifest;
    const struct ps_dataset_split *split;
    struct ps_dataset set;
    enum ps_dataset_state state;
    struct ps_dataset_rows rows;
    struct ps_dataset_node *next;
};

struct ps_dataset_catalog {
    struct ps_arena arena;
    const struct ps_dataset_spec *specs;
    size_t spec_count;
    uint64_t seed;
    struct ps_dataset_manifest *manifests;
    size_t manifest_count;
    bool manifests_read;
    struct ps_dataset_node *nodes;
    int depth;
};

/* Finds or makes a set. */
enum ps_status ps_dataset_node(struct ps_dataset_catalog *catalog, const char *name,
                               struct ps_dataset_node **node, struct ps_error *error);

/* Reads the manifests at the first call. */
enum ps_status ps_dataset_need_manifests(struct ps_dataset_catalog *catalog,
                                         struct ps_error *error);

/* "gsm8k/test", or "math500" for an only split; both NULL when there is none of that name. */
enum ps_status ps_dataset_find_shipped(struct ps_dataset_catalog *catalog, const char *name,
                                       const struct ps_dataset_manifest **manifest,
                                       const struct ps_dataset_split **split,
                                       struct ps_error *error);

/* Fills node->rows and the sources of node->set. */
enum ps_status ps_dataset_load(struct ps_dataset_catalog *catalog, struct ps_dataset_node *node,
                               struct ps_error *error);
