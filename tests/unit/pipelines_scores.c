/* Scores of the replies of a store: votes, ties, limits, what is missing, verdicts that change. */
#include "unit.h"

#include "base/file.h"
#include "pipelines/report/scores.h"

#include <math.h>
#include <string.h>

static struct ps_error error;
static char folder[] = "/tmp/potstill-scores-XXXXXX";
static struct ps_store *store;
static struct ps_arena arena;

/* "correct 12 1/2": verdict, tokens, what was extracted, which may be left out. */
static const char *const problem_golds[] = {"1/2", "7", NULL};
static int64_t prompts[3];
static int64_t put(int model, int problem, int sample, const char *text) {
    char json[128], verdict[32], extracted[64] = "";
    int tokens;
    struct ps_store_key key = {.sample = sample};
    struct ps_store_trace trace = {.content = "", .finish = PS_STORE_STOP};
    int64_t id;
    assert_true(sscanf(text, "%31s %d %63s", verdict, &tokens, extracted) >= 2);
    snprintf(json, sizeof json, "{\"messages\":[{\"content\":\"%d\",\"role\":\"user\"}]}", problem);
    assert_ok(ps_store_put_prompt(store, json, &key.prompt, NULL, &error));
    prompts[problem] = key.prompt;
    snprintf(json, sizeof json, "{\"weights\":\"%d\"}", model);
    assert_ok(ps_store_put_source(store, "model", json, &key.source, NULL, &error));
    assert_ok(ps_store_put_sampler(store, "{\"temperature\":1}", &key.sampler, NULL, &error));
    assert_ok(ps_store_put_provenance(store, "{\"engine\":\"test\"}", &trace.provenance, &error));
    if (strcmp(verdict, "truncated") == 0) trace.finish = PS_STORE_LENGTH;
    trace.key = key;
    trace.output_tokens = tokens;
    assert_ok(ps_store_put_trace(store, &trace, &id, NULL, &error));
    if (strcmp(verdict, "none") != 0)
        assert_ok(ps_store_put_verdict(
            store, id,
            &(struct ps_store_verdict){.grader = "plain 1",
                                       .verdict = verdict,
                                       .gold = problem_golds[problem],
                                       .extracted = extracted[0] ? extracted : NULL},
            &error));
    return id;
}

/* replies of two models to three problems, four samples each */
static const char *const replies[2][3][4] = {
    {{"correct 4 1/2", "correct 9 0.5", "wrong 5 3", "wrong 5 4"}, /* 1/2 wins */
     {"correct 6 7", "wrong 6 8", "wrong 7 9", "correct 20 7"},    /* 7 wins; at 10: a tie */
     {"wrong 3 1", "wrong 3 1", "no_answer 3", "truncated 32 5"}}, /* 1 wins */
    {{"correct 4 1/2", "wrong 9 1", "wrong 9 2", "wrong 9 3"},     /* a tie of four */
     {"wrong 6 1", "wrong 6 1", "wrong 6 1", "wrong 6 1"},
     {"truncated 32 1", "truncated 32 1", "correct 9 3", "wrong 8 4"}}, /* cut ones do not vote */
};
static int64_t rows[2][12], items[2][3];
static struct ps_result_limit limits[2][2];
static struct ps_result results[2];

static void begin(int64_t max_tokens) {
    for (int m = 0; m < 2; m++) {
        limits[m][0] = (struct ps_result_limit){.max_tokens = 5};
        limits[m][1] = (struct ps_result_limit){.max_tokens = 8};
        results[m] = (struct ps_result){.model = m ? "b" : "a",
                                        .role = "other",
                                        .dataset = "d",
                                        .problems = 3,
                                        .samples = 4,
                                        .max_tokens = max_tokens,
                                        .limits = limits[m],
                                        .limit_count = 2};
    }
}

static enum ps_status compute(struct ps_result_pair **pairs, size_t *pair_count) {
    const struct ps_scores_replies asked[] = {{rows[0], items[0]}, {rows[1], items[1]}};
    return ps_scores_compute(store, results, asked, 2, &arena, pairs, pair_count, &error);
}

static bool near(double got, double expected) {
    return fabs(got - expected) < 1e-12;
}

static int64_t put_item(const char *dataset, int problem, const char *gold) {
    struct ps_store_item item = {.prompt = prompts[problem],
                                 .dataset = dataset,
                                 .split = "test",
                                 .row = problem,
                                 .gold = gold};
    int64_t id;
    assert_ok(ps_store_put_item(store, &item, &id, &error));
    return id;
}

