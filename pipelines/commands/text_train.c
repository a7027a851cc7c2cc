/* potstill text train: a small byte-level BPE tokenizer from texts. */
#include "pipelines/commands/commands_internal.h"

#include "base/file.h"
#include "text/text.h"

#include <stdio.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 30 };

struct train_flags {
    const char *out;
    int64_t size;
};
#define AT(member) offsetof(struct train_flags, member)
static const struct ps_setting items[] = {
    {"out", PS_SETTING_STRING, AT(out), .required = true, .argument = "DIR",
     .help = "where tokenizer.json and tokenizer_config.json go"},
    {"size", PS_SETTING_INTEGER, AT(size), .fallback = "1024", .minimum = 261, .maximum = 65536,
     .unit = "entries", .help = "of the vocabulary, the added tokens among them"},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("text train", "", items, struct train_flags);

struct texts {
    struct ps_arena *arena;
    const char **items;
    size_t count, capacity;
};

static enum ps_status add_text(struct texts *texts, const char *text, size_t size,
                               struct ps_error *error) {
    if (texts->count == texts->capacity) {
        size_t capacity = texts->capacity * 2 + 1024;
        const char **larger = ps_realloc(texts->items, capacity * sizeof *larger);
        PS_FAIL_IF_NULL(larger, error);
        texts->items = larger;
        texts->capacity = capacity;
    }
    const char *copy = ps_arena_strndup(texts->arena, text, size);
    PS_FAIL_IF_NULL(copy, error);
    texts->items[texts->count++] = copy;
    return PS_OK;
}

/* Every member of a JSON line that is a string is a text. */
static enum ps_status add_json_line(struct texts *texts, const char *path, size_t number,
                                    const char *line, size_t size, struct ps_error *error) {
    json_t *object, *value;
    const char *key;
    char place[4096];
    enum ps_status status = PS_OK;
    if (size == 0) return PS_OK;
    snprintf(place, sizeof place, "%s:%zu", path, number);
    PS_TRY(ps_json_parse(place, line, size, &object, error));
    json_object_foreach(object, key, value) {
        if (json_is_string(value) && status == PS_OK)
            status = add_text(texts, json_string_value(value), json_string_length(value), error);
    }
    json_decref(object);
    return status;
}

static enum ps_status add_file(struct texts *texts, const char *path, struct ps_error *error) {
    struct ps_buffer file;
    size_t length = strlen(path), number = 1;
    bool json = length >= 6 && strcmp(path + length - 6, ".jsonl") == 0;
    ps_buffer_init(&file, FILE_LIMIT);
    enum ps_status status = ps_file_read(path, &file, error);
    if (status != PS_OK) goto done;
    for (size_t begin = 0; begin < file.size; number++) {
        const char *line = file.data + begin;
        const char *newline = memchr(line, '\n', file.size - begin);
        size_t size = newline ? (size_t)(newline - line) : file.size - begin;
        PS_TRY_DONE(json ? add_json_line(texts, path, number, line, size, error)
                         : add_text(texts, line, size, error));
        begin += size + 1;
    }
done:
    ps_buffer_release(&file);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct train_flags *flags = call->settings[0].values;
    struct texts texts = {.arena = call->arena};
    struct ps_tokenizer *tokenizer = NULL;
    char hash[PS_HASH_HEX_SIZE];
    enum ps_status status = PS_OK;
    PS_TRY_DONE(ps_settings_require(call->settings, 1, "text train", error));
    for (size_t i = 0; i < call->arguments.count; i++)
        PS_TRY_DONE(add_file(&texts, call->arguments.items[i], error));
    PS_TRY_DONE(ps_directory_create(flags->out, error));
    PS_TRY_DONE(
        ps_tokenizer_train(texts.items, texts.count, (uint32_t)flags->size, flags->out, error));
    PS_TRY_DONE(ps_tokenizer_open(flags->out, &tokenizer, error));
    ps_hash_hex(ps_tokenizer_hash(tokenizer), hash);
    printf(call->json ? "{\"texts\":%zu,\"size\":%u,\"sha256\":\"%s\"}\n"
                      : "%zu texts, %u entries, sha256 %s\n",
           texts.count, ps_tokenizer_size(tokenizer), hash);
done:
    ps_tokenizer_close(tokenizer);
    ps_free(texts.items);
    return status;
}

const struct ps_command ps_command_text_train = {
    .name = "text train",
    .synopsis = "FILE... --out DIR",
    .help = "train a small byte-level BPE tokenizer",
    .details = "Each line of a FILE is a text; of a .jsonl file, each member that is a string. "
               "The same texts\ngive the same tokenizer.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = SIZE_MAX,
    .run = run,
};
