/* potstill text encode, potstill text decode: between text and token ids. */
#include "pipelines/commands/commands_internal.h"

#include "hub/hub.h"
#include "pipelines/commands/filter.h"
#include "text/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_LIMIT = 1 << 30 };

struct text_flags {
    const char *tokenizer;
    bool jsonl, special, ordinary, skip_special;
};
#define AT(member) offsetof(struct text_flags, member)
#define TOKENIZER                                                                                  \
    {                                                                                              \
        "tokenizer", PS_SETTING_STRING, AT(tokenizer),                                             \
            .required = true, .argument = "PATH",                                                  \
            .help = "a tokenizer.json, the folder that has one, or the id of a model in the cache" \
    }
#define JSONL                                                                                      \
    { "jsonl", PS_SETTING_BOOL, AT(jsonl), .help = "read JSON lines on stdin, write one for each" }

static const struct ps_setting encode_items[] = {
    TOKENIZER,
    JSONL,
    {"special", PS_SETTING_BOOL, AT(special),
     .help = "run the post-processor, which adds BOS and the like"},
    {"ordinary", PS_SETTING_BOOL, AT(ordinary), .help = "no text becomes a control token"},
};
static const struct ps_setting decode_items[] = {
    TOKENIZER,
    JSONL,
    {"skip_special", PS_SETTING_BOOL, AT(skip_special), .help = "leave special tokens out"},
};
static const struct ps_settings_table encode_table =
    PS_SETTINGS_TABLE("text encode", "", encode_items, struct text_flags);
static const struct ps_settings_table decode_table =
    PS_SETTINGS_TABLE("text decode", "", decode_items, struct text_flags);

struct session {
    const struct text_flags *flags;
    struct ps_tokenizer *tokenizer;
    struct ps_token_ids ids;
    struct ps_buffer text;
};

static enum ps_status open_session(struct session *session, const struct ps_call *call,
                                   struct ps_error *error) {
    *session = (struct session){.flags = call->settings[0].values};
    ps_buffer_init(&session->text, TEXT_LIMIT);
    PS_TRY(ps_settings_require(call->settings, 1, call->command->name, error));
    bool both = session->flags->jsonl && call->arguments.count > 0;
    PS_FAIL_IF(both, error, PS_ARGUMENT, "%s --jsonl reads stdin and takes no arguments",
               call->command->name);
    const char *path;
    PS_TRY(ps_hub_find(session->flags->tokenizer, call->arena, &path, error));
    return ps_tokenizer_open(path, &session->tokenizer, error);
}

static void close_session(struct session *session) {
    ps_tokenizer_close(session->tokenizer);
    ps_token_ids_release(&session->ids);
    ps_buffer_release(&session->text);
}

/* All of stdin. */
static enum ps_status read_stdin(struct ps_buffer *text, struct ps_error *error) {
    char block[1 << 16];
    for (size_t got; (got = fread(block, 1, sizeof block, stdin)) > 0;)
        PS_FAIL_IF(!ps_buffer_append(text, block, got), error, PS_LIMIT,
                   "stdin: out of memory, or more than %d bytes", TEXT_LIMIT);
    return ferror(stdin) ? ps_error_errno(error, errno, "stdin") : PS_OK;
}

/* ---- encode ---- */

static void write_ids(struct ps_json_writer *json, const struct ps_token_ids *ids) {
    ps_json_write_begin_object(json);
    ps_json_write_key(json, "ids");
    ps_json_write_begin_array(json);
    for (size_t i = 0; i < ids->size; i++) ps_json_write_integer(json, ids->data[i]);
    ps_json_write_end_array(json);
    ps_json_write_end_object(json);
}

static enum ps_status encode_line(void *context, const json_t *line, struct ps_json_writer *answer,
                                  struct ps_error *error) {
    const struct session *session = context;
    struct ps_token_ids ids = {0};
    bool special, ordinary;
    const json_t *text = ps_json_get(line, "text");
    PS_FAIL_IF(!json_is_string(text), error, PS_FORMAT, "'text' is missing or no string");
    PS_TRY(ps_json_bool_or(line, "special", session->flags->special, &special, error));
    PS_TRY(ps_json_bool_or(line, "ordinary", session->flags->ordinary, &ordinary, error));
    unsigned flags = (special ? PS_ENCODE_SPECIAL : 0) | (ordinary ? PS_ENCODE_ORDINARY : 0);
    enum ps_status status = ps_tokenizer_encode(session->tokenizer, json_string_value(text),
                                                json_string_length(text), flags, &ids, error);
    if (status == PS_OK) write_ids(answer, &ids);
    ps_token_ids_release(&ids);
    return status;
}

static enum ps_status encode_one(struct session *session, const struct ps_call *call,
                                 struct ps_error *error) {
    unsigned flags = (session->flags->special ? PS_ENCODE_SPECIAL : 0) |
                     (session->flags->ordinary ? PS_ENCODE_ORDINARY : 0);
    if (call->arguments.count == 0) {
        PS_TRY(read_stdin(&session->text, error));
    } else {
        PS_FAIL_IF(!ps_buffer_puts(&session->text, call->arguments.items[0]), error, PS_MEMORY,
                   "out of memory");
    }
    const char *text = session->text.data ? session->text.data : "";
    PS_TRY(ps_tokenizer_encode(session->tokenizer, text, session->text.size, flags, &session->ids,
                               error));
    if (!call->json) {
        for (size_t i = 0; i < session->ids.size; i++)
            printf("%s%u", i ? " " : "", session->ids.data[i]);
        putchar('\n');
        return PS_OK;
    }
    struct ps_json_writer json;
    session->text.size = 0;
    ps_json_writer_begin(&json, &session->text);
    write_ids(&json, &session->ids);
    PS_TRY(ps_json_writer_end(&json, error));
    puts(session->text.data);
    return PS_OK;
}

