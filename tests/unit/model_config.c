/* Descriptions, parameter tables, RoPE frequencies, model folders there and back. */
#include "unit.h"

#include "base/elementary.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "model/model.h"
#include "tensor/safetensors.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static struct ps_error error;
static char folder[] = "/tmp/potstill-unit-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return ps_path_remove(folder, NULL) == PS_OK ? 0 : -1;
}

static const char *in_folder(const char *name) {
    static char path[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void write_text(const char *name, const char *text) {
    assert_ok(ps_file_write_atomic(in_folder(name), text, strlen(text), &error));
}

#define COMMON                                                                                     \
    "\"hidden_size\":24,\"num_hidden_layers\":3,\"vocab_size\":50,\"num_attention_heads\":4,"      \
    "\"num_key_value_heads\":2,\"head_dim\":8,\"intermediate_size\":40"
#define DENSE "{\"model_type\":\"qwen3\",\"kept\":{\"a\":[1,null]}," COMMON
#define SPARSE                                                                                     \
    "{\"model_type\":\"qwen3_moe\",\"num_experts\":5,\"num_experts_per_tok\":2,"                   \
    "\"moe_intermediate_size\":16,\"norm_topk_prob\":true,\"mlp_only_layers\":[1]," COMMON

static struct ps_model_config *open_text(const char *text) {
    struct ps_model_config *config;
    write_text("c.json", text);
    assert_ok(ps_model_config_open(&config, in_folder("c.json"), &error));
    return config;
}

static void description_follows_the_file(void **state) {
    (void)state;
    struct ps_model_config *config =
        open_text(SPARSE ",\"rope_theta\":5000.0,\"rope_scaling\":{\"type\":\"linear\","
                         "\"factor\":2},\"eos_token_id\":7,\"bos_token_id\":3,"
                         "\"router_aux_loss_coef\":0.01,\"torch_dtype\":\"float32\"}");
    assert_int_equal(config->head_size, 8);
    assert_int_equal(config->key_value_heads, 2);
    assert_int_equal(config->experts, 5);
    assert_true(config->layer_has_experts[0] && !config->layer_has_experts[1]);
    assert_true(config->normalise_weights && config->qk_norm && !config->qkv_bias);
    assert_float_equal(config->load_balance_coefficient, 0.01, 0);
    assert_int_equal(config->rope.scaling, PS_ROPE_SCALING_LINEAR);
    assert_float_equal(config->rope.theta, 5000, 0);
    assert_int_equal(config->end_count, 1);
    assert_int_equal(config->end_ids[0], 7);
    assert_int_equal(config->begin_id, 3);
    assert_int_equal(config->dtype, PS_DTYPE_F32);
    ps_model_config_close(config);

    config = open_text(DENSE ",\"rope_theta\":5.0,\"rope_parameters\":{\"rope_type\":\"default\","
                             "\"rope_theta\":1000000.0},\"dtype\":\"bfloat16\"}");
    assert_float_equal(config->rope.theta, 1e6, 0); /* inside the dictionary goes first */
    assert_int_equal(config->experts, 0);
    assert_int_equal(config->begin_id, -1);
    ps_model_config_close(config);
}

static void bad_descriptions_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{}", "model_type"},
        {"[]", "not a JSON object"},
        {"{\"model_type\":\"mamba\"}",
         "unknown architecture 'mamba' (model_type); known are qwen3, qwen3_moe"},
        {"{\"model_type\":\"qwen3\"}", "hidden_size"},
        {DENSE ",\"hidden_act\":\"gelu\"}", "hidden_act 'gelu'"},
        {DENSE ",\"use_sliding_window\":true}", "use_sliding_window"},
        {DENSE ",\"quantization_config\":{}}", "quantization_config"},
        {DENSE ",\"rope_scaling\":{\"rope_type\":\"yarn\"}}", "no factor"},
        {DENSE ",\"rope_scaling\":{\"rope_type\":\"dynamic\"}}", "rope type 'dynamic'"},
        {DENSE ",\"rope_theta\":-1}", "rope_theta"},
        {DENSE ",\"eos_token_id\":[1,50]}", "eos_token_id"},
        {DENSE ",\"torch_dtype\":\"int4\"}", "unknown dtype 'int4'"},
        {"{\"model_type\":\"qwen3_moe\"," COMMON "}", "num_local_experts"},
        {SPARSE ",\"num_experts\":0}", "duplicate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ps_model_config *config;
        write_text("bad.json", cases[i].text);
        enum ps_status status = ps_model_config_open(&config, in_folder("bad.json"), &error);
        if (ps_status_exit_code(status) != 2 || !strstr(error.message, cases[i].message) ||
            !strstr(error.message, "bad.json"))
            fail_msg("%s: %s: %s", cases[i].text, ps_status_name(status), error.message);
    }
}

static void table_is_contiguous_and_complete(void **state) {
    (void)state;
    struct ps_model_config *config = open_text(SPARSE "}");
    struct ps_parameters *all;
    assert_ok(ps_parameters_create(&all, config, &error));
    /* embedding, norm, head; 8 of attention and norms a layer; router and experts, or the block */
    assert_int_equal(all->count, 3 + 3 * 8 + 2 * (1 + 5 * 3) + 3);
    uint64_t offset = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct ps_parameter *item = &all->items[i];
        assert_int_equal(item->offset, offset);
        offset += item->count;
        assert_ptr_equal(ps_parameters_find(all, item->role, item->layer, item->expert), item);
    }
    assert_int_equal(all->total, offset);
    assert_int_equal(all->total - all->active, 2 * 3 * 3 * 16 * 24); /* 3 idle experts, 2 layers */
    const struct ps_parameter *up = ps_parameters_find(all, PS_PARAMETER_EXPERT_UP, 2, 4);
    assert_string_equal(up->name, "model.layers.2.mlp.experts.4.up_proj.weight");
    assert_int_equal(up->shape.dim[0], 16);
    assert_null(ps_parameters_find(all, PS_PARAMETER_EXPERT_UP, 1, 0));
    assert_null(ps_parameters_find(all, PS_PARAMETER_EXPERT_UP, 2, 5));
    assert_null(ps_parameters_find(all, PS_PARAMETER_QUERY, 3, -1));
    assert_null(ps_parameters_find(all, PS_PARAMETER_QUERY_BIAS, 0, -1));
    ps_parameters_release(all);
    ps_model_config_close(config);
}

