#include "base/json.h"

#include "base/file.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* jansson reports many of its failures to allocate as syntax errors: look for ourselves. */
static _Thread_local bool allocation_failed;

static void *allocate(size_t size) {
    void *memory = ps_malloc(size);
    if (!memory) allocation_failed = true;
    return memory;
}

/* jansson wants its allocator before its first call, which no call of ours can promise. */
__attribute__((constructor)) static void use_our_memory(void) {
    json_set_alloc_funcs(allocate, ps_free);
}

/* ---- reading ---- */

/* Appends text with integers that 64 bits cannot hold written as real numbers, 1e0: jansson
 * refuses them, and a tokenizer_config.json has 1000000000000000019884624838656 for "no
 * limit". false: out of memory. */
static bool append_with_reals(const char *text, size_t size, struct ps_buffer *out) {
    static const char largest[] = "9223372036854775807";
    bool in_string = false, fits = true;
    size_t digits = 0, done = 0;
    for (size_t i = 0; i <= size && fits; i++) {
        char c = i < size ? text[i] : 0;
        if (!in_string && c >= '0' && c <= '9') {
            digits++;
            continue;
        }
        bool large = digits > 19 || (digits == 19 && memcmp(text + i - 19, largest, 19) > 0);
        if (large && c != '.' && c != 'e' && c != 'E') {
            fits = ps_buffer_append(out, text + done, i - done) && ps_buffer_puts(out, "e0");
            done = i;
        }
        digits = 0;
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
    }
    return fits && ps_buffer_append(out, text + done, size - done);
}

static json_t *load(const char *text, size_t size, json_error_t *failure) {
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *value = json_loadb(text, size, flags, failure);
    if (value || json_error_code(failure) != json_error_numeric_overflow) return value;
    struct ps_buffer rewritten;
    ps_buffer_init(&rewritten, SIZE_MAX);
    if (append_with_reals(text, size, &rewritten))
        value = json_loadb(rewritten.data, rewritten.size, flags, failure);
    else
        allocation_failed = true;
    ps_buffer_release(&rewritten);
    return value;
}

enum ps_status ps_json_parse_line(const char *name, size_t line, const char *text, size_t size,
                                  json_t **value, struct ps_error *error) {
    json_error_t failure;
    allocation_failed = false;
    *value = load(text, size, &failure);
    if (*value && allocation_failed) { /* it cuts texts short then */
        json_decref(*value);
        *value = NULL;
    }
    if (*value) return PS_OK;
    if (line == 0) line = failure.line > 0 ? (size_t)failure.line : 1;
    PS_FAIL_IF(allocation_failed, error, PS_MEMORY, "%s:%zu: out of memory", name, line);
    return ps_error_set(error, PS_FORMAT, "%s:%zu:%d: %s", name, line,
                        failure.column > 0 ? failure.column : 1, failure.text);
}

enum ps_status ps_json_parse(const char *name, const char *text, size_t size, json_t **value,
                             struct ps_error *error) {
    return ps_json_parse_line(name, 0, text, size, value, error);
}

enum ps_status ps_json_read_file(const char *path, size_t limit, json_t **value,
                                 struct ps_error *error) {
    struct ps_buffer buffer;
    ps_buffer_init(&buffer, limit);
    *value = NULL;
    enum ps_status status = ps_file_read(path, &buffer, error);
    if (status == PS_OK)
        status =
            ps_json_parse_line(path, 0, buffer.data ? buffer.data : "", buffer.size, value, error);
    ps_buffer_release(&buffer);
    return status;
}

