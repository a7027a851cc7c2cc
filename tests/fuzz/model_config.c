/* Any bytes as a config.json: describe, and lay out all parameters. */
#include "model/model.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    int file = memfd_create("config.json", MFD_CLOEXEC);
    if (file < 0) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    struct ps_model_config *config;
    struct ps_parameters *parameters;
    if (write(file, data, size) == (ssize_t)size &&
        ps_model_config_open(&config, path, NULL) == PS_OK) {
        double frequencies[1 << 11];
        ps_rope_frequencies(&config->rope, frequencies);
        if (config->layers * (config->experts + 1) < 4096 &&
            ps_parameters_create(&parameters, config, NULL) == PS_OK) {
            const struct ps_parameter *last = &parameters->items[parameters->count - 1];
            if (last->offset + last->count != parameters->total) __builtin_trap();
            ps_parameters_release(parameters);
        }
        ps_model_config_close(config);
    }
    close(file);
    return 0;
}
