/* Routing of tokens to experts, and the way there and back: docs/numerics.md, "Experts". */

#include "compute/reference/reference_internal.h"

/* ---- routing ------------------------------------------------------------------------------ */

static void score(const struct ps_router *router, float *x) {
    int64_t n = router->experts;
    if (router->score == PS_ROUTER_SIGMOID) {
        for (int64_t e = 0; e < n; e++) x[e] = ps_math_logistic(x[e]);
        return;
    }
    float max = x[0];
    for (int64_t e = 1; e < n; e++)
        if (x[e] > max) max = x[e];
    for (int64_t e = 0; e < n; e++) x[e] = ps_math_exp(x[e] - max);
    float sum = ps_row_sum(x, n);
    for (int64_t e = 0; e < n; e++) x[e] = x[e] / sum;
}

/* The index of the largest of x, the lower one of equals; it becomes -infinity. NaN counts as less
 * than any number but not as taken, so that k calls give k different indices. */
static int64_t take_best(float *x, int64_t n) {
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++) {
        if (x[i] == -INFINITY) continue;
        if (best < 0 || x[i] > x[best] || (isnan(x[best]) && !isnan(x[i]))) best = i;
    }
    assert(best >= 0);
    x[best] = -INFINITY;
    return best;
}

/* Experts outside the best groups become -infinity. */
static void keep_groups(const struct ps_router *router, float *selection, float *of_group) {
    int64_t size = router->experts / router->groups;
    assert(router->experts % router->groups == 0);
    for (int64_t g = 0; g < router->groups; g++) {
        float best = -INFINITY, next = -INFINITY;
        for (int64_t e = g * size; e < (g + 1) * size; e++) {
            if (selection[e] > best) {
                next = best;
                best = selection[e];
            } else if (selection[e] > next) {
                next = selection[e];
            }
        }
        of_group[g] = router->group_by_top2 ? best + next : best;
    }
    for (int64_t i = 0; i < router->groups_kept; i++) take_best(of_group, router->groups);
    for (int64_t e = 0; e < router->experts; e++)
        if (of_group[e / size] != -INFINITY) selection[e] = -INFINITY;
}

void ps_reference_route_rows(const struct ps_router *router, struct ps_matrix logits, float *scores,
                             int32_t *ids, float *weights, int64_t first, int64_t end,
                             float *room) {
    int64_t n = router->experts, k = router->per_token;
    float *x = room, *selection = x + n, *of_group = selection + n;
    for (int64_t t = first; t < end; t++) {
        ps_get_row(x, logits, t);
        score(router, x);
        if (scores) memcpy(scores + t * n, x, (size_t)n * sizeof *x);
        for (int64_t e = 0; e < n; e++) selection[e] = router->bias ? x[e] + router->bias[e] : x[e];
        if (router->groups > 1) keep_groups(router, selection, of_group);
        float sum = 0;
        for (int64_t r = t * k; r < (t + 1) * k; r++) {
            ids[r] = (int32_t)take_best(selection, n);
            weights[r] = x[ids[r]];
            sum = sum + weights[r];
        }
        for (int64_t r = t * k; r < (t + 1) * k; r++) {
            float w = weights[r];
            if (router->normalise) w = w / (sum + router->epsilon);
            weights[r] = w * router->scale;
        }
    }
}

void ps_reference_route_gradients(const struct ps_router *router, const float *scores,
                                  const int32_t *ids, const float *weights, const float *dweights,
                                  const float *load, struct ps_matrix dlogits, int64_t first,
                                  int64_t end, float *room) {
    int64_t n = router->experts, k = router->per_token;
    float *d = room;
    for (int64_t t = first; t < end; t++) {
        const float *s = scores + t * n;
        float sum = 0, product = 0;
        for (int64_t r = t * k; r < (t + 1) * k; r++) {
            sum = sum + s[ids[r]];
            product = product + dweights[r] * weights[r];
        }
        for (int64_t e = 0; e < n; e++) d[e] = 0;
        for (int64_t r = t * k; r < (t + 1) * k; r++) {
            float dw = dweights[r] * router->scale;
            d[ids[r]] = router->normalise ? (dw - product) / (sum + router->epsilon) : dw;
        }
        if (load)
            for (int64_t e = 0; e < n; e++) d[e] = d[e] + load[e];
        float mean = router->score == PS_ROUTER_SOFTMAX ? ps_row_sum_products(d, s, n) : 0;
        for (int64_t e = 0; e < n; e++) {
            float dx = router->score == PS_ROUTER_SOFTMAX ? s[e] * (d[e] - mean)
                                                          : (d[e] * s[e]) * (1 - s[e]);
            ps_put(dlogits, t, e, dx);
        }
    }
}

static void route(struct ps_stream *stream, const struct ps_router *router, struct ps_matrix logits,
                  float *scores, int32_t *ids, float *weights) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, logits);
    assert(logits.columns == router->experts && router->per_token <= router->experts);
    ps_reference_route_rows(router, logits, scores, ids, weights, 0, logits.rows,
                            ps_scratch(stream, 3 * router->experts));
    ps_end(stream, operation);
}

