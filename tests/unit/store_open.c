/* Opening: formats, one writer, read-only, network file systems, what a flush promises. */

#include "store_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int64_t pragma(struct fixture *f, const char *sql) {
    int64_t value;
    assert_ok(ps_store_get(f->store, &value, &error, sql, ""));
    return value;
}

static void test_settings(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    assert_int_equal(pragma(&f, "PRAGMA page_size"), 4096);
    assert_int_equal(pragma(&f, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(&f, "PRAGMA foreign_keys"), 1);
    assert_int_equal(pragma(&f, "PRAGMA mmap_size"), 0);
    assert_int_equal(pragma(&f, "PRAGMA auto_vacuum"), 2);
    assert_int_equal(pragma(&f, "PRAGMA application_id"), PS_STORE_APPLICATION_ID);
    assert_int_equal(pragma(&f, "PRAGMA user_version"), 1);
    assert_int_equal(pragma(&f, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    assert_int_equal(pragma(&f, "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND "
                                "NOT strict AND name NOT LIKE 'sqlite%'"),
                     0);
    assert_null(ps_store_warning(f.store));
    fixture_close(&f);
}

static void test_wrong_files(void **state) {
    (void)state;
    struct fixture f;
    struct ps_store *store;
    fixture_open(&f);
    ps_store_close(f.store);
    char path[200];
    snprintf(path, sizeof path, "%s/absent/x.db", f.folder);
    assert_fails(ps_store_open(&store, path, PS_STORE_READ, &error), PS_NOT_FOUND, "no such store");
    assert_fails(ps_store_open(&store, path, PS_STORE_WRITE, &error), PS_NOT_FOUND, "no such");
    assert_null(store);
    assert_ok(ps_store_open(&store, path, PS_STORE_CREATE, &error)); /* makes the folder */
    ps_store_close(store);
    snprintf(path, sizeof path, "%s/odd%%3f ?#.db", f.folder);
    assert_ok(ps_store_open(&store, path, PS_STORE_CREATE, &error));
    ps_store_close(store);
    assert_true(ps_file_exists(path));
    snprintf(path, sizeof path, "%s/text.db", f.folder);
    for (size_t size = 0; size <= 9000; size += 3000) {
        char text[9000];
        memset(text, 'x', sizeof text);
        assert_ok(ps_file_write_atomic(path, text, size, &error));
        assert_fails(ps_store_open(&store, path, PS_STORE_READ, &error), PS_FORMAT,
                     "not a trace store");
        if (size > 0)
            assert_fails(ps_store_open(&store, path, PS_STORE_CREATE, &error), PS_FORMAT,
                         "not a trace store");
    }
    fixture_sql(&f, "PRAGMA user_version = 2");
    assert_fails(ps_store_open(&store, f.path, PS_STORE_READ, &error), PS_FORMAT, "newer");
    fixture_sql(&f, "PRAGMA user_version = 1; PRAGMA application_id = 1");
    assert_fails(ps_store_open(&store, f.path, PS_STORE_CREATE, &error), PS_FORMAT, "not a trace");
    assert_ok(ps_path_remove(f.folder, &error));
}

static void test_one_writer(void **state) {
    (void)state;
    struct fixture f;
    struct ps_store *second;
    char who[300], host[100] = "";
    fixture_open(&f);
    assert_ok(ps_store_flush(f.store, &error));
    gethostname(host, sizeof host - 1);
    snprintf(who, sizeof who, "process %ld on %s", (long)getpid(), host);
    assert_fails(ps_store_open(&second, f.path, PS_STORE_WRITE, &error), PS_BUSY, who);
    assert_fails(ps_store_open(&second, f.path, PS_STORE_CREATE, &error), PS_BUSY, f.path);
    assert_ok(ps_store_open(&second, f.path, PS_STORE_READ, &error));
    /* The reader sees what is flushed, and cannot write. */
    int64_t prompt = fixture_prompt(&f, 1), id;
    fixture_put(&f, prompt, 0);
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(second, NULL, &stats, &error));
    assert_int_equal(stats.traces, 0);
    assert_ok(ps_store_flush(f.store, &error));
    assert_ok(ps_store_stats(second, NULL, &stats, &error));
    assert_int_equal(stats.traces, 1);
    assert_fails(ps_store_put_source(second, "x", "{\"x\":1}", &id, NULL, &error), PS_ARGUMENT,
                 "reading only");
    ps_store_close(second);
    ps_store_close(f.store);
    char owner[200];
    snprintf(owner, sizeof owner, "%s.owner", f.path);
    assert_false(ps_file_exists(owner));
    /* A process that died leaves the file and no lock. */
    assert_ok(ps_file_write_atomic(owner, "process 1 on elsewhere\n", 23, &error));
    assert_ok(ps_store_open(&f.store, f.path, PS_STORE_WRITE, &error));
    fixture_close(&f);
}

static void test_read_only_folder(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    fixture_put(&f, fixture_prompt(&f, 1), 0);
    assert_ok(ps_store_flush(f.store, &error));
    ps_store_close(f.store);
    chmod(f.path, 0444);
    chmod(f.folder, 0555);
    assert_ok(ps_store_open(&f.store, f.path, PS_STORE_READ, &error));
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(f.store, NULL, &stats, &error));
    assert_int_equal(stats.traces, 1);
    chmod(f.folder, 0755);
    fixture_close(&f);
}

static void test_network(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    fixture_put(&f, fixture_prompt(&f, 1), 0);
    assert_ok(ps_store_flush(f.store, &error));
    ps_store_close(f.store);
    assert_ok(ps_store_open_on(&f.store, f.path, PS_STORE_WRITE, "NFS", &error));
    assert_non_null(strstr(ps_store_warning(f.store), "NFS"));
    assert_int_equal(pragma(&f, "SELECT journal_mode = 'truncate' FROM pragma_journal_mode"), 1);
    assert_int_equal(pragma(&f, "SELECT locking_mode = 'exclusive' FROM pragma_locking_mode"), 1);
    fixture_put(&f, fixture_prompt(&f, 2), 0);
    struct ps_store *reader;
    assert_fails(ps_store_open(&reader, f.path, PS_STORE_READ, &error), PS_BUSY, "in use");
    assert_ok(ps_store_flush(f.store, &error));
    ps_store_close(f.store);
    assert_ok(ps_store_open_on(&f.store, f.path, PS_STORE_READ, "NFS", &error));
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(f.store, NULL, &stats, &error));
    assert_int_equal(stats.traces, 2);
    fixture_close(&f);
}

