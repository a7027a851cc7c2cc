#pragma once
/* Flags that say how a question is put, for the commands that ask models without a pipeline. */
#include "base/settings.h"
#include "text/text.h"

struct ps_prompt_flags {
    const char *prompt, *system, *prefill, *template;
    int thinking; /* -1 unset, 0 off, 1 on */
};
extern const struct ps_settings_table ps_prompt_flags_table;

/* The same for lib/text; user is NULL without --prompt. */
struct ps_prompt ps_prompt_of_flags(const struct ps_prompt_flags *flags);
