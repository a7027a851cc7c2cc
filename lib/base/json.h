#pragma once
/* JSON: jansson for reading (its json_t is used as it is; json_decref gives a value back), a small
 * writer into a buffer, and a reader of JSON lines.
 *
 * Numbers of a JSON text beyond int64 or double are refused, so are duplicate keys, invalid UTF-8
 * and more than 2048 levels. Objects keep the order of their keys. All of jansson's memory goes
 * through ps_malloc. */

#include "base/memory.h"
#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- reading ---- */

/* Parses a whole text. name stands in messages: "name:line:column: why". *value is new. An integer
 * that 64 bits cannot hold is read as a real number. */
enum ps_status ps_json_parse(const char *name, const char *text, size_t size, json_t **value,
                             struct ps_error *error);

/* The same for a line of JSON lines: messages give its number. */
enum ps_status ps_json_parse_line(const char *name, size_t line, const char *text, size_t size,
                                  json_t **value, struct ps_error *error);

/* The same for a file of at most limit bytes. */
enum ps_status ps_json_read_file(const char *path, size_t limit, json_t **value,
                                 struct ps_error *error);

/* Typed members of an object. The value is borrowed from it. Messages name the key and what was
 * found ("'top_k' is \"x\", not an integer"); the caller puts the place in front with
 * ps_error_prefix. The plain form fails with PS_FORMAT when the key is missing or null; the _or
 * form gives the fallback then, but still refuses a value of a wrong type. A string with a NUL
 * character inside is refused by ps_json_string; take it with ps_json_get and json_string_length.
 */
enum ps_status ps_json_string(const json_t *object, const char *key, const char **value,
                              struct ps_error *error);
enum ps_status ps_json_string_or(const json_t *object, const char *key, const char *fallback,
                                 const char **value, struct ps_error *error);
/* An integer in [minimum, maximum]; 3.0 is not one. */
enum ps_status ps_json_integer(const json_t *object, const char *key, int64_t minimum,
                               int64_t maximum, int64_t *value, struct ps_error *error);
enum ps_status ps_json_integer_or(const json_t *object, const char *key, int64_t minimum,
                                  int64_t maximum, int64_t fallback, int64_t *value,
                                  struct ps_error *error);
/* An integer or a real, as a double. */
enum ps_status ps_json_number(const json_t *object, const char *key, double *value,
                              struct ps_error *error);
enum ps_status ps_json_number_or(const json_t *object, const char *key, double fallback,
                                 double *value, struct ps_error *error);
enum ps_status ps_json_bool(const json_t *object, const char *key, bool *value,
                            struct ps_error *error);
enum ps_status ps_json_bool_or(const json_t *object, const char *key, bool fallback, bool *value,
                               struct ps_error *error);
/* Members that are themselves objects or arrays; the _or forms give NULL for a missing one. */
enum ps_status ps_json_object(const json_t *object, const char *key, json_t **value,
                              struct ps_error *error);
enum ps_status ps_json_object_or(const json_t *object, const char *key, json_t **value,
                                 struct ps_error *error);
enum ps_status ps_json_array(const json_t *object, const char *key, json_t **value,
                             struct ps_error *error);
enum ps_status ps_json_array_or(const json_t *object, const char *key, json_t **value,
                                struct ps_error *error);

/* The member, or NULL when it is missing or null or this is no object. */
json_t *ps_json_get(const json_t *object, const char *key);

/* Appends a value, compact and on one line; after a failure the buffer holds a part of it. */
enum ps_status ps_json_dump(const json_t *value, struct ps_buffer *buffer, struct ps_error *error);

/* ---- writing ----
 * Commas and colons come by themselves: begin_object, key, string, key, integer, end_object. The
 * first failure (memory, the buffer's limit) sticks and is told by ps_json_writer_end. */
struct ps_json_writer {
    struct ps_buffer *buffer;
    bool comma;
    enum ps_status status;
};
void ps_json_writer_begin(struct ps_json_writer *writer, struct ps_buffer *buffer);
void ps_json_write_begin_object(struct ps_json_writer *writer);
void ps_json_write_end_object(struct ps_json_writer *writer);
void ps_json_write_begin_array(struct ps_json_writer *writer);
void ps_json_write_end_array(struct ps_json_writer *writer);
void ps_json_write_key(struct ps_json_writer *writer, const char *key);
/* NULL writes null. Bytes that are no UTF-8 become U+FFFD. */
void ps_json_write_string(struct ps_json_writer *writer, const char *text);
void ps_json_write_text(struct ps_json_writer *writer, const char *text, size_t size);
void ps_json_write_integer(struct ps_json_writer *writer, int64_t value);
/* The shortest decimal that reads back as the same double; null when it is not finite. */
void ps_json_write_number(struct ps_json_writer *writer, double value);
void ps_json_write_bool(struct ps_json_writer *writer, bool value);
void ps_json_write_null(struct ps_json_writer *writer);
void ps_json_write_value(struct ps_json_writer *writer, const json_t *value);
/* Key and value in one. */
void ps_json_put_string(struct ps_json_writer *writer, const char *key, const char *value);
void ps_json_put_integer(struct ps_json_writer *writer, const char *key, int64_t value);
void ps_json_put_number(struct ps_json_writer *writer, const char *key, double value);
void ps_json_put_bool(struct ps_json_writer *writer, const char *key, bool value);
enum ps_status ps_json_writer_end(struct ps_json_writer *writer, struct ps_error *error);

/* ---- JSON lines ---- */

/* Hands over up to room bytes; *got 0 at the end. */
typedef enum ps_status ps_read_function(void *context, char *data, size_t room, size_t *got,
                                        struct ps_error *error);

struct ps_json_lines {
    const char *name; /* in messages; borrowed */
    size_t line;      /* number of the line read last, from 1 */
    ps_read_function *read;
    void *context;
    int descriptor;
    struct ps_buffer buffer; /* its limit is the longest line */
    size_t start, scanned;
    bool skipping, ended;
};

/* Lines from a file descriptor (0 for stdin), which stays the caller's, or from a function. *lines
 * stays where it is until close. Waiting for a descriptor ends with PS_STOPPED (base/stop.h). */
void ps_json_lines_open(struct ps_json_lines *lines, const char *name, int descriptor,
                        size_t line_limit);
void ps_json_lines_open_function(struct ps_json_lines *lines, const char *name,
                                 ps_read_function *read, void *context, size_t line_limit);
void ps_json_lines_close(struct ps_json_lines *lines);

/* The next line that is not blank; *text (valid until the next call) NULL at the end. A line over
 * the limit is PS_LIMIT and is skipped: the following call goes on behind it. */
enum ps_status ps_json_lines_text(struct ps_json_lines *lines, const char **text, size_t *size,
                                  struct ps_error *error);
/* Whether the next line is here already: what was handed out then stays valid during the next call,
 * which does not wait. */
bool ps_json_lines_ready(const struct ps_json_lines *lines);

/* The next value, new; NULL at the end. PS_FORMAT ("name:line:column: why") for a line that is no
 * JSON; the following call goes on with the next line. */
enum ps_status ps_json_lines_next(struct ps_json_lines *lines, json_t **value,
                                  struct ps_error *error);
