/* The local engine: a reply's bits depend on its request alone. */
#include "generate_fixture.h"

#include "base/stop.h"

static void submit(struct ps_generator *generator, struct reply *replies,
                   const struct reply *begun) {
    for (int p = 0; p < PROMPTS; p++) {
        struct ps_generate_request requests[SAMPLES];
        size_t count = 0;
        for (int s = 0; s < SAMPLES; s++) {
            int i = p * SAMPLES + s;
            const struct reply *start = begun ? &begun[i] : NULL;
            if (start && start->finish) {
                replies[i] = *start;
                continue;
            }
            requests[count++] = (struct ps_generate_request){
                .sampling = {.temperature = s == 0 ? 0 : 1,
                             .top_p = s == 1 ? 0.9f : 1,
                             .top_k = s == 2 ? 20 : 0},
                .key = 77 + (uint64_t)i,
                .max_tokens = MAX_TOKENS,
                .tokens = start ? start->tokens : NULL,
                .log_probabilities = start ? start->log_probabilities : NULL,
                .count = start ? start->count : 0,
                .user = &replies[i]};
        }
        assert_ok(
            ps_generator_submit(generator, prompts[p], prompt_counts[p], requests, count, &error));
    }
}

static struct reply expected[REPLIES];

static int set_up(void **state) {
    (void)state;
    fill_prompts();
    run_replies(submit, expected, NULL, 1, 1, 0);
    return 0;
}

static void replies_end_as_they_should(void **state) {
    (void)state;
    int stopped = 0, distinct = 0;
    for (int i = 0; i < REPLIES; i++) {
        const struct reply *reply = &expected[i];
        int32_t last = reply->tokens[reply->count - 1];
        for (int64_t t = 0; t + 1 < reply->count; t++)
            assert_true(reply->tokens[t] != 2 && reply->tokens[t] != 3);
        if (reply->finish == PS_GENERATE_STOP)
            assert_true(last == 2 || last == 3);
        else
            assert_int_equal(reply->count, MAX_TOKENS);
        stopped += reply->finish == PS_GENERATE_STOP;
        distinct += i > 0 && memcmp(reply->tokens, expected[i - 1].tokens, 8) != 0;
        for (int64_t t = 0; t < reply->count; t++) assert_true(reply->log_probabilities[t] <= 0);
    }
    assert_in_range(stopped, 1, REPLIES);
    assert_in_range(distinct, REPLIES / 2, REPLIES);
}

static void batch_does_not_matter(void **state) {
    (void)state;
    static struct reply replies[REPLIES];
    run_replies(submit, replies, NULL, 5, 23, 0);
    assert_same(replies, expected);
    run_replies(submit, replies, NULL, REPLIES, 1000, 0);
    assert_same(replies, expected);
}

static void short_cache_does_not_matter(void **state) {
    (void)state;
    static struct reply replies[REPLIES];
    /* Pages of the golden model: 3 layers, 2 heads of 8, key and value, 128 positions, float. */
    int64_t page = 3 * 2 * 8 * 2 * PS_PAGE_POSITIONS * 4;
    int64_t preempted = 0;
    for (int pages = 4; pages < 12; pages++) {
        preempted += run_replies(submit, replies, NULL, 8, 64, pages * page).preempted;
        assert_same(replies, expected);
    }
    assert_true(preempted > 0);
}

static void interrupted_goes_on(void **state) {
    (void)state;
    static struct reply begun[REPLIES], replies[REPLIES];
    for (int steps = 1; steps < 200; steps = steps * 3 + 5) {
        begin_replies(submit, begun, steps);
        run_replies(submit, replies, begun, 4, 30, 0);
        assert_same(replies, expected);
    }
}

/* Asks to stop after so many layers (each calls swiglu once). */
static int layers_until_stop;
static void (*own_swiglu)(struct ps_stream *, struct ps_matrix, struct ps_matrix);

static void swiglu_then_stop(struct ps_stream *stream, struct ps_matrix in, struct ps_matrix out) {
    own_swiglu(stream, in, out);
    if (layers_until_stop > 0 && --layers_until_stop == 0) ps_stop_request(true);
}

/* A pass that is stopped between layers is as if never begun, wherever it is in the run. */
static void stopped_in_a_pass_goes_on(void **state) {
    (void)state;
    static struct reply before[REPLIES], replies[REPLIES];
    struct ps_compute *compute;
    struct ps_model_files *files;
    struct ps_generator *generator;
    memset(replies, 0, sizeof replies);
    open_generator(&compute, &files, &generator, 6, 40, 0);
    own_swiglu = compute->rows.swiglu;
    compute->rows.swiglu = swiglu_then_stop;
    submit(generator, replies, NULL);
    for (int step = 0; ps_generator_pending(generator); step++) {
        assert_ok(ps_generator_visit(generator, keep, NULL, &error));
        memcpy(before, replies, sizeof before);
        layers_until_stop = 1 + step % 2; /* the model has three layers */
        assert_fails(ps_generator_step(generator, keep, NULL, &error), PS_STOPPED, "stopped");
        ps_stop_request(false);
        assert_ok(ps_generator_visit(generator, keep, NULL, &error));
        assert_memory_equal(before, replies, sizeof before);
        assert_ok(ps_generator_step(generator, keep, NULL, &error));
    }
    close_generator(compute, files, generator);
    assert_same(replies, expected);
}

static void refuses_what_cannot_be(void **state) {
    (void)state;
    struct ps_compute *compute;
    struct ps_model_files *files;
    struct ps_generator *generator;
    struct ps_generate_request request = {.sampling = {.top_p = 1}, .max_tokens = 10};
    int32_t longest[POSITIONS] = {0}, unknown = 67;
    open_generator(&compute, &files, &generator, 2, 8, 0);
    assert_fails(ps_generator_submit(generator, longest, POSITIONS, &request, 1, &error),
                 PS_ARGUMENT, "no room for a reply");
    assert_fails(ps_generator_submit(generator, longest, 0, &request, 1, &error), PS_ARGUMENT,
                 "without tokens");
    assert_fails(ps_generator_submit(generator, &unknown, 1, &request, 1, &error), PS_ARGUMENT,
                 "token 67");
    close_generator(compute, files, generator);
    open_generator(&compute, &files, &generator, 2, 8, 3 * 3 * 2 * 8 * 2 * PS_PAGE_POSITIONS * 4);
    request.max_tokens = 150;
    assert_fails(ps_generator_submit(generator, longest, 140, &request, 1, &error), PS_LIMIT,
                 "KV cache");
    assert_int_equal(ps_generator_pending(generator), 0);
    close_generator(compute, files, generator);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_end_as_they_should),  cmocka_unit_test(batch_does_not_matter),
        cmocka_unit_test(short_cache_does_not_matter), cmocka_unit_test(interrupted_goes_on),
        cmocka_unit_test(stopped_in_a_pass_goes_on),   cmocka_unit_test(refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
