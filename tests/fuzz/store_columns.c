/* Columns of tokens and frames of text, as a hostile file might have them. The first byte says
 * which; what decodes must encode to something that decodes to the same. */

#include "store/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition) {
    if (!condition) abort();
}

static void fuzz_ids(const uint8_t *data, size_t size) {
    struct ps_buffer again;
    int64_t count = ps_store_ids_count(data, size);
    if (count < 0) return;
    int32_t *ids = malloc((size_t)count * 4 + 1), *back = malloc((size_t)count * 4 + 1);
    ps_buffer_init(&again, 1 << 24);
    if (ps_store_ids_decode(data, size, ids, (size_t)count, NULL) == PS_OK) {
        check(ps_store_ids_encode(&again, ids, (size_t)count, NULL) == PS_OK);
        check(ps_store_ids_decode(again.data, again.size, back, (size_t)count, NULL) == PS_OK);
        check(memcmp(ids, back, (size_t)count * 4) == 0);
    }
    ps_buffer_release(&again);
    free(ids);
    free(back);
}

static void fuzz_logprobs(const uint8_t *data, size_t size) {
    struct ps_buffer again;
    size_t count = size / 2;
    float *logprobs = malloc(count * 4 + 1);
    ps_buffer_init(&again, 1 << 24);
    if (ps_store_logprobs_decode(data, size, logprobs, count, NULL) == PS_OK) {
        check(ps_store_logprobs_encode(&again, logprobs, count, NULL) == PS_OK);
        check(again.size == size && memcmp(again.data, data, size) == 0);
    }
    ps_buffer_release(&again);
    free(logprobs);
}

static void fuzz_frame(const uint8_t *data, size_t size, bool prefix) {
    static struct ps_store store;
    static const char base[] = "the base of all later frames";
    struct ps_buffer out;
    if (!store.decompressor) store.decompressor = ZSTD_createDCtx();
    ps_buffer_init(&out, PS_STORE_BODY_LIMIT + 1);
    int64_t claim = (int64_t)ZSTD_getFrameContentSize(data, size);
    if (ps_store_frame_decode(store.decompressor, &out, data, size, claim, prefix ? base : NULL,
                              prefix ? sizeof base : 0, NULL) == PS_OK)
        check(out.size == (size_t)claim);
    ps_buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    if (data[0] % 4 == 0) fuzz_ids(data + 1, size - 1);
    if (data[0] % 4 == 1) fuzz_logprobs(data + 1, size - 1);
    if (data[0] % 4 >= 2) fuzz_frame(data + 1, size - 1, data[0] % 4 == 3);
    return 0;
}
