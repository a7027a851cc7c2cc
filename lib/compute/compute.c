/* The registry of backends, and what is the same for all of them. */

#include "compute/compute.h"

#include "compute/cpu/cpu_internal.h"
#include "compute/reference/reference_internal.h"

#include <string.h>

/* The best one first. */
static const struct {
    const char *name;
    enum ps_status (*open)(int threads, struct ps_compute **compute, struct ps_error *error);
} backends[] = {
    {"cpu", ps_cpu_open},
    {"reference", ps_reference_open},
};

enum { BACKENDS = sizeof backends / sizeof *backends };

enum ps_status ps_compute_open(const char *name, int threads, struct ps_compute **compute,
                               struct ps_error *error) {
    *compute = NULL;
    char known[128] = "";
    for (int i = 0; i < BACKENDS; i++) {
        if (!name || strcmp(name, backends[i].name) == 0)
            return backends[i].open(threads, compute, error);
        if (i) strcat(known, ", ");
        strcat(known, backends[i].name);
    }
    return ps_error_set(error, PS_NOT_FOUND, "no compute backend is called '%s'; there are: %s",
                        name, known);
}

void ps_compute_close(struct ps_compute *compute) {
    if (compute) compute->close(compute);
}

/* The operations that compute something; memory's are always a backend's own. */
#define OPERATIONS(X)                                                                              \
    X(linear, create)                                                                              \
    X(linear, load)                                                                                \
    X(linear, map)                                                                                 \
    X(linear, update)                                                                              \
    X(linear, forward)                                                                             \
    X(linear, input_gradient)                                                                      \
    X(linear, weight_gradient)                                                                     \
    X(linear, grouped_forward)                                                                     \
    X(linear, grouped_input_gradient)                                                              \
    X(linear, grouped_weight_gradient)                                                             \
    X(attention, append)                                                                           \
    X(attention, paged)                                                                            \
    X(attention, packed_forward)                                                                   \
    X(attention, packed_backward)                                                                  \
    X(rows, embedding)                                                                             \
    X(rows, embedding_backward)                                                                    \
    X(rows, rms_norm)                                                                              \
    X(rows, rms_norm_backward)                                                                     \
    X(rows, rope)                                                                                  \
    X(rows, swiglu)                                                                                \
    X(rows, swiglu_backward)                                                                       \
    X(rows, add)                                                                                   \
    X(rows, convert)                                                                               \
    X(rows, gather)                                                                                \
    X(rows, scatter)                                                                               \
    X(experts, route)                                                                              \
    X(experts, route_backward)                                                                     \
    X(experts, load)                                                                               \
    X(experts, group)                                                                              \
    X(experts, dispatch)                                                                           \
    X(experts, dispatch_backward)                                                                  \
    X(experts, combine)                                                                            \
    X(experts, combine_backward)                                                                   \
    X(head, loss)                                                                                  \
    X(sampling, sample)                                                                            \
    X(sampling, log_probabilities)                                                                 \
    X(sampling, top_k)                                                                             \
    X(optimizer, adamw)                                                                            \
    X(optimizer, square_sum)                                                                       \
    X(quantise, rows)                                                                              \
    X(quantise, blocks)                                                                            \
    X(quantise, rows_and_columns)

void ps_compute_fallbacks(const struct ps_compute *compute,
                          void (*name)(void *context, const char *operation), void *context) {
    if (strcmp(compute->name, "reference") == 0) return;
#define X(table, operation)                                                                        \
    if (compute->table.operation == ps_reference_##table.operation)                                \
        name(context, #table "." #operation);
    OPERATIONS(X)
#undef X
}
