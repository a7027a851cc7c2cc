/* Ids and pre-tokens against those of other implementations, on real vocabularies; the trainer;
 * and that no text takes more than linear time. */
#include "text_fixture.h"

#include "base/json.h"
#include "text/tokenizer/tokenizer_internal.h"

#include <time.h>

static json_t *read_golden(const char *name) {
    const char *path = unit_shared(name);
    json_t *value;
    if (!path) skip();
    assert_ok(ps_json_read_file(path, 1 << 24, &value, &error));
    return value;
}

static struct ps_tokenizer *open_shared(const char *name) {
    char file[128];
    snprintf(file, sizeof file, "tokenizers/%s", name);
    const char *path = unit_shared(file);
    if (!path) skip();
    struct ps_tokenizer *tokenizer;
    assert_ok(ps_tokenizer_open(path, &tokenizer, &error));
    return tokenizer;
}

/* The ids of a text, which may have NULs, and what they decode to. */
static struct ps_token_ids there_and_back(const struct ps_tokenizer *tokenizer, const char *text,
                                          size_t size, struct ps_buffer *back) {
    struct ps_token_ids ids = {0};
    assert_ok(ps_tokenizer_encode(tokenizer, text, size, 0, &ids, &error));
    ps_buffer_init(back, 1 << 20);
    assert_true(ps_buffer_reserve(back, 1));
    assert_ok(ps_tokenizer_decode(tokenizer, ids.data, ids.size, false, back, &error));
    return ids;
}

static void compare_ids(const struct ps_tokenizer *tokenizer, const json_t *vectors) {
    size_t i, j;
    json_t *vector, *id;
    json_array_foreach(vectors, i, vector) {
        const json_t *text = json_object_get(vector, "text");
        const json_t *want = json_object_get(vector, "ids");
        size_t size = json_string_length(text);
        struct ps_buffer back, again;
        struct ps_token_ids ids = there_and_back(tokenizer, json_string_value(text), size, &back);
        if (ids.size != json_array_size(want))
            fail_msg("'%s': %zu ids, not %zu", json_string_value(text), ids.size,
                     json_array_size(want));
        json_array_foreach(want, j, id) {
            assert_int_equal(ids.data[j], json_integer_value(id));
        }
        /* NFC may have changed the text; what comes back then comes back again. */
        struct ps_token_ids twice = there_and_back(tokenizer, back.data, back.size, &again);
        assert_int_equal(again.size, back.size);
        assert_memory_equal(again.data, back.data, back.size);
        if (tokenizer->normalizer_count == 0) {
            assert_int_equal(back.size, size);
            assert_memory_equal(back.data, json_string_value(text), size);
        }
        ps_token_ids_release(&twice);
        ps_token_ids_release(&ids);
        ps_buffer_release(&back);
        ps_buffer_release(&again);
    }
}

static void ids_match(void **state) {
    (void)state;
    /* Files, and folders of vocab.json and merges.txt, by both their names. */
    static const char *const names[] = {"qwen2.5", "qwen2.5", "llama-3", "gpt2", "gpt2", "mistral"};
    static const char *const places[] = {
        "qwen2.5", "qwen2.5/tokenizer.reconstructed.json", "llama-3/tokenizer.reconstructed.json",
        "gpt2",    "gpt2/tokenizer.reconstructed.json",    "mistral-7b-v0.x/tokenizer.json"};
    static const char *const files[] = {"golden/tokens_hf_via_llamacpp.json",
                                        "golden/tokens_reference.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct ps_tokenizer *tokenizer = open_shared(places[i]);
        for (size_t j = 0; j < 2; j++) {
            json_t *golden = read_golden(files[j]);
            bool has = json_object_get(golden, names[i]) || j > 0; /* the first lacks Mistral */
            assert_true(!has || json_array_size(json_object_get(golden, names[i])) > 40);
            compare_ids(tokenizer, json_object_get(golden, names[i]));
            json_decref(golden);
        }
        ps_tokenizer_close(tokenizer);
    }
}

/* ---- pre-tokens ---- */

struct expected_pieces {
    const json_t *pieces;
    size_t seen;
};

static enum ps_status compare_piece(void *context, const char *piece, size_t size,
                                    struct ps_error *problem) {
    (void)problem;
    struct expected_pieces *expected = context;
    const json_t *want = json_array_get(expected->pieces, expected->seen++);
    assert_non_null(want);
    assert_int_equal(size, json_string_length(want));
    assert_memory_equal(piece, json_string_value(want), size);
    return PS_OK;
}

/* A Sequence of Splits by these regexes, then ByteLevel. */
static void load_splits(struct ps_tokenizer *tokenizer, const json_t *regexes) {
    json_t *steps = json_array(), *regex;
    size_t i;
    json_array_foreach(regexes, i, regex) {
        json_array_append_new(steps, json_pack("{s:s,s:s,s:{s:O}}", "type", "Split", "behavior",
                                               "Isolated", "pattern", "Regex", regex));
    }
    json_array_append_new(steps, json_pack("{s:s,s:b}", "type", "ByteLevel", "use_regex", 0));
    json_t *sequence = json_pack("{s:s,s:o}", "type", "Sequence", "pretokenizers", steps);
    assert_ok(ps_load_pre_tokenizer(tokenizer, sequence, &error));
    json_decref(sequence);
}

