/* Budget forcing in the engine: the bounds hold exactly, and a bounded reply's bits depend on its
 * request alone. */
#include "generate_fixture.h"

#include "model/score.h"

enum { OPEN = 10, CLOSE = 11 };

/* The wait text begins with a token that the model often draws itself. */
static const int32_t end[] = {20, CLOSE, 21, 22}, wait[] = {30, 31};

#define RULE(most_, least_, waits_)                                                                \
    {                                                                                              \
        .open = OPEN, .close = CLOSE, .most = (most_), .least = (least_), .waits = (waits_),       \
        .end = end, .wait = wait, .end_count = 4, .wait_count = 2                                  \
    }
static const struct ps_generate_thinking rules[SAMPLES] = {
    RULE(20, 0, 0),
    RULE(-1, 100, 3),
    RULE(60, 60, 1000), /* exactly 60, whatever the model does */
    RULE(25, 24, 1),
};

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
            /* Hot, so that tags, ends and the wait text's first token are drawn often. */
            requests[count++] = (struct ps_generate_request){
                .sampling = {.temperature = 3, .top_p = 1},
                .key = 5 + (uint64_t)i,
                .max_tokens = MAX_TOKENS,
                .thinking = &rules[s],
                .thinks = p > 0,
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

static bool stands_at(const struct reply *reply, int64_t at, const int32_t *text, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (at + i >= reply->count || reply->tokens[at + i] != text[i]) return false;
    return true;
}

/* What the tokens of all replies show. */
struct seen {
    int forced_ends, own_ends, waits, own_wait_tokens, unopened, cut;
};

static void look_at(const struct reply *reply, const struct ps_generate_thinking *rule, bool thinks,
                    struct seen *seen) {
    int64_t first = 0, close, waits = 0;
    while (!thinks && first < reply->count && reply->tokens[first] != OPEN) first++;
    if (!thinks) first++;
    if (first > reply->count) {
        seen->unopened++;
        return;
    }
    for (close = first; close < reply->count && reply->tokens[close] != CLOSE; close++) {
        waits += stands_at(reply, close, wait, 2);
        seen->own_wait_tokens +=
            reply->tokens[close] == wait[0] && !stands_at(reply, close, wait, 2);
    }
    int64_t thought = close - first;
    bool forced = rule->most >= 0 && thought >= rule->most;
    seen->waits += (int)waits;
    if (forced) {
        assert_true(thought <= rule->most + 1); /* one token of `end` stands before </think> */
        for (int64_t i = 0; i < 4 && first + rule->most + i < reply->count; i++)
            assert_int_equal(reply->tokens[first + rule->most + i], end[i]);
        seen->forced_ends++;
    } else if (close < reply->count || reply->finish == PS_GENERATE_STOP) {
        if (thought < rule->least) assert_int_equal(waits, rule->waits);
        seen->own_ends++;
    } else {
        assert_int_equal(reply->count, MAX_TOKENS);
        seen->cut++;
    }
}

static void bounds_hold(void **state) {
    (void)state;
    struct seen seen = {0};
    for (int i = 0; i < REPLIES; i++)
        look_at(&expected[i], &rules[i % SAMPLES], i / SAMPLES > 0, &seen);
    for (int p = 1; p < PROMPTS; p++) { /* least and most 60: neither less nor more */
        const struct reply *reply = &expected[p * SAMPLES + 2];
        assert_true(stands_at(reply, 60, end, reply->count < 64 ? reply->count - 60 : 4));
    }
    assert_true(seen.forced_ends > 2 && seen.own_ends > 0 && seen.waits > 2);
    assert_true(seen.own_wait_tokens > 2);
}

static void forced_tokens_have_the_models_probability(void **state) {
    (void)state;
    struct ps_compute *compute;
    struct ps_model_files *files;
    struct ps_model *model;
    struct ps_stream *stream;
    struct ps_scorer *scorer;
    struct ps_model_options options = {.format = PS_WEIGHT_F32, .positions = POSITIONS};
    assert_ok(ps_compute_open("reference", 1, &compute, &error));
    assert_ok(ps_model_files_open(&files, PS_SOURCE_DIR "/tests/golden/models/qwen3_moe", &error));
    struct ps_compute_limits limits = ps_score_limits(ps_model_files_config(files), POSITIONS);
    assert_ok(compute->memory.stream_create(compute, &limits, &stream, &error));
    assert_ok(
        ps_model_create(compute, stream, ps_model_files_config(files), &options, &model, &error));
    assert_ok(ps_model_load(model, stream, files, &error));
    assert_ok(ps_scorer_create(&scorer, model, &error));
    for (int i = 0; i < REPLIES; i++) {
        const struct reply *reply = &expected[i];
        int64_t begin = prompt_counts[i / SAMPLES], count = begin + reply->count;
        int32_t ids[POSITIONS];
        float scored[POSITIONS];
        memcpy(ids, prompts[i / SAMPLES], (size_t)begin * sizeof *ids);
        memcpy(ids + begin, reply->tokens, (size_t)reply->count * sizeof *ids);
        assert_ok(ps_score(scorer, stream, ids, count, 0, scored, NULL, NULL, &error));
        assert_memory_equal(scored + begin, reply->log_probabilities,
                            (size_t)reply->count * sizeof *scored);
    }
    ps_scorer_release(scorer);
    ps_model_close(model);
    compute->memory.stream_release(stream);
    ps_model_files_close(files);
    ps_compute_close(compute);
}

static void batch_and_cache_do_not_matter(void **state) {
    (void)state;
    static struct reply replies[REPLIES];
    int64_t page = 3 * 2 * 8 * 2 * PS_PAGE_POSITIONS * 4; /* of the golden model */
    run_replies(submit, replies, NULL, 5, 23, 0);
    assert_same(replies, expected);
    run_replies(submit, replies, NULL, REPLIES, 1000, 0);
    assert_same(replies, expected);
    int64_t preempted = 0;
    for (int pages = 4; pages < 9; pages += 2) {
        preempted += run_replies(submit, replies, NULL, 8, 64, pages * page).preempted;
        assert_same(replies, expected);
    }
    assert_true(preempted > 0);
}

/* In the middle of forced texts as well, and behind tokens that may have begun a wait. */
static void goes_on_from_anywhere(void **state) {
    (void)state;
    static struct reply begun[REPLIES], replies[REPLIES];
    static const int64_t lengths[] = {1, 20, 21, 23, 26, 40, 60, 61, 63, 90, 131};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        int64_t length = lengths[l];
        for (int i = 0; i < REPLIES; i++) {
            begun[i] = expected[i];
            if (begun[i].count <= length) continue;
            begun[i].count = length;
            begun[i].finish = PS_GENERATE_RUNNING;
        }
        run_replies(submit, replies, begun, 4, 30, 0);
        assert_same(replies, expected);
    }
}

