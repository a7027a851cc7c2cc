/* Operations on rows (formulas: docs/numerics.md, "Functions"), compiled once for each family. Each
 * task does rows [first, end), or columns where it says so, on one thread. */

#include "compute/cpu/family_internal.h"
#include "compute/cpu/tasks_internal.h"

enum { SUM_ROWS = 64 };         /* rows of a partial sum over rows */
enum { COLUMNS_AT_ONCE = 512 }; /* of a partial sum that is kept on the stack */

PS_INLINE ps_v16 square(ps_v16 x) {
    return x * x;
}

/* ---- RMSNorm ------------------------------------------------------------------------------ */

static void rms_norm(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_rms_norm *a = arguments;
    const int64_t n = a->x.columns / a->groups;
    const struct ps_row_view weight = ps_row_of_floats(a->weight);
    for (int64_t r = first; r < end; r++) {
        for (int64_t g = 0; g < a->groups; g++) {
            struct ps_row_view x = ps_row_from(ps_row_view(a->x, r), g * n);
            ps_v16 squares = {0};
            if (a->delta.data) {
                struct ps_row_view delta = ps_row_from(ps_row_view(a->delta, r), g * n);
                struct ps_row_view sum = ps_row_from(ps_row_view(a->sum, r), g * n);
                for (int64_t c = 0; c < n; c += 16) {
                    ps_row_put(sum, c, n, ps_row_get(x, c, n) + ps_row_get(delta, c, n));
                    squares = squares + square(ps_row_get(sum, c, n));
                }
                x = sum;
            } else {
                for (int64_t c = 0; c < n; c += 16) squares = squares + square(ps_row_get(x, c, n));
            }
            float inverse = 1 / sqrtf(ps_v16_fold(squares) / (float)n + a->epsilon);
            if (a->inverse) a->inverse[r * a->groups + g] = inverse;
            struct ps_row_view y = ps_row_from(ps_row_view(a->y, r), g * n);
            for (int64_t c = 0; c < n; c += 16)
                ps_row_put(y, c, n, (ps_row_get(x, c, n) * inverse) * ps_row_get(weight, c, n));
        }
    }
}

static void rms_norm_input_gradient(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_rms_norm_backward *a = arguments;
    const int64_t n = a->x.columns / a->groups;
    const struct ps_row_view weight = ps_row_of_floats(a->weight);
    for (int64_t r = first; r < end; r++) {
        for (int64_t g = 0; g < a->groups; g++) {
            struct ps_row_view x = ps_row_from(ps_row_view(a->x, r), g * n);
            struct ps_row_view dy = ps_row_from(ps_row_view(a->dy, r), g * n);
            struct ps_row_view dx = ps_row_from(ps_row_view(a->dx, r), g * n);
            float inverse = a->inverse[r * a->groups + g];
            ps_v16 products = {0};
            for (int64_t c = 0; c < n; c += 16)
                products = products + (ps_row_get(dy, c, n) * ps_row_get(weight, c, n)) *
                                          (ps_row_get(x, c, n) * inverse);
            float mean = ps_v16_fold(products) / (float)n;
            for (int64_t c = 0; c < n; c += 16) {
                ps_v16 slope = ps_row_get(dy, c, n) * ps_row_get(weight, c, n);
                ps_v16 value = (slope - (ps_row_get(x, c, n) * inverse) * mean) * inverse;
                if (a->residual.data)
                    value =
                        value + ps_row_get(ps_row_from(ps_row_view(a->residual, r), g * n), c, n);
                ps_row_put(dx, c, n, value);
            }
        }
    }
}

/* Columns 16 * [first, end). */
static void rms_norm_weight_gradient(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_rms_norm_backward *a = arguments;
    const int64_t n = a->x.columns / a->groups, rows = a->x.rows;
    const struct ps_row_view dweight = ps_row_of_floats(a->dweight);
    int64_t last = end * 16 < n ? end * 16 : n;
    for (int64_t column = first * 16; column < last; column += COLUMNS_AT_ONCE) {
        int64_t stop = column + COLUMNS_AT_ONCE < last ? column + COLUMNS_AT_ONCE : last;
        for (int64_t row = 0; row < rows; row += SUM_ROWS) {
            ps_v16 part[COLUMNS_AT_ONCE / 16] = {0};
            for (int64_t r = row; r < rows && r < row + SUM_ROWS; r++) {
                for (int64_t g = 0; g < a->groups; g++) {
                    struct ps_row_view x = ps_row_from(ps_row_view(a->x, r), g * n);
                    struct ps_row_view dy = ps_row_from(ps_row_view(a->dy, r), g * n);
                    float inverse = a->inverse[r * a->groups + g];
                    for (int64_t c = column; c < stop; c += 16) {
                        ps_v16 *sum = part + (c - column) / 16;
                        *sum = *sum + ps_row_get(dy, c, n) * (ps_row_get(x, c, n) * inverse);
                    }
                }
            }
            for (int64_t c = column; c < stop; c += 16)
                ps_row_put(dweight, c, n, ps_row_get(dweight, c, n) + part[(c - column) / 16]);
        }
    }
}

