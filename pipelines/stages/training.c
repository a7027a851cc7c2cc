#include "pipelines/stages/training.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "pipelines/stages/prompts.h"
#include "pipelines/stages/show.h"

#include <math.h>
#include <string.h>

/* ---- settings ---- */

enum precision { PRECISION_AUTO, PRECISION_F32, PRECISION_BF16 };
enum { KEEP_LAST, KEEP_BEST };

#define AT(member) offsetof(struct ps_train_validate, member)
static const struct ps_setting validate_items[] = {
    {"dataset", PS_SETTING_STRING, AT(dataset), .refers = "dataset", .identity = true,
     .help = "a set whose traces are held out of training"},
    {"every", PS_SETTING_INTEGER, AT(every), "0", .minimum = 0, .maximum = 1e9, .identity = true,
     .unit = "steps", .help = "how often; 0: only at the end"},
};
static const struct ps_settings_table validate_table = PS_SETTINGS_TABLE(
    "validate", "The loss on traces that are held out.", validate_items, struct ps_train_validate);
#undef AT

#define AT(member) offsetof(struct ps_train_settings, member)
static const char *const precisions[] = {"auto", "f32", "bf16", NULL};
static const char *const moment_types[] = {"f32", "bf16", NULL};
static const char *const keeps[] = {"last", "best", NULL};
static const char *const off_on[] = {"false", "true", NULL};
static const char *const overlong_names[] = {"drop", "truncate", "error", NULL};
static const struct ps_setting items[] = {
    {"model", PS_SETTING_STRING, AT(model), .refers = "model", .required = true, .identity = true,
     .help = "the model to start from"},
    {"epochs", PS_SETTING_NUMBER, AT(epochs), "3", .minimum = 0, .maximum = 1e4, .identity = true,
     .help = "times that each example is seen"},
    {"steps", PS_SETTING_INTEGER, AT(steps), "0", .minimum = 0, .maximum = 1e9, .identity = true,
     .help = "optimizer steps; 0: as epochs say"},
    {"batch", PS_SETTING_INTEGER, AT(batch), "64", .minimum = 1, .maximum = 1e6, .identity = true,
     .unit = "examples", .help = "examples of an optimizer step"},
    {"sequence_length", PS_SETTING_INTEGER, AT(sequence_length), "4096", .minimum = 2,
     .maximum = 1e6, .identity = true, .unit = "tokens",
     .help = "the longest example, and the row that examples are packed into"},
    {"overlong", PS_SETTING_ENUM, AT(overlong), "drop", .names = overlong_names, .identity = true,
     .help = "what becomes of longer examples"},
    {"test", PS_SETTING_BOOL, AT(test), .identity = true,
     .help = "allow questions of a test split, which are refused otherwise"},
    {"lr", PS_SETTING_NUMBER, AT(lr), "1e-5", .minimum = 0, .maximum = 10, .identity = true,
     .help = "the learning rate after the warm-up"},
    {"final_lr", PS_SETTING_NUMBER, AT(final_lr), "0.1", .minimum = 0, .maximum = 1,
     .identity = true, .help = "share of it that the cosine ends at"},
    {"warmup", PS_SETTING_NUMBER, AT(warmup), "0.03", .minimum = 0, .maximum = 1, .identity = true,
     .help = "share of the steps in which the learning rate rises"},
    {"weight_decay", PS_SETTING_NUMBER, AT(weight_decay), "0", .minimum = 0, .maximum = 10,
     .identity = true, .help = "of matrices"},
    {"beta1", PS_SETTING_NUMBER, AT(beta1), "0.9", .minimum = 0, .maximum = 0.9999,
     .identity = true, .help = "AdamW's decay of the first moment"},
    {"beta2", PS_SETTING_NUMBER, AT(beta2), "0.95", .minimum = 0, .maximum = 0.99999,
     .identity = true, .help = "AdamW's decay of the second moment"},
    {"epsilon", PS_SETTING_NUMBER, AT(epsilon), "1e-8", .minimum = 0, .maximum = 1,
     .identity = true, .help = "AdamW's epsilon"},
    {"clip", PS_SETTING_NUMBER, AT(clip), "1", .minimum = 0, .maximum = 1e6, .identity = true,
     .help = "the largest norm of a gradient; 0: no clipping"},
    {"load_balance", PS_SETTING_NUMBER, AT(balance), .minimum = 0, .maximum = 10, .identity = true,
     .help = "weight of the experts' balancing loss; by default the model's router_aux_loss_coef"},
    {"precision", PS_SETTING_ENUM, AT(precision), "auto", .names = precisions, .identity = true,
     .help = "of weights and activations; auto: the model's own"},
    {"moments", PS_SETTING_ENUM, AT(moments), "f32", .names = moment_types, .identity = true,
     .help = "type of AdamW's moments"},
    {"template", PS_SETTING_STRING, AT(template), .refers = "template",
     .help = "the student's chat template: chatml, none for plain text, or a file; by default the "
             "model's own, else the one that the traces' prompts name"},
    {"thinking", PS_SETTING_ENUM, AT(thinking), .names = off_on, .identity = true,
     .help = "what the student's template is told about thinking; by default what the prompt said"},
    {"validate", PS_SETTING_TABLE, AT(validate), .table = &validate_table, .identity = true,
     .help = "the loss on traces that are held out"},
    {"keep", PS_SETTING_ENUM, AT(keep), "last", .names = keeps, .identity = true,
     .help = "which weights the model has: the last ones, or those of the lowest validation loss"},
    {"checkpoint", PS_SETTING_DURATION, AT(checkpoint), "10m", .minimum = 0, .maximum = 1e6,
     .help = "time between checkpoints"},
    {"threads", PS_SETTING_INTEGER, AT(threads), "0", .minimum = 0, .maximum = 4096,
     .help = "threads; 0: one a core"},
};
const struct ps_settings_table ps_train_table = PS_SETTINGS_TABLE(
    "train", "Trains a model on the selected traces.", items, struct ps_train_settings);

