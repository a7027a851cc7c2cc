/* Any bytes as a safetensors file: parse, then touch every byte of every tensor. */
#include "tensor/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ps_safetensors *file;
    struct ps_error error;
    if (ps_safetensors_parse(&file, data, size, "fuzz", &error) != PS_OK) return 0;
    uint64_t total = 0;
    uint8_t sink = 0;
    for (size_t i = 0; i < ps_safetensors_count(file); i++) {
        const struct ps_safetensors_tensor *tensor = ps_safetensors_at(file, i);
        for (uint64_t byte = 0; byte < tensor->size; byte++) sink ^= tensor->data[byte];
        total += tensor->size;
        if (ps_safetensors_find(file, tensor->name) != tensor) __builtin_trap();
    }
    __asm__ volatile("" : : "r"(sink)); /* the reads are wanted */
    if (total > size) __builtin_trap();
    ps_safetensors_close(file);
    return 0;
}
