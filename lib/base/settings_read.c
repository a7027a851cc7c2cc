/* Settings from YAML nodes and from single texts (--set key=value, flags). */
#include "base/settings_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The last message, put behind the node's place. */
static enum ps_status at_node(const struct ps_yaml_node *node, struct ps_error *error) {
    if (!error) return PS_FORMAT;
    if (error->status == PS_ARGUMENT) error->status = PS_FORMAT;
    return ps_error_prefix(error, "%s:%d:%d", node->file, node->line, node->column);
}

/* Empties a list or map; nothing else holds what was there before. */
static void clear(const struct ps_setting *setting, void *member) {
    switch (setting->type) {
    case PS_SETTING_STRINGS: *(struct ps_strings *)member = (struct ps_strings){0}; break;
    case PS_SETTING_STRING_MAP: *(struct ps_string_map *)member = (struct ps_string_map){0}; break;
    case PS_SETTING_NUMBER_MAP: *(struct ps_number_map *)member = (struct ps_number_map){0}; break;
    case PS_SETTING_TABLE_MAP: *(struct ps_table_map *)member = (struct ps_table_map){0}; break;
    default: break;
    }
}

/* A list of `count` items with room for `more` others behind it. */
static enum ps_status grow(void **items, size_t count, size_t more, size_t size,
                           struct ps_arena *arena, struct ps_error *error) {
    void *grown = ps_arena_array(arena, count + more, size);
    PS_FAIL_IF_NULL(grown, error);
    if (count) memcpy(grown, *items, count * size);
    *items = grown;
    return PS_OK;
}

static enum ps_status read_scalar(const struct ps_setting *setting, void *member,
                                  const struct ps_yaml_node *node, struct ps_arena *arena,
                                  struct ps_error *error) {
    if (node->kind != PS_YAML_SCALAR)
        return ps_yaml_fail(node, error, "'%s' is %s, not %s", setting->key,
                            ps_yaml_kind_text(node), ps_setting_type_text(setting));
    bool wants_text = setting->type == PS_SETTING_STRING || setting->type == PS_SETTING_ENUM ||
                      setting->type == PS_SETTING_STRINGS || setting->type == PS_SETTING_STRING_MAP;
    if (!node->plain && !wants_text)
        return ps_yaml_fail(node, error, "'%s' is text in quotes, not %s", setting->key,
                            ps_setting_type_text(setting));
    enum ps_status status = ps_setting_parse(setting, member, node->text, arena, error);
    return status == PS_OK ? PS_OK : at_node(node, error);
}

static enum ps_status read_strings(const struct ps_setting *setting, struct ps_strings *strings,
                                   const struct ps_yaml_node *node, struct ps_arena *arena,
                                   struct ps_error *error) {
    if (node->kind == PS_YAML_MAPPING)
        return ps_yaml_fail(node, error, "'%s' is a mapping, not a list", setting->key);
    bool one = node->kind == PS_YAML_SCALAR;
    PS_TRY(grow((void **)&strings->items, strings->count, one ? 1 : node->count,
                sizeof *strings->items, arena, error));
    for (const struct ps_yaml_node *item = one ? node : node->first; item;
         item = one ? NULL : item->next) {
        PS_TRY(read_scalar(setting, &strings->items[strings->count], item, arena, error));
        strings->count++;
    }
    return PS_OK;
}

static enum ps_status copy_key(const struct ps_yaml_node *node, const char **key,
                               struct ps_arena *arena, struct ps_error *error) {
    *key = ps_arena_strndup(arena, node->text, node->size);
    PS_FAIL_IF_NULL(*key, error);
    return PS_OK;
}

static enum ps_status read_string_map(const struct ps_setting *setting, struct ps_string_map *map,
                                      const struct ps_yaml_node *node, struct ps_arena *arena,
                                      struct ps_error *error) {
    if (node->kind == PS_YAML_SEQUENCE)
        return ps_yaml_fail(node, error, "'%s' is a list, not %s", setting->key,
                            ps_setting_type_text(setting));
    bool one = node->kind == PS_YAML_SCALAR;
    PS_TRY(grow((void **)&map->items, map->count, one ? 1 : node->count, sizeof *map->items, arena,
                error));
    for (const struct ps_yaml_node *item = one ? node : node->first; item;
         item = one ? NULL : item->next) {
        struct ps_string_entry *entry = &map->items[map->count];
        entry->key = "default";
        if (!one) PS_TRY(copy_key(item->key, &entry->key, arena, error));
        PS_TRY(read_scalar(setting, &entry->value, item, arena, error));
        map->count++;
    }
    return PS_OK;
}

