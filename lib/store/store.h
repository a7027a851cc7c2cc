#pragma once
/* The trace store: one SQLite file with every trace that was ever sampled (docs/store-format.md).
 *
 * A trace is the one result for (prompt, source, sampler, sample index). It is kept, and will be
 * there after kill -9 or a power loss, once ps_store_flush or ps_store_flush_due has returned PS_OK
 * behind the put. Every put goes into one open transaction; whoever puts flushes, at the latest
 * when 50 ms have passed since the first put, so that traces that finish together share a commit.
 *
 * A store belongs to one thread at a time. One process writes; any number read. Text is UTF-8 by
 * convention and bytes in fact: sizes are given, zeros may occur. Times are milliseconds since
 * 1970. Row ids (int64_t) are 1 or more and mean nothing outside this file; what identifies across
 * files is the hashes. A stage's selection of traces is kept in the store as well, under a name.
 *
 * Errors everywhere: PS_MEMORY, PS_IO, PS_FULL (nothing flushed is lost), PS_CORRUPT, PS_BUSY. */

#include "base/hash.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ps_store;

/* ---- opening ---- */

enum ps_store_mode {
    PS_STORE_READ,   /* must exist; changes nothing, but undoes a write that was cut off */
    PS_STORE_WRITE,  /* must exist */
    PS_STORE_CREATE, /* opened for writing, made with its folders when it is not there */
};

/* A second writer is refused with PS_BUSY and the owner's pid and host. PS_NOT_FOUND: no such
 * file; PS_FORMAT: not a store, or of a newer format. On failure *store is NULL. */
enum ps_status ps_store_open(struct ps_store **store, const char *path, enum ps_store_mode mode,
                             struct ps_error *error);

/* Drops what was not flushed. NULL is fine. */
void ps_store_close(struct ps_store *store);

/* As it was opened; owned by the store. */
const char *ps_store_path(const struct ps_store *store);

/* What the user should be told about this store (it lies on a network file system, ...), or NULL.
 * Owned by the store. */
const char *ps_store_warning(const struct ps_store *store);

/* Commits all puts so far. On failure none of them is kept, ids handed out since the
 * last flush are void, and the store refuses further puts with the same error: close it. */
enum ps_status ps_store_flush(struct ps_store *store, struct ps_error *error);
/* The same if the oldest put waits for 50 ms or more; cheap otherwise. */
enum ps_status ps_store_flush_due(struct ps_store *store, struct ps_error *error);

/* ---- identities ----
 *
 * Each is a JSON object. It is stored in one canonical form (keys sorted by their bytes, no white
 * space, numbers in the shortest form that reads back to the same value, 1.0 as 1, only what must
 * be is escaped) and identified by the SHA-256 of that text, so that spacing and order of keys do
 * not matter. The put functions return the row that has it, new or not; hash may be NULL. */

/* Appends the canonical form of json to out. PS_FORMAT: no JSON, or a number that is not finite. */
enum ps_status ps_store_canonical(const char *json, struct ps_buffer *out, struct ps_error *error);
/* Its SHA-256, without a store: the id of a prompt, the key of its random numbers. */
enum ps_status ps_store_identity(const char *json, struct ps_hash *hash, struct ps_error *error);

/* The conversation as sent: {"messages": [{"role", "content"}, ...]} and what else is part of it
 * (prefill, thinking, template). */
enum ps_status ps_store_put_prompt(struct ps_store *store, const char *json, int64_t *id,
                                   struct ps_hash *hash, struct ps_error *error);

/* Who answers. Local weights: {"weights", "tokenizer", "template"} (hashes) and "precision";
 * served:
 * {"served": declared name}. name is for people and filters, and not part of the identity. */
enum ps_status ps_store_put_source(struct ps_store *store, const char *name, const char *json,
                                   int64_t *id, struct ps_hash *hash, struct ps_error *error);

/* How it samples: {"temperature", "top_p", "top_k", "min_p", "seed", ...}; never the number of
 * samples, limits or concurrency. */
enum ps_status ps_store_put_sampler(struct ps_store *store, const char *json, int64_t *id,
                                    struct ps_hash *hash, struct ps_error *error);

/* What it ran on, which no identity depends on: {"engine", "version", "kernels", "machine", ...} */
enum ps_status ps_store_put_provenance(struct ps_store *store, const char *json, int64_t *id,
                                       struct ps_error *error);

/* The rows that have these; *id is 0 when there is none. They change nothing. */
enum ps_status ps_store_find_prompt(struct ps_store *store, const char *json, int64_t *id,
                                    struct ps_error *error);
