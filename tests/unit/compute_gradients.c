/* Every backward pass of the reference backend against central differences in double precision of
 * the formula it belongs to, written down a second time here. */
#include "compute_reference.h"

/* ---- central differences ---- */

/* A scalar function of `n` numbers, and what it needs beside them. */
typedef double (*function)(const double *x, const void *context);

static void check_gradient(const char *what, function f, const void *context, const float *at,
                           int64_t n, const float *got) {
    double *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = at[i];
    for (int64_t i = 0; i < n; i++) {
        const double step = 1e-5;
        x[i] = at[i] + step;
        double above = f(x, context);
        x[i] = at[i] - step;
        double below = f(x, context);
        x[i] = at[i];
        assert_near(what, i, got[i], (above - below) / (2 * step), 2e-5);
    }
    free(x);
}

/* ---- linear ---- */

enum { ROWS = 70, INPUTS = 9, OUTPUTS = 7 };

static struct {
    float x[ROWS * INPUTS], w[OUTPUTS * INPUTS], b[OUTPUTS], dy[ROWS * OUTPUTS];
} linear;

/* sum of dy * (x W^T + b); numbers are x, then w, then b */
static double linear_value(const double *n, const void *context) {
    (void)context;
    const double *w = n + ROWS * INPUTS, *b = w + OUTPUTS * INPUTS;
    double value = 0;
    for (int t = 0; t < ROWS; t++) {
        for (int o = 0; o < OUTPUTS; o++) {
            double y = b[o];
            for (int i = 0; i < INPUTS; i++) y += n[t * INPUTS + i] * w[o * INPUTS + i];
            value += linear.dy[t * OUTPUTS + o] * y;
        }
    }
    return value;
}

static void linear_gradients(void **state) {
    (void)state;
    enum { X = ROWS * INPUTS, W = OUTPUTS * INPUTS };
    struct ps_error error;
    struct ps_weight *weight;
    float got[X + W + OUTPUTS] = {0}, old = 3;
    fill(linear.x, X, 1);
    fill(linear.w, W, 2);
    fill(linear.b, OUTPUTS, 3);
    fill(linear.dy, ROWS * OUTPUTS, 4);
    got[X] = got[X + W] = old; /* gradients of weights and biases accumulate */
    struct ps_weight_description description = {OUTPUTS, INPUTS, PS_WEIGHT_F32, PS_USE_FORWARD};
    assert_ok(compute->linear.create(compute, &description, &weight, &error));
    compute->linear.load(stream, weight, 0, f32(linear.w, OUTPUTS, INPUTS), NULL);
    struct ps_matrix dy = f32(linear.dy, ROWS, OUTPUTS);
    compute->linear.input_gradient(stream, weight, dy, f32(got, ROWS, INPUTS), false);
    compute->linear.weight_gradient(stream, PS_WEIGHT_F32, dy, f32(linear.x, ROWS, INPUTS), got + X,
                                    got + X + W);
    compute->linear.release(weight);
    got[X] -= old;
    got[X + W] -= old;
    float at[X + W + OUTPUTS];
    memcpy(at, linear.x, sizeof linear.x);
    memcpy(at + X, linear.w, sizeof linear.w);
    memcpy(at + X + W, linear.b, sizeof linear.b);
    check_gradient("linear", linear_value, NULL, at, X + W + OUTPUTS, got);
}

/* ---- rows ---- */

enum { NORM_ROWS = 66, GROUPS = 2, GROUP = 5, WIDTH = GROUPS * GROUP };

static struct { float dy[NORM_ROWS * WIDTH], residual[NORM_ROWS * WIDTH]; } norm;

/* sum of dy * norm(x) + residual * x; numbers are x, then the weight */
static double norm_value(const double *n, const void *context) {
    (void)context;
    const double *w = n + NORM_ROWS * WIDTH;
    double value = 0;
    for (int i = 0; i < NORM_ROWS * WIDTH; i++) value += norm.residual[i] * n[i];
    for (int first = 0; first < NORM_ROWS * WIDTH; first += GROUP) {
        double squares = 0;
        for (int i = 0; i < GROUP; i++) squares += n[first + i] * n[first + i];
        double inverse = 1 / sqrt(squares / GROUP + 0.01);
        for (int i = 0; i < GROUP; i++) value += norm.dy[first + i] * n[first + i] * inverse * w[i];
    }
    return value;
}

