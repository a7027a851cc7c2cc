/* Lines of replies: what each form says, and why others are refused. */
#include "unit.h"

#include "base/file.h"
#include "datasets/datasets_internal.h"

#include <string.h>

static struct ps_error error;

struct input {
    const char *text;
};

static enum ps_status read_input(void *context, char *out, size_t room, size_t *got,
                                 struct ps_error *read_error) {
    struct input *input = context;
    (void)read_error;
    *got = strlen(input->text);
    if (*got > room) *got = room;
    memcpy(out, input->text, *got);
    input->text += *got;
    return PS_OK;
}

static const struct ps_reply_format plain;

static struct ps_reply_file *open_text(struct input *input, const struct ps_reply_format *format) {
    struct ps_reply_file *file;
    assert_ok(ps_reply_file_open_function(&file, "f", read_input, input, format, &error));
    return file;
}

#define USER  "{\"role\":\"user\",\"content\":\"Q\"}"
#define ASKED "{\"messages\":[" USER "]}"

/* reasoning NULL: the reply has none. */
struct accepted {
    const char *line, *prompt, *reasoning, *content;
    bool cut;
};

static const struct accepted accepted[] = {
    {"{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"A\"}]}", ASKED, NULL, "A",
     false},
    {"{\"messages\":[{\"role\":\"system\",\"content\":\"S\"}," USER
     ",{\"content\":\"<think>\\nR\\n</think>\\n\\nA\",\"role\":\"assistant\",\"tool_calls\":null}]}",
     "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"}," USER "]}", "\nR\n", "\n\nA", false},
    {"{\"messages\":[" USER
     ",{\"role\":\"assistant\",\"reasoning_content\":\"R\",\"content\":\"A\"}]}",
     ASKED, "R", "A", false},
    {"{\"messages\":[" USER ",{\"role\":\"assistant\",\"reasoning_content\":\"\","
     "\"content\":\"<think>R</think>A\"}]}",
     ASKED, "R", "A", false},
    {"{\"messages\":[" USER ",{\"role\":\"assistant\",\"thinking\":\"R\",\"content\":null}]}",
     ASKED, "R", "", false},
    {"{\"messages\":[{\"role\":\"user\",\"name\":null,\"content\":[{\"type\":\"text\",\"text\":"
     "\"Q\"}]},{\"role\":\"assistant\",\"content\":\"A\"}]}",
     ASKED, NULL, "A", false},
    {"{\"conversations\":[{\"from\":\"human\",\"value\":\"Q\"},{\"from\":\"gpt\",\"value\":"
     "\"<think>a</think>b</think>A\"}]}",
     ASKED, "a</think>b", "A", false},
    {"{\"system\":\"S\",\"conversations\":[{\"from\":\"user\",\"value\":\"Q\"},"
     "{\"from\":\"assistant\",\"value\":\"A\"}]}",
     "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"}," USER "]}", NULL, "A", false},
    {"{\"prompt\":\"Q\",\"completion\":\"R</think>A\"}", ASKED, "R", "A", false},
    {"{\"prompt\":\"Q\",\"completion\":\" <think>R\"}", ASKED, "R", "", true},
    {"{\"prompt\":\"Q\",\"completion\":\"A\",\"reasoning_content\":\"R\"}", ASKED, "R", "A", false},
    {"{\"prompt\":\"Q\",\"completion\":\"A\",\"finish_reason\":\"length\"}", ASKED, NULL, "A",
     true},
    {"{\"prompt\":[" USER "],\"completion\":[{\"role\":\"assistant\",\"content\":\"A\"}]}", ASKED,
     NULL, "A", false},
    {"{\"prompt\":\"Q\",\"completion\":\"a<b\\u0000</thin\"}", ASKED, NULL, "a<b", false},
};

static void reads_every_form(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        const struct accepted *want = &accepted[i];
        struct input input = {want->line};
        struct ps_reply_file *file = open_text(&input, &plain);
        struct ps_reply_line line;
        bool more;
        assert_ok(ps_reply_file_next(file, &line, &more, &error));
        assert_true(more);
        assert_string_equal(line.prompt, want->prompt);
        assert_int_equal(line.reply.has_reasoning, want->reasoning != NULL);
        assert_int_equal(line.cut, want->cut);
        if (want->reasoning) {
            assert_int_equal(line.reply.reasoning_size, strlen(want->reasoning));
            assert_memory_equal(line.reply.reasoning, want->reasoning, strlen(want->reasoning));
        }
        assert_true(line.reply.content_size >= strlen(want->content));
        assert_memory_equal(line.reply.content, want->content, strlen(want->content));
        assert_ok(ps_reply_file_next(file, &line, &more, &error));
        assert_false(more);
        ps_reply_file_close(file);
    }
}