static void stopped_goes_on(void **state) {
    (void)state;
    static struct reply begun[REPLIES], replies[REPLIES];
    for (int steps = 1; steps < 200; steps = steps * 3 + 5) {
        begin_replies(submit, begun, steps);
        run_replies(submit, replies, begun, 4, 30, 0);
        assert_same(replies, expected);
    }
}

/* A beginning that the bounds would not have let be is kept up to there. */
static void drops_what_breaks_the_bounds(void **state) {
    (void)state;
    static struct reply begun[REPLIES], replies[REPLIES];
    memcpy(begun, expected, sizeof begun);
    int i = SAMPLES + 2; /* 60 tokens, then the end */
    begun[i].finish = PS_GENERATE_RUNNING;
    begun[i].count = 70 < expected[i].count ? 70 : expected[i].count - 1;
    begun[i].tokens[60] = 40;
    run_replies(submit, replies, begun, 4, 30, 0);
    assert_same(replies, expected);
}

static void refuses_unknown_tokens(void **state) {
    (void)state;
    struct ps_compute *compute;
    struct ps_model_files *files;
    struct ps_generator *generator;
    const int32_t unknown[] = {CLOSE, 67};
    struct ps_generate_thinking rule = rules[0];
    struct ps_generate_request request = {.max_tokens = 10, .thinking = &rule};
    rule.end = unknown;
    rule.end_count = 2;
    open_generator(&compute, &files, &generator, 2, 8, 0);
    assert_fails(ps_generator_submit(generator, prompts[0], 1, &request, 1, &error), PS_ARGUMENT,
                 "token 67 of the thought's end");
    close_generator(compute, files, generator);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(forced_tokens_have_the_models_probability),
        cmocka_unit_test(batch_and_cache_do_not_matter),
        cmocka_unit_test(goes_on_from_anywhere),
        cmocka_unit_test(stopped_goes_on),
        cmocka_unit_test(drops_what_breaks_the_bounds),
        cmocka_unit_test(refuses_unknown_tokens),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
