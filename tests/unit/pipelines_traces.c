/* Grading and selecting the traces of a small store. */
#include "store_fixture.h"

#include "pipelines/stages/grade_traces.h"
#include "pipelines/stages/select_traces.h"

static void put_item(struct fixture *f, int64_t prompt, const char *dataset, const char *split,
                     int64_t row, const char *gold) {
    struct ps_store_item item = {
        .prompt = prompt, .dataset = dataset, .split = split, .row = row, .gold = gold};
    assert_ok(ps_store_put_item(f->store, &item, NULL, &error));
}

static int64_t put_text(struct fixture *f, int64_t prompt, int64_t sample, const char *content,
                        int64_t tokens, enum ps_store_finish finish) {
    struct ps_store_trace trace = fixture_trace(f, prompt, sample);
    int64_t id;
    trace.reasoning_size = 0;
    trace.content = content;
    trace.content_size = strlen(content);
    trace.output_tokens = tokens;
    trace.finish = finish;
    trace.ids = NULL;
    trace.logprobs = NULL;
    assert_ok(ps_store_put_trace(f->store, &trace, &id, NULL, &error));
    return id;
}

static int64_t count_rows(struct fixture *f, struct ps_store_filter filter) {
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(f->store, &filter, &stats, &error));
    return stats.traces;
}

static bool has(const struct ps_selection *selection, int64_t trace) {
    for (int64_t i = 0; i < selection->kept; i++)
        if (selection->traces[i] == trace) return true;
    return false;
}

static struct ps_grading open_grading(struct fixture *f) {
    struct ps_grading grading = {.store = f->store};
    assert_ok(ps_dataset_catalog_open(&grading.catalog, NULL, 0, 0, &error));
    return grading;
}

/* ---- grading ---- */

struct told {
    int count;
    enum ps_verdict before, after;
};

static enum ps_status tell(void *context, int64_t trace, enum ps_verdict before,
                           const struct ps_grade *after, struct ps_error *none) {
    struct told *told = context;
    (void)none;
    assert_true(trace > 0);
    told->count++;
    told->before = before;
    told->after = after->verdict;
    return PS_OK;
}

