/* potstill sample is killed, stopped, and starved of disk: sample_kill POTSTILL [KILLS] (6 without
 * argument; the long run: 200).
 *
 * The same command is given again each time. However often it was killed at random moments, the
 * store ends with the hash of one written without interruption. What was in flight and kept, or cut
 * by a smaller --max-tokens, is not sampled again. SIGTERM ends it with exit code 3
 * within two seconds. A disk that is full (a tmpfs of a few hundred KiB in a mount namespace of
 * its own; where that is not allowed it is skipped) ends it with exit code 1 and a
 * message that says how to go on, and what was kept before is still there. */
#include "program.h"

#include "base/progress.h"
#include "base/random.h"

#include <sys/mount.h>
#include <sys/stat.h>

static int kills;
static uint64_t key, draws;

static pid_t begin_with(const char *path, const char *max_tokens) {
    return begin_sample(path, "12", "3", max_tokens);
}

static pid_t begin(const char *path) {
    return begin_with(path, "150");
}

static struct ps_hash expected;
static double whole_seconds;

static int set_up(void **state) {
    (void)state;
    program_set_up();
    double started = ps_seconds();
    int status = end_program(begin(store_path("whole.db")));
    whole_seconds = ps_seconds() - started;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return 1;
    expected = hash_of(store_path("whole.db"), NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return ps_path_remove(folder, &error) == PS_OK ? 0 : 1;
}

static void finish_and_compare(const char *path) {
    struct ps_store_stats stats;
    int status = end_program(begin(path));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct ps_hash hash = hash_of(path, &stats);
    assert_int_equal(stats.traces, 36);
    assert_int_equal(stats.partials, 0);
    assert_memory_equal(&hash, &expected, sizeof hash);
}

static void survives_kills(void **state) {
    (void)state;
    int completed = 0, begun = 0;
    for (int i = 0; i < kills; i++) {
        pid_t child = begin(store_path("killed.db"));
        uint32_t most = (uint32_t)(whole_seconds * 8e5) + 1;
        usleep(ps_random_below(key, draws++, most));
        kill(child, SIGKILL);
        int status = end_program(child);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        if (!WIFSIGNALED(status)) {
            completed++;
            assert_ok(ps_path_remove(store_path("killed.db"), &error));
            continue;
        }
        if (!ps_file_exists(store_path("killed.db"))) continue;
        struct ps_store *store; /* opened for writing: a kill may leave a journal to undo */
        struct ps_store_stats stats;
        assert_ok(ps_store_open(&store, store_path("killed.db"), PS_STORE_CREATE, &error));
        assert_ok(ps_store_stats(store, NULL, &stats, &error));
        ps_store_close(store);
        begun += stats.traces > 0 || stats.partials > 0;
    }
    finish_and_compare(store_path("killed.db"));
    fprintf(stderr, "%d kills, %d of them with work begun, %d runs completed before, seed %llu\n",
            kills, begun, completed, (unsigned long long)key);
}

static void stops_in_time(void **state) {
    (void)state;
    pid_t child = begin(store_path("stopped.db"));
    usleep((useconds_t)(whole_seconds * 4e5));
    double asked = ps_seconds();
    kill(child, SIGTERM);
    int status = end_program(child);
    double took = ps_seconds() - asked;
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 0, 3);
    if (WEXITSTATUS(status) != 0) assert_int_equal(WEXITSTATUS(status), 3);
    assert_true(took < 2);
    finish_and_compare(store_path("stopped.db"));
}

/* What the last run that came to its end said of itself. */
static int64_t told(const char *what) {
    struct ps_buffer text;
    char name[64];
    ps_buffer_init(&text, 1 << 20);
    assert_ok(ps_file_read(log_path, &text, &error));
    snprintf(name, sizeof name, "\"%s\":", what);
    const char *found = strstr(text.data, name);
    assert_non_null(found);
    int64_t number = strtoll(found + strlen(name), NULL, 10);
    ps_buffer_release(&text);
    return number;
}

/* Tokens of traces and partials that are kept. Ids of a store begin with 1. */
static int64_t kept_tokens(const char *path, int64_t *in_flight) {
    struct ps_store *store;
    struct ps_store_stats stats;
    struct ps_store_partial *partials;
    struct ps_arena arena;
    size_t count;
    *in_flight = 0;
    if (!ps_file_exists(path) || ps_store_open(&store, path, PS_STORE_READ, &error) != PS_OK)
        return 0;
    ps_arena_init(&arena, 1 << 24);
    assert_ok(ps_store_stats(store, NULL, &stats, &error));
    assert_ok(ps_store_read_partials(store, 1, 1, &arena, &partials, &count, &error));
    for (size_t i = 0; i < count; i++) *in_flight += (int64_t)partials[i].count;
    ps_arena_release(&arena);
    ps_store_close(store);
    return stats.tokens + *in_flight;
}

