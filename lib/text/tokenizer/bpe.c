/* Byte-pair encoding of one pre-token: each byte, or each character, is a symbol; the adjacent pair
 * whose merge came first in training is merged, the leftmost first, until no pair has a merge.
 *
 * A vocabulary of SentencePiece's makes one piece of a whole text. Where no merge reaches across
 * the beginning of a word (a mark behind anything but a mark, as a rule) the text can be cut there
 * without a change of its ids.
 *
 * Most pieces are words, whose ids a cache knows. In other short ones the lowest rank is looked for
 * again for each merge. In long ones pairs wait in a heap ordered by (rank, position); an entry is
 * stale when its symbol has been swallowed or has another right neighbour by now; then the symbol's
 * own rank differs from the entry's. So n bytes take O(n log n), also where a pre-token is a whole
 * book. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

enum { FEW_SYMBOLS = 32 };

static bool grow(void **array, size_t *capacity, size_t needed, size_t item) {
    if (needed <= *capacity) return true;
    size_t larger = needed + needed / 2 + 64;
    void *data = larger > SIZE_MAX / item ? NULL : ps_realloc(*array, larger * item);
    if (!data) return false;
    *array = data;
    *capacity = larger;
    return true;
}

static void heap_push(struct ps_workspace *workspace, uint64_t entry) {
    uint64_t *heap = workspace->heap;
    size_t i = workspace->heap_size++;
    for (; i > 0 && heap[(i - 1) / 2] > entry; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = entry;
}

static uint64_t heap_pop(struct ps_workspace *workspace) {
    uint64_t *heap = workspace->heap, top = heap[0], last = heap[--workspace->heap_size];
    size_t size = workspace->heap_size, i = 0;
    for (size_t child; (child = 2 * i + 1) < size; i = child) {
        if (child + 1 < size && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= last) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

/* Looks up the merge of a symbol with the one on its right. */
static void find_merge(const struct ps_tokenizer *tokenizer, const struct ps_workspace *workspace,
                       struct ps_symbol *symbol, const struct ps_symbol *right) {
    uint64_t pair = (uint64_t)symbol->id << 32 | right->id;
    uint64_t merge = ps_table_get(&tokenizer->merges, pair); /* PS_TABLE_NONE: all ones */
    if (tokenizer->special_merges && workspace->data && merge != PS_TABLE_NONE &&
        tokenizer->tokens[(uint32_t)merge].special)
        merge = PS_TABLE_NONE;
    symbol->rank = (uint32_t)(merge >> 32);
    symbol->merged = (uint32_t)merge;
}

/* Looks up the merge of symbol i with its right neighbour and queues it. */
static void queue_pair(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                       int32_t i) {
    struct ps_symbol *symbol = &workspace->symbols[i];
    symbol->rank = UINT32_MAX;
    if (symbol->next < 0) return;
    find_merge(tokenizer, workspace, symbol, &workspace->symbols[symbol->next]);
    if (symbol->rank != UINT32_MAX)
        heap_push(workspace, (uint64_t)symbol->rank << 32 | (uint32_t)i);
}

static void add_symbol(struct ps_workspace *workspace, int32_t *count, int64_t id) {
    workspace->symbols[*count] =
        (struct ps_symbol){*count - 1, *count + 1, (uint32_t)id, UINT32_MAX, 0};
    ++*count;
}

/* The plain case, every byte a symbol that the vocabulary has. false: it is not so plain. */
static bool begin_bytes(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                        const char *piece, size_t size, int32_t *count) {
    if (!tokenizer->byte_level || tokenizer->prefix || tokenizer->suffix) return false;
    for (size_t i = 0; i < size; i++) {
        int64_t id = tokenizer->byte_ids[(unsigned char)piece[i]];
        if (id == PS_TOKEN_NONE) {
            *count = 0;
            return false;
        }
        add_symbol(workspace, count, id);
    }
    return true;
}

/* The id of a symbol with the prefix of those within a piece and the suffix of the last. */
static int64_t affixed_id(const struct ps_tokenizer *tokenizer, const char *symbol, size_t size,
                          bool first, bool last) {
    if (size == 1 && !tokenizer->prefix && !tokenizer->suffix)
        return tokenizer->byte_ids[(unsigned char)*symbol];
    char name[2 * MAX_AFFIX_SIZE + 4];
    size_t used = 0;
    if (tokenizer->prefix && !first) {
        memcpy(name, tokenizer->prefix, tokenizer->prefix_size);
        used = tokenizer->prefix_size;
    }
    memcpy(name + used, symbol, size);
    used += size;
    if (tokenizer->suffix && last) {
        memcpy(name + used, tokenizer->suffix, tokenizer->suffix_size);
        used += tokenizer->suffix_size;
    }
    return ps_tokenizer_word(tokenizer, name, used);
}

