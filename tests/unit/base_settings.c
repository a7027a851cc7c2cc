/* Settings tables: YAML, flags, help, canonical JSON from one source. */
#include "unit.h"

#include "base/settings.h"

#include <math.h>
#include <string.h>

struct inner {
    const char *dataset;
    int64_t every;
};
struct values {
    int64_t samples, memory;
    double temperature, patience;
    bool shuffle;
    int keep;
    const char *model;
    struct ps_strings tags;
    struct ps_string_map prompt;
    struct ps_number_map datasets;
    struct inner validate;
    struct ps_table_map models;
};

static const struct ps_setting inner_items[] = {
    {"dataset", PS_SETTING_STRING, offsetof(struct inner, dataset), .identity = true, .help = "d"},
    {"every", PS_SETTING_INTEGER, offsetof(struct inner, every), "100", .minimum = 1,
     .maximum = INFINITY, .identity = true, .help = "e"},
};
static const struct ps_settings_table inner_table =
    PS_SETTINGS_TABLE("validate", "v", inner_items, struct inner);
static const char *const keeps[] = {"correct", "all", NULL};
#define AT(member) offsetof(struct values, member)
static const struct ps_setting items[] = {
    {"samples", PS_SETTING_INTEGER, AT(samples), "1", .minimum = 1, .maximum = 1000,
     .identity = true, .help = "replies for each problem"},
    {"memory", PS_SETTING_BYTES, AT(memory), "1GiB", .help = "memory"},
    {"temperature", PS_SETTING_NUMBER, AT(temperature), .identity = true, .help = "temperature"},
    {"patience", PS_SETTING_DURATION, AT(patience), "5m", .help = "patience"},
    {"shuffle", PS_SETTING_BOOL, AT(shuffle), "true", .identity = true, .help = "shuffle"},
    {"keep", PS_SETTING_ENUM, AT(keep), "correct", .names = keeps, .identity = true, .help = "k"},
    {"model", PS_SETTING_STRING, AT(model), .required = true, .identity = true,
     .help = "the model to train"},
    {"tags", PS_SETTING_STRINGS, AT(tags), "a,b", .help = "tags"},
    {"prompt", PS_SETTING_STRING_MAP, AT(prompt), .identity = true, .help = "p"},
    {"datasets", PS_SETTING_NUMBER_MAP, AT(datasets), .identity = true, .help = "sets"},
    {"validate", PS_SETTING_TABLE, AT(validate), .table = &inner_table, .identity = true,
     .help = "v"},
    {"models", PS_SETTING_TABLE_MAP, AT(models), .table = &inner_table, .help = "models"},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("train", "Trains.", items, struct values);

static struct ps_arena arena;
static struct values values;
static const struct ps_settings part = {&table, &values};
static struct ps_yaml yaml;

static int begin(void **state) {
    (void)state;
    struct ps_error error;
    ps_arena_init(&arena, 1 << 20);
    yaml = (struct ps_yaml){0};
    if (ps_settings_defaults(&table, &values, &arena, &error) == PS_OK) return 0;
    fprintf(stderr, "%s\n", error.message);
    return -1;
}

static int end(void **state) {
    (void)state;
    ps_arena_release(&arena);
    ps_yaml_release(&yaml);
    return 0;
}

static enum ps_status read_text(const char *text, struct ps_error *error) {
    ps_yaml_release(&yaml);
    PS_TRY(ps_yaml_parse(&yaml, "f.yaml", text, strlen(text), error));
    return ps_settings_read(&part, 1, yaml.root, &arena, error);
}

static void defaults_are_parsed(void **state) {
    (void)state;
    assert_int_equal(values.samples, 1);
    assert_int_equal(values.memory, 1 << 30);
    assert_true(isnan(values.temperature));
    assert_true(values.patience == 300);
    assert_true(values.shuffle);
    assert_int_equal(values.tags.count, 2);
    assert_string_equal(values.tags.items[1], "b");
    assert_int_equal(values.validate.every, 100);
}

static void yaml_fills_every_type(void **state) {
    (void)state;
    struct ps_error error = {0};
    assert_ok(read_text("samples: 4\nmemory: 1.5K\ntemperature: 0.6\npatience: 2h\nshuffle: false\n"
                        "keep: all\nmodel: base\ntags: one\nprompt: {default: boxed, base: shots}\n"
                        "datasets: {gsm8k/test: 1, math500: 4}\nvalidate: {dataset: dev}\n"
                        "models: {x: {dataset: d, every: 7}, y: {}}\n",
                        &error));
    assert_int_equal(values.samples, 4);
    assert_int_equal(values.memory, 1536);
    assert_true(values.patience == 7200);
    assert_int_equal(values.keep, 1);
    assert_int_equal(values.tags.count, 1);
    assert_string_equal(values.prompt.items[1].value, "shots");
    assert_true(values.datasets.items[1].value == 4);
    assert_string_equal(values.validate.dataset, "dev");
    assert_int_equal(values.models.count, 2);
    assert_int_equal(((struct inner *)values.models.items[0].values)->every, 7);
    assert_ok(ps_settings_require(&part, 1, "f.yaml:1:1", &error));

    struct ps_buffer buffer;
    struct ps_json_writer writer;
    ps_buffer_init(&buffer, 4096);
    ps_json_writer_begin(&writer, &buffer);
    ps_settings_write(&part, 1, true, &writer);
    assert_ok(ps_json_writer_end(&writer, &error));
    assert_string_equal(
        buffer.data,
        "{\"datasets\":{\"gsm8k/test\":1,\"math500\":4},\"keep\":\"all\",\"model\":\"base\","
        "\"prompt\":{\"default\":\"boxed\",\"base\":\"shots\"},\"samples\":4,\"shuffle\":false,"
        "\"temperature\":0.6,\"validate\":{\"dataset\":\"dev\",\"every\":100}}");
    ps_buffer_release(&buffer);
    assert_ok(read_text("datasets: [a, b]\nprompt: boxed\n", &error));
    assert_int_equal(values.datasets.count, 2);
    assert_true(values.datasets.items[0].value == 1);
    assert_string_equal(values.prompt.items[0].key, "default");
}

static void mistakes_are_located(void **state) {
    (void)state;
    struct ps_error error = {0};
    assert_fails(read_text("shuffle: true\nsampels: 4\n", &error), PS_FORMAT,
                 "f.yaml:2:1: unknown key 'sampels'; did you mean 'samples'?");
    assert_fails(read_text("quux: 4\n", &error), PS_FORMAT, "f.yaml:1:1: unknown key 'quux'");
    assert_fails(read_text("samples: many\n", &error), PS_FORMAT,
                 "f.yaml:1:10: 'samples' is 'many', not an integer");
    assert_fails(read_text("samples: \"4\"\n", &error), PS_FORMAT, "text in quotes");
    assert_fails(read_text("samples: 0\n", &error), PS_FORMAT,
                 "f.yaml:1:10: 'samples' is 0, not in the range 1 .. 1000");
    assert_fails(read_text("samples: 99999999999999999999\n", &error), PS_FORMAT, "not an integer");
    assert_fails(read_text("samples: [1]\n", &error), PS_FORMAT, "is a list, not an integer");
    assert_fails(read_text("temperature: nan\n", &error), PS_FORMAT, "not a number");
    assert_fails(read_text("patience: 5x\n", &error), PS_FORMAT, "not a time");
    assert_fails(read_text("keep: corect\n", &error), PS_FORMAT,
                 "not one of correct, all; did you mean 'correct'?");
    assert_fails(read_text("shuffle: yes\n", &error), PS_FORMAT, "not true or false");
    assert_fails(read_text("validate: {evry: 5}\n", &error), PS_FORMAT,
                 "f.yaml:1:12: unknown key 'evry'; did you mean 'every'?");
    assert_fails(read_text("[1]\n", &error), PS_FORMAT, "train is a list, not a mapping");
    assert_fails(ps_settings_require(&part, 1, "f.yaml:9:1", &error), PS_FORMAT,
                 "f.yaml:9:1: 'model' is missing (the model to train)");
}

#define FLAGS(...)                                                                                 \
    (ps_settings_read_flags(&part, 1, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)),     \
                            (char *[]){__VA_ARGS__}, &arguments, &arena, &error))