enum ps_status ps_store_find_source(struct ps_store *store, const char *json, int64_t *id,
                                    struct ps_error *error);
enum ps_status ps_store_find_sampler(struct ps_store *store, const char *json, int64_t *id,
                                     struct ps_error *error);

/* A row of a data set that asks this prompt. (dataset, split, row, prompt) is unique; putting it
 * again replaces gold and extra, which touches no trace. A gold that was corrected by hand is
 * replaced by another correction alone. */
struct ps_store_item {
    int64_t id;
    int64_t prompt;
    const char *dataset, *split;
    int64_t row;
    const char *gold;  /* NULL: none */
    int64_t corrected; /* when the gold was corrected by hand; 0: it is the data set's */
    const char *extra; /* a JSON object (level, subject, ...), or NULL */
};
enum ps_status ps_store_put_item(struct ps_store *store, const struct ps_store_item *item,
                                 int64_t *id, struct ps_error *error);
/* The row that has this prompt, dataset, split and row; *id is 0 when there is none. */
enum ps_status ps_store_find_item(struct ps_store *store, const struct ps_store_item *item,
                                  int64_t *id, struct ps_error *error);

/* ---- traces ---- */

struct ps_store_key {
    int64_t prompt, source, sampler;
    int64_t sample; /* index, 0 or more */
};

enum ps_store_finish { PS_STORE_STOP, PS_STORE_LENGTH };
const char *ps_store_finish_name(enum ps_store_finish finish); /* "stop", "length" */

struct ps_store_trace {
    struct ps_store_key key;
    int64_t provenance;
    /* What stands between the think markers and what follows them, both exactly as generated: the
     * whole reply is <think> reasoning </think> content, or content alone. */
    const char *reasoning, *content;
    size_t reasoning_size, content_size;
    /* The output, the end-of-turn token included. ids and logprobs may be NULL: not known.
     * A log-probability is a natural logarithm under the model's own softmax (temperature 1, no
     * filter); it is stored in 16 bits (ps_store_logprob_encode), NAN for one not known. */
    const int32_t *ids;
    const float *logprobs;
    int64_t output_tokens; /* the length of ids and logprobs where they are known */
    int64_t prompt_tokens; /* 0: not known */
    int64_t max_tokens;    /* limit on output_tokens it was sampled with; 0: not known */
    enum ps_store_finish finish;
    int64_t time;     /* when it was finished; 0: now */
    int64_t duration; /* milliseconds it took; 0: not known */
    /* Filled on reading. */
    int64_t id;
    struct ps_hash digest; /* of what `traces hash` covers in this trace */
};

enum { PS_STORE_BODY_LIMIT = 64 << 20 }; /* bytes of reasoning and content together */

enum ps_store_put {
    PS_STORE_KEPT,    /* a new trace */
    PS_STORE_LONGER,  /* takes the place of one that was cut (length): it stops, or is longer */
    PS_STORE_ALREADY, /* there is one for this key: nothing was changed, *id is that one */
};

/* Deletes the key's partial too. What is replaced takes its verdicts with it. id and outcome may be
 * NULL. */
enum ps_status ps_store_put_trace(struct ps_store *store, const struct ps_store_trace *trace,
                                  int64_t *id, enum ps_store_put *outcome, struct ps_error *error);

/* Reads a trace with all its fields; text and arrays lie in the arena. PS_CORRUPT when the frame or
 * the checksum does not fit; PS_NOT_FOUND. */
enum ps_status ps_store_read_trace(struct ps_store *store, int64_t id, struct ps_arena *arena,
                                   struct ps_store_trace *trace, struct ps_error *error);

/* *id is 0 when there is none. */
enum ps_status ps_store_find_trace(struct ps_store *store, const struct ps_store_key *key,
                                   int64_t *id, struct ps_error *error);

/* The 16-bit form of a log-probability x <= 0: |x| as a float with 5 exponent and 11 fraction bits
 * and no sign, rounded to nearest, ties to even; bias 15, subnormals below 2^-14. The error is at
 * most 2^-12 of |x|, or 2^-26 where |x| < 2^-14. Positive x counts as 0, what is beyond the range
 * (and minus infinity) as 131008, NAN is 0xFFFF. decode then encode gives the same code. */
uint16_t ps_store_logprob_encode(float logprob);
float ps_store_logprob_decode(uint16_t code);

/* ---- what is still to do ---- */

enum ps_store_state {
    PS_STORE_MISSING,
    PS_STORE_DONE,
    PS_STORE_CUT, /* kept with finish length and a smaller max_tokens: can be continued */
};

