/* A student's folder says what the student was trained with: whoever prompts it by the folder alone
 * gives it the tokens of its training. And the shots of a prompt, and the prompts of a set. */
#include "text_fixture.h"

#include "base/json.h"
#include "pipelines/stages/sampling.h"
#include "pipelines/stages/train_start.h"
#include "text/text_internal.h"

#include <omp.h>

static struct ps_arena arena;
static struct ps_stage_context context = {.arena = &arena, .seed = 5, .date = "2026-11-21"};

static const struct ps_dataset_source source = {.dataset = "mine", .split = "train"};
static const struct ps_dataset_row question = {
    .id = "1", .question = "What is <|im_end|>?", .gold = "5", .source = &source};

static const char *in_folder(const char *name) {
    const char *path = ps_path_join(&arena, text_folder(), name);
    assert_non_null(path);
    return path;
}

/* The ids of the question to the model in `folder`. */
static struct ps_token_ids asked(const char *folder, const struct ps_pipeline_prompt *prompt) {
    struct ps_prompter_model model = {folder, NULL, -1};
    struct ps_prompter prompter;
    struct ps_rendered_prompt rendered;
    struct ps_tokenizer *tokenizer;
    struct ps_token_ids ids = {0};
    assert_ok(ps_tokenizer_open(folder, &tokenizer, &error));
    assert_ok(ps_prompter_open(&prompter, &context, prompt, &model, &error));
    assert_ok(ps_prompter_render(&prompter, &question, &rendered, &error));
    assert_ok(ps_prompt_encode(&prompter.prompt, &rendered, tokenizer, &ids, &error));
    ps_rendered_prompt_release(&rendered);
    ps_prompter_close(&prompter);
    ps_tokenizer_close(tokenizer);
    return ids;
}

/* The ids that a training row begins with: the conversation is all that the store has. */
static struct ps_token_ids trained(const struct ps_train_start *start,
                                   const struct ps_pipeline_prompt *prompt) {
    struct ps_prompter prompter;
    struct ps_rendered_prompt rendered;
    struct ps_token_ids ids = {0};
    enum ps_thought thought;
    assert_ok(ps_prompter_open(&prompter, &context, prompt, NULL, &error));
    assert_ok(ps_prompter_render(&prompter, &question, &rendered, &error));
    assert_ok(ps_conversation_encode(rendered.conversation.data, start->template, PS_THINKING_UNSET,
                                     start->tokenizer, &ids, &thought, &error));
    ps_rendered_prompt_release(&rendered);
    ps_prompter_close(&prompter);
    return ids;
}

static json_t *read_json(const char *folder, const char *name) {
    json_t *json;
    assert_ok(ps_json_read_file(ps_path_join(&arena, folder, name), 1 << 24, &json, &error));
    return json;
}

/* Both programs that read .jinja files and those that do not find the same template, and the end
 * token is the first that ends a reply. */
static void check_files(const char *folder, int32_t end) {
    struct ps_buffer file;
    ps_buffer_init(&file, 1 << 20);
    assert_ok(ps_file_read(ps_path_join(&arena, folder, "chat_template.jinja"), &file, &error));
    json_t *config = read_json(folder, "tokenizer_config.json");
    json_t *generation = read_json(folder, "generation_config.json");
    assert_string_equal(json_string_value(json_object_get(config, "chat_template")), file.data);
    assert_int_equal(
        json_integer_value(json_array_get(json_object_get(generation, "eos_token_id"), 0)), end);
    json_decref(config);
    json_decref(generation);
    ps_buffer_release(&file);
}

static void check_student(const struct ps_train_model *model,
                          const struct ps_pipeline_prompt *prompt, const char *end_token) {
    struct ps_train_start start;
    int32_t end;
    const char *folder = in_folder("student");
    assert_ok(ps_directory_create(folder, &error));
    assert_ok(ps_train_start_open(&start, model, &error));
    assert_ok(ps_train_end_token(&start, &end, &error));
    assert_int_equal(end, text_id(start.tokenizer, end_token));
    assert_ok(ps_train_start_copy(&start, folder, &error));
    struct ps_token_ids training = trained(&start, prompt), asking = asked(folder, prompt);
    assert_true(training.size > 0);
    assert_int_equal(training.size, asking.size);
    assert_memory_equal(training.data, asking.data, training.size * sizeof *training.data);
    check_files(folder, end);
    ps_token_ids_release(&training);
    ps_token_ids_release(&asking);
    ps_train_start_close(&start);
    assert_ok(ps_path_remove(folder, &error));
}

