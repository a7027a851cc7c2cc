/* A trace as a line that trainers read. */

#include "store_internal.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

/* role, content, and whatever else the message has. */
static void write_message(struct ps_json_writer *writer, const json_t *message) {
    const char *key;
    json_t *value;
    ps_json_write_begin_object(writer);
    static const char *const first[] = {"role", "content"};
    for (int i = 0; i < 2; i++) {
        ps_json_write_key(writer, first[i]);
        ps_json_write_value(writer, json_object_get(message, first[i]));
    }
    json_object_foreach((json_t *)message, key, value) {
        if (strcmp(key, "role") == 0 || strcmp(key, "content") == 0) continue;
        ps_json_write_key(writer, key);
        ps_json_write_value(writer, value);
    }
    ps_json_write_end_object(writer);
}

/* The members of the reply's message; key is that of its text. */
static enum ps_status write_parts(struct ps_json_writer *writer, const struct ps_store_trace *trace,
                                  enum ps_store_reasoning reasoning, const char *key,
                                  struct ps_error *error) {
    if (reasoning == PS_STORE_APART) {
        ps_json_write_key(writer, "reasoning_content");
        ps_json_write_text(writer, trace->reasoning, trace->reasoning_size);
        ps_json_write_key(writer, key);
        ps_json_write_text(writer, trace->content, trace->content_size);
    } else {
        struct ps_buffer reply;
        ps_buffer_init(&reply, PS_STORE_BODY_LIMIT + 64);
        bool fits = ps_buffer_reserve(&reply, 1) && ps_store_write_reply(&reply, trace);
        ps_json_write_key(writer, key);
        if (fits) ps_json_write_text(writer, reply.data, reply.size);
        ps_buffer_release(&reply);
        PS_FAIL_IF(!fits, error, PS_MEMORY, "out of memory");
    }
    return PS_OK;
}

static enum ps_status write_reply(struct ps_json_writer *writer, const struct ps_store_trace *trace,
                                  enum ps_store_reasoning reasoning, struct ps_error *error) {
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "role", "assistant");
    PS_TRY(write_parts(writer, trace, reasoning, "content", error));
    ps_json_write_end_object(writer);
    return PS_OK;
}

static void write_prompt(struct ps_json_writer *writer, const json_t *messages) {
    for (size_t i = 0; i < json_array_size(messages); i++)
        write_message(writer, json_array_get(messages, i));
}

/* ---- the formats ---- */

static enum ps_status write_messages(struct ps_json_writer *writer, const json_t *messages,
                                     const struct ps_store_trace *trace,
                                     enum ps_store_reasoning reasoning, struct ps_error *error) {
    ps_json_write_key(writer, "messages");
    ps_json_write_begin_array(writer);
    write_prompt(writer, messages);
    PS_TRY(write_reply(writer, trace, reasoning, error));
    ps_json_write_end_array(writer);
    return PS_OK;
}

static const char *sharegpt_name(const char *role) {
    if (strcmp(role, "user") == 0) return "human";
    return strcmp(role, "assistant") == 0 ? "gpt" : role;
}

static enum ps_status write_sharegpt(struct ps_json_writer *writer, const json_t *messages,
                                     const struct ps_store_trace *trace,
                                     enum ps_store_reasoning reasoning, struct ps_error *error) {
    ps_json_write_key(writer, "conversations");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const char *role;
        PS_TRY(ps_json_string(json_array_get(messages, i), "role", &role, error));
        ps_json_write_begin_object(writer);
        ps_json_put_string(writer, "from", sharegpt_name(role));
        ps_json_write_key(writer, "value");
        ps_json_write_value(writer, json_object_get(json_array_get(messages, i), "content"));
        ps_json_write_end_object(writer);
    }
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "from", "gpt");
    PS_TRY(write_parts(writer, trace, reasoning, "value", error));
    ps_json_write_end_object(writer);
    ps_json_write_end_array(writer);
    return PS_OK;
}

/* The text of a conversation that is one user message, or NULL. */
static const json_t *single(const json_t *messages) {
    const json_t *message = json_array_get(messages, 0);
    const char *role = json_string_value(json_object_get(message, "role"));
    const json_t *content = json_object_get(message, "content");
    bool plain = json_array_size(messages) == 1 && json_object_size(message) == 2 && role &&
                 strcmp(role, "user") == 0 && json_string_length(content) > 0;
    return plain ? content : NULL;
}

