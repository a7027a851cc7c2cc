/* A trace as a line that trainers read. */

#include "store_internal.h"

#include "base/json.h"

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

static enum ps_status write_reply(struct ps_json_writer *writer, const struct ps_store_trace *trace,
                                  enum ps_store_reasoning reasoning, struct ps_error *error) {
    ps_json_write_begin_object(writer);
    ps_json_write_key(writer, "role");
    ps_json_write_string(writer, "assistant");
    if (reasoning == PS_STORE_APART) {
        ps_json_write_key(writer, "reasoning_content");
        ps_json_write_text(writer, trace->reasoning, trace->reasoning_size);
        ps_json_write_key(writer, "content");
        ps_json_write_text(writer, trace->content, trace->content_size);
    } else {
        struct ps_buffer reply;
        ps_buffer_init(&reply, PS_STORE_BODY_LIMIT + 64);
        bool fits = ps_buffer_reserve(&reply, 1) && ps_store_write_reply(&reply, trace);
        ps_json_write_key(writer, "content");
        if (fits) ps_json_write_text(writer, reply.data, reply.size);
        ps_buffer_release(&reply);
        PS_FAIL_IF(!fits, error, PS_MEMORY, "out of memory");
    }
    ps_json_write_end_object(writer);
    return PS_OK;
}

static enum ps_status write_line(const char *conversation, const struct ps_store_trace *trace,
                                 enum ps_store_reasoning reasoning, struct ps_buffer *out,
                                 struct ps_error *error) {
    json_t *prompt, *messages;
    struct ps_json_writer writer;
    PS_TRY(ps_json_parse("prompt", conversation, strlen(conversation), &prompt, error));
    enum ps_status status = PS_OK;
    PS_TRY_DONE(ps_json_array(prompt, "messages", &messages, error));
    ps_json_writer_begin(&writer, out);
    ps_json_write_begin_object(&writer);
    ps_json_write_key(&writer, "messages");
    ps_json_write_begin_array(&writer);
    for (size_t i = 0; i < json_array_size(messages); i++)
        write_message(&writer, json_array_get(messages, i));
    PS_TRY_DONE(write_reply(&writer, trace, reasoning, error));
    ps_json_write_end_array(&writer);
    ps_json_write_end_object(&writer);
    PS_TRY_DONE(ps_json_writer_end(&writer, error));
    PS_FAIL_DONE_IF(!ps_buffer_puts(out, "\n"), error, PS_MEMORY, "out of memory");
done:
    json_decref(prompt);
    return status;
}

enum ps_status ps_store_export(struct ps_store *store, int64_t id,
                               enum ps_store_reasoning reasoning, struct ps_buffer *out,
                               struct ps_error *error) {
    struct ps_arena arena;
    struct ps_store_trace trace;
    const char *conversation;
    size_t start = out->size;
    ps_arena_init(&arena, 16u * PS_STORE_BODY_LIMIT);
    enum ps_status status = PS_OK;
    PS_TRY_DONE(ps_store_read_trace(store, id, &arena, &trace, error));
    PS_TRY_DONE(ps_store_read_prompt(store, trace.key.prompt, &arena, &conversation, error));
    status = write_line(conversation, &trace, reasoning, out, error);
done:
    if (status != PS_OK) out->size = start;
    ps_arena_release(&arena);
    return status;
}
