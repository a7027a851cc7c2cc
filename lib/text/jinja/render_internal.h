#pragma once
/* One rendering: its state, and what the files of the interpreter give each other. Everything made
 * while rendering lies in the rendering's arena. */

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "text/jinja/tree_internal.h"
#include "text/jinja/value_internal.h"

enum {
    MAX_STEPS = 10 << 20,   /* some seconds */
    MAX_MEMORY = 256 << 20, /* bytes of values */
    MAX_TEXT = 32 << 20,    /* bytes of one text, the rendered one too */
    MAX_DEPTH = 900,        /* of nested evaluation, calls of macros included */
    MAX_RANGE = 100000,     /* items of a range, as in the sandbox */
    MAX_PARAMETERS = 6,     /* of a built-in function */
};

/* A frame of variables; see scope.c. */
struct frame {
    struct frame *outer;
    struct value slots[];
};

/* Text under construction; a finished one is a struct string that shares its memory. */
struct builder {
    struct render *render;
    char *text;
    unsigned char *marks; /* NULL while all is of one kind */
    size_t size, capacity;
    bool data;
};

struct render {
    const struct ps_jinja *template;
    const char *date;
    struct ps_error *error;
    struct ps_arena arena;
    const struct node *at; /* what is being evaluated, for messages */
    struct frame *frame;
    struct value *globals; /* parallel to template->globals */
    struct builder *out;
    struct builder sum; /* the last sum of two strings; see operator.c */
    uint64_t steps;
    unsigned depth;
};

struct keyword {
    const struct string *name;
    struct value value;
};
struct arguments {
    struct value *positional;
    size_t count;
    struct keyword *keywords;
    size_t keyword_count;
};

/* A filter, test, method or global function. A filter's or test's value and a method's object are
 * `self`. parameters: names apart by blanks, of which the first `required` must be given; their
 * values are arguments[0] and so on, TYPE_MISSING where left out. A name that begins with '/' is
 * given by position only. parameters NULL: the function looks at `all` itself. */
struct call {
    struct value self;
    const struct value *arguments;
    const struct arguments *all;
};
struct function {
    const char *name;
    enum ps_status (*run)(struct render *render, const struct call *call, struct value *result);
    const char *parameters;
    unsigned required;
};
struct macro {
    const struct node *node;
    struct frame *frame; /* where it was defined */
};

/* ---- render.c ---- */

