/* The table of all parameters, in the one order of the flat vector, and their random start. */
#include "model/config_internal.h"

#include "base/random.h"

#include <string.h>

static const uint64_t parameter_limit = 1 << 22; /* tensors of a model */

const char *ps_parameter_role_name(enum ps_parameter_role role) {
    static const char *const names[] = {
#define X(name) #name,
        PS_PARAMETER_ROLE_MAP(X)
#undef X
    };
    return names[role];
}

struct table {
    struct ps_parameters parameters;
    struct ps_arena arena;
    size_t *layer_first; /* [layers + 1]: first item of each layer, and behind the last */
    int64_t layers;
};

/* Which roles a layer has, and which once for each expert. */
static bool layer_has(const struct ps_model_config *config, int64_t layer,
                      enum ps_parameter_role role) {
    bool experts = config->layer_has_experts[layer];
    switch (role) {
    case PS_PARAMETER_EMBEDDING:
    case PS_PARAMETER_FINAL_NORM:
    case PS_PARAMETER_HEAD: return false;
    case PS_PARAMETER_QUERY_BIAS:
    case PS_PARAMETER_KEY_BIAS:
    case PS_PARAMETER_VALUE_BIAS: return config->qkv_bias;
    case PS_PARAMETER_OUTPUT_BIAS: return config->output_bias;
    case PS_PARAMETER_QUERY_NORM:
    case PS_PARAMETER_KEY_NORM: return config->qk_norm;
    case PS_PARAMETER_GATE:
    case PS_PARAMETER_UP:
    case PS_PARAMETER_DOWN: return !experts;
    case PS_PARAMETER_ROUTER:
    case PS_PARAMETER_EXPERT_GATE:
    case PS_PARAMETER_EXPERT_UP:
    case PS_PARAMETER_EXPERT_DOWN: return experts;
    default: return true;
    }
}

static struct ps_shape role_shape(const struct ps_model_config *config,
                                  enum ps_parameter_role role) {
    uint64_t hidden = (uint64_t)config->hidden_size, head = (uint64_t)config->head_size;
    uint64_t queries = (uint64_t)config->heads * head;
    uint64_t keys = (uint64_t)config->key_value_heads * head;
    uint64_t inner = (uint64_t)config->intermediate_size;
    uint64_t expert_inner = (uint64_t)config->expert_intermediate_size;
    switch (role) {
    case PS_PARAMETER_EMBEDDING:
    case PS_PARAMETER_HEAD: return ps_shape_2((uint64_t)config->vocabulary, hidden);
    case PS_PARAMETER_QUERY: return ps_shape_2(queries, hidden);
    case PS_PARAMETER_KEY:
    case PS_PARAMETER_VALUE: return ps_shape_2(keys, hidden);
    case PS_PARAMETER_QUERY_BIAS: return ps_shape_1(queries);
    case PS_PARAMETER_KEY_BIAS:
    case PS_PARAMETER_VALUE_BIAS: return ps_shape_1(keys);
    case PS_PARAMETER_QUERY_NORM:
    case PS_PARAMETER_KEY_NORM: return ps_shape_1(head);
    case PS_PARAMETER_OUTPUT: return ps_shape_2(hidden, queries);
    case PS_PARAMETER_GATE:
    case PS_PARAMETER_UP: return ps_shape_2(inner, hidden);
    case PS_PARAMETER_DOWN: return ps_shape_2(hidden, inner);
    case PS_PARAMETER_ROUTER: return ps_shape_2((uint64_t)config->experts, hidden);
    case PS_PARAMETER_EXPERT_GATE:
    case PS_PARAMETER_EXPERT_UP: return ps_shape_2(expert_inner, hidden);
    case PS_PARAMETER_EXPERT_DOWN: return ps_shape_2(hidden, expert_inner);
    default: return ps_shape_1(hidden);
    }
}

/* "{l}" and "{e}" replaced. */
char *ps_parameter_format(struct ps_arena *arena, const char *pattern, int64_t layer,
                          int64_t expert) {
    char text[256];
    size_t used = 0;
    for (const char *p = pattern; *p && used < sizeof text - 24; p++) {
        if (p[0] == '{' && p[2] == '}') {
            used += (size_t)snprintf(text + used, sizeof text - used, "%lld",
                                     (long long)(p[1] == 'l' ? layer : expert));
            p += 2;
        } else
            text[used++] = *p;
    }
    return ps_arena_strndup(arena, text, used);
}

const struct ps_parameter_name *ps_family_name(const struct ps_model_family *family,
                                               enum ps_parameter_role role) {
    for (const struct ps_parameter_name *name = family->names; name->name; name++)
        if (name->role == role) return name;
    return NULL;
}

static enum ps_status add(struct table *table, const struct ps_model_config *config,
                          enum ps_parameter_role role, int64_t layer, int64_t expert,
                          struct ps_error *error) {
    struct ps_parameters *all = &table->parameters;
    struct ps_parameter *item = &all->items[all->count];
    const struct ps_parameter_name *name = ps_family_name(ps_model_config_family(config), role);
    PS_FAIL_IF(!name, error, PS_INTERNAL, "%s has no name for %s", config->model_type,
               ps_parameter_role_name(role));
    *item = (struct ps_parameter){role, layer, expert, .shape = role_shape(config, role)};
    item->name = ps_parameter_format(&table->arena, name->name, layer, expert);
    PS_FAIL_IF_NULL(item->name, error);
    item->offset = all->total;
    PS_FAIL_IF(!ps_shape_elements(&item->shape, &item->count) ||
                   __builtin_add_overflow(all->total, item->count, &all->total) ||
                   all->total > INT64_MAX / 16,
               error, PS_LIMIT, "the model is too large at %s", item->name);
    all->count++;
    return PS_OK;
}

