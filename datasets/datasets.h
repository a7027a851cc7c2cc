#pragma once
/* Data sets: questions with their right answers, from shipped manifests, one's own JSON-lines files
 * and generators; mixed, sampled and decontaminated by seed; and files of replies to them.
 *
 * A catalog holds the sets that a pipeline defines and finds the shipped ones by name. A set is
 * named "gsm8k/test" (manifest and split; "math500" where there is one split) or by the name that
 * the pipeline gave it, which goes first. Everything a catalog hands out belongs to it.
 *
 * Shipped manifests (datasets/NAME.yaml) say which file a set is in, which fields hold what, how
 * the right answer is read, the default prompt, the grading profile and the licence. The files
 * themselves are the user's: they are looked for in $POTSTILL_DATA, else $XDG_DATA_HOME/potstill,
 * else ~/.local/share/potstill, as gsm8k/test.jsonl, also with .gz or .zst behind it. */

#include "base/memory.h"
#include "base/status.h"
#include "text/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a right answer is read from its field. */
#define PS_DATASET_GOLD_MAP(X)                                                                     \
    X(PLAIN, "plain")   /* the field is the answer; a whole number loses its ".0" */               \
    X(HASHES, "hashes") /* what follows the last "####" (GSM8K) */                                 \
    X(BOXED, "boxed")   /* the last balanced \boxed{...} (MATH) */

enum ps_dataset_gold {
#define X(name, text) PS_DATASET_GOLD_##name,
    PS_DATASET_GOLD_MAP(X)
#undef X
};
const char *ps_dataset_gold_name(enum ps_dataset_gold gold);

/* Where rows come from: one (data set, split). A mix has several. Unknown texts are NULL. */
struct ps_dataset_source {
    const char *dataset, *split; /* "gsm8k", "test"; one's own file: its set's name, "train" */
    bool test;                   /* train and export refuse its rows */
    const char *about, *licence, *origin; /* origin: where to get it */
    const char *prompt;                   /* default user message, with {question} */
    const char *profile;                  /* grading profile */
    const char *path;                     /* file it was read from; NULL: generated */
    char sha256[65];                      /* of the file's plain text; "" for generated rows */
    bool sha256_declared;                 /* and it is what the manifest says */
};

struct ps_dataset_row {
    const char *id; /* stable within its source: the file's own id, else the line number from 1 */
    const char *question;
    const char *gold;     /* NULL: not known */
    const char *solution; /* worked text; NULL: none */
    const char *subject;  /* NULL: none */
    const char *fields;   /* the row's other fields as a JSON object; NULL: none */
    int level;            /* difficulty as the set counts it; 0: not known */
    const struct ps_dataset_source *source;
};

/* A row that decontamination took out and what it met. */
struct ps_dataset_drop {
    const struct ps_dataset_row *row, *other; /* other: the row of the test set */
    const char *gram; /* the eight words they share; NULL: the same question */
};

struct ps_dataset {
    const char *name;
    const struct ps_dataset_row *rows;
    size_t count;
    const struct ps_dataset_source *const *sources;
    size_t source_count;
    const struct ps_dataset_drop *drops;
    size_t drop_count;
    size_t duplicates; /* rows of a mix left out because their question was there already */
};

/* A set as a pipeline's `datasets:` section describes it. NULL and 0 mean "not given". Exactly one
 * of `file`, `mix_count`, `from` and `generator`. Strings are copied. */
struct ps_dataset_part {
    const char *name; /* another set of the catalog, or a shipped one */
    double weight;    /* > 0 */
};
struct ps_dataset_spec {
    const char *name;
    const char *file; /* JSON lines: plain, .gz or .zst; relative to the working directory */
    /* Names of a file's fields; several joined by '+' are put together: "Body+Question". */
    const char *question, *answer, *solution, *id, *level, *subject; /* defaults: the plain names */
    enum ps_dataset_gold gold;
    const char *profile, *prompt;
    bool test; /* a file that must not be trained on */

    /* Rows in the proportion of the weights, none twice, as many as the scarcest part allows. */
    const struct ps_dataset_part *mix;
    size_t mix_count;

    const char *from; /* `sample` rows of that set, taken out of it */

    const char *generator; /* "arith/train" with its own seed and count */
    uint64_t seed, count;  /* 0: the manifest's */

    uint64_t sample; /* any set: this many rows, chosen by seed; more than there are is an error */
    const char *const *decontaminate; /* sets whose questions must not occur */
    size_t decontaminate_count;
};

struct ps_dataset_catalog;

/* seed: the pipeline's; what is drawn depends on it, the set's name and the rows' ids. Specs may
 * refer to each other in any order; a cycle, a double name or a bad spec is PS_ARGUMENT. Reads no
 * file yet. */
