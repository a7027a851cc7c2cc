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
    MAX_STAGES = 16, /* of the normalizer, the pre-tokenizer and the decoder, each */
    MAX_REGEXES = 32,
    MAX_NESTING = 8,
    MAX_AFFIX_SIZE = 64,
    MAX_PATTERN_SIZE = 16 << 10,
    MAX_GROWTH = 64, /* how many times as long a tokenizer may make a text */
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
    bool model;   /* in the model's vocabulary, with a byte-level name if that is byte-level */
    bool added;   /* in added_tokens */
    bool special; /* and special there; as are the next three */
    bool left, right, single_word;
    bool skipped;      /* in decoding without special tokens */
    const char *shown; /* what decoding begins with, if not `bytes`; shown_size */
    uint32_t shown_size;
};

/* A trie over added tokens: edges (node << 8 | byte) -> node; node 0 is the root. */
struct ps_trie {
    struct ps_table edges;
    int64_t *ids; /* of the token that ends at a node, or PS_TOKEN_NONE */
    uint32_t node_count, node_capacity;
    bool starts[256];
};
/* Of two tokens with the same text the first stays. false: out of memory. */
bool ps_trie_add(struct ps_trie *trie, const char *text, size_t size, uint32_t id);
/* The longest token that text begins with: its size, or 0. */
size_t ps_trie_match(const struct ps_trie *trie, const char *text, size_t size, uint32_t *id);
void ps_trie_release(struct ps_trie *trie);

/* What Split and Replace look for: a literal, or one of the tokenizer's regexes. */
struct ps_pattern {
    const char *literal; /* NULL: the regex. An empty literal is never found. */
    size_t size;
    size_t regex; /* index into ps_tokenizer.regexes */
};

/* Going through the matches of a pattern in a text; begin with PS_MATCHES. */
struct ps_matches {
    size_t from, last_end;
    size_t start, end; /* of the match that was found */
};
#define PS_MATCHES ((struct ps_matches){.last_end = SIZE_MAX})

/* A step of the normalizer. */
struct ps_normalizer {
    enum {
        NORMALIZE_UNICODE,
        NORMALIZE_LOWERCASE,
        NORMALIZE_PREPEND,
        NORMALIZE_REPLACE,
        NORMALIZE_STRIP,
        NORMALIZE_BYTE_LEVEL,
    } kind;
    bool compose, compatible; /* UNICODE: NFC and NFKC; NFKC and NFKD */
    bool left, right;         /* STRIP */
    struct ps_pattern pattern;
    const char *content; /* PREPEND, REPLACE */
    size_t content_size;
};

/* A step of the pre-tokenizer. */
struct ps_stage {
    enum {
        STAGE_SPLIT,
        STAGE_METASPACE,  /* blanks become the mark, and one is put before the piece */
        STAGE_BYTE_NAMES, /* bytes become their byte-level names */
        STAGE_BLANK,      /* a blank is put before pieces that have none */
    } kind;
    struct ps_pattern pattern; /* SPLIT */
    enum { ISOLATED, REMOVED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS } behavior;
    bool invert; /* matches and gaps change places */
    enum { PREPEND_FIRST, PREPEND_ALWAYS, PREPEND_NEVER } scheme; /* METASPACE */
    const char *mark;
    size_t mark_size;
};

/* A step of the decoder; decode.c says what each does. */
struct ps_decoder {
    enum {
        DECODE_JOIN,
        DECODE_REPLACE,
        DECODE_STRIP,
        DECODE_METASPACE,
        DECODE_SUFFIX,
        DECODE_BYTE_FALLBACK,
        DECODE_FUSE,
        DECODE_BYTE_LEVEL,
    } kind;
    struct ps_pattern pattern; /* REPLACE, SUFFIX */
    const char *content;       /* REPLACE; STRIP and METASPACE: one character */
    size_t content_size;
    size_t start, stop; /* STRIP: how many at most */
    bool keep_first;    /* METASPACE: the first piece keeps its blanks */
};

struct ps_workspace;

