/* Damage is found and named, and the rest is saved. */

#include "store_fixture.h"

#include "base/random.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { PROMPTS = 60, SAMPLES = 5, TRACES = PROMPTS * SAMPLES };

static void collect(void *context, const char *line) {
    struct ps_buffer *lines = context;
    assert_true(ps_buffer_format(lines, "%s\n", line));
}

static struct ps_store_verified verify(struct fixture *f, struct ps_buffer *lines) {
    struct ps_store_verified result;
    lines->size = 0;
    assert_ok(ps_store_verify(f->store, collect, lines, &result, &error));
    return result;
}

/* Two samples of each prompt are packed, the others come after. */
static void fill(struct fixture *f) {
    int64_t packed;
    fixture_open(f);
    for (int s = 0; s < SAMPLES; s++) {
        for (int p = 0; p < PROMPTS; p++) {
            int64_t prompt = fixture_prompt(f, p);
            struct ps_store_item item = {
                .prompt = prompt, .dataset = "sums", .split = "train", .row = p};
            struct ps_store_verdict verdict = {.grader = "g", .verdict = "correct"};
            assert_ok(ps_store_put_item(f->store, &item, NULL, &error));
            int64_t id = fixture_put(f, prompt, s);
            assert_ok(ps_store_put_verdict(f->store, id, &verdict, &error));
        }
        if (s == 1) assert_ok(ps_store_pack(f->store, &packed, NULL, &error));
    }
    struct ps_store_trace trace = fixture_trace(f, 1, 9);
    assert_ok(ps_store_put_partial(f->store, &trace.key, trace.ids, NULL, 5, &error));
    assert_ok(ps_store_put_selection(f->store, "some", "{}", (int64_t[]){3, 4}, 2, &error));
    assert_ok(ps_store_flush(f->store, &error));
    assert_ok(ps_store_run(f->store, &error, "PRAGMA wal_checkpoint(TRUNCATE)", ""));
    ps_store_close(f->store);
}

static void test_whole(void **state) {
    (void)state;
    struct fixture f, copy = {0};
    struct ps_buffer lines;
    struct ps_store_verified result;
    char hash[PS_HASH_HEX_SIZE], saved[PS_HASH_HEX_SIZE];
    struct ps_store_stats stats;
    ps_buffer_init(&lines, 1 << 20);
    fill(&f);
    assert_ok(ps_store_open(&f.store, f.path, PS_STORE_READ, &error));
    result = verify(&f, &lines);
    assert_int_equal(result.traces, TRACES);
    assert_int_equal(result.problems, 0);
    snprintf(copy.path, sizeof copy.path, "%s/new.db", f.folder);
    assert_ok(ps_store_salvage(f.store, copy.path, collect, &lines, &result, &error));
    assert_int_equal(result.problems, 0);
    assert_fails(ps_store_salvage(f.store, copy.path, collect, &lines, &result, &error),
                 PS_ARGUMENT, "new file");
    fixture_hash(&f, hash);
    assert_ok(ps_store_open(&copy.store, copy.path, PS_STORE_READ, &error));
    fixture_hash(&copy, saved);
    assert_string_equal(hash, saved);
    assert_ok(ps_store_stats(copy.store, NULL, &stats, &error));
    assert_int_equal(stats.items, PROMPTS);
    assert_int_equal(stats.partials, 1);
    assert_string_equal(stats.verdicts[0].name, "correct");
    assert_int_equal(stats.verdicts[0].count, TRACES);
    ps_store_close(copy.store);
    ps_buffer_release(&lines);
    fixture_close(&f);
}

static void test_named(void **state) {
    (void)state;
    static const struct {
        const char *sql, *says;
        int lost;
    } cases[] = {
        {"UPDATE frame SET data = zeroblob(100) WHERE id = (SELECT frame FROM trace WHERE id = 200)",
         "lost: trace 200 (sums/train:19, sample 3 of teacher): ", 1},
        {"UPDATE frame SET base = id WHERE id = (SELECT frame FROM trace WHERE id = 200)",
         "a base that has a base", 1},
        {"UPDATE trace SET checksum = zeroblob(16) WHERE id = 7", "lost: trace 7 (sums/train:6", 1},
        {"DELETE FROM prompt WHERE id = 4", "refers to a prompt that is not there", SAMPLES},
        {"UPDATE sampler SET settings = '{}'", "sampler 1: its hash does not fit", 0},
        {"DELETE FROM frame WHERE packed > 0", "it is missing", TRACES},
        {"UPDATE frame SET ids = NULL WHERE packed > 0", "it has no token ids", 2 * PROMPTS},
    };
    struct ps_buffer lines;
    ps_buffer_init(&lines, 1 << 24);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        struct ps_store_verified result;
        char path[120];
        fill(&f);
        fixture_sql(&f, cases[i].sql);
        assert_ok(ps_store_open(&f.store, f.path, PS_STORE_READ, &error));
        result = verify(&f, &lines);
        assert_true(result.problems > 0);
        assert_int_equal(result.lost, cases[i].lost);
        if (!strstr(lines.data, cases[i].says))
            fail_msg("%s: no \"%s\" in %s", cases[i].sql, cases[i].says, lines.data);
        snprintf(path, sizeof path, "%s/new.db", f.folder);
        assert_ok(ps_store_salvage(f.store, path, collect, &lines, &result, &error));
        assert_int_equal(result.lost, cases[i].lost);
        fixture_close(&f);
    }
    ps_buffer_release(&lines);
}

