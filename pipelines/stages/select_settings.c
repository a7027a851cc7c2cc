/* The settings of select, and its result in words. */
#include "pipelines/stages/select_traces.h"

#include "grade/grade.h"

#include <string.h>

#define AT(member) offsetof(struct ps_select_share, member)
static const struct ps_setting share_items[] = {
    {"model", PS_SETTING_STRING, AT(model), .identity = true,
     .help = "whose replies tell how hard a prompt is; by default those of the trace's own model"},
    {"min", PS_SETTING_NUMBER, AT(min), "0", .minimum = 0, .maximum = 1, .identity = true,
     .help = "smallest share of correct replies"},
    {"max", PS_SETTING_NUMBER, AT(max), "1", .minimum = 0, .maximum = 1, .identity = true,
     .help = "largest share of correct replies"},
};
static const struct ps_settings_table share_table = PS_SETTINGS_TABLE(
    "share", "The share of correct replies to a prompt.", share_items, struct ps_select_share);
#undef AT

static const char *const finish_names[] = {
    [PS_SELECT_ANY] = "any", [PS_SELECT_STOP] = "stop", [PS_SELECT_LENGTH] = "length", NULL};
static const char *const prefer_names[] = {[PS_SELECT_SHORTEST] = "shortest",
                                           [PS_SELECT_LONGEST] = "longest",
                                           [PS_SELECT_RANDOM] = "random",
                                           NULL};

#define AT(member) offsetof(struct ps_select_settings, member)
static const struct ps_setting select_items[] = {
    {"keep", PS_SETTING_STRINGS, AT(keep), "correct", .identity = true,
     .help = "verdicts to keep, or all: whatever the verdict, or without one"},
    {"finish", PS_SETTING_ENUM, AT(finish), "any", .names = finish_names, .identity = true,
     .help = "replies that ended by themselves, or were cut by the token limit"},
    {"min_tokens", PS_SETTING_INTEGER, AT(min_tokens), "0", .minimum = 0, .maximum = 1e9,
     .identity = true, .unit = "tokens", .help = "shortest reply"},
    {"max_tokens", PS_SETTING_INTEGER, AT(max_tokens), "0", .minimum = 0, .maximum = 1e9,
     .identity = true, .unit = "tokens", .help = "longest reply; 0: any"},
    {"share", PS_SETTING_TABLE, AT(share), .table = &share_table, .identity = true,
     .help = "keep prompts of this difficulty"},
    {"per_question", PS_SETTING_INTEGER, AT(per_question), "0", .minimum = 0, .maximum = 1e9,
     .identity = true, .unit = "traces", .help = "most traces of one question; 0: all"},
    {"prefer", PS_SETTING_ENUM, AT(prefer), "random", .names = prefer_names, .identity = true,
     .help = "which traces of a question come first"},
    {"count", PS_SETTING_INTEGER, AT(count), "0", .minimum = 0, .maximum = 1e12, .identity = true,
     .unit = "traces", .help = "most traces in all, chosen by seed; 0: all"},
};
const struct ps_settings_table ps_select_table = PS_SETTINGS_TABLE(
    "select", "Which traces are trained on.", select_items, struct ps_select_settings);
#undef AT

enum ps_status ps_select_check(const struct ps_select_settings *settings, struct ps_error *error) {
    enum ps_verdict verdict;
    PS_FAIL_IF(settings->keep.count == 0, error, PS_ARGUMENT, "keep: there is no verdict");
    for (size_t i = 0; i < settings->keep.count; i++)
        PS_FAIL_IF(
            strcmp(settings->keep.items[i], "all") != 0 &&
                !ps_verdict_from_name(settings->keep.items[i], &verdict),
            error, PS_ARGUMENT,
            "keep: there is no verdict '%s'; there are correct, wrong, no_answer, truncated, "
            "gold_unreadable, undecided, no_gold, and all",
            settings->keep.items[i]);
    PS_FAIL_IF(settings->max_tokens && settings->max_tokens < settings->min_tokens, error,
               PS_ARGUMENT, "max_tokens %lld is less than min_tokens %lld",
               (long long)settings->max_tokens, (long long)settings->min_tokens);
    PS_FAIL_IF(settings->share.max < settings->share.min, error, PS_ARGUMENT,
               "share: max %g is less than min %g", settings->share.max, settings->share.min);
    return PS_OK;
}

#define X(suffix, name) name,
static const char *const drop_names[] = {PS_SELECT_DROP_MAP(X)};
#undef X

void ps_selection_write(const struct ps_selection *selection, struct ps_json_writer *writer) {
    ps_json_put_integer(writer, "considered", selection->considered);
    ps_json_write_key(writer, "dropped");
    ps_json_write_begin_object(writer);
    for (int i = 0; i < PS_SELECT_KEPT; i++) {
        ps_json_put_integer(writer, drop_names[i], selection->dropped[i]);
    }
    ps_json_write_end_object(writer);
    ps_json_put_integer(writer, "kept", selection->kept);
    ps_json_put_integer(writer, "questions", selection->questions);
}

bool ps_selection_print(const struct ps_selection *selection, struct ps_buffer *text) {
    bool fits =
        ps_buffer_format(text, "%-16s%8lld\n", "considered", (long long)selection->considered);
    for (int i = 0; i < PS_SELECT_KEPT; i++)
        if (selection->dropped[i])
            fits = fits && ps_buffer_format(text, "  %-14s%8lld\n", drop_names[i],
                                            (long long)-selection->dropped[i]);
    return fits && ps_buffer_format(text, "%-16s%8lld of %lld questions\n", "kept",
                                    (long long)selection->kept, (long long)selection->questions);
}
