#pragma once
/* What came out of generating a trace again: why it is different, and how that is told. */

#include "base/json.h"
#include "teacher/replay.h"

enum { PS_REPLAY_CAUSES = 16 };

/* A source, and the model that is taken for it. */
struct ps_replay_model {
    struct ps_store *store;
    const struct ps_local *local;
    const json_t *was, *now; /* the source's identity, and what it would be of this model */
    bool forged;             /* the source's hash does not fit that identity */
};

/* Lines as "weights: 0123456789ab... then, cdef01234567... now", in the arena: never none for a
 * trace that differs; for one that is the same, what was changed in the store. */
struct ps_replay_causes {
    const char *items[PS_REPLAY_CAUSES];
    size_t count;
};
enum ps_status ps_replay_causes(const struct ps_replay_model *model,
                                const struct ps_replay_trace *trace, struct ps_arena *arena,
                                struct ps_replay_causes *causes, struct ps_error *error);

/* ---- replay_print.c ---- */

/* The prompt, a token or a log-probability is not what it was. */
bool ps_replay_differs(const struct ps_replay_trace *trace);
/* {"id", "outcome", "tokens", "position", "was", "now", "why"} */
void ps_replay_write(const struct ps_replay_trace *trace, const struct ps_replay_causes *causes,
                     struct ps_json_writer *json);
/* Lines on stdout; none for a trace that is the same, unless there are causes to tell. place and
 * source: "arith/test:3, sample 0", "teacher". */
void ps_replay_print(const struct ps_replay_trace *trace, const char *place, const char *source,
                     const struct ps_tokenizer *tokenizer, const struct ps_replay_causes *causes,
                     bool tell_causes);
