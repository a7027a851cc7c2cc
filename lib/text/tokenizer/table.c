/* Hash tables and the trie of added tokens. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

/* The finaliser of MurmurHash3 (Austin Appleby, public domain): every input bit reaches every
 * output bit. */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 33) * 0xFF51AFD7ED558CCDu;
    x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53u;
    return x ^ x >> 33;
}

uint64_t ps_hash_short(uint64_t seed, const void *data, size_t size) {
    const char *bytes = data;
    uint64_t hash = mix(seed ^ size), word;
    for (; size >= 8; size -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        hash = mix(hash ^ word);
    }
    word = 0;
    memcpy(&word, bytes, size);
    return mix(hash ^ word);
}

static struct ps_table_slot *find_slot(const struct ps_table *table, uint64_t key) {
    size_t mask = table->capacity - 1, i = mix(key ^ table->seed) & mask;
    while (table->slots[i].value != PS_TABLE_NONE && table->slots[i].key != key) i = (i + 1) & mask;
    return &table->slots[i];
}

static bool grow(struct ps_table *table) {
    struct ps_table larger = {.capacity = table->capacity ? table->capacity * 2 : 64,
                              .count = table->count,
                              .seed = table->seed};
    if (larger.capacity > SIZE_MAX / sizeof *larger.slots) return false;
    larger.slots = ps_malloc(larger.capacity * sizeof *larger.slots);
    if (!larger.slots) return false;
    memset(larger.slots, 0xFF, larger.capacity * sizeof *larger.slots);
    for (size_t i = 0; i < table->capacity; i++) {
        struct ps_table_slot slot = table->slots[i];
        if (slot.value != PS_TABLE_NONE) *find_slot(&larger, slot.key) = slot;
    }
    ps_free(table->slots);
    *table = larger;
    return true;
}

bool ps_table_put(struct ps_table *table, uint64_t key, uint64_t value) {
    if (table->count >= table->capacity / 2 && !grow(table)) return false;
    struct ps_table_slot *slot = find_slot(table, key);
    if (slot->value == PS_TABLE_NONE) table->count++;
    *slot = (struct ps_table_slot){key, value};
    return true;
}

uint64_t ps_table_get(const struct ps_table *table, uint64_t key) {
    return table->capacity ? find_slot(table, key)->value : PS_TABLE_NONE;
}

void ps_table_release(struct ps_table *table) {
    ps_free(table->slots);
    *table = (struct ps_table){.seed = table->seed};
}

/* ---- trie ---- */

static bool add_node(struct ps_trie *trie) {
    if (trie->node_count == trie->node_capacity) {
        uint32_t capacity = trie->node_capacity ? trie->node_capacity * 2 : 64;
        int64_t *ids = ps_realloc(trie->ids, capacity * sizeof *ids);
        if (!ids) return false;
        trie->ids = ids;
        trie->node_capacity = capacity;
    }
    trie->ids[trie->node_count++] = PS_TOKEN_NONE;
    return true;
}

bool ps_trie_add(struct ps_trie *trie, const char *text, size_t size, uint32_t id) {
    if (trie->node_count == 0 && !add_node(trie)) return false;
    uint64_t node = 0;
    for (size_t i = 0; i < size; i++) {
        uint64_t key = node << 8 | (unsigned char)text[i];
        node = ps_table_get(&trie->edges, key);
        if (node != PS_TABLE_NONE) continue;
        node = trie->node_count;
        if (!add_node(trie) || !ps_table_put(&trie->edges, key, node)) return false;
    }
    if (trie->ids[node] == PS_TOKEN_NONE) trie->ids[node] = id;
    trie->starts[(unsigned char)text[0]] = true;
    return true;
}

size_t ps_trie_match(const struct ps_trie *trie, const char *text, size_t size, uint32_t *id) {
    if (size == 0 || !trie->starts[(unsigned char)text[0]]) return 0;
    uint64_t node = 0;
    size_t longest = 0;
    for (size_t i = 0; i < size; i++) {
        node = ps_table_get(&trie->edges, node << 8 | (unsigned char)text[i]);
        if (node == PS_TABLE_NONE) break;
        if (trie->ids[node] == PS_TOKEN_NONE) continue;
        longest = i + 1;
        *id = (uint32_t)trie->ids[node];
    }
    return longest;
}

void ps_trie_release(struct ps_trie *trie) {
    ps_table_release(&trie->edges);
    ps_free(trie->ids);
    *trie = (struct ps_trie){0};
}
