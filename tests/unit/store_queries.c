/* What is asked of a store: what is missing, lists, totals, verdicts, selections, export. */

#include "store_fixture.h"

static void put_item(struct fixture *f, int64_t prompt, const char *dataset, const char *split,
                     int64_t row, const char *gold) {
    struct ps_store_item item = {.prompt = prompt,
                                 .dataset = dataset,
                                 .split = split,
                                 .row = row,
                                 .gold = gold,
                                 .extra = "{\"level\":2}"};
    assert_ok(ps_store_put_item(f->store, &item, NULL, &error));
}

static void put_verdict(struct fixture *f, int64_t trace, const char *grader, const char *verdict,
                        const char *gold, const char *author) {
    struct ps_store_verdict v = {.grader = grader,
                                 .verdict = verdict,
                                 .gold = gold,
                                 .extracted = "1",
                                 .rule = "boxed",
                                 .author = author};
    assert_ok(ps_store_put_verdict(f->store, trace, &v, &error));
}

static char last_source[50], last_extracted[50], last_extra[50];

static void keep(char *copy, const char *text) {
    snprintf(copy, 50, "%s", text ? text : "(none)");
}

/* Traces a filter finds; the numbers of the last stay in *row, some of its text in last_... */
static int count(struct fixture *f, struct ps_store_filter filter, struct ps_store_row *row) {
    struct ps_store_cursor *cursor;
    struct ps_store_row own;
    bool more;
    int traces = 0;
    unsigned char last[104] = {0}, now[104];
    assert_ok(ps_store_query(f->store, &filter, &cursor, &error));
    for (;; traces++) {
        if (!row) row = &own;
        assert_ok(ps_store_next(cursor, row, &more, &error));
        if (!more) break;
        keep(last_source, row->source);
        keep(last_extracted, row->extracted);
        keep(last_extra, row->extra);
        memcpy(now, row->prompt_hash.bytes, 32);
        memcpy(now + 32, row->source_hash.bytes, 32);
        memcpy(now + 64, row->sampler_hash.bytes, 32);
        for (int i = 0; i < 8; i++) now[96 + i] = (unsigned char)(row->key.sample >> (56 - 8 * i));
        assert_true(traces == 0 || memcmp(last, now, sizeof now) < 0);
        memcpy(last, now, sizeof now);
    }
    ps_store_cursor_close(cursor);
    return traces;
}