static void splits_match(void **state) {
    (void)state;
    json_t *golden = read_golden("golden/pretokenize_splits.json"), *regexes, *pieces;
    const json_t *texts = json_object_get(golden, "_texts");
    const char *name;
    size_t i;
    json_object_foreach(json_object_get(golden, "_regex"), name, regexes) {
        struct ps_tokenizer *tokenizer = ps_calloc(1, sizeof *tokenizer);
        assert_non_null(tokenizer);
        pthread_mutex_init(&tokenizer->lock, NULL);
        load_splits(tokenizer, regexes);
        struct ps_workspace *workspace = ps_workspace_take(tokenizer);
        assert_non_null(workspace);
        json_array_foreach(json_object_get(golden, name), i, pieces) {
            const json_t *text = json_array_get(texts, i);
            struct expected_pieces expected = {.pieces = pieces};
            struct ps_piece_sink sink = {compare_piece, &expected};
            assert_ok(ps_pre_tokenize(tokenizer, workspace, json_string_value(text),
                                      json_string_length(text), true, &sink, &error));
            assert_int_equal(expected.seen, json_array_size(pieces));
        }
        assert_true(i > 100);
        ps_workspace_give_back(tokenizer, workspace);
        ps_tokenizer_close(tokenizer);
    }
    json_decref(golden);
}

/* ---- time ---- */

static double seconds_to_encode(const struct ps_tokenizer *tokenizer, const char *unit,
                                size_t size) {
    char *text = malloc(size + strlen(unit) + 1);
    size_t used = 0;
    for (; used < size; used += strlen(unit)) strcpy(text + used, unit);
    struct timespec begin, end;
    struct ps_token_ids ids = {0};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_ok(ps_tokenizer_encode(tokenizer, text, used, 0, &ids, &error));
    clock_gettime(CLOCK_MONOTONIC, &end);
    ps_token_ids_release(&ids);
    free(text);
    return (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
}

/* A megabyte takes some 0.3 s; a quadratic step would take minutes. The limit leaves room for
 * sanitizers and a busy machine. */
static void no_text_takes_long(void **state) {
    (void)state;
    static const char *const places[] = {
        "qwen2.5/tokenizer.reconstructed.json", "llama-3/tokenizer.reconstructed.json",
        "gpt2/tokenizer.reconstructed.json", "mistral-7b-v0.x/tokenizer.json"};
    static const char *const units[] = {
        "a",
        " ",
        "\n",
        "\xF0\x9F\x98\x80",
        "\xE4\xB8\xAD",
        "A",
        " \n",
        "1",
        "<",
        "<|im_end|>",
        "\xCC\x95\xCC\x96" /* marks of two combining classes, in the wrong order */,
        "\xFF"};
    for (size_t place = 0; place < sizeof places / sizeof *places; place++) {
        struct ps_tokenizer *tokenizer = open_shared(places[place]);
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            double seconds = seconds_to_encode(tokenizer, units[i], 1 << 20);
            if (seconds > 5)
                fail_msg("%s: 1 MB of '%s' takes %.1f s", places[place], units[i], seconds);
            if (getenv("POTSTILL_TEST_TIMES"))
                print_message("%.3f s  %s '%s'\n", seconds, places[place], units[i]);
        }
        ps_tokenizer_close(tokenizer);
    }
}

/* ---- training ---- */

static void training_learns_and_repeats(void **state) {
    (void)state;
    const char *lines[] = {"aa bb 2024 12", "aa bb aa", "caf\u00E9 aab <|im_end|> 20"};
    char first[1 << 15];
    struct ps_buffer file;
    ps_buffer_init(&file, sizeof first - 1);
    for (int turn = 0; turn < 2; turn++) {
        file.size = 0;
        assert_ok(ps_tokenizer_train(lines, 3, 300, text_folder(), &error));
        char path[256];
        snprintf(path, sizeof path, "%s/tokenizer.json", text_folder());
        assert_ok(ps_file_read(path, &file, &error));
        if (turn == 0) strcpy(first, file.data);
    }
    assert_string_equal(first, file.data);
    ps_buffer_release(&file);
    struct ps_tokenizer *tokenizer;
    assert_ok(ps_tokenizer_open(text_folder(), &tokenizer, &error));
    /* Most frequent: "aa" (4), then " b"+"b" (2); no merge of what occurs once. */
    assert_int_equal(text_id(tokenizer, "aa"), 256);
    assert_int_equal(ps_tokenizer_find(tokenizer, "caf", 3), PS_TOKEN_NONE);
    assert_true(text_id(tokenizer, " bb") > 256);
    assert_int_equal(text_id(tokenizer, "</think>"), ps_tokenizer_size(tokenizer) - 1);
    struct ps_token_ids ids = text_encode(tokenizer, "2024 20", 0);
    assert_int_equal(ids.size, 7); /* digits never merge */
    ps_token_ids_release(&ids);
    ps_tokenizer_close(tokenizer);
    assert_fails(ps_tokenizer_train(lines, 3, 260, text_folder(), &error), PS_ARGUMENT, "260");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_match),
        cmocka_unit_test(splits_match),
        cmocka_unit_test(no_text_takes_long),
        cmocka_unit_test(training_learns_and_repeats),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ps_path_remove(text_folder(), NULL);
    return failed;
}
