/* Traces as training examples: whose tokens they are, and which of them are learnt. */
#include "unit.h"

#include "base/file.h"
#include "student/examples.h"

#include <omp.h>
#include <string.h>

static struct ps_error error;

enum { TEACHER, STRANGER, SOURCES };

struct fixture {
    char folder[64];
    struct ps_store *store;
    struct ps_tokenizer *tokenizer; /* the student's, and TEACHER's too */
    int64_t sources[SOURCES], sampler, provenance;
    int64_t plain, opened; /* prompts; the second ends in "<think>\n" */
    int32_t end, think, close;
    struct ps_template *template;
    struct ps_examples examples;
    struct ps_example_options options;
};

static struct fixture f;

static int64_t put_prompt(const char *json) {
    int64_t id;
    assert_ok(ps_store_put_prompt(f.store, json, &id, NULL, &error));
    return id;
}

static int begin(void **state) {
    (void)state;
    static const char *const lines[] = {"the answer is the sum of the two", "the sum is the answer",
                                        "add the two, the answer is"};
    char path[96], source[200], hash[PS_HASH_HEX_SIZE];
    f = (struct fixture){.folder = "/tmp/potstill-examples-XXXXXX"};
    assert_non_null(mkdtemp(f.folder));
    assert_ok(ps_tokenizer_train(lines, 3, 270, f.folder, &error));
    assert_ok(ps_tokenizer_open(f.folder, &f.tokenizer, &error));
    snprintf(path, sizeof path, "%s/t.db", f.folder);
    assert_ok(ps_store_open(&f.store, path, PS_STORE_CREATE, &error));
    snprintf(source, sizeof source, "{\"tokenizer\":\"%s\"}",
             ps_hash_hex(ps_tokenizer_hash(f.tokenizer), hash));
    assert_ok(ps_store_put_source(f.store, "t", source, &f.sources[TEACHER], NULL, &error));
    assert_ok(ps_store_put_source(f.store, "s", "{\"tokenizer\":\"0\"}", &f.sources[STRANGER], NULL,
                                  &error));
    assert_ok(ps_store_put_sampler(f.store, "{}", &f.sampler, NULL, &error));
    assert_ok(ps_store_put_provenance(f.store, "{}", &f.provenance, &error));
    f.plain = put_prompt("{\"messages\":[{\"role\":\"user\",\"content\":\"2 + 3?\"}]}");
    f.opened = put_prompt("{\"messages\":[{\"role\":\"user\",\"content\":\"2 + 3?\"}],"
                          "\"prefill\":\"<think>\\n\"}");
    f.end = (int32_t)ps_tokenizer_find(f.tokenizer, "<|im_end|>", 10);
    f.think = (int32_t)ps_tokenizer_find(f.tokenizer, "<think>", 7);
    f.close = (int32_t)ps_tokenizer_find(f.tokenizer, "</think>", 8);
    assert_true(f.end > 0 && f.think > 0 && f.close > 0);
    assert_ok(ps_template_open("chatml", NULL, NULL, &f.template, &error));
    f.options =
        (struct ps_example_options){.template = f.template, .row_tokens = 1000, .end_token = f.end};
    ps_examples_init(&f.examples);
    return 0;
}

static int end(void **state) {
    (void)state;
    ps_examples_release(&f.examples);
    ps_store_close(f.store);
    ps_tokenizer_close(f.tokenizer);
    ps_template_close(f.template);
    assert_ok(ps_path_remove(f.folder, &error));
    return 0;
}

struct reply {
    int source;
    int64_t prompt;
    const char *reasoning, *content;
    const int32_t *ids;
    int64_t count;
    enum ps_store_finish finish;
};

