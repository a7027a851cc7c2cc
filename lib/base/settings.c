#include "base/settings_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- looking up ---- */

const struct ps_setting *ps_settings_find(const struct ps_settings *parts, size_t count,
                                          const char *key, void **values) {
    for (size_t i = 0; i < count; i++) {
        const struct ps_settings_table *table = parts[i].table;
        for (size_t j = 0; j < table->count; j++) {
            if (strcmp(table->items[j].key, key) != 0) continue;
            *values = parts[i].values;
            return &table->items[j];
        }
    }
    return NULL;
}

/* Edits (insert, delete, replace, swap of neighbours) between two short texts; - and _ are one. */
static size_t edit_distance(const char *a, const char *b) {
    enum { MOST = 48 };
    size_t rows[3][MOST + 1];
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size > MOST || b_size > MOST) return SIZE_MAX;
    for (size_t j = 0; j <= b_size; j++) rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            char x = a[i - 1] == '-' ? '_' : a[i - 1], y = b[j - 1] == '-' ? '_' : b[j - 1];
            size_t best = above[j - 1] + (x != y);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && second[j - 2] + 1 < best) best = second[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a_size % 3][b_size];
}

const char *ps_nearest(const char *text, const char *const *candidates, size_t count) {
    const char *nearest = NULL;
    size_t least = strlen(text) / 3 + 2; /* farther is another word */
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(text, candidates[i]);
        if (distance >= least) continue;
        least = distance;
        nearest = candidates[i];
    }
    return nearest;
}

enum ps_status ps_settings_unknown(const struct ps_settings *parts, size_t count, const char *key,
                                   bool dashes, struct ps_error *error) {
    const char *candidates[256];
    size_t candidate_count = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < parts[i].table->count && candidate_count < 256; j++)
            candidates[candidate_count++] = parts[i].table->items[j].key;
    const char *nearest = ps_nearest(key, candidates, candidate_count);
    if (!dashes && nearest)
        return ps_error_set(error, PS_ARGUMENT, "unknown key '%s'; did you mean '%s'?", key,
                            nearest);
    if (!dashes) {
        char list[300] = "";
        for (size_t i = 0, at = 0; i < candidate_count && candidate_count <= 12; i++)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%.20s",
                                   i ? ", " : "; there are ", candidates[i]);
        return ps_error_set(error, PS_ARGUMENT, "unknown key '%s'%s", key, list);
    }
    if (!nearest) return ps_error_set(error, PS_ARGUMENT, "unknown option --%s", key);
    char flag[64];
    snprintf(flag, sizeof flag, "%s", nearest);
    for (char *c = flag; *c; c++) *c = *c == '_' ? '-' : *c;
    return ps_error_set(error, PS_ARGUMENT, "unknown option --%s; did you mean --%s?", key, flag);
}

/* ---- values from text ---- */

bool ps_setting_range(const struct ps_setting *setting, struct ps_buffer *buffer) {
    double low = setting->minimum, high = setting->maximum;
    if (low == 0 && high == 0) return true;
    if (isinf(high)) return ps_buffer_format(buffer, "%.16g or more", low);
    if (isinf(low)) return ps_buffer_format(buffer, "at most %.16g", high);
    return ps_buffer_format(buffer, "%.16g .. %.16g", low, high);
}

static enum ps_status check_range(const struct ps_setting *setting, double value, const char *text,
                                  struct ps_error *error) {
    if (setting->minimum == 0 && setting->maximum == 0) return PS_OK;
    if (value >= setting->minimum && value <= setting->maximum) return PS_OK;
    struct ps_buffer range;
    ps_buffer_init(&range, 200);
    bool known = ps_setting_range(setting, &range);
    enum ps_status status = ps_error_set(error, PS_ARGUMENT, "'%s' is %s, not in the range %s",
                                         setting->key, text, known ? range.data : "allowed");
    ps_buffer_release(&range);
    return status;
}

const char *ps_setting_type_text(const struct ps_setting *setting) {
    switch (setting->type) {
    case PS_SETTING_BOOL: return "true or false";
    case PS_SETTING_INTEGER: return "an integer";
    case PS_SETTING_NUMBER: return "a number";
    case PS_SETTING_STRING: return "text";
    case PS_SETTING_ENUM: return "one of its names";
    case PS_SETTING_DURATION: return "a time such as 30s, 5m, 2h";
    case PS_SETTING_BYTES: return "a size such as 512M or 4GiB";
    case PS_SETTING_STRINGS: return "a list";
    case PS_SETTING_STRING_MAP: return "text or a mapping of names to text";
    case PS_SETTING_NUMBER_MAP: return "a list or a mapping of names to numbers";
    case PS_SETTING_TABLE: return "a mapping";
    case PS_SETTING_TABLE_MAP: return "a mapping of names";
    case PS_SETTING_NODE: return "a list";
    }
    return "";
}

static enum ps_status wrong_type(const struct ps_setting *setting, const char *text,
                                 struct ps_error *error) {
    return ps_error_set(error, PS_ARGUMENT, "'%s' is '%.100s', not %s", setting->key, text,
                        ps_setting_type_text(setting));
}

/* A decimal number and the unit behind it; false for hexadecimal, inf, nan and plain text. */
static bool parse_number(const char *text, double *value, const char **rest) {
    size_t digits = strspn(text, "+-.0123456789eE");
    char *end;
    if (digits == 0) return false;
    *value = strtod(text, &end);
    *rest = end;
    return end != text && end <= text + digits && isfinite(*value);
}

static enum ps_status parse_integer(const struct ps_setting *setting, int64_t *member,
                                    const char *text, struct ps_error *error) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || strspn(text, "+-0123456789") != strlen(text))
        return wrong_type(setting, text, error);
    PS_TRY(check_range(setting, (double)value, text, error));
    *member = value;
    return PS_OK;
}

