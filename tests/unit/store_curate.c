/* Merging stores, correcting and deleting, backups. */

#include "store_fixture.h"

/* A trace of sample s of prompt number p, changed as told; its verdict and time if given. */
static int64_t put(struct fixture *f, int p, int64_t sample, enum ps_store_finish finish,
                   int64_t tokens, const char *content) {
    struct ps_store_trace trace = fixture_trace(f, fixture_prompt(f, p), sample);
    int64_t id;
    trace.finish = finish;
    trace.output_tokens = tokens;
    /* the fixture's texts depend on row ids, which differ between stores */
    trace.reasoning = "One by one.";
    trace.reasoning_size = strlen(trace.reasoning);
    static int32_t ids[40];
    for (int i = 0; i < 40; i++) ids[i] = (int32_t)(p * 1000 + sample * 7 + i);
    trace.ids = ids;
    trace.content = content;
    trace.content_size = strlen(content);
    assert_ok(ps_store_put_trace(f->store, &trace, &id, NULL, &error));
    return id;
}

static void judge(struct fixture *f, int64_t trace, const char *verdict, const char *author,
                  int64_t time) {
    struct ps_store_verdict v = {
        .grader = "math 1", .verdict = verdict, .author = author, .time = time};
    assert_ok(ps_store_put_verdict(f->store, trace, &v, &error));
}

static struct ps_store_merge_counts merge(struct fixture *into, struct fixture *from) {
    struct ps_store_merge_counts counts;
    struct ps_store *other;
    assert_ok(ps_store_flush(from->store, &error));
    assert_ok(ps_store_open(&other, from->path, PS_STORE_READ, &error));
    assert_ok(ps_store_merge(into->store, other, NULL, &counts, &error));
    ps_store_close(other);
    return counts;
}

static void assert_same_traces(struct fixture *a, struct fixture *b) {
    char left[PS_HASH_HEX_SIZE], right[PS_HASH_HEX_SIZE];
    fixture_hash(a, left);
    fixture_hash(b, right);
    assert_string_equal(left, right);
}

static int64_t value(struct fixture *f, const char *sql) {
    int64_t result;
    assert_ok(ps_store_get(f->store, &result, &error, sql, ""));
    return result;
}

static void union_of_two(void **state) {
    (void)state;
    struct fixture a, b;
    fixture_open(&a);
    fixture_open(&b);
    fixture_prompt(&b, 99); /* so that row ids differ */
    put(&a, 1, 0, PS_STORE_STOP, 40, "1");
    put(&a, 2, 0, PS_STORE_STOP, 40, "2");
    put(&a, 2, 1, PS_STORE_STOP, 40, "3");
    put(&b, 3, 0, PS_STORE_LENGTH, 40, "5");
    put(&b, 2, 1, PS_STORE_STOP, 40, "3");
    put(&b, 2, 2, PS_STORE_STOP, 40, "4");
    struct ps_store_merge_counts counts = merge(&a, &b);
    assert_int_equal(counts.added, 2);
    assert_int_equal(counts.same, 1);
    assert_int_equal(counts.conflicts, 0);
    counts = merge(&b, &a);
    assert_int_equal(counts.added, 2);
    assert_int_equal(counts.same, 3);
    assert_same_traces(&a, &b);
    counts = merge(&a, &b);
    assert_int_equal(counts.added, 0);
    assert_int_equal(counts.same, 5);
    fixture_close(&a);
    fixture_close(&b);
}