static void real_model_has_its_size(void **state) {
    (void)state;
    const char *path = unit_shared("tokenizers/qwen3/config.json");
    if (!path) skip();
    struct ps_model_config *config;
    struct ps_parameters *all;
    assert_ok(ps_model_config_open(&config, path, &error));
    assert_ok(ps_parameters_create(&all, config, &error));
    assert_int_equal(all->total, 4022468096); /* Qwen3-4B */
    assert_true(config->tie_embeddings);
    ps_parameters_release(all);
    ps_model_config_close(config);
}

static void frequencies_agree(void **state) {
    (void)state;
    const char *path = unit_shared("golden/rope.json");
    if (!path) skip();
    json_t *root, *entry;
    const char *name;
    assert_ok(ps_json_read_file(path, 1 << 24, &root, &error));
    json_object_foreach(root, name, entry) {
        bool llama = strncmp(name, "llama", 5) == 0;
        const char *size = ps_json_get(entry, "head_dim") ? "head_dim" : "dim";
        struct ps_rope_config rope = {.scaling =
                                          llama ? PS_ROPE_SCALING_LLAMA3 : PS_ROPE_SCALING_YARN,
                                      .beta_fast = 32,
                                      .beta_slow = 1,
                                      .low_factor = 1,
                                      .high_factor = 4};
        assert_ok(ps_json_integer(entry, size, 1, 4096, &rope.rotary, &error));
        assert_ok(ps_json_number(entry, "rope_theta", &rope.theta, &error));
        assert_ok(ps_json_number(entry, "factor", &rope.factor, &error));
        assert_ok(ps_json_number(entry, "old", &rope.original_positions, &error));
        assert_ok(ps_json_bool_or(entry, "truncate", true, &rope.truncate, &error));
        double frequencies[64];
        ps_rope_frequencies(&rope, frequencies);
        json_t *golden = ps_json_get(entry, "inv_freq");
        assert_int_equal(json_array_size(golden), rope.rotary / 2);
        for (size_t i = 0; i < json_array_size(golden); i++) {
            double should = json_number_value(json_array_get(golden, i));
            if (fabs(frequencies[i] - should) > 2e-6 * should)
                fail_msg("%s[%zu]: %.9g instead of %.9g", name, i, frequencies[i], should);
        }
    }
    json_decref(root);
}

