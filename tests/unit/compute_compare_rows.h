#pragma once
/* The second half of compute_compare_operations.h: rows, experts, head, sampling, optimizer, FP8,
 * and all of them together. */

static inline void compare_norm(struct compare *c) {
    enum ps_dtype type = compare_activation(c);
    int64_t rows = compare_size(c, 200), groups = 1 + compare_below(c, 4);
    int64_t n = compare_size(c, 200), columns = groups * n;
    bool add = compare_below(c, 2), residual = compare_below(c, 2), in_place = compare_below(c, 2);
    compare_begin(c, "rms_norm", "type %d, %lld rows, %lld groups of %lld", type, (long long)rows,
                  (long long)groups, (long long)n);
    struct compare_matrix x = compare_matrix(c, "x", type, rows, columns, COMPARE_RANDOM);
    struct compare_matrix delta = compare_matrix(c, "delta", type, rows, columns, COMPARE_RANDOM);
    struct compare_matrix sum = x, y = x;
    if (add) sum = compare_matrix(c, "sum", type, rows, columns, COMPARE_OUTPUT);
    if (!in_place) y = compare_matrix(c, "y", type, rows, columns, COMPARE_OUTPUT);
    struct compare_floats w = compare_floats(c, "weight", n, COMPARE_RANDOM);
    struct compare_floats inverse = compare_floats(c, "inverse", rows * groups, COMPARE_OUTPUT);
    struct ps_matrix none = {0};
    COMPARE_RUN(c, rows, rms_norm, x.side[s], add ? delta.side[s] : none, sum.side[s], w.side[s],
                1e-6f, groups, y.side[s], inverse.side[s]);
    struct compare_matrix dy = compare_matrix(c, "dy", type, rows, columns, COMPARE_RANDOM);
    struct compare_matrix dx = dy;
    if (!in_place) dx = compare_matrix(c, "dx", type, rows, columns, COMPARE_OUTPUT);
    struct compare_floats dw = compare_floats(c, "dweight", n, COMPARE_RANDOM);
    COMPARE_RUN(c, rows, rms_norm_backward, sum.side[s], inverse.side[s], w.side[s], groups,
                dy.side[s], residual ? delta.side[s] : none, dx.side[s], dw.side[s]);
    compare_end(c);
}

static inline void compare_rope(struct compare *c) {
    enum ps_dtype type = compare_activation(c);
    enum { POSITIONS = 50 };
    int64_t rows = compare_size(c, 60), heads = 1 + compare_below(c, 4);
    int64_t rotary = 2 * compare_size(c, 40), first = compare_below(c, 9);
    struct ps_rope rope = {
        .layout = compare_below(c, 2) ? PS_ROPE_HALVES : PS_ROPE_INTERLEAVED,
        .heads = heads,
        .head_size = first + rotary + compare_below(c, 9),
        .first = first,
        .rotary = rotary,
    };
    compare_begin(c, "rope", "type %d, layout %d, %lld rows, %lld heads, %lld + %lld", type,
                  rope.layout, (long long)rows, (long long)heads, (long long)first,
                  (long long)rotary);
    struct compare_matrix x =
        compare_matrix(c, "x", type, rows, heads * rope.head_size, COMPARE_RANDOM);
    struct compare_floats cosines =
        compare_floats(c, "cosines", POSITIONS * rotary / 2, COMPARE_RANDOM);
    struct compare_floats sines =
        compare_floats(c, "sines", POSITIONS * rotary / 2, COMPARE_RANDOM);
    struct compare_ints positions = compare_indices(c, "positions", rows, POSITIONS);
    bool backward = compare_below(c, 2);
    for (COMPARE_SIDES(s)) {
        rope.cosines = cosines.side[s];
        rope.sines = sines.side[s];
        c->compute[s]->rows.rope(c->stream[s], &rope, positions.side[s], x.side[s], backward);
    }
    compare_end(c);
}