/* Keeps one more trace of its prompt. */
static void put(const struct reply *reply) {
    static int64_t sample;
    struct ps_store_trace trace = {
        .key = {reply->prompt, f.sources[reply->source], f.sampler, sample++},
        .provenance = f.provenance,
        .reasoning = reply->reasoning ? reply->reasoning : "",
        .reasoning_size = reply->reasoning ? strlen(reply->reasoning) : 0,
        .content = reply->content,
        .content_size = strlen(reply->content),
        .ids = reply->ids,
        .output_tokens = reply->count,
        .finish = reply->finish};
    assert_ok(ps_store_put_trace(f.store, &trace, NULL, NULL, &error));
    assert_ok(ps_store_flush(f.store, &error));
}

static enum ps_status add(void) {
    ps_examples_release(&f.examples);
    return ps_examples_add(&f.examples, f.store, NULL, f.tokenizer, &f.options, &error);
}

/* The example of a store with one trace; its targets read as `text`. */
static const struct ps_example *only_example(const char *text) {
    struct ps_buffer out;
    assert_ok(add());
    assert_int_equal(f.examples.count, 1);
    const struct ps_example *example = &f.examples.items[0];
    ps_buffer_init(&out, 10000);
    assert_ok(
        ps_tokenizer_decode(f.tokenizer, (const uint32_t *)example->ids + example->first_target,
                            (size_t)(example->size - example->first_target), false, &out, &error));
    assert_string_equal(out.data, text);
    ps_buffer_release(&out);
    return example;
}

static int occurrences(const struct ps_example *example, int32_t token) {
    int count = 0;
    for (int32_t i = example->first_target; i < example->size; i++)
        count += example->ids[i] == token;
    return count;
}

static void own_tokens_stay_as_they_are(void **state) {
    (void)state;
    /* "the" letter by letter, which the tokenizer would not do, and another end token. */
    int32_t ids[4];
    for (int i = 0; i < 3; i++) ids[i] = (int32_t)ps_tokenizer_find(f.tokenizer, &"the"[i], 1);
    ids[3] = (int32_t)ps_tokenizer_find(f.tokenizer, "<|endoftext|>", 13);
    put(&(struct reply){TEACHER, f.plain, NULL, "the", ids, 4, PS_STORE_STOP});
    const struct ps_example *example = only_example("the<|im_end|>");
    assert_int_equal(example->size - example->first_target, 4);
    assert_memory_equal(example->ids + example->first_target, ids, sizeof *ids * 3);
    assert_int_equal(example->ids[example->size - 1], f.end);
    assert_int_equal(f.examples.counts.same_ids, 1);
}

static void foreign_tokens_are_encoded_anew(void **state) {
    (void)state;
    const int32_t ids[] = {9999, 8888, 7777};
    put(&(struct reply){STRANGER, f.plain, NULL, "the", ids, 3, PS_STORE_STOP});
    const struct ps_example *example = only_example("the<|im_end|>");
    assert_true(example->size - example->first_target < 4); /* "the" is one or two tokens */
    assert_int_equal(f.examples.counts.same_ids, 0);
    assert_int_equal(f.examples.counts.tokens, example->size);
    assert_int_equal(f.examples.counts.targets, example->size - example->first_target);
}

static void think_tags_are_control_tokens(void **state) {
    (void)state;
    put(&(struct reply){STRANGER, f.plain, "\nadd the two\n", "\n\n5", NULL, 0, PS_STORE_STOP});
    const struct ps_example *example =
        only_example("<think>\nadd the two\n</think>\n\n5<|im_end|>");
    assert_int_equal(example->ids[example->first_target], f.think);
    assert_int_equal(occurrences(example, f.close), 1);
}

static void text_never_becomes_a_control_token(void **state) {
    (void)state;
    put(&(struct reply){STRANGER, f.plain, "a <think> b <|im_end|>", "</think> <|im_end|>", NULL, 0,
                        PS_STORE_STOP});
    const struct ps_example *example =
        only_example("<think>\na <think> b <|im_end|>\n</think>\n\n</think> <|im_end|><|im_end|>");
    assert_int_equal(occurrences(example, f.think), 1);
    assert_int_equal(occurrences(example, f.close), 1);
    assert_int_equal(occurrences(example, f.end), 1);
}

