/* Measuring what the processor can do at most, with the threads of a backend. */

#include "compute/cpu/cpu.h"
#include "compute/cpu/cpu_internal.h"

#include <omp.h>
#include <time.h>

enum { ROUNDS = 100000 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double ps_cpu_measure_peak(const struct ps_compute *compute, bool bf16) {
    const struct ps_cpu_kernels *kernels = ((const struct ps_cpu *)compute)->kernels;
    double work[PS_CPU_MOST_THREADS];
    const int threads =
        compute->threads < PS_CPU_MOST_THREADS ? compute->threads : PS_CPU_MOST_THREADS;
    double start = now(), sum = 0;
#pragma omp parallel num_threads(threads)
    work[omp_get_thread_num()] = kernels->peak(bf16, ROUNDS);
    double time = now() - start;
    for (int i = 0; i < threads; i++) sum += work[i];
    return sum / time / 1e9;
}

double ps_cpu_measure_bandwidth(const struct ps_compute *compute, const void *memory, size_t size) {
    const struct ps_cpu_kernels *kernels = ((const struct ps_cpu *)compute)->kernels;
    const size_t threads = (size_t)compute->threads, part = size / threads / 4096 * 4096;
    double start = now();
#pragma omp parallel num_threads((int)threads)
    kernels->read((const char *)memory + (size_t)omp_get_thread_num() * part, part);
    return (double)(part * threads) / (now() - start) / 1e9;
}
