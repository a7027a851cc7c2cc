/* What a reply is known by: its sampler's JSON and the key of its random numbers. */
#include "teacher/teacher.h"

#include "base/json.h"

#include <string.h>

enum ps_status ps_sample_sampler_json(const struct ps_sample_sampler *sampler,
                                      struct ps_buffer *json, struct ps_error *error) {
    struct ps_json_writer writer;
    ps_json_writer_begin(&writer, json);
    ps_json_write_begin_object(&writer);
    ps_json_put_number(&writer, "temperature", sampler->temperature);
    ps_json_put_number(&writer, "top_p", sampler->top_p);
    ps_json_put_integer(&writer, "top_k", sampler->top_k);
    ps_json_put_number(&writer, "min_p", sampler->min_p);
    ps_json_put_integer(&writer, "seed", (int64_t)sampler->seed);
    if (ps_sample_thinking_bounds(sampler->thinking)) {
        ps_json_write_key(&writer, "thinking");
        ps_sample_thinking_write(sampler->thinking, &writer);
    }
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
}

static enum ps_status read_text(const json_t *object, const char *key, struct ps_arena *arena,
                                const char **text, struct ps_error *error) {
    PS_TRY(ps_json_string_or(object, key, NULL, text, error));
    if (*text) *text = ps_arena_strndup(arena, *text, strlen(*text));
    PS_FAIL_IF(ps_json_get(object, key) && !*text, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

static enum ps_status read_thinking(const json_t *object, struct ps_arena *arena,
                                    const struct ps_sample_thinking **result,
                                    struct ps_error *error) {
    const int64_t most = PS_SAMPLE_MOST_THINKING;
    struct ps_sample_thinking *thinking = ps_arena_alloc(arena, sizeof *thinking);
    PS_FAIL_IF_NULL(thinking, error);
    PS_TRY(ps_json_integer_or(object, "most", 0, most, -1, &thinking->most, error));
    PS_TRY(ps_json_integer_or(object, "least", 0, most, 0, &thinking->least, error));
    PS_TRY(ps_json_integer_or(object, "waits", 0, most, 0, &thinking->waits, error));
    PS_TRY(read_text(object, "end", arena, &thinking->end, error));
    PS_TRY(read_text(object, "wait", arena, &thinking->wait, error));
    bool whole = (thinking->most < 0 || thinking->end) &&
                 (thinking->least == 0 || thinking->waits == 0 || thinking->wait);
    PS_FAIL_IF(!whole, error, PS_FORMAT, "a bound on the thought lacks its text");
    *result = thinking;
    return PS_OK;
}

/* What would be passed over silently would sample differently. */
static enum ps_status only_these(const json_t *object, const char *const *keys,
                                 struct ps_error *error) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        size_t i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0) i++;
        PS_FAIL_IF(!keys[i], error, PS_UNSUPPORTED, "the setting '%.60s' is not known here", key);
    }
    return PS_OK;
}

static enum ps_status read_sampler(const json_t *object, struct ps_arena *arena,
                                   struct ps_sample_sampler *sampler, struct ps_error *error) {
    static const char *const keys[] = {"temperature", "top_p",    "top_k", "min_p",
                                       "seed",        "thinking", NULL};
    static const char *const bounds[] = {"most", "end", "least", "waits", "wait", NULL};
    json_t *thinking;
    int64_t seed;
    *sampler = (struct ps_sample_sampler){0};
    PS_TRY(only_these(object, keys, error));
    PS_TRY(ps_json_number(object, "temperature", &sampler->temperature, error));
    PS_TRY(ps_json_number(object, "top_p", &sampler->top_p, error));
    PS_TRY(ps_json_number(object, "min_p", &sampler->min_p, error));
    PS_TRY(ps_json_integer(object, "top_k", 0, INT32_MAX, &sampler->top_k, error));
    PS_TRY(ps_json_integer(object, "seed", 0, (int64_t)1 << 53, &seed, error));
    sampler->seed = (uint64_t)seed;
    bool possible = sampler->temperature >= 0 && sampler->temperature <= 100 &&
                    sampler->top_p >= 0 && sampler->top_p <= 1 && sampler->min_p >= 0 &&
                    sampler->min_p <= 1;
    PS_FAIL_IF(!possible, error, PS_FORMAT, "no temperature, top_p or min_p is like that");
    PS_TRY(ps_json_object_or(object, "thinking", &thinking, error));
    if (!thinking) return PS_OK;
    PS_TRY(only_these(thinking, bounds, error));
    return read_thinking(thinking, arena, &sampler->thinking, error);
}

enum ps_status ps_sample_sampler_read(const char *json, struct ps_arena *arena,
                                      struct ps_sample_sampler *sampler, struct ps_error *error) {
    json_t *object;
    PS_TRY(ps_json_parse("sampler", json, strlen(json), &object, error));
    enum ps_status status = read_sampler(object, arena, sampler, error);
    json_decref(object);
    return status == PS_OK || !error ? status : ps_error_prefix(error, "sampler");
}

static void put_integer(unsigned char bytes[8], uint64_t value) {
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(value >> (8 * i));
}

enum { KEY_PURPOSE = 6 };

uint64_t ps_sample_key(uint64_t seed, const struct ps_hash *prompt, int64_t sample) {
    unsigned char bytes[8 + sizeof prompt->bytes + 8 + KEY_PURPOSE];
    unsigned char *end = bytes;
    put_integer(end, seed);
    end += 8;
    for (size_t i = 0; i < sizeof prompt->bytes; i++) *end++ = prompt->bytes[i];
    put_integer(end, (uint64_t)sample);
    end += 8;
    for (size_t i = 0; i < KEY_PURPOSE; i++) *end++ = (unsigned char)"sample"[i];
    struct ps_hash hash = ps_hash_bytes(bytes, sizeof bytes);
    return ps_hash_64(&hash);
}
