/* Linear layers. A weight is kept packed as a B operand, once for the forward and, where the input
 * gradient is used, once more transposed. FP8 weights are the reference's.
 *
 * A product is spread over threads by rows of x where there are many, so that each thread packs its
 * own rows and nobody waits; else by panels of the weight, so that each byte of it is read once. */

#include "base/memory.h"
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/tasks_internal.h"
#include "compute/cpu/weight_internal.h"

enum { GRADIENT_ROWS = PS_CPU_GRADIENT_ROWS };
enum { ROWS_OF_A_THREAD = 128 }; /* at least, where rows are what threads share */

/* ---- products over threads ---------------------------------------------------------------- */

struct spread {
    struct ps_cpu_stream *stream;
    const struct ps_cpu_product *product;
};

static void by_panels(const void *arguments, int64_t first, int64_t end) {
    const struct spread *s = arguments;
    ps_cpu_product_part(s->stream->kernels, s->product, 0, s->product->a.rows, first, end,
                        ps_cpu_thread_scratch(s->stream, ps_cpu_thread()));
}

static void by_tiles(const void *arguments, int64_t first, int64_t end) {
    const struct spread *s = arguments;
    const int64_t tile = s->stream->kernels->tile_rows, lanes = s->stream->kernels->lanes;
    int64_t row = first * tile, row_end = end * tile;
    if (row_end > s->product->a.rows) row_end = s->product->a.rows;
    ps_cpu_product_part(s->stream->kernels, s->product, row, row_end - row, 0,
                        (s->product->y.columns + lanes - 1) / lanes,
                        ps_cpu_thread_scratch(s->stream, ps_cpu_thread()));
}

/* Nanoseconds of a product on one thread: some 250 operations and 20 bytes of B in each. */
static double product_time(double rows, double columns, double k, double element) {
    return rows * columns * k / 125 + columns * k * element / 20;
}

void ps_cpu_multiply(struct ps_stream *stream, const struct ps_cpu_product *product) {
    struct ps_cpu_stream *own = ps_cpu_stream(stream);
    struct spread spread = {own, product};
    const int64_t rows = product->a.rows, tile = own->kernels->tile_rows;
    const int64_t panels = (product->y.columns + own->kernels->lanes - 1) / own->kernels->lanes;
    const int64_t tiles = (rows + tile - 1) / tile;
    double time = product_time((double)rows, (double)product->y.columns, (double)product->a.k,
                               product->bf16 ? 2 : 4);
    assert(ps_cpu_product_scratch(product->a.k) <= own->thread_bytes);
    if (rows == 0) return;
    if (rows >= ROWS_OF_A_THREAD * own->threads || panels < own->threads)
        ps_cpu_run(stream, by_tiles, &spread, tiles, time / (double)tiles);
    else
        ps_cpu_run_whole(stream, by_panels, &spread, panels, time / (double)panels);
}

/* ---- forward and input gradient ----------------------------------------------------------- */

static struct ps_cpu_product weight_product(const struct ps_weight *weight, bool transposed,
                                            struct ps_matrix x, struct ps_matrix y) {
    const void *packed = transposed ? weight->packed_transposed : weight->packed;
    assert(packed && y.rows == x.rows);
    assert(x.columns == (transposed ? weight->description.outputs : weight->description.inputs));
    assert(y.columns == (transposed ? weight->description.inputs : weight->description.outputs));
    return (struct ps_cpu_product){
        .a = ps_cpu_source(x),
        .b = packed,
        .bf16 = weight->description.format == PS_WEIGHT_BF16,
        .y = y,
    };
}

static void forward(struct ps_stream *stream, const struct ps_weight *weight, struct ps_matrix x,
                    const float *bias, struct ps_matrix y) {
    if (weight->reference) {
        ps_reference_linear.forward(stream, weight->reference, x, bias, y);
        return;
    }
    struct ps_cpu_product product = weight_product(weight, false, x, y);
    product.bias = bias;
    ps_cpu_multiply(stream, &product);
}

static void input_gradient(struct ps_stream *stream, const struct ps_weight *weight,
                           struct ps_matrix dy, struct ps_matrix dx, bool accumulate) {
    if (weight->reference) {
        ps_reference_linear.input_gradient(stream, weight->reference, dy, dx, accumulate);
        return;
    }
    struct ps_cpu_product product = weight_product(weight, true, dy, dx);
    product.accumulate = accumulate;
    ps_cpu_multiply(stream, &product);
}

/* ---- weight gradient ---------------------------------------------------------------------- */

struct pack {
    struct ps_cpu_stream *stream;
    struct ps_cpu_source source;
    bool bf16;
    char *to;
};

