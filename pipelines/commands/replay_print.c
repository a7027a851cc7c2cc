/* What came out of a replay, for people and as JSON. */
#include "pipelines/commands/replay_causes.h"
#include "pipelines/commands/traces_internal.h"

#include <math.h>
#include <stdio.h>

static const char *outcome_name(enum ps_replay_outcome outcome) {
    static const char *const names[] = {
        [PS_REPLAY_PENDING] = "pending",       [PS_REPLAY_EQUAL] = "equal",
        [PS_REPLAY_PROMPT] = "prompt",         [PS_REPLAY_TOKEN] = "token",
        [PS_REPLAY_LOGPROB] = "logprob",       [PS_REPLAY_UNREADABLE] = "unreadable",
        [PS_REPLAY_IMPOSSIBLE] = "impossible",
    };
    return names[outcome];
}

bool ps_replay_differs(const struct ps_replay_trace *trace) {
    return trace->outcome == PS_REPLAY_PROMPT || trace->outcome == PS_REPLAY_TOKEN ||
           trace->outcome == PS_REPLAY_LOGPROB;
}

static void write_value(struct ps_json_writer *json, const char *key,
                        const struct ps_replay_trace *trace, const struct ps_replay_value *value) {
    ps_json_write_key(json, key);
    ps_json_write_begin_object(json);
    if (trace->outcome == PS_REPLAY_PROMPT) {
        ps_json_put_integer(json, "prompt_tokens", value->tokens);
    } else {
        ps_json_write_key(json, "token");
        if (value->id < 0)
            ps_json_write_null(json);
        else
            ps_json_write_integer(json, value->id);
        ps_json_put_number(json, "logprob", value->logprob);
    }
    ps_json_write_end_object(json);
}

void ps_replay_write(const struct ps_replay_trace *trace, const struct ps_replay_causes *causes,
                     struct ps_json_writer *json) {
    ps_json_write_begin_object(json);
    ps_json_put_integer(json, "id", trace->id);
    ps_json_put_string(json, "outcome", outcome_name(trace->outcome));
    ps_json_put_integer(json, "tokens", trace->count);
    if (ps_replay_differs(trace)) {
        if (trace->outcome != PS_REPLAY_PROMPT)
            ps_json_put_integer(json, "position", trace->position);
        write_value(json, "was", trace, &trace->was);
        write_value(json, "now", trace, &trace->now);
    }
    ps_json_write_key(json, "why");
    ps_json_write_begin_array(json);
    for (size_t i = 0; i < causes->count; i++) ps_json_write_string(json, causes->items[i]);
    ps_json_write_end_array(json);
    ps_json_write_end_object(json);
}

static void print_token(const struct ps_tokenizer *tokenizer, const struct ps_replay_value *value) {
    if (value->id < 0) {
        fputs("the end", stdout);
        return;
    }
    printf("%d ", (int)value->id);
    ps_traces_print_token(tokenizer, value->id);
    if (!isnan(value->logprob)) printf(" (log-probability %.5f)", (double)value->logprob);
}

void ps_replay_print(const struct ps_replay_trace *trace, const char *place, const char *source,
                     const struct ps_tokenizer *tokenizer, const struct ps_replay_causes *causes,
                     bool tell_causes) {
    bool same = trace->outcome == PS_REPLAY_EQUAL;
    if ((same && !(causes->count && tell_causes)) || trace->outcome == PS_REPLAY_PENDING) return;
    printf("trace %lld (%s of %s)", (long long)trace->id, place, source);
    if (same) {
        fputs(" is the same, though", stdout);
    } else if (trace->outcome == PS_REPLAY_PROMPT) {
        printf(": its prompt had %lld tokens, and has %lld now", (long long)trace->was.tokens,
               (long long)trace->now.tokens);
    } else if (ps_replay_differs(trace)) {
        printf(" differs at token %lld of %lld: ", (long long)trace->position + 1,
               (long long)trace->count);
        print_token(tokenizer, &trace->was);
        fputs(" then, ", stdout);
        print_token(tokenizer, &trace->now);
        fputs(" now", stdout);
    } else {
        printf(" cannot be %s", trace->outcome == PS_REPLAY_UNREADABLE ? "read" : "generated");
    }
    puts("");
    for (size_t i = 0; tell_causes && i < causes->count; i++) printf("    %s\n", causes->items[i]);
}
