/* potstill traces show: one trace in full, or all samples of a prompt. */
#include "pipelines/commands/traces_show.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AT(member) offsetof(struct ps_show_flags, member)
static const struct ps_setting items[] = {
    {"tokens", PS_SETTING_BOOL, AT(tokens),
     .help = "each token too: its id, its log-probability, its text"},
    {"tokenizer", PS_SETTING_STRING, AT(tokenizer), .argument = "PATH",
     .help = "where the texts of tokens come from; by default the model's folder, if the store "
             "names it"},
    {"samples", PS_SETTING_BOOL, AT(samples),
     .help = "all samples of the trace's prompt, side by side"},
    {"prompt", PS_SETTING_STRING, AT(prompt), .argument = "HASH",
     .help = "all samples of the prompt whose hash begins so"},
    {"dataset", PS_SETTING_STRING, AT(dataset), .argument = "NAME/SPLIT",
     .help = "with --row: all samples of what this row asks"},
    {"row", PS_SETTING_INTEGER, AT(row), .minimum = 0, .maximum = 1e15,
     .help = "of the data set, as traces list writes it behind the colon"},
    {"columns", PS_SETTING_INTEGER, AT(columns), .minimum = 1, .maximum = 16,
     .help = "samples that stand side by side; by default what the terminal has room for"},
};
#undef AT
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("traces show", "For potstill traces show.", items, struct ps_show_flags);

/* ---- text ---- */

void ps_show_text(const char *text, size_t size) {
    bool terminal = isatty(STDOUT_FILENO);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool steers = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
        putchar(terminal && steers ? '?' : c);
    }
}

void ps_show_messages(const json_t *conversation) {
    const json_t *messages = ps_json_get(conversation, "messages"), *message;
    size_t i;
    json_array_foreach(messages, i, message) {
        const json_t *role = json_object_get(message, "role");
        const json_t *content = json_object_get(message, "content");
        printf("\n[%s]\n", json_is_string(role) ? json_string_value(role) : "?");
        if (json_is_string(content))
            ps_show_text(json_string_value(content), json_string_length(content));
        puts("");
    }
}

static const char *day_and_time(int64_t milliseconds, char text[40]) {
    time_t seconds = (time_t)(milliseconds / 1000);
    struct tm local;
    text[0] = 0;
    if (localtime_r(&seconds, &local)) strftime(text, 40, "%Y-%m-%d %H:%M:%S", &local);
    return text;
}

/* ---- one trace ---- */

struct shown {
    const struct ps_store_trace *trace;
    const struct ps_store_row *row;
    const struct ps_store_verdict *verdicts;
    size_t verdict_count;
    struct ps_buffer others; /* lines on data sets that ask the same with other golds */
    json_t *conversation;
    bool tokens;
    struct ps_tokenizer *tokenizer; /* NULL: token texts are not known */
    const char *why;                /* they are not, or may be others */
};

static void write_verdicts(struct ps_json_writer *json, const struct shown *shown) {
    ps_json_write_key(json, "verdicts");
    ps_json_write_begin_array(json);
    for (size_t i = 0; i < shown->verdict_count; i++) {
        const struct ps_store_verdict *verdict = &shown->verdicts[i];
        ps_json_write_begin_object(json);
        ps_json_put_string(json, "grader", verdict->grader);
        ps_json_put_string(json, "verdict", verdict->verdict);
        ps_json_put_string(json, "gold", verdict->gold);
        ps_json_put_string(json, "extracted", verdict->extracted);
        ps_json_put_string(json, "rule", verdict->rule);
        ps_json_put_string(json, "reason", verdict->reason);
        ps_json_put_string(json, "author", verdict->author);
        ps_json_put_integer(json, "time", verdict->time);
        ps_json_write_end_object(json);
    }
    ps_json_write_end_array(json);
}

static void write_tokens(struct ps_json_writer *json, const struct shown *shown) {
    const struct ps_store_trace *trace = shown->trace;
    int64_t count = trace->output_tokens;
    ps_json_write_key(json, "ids");
    if (!trace->ids) ps_json_write_null(json);
    if (trace->ids) ps_json_write_begin_array(json);
    for (int64_t i = 0; trace->ids && i < count; i++) ps_json_write_integer(json, trace->ids[i]);
    if (trace->ids) ps_json_write_end_array(json);
    ps_json_write_key(json, "logprobs");
    if (!trace->logprobs) ps_json_write_null(json);
    if (trace->logprobs) ps_json_write_begin_array(json);
    for (int64_t i = 0; trace->logprobs && i < count; i++)
        ps_json_write_number(json, trace->logprobs[i]);
    if (trace->logprobs) ps_json_write_end_array(json);
    bool texts = trace->ids && shown->tokenizer;
    ps_json_write_key(json, "token_texts");
    if (!texts) ps_json_write_null(json);
    if (texts) ps_json_write_begin_array(json);
    for (int64_t i = 0; texts && i < count; i++) {
        size_t size;
        const char *text = ps_tokenizer_bytes(shown->tokenizer, (uint32_t)trace->ids[i], &size);
        ps_json_write_text(json, text ? text : "", size);
    }
    if (texts) ps_json_write_end_array(json);
}

