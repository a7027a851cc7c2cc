/* The catalog: shipped sets, mixing, sampling, what is taken out of what, decontamination. */
#include "unit.h"

#include "base/file.h"
#include "datasets/datasets.h"

#include <string.h>

static char folder[] = "/tmp/potstill-catalog-XXXXXX";
static char path_a[256], path_b[256], path_test[256];

static void write_rows(char path[256], const char *name, const char *word, int count) {
    static char text[1 << 20];
    size_t used = 0;
    struct ps_error error;
    snprintf(path, 256, "%s/%s", folder, name);
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "{\"question\":\"What is %s number %d?\",\"answer\":\"%d\"}\n",
                                 word, i, i);
    assert_ok(ps_file_write_atomic(path, text, used, &error));
}

static int make_files(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return 1;
    write_rows(path_a, "a.jsonl", "apple", 100);
    write_rows(path_b, "b.jsonl", "berry", 1000);
    write_rows(path_test, "test.jsonl", "apple", 7);
    return setenv("XDG_STATE_HOME", folder, 1);
}

static int remove_files(void **state) {
    (void)state;
    return ps_path_remove(folder, NULL) == PS_OK ? 0 : 1;
}

static struct ps_dataset_catalog *open_catalog(const struct ps_dataset_spec *specs, size_t count) {
    struct ps_error error;
    struct ps_dataset_catalog *catalog;
    assert_ok(ps_dataset_catalog_open(&catalog, specs, count, 17, &error));
    return catalog;
}

static const struct ps_dataset *get(struct ps_dataset_catalog *catalog, const char *name) {
    struct ps_error error;
    const struct ps_dataset *set;
    assert_ok(ps_dataset_get(catalog, name, &set, &error));
    return set;
}

static bool has(const struct ps_dataset *set, const struct ps_dataset_row *row) {
    for (size_t i = 0; i < set->count; i++)
        if (set->rows[i].source == row->source && strcmp(set->rows[i].id, row->id) == 0)
            return true;
    return false;
}

static size_t count_of(const struct ps_dataset *set, const char *dataset) {
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        count += strcmp(set->rows[i].source->dataset, dataset) == 0;
    return count;
}

static void mixes_by_weight(void **state) {
    (void)state;
    const struct ps_dataset_part parts[] = {{"a", 1}, {"b", 3}};
    const struct ps_dataset_spec specs[] = {
        {.name = "m", .mix = parts, .mix_count = 2},
        {.name = "a", .file = path_a},
        {.name = "b", .file = path_b},
    };
    struct ps_dataset_catalog *catalog = open_catalog(specs, 3), *again = open_catalog(specs, 3);
    const struct ps_dataset *m = get(catalog, "m"), *same = get(again, "m");
    assert_int_equal(m->count, 400);
    assert_int_equal(count_of(m, "a"), 100);
    assert_int_equal(count_of(m, "b"), 300);
    assert_int_equal(m->source_count, 2);
    size_t runs = 0;
    for (size_t i = 0; i < m->count; i++) {
        assert_string_equal(m->rows[i].question, same->rows[i].question);
        runs += i > 0 && m->rows[i].source != m->rows[i - 1].source;
    }
    assert_in_range(runs, 100, 200); /* well mixed: 150 changes are expected */
    ps_dataset_catalog_close(catalog);
    ps_dataset_catalog_close(again);
}

static void samples_are_taken_out(void **state) {
    (void)state;
    const struct ps_dataset_spec specs[] = {
        {.name = "dev", .from = "b", .sample = 200},
        {.name = "b", .file = path_b},
        {.name = "shots", .from = "b", .sample = 5},
        {.name = "few", .file = path_a, .sample = 10},
    };
    struct ps_dataset_catalog *catalog = open_catalog(specs, 4);
    const struct ps_dataset *dev = get(catalog, "dev"), *b = get(catalog, "b"),
                            *shots = get(catalog, "shots"), *few = get(catalog, "few");
    assert_int_equal(dev->count, 200);
    assert_int_equal(shots->count, 5);
    assert_int_equal(b->count, 795);
    assert_int_equal(few->count, 10);
    for (size_t i = 0; i < dev->count; i++) {
        assert_false(has(b, &dev->rows[i]));
        assert_false(has(shots, &dev->rows[i]));
    }
    ps_dataset_catalog_close(catalog);
}