static void test_grade(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    int64_t sum = fixture_prompt(&f, 1), own = fixture_prompt(&f, 2), bare = fixture_prompt(&f, 3);
    put_item(&f, sum, "gsm8k", "train", 1, "18");
    put_item(&f, own, "mine", "train", 1, "18");
    /* the last member of any equation is the answer by the profile of gsm8k alone */
    put_text(&f, sum, 0, "The answer is 2x = 18.", 5, PS_STORE_STOP);
    put_text(&f, sum, 1, "\\boxed{17}", 5, PS_STORE_STOP);
    put_text(&f, sum, 2, "\\boxed{18}", 5, PS_STORE_LENGTH);
    put_text(&f, own, 0, "The answer is 2x = 18.", 5, PS_STORE_STOP);
    put_text(&f, own, 1, "Who knows?", 5, PS_STORE_STOP);
    put_text(&f, bare, 0, "\\boxed{18}", 5, PS_STORE_STOP);
    struct ps_grading grading = open_grading(&f);
    struct ps_grading_counts counts = {0};
    int64_t pending;
    assert_ok(ps_grade_traces_pending(&grading, &pending, &error));
    assert_int_equal(pending, 6);
    assert_ok(ps_grade_traces(&grading, &counts, &error));
    assert_int_equal(counts.graded, 6);
    assert_int_equal(counts.changes[PS_GRADING_NEW][PS_VERDICT_CORRECT], 1);
    assert_int_equal(count_rows(&f, (struct ps_store_filter){.verdict = "correct"}), 1);
    assert_int_equal(count_rows(&f, (struct ps_store_filter){.verdict = "wrong"}), 1);
    assert_int_equal(count_rows(&f, (struct ps_store_filter){.verdict = "truncated"}), 1);
    assert_int_equal(count_rows(&f, (struct ps_store_filter){.verdict = "undecided"}), 1);
    assert_int_equal(count_rows(&f, (struct ps_store_filter){.verdict = "no_answer"}), 1);
    assert_int_equal(count_rows(&f, (struct ps_store_filter){.verdict = "no_gold"}), 1);
    assert_ok(ps_grade_traces_pending(&grading, &pending, &error));
    assert_int_equal(pending, 0);

    char grader[40];
    snprintf(grader, sizeof grader, "gsm8k %s", ps_grade_version());
    assert_int_equal(count_rows(&f, (struct ps_store_filter){.ungraded = grader}), 3);

    /* another profile grades again, and tells what is another verdict now */
    struct told told = {0};
    grading.profile = "gsm8k";
    grading.changed = tell;
    grading.context = &told;
    counts = (struct ps_grading_counts){0};
    assert_ok(ps_grade_traces(&grading, &counts, &error));
    assert_int_equal(counts.graded, 3); /* those of the other two graders */
    assert_int_equal(counts.changes[PS_VERDICT_UNDECIDED][PS_VERDICT_CORRECT], 1);
    assert_int_equal(counts.changes[PS_VERDICT_NO_ANSWER][PS_VERDICT_NO_ANSWER], 1);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.before, PS_VERDICT_UNDECIDED);
    assert_int_equal(told.after, PS_VERDICT_CORRECT);
    grading.changed = NULL;

    /* so does a corrected gold, and what was decided by hand goes on to count */
    struct ps_store_filter one = {.prompt_id = sum, .verdict = "correct"};
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more;
    assert_ok(ps_store_query(f.store, &one, &cursor, &error));
    assert_ok(ps_store_next(cursor, &row, &more, &error));
    assert_true(more);
    int64_t by_hand = row.id;
    ps_store_cursor_close(cursor);
    put_item(&f, sum, "gsm8k", "train", 1, "17");
    struct ps_store_verdict hand = {.grader = "hand", .verdict = "correct", .author = "Ada"};
    assert_ok(ps_store_put_verdict(f.store, by_hand, &hand, &error));
    counts = (struct ps_grading_counts){0};
    grading.filter.dataset = "gsm8k";
    assert_ok(ps_grade_traces(&grading, &counts, &error));
    assert_int_equal(counts.graded, 3);
    assert_int_equal(counts.changes[PS_GRADING_NEW][PS_VERDICT_CORRECT], 1);
    assert_int_equal(
        count_rows(&f, (struct ps_store_filter){.verdict = "correct", .dataset = "gsm8k"}), 2);
    grading.profile = "gsm";
    assert_fails(ps_grade_traces(&grading, &counts, &error), PS_ARGUMENT, "no grading profile");
    ps_dataset_catalog_close(grading.catalog);
    fixture_close(&f);
}

