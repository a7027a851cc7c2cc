#include "base/hash.h"

#include "base/file.h"

#include <openssl/evp.h>

struct ps_hash_state {
    EVP_MD_CTX *context;
};

struct ps_hash_state *ps_hash_begin(void) {
    struct ps_hash_state *state = ps_calloc(1, sizeof *state);
    if (!state) return NULL;
    state->context = EVP_MD_CTX_new();
    if (!state->context || !EVP_DigestInit_ex(state->context, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(state->context);
        ps_free(state);
        return NULL;
    }
    return state;
}

void ps_hash_update(struct ps_hash_state *state, const void *data, size_t size) {
    EVP_DigestUpdate(state->context, data, size);
}

void ps_hash_update_field(struct ps_hash_state *state, const void *data, size_t size) {
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)size >> (8 * i));
    ps_hash_update(state, length, sizeof length);
    ps_hash_update(state, data, size);
}

struct ps_hash ps_hash_end(struct ps_hash_state *state) {
    struct ps_hash hash;
    EVP_DigestFinal_ex(state->context, hash.bytes, NULL);
    EVP_MD_CTX_free(state->context);
    ps_free(state);
    return hash;
}

struct ps_hash ps_hash_bytes(const void *data, size_t size) {
    struct ps_hash hash;
    EVP_Digest(data, size, hash.bytes, NULL, EVP_sha256(), NULL);
    return hash;
}

enum ps_status ps_hash_file(const char *path, struct ps_hash *hash, struct ps_error *error) {
    struct ps_file_map map;
    PS_TRY(ps_file_map(&map, path, error));
    *hash = ps_hash_bytes(map.data ? (const void *)map.data : "", map.size);
    ps_file_unmap(&map);
    return PS_OK;
}

const char *ps_hash_hex(const struct ps_hash *hash, char text[PS_HASH_HEX_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        text[2 * i] = digits[hash->bytes[i] >> 4];
        text[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    text[64] = 0;
    return text;
}

uint64_t ps_hash_64(const struct ps_hash *hash) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | hash->bytes[i];
    return value;
}