static int set_up(void **state) {
    char path[64];
    (void)state;
    ps_arena_init(&arena, 1 << 24);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/evals.db", folder);
    assert_ok(ps_store_open(&store, path, PS_STORE_CREATE, &error));
    for (int m = 0; m < 2; m++)
        for (int p = 0; p < 3; p++)
            for (int s = 0; s < 4; s++) rows[m][4 * p + s] = put(m, p, s, replies[m][p][s]);
    for (int p = 0; p < 3; p++) items[0][p] = items[1][p] = put_item("d", p, problem_golds[p]);
    assert_ok(ps_store_flush(store, &error));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    ps_store_close(store);
    ps_arena_release(&arena);
    return ps_path_remove(folder, &error) == PS_OK ? 0 : 1;
}

static void scores_and_votes(void **state) {
    (void)state;
    struct ps_result_pair *pairs;
    size_t pair_count;
    begin(32);
    assert_ok(compute(&pairs, &pair_count));
    assert_true(near(results[0].pass_at_1, 4.0 / 12) && near(results[1].pass_at_1, 2.0 / 12));
    assert_true(near(results[0].truncated, 1.0 / 12) && near(results[0].no_answer, 1.0 / 12));
    assert_true(near(results[0].majority.value, 2.0 / 3) && results[0].tied == 0);
    /* a tie of four of which one is right, and one of two */
    assert_true(near(results[1].majority.value, (0.25 + 0 + 0.5) / 3));
    assert_true(near(results[1].tied, 2.0 / 3));
    assert_int_equal(results[0].pass_count, 2);
    assert_true(near(results[0].passes[1].value, 2.0 / 3));
    assert_int_equal(pair_count, 1);
    assert_true(near(pairs->difference, 2.0 / 12) && strcmp(pairs->test, "sign_flip") == 0);
    assert_int_equal(pairs->a_better, 2);
    assert_int_equal(pairs->b_better, 1);
}

static void limits_cut(void **state) {
    (void)state;
    struct ps_result_pair *pairs;
    size_t pair_count;
    begin(10);
    assert_ok(compute(&pairs, &pair_count));
    /* at 10 the reply of 20 tokens is cut, and with it goes a vote for 7 */
    assert_true(near(results[0].pass_at_1, 3.0 / 12) && near(results[0].truncated, 2.0 / 12));
    assert_true(
        near(results[0].mean_tokens, (4 + 9 + 5 + 5 + 6 + 6 + 7 + 10 + 3 + 3 + 3 + 10) / 12.0));
    assert_true(near(results[0].majority.value, (1 + 1.0 / 3 + 0) / 3));
    assert_true(near(limits[0][0].pass_at_1, 1.0 / 12) && near(limits[0][0].truncated, 6.0 / 12));
    assert_true(near(limits[0][0].mean_tokens, (4 + 3 * 5 + 4 * 5 + 3 * 3 + 5) / 12.0));
    assert_true(near(limits[0][1].pass_at_1, 2.0 / 12) && near(limits[0][1].no_answer, 1.0 / 12));
    assert_true(limits[0][1].low < limits[0][1].pass_at_1);
}

static void budgets_are_compared(void **state) {
    (void)state;
    static const struct {
        const char *of[2], *budget[2];
        size_t pairs;
    } cases[] = {
        {{"a", "b"}, {NULL, NULL}, 1}, {{"a", "b"}, {"5", "5"}, 1}, {{"a", "a"}, {NULL, "5"}, 1},
        {{"a", "b"}, {NULL, "5"}, 0},  {{"a", "b"}, {"4", "5"}, 0},
    };
    struct ps_result_pair *pairs;
    size_t pair_count;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(32);
        for (int m = 0; m < 2; m++) {
            results[m].of = cases[i].of[m];
            results[m].budget = cases[i].budget[m];
        }
        assert_ok(compute(&pairs, &pair_count));
        assert_int_equal(pair_count, cases[i].pairs);
    }
}