static enum ps_status show_json(const struct shown *shown, struct ps_error *error) {
    struct ps_buffer buffer;
    struct ps_json_writer json;
    char hex[PS_HASH_HEX_SIZE];
    ps_buffer_init(&buffer, SIZE_MAX / 2);
    ps_json_writer_begin(&json, &buffer);
    ps_json_write_begin_object(&json);
    ps_traces_write_row(&json, shown->row);
    ps_json_put_string(&json, "digest", ps_hash_hex(&shown->trace->digest, hex));
    ps_json_write_key(&json, "conversation");
    ps_json_write_value(&json, shown->conversation);
    ps_json_write_key(&json, "reasoning");
    ps_json_write_text(&json, shown->trace->reasoning, shown->trace->reasoning_size);
    ps_json_write_key(&json, "content");
    ps_json_write_text(&json, shown->trace->content, shown->trace->content_size);
    write_verdicts(&json, shown);
    if (shown->tokens) write_tokens(&json, shown);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(buffer.data);
    ps_buffer_release(&buffer);
    return status;
}

static enum ps_status read_others(struct ps_store *store, struct shown *shown,
                                  struct ps_error *error) {
    const struct ps_store_filter filter = {.trace_id = shown->row->id, .per = PS_STORE_PER_GOLD};
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more;
    PS_TRY(ps_store_query(store, &filter, &cursor, error));
    enum ps_status status = PS_OK;
    for (;;) {
        PS_TRY_DONE(ps_store_next(cursor, &row, &more, error));
        if (!more) break;
        if (row.item == shown->row->item || !row.dataset) continue;
        PS_FAIL_DONE_IF(!ps_buffer_format(&shown->others,
                                          "also       %.200s/%.200s, row %lld, gold %.200s: %s\n",
                                          row.dataset, row.split, (long long)row.row,
                                          row.gold ? row.gold : "not known",
                                          row.verdict ? row.verdict : "not graded"),
                        error, PS_MEMORY, "out of memory");
    }
done:
    ps_store_cursor_close(cursor);
    return status;
}

/* The one that counts is above; here are all, as they came. */
static void print_verdicts(const struct shown *shown) {
    char when[40];
    if (shown->verdict_count < 2 && !(shown->verdict_count && shown->verdicts->author)) return;
    puts("           all verdicts:");
    for (size_t i = 0; i < shown->verdict_count; i++) {
        const struct ps_store_verdict *verdict = &shown->verdicts[i];
        printf("           %s  %-12s %s", day_and_time(verdict->time, when),
               verdict->author ? verdict->author : verdict->grader, verdict->verdict);
        if (verdict->gold) printf(", gold %s", verdict->gold);
        if (verdict->extracted) printf(", extracted %s", verdict->extracted);
        if (verdict->reason) printf(": %s", verdict->reason);
        puts("");
    }
}

static void print_tokens(const struct shown *shown) {
    const struct ps_store_trace *trace = shown->trace;
    if (!trace->ids && !trace->logprobs) {
        puts("\nThe store has no tokens of this trace.");
        return;
    }
    if (shown->why) printf("\n%s\n", shown->why);
    printf("\n%8s %8s %10s  %s\n", "token", "id", "logprob", shown->tokenizer ? "text" : "");
    for (int64_t i = 0; i < trace->output_tokens; i++) {
        printf("%8lld ", (long long)i);
        if (trace->ids)
            printf("%8d ", (int)trace->ids[i]);
        else
            printf("%8s ", "-");
        if (trace->logprobs && !isnan(trace->logprobs[i]))
            printf("%10.5f", (double)trace->logprobs[i]);
        else
            printf("%10s", "-");
        fputs("  ", stdout);
        if (shown->tokenizer && trace->ids) ps_traces_print_token(shown->tokenizer, trace->ids[i]);
        puts("");
    }
}

