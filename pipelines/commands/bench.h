#pragma once
/* What the commands that measure have in common. */

#include "base/json.h"
#include "compute/compute.h"

/* Names for a setting: the wall clock, or the processor's time. On a machine that others use as
 * well, the processor's time of one thread says what the wall clock hides; with several threads it
 * counts their waiting for each other, too. */
enum ps_bench_clock { PS_BENCH_WALL, PS_BENCH_CPU };
extern const char *const ps_bench_clocks[];
extern const char ps_bench_clock_help[];

/* Seconds by a clock; the processor's time is that of one of so many threads. */
double ps_bench_seconds(enum ps_bench_clock clock, int threads);

/* The bare rate of the family's multiply-adds in a few milliseconds, in GFLOP/s: the best of
 * several tries. Only for a backend named "cpu". */
double ps_bench_peak(enum ps_bench_clock clock, const struct ps_compute *compute, bool bf16,
                     int tries);

/* Members of an open object. */
void ps_bench_number(struct ps_json_writer *json, const char *key, double value);
void ps_bench_string(struct ps_json_writer *json, const char *key, const char *value);
