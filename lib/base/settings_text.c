/* Settings as text: command-line flags in, help, reference page and canonical JSON out. */
#include "base/settings_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- command-line flags ---- */

static bool is_items(const struct ps_setting *setting) {
    return setting->type == PS_SETTING_STRINGS || setting->type == PS_SETTING_STRING_MAP ||
           setting->type == PS_SETTING_NUMBER_MAP;
}

/* Whether an earlier argument named the same key; then a list grows instead of starting anew. */
static bool seen_before(char **argv, int index, const char *key) {
    size_t size = strlen(key);
    for (int i = 0; i < index; i++) {
        const char *flag = argv[i];
        if (strncmp(flag, "--", 2) != 0) continue;
        size_t j = 0;
        while (j < size && (flag[2 + j] == key[j] || (flag[2 + j] == '-' && key[j] == '_'))) j++;
        if (j == size && (!flag[2 + j] || flag[2 + j] == '=')) return true;
    }
    return false;
}

struct flag {
    char key[128];
    const char *value; /* behind =, else NULL */
};

static enum ps_status split_flag(const char *text, struct flag *flag, struct ps_error *error) {
    const char *name = text + 2, *equals = strchr(name, '=');
    size_t size = equals ? (size_t)(equals - name) : strlen(name);
    PS_FAIL_IF(size >= sizeof flag->key, error, PS_ARGUMENT, "unknown option %.100s", text);
    for (size_t i = 0; i < size; i++) flag->key[i] = name[i] == '-' ? '_' : name[i];
    flag->key[size] = 0;
    flag->value = equals ? equals + 1 : NULL;
    return PS_OK;
}

/* The setting a dotted key leads to, for its type alone. */
static const struct ps_setting *find_dotted(const struct ps_settings *parts, size_t count,
                                            const char *key) {
    void *values;
    const struct ps_setting *setting = ps_settings_find(parts, count, key, &values);
    const char *dot = strchr(key, '.');
    if (setting || !dot) return setting;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < parts[i].table->count; j++) {
            const struct ps_setting *outer = &parts[i].table->items[j];
            if (outer->type != PS_SETTING_TABLE || strlen(outer->key) != (size_t)(dot - key) ||
                strncmp(outer->key, key, (size_t)(dot - key)) != 0)
                continue;
            struct ps_settings nested = {outer->table, ps_setting_member(outer, parts[i].values)};
            return find_dotted(&nested, 1, dot + 1);
        }
    }
    return NULL;
}

static enum ps_status take_flag(const struct ps_settings *parts, size_t count, int argc,
                                char **argv, int *index, struct ps_arena *arena,
                                struct ps_error *error) {
    struct flag flag;
    const char *text = argv[*index];
    PS_TRY(split_flag(text, &flag, error));
    const struct ps_setting *setting = find_dotted(parts, count, flag.key);
    bool negated = false;
    if (!setting && strncmp(flag.key, "no_", 3) == 0 && !flag.value) {
        const struct ps_setting *positive = find_dotted(parts, count, flag.key + 3);
        negated = positive && positive->type == PS_SETTING_BOOL;
        if (negated) {
            setting = positive;
            memmove(flag.key, flag.key + 3, strlen(flag.key + 3) + 1);
        }
    }
    if (!setting) {
        char spelling[128];
        snprintf(spelling, sizeof spelling, "%.*s", (int)strcspn(text + 2, "="), text + 2);
        return ps_settings_unknown(parts, count, spelling, true, error);
    }
    bool append = is_items(setting) && seen_before(argv, *index, flag.key);
    if (negated)
        flag.value = "false";
    else if (setting->type == PS_SETTING_BOOL && !flag.value)
        flag.value = "true";
    if (!flag.value) {
        PS_FAIL_IF(*index + 1 >= argc, error, PS_ARGUMENT, "%s wants a value: %s", text,
                   setting->help);
        flag.value = argv[++*index];
    }
    char place[140];
    snprintf(place, sizeof place, "%.*s", (int)strcspn(text, "="), text);
    return ps_settings_set(parts, count, place, flag.key, flag.value, append, arena, error);
}

enum ps_status ps_settings_read_flags(const struct ps_settings *parts, size_t count, int argc,
                                      char **argv, struct ps_strings *arguments,
                                      struct ps_arena *arena, struct ps_error *error) {
    arguments->count = 0;
    arguments->items = ps_arena_array(arena, (size_t)argc + 1, sizeof *arguments->items);
    PS_FAIL_IF_NULL(arguments->items, error);
    bool flags = true;
    for (int i = 0; i < argc; i++) {
        if (flags && strcmp(argv[i], "--") == 0)
            flags = false;
        else if (flags && strncmp(argv[i], "--", 2) == 0)
            PS_TRY(take_flag(parts, count, argc, argv, &i, arena, error));
        else if (flags && argv[i][0] == '-' && argv[i][1])
            return ps_error_set(error, PS_ARGUMENT, "unknown option %.100s", argv[i]);
        else
            arguments->items[arguments->count++] = argv[i];
    }
    return PS_OK;
}

