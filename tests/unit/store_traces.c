/* Traces go in and come out the same; identities, replacement, damage. */

#include "store_fixture.h"

static void assert_same(const struct ps_store_trace *a, const struct ps_store_trace *b) {
    assert_int_equal(a->reasoning_size, b->reasoning_size);
    assert_memory_equal(a->reasoning, b->reasoning, a->reasoning_size);
    assert_int_equal(a->content_size, b->content_size);
    assert_memory_equal(a->content, b->content, a->content_size);
    assert_int_equal(a->output_tokens, b->output_tokens);
    assert_memory_equal(a->ids, b->ids, (size_t)a->output_tokens * 4);
    for (int64_t i = 0; i < a->output_tokens; i++)
        assert_int_equal(ps_store_logprob_encode(a->logprobs[i]),
                         ps_store_logprob_encode(b->logprobs[i]));
    assert_memory_equal(&a->key, &b->key, sizeof a->key);
    assert_int_equal(a->provenance, b->provenance);
    assert_int_equal(a->prompt_tokens, b->prompt_tokens);
    assert_int_equal(a->max_tokens, b->max_tokens);
    assert_int_equal(a->finish, b->finish);
    assert_int_equal(a->time, b->time);
    assert_int_equal(a->duration, b->duration);
}

static void test_round_trip(void **state) {
    (void)state;
    struct fixture f;
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 20);
    fixture_open(&f);
    int64_t ids[3][4], prompts[3];
    for (int p = 0; p < 3; p++) prompts[p] = fixture_prompt(&f, p);
    for (int s = 0; s < 4; s++)
        for (int p = 0; p < 3; p++) ids[p][s] = fixture_put(&f, prompts[p], s);
    assert_ok(ps_store_flush(f.store, &error));
    fixture_reopen(&f, PS_STORE_READ);
    for (int p = 0; p < 3; p++)
        for (int s = 0; s < 4; s++) {
            struct ps_store_trace wanted = fixture_trace(&f, prompts[p], s), got;
            assert_ok(ps_store_read_trace(f.store, ids[p][s], &arena, &got, &error));
            assert_same(&wanted, &got);
            ps_arena_release(&arena);
        }
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(f.store, NULL, &stats, &error));
    assert_int_equal(stats.traces, 12);
    assert_int_equal(stats.prompts, 3);
    assert_int_equal(stats.tokens, 480);
    /* Later samples are compressed against the first. */
    assert_true(stats.body_bytes * 5 < stats.text_bytes);
    struct ps_store_trace none;
    assert_fails(ps_store_read_trace(f.store, 99, &arena, &none, &error), PS_NOT_FOUND, "trace 99");
    fixture_close(&f);
}

static void test_empty_and_unknown(void **state) {
    (void)state;
    struct fixture f;
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 20);
    fixture_open(&f);
    struct ps_store_trace trace = {.key = {fixture_prompt(&f, 1), f.source, f.sampler, 0},
                                   .provenance = f.provenance};
    int64_t id;
    assert_ok(ps_store_put_trace(f.store, &trace, &id, NULL, &error));
    struct ps_store_trace got;
    assert_ok(ps_store_read_trace(f.store, id, &arena, &got, &error));
    assert_null(got.ids);
    assert_null(got.logprobs);
    assert_int_equal(got.reasoning_size + got.content_size, 0);
    assert_int_equal(got.prompt_tokens, 0);
    assert_true(got.time > 1600000000000);
    /* A second body may be compressed against an empty base, and hold zeros. */
    trace.key.sample = 1;
    trace.content = "a\0b";
    trace.content_size = 3;
    assert_ok(ps_store_put_trace(f.store, &trace, &id, NULL, &error));
    assert_ok(ps_store_read_trace(f.store, id, &arena, &got, &error));
    assert_memory_equal(got.content, "a\0b", 4);
    ps_arena_release(&arena);
    fixture_close(&f);
}

