/* Scores and comparisons against tables made by hand. */
#include "unit.h"

#include "pipelines/report/results.h"

#include <math.h>
#include <string.h>

static struct ps_error error;

static void add(struct ps_result_problem *problem, const char *verdicts) {
    for (; *verdicts; verdicts++)
        ps_result_add(problem,
                      *verdicts == 'c'   ? PS_VERDICT_CORRECT
                      : *verdicts == 't' ? PS_VERDICT_TRUNCATED
                      : *verdicts == 'n' ? PS_VERDICT_NO_ANSWER
                      : *verdicts == 'u' ? PS_VERDICT_UNDECIDED
                      : *verdicts == 'g' ? PS_VERDICT_GOLD_UNREADABLE
                                         : PS_VERDICT_WRONG,
                      10);
}

/* problems: one letter for each sample of a problem. */
static size_t fill(struct ps_result_problem *problems, const char *const *verdicts) {
    size_t count = 0;
    for (; verdicts[count]; count++) {
        problems[count] = (struct ps_result_problem){0};
        add(&problems[count], verdicts[count]);
    }
    return count;
}

static void test_single(void **state) {
    (void)state;
    struct ps_result_problem problems[8];
    size_t count = fill(problems, (const char *[]){"c", "c", "c", "w", "t", "n", "u", "g", NULL});
    struct ps_result result = {"m", "student", "d", .samples = 1};
    assert_ok(ps_result_compute(problems, count, &result, &error));
    assert_int_equal(result.problems, 8);
    assert_true(fabs(result.pass_at_1 - 3.0 / 8) < 1e-15); /* undecided is not correct */
    assert_true(fabs(result.truncated - 1.0 / 8) < 1e-15);
    assert_true(fabs(result.no_answer - 1.0 / 8) < 1e-15);
    assert_true(fabs(result.mean_tokens - 10) < 1e-15);
    /* Wilson for 3 of 8, z = 1.959964: (p + z2/2n -+ z sqrt(p q / n + z2/4n2)) / (1 + z2/n) */
    double z = 1.959963984540054, n = 8, p = 3 / n, middle = p + z * z / (2 * n);
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)), scale = 1 + z * z / n;
    assert_true(fabs(result.low - (middle - half) / scale) < 1e-9);
    assert_true(fabs(result.high - (middle + half) / scale) < 1e-9);
}

static void test_several(void **state) {
    (void)state;
    struct ps_result_problem problems[4];
    size_t count = fill(problems, (const char *[]){"cccc", "ccww", "cttn", "wwww", NULL});
    struct ps_result result = {"m", "student", "d", .samples = 4};
    assert_ok(ps_result_compute(problems, count, &result, &error));
    assert_true(fabs(result.pass_at_1 - 7.0 / 16) < 1e-15);
    assert_true(fabs(result.truncated - 2.0 / 16) < 1e-15);
    assert_true(result.low > 0 && result.low < result.pass_at_1);
    assert_true(result.high < 1 && result.high > result.pass_at_1);
    /* pass@2: 1, 1 - 1/6 of "ww", 1/2, 0; pass@4: whether any is right */
    assert_int_equal(result.pass_count, 2);
    assert_true(fabs(result.passes[0].value - (1 + 5.0 / 6 + 0.5) / 4) < 1e-15);
    assert_true(result.passes[1].value == 0.75);
    double square = 1.959963984540054 * 1.959963984540054 / 4; /* Wilson for 3 of 4 */
    double middle = 0.75 + square / 2, half = sqrt(square * (0.1875 + square / 4));
    assert_true(fabs(result.passes[1].low - (middle - half) / (1 + square)) < 1e-9);
    assert_true(fabs(result.passes[1].high - (middle + half) / (1 + square)) < 1e-9);
    /* wider than 16 independent samples would have it */
    struct ps_result single = {"m", "student", "d", .samples = 1};
    struct ps_result_problem sixteen[16];
    assert_int_equal(fill(sixteen, (const char *[]){"c", "c", "c", "c", "c", "c", "c", "w", "w",
                                                    "w", "w", "w", "w", "w", "w", "w", NULL}),
                     16);
    assert_ok(ps_result_compute(sixteen, 16, &single, &error));
    assert_true(result.high - result.low > single.high - single.low);
}

static void test_refusal(void **state) {
    (void)state;
    struct ps_result_problem problems[3];
    struct ps_result result = {"student", "student", "gsm8k/test", .samples = 2};
    size_t count = fill(problems, (const char *[]){"cc", "c", "ww", NULL});
    assert_fails(ps_result_compute(problems, count, &result, &error), PS_ARGUMENT,
                 "student on gsm8k/test: problem 2 has 1 of 2 samples");
    count = fill(problems, (const char *[]){"cc", "ccc", NULL});
    assert_fails(ps_result_compute(problems, count, &result, &error), PS_ARGUMENT, "3 of 2");
    assert_fails(ps_result_compute(problems, 0, &result, &error), PS_ARGUMENT, "no problems");
    struct ps_result_pair pair;
    assert_fails(ps_result_compare(problems, problems, 0, &pair, &error), PS_ARGUMENT,
                 "no problems");
}