/* Columns 16 * [first, end): to[c] accumulates the sums of the columns of a matrix. */
static void column_sums(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_column_sums *a = arguments;
    const int64_t n = a->from.columns, rows = a->from.rows;
    const struct ps_row_view to = ps_row_of_floats(a->to);
    int64_t last = end * 16 < n ? end * 16 : n;
    for (int64_t column = first * 16; column < last; column += COLUMNS_AT_ONCE) {
        int64_t stop = column + COLUMNS_AT_ONCE < last ? column + COLUMNS_AT_ONCE : last;
        for (int64_t row = 0; row < rows; row += SUM_ROWS) {
            ps_v16 part[COLUMNS_AT_ONCE / 16] = {0};
            for (int64_t r = row; r < rows && r < row + SUM_ROWS; r++) {
                struct ps_row_view from = ps_row_view(a->from, r);
                for (int64_t c = column; c < stop; c += 16)
                    part[(c - column) / 16] = part[(c - column) / 16] + ps_row_get(from, c, n);
            }
            for (int64_t c = column; c < stop; c += 16)
                ps_row_put(to, c, n, ps_row_get(to, c, n) + part[(c - column) / 16]);
        }
    }
}

/* ---- RoPE --------------------------------------------------------------------------------- */

/* One head in halves: column i turns with column i + half. */
PS_INLINE void turn_halves(struct ps_row_view x, const float *cosines, const float *sines,
                           int64_t half, bool backward) {
    struct ps_row_view low = x, high = ps_row_from(x, half);
    struct ps_row_view cosine = ps_row_of_floats(cosines), sine = ps_row_of_floats(sines);
    for (int64_t c = 0; c < half; c += 16) {
        ps_v16 a = ps_row_get(low, c, half), b = ps_row_get(high, c, half);
        ps_v16 cos = ps_row_get(cosine, c, half), sin = ps_row_get(sine, c, half);
        ps_row_put(low, c, half, backward ? a * cos + b * sin : a * cos - b * sin);
        ps_row_put(high, c, half, backward ? b * cos - a * sin : b * cos + a * sin);
    }
}

/* One head interleaved: column 2i turns with column 2i + 1. */
PS_INLINE void turn_interleaved(struct ps_row_view x, const float *cosines, const float *sines,
                                int64_t half, bool backward) {
    struct ps_row_view cosine = ps_row_of_floats(cosines), sine = ps_row_of_floats(sines);
    for (int64_t c = 0; c < half; c += 16) {
        ps_v16 low = ps_row_get(x, 2 * c, 2 * half);
        ps_v16 high = half - c > 8 ? ps_row_get(x, 2 * c + 16, 2 * half) : (ps_v16){0};
        ps_v16 a = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24,
                                           26, 28, 30);
        ps_v16 b = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25,
                                           27, 29, 31);
        ps_v16 cos = ps_row_get(cosine, c, half), sin = ps_row_get(sine, c, half);
        ps_v16 even = backward ? a * cos + b * sin : a * cos - b * sin;
        ps_v16 odd = backward ? b * cos - a * sin : b * cos + a * sin;
        ps_row_put(x, 2 * c, 2 * half,
                   __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
                                           22, 7, 23));
        if (half - c > 8)
            ps_row_put(x, 2 * c + 16, 2 * half,
                       __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                               29, 14, 30, 15, 31));
    }
}

