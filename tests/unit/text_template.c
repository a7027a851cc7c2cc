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

/* ---- opening them ---- */

static struct ps_template *open_template(const char *choice, const char *folder) {
    struct ps_template *template;
    assert_ok(ps_template_open(choice, folder, "2026-11-21", &template, &error));
    return template;
}

static void what_is_not_there_is_named(void **state) {
    (void)state;
    struct ps_template *template;
    assert_fails(ps_template_open(NULL, text_folder(), NULL, &template, &error), PS_NOT_FOUND,
                 "has no chat template; name one as the prompt's template: 'chatml', 'none' for "
                 "plain text, or a file");
    assert_null(template);
    assert_fails(ps_template_open("mine.jinja", NULL, NULL, &template, &error), PS_NOT_FOUND,
                 "there is no template 'mine.jinja'");
    const char *path = text_write("broken.jinja", "{% if %}");
    assert_fails(ps_template_open(path, NULL, NULL, &template, &error), PS_FORMAT,
                 "broken.jinja:1:");
}

static void a_choice_is_known_by_its_content(void **state) {
    (void)state;
    char hex[PS_HASH_HEX_SIZE];
    size_t size;
    struct ps_template *a = open_template(text_write("a.jinja", "one"), NULL);
    struct ps_template *b = open_template(text_write("b.jinja", "one"), NULL);
    struct ps_template *c = open_template(text_write("b.jinja", "two"), NULL);
    struct ps_hash hash = ps_hash_bytes("one", 3);
    assert_string_equal(ps_template_choice(a), ps_hash_hex(&hash, hex));
    assert_string_equal(ps_template_choice(a), ps_template_choice(b));
    assert_string_not_equal(ps_template_choice(a), ps_template_choice(c));
    assert_string_equal(ps_template_source(c, &size), "two");
    assert_int_equal(size, 3);
    ps_template_close(a);
    ps_template_close(b);
    ps_template_close(c);
    struct ps_template *none = open_template("none", NULL);
    assert_string_equal(ps_template_choice(none), "none");
    ps_template_close(none);
    text_write("chat_template.jinja", "one");
    struct ps_template *own = open_template(NULL, text_folder());
    assert_null(ps_template_choice(own));
    assert_memory_equal(ps_template_hash(own), &hash, sizeof hash);
    ps_template_close(own);
    remove_file("chat_template.jinja");
}

/* ---- what they are told ---- */

static void check_text(const struct ps_template *template, enum ps_thinking thinking,
                       const char *text, const char *conversation) {
    const struct ps_field field = {"question", "Q"};
    const struct ps_row row = {&field, 1};
    struct ps_prompt prompt = {.user = "{question}", .thinking = thinking, .template = template};
    struct ps_rendered_prompt rendered;
    assert_ok(ps_prompt_render(&prompt, &row, NULL, 0, &rendered, &error));
    assert_string_equal(rendered.text.text.data, text);
    if (conversation) assert_string_equal(rendered.conversation.data, conversation);
    ps_rendered_prompt_release(&rendered);
}

static void variables_are_those_of_transformers(void **state) {
    (void)state;
    text_write("tokenizer_config.json",
               "{\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"</s>\"},\"pad_token\":null}");
    text_write(
        "chat_template.jinja",
        "{{ bos_token }}{{ eos_token }}{{ pad_token is defined }} {{ add_generation_prompt }} {{ tools }} "
        "{{ enable_thinking is defined }}{{ enable_thinking }}{{ thinking }}");
    struct ps_template *template = open_template(NULL, text_folder());
    check_text(template, PS_THINKING_UNSET, "<s></s>False True None False", NULL);
    check_text(template, PS_THINKING_ON, "<s></s>False True None TrueTrueTrue", NULL);
    check_text(template, PS_THINKING_OFF, "<s></s>False True None TrueFalseFalse", NULL);
    ps_template_close(template);
    remove_file("chat_template.jinja");
    remove_file("tokenizer_config.json");
}

