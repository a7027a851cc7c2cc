#include "pipelines/commands/prompt_flags.h"

#include "pipelines/stages/prompts.h"

#define AT(member) offsetof(struct ps_prompt_flags, member)
static const char *const off_on[] = {"false", "true", NULL};
static const struct ps_setting items[] = {
    {"prompt", PS_SETTING_STRING, AT(prompt), .argument = "TEXT",
     .help = "the user's message, with {question}; by default as the data set says, else the "
             "question alone"},
    {"system", PS_SETTING_STRING, AT(system), .argument = "TEXT", .help = "the system message"},
    {"prefill", PS_SETTING_STRING, AT(prefill), .argument = "TEXT", .help = "how replies begin"},
    {"template", PS_SETTING_STRING, AT(template), .argument = "NAME",
     .help = "chatml, or none for base models"},
    {"thinking", PS_SETTING_ENUM, AT(thinking), .names = off_on,
     .help = "what the template is told about thinking"},
};
const struct ps_settings_table ps_prompt_flags_table =
    PS_SETTINGS_TABLE("prompt", "How questions are put.", items, struct ps_prompt_flags);

struct ps_prompt ps_prompt_of_flags(const struct ps_prompt_flags *flags) {
    return (struct ps_prompt){.user = flags->prompt,
                              .system = flags->system,
                              .prefill = flags->prefill,
                              .template = flags->template,
                              .thinking = ps_thinking_of(flags->thinking)};
}
