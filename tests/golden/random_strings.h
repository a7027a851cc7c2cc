#pragma once
/* Random strings for tokenizers: each depends on its number alone, on every machine. */

#include <stddef.h>
#include <stdint.h>

enum { RANDOM_STRING_MOST = 512, RANDOM_STRING_COUNT = 1000000 };

/* Writes string `number` (up to some 200 characters, perhaps none, perhaps not UTF-8 throughout)
 * and returns its size in bytes. */
size_t random_string(uint64_t number, char text[RANDOM_STRING_MOST]);
