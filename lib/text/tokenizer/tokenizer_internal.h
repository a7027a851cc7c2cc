#pragma once
/* What the files of the tokenizer share. */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>

#include "base/json.h"
#include "text/text_internal.h"

/* Bounds on what a tokenizer.json may ask for. The largest vocabularies have some 300,000 ids. */
enum {
    MAX_TOKENIZER_FILE = 256 << 20,
    MAX_TOKEN_ID = 1 << 21,
    MAX_MERGES = 1 << 23,
    MAX_ADDED_TOKENS = 1 << 16,
    MAX_ADDED_TOKEN_SIZE = 512,
    MAX_STAGES = 16,
    MAX_NESTING = 8,
    MAX_PATTERN_SIZE = 16 << 10,
    MAX_TEMPLATE_IDS = 64,
};

/* ---- hash tables (table.c) ---- */

/* From 64-bit keys to 64-bit values; open addressing, grows. The seed (from the file's hash) keeps
 * a hostile file from choosing keys that collide. */
struct ps_table {
    struct ps_table_slot {
        uint64_t key, value; /* value UINT64_MAX: empty */
    } * slots;
    size_t count, capacity; /* capacity: a power of two or 0 */
    uint64_t seed;
};
#define PS_TABLE_NONE UINT64_MAX
bool ps_table_put(struct ps_table *table, uint64_t key, uint64_t value); /* false: no memory */
uint64_t ps_table_get(const struct ps_table *table, uint64_t key);       /* PS_TABLE_NONE */
void ps_table_release(struct ps_table *table);

uint64_t ps_hash_short(uint64_t seed, const void *data, size_t size);

/* ---- the tokenizer ---- */

struct ps_token {
    const char *bytes; /* NULL: a hole */
    uint32_t size;
    bool model;   /* in the model's vocabulary, with a byte-level name */
    bool added;   /* in added_tokens */
    bool special; /* and special there */
};

/* A trie over added tokens: edges (node << 8 | byte) -> node; node 0 is the root. */
struct ps_trie {
    struct ps_table edges;
    int64_t *ids; /* of the token that ends at a node, or PS_TOKEN_NONE */
    uint32_t node_count, node_capacity;
    bool starts[256];
};
bool ps_trie_add(struct ps_trie *trie, const char *text, size_t size, uint32_t id);
/* The longest token that text begins with: its size, or 0. */
size_t ps_trie_match(const struct ps_trie *trie, const char *text, size_t size, uint32_t *id);
void ps_trie_release(struct ps_trie *trie);

/* A pre-tokenizer step: a regex whose matches, and the gaps between them, become pieces; then
 * perhaps a blank before pieces that have none. */
struct ps_stage {
    pcre2_code *regex; /* NULL: does not split */
    bool prefix_blank;
};

struct ps_workspace;

struct ps_tokenizer {
    struct ps_arena arena;
    struct ps_hash hash;
    struct ps_token *tokens;
    uint32_t token_count;
    struct ps_table words;  /* hash of a model token's bytes -> id; see ps_tokenizer_word */
    struct ps_table merges; /* left << 32 | right -> rank << 32 | merged */
    int64_t byte_ids[256];  /* PS_TOKEN_NONE: that byte has no token */
    int64_t unknown, bos, eos;
    bool fuse_unknown, ignore_merges, nfc;
    struct ps_trie raw_added, normalized_added;
    struct ps_stage stages[MAX_STAGES];
    size_t stage_count;
    uint32_t prefix_ids[MAX_TEMPLATE_IDS], suffix_ids[MAX_TEMPLATE_IDS];
    size_t prefix_count, suffix_count;

    pthread_mutex_t lock;      /* guards idle */
    struct ps_workspace *idle; /* of encodes that are done; each thread that encodes takes one */
};

/* The id of a model token with these bytes, or PS_TOKEN_NONE. */
int64_t ps_tokenizer_word(const struct ps_tokenizer *tokenizer, const char *bytes, size_t size);

/* The parts of a tokenizer.json, each by the file that knows it. */
enum ps_status ps_load_model(struct ps_tokenizer *tokenizer, json_t *model, json_t *added_tokens,
                             struct ps_error *error);
enum ps_status ps_load_pre_tokenizer(struct ps_tokenizer *tokenizer, const json_t *description,
                                     struct ps_error *error);
const char *ps_json_text(const json_t *object, const char *key); /* "" when it is no string */

/* byte-level names of bytes (byte_level.c): byte b is written as the character code_points[b]. */
int32_t ps_byte_level_code_point(unsigned char byte);
/* Turns a name back into bytes (at most size of them); false: some character stands for none. */
bool ps_byte_level_decode(const char *name, size_t size, char *bytes, size_t *byte_count);

/* A regex in Oniguruma's syntax, as the `tokenizers` library uses it, compiled for PCRE2. */
enum ps_status ps_regex_compile(const char *pattern, size_t size, pcre2_code **regex,
                                struct ps_error *error);

/* PCRE2's memory by ps_malloc; its user frees it once what is made with it has been made. NULL: out
 * of memory. */
pcre2_general_context *ps_regex_memory(void);

/* NFC of valid UTF-8. *changed false: text is in NFC already and nothing was appended. */
enum ps_status ps_normalize_nfc(const char *text, size_t size, struct ps_buffer *normalized,
                                bool *changed, struct ps_error *error);

/* ---- encoding ---- */

enum { CACHE_KEY_SIZE = 32, CACHE_IDS = 12, CACHE_ENTRIES = 1 << 13 };

struct ps_cache_entry {
    unsigned char key_size, id_count; /* key_size 0: empty */
    char key[CACHE_KEY_SIZE];
    uint32_t ids[CACHE_IDS];
};

struct ps_symbol {
    int32_t previous, next; /* -1: none */
    uint32_t id;
    uint32_t rank; /* of its merge with the next, or UINT32_MAX */
    uint32_t merged;
};

/* Scratch memory of one encode at a time. */
struct ps_workspace {
    struct ps_workspace *next;
    pcre2_match_data *matches[MAX_STAGES];
    pcre2_match_context *context;
    pcre2_jit_stack *jit_stack;
    struct ps_symbol *symbols;
    size_t symbol_capacity;
    uint64_t *heap; /* rank << 32 | position, a binary min-heap */
    size_t heap_size, heap_capacity;
    struct ps_cache_entry *cache;
};
void ps_workspace_free(struct ps_workspace *workspace);

/* Ids of one pre-token. */
enum ps_status ps_bpe_encode(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                             const char *piece, size_t size, struct ps_token_ids *ids,
                             struct ps_error *error);

/* Cuts a text into pre-tokens and hands each over, in order. */
struct ps_piece_sink {
    enum ps_status (*take)(void *context, const char *piece, size_t size, struct ps_error *error);
    void *context;
};
enum ps_status ps_pre_tokenize(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                               const char *text, size_t size, const struct ps_piece_sink *sink,
                               struct ps_error *error);

struct ps_workspace *ps_workspace_take(const struct ps_tokenizer *tokenizer); /* NULL: no memory */
void ps_workspace_give_back(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace);