static void flags_are_settings(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_strings arguments;
    assert_ok(FLAGS("STORE", "--samples", "5", "--temperature=0.25", "--no-shuffle", "--tags", "x",
                    "--tags=y,z", "--datasets", "a=2,b", "--validate.every=9", "-", "--", "--w"));
    assert_int_equal(arguments.count, 3);
    assert_string_equal(arguments.items[2], "--w");
    assert_int_equal(values.samples, 5);
    assert_false(values.shuffle);
    assert_int_equal(values.tags.count, 3);
    assert_string_equal(values.tags.items[0], "x");
    assert_true(values.datasets.items[0].value == 2);
    assert_int_equal(values.validate.every, 9);
}

static void wrong_flags_are_refused(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_strings arguments;
    assert_fails(FLAGS("--sampels", "5"), PS_ARGUMENT,
                 "unknown option --sampels; did you mean --samples?");
    assert_fails(FLAGS("--samples"), PS_ARGUMENT, "--samples wants a value");
    assert_fails(FLAGS("--samples=x"), PS_ARGUMENT, "--samples: 'samples' is 'x', not an integer");
    assert_fails(FLAGS("-q"), PS_ARGUMENT, "unknown option -q");
    assert_ok(read_text("models: {x2.5: {dataset: d}}\n", &error));
    assert_ok(ps_settings_set(&part, 1, "--set", "models.x2.5.every", "3", false, &arena, &error));
    assert_int_equal(((struct inner *)values.models.items[0].values)->every, 3);
    assert_fails(ps_settings_set(&part, 1, "--set", "models.y.every", "3", false, &arena, &error),
                 PS_ARGUMENT, "--set: unknown key");
}

static void help_and_reference_name_everything(void **state) {
    (void)state;
    struct ps_buffer buffer;
    ps_buffer_init(&buffer, 1 << 16);
    assert_true(ps_settings_help(&table, &buffer));
    assert_non_null(strstr(buffer.data, "  --samples INTEGER           replies for each problem"));
    assert_non_null(strstr(buffer.data, "--validate.every INTEGER"));
    assert_null(strstr(buffer.data, "--models"));
    for (char *line = buffer.data, *next; *line; line = next + 1) {
        next = strchr(line, '\n');
        assert_true(next - line <= 100);
    }
    buffer.size = 0;
    assert_true(ps_settings_reference(&table, &buffer));
    assert_non_null(
        strstr(buffer.data, "| `validate.every` | an integer, 1 or more | `100` | yes"));
    ps_buffer_release(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(defaults_are_parsed, begin, end),
        cmocka_unit_test_setup_teardown(yaml_fills_every_type, begin, end),
        cmocka_unit_test_setup_teardown(mistakes_are_located, begin, end),
        cmocka_unit_test_setup_teardown(flags_are_settings, begin, end),
        cmocka_unit_test_setup_teardown(wrong_flags_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(help_and_reference_name_everything, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
