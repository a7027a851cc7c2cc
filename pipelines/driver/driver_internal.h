#pragma once
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
