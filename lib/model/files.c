/* Model folders: the parameter table joined with the tensors of a checkpoint, and the way back. */
#include "model/config_internal.h"

#include "base/file.h"
#include "base/stop.h"
#include "tensor/safetensors.h"

#include <string.h>

enum { CHUNK = 1 << 20 }; /* elements converted and written at a time */

struct located {
    const uint8_t *data;
    enum ps_dtype dtype;
};

struct ps_model_files {
    struct ps_model_config *config;
    struct ps_parameters *parameters;
    struct ps_safetensors_folder *folder;
    struct ps_arena arena;
    struct located *located; /* [parameters->count] */
};

/* An expert's matrix inside a tensor that holds those of all experts: [E, outputs, inputs], where
 * outputs are those of gate and up together. */
static enum ps_status locate_packed(const struct ps_model_files *files,
                                    const struct ps_parameter *parameter,
                                    const struct ps_safetensors_tensor *tensor,
                                    struct located *located, struct ps_error *error) {
    bool down = parameter->role == PS_PARAMETER_EXPERT_DOWN;
    uint64_t stacked = down ? 1 : 2;
    struct ps_shape wanted = {3,
                              {(uint64_t)files->config->experts, stacked * parameter->shape.dim[0],
                               parameter->shape.dim[1]}};
    char is[PS_SHAPE_TEXT_SIZE], should[PS_SHAPE_TEXT_SIZE];
    PS_FAIL_IF(!ps_shape_equal(&tensor->shape, &wanted), error, PS_FORMAT,
               "tensor %s has shape %s instead of %s", tensor->name,
               ps_shape_text(&tensor->shape, is), ps_shape_text(&wanted, should));
    uint64_t matrix = stacked * (uint64_t)parameter->expert;
    if (parameter->role == PS_PARAMETER_EXPERT_UP) matrix++;
    located->dtype = tensor->dtype;
    located->data = tensor->data + matrix * parameter->count * ps_dtype_size(tensor->dtype);
    return PS_OK;
}

static enum ps_status locate(struct ps_model_files *files, size_t index, struct ps_error *error) {
    const struct ps_parameter *parameter = &files->parameters->items[index];
    struct located *located = &files->located[index];
    const struct ps_safetensors_tensor *tensor =
        ps_safetensors_folder_find(files->folder, parameter->name);
    if (!tensor) {
        const struct ps_parameter_name *name =
            ps_family_name(ps_model_config_family(files->config), parameter->role);
        struct ps_arena arena;
        ps_arena_init(&arena, 4096);
        const char *packed =
            name->packed ? ps_parameter_format(&arena, name->packed, parameter->layer, -1) : NULL;
        if (name->packed && !packed) {
            ps_arena_release(&arena);
            return ps_error_set(error, PS_MEMORY, "out of memory");
        }
        if (packed) tensor = ps_safetensors_folder_find(files->folder, packed);
        ps_arena_release(&arena);
        PS_FAIL_IF(!tensor, error, PS_FORMAT, "tensor %s is missing", parameter->name);
        return locate_packed(files, parameter, tensor, located, error);
    }
    char is[PS_SHAPE_TEXT_SIZE], should[PS_SHAPE_TEXT_SIZE];
    PS_FAIL_IF(!ps_shape_equal(&tensor->shape, &parameter->shape), error, PS_FORMAT,
               "tensor %s has shape %s, but config.json says %s", parameter->name,
               ps_shape_text(&tensor->shape, is), ps_shape_text(&parameter->shape, should));
    *located = (struct located){tensor->data, tensor->dtype};
    return PS_OK;
}

static enum ps_status open_files(struct ps_model_files *files, const char *folder,
                                 struct ps_error *error) {
    PS_FAIL_IF(!ps_directory_exists(folder), error, PS_NOT_FOUND, "%s: no such folder", folder);
    PS_TRY(ps_model_config_open(&files->config, folder, error));
    PS_TRY(ps_parameters_create(&files->parameters, files->config, error));
    PS_TRY(ps_safetensors_folder_open(&files->folder, folder, error));
    files->located =
        ps_arena_array(&files->arena, files->parameters->count, sizeof *files->located);
    PS_FAIL_IF_NULL(files->located, error);
    for (size_t i = 0; i < files->parameters->count; i++) {
        if (locate(files, i, error) != PS_OK) return ps_error_prefix(error, "%s", folder);
        enum ps_dtype dtype = files->located[i].dtype;
        bool usable = dtype == PS_DTYPE_F32 || dtype == PS_DTYPE_F16 || dtype == PS_DTYPE_BF16;
        PS_FAIL_IF(!usable, error, PS_UNSUPPORTED,
                   "%s: tensor %s is %s; only F32, F16 and BF16 weights are supported", folder,
                   files->parameters->items[i].name, ps_dtype_name(dtype));
    }
    return PS_OK;
}

enum ps_status ps_model_files_open(struct ps_model_files **result, const char *folder,
                                   struct ps_error *error) {
    *result = NULL;
    struct ps_model_files *files = ps_calloc(1, sizeof *files);
    PS_FAIL_IF_NULL(files, error);
    ps_arena_init(&files->arena, SIZE_MAX); /* bounded by the parameter table */
    struct ps_error own;                    /* the prefix needs one */
    enum ps_status status = open_files(files, folder, error ? error : &own);
    if (status == PS_OK)
        *result = files;
    else
        ps_model_files_close(files);
    return status;
}

