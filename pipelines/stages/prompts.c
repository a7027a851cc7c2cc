#include "pipelines/stages/prompts.h"

#include "base/json.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

/* ---- a row's fields ---- */

static void add_field(struct ps_row *fields, const char *name, const char *value) {
    if (!value) return;
    struct ps_field *items = (struct ps_field *)fields->fields;
    items[fields->count++] = (struct ps_field){name, value};
}

static const char *level_text(const struct ps_dataset_row *row, struct ps_arena *arena) {
    return row->level ? ps_arena_format(arena, "%d", row->level) : NULL;
}

/* The row's own fields as text; what is no string stands as JSON. */
static enum ps_status add_other_fields(struct ps_row *fields, const json_t *other,
                                       struct ps_arena *arena, struct ps_error *error) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)other, key, value) {
        const char *text = json_string_value(value);
        if (!text) {
            struct ps_buffer buffer;
            ps_buffer_init(&buffer, 1 << 20);
            enum ps_status status = ps_json_dump(value, &buffer, error);
            text = status == PS_OK ? ps_arena_strndup(arena, buffer.data, buffer.size) : NULL;
            ps_buffer_release(&buffer);
            PS_TRY(status);
        } else {
            text = ps_arena_strndup(arena, text, strlen(text));
        }
        const char *name = ps_arena_strndup(arena, key, strlen(key));
        PS_FAIL_IF(!text || !name, error, PS_MEMORY, "out of memory");
        add_field(fields, name, text);
    }
    return PS_OK;
}

/* The standard names first: a field of the same name behind them is not found. */
static enum ps_status row_fields(const struct ps_dataset_row *row, struct ps_arena *arena,
                                 struct ps_row *fields, struct ps_error *error) {
    json_t *other = NULL;
    if (row->fields)
        PS_TRY(ps_json_parse("fields", row->fields, strlen(row->fields), &other, error));
    size_t most = 5 + json_object_size(other);
    *fields = (struct ps_row){.fields = ps_arena_array(arena, most, sizeof *fields->fields)};
    enum ps_status status = PS_OK;
    if (!fields->fields) {
        status = ps_error_set(error, PS_MEMORY, "out of memory");
    } else {
        add_field(fields, "question", row->question);
        add_field(fields, "answer", row->solution ? row->solution : row->gold);
        add_field(fields, "id", row->id);
        add_field(fields, "level", level_text(row, arena));
        add_field(fields, "subject", row->subject);
        if (other) status = add_other_fields(fields, other, arena, error);
    }
    json_decref(other);
    return status;
}

/* ---- prompts ---- */

enum ps_thinking ps_thinking_of(int setting) {
    if (setting < 0) return PS_THINKING_UNSET;
    return setting > 0 ? PS_THINKING_ON : PS_THINKING_OFF;
}

/* One shot more than wanted, if there is one: it stands in for a row that is asked itself. */
static enum ps_status choose_shots(struct ps_prompter *prompter, const char *name, size_t wanted,
                                   struct ps_error *error) {
    const struct ps_stage_context *context = prompter->context;
    const struct ps_dataset *dataset;
    PS_TRY(ps_dataset_get(context->catalog, name, &dataset, error));
    PS_FAIL_IF(wanted > dataset->count, error, PS_ARGUMENT, "%zu shots of '%s', which has %zu rows",
               wanted, name, dataset->count);
    size_t count = wanted < dataset->count ? wanted + 1 : wanted;
    uint32_t *order = ps_arena_array(context->arena, dataset->count, sizeof *order);
    prompter->shots = ps_arena_array(context->arena, count, sizeof *prompter->shots);
    prompter->shot_fields = ps_arena_array(context->arena, count, sizeof *prompter->shot_fields);
    PS_FAIL_IF(!order || !prompter->shots || !prompter->shot_fields, error, PS_MEMORY,
               "out of memory");
    ps_random_permutation(ps_random_key(context->seed, "shots"), order, (uint32_t)dataset->count);
    for (size_t i = 0; i < count; i++) {
        prompter->shots[i] = &dataset->rows[order[i]];
        PS_TRY(row_fields(prompter->shots[i], context->arena, &prompter->shot_fields[i], error));
    }
    prompter->shot_count = count;
    prompter->shots_wanted = wanted;
    return PS_OK;
}

/* What a prompt extends can be taken back with an empty text. */
static const char *not_empty(const char *text) {
    return text && *text ? text : NULL;
}

enum ps_status ps_prompter_open(struct ps_prompter *prompter,
                                const struct ps_stage_context *context,
                                const struct ps_pipeline_prompt *prompt,
                                const struct ps_prompter_model *model, struct ps_error *error) {
    static const struct ps_pipeline_prompt none = {.thinking = -1};
    if (!prompt) prompt = &none;
    int thinking = prompt->thinking < 0 && model ? model->thinking : prompt->thinking;
    const char *choice = prompt->template;
    *prompter = (struct ps_prompter){.context = context,
                                     .prompt = {.user = prompt->user,
                                                .system = not_empty(prompt->system),
                                                .prefill = not_empty(prompt->prefill),
                                                .thinking = ps_thinking_of(thinking)}};
    if (!choice && model) choice = model->template;
    if (choice || model)
        PS_TRY(ps_template_open(choice, model ? model->folder : NULL, context->date,
                                &prompter->template, error));
    prompter->prompt.template = prompter->template;
    if (!prompt->shots.dataset) return PS_OK;
    return choose_shots(prompter, prompt->shots.dataset,
                        (size_t)ps_integer_or(prompt->shots.count, 1), error);
}