static void route_backward(struct ps_stream *stream, const struct ps_router *router,
                           const float *scores, const int32_t *ids, const float *weights,
                           const float *dweights, const float *load, struct ps_matrix dlogits) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, dlogits);
    ps_reference_route_gradients(router, scores, ids, weights, dweights, load, dlogits, 0,
                                 dlogits.rows, ps_scratch(stream, 3 * router->experts));
    ps_end(stream, operation);
}

static void load(struct ps_stream *stream, int64_t rows, int64_t experts, int64_t per_token,
                 const float *scores, const int32_t *ids, float *score_sums, float *counts) {
    struct ps_operation operation = ps_begin(stream);
    for (int64_t first = 0; first < rows; first += 64) {
        for (int64_t e = 0; e < experts; e++) {
            float sum = 0;
            for (int64_t t = first; t < ps_min(first + 64, rows); t++)
                sum = sum + scores[t * experts + e];
            score_sums[e] = score_sums[e] + sum;
        }
    }
    for (int64_t i = 0; i < rows * per_token; i++) counts[ids[i]] = counts[ids[i]] + 1;
    ps_end(stream, operation);
}

/* ---- rows in the order of experts --------------------------------------------------------- */

/* A counting sort. */
static void group(struct ps_stream *stream, int64_t rows, int64_t experts, int64_t per_token,
                  const int32_t *ids, int32_t *offsets, int32_t *order, int32_t *place) {
    struct ps_operation operation = ps_begin(stream);
    int32_t *next = (int32_t *)ps_scratch(stream, experts);
    for (int64_t e = 0; e <= experts; e++) offsets[e] = 0;
    for (int64_t i = 0; i < rows * per_token; i++) {
        assert(ids[i] >= 0 && ids[i] < experts);
        offsets[ids[i] + 1]++;
    }
    for (int64_t e = 0; e < experts; e++) {
        offsets[e + 1] += offsets[e];
        next[e] = offsets[e];
    }
    for (int64_t i = 0; i < rows * per_token; i++) {
        place[i] = next[ids[i]]++;
        order[place[i]] = (int32_t)i;
    }
    ps_end(stream, operation);
}

static void dispatch(struct ps_stream *stream, struct ps_matrix x, int64_t per_token,
                     const int32_t *order, struct ps_matrix sorted) {
    (void)stream;
    size_t size = ps_dtype_size(x.dtype);
    assert(sorted.rows == x.rows * per_token && sorted.columns == x.columns);
    assert(sorted.dtype == x.dtype);
    for (int64_t i = 0; i < sorted.rows; i++)
        memcpy((char *)sorted.data + (size_t)(i * sorted.stride) * size,
               (char *)x.data + (size_t)(order[i] / per_token * x.stride) * size,
               (size_t)x.columns * size);
}

static void dispatch_backward(struct ps_stream *stream, struct ps_matrix dsorted, int64_t per_token,
                              const int32_t *place, struct ps_matrix dx, bool accumulate) {
    struct ps_operation operation = ps_begin(stream);
    for (int64_t t = 0; t < dx.rows; t++) {
        for (int64_t c = 0; c < dx.columns; c++) {
            float sum = 0;
            for (int64_t r = t * per_token; r < (t + 1) * per_token; r++)
                sum = sum + ps_get(dsorted, place[r], c);
            ps_put(dx, t, c, accumulate ? ps_get(dx, t, c) + sum : sum);
        }
    }
    ps_end(stream, operation);
}

static void combine(struct ps_stream *stream, struct ps_matrix sorted, int64_t per_token,
                    const int32_t *place, const float *weights, struct ps_matrix y) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, sorted);
    for (int64_t t = 0; t < y.rows; t++) {
        for (int64_t c = 0; c < y.columns; c++) {
            float sum = 0;
            for (int64_t r = t * per_token; r < (t + 1) * per_token; r++)
                sum = sum + weights[r] * ps_get(sorted, place[r], c);
            ps_put(y, t, c, sum);
        }
    }
    ps_end(stream, operation);
}

static void combine_backward(struct ps_stream *stream, struct ps_matrix sorted, int64_t per_token,
                             const int32_t *place, const float *weights, struct ps_matrix dy,
                             struct ps_matrix dsorted, float *dweights) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, sorted);
    int64_t n = dy.columns;
    float *d = ps_scratch(stream, n), *x = ps_scratch(stream, n);
    for (int64_t t = 0; t < dy.rows; t++) {
        ps_get_row(d, dy, t);
        for (int64_t r = t * per_token; r < (t + 1) * per_token; r++) {
            ps_get_row(x, sorted, place[r]);
            dweights[r] = ps_row_sum_products(d, x, n);
            for (int64_t c = 0; c < n; c++) ps_put(dsorted, place[r], c, weights[r] * d[c]);
        }
    }
    ps_end(stream, operation);
}

const struct ps_expert_operations ps_reference_experts = {
    .route = route,
    .route_backward = route_backward,
    .load = load,
    .group = group,
    .dispatch = dispatch,
    .dispatch_backward = dispatch_backward,
    .combine = combine,
    .combine_backward = combine_backward,
};
