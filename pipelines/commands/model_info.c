/* potstill model info PATH: what a model is and how large. */
#include "pipelines/commands/commands_internal.h"

#include "base/file.h"
#include "hub/hub.h"
#include "model/model.h"

#include <stdio.h>

struct info_settings {
    bool tensors;
};
static const struct ps_setting items[] = {
    {"tensors", PS_SETTING_BOOL, offsetof(struct info_settings, tensors),
     .help = "list every parameter with its shape"},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("model info", "For potstill model info.", items, struct info_settings);

/* A model's description, with its files when PATH is a folder that has weights. */
struct subject {
    struct ps_model_files *files; /* or NULL */
    struct ps_model_config *own_config;
    struct ps_parameters *own_parameters;
    const struct ps_model_config *config;
    const struct ps_parameters *parameters;
};

static enum ps_status open_subject(struct subject *subject, struct ps_call *call,
                                   struct ps_error *error) {
    const char *path;
    PS_TRY(ps_hub_find(call->arguments.items[0], call->arena, &path, error));
    char *single = ps_path_join(call->arena, path, "model.safetensors");
    char *index = ps_path_join(call->arena, path, "model.safetensors.index.json");
    PS_FAIL_IF_NULL(single && index, error);
    if (ps_file_exists(single) || ps_file_exists(index)) {
        PS_TRY(ps_model_files_open(&subject->files, path, error));
        subject->config = ps_model_files_config(subject->files);
        subject->parameters = ps_model_files_parameters(subject->files);
        return PS_OK;
    }
    PS_TRY(ps_model_config_open(&subject->own_config, path, error));
    PS_TRY(ps_parameters_create(&subject->own_parameters, subject->own_config, error));
    subject->config = subject->own_config;
    subject->parameters = subject->own_parameters;
    return PS_OK;
}

static void close_subject(struct subject *subject) {
    ps_model_files_close(subject->files);
    ps_parameters_release(subject->own_parameters);
    ps_model_config_close(subject->own_config);
}

static uint64_t weight_bytes(const struct subject *subject) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < subject->parameters->count; i++) {
        enum ps_dtype dtype = subject->config->dtype;
        if (subject->files) ps_model_files_data(subject->files, i, &dtype);
        bytes += subject->parameters->items[i].count * ps_dtype_size(dtype);
    }
    return bytes;
}

/* ---- JSON ---- */

static void boolean(struct ps_json_writer *json, const char *key, bool value) {
    ps_json_put_bool(json, key, value);
}

static void write_tensors(struct ps_json_writer *json, const struct subject *subject) {
    ps_json_write_key(json, "tensors");
    ps_json_write_begin_array(json);
    for (size_t i = 0; i < subject->parameters->count; i++) {
        const struct ps_parameter *parameter = &subject->parameters->items[i];
        ps_json_write_begin_object(json);
        ps_json_put_string(json, "name", parameter->name);
        ps_json_write_key(json, "shape");
        ps_json_write_begin_array(json);
        for (int j = 0; j < parameter->shape.rank; j++)
            ps_json_write_integer(json, (int64_t)parameter->shape.dim[j]);
        ps_json_write_end_array(json);
        ps_json_write_end_object(json);
    }
    ps_json_write_end_array(json);
}