static void missing_is_refused(void **state) {
    (void)state;
    struct ps_result_pair *pairs;
    size_t pair_count;
    int64_t kept = rows[1][6];
    begin(32);
    rows[1][6] = 0;
    assert_fails(compute(&pairs, &pair_count), PS_ARGUMENT,
                 "b on d: problem 2: reply 3 of 4 is missing");
    rows[1][6] = put(1, 1, 9, "none 4");
    assert_fails(compute(&pairs, &pair_count), PS_ARGUMENT,
                 "b on d: problem 2: reply 3 of 4 is not graded");
    rows[1][6] = put(1, 1, 10, "no_gold 4");
    assert_fails(compute(&pairs, &pair_count), PS_ARGUMENT,
                 "b on d: problem 2: reply 3 of 4 has no gold answer");
    rows[1][6] = kept;
    assert_ok(compute(&pairs, &pair_count));
}

/* Another data set asks the same with another gold: its verdicts are others. */
static void scored_by_gold(void **state) {
    (void)state;
    struct ps_result_pair *pairs;
    size_t pair_count;
    int64_t own = items[1][1];
    begin(32);
    items[1][1] = put_item("e", 1, "1");
    assert_fails(compute(&pairs, &pair_count), PS_ARGUMENT,
                 "b on d: problem 2: reply 1 of 4 is not graded");
    for (int s = 0; s < 4; s++) {
        struct ps_store_verdict verdict = {.grader = "plain 1",
                                           .verdict = s < 3 ? "correct" : "wrong",
                                           .extracted = "1",
                                           .gold = "1"};
        assert_ok(ps_store_put_verdict(store, rows[1][4 + s], &verdict, &error));
    }
    assert_ok(compute(&pairs, &pair_count));
    assert_true(near(results[0].pass_at_1, 4.0 / 12) && near(results[1].pass_at_1, 5.0 / 12));
    items[1][1] = own;
    assert_ok(compute(&pairs, &pair_count));
    assert_true(near(results[1].pass_at_1, 2.0 / 12));
}

static void write_rows(struct ps_json_writer *writer, const char *key, const int64_t *of_a,
                       const int64_t *of_b, int count) {
    ps_json_write_key(writer, key);
    ps_json_write_begin_array(writer);
    for (int m = 0; m < 2; m++) {
        ps_json_write_begin_array(writer);
        for (int i = 0; i < count; i++) ps_json_write_integer(writer, (m ? of_b : of_a)[i]);
        ps_json_write_end_array(writer);
    }
    ps_json_write_end_array(writer);
}

/* A result.json leads to the same scores, and to others once a verdict has changed. */
static void scored_again(void **state) {
    (void)state;
    struct ps_result_pair *pairs;
    struct ps_result *again;
    const struct ps_scores_replies *lists;
    size_t pair_count, count;
    struct ps_buffer text;
    struct ps_json_writer writer;
    json_t *value;
    begin(32);
    assert_ok(compute(&pairs, &pair_count));
    ps_buffer_init(&text, 1 << 20);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_results_write(results, 2, pairs, pair_count, &writer);
    write_rows(&writer, "traces", rows[0], rows[1], 12);
    write_rows(&writer, "items", items[0], items[1], 3);
    ps_json_write_end_object(&writer);
    assert_ok(ps_json_writer_end(&writer, &error));
    assert_ok(ps_json_parse("result.json", text.data, text.size, &value, &error));
    assert_ok(
        ps_scores_again(value, store, &arena, &again, &count, &pairs, &pair_count, &lists, &error));
    assert_int_equal(count, 2);
    assert_true(near(again[0].pass_at_1, 4.0 / 12) && near(again[0].limits[0].pass_at_1, 1.0 / 12));
    struct ps_store_verdict verdict = {
        .grader = "plain 2", .verdict = "correct", .gold = "1/2", .extracted = "3"};
    assert_ok(ps_store_put_verdict(store, rows[0][2], &verdict, &error));
    assert_ok(
        ps_scores_again(value, store, &arena, &again, &count, &pairs, &pair_count, &lists, &error));
    assert_true(near(again[0].pass_at_1, 5.0 / 12) && near(pairs->difference, 3.0 / 12));
    json_array_remove(json_array_get(json_object_get(value, "traces"), 1), 0);
    assert_fails(
        ps_scores_again(value, store, &arena, &again, &count, &pairs, &pair_count, &lists, &error),
        PS_FORMAT, "'traces' has 11 replies of b on d");
    json_decref(value);
    ps_buffer_release(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_and_votes),     cmocka_unit_test(limits_cut),
        cmocka_unit_test(budgets_are_compared), cmocka_unit_test(missing_is_refused),
        cmocka_unit_test(scored_by_gold),       cmocka_unit_test(scored_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