static enum ps_status run_encode(struct ps_call *call, struct ps_error *error) {
    struct session session;
    enum ps_status status = open_session(&session, call, error);
    if (status == PS_OK)
        status = session.flags->jsonl ? ps_filter_lines(encode_line, &session, true, error)
                                      : encode_one(&session, call, error);
    close_session(&session);
    return status;
}

/* ---- decode ---- */

static enum ps_status decode(const struct session *session, const struct ps_token_ids *ids,
                             struct ps_buffer *text, struct ps_error *error) {
    text->size = 0;
    PS_FAIL_IF(!ps_buffer_reserve(text, 1), error, PS_MEMORY, "out of memory");
    return ps_tokenizer_decode(session->tokenizer, ids->data, ids->size,
                               session->flags->skip_special, text, error);
}

static enum ps_status add_id(struct ps_token_ids *ids, int64_t value, struct ps_error *error) {
    uint32_t id = (uint32_t)value;
    PS_FAIL_IF(value < 0 || value > UINT32_MAX, error, PS_FORMAT, "%lld is no token id",
               (long long)value);
    return ps_token_ids_append(ids, &id, 1, error);
}

static void write_text(struct ps_json_writer *json, const struct ps_buffer *text) {
    ps_json_write_begin_object(json);
    ps_json_write_key(json, "text");
    ps_json_write_text(json, text->data, text->size);
    ps_json_write_end_object(json);
}

static enum ps_status decode_line(void *context, const json_t *line, struct ps_json_writer *answer,
                                  struct ps_error *error) {
    struct ps_token_ids ids = {0};
    struct ps_buffer text;
    json_t *list, *id;
    size_t i;
    PS_TRY(ps_json_array(line, "ids", &list, error));
    enum ps_status status = PS_OK;
    ps_buffer_init(&text, TEXT_LIMIT);
    json_array_foreach(list, i, id) {
        PS_FAIL_DONE_IF(!json_is_integer(id), error, PS_FORMAT,
                        "'ids' has an item that is no token id");
        PS_TRY_DONE(add_id(&ids, json_integer_value(id), error));
    }
    PS_TRY_DONE(decode(context, &ids, &text, error));
    write_text(answer, &text);
done:
    ps_token_ids_release(&ids);
    ps_buffer_release(&text);
    return status;
}

/* The ids in a text, apart by blanks or commas. */
static enum ps_status parse_ids(struct session *session, const char *text, struct ps_error *error) {
    while (*(text += strspn(text, " \t\r\n,"))) {
        char *end;
        errno = 0;
        long long value = strtoll(text, &end, 10);
        PS_FAIL_IF(end == text || errno, error, PS_ARGUMENT, "'%.40s' is no token id", text);
        PS_TRY(add_id(&session->ids, value, error));
        text = end;
    }
    return PS_OK;
}

static enum ps_status decode_one(struct session *session, const struct ps_call *call,
                                 struct ps_error *error) {
    if (call->arguments.count == 0) {
        PS_TRY(read_stdin(&session->text, error));
        PS_TRY(parse_ids(session, session->text.data ? session->text.data : "", error));
    }
    for (size_t i = 0; i < call->arguments.count; i++)
        PS_TRY(parse_ids(session, call->arguments.items[i], error));
    PS_TRY(decode(session, &session->ids, &session->text, error));
    if (!call->json) {
        fwrite(session->text.data, 1, session->text.size, stdout);
        putchar('\n');
        return PS_OK;
    }
    struct ps_buffer out;
    struct ps_json_writer json;
    ps_buffer_init(&out, TEXT_LIMIT);
    ps_json_writer_begin(&json, &out);
    write_text(&json, &session->text);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(out.data);
    ps_buffer_release(&out);
    return status;
}

static enum ps_status run_decode(struct ps_call *call, struct ps_error *error) {
    struct session session;
    enum ps_status status = open_session(&session, call, error);
    if (status == PS_OK)
        status = session.flags->jsonl ? ps_filter_lines(decode_line, &session, true, error)
                                      : decode_one(&session, call, error);
    close_session(&session);
    return status;
}

const struct ps_command ps_command_text_encode = {
    .name = "text encode",
    .synopsis = "--tokenizer PATH [TEXT]",
    .help = "token ids of a text, from the command line or stdin",
    .details = "With --jsonl a line is {\"text\", \"special\", \"ordinary\"}, the last two true "
               "or false, by default\nas the flags say. The answer is {\"ids\": [...]}, or "
               "{\"error\"} and the rest goes on.",
    .tables = {&encode_table},
    .maximum_arguments = 1,
    .run = run_encode,
};

const struct ps_command ps_command_text_decode = {
    .name = "text decode",
    .synopsis = "--tokenizer PATH [ID ...]",
    .help = "the text of token ids, from the command line or stdin",
    .details = "With --jsonl a line is {\"ids\": [...]}. The answer is {\"text\"}, or {\"error\"} "
               "and the rest goes on.",
    .tables = {&decode_table},
    .maximum_arguments = SIZE_MAX,
    .run = run_decode,
};
