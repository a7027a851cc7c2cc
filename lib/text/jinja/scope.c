/* Which variable a name means. As jinja2 does it, once, when the template is parsed:
 *
 * Loop bodies, macros, call blocks, filter blocks, set blocks and `with` have a frame of their own;
 * `if` has none. A name that is set somewhere in a frame has a slot there, from the frame's
 * beginning on. If a frame around it has the name too, the slot begins as a copy of that, which is
 * why a set within a loop does not leak and starts anew in every round. If not, it begins as what
 * the context holds, but only if the name is read, or set under an `if`, before it is set without
 * condition; else as nothing, and frames inside see nothing until the set has run. A name that no
 * frame sets is looked up in the context. */
#include "text/jinja/tree_internal.h"

#include "text/jinja/render_internal.h"

#include <string.h>

/* What a slot begins as. */
enum load { LOAD_PARAMETER, LOAD_CONTEXT, LOAD_OUTER, LOAD_NOTHING };

struct symbol {
    struct symbol *next;
    const struct string *name;
    enum load load;
    bool stored;
    uint32_t slot;
};

struct frame_names {
    struct frame_names *outer;
    struct symbol *symbols, **last;
    struct scope *scope;
    unsigned conditions; /* `if`s around, within this frame */
};

struct resolver {
    struct ps_jinja *template;
    uint32_t global_capacity;
    size_t names;
    struct ps_error *error;
};

