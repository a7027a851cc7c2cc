/* Linear layers: every number is a dot product of docs/numerics.md.
 *
 * A weight is a row-major matrix in its own format, with one scale for each 128 x 128 in FP8. The
 * forward multiplies by its rows ("lines" of `inputs` elements), the input gradient by its columns
 * (lines of `outputs` elements); what is done with a line is the same. */

#include "base/memory.h"
#include "compute/fp8_internal.h"
#include "compute/reference/reference_internal.h"

enum { BLOCK_ROWS = 32, GRADIENT_ROWS = 1024 };

struct ps_weight {
    struct ps_weight_description description; /* the first: reference_internal.h */
    struct ps_compute *compute;
    struct ps_matrix values; /* F32, BF16 or F8_E4M3; data NULL: evicted, or nothing loaded yet */
    void *owned;             /* values.data, unless that is mapped */
    float *scales;           /* FP8: [ceil(outputs / 128), ceil(inputs / 128)] */
    bool exact;              /* FP8: code * scale is a BF16 number for every scale */
};

static const enum ps_dtype native[] = {
    [PS_WEIGHT_F32] = PS_DTYPE_F32,
    [PS_WEIGHT_BF16] = PS_DTYPE_BF16,
    [PS_WEIGHT_FP8] = PS_DTYPE_F8_E4M3,
};

static int64_t tiles(int64_t n) {
    return (n + PS_FP8_TILE - 1) / PS_FP8_TILE;
}

/* ---- keeping weights ---------------------------------------------------------------------- */

static void release(struct ps_weight *weight) {
    if (!weight) return;
    ps_free(weight->owned);
    ps_free(weight->scales);
    ps_free(weight);
}

static enum ps_status create(struct ps_compute *compute,
                             const struct ps_weight_description *description,
                             struct ps_weight **weight, struct ps_error *error) {
    struct ps_weight *made = ps_calloc(1, sizeof *made);
    PS_FAIL_IF_NULL(made, error);
    made->compute = compute;
    made->description = *description;
    made->values =
        ps_matrix(NULL, native[description->format], description->outputs, description->inputs);
    if (description->format == PS_WEIGHT_FP8) {
        size_t count = (size_t)(tiles(description->outputs) * tiles(description->inputs));
        made->scales = ps_calloc(count, sizeof(float));
        if (!made->scales) {
            ps_free(made);
            return ps_error_set(error, PS_MEMORY, "out of memory");
        }
        for (size_t i = 0; i < count; i++) made->scales[i] = 1;
        made->exact = true;
    }
    *weight = made;
    return PS_OK;
}

static size_t bytes(const struct ps_weight *weight) {
    const struct ps_weight_description *d = &weight->description;
    size_t scales = weight->scales ? (size_t)(tiles(d->outputs) * tiles(d->inputs)) * 4 : 0;
    size_t values = (size_t)(d->outputs * d->inputs) * ps_dtype_size(weight->values.dtype);
    return scales + (weight->values.data ? values : 0);
}

static void evict(struct ps_stream *stream, struct ps_weight *weight) {
    (void)stream;
    ps_free(weight->owned);
    weight->owned = weight->values.data = NULL;
}

/* Memory of its own to load into; false, with an error in the stream, when there is none. */
static bool own(struct ps_stream *stream, struct ps_weight *weight) {
    if (weight->owned) return true;
    const struct ps_weight_description *d = &weight->description;
    size_t size = (size_t)(d->outputs * d->inputs) * ps_dtype_size(weight->values.dtype);
    weight->owned = ps_reference_memory.allocate(weight->compute, size);
    if (!weight->owned) {
        if (stream->error.status == PS_OK)
            ps_error_set(&stream->error, PS_MEMORY, "out of memory for a weight of %zu bytes",
                         size);
        return false;
    }
    memset(weight->owned, 0, size);
    weight->values = ps_matrix(weight->owned, weight->values.dtype, d->outputs, d->inputs);
    return true;
}

static void take_scales(struct ps_weight *weight, int64_t first_row, int64_t rows,
                        const float *scales) {
    int64_t across = tiles(weight->description.inputs);
    assert(first_row % PS_FP8_TILE == 0 && scales);
    memcpy(weight->scales + first_row / PS_FP8_TILE * across, scales,
           (size_t)(tiles(rows) * across) * sizeof *scales);
}