static void test_filters(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    int64_t prompts[3], ids[3][4], other;
    for (int p = 0; p < 3; p++) prompts[p] = fixture_prompt(&f, p);
    put_item(&f, prompts[0], "gsm8k", "train", 0, "1");
    put_item(&f, prompts[1], "gsm8k", "test", 7, "2");
    put_item(&f, prompts[1], "mine", "train", 3, "2");
    for (int p = 0; p < 3; p++)
        for (int s = 0; s < 4; s++) {
            struct ps_store_trace trace = fixture_trace(&f, prompts[p], s);
            if (s == 3) trace.finish = PS_STORE_LENGTH;
            trace.output_tokens = 10 + s;
            assert_ok(ps_store_put_trace(f.store, &trace, &ids[p][s], NULL, &error));
        }
    assert_ok(ps_store_put_source(f.store, "other", "{\"served\":\"x\"}", &other, NULL, &error));
    struct ps_store_trace trace = fixture_trace(&f, prompts[2], 0);
    trace.key.source = other;
    assert_ok(ps_store_put_trace(f.store, &trace, NULL, NULL, &error));
    put_verdict(&f, ids[0][0], "math 1", "wrong", "1", NULL);
    put_verdict(&f, ids[0][0], "math 2", "correct", "1", NULL);
    put_verdict(&f, ids[0][1], "hand", "wrong", "1", "Ada");
    put_verdict(&f, ids[0][1], "math 2", "correct", "1", NULL);
    put_verdict(&f, ids[0][3], "math 2", "truncated", "1", NULL);
    put_verdict(&f, ids[1][0], "math 2", "correct", "3", NULL); /* gold was corrected since */
    put_verdict(&f, ids[1][1], "math 2", "gold_unreadable", "2", NULL);
    assert_ok(ps_store_flush(f.store, &error));

    struct ps_store_row row;
    assert_int_equal(count(&f, (struct ps_store_filter){0}, NULL), 13);
    assert_int_equal(count(&f, (struct ps_store_filter){.dataset = "gsm8k"}, NULL), 8);
    assert_int_equal(count(&f, (struct ps_store_filter){.dataset = "mine"}, &row), 4);
    assert_int_equal(row.row, 3);
    assert_true(row.in_test); /* by way of gsm8k/test */
    assert_int_equal(count(&f, (struct ps_store_filter){.dataset = "gsm8k", .split = "test"}, NULL),
                     4);
    assert_int_equal(count(&f, (struct ps_store_filter){.split = "train"}, NULL), 8);
    assert_int_equal(count(&f, (struct ps_store_filter){.source = "other"}, &row), 1);
    assert_null(row.dataset);
    assert_false(row.in_test);
    assert_null(row.gold);
    assert_null(row.verdict);
    assert_string_equal(last_source, "other");
    assert_int_equal(count(&f, (struct ps_store_filter){.finish = "length"}, NULL), 3);
    assert_int_equal(count(&f, (struct ps_store_filter){.min_tokens = 12}, NULL), 7);
    assert_int_equal(count(&f, (struct ps_store_filter){.max_tokens = 11}, NULL), 6);
    assert_int_equal(count(&f, (struct ps_store_filter){.prompt_id = prompts[2]}, NULL), 5);
    assert_int_equal(
        count(&f, (struct ps_store_filter){.source_id = other, .sampler_id = f.sampler}, NULL), 1);
    assert_int_equal(count(&f, (struct ps_store_filter){.limit = 5}, NULL), 5);
    assert_int_equal(count(&f, (struct ps_store_filter){.verdict = "correct"}, NULL), 1);
    assert_int_equal(count(&f, (struct ps_store_filter){.verdict = "wrong"}, &row), 1);
    assert_int_equal(row.id, ids[0][1]);
    assert_string_equal(last_extracted, "1");
    assert_string_equal(last_extra, "{\"level\":2}");
    assert_int_equal(count(&f, (struct ps_store_filter){.verdict = "none"}, NULL), 9);
    assert_int_equal(count(&f, (struct ps_store_filter){.ungraded = "math 2"}, NULL), 9);
    assert_int_equal(
        count(&f, (struct ps_store_filter){.ungraded = "math 2", .prompt_id = prompts[1]}, NULL),
        3);

    int64_t chosen[] = {ids[2][1], ids[0][0], ids[0][0]};
    assert_ok(ps_store_put_selection(f.store, "a", "{}", chosen, 3, &error));
    assert_ok(ps_store_put_selection(f.store, "b", NULL, chosen, 1, &error));
    assert_int_equal(count(&f, (struct ps_store_filter){.selection = "a"}, NULL), 2);
    assert_ok(ps_store_put_selection(f.store, "a", "{}", &ids[1][1], 1, &error));
    assert_int_equal(count(&f, (struct ps_store_filter){.selection = "a"}, &row), 1);
    assert_int_equal(row.id, ids[1][1]);
    assert_int_equal(count(&f, (struct ps_store_filter){.selection = "c"}, NULL), 0);
    int64_t absent = 999;
    assert_fails(ps_store_put_selection(f.store, "b", NULL, &absent, 1, &error), PS_ARGUMENT,
                 "FOREIGN");
    assert_int_equal(count(&f, (struct ps_store_filter){.selection = "b"}, NULL), 1);

    struct ps_store_stats stats;
    struct ps_store_filter train = {.dataset = "gsm8k", .split = "train"};
    assert_ok(ps_store_stats(f.store, &train, &stats, &error));
    assert_int_equal(stats.traces, 4);
    assert_int_equal(stats.prompts, 1);
    assert_int_equal(stats.tokens, 10 + 11 + 12 + 13);
    assert_string_equal(stats.finishes[0].name, "length");
    assert_int_equal(stats.finishes[0].count, 1);
    assert_int_equal(stats.finishes[1].count, 3);
    int64_t graded = 0;
    for (int i = 0; i < 8; i++)
        if (strcmp(stats.verdicts[i].name, "none") != 0) graded += stats.verdicts[i].count;
    assert_int_equal(graded, 3);
    assert_true(stats.file_bytes > stats.body_bytes);
    struct ps_store_difficulty difficulty;
    struct ps_store_item first = {.prompt = prompts[0], .dataset = "gsm8k", .split = "train"};
    int64_t item;
    assert_ok(ps_store_find_item(f.store, &first, &item, &error));
    assert_ok(ps_store_difficulty(f.store, prompts[0], item, f.source, &difficulty, &error));
    assert_int_equal(difficulty.graded, 3);
    assert_int_equal(difficulty.correct, 1);
    assert_ok(ps_store_difficulty(f.store, prompts[2], 0, f.source, &difficulty, &error));
    assert_true(isnan(difficulty.share));
    fixture_close(&f);
}

