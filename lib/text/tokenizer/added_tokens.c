/* Added tokens: what of the text becomes one token before anything else looks at it. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

/* ---- reading the list ---- */

/* Puts what the token matches into its trie; a token that matches in normalized text is decoded as
 * such, and counts as special then if that, by chance, is the content of a special one. Of two that
 * match the same the first one wins. (In the library either may; it is a matter of hashing.) */
static enum ps_status add_to_trie(struct ps_tokenizer *tokenizer, const char *content, size_t size,
                                  uint32_t id, bool normalized, const json_t *specials,
                                  struct ps_error *error) {
    struct ps_token *token = &tokenizer->tokens[id];
    struct ps_trie *trie = normalized ? &tokenizer->normalized_added : &tokenizer->raw_added;
    struct ps_workspace *workspace = NULL;
    enum ps_status status = PS_OK;
    const char *matched = content;
    size_t matched_size = size;
    if (normalized && tokenizer->normalizer_count > 0) {
        bool at_start = true;
        workspace = ps_workspace_take(tokenizer);
        PS_FAIL_IF_NULL(workspace, error);
        ps_workspace_limit(workspace, size);
        PS_TRY_DONE(ps_normalize(tokenizer, workspace, content, size, &matched, &matched_size,
                                 &at_start, error));
    }
    PS_FAIL_DONE_IF(matched_size == 0, error, PS_UNSUPPORTED,
                    "added token '%.80s', of which the normalizer leaves nothing", content);
    token->skipped = json_object_getn(specials, matched, matched_size);
    if (matched_size != size || memcmp(matched, content, size) != 0) {
        token->shown = ps_arena_strndup(&tokenizer->arena, matched, matched_size);
        PS_FAIL_DONE_IF_NULL(token->shown, error);
        token->shown_size = (uint32_t)matched_size;
    }
    PS_FAIL_DONE_IF(!ps_trie_add(trie, matched, matched_size, id), error, PS_MEMORY,
                    "out of memory");
done:
    if (workspace) ps_workspace_give_back(tokenizer, workspace);
    return status;
}

static bool flag(const json_t *entry, const char *key) {
    return json_is_true(json_object_get(entry, key));
}

static enum ps_status add_token(struct ps_tokenizer *tokenizer, const json_t *entry,
                                const json_t *vocabulary, const json_t *specials,
                                struct ps_error *error) {
    const json_t *content = json_object_get(entry, "content");
    const char *text = json_string_value(content);
    size_t size = json_string_length(content);
    PS_FAIL_IF(size > MAX_ADDED_TOKEN_SIZE, error, PS_LIMIT,
               "added token '%.40s...' is longer than %d bytes", text, MAX_ADDED_TOKEN_SIZE);
    uint32_t id = (uint32_t)json_integer_value(json_object_get(entry, "id"));
    struct ps_token *token = &tokenizer->tokens[id];
    const json_t *same = json_object_get(vocabulary, text);
    bool again = same ? json_integer_value(same) == id
                      : !token->bytes || (token->added && token->size == size &&
                                          memcmp(token->bytes, text, size) == 0);
    PS_FAIL_IF(!again, error, PS_FORMAT, "added token '%.80s' has the id %u of another token", text,
               id);
    if (!token->bytes) {
        token->bytes = ps_arena_strndup(&tokenizer->arena, text, size);
        PS_FAIL_IF_NULL(token->bytes, error);
        token->size = (uint32_t)size;
    }
    const json_t *normalized = json_object_get(entry, "normalized");
    token->added = true;
    token->special |= flag(entry, "special");
    token->left = flag(entry, "lstrip");
    token->right = flag(entry, "rstrip");
    token->single_word = flag(entry, "single_word");
    return add_to_trie(tokenizer, text, size, id,
                       normalized ? json_is_true(normalized) : !token->special, specials, error);
}