struct ps_tokenizer {
    struct ps_arena arena;
    struct ps_hash hash;
    struct ps_token *tokens;
    uint32_t token_count;
    struct ps_table words;  /* hash of a model token's bytes -> id; see ps_tokenizer_word */
    struct ps_table merges; /* left << 32 | right -> rank << 32 | merged */
    int64_t byte_ids[256];  /* of tokens of one byte, or PS_TOKEN_NONE */
    int64_t fallback[256];  /* of "<0x00>" to "<0xFF>", or PS_TOKEN_NONE */
    int64_t unknown, bos, eos;
    const char *prefix, *suffix; /* of subwords that do not begin, or that end, a piece; or NULL */
    size_t prefix_size, suffix_size;
    /* byte_level: the model merges bytes, whose byte-level names are never written out; else it
     * merges characters. */
    bool byte_level, byte_fallback, fuse_unknown, ignore_merges;
    bool byte_names;     /* a stage writes them out, and pieces are names */
    bool special_merges; /* some merge makes a special token */
    /* A piece may be cut before each mark (see bpe.c), unless joined[the byte before it]: some
     * merge puts a mark behind such a byte. */
    bool cut_at_marks, joined[256];
    struct ps_trie raw_added, normalized_added;
    size_t word_character; /* regex of what single_word minds */
    pcre2_code *regexes[MAX_REGEXES];
    size_t regex_count;
    struct ps_normalizer normalizers[MAX_STAGES];
    struct ps_stage stages[MAX_STAGES];
    struct ps_decoder decoders[MAX_STAGES];
    size_t normalizer_count, stage_count, decoder_count;
    size_t fused;       /* the decoder that joins the pieces, or decoder_count */
    bool fused_streams; /* what follows it can be done as text comes */
    uint32_t prefix_ids[MAX_TEMPLATE_IDS], suffix_ids[MAX_TEMPLATE_IDS];
    size_t prefix_count, suffix_count;

    pthread_mutex_t lock;      /* guards idle */
    struct ps_workspace *idle; /* of encodes that are done; each thread that encodes takes one */
};

/* What SentencePiece writes for a blank, U+2581. */
#define PS_MARK "\xE2\x96\x81"
enum { MARK_SIZE = 3 };

/* The id of a model token with these bytes, or PS_TOKEN_NONE. */
int64_t ps_tokenizer_word(const struct ps_tokenizer *tokenizer, const char *bytes, size_t size);

/* The parts of a tokenizer.json, each by the file that knows it; in this order. `root`: the whole
 * file. */
enum ps_status ps_load_normalizer(struct ps_tokenizer *tokenizer, const json_t *description,
                                  struct ps_error *error);
enum ps_status ps_load_pre_tokenizer(struct ps_tokenizer *tokenizer, const json_t *description,
                                     struct ps_error *error);
enum ps_status ps_load_decoder(struct ps_tokenizer *tokenizer, const json_t *description,
                               struct ps_error *error);
enum ps_status ps_load_model(struct ps_tokenizer *tokenizer, json_t *model, json_t *added_tokens,
                             struct ps_error *error);
enum ps_status ps_load_added_tokens(struct ps_tokenizer *tokenizer, json_t *vocabulary,
                                    json_t *added_tokens, struct ps_error *error);
enum ps_status ps_load_post_processor(struct ps_tokenizer *tokenizer, const json_t *description,
                                      struct ps_error *error);
/* Metaspace's replacement and prepend_scheme, of a pre-tokenizer or a decoder. */
enum ps_status ps_load_metaspace(struct ps_tokenizer *tokenizer, const json_t *description,
                                 struct ps_stage *stage, struct ps_error *error);
extern const char ps_word_character[]; /* a regex: what may not stand beside a single_word token */
/* {"String": "a"} or {"Regex": "a+"}; what: the step's name for messages. */
enum ps_status ps_load_pattern(struct ps_tokenizer *tokenizer, const json_t *description,
                               const char *what, struct ps_pattern *pattern,
                               struct ps_error *error);
/* description[key] as a string of the tokenizer's; what: the step's name. */
enum ps_status ps_load_string(struct ps_tokenizer *tokenizer, const json_t *description,
                              const char *key, const char *what, const char **text, size_t *size,
                              struct ps_error *error);
const char *ps_json_text(const json_t *object, const char *key); /* "" when it is no string */

/* What a vocabulary and a list of merges say, completed by what the class that `config` (an object;
 * defaults are filled in) names stands for, as a tokenizer.json; *root belongs to the caller. Sets
 * the tokenizer's hash. */
enum ps_status ps_read_vocabulary_files(struct ps_tokenizer *tokenizer, const char *vocabulary_path,
                                        const char *merges_path, json_t *config, json_t **root,
                                        struct ps_error *error);

/* byte-level names of bytes (byte_level.c): byte b is written as the character code_points[b]. */
int32_t ps_byte_level_code_point(unsigned char byte);
/* Turns a name back into bytes (at most size of them); false: some character stands for none. */
bool ps_byte_level_decode(const char *name, size_t size, char *bytes, size_t *byte_count);

/* The same as a character, written to out; returns its size. */
size_t ps_byte_level_put(unsigned char byte, char out[4]);

/* A regex in Oniguruma's syntax, as the `tokenizers` library uses it, compiled for PCRE2. */
enum ps_status ps_regex_compile(const char *pattern, size_t size, pcre2_code **regex,
                                struct ps_error *error);
