/* Operations on rows, experts and the optimizer of the cpu backend against the reference, bit by
 * bit: odd sizes, strided views, operations in place. */

#include "compute_unit.h"

static const struct ps_compute_limits limits = {
    .rows = 600,
    .columns = 700,
    .vocabulary = 64,
    .head_rows = 8,
    .heads = 2,
    .key_value_heads = 1,
    .head_size = 16,
    .positions = 128,
    .experts = 40,
    .training = true,
};

enum { REFERENCE, CPU };

static const enum ps_dtype types[] = {PS_DTYPE_F32, PS_DTYPE_BF16};
static struct unit_backend both[2];

static void same(struct ps_matrix pair[2], const char *what) {
    assert_same(pair[REFERENCE], pair[CPU], what, both[CPU].compute->kernels,
                both[CPU].compute->threads);
    ps_free(pair[REFERENCE].data);
    ps_free(pair[CPU].data);
}

static void make_pair(struct ps_matrix pair[2], enum ps_dtype type, int64_t rows, int64_t columns) {
    pair[REFERENCE] = unit_matrix(type, rows, columns);
    pair[CPU] = unit_copy(pair[REFERENCE]);
}

/* A contiguous vector of floats as a matrix of one row. */
static void make_vectors(struct ps_matrix pair[2], int64_t n) {
    make_pair(pair, PS_DTYPE_F32, 1, n);
}

static void norms(enum ps_dtype type, int64_t rows, int64_t groups, int64_t n) {
    const int64_t columns = groups * n;
    struct ps_matrix x[2], delta[2], sum[2], y[2], plain[2], dy[2], dx[2], inverse[2], dweight[2];
    struct ps_matrix none = {0}, residual[2];
    float *weight = unit_vector(n);
    make_pair(x, type, rows, columns);
    make_pair(delta, type, rows, columns);
    make_pair(sum, type, rows, columns);
    make_pair(y, type, rows, columns);
    make_pair(plain, type, rows, columns);
    make_pair(dy, type, rows, columns);
    make_pair(dx, type, rows, columns);
    make_pair(residual, type, rows, columns);
    make_vectors(inverse, rows * groups);
    make_vectors(dweight, n);
    for (int i = 0; i < 2; i++) {
        const struct ps_row_operations *o = &both[i].compute->rows;
        struct ps_stream *s = both[i].stream;
        o->rms_norm(s, x[i], delta[i], sum[i], weight, 1e-6f, groups, y[i], inverse[i].data);
        o->rms_norm(s, x[i], none, x[i], weight, 1e-5f, groups, plain[i], NULL);
        o->rms_norm_backward(s, sum[i], inverse[i].data, weight, groups, dy[i], none, dx[i],
                             dweight[i].data);
        o->rms_norm_backward(s, sum[i], inverse[i].data, weight, groups, dy[i], residual[i], dy[i],
                             dweight[i].data);
        o->rms_norm(s, x[i], delta[i], x[i], weight, 1e-6f, groups, x[i], NULL);
    }
    same(x, "norm in place");
    same(delta, "delta");
    same(sum, "norm: sum");
    same(y, "norm");
    same(plain, "norm without a sum");
    same(dx, "norm backward");
    same(dy, "norm backward in place");
    same(residual, "residual");
    same(inverse, "inverse");
    same(dweight, "gradient of a norm's weight");
    ps_free(weight);
}

