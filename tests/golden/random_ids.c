/* Ids of a million random strings against those of the `tokenizers` library, by hash:
 * random_ids.txt has, for each thousand strings, one CRC-32 a tokenizer, made by
 * make_random_ids.py.
 *
 *   random_ids NAME [--all]           compares the first 100,000 strings, or all of them
 *   random_ids --strings FIRST COUNT  writes strings: size in bytes (32 bits), bytes
 *   random_ids --ids NAME FIRST COUNT writes what they encode to: count (32 bits), ids
 *
 * What is encoded must also come back: decoded text is the string, or, where the tokenizer composes
 * (NFC), encodes to the same ids once more. */
#include "random_strings.h"

#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { BLOCK = 1000, USUAL_BLOCKS = 100, SKIPPED = 77 };

static const struct kind {
    const char *name, *file;
    bool composes;
    bool returns; /* byte level: text comes back */
} kinds[] = {
    {"qwen2.5", "qwen2.5/tokenizer.reconstructed.json", true, true},
    {"llama-3", "llama-3/tokenizer.reconstructed.json", false, true},
    {"gpt2", "gpt2/tokenizer.reconstructed.json", false, true},
    {"mistral-7b-v0.x", "mistral-7b-v0.x/tokenizer.json", false, false},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

struct session {
    const struct kind *kind;
    struct ps_tokenizer *tokenizer;
    struct ps_token_ids ids, again;
    struct ps_buffer valid, decoded;
};

static struct ps_error error;

static void must(enum ps_status status) {
    if (status == PS_OK) return;
    fprintf(stderr, "%s\n", error.message);
    exit(1);
}

static struct session begin(const char *name) {
    struct session session = {0};
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(kinds[i].name, name) == 0) session.kind = &kinds[i];
    if (!session.kind) {
        fprintf(stderr, "no tokenizer '%s'\n", name);
        exit(2);
    }
    const char *shared = getenv("POTSTILL_SHARED");
    char path[4096];
    snprintf(path, sizeof path, "%s/data/tokenizers/%s",
             shared ? shared : PS_SOURCE_DIR "/../shared", session.kind->file);
    if (access(path, R_OK) != 0) {
        printf("skipped: %s is not there\n", path);
        exit(SKIPPED);
    }
    must(ps_tokenizer_open(path, &session.tokenizer, &error));
    ps_buffer_init(&session.valid, 1 << 20);
    ps_buffer_init(&session.decoded, 1 << 20);
    return session;
}

static void end(struct session *session) {
    ps_tokenizer_close(session->tokenizer);
    ps_token_ids_release(&session->ids);
    ps_token_ids_release(&session->again);
    ps_buffer_release(&session->valid);
    ps_buffer_release(&session->decoded);
}

static void encode(const struct session *session, const char *text, size_t size,
                   struct ps_token_ids *ids) {
    ids->size = 0;
    must(ps_tokenizer_encode(session->tokenizer, text, size, 0, ids, &error));
}

/* Whether the string comes back from its ids. */
static bool comes_back(struct session *session, const char *text, size_t size) {
    struct ps_marked_text valid;
    struct ps_buffer *back = &session->decoded;
    back->size = 0;
    must(ps_tokenizer_decode(session->tokenizer, session->ids.data, session->ids.size, false, back,
                             &error));
    if (session->kind->composes) {
        encode(session, back->data ? back->data : "", back->size, &session->again);
        return session->again.size == session->ids.size &&
               (session->ids.size == 0 ||
                memcmp(session->again.data, session->ids.data,
                       session->ids.size * sizeof *session->ids.data) == 0);
    }
    ps_marked_text_init(&valid);
    must(ps_marked_text_append(&valid, text, size, true, &error));
    bool same = valid.text.size == back->size &&
                (back->size == 0 || memcmp(valid.text.data, back->data, back->size) == 0);
    ps_marked_text_release(&valid);
    return same;
}

/* The hash of a block's ids, with the count of each string before its ids. */
static uint32_t hash_block(struct session *session, size_t block, size_t *lost) {
    uint32_t hash = 0;
    for (uint64_t i = 0; i < BLOCK; i++) {
        char text[RANDOM_STRING_MOST];
        size_t size = random_string(block * BLOCK + i, text);
        encode(session, text, size, &session->ids);
        uint32_t count = (uint32_t)session->ids.size;
        hash = (uint32_t)crc32(hash, (const Bytef *)&count, sizeof count);
        if (count > 0)
            hash = (uint32_t)crc32(hash, (const Bytef *)session->ids.data,
                                   (uInt)(count * sizeof *session->ids.data));
        if (session->kind->returns && !comes_back(session, text, size)) {
            if (++*lost <= 5)
                printf("string %zu does not come back\n", (size_t)(block * BLOCK + i));
        }
    }
    return hash;
}

/* Calls for each block with the hash that `tokenizers` gives. */
static int compare(const char *name, size_t blocks) {
    struct session session = begin(name);
    size_t column = (size_t)(session.kind - kinds), differing = 0, lost = 0, block = 0;
    FILE *file = fopen(PS_SOURCE_DIR "/tests/golden/random_ids.txt", "r");
    char line[256];
    if (!file || !fgets(line, sizeof line, file)) {
        fprintf(stderr, "tests/golden/random_ids.txt cannot be read\n");
        return 1;
    }
    for (; block < blocks && fgets(line, sizeof line, file); block++) {
        unsigned want[KIND_COUNT];
        if (sscanf(line, "%x %x %x %x", want, want + 1, want + 2, want + 3) != KIND_COUNT) break;
        if (hash_block(&session, block, &lost) == want[column]) continue;
        if (++differing <= 5)
            printf("%s: ids differ; see make_random_ids.py --tokenizer %s --block %zu\n", name,
                   name, block);
    }
    printf("%s: %zu blocks of %d strings, %zu differ, %zu strings do not come back\n", name, block,
           BLOCK, differing, lost);
    fclose(file);
    end(&session);
    return block != blocks || differing > 0 || lost > 0;
}

static int print_strings(uint64_t first, uint64_t count) {
    for (uint64_t i = first; i < first + count; i++) {
        char text[RANDOM_STRING_MOST];
        uint32_t size = (uint32_t)random_string(i, text);
        fwrite(&size, sizeof size, 1, stdout);
        fwrite(text, 1, size, stdout);
    }
    return fflush(stdout) != 0;
}

static int print_ids(const char *name, uint64_t first, uint64_t count) {
    struct session session = begin(name);
    for (uint64_t i = first; i < first + count; i++) {
        char text[RANDOM_STRING_MOST];
        encode(&session, text, random_string(i, text), &session.ids);
        uint32_t id_count = (uint32_t)session.ids.size;
        fwrite(&id_count, sizeof id_count, 1, stdout);
        fwrite(session.ids.data, sizeof *session.ids.data, session.ids.size, stdout);
    }
    end(&session);
    return fflush(stdout) != 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "--strings") == 0)
        return print_strings(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    if (argc == 5 && strcmp(argv[1], "--ids") == 0)
        return print_ids(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    if (argc == 2) return compare(argv[1], USUAL_BLOCKS);
    if (argc == 3 && strcmp(argv[2], "--all") == 0)
        return compare(argv[1], RANDOM_STRING_COUNT / BLOCK);
    fprintf(stderr, "random_ids NAME [--all]\n");
    return 2;
}
