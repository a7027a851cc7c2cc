#pragma once
/* One declaration for each file of this folder. */
#include "pipelines/commands/command.h"

struct ps_dataset_source;

/* Members of an open object that describe where a data set's rows come from. */
void ps_dataset_write_source(struct ps_json_writer *writer, const struct ps_dataset_source *source);

extern const struct ps_command ps_command_ask;
extern const struct ps_command ps_command_bench_gemm;
extern const struct ps_command ps_command_bench_sample;
extern const struct ps_command ps_command_bench_store;
extern const struct ps_command ps_command_bench_text;
extern const struct ps_command ps_command_bench_train;
extern const struct ps_command ps_command_check;
extern const struct ps_command ps_command_dataset_list;
extern const struct ps_command ps_command_dataset_show;
extern const struct ps_command ps_command_docs;
extern const struct ps_command ps_command_doctor;
extern const struct ps_command ps_command_evaluate;
extern const struct ps_command ps_command_grade;
extern const struct ps_command ps_command_grade_pair;
extern const struct ps_command ps_command_model_info;
extern const struct ps_command ps_command_model_init;
extern const struct ps_command ps_command_model_score;
extern const struct ps_command ps_command_new;
extern const struct ps_command ps_command_plan;
extern const struct ps_command ps_command_report;
extern const struct ps_command ps_command_run;
extern const struct ps_command ps_command_sample;
extern const struct ps_command ps_command_select;
extern const struct ps_command ps_command_status;
extern const struct ps_command ps_command_text_decode;
extern const struct ps_command ps_command_text_encode;
extern const struct ps_command ps_command_text_render;
extern const struct ps_command ps_command_text_train;
extern const struct ps_command ps_command_traces_backup;
extern const struct ps_command ps_command_traces_delete;
extern const struct ps_command ps_command_traces_diff;
extern const struct ps_command ps_command_traces_export;
extern const struct ps_command ps_command_traces_gold;
extern const struct ps_command ps_command_traces_hash;
extern const struct ps_command ps_command_traces_import;
extern const struct ps_command ps_command_traces_list;
extern const struct ps_command ps_command_traces_merge;
extern const struct ps_command ps_command_traces_override;
extern const struct ps_command ps_command_traces_pack;
extern const struct ps_command ps_command_traces_replay;
extern const struct ps_command ps_command_traces_salvage;
extern const struct ps_command ps_command_traces_show;
extern const struct ps_command ps_command_traces_sql;
extern const struct ps_command ps_command_traces_stats;
extern const struct ps_command ps_command_traces_verify;
extern const struct ps_command ps_command_train;
