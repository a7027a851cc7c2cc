#include "pipelines/stages/stages_internal.h"

#include <string.h>

/* In the order of docs/pipeline-reference.md. */
const struct ps_stage_kind *const ps_stage_kinds[] = {
    &ps_stage_sample, &ps_stage_import,   &ps_stage_grade,  &ps_stage_select,
    &ps_stage_train,  &ps_stage_evaluate, &ps_stage_report, NULL,
};

const struct ps_stage_kind *ps_stage_kind_find(const char *name) {
    for (size_t i = 0; ps_stage_kinds[i]; i++)
        if (strcmp(ps_stage_kinds[i]->name, name) == 0) return ps_stage_kinds[i];
    return NULL;
}

const struct ps_stage *ps_stage_input(const struct ps_stage *stage, const char *kind) {
    for (size_t i = 0; i < stage->input_count; i++)
        if (strcmp(stage->inputs[i]->kind->name, kind) == 0) return stage->inputs[i];
    return NULL;
}
