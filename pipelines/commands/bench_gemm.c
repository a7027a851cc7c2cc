/* potstill bench gemm: products of matrices against the processor's limits.
 *
 * The limits (bare multiply-adds in registers, bytes read from memory) and all shapes are measured
 * in turn, round after round, and the best of each counts: machines swing from second to second,
 * and only figures of one run compare. Shapes with few rows read their weights from memory as a
 * decode step does: they go round copies that no cache holds. */
#include "pipelines/commands/bench.h"
#include "pipelines/commands/commands_internal.h"

#include "base/memory.h"
#include "base/progress.h"
#include "compute/cpu/cpu.h"

#include <stdio.h>
#include <string.h>

struct bench_settings {
    int64_t threads;
    double seconds;
    int type, clock;
};

static const char *const types[] = {"bf16", "f32", NULL};

#define AT(member) offsetof(struct bench_settings, member)
static const struct ps_setting items[] = {
    {"threads", PS_SETTING_INTEGER, AT(threads), .fallback = "0", .minimum = 0, .maximum = 1024,
     .help = "threads; 0 is one for each core"},
    {"seconds", PS_SETTING_DURATION, AT(seconds), .fallback = "8", .minimum = 0, .maximum = 3600,
     .help = "how long to measure"},
    {"type", PS_SETTING_ENUM, AT(type), .fallback = "bf16", .names = types,
     .help = "type of activations and weights"},
    {"clock", PS_SETTING_ENUM, AT(clock), .fallback = "wall", .names = ps_bench_clocks,
     .help = ps_bench_clock_help},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("bench gemm", "For potstill bench gemm.", items, struct bench_settings);

enum { READ_BYTES = 256 << 20, BEYOND_CACHE = 192 << 20, MOST_COPIES = 32, LEAST_ROUNDS = 3 };

enum kind { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, DECODE };

static const char *const kind_names[] = {"forward", "input gradient", "weight gradient", "decode"};

static const struct shape {
    const char *name;
    enum kind kind;
    int64_t rows, outputs, inputs;
} shapes[] = {
    {"square", FORWARD, 1024, 1024, 1024},
    {"square", FORWARD, 2048, 2048, 2048},
    {"narrow", FORWARD, 512, 128, 128},
    {"narrow", FORWARD, 2048, 256, 256},
    {"0.5B up", FORWARD, 1024, 4864, 896},
    {"0.5B down", FORWARD, 1024, 896, 4864},
    {"0.5B up", INPUT_GRADIENT, 1024, 4864, 896},
    {"0.5B up", WEIGHT_GRADIENT, 1024, 4864, 896},
    {"0.5B head", FORWARD, 64, 151936, 896},
    {"0.5B qkv", DECODE, 1, 1152, 896},
    {"0.5B up", DECODE, 1, 4864, 896},
    {"0.5B down", DECODE, 1, 896, 4864},
    {"0.5B up", DECODE, 8, 4864, 896},
    {"0.5B head", DECODE, 1, 151936, 896},
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

struct subject {
    int64_t copies, next;
    struct ps_weight *weights[MOST_COPIES];
    double best; /* seconds */
};

struct bench {
    struct ps_compute *compute;
    struct ps_stream *stream;
    bool bf16;
    enum ps_bench_clock clock;
    char *values, *x, *y; /* the largest of each */
    float *dw;
    struct subject subjects[SHAPES];
    double peak, bandwidth; /* GFLOP/s, GB/s */
    int rounds;
};

static double clock_of(const struct bench *bench) {
    return ps_bench_seconds(bench->clock, bench->compute->threads);
}

static size_t element(const struct bench *bench) {
    return bench->bf16 ? 2 : 4;
}

static enum ps_dtype type(const struct bench *bench) {
    return bench->bf16 ? PS_DTYPE_BF16 : PS_DTYPE_F32;
}

static double weight_bytes(const struct bench *bench, const struct shape *shape) {
    return (double)(shape->outputs * shape->inputs) * (double)element(bench);
}

static enum ps_status make_weights(struct bench *bench, int i, struct ps_error *error) {
    const struct shape *shape = &shapes[i];
    const struct ps_linear_operations *linear = &bench->compute->linear;
    struct subject *subject = &bench->subjects[i];
    struct ps_weight_description description = {
        shape->outputs, shape->inputs, bench->bf16 ? PS_WEIGHT_BF16 : PS_WEIGHT_F32,
        shape->kind == INPUT_GRADIENT ? PS_USE_INPUT_GRADIENT : PS_USE_FORWARD};
    int64_t copies = 1;
    if (shape->kind == DECODE) copies += (int64_t)(BEYOND_CACHE / weight_bytes(bench, shape));
    if (shape->kind == WEIGHT_GRADIENT) copies = 0;
    if (copies > MOST_COPIES) copies = MOST_COPIES;
    subject->best = 1e9;
    for (; subject->copies < copies; subject->copies++) {
        struct ps_weight **weight = &subject->weights[subject->copies];
        PS_TRY(linear->create(bench->compute, &description, weight, error));
        linear->load(bench->stream, *weight, 0,
                     ps_matrix(bench->values, type(bench), shape->outputs, shape->inputs), NULL);
    }
    return bench->compute->memory.synchronize(bench->stream, error);
}

static void *filled(size_t size, int byte) {
    void *memory = ps_aligned_alloc(64, size);
    if (memory) memset(memory, byte, size);
    return memory;
}

static enum ps_status open_bench(struct bench *bench, const struct bench_settings *settings,
                                 struct ps_error *error) {
    struct ps_compute_limits limits = {.rows = 2048, .columns = 4864, .training = true};
    size_t values = READ_BYTES, x = 0, y = 0, dw = 0;
    for (int i = 0; i < SHAPES; i++) {
        size_t w = (size_t)(shapes[i].outputs * shapes[i].inputs);
        size_t in = (size_t)(shapes[i].rows * shapes[i].inputs) * 4;
        size_t out = (size_t)(shapes[i].rows * shapes[i].outputs) * 4;
        if (w * element(bench) > values) values = w * element(bench);
        if (in > x) x = in;
        if (out > y) y = out;
        if (shapes[i].kind == WEIGHT_GRADIENT && w * 4 > dw) dw = w * 4;
    }
    PS_TRY(ps_compute_open("cpu", (int)settings->threads, &bench->compute, error));
    PS_TRY(bench->compute->memory.stream_create(bench->compute, &limits, &bench->stream, error));
    bench->values = filled(values, 0x3C);
    bench->x = filled(x, 0x3C);
    bench->y = filled(y, 0x3C);
    bench->dw = filled(dw, 0);
    PS_FAIL_IF(!bench->values || !bench->x || !bench->y || !bench->dw, error, PS_MEMORY,
               "out of memory");
    for (int i = 0; i < SHAPES; i++) PS_TRY(make_weights(bench, i, error));
    return PS_OK;
}

static void close_bench(struct bench *bench) {
    for (int i = 0; i < SHAPES; i++)
        for (int64_t j = 0; j < bench->subjects[i].copies; j++)
            bench->compute->linear.release(bench->subjects[i].weights[j]);
    ps_free(bench->values);
    ps_free(bench->x);
    ps_free(bench->y);
    ps_free(bench->dw);
    if (bench->stream) bench->compute->memory.stream_release(bench->stream);
    ps_compute_close(bench->compute);
}

static void measure(struct bench *bench, int i) {
    const struct shape *shape = &shapes[i];
    const struct ps_linear_operations *linear = &bench->compute->linear;
    struct subject *subject = &bench->subjects[i];
    struct ps_matrix x = ps_matrix(bench->x, type(bench), shape->rows, shape->inputs);
    struct ps_matrix y = ps_matrix(bench->y, type(bench), shape->rows, shape->outputs);
    const struct ps_weight *weight =
        subject->copies ? subject->weights[subject->next++ % subject->copies] : NULL;
    double start = clock_of(bench);
    switch (shape->kind) {
    case FORWARD:
    case DECODE: linear->forward(bench->stream, weight, x, NULL, y); break;
    case INPUT_GRADIENT: linear->input_gradient(bench->stream, weight, y, x, false); break;
    case WEIGHT_GRADIENT:
        linear->weight_gradient(bench->stream, bench->bf16 ? PS_WEIGHT_BF16 : PS_WEIGHT_F32, y, x,
                                bench->dw, NULL);
        break;
    }
    double time = clock_of(bench) - start;
    if (time < subject->best) subject->best = time;
}

static void one_round(struct bench *bench) {
    double peak = ps_bench_peak(bench->clock, bench->compute, bench->bf16, 1);
    double start = clock_of(bench);
    double bandwidth = ps_cpu_read_memory(bench->compute, bench->values, READ_BYTES) / 1e9;
    bandwidth /= clock_of(bench) - start;
    if (peak > bench->peak) bench->peak = peak;
    if (bandwidth > bench->bandwidth) bench->bandwidth = bandwidth;
    for (int i = 0; i < SHAPES; i++) {
        int repeats = shapes[i].kind == DECODE && shapes[i].outputs < 10000 ? 8 : 1;
        for (int j = 0; j < repeats; j++) measure(bench, i);
    }
    bench->rounds++;
}

/* ---- results ---- */

static double rate(const struct bench *bench, int i) {
    const struct shape *shape = &shapes[i];
    return 2e-9 * (double)shape->rows * (double)shape->outputs * (double)shape->inputs /
           bench->subjects[i].best;
}

static double bytes_rate(const struct bench *bench, int i) {
    return 1e-9 * weight_bytes(bench, &shapes[i]) / bench->subjects[i].best;
}

static void print_text(const struct bench *bench) {
    printf("kernels %s, %d threads, %s, %s clock, best of %d rounds\n", bench->compute->kernels,
           bench->compute->threads, types[!bench->bf16], ps_bench_clocks[bench->clock],
           bench->rounds);
    printf("peak %.0f GFLOP/s, memory %.1f GB/s\n\n", bench->peak, bench->bandwidth);
    printf("%-10s %-16s %6s %8s %7s %10s %9s %6s %7s %6s\n", "shape", "operation", "rows",
           "outputs", "inputs", "time (us)", "GFLOP/s", "peak", "GB/s", "memory");
    for (int i = 0; i < SHAPES; i++) {
        const struct shape *shape = &shapes[i];
        printf("%-10s %-16s %6lld %8lld %7lld %10.1f %9.1f %5.0f%%", shape->name,
               kind_names[shape->kind], (long long)shape->rows, (long long)shape->outputs,
               (long long)shape->inputs, bench->subjects[i].best * 1e6, rate(bench, i),
               100 * rate(bench, i) / bench->peak);
        if (shape->kind == DECODE)
            printf(" %7.1f %5.0f%%", bytes_rate(bench, i),
                   100 * bytes_rate(bench, i) / bench->bandwidth);
        putchar('\n');
    }
}

static enum ps_status print_json(const struct bench *bench, struct ps_error *error) {
    struct ps_buffer buffer;
    struct ps_json_writer json;
    ps_buffer_init(&buffer, SIZE_MAX / 2);
    ps_json_writer_begin(&json, &buffer);
    ps_json_write_begin_object(&json);
    ps_bench_string(&json, "kernels", bench->compute->kernels);
    ps_bench_number(&json, "threads", bench->compute->threads);
    ps_bench_string(&json, "type", types[!bench->bf16]);
    ps_bench_string(&json, "clock", ps_bench_clocks[bench->clock]);
    ps_bench_number(&json, "rounds", bench->rounds);
    ps_bench_number(&json, "peak_gflops", bench->peak);
    ps_bench_number(&json, "memory_gbs", bench->bandwidth);
    ps_json_write_key(&json, "shapes");
    ps_json_write_begin_array(&json);
    for (int i = 0; i < SHAPES; i++) {
        ps_json_write_begin_object(&json);
        ps_bench_string(&json, "name", shapes[i].name);
        ps_bench_string(&json, "operation", kind_names[shapes[i].kind]);
        ps_bench_number(&json, "rows", (double)shapes[i].rows);
        ps_bench_number(&json, "outputs", (double)shapes[i].outputs);
        ps_bench_number(&json, "inputs", (double)shapes[i].inputs);
        ps_bench_number(&json, "seconds", bench->subjects[i].best);
        ps_bench_number(&json, "gflops", rate(bench, i));
        ps_bench_number(&json, "of_peak", rate(bench, i) / bench->peak);
        if (shapes[i].kind == DECODE) {
            ps_bench_number(&json, "gbs", bytes_rate(bench, i));
            ps_bench_number(&json, "of_memory", bytes_rate(bench, i) / bench->bandwidth);
        }
        ps_json_write_end_object(&json);
    }
    ps_json_write_end_array(&json);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(buffer.data);
    ps_buffer_release(&buffer);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct bench_settings *settings = call->settings[0].values;
    enum ps_status status = PS_OK;
    struct bench *bench = ps_calloc(1, sizeof *bench);
    PS_FAIL_IF_NULL(bench, error);
    bench->bf16 = settings->type == 0;
    bench->clock = (enum ps_bench_clock)settings->clock;
    PS_TRY_DONE(open_bench(bench, settings, error));
    double end = ps_seconds() + settings->seconds;
    while (bench->rounds < LEAST_ROUNDS || ps_seconds() < end) one_round(bench);
    if (call->json)
        PS_TRY_DONE(print_json(bench, error));
    else
        print_text(bench);
done:
    close_bench(bench);
    ps_free(bench);
    return status;
}

const struct ps_command ps_command_bench_gemm = {
    .name = "bench gemm",
    .synopsis = "",
    .help = "products of matrices against the processor's peak and the memory's bandwidth",
    .details = "Peak and bandwidth are measured in the same run, in turn with the shapes; the best "
               "round of each\ncounts. POTSTILL_CPU=avx512bf16|avx512|avx2|plain forces a kernel "
               "family.",
    .tables = {&table},
    .run = run,
};
