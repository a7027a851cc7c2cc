/* What the processor can do at most, with the threads of a backend; the caller takes the time. */

#include "compute/cpu/cpu.h"
#include "compute/cpu/cpu_internal.h"

#include <omp.h>

enum { ROUNDS = 100000 };

double ps_cpu_multiply_add(const struct ps_compute *compute, bool bf16) {
    const struct ps_cpu_kernels *kernels = ((const struct ps_cpu *)compute)->kernels;
    double operations = 0;
#pragma omp parallel num_threads(compute->threads)
    {
        double own = kernels->peak(bf16, ROUNDS);
#pragma omp atomic
        operations += own;
    }
    return operations;
}

double ps_cpu_read_memory(const struct ps_compute *compute, const void *memory, size_t size) {
    const struct ps_cpu_kernels *kernels = ((const struct ps_cpu *)compute)->kernels;
    const size_t threads = (size_t)compute->threads, part = size / threads / 4096 * 4096;
#pragma omp parallel num_threads((int)threads)
    kernels->read((const char *)memory + (size_t)omp_get_thread_num() * part, part);
    return (double)(part * threads);
}