static enum ps_status write_pair(struct ps_json_writer *writer, const json_t *messages,
                                 const struct ps_store_trace *trace,
                                 enum ps_store_reasoning reasoning, struct ps_error *error) {
    const json_t *text = single(messages);
    ps_json_write_key(writer, "prompt");
    if (text) {
        ps_json_write_value(writer, text);
        return write_parts(writer, trace, reasoning, "completion", error);
    }
    ps_json_write_begin_array(writer);
    write_prompt(writer, messages);
    ps_json_write_end_array(writer);
    ps_json_write_key(writer, "completion");
    ps_json_write_begin_array(writer);
    PS_TRY(write_reply(writer, trace, reasoning, error));
    ps_json_write_end_array(writer);
    return PS_OK;
}

/* ---- what is known about it ---- */

/* The data set's own id, else the row's number. */
static enum ps_status write_id(struct ps_json_writer *writer, const struct ps_store_row *row,
                               struct ps_error *error) {
    json_t *extra = NULL;
    if (row->extra)
        PS_TRY(ps_json_parse("an item's extra", row->extra, strlen(row->extra), &extra, error));
    const json_t *id = ps_json_get(extra, "id");
    ps_json_write_key(writer, "id");
    if (json_is_string(id))
        ps_json_write_value(writer, id);
    else
        ps_json_write_integer(writer, row->row);
    json_decref(extra);
    return PS_OK;
}

static enum ps_status write_metadata(struct ps_json_writer *writer, const struct ps_store_row *row,
                                     struct ps_error *error) {
    char name[512];
    if (row->dataset) {
        PS_TRY(write_id(writer, row, error));
        snprintf(name, sizeof name, "%s/%s", row->dataset, row->split);
        ps_json_put_string(writer, "dataset", name);
    }
    if (row->gold) ps_json_put_string(writer, "gold", row->gold);
    if (row->verdict) ps_json_put_string(writer, "verdict", row->verdict);
    ps_json_put_string(writer, "finish_reason", ps_store_finish_name(row->finish));
    ps_json_put_string(writer, "model", row->source);
    return PS_OK;
}

/* ---- lines ---- */

static enum ps_status write_line(const char *conversation, const struct ps_store_trace *trace,
                                 const struct ps_store_row *row, const struct ps_store_line *how,
                                 struct ps_buffer *out, struct ps_error *error) {
    static enum ps_status (*const formats[])(
        struct ps_json_writer *, const json_t *, const struct ps_store_trace *,
        enum ps_store_reasoning, struct ps_error *) = {[PS_STORE_MESSAGES] = write_messages,
                                                       [PS_STORE_SHAREGPT] = write_sharegpt,
                                                       [PS_STORE_PROMPT_COMPLETION] = write_pair};
    json_t *prompt, *messages;
    struct ps_json_writer writer;
    PS_TRY(ps_json_parse("prompt", conversation, strlen(conversation), &prompt, error));
    enum ps_status status = PS_OK;
    PS_TRY_DONE(ps_json_array(prompt, "messages", &messages, error));
    ps_json_writer_begin(&writer, out);
    ps_json_write_begin_object(&writer);
    PS_TRY_DONE(formats[how->format](&writer, messages, trace, how->reasoning, error));
    if (how->metadata) PS_TRY_DONE(write_metadata(&writer, row, error));
    ps_json_write_end_object(&writer);
    PS_TRY_DONE(ps_json_writer_end(&writer, error));
    PS_FAIL_DONE_IF(!ps_buffer_puts(out, "\n"), error, PS_MEMORY, "out of memory");
done:
    json_decref(prompt);
    return status;
}

enum ps_status ps_store_export(struct ps_store *store, const struct ps_store_row *row,
                               const struct ps_store_line *how, struct ps_buffer *out,
                               struct ps_error *error) {
    struct ps_arena arena;
    struct ps_store_trace trace;
    const char *conversation;
    size_t start = out->size;
    ps_arena_init(&arena, 16u * PS_STORE_BODY_LIMIT);
    enum ps_status status = PS_OK;
    PS_TRY_DONE(ps_store_read_trace(store, row->id, &arena, &trace, error));
    PS_TRY_DONE(ps_store_read_prompt(store, trace.key.prompt, &arena, &conversation, error));
    status = write_line(conversation, &trace, row, how, out, error);
done:
    if (status != PS_OK) out->size = start;
    ps_arena_release(&arena);
    return status;
}