/* Both directions end with the same traces: the better of each pair. */
static void conflicts(void **state) {
    (void)state;
    struct fixture a, b, c;
    fixture_open(&a);
    fixture_open(&b);
    fixture_open(&c);
    put(&a, 1, 0, PS_STORE_STOP, 10, "stopped");
    put(&b, 1, 0, PS_STORE_LENGTH, 40, "cut");
    put(&a, 2, 0, PS_STORE_LENGTH, 40, "cut");
    put(&b, 2, 0, PS_STORE_STOP, 10, "stopped");
    put(&a, 3, 0, PS_STORE_STOP, 10, "short");
    put(&b, 3, 0, PS_STORE_STOP, 11, "longer");
    put(&a, 4, 0, PS_STORE_LENGTH, 12, "cut later");
    put(&b, 4, 0, PS_STORE_LENGTH, 11, "cut");
    put(&a, 5, 0, PS_STORE_STOP, 10, "one");
    put(&b, 5, 0, PS_STORE_STOP, 10, "other");
    merge(&c, &a);
    struct ps_store_merge_counts counts = merge(&c, &b);
    assert_int_equal(counts.added, 0);
    assert_int_equal(counts.conflicts, 5);
    counts = merge(&b, &a);
    assert_int_equal(counts.conflicts, 5);
    assert_same_traces(&b, &c);
    assert_int_equal(value(&c, "SELECT count(*) FROM trace"), 5);
    assert_int_equal(value(&c, "SELECT sum(output_tokens) FROM trace WHERE finish_reason = 'stop'"),
                     10 + 10 + 11 + 10);
    assert_int_equal(
        value(&c, "SELECT sum(output_tokens) FROM trace WHERE finish_reason = 'length'"), 12);
    fixture_close(&a);
    fixture_close(&b);
    fixture_close(&c);
}

/* The verdict that counts is the latest, from whichever store; none comes twice. */
static void verdicts(void **state) {
    (void)state;
    struct fixture a, b;
    fixture_open(&a);
    fixture_open(&b);
    int64_t ours = put(&a, 1, 0, PS_STORE_STOP, 40, "1");
    int64_t theirs = put(&b, 1, 0, PS_STORE_STOP, 40, "1");
    judge(&a, ours, "undecided", NULL, 10);
    judge(&a, ours, "correct", NULL, 30);
    judge(&b, theirs, "undecided", NULL, 10);
    judge(&b, theirs, "wrong", NULL, 20);
    struct ps_store_merge_counts counts = merge(&a, &b);
    assert_int_equal(counts.verdicts, 1);
    assert_int_equal(value(&a, "SELECT verdict = 'correct' FROM latest_verdict"), 1);
    assert_int_equal(value(&a, "SELECT count(*) FROM verdict"), 3);
    assert_int_equal(value(&a, "SELECT group_concat(number || verdict) = '1undecided,2wrong,"
                               "3correct' FROM (SELECT * FROM verdict ORDER BY number)"),
                     1);
    assert_int_equal(merge(&a, &b).verdicts, 0);
    judge(&b, theirs, "wrong", "ada", 15);
    assert_int_equal(merge(&a, &b).verdicts, 1);
    assert_int_equal(value(&a, "SELECT author = 'ada' FROM latest_verdict"), 1);
    fixture_close(&a);
    fixture_close(&b);
}

static void rest(void **state) {
    (void)state;
    struct fixture a, b;
    int32_t ids[3] = {1, 2, 3};
    fixture_open(&a);
    fixture_open(&b);
    for (int i = 0; i < 2; i++) {
        struct fixture *f = i ? &b : &a;
        int64_t prompt = fixture_prompt(f, 1);
        struct ps_store_item item = {
            .prompt = prompt, .dataset = "sums", .split = "train", .gold = i ? "3" : "2"};
        assert_ok(ps_store_put_item(f->store, &item, NULL, &error));
        struct ps_store_key key = {prompt, f->source, f->sampler, 0};
        assert_ok(ps_store_put_partial(f->store, &key, ids, NULL, i ? 3 : 2, &error));
        key.sample = 1;
        if (i) assert_ok(ps_store_put_partial(f->store, &key, ids, NULL, 3, &error));
        assert_ok(ps_store_put_attempt(f->store, &key, f->provenance, "timeout", NULL, &error));
    }
    put(&a, 1, 1, PS_STORE_STOP, 40, "done");
    assert_ok(ps_store_flush(b.store, &error));
    fixture_sql(&b, "UPDATE attempt SET time = 7");
    struct ps_store_merge_counts counts = merge(&a, &b);
    assert_int_equal(counts.golds, 1);
    assert_int_equal(counts.items, 0);
    merge(&a, &b);
    assert_int_equal(value(&a, "SELECT gold = '2' FROM item"), 1);
    /* The longer partial is taken; none where the trace is done. */
    assert_int_equal(value(&a, "SELECT sum(length(ids)) FROM partial"), 4);
    assert_int_equal(value(&a, "SELECT count(*) FROM attempt"), 2);
    fixture_close(&a);
    fixture_close(&b);
}