/* The same rows whatever else the pipeline defines and in whatever order it is asked. */
static void samples_depend_on_seed_and_name(void **state) {
    (void)state;
    const struct ps_dataset_spec one[] = {{.name = "few", .file = path_b, .sample = 50}};
    const struct ps_dataset_spec two[] = {{.name = "a", .file = path_a},
                                          {.name = "few", .file = path_b, .sample = 50}};
    struct ps_error error;
    struct ps_dataset_catalog *x = open_catalog(one, 1), *y = open_catalog(two, 2), *z;
    assert_ok(ps_dataset_catalog_open(&z, one, 1, 18, &error));
    get(y, "a");
    const struct ps_dataset *first = get(x, "few"), *second = get(y, "few"), *other = get(z, "few");
    size_t same = 0;
    for (size_t i = 0; i < 50; i++) {
        assert_string_equal(first->rows[i].id, second->rows[i].id);
        for (size_t j = 0; j < 50; j++) same += strcmp(first->rows[i].id, other->rows[j].id) == 0;
    }
    assert_true(same < 15);
    ps_dataset_catalog_close(x);
    ps_dataset_catalog_close(y);
    ps_dataset_catalog_close(z);
}

static void decontaminates(void **state) {
    (void)state;
    static const char train[] =
        "{\"question\":\"what is APPLE number 3\"}\n"
        "{\"question\":\"Tom\\u2019s dog has 3 bones, and he buries 2 of them. How many?\"}\n"
        "{\"question\":\"My dog has 3 bones and he buries nothing at all today.\"}\n"
        "{\"question\":\"Compute $2 - 3$.\"}\n";
    static const char test[] =
        "{\"question\":\"Tim's dog has 3 bones and he buries 2 of those.\"}\n"
        "{\"question\":\"Compute $2 + 3$.\"}\n";
    char train_path[256], second_path[256];
    struct ps_error error;
    snprintf(train_path, sizeof train_path, "%s/train.jsonl", folder);
    snprintf(second_path, sizeof second_path, "%s/second.jsonl", folder);
    assert_ok(ps_file_write_atomic(train_path, train, strlen(train), &error));
    assert_ok(ps_file_write_atomic(second_path, test, strlen(test), &error));
    const char *const others[] = {"t", "u"};
    const struct ps_dataset_spec specs[] = {
        {.name = "train", .file = train_path, .decontaminate = others, .decontaminate_count = 2},
        {.name = "t", .file = path_test, .test = true},
        {.name = "u", .file = second_path, .test = true},
    };
    struct ps_dataset_catalog *catalog = open_catalog(specs, 3);
    const struct ps_dataset *set = get(catalog, "train");
    assert_int_equal(set->count, 2);
    assert_string_equal(set->rows[0].id, "3");
    assert_string_equal(set->rows[1].id, "4");
    assert_int_equal(set->drop_count, 2);
    assert_string_equal(set->drops[0].row->id, "1");
    assert_string_equal(set->drops[0].other->id, "4");
    assert_null(set->drops[0].gram);
    assert_string_equal(set->drops[1].other->source->dataset, "u");
    assert_string_equal(set->drops[1].gram, "dog has 3 bones and he buries 2");
    ps_dataset_catalog_close(catalog);
}

static void drops_repeated_questions_of_a_mix(void **state) {
    (void)state;
    const struct ps_dataset_part parts[] = {{"a", 1}, {"t", 1}};
    const struct ps_dataset_spec specs[] = {
        {.name = "m", .mix = parts, .mix_count = 2},
        {.name = "a", .file = path_test},
        {.name = "t", .file = path_test, .test = true},
    };
    struct ps_dataset_catalog *catalog = open_catalog(specs, 3);
    const struct ps_dataset *set = get(catalog, "m");
    assert_int_equal(set->count, 7);
    assert_int_equal(set->duplicates, 7);
    ps_dataset_catalog_close(catalog);
}

