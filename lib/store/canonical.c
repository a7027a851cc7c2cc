/* The canonical form of a JSON value: keys sorted by their bytes, no white space, a number that is
 * integral and below 2^53 without fraction or exponent, others in the shortest form that reads back
 * to the same double, strings as base/json writes them (escaped are the quotation mark, the
 * backslash and control characters). What it describes is identified by the SHA-256 of these bytes,
 * which therefore never change. */

#include "store_internal.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

static void write_value(struct ps_json_writer *writer, const json_t *value);

static int compare_keys(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_object(struct ps_json_writer *writer, const json_t *object) {
    const char **keys = ps_malloc(json_object_size(object) * sizeof *keys);
    if (!keys) {
        writer->status = PS_MEMORY;
        return;
    }
    size_t count = 0;
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)object, key, member) keys[count++] = key;
    qsort(keys, count, sizeof *keys, compare_keys);
    ps_json_write_begin_object(writer);
    for (size_t i = 0; i < count && writer->status == PS_OK; i++) {
        ps_json_write_key(writer, keys[i]);
        write_value(writer, json_object_get(object, keys[i]));
    }
    ps_json_write_end_object(writer);
    ps_free(keys);
}

static void write_value(struct ps_json_writer *writer, const json_t *value) {
    if (json_is_object(value)) {
        write_object(writer, value);
    } else if (json_is_array(value)) {
        ps_json_write_begin_array(writer);
        for (size_t i = 0; i < json_array_size(value) && writer->status == PS_OK; i++)
            write_value(writer, json_array_get(value, i));
        ps_json_write_end_array(writer);
    } else if (json_is_string(value)) {
        ps_json_write_text(writer, json_string_value(value), json_string_length(value));
    } else if (json_is_integer(value)) {
        ps_json_write_integer(writer, json_integer_value(value));
    } else if (json_is_real(value)) {
        double number = json_real_value(value);
        if (number == nearbyint(number) && fabs(number) < 9007199254740992.0)
            ps_json_write_integer(writer, (int64_t)number);
        else
            ps_json_write_number(writer, number);
    } else if (json_is_boolean(value)) {
        ps_json_write_bool(writer, json_is_true(value));
    } else {
        ps_json_write_null(writer);
    }
}

enum ps_status ps_store_canonical(const char *json, struct ps_buffer *out, struct ps_error *error) {
    json_t *value;
    struct ps_json_writer writer;
    PS_TRY(ps_json_parse("identity", json, strlen(json), &value, error));
    enum ps_status status = PS_OK;
    PS_FAIL_DONE_IF(!json_is_object(value), error, PS_FORMAT, "identity: not a JSON object");
    ps_json_writer_begin(&writer, out);
    write_value(&writer, value);
    status = ps_json_writer_end(&writer, error);
done:
    json_decref(value);
    return status;
}

enum ps_status ps_store_identity(const char *json, struct ps_hash *hash, struct ps_error *error) {
    struct ps_buffer text;
    ps_buffer_init(&text, PS_STORE_BODY_LIMIT);
    enum ps_status status = ps_store_canonical(json, &text, error);
    if (status == PS_OK) *hash = ps_hash_bytes(text.data, text.size);
    ps_buffer_release(&text);
    return status;
}
