/* Which traces a stage works on: those that its sample and import stages made. Each of these keeps
 * them in the store as a selection under its fingerprint, so that pipelines which share a store do
 * not get into each other's way. */
#include "pipelines/stages/stages_internal.h"

#include <string.h>

static bool makes_traces(const struct ps_stage *stage) {
    return strcmp(stage->kind->name, "sample") == 0 || strcmp(stage->kind->name, "import") == 0;
}

/* A stage that `needs` only a grade stage means what that one graded. */
static size_t collect(const struct ps_stage *stage, const struct ps_stage **inputs) {
    size_t count = 0;
    for (size_t i = 0; i < stage->input_count; i++) {
        if (!makes_traces(stage->inputs[i])) continue;
        if (inputs) inputs[count] = stage->inputs[i];
        count++;
    }
    if (count) return count;
    for (size_t i = 0; i < stage->input_count; i++)
        if (strcmp(stage->inputs[i]->kind->name, "grade") == 0)
            count += collect(stage->inputs[i], inputs ? inputs + count : NULL);
    return count;
}

/* The data sets that the stage names; count 0 where they stand in a file. */
static const struct ps_strings *datasets_of(const struct ps_stage *stage) {
    static const struct ps_strings none;
    const struct ps_settings_table *table = stage->kind->settings;
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->items[i].key, "dataset") == 0)
            return (const void *)((const char *)stage->settings + table->items[i].offset);
    return &none;
}

/* Another pipeline may ask the same prompts with other golds, in the same store: only verdicts
 * against the golds of the stage's own data sets are meant. */
static enum ps_status add_filters(const struct ps_stage_context *context,
                                  const struct ps_stage *input, struct ps_store_filter *filters,
                                  size_t *count, struct ps_error *error) {
    const struct ps_strings *names = datasets_of(input);
    size_t sources = 0;
    for (size_t n = 0; n < names->count; n++) {
        const struct ps_dataset *dataset;
        PS_TRY(ps_dataset_get(context->catalog, names->items[n], &dataset, error));
        for (size_t s = 0; s < dataset->source_count; s++, sources++)
            if (filters)
                filters[*count + sources] =
                    (struct ps_store_filter){.selection = input->fingerprint,
                                             .dataset = dataset->sources[s]->dataset,
                                             .split = dataset->sources[s]->split};
    }
    if (sources == 0 && filters) filters[*count].selection = input->fingerprint;
    *count += sources ? sources : 1;
    return PS_OK;
}

enum ps_status ps_stage_trace_filters(const struct ps_stage_context *context,
                                      struct ps_store_filter **filters, size_t *count,
                                      struct ps_error *error) {
    size_t input_count = collect(context->stage, NULL), room = 0;
    const struct ps_stage **inputs = ps_arena_array(context->arena, input_count, sizeof *inputs);
    PS_FAIL_IF(input_count == 0, error, PS_ARGUMENT,
               "there is no earlier sample or import stage whose traces it could take; name one in "
               "`needs`");
    PS_FAIL_IF_NULL(inputs, error);
    collect(context->stage, inputs);
    for (size_t i = 0; i < input_count; i++)
        PS_TRY(add_filters(context, inputs[i], NULL, &room, error));
    *filters = ps_arena_array(context->arena, room, sizeof **filters);
    PS_FAIL_IF_NULL(*filters, error);
    *count = 0;
    for (size_t i = 0; i < input_count; i++)
        PS_TRY(add_filters(context, inputs[i], *filters, count, error));
    return PS_OK;
}
