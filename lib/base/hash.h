#pragma once
/* SHA-256 (FIPS 180-4), through libcrypto, for identities, fingerprints and checksums. */

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct ps_hash {
    uint8_t bytes[32];
};
enum { PS_HASH_HEX_SIZE = 65 }; /* 64 digits and the closing 0 */

/* Incremental: begin, update any number of times, end. begin returns NULL when out of memory; end
 * frees the state. */
struct ps_hash_state *ps_hash_begin(void);
void ps_hash_update(struct ps_hash_state *state, const void *data, size_t size);
/* Hashes the size as 8 little-endian bytes, then the data, so that fields cannot run together. */
void ps_hash_update_field(struct ps_hash_state *state, const void *data, size_t size);
struct ps_hash ps_hash_end(struct ps_hash_state *state);

struct ps_hash ps_hash_bytes(const void *data, size_t size);
enum ps_status ps_hash_file(const char *path, struct ps_hash *hash, struct ps_error *error);
/* The same, but the hash of a file of 1 MiB or more is remembered in the user's cache folder
 * ($XDG_CACHE_HOME/potstill, else ~/.cache/potstill) by path, size, time of change and inode, so
 * that 60 GB of weights are not read twice. PS_STOPPED when asked to stop while it reads. */
enum ps_status ps_hash_file_cached(const char *path, struct ps_hash *hash, struct ps_error *error);

/* Lower-case hexadecimal; returns text. */
const char *ps_hash_hex(const struct ps_hash *hash, char text[PS_HASH_HEX_SIZE]);

/* The first 8 bytes, little-endian: a short id or a key for Philox. */
uint64_t ps_hash_64(const struct ps_hash *hash);
