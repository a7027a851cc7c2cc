#pragma once
/* What `potstill doctor` and `bench` tell about the cpu backend. */

#include "base/status.h"
#include "compute/compute.h"

#include <stdbool.h>
#include <stddef.h>

struct ps_cpu_choice {
    const char *family; /* "avx512bf16", "avx512", "avx2", "plain" */
    bool forced;        /* by $POTSTILL_CPU */
    /* Where the processor has the BF16 dot instruction and nothing is forced: the measured rates of
     * a small product in GFLOP/s, and whether the instruction gives the bits that are asked for. */
    double bf16_rate, fma_rate;
    bool bf16_exact;
};

/* Which kernel family runs here, and why. */
enum ps_status ps_cpu_choose(struct ps_cpu_choice *choice, struct ps_error *error);

/* Work at the processor's limits, for whoever takes the time; only for a backend named "cpu".
 * The family's multiply-adds of BF16 or F32 on registers alone, on all threads, for about a
 * millisecond; returns floating point operations. */
double ps_cpu_multiply_add(const struct ps_compute *compute, bool bf16);
/* Reads memory once, a part by each thread; returns bytes. */
double ps_cpu_read_memory(const struct ps_compute *compute, const void *memory, size_t size);
