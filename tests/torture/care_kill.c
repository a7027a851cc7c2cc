/* pack and merge are stopped, killed and starved of disk: care_kill POTSTILL [TIMES] (4 without
 * argument; the long run: 200).
 *
 * Each is begun on a store of PROMPTS x SAMPLES traces and hurt at a random moment. SIGTERM ends it
 * with exit code 3 within two seconds. After SIGTERM as after kill -9 the traces are those from
 * before; begun again it completes, to the hash it should have. A full disk (see sample_kill) ends
 * it with exit code 1 and a message that says how to go on, and nothing is lost. */
#include "program.h"

#include "base/progress.h"
#include "base/random.h"

#include <errno.h>
#include <sys/stat.h>

enum { PROMPTS = 40, SAMPLES = 8, WORDS = 300 };

static int times;
static uint64_t key, draws;

/* Text and tokens of a trace depend on both numbers. */
static enum ps_status put(struct ps_store *store, const struct ps_store_key *where, int prompt,
                          int64_t provenance) {
    static char text[WORDS * 8 + 1];
    int32_t ids[WORDS];
    float logprobs[WORDS];
    for (int i = 0; i < WORDS; i++) {
        uint64_t stream = (uint64_t)(i % 4 ? prompt : prompt * SAMPLES + (int)where->sample);
        ids[i] = (int32_t)ps_random_below(stream, (uint64_t)i, 900);
        logprobs[i] = -ps_random_uniform(stream, (uint64_t)i);
        snprintf(text + 8 * i, 9, "word%03d ", (int)ids[i]);
    }
    struct ps_store_trace trace = {.key = *where,
                                   .provenance = provenance,
                                   .content = text,
                                   .content_size = WORDS * 8,
                                   .ids = ids,
                                   .logprobs = logprobs,
                                   .output_tokens = WORDS,
                                   .time = 1700000000000};
    return ps_store_put_trace(store, &trace, NULL, NULL, &error);
}

/* Prompts [from, to). */
static void make_store(const char *path, int from, int to) {
    struct ps_store *store;
    struct ps_store_key where = {0};
    int64_t provenance;
    assert_ok(ps_store_open(&store, path, PS_STORE_CREATE, &error));
    assert_ok(ps_store_put_source(store, "t", "{\"weights\":\"w\"}", &where.source, NULL, &error));
    assert_ok(ps_store_put_sampler(store, "{\"seed\":17}", &where.sampler, NULL, &error));
    assert_ok(ps_store_put_provenance(store, "{}", &provenance, &error));
    for (int p = from; p < to; p++) {
        char json[100];
        snprintf(json, sizeof json, "{\"messages\":[{\"role\":\"user\",\"content\":\"%d?\"}]}", p);
        assert_ok(ps_store_put_prompt(store, json, &where.prompt, NULL, &error));
        for (where.sample = 0; where.sample < SAMPLES; where.sample++)
            assert_ok(put(store, &where, p, provenance));
    }
    assert_ok(ps_store_flush(store, &error));
    ps_store_close(store);
}

static void copy_file(const char *from, const char *to) {
    struct ps_buffer text;
    ps_buffer_init(&text, 1 << 30);
    assert_ok(ps_file_read(from, &text, &error));
    assert_ok(ps_file_write_atomic(to, text.data, text.size, &error));
    ps_buffer_release(&text);
}

static void remove_store(const char *path) {
    static const char *const ends[] = {"", "-wal", "-shm", ".owner"};
    char name[160];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        assert_ok(ps_path_remove(name, &error));
    }
}

static char whole[128], half[128], work[128];
static struct ps_hash whole_hash;
static double seconds[2]; /* that it takes when it is left alone */

enum what { PACK, MERGE };

/* pack work, or merge the half that it lacks into it. */
static pid_t begin_care(enum what what, const char *path) {
    if (what == PACK) return begin_program((const char *const[]){"traces", "pack", path, NULL});
    return begin_program((const char *const[]){"traces", "merge", path, whole, NULL});
}

static const char *begins_as(enum what what) {
    return what == PACK ? whole : half;
}

static void assert_hash(const char *path, const struct ps_hash *wanted) {
    struct ps_hash hash = hash_of(path, NULL);
    assert_memory_equal(&hash, wanted, sizeof hash);
}