static inline void compare_swiglu(struct compare *c) {
    enum ps_dtype type = compare_activation(c);
    int64_t rows = compare_size(c, 60), n = compare_size(c, 300);
    compare_begin(c, "swiglu", "type %d, %lld x %lld", type, (long long)rows, (long long)n);
    struct compare_matrix x = compare_matrix(c, "gate_up", type, rows, 2 * n, COMPARE_RANDOM);
    struct compare_matrix y = compare_matrix(c, "y", type, rows, n, COMPARE_OUTPUT);
    struct compare_matrix dy = compare_matrix(c, "dy", type, rows, n, COMPARE_RANDOM);
    struct compare_matrix dx = compare_matrix(c, "dgate_up", type, rows, 2 * n, COMPARE_OUTPUT);
    COMPARE_RUN(c, rows, swiglu, x.side[s], y.side[s]);
    COMPARE_RUN(c, rows, swiglu_backward, x.side[s], dy.side[s], dx.side[s]);
    compare_end(c);
}

static inline void compare_moves(struct compare *c) {
    enum ps_dtype type = compare_activation(c), other = compare_activation(c);
    int64_t rows = compare_size(c, 60), n = compare_size(c, 300), many = rows + compare_size(c, 40);
    compare_begin(c, "moves", "types %d %d, %lld of %lld x %lld", type, other, (long long)rows,
                  (long long)many, (long long)n);
    struct compare_matrix table = compare_matrix(c, "table", type, many, n, COMPARE_RANDOM);
    struct compare_matrix out = compare_matrix(c, "out", type, rows, n, COMPARE_OUTPUT);
    struct compare_matrix taken = compare_matrix(c, "taken", type, rows, n, COMPARE_OUTPUT);
    struct compare_matrix sum = compare_matrix(c, "sum", other, rows, n, COMPARE_OUTPUT);
    struct compare_matrix converted =
        compare_matrix(c, "converted", other, rows, n, COMPARE_OUTPUT);
    struct compare_matrix back = compare_matrix(c, "back", type, many, n, COMPARE_RANDOM);
    struct compare_ints tokens = compare_indices(c, "tokens", rows, many);
    struct compare_floats dtable = compare_floats(c, "dtable", many * n, COMPARE_RANDOM);
    int32_t *order = ps_malloc((size_t)many * sizeof *order);
    assert_non_null(order);
    ps_random_permutation((uint64_t)compare_below(c, 1000), (uint32_t *)order, (uint32_t)many);
    struct compare_ints to = compare_ints(c, "rows", rows, order);
    ps_free(order);
    COMPARE_RUN(c, rows, embedding, table.side[s], tokens.side[s], out.side[s]);
    COMPARE_RUN(c, rows, embedding_backward, tokens.side[s], out.side[s], dtable.side[s], many);
    COMPARE_RUN(c, rows, gather, table.side[s], to.side[s], taken.side[s]);
    COMPARE_RUN(c, rows, scatter, taken.side[s], to.side[s], back.side[s]);
    COMPARE_RUN(c, rows, convert, taken.side[s], converted.side[s]);
    COMPARE_RUN(c, rows, add, out.side[s], taken.side[s], sum.side[s]);
    COMPARE_RUN(c, rows, add, out.side[s], taken.side[s], out.side[s]);
    compare_end(c);
}

