/* Statements: what they print goes to the current builder, what they set to the current frame. */
#include "text/jinja/render_internal.h"

#include <string.h>

/* ---- frames ---- */

void ps_jinja_enter_again(const struct render *render, const struct scope *scope,
                          struct frame *frame) {
    memset(frame->slots, 0, scope->slot_count * sizeof *frame->slots);
    for (size_t i = 0; i < scope->copy_count; i++) {
        const struct slot_copy *copy = &scope->copies[i];
        const struct frame *from = frame->outer;
        if (copy->from.up == GLOBAL) {
            frame->slots[copy->slot] = render->globals[copy->from.slot];
            continue;
        }
        for (uint32_t up = copy->from.up; up > 0; up--) from = from->outer;
        frame->slots[copy->slot] = from->slots[copy->from.slot];
    }
}

enum ps_status ps_jinja_enter(struct render *render, const struct scope *scope, struct frame *outer,
                              struct frame **frame) {
    size_t size = sizeof **frame + scope->slot_count * sizeof *(*frame)->slots;
    struct frame *made;
    PS_TRY(ps_jinja_alloc(render, 1, size, &made));
    made->outer = outer;
    ps_jinja_enter_again(render, scope, made);
    *frame = made;
    return PS_OK;
}

/* ---- assignment ---- */

static struct value *place_of(struct render *render, const struct node *name) {
    struct frame *frame = render->frame;
    if (name->address.up == GLOBAL) return &render->globals[name->address.slot];
    for (uint32_t up = name->address.up; up > 0; up--) frame = frame->outer;
    return &frame->slots[name->address.slot];
}

static enum ps_status assign_tuple(struct render *render, const struct node *target,
                                   struct value value) {
    struct list list;
    size_t count = 0;
    for (const struct node *item = target->parts[0]; item; item = item->next) count++;
    render->at = target;
    PS_TRY(ps_jinja_collect(render, value, &list));
    if (list.count != count)
        return ps_jinja_fail(render, "%zu values for %zu names", list.count, count);
    count = 0;
    for (const struct node *item = target->parts[0]; item; item = item->next)
        PS_TRY(ps_jinja_assign(render, item, list.items[count++]));
    return PS_OK;
}

static enum ps_status assign_attribute(struct render *render, const struct node *target,
                                       struct value value) {
    struct value *space = place_of(render, target->parts[0]);
    render->at = target;
    if (space->type != TYPE_NAMESPACE)
        return ps_jinja_fail(render, "cannot assign attribute on non-namespace object");
    if (target->text->text[0] == '_')
        return ps_jinja_fail(render, "a namespace takes no names that begin with '_'");
    return ps_jinja_dict_set(render, space->dict, STRING(target->text), value);
}

enum ps_status ps_jinja_assign(struct render *render, const struct node *target,
                               struct value value) {
    if (target->kind == NODE_TUPLE) return assign_tuple(render, target, value);
    if (target->kind == NODE_NAMESPACE) return assign_attribute(render, target, value);
    *place_of(render, target) = value;
    return PS_OK;
}

/* ---- statements ---- */

static enum ps_status execute_print(struct render *render, const struct node *node) {
    for (const struct node *item = node->parts[0]; item; item = item->next) {
        struct value value;
        PS_TRY(ps_jinja_evaluate(render, item, &value));
        render->at = item;
        PS_TRY(ps_jinja_put_str(render->out, value));
    }
    return PS_OK;
}

static enum ps_status execute_if(struct render *render, const struct node *node,
                                 enum signal *signal) {
    for (const struct node *branch = node->parts[0]; branch; branch = branch->next) {
        struct value test;
        PS_TRY(ps_jinja_evaluate(render, branch->parts[0], &test));
        if (ps_jinja_truth(test)) return ps_jinja_execute(render, branch->parts[1], signal);
    }
    return ps_jinja_execute(render, node->parts[1], signal);
}

/* A block whose text is captured, with a filter over it or none. It is left undone by a break. */
static enum ps_status execute_captured(struct render *render, const struct node *node,
                                       const struct node *body, const struct node *filter,
                                       enum signal *signal, struct value *result) {
    struct builder text, *out = render->out;
    struct frame *frame = render->frame;
    ps_jinja_begin(render, &text);
    PS_TRY(ps_jinja_enter(render, node->scope, frame, &render->frame));
    render->out = &text;
    PS_TRY(ps_jinja_execute(render, body, signal));
    if (filter && *signal == SIGNAL_NONE)
        PS_TRY(ps_jinja_evaluate(render, filter, result));
    else
        PS_TRY(ps_jinja_end(&text, result));
    render->out = out;
    render->frame = frame;
    return PS_OK;
}

static enum ps_status execute_set_block(struct render *render, const struct node *node,
                                        enum signal *signal) {
    struct value text;
    PS_TRY(execute_captured(render, node, node->parts[2], node->parts[1], signal, &text));
    return *signal == SIGNAL_NONE ? ps_jinja_assign(render, node->parts[0], text) : PS_OK;
}

