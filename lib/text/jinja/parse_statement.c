/* Statements: what stands between {% and %}, and the text and {{ }} around them. */
#include "text/jinja/tree_internal.h"

#include "text/jinja/render_internal.h"

#include <string.h>

/* Up to the end of this tag, then the body up to one of the ends (which stays the next token). */
static enum ps_status parse_block(struct parser *parser, const char *const *ends,
                                  struct node **list) {
    parser->token += parser->token->type == ':';
    PS_TRY(ps_jinja_expect(parser, TOKEN_BLOCK_END, "'%}'"));
    return ps_jinja_parse_body(parser, ends, list);
}

static enum ps_status parse_block_to(struct parser *parser, const char *end, struct node **list) {
    const char *ends[] = {end, NULL};
    PS_TRY(parse_block(parser, ends, list));
    parser->token++;
    return PS_OK;
}

/* Makes names and tuples of names into targets. */
static enum ps_status make_target(struct parser *parser, struct node *node) {
    for (struct node *item = node->kind == NODE_TUPLE ? node->parts[0] : NULL; item;
         item = item->next)
        PS_TRY(make_target(parser, item));
    node->store = node->kind == NODE_NAME;
    bool fits = node->store || node->kind == NODE_TUPLE || node->kind == NODE_NAMESPACE;
    if (!fits)
        return ps_jinja_fail_at(parser->template, node->offset, PS_FORMAT, parser->error,
                                "cannot assign to this expression");
    return PS_OK;
}

static enum ps_status parse_target(struct parser *parser, bool namespaces, struct node **node) {
    const struct token *token = parser->token;
    PS_TRY(ps_jinja_parse_tuple(parser, TUPLE_TARGET, node));
    PS_TRY(make_target(parser, *node));
    if (!namespaces)
        for (; token < parser->token; token++)
            if (token->type == '.') return ps_jinja_parse_error(parser, token, "unexpected '.'");
    return PS_OK;
}

static enum ps_status parse_name(struct parser *parser, struct node **node) {
    const struct token *token = parser->token;
    PS_TRY(ps_jinja_expect(parser, TOKEN_NAME, "a name"));
    *node = ps_jinja_node(parser, NODE_NAME, token->offset);
    PS_FAIL_IF_NULL(*node, parser->error);
    (*node)->text = ps_jinja_token_string(parser, token);
    PS_FAIL_IF_NULL((*node)->text, parser->error);
    (*node)->store = true;
    static const char *const reserved[] = {"true", "false", "none", "True", "False", "None"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (ps_jinja_is_word(token, reserved[i]))
            return ps_jinja_parse_error(parser, token, "cannot assign to '%s'", reserved[i]);
    return PS_OK;
}

static enum ps_status parse_if(struct parser *parser, struct node *node) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    node->kind = NODE_IF;
    for (struct node **last = &node->parts[0];; last = &(*last)->next) {
        struct node *branch = *last = ps_jinja_node(parser, NODE_BRANCH, parser->token->offset);
        PS_FAIL_IF_NULL(branch, parser->error);
        PS_TRY(ps_jinja_parse_tuple(parser, TUPLE_NO_CONDITION, &branch->parts[0]));
        PS_TRY(parse_block(parser, ends, &branch->parts[1]));
        PS_TRY(ps_jinja_finish(parser, branch));
        const struct token *end = parser->token++;
        if (ps_jinja_is_word(end, "elif")) continue;
        return ps_jinja_is_word(end, "else") ? parse_block_to(parser, "endif", &node->parts[1])
                                             : PS_OK;
    }
}

static enum ps_status parse_for(struct parser *parser, struct node *node) {
    static const char *const ends[] = {"endfor", "else", NULL};
    node->kind = NODE_FOR;
    PS_TRY(parse_target(parser, false, &node->parts[FOR_TARGET]));
    if (!ps_jinja_skip_word(parser, "in"))
        return ps_jinja_parse_error(parser, parser->token, "expected 'in'");
    PS_TRY(ps_jinja_parse_tuple(parser, TUPLE_NO_CONDITION, &node->parts[FOR_ITERABLE]));
    if (ps_jinja_skip_word(parser, "if"))
        PS_TRY(ps_jinja_parse_expression(parser, &node->parts[FOR_TEST]));
    node->recursive = ps_jinja_skip_word(parser, "recursive");
    parser->loops++;
    PS_TRY(parse_block(parser, ends, &node->parts[FOR_BODY]));
    parser->loops--;
    return ps_jinja_is_word(parser->token++, "else")
               ? parse_block_to(parser, "endfor", &node->parts[FOR_ELSE])
               : PS_OK;
}