/* "dataset:gold:verdict" of each row of the trace, in the order of data sets. */
static void golds(struct fixture *f, struct ps_store_filter filter, char *text, size_t size) {
    char parts[4][60];
    int count = 0;
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more;
    assert_ok(ps_store_query(f->store, &filter, &cursor, &error));
    for (;;) {
        assert_ok(ps_store_next(cursor, &row, &more, &error));
        if (!more) break;
        assert_true(count < 4);
        snprintf(parts[count++], sizeof parts[0], "%s%lld:%s:%s ", row.dataset ? row.dataset : "-",
                 (long long)row.row, row.gold ? row.gold : "-", row.verdict ? row.verdict : "-");
    }
    ps_store_cursor_close(cursor);
    qsort(parts, (size_t)count, sizeof parts[0], (int (*)(const void *, const void *))strcmp);
    *text = 0;
    for (int i = 0; i < count; i++) strncat(text, parts[i], size - strlen(text) - 1);
}

/* Data sets that share a prompt and differ in its gold: each has its own verdict, difficulty and
 * place in lists. */
static void test_golds(void **state) {
    (void)state;
    struct fixture f;
    struct ps_store_difficulty difficulty;
    struct ps_store_stats stats;
    char text[200];
    const int64_t nine = 9;
    fixture_open(&f);
    int64_t prompt = fixture_prompt(&f, 1), id = fixture_put(&f, prompt, 0);
    int64_t other = fixture_put(&f, prompt, 1), item;
    put_item(&f, prompt, "a", "train", 1, "2");
    put_item(&f, prompt, "b", "train", 1, "3");
    put_item(&f, prompt, "b", "train", 9, "3");
    put_item(&f, prompt, "c", "train", 1, NULL);
    put_verdict(&f, id, "math 1", "correct", "2", NULL);
    put_verdict(&f, id, "math 1", "wrong", "3", NULL);
    put_verdict(&f, id, "math 1", "no_gold", NULL, NULL);
    assert_ok(ps_store_flush(f.store, &error));
#define EXPECT(expected, ...)                                                                      \
    do {                                                                                           \
        golds(&f, (struct ps_store_filter){.trace_id = id, __VA_ARGS__}, text, sizeof text);       \
        assert_string_equal(text, expected);                                                       \
    } while (0)
    EXPECT("a1:2:correct ", .limit = 0);
    EXPECT("b1:3:wrong ", .dataset = "b");
    EXPECT("b9:3:wrong ", .dataset = "b", .row = &nine);
    EXPECT("c1:-:no_gold ", .dataset = "c");
    EXPECT("a1:2:correct b1:3:wrong c1:-:no_gold ", .per = PS_STORE_PER_GOLD);
    EXPECT("a1:2:correct b1:3:wrong b9:3:wrong c1:-:no_gold ", .per = PS_STORE_PER_ITEM);
    EXPECT("b1:3:wrong b9:3:wrong ", .per = PS_STORE_PER_ITEM, .verdict = "wrong");
    EXPECT("b9:3:wrong ", .per = PS_STORE_PER_GOLD, .row = &nine);
    EXPECT("", .dataset = "b", .verdict = "correct");
    EXPECT("", .per = PS_STORE_PER_GOLD, .ungraded = "math 1");
    put_verdict(&f, other, "math 1", "correct", "3", NULL);
    golds(&f, (struct ps_store_filter){.per = PS_STORE_PER_GOLD, .ungraded = "math 1"}, text,
          sizeof text);
    assert_string_equal(text, "a1:2:- c1:-:- ");

    /* the share of correct replies is one for each */
    struct ps_store_item asked = {.prompt = prompt, .dataset = "b", .split = "train", .row = 9};
    assert_ok(ps_store_find_item(f.store, &asked, &item, &error));
    assert_ok(ps_store_difficulty(f.store, prompt, item, f.source, &difficulty, &error));
    assert_int_equal(difficulty.graded, 2);
    assert_int_equal(difficulty.correct, 1);
    const struct ps_store_range half = {0.5, 0.5};
    EXPECT("b1:3:wrong b9:3:wrong ", .per = PS_STORE_PER_ITEM, .difficulty = &half);
    struct ps_store_filter b = {.dataset = "b"};
    assert_ok(ps_store_stats(f.store, &b, &stats, &error));
    assert_string_equal(stats.verdicts[0].name, "correct");
    assert_int_equal(stats.verdicts[0].count, 1);
    assert_string_equal(stats.verdicts[1].name, "wrong");
    assert_int_equal(stats.verdicts[1].count, 1);

    /* by hand: about one gold, then about the reply */
    put_verdict(&f, id, "override", "correct", "3", "Ada");
    EXPECT("a1:2:correct b1:3:correct c1:-:no_gold ", .per = PS_STORE_PER_GOLD);
    put_verdict(&f, id, "override", "undecided", NULL, "Bob");
    put_verdict(&f, id, "math 2", "wrong", "3", NULL);
    EXPECT("a1:2:undecided b1:3:undecided c1:-:undecided ", .per = PS_STORE_PER_GOLD);
    put_verdict(&f, id, "override", "wrong", "2", "Ada");
    EXPECT("a1:2:wrong b1:3:undecided c1:-:undecided ", .per = PS_STORE_PER_GOLD);
#undef EXPECT
    fixture_close(&f);
}