static void rms_norm_gradients(void **state) {
    (void)state;
    enum { X = NORM_ROWS * WIDTH };
    float at[X + GROUP], got[X + GROUP] = {0}, y[X], inverse[NORM_ROWS * GROUPS];
    fill(at, X + GROUP, 5);
    fill(norm.dy, X, 6);
    fill(norm.residual, X, 7);
    struct ps_matrix x = f32(at, NORM_ROWS, WIDTH), none = {0};
    compute->rows.rms_norm(stream, x, none, x, at + X, 0.01f, GROUPS, f32(y, NORM_ROWS, WIDTH),
                           inverse);
    compute->rows.rms_norm_backward(
        stream, x, inverse, at + X, GROUPS, f32(norm.dy, NORM_ROWS, WIDTH),
        f32(norm.residual, NORM_ROWS, WIDTH), f32(got, NORM_ROWS, WIDTH), got + X);
    check_gradient("rms_norm", norm_value, NULL, at, X + GROUP, got);
}

struct rope_context {
    enum ps_rope_layout layout;
    const float *dy;
};

enum { ROPE_ROWS = 3, HEADS = 2, HEAD = 8, FIRST = 1, ROTARY = 6 };

static double angle(int position, int i) {
    return position / pow(3.0, i);
}

static double rope_value(const double *x, const void *context) {
    const struct rope_context *c = context;
    double value = 0;
    for (int t = 0; t < ROPE_ROWS; t++) {
        for (int h = 0; h < HEADS; h++) {
            int base = (t * HEADS + h) * HEAD;
            bool turned[HEAD] = {false};
            for (int i = 0; i < ROTARY / 2; i++) {
                int a = FIRST + (c->layout == PS_ROPE_HALVES ? i : 2 * i);
                int b = c->layout == PS_ROPE_HALVES ? a + ROTARY / 2 : a + 1;
                double cosine = cos(angle(t + 4, i)), sine = sin(angle(t + 4, i));
                value += c->dy[base + a] * (x[base + a] * cosine - x[base + b] * sine);
                value += c->dy[base + b] * (x[base + b] * cosine + x[base + a] * sine);
                turned[a] = turned[b] = true;
            }
            for (int i = 0; i < HEAD; i++)
                if (!turned[i]) value += c->dy[base + i] * x[base + i];
        }
    }
    return value;
}

static void rope_gradients(void **state) {
    (void)state;
    enum { N = ROPE_ROWS * HEADS * HEAD };
    float x[N], dy[N], got[N], cosines[7 * ROTARY / 2], sines[7 * ROTARY / 2];
    int32_t positions[ROPE_ROWS] = {4, 5, 6};
    fill(x, N, 8);
    fill(dy, N, 9);
    for (int p = 0; p < 7; p++) {
        for (int i = 0; i < ROTARY / 2; i++) {
            cosines[p * ROTARY / 2 + i] = (float)cos(angle(p, i));
            sines[p * ROTARY / 2 + i] = (float)sin(angle(p, i));
        }
    }
    for (int layout = 0; layout < 2; layout++) {
        struct ps_rope rope = {
            (enum ps_rope_layout)layout, HEADS, HEAD, FIRST, ROTARY, cosines, sines};
        struct rope_context context = {rope.layout, dy};
        memcpy(got, dy, sizeof got);
        compute->rows.rope(stream, &rope, positions, f32(got, ROPE_ROWS, HEADS * HEAD), true);
        check_gradient("rope", rope_value, &context, x, N, got);

        double value = 0, want[N];
        for (int i = 0; i < N; i++) want[i] = x[i];
        memcpy(got, x, sizeof got);
        compute->rows.rope(stream, &rope, positions, f32(got, ROPE_ROWS, HEADS * HEAD), false);
        for (int i = 0; i < N; i++) value += (double)dy[i] * got[i];
        assert_near("rope forward", layout, value, rope_value(want, &context), 1e-5);
    }
}

static const float *swiglu_dy;

static double swiglu_value(const double *x, const void *context) {
    (void)context;
    double value = 0;
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < 5; i++) {
            double gate = x[t * 10 + i];
            value += swiglu_dy[t * 5 + i] * gate / (1 + exp(-gate)) * x[t * 10 + 5 + i];
        }
    return value;
}

