/* kill -9 in the middle of writing: store_kill [ROUNDS] (12 without argument; the long run: 1000).
 *
 * A child opens the store, asks what is missing, and puts traces, partials and verdicts in random
 * batches; every third packs as well. After each flush it reports the number it then knows to be
 * kept through a pipe. The parent kills it at a random moment and opens the store. What was
 * reported is there, each trace is whole, none is twice, the file is sound. When all rounds are
 * over a last child finishes the work, and the hash is that of a store written without
 * interruption. */

#include "../unit/store_fixture.h"

#include "base/random.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static uint64_t key; /* this run's random numbers */

static int prompts, samples;

static struct fixture open_store(const char *folder, const char *name) {
    struct fixture f = {0};
    snprintf(f.path, sizeof f.path, "%s/%s", folder, name);
    assert_ok(ps_store_open(&f.store, f.path, PS_STORE_CREATE, &error));
    fixture_identities(&f);
    return f;
}

/* A trace that depends on the prompt's number, not on its row. */
static struct ps_store_trace make_trace(struct fixture *f, int prompt, int64_t row, int sample) {
    struct ps_store_trace trace = fixture_trace(f, prompt, sample);
    trace.key.prompt = row;
    return trace;
}

/* Packs what there is, and the whole file (VACUUM). */
static void pack(struct fixture *f) {
    int64_t packed;
    assert_ok(ps_store_pack(f->store, &packed, NULL, &error));
}

/* Writes what is missing, and packs now and then; reports to descriptor (or -1) how many traces are
 * kept. */
static void write_missing(struct fixture *f, int descriptor, uint64_t seed) {
    uint64_t draw = 0;
    int64_t kept;
    bool packs = descriptor >= 0 && ps_random_below(seed, draw++, 3) == 0;
    if (packs) pack(f);
    for (int p = 0; p < prompts; p++) {
        uint8_t states[64];
        if (packs && ps_random_below(seed, draw++, 40) == 0) pack(f);
        int64_t row = fixture_prompt(f, p);
        struct ps_store_key all = {row, f->source, f->sampler, 0};
        assert_ok(ps_store_states(f->store, &all, 64, states, (size_t)samples, &error));
        for (int s = 0; s < samples; s++) {
            /* A few of those that are there are put again. */
            if (states[s] == PS_STORE_DONE && ps_random_below(seed, draw++, 100) >= 3) continue;
            struct ps_store_trace trace = make_trace(f, p, row, s);
            uint32_t dice = ps_random_below(seed, draw++, 100);
            enum ps_store_put outcome;
            if (dice < 30)
                assert_ok(ps_store_put_partial(f->store, &trace.key, trace.ids, trace.logprobs, 20,
                                               &error));
            int64_t id;
            assert_ok(ps_store_put_trace(f->store, &trace, &id, &outcome, &error));
            assert_int_equal(outcome,
                             states[s] == PS_STORE_DONE ? PS_STORE_ALREADY : PS_STORE_KEPT);
            struct ps_store_verdict verdict = {.grader = "g", .verdict = "correct"};
            if (outcome == PS_STORE_KEPT)
                assert_ok(ps_store_put_verdict(f->store, id, &verdict, &error));
            if (dice >= 60) continue;
            assert_ok(ps_store_flush(f->store, &error));
            if (descriptor < 0) continue;
            assert_ok(ps_store_get(f->store, &kept, &error, "SELECT count(*) FROM trace", ""));
            if (write(descriptor, &kept, sizeof kept) != sizeof kept) _exit(3);
        }
    }
    assert_ok(ps_store_flush(f->store, &error));
}

/* Runs a child for at most `microseconds`; returns the last number it reported. */
static int64_t run_child(const char *folder, uint64_t seed, unsigned microseconds) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        struct fixture f = open_store(folder, "killed.db");
        write_missing(&f, ends[1], seed);
        _exit(0);
    }
    close(ends[1]);
    usleep(microseconds);
    kill(child, SIGKILL);
    int64_t reported = 0, last = 0;
    ssize_t got;
    while ((got = read(ends[0], &reported, sizeof reported)) > 0 || (got < 0 && errno == EINTR))
        if (got == sizeof reported) last = reported;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return last;
}

