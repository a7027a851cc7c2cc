#pragma once
/* What the files of the room share: streams, rows from files, manifests, sets of hashes. */

#include "base/hash.h"
#include "base/json.h"
#include "datasets/datasets.h"

/* ---- stream.c: a file's plain bytes, whatever it is packed with ---- */

struct ps_dataset_stream;
/* PS_UNSUPPORTED for Parquet, with the command that converts it. path is borrowed. */
enum ps_status ps_dataset_stream_open(struct ps_dataset_stream **stream, const char *path,
                                      struct ps_error *error);
/* A ps_read_function; context is the stream. */
enum ps_status ps_dataset_stream_read(void *context, char *data, size_t room, size_t *got,
                                      struct ps_error *error);
/* Closes it; *hash (may be NULL) is of the plain bytes read. NULL is fine. */
void ps_dataset_stream_close(struct ps_dataset_stream *stream, struct ps_hash *hash);

/* ---- read.c: rows from JSON lines ---- */

/* Which field holds what. "a+b" puts two together, "a?" may be missing. NULL: the plain name, if it
 * is there ("question" must be). */
struct ps_dataset_fields {
    const char *question, *answer, *solution, *id, *level, *subject;
    enum ps_dataset_gold gold;
};

/* A growing array of rows; the rows' texts are in an arena. */
struct ps_dataset_rows {
    struct ps_dataset_row *row;
    size_t count, capacity;
};
enum ps_status ps_dataset_rows_add(struct ps_dataset_rows *rows, const struct ps_dataset_row *row,
                                   struct ps_error *error);
void ps_dataset_rows_release(struct ps_dataset_rows *rows);

/* "question, answer, level": the fields that are there. */
const char *ps_dataset_fields_there(const json_t *object, char text[256]);

/* Appends the rows of a stream of JSON lines. name stands in messages. */
enum ps_status ps_dataset_read(const char *name, ps_read_function *read, void *context,
                               const struct ps_dataset_fields *fields, struct ps_arena *arena,
                               const struct ps_dataset_source *source, struct ps_dataset_rows *rows,
                               struct ps_error *error);

/* Opens source->path, reads it and notes its SHA-256; PS_CORRUPT when another one was declared
 * (source->sha256 with sha256_declared). */
enum ps_status ps_dataset_read_file(const struct ps_dataset_fields *fields, struct ps_arena *arena,
                                    struct ps_dataset_source *source, struct ps_dataset_rows *rows,
                                    struct ps_error *error);

/* ---- reply_file.c ---- */

/* The same as ps_reply_file_open for what `read` hands over. */
enum ps_status ps_reply_file_open_function(struct ps_reply_file **file, const char *name,
                                           ps_read_function *read, void *context,
                                           const struct ps_reply_format *format,
                                           struct ps_error *error);

/* ---- reply_line.c: what a line of replies says ---- */

/* Appends the conversation before the reply as JSON and finds the reply: a text or a message that
 * belongs to the line. Not for results of a batch. */
enum ps_status ps_reply_line_read(const json_t *object, const struct ps_reply_format *format,
                                  struct ps_buffer *prompt, const json_t **reply,
                                  struct ps_error *error);
/* Appends the conversation that a request of a batch sends. */
enum ps_status ps_reply_line_request(const json_t *body, struct ps_buffer *prompt,
                                     struct ps_error *error);
/* The two parts of a reply and whether it was cut; beside: the line, where the reasoning may stand
 * as well. What must be joined lies in the arena, all else in the values. */
enum ps_status ps_reply_line_parts(const json_t *reply, const json_t *beside,
                                   struct ps_arena *arena, struct ps_reply_line *line,
                                   struct ps_error *error);
/* gold, dataset, id, model, finish_reason. */
enum ps_status ps_reply_line_about(const json_t *object, struct ps_arena *arena,
                                   struct ps_reply_line *line, struct ps_error *error);

/* ---- words.c: questions compared by their words ---- */

