#pragma once
/* Files of replies into a store: what `traces import` and the import stage share.
 *
 * A reply's identity is its prompt, its source, the file's checksum (the sampler) and how many
 * replies to that prompt the file has before it (the sample). So each line is a sample of its own,
 * even where two texts are equal; another file adds further samples; the same file, packed or not,
 * adds nothing when it is imported again; and a run that was stopped is finished by another. */

#include "datasets/datasets.h"
#include "store/store.h"

struct ps_import {
    struct ps_store *store;             /* open for writing */
    struct ps_dataset_catalog *catalog; /* for the splits of shipped sets that a line names */
    struct ps_reply_format format;
    const char *source;  /* who replied; NULL: a line's "model", else "import" */
    const char *dataset; /* NAME or NAME/SPLIT for lines that name none; NULL: those get no item */
    /* Each may be NULL. rejected: "file:line: why"; imported: every trace, new or not. */
    void (*rejected)(void *context, const char *why);
    enum ps_status (*imported)(void *context, int64_t trace, struct ps_error *error);
    void (*progress)(void *context, size_t lines);
    void *context;
};

struct ps_import_counts {
    int64_t added, already; /* traces that are new; that the store had from this file */
    int64_t failed;         /* requests of a batch without a reply: attempts */
    int64_t rejected;       /* lines that say nothing usable */
};

/* Adds to *counts and flushes. PS_STOPPED and failures keep what was done. */
enum ps_status ps_import_file(const struct ps_import *import, const char *path,
                              struct ps_import_counts *counts, struct ps_error *error);