static enum ps_status read_number_map(const struct ps_setting *setting, struct ps_number_map *map,
                                      const struct ps_yaml_node *node, struct ps_arena *arena,
                                      struct ps_error *error) {
    bool one = node->kind == PS_YAML_SCALAR, mapping = node->kind == PS_YAML_MAPPING;
    PS_TRY(grow((void **)&map->items, map->count, one ? 1 : node->count, sizeof *map->items, arena,
                error));
    for (const struct ps_yaml_node *item = one ? node : node->first; item;
         item = one ? NULL : item->next) {
        struct ps_number_entry *entry = &map->items[map->count];
        entry->value = 1;
        if (!mapping && item->kind != PS_YAML_SCALAR)
            return ps_yaml_fail(item, error, "'%s' is %s, not %s", setting->key,
                                ps_yaml_kind_text(item), ps_setting_type_text(setting));
        PS_TRY(copy_key(mapping ? item->key : item, &entry->key, arena, error));
        if (mapping) PS_TRY(read_scalar(setting, &entry->value, item, arena, error));
        map->count++;
    }
    return PS_OK;
}

static enum ps_status read_table_map(const struct ps_setting *setting, struct ps_table_map *map,
                                     const struct ps_yaml_node *node, struct ps_arena *arena,
                                     struct ps_error *error) {
    if (node->kind != PS_YAML_MAPPING)
        return ps_yaml_fail(node, error, "'%s' is %s, not %s", setting->key,
                            ps_yaml_kind_text(node), ps_setting_type_text(setting));
    PS_TRY(grow((void **)&map->items, map->count, node->count, sizeof *map->items, arena, error));
    for (const struct ps_yaml_node *item = node->first; item; item = item->next) {
        struct ps_table_entry *entry = &map->items[map->count];
        struct ps_settings part;
        PS_TRY(copy_key(item->key, &entry->key, arena, error));
        PS_TRY(ps_settings_new(setting->table, &part, arena, error));
        PS_TRY(ps_settings_read(&part, 1, item, arena, error));
        entry->values = part.values;
        entry->node = item;
        map->count++;
    }
    return PS_OK;
}

enum ps_status ps_setting_read(const struct ps_setting *setting, void *values,
                               const struct ps_yaml_node *node, bool append, struct ps_arena *arena,
                               struct ps_error *error) {
    void *member = ps_setting_member(setting, values);
    struct ps_settings nested = {setting->table, member};
    if (!append) clear(setting, member);
    switch (setting->type) {
    case PS_SETTING_STRINGS: return read_strings(setting, member, node, arena, error);
    case PS_SETTING_STRING_MAP: return read_string_map(setting, member, node, arena, error);
    case PS_SETTING_NUMBER_MAP: return read_number_map(setting, member, node, arena, error);
    case PS_SETTING_TABLE_MAP: return read_table_map(setting, member, node, arena, error);
    case PS_SETTING_TABLE: return ps_settings_read(&nested, 1, node, arena, error);
    case PS_SETTING_NODE: *(const struct ps_yaml_node **)member = node; return PS_OK;
    default: return read_scalar(setting, member, node, arena, error);
    }
}

enum ps_status ps_settings_read(const struct ps_settings *parts, size_t count,
                                const struct ps_yaml_node *mapping, struct ps_arena *arena,
                                struct ps_error *error) {
    if (ps_yaml_is_null(mapping)) return PS_OK;
    if (mapping->kind != PS_YAML_MAPPING)
        return ps_yaml_fail(mapping, error, "%s is %s, not a mapping", parts[0].table->name,
                            ps_yaml_kind_text(mapping));
    for (const struct ps_yaml_node *node = mapping->first; node; node = node->next) {
        void *values;
        const struct ps_setting *setting = ps_settings_find(parts, count, node->key->text, &values);
        if (!setting) {
            ps_settings_unknown(parts, count, node->key->text, false, error);
            return at_node(node->key, error);
        }
        if (ps_yaml_is_null(node)) continue;
        PS_TRY(ps_setting_read(setting, values, node, false, arena, error));
    }
    return PS_OK;
}

/* ---- from text ---- */

static enum ps_status set_items(const struct ps_setting *setting, void *member, const char *text,
                                struct ps_arena *arena, struct ps_error *error) {
    char *copy = ps_arena_strndup(arena, text, strlen(text)), *rest = copy;
    PS_FAIL_IF_NULL(copy, error);
    for (char *item; (item = strsep(&rest, setting->whole ? "" : ","));) {
        char *value = item;
        char *key = setting->type == PS_SETTING_STRINGS ? NULL : strsep(&value, "=");
        if (setting->type == PS_SETTING_STRINGS) {
            struct ps_strings *list = member;
            PS_TRY(grow((void **)&list->items, list->count, 1, sizeof *list->items, arena, error));
            list->items[list->count++] = item;
        } else if (setting->type == PS_SETTING_STRING_MAP) {
            struct ps_string_map *map = member;
            PS_TRY(grow((void **)&map->items, map->count, 1, sizeof *map->items, arena, error));
            map->items[map->count++] = value ? (struct ps_string_entry){key, value}
                                             : (struct ps_string_entry){"default", key};
        } else {
            struct ps_number_map *map = member;
            double number = 1;
            if (value) PS_TRY(ps_setting_parse(setting, &number, value, arena, error));
            PS_TRY(grow((void **)&map->items, map->count, 1, sizeof *map->items, arena, error));
            map->items[map->count++] = (struct ps_number_entry){key, number};
        }
    }
    return PS_OK;
}