static void examine_scales(struct ps_weight *weight) {
    const struct ps_weight_description *d = &weight->description;
    weight->exact = true;
    for (int64_t i = 0; i < tiles(d->outputs) * tiles(d->inputs); i++)
        weight->exact = weight->exact && ps_fp8_scale_is_exact(weight->scales[i]);
}

void ps_reference_checkpoint_row(float *to, struct ps_matrix values, int64_t row,
                                 const float *scales) {
    const char *from =
        (const char *)values.data + (size_t)(row * values.stride) * ps_dtype_size(values.dtype);
    enum ps_status status = ps_tensor_to_f32(to, values.dtype, from, (size_t)values.columns, NULL);
    assert(status == PS_OK);
    (void)status;
    for (int64_t c = 0; c < values.columns; c++) {
        to[c] = ps_flush(to[c]);
        if (values.dtype == PS_DTYPE_F8_E4M3)
            to[c] = to[c] * scales[row / PS_FP8_TILE * tiles(values.columns) + c / PS_FP8_TILE];
    }
}

/* Floats are quantised block by block: 128 columns of up to 128 rows at a time. */
static void quantise_rows(struct ps_stream *stream, struct ps_weight *weight, int64_t first_row,
                          struct ps_matrix values) {
    int64_t bad = 0, across = tiles(values.columns);
    size_t size = ps_dtype_size(values.dtype);
    float *block = ps_scratch(stream, PS_FP8_TILE * PS_FP8_TILE);
    float *scales = weight->scales + first_row / PS_FP8_TILE * across;
    assert(first_row % PS_FP8_TILE == 0);
    for (int64_t r = 0; r < values.rows; r += PS_FP8_TILE) {
        for (int64_t c = 0; c < values.columns; c += PS_FP8_TILE) {
            struct ps_matrix part = ps_matrix_columns(values, c, ps_min(128, values.columns - c));
            part = ps_matrix_rows(part, r, ps_min(PS_FP8_TILE, values.rows - r));
            for (int64_t i = 0; i < part.rows; i++)
                ps_tensor_to_f32(block + i * part.columns, part.dtype,
                                 (char *)part.data + (size_t)(i * part.stride) * size,
                                 (size_t)part.columns, NULL);
            struct ps_matrix tile = ps_matrix(block, PS_DTYPE_F32, part.rows, part.columns);
            uint8_t *codes = (uint8_t *)weight->owned + (first_row + r) * weight->values.stride + c;
            scales[r / PS_FP8_TILE * across + c / PS_FP8_TILE] =
                ps_reference_quantise_tile(tile, codes, weight->values.stride, 1, &bad);
        }
    }
    ps_reference_report_bad(stream, bad, "a weight");
}

static void load(struct ps_stream *stream, struct ps_weight *weight, int64_t first_row,
                 struct ps_matrix values, const float *scales) {
    struct ps_operation operation = ps_begin(stream);
    const struct ps_weight_description *d = &weight->description;
    assert(values.columns == d->inputs && values.rows <= d->outputs - first_row);
    if (own(stream, weight)) {
        if (d->format != PS_WEIGHT_FP8) {
            float *row = ps_scratch(stream, values.columns);
            struct ps_matrix target = ps_matrix_rows(weight->values, first_row, values.rows);
            for (int64_t r = 0; r < values.rows; r++) {
                ps_reference_checkpoint_row(row, values, r, scales);
                for (int64_t c = 0; c < values.columns; c++) ps_put(target, r, c, row[c]);
            }
        } else if (values.dtype == PS_DTYPE_F8_E4M3) {
            for (int64_t r = 0; r < values.rows; r++)
                memcpy((char *)weight->owned + (first_row + r) * d->inputs,
                       (char *)values.data + r * values.stride, (size_t)d->inputs);
            take_scales(weight, first_row, values.rows, scales);
        } else {
            quantise_rows(stream, weight, first_row, values);
        }
        if (weight->scales) examine_scales(weight);
    }
    ps_end(stream, operation);
}

static void map(struct ps_stream *stream, struct ps_weight *weight, struct ps_matrix values,
                const float *scales) {
    assert(values.rows == weight->description.outputs);
    if (values.dtype != weight->values.dtype ||
        (uintptr_t)values.data % ps_dtype_size(values.dtype) != 0) {
        load(stream, weight, 0, values, scales);
        return;
    }
    assert(values.columns == weight->description.inputs);
    evict(stream, weight);
    weight->values = values;
    if (weight->scales) {
        take_scales(weight, 0, values.rows, scales);
        examine_scales(weight);
    }
}