/* Three rows of two data sets ask the same and have three golds. */
static void test_golds(void **state) {
    (void)state;
    struct fixture f;
    struct ps_arena arena;
    struct ps_select_settings settings;
    struct ps_selection selection;
    struct ps_grading_counts counts = {0};
    int64_t pending;
    fixture_open(&f);
    ps_arena_init(&arena, 1 << 20);
    int64_t prompt = fixture_prompt(&f, 1);
    put_item(&f, prompt, "mine", "train", 1, "17");
    put_item(&f, prompt, "mine", "train", 2, "18");
    put_item(&f, prompt, "other", "train", 1, "19");
    put_item(&f, prompt, "other", "train", 5, "18");
    int64_t ids[4];
    static const char *const texts[] = {"\\boxed{17}", "\\boxed{18}", "\\boxed{19}", "\\boxed{20}"};
    for (int s = 0; s < 4; s++) ids[s] = put_text(&f, prompt, s, texts[s], 5, PS_STORE_STOP);
    struct ps_grading grading = open_grading(&f);
    grading.filter.dataset = "other";
    assert_ok(ps_grade_traces(&grading, &counts, &error));
    assert_int_equal(counts.graded, 8);
    grading.filter.dataset = NULL;
    assert_ok(ps_grade_traces_pending(&grading, &pending, &error));
    assert_int_equal(pending, 4); /* 17 is left */
    assert_ok(ps_grade_traces(&grading, &counts, &error));
    assert_int_equal(counts.graded, 12);
    assert_int_equal(counts.changes[PS_GRADING_NEW][PS_VERDICT_CORRECT], 3);
    assert_int_equal(counts.changes[PS_GRADING_NEW][PS_VERDICT_WRONG], 9);

    assert_ok(ps_settings_defaults(&ps_select_table, &settings, &arena, &error));
    static const struct {
        const char *dataset;
        int from, to; /* the samples that are kept */
    } cases[] = {{"mine", 0, 2}, {"other", 1, 3}, {NULL, 0, 3}};
    for (size_t i = 0; i < 3; i++) {
        const struct ps_store_filter filter = {.dataset = cases[i].dataset};
        assert_ok(ps_select_traces(f.store, &settings, &filter, 1, 1, &selection, &error));
        assert_int_equal(selection.considered, 4);
        assert_int_equal(selection.kept, cases[i].to - cases[i].from);
        for (int s = 0; s < 4; s++)
            assert_true(has(&selection, ids[s]) == (s >= cases[i].from && s < cases[i].to));
        assert_int_equal(selection.questions, selection.kept);
        ps_selection_release(&selection);
    }

    /* a corrected gold is graded, and an old one again without grading */
    put_item(&f, prompt, "mine", "train", 1, "20");
    counts = (struct ps_grading_counts){0};
    assert_ok(ps_grade_traces(&grading, &counts, &error));
    assert_int_equal(counts.graded, 4);
    put_item(&f, prompt, "mine", "train", 1, "17");
    assert_ok(ps_grade_traces_pending(&grading, &pending, &error));
    assert_int_equal(pending, 0);
    const struct ps_store_filter mine = {.dataset = "mine", .verdict = "correct"};
    assert_int_equal(count_rows(&f, mine), 1);
    ps_dataset_catalog_close(grading.catalog);
    ps_arena_release(&arena);
    fixture_close(&f);
}

/* More than one batch, several threads; verdicts are kept across closing. */
static void test_grade_many(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    for (int p = 0; p < 30; p++) {
        int64_t prompt = fixture_prompt(&f, p);
        char gold[16];
        snprintf(gold, sizeof gold, "%d", (int)prompt + (p % 3 != 0));
        put_item(&f, prompt, "mine", "train", p, gold); /* a third has another gold */
        for (int s = 0; s < 20; s++) fixture_put(&f, prompt, s);
    }
    assert_ok(ps_store_flush(f.store, &error));
    struct ps_grading grading = open_grading(&f);
    struct ps_grading_counts counts = {0};
    assert_ok(ps_grade_traces(&grading, &counts, &error));
    assert_int_equal(counts.graded, 600);
    fixture_reopen(&f, PS_STORE_READ);
    assert_int_equal(count_rows(&f, (struct ps_store_filter){.verdict = "correct"}), 400);
    assert_int_equal(count_rows(&f, (struct ps_store_filter){.verdict = "wrong"}), 200);
    ps_dataset_catalog_close(grading.catalog);
    fixture_close(&f);
}

/* ---- selecting ---- */

static void judge(struct fixture *f, int64_t trace, const char *verdict) {
    struct ps_store_verdict row = {.grader = "math 1", .verdict = verdict, .gold = "2"};
    assert_ok(ps_store_put_verdict(f->store, trace, &row, &error));
}

static struct ps_select_settings defaults(struct ps_arena *arena) {
    struct ps_select_settings settings;
    assert_ok(ps_settings_defaults(&ps_select_table, &settings, arena, &error));
    return settings;
}