static enum ps_status execute_filter_block(struct render *render, const struct node *node,
                                           enum signal *signal) {
    struct value text;
    PS_TRY(execute_captured(render, node, node->parts[0], node->parts[1], signal, &text));
    return *signal == SIGNAL_NONE ? ps_jinja_put_str(render->out, text) : PS_OK;
}

static enum ps_status execute_with(struct render *render, const struct node *node,
                                   enum signal *signal) {
    struct frame *outer = render->frame, *frame;
    const struct node *target = node->parts[0];
    PS_TRY(ps_jinja_enter(render, node->scope, outer, &frame));
    for (const struct node *value = node->parts[1]; value; value = value->next) {
        PS_TRY(ps_jinja_evaluate(render, value, &frame->slots[target->address.slot]));
        target = target->next;
    }
    render->frame = frame;
    PS_TRY(ps_jinja_execute(render, node->parts[2], signal));
    render->frame = outer;
    return PS_OK;
}

static enum ps_status make_macro(struct render *render, const struct node *node,
                                 struct value *result) {
    struct macro *macro;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *macro, &macro));
    *macro = (struct macro){node, render->frame};
    *result = (struct value){.type = TYPE_MACRO, .macro = macro};
    return PS_OK;
}

/* {% call f(x) %}: f is called with the block as its keyword argument `caller`. A {% generation %}
 * is a block that is called at once. */
static enum ps_status execute_call_block(struct render *render, const struct node *node) {
    static const struct string name = {.text = "caller", .size = 6};
    const struct node *call = node->parts[MACRO_CALL];
    struct arguments arguments = {0};
    struct value caller, object, result;
    PS_TRY(make_macro(render, node, &caller));
    if (call) {
        PS_TRY(ps_jinja_evaluate(render, call->parts[CALL_OBJECT], &object));
        PS_TRY(ps_jinja_arguments(render, call, &arguments));
        for (size_t i = 0; i < arguments.keyword_count; i++)
            if (ps_jinja_is(arguments.keywords[i].name, "caller"))
                return ps_jinja_fail(render, "got multiple values for keyword argument 'caller'");
        struct keyword *keywords;
        size_t count = arguments.keyword_count;
        PS_TRY(ps_jinja_alloc(render, count + 1, sizeof *keywords, &keywords));
        if (count) memcpy(keywords, arguments.keywords, count * sizeof *keywords);
        keywords[count] = (struct keyword){&name, caller};
        arguments.keywords = keywords;
        arguments.keyword_count++;
    } else {
        object = caller;
    }
    render->at = node;
    PS_TRY(ps_jinja_call(render, object, &arguments, &result));
    return ps_jinja_put_str(render->out, result);
}

static enum ps_status execute_set(struct render *render, const struct node *node) {
    struct value value;
    const struct node *target = node->parts[0];
    if (target->kind == NODE_NAMESPACE &&
        place_of(render, target->parts[0])->type != TYPE_NAMESPACE) {
        render->at = target;
        return ps_jinja_fail(render, "cannot assign attribute on non-namespace object");
    }
    PS_TRY(ps_jinja_evaluate(render, node->parts[1], &value));
    return ps_jinja_assign(render, target, value);
}

static enum ps_status execute_one(struct render *render, const struct node *node,
                                  enum signal *signal) {
    switch (node->kind) {
    case NODE_DATA: return ps_jinja_put_string(render->out, node->constant.string);
    case NODE_PRINT: return execute_print(render, node);
    case NODE_IF: return execute_if(render, node, signal);
    case NODE_FOR: return ps_jinja_execute_for(render, node, signal);
    case NODE_SET: return execute_set(render, node);
    case NODE_SET_BLOCK: return execute_set_block(render, node, signal);
    case NODE_MACRO: return make_macro(render, node, place_of(render, node));
    case NODE_CALL_BLOCK: return execute_call_block(render, node);
    case NODE_FILTER_BLOCK: return execute_filter_block(render, node, signal);
    case NODE_WITH: return execute_with(render, node, signal);
    case NODE_BREAK: *signal = SIGNAL_BREAK; return PS_OK;
    default: *signal = SIGNAL_CONTINUE; return PS_OK;
    }
}

enum ps_status ps_jinja_execute(struct render *render, const struct node *list,
                                enum signal *signal) {
    *signal = SIGNAL_NONE;
    if (++render->depth > MAX_DEPTH) return ps_jinja_limit(render, "statements nest too deep");
    for (const struct node *node = list; node && *signal == SIGNAL_NONE; node = node->next) {
        render->at = node;
        PS_TRY(ps_jinja_charge(render, 1));
        PS_TRY(execute_one(render, node, signal));
    }
    render->depth--;
    return PS_OK;
}
