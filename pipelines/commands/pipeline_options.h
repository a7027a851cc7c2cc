#pragma once
/* Options that check, plan and run share, and loading a pipeline by them. */
#include "pipelines/commands/command.h"
#include "pipelines/driver/driver.h"

struct pipeline_flags {
    struct ps_strings set;
    int64_t limit;
};
extern const struct ps_settings_table ps_pipeline_flags_table;

/* The pipeline of the first argument, a file or the name of a shipped one, by the call's first
 * settings. */
enum ps_status ps_load_pipeline(struct ps_call *call, struct ps_pipeline *pipeline,
                                struct ps_error *error);
