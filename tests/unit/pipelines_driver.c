/* The driver on two stage kinds of its own: what it reads, refuses, fingerprints, runs and skips.
 */
#include "unit.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stop.h"
#include "pipelines/driver/driver.h"

#include <string.h>

/* ---- the kinds: make writes its number to a file, sum adds up its inputs' ---- */

struct make_settings {
    int64_t number, threads;
    const char *model, *dataset, *prompt;
};
#define AT(member) offsetof(struct make_settings, member)
static const struct ps_setting make_items[] = {
    {"number", PS_SETTING_INTEGER, AT(number), "1", .minimum = 0, .maximum = 99, .identity = true,
     .help = "what to write"},
    {"threads", PS_SETTING_INTEGER, AT(threads), "1", .help = "no part of the identity"},
    {"model", PS_SETTING_STRING, AT(model), .refers = "model", .identity = true, .help = "a model"},
    {"dataset", PS_SETTING_STRING, AT(dataset), .refers = "dataset", .identity = true,
     .help = "a set"},
    {"prompt", PS_SETTING_STRING, AT(prompt), .refers = "prompt", .identity = true,
     .help = "a prompt"},
};
static const struct ps_settings_table make_table =
    PS_SETTINGS_TABLE("make", "Makes.", make_items, struct make_settings);
static const struct ps_settings_table sum_table =
    PS_SETTINGS_TABLE("sum", "Sums.", make_items, struct make_settings);

static int runs, sum;
static bool stop_in_make;
static const char *stored; /* what make's result depends on beside its settings; NULL: nothing */

static enum ps_status write_number(const char *folder, int64_t number, struct ps_error *error) {
    char path[1000], text[32];
    snprintf(path, sizeof path, "%s/number", folder);
    snprintf(text, sizeof text, "%lld", (long long)number);
    return ps_file_write_atomic(path, text, strlen(text), error);
}

/* result.json has what was stored when it ran. */
static enum ps_status write_stored(const char *folder, struct ps_error *error) {
    char path[1000], text[64];
    snprintf(path, sizeof path, "%s/result.json", folder);
    snprintf(text, sizeof text, "{\"hash\": \"%s\"}", stored);
    return ps_file_write_atomic(path, text, strlen(text), error);
}

static enum ps_status make_plan(const struct ps_stage_context *context, struct ps_stage_plan *plan,
                                struct ps_error *error) {
    char path[1000];
    json_t *result;
    if (!stored || !plan->up_to_date) return PS_OK;
    snprintf(path, sizeof path, "%s/result.json", context->directory);
    PS_TRY(ps_json_read_file(path, 1000, &result, error));
    plan->up_to_date = strcmp(json_string_value(ps_json_get(result, "hash")), stored) == 0;
    json_decref(result);
    return PS_OK;
}

static enum ps_status make_run(const struct ps_stage_context *context, struct ps_error *error) {
    const struct make_settings *settings = context->settings;
    runs++;
    ps_progress_begin(context->progress, "make", "numbers", 0, 1);
    ps_progress_update(context->progress, 1, "number %d", (int)settings->number);
    if (stop_in_make) return ps_error_set(error, PS_STOPPED, "stopped");
    if (stored) PS_TRY(write_stored(context->directory, error));
    return write_number(context->directory, settings->number, error);
}

static enum ps_status sum_run(const struct ps_stage_context *context, struct ps_error *error) {
    runs++;
    sum = 0;
    for (size_t i = 0; i < context->stage->input_count; i++) {
        char path[1000];
        struct ps_buffer text;
        ps_buffer_init(&text, 100);
        snprintf(path, sizeof path, "%s/number", context->stage->inputs[i]->directory);
        PS_TRY(ps_file_read(path, &text, error));
        sum += atoi(text.data);
        ps_buffer_release(&text);
    }
    struct ps_json_writer *line = ps_metrics_begin(context->metrics, "sum");
    ps_json_write_key(line, "sum");
    ps_json_write_integer(line, sum);
    return ps_metrics_end(context->metrics, error);
}

