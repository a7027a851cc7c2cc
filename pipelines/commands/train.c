/* potstill train: the train stage without a pipeline. */
#include "pipelines/commands/commands_internal.h"
#include "pipelines/commands/prompt_flags.h"

#include "base/file.h"
#include "hub/hub.h"
#include "pipelines/stages/training.h"

#include <stdio.h>
#include <string.h>

struct train_flags {
    const char *traces, *selection, *tokenizer, *out;
    const char *date;
    struct ps_strings dataset;
    int64_t seed;
};
#define AT(member) offsetof(struct train_flags, member)
static const struct ps_setting items[] = {
    {"traces", PS_SETTING_STRING, AT(traces), .required = true, .argument = "STORE",
     .help = "the store with the traces"},
    {"selection", PS_SETTING_STRING, AT(selection), .argument = "NAME",
     .help = "train on what this selection kept"},
    {"dataset", PS_SETTING_STRINGS, AT(dataset), .argument = "NAME[/SPLIT]",
     .help = "train on traces of these data sets' prompts"},
    {"tokenizer", PS_SETTING_STRING, AT(tokenizer), .argument = "PATH",
     .help = "of a model from random weights, whose --model is a config.json"},
    {"seed", PS_SETTING_INTEGER, AT(seed), "0", .minimum = 0, .maximum = 0x1p53,
     .help = "of the examples' order, and of random weights"},
    {"date", PS_SETTING_STRING, AT(date), .argument = "YYYY-MM-DD",
     .help = "what the student's template takes for today"},
    {"out", PS_SETTING_STRING, AT(out), .required = true, .argument = "DIR",
     .help = "where model, model-best and checkpoints go"},
};
#undef AT
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("train", "For potstill train.", items, struct train_flags);

static enum ps_status make_filters(const struct ps_call *call, const struct train_flags *flags,
                                   struct ps_train_traces *traces, struct ps_error *error) {
    size_t count = flags->dataset.count ? flags->dataset.count : 1;
    struct ps_store_filter *filters = ps_arena_array(call->arena, count, sizeof *filters);
    PS_FAIL_IF_NULL(filters, error);
    for (size_t i = 0; i < count; i++) filters[i].selection = flags->selection;
    for (size_t i = 0; i < flags->dataset.count; i++) {
        const char *name = flags->dataset.items[i], *slash = strchr(name, '/');
        filters[i].split = slash ? slash + 1 : NULL;
        filters[i].dataset = ps_arena_strndup(call->arena, name, strcspn(name, "/"));
        PS_FAIL_IF_NULL(filters[i].dataset, error);
    }
    *traces = (struct ps_train_traces){.store = flags->traces, .filters = filters, .count = count};
    return PS_OK;
}

static enum ps_status print(const struct ps_call *call, const struct ps_training *train,
                            const struct ps_train_result *result, struct ps_error *error) {
    const char *out = train->context->directory;
    if (!call->json) {
        printf("%s/model: %lld steps on %u examples, loss %.4f\n", out, (long long)result->steps,
               train->data.examples.count, result->loss);
        if (result->best_step)
            printf("%s/model-best: step %lld, validation loss %.4f\n", out,
                   (long long)result->best_step, result->best_loss);
        return PS_OK;
    }
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 1 << 16);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "out", out);
    ps_training_write_result(train, result, &writer);
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct ps_train_settings *settings = call->settings[0].values;
    const struct train_flags *flags = call->settings[1].values;
    struct ps_progress progress = {0};
    struct ps_train_result result;
    PS_TRY(ps_settings_require(call->settings, 2, "train", error));
    struct ps_stage_context context = {.directory = flags->out,
                                       .seed = (uint64_t)flags->seed,
                                       .progress = &progress,
                                       .arena = call->arena};
    struct ps_training train = {.context = &context, .settings = settings, .name = "train"};
    if (flags->tokenizer)
        train.model = (struct ps_train_model){
            .config = settings->model, .tokenizer = flags->tokenizer, .seed = context.seed};
    else
        PS_TRY(ps_hub_find(settings->model, call->arena, &train.model.path, error));
    PS_TRY(ps_flag_date(flags->date, call->arena, &context.date, error));
    PS_TRY(make_filters(call, flags, &train.traces, error));
    PS_TRY(ps_dataset_catalog_open(&context.catalog, NULL, 0, context.seed, error));
    enum ps_status status = ps_training_open(&train, error);
    if (status == PS_OK) status = ps_training_run(&train, &result, error);
    if (status == PS_OK) status = print(call, &train, &result, error);
    ps_training_close(&train);
    ps_dataset_catalog_close(context.catalog);
    return status;
}

const struct ps_command ps_command_train = {
    .name = "train",
    .synopsis = "--model MODEL --traces STORE --out DIR",
    .help = "train a model on the traces of a store",
    .details =
        "Without --selection and --dataset all traces are trained on. A run that was "
        "stopped, or\nkilled, goes on where it was when the same command is given again. Stopping "
        "throws the step at\nhand away and keeps those before it in a checkpoint; of a large "
        "model it has gigabytes, which\ntake longer to write than the two seconds in which "
        "all else stops. A second signal does not\nwait for it: the next run goes on from the "
        "checkpoint before, as after a kill.",
    .tables = {&ps_train_table, &table},
    .minimum_arguments = 0,
    .maximum_arguments = 0,
    .run = run,
};