static void swiglu_gradients(void **state) {
    (void)state;
    float x[30], dy[15], got[30];
    fill(x, 30, 10);
    fill(dy, 15, 11);
    swiglu_dy = dy;
    compute->rows.swiglu_backward(stream, f32(x, 3, 10), f32(dy, 3, 5), f32(got, 3, 10));
    check_gradient("swiglu", swiglu_value, NULL, x, 30, got);
}

static void embedding_gradient(void **state) {
    (void)state;
    float dout[8] = {1, 2, 3, 4, 5, 6, 7, 8}, table[6] = {0, 0, 10, 20, 0, 0};
    const float want[6] = {3, 4, 10 + 1 + 5 + 7, 20 + 2 + 6 + 8, 0, 0};
    int32_t tokens[4] = {1, 0, 1, 1};
    compute->rows.embedding_backward(stream, tokens, f32(dout, 4, 2), table, 3);
    assert_memory_equal(table, want, sizeof want);
}

/* ---- attention ---- */

struct attention_context {
    struct ps_attention_shape shape;
    int sequences;
    const int32_t *starts;
    const float *dout;
};

/* sum of dout * attention(q, k, v); numbers are q, then k, then v, of all rows */
static double attention_value(const double *n, const void *context) {
    const struct attention_context *c = context;
    const struct ps_attention_shape *shape = &c->shape;
    int rows = c->starts[c->sequences], heads = (int)shape->heads;
    int groups = (int)shape->key_value_heads, key = (int)shape->key_size;
    int width = (int)shape->value_size;
    const double *k = n + rows * heads * key, *v = k + rows * groups * key;
    double value = 0, p[400];
    for (int s = 0; s < c->sequences; s++) {
        for (int t = c->starts[s]; t < c->starts[s + 1]; t++) {
            int first = c->starts[s];
            if (shape->window && t - shape->window + 1 > first) first = t - (int)shape->window + 1;
            for (int h = 0; h < heads; h++) {
                int g = h / (heads / groups);
                double sum = 0, dot_out = 0;
                for (int j = first; j <= t; j++) {
                    double score = 0;
                    for (int i = 0; i < key; i++)
                        score += n[(t * heads + h) * key + i] * k[(j * groups + g) * key + i];
                    p[j - first] = exp(score * shape->scale);
                    sum += p[j - first];
                }
                for (int j = first; j <= t; j++)
                    for (int i = 0; i < width; i++)
                        dot_out += p[j - first] * c->dout[(t * heads + h) * width + i] *
                                   v[(j * groups + g) * width + i];
                value += dot_out / sum;
            }
        }
    }
    return value;
}

static void attention_gradients(void **state) {
    (void)state;
    for (int window = 0; window <= 5; window += 5) {
        const int32_t starts[] = {0, 135, 136, 140};
        struct attention_context c = {
            .shape = {.heads = 2,
                      .key_value_heads = 1,
                      .key_size = 3,
                      .value_size = 2,
                      .scale = 0.6f,
                      .window = window,
                      .cache = PS_DTYPE_F32},
            .sequences = 3,
            .starts = starts,
        };
        enum { T = 140, Q = T * 2 * 3, K = T * 3, V = T * 2, OUT = T * 2 * 2 };
        static float at[Q + K + V], got[Q + K + V], dout[OUT], out[OUT], log_sum[T * 2];
        fill(at, Q + K + V, 12);
        fill(dout, OUT, 13);
        c.dout = dout;
        struct ps_matrix q = f32(at, T, 6), k = f32(at + Q, T, 3), v = f32(at + Q + K, T, 2);
        compute->attention.packed_forward(stream, &c.shape, 3, starts, q, k, v, f32(out, T, 4),
                                          log_sum);
        double value = 0;
        for (int i = 0; i < OUT; i++) value += (double)dout[i] * out[i];
        static double exact[Q + K + V];
        for (int i = 0; i < Q + K + V; i++) exact[i] = at[i];
        assert_near("attention", window, value, attention_value(exact, &c), 1e-5);
        compute->attention.packed_backward(stream, &c.shape, 3, starts, q, k, v, f32(out, T, 4),
                                           log_sum, f32(dout, T, 4), f32(got, T, 6),
                                           f32(got + Q, T, 3), f32(got + Q + K, T, 2));
        check_gradient("attention", attention_value, &c, at, Q + K + V, got);
    }
}