static void test_pairs(void **state) {
    (void)state;
    struct ps_result_problem a[20], b[20];
    struct ps_result_pair pair = {"a", "b", "d"};
    const char *right[21] = {0}, *left[21] = {0};
    for (int i = 0; i < 20; i++) {
        left[i] = i < 14 ? "c" : "w";           /* a: 14 */
        right[i] = i >= 2 && i < 6 ? "c" : "w"; /* b: 4, all of which a has: 10 to 0 */
    }
    fill(a, left);
    fill(b, right);
    assert_ok(ps_result_compare(a, b, 20, &pair, &error));
    assert_true(fabs(pair.difference - 0.5) < 1e-15);
    assert_true(fabs(pair.p - 2.0 / 1024) < 1e-12); /* McNemar: 2 * 2^-10 */
    assert_true(pair.low > 0.2 && pair.low < 0.5 && pair.high > 0.5 && pair.high < 0.8);
    /* sd of 10 ones and 10 zeros: sqrt(5/19); detectable (1.95996 + 0.84162) sd / sqrt(20) */
    assert_true(fabs(pair.detectable - 2.8015852 * sqrt(5.0 / 19) / sqrt(20)) < 1e-6);
    assert_ok(ps_result_compare(b, a, 20, &pair, &error));
    assert_true(fabs(pair.difference + 0.5) < 1e-15);
    assert_ok(ps_result_compare(a, a, 20, &pair, &error));
    /* none of 20 differs; Wilson's bound for 0 of 20 is z2 / (20 + z2) */
    double z2 = 1.959963984540054 * 1.959963984540054;
    assert_true(pair.difference == 0 && pair.p == 1 && isnan(pair.detectable));
    assert_true(fabs(pair.high - z2 / (20 + z2)) < 1e-9 && fabs(pair.low + pair.high) < 1e-15);

    /* two samples each: differences 1, 1, .5, .5, .5; sign-flip exact: 2 of 2^5 are as extreme */
    fill(a, (const char *[]){"cc", "cc", "cc", "cw", "cw", NULL});
    fill(b, (const char *[]){"ww", "ww", "cw", "ww", "ww", NULL});
    assert_ok(ps_result_compare(a, b, 5, &pair, &error));
    assert_true(fabs(pair.difference - 0.7) < 1e-12);
    assert_true(fabs(pair.p - 2.0 / 32) < 1e-12);
    /* pass@2: 1, 1, 0, 1, 1 */
    assert_true(pair.pass_count == 1 && fabs(pair.passes[0].value - 0.8) < 1e-12);
    assert_true(fabs(pair.passes[0].p - 2.0 / 16) < 1e-12);
    assert_true(pair.passes[0].low < 0.8 && pair.passes[0].high <= 1);
    assert_true(pair.majority.value == 0 && pair.majority.p == 1); /* nobody voted */
    a[0].majority = a[1].majority = 1;
    assert_ok(ps_result_compare(a, b, 5, &pair, &error));
    assert_true(fabs(pair.majority.value - 0.4) < 1e-12 && pair.majority.p == 0.5);
    fill(b, (const char *[]){"w", "w", "w", "w", "w", NULL});
    assert_ok(ps_result_compare(a, b, 5, &pair, &error)); /* one sample has no vote */
    assert_true(pair.pass_count == 0 && isnan(pair.majority.value));
}