/* Overwrites a page other than the first. */
static void spoil(const char *path, uint64_t seed) {
    unsigned char page[4096];
    struct stat about;
    int file = open(path, O_RDWR);
    assert_true(file >= 0 && fstat(file, &about) == 0);
    uint32_t pages = (uint32_t)(about.st_size / 4096);
    for (int i = 0; i < 4096; i++)
        page[i] = seed % 2 ? (unsigned char)ps_philox(seed, (uint64_t)i).word[0] : 0;
    off_t at = 4096 * (off_t)(1 + ps_random_below(seed, 5000, pages - 1));
    assert_int_equal(pwrite(file, page, 4096, at), 4096);
    close(file);
}

static bool same_trace(struct ps_store *a, struct ps_store *b, int64_t id) {
    struct ps_store_trace left, right;
    struct ps_arena arena;
    ps_arena_init(&arena, 1 << 22);
    bool same = ps_store_read_trace(a, id, &arena, &left, &error) == PS_OK &&
                ps_store_read_trace(b, id, &arena, &right, &error) == PS_OK &&
                memcmp(&left.digest, &right.digest, sizeof left.digest) == 0;
    ps_arena_release(&arena);
    return same;
}

static void test_pages(void **state) {
    (void)state;
    enum { ROUNDS = 30 };
    struct ps_buffer lines;
    struct fixture f;
    char whole[120], path[130];
    int found = 0, saved_all = 0;
    int64_t saved = 0;
    ps_buffer_init(&lines, 1 << 24);
    fill(&f);
    snprintf(whole, sizeof whole, "%s/whole.db", f.folder);
    assert_int_equal(rename(f.path, whole), 0);
    snprintf(path, sizeof path, "%s/new.db", f.folder);
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct ps_store *original, *fresh;
        struct ps_store_verified result;
        struct ps_buffer bytes;
        int64_t kept = 0;
        ps_buffer_init(&bytes, 1 << 24);
        assert_ok(ps_file_read(whole, &bytes, &error));
        assert_ok(ps_file_write_atomic(f.path, bytes.data, bytes.size, &error));
        ps_buffer_release(&bytes);
        spoil(f.path, seed);
        assert_ok(ps_store_open(&f.store, f.path, PS_STORE_READ, &error));
        found += verify(&f, &lines).problems > 0;
        assert_ok(ps_store_salvage(f.store, path, collect, &lines, &result, &error));
        ps_store_close(f.store);
        assert_ok(ps_store_open(&original, whole, PS_STORE_READ, &error));
        assert_ok(ps_store_open(&fresh, path, PS_STORE_READ, &error));
        for (int64_t id = 1; id <= TRACES; id++) kept += same_trace(original, fresh, id);
        struct ps_store_verified after;
        lines.size = 0;
        assert_ok(ps_store_verify(fresh, collect, &lines, &after, &error));
        if (after.problems) fail_msg("page of seed %d: %s", (int)seed, lines.data);
        assert_int_equal(after.traces, kept);
        ps_store_close(original);
        ps_store_close(fresh);
        assert_ok(ps_path_remove(path, &error));
        saved += kept;
        saved_all += kept == TRACES;
    }
    fprintf(stderr,
            "%d of %d spoilt pages found; %.0f %% of the traces saved, all of them %d times\n",
            found, ROUNDS, 100.0 * (double)saved / (ROUNDS * TRACES), saved_all);
    assert_int_equal(found, ROUNDS);
    assert_true(saved > ROUNDS * TRACES / 2);
    f.store = NULL;
    ps_buffer_release(&lines);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_named),
        cmocka_unit_test(test_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
