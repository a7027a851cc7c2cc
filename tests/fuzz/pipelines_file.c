/* Any bytes as a pipeline file: it is read and fingerprinted, or a message says why not. */
#include "pipelines/driver/pipeline.h"
#include "pipelines/stages/stage.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7 loses a buffer after some syntax errors; that is not ours to free. */
const char *__lsan_default_suppressions(void) {
    return "leak:libfyaml";
}

struct settings {
    const char *model, *dataset;
    struct ps_string_map prompt;
    struct ps_number_map datasets;
    double patience;
};
#define AT(member) offsetof(struct settings, member)
static const struct ps_setting items[] = {
    {"model", PS_SETTING_STRING, AT(model), .refers = "model", .identity = true, .help = "m"},
    {"dataset", PS_SETTING_STRING, AT(dataset), .refers = "dataset", .identity = true, .help = "d"},
    {"prompt", PS_SETTING_STRING_MAP, AT(prompt), .refers = "prompt", .identity = true,
     .help = "p"},
    {"datasets", PS_SETTING_NUMBER_MAP, AT(datasets), .refers = "dataset", .identity = true,
     .help = "d"},
    {"patience", PS_SETTING_DURATION, AT(patience), "5m", .identity = true, .help = "t"},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("train", "t", items, struct settings);
static const char *const consumes[] = {"train", NULL};
static const struct ps_stage_kind train = {
    .name = "train", .settings = &table, .consumes = consumes, .makes_model = true};
const struct ps_stage_kind *const ps_stage_kinds[] = {&train, NULL};

const struct ps_stage_kind *ps_stage_kind_find(const char *name) {
    return strcmp(name, "train") == 0 ? &train : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    struct ps_error error = {0};
    struct ps_pipeline pipeline;
    int descriptor = memfd_create("pipeline", 0);
    if (descriptor < 0 || write(descriptor, data, size) != (ssize_t)size) __builtin_trap();
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    if (ps_pipeline_load(&pipeline, path, NULL, &error) == PS_OK) {
        error = (struct ps_error){0};
        if (ps_pipeline_fingerprint(&pipeline, &error) != PS_OK && !error.message[0])
            __builtin_trap();
        ps_pipeline_close(&pipeline);
    } else if (!error.message[0]) {
        __builtin_trap();
    }
    close(descriptor);
    return 0;
}
