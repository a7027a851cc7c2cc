/* Whatever is done to stores, the traces are those of a straight run: sequences POTSTILL [COUNT]
 * [SEED] (2 sequences without argument; the long run: 200).
 *
 * A sequence begins with three stores that are empty and does STEPS things at random to them, with
 * the program: sample a part (fewer questions, fewer samples of each, a smaller --max-tokens),
 * grade, correct a gold and grade again, pack, delete some traces, merge one store into another,
 * continue on a backup, continue on what was salvaged. A third of it all is killed at a random
 * moment. In the end the stores are merged and what is missing is sampled: `traces verify` finds
 * nothing, and the hash is that of the straight run. */
#include "program.h"

#include "base/progress.h"
#include "base/random.h"

enum { STORES = 3, STEPS = 24 };

static int sequences;
static uint64_t key, draws;
static int killed, done_steps;
static struct ps_hash expected;

static uint32_t dice(uint32_t sides) {
    return ps_random_below(key, draws++, sides);
}

static const char *numbered(const char *name, int number) {
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s%d.db", folder, name, number);
    return path;
}

static const char *store(int number) {
    return numbered("store", number);
}

/* One that was killed before it was a store has no traces, and is made when it is sampled into. */
static bool is_store(int number) {
    struct ps_store *opened;
    enum ps_status status = ps_store_open(&opened, store(number), PS_STORE_WRITE, &error);
    if (status != PS_OK && status != PS_NOT_FOUND && status != PS_FORMAT)
        fail_msg("%s (seed %llu)", error.message, (unsigned long long)key);
    ps_store_close(opened);
    return status == PS_OK;
}

static void remove_store(const char *path) {
    static const char *const ends[] = {"", "-wal", "-shm", ".owner"};
    char name[160];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        assert_ok(ps_path_remove(name, &error));
    }
}

/* Waits for the child, or kills it. False when it was killed. */
static bool end_or_kill(pid_t child, const char *what) {
    bool kills = dice(3) == 0;
    if (kills) {
        usleep(dice(dice(2) ? 400000 : 60000));
        kill(child, SIGKILL);
    }
    int status = end_program(child);
    if (WIFSIGNALED(status) && kills) {
        killed++;
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        done_steps++;
        return true;
    }
    struct ps_buffer text;
    ps_buffer_init(&text, 1 << 20);
    assert_ok(ps_file_read(log_path, &text, &error));
    /* A gold is corrected of a row that no one has asked yet. */
    if (!WIFEXITED(status) || !strstr(text.data, ": no item "))
        fail_msg("%s: status %x: %s (seed %llu)", what, status, text.data, (unsigned long long)key);
    ps_buffer_release(&text);
    return false;
}

static bool command(const char *const *arguments) {
    return end_or_kill(begin_program(arguments), arguments[1]);
}

/* ---- what is done to a store ---- */

static void sample_some(int number) {
    static const char *const questions[] = {"4", "8", "12"}, *const samples[] = {"1", "2", "3"},
                             *const limits[] = {"40", "64", "150"};
    end_or_kill(begin_sample(store(number), questions[dice(3)], samples[dice(3)], limits[dice(3)]),
                "sample");
}

static void grade(int number) {
    command((const char *const[]){"grade", store(number), NULL});
}

static void correct_gold(int number) {
    char item[32], gold[16];
    snprintf(item, sizeof item, "arith/train:%u", dice(4));
    snprintf(gold, sizeof gold, "%u", dice(100));
    command((const char *const[]){"traces", "gold", store(number), item, gold, NULL});
}

static void pack(int number) {
    command((const char *const[]){"traces", "pack", store(number), NULL});
}

static void delete_some(int number) {
    command((const char *const[]){"traces", "delete", store(number), "--min-tokens", "100",
                                  "--max-tokens", dice(2) ? "120" : "101", "--yes", NULL});
}

static void merge(int number) {
    int other = (number + 1 + (int)dice(STORES - 1)) % STORES;
    if (is_store(other))
        command((const char *const[]){"traces", "merge", store(number), store(other), NULL});
}

/* The copy takes the store's place if it was completed. */
static void go_on_with_copy(int number, const char *how) {
    const char *copy = numbered("copy", number);
    remove_store(copy);
    if (!command((const char *const[]){"traces", how, store(number), copy, NULL})) return;
    remove_store(store(number));
    assert_int_equal(rename(copy, store(number)), 0);
}

static void step(int number) {
    uint32_t what = is_store(number) ? dice(12) : 0;
    switch (what) {
    case 4:
    case 5: grade(number); break;
    case 6: correct_gold(number); break;
    case 7: pack(number); break;
    case 8: delete_some(number); break;
    case 9: merge(number); break;
    case 10: go_on_with_copy(number, "backup"); break;
    case 11: go_on_with_copy(number, "salvage"); break;
    default: sample_some(number); break;
    }
}

/* ---- the property ---- */

static int finish(const char *const *arguments) {
    return end_program(begin_program(arguments));
}

static void run_sequence(void) {
    struct ps_store_stats stats;
    for (int i = 0; i < STORES; i++) remove_store(store(i));
    for (int i = 0; i < STEPS; i++) step((int)dice(STORES));
    assert_int_equal(end_program(begin_sample(store(0), "12", "1", "40")), 0);
    for (int i = 1; i < STORES; i++)
        if (is_store(i))
            assert_int_equal(
                finish((const char *const[]){"traces", "merge", store(0), store(i), NULL}), 0);
    assert_int_equal(end_program(begin_sample(store(0), "12", "3", "150")), 0);
    assert_int_equal(finish((const char *const[]){"traces", "verify", store(0), NULL}), 0);
    struct ps_hash hash = hash_of(store(0), &stats);
    assert_int_equal(stats.partials, 0);
    if (memcmp(&hash, &expected, sizeof hash) != 0)
        fail_msg("another hash than the straight run's; seed %llu", (unsigned long long)key);
}

static void any_sequence_gives_the_straight_runs_hash(void **state) {
    (void)state;
    for (int i = 0; i < sequences; i++) run_sequence();
    fprintf(stderr,
            "%d sequences of %d steps, %d steps killed, %d completed, seed %llu: same hash as the "
            "straight run, nothing found by verify\n",
            sequences, STEPS, killed, done_steps, (unsigned long long)key);
}

static int set_up(void **state) {
    (void)state;
    program_set_up();
    if (end_program(begin_sample(store_path("straight.db"), "12", "3", "150")) != 0) return 1;
    expected = hash_of(store_path("straight.db"), NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return ps_path_remove(folder, &error) == PS_OK ? 0 : 1;
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    potstill = arguments[1];
    sequences = count > 2 ? atoi(arguments[2]) : 2;
    key = count > 3 ? strtoull(arguments[3], NULL, 10) : (uint64_t)(ps_seconds() * 1e6);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_sequence_gives_the_straight_runs_hash),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
