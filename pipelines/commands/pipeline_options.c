#include "pipelines/commands/pipeline_options.h"

#include <math.h>

static const struct ps_setting items[] = {
    {"set", PS_SETTING_STRINGS, offsetof(struct pipeline_flags, set), .whole = true,
     .argument = "KEY=VALUE",
     .help = "change a setting: seed=3, models.base.path=DIR, STAGE.epochs=1; may be repeated"},
    {"limit", PS_SETTING_INTEGER, offsetof(struct pipeline_flags, limit), "0", .minimum = 0,
     .maximum = INFINITY, .argument = "N",
     .help = "a smoke run of N prompts and steps, in a run directory of its own; 0: all"},
};
const struct ps_settings_table ps_pipeline_flags_table =
    PS_SETTINGS_TABLE("options", "Options for a pipeline.", items, struct pipeline_flags);

enum ps_status ps_load_pipeline(struct ps_call *call, struct ps_pipeline *pipeline,
                                struct ps_error *error) {
    const struct pipeline_flags *flags = call->settings[0].values;
    struct ps_pipeline_options options = {.set = flags->set, .limit = flags->limit};
    return ps_pipeline_load(pipeline, call->arguments.items[0], &options, error);
}
