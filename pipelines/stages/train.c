/* The train stage: the selected traces become examples, a model is trained on them, and the result
 * is a Hugging Face folder that carries tokenizer, template and end token it was trained with. */

#include "pipelines/stages/stages_internal.h"
#include "pipelines/stages/training.h"

#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

/* ---- what the pipeline says ---- */

/* "student@500" in a later stage: the weights of step 500 are kept. A smoke run that ends before
 * keeps its last. */
static enum ps_status find_keeps(struct ps_training *train, struct ps_error *error) {
    const struct ps_stage_context *context = train->context;
    int64_t *steps, limit = context->limit;
    PS_TRY(ps_pipeline_model_steps(context->pipeline, context->stage, context->arena, &steps,
                                   &train->keep_count, error));
    struct ps_train_keep *keep = ps_arena_array(context->arena, train->keep_count, sizeof *keep);
    PS_FAIL_IF_NULL(keep, error);
    for (size_t i = 0; i < train->keep_count; i++) {
        int64_t step = limit && steps[i] > limit ? limit : steps[i];
        keep[i].step = step;
        keep[i].name = ps_arena_format(context->arena, "model-%lld", (long long)steps[i]);
        PS_FAIL_IF_NULL(keep[i].name, error);
        PS_FAIL_IF(!limit && train->settings->steps && step > train->settings->steps, error,
                   PS_ARGUMENT, "'%s@%lld' is asked for; the stage has %lld steps",
                   context->stage->id, (long long)step, (long long)train->settings->steps);
    }
    train->keep = keep;
    return PS_OK;
}

/* Whether a select stage among the inputs has taken these traces already: its choice counts. */
static bool is_selected_from(const struct ps_stage *stage, const struct ps_stage *import) {
    for (size_t i = 0; i < stage->input_count; i++) {
        const struct ps_stage *input = stage->inputs[i];
        for (size_t j = 0; j < input->input_count && !input->kind->makes_model; j++)
            if (input->inputs[j] == import) return true;
    }
    return false;
}

static enum ps_status find_traces(struct ps_training *train, struct ps_error *error) {
    const struct ps_stage *stage = train->context->stage;
    struct ps_store_filter *filters =
        ps_arena_array(train->context->arena, stage->input_count, sizeof *filters);
    PS_FAIL_IF_NULL(filters, error);
    train->traces = (struct ps_train_traces){.store = train->context->pipeline->values.store,
                                             .filters = filters};
    for (size_t i = 0; i < stage->input_count; i++)
        if (!stage->inputs[i]->kind->makes_model && /* that one it starts from */
            !is_selected_from(stage, stage->inputs[i]))
            filters[train->traces.count++].selection = stage->inputs[i]->fingerprint;
    PS_FAIL_IF(train->traces.count == 0, error, PS_ARGUMENT,
               "there is no select or import stage before '%s' to take traces from", stage->id);
    return PS_OK;
}

/* All of `train` but the model's files and the examples. */
static enum ps_status prepare(struct ps_training *train, const struct ps_stage_context *context,
                              struct ps_error *error) {
    struct ps_model_reference model;
    *train = (struct ps_training){
        .context = context, .settings = context->settings, .name = context->stage->id};
    PS_TRY(find_traces(train, error));
    PS_TRY(find_keeps(train, error));
    PS_TRY(ps_pipeline_resolve_model(context->pipeline, train->settings->model, context->arena,
                                     &model, error));
    PS_FAIL_IF(model.model && model.model->url, error, PS_UNSUPPORTED,
               "'%s' is served; a model to train must be a folder", model.name);
    train->model.path = model.path;
    if (model.path || !model.model) return PS_OK;
    train->model = (struct ps_train_model){.config = model.model->config,
                                           .tokenizer = model.model->tokenizer,
                                           .seed = (uint64_t)model.model->seed};
    return PS_OK;
}

