#pragma once
/* Rows of data sets as prompts, for every stage that sends or stores them: the pipeline's prompt of
 * that name or, without one, the data set's own; shots; the template; what the model says about
 * thinking. */

#include "pipelines/stages/stage.h"
#include "store/store.h"
#include "text/text.h"

/* The model that reads the prompts. */
struct ps_prompter_model {
    const char *folder;   /* of its tokenizer and template */
    const char *template; /* what it will carry, when it is not made yet; NULL: the folder's own */
    int thinking;         /* where the prompt says nothing; -1: unset */
};

struct ps_prompter {
    const struct ps_stage_context *context;
    struct ps_prompt prompt; /* user NULL: the row's data set says it */
    struct ps_template *template;
    const struct ps_dataset_row **shots; /* one more than are used, if there are: see below */
    struct ps_row *shot_fields;          /* parallel to shots */
    size_t shot_count, shots_wanted;
};

/* prompt: of the pipeline, or NULL. model: NULL when there is none; then conversations are made,
 * but no text where the prompt names no template. Reads the shots' data set and chooses among its
 * rows by seed. Close it, also after a failure. */
enum ps_status ps_prompter_open(struct ps_prompter *prompter,
                                const struct ps_stage_context *context,
                                const struct ps_pipeline_prompt *prompt,
                                const struct ps_prompter_model *model, struct ps_error *error);
void ps_prompter_close(struct ps_prompter *prompter);

/* A setting `thinking`: -1 unset, 0 off, 1 on. */
enum ps_thinking ps_thinking_of(int setting);

/* The prompt that a row gets: what ps_prompt_encode wants beside the rendered text. */
struct ps_prompt ps_prompter_prompt(const struct ps_prompter *prompter,
                                    const struct ps_dataset_row *row);

/* Renders a row; release *rendered, also after a failure. Placeholders are question, level,
 * subject, id and the row's other fields. A row is never a shot of its own question. */
enum ps_status ps_prompter_render(const struct ps_prompter *prompter,
                                  const struct ps_dataset_row *row,
                                  struct ps_rendered_prompt *rendered, struct ps_error *error);

/* Whether it makes no difference to the text of this row what the template is told about thinking.
 */
enum ps_status ps_prompter_ignores_thinking(const struct ps_prompter *prompter,
                                            const struct ps_dataset_row *row, bool *ignored,
                                            struct ps_error *error);

/* The row as an item of a store (prompt 0): data set and split it comes from, its number there, its
 * gold, and extra: {"id", "level", "subject"}. Text lies in the arena or is the row's. */
enum ps_status ps_stage_item(const struct ps_dataset_row *row, struct ps_arena *arena,
                             struct ps_store_item *item, struct ps_error *error);