/* ---- what a run works with ---- */

struct ps_train_options ps_training_options(const struct ps_training *train) {
    const struct ps_train_settings *s = train->settings;
    const struct ps_model_config *config = train->start.config;
    bool f32 = s->precision == PRECISION_F32 ||
               (s->precision == PRECISION_AUTO && config->dtype != PS_DTYPE_BF16);
    int64_t limit = train->context->limit;
    struct ps_train_options options = {
        .seed = train->context->seed,
        .epochs = s->epochs,
        .steps = s->steps,
        .batch = s->batch,
        .row_tokens = s->sequence_length,
        .learning_rate = s->lr,
        .final_share = s->final_lr,
        .warmup = s->warmup,
        .weight_decay = s->weight_decay,
        .beta1 = s->beta1,
        .beta2 = s->beta2,
        .epsilon = s->epsilon,
        .clip = s->clip,
        .balance = config->experts ? ps_number_or(s->balance, config->load_balance_coefficient) : 0,
        .format = f32 ? PS_WEIGHT_F32 : PS_WEIGHT_BF16,
        .moments = s->moments == 0 ? PS_DTYPE_F32 : PS_DTYPE_BF16,
        .validate_every = s->validate.every,
        .checkpoint_seconds = s->checkpoint};
    int64_t steps = ps_train_steps(&options, train->data.examples.count);
    if (limit && steps > limit) options.steps = limit;
    return options;
}

enum ps_status ps_training_open_start(struct ps_training *train, struct ps_error *error) {
    train->model.template = train->settings->template;
    train->model.date = train->context->date;
    return ps_train_start_open(&train->start, &train->model, error);
}

