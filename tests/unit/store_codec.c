/* Columns of tokens: the stated error, and malformed bytes. */

#include "store_fixture.h"

static void test_logprob_codes(void **state) {
    (void)state;
    for (unsigned code = 0; code < 0xFFFF; code++) {
        float value = ps_store_logprob_decode((uint16_t)code);
        assert_int_equal(ps_store_logprob_encode(value), code);
        if (code > 0) assert_true(value < ps_store_logprob_decode((uint16_t)(code - 1)));
    }
    assert_true(isnan(ps_store_logprob_decode(0xFFFF)));
    assert_int_equal(ps_store_logprob_encode(NAN), 0xFFFF);
    assert_int_equal(ps_store_logprob_encode(-INFINITY), 0xFFFE);
    assert_int_equal(ps_store_logprob_encode(-1e30f), 0xFFFE);
    assert_int_equal(ps_store_logprob_encode(1e-6f), 0);
    assert_int_equal(ps_store_logprob_encode(-0.0f), 0);
    assert_int_equal(ps_store_logprob_encode(-1e-40f), 0);
    assert_true(ps_store_logprob_decode(0xFFFE) == -131008.0f);
    for (float x = -1e-9f; x > -1e5f; x *= 1.0137f) {
        float error_bound = x > -0x1p-14f ? 0x1p-26f : -x * 0x1p-12f;
        assert_true(fabsf(ps_store_logprob_decode(ps_store_logprob_encode(x)) - x) <= error_bound);
    }
}

static void test_ids(void **state) {
    (void)state;
    int32_t ids[] = {0, 127, 128, 16383, 16384, 151643, 2097151, 2097152, INT32_MAX}, back[9];
    struct ps_buffer out;
    ps_buffer_init(&out, 1000);
    assert_ok(ps_store_ids_encode(&out, ids, 9, &error));
    assert_int_equal(out.size, 1 + 1 + 1 + 2 + 2 + 3 + 3 + 3 + 4 + 5);
    assert_int_equal(ps_store_ids_count(out.data, out.size), 9);
    assert_ok(ps_store_ids_decode(out.data, out.size, back, 9, &error));
    assert_memory_equal(ids, back, sizeof ids);
    assert_fails(ps_store_ids_decode(out.data, out.size, back, 8, &error), PS_CORRUPT, "more");
    assert_fails(ps_store_ids_decode(out.data, out.size - 1, back, 9, &error), PS_CORRUPT,
                 "malformed");
    assert_fails(ps_store_ids_decode("\1\xFF\xFF\xFF\xFF\xFF\x01", 7, back, 1, &error), PS_CORRUPT,
                 "malformed");
    assert_fails(ps_store_ids_decode("\1\xFF\xFF\xFF\xFF\x0F", 6, back, 1, &error), PS_CORRUPT,
                 "malformed");
    assert_fails(ps_store_ids_decode("\2\1", 2, back, 1, &error), PS_CORRUPT, "unknown coding");
    int32_t negative = -1;
    assert_fails(ps_store_ids_encode(&out, &negative, 1, &error), PS_ARGUMENT, "-1");
    ps_buffer_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logprob_codes),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