/* Numbers with a unit: each of `units` is its letters and the factor. */
struct unit {
    const char *text;
    double factor;
};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit time_units[] = {{"", 1},     {"ms", 1e-3}, {"s", 1}, {"m", 60},
                                         {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const struct unit byte_units[] = {
    {"", 1},         {"B", 1},       {"K", 0x1p10},   {"KB", 0x1p10},  {"KiB", 0x1p10},
    {"M", 0x1p20},   {"MB", 0x1p20}, {"MiB", 0x1p20}, {"G", 0x1p30},   {"GB", 0x1p30},
    {"GiB", 0x1p30}, {"T", 0x1p40},  {"TB", 0x1p40},  {"TiB", 0x1p40}, {NULL, 0}};

static enum ps_status parse_with_unit(const struct ps_setting *setting, const struct unit *units,
                                      double *value, const char *text, struct ps_error *error) {
    const char *rest;
    if (!parse_number(text, value, &rest)) return wrong_type(setting, text, error);
    while (*rest == ' ') rest++;
    while (units->text && strcmp(units->text, rest) != 0) units++;
    if (!units->text) return wrong_type(setting, text, error);
    *value *= units->factor;
    if (!isfinite(*value)) return wrong_type(setting, text, error);
    return check_range(setting, *value, text, error);
}

static enum ps_status parse_enum(const struct ps_setting *setting, int *member, const char *text,
                                 struct ps_error *error) {
    struct ps_buffer names;
    ps_buffer_init(&names, 500);
    bool fits = true;
    size_t count = 0;
    for (; setting->names[count]; count++) {
        if (strcmp(setting->names[count], text) == 0) {
            ps_buffer_release(&names);
            *member = (int)count;
            return PS_OK;
        }
        fits = fits && ps_buffer_format(&names, "%s%s", count ? ", " : "", setting->names[count]);
    }
    const char *nearest = ps_nearest(text, setting->names, count);
    enum ps_status status =
        ps_error_set(error, PS_ARGUMENT, "'%s' is '%.100s', not one of %s%s%s%s", setting->key,
                     text, names.data ? names.data : "its names", nearest ? "; did you mean '" : "",
                     nearest ? nearest : "", nearest ? "'?" : "");
    ps_buffer_release(&names);
    return status;
}

enum ps_status ps_setting_parse(const struct ps_setting *setting, void *member, const char *text,
                                struct ps_arena *arena, struct ps_error *error) {
    double number;
    switch (setting->type) {
    case PS_SETTING_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return wrong_type(setting, text, error);
        *(bool *)member = text[0] == 't';
        return PS_OK;
    case PS_SETTING_INTEGER: return parse_integer(setting, member, text, error);
    case PS_SETTING_NUMBER_MAP:
    case PS_SETTING_NUMBER: return parse_with_unit(setting, no_units, member, text, error);
    case PS_SETTING_DURATION: return parse_with_unit(setting, time_units, member, text, error);
    case PS_SETTING_BYTES:
        PS_TRY(parse_with_unit(setting, byte_units, &number, text, error));
        if (!(fabs(number) < 0x1p62)) return wrong_type(setting, text, error);
        *(int64_t *)member = (int64_t)number;
        return PS_OK;
    case PS_SETTING_ENUM: return parse_enum(setting, member, text, error);
    case PS_SETTING_STRING:
    case PS_SETTING_STRINGS:
    case PS_SETTING_STRING_MAP:
        *(const char **)member = ps_arena_strndup(arena, text, strlen(text));
        PS_FAIL_IF_NULL(*(const char **)member, error);
        return PS_OK;
    default: return wrong_type(setting, text, error);
    }
}

/* ---- defaults ---- */

static void unset(const struct ps_setting *setting, void *member) {
    switch (setting->type) {
    case PS_SETTING_INTEGER:
    case PS_SETTING_BYTES: *(int64_t *)member = PS_UNSET_INTEGER; break;
    case PS_SETTING_NUMBER:
    case PS_SETTING_DURATION: *(double *)member = NAN; break;
    case PS_SETTING_ENUM: *(int *)member = -1; break;
    default: break; /* zero, as the whole struct */
    }
}

enum ps_status ps_settings_defaults(const struct ps_settings_table *table, void *values,
                                    struct ps_arena *arena, struct ps_error *error) {
    struct ps_settings part = {table, values};
    memset(values, 0, table->size);
    for (size_t i = 0; i < table->count; i++) {
        const struct ps_setting *setting = &table->items[i];
        void *member = ps_setting_member(setting, values);
        unset(setting, member);
        if (setting->type == PS_SETTING_TABLE)
            PS_TRY(ps_settings_defaults(setting->table, member, arena, error));
        if (!setting->fallback) continue;
        if (ps_settings_set(&part, 1, table->name, setting->key, setting->fallback, false, arena,
                            error) != PS_OK) {
            if (error && error->status != PS_MEMORY) error->status = PS_INTERNAL;
            return error ? ps_error_prefix(error, "default") : PS_INTERNAL;
        }
    }
    return PS_OK;
}

enum ps_status ps_settings_new(const struct ps_settings_table *table, struct ps_settings *part,
                               struct ps_arena *arena, struct ps_error *error) {
    part->table = table;
    part->values = ps_arena_alloc(arena, table->size);
    PS_FAIL_IF_NULL(part->values, error);
    return ps_settings_defaults(table, part->values, arena, error);
}

int64_t ps_integer_or(int64_t value, int64_t fallback) {
    return value == PS_UNSET_INTEGER ? fallback : value;
}

double ps_number_or(double value, double fallback) {
    return isnan(value) ? fallback : value;
}