static const char *const sum_consumes[] = {"make", NULL};
static const struct ps_stage_kind make_kind = {.name = "make",
                                               .settings = &make_table,
                                               .makes_model = true,
                                               .plan = make_plan,
                                               .run = make_run};
static const struct ps_stage_kind sum_kind = {
    .name = "sum", .settings = &sum_table, .consumes = sum_consumes, .run = sum_run};
const struct ps_stage_kind *const ps_stage_kinds[] = {&make_kind, &sum_kind, NULL};

const struct ps_stage_kind *ps_stage_kind_find(const char *name) {
    for (size_t i = 0; ps_stage_kinds[i]; i++)
        if (strcmp(ps_stage_kinds[i]->name, name) == 0) return ps_stage_kinds[i];
    return NULL;
}

/* ---- helpers ---- */

static char folder[] = "/tmp/potstill-driver-XXXXXX";
static struct ps_pipeline pipeline;

static int begin(void **state) {
    (void)state;
    struct ps_error error;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ps_log_quiet(true);
    runs = 0;
    stop_in_make = false;
    stored = NULL;
    if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
    return ps_directory_create("model", &error) != PS_OK ||
           ps_file_write_atomic("model/config.json", "{}", 2, &error) != PS_OK;
}

static int end(void **state) {
    (void)state;
    struct ps_error error;
    return chdir("/") != 0 || ps_path_remove(folder, &error) != PS_OK;
}

#define HEAD "potstill: 1\nname: t\ndate: 2026-11-21\n"
#define TWO  HEAD "stages:\n  - make: {id: a, number: 2}\n  - make: {id: b}\n  - sum: {}\n"

static enum ps_status load_with(const char *text, const char *set, int64_t limit,
                                struct ps_error *error) {
    struct ps_pipeline_options options = {.limit = limit};
    const char *sets[] = {set};
    options.set = (struct ps_strings){set ? 1 : 0, sets};
    PS_TRY(ps_file_write_atomic("p.yaml", text, strlen(text), error));
    return ps_pipeline_load(&pipeline, "p.yaml", &options, error);
}

static enum ps_status load(const char *text, struct ps_error *error) {
    return load_with(text, NULL, 0, error);
}

static enum ps_status run_with(const char *text, const char *set, const char *from,
                               const char *only, struct ps_error *error) {
    struct ps_run_options options = {from, only};
    PS_TRY(load_with(text, set, 0, error));
    enum ps_status status = ps_pipeline_run(&pipeline, &options, error);
    ps_pipeline_close(&pipeline);
    return status;
}

/* The fingerprint of stage `id`. */
static const char *fingerprint_with(const char *text, const char *set, const char *id) {
    static char results[8][65];
    static int next;
    struct ps_error error = {0};
    assert_ok(load_with(text, set, 0, &error));
    assert_ok(ps_pipeline_fingerprint(&pipeline, &error));
    char *result = results[next++ % 8];
    strcpy(result, ps_pipeline_stage(&pipeline, id)->fingerprint);
    ps_pipeline_close(&pipeline);
    return result;
}

/* ---- tests ---- */