/* states[i] (uint8_t of enum ps_store_state) for sample i of [0, samples); the key's own sample is
 * not looked at. */
enum ps_status ps_store_states(struct ps_store *store, const struct ps_store_key *key,
                               int64_t max_tokens, uint8_t *states, size_t samples,
                               struct ps_error *error);

/* The tokens so far of a sequence in flight; replaces what was kept for this key. logprobs may be
 * NULL. To be flushed like a trace. */
enum ps_status ps_store_put_partial(struct ps_store *store, const struct ps_store_key *key,
                                    const int32_t *ids, const float *logprobs, size_t count,
                                    struct ps_error *error);

struct ps_store_partial {
    struct ps_store_key key;
    const int32_t *ids;
    const float *logprobs; /* NULL: not known */
    size_t count;
    int64_t time;
};
/* All partials of (source, sampler), in the order prompt row, sample; the arrays lie in the arena.
 */
enum ps_status ps_store_read_partials(struct ps_store *store, int64_t source, int64_t sampler,
                                      struct ps_arena *arena, struct ps_store_partial **partials,
                                      size_t *count, struct ps_error *error);

/* A failure, with a short reason ("timeout", "http 429", ...) and what the engine said. */
enum ps_status ps_store_put_attempt(struct ps_store *store, const struct ps_store_key *key,
                                    int64_t provenance, const char *reason, const char *detail,
                                    struct ps_error *error);
enum ps_status ps_store_count_attempts(struct ps_store *store, const struct ps_store_key *key,
                                       int64_t *count, struct ps_error *error);

/* ---- care ---- */

/* Rewrites frames of single traces into frames of many, at a high level, and gives free pages back
 * to the file system. Flushes first. *packed: traces rewritten; progress may be NULL. A kill at any
 * moment leaves a whole store; PS_STOPPED after a wish to stop. PS_CORRUPT: a trace cannot be read;
 * the batches before it are packed. */
enum ps_status ps_store_pack(struct ps_store *store, int64_t *packed, struct ps_progress *progress,
                             struct ps_error *error);

/* Called with a line for each problem found. */
typedef void ps_store_report(void *context, const char *line);
struct ps_store_verified {
    int64_t traces, lost; /* looked at; of these, those that cannot be read */
    int64_t problems;     /* lines reported; 0: the store is whole */
};
/* Looks at every page, reference, hash, frame and trace. PS_OK also where there is damage. */
enum ps_status ps_store_verify(struct ps_store *store, ps_store_report *report, void *context,
                               struct ps_store_verified *result, struct ps_error *error);
/* Saves what can be read into a new store at `path`, with the same row ids, and reports what
 * cannot, traces by name. PS_ARGUMENT: there is such a file. */
enum ps_status ps_store_salvage(struct ps_store *store, const char *path, ps_store_report *report,
                                void *context, struct ps_store_verified *result,
                                struct ps_error *error);

/* ---- verdicts and selections ---- */

struct ps_store_verdict {
    const char *grader; /* name and version: "math 1" */
    const char
        *verdict; /* correct, wrong, no_answer, truncated, gold_unreadable, undecided, no_gold */
    const char *gold;                      /* what it was compared with, or NULL */
    const char *extracted, *rule, *reason; /* each may be NULL */
    const char *author;                    /* who decided by hand, or NULL: the grader */
    int64_t time;                          /* 0: now */
};
/* Adds a row. Against each gold that an item of its prompt has, the latest verdict by hand on that
 * gold counts, or by hand without a gold, which is about any; else the latest by a grader. */
enum ps_status ps_store_put_verdict(struct ps_store *store, int64_t trace,
                                    const struct ps_store_verdict *verdict, struct ps_error *error);

/* All verdicts of a trace, in the order they were given; texts lie in the arena. */
enum ps_status ps_store_read_verdicts(struct ps_store *store, int64_t trace, struct ps_arena *arena,
                                      struct ps_store_verdict **verdicts, size_t *count,
                                      struct ps_error *error);

/* The named set of traces that a select stage kept; settings is JSON, for people. Putting a name
 * again replaces its traces. */
enum ps_status ps_store_put_selection(struct ps_store *store, const char *name,
                                      const char *settings, const int64_t *traces, size_t count,
                                      struct ps_error *error);

/* ---- queries ---- */

struct ps_store_range {
    double low, high;
};

/* What a row of a query is: a trace with the first item of its prompt that fits the filter; a trace
 * with each gold of such items; or a trace with each such item. The verdict is the one that counts
 * against that item's gold. A trace that no item asks for is one row. */
