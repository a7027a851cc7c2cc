/* Routers of all families against golden values, and the way of rows to experts and back. */
#include "compute_reference.h"

#include "base/json.h"

enum { MOST = 64 };

/* What the families' parameters mean in terms of struct ps_router. */
static struct ps_router make_router(const json_t *test, float bias[MOST]) {
    const char *family = json_string_value(json_object_get(test, "router"));
    const json_t *params = json_object_get(test, "params");
    const json_t *biases = json_object_get(test, "bias");
    struct ps_router router = {
        .experts = (int64_t)json_array_size(json_object_get(test, "logits")),
        .per_token = json_integer_value(json_object_get(params, "top_k")),
        .normalise = json_is_true(json_object_get(params, "norm_topk_prob")),
        .scale = 1,
    };
    const json_t *scale = json_object_get(params, "routed_scaling_factor");
    if (scale) router.scale = (float)json_number_value(scale);
    router.groups = json_integer_value(json_object_get(params, "n_group"));
    router.groups_kept = json_integer_value(json_object_get(params, "topk_group"));
    if (strcmp(family, "mixtral") == 0 || strcmp(family, "gpt_oss") == 0) router.normalise = true;
    if (strcmp(family, "deepseek_v3") == 0) {
        router.score = PS_ROUTER_SIGMOID;
        router.group_by_top2 = true;
        router.epsilon = 1e-20f;
    }
    if (strcmp(family, "ernie4_5_moe") == 0) {
        router.normalise = true;
        router.epsilon = 1e-12f;
    }
    if (strcmp(family, "llama4") == 0) router.score = PS_ROUTER_SIGMOID;
    if (json_is_array(biases)) {
        for (size_t e = 0; e < json_array_size(biases); e++)
            bias[e] = (float)json_number_value(json_array_get(biases, e));
        router.bias = bias;
    }
    return router;
}

static void routers_of_all_families(void **state) {
    (void)state;
    struct ps_error error;
    const char *path = unit_shared("golden/routing.json");
    if (!path) skip();
    json_t *tests;
    assert_ok(ps_json_read_file(path, 1 << 24, &tests, &error));
    size_t count = json_array_size(tests);
    assert_true(count >= 60);
    for (size_t i = 0; i < count; i++) {
        const json_t *test = json_array_get(tests, i);
        const char *family = json_string_value(json_object_get(test, "router"));
        float bias[MOST], logits[MOST], scores[MOST], weights[MOST];
        int32_t ids[MOST];
        struct ps_router router = make_router(test, bias);
        assert_in_range(router.experts, 1, MOST);
        for (int64_t e = 0; e < router.experts; e++)
            logits[e] = (float)json_number_value(
                json_array_get(json_object_get(test, "logits"), (size_t)e));
        if (strcmp(family, "gpt_oss") == 0) { /* its bias is the linear layer's */
            for (int64_t e = 0; e < router.experts && router.bias; e++) logits[e] += bias[e];
            router.bias = NULL;
        }
        compute->experts.route(stream, &router, f32(logits, 1, router.experts), scores, ids,
                               weights);
        for (int64_t r = 0; r < router.per_token; r++) {
            const json_t *id = json_array_get(json_object_get(test, "indices"), (size_t)r);
            const json_t *weight = json_array_get(json_object_get(test, "weights"), (size_t)r);
            if (ids[r] != json_integer_value(id))
                fail_msg("case %zu (%s): rank %lld goes to expert %d, not %lld", i, family,
                         (long long)r, ids[r], (long long)json_integer_value(id));
            assert_near(family, r, weights[r], json_number_value(weight), 2e-6);
        }
    }
    json_decref(tests);
}

static void ties_go_to_the_lower_id(void **state) {
    (void)state;
    float logits[6] = {1, 2, 2, 1, 2, 1}, weights[4];
    int32_t ids[4];
    const int32_t want[4] = {1, 2, 4, 0}, of_groups[4] = {1, 2, 0, 3};
    struct ps_router router = {.experts = 6, .per_token = 4, .scale = 1};
    compute->experts.route(stream, &router, f32(logits, 1, 6), NULL, ids, weights);
    assert_memory_equal(ids, want, sizeof want);
    router.groups = 3; /* {1, 2} {2, 1} {2, 1}: all are as good */
    router.groups_kept = 2;
    compute->experts.route(stream, &router, f32(logits, 1, 6), NULL, ids, weights);
    assert_memory_equal(ids, of_groups, sizeof of_groups);
}

static void rows_are_sorted_by_expert(void **state) {
    (void)state;
    const int32_t ids[8] = {2, 0, 3, 2, 0, 3, 2, 3};
    int32_t offsets[6], order[8], place[8];
    float sums[5] = {1}, counts[5] = {0, 1}, scores[20];
    compute->experts.group(stream, 4, 5, 2, ids, offsets, order, place);
    const int32_t want_offsets[6] = {0, 2, 2, 5, 8, 8}, want_order[8] = {1, 4, 0, 3, 6, 2, 5, 7};
    assert_memory_equal(offsets, want_offsets, sizeof offsets);
    assert_memory_equal(order, want_order, sizeof order);
    for (int i = 0; i < 8; i++) assert_int_equal(order[place[i]], i);

    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, sorted[16], y[8];
    float weights[8] = {1, 10, 2, 20, 3, 30, 4, 40};
    compute->experts.dispatch(stream, f32(x, 4, 2), 2, order, f32(sorted, 8, 2));
    for (int i = 0; i < 8; i++) assert_memory_equal(sorted + 2 * i, x + order[i] / 2 * 2, 8);
    compute->experts.combine(stream, f32(sorted, 8, 2), 2, place, weights, f32(y, 4, 2));
    for (int i = 0; i < 8; i++) assert_true(y[i] == x[i] * (float)(11 * (i / 2 + 1)));

    for (int i = 0; i < 20; i++) scores[i] = (float)(i % 5);
    compute->experts.load(stream, 4, 5, 2, scores, ids, sums, counts);
    const float want_sums[5] = {1, 4, 8, 12, 16}, want_counts[5] = {2, 1, 3, 3, 0};
    assert_memory_equal(sums, want_sums, sizeof sums);
    assert_memory_equal(counts, want_counts, sizeof counts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routers_of_all_families),
        cmocka_unit_test(ties_go_to_the_lower_id),
        cmocka_unit_test(rows_are_sorted_by_expert),
    };
    return cmocka_run_group_tests(tests, reference_open, reference_close);
}
