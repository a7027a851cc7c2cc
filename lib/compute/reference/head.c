/* The head and its loss: docs/numerics.md, "Vocabulary".
 *
 * Rows go in chunks of 256. A row's logits become, in place, their gradient; then the chunk's
 * gradients, rounded, meet the head (dx) and the rows (dw) as in any linear layer. */

#include "compute/reference/vocabulary_internal.h"

enum { CHUNK = 256 };

/* The teacher's q over its k tokens at the loss's temperature: log_q and q [k], 0 where absent. */
static void teacher(const struct ps_loss *loss, int64_t t, float *log_q, float *q) {
    const int32_t *ids = loss->teacher_ids + t * loss->k;
    float max = -INFINITY;
    for (int64_t j = 0; j < loss->k; j++) {
        log_q[j] = loss->teacher_log_probabilities[t * loss->k + j] / loss->temperature;
        if (ids[j] >= 0 && log_q[j] > max) max = log_q[j];
    }
    for (int64_t j = 0; j < loss->k; j++)
        q[j] = ids[j] >= 0 && max > -INFINITY ? ps_math_exp(log_q[j] - max) : 0;
    float log_sum = ps_math_log(ps_row_sum(q, loss->k));
    for (int64_t j = 0; j < loss->k; j++) {
        log_q[j] = (log_q[j] - max) - log_sum;
        q[j] = q[j] > 0 ? ps_math_exp(log_q[j]) : 0;
    }
}

/* logits of row t become their gradient; returns the loss. `softened` has room for the logits. */
static float row_loss(const struct ps_loss *loss, int64_t t, float *logits, int64_t n,
                      float *softened, float *log_q, float *q) {
    const int32_t target = loss->targets[t];
    const int32_t *ids = loss->k > 0 ? loss->teacher_ids + t * loss->k : NULL;
    float value = 0, max = ps_row_max(logits, n);
    assert(target >= 0 && target < n);

    bool taught = false;
    if (loss->k > 0) {
        teacher(loss, t, log_q, q);
        for (int64_t j = 0; j < loss->k; j++) taught = taught || q[j] > 0;
    }
    float softened_max = max / loss->temperature, softened_sum = 0;
    if (taught) {
        for (int64_t v = 0; v < n; v++) softened[v] = logits[v] / loss->temperature;
        softened_sum = ps_log_sum(softened, n, softened_max);
    }

    float weight = loss->scale * loss->cross_entropy;
    if (loss->cross_entropy != 0) {
        float log_sum = ps_log_sum(logits, n, max);
        value = loss->cross_entropy * -((logits[target] - max) - log_sum);
        for (int64_t v = 0; v < n; v++) {
            float p = ps_math_exp((logits[v] - max) - log_sum);
            logits[v] = weight * (p - (float)(v == target));
        }
    } else {
        for (int64_t v = 0; v < n; v++) logits[v] = 0;
    }
    if (!taught) return value;

    /* q is 0 but for k tokens: `softened` becomes p_T - q, log_q the terms of the divergence */
    for (int64_t j = 0; j < loss->k; j++)
        log_q[j] = q[j] > 0 ? log_q[j] - ((softened[ids[j]] - softened_max) - softened_sum) : 0;
    value = value + ((loss->divergence * loss->temperature) * loss->temperature) *
                        ps_row_sum_products(q, log_q, loss->k);
    for (int64_t v = 0; v < n; v++)
        softened[v] = ps_math_exp((softened[v] - softened_max) - softened_sum);
    for (int64_t j = 0; j < loss->k; j++)
        if (q[j] > 0) softened[ids[j]] = softened[ids[j]] - q[j];
    weight = (loss->scale * loss->divergence) * loss->temperature;
    for (int64_t v = 0; v < n; v++) logits[v] = logits[v] + weight * softened[v];
    return value;
}

static void loss(struct ps_stream *stream, const struct ps_weight *head, struct ps_matrix x,
                 const struct ps_loss *loss, float *losses, struct ps_matrix dx, float *dw) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, x);
    const struct ps_linear_operations *linear = &stream->compute->linear;
    enum ps_weight_format format = x.dtype == PS_DTYPE_F32 ? PS_WEIGHT_F32 : PS_WEIGHT_BF16;
    int64_t chunk = ps_min(CHUNK, x.rows), n = ps_weight_description(head)->outputs;
    float *logits = ps_scratch(stream, chunk * n), *softened = ps_scratch(stream, n);
    float *log_q = ps_scratch(stream, loss->k), *q = ps_scratch(stream, loss->k);
    void *rounded = ps_scratch(stream, chunk * n);
    for (int64_t first = 0; first < x.rows; first += CHUNK) {
        int64_t count = ps_min(CHUNK, x.rows - first);
        struct ps_matrix rows = ps_matrix_rows(x, first, count);
        struct ps_matrix of_rows = ps_matrix(logits, PS_DTYPE_F32, count, n);
        struct ps_matrix gradient = ps_matrix(rounded, x.dtype, count, n);
        linear->forward(stream, head, rows, NULL, of_rows);
        for (int64_t r = 0; r < count; r++)
            losses[first + r] = row_loss(loss, first + r, logits + r * n, n, softened, log_q, q);
        if (!dx.data) continue;
        ps_reference_rows.convert(stream, of_rows, gradient);
        linear->input_gradient(stream, head, gradient, ps_matrix_rows(dx, first, count), false);
        linear->weight_gradient(stream, format, gradient, rows, dw, NULL);
    }
    ps_end(stream, operation);
}

const struct ps_head_operations ps_reference_head = {.loss = loss};
