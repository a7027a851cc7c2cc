#include "pipelines/commands/prompt_flags.h"

#include "base/date.h"

#define AT(member) offsetof(struct ps_prompt_flags, member)
static const char *const off_on[] = {"false", "true", NULL};
static const struct ps_setting items[] = {
    {"prompt", PS_SETTING_STRING, AT(prompt.user), .argument = "TEXT",
     .help = "the user's message, with {question}; by default as the data set says, else the "
             "question alone"},
    {"system", PS_SETTING_STRING, AT(prompt.system), .argument = "TEXT",
     .help = "the system message"},
    {"prefill", PS_SETTING_STRING, AT(prompt.prefill), .argument = "TEXT",
     .help = "how replies begin"},
    {"template", PS_SETTING_STRING, AT(prompt.template), .argument = "FILE",
     .help = "the chat template: a file, chatml, or none for plain text; by default the model's"},
    {"thinking", PS_SETTING_ENUM, AT(prompt.thinking), .names = off_on,
     .help = "what the template is told about thinking"},
    {"date", PS_SETTING_STRING, AT(date), .argument = "YYYY-MM-DD",
     .help = "what the template takes for today; by default it is"},
};
const struct ps_settings_table ps_prompt_flags_table =
    PS_SETTINGS_TABLE("prompt", "How questions are put.", items, struct ps_prompt_flags);

enum ps_status ps_flag_date(const char *date, struct ps_arena *arena, const char **day,
                            struct ps_error *error) {
    char today[PS_DATE_SIZE];
    PS_FAIL_IF(date && !ps_date_is_valid(date), error, PS_ARGUMENT,
               "--date %s: write a day as YYYY-MM-DD", date);
    *day = ps_arena_format(arena, "%s", date ? date : ps_date_today(today));
    PS_FAIL_IF_NULL(*day, error);
    return PS_OK;
}
