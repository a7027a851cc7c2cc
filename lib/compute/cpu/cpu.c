/* Opening the cpu backend: which kernel family runs here, and streams.
 *
 * CPUID says what the processor has; $POTSTILL_CPU forces a family. The BF16 dot instruction runs
 * at twice the rate of FP32 FMA on some processors and at half of it on others, so both are timed
 * for a moment, and it is used only if it also gives the bits of docs/numerics.md. */

#include "compute/cpu/cpu.h"

#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "compute/cpu/cpu_internal.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* ---- families ----------------------------------------------------------------------------- */

#if defined __x86_64__
static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx512bf16(void) {
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
}
#endif

static bool has_plain(void) {
    return true;
}

/* The best one first. */
static const struct {
    const struct ps_cpu_kernels *kernels;
    bool (*here)(void);
} families[] = {
#if defined __x86_64__
    {&ps_cpu_kernels_avx512bf16, has_avx512bf16},
    {&ps_cpu_kernels_avx512, has_avx512},
    {&ps_cpu_kernels_avx2, has_avx2},
#endif
    {&ps_cpu_kernels_plain, has_plain},
};

enum { FAMILIES = sizeof families / sizeof *families };

/* ---- a trial of two families -------------------------------------------------------------- */

enum { TRIAL_K = 1024, TRIAL_ROWS = 6, TRIAL_LANES = 32, TRIAL_REPEATS = 24 };

struct trial {
    uint16_t a[TRIAL_ROWS * TRIAL_K], b[TRIAL_LANES * TRIAL_K];
    float packed_a[TRIAL_ROWS * TRIAL_K] __attribute__((aligned(64)));
    float packed_b[TRIAL_LANES * TRIAL_K] __attribute__((aligned(64)));
    float totals[2][TRIAL_ROWS * TRIAL_LANES] __attribute__((aligned(64)));
};

/* The shortest time in seconds of one product by this family; it stays in totals. */
static double try_family(struct trial *trial, const struct ps_cpu_kernels *kernels, float *totals) {
    struct ps_cpu_source a = {trial->a, PS_DTYPE_BF16, TRIAL_ROWS, TRIAL_K, TRIAL_K, false};
    struct ps_cpu_source b = {trial->b, PS_DTYPE_BF16, TRIAL_LANES, TRIAL_K, TRIAL_K, false};
    kernels->pack_a(&a, 0, TRIAL_ROWS, true, trial->packed_a);
    kernels->pack_b(&b, 0, TRIAL_LANES, true, trial->packed_b);
    double best = 1;
    for (int i = 0; i < TRIAL_REPEATS; i++) {
        double start = ps_seconds();
        kernels->multiply(TRIAL_ROWS, true, trial->packed_a, trial->packed_b,
                          TRIAL_K / PS_CPU_BLOCK, totals);
        double time = ps_seconds() - start;
        if (time < best) best = time;
    }
    return best;
}

/* Whether the BF16 dot instruction is right and faster than FMA. */
static bool bf16_wins(const struct ps_cpu_kernels *bf16, const struct ps_cpu_kernels *fma,
                      struct ps_cpu_choice *choice) {
    struct trial *trial = ps_aligned_alloc(64, sizeof *trial);
    if (!trial) return false;
    for (int i = 0; i < TRIAL_ROWS * TRIAL_K; i++)
        trial->a[i] = ps_bf16_from_f32(ps_random_normal(1, (uint64_t)i));
    for (int i = 0; i < TRIAL_LANES * TRIAL_K; i++)
        trial->b[i] = ps_bf16_from_f32(ps_random_normal(2, (uint64_t)i));
    for (int i = 0; i < 32; i++) trial->a[i * 97] = (uint16_t)(i * 4); /* denormals */
    struct ps_float_mode mode = ps_float_mode_enter();
    const double work = 2e-9 * TRIAL_ROWS * TRIAL_LANES * TRIAL_K;
    choice->bf16_rate = work / try_family(trial, bf16, trial->totals[0]);
    choice->fma_rate = work / try_family(trial, fma, trial->totals[1]);
    choice->bf16_exact = memcmp(trial->totals[0], trial->totals[1], sizeof trial->totals[0]) == 0;
    ps_float_mode_leave(mode);
    ps_free(trial);
    return choice->bf16_exact && choice->bf16_rate > choice->fma_rate;
}

static enum ps_status choose(const struct ps_cpu_kernels **kernels, struct ps_cpu_choice *choice,
                             struct ps_error *error) {
    const char *forced = getenv("POTSTILL_CPU");
    memset(choice, 0, sizeof *choice);
    if (forced && *forced) {
        choice->forced = true;
        for (int i = 0; i < FAMILIES; i++) {
            if (strcmp(forced, families[i].kernels->name) != 0) continue;
            PS_FAIL_IF(!families[i].here(), error, PS_UNSUPPORTED,
                       "POTSTILL_CPU=%s: this processor has not got these instructions; unset it "
                       "to use the best it has",
                       forced);
            *kernels = families[i].kernels;
            return PS_OK;
        }
        return ps_error_set(error, PS_ARGUMENT,
                            "POTSTILL_CPU=%s: no such kernel family; there are avx512bf16, avx512, "
                            "avx2, plain",
                            forced);
    }
    for (int i = 0; i < FAMILIES; i++) {
        if (!families[i].here()) continue;
        *kernels = families[i].kernels;
        if (strcmp((*kernels)->name, "avx512bf16") == 0 &&
            !bf16_wins(*kernels, families[i + 1].kernels, choice))
            continue;
        return PS_OK;
    }
    return PS_OK;
}