enum ps_store_per { PS_STORE_PER_TRACE, PS_STORE_PER_GOLD, PS_STORE_PER_ITEM };

/* Zero or NULL means any. */
struct ps_store_filter {
    enum ps_store_per per;
    const char *dataset, *split;
    const int64_t *row;  /* of the data set */
    const char *source;  /* its name */
    const char *verdict; /* the one that counts; "none": not graded */
    const char *finish;  /* "stop", "length" */
    const char *selection;
    const char *ungraded; /* lacks a verdict by this grader against the item's present gold */
    int64_t trace_id, prompt_id, source_id, sampler_id;
    int64_t min_tokens, max_tokens; /* output tokens, inclusive */
    const char *prompt;             /* its hash in hex, or the first digits of it */
    const char *text; /* stands in the reasoning or in the content; either case of a-z */
    /* Bounds, inclusive, of the share of correct answers that the trace's source has at its prompt
     * against the item's gold (struct ps_store_difficulty); where none is graded there is no share,
     * and none fits. */
    const struct ps_store_range *difficulty;
    int64_t limit;
};

/* What a list shows of a trace; its body is read by ps_store_read_trace. Text lies in the cursor
 * until the next step. */
struct ps_store_row {
    int64_t id;
    struct ps_store_key key;
    struct ps_hash prompt_hash, source_hash, sampler_hash;
    const char *source;  /* name */
    const char *dataset; /* NULL: no item asks this prompt */
    const char *split, *gold, *extra;
    int64_t item, row;
    bool in_test;                    /* some item that asks this prompt is of a split named test */
    const char *verdict, *extracted; /* NULL: not graded, nothing extracted */
    const char *grader;              /* the verdict's; NULL: not graded */
    enum ps_store_finish finish;
    int64_t prompt_tokens, output_tokens, max_tokens, time, duration;
    int64_t reasoning_size, content_size;
    unsigned char checksum[16]; /* the first bytes of its digest */
};

struct ps_store_cursor;

/* Traces in the order of their identity (prompt, source, sampler hash, sample). Puts do not disturb
 * a cursor; close it before the store. */
enum ps_status ps_store_query(struct ps_store *store, const struct ps_store_filter *filter,
                              struct ps_store_cursor **cursor, struct ps_error *error);
enum ps_status ps_store_next(struct ps_store_cursor *cursor, struct ps_store_row *row, bool *more,
                             struct ps_error *error);
void ps_store_cursor_close(struct ps_store_cursor *cursor);

/* A query of the user's own, with the functions potstill_text(trace) and potstill_tokens(trace). It
 * must be one statement that only reads, on a store opened for reading. Each row is handed over;
 * text lives until the function returns. */
enum { PS_STORE_CELLS = 200 }; /* columns at most */
struct ps_store_cell {
    const char *name;
    enum { PS_STORE_NULL, PS_STORE_INTEGER, PS_STORE_REAL, PS_STORE_TEXT, PS_STORE_BLOB } type;
    int64_t integer;
    double real;
    const void *data;
    size_t size;
};
typedef enum ps_status ps_store_cells(void *context, const struct ps_store_cell *cells,
                                      size_t count, struct ps_error *error);
enum ps_status ps_store_sql(struct ps_store *store, const char *sql, ps_store_cells *row,
                            void *context, struct ps_error *error);

/* The canonical JSON of a prompt, in the arena. */
enum ps_status ps_store_read_prompt(struct ps_store *store, int64_t prompt, struct ps_arena *arena,
                                    const char **json, struct ps_error *error);

/* Likewise of a source, a sampler, a provenance. */
enum ps_status ps_store_read_source(struct ps_store *store, int64_t source, struct ps_arena *arena,
                                    const char **json, struct ps_error *error);
enum ps_status ps_store_read_sampler(struct ps_store *store, int64_t sampler,
                                     struct ps_arena *arena, const char **json,
                                     struct ps_error *error);
enum ps_status ps_store_read_provenance(struct ps_store *store, int64_t provenance,
                                        struct ps_arena *arena, const char **json,
                                        struct ps_error *error);