static enum ps_status set_text(const struct ps_setting *setting, void *values, const char *place,
                               const char *text, bool append, struct ps_arena *arena,
                               struct ps_error *error) {
    void *member = ps_setting_member(setting, values);
    bool structured = setting->type >= PS_SETTING_STRINGS;
    bool items = setting->type >= PS_SETTING_STRINGS && setting->type <= PS_SETTING_NUMBER_MAP;
    bool flow = !setting->whole && (text[0] == '[' || text[0] == '{');
    if (!structured) return ps_setting_parse(setting, member, text, arena, error);
    if (items && !flow) {
        if (!append) clear(setting, member);
        return set_items(setting, member, text, arena, error);
    }
    PS_FAIL_IF(setting->type >= PS_SETTING_TABLE_MAP, error, PS_ARGUMENT,
               "'%s' cannot be set as a whole", setting->key);
    struct ps_yaml yaml;
    PS_TRY(ps_yaml_parse(&yaml, place, text, strlen(text), error));
    enum ps_status status = ps_setting_read(setting, values, yaml.root, append, arena, error);
    ps_yaml_release(&yaml);
    return status;
}

/* The part of key before a dot that names a nested table or an entry of a map of tables. */
static bool descend(const struct ps_settings *parts, size_t count, const char *key,
                    struct ps_settings *nested, const char **rest) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < parts[i].table->count; j++) {
            const struct ps_setting *setting = &parts[i].table->items[j];
            size_t size = strlen(setting->key);
            if (strncmp(setting->key, key, size) != 0 || key[size] != '.') continue;
            void *member = ps_setting_member(setting, parts[i].values);
            *rest = key + size + 1;
            *nested = (struct ps_settings){setting->table, member};
            if (setting->type == PS_SETTING_TABLE) return true;
            if (setting->type != PS_SETTING_TABLE_MAP) continue;
            const struct ps_table_map *map = member;
            for (size_t k = 0; k < map->count; k++) {
                size_t name_size = strlen(map->items[k].key);
                if (strncmp(map->items[k].key, *rest, name_size) != 0 || (*rest)[name_size] != '.')
                    continue;
                *rest += name_size + 1;
                nested->values = map->items[k].values;
                return true;
            }
        }
    }
    return false;
}

enum ps_status ps_settings_set(const struct ps_settings *parts, size_t count, const char *place,
                               const char *key, const char *text, bool append,
                               struct ps_arena *arena, struct ps_error *error) {
    void *values;
    const struct ps_setting *setting = ps_settings_find(parts, count, key, &values);
    enum ps_status status;
    struct ps_settings nested;
    const char *rest;
    if (setting)
        status = set_text(setting, values, place, text, append, arena, error);
    else if (descend(parts, count, key, &nested, &rest))
        return ps_settings_set(&nested, 1, place, rest, text, append, arena, error);
    else
        status = ps_settings_unknown(parts, count, key, false, error);
    if (status == PS_OK || !error) return status;
    bool placed = strncmp(error->message, place, strlen(place)) == 0;
    return placed ? status : ps_error_prefix(error, "%s", place);
}

bool ps_setting_is_unset(const struct ps_setting *setting, const void *member) {
    switch (setting->type) {
    case PS_SETTING_INTEGER:
    case PS_SETTING_BYTES: return *(const int64_t *)member == PS_UNSET_INTEGER;
    case PS_SETTING_NUMBER:
    case PS_SETTING_DURATION: return isnan(*(const double *)member);
    case PS_SETTING_ENUM: return *(const int *)member < 0;
    case PS_SETTING_STRING:
    case PS_SETTING_NODE: return !*(void *const *)member;
    case PS_SETTING_STRINGS:
    case PS_SETTING_STRING_MAP:
    case PS_SETTING_NUMBER_MAP:
    case PS_SETTING_TABLE_MAP: return *(const size_t *)member == 0; /* count comes first */
    default: return false;
    }
}

enum ps_status ps_settings_require(const struct ps_settings *parts, size_t count, const char *place,
                                   struct ps_error *error) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < parts[i].table->count; j++) {
            const struct ps_setting *setting = &parts[i].table->items[j];
            const void *member = ps_setting_member(setting, parts[i].values);
            PS_FAIL_IF(setting->required && ps_setting_is_unset(setting, member), error, PS_FORMAT,
                       "%s: '%s' is missing (%s)", place, setting->key, setting->help);
            if (setting->type != PS_SETTING_TABLE_MAP) continue;
            const struct ps_table_map *map = member;
            for (size_t k = 0; k < map->count; k++) {
                const struct ps_yaml_node *node = map->items[k].node;
                struct ps_settings part = {setting->table, map->items[k].values};
                char where[600];
                snprintf(where, sizeof where, "%s:%d:%d: %s", node->file, node->line, node->column,
                         map->items[k].key);
                PS_TRY(ps_settings_require(&part, 1, where, error));
            }
        }
    }
    return PS_OK;
}
