/* potstill model init CONFIG --seed N --out DIR: a model with random weights. */
#include "pipelines/commands/commands_internal.h"

#include "base/file.h"
#include "hub/hub.h"
#include "model/model.h"

#include <stdio.h>

struct init_settings {
    int64_t seed;
    const char *out;
    int dtype;
};
#define AT(member) offsetof(struct init_settings, member)

static const char *const dtype_names[] = {"bf16", "f32", NULL};
static const enum ps_dtype dtypes[] = {PS_DTYPE_BF16, PS_DTYPE_F32};

static const struct ps_setting items[] = {
    {"seed", PS_SETTING_INTEGER, AT(seed), .fallback = "0", .minimum = 0, .maximum = 0x1p53,
     .help = "the same seed gives the same weights on any machine"},
    {"out", PS_SETTING_STRING, AT(out), .required = true, .argument = "DIR",
     .help = "the folder to write; it must not hold a model yet"},
    {"dtype", PS_SETTING_ENUM, AT(dtype), .fallback = "bf16", .names = dtype_names,
     .help = "type of the weights"},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("model init", "For potstill model init.", items, struct init_settings);

static enum ps_status report(const struct ps_call *call, const struct ps_parameters *parameters,
                             const struct init_settings *settings, struct ps_error *error) {
    if (!call->json) {
        printf("%s: %llu parameters, %s\n", settings->out, (unsigned long long)parameters->total,
               dtype_names[settings->dtype]);
        return PS_OK;
    }
    struct ps_buffer buffer;
    struct ps_json_writer json;
    ps_buffer_init(&buffer, 1 << 16);
    ps_json_writer_begin(&json, &buffer);
    ps_json_write_begin_object(&json);
    ps_json_put_string(&json, "path", settings->out);
    ps_json_put_integer(&json, "parameters", (int64_t)parameters->total);
    ps_json_put_integer(&json, "active_parameters", (int64_t)parameters->active);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(buffer.data);
    ps_buffer_release(&buffer);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct init_settings *settings = call->settings[0].values;
    struct ps_model_config *config = NULL;
    struct ps_parameters *parameters = NULL;
    const char *source;
    enum ps_status status;
    PS_TRY(ps_settings_require(call->settings, 1, "model init", error));
    char *weights = ps_path_join(call->arena, settings->out, "model.safetensors");
    PS_FAIL_IF_NULL(weights, error);
    PS_FAIL_IF(ps_file_exists(weights), error, PS_ARGUMENT,
               "%s is there already; choose another --out or remove it", weights);
    PS_TRY_DONE(ps_hub_find(call->arguments.items[0], call->arena, &source, error));
    PS_TRY_DONE(ps_model_config_open(&config, source, error));
    PS_TRY_DONE(ps_parameters_create(&parameters, config, error));
    PS_TRY_DONE(ps_model_write_random(settings->out, config, parameters, dtypes[settings->dtype],
                                      (uint64_t)settings->seed, error));
    PS_TRY_DONE(report(call, parameters, settings, error));
done:
    ps_parameters_release(parameters);
    ps_model_config_close(config);
    return status;
}

const struct ps_command ps_command_model_init = {
    .name = "model init",
    .synopsis = "CONFIG --out DIR",
    .help = "write a model with random weights",
    .details = "CONFIG is a config.json, or the folder of a model to take it from.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
