/* What attention does between its two products (docs/numerics.md, "Attention"), compiled once for
 * each family.
 *
 * The sum l of a block's probabilities is a dot product with ones: for each 32 positions a chain
 * over the even and one over the odd ones. Two rows have sixteen such chains, so they are
 * transposed, one chain a lane, and added. */

#include "compute/cpu/attention_internal.h"
#include "compute/cpu/family_internal.h"
#include "compute/cpu/transpose_internal.h"

enum { POSITIONS = PS_PAGE_POSITIONS, BLOCKS = POSITIONS / BLOCK };

PS_INLINE ps_v16i column_numbers(int first) {
    return (ps_v16i){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + first;
}

PS_INLINE ps_v16i is_seen(int first_column, int32_t first, int32_t end) {
    ps_v16i column = column_numbers(first_column);
    return (column >= first) & (column < end);
}

/* One row: its maximum; exp(s - max) goes to p, the evens and odds of each 32 apart. */
PS_INLINE float probabilities(const float *scores, float scale, int32_t first, int32_t end,
                              bool bf16, ps_v16u p[2 * BLOCKS]) {
    const ps_v16 nothing = ps_splat(-INFINITY);
    ps_v16 largest = nothing;
    for (int c = first / 16 * 16; c < end; c += 16)
        largest = ps_v16_larger(
            ps_math_select_v16(is_seen(c, first, end), ps_load_f(scores + c) * scale, nothing),
            largest);
    const float max = ps_v16_max(largest);
    for (int block = 0; block < BLOCKS; block++) {
        ps_v16u half[2] = {{0}, {0}};
        for (int i = 0; i < 2; i++) {
            int c = block * BLOCK + i * 16;
            if (c >= end || c + 16 <= first) continue;
            ps_v16 value = ps_math_exp_v16(ps_load_f(scores + c) * scale - max);
            half[i] = (ps_v16u)value & (ps_v16u)is_seen(c, first, end);
            if (bf16) half[i] = ps_v16_round_bf16((ps_v16)half[i]) << 16;
        }
        p[2 * block] = __builtin_shufflevector(half[0], half[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18,
                                               20, 22, 24, 26, 28, 30);
        p[2 * block + 1] = __builtin_shufflevector(half[0], half[1], 1, 3, 5, 7, 9, 11, 13, 15, 17,
                                                   19, 21, 23, 25, 27, 29, 31);
    }
    return max;
}

/* A row's probabilities into the A operand of the second product. */
PS_INLINE void store_probabilities(const ps_v16u p[2 * BLOCKS], int row, int rows, bool bf16,
                                   void *packed) {
    const bool pairs = bf16 && PAIRS;
    for (int block = 0; block < BLOCKS; block++) {
        uint32_t *to = tile_place(packed, row, rows, block, BLOCKS, pairs ? 16 : 32);
        ps_v16u even = p[2 * block], odd = p[2 * block + 1];
        if (pairs) {
            ps_store_u(to, make_pairs(__builtin_shufflevector(even, odd, 0, 2, 4, 6, 8, 10, 12, 14,
                                                              16, 18, 20, 22, 24, 26, 28, 30),
                                      __builtin_shufflevector(even, odd, 1, 3, 5, 7, 9, 11, 13, 15,
                                                              17, 19, 21, 23, 25, 27, 29, 31)));
        } else {
            ps_store_u(to, even);
            ps_store_u(to + 16, odd);
        }
    }
}

static void softmax(struct ps_cpu_softmax *state, const float *scores, float scale, bool bf16,
                    void *packed) {
    for (int r = 0; r < state->rows; r += 2) {
        ps_v16u p[4 * BLOCKS] = {{0}};
        for (int i = 0; i < 2 && r + i < state->rows; i++) {
            int32_t first = state->seen_first[r + i], end = state->seen_end[r + i];
            state->block_max[r + i] = -INFINITY;
            if (first < end)
                state->block_max[r + i] = probabilities(scores + (r + i) * POSITIONS, scale, first,
                                                        end, bf16, p + i * 2 * BLOCKS);
            store_probabilities(p + i * 2 * BLOCKS, r + i, state->rows, bf16, packed);
        }
        ps_transpose(p);
        ps_v16 chains = {0};
        for (int i = 0; i < 16; i++) chains = chains + (ps_v16)p[i];
        float chain[16];
        ps_store_f(chain, chains);
        for (int i = 0; i < 2 && r + i < state->rows; i++) {
            float total = 0;
            for (int block = 0; block < BLOCKS; block++) {
                const float *pair = chain + i * 2 * BLOCKS + 2 * block;
                total = total + (pair[0] + pair[1]);
            }
            state->block_sum[r + i] = total;
        }
    }
}

/* Merges a block's maxima and sums into the rows' and says what becomes of their outputs. */
static void share(struct ps_cpu_softmax *state) {
    for (int r = 0; r < state->rows; r += 16) {
        ps_v16 max = ps_load_f(state->max + r), sum = ps_load_f(state->sum + r);
        ps_v16 block_max = ps_load_f(state->block_max + r);
        ps_v16 block_sum = ps_load_f(state->block_sum + r);
        ps_v16 merged = ps_v16_larger(max, block_max);
        ps_v16 old_share = ps_math_exp_v16(max - merged);
        ps_v16 new_share = ps_math_exp_v16(block_max - merged);
        ps_v16i unseen = block_sum == 0, fresh = sum == 0;
        ps_v16 merged_sum = sum * old_share + block_sum * new_share;
        merged_sum = ps_math_select_v16(fresh, block_sum, merged_sum);
        ps_store_f(state->sum + r, ps_math_select_v16(unseen, sum, merged_sum));
        ps_store_f(state->max + r, ps_math_select_v16(unseen, max, merged));
        ps_store_f(state->old_share + r, old_share);
        ps_store_f(state->new_share + r, new_share);
        for (int i = r; i < r + 16 && i < state->rows; i++)
            state->action[i] = unseen[i - r] ? PS_CPU_KEEP : fresh[i - r] ? PS_CPU_SET : PS_CPU_MIX;
    }
}

/* A tile of the second product, rows from `first_row` on, into the rows' outputs. */
static void merge(const struct ps_cpu_softmax *state, int first_row, int rows, const float *totals,
                  int64_t columns, float *out, int64_t stride) {
    for (int r = 0; r < rows; r++) {
        struct ps_row_view to = ps_row_of_floats(out + r * stride);
        struct ps_row_view from = ps_row_of_floats(totals + r * LANES);
        float old_share = state->old_share[first_row + r];
        float new_share = state->new_share[first_row + r];
        enum ps_cpu_action action = state->action[first_row + r];
        if (action == PS_CPU_KEEP) continue;
        for (int64_t c = 0; c < columns; c += 16) {
            ps_v16 o = ps_row_get(from, c, columns);
            if (action == PS_CPU_MIX) o = ps_row_get(to, c, columns) * old_share + o * new_share;
            ps_row_put(to, c, columns, o);
        }
    }
}

/* to = from / the row's sum; log_sum[r * step] = max + log(sum), unless NULL. */
static void divide(const struct ps_cpu_softmax *state, const float *from, struct ps_matrix to,
                   float *log_sum, int64_t step) {
    for (int64_t r = 0; r < to.rows; r++) {
        struct ps_row_view row = ps_row_view(to, r);
        for (int64_t c = 0; c < to.columns; c += 16)
            ps_row_put(row, c, to.columns,
                       ps_row_get(ps_row_of_floats(from + r * to.columns), c, to.columns) /
                           state->sum[r]);
        if (log_sum) log_sum[r * step] = state->max[r] + ps_math_log(state->sum[r]);
    }
}

/* The backward's p and ds of a block, in place of scores and dp. */
static void gradients(const struct ps_cpu_score_gradient *a, float *scores, float *dp) {
    for (int r = 0; r < a->rows; r++) {
        for (int c = 0; c < a->columns; c += 16) {
            float *s = scores + r * POSITIONS + c, *d = dp + r * POSITIONS + c;
            ps_v16u seen = (ps_v16u)is_seen(c, a->seen_first[r], a->seen_end[r]);
            ps_v16 p = ps_math_exp_v16(ps_load_f(s) * a->scale - a->log_sum[r]);
            ps_v16 ds = (p * (ps_load_f(d) - a->row_sum[r])) * a->scale;
            ps_store_u(s, (ps_v16u)p & seen);
            ps_store_u(d, (ps_v16u)ds & seen);
        }
    }
}

/* The sum over a row of x * y. */
static float row_products(struct ps_matrix x, struct ps_matrix y, int64_t row) {
    struct ps_row_view a = ps_row_view(x, row), b = ps_row_view(y, row);
    ps_v16 sum = {0};
    for (int64_t c = 0; c < x.columns; c += 16)
        sum = sum + ps_row_get(a, c, x.columns) * ps_row_get(b, c, x.columns);
    return ps_v16_fold(sum);
}

const struct ps_cpu_attention_kernels PS_CPU_NAME(ps_cpu_attention_kernels) = {
    .softmax = softmax,
    .share = share,
    .merge = merge,
    .divide = divide,
    .gradients = gradients,
    .row_products = row_products,
};
