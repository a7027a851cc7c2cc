/* Calls: arguments, built-in functions, methods, macros. */
#include "text/jinja/render_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- arguments ---- */

static enum ps_status add_keyword(struct render *render, struct arguments *arguments,
                                  const struct string *name, struct value value) {
    for (size_t i = 0; i < arguments->keyword_count; i++)
        if (arguments->keywords[i].name->size == name->size &&
            memcmp(arguments->keywords[i].name->text, name->text, name->size) == 0)
            return ps_jinja_fail(render, "got multiple values for keyword argument '%.*s'",
                                 (int)(name->size < 60 ? name->size : 60), name->text);
    arguments->keywords[arguments->keyword_count++] = (struct keyword){name, value};
    return ps_jinja_charge(render, arguments->keyword_count / 8);
}

/* What `*list` and `**dict` stand for. */
static enum ps_status expand(struct render *render, const struct node *call, struct list *list,
                             struct value *dict) {
    struct value value;
    *list = (struct list){0};
    *dict = (struct value){0};
    if (call->parts[CALL_LIST]) {
        PS_TRY(ps_jinja_evaluate(render, call->parts[CALL_LIST], &value));
        PS_TRY(ps_jinja_collect(render, value, list));
    }
    if (!call->parts[CALL_DICT]) return PS_OK;
    PS_TRY(ps_jinja_evaluate(render, call->parts[CALL_DICT], dict));
    if (dict->type != TYPE_DICT)
        return ps_jinja_fail(render, "argument after ** must be a mapping, not %s",
                             ps_jinja_type_name(*dict));
    for (size_t i = 0; i < dict->dict->count; i++)
        if (dict->dict->pairs[i].key.type != TYPE_STRING)
            return ps_jinja_fail(render, "keywords must be strings");
    return PS_OK;
}

enum ps_status ps_jinja_arguments(struct render *render, const struct node *call,
                                  struct arguments *arguments) {
    struct list list;
    struct value dict;
    size_t count = 0, keywords = 1; /* one more: a call block adds its caller */
    *arguments = (struct arguments){0};
    for (const struct node *node = call->parts[CALL_POSITIONAL]; node; node = node->next) count++;
    for (const struct node *node = call->parts[CALL_KEYWORDS]; node; node = node->next) keywords++;
    struct value *values = NULL;
    if (count) PS_TRY(ps_jinja_alloc(render, count, sizeof *values, &values));
    arguments->positional = values;
    for (const struct node *node = call->parts[CALL_POSITIONAL]; node; node = node->next)
        PS_TRY(ps_jinja_evaluate(render, node, &values[arguments->count++]));
    if (keywords == 1 && !call->parts[CALL_LIST] && !call->parts[CALL_DICT]) return PS_OK;
    PS_TRY(ps_jinja_alloc(render, keywords, sizeof *arguments->keywords, &arguments->keywords));
    for (const struct node *node = call->parts[CALL_KEYWORDS]; node; node = node->next) {
        struct value value;
        PS_TRY(ps_jinja_evaluate(render, node->parts[0], &value));
        PS_TRY(add_keyword(render, arguments, node->text, value));
    }
    PS_TRY(expand(render, call, &list, &dict));
    if (list.count) {
        PS_TRY(ps_jinja_alloc(render, count + list.count, sizeof *values, &values));
        if (count) memcpy(values, arguments->positional, count * sizeof *values);
        memcpy(values + count, list.items, list.count * sizeof *values);
        arguments->positional = values;
        arguments->count = count + list.count;
    }
    if (dict.type == TYPE_MISSING) return PS_OK;
    struct keyword *all;
    PS_TRY(ps_jinja_alloc(render, keywords + dict.dict->count, sizeof *all, &all));
    memcpy(all, arguments->keywords, arguments->keyword_count * sizeof *all);
    arguments->keywords = all;
    for (size_t i = 0; i < dict.dict->count; i++)
        PS_TRY(add_keyword(render, arguments, dict.dict->pairs[i].key.string,
                           dict.dict->pairs[i].value));
    return PS_OK;
}

enum ps_status ps_jinja_need_string(struct render *render, struct value value, const char *what,
                                    const struct string **string) {
    if (value.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, value);
    if (value.type != TYPE_STRING)
        return ps_jinja_fail(render, "%s must be str, not %s", what, ps_jinja_type_name(value));
    *string = value.string;
    return PS_OK;
}

