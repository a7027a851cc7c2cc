#pragma once
#include "base/settings.h"

static inline void *ps_setting_member(const struct ps_setting *setting, void *values) {
    return (char *)values + setting->offset;
}

/* The setting of this key in one of the parts, and that part's values. */
const struct ps_setting *ps_settings_find(const struct ps_settings *parts, size_t count,
                                          const char *key, void **values);

/* PS_ARGUMENT: "unknown key 'x'; did you mean 'y'?". dashes: as flags, --x-y. */
enum ps_status ps_settings_unknown(const struct ps_settings *parts, size_t count, const char *key,
                                   bool dashes, struct ps_error *error);

/* Parses a scalar setting, or one item's value of a list or map, from its text. PS_ARGUMENT with a
 * message that begins with the key. */
enum ps_status ps_setting_parse(const struct ps_setting *setting, void *member, const char *text,
                                struct ps_arena *arena, struct ps_error *error);

/* Reads a value, list, map or nested table. PS_FORMAT with the node's place. */
enum ps_status ps_setting_read(const struct ps_setting *setting, void *values,
                               const struct ps_yaml_node *node, bool append, struct ps_arena *arena,
                               struct ps_error *error);

/* "an integer", "a list of names"; "INTEGER", "NAME,...". */
const char *ps_setting_type_text(const struct ps_setting *setting);

/* Appends "1 .. 10", "1 or more" or nothing. */
bool ps_setting_range(const struct ps_setting *setting, struct ps_buffer *buffer);

bool ps_setting_is_unset(const struct ps_setting *setting, const void *member);