static bool same_name(const struct string *a, const struct string *b) {
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

static struct symbol *find_own(const struct frame_names *frame, const struct string *name) {
    struct symbol *symbol = frame->symbols;
    while (symbol && !same_name(symbol->name, name)) symbol = symbol->next;
    return symbol;
}

static struct symbol *find(const struct frame_names *frame, const struct string *name) {
    struct symbol *symbol = NULL;
    for (; frame && !symbol; frame = frame->outer) symbol = find_own(frame, name);
    return symbol;
}

static enum ps_status declare(struct resolver *resolver, struct frame_names *frame,
                              const struct string *name, enum load load, bool stored) {
    struct symbol *symbol = find_own(frame, name);
    if (!symbol) {
        if (++resolver->names > MAX_NAMES)
            return ps_error_set(resolver->error, PS_LIMIT, "%s: more than %d variables",
                                resolver->template->name, MAX_NAMES);
        symbol = ps_arena_alloc(&resolver->template->arena, sizeof *symbol);
        PS_FAIL_IF_NULL(symbol, resolver->error);
        *symbol = (struct symbol){.name = name, .load = load};
        *frame->last = symbol;
        frame->last = &symbol->next;
    }
    if (load == LOAD_PARAMETER) symbol->load = load;
    symbol->stored = symbol->stored || stored;
    return PS_OK;
}

/* ---- what a frame has ---- */

static enum ps_status store(struct resolver *resolver, struct frame_names *frame,
                            const struct string *name) {
    enum load load = find(frame->outer, name) ? LOAD_OUTER
                     : frame->conditions > 0  ? LOAD_CONTEXT
                                              : LOAD_NOTHING;
    return declare(resolver, frame, name, load, true);
}

static enum ps_status collect(struct resolver *resolver, struct frame_names *frame,
                              const struct node *list);

static enum ps_status collect_parts(struct resolver *resolver, struct frame_names *frame,
                                    const struct node *node) {
    for (size_t i = 0; i < NODE_PARTS; i++) PS_TRY(collect(resolver, frame, node->parts[i]));
    return PS_OK;
}

static enum ps_status collect_one(struct resolver *resolver, struct frame_names *frame,
                                  const struct node *node) {
    enum ps_status status;
    switch (node->kind) {
    case NODE_NAME:
        if (node->store) return store(resolver, frame, node->text);
        return find(frame, node->text) ? PS_OK
                                       : declare(resolver, frame, node->text, LOAD_CONTEXT, false);
    case NODE_SET:
        PS_TRY(collect(resolver, frame, node->parts[1]));
        return collect(resolver, frame, node->parts[0]);
    case NODE_SET_BLOCK: return collect(resolver, frame, node->parts[0]);
    case NODE_FOR: return collect(resolver, frame, node->parts[FOR_ITERABLE]);
    case NODE_MACRO: return store(resolver, frame, node->text);
    case NODE_CALL_BLOCK: return collect(resolver, frame, node->parts[MACRO_CALL]);
    case NODE_FILTER_BLOCK: return collect(resolver, frame, node->parts[1]);
    case NODE_WITH: return collect(resolver, frame, node->parts[1]);
    case NODE_IF:
        /* The first test is outside, the others are in branches. */
        PS_TRY(collect(resolver, frame, node->parts[0]->parts[0]));
        frame->conditions++;
        status = collect_parts(resolver, frame, node);
        frame->conditions--;
        return status;
    default: return collect_parts(resolver, frame, node);
    }
}

static enum ps_status collect(struct resolver *resolver, struct frame_names *frame,
                              const struct node *list) {
    for (; list; list = list->next) PS_TRY(collect_one(resolver, frame, list));
    return PS_OK;
}

static enum ps_status collect_parameters(struct resolver *resolver, struct frame_names *frame,
                                         const struct node *target) {
    if (target->kind == NODE_NAME)
        return declare(resolver, frame, target->text, LOAD_PARAMETER, true);
    if (target->kind != NODE_TUPLE) return PS_OK;
    for (const struct node *item = target->parts[0]; item; item = item->next)
        PS_TRY(collect_parameters(resolver, frame, item));
    return PS_OK;
}

/* ---- addresses ---- */

static enum ps_status global_slot(struct resolver *resolver, const struct string *name,
                                  uint32_t *slot) {
    struct ps_jinja *template = resolver->template;
    for (*slot = 0; *slot < template->global_count; ++*slot)
        if (same_name(template->globals[*slot], name)) return PS_OK;
    if (template->global_count == resolver->global_capacity) {
        uint32_t capacity = resolver->global_capacity * 2 + 16;
        const struct string **names = ps_arena_array(&template->arena, capacity, sizeof *names);
        PS_FAIL_IF_NULL(names, resolver->error);
        if (template->global_count)
            memcpy(names, template->globals, template->global_count * sizeof *names);
        template->globals = names;
        resolver->global_capacity = capacity;
    }
    template->globals[template->global_count++] = name;
    return PS_OK;
}

/* A name that is only read is no slot of its frame. */
static bool has_slot(const struct symbol *symbol) {
    return symbol->load != LOAD_CONTEXT || symbol->stored;
}

static enum ps_status locate(struct resolver *resolver, const struct frame_names *frame,
                             const struct string *name, struct address *address) {
    for (*address = (struct address){0, 0}; frame; frame = frame->outer, address->up++) {
        const struct symbol *symbol = find_own(frame, name);
        if (!symbol || !has_slot(symbol)) continue;
        address->slot = symbol->slot;
        return PS_OK;
    }
    address->up = GLOBAL;
    return global_slot(resolver, name, &address->slot);
}

/* Gives the collected names their slots, and says what these begin as. */
static enum ps_status close_frame(struct resolver *resolver, struct frame_names *frame,
                                  struct scope **result) {
    struct scope *scope = frame->scope;
    for (struct symbol *symbol = frame->symbols; symbol; symbol = symbol->next)
        if (has_slot(symbol)) symbol->slot = scope->slot_count++;
    scope->copies =
        ps_arena_array(&resolver->template->arena, scope->slot_count, sizeof *scope->copies);
    PS_FAIL_IF_NULL(scope->copies, resolver->error);
    for (struct symbol *symbol = frame->symbols; symbol; symbol = symbol->next) {
        bool begins_empty = symbol->load == LOAD_PARAMETER || symbol->load == LOAD_NOTHING;
        if (!has_slot(symbol) || begins_empty) continue;
        struct slot_copy *copy = &scope->copies[scope->copy_count++];
        copy->slot = symbol->slot;
        PS_TRY(locate(resolver, frame->outer, symbol->name, &copy->from));
    }
    *result = scope;
    return PS_OK;
}

static enum ps_status open_frame(struct resolver *resolver, struct frame_names *frame,
                                 struct frame_names *outer) {
    *frame = (struct frame_names){.outer = outer};
    frame->last = &frame->symbols;
    frame->scope = ps_arena_alloc(&resolver->template->arena, sizeof *frame->scope);
    PS_FAIL_IF_NULL(frame->scope, resolver->error);
    frame->scope->caller_slot = frame->scope->kwargs_slot = frame->scope->varargs_slot = -1;
    return PS_OK;
}

/* ---- the tree, frame by frame ---- */

/* soft: under a condition, where an unknown filter fails only when it is reached. */
static enum ps_status resolve(struct resolver *resolver, struct frame_names *frame, bool soft,
                              struct node *list);

/* Whether a name is read in these nodes before it is set there. */
enum use { USE_NONE, USE_READ, USE_SET };
static enum use first_use(const struct node *list, const char *name) {
    for (; list; list = list->next) {
        if (list->kind == NODE_NAME && ps_jinja_is(list->text, name))
            return list->store ? USE_SET : USE_READ;
        /* jinja2 visits a set's target before its value. */
        for (size_t i = 0; i < NODE_PARTS; i++) {
            enum use use = first_use(list->parts[i], name);
            if (use != USE_NONE) return use;
        }
    }
    return USE_NONE;
}

static const struct string *special_name(const char *text) {
    static const struct string names[] = {{.text = "loop", .size = 4},
                                          {.text = "caller", .size = 6},
                                          {.text = "kwargs", .size = 6},
                                          {.text = "varargs", .size = 7}};
    size_t i = 0;
    while (i < 3 && !ps_jinja_is(&names[i], text)) i++;
    return &names[i];
}

static enum ps_status check_loop_names(struct resolver *resolver, const struct node *list) {
    for (; list; list = list->next) {
        if (list->kind == NODE_NAME && list->store && ps_jinja_is(list->text, "loop"))
            return ps_jinja_fail_at(resolver->template, list->offset, PS_FORMAT, resolver->error,
                                    "cannot assign to 'loop' within a loop");
        for (size_t i = 0; i < NODE_PARTS; i++) PS_TRY(check_loop_names(resolver, list->parts[i]));
    }
    return PS_OK;
}

static enum ps_status resolve_for(struct resolver *resolver, struct frame_names *outer,
                                  struct node *node) {
    struct frame_names body, test, otherwise;
    bool has_loop = node->recursive || first_use(node->parts[FOR_BODY], "loop") == USE_READ;
    for (size_t i = 0; i < NODE_PARTS; i++) PS_TRY(check_loop_names(resolver, node->parts[i]));
    PS_TRY(open_frame(resolver, &body, outer));
    body.scope->has_loop = has_loop;
    if (has_loop) PS_TRY(declare(resolver, &body, special_name("loop"), LOAD_PARAMETER, true));
    PS_TRY(collect_parameters(resolver, &body, node->parts[FOR_TARGET]));
    PS_TRY(collect(resolver, &body, node->parts[FOR_BODY]));
    PS_TRY(close_frame(resolver, &body, &node->scope));
    PS_TRY(resolve(resolver, &body, false, node->parts[FOR_TARGET]));
    PS_TRY(resolve(resolver, &body, false, node->parts[FOR_BODY]));
    if (node->parts[FOR_TEST]) {
        /* The targets get the same slots as in the body's frame, whose addresses they have. */
        PS_TRY(open_frame(resolver, &test, outer));
        test.scope->slot_count = has_loop;
        PS_TRY(collect_parameters(resolver, &test, node->parts[FOR_TARGET]));
        PS_TRY(collect(resolver, &test, node->parts[FOR_TEST]));
        PS_TRY(close_frame(resolver, &test, &node->test_scope));
        PS_TRY(resolve(resolver, &test, false, node->parts[FOR_TEST]));
    }
    if (node->parts[FOR_ELSE]) {
        PS_TRY(open_frame(resolver, &otherwise, outer));
        PS_TRY(collect(resolver, &otherwise, node->parts[FOR_ELSE]));
        PS_TRY(close_frame(resolver, &otherwise, &node->else_scope));
        PS_TRY(resolve(resolver, &otherwise, false, node->parts[FOR_ELSE]));
    }
    return resolve(resolver, outer, false, node->parts[FOR_ITERABLE]);
}

/* caller, kwargs and varargs are there if the body reads them and they are no parameters. */
static enum ps_status declare_special(struct resolver *resolver, struct frame_names *frame,
                                      const struct node *node, const char *name, int64_t *slot) {
    const struct string *special = special_name(name);
    if (first_use(node->parts[MACRO_BODY], name) != USE_READ) return PS_OK;
    size_t defaults = 0, behind = 0;
    bool parameter = false;
    for (const struct node *each = node->parts[MACRO_DEFAULTS]; each; each = each->next) defaults++;
    for (const struct node *each = node->parts[MACRO_PARAMETERS]; each; each = each->next) {
        behind++;
        if (!same_name(each->text, special)) continue;
        parameter = true;
        behind = 0;
    }
    if (parameter && ps_jinja_is(special, "caller") && behind >= defaults)
        return ps_jinja_fail_at(resolver->template, node->offset, PS_FORMAT, resolver->error,
                                "the parameter 'caller' must have a default");
    if (parameter) return PS_OK;
    *slot = 0; /* the slot itself is known when the frame is closed */
    return declare(resolver, frame, special, LOAD_PARAMETER, true);
}

static void find_special(const struct frame_names *frame, const char *name, int64_t *slot) {
    if (*slot >= 0) *slot = find_own(frame, special_name(name))->slot;
}

static enum ps_status resolve_macro(struct resolver *resolver, struct frame_names *outer,
                                    struct node *node) {
    struct frame_names frame;
    PS_TRY(open_frame(resolver, &frame, outer));
    struct scope *scope = frame.scope;
    for (struct node *each = node->parts[MACRO_PARAMETERS]; each; each = each->next)
        PS_TRY(collect_parameters(resolver, &frame, each));
    PS_TRY(collect(resolver, &frame, node->parts[MACRO_DEFAULTS]));
    PS_TRY(collect(resolver, &frame, node->parts[MACRO_BODY]));
    PS_TRY(declare_special(resolver, &frame, node, "caller", &scope->caller_slot));
    PS_TRY(declare_special(resolver, &frame, node, "kwargs", &scope->kwargs_slot));
    PS_TRY(declare_special(resolver, &frame, node, "varargs", &scope->varargs_slot));
    PS_TRY(close_frame(resolver, &frame, &node->scope));
    find_special(&frame, "caller", &scope->caller_slot);
    find_special(&frame, "kwargs", &scope->kwargs_slot);
    find_special(&frame, "varargs", &scope->varargs_slot);
    for (size_t i = MACRO_PARAMETERS; i <= MACRO_BODY; i++)
        PS_TRY(resolve(resolver, &frame, false, node->parts[i]));
    return PS_OK;
}

/* A block with a frame: its body, and what else is resolved in that frame. */
static enum ps_status resolve_block(struct resolver *resolver, struct frame_names *outer,
                                    struct node *node, struct node *targets, struct node *body,
                                    struct node *filter) {
    struct frame_names frame;
    PS_TRY(open_frame(resolver, &frame, outer));
    for (struct node *each = targets; each; each = each->next)
        PS_TRY(collect_parameters(resolver, &frame, each));
    PS_TRY(collect(resolver, &frame, body));
    if (node->kind == NODE_FILTER_BLOCK) PS_TRY(collect(resolver, &frame, filter));
    PS_TRY(close_frame(resolver, &frame, &node->scope));
    PS_TRY(resolve(resolver, &frame, false, targets));
    PS_TRY(resolve(resolver, &frame, false, body));
    return resolve(resolver, &frame, false, filter);
}

static enum ps_status resolve_function(struct resolver *resolver, bool soft, struct node *node) {
    bool filter = node->kind == NODE_FILTER;
    static const char *const refused[] = {"filesizeformat", "pprint", "random",   "striptags",
                                          "urlencode",      "urlize", "wordwrap", "xmlattr"};
    node->function = filter ? ps_jinja_find_filter(node->text) : ps_jinja_find_test(node->text);
    for (size_t i = 0; filter && i < sizeof refused / sizeof *refused; i++)
        if (ps_jinja_is(node->text, refused[i]))
            return ps_jinja_fail_at(resolver->template, node->offset, PS_UNSUPPORTED,
                                    resolver->error, "the filter '%s' is not built", refused[i]);
    if (node->function || soft) return PS_OK;
    return ps_jinja_fail_at(resolver->template, node->offset, PS_FORMAT, resolver->error,
                            "there is no %s '%.*s'", filter ? "filter" : "test",
                            (int)(node->text->size < 60 ? node->text->size : 60), node->text->text);
}

static enum ps_status resolve_one(struct resolver *resolver, struct frame_names *frame, bool soft,
                                  struct node *node) {
    switch (node->kind) {
    case NODE_FOR: return resolve_for(resolver, frame, node);
    case NODE_CALL_BLOCK:
        PS_TRY(resolve(resolver, frame, soft, node->parts[MACRO_CALL]));
        return resolve_macro(resolver, frame, node);
    case NODE_MACRO:
        PS_TRY(locate(resolver, frame, node->text, &node->address));
        return resolve_macro(resolver, frame, node);
    case NODE_SET_BLOCK:
        PS_TRY(resolve(resolver, frame, soft, node->parts[0]));
        return resolve_block(resolver, frame, node, NULL, node->parts[2], node->parts[1]);
    case NODE_FILTER_BLOCK:
        return resolve_block(resolver, frame, node, NULL, node->parts[0], node->parts[1]);
    case NODE_WITH:
        PS_TRY(resolve(resolver, frame, soft, node->parts[1]));
        return resolve_block(resolver, frame, node, node->parts[0], node->parts[2], NULL);
    case NODE_NAME: return locate(resolver, frame, node->text, &node->address);
    case NODE_FILTER:
    case NODE_TEST: PS_TRY(resolve_function(resolver, soft, node)); break;
    case NODE_IF:
    case NODE_CONDITION: soft = true; break;
    default: break;
    }
    for (size_t i = 0; i < NODE_PARTS; i++) PS_TRY(resolve(resolver, frame, soft, node->parts[i]));
    return PS_OK;
}

static enum ps_status resolve(struct resolver *resolver, struct frame_names *frame, bool soft,
                              struct node *list) {
    for (; list; list = list->next) PS_TRY(resolve_one(resolver, frame, soft, list));
    return PS_OK;
}

enum ps_status ps_jinja_resolve(struct ps_jinja *template, struct ps_error *error) {
    struct resolver resolver = {.template = template, .error = error};
    struct frame_names root;
    PS_TRY(open_frame(&resolver, &root, NULL));
    PS_TRY(collect(&resolver, &root, template->body));
    PS_TRY(close_frame(&resolver, &root, &template->scope));
    return resolve(&resolver, &root, false, template->body);
}