static void pack_panels(const void *arguments, int64_t first, int64_t end) {
    const struct pack *pack = arguments;
    const struct ps_cpu_kernels *kernels = pack->stream->kernels;
    int64_t row = first * kernels->lanes, row_end = end * kernels->lanes;
    if (row_end > pack->source.rows) row_end = pack->source.rows;
    kernels->pack_b(&pack->source, row, row_end - row, pack->bf16,
                    pack->to + ps_cpu_packed_b_bytes(kernels, row, pack->source.k, pack->bf16));
}

void ps_cpu_pack(struct ps_stream *stream, struct ps_cpu_source source, bool bf16, void *to) {
    struct pack pack = {ps_cpu_stream(stream), source, bf16, to};
    int64_t lanes = pack.stream->kernels->lanes;
    ps_cpu_run(stream, pack_panels, &pack, (source.rows + lanes - 1) / lanes,
               0.15 * (double)(lanes * source.k));
}

static void bias_gradient(struct ps_stream *stream, struct ps_matrix dy, float *db) {
    struct ps_cpu_column_sums sums = {dy, db};
    ps_cpu_run(stream, ps_cpu_stream(stream)->kernels->tasks->column_sums, &sums,
               (dy.columns + 15) / 16, 2.0 * (double)dy.rows);
}

void ps_cpu_weight_gradient(struct ps_stream *stream, int64_t chunk, bool bf16, struct ps_matrix dy,
                            struct ps_matrix x, float *dw) {
    assert(dy.rows == x.rows);
    for (int64_t first = 0; first < x.rows; first += chunk) {
        int64_t count = ps_min(chunk, x.rows - first);
        void *packed = ps_cpu_stream(stream)->shared_scratch;
        ps_cpu_pack(stream, ps_cpu_transposed(ps_matrix_rows(x, first, count)), bf16, packed);
        struct ps_cpu_product product = {
            .a = ps_cpu_transposed(ps_matrix_rows(dy, first, count)),
            .b = packed,
            .bf16 = bf16,
            .y = ps_matrix(dw, PS_DTYPE_F32, dy.columns, x.columns),
            .accumulate = true,
        };
        ps_cpu_multiply(stream, &product);
    }
}

static void weight_gradient(struct ps_stream *stream, enum ps_weight_format format,
                            struct ps_matrix dy, struct ps_matrix x, float *dw, float *db) {
    if (format == PS_WEIGHT_FP8) {
        ps_reference_linear.weight_gradient(stream, format, dy, x, dw, db);
        return;
    }
    ps_cpu_weight_gradient(stream, GRADIENT_ROWS, format == PS_WEIGHT_BF16, dy, x, dw);
    if (db) bias_gradient(stream, dy, db);
}

/* ---- experts ------------------------------------------------------------------------------ */

struct grouped {
    struct ps_cpu_stream *stream;
    struct ps_weight *const *weights;
    int64_t experts;
    const int32_t *offsets;
    struct ps_matrix x, y;
    bool transposed, bf16;
    float *const *dw;
};

/* Rows [first, end) of all experts' rows. */
static void grouped_rows(const void *arguments, int64_t first, int64_t end) {
    const struct grouped *g = arguments;
    const int64_t lanes = g->stream->kernels->lanes;
    for (int64_t e = 0; e < g->experts; e++) {
        int64_t row = g->offsets[e] > first ? g->offsets[e] : first;
        int64_t row_end = g->offsets[e + 1] < end ? g->offsets[e + 1] : end;
        if (row >= row_end) continue;
        struct ps_cpu_product product = weight_product(g->weights[e], g->transposed, g->x, g->y);
        ps_cpu_product_part(g->stream->kernels, &product, row, row_end - row, 0,
                            (g->y.columns + lanes - 1) / lanes,
                            ps_cpu_thread_scratch(g->stream, ps_cpu_thread()));
    }
}

static void run_grouped(struct ps_stream *stream, struct ps_weight *const *weights, int64_t experts,
                        const int32_t *offsets, struct ps_matrix x, struct ps_matrix y,
                        bool transposed) {
    struct grouped grouped = {
        .stream = ps_cpu_stream(stream),
        .weights = weights,
        .experts = experts,
        .offsets = offsets,
        .x = x,
        .y = y,
        .transposed = transposed,
    };
    int64_t rows = offsets[experts], used = rows < experts ? rows : experts;
    if (rows == 0) return;
    double read = product_time(0, (double)(used * y.columns), (double)x.columns, 2);
    double time = product_time((double)rows, (double)y.columns, (double)x.columns, 0) + read;
    ps_cpu_run(stream, grouped_rows, &grouped, rows, time / (double)rows);
}