static enum ps_status parse_set(struct parser *parser, struct node *node) {
    node->kind = NODE_SET;
    PS_TRY(parse_target(parser, true, &node->parts[0]));
    if (parser->token->type == '=') {
        parser->token++;
        return ps_jinja_parse_tuple(parser, 0, &node->parts[1]);
    }
    node->kind = NODE_SET_BLOCK;
    PS_TRY(ps_jinja_parse_filter(parser, false, NULL, &node->parts[1]));
    return parse_block_to(parser, "endset", &node->parts[2]);
}

/* "(a, b=1)" into parameters and the defaults of the last of them. */
static enum ps_status parse_signature(struct parser *parser, struct node *node) {
    struct node **last = &node->parts[MACRO_PARAMETERS];
    struct node **last_default = &node->parts[MACRO_DEFAULTS];
    PS_TRY(ps_jinja_expect(parser, '(', "'('"));
    while (parser->token->type != ')') {
        if (node->parts[MACRO_PARAMETERS]) PS_TRY(ps_jinja_expect(parser, ',', "','"));
        PS_TRY(parse_name(parser, last));
        size_t count = 0;
        for (struct node *other = node->parts[MACRO_PARAMETERS]; other != *last;
             other = other->next) {
            if (++count > MAX_NAMES)
                return ps_jinja_parse_error(parser, parser->token - 1, "more than %d parameters",
                                            MAX_NAMES);
            if (other->text->size == (*last)->text->size &&
                memcmp(other->text->text, (*last)->text->text, other->text->size) == 0)
                return ps_jinja_parse_error(parser, parser->token - 1, "parameter repeated");
        }
        last = &(*last)->next;
        if (parser->token->type == '=') {
            parser->token++;
            PS_TRY(ps_jinja_parse_expression(parser, last_default));
            last_default = &(*last_default)->next;
        } else if (node->parts[MACRO_DEFAULTS]) {
            return ps_jinja_parse_error(parser, parser->token - 1,
                                        "a parameter without default behind one with");
        }
    }
    parser->token++;
    return PS_OK;
}

/* The body of what becomes a function: no break reaches out of it. */
static enum ps_status parse_function(struct parser *parser, const char *end, struct node *node) {
    unsigned loops = parser->loops;
    parser->loops = 0;
    PS_TRY(parse_block_to(parser, end, &node->parts[MACRO_BODY]));
    parser->loops = loops;
    return PS_OK;
}

static enum ps_status parse_macro(struct parser *parser, struct node *node) {
    struct node *name;
    node->kind = NODE_MACRO;
    PS_TRY(parse_name(parser, &name));
    node->text = name->text;
    PS_TRY(parse_signature(parser, node));
    return parse_function(parser, "endmacro", node);
}

static enum ps_status parse_call_block(struct parser *parser, struct node *node) {
    node->kind = NODE_CALL_BLOCK;
    if (parser->token->type == '(') PS_TRY(parse_signature(parser, node));
    const struct token *token = parser->token;
    PS_TRY(ps_jinja_parse_expression(parser, &node->parts[MACRO_CALL]));
    if (node->parts[MACRO_CALL]->kind != NODE_CALL)
        return ps_jinja_parse_error(parser, token, "expected a call");
    return parse_function(parser, "endcall", node);
}

static enum ps_status parse_generation(struct parser *parser, struct node *node) {
    node->kind = NODE_CALL_BLOCK;
    return parse_function(parser, "endgeneration", node);
}

static enum ps_status parse_filter_block(struct parser *parser, struct node *node) {
    node->kind = NODE_FILTER_BLOCK;
    PS_TRY(ps_jinja_parse_filter(parser, true, NULL, &node->parts[1]));
    return parse_block_to(parser, "endfilter", &node->parts[0]);
}

static enum ps_status parse_with(struct parser *parser, struct node *node) {
    struct node **last = &node->parts[0], **last_value = &node->parts[1];
    node->kind = NODE_WITH;
    while (parser->token->type != TOKEN_BLOCK_END) {
        if (node->parts[0]) PS_TRY(ps_jinja_expect(parser, ',', "','"));
        PS_TRY(parse_name(parser, last));
        PS_TRY(ps_jinja_expect(parser, '=', "'='"));
        PS_TRY(ps_jinja_parse_expression(parser, last_value));
        last = &(*last)->next;
        last_value = &(*last_value)->next;
    }
    return parse_block_to(parser, "endwith", &node->parts[2]);
}

