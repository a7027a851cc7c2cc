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

/* begun: what there is of each reply already, or NULL. */
typedef void submit_function(struct ps_generator *generator, struct reply *replies,
                             const struct reply *begun);

static inline struct ps_generate_rates run_replies(submit_function *submit, struct reply *replies,
                                                   const struct reply *begun, int64_t sequences,
                                                   int64_t rows, int64_t cache_bytes) {
    struct ps_compute *compute;
    struct ps_model_files *files;
    struct ps_generator *generator;
    memset(replies, 0, REPLIES * sizeof *replies);
    open_generator(&compute, &files, &generator, sequences, rows, cache_bytes);
    submit(generator, replies, begun);
    while (ps_generator_pending(generator))
        assert_ok(ps_generator_step(generator, keep, NULL, &error));
    struct ps_generate_rates rates = ps_generator_rates(generator);
    close_generator(compute, files, generator);
    return rates;
}

/* What there is after so many steps. */
static inline void begin_replies(submit_function *submit, struct reply *begun, int steps) {
    struct ps_compute *compute;
    struct ps_model_files *files;
    struct ps_generator *generator;
    memset(begun, 0, REPLIES * sizeof *begun);
    open_generator(&compute, &files, &generator, 6, 40, 0);
    submit(generator, begun, NULL);
    for (int i = 0; i < steps; i++) assert_ok(ps_generator_step(generator, keep, NULL, &error));
    assert_ok(ps_generator_visit(generator, keep, NULL, &error));
    close_generator(compute, files, generator);
}

static inline void assert_same(const struct reply *replies, const struct reply *expected) {
    for (int i = 0; i < REPLIES; i++) {
        size_t n = (size_t)expected[i].count;
        assert_int_equal(replies[i].count, expected[i].count);
        assert_int_equal(replies[i].finish, expected[i].finish);
        assert_memory_equal(replies[i].tokens, expected[i].tokens, n * sizeof(int32_t));
        assert_memory_equal(replies[i].log_probabilities, expected[i].log_probabilities,
                            n * sizeof(float));
    }
}
