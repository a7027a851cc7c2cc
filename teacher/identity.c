/* What a reply is known by: its sampler's JSON and the key of its random numbers. */
#include "teacher/teacher.h"

#include "base/json.h"

enum ps_status ps_sample_sampler_json(const struct ps_sample_sampler *sampler,
                                      struct ps_buffer *json, struct ps_error *error) {
    struct ps_json_writer writer;
    ps_json_writer_begin(&writer, json);
    ps_json_write_begin_object(&writer);
    ps_json_write_key(&writer, "temperature");
    ps_json_write_number(&writer, sampler->temperature);
    ps_json_write_key(&writer, "top_p");
    ps_json_write_number(&writer, sampler->top_p);
    ps_json_write_key(&writer, "top_k");
    ps_json_write_integer(&writer, sampler->top_k);
    ps_json_write_key(&writer, "min_p");
    ps_json_write_number(&writer, sampler->min_p);
    ps_json_write_key(&writer, "seed");
    ps_json_write_integer(&writer, (int64_t)sampler->seed);
    if (ps_sample_thinking_bounds(sampler->thinking)) {
        ps_json_write_key(&writer, "thinking");
        ps_sample_thinking_write(sampler->thinking, &writer);
    }
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
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