static void bad_descriptions_are_refused(void **state) {
    (void)state;
    const struct ps_dataset_part loop[] = {{"y", 1}}, back[] = {{"x", 1}}, zero[] = {{"a", 0}};
    static const char *const self[] = {"s"};
    const struct {
        struct ps_dataset_spec specs[2];
        size_t count;
        enum ps_status status;
        const char *get, *message;
    } cases[] = {
        {{{.name = "x"}}, 1, PS_ARGUMENT, NULL, "'x' needs exactly one of file, mix"},
        {{{.name = "x", .file = "f", .from = "g", .sample = 1}},
         1,
         PS_ARGUMENT,
         NULL,
         "exactly one"},
        {{{.name = "x", .from = "g"}}, 1, PS_ARGUMENT, NULL, "without 'sample'"},
        {{{.name = "x", .file = "f"}, {.name = "x", .file = "g"}},
         2,
         PS_ARGUMENT,
         NULL,
         "two sets are called 'x'"},
        {{{.name = "x", .mix = zero, .mix_count = 1}}, 1, PS_ARGUMENT, NULL, "weights are above 0"},
        {{{.name = "x", .mix = loop, .mix_count = 1}, {.name = "y", .mix = back, .mix_count = 1}},
         2,
         PS_ARGUMENT,
         "x",
         "'x' is made from itself"},
        {{{.name = "s", .file = path_a, .decontaminate = self, .decontaminate_count = 1}},
         1,
         PS_ARGUMENT,
         "s",
         "'s' is made from itself"},
        {{{.name = "x", .from = "x", .sample = 1}}, 1, PS_ARGUMENT, "x", "made from itself"},
        {{{.name = "x", .file = path_a, .sample = 101}},
         1,
         PS_ARGUMENT,
         "x",
         "'x' samples 101 rows, but the set has 100"},
        {{{.name = "x", .file = "/nonexistent/x.jsonl"}},
         1,
         PS_NOT_FOUND,
         "x",
         "/nonexistent/x.jsonl"},
        {{{.name = "x", .generator = "arith/nope"}}, 1, PS_NOT_FOUND, "x", "no generator"},
        {{{.name = "train", .file = "f"}}, 1, PS_NOT_FOUND, "trian", "did you mean 'train'"},
        {{{.name = "train", .file = "f"}}, 1, PS_NOT_FOUND, "gsm8k", "did you mean 'gsm8k/"},
        {{{.name = "train", .file = "f"}}, 1, PS_NOT_FOUND, "gsm8", "did you mean 'gsm8k/train'"},
    };
    struct ps_error error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ps_dataset_catalog *catalog;
        const struct ps_dataset *set;
        enum ps_status status =
            ps_dataset_catalog_open(&catalog, cases[i].specs, cases[i].count, 1, &error);
        if (cases[i].get && status == PS_OK)
            status = ps_dataset_get(catalog, cases[i].get, &set, &error);
        assert_fails(status, cases[i].status, cases[i].message);
        ps_dataset_catalog_close(catalog);
    }
}

static void missing_files_say_where_to_get_them(void **state) {
    (void)state;
    struct ps_error error;
    const struct ps_dataset *set;
    struct ps_dataset_catalog *catalog = open_catalog(NULL, 0);
    setenv("POTSTILL_DATA", folder, 1);
    assert_fails(ps_dataset_get(catalog, "gsm8k/test", &set, &error), PS_NOT_FOUND,
                 "gsm8k/test.jsonl is not there; get it from https://github.com/openai");
    assert_non_null(strstr(error.message, folder));
    unsetenv("POTSTILL_DATA");
    setenv("XDG_DATA_HOME", "/xdg", 1);
    assert_fails(ps_dataset_get(catalog, "aime24", &set, &error), PS_NOT_FOUND,
                 "/xdg/potstill/math/aime24.jsonl");
    unsetenv("XDG_DATA_HOME");
    ps_dataset_catalog_close(catalog);
}

