/* Routing of tokens to experts, and rows on their way there and back, spread over threads. A row is
 * routed as the reference does it. */

#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/tasks_internal.h"

#include <string.h>

static const struct ps_cpu_tasks *tasks(struct ps_stream *stream) {
    return ps_cpu_stream(stream)->kernels->tasks;
}

static void dispatch_rows(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_combine *a = arguments; /* y is x; place is order */
    const size_t size = ps_dtype_size(a->y.dtype);
    for (int64_t i = first; i < end; i++)
        memcpy((char *)a->sorted.data + (size_t)(i * a->sorted.stride) * size,
               (const char *)a->y.data + (size_t)(a->place[i] / a->per_token * a->y.stride) * size,
               (size_t)a->y.columns * size);
}

static void dispatch(struct ps_stream *stream, struct ps_matrix x, int64_t per_token,
                     const int32_t *order, struct ps_matrix sorted) {
    struct ps_cpu_combine arguments = {sorted, x, per_token, order, NULL, false};
    assert(sorted.rows == x.rows * per_token && sorted.columns == x.columns);
    assert(sorted.dtype == x.dtype);
    ps_cpu_run(stream, dispatch_rows, &arguments, sorted.rows, 0.1 * (double)x.columns);
}

static void dispatch_backward(struct ps_stream *stream, struct ps_matrix dsorted, int64_t per_token,
                              const int32_t *place, struct ps_matrix dx, bool accumulate) {
    struct ps_cpu_combine arguments = {dsorted, dx, per_token, place, NULL, accumulate};
    ps_cpu_run(stream, tasks(stream)->combine, &arguments, dx.rows,
               0.1 * (double)(dx.columns * per_token));
}

static void combine(struct ps_stream *stream, struct ps_matrix sorted, int64_t per_token,
                    const int32_t *place, const float *weights, struct ps_matrix y) {
    struct ps_cpu_combine arguments = {sorted, y, per_token, place, weights, false};
    ps_cpu_run(stream, tasks(stream)->combine, &arguments, y.rows,
               0.1 * (double)(y.columns * per_token));
}

static void combine_backward(struct ps_stream *stream, struct ps_matrix sorted, int64_t per_token,
                             const int32_t *place, const float *weights, struct ps_matrix dy,
                             struct ps_matrix dsorted, float *dweights) {
    struct ps_cpu_combine_backward arguments = {sorted, dy,      dsorted, per_token,
                                                place,  weights, dweights};
    ps_cpu_run(stream, tasks(stream)->combine_backward, &arguments, dy.rows,
               0.2 * (double)(dy.columns * per_token));
}

static void load(struct ps_stream *stream, int64_t rows, int64_t experts, int64_t per_token,
                 const float *scores, const int32_t *ids, float *score_sums, float *counts) {
    struct ps_matrix matrix = ps_matrix((float *)(uintptr_t)scores, PS_DTYPE_F32, rows, experts);
    struct ps_cpu_column_sums sums = {matrix, score_sums};
    ps_cpu_run(stream, tasks(stream)->column_sums, &sums, (experts + 15) / 16, 2.0 * (double)rows);
    struct ps_float_mode mode = ps_float_mode_enter();
    for (int64_t i = 0; i < rows * per_token; i++) counts[ids[i]] = counts[ids[i]] + 1;
    ps_float_mode_leave(mode);
}

/* ---- routing ------------------------------------------------------------------------------ */

struct route {
    struct ps_cpu_stream *stream;
    const struct ps_router *router;
    struct ps_matrix logits; /* or their gradient */
    float *scores;
    int32_t *ids;
    float *weights;
    const float *dweights, *load;
};

static void route_rows(const void *arguments, int64_t first, int64_t end) {
    const struct route *a = arguments;
    ps_reference_route_rows(a->router, a->logits, a->scores, a->ids, a->weights, first, end,
                            ps_cpu_thread_scratch(a->stream, ps_cpu_thread()));
}

static void route(struct ps_stream *stream, const struct ps_router *router, struct ps_matrix logits,
                  float *scores, int32_t *ids, float *weights) {
    struct route arguments = {ps_cpu_stream(stream), router, logits, scores, ids, weights, 0, 0};
    assert(logits.columns == router->experts && router->per_token <= router->experts);
    assert(router->groups <= 1 || router->experts % router->groups == 0);
    ps_cpu_run(stream, route_rows, &arguments, logits.rows,
               (double)(router->experts * (5 + router->per_token)));
}

static void route_backward_rows(const void *arguments, int64_t first, int64_t end) {
    const struct route *a = arguments;
    ps_reference_route_gradients(a->router, a->scores, a->ids, a->weights, a->dweights, a->load,
                                 a->logits, first, end,
                                 ps_cpu_thread_scratch(a->stream, ps_cpu_thread()));
}

static void route_backward(struct ps_stream *stream, const struct ps_router *router,
                           const float *scores, const int32_t *ids, const float *weights,
                           const float *dweights, const float *load_gradient,
                           struct ps_matrix dlogits) {
    struct route arguments = {
        .stream = ps_cpu_stream(stream),
        .router = router,
        .logits = dlogits,
        .scores = (float *)(uintptr_t)scores,
        .ids = (int32_t *)(uintptr_t)ids,
        .weights = (float *)(uintptr_t)weights,
        .dweights = dweights,
        .load = load_gradient,
    };
    ps_cpu_run(stream, route_backward_rows, &arguments, dlogits.rows,
               4.0 * (double)router->experts);
}

/* A counting sort: offsets[e + 1] first counts, then is where e's next row goes. */
static void group(struct ps_stream *stream, int64_t rows, int64_t experts, int64_t per_token,
                  const int32_t *ids, int32_t *offsets, int32_t *order, int32_t *place) {
    (void)stream;
    memset(offsets, 0, (size_t)(experts + 1) * sizeof *offsets);
    for (int64_t i = 0; i < rows * per_token; i++) offsets[ids[i] + 1]++;
    int32_t start = 0;
    for (int64_t e = 0; e < experts; e++) {
        int32_t count = offsets[e + 1];
        offsets[e + 1] = start;
        start += count;
    }
    for (int64_t i = 0; i < rows * per_token; i++) {
        place[i] = offsets[ids[i] + 1]++;
        order[place[i]] = (int32_t)i;
    }
}

const struct ps_expert_operations ps_cpu_experts = {
    .route = route,
    .route_backward = route_backward,
    .load = load,
    .group = group,
    .dispatch = dispatch,
    .dispatch_backward = dispatch_backward,
    .combine = combine,
    .combine_backward = combine_backward,
};
