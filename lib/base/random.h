#pragma once
/* Philox4x32-10, a counter-based random number generator (Salmon, Moraes, Dror, Shaw: "Parallel
 * Random Numbers: As Easy as 1, 2, 3", SC 2011). The value at (key, counter) does not depend on
 * any other draw, which is what lets a resumed run continue with the same numbers.
 *
 * A key is the 64-bit hash of what the stream is for (run seed, prompt, sample, purpose), the
 * counter a position in it. */

#include <stdint.h>

struct ps_philox {
    uint32_t word[4];
};

struct ps_philox ps_philox(uint64_t key, uint64_t counter);

/* The first word of ps_philox(key, counter) as a float in [0, 1): its top 24 bits. */
float ps_random_uniform(uint64_t key, uint64_t counter);

/* An unbiased integer in [0, bound); bound > 0. Multiplication with rejection (Lemire 2019); the
 * rejected draws go on to words 2 and 3, then to counters with the top bit set. */
uint32_t ps_random_below(uint64_t key, uint64_t counter, uint32_t bound);

/* A standard normal (Box-Muller on words 0 and 1): the same bits on every machine, by the log and
 * cosine of base/elementary.h; a square root is exact everywhere. */
float ps_random_normal(uint64_t key, uint64_t counter);

/* A key from a run's seed and a purpose ("init", "shuffle", ...), of which 248 bytes count. */
uint64_t ps_random_key(uint64_t seed, const char *purpose);

/* A seeded permutation of 0 .. count-1 (Fisher-Yates). */
void ps_random_permutation(uint64_t key, uint32_t *order, uint32_t count);