enum ps_status ps_jinja_need_integer(struct render *render, struct value value, const char *what,
                                     int64_t *integer) {
    if (value.type == TYPE_UNDEFINED) return ps_jinja_fail_undefined(render, value);
    if (!ps_jinja_is_integer(value))
        return ps_jinja_fail(render, "%s must be int, not %s", what, ps_jinja_type_name(value));
    *integer = ps_jinja_integer(value);
    return PS_OK;
}

/* ---- built-in functions ---- */

/* The index of a keyword among the parameters, or -1. */
static int find_parameter(const char *parameters, const struct string *name) {
    for (int i = 0; *parameters; i++) {
        size_t size = strcspn(parameters, " ");
        if (size == name->size && memcmp(parameters, name->text, size) == 0) return i;
        parameters += size;
        parameters += *parameters == ' ';
    }
    return -1;
}

static unsigned count_parameters(const char *parameters) {
    unsigned count = *parameters != 0;
    for (; *parameters; parameters++) count += *parameters == ' ';
    return count;
}

static enum ps_status bind(struct render *render, const struct function *function,
                           const struct arguments *arguments, struct value *bound) {
    unsigned count = count_parameters(function->parameters);
    if (arguments->count > count)
        return ps_jinja_fail(render, "%s() takes at most %u argument%s (%zu given)", function->name,
                             count, count == 1 ? "" : "s", arguments->count);
    for (size_t i = 0; i < arguments->count; i++) bound[i] = arguments->positional[i];
    for (size_t i = 0; i < arguments->keyword_count; i++) {
        const struct string *name = arguments->keywords[i].name;
        int at = find_parameter(function->parameters, name);
        if (at < 0 || bound[at].type != TYPE_MISSING)
            return ps_jinja_fail(render, "%s() got an unexpected keyword argument '%.*s'",
                                 function->name, (int)(name->size < 60 ? name->size : 60),
                                 name->text);
        bound[at] = arguments->keywords[i].value;
    }
    for (unsigned i = 0; i < function->required; i++)
        if (bound[i].type == TYPE_MISSING)
            return ps_jinja_fail(render, "%s() needs %u argument%s", function->name,
                                 function->required, function->required == 1 ? "" : "s");
    return PS_OK;
}

enum ps_status ps_jinja_run(struct render *render, const struct function *function,
                            struct value self, const struct arguments *arguments,
                            struct value *result) {
    struct value bound[MAX_PARAMETERS] = {0};
    struct call call = {.self = self, .arguments = bound, .all = arguments};
    PS_TRY(ps_jinja_charge(render, 1));
    if (function->parameters) PS_TRY(bind(render, function, arguments, bound));
    *result = NONE;
    return function->run(render, &call, result);
}

const struct function *ps_jinja_find_function(const struct function *table, size_t count,
                                              const struct string *name) {
    for (size_t i = 0; i < count && table[i].name; i++)
        if (ps_jinja_is(name, table[i].name)) return &table[i];
    return NULL;
}

static enum ps_status call_joiner(struct render *render, struct joiner *joiner,
                                  struct value *result) {
    *result = STRING(joiner->separator);
    if (joiner->used) return PS_OK;
    joiner->used = true;
    return ps_jinja_own(render, "", result);
}

enum ps_status ps_jinja_call(struct render *render, struct value object,
                             const struct arguments *arguments, struct value *result) {
    switch (object.type) {
    case TYPE_UNDEFINED: return ps_jinja_fail_undefined(render, object);
    case TYPE_FUNCTION: return ps_jinja_run(render, object.function, NONE, arguments, result);
    case TYPE_METHOD:
        return ps_jinja_run(render, object.method->function, object.method->self, arguments,
                            result);
    case TYPE_MACRO: return ps_jinja_call_macro(render, object.macro, arguments, result);
    case TYPE_LOOP: return ps_jinja_call_loop(render, object.loop, arguments, result);
    case TYPE_JOINER: return call_joiner(render, object.joiner, result);
    default:
        return ps_jinja_fail(render, "'%s' object is not callable", ps_jinja_type_name(object));
    }
}

/* ---- macros ---- */

struct binding {
    const struct arguments *arguments;
    bool *used; /* which keyword arguments */
};

static void take_keyword(const struct binding *binding, const struct string *name,
                         struct value *value) {
    for (size_t i = 0; i < binding->arguments->keyword_count; i++) {
        const struct keyword *keyword = &binding->arguments->keywords[i];
        if (binding->used[i] || keyword->name->size != name->size ||
            memcmp(keyword->name->text, name->text, name->size) != 0)
            continue;
        binding->used[i] = true;
        *value = keyword->value;
    }
}

