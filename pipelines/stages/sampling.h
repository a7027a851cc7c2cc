#pragma once
/* A local model answers rows of data sets into a store: what the stages sample and evaluate and the
 * commands of the same names share.
 *
 * All that is handed out lies in the arena given. */

#include "base/progress.h"
#include "base/settings.h"
#include "datasets/datasets.h"
#include "pipelines/stages/prompts.h"
#include "teacher/local.h"
#include "teacher/teacher.h"

/* ---- settings that all of them have ---- */

struct ps_sampling_settings {
    double temperature, top_p, min_p;
    int64_t top_k, max_tokens;
    int precision; /* enum ps_local_precision */
    int64_t sequences, rows, threads, cache_bytes;
    double keep; /* seconds */
    const char *backend;
    struct ps_strings thinking_budget;
    const char *thinking_end, *thinking_wait;
    int64_t thinking_waits;
};
extern const char *const ps_sampling_precisions[];

/* Items of a table whose values struct has a struct ps_sampling_settings at `offset`; the defaults
 * of temperature, top_p and max_tokens are texts. */
#define PS_SAMPLING_ITEM(base, member) ((base) + offsetof(struct ps_sampling_settings, member))
/* clang-format off */
#define PS_SAMPLING_SETTINGS(offset, temperature_text, top_p_text, max_tokens_text)              \
    {"temperature", PS_SETTING_NUMBER, PS_SAMPLING_ITEM(offset, temperature),                    \
     .fallback = temperature_text, .minimum = 0, .maximum = 100, .identity = true,               \
     .help = "0 always takes the likeliest token"},                                              \
    {"top_p", PS_SETTING_NUMBER, PS_SAMPLING_ITEM(offset, top_p),                                \
     .fallback = top_p_text, .minimum = 0, .maximum = 1, .identity = true,                       \
     .help = "sample from the likeliest tokens that together have this probability"},            \
    {"top_k", PS_SETTING_INTEGER, PS_SAMPLING_ITEM(offset, top_k),                               \
     .fallback = "0", .minimum = 0, .maximum = 1 << 20, .identity = true,                        \
     .help = "sample from this many of the likeliest tokens; 0: off"},                           \
    {"min_p", PS_SETTING_NUMBER, PS_SAMPLING_ITEM(offset, min_p),                                \
     .fallback = "0", .minimum = 0, .maximum = 1, .identity = true,                              \
     .help = "leave out tokens below this share of the likeliest one's probability"},            \
    {"max_tokens", PS_SETTING_INTEGER, PS_SAMPLING_ITEM(offset, max_tokens),                     \
     .fallback = max_tokens_text, .minimum = 1, .maximum = 1 << 24, .identity = true,            \
     .unit = "tokens", .help = "a longer reply is cut; raised later, it goes on from there"},    \
    {"thinking_budget", PS_SETTING_STRINGS, PS_SAMPLING_ITEM(offset, thinking_budget),           \
     .identity = true, .unit = "tokens", .argument = "BUDGET,...",                               \
     .help = "how long a thought may be: 512 (at most), 512- (at least), 512-2048, or none"},    \
    {"thinking_end", PS_SETTING_STRING, PS_SAMPLING_ITEM(offset, thinking_end),                  \
     .identity = true, .argument = "TEXT",                                                       \
     .help = "what ends a thought that has used its budget up; by default </think> and an "      \
             "empty line"},                                                                      \
    {"thinking_wait", PS_SETTING_STRING, PS_SAMPLING_ITEM(offset, thinking_wait),                \
     .fallback = "Wait", .identity = true, .argument = "TEXT",                                   \
     .help = "what a thought goes on with that would end before its least tokens"},              \
    {"thinking_waits", PS_SETTING_INTEGER, PS_SAMPLING_ITEM(offset, thinking_waits),             \
     .fallback = "4", .minimum = 0, .maximum = 1 << 20, .identity = true,                        \
     .help = "how often that is done in one reply"},                                             \
    {"precision", PS_SETTING_ENUM, PS_SAMPLING_ITEM(offset, precision),                          \
     .fallback = "auto", .names = ps_sampling_precisions, .identity = true,                      \
     .help = "what is computed in; auto is f32 for weights in F32, else bf16"},                  \
    {"sequences", PS_SETTING_INTEGER, PS_SAMPLING_ITEM(offset, sequences),                       \
     .fallback = "64", .minimum = 1, .maximum = 65536,                                           \
     .help = "most replies that are sampled at one time"},                                       \
    {"rows", PS_SETTING_INTEGER, PS_SAMPLING_ITEM(offset, rows),                                 \
     .fallback = "256", .minimum = 1, .maximum = 1 << 20, .unit = "tokens",                      \
     .help = "most tokens of one forward pass"},                                                 \
    {"cache_bytes", PS_SETTING_BYTES, PS_SAMPLING_ITEM(offset, cache_bytes),                     \
     .fallback = "0", .minimum = 0, .maximum = 0x1p50,                                           \
     .help = "for the KV cache; 0: what is needed, at most a quarter of the memory"},            \
    {"keep", PS_SETTING_DURATION, PS_SAMPLING_ITEM(offset, keep),                                \
     .fallback = "60s", .minimum = 0.01, .maximum = 60,                                          \
     .help = "how often replies in flight are kept, to go on from there after a crash"},         \
    {"threads", PS_SETTING_INTEGER, PS_SAMPLING_ITEM(offset, threads),                           \
     .fallback = "0", .minimum = 0, .maximum = 4096, .help = "0: one for each core"},            \
    {"backend", PS_SETTING_STRING, PS_SAMPLING_ITEM(offset, backend),                            \
     .help = "reference or cpu; by default the best one"}
