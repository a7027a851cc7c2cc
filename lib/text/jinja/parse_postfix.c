/* What stands behind a value: .name, [key], (arguments), | filter, `is` test; and the sign before.
 */
#include "text/jinja/tree_internal.h"

#include "text/jinja/render_internal.h"

#include <string.h>

static bool is_slice_end(const struct parser *parser) {
    return parser->token->type == ']' || parser->token->type == ',';
}

static enum ps_status parse_subscribed(struct parser *parser, struct node **node) {
    size_t offset = parser->token->offset;
    struct node *start = NULL;
    if (parser->token->type != ':') {
        PS_TRY(ps_jinja_parse_expression(parser, &start));
        *node = start;
        if (parser->token->type != ':') return PS_OK;
    }
    parser->token++;
    struct node *slice = *node = ps_jinja_node(parser, NODE_SLICE, offset);
    PS_FAIL_IF_NULL(slice, parser->error);
    slice->parts[0] = start;
    if (parser->token->type != ':' && !is_slice_end(parser))
        PS_TRY(ps_jinja_parse_expression(parser, &slice->parts[1]));
    if (ps_jinja_skip(parser, ':') && !is_slice_end(parser))
        PS_TRY(ps_jinja_parse_expression(parser, &slice->parts[2]));
    return ps_jinja_finish(parser, slice);
}

static enum ps_status parse_item(struct parser *parser, struct node *made) {
    struct node *keys = NULL, **last = &keys;
    while (parser->token->type != ']') {
        if (keys) PS_TRY(ps_jinja_expect(parser, ',', "','"));
        PS_TRY(parse_subscribed(parser, last));
        last = &(*last)->next;
    }
    parser->token++;
    made->parts[1] = keys;
    if (!keys || keys->next)
        PS_TRY(ps_jinja_build(parser, NODE_TUPLE, made->offset, 0, keys, NULL, &made->parts[1]));
    return ps_jinja_finish(parser, made);
}

static enum ps_status parse_subscript(struct parser *parser, struct node **node) {
    const struct token *begin = parser->token++, *token = parser->token;
    struct node *made = ps_jinja_node(parser, NODE_ITEM, begin->offset);
    PS_FAIL_IF_NULL(made, parser->error);
    made->parts[0] = *node;
    *node = made;
    if (begin->type == '[') return parse_item(parser, made);
    parser->token++;
    if (token->type == TOKEN_INTEGER) {
        made->parts[1] = ps_jinja_node(parser, NODE_CONSTANT, token->offset);
        PS_FAIL_IF_NULL(made->parts[1], parser->error);
        made->parts[1]->constant = (struct value){.type = TYPE_INTEGER, .integer = token->integer};
        return ps_jinja_finish(parser, made);
    }
    if (token->type != TOKEN_NAME)
        return ps_jinja_parse_error(parser, token, "expected a name or a number behind '.'");
    made->kind = NODE_ATTRIBUTE;
    made->text = ps_jinja_token_string(parser, token);
    PS_FAIL_IF_NULL(made->text, parser->error);
    return ps_jinja_finish(parser, made);
}

static enum ps_status parse_argument(struct parser *parser, struct node *call,
                                     struct node ***positional, struct node ***keywords) {
    const struct token *token = parser->token;
    struct node **part = call->parts;
    bool fits = !part[CALL_DICT];
    if (ps_jinja_skip(parser, '*')) {
        fits = fits && !part[CALL_LIST];
        PS_TRY(ps_jinja_parse_expression(parser, &part[CALL_LIST]));
    } else if (ps_jinja_skip(parser, TOKEN_POWER)) {
        PS_TRY(ps_jinja_parse_expression(parser, &part[CALL_DICT]));
    } else if (token->type == TOKEN_NAME && token[1].type == '=') {
        struct node *keyword = **keywords = ps_jinja_node(parser, NODE_KEYWORD, token->offset);
        PS_FAIL_IF_NULL(keyword, parser->error);
        keyword->text = ps_jinja_token_string(parser, token);
        PS_FAIL_IF_NULL(keyword->text, parser->error);
        parser->token += 2;
        PS_TRY(ps_jinja_parse_expression(parser, &keyword->parts[0]));
        PS_TRY(ps_jinja_finish(parser, keyword));
        *keywords = &keyword->next;
        size_t count = 0;
        for (struct node *other = part[CALL_KEYWORDS]; other != keyword; other = other->next) {
            if (++count > MAX_NAMES)
                return ps_jinja_parse_error(parser, token, "more than %d arguments", MAX_NAMES);
            if (other->text->size == keyword->text->size &&
                memcmp(other->text->text, keyword->text->text, keyword->text->size) == 0)
                return ps_jinja_parse_error(parser, token, "keyword argument repeated");
        }
    } else {
        fits = fits && !part[CALL_LIST] && !part[CALL_KEYWORDS];
        PS_TRY(ps_jinja_parse_expression(parser, *positional));
        *positional = &(**positional)->next;
    }
    if (!fits) return ps_jinja_parse_error(parser, token, "this argument stands in a wrong place");
    return PS_OK;
}