static void elementary_functions_are_close(void **state) {
    (void)state;
    for (double x = -650; x < 650; x += 0.37) {
        assert_true(fabs(ps_exp(x) - exp(x)) <= 4e-15 * exp(x));
        assert_true(fabs(ps_sin(x * 1000) - sin(x * 1000)) <= 1e-14);
        assert_true(fabs(ps_cos(x * 1000) - cos(x * 1000)) <= 1e-14);
    }
    for (double x = 1e-3; x < 1e9; x *= 1.01)
        assert_true(fabs(ps_log(x) - log(x)) <= 1e-15 * fabs(log(x)) + 1e-16);
    assert_true(ps_cos(0) == 1 && ps_sin(0) == 0);
}

static struct ps_hash hash_file(const char *name) {
    struct ps_hash hash;
    assert_ok(ps_hash_file(in_folder(name), &hash, &error));
    return hash;
}

static void random_models_read_back(void **state) {
    (void)state;
    struct ps_model_config *config = open_text(SPARSE ",\"torch_dtype\":\"bfloat16\"}");
    struct ps_parameters *all;
    assert_ok(ps_parameters_create(&all, config, &error));
    int threads = omp_get_max_threads();
    assert_ok(ps_model_write_random(in_folder("m"), config, all, PS_DTYPE_F32, 5, &error));
    struct ps_hash once = hash_file("m/model.safetensors");
    omp_set_num_threads(3);
    assert_ok(ps_model_write_random(in_folder("m"), config, all, PS_DTYPE_F32, 5, &error));
    omp_set_num_threads(threads);
    struct ps_hash again = hash_file("m/model.safetensors");
    assert_memory_equal(&once, &again, sizeof once);

    struct ps_model_files *files;
    assert_ok(ps_model_files_open(&files, in_folder("m"), &error));
    assert_int_equal(ps_model_files_config(files)->dtype, PS_DTYPE_F32);
    float *values = malloc(all->total * sizeof *values);
    assert_ok(ps_model_files_read(files, values, &error));
    const struct ps_parameter *down = ps_parameters_find(all, PS_PARAMETER_EXPERT_DOWN, 0, 3);
    double squares = 0;
    for (uint64_t i = 0; i < down->count; i++)
        squares += values[down->offset + i] * values[down->offset + i];
    double deviation = sqrt(squares / (double)down->count);
    assert_float_equal(deviation, 0.02 / sqrt(6), 0.0012);
    assert_float_equal(values[all->items[all->count - 2].offset], 1, 0); /* final norm */
    assert_ok(ps_model_write_values(in_folder("n"), config, all, PS_DTYPE_F32, values, &error));
    again = hash_file("n/model.safetensors");
    assert_memory_equal(&once, &again, sizeof once);
    assert_ok(ps_model_write_values(in_folder("n"), config, all, PS_DTYPE_BF16, values, &error));
    ps_model_files_close(files);
    assert_ok(ps_model_files_open(&files, in_folder("n"), &error));
    enum ps_dtype dtype;
    assert_non_null(ps_model_files_data(files, 0, &dtype));
    assert_int_equal(dtype, PS_DTYPE_BF16);
    ps_model_files_close(files);
    free(values);
    ps_parameters_release(all);
    ps_model_config_close(config);

    /* The folder's config says something else than its weights. */
    write_text("m/config.json", SPARSE ",\"attention_bias\":true}");
    assert_fails(ps_model_files_open(&files, in_folder("m"), &error), PS_FORMAT,
                 "q_proj.bias is missing");
    write_text("m/config.json", DENSE "}");
    assert_fails(ps_model_files_open(&files, in_folder("m"), &error), PS_FORMAT, "is missing");
}