static inline void compare_experts(struct compare *c) {
    enum ps_dtype type = compare_activation(c);
    int64_t rows = compare_size(c, 150), groups = 1 + compare_below(c, 4);
    int64_t experts = groups * (2 + compare_below(c, 12)), n = compare_size(c, 200);
    int64_t kept = 1 + compare_below(c, groups);
    int64_t k = 1 + compare_below(c, kept * (experts / groups));
    struct ps_router router = {
        .experts = experts,
        .per_token = k,
        .score = compare_below(c, 2) ? PS_ROUTER_SOFTMAX : PS_ROUTER_SIGMOID,
        .groups = groups,
        .groups_kept = kept,
        .group_by_top2 = compare_below(c, 2),
        .normalise = compare_below(c, 2),
        .epsilon = 1e-20f,
        .scale = 2.5f,
    };
    bool biased = compare_below(c, 2), accumulate = compare_below(c, 2),
         loads = compare_below(c, 2);
    compare_begin(c, "experts",
                  "type %d, %lld rows of %lld, %lld of %lld experts, %lld of %lld "
                  "groups, score %d",
                  type, (long long)rows, (long long)n, (long long)k, (long long)experts,
                  (long long)kept, (long long)groups, router.score);
    struct compare_matrix logits =
        compare_matrix(c, "logits", PS_DTYPE_F32, rows, experts, COMPARE_RANDOM);
    struct compare_matrix dlogits =
        compare_matrix(c, "dlogits", PS_DTYPE_F32, rows, experts, COMPARE_OUTPUT);
    struct compare_floats scores = compare_floats(c, "scores", rows * experts, COMPARE_OUTPUT);
    struct compare_floats weights = compare_floats(c, "weights", rows * k, COMPARE_OUTPUT);
    struct compare_floats dweights = compare_floats(c, "dweights", rows * k, COMPARE_OUTPUT);
    struct compare_floats bias = compare_floats(c, "bias", experts, COMPARE_RANDOM);
    struct compare_floats load = compare_floats(c, "load", experts, COMPARE_RANDOM);
    struct compare_floats score_sums = compare_floats(c, "score_sums", experts, COMPARE_RANDOM);
    struct compare_floats counts = compare_floats(c, "counts", experts, COMPARE_RANDOM);
    struct compare_ints ids = compare_ints(c, "ids", rows * k, NULL);
    struct compare_ints offsets = compare_ints(c, "offsets", experts + 1, NULL);
    struct compare_ints order = compare_ints(c, "order", rows * k, NULL);
    struct compare_ints place = compare_ints(c, "place", rows * k, NULL);
    struct compare_matrix x = compare_matrix(c, "x", type, rows, n, COMPARE_RANDOM);
    struct compare_matrix dy = compare_matrix(c, "dy", type, rows, n, COMPARE_RANDOM);
    struct compare_matrix y = compare_matrix(c, "y", type, rows, n, COMPARE_OUTPUT);
    struct compare_matrix sorted = compare_matrix(c, "sorted", type, rows * k, n, COMPARE_OUTPUT);
    struct compare_matrix dsorted = compare_matrix(c, "dsorted", type, rows * k, n, COMPARE_OUTPUT);
    struct compare_matrix dx =
        compare_matrix(c, "dx", type, rows, n, accumulate ? COMPARE_RANDOM : COMPARE_OUTPUT);
    for (COMPARE_SIDES(s)) {
        const struct ps_expert_operations *e = &c->compute[s]->experts;
        struct ps_stream *stream = c->stream[s];
        router.bias = biased ? bias.side[s] : NULL;
        e->route(stream, &router, logits.side[s], scores.side[s], ids.side[s], weights.side[s]);
        e->load(stream, rows, experts, k, scores.side[s], ids.side[s], score_sums.side[s],
                counts.side[s]);
        e->group(stream, rows, experts, k, ids.side[s], offsets.side[s], order.side[s],
                 place.side[s]);
        e->dispatch(stream, x.side[s], k, order.side[s], sorted.side[s]);
        e->combine(stream, sorted.side[s], k, place.side[s], weights.side[s], y.side[s]);
        e->combine_backward(stream, sorted.side[s], k, place.side[s], weights.side[s], dy.side[s],
                            dsorted.side[s], dweights.side[s]);
        e->dispatch_backward(stream, dsorted.side[s], k, place.side[s], dx.side[s], accumulate);
        e->route_backward(stream, &router, scores.side[s], ids.side[s], weights.side[s],
                          dweights.side[s], loads ? load.side[s] : NULL, dlogits.side[s]);
    }
    compare_end(c);
}

