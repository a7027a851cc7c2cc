/* The forward pass against transformers (tests/golden/make_models.py), and against itself: the
 * bits of a row depend neither on the batch nor on where chunks and pages end. */
#include "../unit/unit.h"

#include "base/memory.h"
#include "model/score.h"
#include "tensor/safetensors.h"

#include <math.h>
#include <string.h>

static struct ps_error error;

enum { LONGEST = 256, ROWS = 161, MOST_SEQUENCES = 8 };

/* A model of the golden folder in a backend, and what PyTorch says of it. */
struct fixture {
    struct ps_compute *compute;
    struct ps_stream *stream;
    struct ps_model_files *files;
    struct ps_model *model;
    struct ps_safetensors *golden;
    const int32_t *tokens, *starts; /* of `sequences` sequences, one behind the other */
    const float *logits;            /* [rows, V] */
    int64_t rows, sequences, vocabulary;
};

static const void *golden_data(const struct fixture *fixture, const char *name, uint64_t *count) {
    const struct ps_safetensors_tensor *tensor = ps_safetensors_find(fixture->golden, name);
    if (!tensor) fail_msg("golden.safetensors has no %s", name);
    if (count) ps_shape_elements(&tensor->shape, count);
    return tensor->data;
}

static void open_fixture(struct fixture *fixture, const char *name, const char *backend,
                         enum ps_weight_format format, int threads) {
    char path[4096];
    uint64_t rows, starts;
    *fixture = (struct fixture){0};
    snprintf(path, sizeof path, "%s/tests/golden/models/%s", PS_SOURCE_DIR, name);
    assert_ok(ps_model_files_open(&fixture->files, path, &error));
    strcat(path, "/golden.safetensors");
    assert_ok(ps_safetensors_open(&fixture->golden, path, &error));
    fixture->tokens = golden_data(fixture, "tokens", &rows);
    fixture->starts = golden_data(fixture, "starts", &starts);
    fixture->logits = golden_data(fixture, "logits", NULL);
    fixture->rows = (int64_t)rows;
    fixture->sequences = (int64_t)starts - 1;
    assert_int_equal(rows, ROWS);

    const struct ps_model_config *config = ps_model_files_config(fixture->files);
    fixture->vocabulary = config->vocabulary;
    assert_ok(ps_compute_open(backend, threads, &fixture->compute, &error));
    struct ps_compute_limits limits = ps_model_limits(config, ROWS, ROWS, LONGEST, true);
    struct ps_model_options options = {.format = format, .training = true, .positions = LONGEST};
    assert_ok(fixture->compute->memory.stream_create(fixture->compute, &limits, &fixture->stream,
                                                     &error));
    assert_ok(ps_model_create(fixture->compute, fixture->stream, config, &options, &fixture->model,
                              &error));
    assert_ok(ps_model_load(fixture->model, fixture->stream, fixture->files, &error));
}

static void close_fixture(struct fixture *fixture) {
    ps_model_close(fixture->model);
    fixture->compute->memory.stream_release(fixture->stream);
    ps_compute_close(fixture->compute);
    ps_safetensors_close(fixture->golden);
    ps_model_files_close(fixture->files);
}

/* Logits [rows, V] of all sequences, fed in turns of `chunk` rows of each sequence that is not
 * through; alone: each sequence by itself. */
static float *run_chunks(const struct fixture *fixture, int64_t chunk, bool alone) {
    struct ps_kv_cache *cache;
    struct ps_batch *batch;
    struct ps_batch_limits limits = {ROWS, MOST_SEQUENCES, ROWS};
    struct ps_kv_sequence sequences[MOST_SEQUENCES] = {0};
    size_t row = (size_t)fixture->vocabulary * sizeof(float);
    float *result = malloc((size_t)fixture->rows * row), *piece = malloc((size_t)ROWS * row);
    assert_ok(ps_kv_cache_create(&cache, fixture->model, 2 * MOST_SEQUENCES, &error));
    assert_ok(ps_batch_create(&batch, fixture->model, cache, &limits, &error));
    int64_t done = 0;
    while (done < fixture->rows) {
        struct ps_batch_item items[MOST_SEQUENCES];
        int64_t to[MOST_SEQUENCES], count = 0;
        for (int64_t s = 0; s < fixture->sequences && !(alone && count > 0); s++) {
            int64_t first = fixture->starts[s] + sequences[s].length;
            int64_t left = fixture->starts[s + 1] - first;
            if (left == 0) continue;
            int64_t rows = left < chunk ? left : chunk;
            to[count] = first;
            items[count++] =
                (struct ps_batch_item){&sequences[s], fixture->tokens + first, rows, rows};
        }
        struct ps_matrix logits;
        assert_ok(ps_batch_run(batch, fixture->stream, items, count, &logits, &error));
        fixture->compute->memory.download(fixture->stream, piece, logits.data,
                                          (size_t)logits.rows * row);
        assert_ok(fixture->compute->memory.synchronize(fixture->stream, &error));
        int64_t from = 0;
        for (int64_t i = 0; i < count; i++) {
            memcpy(result + to[i] * fixture->vocabulary, piece + from * fixture->vocabulary,
                   (size_t)items[i].count * row);
            from += items[i].count;
        }
        done += from;
    }
    for (int64_t s = 0; s < fixture->sequences; s++) ps_kv_release(cache, &sequences[s]);
    assert_int_equal(ps_kv_cache_free_pages(cache), 2 * MOST_SEQUENCES);
    ps_batch_release(batch);
    ps_kv_cache_release(cache);
    free(piece);
    return result;
}