static void grouped_forward(struct ps_stream *stream, struct ps_weight *const *weights,
                            int64_t experts, const int32_t *offsets, struct ps_matrix x,
                            struct ps_matrix y) {
    if (experts > 0 && weights[0]->reference) {
        for (int64_t e = 0; e < experts; e++) {
            int64_t count = offsets[e + 1] - offsets[e];
            forward(stream, weights[e], ps_matrix_rows(x, offsets[e], count), NULL,
                    ps_matrix_rows(y, offsets[e], count));
        }
        return;
    }
    run_grouped(stream, weights, experts, offsets, x, y, false);
}

static void grouped_input_gradient(struct ps_stream *stream, struct ps_weight *const *weights,
                                   int64_t experts, const int32_t *offsets, struct ps_matrix dy,
                                   struct ps_matrix dx) {
    if (experts > 0 && weights[0]->reference) {
        for (int64_t e = 0; e < experts; e++) {
            int64_t count = offsets[e + 1] - offsets[e];
            input_gradient(stream, weights[e], ps_matrix_rows(dy, offsets[e], count),
                           ps_matrix_rows(dx, offsets[e], count), false);
        }
        return;
    }
    run_grouped(stream, weights, experts, offsets, dy, dx, true);
}

/* Panels [first, end) of every expert's gradient: this thread packs them for itself. */
static void grouped_gradient_panels(const void *arguments, int64_t first, int64_t end) {
    const struct grouped *g = arguments; /* y is dy */
    const struct ps_cpu_kernels *kernels = g->stream->kernels;
    const int64_t lanes = kernels->lanes, column = first * lanes;
    const int64_t columns = ps_min(end * lanes, g->x.columns) - column;
    char *packed =
        g->stream->shared_scratch + ps_cpu_packed_b_bytes(kernels, column, GRADIENT_ROWS, g->bf16);
    for (int64_t e = 0; e < g->experts; e++) {
        for (int64_t row = g->offsets[e]; row < g->offsets[e + 1]; row += GRADIENT_ROWS) {
            int64_t count = ps_min(GRADIENT_ROWS, g->offsets[e + 1] - row);
            struct ps_cpu_source x = ps_cpu_transposed(ps_matrix_rows(g->x, row, count));
            struct ps_matrix dw = ps_matrix(g->dw[e], PS_DTYPE_F32, g->y.columns, g->x.columns);
            struct ps_cpu_product product = {
                .a = ps_cpu_transposed(ps_matrix_rows(g->y, row, count)),
                .b = packed,
                .bf16 = g->bf16,
                .y = ps_matrix_columns(dw, column, columns),
                .accumulate = true,
            };
            kernels->pack_b(&x, column, columns, g->bf16, packed);
            ps_cpu_product_part(kernels, &product, 0, product.a.rows, 0, end - first,
                                ps_cpu_thread_scratch(g->stream, ps_cpu_thread()));
        }
    }
}

static void grouped_weight_gradient(struct ps_stream *stream, enum ps_weight_format format,
                                    int64_t experts, const int32_t *offsets, struct ps_matrix dy,
                                    struct ps_matrix x, float *const *dw) {
    if (format == PS_WEIGHT_FP8) {
        ps_reference_linear.grouped_weight_gradient(stream, format, experts, offsets, dy, x, dw);
        return;
    }
    struct grouped grouped = {
        .stream = ps_cpu_stream(stream),
        .experts = experts,
        .offsets = offsets,
        .x = x,
        .y = dy,
        .bf16 = format == PS_WEIGHT_BF16,
        .dw = dw,
    };
    int64_t lanes = grouped.stream->kernels->lanes, panels = (x.columns + lanes - 1) / lanes;
    double time = product_time((double)dy.columns, (double)lanes, (double)offsets[experts], 2);
    ps_cpu_run_whole(stream, grouped_gradient_panels, &grouped, panels, time);
}

const struct ps_linear_operations ps_cpu_linear = {
    .create = ps_cpu_weight_create,
    .release = ps_cpu_weight_release,
    .bytes = ps_cpu_weight_bytes,
    .load = ps_cpu_weight_load,
    .map = ps_cpu_weight_map,
    .update = ps_cpu_weight_update,
    .evict = ps_cpu_weight_evict,
    .forward = forward,
    .input_gradient = input_gradient,
    .weight_gradient = weight_gradient,
    .grouped_forward = grouped_forward,
    .grouped_input_gradient = grouped_input_gradient,
    .grouped_weight_gradient = grouped_weight_gradient,
};
