/* Writes a safetensors file in one pass: all names, types and shapes are known beforehand, so the
 * header comes first and the data stream behind it. */
#include "tensor/safetensors.h"

#include "base/file.h"
#include "base/memory.h"

#include <jansson.h>
#include <stdlib.h>

struct ps_safetensors_writer {
    struct ps_file_writer file;
    uint64_t expected, written; /* bytes of data */
};

static json_t *describe(const struct ps_safetensors_tensor *tensor, uint64_t first, uint64_t last) {
    json_t *shape = json_array();
    for (int i = 0; shape && i < tensor->shape.rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape.dim[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", ps_dtype_name(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)first, (json_int_t)last);
}

static enum ps_status build_header(const struct ps_safetensors_tensor *tensors, size_t count,
                                   const char *path, json_t *header, uint64_t *total,
                                   struct ps_error *error) {
    *total = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes, end;
        PS_FAIL_IF(!ps_shape_bytes(&tensors[i].shape, tensors[i].dtype, &bytes) ||
                       __builtin_add_overflow(*total, bytes, &end) || end > INT64_MAX,
                   error, PS_ARGUMENT, "%s: tensor %s is too large", path, tensors[i].name);
        PS_FAIL_IF(json_object_get(header, tensors[i].name), error, PS_ARGUMENT,
                   "%s: two tensors are named %s", path, tensors[i].name);
        PS_FAIL_IF(
            json_object_set_new(header, tensors[i].name, describe(&tensors[i], *total, end)) != 0,
            error, PS_MEMORY, "out of memory");
        *total = end;
    }
    return PS_OK;
}

static enum ps_status write_header(struct ps_safetensors_writer *writer, const char *text,
                                   struct ps_error *error) {
    static const char spaces[64] =
        "                                                                ";
    size_t length = strlen(text), padding = (64 - (8 + length) % 64) % 64;
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++) prefix[i] = (uint8_t)((uint64_t)(length + padding) >> (8 * i));
    PS_TRY(ps_file_writer_write(&writer->file, prefix, sizeof prefix, error));
    PS_TRY(ps_file_writer_write(&writer->file, text, length, error));
    return ps_file_writer_write(&writer->file, spaces, padding, error);
}

enum ps_status ps_safetensors_writer_begin(struct ps_safetensors_writer **result, const char *path,
                                           const struct ps_safetensors_tensor *tensors,
                                           size_t count, struct ps_error *error) {
    *result = NULL;
    enum ps_status status;
    char *text = NULL;
    struct ps_safetensors_writer *writer = ps_calloc(1, sizeof *writer);
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    PS_FAIL_DONE_IF_NULL(writer && header, error);
    writer->file.descriptor = -1;
    PS_TRY_DONE(build_header(tensors, count, path, header, &writer->expected, error));
    text = json_dumps(header, JSON_COMPACT);
    PS_FAIL_DONE_IF_NULL(text, error);
    PS_TRY_DONE(ps_file_writer_begin(&writer->file, path, error));
    PS_TRY_DONE(write_header(writer, text, error));
    *result = writer;
    writer = NULL;
done:
    free(text);
    json_decref(header);
    ps_safetensors_writer_abort(writer);
    return status;
}

enum ps_status ps_safetensors_writer_write(struct ps_safetensors_writer *writer, const void *data,
                                           size_t size, struct ps_error *error) {
    PS_FAIL_IF(size > writer->expected - writer->written, error, PS_INTERNAL,
               "%s: more data than the header announces", writer->file.path);
    writer->written += size;
    return ps_file_writer_write(&writer->file, data, size, error);
}

enum ps_status ps_safetensors_writer_commit(struct ps_safetensors_writer *writer,
                                            struct ps_error *error) {
    enum ps_status status;
    PS_FAIL_DONE_IF(writer->written != writer->expected, error, PS_INTERNAL,
                    "%s: %llu bytes of data are missing", writer->file.path,
                    (unsigned long long)(writer->expected - writer->written));
    status = ps_file_writer_commit(&writer->file, error);
done:
    ps_safetensors_writer_abort(writer);
    return status;
}

void ps_safetensors_writer_abort(struct ps_safetensors_writer *writer) {
    if (!writer) return;
    ps_file_writer_abort(&writer->file);
    ps_free(writer);
}
