/* How work is spread over threads. An item's result never depends on which thread does it, so the
 * number of threads changes no bits. Work of less than a wake-up's worth stays on the caller.
 *
 * A job is cut into more pieces than there are threads, and whoever is free claims the next one;
 * the job is over when its pieces are, whether or not every thread took part. So a thread that the
 * system keeps from running (a busy machine, a core that is lent out) holds up nothing but a piece
 * it has begun, where a barrier would wait for it each time.
 *
 * All that is claimed stands in one word: the job's number and the pieces left. A claim takes one
 * piece by compare-and-swap; the job's description is read only after a claim, when it cannot
 * change before the claimed piece is done. */

#include "compute/cpu/cpu_internal.h"

#include "base/memory.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* Waking the others and waiting for them, in nanoseconds; each should have a few times that. */
static double least_work = 15000;

enum {
    PIECES_A_THREAD = 3,
    SPINS = 1000 /* pauses before a thread that waits goes to sleep: some 20 microseconds */
};

struct worker {
    struct ps_cpu_team *team;
    pthread_t thread;
    int index; /* of its scratch memory; the caller is 0 */
};

struct ps_cpu_team {
    _Alignas(64) atomic_ullong open; /* job number << 32 | pieces left */
    _Alignas(64) atomic_int done;    /* pieces of this job */
    _Alignas(64) ps_cpu_task *task;  /* the job, written before `open` */
    const void *arguments;
    int64_t count;
    int pieces;
    atomic_flag busy; /* one job at a time */
    atomic_int sleeping;
    atomic_bool closing;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pid_t process; /* a fork has no workers */
    int worker_count;
    struct worker workers[];
};

static _Thread_local int thread_index;

int ps_cpu_thread(void) {
    return thread_index;
}

void ps_cpu_set_least_work(double nanoseconds) {
    least_work = nanoseconds;
}

static void pause_briefly(void) {
#if defined __x86_64__
    __builtin_ia32_pause();
#endif
}

static bool work_is_open(struct ps_cpu_team *team) {
    return (uint32_t)atomic_load(&team->open) > 0;
}

/* Does pieces of whichever job is open until none is left. */
static void help(struct ps_cpu_team *team) {
    unsigned long long open = atomic_load(&team->open);
    struct ps_float_mode mode = ps_float_mode_enter();
    while ((uint32_t)open > 0) {
        if (!atomic_compare_exchange_weak(&team->open, &open, open - 1)) continue;
        int64_t piece = team->pieces - (int64_t)(uint32_t)open, pieces = team->pieces;
        team->task(team->arguments, team->count * piece / pieces,
                   team->count * (piece + 1) / pieces);
        atomic_fetch_add(&team->done, 1);
        open = atomic_load(&team->open);
    }
    ps_float_mode_leave(mode);
}

static void *work(void *argument) {
    struct worker *self = argument;
    struct ps_cpu_team *team = self->team;
    thread_index = self->index;
    while (!atomic_load(&team->closing)) {
        for (int i = 0; i < SPINS && !work_is_open(team); i++) pause_briefly();
        if (work_is_open(team)) {
            help(team);
            continue;
        }
        pthread_mutex_lock(&team->mutex);
        atomic_fetch_add(&team->sleeping, 1);
        while (!work_is_open(team) && !atomic_load(&team->closing))
            pthread_cond_wait(&team->wake, &team->mutex);
        atomic_fetch_sub(&team->sleeping, 1);
        pthread_mutex_unlock(&team->mutex);
    }
    return NULL;
}

static void wake_sleepers(struct ps_cpu_team *team) {
    if (atomic_load(&team->sleeping) == 0) return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

struct ps_cpu_team *ps_cpu_team_create(int threads) {
    size_t size = sizeof(struct ps_cpu_team) + (size_t)threads * sizeof(struct worker);
    struct ps_cpu_team *team = ps_aligned_alloc(64, size);
    sigset_t all, before;
    if (!team) return NULL;
    *team = (struct ps_cpu_team){
        .mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .process = getpid()};
    /* Signals go to the threads that know what to do with them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 1; i < threads; i++) {
        struct worker *worker = &team->workers[team->worker_count];
        *worker = (struct worker){.team = team, .index = i};
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) break;
        team->worker_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return team;
}

void ps_cpu_team_release(struct ps_cpu_team *team) {
    if (!team) return;
    atomic_store(&team->closing, true);
    if (team->process == getpid()) {
        pthread_mutex_lock(&team->mutex);
        pthread_cond_broadcast(&team->wake);
        pthread_mutex_unlock(&team->mutex);
        for (int i = 0; i < team->worker_count; i++) pthread_join(team->workers[i].thread, NULL);
    }
    ps_free(team);
}

void ps_cpu_team_run(struct ps_cpu_team *team, ps_cpu_task *task, const void *arguments,
                     int64_t count, int64_t pieces) {
    if (pieces > count) pieces = count;
    if (pieces <= 1 || atomic_flag_test_and_set(&team->busy)) {
        struct ps_float_mode mode = ps_float_mode_enter();
        if (count > 0) task(arguments, 0, count);
        ps_float_mode_leave(mode);
        return;
    }
    team->task = task;
    team->arguments = arguments;
    team->count = count;
    team->pieces = (int)pieces;
    atomic_store(&team->done, 0);
    unsigned long long number = (atomic_load(&team->open) >> 32) + 1;
    atomic_store(&team->open, number << 32 | (unsigned long long)pieces);
    wake_sleepers(team);
    help(team);
    for (int i = 0; atomic_load(&team->done) < pieces; i++) {
        if (i < SPINS)
            pause_briefly();
        else
            sched_yield();
    }
    atomic_flag_clear(&team->busy);
}

static void run(struct ps_stream *stream, ps_cpu_task *task, const void *arguments, int64_t count,
                double nanoseconds, int pieces_a_thread) {
    const struct ps_cpu_stream *own = ps_cpu_stream(stream);
    double pieces = nanoseconds * (double)count / least_work;
    int64_t most = (int64_t)own->threads * pieces_a_thread;
    if (own->threads == 1 || pieces < 2)
        most = 1;
    else if (pieces < (double)most)
        most = (int64_t)pieces;
    ps_cpu_team_run(own->team, task, arguments, count, most);
}

void ps_cpu_run(struct ps_stream *stream, ps_cpu_task *task, const void *arguments, int64_t count,
                double nanoseconds) {
    run(stream, task, arguments, count, nanoseconds, PIECES_A_THREAD);
}

void ps_cpu_run_whole(struct ps_stream *stream, ps_cpu_task *task, const void *arguments,
                      int64_t count, double nanoseconds) {
    run(stream, task, arguments, count, nanoseconds, 1);
}
