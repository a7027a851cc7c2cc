#pragma once
#include "base/lock.h"
#include "pipelines/driver/pipeline.h"
#include "pipelines/stages/stage.h"

/* The file's sections; the reference page prints them. */
extern const struct ps_settings_table ps_pipeline_table, ps_pipeline_prompt_table,
    ps_pipeline_model_table, ps_pipeline_dataset_table, ps_stage_common_table;

struct ps_stage_common {
    const char *id;
    struct ps_strings needs;
};

/* Checks every name a stage's settings refer to and adds the stages that make its models to its
 * inputs. */
enum ps_status ps_pipeline_check_references(struct ps_pipeline *pipeline, struct ps_stage *stage,
                                            struct ps_error *error);

enum ps_status ps_stage_add_input(struct ps_pipeline *pipeline, struct ps_stage *stage,
                                  const struct ps_stage *input, struct ps_error *error);

/* The stage a model name leads to ("student@best" -> student), NULL if none. */
const struct ps_stage *ps_pipeline_model_stage(const struct ps_pipeline *pipeline,
                                               const char *name);

/* Text within runs/, as a folder's name. */
bool ps_is_plain_name(const char *name);

/* Calls visit for each name that a setting with `refers` holds. node: where it stands in the file,
 * NULL if it came from elsewhere. Stops at the first failure. */
typedef enum ps_status ps_reference_visitor(void *context, const struct ps_setting *setting,
                                            const char *name, const struct ps_yaml_node *node,
                                            struct ps_error *error);
enum ps_status ps_settings_visit(const struct ps_settings_table *table, const void *values,
                                 const struct ps_yaml_node *node, ps_reference_visitor *visit,
                                 void *context, struct ps_error *error);

/* "file:line:column: message", or "path: message" without a node. */
enum ps_status ps_pipeline_fail(const struct ps_pipeline *pipeline, const struct ps_yaml_node *node,
                                struct ps_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "there is no prompt 'boxd'; did you mean 'boxed'?" */
enum ps_status ps_pipeline_unknown_name(const struct ps_pipeline *pipeline, const char *what,
                                        const struct ps_table_map *known, const char *name,
                                        const struct ps_yaml_node *node, struct ps_error *error);

/* The canonical JSON that the fingerprint hashes, appended to text. */
enum ps_status ps_stage_identity(struct ps_pipeline *pipeline, const struct ps_stage *stage,
                                 struct ps_buffer *text, struct ps_error *error);

/* ---- the run directory (run_directory.c) ---- */

/* Makes the run directory and takes its lock; PS_BUSY names the process that has it. */
enum ps_status ps_run_lock(const struct ps_pipeline *pipeline, struct ps_lock *lock,
                           struct ps_error *error);
/* Whether a process runs it now, and which. */
bool ps_run_is_locked(const char *run_directory, char holder[PS_LOCK_HOLDER]);

/* Writes pipeline.resolved.yaml, run.json and, the first time, date. */
enum ps_status ps_run_describe(struct ps_pipeline *pipeline, struct ps_error *error);

enum ps_status ps_stage_begin(struct ps_pipeline *pipeline, const struct ps_stage *stage,
                              struct ps_error *error);
/* Writes "done", which makes the result count, and points runs/NAME/ID at it. */
enum ps_status ps_stage_finish(struct ps_pipeline *pipeline, const struct ps_stage *stage,
                               double seconds, struct ps_error *error);

/* What differs from the result that runs/NAME/ID points at: "settings.epochs, inputs.select". */
enum ps_status ps_stage_changes(struct ps_pipeline *pipeline, const struct ps_stage *stage,
                                char *text, size_t size, struct ps_error *error);

struct ps_metrics {
    int descriptor;
    const struct ps_stage *stage;
    struct ps_buffer line;
    struct ps_json_writer writer;
};
enum ps_status ps_metrics_open(struct ps_metrics *metrics, const struct ps_pipeline *pipeline,
                               const struct ps_stage *stage, struct ps_error *error);
void ps_metrics_close(struct ps_metrics *metrics);

/* Keeps runs/NAME/progress.json at most a second behind, for `potstill status`. */
void ps_run_observe(void *run_directory, const struct ps_progress *progress);