enum ps_status ps_load_added_tokens(struct ps_tokenizer *tokenizer, json_t *vocabulary,
                                    json_t *added_tokens, struct ps_error *error) {
    json_t *specials = json_object(), *entry;
    bool single_word = false;
    size_t i;
    enum ps_status status = PS_OK;
    PS_FAIL_DONE_IF_NULL(specials, error);
    json_array_foreach(added_tokens, i, entry) {
        const char *content = ps_json_text(entry, "content");
        PS_FAIL_DONE_IF(!json_is_string(json_object_get(entry, "content")), error, PS_FORMAT,
                        "an added token has no content");
        single_word |= flag(entry, "single_word");
        if (flag(entry, "special"))
            PS_FAIL_DONE_IF(json_object_set_new(specials, content, json_true()) != 0, error,
                            PS_MEMORY, "out of memory");
    }
    if (single_word)
        PS_TRY_DONE(ps_regex_add(tokenizer, ps_word_character, strlen(ps_word_character),
                                 &tokenizer->word_character, error));
    json_array_foreach(added_tokens, i, entry) {
        if (*ps_json_text(entry, "content")) /* the library passes over an empty one too */
            PS_TRY_DONE(add_token(tokenizer, entry, vocabulary, specials, error));
    }
done:
    json_decref(specials);
    return status;
}

/* ---- finding them ---- */

static enum ps_status is_word_character(const struct ps_tokenizer *tokenizer,
                                        struct ps_workspace *workspace, const char *text,
                                        size_t size, bool *is, struct ps_error *error) {
    const struct ps_pattern pattern = {.regex = tokenizer->word_character};
    struct ps_matches matches = PS_MATCHES;
    return ps_pattern_next(tokenizer, workspace, &pattern, text, size, &matches, is, error);
}

/* Whether a single_word token at [start, end) of a text has word characters beside it. */
static enum ps_status has_neighbour(const struct ps_tokenizer *tokenizer,
                                    struct ps_workspace *workspace, const char *text, size_t size,
                                    size_t start, size_t end, bool *has, struct ps_error *error) {
    size_t before = start, length = 0;
    int32_t code_point;
    *has = false;
    if (before > 0) before--;
    while (before > 0 && ((unsigned char)text[before] & 0xC0) == 0x80) before--;
    PS_TRY(is_word_character(tokenizer, workspace, text + before, start - before, has, error));
    if (*has || end == size) return PS_OK;
    length = ps_utf8_next(text + end, size - end, &code_point, NULL);
    return is_word_character(tokenizer, workspace, text + end, length, has, error);
}

/* The first token that begins in [search->from, size), all of whose bytes are the template's. */
static bool next_match(const struct ps_trie *trie, struct ps_added_search *search, uint32_t *id) {
    for (; search->span < search->span_count; ++search->span) {
        const struct ps_marked_span *span = &search->spans[search->span];
        size_t end = span->end < search->size ? span->end : search->size;
        if (span->data && search->from < end) search->from = end;
        for (; search->from < end; ++search->from) {
            if (!trie->starts[(unsigned char)search->text[search->from]]) continue;
            search->end = search->from +
                          ps_trie_match(trie, search->text + search->from, end - search->from, id);
            if (search->end > search->from) return true;
        }
        if (end == search->size) break;
    }
    return false;
}

enum ps_status ps_added_token_next(const struct ps_tokenizer *tokenizer,
                                   struct ps_workspace *workspace, const struct ps_trie *trie,
                                   struct ps_added_search *search, uint32_t *id, bool *found,
                                   struct ps_error *error) {
    *found = false;
    if (trie->node_count == 0) return PS_OK;
    while (next_match(trie, search, id)) {
        const struct ps_token *token = &tokenizer->tokens[*id];
        const char *text = search->text;
        search->start = search->from;
        search->from = search->end;
        if (token->single_word) {
            bool has;
            PS_TRY(has_neighbour(tokenizer, workspace, text + search->begin,
                                 search->size - search->begin, search->start - search->begin,
                                 search->end - search->begin, &has, error));
            if (has) continue;
        }
        if (token->left && search->start < search->done)
            search->start = search->done;
        else if (token->left)
            search->start -= ps_space_at_end(text + search->done, search->start - search->done);
        if (token->right)
            search->end += ps_space_at_start(text + search->end, search->size - search->end);
        if (search->start >= search->end) { /* the one before has swallowed it */
            search->done = search->end;
            continue;
        }
        *found = true;
        return PS_OK;
    }
    return PS_OK;
}
