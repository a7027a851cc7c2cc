#pragma once
/* Synthetic traces for potstill bench store. */

#include "store/store.h"

#include <stdint.h>

struct ps_bench_traces;

/* Traces of so many bytes in the mean, half as long to one and a half times; `samples` of each
 * prompt. The same seed gives the same traces. NULL: out of memory. */
struct ps_bench_traces *ps_bench_traces_new(uint64_t seed, int64_t bytes, int64_t samples);
void ps_bench_traces_release(struct ps_bench_traces *traces);

/* Puts source and sampler and what the traces ran on. */
enum ps_status ps_bench_traces_begin(struct ps_bench_traces *traces, struct ps_store *store,
                                     struct ps_error *error);
/* Puts the prompt of trace `index` and its item, for the first trace of each prompt. */
enum ps_status ps_bench_traces_prompt(struct ps_bench_traces *traces, struct ps_store *store,
                                      int64_t index, struct ps_error *error);
/* Makes trace `index`; tokens says whether it has ids and log-probabilities. Its arrays are good
 * until the next one is made in the same slot of PS_BENCH_SLOTS. */
enum { PS_BENCH_SLOTS = 64 };
enum ps_status ps_bench_traces_make(struct ps_bench_traces *traces, int64_t index, bool tokens,
                                    struct ps_store_trace *trace, struct ps_error *error);
/* The verdict of trace `index`, and the bytes of the gold it is compared with. */
struct ps_store_verdict ps_bench_traces_verdict(struct ps_bench_traces *traces, int64_t index,
                                                char gold[32]);
