#pragma once
/* The engine over the golden mixture-of-experts model, and replies as it hands them over. */
#include "unit.h"

#include "generate/generate.h"

#include <string.h>

static struct ps_error error;

enum { PROMPTS = 3, SAMPLES = 4, REPLIES = PROMPTS * SAMPLES, MAX_TOKENS = 150, POSITIONS = 300 };

struct reply {
    int32_t tokens[MAX_TOKENS];
    float log_probabilities[MAX_TOKENS];
    int64_t count;
    enum ps_generate_finish finish;
};

static int32_t prompts[PROMPTS][140];
static const int64_t prompt_counts[PROMPTS] = {1, 17, 140};

static inline void fill_prompts(void) {
    for (int p = 0; p < PROMPTS; p++)
        for (int i = 0; i < prompt_counts[p]; i++) prompts[p][i] = (i * 7 + p * 13 + 5) % 67;
}

static inline void open_generator(struct ps_compute **compute, struct ps_model_files **files,
                                  struct ps_generator **generator, int64_t sequences, int64_t rows,
                                  int64_t cache_bytes) {
    assert_ok(ps_compute_open("reference", 1, compute, &error));
    assert_ok(ps_model_files_open(files, PS_SOURCE_DIR "/tests/golden/models/qwen3_moe", &error));
    struct ps_generator_options options = {.format = PS_WEIGHT_F32,
                                           .sequences = sequences,
                                           .rows = rows,
                                           .positions = POSITIONS,
                                           .cache_bytes = cache_bytes};
    assert_ok(ps_generator_open(*compute, *files, &options, generator, &error));
}

static inline void close_generator(struct ps_compute *compute, struct ps_model_files *files,
                                   struct ps_generator *generator) {
    ps_generator_close(generator);
    ps_model_files_close(files);
    ps_compute_close(compute);
}

static inline enum ps_status keep(void *context, const struct ps_generate_reply *reply,
                                  struct ps_error *failure) {
    struct reply *kept = reply->user;
    (void)context, (void)failure;
    memcpy(kept->tokens, reply->tokens, (size_t)reply->count * sizeof *reply->tokens);
    memcpy(kept->log_probabilities, reply->log_probabilities,
           (size_t)reply->count * sizeof *reply->log_probabilities);
    kept->count = reply->count;
    kept->finish = reply->finish;
    return PS_OK;
}