/* Keyword arguments that no parameter took: kwargs, or an error. */
static enum ps_status rest_of_keywords(struct render *render, const struct macro *macro,
                                       const struct binding *binding, struct frame *frame) {
    const struct scope *scope = macro->node->scope;
    struct dict *rest;
    PS_TRY(ps_jinja_new_dict(render, 0, &rest));
    for (size_t i = 0; i < binding->arguments->keyword_count; i++) {
        const struct keyword *keyword = &binding->arguments->keywords[i];
        if (binding->used[i]) continue;
        if (scope->kwargs_slot < 0)
            return ps_jinja_fail(render, "macro '%s' takes no keyword argument '%.*s'",
                                 macro->node->text ? macro->node->text->text : "caller",
                                 (int)(keyword->name->size < 60 ? keyword->name->size : 60),
                                 keyword->name->text);
        PS_TRY(ps_jinja_dict_set(render, rest, STRING(keyword->name), keyword->value));
    }
    if (scope->kwargs_slot >= 0)
        frame->slots[scope->kwargs_slot] = (struct value){.type = TYPE_DICT, .dict = rest};
    return PS_OK;
}

static enum ps_status bind_special(struct render *render, const struct macro *macro,
                                   const struct binding *binding, size_t taken,
                                   struct frame *frame) {
    static const struct string caller = {.text = "caller", .size = 6};
    const struct scope *scope = macro->node->scope;
    const struct arguments *arguments = binding->arguments;
    if (scope->caller_slot >= 0) {
        struct value *place = &frame->slots[scope->caller_slot];
        take_keyword(binding, &caller, place);
        if (place->type == TYPE_MISSING || place->type == TYPE_NONE)
            PS_TRY(ps_jinja_undefined(render, "No caller defined", NULL, (struct value){0}, place));
    }
    PS_TRY(rest_of_keywords(render, macro, binding, frame));
    if (scope->varargs_slot >= 0)
        return ps_jinja_new_list(render, TYPE_TUPLE, arguments->positional + taken,
                                 arguments->count - taken, &frame->slots[scope->varargs_slot]);
    if (arguments->count > taken)
        return ps_jinja_fail(render, "macro '%s' takes not more than %zu argument(s)",
                             macro->node->text ? macro->node->text->text : "caller", taken);
    return PS_OK;
}

/* Parameters into the slots of the macro's frame, which is the current one; defaults are evaluated
 * there, and see the parameters before them. */
static enum ps_status bind_macro(struct render *render, const struct macro *macro,
                                 const struct arguments *arguments) {
    struct frame *frame = render->frame;
    const struct node *parameters = macro->node->parts[MACRO_PARAMETERS], *node;
    const struct node *fallback = macro->node->parts[MACRO_DEFAULTS];
    struct binding binding = {.arguments = arguments};
    size_t count = 0, taken = 0, defaults = 0;
    PS_TRY(ps_jinja_alloc(render, arguments->keyword_count + 1, 1, &binding.used));
    for (node = parameters; node; node = node->next) count++;
    for (node = fallback; node; node = node->next) defaults++;
    for (node = parameters; node; node = node->next) {
        struct value *place = &frame->slots[node->address.slot];
        if (taken < arguments->count)
            *place = arguments->positional[taken++];
        else
            take_keyword(&binding, node->text, place);
    }
    PS_TRY(bind_special(render, macro, &binding, taken, frame));
    size_t at = 0;
    for (node = parameters; node; node = node->next, at++) {
        struct value *place = &frame->slots[node->address.slot];
        bool has_default = at >= count - defaults;
        const struct node *value = has_default ? fallback : NULL;
        if (has_default) fallback = fallback->next;
        if (place->type != TYPE_MISSING) continue;
        if (value)
            PS_TRY(ps_jinja_evaluate(render, value, place));
        else
            PS_TRY(ps_jinja_undefined(render, "no value was given for the parameter", NULL,
                                      STRING(node->text), place));
    }
    return PS_OK;
}

enum ps_status ps_jinja_call_macro(struct render *render, const struct macro *macro,
                                   const struct arguments *arguments, struct value *result) {
    struct builder text, *out = render->out;
    struct frame *frame = render->frame;
    enum signal signal;
    ps_jinja_begin(render, &text);
    if (++render->depth > MAX_DEPTH) return ps_jinja_limit(render, "macros call too deep");
    PS_TRY(ps_jinja_enter(render, macro->node->scope, macro->frame, &render->frame));
    PS_TRY(bind_macro(render, macro, arguments));
    render->out = &text;
    PS_TRY(ps_jinja_execute(render, macro->node->parts[MACRO_BODY], &signal));
    render->out = out;
    render->frame = frame;
    render->depth--;
    return ps_jinja_end(&text, result);
}