static void test_pending(void **state) {
    (void)state;
    struct fixture f;
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 20);
    fixture_open(&f);
    int64_t prompt = fixture_prompt(&f, 1), second = fixture_prompt(&f, 2);
    fixture_put(&f, prompt, 0);
    struct ps_store_trace trace = fixture_trace(&f, prompt, 2);
    trace.finish = PS_STORE_LENGTH; /* max_tokens 64 */
    assert_ok(ps_store_put_trace(f.store, &trace, NULL, NULL, &error));
    fixture_put(&f, prompt, 9);
    fixture_put(&f, second, 1);
    uint8_t states[4];
    assert_ok(ps_store_states(f.store, &trace.key, 64, states, 4, &error));
    assert_memory_equal(
        states, ((uint8_t[]){PS_STORE_DONE, PS_STORE_MISSING, PS_STORE_DONE, PS_STORE_MISSING}), 4);
    assert_ok(ps_store_states(f.store, &trace.key, 65, states, 4, &error));
    assert_int_equal(states[2], PS_STORE_CUT);
    assert_int_equal(states[0], PS_STORE_DONE);

    struct ps_store_partial *partials;
    size_t count;
    struct ps_store_key key = {second, f.source, f.sampler, 5};
    assert_ok(ps_store_put_partial(f.store, &key, trace.ids, trace.logprobs, 10, &error));
    assert_ok(ps_store_put_partial(f.store, &key, trace.ids, trace.logprobs, 30, &error));
    key.sample = 4;
    assert_ok(ps_store_put_partial(f.store, &key, trace.ids, NULL, 0, &error));
    key.prompt = prompt;
    assert_ok(ps_store_put_partial(f.store, &key, trace.ids, NULL, 3, &error));
    assert_ok(ps_store_flush(f.store, &error));
    assert_ok(
        ps_store_read_partials(f.store, f.source, f.sampler, &arena, &partials, &count, &error));
    assert_int_equal(count, 3);
    assert_int_equal(partials[0].key.prompt, prompt);
    assert_int_equal(partials[0].count, 3);
    assert_null(partials[0].logprobs);
    assert_int_equal(partials[1].count, 0);
    assert_int_equal(partials[2].count, 30);
    assert_memory_equal(partials[2].ids, trace.ids, 30 * sizeof *trace.ids);
    assert_int_equal(ps_store_logprob_encode(partials[2].logprobs[29]),
                     ps_store_logprob_encode(trace.logprobs[29]));
    fixture_put(&f, second, 5); /* has landed */
    assert_ok(
        ps_store_read_partials(f.store, f.source, f.sampler, &arena, &partials, &count, &error));
    assert_int_equal(count, 2);
    assert_ok(ps_store_put_attempt(f.store, &key, f.provenance, "timeout", "after 3 s", &error));
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(f.store, NULL, &stats, &error));
    assert_int_equal(stats.attempts, 1);
    assert_int_equal(stats.partials, 2);
    ps_arena_release(&arena);
    fixture_close(&f);
}

