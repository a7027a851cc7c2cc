#include "model/kv_cache.h"

#include "base/memory.h"

struct ps_kv_cache {
    struct ps_compute *compute;
    size_t page_bytes; /* of one layer */
    int64_t layers, pages;
    void **memory;       /* [layers] device */
    int32_t *references; /* [pages] */
    int32_t *free;       /* [pages]; the last free_count ones given back come first */
    int64_t free_count;
};

static size_t layer_page_bytes(const struct ps_model *model) {
    struct ps_attention_shape shape = ps_model_attention(model);
    return model->compute->attention.page_bytes(model->compute, &shape);
}

size_t ps_kv_page_bytes(const struct ps_model *model) {
    return layer_page_bytes(model) * (size_t)model->config->layers;
}

static enum ps_status allocate(struct ps_kv_cache *cache, struct ps_error *error) {
    size_t bytes;
    PS_FAIL_IF(cache->pages < 1 || cache->pages > INT32_MAX ||
                   __builtin_mul_overflow((size_t)cache->pages, cache->page_bytes, &bytes),
               error, PS_ARGUMENT, "a KV cache of %lld pages", (long long)cache->pages);
    cache->memory = ps_calloc((size_t)cache->layers, sizeof *cache->memory);
    cache->references = ps_calloc((size_t)cache->pages, sizeof *cache->references);
    cache->free = ps_calloc((size_t)cache->pages, sizeof *cache->free);
    PS_FAIL_IF_NULL(cache->memory && cache->references && cache->free, error);
    for (int64_t i = 0; i < cache->layers; i++) {
        cache->memory[i] = cache->compute->memory.allocate(cache->compute, bytes);
        PS_FAIL_IF(!cache->memory[i], error, PS_MEMORY,
                   "no memory for a KV cache of %lld pages, %zu bytes a layer; make it smaller",
                   (long long)cache->pages, bytes);
    }
    for (int64_t i = 0; i < cache->pages; i++)
        cache->free[i] = (int32_t)(cache->pages - 1 - i); /* page 0 is given out first */
    cache->free_count = cache->pages;
    return PS_OK;
}

enum ps_status ps_kv_cache_create(struct ps_kv_cache **result, const struct ps_model *model,
                                  int64_t pages, struct ps_error *error) {
    *result = NULL;
    struct ps_kv_cache *cache = ps_calloc(1, sizeof *cache);
    PS_FAIL_IF_NULL(cache, error);
    *cache = (struct ps_kv_cache){.compute = model->compute,
                                  .page_bytes = layer_page_bytes(model),
                                  .layers = model->config->layers,
                                  .pages = pages};
    enum ps_status status = allocate(cache, error);
    if (status == PS_OK)
        *result = cache;
    else
        ps_kv_cache_release(cache);
    return status;
}

void ps_kv_cache_release(struct ps_kv_cache *cache) {
    if (!cache) return;
    for (int64_t i = 0; cache->memory && i < cache->layers; i++)
        if (cache->memory[i]) cache->compute->memory.release(cache->compute, cache->memory[i]);
    ps_free(cache->memory);
    ps_free(cache->references);
    ps_free(cache->free);
    ps_free(cache);
}

int64_t ps_kv_cache_free_pages(const struct ps_kv_cache *cache) {
    return cache->free_count;
}

void *const *ps_kv_cache_layers(const struct ps_kv_cache *cache) {
    return cache->memory;
}

/* ---- sequences ---- */

static int64_t pages_of(int64_t positions) {
    return (positions + PS_PAGE_POSITIONS - 1) / PS_PAGE_POSITIONS;
}

/* The next position lies in a page that others use as well. */
static bool last_page_is_shared(const struct ps_kv_cache *cache,
                                const struct ps_kv_sequence *sequence) {
    if (sequence->length % PS_PAGE_POSITIONS == 0) return false;
    return cache->references[sequence->pages[sequence->length / PS_PAGE_POSITIONS]] > 1;
}

int64_t ps_kv_pages_needed(const struct ps_kv_cache *cache, const struct ps_kv_sequence *sequence,
                           int64_t more) {
    if (more == 0) return 0;
    int64_t pages = pages_of(sequence->length + more) - sequence->page_count;
    return (pages > 0 ? pages : 0) + last_page_is_shared(cache, sequence);
}

static enum ps_status grow(struct ps_kv_sequence *sequence, int64_t pages, struct ps_error *error) {
    if (pages <= sequence->page_capacity) return PS_OK;
    int64_t capacity = sequence->page_capacity < 4 ? 4 : 2 * sequence->page_capacity;
    if (capacity < pages) capacity = pages;
    int32_t *list = ps_realloc(sequence->pages, (size_t)capacity * sizeof *list);
    PS_FAIL_IF_NULL(list, error);
    sequence->pages = list;
    sequence->page_capacity = capacity;
    return PS_OK;
}

static int32_t take_page(struct ps_kv_cache *cache) {
    int32_t page = cache->free[--cache->free_count];
    cache->references[page] = 1;
    return page;
}

static void give_back(struct ps_kv_cache *cache, int32_t page) {
    if (--cache->references[page] == 0) cache->free[cache->free_count++] = page;
}

static void copy_page(const struct ps_kv_cache *cache, struct ps_stream *stream, int32_t from,
                      int32_t to) {
    for (int64_t i = 0; i < cache->layers; i++) {
        uint8_t *memory = cache->memory[i];
        cache->compute->memory.copy(stream, memory + (size_t)to * cache->page_bytes,
                                    memory + (size_t)from * cache->page_bytes, cache->page_bytes);
    }
}

enum ps_status ps_kv_reserve(struct ps_kv_cache *cache, struct ps_stream *stream,
                             struct ps_kv_sequence *sequence, int64_t more,
                             struct ps_error *error) {
    int64_t needed = ps_kv_pages_needed(cache, sequence, more);
    PS_FAIL_IF(needed > cache->free_count, error, PS_LIMIT,
               "the KV cache has %lld free pages, %lld more are needed",
               (long long)cache->free_count, (long long)needed);
    int64_t pages = pages_of(sequence->length + more);
    PS_TRY(grow(sequence, pages, error));
    if (more > 0 && last_page_is_shared(cache, sequence)) {
        int32_t *page = &sequence->pages[sequence->length / PS_PAGE_POSITIONS];
        int32_t copy = take_page(cache);
        copy_page(cache, stream, *page, copy);
        give_back(cache, *page);
        *page = copy;
    }
    while (sequence->page_count < pages) sequence->pages[sequence->page_count++] = take_page(cache);
    return PS_OK;
}

enum ps_status ps_kv_share(struct ps_kv_cache *cache, const struct ps_kv_sequence *from,
                           struct ps_kv_sequence *to, struct ps_error *error) {
    int64_t pages = pages_of(from->length); /* not those reserved behind */
    PS_TRY(grow(to, pages, error));
    for (int64_t i = 0; i < pages; i++) {
        to->pages[i] = from->pages[i];
        cache->references[to->pages[i]]++;
    }
    to->page_count = pages;
    to->length = from->length;
    return PS_OK;
}

void ps_kv_release(struct ps_kv_cache *cache, struct ps_kv_sequence *sequence) {
    for (int64_t i = 0; i < sequence->page_count; i++) give_back(cache, sequence->pages[i]);
    ps_free(sequence->pages);
    *sequence = (struct ps_kv_sequence){0};
}
