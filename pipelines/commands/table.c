#include "pipelines/commands/command.h"

#include "pipelines/commands/commands_internal.h"

/* In the order of --help; one a line. */
// clang-format off
const struct ps_command *const ps_commands[] = {
    &ps_command_new,
    &ps_command_check,
    &ps_command_plan,
    &ps_command_run,
    &ps_command_status,
    &ps_command_report,
    &ps_command_sample,
    &ps_command_grade,
    &ps_command_select,
    &ps_command_evaluate,
    &ps_command_ask,
    &ps_command_train,
    &ps_command_traces_list,
    &ps_command_traces_show,
    &ps_command_traces_stats,
    &ps_command_traces_export,
    &ps_command_traces_import,
    &ps_command_traces_hash,
    &ps_command_traces_merge,
    &ps_command_traces_diff,
    &ps_command_traces_gold,
    &ps_command_traces_override,
    &ps_command_traces_delete,
    &ps_command_traces_backup,
    &ps_command_traces_sql,
    &ps_command_traces_pack,
    &ps_command_traces_replay,
    &ps_command_traces_verify,
    &ps_command_traces_salvage,
    &ps_command_model_info,
    &ps_command_model_init,
    &ps_command_model_score,
    &ps_command_grade_pair,
    &ps_command_dataset_list,
    &ps_command_dataset_show,
    &ps_command_text_encode,
    &ps_command_text_decode,
    &ps_command_text_render,
    &ps_command_text_train,
    &ps_command_doctor,
    &ps_command_bench_gemm,
    &ps_command_bench_sample,
    &ps_command_bench_store,
    &ps_command_bench_text,
    &ps_command_bench_train,
    &ps_command_docs,
    NULL,
};
// clang-format on

/* A name leaves this list in the commit that adds its command. Two words stand for a subcommand,
 * one word for a command and everything behind it. */
const char *const ps_commands_not_built[] = {
    /* clang-format off */
    "fetch",
    "model convert",
    NULL,
    /* clang-format on */
};
