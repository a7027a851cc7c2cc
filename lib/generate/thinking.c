/* Budget forcing: bounds on the thought of a reply (Muennighoff et al. 2025, arXiv 2501.19393,
 * section 3.1).
 *
 * A thought of `most` tokens is ended: the rule's `end` text, which has </think> in it, is forced
 * token by token, and the model goes on from there with its answer. A thought that would end with
 * less than `least` tokens (by </think> or by the reply's end token) goes on instead: that token is
 * not taken, and the `wait` text is forced in its place, up to `waits` times.
 *
 * What is forced at a position follows from the tokens before it and, where a wait may begin, from
 * the token that the model draws there. So a reply that is resumed finds its place by walking over
 * the tokens it has. Only one thing cannot be seen in them: whether a token like the wait text's
 * first was forced or the model's own. There the engine draws again, which gives the same token as
 * before (thought_unsure). */

#include "generate/generator_internal.h"

static void force(struct thought *thought, const int32_t *tokens, size_t count) {
    thought->forced = tokens;
    thought->forced_count = count;
}

/* The text that must come next has begun, if any. */
static bool due(const struct ps_generate_thinking *rule, struct thought *thought) {
    if (thought->place == THOUGHT_OPEN && !thought->ending && rule->most >= 0 &&
        thought->tokens >= rule->most) {
        thought->ending = true;
        force(thought, rule->end, rule->end_count);
    }
    return thought->forced_count > 0;
}

static bool may_wait(const struct ps_generate_thinking *rule, const struct thought *thought) {
    return thought->place == THOUGHT_OPEN && thought->tokens < rule->least &&
           thought->waits < rule->waits;
}

bool thought_unsure(const struct ps_generate_thinking *rule, struct thought *thought,
                    int32_t token) {
    return !due(rule, thought) && may_wait(rule, thought) && token == rule->wait[0];
}

int32_t thought_take(const struct ps_generate_thinking *rule, struct thought *thought,
                     int32_t drawn, bool ends) {
    int32_t token = drawn;
    if (!due(rule, thought) && (ends || drawn == rule->close) && may_wait(rule, thought)) {
        thought->waits++;
        force(thought, rule->wait, rule->wait_count);
    }
    if (thought->forced_count) {
        token = *thought->forced++;
        thought->forced_count--;
    }
    if (thought->place == THOUGHT_BEFORE && token == rule->open)
        thought->place = THOUGHT_OPEN;
    else if (thought->place == THOUGHT_OPEN && token == rule->close)
        thought->place = THOUGHT_CLOSED;
    else if (thought->place == THOUGHT_OPEN)
        thought->tokens++;
    return token;
}