static void rope(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_rope *a = arguments;
    const struct ps_rope *rope = a->rope;
    const int64_t half = rope->rotary / 2;
    for (int64_t r = first; r < end; r++) {
        const float *cosines = rope->cosines + a->positions[r] * half;
        const float *sines = rope->sines + a->positions[r] * half;
        for (int64_t h = 0; h < rope->heads; h++) {
            struct ps_row_view x =
                ps_row_from(ps_row_view(a->x, r), h * rope->head_size + rope->first);
            if (rope->layout == PS_ROPE_HALVES)
                turn_halves(x, cosines, sines, half, a->backward);
            else
                turn_interleaved(x, cosines, sines, half, a->backward);
        }
    }
}

/* ---- SwiGLU ------------------------------------------------------------------------------- */

static void swiglu(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_swiglu *a = arguments;
    const int64_t n = a->gate_up.columns / 2;
    for (int64_t r = first; r < end; r++) {
        struct ps_row_view gate = ps_row_view(a->gate_up, r), up = ps_row_from(gate, n);
        struct ps_row_view y = ps_row_view(a->y, r);
        for (int64_t c = 0; c < n; c += 16)
            ps_row_put(y, c, n, ps_math_silu_v16(ps_row_get(gate, c, n)) * ps_row_get(up, c, n));
    }
}

static void swiglu_backward(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_swiglu *a = arguments;
    const int64_t n = a->gate_up.columns / 2;
    for (int64_t r = first; r < end; r++) {
        struct ps_row_view gates = ps_row_view(a->gate_up, r), ups = ps_row_from(gates, n);
        struct ps_row_view dgate = ps_row_view(a->dgate_up, r), dup = ps_row_from(dgate, n);
        struct ps_row_view dys = ps_row_view(a->y, r);
        for (int64_t c = 0; c < n; c += 16) {
            ps_v16 gate = ps_row_get(gates, c, n), up = ps_row_get(ups, c, n);
            ps_v16 dy = ps_row_get(dys, c, n), s = ps_math_logistic_v16(gate);
            ps_row_put(dup, c, n, dy * ps_math_silu_v16(gate));
            ps_row_put(dgate, c, n, (dy * up) * (s * (1 + gate * (1 - s))));
        }
    }
}

/* ---- element by element ------------------------------------------------------------------- */

static void add(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_add *a = arguments;
    const int64_t n = a->out.columns;
    for (int64_t r = first; r < end; r++) {
        struct ps_row_view x = ps_row_view(a->a, r), y = ps_row_view(a->b, r);
        struct ps_row_view out = ps_row_view(a->out, r);
        for (int64_t c = 0; c < n; c += 16)
            ps_row_put(out, c, n, ps_row_get(x, c, n) + ps_row_get(y, c, n));
    }
}

static void convert(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_convert *a = arguments;
    const int64_t n = a->to.columns;
    for (int64_t r = first; r < end; r++) {
        struct ps_row_view from = ps_row_view(a->from, r), to = ps_row_view(a->to, r);
        for (int64_t c = 0; c < n; c += 16) {
            ps_v16u bits = (ps_v16u)ps_row_get(from, c, n);
            ps_v16u tiny = (ps_v16u)((bits & 0x7FFFFFFFu) < 0x00800000u);
            ps_row_put(to, c, n, (ps_v16)(bits & ~(tiny & 0x7FFFFFFFu)));
        }
    }
}

/* Columns 16 * [first, end): dtable row tokens[t] += dout row t, ascending in t. */
static void embedding_backward(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_embedding_backward *a = arguments;
    const int64_t columns = a->dout.columns;
    const int64_t n = end * 16 < columns ? end * 16 : columns;
    for (int64_t t = 0; t < a->dout.rows; t++) {
        struct ps_row_view from = ps_row_view(a->dout, t);
        struct ps_row_view to = ps_row_of_floats(a->dtable + a->tokens[t] * columns);
        for (int64_t c = first * 16; c < n; c += 16)
            ps_row_put(to, c, n, ps_row_get(to, c, n) + ps_row_get(from, c, n));
    }
}

/* ---- optimizer ---------------------------------------------------------------------------- */

PS_INLINE ps_v16 square_root(ps_v16 x) {
    float lane[16];
    ps_store_f(lane, x);
    for (int i = 0; i < 16; i++) lane[i] = sqrtf(lane[i]);
    return ps_load_f(lane);
}

