#include "teacher/local.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { DEFAULT_SEQUENCES = 64, DEFAULT_ROWS = 256 };

/* ---- opening ---- */

static enum ps_status check(const struct ps_local *local, const char *folder,
                            struct ps_error *error) {
    const struct ps_model_config *config = local->config;
    int64_t size = ps_tokenizer_size(local->tokenizer);
    PS_FAIL_IF(size > config->vocabulary, error, PS_FORMAT,
               "%s: the tokenizer has ids up to %lld, the model's vocabulary ends at %lld; they "
               "do not belong together",
               folder, (long long)size - 1, (long long)config->vocabulary - 1);
    for (size_t i = 0; i < config->end_count; i++)
        if (config->end_ids[i] >= 0 && config->end_ids[i] < size) return PS_OK;
    return ps_error_set(error, PS_FORMAT,
                        "%s: no end token of this tokenizer is named by eos_token_id in "
                        "generation_config.json or config.json; replies would never end",
                        folder);
}

static enum ps_weight_format format_of(const struct ps_model_config *config,
                                       enum ps_local_precision precision) {
    bool f32 =
        precision == PS_LOCAL_F32 || (precision == PS_LOCAL_AUTO && config->dtype == PS_DTYPE_F32);
    return f32 ? PS_WEIGHT_F32 : PS_WEIGHT_BF16;
}

enum ps_status ps_local_open(struct ps_local *local, const char *folder,
                             enum ps_local_precision precision, struct ps_error *error) {
    char absolute[PATH_MAX];
    *local = (struct ps_local){0};
    local->folder = ps_strdup(realpath(folder, absolute) ? absolute : folder);
    PS_FAIL_IF_NULL(local->folder, error);
    enum ps_status status = ps_model_files_open(&local->files, folder, error);
    if (status == PS_OK) status = ps_tokenizer_open(folder, &local->tokenizer, error);
    if (status == PS_OK) {
        local->config = ps_model_files_config(local->files);
        local->format = format_of(local->config, precision);
        status = check(local, folder, error);
    }
    if (status != PS_OK) ps_local_close(local);
    return status;
}

void ps_local_close(struct ps_local *local) {
    ps_generator_close(local->generator);
    ps_compute_close(local->compute);
    ps_tokenizer_close(local->tokenizer);
    ps_model_files_close(local->files);
    ps_free(local->folder);
    *local = (struct ps_local){0};
}

/* ---- starting ---- */

static int64_t quarter_of_memory(void) {
    int64_t pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? pages / 4 * size : (int64_t)1 << 30;
}

enum ps_status ps_local_start(struct ps_local *local, const struct ps_local_options *options,
                              struct ps_error *error) {
    int64_t sequences = options->sequences > 0 ? options->sequences : DEFAULT_SEQUENCES;
    int64_t rows = options->rows > 0 ? options->rows : DEFAULT_ROWS;
    int64_t most = local->config->max_positions;
    struct ps_generator_options engine = {
        .format = local->format,
        .sequences = sequences,
        .rows = rows > sequences ? rows : sequences,
        .positions =
            options->positions > 0 && options->positions < most ? options->positions : most,
        .cache_bytes = options->cache_bytes > 0 ? options->cache_bytes : quarter_of_memory(),
        .valid_vocabulary = ps_tokenizer_size(local->tokenizer),
    };
    PS_TRY(ps_compute_open(options->backend, options->threads, &local->compute, error));
    return ps_generator_open(local->compute, local->files, &engine, &local->generator, error);
}

/* ---- who answers ---- */

static int is_weights(const struct dirent *entry) {
    static const char end[] = ".safetensors";
    size_t size = strlen(entry->d_name);
    return size > strlen(end) && strcmp(entry->d_name + size - strlen(end), end) == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum ps_status hash_of(const char *folder, const char *name, struct ps_hash *hash,
                              struct ps_error *error) {
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 16);
    char *path = ps_path_join(&arena, folder, name);
    enum ps_status status = path ? ps_hash_file_cached(path, hash, error)
                                 : ps_error_set(error, PS_MEMORY, "out of memory");
    ps_arena_release(&arena);
    return status;
}

static enum ps_status weights_hash(const char *folder, struct ps_hash *hash,
                                   struct ps_error *error) {
    struct dirent **entries;
    struct ps_hash file;
    int count = scandir(folder, &entries, is_weights, by_bytes);
    PS_FAIL_IF(count < 0, error, PS_NOT_FOUND, "there is no model folder '%s'", folder);
    struct ps_hash_state *state = ps_hash_begin();
    enum ps_status status = state ? hash_of(folder, "config.json", &file, error)
                                  : ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK) ps_hash_update_field(state, file.bytes, sizeof file.bytes);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (status == PS_OK) status = hash_of(folder, name, &file, error);
        if (status == PS_OK) {
            ps_hash_update_field(state, name, strlen(name));
            ps_hash_update_field(state, file.bytes, sizeof file.bytes);
        }
        free(entries[i]);
    }
    free(entries);
    if (state) *hash = ps_hash_end(state);
    return status;
}

static void write_hash(struct ps_json_writer *writer, const char *key, const struct ps_hash *hash) {
    char hex[PS_HASH_HEX_SIZE];
    ps_json_put_string(writer, key, ps_hash_hex(hash, hex));
}

enum ps_status ps_local_source(const char *folder, enum ps_local_precision precision,
                               struct ps_buffer *json, struct ps_error *error) {
    struct ps_hash weights, tokenizer;
    struct ps_model_config *config;
    struct ps_json_writer writer;
    PS_TRY(weights_hash(folder, &weights, error));
    PS_TRY(hash_of(folder, "tokenizer.json", &tokenizer, error));
    PS_TRY(ps_model_config_open(&config, folder, error));
    ps_json_writer_begin(&writer, json);
    ps_json_write_begin_object(&writer);
    write_hash(&writer, "weights", &weights);
    write_hash(&writer, "tokenizer", &tokenizer);
    enum ps_status status = ps_template_write_source(folder, &writer, error);
    ps_json_put_string(&writer, "precision",
                       format_of(config, precision) == PS_WEIGHT_F32 ? "f32" : "bf16");
    ps_json_write_key(&writer, "end_ids");
    ps_json_write_begin_array(&writer);
    for (size_t i = 0; i < config->end_count; i++)
        ps_json_write_integer(&writer, config->end_ids[i]);
    ps_json_write_end_array(&writer);
    ps_json_write_end_object(&writer);
    ps_model_config_close(config);
    PS_TRY(status);
    return ps_json_writer_end(&writer, error);
}

enum ps_status ps_local_provenance(const struct ps_local *local, enum ps_thought thought,
                                   struct ps_buffer *json, struct ps_error *error) {
    struct ps_json_writer writer;
    struct utsname machine;
    bool known = uname(&machine) == 0;
    ps_json_writer_begin(&writer, json);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "engine", "potstill");
    ps_json_put_string(&writer, "version", PS_VERSION);
    ps_json_put_string(&writer, "backend", local->compute->name);
    ps_json_put_string(&writer, "kernels", local->compute->kernels);
    ps_json_put_integer(&writer, "threads", local->compute->threads);
    ps_json_put_string(&writer, "thinking", ps_thought_name(thought));
    ps_json_put_string(&writer, "model", local->folder);
    ps_json_put_string(&writer, "machine", known ? machine.nodename : NULL);
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
}
