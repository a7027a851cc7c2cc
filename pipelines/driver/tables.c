/* The settings tables of a pipeline file's sections. */
#include "pipelines/driver/driver_internal.h"

#include <math.h>

static const char *const off_on[] = {"false", "true", NULL};
#define X(name, text) text,
static const char *const golds[] = {PS_DATASET_GOLD_MAP(X) NULL};
#undef X

/* Room for 2^53: every seed and count is exact in JSON readers that know doubles only. */
#define SEED_RANGE .minimum = 0, .maximum = 9007199254740992.0

#define AT(member) offsetof(struct ps_pipeline_prompt, member)
#define SHOTS(member)                                                                              \
    (offsetof(struct ps_pipeline_prompt, shots.member) - offsetof(struct ps_pipeline_prompt, shots))
static const struct ps_setting shots_items[] = {
    {"dataset", PS_SETTING_STRING, SHOTS(dataset), .refers = "dataset", .identity = true,
     .help = "where the worked examples come from"},
    {"count", PS_SETTING_INTEGER, SHOTS(count), .minimum = 1, .maximum = 1000, .identity = true,
     .help = "how many, chosen by seed"},
};
static const struct ps_settings_table shots_table = {
    "shots", "Worked examples before the question.", shots_items, 2,
    sizeof(((struct ps_pipeline_prompt *)0)->shots)};
static const struct ps_setting prompt_items[] = {
    {"extends", PS_SETTING_STRING, AT(extends), .refers = "prompt",
     .help = "another prompt, from which comes what this one leaves out"},
    {"user", PS_SETTING_STRING, AT(user), .identity = true,
     .help = "the user's message; {question} and other fields of the row are filled in"},
    {"system", PS_SETTING_STRING, AT(system), .identity = true, .help = "the system message"},
    {"prefill", PS_SETTING_STRING, AT(prefill), .identity = true,
     .help = "how the reply begins, such as \"<think>\\n\""},
    {"template", PS_SETTING_STRING, AT(template), .refers = "template",
     .help = "the chat template: chatml, none for plain text, or a file, looked for beside the "
             "pipeline and then from the working directory; by default the model's"},
    {"thinking", PS_SETTING_ENUM, AT(thinking), .names = off_on, .identity = true,
     .help = "what the template is told about thinking"},
    {"shots", PS_SETTING_TABLE, AT(shots), .table = &shots_table, .identity = true,
     .help = "worked examples before the question"},
};
const struct ps_settings_table ps_pipeline_prompt_table =
    PS_SETTINGS_TABLE("prompt", "A prompt: how a row of a data set becomes a conversation.",
                      prompt_items, struct ps_pipeline_prompt);
#undef AT

#define AT(member) offsetof(struct ps_pipeline_model, member)
static const struct ps_setting model_items[] = {
    {"path", PS_SETTING_STRING, AT(path),
     .help = "a Hugging Face folder, or the id of a model in the Hugging Face cache"},
    {"url", PS_SETTING_STRING, AT(url), .help = "of an OpenAI-style server, up to /v1"},
    {"name", PS_SETTING_STRING, AT(name), .identity = true,
     .help = "the name that a served model answers to"},
    {"api_key_env", PS_SETTING_STRING, AT(api_key_env),
     .help = "the environment variable that holds the server's key"},
    {"config", PS_SETTING_STRING, AT(config), .refers = "file",
     .help = "a config.json, to start from random weights"},
    {"tokenizer", PS_SETTING_STRING, AT(tokenizer), .refers = "file",
     .help = "a tokenizer.json, with config"},
    {"seed", PS_SETTING_INTEGER, AT(seed), "0", SEED_RANGE, .identity = true,
     .help = "of the random weights, with config"},
    {"thinking", PS_SETTING_ENUM, AT(thinking), .names = off_on, .identity = true,
     .help = "what its template is told about thinking where the prompt says nothing"},
};
const struct ps_settings_table ps_pipeline_model_table = PS_SETTINGS_TABLE(
    "model", "A model: one of `path`, `url`, `config`.", model_items, struct ps_pipeline_model);
#undef AT