/* ---- help ---- */

enum { HELP_COLUMN = 30, HELP_WIDTH = 100 };

static const char *argument_text(const struct ps_setting *setting) {
    if (setting->argument) return setting->argument;
    switch (setting->type) {
    case PS_SETTING_BOOL: return "";
    case PS_SETTING_INTEGER: return "INTEGER";
    case PS_SETTING_NUMBER: return "NUMBER";
    case PS_SETTING_DURATION: return "TIME";
    case PS_SETTING_BYTES: return "BYTES";
    case PS_SETTING_STRINGS: return setting->whole ? "TEXT" : "NAME,...";
    case PS_SETTING_STRING_MAP: return "NAME=TEXT,...";
    case PS_SETTING_NUMBER_MAP: return "NAME=NUMBER,...";
    default: return "NAME";
    }
}

/* Everything said about a setting in one text: help, names, unit, range, default. */
static bool describe(const struct ps_setting *setting, struct ps_buffer *buffer) {
    bool fits = ps_buffer_puts(buffer, setting->help);
    if (setting->names) {
        fits = fits && ps_buffer_puts(buffer, ": ");
        for (size_t i = 0; setting->names[i]; i++)
            fits = fits && ps_buffer_format(buffer, "%s%s", i ? ", " : "", setting->names[i]);
    }
    if (setting->unit) fits = fits && ps_buffer_format(buffer, ", in %s", setting->unit);
    bool on = setting->type == PS_SETTING_BOOL && setting->fallback &&
              strcmp(setting->fallback, "true") == 0;
    if (setting->required)
        fits = fits && ps_buffer_puts(buffer, " (required)");
    else if (setting->type == PS_SETTING_BOOL)
        fits = fits && (!on || ps_buffer_puts(buffer, " (on)"));
    else if (setting->fallback && setting->fallback[0])
        fits = fits && ps_buffer_format(buffer, " [%s]", setting->fallback);
    return fits;
}

static bool wrap(const char *text, size_t column, struct ps_buffer *buffer) {
    while (*text) {
        size_t size = strcspn(text, " ");
        if (column + size > HELP_WIDTH && column > HELP_COLUMN) {
            while (buffer->data[buffer->size - 1] == ' ') buffer->data[--buffer->size] = 0;
            if (!ps_buffer_format(buffer, "\n%*s", HELP_COLUMN, "")) return false;
            column = HELP_COLUMN;
        }
        size_t with_space = size + strspn(text + size, " ");
        bool last = !text[with_space];
        if (!ps_buffer_append(buffer, text, last ? size : with_space)) return false;
        column += with_space;
        text += with_space;
    }
    while (buffer->size && buffer->data[buffer->size - 1] == ' ') buffer->data[--buffer->size] = 0;
    return ps_buffer_puts(buffer, "\n");
}

static bool help_lines(const struct ps_settings_table *table, const char *prefix,
                       struct ps_buffer *buffer) {
    for (size_t i = 0; i < table->count; i++) {
        const struct ps_setting *setting = &table->items[i];
        char flag[160], key[80];
        snprintf(key, sizeof key, "%s%s", prefix, setting->key);
        for (char *c = key; *c; c++) *c = *c == '_' ? '-' : *c;
        if (setting->type == PS_SETTING_TABLE) {
            strncat(key, ".", sizeof key - strlen(key) - 1);
            if (!help_lines(setting->table, key, buffer)) return false;
            continue;
        }
        if (setting->type >= PS_SETTING_TABLE_MAP) continue; /* only in files */
        const char *argument = argument_text(setting);
        snprintf(flag, sizeof flag, "  --%s%s%s", key, argument[0] ? " " : "", argument);
        struct ps_buffer text;
        ps_buffer_init(&text, 4096);
        bool fits = describe(setting, &text) && ps_buffer_puts(buffer, flag);
        size_t column = strlen(flag);
        if (fits && column + 2 > HELP_COLUMN)
            fits = ps_buffer_format(buffer, "\n%*s", HELP_COLUMN, "");
        else if (fits)
            fits = ps_buffer_format(buffer, "%*s", (int)(HELP_COLUMN - column), "");
        fits = fits && wrap(text.data, HELP_COLUMN, buffer);
        ps_buffer_release(&text);
        if (!fits) return false;
    }
    return true;
}

bool ps_settings_help(const struct ps_settings_table *table, struct ps_buffer *buffer) {
    return help_lines(table, "", buffer);
}

/* ---- reference page ---- */