/* Killed while much is in flight, a run goes on from there: what was kept is not sampled again, and
 * the bits are the same. */
static void goes_on_from_what_was_in_flight(void **state) {
    (void)state;
    int64_t in_flight = 0, kept = 0, straight, again;
    const char *path = store_path("straight.db");
    assert_int_equal(end_program(begin(path)), 0);
    straight = told("decode_tokens");
    path = store_path("flight.db");
    pid_t child = begin(path);
    for (int i = 0; i < 10000 && in_flight < 200; i++) {
        usleep(2000);
        kept_tokens(path, &in_flight);
    }
    kill(child, SIGKILL);
    assert_true(WIFSIGNALED(end_program(child)));
    kept = kept_tokens(path, &in_flight);
    assert_true(in_flight >= 100);
    finish_and_compare(path);
    again = told("decode_tokens");
    fprintf(stderr, "%lld tokens; killed with %lld kept, %lld of them in flight; then %lld\n",
            (long long)straight, (long long)kept, (long long)in_flight, (long long)again);
    assert_true(again <= straight - kept + 36); /* the last token of each is fed anew */
}

/* Cut at 64 tokens and continued to 256, the replies are those sampled with 256 at once. */
static void goes_on_where_it_was_cut(void **state) {
    (void)state;
    struct ps_store_stats stats;
    assert_int_equal(end_program(begin_with(store_path("once.db"), "256")), 0);
    int64_t once = told("decode_tokens");
    struct ps_hash whole = hash_of(store_path("once.db"), &stats);
    int64_t cut = stats.tokens;
    assert_int_equal(end_program(begin_with(store_path("twice.db"), "64")), 0);
    struct ps_hash begun = hash_of(store_path("twice.db"), &stats);
    assert_true(memcmp(&whole, &begun, sizeof whole) != 0);
    cut -= stats.tokens;
    assert_int_equal(end_program(begin_with(store_path("twice.db"), "256")), 0);
    struct ps_hash continued = hash_of(store_path("twice.db"), &stats);
    assert_memory_equal(&whole, &continued, sizeof whole);
    fprintf(stderr, "%lld tokens; cut at 64 and continued: %lld more, %lld decoded\n",
            (long long)once, (long long)cut, (long long)told("decode_tokens"));
    assert_in_range(told("decode_tokens"), cut - 36, cut + 36);
}

/* In a process with that disk: a full disk, then room is made, then the work goes on. Exit code: 0
 * fine, 77 no such disk, else what went wrong. */
static void on_little_disk(void) {
    char place[128], path[160], copy[128];
    struct ps_buffer text;
    snprintf(place, sizeof place, "%s/disk", folder);
    snprintf(path, sizeof path, "%s/full.db", place);
    snprintf(copy, sizeof copy, "%s/kept", folder);
    if (mkdir(place, 0755) != 0) _exit(10);
    if (!mount_little(place, "220k")) _exit(77);
    /* Far more than there is room for is not begun. */
    if (end_program(begin_sample(path, "12", "2000", "150")) != 1 << 8) _exit(15);
    ps_buffer_init(&text, 1 << 16);
    if (ps_file_read(log_path, &text, &error) != PS_OK) _exit(16);
    if (!strstr(text.data, "MB are free: make room")) _exit(17);
    ps_buffer_release(&text);
    int status = end_program(begin(path));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1) _exit(11);
    ps_buffer_init(&text, 1 << 16);
    if (ps_file_read(log_path, &text, &error) != PS_OK) _exit(12);
    if (!strstr(text.data, "nothing is lost; make room")) _exit(13);
    ps_buffer_release(&text);
    if (mount("potstill", place, "tmpfs", MS_REMOUNT, "size=16m") != 0) _exit(14);
    finish_and_compare(path);
    _exit(0);
}

static void full_disk_loses_nothing(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) on_little_disk();
    int status = end_program(child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        fprintf(stderr, "skipped: mounting a tmpfs of one's own is not allowed here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    potstill = arguments[1];
    kills = count > 2 ? atoi(arguments[2]) : 6;
    key = count > 3 ? strtoull(arguments[3], NULL, 10) : (uint64_t)(ps_seconds() * 1e6);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_kills),
        cmocka_unit_test(stops_in_time),
        cmocka_unit_test(goes_on_from_what_was_in_flight),
        cmocka_unit_test(goes_on_where_it_was_cut),
        cmocka_unit_test(full_disk_loses_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