static enum ps_status add_layer(struct table *table, const struct ps_model_config *config,
                                int64_t layer, struct ps_error *error) {
    for (int role = 0; role < PS_PARAMETER_EXPERT_GATE; role++)
        if (layer_has(config, layer, (enum ps_parameter_role)role))
            PS_TRY(add(table, config, (enum ps_parameter_role)role, layer, -1, error));
    int64_t experts = config->layer_has_experts[layer] ? config->experts : 0;
    for (int64_t expert = 0; expert < experts; expert++)
        for (int role = PS_PARAMETER_EXPERT_GATE; role <= PS_PARAMETER_EXPERT_DOWN; role++)
            PS_TRY(add(table, config, (enum ps_parameter_role)role, layer, expert, error));
    return PS_OK;
}

static enum ps_status fill(struct table *table, const struct ps_model_config *config,
                           struct ps_error *error) {
    uint64_t bound = 3;
    for (int64_t i = 0; i < config->layers; i++)
        bound += PS_PARAMETER_ROLE_COUNT +
                 (config->layer_has_experts[i] ? 3 * (uint64_t)config->experts : 0);
    PS_FAIL_IF(bound > parameter_limit, error, PS_LIMIT, "%llu tensors are too many for one model",
               (unsigned long long)bound);
    table->layers = config->layers;
    table->parameters.items = ps_arena_array(&table->arena, bound, sizeof *table->parameters.items);
    table->layer_first = ps_arena_array(&table->arena, (size_t)config->layers + 1, sizeof(size_t));
    PS_FAIL_IF_NULL(table->parameters.items && table->layer_first, error);
    PS_TRY(add(table, config, PS_PARAMETER_EMBEDDING, -1, -1, error));
    for (int64_t layer = 0; layer < config->layers; layer++) {
        table->layer_first[layer] = table->parameters.count;
        PS_TRY(add_layer(table, config, layer, error));
    }
    table->layer_first[config->layers] = table->parameters.count;
    PS_TRY(add(table, config, PS_PARAMETER_FINAL_NORM, -1, -1, error));
    if (!config->tie_embeddings) PS_TRY(add(table, config, PS_PARAMETER_HEAD, -1, -1, error));
    return PS_OK;
}

enum ps_status ps_parameters_create(struct ps_parameters **parameters,
                                    const struct ps_model_config *config, struct ps_error *error) {
    *parameters = NULL;
    struct table *table = ps_calloc(1, sizeof *table);
    PS_FAIL_IF_NULL(table, error);
    ps_arena_init(&table->arena, SIZE_MAX); /* bounded by parameter_limit */
    enum ps_status status = fill(table, config, error);
    if (status != PS_OK) {
        ps_parameters_release(&table->parameters);
        return status;
    }
    struct ps_parameters *all = &table->parameters;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].expert < config->experts_per_token) all->active += all->items[i].count;
    *parameters = all;
    return PS_OK;
}

void ps_parameters_release(struct ps_parameters *parameters) {
    if (!parameters) return;
    struct table *table = (struct table *)parameters;
    ps_arena_release(&table->arena);
    ps_free(table);
}

const struct ps_parameter *ps_parameters_find(const struct ps_parameters *parameters,
                                              enum ps_parameter_role role, int64_t layer,
                                              int64_t expert) {
    const struct table *table = (const struct table *)parameters;
    size_t first = 0, last = parameters->count;
    if (layer >= table->layers) return NULL;
    if (layer >= 0) {
        first = table->layer_first[layer];
        last = table->layer_first[layer + 1];
    }
    if (expert >= 0) { /* three to an expert, at the end of the layer */
        size_t behind = 3 * (size_t)(expert + 1);
        while (first < last && parameters->items[first].expert < 0) first++;
        if (behind > last - first) return NULL;
        last = first + behind;
        first = last - 3;
    }
    for (size_t i = first; i < last; i++) {
        const struct ps_parameter *item = &parameters->items[i];
        if (item->role == role && item->layer == layer && item->expert == expert) return item;
    }
    return NULL;
}

/* ---- random start ---- */

void ps_parameter_initialise(const struct ps_model_config *config,
                             const struct ps_parameter *parameter, uint64_t seed, uint64_t first,
                             uint64_t count, float *values) {
    double deviation = config->initializer_range;
    switch (parameter->role) {
    case PS_PARAMETER_OUTPUT:
    case PS_PARAMETER_DOWN:
    case PS_PARAMETER_EXPERT_DOWN: deviation /= __builtin_sqrt(2.0 * (double)config->layers); break;
    case PS_PARAMETER_INPUT_NORM:
    case PS_PARAMETER_POST_NORM:
    case PS_PARAMETER_FINAL_NORM:
    case PS_PARAMETER_QUERY_NORM:
    case PS_PARAMETER_KEY_NORM:
        for (uint64_t i = 0; i < count; i++) values[i] = 1;
        return;
    case PS_PARAMETER_QUERY_BIAS:
    case PS_PARAMETER_KEY_BIAS:
    case PS_PARAMETER_VALUE_BIAS:
    case PS_PARAMETER_OUTPUT_BIAS: memset(values, 0, count * sizeof *values); return;
    default: break;
    }
    uint64_t key = ps_random_key(seed, parameter->name);
    float scale = (float)deviation;
#pragma omp parallel for schedule(static)
    for (uint64_t i = 0; i < count; i++) values[i] = scale * ps_random_normal(key, first + i);
}
