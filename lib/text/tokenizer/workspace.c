/* Scratch memory of encodes: made when all are in use, kept for the next. */
#include "text/tokenizer/tokenizer_internal.h"

static struct ps_workspace *new_workspace(const struct ps_tokenizer *tokenizer) {
    struct ps_workspace *workspace = ps_calloc(1, sizeof *workspace);
    if (!workspace) return NULL;
    workspace->cache = ps_calloc((size_t)1 << CACHE_BITS, sizeof *workspace->cache);
    bool made = workspace->cache;
    for (size_t i = 0; made && i < tokenizer->regex_count; i++) {
        workspace->matches[i] = pcre2_match_data_create_from_pattern(tokenizer->regexes[i], NULL);
        made = workspace->matches[i];
    }
    for (size_t i = 0; i < 2; i++) ps_buffer_init(&workspace->normal[i], 2 * (size_t)MAX_TEXT_SIZE);
    for (size_t i = 0; i < MAX_STAGES; i++)
        ps_buffer_init(&workspace->pieces[i], 2 * (size_t)MAX_TEXT_SIZE);
    ps_buffer_init(&workspace->bytes, 2 * (size_t)MAX_TEXT_SIZE);
    pcre2_general_context *memory = made ? ps_regex_memory() : NULL;
    if (memory) workspace->context = pcre2_match_context_create(memory);
    if (workspace->context)
        workspace->jit_stack = pcre2_jit_stack_create(32 << 10, 1 << 20, memory);
    pcre2_general_context_free(memory);
    if (!workspace->jit_stack) {
        ps_workspace_free(workspace);
        return NULL;
    }
    pcre2_jit_stack_assign(workspace->context, NULL, workspace->jit_stack);
    pcre2_set_heap_limit(workspace->context, 64 << 10);
    ps_workspace_limit(workspace, 0);
    return workspace;
}

void ps_workspace_free(struct ps_workspace *workspace) {
    for (size_t i = 0; i < MAX_REGEXES; i++) pcre2_match_data_free(workspace->matches[i]);
    for (size_t i = 0; i < 2; i++) ps_buffer_release(&workspace->normal[i]);
    for (size_t i = 0; i < MAX_STAGES; i++) ps_buffer_release(&workspace->pieces[i]);
    ps_buffer_release(&workspace->bytes);
    pcre2_match_context_free(workspace->context);
    pcre2_jit_stack_free(workspace->jit_stack);
    ps_free(workspace->symbols);
    ps_free(workspace->heap);
    ps_free(workspace->cache);
    ps_free(workspace);
}

/* Takes an idle workspace or makes one. The tokenizer itself stays as it is; only its list of idle
 * workspaces changes, under its lock. */
struct ps_workspace *ps_workspace_take(const struct ps_tokenizer *tokenizer) {
    struct ps_tokenizer *owner = (struct ps_tokenizer *)tokenizer;
    pthread_mutex_lock(&owner->lock);
    struct ps_workspace *workspace = owner->idle;
    if (workspace) owner->idle = workspace->next;
    pthread_mutex_unlock(&owner->lock);
    return workspace ? workspace : new_workspace(tokenizer);
}

void ps_workspace_give_back(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace) {
    struct ps_tokenizer *owner = (struct ps_tokenizer *)tokenizer;
    pthread_mutex_lock(&owner->lock);
    workspace->next = owner->idle;
    owner->idle = workspace;
    pthread_mutex_unlock(&owner->lock);
}

/* More than any sane tokenizer needs for a text of this size, and so little that one with nested
 * repetitions, or with replacements that grow, ends soon. Some 50 ns a byte are usual. */
void ps_workspace_limit(struct ps_workspace *workspace, size_t size) {
    size_t steps = 1000000 + 32 * size;
    size_t longest = MAX_GROWTH * (size + (1 << 15)), most = 2 * (size_t)MAX_TEXT_SIZE;
    pcre2_set_match_limit(workspace->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    workspace->allowed = 2 + 2e-6 * (double)size;
    workspace->spent = 0;
    workspace->looked = 0;
    if (longest > most) longest = most;
    for (size_t i = 0; i < 2; i++) workspace->normal[i].limit = longest;
    for (size_t i = 0; i < MAX_STAGES; i++) workspace->pieces[i].limit = longest;
}
