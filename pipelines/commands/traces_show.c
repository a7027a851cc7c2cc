/* potstill traces show: one trace in full. */
#include "pipelines/commands/traces_internal.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Text of a model as it is, but without what could steer a terminal. */
static void print_text(const char *text, size_t size) {
    bool terminal = isatty(STDOUT_FILENO);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool steers = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
        putchar(terminal && steers ? '?' : c);
    }
}

static void text(struct ps_json_writer *json, const char *key, const char *value, size_t size) {
    ps_json_write_key(json, key);
    ps_json_write_text(json, value, size);
}

struct show_settings {
    bool tokens;
};
static const struct ps_setting show_items[] = {
    {"tokens", PS_SETTING_BOOL, offsetof(struct show_settings, tokens),
     .help = "token ids and their log-probabilities too"},
};
static const struct ps_settings_table show_table =
    PS_SETTINGS_TABLE("traces show", "For potstill traces show.", show_items, struct show_settings);

struct shown {
    const struct ps_store_trace *trace;
    const struct ps_store_row *row;
    json_t *conversation;
    bool tokens;
};

static void write_tokens(struct ps_json_writer *json, const struct ps_store_trace *trace) {
    ps_json_write_key(json, "ids");
    if (!trace->ids) ps_json_write_null(json);
    if (trace->ids) ps_json_write_begin_array(json);
    for (int64_t i = 0; trace->ids && i < trace->output_tokens; i++)
        ps_json_write_integer(json, trace->ids[i]);
    if (trace->ids) ps_json_write_end_array(json);
    ps_json_write_key(json, "logprobs");
    if (!trace->logprobs) ps_json_write_null(json);
    if (trace->logprobs) ps_json_write_begin_array(json);
    for (int64_t i = 0; trace->logprobs && i < trace->output_tokens; i++)
        ps_json_write_number(json, trace->logprobs[i]);
    if (trace->logprobs) ps_json_write_end_array(json);
}

static enum ps_status show_json(const struct shown *shown, struct ps_error *error) {
    struct ps_buffer buffer;
    struct ps_json_writer json;
    char hex[PS_HASH_HEX_SIZE];
    ps_buffer_init(&buffer, SIZE_MAX / 2);
    ps_json_writer_begin(&json, &buffer);
    ps_json_write_begin_object(&json);
    ps_traces_write_row(&json, shown->row);
    ps_json_write_key(&json, "digest");
    ps_json_write_string(&json, ps_hash_hex(&shown->trace->digest, hex));
    ps_json_write_key(&json, "conversation");
    ps_json_write_value(&json, shown->conversation);
    text(&json, "reasoning", shown->trace->reasoning, shown->trace->reasoning_size);
    text(&json, "content", shown->trace->content, shown->trace->content_size);
    if (shown->tokens) write_tokens(&json, shown->trace);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(buffer.data);
    ps_buffer_release(&buffer);
    return status;
}

static void print_messages(const json_t *conversation) {
    const json_t *messages = ps_json_get(conversation, "messages");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        const json_t *role = json_object_get(message, "role");
        const json_t *content = json_object_get(message, "content");
        printf("\n[%s]\n", json_is_string(role) ? json_string_value(role) : "?");
        if (json_is_string(content))
            print_text(json_string_value(content), json_string_length(content));
        puts("");
    }
}

static void show_text(const struct shown *shown) {
    const struct ps_store_row *row = shown->row;
    const struct ps_store_trace *trace = shown->trace;
    time_t seconds = (time_t)(row->time / 1000);
    char when[40] = "";
    struct tm local;
    if (localtime_r(&seconds, &local)) strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    printf("trace      %lld, sample %lld by %s\n", (long long)row->id, (long long)row->key.sample,
           row->source);
    if (row->dataset)
        printf("item       %s/%s, row %lld, gold %s\n", row->dataset, row->split,
               (long long)row->row, row->gold ? row->gold : "not known");
    printf("finished   %s, %s, %lld tokens of at most %lld\n", when,
           ps_store_finish_name(row->finish), (long long)row->output_tokens,
           (long long)row->max_tokens);
    printf("verdict    %s%s%s\n", row->verdict ? row->verdict : "not graded",
           row->extracted ? ", extracted " : "", row->extracted ? row->extracted : "");
    print_messages(shown->conversation);
    puts("\n[assistant]");
    if (trace->reasoning_size) {
        fputs("<think>", stdout);
        print_text(trace->reasoning, trace->reasoning_size);
        fputs("</think>", stdout);
    }
    print_text(trace->content, trace->content_size);
    puts("");
    for (int64_t i = 0;
         shown->tokens && (trace->ids || trace->logprobs) && i < trace->output_tokens; i++)
        printf("%8lld %8d %10.5f\n", (long long)i, trace->ids ? (int)trace->ids[i] : -1,
               trace->logprobs ? (double)trace->logprobs[i] : 0.0);
}

static enum ps_status show(struct ps_call *call, struct ps_store *store,
                           const struct ps_store_row *row, struct ps_error *error) {
    const struct show_settings *settings = call->settings[0].values;
    struct ps_store_trace trace;
    struct shown shown = {.trace = &trace, .row = row, .tokens = settings->tokens};
    const char *prompt;
    PS_TRY(ps_store_read_trace(store, row->id, call->arena, &trace, error));
    PS_TRY(ps_store_read_prompt(store, row->key.prompt, call->arena, &prompt, error));
    PS_TRY(ps_json_parse("prompt", prompt, strlen(prompt), &shown.conversation, error));
    enum ps_status status = PS_OK;
    if (call->json)
        status = show_json(&shown, error);
    else
        show_text(&shown);
    json_decref(shown.conversation);
    return status;
}

static enum ps_status run_show(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    struct ps_store_cursor *cursor = NULL;
    struct ps_store_row row;
    int64_t id;
    PS_TRY(ps_traces_read_id(call->arguments.items[1], &id, error));
    PS_TRY(ps_traces_open(call, &store, error));
    enum ps_status status = ps_traces_find(store, id, &cursor, &row, error);
    if (status == PS_OK) {
        status = show(call, store, &row, error);
        ps_store_cursor_close(cursor);
    }
    ps_store_close(store);
    return status;
}

const struct ps_command ps_command_traces_show = {
    .name = "traces show",
    .synopsis = "STORE ID",
    .help = "show one trace with its prompt, text and verdict",
    .tables = {&show_table},
    .minimum_arguments = 2,
    .maximum_arguments = 2,
    .run = run_show,
};
