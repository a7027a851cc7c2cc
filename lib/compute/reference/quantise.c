/* FP8 codes and scales: docs/numerics.md, "FP8". */

#include "compute/fp8_internal.h"
#include "compute/reference/reference_internal.h"

float ps_reference_quantise_tile(struct ps_matrix tile, uint8_t *codes, int64_t row_step,
                                 int64_t column_step, int64_t *bad) {
    float amax = 0;
    for (int64_t r = 0; r < tile.rows; r++) {
        for (int64_t c = 0; c < tile.columns; c++) {
            float x = fabsf(ps_round(PS_DTYPE_BF16, ps_get(tile, r, c)));
            if (isfinite(x) && x > amax) amax = x;
        }
    }
    int exponent = ps_fp8_exponent(amax);
    for (int64_t r = 0; r < tile.rows; r++) {
        for (int64_t c = 0; c < tile.columns; c++) {
            float x = ps_round(PS_DTYPE_BF16, ps_get(tile, r, c));
            uint8_t *code = codes + r * row_step + c * column_step;
            *code = isfinite(x) ? ps_e4m3_from_f32(x * ps_power_of_two(-exponent)) : 0;
            *bad += !isfinite(x);
        }
    }
    return ps_power_of_two(exponent);
}

void ps_reference_quantise_line(float *x, int64_t n, int64_t *bad) {
    for (int64_t first = 0; first < n; first += PS_FP8_TILE) {
        int64_t count = ps_min(PS_FP8_TILE, n - first);
        uint8_t codes[PS_FP8_TILE];
        float scale = ps_reference_quantise_tile(ps_matrix(x + first, PS_DTYPE_F32, 1, count),
                                                 codes, count, 1, bad);
        for (int64_t i = 0; i < count; i++) x[first + i] = ps_f32_from_e4m3(codes[i]) * scale;
    }
}

/* Tiles of height x width; codes as ps_reference_quantise_tile has them, and the scale of the tile
 * (i, j) at scales[i * scale_row_step + j * scale_column_step]. */
static void quantise(struct ps_matrix x, int64_t height, int64_t width, uint8_t *codes,
                     int64_t row_step, int64_t column_step, float *scales, int64_t scale_row_step,
                     int64_t scale_column_step, int64_t *bad) {
    for (int64_t r = 0; r < x.rows; r += height) {
        for (int64_t c = 0; c < x.columns; c += width) {
            struct ps_matrix tile = ps_matrix_rows(x, r, ps_min(height, x.rows - r));
            tile = ps_matrix_columns(tile, c, ps_min(width, x.columns - c));
            scales[r / height * scale_row_step + c / width * scale_column_step] =
                ps_reference_quantise_tile(tile, codes + r * row_step + c * column_step, row_step,
                                           column_step, bad);
        }
    }
}

static int64_t tiles(int64_t n) {
    return (n + PS_FP8_TILE - 1) / PS_FP8_TILE;
}

static void rows(struct ps_stream *stream, struct ps_matrix x, uint8_t *codes, float *scales,
                 int64_t *bad) {
    struct ps_operation operation = ps_begin(stream);
    quantise(x, 1, PS_FP8_TILE, codes, x.columns, 1, scales, tiles(x.columns), 1, bad);
    ps_end(stream, operation);
}

static void blocks(struct ps_stream *stream, struct ps_matrix x, uint8_t *codes, float *scales,
                   int64_t *bad) {
    struct ps_operation operation = ps_begin(stream);
    quantise(x, PS_FP8_TILE, PS_FP8_TILE, codes, x.columns, 1, scales, tiles(x.columns), 1, bad);
    ps_end(stream, operation);
}

static void rows_and_columns(struct ps_stream *stream, struct ps_matrix x, uint8_t *codes,
                             float *scales, uint8_t *codes_t, float *scales_t, int64_t *bad) {
    struct ps_operation operation = ps_begin(stream);
    int64_t again = 0; /* the same numbers, not counted twice */
    quantise(x, 1, PS_FP8_TILE, codes, x.columns, 1, scales, tiles(x.columns), 1, bad);
    quantise(x, PS_FP8_TILE, 1, codes_t, 1, x.rows, scales_t, 1, tiles(x.rows), &again);
    ps_end(stream, operation);
}

const struct ps_quantise_operations ps_reference_quantise = {
    .rows = rows,
    .blocks = blocks,
    .rows_and_columns = rows_and_columns,
};