static void assert_near_golden(const struct fixture *fixture, const float *logits) {
    double worst = 0;
    for (int64_t i = 0; i < fixture->rows * fixture->vocabulary; i++) {
        double difference = fabs((double)logits[i] - fixture->logits[i]);
        if (!(difference <= worst)) worst = difference;
    }
    if (!(worst <= 1e-4)) fail_msg("logits differ from PyTorch's by up to %g", worst);
}

static void assert_same_bits(const struct fixture *fixture, const float *a, const float *b,
                             const char *what) {
    for (int64_t i = 0; i < fixture->rows * fixture->vocabulary; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0)
            fail_msg("%s: row %lld, column %lld: %a instead of %a", what,
                     (long long)(i / fixture->vocabulary), (long long)(i % fixture->vocabulary),
                     (double)b[i], (double)a[i]);
}

/* Sequences packed as in training, through the same head. */
static float *run_packed(const struct fixture *fixture) {
    struct ps_compute *compute = fixture->compute;
    struct ps_activations *activations;
    size_t bytes = (size_t)(fixture->rows * fixture->vocabulary) * sizeof(float);
    int32_t host[3 * ROWS];
    for (int64_t s = 0, row = 0; s < fixture->sequences; s++)
        for (; row < fixture->starts[s + 1]; row++) {
            host[row] = fixture->tokens[row];
            host[ROWS + row] = (int32_t)(row - fixture->starts[s]);
            host[2 * ROWS + row] = (int32_t)row;
        }
    int32_t *device = compute->memory.allocate(compute, sizeof host);
    int32_t *starts = compute->memory.allocate(compute, sizeof *starts * MOST_SEQUENCES);
    void *gathered = compute->memory.allocate(
        compute, (size_t)(ROWS * fixture->model->config->hidden_size) * sizeof(float));
    void *logits = compute->memory.allocate(compute, bytes);
    assert_ok(ps_activations_create(fixture->model, ROWS, true, &activations, &error));
    compute->memory.upload(fixture->stream, device, host, sizeof host);
    compute->memory.upload(fixture->stream, starts, fixture->starts,
                           (size_t)(fixture->sequences + 1) * sizeof *starts);
    assert_ok(ps_model_forward_packed(fixture->model, fixture->stream, activations, ROWS, device,
                                      device + ROWS, fixture->sequences, starts, &error));
    ps_model_logits(
        fixture->model, fixture->stream, activations, device + 2 * ROWS,
        ps_matrix(gathered, fixture->model->act, ROWS, fixture->model->config->hidden_size),
        ps_matrix(logits, PS_DTYPE_F32, ROWS, fixture->vocabulary));
    float *result = malloc(bytes);
    compute->memory.download(fixture->stream, result, logits, bytes);
    assert_ok(compute->memory.synchronize(fixture->stream, &error));
    ps_activations_release(activations);
    void *all[] = {device, starts, gathered, logits};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) compute->memory.release(compute, all[i]);
    return result;
}

/* Samples of one prompt share its pages and go on as if each had its own. */
static void check_sharing(const struct fixture *fixture, const float *whole) {
    enum { PROMPT = 133, SAMPLES = 3 };
    int64_t first = fixture->starts[1], length = fixture->starts[2] - first;
    struct ps_kv_cache *cache;
    struct ps_batch *batch;
    struct ps_batch_limits limits = {ROWS, SAMPLES, ROWS};
    struct ps_kv_sequence prompt = {0}, samples[SAMPLES] = {0};
    struct ps_matrix logits;
    assert_ok(ps_kv_cache_create(&cache, fixture->model, 2 + SAMPLES, &error));
    assert_ok(ps_batch_create(&batch, fixture->model, cache, &limits, &error));
    struct ps_batch_item feed = {&prompt, fixture->tokens + first, PROMPT, 0};
    assert_ok(ps_batch_run(batch, fixture->stream, &feed, 1, &logits, &error));
    assert_ok(fixture->compute->memory.synchronize(fixture->stream, &error));
    for (int i = 0; i < SAMPLES; i++) assert_ok(ps_kv_share(cache, &prompt, &samples[i], &error));
    ps_kv_release(cache, &prompt);
    float *row = malloc((size_t)(SAMPLES * fixture->vocabulary) * sizeof *row);
    for (int64_t position = PROMPT; position < length; position++) {
        struct ps_batch_item items[SAMPLES];
        for (int i = 0; i < SAMPLES; i++) /* each its own token; the first one the golden's */
            items[i] = (struct ps_batch_item){
                &samples[i], fixture->tokens + (i ? position % 7 + i : first + position), 1, 1};
        assert_ok(ps_batch_run(batch, fixture->stream, items, SAMPLES, &logits, &error));
        fixture->compute->memory.download(fixture->stream, row, logits.data,
                                          (size_t)(SAMPLES * fixture->vocabulary) * sizeof *row);
        assert_ok(fixture->compute->memory.synchronize(fixture->stream, &error));
        assert_memory_equal(row, whole + (first + position) * fixture->vocabulary,
                            (size_t)fixture->vocabulary * sizeof *row);
    }
    for (int i = 0; i < SAMPLES; i++) ps_kv_release(cache, &samples[i]);
    assert_int_equal(ps_kv_cache_free_pages(cache), 2 + SAMPLES);
    free(row);
    ps_batch_release(batch);
    ps_kv_cache_release(cache);
}