static enum ps_status print_json(const struct subject *subject, bool tensors,
                                 struct ps_error *error) {
    const struct ps_model_config *config = subject->config;
    struct ps_buffer buffer;
    struct ps_json_writer json;
    ps_buffer_init(&buffer, SIZE_MAX / 2);
    ps_json_writer_begin(&json, &buffer);
    ps_json_write_begin_object(&json);
    ps_json_put_string(&json, "model_type", config->model_type);
    ps_json_put_string(&json, "architecture", config->architecture);
    boolean(&json, "weights", subject->files != NULL);
    ps_json_put_string(&json, "dtype", ps_dtype_name(config->dtype));
    ps_json_put_integer(&json, "parameters", (int64_t)subject->parameters->total);
    ps_json_put_integer(&json, "active_parameters", (int64_t)subject->parameters->active);
    ps_json_put_integer(&json, "bytes", (int64_t)weight_bytes(subject));
    ps_json_put_integer(&json, "layers", config->layers);
    ps_json_put_integer(&json, "hidden_size", config->hidden_size);
    ps_json_put_integer(&json, "intermediate_size", config->intermediate_size);
    ps_json_put_integer(&json, "heads", config->heads);
    ps_json_put_integer(&json, "key_value_heads", config->key_value_heads);
    ps_json_put_integer(&json, "head_size", config->head_size);
    ps_json_put_integer(&json, "vocabulary", config->vocabulary);
    ps_json_put_integer(&json, "max_positions", config->max_positions);
    boolean(&json, "tied_embeddings", config->tie_embeddings);
    ps_json_put_integer(&json, "experts", config->experts);
    ps_json_put_integer(&json, "experts_per_token", config->experts_per_token);
    ps_json_put_integer(&json, "expert_intermediate_size", config->expert_intermediate_size);
    ps_json_write_key(&json, "end_ids");
    ps_json_write_begin_array(&json);
    for (size_t i = 0; i < config->end_count; i++) ps_json_write_integer(&json, config->end_ids[i]);
    ps_json_write_end_array(&json);
    if (tensors) write_tensors(&json, subject);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(buffer.data);
    ps_buffer_release(&buffer);
    return status;
}

/* ---- text ---- */

static void print_text(const struct subject *subject, bool tensors) {
    const struct ps_model_config *config = subject->config;
    const struct ps_parameters *parameters = subject->parameters;
    int64_t sparse = 0;
    for (int64_t i = 0; i < config->layers; i++) sparse += config->layer_has_experts[i];
    printf("architecture     %s (%s)\n", config->architecture, config->model_type);
    printf("parameters       %llu", (unsigned long long)parameters->total);
    if (config->experts > 0)
        printf(", %llu active for a token", (unsigned long long)parameters->active);
    printf("\nweights          %s, %.1f MB%s\n", ps_dtype_name(config->dtype),
           (double)weight_bytes(subject) / 1e6, subject->files ? "" : " (not there)");
    printf("layers           %lld, hidden size %lld\n", (long long)config->layers,
           (long long)config->hidden_size);
    printf("attention        %lld heads of %lld, %lld for keys and values%s\n",
           (long long)config->heads, (long long)config->head_size,
           (long long)config->key_value_heads, config->qk_norm ? ", queries and keys normed" : "");
    if (sparse < config->layers)
        printf("feed-forward     %lld wide in %lld layers\n", (long long)config->intermediate_size,
               (long long)(config->layers - sparse));
    if (sparse > 0)
        printf("experts          %lld, %lld for a token, %lld wide, in %lld layers\n",
               (long long)config->experts, (long long)config->experts_per_token,
               (long long)config->expert_intermediate_size, (long long)sparse);
    printf("vocabulary       %lld, embedding and head %s\n", (long long)config->vocabulary,
           config->tie_embeddings ? "tied" : "apart");
    printf("positions        %lld, RoPE theta %g\n", (long long)config->max_positions,
           config->rope.theta);
    printf("end tokens      ");
    for (size_t i = 0; i < config->end_count; i++) printf(" %lld", (long long)config->end_ids[i]);
    puts(config->end_count ? "" : " none");
    char shape[PS_SHAPE_TEXT_SIZE];
    for (size_t i = 0; tensors && i < parameters->count; i++)
        printf("%s %s\n", parameters->items[i].name,
               ps_shape_text(&parameters->items[i].shape, shape));
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct info_settings *settings = call->settings[0].values;
    struct subject subject = {0};
    enum ps_status status = open_subject(&subject, call, error);
    if (status == PS_OK && call->json)
        status = print_json(&subject, settings->tensors, error);
    else if (status == PS_OK)
        print_text(&subject, settings->tensors);
    close_subject(&subject);
    return status;
}

const struct ps_command ps_command_model_info = {
    .name = "model info",
    .synopsis = "PATH",
    .help = "describe a model: its kind, shape and size",
    .details = "PATH is a model's folder, a config.json, or the id of a model in the Hugging Face "
               "cache. The\nweights of a folder are checked against its config.json.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