#define AT(member) offsetof(struct ps_pipeline_dataset, member)
static const struct ps_setting dataset_items[] = {
    {"file", PS_SETTING_STRING, AT(file), .refers = "file",
     .help = "JSON lines, plain, .gz or .zst"},
    {"question", PS_SETTING_STRING, AT(question), .identity = true,
     .help = "the file's field with the question; a+b joins two"},
    {"answer", PS_SETTING_STRING, AT(answer), .identity = true,
     .help = "the field with the right answer"},
    {"solution", PS_SETTING_STRING, AT(solution), .identity = true,
     .help = "the field with a worked solution"},
    {"id", PS_SETTING_STRING, AT(id), .identity = true, .help = "the field with a stable id"},
    {"level", PS_SETTING_STRING, AT(level), .identity = true, .help = "the field with the level"},
    {"subject", PS_SETTING_STRING, AT(subject), .identity = true,
     .help = "the field with the subject"},
    {"gold", PS_SETTING_ENUM, AT(gold), "plain", .names = golds, .identity = true,
     .help = "how the right answer is read from its field"},
    {"profile", PS_SETTING_STRING, AT(profile), .identity = true, .help = "the grading profile"},
    {"prompt", PS_SETTING_STRING, AT(prompt), .identity = true,
     .help = "the default user message, with {question}"},
    {"test", PS_SETTING_BOOL, AT(test), "false", .identity = true,
     .help = "the file must never be trained on"},
    {"mix", PS_SETTING_NUMBER_MAP, AT(mix), .refers = "dataset", .minimum = 0, .maximum = INFINITY,
     .identity = true, .help = "other sets and the proportions of their rows"},
    {"from", PS_SETTING_STRING, AT(from), .refers = "dataset", .identity = true,
     .help = "another set, of which `sample` rows are taken out"},
    {"generator", PS_SETTING_STRING, AT(generator), .identity = true,
     .help = "a generated set such as arith/train"},
    {"seed", PS_SETTING_INTEGER, AT(seed), "0", SEED_RANGE, .identity = true,
     .help = "of the generator; 0: the set's own"},
    {"count", PS_SETTING_INTEGER, AT(count), "0", SEED_RANGE, .identity = true,
     .help = "rows to generate; 0: the set's own number"},
    {"sample", PS_SETTING_INTEGER, AT(sample), "0", SEED_RANGE, .identity = true,
     .help = "rows to keep, chosen by seed; 0: all"},
    {"decontaminate", PS_SETTING_STRINGS, AT(decontaminate), .refers = "dataset", .identity = true,
     .help = "sets whose questions must not occur"},
};
const struct ps_settings_table ps_pipeline_dataset_table =
    PS_SETTINGS_TABLE("dataset", "A data set: one of `file`, `mix`, `from`, `generator`.",
                      dataset_items, struct ps_pipeline_dataset);
#undef AT

#define AT(member) offsetof(struct ps_pipeline_values, member)
static const struct ps_setting pipeline_items[] = {
    {"potstill", PS_SETTING_INTEGER, AT(version), .minimum = 1, .maximum = 1, .required = true,
     .help = "the format's version, 1"},
    {"name", PS_SETTING_STRING, AT(name), .required = true,
     .help = "of the pipeline and its run directory"},
    {"seed", PS_SETTING_INTEGER, AT(seed), "0", SEED_RANGE, .identity = true,
     .help = "of everything random"},
    {"date", PS_SETTING_STRING, AT(date), .identity = true,
     .help = "what templates see as today, YYYY-MM-DD; by default the first run's day"},
    {"store", PS_SETTING_STRING, AT(store),
     .help = "the trace store; any number of pipelines share one; by default traces/NAME.db"},
    {"prompts", PS_SETTING_TABLE_MAP, AT(prompts), .table = &ps_pipeline_prompt_table,
     .help = "prompts by name"},
    {"models", PS_SETTING_TABLE_MAP, AT(models), .table = &ps_pipeline_model_table,
     .help = "models by name"},
    {"datasets", PS_SETTING_TABLE_MAP, AT(datasets), .table = &ps_pipeline_dataset_table,
     .help = "data sets by name; shipped ones need no entry"},
    {"stages", PS_SETTING_NODE, AT(stages), .required = true,
     .help = "the stages in their order, each `- kind: {settings}`"},
};
const struct ps_settings_table ps_pipeline_table = PS_SETTINGS_TABLE(
    "pipeline", "The top level of a pipeline file.", pipeline_items, struct ps_pipeline_values);
#undef AT

#define AT(member) offsetof(struct ps_stage_common, member)
static const struct ps_setting common_items[] = {
    {"id", PS_SETTING_STRING, AT(id),
     .help = "the stage's name, by default its kind; a train stage's names its model"},
    {"needs", PS_SETTING_STRINGS, AT(needs),
     .help = "the stages it takes its input from; by default every earlier one of a fitting kind"},
};
const struct ps_settings_table ps_stage_common_table =
    PS_SETTINGS_TABLE("stage", "What every stage has.", common_items, struct ps_stage_common);
