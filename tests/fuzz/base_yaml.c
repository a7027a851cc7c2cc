/* Any bytes as YAML: a tree within its limits, or a message. */
#include "base/yaml.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7 loses a buffer after some syntax errors; that is not ours to free. */
const char *__lsan_default_suppressions(void) {
    return "leak:libfyaml";
}

static size_t walk(const struct ps_yaml_node *node) {
    size_t count = 1;
    if (node->line < 1 || node->column < 1) __builtin_trap();
    if (node->kind == PS_YAML_SCALAR && strlen(node->text) != node->size) __builtin_trap();
    for (const struct ps_yaml_node *child = node->first; child; child = child->next)
        count += walk(child) + (child->key ? 1 : 0);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ps_error error = {0};
    struct ps_yaml yaml;
    if (ps_yaml_parse(&yaml, "fuzz", (const char *)data, size, &error) != PS_OK) {
        if (!error.message[0]) __builtin_trap();
        return 0;
    }
    if (walk(yaml.root) > 100001) __builtin_trap();
    ps_yaml_release(&yaml);
    return 0;
}
