/* From text to ids, in the order of the `tokenizers` library:
 *   1. added tokens that are not `normalized` are found in the raw text, leftmost, then longest;
 *   2. the text between them is normalized, and the `normalized` added tokens are found in it;
 *   3. what is left goes through the pre-tokenizer and BPE, piece by piece;
 *   4. the post-processor's template is put around it all, if asked for.
 * An added token is found only where all its bytes are the template's own. */
#include "text/text_internal.h"

#include <string.h>

/* ---- ids ---- */

enum ps_status ps_token_ids_append(struct ps_token_ids *ids, const uint32_t *more, size_t count,
                                   struct ps_error *error) {
    if (count > ids->capacity - ids->size) {
        PS_FAIL_IF(count > SIZE_MAX / 16 - ids->capacity, error, PS_LIMIT, "too many tokens");
        size_t capacity = ids->capacity * 2 + count + 16;
        uint32_t *data = ps_realloc(ids->data, capacity * sizeof *data);
        PS_FAIL_IF_NULL(data, error);
        ids->data = data;
        ids->capacity = capacity;
    }
    if (count) memcpy(ids->data + ids->size, more, count * sizeof *more);
    ids->size += count;
    return PS_OK;
}

void ps_token_ids_release(struct ps_token_ids *ids) {
    ps_free(ids->data);
    *ids = (struct ps_token_ids){0};
}

/* ---- marked text ---- */

void ps_marked_text_init(struct ps_marked_text *marked) {
    *marked = (struct ps_marked_text){0};
    ps_buffer_init(&marked->text, MAX_TEXT_SIZE);
}

void ps_marked_text_release(struct ps_marked_text *marked) {
    ps_buffer_release(&marked->text);
    ps_free(marked->spans);
    ps_marked_text_init(marked);
}

enum ps_status ps_marked_text_append(struct ps_marked_text *marked, const char *text, size_t size,
                                     bool data, struct ps_error *error) {
    if (size == 0) return PS_OK;
    bool same = marked->span_count > 0 && marked->spans[marked->span_count - 1].data == data;
    if (!same && marked->span_count == marked->span_capacity) {
        size_t capacity = marked->span_capacity * 2 + 8;
        struct ps_marked_span *spans = ps_realloc(marked->spans, capacity * sizeof *spans);
        PS_FAIL_IF_NULL(spans, error);
        marked->spans = spans;
        marked->span_capacity = capacity;
    }
    PS_FAIL_IF(size > marked->text.limit - marked->text.size, error, PS_LIMIT,
               "a text of more than %d bytes", MAX_TEXT_SIZE);
    PS_FAIL_IF(!ps_utf8_append_valid(&marked->text, text, size), error, PS_MEMORY, "out of memory");
    if (!same) marked->spans[marked->span_count++].data = data;
    marked->spans[marked->span_count - 1].end = marked->text.size;
    return PS_OK;
}

enum ps_status ps_marked_text_append_all(struct ps_marked_text *text,
                                         const struct ps_marked_text *more,
                                         struct ps_error *error) {
    size_t begin = 0;
    for (size_t i = 0; i < more->span_count; begin = more->spans[i++].end)
        PS_TRY(ps_marked_text_append(text, more->text.data + begin, more->spans[i].end - begin,
                                     more->spans[i].data, error));
    return PS_OK;
}

/* ---- workspaces ---- */

static struct ps_workspace *new_workspace(const struct ps_tokenizer *tokenizer) {
    struct ps_workspace *workspace = ps_calloc(1, sizeof *workspace);
    if (!workspace) return NULL;
    workspace->cache = ps_calloc(CACHE_ENTRIES, sizeof *workspace->cache);
    bool made = workspace->cache;
    for (size_t i = 0; made && i < tokenizer->stage_count; i++) {
        const pcre2_code *regex = tokenizer->stages[i].regex;
        if (!regex) continue;
        workspace->matches[i] = pcre2_match_data_create_from_pattern(regex, NULL);
        made = workspace->matches[i];
    }
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
    return workspace;
}