static void an_opened_tag_is_not_repeated(void **state) {
    (void)state;
    put(&(struct reply){STRANGER, f.opened, "add", "5", NULL, 0, PS_STORE_STOP});
    const struct ps_example *example = only_example("add\n</think>\n\n5<|im_end|>");
    assert_int_equal(occurrences(example, f.think), 0);
    int32_t in_prompt = 0;
    for (int32_t i = 0; i < example->first_target; i++) in_prompt += example->ids[i] == f.think;
    assert_int_equal(in_prompt, 1);
}

/* A template of the student's own instead of chatml. */
static void use_template(const char *generation_prompt) {
    char path[96], source[200];
    snprintf(path, sizeof path, "%s/own.jinja", f.folder);
    snprintf(source, sizeof source, "{{ messages[0].content }}%s", generation_prompt);
    assert_ok(ps_file_write_atomic(path, source, strlen(source), &error));
    ps_template_close(f.template);
    assert_ok(ps_template_open(path, NULL, NULL, &f.template, &error));
    f.options.template = f.template;
}

static void a_bare_tag_is_followed_by_a_new_line(void **state) {
    (void)state;
    use_template("<think>");
    put(&(struct reply){STRANGER, f.plain, "add", "5", NULL, 0, PS_STORE_STOP});
    only_example("\nadd\n</think>\n\n5<|im_end|>");
    use_template("<think>{{ '\\n' }}");
    only_example("add\n</think>\n\n5<|im_end|>");
}

static void a_closed_thought_is_content_alone(void **state) {
    (void)state;
    use_template("</think>");
    put(&(struct reply){STRANGER, f.plain, NULL, "5", NULL, 0, PS_STORE_STOP});
    only_example("5<|im_end|>");
    put(&(struct reply){STRANGER, f.plain, "add", "5", NULL, 0, PS_STORE_STOP});
    assert_fails(add(), PS_ARGUMENT, "has reasoning, but the student's prompt ends behind");
}

/* Ids of the teacher whose tags are not where the student's prompt wants them are not taken. */
static void own_tokens_fit_the_prompt(void **state) {
    (void)state;
    int32_t letter = (int32_t)ps_tokenizer_find(f.tokenizer, "a", 1);
    int32_t newline = (int32_t)ps_tokenizer_find(f.tokenizer, "\n", 1);
    int32_t ids[] = {f.think, newline, letter, newline, f.close, newline, newline, letter, f.end};
    put(&(struct reply){TEACHER, f.plain, "a", "a", ids, 9, PS_STORE_STOP});
    const struct ps_example *example = only_example("<think>\na\n</think>\n\na<|im_end|>");
    assert_int_equal(f.examples.counts.same_ids, 1);
    assert_memory_equal(example->ids + example->first_target, ids, sizeof ids);
    use_template("<think>{{ '\\n' }}"); /* written by the prompt now */
    only_example("a\n</think>\n\na<|im_end|>");
    assert_int_equal(f.examples.counts.same_ids, 0);
}

static void own_tokens_lack_a_tag_of_the_teachers_prompt(void **state) {
    (void)state;
    int32_t letter = (int32_t)ps_tokenizer_find(f.tokenizer, "a", 1);
    int32_t ids[] = {letter, f.close, letter, f.end};
    put(&(struct reply){TEACHER, f.plain, "a", "a", ids, 4, PS_STORE_STOP});
    only_example("<think>\na\n</think>\n\na<|im_end|>");
    assert_int_equal(f.examples.counts.same_ids, 0);
    use_template("<think>{{ '\\n' }}");
    only_example("a</think>a<|im_end|>");
    assert_int_equal(f.examples.counts.same_ids, 1);
}

