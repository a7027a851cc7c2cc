/* Ids, control tokens, decoding, and what a tokenizer.json may not ask for. */
#include "text_fixture.h"

#include "text/tokenizer/tokenizer_internal.h"

static void merges_come_in_order(void **state) {
    (void)state;
    /* "abc" could become ab+c or a+bc; the merge that comes first in the list wins. */
    const char *path = text_write(
        "order.json",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"use_regex\":false},\"decoder\":{\"type\":"
        "\"ByteLevel\"},\"added_tokens\":[],\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,"
        "\"c\":2,\"bc\":3,\"ab\":4,\"\u0120\":5,\"\u0120a\":7},\"merges\":[[\"b\",\"c\"],\"a b\","
        "[\"\u0120\",\"a\"]]}}");
    struct ps_tokenizer *tokenizer;
    assert_ok(ps_tokenizer_open(path, &tokenizer, &error));
    struct ps_token_ids ids = text_encode(tokenizer, "abc ab", 0);
    const uint32_t want[] = {0, 3, 5, 4}; /* bc before ab, ab before the blank's " a" */
    assert_int_equal(ids.size, 4);
    assert_memory_equal(ids.data, want, sizeof want);
    assert_int_equal(ps_tokenizer_size(tokenizer), 8);
    size_t size;
    assert_null(ps_tokenizer_bytes(tokenizer, 6, &size)); /* a hole */
    assert_null(ps_tokenizer_bytes(tokenizer, 8, &size));
    assert_memory_equal(ps_tokenizer_bytes(tokenizer, 7, &size), " a", 2);
    ps_token_ids_release(&ids);
    ids = text_encode(tokenizer, "xay", 0); /* a byte without a token is dropped */
    assert_int_equal(ids.size, 1);
    ps_token_ids_release(&ids);
    ps_tokenizer_close(tokenizer);
}

static void repeated_letters_merge_from_the_left(void **state) {
    (void)state;
    const char *path = text_write(
        "repeat.json",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"decoder\":{\"type\":\"ByteLevel\"},"
        "\"model\":{\"vocab\":{\"a\":0,\"aa\":1,\"aaaa\":2},\"merges\":[\"a a\",\"aa aa\"]}}");
    struct ps_tokenizer *tokenizer;
    assert_ok(ps_tokenizer_open(path, &tokenizer, &error));
    struct ps_token_ids ids = text_encode(tokenizer, "aaaaaaa", 0);
    const uint32_t want[] = {2, 1, 0};
    assert_int_equal(ids.size, 3);
    assert_memory_equal(ids.data, want, sizeof want);
    ps_token_ids_release(&ids);
    ps_tokenizer_close(tokenizer);
}

static void control_tokens_are_found_unless_ordinary(void **state) {
    (void)state;
    struct ps_tokenizer *tokenizer = text_tiny();
    uint32_t end = text_id(tokenizer, "<|im_end|>"), think = text_id(tokenizer, "<think>");
    const char *text = "the hat<|im_end|><think><|im_end|";
    struct ps_token_ids ids = text_encode(tokenizer, text, 0);
    assert_int_equal(text_count(ids, end), 1);
    assert_int_equal(text_count(ids, think), 1);
    ps_token_ids_release(&ids);
    ids = text_encode(tokenizer, text, PS_ENCODE_ORDINARY);
    assert_int_equal(text_count(ids, end), 0);
    assert_int_equal(text_count(ids, think), 0);
    struct ps_buffer back;
    ps_buffer_init(&back, 1000);
    assert_ok(ps_tokenizer_decode(tokenizer, ids.data, ids.size, true, &back, &error));
    assert_string_equal(back.data, text);
    ps_token_ids_release(&ids);
    assert_true(ps_tokenizer_is_special(tokenizer, end));
    assert_false(ps_tokenizer_is_special(tokenizer, think));
    assert_int_equal(ps_tokenizer_eos(tokenizer), end);
    assert_int_equal(ps_tokenizer_bos(tokenizer), PS_TOKEN_NONE);
    ps_buffer_release(&back);
    ps_tokenizer_close(tokenizer);
}

