/* Rotary position embedding (Su et al., arXiv 2104.09864): frequencies of all scalings that
 * checkpoints name, and the tables of cosines and sines.
 *
 * Column pair i of a head turns by position * f_i, f_i = theta^(-2 i / rotary). Scalings change f:
 * linear divides all; llama3 divides the slow ones and blends in between; yarn (Peng et al., arXiv
 * 2309.00071) does so along a ramp and stretches cosines and sines by a factor. As in the code
 * these models were trained with, frequency and angle are floats; cosine and sine are taken of that
 * angle in double and rounded once. */
#include "model/config_internal.h"

#include "base/elementary.h"

#include <math.h>

static const double two_pi = 6.283185307179586;

static double clamp(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

static double llama3(const struct ps_rope_config *rope, double frequency) {
    double length = two_pi / frequency; /* of one turn, in positions */
    double low = rope->original_positions / rope->low_factor;
    double high = rope->original_positions / rope->high_factor;
    if (length > low) return frequency / rope->factor;
    if (length < high) return frequency;
    double blend = (rope->original_positions / length - rope->low_factor) /
                   (rope->high_factor - rope->low_factor);
    return (1 - blend) * frequency / rope->factor + blend * frequency;
}

/* The column pair that makes `turns` turns over the original positions. */
static double yarn_pair(const struct ps_rope_config *rope, double turns) {
    return (double)rope->rotary * ps_log(rope->original_positions / (two_pi * turns)) /
           (2 * ps_log(rope->theta));
}

static double yarn(const struct ps_rope_config *rope, double frequency, int64_t pair) {
    double low = yarn_pair(rope, rope->beta_fast), high = yarn_pair(rope, rope->beta_slow);
    if (rope->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    if (low < 0) low = 0;
    if (high > (double)(rope->rotary - 1)) high = (double)(rope->rotary - 1);
    if (high == low) high += 0.001;
    double ramp = clamp(((double)pair - low) / (high - low), 0, 1);
    return frequency / rope->factor * ramp + frequency * (1 - ramp);
}

void ps_rope_frequencies(const struct ps_rope_config *rope, double *frequencies) {
    double log_theta = ps_log(rope->theta);
    for (int64_t i = 0; i < rope->rotary / 2; i++) {
        double frequency = ps_exp(-2.0 * (double)i / (double)rope->rotary * log_theta);
        switch (rope->scaling) {
        case PS_ROPE_SCALING_NONE: break;
        case PS_ROPE_SCALING_LINEAR: frequency /= rope->factor; break;
        case PS_ROPE_SCALING_LLAMA3: frequency = llama3(rope, frequency); break;
        case PS_ROPE_SCALING_YARN: frequency = yarn(rope, frequency, i); break;
        }
        frequencies[i] = frequency;
    }
}

void ps_rope_tables(const struct ps_rope_config *rope, int64_t positions, float *cosines,
                    float *sines) {
    int64_t half = rope->rotary / 2;
    double frequencies[1 << 11]; /* config.c bounds the head size */
    ps_rope_frequencies(rope, frequencies);
#pragma omp parallel for schedule(static)
    for (int64_t position = 0; position < positions; position++) {
        for (int64_t i = 0; i < half; i++) {
            float angle = (float)position * (float)frequencies[i];
            cosines[position * half + i] = (float)(ps_cos(angle) * rope->attention_factor);
            sines[position * half + i] = (float)(ps_sin(angle) * rope->attention_factor);
        }
    }
}

/* ---- config.json ---- */

/* From the scaling's own dictionary, else from the top level. */
static enum ps_status number(const json_t *inner, const json_t *outer, const char *key,
                             double fallback, double minimum, double *value,
                             struct ps_error *error) {
    PS_TRY(ps_json_number_or(ps_json_get(inner, key) ? inner : outer, key, fallback, value, error));
    PS_FAIL_IF(!(*value > minimum && *value < 1e12), error, PS_FORMAT, "%s %g is out of range", key,
               *value);
    return PS_OK;
}

static double yarn_scale(double factor, double scale) {
    return factor <= 1 ? 1 : 0.1 * scale * ps_log(factor) + 1;
}

static enum ps_status read_yarn(const json_t *scaling, struct ps_rope_config *rope,
                                struct ps_error *error) {
    double scale, scale_all;
    PS_TRY(number(scaling, NULL, "beta_fast", 32, 0, &rope->beta_fast, error));
    PS_TRY(number(scaling, NULL, "beta_slow", 1, 0, &rope->beta_slow, error));
    PS_TRY(ps_json_bool_or(scaling, "truncate", true, &rope->truncate, error));
    PS_TRY(number(scaling, NULL, "mscale", 0, -1, &scale, error));
    PS_TRY(number(scaling, NULL, "mscale_all_dim", 0, -1, &scale_all, error));
    double factor = yarn_scale(rope->factor, 1);
    if (scale > 0 && scale_all > 0)
        factor = yarn_scale(rope->factor, scale) / yarn_scale(rope->factor, scale_all);
    return number(scaling, NULL, "attention_factor", factor, 0, &rope->attention_factor, error);
}

enum ps_status ps_config_read_rope(const json_t *json, double default_theta,
                                   enum ps_rope_layout layout, int64_t rotary,
                                   int64_t max_positions, struct ps_rope_config *rope,
                                   struct ps_error *error) {
    json_t *scaling;
    const char *type;
    *rope = (struct ps_rope_config){.layout = layout, .rotary = rotary, .attention_factor = 1};
    PS_TRY(ps_json_object_or(json, "rope_parameters", &scaling, error));
    if (!scaling) PS_TRY(ps_json_object_or(json, "rope_scaling", &scaling, error));
    PS_TRY(number(scaling, json, "rope_theta", default_theta, 1, &rope->theta, error));
    const char *key = ps_json_get(scaling, "rope_type") ? "rope_type" : "type";
    PS_TRY(ps_json_string_or(scaling, key, "default", &type, error));
    if (strcmp(type, "default") == 0) return PS_OK;

    if (strcmp(type, "linear") == 0)
        rope->scaling = PS_ROPE_SCALING_LINEAR;
    else if (strcmp(type, "llama3") == 0)
        rope->scaling = PS_ROPE_SCALING_LLAMA3;
    else if (strcmp(type, "yarn") == 0)
        rope->scaling = PS_ROPE_SCALING_YARN;
    else
        return ps_error_set(error, PS_UNSUPPORTED,
                            "rope type '%.40s' is not supported; known are default, linear, "
                            "llama3, yarn",
                            type);
    PS_FAIL_IF(!ps_json_get(scaling, "factor"), error, PS_FORMAT, "rope type '%s' has no factor",
               type);
    PS_TRY(number(scaling, NULL, "factor", 1, 0, &rope->factor, error));
    PS_TRY(number(scaling, json, "original_max_position_embeddings", (double)max_positions, 0,
                  &rope->original_positions, error));
    PS_TRY(number(scaling, NULL, "low_freq_factor", 1, 0, &rope->low_factor, error));
    PS_TRY(number(scaling, NULL, "high_freq_factor", 4, 0, &rope->high_factor, error));
    PS_FAIL_IF(rope->high_factor <= rope->low_factor, error, PS_FORMAT,
               "high_freq_factor is not above low_freq_factor");
    return rope->scaling == PS_ROPE_SCALING_YARN ? read_yarn(scaling, rope, error) : PS_OK;
}
