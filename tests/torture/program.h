#pragma once
/* The program itself as a child process, sampling from a little teacher, in a temporary folder. */

#include "../unit/teacher_fixture.h"

#include "store/store.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *potstill;
static char folder[] = "/tmp/potstill-torture-XXXXXX";
static char model[64], log_path[64]; /* the last child's stdout and stderr */

static inline const char *store_path(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline void program_set_up(void) {
    assert_non_null(mkdtemp(folder));
    snprintf(model, sizeof model, "%s/model", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    teacher_make(model, 288, 512, "275");
}

enum { PROGRAM_ARGUMENTS = 40 };

/* Begins potstill with these arguments, closed by NULL. */
static inline pid_t begin_program(const char *const *arguments) {
    const char *all[PROGRAM_ARGUMENTS + 2] = {potstill};
    for (int i = 0; i < PROGRAM_ARGUMENTS && arguments[i]; i++) all[i + 1] = arguments[i];
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) return child;
    int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (log < 0 || dup2(log, STDERR_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0) _exit(99);
    setenv("POTSTILL_SOURCE", PS_SOURCE_DIR, 1);
    execv(potstill, (char *const *)all);
    _exit(98);
}

/* potstill sample on that store: 12 questions at most, kept every 50 ms. */
static inline pid_t begin_sample(const char *path, const char *questions, const char *samples,
                                 const char *max_tokens) {
    return begin_program((const char *const[]){
        "sample",  "--model",     model,   "--dataset",    "arith/train", "--limit",
        questions, "--samples",   samples, "--max-tokens", max_tokens,    "--temperature",
        "1",       "--sequences", "8",     "--rows",       "32",          "--keep",
        "0.05",    "--threads",   "1",     "--json",       path,          NULL});
}

/* The status that waitpid gives. */
static inline int end_program(pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* stats may be NULL. */
static inline struct ps_hash hash_of(const char *path, struct ps_store_stats *stats) {
    struct ps_store *store;
    struct ps_hash hash;
    struct ps_store_stats own;
    assert_ok(ps_store_open(&store, path, PS_STORE_READ, &error));
    assert_ok(ps_store_hash(store, &hash, &error));
    assert_ok(ps_store_stats(store, NULL, stats ? stats : &own, &error));
    ps_store_close(store);
    return hash;
}

static inline bool write_text(const char *path, const char *text) {
    int file = open(path, O_WRONLY);
    bool done = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);
    if (file >= 0) close(file);
    return done;
}

/* A little disk at `path` that this process alone sees; false where that is not allowed. */
static inline bool mount_little(const char *path, const char *size) {
    char map[64], options[64];
    uid_t user = getuid();
    if (user != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
        snprintf(map, sizeof map, "0 %u 1", (unsigned)user);
        if (!write_text("/proc/self/uid_map", map)) return false;
    } else if (unshare(CLONE_NEWNS) != 0) {
        return false;
    }
    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    snprintf(options, sizeof options, "size=%s", size);
    return mount("potstill", path, "tmpfs", 0, options) == 0;
}
