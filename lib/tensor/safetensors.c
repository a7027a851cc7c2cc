/* safetensors: 8 bytes little-endian length, a JSON object of that length, then the data.
 *
 *     {"__metadata__": {"format": "pt"}, "name": {"dtype": "F32", "shape": [2, 3],
 *      "data_offsets": [0, 24]}, ...}
 *
 * Offsets count from the end of the header. The object begins with the first byte; spaces may
 * follow it. In the order of their offsets the tensors cover the data from 0 to the end of the
 * file without gap or overlap, so a file has one reading. Header length and counts come from the
 * file: every one is bounded by what is there before it is used in arithmetic. */
#include "tensor/safetensors.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdlib.h>

static const uint64_t header_limit = 100000000; /* bytes; the limit of the format */

struct ps_safetensors {
    struct ps_file_map map; /* empty when parsed from the caller's memory */
    struct ps_arena arena;
    struct ps_safetensors_tensor *tensors; /* [count], by offset */
    const struct ps_safetensors_tensor **by_name;
    size_t count;
};

struct parser {
    struct ps_safetensors *file;
    const char *label;
    const uint8_t *data; /* behind the header */
    uint64_t data_size;
};

static enum ps_status parse_shape(const struct parser *parser, const char *name,
                                  const json_t *value, struct ps_shape *shape,
                                  struct ps_error *error) {
    PS_FAIL_IF(!json_is_array(value), error, PS_FORMAT, "%s: tensor %s has no shape", parser->label,
               name);
    size_t rank = json_array_size(value);
    PS_FAIL_IF(rank > PS_SHAPE_MAX_RANK, error, PS_UNSUPPORTED,
               "%s: tensor %s has %zu dimensions; at most %d are supported", parser->label, name,
               rank, PS_SHAPE_MAX_RANK);
    shape->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(value, i);
        PS_FAIL_IF(!json_is_integer(dim) || json_integer_value(dim) < 0, error, PS_FORMAT,
                   "%s: dimension %zu of tensor %s is not a non-negative integer", parser->label, i,
                   name);
        shape->dim[i] = (uint64_t)json_integer_value(dim);
    }
    return PS_OK;
}