static void control_tokens_match_only_inside_the_template(void **state) {
    (void)state;
    struct ps_tokenizer *tokenizer = text_tiny();
    uint32_t end = text_id(tokenizer, "<|im_end|>");
    struct ps_marked_text marked;
    struct ps_token_ids ids = {0};
    ps_marked_text_init(&marked);
    /* Whole in data; begun in data and ended by the template; begun by the template and ended by
     * data; in two pieces of the template. Only the last is one. */
    assert_ok(ps_marked_text_append(&marked, "<|im_end|> <|im_", 16, true, &error));
    assert_ok(ps_marked_text_append(&marked, "end|> <|im_e", 12, false, &error));
    assert_ok(ps_marked_text_append(&marked, "nd|> the ", 9, true, &error));
    assert_ok(ps_marked_text_append(&marked, "<|im_", 5, false, &error));
    assert_ok(ps_marked_text_append(&marked, "end|>", 5, false, &error));
    assert_int_equal(marked.span_count, 4);
    assert_ok(ps_tokenizer_encode_marked(tokenizer, &marked, 0, &ids, &error));
    assert_int_equal(text_count(ids, end), 1);
    assert_int_equal(ids.data[ids.size - 1], end);
    ps_token_ids_release(&ids);
    ps_marked_text_release(&marked);

    /* Where data spells no control token, marks change nothing: pieces reach across them. */
    assert_ok(ps_marked_text_append(&marked, "the", 3, false, &error));
    assert_ok(ps_marked_text_append(&marked, " c", 2, true, &error));
    assert_ok(ps_marked_text_append(&marked, "at", 2, false, &error));
    assert_ok(ps_tokenizer_encode_marked(tokenizer, &marked, 0, &ids, &error));
    struct ps_token_ids whole = text_encode(tokenizer, "the cat", 0);
    assert_int_equal(ids.size, whole.size);
    assert_memory_equal(ids.data, whole.data, ids.size * sizeof *ids.data);
    ps_token_ids_release(&ids);
    ps_token_ids_release(&whole);
    ps_marked_text_release(&marked);
    ps_tokenizer_close(tokenizer);
}

static void the_longest_added_token_wins(void **state) {
    (void)state;
    const char *path = text_write(
        "added.json",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"decoder\":{\"type\":\"ByteLevel\"},"
        "\"added_tokens\":[{\"id\":5,\"content\":\"<x\",\"special\":true,\"normalized\":false},"
        "{\"id\":6,\"content\":\"<xyz>\",\"special\":false,\"normalized\":false},"
        "{\"id\":7,\"content\":\"yz\",\"special\":false,\"normalized\":true}],"
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
        "\"<x\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"special_tokens\":"
        "{\"<x\":{\"id\":\"<x\",\"ids\":[5],\"tokens\":[\"<x\"]}}},"
        "\"model\":{\"vocab\":{\"x\":0,\"y\":1,\"z\":2,\"<\":3,\">\":4},\"merges\":[]}}");
    struct ps_tokenizer *tokenizer;
    assert_ok(ps_tokenizer_open(path, &tokenizer, &error));
    struct ps_token_ids ids = text_encode(tokenizer, "<xyz><xyz<yyz", PS_ENCODE_SPECIAL);
    const uint32_t want[] = {5, 6, 5, 7, 3, 1, 7};
    assert_int_equal(ids.size, 7);
    assert_memory_equal(ids.data, want, sizeof want);
    struct ps_buffer text;
    ps_buffer_init(&text, 100);
    assert_ok(ps_tokenizer_decode(tokenizer, ids.data, ids.size, true, &text, &error));
    assert_string_equal(text.data, "<xyz>yz<yyz");
    ps_buffer_release(&text);
    ps_token_ids_release(&ids);
    ps_tokenizer_close(tokenizer);
}

static void invalid_bytes_become_replacement_characters(void **state) {
    (void)state;
    struct ps_tokenizer *tokenizer = text_tiny();
    /* A lone continuation, a cut-off sequence (one), an overlong form (two), a surrogate (three).
     */
    const char *bad = "\x80"
                      "a\xE2\x82"
                      "b\xC0\xAF"
                      "c\xED\xA0\x80";
    const char *good = "\uFFFD"
                       "a\uFFFD"
                       "b\uFFFD\uFFFD"
                       "c\uFFFD\uFFFD\uFFFD";
    struct ps_token_ids a = text_encode(tokenizer, bad, 0), b = text_encode(tokenizer, good, 0);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size * sizeof *a.data);
    ps_token_ids_release(&a);
    ps_token_ids_release(&b);
    ps_tokenizer_close(tokenizer);
}

