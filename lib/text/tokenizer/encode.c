/* From text to ids, in the order of the `tokenizers` library:
 *   1. added tokens that are not `normalized` are found in the raw text, leftmost, then longest;
 *   2. the text between them is normalized, and the `normalized` added tokens are found in it;
 *   3. what is left goes through the pre-tokenizer and BPE, piece by piece;
 *   4. the post-processor's template is put around it all, if asked for.
 * An added token is found only where all its bytes are the template's own. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

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

/* Passes what lies between added tokens on. */
typedef enum ps_status take_gap(struct encoding *run, const struct ps_added_search *gap,
                                bool at_start, struct ps_error *error);

static bool has_data(const struct ps_added_search *gap) {
    size_t span = gap->span;
    while (gap->spans[span].end <= gap->begin) span++;
    for (; span < gap->span_count; span++) {
        if (gap->spans[span].data) return true;
        if (gap->spans[span].end >= gap->size) break;
    }
    return false;
}

/* Step 3 for text[begin .. size) of a gap. */
static enum ps_status encode_pieces(struct encoding *run, const struct ps_added_search *gap,
                                    bool at_start, struct ps_error *error) {
    struct ps_piece_sink sink = {take_piece, run};
    run->workspace->data = has_data(gap);
    return ps_pre_tokenize(run->tokenizer, run->workspace, gap->text + gap->begin,
                           gap->size - gap->begin, at_start, &sink, error);
}

/* Finds the added tokens of `trie` and passes on what lies between them. at_start: the search
 * begins where the whole text begins. */
static enum ps_status encode_gaps(struct encoding *run, const struct ps_trie *trie,
                                  struct ps_added_search search, bool at_start, take_gap *take,
                                  struct ps_error *error) {
    struct ps_added_search gap = search;
    search.from = search.done = search.begin;
    for (;;) {
        uint32_t id;
        bool found;
        PS_TRY(
            ps_added_token_next(run->tokenizer, run->workspace, trie, &search, &id, &found, error));
        gap.begin = search.done;
        gap.size = found ? search.start : search.size;
        bool first = at_start && gap.begin == search.begin;
        if (gap.begin < gap.size) PS_TRY(take(run, &gap, first, error));
        if (!found) return PS_OK;
        PS_TRY(ps_token_ids_append(run->ids, &id, 1, error));
        search.done = search.end;
        gap.span = search.span;
    }
}

/* Steps 2 and 3 for a gap of the raw text. */
static enum ps_status encode_raw(struct encoding *run, const struct ps_added_search *gap,
                                 bool at_start, struct ps_error *error) {
    const struct ps_trie *trie = &run->tokenizer->normalized_added;
    struct ps_added_search next = *gap;
    struct ps_marked_span all = {0};
    const char *normalized;
    size_t size;
    PS_TRY(ps_normalize(run->tokenizer, run->workspace, gap->text + gap->begin,
                        gap->size - gap->begin, &normalized, &size, &at_start, error));
    if (normalized != gap->text + gap->begin) {
        /* Which bytes came from where is lost: all are data if any are. */
        all.data = has_data(gap);
        all.end = size;
        next = (struct ps_added_search){
            .text = normalized, .size = size, .spans = &all, .span_count = 1};
    }
    return encode_gaps(run, trie, next, at_start, encode_pieces, error);
}

static enum ps_status encode_all(struct encoding *run, const struct ps_marked_text *marked,
                                 struct ps_error *error) {
    struct ps_added_search search = {.text = marked->text.data,
                                     .size = marked->text.size,
                                     .spans = marked->spans,
                                     .span_count = marked->span_count};
    return encode_gaps(run, &run->tokenizer->raw_added, search, true, encode_raw, error);
}

/* ---- the public functions ---- */

enum ps_status ps_tokenizer_encode_marked(const struct ps_tokenizer *tokenizer,
                                          const struct ps_marked_text *marked, unsigned flags,
                                          struct ps_token_ids *ids, struct ps_error *error) {
    size_t before = ids->size;
    struct ps_workspace *workspace = ps_workspace_take(tokenizer);
    PS_FAIL_IF_NULL(workspace, error);
    ps_workspace_limit(workspace, marked->text.size);
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