static void test_identities(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    struct ps_buffer text;
    ps_buffer_init(&text, 1000);
    assert_ok(ps_store_canonical("{ \"b\" : [1.0, 0.6, 1e300, true, null], \"a\": \"\\u00e9\\n\" }",
                                 &text, &error));
    assert_string_equal(text.data, "{\"a\":\"\xC3\xA9\\n\",\"b\":[1,0.6,1e+300,true,null]}");
    ps_buffer_release(&text);
    int64_t a, b, c;
    struct ps_hash hash_a, hash_b, hash_c;
    assert_ok(
        ps_store_put_sampler(f.store, "{\"seed\": 1, \"temperature\": 1}", &a, &hash_a, &error));
    assert_ok(
        ps_store_put_sampler(f.store, "{\"temperature\":1.0,\"seed\":1}", &b, &hash_b, &error));
    assert_ok(
        ps_store_put_sampler(f.store, "{\"temperature\":1.0,\"seed\":2}", &c, &hash_c, &error));
    assert_int_equal(a, b);
    assert_memory_equal(&hash_a, &hash_b, sizeof hash_a);
    assert_int_not_equal(a, c);
    assert_ok(ps_store_identity("{\"temperature\":1,\"seed\":2}", &hash_b, &error));
    assert_memory_equal(&hash_c, &hash_b, sizeof hash_c);
    assert_fails(ps_store_put_sampler(f.store, "{\"seed\":", &a, NULL, &error), PS_FORMAT,
                 "sampler");
    assert_fails(ps_store_put_sampler(f.store, "[1]", &a, NULL, &error), PS_FORMAT, "object");
    assert_fails(ps_store_put_prompt(f.store, "{\"text\": 1}", &a, NULL, &error), PS_FORMAT,
                 "messages");
    assert_fails(
        ps_store_put_prompt(f.store, "{\"messages\": [{\"role\": \"user\"}]}", &a, NULL, &error),
        PS_FORMAT, "content");
    struct ps_store_item item = {
        .prompt = fixture_prompt(&f, 1), .dataset = "d", .split = "train", .row = 5, .gold = "1"};
    assert_ok(ps_store_put_item(f.store, &item, &a, &error));
    item.gold = "2";
    assert_ok(ps_store_put_item(f.store, &item, &b, &error));
    assert_int_equal(a, b);
    item.prompt = 77;
    assert_fails(ps_store_put_item(f.store, &item, &b, &error), PS_ARGUMENT, "FOREIGN KEY");
    fixture_close(&f);
}

static void test_duplicates(void **state) {
    (void)state;
    struct fixture f;
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 20);
    fixture_open(&f);
    int64_t prompt = fixture_prompt(&f, 1), first, id;
    fixture_put(&f, prompt, 1);
    enum ps_store_put outcome;
    struct ps_store_trace trace = fixture_trace(&f, prompt, 0), got;
    trace.finish = PS_STORE_LENGTH;
    trace.output_tokens = 20;
    assert_ok(ps_store_put_trace(f.store, &trace, &first, &outcome, &error));
    assert_int_equal(outcome, PS_STORE_KEPT);
    struct ps_store_verdict verdict = {.grader = "math 1", .verdict = "truncated"};
    assert_ok(ps_store_put_verdict(f.store, first, &verdict, &error));
    assert_ok(ps_store_put_trace(f.store, &trace, &id, &outcome, &error));
    assert_int_equal(outcome, PS_STORE_ALREADY);
    assert_int_equal(id, first);
    trace.output_tokens = 30;
    assert_ok(ps_store_put_trace(f.store, &trace, &id, &outcome, &error));
    assert_int_equal(outcome, PS_STORE_LONGER);
    trace.finish = PS_STORE_STOP;
    assert_ok(ps_store_put_trace(f.store, &trace, &id, &outcome, &error));
    assert_int_equal(outcome, PS_STORE_LONGER);
    trace.output_tokens = 40;
    assert_ok(ps_store_put_trace(f.store, &trace, NULL, &outcome, &error));
    assert_int_equal(outcome, PS_STORE_ALREADY);
    assert_ok(ps_store_read_trace(f.store, id, &arena, &got, &error));
    assert_int_equal(got.output_tokens, 30);
    assert_int_equal(got.finish, PS_STORE_STOP);
    assert_ok(ps_store_find_trace(f.store, &trace.key, &first, &error));
    assert_int_equal(first, id);
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(f.store, NULL, &stats, &error));
    assert_int_equal(stats.traces, 2);
    assert_string_equal(stats.verdicts[0].name, "none"); /* the old text's verdict is gone */
    assert_int_equal(stats.verdicts[0].count, 2);
    trace.key.source = 5;
    assert_fails(ps_store_put_trace(f.store, &trace, NULL, NULL, &error), PS_ARGUMENT, "source 5");
    trace.key.sample = -1;
    assert_fails(ps_store_put_trace(f.store, &trace, NULL, NULL, &error), PS_ARGUMENT, "negative");
    ps_arena_release(&arena);
    fixture_close(&f);
}

