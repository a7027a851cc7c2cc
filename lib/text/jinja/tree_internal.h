#pragma once
/* A template as a tree, in the arena of its struct ps_jinja. Names are resolved when the template
 * is parsed (scope.c): every Name knows in which frame and slot its value will stand. */

#include "base/memory.h"
#include "base/status.h"
#include "text/jinja/jinja.h"
#include "text/jinja/value_internal.h"

enum {
    MAX_SOURCE = 1 << 20,
    MAX_TREE = 512 << 20, /* bytes of a parsed template */
    MAX_NAMES = 2000,     /* different names in a frame or of the context */
    MAX_HEIGHT = 400,     /* of a tree: what the recursion of every later step is bounded by */
    MAX_NESTED = 120,     /* parentheses, blocks: the parser's own recursion */
};

/* Kinds of node and what their parts are, each a node or a list of nodes linked by `next`, in the
 * order in which jinja2 visits them. */
enum node_kind {
    /* expressions */
    NODE_CONSTANT,  /* constant */
    NODE_NAME,      /* text; address; as a target: store */
    NODE_NAMESPACE, /* ns.text as a target; parts: the Name of ns */
    NODE_TUPLE,     /* items */
    NODE_LIST,      /* items */
    NODE_DICT,      /* items: key, value, key, value ... */
    NODE_UNARY,     /* operation; operand */
    NODE_BINARY,    /* operation; left, right */
    NODE_COMPARE,   /* first operand, list of NODE_OPERAND */
    NODE_OPERAND,   /* operation; operand */
    NODE_CONCAT,    /* items */
    NODE_CONDITION, /* test, then, else or NULL */
    NODE_ATTRIBUTE, /* text; object */
    NODE_ITEM,      /* object, key or NODE_SLICE */
    NODE_SLICE,     /* start, stop, step, each or NULL */
    NODE_CALL,      /* arguments behind: object, positional, NODE_KEYWORD list, *list, **dict */
    NODE_KEYWORD,   /* text; value */
    NODE_FILTER,    /* text, function; value (NULL: the block's text), then as NODE_CALL */
    NODE_TEST,      /* text, function; value, then as NODE_CALL */
    /* statements */
    NODE_DATA,         /* constant: text of the template */
    NODE_PRINT,        /* value */
    NODE_IF,           /* list of NODE_BRANCH, else */
    NODE_BRANCH,       /* test, body */
    NODE_FOR,          /* target, iterable, body, else, test; scope is the body's */
    NODE_SET,          /* target, value */
    NODE_SET_BLOCK,    /* target, filter or NULL, body */
    NODE_MACRO,        /* text; parameters, defaults, body */
    NODE_CALL_BLOCK,   /* NODE_CALL, or NULL for {% generation %}; parameters, defaults, body */
    NODE_FILTER_BLOCK, /* body, filter */
    NODE_WITH,         /* targets, values, body */
    NODE_BREAK,
    NODE_CONTINUE,
};

enum { NODE_PARTS = 5 };
enum { CALL_OBJECT, CALL_POSITIONAL, CALL_KEYWORDS, CALL_LIST, CALL_DICT };
enum { FOR_TARGET, FOR_ITERABLE, FOR_BODY, FOR_ELSE, FOR_TEST };
enum { MACRO_CALL, MACRO_PARAMETERS, MACRO_DEFAULTS, MACRO_BODY };

enum operation {
    OPERATION_ADD,
    OPERATION_SUBTRACT,
    OPERATION_MULTIPLY,
    OPERATION_DIVIDE,
    OPERATION_FLOOR_DIVIDE,
    OPERATION_MODULO,
    OPERATION_POWER,
    OPERATION_AND,
    OPERATION_OR,
    OPERATION_NOT,
    OPERATION_NEGATE,
    OPERATION_PLUS,
    OPERATION_EQUAL,
    OPERATION_NOT_EQUAL,
    OPERATION_LESS,
    OPERATION_LESS_EQUAL,
    OPERATION_GREATER,
    OPERATION_GREATER_EQUAL,
    OPERATION_IN,
    OPERATION_NOT_IN,
};

/* Where a variable stands: in a slot of the frame `up` frames out, or (up GLOBAL) among the
 * template's global names. */
struct address {
    uint32_t up, slot;
};
#define GLOBAL UINT32_MAX

/* What a frame's slots hold when it is entered: a copy of an outer variable, or nothing. */
struct slot_copy {
    uint32_t slot;
    struct address from; /* as seen from the frame around */
};
struct scope {
    uint32_t slot_count, copy_count;
    struct slot_copy *copies;
    bool has_loop;                                  /* slot 0 is `loop` */
    int64_t caller_slot, kwargs_slot, varargs_slot; /* of a macro's frame, or -1 */
};