static void update(struct ps_stream *stream, struct ps_weight *weight, const float *master) {
    const struct ps_weight_description *d = &weight->description;
    load(stream, weight, 0, ps_matrix((float *)master, PS_DTYPE_F32, d->outputs, d->inputs), NULL);
}

/* ---- products ----------------------------------------------------------------------------- */

static float scale_at(const struct ps_weight *weight, int64_t row, int64_t column) {
    return weight
        ->scales[row / PS_FP8_TILE * tiles(weight->description.inputs) + column / PS_FP8_TILE];
}

/* Row or (transposed) column `index` as the operand of a dot product: values, or in FP8 with
 * arbitrary scales the bare codes. */
static void get_line(float *line, const struct ps_weight *weight, bool transposed, int64_t index) {
    struct ps_matrix values = weight->values;
    int64_t n = transposed ? values.rows : values.columns;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = transposed ? i : index, column = transposed ? index : i;
        if (values.dtype == PS_DTYPE_F8_E4M3) {
            line[i] = ps_f32_from_e4m3(((uint8_t *)values.data)[row * values.stride + column]);
            if (weight->exact) line[i] = line[i] * scale_at(weight, row, column);
        } else {
            line[i] = ps_get(values, row, column);
        }
    }
}

static float multiply_line(const struct ps_weight *weight, bool transposed, int64_t index,
                           const float *x, const float *line, int64_t n) {
    if (weight->values.dtype != PS_DTYPE_F8_E4M3 || weight->exact) return ps_dot(x, line, n);
    float total = 0;
    for (int64_t i = 0; i < n; i += PS_FP8_TILE) {
        float scale = transposed ? scale_at(weight, i, index) : scale_at(weight, index, i);
        total = total + ps_dot(x + i, line + i, ps_min(PS_FP8_TILE, n - i)) * scale;
    }
    return total;
}

/* y = x W^T + bias, or with `transposed` y = x W; `accumulate`: added to what is in y. */
static void multiply(struct ps_stream *stream, const struct ps_weight *weight, bool transposed,
                     struct ps_matrix x, const float *bias, struct ps_matrix y, bool accumulate) {
    int64_t bad = 0, n = transposed ? weight->description.outputs : weight->description.inputs;
    float *line = ps_scratch(stream, n), *rows = ps_scratch(stream, BLOCK_ROWS * n);
    assert(weight->values.data);
    assert(x.columns == n && y.rows == x.rows);
    assert(y.columns == (transposed ? weight->description.inputs : weight->description.outputs));
    for (int64_t first = 0; first < x.rows; first += BLOCK_ROWS) {
        int64_t count = ps_min(BLOCK_ROWS, x.rows - first);
        for (int64_t r = 0; r < count; r++) {
            ps_get_row(rows + r * n, x, first + r);
            if (weight->description.format == PS_WEIGHT_FP8)
                ps_reference_quantise_line(rows + r * n, n, &bad);
        }
        for (int64_t o = 0; o < y.columns; o++) {
            get_line(line, weight, transposed, o);
            for (int64_t r = 0; r < count; r++) {
                float total = multiply_line(weight, transposed, o, rows + r * n, line, n);
                if (bias) total = total + bias[o];
                if (accumulate) total = ps_get(y, first + r, o) + total;
                ps_put(y, first + r, o, total);
            }
        }
    }
    ps_reference_report_bad(stream, bad, "the input of a linear layer");
}

static void forward(struct ps_stream *stream, const struct ps_weight *weight, struct ps_matrix x,
                    const float *bias, struct ps_matrix y) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, x);
    ps_check_limits(stream, y);
    multiply(stream, weight, false, x, bias, y, false);
    ps_end(stream, operation);
}

static void input_gradient(struct ps_stream *stream, const struct ps_weight *weight,
                           struct ps_matrix dy, struct ps_matrix dx, bool accumulate) {
    struct ps_operation operation = ps_begin(stream);
    ps_check_limits(stream, dy);
    ps_check_limits(stream, dx);
    multiply(stream, weight, true, dy, NULL, dx, accumulate);
    ps_end(stream, operation);
}

/* Columns [first, first + count) as lines of GRADIENT_ROWS. */
static void get_columns(float *lines, enum ps_weight_format format, struct ps_matrix m,
                        int64_t first, int64_t count, int64_t *bad) {
    for (int64_t c = 0; c < count; c++) {
        ps_get_column(lines + c * GRADIENT_ROWS, m, first + c);
        if (format == PS_WEIGHT_FP8)
            ps_reference_quantise_line(lines + c * GRADIENT_ROWS, m.rows, bad);
    }
}

