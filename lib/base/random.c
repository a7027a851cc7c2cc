#include "base/random.h"

#include "base/elementary.h"
#include "base/hash.h"

#include <math.h>
#include <string.h>

struct ps_philox ps_philox(uint64_t key, uint64_t counter) {
    uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), 0, 0};
    uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b,
                            (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a};
        memcpy(c, next, sizeof c);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    return (struct ps_philox){{c[0], c[1], c[2], c[3]}};
}

float ps_random_uniform(uint64_t key, uint64_t counter) {
    return (float)(ps_philox(key, counter).word[0] >> 8) * 0x1p-24f;
}

uint32_t ps_random_below(uint64_t key, uint64_t counter, uint32_t bound) {
    uint32_t threshold = -bound % bound;
    for (;; counter = (counter | 1ull << 63) + 1) {
        struct ps_philox draw = ps_philox(key, counter);
        for (int i = 0; i < 4; i++) {
            uint64_t product = (uint64_t)draw.word[i] * bound;
            if ((uint32_t)product >= threshold) return (uint32_t)(product >> 32);
        }
    }
}

float ps_random_normal(uint64_t key, uint64_t counter) {
    struct ps_philox draw = ps_philox(key, counter);
    double u = ((double)draw.word[0] + 1) * 0x1p-32; /* (0, 1] */
    double turn = (double)draw.word[1] * 0x1p-32;
    return (float)(sqrt(-2 * ps_log(u)) * ps_cos(6.283185307179586 * turn));
}

uint64_t ps_random_key(uint64_t seed, const char *purpose) {
    char bytes[8 + 248];
    size_t size = strlen(purpose);
    if (size > 248) size = 248;
    for (int i = 0; i < 8; i++) bytes[i] = (char)(seed >> (8 * i));
    memcpy(bytes + 8, purpose, size);
    struct ps_hash hash = ps_hash_bytes(bytes, 8 + size);
    return ps_hash_64(&hash);
}

void ps_random_permutation(uint64_t key, uint32_t *order, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) order[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = ps_random_below(key, i, i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}
