/* AdamW and the norm of gradients, over all threads. */

#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/tasks_internal.h"

enum { CHUNKS_AT_ONCE = 1024 };

static void adamw(struct ps_stream *stream, const struct ps_adamw *config, int64_t n, float *master,
                  const float *gradient, void *m, void *v) {
    struct ps_float_mode mode = ps_float_mode_enter();
    struct ps_cpu_adamw arguments = {
        .config = config,
        .correction1 = ps_bias_correction(config->beta1, config->step),
        .correction2 = ps_bias_correction(config->beta2, config->step),
        .n = n,
        .master = master,
        .gradient = gradient,
        .m = m,
        .v = v,
    };
    ps_float_mode_leave(mode);
    ps_cpu_run(stream, ps_cpu_stream(stream)->kernels->tasks->adamw, &arguments, (n + 15) / 16, 15);
}

static void square_sum(struct ps_stream *stream, int64_t n, const float *values, double *sum) {
    double parts[CHUNKS_AT_ONCE], total = 0;
    const int64_t most = (int64_t)CHUNKS_AT_ONCE * PS_CPU_SQUARE_CHUNK;
    for (int64_t first = 0; first < n; first += most) {
        int64_t count = ps_min(most, n - first);
        int64_t chunks = (count + PS_CPU_SQUARE_CHUNK - 1) / PS_CPU_SQUARE_CHUNK;
        struct ps_cpu_square_sum arguments = {count, values + first, parts};
        ps_cpu_run(stream, ps_cpu_stream(stream)->kernels->tasks->square_sum, &arguments, chunks,
                   10000);
        struct ps_float_mode mode = ps_float_mode_enter();
        for (int64_t i = 0; i < chunks; i++) total = total + parts[i];
        ps_float_mode_leave(mode);
    }
    *sum = total;
}

const struct ps_optimizer_operations ps_cpu_optimizer = {
    .adamw = adamw,
    .square_sum = square_sum,
};
