#pragma once
/* A pipeline file (DESIGN section 4), read, checked and resolved; its stages with what they need,
 * their fingerprints and their places in the run directory.
 *
 * runs/NAME/ is the run directory, runs/NAME/ID-FINGERPRINT/ a stage's own, runs/NAME/ID a link to
 * the newest that is done. A run with --limit N has runs/NAME-limit-N/ to itself. A stage is done
 * when its directory holds the file "done", which is written last. */

#include "base/settings.h"
#include "base/status.h"
#include "datasets/datasets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the sections of the file; unset values as in base/settings.h ---- */

struct ps_pipeline_prompt { /* `extends` is resolved: what it left out is filled in */
    const char *extends, *user, *system, *prefill;
    const char *template; /* "chatml", "none" or a file that there is */
    int thinking;         /* -1 unset, 0 off, 1 on */
    struct {
        const char *dataset;
        int64_t count;
    } shots; /* `count` rows of that set, chosen by seed; NULL: none */
};

struct ps_pipeline_model {
    const char *path; /* a Hugging Face folder, or an id in its cache; once there are fingerprints,
                         the folder */
    const char *url, *name;         /* served: where, and the name it answers to */
    const char *api_key_env;        /* the environment variable with the key */
    const char *config, *tokenizer; /* random weights from a config.json */
    int64_t seed;
    int thinking; /* -1 unset, 0 off, 1 on */
};

struct ps_pipeline_dataset { /* see struct ps_dataset_spec */
    const char *file, *question, *answer, *solution, *id, *level, *subject, *profile, *prompt;
    const char *from, *generator;
    int gold; /* enum ps_dataset_gold */
    bool test;
    struct ps_number_map mix;
    int64_t seed, count, sample;
    struct ps_strings decontaminate;
};

struct ps_stage_kind; /* pipelines/stages/stage.h */

struct ps_stage {
    const struct ps_stage_kind *kind;
    const char *id;
    const void *settings; /* the values struct of kind->settings */
    /* Earlier stages that this one takes something from: its `needs`, by default all earlier ones
     * of the kinds it consumes, and the stages that make the models it names. */
    const struct ps_stage **inputs;
    size_t input_count;
    const struct ps_yaml_node *node; /* its settings in the file */
    char fingerprint[65];            /* "" before ps_pipeline_fingerprint */
    const char *directory;           /* set with the fingerprint */
};

struct ps_pipeline {
    /* the file's top level; the first members are filled by its settings table */
    struct ps_pipeline_values {
        int64_t version;
        const char *name;
        int64_t seed;
        const char *date; /* YYYY-MM-DD, never NULL once loaded */
        const char *store;
        struct ps_table_map prompts, models, datasets;
        const struct ps_yaml_node *stages;
    } values;
    const char *path;          /* of the file */
    const char *run_directory; /* "runs/NAME" */
    int64_t limit;             /* prompts and steps of a smoke run; 0: none */
    struct ps_stage *stages;   /* in the order of the file, which is the order of a run */
    size_t stage_count;
    struct ps_dataset_catalog *catalog; /* NULL before ps_pipeline_catalog */
    struct ps_yaml yaml;
    struct ps_arena arena;
};

struct ps_pipeline_options {
    struct ps_strings set; /* "seed=3", "models.base.path=x", "student.epochs=1" */
    int64_t limit;
    const char *runs;    /* NULL: "runs" */
    const char *shipped; /* of a shipped pipeline: the folder that its models' files come from where
                            the working directory has none; else NULL */
};

/* Reads the file and checks everything that needs no other file: keys, types, ranges, names.
 * PS_FORMAT with file:line:column, PS_ARGUMENT for --set. options may be NULL. On failure nothing
 * is kept. */
enum ps_status ps_pipeline_load(struct ps_pipeline *pipeline, const char *path,
                                const struct ps_pipeline_options *options, struct ps_error *error);
void ps_pipeline_close(struct ps_pipeline *pipeline);

/* Opens pipeline->catalog, the pipeline's data sets and the shipped ones, if it is not open yet. */
enum ps_status ps_pipeline_catalog(struct ps_pipeline *pipeline, struct ps_error *error);

/* Hashes what the stages depend on (files' hashes are remembered in the user's cache folder by
 * path, size, mtime and inode) and sets fingerprint and directory of each; anew when a stage has
 * run, on whose result others depend. PS_NOT_FOUND names a file that a model or data set lacks. */
enum ps_status ps_pipeline_fingerprint(struct ps_pipeline *pipeline, struct ps_error *error);

/* Whether the stage's directory is set and its result counts. */
bool ps_stage_is_done(const struct ps_stage *stage);

/* By name; NULL when there is none. */
const struct ps_pipeline_prompt *ps_pipeline_prompt(const struct ps_pipeline *pipeline,
                                                    const char *name);
const struct ps_pipeline_model *ps_pipeline_model(const struct ps_pipeline *pipeline,
                                                  const char *name);
const struct ps_stage *ps_pipeline_stage(const struct ps_pipeline *pipeline, const char *id);

/* The steps N of all "ID@N" that stages refer to, ID a train stage; each once, in the arena. */
enum ps_status ps_pipeline_model_steps(const struct ps_pipeline *pipeline,
                                       const struct ps_stage *stage, struct ps_arena *arena,
                                       int64_t **steps, size_t *count, struct ps_error *error);

/* The `datasets` section as specs for ps_dataset_catalog_open, in the arena. */
enum ps_status ps_pipeline_dataset_specs(const struct ps_pipeline *pipeline, struct ps_arena *arena,
                                         struct ps_dataset_spec **specs, size_t *count,
                                         struct ps_error *error);

/* A model as a stage names it: one of `models`, or what a train stage made ("student": the last
 * weights, "student@best", "student@500"). */
struct ps_model_reference {
    const char *name;
    const struct ps_pipeline_model *model; /* NULL for a stage's */
    const struct ps_stage *stage;          /* the train stage, else NULL */
    const char *path; /* of its folder, NULL if it is served or starts from random weights. A
                         stage's: DIRECTORY/model, DIRECTORY/model-best, DIRECTORY/model-500 */
};
enum ps_status ps_pipeline_resolve_model(const struct ps_pipeline *pipeline, const char *name,
                                         struct ps_arena *arena,
                                         struct ps_model_reference *reference,
                                         struct ps_error *error);