static void export_line(struct fixture *f, int64_t id, struct ps_store_line how,
                        struct ps_buffer *out) {
    struct ps_store_filter filter = {.trace_id = id};
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more;
    assert_ok(ps_store_query(f->store, &filter, &cursor, &error));
    assert_ok(ps_store_next(cursor, &row, &more, &error));
    assert_true(more);
    assert_ok(ps_store_export(f->store, &row, &how, out, &error));
    ps_store_cursor_close(cursor);
}

static void test_export(void **state) {
    (void)state;
    struct fixture f;
    struct ps_buffer out;
    ps_buffer_init(&out, 1 << 20);
    fixture_open(&f);
    int64_t prompt, id;
    assert_ok(ps_store_put_prompt(f.store,
                                  "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
                                  "{\"content\":\"a\\\"b\",\"name\":\"n\",\"role\":\"user\"}]}",
                                  &prompt, NULL, &error));
    struct ps_store_trace trace = {.key = {prompt, f.source, f.sampler, 0},
                                   .provenance = f.provenance,
                                   .reasoning = "\nso\xFF\n",
                                   .reasoning_size = 5,
                                   .content = "\n\n2",
                                   .content_size = 3};
    assert_ok(ps_store_put_trace(f.store, &trace, &id, NULL, &error));
    export_line(&f, id, (struct ps_store_line){.reasoning = PS_STORE_INLINE}, &out);
    export_line(&f, id, (struct ps_store_line){.reasoning = PS_STORE_APART}, &out);
    trace.key.sample = 1;
    trace.content_size = 0;
    trace.finish = PS_STORE_LENGTH;
    assert_ok(ps_store_put_trace(f.store, &trace, &id, NULL, &error));
    export_line(&f, id, (struct ps_store_line){.reasoning = PS_STORE_INLINE}, &out);
    trace.key.sample = 2;
    trace.reasoning_size = 0;
    trace.content = "3";
    trace.content_size = 1;
    assert_ok(ps_store_put_trace(f.store, &trace, &id, NULL, &error));
    export_line(&f, id, (struct ps_store_line){.reasoning = PS_STORE_INLINE}, &out);
#define MESSAGES                                                                                   \
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"                              \
    "{\"role\":\"user\",\"content\":\"a\\\"b\",\"name\":\"n\"},{\"role\":\"assistant\","
    assert_string_equal(
        out.data, MESSAGES
        "\"content\":\"<think>\\nso\xEF\xBF\xBD\\n</think>\\n\\n2\"}]}\n" MESSAGES
        "\"reasoning_content\":\"\\nso\xEF\xBF\xBD\\n\",\"content\":\"\\n\\n2\"}]}\n" MESSAGES
        "\"content\":\"<think>\\nso\xEF\xBF\xBD\\n\"}]}\n" MESSAGES "\"content\":\"3\"}]}\n");
    ps_buffer_release(&out);
    fixture_close(&f);
}

/* One conversation in each format, with and without what is known about it. */
static void test_export_formats(void **state) {
    (void)state;
    struct fixture f;
    struct ps_buffer out;
    int64_t prompt, id;
    ps_buffer_init(&out, 1 << 20);
    fixture_open(&f);
    assert_ok(ps_store_put_prompt(f.store, "{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}]}",
                                  &prompt, NULL, &error));
    struct ps_store_item item = {.prompt = prompt, .dataset = "sums", .split = "dev", .row = 4};
    item.gold = "2";
    item.extra = "{\"id\":\"s-4\"}";
    assert_ok(ps_store_put_item(f.store, &item, NULL, &error));
    struct ps_store_trace trace = {.key = {prompt, f.source, f.sampler, 0},
                                   .provenance = f.provenance,
                                   .reasoning = "R",
                                   .reasoning_size = 1,
                                   .content = "A",
                                   .content_size = 1};
    struct ps_store_verdict verdict = {.grader = "math 1", .verdict = "wrong", .gold = "2"};
    assert_ok(ps_store_put_trace(f.store, &trace, &id, NULL, &error));
    assert_ok(ps_store_put_verdict(f.store, id, &verdict, &error));
    struct ps_store_line how = {.format = PS_STORE_SHAREGPT, .metadata = true};
    export_line(&f, id, how, &out);
    how = (struct ps_store_line){PS_STORE_SHAREGPT, PS_STORE_APART, false};
    export_line(&f, id, how, &out);
    how = (struct ps_store_line){PS_STORE_PROMPT_COMPLETION, PS_STORE_INLINE, false};
    export_line(&f, id, how, &out);
    how = (struct ps_store_line){PS_STORE_PROMPT_COMPLETION, PS_STORE_APART, false};
    export_line(&f, id, how, &out);
    assert_ok(ps_store_put_prompt(f.store,
                                  "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
                                  "{\"role\":\"user\",\"content\":\"Q\"}]}",
                                  &trace.key.prompt, NULL, &error));
    assert_ok(ps_store_put_trace(f.store, &trace, &id, NULL, &error));
    export_line(&f, id, how, &out);
    assert_string_equal(
        out.data,
        "{\"conversations\":[{\"from\":\"human\",\"value\":\"Q\"},{\"from\":\"gpt\",\"value\":"
        "\"<think>R</think>A\"}],\"id\":\"s-4\",\"dataset\":\"sums/dev\",\"gold\":\"2\","
        "\"verdict\":\"wrong\",\"finish_reason\":\"stop\",\"model\":\"teacher\"}\n"
        "{\"conversations\":[{\"from\":\"human\",\"value\":\"Q\"},{\"from\":\"gpt\","
        "\"reasoning_content\":\"R\",\"value\":\"A\"}]}\n"
        "{\"prompt\":\"Q\",\"completion\":\"<think>R</think>A\"}\n"
        "{\"prompt\":\"Q\",\"reasoning_content\":\"R\",\"completion\":\"A\"}\n"
        "{\"prompt\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":"
        "\"Q\"}],\"completion\":[{\"role\":\"assistant\",\"reasoning_content\":\"R\","
        "\"content\":\"A\"}]}\n");
    ps_buffer_release(&out);
    fixture_close(&f);
}

static int64_t total(struct fixture *f, struct ps_store_filter filter) {
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(f->store, &filter, &stats, &error));
    return stats.traces;
}

