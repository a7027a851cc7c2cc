/* The reference backend: docs/numerics.md in slow, plain C. Each file holds one table. */

#include "base/memory.h"
#include "compute/reference/reference_internal.h"

static void close_reference(struct ps_compute *compute) {
    ps_free(compute);
}

enum ps_status ps_reference_open(int threads, struct ps_compute **compute, struct ps_error *error) {
    (void)threads; /* one is all it has */
    *compute = ps_malloc(sizeof **compute);
    PS_FAIL_IF_NULL(*compute, error);
    **compute = (struct ps_compute){
        .name = "reference",
        .kernels = "plain",
        .threads = 1,
        .memory = ps_reference_memory,
        .linear = ps_reference_linear,
        .attention = ps_reference_attention,
        .rows = ps_reference_rows,
        .experts = ps_reference_experts,
        .head = ps_reference_head,
        .sampling = ps_reference_sampling,
        .optimizer = ps_reference_optimizer,
        .quantise = ps_reference_quantise,
        .close = close_reference,
    };
    return PS_OK;
}
