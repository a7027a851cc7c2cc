/* Softmax over logits and the loss of a row (docs/numerics.md, "Vocabulary"), compiled once for
 * each family. */

#include "compute/cpu/family_internal.h"
#include "compute/cpu/vocabulary_internal.h"

enum { CHUNK = 1024 };

static float row_max(const float *x, int64_t n) {
    ps_v16 largest = ps_splat(-INFINITY);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) largest = ps_v16_larger(ps_load_f(x + i), largest);
    float max = ps_v16_max(largest);
    for (; i < n; i++)
        if (x[i] > max) max = x[i];
    return max;
}

static float log_sum(const float *x, int64_t n, float max) {
    float sum = 0;
    for (int64_t first = 0; first < n; first += CHUNK) {
        const int64_t end = n - first < CHUNK ? n : first + CHUNK;
        ps_v16 lanes = {0};
        int64_t i = first;
        for (; i + 16 <= end; i += 16) lanes = lanes + ps_math_exp_v16(ps_load_f(x + i) - max);
        float rest[16] = {0};
        for (int64_t l = 0; i + l < end; l++) rest[l] = ps_math_exp(x[i + l] - max);
        lanes = lanes + ps_load_f(rest);
        sum = sum + ps_v16_fold(lanes);
    }
    return ps_math_log(sum);
}

static void weights(const float *x, int64_t n, float max, float temperature, float *to) {
    const struct ps_row_view from = ps_row_of_floats(x), out = ps_row_of_floats(to);
    for (int64_t i = 0; i < n; i += 16)
        ps_row_put(out, i, n, ps_math_exp_v16((ps_row_get(from, i, n) - max) / temperature));
}

static int64_t above(const float *x, int64_t first, int64_t end, float least, int32_t *to) {
    int64_t found = 0, i = first;
    for (; i + 64 <= end; i += 64) {
        ps_v16 low = ps_v16_larger(ps_load_f(x + i), ps_load_f(x + i + 16));
        ps_v16 high = ps_v16_larger(ps_load_f(x + i + 32), ps_load_f(x + i + 48));
        if (!(ps_v16_max(ps_v16_larger(low, high)) > least)) continue;
        for (int64_t j = i; j < i + 64; j++)
            if (x[j] > least) to[found++] = (int32_t)j;
    }
    for (; i < end; i++)
        if (x[i] > least) to[found++] = (int32_t)i;
    return found;
}

/* to[i] = scale * exp((x[i] - max) - log_sum); x may be to. */
PS_INLINE void scaled_probabilities(const float *x, int64_t n, float max, float log_of_sum,
                                    float scale, float *to) {
    const struct ps_row_view from = ps_row_of_floats(x), out = ps_row_of_floats(to);
    for (int64_t i = 0; i < n; i += 16)
        ps_row_put(out, i, n, scale * ps_math_exp_v16((ps_row_get(from, i, n) - max) - log_of_sum));
}

/* The teacher's q over its k tokens and log q; false: no token has any weight. */
static bool teach(const struct ps_loss *loss, int64_t t, float *log_q, float *q) {
    const int32_t *ids = loss->teacher_ids + t * loss->k;
    float max = -INFINITY;
    bool taught = false;
    for (int64_t j = 0; j < loss->k; j++) {
        log_q[j] = loss->teacher_log_probabilities[t * loss->k + j] / loss->temperature;
        if (ids[j] >= 0 && log_q[j] > max) max = log_q[j];
    }
    ps_v16 lanes = {0};
    for (int64_t j = 0; j < loss->k; j++)
        q[j] = ids[j] >= 0 && max > -INFINITY ? ps_math_exp(log_q[j] - max) : 0;
    for (int64_t j = 0; j < loss->k; j += 16)
        lanes = lanes + ps_row_get(ps_row_of_floats(q), j, loss->k);
    float log_of_sum = ps_math_log(ps_v16_fold(lanes));
    for (int64_t j = 0; j < loss->k; j++) {
        log_q[j] = (log_q[j] - max) - log_of_sum;
        q[j] = q[j] > 0 ? ps_math_exp(log_q[j]) : 0;
        taught = taught || q[j] > 0;
    }
    return taught;
}

/* The divergence; p_T - q is added to the gradient. `softened` holds logits / temperature. */
static float diverge(const struct ps_loss *loss, int64_t t, int64_t n, float *softened, float max,
                     float log_of_sum, float *log_q, const float *q, float *gradient) {
    const int32_t *ids = loss->k > 0 ? loss->teacher_ids + t * loss->k : NULL;
    ps_v16 products = {0};
    for (int64_t j = 0; j < loss->k; j++)
        log_q[j] = q[j] > 0 ? log_q[j] - ((softened[ids[j]] - max) - log_of_sum) : 0;
    for (int64_t j = 0; j < loss->k; j += 16)
        products = products + ps_row_get(ps_row_of_floats(q), j, loss->k) *
                                  ps_row_get(ps_row_of_floats(log_q), j, loss->k);
    scaled_probabilities(softened, n, max, log_of_sum, 1, softened);
    for (int64_t j = 0; j < loss->k; j++)
        if (q[j] > 0) softened[ids[j]] = softened[ids[j]] - q[j];
    const float weight = (loss->scale * loss->divergence) * loss->temperature;
    const struct ps_row_view from = ps_row_of_floats(softened), to = ps_row_of_floats(gradient);
    for (int64_t i = 0; i < n; i += 16)
        ps_row_put(to, i, n, ps_row_get(to, i, n) + weight * ps_row_get(from, i, n));
    return ((loss->divergence * loss->temperature) * loss->temperature) * ps_v16_fold(products);
}

static float row_loss(const struct ps_loss *loss, int64_t t, float *logits, int64_t n,
                      float *room) {
    const int32_t target = loss->targets[t];
    float *softened = room, *log_q = softened + n, *q = log_q + loss->k;
    float value = 0, max = row_max(logits, n);
    bool taught = loss->k > 0 && teach(loss, t, log_q, q);
    float softened_max = max / loss->temperature, softened_sum = 0;
    if (taught) {
        const struct ps_row_view from = ps_row_of_floats(logits), to = ps_row_of_floats(softened);
        for (int64_t i = 0; i < n; i += 16)
            ps_row_put(to, i, n, ps_row_get(from, i, n) / loss->temperature);
        softened_sum = log_sum(softened, n, softened_max);
    }
    if (loss->cross_entropy != 0) {
        const float log_of_sum = log_sum(logits, n, max),
                    weight = loss->scale * loss->cross_entropy;
        const float log_p = (logits[target] - max) - log_of_sum;
        value = loss->cross_entropy * -log_p;
        scaled_probabilities(logits, n, max, log_of_sum, weight, logits);
        logits[target] = weight * (ps_math_exp(log_p) - 1);
    } else {
        memset(logits, 0, (size_t)n * sizeof *logits);
    }
    if (!taught) return value;
    return value + diverge(loss, t, n, softened, softened_max, softened_sum, log_q, q, logits);
}

const struct ps_cpu_vocabulary_kernels PS_CPU_NAME(ps_cpu_vocabulary_kernels) = {
    .row_max = row_max,
    .log_sum = log_sum,
    .weights = weights,
    .above = above,
    .row_loss = row_loss,
};
