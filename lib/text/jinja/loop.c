/* {% for %}, and `loop` within it. As in jinja2 items are taken one at a time, tests included, so
 * that what the body does to a namespace shows in the test of the next item; loop.last and
 * loop.nextitem look one item ahead, loop.length goes to the end. */
#include "text/jinja/render_internal.h"

#include <stdio.h>
#include <string.h>

struct loop {
    struct render *render;
    const struct node *node;
    struct frame *outer, *frame, *test_frame;
    struct iterator iterator;
    struct value source;
    int64_t index, depth, length; /* index from 0; length -1: not known yet */
    struct value previous, current, next, changed;
    const struct list *rest; /* what loop.length went through */
    size_t rest_at;
};

/* The next item that passes the test; TYPE_MISSING at the end. */
static enum ps_status take(struct render *render, struct loop *loop, struct value *item) {
    const struct node *test = loop->node->parts[FOR_TEST];
    *item = (struct value){0};
    if (loop->rest) {
        if (loop->rest_at < loop->rest->count) *item = loop->rest->items[loop->rest_at++];
        return PS_OK;
    }
    for (;;) {
        struct frame *frame = render->frame;
        struct value holds;
        PS_TRY(ps_jinja_next(render, &loop->iterator, item));
        if (item->type == TYPE_MISSING || !test) return PS_OK;
        render->frame = loop->test_frame;
        PS_TRY(ps_jinja_assign(render, loop->node->parts[FOR_TARGET], *item));
        PS_TRY(ps_jinja_evaluate(render, test, &holds));
        render->frame = frame;
        if (ps_jinja_truth(holds)) return PS_OK;
    }
}

static enum ps_status peek(struct render *render, struct loop *loop) {
    return loop->next.type == TYPE_MISSING ? take(render, loop, &loop->next) : PS_OK;
}

static enum ps_status find_length(struct render *render, struct loop *loop) {
    bool sized = loop->source.type != TYPE_GENERATOR && loop->source.type != TYPE_LOOP &&
                 !loop->node->parts[FOR_TEST];
    if (loop->length >= 0) return PS_OK;
    if (sized) return ps_jinja_length(render, loop->source, &loop->length);
    struct value list;
    size_t count = 0, capacity = 8;
    PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, capacity, &list));
    for (;;) {
        struct value item, grown;
        PS_TRY(take(render, loop, &item));
        if (item.type == TYPE_MISSING) break;
        if (count == capacity) {
            PS_TRY(ps_jinja_new_list(render, TYPE_LIST, NULL, capacity * 2, &grown));
            memcpy(grown.list->items, list.list->items, count * sizeof item);
            list = grown;
            capacity *= 2;
        }
        list.list->items[count++] = item;
    }
    ((struct list *)list.list)->count = count;
    loop->rest = list.list;
    loop->length = (int64_t)count + loop->index + 1 + (loop->next.type != TYPE_MISSING);
    return PS_OK;
}

/* ---- loop.something ---- */

static enum ps_status run_cycle(struct render *render, const struct call *call,
                                struct value *result) {
    if (call->all->count == 0) return ps_jinja_fail(render, "no items for cycling given");
    *result = call->all->positional[call->self.loop->index % (int64_t)call->all->count];
    return PS_OK;
}

static enum ps_status run_changed(struct render *render, const struct call *call,
                                  struct value *result) {
    struct loop *loop = call->self.loop;
    struct value now;
    bool same = false;
    PS_TRY(ps_jinja_new_list(render, TYPE_TUPLE, call->all->positional, call->all->count, &now));
    if (loop->changed.type != TYPE_MISSING)
        PS_TRY(ps_jinja_equal(render, loop->changed, now, &same));
    loop->changed = now;
    *result = BOOLEAN(!same);
    return PS_OK;
}

static enum ps_status find_method(struct render *render, struct loop *loop,
                                  const struct string *name, struct value *result) {
    static const struct function methods[] = {{"cycle", run_cycle, NULL, 0},
                                              {"changed", run_changed, NULL, 0}};
    const struct function *function = ps_jinja_find_function(methods, 2, name);
    struct method *method;
    if (!function) return PS_OK;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *method, &method));
    *method = (struct method){{.type = TYPE_LOOP, .loop = loop}, function};
    *result = (struct value){.type = TYPE_METHOD, .method = method};
    return PS_OK;
}

