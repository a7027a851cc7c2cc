/* Expressions to values. */
#include "text/jinja/render_internal.h"

static enum ps_status evaluate_list(struct render *render, const struct node *first,
                                    enum value_type type, struct value *result) {
    size_t count = 0;
    for (const struct node *item = first; item; item = item->next) count++;
    PS_TRY(ps_jinja_new_list(render, type, NULL, count, result));
    struct value *items = result->list->items;
    for (const struct node *item = first; item; item = item->next)
        PS_TRY(ps_jinja_evaluate(render, item, items++));
    return PS_OK;
}

static enum ps_status evaluate_dict(struct render *render, const struct node *node,
                                    struct value *result) {
    struct dict *dict;
    PS_TRY(ps_jinja_new_dict(render, 4, &dict));
    for (const struct node *item = node->parts[0]; item; item = item->next->next) {
        struct value key, value;
        PS_TRY(ps_jinja_evaluate(render, item, &key));
        PS_TRY(ps_jinja_evaluate(render, item->next, &value));
        render->at = item;
        PS_TRY(ps_jinja_dict_set(render, dict, key, value));
    }
    *result = (struct value){.type = TYPE_DICT, .dict = dict};
    return PS_OK;
}

static enum ps_status evaluate_name(struct render *render, const struct node *node,
                                    struct value *result) {
    struct frame *frame = render->frame;
    if (node->address.up == GLOBAL) {
        *result = render->globals[node->address.slot];
    } else {
        for (uint32_t up = node->address.up; up > 0; up--) frame = frame->outer;
        *result = frame->slots[node->address.slot];
    }
    if (result->type != TYPE_MISSING) return PS_OK;
    return ps_jinja_undefined(render, NULL, NULL, STRING(node->text), result);
}

static enum ps_status evaluate_binary(struct render *render, const struct node *node,
                                      struct value *result) {
    struct value left, right;
    PS_TRY(ps_jinja_evaluate(render, node->parts[0], &left));
    if (node->operation == OPERATION_AND || node->operation == OPERATION_OR) {
        *result = left;
        if (ps_jinja_truth(left) == (node->operation == OPERATION_OR)) return PS_OK;
        return ps_jinja_evaluate(render, node->parts[1], result);
    }
    PS_TRY(ps_jinja_evaluate(render, node->parts[1], &right));
    render->at = node;
    return ps_jinja_binary(render, node->operation, left, right, result);
}

static enum ps_status evaluate_comparison(struct render *render, const struct node *node,
                                          struct value *result) {
    struct value left, right;
    bool holds = true;
    PS_TRY(ps_jinja_evaluate(render, node->parts[0], &left));
    for (const struct node *operand = node->parts[1]; operand && holds; operand = operand->next) {
        PS_TRY(ps_jinja_evaluate(render, operand->parts[0], &right));
        render->at = operand;
        PS_TRY(ps_jinja_order(render, operand->operation, left, right, &holds));
        left = right;
    }
    *result = BOOLEAN(holds);
    return PS_OK;
}

static enum ps_status evaluate_concat(struct render *render, const struct node *node,
                                      struct value *result) {
    struct builder builder;
    ps_jinja_begin(render, &builder);
    for (const struct node *item = node->parts[0]; item; item = item->next) {
        struct value value;
        PS_TRY(ps_jinja_evaluate(render, item, &value));
        render->at = item;
        PS_TRY(ps_jinja_put_str(&builder, value));
    }
    return ps_jinja_end(&builder, result);
}

static enum ps_status evaluate_condition(struct render *render, const struct node *node,
                                         struct value *result) {
    struct value test;
    PS_TRY(ps_jinja_evaluate(render, node->parts[0], &test));
    if (ps_jinja_truth(test)) return ps_jinja_evaluate(render, node->parts[1], result);
    if (node->parts[2]) return ps_jinja_evaluate(render, node->parts[2], result);
    return ps_jinja_undefined(render, "the inline if has no else and its condition is false", NULL,
                              (struct value){0}, result);
}

