#pragma once
/* What the two files of the parser share. */

#include "grade/answer_internal.h"
#include "grade/tree_internal.h"

struct ps_parser {
    const char *start, *at;
    struct ps_arena *arena;
    const char *problem; /* the first one; a static string */
    int depth, nodes;
    int brackets;     /* open ones: within them a comma separates, outside "1,234" is a number */
    int bars;         /* open | of absolute values */
    bool grouped;     /* commas that separate have a space behind: the others group thousands */
    bool in_set;      /* a colon there is "such that" */
    bool in_argument; /* of a function without brackets: other functions and brackets end it */
    bool out_of_memory;
};

/* All of these return NULL when there is a problem. */
struct ps_node *ps_parse_fail(struct ps_parser *p, const char *problem);
struct ps_node *ps_parse_node(struct ps_parser *p, enum ps_node_kind kind, const char *name,
                              size_t count);
struct ps_node *ps_parse_unary(struct ps_parser *p, enum ps_node_kind kind, const char *name,
                               struct ps_node *item);
struct ps_node *ps_parse_binary(struct ps_parser *p, enum ps_node_kind kind, const char *name,
                                struct ps_node *first, struct ps_node *second);

struct ps_node *ps_parse_primary(struct ps_parser *p);
struct ps_node *ps_parse_braced(struct ps_parser *p); /* "{" sum "}" */
struct ps_node *ps_parse_product(struct ps_parser *p);
struct ps_node *ps_parse_sum(struct ps_parser *p);
struct ps_node *ps_parse_list(struct ps_parser *p, enum ps_node_kind kind);
struct ps_node *ps_parse_relation(struct ps_parser *p);

/* The minutes and seconds behind the degrees of an angle, added to them. */
struct ps_node *ps_parse_minutes(struct ps_parser *p, struct ps_node *degrees);

/* Whether a function's name stands here. */
bool ps_parse_is_function(const char *at);

/* Whether the text at the mark at `at` is part of a product (\mathrm{e}, \operatorname{arcsin});
 * single letters else are units. */
bool ps_parse_is_text_factor(const char *at);

void ps_parse_skip(struct ps_parser *p);
/* A command's name (\pi) must end where its letters do. */
bool ps_parse_peek(struct ps_parser *p, const char *literal);
bool ps_parse_accept(struct ps_parser *p, const char *literal);

/* A copy of a piece of text in the arena; NULL without memory. */
char *ps_parse_keep(struct ps_parser *p, const char *text, size_t size);

/* ---- parse_number.c ---- */

struct ps_node *ps_parse_number(struct ps_parser *p);
/* Reads the base behind "_{" and puts it on the number. */
struct ps_node *ps_parse_with_base(struct ps_parser *p, struct ps_node *number);

/* ---- parse_bracket.c; each begins at its sign, or behind its command ---- */

struct ps_node *ps_parse_bracket(struct ps_parser *p);
struct ps_node *ps_parse_set(struct ps_parser *p);
struct ps_node *ps_parse_plain_set(struct ps_parser *p);
struct ps_node *ps_parse_absolute(struct ps_parser *p);
struct ps_node *ps_parse_rounded(struct ps_parser *p, const char *name, const char *close);
struct ps_node *ps_parse_matrix(struct ps_parser *p);

static inline bool ps_parse_is_digit(char c) {
    return c >= '0' && c <= '9';
}
static inline bool ps_parse_is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/* U+221A */
static inline bool ps_parse_is_root_sign(const char *at) {
    return (unsigned char)at[0] == 0xE2 && (unsigned char)at[1] == 0x88 &&
           (unsigned char)at[2] == 0x9A;
}
