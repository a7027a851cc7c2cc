/* Little tokenizers (make_tokenizers.py): ids, decoded text, and text decoded as tokens come,
 * against what the `tokenizers` library gives. With an argument, of another such file. */
#include "../unit/unit.h"

#include "base/file.h"
#include "base/json.h"
#include "text/text.h"

#include <stdlib.h>
#include <string.h>

static struct ps_error error;
static const char *golden_path = PS_SOURCE_DIR "/tests/golden/tokenizers.json";
static size_t differences;

static void print_ids(const char *what, const uint32_t *ids, size_t count) {
    fprintf(stderr, "    %s", what);
    for (size_t i = 0; i < count; i++) fprintf(stderr, " %u", ids[i]);
    fprintf(stderr, "\n");
}

static struct ps_token_ids read_ids(const json_t *list) {
    struct ps_token_ids ids = {0};
    size_t i;
    json_t *id;
    json_array_foreach(list, i, id) {
        uint32_t value = (uint32_t)json_integer_value(id);
        assert_ok(ps_token_ids_append(&ids, &value, 1, &error));
    }
    return ids;
}

static void compare_ids(const struct ps_tokenizer *tokenizer, const char *name, const json_t *text,
                        unsigned flags, const json_t *expected) {
    struct ps_token_ids ids = {0}, want = read_ids(expected);
    assert_ok(ps_tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text),
                                  flags, &ids, &error));
    if (ids.size != want.size ||
        (ids.size && memcmp(ids.data, want.data, ids.size * sizeof *ids.data) != 0)) {
        differences++;
        fprintf(stderr, "%s: '%s'\n", name, json_string_value(text));
        print_ids("ids ", ids.data, ids.size);
        print_ids("want", want.data, want.size);
    }
    ps_token_ids_release(&ids);
    ps_token_ids_release(&want);
}

static void compare_text(const struct ps_tokenizer *tokenizer, const char *name,
                         const struct ps_token_ids *ids, bool skip_special, const json_t *want) {
    struct ps_buffer whole, streamed;
    struct ps_decode_stream stream = {0};
    ps_buffer_init(&whole, 1 << 20);
    ps_buffer_init(&streamed, 1 << 20);
    assert_true(ps_buffer_reserve(&whole, 1) && ps_buffer_reserve(&streamed, 1));
    assert_ok(ps_tokenizer_decode(tokenizer, ids->data, ids->size, skip_special, &whole, &error));
    if (whole.size != json_string_length(want) ||
        memcmp(whole.data, json_string_value(want), whole.size) != 0) {
        differences++;
        print_ids(name, ids->data, ids->size);
        fprintf(stderr, "    text '%s'\n    want '%s'\n", whole.data, json_string_value(want));
    }
    for (size_t i = 0; i < ids->size; i++) {
        assert_ok(ps_decode_stream_push(&stream, tokenizer, ids->data[i], skip_special, &streamed,
                                        &error));
        /* What has been given out is valid and stays. */
        assert_true(streamed.size <= whole.size);
        assert_memory_equal(streamed.data, whole.data, streamed.size);
    }
    assert_ok(ps_decode_stream_end(&stream, tokenizer, &streamed, &error));
    assert_int_equal(streamed.size, whole.size);
    assert_memory_equal(streamed.data, whole.data, whole.size);
    ps_buffer_release(&whole);
    ps_buffer_release(&streamed);
}

/* [text, ids, ids with the post-processor's, decoded, decoded without special tokens]; what is null
 * is the same as what stands before it. */
static void compare_case(const struct ps_tokenizer *tokenizer, const char *name,
                         const json_t *texts, const json_t *item) {
    const json_t *text = json_array_get(item, 0), *full = json_array_get(item, 2);
    const json_t *decoded = json_array_get(item, 3), *skipped = json_array_get(item, 4);
    if (json_is_integer(text)) text = json_array_get(texts, (size_t)json_integer_value(text));
    if (json_is_null(full)) full = json_array_get(item, 1);
    if (json_is_null(decoded)) decoded = text;
    if (json_is_null(skipped)) skipped = decoded;
    if (json_is_string(text)) {
        compare_ids(tokenizer, name, text, 0, json_array_get(item, 1));
        compare_ids(tokenizer, name, text, PS_ENCODE_SPECIAL, full);
    }
    struct ps_token_ids ids = read_ids(full);
    compare_text(tokenizer, name, &ids, false, decoded);
    compare_text(tokenizer, name, &ids, true, skipped);
    ps_token_ids_release(&ids);
}

static struct ps_tokenizer *open_entry(const json_t *entry, const json_t *models) {
    json_t *whole = json_object_get(entry, "tokenizer");
    const json_t *model = json_object_get(whole, "model");
    char path[] = "/tmp/potstill-golden-XXXXXX";
    int file = mkstemp(path);
    json_object_set(whole, "model", json_array_get(models, (size_t)json_integer_value(model)));
    assert_true(file >= 0 && json_dumpfd(whole, file, 0) == 0);
    close(file);
    struct ps_tokenizer *tokenizer;
    enum ps_status status = ps_tokenizer_open(path, &tokenizer, &error);
    remove(path);
    if (status == PS_OK) return tokenizer;
    differences++;
    fprintf(stderr, "%s: %s\n", json_string_value(json_object_get(entry, "name")), error.message);
    return NULL;
}

static void the_library_agrees(void **state) {
    (void)state;
    json_t *golden, *entry, *item;
    size_t i, j, compared = 0;
    assert_ok(ps_json_read_file(golden_path, 1 << 28, &golden, &error));
    const json_t *models = json_object_get(golden, "models");
    json_array_foreach(json_object_get(golden, "tokenizers"), i, entry) {
        struct ps_tokenizer *tokenizer = open_entry(entry, models);
        if (!tokenizer) continue;
        json_array_foreach(json_object_get(entry, "cases"), j, item) {
            compare_case(tokenizer, json_string_value(json_object_get(entry, "name")),
                         json_object_get(golden, "texts"), item);
            compared++;
        }
        ps_tokenizer_close(tokenizer);
    }
    json_decref(golden);
    assert_true(compared > 100);
    assert_int_equal(differences, 0);
}

int main(int count, char **arguments) {
    if (count > 1) golden_path = arguments[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