enum ps_status ps_training_open(struct ps_training *train, struct ps_error *error) {
    const struct ps_train_settings *settings = train->settings;
    PS_FAIL_IF(settings->keep == KEEP_BEST && !settings->validate.dataset, error, PS_ARGUMENT,
               "%s: 'keep: best' wants validate.dataset, which says what is best", train->name);
    PS_TRY(ps_training_open_start(train, error));
    PS_TRY(ps_train_start_find_template(&train->start, &train->traces, train->context->pipeline,
                                        error));
    struct ps_train_data_options options = {.thinking = ps_thinking_of(settings->thinking),
                                            .sequence_length = settings->sequence_length,
                                            .overlong = settings->overlong,
                                            .test = settings->test,
                                            .validation = settings->validate.dataset};
    return ps_train_data_open(&train->data, train->context, &train->traces, &train->start, &options,
                              error);
}

void ps_training_close(struct ps_training *train) {
    ps_train_data_close(&train->data);
    ps_train_start_close(&train->start);
}

/* ---- telling ---- */

static void on_resume(void *user, int64_t step, const char *note) {
    struct ps_training *train = user;
    if (note) ps_log_warning("%s", note);
    if (step > 0) ps_log_note("goes on from the checkpoint of step %lld", (long long)step);
    train->resumed = step;
}

static void write_metrics(const struct ps_stage_context *context,
                          const struct ps_train_progress *progress, double rate) {
    struct ps_json_writer *writer = ps_metrics_begin(context->metrics, "train");
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"loss", progress->loss},
                   {"lr", progress->learning_rate},
                   {"gradient_norm", progress->gradient_norm},
                   {"tokens_per_second", rate}};
    ps_json_put_integer(writer, "step", progress->step);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ps_json_put_number(writer, numbers[i].key, numbers[i].value);
    }
    if (progress->validated) {
        ps_json_put_number(writer, "validation_loss", progress->validation_loss);
    }
    struct ps_error error;
    if (ps_metrics_end(context->metrics, &error) != PS_OK) ps_log_warning("%s", error.message);
}

static void on_step(void *user, const struct ps_train_progress *progress) {
    struct ps_training *train = user;
    const struct ps_stage_context *context = train->context;
    double rate = progress->seconds > 0 ? (double)progress->tokens / progress->seconds : NAN;
    if (context->metrics) write_metrics(context, progress, rate);
    if (context->progress->done == 0 && context->progress->total == 0)
        ps_progress_begin(context->progress, train->name, "steps", (uint64_t)train->resumed,
                          (uint64_t)progress->steps);
    ps_progress_update(context->progress, (uint64_t)progress->step, "loss %.4f  %.0f tokens/s",
                       progress->loss, rate);
}

void ps_training_write_result(const struct ps_training *train, const struct ps_train_result *result,
                              struct ps_json_writer *writer) {
    const struct ps_example_counts *counts = &train->data.examples.counts;
    const struct {
        const char *key;
        int64_t value;
    } integers[] = {{"examples", train->data.examples.count},
                    {"validation_examples", train->data.validation.count},
                    {"cut", counts->cut},
                    {"overlong", counts->overlong},
                    {"tokens", counts->tokens},
                    {"targets", counts->targets},
                    {"steps", result->steps},
                    {"seen_tokens", result->seen_tokens},
                    {"best_step", result->best_step},
                    {"parameters", (int64_t)train->start.parameters->total}};
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"loss", result->loss},
                   {"validation_loss", result->validation_loss},
                   {"best_loss", result->best_loss}};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        ps_json_put_integer(writer, integers[i].key, integers[i].value);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ps_json_put_number(writer, numbers[i].key, numbers[i].value);
    }
}

int64_t ps_training_disk(const struct ps_training *train, const struct ps_train_options *options) {
    int64_t models = 1 + (train->data.validation.count > 0) + (int64_t)train->keep_count;
    return ps_train_disk(train->start.parameters, options, models);
}

/* ---- the run ---- */

