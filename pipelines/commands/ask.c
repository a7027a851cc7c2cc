/* potstill ask: one question to a local model; the reply is shown as it comes. */
#include "pipelines/commands/commands_internal.h"
#include "pipelines/commands/prompt_flags.h"

#include "base/progress.h"
#include "base/random.h"
#include "base/stop.h"
#include "hub/hub.h"
#include "pipelines/stages/sampling.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

struct ask_flags {
    int precision;
    double temperature, top_p, min_p;
    int64_t top_k, max_tokens, seed, threads;
    const char *backend;
};
#define AT(member) offsetof(struct ask_flags, member)
static const struct ps_setting items[] = {
    {"temperature", PS_SETTING_NUMBER, AT(temperature), "0.6", .minimum = 0, .maximum = 100,
     .help = "0 always takes the likeliest token"},
    {"top_p", PS_SETTING_NUMBER, AT(top_p), "1", .minimum = 0, .maximum = 1,
     .help = "sample from the likeliest tokens that together have this probability"},
    {"top_k", PS_SETTING_INTEGER, AT(top_k), "0", .minimum = 0, .maximum = 1 << 20,
     .help = "sample from this many of the likeliest tokens; 0: off"},
    {"min_p", PS_SETTING_NUMBER, AT(min_p), "0", .minimum = 0, .maximum = 1,
     .help = "leave out tokens below this share of the likeliest one's probability"},
    {"max_tokens", PS_SETTING_INTEGER, AT(max_tokens), "4096", .minimum = 1, .maximum = 1 << 24,
     .unit = "tokens", .help = "a longer reply is cut"},
    {"seed", PS_SETTING_INTEGER, AT(seed), .minimum = 0, .maximum = 0x1p53,
     .help = "for the same reply every time; by default a new one each time"},
    {"precision", PS_SETTING_ENUM, AT(precision), "auto", .names = ps_sampling_precisions,
     .help = "what is computed in; auto is f32 for weights in F32, else bf16"},
    {"threads", PS_SETTING_INTEGER, AT(threads), "0", .minimum = 0, .maximum = 4096,
     .help = "0: one for each core"},
    {"backend", PS_SETTING_STRING, AT(backend),
     .help = "reference or cpu; by default the best one"},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("ask", "For potstill ask.", items, struct ask_flags);

struct answer {
    const struct ps_tokenizer *tokenizer;
    struct ps_decode_stream stream;
    struct ps_buffer text;
    size_t shown;   /* bytes of text */
    int64_t tokens; /* decoded so far */
    enum ps_generate_finish finish;
    bool stream_out;
    enum ps_thought thought;
    int64_t prompt_tokens;
};

/* Takes what is new; of a finished reply the end token is no text. */
static enum ps_status take(void *context, const struct ps_generate_reply *reply,
                           struct ps_error *error) {
    struct answer *answer = context;
    int64_t end = reply->count - (reply->finish == PS_GENERATE_STOP);
    for (; answer->tokens < end; answer->tokens++) {
        uint32_t id = (uint32_t)reply->tokens[answer->tokens];
        if (ps_reply_has_token(answer->tokenizer, id))
            PS_TRY(ps_decode_stream_push(&answer->stream, answer->tokenizer, id, false,
                                         &answer->text, error));
    }
    answer->prompt_tokens = reply->prompt_count;
    answer->finish = reply->finish;
    if (reply->finish) {
        answer->tokens = reply->count;
        PS_TRY(ps_decode_stream_end(&answer->stream, answer->tokenizer, &answer->text, error));
    }
    if (answer->stream_out && answer->text.size > answer->shown) {
        fwrite(answer->text.data + answer->shown, 1, answer->text.size - answer->shown, stdout);
        fflush(stdout);
        answer->shown = answer->text.size;
    }
    return PS_OK;
}

static enum ps_status render(const struct ps_prompt_flags *words, const char *model,
                             const char *question, const struct ps_tokenizer *tokenizer,
                             struct ps_token_ids *ids, enum ps_thought *thought,
                             struct ps_arena *arena, struct ps_error *error) {
    struct ps_stage_context context = {.arena = arena};
    struct ps_prompter_model reader = {model, NULL, -1};
    struct ps_dataset_source source = {.dataset = "ask", .split = "question"};
    struct ps_dataset_row row = {.id = "1", .question = question, .source = &source};
    struct ps_prompter prompter;
    struct ps_rendered_prompt rendered = {0};
    PS_TRY(ps_flag_date(words->date, arena, &context.date, error));
    enum ps_status status = ps_prompter_open(&prompter, &context, &words->prompt, &reader, error);
    if (status == PS_OK) status = ps_prompter_render(&prompter, &row, &rendered, error);
    if (status == PS_OK)
        status = ps_prompt_encode(&prompter.prompt, &rendered, tokenizer, ids, error);
    *thought = rendered.thought;
    ps_rendered_prompt_release(&rendered);
    ps_prompter_close(&prompter);
    return status;
}

static enum ps_status generate(const struct ask_flags *flags, struct ps_local *local,
                               const struct ps_token_ids *ids, uint64_t seed, struct answer *answer,
                               struct ps_error *error) {
    struct ps_local_options options = {.backend = flags->backend,
                                       .threads = (int)flags->threads,
                                       .sequences = 1,
                                       .positions = (int64_t)ids->size + flags->max_tokens};
    struct ps_generate_request request = {
        .sampling = {(float)flags->temperature, (float)flags->top_p, (float)flags->min_p,
                     (int32_t)flags->top_k},
        .key = ps_random_key(seed, "ask"),
        .max_tokens = flags->max_tokens,
    };
    PS_TRY(ps_local_start(local, &options, error));
    PS_TRY(ps_generator_submit(local->generator, (const int32_t *)ids->data, (int64_t)ids->size,
                               &request, 1, error));
    while (ps_generator_pending(local->generator)) {
        PS_TRY(ps_stop_check(error));
        PS_TRY(ps_generator_step(local->generator, take, answer, error));
        if (answer->stream_out) PS_TRY(ps_generator_visit(local->generator, take, answer, error));
    }
    return PS_OK;
}

static enum ps_status print_json(const struct answer *answer, uint64_t seed, double seconds,
                                 struct ps_error *error) {
    struct ps_reply parts = ps_reply_split(answer->text.data ? answer->text.data : "",
                                           answer->text.size, answer->thought);
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, SIZE_MAX / 2);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_json_write_key(&writer, "reasoning");
    if (parts.has_reasoning)
        ps_json_write_text(&writer, parts.reasoning, parts.reasoning_size);
    else
        ps_json_write_null(&writer);
    ps_json_write_key(&writer, "content");
    ps_json_write_text(&writer, parts.content, parts.content_size);
    ps_json_put_string(&writer, "finish_reason",
                       answer->finish == PS_GENERATE_STOP ? "stop" : "length");
    ps_json_put_integer(&writer, "prompt_tokens", answer->prompt_tokens);
    ps_json_put_integer(&writer, "output_tokens", answer->tokens);
    ps_json_put_number(&writer, "seconds", seconds);
    ps_json_put_integer(&writer, "seed", (int64_t)seed);
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static uint64_t new_seed(void) {
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = (uint64_t)(ps_seconds() * 1e9);
    return seed >> 11;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct ask_flags *flags = call->settings[0].values;
    struct ps_local local;
    struct ps_token_ids ids = {0};
    struct answer answer = {.stream_out = !call->json};
    uint64_t seed = flags->seed == PS_UNSET_INTEGER ? new_seed() : (uint64_t)flags->seed;
    const char *folder;
    PS_TRY(ps_hub_find(call->arguments.items[0], call->arena, &folder, error));
    PS_TRY(ps_local_open(&local, folder, (enum ps_local_precision)flags->precision, error));
    ps_buffer_init(&answer.text, SIZE_MAX / 2);
    answer.tokenizer = local.tokenizer;
    enum ps_status status = render(call->settings[1].values, folder, call->arguments.items[1],
                                   local.tokenizer, &ids, &answer.thought, call->arena, error);
    double started = ps_seconds();
    if (status == PS_OK) status = generate(flags, &local, &ids, seed, &answer, error);
    if (answer.shown > 0) puts("");
    if (status == PS_OK && call->json)
        status = print_json(&answer, seed, ps_seconds() - started, error);
    ps_decode_stream_release(&answer.stream);
    ps_buffer_release(&answer.text);
    ps_token_ids_release(&ids);
    ps_local_close(&local);
    return status;
}

const struct ps_command ps_command_ask = {
    .name = "ask",
    .synopsis = "MODEL \"question\"",
    .help = "ask a local model one question",
    .details = "MODEL is a Hugging Face folder, or the id of a model in the Hugging Face cache.",
    .tables = {&table, &ps_prompt_flags_table},
    .minimum_arguments = 2,
    .maximum_arguments = 2,
    .run = run,
};