static struct ps_selection chosen(struct fixture *f, const struct ps_select_settings *settings,
                                  uint64_t seed) {
    struct ps_selection selection;
    struct ps_store_filter all[2] = {{0}, {.dataset = "mine"}}; /* the second finds nothing new */
    assert_ok(ps_select_traces(f->store, settings, all, 2, seed, &selection, &error));
    int64_t dropped = 0;
    for (int i = 0; i < PS_SELECT_KEPT; i++) dropped += selection.dropped[i];
    assert_int_equal(selection.considered, dropped + selection.kept);
    return selection;
}

/* Three prompts of a training split with 6 traces each, one of a test split with 1. */
struct pool {
    struct fixture f;
    struct ps_arena arena;
    int64_t ids[3][6], test;
};

static void pool_open(struct pool *pool) {
    struct fixture *f = &pool->f;
    char text[60];
    ps_arena_init(&pool->arena, 1 << 20);
    fixture_open(f);
    for (int p = 0; p < 3; p++) {
        int64_t prompt = fixture_prompt(f, p);
        put_item(f, prompt, "mine", "train", p < 2 ? 7 : 8, "2"); /* two prompts, one question */
        for (int s = 0; s < 6; s++) {
            snprintf(text, sizeof text, "way %d, \\boxed{2}", s == 5 ? 4 : s); /* 5 repeats 4 */
            pool->ids[p][s] =
                put_text(f, prompt, s, text, 10 + s, s == 1 ? PS_STORE_LENGTH : PS_STORE_STOP);
            /* correct: 5 of 5, 3 of 5, 1 of 5; the first is not graded */
            if (s) judge(f, pool->ids[p][s], s + 2 * p <= 5 ? "correct" : "wrong");
        }
    }
    int64_t prompt = fixture_prompt(f, 9);
    put_item(f, prompt, "mine", "test", 1, "2");
    pool->test = put_text(f, prompt, 0, "\\boxed{2}", 10, PS_STORE_STOP);
    judge(f, pool->test, "correct");
    assert_ok(ps_store_flush(f->store, &error));
}

static void pool_close(struct pool *pool) {
    ps_arena_release(&pool->arena);
    fixture_close(&pool->f);
}

static void test_funnel(void **state) {
    (void)state;
    struct pool pool;
    pool_open(&pool);
    struct ps_select_settings settings = defaults(&pool.arena);
    struct ps_selection selection = chosen(&pool.f, &settings, 1);
    assert_int_equal(selection.considered, 19);
    assert_int_equal(selection.dropped[PS_SELECT_DROP_TEST], 1);
    assert_int_equal(selection.dropped[PS_SELECT_DROP_VERDICT], 9);
    assert_int_equal(selection.dropped[PS_SELECT_DROP_REPETITION], 1); /* of prompt 0 */
    assert_int_equal(selection.kept, 8);
    assert_int_equal(selection.questions, 2);
    assert_false(has(&selection, pool.test));
    assert_true(has(&selection, pool.ids[0][4]) != has(&selection, pool.ids[0][5]));
    struct ps_hash hash = selection.hash;
    ps_selection_release(&selection);
    selection = chosen(&pool.f, &settings, 2); /* nothing here is by lot */
    assert_memory_equal(&selection.hash, &hash, sizeof hash);
    ps_selection_release(&selection);

    settings.finish = PS_SELECT_STOP;
    settings.min_tokens = 13;
    settings.max_tokens = 14;
    selection = chosen(&pool.f, &settings, 1);
    assert_int_equal(selection.dropped[PS_SELECT_DROP_FINISH], 3);
    assert_int_equal(selection.dropped[PS_SELECT_DROP_TOKENS], 3);
    assert_int_equal(selection.dropped[PS_SELECT_DROP_REPETITION], 0);
    assert_int_equal(selection.kept, 3);
    assert_memory_not_equal(&selection.hash, &hash, sizeof hash);
    assert_true(has(&selection, pool.ids[0][3]) && has(&selection, pool.ids[0][4]) &&
                has(&selection, pool.ids[1][3]));
    ps_selection_release(&selection);

    settings = defaults(&pool.arena);
    settings.share.min = 0.3;
    settings.share.max = 0.7;
    selection = chosen(&pool.f, &settings, 1);
    assert_int_equal(selection.dropped[PS_SELECT_DROP_SHARE], 6);
    assert_int_equal(selection.kept, 3); /* prompt 1 */
    ps_selection_release(&selection);
    settings.share.model = "teacher";
    selection = chosen(&pool.f, &settings, 1);
    assert_int_equal(selection.kept, 3);
    ps_selection_release(&selection);
    settings.share.model = "nobody";
    struct ps_store_filter all = {0};
    assert_fails(ps_select_traces(pool.f.store, &settings, &all, 1, 1, &selection, &error),
                 PS_ARGUMENT, "nobody");
    ps_selection_release(&selection);

    settings = defaults(&pool.arena);
    settings.keep.items = (const char *[]){"all"};
    selection = chosen(&pool.f, &settings, 1);
    assert_int_equal(selection.kept, 15); /* three repetitions, one of a test split */
    ps_selection_release(&selection);
    settings.keep.items = (const char *[]){"right"};
    assert_fails(ps_select_traces(pool.f.store, &settings, &all, 1, 1, &selection, &error),
                 PS_ARGUMENT, "no verdict 'right'");
    ps_selection_release(&selection);
    pool_close(&pool);
}

