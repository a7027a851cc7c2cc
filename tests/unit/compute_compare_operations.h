#pragma once
/* A comparison of two backends for every operation of compute.h, at random shapes. */

#include "compute_compare.h"

static inline enum ps_dtype compare_activation(struct compare *c) {
    return compare_below(c, 2) ? PS_DTYPE_BF16 : PS_DTYPE_F32;
}

/* Calls table.operation on both sides; the stream is put before the arguments, in which `s` is the
 * side. */
#define COMPARE_RUN(c, table, operation, ...)                                                      \
    for (COMPARE_SIDES(s)) (c)->compute[s]->table.operation((c)->stream[s], __VA_ARGS__)

/* ---- linear ---- */

struct compare_weight {
    struct ps_weight *side[2];
};

/* A weight with random values, loaded in one to three pieces, as some checkpoint has them. */
static inline struct compare_weight compare_weight(struct compare *c, enum ps_weight_format format,
                                                   int64_t outputs, int64_t inputs) {
    struct ps_error error;
    struct compare_weight weight;
    struct ps_weight_description description = {outputs, inputs, format,
                                                PS_USE_FORWARD | PS_USE_INPUT_GRADIENT};
    bool codes = format == PS_WEIGHT_FP8 && compare_below(c, 2), odd = compare_below(c, 2);
    int64_t across = (inputs + 127) / 128, count = (outputs + 127) / 128 * across;
    enum ps_dtype dtype = codes ? PS_DTYPE_F8_E4M3 : compare_activation(c);
    size_t element = ps_dtype_size(dtype);
    char *values = ps_malloc((size_t)(outputs * inputs) * element);
    float *scales = ps_malloc((size_t)count * sizeof *scales);
    assert_true(values && scales);
    for (int64_t i = 0; i < outputs * inputs; i++) {
        if (codes) {
            int64_t code = compare_below(c, 254);
            values[i] = (char)(code + (code >= 127)); /* 127 and 255 are NaN */
        } else {
            compare_put(values, dtype, i, compare_number(c));
        }
    }
    for (int64_t i = 0; i < count; i++)
        scales[i] = odd ? 0.01f * (float)(1 + compare_below(c, 9)) : i % 2 ? 0.25f : 0x1p-7f;
    for (COMPARE_SIDES(s)) {
        const struct ps_linear_operations *linear = &c->compute[s]->linear;
        assert_ok(linear->create(c->compute[s], &description, weight.side + s, &error));
        struct ps_matrix all = ps_matrix(values, dtype, outputs, inputs);
        int64_t cut = outputs > 128 ? 128 : outputs;
        linear->load(c->stream[s], weight.side[s], 0, ps_matrix_rows(all, 0, cut), scales);
        if (outputs > cut)
            linear->load(c->stream[s], weight.side[s], cut, ps_matrix_rows(all, cut, outputs - cut),
                         scales + across);
        assert_ok(c->compute[s]->memory.synchronize(c->stream[s], &error));
    }
    ps_free(values);
    ps_free(scales);
    return weight;
}

static inline void compare_weight_release(struct compare *c, struct compare_weight weight) {
    for (COMPARE_SIDES(s)) c->compute[s]->linear.release(weight.side[s]);
}

