/* YAML: the tree, positions, aliases, and what is refused. */
#include "unit.h"

#include "base/yaml.h"

#include <string.h>

static enum ps_status parse(struct ps_yaml *yaml, const char *text, struct ps_error *error) {
    return ps_yaml_parse(yaml, "f.yaml", text, strlen(text), error);
}

static void nodes_know_where_they_stand(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_yaml yaml;
    assert_ok(parse(&yaml, "a: 1\nb: {c: \"1\", d: [x, ~]}\ne: |\n  two\n  lines\nf:\n", &error));
    const struct ps_yaml_node *root = yaml.root;
    assert_int_equal(root->count, 4);
    const struct ps_yaml_node *a = ps_yaml_get(root, "a");
    assert_true(a->plain);
    assert_int_equal(a->line, 1);
    assert_int_equal(a->column, 4);
    const struct ps_yaml_node *b = ps_yaml_get(root, "b");
    assert_int_equal(b->kind, PS_YAML_MAPPING);
    const struct ps_yaml_node *c = ps_yaml_get(b, "c");
    assert_false(c->plain);
    assert_int_equal(c->line, 2);
    assert_int_equal(c->column, 8);
    const struct ps_yaml_node *d = ps_yaml_get(b, "d");
    assert_int_equal(d->kind, PS_YAML_SEQUENCE);
    assert_int_equal(d->count, 2);
    assert_true(ps_yaml_is_null(d->first->next));
    assert_string_equal(ps_yaml_get(root, "e")->text, "two\nlines\n");
    assert_true(ps_yaml_is_null(ps_yaml_get(root, "f")));
    assert_null(ps_yaml_get(root, "g"));
    assert_int_equal(ps_yaml_fail(c, &error, "x%d", 1), PS_FORMAT);
    assert_string_equal(error.message, "f.yaml:2:8: x1");
    ps_yaml_release(&yaml);
}

static void aliases_are_copies(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_yaml yaml;
    assert_ok(parse(&yaml, "a: &x {b: [1, 2]}\nc: *x\nd: &y text\ne: *y\n", &error));
    const struct ps_yaml_node *c = ps_yaml_get(yaml.root, "c");
    assert_int_equal(c->line, 2);
    assert_int_equal(ps_yaml_get(c, "b")->count, 2);
    assert_string_equal(ps_yaml_get(yaml.root, "e")->text, "text");
    ps_yaml_release(&yaml);
}

static void bad_text_is_refused_with_its_place(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_yaml yaml;
    assert_fails(parse(&yaml, "a: [1\nb: 2\n", &error), PS_FORMAT, "f.yaml:");
    assert_fails(parse(&yaml, "a: 1\na: 2\n", &error), PS_FORMAT, "f.yaml:2:1: 'a' stands twice");
    assert_fails(parse(&yaml, "", &error), PS_FORMAT, "f.yaml: is empty");
    assert_fails(parse(&yaml, "a: 1\n---\nb: 1\n", &error), PS_FORMAT, "second document");
    assert_fails(parse(&yaml, "? [1]\n: 2\n", &error), PS_FORMAT, "a key must be text");
    assert_fails(parse(&yaml, "a: *x\n", &error), PS_FORMAT, "f.yaml:1:4");
    assert_fails(parse(&yaml, "a: &x [*x]\n", &error), PS_FORMAT, "inside its own anchor");
    assert_fails(parse(&yaml, "a: !!int 5\n", &error), PS_FORMAT, "tags other");
    assert_fails(parse(&yaml, "a: \"x\\0y\"\n", &error), PS_FORMAT, "NUL");
    assert_fails(parse(&yaml, "a: 1\nb: \xE9\n", &error), PS_FORMAT, "f.yaml:2:4: not UTF-8");
    assert_fails(parse(&yaml, "%[[ \xC3\xA9", &error), PS_FORMAT, "f.yaml:1:1: directives");
    char deep[400] = "a: ";
    memset(deep + 3, '[', 300);
    assert_fails(parse(&yaml, deep, &error), PS_FORMAT, "f.yaml:1:");
}

static void nested_aliases_cannot_explode(void **state) {
    (void)state;
    struct ps_error error = {0};
    struct ps_yaml yaml;
    struct ps_buffer text;
    ps_buffer_init(&text, 10000);
    assert_true(ps_buffer_puts(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"));
    for (int i = 1; i < 10; i++) {
        assert_true(ps_buffer_format(&text, "a%d: &a%d [", i, i));
        for (int j = 0; j < 9; j++) assert_true(ps_buffer_format(&text, "*a%d, ", i - 1));
        assert_true(ps_buffer_puts(&text, "]\n"));
    }
    assert_fails(parse(&yaml, text.data, &error), PS_FORMAT, "values, aliases included");
    ps_buffer_release(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_where_they_stand),
        cmocka_unit_test(aliases_are_copies),
        cmocka_unit_test(bad_text_is_refused_with_its_place),
        cmocka_unit_test(nested_aliases_cannot_explode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