static void a_models_own_tokens_are_variables(void **state) {
    (void)state;
    text_write("tokenizer_config.json",
               "{\"image_token\":{\"content\":\"<img>\"},\"add_bos_token\":true,"
               "\"extra_special_tokens\":{\"audio\":\"<a>\"}}");
    text_write(
        "chat_template.jinja",
        "{{ image_token }}{{ audio }}{{ add_bos_token is defined }}{{ bos_token is defined }}");
    struct ps_template *template = open_template(NULL, text_folder());
    check_text(template, PS_THINKING_UNSET, "<img><a>FalseFalse", NULL);
    ps_template_close(template);
    remove_file("chat_template.jinja");
    remove_file("tokenizer_config.json");
}

/* The day is part of a conversation where the template asks for it, and nowhere else. */
static void the_day_is_the_pipelines(void **state) {
    (void)state;
    struct ps_template *template =
        open_template(text_write("day.jinja", "{{ strftime_now('%d %b %Y') }}"), NULL);
    char conversation[300];
    snprintf(conversation, sizeof conversation,
             "{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}],\"template\":\"%s\","
             "\"date\":\"2026-11-21\"}",
             ps_template_choice(template));
    check_text(template, PS_THINKING_UNSET, "21 Nov 2026", conversation);
    ps_template_close(template);
    template = open_template("none", NULL);
    check_text(template, PS_THINKING_UNSET, "Q",
               "{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}],\"template\":\"none\"}");
    ps_template_close(template);
}

/* ---- where a turn ends ---- */

static void check_end(const struct ps_tokenizer *tokenizer, const char *source, const char *end) {
    struct ps_template *template = open_template(text_write("end.jinja", source), NULL);
    int64_t token;
    assert_ok(ps_template_end_token(template, tokenizer, &token, &error));
    assert_int_equal(token, end ? ps_tokenizer_find(tokenizer, end, strlen(end)) : PS_TOKEN_NONE);
    ps_template_close(template);
}

static void the_end_of_a_turn_is_found(void **state) {
    (void)state;
    struct ps_tokenizer *tokenizer = text_tiny();
    struct ps_template *chatml = open_template("chatml", NULL);
    int64_t token;
    assert_ok(ps_template_end_token(chatml, tokenizer, &token, &error));
    assert_int_equal(token, text_id(tokenizer, "<|im_end|>"));
    ps_template_close(chatml);
#define TURNS "{% for m in messages %}{{ m.content }}"
    check_end(tokenizer, TURNS " <|endoftext|>{% endfor %}", "<|endoftext|>");
    check_end(tokenizer, TURNS "\n{% endfor %}", NULL);
    check_end(tokenizer, TURNS "{% endfor %}", NULL);
    check_end(tokenizer, TURNS " then{% endfor %}", NULL);
    check_end(tokenizer, "{{ raise_exception('one turn only') }}", NULL);
#undef TURNS
    ps_tokenizer_close(tokenizer);
}

static void allocations_fail(void **state) {
    (void)state;
    int failures = 0;
    for (size_t n = 1;; n++) {
        struct ps_template *template;
        ps_memory_fail_at(n);
        enum ps_status status =
            ps_template_open("chatml", text_folder(), "2026-11-21", &template, &error);
        ps_memory_fail_at(0);
        ps_template_close(template);
        if (status == PS_OK) break;
        assert_int_equal(status, PS_MEMORY);
        failures++;
    }
    assert_true(failures > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_searched_as_transformers_does),
        cmocka_unit_test(what_is_not_there_is_named),
        cmocka_unit_test(a_choice_is_known_by_its_content),
        cmocka_unit_test(variables_are_those_of_transformers),
        cmocka_unit_test(a_models_own_tokens_are_variables),
        cmocka_unit_test(the_day_is_the_pipelines),
        cmocka_unit_test(the_end_of_a_turn_is_found),
        cmocka_unit_test(allocations_fail),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ps_path_remove(text_folder(), NULL);
    return failed;
}