static void test_json(void **state) {
    (void)state;
    struct ps_result_limit limit = {8, 0.25, 0.125, 0.5, 0.75, 0, 7.5};
    struct ps_result result = {.model = "student",
                               .role = "student",
                               .dataset = "d",
                               .of = "stu",
                               .budget = "5-",
                               .total = 9,
                               .form = PS_STATS_EXACT,
                               .problems = 3,
                               .samples = 2,
                               .max_tokens = 16,
                               .pass_at_1 = 0.5,
                               .low = 0.25,
                               .high = 0.75,
                               .truncated = 0.125,
                               .mean_tokens = 12.5,
                               .passes = {{0.75, 0.5, 1}},
                               .pass_count = 1,
                               .majority = {0.625, 0.25, 0.875},
                               .tied = 0.25,
                               .limits = &limit,
                               .limit_count = 1};
    struct ps_result_pair pair = {"a",
                                  "b",
                                  "d",
                                  0.5,
                                  -0.25,
                                  0.75,
                                  0.0625,
                                  0.125,
                                  "sign_flip",
                                  2,
                                  1,
                                  .majority = {0.25, 0, 0.5, 0.5},
                                  .passes = {{-0.25, -0.5, 0, 0.00001}},
                                  .pass_count = 1};
    struct ps_buffer text;
    struct ps_json_writer writer;
    struct ps_arena arena;
    json_t *object;
    ps_arena_init(&arena, 1 << 20);
    ps_buffer_init(&text, 1 << 20);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_results_write(&result, 1, &pair, 1, &writer);
    ps_json_write_end_object(&writer);
    assert_ok(ps_json_writer_end(&writer, &error));
    assert_string_equal(
        text.data,
        "{\"results\":[{\"model\":\"student\",\"role\":\"student\",\"dataset\":\"d\","
        "\"of\":\"stu\",\"budget\":\"5-\",\"problems\":3,"
        "\"samples\":2,\"max_tokens\":16,\"pass_at_1\":0.5,\"low\":0.25,\"high\":0.75,\"truncated\":0.125,"
        "\"no_answer\":0,\"mean_tokens\":12.5,\"pass_at\":[{\"k\":2,\"value\":0.75,\"low\":0.5,"
        "\"high\":1}],\"majority\":{\"value\":0.625,\"low\":0.25,\"high\":0.875,\"tied\":0.25},"
        "\"interval\":\"exact\",\"total\":9,\"limits\":[{\"max_tokens\":8,\"pass_at_1\":0.25,\"low\":0.125,\"high\":0.5,"
        "\"truncated\":0.75,\"no_answer\":0,\"mean_tokens\":7.5}]}],\"pairs\":[{\"a\":\"a\",\"b\":\"b\",\"dataset\":"
        "\"d\",\"difference\":0.5,\"low\":-0.25,\"high\":0.75,\"p\":0.0625,\"detectable\":0.125,"
        "\"test\":\"sign_flip\",\"a_better\":2,\"b_better\":1,\"pass_at\":[{\"k\":2,\"value\":-0.25,"
        "\"low\":-0.5,\"high\":0,\"p\":1e-05}],\"majority\":{\"value\":0.25,\"low\":0,\"high\":0.5,\"p\":0.5}}]}");
    assert_ok(ps_json_parse("results", text.data, text.size, &object, &error));
    struct ps_result *results;
    struct ps_result_pair *pairs;
    size_t result_count, pair_count;
    assert_ok(
        ps_results_read(object, &arena, &results, &result_count, &pairs, &pair_count, &error));
    assert_int_equal(result_count, 1);
    assert_int_equal(pair_count, 1);
    assert_string_equal(results[0].dataset, "d");
    assert_true(results[0].mean_tokens == 12.5 && pairs[0].p == 0.0625);
    assert_true(pairs[0].detectable == 0.125 && pairs[0].b_better == 1);
    assert_true(pairs[0].pass_count == 1 && pairs[0].passes[0].p == 0.00001);
    assert_true(pairs[0].majority.high == 0.5 && pairs[0].majority.value == 0.25);
    assert_string_equal(results[0].of, "stu");
    assert_string_equal(results[0].budget, "5-");
    assert_true(results[0].total == 9 && results[0].form == PS_STATS_EXACT);
    assert_string_equal(pairs[0].test, "sign_flip");
    assert_true(results[0].pass_count == 1 && results[0].passes[0].value == 0.75);
    assert_true(results[0].majority.high == 0.875 && results[0].tied == 0.25);
    assert_true(results[0].limit_count == 1 && results[0].limits[0].mean_tokens == 7.5);
    json_object_del(json_array_get(json_object_get(object, "results"), 0), "role");
    assert_fails(
        ps_results_read(object, &arena, &results, &result_count, &pairs, &pair_count, &error),
        PS_FORMAT, "role");
    json_decref(object);

    text.size = 0;
    assert_true(ps_results_print(&result, 1, &pair, 1, &text));
    assert_string_equal(
        text.data, "data set  model    role     problems  samples  pass@1  95 % interval   "
                   "truncated  no answer    tokens\n"
                   "d         student  student         3        2    50.0   25.0 to  75.0  "
                   "     12.5        0.0      12.5\n"
                   "d: the first 3 of its 9 problems\n"
                   "\n"
                   "data set  model    samples  maj@k  95 % interval    tied  pass@k\n"
                   "d         student        2   62.5   25.0 to  87.5   25.0  2: 75.0 (50.0 "
                   "to 100.0)\n"
                   "\n"
                   "data set  model    max tokens  pass@1  95 % interval   truncated  no "
                   "answer    tokens\n"
                   "d         student           8    25.0   12.5 to  50.0       75.0        "
                   "0.0       7.5\n"
                   "d         student          16    50.0   25.0 to  75.0       12.5        "
                   "0.0      12.5\n"
                   "\n"
                   "data set  a        b         a - b  95 % interval     p         "
                   "detectable\n"
                   "d         a        b         +50.0   -25.0 to  +75.0  0.0625          "
                   "12.5\n"
                   "\n"
                   "data set  a        b        score        a - b  95 % interval     p\n"
                   "d         a        b        maj@k        +25.0    +0.0 to  +50.0  0.5000\n"
                   "d         a        b        pass@2       -25.0   -50.0 to   +0.0  < 0.0001\n"
                   "\n"
                   "d: a and b are not told apart; this set could not have shown a "
                   "difference below 12.5 points (power 0.8)\n");
    ps_buffer_release(&text);
    ps_arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),  cmocka_unit_test(test_several),
        cmocka_unit_test(test_refusal), cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