static void edits(void **state) {
    (void)state;
    struct fixture f;
    int64_t items, traces;
    fixture_open(&f);
    for (int i = 0; i < 2; i++) {
        struct ps_store_item item = {.prompt = fixture_prompt(&f, i),
                                     .dataset = "sums",
                                     .split = "train",
                                     .row = i,
                                     .gold = "2"};
        assert_ok(ps_store_put_item(f.store, &item, NULL, &error));
        struct ps_store_verdict wrong = {.grader = "math 1", .verdict = "wrong", .gold = "2"};
        int64_t id = put(&f, i, 0, PS_STORE_STOP, 10 + i, "1");
        assert_ok(ps_store_put_verdict(f.store, id, &wrong, &error));
        put(&f, i, 1, PS_STORE_STOP, 30, "1");
    }
    assert_ok(ps_store_set_gold(f.store, "sums", "train", 1, "1", &items, &error));
    assert_int_equal(items, 1);
    assert_int_equal(value(&f, "SELECT sum(row) FROM item WHERE gold = '1'"), 1);
    /* sampling more of it puts the data set's gold again: the correction stays */
    struct ps_store_item again = {.prompt = fixture_prompt(&f, 1),
                                  .dataset = "sums",
                                  .split = "train",
                                  .row = 1,
                                  .gold = "2"};
    assert_ok(ps_store_put_item(f.store, &again, NULL, &error));
    assert_int_equal(value(&f, "SELECT sum(row) FROM item WHERE gold = '1' AND corrected > 0"), 1);
    assert_ok(ps_store_set_gold(f.store, "sums", "train", 7, "1", &items, &error));
    assert_int_equal(items, 0);
    /* the gold of one was corrected: its verdict is history */
    const struct ps_store_filter filter = {.verdict = "wrong"};
    assert_ok(ps_store_delete(f.store, &filter, &traces, &error));
    assert_int_equal(traces, 1);
    assert_int_equal(value(&f, "SELECT count(*) FROM trace"), 3);
    assert_int_equal(value(&f, "SELECT count(*) FROM verdict"), 1);
    char hex[PS_HASH_HEX_SIZE];
    fixture_hash(&f, hex); /* what is left can be read */
    fixture_close(&f);
}

/* A copy made while the store is open for writing has what was flushed, and is a store. */
static void backup(void **state) {
    (void)state;
    struct fixture f;
    struct ps_store *reader, *copy;
    struct ps_hash before, after;
    char path[128];
    fixture_open(&f);
    put(&f, 1, 0, PS_STORE_STOP, 40, "1");
    assert_ok(ps_store_flush(f.store, &error));
    assert_ok(ps_store_hash(f.store, &before, &error));
    put(&f, 2, 0, PS_STORE_STOP, 40, "not flushed");
    snprintf(path, sizeof path, "%s/copy.db", f.folder);
    assert_ok(ps_store_open(&reader, f.path, PS_STORE_READ, &error));
    assert_ok(ps_store_backup(reader, path, &error));
    assert_fails(ps_store_backup(reader, path, &error), PS_ARGUMENT, "exists already");
    ps_store_close(reader);
    assert_ok(ps_store_open(&copy, path, PS_STORE_WRITE, &error));
    assert_ok(ps_store_hash(copy, &after, &error));
    assert_memory_equal(&before, &after, sizeof before);
    ps_store_close(copy);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(union_of_two), cmocka_unit_test(conflicts), cmocka_unit_test(verdicts),
        cmocka_unit_test(rest),         cmocka_unit_test(edits),     cmocka_unit_test(backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