static void test_hash_invariance(void **state) {
    (void)state;
    struct fixture a, b;
    char hash_a[PS_HASH_HEX_SIZE], hash_b[PS_HASH_HEX_SIZE];
    fixture_open(&a);
    fixture_open(&b);
    int64_t prompt_a[4], prompt_b[4];
    for (int p = 0; p < 4; p++) prompt_a[p] = fixture_prompt(&a, p);
    for (int p = 3; p >= 0; p--) prompt_b[p] = fixture_prompt(&b, p);
    for (int p = 0; p < 4; p++)
        for (int s = 0; s < 3; s++) {
            struct ps_store_trace trace = fixture_trace(&a, p, s);
            trace.key.prompt = prompt_a[p];
            assert_ok(ps_store_put_trace(a.store, &trace, NULL, NULL, &error));
        }
    /* Another order, other times and limits, one by one, by way of a cut trace; and verdicts. */
    for (int s = 2; s >= 0; s--)
        for (int p = 3; p >= 0; p--) {
            struct ps_store_trace trace = fixture_trace(&b, p, s);
            trace.key.prompt = prompt_b[p];
            trace.max_tokens = 1000 + s;
            trace.time = 5;
            struct ps_store_trace cut = trace;
            cut.output_tokens = 10;
            cut.finish = PS_STORE_LENGTH;
            cut.reasoning_size = 30;
            int64_t id;
            if (p == s) assert_ok(ps_store_put_trace(b.store, &cut, NULL, NULL, &error));
            assert_ok(ps_store_put_trace(b.store, &trace, &id, NULL, &error));
            struct ps_store_verdict verdict = {.grader = "g", .verdict = "correct"};
            assert_ok(ps_store_put_verdict(b.store, id, &verdict, &error));
            assert_ok(ps_store_flush(b.store, &error));
        }
    fixture_hash(&a, hash_a);
    fixture_hash(&b, hash_b);
    assert_string_equal(hash_a, hash_b);
    /* Every field that identity or content has moves it. */
    for (int change = 0; change < 7; change++) {
        struct fixture c;
        fixture_open(&c);
        struct ps_store_trace trace = fixture_trace(&c, fixture_prompt(&c, 1), 1);
        int32_t ids[40];
        float logprobs[40];
        memcpy(ids, trace.ids, sizeof ids);
        memcpy(logprobs, trace.logprobs, sizeof logprobs);
        trace.ids = ids;
        trace.logprobs = logprobs;
        if (change == 1) trace.key.sample = 2;
        if (change == 2) ids[39]++;
        if (change == 3) logprobs[39] *= 1.001f;
        if (change == 4) trace.finish = PS_STORE_LENGTH;
        if (change == 6) trace.logprobs = NULL;
        /* The same text, cut at another place. */
        char moved[200];
        snprintf(moved, sizeof moved, "%c%s", trace.reasoning[trace.reasoning_size - 1],
                 trace.content);
        if (change == 5) {
            trace.reasoning_size--;
            trace.content = moved;
            trace.content_size++;
        }
        assert_ok(ps_store_put_trace(c.store, &trace, NULL, NULL, &error));
        fixture_hash(&c, hash_b);
        if (change == 0)
            strcpy(hash_a, hash_b);
        else
            assert_string_not_equal(hash_a, hash_b);
        fixture_close(&c);
    }
    fixture_close(&a);
    fixture_close(&b);
}

