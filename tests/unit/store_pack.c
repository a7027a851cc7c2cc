/* Packing changes where texts are, and nothing else; how small a store of real traces becomes. */

#include "store_fixture.h"

#include "base/json.h"
#include "base/random.h"
#include "base/stop.h"

#include <fcntl.h>

static int64_t pack(struct fixture *f) {
    int64_t packed;
    assert_ok(ps_store_pack(f->store, &packed, NULL, &error));
    return packed;
}

static int64_t number(struct fixture *f, const char *sql) {
    int64_t result;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(f->store->database, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    result = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return result;
}

static void assert_sound(struct fixture *f) {
    assert_int_equal(number(f, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM frame f WHERE NOT EXISTS (SELECT 1 FROM trace "
                               "t WHERE t.frame = f.id)"),
                     0);
}

static void test_same_hash(void **state) {
    (void)state;
    struct fixture f;
    char before[PS_HASH_HEX_SIZE], after[PS_HASH_HEX_SIZE];
    fixture_open(&f);
    for (int s = 0; s < 6; s++)
        for (int p = 0; p < 40; p++) fixture_put(&f, fixture_prompt(&f, p), s);
    fixture_hash(&f, before);
    assert_int_equal(pack(&f), 240);
    fixture_hash(&f, after);
    assert_string_equal(before, after);
    assert_true(number(&f, "SELECT count(*) FROM frame") < 6);
    assert_int_equal(number(&f, "SELECT max(length(ids)) < 6 FROM tokens"), 1);
    assert_int_equal(number(&f, "SELECT freelist_count FROM pragma_freelist_count"), 0);
    assert_int_equal(number(&f, "SELECT foreign_keys FROM pragma_foreign_keys"), 1);
    assert_sound(&f);
    assert_int_equal(pack(&f), 0);
    fixture_close(&f);
}

static void test_more_traces(void **state) {
    (void)state;
    struct fixture packed, straight;
    char a[PS_HASH_HEX_SIZE], b[PS_HASH_HEX_SIZE];
    fixture_open(&packed);
    fixture_open(&straight);
    for (int s = 0; s < 5; s++) {
        for (int p = 0; p < 30; p++) {
            fixture_put(&packed, fixture_prompt(&packed, p), s);
            fixture_put(&straight, fixture_prompt(&straight, p), s);
        }
        /* What is packed already is packed again together with what came after it. */
        assert_int_equal(pack(&packed), 30 * (s + 1));
        fixture_hash(&packed, a);
        fixture_hash(&straight, b);
        assert_string_equal(a, b);
        assert_sound(&packed);
    }
    fixture_close(&packed);
    fixture_close(&straight);
}

static void test_replaced(void **state) {
    (void)state;
    struct fixture f;
    enum ps_store_put outcome;
    int64_t id;
    fixture_open(&f);
    int64_t prompt = fixture_prompt(&f, 1);
    for (int s = 0; s < 2; s++) {
        struct ps_store_trace cut = fixture_trace(&f, prompt, s);
        cut.finish = PS_STORE_LENGTH;
        assert_ok(ps_store_put_trace(f.store, &cut, NULL, NULL, &error));
    }
    assert_int_equal(pack(&f), 2);
    for (int s = 0; s < 2; s++) {
        struct ps_store_trace whole = fixture_trace(&f, prompt, s);
        assert_ok(ps_store_put_trace(f.store, &whole, &id, &outcome, &error));
        assert_int_equal(outcome, PS_STORE_LONGER);
    }
    assert_ok(ps_store_flush(f.store, &error));
    /* Both texts of the packed frame are gone, but it is a base still. */
    assert_int_equal(number(&f, "SELECT count(*) FROM frame"), 3);
    assert_int_equal(pack(&f), 2);
    assert_int_equal(number(&f, "SELECT count(*) FROM frame"), 1);
    assert_sound(&f);
    fixture_hash(&f, (char[PS_HASH_HEX_SIZE]){0});
    fixture_close(&f);
}

static void test_stop_and_damage(void **state) {
    (void)state;
    struct fixture f;
    char before[PS_HASH_HEX_SIZE], after[PS_HASH_HEX_SIZE];
    int64_t packed;
    fixture_open(&f);
    for (int s = 0; s < 6; s++) fixture_put(&f, fixture_prompt(&f, 1), s);
    fixture_hash(&f, before);
    ps_stop_request(true);
    assert_fails(ps_store_pack(f.store, &packed, NULL, &error), PS_STOPPED, "");
    ps_stop_request(false);
    assert_int_equal(packed, 0);
    fixture_hash(&f, after);
    assert_string_equal(before, after);
    ps_store_close(f.store);
    fixture_sql(&f, "UPDATE trace SET checksum = zeroblob(16) WHERE id = 4");
    assert_ok(ps_store_open(&f.store, f.path, PS_STORE_WRITE, &error));
    assert_fails(ps_store_pack(f.store, &packed, NULL, &error), PS_CORRUPT, "trace 4");
    fixture_put(&f, fixture_prompt(&f, 2), 0); /* the store still takes traces */
    assert_ok(ps_store_flush(f.store, &error));
    ps_store_close(f.store);
    assert_ok(ps_store_open(&f.store, f.path, PS_STORE_READ, &error));
    assert_fails(ps_store_pack(f.store, &packed, NULL, &error), PS_ARGUMENT, "reading only");
    fixture_close(&f);
}

/* ---- real traces ---- */

/* Words as token ids, so that they repeat as a tokenizer's do. */
static int64_t split(const char *text, int32_t *ids, float *logprobs, int64_t most) {
    static uint64_t draws;
    int64_t count = 0;
    while (*text && count < most) {
        size_t size = strcspn(text + 1, " \n\\{}()") + 1;
        if (size > 4) size = 4;
        struct ps_hash hash = ps_hash_bytes(text, size);
        ids[count] = (int32_t)(ps_hash_64(&hash) % 150000);
        logprobs[count] = -1e-5f * (float)ps_random_below(1, draws++, 100000);
        count++;
        text += size;
    }
    return count;
}

static void put_reply(struct fixture *f, int64_t prompt, int64_t sample, const char *reply,
                      bool tokens) {
    static int32_t ids[100000];
    static float logprobs[100000];
    struct ps_store_trace trace = {.key = {prompt, f->source, f->sampler, sample},
                                   .provenance = f->provenance,
                                   .content = reply,
                                   .content_size = strlen(reply),
                                   .ids = tokens ? ids : NULL,
                                   .logprobs = tokens ? logprobs : NULL,
                                   .output_tokens = split(reply, ids, logprobs, 100000),
                                   .prompt_tokens = 100,
                                   .max_tokens = 4096};
    assert_ok(ps_store_put_trace(f->store, &trace, NULL, NULL, &error));
    assert_ok(ps_store_flush_due(f->store, &error));
}

static void put_problem(struct fixture *f, const json_t *line, int64_t row, bool tokens) {
    struct ps_buffer text;
    struct ps_json_writer json;
    ps_buffer_init(&text, 1 << 20);
    ps_json_writer_begin(&json, &text);
    ps_json_write_begin_object(&json);
    ps_json_write_key(&json, "messages");
    ps_json_write_begin_array(&json);
    ps_json_write_begin_object(&json);
    ps_json_write_key(&json, "role");
    ps_json_write_string(&json, "user");
    ps_json_write_key(&json, "content");
    ps_json_write_value(&json, json_object_get(line, "question"));
    ps_json_write_end_object(&json);
    ps_json_write_end_array(&json);
    ps_json_write_end_object(&json);
    assert_ok(ps_json_writer_end(&json, &error));
    struct ps_store_item item = {
        .dataset = "math", .split = "train", .row = row, .gold = "1", .extra = NULL};
    assert_ok(ps_store_put_prompt(f->store, text.data, &item.prompt, NULL, &error));
    assert_ok(ps_store_put_item(f->store, &item, NULL, &error));
    const json_t *replies = json_object_get(line, "response");
    for (size_t s = 0; s < json_array_size(replies); s++)
        put_reply(f, item.prompt, (int64_t)s, json_string_value(json_array_get(replies, s)),
                  tokens);
    ps_buffer_release(&text);
}

static struct ps_store_stats measure(struct fixture *f, const char *when) {
    struct ps_store_stats stats;
    assert_ok(ps_store_flush(f->store, &error));
    assert_ok(ps_store_run(f->store, &error, "PRAGMA wal_checkpoint(TRUNCATE)", ""));
    assert_ok(ps_store_stats(f->store, NULL, &stats, &error));
    int64_t other = stats.file_bytes - stats.body_bytes - stats.ids_bytes - stats.logprobs_bytes;
    fprintf(stderr,
            "%s: text / body %.2f; ids %.2f and log-probabilities %.2f bytes a token; else %.0f "
            "bytes a trace\n",
            when, (double)stats.text_bytes / (double)stats.body_bytes,
            (double)stats.ids_bytes / (double)stats.tokens,
            (double)stats.logprobs_bytes / (double)stats.tokens,
            (double)other / (double)stats.traces);
    return stats;
}

static void check_size(bool tokens) {
    const char *path = unit_shared("traces/math_cot_100.jsonl");
    if (!path) skip();
    struct fixture f;
    struct ps_json_lines lines;
    json_t *line;
    fixture_open(&f);
    int file = open(path, O_RDONLY);
    assert_true(file >= 0);
    ps_json_lines_open(&lines, path, file, 1 << 24);
    for (int64_t row = 0;; row++) {
        assert_ok(ps_json_lines_next(&lines, &line, &error));
        if (!line) break;
        put_problem(&f, line, row, tokens);
        json_decref(line);
    }
    ps_json_lines_close(&lines);
    close(file);
    struct ps_store_stats stats = measure(&f, "row by row");
    assert_true((double)stats.text_bytes >= 4.3 * (double)stats.body_bytes);
    char before[PS_HASH_HEX_SIZE], after[PS_HASH_HEX_SIZE];
    fixture_hash(&f, before);
    assert_int_equal(pack(&f), stats.traces);
    fixture_hash(&f, after);
    assert_string_equal(before, after);
    stats = measure(&f, "packed");
    assert_true((double)stats.text_bytes >= 7 * (double)stats.body_bytes);
    /* Where a trace's tokens are takes 16 bytes more. */
    int64_t other = stats.file_bytes - stats.body_bytes - stats.ids_bytes - stats.logprobs_bytes;
    assert_true(other <= (tokens ? 176 : 160) * stats.traces + 65536);
    fixture_close(&f);
}

static void test_size(void **state) {
    (void)state;
    check_size(false);
}

static void test_size_with_tokens(void **state) {
    (void)state;
    check_size(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_hash), cmocka_unit_test(test_more_traces),
        cmocka_unit_test(test_replaced),  cmocka_unit_test(test_stop_and_damage),
        cmocka_unit_test(test_size),      cmocka_unit_test(test_size_with_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
