#pragma once
/* YAML 1.2 through libfyaml's event parser, as a tree of plain nodes that know where they stand.
 *
 * Limits guard against hostile text: 4 MiB, 64 levels, 4096 keys in a mapping, 100,000 nodes with
 * every alias counted at its full size (so that nine lines of nested aliases cannot stand for a
 * billion nodes). Refused as well: duplicate keys, keys that are no scalars, tags other than !!str,
 * NUL characters, text that is no UTF-8, directives (%YAML), more than one document. */

#include "base/memory.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum ps_yaml_kind { PS_YAML_SCALAR, PS_YAML_MAPPING, PS_YAML_SEQUENCE };

/* Read only. A mapping's children are its values, each with its key; a sequence's have key NULL.
 * An alias is a copy of its anchor's node that stands where the alias stands. */
struct ps_yaml_node {
    enum ps_yaml_kind kind;
    bool plain;       /* a scalar without quotes: 5 but not "5" */
    int line, column; /* from 1 */
    const char *file; /* the name given to ps_yaml_parse */
    const char *text; /* a scalar's, closed by 0 */
    size_t size;      /* of text */
    size_t count;     /* children */
    const struct ps_yaml_node *key, *first, *next;
    size_t expanded; /* nodes below and including this one, aliases in full */
};

struct ps_yaml {
    struct ps_arena arena;
    const struct ps_yaml_node *root;
};

/* Messages begin with "name:line:column: ". An empty document is PS_FORMAT. On failure nothing is
 * kept; else ps_yaml_release gives everything back. */
enum ps_status ps_yaml_parse(struct ps_yaml *yaml, const char *name, const char *text, size_t size,
                             struct ps_error *error);
enum ps_status ps_yaml_read_file(struct ps_yaml *yaml, const char *path, struct ps_error *error);
void ps_yaml_release(struct ps_yaml *yaml);

/* A mapping's value of this key, NULL when there is none. */
const struct ps_yaml_node *ps_yaml_get(const struct ps_yaml_node *mapping, const char *key);

/* Plain ~, null or nothing at all. */
bool ps_yaml_is_null(const struct ps_yaml_node *node);

/* "a mapping", "a list", "text". */
const char *ps_yaml_kind_text(const struct ps_yaml_node *node);

/* PS_FORMAT with "file:line:column: " in front of the message. */
enum ps_status ps_yaml_fail(const struct ps_yaml_node *node, struct ps_error *error,
                            const char *format, ...) __attribute__((format(printf, 3, 4)));