static bool reference_row(const struct ps_setting *setting, const char *prefix,
                          struct ps_buffer *buffer) {
    bool fits = ps_buffer_format(buffer, "| `%s%s` | ", prefix, setting->key);
    if (setting->names)
        for (size_t i = 0; setting->names[i]; i++)
            fits = fits && ps_buffer_format(buffer, "%s`%s`", i ? ", " : "", setting->names[i]);
    else
        fits = fits && ps_buffer_puts(buffer, ps_setting_type_text(setting));
    if (setting->minimum != 0 || setting->maximum != 0)
        fits = fits && ps_buffer_puts(buffer, ", ") && ps_setting_range(setting, buffer);
    if (setting->unit) fits = fits && ps_buffer_format(buffer, ", %s", setting->unit);
    fits = fits && ps_buffer_puts(buffer, " | ");
    if (setting->required)
        fits = fits && ps_buffer_puts(buffer, "required");
    else if (setting->fallback)
        fits = fits && ps_buffer_format(buffer, "`%s`", setting->fallback);
    return fits && ps_buffer_format(buffer, " | %s | %s |\n", setting->identity ? "yes" : "",
                                    setting->help);
}

static bool reference_rows(const struct ps_settings_table *table, const char *prefix,
                           struct ps_buffer *buffer) {
    for (size_t i = 0; i < table->count; i++) {
        const struct ps_setting *setting = &table->items[i];
        char nested[80];
        snprintf(nested, sizeof nested, "%s%s.", prefix, setting->key);
        if (setting->type == PS_SETTING_TABLE ? !reference_rows(setting->table, nested, buffer)
                                              : !reference_row(setting, prefix, buffer))
            return false;
    }
    return true;
}

bool ps_settings_reference(const struct ps_settings_table *table, struct ps_buffer *buffer) {
    bool fits = !table->help[0] || ps_buffer_format(buffer, "%s\n\n", table->help);
    if (table->count == 0) return fits && ps_buffer_puts(buffer, "No settings.\n\n");
    fits = fits && ps_buffer_puts(buffer, "| key | value | default | identity | meaning |\n"
                                          "|---|---|---|---|---|\n");
    return fits && reference_rows(table, "", buffer) && ps_buffer_puts(buffer, "\n");
}

/* ---- canonical JSON ---- */

static void write_value(const struct ps_setting *setting, void *member, bool identity_only,
                        struct ps_json_writer *writer) {
    struct ps_settings nested = {setting->table, member};
    const struct ps_strings *strings = member;
    const struct ps_string_map *string_map = member;
    const struct ps_number_map *number_map = member;
    const struct ps_table_map *table_map = member;
    switch (setting->type) {
    case PS_SETTING_BOOL: ps_json_write_bool(writer, *(bool *)member); break;
    case PS_SETTING_INTEGER:
    case PS_SETTING_BYTES: ps_json_write_integer(writer, *(int64_t *)member); break;
    case PS_SETTING_NUMBER:
    case PS_SETTING_DURATION: ps_json_write_number(writer, *(double *)member); break;
    case PS_SETTING_STRING: ps_json_write_string(writer, *(const char **)member); break;
    case PS_SETTING_ENUM: ps_json_write_string(writer, setting->names[*(int *)member]); break;
    case PS_SETTING_STRINGS:
        ps_json_write_begin_array(writer);
        for (size_t i = 0; i < strings->count; i++) ps_json_write_string(writer, strings->items[i]);
        ps_json_write_end_array(writer);
        break;
    case PS_SETTING_STRING_MAP:
        ps_json_write_begin_object(writer);
        for (size_t i = 0; i < string_map->count; i++) {
            ps_json_put_string(writer, string_map->items[i].key, string_map->items[i].value);
        }
        ps_json_write_end_object(writer);
        break;
    case PS_SETTING_NUMBER_MAP:
        ps_json_write_begin_object(writer);
        for (size_t i = 0; i < number_map->count; i++) {
            ps_json_put_number(writer, number_map->items[i].key, number_map->items[i].value);
        }
        ps_json_write_end_object(writer);
        break;
    case PS_SETTING_TABLE: ps_settings_write(&nested, 1, identity_only, writer); break;
    case PS_SETTING_TABLE_MAP:
        ps_json_write_begin_object(writer);
        for (size_t i = 0; i < table_map->count; i++) {
            nested.values = table_map->items[i].values;
            ps_json_write_key(writer, table_map->items[i].key);
            ps_settings_write(&nested, 1, identity_only, writer);
        }
        ps_json_write_end_object(writer);
        break;
    case PS_SETTING_NODE: ps_json_write_null(writer); break;
    }
}

void ps_settings_write(const struct ps_settings *parts, size_t count, bool identity_only,
                       struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    const char *last = "";
    for (;;) { /* selection in the order of keys: tables are small */
        const struct ps_setting *next = NULL;
        void *values = NULL;
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < parts[i].table->count; j++) {
                const struct ps_setting *setting = &parts[i].table->items[j];
                if (strcmp(setting->key, last) <= 0) continue;
                if (next && strcmp(setting->key, next->key) >= 0) continue;
                next = setting;
                values = parts[i].values;
            }
        }
        if (!next) break;
        last = next->key;
        void *member = ps_setting_member(next, values);
        if (identity_only && !next->identity) continue;
        if (next->type == PS_SETTING_NODE || ps_setting_is_unset(next, member)) continue;
        ps_json_write_key(writer, next->key);
        write_value(next, member, identity_only, writer);
    }
    ps_json_write_end_object(writer);
}