static void text_is_composed(void **state) {
    (void)state;
    static const struct {
        const char *text, *composed;
    } cases[] = {
        {"plain", "plain"},
        {"e\u0301", "\u00E9"},
        {"a\u0301\u0316", "\u00E1\u0316"}, /* a mark below does not block one above */
        {"a\u0315\u0300\u0323\u0301", "\u1EA1\u0300\u0301\u0315"}, /* put in order */
        {"\u212B\u2126", "\u00C5\u03A9"},
        {"\u1100\u1161\u11A8\uAC00\u11A8", "\uAC01\uAC01"},
        {"\uAC00\u11A7", "\uAC00\u11A7"}, /* U+11A7 is no trailing consonant */
        {"\u0915\u093C", "\u0915\u093C"}, /* excluded from composition */
        {"\u0958", "\u0915\u093C"},
        {"e\u1DFA\u0316\u0301", "e\u1DFA\u0316\u0301"}, /* U+1DFA is a mark since Unicode 14 */
        {"\u0344", "\u0308\u0301"},
    };
    struct ps_tokenizer *tokenizer = text_tiny();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ps_token_ids ids = text_encode(tokenizer, cases[i].text, 0);
        struct ps_buffer text;
        ps_buffer_init(&text, 100);
        assert_ok(ps_tokenizer_decode(tokenizer, ids.data, ids.size, false, &text, &error));
        assert_string_equal(text.data, cases[i].composed);
        ps_buffer_release(&text);
        ps_token_ids_release(&ids);
    }
    ps_tokenizer_close(tokenizer);
}

static void a_stream_holds_back_what_is_incomplete(void **state) {
    (void)state;
    struct ps_tokenizer *tokenizer = text_tiny();
    struct ps_token_ids ids = text_encode(tokenizer, "a\u20AC\U0001F600z", 0);
    assert_int_equal(ids.size, 9); /* no merge knows these bytes */
    struct ps_decode_stream stream = {0};
    struct ps_buffer text;
    ps_buffer_init(&text, 100);
    const size_t sizes[] = {1, 1, 1, 4, 4, 4, 4, 8, 9};
    for (size_t i = 0; i < ids.size; i++) {
        assert_ok(ps_decode_stream_push(&stream, tokenizer, ids.data[i], false, &text, &error));
        assert_int_equal(text.size, sizes[i]);
    }
    assert_string_equal(text.data, "a\u20AC\U0001F600z");
    text.size = 0;
    for (size_t i = 1; i < 3; i++)
        assert_ok(ps_decode_stream_push(&stream, tokenizer, ids.data[i], false, &text, &error));
    assert_int_equal(text.size, 0);
    assert_ok(ps_decode_stream_end(&stream, tokenizer, &text, &error));
    assert_string_equal(text.data, "\uFFFD");
    ps_buffer_release(&text);
    ps_token_ids_release(&ids);
    ps_tokenizer_close(tokenizer);
}

#define HEAD "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"decoder\":{\"type\":\"ByteLevel\"},"
#define BODY "\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}}"
#define SPLIT(pattern)                                                                             \
    "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","            \
    "\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"" pattern "\"}},{\"type\":\"ByteLevel\","  \
    "\"use_regex\":false}]},\"decoder\":{\"type\":\"ByteLevel\"}," BODY