static void gates(enum ps_dtype type, int64_t rows, int64_t n) {
    struct ps_matrix gate_up[2], y[2], dgate_up[2];
    make_pair(gate_up, type, rows, 2 * n);
    make_pair(y, type, rows, n);
    make_pair(dgate_up, type, rows, 2 * n);
    for (int64_t r = 0; r < rows; r++) { /* far out as well */
        float far = r % 2 ? 120 : -120;
        for (int i = 0; i < 2; i++)
            ps_tensor_from_f32((char *)gate_up[i].data +
                                   (size_t)(r * gate_up[i].stride) * ps_dtype_size(type),
                               type, &far, 1, NULL);
    }
    for (int i = 0; i < 2; i++) {
        both[i].compute->rows.swiglu(both[i].stream, gate_up[i], y[i]);
        both[i].compute->rows.swiglu_backward(both[i].stream, gate_up[i], y[i], dgate_up[i]);
    }
    same(gate_up, "gate and up");
    same(y, "swiglu");
    same(dgate_up, "swiglu backward");
}

static void turns(enum ps_dtype type, enum ps_rope_layout layout, int64_t rows, int64_t head_size,
                  int64_t first, int64_t rotary) {
    enum { HEADS = 3, POSITIONS = 50 };
    float *cosines = unit_vector(POSITIONS * rotary / 2),
          *sines = unit_vector(POSITIONS * rotary / 2);
    int32_t positions[64];
    struct ps_rope rope = {layout, HEADS, head_size, first, rotary, cosines, sines};
    struct ps_matrix x[2], back[2];
    for (int64_t i = 0; i < rows; i++) positions[i] = (int32_t)unit_below(POSITIONS);
    make_pair(x, type, rows, HEADS * head_size);
    make_pair(back, type, rows, HEADS * head_size);
    for (int i = 0; i < 2; i++) {
        both[i].compute->rows.rope(both[i].stream, &rope, positions, x[i], false);
        both[i].compute->rows.rope(both[i].stream, &rope, positions, back[i], true);
    }
    same(x, "rope");
    same(back, "rope backward");
    ps_free(cosines);
    ps_free(sines);
}

static void moves(enum ps_dtype type, int64_t rows, int64_t n) {
    enum { VOCABULARY = 37 };
    struct ps_matrix table = unit_matrix(type, VOCABULARY, n), out[2], gathered[2], scattered[2];
    struct ps_matrix sum[2], wide[2], narrow[2], in_place[2], dtable[2];
    int32_t tokens[600], order[600];
    for (int64_t i = 0; i < rows; i++) tokens[i] = (int32_t)unit_below(VOCABULARY);
    uint32_t permutation[600];
    ps_random_permutation(5, permutation, (uint32_t)rows);
    for (int64_t i = 0; i < rows; i++) order[i] = (int32_t)permutation[i];
    make_pair(out, type, rows, n);
    make_pair(gathered, type, rows, n);
    make_pair(scattered, type, rows, n);
    make_pair(sum, type, rows, n);
    make_pair(wide, PS_DTYPE_F32, rows, n);
    make_pair(narrow, PS_DTYPE_BF16, rows, n);
    make_pair(in_place, type, rows, n);
    make_vectors(dtable, VOCABULARY * n);
    for (int i = 0; i < 2; i++) {
        const struct ps_row_operations *o = &both[i].compute->rows;
        struct ps_stream *s = both[i].stream;
        o->embedding(s, table, tokens, out[i]);
        o->gather(s, out[i], order, gathered[i]);
        o->scatter(s, sum[i], order, scattered[i]);
        o->add(s, out[i], in_place[i], sum[i]);
        o->add(s, sum[i], in_place[i], in_place[i]);
        o->convert(s, wide[i], narrow[i]);
        o->convert(s, out[i], wide[i]);
        o->embedding_backward(s, tokens, in_place[i], dtable[i].data, VOCABULARY);
    }
    same(out, "embedding");
    same(gathered, "gather");
    same(scattered, "scatter");
    same(sum, "add");
    same(wide, "convert to F32");
    same(narrow, "convert to BF16");
    same(in_place, "add in place");
    same(dtable, "embedding backward");
    ps_free(table.data);
}