/* ---- experts ---- */

struct route_context {
    const struct ps_router *router;
    const int32_t *ids;
    const float *dweights, *load;
};

enum { ROUTED = 4, EXPERTS = 6, CHOSEN = 3 };

/* sum of dweights * weights + load * scores, the choice being fixed */
static double route_value(const double *logits, const void *context) {
    const struct route_context *c = context;
    double value = 0, score[EXPERTS];
    for (int t = 0; t < ROUTED; t++) {
        double sum = 0, chosen = 0;
        for (int e = 0; e < EXPERTS; e++) {
            double x = exp(logits[t * EXPERTS + e]);
            score[e] = c->router->score == PS_ROUTER_SOFTMAX ? x : x / (1 + x);
            sum += score[e];
        }
        for (int e = 0; e < EXPERTS; e++) {
            if (c->router->score == PS_ROUTER_SOFTMAX) score[e] /= sum;
            value += c->load[e] * score[e];
        }
        for (int r = t * CHOSEN; r < (t + 1) * CHOSEN; r++) chosen += score[c->ids[r]];
        if (!c->router->normalise) chosen = 1;
        for (int r = t * CHOSEN; r < (t + 1) * CHOSEN; r++)
            value += c->dweights[r] * c->router->scale * score[c->ids[r]] / chosen;
    }
    return value;
}

static void route_gradients(void **state) {
    (void)state;
    float logits[ROUTED * EXPERTS], scores[ROUTED * EXPERTS], got[ROUTED * EXPERTS];
    float weights[ROUTED * CHOSEN], dweights[ROUTED * CHOSEN], load[EXPERTS];
    int32_t ids[ROUTED * CHOSEN];
    fill(logits, ROUTED * EXPERTS, 14);
    fill(dweights, ROUTED * CHOSEN, 15);
    fill(load, EXPERTS, 16);
    for (int kind = 0; kind < 4; kind++) {
        struct ps_router router = {
            .experts = EXPERTS,
            .per_token = CHOSEN,
            .groups = 1,
            .groups_kept = 1,
            .score = kind % 2 ? PS_ROUTER_SIGMOID : PS_ROUTER_SOFTMAX,
            .normalise = kind / 2,
            .scale = 2.5f,
        };
        struct route_context context = {&router, ids, dweights, load};
        compute->experts.route(stream, &router, f32(logits, ROUTED, EXPERTS), scores, ids, weights);
        compute->experts.route_backward(stream, &router, scores, ids, weights, dweights, load,
                                        f32(got, ROUTED, EXPERTS));
        check_gradient("route", route_value, &context, logits, ROUTED * EXPERTS, got);
    }
}

static struct {
    const int32_t *place;
    const float *dy;
} combined;

/* sum of dy * combine(sorted, weights); numbers are sorted, then weights */
static double combine_value(const double *n, const void *context) {
    (void)context;
    double value = 0;
    for (int r = 0; r < 8; r++)
        for (int i = 0; i < 5; i++)
            value += combined.dy[r / 2 * 5 + i] * n[40 + r] * n[combined.place[r] * 5 + i];
    return value;
}

static void combine_gradients(void **state) {
    (void)state;
    float at[48], got[48], dy[20], dx[20];
    int32_t ids[8] = {2, 0, 1, 2, 0, 1, 2, 1}, offsets[4], order[8], place[8];
    fill(at, 48, 17);
    fill(dy, 20, 18);
    compute->experts.group(stream, 4, 3, 2, ids, offsets, order, place);
    combined.place = place;
    combined.dy = dy;
    compute->experts.combine_backward(stream, f32(at, 8, 5), 2, place, at + 40, f32(dy, 4, 5),
                                      f32(got, 8, 5), got + 40);
    check_gradient("combine", combine_value, NULL, at, 48, got);
    compute->experts.dispatch_backward(stream, f32(at, 8, 5), 2, place, f32(dx, 4, 5), false);
    for (int i = 0; i < 20; i++)
        assert_near("dispatch", i, dx[i],
                    (double)at[place[i / 5 * 2] * 5 + i % 5] + at[place[i / 5 * 2 + 1] * 5 + i % 5],
                    1e-6);
}

/* ---- head ---- */

enum { LOSS_ROWS = 260, LOSS_WIDTH = 3, VOCABULARY = 11, TAUGHT = 2 };

