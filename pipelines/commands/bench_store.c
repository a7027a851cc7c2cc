/* potstill bench store: how fast traces are kept, found and read, and how small they are.
 *
 * Synthetic traces (bench_store_traces.c) are put as sampling puts them, commits shared for 50 ms;
 * in between, ten times, the disk is asked how many fdatasync of 4 KiB it does a second, for a
 * commit is one at least. Then the lists and reads that people wait for are timed, packed and not,
 * each list to its last row; of several rounds the median counts. */
#include "pipelines/commands/bench.h"
#include "pipelines/commands/bench_store_traces.h"
#include "pipelines/commands/commands_internal.h"

#include "base/file.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARTS = 10, SYNCS = 100, PAGE = 4096, MOST_ROUNDS = 100, MOST_READS = 1 << 20 };

struct bench_flags {
    int64_t traces, bytes, samples, reads, rounds, seed;
    bool tokens;
    int clock;
};
#define AT(member) offsetof(struct bench_flags, member)
static const struct ps_setting items[] = {
    {"traces", PS_SETTING_INTEGER, AT(traces), .fallback = "100000", .minimum = 100, .maximum = 1e9,
     .help = "how many to keep"},
    {"bytes", PS_SETTING_BYTES, AT(bytes), .fallback = "4096", .minimum = 64, .maximum = 1 << 20,
     .help = "text of a trace in the mean"},
    {"samples", PS_SETTING_INTEGER, AT(samples), .fallback = "8", .minimum = 1, .maximum = 10000,
     .help = "traces of one prompt"},
    {"tokens", PS_SETTING_BOOL, AT(tokens), .fallback = "true",
     .help = "with token ids and log-probabilities, as a local teacher gives them"},
    {"reads", PS_SETTING_INTEGER, AT(reads), .fallback = "2000", .minimum = 1,
     .maximum = MOST_READS, .help = "traces to read at random"},
    {"rounds", PS_SETTING_INTEGER, AT(rounds), .fallback = "5", .minimum = 1,
     .maximum = MOST_ROUNDS, .help = "how often to ask for each list"},
    {"seed", PS_SETTING_INTEGER, AT(seed), .fallback = "1", .minimum = 0, .maximum = 1e15,
     .help = "of the traces"},
    {"clock", PS_SETTING_ENUM, AT(clock), .fallback = "wall", .names = ps_bench_clocks,
     .help = ps_bench_clock_help},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("bench store", "For potstill bench store.", items, struct bench_flags);

static const struct ps_store_range middle = {0.2, 0.8};
static const struct list {
    const char *flags;
    struct ps_store_filter filter;
    bool totals; /* traces stats, not traces list */
} lists[] = {
    {"list --limit 20", {.limit = 20}, false},
    {"list --dataset first --verdict correct --limit 20",
     {.dataset = "first", .verdict = "correct", .limit = 20},
     false},
    {"list --finish length", {.finish = "length"}, false},
    {"list --finish length --min-tokens 850", {.finish = "length", .min_tokens = 850}, false},
    {"list --min-tokens 850", {.min_tokens = 850}, false},
    {"list --verdict truncated --max-tokens 500",
     {.verdict = "truncated", .max_tokens = 500},
     false},
    {"list --difficulty 0.2..0.8 --limit 20", {.difficulty = &middle, .limit = 20}, false},
    {"list --difficulty 0.2..0.8 --finish length",
     {.difficulty = &middle, .finish = "length"},
     false},
    {"list --prompt 00", {.prompt = "00"}, false},
    {"list --dataset first --verdict correct", {.dataset = "first", .verdict = "correct"}, false},
    {"list", {.limit = 0}, false},
    {"stats", {.limit = 0}, true},
    {"stats --dataset first --finish length", {.dataset = "first", .finish = "length"}, true},
    {"stats --difficulty 0.2..0.8", {.difficulty = &middle}, true},
    {"list --text 'no such text'", {.text = "no such text"}, false},
};
enum { LISTS = sizeof lists / sizeof *lists };

/* What is measured of the store, packed or not. */
struct measured {
    struct ps_store_stats stats;
    double read[2];     /* seconds: median, 99 of 100 */
    double list[LISTS]; /* seconds */
    int64_t rows[LISTS];
};

struct bench {
    const struct bench_flags *flags;
    struct ps_bench_traces *traces;
    struct ps_progress *progress;
    char *path, *sync_path;
    double syncs;                /* fdatasync a second, the median of PARTS */
    double keep, grade, pack;    /* seconds */
    struct measured measured[2]; /* as kept, packed */
};

static double now(const struct bench *bench) {
    return ps_bench_seconds((enum ps_bench_clock)bench->flags->clock, 1);
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Sorts. */
static double quantile(double *values, size_t count, double share) {
    qsort(values, count, sizeof *values, compare);
    return values[(size_t)(share * (double)(count - 1))];
}

/* ---- writing ---- */

static enum ps_status time_syncs(const char *path, double *rate, struct ps_error *error) {
    static const char page[PAGE];
    enum ps_status status = PS_OK;
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    PS_FAIL_IF(file < 0, error, PS_IO, "%s: %s", path, strerror(errno));
    double start = ps_seconds();
    for (int i = 0; i < SYNCS && status == PS_OK; i++)
        if (write(file, page, PAGE) != PAGE || fdatasync(file) != 0)
            status = ps_error_set(error, PS_IO, "%s: %s", path, strerror(errno));
    *rate = SYNCS / (ps_seconds() - start);
    close(file);
    return status;
}

static enum ps_status keep_slots(struct bench *bench, struct ps_store *store, int64_t from,
                                 int64_t to, struct ps_error *error) {
    struct ps_store_trace traces[PS_BENCH_SLOTS];
    PS_TRY(ps_stop_check(error));
    for (int64_t i = from; i < to; i++) {
        double start = now(bench);
        PS_TRY(ps_bench_traces_prompt(bench->traces, store, i, error));
        bench->keep += now(bench) - start;
        PS_TRY(
            ps_bench_traces_make(bench->traces, i, bench->flags->tokens, &traces[i - from], error));
    }
    double start = now(bench);
    for (int64_t i = from; i < to; i++) {
        PS_TRY(ps_store_put_trace(store, &traces[i - from], NULL, NULL, error));
        PS_TRY(ps_store_flush_due(store, error));
    }
    bench->keep += now(bench) - start;
    ps_progress_update(bench->progress, (uint64_t)to, NULL);
    return PS_OK;
}

static enum ps_status keep(struct bench *bench, struct ps_store *store, struct ps_error *error) {
    double syncs[PARTS];
    int64_t count = bench->flags->traces, done = 0;
    ps_progress_begin(bench->progress, "keep", "traces", 0, (uint64_t)count);
    PS_TRY(ps_bench_traces_begin(bench->traces, store, error));
    for (int part = 0; part < PARTS; part++) {
        PS_TRY(time_syncs(bench->sync_path, &syncs[part], error));
        for (int64_t end = count * (part + 1) / PARTS; done < end;) {
            int64_t to = done + PS_BENCH_SLOTS < end ? done + PS_BENCH_SLOTS : end;
            PS_TRY(keep_slots(bench, store, done, to, error));
            done = to;
        }
    }
    double start = now(bench);
    PS_TRY(ps_store_flush(store, error));
    bench->keep += now(bench) - start;
    bench->syncs = quantile(syncs, PARTS, 0.5);
    return PS_OK;
}

/* Traces have the ids 1, 2, 3 ..., as they came. */
static enum ps_status grade(struct bench *bench, struct ps_store *store, struct ps_error *error) {
    char gold[32];
    ps_progress_begin(bench->progress, "grade", "traces", 0, (uint64_t)bench->flags->traces);
    double start = now(bench);
    for (int64_t i = 0; i < bench->flags->traces; i++) {
        struct ps_store_verdict verdict = ps_bench_traces_verdict(bench->traces, i, gold);
        PS_TRY(ps_store_put_verdict(store, i + 1, &verdict, error));
        PS_TRY(ps_store_flush_due(store, error));
        if (i % 1024 == 0) PS_TRY(ps_stop_check(error));
        ps_progress_update(bench->progress, (uint64_t)i, NULL);
    }
    PS_TRY(ps_store_flush(store, error));
    bench->grade = now(bench) - start;
    return PS_OK;
}

/* ---- reading ---- */

static enum ps_status time_list(const struct bench *bench, struct ps_store *store,
                                const struct list *list, double *seconds, int64_t *rows,
                                struct ps_error *error) {
    struct ps_store_cursor *cursor = NULL;
    struct ps_store_stats stats;
    struct ps_store_row row;
    double start = now(bench);
    if (list->totals) {
        PS_TRY(ps_store_stats(store, &list->filter, &stats, error));
        *rows = stats.traces;
        *seconds = now(bench) - start;
        return PS_OK;
    }
    PS_TRY(ps_store_query(store, &list->filter, &cursor, error));
    enum ps_status status = PS_OK;
    bool more = true;
    for (*rows = 0; status == PS_OK; ++*rows) {
        status = ps_store_next(cursor, &row, &more, error);
        if (status != PS_OK || !more) break;
    }
    ps_store_cursor_close(cursor);
    *seconds = now(bench) - start;
    return status;
}

static enum ps_status time_lists(const struct bench *bench, struct ps_store *store,
                                 struct measured *measured, struct ps_error *error) {
    double seconds[MOST_ROUNDS];
    size_t rounds = (size_t)bench->flags->rounds;
    ps_progress_begin(bench->progress, "list", "lists", 0, LISTS);
    for (size_t i = 0; i < LISTS; i++) {
        PS_TRY(ps_stop_check(error));
        for (size_t j = 0; j < rounds; j++)
            PS_TRY(time_list(bench, store, &lists[i], &seconds[j], &measured->rows[i], error));
        measured->list[i] = quantile(seconds, rounds, 0.5);
        ps_progress_update(bench->progress, i, NULL);
    }
    return PS_OK;
}

/* Whole traces, their tokens included. */
static enum ps_status time_reads(const struct bench *bench, struct ps_store *store,
                                 struct measured *measured, struct ps_error *error) {
    size_t reads = (size_t)bench->flags->reads;
    double *seconds = ps_malloc(reads * sizeof *seconds);
    struct ps_arena arena;
    struct ps_store_trace trace;
    enum ps_status status = PS_OK;
    PS_FAIL_IF_NULL(seconds, error);
    ps_arena_init(&arena, 16u * PS_STORE_BODY_LIMIT);
    for (size_t i = 0; i < reads && status == PS_OK; i++) {
        int64_t id =
            1 + ps_random_below((uint64_t)bench->flags->seed, i, (uint32_t)bench->flags->traces);
        double start = now(bench);
        status = ps_store_read_trace(store, id, &arena, &trace, error);
        seconds[i] = now(bench) - start;
        ps_arena_release(&arena);
    }
    if (status == PS_OK) {
        measured->read[0] = quantile(seconds, reads, 0.5);
        measured->read[1] = quantile(seconds, reads, 0.99);
    }
    ps_free(seconds);
    return status;
}

static enum ps_status measure(const struct bench *bench, struct measured *measured,
                              struct ps_error *error) {
    struct ps_store *store;
    PS_TRY(ps_store_open(&store, bench->path, PS_STORE_READ, error));
    enum ps_status status = ps_store_stats(store, NULL, &measured->stats, error);
    if (status == PS_OK) status = time_reads(bench, store, measured, error);
    if (status == PS_OK) status = time_lists(bench, store, measured, error);
    ps_store_close(store);
    return status;
}

static enum ps_status write_store(struct bench *bench, bool pack, struct ps_error *error) {
    struct ps_store *store;
    int64_t packed;
    PS_TRY(ps_store_open(&store, bench->path, PS_STORE_CREATE, error));
    enum ps_status status = PS_OK;
    if (!pack) status = keep(bench, store, error);
    if (!pack && status == PS_OK) status = grade(bench, store, error);
    double start = now(bench);
    if (pack) status = ps_store_pack(store, &packed, bench->progress, error);
    bench->pack = now(bench) - start;
    ps_store_close(store);
    return status;
}

/* ---- results ---- */

/* Bytes a trace of everything but bodies and tokens. */
static double rest(const struct bench *bench, const struct ps_store_stats *stats) {
    int64_t bytes =
        stats->file_bytes - stats->body_bytes - stats->ids_bytes - stats->logprobs_bytes;
    return (double)bytes / (double)bench->flags->traces;
}

static double per(int64_t total, int64_t parts) {
    return parts ? (double)total / (double)parts : 0;
}

static void print_text(const struct bench *bench) {
    const struct measured *m = bench->measured;
    double traces = (double)bench->flags->traces, megabytes = 1e-6 * (double)m->stats.text_bytes;
    printf("%lld traces, in the mean %.0f bytes%s, %lld of a prompt; %s clock\n"
           "kept    %8.0f traces a second, %.1f MB/s; beside it %.0f fdatasync of 4 KiB a second\n"
           "graded  %8.0f traces a second\npacked  %8.0f traces a second, %.1f MB/s\n\n",
           (long long)bench->flags->traces, 1e6 * megabytes / traces,
           bench->flags->tokens ? " with tokens" : "", (long long)bench->flags->samples,
           ps_bench_clocks[bench->flags->clock], traces / bench->keep, megabytes / bench->keep,
           bench->syncs, traces / bench->grade, traces / bench->pack, megabytes / bench->pack);
    const struct {
        const char *name;
        double kept, packed;
    } lines[] = {
        {"text bytes / body bytes", per(m[0].stats.text_bytes, m[0].stats.body_bytes),
         per(m[1].stats.text_bytes, m[1].stats.body_bytes)},
        {"token ids, bytes a token", per(m[0].stats.ids_bytes, m[0].stats.ids_tokens),
         per(m[1].stats.ids_bytes, m[1].stats.ids_tokens)},
        {"log-probabilities, bytes a token",
         per(m[0].stats.logprobs_bytes, m[0].stats.logprobs_tokens),
         per(m[1].stats.logprobs_bytes, m[1].stats.logprobs_tokens)},
        {"all else, bytes a trace", rest(bench, &m[0].stats), rest(bench, &m[1].stats)},
        {"the file, bytes a trace", (double)m[0].stats.file_bytes / traces,
         (double)m[1].stats.file_bytes / traces},
        {"random read, median, ms", 1e3 * m[0].read[0], 1e3 * m[1].read[0]},
        {"random read, 99 of 100, ms", 1e3 * m[0].read[1], 1e3 * m[1].read[1]},
    };
    printf("%-50s %8s %9s %9s\n", "", "", "as kept", "packed");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        printf("%-50s %8s %9.2f %9.2f\n", lines[i].name, "", lines[i].kept, lines[i].packed);
    printf("\n%-50s %8s %9s %9s\n", "", "rows", "ms", "ms");
    for (size_t i = 0; i < LISTS; i++)
        printf("%-50s %8lld %9.1f %9.1f\n", lists[i].flags, (long long)m->rows[i],
               1e3 * m[0].list[i], 1e3 * m[1].list[i]);
}

static void write_measured(const struct bench *bench, struct ps_json_writer *json, const char *key,
                           const struct measured *m) {
    ps_json_write_key(json, key);
    ps_json_write_begin_object(json);
    ps_bench_number(json, "text_over_body", per(m->stats.text_bytes, m->stats.body_bytes));
    ps_bench_number(json, "ids_bytes_per_token", per(m->stats.ids_bytes, m->stats.ids_tokens));
    ps_bench_number(json, "logprobs_bytes_per_token",
                    per(m->stats.logprobs_bytes, m->stats.logprobs_tokens));
    ps_bench_number(json, "rest_bytes_per_trace", rest(bench, &m->stats));
    ps_bench_number(json, "file_bytes", (double)m->stats.file_bytes);
    ps_bench_number(json, "read_seconds", m->read[0]);
    ps_bench_number(json, "read_seconds_p99", m->read[1]);
    ps_json_write_key(json, "lists");
    ps_json_write_begin_array(json);
    for (size_t i = 0; i < LISTS; i++) {
        ps_json_write_begin_object(json);
        ps_bench_string(json, "command", lists[i].flags);
        ps_json_put_integer(json, "rows", m->rows[i]);
        ps_bench_number(json, "seconds", m->list[i]);
        ps_json_write_end_object(json);
    }
    ps_json_write_end_array(json);
    ps_json_write_end_object(json);
}

static enum ps_status print_json(const struct bench *bench, struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer json;
    double traces = (double)bench->flags->traces;
    ps_buffer_init(&text, 1 << 20);
    ps_json_writer_begin(&json, &text);
    ps_json_write_begin_object(&json);
    ps_json_put_integer(&json, "traces", bench->flags->traces);
    ps_json_put_integer(&json, "text_bytes", bench->measured->stats.text_bytes);
    ps_json_put_integer(&json, "tokens", bench->measured->stats.ids_tokens);
    ps_bench_number(&json, "kept_per_second", traces / bench->keep);
    ps_bench_number(&json, "fdatasync_per_second", bench->syncs);
    ps_bench_number(&json, "graded_per_second", traces / bench->grade);
    ps_bench_number(&json, "packed_per_second", traces / bench->pack);
    write_measured(bench, &json, "as_kept", &bench->measured[0]);
    write_measured(bench, &json, "packed", &bench->measured[1]);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_progress progress = {.file = stderr};
    struct bench bench = {.flags = call->settings[0].values, .progress = &progress};
    char folder[] = "bench-store-XXXXXX";
    const char *given = call->arguments.count ? call->arguments.items[0] : NULL;
    PS_FAIL_IF(given && ps_file_exists(given), error, PS_ARGUMENT,
               "%s: exists; name a store that does not", given);
    PS_FAIL_IF(!given && !mkdtemp(folder), error, PS_IO, "no folder can be made here: %s",
               strerror(errno));
    enum ps_status status = PS_OK;
    bench.path = ps_arena_format(call->arena, "%s%s", given ? given : folder, given ? "" : "/t.db");
    bench.sync_path = ps_arena_format(call->arena, "%s.sync", bench.path);
    bench.traces =
        ps_bench_traces_new((uint64_t)bench.flags->seed, bench.flags->bytes, bench.flags->samples);
    PS_FAIL_DONE_IF(!bench.path || !bench.sync_path || !bench.traces, error, PS_MEMORY,
                    "out of memory");
    PS_TRY_DONE(write_store(&bench, false, error));
    PS_TRY_DONE(measure(&bench, &bench.measured[0], error));
    PS_TRY_DONE(write_store(&bench, true, error));
    PS_TRY_DONE(measure(&bench, &bench.measured[1], error));
    ps_progress_end(&progress);
    if (call->json)
        PS_TRY_DONE(print_json(&bench, error));
    else
        print_text(&bench);
done:
    ps_bench_traces_release(bench.traces);
    if (bench.sync_path) ps_path_remove(bench.sync_path, NULL);
    if (!given) ps_path_remove(folder, NULL);
    return status;
}

const struct ps_command ps_command_bench_store = {
    .name = "bench store",
    .synopsis = "[STORE]",
    .help = "traces kept a second, and how fast they are found, read and packed",
    .details = "Writes a store of synthetic traces: at STORE, where it stays, or in a temporary "
               "folder of the\nworking directory. It is that folder's disk which is measured.",
    .tables = {&table},
    .maximum_arguments = 1,
    .run = run,
};
