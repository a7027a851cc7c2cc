#pragma once
/* Values as templates see them: Python's, as far as chat templates use them. Values are small and
 * copied; what they point to lives in the arena of the template or of the rendering, and does not
 * change (but for namespaces, generators, loops, cyclers and joiners). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_type {
    TYPE_MISSING, /* no value at all: a slot before its first set, an argument left out */
    TYPE_UNDEFINED,
    TYPE_NONE,
    TYPE_BOOL,
    TYPE_INTEGER,
    TYPE_FLOAT,
    TYPE_STRING,
    TYPE_LIST,
    TYPE_TUPLE,
    TYPE_DICT,
    TYPE_RANGE,
    TYPE_VIEW, /* of a dict: keys, values or items */
    TYPE_GENERATOR,
    TYPE_NAMESPACE,
    TYPE_MACRO,
    TYPE_LOOP,
    TYPE_CYCLER,
    TYPE_JOINER,
    TYPE_FUNCTION,
    TYPE_METHOD,
};

/* UTF-8. Of each byte is known whether it is data or the template's own: by marks, 1 for data and 0
 * for own, one a byte; marks NULL: all bytes are as `data` says. */
struct string {
    const char *text;
    const unsigned char *marks;
    size_t size;
    bool data;
    bool markup; /* markupsafe.Markup: what |safe and |escape give */
};

struct value {
    enum value_type type;
    union {
        bool boolean;
        int64_t integer;
        double real;
        const struct string *string;
        const struct list *list; /* also of a tuple */
        struct dict *dict;       /* also of a namespace */
        const struct range *range;
        const struct view *view;
        const struct undefined *undefined;
        struct iterator *generator;
        const struct macro *macro;
        struct loop *loop;
        struct cycler *cycler;
        struct joiner *joiner;
        const struct function *function;
        const struct method *method;
    };
};

struct list {
    struct value *items;
    size_t count;
    bool is_group; /* of groupby: its parts have the names grouper and list */
};
struct pair {
    struct value key, value;
};
struct dict {
    struct pair *pairs; /* in the order of insertion */
    size_t count, capacity;
};
struct range {
    int64_t start, stop, step;
    size_t count;
};
struct view {
    const struct dict *dict;
    enum { VIEW_KEYS, VIEW_VALUES, VIEW_ITEMS } kind;
};
/* Why a value is undefined: a hint, or the name that was looked up, in an object if type is set. */
struct undefined {
    const char *hint;
    const char *type; /* "dict object" */
    struct value name;
};
struct cycler {
    const struct list *items;
    size_t position;
};
struct joiner {
    const struct string *separator;
    bool used;
};
struct method {
    struct value self;
    const struct function *function;
};
