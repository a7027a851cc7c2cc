#include "pipelines/commands/bench.h"

#include "base/progress.h"
#include "compute/cpu/cpu.h"

#include <time.h>

const char *const ps_bench_clocks[] = {"wall", "cpu", NULL};
const char ps_bench_clock_help[] = "the wall clock, or the processor's time of each thread (for "
                                   "--threads 1 on a busy machine)";

double ps_bench_seconds(enum ps_bench_clock clock, int threads) {
    struct timespec time;
    if (clock == PS_BENCH_WALL) return ps_seconds();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return ((double)time.tv_sec + 1e-9 * (double)time.tv_nsec) / threads;
}

double ps_bench_peak(enum ps_bench_clock clock, const struct ps_compute *compute, bool bf16,
                     int tries) {
    double best = 0;
    for (int i = 0; i < tries; i++) {
        double start = ps_bench_seconds(clock, compute->threads);
        double operations = ps_cpu_multiply_add(compute, bf16);
        double rate = 1e-9 * operations / (ps_bench_seconds(clock, compute->threads) - start);
        if (rate > best) best = rate;
    }
    return best;
}

void ps_bench_number(struct ps_json_writer *json, const char *key, double value) {
    ps_json_put_number(json, key, value);
}

void ps_bench_string(struct ps_json_writer *json, const char *key, const char *value) {
    ps_json_put_string(json, key, value);
}