/* dw += dy^T x over at most 1,024 rows. */
static void gradient_chunk(struct ps_stream *stream, enum ps_weight_format format,
                           struct ps_matrix dy, struct ps_matrix x, float *dw) {
    int64_t bad = 0;
    float *of_dy = ps_scratch(stream, GRADIENT_ROWS);
    float *of_x = ps_scratch(stream, BLOCK_ROWS * GRADIENT_ROWS);
    for (int64_t first = 0; first < x.columns; first += BLOCK_ROWS) {
        int64_t count = ps_min(BLOCK_ROWS, x.columns - first);
        get_columns(of_x, format, x, first, count, &bad);
        for (int64_t o = 0; o < dy.columns; o++) {
            float *row = dw + o * x.columns + first;
            get_columns(of_dy, format, dy, o, 1, &bad);
            for (int64_t i = 0; i < count; i++)
                row[i] = row[i] + ps_dot(of_dy, of_x + i * GRADIENT_ROWS, dy.rows);
        }
    }
    ps_reference_report_bad(stream, bad, "a weight's gradient");
}

static void bias_gradient(struct ps_matrix dy, float *db) {
    for (int64_t first = 0; first < dy.rows; first += 64) {
        int64_t end = ps_min(first + 64, dy.rows);
        for (int64_t o = 0; o < dy.columns; o++) {
            float sum = 0;
            for (int64_t t = first; t < end; t++) sum = sum + ps_get(dy, t, o);
            db[o] = db[o] + sum;
        }
    }
}

static void weight_gradient(struct ps_stream *stream, enum ps_weight_format format,
                            struct ps_matrix dy, struct ps_matrix x, float *dw, float *db) {
    assert(dy.rows == x.rows);
    ps_check_limits(stream, dy);
    ps_check_limits(stream, x);
    for (int64_t first = 0; first < x.rows; first += GRADIENT_ROWS) {
        struct ps_operation operation = ps_begin(stream);
        int64_t count = ps_min(GRADIENT_ROWS, x.rows - first);
        gradient_chunk(stream, format, ps_matrix_rows(dy, first, count),
                       ps_matrix_rows(x, first, count), dw);
        ps_end(stream, operation);
    }
    struct ps_operation operation = ps_begin(stream);
    if (db) bias_gradient(dy, db);
    ps_end(stream, operation);
}

/* ---- experts ------------------------------------------------------------------------------ */

static struct ps_matrix expert_rows(struct ps_matrix m, const int32_t *offsets, int64_t expert) {
    return ps_matrix_rows(m, offsets[expert], offsets[expert + 1] - offsets[expert]);
}

static void grouped_forward(struct ps_stream *stream, struct ps_weight *const *weights,
                            int64_t experts, const int32_t *offsets, struct ps_matrix x,
                            struct ps_matrix y) {
    for (int64_t e = 0; e < experts; e++)
        forward(stream, weights[e], expert_rows(x, offsets, e), NULL, expert_rows(y, offsets, e));
}

static void grouped_input_gradient(struct ps_stream *stream, struct ps_weight *const *weights,
                                   int64_t experts, const int32_t *offsets, struct ps_matrix dy,
                                   struct ps_matrix dx) {
    for (int64_t e = 0; e < experts; e++)
        input_gradient(stream, weights[e], expert_rows(dy, offsets, e), expert_rows(dx, offsets, e),
                       false);
}

static void grouped_weight_gradient(struct ps_stream *stream, enum ps_weight_format format,
                                    int64_t experts, const int32_t *offsets, struct ps_matrix dy,
                                    struct ps_matrix x, float *const *dw) {
    for (int64_t e = 0; e < experts; e++)
        weight_gradient(stream, format, expert_rows(dy, offsets, e), expert_rows(x, offsets, e),
                        dw[e], NULL);
}

const struct ps_linear_operations ps_reference_linear = {
    .create = create,
    .release = release,
    .bytes = bytes,
    .load = load,
    .map = map,
    .update = update,
    .evict = evict,
    .forward = forward,
    .input_gradient = input_gradient,
    .weight_gradient = weight_gradient,
    .grouped_forward = grouped_forward,
    .grouped_input_gradient = grouped_input_gradient,
    .grouped_weight_gradient = grouped_weight_gradient,
};