static inline void compare_loss(struct compare *c) {
    enum ps_dtype type = compare_activation(c);
    int64_t rows = compare_below(c, 4) ? compare_size(c, 40) : 250 + compare_below(c, 100);
    int64_t n = compare_size(c, 60), vocabulary = 1 + compare_size(c, rows > 200 ? 300 : 2500);
    int64_t k = compare_below(c, 2) ? 1 + compare_below(c, vocabulary < 8 ? vocabulary : 8) : 0;
    bool gradients = compare_below(c, 4) != 0;
    struct ps_loss loss = {
        .cross_entropy = k && compare_below(c, 3) == 0 ? 0 : 0.7f,
        .divergence = k ? 0.3f : 0,
        .temperature = compare_below(c, 2) ? 1 : 2.5f,
        .scale = 0.01f,
        .k = k,
    };
    compare_begin(c, "loss", "type %d, %lld rows of %lld, vocabulary %lld, k %lld", type,
                  (long long)rows, (long long)n, (long long)vocabulary, (long long)k);
    struct compare_weight w =
        compare_weight(c, type == PS_DTYPE_F32 ? PS_WEIGHT_F32 : PS_WEIGHT_BF16, vocabulary, n);
    struct compare_matrix x = compare_matrix(c, "x", type, rows, n, COMPARE_RANDOM);
    struct compare_matrix dx = {0};
    struct compare_floats dw = {0}, losses = compare_floats(c, "losses", rows, COMPARE_OUTPUT);
    if (gradients) {
        dx = compare_matrix(c, "dx", type, rows, n, COMPARE_OUTPUT);
        dw = compare_floats(c, "dw", vocabulary * n, COMPARE_RANDOM);
    }
    struct compare_ints targets = compare_indices(c, "targets", rows, vocabulary);
    int32_t *ids = ps_malloc((size_t)(rows * k + 1) * sizeof *ids);
    assert_non_null(ids);
    for (int64_t i = 0; i < rows * k; i++) { /* no id twice in a row; some absent */
        int64_t start = i / k * 7;
        ids[i] = compare_below(c, 10) ? (int32_t)((start + i % k) % vocabulary) : -1;
    }
    struct compare_ints teacher = compare_ints(c, "teacher_ids", rows * k, ids);
    struct compare_floats log_p = compare_floats(c, "teacher", rows * k, COMPARE_RANDOM);
    ps_free(ids);
    for (COMPARE_SIDES(s)) {
        loss.targets = targets.side[s];
        loss.teacher_ids = teacher.side[s];
        loss.teacher_log_probabilities = log_p.side[s];
        c->compute[s]->head.loss(c->stream[s], w.side[s], x.side[s], &loss, losses.side[s],
                                 dx.side[s], dw.side[s]);
    }
    compare_end(c);
    compare_weight_release(c, w);
}

static inline void compare_sampling(struct compare *c) {
    int64_t rows = compare_size(c, 20), vocabulary = compare_size(c, 5000);
    int64_t valid = vocabulary - compare_below(c, vocabulary < 9 ? vocabulary : 9);
    int64_t k = 1 + compare_below(c, valid < 20 ? valid : 20);
    struct ps_sampler samplers[20];
    for (int64_t t = 0; t < rows; t++)
        samplers[t] = (struct ps_sampler){
            .temperature = compare_below(c, 4) ? 0.1f * (float)(1 + compare_below(c, 20)) : 0,
            .top_p = compare_below(c, 2) ? 1 : 0.05f * (float)compare_below(c, 20),
            .min_p = compare_below(c, 2) ? 0 : 0.01f * (float)compare_below(c, 20),
            .top_k = compare_below(c, 2) ? 0 : (int32_t)compare_below(c, 60),
            .key = (uint64_t)compare_below(c, 1000),
            .counter = (uint64_t)t,
        };
    compare_begin(c, "sampling", "%lld rows, %lld of %lld tokens", (long long)rows,
                  (long long)valid, (long long)vocabulary);
    struct compare_matrix logits =
        compare_matrix(c, "logits", PS_DTYPE_F32, rows, vocabulary, COMPARE_RANDOM);
    struct compare_ints tokens = compare_ints(c, "tokens", rows, NULL);
    struct compare_floats of_tokens = compare_floats(c, "log_p", rows, COMPARE_OUTPUT);
    struct compare_ints targets = compare_indices(c, "targets", rows, valid);
    struct compare_floats of_targets = compare_floats(c, "of_targets", rows, COMPARE_OUTPUT);
    struct compare_ints best = compare_ints(c, "ids", rows * k, NULL);
    struct compare_floats of_best = compare_floats(c, "top_k", rows * k, COMPARE_OUTPUT);
    COMPARE_RUN(c, sampling, sample, logits.side[s], valid, samplers, tokens.side[s],
                of_tokens.side[s]);
    COMPARE_RUN(c, sampling, log_probabilities, logits.side[s], valid, targets.side[s],
                of_targets.side[s]);
    COMPARE_RUN(c, sampling, top_k, logits.side[s], valid, k, best.side[s], of_best.side[s]);
    compare_end(c);
}