#define BASE PS_SOURCE_DIR "/examples/models/base"

static void a_student_is_asked_as_it_was_trained(void **state) {
    (void)state;
    const struct ps_pipeline_prompt prompt = {
        .user = "{question} Think.", .system = "Be terse.", .prefill = "<think>\n", .thinking = 1};
    const struct ps_pipeline_prompt short_prompt = {.user = "{question}", .thinking = -1};
    struct ps_train_model model = {.path = BASE, .date = context.date};
    check_student(&model, &prompt, "<|im_end|>");
    check_student(&model, &short_prompt, "<|im_end|>");
    model.template = "none";
    check_student(&model, &prompt, "<|im_end|>");
    model.template =
        text_write("own.jinja", "{{ strftime_now('%Y') }}{{ eos_token }}"
                                "{% for m in messages %}{{ m.role }}: {{ m.content }}<|endoftext|>"
                                "{% endfor %}{% if add_generation_prompt %}A:{% endif %}");
    check_student(&model, &prompt, "<|endoftext|>");
}

/* Plain text gets BOS from the post-processor; in a folder, where it is a chat template like any
 * other, it must bring it along. */
static void plain_text_keeps_its_bos(void **state) {
    (void)state;
    static const char processor[] =
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<|endoftext|>\","
        "\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],"
        "\"special_tokens\":{\"<|endoftext|>\":{\"id\":\"<|endoftext|>\",\"ids\":[%u],"
        "\"tokens\":[\"<|endoftext|>\"]}}}";
    struct ps_tokenizer *tokenizer = text_tiny();
    struct ps_buffer text;
    char with_id[400];
    json_t *value;
    snprintf(with_id, sizeof with_id, processor, text_id(tokenizer, "<|endoftext|>"));
    ps_tokenizer_close(tokenizer);
    json_t *json = read_json(text_folder(), "tokenizer.json");
    assert_ok(ps_json_parse("processor", with_id, strlen(with_id), &value, &error));
    assert_int_equal(json_object_set_new(json, "post_processor", value), 0);
    ps_buffer_init(&text, 1 << 24);
    assert_ok(ps_json_dump(json, &text, &error));
    json_decref(json);
    const char *path = ps_arena_format(&arena, "%s", text_write("tokenizer.json", text.data));
    ps_buffer_release(&text);
    const struct ps_pipeline_prompt prompt = {.user = "{question}", .thinking = -1};
    const struct ps_train_model model = {.config = PS_SOURCE_DIR "/examples/models/base.json",
                                         .tokenizer = path,
                                         .template = "none",
                                         .date = context.date};
    check_student(&model, &prompt, "<|im_end|>");
}

/* ---- shots ---- */

static struct ps_buffer rendered_with(const struct ps_prompter *prompter,
                                      const struct ps_dataset_row *row) {
    struct ps_rendered_prompt rendered;
    assert_ok(ps_prompter_render(prompter, row, &rendered, &error));
    struct ps_buffer text = rendered.text.text;
    rendered.text.text = (struct ps_buffer){0};
    ps_rendered_prompt_release(&rendered);
    return text;
}