/* 64-bit keys to a number each; the first number given to a key stays. */
struct ps_dataset_index {
    struct ps_dataset_slot *slots;
    size_t capacity, count;
};
void ps_dataset_index_release(struct ps_dataset_index *index);
/* *found: what the key had already, else number. *added may be NULL. */
enum ps_status ps_dataset_index_add(struct ps_dataset_index *index, uint64_t key, uint32_t number,
                                    uint32_t *found, bool *added, struct ps_error *error);
bool ps_dataset_index_find(const struct ps_dataset_index *index, uint64_t key, uint32_t *number);

/* A question as words: see words.c. */
struct ps_dataset_words {
    struct ps_buffer text; /* the words with one space between */
    size_t *ends;          /* offset behind each word */
    size_t count, capacity;
};
enum { PS_DATASET_GRAM = 8 };
void ps_dataset_words_init(struct ps_dataset_words *words);
void ps_dataset_words_release(struct ps_dataset_words *words);
enum ps_status ps_dataset_words_set(struct ps_dataset_words *words, const char *question,
                                    struct ps_error *error);
/* Hash of the whole question, and of the eight words from `first` on. */
uint64_t ps_dataset_words_key(const struct ps_dataset_words *words);
uint64_t ps_dataset_words_gram(const struct ps_dataset_words *words, size_t first,
                               const char **text, size_t *size);

/* ---- manifest.c ---- */

struct ps_dataset_split {
    const char *name, *file, *sha256; /* file: below the data folder; NULL: generated */
    bool test;
    uint64_t rows, seed; /* of a generated split */
};
struct ps_dataset_manifest {
    const char *name, *about, *licence, *origin, *prompt, *profile, *generator;
    struct ps_dataset_fields fields;
    struct ps_dataset_split *splits;
    size_t split_count;
};
/* The shipped manifests, sorted by name. */
enum ps_status ps_dataset_manifests(struct ps_arena *arena, struct ps_dataset_manifest **manifests,
                                    size_t *count, struct ps_error *error);
/* One manifest from text; name stands in messages. */
enum ps_status ps_dataset_manifest_parse(const char *name, const char *text, size_t size,
                                         struct ps_arena *arena,
                                         struct ps_dataset_manifest *manifest,
                                         struct ps_error *error);
/* The folder of the user's data sets; NULL: out of memory. */
char *ps_dataset_folder(struct ps_arena *arena);
/* What describes a split; path is the file that is there, plain or packed, else where it should be
 * (*present false). */
enum ps_status ps_dataset_manifest_source(const struct ps_dataset_manifest *manifest,
                                          const struct ps_dataset_split *split,
                                          struct ps_arena *arena, struct ps_dataset_source *source,
                                          bool *present, struct ps_error *error);

/* ---- choose.c: what is drawn by seed and what is left out ---- */

/* The indices of `wanted` rows in ascending order of their draw, a hash of (seed, purpose, source,
 * id), so that a choice does not depend on the order of a file's other rows. */
enum ps_status ps_dataset_choose(const struct ps_dataset_row *rows, size_t count, size_t wanted,
                                 uint64_t seed, const char *purpose, uint32_t *chosen,
                                 struct ps_error *error);

/* Keeps, in their order, a seeded choice of `wanted` rows; the others go to rest (may be NULL). */
enum ps_status ps_dataset_sample(struct ps_dataset_rows *rows, size_t wanted, uint64_t seed,
                                 const char *purpose, struct ps_dataset_rows *rest,
                                 struct ps_error *error);

/* Takes out rows whose question stands in `other`, exactly or by eight words in a row; what was
 * taken goes to drops, in the arena. */
enum ps_status ps_dataset_decontaminate(struct ps_dataset_rows *rows,
                                        const struct ps_dataset *const *others, size_t other_count,
                                        struct ps_arena *arena,
                                        const struct ps_dataset_drop **drops, size_t *drop_count,
                                        struct ps_error *error);

/* Keeps the first row of each question; *removed grows by the number of the others. */
enum ps_status ps_dataset_deduplicate(struct ps_dataset_rows *rows, size_t *removed,
                                      struct ps_error *error);

/* ---- note.c ---- */

/* Notes the checksum of a shipped set's file, or warns on stderr when another one was noted. */
void ps_dataset_note_checksum(const struct ps_dataset_source *source, struct ps_arena *arena);