/* Symbols for the bytes of one that the vocabulary lacks; false: it lacks one of them too. */
static bool add_fallback(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                         int32_t *count, const char *symbol, size_t size) {
    char name[4];
    if (tokenizer->byte_level) {
        size = ps_byte_level_put((unsigned char)*symbol, name);
        symbol = name;
    }
    for (size_t i = 0; i < size; i++)
        if (tokenizer->fallback[(unsigned char)symbol[i]] == PS_TOKEN_NONE) return false;
    for (size_t i = 0; i < size; i++)
        add_symbol(workspace, count, tokenizer->fallback[(unsigned char)symbol[i]]);
    return true;
}

/* The general case. An unknown symbol waits for one that is known, so that fuse_unk can join those
 * that follow one another; bytes that stand for a symbol go past it, as in the library. With no
 * unk_token it is dropped. */
static void begin_symbols(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                          const char *piece, size_t size, int32_t *count) {
    bool unknown_waits = false, affixes = tokenizer->prefix || tokenizer->suffix;
    for (size_t i = 0, length; i < size; i += length) {
        int32_t code_point;
        length = tokenizer->byte_level ? 1 : ps_utf8_next(piece + i, size - i, &code_point, NULL);
        bool last = i + length == size;
        int64_t id = affixed_id(tokenizer, piece + i, length, i == 0, last);
        if (id != PS_TOKEN_NONE) {
            if (unknown_waits) add_symbol(workspace, count, tokenizer->unknown);
            unknown_waits = false;
            add_symbol(workspace, count, id);
            continue;
        }
        if (tokenizer->byte_fallback && !affixes &&
            add_fallback(tokenizer, workspace, count, piece + i, length))
            continue;
        if (tokenizer->unknown == PS_TOKEN_NONE) continue;
        if (unknown_waits && !tokenizer->fuse_unknown)
            add_symbol(workspace, count, tokenizer->unknown);
        unknown_waits = true;
    }
    if (unknown_waits) add_symbol(workspace, count, tokenizer->unknown);
}

/* Symbols lie side by side here, without links; returns how many are left. */
static int32_t merge_few(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                         int32_t count) {
    struct ps_symbol *symbols = workspace->symbols;
    for (int32_t i = 0; i + 1 < count; i++)
        find_merge(tokenizer, workspace, &symbols[i], &symbols[i + 1]);
    for (;;) {
        int32_t best = 0;
        for (int32_t i = 1; i + 1 < count; i++)
            if (symbols[i].rank < symbols[best].rank) best = i;
        if (count < 2 || symbols[best].rank == UINT32_MAX) return count;
        symbols[best].id = symbols[best].merged;
        count--;
        memmove(&symbols[best + 1], &symbols[best + 2],
                (size_t)(count - best - 1) * sizeof *symbols);
        if (best + 1 < count) find_merge(tokenizer, workspace, &symbols[best], &symbols[best + 1]);
        if (best > 0) find_merge(tokenizer, workspace, &symbols[best - 1], &symbols[best]);
    }
}

static void merge_many(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                       int32_t count) {
    struct ps_symbol *symbols = workspace->symbols;
    workspace->heap_size = 0;
    for (int32_t i = 0; i < count; i++) queue_pair(tokenizer, workspace, i);
    while (workspace->heap_size > 0) {
        uint64_t entry = heap_pop(workspace);
        int32_t i = (int32_t)(uint32_t)entry;
        struct ps_symbol *symbol = &symbols[i];
        if (symbol->rank != entry >> 32) continue;
        struct ps_symbol *right = &symbols[symbol->next];
        symbol->id = symbol->merged;
        symbol->next = right->next;
        if (symbol->next >= 0) symbols[symbol->next].previous = i;
        right->rank = UINT32_MAX;
        queue_pair(tokenizer, workspace, i);
        if (symbol->previous >= 0) queue_pair(tokenizer, workspace, symbol->previous);
    }
}