/* Whether everything that the stage starts from is there already. */
static bool inputs_are_done(const struct ps_stage *stage) {
    for (size_t i = 0; i < stage->input_count; i++)
        if (!ps_stage_is_done(stage->inputs[i])) return false;
    return true;
}

/* ---- the stage ---- */

static enum ps_status write_result(const struct ps_training *train,
                                   const struct ps_train_result *result, struct ps_error *error) {
    struct ps_stage_result file;
    ps_stage_result_begin(&file);
    ps_training_write_result(train, result, &file.writer);
    return ps_stage_result_end(&file, train->context, error);
}

static enum ps_status run(const struct ps_stage_context *context, struct ps_error *error) {
    struct ps_training train;
    struct ps_train_result result;
    PS_TRY(prepare(&train, context, error));
    enum ps_status status = ps_training_open(&train, error);
    if (status == PS_OK) status = ps_training_run(&train, &result, error);
    if (status == PS_OK) status = write_result(&train, &result, error);
    ps_training_close(&train);
    return status;
}

static enum ps_status check(const struct ps_stage_context *context, struct ps_error *error) {
    struct ps_training train;
    struct ps_model_reference model;
    PS_TRY(prepare(&train, context, error));
    PS_TRY(ps_pipeline_resolve_model(context->pipeline, train.settings->model, context->arena,
                                     &model, error));
    if (model.stage) return PS_OK; /* made by an earlier stage */
    enum ps_status status = ps_training_open_start(&train, error);
    ps_training_close(&train);
    return status;
}

static enum ps_status show(const struct ps_stage_context *context, FILE *out,
                           struct ps_error *error) {
    struct ps_training train;
    PS_TRY(prepare(&train, context, error));
    bool done = inputs_are_done(context->stage);
    bool made = done || train.model.config || ps_directory_exists(train.model.path);
    enum ps_status status = PS_OK;
    if (done) {
        status = ps_training_open(&train, error);
        if (status == PS_OK) status = ps_training_show(&train, out, error);
    } else if (made) {
        status = ps_training_open_start(&train, error);
        if (status == PS_OK) status = ps_training_show_start(&train, out, error);
    }
    ps_training_close(&train);
    if (!done) fputs("the first example is shown once the stages before have run\n", out);
    return status;
}

/* Weights of a step that a stage refers to since. */
static bool lacks_a_step(const struct ps_training *train, struct ps_stage_plan *plan) {
    for (size_t i = 0; i < train->keep_count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", train->context->directory, train->keep[i].name);
        if (ps_directory_exists(path)) continue;
        ps_stage_plan_why(plan, "the weights of step %lld were not kept",
                          (long long)train->keep[i].step);
        return true;
    }
    return false;
}

static enum ps_status plan(const struct ps_stage_context *context, struct ps_stage_plan *plan,
                           struct ps_error *error) {
    struct ps_training train;
    PS_TRY(prepare(&train, context, error));
    if (plan->up_to_date && lacks_a_step(&train, plan)) plan->up_to_date = false;
    if (plan->up_to_date || !inputs_are_done(context->stage)) return PS_OK;
    enum ps_status status = ps_training_open(&train, error);
    if (status == PS_OK) {
        struct ps_train_options options = ps_training_options(&train);
        const struct ps_examples *examples = &train.data.examples;
        double epochs = (double)ps_train_steps(&options, examples->count) * (double)options.batch /
                        (double)examples->count;
        plan->tokens = (int64_t)((double)examples->counts.tokens * epochs);
        plan->memory = ps_train_memory(train.start.config, train.start.parameters, &options);
        plan->disk = ps_training_disk(&train, &options);
    }
    ps_training_close(&train);
    return status;
}

static const char *const consumes[] = {"select", "import", NULL};

const struct ps_stage_kind ps_stage_train = {
    .name = "train",
    .help = "trains a model on the selected traces",
    .settings = &ps_train_table,
    .consumes = consumes,
    .makes_model = true,
    .check = check,
    .plan = plan,
    .show = show,
    .run = run,
};