static void mistakes_are_located(void **state) {
    (void)state;
    struct ps_error error = {0};
    assert_fails(ps_pipeline_load(&pipeline, "none.yaml", NULL, &error), PS_NOT_FOUND, "none.yaml");
    assert_fails(load(HEAD "stages: [{mak: {}}]\n", &error), PS_FORMAT,
                 "p.yaml:4:11: unknown stage 'mak'; did you mean 'make'?");
    assert_fails(load(HEAD "stages:\n  - make: {nubmer: 1}\n", &error), PS_FORMAT,
                 "p.yaml:5:12: unknown key 'nubmer'; did you mean 'number'?");
    assert_fails(load(HEAD "stages:\n  - make: {}\n  - make: {}\n", &error), PS_FORMAT,
                 "p.yaml:6:5: the stage of line 5 is called 'make' too");
    assert_fails(load(HEAD "stages:\n  - sum: {needs: [b]}\n  - make: {id: b}\n", &error),
                 PS_FORMAT, "p.yaml:5:18: 'b' is no earlier stage");
    assert_fails(load(HEAD "models: {base: {path: m}}\nstages:\n  - sum: {model: bsae}\n", &error),
                 PS_FORMAT, "p.yaml:6:18: there is no model 'bsae'; did you mean 'base'?");
    assert_fails(load(HEAD "stages:\n  - sum: {model: x@best}\n  - make: {id: x}\n", &error),
                 PS_FORMAT, "made by a later stage, in line 6");
    assert_fails(load(HEAD "stages:\n  - sum: {prompt: x}\n", &error), PS_FORMAT,
                 "p.yaml:5:19: there is no prompt 'x'");
    assert_fails(load(HEAD "stages: []\n", &error), PS_FORMAT, "'stages' is empty");
    assert_fails(load("potstill: 2\nname: t\nstages: [{sum: {}}]\n", &error), PS_FORMAT,
                 "p.yaml:1:11: 'potstill' is 2");
    assert_fails(load("potstill: 1\nstages: [{sum: {}}]\n", &error), PS_FORMAT,
                 "'name' is missing");
    assert_fails(load("potstill: 1\nname: ../x\nstages: [{sum: {}}]\n", &error), PS_FORMAT,
                 "p.yaml:2:7: the name");
    assert_fails(load("potstill: 1\nname: t\ndate: 2026-02-30\nstages: [{sum: {}}]\n", &error),
                 PS_FORMAT, "not a day");
    assert_fails(load(HEAD "models: {m: {path: x, url: y}}\nstages: [{sum: {}}]\n", &error),
                 PS_FORMAT, "wants one of 'path', 'url' and 'config'");
    assert_fails(
        load(HEAD "prompts: {a: {extends: b}, b: {extends: a}}\nstages: [{sum: {}}]\n", &error),
        PS_FORMAT, "extends itself");
    assert_fails(load_with(TWO, "a.number=100", 0, &error), PS_ARGUMENT,
                 "--set a.number=100: 'number' is 100, not in the range 0 .. 99");
    assert_fails(load_with(TWO, "sed=1", 0, &error), PS_ARGUMENT, "did you mean 'seed'?");
}

static void names_and_defaults_are_resolved(void **state) {
    (void)state;
    struct ps_error error = {0};
    assert_ok(load(HEAD "prompts:\n  a: {user: \"{question}\", system: s}\n"
                        "  b: {extends: a, system: other, shots: {dataset: d, count: 4}}\n"
                        "datasets: {d: {file: f.jsonl, question: problem}}\n"
                        "stages:\n  - make: {id: a}\n  - make: {id: b, model: a@best}\n"
                        "  - sum: {}\n",
                   &error));
    const struct ps_pipeline_prompt *prompt = ps_pipeline_prompt(&pipeline, "b");
    assert_string_equal(prompt->user, "{question}");
    assert_string_equal(prompt->system, "other");
    assert_int_equal(prompt->shots.count, 4);
    assert_string_equal(pipeline.values.store, "traces/t.db");
    assert_string_equal(pipeline.run_directory, "runs/t");
    assert_int_equal(ps_pipeline_stage(&pipeline, "b")->input_count, 1);
    assert_int_equal(ps_pipeline_stage(&pipeline, "sum")->input_count, 2);
    struct ps_dataset_spec *specs;
    size_t count;
    assert_ok(ps_pipeline_dataset_specs(&pipeline, &pipeline.arena, &specs, &count, &error));
    assert_int_equal(count, 1);
    assert_string_equal(specs[0].question, "problem");
    ps_pipeline_close(&pipeline);
    assert_ok(load_with(TWO, "a.number=7", 5, &error));
    assert_int_equal(((const struct make_settings *)pipeline.stages[0].settings)->number, 7);
    assert_string_equal(pipeline.run_directory, "runs/t-limit-5");
    ps_pipeline_close(&pipeline);
}