static void bad_files_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *file;
        enum ps_status status;
        const char *says;
    } cases[] = {
        {"", PS_FORMAT, "bad.json:1"},
        {"[]", PS_FORMAT, "model.vocab"},
        {"{}", PS_FORMAT, "model.vocab"},
        {"{\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}}", PS_UNSUPPORTED, "'UnicodeScripts'"},
        {"{\"normalizer\":{\"type\":\"Precompiled\"}}", PS_UNSUPPORTED, "'Precompiled'"},
        {"{\"decoder\":{\"type\":\"CTC\"}}", PS_UNSUPPORTED, "decoder 'CTC'"},
        {"{\"decoder\":{\"type\":\"Strip\",\"content\":\"ab\",\"start\":1,\"stop\":0}}", PS_FORMAT,
         "one character"},
        {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}}", PS_FORMAT,
         "not one character"},
        {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"x\"}}",
         PS_FORMAT, "'x'"},
        {"{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{},\"content\":\"\"}}", PS_FORMAT,
         "Replace has no pattern"},
        {HEAD "\"model\":{}}", PS_FORMAT, "model.vocab"},
        {HEAD "\"model\":{\"type\":\"Unigram\"}}", PS_UNSUPPORTED, "'Unigram'"},
        {HEAD "\"model\":{\"vocab\":{},\"merges\":[]}}", PS_FORMAT, "empty"},
        {HEAD "\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}", PS_FORMAT, "'a'"},
        {HEAD "\"model\":{\"vocab\":{\"a\":4000000000},\"merges\":[]}}", PS_LIMIT, "'a'"},
        {HEAD "\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", PS_FORMAT, "another"},
        {HEAD "\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", PS_FORMAT, "merge 0"},
        {HEAD "\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"aa\"]}}", PS_FORMAT, "merge 0"},
        {HEAD "\"model\":{\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}", PS_FORMAT, "merge 0"},
        {HEAD "\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}}", PS_UNSUPPORTED,
         "dropout"},
        {HEAD "\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"end_of_word_suffix\":\"é\"}}",
         PS_UNSUPPORTED, "end_of_word_suffix"},
        {HEAD "\"added_tokens\":[{\"id\":1,\"content\":\"<s>\"}]," BODY, PS_FORMAT, "<s>"},
        {HEAD "\"post_processor\":{\"type\":\"BertProcessing\"}," BODY, PS_FORMAT, "'cls'"},
        {"{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},"
         "{\"type\":\"Metaspace\",\"replacement\":\"_\"}]}," BODY,
         PS_UNSUPPORTED, "pre-tokenizer Metaspace behind ByteLevel"},
        {SPLIT("[\\\\W]"), PS_UNSUPPORTED, "within a class"},
        {SPLIT("(a"), PS_FORMAT, "regex"},
        {SPLIT("[a&&b]"), PS_UNSUPPORTED, "&&"},
        {SPLIT("\\\\w\\\\b"), PS_UNSUPPORTED, "\\b"},
        {SPLIT("a{1,2}+"), PS_UNSUPPORTED, "count followed by +"},
        {SPLIT("(?m)a."), PS_UNSUPPORTED, "(?m)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ps_tokenizer *tokenizer;
        const char *path = text_write("bad.json", cases[i].file);
        assert_fails(ps_tokenizer_open(path, &tokenizer, &error), cases[i].status, cases[i].says);
        assert_null(tokenizer);
        assert_non_null(strstr(error.message, "bad.json"));
    }
    struct ps_tokenizer *tokenizer;
    assert_fails(ps_tokenizer_open("/nowhere/tokenizer.json", &tokenizer, &error), PS_NOT_FOUND,
                 "/nowhere");
}

/* Where PCRE2 and Oniguruma differ: pieces between the blanks are those of `tokenizers`. */
static void classes_are_those_of_oniguruma(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text;
        size_t size; /* of the first match, from the text's beginning */
    } cases[] = {
        {"\\s+", " \u3000\u2003\u180E", 7},        /* U+180E is no white space */
        {"\\w+", "a\u0301\u00BD\u24B6_\u0BF0", 9}, /* a Tamil ten is no word */
        {"[\\p{Han}]+", "\u4E2D\u3005\u3001", 6},  /* a comma of several scripts */
        {"\\P{Han}+", "a\u3001\u4E2D", 4},         {"\\p{^Han}+", "a\u3001\u4E2D", 4},
        {"\\p{Alphabetic}+", "a\u24B61", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pcre2_code *regex;
        assert_ok(ps_regex_compile(cases[i].pattern, strlen(cases[i].pattern), &regex, &error));
        pcre2_match_data *data = pcre2_match_data_create_from_pattern(regex, NULL);
        const char *text = cases[i].text;
        assert_true(pcre2_match(regex, (PCRE2_SPTR)text, strlen(text), 0, 0, data, NULL) > 0);
        assert_int_equal(pcre2_get_ovector_pointer(data)[0], 0);
        assert_int_equal(pcre2_get_ovector_pointer(data)[1], cases[i].size);
        pcre2_match_data_free(data);
        pcre2_code_free(regex);
    }
    pcre2_code *regex;
    assert_fails(ps_regex_compile("\\p{Letter}", 10, &regex, &error), PS_FORMAT, "sc:Letter");
}

static void a_regex_that_never_ends_is_stopped(void **state) {
    (void)state;
    struct ps_tokenizer *tokenizer;
    assert_ok(ps_tokenizer_open(text_write("slow.json", SPLIT("(a|a|aa)+$")), &tokenizer, &error));
    char text[101];
    memset(text, 'a', 99);
    text[99] = 'b';
    struct ps_token_ids ids = {0};
    assert_fails(ps_tokenizer_encode(tokenizer, text, 100, 0, &ids, &error), PS_LIMIT, "regex");
    assert_int_equal(ids.size, 0);
    ps_tokenizer_close(tokenizer);
}