static void print_trace(const struct shown *shown) {
    const struct ps_store_row *row = shown->row;
    const struct ps_store_trace *trace = shown->trace;
    char when[40];
    printf("trace      %lld, sample %lld by %s\n", (long long)row->id, (long long)row->key.sample,
           row->source);
    if (row->dataset)
        printf("item       %s/%s, row %lld, gold %s\n", row->dataset, row->split,
               (long long)row->row, row->gold ? row->gold : "not known");
    printf("finished   %s, %s, %lld tokens", day_and_time(row->time, when),
           ps_store_finish_name(row->finish), (long long)row->output_tokens);
    if (row->max_tokens) printf(" of at most %lld", (long long)row->max_tokens);
    printf("\nverdict    %s%s%s\n", row->verdict ? row->verdict : "not graded",
           row->extracted ? ", extracted " : "", row->extracted ? row->extracted : "");
    if (shown->others.size) fputs(shown->others.data, stdout);
    print_verdicts(shown);
    ps_show_messages(shown->conversation);
    puts("\n[assistant]");
    if (trace->reasoning_size) {
        fputs("<think>", stdout);
        ps_show_text(trace->reasoning, trace->reasoning_size);
        fputs("</think>", stdout);
    }
    ps_show_text(trace->content, trace->content_size);
    puts("");
    if (shown->tokens) print_tokens(shown);
}

static enum ps_status gather(struct ps_call *call, struct ps_store *store, struct shown *shown,
                             struct ps_store_trace *trace, struct ps_error *error) {
    const struct ps_store_row *row = shown->row;
    struct ps_store_verdict *verdicts;
    const char *prompt;
    PS_TRY(ps_store_read_trace(store, row->id, call->arena, trace, error));
    PS_TRY(ps_store_read_prompt(store, row->key.prompt, call->arena, &prompt, error));
    PS_TRY(ps_store_read_verdicts(store, row->id, call->arena, &verdicts, &shown->verdict_count,
                                  error));
    shown->trace = trace;
    shown->verdicts = verdicts;
    PS_TRY(read_others(store, shown, error));
    if (shown->tokens && trace->ids)
        PS_TRY(ps_show_open_tokenizer(call, store, trace, &shown->tokenizer, &shown->why, error));
    return ps_json_parse("prompt", prompt, strlen(prompt), &shown->conversation, error);
}

static enum ps_status show(struct ps_call *call, struct ps_store *store,
                           const struct ps_store_row *row, struct ps_error *error) {
    const struct ps_show_flags *flags = call->settings[0].values;
    struct shown shown = {.row = row, .tokens = flags->tokens};
    struct ps_store_trace trace;
    ps_buffer_init(&shown.others, 1 << 20);
    enum ps_status status = gather(call, store, &shown, &trace, error);
    if (status == PS_OK && call->json)
        status = show_json(&shown, error);
    else if (status == PS_OK)
        print_trace(&shown);
    ps_tokenizer_close(shown.tokenizer);
    ps_buffer_release(&shown.others);
    json_decref(shown.conversation);
    return status;
}

/* ---- what is asked for ---- */

static enum ps_status show_one(struct ps_call *call, struct ps_store *store, int64_t id,
                               struct ps_error *error) {
    const struct ps_show_flags *flags = call->settings[0].values;
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    PS_TRY(ps_traces_find(store, id, &cursor, &row, error));
    const struct ps_store_filter filter = {.prompt_id = row.key.prompt};
    enum ps_status status = flags->samples ? ps_show_samples(call, store, &filter, error)
                                           : show(call, store, &row, error);
    ps_store_cursor_close(cursor);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct ps_show_flags *flags = call->settings[0].values;
    const struct ps_traces_filter which = {
        .dataset = flags->dataset, .prompt = flags->prompt, .row = flags->row};
    struct ps_store_filter filter;
    struct ps_store *store;
    bool by_row = flags->dataset && ps_integer_or(flags->row, -1) >= 0;
    int64_t id = 0;
    if (call->arguments.count > 1) PS_TRY(ps_traces_read_id(call->arguments.items[1], &id, error));
    PS_FAIL_IF(id ? flags->prompt || flags->dataset : !flags->prompt && !by_row, error, PS_ARGUMENT,
               "give the id of a trace, or --prompt HASH, or --dataset NAME/SPLIT with --row; "
               "potstill traces list shows them");
    PS_TRY(ps_traces_make_filter(call, &which, &filter, error));
    PS_TRY(ps_traces_open(call, &store, error));
    enum ps_status status =
        id ? show_one(call, store, id, error) : ps_show_samples(call, store, &filter, error);
    ps_store_close(store);
    return status;
}

const struct ps_command ps_command_traces_show = {
    .name = "traces show",
    .synopsis = "STORE ID | STORE --prompt HASH | STORE --dataset NAME/SPLIT --row N",
    .help = "show one trace with its prompt, text and verdicts, or all samples of a prompt",
    .details = "The samples of a prompt are listed, then their texts stand side by side where the "
               "terminal is wide\nenough, else one below the other.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = 2,
    .run = run,
};
