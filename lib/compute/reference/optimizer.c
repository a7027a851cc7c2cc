/* AdamW and the norm of gradients: docs/numerics.md, "Training". */

#include "compute/reference/reference_internal.h"

static void adamw(struct ps_stream *stream, const struct ps_adamw *config, int64_t n, float *master,
                  const float *gradient, void *m, void *v) {
    struct ps_operation operation = ps_begin(stream);
    const float beta1 = config->beta1, beta2 = config->beta2;
    const float correction1 = ps_bias_correction(beta1, config->step);
    const float correction2 = ps_bias_correction(beta2, config->step);
    struct ps_matrix first = ps_matrix(m, config->moments, 1, n);
    struct ps_matrix second = ps_matrix(v, config->moments, 1, n);
    for (int64_t i = 0; i < n; i++) {
        float g = gradient[i] * config->gradient_scale;
        float m_i = beta1 * ps_get(first, 0, i) + (1 - beta1) * g;
        float v_i = beta2 * ps_get(second, 0, i) + (1 - beta2) * (g * g);
        float step = (m_i / correction1) / (sqrtf(v_i / correction2) + config->epsilon);
        float w = master[i];
        master[i] = w - config->learning_rate * (config->weight_decay * w + step);
        ps_put(first, 0, i, m_i);
        ps_put(second, 0, i, v_i);
    }
    ps_end(stream, operation);
}

static void square_sum(struct ps_stream *stream, int64_t n, const float *values, double *sum) {
    struct ps_operation operation = ps_begin(stream);
    double total = 0;
    for (int64_t first = 0; first < n; first += 65536) {
        int64_t count = ps_min(65536, n - first);
        double lane[16] = {0};
        for (int64_t i = 0; i < count; i++) {
            double x = values[first + i];
            lane[i % 16] = lane[i % 16] + x * x;
        }
        for (int width = 8; width > 0; width /= 2)
            for (int l = 0; l < width; l++) lane[l] = lane[l] + lane[l + width];
        total = total + lane[0];
    }
    *sum = total;
    ps_end(stream, operation);
}

const struct ps_optimizer_operations ps_reference_optimizer = {
    .adamw = adamw,
    .square_sum = square_sum,
};