/* What goes with the weights; where the best are kept they are those of model, too. */
static enum ps_status complete(void *user, const char *name, const char *path,
                               struct ps_error *error) {
    const struct ps_training *train = user;
    const struct ps_stage_context *context = train->context;
    if (train->settings->keep == KEEP_BEST && strcmp(name, "model") == 0) {
        const char *best = ps_path_join(context->arena, context->directory, "model-best");
        PS_FAIL_IF_NULL(best, error);
        PS_TRY(ps_train_copy_weights(best, path, error));
    }
    return ps_train_start_copy(&train->start, path, error);
}

/* Before the first step. What a run that was stopped has written is there already. */
static enum ps_status check_disk(const struct ps_training *train,
                                 const struct ps_train_options *options, struct ps_error *error) {
    const char *folder = train->context->directory;
    const char *checkpoints = ps_path_join(train->context->arena, folder, "checkpoints");
    PS_FAIL_IF_NULL(checkpoints, error);
    if (ps_directory_exists(checkpoints)) return PS_OK;
    int64_t bytes = ps_training_disk(train, options);
    return ps_stage_check_disk(folder, (struct ps_disk_need){bytes, bytes}, error);
}

enum ps_status ps_training_run(struct ps_training *train, struct ps_train_result *result,
                               struct ps_error *error) {
    const struct ps_stage_context *context = train->context;
    struct ps_compute *compute;
    PS_TRY(ps_compute_open(NULL, (int)train->settings->threads, &compute, error));
    struct ps_train_job job = {.compute = compute,
                               .config = train->start.config,
                               .files = train->start.files,
                               .seed = train->start.seed,
                               .examples = train->data.examples.items,
                               .example_count = train->data.examples.count,
                               .validation = train->data.validation.items,
                               .validation_count = train->data.validation.count,
                               .options = ps_training_options(train),
                               .folder = context->directory,
                               .keep = train->keep,
                               .keep_count = train->keep_count,
                               .complete = complete,
                               .step = on_step,
                               .resume = on_resume,
                               .context = train};
    enum ps_status status = check_disk(train, &job.options, error);
    if (status == PS_OK) status = ps_train(&job, result, error);
    ps_progress_end(context->progress);
    ps_compute_close(compute);
    return status;
}

/* ---- showing ---- */

enum ps_status ps_training_show_start(const struct ps_training *train, FILE *out,
                                      struct ps_error *error) {
    const struct ps_train_start *start = &train->start;
    int32_t token;
    size_t size;
    if (!start->template) {
        fprintf(out, "the student's template: that of the traces' prompts\n");
        return PS_OK;
    }
    PS_TRY(ps_train_end_token(start, &token, error));
    const char *choice = train->settings->template;
    if (!choice) choice = ps_template_choice(start->template);
    const char *bytes = ps_tokenizer_bytes(start->tokenizer, (uint32_t)token, &size);
    fprintf(out, "the student's template: %s; its replies end in %.*s (%d)\n",
            choice ? choice : "its own", (int)size, bytes ? bytes : "", token);
    return PS_OK;
}

enum ps_status ps_training_show(const struct ps_training *train, FILE *out,
                                struct ps_error *error) {
    const struct ps_example_counts *counts = &train->data.examples.counts;
    struct ps_train_options options = ps_training_options(train);
    PS_TRY(ps_training_show_start(train, out, error));
    fprintf(out,
            "%u examples of %lld traces, %lld with the teacher's own token ids: %lld tokens, %lld "
            "of them learnt; %lld replies cut, %lld examples too long; %u held out\n%lld steps\n"
            "the first example:\n",
            train->data.examples.count, (long long)counts->traces, (long long)counts->same_ids,
            (long long)counts->tokens, (long long)counts->targets, (long long)counts->cut,
            (long long)counts->overlong, train->data.validation.count,
            (long long)ps_train_steps(&options, train->data.examples.count));
    ps_show_example(out, train->start.tokenizer, &train->data.examples.items[0]);
    PS_FAIL_IF(ferror(out), error, PS_IO, "the example could not be written");
    return PS_OK;
}
