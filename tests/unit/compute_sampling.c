/* Sampling: which tokens may be drawn, how often they are, and their log-probabilities. */
#include "compute_reference.h"

#include "compute/numerics_internal.h"

/* Logits of given probabilities, at ids that are out of order. */
enum { TOKENS = 6, VALID = 5 };
static const float probabilities[VALID] = {0.1f, 0.4f, 0.05f, 0.2f, 0.25f};

static void make_logits(float *logits) {
    for (int i = 0; i < VALID; i++) logits[i] = logf(probabilities[i]) + 3;
    logits[VALID] = 100; /* padding of the matrix: never chosen */
}

/* counts [TOKENS] of `draws` draws with the sampler */
static void draw(struct ps_sampler sampler, int draws, int counts[TOKENS]) {
    float logits[TOKENS], log_probability;
    make_logits(logits);
    memset(counts, 0, TOKENS * sizeof *counts);
    for (int i = 0; i < draws; i++) {
        int32_t token;
        sampler.counter = (uint64_t)i;
        compute->sampling.sample(stream, f32(logits, 1, TOKENS), VALID, &sampler, &token,
                                 &log_probability);
        assert_in_range(token, 0, VALID - 1);
        assert_near("log_probability", token, log_probability, log((double)probabilities[token]),
                    1e-6); /* of the raw logits, whatever the sampler */
        counts[token]++;
    }
}

/* Exactly these ids, as a mask of bits, are drawn. */
static void assert_drawn(struct ps_sampler sampler, unsigned expected) {
    int counts[TOKENS];
    draw(sampler, 400, counts);
    unsigned drawn = 0;
    for (int i = 0; i < TOKENS; i++)
        if (counts[i]) drawn |= 1u << i;
    assert_int_equal(drawn, expected);
}

static void truncation(void **state) {
    (void)state;
    const struct ps_sampler all = {.temperature = 1, .top_p = 1, .key = 5};
    struct ps_sampler s = all;
    assert_drawn(all, 31);
    s.top_k = 2;
    assert_drawn(s, 1 << 1 | 1 << 4);
    s.top_k = 99;
    assert_drawn(s, 31);
    s = all, s.top_p = 0.3f; /* the first candidate is always kept */
    assert_drawn(s, 1 << 1);
    s = all, s.top_p = 0;
    assert_drawn(s, 1 << 1);
    s = all, s.top_p = 0.41f;
    assert_drawn(s, 1 << 1 | 1 << 4);
    s = all, s.top_p = 0.86f;
    assert_drawn(s, 1 << 1 | 1 << 4 | 1 << 3 | 1 << 0);
    s = all, s.min_p = 0.45f; /* of 0.4: 0.18 */
    assert_drawn(s, 1 << 1 | 1 << 4 | 1 << 3);
    s = all, s.min_p = 1;
    assert_drawn(s, 1 << 1);
    s = all, s.top_k = 3, s.top_p = 0.75f; /* 0.4 + 0.25 of 0.85 is 0.765 */
    assert_drawn(s, 1 << 1 | 1 << 4);
    s.temperature = 1e-3f;
    assert_drawn(s, 1 << 1);
}

/* Pearson's statistic stays below the 99.9 % quantile of chi-square with 4 degrees of freedom. */
static void frequencies(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        const float temperatures[] = {1, 0.5f, 2};
        struct ps_sampler s = {.temperature = temperatures[round], .top_p = 1, .key = 77};
        enum { DRAWS = 20000 };
        int counts[TOKENS];
        double weight[VALID], total = 0, statistic = 0;
        draw(s, DRAWS, counts);
        for (int i = 0; i < VALID; i++)
            total += weight[i] = pow(probabilities[i], 1 / (double)s.temperature);
        for (int i = 0; i < VALID; i++) {
            double expected = DRAWS * weight[i] / total;
            statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
        }
        if (statistic > 18.47) fail_msg("temperature %g: statistic %g", s.temperature, statistic);
    }
}

static void greedy_takes_the_lower_id(void **state) {
    (void)state;
    float logits[12] = {1, 5, 2, 5, 5, 9, -3, -8, -3, -9, -3, 0};
    struct ps_sampler samplers[2] = {{.top_p = 1}, {.top_p = 1}};
    int32_t tokens[2], ids[8];
    float log_p[2], best[8];
    compute->sampling.sample(stream, f32(logits, 2, 6), 5, samplers, tokens, log_p);
    assert_int_equal(tokens[0], 1);
    assert_int_equal(tokens[1], 0);
    compute->sampling.top_k(stream, f32(logits, 2, 6), 5, 4, ids, best);
    const int32_t want[8] = {1, 3, 4, 2, 0, 2, 4, 1};
    assert_memory_equal(ids, want, sizeof want);
    assert_true(best[0] == log_p[0] && best[1] == best[2] && best[3] < best[2]);
}

static void log_probabilities(void **state) {
    (void)state;
    enum { V = 2500 };
    static float logits[V];
    double sum = 0, max = -1e9;
    fill(logits, V, 3);
    for (int i = 0; i < V; i++) logits[i] *= 5, max = fmax(max, logits[i]);
    for (int i = 0; i < V; i++) sum += exp(logits[i] - max);
    for (int32_t i = 0; i < V; i += 100) {
        float got;
        compute->sampling.log_probabilities(stream, f32(logits, 1, V), V, &i, &got);
        assert_near("log_probabilities", i, got, logits[i] - max - log(sum), 1e-6);
    }
}

static void logits_that_are_not_finite_are_reported(void **state) {
    (void)state;
    struct ps_error error;
    float logits[3] = {0, NAN, 1}, log_p;
    struct ps_sampler sampler = {.temperature = 1, .top_p = 1};
    int32_t token;
    compute->sampling.sample(stream, f32(logits, 1, 3), 3, &sampler, &token, &log_p);
    assert_in_range(token, 0, 2);
    assert_fails(compute->memory.synchronize(stream, &error), PS_NUMERIC, "logits");
    assert_ok(compute->memory.synchronize(stream, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncation),
        cmocka_unit_test(frequencies),
        cmocka_unit_test(greedy_takes_the_lower_id),
        cmocka_unit_test(log_probabilities),
        cmocka_unit_test(logits_that_are_not_finite_are_reported),
    };
    return cmocka_run_group_tests(tests, reference_open, reference_close);
}