static void check_scores(const struct fixture *fixture) {
    struct ps_scorer *scorer;
    const int64_t first = fixture->starts[1], count = fixture->starts[2] - first;
    float scores[ROWS], best[ROWS * 3];
    int32_t ids[ROWS * 3];
    assert_ok(ps_scorer_create(&scorer, fixture->model, &error));
    assert_ok(ps_score(scorer, fixture->stream, fixture->tokens + first, count, 3, scores, ids,
                       best, &error));
    for (int64_t i = 1; i < count; i++) {
        const float *row = fixture->logits + (first + i - 1) * fixture->vocabulary;
        double sum = 0;
        int64_t largest = 0;
        for (int64_t v = 0; v < fixture->vocabulary; v++) {
            sum += exp(row[v]);
            if (row[v] > row[largest]) largest = v;
        }
        double expected = row[fixture->tokens[first + i]] - log(sum);
        assert_true(fabs(expected - scores[i]) < 2e-4);
        assert_true(fabs(row[largest] - log(sum) - best[3 * i]) < 2e-4);
        assert_true(best[3 * i] >= best[3 * i + 1] && best[3 * i + 1] >= best[3 * i + 2]);
        assert_true(ids[3 * i] == largest || best[3 * i] - best[3 * i + 1] < 2e-4);
    }
    int32_t bad[2] = {0, (int32_t)fixture->vocabulary};
    assert_fails(ps_score(scorer, fixture->stream, bad, 2, 0, scores, NULL, NULL, &error),
                 PS_ARGUMENT, "no token 67");
    ps_scorer_release(scorer);
}

/* The same bits however the rows are fed and whoever computes them. */
static void check_bits(const char *name, const char *backend, enum ps_weight_format format) {
    struct fixture fixture;
    open_fixture(&fixture, name, backend, format, 1);
    float *whole = run_chunks(&fixture, LONGEST, true);
    static const int64_t chunks[] = {1, 7, 128, LONGEST};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        float *pieces = run_chunks(&fixture, chunks[i], false);
        assert_same_bits(&fixture, whole, pieces, "in chunks, all together");
        free(pieces);
    }
    float *packed = run_packed(&fixture);
    assert_same_bits(&fixture, whole, packed, "packed");
    free(packed);
    check_sharing(&fixture, whole);
    close_fixture(&fixture);
    for (int threads = 2; threads <= 3; threads++) {
        open_fixture(&fixture, name, backend, format, threads);
        float *again = run_chunks(&fixture, 5, false);
        assert_same_bits(&fixture, whole, again, "with more threads");
        free(again);
        close_fixture(&fixture);
    }
    open_fixture(&fixture, name, "reference", format, 1);
    float *reference = run_chunks(&fixture, LONGEST, true);
    assert_same_bits(&fixture, reference, whole, "unlike the reference");
    free(reference);
    close_fixture(&fixture);
    free(whole);
}

static void check_model(const char *name, const char *backend) {
    struct ps_compute *compute;
    struct fixture fixture;
    if (ps_compute_open(backend, 1, &compute, &error) != PS_OK) {
        fprintf(stderr, "skipped: %s\n", error.message);
        skip();
    }
    ps_compute_close(compute);
    open_fixture(&fixture, name, backend, PS_WEIGHT_F32, 1);
    float *logits = run_chunks(&fixture, LONGEST, true);
    assert_near_golden(&fixture, logits);
    free(logits);
    check_scores(&fixture);
    close_fixture(&fixture);
    check_bits(name, backend, PS_WEIGHT_F32);
    check_bits(name, backend, PS_WEIGHT_BF16);
}

static void dense_model(void **state) {
    check_model("qwen3", *state);
}

static void mixture_of_experts(void **state) {
    check_model("qwen3_moe", *state);
}

int main(void) {
    static char reference[] = "reference", cpu[] = "cpu";
    const struct CMUnitTest tests[] = {
        {"dense model, reference", dense_model, NULL, NULL, reference},
        {"mixture of experts, reference", mixture_of_experts, NULL, NULL, reference},
        {"dense model, cpu", dense_model, NULL, NULL, cpu},
        {"mixture of experts, cpu", mixture_of_experts, NULL, NULL, cpu},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