void ps_model_files_close(struct ps_model_files *files) {
    if (!files) return;
    ps_safetensors_folder_close(files->folder);
    ps_parameters_release(files->parameters);
    ps_model_config_close(files->config);
    ps_arena_release(&files->arena);
    ps_free(files);
}

const struct ps_model_config *ps_model_files_config(const struct ps_model_files *files) {
    return files->config;
}

const struct ps_parameters *ps_model_files_parameters(const struct ps_model_files *files) {
    return files->parameters;
}

const void *ps_model_files_data(const struct ps_model_files *files, size_t index,
                                enum ps_dtype *dtype) {
    *dtype = files->located[index].dtype;
    return files->located[index].data;
}

enum ps_status ps_model_files_read(const struct ps_model_files *files, float *values,
                                   struct ps_error *error) {
    for (size_t i = 0; i < files->parameters->count; i++) {
        const struct ps_parameter *parameter = &files->parameters->items[i];
        PS_TRY(ps_stop_check(error));
        PS_TRY(ps_tensor_to_f32(values + parameter->offset, files->located[i].dtype,
                                files->located[i].data, parameter->count, error));
    }
    return PS_OK;
}

/* ---- writing ---- */

static enum ps_status write_parameter(struct ps_safetensors_writer *writer,
                                      const struct ps_parameter *parameter, enum ps_dtype dtype,
                                      ps_parameter_source *source, void *context, float *values,
                                      uint8_t *bytes, struct ps_error *error) {
    for (uint64_t first = 0; first < parameter->count; first += CHUNK) {
        uint64_t count = parameter->count - first < CHUNK ? parameter->count - first : CHUNK;
        PS_TRY(source(context, parameter, first, count, values, error));
        PS_TRY(ps_tensor_from_f32(bytes, dtype, values, count, error));
        PS_TRY(ps_safetensors_writer_write(writer, bytes, count * ps_dtype_size(dtype), error));
    }
    return PS_OK;
}

static enum ps_status write_weights(const char *path, const struct ps_parameters *parameters,
                                    enum ps_dtype dtype, ps_parameter_source *source, void *context,
                                    struct ps_error *error) {
    enum ps_status status;
    struct ps_safetensors_writer *writer = NULL;
    struct ps_safetensors_tensor *tensors = ps_calloc(parameters->count, sizeof *tensors);
    float *values = ps_malloc(CHUNK * sizeof *values);
    uint8_t *bytes = ps_malloc(CHUNK * sizeof(float));
    PS_FAIL_DONE_IF_NULL(tensors && values && bytes, error);
    for (size_t i = 0; i < parameters->count; i++)
        tensors[i] = (struct ps_safetensors_tensor){
            .name = parameters->items[i].name, .dtype = dtype, .shape = parameters->items[i].shape};
    PS_TRY_DONE(ps_safetensors_writer_begin(&writer, path, tensors, parameters->count, error));
    for (size_t i = 0; i < parameters->count; i++)
        PS_TRY_DONE(write_parameter(writer, &parameters->items[i], dtype, source, context, values,
                                    bytes, error));
    status = ps_safetensors_writer_commit(writer, error);
    writer = NULL;
done:
    ps_safetensors_writer_abort(writer);
    ps_free(tensors);
    ps_free(values);
    ps_free(bytes);
    return status;
}

enum ps_status ps_model_write(const char *folder, const struct ps_model_config *config,
                              const struct ps_parameters *parameters, enum ps_dtype dtype,
                              ps_parameter_source *source, void *context, struct ps_error *error) {
    PS_FAIL_IF(dtype != PS_DTYPE_F32 && dtype != PS_DTYPE_BF16, error, PS_UNSUPPORTED,
               "weights are written as F32 or BF16, not %s", ps_dtype_name(dtype));
    PS_TRY(ps_model_config_write(config, folder, dtype, error));
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 16);
    char *path = ps_path_join(&arena, folder, "model.safetensors");
    enum ps_status status = path ? write_weights(path, parameters, dtype, source, context, error)
                                 : ps_error_set(error, PS_MEMORY, "out of memory");
    ps_arena_release(&arena);
    return status;
}

static enum ps_status from_values(void *context, const struct ps_parameter *parameter,
                                  uint64_t first, uint64_t count, float *values,
                                  struct ps_error *error) {
    (void)error;
    const float *all = context;
    memcpy(values, all + parameter->offset + first, count * sizeof *values);
    return PS_OK;
}

enum ps_status ps_model_write_values(const char *folder, const struct ps_model_config *config,
                                     const struct ps_parameters *parameters, enum ps_dtype dtype,
                                     const float *values, struct ps_error *error) {
    return ps_model_write(folder, config, parameters, dtype, from_values, (void *)values, error);
}

struct random_source {
    const struct ps_model_config *config;
    uint64_t seed;
};

static enum ps_status from_seed(void *context, const struct ps_parameter *parameter, uint64_t first,
                                uint64_t count, float *values, struct ps_error *error) {
    const struct random_source *random = context;
    PS_TRY(ps_stop_check(error));
    ps_parameter_initialise(random->config, parameter, random->seed, first, count, values);
    return PS_OK;
}

enum ps_status ps_model_write_random(const char *folder, const struct ps_model_config *config,
                                     const struct ps_parameters *parameters, enum ps_dtype dtype,
                                     uint64_t seed, struct ps_error *error) {
    struct random_source random = {config, seed};
    return ps_model_write(folder, config, parameters, dtype, from_seed, &random, error);
}
