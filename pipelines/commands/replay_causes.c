/* Why a trace cannot be generated again: the source's identity and the provenance say what it was
 * made with, the model at hand what it is now. */
#include "pipelines/commands/replay_causes.h"

#include <string.h>

static enum ps_status add(struct ps_replay_causes *causes, const char *cause,
                          struct ps_error *error) {
    PS_FAIL_IF_NULL(cause, error);
    if (causes->count < PS_REPLAY_CAUSES) causes->items[causes->count++] = cause;
    return PS_OK;
}

/* A hash by its first digits, all else as JSON. */
static enum ps_status short_text(const json_t *value, struct ps_arena *arena, const char **text,
                                 struct ps_error *error) {
    enum { HASH_SHOWN = 12, SHOWN = 100 };
    struct ps_buffer json;
    const char *string = json_string_value(value);
    if (string && strlen(string) == PS_HASH_HEX_SIZE - 1) {
        *text = ps_arena_format(arena, "%.*s...", HASH_SHOWN, string);
        PS_FAIL_IF_NULL(*text, error);
        return PS_OK;
    }
    ps_buffer_init(&json, 1 << 20);
    enum ps_status status = value ? ps_json_dump(value, &json, error) : PS_OK;
    if (status == PS_OK) {
        *text = value ? ps_arena_format(arena, "%.*s%s", SHOWN, json.data,
                                        json.size > SHOWN ? "..." : "")
                      : "none";
        if (!*text) status = ps_error_set(error, PS_MEMORY, "out of memory");
    }
    ps_buffer_release(&json);
    return status;
}

static enum ps_status compare(const char *key, const json_t *was, const json_t *now,
                              struct ps_arena *arena, struct ps_replay_causes *causes,
                              struct ps_error *error) {
    const char *then, *here;
    bool same = was && now ? json_equal(was, now) : !was && !now;
    if (same) return PS_OK;
    PS_TRY(short_text(was, arena, &then, error));
    PS_TRY(short_text(now, arena, &here, error));
    return add(causes, ps_arena_format(arena, "%s: %s then, %s now", key, then, here), error);
}

static enum ps_status compare_sources(const struct ps_replay_model *model, struct ps_arena *arena,
                                      struct ps_replay_causes *causes, struct ps_error *error) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)model->was, key, value)
        PS_TRY(compare(key, value, ps_json_get(model->now, key), arena, causes, error));
    json_object_foreach((json_t *)model->now, key, value) if (!json_object_get(model->was, key))
        PS_TRY(compare(key, NULL, value, arena, causes, error));
    return PS_OK;
}

/* Kernels and backends of a CPU give the same bits, so these are named last. */
static enum ps_status compare_machines(const struct ps_replay_model *model, const char *facts,
                                       struct ps_arena *arena, struct ps_replay_causes *causes,
                                       struct ps_error *error) {
    const struct ps_compute *compute = model->local->compute;
    json_t *was, *now = NULL;
    PS_TRY(ps_json_parse("provenance", facts, strlen(facts), &was, error));
    enum ps_status status = PS_OK;
    now = json_pack("{s:s, s:s*, s:s*}", "version", PS_VERSION, "backend",
                    compute ? compute->name : NULL, "kernels", compute ? compute->kernels : NULL);
    PS_FAIL_DONE_IF_NULL(now, error);
    const char *key;
    json_t *value;
    json_object_foreach(now, key, value)
        PS_TRY_DONE(compare(key, ps_json_get(was, key), value, arena, causes, error));
done:
    json_decref(was);
    json_decref(now);
    return status;
}

enum ps_status ps_replay_causes(const struct ps_replay_model *model,
                                const struct ps_replay_trace *trace, struct ps_arena *arena,
                                struct ps_replay_causes *causes, struct ps_error *error) {
    struct ps_store_trace stored;
    const char *facts;
    causes->count = 0;
    if (trace->forged_prompt)
        PS_TRY(add(causes, "prompt: it was changed in the store, its hash does not fit", error));
    if (trace->forged_sampler)
        PS_TRY(add(causes,
                   "settings: they were changed in the store, the sampler's hash does not fit",
                   error));
    if (model->forged)
        PS_TRY(add(causes, "source: it was changed in the store, its hash does not fit", error));
    if (trace->outcome == PS_REPLAY_EQUAL) return PS_OK;
    PS_TRY(compare_sources(model, arena, causes, error));
    PS_TRY(ps_store_read_trace(model->store, trace->id, arena, &stored, error));
    PS_TRY(ps_store_read_provenance(model->store, stored.provenance, arena, &facts, error));
    PS_TRY(compare_machines(model, facts, arena, causes, error));
    if (causes->count > 0) return PS_OK;
    if (trace->outcome == PS_REPLAY_PROMPT)
        return add(causes,
                   "words of the prompt's own spell a control token: the store does not know which "
                   "words were whose",
                   error);
    return add(causes,
               "unknown: weights, tokenizer, template, settings, version and kernels are the same",
               error);
}