/* The same weights with all experts of a layer in one tensor, gate and up stacked. */
static void packed_experts_are_found(void **state) {
    (void)state;
    struct ps_model_config *config = open_text(SPARSE "}");
    struct ps_parameters *all;
    struct ps_safetensors_tensor tensors[64];
    size_t count = 0;
    char names[4][64];
    assert_ok(ps_parameters_create(&all, config, &error));
    float *values = malloc(all->total * sizeof *values);
    float *back = malloc(all->total * sizeof *back);
    for (uint64_t i = 0; i < all->total; i++) values[i] = (float)i;
    for (size_t i = 0; i < all->count; i++) {
        const struct ps_parameter *item = &all->items[i];
        if (item->expert < 0)
            tensors[count++] =
                (struct ps_safetensors_tensor){.name = item->name, .shape = item->shape};
    }
    for (int i = 0; i < 4; i++) { /* layers 0 and 2: gate and up, then down */
        snprintf(names[i], sizeof names[i], "model.layers.%d.mlp.experts.%s", i / 2 * 2,
                 i % 2 ? "down_proj" : "gate_up_proj");
        struct ps_shape shape = {3, {5, i % 2 ? 24 : 32, i % 2 ? 16 : 24}};
        tensors[count++] = (struct ps_safetensors_tensor){.name = names[i], .shape = shape};
    }
    struct ps_safetensors_writer *writer;
    assert_ok(ps_model_config_write(config, in_folder("p"), PS_DTYPE_F32, &error));
    assert_ok(ps_safetensors_writer_begin(&writer, in_folder("p/model.safetensors"), tensors, count,
                                          &error));
    for (size_t i = 0; i < all->count; i++) {
        const struct ps_parameter *item = &all->items[i];
        if (item->expert < 0)
            assert_ok(ps_safetensors_writer_write(writer, values + item->offset, 4 * item->count,
                                                  &error));
    }
    for (int i = 0; i < 4; i++)
        for (size_t j = 0; j < all->count; j++) {
            const struct ps_parameter *item = &all->items[j];
            if (item->expert < 0 || item->layer != i / 2 * 2 ||
                (item->role == PS_PARAMETER_EXPERT_DOWN) != i % 2)
                continue;
            assert_ok(ps_safetensors_writer_write(writer, values + item->offset, 4 * item->count,
                                                  &error));
        }
    assert_ok(ps_safetensors_writer_commit(writer, &error));
    struct ps_model_files *files;
    assert_ok(ps_model_files_open(&files, in_folder("p"), &error));
    assert_ok(ps_model_files_read(files, back, &error));
    assert_memory_equal(values, back, all->total * sizeof *values);
    ps_model_files_close(files);
    free(values);
    free(back);
    ps_parameters_release(all);
    ps_model_config_close(config);
}

static void unknown_keys_are_kept(void **state) {
    (void)state;
    struct ps_model_config *config;
    write_text("config.json", DENSE ",\"torch_dtype\":\"float32\"}");
    write_text("generation_config.json", "{\"eos_token_id\":[9,8],\"top_k\":20}");
    assert_ok(ps_model_config_open(&config, folder, &error));
    assert_int_equal(config->end_count, 2);
    assert_int_equal(config->end_ids[0], 9);
    assert_ok(ps_model_config_write(config, in_folder("out"), PS_DTYPE_BF16, &error));
    ps_model_config_close(config);
    json_t *json, *kept;
    const char *dtype;
    assert_ok(ps_json_read_file(in_folder("out/config.json"), 1 << 16, &json, &error));
    assert_ok(ps_json_object(json, "kept", &kept, &error));
    assert_ok(ps_json_string(json, "torch_dtype", &dtype, &error));
    assert_string_equal(dtype, "bfloat16");
    const char *architecture =
        json_string_value(json_array_get(ps_json_get(json, "architectures"), 0));
    assert_string_equal(architecture, "Qwen3ForCausalLM");
    json_decref(json);
    assert_ok(ps_json_read_file(in_folder("out/generation_config.json"), 1 << 16, &json, &error));
    assert_int_equal(json_integer_value(json_object_get(json, "top_k")), 20);
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(description_follows_the_file),
        cmocka_unit_test(bad_descriptions_are_refused),
        cmocka_unit_test(table_is_contiguous_and_complete),
        cmocka_unit_test(real_model_has_its_size),
        cmocka_unit_test(frequencies_agree),
        cmocka_unit_test(elementary_functions_are_close),
        cmocka_unit_test(random_models_read_back),
        cmocka_unit_test(packed_experts_are_found),
        cmocka_unit_test(unknown_keys_are_kept),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