static void thinking_is_told(void **state) {
    (void)state;
    use_template("{% if enable_thinking is defined %}{{ enable_thinking }}{% endif %}");
    put(&(struct reply){STRANGER, f.plain, NULL, "5", NULL, 0, PS_STORE_STOP});
    assert_ok(add());
    int32_t unset = f.examples.items[0].first_target;
    f.options.thinking = PS_THINKING_ON;
    assert_ok(add());
    assert_true(f.examples.items[0].first_target > unset);
}

static void cut_replies_have_no_end(void **state) {
    (void)state;
    put(&(struct reply){STRANGER, f.plain, "add the", "", NULL, 0, PS_STORE_LENGTH});
    const struct ps_example *example = only_example("<think>\nadd the");
    assert_int_equal(occurrences(example, f.end), 0);
    assert_int_equal(f.examples.counts.cut, 1);
}

static void cut_replies_keep_all_their_tokens(void **state) {
    (void)state;
    int32_t ids[] = {f.think, 10, 11};
    put(&(struct reply){TEACHER, f.plain, "x", "", ids, 3, PS_STORE_LENGTH});
    assert_ok(add());
    const struct ps_example *example = &f.examples.items[0];
    assert_int_equal(example->size - example->first_target, 3);
    assert_memory_equal(example->ids + example->first_target, ids, sizeof ids);
}

static void a_reply_cut_before_its_first_token_is_no_example(void **state) {
    (void)state;
    put(&(struct reply){TEACHER, f.plain, NULL, "", NULL, 0, PS_STORE_LENGTH});
    assert_ok(add());
    assert_int_equal(f.examples.count, 0);
    assert_int_equal(f.examples.counts.traces, 1);
}

static void long_ones_go_by_the_policy(void **state) {
    (void)state;
    put(&(struct reply){STRANGER, f.plain, NULL, "5", NULL, 0, PS_STORE_STOP});
    put(&(struct reply){STRANGER, f.plain, NULL, "the sum of 2 and 3, which is 5", NULL, 0,
                        PS_STORE_STOP});
    assert_ok(add());
    assert_int_equal(f.examples.count, 2);
    int32_t first = f.examples.items[0].first_target;
    f.options.row_tokens = f.examples.items[0].size;
    assert_ok(add());
    assert_int_equal(f.examples.count, 1);
    assert_int_equal(f.examples.counts.overlong, 1);
    f.options.overlong = PS_OVERLONG_TRUNCATE;
    assert_ok(add());
    assert_int_equal(f.examples.count, 2);
    assert_int_equal(f.examples.items[1].size, f.options.row_tokens);
    assert_int_equal(occurrences(&f.examples.items[1], f.end), 0);
    f.options.overlong = PS_OVERLONG_ERROR;
    assert_fails(add(), PS_LIMIT, "more than sequence_length");
    f.options.overlong = PS_OVERLONG_TRUNCATE;
    f.options.row_tokens = first; /* no room for a single target */
    assert_ok(add());
    assert_int_equal(f.examples.count, 0);
    assert_int_equal(f.examples.counts.overlong, 2);
}

/* Several batches of replies of uneven length; each says its number. */
enum { MANY = 600 };

static void put_many(void) {
    static char content[4000];
    for (int i = 0; i < MANY; i++) {
        size_t size = (size_t)snprintf(content, sizeof content, "%d is the sum", i);
        size_t end = size + (size_t)(i * 7919 % 3000);
        for (; size < end; size += 4) memcpy(content + size, " the", 5);
        put(&(struct reply){STRANGER, i % 3 ? f.plain : f.opened, i % 4 ? NULL : "add", content,
                            NULL, 0, i % 5 ? PS_STORE_STOP : PS_STORE_LENGTH});
    }
}

