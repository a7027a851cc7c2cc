/* potstill text train: a small byte-level BPE tokenizer from texts. */
#include "pipelines/commands/commands_internal.h"

#include "base/file.h"
#include "pipelines/commands/texts.h"
#include "text/text.h"

#include <stdio.h>

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

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct train_flags *flags = call->settings[0].values;
    struct ps_texts texts = {.arena = call->arena, .lines = true};
    struct ps_tokenizer *tokenizer = NULL;
    char hash[PS_HASH_HEX_SIZE];
    enum ps_status status = PS_OK;
    PS_TRY_DONE(ps_settings_require(call->settings, 1, "text train", error));
    for (size_t i = 0; i < call->arguments.count; i++)
        PS_TRY_DONE(ps_texts_add_file(&texts, call->arguments.items[i], error));
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
    ps_texts_release(&texts);
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
