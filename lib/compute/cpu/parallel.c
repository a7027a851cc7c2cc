/* How work is spread over threads. An item's result never depends on which thread does it, so the
 * number of threads changes no bits. Work of less than a wake-up's worth stays on the caller. */

#include "compute/cpu/cpu_internal.h"

#include <omp.h>

/* Waking a team and waiting for it, in nanoseconds; each thread should have a few times that. */
static double least_work = 15000;

void ps_cpu_set_least_work(double nanoseconds) {
    least_work = nanoseconds;
}

int ps_cpu_threads_for(const struct ps_cpu_stream *stream, double nanoseconds) {
    if (nanoseconds < 2 * least_work) return 1;
    double most = nanoseconds / least_work;
    return most < stream->threads ? (int)most : stream->threads;
}

void ps_cpu_run(struct ps_stream *stream, ps_cpu_task *task, const void *arguments, int64_t count,
                double nanoseconds) {
    int threads = ps_cpu_threads_for(ps_cpu_stream(stream), nanoseconds * (double)count);
    if (threads > count) threads = count > 0 ? (int)count : 1;
    if (threads == 1) {
        struct ps_float_mode mode = ps_float_mode_enter();
        task(arguments, 0, count);
        ps_float_mode_leave(mode);
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        struct ps_float_mode mode = ps_float_mode_enter();
        int64_t thread = omp_get_thread_num(), team = omp_get_num_threads();
        task(arguments, count * thread / team, count * (thread + 1) / team);
        ps_float_mode_leave(mode);
    }
}