/* clang-format on */

/* ---- work ---- */

/* A model that can be opened here. */
struct ps_sampling_model {
    const char *folder;              /* NULL: a stage makes it that has not run */
    struct ps_prompter_model reader; /* its own or, before it is made, the folder it starts from */
};

/* Finds a model by its name. PS_UNSUPPORTED for a served one and for random weights. */
enum ps_status ps_sampling_model(const struct ps_stage_context *context, const char *name,
                                 struct ps_sampling_model *model, struct ps_error *error);

/* The value of a map for this key, else that of "default", else NULL. */
const char *ps_string_map_get(const struct ps_string_map *map, const char *key);

/* The budgets of the setting thinking_budget, in the arena; one that bounds nothing where it is not
 * set. PS_ARGUMENT for one that is not understood, or leaves no token of max_tokens for an answer.
 */
struct ps_sampling_budget {
    const char *text; /* as written; NULL: bounds nothing */
    struct ps_sample_thinking thinking;
};
enum ps_status ps_sampling_budgets(const struct ps_sampling_settings *settings,
                                   struct ps_arena *arena, struct ps_sampling_budget **budgets,
                                   size_t *count, struct ps_error *error);

/* The one budget of a work that takes no list. */
enum ps_status ps_sampling_one_budget(const struct ps_sampling_settings *settings,
                                      struct ps_arena *arena,
                                      const struct ps_sampling_budget **budget,
                                      struct ps_error *error);

struct ps_sampling_set {
    const char *dataset;
    int64_t samples; /* replies for each row */
};

/* Catalog, seed, limit and arena are those of the prompter's context. */
struct ps_sampling {
    const char *name;               /* the model's */
    struct ps_sampling_model model; /* its folder is NULL in check alone */
    const struct ps_prompter *prompter;
    const struct ps_sampling_set *sets;
    size_t set_count;
    const struct ps_sampling_settings *settings;
    const struct ps_sampling_budget *budget; /* NULL: none */
};

/* Every row of every set (at most `limit` of each) as a prompt, in their order; with ids if there
 * is a tokenizer. */
struct ps_sampling_prompts {
    struct ps_sample_prompt *items;
    const struct ps_dataset_row **rows; /* [count], parallel to items */
    size_t count, *starts;              /* set i has items [starts[i], starts[i + 1]) */
    enum ps_thought thought;            /* where they leave the thought */
};
enum ps_status ps_sampling_render(const struct ps_sampling *sampling,
                                  const struct ps_tokenizer *tokenizer,
                                  struct ps_sampling_prompts *prompts, struct ps_error *error);
/* At most `limit` rows of each set, 0: all. */
enum ps_status ps_sampling_render_first(const struct ps_sampling *sampling,
                                        const struct ps_tokenizer *tokenizer, size_t limit,
                                        struct ps_sampling_prompts *prompts,
                                        struct ps_error *error);
/* A set's rows, and how many of them are asked. */
enum ps_status ps_sampling_rows(const struct ps_sampling *sampling, size_t set, size_t limit,
                                const struct ps_dataset **dataset, size_t *count,
                                struct ps_error *error);

/* Everything that can be known before: the folder, its tokenizer, the sets, the first prompt, which
 * must leave room for a reply. */
enum ps_status ps_sampling_check(const struct ps_sampling *sampling, struct ps_error *error);

/* The first prompt of each set as the model reads it, with what is to be known of its template. */
enum ps_status ps_sampling_show(const struct ps_sampling *sampling, FILE *out,
                                struct ps_error *error);

/* PS_ARGUMENT: the model's tokenizer or its prompts do not go with the budget. */
enum ps_status ps_sampling_check_budget(const struct ps_sampling *sampling,
                                        const struct ps_tokenizer *tokenizer,
                                        const struct ps_sampling_prompts *prompts,
                                        struct ps_error *error);

/* What the store at `path` holds of it; one that is not there holds nothing. */
enum ps_status ps_sampling_survey(const struct ps_sampling *sampling, const char *path,
                                  struct ps_sample_survey *survey, struct ps_error *error);

/* Samples what is missing. progress may be NULL; it is begun and ended here. Afterwards *traces has
 * all traces of the work, those from earlier runs included, one for each prompt and sample. */
enum ps_status ps_sampling_run(const struct ps_sampling *sampling, struct ps_store *store,
                               struct ps_progress *progress, struct ps_sampling_prompts *prompts,
                               struct ps_sample_report *report, struct ps_sample_traces *traces,
                               struct ps_error *error);

/* Members of an open object: what report and traces say. */
void ps_sampling_write_report(struct ps_json_writer *writer, const struct ps_sample_report *report,
                              const struct ps_sample_traces *traces);