/* The digest of one trace from the bytes that docs/store-format.md lists. */
static void test_digest_bytes(void **state) {
    (void)state;
    struct fixture f;
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 20);
    fixture_open(&f);
    int32_t ids[2] = {258, 3};
    float logprobs[2] = {-1.0f, 0.0f};
    struct ps_store_trace got, trace = {.key = {fixture_prompt(&f, 0), f.source, f.sampler, 1},
                                        .provenance = f.provenance,
                                        .reasoning = "ab",
                                        .reasoning_size = 2,
                                        .content = "c",
                                        .content_size = 1,
                                        .ids = ids,
                                        .logprobs = logprobs,
                                        .output_tokens = 2};
    int64_t id;
    assert_ok(ps_store_put_trace(f.store, &trace, &id, NULL, &error));
    assert_ok(ps_store_read_trace(f.store, id, &arena, &got, &error));
    struct ps_hash hash[3];
    assert_ok(ps_store_identity(
        "{\"messages\":[{\"content\":\"What is 0 + 1?\",\"role\":\"user\"}]}", &hash[0], &error));
    assert_ok(ps_store_identity("{\"weights\":\"w\"}", &hash[1], &error));
    assert_ok(ps_store_identity("{\"seed\":17,\"temperature\":0.6}", &hash[2], &error));
    static const char rest[] = "\1\0\0\0\0\0\0\0"   /* sample */
                               "\2\0\0\0\0\0\0\0ab" /* reasoning */
                               "\1\0\0\0\0\0\0\0c"  /* content */
                               "\2\0\0\0\0\0\0\0"   /* ids */
                               "\2\1\0\0\3\0\0\0"
                               "\2\0\0\0\0\0\0\0" /* log-probabilities: -1 is 0x7800 */
                               "\0\x78\0\0"
                               "\4\0\0\0\0\0\0\0stop";
    char bytes[96 + sizeof rest - 1];
    memcpy(bytes, hash, 96);
    memcpy(bytes + 96, rest, sizeof rest - 1);
    struct ps_hash digest = ps_hash_bytes(bytes, sizeof bytes);
    assert_memory_equal(&digest, &got.digest, sizeof digest);
    struct ps_hash store_hash, wanted = ps_hash_bytes(&digest, sizeof digest);
    assert_ok(ps_store_hash(f.store, &store_hash, &error));
    assert_memory_equal(&wanted, &store_hash, sizeof wanted);
    ps_arena_release(&arena);
    fixture_close(&f);
}

/* Whatever is done to the rows, reading says what is wrong and takes no more memory than allowed.
 */
static void test_damage(void **state) {
    (void)state;
    static const struct {
        const char *sql, *says;
    } cases[] = {
        {"UPDATE frame SET data = zeroblob(40)", "not a zstd frame"},
        {"UPDATE frame SET data = substr(data, 1, length(data) - 5)", "cut short"},
        {"UPDATE frame SET data = CAST(data || x'00' AS BLOB)", "cut short, or more"},
        {"UPDATE frame SET raw_bytes = 1 << 40", "another size"},
        {"UPDATE frame SET raw_bytes = raw_bytes - 1", "another size"},
        {"UPDATE frame SET base = id", "a base that has a base"},
        {"UPDATE frame SET base = 3 - id", "a base that has a base"},
        {"UPDATE frame SET base = 1 WHERE id = 3", ""},
        /* 8-byte size field that claims 2^62 bytes */
        {"UPDATE frame SET raw_bytes = 1 << 62, data = x'28B52FFDE40000000000000040010000'",
         "another size"},
        {"UPDATE trace SET offset = 1", "too short"},
        {"UPDATE trace SET content_bytes = content_bytes - 1", "checksum"},
        {"UPDATE trace SET reasoning_bytes = 9223372036854775807", "too short"},
        {"UPDATE trace SET output_tokens = 9000000000000", "too few token ids"},
        {"UPDATE trace SET output_tokens = 39", "more token ids"},
        {"UPDATE trace SET checksum = zeroblob(16)", "checksum"},
        {"UPDATE trace SET sample = sample + 10", "checksum"},
        {"UPDATE trace SET frame = 7", "missing"},
        {"UPDATE tokens SET ids = x'02'", "ids"},
        {"UPDATE tokens SET ids = NULL", "checksum"},
        {"UPDATE tokens SET logprobs = substr(logprobs, 1, 80)", "log-probabilities"},
        {"UPDATE tokens SET logprobs = zeroblob(81)", "unknown coding"},
        {"UPDATE prompt SET hash = zeroblob(32)", "checksum"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        struct ps_arena arena;
        ps_arena_init(&arena, 1 << 20);
        fixture_open(&f);
        int64_t prompt = fixture_prompt(&f, 1), id;
        fixture_put(&f, prompt, 0);
        id = fixture_put(&f, prompt, 1);
        assert_ok(ps_store_flush(f.store, &error));
        ps_store_close(f.store);
        fixture_sql(&f, cases[i].sql);
        assert_ok(ps_store_open(&f.store, f.path, PS_STORE_READ, &error));
        struct ps_store_trace trace;
        if (*cases[i].says)
            assert_fails(ps_store_read_trace(f.store, id, &arena, &trace, &error), PS_CORRUPT,
                         cases[i].says);
        ps_arena_release(&arena);
        fixture_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_empty_and_unknown),
        cmocka_unit_test(test_identities),      cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_hash_invariance), cmocka_unit_test(test_digest_bytes),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
