/* Training text across vocabularies against jinja2 and the tokenizers library
 * (tests/golden/make_student_text.py): an R1-style teacher's replies as rows of students with other
 * tokenizers and templates. */
#include "../unit/unit.h"

#include "base/file.h"
#include "base/json.h"
#include "student/examples.h"

#include <string.h>

static struct ps_error error;

struct student {
    struct ps_tokenizer *tokenizer;
    struct ps_template *template;
    int64_t end;
};

/* false: its files are not there. */
static bool open_student(struct student *student, const json_t *entry, const char *date) {
    char name[128], folder[4096], template[4096];
    const char *tokenizer = json_string_value(json_object_get(entry, "tokenizer"));
    const char *end = json_string_value(json_object_get(entry, "end"));
    snprintf(name, sizeof name, "tokenizers/%s", tokenizer);
    const char *path = unit_shared(name);
    if (!path) return false;
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(name, sizeof name, "chat_templates/%s.jinja",
             json_string_value(json_object_get(entry, "template")));
    path = unit_shared(name);
    if (!path) return false;
    snprintf(template, sizeof template, "%s", path);
    snprintf(name, sizeof name, "tokenizers/%s/tokenizer.reconstructed.json", tokenizer);
    assert_ok(ps_template_open(template, folder, date, &student->template, &error));
    assert_ok(ps_tokenizer_open(unit_shared(name), &student->tokenizer, &error));
    assert_ok(ps_template_end_token(student->template, student->tokenizer, &student->end, &error));
    assert_int_equal(student->end,
                     end ? ps_tokenizer_find(student->tokenizer, end, strlen(end)) : PS_TOKEN_NONE);
    if (!end) student->end = ps_tokenizer_find(student->tokenizer, "<|endoftext|>", 13);
    return true;
}

static void close_student(struct student *student) {
    ps_tokenizer_close(student->tokenizer);
    ps_template_close(student->template);
    *student = (struct student){0};
}

static bool is_same_student(const json_t *a, const json_t *b) {
    return json_equal(json_object_get(a, "tokenizer"), json_object_get(b, "tokenizer")) &&
           json_equal(json_object_get(a, "template"), json_object_get(b, "template"));
}

/* A store with the case's reply alone. */
static struct ps_store *make_store(const char *folder, const json_t *entry) {
    struct ps_buffer prompt;
    struct ps_store *store;
    char path[128];
    json_t *conversation = json_object();
    const json_t *reasoning = json_object_get(entry, "reasoning");
    const json_t *content = json_object_get(entry, "content");
    bool stop = strcmp(json_string_value(json_object_get(entry, "finish")), "stop") == 0;
    struct ps_store_trace trace = {.reasoning = json_string_value(reasoning),
                                   .reasoning_size = json_string_length(reasoning),
                                   .content = json_string_value(content),
                                   .content_size = json_string_length(content),
                                   .finish = stop ? PS_STORE_STOP : PS_STORE_LENGTH};
    ps_buffer_init(&prompt, 1 << 20);
    json_object_set(conversation, "messages", json_object_get(entry, "messages"));
    assert_ok(ps_json_dump(conversation, &prompt, &error));
    json_decref(conversation);
    snprintf(path, sizeof path, "%s/t.db", folder);
    assert_ok(ps_store_open(&store, path, PS_STORE_CREATE, &error));
    assert_ok(
        ps_store_put_source(store, "r1", "{\"served\":\"r1\"}", &trace.key.source, NULL, &error));
    assert_ok(ps_store_put_sampler(store, "{}", &trace.key.sampler, NULL, &error));
    assert_ok(ps_store_put_provenance(store, "{}", &trace.provenance, &error));
    assert_ok(ps_store_put_prompt(store, prompt.data, &trace.key.prompt, NULL, &error));
    assert_ok(ps_store_put_trace(store, &trace, NULL, NULL, &error));
    assert_ok(ps_store_flush(store, &error));
    ps_buffer_release(&prompt);
    return store;
}

static void compare(const struct student *student, const json_t *entry) {
    char folder[64];
    struct ps_examples examples;
    struct ps_example_options options = {
        .template = student->template, .row_tokens = 1000, .end_token = (int32_t)student->end};
    const json_t *ids = json_object_get(entry, "ids");
    const char *name = json_string_value(json_object_get(entry, "name"));
    unit_folder(folder);
    struct ps_store *store = make_store(folder, entry);
    ps_examples_init(&examples);
    assert_ok(ps_examples_add(&examples, store, NULL, student->tokenizer, &options, &error));
    assert_int_equal(examples.count, 1);
    const struct ps_example *example = &examples.items[0];
    for (int32_t i = 0; i < example->size && i < (int32_t)json_array_size(ids); i++)
        if (example->ids[i] != json_integer_value(json_array_get(ids, (size_t)i)))
            fail_msg("%s: id %d is %d, not %lld", name, i, example->ids[i],
                     json_integer_value(json_array_get(ids, (size_t)i)));
    if (example->size != (int32_t)json_array_size(ids))
        fail_msg("%s: %d ids, not %zu", name, example->size, json_array_size(ids));
    assert_int_equal(example->first_target,
                     json_integer_value(json_object_get(entry, "first_target")));
    ps_examples_release(&examples);
    ps_store_close(store);
    assert_ok(ps_path_remove(folder, &error));
}

static void replies_become_the_rows_of_other_students(void **state) {
    (void)state;
    json_t *golden, *entry, *last = NULL;
    struct student student = {0};
    size_t i, compared = 0;
    assert_ok(ps_json_read_file(PS_SOURCE_DIR "/tests/golden/student_text.json", 1 << 24, &golden,
                                &error));
    const char *date = json_string_value(json_object_get(golden, "date"));
    json_array_foreach(json_object_get(golden, "cases"), i, entry) {
        if (!is_same_student(entry, last)) {
            close_student(&student);
            if (!open_student(&student, entry, date)) break;
        }
        compare(&student, entry);
        last = entry;
        compared++;
    }
    close_student(&student);
    json_decref(golden);
    if (compared == 0) skip();
    assert_int_equal(compared, 36);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_become_the_rows_of_other_students),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
