/* Attention gives a row the same bits however its sequence is cut into chunks and wherever its
 * pages lie, and the packed form of training gives them too. */
#include "compute_reference.h"

enum { POSITIONS = 300, PAGES = 3 };

static const int32_t prefill[] = {POSITIONS, 0}, decode[] = {1, 0}, chunks[] = {5, 123, 1, 171, 0},
                     late[] = {299, 1, 0};

/* out of one sequence that is run in pieces of the given sizes (the last one goes on), beside
 * another sequence that does not matter. Pages are shuffled by `shift`. */
static void run_paged(const struct ps_attention_shape *shape, struct ps_matrix q,
                      struct ps_matrix k, struct ps_matrix v, const int32_t *sizes, int shift,
                      struct ps_matrix out) {
    size_t size = compute->attention.page_bytes(compute, shape);
    char *cache = compute->memory.allocate(compute, (PAGES + 1) * size);
    memset(cache, 0x7F, (PAGES + 1) * size);
    int32_t pages[2 * PAGES];
    for (int i = 0; i < PAGES; i++) {
        pages[i] = PAGES; /* of the other sequence, which never has more than one page */
        pages[PAGES + i] = (i * (shift % 2 + 1) + shift) % PAGES;
    }
    int64_t piece = *sizes;
    for (int64_t done = 0; done < POSITIONS; done += piece) {
        if (sizes[0]) piece = *sizes++;
        if (piece > POSITIONS - done) piece = POSITIONS - done;
        /* the other sequence has row 0 of this batch: the view begins one row earlier */
        int64_t first = done > 0 ? done - 1 : 0, before = done - first;
        int32_t first_row[] = {0, (int32_t)before, (int32_t)(before + piece)};
        int32_t first_position[] = {0, (int32_t)done};
        struct ps_paged_batch batch = {2, PAGES, first_row, first_position, pages};
        uint8_t kept[4096];
        size_t row = (size_t)out.stride * ps_dtype_size(out.dtype);
        memcpy(kept, (char *)out.data + (size_t)first * row, row);
        struct ps_matrix keys = ps_matrix_rows(k, first, before + piece);
        struct ps_matrix values = keys;
        if (!shape->value_in_key) values = ps_matrix_rows(v, first, before + piece);
        compute->attention.append(stream, shape, &batch, keys, values, cache);
        compute->attention.paged(stream, shape, &batch, ps_matrix_rows(q, first, before + piece),
                                 cache, ps_matrix_rows(out, first, before + piece));
        if (before) memcpy((char *)out.data + (size_t)first * row, kept, row);
    }
    compute->memory.release(compute, cache);
}

static void same_bits(const char *what, struct ps_matrix a, struct ps_matrix b) {
    size_t element = ps_dtype_size(a.dtype);
    for (int64_t i = 0; i < a.rows * a.stride; i++)
        if (memcmp((char *)a.data + (size_t)i * element, (char *)b.data + (size_t)i * element,
                   element) != 0)
            fail_msg("%s: row %lld differs", what, (long long)(i / a.stride));
}

static void check_shape(struct ps_attention_shape shape, enum ps_dtype type) {
    enum { MOST = 4 * 24 };
    static float data[5][POSITIONS * MOST], log_sum[POSITIONS * 4];
    static uint16_t halves[5][POSITIONS * MOST];
    int64_t columns[5] = {shape.heads * shape.key_size, shape.key_value_heads * shape.key_size,
                          shape.key_value_heads * shape.value_size, shape.heads * shape.value_size,
                          shape.heads * shape.value_size};
    struct ps_matrix m[5];
    for (int i = 0; i < 5; i++) {
        fill(data[i], POSITIONS * MOST, (uint64_t)(30 + i));
        fill_bf16(halves[i], POSITIONS * MOST, (uint64_t)(30 + i));
        m[i] = type == PS_DTYPE_F32 ? f32(data[i], POSITIONS, columns[i])
                                    : bf16(halves[i], POSITIONS, columns[i]);
    }
    run_paged(&shape, m[0], m[1], m[2], prefill, 0, m[3]);
    run_paged(&shape, m[0], m[1], m[2], decode, 1, m[4]);
    same_bits("decode", m[3], m[4]);
    run_paged(&shape, m[0], m[1], m[2], chunks, 2, m[4]);
    same_bits("chunks", m[3], m[4]);
    run_paged(&shape, m[0], m[1], m[2], late, 0, m[4]);
    same_bits("one late row", m[3], m[4]);
    if (shape.cache == PS_DTYPE_F8_E4M3) return; /* training has no cache */
    int32_t starts[] = {0, POSITIONS};
    compute->attention.packed_forward(stream, &shape, 1, starts, m[0], m[1], m[2], m[4], log_sum);
    same_bits("packed", m[3], m[4]);
}

