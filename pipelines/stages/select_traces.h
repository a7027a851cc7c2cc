#pragma once
/* Selecting traces of a store, for the stage and the command select: what is kept, and why the rest
 * is not. Everything random depends on the seed and on a trace's identity, so that stores with the
 * same traces give the same selection. */

#include "base/hash.h"
#include "base/json.h"
#include "base/settings.h"
#include "store/store.h"

enum ps_select_finish { PS_SELECT_ANY, PS_SELECT_STOP, PS_SELECT_LENGTH };
enum ps_select_prefer { PS_SELECT_SHORTEST, PS_SELECT_LONGEST, PS_SELECT_RANDOM };

struct ps_select_settings {
    struct ps_strings keep; /* verdicts; "all": also what is not graded */
    int finish;             /* enum ps_select_finish */
    int64_t min_tokens, max_tokens;
    struct ps_select_share {
        const char *model; /* NULL: each trace's own source */
        double min, max;
    } share;
    int64_t per_question; /* 0: all */
    int prefer;           /* enum ps_select_prefer */
    int64_t count;        /* 0: all */
};
extern const struct ps_settings_table ps_select_table;

/* PS_ARGUMENT for settings that contradict each other or name no verdict. */
enum ps_status ps_select_check(const struct ps_select_settings *settings, struct ps_error *error);

/* X(enumerator suffix, name in results): why a trace is not kept, in the order of the questions. */
#define PS_SELECT_DROP_MAP(X)                                                                      \
    X(TEST, "test_split") /* some item of a test split asks its prompt */                          \
    X(VERDICT, "verdict")                                                                          \
    X(FINISH, "finish_reason")                                                                     \
    X(TOKENS, "tokens")                                                                            \
    X(SHARE, "share_correct")                                                                      \
    X(REPETITION, "repetition") /* same prompt, same reasoning and content as one that is kept */  \
    X(PER_QUESTION, "per_question")                                                                \
    X(COUNT, "count")

enum ps_select_drop {
#define X(suffix, name) PS_SELECT_DROP_##suffix,
    PS_SELECT_DROP_MAP(X)
#undef X
        PS_SELECT_KEPT /* also the number of reasons */
};

struct ps_selection {
    struct ps_hash hash; /* of the kept traces: their identities and texts */
    int64_t *traces;     /* kept_count ids */
    int64_t considered, dropped[PS_SELECT_KEPT], kept, questions; /* questions: of those kept */
};

/* filters: together they say which traces are considered; one that fits several counts once. The
 * caller releases the selection, also after a failure. */
enum ps_status ps_select_traces(struct ps_store *store, const struct ps_select_settings *settings,
                                const struct ps_store_filter *filters, size_t filter_count,
                                uint64_t seed, struct ps_selection *selection,
                                struct ps_error *error);
void ps_selection_release(struct ps_selection *selection);

/* A hash of all that the selection depends on but the texts: the considered traces with their
 * verdicts. A selection is up to date as long as it stays the same. */
enum ps_status ps_select_state(struct ps_store *store, const struct ps_store_filter *filters,
                               size_t filter_count, struct ps_hash *state, struct ps_error *error);

/* "considered", "dropped": {reason: traces}, "kept", "questions". */
void ps_selection_write(const struct ps_selection *selection, struct ps_json_writer *writer);
/* One line each. */
bool ps_selection_print(const struct ps_selection *selection, struct ps_buffer *text);
