#include "pipelines/stages/sampling.h"

#include <string.h>

enum ps_status ps_sampling_budgets(const struct ps_sampling_settings *settings,
                                   struct ps_arena *arena, struct ps_sampling_budget **budgets,
                                   size_t *count, struct ps_error *error) {
    static const char *none[] = {"none"};
    const struct ps_strings *texts = &settings->thinking_budget;
    const char **items = texts->count ? texts->items : none;
    *count = texts->count ? texts->count : 1;
    *budgets = ps_arena_array(arena, *count, sizeof **budgets);
    PS_FAIL_IF_NULL(*budgets, error);
    for (size_t i = 0; i < *count; i++) {
        struct ps_sample_thinking thinking = {.end = settings->thinking_end ? settings->thinking_end
                                                                            : "</think>\n\n",
                                              .wait = settings->thinking_wait,
                                              .waits = settings->thinking_waits};
        PS_FAIL_IF(!ps_sample_thinking_read(items[i], &thinking), error, PS_ARGUMENT,
                   "thinking_budget: '%s' is not understood; write 512 (at most so many tokens), "
                   "512- (at least), 512-2048, or none",
                   items[i]);
        PS_FAIL_IF(thinking.most >= settings->max_tokens, error, PS_ARGUMENT,
                   "thinking_budget: a thought of %lld tokens leaves none of max_tokens, %lld, for "
                   "an answer",
                   (long long)thinking.most, (long long)settings->max_tokens);
        for (size_t j = 0; j < i; j++)
            PS_FAIL_IF(strcmp(items[i], items[j]) == 0, error, PS_ARGUMENT,
                       "thinking_budget: '%s' is there twice", items[i]);
        bool bounds = ps_sample_thinking_bounds(&thinking);
        (*budgets)[i] = (struct ps_sampling_budget){bounds ? items[i] : NULL, thinking};
    }
    return PS_OK;
}

enum ps_status ps_sampling_one_budget(const struct ps_sampling_settings *settings,
                                      struct ps_arena *arena,
                                      const struct ps_sampling_budget **budget,
                                      struct ps_error *error) {
    struct ps_sampling_budget *budgets;
    size_t count;
    PS_TRY(ps_sampling_budgets(settings, arena, &budgets, &count, error));
    PS_FAIL_IF(count > 1, error, PS_ARGUMENT,
               "thinking_budget: traces are sampled with one budget; 'evaluate' takes several");
    *budget = budgets;
    return PS_OK;
}

enum ps_status ps_sampling_check_budget(const struct ps_sampling *sampling,
                                        const struct ps_tokenizer *tokenizer,
                                        const struct ps_sampling_prompts *prompts,
                                        struct ps_error *error) {
    struct ps_generate_thinking bounds;
    const struct ps_sampling_budget *budget = sampling->budget;
    if (!budget || !budget->text) return PS_OK;
    PS_FAIL_IF(prompts->thought == PS_THOUGHT_CLOSED, error, PS_ARGUMENT,
               "%s: thinking is off: its prompt ends behind </think>, and a thinking budget has "
               "nothing to bound",
               sampling->name);
    enum ps_status status = ps_sample_thinking_encode(
        &budget->thinking, tokenizer, sampling->prompter->context->arena, &bounds, error);
    if (status != PS_OK) ps_error_prefix(error, "%s", sampling->name);
    return status;
}
