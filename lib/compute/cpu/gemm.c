/* Products of matrices from packed operands: what is kept in which cache.
 *
 * A thread packs a block of A of some hundred KiB into its scratch (L2). Each panel of B, K times
 * 32 lanes, then meets all tiles of the block: a tile (6 rows) stays in L1 and the panel comes from
 * L2 after its first use, so that B is read from memory once for each block of A. */

#include "compute/cpu/cpu_internal.h"

enum { A_BLOCK_BYTES = 384 << 10, A_BLOCK_LEAST_ROWS = 48, A_BLOCK_MOST_ROWS = 192 };

static int64_t padded(int64_t k) {
    return (k + PS_CPU_BLOCK - 1) / PS_CPU_BLOCK * PS_CPU_BLOCK;
}

size_t ps_cpu_packed_b_bytes(const struct ps_cpu_kernels *kernels, int64_t rows, int64_t k,
                             bool bf16) {
    int64_t lanes = (rows + kernels->lanes - 1) / kernels->lanes * kernels->lanes;
    return (size_t)(lanes * padded(k)) * (bf16 ? 2 : 4);
}

/* Rows of A that are packed at a time: a whole number of tiles. */
static int64_t block_rows(const struct ps_cpu_kernels *kernels, int64_t k, int64_t element) {
    int64_t rows = A_BLOCK_BYTES / (padded(k) * element + 1);
    if (rows < A_BLOCK_LEAST_ROWS) rows = A_BLOCK_LEAST_ROWS;
    if (rows > A_BLOCK_MOST_ROWS) rows = A_BLOCK_MOST_ROWS;
    return rows / kernels->tile_rows * kernels->tile_rows;
}

size_t ps_cpu_product_scratch(int64_t k) {
    size_t least = (size_t)(padded(k) * 4) * A_BLOCK_LEAST_ROWS;
    return least > A_BLOCK_BYTES ? least : A_BLOCK_BYTES;
}

/* All tiles of a packed block of A with panels of B. */
static void multiply_block(const struct ps_cpu_kernels *kernels,
                           const struct ps_cpu_product *product, const char *a, int64_t row,
                           int64_t rows, int64_t panel, int64_t panel_end) {
    const int64_t lanes = kernels->lanes, k = padded(product->a.k);
    const int64_t a_row_bytes = k * (product->bf16 && kernels->pairs ? 2 : 4);
    const int64_t panel_bytes = k * lanes * (product->bf16 ? 2 : 4);
    const int64_t y_size = product->y.dtype == PS_DTYPE_BF16 ? 2 : 4;
    float totals[PS_CPU_MOST_TOTALS] __attribute__((aligned(64)));
    for (; panel < panel_end; panel++) {
        int64_t column = panel * lanes, left = product->y.columns - column;
        const char *b = (const char *)product->b + panel * panel_bytes;
        for (int64_t r = 0; r < rows; r += kernels->tile_rows) {
            int tile = (int)(rows - r < kernels->tile_rows ? rows - r : kernels->tile_rows);
            struct ps_cpu_target target = {
                .data = (char *)product->y.data + ((row + r) * product->y.stride + column) * y_size,
                .dtype = product->y.dtype,
                .stride = product->y.stride,
                .bias = product->bias ? product->bias + column : NULL,
                .accumulate = product->accumulate,
            };
            kernels->multiply(tile, product->bf16, a + r * a_row_bytes, b, k / PS_CPU_BLOCK,
                              totals);
            kernels->finish(totals, tile, left < lanes ? left : lanes, &target);
        }
    }
}

void ps_cpu_product_part(const struct ps_cpu_kernels *kernels, const struct ps_cpu_product *product,
                         int64_t row, int64_t rows, int64_t panel, int64_t panel_end,
                         void *scratch) {
    const int64_t most = block_rows(kernels, product->a.k, product->bf16 && kernels->pairs ? 2 : 4);
    while (rows > 0) {
        int64_t count = rows < most ? rows : most;
        kernels->pack_a(&product->a, row, count, product->bf16, scratch);
        multiply_block(kernels, product, scratch, row, count, panel, panel_end);
        row += count;
        rows -= count;
    }
}
