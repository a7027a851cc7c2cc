#pragma once
/* Settings have one source: a table for each stage, command and part of a pipeline file. The table
 * feeds the YAML reader, the command-line flags, --help, the canonical JSON that fingerprints are
 * made of, and the reference page in docs/.
 *
 * A table describes a plain struct, its values; each setting names the member by its offset:
 *
 *     struct sample_settings { int64_t samples; double temperature; const char *prompt; };
 *     #define AT(member) offsetof(struct sample_settings, member)
 *     static const struct ps_setting items[] = {
 *         {"samples", PS_SETTING_INTEGER, AT(samples), .fallback = "1", .minimum = 1,
 *          .maximum = 1e6, .help = "replies for each problem", .identity = true},
 *         ...
 *     };
 *     const struct ps_settings_table sample_table =
 *         PS_SETTINGS_TABLE("sample", "...", items, struct sample_settings);
 *
 * Several tables can share one YAML mapping or command line: struct ps_settings pairs a table with
 * its values, and functions take an array of them, their parts.
 */

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/yaml.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The member's type, and what it holds when unset. */
enum ps_setting_type {
    PS_SETTING_BOOL,     /* bool; false */
    PS_SETTING_INTEGER,  /* int64_t; PS_UNSET_INTEGER */
    PS_SETTING_NUMBER,   /* double; NAN */
    PS_SETTING_STRING,   /* const char *; NULL */
    PS_SETTING_ENUM,     /* int, an index into names; -1 */
    PS_SETTING_DURATION, /* double, seconds, written 90, 30s, 5m, 2h, 1d; NAN */
    PS_SETTING_BYTES,    /* int64_t, written 4096, 16K, 1.5GiB; PS_UNSET_INTEGER */

    /* Unset, a list or map has count 0. */
    PS_SETTING_STRINGS,    /* struct ps_strings; one text is a list of one */
    PS_SETTING_STRING_MAP, /* struct ps_string_map; one text is {default: text} */
    PS_SETTING_NUMBER_MAP, /* struct ps_number_map; the items of a list get the value 1 */

    PS_SETTING_TABLE,     /* the values struct of .table, embedded; a nested mapping */
    PS_SETTING_TABLE_MAP, /* struct ps_table_map: names with values of .table */
    PS_SETTING_NODE,      /* const struct ps_yaml_node *; NULL. For whoever reads it further */
};

#define PS_UNSET_INTEGER INT64_MIN

struct ps_strings {
    size_t count;
    const char **items;
};
struct ps_string_map {
    size_t count;
    struct ps_string_entry {
        const char *key, *value;
    } * items;
};
struct ps_number_map {
    size_t count;
    struct ps_number_entry {
        const char *key;
        double value;
    } * items;
};
struct ps_table_map {
    size_t count;
    struct ps_table_entry {
        const char *key;
        void *values;                    /* of the setting's table */
        const struct ps_yaml_node *node; /* where it stands; node->key is the name */
    } * items;
};

struct ps_setting {
    const char *key; /* snake_case; --snake-case on the command line */
    enum ps_setting_type type;
    size_t offset;
    const char *fallback; /* the default, written as in YAML; NULL: stays unset */
    bool required;
    bool identity;            /* part of what a result is; threads and batch limits are not */
    double minimum, maximum;  /* of numbers, sizes, times and map values; both 0: any */
    const char *const *names; /* of an enum, closed by NULL */
    const struct ps_settings_table *table;
    bool whole;       /* a list whose items may hold commas: a flag gives one item */
    const char *unit; /* "tokens", "s": for help and reference */
    /* "model", "dataset", "prompt", "template", "file": names one (a list's items, a string map's
     * values, a number map's keys); whoever knows the names checks them. */
    const char *refers;
    const char *argument; /* in --help: --model NAME; by default the type */
    const char *help;     /* one sentence, small initial, no full stop */
};

struct ps_settings_table {
    const char *name, *help;
    const struct ps_setting *items;
    size_t count, size; /* settings; bytes of the values struct */
};

#define PS_SETTINGS_TABLE(name, help, items, type)                                                 \
    { name, help, items, sizeof(items) / sizeof(items)[0], sizeof(type) }

struct ps_settings {
    const struct ps_settings_table *table;
    void *values;
};

/* Fills every member with its default, unset where there is none. PS_INTERNAL for a default the
 * table itself does not allow. */
enum ps_status ps_settings_defaults(const struct ps_settings_table *table, void *values,
                                    struct ps_arena *arena, struct ps_error *error);

/* New values with defaults, in the arena. */
enum ps_status ps_settings_new(const struct ps_settings_table *table, struct ps_settings *part,
                               struct ps_arena *arena, struct ps_error *error);

/* Reads a mapping over the defaults. An unknown key, a wrong type or a value out of range is
 * PS_FORMAT: "file:line:column: unknown key 'max_tokns'; did you mean 'max_tokens'?". A null value
 * leaves the default. Text is copied into the arena. The `required` are not checked yet. */
enum ps_status ps_settings_read(const struct ps_settings *parts, size_t count,
                                const struct ps_yaml_node *mapping, struct ps_arena *arena,
                                struct ps_error *error);

/* Sets one value from text; key may lead into nested tables (validate.every). Lists and maps are
 * written a,b or k=v,l=w or as YAML ([a, b]); with append they grow, else they are replaced.
 * PS_ARGUMENT with place in front. */
enum ps_status ps_settings_set(const struct ps_settings *parts, size_t count, const char *place,
                               const char *key, const char *text, bool append,
                               struct ps_arena *arena, struct ps_error *error);

/* PS_FORMAT when a required setting is unset: "place: 'model' is missing (the model to train)". */
enum ps_status ps_settings_require(const struct ps_settings *parts, size_t count, const char *place,
                                   struct ps_error *error);

/* Flags of a command line: --max-tokens 5, --max-tokens=5, --json, --no-json, --validate.every=5;
 * "--" ends them. What is no flag goes to arguments (in the arena). A list or map given twice
 * grows. PS_ARGUMENT. */
enum ps_status ps_settings_read_flags(const struct ps_settings *parts, size_t count, int argc,
                                      char **argv, struct ps_strings *arguments,
                                      struct ps_arena *arena, struct ps_error *error);

/* Lines of --help, 100 columns wide. */
bool ps_settings_help(const struct ps_settings_table *table, struct ps_buffer *buffer);

/* A Markdown table of a settings table and those nested in it, each under its own heading. */
bool ps_settings_reference(const struct ps_settings_table *table, struct ps_buffer *buffer);

/* The values as one JSON object with sorted keys, unset ones left out; identity_only leaves out
 * what is no part of the identity. The same values give the same bytes. */
void ps_settings_write(const struct ps_settings *parts, size_t count, bool identity_only,
                       struct ps_json_writer *writer);

/* The key of candidates nearest to text by edit distance, NULL when none is near. */
const char *ps_nearest(const char *text, const char *const *candidates, size_t count);

/* PS_UNSET_INTEGER and NAN read as the fallback. */
int64_t ps_integer_or(int64_t value, int64_t fallback);
double ps_number_or(double value, double fallback);