/* Elements 16 * [first, end). */
static void adamw(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_adamw *a = arguments;
    const struct ps_adamw *config = a->config;
    const int64_t n = end * 16 < a->n ? end * 16 : a->n;
    const bool bf16 = config->moments == PS_DTYPE_BF16;
    struct ps_row_view master = ps_row_of_floats(a->master);
    struct ps_row_view gradient = ps_row_of_floats(a->gradient);
    struct ps_row_view ms = {a->m, bf16}, vs = {a->v, bf16};
    const float keep1 = config->beta1, keep2 = config->beta2, take1 = 1 - keep1, take2 = 1 - keep2;
    const ps_v16 epsilon = ps_splat(config->epsilon);
    for (int64_t i = first * 16; i < n; i += 16) {
        ps_v16 g = ps_row_get(gradient, i, n) * config->gradient_scale;
        ps_v16 w = ps_row_get(master, i, n);
        ps_v16 m = keep1 * ps_row_get(ms, i, n) + take1 * g;
        ps_v16 v = keep2 * ps_row_get(vs, i, n) + take2 * (g * g);
        ps_v16 root = square_root(v / a->correction2);
        ps_v16 step = config->weight_decay * w + (m / a->correction1) / (root + epsilon);
        ps_row_put(master, i, n, w - config->learning_rate * step);
        ps_row_put(ms, i, n, m);
        ps_row_put(vs, i, n, v);
    }
}

/* Chunks [first, end) of 65,536. */
static void square_sum(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_square_sum *a = arguments;
    for (int64_t chunk = first; chunk < end; chunk++) {
        int64_t from = chunk * PS_CPU_SQUARE_CHUNK, to = from + PS_CPU_SQUARE_CHUNK;
        if (to > a->n) to = a->n;
        double lane[16] = {0};
        for (; from + 16 <= to; from += 16)
            for (int l = 0; l < 16; l++)
                lane[l] = lane[l] + (double)a->values[from + l] * (double)a->values[from + l];
        for (int l = 0; from < to; from++, l++)
            lane[l] = lane[l] + (double)a->values[from] * (double)a->values[from];
        for (int width = 8; width > 0; width /= 2)
            for (int l = 0; l < width; l++) lane[l] = lane[l] + lane[l + width];
        a->parts[chunk] = lane[0];
    }
}

/* ---- experts ------------------------------------------------------------------------------ */

/* y row t = sum over ranks of weight * sorted row place[t * K + rank]. */
static void combine(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_combine *a = arguments;
    const int64_t n = a->y.columns;
    for (int64_t t = first; t < end; t++) {
        struct ps_row_view y = ps_row_view(a->y, t);
        for (int64_t c = 0; c < n; c += 16) {
            ps_v16 sum = {0};
            for (int64_t rank = t * a->per_token; rank < (t + 1) * a->per_token; rank++) {
                ps_v16 x = ps_row_get(ps_row_view(a->sorted, a->place[rank]), c, n);
                sum = sum + (a->weights ? x * a->weights[rank] : x);
            }
            ps_row_put(y, c, n, a->accumulate ? ps_row_get(y, c, n) + sum : sum);
        }
    }
}

static void combine_backward(const void *arguments, int64_t first, int64_t end) {
    const struct ps_cpu_combine_backward *a = arguments;
    const int64_t n = a->dy.columns;
    for (int64_t t = first; t < end; t++) {
        struct ps_row_view dy = ps_row_view(a->dy, t);
        for (int64_t rank = t * a->per_token; rank < (t + 1) * a->per_token; rank++) {
            struct ps_row_view x = ps_row_view(a->sorted, a->place[rank]);
            struct ps_row_view dx = ps_row_view(a->dsorted, a->place[rank]);
            ps_v16 products = {0};
            for (int64_t c = 0; c < n; c += 16) {
                ps_v16 d = ps_row_get(dy, c, n);
                products = products + d * ps_row_get(x, c, n);
                ps_row_put(dx, c, n, d * a->weights[rank]);
            }
            a->dweights[rank] = ps_v16_fold(products);
        }
    }
}

const struct ps_cpu_tasks PS_CPU_NAME(ps_cpu_tasks) = {
    .rms_norm = rms_norm,
    .rms_norm_input_gradient = rms_norm_input_gradient,
    .rms_norm_weight_gradient = rms_norm_weight_gradient,
    .column_sums = column_sums,
    .rope = rope,
    .swiglu = swiglu,
    .swiglu_backward = swiglu_backward,
    .add = add,
    .convert = convert,
    .embedding_backward = embedding_backward,
    .adamw = adamw,
    .square_sum = square_sum,
    .combine = combine,
    .combine_backward = combine_backward,
};