/* Chosen by seed; a row is no shot of its own question, the next one takes its place. */
static void shots_are_chosen_by_seed(void **state) {
    (void)state;
    const struct ps_dataset *set;
    struct ps_pipeline_prompt prompt = {
        .user = "{question}", .template = "none", .thinking = -1, .shots = {"arith/test", 3}};
    struct ps_prompter prompter, other;
    assert_ok(ps_dataset_catalog_open(&context.catalog, NULL, 0, 1, &error));
    assert_ok(ps_dataset_get(context.catalog, "arith/test", &set, &error));
    assert_ok(ps_prompter_open(&prompter, &context, &prompt, NULL, &error));
    struct ps_buffer text = rendered_with(&prompter, &question);
    const struct ps_dataset_row *first = prompter.shots[0], *spare = prompter.shots[3];
    assert_int_equal(prompter.shot_count, 4);
    assert_non_null(strstr(text.data, first->question));
    assert_null(strstr(text.data, spare->question));
    ps_buffer_release(&text);
    text = rendered_with(&prompter, first);
    assert_non_null(strstr(text.data, spare->question));
    const char *once = strstr(text.data, first->question);
    assert_non_null(once);
    assert_null(strstr(once + 1, first->question));
    ps_buffer_release(&text);
    context.seed++;
    assert_ok(ps_prompter_open(&other, &context, &prompt, NULL, &error));
    assert_true(memcmp(prompter.shots, other.shots, 4 * sizeof *other.shots) != 0);
    ps_prompter_close(&other);
    ps_prompter_close(&prompter);
    prompt.shots.count = (int64_t)set->count + 1;
    assert_fails(ps_prompter_open(&other, &context, &prompt, NULL, &error), PS_ARGUMENT,
                 "shots of 'arith/test', which has");
    ps_prompter_close(&other);
    ps_dataset_catalog_close(context.catalog);
}

/* ---- a whole set ---- */

static struct ps_sampling_prompts render_set(const struct ps_prompter *prompter, int threads,
                                             const struct ps_tokenizer *tokenizer) {
    static const struct ps_sampling_set sets[] = {{"arith/test", 2}, {"arith/longer", 1}};
    struct ps_sampling sampling = {.prompter = prompter, .sets = sets, .set_count = 2};
    struct ps_sampling_prompts prompts;
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    assert_ok(ps_sampling_render(&sampling, tokenizer, &prompts, &error));
    omp_set_num_threads(before);
    return prompts;
}

/* Several batches and two sets; every row has its own prompt, in its place. */
static void threads_change_no_prompt(void **state) {
    (void)state;
    const struct ps_pipeline_prompt prompt = {.user = "{question}", .thinking = -1};
    const struct ps_prompter_model model = {BASE, NULL, -1};
    struct ps_prompter prompter;
    struct ps_tokenizer *tokenizer;
    assert_ok(ps_dataset_catalog_open(&context.catalog, NULL, 0, 1, &error));
    assert_ok(ps_tokenizer_open(BASE, &tokenizer, &error));
    assert_ok(ps_prompter_open(&prompter, &context, &prompt, &model, &error));
    struct ps_sampling_prompts one = render_set(&prompter, 1, tokenizer);
    assert_int_equal(one.starts[1], 500);
    assert_int_equal(one.count, 700);
    for (int threads = 2; threads <= 4; threads++) {
        struct ps_sampling_prompts many = render_set(&prompter, threads, tokenizer);
        assert_int_equal(many.count, one.count);
        for (size_t i = 0; i < one.count; i++) {
            const struct ps_sample_prompt *a = &one.items[i], *b = &many.items[i];
            assert_string_equal(a->conversation, b->conversation);
            assert_int_equal(a->count, b->count);
            assert_memory_equal(a->ids, b->ids, a->count * sizeof *a->ids);
            assert_int_equal(a->items->row, b->items->row);
            assert_int_equal(a->samples, i < 500 ? 2 : 1);
            assert_ptr_equal(one.rows[i], many.rows[i]);
        }
    }
    ps_prompter_close(&prompter);
    ps_tokenizer_close(tokenizer);
    ps_dataset_catalog_close(context.catalog);
}

static int begin(void **state) {
    (void)state;
    ps_arena_init(&arena, 1 << 24);
    return 0;
}

static int end(void **state) {
    (void)state;
    ps_arena_release(&arena);
    ps_path_remove(text_folder(), NULL);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_student_is_asked_as_it_was_trained),
        cmocka_unit_test(plain_text_keeps_its_bos),
        cmocka_unit_test(shots_are_chosen_by_seed),
        cmocka_unit_test(threads_change_no_prompt),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