enum ps_status ps_jinja_fail(struct render *render, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum ps_status ps_jinja_limit(struct render *render, const char *what);
enum ps_status ps_jinja_charge(struct render *render, size_t steps); /* counts work done */
enum ps_status ps_jinja_alloc(struct render *render, size_t count, size_t size, void *pointer);

/* ---- value.c ---- */

#define NONE        ((struct value){.type = TYPE_NONE})
#define BOOLEAN(b)  ((struct value){.type = TYPE_BOOL, .boolean = (b)})
#define INTEGER(i)  ((struct value){.type = TYPE_INTEGER, .integer = (i)})
#define REAL(r)     ((struct value){.type = TYPE_FLOAT, .real = (r)})
#define STRING(s)   ((struct value){.type = TYPE_STRING, .string = (s)})
#define FUNCTION(f) ((struct value){.type = TYPE_FUNCTION, .function = (f)})

static inline bool ps_jinja_is_number(struct value value) {
    return value.type >= TYPE_BOOL && value.type <= TYPE_FLOAT;
}
static inline bool ps_jinja_is_integer(struct value value) {
    return value.type == TYPE_BOOL || value.type == TYPE_INTEGER;
}
static inline int64_t ps_jinja_integer(struct value value) {
    return value.type == TYPE_BOOL ? value.boolean : value.integer;
}
static inline double ps_jinja_real(struct value value) {
    return value.type == TYPE_FLOAT ? value.real : (double)ps_jinja_integer(value);
}
const char *ps_jinja_type_name(struct value value); /* Python's: "str", "NoneType" */
bool ps_jinja_truth(struct value value);
enum ps_status ps_jinja_equal(struct render *render, struct value a, struct value b, bool *equal);
/* Sets *order below, at or above 0. Fails where Python does. symbol: of the operator, "<". */
enum ps_status ps_jinja_compare(struct render *render, const char *symbol, struct value a,
                                struct value b, int *order);
enum ps_status ps_jinja_contains(struct render *render, struct value container, struct value item,
                                 bool *found);
enum ps_status ps_jinja_length(struct render *render, struct value value, int64_t *length);
enum ps_status ps_jinja_undefined(struct render *render, const char *hint, const char *type,
                                  struct value name, struct value *result);
enum ps_status ps_jinja_fail_undefined(struct render *render, struct value undefined);
enum ps_status ps_jinja_dict_find(struct render *render, const struct dict *dict, struct value key,
                                  struct value **found); /* NULL: not there */
enum ps_status ps_jinja_dict_set(struct render *render, struct dict *dict, struct value key,
                                 struct value value);
enum ps_status ps_jinja_dict_get(struct render *render, const struct dict *dict, const char *key,
                                 struct value **found);
enum ps_status ps_jinja_new_dict(struct render *render, size_t capacity, struct dict **dict);
enum ps_status ps_jinja_new_list(struct render *render, enum value_type type,
                                 const struct value *items, size_t count, struct value *result);
bool ps_jinja_is_hashable(struct value value);

/* ---- iterator.c ---- */

/* What `for` and filters go through, one value after the other. A generator is one that is kept as
 * a value: it is used up by whoever goes through it. */
struct iterator {
    struct value source; /* a list, string ..., or another generator */
    size_t at;
    enum { ITERATE_SOURCE, ITERATE_REVERSED, ITERATE_MAP, ITERATE_SELECT } kind;
    bool negated;                    /* reject */
    struct value attribute;          /* looked up first, unless TYPE_MISSING */
    struct value fallback;           /* for an attribute that is undefined */
    const struct function *function; /* a filter (map) or test (select), or NULL */
    struct arguments arguments;
    struct iterator *inner; /* of a map or select */
};
enum ps_status ps_jinja_iterate(struct render *render, struct value source,
                                struct iterator *iterator);
/* *item TYPE_MISSING: the end. */
enum ps_status ps_jinja_next(struct render *render, struct iterator *iterator, struct value *item);
/* All of it, as a list. */
enum ps_status ps_jinja_collect(struct render *render, struct value source, struct list *list);

/* ---- string.c ---- */

size_t ps_jinja_space(const char *text, size_t size); /* length of the white space there, or 0 */
bool ps_jinja_is_space(int32_t code_point);
bool ps_jinja_is_word_character(int32_t code_point);
size_t ps_jinja_count(const struct string *string); /* characters */
size_t ps_jinja_offset(const struct string *string, size_t character);
enum ps_status ps_jinja_own(struct render *render, const char *text, struct value *result);
/* Bytes [begin, end) of a string, with their marks. */
enum ps_status ps_jinja_slice(struct render *render, const struct string *string, size_t begin,
                              size_t end, struct value *result);
/* Where needle begins in [from, size), or last in [0, end), or -1. */
ptrdiff_t ps_jinja_find(const struct string *string, const struct string *needle, size_t from);
enum ps_status ps_jinja_find_last(struct render *render, const struct string *string,
                                  const struct string *needle, size_t end, ptrdiff_t *at);
bool ps_jinja_is(const struct string *string, const char *text);
enum strip { STRIP_LEFT = 1, STRIP_RIGHT = 2, STRIP_BOTH = 3 };
/* characters NULL: white space */
enum ps_status ps_jinja_strip(struct render *render, const struct string *string,
                              const struct string *characters, enum strip sides,
                              struct value *result);
enum letter_case { CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_CAPITAL, CASE_SWAP };
enum ps_status ps_jinja_change_case(struct render *render, const struct string *string,
                                    enum letter_case to, struct value *result);
/* A text for the C library: a copy with a closing 0. */
enum ps_status ps_jinja_c_string(struct render *render, const struct string *string,
                                 const char **text);

/* ---- builder.c ---- */

void ps_jinja_begin(struct render *render, struct builder *builder);
enum ps_status ps_jinja_put(struct builder *builder, const char *text, size_t size, bool data);
enum ps_status ps_jinja_puts(struct builder *builder, const char *text);
enum ps_status ps_jinja_put_slice(struct builder *builder, const struct string *string,
                                  size_t begin, size_t end);
enum ps_status ps_jinja_put_string(struct builder *builder, const struct string *string);
enum ps_status ps_jinja_put_character(struct builder *builder, int32_t code_point, bool data);
enum ps_status ps_jinja_put_repeated(struct builder *builder, const struct string *string,
                                     int64_t count);
/* With &, <, >, ' and " written as HTML has them. */
enum ps_status ps_jinja_put_escaped(struct builder *builder, const struct string *string);
enum ps_status ps_jinja_end(struct builder *builder, struct value *result);
static inline bool ps_jinja_is_data(const struct string *string, size_t at) {
    return string->marks ? string->marks[at] : string->data;
}

/* ---- print.c, json.c ---- */

enum ps_status ps_jinja_put_str(struct builder *builder, struct value value);  /* str(value) */
enum ps_status ps_jinja_put_repr(struct builder *builder, struct value value); /* repr(value) */
enum ps_status ps_jinja_str(struct render *render, struct value value,
                            const struct string **result);
void ps_jinja_format_real(double value, char out[32]);
struct json_style {
    bool ascii, sorted, indented;
    const struct string *indent, *item_separator, *key_separator;
};
enum ps_status ps_jinja_put_json(struct builder *builder, struct value value,
                                 const struct json_style *style, unsigned depth);
enum ps_status ps_jinja_from_json(struct render *render, const json_t *json, bool data,
                                  unsigned depth, struct value *result);

/* ---- evaluate.c, operator.c, attribute.c, call.c ---- */

enum ps_status ps_jinja_evaluate(struct render *render, const struct node *node,
                                 struct value *result);
enum ps_status ps_jinja_binary(struct render *render, enum operation operation, struct value left,
                               struct value right, struct value *result);
enum ps_status ps_jinja_unary(struct render *render, enum operation operation, struct value operand,
                              struct value *result);
enum ps_status ps_jinja_order(struct render *render, enum operation operation, struct value left,
                              struct value right, bool *result);
/* object.name and object[key]: either falls back to the other, as in jinja2. */
enum ps_status ps_jinja_attribute(struct render *render, struct value object,
                                  const struct string *name, struct value *result);
enum ps_status ps_jinja_item(struct render *render, struct value object, struct value key,
                             struct value *result);
enum ps_status ps_jinja_item_slice(struct render *render, struct value object, struct value start,
                                   struct value stop, struct value step, struct value *result);
/* The "a.b.0" of filters. */
enum ps_status ps_jinja_path(struct render *render, struct value object, struct value path,
                             struct value fallback, struct value *result);
enum ps_status ps_jinja_call(struct render *render, struct value object,
                             const struct arguments *arguments, struct value *result);
enum ps_status ps_jinja_run(struct render *render, const struct function *function,
                            struct value self, const struct arguments *arguments,
                            struct value *result);
enum ps_status ps_jinja_call_macro(struct render *render, const struct macro *macro,
                                   const struct arguments *arguments, struct value *result);
enum ps_status ps_jinja_arguments(struct render *render, const struct node *call,
                                  struct arguments *arguments);
enum ps_status ps_jinja_need_string(struct render *render, struct value value, const char *what,
                                    const struct string **string);
enum ps_status ps_jinja_need_integer(struct render *render, struct value value, const char *what,
                                     int64_t *integer);

/* ---- execute.c, loop.c ---- */

enum signal { SIGNAL_NONE, SIGNAL_BREAK, SIGNAL_CONTINUE };
enum ps_status ps_jinja_execute(struct render *render, const struct node *list,
                                enum signal *signal);
enum ps_status ps_jinja_execute_for(struct render *render, const struct node *node,
                                    enum signal *signal);
enum ps_status ps_jinja_assign(struct render *render, const struct node *target,
                               struct value value);
enum ps_status ps_jinja_enter(struct render *render, const struct scope *scope, struct frame *outer,
                              struct frame **frame);
void ps_jinja_enter_again(const struct render *render, const struct scope *scope,
                          struct frame *frame);
enum ps_status ps_jinja_loop_attribute(struct render *render, struct loop *loop,
                                       const struct string *name, struct value *result);
enum ps_status ps_jinja_call_loop(struct render *render, struct loop *loop,
                                  const struct arguments *arguments, struct value *result);
enum ps_status ps_jinja_put_loop(struct builder *builder, struct loop *loop);

/* ---- tables of what is built in ---- */

const struct function *ps_jinja_find_function(const struct function *table, size_t count,
                                              const struct string *name);
const struct function *ps_jinja_find_filter(const struct string *name);
const struct function *ps_jinja_find_test(const struct string *name);
const struct function *ps_jinja_find_global(const struct string *name);
const struct function *ps_jinja_find_method(struct value object, const struct string *name);
/* split.c */
enum ps_status ps_jinja_run_split(struct render *render, const struct call *call,
                                  struct value *result);
enum ps_status ps_jinja_run_rsplit(struct render *render, const struct call *call,
                                   struct value *result);
enum ps_status ps_jinja_run_splitlines(struct render *render, const struct call *call,
                                       struct value *result);
enum ps_status ps_jinja_run_partition(struct render *render, const struct call *call,
                                      struct value *result);
enum ps_status ps_jinja_run_rpartition(struct render *render, const struct call *call,
                                       struct value *result);
const struct function *ps_jinja_find_string_method(const struct string *name);
/* The parts of the table of filters, each by its file; closed by an empty entry. */
extern const struct function ps_jinja_text_filters[], ps_jinja_sequence_filters[];
enum ps_status ps_jinja_strftime(struct render *render, const struct string *format,
                                 struct value *result);
/* How one value is written; format.c. */
struct spec {
    struct string fill;
    char align, sign, type; /* 0: not given */
    bool alternate, zero, comma;
    int64_t width, precision; /* -1: not given */
};

enum ps_status ps_jinja_put_text(struct builder *out, const struct string *text,
                                 const struct spec *spec, char align);
enum ps_status ps_jinja_put_number(struct builder *out, struct value value, const struct spec *spec,
                                   char align);
enum ps_status ps_jinja_read_width(struct render *render, const struct string *format, size_t *at,
                                   int64_t *number);
/* "%d of %s" % values, and "{} of {name}".format(...). */
enum ps_status ps_jinja_format_percent(struct render *render, const struct string *format,
                                       struct value values, struct value *result);
enum ps_status ps_jinja_format_braces(struct render *render, const struct string *format,
                                      const struct arguments *arguments, struct value *result);