static inline void compare_linear(struct compare *c, enum ps_weight_format format) {
    int64_t rows = compare_size(c, 70), inputs = compare_size(c, 400);
    int64_t outputs = compare_size(c, 300);
    bool accumulate = compare_below(c, 2), bias = compare_below(c, 2);
    enum ps_dtype type = format == PS_WEIGHT_F32 ? PS_DTYPE_F32 : PS_DTYPE_BF16;
    compare_begin(c, "linear", "format %d, %lld rows, %lld -> %lld", format, (long long)rows,
                  (long long)inputs, (long long)outputs);
    struct compare_weight w = compare_weight(c, format, outputs, inputs);
    struct compare_matrix x = compare_matrix(c, "x", type, rows, inputs, COMPARE_RANDOM);
    struct compare_matrix y = compare_matrix(c, "y", compare_below(c, 2) ? PS_DTYPE_F32 : type,
                                             rows, outputs, COMPARE_OUTPUT);
    struct compare_matrix dy = compare_matrix(c, "dy", type, rows, outputs, COMPARE_RANDOM);
    struct compare_matrix dx =
        compare_matrix(c, "dx", type, rows, inputs, accumulate ? COMPARE_RANDOM : COMPARE_OUTPUT);
    struct compare_floats b = compare_floats(c, "bias", outputs, COMPARE_RANDOM);
    COMPARE_RUN(c, linear, forward, w.side[s], x.side[s], bias ? b.side[s] : NULL, y.side[s]);
    COMPARE_RUN(c, linear, input_gradient, w.side[s], dy.side[s], dx.side[s], accumulate);
    compare_end(c);
    compare_weight_release(c, w);

    rows = compare_below(c, 4) ? rows : 1000 + compare_below(c, 1100);
    inputs = compare_size(c, 100);
    outputs = compare_size(c, 100);
    compare_begin(c, "weight_gradient", "format %d, %lld rows, %lld x %lld", format,
                  (long long)rows, (long long)outputs, (long long)inputs);
    x = compare_matrix(c, "x", type, rows, inputs, COMPARE_RANDOM);
    dy = compare_matrix(c, "dy", type, rows, outputs, COMPARE_RANDOM);
    struct compare_floats dw = compare_floats(c, "dw", outputs * inputs, COMPARE_RANDOM);
    struct compare_floats db = compare_floats(c, "db", outputs, COMPARE_RANDOM);
    COMPARE_RUN(c, linear, weight_gradient, format, dy.side[s], x.side[s], dw.side[s], db.side[s]);
    compare_end(c);
}

static inline void compare_update(struct compare *c, enum ps_weight_format format) {
    struct ps_error error;
    int64_t rows = compare_size(c, 9), inputs = compare_size(c, 300), outputs = compare_size(c, 99);
    enum ps_dtype type = format == PS_WEIGHT_F32 ? PS_DTYPE_F32 : PS_DTYPE_BF16;
    compare_begin(c, "update", "format %d, %lld x %lld", format, (long long)outputs,
                  (long long)inputs);
    struct ps_weight_description description = {outputs, inputs, format, PS_USE_FORWARD};
    struct compare_floats master = compare_floats(c, "master", outputs * inputs, COMPARE_RANDOM);
    struct compare_matrix x = compare_matrix(c, "x", type, rows, inputs, COMPARE_RANDOM);
    struct compare_matrix y = compare_matrix(c, "y", type, rows, outputs, COMPARE_OUTPUT);
    for (COMPARE_SIDES(s)) {
        const struct ps_linear_operations *linear = &c->compute[s]->linear;
        struct ps_weight *weight;
        assert_ok(linear->create(c->compute[s], &description, &weight, &error));
        linear->update(c->stream[s], weight, master.side[s]);
        linear->evict(c->stream[s], weight);
        linear->update(c->stream[s], weight, master.side[s]);
        linear->forward(c->stream[s], weight, x.side[s], NULL, y.side[s]);
        assert_ok(c->compute[s]->memory.synchronize(c->stream[s], &error));
        linear->release(weight);
    }
    compare_end(c);
}

