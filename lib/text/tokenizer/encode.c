/* From text to ids, in the order of the `tokenizers` library:
 *   1. added tokens that are not `normalized` are found in the raw text, leftmost, then longest;
 *   2. the text between them is normalized, and the `normalized` added tokens are found in it;
 *   3. what is left goes through the pre-tokenizer and BPE, piece by piece;
 *   4. the post-processor's template is put around it all, if asked for.
 * An added token is found only where all its bytes are the template's own. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

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
