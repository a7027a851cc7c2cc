/* The n-th allocation fails, for the n that a sequence of calls reaches: each call answers with an
 * error or has done its work, nothing leaks or crashes, and what a flush reported as kept is there
 * in a sound file. Every 13th n is tried; all with POTSTILL_TORTURE set. */

#include "store_fixture.h"

enum { QUIET = 12, SAMPLES = 3 }; /* so many n without effect in a row mean that all were tried */

static size_t stride(void) {
    return getenv("POTSTILL_TORTURE") ? 1 : 13;
}

struct outcome {
    int kept; /* samples put before the last flush that succeeded */
    bool failed;
};

static enum ps_status step(enum ps_status status, struct outcome *outcome) {
    if (status != PS_OK) outcome->failed = true;
    return status;
}

static void write_store(const char *path, struct outcome *outcome) {
    struct ps_error own;
    struct ps_store *store;
    struct fixture f = {0};
    int64_t prompt = 0, id;
    if (step(ps_store_open(&store, path, PS_STORE_CREATE, &own), outcome) != PS_OK) return;
    const char *conversation = "{\"messages\":[{\"role\":\"user\",\"content\":\"2?\"}]}";
    if (step(ps_store_put_source(store, "t", "{\"weights\":\"w\"}", &f.source, NULL, &own),
             outcome) != PS_OK ||
        step(ps_store_put_sampler(store, "{\"seed\":1}", &f.sampler, NULL, &own), outcome) ||
        step(ps_store_put_provenance(store, "{}", &f.provenance, &own), outcome) != PS_OK ||
        step(ps_store_put_prompt(store, conversation, &prompt, NULL, &own), outcome) != PS_OK)
        goto done;
    int put = 0;
    for (int s = 0; s < SAMPLES; s++) {
        struct ps_store_trace trace = fixture_trace(&f, prompt, s);
        if (step(ps_store_put_trace(store, &trace, &id, NULL, &own), outcome) == PS_OK) put++;
        struct ps_store_verdict verdict = {.grader = "g", .verdict = "correct"};
        step(ps_store_put_verdict(store, id, &verdict, &own), outcome);
        step(ps_store_put_partial(store, &(struct ps_store_key){prompt, f.source, f.sampler, 7},
                                  trace.ids, NULL, 5, &own),
             outcome);
        if (step(ps_store_flush(store, &own), outcome) == PS_OK) outcome->kept = put;
    }
    int64_t packed;
    step(ps_store_pack(store, &packed, NULL, &own), outcome);
done:
    ps_store_close(store);
}

static void check_store(const char *path, const struct outcome *outcome) {
    struct ps_store *store;
    int64_t traces, sound;
    assert_ok(ps_store_open(&store, path, PS_STORE_CREATE, &error));
    assert_ok(ps_store_get(store, &traces, &error, "SELECT count(*) FROM trace", ""));
    assert_ok(ps_store_get(store, &sound, &error,
                           "SELECT integrity_check = 'ok' FROM pragma_integrity_check", ""));
    assert_int_equal(sound, 1);
    assert_int_equal(traces, outcome->kept);
    struct ps_hash hash;
    assert_ok(ps_store_hash(store, &hash, &error));
    ps_store_close(store);
}

static void test_writing(void **state) {
    (void)state;
    char folder[64], path[96];
    unit_folder(folder);
    snprintf(path, sizeof path, "%s/t.db", folder);
    size_t failures = 0;
    for (size_t n = 1, quiet = 0; quiet < QUIET; n += stride()) {
        struct outcome outcome = {0};
        ps_memory_fail_at(n);
        write_store(path, &outcome);
        ps_memory_fail_at(0);
        check_store(path, &outcome);
        quiet = outcome.failed ? 0 : quiet + 1;
        failures += outcome.failed;
        /* SQLite survives some failures, so a run without error says nothing before the end. */
        if (!outcome.failed) assert_int_equal(outcome.kept, SAMPLES);
        assert_ok(ps_path_remove(folder, &error));
        assert_ok(ps_directory_create(folder, &error));
    }
    assert_true(failures > 50);
    assert_ok(ps_path_remove(folder, &error));
}

