/* config.json of a Hugging Face folder to struct ps_model_config.
 *
 * The raw JSON decides, never a class default where the key exists. The original is kept, so that
 * a student that is written back carries every key its base had. */
#include "model/config_internal.h"

#include "base/file.h"

#include <string.h>

enum { CONFIG_LIMIT = 16 << 20 }; /* bytes of a config.json */

static const struct ps_model_family *const families[] = {&ps_family_qwen3, &ps_family_qwen3_moe};
enum { FAMILIES = sizeof families / sizeof *families };

/* ---- shared by the families ---- */

static enum ps_status read_dtype(const json_t *json, enum ps_dtype *dtype, struct ps_error *error) {
    const char *name;
    PS_TRY(ps_json_string_or(json, "dtype", NULL, &name, error));
    if (!name) PS_TRY(ps_json_string_or(json, "torch_dtype", "bfloat16", &name, error));
    PS_FAIL_IF(!ps_dtype_from_name(name, dtype), error, PS_UNSUPPORTED, "unknown dtype '%.40s'",
               name);
    return PS_OK;
}

enum ps_status ps_config_read_common(const json_t *json, int64_t head_size_fallback,
                                     struct ps_model_config *config, struct ps_error *error) {
    const char *activation;
    const int64_t width = PS_CONFIG_MAX_WIDTH;
    PS_TRY(ps_json_integer(json, "hidden_size", 1, width, &config->hidden_size, error));
    PS_TRY(ps_json_integer(json, "num_hidden_layers", 1, PS_CONFIG_MAX_LAYERS, &config->layers,
                           error));
    PS_TRY(ps_json_integer(json, "vocab_size", 1, PS_CONFIG_MAX_VOCABULARY, &config->vocabulary,
                           error));
    PS_TRY(ps_json_integer_or(json, "max_position_embeddings", 1, PS_CONFIG_MAX_POSITIONS, 32768,
                              &config->max_positions, error));
    PS_TRY(ps_json_integer(json, "num_attention_heads", 1, 1 << 12, &config->heads, error));
    PS_TRY(ps_json_integer_or(json, "num_key_value_heads", 1, config->heads, config->heads,
                              &config->key_value_heads, error));
    PS_FAIL_IF(config->heads % config->key_value_heads != 0, error, PS_FORMAT,
               "num_attention_heads %lld is no multiple of num_key_value_heads %lld",
               (long long)config->heads, (long long)config->key_value_heads);
    if (head_size_fallback == 0) head_size_fallback = config->hidden_size / config->heads;
    PS_TRY(ps_json_integer_or(json, "head_dim", 2, 1 << 12, head_size_fallback, &config->head_size,
                              error));
    PS_FAIL_IF(config->head_size < 2 || config->head_size % 2 != 0, error, PS_FORMAT,
               "head_dim %lld is not even", (long long)config->head_size);
    PS_TRY(ps_json_integer(json, "intermediate_size", 1, width, &config->intermediate_size, error));
    PS_TRY(ps_json_number_or(json, "rms_norm_eps", 1e-6, &config->norm_epsilon, error));
    PS_TRY(ps_json_number_or(json, "initializer_range", 0.02, &config->initializer_range, error));
    PS_FAIL_IF(!(config->norm_epsilon >= 0) || !(config->initializer_range >= 0), error, PS_FORMAT,
               "rms_norm_eps and initializer_range must not be negative");
    PS_TRY(ps_json_bool_or(json, "tie_word_embeddings", false, &config->tie_embeddings, error));
    PS_TRY(ps_json_string_or(json, "hidden_act", "silu", &activation, error));
    PS_FAIL_IF(strcmp(activation, "silu") != 0, error, PS_UNSUPPORTED,
               "hidden_act '%.40s' is not supported, only 'silu'", activation);
    PS_FAIL_IF(ps_json_get(json, "quantization_config"), error, PS_UNSUPPORTED,
               "quantised checkpoints (quantization_config) are not supported");
    return read_dtype(json, &config->dtype, error);
}

/* ---- end and begin ids ---- */

static bool valid_id(const json_t *value, int64_t vocabulary) {
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) < vocabulary;
}

static enum ps_status read_ids(struct model_config *model, struct ps_error *error) {
    struct ps_model_config *config = &model->config;
    const json_t *end = ps_json_get(model->generation, "eos_token_id");
    const char *place = end ? "generation_config.json's " : "";
    if (!end) end = ps_json_get(model->json, "eos_token_id");
    size_t count = json_is_array(end) ? json_array_size(end) : end != NULL;
    int64_t *ids = ps_arena_array(&model->arena, count, sizeof *ids);
    PS_FAIL_IF_NULL(ids, error);
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_is_array(end) ? json_array_get(end, i) : end;
        PS_FAIL_IF(!valid_id(id, config->vocabulary), error, PS_FORMAT,
                   "%seos_token_id is not a token id below vocab_size %lld", place,
                   (long long)config->vocabulary);
        ids[i] = json_integer_value(id);
    }
    config->end_ids = ids;
    config->end_count = count;
    const json_t *begin = ps_json_get(model->json, "bos_token_id");
    config->begin_id = valid_id(begin, config->vocabulary) ? json_integer_value(begin) : -1;
    return PS_OK;
}

