/* Packing of the operands of matrix kernels (layouts: cpu_internal.h), compiled once for each
 * family.
 *
 * Elements are read 16 at a time as the bits of floats, whatever their type; a pair is made of the
 * upper halves of two. Where the 16 belong to 16 different lanes they are stored as they are, else
 * a square of 16 x 16 is transposed in registers. */

#include "compute/cpu/family_internal.h"
#include "compute/cpu/transpose_internal.h"

/* ---- one block of 32 elements ------------------------------------------------------------- */

/* Up to 16 elements as bits of floats, rounded to BF16 if the product is of BF16. */
PS_INLINE ps_v16u load_bits(const struct ps_cpu_source *source, int64_t index, int64_t count,
                            bool bf16) {
    if (count <= 0) return (ps_v16u){0};
    if (source->dtype == PS_DTYPE_BF16) {
        const uint16_t *from = (const uint16_t *)source->data + index;
        return (ps_v16u)(count < 16 ? ps_load_some(from, count, true)
                                    : ps_load_elements(from, true));
    }
    const float *from = (const float *)source->data + index;
    ps_v16 value = count < 16 ? ps_load_some(from, count, false) : ps_load_f(from);
    return bf16 ? ps_v16_round_bf16(value) << 16 : (ps_v16u)value;
}

/* Block of one row: its 16 pairs in slots[0], or its even and odd elements in slots[0] and [1]. */
PS_INLINE void block_of_row(const struct ps_cpu_source *source, int64_t row, int64_t block,
                            bool bf16, bool pairs, ps_v16u slots[2]) {
    int64_t k = block * BLOCK, index = row * source->stride + k, left = source->k - k;
    ps_v16u low = load_bits(source, index, left, bf16);
    ps_v16u high = load_bits(source, index + 16, left - 16, bf16);
    if (pairs)
        slots[0] = make_pairs(__builtin_shufflevector(low, high, 0, 4, 8, 12, 16, 20, 24, 28, 1, 5,
                                                      9, 13, 17, 21, 25, 29),
                              __builtin_shufflevector(low, high, 2, 6, 10, 14, 18, 22, 26, 30, 3, 7,
                                                      11, 15, 19, 23, 27, 31));
    else {
        slots[0] = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24,
                                           26, 28, 30);
        slots[1] = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25,
                                           27, 29, 31);
    }
}

/* The element of K that stands in a slot: evens, then odds. */
PS_INLINE int64_t element_of_slot(int slot) {
    return slot < BLOCK / 2 ? 2 * slot : 2 * slot - BLOCK + 1;
}

/* Slot `slot` of 16 rows of a transposed source, one lane each. */
PS_INLINE ps_v16u slot_of_rows(const struct ps_cpu_source *source, int64_t row, int64_t count,
                               int64_t block, int slot, bool bf16, bool pairs) {
    ps_v16u part[2] = {{0}, {0}};
    for (int i = 0; i < (pairs ? 2 : 1); i++) {
        int64_t k = block * BLOCK + element_of_slot(pairs ? 2 * slot + i : slot);
        if (k < source->k) part[i] = load_bits(source, k * source->stride + row, count, bf16);
    }
    return pairs ? make_pairs(part[0], part[1]) : part[0];
}

/* ---- B: rows are lanes -------------------------------------------------------------------- */

/* 16 lanes of one block: [slot][LANES]. */
PS_INLINE void lanes_of_block(const struct ps_cpu_source *source, int64_t row, int64_t count,
                              int64_t block, bool bf16, uint32_t *to) {
    const int squares = bf16 ? 1 : 2;
    if (source->transposed) {
        for (int slot = 0; slot < 16 * squares; slot++)
            ps_store_u(to + slot * LANES,
                       slot_of_rows(source, row, count, block, slot, bf16, bf16));
        return;
    }
    ps_v16u square[2][16];
    for (int lane = 0; lane < 16; lane++) {
        ps_v16u slots[2] = {{0}, {0}};
        if (lane < count) block_of_row(source, row + lane, block, bf16, bf16, slots);
        square[0][lane] = slots[0];
        square[1][lane] = slots[1];
    }
    for (int i = 0; i < squares; i++) {
        ps_transpose(square[i]);
        for (int slot = 0; slot < 16; slot++)
            ps_store_u(to + (i * 16 + slot) * LANES, square[i][slot]);
    }
}

PS_INLINE void panels(const struct ps_cpu_source *source, int64_t first, int64_t count, bool bf16,
                      uint32_t *to) {
    const int64_t blocks = (source->k + BLOCK - 1) / BLOCK;
    for (int64_t panel = 0; panel < count; panel += LANES) {
        for (int64_t block = 0; block < blocks; block++) {
            for (int lane = 0; lane < LANES; lane += 16) {
                int64_t left = count - panel - lane;
                lanes_of_block(source, first + panel + lane, left < 16 ? left : 16, block, bf16,
                               to + lane);
            }
            to += LANES * BLOCK / (bf16 ? 2 : 1);
        }
    }
}

void PS_CPU_NAME(ps_cpu_pack_b)(const struct ps_cpu_source *source, int64_t first, int64_t count,
                                bool bf16, void *to) {
    if (bf16)
        panels(source, first, count, true, to);
    else
        panels(source, first, count, false, to);
}

/* ---- A: rows are broadcast ---------------------------------------------------------------- */

PS_INLINE void tiles(const struct ps_cpu_source *source, int64_t first, int64_t count, bool bf16,
                     uint32_t *to) {
    const int64_t blocks = (source->k + BLOCK - 1) / BLOCK;
    const bool pairs = bf16 && PAIRS;
    const int squares = pairs ? 1 : 2;
    for (int64_t row = 0; row < count; row++) {
        for (int64_t block = 0; block < blocks; block++) {
            uint32_t *at = tile_place(to, row, count, block, blocks, 16 * squares);
            ps_v16u slots[2];
            block_of_row(source, first + row, block, bf16, pairs, slots);
            for (int i = 0; i < squares; i++) ps_store_u(at + i * 16, slots[i]);
        }
    }
}

PS_INLINE void tiles_transposed(const struct ps_cpu_source *source, int64_t first, int64_t count,
                                bool bf16, uint32_t *to) {
    const int64_t blocks = (source->k + BLOCK - 1) / BLOCK;
    const bool pairs = bf16 && PAIRS;
    const int squares = pairs ? 1 : 2;
    for (int64_t row = 0; row < count; row += 16) {
        int64_t lanes = count - row < 16 ? count - row : 16;
        for (int64_t block = 0; block < blocks; block++) {
            for (int i = 0; i < squares; i++) {
                ps_v16u square[16];
                for (int slot = 0; slot < 16; slot++)
                    square[slot] =
                        slot_of_rows(source, first + row, lanes, block, i * 16 + slot, bf16, pairs);
                ps_transpose(square);
                for (int64_t lane = 0; lane < lanes; lane++)
                    ps_store_u(tile_place(to, row + lane, count, block, blocks, 16 * squares) +
                                   i * 16,
                               square[lane]);
            }
        }
    }
}

void PS_CPU_NAME(ps_cpu_pack_a)(const struct ps_cpu_source *source, int64_t first, int64_t count,
                                bool bf16, void *to) {
    if (source->transposed) {
        if (bf16)
            tiles_transposed(source, first, count, true, to);
        else
            tiles_transposed(source, first, count, false, to);
    } else {
        if (bf16)
            tiles(source, first, count, true, to);
        else
            tiles(source, first, count, false, to);
    }
}
