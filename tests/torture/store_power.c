/* The power goes, and the disk fails: store_power [LOSSES] (20 without argument; the long run: 200
 * and more).
 *
 * A store is written over a file system that drops, tears and reorders what was not synced
 * (power_vfs.h), and loses power at a random write, fsync or change of size. What a flush had
 * reported as kept is there afterwards, the file is sound, and the work goes on. Then every n-th
 * such call fails for want of space or with an I/O error, once and from then on: the work ends with
 * a message that says how to go on, nothing reported as kept is lost, and the same work done again
 * ends with the hash of one without failures. */

#include "power_vfs.h"

#include "../unit/store_fixture.h"

#include "base/random.h"

enum { PROMPTS = 12, SAMPLES = 6 };

static uint64_t key, draws;
static int losses;
static bool acknowledged[PROMPTS][SAMPLES];

struct work {
    bool pending[PROMPTS][SAMPLES];
    int put; /* pending ones */
};

static uint32_t dice(uint32_t sides) {
    return ps_random_below(key, draws++, sides);
}

static enum ps_status flush(struct ps_store *store, struct work *work, struct ps_error *own) {
    PS_TRY(ps_store_flush(store, own));
    for (int i = 0; i < PROMPTS * SAMPLES; i++)
        (&acknowledged[0][0])[i] |= (&work->pending[0][0])[i];
    return PS_OK;
}

static enum ps_status identities(struct fixture *f, struct ps_error *own) {
    PS_TRY(ps_store_put_source(f->store, "t", "{\"weights\":\"w\"}", &f->source, NULL, own));
    PS_TRY(ps_store_put_sampler(f->store, "{\"seed\":17}", &f->sampler, NULL, own));
    return ps_store_put_provenance(f->store, "{}", &f->provenance, own);
}

static enum ps_status put(struct fixture *f, int prompt, int sample, int64_t row, struct work *work,
                          struct ps_error *own) {
    struct ps_store_trace trace = fixture_trace(f, prompt, sample);
    struct ps_store_verdict verdict = {.grader = "g", .verdict = "correct"};
    int64_t id;
    trace.key.prompt = row;
    if (dice(4) == 0)
        PS_TRY(ps_store_put_partial(f->store, &trace.key, trace.ids, trace.logprobs, 20, own));
    PS_TRY(ps_store_put_trace(f->store, &trace, &id, NULL, own));
    PS_TRY(ps_store_put_verdict(f->store, id, &verdict, own));
    work->pending[prompt][sample] = true;
    return PS_OK;
}

static enum ps_status write_all(struct fixture *f, struct ps_error *own) {
    struct work work = {0};
    int64_t packed;
    PS_TRY(identities(f, own));
    for (int p = 0; p < PROMPTS; p++) {
        char json[200];
        uint8_t states[SAMPLES];
        int64_t row;
        snprintf(json, sizeof json, "{\"messages\":[{\"role\":\"user\",\"content\":\"%d?\"}]}", p);
        PS_TRY(ps_store_put_prompt(f->store, json, &row, NULL, own));
        struct ps_store_key all = {row, f->source, f->sampler, 0};
        PS_TRY(ps_store_states(f->store, &all, 64, states, SAMPLES, own));
        for (int s = 0; s < SAMPLES; s++) {
            if (states[s] == PS_STORE_DONE) continue;
            PS_TRY(put(f, p, s, row, &work, own));
            if (dice(3) == 0) PS_TRY(flush(f->store, &work, own));
        }
        if (dice(6) == 0) {
            PS_TRY(flush(f->store, &work, own));
            PS_TRY(ps_store_pack(f->store, &packed, NULL, own));
        }
    }
    PS_TRY(flush(f->store, &work, own));
    return ps_store_pack(f->store, &packed, NULL, own);
}

/* The work from wherever the store is. */
static enum ps_status work_on(const char *path, struct ps_error *own) {
    struct fixture f = {0};
    PS_TRY(ps_store_open(&f.store, path, PS_STORE_CREATE, own));
    enum ps_status status = write_all(&f, own);
    ps_store_close(f.store);
    return status;
}