static enum ps_status encode_uncached(const struct ps_tokenizer *tokenizer,
                                      struct ps_workspace *workspace, const char *piece,
                                      size_t size, struct ps_token_ids *ids,
                                      struct ps_error *error) {
    if (tokenizer->ignore_merges) {
        int64_t id = ps_tokenizer_word(tokenizer, piece, size);
        if (id != PS_TOKEN_NONE && !(workspace->data && tokenizer->tokens[id].special)) {
            uint32_t word = (uint32_t)id;
            return ps_token_ids_append(ids, &word, 1, error);
        }
    }
    /* Each merge queues at most two pairs, and there are fewer merges than symbols. */
    size_t most = tokenizer->byte_level && tokenizer->byte_fallback ? 2 * size : size;
    PS_FAIL_IF(most > MAX_TEXT_SIZE, error, PS_LIMIT, "a piece of more than %d bytes",
               MAX_TEXT_SIZE);
    bool fits = grow((void **)&workspace->symbols, &workspace->symbol_capacity, most,
                     sizeof *workspace->symbols) &&
                grow((void **)&workspace->heap, &workspace->heap_capacity, 3 * most,
                     sizeof *workspace->heap);
    PS_FAIL_IF(!fits, error, PS_MEMORY, "out of memory");
    int32_t count = 0;
    if (!begin_bytes(tokenizer, workspace, piece, size, &count))
        begin_symbols(tokenizer, workspace, piece, size, &count);
    if (count == 0) return PS_OK;
    if (count <= FEW_SYMBOLS) {
        count = merge_few(tokenizer, workspace, count);
        for (int32_t i = 0; i < count; i++)
            PS_TRY(ps_token_ids_append(ids, &workspace->symbols[i].id, 1, error));
        return PS_OK;
    }
    workspace->symbols[count - 1].next = -1;
    merge_many(tokenizer, workspace, count);
    for (int32_t i = 0; i >= 0; i = workspace->symbols[i].next)
        PS_TRY(ps_token_ids_append(ids, &workspace->symbols[i].id, 1, error));
    return PS_OK;
}

/* ---- the cache ---- */

/* The first 8 bytes, or all that there are, as a number. */
static uint64_t load_word(const char *bytes, size_t size) {
    uint64_t word = 0;
    uint32_t low, high;
    if (size >= 8) {
        memcpy(&word, bytes, 8);
    } else if (size >= 4) { /* two loads that overlap */
        memcpy(&low, bytes, 4);
        memcpy(&high, bytes + size - 4, 4);
        word = low | (uint64_t)high << 8 * (size - 4);
    } else {
        for (size_t i = 0; i < size; i++) word |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
    }
    return word;
}

static struct ps_cache_entry *find_entry(const struct ps_tokenizer *tokenizer,
                                         struct ps_workspace *workspace, const char *piece,
                                         size_t size, uint64_t key[CACHE_WORDS]) {
    uint64_t hash = tokenizer->words.seed ^ size;
    for (size_t i = 0; i < CACHE_WORDS; i++) {
        key[i] = size > 8 * i ? load_word(piece + 8 * i, size - 8 * i) : 0;
        hash = (hash ^ key[i]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    return &workspace->cache[hash >> (64 - CACHE_BITS)];
}

static enum ps_status encode_part(const struct ps_tokenizer *tokenizer,
                                  struct ps_workspace *workspace, const char *piece, size_t size,
                                  struct ps_token_ids *ids, struct ps_error *error) {
    if (size > CACHE_KEY_SIZE)
        return encode_uncached(tokenizer, workspace, piece, size, ids, error);
    uint64_t key[CACHE_WORDS];
    struct ps_cache_entry *entry = find_entry(tokenizer, workspace, piece, size, key);
    unsigned char tag = (unsigned char)(size | (workspace->data ? CACHE_DATA : 0));
    if (entry->tag == tag && memcmp(entry->key, key, sizeof key) == 0)
        return ps_token_ids_append(ids, entry->ids, entry->id_count, error);
    size_t before = ids->size;
    PS_TRY(encode_uncached(tokenizer, workspace, piece, size, ids, error));
    size_t count = ids->size - before;
    if (count == 0 || count > CACHE_IDS) return PS_OK;
    entry->tag = tag;
    entry->id_count = (unsigned char)count;
    memcpy(entry->key, key, sizeof key);
    memcpy(entry->ids, ids->data + before, count * sizeof *entry->ids);
    return PS_OK;
}

/* Up to where a piece can be encoded on its own. */
static size_t part_size(const struct ps_tokenizer *tokenizer, const char *piece, size_t size) {
    const char *at = piece, *end = piece + size;
    while ((at = memchr(at + 1, PS_MARK[0], (size_t)(end - at - 1))))
        if (end - at >= MARK_SIZE && memcmp(at, PS_MARK, MARK_SIZE) == 0 &&
            !tokenizer->joined[(unsigned char)at[-1]])
            return (size_t)(at - piece);
    return size;
}

enum ps_status ps_bpe_encode(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                             const char *piece, size_t size, struct ps_token_ids *ids,
                             struct ps_error *error) {
    while (size > 0) {
        size_t part = tokenizer->cut_at_marks ? part_size(tokenizer, piece, size) : size;
        PS_TRY(encode_part(tokenizer, workspace, piece, part, ids, error));
        piece += part;
        size -= part;
    }
    return PS_OK;
}