/* By text, share of correct answers, and the beginning of a prompt's hash; packed or not. */
static void test_searches(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    struct ps_hash hash;
    int64_t prompts[3], id, packed;
    static const char *const texts[] = {"", "Wait, no", "the sum is 9", "WAIT", "nowait"};
    for (int p = 0; p < 3; p++) {
        char json[128];
        snprintf(json, sizeof json,
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"question %d\"}]}", p);
        assert_ok(ps_store_put_prompt(f.store, json, &prompts[p], &hash, &error));
        for (int s = 0; s < 5; s++) {
            struct ps_store_trace trace = {.key = {prompts[p], f.source, f.sampler, s},
                                           .provenance = f.provenance,
                                           .reasoning = s % 2 ? texts[s] : "on ",
                                           .reasoning_size = s % 2 ? strlen(texts[s]) : 3,
                                           .content = s % 2 ? "e" : texts[s],
                                           .content_size = s % 2 ? 1 : strlen(texts[s])};
            struct ps_store_verdict verdict = {.grader = "math 1",
                                               .verdict = s < p ? "correct" : "wrong"};
            assert_ok(ps_store_put_trace(f.store, &trace, &id, NULL, &error));
            if (s < 4) assert_ok(ps_store_put_verdict(f.store, id, &verdict, &error));
        }
    }
    assert_ok(ps_store_flush(f.store, &error));
    for (int round = 0; round < 2; round++) {
        assert_int_equal(total(&f, (struct ps_store_filter){.text = "wait"}), 9);
        assert_int_equal(total(&f, (struct ps_store_filter){.text = "Wait,"}), 3);
        assert_int_equal(total(&f, (struct ps_store_filter){.text = "IS 9"}), 3);
        assert_int_equal(total(&f, (struct ps_store_filter){.text = "is 99"}), 0);
        assert_int_equal(total(&f, (struct ps_store_filter){.text = "noe"}), 0); /* two parts */
        struct ps_store_filter both = {.text = "wait", .prompt_id = prompts[0]};
        assert_int_equal(total(&f, both), 3);
        assert_ok(ps_store_pack(f.store, &packed, NULL, &error));
    }
    /* shares 0, 1/4 and 1/2 */
    struct ps_store_range range = {0.25, 0.5};
    struct ps_store_filter filter = {.difficulty = &range};
    assert_int_equal(total(&f, filter), 10);
    range.low = 0.26;
    assert_int_equal(total(&f, filter), 5);
    range = (struct ps_store_range){0, 0};
    assert_int_equal(total(&f, filter), 5);
    char hex[PS_HASH_HEX_SIZE];
    filter = (struct ps_store_filter){.prompt = ps_hash_hex(&hash, hex)};
    assert_int_equal(total(&f, filter), 5);
    for (int digits = 63; digits > 11; digits -= 3) {
        hex[digits] = 0;
        hex[0] = hex[0] >= 'a' ? (char)(hex[0] - 'a' + 'A') : hex[0];
        assert_int_equal(total(&f, filter), 5);
    }
    hex[11] = hex[11] == '0' ? '1' : '0';
    assert_int_equal(total(&f, filter), 0);
    struct ps_store_stats stats;
    filter.prompt = "xyz";
    assert_fails(ps_store_stats(f.store, &filter, &stats, &error), PS_ARGUMENT, "'xyz'");
    fixture_close(&f);
}