static int64_t check(const char *folder) {
    struct ps_hash hash;
    int64_t traces, unsound, seen;
    struct fixture f = {0};
    snprintf(f.path, sizeof f.path, "%s/killed.db", folder);
    if (ps_store_open(&f.store, f.path, PS_STORE_READ, &error) == PS_OK) {
        assert_ok(ps_store_get(f.store, &seen, &error, "SELECT count(*) FROM trace", ""));
        ps_store_close(f.store);
    } else { /* killed before the store was made */
        if (error.status != PS_NOT_FOUND && error.status != PS_FORMAT)
            fail_msg("opened for reading: %s", error.message);
        seen = 0;
    }
    f = open_store(folder, "killed.db");
    assert_ok(ps_store_get(f.store, &unsound, &error,
                           "SELECT (SELECT integrity_check <> 'ok' FROM pragma_integrity_check) + "
                           "(SELECT count(*) FROM pragma_foreign_key_check)",
                           ""));
    assert_int_equal(unsound, 0);
    assert_ok(ps_store_get(f.store, &traces, &error,
                           "SELECT count(*) - 1000000 * (count(*) - (SELECT count(*) FROM (SELECT "
                           "DISTINCT prompt, source, sampler, sample FROM trace))) FROM trace",
                           ""));
    assert_ok(ps_store_hash(f.store, &hash, &error)); /* reads and checks every trace */
    assert_int_equal(traces, seen); /* a reader sees as much before anything is repaired */
    ps_store_close(f.store);
    return traces;
}

static void test_kill(void **state) {
    int rounds = *(int *)*state;
    char folder[] = "/tmp/potstill-kill-XXXXXX", straight[PS_HASH_HEX_SIZE];
    assert_non_null(mkdtemp(folder));
    prompts = rounds < 20 ? rounds * 4 : 200;
    samples = rounds < 20 ? 8 : 8 + rounds / 25;
    if (samples > 64) samples = 64;
    struct fixture f = open_store(folder, "straight.db");
    write_missing(&f, -1, 0);
    fixture_hash(&f, straight);
    ps_store_close(f.store);
    int64_t before = 0;
    int wiped = 0, interrupted = 0;
    for (int round = 0; round < rounds; round++) {
        int64_t reported = run_child(folder, key + (uint64_t)round + 1,
                                     1000 + ps_random_below(key, (uint64_t)round, 100000));
        int64_t traces = check(folder);
        if (traces < reported || traces < before)
            fail_msg("round %d: %lld reported as kept, %lld before, %lld there", round,
                     (long long)reported, (long long)before, (long long)traces);
        before = traces;
        interrupted += traces < (int64_t)prompts * samples;
        if (traces == (int64_t)prompts * samples) { /* all done: begin anew */
            char path[100];
            static const char *const ends[] = {"", "-wal", "-shm", ".owner"};
            for (int i = 0; i < 4; i++) {
                snprintf(path, sizeof path, "%s/killed.db%s", folder, ends[i]);
                assert_ok(ps_path_remove(path, &error));
            }
            before = 0;
            wiped++;
        }
    }
    f = open_store(folder, "killed.db");
    write_missing(&f, -1, 1);
    char resumed[PS_HASH_HEX_SIZE];
    fixture_hash(&f, resumed);
    assert_string_equal(straight, resumed);
    int64_t partials;
    assert_ok(ps_store_get(f.store, &partials, &error, "SELECT count(*) FROM partial", ""));
    assert_int_equal(partials, 0);
    fprintf(stderr,
            "%d kills, %d of them before the work was done, %d stores completed and the last at "
            "%lld of %d traces, seed %llu: no trace lost, none twice, same hash\n",
            rounds, interrupted, wiped, (long long)before, prompts * samples,
            (unsigned long long)key);
    ps_store_close(f.store);
    assert_ok(ps_path_remove(folder, &error));
}

int main(int count, char **arguments) {
    int rounds = count > 1 ? atoi(arguments[1]) : 12;
    key = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t)ps_store_now();
    struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_kill, &rounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
