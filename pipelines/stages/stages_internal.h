#pragma once
/* What several stages use. */
#include "pipelines/stages/stage.h"
#include "store/store.h"

extern const struct ps_stage_kind ps_stage_import, ps_stage_sample, ps_stage_train;
extern const struct ps_stage_kind ps_stage_grade, ps_stage_select, ps_stage_evaluate,
    ps_stage_report;

/* DIRECTORY/result.json, one object: begin, write members through `writer`, end, which writes the
 * file and frees what begin took. */
struct ps_stage_result {
    struct ps_buffer text;
    struct ps_json_writer writer;
};
void ps_stage_result_begin(struct ps_stage_result *result);
enum ps_status ps_stage_result_end(struct ps_stage_result *result,
                                   const struct ps_stage_context *context, struct ps_error *error);

/* The traces that the stage's sample and import stages made, as filters in the arena, one a stage.
 * PS_ARGUMENT when there is no such stage. */
enum ps_status ps_stage_trace_filters(const struct ps_stage_context *context,
                                      struct ps_store_filter **filters, size_t *count,
                                      struct ps_error *error);
