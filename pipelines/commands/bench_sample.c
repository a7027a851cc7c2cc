/* potstill bench sample: how fast the engine decodes, against what the memory can deliver.
 *
 * A decode step reads all the weights that its tokens meet and the keys and values of its
 * sequences, each once; with few sequences that, not arithmetic, is its limit. So the bytes a step
 * must read over its time, against the bandwidth measured in the same run, in turn with the steps,
 * say how good it is. The best step of each batch size counts: machines swing. */
#include "pipelines/commands/bench.h"
#include "pipelines/commands/commands_internal.h"

#include "base/file.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/stop.h"
#include "compute/cpu/cpu.h"
#include "generate/generate.h"
#include "hub/hub.h"
#include "pipelines/stages/sampling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 256 << 20, STEPS = 6, MOST_BATCHES = 16 };

struct bench_flags {
    struct ps_strings batches;
    int64_t context, threads;
    double seconds;
    int precision, clock;
};
#define AT(member) offsetof(struct bench_flags, member)
static const struct ps_setting items[] = {
    {"batches", PS_SETTING_STRINGS, AT(batches), "[1, 2, 4, 8, 16, 32]",
     .help = "numbers of sequences that decode at one time"},
    {"context", PS_SETTING_INTEGER, AT(context), "256", .minimum = 1, .maximum = 1 << 20,
     .unit = "tokens", .help = "what each sequence has before it"},
    {"seconds", PS_SETTING_DURATION, AT(seconds), "8s", .minimum = 0, .maximum = 3600,
     .help = "how long to measure, at least; every batch size is measured twice"},
    {"precision", PS_SETTING_ENUM, AT(precision), "bf16", .names = ps_sampling_precisions,
     .help = "what is computed in; auto is f32 for weights in F32, else bf16"},
    {"threads", PS_SETTING_INTEGER, AT(threads), "0", .minimum = 0, .maximum = 4096,
     .help = "0: one for each core"},
    {"clock", PS_SETTING_ENUM, AT(clock), "wall", .names = ps_bench_clocks,
     .help = ps_bench_clock_help},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("bench sample", "For potstill bench sample.", items, struct bench_flags);

struct bench {
    const struct bench_flags *flags;
    struct ps_model_files *files;
    const struct ps_model_config *config;
    struct ps_compute *compute;
    struct ps_generator *generator;
    bool f32;
    int64_t sizes[MOST_BATCHES];
    double best[MOST_BATCHES]; /* seconds of a step */
    size_t count;
    void *memory;     /* to read; [READ_BYTES] */
    double bandwidth; /* bytes per second */
    int32_t *prompt;
    uint64_t keys;
    char folder[64]; /* of random weights; "" if there are none */
    int rounds;
};

/* ---- what a step reads ---- */

static bool is_expert(enum ps_parameter_role role) {
    return role == PS_PARAMETER_EXPERT_GATE || role == PS_PARAMETER_EXPERT_UP ||
           role == PS_PARAMETER_EXPERT_DOWN;
}

/* Bytes of weights, keys and values that a step of `batch` sequences reads. Of the experts it is
 * what that many tokens meet if the router chooses evenly. */
static double step_bytes(const struct bench *bench, int64_t batch) {
    const struct ps_model_config *config = bench->config;
    const struct ps_parameters *parameters = ps_model_files_parameters(bench->files);
    double met = 1, elements = 0, size = bench->f32 ? 4 : 2;
    if (config->experts > 0)
        met -= pow(1 - (double)config->experts_per_token / (double)config->experts, (double)batch);
    for (size_t i = 0; i < parameters->count; i++) {
        const struct ps_parameter *parameter = &parameters->items[i];
        /* Of the embedding a row is read for each token; tied, it is the head as well. */
        if (parameter->role == PS_PARAMETER_EMBEDDING && !config->tie_embeddings) continue;
        elements += (double)parameter->count * (is_expert(parameter->role) ? met : 1);
    }
    /* The sequences share the pages of their prompt, but each reads them for itself. */
    double cache = (double)(batch * bench->flags->context * config->layers) * 2 *
                   (double)(config->key_value_heads * config->head_size);
    return (elements + cache) * size;
}

/* ---- opening ---- */

static enum ps_status read_sizes(struct bench *bench, struct ps_error *error) {
    const struct ps_strings *texts = &bench->flags->batches;
    PS_FAIL_IF(texts->count == 0 || texts->count > MOST_BATCHES, error, PS_ARGUMENT,
               "--batches takes 1 to %d numbers", MOST_BATCHES);
    for (size_t i = 0; i < texts->count; i++) {
        char *end;
        long long size = strtoll(texts->items[i], &end, 10);
        PS_FAIL_IF(*end || size < 1 || size > 4096, error, PS_ARGUMENT,
                   "--batches: '%s' is not a number from 1 to 4096", texts->items[i]);
        bench->sizes[bench->count] = size;
        bench->best[bench->count++] = INFINITY;
    }
    return PS_OK;
}

/* A config.json gets random weights, in a temporary folder for as long as the command runs. */
static enum ps_status make_random(struct bench *bench, const char *path, struct ps_error *error) {
    struct ps_model_config *config = NULL;
    struct ps_parameters *parameters = NULL;
    const char *place = getenv("TMPDIR");
    snprintf(bench->folder, sizeof bench->folder, "%.40s/potstill-XXXXXX", place ? place : "/tmp");
    if (!mkdtemp(bench->folder)) {
        bench->folder[0] = 0;
        return ps_error_set(error, PS_IO, "no temporary folder can be made; see TMPDIR");
    }
    enum ps_status status = ps_model_config_open(&config, path, error);
    if (status == PS_OK) status = ps_parameters_create(&parameters, config, error);
    if (status == PS_OK)
        status = ps_model_write_random(
            bench->folder, config, parameters,
            bench->flags->precision == PS_LOCAL_F32 ? PS_DTYPE_F32 : PS_DTYPE_BF16, 1, error);
    ps_parameters_release(parameters);
    ps_model_config_close(config);
    return status;
}

static enum ps_status open_bench(struct bench *bench, const char *path, struct ps_error *error) {
    int64_t most = 1, context = bench->flags->context;
    PS_TRY(read_sizes(bench, error));
    for (size_t i = 0; i < bench->count; i++)
        if (bench->sizes[i] > most) most = bench->sizes[i];
    bool random = !ps_directory_exists(path);
    if (random) PS_TRY(make_random(bench, path, error));
    PS_TRY(ps_model_files_open(&bench->files, random ? bench->folder : path, error));
    bench->config = ps_model_files_config(bench->files);
    bench->f32 = bench->flags->precision == PS_LOCAL_F32 ||
                 (bench->flags->precision == PS_LOCAL_AUTO && bench->config->dtype == PS_DTYPE_F32);
    PS_FAIL_IF(context + STEPS + 1 > bench->config->max_positions, error, PS_ARGUMENT,
               "--context %lld: the model has %lld positions", (long long)context,
               (long long)bench->config->max_positions);
    PS_TRY(ps_compute_open("cpu", (int)bench->flags->threads, &bench->compute, error));
    struct ps_generator_options options = {.format = bench->f32 ? PS_WEIGHT_F32 : PS_WEIGHT_BF16,
                                           .sequences = most,
                                           .rows = most > 256 ? most : 256,
                                           .positions = context + STEPS + 1};
    PS_TRY(ps_generator_open(bench->compute, bench->files, &options, &bench->generator, error));
    bench->memory = ps_aligned_alloc(64, READ_BYTES);
    bench->prompt = ps_malloc((size_t)context * sizeof *bench->prompt);
    PS_FAIL_IF(!bench->memory || !bench->prompt, error, PS_MEMORY, "out of memory");
    memset(bench->memory, 1, READ_BYTES);
    for (int64_t i = 0; i < context; i++)
        bench->prompt[i] =
            (int32_t)ps_random_below(1, (uint64_t)i, (uint32_t)bench->config->vocabulary);
    return PS_OK;
}

static void close_bench(struct bench *bench) {
    ps_generator_close(bench->generator);
    ps_compute_close(bench->compute);
    ps_model_files_close(bench->files);
    ps_free(bench->memory);
    ps_free(bench->prompt);
    if (bench->folder[0]) ps_path_remove(bench->folder, NULL);
}

/* ---- measuring ---- */

static enum ps_status ignore(void *context, const struct ps_generate_reply *reply,
                             struct ps_error *error) {
    (void)context, (void)reply, (void)error;
    return PS_OK;
}

static double clock_of(const struct bench *bench) {
    return ps_bench_seconds((enum ps_bench_clock)bench->flags->clock, bench->compute->threads);
}

static void read_memory(struct bench *bench) {
    double start = clock_of(bench);
    double bytes = ps_cpu_read_memory(bench->compute, bench->memory, READ_BYTES);
    double rate = bytes / (clock_of(bench) - start);
    if (rate > bench->bandwidth) bench->bandwidth = rate;
}

static enum ps_status one_step(struct bench *bench, size_t index, struct ps_error *error) {
    struct ps_generate_rates before = ps_generator_rates(bench->generator);
    double start = clock_of(bench);
    PS_TRY(ps_generator_step(bench->generator, ignore, NULL, error));
    double seconds = clock_of(bench) - start;
    struct ps_generate_rates after = ps_generator_rates(bench->generator);
    if (after.prefill_tokens > before.prefill_tokens) return PS_OK;
    if (after.decode_tokens - before.decode_tokens == bench->sizes[index] &&
        seconds < bench->best[index])
        bench->best[index] = seconds;
    return PS_OK;
}

/* Lets so many sequences decode a few steps behind a prompt that they share. */
static enum ps_status measure(struct bench *bench, size_t index, struct ps_error *error) {
    size_t batch = (size_t)bench->sizes[index];
    struct ps_generate_request *requests = ps_calloc(batch, sizeof *requests);
    PS_FAIL_IF_NULL(requests, error);
    for (size_t i = 0; i < batch; i++)
        requests[i] = (struct ps_generate_request){
            .sampling = {1, 1, 0, 0}, .key = bench->keys++, .max_tokens = STEPS + 1};
    enum ps_status status = ps_generator_submit(bench->generator, bench->prompt,
                                                bench->flags->context, requests, batch, error);
    ps_free(requests);
    while (status == PS_OK && ps_generator_pending(bench->generator)) {
        read_memory(bench);
        status = ps_stop_check(error);
        if (status == PS_OK) status = one_step(bench, index, error);
    }
    return status;
}

static enum ps_status one_round(struct bench *bench, struct ps_error *error) {
    for (size_t i = 0; i < bench->count; i++) PS_TRY(measure(bench, i, error));
    bench->rounds++;
    return PS_OK;
}

/* ---- results ---- */

static void print_text(const struct bench *bench) {
    printf(
        "kernels %s, %d threads, %s, context %lld, %s clock, best of %d rounds\nmemory %.1f GB/s\n\n",
        bench->compute->kernels, bench->compute->threads, bench->f32 ? "f32" : "bf16",
        (long long)bench->flags->context, ps_bench_clocks[bench->flags->clock], bench->rounds,
        bench->bandwidth * 1e-9);
    printf("%9s %10s %10s %9s %7s %7s\n", "sequences", "step (ms)", "tokens/s", "MB read", "GB/s",
           "memory");
    for (size_t i = 0; i < bench->count; i++) {
        double bytes = step_bytes(bench, bench->sizes[i]), seconds = bench->best[i];
        printf("%9lld %10.2f %10.1f %9.0f %7.1f %6.0f%%\n", (long long)bench->sizes[i],
               seconds * 1e3, (double)bench->sizes[i] / seconds, bytes * 1e-6,
               bytes / seconds * 1e-9, 100 * bytes / seconds / bench->bandwidth);
    }
}

static enum ps_status print_json(const struct bench *bench, struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer json;
    ps_buffer_init(&text, 1 << 20);
    ps_json_writer_begin(&json, &text);
    ps_json_write_begin_object(&json);
    ps_bench_string(&json, "kernels", bench->compute->kernels);
    ps_bench_number(&json, "threads", bench->compute->threads);
    ps_bench_number(&json, "context", (double)bench->flags->context);
    ps_bench_number(&json, "rounds", bench->rounds);
    ps_bench_number(&json, "memory_gbs", bench->bandwidth * 1e-9);
    ps_json_write_key(&json, "batches");
    ps_json_write_begin_array(&json);
    for (size_t i = 0; i < bench->count; i++) {
        double bytes = step_bytes(bench, bench->sizes[i]), seconds = bench->best[i];
        ps_json_write_begin_object(&json);
        ps_bench_number(&json, "sequences", (double)bench->sizes[i]);
        ps_bench_number(&json, "seconds", seconds);
        ps_bench_number(&json, "tokens_per_second", (double)bench->sizes[i] / seconds);
        ps_bench_number(&json, "bytes", bytes);
        ps_bench_number(&json, "of_memory", bytes / seconds / bench->bandwidth);
        ps_json_write_end_object(&json);
    }
    ps_json_write_end_array(&json);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct bench bench = {.flags = call->settings[0].values};
    const char *path;
    PS_TRY(ps_hub_find(call->arguments.items[0], call->arena, &path, error));
    enum ps_status status = open_bench(&bench, path, error);
    double end = ps_seconds() + bench.flags->seconds;
    while (status == PS_OK && (bench.rounds < 2 || ps_seconds() < end))
        status = one_round(&bench, error);
    if (status == PS_OK && call->json) status = print_json(&bench, error);
    if (status == PS_OK && !call->json) print_text(&bench);
    close_bench(&bench);
    return status;
}

const struct ps_command ps_command_bench_sample = {
    .name = "bench sample",
    .synopsis = "MODEL",
    .help = "tokens a second of decoding, against the memory's bandwidth",
    .details = "MODEL is a model's folder, or a config.json, which gets random weights. Bandwidth "
               "is measured\nin the same run, in turn with the steps; the best step of each batch "
               "size counts.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
