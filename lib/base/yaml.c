#include "base/yaml.h"

#include "base/file.h"
#include "base/utf8.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    MAXIMUM_BYTES = 4 << 20,
    MAXIMUM_DEPTH = 64,
    MAXIMUM_KEYS = 4096,
    MAXIMUM_ANCHORS = 1000,
    MAXIMUM_NODES = 100000,
};

struct anchor {
    const char *name;
    size_t size;
    const struct ps_yaml_node *node;
};

/* One open mapping or sequence; a mapping's next event is a key or the value of `key`. */
struct level {
    struct ps_yaml_node *node, *last;
    const struct ps_yaml_node *key;
};

struct builder {
    struct ps_yaml *yaml;
    const char *name;
    struct fy_parser *parser;
    struct fy_diag *diag;
    struct level levels[MAXIMUM_DEPTH];
    size_t depth, anchor_count;
    struct anchor *anchors;
    bool ended; /* the first document is complete */
    struct ps_error *error;
};

enum ps_status ps_yaml_fail(const struct ps_yaml_node *node, struct ps_error *error,
                            const char *format, ...) {
    char message[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return ps_error_set(error, PS_FORMAT, "%s:%d:%d: %s", node->file, node->line, node->column,
                        message);
}

static const struct anchor *find_anchor(const struct builder *builder, const char *name,
                                        size_t size) {
    for (size_t i = builder->anchor_count; i-- > 0;) { /* the newest of a name counts */
        const struct anchor *anchor = &builder->anchors[i];
        if (anchor->size == size && memcmp(anchor->name, name, size) == 0) return anchor;
    }
    return NULL;
}

static enum ps_status set_anchor(struct builder *builder, struct fy_token *token,
                                 const struct ps_yaml_node *node) {
    if (!token) return PS_OK;
    if (builder->anchor_count == MAXIMUM_ANCHORS)
        return ps_yaml_fail(node, builder->error, "more than %d anchors", MAXIMUM_ANCHORS);
    size_t size = 0;
    const char *text = fy_token_get_text(token, &size);
    char *name = text ? ps_arena_strndup(&builder->yaml->arena, text, size) : NULL;
    PS_FAIL_IF_NULL(name, builder->error);
    builder->anchors[builder->anchor_count++] = (struct anchor){name, size, node};
    return PS_OK;
}

static enum ps_status check_tag(struct fy_token *token, struct ps_yaml_node *node,
                                struct ps_error *error) {
    if (!token) return PS_OK;
    size_t size = 0;
    const char *text = fy_token_get_text(token, &size);
    const char *string = "tag:yaml.org,2002:str";
    if (!text || node->kind != PS_YAML_SCALAR || size != strlen(string) ||
        memcmp(text, string, size) != 0)
        return ps_yaml_fail(node, error, "tags other than !!str are not supported");
    node->plain = false;
    return PS_OK;
}

/* Every open level grows with what is put into it, so that no alias can hide its size. */
static enum ps_status count_nodes(struct builder *builder, const struct ps_yaml_node *node) {
    for (size_t i = 0; i < builder->depth; i++) {
        struct ps_yaml_node *open = builder->levels[i].node;
        open->expanded += node->expanded;
        if (open->expanded > MAXIMUM_NODES)
            return ps_yaml_fail(node, builder->error, "more than %d values, aliases included",
                                MAXIMUM_NODES);
    }
    return PS_OK;
}

/* Puts a node into the innermost open level, as a key, a value or an item. */
static enum ps_status attach(struct builder *builder, struct ps_yaml_node *node) {
    PS_TRY(count_nodes(builder, node));
    if (builder->depth == 0) {
        builder->yaml->root = node;
        return PS_OK;
    }
    struct level *level = &builder->levels[builder->depth - 1];
    if (level->node->kind == PS_YAML_MAPPING && !level->key) {
        if (node->kind != PS_YAML_SCALAR)
            return ps_yaml_fail(node, builder->error, "a key must be text, not %s",
                                ps_yaml_kind_text(node));
        const struct ps_yaml_node *twin = ps_yaml_get(level->node, node->text);
        if (twin)
            return ps_yaml_fail(node, builder->error, "'%s' stands twice, first in line %d",
                                node->text, twin->key->line);
        if (level->node->count == MAXIMUM_KEYS)
            return ps_yaml_fail(node, builder->error, "more than %d keys", MAXIMUM_KEYS);
        level->key = node;
        return PS_OK;
    }
    node->key = level->key;
    level->key = NULL;
    if (level->last)
        level->last->next = node;
    else
        level->node->first = node;
    level->last = node;
    level->node->count++;
    return PS_OK;
}

static enum ps_status new_node(struct builder *builder, struct fy_event *event,
                               enum ps_yaml_kind kind, struct ps_yaml_node **node) {
    *node = ps_arena_alloc(&builder->yaml->arena, sizeof **node);
    PS_FAIL_IF(!*node, builder->error, PS_MEMORY, "%s: out of memory", builder->name);
    const struct fy_mark *mark = fy_event_start_mark(event);
    /* libfyaml's mark of these stands behind the quote or the asterisk. */
    enum fy_scalar_style style = event->type == FYET_SCALAR && event->scalar.value
                                     ? fy_token_scalar_style(event->scalar.value)
                                     : FYSS_PLAIN;
    bool behind =
        event->type == FYET_ALIAS || style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
    **node = (struct ps_yaml_node){
        .kind = kind,
        .line = mark ? mark->line + 1 : 1,
        .column = mark ? mark->column + (behind && mark->column > 0 ? 0 : 1) : 1,
        .file = builder->name,
        .expanded = 1,
    };
    return PS_OK;
}

static enum ps_status add_scalar(struct builder *builder, struct fy_event *event) {
    struct ps_yaml_node *node;
    PS_TRY(new_node(builder, event, PS_YAML_SCALAR, &node));
    size_t size = 0;
    struct fy_token *token = event->scalar.value;
    const char *text = token ? fy_token_get_text(token, &size) : "";
    if (!text) text = "";
    node->text = ps_arena_strndup(&builder->yaml->arena, text, size);
    PS_FAIL_IF(!node->text, builder->error, PS_MEMORY, "%s: out of memory", builder->name);
    node->size = size;
    node->plain = !token || fy_token_scalar_style(token) == FYSS_PLAIN;
    if (memchr(text, 0, size)) return ps_yaml_fail(node, builder->error, "a NUL character");
    PS_TRY(check_tag(event->scalar.tag, node, builder->error));
    PS_TRY(set_anchor(builder, event->scalar.anchor, node));
    return attach(builder, node);
}

static enum ps_status add_alias(struct builder *builder, struct fy_event *event) {
    struct ps_yaml_node *node;
    PS_TRY(new_node(builder, event, PS_YAML_SCALAR, &node));
    size_t size = 0;
    const char *name = fy_token_get_text(event->alias.anchor, &size);
    const struct anchor *anchor = name ? find_anchor(builder, name, size) : NULL;
    if (!anchor)
        return ps_yaml_fail(node, builder->error, "the alias '*%.*s' has no anchor before it",
                            (int)(size < 100 ? size : 100), name ? name : "");
    for (size_t i = 0; i < builder->depth; i++)
        if (builder->levels[i].node == anchor->node)
            return ps_yaml_fail(node, builder->error, "the alias stands inside its own anchor");
    int line = node->line, column = node->column;
    *node = *anchor->node;
    node->line = line;
    node->column = column;
    node->key = node->next = NULL;
    return attach(builder, node);
}

static enum ps_status open_level(struct builder *builder, struct fy_event *event,
                                 enum ps_yaml_kind kind) {
    struct ps_yaml_node *node;
    PS_TRY(new_node(builder, event, kind, &node));
    if (builder->depth == MAXIMUM_DEPTH)
        return ps_yaml_fail(node, builder->error, "nested deeper than %d levels", MAXIMUM_DEPTH);
    bool mapping = kind == PS_YAML_MAPPING;
    struct fy_token *tag = mapping ? event->mapping_start.tag : event->sequence_start.tag;
    struct fy_token *anchor = mapping ? event->mapping_start.anchor : event->sequence_start.anchor;
    PS_TRY(check_tag(tag, node, builder->error));
    PS_TRY(set_anchor(builder, anchor, node));
    PS_TRY(attach(builder, node));
    builder->levels[builder->depth++] = (struct level){.node = node};
    return PS_OK;
}

static enum ps_status take_event(struct builder *builder, struct fy_event *event) {
    switch (event->type) {
    case FYET_DOCUMENT_START: {
        struct ps_yaml_node *node;
        if (!builder->ended) return PS_OK;
        PS_TRY(new_node(builder, event, PS_YAML_SCALAR, &node));
        return ps_yaml_fail(node, builder->error, "a second document begins here");
    }
    case FYET_DOCUMENT_END: builder->ended = true; return PS_OK;
    case FYET_SCALAR: return add_scalar(builder, event);
    case FYET_ALIAS: return add_alias(builder, event);
    case FYET_MAPPING_START: return open_level(builder, event, PS_YAML_MAPPING);
    case FYET_SEQUENCE_START: return open_level(builder, event, PS_YAML_SEQUENCE);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END: builder->depth--; return PS_OK;
    default: return PS_OK;
    }
}

/* libfyaml collects what it has to say; the first message is the one that helps. */
static enum ps_status parser_failure(struct builder *builder) {
    void *previous = NULL;
    struct fy_diag_error *first = fy_diag_errors_iterate(builder->diag, &previous);
    PS_FAIL_IF(!first, builder->error, PS_FORMAT, "%s: not YAML", builder->name);
    return ps_error_set(builder->error, PS_FORMAT, "%s:%d:%d: %s", builder->name,
                        first->line > 0 ? first->line : 1, first->column > 0 ? first->column : 1,
                        first->msg);
}

/* libfyaml would print; its messages are collected instead. */
static void no_output(struct fy_diag *diag, void *user, const char *text, size_t size) {
    (void)diag, (void)user, (void)text, (void)size;
}

static enum ps_status build(struct builder *builder, const char *text, size_t size) {
    struct fy_diag_cfg collecting;
    fy_diag_cfg_default(&collecting);
    collecting.fp = NULL;
    collecting.output_fn = no_output;
    collecting.colorize = false;
    builder->diag = fy_diag_create(&collecting);
    PS_FAIL_IF(!builder->diag, builder->error, PS_MEMORY, "%s: out of memory", builder->name);
    fy_diag_set_collect_errors(builder->diag, true);
    struct fy_parse_cfg configuration = {.flags = FYPCF_QUIET | FYPCF_DISABLE_RECYCLING,
                                         .diag = builder->diag};
    builder->parser = fy_parser_create(&configuration);
    PS_FAIL_IF(!builder->parser, builder->error, PS_MEMORY, "%s: out of memory", builder->name);
    PS_FAIL_IF(fy_parser_set_string(builder->parser, text, size) != 0, builder->error, PS_MEMORY,
               "%s: out of memory", builder->name);
    for (;;) {
        struct fy_event *event = fy_parser_parse(builder->parser);
        if (!event) break;
        bool end = event->type == FYET_STREAM_END;
        enum ps_status status = take_event(builder, event);
        fy_parser_event_free(builder->parser, event);
        PS_TRY(status);
        if (end) break;
    }
    if (fy_parser_get_stream_error(builder->parser)) return parser_failure(builder);
    PS_FAIL_IF(!builder->yaml->root, builder->error, PS_FORMAT, "%s: is empty", builder->name);
    return PS_OK;
}

/* libfyaml 0.7 never returns from some directives with broken UTF-8 in them; neither is needed. */
static enum ps_status check_text(const char *name, const char *text, size_t size,
                                 struct ps_error *error) {
    size_t line = 1, start = 0;
    for (size_t i = 0, length; i < size; i += length) {
        length = ps_utf8_length(text + i, size - i);
        PS_FAIL_IF(length == 0, error, PS_FORMAT, "%s:%zu:%zu: not UTF-8", name, line,
                   i - start + 1);
        PS_FAIL_IF(text[i] == '%' && i == start, error, PS_FORMAT,
                   "%s:%zu:1: directives (%%) are not supported", name, line);
        if (text[i] != '\n' && text[i] != '\r') continue;
        line += text[i] == '\n';
        start = i + 1;
    }
    return PS_OK;
}

enum ps_status ps_yaml_parse(struct ps_yaml *yaml, const char *name, const char *text, size_t size,
                             struct ps_error *error) {
    *yaml = (struct ps_yaml){0};
    ps_arena_init(&yaml->arena, 256 << 20);
    struct builder builder = {.yaml = yaml, .error = error};
    PS_FAIL_IF(size > MAXIMUM_BYTES, error, PS_LIMIT, "%s: larger than %d bytes", name,
               MAXIMUM_BYTES);
    enum ps_status status = check_text(name, text, size, error);
    if (status != PS_OK) return status;
    builder.name = ps_arena_strndup(&yaml->arena, name, strlen(name));
    builder.anchors = ps_arena_array(&yaml->arena, MAXIMUM_ANCHORS, sizeof *builder.anchors);
    if (!builder.name || !builder.anchors)
        status = ps_error_set(error, PS_MEMORY, "%s: out of memory", name);
    if (status == PS_OK) status = build(&builder, text, size);
    if (builder.parser) fy_parser_destroy(builder.parser);
    if (builder.diag) fy_diag_destroy(builder.diag);
    if (status != PS_OK) ps_yaml_release(yaml);
    return status;
}

enum ps_status ps_yaml_read_file(struct ps_yaml *yaml, const char *path, struct ps_error *error) {
    struct ps_buffer buffer;
    ps_buffer_init(&buffer, MAXIMUM_BYTES);
    *yaml = (struct ps_yaml){0};
    enum ps_status status = ps_file_read(path, &buffer, error);
    if (status == PS_OK)
        status = ps_yaml_parse(yaml, path, buffer.data ? buffer.data : "", buffer.size, error);
    ps_buffer_release(&buffer);
    return status;
}

void ps_yaml_release(struct ps_yaml *yaml) {
    ps_arena_release(&yaml->arena);
    yaml->root = NULL;
}

const struct ps_yaml_node *ps_yaml_get(const struct ps_yaml_node *mapping, const char *key) {
    if (!mapping || mapping->kind != PS_YAML_MAPPING) return NULL;
    for (const struct ps_yaml_node *node = mapping->first; node; node = node->next)
        if (strcmp(node->key->text, key) == 0) return node;
    return NULL;
}

bool ps_yaml_is_null(const struct ps_yaml_node *node) {
    if (!node) return true;
    if (node->kind != PS_YAML_SCALAR || !node->plain) return false;
    return !node->text[0] || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0;
}

const char *ps_yaml_kind_text(const struct ps_yaml_node *node) {
    static const char *const texts[] = {"text", "a mapping", "a list"};
    return texts[node->kind];
}
