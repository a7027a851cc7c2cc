/* Expressions, by recursive descent, one function for each level of binding in jinja2's order:
 *
 *     x if y else z  <  or  <  and  <  not  <  comparisons, in  <  + -  <  ~  <  * / // %  <  **
 *     <  unary + -  <  filters, tests  <  .name [key] (call)
 *
 * So a filter binds tighter than an operator: 'a' + x | trim trims x alone. */
#include "text/jinja/tree_internal.h"

#include "text/jinja/render_internal.h"

/* ---- operators ---- */

struct level {
    int type;
    enum operation operation;
};

/* A level of binary operators, all to the left. */
static enum ps_status parse_level(struct parser *parser, const struct level *operators,
                                  enum ps_status (*next)(struct parser *, struct node **),
                                  struct node **node) {
    PS_TRY(next(parser, node));
    for (;;) {
        const struct level *found = operators;
        while (found->type && found->type != parser->token->type) found++;
        if (!found->type) return PS_OK;
        size_t offset = parser->token++->offset;
        struct node *right;
        PS_TRY(next(parser, &right));
        PS_TRY(ps_jinja_build(parser, NODE_BINARY, offset, found->operation, *node, right, node));
    }
}

static enum ps_status parse_operand(struct parser *parser, struct node **node) {
    return ps_jinja_parse_unary(parser, true, node);
}

static enum ps_status parse_power(struct parser *parser, struct node **node) {
    static const struct level operators[] = {{TOKEN_POWER, OPERATION_POWER}, {0, 0}};
    return parse_level(parser, operators, parse_operand, node);
}

static enum ps_status parse_product(struct parser *parser, struct node **node) {
    static const struct level operators[] = {{'*', OPERATION_MULTIPLY},
                                             {'/', OPERATION_DIVIDE},
                                             {TOKEN_FLOOR_DIVIDE, OPERATION_FLOOR_DIVIDE},
                                             {'%', OPERATION_MODULO},
                                             {0, 0}};
    return parse_level(parser, operators, parse_power, node);
}

static enum ps_status parse_concat(struct parser *parser, struct node **node) {
    PS_TRY(parse_product(parser, node));
    if (parser->token->type != '~') return PS_OK;
    struct node *concat = NULL, **last = &(*node)->next;
    size_t offset = parser->token->offset;
    while (ps_jinja_skip(parser, '~')) {
        PS_TRY(parse_product(parser, last));
        last = &(*last)->next;
    }
    PS_TRY(ps_jinja_build(parser, NODE_CONCAT, offset, 0, *node, NULL, &concat));
    *node = concat;
    return PS_OK;
}

static enum ps_status parse_sum(struct parser *parser, struct node **node) {
    static const struct level operators[] = {
        {'+', OPERATION_ADD}, {'-', OPERATION_SUBTRACT}, {0, 0}};
    return parse_level(parser, operators, parse_concat, node);
}

static bool comparison(struct parser *parser, enum operation *operation) {
    static const struct level operators[] = {
        {TOKEN_EQUAL, OPERATION_EQUAL}, {TOKEN_NOT_EQUAL, OPERATION_NOT_EQUAL},
        {'<', OPERATION_LESS},          {TOKEN_LESS_EQUAL, OPERATION_LESS_EQUAL},
        {'>', OPERATION_GREATER},       {TOKEN_GREATER_EQUAL, OPERATION_GREATER_EQUAL}};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (ps_jinja_skip(parser, operators[i].type)) {
            *operation = operators[i].operation;
            return true;
        }
    *operation = OPERATION_IN;
    if (ps_jinja_skip_word(parser, "in")) return true;
    *operation = OPERATION_NOT_IN;
    if (!ps_jinja_is_word(parser->token, "not") || !ps_jinja_is_word(parser->token + 1, "in"))
        return false;
    parser->token += 2;
    return true;
}

static enum ps_status parse_comparison(struct parser *parser, struct node **node) {
    PS_TRY(parse_sum(parser, node));
    struct node *operands = NULL, **last = &operands;
    enum operation operation;
    size_t offset = parser->token->offset, at = offset;
    while (comparison(parser, &operation)) {
        struct node *right;
        PS_TRY(parse_sum(parser, &right));
        PS_TRY(ps_jinja_build(parser, NODE_OPERAND, at, operation, right, NULL, last));
        last = &(*last)->next;
        at = parser->token->offset;
    }
    if (!operands) return PS_OK;
    return ps_jinja_build(parser, NODE_COMPARE, offset, 0, *node, operands, node);
}

static enum ps_status parse_not(struct parser *parser, struct node **node) {
    size_t offset = parser->token->offset, count = 0;
    while (ps_jinja_skip_word(parser, "not")) count++;
    PS_TRY(parse_comparison(parser, node));
    while (count-- > 0)
        PS_TRY(ps_jinja_build(parser, NODE_UNARY, offset, OPERATION_NOT, *node, NULL, node));
    return PS_OK;
}

static enum ps_status parse_and(struct parser *parser, struct node **node) {
    PS_TRY(parse_not(parser, node));
    for (size_t at = parser->token->offset; ps_jinja_skip_word(parser, "and");
         at = parser->token->offset) {
        struct node *right;
        PS_TRY(parse_not(parser, &right));
        PS_TRY(ps_jinja_build(parser, NODE_BINARY, at, OPERATION_AND, *node, right, node));
    }
    return PS_OK;
}

enum ps_status ps_jinja_parse_or(struct parser *parser, struct node **node) {
    PS_TRY(parse_and(parser, node));
    for (size_t at = parser->token->offset; ps_jinja_skip_word(parser, "or");
         at = parser->token->offset) {
        struct node *right;
        PS_TRY(parse_and(parser, &right));
        PS_TRY(ps_jinja_build(parser, NODE_BINARY, at, OPERATION_OR, *node, right, node));
    }
    return PS_OK;
}

enum ps_status ps_jinja_parse_expression(struct parser *parser, struct node **node) {
    PS_TRY(ps_jinja_nest(parser));
    PS_TRY(ps_jinja_parse_or(parser, node));
    for (size_t at = parser->token->offset; ps_jinja_skip_word(parser, "if");
         at = parser->token->offset) {
        struct node *condition = ps_jinja_node(parser, NODE_CONDITION, at);
        PS_FAIL_IF_NULL(condition, parser->error);
        condition->parts[1] = *node;
        PS_TRY(ps_jinja_parse_or(parser, &condition->parts[0]));
        if (ps_jinja_skip_word(parser, "else"))
            PS_TRY(ps_jinja_parse_expression(parser, &condition->parts[2]));
        PS_TRY(ps_jinja_finish(parser, condition));
        *node = condition;
    }
    parser->nested--;
    return PS_OK;
}
