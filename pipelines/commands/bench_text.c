/* potstill bench text: how fast texts are encoded. All texts are encoded in turn, round after
 * round; the first round, in which the cache of pre-tokens is empty, is told apart, and of the
 * others the median counts. */
#include "pipelines/commands/bench.h"
#include "pipelines/commands/commands_internal.h"
#include "pipelines/commands/texts.h"

#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_ROUNDS = 1000 };

struct bench_flags {
    const char *tokenizer;
    int64_t rounds;
    int clock;
};
#define AT(member) offsetof(struct bench_flags, member)
static const struct ps_setting items[] = {
    {"tokenizer", PS_SETTING_STRING, AT(tokenizer), .required = true, .argument = "PATH",
     .help = "a tokenizer.json, or the folder that has one"},
    {"rounds", PS_SETTING_INTEGER, AT(rounds), .fallback = "5", .minimum = 1,
     .maximum = MOST_ROUNDS, .help = "how often to encode everything, after the first time"},
    {"clock", PS_SETTING_ENUM, AT(clock), .fallback = "wall", .names = ps_bench_clocks,
     .help = ps_bench_clock_help},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("bench text", "For potstill bench text.", items, struct bench_flags);

struct result {
    double first, median; /* MB/s */
    size_t tokens;
};

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static enum ps_status encode_all(const struct ps_tokenizer *tokenizer, const struct ps_texts *texts,
                                 size_t *tokens, struct ps_error *error) {
    struct ps_token_ids ids = {0};
    enum ps_status status = PS_OK;
    *tokens = 0;
    for (size_t i = 0; i < texts->count; i++) {
        ids.size = 0;
        PS_TRY_DONE(
            ps_tokenizer_encode(tokenizer, texts->items[i], texts->sizes[i], 0, &ids, error));
        *tokens += ids.size;
    }
done:
    ps_token_ids_release(&ids);
    return status;
}

static enum ps_status measure(const struct bench_flags *flags, const struct ps_tokenizer *tokenizer,
                              const struct ps_texts *texts, struct result *result,
                              struct ps_error *error) {
    double rates[MOST_ROUNDS];
    for (int64_t i = -1; i < flags->rounds; i++) {
        double start = ps_bench_seconds((enum ps_bench_clock)flags->clock, 1);
        PS_TRY(encode_all(tokenizer, texts, &result->tokens, error));
        double seconds = ps_bench_seconds((enum ps_bench_clock)flags->clock, 1) - start;
        double rate = 1e-6 * (double)texts->bytes / seconds;
        if (i < 0)
            result->first = rate;
        else
            rates[i] = rate;
    }
    qsort(rates, (size_t)flags->rounds, sizeof *rates, compare);
    result->median = rates[flags->rounds / 2];
    return PS_OK;
}

static enum ps_status print_json(const struct ps_texts *texts, const struct result *result,
                                 struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer json;
    ps_buffer_init(&text, 1 << 12);
    ps_json_writer_begin(&json, &text);
    ps_json_write_begin_object(&json);
    ps_json_put_integer(&json, "texts", (int64_t)texts->count);
    ps_json_put_integer(&json, "bytes", (int64_t)texts->bytes);
    ps_json_put_integer(&json, "tokens", (int64_t)result->tokens);
    ps_bench_number(&json, "first_mb_per_second", result->first);
    ps_bench_number(&json, "mb_per_second", result->median);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct bench_flags *flags = call->settings[0].values;
    struct ps_texts texts = {.arena = call->arena};
    struct ps_tokenizer *tokenizer = NULL;
    struct result result = {0};
    enum ps_status status = PS_OK;
    PS_TRY_DONE(ps_settings_require(call->settings, 1, "bench text", error));
    for (size_t i = 0; i < call->arguments.count; i++)
        PS_TRY_DONE(ps_texts_add_file(&texts, call->arguments.items[i], error));
    PS_TRY_DONE(ps_tokenizer_open(flags->tokenizer, &tokenizer, error));
    PS_TRY_DONE(measure(flags, tokenizer, &texts, &result, error));
    if (call->json)
        PS_TRY_DONE(print_json(&texts, &result, error));
    else
        printf("%zu texts, %zu bytes, %zu tokens: %.1f MB/s, the first time %.1f MB/s\n",
               texts.count, texts.bytes, result.tokens, result.median, result.first);
done:
    ps_tokenizer_close(tokenizer);
    ps_texts_release(&texts);
    return status;
}

const struct ps_command ps_command_bench_text = {
    .name = "bench text",
    .synopsis = "FILE... --tokenizer PATH",
    .help = "megabytes a second of encoding, on one thread",
    .details = "A FILE is one text; of a .jsonl file, each member that is a string is one.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = SIZE_MAX,
    .run = run,
};
