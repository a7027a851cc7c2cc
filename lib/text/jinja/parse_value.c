/* What stands between operators: names, literals, lists, dictionaries, tuples; and what the
 * parser's files share. */
#include "text/jinja/tree_internal.h"

#include "text/jinja/render_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- shared ---- */

struct node *ps_jinja_node(struct parser *parser, enum node_kind kind, size_t offset) {
    struct node *node = ps_arena_alloc(&parser->template->arena, sizeof *node);
    if (!node) return NULL;
    node->kind = kind;
    node->offset = (uint32_t)offset;
    return node;
}

enum ps_status ps_jinja_parse_error(struct parser *parser, const struct token *token,
                                    const char *format, ...) {
    char why[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return ps_jinja_fail_at(parser->template, token->offset, PS_FORMAT, parser->error, "%s", why);
}

const char *ps_jinja_describe(const struct token *token, char out[48]) {
    switch (token->type) {
    case TOKEN_END: return "the end of the template";
    case TOKEN_DATA: return "text";
    case TOKEN_PRINT_BEGIN: return "'{{'";
    case TOKEN_PRINT_END: return "'}}'";
    case TOKEN_BLOCK_BEGIN: return "'{%'";
    case TOKEN_BLOCK_END: return "'%}'";
    case TOKEN_STRING: return "a string";
    default:
        snprintf(out, 48, "'%.*s'", (int)(token->size < 40 ? token->size : 40), token->text);
        return out;
    }
}

enum ps_status ps_jinja_expect(struct parser *parser, int type, const char *what) {
    char found[48];
    if (parser->token->type != type)
        return ps_jinja_parse_error(parser, parser->token, "expected %s, found %s", what,
                                    ps_jinja_describe(parser->token, found));
    parser->token++;
    return PS_OK;
}

bool ps_jinja_is_word(const struct token *token, const char *word) {
    return token->type == TOKEN_NAME && strlen(word) == token->size &&
           memcmp(token->text, word, token->size) == 0;
}

bool ps_jinja_skip_word(struct parser *parser, const char *word) {
    bool is = ps_jinja_is_word(parser->token, word);
    parser->token += is;
    return is;
}

bool ps_jinja_skip(struct parser *parser, int type) {
    bool is = parser->token->type == type;
    parser->token += is;
    return is;
}

struct string *ps_jinja_token_string(struct parser *parser, const struct token *token) {
    struct string *string = ps_arena_alloc(&parser->template->arena, sizeof *string);
    char *text = string ? ps_arena_strndup(&parser->template->arena, token->text, token->size) : 0;
    if (!text) return NULL;
    *string = (struct string){.text = text, .size = token->size};
    return string;
}

enum ps_status ps_jinja_finish(struct parser *parser, struct node *node) {
    PS_FAIL_IF_NULL(node, parser->error);
    for (size_t i = 0; i < NODE_PARTS; i++)
        for (const struct node *part = node->parts[i]; part; part = part->next)
            if (part->height >= node->height) node->height = (uint16_t)(part->height + 1);
    if (node->height > MAX_HEIGHT)
        return ps_jinja_fail_at(parser->template, node->offset, PS_LIMIT, parser->error,
                                "the template nests deeper than %d levels", MAX_HEIGHT);
    return PS_OK;
}

/* A new node with up to three parts, finished. */
enum ps_status ps_jinja_build(struct parser *parser, enum node_kind kind, size_t offset,
                              enum operation operation, struct node *first, struct node *second,
                              struct node **node) {
    struct node *made = ps_jinja_node(parser, kind, offset);
    PS_FAIL_IF_NULL(made, parser->error);
    made->operation = operation;
    made->parts[0] = first;
    made->parts[1] = second;
    *node = made;
    return ps_jinja_finish(parser, made);
}

enum ps_status ps_jinja_nest(struct parser *parser) {
    if (++parser->nested <= MAX_NESTED) return PS_OK;
    return ps_jinja_fail_at(parser->template, parser->token->offset, PS_LIMIT, parser->error,
                            "the template nests deeper than %d levels", MAX_NESTED);
}

/* ---- values ---- */

static enum ps_status parse_items(struct parser *parser, bool pairs, int end, struct node *made) {
    struct node **last = &made->parts[0];
    while (parser->token->type != end) {
        if (made->parts[0]) PS_TRY(ps_jinja_expect(parser, ',', "','"));
        if (parser->token->type == end) break;
        PS_TRY(ps_jinja_parse_expression(parser, last));
        last = &(*last)->next;
        if (!pairs) continue;
        PS_TRY(ps_jinja_expect(parser, ':', "':'"));
        PS_TRY(ps_jinja_parse_expression(parser, last));
        last = &(*last)->next;
    }
    parser->token++;
    return ps_jinja_finish(parser, made);
}

static enum ps_status parse_word(struct parser *parser, bool target, struct node **node) {
    const struct token *token = parser->token++;
    struct node *made = *node = ps_jinja_node(parser, NODE_NAME, token->offset);
    PS_FAIL_IF_NULL(made, parser->error);
    bool yes = ps_jinja_is_word(token, "true") || ps_jinja_is_word(token, "True");
    bool no = ps_jinja_is_word(token, "false") || ps_jinja_is_word(token, "False");
    bool none = ps_jinja_is_word(token, "none") || ps_jinja_is_word(token, "None");
    if (yes || no || none) {
        made->kind = NODE_CONSTANT;
        made->constant = none ? (struct value){.type = TYPE_NONE}
                              : (struct value){.type = TYPE_BOOL, .boolean = yes};
        return PS_OK;
    }
    made->text = ps_jinja_token_string(parser, token);
    PS_FAIL_IF_NULL(made->text, parser->error);
    if (!target || !ps_jinja_skip(parser, '.')) return PS_OK;
    struct node *name = made;
    made = *node = ps_jinja_node(parser, NODE_NAMESPACE, token->offset);
    PS_FAIL_IF_NULL(made, parser->error);
    made->parts[0] = name;
    made->text = ps_jinja_token_string(parser, parser->token);
    PS_FAIL_IF_NULL(made->text, parser->error);
    PS_TRY(ps_jinja_expect(parser, TOKEN_NAME, "a name"));
    return ps_jinja_finish(parser, made);
}

/* A string; those that stand beside each other are one. */
static enum ps_status parse_string(struct parser *parser, struct node *made) {
    struct token all = *parser->token;
    const struct token *end = parser->token;
    for (all.size = 0; end->type == TOKEN_STRING; end++) all.size += end->size;
    char *text = ps_arena_alloc(&parser->template->arena, all.size + 1);
    PS_FAIL_IF_NULL(text, parser->error);
    all.text = text;
    for (; parser->token < end; text += parser->token++->size)
        memcpy(text, parser->token->text, parser->token->size);
    made->constant.type = TYPE_STRING;
    made->constant.string = ps_jinja_token_string(parser, &all);
    PS_FAIL_IF_NULL(made->constant.string, parser->error);
    return PS_OK;
}

enum ps_status ps_jinja_parse_primary(struct parser *parser, bool target, struct node **node) {
    const struct token *token = parser->token;
    char found[48];
    if (token->type == TOKEN_NAME) return parse_word(parser, target, node);
    if (ps_jinja_skip(parser, '(')) {
        PS_TRY(ps_jinja_nest(parser));
        PS_TRY(ps_jinja_parse_tuple(parser, TUPLE_PARENTHESES, node));
        parser->nested--;
        return ps_jinja_expect(parser, ')', "')'");
    }
    struct node *made = *node = ps_jinja_node(parser, NODE_CONSTANT, token->offset);
    PS_FAIL_IF_NULL(made, parser->error);
    switch (token->type) {
    case TOKEN_STRING: return parse_string(parser, made);
    case TOKEN_INTEGER:
        made->constant = (struct value){.type = TYPE_INTEGER, .integer = token->integer};
        break;
    case TOKEN_FLOAT:
        made->constant = (struct value){.type = TYPE_FLOAT, .real = token->real};
        break;
    case '[':
        made->kind = NODE_LIST;
        parser->token++;
        return parse_items(parser, false, ']', made);
    case '{':
        made->kind = NODE_DICT;
        parser->token++;
        return parse_items(parser, true, '}', made);
    default:
        return ps_jinja_parse_error(parser, token, "unexpected %s",
                                    ps_jinja_describe(token, found));
    }
    parser->token++;
    return PS_OK;
}

static bool is_tuple_end(const struct parser *parser) {
    int type = parser->token->type;
    return type == TOKEN_PRINT_END || type == TOKEN_BLOCK_END || type == ')';
}

enum ps_status ps_jinja_parse_tuple(struct parser *parser, unsigned flags, struct node **node) {
    struct node *tuple = ps_jinja_node(parser, NODE_TUPLE, parser->token->offset);
    PS_FAIL_IF_NULL(tuple, parser->error);
    struct node **last = &tuple->parts[0];
    bool is_tuple = false;
    char found[48];
    while (!is_tuple_end(parser)) {
        if (flags & TUPLE_TARGET)
            PS_TRY(ps_jinja_parse_primary(parser, true, last));
        else if (flags & TUPLE_NO_CONDITION)
            PS_TRY(ps_jinja_parse_or(parser, last));
        else
            PS_TRY(ps_jinja_parse_expression(parser, last));
        last = &(*last)->next;
        if (!ps_jinja_skip(parser, ',')) break;
        is_tuple = true;
    }
    *node = is_tuple || !tuple->parts[0] ? tuple : tuple->parts[0];
    if (!is_tuple && !tuple->parts[0] && !(flags & TUPLE_PARENTHESES))
        return ps_jinja_parse_error(parser, parser->token, "expected an expression, found %s",
                                    ps_jinja_describe(parser->token, found));
    return ps_jinja_finish(parser, *node);
}
