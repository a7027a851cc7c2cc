/* AdamW and the top-k divergence against PyTorch (tests/golden/make_compute.py). */
#include "compute_reference.h"

#include "base/json.h"

static json_t *golden;

static int open_all(void **state) {
    struct ps_error error;
    reference_open(state);
    assert_ok(
        ps_json_read_file(PS_SOURCE_DIR "/tests/golden/compute.json", 1 << 20, &golden, &error));
    return 0;
}

static int close_all(void **state) {
    json_decref(golden);
    return reference_close(state);
}

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static size_t get_floats(const json_t *array, float *to, size_t most) {
    size_t n = json_array_size(array);
    assert_in_range(n, 1, most);
    for (size_t i = 0; i < n; i++) to[i] = (float)json_number_value(json_array_get(array, i));
    return n;
}

static size_t get_ints(const json_t *array, int32_t *to, size_t most) {
    size_t n = json_array_size(array);
    assert_in_range(n, 1, most);
    for (size_t i = 0; i < n; i++) to[i] = (int32_t)json_integer_value(json_array_get(array, i));
    return n;
}

/* The same steps with moments in F32, and in BF16, which is near. */
static void adamw_steps(void **state) {
    (void)state;
    const json_t *test = json_object_get(golden, "adamw");
    struct ps_adamw config = {
        .learning_rate = (float)number(test, "lr"),
        .beta1 = (float)number(test, "beta1"),
        .beta2 = (float)number(test, "beta2"),
        .epsilon = (float)number(test, "epsilon"),
        .weight_decay = (float)number(test, "weight_decay"),
        .gradient_scale = 0.5f, /* and gradients twice as large */
    };
    for (int half = 0; half < 2; half++) {
        float w[8], g[8], want[8], m[8] = {0}, v[8] = {0};
        size_t n = get_floats(json_object_get(test, "start"), w, 8);
        config.moments = half ? PS_DTYPE_BF16 : PS_DTYPE_F32;
        for (size_t step = 0; step < 10; step++) {
            get_floats(json_array_get(json_object_get(test, "gradients"), step), g, 8);
            get_floats(json_array_get(json_object_get(test, "weights"), step), want, 8);
            for (size_t i = 0; i < n; i++) g[i] *= 2;
            config.step = (int64_t)step + 1;
            compute->optimizer.adamw(stream, &config, (int64_t)n, w, g, m, v);
            for (size_t i = 0; i < n; i++)
                assert_near("weight", (int64_t)i, w[i], want[i], half ? 1e-3 : 2e-6);
        }
    }
}

static void square_sum(void **state) {
    (void)state;
    enum { N = 200000 };
    static float x[N];
    double sum, want = 0;
    fill(x, N, 1);
    for (int i = 0; i < N; i++) want += (double)x[i] * x[i];
    compute->optimizer.square_sum(stream, N, x, &sum);
    assert_near("square_sum", 0, sum, want, 1e-11);
}

static void divergence(void **state) {
    (void)state;
    struct ps_error error;
    const json_t *test = json_object_get(golden, "divergence");
    int64_t rows = (int64_t)number(test, "rows"), width = (int64_t)number(test, "width");
    int64_t vocabulary = (int64_t)number(test, "vocabulary");
    float x[100], w[100], log_p[100], losses[100], want[100], dx[100], dw[100] = {0};
    int32_t targets[100], ids[100];
    get_floats(json_object_get(test, "x"), x, 100);
    get_floats(json_object_get(test, "head"), w, 100);
    get_floats(json_object_get(test, "log_probabilities"), log_p, 100);
    get_ints(json_object_get(test, "targets"), targets, 100);
    get_ints(json_object_get(test, "ids"), ids, 100);
    struct ps_loss loss = {
        .cross_entropy = (float)number(test, "cross_entropy"),
        .divergence = (float)number(test, "divergence"),
        .temperature = (float)number(test, "temperature"),
        .scale = (float)number(test, "scale"),
        .targets = targets,
        .k = (int64_t)number(test, "k"),
        .teacher_ids = ids,
        .teacher_log_probabilities = log_p,
    };
    struct ps_weight *head;
    struct ps_weight_description description = {vocabulary, width, PS_WEIGHT_F32,
                                                PS_USE_FORWARD | PS_USE_INPUT_GRADIENT};
    assert_ok(compute->linear.create(compute, &description, &head, &error));
    compute->linear.load(stream, head, 0, f32(w, vocabulary, width), NULL);
    compute->head.loss(stream, head, f32(x, rows, width), &loss, losses, f32(dx, rows, width), dw);
    compute->linear.release(head);
    get_floats(json_object_get(test, "losses"), want, 100);
    for (int64_t i = 0; i < rows; i++) assert_near("loss", i, losses[i], want[i], 2e-6);
    get_floats(json_object_get(test, "dx"), want, 100);
    for (int64_t i = 0; i < rows * width; i++) assert_near("dx", i, dx[i], want[i], 1e-6);
    get_floats(json_object_get(test, "dhead"), want, 100);
    for (int64_t i = 0; i < vocabulary * width; i++) assert_near("dw", i, dw[i], want[i], 1e-6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_steps),
        cmocka_unit_test(square_sum),
        cmocka_unit_test(divergence),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