static inline void compare_optimizer(struct compare *c) {
    int64_t n = compare_below(c, 3) ? compare_size(c, 3000) : 65000 + compare_below(c, 2000);
    struct ps_adamw config = {
        .learning_rate = 1e-3f,
        .beta1 = 0.9f,
        .beta2 = 0.95f,
        .epsilon = 1e-8f,
        .weight_decay = 0.1f,
        .gradient_scale = 0.37f,
        .step = 1 + compare_below(c, 100),
        .moments = compare_activation(c),
    };
    compare_begin(c, "optimizer", "moments %d, %lld numbers", config.moments, (long long)n);
    struct compare_floats w = compare_floats(c, "master", n, COMPARE_RANDOM);
    struct compare_floats g = compare_floats(c, "gradient", n, COMPARE_RANDOM);
    struct compare_matrix m = compare_matrix(c, "m", config.moments, 1, n, COMPARE_RANDOM);
    struct compare_matrix v = compare_matrix(c, "v", config.moments, 1, n, COMPARE_RANDOM);
    struct compare_array *sum =
        compare_array(c, "sum", PS_DTYPE_I64, 1, 1, 1, COMPARE_OUTPUT, NULL);
    for (COMPARE_SIDES(s)) { /* v is a mean of squares */
        float *host = ps_malloc((size_t)n * sizeof *host);
        assert_non_null(host);
        for (int64_t i = 0; i < n; i++) host[i] = 0.001f * (float)(i % 1000);
        struct compare_array *squares =
            compare_array(c, "squares", PS_DTYPE_F32, 1, n, n, COMPARE_RANDOM, host);
        c->compute[s]->rows.convert(
            c->stream[s], ps_matrix(compare_at(squares, s), PS_DTYPE_F32, 1, n), v.side[s]);
        ps_free(host);
    }
    COMPARE_RUN(c, optimizer, adamw, &config, n, w.side[s], g.side[s], m.side[s].data,
                v.side[s].data);
    COMPARE_RUN(c, optimizer, square_sum, n, g.side[s], compare_at(sum, s));
    compare_end(c);
}

static inline void compare_quantise(struct compare *c) {
    enum ps_dtype type = compare_activation(c);
    int64_t rows = compare_size(c, 300), n = compare_size(c, 300);
    int64_t down = (rows + 127) / 128, across = (n + 127) / 128, zero[3] = {0};
    compare_begin(c, "quantise", "type %d, %lld x %lld", type, (long long)rows, (long long)n);
    struct compare_matrix x = compare_matrix(c, "x", type, rows, n, COMPARE_RANDOM);
    struct compare_array *bad =
        compare_array(c, "bad", PS_DTYPE_I64, 1, 3, 3, COMPARE_RANDOM, zero);
    struct compare_array *codes[4];
    for (int i = 0; i < 4; i++)
        codes[i] =
            compare_array(c, "codes", PS_DTYPE_U8, 1, rows * n, rows * n, COMPARE_OUTPUT, NULL);
    struct compare_floats a = compare_floats(c, "row scales", rows * across, COMPARE_OUTPUT);
    struct compare_floats b = compare_floats(c, "block scales", down * across, COMPARE_OUTPUT);
    struct compare_floats d = compare_floats(c, "row scales", rows * across, COMPARE_OUTPUT);
    struct compare_floats e = compare_floats(c, "column scales", n * down, COMPARE_OUTPUT);
    for (COMPARE_SIDES(s)) {
        const struct ps_quantise_operations *quantise = &c->compute[s]->quantise;
        int64_t *count = compare_at(bad, s);
        quantise->rows(c->stream[s], x.side[s], compare_at(codes[0], s), a.side[s], count);
        quantise->blocks(c->stream[s], x.side[s], compare_at(codes[1], s), b.side[s], count + 1);
        quantise->rows_and_columns(c->stream[s], x.side[s], compare_at(codes[2], s), d.side[s],
                                   compare_at(codes[3], s), e.side[s], count + 2);
    }
    compare_end(c);
}

/* Everything that a model in the given formats needs. */
static inline void compare_all(struct compare *c, int rounds, bool fp8) {
    for (int i = 0; i < rounds; i++) {
        for (enum ps_weight_format f = PS_WEIGHT_F32; f <= (fp8 ? PS_WEIGHT_FP8 : PS_WEIGHT_BF16);
             f++) {
            compare_linear(c, f);
            compare_update(c, f);
            compare_grouped(c, f);
        }
        compare_paged(c);
        compare_packed(c);
        compare_norm(c);
        compare_rope(c);
        compare_swiglu(c);
        compare_moves(c);
        compare_experts(c);
        compare_loss(c);
        compare_sampling(c);
        compare_optimizer(c);
        compare_quantise(c);
    }
}
