/* A model's name in a made-up Hugging Face cache. */
#include "unit.h"

#include "base/file.h"
#include "hub/hub.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static struct ps_arena arena;

static void put(const char *path, const char *text) {
    struct ps_error error = {0};
    char whole[300];
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    *strrchr(whole, '/') = 0;
    assert_ok(ps_directory_create(whole, &error));
    whole[strlen(whole)] = '/';
    assert_ok(ps_file_write_atomic(whole, text, strlen(text), &error));
}

static void set(const char *variable, const char *below) {
    char value[200];
    snprintf(value, sizeof value, "%s/%s", folder, below);
    setenv(variable, value, 1);
}

static int begin(void **state) {
    (void)state;
    static const char *const variables[] = {"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"};
    for (size_t i = 0; i < 3; i++) unsetenv(variables[i]);
    unit_folder(folder);
    set("HOME", "home");
    ps_arena_init(&arena, 1 << 20);
    return chdir(folder);
}

static int end(void **state) {
    (void)state;
    ps_arena_release(&arena);
    return chdir("/") != 0 || ps_path_remove(folder, NULL) != PS_OK;
}

/* Where `name` is found, below the test's folder. */
static const char *find(const char *name) {
    struct ps_error error = {0};
    const char *path;
    assert_ok(ps_hub_find(name, &arena, &path, &error));
    if (strncmp(path, folder, strlen(folder)) == 0) path += strlen(folder) + 1;
    return path;
}

static void assert_not_found(const char *name, const char *message) {
    struct ps_error error = {0};
    const char *path;
    assert_fails(ps_hub_find(name, &arena, &path, &error), PS_NOT_FOUND, message);
}

static void what_is_there_stands_for_itself(void **state) {
    (void)state;
    put("org/model/config.json", "{}");
    put("home/.cache/huggingface/hub/models--org--model/refs/main", "abc\n");
    put("home/.cache/huggingface/hub/models--org--model/snapshots/abc/config.json", "{}");
    assert_string_equal(find("org/model"), "org/model");
    assert_string_equal(find("org/model/config.json"), "org/model/config.json");
}

static void variables_say_where_the_cache_is(void **state) {
    (void)state;
    static const char *const caches[] = {"home/.cache/huggingface/hub", "xdg/huggingface/hub",
                                         "hf/hub", "here"};
    char path[200];
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/models--org--My.Model-1/refs/main", caches[i]);
        put(path, "0123abc");
        snprintf(path, sizeof path, "%s/models--org--My.Model-1/snapshots/0123abc/x", caches[i]);
        put(path, "");
    }
    assert_string_equal(find("org/My.Model-1"), "home/.cache/huggingface/hub/"
                                                "models--org--My.Model-1/snapshots/0123abc");
    set("XDG_CACHE_HOME", "xdg");
    assert_string_equal(find("org/My.Model-1"),
                        "xdg/huggingface/hub/models--org--My.Model-1/snapshots/0123abc");
    set("HF_HOME", "hf");
    assert_string_equal(find("org/My.Model-1"), "hf/hub/models--org--My.Model-1/snapshots/0123abc");
    set("HF_HUB_CACHE", "here");
    assert_string_equal(find("org/My.Model-1"), "here/models--org--My.Model-1/snapshots/0123abc");
}

static void a_failure_says_where_it_looked(void **state) {
    (void)state;
    set("HF_HUB_CACHE", "hub");
    put("hub/models--gpt2/refs/main", "gone\n");
    put("hub/models--org--bare/blobs/x", "");
    put("hub/models--org--odd/refs/main", "../../elsewhere");
    assert_not_found("org/none", "/hub has no models--org--none");
    assert_not_found("gpt2", "models--gpt2/snapshots/gone is not there");
    assert_not_found("org/bare", "refs/main");
    assert_not_found("../org/none", "no such file or folder");
    assert_not_found("a/b/c", "no such file or folder");
    assert_not_found("/nowhere", "no such file or folder");
    assert_not_found("", "no such file or folder");
    struct ps_error error = {0};
    const char *path;
    assert_fails(ps_hub_find("org/odd", &arena, &path, &error), PS_FORMAT, "names no commit");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_there_stands_for_itself, begin, end),
        cmocka_unit_test_setup_teardown(variables_say_where_the_cache_is, begin, end),
        cmocka_unit_test_setup_teardown(a_failure_says_where_it_looked, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