enum ps_status ps_cpu_choose(struct ps_cpu_choice *choice, struct ps_error *error) {
    const struct ps_cpu_kernels *kernels;
    PS_TRY(choose(&kernels, choice, error));
    choice->family = kernels->name;
    return PS_OK;
}

/* ---- streams ------------------------------------------------------------------------------ */

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static size_t larger_size(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t thread_bytes(const struct ps_cpu_kernels *kernels,
                           const struct ps_compute_limits *limits) {
    int64_t widest = larger(larger(limits->columns, limits->experts), PS_CPU_GRADIENT_ROWS);
    /* The gradient of the head's input is a product over the vocabulary. */
    if (limits->training) widest = larger(widest, limits->vocabulary);
    size_t bytes = larger_size(ps_cpu_product_scratch(widest), ps_cpu_attention_scratch(limits));
    bytes = larger_size(bytes, ps_cpu_sampling_scratch(limits->vocabulary));
    if (limits->training)
        bytes = larger_size(bytes, ps_cpu_attention_backward_scratch(kernels, limits));
    return bytes / 64 * 64 + 64;
}

static size_t shared_bytes(const struct ps_cpu_kernels *kernels,
                           const struct ps_compute_limits *limits) {
    if (!limits->training) return 64;
    size_t bytes = ps_cpu_packed_b_bytes(kernels, limits->columns, PS_CPU_GRADIENT_ROWS, false);
    return larger_size(bytes, ps_cpu_attention_shared(kernels, limits)) / 64 * 64 + 64;
}

static void stream_release(struct ps_stream *stream) {
    if (!stream) return;
    struct ps_cpu_stream *own = ps_cpu_stream(stream);
    ps_reference_stream_clear(stream);
    ps_free(own->thread_scratch);
    ps_free(own->shared_scratch);
    ps_free(own);
}

static enum ps_status stream_create(struct ps_compute *compute,
                                    const struct ps_compute_limits *limits,
                                    struct ps_stream **stream, struct ps_error *error) {
    enum ps_status status = PS_OK;
    struct ps_cpu_stream *made = ps_calloc(1, sizeof *made);
    *stream = NULL;
    PS_FAIL_IF_NULL(made, error);
    PS_TRY_DONE(ps_reference_stream_init(&made->stream, compute, limits, error));
    made->kernels = ((struct ps_cpu *)compute)->kernels;
    made->threads = compute->threads;
    made->team = ((struct ps_cpu *)compute)->team;
    made->thread_bytes = thread_bytes(made->kernels, limits);
    made->shared_bytes = shared_bytes(made->kernels, limits);
    made->thread_scratch = ps_aligned_alloc(64, made->thread_bytes * (size_t)made->threads);
    made->shared_scratch = ps_aligned_alloc(64, made->shared_bytes);
    PS_FAIL_DONE_IF_NULL(made->thread_scratch, error);
    PS_FAIL_DONE_IF_NULL(made->shared_scratch, error);
    *stream = &made->stream;
done:
    if (status != PS_OK) stream_release(&made->stream);
    return status;
}

/* ---- the backend -------------------------------------------------------------------------- */

static void close_cpu(struct ps_compute *compute) {
    ps_cpu_team_release(((struct ps_cpu *)compute)->team);
    ps_free(compute);
}

static int available_cores(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? count : 1;
}

enum ps_status ps_cpu_open(int threads, struct ps_compute **compute, struct ps_error *error) {
    const struct ps_cpu_kernels *kernels;
    struct ps_cpu_choice choice;
    struct ps_compute *reference;
    PS_TRY(choose(&kernels, &choice, error));
    PS_TRY(ps_reference_open(1, &reference, error));
    if (threads <= 0) threads = available_cores();
    struct ps_cpu *made = ps_malloc(sizeof *made);
    struct ps_cpu_team *team = ps_cpu_team_create(threads);
    if (made && team) {
        made->compute = *reference;
        made->kernels = kernels;
        made->compute.name = "cpu";
        made->compute.kernels = kernels->name;
        made->compute.threads = threads;
        made->team = team;
        made->compute.memory.stream_create = stream_create;
        made->compute.memory.stream_release = stream_release;
        made->compute.linear = ps_cpu_linear;
        made->compute.attention = ps_cpu_attention;
        made->compute.rows = ps_cpu_rows;
        made->compute.experts = ps_cpu_experts;
        made->compute.head = ps_cpu_head;
        made->compute.sampling = ps_cpu_sampling;
        made->compute.optimizer = ps_cpu_optimizer;
        made->compute.close = close_cpu;
        *compute = &made->compute;
    }
    ps_compute_close(reference);
    if (made && team) return PS_OK;
    ps_cpu_team_release(team);
    ps_free(made);
    return ps_error_set(error, PS_MEMORY, "out of memory");
}