static void fingerprints_follow_the_identity(void **state) {
    (void)state;
    const char *before = fingerprint_with(TWO, NULL, "sum");
    assert_string_equal(before, fingerprint_with(TWO, "a.threads=8", "sum"));
    assert_string_not_equal(before, fingerprint_with(TWO, "a.number=3", "sum"));
    assert_string_not_equal(before, fingerprint_with(TWO, "seed=1", "sum"));
    assert_string_equal(fingerprint_with(TWO, NULL, "b"), fingerprint_with(TWO, "a.number=3", "b"));
}

static void fingerprints_follow_files(void **state) {
    (void)state;
    struct ps_error error = {0};
    const char *text = HEAD "models: {m: {path: model}}\nprompts: {p: {user: x}}\n"
                            "datasets: {d: {file: f.jsonl}, e: {mix: {d: 1}}}\n"
                            "stages:\n  - make: {model: m, dataset: e, prompt: p}\n";
    assert_ok(load(text, &error));
    assert_fails(ps_pipeline_fingerprint(&pipeline, &error), PS_NOT_FOUND, "p.yaml:6:22");
    ps_pipeline_close(&pipeline);
    assert_ok(ps_file_write_atomic("f.jsonl", "{}", 2, &error));
    const char *first = fingerprint_with(text, NULL, "make");
    assert_ok(ps_file_write_atomic("f.jsonl", "{} ", 3, &error));
    const char *second = fingerprint_with(text, NULL, "make");
    assert_string_not_equal(first, second);
    assert_ok(ps_file_write_atomic("model/config.json", "{ }", 3, &error));
    const char *third = fingerprint_with(text, NULL, "make");
    assert_string_not_equal(second, third);
    assert_string_not_equal(third, fingerprint_with(text, "prompts.p.user=y", "make"));
    assert_ok(load_with(text, "models.m.path=nowhere", 0, &error));
    assert_fails(ps_pipeline_fingerprint(&pipeline, &error), PS_NOT_FOUND,
                 "p.yaml:4:20: model 'm': nowhere: no such file or folder");
    ps_pipeline_close(&pipeline);
    assert_ok(load_with(text, "datasets.e.mix=e", 0, &error));
    assert_int_not_equal(ps_pipeline_fingerprint(&pipeline, &error), PS_OK); /* made of itself */
    ps_pipeline_close(&pipeline);
}

static void what_is_done_is_not_done_again(void **state) {
    (void)state;
    struct ps_error error = {0};
    assert_ok(run_with(TWO, NULL, NULL, NULL, &error));
    assert_int_equal(runs, 3);
    assert_int_equal(sum, 3);
    assert_true(ps_file_exists("runs/t/a/number"));
    assert_true(ps_file_exists("runs/t/pipeline.resolved.yaml"));
    assert_ok(run_with(TWO, NULL, NULL, NULL, &error));
    assert_int_equal(runs, 3);

    struct ps_stage_plan plans[3];
    assert_ok(load_with(TWO, "a.number=5", 0, &error));
    assert_ok(ps_pipeline_fingerprint(&pipeline, &error));
    assert_ok(ps_pipeline_plan(&pipeline, plans, &error));
    assert_false(plans[0].up_to_date);
    assert_string_equal(plans[0].why, "changed: settings.number");
    assert_true(plans[1].up_to_date);
    assert_string_equal(plans[2].why, "changed: inputs.a");
    ps_pipeline_close(&pipeline);

    assert_ok(run_with(TWO, "a.number=5", NULL, NULL, &error));
    assert_int_equal(runs, 5);
    assert_int_equal(sum, 6);
    assert_ok(run_with(TWO, NULL, NULL, NULL, &error)); /* both results are kept */
    assert_int_equal(runs, 5);
}