enum ps_status ps_dataset_catalog_open(struct ps_dataset_catalog **catalog,
                                       const struct ps_dataset_spec *specs, size_t count,
                                       uint64_t seed, struct ps_error *error);
void ps_dataset_catalog_close(struct ps_dataset_catalog *catalog);

/* Reads or makes a set at its first use; the same pointer afterwards. PS_NOT_FOUND: no such set, or
 * its file is not there (the message says where to get it and where to put it). */
enum ps_status ps_dataset_get(struct ps_dataset_catalog *catalog, const char *name,
                              const struct ps_dataset **dataset, struct ps_error *error);

/* Shipped sets: every (manifest, split), sorted by name, without reading their files. `path` is
 * where the file is or should be. */
struct ps_dataset_listing {
    struct ps_dataset_source source;
    const char *name; /* what ps_dataset_get takes */
    bool present;     /* the file is there, or the rows are generated */
};
enum ps_status ps_dataset_list(struct ps_dataset_catalog *catalog,
                               const struct ps_dataset_listing **listings, size_t *count,
                               struct ps_error *error);

/* One of them by name; PS_NOT_FOUND with a suggestion. */
enum ps_status ps_dataset_find(struct ps_dataset_catalog *catalog, const char *name,
                               const struct ps_dataset_listing **listing, struct ps_error *error);

/* Whether a row's set and split must not be trained on: one called "test", whoever's it is, or a
 * shipped one that its manifest declares so. */
bool ps_dataset_is_test(struct ps_dataset_catalog *catalog, const char *dataset, const char *split);

/* The generator `arith`, without a catalog: row number `index` of a set ("train", "one-step",
 * "chains", "teacher-train", "dev", "test", "longer"). Depends on (set, seed, index) alone. Strings
 * live in the arena; row->source is NULL; row->subject is the row's skeleton. Two indices can give
 * the same question: sets of a catalog leave the second out. PS_NOT_FOUND: no such set. */
enum ps_status ps_dataset_arith_row(const char *set, uint64_t seed, uint64_t index,
                                    struct ps_arena *arena, struct ps_dataset_row *row,
                                    struct ps_error *error);

/* ---- files of replies ---- */

/* Replies that one has already, as JSON lines: plain, .gz or .zst. What a line is, its keys tell:
 *
 *     {"messages": [{"role", "content"}, ...]}                  the last message is the reply
 *     {"conversations": [{"from", "value"}, ...], "system"}     ShareGPT, likewise
 *     {"prompt", "completion"}                                  texts, or lists of messages
 *     {"custom_id", "response": {"body"}, "error"}              a result of OpenAI's batch API
 *
 * Reasoning stands within the reply between <think> and </think>, or beside its text as
 * "reasoning_content" (or "reasoning", "thinking"). Both parts are taken byte by byte. A thought
 * that no </think> ends was cut. A line may have "gold", "dataset" (NAME or NAME/SPLIT), "id",
 * "finish_reason" and "model" as well. */
struct ps_reply_format {
    const char *prompt, *completion; /* other keys for "prompt" and "completion", or NULL */
    const char *requests;            /* what a batch was asked: its input file, or NULL */
};

struct ps_reply_line {
    size_t line;        /* its number, from 1 */
    const char *prompt; /* the conversation before it, as JSON (text.h) */
    int64_t sample;     /* how many replies to the same prompt the file has before this one */
    struct ps_reply reply;
    bool cut;            /* it ran into its limit */
    const char *failure; /* there is no reply: "http 429", ...; NULL: there is one */
    const char *detail;  /* what the server said about it, or NULL */
    int64_t prompt_tokens, output_tokens;            /* 0: not known */
    const char *gold, *dataset, *split, *id, *model; /* NULL: not said */
};

struct ps_reply_file;

/* Reads `format->requests` and the file's checksum: the SHA-256 of its plain bytes. path is
 * borrowed. */
enum ps_status ps_reply_file_open(struct ps_reply_file **file, const char *path,
                                  const struct ps_reply_format *format, struct ps_hash *hash,
                                  struct ps_error *error);
/* The next reply; its text is good until the next call. PS_FORMAT and PS_LIMIT refuse a line
 * ("file:line: why"): the next call goes on behind it. */
enum ps_status ps_reply_file_next(struct ps_reply_file *file, struct ps_reply_line *line,
                                  bool *more, struct ps_error *error);
size_t ps_reply_file_lines(const struct ps_reply_file *file); /* read so far */
void ps_reply_file_close(struct ps_reply_file *file);         /* NULL is fine */