static enum ps_status evaluate_item(struct render *render, const struct node *node,
                                    struct value *result) {
    struct value object, key, parts[3];
    const struct node *slice = node->parts[1];
    PS_TRY(ps_jinja_evaluate(render, node->parts[0], &object));
    if (slice->kind != NODE_SLICE) {
        PS_TRY(ps_jinja_evaluate(render, slice, &key));
        render->at = node;
        return ps_jinja_item(render, object, key, result);
    }
    for (size_t i = 0; i < 3; i++) {
        parts[i] = NONE;
        if (slice->parts[i]) PS_TRY(ps_jinja_evaluate(render, slice->parts[i], &parts[i]));
    }
    render->at = node;
    return ps_jinja_item_slice(render, object, parts[0], parts[1], parts[2], result);
}

static enum ps_status evaluate_call(struct render *render, const struct node *node,
                                    struct value *result) {
    struct value object;
    struct arguments arguments;
    PS_TRY(ps_jinja_evaluate(render, node->parts[CALL_OBJECT], &object));
    PS_TRY(ps_jinja_arguments(render, node, &arguments));
    render->at = node;
    return ps_jinja_call(render, object, &arguments, result);
}

/* A filter without a value is that of a block: its value is what the block printed. */
static enum ps_status evaluate_filter(struct render *render, const struct node *node,
                                      struct value *result) {
    struct value value;
    struct arguments arguments;
    if (node->parts[CALL_OBJECT])
        PS_TRY(ps_jinja_evaluate(render, node->parts[CALL_OBJECT], &value));
    else
        PS_TRY(ps_jinja_end(render->out, &value));
    PS_TRY(ps_jinja_arguments(render, node, &arguments));
    render->at = node;
    if (!node->function)
        return ps_jinja_fail(render, "there is no %s '%s'",
                             node->kind == NODE_FILTER ? "filter" : "test", node->text->text);
    return ps_jinja_run(render, node->function, value, &arguments, result);
}

static enum ps_status evaluate(struct render *render, const struct node *node,
                               struct value *result) {
    struct value object;
    switch (node->kind) {
    case NODE_CONSTANT: *result = node->constant; return PS_OK;
    case NODE_NAME: return evaluate_name(render, node, result);
    case NODE_TUPLE: return evaluate_list(render, node->parts[0], TYPE_TUPLE, result);
    case NODE_LIST: return evaluate_list(render, node->parts[0], TYPE_LIST, result);
    case NODE_DICT: return evaluate_dict(render, node, result);
    case NODE_UNARY:
        PS_TRY(ps_jinja_evaluate(render, node->parts[0], &object));
        render->at = node;
        return ps_jinja_unary(render, node->operation, object, result);
    case NODE_BINARY: return evaluate_binary(render, node, result);
    case NODE_COMPARE: return evaluate_comparison(render, node, result);
    case NODE_CONCAT: return evaluate_concat(render, node, result);
    case NODE_CONDITION: return evaluate_condition(render, node, result);
    case NODE_ATTRIBUTE:
        PS_TRY(ps_jinja_evaluate(render, node->parts[0], &object));
        render->at = node;
        return ps_jinja_attribute(render, object, node->text, result);
    case NODE_ITEM: return evaluate_item(render, node, result);
    case NODE_CALL: return evaluate_call(render, node, result);
    case NODE_FILTER:
    case NODE_TEST: return evaluate_filter(render, node, result);
    default: return ps_jinja_fail(render, "slices nested in an index are not supported");
    }
}

enum ps_status ps_jinja_evaluate(struct render *render, const struct node *node,
                                 struct value *result) {
    render->at = node;
    if (++render->depth > MAX_DEPTH) return ps_jinja_limit(render, "evaluation too deep");
    PS_TRY(ps_jinja_charge(render, 1));
    PS_TRY(evaluate(render, node, result));
    render->depth--;
    return PS_OK;
}
