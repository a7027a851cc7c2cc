/* The bookkeeping of the KV cache, on a backend whose pages are 8 bytes of host memory. */
#include "unit.h"

#include "base/memory.h"
#include "model/kv_cache.h"

#include <string.h>

enum { PAGE = 8, LAYERS = 2, PAGES = 6 };

static struct ps_error error;
static int64_t copies;

static size_t page_bytes(const struct ps_compute *compute, const struct ps_attention_shape *shape) {
    (void)compute, (void)shape;
    return PAGE;
}

static void *allocate(struct ps_compute *compute, size_t size) {
    (void)compute;
    return ps_calloc(1, size);
}

static void release(struct ps_compute *compute, void *memory) {
    (void)compute;
    ps_free(memory);
}

static void copy(struct ps_stream *stream, void *to, const void *from, size_t size) {
    (void)stream;
    memcpy(to, from, size);
    copies++;
}

static struct ps_kv_cache *make(void) {
    static const struct ps_model_config config = {
        .layers = LAYERS, .heads = 1, .key_value_heads = 1, .head_size = 2};
    static struct ps_compute compute = {
        .memory = {.allocate = allocate, .release = release, .copy = copy},
        .attention = {.page_bytes = page_bytes}};
    static const struct ps_model model = {.compute = &compute, .config = &config};
    struct ps_kv_cache *cache;
    copies = 0;
    assert_int_equal(ps_kv_page_bytes(&model), PAGE * LAYERS);
    assert_ok(ps_kv_cache_create(&cache, &model, PAGES, &error));
    return cache;
}

static char *page(struct ps_kv_cache *cache, int layer, int32_t index) {
    return (char *)ps_kv_cache_layers(cache)[layer] + index * PAGE;
}

static void pages_follow_the_length(void **state) {
    (void)state;
    struct ps_kv_cache *cache = make();
    struct ps_kv_sequence a = {0};
    assert_ok(ps_kv_reserve(cache, NULL, &a, 128, &error));
    assert_int_equal(a.page_count, 1);
    a.length = 128;
    assert_ok(ps_kv_reserve(cache, NULL, &a, 1, &error));
    assert_int_equal(a.page_count, 2);
    assert_ok(ps_kv_reserve(cache, NULL, &a, 1, &error)); /* room is there already */
    assert_int_equal(a.page_count, 2);
    a.length = 129;
    assert_ok(ps_kv_reserve(cache, NULL, &a, 128 * 3, &error));
    assert_int_equal(a.page_count, 5);
    assert_int_equal(ps_kv_cache_free_pages(cache), 1);
    assert_int_equal(copies, 0);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++) assert_int_not_equal(a.pages[i], a.pages[j]);

    struct ps_kv_sequence b = {0};
    assert_fails(ps_kv_reserve(cache, NULL, &b, 129, &error), PS_LIMIT, "1 free pages");
    assert_int_equal(b.page_count, 0);
    assert_int_equal(ps_kv_cache_free_pages(cache), 1);
    ps_kv_release(cache, &a);
    assert_int_equal(ps_kv_cache_free_pages(cache), PAGES);
    assert_ok(ps_kv_reserve(cache, NULL, &b, 129, &error));
    ps_kv_release(cache, &b);
    ps_kv_cache_release(cache);
}

static void shared_partial_page_is_copied_on_write(void **state) {
    (void)state;
    struct ps_kv_cache *cache = make();
    struct ps_kv_sequence prompt = {0}, a = {0}, b = {0};
    assert_ok(ps_kv_reserve(cache, NULL, &prompt, 130, &error));
    prompt.length = 130;
    memset(page(cache, 0, prompt.pages[1]), 'x', PAGE);
    memset(page(cache, 1, prompt.pages[1]), 'y', PAGE);
    assert_ok(ps_kv_share(cache, &prompt, &a, &error));
    assert_ok(ps_kv_share(cache, &prompt, &b, &error));
    assert_int_equal(ps_kv_cache_free_pages(cache), PAGES - 2);
    assert_int_equal(ps_kv_pages_needed(cache, &a, 1), 1);
    assert_int_equal(ps_kv_pages_needed(cache, &a, 0), 0);

    assert_ok(ps_kv_reserve(cache, NULL, &a, 1, &error));
    assert_int_equal(a.pages[0], prompt.pages[0]); /* full pages stay shared */
    assert_int_not_equal(a.pages[1], prompt.pages[1]);
    assert_int_equal(copies, LAYERS);
    assert_int_equal(page(cache, 0, a.pages[1])[PAGE - 1], 'x');
    assert_int_equal(page(cache, 1, a.pages[1])[PAGE - 1], 'y');
    a.length++;
    assert_ok(ps_kv_reserve(cache, NULL, &a, 1, &error)); /* its own by now */
    assert_int_equal(copies, LAYERS);

    /* The last owner needs no copy. */
    ps_kv_release(cache, &prompt);
    assert_int_equal(ps_kv_pages_needed(cache, &b, 1), 0);
    assert_ok(ps_kv_reserve(cache, NULL, &b, 1, &error));
    assert_int_equal(copies, LAYERS);
    assert_int_equal(b.pages[0], a.pages[0]);
    ps_kv_release(cache, &a);
    assert_int_equal(ps_kv_cache_free_pages(cache), PAGES - 2);
    ps_kv_release(cache, &b);
    assert_int_equal(ps_kv_cache_free_pages(cache), PAGES);
    ps_kv_cache_release(cache);
}

static void page_boundary_needs_no_copy(void **state) {
    (void)state;
    struct ps_kv_cache *cache = make();
    struct ps_kv_sequence prompt = {0}, a = {0};
    assert_ok(ps_kv_reserve(cache, NULL, &prompt, 200, &error)); /* one page more than is filled */
    prompt.length = 128;
    assert_ok(ps_kv_share(cache, &prompt, &a, &error));
    assert_int_equal(a.page_count, 1);
    assert_ok(ps_kv_reserve(cache, NULL, &a, 1, &error));
    assert_int_equal(copies, 0);
    assert_int_not_equal(a.pages[1], prompt.pages[1]);
    ps_kv_release(cache, &a);
    ps_kv_release(cache, &prompt);
    assert_int_equal(ps_kv_cache_free_pages(cache), PAGES);
    ps_kv_cache_release(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_follow_the_length),
        cmocka_unit_test(shared_partial_page_is_copied_on_write),
        cmocka_unit_test(page_boundary_needs_no_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