/* What was made of a store that has changed is made anew, and so is what was made of that. */
static void results_are_part_of_what_follows(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_stage_plan plans[3];
    char *text = NULL;
    size_t size = 0;
    stored = "one";
    assert_ok(run_with(TWO, NULL, NULL, NULL, &error));
    assert_ok(run_with(TWO, NULL, NULL, NULL, &error));
    assert_int_equal(runs, 3);

    stored = "two";
    assert_ok(load(TWO, &error));
    assert_ok(ps_pipeline_fingerprint(&pipeline, &error));
    assert_ok(ps_pipeline_plan(&pipeline, plans, &error));
    assert_false(plans[0].up_to_date || plans[1].up_to_date || plans[2].up_to_date);
    assert_string_equal(plans[2].why, "if 'a', which runs before, changes");
    ps_pipeline_close(&pipeline);

    assert_ok(run_with(TWO, NULL, NULL, "a", &error));
    assert_int_equal(runs, 4);
    FILE *out = open_memstream(&text, &size);
    assert_ok(ps_run_status("runs/t", false, out, &error));
    assert_ok(ps_run_status("runs/t", true, out, &error));
    fclose(out);
    assert_non_null(strstr(text, "sum              to do    changed: results.a"));
    assert_non_null(strstr(text, "\"state\":\"to do\",\"changed\":\"results.a\""));
    free(text);
    assert_ok(load(TWO, &error));
    assert_ok(ps_pipeline_fingerprint(&pipeline, &error));
    assert_ok(ps_pipeline_plan(&pipeline, plans, &error));
    assert_string_equal(plans[2].why, "changed: results.a");
    ps_pipeline_close(&pipeline);

    assert_ok(run_with(TWO, NULL, NULL, NULL, &error));
    assert_int_equal(runs, 6);
    assert_ok(run_with(TWO, NULL, NULL, NULL, &error));
    assert_int_equal(runs, 6);
    stored = "one"; /* the sum of that is there */
    assert_ok(run_with(TWO, NULL, NULL, NULL, &error));
    assert_int_equal(runs, 8);
}

static void a_stopped_stage_goes_on(void **state) {
    (void)state;
    struct ps_error error = {0};
    stop_in_make = true;
    assert_int_equal(run_with(TWO, NULL, NULL, NULL, &error), PS_STOPPED);
    assert_int_equal(runs, 1);
    struct ps_stage_plan plans[3];
    assert_ok(load(TWO, &error));
    assert_ok(ps_pipeline_fingerprint(&pipeline, &error));
    assert_ok(ps_pipeline_plan(&pipeline, plans, &error));
    assert_string_equal(plans[0].why, "begun, not finished");
    ps_pipeline_close(&pipeline);
    stop_in_make = false;
    assert_ok(run_with(TWO, NULL, NULL, NULL, &error));
    assert_int_equal(runs, 4);
}

static void parts_of_a_run_want_what_they_need(void **state) {
    (void)state;
    struct ps_error error = {0};
    assert_fails(run_with(TWO, NULL, "sum", NULL, &error), PS_ARGUMENT,
                 "sum needs the stage 'a', which is not done");
    assert_fails(run_with(TWO, NULL, NULL, "smu", &error), PS_ARGUMENT, "did you mean 'sum'?");
    assert_ok(run_with(TWO, NULL, NULL, "a", &error));
    assert_int_equal(runs, 1);
    assert_ok(run_with(TWO, NULL, NULL, "b", &error));
    assert_ok(run_with(TWO, NULL, "sum", NULL, &error));
    assert_int_equal(runs, 3);
}