static void generated_sets_have_no_repeated_questions(void **state) {
    (void)state;
    const struct ps_dataset_spec specs[] = {
        {.name = "chains", .generator = "arith/chains", .seed = 5, .count = 3000}};
    struct ps_dataset_catalog *catalog = open_catalog(specs, 1);
    const struct ps_dataset *set = get(catalog, "chains"), *test = get(catalog, "arith/test"),
                            *longer = get(catalog, "arith/longer");
    assert_int_equal(set->count, 3000);
    assert_string_equal(set->rows[0].source->dataset, "arith");
    assert_false(set->rows[0].source->test);
    for (size_t i = 0; i < 300; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(set->rows[i].question, set->rows[j].question);
    assert_int_equal(test->count, 500);
    assert_true(test->rows[0].source->test && longer->rows[0].source->test);
    assert_string_equal(test->rows[0].source->prompt, "{question}");
    assert_ptr_equal(get(catalog, "arith/test"), test);
    ps_dataset_catalog_close(catalog);
}

static void lists_the_shipped_sets(void **state) {
    (void)state;
    struct ps_error error;
    const struct ps_dataset_listing *list;
    size_t count, seen = 0;
    struct ps_dataset_catalog *catalog = open_catalog(NULL, 0);
    assert_ok(ps_dataset_list(catalog, &list, &count, &error));
    for (size_t i = 0; i < count; i++) {
        static const char *const names[] = {"aime24",      "aime25",     "arith/longer",
                                            "arith/train", "gsm8k/test", "math/test",
                                            "math500",     "svamp"};
        for (size_t j = 0; j < 8; j++) seen += strcmp(list[i].name, names[j]) == 0;
        assert_non_null(list[i].source.licence);
        if (strncmp(list[i].name, "arith/", 6) == 0) assert_true(list[i].present);
    }
    assert_int_equal(seen, 8);
    ps_dataset_catalog_close(catalog);
}

static void real_sets_load(void **state) {
    (void)state;
    char data[4096];
    const char *file = unit_shared("gsm8k/test.jsonl");
    if (!file) skip();
    snprintf(data, sizeof data, "%.*s", (int)(strstr(file, "/gsm8k/") - file), file);
    setenv("POTSTILL_DATA", data, 1);
    const char *const others[] = {"gsm8k/test", "math500"};
    const struct ps_dataset_part part[] = {{"gsm8k/train", 1}};
    const struct ps_dataset_spec specs[] = {{.name = "train",
                                             .mix = part,
                                             .mix_count = 1,
                                             .decontaminate = others,
                                             .decontaminate_count = 2}};
    struct ps_dataset_catalog *catalog = open_catalog(specs, 1);
    const struct ps_dataset *test = get(catalog, "gsm8k/test"), *svamp = get(catalog, "svamp"),
                            *math = get(catalog, "math500"), *train = get(catalog, "train");
    assert_int_equal(test->count, 1319);
    assert_string_equal(test->rows[0].gold, "18");
    assert_non_null(strstr(test->rows[0].solution, "She makes 9 * 2 = $18 every day"));
    assert_true(test->sources[0]->sha256_declared);
    assert_int_equal(svamp->count, 1000);
    assert_string_equal(svamp->rows[0].gold, "145");
    assert_string_equal(svamp->rows[0].id, "chal-777");
    assert_non_null(strstr(svamp->rows[0].question, "into 93 groups. How big is"));
    assert_int_equal(math->count, 500);
    assert_string_equal(math->rows[1].gold, "p - q");
    assert_ptr_equal(math, get(catalog, "math500/test"));
    assert_int_equal(strlen(math->sources[0]->sha256), 64);
    assert_int_equal(train->count + train->drop_count + train->duplicates, 7473);
    printf("gsm8k/train: %zu rows, %zu met gsm8k/test or math500, %zu repeated\n", train->count,
           train->drop_count, train->duplicates);
    assert_in_range(train->drop_count, 1, 400);
    ps_dataset_catalog_close(catalog);
    unsetenv("POTSTILL_DATA");
}

/* The first use notes a checksum; a changed file is another line of stderr and no failure. */
static void undeclared_checksums_are_noted(void **state) {
    (void)state;
    static const char row[] = "{\"problem\":\"p\",\"answer\":\"1\"}\n";
    char path[512], notes_path[512], message[1024] = "";
    struct ps_error error;
    struct ps_buffer notes;
    setenv("POTSTILL_DATA", folder, 1);
    snprintf(path, sizeof path, "%s/math", folder);
    assert_ok(ps_directory_create(path, &error));
    snprintf(path, sizeof path, "%s/math/aime24.jsonl", folder);
    snprintf(notes_path, sizeof notes_path, "%s/potstill/checksums", folder);
    FILE *captured = tmpfile();
    int saved = dup(2);
    for (int i = 0; i < 3; i++) { /* first use, second use, after a change */
        assert_ok(ps_file_write_atomic(path, row, strlen(row) - (i == 2), &error));
        struct ps_dataset_catalog *catalog = open_catalog(NULL, 0);
        if (i > 0) dup2(fileno(captured), 2);
        const struct ps_dataset *set = get(catalog, "aime24");
        fflush(stderr);
        dup2(saved, 2);
        long size = lseek(fileno(captured), 0, SEEK_END);
        assert_int_equal(size > 0, i == 2);
        ps_buffer_init(&notes, 1 << 20);
        assert_ok(ps_file_read(notes_path, &notes, &error));
        if (i == 0) assert_non_null(strstr(notes.data, set->sources[0]->sha256));
        char *line = strstr(notes.data, "aime24.jsonl\n");
        assert_true(line && !strstr(line + 1, "aime24.jsonl"));
        ps_buffer_release(&notes);
        ps_dataset_catalog_close(catalog);
    }
    close(saved);
    assert_true(pread(fileno(captured), message, sizeof message - 1, 0) > 0);
    assert_non_null(strstr(message, "aime24.jsonl has changed since it was first used"));
    fclose(captured);
    unsetenv("POTSTILL_DATA");
}

static void survives_failing_allocations(void **state) {
    (void)state;
    const struct ps_dataset_part parts[] = {{"a", 1}, {"t", 1}};
    const char *const others[] = {"t"};
    const struct ps_dataset_spec specs[] = {
        {.name = "m",
         .mix = parts,
         .mix_count = 2,
         .decontaminate = others,
         .decontaminate_count = 1},
        {.name = "dev", .from = "m", .sample = 2},
        {.name = "a", .file = path_a},
        {.name = "t", .file = path_test},
    };
    enum ps_status status = PS_MEMORY;
    size_t n = 1;
    for (; n < 20000 && status != PS_OK; n += 1 + n / 40) {
        struct ps_error error;
        struct ps_dataset_catalog *catalog;
        const struct ps_dataset *set;
        ps_memory_fail_at(n);
        status = ps_dataset_catalog_open(&catalog, specs, 4, 1, &error);
        if (status == PS_OK) status = ps_dataset_get(catalog, "dev", &set, &error);
        ps_memory_fail_at(0);
        if (status != PS_OK && status != PS_MEMORY)
            fail_msg("allocation %zu: %s", n, error.message);
        if (status == PS_MEMORY && catalog) /* a second try finds its feet */
            assert_ok(ps_dataset_get(catalog, "dev", &set, &error));
        ps_dataset_catalog_close(catalog);
    }
    assert_int_equal(status, PS_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixes_by_weight),
        cmocka_unit_test(samples_are_taken_out),
        cmocka_unit_test(samples_depend_on_seed_and_name),
        cmocka_unit_test(decontaminates),
        cmocka_unit_test(drops_repeated_questions_of_a_mix),
        cmocka_unit_test(bad_descriptions_are_refused),
        cmocka_unit_test(missing_files_say_where_to_get_them),
        cmocka_unit_test(generated_sets_have_no_repeated_questions),
        cmocka_unit_test(lists_the_shipped_sets),
        cmocka_unit_test(real_sets_load),
        cmocka_unit_test(undeclared_checksums_are_noted),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
