/* potstill bench train: how fast optimizer steps are, against the processor's multiply-adds.
 *
 * The work that counts is what the formulas need, once: each matrix that a token meets takes a
 * product forward, one for the gradient of its input and one for its own, 2 operations an element
 * each; of the head only the predicting tokens; attention over the positions that a token sees,
 * two products of the head size forward and four backward. What is computed again on the way back
 * to save memory, and all that is no matrix product (AdamW, norms, softmax), takes time but does
 * not count. Bare multiply-adds are measured before each step and after the last; the best step
 * counts: machines swing. */
#include "pipelines/commands/bench.h"
#include "pipelines/commands/commands_internal.h"

#include "base/file.h"
#include "base/progress.h"
#include "base/random.h"
#include "hub/hub.h"
#include "model/model.h"
#include "student/student.h"

#include <math.h>
#include <stdio.h>

enum { PEAK_TRIES = 16 };

struct bench_flags {
    int64_t rows, sequence, batch, steps, threads, seed;
    double seconds;
    int type, clock;
};
#define AT(member) offsetof(struct bench_flags, member)
static const char *const types[] = {"bf16", "f32", NULL};
static const struct ps_setting items[] = {
    {"rows", PS_SETTING_INTEGER, AT(rows), "1024", .minimum = 2, .maximum = 1 << 20,
     .unit = "tokens", .help = "of a packed row"},
    {"sequence", PS_SETTING_INTEGER, AT(sequence), "0", .minimum = 0, .maximum = 1 << 20,
     .unit = "tokens", .help = "of each sequence in a row; 0: one sequence fills it"},
    {"batch", PS_SETTING_INTEGER, AT(batch), "1", .minimum = 1, .maximum = 1024, .unit = "rows",
     .help = "packed rows of an optimizer step"},
    {"steps", PS_SETTING_INTEGER, AT(steps), "3", .minimum = 1, .maximum = 1e6,
     .help = "optimizer steps to take, at least"},
    {"seconds", PS_SETTING_DURATION, AT(seconds), "8s", .minimum = 0, .maximum = 3600,
     .help = "how long to measure, at least"},
    {"type", PS_SETTING_ENUM, AT(type), "bf16", .names = types,
     .help = "of weights and activations; masters, gradients and moments are f32"},
    {"seed", PS_SETTING_INTEGER, AT(seed), "1", .minimum = 0, .maximum = 0x1p53,
     .help = "of random weights and tokens"},
    {"threads", PS_SETTING_INTEGER, AT(threads), "0", .minimum = 0, .maximum = 4096,
     .help = "0: one for each core"},
    {"clock", PS_SETTING_ENUM, AT(clock), "wall", .names = ps_bench_clocks,
     .help = ps_bench_clock_help},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("bench train", "For potstill bench train.", items, struct bench_flags);

struct bench {
    const struct bench_flags *flags;
    enum ps_bench_clock clock;
    struct ps_model_files *files; /* or NULL */
    struct ps_model_config *own_config;
    struct ps_parameters *own_parameters;
    const struct ps_model_config *config;
    const struct ps_parameters *parameters;
    struct ps_compute *compute;
    int32_t *ids;
    struct ps_example *examples;
    uint32_t count;
    struct ps_train_job job;
    struct ps_train_trial *trial;
    double peak, best, sum; /* GFLOP/s; seconds of a step */
    int64_t steps;
    struct ps_train_progress last;
};

/* ---- what a step computes ---- */

/* Positions that a sequence's tokens see, all together. */
static double seen(const struct ps_model_config *config, double size) {
    double window = config->window > 0 ? (double)config->window : size;
    if (window > size) window = size;
    return window * (window + 1) / 2 + (size - window) * window;
}

static double step_operations(const struct bench *bench) {
    const struct ps_model_config *config = bench->config;
    double head = (double)config->vocabulary * (double)config->hidden_size;
    double body = (double)bench->parameters->active - head * (config->tie_embeddings ? 1 : 2);
    double attention = (double)(config->layers * config->heads * config->head_size);
    double operations = 0;
    for (uint32_t i = 0; i < bench->count; i++) {
        double size = (double)bench->examples[i].size;
        operations += 6 * body * size + 6 * head * (size - 1);
        operations += 12 * attention * seen(config, size);
    }
    return operations;
}

/* ---- opening ---- */

static enum ps_status open_model(struct bench *bench, const char *path, struct ps_error *error) {
    if (ps_directory_exists(path)) {
        PS_TRY(ps_model_files_open(&bench->files, path, error));
        bench->config = ps_model_files_config(bench->files);
        bench->parameters = ps_model_files_parameters(bench->files);
        return PS_OK;
    }
    PS_TRY(ps_model_config_open(&bench->own_config, path, error));
    PS_TRY(ps_parameters_create(&bench->own_parameters, bench->own_config, error));
    bench->config = bench->own_config;
    bench->parameters = bench->own_parameters;
    return PS_OK;
}

/* Random tokens: in each row sequences of one length, and the rest of the row. */
static enum ps_status make_examples(struct bench *bench, struct ps_error *error) {
    const struct bench_flags *flags = bench->flags;
    int64_t rows = flags->rows, sequence = flags->sequence ? flags->sequence : rows;
    PS_FAIL_IF(sequence < 2 || sequence > rows, error, PS_ARGUMENT,
               "--sequence %lld: it must be from 2 to the %lld tokens of a row",
               (long long)sequence, (long long)rows);
    PS_FAIL_IF(sequence > bench->config->max_positions, error, PS_ARGUMENT,
               "sequences of %lld tokens: the model has %lld positions; use --sequence",
               (long long)sequence, (long long)bench->config->max_positions);
    size_t tokens = (size_t)(rows * flags->batch);
    bench->ids = ps_malloc(tokens * sizeof *bench->ids);
    bench->examples =
        ps_calloc((size_t)((rows / sequence + 1) * flags->batch), sizeof *bench->examples);
    PS_FAIL_IF_NULL(bench->ids && bench->examples, error);
    uint64_t key = ps_random_key((uint64_t)flags->seed, "tokens");
    for (size_t i = 0; i < tokens; i++)
        bench->ids[i] = (int32_t)ps_random_below(key, i, (uint32_t)bench->config->vocabulary);
    for (int64_t b = 0; b < flags->batch; b++)
        for (int64_t at = 0; rows - at >= 2; at += sequence) {
            int64_t size = rows - at < sequence ? rows - at : sequence;
            bench->examples[bench->count++] =
                (struct ps_example){bench->ids + b * rows + at, (int32_t)size, 1};
        }
    return PS_OK;
}

static enum ps_status open_bench(struct bench *bench, const char *path, struct ps_error *error) {
    PS_TRY(open_model(bench, path, error));
    PS_TRY(make_examples(bench, error));
    PS_TRY(ps_compute_open("cpu", (int)bench->flags->threads, &bench->compute, error));
    bench->job = (struct ps_train_job){
        .compute = bench->compute,
        .config = bench->config,
        .files = bench->files,
        .seed = (uint64_t)bench->flags->seed,
        .examples = bench->examples,
        .example_count = bench->count,
        .options = {.row_tokens = bench->flags->rows,
                    .learning_rate = 1e-6,
                    .beta1 = 0.9,
                    .beta2 = 0.95,
                    .epsilon = 1e-8,
                    .clip = 1,
                    .balance = bench->config->load_balance_coefficient,
                    .format = bench->flags->type ? PS_WEIGHT_F32 : PS_WEIGHT_BF16,
                    .moments = PS_DTYPE_F32},
    };
    return ps_train_trial_open(&bench->job, &bench->trial, error);
}

static void close_bench(struct bench *bench) {
    ps_train_trial_close(bench->trial);
    ps_compute_close(bench->compute);
    ps_free(bench->examples);
    ps_free(bench->ids);
    ps_parameters_release(bench->own_parameters);
    ps_model_config_close(bench->own_config);
    ps_model_files_close(bench->files);
}

/* ---- measuring ---- */

static void measure_peak(struct bench *bench) {
    double peak = ps_bench_peak(bench->clock, bench->compute, !bench->flags->type, PEAK_TRIES);
    if (peak > bench->peak) bench->peak = peak;
}

static enum ps_status one_step(struct bench *bench, struct ps_error *error) {
    measure_peak(bench);
    double start = ps_bench_seconds(bench->clock, bench->compute->threads);
    PS_TRY(ps_train_trial_step(bench->trial, &bench->last, error));
    double seconds = ps_bench_seconds(bench->clock, bench->compute->threads) - start;
    if (seconds < bench->best) bench->best = seconds;
    bench->sum += seconds;
    bench->steps++;
    return PS_OK;
}

static enum ps_status measure(struct bench *bench, struct ps_error *error) {
    double end = ps_seconds() + bench->flags->seconds;
    while (bench->steps < bench->flags->steps || ps_seconds() < end) PS_TRY(one_step(bench, error));
    measure_peak(bench);
    return PS_OK;
}

/* ---- results ---- */

static double memory(const struct bench *bench) {
    return (double)ps_train_memory(bench->config, bench->parameters, &bench->job.options);
}

static void print_text(const struct bench *bench) {
    double rate = 1e-9 * step_operations(bench) / bench->best;
    printf("kernels %s, %d threads, %s, %s clock, best of %lld steps\n", bench->compute->kernels,
           bench->compute->threads, types[bench->flags->type], ps_bench_clocks[bench->clock],
           (long long)bench->steps);
    printf("%llu parameters, %lld tokens a step in %u sequences, %.1f GB\n",
           (unsigned long long)bench->parameters->total, (long long)bench->last.tokens,
           bench->count, memory(bench) * 1e-9);
    printf("peak %.0f GFLOP/s\n\n", bench->peak);
    printf("%10s %10s %10s %10s %6s\n", "step (s)", "mean (s)", "tokens/s", "GFLOP/s", "peak");
    printf("%10.3f %10.3f %10.1f %10.1f %5.0f%%\n", bench->best, bench->sum / (double)bench->steps,
           (double)bench->last.tokens / bench->best, rate, 100 * rate / bench->peak);
}

static enum ps_status print_json(const struct bench *bench, struct ps_error *error) {
    double rate = 1e-9 * step_operations(bench) / bench->best;
    struct ps_buffer text;
    struct ps_json_writer json;
    ps_buffer_init(&text, 1 << 16);
    ps_json_writer_begin(&json, &text);
    ps_json_write_begin_object(&json);
    ps_bench_string(&json, "kernels", bench->compute->kernels);
    ps_bench_number(&json, "threads", bench->compute->threads);
    ps_bench_string(&json, "type", types[bench->flags->type]);
    ps_bench_string(&json, "clock", ps_bench_clocks[bench->clock]);
    ps_bench_number(&json, "parameters", (double)bench->parameters->total);
    ps_bench_number(&json, "sequences", bench->count);
    ps_bench_number(&json, "tokens", (double)bench->last.tokens);
    ps_bench_number(&json, "bytes", memory(bench));
    ps_bench_number(&json, "steps", (double)bench->steps);
    ps_bench_number(&json, "seconds", bench->best);
    ps_bench_number(&json, "mean_seconds", bench->sum / (double)bench->steps);
    ps_bench_number(&json, "tokens_per_second", (double)bench->last.tokens / bench->best);
    ps_bench_number(&json, "operations", step_operations(bench));
    ps_bench_number(&json, "gflops", rate);
    ps_bench_number(&json, "peak_gflops", bench->peak);
    ps_bench_number(&json, "of_peak", rate / bench->peak);
    ps_bench_number(&json, "loss", bench->last.loss);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct bench_flags *flags = call->settings[0].values;
    struct bench bench = {
        .flags = flags, .clock = (enum ps_bench_clock)flags->clock, .best = INFINITY};
    const char *path;
    PS_TRY(ps_hub_find(call->arguments.items[0], call->arena, &path, error));
    enum ps_status status = open_bench(&bench, path, error);
    if (status == PS_OK) status = measure(&bench, error);
    if (status == PS_OK && call->json) status = print_json(&bench, error);
    if (status == PS_OK && !call->json) print_text(&bench);
    close_bench(&bench);
    return status;
}

const struct ps_command ps_command_bench_train = {
    .name = "bench train",
    .synopsis = "MODEL",
    .help = "tokens a second of whole optimizer steps, against the processor's peak",
    .details =
        "MODEL is a model's folder, or a config.json, which gets random weights. Nothing is "
        "written.\nThe operations of a step are, for each sequence of n tokens,\n"
        "  6 n P + 6 (n - 1) V C + 12 L H D n (n + 1) / 2\n"
        "with P the parameters that a token meets apart from embedding and head, V the "
        "vocabulary, C the\nhidden size, L layers, H heads of size D (with a sliding window: the "
        "positions that are seen).\nPeak is bare multiply-adds, measured in the same run in turn "
        "with the steps; the best step counts.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
