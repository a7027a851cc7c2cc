/* Chat templates: where they are found, what they are told, where they end. */
#include "text/text_internal.h"
#include "text_fixture.h"

/* ---- finding them ---- */

static void remove_file(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", text_folder(), name);
    assert_ok(ps_path_remove(path, &error));
}

static void found(const char *path, const char *expected) {
    struct ps_buffer source;
    bool is_found;
    ps_buffer_init(&source, 1000);
    assert_ok(ps_chat_template_load(path, &source, &is_found, &error));
    assert_int_equal(is_found, expected != NULL);
    if (expected) assert_string_equal(source.data, expected);
    ps_buffer_release(&source);
}

static void folders_are_searched_as_transformers_does(void **state) {
    (void)state;
    struct ps_buffer source;
    bool is_found;
    found(text_folder(), NULL);
    text_write("tokenizer_config.json", "{\"chat_template\":null}");
    found(text_folder(), NULL);
    text_write("tokenizer_config.json", "{\"chat_template\":\"config\"}");
    found(text_folder(), "config");
    text_write("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":"
                                        "\"tools\"},{\"name\":\"default\",\"template\":\"one\"}]}");
    found(text_folder(), "one");
    text_write("chat_template.json", "{\"chat_template\":\"processor\"}");
    found(text_folder(), "processor");
    found(text_write("chat_template.jinja", "file\n"), "file\n");
    found(text_folder(), "file\n");
    remove_file("chat_template.jinja");
    remove_file("chat_template.json");
    ps_buffer_init(&source, 1000);
    const char *path = text_write("tokenizer_config.json",
                                  "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"\"}]}");
    assert_fails(ps_chat_template_load(path, &source, &is_found, &error), PS_FORMAT,
                 "tokenizer_config.json: none of the list 'chat_template' is named default");
    path = text_write("tokenizer_config.json", "{\"chat_template\":1}");
    assert_fails(ps_chat_template_load(path, &source, &is_found, &error), PS_FORMAT, "neither");
    assert_fails(ps_chat_template_load("/no/such.jinja", &source, &is_found, &error), PS_NOT_FOUND,
                 "/no/such.jinja");
    ps_buffer_release(&source);
    remove_file("tokenizer_config.json");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_searched_as_transformers_does),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ps_path_remove(text_folder(), NULL);
    return failed;
}