/* ---- opening ---- */

static enum ps_status choose_family(struct model_config *model, struct ps_error *error) {
    const char *type;
    PS_TRY(ps_json_string(model->json, "model_type", &type, error));
    char known[256] = "";
    for (size_t i = 0, used = 0; i < FAMILIES; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 families[i]->model_type);
        if (strcmp(type, families[i]->model_type) == 0) model->family = families[i];
    }
    PS_FAIL_IF(!model->family, error, PS_UNSUPPORTED,
               "unknown architecture '%.60s' (model_type); known are %s", type, known);
    model->config.model_type = model->family->model_type;
    model->config.architecture = model->family->architecture;
    return PS_OK;
}

static enum ps_status open_config(struct model_config *model, const char *path,
                                  struct ps_error *error) {
    const char *file = path;
    if (ps_directory_exists(path)) {
        file = ps_path_join(&model->arena, path, "config.json");
        char *generation = ps_path_join(&model->arena, path, "generation_config.json");
        PS_FAIL_IF_NULL(file && generation, error);
        if (ps_file_exists(generation)) {
            PS_TRY(ps_json_read_file(generation, CONFIG_LIMIT, &model->generation, error));
            PS_FAIL_IF(!json_is_object(model->generation), error, PS_FORMAT,
                       "%s: not a JSON object", generation);
        }
    }
    PS_TRY(ps_json_read_file(file, CONFIG_LIMIT, &model->json, error));
    PS_FAIL_IF(!json_is_object(model->json), error, PS_FORMAT, "%s: not a JSON object", file);
    enum ps_status status = choose_family(model, error);
    if (status == PS_OK)
        status = model->family->translate(model->json, &model->config, &model->arena, error);
    if (status == PS_OK) status = read_ids(model, error);
    return status == PS_OK ? PS_OK : ps_error_prefix(error, "%s", file);
}

enum ps_status ps_model_config_open(struct ps_model_config **config, const char *path,
                                    struct ps_error *error) {
    *config = NULL;
    struct model_config *model = ps_calloc(1, sizeof *model);
    PS_FAIL_IF_NULL(model, error);
    ps_arena_init(&model->arena, CONFIG_LIMIT);
    struct ps_error own; /* the prefix needs one */
    enum ps_status status = open_config(model, path, error ? error : &own);
    *config = &model->config;
    if (status == PS_OK) return PS_OK;
    ps_model_config_close(*config);
    *config = NULL;
    return status;
}

void ps_model_config_close(struct ps_model_config *config) {
    if (!config) return;
    struct model_config *model = (struct model_config *)config;
    json_decref(model->json);
    json_decref(model->generation);
    ps_arena_release(&model->arena);
    ps_free(model);
}

/* ---- writing ---- */

static enum ps_status write_json(json_t *json, const char *folder, const char *name,
                                 struct ps_error *error) {
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 16);
    struct ps_buffer text;
    ps_buffer_init(&text, 2 * CONFIG_LIMIT);
    enum ps_status status;
    char *path = ps_path_join(&arena, folder, name);
    PS_FAIL_DONE_IF_NULL(path, error);
    size_t size = json_dumpb(json, NULL, 0, JSON_INDENT(2));
    PS_FAIL_DONE_IF(size == 0 || !ps_buffer_reserve(&text, size + 1), error, PS_MEMORY,
                    "out of memory");
    text.size = json_dumpb(json, text.data, size, JSON_INDENT(2));
    text.data[text.size++] = '\n';
    PS_TRY_DONE(ps_file_write_atomic(path, text.data, text.size, error));
done:
    ps_buffer_release(&text);
    ps_arena_release(&arena);
    return status;
}

enum ps_status ps_model_config_write(const struct ps_model_config *config, const char *folder,
                                     enum ps_dtype dtype, struct ps_error *error) {
    const struct model_config *model = (const struct model_config *)config;
    const char *name = dtype == PS_DTYPE_F32 ? "float32" : "bfloat16";
    PS_TRY(ps_directory_create(folder, error));
    if (model->generation)
        PS_TRY(write_json(model->generation, folder, "generation_config.json", error));
    json_t *copy = json_copy(model->json);
    PS_FAIL_IF_NULL(copy, error);
    const char *key = json_object_get(copy, "dtype") ? "dtype" : "torch_dtype";
    enum ps_status status = PS_OK;
    bool set = json_object_set_new(copy, key, json_string(name)) == 0;
    /* Some engines choose by it; a hand-written config.json may lack it. */
    if (!ps_json_get(copy, "architectures"))
        set = set && json_object_set_new(copy, "architectures",
                                         json_pack("[s]", config->architecture)) == 0;
    if (!set)
        status = ps_error_set(error, PS_MEMORY, "out of memory");
    else
        status = write_json(copy, folder, "config.json", error);
    json_decref(copy);
    return status;
}