static void chunks_and_pages_do_not_matter(void **state) {
    (void)state;
    struct ps_attention_shape shape = {.heads = 4,
                                       .key_value_heads = 2,
                                       .key_size = 24,
                                       .value_size = 20,
                                       .scale = 0.2f,
                                       .cache = PS_DTYPE_F32};
    check_shape(shape, PS_DTYPE_F32);
    shape.cache = PS_DTYPE_BF16;
    check_shape(shape, PS_DTYPE_BF16);
    shape.window = 130;
    check_shape(shape, PS_DTYPE_BF16);
    shape.cache = PS_DTYPE_F8_E4M3;
    check_shape(shape, PS_DTYPE_BF16);
    shape.window = 1;
    check_shape(shape, PS_DTYPE_BF16);
}

static void chunks_do_not_matter_with_values_in_keys(void **state) {
    (void)state;
    struct ps_attention_shape shape = {.heads = 4,
                                       .key_value_heads = 1,
                                       .key_size = 24,
                                       .value_size = 16,
                                       .scale = 0.2f,
                                       .value_in_key = true,
                                       .cache = PS_DTYPE_BF16};
    check_shape(shape, PS_DTYPE_BF16);
    shape.cache = PS_DTYPE_F8_E4M3;
    check_shape(shape, PS_DTYPE_BF16);
}

/* The absorbed form is plain attention whose values are the first columns of the keys. */
static void values_in_keys_are_values(void **state) {
    (void)state;
    enum { T = 150, H = 3, KEY = 12, VALUE = 8 };
    static float q[T * H * KEY], k[T * KEY], out[2][T * H * VALUE], log_sum[T * H];
    int32_t starts[] = {0, T};
    fill(q, T * H * KEY, 1);
    fill(k, T * KEY, 2);
    struct ps_attention_shape shape = {.heads = H,
                                       .key_value_heads = 1,
                                       .key_size = KEY,
                                       .value_size = VALUE,
                                       .scale = 0.3f,
                                       .cache = PS_DTYPE_F32};
    struct ps_matrix keys = f32(k, T, KEY), none = {0};
    compute->attention.packed_forward(stream, &shape, 1, starts, f32(q, T, H * KEY), keys,
                                      ps_matrix_columns(keys, 0, VALUE), f32(out[0], T, H * VALUE),
                                      log_sum);
    shape.value_in_key = true;
    compute->attention.packed_forward(stream, &shape, 1, starts, f32(q, T, H * KEY), keys, none,
                                      f32(out[1], T, H * VALUE), log_sum);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
}

/* An FP8 cache is near: each element of k and v is off by at most a sixteenth. */
static void an_fp8_cache_is_near(void **state) {
    (void)state;
    enum { WIDTH = 16 };
    static uint16_t q[POSITIONS * WIDTH], k[POSITIONS * WIDTH], v[POSITIONS * WIDTH];
    static uint16_t out[2][POSITIONS * WIDTH];
    struct ps_attention_shape shape = {.heads = 1,
                                       .key_value_heads = 1,
                                       .key_size = WIDTH,
                                       .value_size = WIDTH,
                                       .scale = 0.25f,
                                       .cache = PS_DTYPE_BF16};
    fill_bf16(q, POSITIONS * WIDTH, 1);
    fill_bf16(k, POSITIONS * WIDTH, 2);
    fill_bf16(v, POSITIONS * WIDTH, 3);
    for (int i = 0; i < 2; i++) {
        run_paged(&shape, bf16(q, POSITIONS, WIDTH), bf16(k, POSITIONS, WIDTH),
                  bf16(v, POSITIONS, WIDTH), prefill, 0, bf16(out[i], POSITIONS, WIDTH));
        shape.cache = PS_DTYPE_F8_E4M3;
    }
    double off = 0;
    for (int i = 0; i < POSITIONS * WIDTH; i++) {
        double difference = ps_f32_from_bf16(out[0][i]) - ps_f32_from_bf16(out[1][i]);
        off += difference * difference;
    }
    off = sqrt(off / (POSITIONS * WIDTH));
    if (off > 0.03 || off == 0) fail_msg("root of the mean square difference: %g", off);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_and_pages_do_not_matter),
        cmocka_unit_test(chunks_do_not_matter_with_values_in_keys),
        cmocka_unit_test(values_in_keys_are_values),
        cmocka_unit_test(an_fp8_cache_is_near),
    };
    return cmocka_run_group_tests(tests, reference_open, reference_close);
}