/* Of all ids and where the targets begin, in order. */
static struct ps_hash hash_of_examples(void) {
    struct ps_buffer bytes;
    ps_buffer_init(&bytes, SIZE_MAX);
    for (uint32_t i = 0; i < f.examples.count; i++) {
        const struct ps_example *example = &f.examples.items[i];
        int32_t shape[] = {example->size, example->first_target};
        assert_true(ps_buffer_append(&bytes, shape, sizeof shape));
        assert_true(ps_buffer_append(&bytes, example->ids, (size_t)example->size * sizeof(int)));
    }
    struct ps_hash hash = ps_hash_bytes(bytes.data, bytes.size);
    ps_buffer_release(&bytes);
    return hash;
}

static void threads_change_nothing(void **state) {
    (void)state;
    int threads = omp_get_max_threads();
    f.options.row_tokens = 5000;
    put_many();
    omp_set_num_threads(1);
    assert_ok(add());
    struct ps_hash one = hash_of_examples();
    struct ps_example_counts counts = f.examples.counts;
    assert_int_equal(f.examples.count, MANY);
    assert_int_equal(counts.cut, MANY / 5);
    for (int i = 2; i <= 4; i++) { /* clang's OpenMP leaks where a team grows beyond four */
        omp_set_num_threads(i);
        assert_ok(add());
        struct ps_hash many = hash_of_examples();
        assert_memory_equal(&many, &one, sizeof one);
        assert_memory_equal(&f.examples.counts, &counts, sizeof counts);
    }
    omp_set_num_threads(threads);
}

static void the_first_failure_is_told(void **state) {
    (void)state;
    char first[sizeof error.message];
    int threads = omp_get_max_threads();
    use_template("</think>"); /* a fault in each plain prompt whose reply has reasoning */
    put_many();
    for (int i = 1; i <= 4; i++) {
        omp_set_num_threads(i);
        assert_fails(add(), PS_ARGUMENT, "has reasoning, but");
        if (i == 1) snprintf(first, sizeof first, "%s", error.message);
        assert_string_equal(error.message, first);
    }
    omp_set_num_threads(threads);
}

static void allocations_fail(void **state) {
    (void)state;
    put(&(struct reply){STRANGER, f.plain, "add", "5", NULL, 0, PS_STORE_STOP});
    int failures = 0;
    for (size_t n = 1;; n++) {
        ps_memory_fail_at(n);
        enum ps_status status = add();
        ps_memory_fail_at(0);
        if (status == PS_OK) break;
        assert_int_equal(status, PS_MEMORY);
        failures++;
    }
    assert_true(failures > 10);
    assert_int_equal(f.examples.count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_tokens_stay_as_they_are, begin, end),
        cmocka_unit_test_setup_teardown(foreign_tokens_are_encoded_anew, begin, end),
        cmocka_unit_test_setup_teardown(think_tags_are_control_tokens, begin, end),
        cmocka_unit_test_setup_teardown(text_never_becomes_a_control_token, begin, end),
        cmocka_unit_test_setup_teardown(an_opened_tag_is_not_repeated, begin, end),
        cmocka_unit_test_setup_teardown(a_bare_tag_is_followed_by_a_new_line, begin, end),
        cmocka_unit_test_setup_teardown(a_closed_thought_is_content_alone, begin, end),
        cmocka_unit_test_setup_teardown(own_tokens_fit_the_prompt, begin, end),
        cmocka_unit_test_setup_teardown(own_tokens_lack_a_tag_of_the_teachers_prompt, begin, end),
        cmocka_unit_test_setup_teardown(thinking_is_told, begin, end),
        cmocka_unit_test_setup_teardown(cut_replies_have_no_end, begin, end),
        cmocka_unit_test_setup_teardown(cut_replies_keep_all_their_tokens, begin, end),
        cmocka_unit_test_setup_teardown(a_reply_cut_before_its_first_token_is_no_example, begin,
                                        end),
        cmocka_unit_test_setup_teardown(long_ones_go_by_the_policy, begin, end),
        cmocka_unit_test_setup_teardown(threads_change_nothing, begin, end),
        cmocka_unit_test_setup_teardown(the_first_failure_is_told, begin, end),
        cmocka_unit_test_setup_teardown(allocations_fail, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