static enum ps_status read_store(const char *path, int *traces, struct ps_error *own) {
    struct ps_store *store;
    struct ps_store_cursor *cursor = NULL;
    struct ps_store_row row;
    const struct ps_store_line how = {.metadata = true};
    const struct ps_store_filter search = {.text = "look at"};
    struct ps_store_stats stats;
    struct ps_store_partial *partials;
    struct ps_arena arena;
    struct ps_buffer out;
    struct ps_hash hash;
    bool more;
    size_t count;
    enum ps_status status = PS_OK;
    *traces = 0;
    ps_arena_init(&arena, 1 << 20);
    ps_buffer_init(&out, 1 << 20);
    PS_TRY(ps_store_open(&store, path, PS_STORE_READ, own));
    PS_TRY_DONE(ps_store_query(store, NULL, &cursor, own));
    for (;; ++*traces) {
        PS_TRY_DONE(ps_store_next(cursor, &row, &more, own));
        if (!more) break;
        PS_TRY_DONE(ps_store_export(store, &row, &how, &out, own));
    }
    PS_TRY_DONE(ps_store_stats(store, &search, &stats, own));
    assert_int_equal(stats.traces, SAMPLES);
    PS_TRY_DONE(ps_store_read_partials(store, 1, 1, &arena, &partials, &count, own));
    PS_TRY_DONE(ps_store_hash(store, &hash, own));
    assert_int_equal(count, 1);
done:
    ps_store_cursor_close(cursor);
    ps_store_close(store);
    ps_buffer_release(&out);
    ps_arena_release(&arena);
    return status;
}

static void test_reading(void **state) {
    (void)state;
    char folder[64], path[96];
    struct outcome outcome = {0};
    unit_folder(folder);
    snprintf(path, sizeof path, "%s/t.db", folder);
    write_store(path, &outcome);
    assert_int_equal(outcome.kept, SAMPLES);
    size_t failures = 0;
    for (size_t n = 1, quiet = 0; quiet < QUIET; n += stride()) {
        int traces;
        struct ps_error own;
        ps_memory_fail_at(n);
        enum ps_status status = read_store(path, &traces, &own);
        ps_memory_fail_at(0);
        quiet = status == PS_OK ? quiet + 1 : 0;
        if (status == PS_OK)
            assert_int_equal(traces, SAMPLES);
        else if (status != PS_MEMORY)
            fail_msg("allocation %zu: %s: %s", n, ps_status_name(status), own.message);
        failures += status != PS_OK;
    }
    assert_true(failures > 20);
    assert_ok(ps_path_remove(folder, &error));
}

static enum ps_status merge_store(const char *path, const char *from, struct ps_error *own) {
    struct ps_store *store = NULL, *other = NULL;
    struct ps_store_merge_counts counts;
    enum ps_status status = ps_store_open(&store, path, PS_STORE_CREATE, own);
    if (status == PS_OK) status = ps_store_open(&other, from, PS_STORE_READ, own);
    if (status == PS_OK) status = ps_store_merge(store, other, NULL, &counts, own);
    ps_store_close(other);
    ps_store_close(store);
    return status;
}

/* What a merge that failed has done stays, and merging again completes it. */
static void test_merging(void **state) {
    (void)state;
    char folder[64], from[96], path[96];
    struct outcome outcome = {0};
    unit_folder(folder);
    snprintf(from, sizeof from, "%s/from.db", folder);
    snprintf(path, sizeof path, "%s/new/t.db", folder);
    write_store(from, &outcome);
    outcome.kept = SAMPLES;
    size_t failures = 0;
    for (size_t n = 1, quiet = 0; quiet < QUIET; n += stride()) {
        struct ps_error own;
        ps_memory_fail_at(n);
        enum ps_status status = merge_store(path, from, &own);
        ps_memory_fail_at(0);
        if (status != PS_OK && status != PS_MEMORY)
            fail_msg("allocation %zu: %s: %s", n, ps_status_name(status), own.message);
        quiet = status == PS_OK ? quiet + 1 : 0;
        failures += status != PS_OK;
        assert_ok(merge_store(path, from, &error));
        check_store(path, &outcome);
        snprintf(path, sizeof path, "%s/new", folder);
        assert_ok(ps_path_remove(path, &error));
        snprintf(path, sizeof path, "%s/new/t.db", folder);
    }
    assert_true(failures > 20);
    assert_ok(ps_path_remove(folder, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_merging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