enum { MANY = 5000, SIZE = 150 };

/* A text with the needle at a place of its own, or with what is nearly one. */
static bool hay(int index, char text[SIZE]) {
    static const char needle[] = "Need[le]", near[] = "need{le]";
    bool has = index % 7 == 0;
    for (int i = 0; i < SIZE; i++) text[i] = "nNeEdl[]{ "[(index + i * i) % 10];
    memcpy(text + (index * 13) % (SIZE - 7), has ? needle : near, 8);
    return has;
}

static int64_t listed(struct fixture *f, struct ps_store_filter filter, int64_t *ids, int most) {
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    int64_t count = 0;
    bool more;
    assert_ok(ps_store_query(f->store, &filter, &cursor, &error));
    for (;; count++) {
        assert_ok(ps_store_next(cursor, &row, &more, &error));
        if (!more) break;
        if (count < most) ids[count] = row.id;
    }
    ps_store_cursor_close(cursor);
    return count;
}

/* More traces than a chunk has, and than a list with a limit looks at first. */
static void test_search_of_many(void **state) {
    (void)state;
    struct fixture f;
    char text[SIZE];
    int64_t all[10], some[10], prompt = 0, packed, wanted = 0;
    fixture_open(&f);
    for (int i = 0; i < MANY; i++) {
        if (i % 8 == 0) prompt = fixture_prompt(&f, i);
        wanted += hay(i, text);
        struct ps_store_trace trace = {.key = {prompt, f.source, f.sampler, i % 8},
                                       .provenance = f.provenance,
                                       .content = text,
                                       .content_size = SIZE,
                                       .output_tokens = i == MANY - 1 ? 9 : 1};
        assert_ok(ps_store_put_trace(f.store, &trace, NULL, NULL, &error));
    }
    for (int round = 0; round < 2; round++) {
        struct ps_store_filter filter = {.text = "NEED[LE]"};
        assert_int_equal(listed(&f, filter, all, 10), wanted);
        filter.limit = 10;
        assert_int_equal(listed(&f, filter, some, 10), 10);
        assert_memory_equal(all, some, sizeof all);
        filter.limit = wanted - 1;
        assert_int_equal(listed(&f, filter, some, 10), wanted - 1);
        filter.limit = MANY;
        filter.min_tokens = 1;
        assert_int_equal(listed(&f, filter, some, 10), wanted);
        filter.min_tokens = 9;
        assert_int_equal(listed(&f, filter, some, 10), MANY % 7 == 1);
        assert_ok(ps_store_pack(f.store, &packed, NULL, &error));
    }
    fixture_sql(&f, "UPDATE trace SET content_bytes = 1 << 40 WHERE id = 77");
    struct ps_store_filter filter = {.text = "need[le]"};
    struct ps_store_cursor *cursor;
    assert_fails(ps_store_query(f.store, &filter, &cursor, &error), PS_CORRUPT, "frame");
    fixture_sql(&f, "UPDATE frame SET raw_bytes = raw_bytes + 1");
    assert_fails(ps_store_query(f.store, &filter, &cursor, &error), PS_CORRUPT, "another size");
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),        cmocka_unit_test(test_golds),
        cmocka_unit_test(test_pending),        cmocka_unit_test(test_export),
        cmocka_unit_test(test_export_formats), cmocka_unit_test(test_searches),
        cmocka_unit_test(test_search_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
