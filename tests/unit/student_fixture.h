#pragma once
/* Small runs on the tiny golden models, in folders of their own. */

#include "unit.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "student/student.h"

#include <string.h>
#include <unistd.h>

static struct ps_error error;

enum { EXAMPLES = 20, VALIDATION = 4, ROW = 64, VOCABULARY = 67 };

static int32_t ids[EXAMPLES + VALIDATION][ROW];
static struct ps_example examples[EXAMPLES + VALIDATION];
static const struct ps_train_keep keep[] = {{3, "model-3"}};

static inline void make_examples(void) {
    for (uint32_t e = 0; e < EXAMPLES + VALIDATION; e++) {
        int32_t size = 6 + (int32_t)ps_random_below(1, e, 40);
        for (int32_t i = 0; i < size; i++)
            ids[e][i] = (int32_t)ps_random_below(2 + e, (uint64_t)i, VOCABULARY);
        examples[e] = (struct ps_example){
            .ids = ids[e], .size = size, .first_target = 1 + (int32_t)ps_random_below(3, e, 4)};
    }
}

struct run {
    const char *model, *folder;
    int threads;
    int64_t row_tokens, steps; /* steps 0: as the epochs say */
    enum ps_weight_format format;
    bool keeps;
    double checkpoint_seconds;
    void (*step)(void *context, const struct ps_train_progress *progress);
    void (*resume)(void *context, int64_t step, const char *note);
    enum ps_status (*complete)(void *context, const char *name, const char *path,
                               struct ps_error *error);
    void *context; /* of all three */
};

/* Two epochs of three steps. */
static const struct run standard = {
    .model = "qwen3", .threads = 1, .row_tokens = ROW, .format = PS_WEIGHT_F32, .keeps = true};

static inline struct ps_train_options options_of(const struct run *run) {
    return (struct ps_train_options){.seed = 17,
                                     .epochs = 2,
                                     .steps = run->steps,
                                     .batch = 8,
                                     .row_tokens = run->row_tokens,
                                     .learning_rate = 1e-2,
                                     .final_share = 0.1,
                                     .warmup = 0.2,
                                     .weight_decay = 0.01,
                                     .beta1 = 0.9,
                                     .beta2 = 0.95,
                                     .epsilon = 1e-8,
                                     .clip = 1,
                                     .balance = 0.01,
                                     .format = run->format,
                                     .moments = PS_DTYPE_F32,
                                     .validate_every = 2,
                                     .checkpoint_seconds = run->checkpoint_seconds};
}

static inline struct ps_model_files *open_model(const char *name) {
    struct ps_model_files *files;
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/golden/models/%s", PS_SOURCE_DIR, name);
    assert_ok(ps_model_files_open(&files, path, &error));
    return files;
}

static inline enum ps_status train_on(struct ps_compute *compute, const struct run *run,
                                      struct ps_train_result *result) {
    struct ps_model_files *files = open_model(run->model);
    struct ps_train_job job = {.compute = compute,
                               .config = ps_model_files_config(files),
                               .files = files,
                               .examples = examples,
                               .validation = examples + EXAMPLES,
                               .example_count = EXAMPLES,
                               .validation_count = VALIDATION,
                               .options = options_of(run),
                               .folder = run->folder,
                               .keep = keep,
                               .keep_count = run->keeps,
                               .step = run->step,
                               .resume = run->resume,
                               .complete = run->complete,
                               .context = run->context};
    enum ps_status status = ps_train(&job, result, &error);
    ps_model_files_close(files);
    return status;
}

static inline enum ps_status train(const struct run *run, const char *backend,
                                   struct ps_train_result *result) {
    struct ps_compute *compute;
    PS_TRY(ps_compute_open(backend, run->threads, &compute, &error));
    enum ps_status status = train_on(compute, run, result);
    ps_compute_close(compute);
    return status;
}

/* Whether FOLDER/NAME is there. */
static inline bool is_there(const char *folder, const char *name) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return ps_file_exists(path) || ps_directory_exists(path);
}

/* In memory where that can be had: a disk takes its time for each of many fsyncs, and a process
 * that is killed leaves the same behind on either. */
static inline void new_folder(char folder[64]) {
    bool memory = access("/dev/shm", W_OK) == 0;
    snprintf(folder, 64, "%s/potstill-train-XXXXXX", memory ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(folder));
}

static inline void remove_folder(const char *folder) {
    assert_ok(ps_path_remove(folder, &error));
}

/* Of everything that a run makes. */
static inline struct ps_hash result_hash(const char *folder) {
    static const char *const names[] = {"model", "model-best", "model-3"};
    struct ps_hash hashes[6];
    char path[200];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s/model.safetensors", folder, names[i]);
        assert_ok(ps_hash_file(path, &hashes[2 * i], &error));
        snprintf(path, sizeof path, "%s/%s/config.json", folder, names[i]);
        assert_ok(ps_hash_file(path, &hashes[2 * i + 1], &error));
    }
    return ps_hash_bytes(hashes, sizeof hashes);
}

static inline void assert_same(struct ps_hash a, struct ps_hash b) {
    assert_memory_equal(&a, &b, sizeof a);
}