/* scale * sum of losses; numbers are x, then the head */
static double loss_value(const double *n, const void *context) {
    const struct ps_loss *loss = context;
    const double *w = n + LOSS_ROWS * LOSS_WIDTH;
    double value = 0;
    for (int t = 0; t < LOSS_ROWS; t++) {
        double logits[VOCABULARY], sum = 0, soft_sum = 0, q_sum = 0;
        const int32_t *ids = loss->teacher_ids + t * TAUGHT;
        const float *log_p = loss->teacher_log_probabilities + t * TAUGHT;
        for (int v = 0; v < VOCABULARY; v++) {
            logits[v] = 0;
            for (int i = 0; i < LOSS_WIDTH; i++)
                logits[v] += n[t * LOSS_WIDTH + i] * w[v * LOSS_WIDTH + i];
            sum += exp(logits[v]);
            soft_sum += exp(logits[v] / loss->temperature);
        }
        value -= loss->cross_entropy * (logits[loss->targets[t]] - log(sum));
        for (int j = 0; j < TAUGHT; j++)
            if (ids[j] >= 0) q_sum += exp(log_p[j] / loss->temperature);
        for (int j = 0; j < TAUGHT; j++) {
            if (ids[j] < 0) continue;
            double q = exp(log_p[j] / loss->temperature) / q_sum;
            double log_student = logits[ids[j]] / loss->temperature - log(soft_sum);
            value += loss->divergence * loss->temperature * loss->temperature * q *
                     (log(q) - log_student);
        }
    }
    return value * loss->scale;
}

static void loss_gradients(void **state) {
    (void)state;
    enum { X = LOSS_ROWS * LOSS_WIDTH, W = VOCABULARY * LOSS_WIDTH };
    static float at[X + W], got[X + W], losses[LOSS_ROWS], log_p[LOSS_ROWS * TAUGHT];
    static int32_t targets[LOSS_ROWS], ids[LOSS_ROWS * TAUGHT];
    struct ps_error error;
    struct ps_weight *head;
    struct ps_weight_description description = {VOCABULARY, LOSS_WIDTH, PS_WEIGHT_F32,
                                                PS_USE_FORWARD | PS_USE_INPUT_GRADIENT};
    fill(at, X + W, 19);
    fill(log_p, LOSS_ROWS * TAUGHT, 20);
    for (int t = 0; t < LOSS_ROWS; t++) {
        targets[t] = t * 5 % VOCABULARY;
        ids[t * TAUGHT] = t % VOCABULARY;
        ids[t * TAUGHT + 1] = t % 3 ? (t + 4) % VOCABULARY : -1;
        if (t % 7 == 0) ids[t * TAUGHT] = -1;
    }
    struct ps_loss loss = {.cross_entropy = 0.7f,
                           .divergence = 0.4f,
                           .temperature = 1.5f,
                           .scale = 0.05f,
                           .targets = targets,
                           .k = TAUGHT,
                           .teacher_ids = ids,
                           .teacher_log_probabilities = log_p};
    assert_ok(compute->linear.create(compute, &description, &head, &error));
    compute->linear.load(stream, head, 0, f32(at + X, VOCABULARY, LOSS_WIDTH), NULL);
    compute->head.loss(stream, head, f32(at, LOSS_ROWS, LOSS_WIDTH), &loss, losses,
                       f32(got, LOSS_ROWS, LOSS_WIDTH), got + X);
    compute->linear.release(head);
    static double exact[X + W];
    double sum = 0;
    for (int i = 0; i < X + W; i++) exact[i] = at[i];
    for (int t = 0; t < LOSS_ROWS; t++) sum += losses[t];
    assert_near("loss", 0, sum * 0.05, loss_value(exact, &loss), 1e-5);
    check_gradient("loss", loss_value, &loss, at, X + W, got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_gradients),   cmocka_unit_test(rms_norm_gradients),
        cmocka_unit_test(rope_gradients),     cmocka_unit_test(swiglu_gradients),
        cmocka_unit_test(embedding_gradient), cmocka_unit_test(attention_gradients),
        cmocka_unit_test(route_gradients),    cmocka_unit_test(combine_gradients),
        cmocka_unit_test(loss_gradients),
    };
    return cmocka_run_group_tests(tests, reference_open, reference_close);
}
