/* Columns of tokens and frames of text.
 *
 * A column begins with a byte that names its coding, so that later formats can add some.
 * ids, 1: each id as a varint (7 bits a byte, low ones first, the top bit says that more follow);
 * logprobs, 1: each as a 16-bit code, little-endian (store.h says what a code means);
 * both, 2: a varint, the place of the trace's in what its frame has of them. There ids stand as
 * above, log-probabilities as the high bytes of all codes and then the low ones, which compresses.
 *
 * A frame is one zstd frame with content size and checksum. Files come from strangers, so what a
 * frame claims is compared with the row and the limit before memory is taken for it. */

#include "store_internal.h"

#include <math.h>
#include <string.h>
#include <zstd.h>

enum { CODING_VARINT = 1, CODING_CODE16 = 1, CODING_FRAME = 2, VARINT_BYTES = 5 };
enum { LOGPROB_LARGEST = 0xFFFE, LOGPROB_UNKNOWN = 0xFFFF };

uint16_t ps_store_logprob_encode(float logprob) {
    if (isnan(logprob)) return LOGPROB_UNKNOWN;
    float magnitude = -logprob;
    if (!(magnitude > 0)) return 0;
    if (magnitude < 0x1p-14f) { /* steps of 2^-25; the product is exact, rintf takes ties to even */
        return (uint16_t)rintf(magnitude * 0x1p25f);
    }
    if (magnitude > 131008.0f) return LOGPROB_LARGEST;
    uint32_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    /* binary32 keeps 23 fraction bits under a bias of 127: drop 12, and move the bias to 15. */
    bits -= (127 - 15) << 23;
    uint32_t code = (bits + 0x7FF + (bits >> 12 & 1)) >> 12;
    return (uint16_t)(code > LOGPROB_LARGEST ? LOGPROB_LARGEST : code);
}

float ps_store_logprob_decode(uint16_t code) {
    if (code == LOGPROB_UNKNOWN) return NAN;
    if (code < 0x800) return code ? -(code * 0x1p-25f) : 0.0f;
    uint32_t bits = ((uint32_t)code << 12) + ((127 - 15) << 23);
    float magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    return -magnitude;
}

enum ps_status ps_store_varints_encode(struct ps_buffer *out, const int32_t *ids, size_t count,
                                       struct ps_error *error) {
    PS_FAIL_IF(count > out->limit / VARINT_BYTES || !ps_buffer_reserve(out, count * VARINT_BYTES),
               error, PS_MEMORY, "%zu token ids do not fit", count);
    unsigned char *at = (unsigned char *)out->data + out->size;
    for (size_t i = 0; i < count; i++) {
        PS_FAIL_IF(ids[i] < 0, error, PS_ARGUMENT, "token %zu has the id %d", i, (int)ids[i]);
        uint32_t rest = (uint32_t)ids[i];
        for (; rest >= 0x80; rest >>= 7) *at++ = (unsigned char)(rest | 0x80);
        *at++ = (unsigned char)rest;
    }
    out->size = (size_t)((char *)at - out->data);
    return PS_OK;
}

enum ps_status ps_store_ids_encode(struct ps_buffer *out, const int32_t *ids, size_t count,
                                   struct ps_error *error) {
    static const char coding = CODING_VARINT;
    PS_FAIL_IF(!ps_buffer_append(out, &coding, 1), error, PS_MEMORY, "out of memory");
    return ps_store_varints_encode(out, ids, count, error);
}

enum ps_status ps_store_place_encode(struct ps_buffer *out, int32_t offset,
                                     struct ps_error *error) {
    static const char coding = CODING_FRAME;
    PS_FAIL_IF(!ps_buffer_append(out, &coding, 1), error, PS_MEMORY, "out of memory");
    return ps_store_varints_encode(out, &offset, 1, error);
}