static void check_rows(struct unit_backend reference, struct unit_backend cpu) {
    both[REFERENCE] = reference;
    both[CPU] = cpu;
    for (int f = 0; f < 2; f++) {
        norms(types[f], 1 + unit_below(5), 1, 1 + unit_below(50));
        norms(types[f], 150, 3, 24);
        norms(types[f], 7, 2, 64);
        norms(types[f], 3, 1, 600);
        gates(types[f], 1 + unit_below(9), 1 + unit_below(70));
        gates(types[f], 5, 64);
        turns(types[f], PS_ROPE_HALVES, 9, 64, 0, 64);
        turns(types[f], PS_ROPE_HALVES, 5, 20, 3, 14);
        turns(types[f], PS_ROPE_INTERLEAVED, 6, 70, 6, 64);
        for (int64_t rotary = 2; rotary < 40; rotary += 6)
            turns(types[f], PS_ROPE_INTERLEAVED, 3, 41, 1, rotary);
        moves(types[f], 1, 1);
        moves(types[f], 40, 1 + unit_below(90));
        moves(types[f], 300, 32);
    }
}

static void rows(void **state) {
    (void)state;
    unit_every_family(&limits, check_rows);
}

static void routes(const struct ps_router *router, int64_t rows) {
    const int64_t n = router->experts, k = router->per_token;
    struct ps_matrix logits[2], scores[2], weights[2], dweights[2], dlogits[2], sums[2], counts[2];
    int32_t ids[2][4096], offsets[2][64], order[2][4096], place[2][4096];
    float *load = unit_vector(n);
    memset(ids, 0xFF, sizeof ids);
    make_pair(logits, PS_DTYPE_F32, rows, n);
    for (int i = 0; i < 2; i++) /* ties */
        for (int64_t e = 1; e < n; e += 3)
            ((float *)logits[i].data)[e] = ((float *)logits[i].data)[e - 1];
    make_pair(dlogits, PS_DTYPE_F32, rows, n);
    make_vectors(scores, rows * n);
    make_vectors(weights, rows * k);
    make_vectors(dweights, rows * k);
    make_vectors(sums, n);
    make_vectors(counts, n);
    for (int i = 0; i < 2; i++) {
        const struct ps_expert_operations *o = &both[i].compute->experts;
        struct ps_stream *s = both[i].stream;
        o->route(s, router, logits[i], scores[i].data, ids[i], weights[i].data);
        o->route_backward(s, router, scores[i].data, ids[i], weights[i].data, dweights[i].data,
                          rows % 2 ? load : NULL, dlogits[i]);
        o->load(s, rows, n, k, scores[i].data, ids[i], sums[i].data, counts[i].data);
        o->group(s, rows, n, k, ids[i], offsets[i], order[i], place[i]);
    }
    assert_memory_equal(ids[0], ids[1], (size_t)(rows * k) * 4);
    assert_memory_equal(offsets[0], offsets[1], (size_t)(n + 1) * 4);
    assert_memory_equal(order[0], order[1], (size_t)(rows * k) * 4);
    assert_memory_equal(place[0], place[1], (size_t)(rows * k) * 4);
    same(scores, "scores");
    same(weights, "weights");
    same(dlogits, "route backward");
    same(sums, "score sums");
    same(counts, "counts");
    same(logits, "logits");
    same(dweights, "dweights");
    ps_free(load);
}