/* Each attempt of this one is short enough, but there is one for each byte. */
static void a_regex_that_is_slow_everywhere_is_stopped(void **state) {
    (void)state;
    struct ps_tokenizer *tokenizer;
    enum { SIZE = 400000 };
    char *text = malloc(SIZE);
    assert_ok(ps_tokenizer_open(text_write("slow.json", SPLIT("(?=a*b)a")), &tokenizer, &error));
    memset(text, 'a', SIZE);
    struct ps_token_ids ids = {0};
    assert_fails(ps_tokenizer_encode(tokenizer, text, SIZE, 0, &ids, &error), PS_LIMIT, "takes");
    free(text);
    ps_tokenizer_close(tokenizer);
}

/* A match may begin behind any number of bytes that have none, and look back at them: here the
 * first b is cut off, else the first two would merge. */
static void matches_may_lie_far_apart(void **state) {
    (void)state;
    struct ps_tokenizer *tokenizer;
    const char *path = text_write(
        "far.json", "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
                    "\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"(?<=é)b\"}},"
                    "{\"type\":\"ByteLevel\",\"use_regex\":false}]},\"model\":{\"vocab\":{\"b\":0,"
                    "\"bb\":1},\"merges\":[\"b b\"]}}");
    const uint32_t want[] = {0, 1};
    char text[4003];
    assert_ok(ps_tokenizer_open(path, &tokenizer, &error));
    for (size_t i = 0; i < 4000; i += 2) memcpy(text + i, "é", 2);
    memcpy(text + 4000, "bbb", 3);
    for (size_t start = 0; start < 4000; start += 2) {
        struct ps_token_ids ids = {0};
        assert_ok(
            ps_tokenizer_encode(tokenizer, text + start, sizeof text - start, 0, &ids, &error));
        assert_int_equal(ids.size, 2);
        assert_memory_equal(ids.data, want, sizeof want);
        ps_token_ids_release(&ids);
    }
    ps_tokenizer_close(tokenizer);
}

#define TENFOLD "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aaaaaaaaaa\"}"

static void a_text_that_grows_without_end_is_refused(void **state) {
    (void)state;
    struct ps_tokenizer *tokenizer;
    const char *path = text_write(
        "grow.json", "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]},\"normalizer\":{\"type\":"
                     "\"Sequence\",\"normalizers\":[" TENFOLD "," TENFOLD "," TENFOLD "," TENFOLD
                     "," TENFOLD "," TENFOLD "," TENFOLD "," TENFOLD "," TENFOLD "]}}");
    struct ps_token_ids ids = {0};
    assert_ok(ps_tokenizer_open(path, &tokenizer, &error));
    assert_fails(ps_tokenizer_encode(tokenizer, "aaa", 3, 0, &ids, &error), PS_LIMIT,
                 "more than 64 times as long");
    ps_tokenizer_close(tokenizer);
}

/* A special token that is a word of the model: merges make it of a template's text, never of data.
 */
static void data_never_merges_into_a_special_token(void **state) {
    (void)state;
    const char *path = text_write(
        "special.json",
        "{\"model\":{\"vocab\":{\"t\":0,\"h\":1,\"e\":2,\"he\":3},\"merges\":[\"h e\"]},"
        "\"added_tokens\":[{\"id\":3,\"content\":\"he\",\"special\":true,\"single_word\":true}]}");
    struct ps_tokenizer *tokenizer;
    assert_ok(ps_tokenizer_open(path, &tokenizer, &error));
    const char *texts[] = {"the", "he"};
    for (size_t turn = 0; turn < 4; turn++) { /* twice, as pieces are remembered */
        struct ps_token_ids ids = text_encode(tokenizer, texts[turn & 1], 0);
        assert_int_equal(text_count(ids, 3), 1);
        ps_token_ids_release(&ids);
        ids = text_encode(tokenizer, texts[turn & 1], PS_ENCODE_ORDINARY);
        assert_int_equal(text_count(ids, 3), 0);
        ps_token_ids_release(&ids);
    }
    ps_tokenizer_close(tokenizer);
}