static const char *const refused[][2] = {
    {"{\"messages\":[" USER "]}", "f:1: the last message is not the assistant's"},
    {"{\"messages\":[]}", "f:1: the last message is not the assistant's"},
    {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"A\"}]}",
     "f:1: there is no message before the reply"},
    {"{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"\"}]}", "the reply is empty"},
    {"{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":7}]}", "the reply is no text"},
    {"{\"messages\":[\"Q\",{\"role\":\"assistant\",\"content\":\"A\"}]}", "a message is no object"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]},"
     "{\"role\":\"assistant\",\"content\":\"A\"}]}",
     "a message's 'content' has a part that is no text"},
    {"{\"messages\":[" USER ",{\"role\":\"assistant\",\"reasoning_content\":\"R\","
     "\"content\":\"<think>R</think>A\"}]}",
     "there is reasoning beside the reply and within it"},
    {"{\"conversations\":[{\"from\":\"alien\",\"value\":\"Q\"}]}", "a turn is from 'alien'"},
    {"{\"conversations\":[{\"from\":\"human\",\"value\":\"Q\"}]}",
     "the last turn is not the gpt's"},
    {"{\"prompt\":\"\",\"completion\":\"A\"}", "the prompt is empty"},
    {"{\"question\":\"Q\",\"answer\":\"A\"}", "(the keys there: question, answer)"},
    {"{\"prompt\":\"Q\",\"completion\":\"A\",\"gold\":[2]}", "'gold' is neither text nor a number"},
    {"{\"prompt\":\"Q\",\"completion\":\"A\",\"dataset\":\"a/\"}", "neither NAME nor NAME/SPLIT"},
    {"[]", "f:1: the line is no JSON object"},
    {"{\"prompt\":\"Q\",", "f:1:"},
};

static void refuses_lines_and_goes_on(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s\n\n{\"prompt\":\"Q\",\"completion\":\"A\"}\n",
                 refused[i][0]);
        struct input input = {text};
        struct ps_reply_file *file = open_text(&input, &plain);
        struct ps_reply_line line;
        bool more;
        assert_fails(ps_reply_file_next(file, &line, &more, &error), PS_FORMAT, refused[i][1]);
        assert_ok(ps_reply_file_next(file, &line, &more, &error));
        assert_true(more);
        assert_int_equal(line.line, 3);
        assert_int_equal(line.sample, 0);
        assert_int_equal(ps_reply_file_lines(file), 3);
        ps_reply_file_close(file);
    }
}

static void says_what_else_there_is(void **state) {
    (void)state;
    struct input input = {
        "{\"prompt\":\"Q\",\"completion\":\"A\",\"gold\":2,\"dataset\":\"a/b/dev\",\"id\":7,"
        "\"model\":\"m\"}\n"
        "{\"completion\":\"A\",\"prompt\":\"Q\",\"gold\":\"1/2\",\"dataset\":\"a\",\"id\":\"q-7\"}\n"
        "{\"prompt\":\"P\",\"completion\":\"A\",\"gold\":null}\n"};
    struct ps_reply_file *file = open_text(&input, &plain);
    struct ps_reply_line line;
    bool more;
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_string_equal(line.gold, "2");
    assert_string_equal(line.dataset, "a/b");
    assert_string_equal(line.split, "dev");
    assert_string_equal(line.id, "7");
    assert_string_equal(line.model, "m");
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_string_equal(line.gold, "1/2");
    assert_string_equal(line.dataset, "a");
    assert_null(line.split);
    assert_null(line.model);
    assert_int_equal(line.sample, 1); /* an equal text is a further sample */
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_null(line.gold);
    assert_null(line.dataset);
    assert_int_equal(line.sample, 0);
    ps_reply_file_close(file);
}

static void takes_keys_that_are_declared(void **state) {
    (void)state;
    const struct ps_reply_format own = {.prompt = "question", .completion = "answer"};
    struct input input = {"{\"question\":\"Q\",\"answer\":\"A\",\"messages\":[]}\n"
                          "{\"question\":\"Q\"}\n"};
    struct ps_reply_file *file = open_text(&input, &own);
    struct ps_reply_line line;
    bool more;
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_string_equal(line.prompt, ASKED);
    assert_fails(ps_reply_file_next(file, &line, &more, &error), PS_FORMAT,
                 "f:2: there is no 'answer' (the keys there: question)");
    ps_reply_file_close(file);
}

