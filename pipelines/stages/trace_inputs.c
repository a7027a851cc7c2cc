/* Which traces a stage works on: those that its sample and import stages made. Each of these keeps
 * them in the store as a selection under its fingerprint, so that pipelines which share a store do
 * not get into each other's way. */
#include "pipelines/stages/stages_internal.h"

#include <string.h>

static bool makes_traces(const struct ps_stage *stage) {
    return strcmp(stage->kind->name, "sample") == 0 || strcmp(stage->kind->name, "import") == 0;
}

/* A stage that `needs` only a grade stage means what that one graded. */
static size_t collect(const struct ps_stage *stage, struct ps_store_filter *filters) {
    size_t count = 0;
    for (size_t i = 0; i < stage->input_count; i++) {
        if (!makes_traces(stage->inputs[i])) continue;
        if (filters) filters[count].selection = stage->inputs[i]->fingerprint;
        count++;
    }
    if (count) return count;
    for (size_t i = 0; i < stage->input_count; i++)
        if (strcmp(stage->inputs[i]->kind->name, "grade") == 0)
            count += collect(stage->inputs[i], filters ? filters + count : NULL);
    return count;
}

enum ps_status ps_stage_trace_filters(const struct ps_stage_context *context,
                                      struct ps_store_filter **filters, size_t *count,
                                      struct ps_error *error) {
    *count = collect(context->stage, NULL);
    PS_FAIL_IF(*count == 0, error, PS_ARGUMENT,
               "there is no earlier sample or import stage whose traces it could take; name one in "
               "`needs`");
    *filters = ps_arena_array(context->arena, *count, sizeof **filters);
    PS_FAIL_IF_NULL(*filters, error);
    collect(context->stage, *filters);
    return PS_OK;
}