static void the_run_directory_tells_its_state(void **state) {
    (void)state;
    struct ps_error error = {0};
    char *text = NULL;
    size_t size = 0;
    assert_ok(run_with(TWO, NULL, NULL, "a", &error));
    FILE *out = open_memstream(&text, &size);
    assert_ok(ps_run_status("runs/t", true, out, &error));
    fclose(out);
    assert_non_null(
        strstr(text, "{\"running\":false,\"stages\":[{\"id\":\"a\",\"state\":\"done\""));
    assert_non_null(strstr(text, "{\"id\":\"b\",\"state\":\"to do\"}"));
    free(text);
    assert_fails(ps_run_status("runs/u", false, stdout, &error), PS_NOT_FOUND, "no run directory");

    struct ps_buffer resolved;
    ps_buffer_init(&resolved, 10000);
    assert_ok(ps_file_read("runs/t/pipeline.resolved.yaml", &resolved, &error));
    struct ps_yaml yaml;
    assert_ok(ps_yaml_parse(&yaml, "resolved", resolved.data, resolved.size, &error));
    assert_string_equal(ps_yaml_get(yaml.root, "date")->text, "2026-11-21");
    ps_yaml_release(&yaml);
    assert_ok(load(resolved.data, &error)); /* it is a pipeline itself */
    ps_pipeline_close(&pipeline);
    ps_buffer_release(&resolved);
}

static void the_resolved_pipeline_has_the_same_results(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_buffer resolved;
    const char *text = HEAD "models: {m: {path: model}}\nstages:\n  - make: {id: a, model: m}\n"
                            "  - make: {id: b}\n  - sum: {needs: [b], model: a}\n";
    assert_ok(run_with(text, NULL, NULL, NULL, &error));
    ps_buffer_init(&resolved, 10000);
    assert_ok(ps_file_read("runs/t/pipeline.resolved.yaml", &resolved, &error));
    assert_string_equal(fingerprint_with(resolved.data, NULL, "sum"),
                        fingerprint_with(text, NULL, "sum"));
    ps_buffer_release(&resolved);
}

static void a_run_says_what_it_ran_on(void **state) {
    (void)state;
    struct ps_error error = {0};
    json_t *run, *machine, *libraries;
    const char *kernels;
    assert_ok(run_with(TWO, NULL, NULL, NULL, &error));
    assert_ok(ps_json_read_file("runs/t/run.json", 1 << 20, &run, &error));
    machine = ps_json_get(run, "machine");
    assert_ok(ps_json_string(machine, "kernels", &kernels, &error));
    assert_true(strlen(kernels) > 0);
    libraries = ps_json_get(machine, "libraries");
    assert_non_null(json_string_value(ps_json_get(libraries, "SQLite")));
    json_decref(run);
}

static void metrics_are_lines_of_json(void **state) {
    (void)state;
    struct ps_error error = {0};
    json_t *line;
    assert_ok(run_with(TWO, NULL, NULL, NULL, &error));
    FILE *file = fopen("runs/t/metrics.jsonl", "r");
    assert_non_null(file);
    struct ps_json_lines lines;
    ps_json_lines_open(&lines, "metrics.jsonl", fileno(file), 10000);
    assert_ok(ps_json_lines_next(&lines, &line, &error));
    int64_t number;
    assert_ok(ps_json_integer(line, "sum", 3, 3, &number, &error));
    json_decref(line);
    ps_json_lines_close(&lines);
    fclose(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mistakes_are_located, begin, end),
        cmocka_unit_test_setup_teardown(names_and_defaults_are_resolved, begin, end),
        cmocka_unit_test_setup_teardown(fingerprints_follow_the_identity, begin, end),
        cmocka_unit_test_setup_teardown(fingerprints_follow_files, begin, end),
        cmocka_unit_test_setup_teardown(what_is_done_is_not_done_again, begin, end),
        cmocka_unit_test_setup_teardown(results_are_part_of_what_follows, begin, end),
        cmocka_unit_test_setup_teardown(a_stopped_stage_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(parts_of_a_run_want_what_they_need, begin, end),
        cmocka_unit_test_setup_teardown(the_run_directory_tells_its_state, begin, end),
        cmocka_unit_test_setup_teardown(the_resolved_pipeline_has_the_same_results, begin, end),
        cmocka_unit_test_setup_teardown(a_run_says_what_it_ran_on, begin, end),
        cmocka_unit_test_setup_teardown(metrics_are_lines_of_json, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