static enum ps_status parse_print(struct parser *parser, struct node *node) {
    node->kind = NODE_PRINT;
    for (struct node **last = &node->parts[0]; parser->token->type != TOKEN_BLOCK_END;
         last = &(*last)->next) {
        if (node->parts[0]) PS_TRY(ps_jinja_expect(parser, ',', "','"));
        PS_TRY(ps_jinja_parse_expression(parser, last));
    }
    return PS_OK;
}

static enum ps_status parse_break(struct parser *parser, struct node *node) {
    const struct token *token = parser->token - 1;
    node->kind = ps_jinja_is_word(token, "break") ? NODE_BREAK : NODE_CONTINUE;
    if (parser->loops > 0) return PS_OK;
    return ps_jinja_parse_error(parser, token, "'%.*s' outside of a loop", (int)token->size,
                                token->text);
}

static enum ps_status parse_statement(struct parser *parser, struct node **node) {
    static const struct {
        const char *tag;
        enum ps_status (*parse)(struct parser *, struct node *);
    } statements[] = {
        {"if", parse_if},
        {"for", parse_for},
        {"set", parse_set},
        {"macro", parse_macro},
        {"call", parse_call_block},
        {"generation", parse_generation},
        {"filter", parse_filter_block},
        {"with", parse_with},
        {"print", parse_print},
        {"break", parse_break},
        {"continue", parse_break},
    };
    static const char *const refused[] = {"block",  "extends", "include",
                                          "import", "from",    "autoescape"};
    const struct token *token = parser->token;
    PS_TRY(ps_jinja_expect(parser, TOKEN_NAME, "the name of a tag"));
    *node = ps_jinja_node(parser, NODE_DATA, token->offset);
    PS_FAIL_IF_NULL(*node, parser->error);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (ps_jinja_is_word(token, statements[i].tag)) {
            PS_TRY(statements[i].parse(parser, *node));
            return ps_jinja_finish(parser, *node);
        }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (ps_jinja_is_word(token, refused[i]))
            return ps_jinja_fail_at(parser->template, token->offset, PS_UNSUPPORTED, parser->error,
                                    "{%% %s %%} is not supported", refused[i]);
    return ps_jinja_parse_error(parser, token, "unknown or misplaced tag '%.*s'",
                                (int)(token->size < 60 ? token->size : 60), token->text);
}

static bool is_end(const struct token *token, const char *const *ends) {
    for (; ends && *ends; ends++)
        if (ps_jinja_is_word(token, *ends)) return true;
    return false;
}

enum ps_status ps_jinja_parse_body(struct parser *parser, const char *const *ends,
                                   struct node **list) {
    const struct token *begin = parser->token;
    if (++parser->nested > MAX_NESTED)
        return ps_jinja_fail_at(parser->template, begin->offset, PS_LIMIT, parser->error,
                                "the template nests deeper than %d levels", MAX_NESTED);
    for (struct node **last = list;; last = &(*last)->next) {
        const struct token *token = parser->token;
        if (token->type == TOKEN_END) break;
        parser->token++;
        if (token->type == TOKEN_BLOCK_BEGIN) {
            if (is_end(parser->token, ends)) {
                parser->nested--;
                return PS_OK;
            }
            PS_TRY(parse_statement(parser, last));
            PS_TRY(ps_jinja_expect(parser, TOKEN_BLOCK_END, "'%}'"));
            continue;
        }
        struct node *node = *last = ps_jinja_node(parser, NODE_DATA, token->offset);
        PS_FAIL_IF_NULL(node, parser->error);
        if (token->type == TOKEN_DATA) {
            node->constant.type = TYPE_STRING;
            node->constant.string = ps_jinja_token_string(parser, token);
            PS_FAIL_IF_NULL(node->constant.string, parser->error);
            continue;
        }
        node->kind = NODE_PRINT;
        PS_TRY(ps_jinja_parse_tuple(parser, 0, &node->parts[0]));
        PS_TRY(ps_jinja_expect(parser, TOKEN_PRINT_END, "'}}'"));
        PS_TRY(ps_jinja_finish(parser, node));
    }
    parser->nested--;
    if (ends)
        return ps_jinja_parse_error(parser, begin > parser->token ? begin : begin - 1,
                                    "the template ends before {%% %s %%}",
                                    ends[0][0] == 'e' && ends[0][1] == 'l' ? "endif" : ends[0]);
    return PS_OK;
}