struct ps_store_count {
    char name[24];
    int64_t count;
};
enum { PS_STORE_VERDICTS = 8, PS_STORE_FINISHES = 2 };
/* Lists end at a count of 0. */
struct ps_store_stats {
    int64_t traces, prompts, tokens; /* prompts that have a trace; output tokens */
    int64_t items, partials, attempts;
    int64_t text_bytes;                  /* reasoning and content, uncompressed */
    int64_t body_bytes;                  /* frame data */
    int64_t ids_bytes, logprobs_bytes;   /* in rows and in frames */
    int64_t ids_tokens, logprobs_tokens; /* that these are of */
    int64_t file_bytes;                  /* the file and its WAL */
    struct ps_store_count verdicts[PS_STORE_VERDICTS],
        finishes[PS_STORE_FINISHES]; /* a verdict of "none" counts the ungraded */
};
/* filter may be NULL; it restricts traces, prompts, tokens, text_bytes, verdicts and finishes. */
enum ps_status ps_store_stats(struct ps_store *store, const struct ps_store_filter *filter,
                              struct ps_store_stats *stats, struct ps_error *error);

/* Share of correct answers, against this item's gold (0: there is no item), among correct, wrong,
 * no_answer and truncated; share is NAN when none is graded. */
struct ps_store_difficulty {
    int64_t graded, correct;
    double share;
};
enum ps_status ps_store_difficulty(struct ps_store *store, int64_t prompt, int64_t item,
                                   int64_t source, struct ps_store_difficulty *difficulty,
                                   struct ps_error *error);

/* `traces hash`: equal for stores that hold the same traces, whatever the order they came in. Every
 * body is read and checked. */
enum ps_status ps_store_hash(struct ps_store *store, struct ps_hash *hash, struct ps_error *error);

/* ---- lines that trainers read ---- */

enum ps_store_format {
    PS_STORE_MESSAGES,          /* {"messages": [{"role", "content"}, ...]}, the reply last */
    PS_STORE_SHAREGPT,          /* {"conversations": [{"from": "human", "value"}, ...]} */
    PS_STORE_PROMPT_COMPLETION, /* texts for a single user message, else lists of messages */
};
enum ps_store_reasoning {
    PS_STORE_INLINE, /* within the reply's text: <think>...</think>... */
    PS_STORE_APART,  /* beside it, as "reasoning_content" */
};
struct ps_store_line {
    enum ps_store_format format;
    enum ps_store_reasoning reasoning;
    bool metadata; /* what the row says: id, dataset, gold, verdict, finish_reason, model */
};
/* Appends a trace's line, its newline included. Bytes that are no UTF-8 become U+FFFD. A reply that
 * was cut while thinking has no </think>. Importing the line gives the same texts. */
enum ps_status ps_store_export(struct ps_store *store, const struct ps_store_row *row,
                               const struct ps_store_line *how, struct ps_buffer *out,
                               struct ps_error *error);

/* ---- curating ---- */

/* Two traces of one key with different digests, of which one stays: a reply that stopped beats one
 * that was cut, then more tokens, then the smaller digest. Keys are those of the store. */
struct ps_store_merge_conflict {
    const struct ps_store_trace *ours, *theirs;
    bool took_theirs;
};
struct ps_store_merge_report {
    void (*conflict)(void *context, const struct ps_store_merge_conflict *conflict); /* or NULL */
    void *context;
};
struct ps_store_merge_counts {
    int64_t added, same;         /* traces that were new, and that were here already */
    int64_t conflicts, replaced; /* and differed; of these, how many gave way to the other's */
    int64_t items, verdicts;     /* added */
    int64_t golds;               /* items whose gold differs: ours stays */
};
/* Adds what the other store has: traces with their verdicts, items, attempts, partials. Verdicts of
 * both count by their time. Selections and top-k files stay behind. Flushes; a merge that was
 * stopped (PS_STOPPED) or failed keeps what it did and is finished by merging again. report may be
 * NULL. PS_CORRUPT names the other's damaged trace. */
enum ps_status ps_store_merge(struct ps_store *store, struct ps_store *other,
                              const struct ps_store_merge_report *report,
                              struct ps_store_merge_counts *counts, struct ps_error *error);

/* Corrects the gold of a data set's row, NULL for none, in all its items; *items: how many there
 * are. */
enum ps_status ps_store_set_gold(struct ps_store *store, const char *dataset, const char *split,
                                 int64_t row, const char *gold, int64_t *items,
                                 struct ps_error *error);

/* Deletes the traces of a filter with their verdicts; to be flushed. The space they took is used
 * again, or given back by packing. */
enum ps_status ps_store_delete(struct ps_store *store, const struct ps_store_filter *filter,
                               int64_t *traces, struct ps_error *error);

/* Copies a store, which others may be writing, to a new file as of one moment. The file appears
 * when it is complete; PS_ARGUMENT when there is one already. */
enum ps_status ps_store_backup(struct ps_store *store, const char *path, struct ps_error *error);