/* vocab.json and merges.txt, whose class says how text is cut; and whether BOS is added. */
static void files_without_a_tokenizer_json(void **state) {
    (void)state;
    struct ps_tokenizer *tokenizer;
    char file[256], folder[128];
    snprintf(folder, sizeof folder, "%s/pair", text_folder());
    assert_ok(ps_directory_create(folder, &error));
    text_write("pair/vocab.json", "{\"a\":0,\"b\":1,\"ab\":2,\"Ġ\":3,\"1\":4,\"11\":5,"
                                  "\"<|endoftext|>\":6}");
    assert_fails(ps_tokenizer_open(folder, &tokenizer, &error), PS_UNSUPPORTED, "tokenizer_class");
    text_write("pair/tokenizer_config.json", "{\"tokenizer_class\":\"T5Tokenizer\"}");
    assert_fails(ps_tokenizer_open(folder, &tokenizer, &error), PS_UNSUPPORTED, "'T5Tokenizer'");
    text_write("pair/tokenizer_config.json", "{\"tokenizer_class\":\"Qwen2TokenizerFast\"}");
    assert_fails(ps_tokenizer_open(folder, &tokenizer, &error), PS_NOT_FOUND, "merges.txt");
    text_write("pair/merges.txt", "#version: 0.2\na b\r\n1 1\n");
    assert_ok(ps_tokenizer_open(folder, &tokenizer, &error));
    struct ps_token_ids ids = text_encode(tokenizer, "ab11<|endoftext|>", PS_ENCODE_SPECIAL);
    const uint32_t each[] = {2, 4, 4, 6}; /* Qwen2 cuts between digits */
    assert_int_equal(ids.size, 4);
    assert_memory_equal(ids.data, each, sizeof each);
    ps_token_ids_release(&ids);
    assert_int_equal(ps_tokenizer_eos(tokenizer), 6);
    assert_int_equal(ps_tokenizer_bos(tokenizer), PS_TOKEN_NONE);
    ps_tokenizer_close(tokenizer);
    text_write("pair/tokenizer_config.json",
               "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,\"bos_token\":"
               "{\"content\":\"<s>\"},\"model_max_length\":1000000000000000019884624838656,"
               "\"added_tokens_decoder\":{\"8\":{\"content\":\"</s>\",\"special\":true},"
               "\"7\":{\"content\":\"<s>\",\"special\":true}}}");
    snprintf(file, sizeof file, "%s/vocab.json", folder);
    assert_ok(ps_tokenizer_open(file, &tokenizer, &error));
    ids = text_encode(tokenizer, "ab11</s>", PS_ENCODE_SPECIAL);
    const uint32_t joined[] = {7, 2, 5, 8};
    assert_int_equal(ids.size, 4);
    assert_memory_equal(ids.data, joined, sizeof joined);
    ps_token_ids_release(&ids);
    ps_tokenizer_close(tokenizer);
}

/* Each allocation in turn fails; nothing is lost or used after it. */
static void out_of_memory_is_an_error(void **state) {
    (void)state;
    ps_tokenizer_close(text_tiny());
    bool opened = false;
    for (size_t n = 1; !opened && n < 100000; n += n < 200 ? 1 : 37) {
        struct ps_tokenizer *tokenizer;
        struct ps_token_ids ids = {0};
        ps_memory_fail_at(n);
        enum ps_status status = ps_tokenizer_open(text_folder(), &tokenizer, &error);
        if (status == PS_OK)
            status = ps_tokenizer_encode(tokenizer, "the e\u0301nd", 9, 0, &ids, &error);
        ps_memory_fail_at(0);
        opened = status == PS_OK;
        if (!opened && status != PS_MEMORY) fail_msg("allocation %zu: %s", n, error.message);
        ps_token_ids_release(&ids);
        ps_tokenizer_close(tokenizer);
    }
    assert_true(opened);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_come_in_order),
        cmocka_unit_test(repeated_letters_merge_from_the_left),
        cmocka_unit_test(control_tokens_are_found_unless_ordinary),
        cmocka_unit_test(control_tokens_match_only_inside_the_template),
        cmocka_unit_test(the_longest_added_token_wins),
        cmocka_unit_test(invalid_bytes_become_replacement_characters),
        cmocka_unit_test(text_is_composed),
        cmocka_unit_test(a_stream_holds_back_what_is_incomplete),
        cmocka_unit_test(bad_files_are_refused_by_name),
        cmocka_unit_test(classes_are_those_of_oniguruma),
        cmocka_unit_test(a_regex_that_never_ends_is_stopped),
        cmocka_unit_test(a_regex_that_is_slow_everywhere_is_stopped),
        cmocka_unit_test(matches_may_lie_far_apart),
        cmocka_unit_test(a_text_that_grows_without_end_is_refused),
        cmocka_unit_test(data_never_merges_into_a_special_token),
        cmocka_unit_test(files_without_a_tokenizer_json),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ps_path_remove(text_folder(), NULL);
    return failed;
}
