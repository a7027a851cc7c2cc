/* A file of replies, line by line. A result of a batch names its request by custom_id and can have
 * several choices, each of which is a reply; what was asked stands in another file, which is read
 * first. */
#include "datasets/datasets_internal.h"

#include "base/stop.h"
#include "store/store.h"

#include <string.h>

enum { LINE_LIMIT = 64 << 20, REQUEST_LIMIT = 1 << 30 };

struct request {
    const char *id, *prompt;
};

struct ps_reply_file {
    struct ps_reply_format format;
    struct ps_dataset_stream *stream; /* NULL: a function of the caller's */
    struct ps_json_lines lines;
    struct ps_arena requests_arena; /* of the requests */
    struct request *requests;
    size_t request_count, request_capacity;
    struct ps_dataset_index request_index; /* by the hash of their ids */
    struct ps_dataset_index prompt_index;  /* number of each prompt met */
    uint32_t *samples;                     /* replies to it so far */
    size_t prompt_count, prompt_capacity;
    json_t *object;         /* the line at hand */
    size_t choice, choices; /* of a batch's result: the next, and how many there are */
    struct ps_buffer prompt;
    struct ps_arena arena; /* of the reply at hand */
};

/* ---- what a batch was asked ---- */

static enum ps_status keep_request(struct ps_reply_file *file, const char *id, const char *prompt,
                                   struct ps_error *error) {
    struct ps_hash hash = ps_hash_bytes(id, strlen(id));
    uint32_t number = (uint32_t)file->request_count, found;
    bool added;
    if (file->request_count == file->request_capacity) {
        size_t capacity = file->request_capacity ? 2 * file->request_capacity : 256;
        PS_FAIL_IF(capacity > REQUEST_LIMIT, error, PS_LIMIT, "more than %d requests",
                   REQUEST_LIMIT);
        struct request *grown = ps_realloc(file->requests, capacity * sizeof *grown);
        PS_FAIL_IF_NULL(grown, error);
        file->requests = grown;
        file->request_capacity = capacity;
    }
    PS_TRY(ps_dataset_index_add(&file->request_index, ps_hash_64(&hash), number, &found, &added,
                                error));
    PS_FAIL_IF(!added, error, PS_FORMAT, "the custom_id '%.80s' occurs twice", id);
    struct request *request = &file->requests[file->request_count++];
    request->id = ps_arena_strndup(&file->requests_arena, id, strlen(id));
    request->prompt = ps_arena_strndup(&file->requests_arena, prompt, strlen(prompt));
    PS_FAIL_IF(!request->id || !request->prompt, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

static enum ps_status read_request(struct ps_reply_file *file, const json_t *object,
                                   struct ps_error *error) {
    const char *id;
    json_t *body;
    PS_FAIL_IF(!json_is_object(object), error, PS_FORMAT, "the line is no JSON object");
    PS_TRY(ps_json_string(object, "custom_id", &id, error));
    PS_TRY(ps_json_object(object, "body", &body, error));
    file->prompt.size = 0;
    PS_TRY(ps_reply_line_request(body, &file->prompt, error));
    return keep_request(file, id, file->prompt.data, error);
}

/* A damaged request file is an error, not a matter of single lines: its replies would be lost. */
static enum ps_status read_requests(struct ps_reply_file *file, const char *path,
                                    struct ps_error *error) {
    struct ps_dataset_stream *stream;
    struct ps_json_lines lines;
    json_t *object = NULL;
    PS_TRY(ps_dataset_stream_open(&stream, path, error));
    ps_json_lines_open_function(&lines, path, ps_dataset_stream_read, stream, LINE_LIMIT);
    enum ps_status status = PS_OK;
    for (;;) {
        PS_TRY_DONE(ps_stop_check(error));
        PS_TRY_DONE(ps_json_lines_next(&lines, &object, error));
        if (!object) break;
        status = read_request(file, object, error);
        json_decref(object);
        if (status == PS_OK) continue;
        ps_error_prefix(error, "%s:%zu", path, lines.line);
        goto done;
    }
done:
    ps_json_lines_close(&lines);
    ps_dataset_stream_close(stream, NULL);
    return status;
}

static const char *find_request(const struct ps_reply_file *file, const char *id) {
    struct ps_hash hash = ps_hash_bytes(id, strlen(id));
    uint32_t number;
    if (!ps_dataset_index_find(&file->request_index, ps_hash_64(&hash), &number)) return NULL;
    return strcmp(file->requests[number].id, id) == 0 ? file->requests[number].prompt : NULL;
}

/* ---- opening ---- */

static enum ps_status hash_file(const char *path, struct ps_hash *hash, struct ps_error *error) {
    struct ps_dataset_stream *stream;
    char *block = ps_malloc(1 << 20);
    PS_FAIL_IF_NULL(block, error);
    enum ps_status status = ps_dataset_stream_open(&stream, path, error);
    size_t got = status == PS_OK;
    while (status == PS_OK && got > 0) {
        status = ps_stop_check(error);
        if (status == PS_OK) status = ps_dataset_stream_read(stream, block, 1 << 20, &got, error);
    }
    if (stream) ps_dataset_stream_close(stream, hash);
    ps_free(block);
    return status;
}

enum ps_status ps_reply_file_open_function(struct ps_reply_file **result, const char *name,
                                           ps_read_function *read, void *context,
                                           const struct ps_reply_format *format,
                                           struct ps_error *error) {
    *result = NULL;
    struct ps_reply_file *file = ps_calloc(1, sizeof *file);
    PS_FAIL_IF_NULL(file, error);
    file->format = *format;
    ps_json_lines_open_function(&file->lines, name, read, context, LINE_LIMIT);
    ps_arena_init(&file->requests_arena, SIZE_MAX / 2);
    ps_arena_init(&file->arena, SIZE_MAX / 2);
    ps_buffer_init(&file->prompt, SIZE_MAX / 2);
    enum ps_status status = PS_OK;
    if (format->requests) status = read_requests(file, format->requests, error);
    if (status == PS_OK)
        *result = file;
    else
        ps_reply_file_close(file);
    return status;
}

enum ps_status ps_reply_file_open(struct ps_reply_file **file, const char *path,
                                  const struct ps_reply_format *format, struct ps_hash *hash,
                                  struct ps_error *error) {
    struct ps_dataset_stream *stream;
    *file = NULL;
    PS_TRY(hash_file(path, hash, error));
    PS_TRY(ps_dataset_stream_open(&stream, path, error));
    enum ps_status status =
        ps_reply_file_open_function(file, path, ps_dataset_stream_read, stream, format, error);
    if (status == PS_OK)
        (*file)->stream = stream;
    else
        ps_dataset_stream_close(stream, NULL);
    return status;
}

void ps_reply_file_close(struct ps_reply_file *file) {
    if (!file) return;
    json_decref(file->object);
    ps_json_lines_close(&file->lines);
    ps_dataset_stream_close(file->stream, NULL);
    ps_dataset_index_release(&file->request_index);
    ps_dataset_index_release(&file->prompt_index);
    ps_free(file->requests);
    ps_free(file->samples);
    ps_buffer_release(&file->prompt);
    ps_arena_release(&file->requests_arena);
    ps_arena_release(&file->arena);
    ps_free(file);
}

size_t ps_reply_file_lines(const struct ps_reply_file *file) {
    return file->lines.line;
}

/* ---- results of a batch ---- */

static bool is_batch(const json_t *object) {
    return json_object_get(object, "custom_id") &&
           (json_object_get(object, "response") || json_object_get(object, "error"));
}

/* {"code", "message"}, {"error": {...}} or a text. */
static enum ps_status failed(struct ps_reply_file *file, const json_t *problem, int64_t code,
                             struct ps_reply_line *line, struct ps_error *error) {
    const json_t *inner = ps_json_get(problem, "error");
    if (inner) problem = inner;
    const json_t *name = ps_json_get(problem, "code"), *message = ps_json_get(problem, "message");
    if (json_is_string(problem)) message = problem;
    line->failure = json_is_string(name) ? json_string_value(name) : "batch error";
    if (code) line->failure = ps_arena_format(&file->arena, "http %lld", (long long)code);
    if (json_is_string(message)) line->detail = json_string_value(message);
    PS_FAIL_IF_NULL(line->failure, error);
    return PS_OK;
}

static enum ps_status read_choice(struct ps_reply_file *file, const json_t *body,
                                  struct ps_reply_line *line, struct ps_error *error) {
    json_t *choices, *message;
    const char *finish;
    PS_TRY(ps_json_array(body, "choices", &choices, error));
    file->choices = json_array_size(choices);
    PS_FAIL_IF(file->choices == 0, error, PS_FORMAT, "the response has no choices");
    const json_t *choice = json_array_get(choices, file->choice++);
    PS_TRY(ps_json_object(choice, "message", &message, error));
    PS_TRY(ps_json_string_or(choice, "finish_reason", "stop", &finish, error));
    if (strcmp(finish, "content_filter") == 0) {
        line->failure = "content_filter";
        return PS_OK;
    }
    line->cut = strcmp(finish, "length") == 0;
    PS_TRY(ps_reply_line_parts(message, NULL, &file->arena, line, error));
    json_t *usage;
    if (file->choices > 1) return PS_OK; /* the tokens are those of all */
    PS_TRY(ps_json_object_or(body, "usage", &usage, error));
    if (!usage) return PS_OK;
    PS_TRY(
        ps_json_integer_or(usage, "prompt_tokens", 0, INT32_MAX, 0, &line->prompt_tokens, error));
    return ps_json_integer_or(usage, "completion_tokens", 0, INT32_MAX, 0, &line->output_tokens,
                              error);
}

static enum ps_status read_result(struct ps_reply_file *file, struct ps_reply_line *line,
                                  struct ps_error *error) {
    const char *id;
    json_t *response, *body;
    int64_t code;
    PS_TRY(ps_json_string(file->object, "custom_id", &id, error));
    line->prompt = find_request(file, id);
    PS_FAIL_IF(!line->prompt, error, PS_FORMAT, "%s has no request '%.80s'", file->format.requests,
               id);
    line->id = id; /* not the one that the server gave its answer */
    PS_TRY(ps_json_object_or(file->object, "response", &response, error));
    if (!response) return failed(file, ps_json_get(file->object, "error"), 0, line, error);
    PS_TRY(ps_json_integer_or(response, "status_code", 0, 999, 200, &code, error));
    if (code != 200) return failed(file, ps_json_get(response, "body"), code, line, error);
    PS_TRY(ps_json_object(response, "body", &body, error));
    PS_TRY(ps_json_string_or(body, "model", NULL, &line->model, error));
    return read_choice(file, body, line, error);
}

/* ---- lines ---- */

/* The how-manieth reply to its prompt this is. */
static enum ps_status count_sample(struct ps_reply_file *file, struct ps_reply_line *line,
                                   struct ps_error *error) {
    struct ps_hash hash;
    uint32_t number;
    bool added;
    PS_TRY(ps_store_identity(line->prompt, &hash, error));
    if (file->prompt_count == file->prompt_capacity) {
        size_t capacity = file->prompt_capacity ? 2 * file->prompt_capacity : 256;
        uint32_t *grown = ps_realloc(file->samples, capacity * sizeof *grown);
        PS_FAIL_IF_NULL(grown, error);
        file->samples = grown;
        file->prompt_capacity = capacity;
    }
    PS_TRY(ps_dataset_index_add(&file->prompt_index, ps_hash_64(&hash),
                                (uint32_t)file->prompt_count, &number, &added, error));
    if (added) file->samples[file->prompt_count++] = 0;
    line->sample = file->samples[number]++;
    return PS_OK;
}

static enum ps_status read_line(struct ps_reply_file *file, struct ps_reply_line *line,
                                struct ps_error *error) {
    PS_FAIL_IF(!json_is_object(file->object), error, PS_FORMAT, "the line is no JSON object");
    if (is_batch(file->object)) {
        PS_TRY(ps_reply_line_about(file->object, &file->arena, line, error));
        PS_TRY(read_result(file, line, error));
    } else {
        const json_t *reply;
        file->prompt.size = 0;
        PS_TRY(ps_reply_line_read(file->object, &file->format, &file->prompt, &reply, error));
        line->prompt = file->prompt.data;
        PS_TRY(ps_reply_line_parts(reply, file->object, &file->arena, line, error));
        PS_TRY(ps_reply_line_about(file->object, &file->arena, line, error));
    }
    return count_sample(file, line, error);
}

enum ps_status ps_reply_file_next(struct ps_reply_file *file, struct ps_reply_line *line,
                                  bool *more, struct ps_error *error) {
    *more = true;
    ps_arena_release(&file->arena);
    if (file->choice >= file->choices) {
        json_decref(file->object);
        file->object = NULL;
        file->choice = file->choices = 0;
        PS_TRY(ps_json_lines_next(&file->lines, &file->object, error));
        *more = file->object != NULL;
        if (!*more) return PS_OK;
    }
    *line = (struct ps_reply_line){.line = file->lines.line};
    PS_FAIL_IF(
        is_batch(file->object) && !file->format.requests, error, PS_ARGUMENT,
        "%s:%zu: a result of a batch, whose prompts stand in the file that was sent; name it "
        "with --requests",
        file->lines.name, line->line);
    enum ps_status status = read_line(file, line, error);
    return status == PS_FORMAT ? ps_error_prefix(error, "%s:%zu", file->lines.name, line->line)
                               : status;
}
