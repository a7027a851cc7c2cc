#pragma once
/* Flags that say how a question is put, for the commands that ask models without a pipeline. */
#include "base/settings.h"
#include "pipelines/driver/pipeline.h"

struct ps_prompt_flags {
    struct ps_pipeline_prompt prompt;
    const char *date;
};
extern const struct ps_settings_table ps_prompt_flags_table;

/* The day that a flag --date names, else today, in the arena. PS_ARGUMENT: it is none. */
enum ps_status ps_flag_date(const char *date, struct ps_arena *arena, const char **day,
                            struct ps_error *error);
