/* The texts of a trace's tokens. A store keeps ids and the tokenizer's hash, not the tokenizer. */
#include "pipelines/commands/traces_show.h"

#include "base/file.h"

#include <string.h>

/* The value of a JSON object's member, in the arena; NULL when there is none. */
static enum ps_status member(struct ps_call *call, const char *json, const char *key,
                             const char **text, struct ps_error *error) {
    json_t *value;
    PS_TRY(ps_json_parse(key, json, strlen(json), &value, error));
    const char *found = json_string_value(ps_json_get(value, key));
    *text = found ? ps_arena_strndup(call->arena, found, strlen(found)) : NULL;
    bool lacks = found && !*text;
    json_decref(value);
    PS_FAIL_IF(lacks, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

enum ps_status ps_show_open_tokenizer(struct ps_call *call, struct ps_store *store,
                                      const struct ps_store_trace *trace,
                                      struct ps_tokenizer **tokenizer, const char **why,
                                      struct ps_error *error) {
    const struct ps_show_flags *flags = call->settings[0].values;
    const char *facts, *identity, *path = flags->tokenizer, *hash;
    char hex[PS_HASH_HEX_SIZE];
    *tokenizer = NULL;
    *why = NULL;
    PS_TRY(ps_store_read_provenance(store, trace->provenance, call->arena, &facts, error));
    PS_TRY(ps_store_read_source(store, trace->key.source, call->arena, &identity, error));
    if (!path) PS_TRY(member(call, facts, "model", &path, error));
    if (!path || (!flags->tokenizer && !ps_directory_exists(path))) {
        *why = "The texts of the tokens are not known: the store names no model folder that is "
               "there. --tokenizer PATH\nnames a tokenizer.";
        return PS_OK;
    }
    PS_TRY(member(call, identity, "tokenizer", &hash, error));
    PS_TRY(ps_tokenizer_open(path, tokenizer, error));
    if (!hash || strcmp(ps_hash_hex(ps_tokenizer_hash(*tokenizer), hex), hash) == 0) return PS_OK;
    *why = ps_arena_format(call->arena,
                           "The texts are those of %s, which is not the tokenizer "
                           "that the trace was made with.",
                           path);
    return PS_OK;
}
