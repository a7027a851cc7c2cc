/* What the processor can do at most, with the threads of a backend; the caller takes the time. */

#include "compute/cpu/cpu.h"
#include "compute/cpu/cpu_internal.h"

#include <stdatomic.h>

enum { ROUNDS = 100000 };

struct measure {
    const struct ps_cpu_kernels *kernels;
    bool bf16;
    const char *memory;
    size_t part;               /* of a thread */
    atomic_ullong *operations; /* of all */
};

static void multiply_add(const void *arguments, int64_t first, int64_t end) {
    const struct measure *measure = arguments;
    for (int64_t i = first; i < end; i++)
        atomic_fetch_add(measure->operations,
                         (unsigned long long)measure->kernels->peak(measure->bf16, ROUNDS));
}

static void read_part(const void *arguments, int64_t first, int64_t end) {
    const struct measure *measure = arguments;
    measure->kernels->read(measure->memory + (size_t)first * measure->part,
                           (size_t)(end - first) * measure->part);
}

double ps_cpu_multiply_add(const struct ps_compute *compute, bool bf16) {
    const struct ps_cpu *cpu = (const struct ps_cpu *)compute;
    atomic_ullong operations = 0;
    struct measure measure = {.kernels = cpu->kernels, .bf16 = bf16, .operations = &operations};
    ps_cpu_team_run(cpu->team, multiply_add, &measure, compute->threads, compute->threads);
    return (double)operations;
}

double ps_cpu_read_memory(const struct ps_compute *compute, const void *memory, size_t size) {
    const struct ps_cpu *cpu = (const struct ps_cpu *)compute;
    const size_t threads = (size_t)compute->threads, part = size / threads / 4096 * 4096;
    struct measure measure = {.kernels = cpu->kernels, .memory = memory, .part = part};
    ps_cpu_team_run(cpu->team, read_part, &measure, compute->threads, compute->threads);
    return (double)(part * threads);
}