/* The arguments of a call, filter or test into its parts. */
static enum ps_status parse_arguments(struct parser *parser, struct node *call) {
    struct node **positional = &call->parts[CALL_POSITIONAL];
    struct node **keywords = &call->parts[CALL_KEYWORDS];
    PS_TRY(ps_jinja_expect(parser, '(', "'('"));
    while (parser->token->type != ')') {
        PS_TRY(parse_argument(parser, call, &positional, &keywords));
        if (parser->token->type != ')') PS_TRY(ps_jinja_expect(parser, ',', "',' or ')'"));
    }
    parser->token++;
    return PS_OK;
}

static enum ps_status parse_call(struct parser *parser, struct node **node) {
    struct node *call = ps_jinja_node(parser, NODE_CALL, parser->token->offset);
    PS_FAIL_IF_NULL(call, parser->error);
    call->parts[CALL_OBJECT] = *node;
    *node = call;
    PS_TRY(parse_arguments(parser, call));
    return ps_jinja_finish(parser, call);
}

static enum ps_status parse_postfix(struct parser *parser, struct node **node) {
    for (;;) {
        int type = parser->token->type;
        if (type == '.' || type == '[')
            PS_TRY(parse_subscript(parser, node));
        else if (type == '(')
            PS_TRY(parse_call(parser, node));
        else
            return PS_OK;
    }
}

/* The name of a filter or test, which may have dots. */
static enum ps_status parse_dotted(struct parser *parser, struct node *made) {
    struct token name = *parser->token;
    PS_TRY(ps_jinja_expect(parser, TOKEN_NAME, "a name"));
    while (ps_jinja_skip(parser, '.')) {
        name.size = (size_t)(parser->token->text - name.text) + parser->token->size;
        PS_TRY(ps_jinja_expect(parser, TOKEN_NAME, "a name"));
    }
    made->text = ps_jinja_token_string(parser, &name);
    PS_FAIL_IF_NULL(made->text, parser->error);
    return PS_OK;
}

enum ps_status ps_jinja_parse_filter(struct parser *parser, bool inside, struct node *value,
                                     struct node **node) {
    *node = value;
    while (inside || ps_jinja_skip(parser, '|')) {
        inside = false;
        struct node *filter = ps_jinja_node(parser, NODE_FILTER, parser->token->offset);
        PS_FAIL_IF_NULL(filter, parser->error);
        filter->parts[CALL_OBJECT] = *node;
        *node = filter;
        PS_TRY(parse_dotted(parser, filter));
        if (parser->token->type == '(') PS_TRY(parse_arguments(parser, filter));
        PS_TRY(ps_jinja_finish(parser, filter));
    }
    return PS_OK;
}

static enum ps_status parse_test(struct parser *parser, struct node **node) {
    size_t offset = parser->token++->offset;
    bool negated = ps_jinja_skip_word(parser, "not");
    struct node *test = ps_jinja_node(parser, NODE_TEST, offset);
    PS_FAIL_IF_NULL(test, parser->error);
    test->parts[CALL_OBJECT] = *node;
    PS_TRY(parse_dotted(parser, test));
    const struct token *next = parser->token;
    bool value = next->type == TOKEN_NAME || next->type == TOKEN_STRING || next->type == '[' ||
                 next->type == TOKEN_INTEGER || next->type == TOKEN_FLOAT || next->type == '{';
    if (next->type == '(') {
        PS_TRY(parse_arguments(parser, test));
    } else if (value && !ps_jinja_is_word(next, "else") && !ps_jinja_is_word(next, "or") &&
               !ps_jinja_is_word(next, "and")) {
        if (ps_jinja_is_word(next, "is"))
            return ps_jinja_parse_error(parser, next, "tests cannot be chained with 'is'");
        PS_TRY(ps_jinja_parse_primary(parser, false, &test->parts[CALL_POSITIONAL]));
        PS_TRY(parse_postfix(parser, &test->parts[CALL_POSITIONAL]));
    }
    PS_TRY(ps_jinja_finish(parser, test));
    *node = test;
    if (!negated) return PS_OK;
    return ps_jinja_build(parser, NODE_UNARY, offset, OPERATION_NOT, test, NULL, node);
}

enum ps_status ps_jinja_parse_unary(struct parser *parser, bool with_filter, struct node **node) {
    const struct token *token = parser->token;
    if (token->type == '-' || token->type == '+') {
        parser->token++;
        PS_TRY(ps_jinja_nest(parser));
        PS_TRY(ps_jinja_parse_unary(parser, false, node));
        parser->nested--;
        PS_TRY(ps_jinja_build(parser, NODE_UNARY, token->offset,
                              token->type == '-' ? OPERATION_NEGATE : OPERATION_PLUS, *node, NULL,
                              node));
    } else {
        PS_TRY(ps_jinja_parse_primary(parser, false, node));
    }
    PS_TRY(parse_postfix(parser, node));
    while (with_filter) {
        if (parser->token->type == '|')
            PS_TRY(ps_jinja_parse_filter(parser, false, *node, node));
        else if (ps_jinja_is_word(parser->token, "is"))
            PS_TRY(parse_test(parser, node));
        else if (parser->token->type == '(')
            PS_TRY(parse_call(parser, node));
        else
            break;
    }
    return PS_OK;
}