static inline void compare_grouped(struct compare *c, enum ps_weight_format format) {
    enum { EXPERTS = 5 };
    int64_t inputs = compare_size(c, 150), outputs = compare_size(c, 150), rows = 0;
    enum ps_dtype type = format == PS_WEIGHT_F32 ? PS_DTYPE_F32 : PS_DTYPE_BF16;
    int32_t starts[EXPERTS + 1] = {0};
    for (int e = 0; e < EXPERTS; e++) {
        if (compare_below(c, 3)) rows += compare_size(c, 40);
        starts[e + 1] = (int32_t)rows;
    }
    if (rows == 0) rows = starts[EXPERTS] = 1;
    compare_begin(c, "grouped", "format %d, %lld rows, %lld -> %lld", format, (long long)rows,
                  (long long)inputs, (long long)outputs);
    struct compare_weight w[EXPERTS];
    struct ps_weight *weights[2][EXPERTS];
    float *dw[2][EXPERTS];
    for (int e = 0; e < EXPERTS; e++) {
        w[e] = compare_weight(c, format, outputs, inputs);
        struct compare_floats d = compare_floats(c, "dw", outputs * inputs, COMPARE_RANDOM);
        for (COMPARE_SIDES(s)) weights[s][e] = w[e].side[s], dw[s][e] = d.side[s];
    }
    struct compare_ints offsets = compare_ints(c, "offsets", EXPERTS + 1, starts);
    struct compare_matrix x = compare_matrix(c, "x", type, rows, inputs, COMPARE_RANDOM);
    struct compare_matrix y = compare_matrix(c, "y", type, rows, outputs, COMPARE_OUTPUT);
    struct compare_matrix dy = compare_matrix(c, "dy", type, rows, outputs, COMPARE_RANDOM);
    struct compare_matrix dx = compare_matrix(c, "dx", type, rows, inputs, COMPARE_OUTPUT);
    COMPARE_RUN(c, linear, grouped_forward, weights[s], EXPERTS, offsets.side[s], x.side[s],
                y.side[s]);
    COMPARE_RUN(c, linear, grouped_input_gradient, weights[s], EXPERTS, offsets.side[s], dy.side[s],
                dx.side[s]);
    COMPARE_RUN(c, linear, grouped_weight_gradient, format, EXPERTS, offsets.side[s], dy.side[s],
                x.side[s], dw[s]);
    compare_end(c);
    for (int e = 0; e < EXPERTS; e++) compare_weight_release(c, w[e]);
}

/* ---- attention ---- */

static inline struct ps_attention_shape compare_attention_shape(struct compare *c,
                                                                enum ps_dtype type, bool mla) {
    int64_t groups = mla ? 1 : 1 + compare_below(c, 3), key_size = 8 * (1 + compare_below(c, 12));
    return (struct ps_attention_shape){
        .heads = groups * (1 + compare_below(c, 3)),
        .key_value_heads = groups,
        .key_size = key_size,
        .value_size =
            mla ? 8 * (1 + compare_below(c, key_size / 8)) : 4 * (1 + compare_below(c, 20)),
        .scale = 0.3f,
        .window = compare_below(c, 3) ? 0 : 1 + compare_below(c, 300),
        .value_in_key = mla,
        .cache = type == PS_DTYPE_BF16 && compare_below(c, 2) ? PS_DTYPE_F8_E4M3 : type,
    };
}

/* Pages are opaque, so they are compared by what the attention makes of them. Sequences first get
 * a prompt, then a second chunk. */
static inline void compare_paged(struct compare *c) {
    enum { SEQUENCES = 3, PAGES = 4 };
    enum ps_dtype type = compare_activation(c);
    struct ps_attention_shape shape = compare_attention_shape(c, type, compare_below(c, 2));
    int32_t positions[SEQUENCES] = {0}, pages[SEQUENCES * PAGES];
    ps_random_permutation(compare_below(c, 1000), (uint32_t *)pages, SEQUENCES * PAGES);
    compare_begin(c, "paged",
                  "type %d, cache %d, %lld heads, %lld groups, key %lld, value %lld, "
                  "window %lld",
                  type, shape.cache, (long long)shape.heads, (long long)shape.key_value_heads,
                  (long long)shape.key_size, (long long)shape.value_size, (long long)shape.window);
    void *cache[2];
    for (COMPARE_SIDES(s)) {
        size_t size = c->compute[s]->attention.page_bytes(c->compute[s], &shape);
        cache[s] = c->compute[s]->memory.allocate(c->compute[s], SEQUENCES * PAGES * size);
        assert_non_null(cache[s]);
        c->compute[s]->memory.zero(c->stream[s], cache[s], SEQUENCES * PAGES * size);
    }
    for (int round = 0; round < 3; round++) {
        int32_t first_row[SEQUENCES + 1] = {0};
        for (int i = 0; i < SEQUENCES; i++)
            first_row[i + 1] = first_row[i] + (int32_t)(round == 2 ? 1 : compare_size(c, 200));
        int64_t rows = first_row[SEQUENCES];
        struct compare_ints r = compare_ints(c, "first_row", SEQUENCES + 1, first_row);
        struct compare_ints p = compare_ints(c, "first_position", SEQUENCES, positions);
        struct compare_ints g = compare_ints(c, "pages", SEQUENCES * PAGES, pages);
        struct compare_matrix q =
            compare_matrix(c, "q", type, rows, shape.heads * shape.key_size, COMPARE_RANDOM);
        struct compare_matrix k = compare_matrix(
            c, "k", type, rows, shape.key_value_heads * shape.key_size, COMPARE_RANDOM);
        struct compare_matrix v = compare_matrix(
            c, "v", type, rows, shape.key_value_heads * shape.value_size, COMPARE_RANDOM);
        struct compare_matrix out =
            compare_matrix(c, "out", type, rows, shape.heads * shape.value_size, COMPARE_OUTPUT);
        for (COMPARE_SIDES(s)) {
            struct ps_paged_batch batch = {SEQUENCES, PAGES, r.side[s], p.side[s], g.side[s]};
            const struct ps_attention_operations *attention = &c->compute[s]->attention;
            attention->append(c->stream[s], &shape, &batch, k.side[s], v.side[s], cache[s]);
            attention->paged(c->stream[s], &shape, &batch, q.side[s], cache[s], out.side[s]);
        }
        compare_end(c);
        for (int i = 0; i < SEQUENCES; i++) positions[i] += first_row[i + 1] - first_row[i];
    }
    for (COMPARE_SIDES(s)) c->compute[s]->memory.release(c->compute[s], cache[s]);
}