enum ps_status ps_store_logprobs_encode(struct ps_buffer *out, const float *logprobs, size_t count,
                                        struct ps_error *error) {
    PS_FAIL_IF(count > out->limit / 2 || !ps_buffer_reserve(out, 1 + count * 2), error, PS_MEMORY,
               "%zu log-probabilities do not fit", count);
    unsigned char *at = (unsigned char *)out->data + out->size;
    *at++ = CODING_CODE16;
    for (size_t i = 0; i < count; i++) {
        uint16_t code = ps_store_logprob_encode(logprobs[i]);
        *at++ = (unsigned char)code;
        *at++ = (unsigned char)(code >> 8);
    }
    out->size += 1 + count * 2;
    return PS_OK;
}

enum ps_status ps_store_planes_encode(struct ps_buffer *out, const float *logprobs, size_t count,
                                      struct ps_error *error) {
    PS_FAIL_IF(count > out->limit / 2 || !ps_buffer_reserve(out, count * 2), error, PS_MEMORY,
               "%zu log-probabilities do not fit", count);
    unsigned char *high = (unsigned char *)out->data + out->size, *low = high + count;
    for (size_t i = 0; i < count; i++) {
        uint16_t code = ps_store_logprob_encode(logprobs[i]);
        high[i] = (unsigned char)(code >> 8);
        low[i] = (unsigned char)code;
    }
    out->size += 2 * count;
    return PS_OK;
}

void ps_store_planes_decode(const void *data, float *logprobs, size_t count) {
    const unsigned char *high = data, *low = high + count;
    for (size_t i = 0; i < count; i++)
        logprobs[i] = ps_store_logprob_decode((uint16_t)(high[i] << 8 | low[i]));
}

int64_t ps_store_ids_count(const void *data, size_t size) {
    const unsigned char *bytes = data;
    if (size < 1 || bytes[0] != CODING_VARINT) return -1;
    int64_t count = 0;
    for (size_t i = 1; i < size; i++) count += bytes[i] < 0x80;
    return count;
}

enum ps_status ps_store_varints_decode(const void *data, size_t *size, int32_t *ids, size_t count,
                                       struct ps_error *error) {
    const unsigned char *at = data, *end = at + *size;
    for (size_t i = 0; i < count; i++) {
        uint64_t id = 0;
        for (int shift = 0;; shift += 7) {
            PS_FAIL_IF(at == end || shift > 28, error, PS_CORRUPT, "token id %zu is malformed", i);
            id |= (uint64_t)(*at & 0x7F) << shift;
            if (*at++ < 0x80) break;
        }
        PS_FAIL_IF(id > INT32_MAX, error, PS_CORRUPT, "token id %zu is malformed", i);
        ids[i] = (int32_t)id;
    }
    *size = (size_t)(at - (const unsigned char *)data);
    return PS_OK;
}

enum ps_status ps_store_ids_decode(const void *data, size_t size, int32_t *ids, size_t count,
                                   struct ps_error *error) {
    const unsigned char *bytes = data;
    PS_FAIL_IF(size < 1 || bytes[0] != CODING_VARINT, error, PS_CORRUPT,
               "token ids in an unknown coding");
    size_t used = size - 1;
    PS_TRY(ps_store_varints_decode(bytes + 1, &used, ids, count, error));
    PS_FAIL_IF(used != size - 1, error, PS_CORRUPT, "more token ids than the %zu announced", count);
    return PS_OK;
}

int64_t ps_store_place_decode(const void *data, size_t size) {
    const unsigned char *bytes = data;
    int32_t offset = -1;
    if (size < 2 || bytes[0] != CODING_FRAME) return -1;
    size_t used = size - 1;
    bool whole = ps_store_varints_decode(bytes + 1, &used, &offset, 1, NULL) == PS_OK;
    return whole && used == size - 1 ? offset : -1;
}