struct node {
    enum node_kind kind;
    enum operation operation;
    bool store;     /* a Name as a target */
    bool recursive; /* a loop */
    uint16_t height;
    uint32_t offset; /* in the source, for messages */
    struct node *next;
    struct node *parts[NODE_PARTS];
    const struct string *text;
    struct address address;
    struct value constant;
    const struct function *function;
    struct scope *scope, *else_scope, *test_scope;
};

struct ps_jinja {
    struct ps_arena arena;
    const char *name;
    const char *source; /* with \n for every newline */
    size_t size;
    struct node *body;
    struct scope *scope;
    const struct string **globals; /* names that no set, for or macro of theirs makes */
    uint32_t global_count;
};

/* Fails at a place of the source: "name:line:column: why". */
enum ps_status ps_jinja_fail_at(const struct ps_jinja *template, size_t offset,
                                enum ps_status status, struct ps_error *error, const char *format,
                                ...) __attribute__((format(printf, 5, 6)));

/* ---- lexer.c ---- */

enum token_type {
    TOKEN_DATA = 1,
    TOKEN_PRINT_BEGIN,
    TOKEN_PRINT_END,
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_NAME,
    TOKEN_STRING,
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_END,
    TOKEN_FLOOR_DIVIDE, /* // and so on; one character is its own type */
    TOKEN_POWER,
    TOKEN_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_GREATER_EQUAL,
    TOKEN_LESS_EQUAL,
};

struct token {
    int type; /* enum token_type, or a character above 32 */
    uint32_t offset;
    const char *text; /* of a name, string or data; not 0-terminated */
    size_t size;
    int64_t integer;
    double real;
};
enum ps_status ps_jinja_lex(struct ps_jinja *template, struct token **tokens, size_t *count,
                            struct ps_error *error);

/* The escape behind a backslash, text[0] being its first character: appends what it stands for to
 * out (at most 12 bytes) and returns its length, or 0 where it is malformed. */
size_t ps_jinja_unescape(const char *text, size_t size, char *out, size_t *used);

/* ---- parse_statement.c, parse_expression.c, parse_value.c, parse_postfix.c ---- */

struct parser {
    struct ps_jinja *template;
    const struct token *token; /* the next; the last is TOKEN_END for ever */
    unsigned nested;
    unsigned loops; /* around this place, in this macro */
    struct ps_error *error;
};

enum ps_status ps_jinja_parse_body(struct parser *parser, const char *const *ends,
                                   struct node **list);
/* Flags of parse_tuple. */
enum { TUPLE_NO_CONDITION = 1, TUPLE_PARENTHESES = 2, TUPLE_TARGET = 4 };
enum ps_status ps_jinja_parse_tuple(struct parser *parser, unsigned flags, struct node **node);
enum ps_status ps_jinja_parse_expression(struct parser *parser, struct node **node);
enum ps_status ps_jinja_parse_filter(struct parser *parser, bool inside, struct node *value,
                                     struct node **node);
struct node *ps_jinja_node(struct parser *parser, enum node_kind kind, size_t offset);
/* Checks a finished node's height; NULL is "out of memory". */
enum ps_status ps_jinja_finish(struct parser *parser, struct node *node);
enum ps_status ps_jinja_parse_error(struct parser *parser, const struct token *token,
                                    const char *format, ...) __attribute__((format(printf, 3, 4)));
enum ps_status ps_jinja_expect(struct parser *parser, int type, const char *what);
/* What a token is, for a message. */
const char *ps_jinja_describe(const struct token *token, char out[48]);
/* A node of two parts, finished. */
enum ps_status ps_jinja_build(struct parser *parser, enum node_kind kind, size_t offset,
                              enum operation operation, struct node *first, struct node *second,
                              struct node **node);
/* One level deeper; the caller takes one off parser->nested when it is through. */
enum ps_status ps_jinja_nest(struct parser *parser);
enum ps_status ps_jinja_parse_or(struct parser *parser, struct node **node);
enum ps_status ps_jinja_parse_unary(struct parser *parser, bool with_filter, struct node **node);
enum ps_status ps_jinja_parse_primary(struct parser *parser, bool target, struct node **node);
bool ps_jinja_skip(struct parser *parser, int type);
bool ps_jinja_is_word(const struct token *token, const char *word);
bool ps_jinja_skip_word(struct parser *parser, const char *word);
struct string *ps_jinja_token_string(struct parser *parser, const struct token *token);

/* ---- scope.c ---- */

/* Resolves all names, filters and tests of the tree. */
enum ps_status ps_jinja_resolve(struct ps_jinja *template, struct ps_error *error);