void ps_prompter_close(struct ps_prompter *prompter) {
    ps_template_close(prompter->template);
    prompter->template = NULL;
}

struct ps_prompt ps_prompter_prompt(const struct ps_prompter *prompter,
                                    const struct ps_dataset_row *row) {
    struct ps_prompt prompt = prompter->prompt;
    if (!prompt.user) prompt.user = row->source->prompt ? row->source->prompt : "{question}";
    return prompt;
}

static bool is_same_row(const struct ps_dataset_row *a, const struct ps_dataset_row *b) {
    return a == b || (strcmp(a->source->dataset, b->source->dataset) == 0 &&
                      strcmp(a->source->split, b->source->split) == 0 && strcmp(a->id, b->id) == 0);
}

static enum ps_status shots_for(const struct ps_prompter *prompter,
                                const struct ps_dataset_row *row, struct ps_arena *arena,
                                struct ps_row **shots, struct ps_error *error) {
    size_t count = 0;
    *shots = ps_arena_array(arena, prompter->shots_wanted + 1, sizeof **shots);
    PS_FAIL_IF_NULL(*shots, error);
    for (size_t i = 0; i < prompter->shot_count && count < prompter->shots_wanted; i++)
        if (!is_same_row(prompter->shots[i], row)) (*shots)[count++] = prompter->shot_fields[i];
    PS_FAIL_IF(count < prompter->shots_wanted, error, PS_ARGUMENT,
               "the question is one of the shots, and their data set has no other row");
    return PS_OK;
}

static enum ps_status render(const struct ps_prompter *prompter, const struct ps_prompt *prompt,
                             const struct ps_dataset_row *row, struct ps_rendered_prompt *rendered,
                             struct ps_error *error) {
    struct ps_arena arena;
    struct ps_row fields, *shots;
    *rendered = (struct ps_rendered_prompt){0};
    ps_arena_init(&arena, 64 << 20);
    enum ps_status status = row_fields(row, &arena, &fields, error);
    if (status == PS_OK) status = shots_for(prompter, row, &arena, &shots, error);
    if (status == PS_OK)
        status = ps_prompt_render(prompt, &fields, shots, prompter->shots_wanted, rendered, error);
    ps_arena_release(&arena);
    if (status == PS_OK || !error) return status;
    return ps_error_prefix(error, "%s/%s, row %s", row->source->dataset, row->source->split,
                           row->id);
}

enum ps_status ps_prompter_render(const struct ps_prompter *prompter,
                                  const struct ps_dataset_row *row,
                                  struct ps_rendered_prompt *rendered, struct ps_error *error) {
    struct ps_prompt prompt = ps_prompter_prompt(prompter, row);
    return render(prompter, &prompt, row, rendered, error);
}

enum ps_status ps_prompter_ignores_thinking(const struct ps_prompter *prompter,
                                            const struct ps_dataset_row *row, bool *ignored,
                                            struct ps_error *error) {
    struct ps_prompt prompt = ps_prompter_prompt(prompter, row);
    struct ps_rendered_prompt on, off = {0};
    prompt.thinking = PS_THINKING_ON;
    enum ps_status status = render(prompter, &prompt, row, &on, error);
    prompt.thinking = PS_THINKING_OFF;
    if (status == PS_OK) status = render(prompter, &prompt, row, &off, error);
    *ignored = status == PS_OK && on.text.text.size == off.text.text.size &&
               memcmp(on.text.text.data, off.text.text.data, on.text.text.size) == 0;
    ps_rendered_prompt_release(&on);
    ps_rendered_prompt_release(&off);
    return status;
}

/* ---- items ---- */

/* The number an id ends in ("17", "1-17"). */
static int64_t row_number(const char *id) {
    size_t end = strlen(id), begin = end;
    while (begin > 0 && end - begin < 18 && id[begin - 1] >= '0' && id[begin - 1] <= '9') begin--;
    return begin < end ? strtoll(id + begin, NULL, 10) : 0;
}

enum ps_status ps_stage_item(const struct ps_dataset_row *row, struct ps_arena *arena,
                             struct ps_store_item *item, struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 1 << 20);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "id", row->id);
    if (row->level) {
        ps_json_put_integer(&writer, "level", row->level);
    }
    if (row->subject) {
        ps_json_put_string(&writer, "subject", row->subject);
    }
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    const char *extra = status == PS_OK ? ps_arena_strndup(arena, text.data, text.size) : NULL;
    ps_buffer_release(&text);
    PS_TRY(status);
    PS_FAIL_IF_NULL(extra, error);
    *item = (struct ps_store_item){.dataset = row->source->dataset,
                                   .split = row->source->split,
                                   .row = row_number(row->id),
                                   .gold = row->gold,
                                   .extra = extra};
    return PS_OK;
}
