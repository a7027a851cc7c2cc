/* Writes a safetensors file in one pass: all names, types and shapes are known beforehand, so the
 * header comes first and the data stream behind it. */
#include "tensor/safetensors.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdlib.h>

enum { HEADER_LIMIT = 100000000 - 64 }; /* bytes; the limit of the format, with our padding */

struct ps_safetensors_writer {
    struct ps_file_writer file;
    uint64_t expected, written; /* bytes of data */
};

static int compare_names(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static enum ps_status check_names(const struct ps_safetensors_tensor *tensors, size_t count,
                                  const char *path, struct ps_error *error) {
    const char **names = ps_calloc(count, sizeof *names);
    PS_FAIL_IF_NULL(names, error);
    for (size_t i = 0; i < count; i++) names[i] = tensors[i].name;
    if (count > 0) qsort(names, count, sizeof *names, compare_names);
    const char *twice = NULL;
    for (size_t i = 1; i < count && !twice; i++)
        if (strcmp(names[i - 1], names[i]) == 0) twice = names[i];
    enum ps_status status = PS_OK;
    if (twice)
        status = ps_error_set(error, PS_ARGUMENT, "%s: two tensors are named %s", path, twice);
    ps_free(names);
    return status;
}

static void describe(struct ps_json_writer *json, const struct ps_safetensors_tensor *tensor,
                     uint64_t first, uint64_t last) {
    ps_json_write_key(json, tensor->name);
    ps_json_write_begin_object(json);
    ps_json_put_string(json, "dtype", ps_dtype_name(tensor->dtype));
    ps_json_write_key(json, "shape");
    ps_json_write_begin_array(json);
    for (int i = 0; i < tensor->shape.rank; i++)
        ps_json_write_integer(json, (int64_t)tensor->shape.dim[i]);
    ps_json_write_end_array(json);
    ps_json_write_key(json, "data_offsets");
    ps_json_write_begin_array(json);
    ps_json_write_integer(json, (int64_t)first);
    ps_json_write_integer(json, (int64_t)last);
    ps_json_write_end_array(json);
    ps_json_write_end_object(json);
}

static enum ps_status build_header(const struct ps_safetensors_tensor *tensors, size_t count,
                                   const char *path, struct ps_buffer *text, uint64_t *total,
                                   struct ps_error *error) {
    struct ps_json_writer json;
    *total = 0;
    ps_json_writer_begin(&json, text);
    ps_json_write_begin_object(&json);
    ps_json_write_key(&json, "__metadata__");
    ps_json_write_begin_object(&json);
    ps_json_put_string(&json, "format", "pt");
    ps_json_write_end_object(&json);
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes, end;
        PS_FAIL_IF(!ps_shape_bytes(&tensors[i].shape, tensors[i].dtype, &bytes) ||
                       __builtin_add_overflow(*total, bytes, &end) || end > INT64_MAX,
                   error, PS_ARGUMENT, "%s: tensor %s is too large", path, tensors[i].name);
        describe(&json, &tensors[i], *total, end);
        *total = end;
    }
    ps_json_write_end_object(&json);
    return ps_json_writer_end(&json, error);
}

static enum ps_status write_header(struct ps_safetensors_writer *writer,
                                   const struct ps_buffer *text, struct ps_error *error) {
    static const char spaces[64] =
        "                                                                ";
    size_t length = text->size, padding = (64 - (8 + length) % 64) % 64;
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++) prefix[i] = (uint8_t)((uint64_t)(length + padding) >> (8 * i));
    PS_TRY(ps_file_writer_write(&writer->file, prefix, sizeof prefix, error));
    PS_TRY(ps_file_writer_write(&writer->file, text->data, length, error));
    return ps_file_writer_write(&writer->file, spaces, padding, error);
}

enum ps_status ps_safetensors_writer_begin(struct ps_safetensors_writer **result, const char *path,
                                           const struct ps_safetensors_tensor *tensors,
                                           size_t count, struct ps_error *error) {
    *result = NULL;
    enum ps_status status;
    struct ps_buffer text;
    ps_buffer_init(&text, HEADER_LIMIT);
    struct ps_safetensors_writer *writer = ps_calloc(1, sizeof *writer);
    PS_FAIL_DONE_IF_NULL(writer, error);
    writer->file.descriptor = -1;
    PS_TRY_DONE(check_names(tensors, count, path, error));
    PS_TRY_DONE(build_header(tensors, count, path, &text, &writer->expected, error));
    PS_TRY_DONE(ps_file_writer_begin(&writer->file, path, error));
    PS_TRY_DONE(write_header(writer, &text, error));
    *result = writer;
    writer = NULL;
done:
    ps_buffer_release(&text);
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