/* A writer with a rollback journal dies with half a transaction in the file: a reader undoes it. */
static void test_cut_off(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    int64_t prompt = fixture_prompt(&f, 1);
    fixture_put(&f, prompt, 0);
    assert_ok(ps_store_flush(f.store, &error));
    ps_store_close(f.store);
    pid_t child = fork();
    if (child == 0) {
        if (ps_store_open_on(&f.store, f.path, PS_STORE_WRITE, "NFS", &error) != PS_OK) _exit(1);
        sqlite3_exec(f.store->database, "PRAGMA cache_size = 2", NULL, NULL, NULL); /* spills */
        for (int sample = 1; sample < 200; sample++) fixture_put(&f, prompt, sample);
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    char journal[200];
    struct stat about;
    snprintf(journal, sizeof journal, "%s-journal", f.path);
    assert_int_equal(stat(journal, &about), 0);
    assert_true(about.st_size > 0);
    assert_ok(ps_store_open(&f.store, f.path, PS_STORE_READ, &error));
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(f.store, NULL, &stats, &error));
    assert_int_equal(stats.traces, 1);
    fixture_close(&f);
}

static void test_unflushed_is_dropped(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    int64_t prompt = fixture_prompt(&f, 1);
    fixture_put(&f, prompt, 0);
    assert_ok(ps_store_flush_due(f.store, &error)); /* too early */
    assert_true(f.store->in_transaction);
    usleep(60000);
    assert_ok(ps_store_flush_due(f.store, &error));
    assert_false(f.store->in_transaction);
    fixture_put(&f, prompt, 1);
    fixture_reopen(&f, PS_STORE_READ);
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(f.store, NULL, &stats, &error));
    assert_int_equal(stats.traces, 1);
    fixture_close(&f);
}

/* A full disk, played by a page limit: what was flushed is there, the rest is reported lost, and
 * nothing can be put on top of what is lost. */
static void test_full(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    int64_t prompt = fixture_prompt(&f, 1), id;
    fixture_put(&f, prompt, 0);
    assert_ok(ps_store_flush(f.store, &error));
    char sql[80];
    snprintf(sql, sizeof sql, "PRAGMA max_page_count=%lld",
             (long long)pragma(&f, "PRAGMA page_count") + 2);
    sqlite3_exec(f.store->database, sql, NULL, NULL, NULL);
    static char big[100000];
    for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(ps_hash_bytes(&i, sizeof i).bytes[0]);
    struct ps_store_trace trace = fixture_trace(&f, prompt, 1);
    trace.content = big;
    trace.content_size = sizeof big;
    assert_fails(ps_store_put_trace(f.store, &trace, &id, NULL, &error), PS_FULL, "is safe");
    if (f.store->failed.status != PS_OK) {
        assert_fails(ps_store_flush(f.store, &error), PS_FULL, "disk is full");
        assert_fails(ps_store_put_sampler(f.store, "{\"seed\":9}", &id, NULL, &error), PS_FULL,
                     "disk is full");
    }
    fixture_reopen(&f, PS_STORE_WRITE);
    assert_int_equal(pragma(&f, "SELECT count(*) FROM trace"), 1);
    trace.key.source = f.source;
    assert_ok(ps_store_put_trace(f.store, &trace, &id, NULL, &error));
    assert_ok(ps_store_flush(f.store, &error));
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),   cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_one_writer), cmocka_unit_test(test_read_only_folder),
        cmocka_unit_test(test_network),    cmocka_unit_test(test_unflushed_is_dropped),
        cmocka_unit_test(test_full),       cmocka_unit_test(test_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