/* Everything acknowledged is there, in a sound store; the hash if it is whole. */
static void check(const char *path, struct ps_hash *hash) {
    struct fixture f = {0};
    int64_t unsound;
    assert_ok(ps_store_open(&f.store, path, PS_STORE_CREATE, &error));
    assert_ok(ps_store_get(f.store, &unsound, &error,
                           "SELECT (SELECT integrity_check <> 'ok' FROM pragma_integrity_check) + "
                           "(SELECT count(*) FROM pragma_foreign_key_check)",
                           ""));
    assert_int_equal(unsound, 0);
    assert_ok(identities(&f, &error));
    for (int p = 0; p < PROMPTS; p++) {
        char json[200];
        uint8_t states[SAMPLES];
        int64_t row;
        snprintf(json, sizeof json, "{\"messages\":[{\"role\":\"user\",\"content\":\"%d?\"}]}", p);
        assert_ok(ps_store_find_prompt(f.store, json, &row, &error));
        struct ps_store_key all = {row, f.source, f.sampler, 0};
        assert_ok(ps_store_states(f.store, &all, 64, states, SAMPLES, &error));
        for (int s = 0; s < SAMPLES; s++)
            if (acknowledged[p][s] && states[s] != PS_STORE_DONE)
                fail_msg("prompt %d, sample %d was kept and is lost", p, s);
    }
    assert_ok(ps_store_hash(f.store, hash, &error)); /* reads every trace */
    ps_store_close(f.store);
}

static void begin_anew(const char *path) {
    static const char *const ends[] = {"", "-wal", "-shm", "-journal", ".owner"};
    char name[200];
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    memset(acknowledged, 0, sizeof acknowledged);
}

static char folder[64], path[96];
static struct ps_hash expected;
static uint64_t all_calls;

static int set_up(void **state) {
    (void)state;
    power_register();
    unit_folder(folder);
    snprintf(path, sizeof path, "%s/t.db", folder);
    power_arm(POWER_LOSS, 0, 0, 0);
    if (work_on(path, &error) != PS_OK) return 1;
    all_calls = power_calls();
    check(path, &expected);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return ps_path_remove(folder, &error) == PS_OK ? 0 : 1;
}

static void test_power(void **state) {
    (void)state;
    struct ps_error own;
    struct ps_hash hash;
    int completed = 0, lost = 0;
    begin_anew(path);
    while (lost < losses) {
        power_arm(POWER_LOSS, 1 + dice((uint32_t)all_calls), 0, key + draws);
        enum ps_status status = work_on(path, &own);
        if (power_met()) {
            lost++;
            power_restore();
        }
        power_arm(POWER_LOSS, 0, 0, 0);
        check(path, &hash);
        if (status != PS_OK) continue;
        assert_memory_equal(&hash, &expected, sizeof hash);
        completed++;
        begin_anew(path);
    }
    assert_ok(work_on(path, &error));
    check(path, &hash);
    assert_memory_equal(&hash, &expected, sizeof hash);
    fprintf(stderr,
            "%d power losses, %d stores completed, seed %llu: no acknowledged trace lost, sound "
            "each time, same hash\n",
            lost, completed, (unsigned long long)key);
}

static void fail_each(enum power_event event, uint64_t times, enum ps_status wanted,
                      const char *says) {
    struct ps_hash hash;
    int failed = 0, tried = 0;
    uint64_t stride = losses < 100 ? 1 + all_calls / 60 : 1;
    for (uint64_t n = 1; n <= all_calls; n += stride, tried++) {
        struct ps_error own = {0};
        begin_anew(path);
        power_arm(event, n, times, 0);
        enum ps_status status = work_on(path, &own);
        power_arm(event, 0, 0, 0);
        if (status != PS_OK) {
            failed++;
            if (status != wanted || !strstr(own.message, says))
                fail_msg("call %d: %s: %s", (int)n, ps_status_name(status), own.message);
        }
        check(path, &hash);
        assert_ok(work_on(path, &error));
        check(path, &hash);
        assert_memory_equal(&hash, &expected, sizeof hash);
    }
    assert_true(failed * 2 > tried);
    fprintf(stderr, "%s, %s: %d of %d calls tried end the work; nothing kept was lost\n",
            ps_status_name(wanted), times == 1 ? "once" : "from then on", failed, tried);
}

static void test_full(void **state) {
    (void)state;
    fail_each(POWER_FULL, 1, PS_FULL, "free some space");
    fail_each(POWER_FULL, UINT32_MAX, PS_FULL, "free some space");
}

static void test_error(void **state) {
    (void)state;
    fail_each(POWER_ERROR, 1, PS_IO, "start again");
    fail_each(POWER_ERROR, UINT32_MAX, PS_IO, "start again");
}

int main(int count, char **arguments) {
    losses = count > 1 ? atoi(arguments[1]) : 20;
    key = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t)ps_store_now();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