static bool ended_well(int status) {
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- stopped and killed ---- */

static void hurt(enum what what, int number, int counts[3]) {
    double asked;
    bool stop = number % 2 == 0;
    copy_file(begins_as(what), work);
    pid_t child = begin_care(what, work);
    usleep(ps_random_below(key, draws++, (uint32_t)(seconds[what] * 1e6)));
    asked = ps_seconds();
    kill(child, stop ? SIGTERM : SIGKILL);
    int status = end_program(child);
    /* A signal that comes before the program has begun ends it as any other. */
    if (stop && !WIFSIGNALED(status)) {
        assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3);
        assert_true(ps_seconds() - asked < 2);
    }
    counts[ended_well(status) ? 2 : stop ? 0 : 1]++;
    if (what == PACK) assert_hash(work, &whole_hash);
    if (!ended_well(status)) assert_true(ended_well(end_program(begin_care(what, work))));
    assert_hash(work, &whole_hash);
    remove_store(work);
}

static void goes_on_after_stop_and_kill(void **state) {
    (void)state;
    for (int what = PACK; what <= MERGE; what++) {
        int counts[3] = {0};
        copy_file(begins_as(what), work);
        double started = ps_seconds();
        assert_true(ended_well(end_program(begin_care(what, work))));
        seconds[what] = ps_seconds() - started;
        assert_hash(work, &whole_hash);
        remove_store(work);
        for (int i = 0; i < times; i++) hurt(what, i, counts);
        fprintf(stderr,
                "%s: stopped %d times, killed %d, done before %d, seed %llu: nothing lost, "
                "completed each time\n",
                what == PACK ? "pack" : "merge", counts[0], counts[1], counts[2],
                (unsigned long long)key);
    }
}

/* ---- a full disk ---- */

/* In a process of its own, on a disk of `more` KiB than the store. Exit code: 0 fine, 77 there can
 * be no such disk, else what went wrong. */
static void on_little_disk(enum what what, int more) {
    char place[100], path[128], size[32];
    struct stat about;
    struct ps_buffer text;
    snprintf(place, sizeof place, "%s/disk", folder);
    snprintf(path, sizeof path, "%s/full.db", place);
    if (mkdir(place, 0755) != 0 && errno != EEXIST) _exit(10);
    if (stat(begins_as(what), &about) != 0) _exit(11);
    snprintf(size, sizeof size, "%dk", (int)(about.st_size >> 10) + more);
    if (!mount_little(place, size)) _exit(77);
    copy_file(begins_as(what), path);
    int status = end_program(begin_care(what, path));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1) _exit(12);
    ps_buffer_init(&text, 1 << 16);
    if (ps_file_read(log_path, &text, &error) != PS_OK) _exit(13);
    if (!strstr(text.data, "free some space")) _exit(14);
    if (what == PACK) assert_hash(path, &whole_hash);
    if (mount("potstill", place, "tmpfs", MS_REMOUNT, "size=64m") != 0) _exit(15);
    if (!ended_well(end_program(begin_care(what, path)))) _exit(16);
    assert_hash(path, &whole_hash);
    _exit(0);
}

static void full_disk_loses_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) on_little_disk(i % 2 ? PACK : MERGE, i < 2 ? 80 : 400);
        int status = end_program(child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77) {
            fprintf(stderr, "skipped: mounting a tmpfs of one's own is not allowed here\n");
            skip();
        }
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static int set_up(void **state) {
    (void)state;
    program_set_up();
    snprintf(whole, sizeof whole, "%s", store_path("whole.db"));
    snprintf(half, sizeof half, "%s", store_path("half.db"));
    snprintf(work, sizeof work, "%s", store_path("work.db"));
    make_store(whole, 0, PROMPTS);
    make_store(half, PROMPTS / 4, PROMPTS / 2);
    whole_hash = hash_of(whole, NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return ps_path_remove(folder, &error) == PS_OK ? 0 : 1;
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    potstill = arguments[1];
    times = count > 2 ? atoi(arguments[2]) : 4;
    key = count > 3 ? strtoull(arguments[3], NULL, 10) : (uint64_t)(ps_seconds() * 1e6);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_after_stop_and_kill),
        cmocka_unit_test(full_disk_loses_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