enum ps_status ps_store_logprobs_decode(const void *data, size_t size, float *logprobs,
                                        size_t count, struct ps_error *error) {
    const unsigned char *bytes = data;
    PS_FAIL_IF(size < 1 || bytes[0] != CODING_CODE16, error, PS_CORRUPT,
               "log-probabilities in an unknown coding");
    PS_FAIL_IF((size - 1) / 2 != count || (size - 1) % 2 != 0, error, PS_CORRUPT,
               "%zu bytes of log-probabilities for %zu tokens", size - 1, count);
    for (size_t i = 0; i < count; i++)
        logprobs[i] = ps_store_logprob_decode((uint16_t)(bytes[1 + 2 * i] | bytes[2 + 2 * i] << 8));
    return PS_OK;
}

/* ---- frames ---- */

enum ps_status ps_store_frame_encode(struct ps_store *store, struct ps_buffer *out, int level,
                                     const void *data, size_t size, const void *prefix,
                                     size_t prefix_size, struct ps_error *error) {
    ZSTD_CCtx *context = store->compressor;
    size_t bound = ZSTD_compressBound(size);
    PS_FAIL_IF(!ps_buffer_reserve(out, bound), error, PS_MEMORY, "out of memory");
    ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
    size_t code = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    if (!ZSTD_isError(code)) code = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    if (!ZSTD_isError(code) && prefix) code = ZSTD_CCtx_refPrefix(context, prefix, prefix_size);
    if (!ZSTD_isError(code))
        code = ZSTD_compress2(context, out->data + out->size, bound, data, size);
    PS_FAIL_IF(ZSTD_isError(code), error, PS_MEMORY, "cannot compress a trace: %s",
               ZSTD_getErrorName(code));
    out->size += code;
    return PS_OK;
}

enum ps_status ps_store_frame_decode(ZSTD_DCtx *context, struct ps_buffer *out, const void *data,
                                     size_t size, int64_t raw_bytes, const void *prefix,
                                     size_t prefix_size, struct ps_error *error) {
    static const unsigned char magic[4] = {0x28, 0xB5, 0x2F, 0xFD};
    enum { CHECKSUM_FLAG = 4 }; /* of the frame header descriptor, the byte behind the magic */
    const unsigned char *bytes = data;
    PS_FAIL_IF(size < 6 || memcmp(bytes, magic, sizeof magic) != 0 || !(bytes[4] & CHECKSUM_FLAG),
               error, PS_CORRUPT, "not a zstd frame with a checksum");
    unsigned long long claimed = ZSTD_getFrameContentSize(data, size);
    if (raw_bytes == PS_STORE_ANY_SIZE && claimed <= PS_STORE_BODY_LIMIT)
        raw_bytes = (int64_t)claimed;
    PS_FAIL_IF(raw_bytes < 0 || raw_bytes > PS_STORE_BODY_LIMIT || claimed != (uint64_t)raw_bytes,
               error, PS_CORRUPT,
               "the frame claims another size than its row, or more than %d bytes",
               PS_STORE_BODY_LIMIT);
    PS_FAIL_IF(ZSTD_findFrameCompressedSize(data, size) != size, error, PS_CORRUPT,
               "the frame is cut short, or more follows it");
    out->size = 0;
    PS_FAIL_IF(!ps_buffer_reserve(out, (size_t)raw_bytes), error, PS_MEMORY, "out of memory");
    ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters);
    size_t code = prefix ? ZSTD_DCtx_refPrefix(context, prefix, prefix_size) : 0;
    if (!ZSTD_isError(code))
        code = ZSTD_decompressDCtx(context, out->data, (size_t)raw_bytes, data, size);
    PS_FAIL_IF(ZSTD_isError(code) || code != (size_t)raw_bytes, error, PS_CORRUPT,
               "the frame cannot be decompressed (%s)",
               ZSTD_isError(code) ? ZSTD_getErrorName(code) : "wrong size");
    out->size = (size_t)raw_bytes;
    out->data[out->size] = 0;
    return PS_OK;
}