static inline void compare_packed(struct compare *c) {
    enum { SEQUENCES = 3 };
    enum ps_dtype type = compare_activation(c);
    struct ps_attention_shape shape = compare_attention_shape(c, type, false);
    int32_t starts[SEQUENCES + 1] = {0};
    for (int i = 0; i < SEQUENCES; i++)
        starts[i + 1] = starts[i] + (int32_t)compare_size(c, i ? 40 : 150);
    int64_t rows = starts[SEQUENCES];
    compare_begin(c, "packed",
                  "type %d, %lld heads, %lld groups, key %lld, value %lld, window %lld, "
                  "%d %d %d rows",
                  type, (long long)shape.heads, (long long)shape.key_value_heads,
                  (long long)shape.key_size, (long long)shape.value_size, (long long)shape.window,
                  starts[1], starts[2] - starts[1], starts[3] - starts[2]);
    int64_t queries = shape.heads * shape.key_size, keys = shape.key_value_heads * shape.key_size;
    int64_t values = shape.key_value_heads * shape.value_size,
            outs = shape.heads * shape.value_size;
    struct compare_ints begin = compare_ints(c, "starts", SEQUENCES + 1, starts);
    struct compare_matrix q = compare_matrix(c, "q", type, rows, queries, COMPARE_RANDOM);
    struct compare_matrix k = compare_matrix(c, "k", type, rows, keys, COMPARE_RANDOM);
    struct compare_matrix v = compare_matrix(c, "v", type, rows, values, COMPARE_RANDOM);
    struct compare_matrix dout = compare_matrix(c, "dout", type, rows, outs, COMPARE_RANDOM);
    struct compare_matrix out = compare_matrix(c, "out", type, rows, outs, COMPARE_OUTPUT);
    struct compare_matrix dq = compare_matrix(c, "dq", type, rows, queries, COMPARE_OUTPUT);
    struct compare_matrix dk = compare_matrix(c, "dk", type, rows, keys, COMPARE_OUTPUT);
    struct compare_matrix dv = compare_matrix(c, "dv", type, rows, values, COMPARE_OUTPUT);
    struct compare_floats log_sum =
        compare_floats(c, "log_sum", rows * shape.heads, COMPARE_OUTPUT);
    COMPARE_RUN(c, attention, packed_forward, &shape, SEQUENCES, begin.side[s], q.side[s],
                k.side[s], v.side[s], out.side[s], log_sum.side[s]);
    COMPARE_RUN(c, attention, packed_backward, &shape, SEQUENCES, begin.side[s], q.side[s],
                k.side[s], v.side[s], out.side[s], log_sum.side[s], dout.side[s], dq.side[s],
                dk.side[s], dv.side[s]);
    compare_end(c);
}

#include "compute_compare_rows.h"