static void test_choice(void **state) {
    (void)state;
    struct pool pool;
    pool_open(&pool);
    struct ps_select_settings settings = defaults(&pool.arena);
    settings.per_question = 2;
    settings.prefer = PS_SELECT_SHORTEST;
    struct ps_selection selection = chosen(&pool.f, &settings, 1);
    assert_int_equal(selection.dropped[PS_SELECT_DROP_PER_QUESTION], 5);
    assert_int_equal(selection.kept, 3);
    /* prompts 0 and 1 are one question, whose shortest correct replies have 11 tokens */
    assert_true(has(&selection, pool.ids[0][1]) && has(&selection, pool.ids[1][1]) &&
                has(&selection, pool.ids[2][1]));
    ps_selection_release(&selection);
    settings.prefer = PS_SELECT_LONGEST;
    settings.per_question = 1;
    selection = chosen(&pool.f, &settings, 1);
    assert_int_equal(selection.kept, 2);
    assert_true(has(&selection, pool.ids[0][4]) || has(&selection, pool.ids[0][5]));
    ps_selection_release(&selection);

    /* by lot: the same for the same seed, not the same for all seeds */
    settings.prefer = PS_SELECT_RANDOM;
    settings.per_question = 3;
    settings.count = 2;
    bool differs = false;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct ps_selection a = chosen(&pool.f, &settings, seed);
        struct ps_selection b = chosen(&pool.f, &settings, seed);
        struct ps_selection other = chosen(&pool.f, &settings, seed + 1);
        assert_int_equal(a.kept, 2);
        assert_int_equal(a.dropped[PS_SELECT_DROP_COUNT], 2);
        assert_memory_equal(a.traces, b.traces, 2 * sizeof *a.traces);
        differs = differs || memcmp(a.traces, other.traces, 2 * sizeof *a.traces) != 0;
        ps_selection_release(&a);
        ps_selection_release(&b);
        ps_selection_release(&other);
    }
    assert_true(differs);
    pool_close(&pool);
}

static void test_state(void **state) {
    (void)state;
    struct pool pool;
    struct ps_hash before, after;
    struct ps_store_filter all = {0};
    pool_open(&pool);
    assert_ok(ps_select_state(pool.f.store, &all, 1, &before, &error));
    assert_ok(ps_select_state(pool.f.store, &all, 1, &after, &error));
    assert_memory_equal(&before, &after, sizeof before);
    judge(&pool.f, pool.ids[0][0], "correct");
    assert_ok(ps_select_state(pool.f.store, &all, 1, &after, &error));
    assert_memory_not_equal(&before, &after, sizeof before);
    pool_close(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grade),      cmocka_unit_test(test_golds),
        cmocka_unit_test(test_grade_many), cmocka_unit_test(test_funnel),
        cmocka_unit_test(test_choice),     cmocka_unit_test(test_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
