/* potstill traces stats: totals of a store. */
#include "pipelines/commands/traces_internal.h"

#include <stdio.h>

static void counts_json(struct ps_json_writer *json, const char *key,
                        const struct ps_store_count *counts, size_t room) {
    ps_json_write_key(json, key);
    ps_json_write_begin_object(json);
    for (size_t i = 0; i < room && counts[i].count; i++)
        ps_json_put_integer(json, counts[i].name, counts[i].count);
    ps_json_write_end_object(json);
}

static double per(int64_t total, int64_t parts) {
    return parts ? (double)total / (double)parts : 0;
}

static enum ps_status print_json(const struct ps_store_stats *stats, struct ps_error *error) {
    struct ps_buffer buffer;
    struct ps_json_writer json;
    ps_buffer_init(&buffer, 1 << 20);
    ps_json_writer_begin(&json, &buffer);
    ps_json_write_begin_object(&json);
    ps_json_put_integer(&json, "traces", stats->traces);
    ps_json_put_integer(&json, "prompts", stats->prompts);
    ps_json_put_integer(&json, "tokens", stats->tokens);
    ps_json_put_integer(&json, "items", stats->items);
    ps_json_put_integer(&json, "partials", stats->partials);
    ps_json_put_integer(&json, "attempts", stats->attempts);
    ps_json_put_integer(&json, "text_bytes", stats->text_bytes);
    ps_json_put_integer(&json, "body_bytes", stats->body_bytes);
    ps_json_put_integer(&json, "ids_bytes", stats->ids_bytes);
    ps_json_put_integer(&json, "logprobs_bytes", stats->logprobs_bytes);
    ps_json_put_integer(&json, "file_bytes", stats->file_bytes);
    ps_json_put_number(&json, "ids_bytes_per_token", per(stats->ids_bytes, stats->ids_tokens));
    ps_json_put_number(&json, "logprobs_bytes_per_token",
                       per(stats->logprobs_bytes, stats->logprobs_tokens));
    counts_json(&json, "verdicts", stats->verdicts, PS_STORE_VERDICTS);
    counts_json(&json, "finish_reasons", stats->finishes, PS_STORE_FINISHES);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(buffer.data);
    ps_buffer_release(&buffer);
    return status;
}

static void print_counts(const char *title, const struct ps_store_count *counts, size_t room) {
    printf("%-16s", title);
    for (size_t i = 0; i < room && counts[i].count; i++)
        printf("%s%s %lld", i ? ", " : "", counts[i].name, (long long)counts[i].count);
    puts("");
}

static void print_text(const struct ps_store_stats *stats) {
    printf("traces          %lld of %lld prompts\n", (long long)stats->traces,
           (long long)stats->prompts);
    printf("tokens          %lld, %.0f a trace\n", (long long)stats->tokens,
           per(stats->tokens, stats->traces));
    print_counts("verdicts", stats->verdicts, PS_STORE_VERDICTS);
    print_counts("finish reasons", stats->finishes, PS_STORE_FINISHES);
    printf("text            %lld bytes\n", (long long)stats->text_bytes);
    printf("whole store     %lld items, %lld partials, %lld failed attempts\n",
           (long long)stats->items, (long long)stats->partials, (long long)stats->attempts);
    printf("                %lld bytes: bodies %lld, token ids %lld, log-probabilities %lld\n",
           (long long)stats->file_bytes, (long long)stats->body_bytes, (long long)stats->ids_bytes,
           (long long)stats->logprobs_bytes);
    if (stats->ids_tokens)
        printf("                a token: ids %.2f bytes, log-probabilities %.2f\n",
               per(stats->ids_bytes, stats->ids_tokens),
               per(stats->logprobs_bytes, stats->logprobs_tokens));
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_store *store;
    struct ps_store_filter filter;
    struct ps_store_stats stats;
    PS_TRY(ps_traces_make_filter(call, call->settings[0].values, &filter, error));
    PS_FAIL_IF(filter.limit, error, PS_ARGUMENT, "--limit: stats has no use for it");
    PS_TRY(ps_traces_open(call, &store, error));
    enum ps_status status = ps_store_stats(store, &filter, &stats, error);
    ps_store_close(store);
    PS_TRY(status);
    if (call->json) return print_json(&stats, error);
    print_text(&stats);
    return PS_OK;
}

const struct ps_command ps_command_traces_stats = {
    .name = "traces stats",
    .synopsis = "STORE",
    .help = "count traces, tokens, verdicts and bytes",
    .details = "The flags restrict the first five lines; bytes of bodies, token ids and "
               "log-probabilities\nare those of the whole store.",
    .tables = {&ps_traces_filter_table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