json_t *ps_json_get(const json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* A short rendering of a value for messages. */
static const char *describe(const json_t *value, char *text, size_t size) {
    char *dump = json_is_object(value) || json_is_array(value)
                     ? NULL
                     : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (json_is_object(value))
        snprintf(text, size, "an object");
    else if (json_is_array(value))
        snprintf(text, size, "an array");
    else if (!dump)
        snprintf(text, size, "of another type");
    else if (strlen(dump) < size)
        snprintf(text, size, "%s", dump);
    else
        snprintf(text, size, "a long string");
    ps_free(dump);
    return text;
}

static enum ps_status wrong(const char *key, const json_t *value, const char *wanted,
                            struct ps_error *error) {
    char text[64];
    if (!value) return ps_error_set(error, PS_FORMAT, "'%s' is missing", key);
    return ps_error_set(error, PS_FORMAT, "'%s' is %s, not %s", key,
                        describe(value, text, sizeof text), wanted);
}

enum ps_status ps_json_string(const json_t *object, const char *key, const char **value,
                              struct ps_error *error) {
    const json_t *member = ps_json_get(object, key);
    if (!json_is_string(member)) return wrong(key, member, "a string", error);
    *value = json_string_value(member);
    PS_FAIL_IF(strlen(*value) != json_string_length(member), error, PS_FORMAT,
               "'%s' contains a NUL character", key);
    return PS_OK;
}

enum ps_status ps_json_string_or(const json_t *object, const char *key, const char *fallback,
                                 const char **value, struct ps_error *error) {
    *value = fallback;
    return ps_json_get(object, key) ? ps_json_string(object, key, value, error) : PS_OK;
}

enum ps_status ps_json_integer(const json_t *object, const char *key, int64_t minimum,
                               int64_t maximum, int64_t *value, struct ps_error *error) {
    const json_t *member = ps_json_get(object, key);
    if (!json_is_integer(member)) return wrong(key, member, "an integer", error);
    *value = json_integer_value(member);
    PS_FAIL_IF(*value < minimum || *value > maximum, error, PS_FORMAT,
               "'%s' is %lld, not in %lld .. %lld", key, (long long)*value, (long long)minimum,
               (long long)maximum);
    return PS_OK;
}

enum ps_status ps_json_integer_or(const json_t *object, const char *key, int64_t minimum,
                                  int64_t maximum, int64_t fallback, int64_t *value,
                                  struct ps_error *error) {
    *value = fallback;
    if (!ps_json_get(object, key)) return PS_OK;
    return ps_json_integer(object, key, minimum, maximum, value, error);
}

enum ps_status ps_json_number(const json_t *object, const char *key, double *value,
                              struct ps_error *error) {
    const json_t *member = ps_json_get(object, key);
    if (!json_is_number(member)) return wrong(key, member, "a number", error);
    *value = json_number_value(member);
    return PS_OK;
}

enum ps_status ps_json_number_or(const json_t *object, const char *key, double fallback,
                                 double *value, struct ps_error *error) {
    *value = fallback;
    return ps_json_get(object, key) ? ps_json_number(object, key, value, error) : PS_OK;
}

enum ps_status ps_json_bool(const json_t *object, const char *key, bool *value,
                            struct ps_error *error) {
    const json_t *member = ps_json_get(object, key);
    if (!json_is_boolean(member)) return wrong(key, member, "true or false", error);
    *value = json_is_true(member);
    return PS_OK;
}

enum ps_status ps_json_bool_or(const json_t *object, const char *key, bool fallback, bool *value,
                               struct ps_error *error) {
    *value = fallback;
    return ps_json_get(object, key) ? ps_json_bool(object, key, value, error) : PS_OK;
}

enum ps_status ps_json_object(const json_t *object, const char *key, json_t **value,
                              struct ps_error *error) {
    *value = ps_json_get(object, key);
    return json_is_object(*value) ? PS_OK : wrong(key, *value, "an object", error);
}

enum ps_status ps_json_object_or(const json_t *object, const char *key, json_t **value,
                                 struct ps_error *error) {
    *value = NULL;
    return ps_json_get(object, key) ? ps_json_object(object, key, value, error) : PS_OK;
}

enum ps_status ps_json_array(const json_t *object, const char *key, json_t **value,
                             struct ps_error *error) {
    *value = ps_json_get(object, key);
    return json_is_array(*value) ? PS_OK : wrong(key, *value, "an array", error);
}

enum ps_status ps_json_array_or(const json_t *object, const char *key, json_t **value,
                                struct ps_error *error) {
    *value = NULL;
    return ps_json_get(object, key) ? ps_json_array(object, key, value, error) : PS_OK;
}

/* ---- writing ---- */

static void put(struct ps_json_writer *writer, const char *data, size_t size) {
    struct ps_buffer *buffer = writer->buffer;
    if (writer->status != PS_OK || ps_buffer_append(buffer, data, size)) return;
    writer->status = size > buffer->limit - buffer->size ? PS_LIMIT : PS_MEMORY;
}

static void separate(struct ps_json_writer *writer) {
    if (writer->comma) put(writer, ",", 1);
    writer->comma = true;
}

static void put_item(struct ps_json_writer *writer, const char *text) {
    separate(writer);
    put(writer, text, strlen(text));
}

void ps_json_writer_begin(struct ps_json_writer *writer, struct ps_buffer *buffer) {
    *writer = (struct ps_json_writer){.buffer = buffer};
}

void ps_json_write_begin_object(struct ps_json_writer *writer) {
    put_item(writer, "{");
    writer->comma = false;
}

void ps_json_write_end_object(struct ps_json_writer *writer) {
    put(writer, "}", 1);
    writer->comma = true;
}

void ps_json_write_begin_array(struct ps_json_writer *writer) {
    put_item(writer, "[");
    writer->comma = false;
}

void ps_json_write_end_array(struct ps_json_writer *writer) {
    put(writer, "]", 1);
    writer->comma = true;
}

static void put_quoted(struct ps_json_writer *writer, const char *text, size_t size) {
    const unsigned char *bytes = (const unsigned char *)text;
    put(writer, "\"", 1);
    size_t plain = 0; /* start of what is not written yet and needs no escape */
    for (size_t i = 0; i < size;) {
        size_t length = ps_utf8_length(text + i, size - i);
        bool escape = length == 1 && (bytes[i] < 0x20 || bytes[i] == '"' || bytes[i] == '\\');
        if (length > 0 && !escape) {
            i += length;
            continue;
        }
        char escaped[8];
        const char *letters = "\"\"\\\\\bb\ff\nn\rr\tt";
        const char *letter = NULL;
        for (const char *l = letters; *l && !letter; l += 2)
            if ((unsigned char)*l == bytes[i]) letter = l + 1;
        if (length == 0)
            snprintf(escaped, sizeof escaped, "\xEF\xBF\xBD");
        else if (letter)
            snprintf(escaped, sizeof escaped, "\\%c", *letter);
        else
            snprintf(escaped, sizeof escaped, "\\u%04x", bytes[i]);
        put(writer, text + plain, i - plain);
        put(writer, escaped, strlen(escaped));
        plain = ++i;
    }
    put(writer, text + plain, size - plain);
    put(writer, "\"", 1);
}

void ps_json_write_key(struct ps_json_writer *writer, const char *key) {
    separate(writer);
    put_quoted(writer, key, strlen(key));
    put(writer, ":", 1);
    writer->comma = false;
}

void ps_json_write_text(struct ps_json_writer *writer, const char *text, size_t size) {
    separate(writer);
    put_quoted(writer, text, size);
}

void ps_json_write_string(struct ps_json_writer *writer, const char *text) {
    if (text)
        ps_json_write_text(writer, text, strlen(text));
    else
        ps_json_write_null(writer);
}

void ps_json_write_integer(struct ps_json_writer *writer, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    put_item(writer, text);
}

void ps_json_write_number(struct ps_json_writer *writer, double value) {
    char text[40] = "null";
    for (int digits = 1; isfinite(value) && digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    put_item(writer, text);
}

void ps_json_write_bool(struct ps_json_writer *writer, bool value) {
    put_item(writer, value ? "true" : "false");
}

void ps_json_write_null(struct ps_json_writer *writer) {
    put_item(writer, "null");
}

void ps_json_write_value(struct ps_json_writer *writer, const json_t *value) {
    size_t index;
    const char *key;
    json_t *child;
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        ps_json_write_begin_object(writer);
        json_object_foreach((json_t *)value, key, child) {
            ps_json_write_key(writer, key);
            ps_json_write_value(writer, child);
        }
        ps_json_write_end_object(writer);
        break;
    case JSON_ARRAY:
        ps_json_write_begin_array(writer);
        json_array_foreach(value, index, child) ps_json_write_value(writer, child);
        ps_json_write_end_array(writer);
        break;
    case JSON_STRING:
        ps_json_write_text(writer, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER: ps_json_write_integer(writer, json_integer_value(value)); break;
    case JSON_REAL: ps_json_write_number(writer, json_real_value(value)); break;
    case JSON_TRUE: ps_json_write_bool(writer, true); break;
    case JSON_FALSE: ps_json_write_bool(writer, false); break;
    case JSON_NULL: ps_json_write_null(writer); break;
    }
}

void ps_json_put_string(struct ps_json_writer *writer, const char *key, const char *value) {
    ps_json_write_key(writer, key);
    ps_json_write_string(writer, value);
}

void ps_json_put_integer(struct ps_json_writer *writer, const char *key, int64_t value) {
    ps_json_write_key(writer, key);
    ps_json_write_integer(writer, value);
}

void ps_json_put_number(struct ps_json_writer *writer, const char *key, double value) {
    ps_json_write_key(writer, key);
    ps_json_write_number(writer, value);
}

void ps_json_put_bool(struct ps_json_writer *writer, const char *key, bool value) {
    ps_json_write_key(writer, key);
    ps_json_write_bool(writer, value);
}

enum ps_status ps_json_writer_end(struct ps_json_writer *writer, struct ps_error *error) {
    PS_FAIL_IF(writer->status == PS_LIMIT, error, PS_LIMIT, "JSON text of more than %zu bytes",
               writer->buffer->limit);
    PS_FAIL_IF(writer->status != PS_OK, error, writer->status, "out of memory");
    return PS_OK;
}

enum ps_status ps_json_dump(const json_t *value, struct ps_buffer *buffer, struct ps_error *error) {
    struct ps_json_writer writer;
    ps_json_writer_begin(&writer, buffer);
    ps_json_write_value(&writer, value);
    return ps_json_writer_end(&writer, error);
}