enum ps_status ps_jinja_loop_attribute(struct render *render, struct loop *loop,
                                       const struct string *name, struct value *result) {
    *result = (struct value){0};
    bool revindex = ps_jinja_is(name, "revindex"), revindex0 = ps_jinja_is(name, "revindex0");
    if (ps_jinja_is(name, "index")) *result = INTEGER(loop->index + 1);
    if (ps_jinja_is(name, "index0")) *result = INTEGER(loop->index);
    if (ps_jinja_is(name, "first")) *result = BOOLEAN(loop->index == 0);
    if (ps_jinja_is(name, "depth")) *result = INTEGER(loop->depth + 1);
    if (ps_jinja_is(name, "depth0")) *result = INTEGER(loop->depth);
    if (ps_jinja_is(name, "length") || revindex || revindex0) {
        PS_TRY(find_length(render, loop));
        *result = INTEGER(loop->length - (revindex    ? loop->index
                                          : revindex0 ? loop->index + 1
                                                      : 0));
    }
    if (ps_jinja_is(name, "last") || ps_jinja_is(name, "nextitem")) {
        PS_TRY(peek(render, loop));
        bool last = loop->next.type == TYPE_MISSING;
        *result = ps_jinja_is(name, "last") ? BOOLEAN(last) : loop->next;
        if (result->type == TYPE_MISSING)
            return ps_jinja_undefined(render, "there is no next item", NULL, (struct value){0},
                                      result);
    }
    if (ps_jinja_is(name, "previtem")) {
        *result = loop->previous;
        if (loop->index == 0)
            return ps_jinja_undefined(render, "there is no previous item", NULL, (struct value){0},
                                      result);
    }
    return result->type == TYPE_MISSING ? find_method(render, loop, name, result) : PS_OK;
}

enum ps_status ps_jinja_put_loop(struct builder *builder, struct loop *loop) {
    char text[80];
    PS_TRY(find_length(builder->render, loop));
    snprintf(text, sizeof text, "<LoopContext %lld/%lld>", (long long)loop->index + 1,
             (long long)loop->length);
    return ps_jinja_puts(builder, text);
}

/* ---- running ---- */

static enum ps_status step(struct render *render, struct loop *loop, struct value *item) {
    *item = loop->next;
    loop->next = (struct value){0};
    if (item->type == TYPE_MISSING) PS_TRY(take(render, loop, item));
    if (item->type == TYPE_MISSING) return PS_OK;
    loop->index++;
    loop->previous = loop->current;
    loop->current = *item;
    return PS_OK;
}

static enum ps_status run(struct render *render, struct loop *loop, enum signal *signal) {
    const struct node *node = loop->node;
    bool completed = false; /* some round: a break or continue in all of them leaves it unset */
    *signal = SIGNAL_NONE;
    for (;;) {
        struct value item;
        enum signal end;
        render->at = node;
        PS_TRY(step(render, loop, &item));
        if (item.type == TYPE_MISSING) break;
        ps_jinja_enter_again(render, node->scope, loop->frame);
        if (node->scope->has_loop)
            loop->frame->slots[0] = (struct value){.type = TYPE_LOOP, .loop = loop};
        render->frame = loop->frame;
        PS_TRY(ps_jinja_assign(render, node->parts[FOR_TARGET], item));
        PS_TRY(ps_jinja_execute(render, node->parts[FOR_BODY], &end));
        render->frame = loop->outer;
        if (end == SIGNAL_BREAK) break;
        completed = completed || end == SIGNAL_NONE;
    }
    if (completed || !node->parts[FOR_ELSE]) return PS_OK;
    PS_TRY(ps_jinja_enter(render, node->else_scope, loop->outer, &render->frame));
    PS_TRY(ps_jinja_execute(render, node->parts[FOR_ELSE], signal));
    render->frame = loop->outer;
    return PS_OK;
}

static enum ps_status begin(struct render *render, const struct node *node, struct frame *outer,
                            struct value source, int64_t depth, struct loop **result) {
    struct loop *loop;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *loop, &loop));
    *loop = (struct loop){
        .node = node, .outer = outer, .source = source, .index = -1, .depth = depth, .length = -1};
    render->at = node->parts[FOR_ITERABLE];
    PS_TRY(ps_jinja_iterate(render, source, &loop->iterator));
    PS_TRY(ps_jinja_enter(render, node->scope, outer, &loop->frame));
    if (node->parts[FOR_TEST])
        PS_TRY(ps_jinja_enter(render, node->test_scope, outer, &loop->test_frame));
    *result = loop;
    return PS_OK;
}

enum ps_status ps_jinja_execute_for(struct render *render, const struct node *node,
                                    enum signal *signal) {
    struct value source;
    struct loop *loop;
    PS_TRY(ps_jinja_evaluate(render, node->parts[FOR_ITERABLE], &source));
    PS_TRY(begin(render, node, render->frame, source, 0, &loop));
    return run(render, loop, signal);
}

enum ps_status ps_jinja_call_loop(struct render *render, struct loop *loop,
                                  const struct arguments *arguments, struct value *result) {
    struct builder text, *out = render->out;
    struct frame *frame = render->frame;
    struct loop *inner;
    enum signal signal;
    if (!loop->node->recursive)
        return ps_jinja_fail(render, "a loop is called that is not marked 'recursive'");
    if (arguments->count != 1 || arguments->keyword_count > 0)
        return ps_jinja_fail(render, "loop() takes one argument");
    if (++render->depth > MAX_DEPTH) return ps_jinja_limit(render, "loops call too deep");
    ps_jinja_begin(render, &text);
    PS_TRY(
        begin(render, loop->node, loop->outer, arguments->positional[0], loop->depth + 1, &inner));
    render->out = &text;
    render->frame = loop->outer;
    PS_TRY(run(render, inner, &signal));
    render->out = out;
    render->frame = frame;
    render->depth--;
    return ps_jinja_end(&text, result);
}