void ps_workspace_free(struct ps_workspace *workspace) {
    for (size_t i = 0; i < MAX_STAGES; i++) pcre2_match_data_free(workspace->matches[i]);
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

/* ---- added tokens ---- */

struct marked_view {
    const char *text;
    const struct ps_marked_span *spans;
    size_t span_count;
};

/* The first added token that begins in [*from, size). *span: the span that *from may lie in;
 * both move on, so that going through a text takes each byte once. */
static bool next_added(const struct ps_trie *trie, const struct marked_view *view, size_t size,
                       size_t *from, size_t *span, size_t *length, uint32_t *id) {
    if (trie->node_count == 0) return false;
    for (; *span < view->span_count; ++*span) {
        size_t end = view->spans[*span].end < size ? view->spans[*span].end : size;
        if (view->spans[*span].data && *from < end) *from = end;
        for (; *from < end; ++*from) {
            *length = ps_trie_match(trie, view->text + *from, end - *from, id);
            if (*length > 0) return true;
        }
        if (end == size) break;
    }
    return false;
}

/* One encode under way. */
struct encoding {
    const struct ps_tokenizer *tokenizer;
    struct ps_workspace *workspace;
    struct ps_token_ids *ids;
};

static enum ps_status take_piece(void *context, const char *piece, size_t size,
                                 struct ps_error *error) {
    struct encoding *run = context;
    return ps_bpe_encode(run->tokenizer, run->workspace, piece, size, run->ids, error);
}

static enum ps_status encode_pieces(struct encoding *run, const char *text, size_t size,
                                    struct ps_error *error) {
    struct ps_piece_sink sink = {take_piece, run};
    return ps_pre_tokenize(run->tokenizer, run->workspace, text, size, &sink, error);
}

/* Step 3 for [begin, end) of a normalized text, after finding the added tokens of step 2 in it. */
static enum ps_status encode_normalized(struct encoding *run, const struct marked_view *view,
                                        size_t begin, size_t end, size_t span,
                                        struct ps_error *error) {
    const struct ps_trie *trie = &run->tokenizer->normalized_added;
    size_t from = begin, length;
    uint32_t id;
    while (next_added(trie, view, end, &from, &span, &length, &id)) {
        PS_TRY(encode_pieces(run, view->text + begin, from - begin, error));
        PS_TRY(ps_token_ids_append(run->ids, &id, 1, error));
        begin = from += length;
    }
    return encode_pieces(run, view->text + begin, end - begin, error);
}

/* Steps 2 and 3 for [begin, end) of the raw text. */
static enum ps_status encode_raw(struct encoding *run, const struct marked_view *view, size_t begin,
                                 size_t end, size_t span, struct ps_error *error) {
    if (begin == end) return PS_OK;
    struct ps_buffer normalized;
    ps_buffer_init(&normalized, SIZE_MAX);
    bool changed = false;
    enum ps_status status = PS_OK;
    if (run->tokenizer->nfc)
        PS_TRY_DONE(
            ps_normalize_nfc(view->text + begin, end - begin, &normalized, &changed, error));
    if (!changed) {
        PS_TRY_DONE(encode_normalized(run, view, begin, end, span, error));
    } else {
        /* Which bytes came from where is lost: all are data if any are. */
        while (view->spans[span].end <= begin) span++;
        struct ps_marked_span all = {.end = normalized.size};
        for (; span < view->span_count && !all.data; span++) {
            all.data = view->spans[span].data;
            if (view->spans[span].end >= end) break;
        }
        struct marked_view whole = {normalized.data, &all, 1};
        PS_TRY_DONE(encode_normalized(run, &whole, 0, normalized.size, 0, error));
    }
done:
    ps_buffer_release(&normalized);
    return status;
}

static enum ps_status encode_all(struct encoding *run, const struct ps_marked_text *marked,
                                 struct ps_error *error) {
    struct marked_view view = {marked->text.data, marked->spans, marked->span_count};
    size_t begin = 0, from = 0, span = 0, first_span = 0, length, size = marked->text.size;
    uint32_t id;
    while (next_added(&run->tokenizer->raw_added, &view, size, &from, &span, &length, &id)) {
        PS_TRY(encode_raw(run, &view, begin, from, first_span, error));
        PS_TRY(ps_token_ids_append(run->ids, &id, 1, error));
        begin = from += length;
        first_span = span;
    }
    return encode_raw(run, &view, begin, size, first_span, error);
}

/* ---- the public functions ---- */

enum ps_status ps_tokenizer_encode_marked(const struct ps_tokenizer *tokenizer,
                                          const struct ps_marked_text *marked, unsigned flags,
                                          struct ps_token_ids *ids, struct ps_error *error) {
    size_t before = ids->size;
    struct ps_workspace *workspace = ps_workspace_take(tokenizer);
    PS_FAIL_IF_NULL(workspace, error);
    /* Steps a match may take: more than any sane regex needs over a text of this size, and few
     * enough that one with nested repetitions ends soon. */
    size_t steps = 1000000 + 32 * marked->text.size;
    pcre2_set_match_limit(workspace->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    enum ps_status status = PS_OK;
    bool special = flags & PS_ENCODE_SPECIAL;
    if (special)
        PS_TRY_DONE(
            ps_token_ids_append(ids, tokenizer->prefix_ids, tokenizer->prefix_count, error));
    struct encoding run = {tokenizer, workspace, ids};
    PS_TRY_DONE(encode_all(&run, marked, error));
    if (special)
        PS_TRY_DONE(
            ps_token_ids_append(ids, tokenizer->suffix_ids, tokenizer->suffix_count, error));
done:
    if (status != PS_OK) ids->size = before;
    ps_workspace_give_back(tokenizer, workspace);
    return status;
}

enum ps_status ps_tokenizer_encode(const struct ps_tokenizer *tokenizer, const char *text,
                                   size_t size, unsigned flags, struct ps_token_ids *ids,
                                   struct ps_error *error) {
    struct ps_marked_text marked;
    ps_marked_text_init(&marked);
    enum ps_status status =
        ps_marked_text_append(&marked, text, size, flags & PS_ENCODE_ORDINARY, error);
    if (status == PS_OK) status = ps_tokenizer_encode_marked(tokenizer, &marked, flags, ids, error);
    ps_marked_text_release(&marked);
    return status;
}