static enum ps_status parse_tensor(const struct parser *parser, const char *name,
                                   const json_t *value, struct ps_safetensors_tensor *tensor,
                                   struct ps_error *error) {
    const char *label = parser->label;
    PS_FAIL_IF(!json_is_object(value), error, PS_FORMAT, "%s: tensor %s is not a JSON object",
               label, name);
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    PS_FAIL_IF(!dtype, error, PS_FORMAT, "%s: tensor %s has no dtype", label, name);
    PS_FAIL_IF(!ps_dtype_from_name(dtype, &tensor->dtype), error, PS_UNSUPPORTED,
               "%s: tensor %s has the unknown dtype %.40s", label, name, dtype);
    PS_TRY(parse_shape(parser, name, json_object_get(value, "shape"), &tensor->shape, error));
    uint64_t bytes;
    char text[PS_SHAPE_TEXT_SIZE];
    PS_FAIL_IF(!ps_shape_bytes(&tensor->shape, tensor->dtype, &bytes), error, PS_FORMAT,
               "%s: shape %s of tensor %s overflows", label, ps_shape_text(&tensor->shape, text),
               name);

    const json_t *offsets = json_object_get(value, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    PS_FAIL_IF(json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
                   json_integer_value(begin) < 0 ||
                   json_integer_value(end) < json_integer_value(begin),
               error, PS_FORMAT, "%s: tensor %s has no valid data_offsets", label, name);
    uint64_t first = (uint64_t)json_integer_value(begin), last = (uint64_t)json_integer_value(end);
    PS_FAIL_IF(last > parser->data_size, error, PS_FORMAT,
               "%s: tensor %s ends %llu bytes behind the end of the file; is it cut off?", label,
               name, (unsigned long long)(last - parser->data_size));
    PS_FAIL_IF(last - first != bytes, error, PS_FORMAT,
               "%s: tensor %s has %llu bytes, but %s %s takes %llu", label, name,
               (unsigned long long)(last - first), dtype, ps_shape_text(&tensor->shape, text),
               (unsigned long long)bytes);
    tensor->data = parser->data + first;
    tensor->size = bytes;
    tensor->name = ps_arena_strndup(&parser->file->arena, name, strlen(name));
    PS_FAIL_IF_NULL(tensor->name, error);
    return PS_OK;
}

static int compare_offsets(const void *a, const void *b) {
    const struct ps_safetensors_tensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    if (x->size != y->size) return x->size < y->size ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int compare_names(const void *a, const void *b) {
    const struct ps_safetensors_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Contiguous from the first byte of the data to the last. */
static enum ps_status check_coverage(const struct parser *parser, struct ps_error *error) {
    const struct ps_safetensors *file = parser->file;
    uint64_t position = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct ps_safetensors_tensor *tensor = &file->tensors[i];
        uint64_t first = (uint64_t)(tensor->data - parser->data);
        PS_FAIL_IF(first < position, error, PS_FORMAT, "%s: tensor %s overlaps another one",
                   parser->label, tensor->name);
        PS_FAIL_IF(first > position, error, PS_FORMAT, "%s: %llu unused bytes before tensor %s",
                   parser->label, (unsigned long long)(first - position), tensor->name);
        position = first + tensor->size;
    }
    PS_FAIL_IF(position != parser->data_size, error, PS_FORMAT,
               "%s: %llu unused bytes behind the last tensor", parser->label,
               (unsigned long long)(parser->data_size - position));
    return PS_OK;
}

static enum ps_status parse_header(const struct parser *parser, json_t *header,
                                   struct ps_error *error) {
    struct ps_safetensors *file = parser->file;
    size_t capacity = json_object_size(header);
    file->tensors = ps_arena_array(&file->arena, capacity, sizeof *file->tensors);
    file->by_name = ps_arena_array(&file->arena, capacity, sizeof *file->by_name);
    PS_FAIL_IF_NULL(file->tensors && file->by_name, error);
    const char *name;
    json_t *value;
    json_object_foreach(header, name, value) {
        if (strcmp(name, "__metadata__") == 0) {
            PS_FAIL_IF(!json_is_object(value), error, PS_FORMAT,
                       "%s: __metadata__ is not a JSON object", parser->label);
            continue;
        }
        PS_TRY(parse_tensor(parser, name, value, &file->tensors[file->count], error));
        file->count++;
    }
    if (file->count == 0) return check_coverage(parser, error);
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_offsets);
    for (size_t i = 0; i < file->count; i++) file->by_name[i] = &file->tensors[i];
    qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
    return check_coverage(parser, error);
}

static enum ps_status parse_file(struct ps_safetensors *file, const uint8_t *data, size_t size,
                                 const char *label, struct ps_error *error) {
    PS_FAIL_IF(size < 8, error, PS_FORMAT, "%s: %zu bytes are too few for a safetensors file",
               label, size);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | data[i];
    PS_FAIL_IF(length > header_limit, error, PS_FORMAT,
               "%s: a header of %llu bytes exceeds the limit of %llu; not a safetensors file?",
               label, (unsigned long long)length, (unsigned long long)header_limit);
    PS_FAIL_IF(length > size - 8, error, PS_FORMAT, "%s: cut off inside the header", label);
    const char *text = (const char *)data + 8;
    PS_FAIL_IF(length == 0 || text[0] != '{', error, PS_FORMAT,
               "%s: the header does not begin with '{'; not a safetensors file?", label);
    json_t *header;
    PS_TRY(ps_json_parse(label, text, (size_t)length, &header, error));
    struct parser parser = {file, label, data + 8 + length, size - 8 - length};
    enum ps_status status = parse_header(&parser, header, error);
    json_decref(header);
    return status;
}

enum ps_status ps_safetensors_parse(struct ps_safetensors **file, const uint8_t *data, size_t size,
                                    const char *label, struct ps_error *error) {
    *file = ps_calloc(1, sizeof **file);
    PS_FAIL_IF_NULL(*file, error);
    ps_arena_init(&(*file)->arena, SIZE_MAX); /* bounded by the header's length */
    enum ps_status status = parse_file(*file, data, size, label, error);
    if (status == PS_OK) return PS_OK;
    ps_safetensors_close(*file);
    *file = NULL;
    return status;
}

enum ps_status ps_safetensors_open(struct ps_safetensors **file, const char *path,
                                   struct ps_error *error) {
    struct ps_file_map map;
    *file = NULL;
    PS_TRY(ps_file_map(&map, path, error));
    enum ps_status status = ps_safetensors_parse(file, map.data, map.size, path, error);
    if (status == PS_OK)
        (*file)->map = map;
    else
        ps_file_unmap(&map);
    return status;
}

void ps_safetensors_close(struct ps_safetensors *file) {
    if (!file) return;
    ps_file_unmap(&file->map);
    ps_arena_release(&file->arena);
    ps_free(file);
}

size_t ps_safetensors_count(const struct ps_safetensors *file) {
    return file->count;
}

const struct ps_safetensors_tensor *ps_safetensors_at(const struct ps_safetensors *file,
                                                      size_t index) {
    return &file->tensors[index];
}

const struct ps_safetensors_tensor *ps_safetensors_find(const struct ps_safetensors *file,
                                                        const char *name) {
    const struct ps_safetensors_tensor key = {.name = name}, *wanted = &key;
    if (file->count == 0) return NULL;
    const struct ps_safetensors_tensor **found =
        bsearch(&wanted, file->by_name, file->count, sizeof *file->by_name, compare_names);
    return found ? *found : NULL;
}
