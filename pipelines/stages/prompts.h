#pragma once
/* Rows of data sets as prompts, for every stage that sends or stores them: the pipeline's prompt of
 * that name or, without one, the data set's own; shots; what the model says about thinking. */

#include "pipelines/stages/stage.h"
#include "store/store.h"
#include "text/text.h"

/* Lives in the context's arena. */
struct ps_prompter {
    const struct ps_stage_context *context;
    struct ps_prompt prompt; /* user NULL: the row's data set says it */
    struct ps_row *shots;
    size_t shot_count;
};

/* name: of the pipeline's prompts, or NULL. thinking: the model's (-1 unset), where the prompt says
 * nothing. Reads the shots' data set. */
enum ps_status ps_prompter_open(struct ps_prompter *prompter,
                                const struct ps_stage_context *context, const char *name,
                                int thinking, struct ps_error *error);

/* A setting `thinking`: -1 unset, 0 off, 1 on. */
enum ps_thinking ps_thinking_of(int setting);

/* The prompt that a row gets: what ps_prompt_encode wants beside the rendered text. */
struct ps_prompt ps_prompter_prompt(const struct ps_prompter *prompter,
                                    const struct ps_dataset_row *row);

/* Renders a row; release *rendered, also after a failure. Placeholders are question, level,
 * subject, id and the row's other fields. */
enum ps_status ps_prompter_render(const struct ps_prompter *prompter,
                                  const struct ps_dataset_row *row,
                                  struct ps_rendered_prompt *rendered, struct ps_error *error);

/* The row as an item of a store (prompt 0): data set and split it comes from, its number there, its
 * gold, and extra: {"id", "level", "subject"}. Text lies in the arena or is the row's. */
enum ps_status ps_stage_item(const struct ps_dataset_row *row, struct ps_arena *arena,
                             struct ps_store_item *item, struct ps_error *error);