static void travels(enum ps_dtype type, int64_t rows, int64_t k, int64_t n) {
    struct ps_matrix x[2], sorted[2], y[2], dsorted[2], dx[2], dy[2], weights[2], dweights[2];
    int32_t order[600], place[600];
    uint32_t permutation[600];
    ps_random_permutation(6, permutation, (uint32_t)(rows * k));
    for (int64_t i = 0; i < rows * k; i++) {
        order[i] = (int32_t)permutation[i];
        place[permutation[i]] = (int32_t)i;
    }
    make_pair(x, type, rows, n);
    make_pair(y, type, rows, n);
    make_pair(dx, type, rows, n);
    make_pair(dy, type, rows, n);
    make_pair(sorted, type, rows * k, n);
    make_pair(dsorted, type, rows * k, n);
    make_vectors(weights, rows * k);
    make_vectors(dweights, rows * k);
    for (int i = 0; i < 2; i++) {
        const struct ps_expert_operations *o = &both[i].compute->experts;
        struct ps_stream *s = both[i].stream;
        o->dispatch(s, x[i], k, order, sorted[i]);
        o->combine(s, sorted[i], k, place, weights[i].data, y[i]);
        o->combine_backward(s, sorted[i], k, place, weights[i].data, dy[i], dsorted[i],
                            dweights[i].data);
        o->dispatch_backward(s, dsorted[i], k, place, dx[i], false);
        o->dispatch_backward(s, dsorted[i], k, place, dx[i], true);
    }
    same(sorted, "dispatch");
    same(y, "combine");
    same(dsorted, "combine backward");
    same(dweights, "gradient of weights");
    same(dx, "dispatch backward");
    same(x, "x");
    same(dy, "dy");
    same(weights, "weights");
}

static void check_experts(struct unit_backend reference, struct unit_backend cpu) {
    both[REFERENCE] = reference;
    both[CPU] = cpu;
    float *bias = unit_vector(40);
    const struct ps_router routers[] = {
        {8, 2, PS_ROUTER_SOFTMAX, NULL, 1, 1, false, true, 0, 1},
        {8, 2, PS_ROUTER_SOFTMAX, NULL, 1, 1, false, false, 0, 1},
        {40, 6, PS_ROUTER_SIGMOID, bias, 8, 3, true, true, 1e-20f, 2.5f},
        {40, 6, PS_ROUTER_SIGMOID, bias, 4, 2, false, true, 1e-20f, 2.5f},
        {5, 5, PS_ROUTER_SOFTMAX, bias, 1, 1, false, false, 0, 1},
    };
    for (size_t i = 0; i < sizeof routers / sizeof *routers; i++) {
        routes(routers + i, 1);
        routes(routers + i, 100);
    }
    for (int f = 0; f < 2; f++) {
        travels(types[f], 1, 1, 1);
        travels(types[f], 37, 3, 1 + unit_below(60));
    }
    ps_free(bias);
}

static void experts(void **state) {
    (void)state;
    unit_every_family(&limits, check_experts);
}

static void check_optimizer(struct unit_backend reference, struct unit_backend cpu) {
    both[REFERENCE] = reference;
    both[CPU] = cpu;
    static const int64_t counts[] = {1, 17, 1000, 70001, 131072};
    for (int f = 0; f < 2; f++) {
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
            struct ps_matrix w[2], g[2], m[2], v[2];
            double sum[2];
            struct ps_adamw config = {1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.7f, 3, types[f]};
            make_vectors(w, counts[j]);
            make_vectors(g, counts[j]);
            make_pair(m, types[f], 1, counts[j]);
            make_pair(v, types[f], 1, counts[j]);
            for (int i = 0; i < 2; i++) {
                const struct ps_optimizer_operations *o = &both[i].compute->optimizer;
                memset(v[i].data, 0, (size_t)counts[j] * ps_dtype_size(types[f]));
                o->adamw(both[i].stream, &config, counts[j], w[i].data, g[i].data, m[i].data,
                         v[i].data);
                config.step++;
                o->adamw(both[i].stream, &config, counts[j], w[i].data, g[i].data, m[i].data,
                         v[i].data);
                config.step--;
                o->square_sum(both[i].stream, counts[j], g[i].data, &sum[i]);
            }
            same(w, "adamw: weights");
            same(m, "adamw: m");
            same(v, "adamw: v");
            same(g, "gradient");
            assert_memory_equal(&sum[0], &sum[1], sizeof *sum);
        }
    }
}

static void optimizer(void **state) {
    (void)state;
    unit_every_family(&limits, check_optimizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(experts),
        cmocka_unit_test(optimizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
