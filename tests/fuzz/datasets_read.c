/* Any bytes as a data file: the first byte chooses how golds are read, the second where the fields
 * are; the rest is read in pieces of changing size. What comes out is text. */
#include "datasets/datasets_internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size, piece;
};

static enum ps_status read_input(void *context, char *out, size_t room, size_t *got,
                                 struct ps_error *error) {
    struct input *input = context;
    (void)error;
    input->piece = input->piece % 61 + 7;
    *got = input->size < input->piece ? input->size : input->piece;
    if (*got > room) *got = room;
    if (*got) memcpy(out, input->data, *got);
    input->data += *got;
    input->size -= *got;
    return PS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct ps_dataset_source source = {.dataset = "fuzz", .split = "train"};
    static const struct ps_dataset_fields fields[] = {
        {0},
        {.question = "a+b", .answer = "c", .level = "d?"},
        {.question = "question", .answer = "answer", .id = "id?", .solution = "solution?"},
    };
    if (size < 2) return 0;
    struct ps_dataset_fields chosen = fields[data[1] % 3];
    chosen.gold = (enum ps_dataset_gold)(data[0] % 3);
    struct input input = {data + 2, size - 2, data[0]};
    struct ps_arena arena;
    struct ps_dataset_rows rows = {0};
    struct ps_dataset_words words;
    struct ps_error error;
    ps_arena_init(&arena, 1 << 26);
    ps_dataset_words_init(&words);
    if (ps_dataset_read("fuzz", read_input, &input, &chosen, &arena, &source, &rows, &error) !=
            PS_OK &&
        !error.message[0])
        __builtin_trap();
    for (size_t i = 0; i < rows.count; i++) {
        if (!rows.row[i].question[0] || !rows.row[i].id[0]) __builtin_trap();
        if (rows.row[i].gold && !rows.row[i].gold[0]) __builtin_trap();
        if (ps_dataset_words_set(&words, rows.row[i].question, &error) != PS_OK) __builtin_trap();
        ps_dataset_words_key(&words);
    }
    ps_dataset_words_release(&words);
    ps_dataset_rows_release(&rows);
    ps_arena_release(&arena);
    return 0;
}