#define RESULT(id, body) "{\"custom_id\":\"" id "\",\"response\":" body "}\n"
static const char results[] = RESULT(
    "b", "{\"status_code\":200,\"body\":{\"model\":\"m\",\"choices\":["
         "{\"message\":{\"role\":\"assistant\",\"content\":\"A\"},\"finish_reason\":\"stop\"},"
         "{\"message\":{\"content\":null,\"reasoning\":\"R\"},\"finish_reason\":\"length\"},"
         "{\"message\":{\"content\":\"\"},\"finish_reason\":\"content_filter\"}],"
         "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":9}}}")
    RESULT("a", "{\"status_code\":200,\"body\":{\"choices\":[{\"message\":{\"content\":\"A\"}}],"
                "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":9}}}")
        RESULT("a", "{\"status_code\":429,\"body\":{\"error\":{\"message\":\"slow\"}}}") RESULT(
            "c",
            "{\"status_code\":200,\"body\":{\"choices\":[]}}") "{\"custom_id\":\"a\",\"response\":null,\"error\":{\"code\":\"expired\"}}\n";

static void reads_a_batch(void **state) {
    (void)state;
    char folder[] = "/tmp/potstill-replies-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/requests", folder);
    const char requests[] = "{\"custom_id\":\"a\",\"body\":{\"messages\":[" USER "]}}\n"
                            "{\"custom_id\":\"b\",\"body\":{\"messages\":[" USER "," USER "]}}\n";
    assert_ok(ps_file_write_atomic(path, requests, strlen(requests), &error));
    const struct ps_reply_format batch = {.requests = path};
    struct input input = {results};
    struct ps_reply_file *file = open_text(&input, &batch);
    struct ps_reply_line line;
    bool more;
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_string_equal(line.prompt, "{\"messages\":[" USER "," USER "]}");
    assert_string_equal(line.model, "m");
    assert_int_equal(line.output_tokens, 0); /* those of three choices */
    assert_false(line.cut);
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_true(line.cut);
    assert_int_equal(line.sample, 1);
    assert_int_equal(line.line, 1);
    assert_memory_equal(line.reply.reasoning, "R", 1);
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_string_equal(line.failure, "content_filter");
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_string_equal(line.prompt, ASKED);
    assert_int_equal(line.output_tokens, 9);
    assert_int_equal(line.prompt_tokens, 3);
    assert_int_equal(line.sample, 0);
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_string_equal(line.failure, "http 429");
    assert_string_equal(line.detail, "slow");
    assert_int_equal(line.sample, 1);
    assert_fails(ps_reply_file_next(file, &line, &more, &error), PS_FORMAT, "has no request 'c'");
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_string_equal(line.failure, "expired");
    assert_int_equal(line.sample, 2);
    assert_ok(ps_reply_file_next(file, &line, &more, &error));
    assert_false(more);
    ps_reply_file_close(file);

    input.text = results;
    file = open_text(&input, &plain);
    assert_fails(ps_reply_file_next(file, &line, &more, &error), PS_ARGUMENT, "--requests");
    ps_reply_file_close(file);
    const char twice[] = "{\"custom_id\":\"a\",\"body\":{\"messages\":[" USER "]}}\n"
                         "{\"custom_id\":\"a\",\"body\":{\"messages\":[" USER "]}}\n";
    assert_ok(ps_file_write_atomic(path, twice, strlen(twice), &error));
    assert_fails(ps_reply_file_open_function(&file, "f", read_input, &input, &batch, &error),
                 PS_FORMAT, "requests:2: the custom_id 'a' occurs twice");
    assert_ok(ps_path_remove(folder, &error));
}

/* Every allocation in turn fails: an error, and nothing leaks or is told wrong. */
static void survives_no_memory(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        struct input input = {accepted[1].line};
        struct ps_reply_file *file = NULL;
        struct ps_reply_line line;
        bool more;
        ps_memory_fail_at(n);
        enum ps_status status =
            ps_reply_file_open_function(&file, "f", read_input, &input, &plain, &error);
        if (status == PS_OK) status = ps_reply_file_next(file, &line, &more, &error);
        ps_memory_fail_at(0);
        ps_reply_file_close(file);
        if (status == PS_OK) {
            assert_true(n > 10);
            break;
        }
        assert_int_equal(status, PS_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form),        cmocka_unit_test(refuses_lines_and_goes_on),
        cmocka_unit_test(says_what_else_there_is), cmocka_unit_test(takes_keys_that_are_declared),
        cmocka_unit_test(reads_a_batch),           cmocka_unit_test(survives_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