/* Compiles one that belongs to the tokenizer. */
enum ps_status ps_regex_add(struct ps_tokenizer *tokenizer, const char *pattern, size_t size,
                            size_t *index, struct ps_error *error);

/* PCRE2's memory by ps_malloc; its user frees it once what is made with it has been made. NULL: out
 * of memory. */
pcre2_general_context *ps_regex_memory(void);

/* The bytes of white space (Unicode's White_Space) that valid UTF-8 begins or ends with. */
size_t ps_space_at_start(const char *text, size_t size);
size_t ps_space_at_end(const char *text, size_t size);

/* The next match in valid UTF-8: matches->start and end, or *found false. */
enum ps_status ps_pattern_next(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                               const struct ps_pattern *pattern, const char *text, size_t size,
                               struct ps_matches *matches, bool *found, struct ps_error *error);
/* Appends text with every match replaced. */
enum ps_status ps_pattern_replace(const struct ps_tokenizer *tokenizer,
                                  struct ps_workspace *workspace, const struct ps_pattern *pattern,
                                  const char *content, size_t content_size, const char *text,
                                  size_t size, struct ps_buffer *out, struct ps_error *error);

/* The failure of a step that could not append to `out`. */
enum ps_status ps_grown_too_long(const struct ps_buffer *out, struct ps_error *error);

/* A Unicode normalization form of valid UTF-8: composed (NFC, NFKC) or not, of compatible
 * characters (NFKC, NFKD) or not. *changed false: nothing was appended. */
enum ps_status ps_normalize_unicode(const char *text, size_t size, bool compose, bool compatible,
                                    struct ps_buffer *normalized, bool *changed,
                                    struct ps_error *error);

/* Runs the normalizer: *normalized is text itself or in the workspace, where the next call may
 * overwrite it. *at_start is cleared when its first byte comes from behind the text's first. */
enum ps_status ps_normalize(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                            const char *text, size_t size, const char **normalized,
                            size_t *normalized_size, bool *at_start, struct ps_error *error);

/* ---- encoding ---- */

/* The cache of pre-tokens: an entry is a cache line, found by a hash of the piece's bytes. */
enum {
    CACHE_WORDS = 3,
    CACHE_KEY_SIZE = 8 * CACHE_WORDS,
    CACHE_IDS = 9,
    CACHE_BITS = 13,
    CACHE_DATA = 0x80
};

struct ps_cache_entry {
    uint64_t key[CACHE_WORDS]; /* the bytes, zeros behind them */
    uint32_t ids[CACHE_IDS];
    unsigned char tag, id_count; /* the size, with CACHE_DATA if data; 0: empty */
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
    pcre2_match_data *matches[MAX_REGEXES];
    struct ps_buffer normal[2];          /* what the normalizer's last two steps made */
    struct ps_buffer pieces[MAX_STAGES]; /* what a pre-tokenizer step makes of a piece */
    struct ps_buffer bytes;              /* of a piece that was names */
    pcre2_match_context *context;
    pcre2_jit_stack *jit_stack;
    double looked, spent, allowed; /* seconds: when last (0: never), how many, how many at most */
    unsigned calls;                /* of PCRE2 */
    bool data; /* the text has data in it, and the model must make no special token of it */
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

/* Cuts a text into pre-tokens and hands each over, in order. at_start: it begins where the whole
 * text begins. */
struct ps_piece_sink {
    enum ps_status (*take)(void *context, const char *piece, size_t size, struct ps_error *error);
    void *context;
};
enum ps_status ps_pre_tokenize(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                               const char *text, size_t size, bool at_start,
                               const struct ps_piece_sink *sink, struct ps_error *error);

/* Going through the added tokens of text[begin .. size), in order. Looking goes on behind a match,
 * but not behind the white space that rstrip swallows; so `done`, where the last one ended with
 * that, may lie behind the start of the next. */
struct ps_added_search {
    const char *text;
    size_t begin, size;
    const struct ps_marked_span *spans;
    size_t span_count;
    size_t span;       /* the one that `from` may lie in; it and `from` only ever move on */
    size_t from, done; /* at first: begin */
    size_t start, end; /* of what was found */
};
enum ps_status ps_added_token_next(const struct ps_tokenizer *tokenizer,
                                   struct ps_workspace *workspace, const struct ps_trie *trie,
                                   struct ps_added_search *search, uint32_t *id, bool *found,
                                   struct ps_error *error);

struct ps_workspace *ps_workspace_take(const struct ps_tokenizer *tokenizer); /* NULL: no memory */
/* Bounds steps, time and memory by the text's size. */
void ps_workspace_limit(struct ps_workspace *workspace, size_t size);
void ps_workspace_give_back(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace);
